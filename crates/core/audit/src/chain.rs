//! Appending and verifying.

use action::OperatorId;
use core::borrow::Borrow;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use units::Timestamp;

use crate::{Checkpoint, Digest, GENESIS, Record};

/// The end of a chain, from which it goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    head: Digest,
    next_seq: u64,
}

/// What a record says, before it has its place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// Who, where a person was behind it.
    pub operator: Option<OperatorId>,
    /// The operator's signature over the body.
    pub signature: Option<String>,
    /// The mode at the time.
    pub mode: String,
    /// What kind of record.
    pub kind: String,
    /// The facts.
    pub body: Value,
}

impl Default for Chain {
    fn default() -> Self {
        Self { head: GENESIS, next_seq: 1 }
    }
}

impl Chain {
    /// Goes on after a checkpoint (what the ledger held when it was opened).
    #[must_use]
    pub const fn after(checkpoint: Checkpoint) -> Self {
        Self { head: checkpoint.head, next_seq: checkpoint.count.saturating_add(1) }
    }

    /// Makes the next record. It exists only once it is stored: a record that could not be stored leaves a chain that must be taken up
    /// again with [`Chain::after`].
    #[must_use]
    pub fn append(&mut self, entry: Entry) -> Record {
        let Entry { at, operator, signature, mode, kind, body } = entry;
        let (seq, prev_hash) = (self.next_seq, self.head);
        let mut record = Record { seq, at, operator, signature, mode, kind, body, prev_hash, hash: GENESIS };
        record.hash = record.digest();
        self.head = record.hash;
        self.next_seq = self.next_seq.saturating_add(1);
        record
    }

    /// Returns the checkpoint of everything appended so far.
    #[must_use]
    pub const fn checkpoint(&self) -> Checkpoint {
        Checkpoint { count: self.next_seq.saturating_sub(1), head: self.head }
    }
}

/// A chain that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Number of records in the chain, those before the start of the check included.
    pub count: u64,
    /// Digest of the last one.
    pub head: Digest,
}

/// The first record at which a chain does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("the audit chain breaks at record {seq}: {flaw}")]
pub struct ChainBreak {
    /// Sequence number that is the first bad one.
    pub seq: u64,
    /// What is wrong there.
    pub flaw: Flaw,
}

/// What is wrong with a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "flaw")]
pub enum Flaw {
    /// Another record stands here: one was deleted, inserted, repeated or moved.
    #[error("record {found} stands in its place (deleted, inserted or reordered)")]
    OutOfOrder {
        /// The sequence number found.
        found: u64,
    },
    /// It does not name the record before it.
    #[error("it does not follow from the record before it")]
    NotLinked,
    /// Its content does not have its digest.
    #[error("its content was changed after it was written")]
    Edited,
    /// A checkpoint knows of more records.
    #[error("the chain ends before it, but a checkpoint knows {known} records: the tail was cut")]
    TailCut {
        /// How many the checkpoint knows.
        known: u64,
    },
    /// A checkpoint remembers another digest.
    #[error("a checkpoint remembers another digest for it: the chain was recomputed")]
    Recomputed,
}

impl Verified {
    /// Returns the checkpoint of what was verified, to be kept elsewhere.
    #[must_use]
    pub const fn checkpoint(&self) -> Checkpoint {
        Checkpoint { count: self.count, head: self.head }
    }
}

/// Verifies a whole chain from its first record and, with an anchor, that it still contains what the anchor remembers.
///
/// # Errors
/// [`ChainBreak`] at the first record that does not hold.
pub fn verify<R: Borrow<Record>>(records: impl IntoIterator<Item = R>, anchor: Option<&Checkpoint>) -> Result<Verified, ChainBreak> {
    verify_against(records, anchor.map_or(&[], core::slice::from_ref))
}

/// Verifies a whole chain, and that it still contains every one of the checkpoints.
///
/// # Errors
/// [`ChainBreak`] at the first record that does not hold.
pub fn verify_against<R: Borrow<Record>>(records: impl IntoIterator<Item = R>, checkpoints: &[Checkpoint]) -> Result<Verified, ChainBreak> {
    walk(Checkpoint { count: 0, head: GENESIS }, records, checkpoints)
}

/// Verifies the records that follow a checkpoint: the quick check at start.
///
/// # Errors
/// [`ChainBreak`] at the first record that does not hold.
pub fn verify_after<R: Borrow<Record>>(from: Checkpoint, records: impl IntoIterator<Item = R>) -> Result<Verified, ChainBreak> {
    walk(from, records, &[])
}

fn walk<R: Borrow<Record>>(
    from: Checkpoint,
    records: impl IntoIterator<Item = R>,
    checkpoints: &[Checkpoint],
) -> Result<Verified, ChainBreak> {
    let (mut count, mut head) = (from.count, from.head);
    for record in records {
        let record = record.borrow();
        let seq = count.saturating_add(1);
        let fail = |flaw| Err(ChainBreak { seq, flaw });
        if record.seq != seq {
            return fail(Flaw::OutOfOrder { found: record.seq });
        }
        if record.prev_hash != head {
            return fail(Flaw::NotLinked);
        }
        if record.digest() != record.hash {
            return fail(Flaw::Edited);
        }
        if checkpoints.iter().any(|c| c.count == seq && c.head != record.hash) {
            return fail(Flaw::Recomputed);
        }
        (count, head) = (seq, record.hash);
    }
    match checkpoints.iter().map(|c| c.count).max() {
        Some(known) if known > count => Err(ChainBreak { seq: count.saturating_add(1), flaw: Flaw::TailCut { known } }),
        _ => Ok(Verified { count, head }),
    }
}

#[cfg(test)]
mod tests;
