//! What a watch rule says.

use crate::Sample;
use crate::words::{self, clock};
use action::DeviceId;
use core::fmt;
use core::net::IpAddr;
use serde::{Deserialize, Serialize};
use units::Timestamp;

/// A rule spoke, or is quiet again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Name of the rule.
    pub rule: String,
    /// Device.
    pub device: DeviceId,
    /// What of the device.
    pub subject: Subject,
    /// Raised or cleared.
    pub change: AlertChange,
    /// Bad since.
    pub since: Timestamp,
    /// When the rule said so.
    pub at: Timestamp,
    /// What happened, one sentence; words of the device stand quoted in it.
    pub what: String,
    /// The readings it rests on.
    pub samples: Vec<Sample>,
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertChange {
    /// The condition holds.
    Raised,
    /// It is over.
    Cleared,
}

/// What a rule speaks about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Subject {
    /// The device as a whole.
    System,
    /// An interface, by the name that the device gives it.
    Interface {
        /// Name.
        name: String,
    },
    /// A BGP peer.
    Peer {
        /// Its address.
        neighbor: IpAddr,
    },
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("system"),
            Self::Interface { name } => write!(f, "interface {}", words::name(name)),
            Self::Peer { neighbor } => write!(f, "peer {neighbor}"),
        }
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.change {
            AlertChange::Raised => write!(f, "{} on {}: {} since {}", self.rule, self.device, self.what, clock(self.since)),
            AlertChange::Cleared => write!(f, "{} on {} is over: {}", self.rule, self.device, self.what),
        }
    }
}
