//! JSON containers opened to their leaves (RFC 7951): names without modules, list entries with their keys in the path.

use crate::{Path, PathElem, Update, Value, module};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Leaves taken from one value: a whole device's state is a few ten thousand.
pub const LEAVES_MAX: usize = 262_144;
/// Elements of a path: the deepest OpenConfig path has 21.
pub const DEPTH_MAX: usize = 64;

/// Keys of lists whose entries hold more scalars than keys (native models, and OpenConfig's lists under `state`).
const KEYS: &[(&str, &[&str])] = &[
    ("interface", &["name"]),
    ("subinterface", &["index"]),
    ("network-instance", &["name"]),
    ("protocol", &["identifier", "name"]),
    ("neighbor", &["neighbor-address"]),
    ("neighbor", &["peer-address"]),
    ("afi-safi", &["afi-safi-name"]),
    ("component", &["name"]),
    ("property", &["name"]),
    ("cpu", &["index"]),
    ("control", &["slot"]),
    ("linecard", &["slot"]),
    ("power-supply", &["id"]),
    ("channel", &["index"]),
    // IOS-XR: system-monitoring/cpu-utilization, memory-summary/nodes/node
    ("cpu-utilization", &["node-name"]),
    ("node", &["node-name"]),
    ("attr-set", &["index"]),
    ("community", &["index"]),
];

/// The leaves of a value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Leaves {
    /// One update a leaf, in the order of the text; a list whose keys are not known stays whole, as JSON.
    pub updates: Vec<Update>,
    /// Leaves beyond [`LEAVES_MAX`] or [`DEPTH_MAX`]; they are left out.
    pub cut: u64,
}

/// Opens the JSON at `path`.
#[must_use]
pub fn leaves(path: &Path, json: &Json) -> Leaves {
    let mut out = Leaves::default();
    open(&mut path.clone(), json, &mut out);
    out
}

/// Returns a JSON scalar as the value it is.
#[must_use]
pub fn scalar(json: &Json) -> Value {
    match json {
        Json::String(s) => Value::String(s.clone()),
        Json::Bool(b) => Value::Bool(*b),
        Json::Number(n) => match (n.as_u64(), n.as_i64(), n.as_f64()) {
            (Some(n), ..) => Value::Uint(n),
            (_, Some(n), _) => Value::Int(n),
            (_, _, Some(n)) => Value::Double(n),
            _ => Value::Json(json.clone()),
        },
        // `empty` is written [null] (RFC 7951 §6.9)
        Json::Array(list) if list.as_slice() == [Json::Null] => Value::Json(Json::Null),
        Json::Array(list) if is_leaf_list(list) => Value::LeafList(list.iter().map(scalar).collect()),
        other => Value::Json(other.clone()),
    }
}

const fn is_scalar(json: &Json) -> bool {
    !matches!(json, Json::Array(_) | Json::Object(_))
}

fn is_leaf_list(list: &[Json]) -> bool {
    !list.is_empty() && list.iter().all(is_scalar)
}

fn open(path: &mut Path, json: &Json, out: &mut Leaves) {
    if path.elems.len() > DEPTH_MAX || out.updates.len() >= LEAVES_MAX {
        out.cut = out.cut.saturating_add(1);
        return;
    }
    match json {
        Json::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                below(path, module::bare_name(name), value, out);
            }
        }
        Json::Array(list) => below_list(path, list, json, out),
        leaf => out.updates.push(Update { path: path.clone(), value: scalar(leaf) }),
    }
}

fn below(path: &mut Path, name: &str, value: &Json, out: &mut Leaves) {
    path.elems.push(PathElem { name: name.to_owned(), ..PathElem::default() });
    open(path, value, out);
    path.elems.pop();
}

/// The value of the list that the path's last element names.
fn below_list(path: &mut Path, list: &[Json], whole: &Json, out: &mut Leaves) {
    let name = path.elems.last().map(|e| e.name.clone()).unwrap_or_default();
    let keys: Option<Vec<_>> = list.iter().map(|entry| keys_of(&name, entry)).collect();
    let (Some(keys), Some(last), false) = (keys, path.elems.last().cloned(), list.is_empty()) else {
        out.updates.push(Update { path: path.clone(), value: scalar(whole) });
        return;
    };
    path.elems.pop();
    for (keys, entry) in keys.into_iter().zip(list) {
        path.elems.push(PathElem { name: last.name.clone(), keys });
        open(path, entry, out);
        path.elems.pop();
    }
    path.elems.push(last);
}

/// Returns the keys of a list entry: by the table; else, as OpenConfig's lists are built, the scalars beside its containers.
fn keys_of(list: &str, entry: &Json) -> Option<BTreeMap<String, String>> {
    let fields = entry.as_object()?;
    let find = |key: &str| fields.iter().find(|(n, v)| module::bare_name(n) == key && is_scalar(v)).map(|(_, v)| v);
    let text = |key: &str, value: &Json| match value {
        Json::String(s) => module::bare_key_value(key, s).to_owned(),
        other => other.to_string(),
    };
    let row = |keys: &[&str]| keys.iter().map(|k| Some(((*k).to_owned(), text(k, find(k)?)))).collect::<Option<BTreeMap<_, _>>>();
    if let Some(keys) = KEYS.iter().filter(|(n, _)| *n == list).find_map(|(_, keys)| row(keys)) {
        return Some(keys);
    }
    let contained = fields.iter().any(|(n, v)| matches!(module::bare_name(n), "state" | "config") && v.is_object());
    let scalars = fields.iter().filter(|(_, v)| is_scalar(v) && !v.is_null());
    let keys: BTreeMap<_, _> = scalars.map(|(n, v)| (module::bare_name(n).to_owned(), text(module::bare_name(n), v))).collect();
    (contained && !keys.is_empty()).then_some(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn texts(path: &str, json: &Json) -> Vec<String> {
        let leaves = leaves(&path.parse().unwrap(), json);
        leaves.updates.iter().map(|u| format!("{} {}", u.path, serde_json::to_string(&u.value).unwrap())).collect()
    }

    #[test]
    fn containers_open_to_leaves_without_modules() {
        let json =
            json!({"openconfig-interfaces:counters": {"in-octets": "12", "x:last": -4}, "enabled": true, "up": [null], "ids": [1, 2]});
        assert_eq!(
            texts("/interfaces/interface[name=a]/state", &json),
            [
                r#"/interfaces/interface[name=a]/state/enabled {"bool":true}"#,
                r#"/interfaces/interface[name=a]/state/ids {"leaf_list":[{"uint":1},{"uint":2}]}"#,
                r#"/interfaces/interface[name=a]/state/counters/in-octets {"string":"12"}"#,
                r#"/interfaces/interface[name=a]/state/counters/last {"int":-4}"#,
                r#"/interfaces/interface[name=a]/state/up {"json":null}"#,
            ]
        );
    }

    #[test]
    fn lists_put_their_keys_into_the_path() {
        let json = json!({"protocol": [{"identifier": "openconfig-policy-types:BGP", "name": "BGP", "state": {"enabled": true}}]});
        assert_eq!(
            texts("/p", &json),
            [
                r#"/p/protocol[identifier=BGP][name=BGP]/identifier {"string":"openconfig-policy-types:BGP"}"#,
                r#"/p/protocol[identifier=BGP][name=BGP]/name {"string":"BGP"}"#,
                r#"/p/protocol[identifier=BGP][name=BGP]/state/enabled {"bool":true}"#,
            ]
        );
        let unnamed = json!({"statement": [{"id": 5, "state": {"x": 1}}, {"id": 6, "state": {"x": 2}}]});
        assert_eq!(texts("/", &unnamed)[1], r#"/statement[id=5]/state/x {"uint":1}"#);
    }

    #[test]
    fn a_list_without_known_keys_stays_whole() {
        assert_eq!(texts("/a", &json!({"b": [{"x": 1, "y": 2}]})), [r#"/a/b {"json":[{"x":1,"y":2}]}"#]);
        assert_eq!(texts("/a", &json!([{"x": 1}])), [r#"/a {"json":[{"x":1}]}"#]);
        assert_eq!(texts("/a", &json!({})), [r#"/a {"json":{}}"#]);
    }

    #[test]
    fn depth_is_bounded() {
        let mut deep = json!(1);
        for _ in 0..200 {
            deep = json!({"a": deep});
        }
        let leaves = leaves(&Path::default(), &deep);
        assert_eq!((leaves.updates.len(), leaves.cut), (0, 1));
    }
}
