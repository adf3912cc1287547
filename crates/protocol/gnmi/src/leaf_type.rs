//! Types of the leaves we read, as a table: enough to tell a 64-bit number in a string from a text (RFC 7951 §6.1), and no YANG parser.

use crate::{Path, Value};

/// What a leaf holds, whatever its encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeafType {
    /// Unsigned number: counters, percentages, ports, timeticks64 (nanoseconds).
    Uint,
    /// Signed number.
    Int,
    /// decimal64 or ieeefloat32.
    Float,
    /// Boolean.
    Bool,
    /// Enumeration.
    Enum,
    /// identityref.
    Identity,
    /// Text, also when it looks like a number.
    Text,
}

/// Ends of paths (without keys; `*` is one element) and the type of the leaf there; the first row that fits counts.
/// OpenConfig at openconfig/public 94f58962; SR Linux 25.3; SONiC's SAI counters.
const TABLE: &[(&str, LeafType)] = &[
    ("state/counters/name", LeafType::Text), // Ciena puts the name among the counters (telegraf issue 14063)
    ("state/counters/*", LeafType::Uint),
    ("interface/statistics/*", LeafType::Uint),
    ("interface/traffic-rate/*", LeafType::Uint),
    ("COUNTERS/*/*", LeafType::Uint),
    ("interface/state/oper-status", LeafType::Enum),
    ("interface/state/admin-status", LeafType::Enum),
    ("subinterface/state/oper-status", LeafType::Enum),
    ("subinterface/state/admin-status", LeafType::Enum),
    ("interface/oper-state", LeafType::Enum),
    ("interface/admin-state", LeafType::Enum),
    ("state/last-change", LeafType::Uint),
    ("state/ifindex", LeafType::Uint),
    ("state/mtu", LeafType::Uint),
    ("interface/state/type", LeafType::Identity),
    ("interface/config/type", LeafType::Identity),
    ("ethernet/state/port-speed", LeafType::Identity),
    ("ethernet/state/negotiated-port-speed", LeafType::Identity),
    ("cpu/state/*/*", LeafType::Uint),
    ("cpu/utilization/state/*", LeafType::Uint),
    ("cpu/*/instant", LeafType::Uint),
    ("cpu/*/average-1", LeafType::Uint),
    ("cpu/*/average-5", LeafType::Uint),
    ("cpu/*/average-15", LeafType::Uint),
    ("system/memory/state/*", LeafType::Uint),
    ("control/memory/*", LeafType::Uint),
    ("state/memory/available", LeafType::Uint),
    ("state/memory/utilized", LeafType::Uint),
    ("state/memory/free", LeafType::Uint), // no leaf of OpenConfig's: profiles map a native one to it
    ("system/state/boot-time", LeafType::Uint),
    ("system/state/up-time", LeafType::Uint),
    ("state/temperature/interval", LeafType::Uint),
    ("state/temperature/alarm-status", LeafType::Bool),
    ("state/temperature/alarm-severity", LeafType::Identity),
    ("state/temperature/*-time", LeafType::Uint),
    ("state/temperature/*", LeafType::Float),
    ("component/state/type", LeafType::Identity),
    ("component/state/oper-status", LeafType::Identity),
    ("state/used-power", LeafType::Uint),
    ("state/allocated-power", LeafType::Uint),
    ("power-supply/state/capacity", LeafType::Float),
    ("power-supply/state/input-current", LeafType::Float),
    ("power-supply/state/input-voltage", LeafType::Float),
    ("power-supply/state/output-current", LeafType::Float),
    ("power-supply/state/output-voltage", LeafType::Float),
    ("power-supply/state/output-power", LeafType::Float),
    ("state/input-power/interval", LeafType::Uint),
    ("state/input-power/*", LeafType::Float),
    ("state/output-power/interval", LeafType::Uint),
    ("state/output-power/*", LeafType::Float),
    ("state/laser-bias-current/interval", LeafType::Uint),
    ("state/laser-bias-current/*", LeafType::Float),
    ("neighbor/state/session-state", LeafType::Enum),
    ("neighbor/session-state", LeafType::Enum),
    ("neighbor/state/established-transitions", LeafType::Uint),
    ("neighbor/established-transitions", LeafType::Uint),
    ("neighbor/state/last-established", LeafType::Uint),
    ("neighbor/state/peer-as", LeafType::Uint),
    ("neighbor/state/local-as", LeafType::Uint),
    ("neighbor/state/peer-type", LeafType::Enum),
    ("messages/sent/*", LeafType::Uint),
    ("messages/received/*", LeafType::Uint),
    ("sent-messages/*", LeafType::Uint),
    ("received-messages/*", LeafType::Uint),
    ("state/prefixes/*", LeafType::Uint),
    ("afi-safi/received-routes", LeafType::Uint),
    ("afi-safi/active-routes", LeafType::Uint),
    ("afi-safi/sent-routes", LeafType::Uint),
    ("afi-safi/rejected-routes", LeafType::Uint),
    ("afi-safi/state/afi-safi-name", LeafType::Identity),
    ("afi-safi/state/active", LeafType::Bool),
    ("protocol/state/identifier", LeafType::Identity),
    ("network-instance/state/type", LeafType::Identity),
    ("state/queue-limit", LeafType::Uint),
];

/// Returns the type of the leaf at `path`, where the table knows it.
#[must_use]
pub fn leaf_type(path: &Path) -> Option<LeafType> {
    TABLE.iter().find(|(end, _)| ends_with(path, end)).map(|(_, kind)| *kind)
}

fn ends_with(path: &Path, end: &str) -> bool {
    let fits = |name: &str, pattern: &str| match pattern.strip_prefix('*') {
        Some(tail) => name.ends_with(tail),
        None => name == pattern,
    };
    let mut names = path.elems.iter().rev();
    end.rsplit('/').all(|pattern| names.next().is_some_and(|e| fits(&e.name, pattern)))
}

/// Returns the word for what `value` at `path` is: `enum`, `identity`, `string`, `uint`, `int`, `double`, `bool`, `bytes`, `leaf_list`,
/// `empty` or `json`.
#[must_use]
pub fn value_type(path: &Path, value: &Value) -> &'static str {
    match (value, leaf_type(path)) {
        (Value::String(_), Some(LeafType::Enum)) => "enum",
        (Value::String(_), Some(LeafType::Identity)) => "identity",
        (Value::String(_), _) => "string",
        (Value::Int(_), _) => "int",
        (Value::Uint(_), _) => "uint",
        (Value::Bool(_), _) => "bool",
        (Value::Double(_), _) => "double",
        (Value::Bytes(_), _) => "bytes",
        (Value::LeafList(_), _) => "leaf_list",
        (Value::Json(serde_json::Value::Null), _) => "empty",
        (Value::Json(json), _) => match crate::scalar(json) {
            Value::Json(_) => "json",
            plain => value_type(path, &plain),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_row_that_fits_counts() {
        let kind = |text: &str| leaf_type(&text.parse().unwrap());
        assert_eq!(kind("/interfaces/interface[name=x]/state/counters/in-octets"), Some(LeafType::Uint));
        assert_eq!(kind("/interfaces/interface[name=x]/state/counters/name"), Some(LeafType::Text));
        assert_eq!(kind("/interfaces/interface[name=x]/state/description"), None);
        assert_eq!(kind("/components/component[name=x]/state/temperature/instant"), Some(LeafType::Float));
        assert_eq!(kind("/components/component[name=x]/state/temperature/max-time"), Some(LeafType::Uint));
        assert_eq!(kind("/counters"), None);
        assert_eq!(value_type(&"/a/neighbor/state/session-state".parse().unwrap(), &Value::String("IDLE".into())), "enum");
    }
}
