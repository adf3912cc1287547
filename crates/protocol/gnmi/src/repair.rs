//! Known sender faults in paths, values and times: each has a stable name, is counted, and can be switched off.

use crate::{LeafType, Notification, Path, Value, leaf_type, module};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use core::fmt;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A correction, always shown with what it corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repair {
    /// A number in a string, as JSON_IETF writes 64-bit numbers and decimal64 (RFC 7951 §6.1).
    NumberInString,
    /// A counter in a string although the encoding has numbers: SONiC's redis hashes (sonic-gnmi issue 27).
    CounterInString,
    /// An ieeefloat32 as four bytes, or as their base64 (openconfig-types).
    FloatInBytes,
    /// A module before an identity or enumeration (`openconfig-bgp-types:IPV4_UNICAST`, RFC 7951 §6.8).
    ModuleOnIdentity,
    /// A timestamp in seconds (gnmi-gateway issue 24).
    TimeInSeconds,
    /// A timestamp in milliseconds (Junos JTI).
    TimeInMilliseconds,
    /// A timestamp in microseconds.
    TimeInMicroseconds,
    /// No timestamp, or 0 (EOS on Get, seen): the time of receipt counts.
    TimeMissing,
    /// A key's name with underscores (`neighbor_address`, Junos, telegraf issue 11011).
    UnderscoredKey,
}

impl Repair {
    /// Every repair.
    pub const ALL: [Self; 9] = [
        Self::NumberInString,
        Self::CounterInString,
        Self::FloatInBytes,
        Self::ModuleOnIdentity,
        Self::TimeInSeconds,
        Self::TimeInMilliseconds,
        Self::TimeInMicroseconds,
        Self::TimeMissing,
        Self::UnderscoredKey,
    ];

    /// Returns the stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NumberInString => "number_in_string",
            Self::CounterInString => "counter_in_string",
            Self::FloatInBytes => "float_in_bytes",
            Self::ModuleOnIdentity => "module_on_identity",
            Self::TimeInSeconds => "time_in_seconds",
            Self::TimeInMilliseconds => "time_in_milliseconds",
            Self::TimeInMicroseconds => "time_in_microseconds",
            Self::TimeMissing => "time_missing",
            Self::UnderscoredKey => "underscored_key",
        }
    }
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Nanoseconds below which a timestamp counts something coarser: 2^63 ns reach the year 2262, 1e17 ns the year 1973.
const MICROSECONDS_BELOW: i64 = 100_000_000_000_000_000;
const MILLISECONDS_BELOW: i64 = 100_000_000_000_000;
const SECONDS_BELOW: i64 = 100_000_000_000;
/// Leaves that hold what an operator typed.
const FREE_TEXT: [&str; 5] = ["description", "descr", "name", "alias", "hostname"];

/// The repairs that are on, and how often each was needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repairs {
    on: BTreeSet<Repair>,
    counts: BTreeMap<Repair, u64>,
}

impl Default for Repairs {
    fn default() -> Self {
        Self::only(Repair::ALL)
    }
}

impl Repairs {
    /// Switches on these and no others.
    #[must_use]
    pub fn only(repairs: impl IntoIterator<Item = Repair>) -> Self {
        Self { on: repairs.into_iter().collect(), counts: BTreeMap::new() }
    }

    /// Returns how often each was needed.
    #[must_use]
    pub const fn counts(&self) -> &BTreeMap<Repair, u64> {
        &self.counts
    }

    fn note(&mut self, repair: Repair) -> Repair {
        let count = self.counts.entry(repair).or_default();
        *count = count.saturating_add(1);
        repair
    }

    /// Returns the time in nanoseconds since the Unix epoch; `received` (nanoseconds) stands in where the device gave none.
    pub fn time(&mut self, timestamp: i64, received: Option<i64>) -> (Option<i64>, Option<Repair>) {
        let (repair, time) = match timestamp {
            ..=0 => (Repair::TimeMissing, received),
            t if t < SECONDS_BELOW => (Repair::TimeInSeconds, t.checked_mul(1_000_000_000)),
            t if t < MILLISECONDS_BELOW => (Repair::TimeInMilliseconds, t.checked_mul(1_000_000)),
            t if t < MICROSECONDS_BELOW => (Repair::TimeInMicroseconds, t.checked_mul(1000)),
            t => return (Some(t), None),
        };
        if self.on.contains(&repair) { (time, Some(self.note(repair))) } else { (Some(timestamp), None) }
    }

    /// Writes keys' names with hyphens.
    pub fn path(&mut self, path: &mut Path) -> Option<Repair> {
        if !self.on.contains(&Repair::UnderscoredKey) {
            return None;
        }
        let mut found = false;
        for elem in &mut path.elems {
            if elem.keys.keys().any(|k| k.contains('_')) {
                found = true;
                elem.keys = core::mem::take(&mut elem.keys).into_iter().map(|(k, v)| (k.replace('_', "-"), v)).collect();
            }
        }
        found.then(|| self.note(Repair::UnderscoredKey))
    }

    /// Gives the value of the leaf at `path` the type that the leaf has.
    pub fn value(&mut self, path: &Path, value: Value) -> (Value, Option<Repair>) {
        match repaired(path, &value) {
            Some((repair, better)) if self.on.contains(&repair) => (better, Some(self.note(repair))),
            _ => (value, None),
        }
    }

    /// Repairs a whole notification that came at `received`, nanoseconds since the Unix epoch.
    pub fn notification(&mut self, notification: &mut Notification, received: i64) -> BTreeSet<Repair> {
        let (time, repair) = self.time(notification.timestamp, Some(received));
        notification.timestamp = time.unwrap_or(notification.timestamp);
        let mut done: BTreeSet<Repair> = repair.into_iter().collect();
        done.extend(self.path(&mut notification.prefix));
        for path in &mut notification.deletes {
            done.extend(self.path(path));
        }
        for update in &mut notification.updates {
            done.extend(self.path(&mut update.path));
            let (value, repair) = self.value(&update.path, core::mem::replace(&mut update.value, Value::Bool(false)));
            update.value = value;
            done.extend(repair);
        }
        done
    }
}

/// Returns what the value should have been. JSON scalars count as what they are.
fn repaired(path: &Path, value: &Value) -> Option<(Repair, Value)> {
    let kind = leaf_type(path);
    match (kind, value) {
        (_, Value::Json(json)) => match crate::scalar(json) {
            Value::Json(_) => None,
            plain => repaired(path, &plain),
        },
        (Some(LeafType::Uint | LeafType::Int), Value::String(text)) => {
            let number = text.parse().map(Value::Uint).or_else(|_| text.parse().map(Value::Int)).ok()?;
            Some((number_repair(path), number))
        }
        (Some(LeafType::Float), Value::String(text)) => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Some((Repair::NumberInString, Value::Double(number))),
            _ => Some((Repair::FloatInBytes, float(&STANDARD.decode(text).ok()?)?)),
        },
        (Some(LeafType::Float), Value::Bytes(bytes)) => Some((Repair::FloatInBytes, float(bytes)?)),
        (_, Value::String(text)) => Some((Repair::ModuleOnIdentity, Value::String(identity(path, kind, text)?))),
        (_, Value::LeafList(list)) => {
            let each = |v: &Value| match v {
                Value::String(text) => identity(path, kind, text).map(Value::String),
                _ => None,
            };
            let bare: Vec<Option<Value>> = list.iter().map(each).collect();
            let list = bare.iter().zip(list).map(|(bare, old)| bare.as_ref().unwrap_or(old).clone()).collect();
            bare.iter().any(Option::is_some).then_some((Repair::ModuleOnIdentity, Value::LeafList(list)))
        }
        _ => None,
    }
}

fn number_repair(path: &Path) -> Repair {
    let sonic = path.elems.iter().any(|e| e.name == "COUNTERS");
    if sonic { Repair::CounterInString } else { Repair::NumberInString }
}

/// Reads four bytes as ieeefloat32, most significant first.
fn float(bytes: &[u8]) -> Option<Value> {
    let number = f32::from_be_bytes(bytes.try_into().ok()?);
    number.is_finite().then(|| Value::Double(f64::from(number)))
}

/// Returns the identity without its module, when it has one. What an operator typed is no identity.
fn identity(path: &Path, kind: Option<LeafType>, text: &str) -> Option<String> {
    let bare = match kind {
        Some(LeafType::Enum | LeafType::Identity) => module::bare_name(text),
        Some(_) => text,
        None if path.elems.last().is_some_and(|e| FREE_TEXT.contains(&e.name.as_str())) => text,
        // a leaf that is a key of its list
        None => module::bare_key_value(path.elems.last().map_or("", |e| &e.name), text),
    };
    (bare.len() < text.len()).then(|| bare.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fix(path: &str, value: Value) -> (Value, Option<Repair>) {
        Repairs::default().value(&path.parse().unwrap(), value)
    }

    const OCTETS: &str = "/interfaces/interface[name=a]/state/counters/in-octets";
    const POWER: &str = "/components/component[name=p]/power-supply/state/output-power";

    #[test]
    fn numbers_leave_their_strings_where_the_leaf_is_a_number() {
        let max = Value::Uint(u64::MAX);
        assert_eq!(fix(OCTETS, Value::String("18446744073709551615".into())), (max.clone(), Some(Repair::NumberInString)));
        assert_eq!(fix(OCTETS, Value::Json("18446744073709551615".into())), (max, Some(Repair::NumberInString)));
        let text = Value::String("65001".into());
        assert_eq!(fix("/interfaces/interface[name=a]/state/description", text.clone()), (text, None));
        assert_eq!(fix("/COUNTERS/Ethernet68/SAI_X", Value::String("7".into())), (Value::Uint(7), Some(Repair::CounterInString)));
        let odd = Value::String("1.2".into());
        assert_eq!(fix(OCTETS, odd.clone()), (odd, None));
    }

    #[test]
    fn floats_come_as_bytes_base64_and_decimals() {
        for value in [Value::Bytes(vec![0x42, 0xf6, 0, 0]), Value::String("QvYAAA==".into()), Value::Json("QvYAAA==".into())] {
            assert_eq!(fix(POWER, value), (Value::Double(123.0), Some(Repair::FloatInBytes)));
        }
        assert_eq!(fix(POWER, Value::String("12.5".into())), (Value::Double(12.5), Some(Repair::NumberInString)));
        for odd in [Value::Bytes(vec![1, 2, 3]), Value::Bytes(vec![0x7f, 0xc0, 0, 0]), Value::String("NaN".into())] {
            assert_eq!(fix(POWER, odd.clone()), (odd, None));
        }
    }

    #[test]
    fn identities_lose_their_module_and_descriptions_nothing() {
        let list = Value::LeafList(vec![Value::String("openconfig-types:IPV4".into()), Value::Uint(1)]);
        let bare = Value::LeafList(vec![Value::String("IPV4".into()), Value::Uint(1)]);
        assert_eq!(fix("/a/families", list), (bare, Some(Repair::ModuleOnIdentity)));
        assert_eq!(fix("/interfaces/interface/state/type", Value::String("x:eth".into())).0, Value::String("eth".into()));
        let typed = Value::String("openconfig-x:y".into());
        assert_eq!(fix("/interfaces/interface/state/description", typed.clone()), (typed, None));
    }

    #[test]
    fn times_become_nanoseconds() {
        let mut repairs = Repairs::default();
        let ns = 1_611_283_415_000_000_000;
        assert_eq!(repairs.time(1_611_283_415, None), (Some(ns), Some(Repair::TimeInSeconds)));
        assert_eq!(repairs.time(1_611_283_415_000, None), (Some(ns), Some(Repair::TimeInMilliseconds)));
        assert_eq!(repairs.time(1_611_283_415_000_000, None), (Some(ns), Some(Repair::TimeInMicroseconds)));
        assert_eq!(repairs.time(ns, Some(3)), (Some(ns), None));
        assert_eq!(repairs.time(0, Some(3)), (Some(3), Some(Repair::TimeMissing)));
        assert_eq!(repairs.time(i64::MIN, None), (None, Some(Repair::TimeMissing)));
        assert_eq!(repairs.counts().values().sum::<u64>(), 5);
    }

    #[test]
    fn what_is_switched_off_is_left_alone() {
        let mut off = Repairs::only([Repair::TimeMissing]);
        let text = Value::String("1".into());
        assert_eq!(off.value(&OCTETS.parse().unwrap(), text.clone()), (text, None));
        assert_eq!(off.time(1_611_283_415, None), (Some(1_611_283_415), None));
        let mut path: Path = "/neighbor[neighbor_address=1]".parse().unwrap();
        assert_eq!(off.path(&mut path), None);
        assert_eq!(Repairs::default().path(&mut path), Some(Repair::UnderscoredKey));
        assert_eq!(path.to_string(), "/neighbor[neighbor-address=1]");
    }

    #[test]
    fn a_notification_is_repaired_whole() {
        let path: Path = OCTETS.parse().unwrap();
        let update = crate::Update { path: path.clone(), value: Value::String("5".into()) };
        let mut n = Notification { updates: vec![update], ..Notification::default() };
        let done = Repairs::default().notification(&mut n, 42);
        assert_eq!(n.timestamp, 42);
        assert_eq!(n.updates, [crate::Update { path, value: Value::Uint(5) }]);
        assert_eq!(done.into_iter().map(Repair::name).collect::<Vec<_>>(), ["number_in_string", "time_missing"]);
    }
}
