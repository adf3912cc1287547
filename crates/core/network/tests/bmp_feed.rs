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
        role: None,
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
        ..Inventory::empty("")
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

/// A router may not have kept the OPENs: the peer is up, and what only they say is absent.
#[test]
fn a_peer_up_without_opens_brings_the_session_up() {
    let mut play = Play(network());
    play.event(BmpEvent::Connected, 0);
    let bare = bgp(1, &[]);
    let body = [&peer()[..], &[0; 12], &[172, 31, 1, 0, 0, 179, 0x9C, 0x40], &bare, &bare].concat();
    let device = play.say(message(3, &body), 10);
    let session = &device.sessions[&IpAddr::from(PEER)];
    let opened = session.opened.as_ref().unwrap();
    assert_eq!((session.state, device.malformed, device.repairs["open_missing"].count), (SessionState::Established, 0, 1));
    assert_eq!((opened.local_as, opened.hold_time_s, opened.families.len()), (None, None, 0));
    assert_eq!((opened.remote_id, session.remote_as), (Ipv4Addr::from(PEER), Some(Asn(PEER_AS))));
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

fn end_of_rib() -> Vec<u8> {
    update(&[], &[], &[])
}

fn session(play: &Play) -> (SessionState, u64) {
    let session = &play.r1().sessions[&IpAddr::from(PEER)];
    (session.state, session.flaps)
}

fn monitored(play: &Play) -> SessionState {
    let peers = &play.r1().bmp_session.peers;
    assert_eq!(peers.len(), 1);
    peers.values().next().unwrap().session.state
}

fn gnmi_state(play: &mut Play, instance: &str, state: &str, at: i64) {
    gnmi_leaf(play, instance, "state/session-state", gnmi::Value::String(state.to_owned()), at);
}

fn gnmi_leaf(play: &mut Play, instance: &str, below: &str, value: gnmi::Value, at: i64) {
    let path = format!(
        "/network-instances/network-instance[name={instance}]/protocols/protocol[identifier=BGP][name=BGP]/bgp/neighbors\
        /neighbor[neighbor-address=172.31.1.1]/{below}"
    );
    let updates = vec![gnmi::Update { path: path.parse().unwrap(), value }];
    let notification = gnmi::Notification { updates, ..gnmi::Notification::default() };
    play.0.observe(&Observation::Gnmi { device: "r1".into(), event: network::GnmiEvent::Notification { notification } }, t(at));
}

fn gnmi_connected(play: &mut Play, at: i64) {
    play.0.observe(&Observation::Gnmi { device: "r1".into(), event: network::GnmiEvent::Connected }, t(at));
}

/// The session died while nobody saw it: the router says so when it connects again, or does not mention it.
#[test]
fn a_session_that_died_while_bmp_was_away_is_not_up_where_only_bmp_tells() {
    let mut play = settled();
    play.event(BmpEvent::Closed { reason: "reset".to_owned() }, 3000);
    play.event(BmpEvent::Connected, 4000);
    assert_eq!(session(&play), (SessionState::Established, 0), "as it was; the feed is not synced");
    play.say(peer_down(), 4010);
    assert_eq!((session(&play), monitored(&play)), ((SessionState::Idle, 1), SessionState::Idle), "a Peer Down without Peer Up");

    let mut play = settled();
    play.event(BmpEvent::Closed { reason: "reset".to_owned() }, 3000);
    play.event(BmpEvent::Connected, 4000);
    play.tick(5999);
    assert_eq!((session(&play), monitored(&play)), ((SessionState::Established, 0), SessionState::Established));
    assert!(matches!(play.tick(6000).bmp, Freshness::Synced { .. }));
    assert_eq!((session(&play), monitored(&play)), ((SessionState::Idle, 1), SessionState::Idle), "not mentioned");
    let last_down = play.r1().sessions[&IpAddr::from(PEER)].last_down.as_deref();
    assert_eq!(last_down, Some("the router told nothing of it when BMP came back"));
    assert!(table(&play).is_empty());
    play.say(peer_up(false), 9000);
    assert_eq!((session(&play).0, monitored(&play)), (SessionState::Established, SessionState::Established));
}

#[test]
fn a_session_that_is_mentioned_again_stays_up() {
    let again: [fn() -> Vec<u8>; 2] = [|| peer_up(false), || update(&[], &net(113), &[0, 0, 0, 5])];
    for message in again {
        let mut play = settled();
        play.event(BmpEvent::Closed { reason: "reset".to_owned() }, 3000);
        play.event(BmpEvent::Connected, 4000);
        play.say(message(), 4010);
        assert!(matches!(play.tick(7000).bmp, Freshness::Synced { .. }));
        assert_eq!((session(&play), monitored(&play)), ((SessionState::Established, 0), SessionState::Established));
    }
}

#[test]
fn where_gnmi_tells_a_session_a_peer_down_without_peer_up_says_nothing_of_it() {
    let mut play = settled();
    gnmi_connected(&mut play, 2500);
    gnmi_state(&mut play, "default", "ESTABLISHED", 2600);
    play.event(BmpEvent::Closed { reason: "reset".to_owned() }, 3000);
    play.event(BmpEvent::Connected, 4000);
    play.say(peer_down(), 4010);
    play.tick(7000);
    assert_eq!((session(&play), monitored(&play)), ((SessionState::Established, 0), SessionState::Idle));
    // what another instance's neighbour of that address does is no word on this one
    let mut play = settled();
    gnmi_connected(&mut play, 2500);
    gnmi_state(&mut play, "blue", "ESTABLISHED", 2600);
    play.event(BmpEvent::Connected, 4000);
    play.say(peer_down(), 4010);
    assert_eq!(session(&play), (SessionState::Idle, 1));
}

#[test]
fn a_pause_is_no_end_of_the_feed_where_the_router_says_its_end_and_neither_is_a_minute() {
    let mut play = settled();
    play.say(end_of_rib(), 3000);
    play.event(BmpEvent::Connected, 4000);
    play.say(peer_up(false), 4010);
    play.say(update(&[], &net(113), &[0, 0, 0, 7]), 4020);
    for at in (5..100).step_by(5) {
        assert!(matches!(play.tick(at * 1000).bmp, Freshness::Initial { .. }), "nothing for {at} s");
    }
    play.say(update(&[], &net(114), &[0, 0, 0, 7]), 100_000);
    play.say(end_of_rib(), 100_100);
    assert!(matches!(play.tick(102_100).bmp, Freshness::Synced { .. }));
    assert_eq!(table(&play).len(), 2);

    let mut play = Play(network());
    play.event(BmpEvent::Connected, 0);
    play.say(peer_up(false), 10);
    for second in 1..90 {
        assert!(matches!(play.say(update(&[], &net(second), &[0, 0, 0, 7]), i64::from(second) * 1000).bmp, Freshness::Initial { .. }));
    }
    assert!(matches!(play.tick(91_000).bmp, Freshness::Synced { .. }), "two seconds after the last route");
}

#[test]
fn news_after_end_of_rib_do_not_keep_a_feed_from_being_synced() {
    let mut play = Play(network());
    play.event(BmpEvent::Connected, 0);
    play.say(peer_up(false), 10);
    play.say(update(&[], &net(113), &[0, 0, 0, 5]), 20);
    play.say(end_of_rib(), 30);
    let flap = |i: i64| if i % 2 == 0 { update(&net(114), &[], &[]) } else { update(&[], &net(114), &[0, 0, 0, 5]) };
    for i in 1..30 {
        let device = play.say(flap(i), 30 + 100 * i);
        assert_eq!(matches!(device.bmp, Freshness::Synced { .. }), i >= 20, "{i}");
    }
}

#[test]
fn a_feed_that_never_rests_nor_ends_is_synced_after_the_longest_time() {
    let mut play = Play(network());
    play.event(BmpEvent::Connected, 0);
    play.say(peer_up(false), 0);
    for second in 1..=600 {
        let device = play.say(update(&[], &net(113), &[0, 0, 0, u8::from(second % 2 == 0)]), second * 1000);
        assert_eq!(matches!(device.bmp, Freshness::Synced { .. }), second == 600, "{second}");
    }
}

#[test]
fn a_feed_that_wakes_in_its_dump_is_not_synced_by_that() {
    let mut play = settled();
    play.say(end_of_rib(), 3000);
    let statistics = message(1, &[&peer()[..], &[0, 0, 0, 1, 0, 7, 0, 8, 0, 0, 0, 0, 0, 0, 0, 2]].concat());
    play.say(statistics.clone(), 4000);
    play.say(statistics.clone(), 5000);
    play.event(BmpEvent::Connected, 6000);
    play.say(peer_up(false), 6010);
    assert!(matches!(play.tick(30_000).bmp, Freshness::Stale { .. }));
    assert!(matches!(play.say(statistics, 30_100).bmp, Freshness::Initial { .. }));
    play.say(end_of_rib(), 31_000);
    assert!(matches!(play.tick(33_000).bmp, Freshness::Synced { .. }));
}

/// What was counted, by whom, and when.
fn received(play: &Play, at: i64) -> Vec<(Option<String>, &'static str, u64)> {
    let counts = play.0.prefixes_received(&"r1".into(), t(at)).into_iter();
    counts.map(|c| (c.family.map(|f| f.to_string()), c.source.name(), c.count)).collect()
}

#[test]
fn prefixes_are_counted_by_whoever_knows_best_and_by_nobody_who_is_stale() {
    let mut play = Play(network());
    play.event(BmpEvent::Connected, 0);
    play.say(peer_up(false), 10);
    play.say(update(&[], &[net(113), net(114)].concat(), &[0, 0, 0, 5]), 20);
    assert_eq!(received(&play, 20), [], "a table that is not complete is no count");
    play.tick(2020);
    let four = Some("ipv4_unicast".to_owned());
    assert_eq!(received(&play, 2020), [(four.clone(), "bmp_table", 2)]);
    let total = [0, 7, 0, 8, 0, 0, 0, 0, 0, 0, 0, 3];
    let per_family = [0, 9, 0, 11, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 4];
    play.say(message(1, &[&peer()[..], &[0, 0, 0, 1], &total].concat()), 3000);
    assert_eq!(received(&play, 3000), [(None, "bmp_statistics", 3)]);
    play.say(message(1, &[&peer()[..], &[0, 0, 0, 2], &total, &per_family].concat()), 903_000);
    assert_eq!(received(&play, 903_000), [(four.clone(), "bmp_statistics", 4)]);
    assert_eq!(play.0.prefixes_received(&"r1".into(), t(904_000))[0].at, t(903_000));
    gnmi_connected(&mut play, 904_000);
    gnmi_leaf(
        &mut play,
        "default",
        "afi-safis/afi-safi[afi-safi-name=IPV4_UNICAST]/state/prefixes/received",
        gnmi::Value::Uint(5),
        904_000,
    );
    assert_eq!(received(&play, 904_000), [(four.clone(), "gnmi", 5)]);
    // gNMI falls silent; BMP goes on
    assert_eq!(received(&play, 930_000), [(four, "bmp_statistics", 4)]);
    play.event(BmpEvent::Closed { reason: "reset".to_owned() }, 931_000);
    assert_eq!(received(&play, 931_000), []);
}

#[test]
fn paths_that_changed_are_counted_by_whole_minutes_that_were_watched() {
    // a minute ends at 20 s, 80 s, 140 s, …
    let changes = |play: &mut Play, at: i64| {
        play.tick(at);
        let found = play.0.path_changes(&"r1".into(), t(at)).into_iter();
        let row = |c: network::PathChanges| (c.until, c.view, c.changes.appeared, c.changes.changed, c.changes.withdrawn);
        found.map(row).collect::<Vec<_>>()
    };
    let mut play = settled();
    assert_eq!(changes(&mut play, 21_000), [], "the table became complete in it: that is no whole minute");
    play.say(update(&[], &net(113), &[0, 0, 0, 9]), 30_000);
    play.say(update(&net(114), &[], &[]), 31_000);
    play.say(update(&[], &net(115), &[0, 0, 0, 5]), 32_000);
    assert_eq!(changes(&mut play, 79_000), []);
    assert_eq!(changes(&mut play, 81_000), [(t(80_000), bmp::View::AdjRibInPre, 1, 1, 1)]);
    assert_eq!(changes(&mut play, 141_000), [(t(140_000), bmp::View::AdjRibInPre, 0, 0, 0)], "watched, and nothing changed");
    play.say(peer_down(), 150_000);
    assert_eq!(changes(&mut play, 201_000), [(t(200_000), bmp::View::AdjRibInPre, 0, 0, 2)]);
    assert_eq!(changes(&mut play, 261_000), [], "there is no table any more");
    play.say(peer_up(false), 262_000);
    play.say(update(&[], &net(113), &[0, 0, 0, 9]), 262_000);
    assert_eq!(changes(&mut play, 381_000).len(), 1);
    play.event(BmpEvent::Closed { reason: "reset".to_owned() }, 390_000);
    assert_eq!(changes(&mut play, 441_000), [], "nobody watched");
    play.event(BmpEvent::Connected, 450_000);
    play.say(peer_up(false), 450_000);
    play.say(update(&[], &net(113), &[0, 0, 0, 9]), 450_000);
    assert_eq!(changes(&mut play, 501_000), [], "only a part of it was watched");
    assert_eq!(changes(&mut play, 561_000), [(t(560_000), bmp::View::AdjRibInPre, 0, 0, 0)]);
}

#[test]
fn a_session_is_fresh_as_long_as_one_feed_that_tells_of_it_is() {
    let peer = IpAddr::from(PEER);
    let mut play = settled();
    assert!(play.r1().session_is_fresh(peer, t(3000)) && !play.r1().session_is_fresh("192.0.2.1".parse().unwrap(), t(3000)));
    gnmi_connected(&mut play, 3000);
    play.event(BmpEvent::Closed { reason: "reset".to_owned() }, 4000);
    assert!(!play.r1().session_is_fresh(peer, t(4000)), "gNMI is there and does not tell of it");
    gnmi_state(&mut play, "default", "ESTABLISHED", 5000);
    assert!(play.r1().session_is_fresh(peer, t(6000)));
    assert!(!play.r1().session_is_fresh(peer, t(60_000)), "it fell silent");
}
