//! What the program as a whole may do.

use action::AutonomyTier;
use core::fmt;
use serde::{Deserialize, Serialize};
use units::Timestamp;

use crate::{Counters, GuardPolicy, Rule, Violation};

/// The mode, shown on every screen and in every audit record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Mode {
    /// Writes are enabled.
    Live,
    /// Everything but the writes.
    #[default]
    Shadow,
    /// A recorded capture; there is nothing to write to.
    Replay,
    /// Writes go to a lab only.
    Lab,
}

impl Mode {
    /// Returns the word in the title strip and in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "LIVE",
            Self::Shadow => "SHADOW",
            Self::Replay => "REPLAY",
            Self::Lab => "LAB",
        }
    }

    /// Says whether an approved change is carried out at all.
    #[must_use]
    pub const fn executes(self) -> bool {
        matches!(self, Self::Live | Self::Lab)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A change that is about to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    /// The mode.
    pub mode: Mode,
    /// The kill switch is pressed.
    pub killed: bool,
    /// Every device of the change belongs to a lab.
    pub lab_only: bool,
    /// The tier that agreed.
    pub tier: AutonomyTier,
    /// Version of the policy that allowed it.
    pub policy_version: u32,
}

impl GuardPolicy {
    /// Says whether a permitted change may be sent at `now`. Call [`Counters::applied`] once it is.
    ///
    /// # Errors
    /// The first [`Violation`] that forbids it, severity `BLOCK`.
    pub fn may_execute(&self, execution: &Execution, counters: &Counters, now: Timestamp) -> Result<(), Violation> {
        if let Some(violation) = forbidden_by_mode(execution.mode, execution.lab_only) {
            return Err(violation);
        }
        if execution.killed {
            return Err(killed());
        }
        if execution.policy_version != self.version {
            let detail = format!("it was allowed by policy version {}, in force is {}", execution.policy_version, self.version);
            return Err(Violation::block(Rule::PolicyChanged, detail));
        }
        self.rate_exceeded(execution.tier, counters, now).map_or(Ok(()), Err)
    }

    /// Returns what the rate limits say to one more change of `tier`; they count what was applied, not what was asked.
    pub(crate) fn rate_exceeded(&self, tier: AutonomyTier, counters: &Counters, now: Timestamp) -> Option<Violation> {
        let window = self.rate.window;
        let over = |what: &str, count: usize, limit: u32| {
            let detail = format!("{count} {what} were applied in the last {} s, the limit is {limit}", window.as_secs());
            (count >= limit as usize).then(|| Violation::block(Rule::Rate, detail))
        };
        let of_tier = |limit| over(&format!("Tier {} changes", tier.number()), counters.count_of(tier, window, now), limit);
        over("changes", counters.count(window, now), self.rate.overall).or_else(|| match tier {
            AutonomyTier::Tier1Auto => of_tier(self.rate.tier1),
            AutonomyTier::Tier2Approve => of_tier(self.rate.tier2),
            AutonomyTier::Tier3Manual => None,
        })
    }
}

pub(crate) fn killed() -> Violation {
    Violation::block(Rule::KillSwitch, "every change is stopped by an operator; lift the stop first".to_owned())
}

pub(crate) fn forbidden_by_mode(mode: Mode, lab_only: bool) -> Option<Violation> {
    let detail = match mode {
        Mode::Live => return None,
        Mode::Lab if lab_only => return None,
        Mode::Lab => "in LAB mode only devices of a lab are written to",
        Mode::Shadow => "SHADOW mode writes to no device; the exact payload can be exported",
        Mode::Replay => "REPLAY shows a recording; there is no device to write to",
    };
    Some(Violation::block(Rule::Mode, detail.to_owned()))
}
