//! What is durable about a change. Three kinds carry the safety (`Intent`, `ConfirmIntent`, the terminal ones); the rest is for readers.

use action::{ChangeId, DeviceId};
use serde::{Deserialize, Serialize};
use units::Timestamp;

use crate::{Outcome, Plan, SlaResult, Why};

/// One record of the saga journal. It is durable before anything that follows it is sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JournalRecord {
    /// The change.
    pub change: ChangeId,
    /// Position within the change, from 0.
    pub index: u32,
    /// When it was made.
    pub at: Timestamp,
    /// What it says.
    pub entry: JournalEntry,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "entry")]
pub enum JournalEntry {
    /// We are about to send the first commit. Carries all that is needed to undo or finish after a crash.
    Intent {
        /// The plan with payloads, base digests and the permit that is spent.
        plan: Box<Plan>,
        /// The persist tokens, in the order of the devices.
        tokens: Vec<String>,
    },
    /// A device holds the change under its confirm timer. The next device, if any, is about to be sent its commit.
    Provisional {
        /// The device.
        device: DeviceId,
        /// Digest of its running configuration with the change.
        digest: String,
    },
    /// The change will not be kept; cancelling begins.
    Abandoned {
        /// Why.
        why: Why,
    },
    /// The change was measured and is good; confirming begins.
    ConfirmIntent {
        /// The measurement.
        sla: SlaResult,
    },
    /// One device of several has confirmed.
    DeviceConfirmed {
        /// The device.
        device: DeviceId,
    },
    /// The end.
    Finished {
        /// How.
        outcome: Outcome,
    },
}

impl JournalEntry {
    /// Returns the word for a log line.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Intent { .. } => "intent",
            Self::Provisional { .. } => "provisional",
            Self::Abandoned { why } => match why.code {
                crate::WhyCode::VerifyFailed | crate::WhyCode::VerifySilent => "verify_failed",
                _ => "abandoned",
            },
            Self::ConfirmIntent { .. } => "confirm_intent",
            Self::DeviceConfirmed { .. } => "device_confirmed",
            Self::Finished { outcome } => outcome.name(),
        }
    }
}
