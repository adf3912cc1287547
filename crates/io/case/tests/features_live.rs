//! Features of FRR 8.4 one by one: small networks on real routers, table by table against ours. Needs root and FRR.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]
#![allow(clippy::print_stdout, reason = "the agreement is what the test is for")]

use case::live::{self, Live};
use case::{Case, Text, answer, compare};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// One network at a time: the daemons share the machine with other tests.
static ONE: Mutex<()> = Mutex::new(());

/// A network of routers and links; each router's configuration, and who is on each switch.
fn network(routers: &[(&str, String)], links: &[(&str, &[&str])]) -> Case {
    let text = |t: &String| Text { files: vec![("frr.conf".to_owned(), t.clone())] };
    Case {
        routers: routers.iter().map(|(n, t)| ((*n).to_owned(), text(t))).collect(),
        links: links.iter().map(|(n, r)| ((*n).to_owned(), r.iter().map(|r| (*r).to_owned()).collect())).collect(),
        steps: Vec::new(),
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
fn agrees(name: &str, case: &Case, then: impl FnOnce(&Live, &answer::Answer)) {
    if let Some(why) = live::missing() {
        println!("skipped: {why}");
        return;
    }
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let ours = answer::solve(case);
    let dir = std::env::temp_dir().join(format!("ph-feature-{}-{name}", std::process::id()));
    let live = Live::start(case, &format!("f{:x}{name}-", std::process::id() % 0xFFF), &dir).unwrap();
    let (shown, unfinished) = live.tables(ours.session_sides).unwrap();
    then(&live, &ours);
    drop(live);
    let _ = std::fs::remove_dir_all(&dir);
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
