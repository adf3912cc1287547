//! What BMP makes of the tables behind the picture: instances kept apart, every path, restarts, states, statistics, saved and read again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

#[path = "../../rib/tests/wire/mod.rs"]
mod wire;

use action::DeviceId;
use bgp::{Asn, Prefix};
use bmp::{AfiSafi, Distinguisher, PeerKind, View};
use core::net::{IpAddr, Ipv4Addr};
use network::{BmpEvent, BmpPeer, DeviceRole, DeviceSpec, Inventory, Network, Observation, SessionState};
use rib::{Mark, TableState};
use units::Timestamp;
use wire::Peer;

const P: Peer = wire::peer(2);
const R: [&str; 3] = ["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"];

fn t(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis)
}

fn device(id: &str) -> DeviceSpec {
    DeviceSpec {
        id: id.into(),
        hostname: id.to_owned(),
        role: DeviceRole::Edge,
        router_id: Ipv4Addr::new(10, 0, 0, 1),
        bmp: None,
        gnmi: None,
        netconf: None,
    }
}

fn r1() -> DeviceId {
    "r1".into()
}

fn address(peer: Peer) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, peer.number).into()
}

struct Play(Network);

impl Play {
    fn new() -> Self {
        let mut inventory = Inventory::empty("test");
        inventory.own_asn = Asn(65_001);
        inventory.devices = vec![device("r1"), device("r2")];
        let mut play = Self(Network::new(inventory));
        play.event("r1", BmpEvent::Connected, 0).event("r2", BmpEvent::Connected, 0);
        play
    }

    fn event(&mut self, device: &str, event: BmpEvent, at: i64) -> &mut Self {
        self.0.observe(&Observation::Bmp { device: device.into(), event }, t(at));
        self
    }

    fn say(&mut self, bytes: Vec<u8>, at: i64) -> &mut Self {
        self.event("r1", BmpEvent::Message { bytes }, at)
    }

    fn closed(&mut self, at: i64) -> &mut Self {
        self.event("r1", BmpEvent::Closed { reason: "reset".to_owned() }, at)
    }

    fn tick(&mut self, at: i64) -> &mut Self {
        self.0.tick(t(at));
        self
    }

    fn table(&self) -> Vec<String> {
        self.0.adj_rib_in(&r1(), address(P)).prefixes().map(|p| p.to_string()).collect()
    }

    /// State, paths, unconfirmed paths and what keeps them, of P's table of IPv4 before policy.
    fn state(&self) -> (TableState, u64, u64, Option<&'static str>) {
        let table = self.0.tables_of(&r1()).find(|t| t.key.is_global() && t.key.peer.address == address(P)).unwrap();
        let (_, status) = table.families[0];
        (status.state, status.routes, status.unconfirmed, status.kept.map(|h| h.name()))
    }

    fn peer(&self, kind: PeerKind) -> &BmpPeer {
        self.0.devices[&r1()].bmp_session.peers.iter().find(|(k, _)| k.kind == kind).unwrap().1
    }
}

fn synced(up: Vec<u8>) -> Play {
    let mut play = Play::new();
    play.say(up, 10).say(wire::announce(P, &R, 0), 20).say(wire::end_of_rib(P, false), 30);
    assert_eq!(play.state(), (TableState::Synced, 3, 0, None), "End-of-RIB completes a table at once");
    play
}

/// An operator must see that the routes of a peer that is down are still there, why, and until when.
#[test]
fn a_restarting_peer_keeps_its_routes_marked_until_its_time_is_over() {
    let graceful = wire::graceful(120, false, true);
    let long = [graceful.clone(), wire::long_lived(300, true)].concat();
    let mut play = synced(wire::peer_up_with(P, &long, &long, None));
    play.say(wire::peer_down(P, 4, &[]), 1000);
    assert_eq!(play.state(), (TableState::Stale, 3, 3, Some("graceful_restart")));
    assert_eq!(play.table(), R, "kept, and marked");
    let marks = |p: &Play| p.0.adj_rib_in(&r1(), address(P)).all_paths().map(|r| r.mark()).collect::<Vec<_>>();
    assert_eq!(marks(&play), [Mark::Stale; 3]);
    assert_eq!(play.0.devices[&r1()].sessions[&address(P)].state, SessionState::Idle);
    play.tick(120_999);
    assert_eq!(play.state().3, Some("graceful_restart"));
    play.tick(121_000);
    assert_eq!(play.state(), (TableState::Stale, 3, 3, Some("long_lived")));
    assert_eq!(marks(&play), [Mark::LongLivedStale; 3]);
    play.tick(421_000);
    assert_eq!((play.state(), play.table().len()), ((TableState::Gone, 0, 0, None), 0));
    // without the capability it withdraws at once
    let mut play = synced(wire::peer_up(P));
    play.say(wire::peer_down(P, 4, &[]), 1000);
    assert_eq!(play.state(), (TableState::Gone, 0, 0, None));
}

#[test]
fn a_lost_transport_makes_tables_stale_and_what_is_not_told_again_goes() {
    let other = wire::peer(3);
    let mut play = synced(wire::peer_up(P));
    play.say(wire::peer_up(other), 40).say(wire::announce(other, &R[..1], 1), 50).closed(1000).tick(1_000_000);
    assert_eq!(play.state(), (TableState::Stale, 3, 3, None));
    assert_eq!(play.table(), R, "losing sight withdraws nothing, however long");
    play.event("r1", BmpEvent::Connected, 2_000_000).say(wire::peer_up(P), 2_000_010).say(wire::announce(P, &R[1..], 0), 2_000_020);
    assert_eq!(play.state(), (TableState::Initial, 3, 1, None));
    play.say(wire::end_of_rib(P, false), 2_000_030);
    assert_eq!((play.state(), play.table()), ((TableState::Synced, 2, 0, None), R[1..].iter().map(ToString::to_string).collect()));
    assert!(!play.0.adj_rib_in(&r1(), address(other)).is_empty(), "the router may still tell of it");
    play.tick(2_002_030);
    assert!(play.0.adj_rib_in(&r1(), address(other)).is_empty(), "it did not");
}

#[test]
fn the_same_address_in_three_instances_is_three_tables() {
    let red = Peer { kind: 1, distinguisher: 0x0001_0007, ..P };
    let loc_rib = Peer { kind: 3, ..P };
    let mut play = synced(wire::peer_up(P));
    play.say(wire::peer_up_with(red, &[], &[], Some("red")), 40).say(wire::announce(red, &R[..1], 7), 50);
    play.say(wire::peer_up_with(loc_rib, &[], &[], Some("blue")), 60).say(wire::announce(loc_rib, &R[..2], 9), 70);
    let n = &play.0;
    let told: Vec<(PeerKind, Option<&str>, u64)> =
        n.tables_of(&r1()).map(|t| (t.key.peer.kind, t.key.instance.as_deref(), t.families[0].1.routes)).collect();
    assert_eq!(told, [(PeerKind::Global, None, 3), (PeerKind::Rd, Some("red"), 1), (PeerKind::LocRib, Some("blue"), 2)]);
    assert_eq!(n.adj_ribs(&r1()).count(), 1, "what asks for the global instance gets nothing else");
    let unspecified = IpAddr::from(Ipv4Addr::UNSPECIFIED);
    assert!(
        n.adj_rib(&r1(), unspecified, View::LocRib).is_empty(),
        "a named Loc-RIB is not the global one, though its distinguisher is 0:0"
    );
    assert_eq!(n.devices[&r1()].sessions.len(), 1, "sessions are those of the global instance");
    assert_eq!(n.devices[&r1()].bmp_session.counts.other_tables, 4);
    assert_eq!(play.peer(PeerKind::Rd).instance.as_deref(), Some("red"));
    assert_eq!(play.peer(PeerKind::Rd).session.state, SessionState::Established);
    assert!(play.peer(PeerKind::Rd).tlvs.iter().any(|t| t.value == "red"), "words of Peer Up are kept");
    play.say(wire::peer_down(red, 1, &wire::notification(6, 2)), 80);
    assert_eq!((play.state().1, play.table().len()), (3, 3), "another instance's session is another session");
    assert_eq!(play.peer(PeerKind::Rd).session.last_down.as_deref(), Some("we sent NOTIFICATION 6/2"));
    assert_eq!(play.0.devices[&r1()].sessions[&address(P)].state, SessionState::Established);
    play.say(wire::peer_up_with(loc_rib, &[], &[], Some("global")), 90).say(wire::announce(loc_rib, &R[..2], 9), 100);
    assert_eq!(play.0.adj_rib(&r1(), unspecified, View::LocRib).len(), 2);
}

#[test]
fn both_paths_of_a_prefix_stand_with_their_time() {
    let mut play = Play::new();
    play.say(wire::peer_up_with(P, &wire::ADD_PATH, &wire::ADD_PATH, None), 10);
    play.say(wire::announce_with(P, &[(R[0], Some(1)), (R[0], Some(9))], 1, &[]), 5000);
    play.say(wire::announce_with(P, &[(R[0], Some(9))], 2, &[]), 9000);
    let prefix: Prefix = R[0].parse().unwrap();
    let table = play.0.adj_rib_in(&r1(), address(P));
    let paths: Vec<_> = table.paths(&prefix).map(|r| (r.path_id(), r.attributes().path.med, r.since())).collect();
    assert_eq!(paths, [(Some(1), Some(1), t(5000)), (Some(9), Some(2), t(9000))]);
    assert_eq!((table.paths_known(), table.len()), (2, 1));
    assert_eq!(table.get(&prefix).unwrap().med, Some(1), "who asks for one path gets that of the lowest identifier");
}

#[test]
fn equal_attributes_are_kept_once_for_all_devices_and_views() {
    let mut play = Play::new();
    for (device, flags) in [("r1", 0), ("r1", wire::POST), ("r2", 0)] {
        let bytes = wire::announce(Peer { flags, ..P }, &R, 0);
        play.event(device, BmpEvent::Message { bytes }, 10);
    }
    assert_eq!((play.0.tables().routes(), play.0.tables().attribute_sets()), (9, 1));
    assert_eq!(play.0.adj_rib_in(&"r2".into(), address(P)).len(), 3);
}

fn with_header(kind: u8, peer: Peer, body: &[u8]) -> Vec<u8> {
    // the per-peer header of another message about the same peer
    let header = wire::peer_down(peer, 4, &[])[6..48].to_vec();
    let length = u32::try_from(6 + header.len() + body.len()).unwrap();
    [&[3][..], &length.to_be_bytes(), &[kind], &header, body].concat()
}

#[test]
fn statistics_and_mirrored_messages_are_kept_by_peer() {
    let mut play = synced(wire::peer_up(P));
    // type 7: routes in Adj-RIBs-In; type 9: the same of a family (RFC 7854 §4.8)
    let report = |seven: u8| {
        let body = [&[0, 0, 0, 2, 0, 7, 0, 8, 0, 0, 0, 0, 0, 0, 0, seven][..], &[0, 9, 0, 11, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 3]].concat();
        with_header(1, P, &body)
    };
    play.say(report(3), 100).say(report(5), 200);
    let known: Vec<_> =
        play.peer(PeerKind::Global).statistics.iter().map(|((kind, family), s)| (*kind, *family, s.name.as_str(), s.value, s.at)).collect();
    assert_eq!(
        known,
        [(7, None, "adj_rib_in_routes", 5, t(200)), (9, Some(AfiSafi::IPV4_UNICAST), "adj_rib_in_routes_per_family", 3, t(200))]
    );
    play.say(with_header(6, P, &[0, 1, 0, 2, 0, 1]), 300).say(with_header(6, P, &[0, 0, 0, 3, 1, 2, 3]), 310);
    let peer = play.peer(PeerKind::Global);
    assert_eq!((peer.mirrored, peer.mirrored_lost), (2, 1));
    let counts = &play.0.devices[&r1()].bmp_session.counts;
    assert_eq!((counts.statistics, counts.mirrored), (2, 2));
}

/// VPN routes belong to no table that decides, and must not vanish uncounted.
#[test]
fn vpn_and_evpn_routes_are_counted_by_table() {
    let mut play = synced(wire::peer_up(P));
    // MP_REACH_NLRI of VPNv4: next hop behind a distinguisher, one label, 65001:7, 10.9.0.0/16 (RFC 4364 §4.3)
    let nlri = [24 + 64 + 16, 0, 0x06, 0x41, 0, 0, 0xFD, 0xE9, 0, 0, 0, 7, 10, 9];
    let vpn = [&[0, 1, 128, 12][..], &[0; 8], &[10, 0, 0, 2, 0], &nlri].concat();
    // EVPN, inclusive multicast (RFC 7432 §7.3): distinguisher, tag, address
    let multicast = [3, 17, 0, 1, 10, 0, 0, 2, 0, 7, 0, 0, 0, 0, 32, 10, 0, 0, 2];
    let evpn = [&[0, 25, 70, 4][..], &[10, 0, 0, 2, 0], &multicast].concat();
    for (reach, at) in [(vpn, 100), (evpn, 110)] {
        let path = [0x40, 2, 6, 2, 1, 0, 0, 0xFB, 0xF6];
        let attributes = [&[0x40, 1, 1, 0][..], &path, &[0x80, 14, u8::try_from(reach.len()).unwrap()], &reach].concat();
        let update = [&[0, 0][..], &u16::try_from(attributes.len()).unwrap().to_be_bytes(), &attributes].concat();
        let bgp = [&[0xFF; 16][..], &u16::try_from(19 + update.len()).unwrap().to_be_bytes(), &[2], &update].concat();
        play.say(with_header(0, P, &bgp), at);
    }
    assert_eq!(play.0.devices[&r1()].malformed, 0, "{:?}", play.0.devices[&r1()].last_malformed);
    let table = play.0.tables_of(&r1()).next().unwrap();
    assert_eq!(table.counted[&AfiSafi { afi: 1, safi: 128 }].announced, 1);
    assert_eq!(table.counted[&AfiSafi::EVPN].announced, 1);
    assert_eq!(table.key.peer.distinguisher, Distinguisher::GLOBAL);
}

#[test]
fn a_correction_is_an_event_of_each_session_and_counted_over_all() {
    let mut play = Play::new();
    play.say(wire::announce(P, &R, 0), 10).say(wire::announce(P, &R, 1), 20);
    let look = |p: &Play| {
        let device = &p.0.devices[&r1()];
        let repair = &device.repairs["routes_without_peer_up"];
        (repair.count, repair.first, repair.session, device.bmp_session.counts.repair_events)
    };
    assert_eq!(look(&play), (2, t(10), t(10), 1));
    play.closed(30).event("r1", BmpEvent::Connected, 40).say(wire::announce(P, &R, 1), 50);
    assert_eq!(look(&play), (3, t(10), t(50), 2));
}

/// A segment of a capture begins with the state: what is read must go on as what was written.
#[test]
fn a_picture_that_is_written_and_read_goes_on_to_the_same_bytes() {
    let graceful = wire::graceful(120, false, true);
    let up = wire::peer_up_with(P, &graceful, &graceful, Some("default"));
    let red = Peer { kind: 1, distinguisher: 7, ..P };
    let steps = [
        up.clone(),
        wire::announce(P, &R, 0),
        wire::announce(red, &R[..2], 3),
        wire::end_of_rib(P, false),
        wire::announce(P, &["2001:db8::/32"], 4),
        wire::withdraw(P, &R[..1]),
        wire::peer_down(P, 4, &[]),
        up,
        wire::announce(P, &R[1..], 5),
    ];
    let bytes = |n: &Network| serde_json::to_string(n).unwrap();
    let run = |saved: bool| {
        let mut play = Play::new();
        for (step, at) in steps.iter().zip((0..).step_by(700)) {
            play.say(step.clone(), at);
            if saved {
                play.0 = serde_json::from_str(&bytes(&play.0)).unwrap();
            }
        }
        play.closed(9000).tick(20_000);
        play.0
    };
    let (plain, saved) = (run(false), run(true));
    assert_eq!(bytes(&plain), bytes(&saved));
    assert_eq!(plain, saved);
    assert_eq!(plain.tables().state_hash(), saved.tables().state_hash());
    assert_eq!(bytes(&run(false)), bytes(&plain), "twice the same");
}

#[test]
fn a_copy_of_the_picture_stays_as_it_was() {
    let mut play = synced(wire::peer_up(P));
    let (copy, before) = (play.0.clone(), serde_json::to_string(&play.0).unwrap());
    play.say(wire::withdraw(P, &R[..2]), 100).say(wire::announce(P, &R[2..], 8), 110);
    assert_eq!(serde_json::to_string(&copy).unwrap(), before);
    assert_ne!(play.0, copy);
}

/// Captures of earlier builds begin with a picture that has no tables; one that has some is refused in words.
#[test]
fn a_state_of_an_older_build_is_read_or_refused_with_words() {
    let mut older = serde_json::to_value(Play::new().0).unwrap();
    older.as_object_mut().unwrap().remove("tables").unwrap();
    older.as_object_mut().unwrap().remove("ticked").unwrap();
    let device = older["devices"]["r1"].as_object_mut().unwrap();
    device.insert("adj_ribs".to_owned(), serde_json::json!([]));
    let session = device["bmp_session"].as_object_mut().unwrap();
    session.remove("peers").unwrap();
    session.insert("codec".to_owned(), serde_json::json!({"own_asn": null, "peers": []}));
    session.insert("unconfirmed".to_owned(), serde_json::json!([]));
    session.insert("paths".to_owned(), serde_json::json!([]));
    let mut read = Play(serde_json::from_value(older.clone()).unwrap());
    read.say(wire::announce(P, &R, 0), 100);
    assert_eq!(read.table(), R);
    older["devices"]["r1"]["adj_ribs"] = serde_json::json!([[["10.0.0.2", "adj_rib_in_pre"], []]]);
    let refused = serde_json::from_value::<Network>(older).unwrap_err().to_string();
    assert!(refused.contains("older build"), "{refused}");
}
