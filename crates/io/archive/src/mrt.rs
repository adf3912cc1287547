//! MRT (RFC 6396, RFC 8050): what route collectors write.
//!
//! The records are framed here, so that a bad one costs itself and no more. Each BGP UPDATE, and each RIB entry as the UPDATE it came
//! from, is judged by [`bmp::decode`]: one decoder, one shape, one reading of RFC 7606, and no panic on any bytes.

pub mod bgpdump;
mod entry;
mod json;
mod writer;

pub use entry::{Change, Entry, Peer, PeerTable, entries};
pub use writer::Writer;

use std::io::{self, Read};

/// Longest record accepted: a RIB record with the paths of every peer of the largest collector is far below it.
pub const MAX_RECORD_BYTES: u32 = 16 << 20;

/// One record: the common header and what follows it (RFC 6396 §2, §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Offset of its first byte in the file.
    pub offset: u64,
    /// Nanoseconds since the Unix epoch; extended records have microseconds.
    pub time: i64,
    /// Type.
    pub kind: u16,
    /// Subtype.
    pub subtype: u16,
    /// What follows the header, without the microseconds of an extended record.
    pub body: Vec<u8>,
    /// The whole record.
    pub raw: Vec<u8>,
}

/// The file is no MRT, or no longer.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A length that cannot be.
    #[error("the record at byte {offset} says it is {length} bytes long; at most {MAX_RECORD_BYTES} are possible")]
    Length {
        /// Where the record starts.
        offset: u64,
        /// What it says.
        length: u32,
    },
    /// The file ends inside a record.
    #[error("the file ends inside the record at byte {offset}")]
    Cut {
        /// Where the record starts.
        offset: u64,
    },
    /// Reading failed.
    #[error("the file cannot be read on from byte {offset}")]
    Read {
        /// Where.
        offset: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The records of a file.
pub struct Records<R> {
    input: R,
    offset: u64,
    over: bool,
}

impl<R: Read> Records<R> {
    /// Starts at the beginning of a file.
    pub const fn new(input: R) -> Self {
        Self { input, offset: 0, over: false }
    }

    fn record(&mut self) -> Result<Option<Record>, RecordError> {
        let offset = self.offset;
        let mut raw = Vec::new();
        let read = |input: &mut R, n: u64, raw: &mut Vec<u8>| {
            input.by_ref().take(n).read_to_end(raw).map_err(|source| RecordError::Read { offset, source })
        };
        read(&mut self.input, 12, &mut raw)?;
        let &[a, b, c, d, e, f, g, h, i, j, k, l] = raw.as_slice() else {
            return if raw.is_empty() { Ok(None) } else { Err(RecordError::Cut { offset }) };
        };
        let (kind, subtype) = (u16::from_be_bytes([e, f]), u16::from_be_bytes([g, h]));
        let length = u32::from_be_bytes([i, j, k, l]);
        if length > MAX_RECORD_BYTES {
            return Err(RecordError::Length { offset, length });
        }
        if read(&mut self.input, u64::from(length), &mut raw)? as u64 != u64::from(length) {
            return Err(RecordError::Cut { offset });
        }
        self.offset += 12 + u64::from(length);
        let mut time = i64::from(u32::from_be_bytes([a, b, c, d])) * 1_000_000_000;
        let mut body = raw.get(12..).unwrap_or_default();
        if let (17 | 33 | 49, Some((micros, rest))) = (kind, body.split_first_chunk()) {
            time += i64::from(u32::from_be_bytes(*micros)) * 1000;
            body = rest;
        }
        Ok(Some(Record { offset, time, kind, subtype, body: body.to_vec(), raw }))
    }
}

impl<R: Read> Iterator for Records<R> {
    type Item = Result<Record, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let found = self.record().transpose();
        self.over = !matches!(found, Some(Ok(_)));
        found
    }
}

/// Returns the JSON objects of one record, as `pilotctl decode mrt` prints them, and whether one is `malformed`.
pub fn json_of(record: &Record, table: &mut PeerTable) -> (Vec<serde_json::Value>, bool) {
    json::of(record, table)
}

/// Reads MRT from memory and forgets what it holds: the entry for fuzzing. Returns how many records there were.
#[must_use]
pub fn read_bytes(bytes: &[u8]) -> usize {
    let mut table = PeerTable::default();
    let read = |record: Record| {
        let _ = json_of(&record, &mut table);
        let _ = bgpdump::lines(&record, &mut table.clone());
    };
    Records::new(bytes).map_while(Result::ok).map(read).count()
}
