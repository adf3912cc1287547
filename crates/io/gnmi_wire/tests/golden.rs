//! Recorded telemetry with known answers, read in place: what telegraf made of 15 recordings, what gnmic printed, what SONiC stores.
//! Absent on other machines: the tests say so and pass.
//!
//! Telegraf's naming, as its documentation and its answers show, is mapped here and nowhere else:
//! 1. measurement = name of the subscription whose path is the longest beginning of the leaf's path;
//! 2. field = the path below the subscription's, `-` as `_`; the last element where the paths are equal; with `canonical_field_names` the
//!    whole path, with `trim_field_names` without the first `/`;
//! 3. tags = keys of the path; a key whose name is taken already is spelled with its path; a leaf of a `tag_subscription` is no field but a
//!    tag `subscription/leaf` of the leaves that share its keys (`elements`: keys of these elements; without: the key `name`); empty ones
//!    are left out.
//!
//! What is not compared, and why: tag `source` (the address that telegraf's test dials) and tag `path` (the prefix spelled with module
//! prefixes, which the canonical spelling leaves off; that it begins our path is checked). Key names: we repair `neighbor_address` to
//! `neighbor-address`, telegraf writes every `-` in a tag's name as `_`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use gnmi::{Notification, Path, Repair, Repairs, Tree, Update, Value};
use gnmi_wire::dump::{self, Record};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

const DATA: &str = "../../../../shared/data/gnmi";
const CASES: usize = 15;

fn data() -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var("PILOTHOUSE_GNMI_CORPUS").unwrap_or_else(|_| DATA.to_owned()));
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: no telemetry at {}", path.display());
    None
}

fn records(text: &str) -> (Vec<Record>, Repairs) {
    let (mut out, mut repairs) = (Vec::new(), Repairs::default());
    dump::read(text.as_bytes(), &mut repairs, |r| out.push(r));
    (out, repairs)
}

type Tags = BTreeMap<String, String>;
/// Measurement, tags, field, value as Influx types it, time.
type Point = (String, Tags, String, String, i64);

struct Subscription {
    name: String,
    path: Path,
    elements: Option<Vec<String>>,
}

struct Config {
    subscriptions: Vec<Subscription>,
    tags: Vec<Subscription>,
    canonical: bool,
    trimmed: bool,
}

fn config(text: &str) -> Config {
    let all: toml::Table = text.parse().unwrap();
    let plugin = all["inputs"]["gnmi"][0].as_table().unwrap();
    let list = |key: &str| -> Vec<Subscription> {
        let one = |s: &toml::Value| Subscription {
            name: s["name"].as_str().unwrap().to_owned(),
            path: s["path"].as_str().unwrap().parse().unwrap(),
            elements: s.get("elements").map(|e| e.as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()),
        };
        plugin.get(key).map(|l| l.as_array().unwrap().iter().map(one).collect()).unwrap_or_default()
    };
    let on = |key: &str| plugin.get(key).is_some_and(|v| v.as_bool().unwrap());
    Config {
        subscriptions: list("subscription"),
        tags: list("tag_subscription"),
        canonical: on("canonical_field_names"),
        trimmed: on("trim_field_names"),
    }
}

/// Rule 1; keys of a subscription are patterns, names decide.
fn subscribed<'a>(list: &'a [Subscription], path: &Path) -> Option<&'a Subscription> {
    let begins = |s: &&Subscription| s.path.elems.len() <= path.elems.len() && s.path.names().zip(path.names()).all(|(a, b)| a == b);
    list.iter().filter(begins).max_by_key(|s| s.path.elems.len())
}

/// Rule 2.
fn field(config: &Config, subscription: &Path, path: &Path) -> String {
    let names: Vec<&str> = path.names().collect();
    let joined = |from: usize| names[from..].join("/").replace('-', "_");
    match (config.canonical, config.trimmed) {
        (true, false) => format!("/{}", joined(0)),
        (true, true) => joined(0),
        _ => joined(subscription.elems.len().min(names.len() - 1)),
    }
}

/// Rule 3.
fn tags(path: &Path) -> Tags {
    let mut tags = Tags::new();
    let mut at = String::new();
    for elem in &path.elems {
        at = format!("{at}/{}", elem.name);
        for (key, value) in &elem.keys {
            let plain = key.replace('-', "_");
            let name = if tags.contains_key(&plain) { format!("{at}/{key}") } else { plain };
            tags.insert(name, value.clone());
        }
    }
    tags
}

/// Rule 3: what joins a leaf with the leaves of a tag subscription.
fn joint(subscription: &Subscription, path: &Path) -> Vec<String> {
    match &subscription.elements {
        Some(elements) => {
            let of = |name: &String| path.elems.iter().find(|e| &e.name == name).map(|e| format!("{:?}", e.keys)).unwrap_or_default();
            elements.iter().map(of).collect()
        }
        None => path.elems.iter().filter_map(|e| e.keys.get("name").cloned()).collect(),
    }
}

fn influx(value: &Value) -> String {
    match value {
        Value::String(s) => format!("{s:?}"),
        Value::Uint(n) => format!("{n}u"),
        Value::Int(n) => format!("{n}i"),
        Value::Bool(b) => b.to_string(),
        other => panic!("no recording holds {other:?}"),
    }
}

/// What telegraf would say of our records. Tag leaves of a notification count for all of its leaves.
fn ours(config: &Config, records: &[Record]) -> BTreeSet<Point> {
    let mut known: BTreeMap<(String, Vec<String>), (String, String)> = BTreeMap::new();
    let mut out = BTreeSet::new();
    let updates: Vec<_> = records
        .iter()
        .filter_map(|r| match r {
            Record::Update { head, path, value, .. } => Some((head.time.unwrap(), path, value)),
            Record::Sync { .. } => None,
            other => panic!("unexpected {other:?}"),
        })
        .collect();
    for chunk in updates.chunk_by(|a, b| a.0 == b.0) {
        for (_, path, value) in chunk {
            if let Some(s) = subscribed(&config.tags, path) {
                let leaf = path.names().last().unwrap();
                let text = value.as_str().unwrap().to_owned();
                known.insert((s.name.clone(), joint(s, path)), (format!("{}/{leaf}", s.name), text));
            }
        }
        for (time, path, value) in chunk {
            if subscribed(&config.tags, path).is_some() {
                continue;
            }
            let s = subscribed(&config.subscriptions, path).unwrap_or_else(|| panic!("nobody asked for {path}"));
            let mut all = tags(path);
            for t in &config.tags {
                all.extend(known.get(&(t.name.clone(), joint(t, path))).filter(|(_, text)| !text.is_empty()).cloned());
            }
            out.insert((s.name.clone(), all, field(config, &s.path, path), influx(value), *time));
        }
    }
    out
}

/// Splits Influx line protocol at `separator`, outside quotes; a backslash keeps the next character.
fn split(text: &str, separator: char) -> Vec<String> {
    let (mut parts, mut quoted, mut escaped) = (vec![String::new()], false, false);
    for c in text.chars() {
        let last = parts.last_mut().unwrap();
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            c if c == separator && !quoted => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        last.push(c);
    }
    parts
}

fn unescaped(text: &str, quoted: bool) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let special = |n: &char| if quoted { matches!(n, '"' | '\\') } else { matches!(n, ',' | '=' | ' ') };
        out.push(if c == '\\' { chars.next_if(special).unwrap_or(c) } else { c });
    }
    out
}

/// Telegraf's answers; the tag `path` comes beside them.
fn theirs(text: &str) -> (BTreeSet<Point>, BTreeSet<String>) {
    let (mut points, mut paths) = (BTreeSet::new(), BTreeSet::new());
    for line in text.lines().filter(|l| !l.trim().is_empty()) {
        let parts = split(line.trim(), ' ');
        let [series, fields, time] = parts.as_slice() else { panic!("{line}") };
        let mut series = split(series, ',').into_iter();
        let measurement = series.next().unwrap();
        let pair = |text: String| {
            let parts = split(&text, '=');
            (unescaped(&parts[0], false), parts[1..].join("="))
        };
        let mut tags: Tags = series.map(pair).map(|(k, v)| (k, unescaped(&v, false))).collect();
        tags.remove("source");
        paths.extend(tags.remove("path"));
        for (name, value) in split(fields, ',').into_iter().map(pair) {
            let value = match value.strip_prefix('"').and_then(|v| v.strip_suffix('"')) {
                Some(text) => format!("{:?}", unescaped(text, true)),
                None => value,
            };
            points.insert((measurement.clone(), tags.clone(), name, value, time.parse().unwrap()));
        }
    }
    (points, paths)
}

/// The same by a tree: what is there at the end is the last value of every leaf.
fn tree(records: &[Record]) -> Tree {
    let mut tree = Tree::default();
    tree.connected();
    for record in records {
        match record {
            Record::Update { head, path, value, .. } => {
                let update = Update { path: path.clone(), value: value.clone() };
                let timestamp = head.time.unwrap_or_default();
                tree.apply(&Notification { timestamp, origin: head.origin.clone(), updates: vec![update], ..Notification::default() });
            }
            Record::Sync { .. } => assert_eq!(tree.synced(), 0, "a first dump leaves nothing behind"),
            other => panic!("unexpected {other:?}"),
        }
    }
    tree
}

#[test]
fn telegrafs_answers_are_ours_in_all_recordings() {
    let Some(dir) = data() else { return };
    let mut cases: Vec<String> = std::fs::read_dir(&dir)
        .unwrap()
        .filter_map(|e| e.unwrap().file_name().to_str()?.strip_suffix("__responses.json").map(str::to_owned))
        .collect();
    cases.sort();
    assert_eq!(cases.len(), CASES);
    let mut compared = 0;
    for case in cases {
        let read = |part: &str| std::fs::read_to_string(dir.join(format!("{case}__{part}"))).unwrap();
        let config = config(&read("telegraf.conf"));
        let (records, _) = records(&read("responses.json"));
        let (expected, paths) = theirs(&read("expected.out"));
        let found = ours(&config, &records);
        assert_eq!(found, expected, "{case}");
        compared += found.len();
        let leaves: BTreeSet<&Path> =
            records.iter().filter_map(|r| if let Record::Update { path, .. } = r { Some(path) } else { None }).collect();
        assert_eq!(tree(&records).len(), leaves.len(), "{case}");
        for path in paths {
            let bare: Path = path.split_once(":/").map_or(path.as_str(), |(_, p)| p).parse().unwrap();
            let begins = |leaf: &&Path| bare.names().zip(leaf.names()).all(|(a, b)| a == b);
            assert!(leaves.iter().any(begins), "{case}: {bare}");
        }
    }
    println!("{compared} points in {CASES} recordings");
}

#[test]
fn what_gnmic_printed_of_a_switch_is_read() {
    let Some(dir) = data() else { return };
    let read = |name: &str| records(&std::fs::read_to_string(dir.join(format!("arista_openmgmt__gnmic_{name}.json"))).unwrap());
    // 974 messages of one counter each, ended by a keyboard
    let (counters, repairs) = read("interface_state");
    let updates: Vec<_> = counters.iter().filter(|r| matches!(r, Record::Update { value: Value::Uint(_), .. })).collect();
    assert_eq!((updates.len(), counters.len(), repairs.counts().len()), (974, 975, 0));
    assert!(matches!(counters.last(), Some(Record::Malformed { .. })));
    // a Get: time 0, subtrees, identities with modules
    let (bgp, repairs) = read("bgp");
    assert!(matches!(bgp.first(), Some(Record::Malformed { offset: 1, .. })));
    assert!(repairs.counts()[&Repair::TimeMissing] >= 1 && repairs.counts()[&Repair::ModuleOnIdentity] >= 1);
    let as_number = "/network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]/bgp/global/afi-safis/afi-safi[afi-safi-name=IPV4_UNICAST]/state/afi-safi-name";
    let (instances, _) = read("network-instances");
    let leaf = instances.iter().chain(&bgp).find_map(|r| match r {
        Record::Update { path, value, .. } if path.to_string() == as_number => Some(value.clone()),
        _ => None,
    });
    assert_eq!(leaf, Some(Value::String("IPV4_UNICAST".into())));
    for record in instances.iter().chain(&bgp) {
        if let Record::Update { path, .. } = record {
            assert!(!path.to_string().contains("openconfig-"), "{path}");
        }
    }
}

#[test]
fn sonics_counters_leave_their_strings() {
    let Some(dir) = data() else { return };
    for (name, at) in [("COUNTERS_Ethernet68", "/COUNTERS/Ethernet68"), ("COUNTERS_Ethernet_wildcard_alias", "/COUNTERS")] {
        let json: serde_json::Value = serde_json::from_slice(&std::fs::read(dir.join(format!("sonic__{name}.txt"))).unwrap()).unwrap();
        let mut repairs = Repairs::default();
        let leaves = gnmi::leaves(&at.parse().unwrap(), &json).updates;
        let numbers = leaves.into_iter().map(|u| repairs.value(&u.path, u.value).0).filter(|v| matches!(v, Value::Uint(_))).count();
        assert!(numbers > 60, "{name}: {numbers}");
        assert_eq!(repairs.counts().get(&Repair::CounterInString).copied(), u64::try_from(numbers).ok());
    }
}
