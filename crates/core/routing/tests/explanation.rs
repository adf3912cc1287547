//! The text that says why: one for the command line, the window and the chat.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use bgp::Family;
use routing::{Blueprint, Explanation, Plane, Profile, Router, Schedule};
use std::sync::Arc;

const PREFIX: &str = "203.0.113.0/24";

fn bgp(asn: u32, id: u32, lines: &str) -> String {
    format!("router bgp {asn}\n bgp router-id {id}.{id}.{id}.{id}\n no bgp ebgp-requires-policy\n no bgp network import-check\n{lines}")
}

/// x (AS 65009) is told by r2 and r3 to r1; r4 would tell it too and its policy says no.
fn network() -> Blueprint {
    let port = |n: u32, a: &str| format!("interface eth{n}\n ip address {a}/24\n");
    let x = port(0, "10.0.29.9")
        + &port(1, "10.0.39.9")
        + &port(2, "10.0.49.9")
        + "route-map MADE permit 10\n set community 65009:1\n"
        + &bgp(
            65009,
            9,
            &format!(
                " neighbor 10.0.29.2 remote-as 65002\n neighbor 10.0.39.3 remote-as 65003\n neighbor 10.0.49.4 remote-as 65004\n network {PREFIX} route-map MADE\n"
            ),
        );
    let between = |n: u32, lines: &str, policies: &str| {
        port(0, &format!("10.0.{n}9.{n}"))
            + &port(1, &format!("10.0.1{n}.{n}"))
            + policies
            + &bgp(65000 + n, n, &format!(" neighbor 10.0.{n}9.9 remote-as 65009\n neighbor 10.0.1{n}.1 remote-as 65001\n{lines}"))
    };
    let r2 = between(
        2,
        " neighbor 10.0.12.1 route-map OUT out\n",
        "bgp community-list standard C seq 5 permit 65009:1\nroute-map OUT permit 10\n match community C\n set metric 30\n set as-path prepend 65002\n on-match next\nroute-map OUT permit 20\n call MORE\nroute-map MORE permit 5\n set origin incomplete\n",
    );
    let r3 = between(3, "", "");
    let r4 = between(4, " neighbor 10.0.14.1 route-map NO out\n", "route-map NO deny 10\n");
    let r1 = port(0, "10.0.12.1")
        + &port(1, "10.0.13.1")
        + &port(2, "10.0.14.1")
        + "route-map HIGH permit 10\n set local-preference 300\n"
        + &bgp(
            65001,
            1,
            " neighbor 10.0.12.2 remote-as 65002\n neighbor 10.0.12.2 route-map HIGH in\n neighbor 10.0.13.3 remote-as 65003\n neighbor 10.0.14.4 remote-as 65004\n",
        );
    let router =
        |(name, text): (&str, String)| Router { name: name.to_owned(), config: Arc::new(config::frr::parse(&text)), profile: Profile::FRR };
    Blueprint { routers: [("r1", r1), ("r2", r2), ("r3", r3), ("r4", r4), ("x", x)].map(router).into(), ..Blueprint::default() }
}

fn explain(blueprint: &Blueprint, router: usize) -> Explanation {
    let plane = Plane::new(blueprint, Family::Ipv4Unicast);
    let mut solution = plane.solve_all(Schedule::First);
    plane.explain_choice(&mut solution, router, &PREFIX.parse().unwrap()).unwrap()
}

#[test]
fn every_hop_names_its_terms_and_what_they_set() {
    let told = explain(&network(), 0);
    let expected = [
        "r1 reaches 203.0.113.0/24 by 10.0.12.2, chosen by local_pref",
        "  last compared with 10.0.13.3: local_pref 300 against 100",
        "  better than 10.0.13.3 by local_pref: 300 against 100",
        "  begins at x (network), policy MADE permit 10 (set community 65009:1)",
        "  x to r2: path [65009] MED 0 next hop 10.0.29.9",
        "  r2 to r1, export OUT permit 10 (set metric 30, set as-path prepend 65002); permit 20; calls MORE permit 5 (set origin incomplete), import HIGH permit 10 (set local-preference 300): path [65002 65002 65009] LOCAL_PREF 300 MED 30 next hop 10.0.12.2",
        "  nothing from r4: export policy NO term 10 rejects it",
    ];
    assert_eq!(told.lines(), expected);
    assert_eq!(told.to_string(), expected.join("\n"), "one text, however it is asked for");
}

#[test]
fn the_policy_sees_the_route_as_it_is_on_the_wire_at_that_hop() {
    // r1 matches the AS path that r2 made by prepending, which the route at r2 does not have yet
    let mut blueprint = network();
    let mut config = (*blueprint.routers[0].config).clone();
    let more = config::frr::parse(
        "bgp as-path access-list TWICE seq 5 permit ^65002_65002_\nroute-map HIGH permit 5\n match as-path TWICE\n set local-preference 400\nroute-map HIGH permit 10\n",
    );
    config.policy = more.policy;
    blueprint.routers[0].config = Arc::new(config);
    let told = explain(&blueprint, 0);
    let import = told.way.last().unwrap().import.as_ref().unwrap();
    assert_eq!(import.terms.iter().map(|t| t.sequence).collect::<Vec<_>>(), [5]);
    assert_eq!(import.to_string(), "HIGH permit 5 (set local-preference 400)");
}

#[test]
fn without_a_path_each_neighbour_says_why() {
    let mut blueprint = network();
    // r1 takes nothing: RFC 8212 asks for policies
    let mut config = (*blueprint.routers[0].config).clone();
    config.bgp.as_mut().unwrap().ebgp_requires_policy = true;
    blueprint.routers[0].config = Arc::new(config);
    blueprint.failures.sessions.insert((0, "10.0.12.2".parse().unwrap()));
    let told = explain(&blueprint, 0);
    assert_eq!(
        told.lines(),
        [
            "r1 has no usable path to 203.0.113.0/24",
            "  nothing from r3: no import policy on a session with another AS (RFC 8212)",
            "  nothing from r4: export policy NO term 10 rejects it",
        ]
    );
}
