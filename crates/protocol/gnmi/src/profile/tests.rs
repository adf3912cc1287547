//! The embedded profiles, their choice, their bounds, and native answers in OpenConfig's words.

use super::*;
use crate::{Update, Value};

fn all() -> Vec<Profile> {
    Profile::all().unwrap()
}

fn named(name: &str) -> Profile {
    Profile::choose(&all(), &[], Some(name)).unwrap().clone()
}

fn models(list: &[(&str, &str)]) -> Vec<Model> {
    list.iter().map(|(name, organisation)| Model { name: (*name).into(), organisation: (*organisation).into() }).collect()
}

#[test]
fn every_embedded_profile_is_valid_and_covers_what_an_operator_watches() {
    let profiles = all();
    assert_eq!(profiles.len(), 9);
    assert_eq!(profiles.iter().filter(|p| p.is_default).count(), 1);
    for profile in &profiles {
        for set in Profile::SETS {
            let asked = profile.subscriptions.iter().any(|s| s.set == set);
            assert!(asked || profile.without.contains_key(set), "{} lacks {set} and does not say why", profile.name);
        }
        let paths: std::collections::BTreeSet<_> = profile.subscriptions.iter().map(|s| (&s.origin, &s.path)).collect();
        assert_eq!(paths.len(), profile.subscriptions.len(), "{} asks twice", profile.name);
    }
}

#[test]
fn capabilities_pick_the_platform() {
    let cases: [(&[(&str, &str)], &str); 9] = [
        (&[("arista-lldp-deviations", "Arista Networks, Inc."), ("openconfig-acl", "OpenConfig working group")], "arista_eos"),
        (&[("urn:srl_nokia/aaa:srl_nokia-aaa", "Nokia")], "nokia_srlinux"),
        (&[("junos-rpc-bgp", "Juniper Networks, Inc."), ("ietf-yang-types", "IETF")], "juniper_junos"),
        (&[("Cisco-IOS-XR-ipv4-bgp-oper", "Cisco Systems, Inc.")], "cisco_iosxr"),
        (&[("Cisco-NX-OS-device", "Cisco Systems, Inc.")], "cisco_nxos"),
        (&[("sonic-port", "SONiC")], "sonic"),
        (&[("openconfig-interfaces", "OpenConfig working group"), ("openconfig-probes", "OpenConfig working group")], "pilothouse_node"),
        (&[("openconfig-interfaces", "OpenConfig working group")], "openconfig"),
        (&[], "openconfig"),
    ];
    for (told, name) in cases {
        assert_eq!(Profile::choose(&all(), &models(told), None).unwrap().name, name);
    }
    let arista = models(&[("arista-lldp-deviations", "Arista Networks, Inc.")]);
    assert_eq!(Profile::choose(&all(), &arista, Some("openconfig")).unwrap().name, "openconfig");
    let unknown = Profile::choose(&all(), &arista, Some("mikrotik")).unwrap_err().to_string();
    assert!(unknown.contains("mikrotik") && unknown.contains("arista_eos, cisco_iosxr"), "{unknown}");
}

#[test]
fn a_mistake_is_named_with_file_line_row_and_field() {
    const HEAD: &str = "title = \"x\"\nmodels = [\"m\"]\nencodings = [\"json\"]\nports = [1]\n";
    const ROW: &str = "[[subscription]]\nset = \"s\"\npath = \"/a\"\nmode = \"on_change\"\n";
    assert!(Profile::parse("f", &format!("{HEAD}{ROW}")).is_ok());
    let sample = ROW.replace("on_change", "sample");
    let cases = [
        (format!("{HEAD}{ROW}").replace("\"x\"", "\" \""), "profile f, line 1: title: is empty"),
        (format!("{HEAD}{ROW}").replace("[\"json\"]", "[]"), "profile f, line 3: encodings: names none"),
        (format!("{HEAD}{ROW}").replace("[1]", "[0]"), "profile f, line 4: ports: "),
        (format!("{HEAD}{ROW}").replace("[\"m\"]", "[\"\"]"), "profile f, line 2: models: an empty"),
        (format!("{HEAD}{ROW}").replace("[\"m\"]", "[]"), "profile f, line 2: models: nothing"),
        (format!("{HEAD}subscription = []"), "profile f, line 5: subscription: "),
        (format!("{HEAD}{}", ROW.repeat(65)), "profile f, line 1: subscription: "),
        (format!("{HEAD}{ROW}{sample}"), "profile f, line 9, subscription 2: interval_ms: a sample"),
        (format!("{HEAD}{sample}interval_ms = 999\n"), "profile f, line 9, subscription 1: interval_ms: a sample"),
        (format!("{HEAD}{ROW}interval_ms = 5000\n"), "profile f, line 9, subscription 1: interval_ms: is for samples"),
        (format!("{HEAD}{ROW}or_path = \"/b\"\n"), "profile f, line 9, subscription 1: or_path: wants a part"),
        (format!("{HEAD}{ROW}or_path = \"/a\"\n"), "profile f, line 9, subscription 1: or_path: wants a part"),
        (format!("{HEAD}{ROW}or_path = \"/a[\"\n"), "profile f, line 9, subscription 1: or_path: \"/a[\""),
        (format!("{HEAD}{ROW}heartbeat_interval_ms = 1\n"), "profile f, line 9, subscription 1: heartbeat_interval_ms: "),
        (format!("{HEAD}{ROW}suppress_redundant = true\n"), "profile f, line 9, subscription 1: suppress_redundant: "),
        (format!("{HEAD}{ROW}canonical = \"/b[c=*]\"\n"), "profile f, line 9, subscription 1: canonical: has more"),
        (format!("{HEAD}{ROW}canonical = \"/b[\"\n"), "profile f, line 9, subscription 1: canonical: \"/b[\""),
        (format!("{HEAD}{ROW}values = {{ a = \"b\" }}\n"), "profile f, line 9, subscription 1: values: "),
        (format!("{HEAD}without = {{ colour = \"none\" }}\n{ROW}"), "profile f, line 5: without: wants names"),
        (format!("{HEAD}without = {{ cpu = \" \" }}\n{ROW}"), "profile f, line 5: without: wants names"),
        (format!("{HEAD}without = {{ cpu = \"x\" }}\n{ROW}").replace("\"s\"", "\"cpu\""), "profile f, line 5: without: names a set"),
        (format!("{HEAD}is_by_hand = true\n{ROW}"), "profile f, line 5: is_by_hand: "),
        (
            format!("{HEAD}{ROW}mapped = [{{ path = \"/b\", canonical = \"/c\" }}]\n"),
            "profile f, line 9, subscription 1: mapped: a leaf is not",
        ),
        (format!("{HEAD}{ROW}mapped = [{{ path = \"/a\", canonical = \"/c[\" }}]\n"), "profile f, line 9, subscription 1: mapped: \"/c[\""),
        (
            format!("{HEAD}{ROW}mapped = [{{ path = \"/a/b\", canonical = \"/c[d=e-*]\" }}]\n"),
            "profile f, line 9, subscription 1: mapped: a canonical path has more",
        ),
        (
            format!("{HEAD}{ROW}mapped = [{}]\n", "{ path = \"/a\", canonical = \"/c\" },".repeat(33)),
            "profile f, line 9, subscription 1: mapped: wants at most 32",
        ),
        (
            format!("{HEAD}{ROW}mapped = [{{ path = \"/a\", canonical = \"/c\", unit = \"acres\" }}]\n"),
            "profile f: TOML parse error at line 9",
        ),
        (format!("{HEAD}{ROW}").replace("/a", "/"), "profile f, line 7, subscription 1: path: the root"),
        (format!("{HEAD}{ROW}").replace("/a", "/a["), "profile f, line 7, subscription 1: path: "),
        (format!("{HEAD}{ROW}").replace("\"s\"", "\"\""), "profile f, line 6, subscription 1: set: "),
        (format!("{HEAD}depth = 0\n{ROW}"), "profile f, line 5: depth: "),
        (format!("{HEAD}fallback_interval_ms = 10\n{ROW}"), "profile f, line 5: fallback_interval_ms: "),
        (format!("{HEAD}{ROW}colour = 1\n"), "profile f: TOML parse error at line 9"),
        (format!("{HEAD}{ROW}#{}", "x".repeat(65 << 10)), "profile f, line 1: file: "),
    ];
    for (text, expected) in cases {
        let error = Profile::parse("f", &text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{expected:?} but {error:?}");
    }
}

fn said(profile: &str, path: &str, value: Value) -> Vec<String> {
    let updates = vec![Update { path: path.parse().unwrap(), value }];
    let n = named(profile).canonical(Notification { updates, ..Notification::default() });
    n.updates.into_iter().map(|u| format!("{} {}", u.path, serde_json::to_string(&u.value).unwrap())).collect()
}

#[test]
fn srlinux_answers_in_openconfigs_words() {
    let json = |j| Value::Json(j);
    let oper = said("nokia_srlinux", "/interface[name=ethernet-1/1]/oper-state", Value::String("up".into()));
    assert_eq!(oper, [r#"/interfaces/interface[name=ethernet-1/1]/state/oper-status {"string":"UP"}"#]);
    let statistics = serde_json::json!({"in-octets": "5", "srl_nokia-interfaces:in-error-packets": "6"});
    assert_eq!(
        said("nokia_srlinux", "/interface[name=e]/statistics", json(statistics)),
        [
            r#"/interfaces/interface[name=e]/state/counters/in-octets {"string":"5"}"#,
            r#"/interfaces/interface[name=e]/state/counters/in-errors {"string":"6"}"#,
        ]
    );
    let routes = "/network-instance[name=default]/protocols/bgp/neighbor[peer-address=192.0.2.1]/afi-safi[afi-safi-name=ipv4-unicast]/received-routes";
    let bgp = "/network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]/bgp/neighbors/neighbor[neighbor-address=192.0.2.1]";
    assert_eq!(
        said("nokia_srlinux", routes, Value::Uint(7)),
        [format!(r#"{bgp}/afi-safis/afi-safi[afi-safi-name=IPV4_UNICAST]/state/prefixes/received {{"uint":7}}"#)]
    );
    assert_eq!(said("nokia_srlinux", "/other", Value::Uint(7)), [r#"/other {"uint":7}"#]);
    let gone = Notification { deletes: vec!["/interface[name=e]/oper-state".parse().unwrap()], ..Notification::default() };
    assert_eq!(named("nokia_srlinux").canonical(gone).deletes[0].to_string(), "/interfaces/interface[name=e]/state/oper-status");
}

/// Without its key an element would give its place to the next one's.
#[test]
fn a_native_path_without_its_key_is_not_mapped() {
    let path = "/interface[name=e]/transceiver/channel/input-power/latest-value";
    assert_eq!(said("nokia_srlinux", path, Value::Uint(1)), [format!(r#"{path} {{"uint":1}}"#)]);
}

/// Two control modules and a line card of one number must not be taken for one another.
#[test]
fn srlinux_parts_have_names_of_their_own() {
    let cpu = |slot: &str| said("nokia_srlinux", &format!("/platform/control[slot={slot}]/cpu[index=all]/total/instant"), Value::Uint(7));
    assert_eq!(cpu("A"), [r#"/components/component[name=control-A]/cpu/utilization/state/instant {"uint":7}"#]);
    assert_eq!(cpu("B"), [r#"/components/component[name=control-B]/cpu/utilization/state/instant {"uint":7}"#]);
    let supply = serde_json::json!({"voltage": "228.50", "current": "1.10", "power": "251.00"});
    let mut leaves = said("nokia_srlinux", "/platform/power-supply[id=1]/input", Value::Json(supply));
    leaves.sort();
    let state = "/components/component[name=power-supply-1]/power-supply/state";
    let leaf = |name: &str, text: &str| format!(r#"{state}/{name} {{"string":"{text}"}}"#);
    assert_eq!(leaves, [leaf("input-current", "1.10"), leaf("input-power", "251.00"), leaf("input-voltage", "228.50")]);
    let sensor = said("nokia_srlinux", "/platform/linecard[slot=1]/temperature/instant", Value::Int(41));
    assert_eq!(sensor, [r#"/components/component[name=linecard-1]/state/temperature/instant {"int":41}"#]);
}

/// A value that is none of its unit must not be read as one of OpenConfig's.
#[test]
fn units_become_openconfigs_and_what_is_no_number_of_theirs_stays_native() {
    let property = |name: &str| format!("/components/component[name=Routing Engine1]/properties/property[name={name}]/state/value");
    let told = |name: &str, text: &str| said("juniper_junos", &property(name), Value::String(text.to_owned())).concat();
    let component = "/components/component[name=Routing Engine1]";
    assert_eq!(told("cpu-utilization-idle", "99"), format!(r#"{component}/cpu/utilization/state/instant {{"double":1.0}}"#));
    assert_eq!(told("memory-dram-used", "3313"), format!(r#"{component}/state/memory/utilized {{"uint":3473932288}}"#));
    assert_eq!(told("memory-dram-installed", "8192"), format!(r#"{component}/state/memory/available {{"uint":8589934592}}"#));
    for (name, text) in [
        ("cpu-utilization-idle", "101"),
        ("cpu-utilization-idle", "-1"),
        ("cpu-utilization-idle", "NaN"),
        ("cpu-utilization-idle", "n/a"),
        ("memory-dram-used", "18446744073709551615"),
        ("memory-dram-used", "3.5"),
        ("mastership-priority", "Backup (default)"),
    ] {
        assert_eq!(told(name, text), format!(r#"{} {{"string":"{text}"}}"#, property(name)));
    }
    let gone = Notification { deletes: vec![property("memory-dram-used").parse().unwrap()], ..Notification::default() };
    assert_eq!(named("juniper_junos").canonical(gone).deletes[0].to_string(), format!("{component}/state/memory/utilized"));
}

/// A row whose answers are told under other paths is not silent.
#[test]
fn what_is_told_in_openconfigs_words_keeps_its_row_alive() {
    for (profile, set, native, value) in [
        ("juniper_junos", "cpu", "/components/component[name=RE0]/properties/property[name=cpu-utilization-idle]/state/value", "97"),
        ("cisco_nxos", "cpu", "/System/procsys-items/syscpusummary-items/idle", "74.0"),
        ("cisco_nxos", "memory", "/System/procsys-items/sysmem-items/total", "24499856"),
        ("cisco_iosxr", "cpu", "/system-monitoring/cpu-utilization[node-name=0/RP0/CPU0]/total-cpu-one-minute", "4"),
        ("cisco_iosxr", "memory", "/memory-summary/nodes/node[node-name=0/RP0/CPU0]/summary/ram-memory", "4096"),
        ("nokia_srlinux", "memory", "/platform/control[slot=A]/memory/free", "4096"),
        ("sonic", "cpu", "/system/cpus/cpu[index=all]/state/total/instant", "15"),
    ] {
        let profile = named(profile);
        let updates = vec![Update { path: native.parse().unwrap(), value: Value::String(value.to_owned()) }];
        let told = profile.canonical(Notification { updates, ..Notification::default() });
        let mut health = crate::health::Health::new(&profile.subscriptions, 0);
        health.heard(&told, 1);
        let alive: Vec<&str> = health.rows().iter().filter(|r| r.state == crate::health::State::Alive).map(|r| r.set.as_str()).collect();
        assert_eq!(alive, [set], "{}: {}", profile.name, told.updates[0].path);
    }
}

/// S2-046: a switch without BGP, and optics and temperature from /components.
#[test]
fn a_switch_set_has_components_and_no_bgp() {
    for name in ["openconfig_switch", "sonic"] {
        let profile = named(name);
        assert!(!profile.subscriptions.iter().any(|s| s.set.starts_with("bgp")), "{name}");
        for set in ["temperature", "optics"] {
            let mut rows = profile.subscriptions.iter().filter(|s| s.set == set).peekable();
            assert!(rows.peek().is_some() && rows.all(|s| s.path.names().next() == Some("components")), "{name}: {set}");
        }
    }
    let (switch, router) = (named("openconfig_switch"), named("openconfig"));
    let paths = |p: &Profile| p.subscriptions.iter().filter(|s| !s.set.starts_with("bgp")).cloned().collect::<Vec<_>>();
    assert_eq!(paths(&switch), paths(&router), "otherwise it is the router's set");
}

/// VRFs have sessions too. Our own nodes have none, and their recordings rest on what they were asked.
#[test]
fn bgp_is_asked_for_in_every_network_instance() {
    for profile in all().iter().filter(|p| p.name != "pilothouse_node") {
        for row in profile.subscriptions.iter().filter(|s| s.set.starts_with("bgp")) {
            assert_eq!(row.path.key("network-instance", "name"), Some("*"), "{}: {}", profile.name, row.path);
            let one = row.or_path.as_ref().map(|p| (p.key("network-instance", "name"), p.elems.len()));
            let whole = row.path.elems.len();
            // SR Linux's own tree takes the wildcard (srl-telemetry-lab)
            let expected = (profile.name != "nokia_srlinux").then_some((Some("default"), whole));
            assert_eq!(one, expected, "{}: {}", profile.name, row.path);
        }
    }
}

/// Rows S2-039 to S2-043, and a number that comes often enough to notice silence.
#[test]
fn cadences_are_those_of_the_standard_router() {
    let profile = named("openconfig");
    let every =
        |set: &str| profile.subscriptions.iter().find(|s| s.set == set).map(|s| (s.path.to_string(), s.mode, s.interval_ms)).unwrap();
    assert_eq!(every("counters"), ("/interfaces/interface[name=*]/state/counters".to_owned(), Mode::Sample, 30_000));
    assert_eq!(every("system"), ("/system/state".to_owned(), Mode::Sample, 60_000));
    assert_eq!(every("memory"), ("/system/memory/state".to_owned(), Mode::Sample, 60_000));
    assert_eq!((every("bgp").1, every("cpu").2, every("temperature").2), (Mode::OnChange, 10_000, 60_000));
    for profile in all().iter().filter(|p| p.name != "pilothouse_node") {
        let counters = profile.subscriptions.iter().find(|s| s.set == "counters").unwrap();
        assert_eq!((counters.mode, counters.interval_ms), (Mode::Sample, 30_000), "{}", profile.name);
    }
    let small: Vec<String> = profile.proof().iter().map(|s| s.path.to_string()).collect();
    assert_eq!(small, ["/system/state", "/system/memory/state"], "without wildcards first");
    assert!(named("pilothouse_node").proof().iter().all(|s| !s.is_rib()));
}

#[test]
fn results_of_a_routers_own_probes_become_openconfigs() {
    let target = "/ipsla/operation-data/operations/operation[operation-id=17]/statistics/latest/target";
    let json = serde_json::json!({"common-stats": {"response-time": "12", "return-code": "ipsla-ret-code-ok", "update-count": "4"}});
    let state = "/probes/probe[name=17][source=ip_sla]/tests/test[name=latest]/state";
    let mut leaves = said("cisco_iosxr", target, Value::Json(json));
    leaves.sort();
    assert_eq!(
        leaves,
        [
            format!(r#"{state}/common-stats/update-count {{"string":"4"}}"#),
            format!(r#"{state}/return-code {{"string":"ipsla-ret-code-ok"}}"#),
            format!(r#"{state}/rtt-ms {{"string":"12"}}"#),
        ]
    );
    let rpm = "/junos/rpm/probe-results/probe-test-results[owner=r1-ispa:east:ipv4][test-name=t]/probe-last-test-results/probe-test-generic-results";
    let state = "/probes/probe[name=r1-ispa:east:ipv4][source=rpm]/tests/test[name=t]/state";
    let sent = said("juniper_junos", &format!("{rpm}/probes-sent"), Value::Uint(10));
    let delay = said("juniper_junos", &format!("{rpm}/probe-test-rtt/probe-summary-results/avg-delay"), Value::Uint(9000));
    assert_eq!((sent, delay), (vec![format!(r#"{state}/sent {{"uint":10}}"#)], vec![format!(r#"{state}/rtt-us {{"uint":9000}}"#)]));
}

#[test]
fn a_whole_profile_changes_nothing() {
    let json = serde_json::json!({"a": {"b": 1}});
    assert_eq!(said("pilothouse_node", "/x", Value::Json(json.clone())), [r#"/x {"json":{"a":{"b":1}}}"#]);
    assert_eq!(said("openconfig", "/x", Value::Json(json)), [r#"/x/a/b {"uint":1}"#]);
}
