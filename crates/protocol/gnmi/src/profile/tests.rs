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
    assert_eq!(profiles.len(), 8);
    assert_eq!(profiles.iter().filter(|p| p.is_default).count(), 1);
    for profile in &profiles {
        for set in ["interfaces", "counters"] {
            assert!(profile.subscriptions.iter().any(|s| s.set == set), "{} lacks {set}", profile.name);
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
        (format!("{HEAD}{ROW}heartbeat_interval_ms = 1\n"), "profile f, line 9, subscription 1: heartbeat_interval_ms: "),
        (format!("{HEAD}{ROW}suppress_redundant = true\n"), "profile f, line 9, subscription 1: suppress_redundant: "),
        (format!("{HEAD}{ROW}canonical = \"/b[c=*]\"\n"), "profile f, line 9, subscription 1: canonical: has more"),
        (format!("{HEAD}{ROW}canonical = \"/b[\"\n"), "profile f, line 9, subscription 1: canonical: \"/b[\""),
        (format!("{HEAD}{ROW}values = {{ a = \"b\" }}\n"), "profile f, line 9, subscription 1: values: "),
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
