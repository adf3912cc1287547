//! One network, and what routers of different makers choose in it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use bgp::{Family, Prefix};
use routing::{Blueprint, PathRow, Plane, Profile, Router, Schedule};
use std::sync::Arc;

const PREFIX: &str = "203.0.113.0/24";

struct Neighbour {
    asn: u32,
    id: u32,
    /// Policy toward r1.
    terms: &'static str,
}

const fn from(asn: u32, id: u32, terms: &'static str) -> Neighbour {
    Neighbour { asn, id, terms }
}

/// r1 in AS 65000 with neighbours that announce one prefix each, in order.
fn star(profile: Profile, lines: &str, neighbours: &[Neighbour]) -> Blueprint {
    let mut ports = String::new();
    let mut bgp = "router bgp 65000\n bgp router-id 9.9.9.9\n no bgp ebgp-requires-policy\n no bgp network import-check\n".to_owned();
    let mut routers = Vec::new();
    for (n, neighbour) in neighbours.iter().enumerate() {
        ports += &format!("interface eth{n}\n ip address 10.0.{n}.1/24\n ip ospf area 0\n ip ospf cost {}\n", 10);
        bgp += &format!(" neighbor 10.0.{n}.2 remote-as {}\n", neighbour.asn);
        let (asn, id, terms) = (neighbour.asn, neighbour.id, neighbour.terms);
        let text = format!(
            "interface eth0\n ip address 10.0.{n}.2/24\nroute-map OUT permit 10\n{terms}router bgp {asn}\n bgp router-id {id}.{id}.{id}.{id}\n no bgp ebgp-requires-policy\n no bgp network import-check\n neighbor 10.0.{n}.1 remote-as 65000\n neighbor 10.0.{n}.1 route-map OUT out\n network {PREFIX}\n"
        );
        let config = Arc::new(config::frr::parse(&text));
        routers.push(Router { name: format!("n{n}"), config, profile: Profile::FRR });
    }
    let config = Arc::new(config::frr::parse(&(ports + &bgp + lines)));
    routers.insert(0, Router { name: "r1".to_owned(), config, profile });
    Blueprint { routers, ..Blueprint::default() }
}

fn rows(blueprint: &Blueprint) -> Vec<PathRow> {
    let plane = Plane::new(blueprint, Family::Ipv4Unicast);
    let mut solution = plane.solve_all(Schedule::First);
    plane.rows(&mut solution, 0, &PREFIX.parse::<Prefix>().unwrap())
}

/// Number of the neighbour chosen (`None`: made here), and by which step.
fn best(blueprint: &Blueprint) -> (Option<usize>, &'static str) {
    let rows = rows(blueprint);
    let row = rows.iter().find(|r| r.best).unwrap();
    let number = row.from.map(|a| a.to_string().split('.').nth(2).unwrap().parse().unwrap());
    (number, row.reason.unwrap())
}

#[test]
fn weight_counts_where_there_is_weight() {
    let choice = |profile| {
        let lines = "route-map W permit 10\n set weight 100\nrouter bgp 65000\n neighbor 10.0.1.2 route-map W in\n";
        best(&star(profile, lines, &[from(65001, 1, ""), from(65002, 2, " set as-path prepend 65002\n")]))
    };
    for profile in [Profile::FRR, Profile::EOS, Profile::IOS, Profile::IOS_XR] {
        assert_eq!(choice(profile), (Some(1), "weight"));
    }
    for profile in [Profile::JUNOS, Profile::NOKIA] {
        assert_eq!(choice(profile), (Some(0), "as_path_length"));
    }
}

#[test]
fn what_is_made_here_stands_behind_local_pref_or_before_everything() {
    let choice = |profile| {
        // without the weight of local routes LOCAL_PREF is looked at
        let lines = format!(
            "route-map LP permit 10\n set local-preference 200\nroute-map LIGHT permit 10\n set weight 0\nrouter bgp 65000\n neighbor 10.0.0.2 route-map LP in\n network {PREFIX} route-map LIGHT\n"
        );
        best(&star(profile, &lines, &[from(65001, 1, "")]))
    };
    for profile in [Profile::FRR, Profile::EOS, Profile::IOS, Profile::IOS_XR] {
        assert_eq!(choice(profile), (Some(0), "local_pref"));
    }
    for profile in [Profile::JUNOS, Profile::NOKIA] {
        assert_eq!(choice(profile), (None, "local_origin"));
    }
}

#[test]
fn of_three_paths_the_grouping_by_neighbour_as_decides() {
    // n0 and n2 are of one AS; without groups n2, which came last, is first compared with n1
    let paths = || [from(65001, 9, " set metric 10\n"), from(65002, 5, ""), from(65001, 1, " set metric 20\n")];
    let choice = |profile, lines| best(&star(profile, lines, &paths())).0;
    let routers = "router bgp 65000\n bgp bestpath compare-routerid\n";
    // groups: n0 beats n2 by MED, then n1 has the lower router id
    for profile in [Profile::EOS, Profile::IOS_XR, Profile::JUNOS, Profile::NOKIA] {
        assert_eq!(choice(profile, routers), Some(1));
    }
    // order of arrival: n2 beats n1 by router id, then n0 beats n2 by MED
    for profile in [Profile::FRR, Profile::IOS] {
        assert_eq!(choice(profile, routers), Some(0));
    }
}

#[test]
fn a_missing_med_is_zero_or_exempt() {
    let choice = |profile, lines: &str| {
        let lines = format!("router bgp 65000\n bgp bestpath compare-routerid\n{lines}");
        best(&star(profile, &lines, &[from(65001, 1, " set metric 50\n"), from(65001, 2, "")]))
    };
    // `network` announces MED 0 itself: a neighbour that has none is one of another make, so its own is taken off at the border of its AS
    let none = |profile, lines: &str| {
        let mut blueprint =
            star(profile, &format!("router bgp 65000\n bgp bestpath compare-routerid\n{lines}"), &[from(65001, 1, " set metric 50\n")]);
        let feed = routing::Feed {
            router: 0,
            neighbor: "10.0.7.2".parse().unwrap(),
            router_id: "2.2.2.2".parse().unwrap(),
            attributes: Arc::new(vec![bgp::PathAttributes {
                as_path: bgp::AsPath::sequence([65001]),
                next_hop: "10.0.7.2".parse().ok(),
                ..bgp::PathAttributes::default()
            }]),
            routes: Arc::new(vec![(PREFIX.parse().unwrap(), 0)]),
        };
        let mut config = (*blueprint.routers[0].config).clone();
        let more = config::frr::parse("interface eth7\n ip address 10.0.7.1/24\nrouter bgp 65000\n neighbor 10.0.7.2 remote-as 65001\n");
        config.interfaces.extend(more.interfaces);
        config.bgp.as_mut().unwrap().neighbors.extend(more.bgp.unwrap().neighbors);
        blueprint.routers[0].config = Arc::new(config);
        blueprint.feeds.push(feed);
        best(&blueprint)
    };
    for profile in [Profile::FRR, Profile::EOS, Profile::IOS, Profile::IOS_XR, Profile::JUNOS] {
        assert_eq!(choice(profile, ""), (Some(1), "med"));
        assert_eq!(none(profile, ""), (Some(7), "med"));
        assert_eq!(none(profile, " bgp bestpath med missing-as-worst\n"), (Some(0), "med"));
    }
    assert_eq!(none(Profile::NOKIA, ""), (Some(0), "router_id"), "exempt, so the lower BGP-ID");
    assert_eq!(none(Profile::NOKIA, " bgp always-compare-med\n"), (Some(7), "med"));
}

#[test]
fn the_path_in_use_stays_by_vendor() {
    // the later one has the lower router id
    let choice = |profile, second: u32, lines| best(&star(profile, lines, &[from(65001, 5, ""), from(second, 1, "")]));
    for profile in [Profile::FRR, Profile::EOS, Profile::IOS, Profile::IOS_XR] {
        assert_eq!(choice(profile, 65002, ""), (Some(0), "oldest"));
        assert_eq!(choice(profile, 65001, ""), (Some(0), "oldest"));
        assert_eq!(choice(profile, 65002, "router bgp 65000\n bgp bestpath compare-routerid\n"), (Some(1), "router_id"));
    }
    assert_eq!(choice(Profile::JUNOS, 65002, ""), (Some(0), "oldest"));
    assert_eq!(choice(Profile::JUNOS, 65001, ""), (Some(1), "router_id"), "of one AS the router id decides");
    assert_eq!(choice(Profile::NOKIA, 65002, ""), (Some(1), "router_id"));
}

#[test]
fn multipath_asks_for_a_neighbour_as_a_path_or_a_length() {
    // two of AS 65001 that name different origins, and one of AS 65002
    let paths = || {
        [
            from(65001, 1, " set as-path prepend 65011\n"),
            from(65001, 2, " set as-path prepend 65012\n"),
            from(65002, 3, " set as-path prepend 65011\n"),
        ]
    };
    let used = |profile, more: &str| {
        let lines = format!("router bgp 65000\n bgp bestpath compare-routerid\n{more} address-family ipv4 unicast\n  maximum-paths 8\n");
        rows(&star(profile, &lines, &paths())).iter().filter(|r| r.multipath).count()
    };
    assert_eq!((used(Profile::FRR, ""), used(Profile::JUNOS, "")), (2, 2));
    assert_eq!((used(Profile::IOS_XR, ""), used(Profile::IOS, "")), (0, 0));
    assert_eq!(used(Profile::EOS, ""), 3);
    for profile in [Profile::FRR, Profile::IOS_XR] {
        assert_eq!(used(profile, " bgp bestpath as-path multipath-relax\n"), 3);
    }
}

/// r1 hears one prefix from a reflector (originator 1.1.1.1) and from the border itself (router id 2.2.2.2).
fn reflected(profile: Profile) -> (String, &'static str) {
    let lo = |n: u32| format!("interface lo\n ip address 10.9.9.{n}/32\n ip ospf area 0\n");
    let port = |n: u32, a: &str| format!("interface eth{n}\n ip address {a}/24\n ip ospf area 0\n");
    let bgp = |id: u32, lines: &str| {
        format!("router bgp 65000\n bgp router-id {id}.{id}.{id}.{id}\n no bgp ebgp-requires-policy\n no bgp network import-check\n{lines}")
    };
    let r1 =
        port(0, "10.0.1.1") + &port(1, "10.0.2.1") + &bgp(9, " neighbor 10.0.1.2 remote-as 65000\n neighbor 10.0.2.2 remote-as 65000\n");
    // the reflector and its client, whose next hop is as far as the other border's
    let rr = port(0, "10.0.1.2")
        + &port(1, "10.0.3.1")
        + &bgp(7, " neighbor 10.0.1.1 remote-as 65000\n neighbor 10.0.3.2 remote-as 65000\n neighbor 10.0.3.2 route-reflector-client\n");
    let client = port(0, "10.0.3.2")
        + &lo(1)
        + &bgp(1, &format!(" neighbor 10.0.3.1 remote-as 65000\n neighbor 10.0.3.1 route-map NH out\n network {PREFIX}\n"))
        + "route-map NH permit 10\n set ip next-hop 10.9.9.1\n";
    let border = port(0, "10.0.2.2")
        + &port(1, "10.0.4.1")
        + "route-map NH permit 10\n set ip next-hop 10.9.9.2\n"
        + &bgp(2, &format!(" neighbor 10.0.2.1 remote-as 65000\n neighbor 10.0.2.1 route-map NH out\n network {PREFIX}\n"));
    let behind = port(0, "10.0.4.2") + &lo(2);
    let texts = [r1, rr, client, border, behind];
    let routers = texts.iter().enumerate().map(|(n, t)| Router {
        name: format!("r{n}"),
        config: Arc::new(config::frr::parse(t)),
        profile: if n == 0 { profile } else { Profile::FRR },
    });
    let blueprint = Blueprint { routers: routers.collect(), ..Blueprint::default() };
    let rows = rows(&blueprint);
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].igp_metric, rows[1].igp_metric);
    let row = rows.iter().find(|r| r.best).unwrap();
    (row.from.unwrap().to_string(), row.reason.unwrap())
}

#[test]
fn the_cluster_list_stands_before_or_behind_the_router_id() {
    for profile in [Profile::FRR, Profile::EOS, Profile::IOS, Profile::IOS_XR, Profile::NOKIA] {
        assert_eq!(reflected(profile), ("10.0.1.2".to_owned(), "router_id"), "originator 1.1.1.1 is lower than 2.2.2.2");
    }
    assert_eq!(reflected(Profile::JUNOS), ("10.0.2.2".to_owned(), "cluster_length"));
}

#[test]
fn the_last_step_is_the_neighbour_or_the_next_hop() {
    // two sessions with one router: its second address is the lower next hop
    let choice = |profile| {
        let neighbours = [from(65001, 1, ""), from(65001, 1, " set ip next-hop 10.0.0.77\n")];
        let lines = "router bgp 65000\n bgp bestpath compare-routerid\n";
        let mut blueprint = star(profile, lines, &neighbours);
        // the second takes its next hop from the first one's subnet: allowed over several hops
        let mut config = (*blueprint.routers[0].config).clone();
        for neighbor in config.bgp.as_mut().unwrap().neighbors.values_mut() {
            neighbor.wider.ebgp_multihop = Some(2);
        }
        blueprint.routers[0].config = Arc::new(config);
        best(&blueprint)
    };
    assert_eq!(choice(Profile::FRR).1, "neighbour_address");
    let nokia = choice(Profile::NOKIA);
    assert_eq!(nokia, (Some(0), "next_hop"), "10.0.0.2 is lower than 10.0.0.77");
}

#[test]
fn where_it_is_told_to_junos_compares_in_order_of_arrival() {
    let knobs = |non_deterministic| {
        let paths = [from(65001, 9, " set metric 10\n"), from(65002, 5, ""), from(65001, 1, " set metric 20\n")];
        let mut blueprint = star(Profile::JUNOS, "router bgp 65000\n bgp bestpath compare-routerid\n", &paths);
        let mut config = (*blueprint.routers[0].config).clone();
        config.bgp.as_mut().unwrap().best_path.med_non_deterministic = non_deterministic;
        blueprint.routers[0].config = Arc::new(config);
        best(&blueprint).0
    };
    assert_eq!((knobs(false), knobs(true)), (Some(1), Some(0)));
}

#[test]
fn the_igp_metric_is_added_to_the_med_where_it_is_told() {
    let border = |n: u32, med: u32| {
        format!(
            "interface eth0\n ip address 10.0.{n}.2/24\n ip ospf area 0\ninterface lo\n ip address 10.9.9.{n}/32\n ip ospf area 0\nroute-map OUT permit 10\n set metric {med}\n set ip next-hop 10.9.9.{n}\nrouter bgp 65000\n bgp router-id {n}.{n}.{n}.{n}\n no bgp network import-check\n neighbor 10.0.{n}.1 remote-as 65000\n neighbor 10.0.{n}.1 route-map OUT out\n network {PREFIX}\n"
        )
    };
    let choice = |plus_igp| {
        let r1 = "interface eth2\n ip address 10.0.2.1/24\n ip ospf area 0\n ip ospf cost 30\ninterface eth3\n ip address 10.0.3.1/24\n ip ospf area 0\n ip ospf cost 1\nrouter bgp 65000\n bgp router-id 9.9.9.9\n neighbor 10.0.2.2 remote-as 65000\n neighbor 10.0.3.2 remote-as 65000\n";
        let mut r1 = config::frr::parse(r1);
        r1.bgp.as_mut().unwrap().best_path.med_plus_igp = plus_igp;
        let router = |name: &str, config| Router { name: name.to_owned(), config: Arc::new(config), profile: Profile::JUNOS };
        let routers =
            vec![router("r1", r1), router("r2", config::frr::parse(&border(2, 10))), router("r3", config::frr::parse(&border(3, 20)))];
        best(&Blueprint { routers, ..Blueprint::default() })
    };
    // 10 against 20; with the metrics 40 against 21
    assert_eq!((choice(false), choice(true)), ((Some(2), "med"), (Some(3), "med")));
}
