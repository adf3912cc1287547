//! Why a decision on a proposal does not count, and why operators say no.

use action::{OperatorId, ProposalId};
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};
use units::Timestamp;

/// Why a decision was not taken. The proposal stays as it was, unless it is said to have expired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "refusal")]
pub enum Refusal {
    /// No such proposal.
    #[error("{proposal} is not on the queue; list the open proposals and take one of those")]
    Unknown {
        /// The proposal named.
        proposal: ProposalId,
    },
    /// Somebody was first.
    #[error("{proposal} was already decided: {how} by {by} at {at}; nothing more to do")]
    Decided {
        /// The proposal.
        proposal: ProposalId,
        /// `approved` or `rejected`.
        how: String,
        /// Who was first.
        by: OperatorId,
        /// When.
        at: Timestamp,
    },
    /// Its time to live is over. Nothing was applied.
    #[error("{proposal} expired at {expired}; nothing was applied, wait for a fresh proposal")]
    Expired {
        /// The proposal.
        proposal: ProposalId,
        /// When it expired.
        expired: Timestamp,
    },
    /// The network or the policy moved on.
    #[error("{proposal} was withdrawn ({why}); wait for a fresh proposal")]
    Superseded {
        /// The proposal.
        proposal: ProposalId,
        /// Why.
        why: String,
    },
    /// The hash that was approved is not the hash of the plan.
    #[error("{proposal} now has plan {actual}, but plan {shown} was approved; look at it again")]
    OtherPlan {
        /// The proposal.
        proposal: ProposalId,
        /// The hash that the approver saw.
        shown: String,
        /// The hash on the queue.
        actual: String,
    },
    /// A Tier 3 approval types the target.
    #[error("{proposal} is Tier 3: type its target {target:?} to approve it")]
    TargetNotTyped {
        /// The proposal.
        proposal: ProposalId,
        /// The text expected.
        target: String,
    },
    /// A Tier 3 rejection names a reason.
    #[error("{proposal} is Tier 3: give a reason code to reject it ({})", RejectReason::codes())]
    ReasonNeeded {
        /// The proposal.
        proposal: ProposalId,
    },
    /// The clock was set back behind the time at which the proposal was made.
    #[error("the clock says {now}, before {proposal} was made at {created}; check the clock and wait for a fresh proposal")]
    ClockBack {
        /// The proposal.
        proposal: ProposalId,
        /// When it was made.
        created: Timestamp,
        /// What the clock says.
        now: Timestamp,
    },
    /// The queue is full.
    #[error("{pending} proposals wait already; decide some before {proposal} can be queued")]
    Full {
        /// The proposal that found no place.
        proposal: ProposalId,
        /// How many wait.
        pending: usize,
    },
    /// The number was used before.
    #[error("{proposal} is on the queue already; a proposal is queued once")]
    Duplicate {
        /// The number.
        proposal: ProposalId,
    },
}

impl Refusal {
    /// Returns the stable code that the window and the command line match on.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "PH-APPR-001",
            Self::Decided { .. } => "PH-APPR-002",
            Self::Expired { .. } => "PH-APPR-003",
            Self::Superseded { .. } => "PH-APPR-004",
            Self::OtherPlan { .. } => "PH-APPR-005",
            Self::TargetNotTyped { .. } => "PH-APPR-006",
            Self::ReasonNeeded { .. } => "PH-APPR-007",
            Self::ClockBack { .. } => "PH-APPR-008",
            Self::Full { .. } => "PH-APPR-009",
            Self::Duplicate { .. } => "PH-APPR-010",
        }
    }
}

/// Why an operator said no (S1-177). Without a code it is `unspecified`: counted, and left out of learning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectReason {
    /// The wrong router, session or prefixes.
    WrongTarget,
    /// The right lever, the wrong value.
    WrongValue,
    /// Another action is better.
    BetterAction,
    /// Nothing needs to change.
    NotNeeded,
    /// Not now.
    BadTiming,
    /// More risk than it is worth.
    TooRisky,
    /// The evidence does not convince.
    WeakEvidence,
    /// Known elsewhere: maintenance, a provider's ticket.
    KnownCause,
    /// No reason given.
    Unspecified,
}

/// A text that is no reason code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no reason code; use one of {}", RejectReason::codes())]
pub struct UnknownReason {
    /// The text, cut to 40 characters.
    pub text: String,
}

impl RejectReason {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::WrongTarget,
        Self::WrongValue,
        Self::BetterAction,
        Self::NotNeeded,
        Self::BadTiming,
        Self::TooRisky,
        Self::WeakEvidence,
        Self::KnownCause,
        Self::Unspecified,
    ];

    /// Returns the code (`wrong_target`).
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::WrongTarget => "wrong_target",
            Self::WrongValue => "wrong_value",
            Self::BetterAction => "better_action",
            Self::NotNeeded => "not_needed",
            Self::BadTiming => "bad_timing",
            Self::TooRisky => "too_risky",
            Self::WeakEvidence => "weak_evidence",
            Self::KnownCause => "known_cause",
            Self::Unspecified => "unspecified",
        }
    }

    /// Reads an optional code; none is [`RejectReason::Unspecified`].
    ///
    /// # Errors
    /// [`UnknownReason`] when a text is given that is no code.
    pub fn from_code(code: Option<&str>) -> Result<Self, UnknownReason> {
        code.map_or(Ok(Self::Unspecified), str::parse)
    }

    fn codes() -> String {
        Self::ALL.map(Self::code).join(", ")
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for RejectReason {
    type Err = UnknownReason;
    fn from_str(s: &str) -> Result<Self, UnknownReason> {
        let found = Self::ALL.into_iter().find(|r| r.code() == s);
        found.ok_or_else(|| UnknownReason { text: s.chars().take(40).collect() })
    }
}
