//! Every change of a table's state, and what it does to the routes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

mod wire;

use bgp::Family;
use bmp::Codec;
use core::time::Duration;
use rib::{CHURN_HISTORY, CHURN_WINDOW, Changes, Hold, INITIAL_MAX, INITIAL_QUIET, LLGR_STALE, Mark, NO_LLGR, Rib, RouterId, TableState};
use units::Timestamp;
use wire::Peer;

const R: [&str; 3] = ["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"];
const P: Peer = wire::peer(2);

/// A RIB with one connected router and a clock.
struct Scene {
    rib: Rib,
    router: RouterId,
    now: Timestamp,
}

impl Scene {
    fn new() -> Self {
        let mut rib = Rib::default();
        let router = rib.router("r1").unwrap();
        let now = Timestamp::from_millis(1_700_000_000_000);
        rib.connected(router, Codec::default(), now);
        Self { rib, router, now }
    }

    fn take(&mut self, bytes: &[u8]) -> &mut Self {
        self.rib.ingest(self.router, bytes, self.now).unwrap();
        self
    }

    fn wait(&mut self, by: Duration) -> &mut Self {
        self.now = self.now.plus(by);
        self.rib.tick(self.now);
        self
    }

    fn lost(&mut self) -> &mut Self {
        self.rib.lost(self.router, self.now);
        self
    }

    fn connected(&mut self) -> &mut Self {
        self.rib.connected(self.router, Codec::default(), self.now);
        self
    }

    /// Up, all routes, End-of-RIB.
    fn synced(peer_up: &[u8]) -> Self {
        let mut s = Self::new();
        s.take(peer_up).take(&wire::announce(P, &R, 0)).take(&wire::end_of_rib(P, false));
        assert_eq!(s.state(), (TableState::Synced, 3, 0));
        s
    }

    /// State, routes and unconfirmed routes of IPv4 of the first table.
    fn state(&self) -> (TableState, u64, u64) {
        let table = self.rib.tables().next().unwrap();
        let (_, f) = table.families.iter().find(|(f, _)| *f == Family::Ipv4Unicast).unwrap();
        (f.state, f.routes, f.unconfirmed)
    }

    fn hold(&self) -> Option<Hold> {
        self.rib.tables().next().unwrap().families[0].1.kept
    }

    fn marks(&self) -> Vec<(String, Mark)> {
        self.rib.iter(Family::Ipv4Unicast).map(|r| (r.prefix().to_string(), r.mark())).collect()
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn end_of_rib_completes_a_table_and_its_family_only() {
    let mut s = Scene::new();
    s.take(&wire::peer_up(P)).take(&wire::announce(P, &R, 0)).take(&wire::announce(P, &["2001:db8::/32"], 0));
    assert_eq!(s.state(), (TableState::Initial, 3, 0));
    s.take(&wire::end_of_rib(P, false));
    let table = s.rib.tables().next().unwrap();
    let states: Vec<_> = table.families.iter().map(|(f, s)| (*f, s.state, s.routes)).collect();
    assert_eq!(states, [(Family::Ipv4Unicast, TableState::Synced, 3), (Family::Ipv6Unicast, TableState::Initial, 1)]);
}

#[test]
fn quiet_completes_a_table_of_a_sender_without_end_of_rib() {
    let mut s = Scene::new();
    s.take(&wire::announce(P, &R, 0)).wait(INITIAL_QUIET - Duration::from_millis(1));
    assert_eq!(s.state(), (TableState::Initial, 3, 0));
    assert_eq!(s.rib.next_deadline(), Some(s.now.plus(Duration::from_millis(1))));
    s.wait(Duration::from_millis(1));
    assert_eq!(s.state(), (TableState::Synced, 3, 0));
    assert_eq!(s.rib.next_deadline(), None);
}

#[test]
fn a_table_that_is_never_quiet_is_complete_after_the_longest_time() {
    let mut s = Scene::new();
    for i in 0..INITIAL_MAX.as_secs() {
        s.take(&wire::announce(P, &R, i as u32 % 2)).wait(SECOND);
        assert_eq!(s.state().0 == TableState::Synced, i + 1 == INITIAL_MAX.as_secs(), "after {i} s");
    }
}

#[test]
fn quiet_is_no_end_for_a_sender_that_says_when_it_ends() {
    let mut s = Scene::synced(&wire::peer_up(P));
    s.lost().connected().take(&wire::peer_up(P)).take(&wire::announce(P, &R[..1], 0)).wait(INITIAL_QUIET * 3);
    assert_eq!(s.state(), (TableState::Initial, 3, 2), "a sender that pauses in its dump loses nothing");
    s.take(&wire::end_of_rib(P, false));
    assert_eq!(s.state(), (TableState::Synced, 1, 0));
}

/// What a router tells of complete tables is news, not its dump: what it does not mention goes, however busy it is.
#[test]
fn a_router_has_said_all_when_its_tables_are_complete_however_busy_they_are() {
    let mut s = Scene::synced(&wire::peer_up(P));
    let other = wire::peer(3);
    s.lost().connected().take(&wire::peer_up(other)).wait(SECOND).take(&wire::announce(other, &R, 0));
    s.wait(INITIAL_QUIET - SECOND).take(&wire::announce(other, &R, 1)).take(&wire::end_of_rib(other, false));
    assert!(s.rib.is_dumping(s.router, s.now), "another peer may follow");
    for i in 0..3 {
        assert_eq!((s.state().0, s.rib.is_dumping(s.router, s.now)), (TableState::Stale, true), "{i}");
        s.wait(INITIAL_QUIET / 4).take(&wire::announce(other, &R, 2 + i));
    }
    s.wait(INITIAL_QUIET / 4);
    assert_eq!((s.state(), s.rib.is_dumping(s.router, s.now)), ((TableState::Gone, 0, 0), false));
}

#[test]
fn a_router_that_never_says_its_end_and_never_rests_has_said_all_after_the_longest_time() {
    let mut s = Scene::new();
    for i in 1..INITIAL_MAX.as_secs() {
        s.take(&wire::announce(P, &R, u32::from(i % 2 == 0))).wait(SECOND);
        assert!(s.rib.is_dumping(s.router, s.now), "after {i} s");
    }
    s.wait(SECOND);
    assert!(!s.rib.is_dumping(s.router, s.now));
}

#[test]
fn a_lost_transport_marks_and_withdraws_nothing_however_long_it_lasts() {
    let mut s = Scene::synced(&wire::peer_up(P));
    s.lost().wait(Duration::from_secs(86_400));
    assert_eq!(s.state(), (TableState::Stale, 3, 3));
    assert!(s.marks().iter().all(|(_, m)| *m == Mark::Stale));
    assert_eq!(s.rib.next_deadline(), None);
}

#[test]
fn what_is_not_announced_again_goes_with_end_of_rib() {
    let mut s = Scene::synced(&wire::peer_up(P));
    let before = s.rib.exact(&R[0].parse().unwrap())[0].since();
    s.lost().wait(SECOND * 60).connected().take(&wire::peer_up(P));
    assert_eq!(s.state(), (TableState::Initial, 3, 3));
    s.take(&wire::announce(P, &R[..2], 0));
    assert_eq!(s.state(), (TableState::Initial, 3, 1));
    assert_eq!(s.marks()[2], (R[2].to_owned(), Mark::Stale));
    s.take(&wire::end_of_rib(P, false));
    assert_eq!(s.state(), (TableState::Synced, 2, 0));
    assert_eq!(s.marks(), [(R[0].to_owned(), Mark::Confirmed), (R[1].to_owned(), Mark::Confirmed)]);
    assert_eq!(s.rib.exact(&R[0].parse().unwrap())[0].since(), before, "the same route is as old as it was");
}

#[test]
fn a_peer_that_the_router_does_not_mention_any_more_goes_when_the_router_has_said_all() {
    let mut s = Scene::synced(&wire::peer_up(P));
    let other = wire::peer(3);
    s.lost().connected().take(&wire::peer_up(other)).wait(SECOND).take(&wire::announce(other, &R, 0)).wait(SECOND);
    assert_eq!(s.state(), (TableState::Stale, 3, 3), "the dump of another peer still runs");
    s.wait(SECOND);
    assert_eq!(s.state(), (TableState::Gone, 0, 0));
    assert_eq!(s.rib.routes(), 3);
}

#[test]
fn peer_down_withdraws_every_view_of_that_peer_and_nothing_else() {
    let post = Peer { flags: wire::POST, ..P };
    let other = wire::peer(3);
    let vpn = Peer { kind: 1, distinguisher: 7, ..P };
    let loc_rib = Peer { kind: 3, ..P };
    let mut s = Scene::synced(&wire::peer_up(P));
    for peer in [post, other, vpn, loc_rib] {
        s.take(&wire::announce(peer, &R, 1));
    }
    s.take(&wire::peer_down(P, 1, &wire::notification(6, 2)));
    let left: Vec<_> = s.rib.tables().map(|t| (t.key.peer.kind, t.key.view, t.families[0].1.state, t.families[0].1.routes)).collect();
    use bmp::{
        PeerKind::*,
        View::{AdjRibInPost, AdjRibInPre},
    };
    assert_eq!(
        left,
        [
            (Global, AdjRibInPre, TableState::Gone, 0),
            (Global, AdjRibInPost, TableState::Gone, 0),
            (Global, AdjRibInPre, TableState::Initial, 3),
            (Rd, AdjRibInPre, TableState::Initial, 3),
            (LocRib, bmp::View::LocRib, TableState::Initial, 3),
        ]
    );
    s.take(&wire::peer_up(P)).take(&wire::announce(P, &R[..1], 0));
    assert_eq!(s.state(), (TableState::Initial, 1, 0));
}

fn graceful_up(seconds: u16, notification: bool, forwarding: bool) -> Vec<u8> {
    let ours = wire::graceful(seconds, notification, true);
    wire::peer_up_with(P, &ours, &wire::graceful(seconds, notification, forwarding), None)
}

#[test]
fn graceful_restart_keeps_marked_routes_until_the_peer_is_back_or_late() {
    for back in [false, true] {
        let mut s = Scene::synced(&graceful_up(120, false, true));
        s.take(&wire::peer_down(P, 4, &[]));
        assert_eq!(s.state(), (TableState::Stale, 3, 3));
        assert_eq!(s.hold().unwrap().until(), s.now.plus(SECOND * 120));
        s.wait(SECOND * 119);
        assert_eq!(s.state(), (TableState::Stale, 3, 3));
        if !back {
            s.wait(SECOND);
            assert_eq!((s.state(), s.hold()), ((TableState::Gone, 0, 0), None));
            continue;
        }
        s.take(&graceful_up(120, false, true)).wait(SECOND * 5).take(&wire::announce(P, &R[1..2], 0));
        assert_eq!((s.state(), s.hold()), ((TableState::Initial, 3, 2), None));
        s.take(&wire::end_of_rib(P, false));
        assert_eq!(s.state(), (TableState::Synced, 1, 0));
    }
}

#[test]
fn a_peer_that_comes_back_without_its_forwarding_state_loses_what_was_kept() {
    let mut s = Scene::synced(&graceful_up(120, false, true));
    s.take(&wire::peer_down(P, 4, &[])).wait(SECOND).take(&graceful_up(120, false, false));
    assert_eq!(s.state(), (TableState::Initial, 0, 0));
}

#[test]
fn only_reasons_that_can_be_a_restart_keep_routes() {
    let fsm = |event: u16| event.to_be_bytes().to_vec();
    let cases = [
        (4, Vec::new(), false, true, "closed without NOTIFICATION"),
        (2, fsm(18), false, true, "TCP failed"),
        (2, fsm(2), false, false, "stopped by hand"),
        (2, fsm(0), false, false, "no event told"),
        (3, wire::notification(6, 4), false, false, "NOTIFICATION, N flag not agreed"),
        (3, wire::notification(6, 4), true, true, "NOTIFICATION, N flag agreed"),
        (1, wire::notification(4, 0), true, true, "hold timer, N flag agreed"),
        (3, wire::notification(6, 9), true, false, "hard reset"),
        (5, Vec::new(), true, false, "no longer monitored"),
    ];
    for (reason, data, notification, kept, what) in cases {
        let mut s = Scene::synced(&graceful_up(120, notification, true));
        s.take(&wire::peer_down(P, reason, &data));
        assert_eq!(s.state(), if kept { (TableState::Stale, 3, 3) } else { (TableState::Gone, 0, 0) }, "{what}");
    }
    let one_side = wire::peer_up_with(P, &[], &wire::graceful(120, false, true), None);
    let mut s = Scene::synced(&one_side);
    s.take(&wire::peer_down(P, 4, &[]));
    assert_eq!(s.state(), (TableState::Gone, 0, 0), "only one side offered it");
}

#[test]
fn what_is_sent_to_a_peer_that_restarts_is_not_kept() {
    let out = Peer { flags: wire::OUT, ..P };
    let mut s = Scene::new();
    s.take(&graceful_up(120, false, true)).take(&wire::announce(out, &R, 0)).take(&wire::peer_down(P, 4, &[]));
    assert_eq!(s.state(), (TableState::Gone, 0, 0));
}

#[test]
fn a_family_that_the_restart_does_not_name_is_withdrawn() {
    let mut s = Scene::synced(&graceful_up(120, false, true));
    s.take(&wire::announce(P, &["2001:db8::/32"], 0)).take(&wire::peer_down(P, 4, &[]));
    let table = s.rib.tables().next().unwrap();
    let states: Vec<_> = table.families.iter().map(|(_, f)| (f.state, f.routes)).collect();
    assert_eq!(states, [(TableState::Stale, 3), (TableState::Gone, 0)]);
}

#[test]
fn long_lived_routes_follow_the_restart_time_without_those_that_forbid_it() {
    let both = |forwarding| [wire::graceful(120, false, forwarding), wire::long_lived(3600, forwarding)].concat();
    let up = wire::peer_up_with(P, &both(true), &both(true), None);
    let mut s = Scene::synced(&up);
    s.take(&wire::announce_with(P, &[(R[1], None)], 5, &[NO_LLGR.0])).take(&wire::announce_with(P, &[(R[2], None)], 5, &[LLGR_STALE.0]));
    s.take(&wire::peer_down(P, 4, &[])).wait(SECOND * 119);
    assert_eq!(s.state(), (TableState::Stale, 3, 3));
    s.wait(SECOND);
    assert_eq!(s.state(), (TableState::Stale, 2, 2), "NO_LLGR is not kept longer");
    assert_eq!(s.marks(), [(R[0].to_owned(), Mark::LongLivedStale), (R[2].to_owned(), Mark::LongLivedStale)]);
    s.wait(SECOND * 3599);
    assert_eq!(s.state(), (TableState::Stale, 2, 2));
    s.wait(SECOND);
    assert_eq!(s.state(), (TableState::Gone, 0, 0));
    // without a restart time it begins at once, and time that nobody looked at counts
    let now = [wire::graceful(0, false, true), wire::long_lived(60, true)].concat();
    let mut s = Scene::synced(&wire::peer_up_with(P, &now, &now, None));
    s.take(&wire::peer_down(P, 4, &[]));
    assert_eq!(s.hold(), Some(Hold::LongLived { until: s.now.plus(SECOND * 60) }));
    let mut s = Scene::synced(&up);
    s.take(&wire::peer_down(P, 4, &[])).wait(SECOND * 10_000);
    assert_eq!(s.state(), (TableState::Gone, 0, 0));
}

#[test]
fn kept_routes_outlive_a_lost_transport_but_not_their_time() {
    let mut s = Scene::synced(&graceful_up(120, false, true));
    s.take(&wire::peer_down(P, 4, &[])).lost().wait(SECOND * 60).connected().wait(SECOND * 59);
    assert_eq!(s.state(), (TableState::Stale, 3, 3));
    s.wait(SECOND);
    assert_eq!(s.state(), (TableState::Gone, 0, 0));
}

#[test]
fn another_instance_at_the_same_place_is_another_table() {
    let loc_rib = Peer { kind: 3, ..P };
    let mut s = Scene::new();
    s.take(&wire::peer_up_with(loc_rib, &[], &[], Some("blue"))).take(&wire::announce(loc_rib, &R, 0));
    s.take(&wire::peer_up_with(loc_rib, &[], &[], Some("red"))).take(&wire::announce(loc_rib, &R[..1], 0));
    let tables: Vec<_> = s.rib.tables().map(|t| (t.key.instance.clone(), t.families[0].1.state, t.families[0].1.routes)).collect();
    let name = |n: &str| Some(n.to_owned());
    assert_eq!(tables, [(name("blue"), TableState::Gone, 0), (name("red"), TableState::Initial, 1)]);
}

/// RFC 9069 §4.1: instances without distinguisher are told apart by their BGP identifiers, and each has its own Peer Up and Peer Down.
#[test]
fn the_end_of_one_loc_rib_does_not_touch_another_without_distinguisher() {
    let of = |id: u8, mut bytes: Vec<u8>| {
        bytes[6] = 3;
        bytes[16..32].fill(0);
        bytes[36..40].copy_from_slice(&[10, 0, 9, id]);
        bytes
    };
    // read without identifiers this one is two prefixes
    let large = Some(0x18C0_0002);
    let mut s = Scene::new();
    for id in [1, 2] {
        s.take(&of(id, wire::peer_up_with(P, &wire::ADD_PATH, &wire::ADD_PATH, None)));
        s.take(&of(id, wire::announce_with(P, &[("203.0.113.0/24", Some(1))], 1, &[])));
    }
    s.take(&of(2, wire::peer_down(P, 6, &[])));
    s.take(&of(1, wire::announce_with(P, &[("198.51.100.0/24", large)], 1, &[])));
    let tables: Vec<_> = s.rib.tables().map(|t| (t.key.peer.bgp_id.octets()[3], t.families[0].1.state, t.families[0].1.routes)).collect();
    assert_eq!(tables, [(1, TableState::Initial, 2), (2, TableState::Gone, 0)]);
    let path = s.rib.exact(&"198.51.100.0/24".parse().unwrap());
    assert_eq!(path.iter().map(rib::Route::path_id).collect::<Vec<_>>(), [large]);
}

#[test]
fn path_identifiers_tell_paths_of_one_prefix_apart() {
    let mut s = Scene::new();
    s.take(&wire::peer_up_with(P, &wire::ADD_PATH, &wire::ADD_PATH, None));
    s.take(&wire::announce_with(P, &[(R[0], Some(0)), (R[0], Some(9))], 1, &[])).take(&wire::announce_with(P, &[(R[0], Some(9))], 2, &[]));
    let paths =
        |s: &Scene| -> Vec<_> { s.rib.exact(&R[0].parse().unwrap()).iter().map(|r| (r.path_id(), r.attributes().path.med)).collect() };
    assert_eq!(paths(&s), [(Some(0), Some(1)), (Some(9), Some(2))]);
    s.take(&wire::withdraw_with(P, &[(R[0], Some(0))]));
    assert_eq!(paths(&s), [(Some(9), Some(2))]);
}

/// Equal bytes are decoded once, but not for neighbours of another AS, whose LOCAL_PREF does not count (RFC 7606 §7.5).
#[test]
fn attributes_of_an_internal_neighbour_are_not_taken_for_those_of_an_external_one() {
    let (inner, outer) = (wire::peer(2), wire::peer(3));
    let mut s = Scene::new();
    s.rib.connected(s.router, Codec::new(Some(bgp::Asn(inner.asn()))), s.now);
    let preferences = |s: &Scene| -> Vec<_> { s.rib.iter(Family::Ipv4Unicast).map(|r| r.attributes().path.local_pref).collect() };
    s.take(&wire::announce_preferred(inner, &R[..1], 300)).take(&wire::announce_preferred(outer, &R[1..2], 300));
    assert_eq!(preferences(&s), [Some(300), None]);
    // and the other way round, with what was learned meanwhile
    s.take(&wire::announce_preferred(inner, &R[2..], 300)).take(&wire::announce_preferred(outer, &R[..2], 300));
    assert_eq!(preferences(&s), [Some(300), None, None, Some(300)]);
}

#[test]
fn attributes_go_with_their_last_route() {
    let mut rib = Rib::default();
    let (router, mut codec) = (rib.router("r1").unwrap(), Codec::default());
    let mut take = |rib: &mut Rib, bytes: &[u8]| {
        let message = bmp::decode(bytes, &mut codec).unwrap();
        rib.apply(router, &message, Timestamp::EPOCH);
    };
    for number in 2..5 {
        // three peers, their own AS in each path: nothing is shared but by the views of one peer
        for flags in [0, wire::POST] {
            take(&mut rib, &wire::announce(Peer { number, flags, ..P }, &R, 1));
        }
    }
    assert_eq!((rib.routes(), rib.attribute_sets()), (18, 3));
    for number in 2..5 {
        take(&mut rib, &wire::withdraw(Peer { number, ..P }, &R));
        assert_eq!(rib.attribute_sets(), 3);
    }
    for number in 2..5 {
        take(&mut rib, &wire::withdraw(Peer { number, flags: wire::POST, ..P }, &R));
    }
    assert_eq!((rib.routes(), rib.attribute_sets(), rib.prefixes(Family::Ipv4Unicast)), (0, 0, 0));
    // the other way in remembers what it decoded, within its bound, and says so
    let mut s = Scene::new();
    s.take(&wire::announce(P, &R, 1));
    assert_eq!(s.rib.attribute_sets(), 1);
    s.take(&wire::withdraw(P, &R));
    assert_eq!(s.rib.attribute_sets(), 0);
}

#[test]
fn a_peer_that_flaps_a_thousand_times_leaves_nothing_behind() {
    let mut s = Scene::new();
    let texts: Vec<String> = (0..60).map(|i| format!("10.{i}.0.0/16")).collect();
    let all: Vec<&str> = texts.iter().map(String::as_str).collect();
    for i in 0..1000 {
        s.take(&wire::peer_up(P)).take(&wire::announce(P, &all[i % 50..i % 50 + 10], 0));
        assert_eq!(s.state().1, 10, "flap {i}");
        assert_eq!(s.marks().len(), 10, "flap {i}");
        s.take(&wire::peer_down(P, 1, &wire::notification(4, 0)));
        assert!(s.marks().is_empty(), "flap {i}");
    }
    // the same without Peer Down: marked each time, never swept
    let mut s = Scene::new();
    s.take(&wire::peer_up(P)).take(&wire::announce(P, &all, 0));
    for i in 0..1000_u64 {
        s.take(&wire::peer_up(P)).take(&wire::announce(P, &all[..7], 0));
        assert_eq!(s.state(), (TableState::Initial, 60, 53), "flap {i}");
    }
    assert_eq!(s.marks().iter().filter(|(_, m)| *m == Mark::Confirmed).count(), 7);
    s.take(&wire::end_of_rib(P, false));
    assert_eq!(s.state(), (TableState::Synced, 7, 0));
}

#[test]
fn the_room_of_a_large_peer_that_went_down_is_used_again() {
    let texts: Vec<String> = (0..20_000_u32).map(|i| format!("10.{}.{}.0/24", i / 250, i % 250)).collect();
    let all: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut s = Scene::new();
    let other = wire::peer(3);
    s.take(&wire::announce(other, &all[..100], 1));
    let mut bytes = 0;
    for i in 0..20 {
        for part in all.chunks(500) {
            s.take(&wire::announce(P, part, i));
        }
        assert_eq!((s.rib.routes(), s.rib.prefixes(Family::Ipv4Unicast)), (20_100, 20_000));
        s.take(&wire::peer_down(P, 1, &wire::notification(4, 0)));
        assert_eq!((s.rib.routes(), s.rib.prefixes(Family::Ipv4Unicast)), (100, 100), "the dead were taken out");
        bytes = if i == 0 { s.rib.memory().total_bytes() } else { bytes };
    }
    assert!(s.rib.memory().total_bytes() < bytes + bytes / 50);
}

#[test]
fn more_paths_than_the_bound_are_refused_and_counted() {
    let mut rib = Rib::new(4);
    let router = rib.router("r1").unwrap();
    rib.ingest(router, &wire::announce(P, &R, 0), Timestamp::EPOCH).unwrap();
    rib.ingest(router, &wire::announce(wire::peer(3), &R, 0), Timestamp::EPOCH).unwrap();
    assert_eq!((rib.routes(), rib.refused()), (4, 2));
    rib.ingest(router, &wire::announce(P, &R, 7), Timestamp::EPOCH).unwrap();
    assert_eq!((rib.routes(), rib.refused()), (4, 2), "a change of what is there needs no room");
}

#[test]
fn the_digest_knows_routes_and_states_and_no_order() {
    let other = wire::peer(3);
    let [one, two] = [wire::announce(P, &R, 0), wire::announce(other, &R, 1)];
    let mut a = Scene::new();
    a.take(&one).take(&two);
    let mut b = Scene::new();
    b.take(&two).take(&one);
    assert_eq!(a.rib.state_hash(), b.rib.state_hash());
    b.take(&wire::announce(P, &R[..1], 2));
    assert_ne!(a.rib.state_hash(), b.rib.state_hash());
    b.take(&one);
    assert_eq!(a.rib.state_hash(), b.rib.state_hash());
    b.lost();
    assert_ne!(a.rib.state_hash(), b.rib.state_hash());
}

/// Changes of the first table: in the window that runs, and in those before it, the newest first.
fn churn(s: &Scene) -> (Changes, Vec<Changes>) {
    let table = s.rib.tables().next().unwrap().id;
    let churn = s.rib.churn(table, s.now).unwrap();
    (churn.running.changes, churn.history.iter().map(|w| w.changes).collect())
}

fn changes(appeared: u64, changed: u64, withdrawn: u64) -> Changes {
    Changes { appeared, changed, withdrawn }
}

/// S1-074: a table that is told for the first time has not changed; what differs from what was known has, by minutes, ten of them.
#[test]
fn churn_is_what_differs_from_what_was_known_by_windows() {
    let mut s = Scene::new();
    s.take(&wire::peer_up(P)).take(&wire::announce(P, &R, 0));
    assert_eq!(s.rib.churn(s.rib.tables().next().unwrap().id, s.now), None, "the dump has not ended");
    s.take(&wire::end_of_rib(P, false));
    assert_eq!(churn(&s), (changes(0, 0, 0), vec![]), "a first dump is no change");
    s.take(&wire::announce(P, &R[..1], 0)).take(&wire::announce(P, &R[..2], 7)).take(&wire::withdraw(P, &R[..1]));
    s.take(&wire::withdraw(P, &["192.0.2.0/24"])).take(&wire::announce(P, &["203.0.113.0/24"], 0));
    assert_eq!(churn(&s).0, changes(1, 2, 1), "a repetition is no change, nor is the withdrawal of what is not there");
    // a flap of the session is churn of every route
    s.wait(CHURN_WINDOW).take(&wire::peer_down(P, 4, &[])).take(&wire::peer_up(P)).take(&wire::announce(P, &R, 0));
    assert_eq!(churn(&s), (changes(3, 0, 3), vec![changes(1, 2, 1)]));
    // an hour out of sight: one route is another, one is gone, one is new
    s.take(&wire::end_of_rib(P, false)).lost().wait(CHURN_WINDOW * 3).connected().take(&wire::peer_up(P));
    s.take(&wire::announce(P, &R[..1], 0)).take(&wire::announce(P, &R[1..2], 9)).take(&wire::announce(P, &["192.0.2.0/24"], 0));
    s.take(&wire::end_of_rib(P, false));
    let quiet = changes(0, 0, 0);
    assert_eq!(churn(&s), (changes(1, 1, 1), vec![quiet, quiet, changes(3, 0, 3), changes(1, 2, 1)]));
    let read: Rib = serde_json::from_str(&serde_json::to_string(&s.rib).unwrap()).unwrap();
    assert_eq!(read.churn(read.tables().next().unwrap().id, s.now), s.rib.churn(s.rib.tables().next().unwrap().id, s.now));
    // what is too old is forgotten, whatever comes in between
    for n in 0..100 {
        s.wait(CHURN_WINDOW).take(&wire::announce(P, &R[..1], n));
    }
    let (running, history) = churn(&s);
    assert_eq!((running, history), (changes(0, 1, 0), vec![changes(0, 1, 0); CHURN_HISTORY as usize]));
    s.wait(CHURN_WINDOW * 11);
    assert_eq!(churn(&s), (quiet, vec![quiet; CHURN_HISTORY as usize]));
}

/// Both views of a peer tell of one change, and a Loc-RIB of what follows from it.
#[test]
fn a_change_counts_once_for_a_router_however_many_views_tell_of_it() {
    let (post, loc_rib, other) = (Peer { flags: wire::POST, ..P }, Peer { kind: 3, ..P }, wire::peer(3));
    let mut s = Scene::new();
    for peer in [P, post, loc_rib, other] {
        s.take(&wire::announce(peer, &R[..1], 0)).take(&wire::end_of_rib(peer, false));
    }
    for peer in [P, post, loc_rib] {
        s.take(&wire::announce(peer, &R[1..2], 0));
    }
    s.take(&wire::withdraw(other, &R[..1]));
    assert_eq!(s.rib.router_churn(s.router, s.now).unwrap().running.changes, changes(1, 0, 1));
    let mut s = Scene::new();
    s.take(&wire::announce(loc_rib, &R[..1], 0)).take(&wire::end_of_rib(loc_rib, false)).take(&wire::announce(loc_rib, &R[1..], 0));
    assert_eq!(s.rib.router_churn(s.router, s.now).unwrap().running.changes, changes(2, 0, 0), "there is nothing else");
}

/// A state that an older build wrote knows nothing of churn: it is watched from then on.
#[test]
fn windows_that_are_none_are_refused_and_absent_ones_begin() {
    let mut s = Scene::synced(&wire::peer_up(P));
    s.take(&wire::announce(P, &R[..1], 4));
    let written = serde_json::to_value(&s.rib).unwrap();
    let mut older = written.clone();
    let family = older["tables"][0]["families"][0].as_object_mut().unwrap();
    assert!(family.remove("churn").is_some() && family.remove("watched_from").is_some());
    let read: Rib = serde_json::from_value(older).unwrap();
    let churn = read.churn(read.tables().next().unwrap().id, s.now).unwrap();
    assert_eq!((churn.running.changes, churn.history), (changes(0, 0, 0), vec![]));
    for bad in [serde_json::json!([[5, 1, 0, 0], [5, 1, 0, 0]]), serde_json::json!((0..12).map(|n| (n, 1, 0, 0)).collect::<Vec<_>>())] {
        let mut damaged = written.clone();
        damaged["tables"][0]["families"][0]["churn"] = bad;
        let error = serde_json::from_value::<Rib>(damaged).unwrap_err().to_string();
        assert!(error.contains("windows of changes are out of order"), "{error}");
    }
}
