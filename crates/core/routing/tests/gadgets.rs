//! Networks known from the literature: DISAGREE and BAD GADGET (Griffin, Shepherd, Wilfong 2002), MED between neighbours of one AS, a reflector.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use bgp::{Family, Prefix};
use routing::{Anomaly, Blueprint, Outcome, Plane, Profile, Router, Schedule, Solution};
use std::sync::Arc;

fn network(configs: &[(&str, String)]) -> Blueprint {
    let router = |(name, text): &(&str, String)| Router {
        name: (*name).to_owned(),
        config: Arc::new(config::frr::parse(text)),
        profile: Profile::FRR,
    };
    Blueprint { routers: configs.iter().map(router).collect(), ..Blueprint::default() }
}

fn prefix() -> Prefix {
    "203.0.113.0/24".parse().unwrap()
}

/// A router in AS 6500n of a full mesh; `policies` belong to it, `imports` name one for each neighbour.
fn node(n: usize, count: usize, policies: &str, imports: &[(usize, &str)], origin: bool) -> String {
    let mut text = policies.to_owned();
    let mut bgp =
        format!("router bgp 6500{n}\n bgp router-id 1.1.1.{}\n no bgp ebgp-requires-policy\n no bgp network import-check\n", n + 1);
    for other in (0..count).filter(|o| *o != n) {
        let link = |a: usize, b: usize| format!("10.{}.{}", a.min(b), a.max(b));
        let (mine, theirs) = if n < other { (1, 2) } else { (2, 1) };
        text += &format!("interface eth{other}\n ip address {}.{mine}/24\n", link(n, other));
        let address = format!("{}.{theirs}", link(n, other));
        bgp += &format!(" neighbor {address} remote-as 6500{other}\n");
        if let Some((_, policy)) = imports.iter().find(|(o, _)| *o == other) {
            bgp += &format!(" neighbor {address} route-map {policy} in\n");
        }
    }
    if origin {
        bgp += " network 203.0.113.0/24\n";
    }
    text + &bgp
}

fn choice(plane: &Plane<'_>, solution: &Solution, router: usize) -> String {
    plane.choice(solution, router, &prefix()).map_or_else(|| "none".to_owned(), |c| c.as_path)
}

fn anomalies(blueprint: &Blueprint) -> Vec<Anomaly> {
    let plane = Plane::new(blueprint, Family::Ipv4Unicast);
    let mut solution = plane.solve_all(Schedule::First);
    let told = plane.anomalies(&mut solution);
    assert_eq!(told.searched, told.of);
    told.anomalies
}

#[test]
fn of_two_stable_states_it_says_that_the_order_decides() {
    let prefers = "route-map HIGH permit 10\n set local-preference 200\n";
    let blueprint = network(&[
        ("r0", node(0, 3, "", &[], true)),
        ("r1", node(1, 3, prefers, &[(2, "HIGH")], false)),
        ("r2", node(2, 3, prefers, &[(1, "HIGH")], false)),
    ]);
    let plane = Plane::new(&blueprint, Family::Ipv4Unicast);
    let solution = plane.solve_all(Schedule::First);
    assert!(plane.circles(&solution).is_empty(), "each order comes to rest");
    let told: Vec<String> = plane.order_dependent(&solution).into_iter().filter(|o| o.what == "choice").map(|o| o.router).collect();
    assert_eq!(told, ["r1", "r2"]);
    let reverse = plane.solve_all(Schedule::Reverse);
    let states = [&solution, &reverse].map(|s| (choice(&plane, s, 1), choice(&plane, s, 2)));
    assert_ne!(states[0], states[1], "both stable states are found");
    let [told] = &anomalies(&blueprint)[..] else { panic!() };
    assert_eq!((told.outcome.name(), &told.routers[..]), ("disagree", &["r1".to_owned(), "r2".to_owned()][..]));
    let Outcome::Disagree { states, .. } = &told.outcome else { panic!() };
    assert_eq!(states.len(), 2);
    let text = told.to_string();
    let wheel =
        "wheel: r1 prefers r1-r2 and on by r2 to its own r1-r0 (local_pref); r2 prefers r2-r1 and on by r1 to its own r2-r0 (local_pref)";
    assert!(text.contains(wheel) && text.contains("r2-r1-r0") && text.contains("r1-r2-r0"), "{text}");
}

#[test]
fn where_no_stable_state_is_the_circle_is_named_and_the_search_ends() {
    // each prefers the way by its next one, and only when that goes straight on
    let policies = |next: usize| {
        format!(
            "bgp as-path access-list NEXT seq 5 permit ^6500{next}_65000$\nroute-map NEXT permit 10\n match as-path NEXT\n set local-preference 200\nroute-map NONE deny 10\n"
        )
    };
    let rim = |n: usize| {
        let (next, before) = (n % 3 + 1, (n + 1) % 3 + 1);
        node(n, 4, &policies(next), &[(next, "NEXT"), (before, "NONE")], false)
    };
    let blueprint = network(&[("r0", node(0, 4, "", &[], true)), ("r1", rim(1)), ("r2", rim(2)), ("r3", rim(3))]);
    let plane = Plane::new(&blueprint, Family::Ipv4Unicast);
    let solution = plane.solve_all(Schedule::First);
    let circles = plane.circles(&solution);
    assert_eq!(circles, [(prefix(), vec!["r1".to_owned(), "r2".to_owned(), "r3".to_owned()])]);
    let [told] = &anomalies(&blueprint)[..] else { panic!() };
    assert_eq!((told.outcome.name(), told.routers.len()), ("bad_gadget", 3));
    let wheel = told.wheel.as_ref().unwrap();
    let pivots: Vec<_> = wheel.pivots.iter().map(|p| (p.router.as_str(), p.spoke.join(" "), p.rim.join(" "), p.prefers_by)).collect();
    let spoke = |a: &'static str, b: &str| (a, format!("{a} r0"), format!("{a} {b}"), "local_pref");
    assert_eq!(pivots, [spoke("r1", "r2"), spoke("r2", "r3"), spoke("r3", "r1")]);
}

#[test]
fn what_one_destination_teaches_does_not_depend_on_the_others() {
    let one = node(0, 2, "", &[], true);
    let two = one.clone() + " network 198.51.100.0/24\n network 192.0.2.0/24\n";
    let other = node(1, 2, "", &[], false);
    let tables = [one, two].map(|r0| {
        let blueprint = network(&[("r0", r0), ("r1", other.clone())]);
        let plane = Plane::new(&blueprint, Family::Ipv4Unicast);
        let mut solution = plane.solve_all(Schedule::First);
        assert_eq!(solution.classes.len(), 1, "announced and treated alike, they are one destination");
        plane.rows(&mut solution, 1, &prefix())
    });
    assert_eq!(tables[0], tables[1]);
}

#[test]
fn a_policy_that_calls_itself_is_not_known_and_nothing_hangs() {
    let policies = "route-map A permit 10\n call B\nroute-map B permit 10\n call A\n";
    let blueprint = network(&[("r0", node(0, 2, "", &[], true)), ("r1", node(1, 2, policies, &[(0, "A")], false))]);
    let plane = Plane::new(&blueprint, Family::Ipv4Unicast);
    let mut solution = plane.solve_all(Schedule::First);
    assert!(plane.rows(&mut solution, 1, &prefix()).is_empty());
    let why = plane.explain_choice(&mut solution, 1, &prefix()).unwrap();
    assert!(why.to_string().contains("call each other in a circle"), "{why}");
}

/// A reflector with plain clients: the one that brought the route in does not take it back, and the others still hear of it.
#[test]
fn a_reflector_tells_the_others_though_the_first_client_sent_it() {
    let lines = |n: u8, more: &str| {
        format!(
            "interface lo\n ip address 10.0.0.{n}/32\n ip ospf area 0\ninterface lan\n ip address 10.1.0.{n}/24\n ip ospf area 0\n{more}"
        )
    };
    let client = |n: u8, network: &str| {
        let session = " neighbor 10.0.0.3 remote-as 65000\n neighbor 10.0.0.3 update-source lo\n";
        lines(n, &format!("router bgp 65000\n bgp router-id 10.0.0.{n}\n{session} address-family ipv4 unicast\n  {network}\n"))
    };
    let mut middle = "router bgp 65000\n bgp router-id 10.0.0.3\n".to_owned();
    for n in [1, 2, 4] {
        middle += &format!(" neighbor 10.0.0.{n} remote-as 65000\n neighbor 10.0.0.{n} update-source lo\n");
    }
    middle += " address-family ipv4 unicast\n";
    for n in [1, 2, 4] {
        middle += &format!("  neighbor 10.0.0.{n} route-reflector-client\n");
    }
    let first = client(1, "network 203.0.113.0/24") + "exit\nip route 203.0.113.0/24 blackhole\n";
    let network = network(&[("r1", first), ("r2", client(2, "")), ("r3", lines(3, &middle)), ("r4", client(4, ""))]);
    let plane = Plane::new(&network, Family::Ipv4Unicast);
    let solution = plane.solve_all(Schedule::First);
    for router in 0..4 {
        assert!(plane.choice(&solution, router, &prefix()).is_some(), "router {router}, absent: {:?}", plane.absent);
    }
}

/// r1 and r2 of two ASes, each with a neighbour outside that announces two prefixes by paths which differ in their ends. r2 prefers what r1 says.
fn two_edges(r1: &str) -> Blueprint {
    let port = |n: u32, address: &str| format!("interface eth{n}\n ip address {address}\n");
    let bgp = |n: u32, lines: &str| {
        format!(
            "router bgp 6500{n}\n bgp router-id 1.1.1.{n}\n no bgp ebgp-requires-policy\n neighbor 10.9.{n}.9 remote-as 6450{n}\n{lines}"
        )
    };
    let one = port(0, "10.1.2.1/24")
        + &port(1, "10.9.1.1/24")
        + r1
        + &bgp(1, " neighbor 10.1.2.2 remote-as 65002\n neighbor 10.1.2.2 route-map FROM2 in\n neighbor 10.9.1.9 route-map OUTSIDE in\n");
    let two = port(0, "10.1.2.2/24")
        + &port(1, "10.9.2.2/24")
        + "route-map HIGH permit 10\n set local-preference 200\n"
        + &bgp(2, " neighbor 10.1.2.1 remote-as 65001\n neighbor 10.1.2.1 route-map HIGH in\n");
    let feed = |router: usize| {
        let hop = format!("10.9.{}.9", router + 1);
        let path = |last: u32| bgp::PathAttributes {
            as_path: bgp::AsPath::sequence([64_501 + u32::try_from(router).unwrap(), last]),
            next_hop: Some(hop.parse().unwrap()),
            ..bgp::PathAttributes::default()
        };
        routing::Feed {
            router,
            neighbor: hop.parse().unwrap(),
            router_id: hop.parse().unwrap(),
            attributes: Arc::new(vec![path(64_600), path(64_700)]),
            routes: Arc::new(vec![("198.51.100.0/24".parse().unwrap(), 1), (prefix(), 0)]),
        }
    };
    Blueprint { feeds: vec![feed(0), feed(1)], ..network(&[("r1", one), ("r2", two)]) }
}

/// Two destinations rest alike before a change and after it, and only one of them could rest otherwise: it is found although nothing moves.
#[test]
fn a_change_that_moves_nothing_may_leave_one_of_two_like_destinations_to_the_order() {
    let plain = "route-map OUTSIDE permit 10\nroute-map FROM2 permit 20\n";
    let high = "ip prefix-list ONE seq 5 permit 203.0.113.0/24\nroute-map OUTSIDE permit 10\n\
                route-map FROM2 permit 10\n match ip address prefix-list ONE\n set local-preference 200\nroute-map FROM2 permit 20\n";
    let (before, after) = (two_edges(plain), two_edges(high));
    // what is the same is shared, as in a change of one router
    let after =
        Blueprint { routers: vec![after.routers[0].clone(), before.routers[1].clone()], feeds: before.feeds.clone(), ..before.clone() };
    let plane = Plane::new(&before, Family::Ipv4Unicast);
    let solution = plane.solve_all(Schedule::First);
    assert!(plane.order_dependent(&solution).is_empty());
    let changed = plane.changed(&after);
    let resumed = changed.solve_after(&plane, &solution, 1);
    let told = |plane: &Plane<'_>, solution: &Solution| {
        let all = plane.order_dependent(solution).into_iter().filter(|o| o.what == "choice");
        all.map(|o| (o.router, o.prefix.to_string())).collect::<Vec<_>>()
    };
    let one = |router: &str| (router.to_owned(), "203.0.113.0/24".to_owned());
    assert_eq!(told(&changed, &resumed), [one("r1"), one("r2")]);
    let fresh = Plane::new(&after, Family::Ipv4Unicast);
    assert_eq!(told(&fresh, &fresh.solve_all(Schedule::First)), [one("r1"), one("r2")]);
}

/// A session goes down whose routes were refused: they are no part of what is tried in other orders.
#[test]
fn what_a_lost_session_announced_is_not_looked_for() {
    let deny = "ip prefix-list ONE seq 5 permit 198.51.100.0/24\nroute-map FROM2 permit 20\n\
                route-map OUTSIDE deny 10\n match ip address prefix-list ONE\nroute-map OUTSIDE permit 20\n";
    let before = two_edges(deny);
    let plane = Plane::new(&before, Family::Ipv4Unicast);
    let solution = plane.solve_all(Schedule::First);
    let mut after = before.clone();
    after.failures.sessions.insert((0, "10.9.1.9".parse().unwrap()));
    let changed = plane.changed(&after);
    let mut resumed = changed.solve_after(&plane, &solution, 1);
    assert!(changed.order_dependent(&resumed).is_empty());
    assert!(changed.anomalies(&mut resumed).anomalies.is_empty());
    assert_eq!(choice(&changed, &resumed, 0), "65002 64502 64600");
}
