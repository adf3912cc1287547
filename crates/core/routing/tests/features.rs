//! Features one by one on small networks, without routers; `case/tests/features_live.rs` shows the same on real FRR.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use bgp::{Family, Prefix};
use routing::{Blueprint, PathRow, Plane, Profile, Router, Schedule};
use std::collections::BTreeMap;
use std::sync::Arc;

fn network(configs: &[(&str, String)]) -> Blueprint {
    let router = |(name, text): &(&str, String)| Router {
        name: (*name).to_owned(),
        config: Arc::new(config::frr::parse(text)),
        profile: Profile::FRR,
    };
    Blueprint { routers: configs.iter().map(router).collect(), ..Blueprint::default() }
}

fn rows(blueprint: &Blueprint, router: usize, prefix: &str) -> Vec<PathRow> {
    let plane = Plane::new(blueprint, Family::Ipv4Unicast);
    let mut solution = plane.solve_all(Schedule::First);
    plane.rows(&mut solution, router, &prefix.parse::<Prefix>().unwrap())
}

fn port(n: u32, address: &str, more: &str) -> String {
    format!("interface eth{n}\n ip address {address}\n{more}")
}

fn bgp(asn: u32, id: u32, neighbors: &[(&str, u32)], lines: &str) -> String {
    let peers: String = neighbors.iter().map(|(a, r)| format!(" neighbor {a} remote-as {r}\n")).collect();
    format!(
        "router bgp {asn}\n bgp router-id {id}.{id}.{id}.{id}\n no bgp ebgp-requires-policy\n no bgp network import-check\n{peers}{lines}"
    )
}

/// r1 has two ways to the origin: by r2 (AIGP 10, IGP metric to it 30) and by r3 (AIGP 35, metric 1); the AS path by r3 is longer.
fn aigp(knob: &str, of3: u32) -> Vec<PathRow> {
    let set =
        |n: u32| format!("route-map SET permit 10\n set aigp-metric {n}\n{}", if n == of3 { " set as-path prepend 65009\n" } else { "" });
    let ospf = |cost: u32| format!(" ip ospf area 0\n ip ospf cost {cost}\n");
    let r1 = port(0, "10.0.12.1/24", &ospf(30))
        + &port(1, "10.0.13.1/24", &ospf(1))
        + &bgp(65001, 1, &[("10.0.12.2", 65001), ("10.0.13.3", 65001)], knob);
    let edge = |n: u32, metric: u32| {
        port(0, &format!("10.0.1{n}.{n}/24"), &ospf(1))
            + &port(1, &format!("10.0.{n}0.{n}/24"), &ospf(5))
            + &set(metric)
            + &bgp(
                65001,
                n,
                &[(&format!("10.0.1{n}.1"), 65001), (&format!("10.0.{n}0.9"), 65009)],
                &format!(" neighbor 10.0.{n}0.9 route-map SET in\n"),
            )
    };
    let r9 = port(0, "10.0.20.9/24", "")
        + &port(1, "10.0.30.9/24", "")
        + &bgp(65009, 9, &[("10.0.20.2", 65001), ("10.0.30.3", 65001)], " network 203.0.113.0/24\n");
    rows(&network(&[("r1", r1), ("r2", edge(2, 10)), ("r3", edge(3, of3)), ("r9", r9)]), 0, "203.0.113.0/24")
}

#[test]
fn aigp_counts_the_way_to_the_next_hop_and_stands_before_the_as_path() {
    let best = |rows: &[PathRow]| rows.iter().find(|r| r.best).map(|r| (r.from.unwrap().to_string(), r.reason.unwrap())).unwrap();
    // without the knob the AS path decides
    assert_eq!(best(&aigp("", 35)), ("10.0.12.2".to_owned(), "as_path_length"));
    // 10 + 35 (30 and the border's 5) against 35 + 6
    assert_eq!(best(&aigp(" bgp bestpath aigp\n", 35)), ("10.0.13.3".to_owned(), "aigp"));
    assert_eq!(best(&aigp(" bgp bestpath aigp\n", 40)), ("10.0.12.2".to_owned(), "aigp"));
}

/// RFC 7311 §3.4: who makes himself the next hop adds his own way to the old one; other ASes are told only where it is configured.
#[test]
fn aigp_grows_where_the_next_hop_changes_and_stops_at_the_border() {
    let ospf = |cost: u32| format!(" ip ospf area 0\n ip ospf cost {cost}\n");
    let build = |aigp: &str| {
        let r1 = port(0, "10.0.12.1/24", &ospf(1))
            + "route-map A permit 10\n set aigp-metric 100\n"
            + &bgp(65001, 1, &[("10.0.12.2", 65001)], " network 203.0.113.0/24 route-map A\n");
        let r2 = port(0, "10.0.12.2/24", &ospf(1))
            + &port(1, "10.0.23.2/24", "")
            + &bgp(65001, 2, &[("10.0.12.1", 65001), ("10.0.23.3", 65003)], &aigp.replace('N', "10.0.23.3"));
        let r3 = port(0, "10.0.23.3/24", "") + &bgp(65003, 3, &[("10.0.23.2", 65001)], &aigp.replace('N', "10.0.23.2"));
        network(&[("r1", r1), ("r2", r2), ("r3", r3)])
    };
    assert_eq!(rows(&build(" neighbor N aigp\n"), 2, "203.0.113.0/24")[0].aigp, Some(100));
    let without = build("");
    assert_eq!(rows(&without, 1, "203.0.113.0/24")[0].aigp, Some(100));
    assert_eq!(rows(&without, 2, "203.0.113.0/24")[0].aigp, None);
}

#[test]
fn of_two_protocols_the_lower_distance_is_redistributed() {
    let build = |distance: u32| {
        let r1 = port(0, "10.0.12.1/24", " ip ospf area 0\n") + "interface lo\n ip address 192.0.2.1/32\n ip ospf area 0\n";
        let r2 = port(0, "10.0.12.2/24", " ip ospf area 0\n")
            + &format!("ip route 192.0.2.1/32 blackhole {distance}\n")
            + &bgp(65002, 2, &[], " address-family ipv4 unicast\n  redistribute static metric 7\n  redistribute ospf metric 9\n");
        rows(&network(&[("r1", r1), ("r2", r2)]), 1, "192.0.2.1/32")[0].med
    };
    assert_eq!((build(50), build(200)), (Some(7), Some(9)));
}

#[test]
fn a_route_does_not_go_back_to_its_site() {
    let build = |soo: &str| {
        let r1 = port(0, "10.0.12.1/24", "") + &bgp(65001, 1, &[("10.0.12.2", 65002)], " network 203.0.113.0/24\n");
        let r2 = port(0, "10.0.12.2/24", "")
            + &port(1, "10.0.23.2/24", "")
            + &bgp(
                65002,
                2,
                &[("10.0.12.1", 65001), ("10.0.23.3", 65003)],
                &format!(" neighbor 10.0.12.1 soo 65002:1\n neighbor 10.0.23.3 soo {soo}\n"),
            );
        let r3 = port(0, "10.0.23.3/24", "") + &bgp(65003, 3, &[("10.0.23.2", 65002)], "");
        rows(&network(&[("r1", r1), ("r2", r2), ("r3", r3)]), 2, "203.0.113.0/24").len()
    };
    assert_eq!((build("65002:1"), build("65002:2")), (0, 1));
}

#[test]
fn who_is_at_the_end_of_an_interface_is_known_from_the_wires_only() {
    let side = |asn: u32, n: u32, line: &str| bgp(asn, n, &[], &format!(" neighbor eth0 interface remote-as external\n{line}"));
    let mut blueprint = network(&[("r1", side(65001, 1, " network 203.0.113.0/24\n")), ("r2", side(65002, 2, ""))]);
    let plane = Plane::new(&blueprint, Family::Ipv4Unicast);
    assert!(plane.absent[0].why.contains("no wires are given"), "{:?}", plane.absent);
    let ends = vec![(0, "eth0".to_owned()), (1, "eth0".to_owned())];
    blueprint.links = Some(Arc::new(BTreeMap::from([("s".to_owned(), ends)])));
    let there = rows(&blueprint, 1, "203.0.113.0/24");
    assert_eq!(there[0].interface.as_deref(), Some("eth0"));
    assert!(there[0].best && there[0].next_hops[0].is_ipv6());
    blueprint.failures.links.insert("s".to_owned());
    assert!(rows(&blueprint, 1, "203.0.113.0/24").is_empty());
}

#[test]
fn what_changes_no_table_is_listed_and_does_not_stop_a_route() {
    let build = |line: &str| {
        let r1 = port(0, "10.0.12.1/24", "") + &bgp(65001, 1, &[("10.0.12.2", 65002)], " network 203.0.113.0/24\n");
        let r2 = port(0, "10.0.12.2/24", "")
            + &format!("route-map IN permit 10\n {line}\n set local-preference 7\n")
            + &bgp(65002, 2, &[("10.0.12.1", 65001)], " neighbor 10.0.12.1 route-map IN in\n");
        network(&[("r1", r1), ("r2", r2)])
    };
    for line in ["set distance 30", "set table 9", "set extcommunity bandwidth cumulative", "set ipv6 next-hop prefer-global"] {
        let blueprint = build(line);
        let listed = &blueprint.routers[1].config.unmodelled;
        assert_eq!((listed.len(), listed[0].text.as_str()), (1, line));
        assert!(listed[0].effect().contains("no BGP table") || listed[0].effect().contains("no choice"), "{}", listed[0].effect());
        assert_eq!(rows(&blueprint, 1, "203.0.113.0/24")[0].local_pref, Some(7), "{line}");
    }
    // what depends on a measurement is not guessed
    let rtt = build("set metric rtt");
    assert!(rtt.routers[1].config.unmodelled[0].effect().contains("round-trip"));
    assert!(rows(&rtt, 1, "203.0.113.0/24").is_empty());
}
