//! Files of telemetry: shapes, canonical paths, values, and what is bad in them. All written here.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use gnmi::{Repair, Repairs};
use gnmi_wire::dump::{self, Record};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

fn objects(text: &str) -> Vec<Json> {
    let mut out = Vec::new();
    dump::read(text.as_bytes(), &mut Repairs::default(), |record| out.push(record.to_json()));
    out
}

/// `path value type` of each update, `type path` of the others.
fn lines(text: &str) -> Vec<String> {
    let word = |o: &Json, k: &str| o[k].as_str().unwrap_or_default().to_owned();
    let line = |o: Json| match o["type"].as_str().unwrap() {
        "update" => format!("{} {} {}", word(&o, "path"), o["value"], word(&o, "value_type")),
        kind => format!("{kind} {}{}", word(&o, "path"), word(&o, "place")).trim().to_owned(),
    };
    objects(text).into_iter().map(line).collect()
}

fn elems(path: &str) -> Json {
    let path: gnmi::Path = path.parse().unwrap();
    path.elems.iter().map(|e| json!({"name": e.name, "key": e.keys})).collect()
}

fn update(path: &str, val: Json) -> Json {
    json!({"path": {"elem": elems(path)}, "val": val})
}

#[test]
fn an_update_has_every_field_of_the_contract() {
    let entry = json!({"update": {"timestamp": "1612000000000000000", "prefix": {"target": "leaf1", "origin": "openconfig",
        "elem": [{"name": "openconfig-interfaces:interfaces"}]},
        "update": [{"path": {"elem": [{"name": "interface", "key": {"name": "Ethernet1"}}, {"name": "state"}, {"name": "oper-status"}]},
            "val": {"stringVal": "UP"}, "duplicates": 2}]}});
    assert_eq!(
        objects(&entry.to_string()),
        [json!({"type": "update", "target": "leaf1", "time": "2021-01-30T09:46:40.000000000Z", "origin": "openconfig",
            "path": "/interfaces/interface[name=Ethernet1]/state/oper-status", "value": "UP", "value_type": "enum", "duplicates": 2, "repairs": []})]
    );
}

#[test]
fn every_kind_of_value_is_read_in_either_spelling() {
    let values = [
        (json!({"stringVal": "x"}), r#""x" string"#),
        (json!({"string_val": "12"}), r#""12" string"#),
        (json!({"asciiVal": "y"}), r#""y" string"#),
        (json!({"intVal": "-9223372036854775808"}), "-9223372036854775808 int"),
        (json!({"uint_val": "18446744073709551615"}), "18446744073709551615 uint"),
        (json!({"uintVal": 7}), "7 uint"),
        (json!({"boolVal": true}), "true bool"),
        (json!({"bytesVal": "_-8"}), r#""/+8=" bytes"#),
        (json!({"floatVal": 1.5}), "1.5 double"),
        (json!({"doubleVal": "2.25"}), "2.25 double"),
        (json!({"decimalVal": {"digits": "314", "precision": 2}}), "3.14 double"),
        (json!({"leaflistVal": {"element": [{"uintVal": 1}, {"stringVal": "b"}]}}), r#"[1,"b"] leaf_list"#),
        (json!({"jsonIetfVal": "W251bGxd"}), "null empty"),
        (json!({"jsonVal": "InEi"}), r#""q" string"#),
    ];
    for (value, expected) in values {
        let text = json!({"update": {"timestamp": 1, "update": [update("/a", value.clone())]}}).to_string();
        assert_eq!(lines(&text), [format!("/a {expected}")], "{value}");
    }
}

#[test]
fn containers_open_and_numbers_leave_their_strings() {
    let inner = r#"{"openconfig-interfaces:counters":{"in-octets":"18446744073709551615"},"description":"65001","oper-status":"UP"}"#;
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, inner);
    let text =
        json!({"update": {"timestamp": 1, "update": [update("/interfaces/interface[name=a]/state", json!({"json_ietf_val": encoded}))]}});
    assert_eq!(
        lines(&text.to_string()),
        [
            r#"/interfaces/interface[name=a]/state/description "65001" string"#,
            "/interfaces/interface[name=a]/state/counters/in-octets 18446744073709551615 uint",
            r#"/interfaces/interface[name=a]/state/oper-status "UP" enum"#,
        ]
        .map(str::to_owned)
    );
}

#[test]
fn deletes_atomics_syncs_and_keep_alives_are_told_in_the_order_in_which_they_act() {
    let atomic = json!({"update": {"timestamp": 5, "atomic": true, "prefix": {"elem": elems("/a[k=1]")},
        "delete": [{"elem": elems("/b")}], "update": [update("/c", json!({"intVal": 1}))]}});
    let quiet = json!({"update": {"timestamp": 6}});
    let text = format!("[{atomic},{},{quiet}]", json!({"sync_response": true}));
    assert_eq!(lines(&text), ["atomic /a[k=1]", "delete /a[k=1]/b", "/a[k=1]/c 1 int", "sync", "keep_alive"]);
}

#[test]
fn get_responses_bare_notifications_and_the_deprecated_path_are_read() {
    let n = json!({"timestamp": "7", "update": [{"path": {"element": ["a", "b"]}, "val": {"intVal": 1}}]});
    let get = json!({"notification": [n, n]});
    assert_eq!(lines(&get.to_string()), ["/a/b 1 int"; 2]);
    assert_eq!(lines(&n.to_string()), ["/a/b 1 int"]);
}

#[test]
fn gnmic_messages_are_read() {
    let text = r#"
received signal 'interrupt'. terminating...
[{"time": "1969-12-31T19:00:00-05:00", "updates": [{"Path": "network-instances/network-instance[name=default]/state",
   "values": {"network-instances/network-instance/state": {"openconfig-network-instance:enabled": true}}}]}]
{"source": "10.0.0.1:6030", "timestamp": 1616116201161694227, "prefix": "openconfig:/interfaces/interface[name=a]",
 "updates": [{"Path": "state/mtu", "values": {"state/mtu": 1500}}], "deletes": ["state/description"]}
{"sync-response": true}"#;
    let objects = objects(text);
    assert_eq!(objects[0]["type"], "malformed");
    assert_eq!(objects[0]["offset"], 1);
    assert_eq!(objects[1]["path"], "/network-instances/network-instance[name=default]/state/enabled");
    assert_eq!(objects[1]["time"], Json::Null);
    assert_eq!(objects[1]["repairs"], json!(["time_missing"]));
    assert_eq!(objects[2]["path"], "/interfaces/interface[name=a]/state/description");
    assert_eq!(
        (&objects[3]["origin"], &objects[3]["value"], &objects[3]["target"]),
        (&json!("openconfig"), &json!(1500), &json!("10.0.0.1:6030"))
    );
    assert_eq!(objects[4], json!({"type": "sync", "target": null}));
}

#[test]
fn origins_follow_the_path_and_a_mac_address_stays_an_element() {
    let native = json!({"timestamp": 1, "prefix": {"origin": "eos_native"}, "update": [
        {"path": {"elem": [{"name": "01:00:5e:1e:1e:1e"}, {"name": "Ethernet1/1"}]}, "val": {"boolVal": true}},
        {"path": {"origin": "srl_nokia-interfaces", "elem": [{"name": "interface", "key": {"name": "e-1/1"}}]}, "val": {"intVal": 1}}]});
    let objects = objects(&json!({"update": native}).to_string());
    assert_eq!((&objects[0]["origin"], &objects[0]["path"]), (&json!("eos_native"), &json!(r"/01:00:5e:1e:1e:1e/Ethernet1\/1")));
    assert_eq!(objects[1]["origin"], "srl_nokia-interfaces");
}

#[test]
fn what_is_bad_is_named_with_its_place_and_the_rest_is_kept() {
    let good = update("/a", json!({"intVal": 1}));
    let bad = [
        (update("/a", json!({"intVal": "x"})), "update.update[1].val.intVal"),
        (update("/a", json!({"uintVal": -1})), "update.update[1].val.uintVal"),
        (update("/a", json!({"uintVal": 1.5})), "update.update[1].val.uintVal"),
        (update("/a", json!({"boolVal": "true"})), "update.update[1].val.boolVal"),
        (update("/a", json!({"bytesVal": "*"})), "update.update[1].val.bytesVal"),
        (update("/a", json!({"doubleVal": "NaN"})), "update.update[1].val.doubleVal"),
        (update("/a", json!({"anyVal": {}})), "update.update[1].val.anyVal"),
        (update("/a", json!({"jsonIetfVal": "e30="})), ""),
        (update("/a", json!({"jsonIetfVal": "eyA="})), "update.update[1].val"),
        (update("/a", json!({})), "update.update[1].val"),
        (json!({"path": {"elem": [{"key": {}}]}, "val": {"intVal": 1}}), "update.update[1].path.elem[0]"),
        (json!({"path": {"elem": elems("/a")}}), "update.update[1]"),
        (json!(3), "update.update[1]"),
    ];
    for (update, place) in bad {
        let text = json!({"update": {"timestamp": 1, "update": [good, update.clone(), good]}}).to_string();
        let objects = objects(&text);
        assert_eq!(objects.len(), 3, "{update}");
        let found: Vec<&str> = objects.iter().filter(|o| o["type"] == "malformed").map(|o| o["place"].as_str().unwrap()).collect();
        assert_eq!(found, if place.is_empty() { vec![] } else { vec![place] }, "{update}");
    }
}

#[test]
fn a_bad_entry_costs_itself_only() {
    let good = json!({"update": {"timestamp": 1, "update": [update("/a", json!({"intVal": 1}))]}}).to_string();
    for (bad, place) in [
        (r#"{"update": {"timestamp": "soon"}}"#, "update.timestamp"),
        (r#"{"update": {"timestamp": 1, "prefix": 4}}"#, "update.prefix"),
        (r#"{"update": {"timestamp": 1, "delete": [{"elem": 3}]}}"#, "update.delete[0].elem"),
        (r#"{"update": {"timestamp": 1, "atomic": 1}}"#, "update.atomic"),
        (r#"{"updates": [{"Path": "a"}]}"#, "updates[0]"),
        (r#"{"updates": [{"Path": "a[", "values": {}}]}"#, "updates[0].Path"),
        (r#"{"updates": 3}"#, "updates"),
        (r#"{"notification": [3]}"#, "notification[0]"),
        (r#"{"sync_response": 1}"#, "sync_response"),
        (r#"{"error": {"code": 5}}"#, ""),
        (r#"{"a": }"#, ""),
        (r#"{"a": "x"#, ""),
        (r#"{"a": {"#, ""),
        ("log line", ""),
    ] {
        let text = format!("{good}\n{bad}\n{good}\n");
        let lines = lines(&text);
        let malformed = format!("malformed {place}").trim().to_owned();
        let expected = ["/a 1 int".to_owned(), malformed, "/a 1 int".to_owned()];
        assert_eq!(lines, expected, "{bad}");
    }
}

#[test]
fn repairs_are_listed_and_can_be_off() {
    let text = json!({"update": {"timestamp": 1_611_283_415, "update": [
        update("/neighbors/neighbor[neighbor_address=1]/state/session-state", json!({"stringVal": "oc-bgp:IDLE"}))]}})
    .to_string();
    let one = objects(&text).remove(0);
    assert_eq!(one["repairs"], json!(["time_in_seconds", "underscored_key", "module_on_identity"]));
    assert_eq!((&one["value"], &one["path"]), (&json!("IDLE"), &json!("/neighbors/neighbor[neighbor-address=1]/state/session-state")));
    let mut off = Vec::new();
    dump::read(text.as_bytes(), &mut Repairs::only([Repair::TimeMissing]), |r| off.push(r.to_json()));
    assert_eq!((&off[0]["repairs"], &off[0]["value"]), (&json!([]), &json!("oc-bgp:IDLE")));
}

proptest! {
    /// Any bytes give records, never a panic, and always the same.
    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let run = || { let mut out = Vec::new(); dump::read(&bytes, &mut Repairs::default(), |r| out.push(r.to_json().to_string())); out };
        prop_assert_eq!(run(), run());
        let _ = dump::records_from_bytes(&bytes);
    }

    /// A good file cut or with a byte changed gives records, never a panic; offsets lie within the file.
    #[test]
    fn damaged_files_are_read(cut in 0_usize..400, byte in any::<u8>(), at in 0_usize..400) {
        let entry = json!({"update": {"timestamp": "1", "prefix": {"elem": elems("/a[k=1]")}, "delete": [{"elem": elems("/b")}],
            "update": [update("/c", json!({"jsonIetfVal": "eyJhIjp7ImIiOlsxXX19"})), update("/d", json!({"uintVal": "5"}))]}});
        let mut text = format!("{entry}\n{entry}\n").into_bytes();
        let len = text.len();
        text[at % len] = byte;
        text.truncate(len - cut % len);
        dump::read(&text, &mut Repairs::default(), |r| if let Record::Malformed { offset, length, .. } = r { assert!(offset + length <= text.len()) });
    }
}
