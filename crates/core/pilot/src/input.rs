//! Everything that can change a decision, as one ordered stream.

use crate::{JobId, SimulationAnswer, state::PilotState};
use action::{ChangeId, DeviceId, OperatorId, ProposalId};
use change::{JournalRecord, WireReply};
use network::{Observation, OriginEvent};
use serde::{Deserialize, Serialize};

/// Shape of [`Input`] as JSON. Counted up when an input of before, a state above all, can no longer be read; captures carry it, so that one
/// of another shape is refused in words. Captures of format 1 have shape 1, which may still be readable.
pub const INPUT_SCHEMA: u32 = 2;

/// One entry of the ordered log (ARCHITECTURE.md, invariant 1). It is written to the capture before it is handled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "input")]
pub enum Input {
    /// The whole state; opens every capture segment, so that a segment replays alone.
    State {
        /// It replaces what was there.
        state: Box<PilotState>,
    },
    /// A device told us something.
    Observed {
        /// What.
        observation: Observation,
    },
    /// A source of VRPs told something, or could not be asked.
    Origins {
        /// What.
        event: OriginEvent,
    },
    /// Time passed.
    Tick,
    /// An operator acted.
    Operator {
        /// Who, by the credentials of the socket or window.
        operator: OperatorId,
        /// What.
        command: Command,
    },
    /// The answer to an [`crate::Effect::Simulate`].
    Simulated {
        /// Which job.
        job: JobId,
        /// The answer; replay computes it again and compares.
        answer: Box<SimulationAnswer>,
    },
    /// The answer to an [`crate::Effect::Wire`].
    Wire {
        /// Which change.
        change: ChangeId,
        /// Which device.
        device: DeviceId,
        /// The number that the step carried.
        step: u32,
        /// What came back.
        reply: WireReply,
    },
    /// Changes that were open when the engine last stopped, from the journal.
    Recovered {
        /// Their records in the order they were written.
        records: Vec<JournalRecord>,
    },
    /// A record that must be durable could not be written. Nothing that depended on it was sent.
    StoreFailed {
        /// The change concerned, if it was one.
        change: Option<ChangeId>,
        /// Why.
        reason: String,
    },
}

/// What an operator can ask for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "command")]
pub enum Command {
    /// Agrees to a proposal.
    Approve {
        /// Which.
        proposal: ProposalId,
        /// Hash of the plan that was shown.
        shown_hash: String,
        /// Tier 3: the target as typed.
        typed_target: Option<String>,
        /// Given by a program on the operator's order, in LAB mode only.
        automatic: bool,
        /// Why it is agreed to although the twin may not judge ([`crate::doubts`]).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        override_reason: Option<String>,
    },
    /// Refuses a proposal.
    Reject {
        /// Which.
        proposal: ProposalId,
        /// Reason code; without one it counts as `unspecified`.
        reason: Option<String>,
    },
    /// Stops every change: pending ones are cancelled, none starts.
    Kill,
    /// Lifts a kill.
    Resume,
}
