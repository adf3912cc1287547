//! What the executor is asked to do, and what it answers.

use core::time::Duration;
use serde::{Deserialize, Serialize};

/// One step on one device. Each opens a session of its own and closes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "op")]
pub enum WireOp {
    /// Reads the running configuration and says whether `payload` is in effect.
    Read {
        /// The edit whose presence is asked for.
        payload: String,
    },
    /// Locks candidate, discards, edits, commits confirmed with `<persist>`, unlocks; then reads back as `Read` does.
    CommitConfirmed {
        /// Children of `<config>`, exactly the bytes that were approved.
        payload: String,
        /// The persist token.
        token: String,
        /// Time after which the device reverts by itself.
        confirm_timeout: Duration,
        /// The running configuration must have this digest before the edit, else nothing is sent.
        base_digest: String,
    },
    /// Confirms the pending commit (`<commit><persist-id>`), then reads back.
    Confirm {
        /// The persist token.
        token: String,
        /// The edit whose presence is asked for.
        payload: String,
    },
    /// Cancels the pending commit (`<cancel-commit><persist-id>`), then reads back.
    Cancel {
        /// The persist token.
        token: String,
        /// The edit whose presence is asked for.
        payload: String,
    },
}

/// The running configuration after a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceState {
    /// Hex SHA-256 of the running configuration.
    pub digest: String,
    /// Every edit of the payload is found in the running configuration.
    pub in_effect: bool,
    /// The server said that no commit with our token is pending (answer to `Confirm` and `Cancel`).
    pub nothing_pending: bool,
}

/// The answer to one step.
pub type WireReply = Result<DeviceState, WireFault>;

/// Why a step has no clean answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "fault")]
pub enum WireFault {
    /// Nothing was sent that could change the device: no connection, host key, login, lock held by another, digest differs.
    #[error("not sent: {why}")]
    NotSent {
        /// Error code (`PH-EXEC-…`).
        code: String,
        /// What happened, with the server's words where it spoke.
        why: String,
    },
    /// The device refused with an `rpc-error`; nothing changed there.
    #[error("refused by the device: {why}")]
    Refused {
        /// Error code.
        code: String,
        /// The server's words.
        why: String,
    },
    /// Sent, and the answer never came or made no sense: the outcome is unknown until the device is read.
    #[error("no answer: {why}")]
    Unknown {
        /// Error code.
        code: String,
        /// What happened.
        why: String,
    },
}
