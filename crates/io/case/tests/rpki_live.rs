//! Origin validation on real FRR 8.4, which has its VRPs from real StayRTR, against ours. Needs root, FRR with its module `rpki`, StayRTR.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]
#![allow(clippy::print_stdout, reason = "a test that cannot run says so")]

use case::beside::Beside;
use case::live::{self, Arrival, Live};
use case::{Case, Text, answer, compare};
use core::sync::atomic::AtomicBool;
use rtr::{File, Slurm};
use std::sync::Arc;
use std::time::{Duration, Instant};

const MODULE: &str = "/usr/lib/x86_64-linux-gnu/frr/modules/bgpd_rpki.so";
const STAYRTR: &str = "/usr/bin/stayrtr";
const PATIENCE: Duration = Duration::from_secs(40);

/// Three outcomes told apart; what is invalid stays, marked, so that the table shows all three. A term on the way out, too.
const R1: &str = "interface r1-eth0\n ip address 10.0.1.1/24\nexit\ninterface r1-eth1\n ip address 10.0.2.1/24\nexit\n\
rpki\n rpki polling_period 1\n rpki cache 127.0.0.1 18282 preference 1\nexit\n\
route-map IN permit 10\n match rpki valid\n set local-preference 200\nexit\n\
route-map IN permit 20\n match rpki notfound\n set local-preference 150\nexit\n\
route-map IN permit 30\n match rpki invalid\n set community 65001:666\n set local-preference 50\nexit\n\
route-map OUT deny 10\n match rpki invalid\nexit\nroute-map OUT permit 20\n match rpki valid\n set metric 7\nexit\nroute-map OUT permit 30\nexit\n\
route-map MINE permit 10\n match rpki valid\n set metric 11\nexit\nroute-map MINE permit 20\n set metric 22\nexit\n\
ip route 10.10.0.0/16 blackhole\nip route 10.20.0.0/16 blackhole\n\
router bgp 65001\n bgp router-id 1.1.1.1\n neighbor 10.0.1.2 remote-as 65002\n neighbor 10.0.1.2 timers connect 1\n \
neighbor 10.0.2.2 remote-as 65009\n neighbor 10.0.2.2 timers connect 1\n address-family ipv4 unicast\n  \
network 10.10.0.0/16 route-map MINE\n  network 10.20.0.0/16 route-map MINE\n  neighbor 10.0.1.2 route-map IN in\n  \
neighbor 10.0.1.2 route-map OUT out\n  neighbor 10.0.2.2 route-map IN in\n  neighbor 10.0.2.2 route-map OUT out\n exit-address-family\nexit\n";

/// Announces for others: paths that end as the policy says; one ends with a set.
const X: &str = "interface x-eth0\n ip address 10.0.1.2/24\nexit\ninterface x-eth1\n ip address 10.0.3.2/24\nexit\n\
ip prefix-list OTHER seq 5 permit 198.51.100.0/24\nip prefix-list LONG seq 5 permit 192.0.2.128/25\n\
route-map OUT permit 10\n match ip address prefix-list OTHER\n set as-path prepend 65002 65777\nexit\nroute-map OUT permit 20\nexit\n\
ip route 192.0.2.0/24 blackhole\nip route 192.0.2.128/25 blackhole\nip route 198.51.100.0/24 blackhole\nip route 203.0.113.0/24 blackhole\n\
ip route 100.64.0.0/16 blackhole\n\
router bgp 65002\n bgp router-id 2.2.2.2\n no bgp ebgp-requires-policy\n neighbor 10.0.1.1 remote-as 65001\n neighbor 10.0.1.1 timers connect 1\n \
neighbor 10.0.3.3 remote-as 65003\n neighbor 10.0.3.3 timers connect 1\n address-family ipv4 unicast\n  network 192.0.2.0/24\n  \
network 192.0.2.128/25\n  network 198.51.100.0/24\n  network 203.0.113.0/24\n  network 100.64.0.0/16\n  aggregate-address 198.18.0.0/16 as-set\n  \
neighbor 10.0.1.1 route-map OUT out\n exit-address-family\nexit\n";

const Y: &str = "interface y-eth0\n ip address 10.0.3.3/24\nexit\nip route 198.18.1.0/24 blackhole\nip route 198.18.2.0/24 blackhole\n\
router bgp 65003\n bgp router-id 3.3.3.3\n no bgp ebgp-requires-policy\n neighbor 10.0.3.2 remote-as 65002\n neighbor 10.0.3.2 timers connect 1\n \
address-family ipv4 unicast\n  network 198.18.1.0/24\n  network 198.18.2.0/24\n exit-address-family\nexit\n";

const Z: &str = "interface z-eth0\n ip address 10.0.2.2/24\nexit\n\
router bgp 65009\n bgp router-id 9.9.9.9\n no bgp ebgp-requires-policy\n neighbor 10.0.2.1 remote-as 65001\n neighbor 10.0.2.1 timers connect 1\n";

/// Valid by AS; too long; another AS; AS 0; not covered (100.64.0.0/16); own, valid; own, of another AS; the parts and the whole of an aggregate.
const VRPS: &str = r#"{"metadata":{},"roas":[
 {"prefix":"192.0.2.0/24","maxLength":24,"asn":"AS65002","ta":"t"},
 {"prefix":"198.51.100.0/22","maxLength":24,"asn":"AS65002","ta":"t"},
 {"prefix":"203.0.113.0/24","maxLength":24,"asn":"AS0","ta":"t"},
 {"prefix":"10.10.0.0/16","maxLength":16,"asn":"AS65001","ta":"t"},
 {"prefix":"10.20.0.0/16","maxLength":16,"asn":"AS65099","ta":"t"},
 {"prefix":"198.18.0.0/16","maxLength":24,"asn":"AS65003","ta":"t"}]}"#;

fn case() -> Case {
    let text = |t: &str| Text { files: vec![("frr.conf".to_owned(), t.to_owned())] };
    let links = [("s1", ["r1", "x"]), ("s2", ["r1", "z"]), ("s3", ["x", "y"])];
    Case {
        routers: [("r1", R1), ("x", X), ("y", Y), ("z", Z)].map(|(n, t)| (n.to_owned(), text(t))).into(),
        links: links.into_iter().map(|(n, r)| (n.to_owned(), r.map(str::to_owned).into())).collect(),
        steps: Vec::new(),
        profiles: Default::default(),
    }
}

fn beside() -> Beside {
    let vrps = File::read(VRPS).unwrap().at(0, &Slurm::default()).unwrap();
    Beside { vrps: Some(Arc::new(vrps)), ..Beside::default() }
}

fn path(ours: &answer::Answer, router: &str, prefix: &str) -> Option<(Option<u32>, Option<u32>)> {
    let row = ours.routers[router]["ipv4_unicast"].get(&prefix.parse().unwrap())?;
    row.paths.first().map(|p| (p.local_pref, p.med))
}

#[test]
fn policies_ask_and_nothing_is_guessed_without_data() {
    let ours = answer::solve_with(&case(), &beside());
    assert!(ours.unmodelled.is_empty(), "{:?}", ours.unmodelled);
    let preferred = |prefix| path(&ours, "r1", prefix).unwrap().0;
    assert_eq!(preferred("192.0.2.0/24"), Some(200));
    assert_eq!(preferred("192.0.2.128/25"), Some(50), "longer than the payload allows");
    assert_eq!(preferred("198.51.100.0/24"), Some(50), "another AS made it");
    assert_eq!(preferred("203.0.113.0/24"), Some(50), "nobody may");
    assert_eq!(preferred("100.64.0.0/16"), Some(150));
    assert_eq!(path(&ours, "r1", "10.10.0.0/16").unwrap().1, Some(11), "made here, valid");
    assert_eq!(path(&ours, "r1", "10.20.0.0/16").unwrap().1, Some(22));
    assert_eq!(path(&ours, "z", "192.0.2.0/24").unwrap().1, Some(7));
    assert_eq!(path(&ours, "z", "198.51.100.0/24"), None, "what is invalid is not passed on");
    // neither "not found" nor "valid": the routes of which nothing is known are not there, and every term that asks is named
    let without = answer::solve(&case());
    assert_eq!(path(&without, "r1", "192.0.2.0/24"), None);
    assert_eq!(path(&without, "r1", "100.64.0.0/16"), None);
    let named: Vec<&String> = without.unmodelled.iter().filter(|l| l.contains("no VRPs are known")).collect();
    assert_eq!(named.len(), 6, "{:?}", without.unmodelled);
    assert!(named.iter().any(|l| *l == "r1: IN 10: match rpki valid: no VRPs are known; what it decides is not known"), "{named:?}");
}

#[test]
fn tables_are_those_of_real_routers_with_a_real_cache() {
    if let Some(why) = live::missing() {
        println!("skipped: {why}");
        return;
    }
    if let Some(missing) = [MODULE, STAYRTR].into_iter().find(|f| !std::path::Path::new(f).exists()) {
        println!("skipped: {missing} is not installed (apt install frr-rpki-rtrlib stayrtr)");
        return;
    }
    let ours = answer::solve_with(&case(), &beside());
    let stop = AtomicBool::new(false);
    let live = Live::start(&case(), "rpki", &Arrival::default(), &stop).unwrap();
    let file = tempfile();
    std::fs::write(&file, VRPS).unwrap();
    let options = ["-bind", "127.0.0.1:18282", "-metrics.addr", "127.0.0.1:19847", "-checktime=false", "-cache", file.to_str().unwrap()];
    live.start_beside("r1", "stayrtr", &options).unwrap();
    let begun = Instant::now();
    // FRR 8.4 tries its caches when their block ends, and then when it is told to
    'connected: loop {
        std::thread::sleep(Duration::from_millis(500));
        live.ask("r1", "rpki reset").unwrap();
        for _ in 0..10 {
            if live.ask("r1", "show rpki prefix-table").unwrap().contains("203.0.113.0") {
                break 'connected;
            }
            std::thread::sleep(Duration::from_millis(300));
        }
        assert!(begun.elapsed() < PATIENCE, "{}", live.ask("r1", "show rpki cache-connection").unwrap());
    }
    // FRR 8.4 asks anew about what came in before the data did; about what goes out, and about its own routes, when told to
    for command in ["clear bgp ipv4 unicast * soft in", "clear bgp ipv4 unicast * soft out"] {
        live.ask("r1", command).unwrap();
    }
    live.configure(
        "r1",
        &[
            "router bgp 65001".to_owned(),
            "address-family ipv4 unicast".to_owned(),
            "no network 10.10.0.0/16 route-map MINE".to_owned(),
            "no network 10.20.0.0/16 route-map MINE".to_owned(),
            "network 10.10.0.0/16 route-map MINE".to_owned(),
            "network 10.20.0.0/16 route-map MINE".to_owned(),
        ],
    )
    .unwrap();
    let (shown, unfinished) = live.tables(ours.session_sides).unwrap();
    drop(live);
    let _ = std::fs::remove_file(&file);
    assert_eq!(unfinished, None);
    let (rows, different) = compare::tables(&ours, &shown);
    for d in &different {
        println!("  {} {}: {}", d.router, d.prefix, d.what.join("; "));
    }
    println!("{} of {rows} rows equal", rows - different.len());
    assert!(different.is_empty() && rows >= 20, "{different:?}");
}

fn tempfile() -> std::path::PathBuf {
    std::env::temp_dir().join(format!("phtw-vrps-{}.json", std::process::id()))
}
