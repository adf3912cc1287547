//! The ordered log of every input, as a file.
//!
//! ```text
//! magic "PHCAP\r\n\x1a" · version u16 · reserved u16, zero
//! about:   length u32 · JSON: who made it, for which site, in which shape of inputs
//! frame*:  length u32 (compressed bytes) · length u32, every bit turned over · records u32 · seq u64, at i64 of the first record ·
//!          at i64 of the last · seal [u8; 32] · zstd( records )
//! records: length u32 · JSON { "seq", "at", "body" }
//! state:   a frame of one record, marked by the highest bit of its record count: the state that the inputs before it led to
//! end:     a frame of no records; its content is JSON { "records" }
//! ```
//! Numbers are big-endian, times nanoseconds since 1970. A frame's seal is the SHA-256 of the seal before it (of `about`: its own), of the
//! header's other fields and of the content before compression, so a frame that was changed, dropped or swapped is noticed, and the last seal
//! is the digest of the whole. The length stands twice, so that a changed one is not taken for the end of the file. The headers alone are an
//! index: [`index`] hops from one to the next, and a replay that is wanted from the middle begins at the last state kept before it. A record is acknowledged once [`Writer::flush_durable`] returned; a file that ends in the
//! middle of a frame loses that frame and says so; one without an end was not closed in order, or later frames were cut off.
//!
//! Format 1, of builds before it, has no `about`, no end, and frame headers of 16 bytes with a running checksum; it is read, not written.
//! Secrets never enter: configurations are stripped of them where they are read from the device.

mod about;
mod copy;
mod index;
mod info;
mod names;
mod reader;
mod redact;
mod replay;
mod seal;
mod simulations;
mod writer;

pub use about::About;
pub use copy::{Copied, copy_redacted};
pub use index::{Frames, Place, index};
pub use info::{Info, NO_INDEX, info, verify};
pub use names::{Names, Pseudonyms};
pub use reader::{Entry, Mark, Moment, Reader};
pub use redact::redact;
pub use replay::{Begun, Replay};
pub use writer::Writer;

use std::path::PathBuf;

/// First bytes of a capture. The line ending and the control-Z show a transfer in text mode at once.
pub const MAGIC: [u8; 8] = *b"PHCAP\r\n\x1a";
/// Version written.
pub const VERSION: u16 = 2;
/// Oldest version that is read.
pub const OLDEST: u16 = 1;
/// Bytes before `about`.
const FILE_HEADER: usize = 12;
/// Longest `about`, bytes of JSON.
const ABOUT_MAX: usize = 64 << 10;
/// Longest record, bytes of JSON. A state of a large network is the longest there is.
pub const RECORD_MAX: usize = 1 << 30;
/// Longest frame on disk, bytes.
pub const FRAME_MAX: usize = 1 << 30;

/// Why a capture cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The file system.
    #[error("PH-CAP-001 {doing} {path} failed")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// File.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Not a capture.
    #[error("PH-CAP-002 {path} is no Pilothouse capture (byte 0); it may have been changed in transfer")]
    NotACapture {
        /// File.
        path: PathBuf,
    },
    /// Made by a newer program.
    #[error("PH-CAP-003 {path} was made by a newer version (format {found}, this one reads up to {VERSION}); update Pilothouse")]
    Newer {
        /// File.
        path: PathBuf,
        /// Its version.
        found: u16,
    },
    /// Made by a program before the first release.
    #[error("PH-CAP-007 {path} has format {found}, which no version wrote; this one reads formats {OLDEST} to {VERSION}")]
    Older {
        /// File.
        path: PathBuf,
        /// Its version.
        found: u16,
    },
    /// The content is not what was written.
    #[error("PH-CAP-004 {path} is damaged at byte {offset}: {why}; everything before it was read ({records} records)")]
    Damaged {
        /// File.
        path: PathBuf,
        /// Where the bad frame starts.
        offset: u64,
        /// What is wrong.
        why: String,
        /// Records read before.
        records: u64,
    },
    /// Inputs have another shape than when the capture was made.
    #[error(
        "PH-CAP-009 {path} was made by version {version} whose inputs have shape {schema}; this version reads shape {}: play it with the version that made it. Record {seq} cannot be read: {why}",
        pilot::INPUT_SCHEMA
    )]
    Shape {
        /// File.
        path: PathBuf,
        /// Version that made it; "before 0.1" where the file does not say.
        version: String,
        /// Its shape of inputs.
        schema: u32,
        /// Sequence number of the record, counted from the first of the file.
        seq: u64,
        /// What the reader said.
        why: String,
    },
    /// A record is longer than the bound.
    #[error("PH-CAP-005 record {seq} is {length} bytes long, at most {RECORD_MAX} are kept")]
    TooLong {
        /// Its sequence number.
        seq: u64,
        /// Its length.
        length: usize,
    },
    /// An earlier write failed and the file could not be brought back to a whole frame.
    #[error("PH-CAP-008 {path} ends in half a frame after a failed write; nothing more is written to it, start a new capture")]
    Spoilt {
        /// File.
        path: PathBuf,
    },
    /// A router is called like a field or a kind of the log.
    #[error(
        "PH-CAP-010 {path} cannot be copied without names: a router is called like a word of the log itself (one of {names}), and record {seq} could not be read with another in its place"
    )]
    NameIsWord {
        /// The capture.
        path: PathBuf,
        /// The record that could not be copied.
        seq: u64,
        /// The names in question.
        names: String,
    },
    /// A record cannot be turned into JSON.
    #[error("PH-CAP-006 record {seq} cannot be written as JSON")]
    NotJson {
        /// Its sequence number.
        seq: u64,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

/// Says what `bytes` at the end of a file are that make no whole frame.
#[must_use]
pub fn cut_short(bytes: u64) -> String {
    format!("the last {bytes} bytes are no whole frame: a program that was stopped while it wrote, or a copy that is not complete")
}

#[cfg(test)]
mod tests;
