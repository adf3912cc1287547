//! What a decision hands on: the proposal, the alternatives with the number on which they lost, and what is left over.

use crate::Prediction;
use action::{Action, FindingId};
use bgp::Prefix;
use perception::{Expectation, PathEvidence, Request};
use serde::{Deserialize, Serialize};
use units::Ratio;

/// How sure we are that a proposal succeeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "confidence")]
pub enum Confidence {
    /// Not calibrated: too few outcomes of this kind are known. Shown so; no number is made up.
    #[default]
    Unknown,
    /// Share of past proposals of this kind that did what was predicted.
    Calibrated {
        /// The share.
        share: Ratio,
        /// Outcomes behind it.
        outcomes: u64,
    },
}

/// One action, ready for the guardrails.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// The finding it answers.
    pub finding: FindingId,
    /// What is to be done; NO_ACTION has no edits.
    pub action: Action,
    /// What, where, why in one sentence.
    pub summary: String,
    /// What it would bring.
    pub prediction: Prediction,
    /// How success is measured; `None` for NO_ACTION.
    pub expectation: Option<Expectation>,
    /// How sure we are.
    pub confidence: Confidence,
    /// The numbers it rests on.
    pub evidence: Vec<PathEvidence>,
}

/// An action that was not chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alternative {
    /// Short name (`raise r1-ispa`).
    pub name: String,
    /// The action; without edits when it could not even be built.
    pub action: Action,
    /// What it would bring; `None` when it could not be simulated.
    pub prediction: Option<Prediction>,
    /// The reason, with the number.
    pub lost_because: String,
}

/// The answer to a finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The choice; NO_ACTION when nothing is better.
    pub chosen: Proposal,
    /// The others, in the order in which they were looked at.
    pub alternatives: Vec<Alternative>,
    /// Concerned prefixes that no other exit has a route to. They are not moved.
    pub unmovable: Vec<Prefix>,
    /// Concerned prefixes that belong to no measured group. They are moved only by a failover.
    pub unmeasured: Vec<Prefix>,
    /// Concerned prefixes left for a later step because this one would have moved too much at once.
    pub later: Vec<Prefix>,
    /// Measurements without which a better answer may be missed. When not empty: ask, and decide again on the next update.
    pub wanted: Vec<Request>,
    /// The reasoning in numbers.
    pub rationale: String,
}
