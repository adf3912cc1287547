//! The ordered log of every input, as a file.
//!
//! ```text
//! magic "PHCAP\r\n\x1a" · version u16 · reserved u16
//! frame*:  length u32 (compressed bytes) · checksum [u8; 8] · zstd( records )
//! records: length u32 · JSON { "seq", "at", "body" }
//! ```
//! Numbers are big-endian. The checksum is the first 8 bytes of a SHA-256 that runs over every record from the start of the file, so a
//! frame that was changed, dropped or swapped is noticed. A record is acknowledged once [`Writer::flush_durable`] returned; a file that ends
//! in the middle of a frame loses that frame and says so. Secrets never enter: inputs do not hold any.

mod reader;
mod writer;

pub use reader::{Entry, Info, Reader, info};
pub use writer::Writer;

use std::path::PathBuf;

/// First bytes of a capture. The line ending and the control-Z show a transfer in text mode at once.
pub const MAGIC: [u8; 8] = *b"PHCAP\r\n\x1a";
/// Version written. Older ones are read as long as this constant's history is short; newer ones are refused.
pub const VERSION: u16 = 1;
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
    /// A record is longer than the bound.
    #[error("PH-CAP-005 record {seq} is {length} bytes long, at most {RECORD_MAX} are kept")]
    TooLong {
        /// Its sequence number.
        seq: u64,
        /// Its length.
        length: usize,
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

#[cfg(test)]
mod tests;
