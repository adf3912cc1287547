//! What decision asks of a twin, in words of its own.

use action::{Action, DeviceId, ExitId};
use bgp::Prefix;
use config::RouterConfig;
use network::Network;
use perception::Perception;
use serde::{Deserialize, Serialize};
use units::{Ratio, Timestamp};

/// Answers questions about the network as it is and as it would be. Pure: the same question gets the same answer.
pub trait WhatIf: Sync {
    /// Returns how many questions may be asked at once; the answers are the same in any order.
    fn threads(&self) -> usize {
        1
    }

    /// Returns the prefixes that leave by `exit` now, from any device.
    fn prefixes_via(&self, exit: &ExitId) -> Vec<Prefix>;

    /// Returns every exit that has an accepted route to `prefix` now, with its LOCAL_PREF after import.
    fn alternatives(&self, prefix: &Prefix) -> Vec<ExitRoute>;

    /// Returns the configuration that policy edits for `device` start from.
    fn config(&self, device: &DeviceId) -> Option<&RouterConfig>;

    /// Returns what the edits of `action` would change; anything but its prefixes that moves is collateral.
    ///
    /// # Errors
    /// [`WhatIfError`] when the question cannot be answered.
    fn what_if(&self, action: &Action) -> Result<Effect, WhatIfError>;
}

/// A route to a prefix at one exit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ExitRoute {
    /// The exit.
    pub exit: ExitId,
    /// LOCAL_PREF after the import policy.
    pub local_pref: u32,
}

/// What edits would change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// Every change of exit, per device and prefix.
    pub moves: Vec<Move>,
    /// Checks that failed, in words; any is a reason against.
    pub failed_checks: Vec<String>,
    /// Changed prefixes ÷ known prefixes.
    pub blast: Ratio,
    /// What the simulation does not cover or could not decide.
    pub unknown: Vec<String>,
}

/// A prefix that leaves elsewhere, seen from one device.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Move {
    /// The prefix.
    pub prefix: Prefix,
    /// The device whose choice changes.
    pub device: DeviceId,
    /// Exit before; `None`: no exit (unreachable, or inside).
    pub from: Option<ExitId>,
    /// Exit after.
    pub to: Option<ExitId>,
}

/// A question that has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the twin cannot simulate this: {why}")]
pub struct WhatIfError {
    /// Why.
    pub why: String,
}

/// Everything a decision looks at, at one moment.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The picture.
    pub network: &'a Network,
    /// The judgement.
    pub perception: &'a Perception,
    /// The time.
    pub now: Timestamp,
}
