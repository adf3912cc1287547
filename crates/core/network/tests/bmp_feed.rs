//! What BMP messages make of the picture, built byte by byte: down, staleness, reconnect, add-path, bogons.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use action::DeviceId;
use bgp::Asn;
use core::net::{IpAddr, Ipv4Addr};
use network::{BmpEvent, Device, DeviceRole, DeviceSpec, ExitSpec, Freshness, Inventory, Network, Observation, SessionState};
use units::Timestamp;

const PEER: [u8; 4] = [172, 31, 1, 1];
const PEER_AS: u32 = 1234;

fn t(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_000_000_000 + millis)
}

fn network() -> Network {
    let device = DeviceSpec {
        id: "r1".into(),
        hostname: "r1".to_owned(),
        role: DeviceRole::Edge,
        router_id: Ipv4Addr::new(10, 0, 0, 1),
        bmp: None,
        gnmi: None,
        netconf: None,
    };
    let exit = ExitSpec {
        id: "r1-ispa".into(),
        device: "r1".into(),
        provider: "isp-a".into(),
        interface: "eth0".to_owned(),
        remote_as: Asn(PEER_AS),
        neighbors: vec![IpAddr::from(PEER)],
        capacity_bps: 1,
    };
    Network::new(Inventory {
        name: "test".to_owned(),
        lab: None,
        own_asn: Asn(65001),
        own_prefixes: vec![],
        public_space: vec!["203.0.113.0/24".parse().unwrap()],
        devices: vec![device],
        providers: vec![],
        exits: vec![exit],
        groups: vec![],
    })
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(6 + body.len()).unwrap();
    [&[3][..], &length.to_be_bytes(), &[kind], body].concat()
}

fn peer() -> Vec<u8> {
    [&[0, 0][..], &[0; 20], &PEER, &PEER_AS.to_be_bytes(), &PEER, &[0; 8]].concat()
}

fn bgp(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(19 + body.len()).unwrap();
    [&[0xFF; 16][..], &length.to_be_bytes(), &[kind], body].concat()
}

fn update(withdrawn: &[u8], announced: &[u8], med: &[u8]) -> Vec<u8> {
    let mut attributes = Vec::new();
    if !announced.is_empty() {
        attributes.extend([0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 4, 210, 0x40, 3, 4, 172, 31, 1, 1]);
        attributes.extend([0x80, 4, u8::try_from(med.len()).unwrap()]);
        attributes.extend(med);
    }
    let w = u16::try_from(withdrawn.len()).unwrap().to_be_bytes();
    let a = u16::try_from(attributes.len()).unwrap().to_be_bytes();
    message(0, &[&peer()[..], &bgp(2, &[&w[..], withdrawn, &a, &attributes, announced].concat())].concat())
}

fn open(asn: u32, add_path: bool) -> Vec<u8> {
    let mut capabilities = [&[65, 4][..], &asn.to_be_bytes()].concat();
    if add_path {
        capabilities.extend([69, 4, 0, 1, 1, 3]);
    }
    let n = u8::try_from(capabilities.len()).unwrap();
    bgp(1, &[&[4, 0x5B, 0xA0, 0, 90, 10, 0, 0, 1, n + 2, 2, n][..], &capabilities].concat())
}

fn peer_up(add_path: bool) -> Vec<u8> {
    let ends = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 172, 31, 1, 0, 0, 179, 0, 179];
    message(3, &[&peer()[..], &ends, &open(65001, add_path), &open(PEER_AS, add_path)].concat())
}

fn peer_down() -> Vec<u8> {
    message(2, &[&peer()[..], &[3], &bgp(3, &[6, 2])].concat())
}

/// 203.0.`n`.0/24.
const fn net(n: u8) -> [u8; 4] {
    [24, 203, 0, n]
}

struct Play(Network);

impl Play {
    fn event(&mut self, event: BmpEvent, at: i64) -> &Device {
        self.0.observe(&Observation::Bmp { device: "r1".into(), event }, t(at));
        self.r1()
    }

    fn say(&mut self, bytes: Vec<u8>, at: i64) -> &Device {
        self.event(BmpEvent::Message { bytes }, at)
    }

    fn tick(&mut self, at: i64) -> &Device {
        self.0.tick(t(at));
        self.r1()
    }

    fn r1(&self) -> &Device {
        &self.0.devices[&DeviceId::from("r1")]
    }
}

fn table(play: &Play) -> Vec<String> {
    play.0.adj_rib_in(&"r1".into(), IpAddr::from(PEER)).prefixes().map(|p| p.to_string()).collect()
}

/// Connected, peer up, 203.0.113.0/24 and 203.0.114.0/24 announced, dump over.
fn settled() -> Play {
    let mut play = Play(network());
    play.event(BmpEvent::Connected, 0);
    play.say(peer_up(false), 10);
    play.say(update(&[], &[net(113), net(114)].concat(), &[0, 0, 0, 5]), 20);
    assert!(matches!(play.tick(2019).bmp, Freshness::Initial { .. }));
    assert!(matches!(play.tick(2020).bmp, Freshness::Synced { .. }), "two seconds without a route end the dump");
    play
}

#[test]
fn a_peer_down_withdraws_and_a_lost_transport_does_not() {
    let mut play = settled();
    play.event(BmpEvent::Closed { reason: "reset".to_owned() }, 3000);
    assert_eq!((play.r1().bmp, table(&play).len()), (Freshness::Stale { since: t(3000) }, 2));
    play.event(BmpEvent::Connected, 4000);
    play.say(peer_up(false), 4010);
    play.say(peer_down(), 4020);
    assert!(table(&play).is_empty());
    let session = &play.r1().sessions[&IpAddr::from(PEER)];
    assert_eq!((session.state, session.flaps), (SessionState::Idle, 1));
    assert_eq!(session.last_down.as_deref(), Some("the peer sent NOTIFICATION 6/2"));
}

#[test]
fn a_sample_that_was_taken_before_a_peer_event_does_not_undo_it() {
    let mut play = settled();
    let path = "/network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]/bgp/neighbors\
        /neighbor[neighbor-address=172.31.1.1]/state/session-state";
    let sample = |play: &mut Play, state: &str, at: i64| {
        let updates = vec![gnmi::Update { path: path.parse().unwrap(), value: gnmi::Value::String(state.to_owned()) }];
        let notification = gnmi::Notification { updates, ..gnmi::Notification::default() };
        let event = network::GnmiEvent::Notification { notification };
        play.0.observe(&Observation::Gnmi { device: "r1".into(), event }, t(at));
        let session = &play.r1().sessions[&IpAddr::from(PEER)];
        (session.state, session.flaps)
    };
    play.say(peer_down(), 10_000);
    assert_eq!(sample(&mut play, "ESTABLISHED", 10_300), (SessionState::Idle, 1));
    assert_eq!(sample(&mut play, "ACTIVE", 10_400), (SessionState::Active, 1));
    play.say(peer_up(false), 11_000);
    assert_eq!(sample(&mut play, "ACTIVE", 11_200), (SessionState::Established, 1));
    assert_eq!(sample(&mut play, "IDLE", 14_000), (SessionState::Idle, 2), "later samples count");
    play.say(peer_down(), 20_000);
    play.event(BmpEvent::Closed { reason: "reset".to_owned() }, 20_100);
    assert_eq!(sample(&mut play, "ESTABLISHED", 20_200).0, SessionState::Established, "without BMP gNMI is all there is");
}

#[test]
fn after_a_reconnect_only_what_is_announced_again_stays() {
    let mut play = settled();
    play.event(BmpEvent::Closed { reason: "reset".to_owned() }, 3000);
    play.event(BmpEvent::Connected, 4000);
    play.say(peer_up(false), 4010);
    play.say(update(&[], &net(114), &[0, 0, 0, 7]), 4020);
    assert_eq!(table(&play).len(), 2, "the old table serves until the new one is there");
    play.tick(6020);
    assert_eq!(table(&play), ["203.0.114.0/24"]);
    assert!(matches!(play.r1().bmp, Freshness::Synced { .. }));
}

#[test]
fn end_of_rib_sweeps_at_once() {
    let mut play = settled();
    play.event(BmpEvent::Connected, 4000);
    play.say(peer_up(false), 4010);
    play.say(update(&[], &net(113), &[0, 0, 0, 7]), 4020);
    play.say(update(&[], &[], &[]), 4030);
    assert_eq!(table(&play), ["203.0.113.0/24"]);
}

#[test]
fn a_malformed_update_withdraws_its_own_routes_and_leaves_the_others() {
    let mut play = settled();
    play.say(update(&[], &net(113), &[0, 0, 5]), 3000);
    assert_eq!(table(&play), ["203.0.114.0/24"]);
    let device = play.r1();
    assert_eq!(device.malformed, 1);
    assert!(device.last_malformed.as_ref().unwrap().contains("MULTI_EXIT_DISC attribute has length 3"));
    play.say(vec![3, 0, 0, 0, 6, 0], 3010);
    assert_eq!((play.r1().malformed, table(&play).len()), (2, 1));
}

#[test]
fn one_of_two_paths_withdrawn_leaves_the_other() {
    let mut play = Play(network());
    play.event(BmpEvent::Connected, 0);
    play.say(peer_up(true), 10);
    let with = |id: u8, prefix: [u8; 4]| [&[0, 0, 0, id][..], &prefix].concat();
    play.say(update(&[], &with(1, net(113)), &[0, 0, 0, 1]), 20);
    play.say(update(&[], &with(2, net(113)), &[0, 0, 0, 2]), 30);
    let med = |p: &Play| p.0.adj_rib_in(&"r1".into(), IpAddr::from(PEER)).routes().next().and_then(|(_, a)| a.med);
    assert_eq!(med(&play), Some(1), "the lowest identifier stands where one path is asked for");
    play.say(update(&with(1, net(113)), &[], &[]), 40);
    assert_eq!(med(&play), Some(2));
    play.say(update(&with(2, net(113)), &[], &[]), 50);
    assert!(table(&play).is_empty());
}

#[test]
fn bogons_outside_the_public_space_are_flagged_on_ebgp_sessions() {
    let mut play = settled();
    play.say(update(&[], &[&[8, 10][..], &[0], &[24, 203, 0, 113]].concat(), &[0, 0, 0, 5]), 3000);
    let found: Vec<String> = play.0.bogons().iter().map(|(k, p)| format!("{} {} {p}", k.device, k.neighbor)).collect();
    assert_eq!(found, ["r1 172.31.1.1 10.0.0.0/8"], "the default route and our public space are none");
}

#[test]
fn repairs_are_counted_by_name() {
    let mut play = Play(network());
    play.event(BmpEvent::Connected, 0);
    play.say(peer_down(), 10);
    let device = play.say(peer_down(), 20);
    let named: Vec<(&str, u64)> = device.repairs.iter().map(|(name, r)| (name.as_str(), r.count)).collect();
    assert_eq!(named, [("peer_down_before_peer_up", 1), ("peer_down_repeated", 1)]);
    assert_eq!(device.sessions.get(&IpAddr::from(PEER)).map_or(0, |s| s.flaps), 0);
    assert_eq!((device.bmp_session.counts.messages, device.bmp_session.counts.peer_events), (2, 2));
}

#[test]
fn a_feed_with_statistics_that_falls_silent_is_stale() {
    let mut play = settled();
    let statistics = message(1, &[&peer()[..], &[0, 0, 0, 1, 0, 7, 0, 8, 0, 0, 0, 0, 0, 0, 0, 2]].concat());
    assert!(!play.tick(100_000).bmp_is_stale(t(100_000)), "without statistics a quiet network is no dead one");
    play.say(statistics.clone(), 100_000);
    play.say(statistics.clone(), 110_000);
    assert!(!play.tick(139_000).bmp_is_stale(t(139_000)));
    assert!(matches!(play.tick(141_000).bmp, Freshness::Stale { .. }));
    assert!(matches!(play.say(statistics, 142_000).bmp, Freshness::Synced { .. }));
}

#[test]
fn an_unknown_device_changes_nothing() {
    let mut n = network();
    n.tick(t(0));
    let before = n.clone();
    n.observe(&Observation::Bmp { device: "r9".into(), event: BmpEvent::Connected }, t(0));
    assert_eq!(n, before);
}
