//! A remembered length and head, kept outside the ledger.

use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

use crate::Digest;

/// How many records there were, and the digest of the last one. Kept elsewhere (another file, a terminal's scrollback, a printout) it finds
/// a cut tail and a recomputed chain.
///
/// Its text is one line: `pilothouse-ledger <count> <head>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Number of records.
    pub count: u64,
    /// Digest of the last one; [`crate::GENESIS`] when there is none.
    pub head: Digest,
}

const ORIGIN: &str = "pilothouse-ledger";

/// A text that is no checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a checkpoint like \"pilothouse-ledger 42 <64 hexadecimal digits>\"")]
pub struct BadCheckpoint {
    /// The text, cut to 120 characters.
    pub text: String,
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ORIGIN} {} {}", self.count, self.head)
    }
}

impl FromStr for Checkpoint {
    type Err = BadCheckpoint;
    fn from_str(s: &str) -> Result<Self, BadCheckpoint> {
        let bad = || BadCheckpoint { text: s.chars().take(120).collect() };
        let mut words = s.split_ascii_whitespace();
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some(ORIGIN), Some(count), Some(head), None) => {
                Ok(Self { count: count.parse().map_err(|_| bad())?, head: head.parse().map_err(|_| bad())? })
            }
            _ => Err(bad()),
        }
    }
}
