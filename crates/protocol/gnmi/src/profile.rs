//! What each platform is asked for, and how its answers become OpenConfig's: one TOML file a platform, embedded.

mod mapping;
mod parse;

use crate::{Notification, Path, Repair};
use std::collections::BTreeMap;

/// Encodings of gNMI that we read (gNMI specification §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// JSON_IETF.
    JsonIetf,
    /// JSON.
    Json,
    /// PROTO: scalars typed by protobuf.
    Proto,
    /// ASCII: text, typed by the table of leaves.
    Ascii,
}

impl Encoding {
    /// Every one, in the order in which they are tried where a profile names none: what keeps types first.
    pub const ALL: [Self; 4] = [Self::JsonIetf, Self::Json, Self::Proto, Self::Ascii];

    /// Returns the name in the gNMI specification.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::JsonIetf => "JSON_IETF",
            Self::Json => "JSON",
            Self::Proto => "PROTO",
            Self::Ascii => "ASCII",
        }
    }
}

/// How a path is subscribed to (gNMI specification §3.5.1.5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// When it changes.
    OnChange,
    /// At an interval.
    Sample,
    /// As the target likes.
    TargetDefined,
}

impl Mode {
    /// Returns the name in the gNMI specification.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OnChange => "ON_CHANGE",
            Self::Sample => "SAMPLE",
            Self::TargetDefined => "TARGET_DEFINED",
        }
    }
}

/// What a native number counts, where OpenConfig counts something else: memory in bytes (openconfig-system.yang:1139-1169,
/// openconfig-platform.yang:810), load of a processor in percent in use (openconfig-system.yang:1323).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// 1024 bytes.
    Kibibytes,
    /// 1024 × 1024 bytes.
    Mebibytes,
    /// Percent of the time in which a processor had nothing to do, 0–100.
    PercentIdle,
}

/// A native leaf below a subscription's path, and OpenConfig's for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// Native path, with wildcards.
    pub path: Path,
    /// OpenConfig's path; its wildcards take the values of the native ones, in order.
    pub canonical: Path,
    /// What the native number counts; `None`: what OpenConfig's does.
    pub unit: Option<Unit>,
}

/// One path that is subscribed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// What it is for: `interfaces`, `counters`, `bgp`, `cpu`, …
    pub set: String,
    /// Origin.
    pub origin: String,
    /// Path, with wildcards.
    pub path: Path,
    /// A part of the path that is asked for where the target refuses it as a whole: one network instance where it does not take all of them.
    pub or_path: Option<Path>,
    /// Mode.
    pub mode: Mode,
    /// Interval of [`Mode::Sample`] in milliseconds; 0 in the other modes.
    pub interval_ms: u64,
    /// The target repeats unchanged values at least this often, milliseconds; 0: never.
    pub heartbeat_interval_ms: u64,
    /// Unchanged samples are left out.
    pub suppress_redundant: bool,
    /// Encoding in which this path is asked for, in a stream of its own; `None`: the one that is proven of the profile's.
    pub encoding: Option<Encoding>,
    /// OpenConfig's path for it where this one is native; its wildcards take the values of the native ones, in order. A wildcard may be a
    /// part of a key (`control-*`): what the platform tells by its list has a name of its own in OpenConfig's one list of components.
    pub canonical: Option<Path>,
    /// Native words and OpenConfig's, in values and in keys.
    pub values: BTreeMap<String, String>,
    /// Native names of leaves below the path, and OpenConfig's.
    pub leaves: BTreeMap<String, String>,
    /// Leaves below the path that have paths or units of their own; they count before [`Self::canonical`].
    pub mapped: Vec<Mapped>,
}

impl Subscription {
    /// Says whether it tells a table of routes, which is not read as a whole to see whether it changed.
    #[must_use]
    pub fn is_rib(&self) -> bool {
        self.canonical.as_ref().unwrap_or(&self.path).names().any(|n| n == "rib")
    }

    /// Returns where its answers stand once they are in OpenConfig's words: patterns, the one for the path as a whole first.
    #[must_use]
    pub fn told_at(&self) -> Vec<Path> {
        let own = self.canonical.as_ref().unwrap_or(&self.path);
        core::iter::once(own).chain(self.mapped.iter().map(|m| &m.canonical)).map(mapping::pattern).collect()
    }
}

/// A platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Name by which an operator picks it: the file's.
    pub name: String,
    /// Vendor and platform, for people.
    pub title: String,
    /// Parts of organisation names in Capabilities that tell it.
    pub organisations: Vec<String>,
    /// Beginnings of model names in Capabilities that tell it.
    pub models: Vec<String>,
    /// It is taken where no other fits.
    pub is_default: bool,
    /// Nothing in Capabilities tells it: it is taken where the operator says so.
    pub is_by_hand: bool,
    /// Encodings in order of preference.
    pub encodings: Vec<Encoding>,
    /// Ports to try, in order.
    pub ports: Vec<u16>,
    /// `target` in the prefix of the request (SONiC: the database); empty for none.
    pub target: String,
    /// Containers are handed on whole; else they are opened to leaves.
    pub whole: bool,
    /// Initial values are not asked of the stream (`updates_only`); they are read by ONCE beside it.
    pub updates_only: bool,
    /// Levels below each path that are wanted (gNMI depth extension); `None`: all.
    pub depth: Option<u32>,
    /// Interval at which a path is sampled whose changes the target does not tell, milliseconds.
    pub fallback_interval_ms: u64,
    /// Known faults, corrected in its notifications.
    pub repairs: Vec<Repair>,
    /// What is asked for.
    pub subscriptions: Vec<Subscription>,
    /// Sets of [`Profile::SETS`] that are not asked for, and why.
    pub without: BTreeMap<String, String>,
}

/// A model that a target supports (`ModelData`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    /// Name.
    pub name: String,
    /// Organisation.
    pub organisation: String,
}

/// A profile that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// The file is no TOML of ours.
    #[error("profile {file}: {what}")]
    Text {
        /// File.
        file: String,
        /// What is wrong, with line and column.
        what: String,
    },
    /// A field outside its bounds.
    #[error("profile {file}, line {line}: {field}: {what}")]
    Field {
        /// File.
        file: String,
        /// Line, from 1.
        line: usize,
        /// Field.
        field: &'static str,
        /// What is wrong.
        what: String,
    },
    /// A bad subscription.
    #[error("profile {file}, line {line}, subscription {row}: {field}: {what}")]
    Row {
        /// File.
        file: String,
        /// Line, from 1: the field's, or the beginning of the row where the field is missing.
        line: usize,
        /// Number of the subscription in the file, from 1.
        row: usize,
        /// Field.
        field: &'static str,
        /// What is wrong.
        what: String,
    },
    /// An operator's choice that does not exist.
    #[error("there is no gNMI profile {name:?}; there are {known}")]
    Unknown {
        /// The name.
        name: String,
        /// The names that exist.
        known: String,
    },
}

/// The embedded files.
const FILES: [(&str, &str); 9] = [
    ("arista_eos", include_str!("../profiles/arista_eos.toml")),
    ("cisco_iosxr", include_str!("../profiles/cisco_iosxr.toml")),
    ("cisco_nxos", include_str!("../profiles/cisco_nxos.toml")),
    ("juniper_junos", include_str!("../profiles/juniper_junos.toml")),
    ("nokia_srlinux", include_str!("../profiles/nokia_srlinux.toml")),
    ("openconfig", include_str!("../profiles/openconfig.toml")),
    ("openconfig_switch", include_str!("../profiles/openconfig_switch.toml")),
    ("pilothouse_node", include_str!("../profiles/pilothouse_node.toml")),
    ("sonic", include_str!("../profiles/sonic.toml")),
];

impl Profile {
    /// What is watched of a device: host name and start, interfaces and their counters, BGP sessions and their prefixes, load, memory,
    /// temperature, power supplies, light levels.
    pub const SETS: [&str; 10] =
        ["system", "interfaces", "counters", "bgp", "bgp_prefixes", "cpu", "memory", "temperature", "power", "optics"];

    /// Reads the embedded profiles, sorted by name.
    ///
    /// # Errors
    /// [`ProfileError`]; a test holds that there is none.
    pub fn all() -> Result<Vec<Self>, ProfileError> {
        FILES.iter().map(|(name, text)| Self::parse(name, text)).collect()
    }

    /// Picks the operator's choice; else the profile that most of a target's models point to; else the default one.
    ///
    /// # Errors
    /// [`ProfileError::Unknown`].
    pub fn choose<'a>(profiles: &'a [Self], models: &[Model], operators: Option<&str>) -> Result<&'a Self, ProfileError> {
        let unknown = |name: &str| ProfileError::Unknown {
            name: name.to_owned(),
            known: profiles.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(", "),
        };
        if let Some(name) = operators {
            return profiles.iter().find(|p| p.name == name).ok_or_else(|| unknown(name));
        }
        let told = profiles.iter().map(|p| (models.iter().filter(|m| p.is_told_by(m)).count(), p)).filter(|(n, _)| *n > 0);
        // the first of several equals
        let best = told.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, p)| p);
        best.or_else(|| profiles.iter().find(|p| p.is_default)).ok_or_else(|| unknown("(default)"))
    }

    /// Returns up to two small paths by which an encoding is proven: those without wildcards first, those that name another one last, tables
    /// of routes never.
    #[must_use]
    pub fn proof(&self) -> Vec<&Subscription> {
        let mut small: Vec<&Subscription> = self.subscriptions.iter().filter(|s| !s.is_rib()).collect();
        let wildcards = |s: &Subscription| s.path.elems.iter().flat_map(|e| e.keys.values()).filter(|v| *v == "*").count();
        small.sort_by_key(|s| (s.encoding.is_some(), wildcards(s)));
        small.truncate(2);
        small
    }

    fn is_told_by(&self, model: &Model) -> bool {
        self.models.iter().any(|m| model.name.starts_with(m.as_str()))
            || self.organisations.iter().any(|o| model.organisation.contains(o.as_str()))
    }

    /// Returns a notification in OpenConfig's words: containers opened to leaves unless [`Self::whole`], native paths mapped.
    #[must_use]
    pub fn canonical(&self, notification: Notification) -> Notification {
        if self.whole { notification } else { mapping::canonical(&self.subscriptions, notification) }
    }
}

#[cfg(test)]
mod tests;
