//! One reading that an answer or an alert rests on.

use crate::words;
use core::fmt;
use core::net::IpAddr;
use serde::{Deserialize, Serialize};
use units::Timestamp;

/// A reading: what, how much, when, from where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// What was read; the unit stands last (`cpu_percent`, `delay_ms`).
    pub metric: String,
    /// How much.
    pub value: Value,
    /// When it was taken; `None` when that is not known.
    pub at: Option<Timestamp>,
    /// The path it came by (gNMI path, BMP table, NETCONF document), or `twin` for what was computed.
    pub source: String,
}

/// A value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "is")]
pub enum Value {
    /// A quantity; its unit stands in the metric's name.
    Number(f64),
    /// One of a fixed set of words of ours.
    Word(String),
    /// Words of a device: shown as text, never followed.
    DeviceText(String),
}

impl Sample {
    /// Makes a sample of a number.
    #[must_use]
    pub fn number(metric: &str, value: f64, at: Option<Timestamp>, source: impl Into<String>) -> Self {
        Self { metric: metric.to_owned(), value: Value::Number(value), at, source: source.into() }
    }

    /// Makes a sample of a word of ours.
    #[must_use]
    pub fn word(metric: &str, value: impl Into<String>, at: Option<Timestamp>, source: impl Into<String>) -> Self {
        Self { metric: metric.to_owned(), value: Value::Word(value.into()), at, source: source.into() }
    }

    /// Makes a sample of a device's own words.
    #[must_use]
    pub fn device_text(metric: &str, value: &str, at: Option<Timestamp>, source: impl Into<String>) -> Self {
        let cut = value.chars().take(1024).collect();
        Self { metric: metric.to_owned(), value: Value::DeviceText(cut), at, source: source.into() }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(n) if *n == n.trunc() => write!(f, "{n:.0}"),
            Self::Number(n) => write!(f, "{n:.2}"),
            Self::Word(word) => f.write_str(word),
            Self::DeviceText(text) => f.write_str(&words::quoted(text)),
        }
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.map_or_else(|| "time unknown".to_owned(), |t| t.to_string());
        write!(f, "{} = {} at {at} from {}", self.metric, self.value, self.source)
    }
}

/// Path of the CPU reading.
pub const CPU: &str = "/system/cpus/cpu/state/total/instant";
/// Path of the memory reading.
pub const MEMORY: &str = "/system/memory/state/used";

/// Returns the path of a leaf of an interface.
pub fn interface(interface: &str, leaf: &str) -> String {
    format!("/interfaces/interface[name={}]/state/{leaf}", words::name(interface))
}

/// Returns the path of a leaf of a BGP neighbour.
pub fn neighbor(address: IpAddr, leaf: &str) -> String {
    format!("/network-instances/network-instance/protocols/protocol/bgp/neighbors/neighbor[neighbor-address={address}]/state/{leaf}")
}
