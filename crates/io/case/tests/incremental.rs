//! A change worked out from the tables before it gives what the changed network gives from nothing, wherever the order of arrival decides
//! nothing; and always a state in which nobody has anything left to say.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use bgp::{AsPath, Asn, Community, Family, PathAttributes, Prefix};
use case::generate;
use config::{
    Condition, InterfaceConfig, Neighbor, NeighborFamily, PolicyDefinition, PolicyResult, PrefixEntry, PrefixSet, RouteAction, Statement,
};
use core::net::IpAddr;
use preflight::{Walk, World};
use routing::{Blueprint, Feed, PathRow, Plane, Schedule, Solution, Tables};
use std::collections::BTreeSet;
use std::sync::Arc;

const V4: Family = Family::Ipv4Unicast;
/// Networks of the generator, each with every kind of change.
const SEEDS: u64 = 6;

struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n.max(1)
    }
}

/// The generator's network, with two neighbours outside that announce a few prefixes besides.
fn network(seed: u64) -> Blueprint {
    let mut out = generate::network(seed, &[]).blueprint();
    let core: Vec<usize> = (0..out.routers.len()).filter(|r| out.routers[*r].name.starts_with('r')).collect();
    let mut dice = Dice(seed);
    for k in 0..2_u8 {
        let router = core[dice.below(core.len())];
        let (ours, theirs): (IpAddr, IpAddr) = ([100, 127, k, 1].into(), [100, 127, k, 2].into());
        let config = Arc::make_mut(&mut out.routers[router].config);
        let port = InterfaceConfig { addresses: vec![(ours, 30)], ..InterfaceConfig::default() };
        config.interfaces.insert(format!("dummy{k}"), port);
        let mut neighbor = Neighbor::new(Asn(64_900 + u32::from(k)));
        neighbor.families.insert(V4, NeighborFamily { send_community: true, ..NeighborFamily::default() });
        config.bgp.as_mut().unwrap().neighbors.insert(theirs, neighbor);
        let attributes = |n: u32| PathAttributes {
            as_path: AsPath::sequence([64_900 + u32::from(k), 64_950 + n]),
            next_hop: Some(theirs),
            med: Some(n * 10),
            communities: if n == 1 { vec![Community::NO_EXPORT] } else { Vec::new() },
            ..PathAttributes::default()
        };
        let prefixes = ["198.51.100.0/24", "203.0.113.0/24", "192.0.2.0/24", "192.0.3.0/24", "192.0.4.0/22"];
        let routes = prefixes.iter().map(|p| (p.parse().unwrap(), dice.below(3) as u32)).collect();
        let attributes = Arc::new((0..3).map(attributes).collect());
        let router_id = [10, 8, 0, k + 1].into();
        out.feeds.push(Feed { router, neighbor: theirs, router_id, attributes, routes: Arc::new(routes) });
    }
    out
}

fn sessions(network: &Blueprint) -> Vec<(usize, IpAddr)> {
    let of = |(r, router): (usize, &routing::Router)| {
        router.config.bgp.iter().flat_map(|b| b.neighbors.keys()).map(|a| (r, *a)).collect::<Vec<_>>()
    };
    network.routers.iter().enumerate().flat_map(of).collect()
}

fn policy(network: &mut Blueprint, (router, neighbor): (usize, IpAddr), import: bool, prefix: Option<Prefix>, action: RouteAction) {
    let config = Arc::make_mut(&mut network.routers[router].config);
    let mut statements = vec![Statement { actions: vec![action], ..Statement::new(10, PolicyResult::Accept) }];
    if let Some(prefix) = prefix {
        let entry = PrefixEntry { sequence: 5, permit: true, prefix, ge: None, le: None };
        config.policy.prefix_sets.insert("WHAT-IF".to_owned(), PrefixSet { family: V4, entries: vec![entry] });
        statements[0].conditions.push(Condition::PrefixSet("WHAT-IF".to_owned()));
        statements.push(Statement::new(20, PolicyResult::Accept));
    }
    config.policy.definitions.insert("WHAT-IF".to_owned(), PolicyDefinition { statements });
    let neighbors = &mut config.bgp.as_mut().unwrap().neighbors;
    if let Some(family) = neighbors.get_mut(&neighbor).and_then(|n| n.families.get_mut(&V4)) {
        let place = if import { &mut family.import } else { &mut family.export };
        *place = Some("WHAT-IF".to_owned());
    }
}

const KINDS: [&str; 17] = [
    "link",
    "router",
    "session",
    "local_pref",
    "med",
    "prepend",
    "one prefix",
    "one prefix out",
    "route added",
    "route withdrawn",
    "route changed",
    "two links",
    "router and session",
    "shutdown",
    "cost",
    "knob",
    "network statement",
];

fn change(network: &mut Blueprint, kind: &str, dice: &mut Dice) {
    let links: Vec<String> = network.links.iter().flat_map(|l| l.keys().cloned()).collect();
    let all = sessions(network);
    let session = all[dice.below(all.len())];
    let router = dice.below(network.routers.len());
    let prefix: Prefix = ["198.51.100.0/24", "203.0.113.0/24", "192.0.2.0/24"][dice.below(3)].parse().unwrap();
    match kind {
        "link" => network.failures.links.extend([links[dice.below(links.len())].clone()]),
        "two links" => network.failures.links.extend([links[dice.below(links.len())].clone(), links[dice.below(links.len())].clone()]),
        "router" => network.failures.routers.extend([router]),
        "session" => network.failures.sessions.extend([session]),
        "router and session" => {
            network.failures.routers.extend([router]);
            network.failures.sessions.extend([session]);
        }
        "local_pref" => policy(network, session, true, None, RouteAction::SetLocalPref(50 + 150 * dice.below(2) as u32)),
        "med" => policy(network, session, false, None, RouteAction::SetMed(77)),
        "prepend" => policy(network, session, dice.below(2) == 0, None, RouteAction::Prepend(AsPath::sequence([64_999; 3]))),
        "one prefix" => policy(network, session, true, Some(prefix), RouteAction::SetLocalPref(200)),
        "one prefix out" => policy(network, session, false, Some(prefix), RouteAction::Prepend(AsPath::sequence([64_999; 2]))),
        "route added" => {
            let at = dice.below(network.feeds.len());
            let new = ["192.0.5.0/24", "100.64.0.0/16"][dice.below(2)].parse().unwrap();
            Arc::make_mut(&mut network.feeds[at].routes).push((new, 0));
        }
        "route withdrawn" => {
            let at = dice.below(network.feeds.len());
            let routes = Arc::make_mut(&mut network.feeds[at].routes);
            routes.remove(dice.below(routes.len()));
        }
        "route changed" => {
            let at = dice.below(network.feeds.len());
            let routes = Arc::make_mut(&mut network.feeds[at].routes);
            let n = dice.below(routes.len());
            routes[n].1 = (routes[n].1 + 1) % 3;
        }
        "shutdown" => {
            let neighbors = &mut Arc::make_mut(&mut network.routers[session.0].config).bgp.as_mut().unwrap().neighbors;
            neighbors.get_mut(&session.1).unwrap().shutdown = true;
        }
        "cost" => {
            for port in Arc::make_mut(&mut network.routers[router].config).interfaces.values_mut() {
                if let Some(igp) = port.igp_v4.as_mut().filter(|i| i.cost.is_some()) {
                    igp.cost = Some(1 + dice.below(30) as u32);
                }
            }
        }
        "knob" => {
            let bgp = Arc::make_mut(&mut network.routers[router].config).bgp.as_mut().unwrap();
            bgp.best_path.always_compare_med = !bgp.best_path.always_compare_med;
        }
        "network statement" => {
            let networks = &mut Arc::make_mut(&mut network.routers[router].config).bgp.as_mut().unwrap().networks;
            if networks.pop().is_none() {
                networks.push(config::BgpNetwork { prefix, policy: None });
            }
        }
        other => panic!("no change {other}"),
    }
}

/// Every way of packets in both families.
fn ways(world: &World<'_>) -> Vec<(usize, Prefix, Vec<Walk>)> {
    let prefixes: Vec<Prefix> = world.families.iter().flat_map(|f| f.solution.prefixes()).collect();
    let routers = 0..world.network.routers.len();
    routers.flat_map(|r| prefixes.iter().map(move |p| (r, *p))).map(|(r, p)| (r, p, world.walks(r, &p).to_vec())).collect()
}

/// What does not depend on when a path came.
fn timeless(rows: &[PathRow]) -> BTreeSet<String> {
    let row = |r: &PathRow| {
        let a = (&r.from, &r.next_hops, &r.as_path, r.origin, r.local_pref, r.med, r.weight);
        format!("{a:?} {:?} {:?} {:?} {} {} {:?}", r.communities, r.originator_id, r.cluster_list, r.valid, r.best, r.igp_metric)
    };
    rows.iter().map(row).collect()
}

/// What a comparison found.
#[derive(Default)]
struct Found {
    compared: usize,
    /// Rows of prefixes that have come to rest in another way: there is more than one, and the orders that were tried did not show it.
    elsewhere: usize,
    wrong: Vec<String>,
}

/// Rows that differ, without those that the order of arrival decides.
fn compare(network: &Blueprint, plane: &Plane<'_>, ours: &mut Solution, found: &mut Found) {
    let fresh = Plane::new(network, V4);
    let mut full = fresh.solve_all(Schedule::First);
    if !fresh.circles(&full).is_empty() {
        return;
    }
    found.wrong.extend(plane.unrest(ours).into_iter().map(|(p, r)| format!("unrest: {r} {p}")));
    if plane.sides_up(ours, 0) != fresh.sides_up(&full, 0) {
        found.wrong.push(format!("{} sides of sessions, not {}", plane.sides_up(ours, 0), fresh.sides_up(&full, 0)));
    }
    let absent = |p: &Plane<'_>| p.absent.iter().map(|a| format!("{a:?}")).collect::<BTreeSet<_>>();
    if absent(plane) != absent(&fresh) {
        found.wrong.push(format!("absent {:?}, not {:?}", absent(plane), absent(&fresh)));
    }
    let open: BTreeSet<(String, Prefix)> = fresh.order_dependent(&full).into_iter().map(|o| (o.router, o.prefix)).collect();
    let (a, b): (Tables, Tables) = (plane.tables(ours), fresh.tables(&mut full));
    let none = Vec::new();
    let prefixes: BTreeSet<Prefix> = a.values().chain(b.values()).flat_map(|t| t.keys().copied()).collect();
    let mut unsettled: Vec<Prefix> = open.iter().map(|(_, p)| *p).collect();
    // an aggregate follows its parts
    for prefix in prefixes.into_iter().rev() {
        let (mut wrong, mut by_order, mut choices) = (Vec::new(), false, 0);
        for (router, expected) in &b {
            let (is, wanted) = (a[router].get(&prefix).unwrap_or(&none), expected.get(&prefix).unwrap_or(&none));
            by_order |= decided_by_order(is, wanted);
            if open.contains(&(router.clone(), prefix)) {
                continue;
            }
            found.compared += 1;
            let best = |rows: &[PathRow]| rows.iter().find(|r| r.best).map(|r| r.from);
            choices += usize::from(best(is) != best(wanted));
            let (is, wanted) = (timeless(is), timeless(wanted));
            if is != wanted {
                wrong.push(format!("{router} {prefix}:\n  is     {is:#?}\n  wanted {wanted:#?}"));
            }
        }
        if by_order || unsettled.iter().any(|p| *p != prefix && prefix.covers(p)) {
            unsettled.push(prefix);
            continue;
        }
        unsettled.extend(Some(prefix).filter(|_| !wrong.is_empty()));
        // nobody has anything left to say, and two or more have chosen each other's way
        if choices > 1 { found.elsewhere += wrong.len() } else { found.wrong.append(&mut wrong) }
    }
}

/// Of the same paths another is best: nothing but the order in which they came can have decided that.
fn decided_by_order(a: &[PathRow], b: &[PathRow]) -> bool {
    let best = |rows: &[PathRow]| rows.iter().find(|r| r.best).map(|r| r.from);
    let paths = |rows: &[PathRow]| timeless(&rows.iter().map(|r| PathRow { best: false, ..r.clone() }).collect::<Vec<_>>());
    best(a) != best(b) && paths(a) == paths(b)
}

#[test]
fn every_change_gives_what_the_changed_network_gives_from_nothing() {
    let mut found = Found::default();
    for seed in 0..SEEDS {
        let base = network(seed);
        let plane = Plane::new(&base, V4);
        let solution = plane.solve_all(Schedule::First);
        if !plane.circles(&solution).is_empty() {
            continue;
        }
        for (n, kind) in KINDS.into_iter().enumerate() {
            let mut dice = Dice(seed * 100 + n as u64);
            let mut network = base.clone();
            change(&mut network, kind, &mut dice);
            let after = plane.changed(&network);
            let mut ours = after.solve_after(&plane, &solution, 1);
            compare(&network, &after, &mut ours, &mut found);
            assert!(found.wrong.is_empty(), "seed {seed}, {kind}: {}", found.wrong.join("\n"));
            // and back: a session that was lost comes up again, a route that was withdrawn is announced again
            let back = after.changed(&base);
            let mut there = back.solve_after(&after, &ours, 1);
            compare(&base, &back, &mut there, &mut found);
            assert!(found.wrong.is_empty(), "seed {seed}, {kind} and back: {}", found.wrong.join("\n"));
            // another change on top of it
            let kind2 = KINDS[dice.below(KINDS.len())];
            let mut further = network.clone();
            change(&mut further, kind2, &mut dice);
            let on_top = after.changed(&further);
            let mut both = on_top.solve_after(&after, &ours, 1);
            compare(&further, &on_top, &mut both, &mut found);
            assert!(found.wrong.is_empty(), "seed {seed}, {kind} then {kind2}: {}", found.wrong.join("\n"));
        }
    }
    println!("{} rows compared, {} at rest elsewhere", found.compared, found.elsewhere);
    assert!(found.compared > 10_000, "{} rows compared", found.compared);
    assert!(found.elsewhere * 100 < found.compared, "{} of {} rows at rest elsewhere", found.elsewhere, found.compared);
}

/// Ways that were found before a change are taken over where it cannot have touched them.
#[test]
fn ways_found_before_a_change_are_those_found_after_it() {
    let (mut compared, mut moved) = (0, 0);
    for seed in 0..4 * SEEDS {
        let base = network(seed);
        let own = BTreeSet::from([base.routers[0].config.bgp.as_ref().unwrap().asn]);
        let (known, blank) = (World::solve(&base, &own), World::solve(&base, &own));
        let before = ways(&known);
        for (n, kind) in KINDS.into_iter().enumerate() {
            let mut dice = Dice(seed * 100 + n as u64);
            let (mut network, mut further) = (base.clone(), base.clone());
            change(&mut network, kind, &mut dice);
            further.clone_from(&network);
            change(&mut further, KINDS[dice.below(KINDS.len())], &mut dice);
            let (after, anew) = (known.changed(&network), blank.changed(&network));
            let (is, wanted) = (ways(&after), ways(&anew));
            compared += is.len();
            moved += usize::from(is != before);
            assert!(is == wanted, "seed {seed}, {kind}: {:#?}", is.iter().zip(&wanted).find(|(a, b)| a != b));
            let (on_top, anew) = (after.changed(&further), blank.changed(&network));
            let anew = anew.changed(&further);
            assert!(ways(&on_top) == ways(&anew), "seed {seed}, {kind} and another");
        }
    }
    println!("{compared} ways compared, {moved} changes moved some");
    assert!(compared > 20_000 && moved > 80, "{compared} ways compared, {moved} changes moved some");
}
