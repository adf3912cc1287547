//! The RIB against a plain map that does the same the slow way, and the two ways in against each other.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

mod wire;

use bgp::{Family, PathAttributes, Prefix};
use bmp::{AfiSafi, Codec, Message, View};
use core::time::Duration;
use proptest::prelude::*;
use rib::{CHURN_HISTORY, CHURN_WINDOW, Changes, Churn, ChurnWindow, INITIAL_MAX, INITIAL_QUIET, Mark, PeerKey, Rib, RouterId, TableState};
use std::collections::BTreeMap;
use units::Timestamp;
use wire::Peer;

const ROUTERS: [&str; 2] = ["r1", "r2"];
const FOUR: [&str; 12] = [
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.0.0.0/15",
    "10.0.0.0/16",
    "10.0.0.0/24",
    "10.0.0.128/25",
    "10.0.0.129/32",
    "10.1.0.0/16",
    "11.0.0.0/8",
    "128.0.0.0/1",
    "203.0.113.0/24",
    "255.255.255.255/32",
];
const SIX: [&str; 7] = ["::/0", "2000::/3", "2001:db8::/32", "2001:db8::/48", "2001:db8:0:1::/64", "2001:db8::1/128", "ffff::/16"];

#[derive(Clone, Debug)]
enum Step {
    Announce { six: bool, routes: Vec<usize>, ids: bool, med: u32 },
    Withdraw { six: bool, routes: Vec<usize>, ids: bool },
    Replace { gone: Vec<usize>, new: Vec<usize>, med: u32 },
    EndOfRib { six: bool },
    PeerUp,
    PeerDown,
    Lost,
    Connected,
    Wait(u64),
}

fn step() -> impl Strategy<Value = (usize, Peer, Step)> {
    let routes = || prop::collection::vec(0_usize..FOUR.len(), 1..5);
    // peer 3 sends path identifiers
    let what = prop_oneof![
        8 => (any::<bool>(), routes(), 0_u32..4).prop_map(|(six, routes, med)| Step::Announce { six, routes, ids: false, med }),
        4 => (any::<bool>(), routes()).prop_map(|(six, routes)| Step::Withdraw { six, routes, ids: false }),
        2 => (routes(), routes(), 0_u32..4).prop_map(|(gone, new, med)| Step::Replace { gone, new, med }),
        2 => any::<bool>().prop_map(|six| Step::EndOfRib { six }),
        1 => Just(Step::PeerUp),
        1 => Just(Step::PeerDown),
        1 => Just(Step::Lost),
        1 => Just(Step::Connected),
        2 => prop_oneof![0_u64..1500, 0_u64..700_000].prop_map(Step::Wait),
    ];
    let who = (1_u8..4, prop_oneof![Just(0), Just(wire::POST)], prop_oneof![3 => Just(0), 1 => Just(7)]);
    (0_usize..ROUTERS.len(), who, what).prop_map(|(router, (number, flags, distinguisher), what)| {
        let kind = u8::from(distinguisher != 0);
        (router, Peer { number, flags, distinguisher, kind }, what)
    })
}

fn bytes(peer: Peer, step: &Step) -> Option<Vec<u8>> {
    let names = |six: bool, routes: &[usize], ids: bool| -> Vec<(&'static str, Option<u32>)> {
        let name = |i: usize| if six { SIX[i % SIX.len()] } else { FOUR[i] };
        routes.iter().enumerate().map(|(n, i)| (name(*i), (ids && !six).then_some(n as u32 % 3))).collect()
    };
    let plain = |routes: &[usize]| -> Vec<&str> { routes.iter().map(|i| FOUR[*i]).collect() };
    Some(match step {
        Step::Announce { six, routes, ids, med } => wire::announce_with(peer, &names(*six, routes, *ids), *med, &[]),
        Step::Withdraw { six, routes, ids } => wire::withdraw_with(peer, &names(*six, routes, *ids)),
        Step::Replace { gone, new, med } => wire::replace(peer, &plain(gone), &plain(new), *med),
        Step::EndOfRib { six } => wire::end_of_rib(peer, *six),
        Step::PeerUp if peer.number == 3 => wire::peer_up_with(peer, &wire_add_path(), &wire_add_path(), None),
        Step::PeerUp => wire::peer_up(peer),
        Step::PeerDown => wire::peer_down(peer, 1, &wire::notification(6, 2)),
        Step::Lost | Step::Connected | Step::Wait(_) => return None,
    })
}

fn wire_add_path() -> Vec<u8> {
    [&wire::ADD_PATH[..2], &[0, 1, 1, 3]].concat()
}

#[derive(Clone, Debug)]
struct ModelRoute {
    attributes: PathAttributes,
    since: Timestamp,
    confirmed: bool,
}

#[derive(Clone, Debug)]
struct ModelFamily {
    state: TableState,
    since: Timestamp,
    last: Timestamp,
    marks_end: bool,
    routes: BTreeMap<(Prefix, Option<u32>), ModelRoute>,
    /// Window in which it was complete first, and what happened in each since.
    watched: Option<i64>,
    churn: BTreeMap<i64, Changes>,
}

fn window(at: Timestamp) -> i64 {
    at.nanos() / 1_000_000_000 / CHURN_WINDOW.as_secs() as i64
}

impl ModelFamily {
    fn changes(&mut self, at: Timestamp) -> &mut Changes {
        // what is counted before it is watched is thrown away when it is
        self.churn.entry(window(at)).or_default()
    }

    /// Lets go of what `keep` does not want.
    fn retain(&mut self, at: Timestamp, keep: impl Fn(&ModelRoute) -> bool) {
        let before = self.routes.len();
        self.routes.retain(|_, r| keep(r));
        let gone = before - self.routes.len();
        self.changes(at).withdrawn += gone as u64;
    }

    fn complete(&mut self, at: Timestamp) {
        self.retain(at, |r| r.confirmed);
        if self.watched.is_none() {
            self.watched = Some(window(at));
            self.churn.clear();
        }
    }

    fn churned(&self, now: Timestamp) -> Option<Churn> {
        let number = window(now);
        let of = |n: i64| {
            let changes = self.churn.get(&n).copied().unwrap_or_default();
            ChurnWindow { from: Timestamp::from_millis(n * CHURN_WINDOW.as_millis() as i64), changes }
        };
        let first = self.watched?.max(number - i64::from(CHURN_HISTORY));
        Some(Churn { running: of(number), history: (first..number).rev().map(of).collect() })
    }
}

type Key = (RouterId, PeerKey, View, Family);

#[derive(Clone, Debug, Default)]
struct Model {
    families: BTreeMap<Key, ModelFamily>,
    connected: BTreeMap<RouterId, Timestamp>,
    last: BTreeMap<RouterId, Timestamp>,
}

fn who(peer: &bmp::Peer) -> PeerKey {
    PeerKey { kind: peer.kind, distinguisher: peer.distinguisher, address: peer.address, bgp_id: peer.bgp_id }
}

impl Model {
    fn heard(&mut self, router: RouterId, peer: &bmp::Peer, family: Family, now: Timestamp) -> &mut ModelFamily {
        let new = ModelFamily {
            state: TableState::Initial,
            since: now,
            last: now,
            marks_end: false,
            routes: BTreeMap::new(),
            watched: None,
            churn: BTreeMap::new(),
        };
        let f = self.families.entry((router, who(peer), peer.view, family)).or_insert(new);
        f.last = now;
        if matches!(f.state, TableState::Stale | TableState::Gone) {
            (f.state, f.since) = (TableState::Initial, now);
        }
        if f.state == TableState::Initial {
            self.last.insert(router, now);
        }
        f
    }

    fn lost(&mut self, router: RouterId, now: Timestamp) {
        self.connected.remove(&router);
        for ((r, ..), f) in &mut self.families {
            if *r == router && matches!(f.state, TableState::Initial | TableState::Synced) {
                f.routes.values_mut().for_each(|r| r.confirmed = false);
                (f.state, f.since) = (TableState::Stale, now);
            }
        }
    }

    fn apply(&mut self, router: RouterId, message: &Message, now: Timestamp) {
        self.connected.entry(router).or_insert(now);
        match message {
            Message::RouteMonitoring(m) => {
                for n in &m.withdraw {
                    let f = self.heard(router, &m.peer, n.prefix.family(), now);
                    if f.routes.remove(&(n.prefix, n.path_id)).is_some() {
                        f.changes(now).withdrawn += 1;
                    }
                }
                for n in &m.announce {
                    let attributes = PathAttributes { next_hop: n.next_hop, ..m.attributes.clone().unwrap() };
                    let f = self.heard(router, &m.peer, n.prefix.family(), now);
                    match f.routes.get(&(n.prefix, n.path_id)) {
                        None => f.changes(now).appeared += 1,
                        Some(old) if old.attributes != attributes => f.changes(now).changed += 1,
                        Some(_) => {}
                    }
                    let old = f.routes.get(&(n.prefix, n.path_id)).filter(|o| o.attributes == attributes).map(|o| o.since);
                    f.routes.insert((n.prefix, n.path_id), ModelRoute { attributes, since: old.unwrap_or(now), confirmed: true });
                }
                if let Some(family) = m.end_of_rib.and_then(AfiSafi::family) {
                    let f = self.heard(router, &m.peer, family, now);
                    f.complete(now);
                    f.marks_end = true;
                    if f.state != TableState::Synced {
                        (f.state, f.since) = (TableState::Synced, now);
                    }
                }
            }
            Message::PeerUp(m) => {
                self.last.insert(router, now);
                for (_, f) in self.families.iter_mut().filter(|((r, p, ..), _)| *r == router && *p == who(&m.peer)) {
                    f.routes.values_mut().for_each(|r| r.confirmed = false);
                    (f.state, f.since, f.last) = (TableState::Initial, now, now);
                }
            }
            Message::PeerDown(m) => {
                for (_, f) in self.families.iter_mut().filter(|((r, p, ..), _)| *r == router && *p == who(&m.peer)) {
                    f.retain(now, |_| false);
                    if f.state != TableState::Gone {
                        (f.state, f.since) = (TableState::Gone, now);
                    }
                }
            }
            _ => {}
        }
    }

    fn tick(&mut self, now: Timestamp) {
        for ((router, ..), f) in &mut self.families {
            let Some(connected) = self.connected.get(router) else { continue };
            if f.state == TableState::Initial {
                let latest = f.since.plus(INITIAL_MAX);
                let over = if f.marks_end { latest } else { f.last.max(f.since).plus(INITIAL_QUIET).min(latest) };
                if over <= now {
                    f.complete(over);
                    (f.state, f.since) = (TableState::Synced, over);
                }
            } else if f.state == TableState::Stale {
                let told = self.last.get(router).copied().unwrap_or(Timestamp::EPOCH).max(*connected);
                let over = told.plus(INITIAL_QUIET).min(connected.plus(INITIAL_MAX));
                if over <= now {
                    f.retain(over, |_| false);
                    (f.state, f.since) = (TableState::Gone, over);
                }
            }
        }
    }
}

/// Everything that a RIB says, as the model would say it.
fn told(rib: &Rib) -> BTreeMap<Key, (TableState, Timestamp, Vec<String>)> {
    let mut routes: BTreeMap<_, (u64, Vec<String>)> = BTreeMap::new();
    for r in rib.iter(Family::Ipv4Unicast).chain(rib.iter(Family::Ipv6Unicast)) {
        let confirmed = r.mark() == Mark::Confirmed;
        let entry = routes.entry((r.table(), r.prefix().family())).or_default();
        entry.0 += u64::from(!confirmed);
        entry.1.push(spelled(r.prefix(), r.path_id(), &r.attributes().path, r.since(), confirmed));
    }
    let mut out = BTreeMap::new();
    for table in rib.tables() {
        for (family, status) in &table.families {
            let key = (table.key.router, table.key.peer, table.key.view, *family);
            let (unconfirmed, routes) = routes.remove(&(table.id, *family)).unwrap_or_default();
            assert_eq!((status.routes, status.unconfirmed), (routes.len() as u64, unconfirmed), "{key:?}");
            out.insert(key, (status.state, status.since, routes));
        }
    }
    assert!(routes.is_empty(), "routes of no table: {routes:?}");
    out
}

fn spelled(prefix: Prefix, id: Option<u32>, attributes: &PathAttributes, since: Timestamp, confirmed: bool) -> String {
    format!("{prefix} {id:?} {attributes:?} {since} {confirmed}")
}

fn wanted(model: &Model) -> BTreeMap<Key, (TableState, Timestamp, Vec<String>)> {
    let list = |f: &ModelFamily| {
        let second = |t: Timestamp| Timestamp::from_millis(t.nanos() / 1_000_000_000 * 1000);
        f.routes.iter().map(|((p, id), r)| spelled(*p, *id, &r.attributes, second(r.since), r.confirmed)).collect()
    };
    model.families.iter().map(|(key, f)| (*key, (f.state, f.since, list(f)))).collect()
}

/// How each table changed, both families together, and how each router did.
type Churned = (BTreeMap<(RouterId, PeerKey, View), Churn>, Vec<Option<Churn>>);

fn churned(rib: &Rib, now: Timestamp) -> Churned {
    let tables = rib.tables().filter_map(|t| Some(((t.key.router, t.key.peer, t.key.view), rib.churn(t.id, now)?)));
    (tables.collect(), ROUTERS.iter().map(|r| rib.router_churn(rib.router_named(r)?, now)).collect())
}

fn wanted_churn(model: &Model, now: Timestamp) -> Churned {
    let mut tables: BTreeMap<(RouterId, PeerKey, View), Churn> = BTreeMap::new();
    // the first view of each peer that has a table counts for its router
    let mut first: BTreeMap<(RouterId, PeerKey), View> = BTreeMap::new();
    for ((router, peer, view, _), f) in &model.families {
        let chosen = *first.entry((*router, *peer)).or_insert(*view);
        first.insert((*router, *peer), chosen.min(*view));
        let Some(churn) = f.churned(now) else { continue };
        tables.entry((*router, *peer, *view)).and_modify(|c| c.add(&churn)).or_insert(churn);
    }
    let of_router = |router: RouterId| {
        let parts = tables.iter().filter(|((r, p, v), _)| *r == router && first[&(*r, *p)] == *v).map(|(_, c)| c.clone());
        parts.reduce(|mut all, part| {
            all.add(&part);
            all
        })
    };
    let routers: Vec<RouterId> = {
        let mut rib = Rib::default();
        ROUTERS.iter().map(|r| rib.router(r).unwrap()).collect()
    };
    (tables.clone(), routers.into_iter().map(of_router).collect())
}

fn check_queries(rib: &Rib, model: &Model) {
    let all: BTreeMap<Prefix, usize> = model.families.values().flat_map(|f| f.routes.keys()).fold(BTreeMap::new(), |mut all, (p, _)| {
        *all.entry(*p).or_default() += 1;
        all
    });
    for text in FOUR.iter().chain(&SIX) {
        let prefix: Prefix = text.parse().unwrap();
        assert_eq!(rib.exact(&prefix).len(), all.get(&prefix).copied().unwrap_or(0), "{prefix}");
        let found: Vec<Prefix> = rib.covered(prefix).map(|r| r.prefix()).collect();
        let inside = all.iter().filter(|(p, _)| p.family() == prefix.family() && prefix.covers(p));
        assert_eq!(found, inside.flat_map(|(p, n)| vec![*p; *n]).collect::<Vec<_>>(), "inside {prefix}");
        let address = prefix.address();
        let longest = all.keys().filter(|p| p.family() == prefix.family() && p.contains(address)).max_by_key(|p| p.length());
        assert_eq!(rib.longest_match(address, |_| true).map(|(p, r)| (p, r.len())), longest.map(|p| (*p, all[p])), "{address}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn both_ways_in_do_what_the_plain_map_does(steps in prop::collection::vec(step(), 1..120)) {
        let (mut fast, mut slow, mut model) = (Rib::default(), Rib::default(), Model::default());
        let routers: Vec<RouterId> = ROUTERS.iter().map(|n| { slow.router(n); fast.router(n).unwrap() }).collect();
        // written and read again now and then; and copies, each with what it said
        let (mut saved, mut copies) = (fast.clone(), Vec::new());
        let mut codecs = vec![Codec::default(); 2];
        let mut now = Timestamp::from_millis(1_700_000_000_000);
        for (at, (r, peer, mut step)) in steps.into_iter().enumerate() {
            if at % 30 == 7 {
                saved = serde_json::from_str(&serde_json::to_string(&saved).unwrap()).unwrap();
                copies.push((fast.clone(), told(&fast)));
            }
            // identifiers are in use as soon as the Peer Up said so
            let probe = codecs[r].context(&probe(peer));
            if let Step::Announce { ids, .. } | Step::Withdraw { ids, .. } = &mut step {
                *ids = probe.add_path(Family::Ipv4Unicast);
            }
            if matches!(step, Step::Replace { .. }) && probe.add_path(Family::Ipv4Unicast) {
                continue;
            }
            let router = routers[r];
            match &step {
                Step::Lost => { fast.lost(router, now); saved.lost(router, now); slow.lost(router, now); model.lost(router, now); }
                Step::Connected => {
                    codecs[r] = Codec::default();
                    fast.connected(router, Codec::default(), now);
                    saved.connected(router, Codec::default(), now);
                    slow.connected(router, Codec::default(), now);
                    model.lost(router, now);
                    model.connected.insert(router, now);
                    model.last.insert(router, now);
                }
                Step::Wait(millis) => {
                    now = now.plus(Duration::from_millis(*millis));
                    fast.tick(now);
                    saved.tick(now);
                    slow.tick(now);
                    model.tick(now);
                }
                _ => {
                    let bytes = bytes(peer, &step).unwrap();
                    let message = bmp::decode(&bytes, &mut codecs[r]).unwrap();
                    fast.ingest(router, &bytes, now).unwrap();
                    saved.ingest(router, &bytes, now).unwrap();
                    slow.apply(router, &message, now);
                    model.apply(router, &message, now);
                }
            }
            prop_assert_eq!(told(&fast), wanted(&model), "after {:?}", step);
            prop_assert_eq!(churned(&fast, now), wanted_churn(&model, now), "after {:?}", step);
            prop_assert_eq!(fast.state_hash(), slow.state_hash());
        }
        prop_assert_eq!(told(&slow), wanted(&model));
        prop_assert_eq!(churned(&slow, now), churned(&fast, now));
        prop_assert_eq!(churned(&saved, now), churned(&fast, now));
        prop_assert_eq!(&saved, &fast);
        prop_assert_eq!(serde_json::to_string(&saved).unwrap(), serde_json::to_string(&fast).unwrap());
        for (copy, said) in &copies {
            prop_assert_eq!(&told(copy), said, "a copy changed");
        }
        for table in fast.tables() {
            for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
                let of_table: Vec<(Prefix, Option<u32>)> = fast.of_table(table.id, family).map(|r| (r.prefix(), r.path_id())).collect();
                let all = fast.iter(family).filter(|r| r.table() == table.id).map(|r| (r.prefix(), r.path_id()));
                prop_assert_eq!(&of_table, &all.collect::<Vec<_>>());
                for (prefix, _) in &of_table {
                    let there = of_table.iter().filter(|(p, _)| p == prefix).count();
                    prop_assert_eq!(fast.exact_in(table.id, prefix).count(), there);
                }
            }
        }
        check_queries(&fast, &model);
        check_queries(&slow, &model);
        prop_assert_eq!(fast.counts(routers[0]).map(|c| c.repairs.clone()), slow.counts(routers[0]).map(|c| c.repairs.clone()));
    }
}

/// What both ways say of the same messages: tables, faults, counts.
fn both_ways(messages: &[Vec<u8>]) -> Result<(), TestCaseError> {
    let (mut fast, mut slow, mut codec) = (Rib::default(), Rib::default(), Codec::default());
    let router = fast.router("r1").unwrap();
    slow.router("r1");
    for bytes in messages {
        let said = fast.ingest(router, bytes, Timestamp::EPOCH).map_err(|e| e.to_string());
        let wanted = bmp::decode(bytes, &mut codec).map_err(|e| {
            if let Some(salvage) = e.salvage.clone() {
                slow.apply(router, &Message::RouteMonitoring(salvage), Timestamp::EPOCH);
            }
            e.to_string()
        });
        let wanted = wanted.map(|m| slow.apply(router, &m, Timestamp::EPOCH));
        prop_assert_eq!(said, wanted);
    }
    prop_assert_eq!(told(&fast), told(&slow));
    prop_assert_eq!(fast.state_hash(), slow.state_hash());
    prop_assert_eq!(fast.counts(router).map(|c| &c.repairs), slow.counts(router).map(|c| &c.repairs));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    /// A byte that differs must not be overlooked because the rest is known.
    #[test]
    fn damaged_messages_cost_the_same_both_ways(
        up in any::<bool>(), six in any::<bool>(), flags in prop_oneof![Just(0_u8), Just(wire::POST)],
        flips in prop::collection::vec((6_usize..400, any::<u8>()), 1..4), known in 1_usize..3,
    ) {
        let peer = Peer { flags, ..wire::peer(2) };
        let routes: &[&str] = if six { &SIX[1..4] } else { &FOUR[1..5] };
        let good = wire::announce(peer, routes, 3);
        let mut bad = good.clone();
        for (at, value) in flips {
            let length = bad.len();
            bad[6 + at % (length - 6)] = value;
        }
        let mut messages = if up { vec![wire::peer_up(peer)] } else { Vec::new() };
        messages.extend(vec![good.clone(); known]);
        messages.extend([bad.clone(), good, bad, wire::withdraw(peer, &routes[..1])]);
        both_ways(&messages)?;
    }
}

/// FRR 8.4.4 writes its own AS in front; whether that is a repair depends on the peer and not only on the bytes.
#[test]
fn a_repair_that_depends_on_the_peer_is_made_both_ways() {
    let (peer, post) = (wire::peer(2), Peer { flags: wire::OUT, ..wire::peer(2) });
    let path = [65_001, peer.asn(), 64_999];
    let told = |p: Peer| wire::announce_path(p, &FOUR[1..3], &path);
    // before the Peer Up nothing is known of the router's AS: the path stands as it was sent, and is remembered so
    let messages = [told(peer), told(peer), wire::peer_up(peer), told(peer), told(peer), told(post), told(post)];
    both_ways(&messages).unwrap();
    let mut rib = Rib::default();
    let router = rib.router("r1").unwrap();
    let mut paths = Vec::new();
    for bytes in &messages {
        rib.ingest(router, bytes, Timestamp::EPOCH).unwrap();
        let first = rib.iter(Family::Ipv4Unicast).next().map(|r| r.attributes().path.as_path.to_string());
        paths.extend(first);
    }
    let (sent, repaired) = ("65001 64502 64999", "64502 64999");
    assert_eq!(paths, [sent, sent, sent, repaired, repaired, repaired, repaired]);
    let frr = bmp::Repair::FrrOwnAsInFront;
    assert_eq!(rib.counts(router).unwrap().repairs.get(&frr), Some(&2));
}

fn probe(peer: Peer) -> bmp::Peer {
    let bytes = wire::end_of_rib(peer, false);
    match bmp::decode(&bytes, &mut Codec::default()).unwrap() {
        Message::RouteMonitoring(m) => m.peer,
        other => panic!("{other:?}"),
    }
}
