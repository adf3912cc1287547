//! Features of FRR 8.4 one by one: small networks on real routers, table by table against ours. Needs root and FRR.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]
#![allow(clippy::print_stdout, reason = "the agreement is what the test is for")]

use case::live::{self, Live};
use case::{Case, Text, answer, compare};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

/// One network at a time: the daemons share the machine with other tests.
static ONE: Mutex<()> = Mutex::new(());

/// A network of routers and links; each router's configuration, and who is on each switch.
fn network(routers: &[(&str, String)], links: &[(&str, &[&str])]) -> Case {
    let text = |t: &String| Text { files: vec![("frr.conf".to_owned(), t.clone())] };
    Case {
        routers: routers.iter().map(|(n, t)| ((*n).to_owned(), text(t))).collect(),
        links: links.iter().map(|(n, r)| ((*n).to_owned(), r.iter().map(|r| (*r).to_owned()).collect())).collect(),
        steps: Vec::new(),
        profiles: Default::default(),
    }
}

/// `router bgp` with what all of these networks have.
fn bgp(asn: u32, id: &str, neighbors: &[(&str, &str)], more: &str, family: &str) -> String {
    let mut out = format!("router bgp {asn}\n bgp router-id {id}\n no bgp ebgp-requires-policy\n no bgp network import-check\n");
    for (address, remote) in neighbors {
        let join = if address.contains('.') { "" } else { "interface " };
        out += &format!(" neighbor {address} {join}remote-as {remote}\n");
        if address.contains('.') {
            out += &format!(" neighbor {address} timers connect 1\n");
        }
    }
    format!("{out}{more} address-family ipv4 unicast\n{family} exit-address-family\nexit\n")
}

fn port(name: &str, address: &str) -> String {
    format!("interface {name}\n ip address {address}\nexit\n")
}

/// Compares a network's tables with those of real FRR; `then` may ask the routers and look at ours.
fn agrees(name: &str, case: &Case, then: impl FnOnce(&Live<'_>, &answer::Answer)) {
    if let Some(why) = live::missing() {
        println!("skipped: {why}");
        return;
    }
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let ours = answer::solve(case);
    let stop = AtomicBool::new(false);
    let live = Live::start(case, name, &live::Arrival::default(), &stop).unwrap();
    let (shown, unfinished) = live.tables(ours.session_sides).unwrap();
    then(&live, &ours);
    drop(live);
    assert_eq!(unfinished, None, "{name}");
    let (rows, different) = compare::tables(&ours, &shown);
    for d in &different {
        println!("  {name} {} {}: {}{}", d.router, d.prefix, d.what.join("; "), if d.told { " (told as dependent on order)" } else { "" });
    }
    println!("{name}: {} of {rows} rows equal", rows - different.len());
    assert!(different.is_empty() && rows > 0, "{name}: {different:?}");
}

fn row<'a>(ours: &'a answer::Answer, router: &str, prefix: &str) -> Option<&'a Vec<routing::PathRow>> {
    let table: &BTreeMap<_, answer::Row> = ours.routers.get(router)?.get("ipv4_unicast")?;
    table.get(&prefix.parse().unwrap()).map(|r| &r.paths)
}

/// Extended communities are set, matched by list and expression, kept inside the AS where they are not transitive; a site's routes do
/// not go back to it; AS numbers are replaced; sources are matched.
#[test]
fn extended_communities_site_of_origin_and_as_replacement() {
    let r1 = port("r1-eth0", "10.1.12.1/24")
        + "route-map OUT permit 10\n set extcommunity rt 65001:7 192.0.2.1:9\nexit\nroute-map OUT permit 20\nexit\n"
        + "ip prefix-list P seq 5 permit 203.0.113.0/24\n"
        + "route-map OUT permit 10\n match ip address prefix-list P\n on-match next\nexit\n"
        + "route-map OUT permit 20\n set extcommunity bandwidth 100\nexit\n"
        + &bgp(
            65001,
            "1.1.1.1",
            &[("10.1.12.2", "65002")],
            "",
            "  network 203.0.113.0/24\n  network 198.51.100.0/24\n  neighbor 10.1.12.2 route-map OUT out\n",
        );
    let r2 = port("r2-eth0", "10.1.12.2/24")
        + &port("r2-eth1", "10.1.23.2/24")
        + &port("r2-eth2", "10.1.24.2/24")
        + "bgp extcommunity-list standard RT seq 5 permit rt 65001:7\nbgp extcommunity-list expanded LB seq 5 permit LB:\n"
        + "ip prefix-list FROM1 seq 5 permit 10.1.12.1/32\n"
        + "route-map IN permit 10\n match extcommunity RT\n set local-preference 150\n on-match next\nexit\n"
        + "route-map IN permit 20\n match ip route-source prefix-list FROM1\n set large-community 65002:1:2\nexit\n"
        + "route-map TO3 permit 10\n match extcommunity LB\n set extcommunity bandwidth 50 non-transitive\n set as-path replace 65001\nexit\n"
        + "route-map TO4 permit 10\n set extcommunity none\n set as-path replace any\nexit\n"
        + &bgp(
            65002,
            "2.2.2.2",
            &[("10.1.12.1", "65001"), ("10.1.23.3", "65003"), ("10.1.24.4", "65002")],
            "",
            "  neighbor 10.1.12.1 route-map IN in\n  neighbor 10.1.12.1 soo 65002:11\n  neighbor 10.1.23.3 route-map TO3 out\n  neighbor 10.1.24.4 route-map TO4 out\n  neighbor 10.1.24.4 next-hop-self\n",
        );
    // a second session to the site of r1: what came from there must not go back
    let r3 = port("r3-eth0", "10.1.23.3/24")
        + &port("r3-eth1", "10.1.35.3/24")
        + &bgp(65003, "3.3.3.3", &[("10.1.23.2", "65002"), ("10.1.35.5", "65005")], "", "  neighbor 10.1.35.5 soo 65002:11\n");
    let r4 = port("r4-eth0", "10.1.24.4/24") + &bgp(65002, "4.4.4.4", &[("10.1.24.2", "65002")], "", "  network 192.0.2.0/24\n");
    let r5 = port("r5-eth0", "10.1.35.5/24") + &bgp(65005, "5.5.5.5", &[("10.1.35.3", "65003")], "", "  network 100.64.0.0/16\n");
    let links: &[(&str, &[&str])] = &[("s12", &["r1", "r2"]), ("s23", &["r2", "r3"]), ("s24", &["r2", "r4"]), ("s35", &["r3", "r5"])];
    let case = network(&[("r1", r1), ("r2", r2), ("r3", r3), ("r4", r4), ("r5", r5)], links);
    agrees("ext", &case, |_, ours| {
        assert!(ours.unmodelled.is_empty(), "{:?}", ours.unmodelled);
        assert!(row(ours, "r5", "203.0.113.0/24").is_none(), "it is from the site that r5 is at");
        let at2 = &row(ours, "r2", "203.0.113.0/24").unwrap()[0];
        let said: Vec<String> = at2.extended_communities.iter().map(ToString::to_string).collect();
        assert_eq!(said, ["RT:65001:7", "SoO:65002:11", "LB:65001:12500000", "RT:192.0.2.1:9"]);
    });
}

/// Sessions by interface carry IPv4 routes with IPv6 next hops (RFC 8950); where that was not agreed on, or inside the AS, the next hop
/// becomes an address that means something there.
#[test]
fn sessions_by_interface_and_ipv6_next_hops_of_ipv4_routes() {
    let r1 = bgp(65001, "1.1.1.1", &[("r1-eth0", "external")], "", "  network 203.0.113.0/24\n");
    let r2 = port("r2-eth2", "10.1.24.2/24")
        + &port("r2-eth4", "10.1.26.1/30")
        + "interface r2-eth5\n ip address 10.1.27.2/24\n ipv6 address 2001:db8:27::2/64\nexit\n"
        + "interface r2-eth6\n ip address 10.1.28.2/24\n ipv6 address 2001:db8:28::2/64\nexit\n"
        + &bgp(
            65002,
            "2.2.2.2",
            &[("r2-eth0", "65001"), ("r2-eth1", "external"), ("10.1.24.4", "65002"), ("r2-eth3", "internal"), ("r2-eth4", "external")],
            " neighbor 2001:db8:27::7 remote-as 65007\n neighbor 2001:db8:27::7 capability extended-nexthop\n neighbor 2001:db8:27::7 timers connect 1\n neighbor 2001:db8:28::8 remote-as 65008\n neighbor 2001:db8:28::8 timers connect 1\n",
            "  network 198.51.100.0/24\n",
        );
    let r3 = bgp(65003, "3.3.3.3", &[("r3-eth0", "external")], "", "  network 192.0.2.0/24\n");
    let r4 = port("r4-eth0", "10.1.24.4/24") + &bgp(65002, "4.4.4.4", &[("10.1.24.2", "65002")], "", "");
    let r5 = bgp(65002, "5.5.5.5", &[("r5-eth0", "internal")], "", "  network 100.64.0.0/16\n");
    let r6 = port("r6-eth0", "10.1.26.2/30") + &bgp(65006, "6.6.6.6", &[("r6-eth0", "external")], "", "  network 100.66.0.0/16\n");
    let far = |n: u32| {
        format!("interface r{n}-eth0\n ip address 10.1.2{n}.{n}/24\n ipv6 address 2001:db8:2{n}::{n}/64\nexit\n")
            + &bgp(
                65000 + n,
                &format!("{n}.{n}.{n}.{n}"),
                &[],
                &format!(
                    " neighbor 2001:db8:2{n}::2 remote-as 65002\n neighbor 2001:db8:2{n}::2 timers connect 1\n{}",
                    if n == 7 { " neighbor 2001:db8:27::2 capability extended-nexthop\n" } else { "" }
                ),
                &format!("  network 100.{}.0.0/16\n", 60 + n),
            )
    };
    let links: &[(&str, &[&str])] = &[
        ("s1", &["r1", "r2"]),
        ("s2", &["r2", "r3"]),
        ("s3", &["r2", "r4"]),
        ("s4", &["r2", "r5"]),
        ("s5", &["r2", "r6"]),
        ("s6", &["r2", "r7"]),
        ("s7", &["r2", "r8"]),
    ];
    let routers = [("r1", r1), ("r2", r2), ("r3", r3), ("r4", r4), ("r5", r5), ("r6", r6), ("r7", far(7)), ("r8", far(8))];
    let case = network(&routers, links);
    agrees("unn", &case, |_, ours| {
        assert!(ours.unmodelled.is_empty() && ours.absent_sessions.is_empty(), "{:?} {:?}", ours.unmodelled, ours.absent_sessions);
        let at3 = &row(ours, "r3", "203.0.113.0/24").unwrap()[0];
        assert_eq!(at3.interface.as_deref(), Some("r3-eth0"));
        assert!(at3.valid && at3.next_hops[0].is_ipv6());
        assert_eq!(row(ours, "r4", "203.0.113.0/24").unwrap()[0].next_hops, ["10.1.24.2".parse::<core::net::IpAddr>().unwrap()]);
    });
}

/// Policies of redistribution see the tag and change the metric; a backdoor network is not announced; a network may be given with its mask.
#[test]
fn redistribution_by_tag_and_metric() {
    let r1 = port("r1-eth0", "10.1.12.1/24");
    let r2 = port("r2-eth0", "10.1.12.2/24")
        + &port("r2-eth1", "10.1.23.2/24")
        + "ip route 198.51.100.0/24 blackhole tag 7\nip route 198.51.101.0/24 blackhole tag 9\nip route 203.0.113.0/24 10.1.12.1\nip route 10.1.23.0/24 blackhole\n"
        + "route-map TAGGED permit 10\n match tag 7\n set metric 77\nexit\nroute-map TAGGED deny 20\n match tag 9\nexit\nroute-map TAGGED permit 30\n set metric +5\nexit\n"
        + &bgp(
            65002,
            "2.2.2.2",
            &[("10.1.23.3", "65003")],
            "",
            "  redistribute static route-map TAGGED\n  redistribute connected metric 3\n  network 100.65.0.0/16 backdoor\n",
        );
    let r3 =
        port("r3-eth0", "10.1.23.3/24") + &bgp(65003, "3.3.3.3", &[("10.1.23.2", "65002")], "", "  network 100.65.0.0 mask 255.255.0.0\n");
    let case = network(&[("r1", r1), ("r2", r2), ("r3", r3)], &[("s1", &["r1", "r2"]), ("s2", &["r2", "r3"])]);
    agrees("red", &case, |_, ours| {
        assert!(ours.unmodelled.is_empty(), "{:?}", ours.unmodelled);
        assert!(row(ours, "r3", "198.51.101.0/24").is_none());
        let med = |prefix: &str| row(ours, "r3", prefix).unwrap()[0].med;
        assert_eq!((med("198.51.100.0/24"), med("203.0.113.0/24"), med("10.1.12.0/24")), (Some(77), Some(5), Some(3)));
    });
}

/// A route that was withdrawn a few times is held back, by the penalty that FRR shows.
#[test]
fn dampening_counts_as_bgpd_does() {
    let r1 = port("r1-eth0", "10.1.12.1/24")
        + &bgp(65001, "1.1.1.1", &[("10.1.12.2", "65002")], "", "  network 203.0.113.0/24\n  network 192.0.2.0/24\n");
    let r2 = port("r2-eth0", "10.1.12.2/24") + &bgp(65002, "2.2.2.2", &[("10.1.12.1", "65001")], "", "  bgp dampening 5 750 2000 20\n");
    let case = network(&[("r1", r1), ("r2", r2)], &[("s1", &["r1", "r2"])]);
    agrees("dmp", &case, |live, ours| {
        assert!(ours.unmodelled.iter().any(|u| u.contains("dampening")), "without a history it is said: {:?}", ours.unmodelled);
        let flap = |on: &str| {
            let lines = ["router bgp 65001", "address-family ipv4 unicast", &format!("{on}network 203.0.113.0/24")].map(str::to_owned);
            live.configure("r1", &lines).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(1500));
        };
        let mut done = Vec::new();
        for _ in 0..3 {
            flap("no ");
            done.push(std::time::Instant::now());
            flap("");
        }
        let text = live.ask("r2", "show bgp ipv4 unicast 203.0.113.0/24 json").unwrap();
        let shown: serde_json::Value = serde_json::from_str(&text).unwrap();
        let path = &shown["paths"][0];
        let settings = config::Dampening { half_life_min: 5, reuse: 750, suppress: 2000, max_suppress_min: 20 };
        let flaps: Vec<routing::Flap> =
            done.iter().map(|at| routing::Flap { ago_s: at.elapsed().as_secs() as u32, kind: routing::FlapKind::Withdrawn }).collect();
        let figure = routing::figure(&settings, &flaps);
        println!("dmp: FRR {path}; ours {figure:?}");
        let penalty = path["dampeningPenalty"].as_f64().unwrap();
        assert!(figure.suppressed && (penalty - figure.penalty).abs() <= figure.penalty * 0.03, "{penalty} {figure:?}");
        let mut blueprint = case.blueprint();
        blueprint.flaps = Some(std::sync::Arc::new([((1, "10.1.12.1".parse().unwrap(), "203.0.113.0/24".parse().unwrap()), flaps)].into()));
        let plane = routing::Plane::new(&blueprint, bgp::Family::Ipv4Unicast);
        let mut solution = plane.solve_all(routing::Schedule::First);
        assert!(plane.rows(&mut solution, 1, &"203.0.113.0/24".parse().unwrap()).is_empty());
        assert_eq!(plane.rows(&mut solution, 1, &"192.0.2.0/24".parse().unwrap()).len(), 1);
        let why = plane.explain_choice(&mut solution, 1, &"203.0.113.0/24".parse().unwrap()).unwrap().to_string();
        assert!(why.contains("it flapped: penalty"), "{why}");
    });
}

/// GRACEFUL_SHUTDOWN sinks a route (RFC 8326), BLACKHOLE keeps it where it was told (RFC 7999), whether they come in or are put on.
#[test]
fn graceful_shutdown_and_blackhole() {
    let r1 = port("r1-eth0", "10.1.12.1/24")
        + "ip prefix-list P seq 5 permit 203.0.113.0/24\nip prefix-list Q seq 5 permit 198.51.100.66/32\n"
        + "route-map OUT permit 10\n match ip address prefix-list P\n set community graceful-shutdown\nexit\nroute-map OUT permit 20\n match ip address prefix-list Q\n set community blackhole\nexit\nroute-map OUT permit 30\nexit\n"
        + &bgp(
            65001,
            "1.1.1.1",
            &[("10.1.12.2", "65002")],
            "",
            "  network 203.0.113.0/24\n  network 198.51.100.66/32\n  network 192.0.2.0/24\n  neighbor 10.1.12.2 route-map OUT out\n",
        );
    let r2 = port("r2-eth0", "10.1.12.2/24")
        + &port("r2-eth1", "10.1.23.2/24")
        + &port("r2-eth2", "10.1.24.2/24")
        + &bgp(
            65002,
            "2.2.2.2",
            &[("10.1.12.1", "65001"), ("10.1.23.3", "65003"), ("10.1.24.4", "65002")],
            "",
            "  neighbor 10.1.24.4 next-hop-self\n",
        );
    let r3 = port("r3-eth0", "10.1.23.3/24")
        + &bgp(
            65003,
            "3.3.3.3",
            &[("10.1.23.2", "65002")],
            " bgp graceful-shutdown\n",
            "  network 100.64.0.0/16\n  network 100.66.0.0/16\n",
        );
    let r4 = port("r4-eth0", "10.1.24.4/24") + &bgp(65002, "4.4.4.4", &[("10.1.24.2", "65002")], "", "");
    let case =
        network(&[("r1", r1), ("r2", r2), ("r3", r3), ("r4", r4)], &[("s1", &["r1", "r2"]), ("s2", &["r2", "r3"]), ("s3", &["r2", "r4"])]);
    agrees("gsh", &case, |_, ours| {
        assert_eq!(row(ours, "r4", "203.0.113.0/24").unwrap()[0].local_pref, Some(0));
    });
}

/// The sender of further paths sends its best one to a neighbour that wants no others.
#[test]
fn further_paths_only_to_who_takes_them() {
    let r1 = port("r1-eth0", "10.1.12.1/24")
        + &port("r1-eth1", "10.1.13.1/24")
        + &port("r1-eth2", "10.1.14.1/24")
        + &port("r1-eth3", "10.1.15.1/24")
        + &bgp(
            65001,
            "1.1.1.1",
            &[("10.1.12.2", "65002"), ("10.1.13.3", "65003"), ("10.1.14.4", "65001"), ("10.1.15.5", "65001")],
            " bgp bestpath compare-routerid\n",
            "  neighbor 10.1.14.4 next-hop-self\n  neighbor 10.1.15.5 next-hop-self\n  neighbor 10.1.14.4 addpath-tx-all-paths\n  neighbor 10.1.15.5 addpath-tx-all-paths\n",
        );
    let outside = |n: u32| {
        port(&format!("r{n}-eth0"), &format!("10.1.1{n}.{n}/24"))
            + &bgp(65000 + n, &format!("{n}.{n}.{n}.{n}"), &[(&format!("10.1.1{n}.1"), "65001")], "", "  network 203.0.113.0/24\n")
    };
    let longer = |text: String| {
        "route-map LONG permit 10\n set as-path prepend 65003\nexit\n".to_owned()
            + &text.replace("  network 203", "  neighbor 10.1.13.1 route-map LONG out\n  network 203")
    };
    let inside = |n: u32, more: &str| {
        port(&format!("r{n}-eth0"), &format!("10.1.1{n}.{n}/24"))
            + &bgp(65001, &format!("{n}.{n}.{n}.{n}"), &[(&format!("10.1.1{n}.1"), "65001")], "", more)
    };
    let routers = [
        ("r1", r1),
        ("r2", outside(2)),
        ("r3", longer(outside(3))),
        ("r4", inside(4, "")),
        ("r5", inside(5, "  neighbor 10.1.15.1 disable-addpath-rx\n")),
    ];
    let links: &[(&str, &[&str])] = &[("s1", &["r1", "r2"]), ("s2", &["r1", "r3"]), ("s3", &["r1", "r4"]), ("s4", &["r1", "r5"])];
    agrees("add", &network(&routers, links), |_, ours| {
        let count = |router| row(ours, router, "203.0.113.0/24").unwrap().len();
        assert_eq!((count("r4"), count("r5")), (2, 1));
    });
}

/// zebra does not install a route that would lead to its own next hop; the table of BGP has it all the same.
#[test]
fn a_route_over_its_own_next_hop_stays_out_of_force() {
    let r2 = port("r2-eth0", "10.1.23.2/24") + "ip route 10.0.0.0/8 10.1.23.3\n" + &bgp(65002, "2.2.2.2", &[("10.9.9.3", "65002")], "", "");
    let r3 = port("r3-eth0", "10.1.23.3/24")
        + "interface lo\n ip address 10.9.9.3/32\nexit\n"
        + &bgp(
            65002,
            "3.3.3.3",
            &[("10.1.23.2", "65002")],
            " neighbor 10.1.23.2 update-source lo\n",
            "  network 10.9.0.0/16\n  network 203.0.113.0/24\n",
        );
    let case = network(&[("r2", r2), ("r3", r3)], &[("s1", &["r2", "r3"])]);
    agrees("own", &case, |live, ours| {
        let told: Vec<String> = ours.anomalies.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["10.9.0.0/16: at r2 the route covers its own next hop 10.9.9.3 and cannot come into force"]);
        let shown = live.ask("r2", "show ip route bgp").unwrap();
        let line = |prefix: &str| shown.lines().find(|l| l.contains(prefix)).unwrap_or_default().to_owned();
        println!("{shown}");
        assert!(line("203.0.113.0/24").starts_with("B>"), "{shown}");
        assert!(!line("10.9.0.0/16").starts_with("B>"), "{shown}");
    });
}

/// `frr defaults datacenter`: an eBGP session without policy passes routes, and MEDs are compared within neighbour ASes first. The same router
/// with the traditional profile refuses both; an old `frr version` opens sessions and announces what it has no route to.
#[test]
fn profile_and_version_set_the_defaults() {
    // r1 hears 203.0.113.0/24 from AS 65002 twice (MED 30 and 10) and from AS 65003; which of them wins in a row of pairs differs from
    // what wins by groups in some order of arrival, so that the oldest does not decide
    let r1 = |top: &str| {
        let neighbors: String = [("12", 65002), ("13", 65003), ("14", 65002)]
            .iter()
            .map(|(link, asn)| format!(" neighbor 10.1.{link}.2 remote-as {asn}\n neighbor 10.1.{link}.2 timers connect 1\n"))
            .collect();
        top.to_owned()
            + &port("r1-eth0", "10.1.12.1/24")
            + &port("r1-eth1", "10.1.13.1/24")
            + &port("r1-eth2", "10.1.14.1/24")
            + "router bgp 65001\n bgp router-id 1.1.1.1\n bgp bestpath compare-routerid\n"
            + &neighbors
            + " address-family ipv4 unicast\n  network 198.51.100.0/24\n exit-address-family\nexit\n"
    };
    let r = |n: u32, asn: u32, id: u32, med: u32| {
        port(&format!("r{n}-eth0"), &format!("10.1.1{n}.2/24"))
            + &format!("route-map OUT permit 10\n set metric {med}\nexit\n")
            + &bgp(
                asn,
                &format!("{id}.{id}.{id}.{id}"),
                &[(&format!("10.1.1{n}.1"), "65001")],
                "",
                &format!("  network 203.0.113.0/24\n  neighbor 10.1.1{n}.1 route-map OUT out\n"),
            )
    };
    let links: &[(&str, &[&str])] = &[("s12", &["r1", "r2"]), ("s13", &["r1", "r3"]), ("s14", &["r1", "r4"])];
    let whole =
        |top: &str| network(&[("r1", r1(top)), ("r2", r(2, 65002, 2, 30)), ("r3", r(3, 65003, 3, 0)), ("r4", r(4, 65002, 4, 10))], links);
    agrees("dc", &whole("frr version 8.4.4\nfrr defaults datacenter\nip route 198.51.100.0/24 blackhole\n"), |live, ours| {
        let best = row(ours, "r1", "203.0.113.0/24").unwrap().iter().find(|p| p.best).unwrap();
        assert_eq!(best.from.unwrap().to_string(), "10.1.13.2", "MED 10 wins in AS 65002, and its router id is above that of r3");
        assert!(ours.order_dependent.is_empty() && ours.unmodelled.is_empty(), "{:?} {:?}", ours.order_dependent, ours.unmodelled);
        assert!(live.ask("r1", "show running-config").unwrap().contains("frr defaults datacenter"));
    });
    agrees("trad", &whole("frr version 8.4.4\nfrr defaults traditional\nip route 198.51.100.0/24 blackhole\n"), |_, ours| {
        assert!(row(ours, "r1", "203.0.113.0/24").is_none() && row(ours, "r2", "198.51.100.0/24").is_none());
    });
    agrees("old", &whole("frr version 7.3\nfrr defaults traditional\n"), |_, ours| {
        assert_eq!(ours.unmodelled, ["r1: line 1: frr version 7.3: decided as 8.4 does"]);
        assert!(row(ours, "r2", "198.51.100.0/24").is_some());
    });
}

/// Real routers come to rest in one of the states that are told.
#[test]
fn disagree_comes_to_rest_in_one_of_the_states_told() {
    let rim = |n: u32, other: u32| {
        port(&format!("r{n}-eth0"), &format!("10.1.0{n}.2/24").replace("10.1.0", "10.1.1"))
            + &port(&format!("r{n}-eth1"), &format!("10.1.30.{n}/24"))
            + "route-map HIGH permit 10\n set local-preference 200\nexit\n"
            + &bgp(
                65000 + n,
                &format!("{n}.{n}.{n}.{n}"),
                &[(&format!("10.1.1{n}.1"), "65000"), (&format!("10.1.30.{other}"), &(65000 + other).to_string())],
                "",
                &format!("  neighbor 10.1.30.{other} route-map HIGH in\n"),
            )
    };
    let r0 = port("r0-eth0", "10.1.11.1/24")
        + &port("r0-eth1", "10.1.12.1/24")
        + &bgp(65000, "9.9.9.9", &[("10.1.11.2", "65001"), ("10.1.12.2", "65002")], "", "  network 203.0.113.0/24\n");
    let case = network(
        &[("r0", r0), ("r1", rim(1, 2)), ("r2", rim(2, 1))],
        &[("s1", &["r0", "r1"]), ("s2", &["r0", "r2"]), ("s3", &["r1", "r2"])],
    );
    if let Some(why) = live::missing() {
        println!("skipped: {why}");
        return;
    }
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let ours = answer::solve(&case);
    let routing::Outcome::Disagree { states, .. } = &ours.anomalies[0].outcome else { panic!("{:?}", ours.anomalies) };
    let stop = AtomicBool::new(false);
    let live = Live::start(&case, "dis", &live::Arrival::default(), &stop).unwrap();
    let (shown, _) = live.tables(ours.session_sides).unwrap();
    drop(live);
    let path = |r: &str| {
        let best = shown[r].detail["203.0.113.0/24"].paths.iter().find(|p| p.is_best()).unwrap();
        best.as_path().split(' ').map(|asn| format!("r{}", asn.parse::<u32>().unwrap() - 65000)).collect::<Vec<_>>()
    };
    let real = ["r1", "r2"].map(|r| (r.to_owned(), [vec![r.to_owned()], path(r)].concat()));
    assert!(states.iter().any(|s| real.iter().all(|(r, way)| &s.ways[r] == way)), "{real:?} is not among {states:?}");
    println!("dis: {real:?} is one of {} states told", states.len());
}

/// Lines that end neighbours and groups, typed at a real router, leave the tables that ours have after them, and the way back typed there those
/// of before. Policies do not come back with a neighbour that is named again.
#[test]
fn what_ends_a_neighbour_or_a_policy_takes_all_of_it_and_the_way_back_brings_it_back() {
    let one = |n: u32| {
        port(&format!("r{n}-eth0"), &format!("10.1.2{n}.{n}/24"))
            + &bgp(
                65000 + n,
                &format!("{n}.{n}.{n}.{n}"),
                &[(&format!("10.1.2{n}.2"), "65002")],
                "",
                &format!("  network 203.0.{n}.0/24\n  network 198.51.{n}.0/24\n"),
            )
    };
    let ports: String = [1, 3, 4].iter().zip(0..).map(|(n, at)| port(&format!("r2-eth{at}"), &format!("10.1.2{n}.2/24"))).collect();
    let r2 = ports
        + "ip prefix-list ONE seq 5 permit 203.0.0.0/16 le 24\n"
        + "route-map IN permit 10\n match ip address prefix-list ONE\n set local-preference 300\nexit\n"
        + &bgp(
            65002,
            "2.2.2.2",
            &[("10.1.21.1", "65001"), ("10.1.23.3", "65003")],
            " neighbor UP peer-group\n neighbor 10.1.23.3 peer-group UP\n neighbor AS4 peer-group\n neighbor AS4 remote-as 65004\n neighbor 10.1.24.4 peer-group AS4\n neighbor 10.1.24.4 timers connect 1\n",
            "  neighbor 10.1.21.1 route-map IN in\n  neighbor UP route-map IN in\n  neighbor AS4 route-map IN in\n",
        );
    let case = network(
        &[("r1", one(1)), ("r2", r2), ("r3", one(3)), ("r4", one(4))],
        &[("s1", &["r2", "r1"]), ("s2", &["r2", "r3"]), ("s3", &["r2", "r4"])],
    );
    let changes: [&[&str]; 4] = [
        &[
            "router bgp 65002",
            "no neighbor 10.1.21.1 remote-as 65001",
            "neighbor 10.1.21.1 remote-as 65001",
            "neighbor 10.1.21.1 timers connect 1",
        ],
        &["router bgp 65002", "no neighbor UP peer-group", "neighbor 10.1.23.3 remote-as 65003", "neighbor 10.1.23.3 timers connect 1"],
        &["router bgp 65002", "no neighbor 10.1.24.4 peer-group AS4"],
        &["ip prefix-list OTHER seq 5 permit any", "no route-map IN"],
    ];
    if let Some(why) = live::missing() {
        println!("skipped: {why}");
        return;
    }
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let stop = AtomicBool::new(false);
    let live = Live::start(&case, "ends", &live::Arrival::default(), &stop).unwrap();
    let same = |what: &str, case: &Case| {
        let ours = answer::solve(case);
        let (shown, unfinished) = live.tables(ours.session_sides).unwrap();
        assert_eq!(unfinished, None, "{what}");
        let (rows, different) = compare::tables(&ours, &shown);
        assert!(different.is_empty() && rows > 0, "{what}: {different:?}");
        println!("ends, {what}: {rows} rows equal");
        serde_json::to_string(&ours.routers).unwrap()
    };
    let type_in = |lines: &[String]| {
        live.configure("r2", lines).unwrap();
        // bgpd takes up a changed policy 5 s later (`bgp route-map delay-timer`); tables that rest before are those of before
        std::thread::sleep(std::time::Duration::from_secs(6));
    };
    let before = same("as it was", &case);
    for lines in changes {
        let what = lines[1];
        let config: Vec<String> = lines.iter().map(|l| (*l).to_owned()).collect();
        let change = case::change::Change::Config { router: "r2".to_owned(), config: config.clone(), undo: None };
        let effect = case.effect(&change).unwrap();
        type_in(&config);
        let after = case.changed(&change, &case::beside::Beside::default()).unwrap().case;
        assert_ne!(same(what, &after), before, "{what} moves nothing");
        assert_eq!(effect.inverse.len(), 1, "{what}");
        type_in(&effect.inverse[0].lines);
        same(&format!("{what}, taken back"), &case);
    }
}
