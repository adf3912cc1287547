//! Configurations that are cut off, contradict themselves or mean harm: every reader lists what is wrong with its line and what was kept,
//! within a time that grows with the text.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use config::{RouterConfig, Unmodelled, Vendor};
use std::time::{Duration, Instant};

const FIXTURES: [(&str, &str); 7] = [
    ("frr", include_str!("vendors/frr/r1.conf")),
    ("eos", include_str!("vendors/eos/r1.conf")),
    ("junos", include_str!("vendors/junos/r1.conf")),
    ("junos set", include_str!("vendors/junos/r1.set")),
    ("iosxr", include_str!("vendors/iosxr/r1.conf")),
    ("xml", include_str!("vendors/openconfig/r1.xml")),
    ("json", include_str!("vendors/openconfig/r1.json")),
];

fn read(text: &str) -> RouterConfig {
    config::read(&[("router.conf".to_owned(), text.to_owned())]).unwrap()
}

fn text_of(name: &str) -> &'static str {
    FIXTURES.iter().find(|(n, _)| *n == name).unwrap().1
}

/// The line of a fixture that holds a text, from 1.
fn line_of(text: &str, what: &str) -> u32 {
    text.lines().position(|l| l.contains(what)).unwrap_or_else(|| panic!("{what} is not there")) as u32 + 1
}

fn problem<'c>(config: &'c RouterConfig, effect: &str) -> &'c Unmodelled {
    let all = &config.problems;
    all.iter().find(|p| p.effect.contains(effect)).unwrap_or_else(|| panic!("no problem says {effect:?}: {all:#?}"))
}

#[test]
fn a_second_router_id_is_named_and_the_later_is_kept() {
    for (name, first, second) in [
        ("frr", " bgp router-id 10.0.0.1", " bgp router-id 10.0.0.1\n bgp router-id 10.9.9.9"),
        ("eos", "router bgp 65001\n   router-id 10.0.0.1", "router bgp 65001\n   router-id 10.0.0.1\n   router-id 10.9.9.9"),
        ("junos", "    router-id 10.0.0.1;", "    router-id 10.0.0.1;\n    router-id 10.9.9.9;"),
        (
            "junos set",
            "set routing-options router-id 10.0.0.1",
            "set routing-options router-id 10.0.0.1\nset routing-options router-id 10.9.9.9",
        ),
        ("iosxr", " bgp router-id 10.0.0.1", " bgp router-id 10.0.0.1\n bgp router-id 10.9.9.9"),
    ] {
        let text = text_of(name).replacen(first, second, 1);
        let config = read(&text);
        let found = problem(&config, "kept");
        assert_eq!(found.line, line_of(&text, "10.9.9.9"), "{name}: {found:?}");
        assert_eq!(config.bgp.as_ref().unwrap().router_id.unwrap().to_string(), "10.9.9.9", "{name}");
    }
}

#[test]
fn a_neighbour_without_remote_as_is_named_and_not_kept() {
    for (name, gone) in [
        ("frr", " neighbor 172.31.2.1 remote-as 5678\n"),
        ("eos", "   neighbor 172.31.2.1 remote-as 5678\n"),
        ("junos", "                peer-as 5678;\n"),
        ("junos set", "set protocols bgp group ISP neighbor 172.31.2.1 peer-as 5678\n"),
        ("iosxr", "  remote-as 5678\n"),
        ("xml", "<peer-as>5678</peer-as>"),
        ("json", "\"peer-as\": 5678"),
    ] {
        let by = if name == "json" { "\"description\": \"no AS\"" } else { "" };
        let text = text_of(name).replacen(gone, by, 1);
        assert_ne!(text, text_of(name), "{name}");
        let config = read(&text);
        let found = problem(&config, "not kept");
        assert!(found.text.contains("172.31.2.1"), "{name}: {found:?}");
        // JSON has no lines: the path is all there is
        assert_eq!(found.line == 0, name == "json", "{name}: {found:?}");
        let bgp = config.bgp.unwrap();
        assert_eq!(bgp.neighbors.len(), 2, "{name}: the others are kept");
    }
}

#[test]
fn a_name_without_definition_is_said_with_what_the_router_does() {
    for (name, from, to, what) in [
        ("frr", "route-map ISPB-IN in", "route-map GONE in", "no route through"),
        ("frr", "match as-path UNWANTED", "match as-path GONE", "never matches"),
        ("eos", "route-map ISPB-IN in", "route-map GONE in", "lets every route through"),
        ("eos", "match community AVOID", "match community GONE", "not known"),
        ("junos", "from as-path UNWANTED", "from as-path GONE", "not known"),
        ("junos set", "import ISPB-IN", "import GONE", "not known"),
        ("iosxr", "if community matches-any AVOID", "if community matches-any GONE", "not known"),
        ("iosxr", "route-policy ISPB-IN in", "route-policy GONE in", "not known"),
        ("xml", "<prefix-set>BOGON</prefix-set>", "<prefix-set>GONE</prefix-set>", "not known"),
        ("json", "\"as-path-set\": \"UNWANTED\"", "\"as-path-set\": \"GONE\"", "not known"),
    ] {
        let text = text_of(name).replacen(from, to, 1);
        assert_ne!(text, text_of(name), "{name} {from}");
        let config = read(&text);
        let found = problem(&config, "used but not defined");
        assert!(found.text.contains("GONE") && found.effect.contains(what), "{name}: {found:?}");
        if name != "json" && name != "xml" {
            assert_eq!(found.line, line_of(&text, "GONE"), "{name}: {found:?}");
        }
    }
}

#[test]
fn an_address_on_two_interfaces_is_named() {
    for (name, from, to) in [
        ("frr", "ip address 172.31.2.0/31", "ip address 172.31.1.0/31"),
        ("eos", "ip address 172.31.2.0/31", "ip address 172.31.1.0/31"),
        ("junos", "address 172.31.2.0/31", "address 172.31.1.0/31"),
        ("junos set", "address 172.31.2.0/31", "address 172.31.1.0/31"),
        ("iosxr", "ipv4 address 172.31.2.0", "ipv4 address 172.31.1.0"),
        ("xml", "<ip>172.31.2.0</ip>", "<ip>172.31.1.0</ip>"),
        ("json", "\"172.31.2.0\"", "\"172.31.1.0\""),
    ] {
        let config = read(&text_of(name).replace(from, to));
        assert!(problem(&config, "is on").text.contains("172.31.1.0"), "{name}");
        assert!(config.bgp.is_some(), "{name}: the rest is kept");
    }
}

#[test]
fn a_text_that_is_cut_off_says_so_or_is_refused_and_nothing_falls_over() {
    for (name, text) in FIXTURES {
        for cut in (0..text.len()).step_by(173).filter(|c| text.is_char_boundary(*c)) {
            let files = [(format!("{name}.conf"), text[..cut].to_owned())];
            match config::read(&files) {
                Ok(_) => {}
                Err(error) => assert!(error.to_string().starts_with(&files[0].0), "{error}"),
            }
        }
    }
    let inside = |name: &str, at: &str| {
        let text = text_of(name);
        read(&text[..text.find(at).unwrap()])
    };
    let config = inside("junos", "neighbor 172.31.2.1");
    assert!(problem(&config, "ends inside 3 blocks").effect.contains("what was read is kept"));
    assert_eq!(config.bgp.unwrap().neighbors.len(), 1);
    let config = inside("iosxr", "  delete community in THEIRS");
    assert!(problem(&config, "it does not end").text.contains("ISPA-IN"));
    for (name, at) in [("xml", "<neighbor>"), ("json", "\"neighbor\"")] {
        let text = text_of(name);
        let files = [("half".to_owned(), text[..text.find(at).unwrap()].to_owned())];
        let error = config::read(&files).unwrap_err().to_string();
        assert!(error.starts_with("half: ") && error.contains("byte"), "{error}");
    }
}

#[test]
fn policies_that_go_round_are_named_with_the_way() {
    let frr = "frr defaults traditional\nroute-map A permit 10\n call B\nroute-map B permit 10\n call A\n";
    let config = read(frr);
    assert_eq!(problem(&config, "in a circle").text, "A → B → A");
    let eos = "! device: x (EOS-4.32)\nip routing\nroute-map A permit 10\n   sub-route-map A\n";
    assert_eq!(problem(&read(eos), "in a circle").text, "A → A");
    let mut xr = "route-policy A\n  apply B\nend-policy\nroute-policy B\n  apply A\nend-policy\n".to_owned();
    xr += "router bgp 1\n neighbor 192.0.2.1\n  remote-as 2\n  address-family ipv4 unicast\n   route-policy A in\n";
    let config = read(&xr);
    let found = problem(&config, "in a circle");
    assert_eq!((found.context.as_str(), found.line), ("A → B → A", 5));
    // each policy applies the next twice: two to the sixtieth in all
    let chain = (0..60).map(|n| format!("route-policy P{n}\n  apply P{0}\n  apply P{0}\nend-policy\n", n + 1)).collect::<String>();
    let xr = chain + "route-policy P60\n  pass\nend-policy\n" + &xr.replace("policy A in", "policy P0 in");
    let began = Instant::now();
    assert!(read(&xr).bgp.is_some());
    assert!(began.elapsed() < Duration::from_secs(120), "{:?}", began.elapsed());
}

/// A policy of `terms` terms in each language, applied to a session.
fn long(vendor: Vendor, terms: u32) -> String {
    let mut t = String::new();
    let each = |t: &mut String, f: &dyn Fn(u32) -> String| (1..=terms).for_each(|n| t.push_str(&f(n)));
    match vendor {
        Vendor::Frr => {
            t += "frr defaults traditional\nip prefix-list L seq 5 permit 192.0.2.0/24\n";
            each(&mut t, &|n| format!("route-map P permit {n}\n match ip address prefix-list L\n set local-preference {n}\n"));
            t += "router bgp 1\n neighbor 192.0.2.1 remote-as 2\n neighbor 192.0.2.1 route-map P in\n";
        }
        Vendor::Eos => {
            t += "! device: x (EOS-4.32)\nip routing\nip prefix-list L seq 5 permit 192.0.2.0/24\n";
            each(&mut t, &|n| format!("route-map P permit {n}\n   match ip address prefix-list L\n   set local-preference {n}\n"));
            t += "router bgp 1\n   neighbor 192.0.2.1 remote-as 2\n   neighbor 192.0.2.1 route-map P in\n";
        }
        Vendor::Junos => {
            t += "set policy-options prefix-list L 192.0.2.0/24\n";
            each(&mut t, &|n| {
                let term = format!("set policy-options policy-statement P term T{n}");
                format!("{term} from prefix-list L\n{term} then local-preference {n}\n{term} then accept\n")
            });
            t += "set routing-options autonomous-system 1\nset protocols bgp group G type external\n";
            t += "set protocols bgp group G neighbor 192.0.2.1 peer-as 2\nset protocols bgp group G neighbor 192.0.2.1 import P\n";
        }
        Vendor::IosXr => {
            t += "prefix-set L\n  192.0.2.0/24\nend-set\nroute-policy P\n";
            each(&mut t, &|n| format!("  if destination in L then\n    set local-preference {n}\n  endif\n"));
            t += "end-policy\nrouter bgp 1\n neighbor 192.0.2.1\n  remote-as 2\n  address-family ipv4 unicast\n   route-policy P in\n";
        }
        Vendor::OpenConfig => {}
    }
    t
}

#[test]
fn a_hundred_thousand_lines_of_policy_are_read_in_time_that_grows_with_them() {
    for vendor in [Vendor::Frr, Vendor::Eos, Vendor::Junos, Vendor::IosXr] {
        let (short, full) = (long(vendor, 8_000), long(vendor, 33_400));
        assert!(full.lines().count() > 100_000);
        let time = |text: &str| {
            let began = Instant::now();
            let config = read(text);
            let import = config.bgp.unwrap().neighbors.into_values().next().unwrap().families[&bgp::Family::Ipv4Unicast].import.clone();
            let terms = config.policy.definitions[&import.unwrap()].statements.len();
            (began.elapsed(), terms)
        };
        let ((a, few), (b, many)) = (time(&short), time(&full));
        println!("{vendor}: {few} terms in {a:?}, {many} in {b:?}");
        assert!(few >= 8_000 && many >= 33_400, "{vendor}: {few}, {many}");
        // four times the text: a quadratic reader would take sixteen times as long; a busy machine gets room
        assert!(b < a * 12 + Duration::from_secs(3), "{vendor}: {a:?} for a quarter, {b:?} for all");
    }
}

#[test]
fn depth_length_and_bytes_have_bounds() {
    let deep = format!("policy-options {{\n}}\nsystem {{\n{}{}\n}}\n", "a {\n".repeat(100_000), "}\n".repeat(100_000));
    assert!(problem(&read(&deep), "deeper than 64 words").line > 60);
    let open = format!("protocols {{\n{}", "bgp {\n".repeat(200_000));
    assert!(problem(&read(&open), "ends inside").effect.contains("cut off"));
    let mut indented = "! device: x (EOS-4.32)\nip routing\n".to_owned();
    (0..2_000).for_each(|n| indented += &format!("{}x\n", " ".repeat(n)));
    assert!(!read(&indented).problems.is_empty());
    let ifs = format!(
        "route-policy P\n{}pass\nend-policy\nrouter bgp 1\n neighbor 192.0.2.1\n  remote-as 2\n  address-family ipv4 unicast\n   route-policy P in\n",
        "  if origin is igp then\n".repeat(50_000)
    );
    assert!(problem(&read(&ifs), "deeper than 64 levels").context.contains("P"));
    let brackets = format!(
        "route-policy P\n  if {}origin is igp then\n pass\n endif\nend-policy\nrouter bgp 1\n neighbor 192.0.2.1\n  remote-as 2\n  address-family ipv4 unicast\n   route-policy P in\n",
        "(".repeat(100_000)
    );
    assert!(read(&brackets).bgp.is_some());
    let json = format!("{{\"openconfig-interfaces:interfaces\": {}1{}}}", "[".repeat(50_000), "]".repeat(50_000));
    assert!(config::read(&[("deep.json".to_owned(), json)]).unwrap_err().to_string().starts_with("deep.json: "));
    let wide = format!("frr defaults traditional\nhostname {}\nroute-map {} permit 10\n", "h".repeat(5_000_000), "m ".repeat(1_000_000));
    let config = read(&wide);
    assert!(config.unmodelled.iter().all(|u| u.text.chars().count() <= 400), "lines are cut where they are shown");
    let broken = String::from_utf8_lossy(
        b"frr defaults traditional\nrouter bgp 1\n neighbor 192.0.2.1 remote-as 2\n neighbor 192.0.2.1 description \xff\xfe\n",
    )
    .into_owned();
    let config = read(&broken);
    let found = problem(&config, "not UTF-8");
    assert!(found.line == 4 && found.effect.contains("router.conf"), "{found:?}");
    assert_eq!(config.bgp.unwrap().neighbors.len(), 1);
}
