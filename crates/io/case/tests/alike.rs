//! Destinations that are alike are computed once: what is said of the others after the first must be what they have when they are alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use bgp::{AsPath, Family, Prefix};
use case::scale::Scenario;
use config::{
    Aggregate, Condition, ListEntry, PolicyDefinition, PolicyResult, PrefixEntry, PrefixSet, RouteAction, Statement, WiderCondition,
};
use routing::{Blueprint, PathRow, Plane, Schedule, Solution};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const V4: Family = Family::Ipv4Unicast;
const PREFIXES: u32 = 150;
/// Every so many prefixes one is looked at alone; no divisor of the number of classes.
const STEP: usize = 17;

/// Every prefix has paths of its own, by 50 shapes.
fn network() -> Blueprint {
    Scenario::made(14).blueprint(PREFIXES, true)
}

/// The same network with one prefix.
fn alone(network: &Blueprint, prefix: Prefix) -> Blueprint {
    let mut out = network.clone();
    for feed in &mut out.feeds {
        Arc::make_mut(&mut feed.routes).retain(|(p, _)| *p == prefix);
    }
    out
}

fn rows(plane: &Plane<'_>, solution: &mut Solution, prefix: Prefix) -> BTreeMap<String, Option<Vec<PathRow>>> {
    plane.tables(solution).into_iter().map(|(router, mut table)| (router, table.remove(&prefix))).collect()
}

fn policy(network: &mut Blueprint, feed: usize, first: Statement) {
    let (router, neighbor) = (network.feeds[feed].router, network.feeds[feed].neighbor);
    let config = Arc::make_mut(&mut network.routers[router].config);
    let statements = vec![first, Statement::new(20, PolicyResult::Accept)];
    config.policy.definitions.insert("P".to_owned(), PolicyDefinition { statements });
    let session = config.bgp.as_mut().unwrap().neighbors.get_mut(&neighbor).unwrap().families.get_mut(&V4).unwrap();
    session.import = Some("P".to_owned());
}

type Change = (&'static str, fn(&mut Blueprint));

/// Changes that treat all alike, some of them, one, and one that looks into paths.
const CHANGES: [Change; 8] = [
    ("nothing", |_| {}),
    ("local pref on a session", |n| {
        policy(n, 0, Statement { actions: vec![RouteAction::SetLocalPref(200)], ..Statement::new(10, PolicyResult::Accept) });
    }),
    ("prepend on a session", |n| {
        let longer = RouteAction::Prepend(AsPath::sequence([64_999, 64_999]));
        policy(n, 1, Statement { actions: vec![longer], ..Statement::new(10, PolicyResult::Accept) });
    }),
    ("local pref for some prefixes", |n| {
        let mut first = Statement { actions: vec![RouteAction::SetLocalPref(200)], ..Statement::new(10, PolicyResult::Accept) };
        first.conditions.push(Condition::PrefixSet("SOME".to_owned()));
        policy(n, 0, first);
        let router = n.feeds[0].router;
        let entry = PrefixEntry { sequence: 5, permit: true, prefix: "100.0.0.0/18".parse().unwrap(), ge: Some(24), le: Some(24) };
        let set = PrefixSet { family: V4, entries: vec![entry] };
        Arc::make_mut(&mut n.routers[router].config).policy.prefix_sets.insert("SOME".to_owned(), set);
    }),
    ("local pref for a path", |n| {
        let mut first = Statement { actions: vec![RouteAction::SetLocalPref(200)], ..Statement::new(10, PolicyResult::Accept) };
        let line = "match as-path A".to_owned();
        first.conditions.push(Condition::Wider { what: WiderCondition::AsPathSet("A".to_owned()), line });
        policy(n, 0, first);
        let router = n.feeds[0].router;
        let odd = ListEntry { sequence: 5, permit: true, what: "[13579]$".to_owned() };
        Arc::make_mut(&mut n.routers[router].config).policy.wider.as_path_sets.insert("A".to_owned(), vec![odd]);
    }),
    ("a session down", |n| n.failures.sessions.extend([(n.feeds[2].router, n.feeds[2].neighbor)])),
    ("a link down", |n| n.failures.links.extend(["link00004".to_owned()])),
    ("a router down", |n| n.failures.routers.extend([n.feeds[3].router])),
];

#[test]
fn what_is_said_after_another_is_what_a_prefix_has_alone() {
    let base = network();
    let plane = Plane::new(&base, V4);
    let solution = plane.solve_all(Schedule::First);
    assert_eq!(solution.classes.len(), PREFIXES as usize, "no two prefixes are announced alike");
    let prefixes: Vec<Prefix> = solution.prefixes().step_by(STEP).collect();
    let mut compared = 0;
    for (name, change) in CHANGES {
        let mut fork = base.clone();
        change(&mut fork);
        let after = plane.changed(&fork);
        let mut changed = after.solve_after(&plane, &solution, 1);
        // and a second change over the first: what was said is gone on from
        let mut further = fork.clone();
        CHANGES[6].1(&mut further);
        let on_top = after.changed(&further);
        let mut both = on_top.solve_after(&after, &changed, 1);
        for prefix in &prefixes {
            let one = alone(&base, *prefix);
            let (single, single_fork, single_further) = (Plane::new(&one, V4), alone(&fork, *prefix), alone(&further, *prefix));
            let known = single.solve_all(Schedule::First);
            let single_after = single.changed(&single_fork);
            let mut wanted = single_after.solve_after(&single, &known, 1);
            assert_eq!(rows(&after, &mut changed, *prefix), rows(&single_after, &mut wanted, *prefix), "{name}: {prefix}");
            let single_on_top = single_after.changed(&single_further);
            let mut wanted = single_on_top.solve_after(&single_after, &wanted, 1);
            assert_eq!(rows(&on_top, &mut both, *prefix), rows(&single_on_top, &mut wanted, *prefix), "{name}, then a link: {prefix}");
            compared += 1;
        }
        assert_eq!(on_top.unrest(&both), [], "{name}");
    }
    assert!(compared >= 70, "{compared}");
}

/// Of destinations that are alike one is looked at, and what moved is said of all.
#[test]
fn what_moved_is_what_differs_prefix_by_prefix() {
    moved_is_what_differs(&network());
    // an aggregate takes a second round, in which destinations have other numbers
    let mut base = network();
    let router = base.feeds[3].router;
    let prefix = "100.0.0.0/18".parse().unwrap();
    let aggregate =
        Aggregate { prefix, summary_only: false, as_set: false, matching_med_only: false, origin: None, policy: None, suppress_map: None };
    Arc::make_mut(&mut base.routers[router].config).bgp.as_mut().unwrap().wider.aggregates.push(aggregate);
    assert!(Plane::new(&base, V4).solve_all(Schedule::First).rounds > 1);
    moved_is_what_differs(&base);
}

fn moved_is_what_differs(base: &Blueprint) {
    let plane = Plane::new(base, V4);
    let solution = plane.solve_all(Schedule::First);
    let mut found = 0;
    for (name, change) in CHANGES {
        let mut fork = base.clone();
        change(&mut fork);
        let after = plane.changed(&fork);
        let changed = after.solve_after(&plane, &solution, 1);
        // and from there on: what was told is gone on from
        let mut further = fork.clone();
        CHANGES[6].1(&mut further);
        let on_top = after.changed(&further);
        let both = on_top.solve_after(&after, &changed, 1);
        for (old, was, new, is) in
            [(&plane, &solution, &after, &changed), (&after, &changed, &on_top, &both), (&plane, &solution, &on_top, &both)]
        {
            let moves = old.moves(was, new, is);
            let said: BTreeSet<(usize, Prefix)> =
                moves.iter().flat_map(|m| m.prefixes.iter().flat_map(|p| m.routers.iter().map(|r| (*r, *p)))).collect();
            let differs = |router: usize, p: &Prefix| old.choice(was, router, p) != new.choice(is, router, p);
            let wanted: BTreeSet<(usize, Prefix)> =
                was.prefixes().flat_map(|p| (0..base.routers.len()).filter(move |r| differs(*r, &p)).map(move |r| (r, p))).collect();
            assert_eq!(said, wanted, "{name}");
            found += said.len();
        }
    }
    assert!(found > 1_000, "{found}");
}

/// Destinations are shared out among threads, and those that are alike may fall to several of them.
#[test]
fn tables_do_not_depend_on_the_number_of_threads() {
    for distinct in [false, true] {
        let base = Scenario::made(14).blueprint(PREFIXES, distinct);
        let plane = Plane::new(&base, V4);
        let solve = |threads| plane.solve_all_by(Schedule::First, threads);
        let mut one = solve(1);
        let wanted = plane.tables(&mut one);
        for threads in [2, 3, 8] {
            assert_eq!(plane.tables(&mut solve(threads)), wanted, "{threads} threads");
        }
        for (name, change) in CHANGES {
            let mut fork = base.clone();
            change(&mut fork);
            let after = plane.changed(&fork);
            let tables = |threads| after.tables(&mut after.solve_after(&plane, &one, threads));
            let wanted = tables(1);
            for threads in [2, 3, 8] {
                assert_eq!(tables(threads), wanted, "{name}, {threads} threads");
            }
        }
    }
}

/// Paths that name an AS of the network are looked at by its loop check, and are like no others.
#[test]
fn a_path_with_an_as_of_the_network_is_not_taken_for_one_without() {
    let mut base = network();
    let feed = &mut base.feeds[0];
    let (prefix, at) = feed.routes[3];
    let attributes = Arc::make_mut(&mut feed.attributes);
    let looping: Vec<u32> = {
        let bgp::Segment::Sequence(path) = &attributes[at as usize].as_path.segments()[0] else { panic!("a sequence") };
        let last = path.len() - 1;
        path.iter().enumerate().map(|(n, a)| if n == last { 65_000 } else { a.0 }).collect()
    };
    attributes[at as usize].as_path = AsPath::sequence(looping);
    let plane = Plane::new(&base, V4);
    let mut solution = plane.solve_all(Schedule::First);
    let one = alone(&base, prefix);
    let single = Plane::new(&one, V4);
    assert_eq!(rows(&plane, &mut solution, prefix), rows(&single, &mut single.solve_all(Schedule::First), prefix));
    let own = (base.routers[base.feeds[0].router].name.clone(), base.feeds[0].neighbor);
    let there = rows(&plane, &mut solution, prefix)[&own.0].iter().flatten().any(|r| r.from == Some(own.1));
    assert!(!there, "the loop is seen");
}
