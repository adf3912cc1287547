//! Whether each subscription of a device still delivers, as the collector found it, and what it had to put up with.

use serde::{Deserialize, Serialize};
use units::Timestamp;

/// What an operator is told of a path with nothing at it.
const ABSENT: &str = "it never told anything, and there is nothing at this path when it is read: the device has no such thing, or the path \
                      or an instance in it does not fit the device";

/// One subscription of a gNMI stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubscriptionHealth {
    /// What it is for: `interfaces`, `counters`, `bgp`, …
    pub set: String,
    /// What it asks for.
    pub path: String,
    /// A message is due this often, milliseconds; none where messages come on a change.
    pub expected_ms: Option<u64>,
    /// When its last message came; none when none did on this stream.
    pub last: Option<Timestamp>,
    /// What is known.
    pub state: SubscriptionState,
    /// How it is subscribed to, where that is not what the profile asks for: the mode the target took instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<String>,
    /// The target said that it has told all that there is (`sync_response` of the request that this subscription is part of).
    #[serde(default)]
    pub synced: bool,
    /// Values that the device left out because newer ones came before they were sent.
    #[serde(default)]
    pub coalesced: u64,
    /// Notifications without content at its path.
    #[serde(default)]
    pub empty: u64,
}

/// What is known of a subscription (`gnmi::health`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum SubscriptionState {
    /// The stream is open, nothing came yet.
    Waiting,
    /// A message came in time.
    Alive,
    /// Nothing came, and nothing had to: the target was asked.
    Quiet,
    /// Nothing ever came on this stream, and there is nothing at the path: worth a look, and no fault.
    Absent,
    /// It should have told something and did not.
    Silent {
        /// Since when that is known.
        since: Timestamp,
        /// Why, for the operator; a target's own words in it are tainted.
        reason: String,
    },
}

impl SubscriptionState {
    /// Returns its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Alive => "alive",
            Self::Quiet => "quiet",
            Self::Absent => "absent",
            Self::Silent { .. } => "silent",
        }
    }

    /// Says whether it should have told something and did not.
    #[must_use]
    pub const fn is_silent(&self) -> bool {
        matches!(self, Self::Silent { .. })
    }

    /// Returns why it counts as silent or absent.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Silent { reason, .. } => Some(reason),
            Self::Absent => Some(ABSENT),
            Self::Waiting | Self::Alive | Self::Quiet => None,
        }
    }
}
