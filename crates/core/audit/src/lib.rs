//! Append-only hash chain and its verifier.
//!
//! Each [`Record`] carries the SHA-256 of itself and of the one before it, so an edited, deleted, inserted or reordered record is found and
//! named. A cut tail and a chain that was recomputed from some record on are consistent in themselves: only a [`Checkpoint`] kept elsewhere
//! finds those. The encoding is described at [`Record::digest`], so that another program can check an export. This crate stores nothing.

mod canonical;
mod chain;
mod checkpoint;
mod record;

pub use chain::{Chain, ChainBreak, Entry, Flaw, Verified, verify, verify_after, verify_against};
pub use checkpoint::{BadCheckpoint, Checkpoint};
pub use record::{BadDigest, Digest, GENESIS, Record};
