//! Typed values and the notifications that carry them.

use crate::Path;
use serde::{Deserialize, Serialize};

/// A typed value. JSON and JSON_IETF are parsed where they enter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// `string_val`, `ascii_val`, or a JSON string.
    String(String),
    /// `int_val`.
    Int(i64),
    /// `uint_val`.
    Uint(u64),
    /// `bool_val`.
    Bool(bool),
    /// `float_val`, `double_val`.
    Double(f64),
    /// `bytes_val`, `proto_bytes`.
    Bytes(Vec<u8>),
    /// `leaflist_val`.
    LeafList(Vec<Value>),
    /// `json_val`, `json_ietf_val`: any JSON.
    Json(serde_json::Value),
}

impl Value {
    /// Returns the value as a whole number, whatever its encoding (JSON_IETF writes 64-bit numbers as strings, RFC 7951 §6.1).
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Uint(n) => Some(*n),
            Self::Int(n) => u64::try_from(*n).ok(),
            Self::String(s) => s.parse().ok(),
            Self::Json(serde_json::Value::Number(n)) => n.as_u64(),
            Self::Json(serde_json::Value::String(s)) => s.parse().ok(),
            _ => None,
        }
    }

    /// Returns the value as text, for enumerations and strings.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(s) | Self::Json(serde_json::Value::String(s)) => Some(s),
            _ => None,
        }
    }

    /// Returns the value as a boolean.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(b) | Self::Json(serde_json::Value::Bool(b)) => Some(*b),
            _ => None,
        }
    }

    /// Returns the value as a finite number.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "display and rates only")]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Double(d) => Some(*d),
            Self::Json(serde_json::Value::Number(n)) => n.as_f64(),
            Self::Json(serde_json::Value::String(s)) | Self::String(s) => s.parse().ok(),
            Self::Uint(n) => Some(*n as f64),
            Self::Int(n) => Some(*n as f64),
            _ => None,
        }
        .filter(|d: &f64| d.is_finite())
    }

    /// Returns the JSON, when it is JSON.
    #[must_use]
    pub const fn as_json(&self) -> Option<&serde_json::Value> {
        match self {
            Self::Json(j) => Some(j),
            _ => None,
        }
    }
}

/// One leaf or subtree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Update {
    /// Absolute path.
    pub path: Path,
    /// Its value.
    pub value: Value,
}

/// A notification with absolute paths.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// Device time, nanoseconds since the Unix epoch; 0 where the device gave none.
    pub timestamp: i64,
    /// Origin (`openconfig`, a vendor's, or empty).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub origin: String,
    /// Deleted paths; applied before the updates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deletes: Vec<Path>,
    /// Updates in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub updates: Vec<Update>,
    /// The updates replace everything under [`Self::prefix`] (gNMI specification §2.1.1).
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub atomic: bool,
    /// What an atomic notification replaces, or one without content is about; the root (empty) in all others, whose paths have it joined
    /// already.
    #[serde(default, skip_serializing_if = "is_root")]
    pub prefix: Path,
    /// Values that the device left out because newer ones came before they were sent (`Update.duplicates`, §2.1).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub duplicates: u64,
}

const fn is_root(path: &Path) -> bool {
    path.elems.is_empty()
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(n: &u64) -> bool {
    *n == 0
}
