//! The same network with its border routers written in each language that is read: the tables must be those of FRR, but for what vendors
//! do otherwise, which is said here. The configurations are ours.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use bgp::Prefix;
use case::{Case, Text, answer};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// r1's file, and the names of its interfaces to ispa, ispb, r2 and r3.
const LANGUAGES: [(&str, [&str; 4]); 7] = [
    ("frr/r1.conf", ["r1-eth0", "r1-eth1", "r1-eth2", "r1-eth3"]),
    ("eos/r1.conf", ["Ethernet1", "Ethernet2", "Ethernet3", "Ethernet4"]),
    ("junos/r1.conf", ["ge-0/0/0.0", "ge-0/0/1.0", "ge-0/0/2.0", "ge-0/0/3.0"]),
    ("junos/r1.set", ["ge-0/0/0.0", "ge-0/0/1.0", "ge-0/0/2.0", "ge-0/0/3.0"]),
    ("iosxr/r1.conf", ["GigabitEthernet0/0/0/0", "GigabitEthernet0/0/0/1", "GigabitEthernet0/0/0/2", "GigabitEthernet0/0/0/3"]),
    ("openconfig/r1.xml", ["eth0", "eth1", "eth2", "eth3"]),
    ("openconfig/r1.json", ["eth0", "eth1", "eth2", "eth3"]),
];

/// What turns r1 into r2: ispb is its first provider (policy A becomes B's figures), ispc its second.
const R2: [(&str, &str); 19] = [
    ("local-preference 200", "local-preference 120"),
    ("MARK(200", "MARK(120"),
    ("set-local-pref\": 200", "set-local-pref\": 120"),
    ("<set-local-pref>200", "<set-local-pref>120"),
    ("10.0.0.1", "10.0.0.2"),
    ("172.31.1.0", "172.31.3.0"),
    ("172.31.1.1", "172.31.3.1"),
    ("172.31.2.0", "172.31.4.0"),
    ("172.31.2.1", "172.31.4.1"),
    ("10.1.12.0", "10.1.12.1"),
    ("10.1.13.0", "10.1.23.0"),
    ("5678", "9012"),
    ("65001:1234", "65001:@"),
    ("1234:", "#:"),
    ("1234", "5678"),
    ("65001:@", "65001:5678"),
    ("#:", "1234:"),
    ("r1-eth", "r2-eth"),
    ("host-name r1", "host-name r2"),
];

fn r2(text: &str) -> String {
    R2.iter().fold(text.to_owned(), |t, (from, to)| t.replace(from, to))
}

fn fixture(name: &str) -> (PathBuf, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vendors").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    (path, text)
}

fn files(name: &str, text: String) -> Text {
    Text { files: vec![(name.to_owned(), text)] }
}

/// A provider: its networks, some of which the borders must refuse, with communities, MED and paths.
fn provider(name: &str, asn: u32, links: &[(&str, &str)], med: u32) -> Text {
    let mut t = format!("hostname {name}\n");
    for (n, (own, _)) in links.iter().enumerate() {
        t += &format!("interface {name}-eth{n}\n ip address {own}/31\n");
    }
    t += &format!("route-map PLAIN permit 10\n set metric {med}\n set community {asn}:1 {asn}:7\n");
    t += "route-map AVOID permit 10\n set community 1234:666\n";
    t += "route-map UNWANTED permit 10\n set as-path prepend 64999\n";
    t += &format!("route-map LONG permit 10\n set as-path prepend {asn} {asn}\n set origin incomplete\n");
    t += &format!(
        "router bgp {asn}\n bgp router-id {}\n no bgp ebgp-requires-policy\n no bgp network import-check\n bgp bestpath compare-routerid\n",
        links[0].0
    );
    for (_, peer) in links {
        t += &format!(" neighbor {peer} remote-as 65001\n");
    }
    t += " address-family ipv4 unicast\n  maximum-paths 1\n";
    for (prefix, map) in [
        ("203.0.113.0/24", "PLAIN"),
        ("198.51.100.0/24", "PLAIN"),
        ("198.18.0.0/24", "AVOID"),
        ("198.18.1.0/24", "UNWANTED"),
        ("198.18.2.0/24", "LONG"),
        ("198.18.3.0/28", "PLAIN"),
        ("10.9.0.0/16", "PLAIN"),
        ("0.0.0.0/0", "PLAIN"),
        ("192.0.2.128/25", "PLAIN"),
    ] {
        t += &format!("  network {prefix} route-map {map}\n");
    }
    files(&format!("{name}.conf"), t)
}

fn reflector() -> Text {
    let mut t = "hostname r3\ninterface r3-eth0\n ip address 10.1.13.1/31\n ip ospf area 0\n ip ospf cost 100\n".to_owned();
    t += "interface r3-eth1\n ip address 10.1.23.1/31\n ip ospf area 0\n ip ospf cost 100\n";
    t += "interface lo\n ip address 10.0.0.3/32\n ip ospf area 0\n ip ospf cost 1\nrouter ospf\n";
    t += "router bgp 65001\n bgp router-id 10.0.0.3\n no bgp default ipv4-unicast\n";
    for peer in ["10.0.0.1", "10.0.0.2"] {
        t += &format!(" neighbor {peer} remote-as 65001\n neighbor {peer} update-source lo\n");
    }
    t += " address-family ipv4 unicast\n  maximum-paths 1\n  maximum-paths ibgp 1\n";
    for peer in ["10.0.0.1", "10.0.0.2"] {
        t += &format!("  neighbor {peer} activate\n  neighbor {peer} route-reflector-client\n");
    }
    files("r3.conf", t)
}

fn network(first: &(&str, [&str; 4]), second: &(&str, [&str; 4])) -> Case {
    let (one, two) = (fixture(first.0).1, r2(&fixture(second.0).1));
    let name = |interface: &str| interface.replace("r1-eth", "r2-eth");
    let ([a, b, c, d], [e, f, g, h]) = (first.1, second.1.map(name));
    let link = |name: &str, ends: &[String]| (name.to_owned(), ends.to_vec());
    let end = |router: &str, interface: &str| format!("{router}:{interface}");
    let links = BTreeMap::from([
        link("s1", &[end("r1", a), end("ispa", "ispa-eth0")]),
        link("s2", &[end("r1", b), end("ispb", "ispb-eth0")]),
        link("s3", &[end("r1", c), end("r2", &g)]),
        link("s4", &[end("r1", d), end("r3", "r3-eth0")]),
        link("s5", &[end("r2", &e), end("ispb", "ispb-eth1")]),
        link("s6", &[end("r2", &f), end("ispc", "ispc-eth0")]),
        link("s7", &[end("r2", &h), end("r3", "r3-eth1")]),
    ]);
    let routers = vec![
        ("r1".to_owned(), files(first.0, one)),
        ("r2".to_owned(), files(second.0, two)),
        ("r3".to_owned(), reflector()),
        ("ispa".to_owned(), provider("ispa", 1234, &[("172.31.1.1", "172.31.1.0")], 5)),
        ("ispb".to_owned(), provider("ispb", 5678, &[("172.31.2.1", "172.31.2.0"), ("172.31.3.1", "172.31.3.0")], 9)),
        ("ispc".to_owned(), provider("ispc", 9012, &[("172.31.4.1", "172.31.4.0")], 1)),
    ];
    Case { routers, links, steps: Vec::new(), profiles: Default::default() }
}

/// A row as all vendors must have it. What they do otherwise is left out: a missing MED is 0 in every vendor's comparison, weights are
/// told nobody, the words for a reason differ where a step does not exist (Junos: no weight).
fn rows(case: &Case) -> BTreeMap<(String, Prefix), BTreeSet<String>> {
    let answer = answer::solve(case);
    // the last comparison may depend on the order of arrival, the choice may not
    let choices: Vec<_> = answer.order_dependent.iter().filter(|o| o.candidates.len() > 1).collect();
    assert!(answer.converged && choices.is_empty() && answer.oscillation.is_none(), "{choices:?}");
    assert_eq!(answer.absent_sessions.iter().map(|a| format!("{} {}: {}", a.router, a.neighbor, a.why)).collect::<Vec<_>>(), [""; 0]);
    let mut out = BTreeMap::new();
    for (router, tables) in &answer.routers {
        for (prefix, row) in &tables["ipv4_unicast"] {
            let of = row.paths.iter().map(|p| {
                let med = p.med.unwrap_or(0);
                format!(
                    "from {:?} via {:?} path [{}] {:?} lp {:?} med {med} {:?} best {} valid {}",
                    p.from, p.next_hops, p.as_path, p.origin, p.local_pref, p.communities, p.best, p.valid
                )
            });
            out.insert((router.clone(), *prefix), of.collect());
        }
    }
    out
}

#[test]
fn border_routers_in_every_language_give_the_tables_of_frr() {
    let frr = rows(&network(&LANGUAGES[0], &LANGUAGES[0]));
    // the case shows something: three providers, policies that refuse, lower and mark
    let at = |router: &str, prefix: &str| &frr[&(router.to_owned(), prefix.parse().unwrap())];
    assert!(at("r2", "203.0.113.0/24").iter().any(|p| p.contains("10.0.0.1") && p.contains("best true") && p.contains("lp Some(200)")));
    assert!(at("r1", "198.18.0.0/24").iter().any(|p| p.contains("lp Some(50)")));
    assert!(!frr.contains_key(&("r1".to_owned(), "198.18.1.0/24".parse().unwrap())), "refused for its path");
    assert!(!frr.contains_key(&("r3".to_owned(), "10.9.0.0/16".parse().unwrap())), "a bogon");
    assert!(at("ispc", "192.0.2.0/24").iter().any(|p| p.contains("path [65001 65001]") && p.contains("med 20")));
    let mut failed = Vec::new();
    for language in &LANGUAGES[1..] {
        let theirs = rows(&network(language, language));
        let (mut wrong, mut count) = (Vec::new(), 0);
        for key in frr.keys().chain(theirs.keys()).collect::<BTreeSet<_>>() {
            count += 1;
            if frr.get(key) != theirs.get(key) {
                wrong.push(format!("{key:?}\n  FRR {:#?}\n  {} {:#?}", frr.get(key), language.0, theirs.get(key)));
            }
        }
        println!("{}: {} of {count} rows equal", language.0, count - wrong.len());
        if !wrong.is_empty() {
            failed.push(format!("{}: {} of {count} rows differ:\n{}", language.0, wrong.len(), wrong.join("\n")));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn a_network_of_two_languages_gives_the_same_tables() {
    let frr = rows(&network(&LANGUAGES[0], &LANGUAGES[0]));
    for (one, two) in [(2, 4), (4, 1), (1, 6), (5, 3)] {
        let mixed = rows(&network(&LANGUAGES[one], &LANGUAGES[two]));
        assert_eq!(frr, mixed, "{} with {}", LANGUAGES[one].0, LANGUAGES[two].0);
    }
}

#[test]
fn every_file_is_read_whole_and_told_by_its_content() {
    use config::Vendor;
    let wanted = [Vendor::Frr, Vendor::Eos, Vendor::Junos, Vendor::Junos, Vendor::IosXr, Vendor::OpenConfig, Vendor::OpenConfig];
    for ((name, _), vendor) in LANGUAGES.iter().zip(wanted) {
        let (_, text) = fixture(name);
        let config = config::read(&[((*name).to_owned(), text)]).unwrap();
        assert_eq!(config.vendor, vendor, "{name}");
        assert_eq!(config.hostname, "r1", "{name}");
        assert_eq!((config.unmodelled, config.problems), (vec![], vec![]), "{name}");
        let session = &config.bgp.unwrap().neighbors[&"172.31.1.1".parse().unwrap()];
        assert_eq!((session.remote_as.0, session.description.as_deref()), (1234, Some("ispa")), "{name}");
        assert_eq!(session.families[&bgp::Family::Ipv4Unicast].max_prefix, Some(1000), "{name}");
    }
}

#[test]
fn what_is_no_configuration_is_refused_by_file() {
    let folder = std::env::temp_dir().join(format!("pilothouse-vendors-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("configs/r1")).unwrap();
    std::fs::write(folder.join("case.json"), r#"{"routers": ["r1"], "links": {}, "config_files": {"r1": ["a.conf", "b.conf"]}}"#).unwrap();
    let put = |a: &str, b: &str| {
        std::fs::write(folder.join("configs/r1/a.conf"), a).unwrap();
        std::fs::write(folder.join("configs/r1/b.conf"), b).unwrap();
        Case::load(&folder).map(|_| ()).map_err(|e| {
            let source = std::error::Error::source(&e).map(ToString::to_string).unwrap_or_default();
            format!("{e} {source}")
        })
    };
    let error = put("once upon a time\n", "there was a router\n").unwrap_err();
    assert!(error.contains("a.conf") && error.contains("tried FRR") && error.contains("router r1"), "{error}");
    let (junos, eos) = (fixture("junos/r1.set").1, fixture("eos/r1.conf").1);
    let error = put(&junos, &eos).unwrap_err();
    assert!(error.contains("b.conf is Arista EOS, a.conf is Junos"), "{error}");
    assert!(put("hostname r1\ninterface eth0\n ip address 192.0.2.1/24\n", "router bgp 1\n").is_ok(), "what is like FRR is FRR");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// `profiles` of case.json: the same lines, decided as other software does; names and routers that are not known are told with the file.
#[test]
fn a_router_decides_by_the_profile_that_its_case_names() {
    let folder = std::env::temp_dir().join(format!("pilothouse-profiles-{}", std::process::id()));
    let put = |router: &str, text: &str| {
        std::fs::create_dir_all(folder.join("configs").join(router)).unwrap();
        std::fs::write(folder.join("configs").join(router).join("frr.conf"), text).unwrap();
    };
    let r1 = "interface r1-eth0\n ip address 10.0.1.1/24\ninterface r1-eth1\n ip address 10.0.2.1/24\nroute-map HEAVY permit 10\n set weight 100\nrouter bgp 65000\n bgp router-id 9.9.9.9\n no bgp ebgp-requires-policy\n neighbor 10.0.1.2 remote-as 65001\n neighbor 10.0.2.2 remote-as 65002\n neighbor 10.0.1.2 route-map HEAVY in\n";
    put("r1", r1);
    for (n, prepend) in [(1, " set as-path prepend 65001\n"), (2, "")] {
        put(
            &format!("x{n}"),
            &format!(
                "interface x{n}-eth0\n ip address 10.0.{n}.2/24\nroute-map OUT permit 10\n{prepend}router bgp 6500{n}\n bgp router-id {n}.{n}.{n}.{n}\n no bgp ebgp-requires-policy\n no bgp network import-check\n neighbor 10.0.{n}.1 remote-as 65000\n neighbor 10.0.{n}.1 route-map OUT out\n network 203.0.113.0/24\n"
            ),
        );
    }
    let load = |profiles: &str| {
        let links = r#"{"s1": ["r1", "x1"], "s2": ["r1", "x2"]}"#;
        let told = format!(r#"{{"routers": ["r1", "x1", "x2"], "links": {links}{profiles}}}"#);
        std::fs::write(folder.join("case.json"), told).unwrap();
        Case::load(&folder)
    };
    let best = |profiles: &str| {
        let ours = answer::solve(&load(profiles).unwrap());
        let paths = &ours.routers["r1"]["ipv4_unicast"][&"203.0.113.0/24".parse().unwrap()].paths;
        let best = paths.iter().find(|p| p.best).unwrap();
        (best.from.unwrap().to_string(), best.reason.unwrap())
    };
    assert_eq!(best(""), ("10.0.1.2".to_owned(), "weight"));
    assert_eq!(best(r#", "profiles": {"r1": "ios"}"#), ("10.0.1.2".to_owned(), "weight"));
    assert_eq!(best(r#", "profiles": {"r1": "nokia"}"#), ("10.0.2.2".to_owned(), "as_path_length"));
    let refused = |profiles: &str| load(profiles).unwrap_err().to_string();
    let error = refused(r#", "profiles": {"r1": "iox"}"#);
    let path = folder.join("case.json").display().to_string();
    assert_eq!(error, format!("{path}: profiles: r1: \"iox\" is no profile; there are frr, eos, junos, iosxr, ios, nokia, openconfig"));
    let error = refused(r#", "profiles": {"r9": "ios"}"#);
    assert_eq!(error, format!("{path}: profiles: r9: is not among `routers`"));
    // a case that is written keeps them
    let case = load(r#", "profiles": {"r1": "nokia"}"#).unwrap();
    case::diff::store(&case, &folder).unwrap();
    assert_eq!(Case::load(&folder).unwrap().profiles, case.profiles);
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Lab configurations of others, read in place: vendors that are not read are named, FRR's are read.
#[test]
fn configurations_of_other_labs_are_told_apart() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/data/clab");
    if !root.is_dir() {
        println!("skipped: captures of {} are not there", root.display());
        return;
    }
    let told = |file: &str| {
        let text = std::fs::read(root.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
        let text = String::from_utf8_lossy(&text).into_owned();
        config::recognise(file, &text).map_err(|e| e.to_string())
    };
    for file in ["clab-frr01/frr01/router1/frr.conf", "seed/r1/frr.conf", "clab-cvx01/cvx01/sw2/frr.conf", "sflow/clab-frr/frr.conf"] {
        assert_eq!(told(file), Ok(config::Vendor::Frr), "{file}");
    }
    for (file, like) in [
        ("clab-srlfrr01/srlfrr01/srl.cfg", "Nokia SR Linux"),
        ("clab-vr01/vr01/srl.cfg", "Nokia SR Linux"),
        ("clab-vr01/vr01/sros.cfg", "Nokia SR OS"),
        ("clab-sr-sim/sr-sim/configs/config.cfg", "Nokia SR OS"),
    ] {
        let error = told(file).unwrap_err();
        assert!(error.contains(like) && error.contains(file), "{file}: {error}");
    }
}
