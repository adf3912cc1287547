//! How a change ended.

use action::DeviceId;
use core::fmt;
use serde::{Deserialize, Serialize};

/// How a change ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// Measured, good, confirmed on every device.
    Confirmed,
    /// It was on a device (or may have been) and is gone: every device runs what it ran before.
    RolledBack {
        /// Why it was not kept.
        why: Why,
    },
    /// It could not be made; every device runs what it ran before.
    Failed {
        /// Why.
        why: Why,
    },
    /// Kept on some devices, not on others. A person must finish or undo it; the inverse payloads are in the plan.
    Partial {
        /// Devices that keep it.
        kept: Vec<DeviceId>,
        /// Devices that run what they ran before.
        reverted: Vec<DeviceId>,
        /// Why.
        why: Why,
    },
    /// What a device runs is not known, or is neither old nor new. Stop and page a person.
    InDoubt {
        /// The devices in doubt.
        devices: Vec<DeviceId>,
        /// Devices that keep the change.
        kept: Vec<DeviceId>,
        /// The cause.
        why: Why,
    },
}

impl Outcome {
    /// Returns the word for records: `confirmed`, `rolled_back`, `failed`, `partial` or `in_doubt`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::RolledBack { .. } => "rolled_back",
            Self::Failed { .. } => "failed",
            Self::Partial { .. } => "partial",
            Self::InDoubt { .. } => "in_doubt",
        }
    }

    /// Returns the reason, where there is one to give.
    #[must_use]
    pub const fn why(&self) -> Option<&Why> {
        match self {
            Self::Confirmed => None,
            Self::RolledBack { why } | Self::Failed { why } | Self::Partial { why, .. } | Self::InDoubt { why, .. } => Some(why),
        }
    }

    /// Returns the place of this outcome in the decision statistics (S1-029).
    #[must_use]
    pub const fn decision(&self) -> DecisionOutcome {
        match self {
            Self::Confirmed => DecisionOutcome::Approved,
            Self::RolledBack { .. } => DecisionOutcome::RolledBack,
            Self::Failed { .. } => DecisionOutcome::Failed,
            Self::Partial { .. } => DecisionOutcome::Partial,
            Self::InDoubt { .. } => DecisionOutcome::InDoubt,
        }
    }
}

/// What became of a decision (S1-029, with the ends that a failed push must not hide behind).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DecisionOutcome {
    /// Not decided, or under way.
    Pending,
    /// Agreed to and in force.
    Approved,
    /// Refused by a person.
    Rejected,
    /// Made and undone.
    RolledBack,
    /// Could not be made.
    Failed,
    /// Nobody answered in time.
    Expired,
    /// The network or the policy moved on.
    Superseded,
    /// In force in part.
    Partial,
    /// Not known.
    InDoubt,
}

/// A reason with its words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// What kind.
    pub code: WhyCode,
    /// One sentence, with device and numbers.
    pub detail: String,
}

impl Why {
    /// Makes a reason.
    #[must_use]
    pub fn new(code: WhyCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

/// Kinds of reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyCode {
    /// Nothing was sent: no connection, lock held, digest differs.
    NotSent,
    /// The device refused.
    Refused,
    /// The device said `<ok/>` and runs what it ran before.
    NoEffectOnDevice,
    /// The commit got no clean answer.
    CommitUnanswered,
    /// After the commit the device runs neither the old nor the new configuration.
    ForeignChange,
    /// The measurement says that it did not help.
    VerifyFailed,
    /// No measurement came; silence counts as failure.
    VerifySilent,
    /// Too little of the confirm timer was left.
    ConfirmTooLate,
    /// The confirm got no clean answer and could not be repeated in time.
    ConfirmUnanswered,
    /// The device reverted before it was confirmed (timer, reboot, somebody's cancel).
    DeviceReverted,
    /// We were restarted in the middle.
    Restarted,
    /// An operator stopped every change.
    KillSwitch,
    /// A record could not be made durable.
    JournalFailed,
    /// The device could not be read.
    Unreachable,
    /// The change stands on the device although it was never confirmed by us.
    KeptUnverified,
}
