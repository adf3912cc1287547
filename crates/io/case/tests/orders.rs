//! Rows that depend on the order of arrival, shown on real FRR: each comes out in two orders as it is told. Needs root and FRR.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "what was seen is what the test is for")]

use case::{Case, Text, live, order};
use core::sync::atomic::AtomicBool;
use std::collections::BTreeMap;
use std::path::Path;

/// Cases outside the repository in which FRR's recorded tables differ from ours by the order of arrival.
const RECORDED: [&str; 3] = ["bgp_bestpath_reason_compare_routerid", "bgp_default_route_route_map_set", "bgp_remove_private_as"];

/// What FRR shows by order and the twin does not tell, known and named: bgpd 8.4.4 does not send `default-originate` with a route-map to a
/// session that comes up after the routes that the map asks for are there.
const MISSED: [(&str, &str, &str); 1] = [("bgp_default_route_route_map_set", "r3", "0.0.0.0/0")];

/// One router with two neighbours who announce one prefix alike: the older path stays. A third one hears what it chose.
fn elders() -> Case {
    let edge = |n: u8| {
        format!(
            "interface x{n}-eth0\n ip address 10.0.{n}.2/24\nexit\nrouter bgp 6450{n}\n bgp router-id 10.9.0.{n}\n no bgp ebgp-requires-policy\n \
             no bgp network import-check\n neighbor 10.0.{n}.1 remote-as 65000\n neighbor 10.0.{n}.1 timers connect 1\n \
             address-family ipv4 unicast\n  network 198.51.100.0/24\n exit-address-family\nexit\n"
        )
    };
    let (mut ports, mut neighbors) = (String::new(), String::new());
    for n in 1..=3 {
        ports += &format!("interface r1-eth{}\n ip address 10.0.{n}.1/24\nexit\n", n - 1);
        neighbors += &format!(" neighbor 10.0.{n}.2 remote-as 6450{n}\n neighbor 10.0.{n}.2 timers connect 1\n");
    }
    let middle = format!("{ports}router bgp 65000\n bgp router-id 10.9.0.9\n no bgp ebgp-requires-policy\n{neighbors}exit\n");
    let text = |t: String| Text { files: vec![("frr.conf".to_owned(), t)] };
    let third = edge(3).replace("  network 198.51.100.0/24\n", "");
    let routers = [("r1", middle), ("x1", edge(1)), ("x2", edge(2)), ("x3", third)];
    let link = |n: u8| (format!("s{n}"), vec!["r1".to_owned(), format!("x{n}")]);
    Case {
        routers: routers.map(|(name, t)| (name.to_owned(), text(t))).to_vec(),
        links: (1..=3).map(link).collect::<BTreeMap<_, _>>(),
        steps: Vec::new(),
        profiles: Default::default(),
    }
}

#[test]
fn the_older_of_two_equal_neighbours_is_shown_by_real_routers_in_two_orders() {
    if let Some(why) = live::missing() {
        println!("skipped: {why}");
        return;
    }
    let proof = order::prove(&elders(), "elders", &AtomicBool::new(false), |line| println!("{line}"));
    println!("{proof}");
    // the router's choice, and what each neighbour hears of it
    assert_eq!((proof.proven(), proof.unproven(), proof.missed(), proof.failed.len()), (4, 0, 0, 0), "{proof}");
    let choice = proof.notable.iter().find(|r| r.router == "r1").unwrap();
    let best: Vec<&str> = choice.showed.keys().map(|s| s.best.as_str()).collect();
    assert!(best.contains(&"10.0.1.2") && best.contains(&"10.0.2.2"), "{proof}");
}

#[test]
fn recorded_rows_that_differ_by_order_come_out_in_two_orders() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/data/twin");
    if !data.is_dir() {
        println!("skipped: captures are not at hand: {}", data.display());
        return;
    }
    if let Some(why) = live::missing() {
        println!("skipped: {why}");
        return;
    }
    for name in RECORDED {
        let case = Case::load(&data.join(name)).unwrap();
        let proof = order::prove(&case, name, &AtomicBool::new(false), |line| println!("{line}"));
        println!("{name}\n{proof}");
        assert!(proof.proven() > 0 && proof.failed.is_empty(), "{name}\n{proof}");
        assert_eq!(proof.unproven(), 0, "{name}\n{proof}");
        let missed = proof.notable.iter().filter(|r| r.told.is_none());
        let unknown: Vec<String> = missed
            .filter(|r| !MISSED.contains(&(name, r.router.as_str(), r.prefix.to_string().as_str())))
            .map(|r| format!("{} {}", r.router, r.prefix))
            .collect();
        assert_eq!(unknown, Vec::<String>::new(), "{name}\n{proof}");
    }
}
