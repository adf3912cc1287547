//! Wire messages to values and back.

use crate::wire;
use gnmi::{Notification, Path, PathElem, Update, Value};
use wire::typed_value::Value as Wire;

/// Most elements in a leaf-list.
const LIST_MAX: usize = 65_536;

/// A message that holds no usable value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// JSON that does not parse.
    #[error("{path}: JSON is broken at line {line}, column {column}")]
    Json {
        /// Where.
        path: String,
        /// Line.
        line: usize,
        /// Column.
        column: usize,
    },
    /// A value without content, or of a kind that is not carried (`any`).
    #[error("{path}: value is empty or of a kind that is not read")]
    NoValue {
        /// Where.
        path: String,
    },
}

/// Joins an optional prefix and a path.
#[must_use]
pub fn path_from_wire(prefix: Option<&wire::Path>, path: Option<&wire::Path>) -> Path {
    let mut elems = Vec::new();
    for part in [prefix, path].into_iter().flatten() {
        let plain = |name: &str| PathElem { name: name.to_owned(), ..PathElem::default() }.canonical();
        if part.elem.is_empty() {
            #[allow(deprecated, reason = "old targets still send the deprecated form")]
            elems.extend(part.element.iter().filter(|e| !e.is_empty()).map(|e| plain(e)));
        }
        let keyed = |e: &wire::PathElem| PathElem { name: e.name.clone(), keys: e.key.clone().into_iter().collect() };
        elems.extend(part.elem.iter().map(|e| keyed(e).canonical()));
    }
    Path { elems }
}

/// Makes a wire path.
#[must_use]
pub fn path_to_wire(path: &Path, origin: &str) -> wire::Path {
    let elem = path
        .elems
        .iter()
        .map(|e| wire::PathElem { name: e.name.clone(), key: e.keys.iter().map(|(k, v)| (k.clone(), v.clone())).collect() })
        .collect();
    wire::Path { origin: origin.to_owned(), elem, ..wire::Path::default() }
}

/// Reads a value; JSON is parsed, `path` only names the place in errors.
///
/// # Errors
/// [`ConvertError`].
pub fn value_from_wire(value: Option<&wire::TypedValue>, path: &Path) -> Result<Value, ConvertError> {
    let none = || ConvertError::NoValue { path: path.to_string() };
    let json = |bytes: &[u8]| {
        serde_json::from_slice(bytes).map(Value::Json).map_err(|e| ConvertError::Json {
            path: path.to_string(),
            line: e.line(),
            column: e.column(),
        })
    };
    Ok(match value.and_then(|v| v.value.as_ref()).ok_or_else(none)? {
        Wire::StringVal(s) | Wire::AsciiVal(s) => Value::String(s.clone()),
        Wire::IntVal(n) => Value::Int(*n),
        Wire::UintVal(n) => Value::Uint(*n),
        Wire::BoolVal(b) => Value::Bool(*b),
        Wire::BytesVal(b) | Wire::ProtoBytes(b) => Value::Bytes(b.clone()),
        Wire::FloatVal(f) => Value::Double(f64::from(*f)),
        Wire::DoubleVal(d) => Value::Double(*d),
        Wire::DecimalVal(d) => Value::Double(decimal(d)),
        Wire::LeaflistVal(list) => {
            Value::LeafList(list.element.iter().take(LIST_MAX).map(|e| value_from_wire(Some(e), path)).collect::<Result<_, _>>()?)
        }
        Wire::JsonVal(bytes) | Wire::JsonIetfVal(bytes) => json(bytes)?,
        Wire::AnyVal(_) => return Err(none()),
    })
}

#[allow(clippy::cast_precision_loss, reason = "decimal64 is shown, not counted with")]
fn decimal(d: &wire::Decimal64) -> f64 {
    let mut scale = 1.0;
    for _ in 0..d.precision.min(18) {
        scale *= 10.0;
    }
    d.digits as f64 / scale
}

/// Makes a wire value; JSON goes out as JSON_IETF.
#[must_use]
pub fn value_to_wire(value: &Value) -> wire::TypedValue {
    let value = match value {
        Value::String(s) => Wire::StringVal(s.clone()),
        Value::Int(n) => Wire::IntVal(*n),
        Value::Uint(n) => Wire::UintVal(*n),
        Value::Bool(b) => Wire::BoolVal(*b),
        Value::Double(d) => Wire::DoubleVal(*d),
        Value::Bytes(b) => Wire::BytesVal(b.clone()),
        Value::LeafList(list) => Wire::LeaflistVal(wire::ScalarArray { element: list.iter().map(value_to_wire).collect() }),
        Value::Json(json) => Wire::JsonIetfVal(json.to_string().into_bytes()),
    };
    wire::TypedValue { value: Some(value) }
}

/// Makes a JSON_IETF value of any value, as targets send that offer only that encoding (RFC 7951: 64-bit numbers are strings).
#[must_use]
pub fn json_ietf(value: &Value) -> wire::TypedValue {
    let json = match value {
        Value::String(s) => serde_json::Value::String(s.clone()),
        Value::Int(n) => serde_json::Value::String(n.to_string()),
        Value::Uint(n) => serde_json::Value::String(n.to_string()),
        Value::Bool(b) => serde_json::Value::Bool(*b),
        Value::Double(d) => serde_json::Number::from_f64(*d).map_or(serde_json::Value::Null, serde_json::Value::Number),
        Value::Json(json) => json.clone(),
        Value::Bytes(_) | Value::LeafList(_) => return value_to_wire(value),
    };
    wire::TypedValue { value: Some(Wire::JsonIetfVal(json.to_string().into_bytes())) }
}

/// Reads a notification. Updates whose value cannot be read are left out and returned beside it.
#[must_use]
pub fn notification_from_wire(n: &wire::Notification) -> (Notification, Vec<ConvertError>) {
    let prefix = n.prefix.as_ref();
    let mut errors = Vec::new();
    let mut updates = Vec::with_capacity(n.update.len());
    for u in &n.update {
        let path = path_from_wire(prefix, u.path.as_ref());
        match value_from_wire(u.val.as_ref(), &path) {
            Ok(value) => updates.push(Update { path, value }),
            Err(error) => errors.push(error),
        }
    }
    let origin = prefix.map(|p| p.origin.clone()).filter(|o| !o.is_empty());
    let origin = origin.or_else(|| n.update.first().and_then(|u| u.path.as_ref()).map(|p| p.origin.clone())).unwrap_or_default();
    let deletes = n.delete.iter().map(|p| path_from_wire(prefix, Some(p))).collect();
    // one without content says what it is about by its prefix alone
    let whole = n.atomic || (n.update.is_empty() && n.delete.is_empty());
    let prefix = if whole { path_from_wire(prefix, None) } else { Path::default() };
    let duplicates = n.update.iter().map(|u| u64::from(u.duplicates)).sum();
    (Notification { timestamp: n.timestamp, origin, deletes, updates, atomic: n.atomic, prefix, duplicates }, errors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_and_path_join_and_modules_go() {
        let part = |text: &str| path_to_wire(&text.parse().unwrap(), "");
        let mut prefix = part("/interfaces");
        prefix.elem[0].name = "openconfig-interfaces:interfaces".into();
        let path = path_from_wire(Some(&prefix), Some(&part("/interface[name=a/b]/state")));
        assert_eq!(path.to_string(), "/interfaces/interface[name=a/b]/state");
    }

    #[test]
    fn identities_lose_their_module_and_addresses_keep_their_colons() {
        let wire =
            path_to_wire(&"/protocol[identifier=openconfig-policy-types:BGP]/neighbor[neighbor-address=2001:db8::1]".parse().unwrap(), "");
        assert_eq!(path_from_wire(None, Some(&wire)).to_string(), "/protocol[identifier=BGP]/neighbor[neighbor-address=2001:db8::1]");
    }

    #[test]
    fn values_come_back_as_they_went() {
        let path = Path::default();
        let json = serde_json::json!({"a": [1, "2", null]});
        for v in
            [Value::String("x".into()), Value::Int(-4), Value::Uint(u64::MAX), Value::Bool(true), Value::Double(1.5), Value::Json(json)]
        {
            assert_eq!(value_from_wire(Some(&value_to_wire(&v)), &path), Ok(v));
        }
        assert_eq!(value_from_wire(Some(&json_ietf(&Value::Uint(u64::MAX))), &path).unwrap().as_u64(), Some(u64::MAX));
    }

    #[test]
    fn broken_json_is_named_and_the_rest_is_kept() {
        let update = |text: &str, value: Wire| wire::Update {
            path: Some(path_to_wire(&text.parse().unwrap(), "")),
            val: Some(wire::TypedValue { value: Some(value) }),
            ..wire::Update::default()
        };
        let n = wire::Notification {
            update: vec![update("/a", Wire::JsonIetfVal(b"{\"x\": }".to_vec())), update("/b", Wire::IntVal(3))],
            ..wire::Notification::default()
        };
        let (read, errors) = notification_from_wire(&n);
        assert_eq!(read.updates.len(), 1);
        assert_eq!(errors, [ConvertError::Json { path: "/a".into(), line: 1, column: 7 }]);
    }
}
