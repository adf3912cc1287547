//! Playing broken devices: what a face does instead of its duty while its fault file says so.

use std::path::PathBuf;
use std::str::FromStr;

/// A way of being broken, all of them seen in the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Edits and commits answer `<ok/>` and change nothing.
    DropWrites,
    /// A commit is carried out, then the session ends without an answer.
    HangUpAfterCommit,
    /// A commit is carried out and never answered.
    NoReplyToCommit,
    /// After a commit, the running configuration is shown as it was before.
    WrongState,
    /// A commit answers `<ok/>` and is shown as done, but the router does not run it: only a measurement tells.
    PretendWrites,
}

/// An unknown word in a fault file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no fault; there are drop_writes, hang_up_after_commit, no_reply_to_commit, wrong_state and pretend_writes")]
pub struct UnknownFault(String);

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(word: &str) -> Result<Self, UnknownFault> {
        match word {
            "drop_writes" => Ok(Self::DropWrites),
            "hang_up_after_commit" => Ok(Self::HangUpAfterCommit),
            "no_reply_to_commit" => Ok(Self::NoReplyToCommit),
            "wrong_state" => Ok(Self::WrongState),
            "pretend_writes" => Ok(Self::PretendWrites),
            other => Err(UnknownFault(other.chars().take(40).collect())),
        }
    }
}

/// A file that is read at every operation: one word of [`Fault`]; empty or absent means healthy.
#[derive(Clone, Debug)]
pub struct FaultSwitch {
    file: PathBuf,
}

impl FaultSwitch {
    /// Prepares to look at `file`.
    #[must_use]
    pub const fn new(file: PathBuf) -> Self {
        Self { file }
    }

    /// Returns the fault that is switched on. A word that is not known is reported and counts as none.
    #[must_use]
    pub fn active(&self) -> Option<Fault> {
        let text = std::fs::read_to_string(&self.file).ok()?;
        let word = text.trim();
        if word.is_empty() {
            return None;
        }
        word.parse().inspect_err(|error| tracing::warn!(file = %self.file.display(), %error, "fault file is not understood")).ok()
    }
}
