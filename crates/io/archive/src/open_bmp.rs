//! BMP as OpenBMP's collector hands it on: each message after a header of its own (OpenBMP message bus, `raw_bmp`, version 1.7).
//!
//! ```text
//! "OBMP" · major u8 · minor u8 · header length u16 · message length u32 · flags u8 · object type u8 · seconds u32 · microseconds u32
//! · collector hash [16] · name length u16 · collector name · router hash [16] · router address [16] · group length u16 · group
//! · rows u32 · BMP message
//! ```
//! Flag bit 0x40 says that the router's address is IPv6. Seen in two messages of RouteViews' stream.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::io::{self, Read};

/// First bytes of every header.
pub const MAGIC: [u8; 4] = *b"OBMP";
/// Longest header accepted: the two names are at most 64 KiB each by their length fields, and below 256 bytes wherever seen.
const HEADER_MAX: usize = 4096;
/// Bytes before the header's own length is known, with the message's.
const FIXED: usize = 12;

/// A message of a router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct One {
    /// Offset of the header in the file.
    pub offset: u64,
    /// The router's address.
    pub router: IpAddr,
    /// When the collector took it, nanoseconds since the Unix epoch.
    pub time: i64,
    /// The BMP message, or several.
    pub bmp: Vec<u8>,
}

/// The stream cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum WrapError {
    /// A header that cannot be.
    #[error("at byte {offset} is no OpenBMP header: {what}")]
    Header {
        /// Where it should start.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// The file ends inside a message.
    #[error("the file ends inside the OpenBMP message at byte {offset}")]
    Cut {
        /// Where it starts.
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

/// The messages of a stream.
pub struct Wrapped<R> {
    input: R,
    offset: u64,
    over: bool,
}

impl<R: Read> Wrapped<R> {
    /// Starts at the beginning of a file.
    pub const fn new(input: R) -> Self {
        Self { input, offset: 0, over: false }
    }

    fn take(&mut self, n: usize) -> Result<Vec<u8>, WrapError> {
        let mut out = Vec::new();
        let read = self.input.by_ref().take(n as u64).read_to_end(&mut out);
        read.map_err(|source| WrapError::Read { offset: self.offset, source })?;
        Ok(out)
    }

    fn one(&mut self) -> Result<Option<One>, WrapError> {
        let offset = self.offset;
        let wrong = |what| WrapError::Header { offset, what };
        let start = self.take(FIXED)?;
        let &[m0, m1, m2, m3, major, _, a, b, c, d, e, f] = start.as_slice() else {
            return if start.is_empty() { Ok(None) } else { Err(WrapError::Cut { offset }) };
        };
        if [m0, m1, m2, m3] != MAGIC || major != 1 {
            return Err(wrong("it wants \"OBMP\" and version 1"));
        }
        let header = usize::from(u16::from_be_bytes([a, b]));
        let length = usize::try_from(u32::from_be_bytes([c, d, e, f])).unwrap_or(usize::MAX);
        if !(FIXED..=HEADER_MAX).contains(&header) || length > bmp::MAX_MESSAGE_BYTES {
            return Err(wrong("a length that cannot be"));
        }
        let rest = self.take(header - FIXED)?;
        let bmp = self.take(length)?;
        if rest.len() != header - FIXED || bmp.len() != length {
            return Err(WrapError::Cut { offset });
        }
        let (router, time) = router(&rest).ok_or(wrong("it is shorter than its fields"))?;
        self.offset += (header + length) as u64;
        Ok(Some(One { offset, router, time, bmp }))
    }
}

/// The router's address and the time, from what follows the lengths.
fn router(header: &[u8]) -> Option<(IpAddr, i64)> {
    let (&[flags, _kind], rest) = header.split_first_chunk()?;
    let (seconds, rest) = rest.split_first_chunk()?;
    let (micros, rest) = rest.split_first_chunk()?;
    let (name, rest) = rest.get(16..)?.split_first_chunk()?;
    let address = rest.get(usize::from(u16::from_be_bytes(*name)) + 16..)?.first_chunk::<16>()?;
    let router =
        if flags & 0x40 != 0 { IpAddr::V6(Ipv6Addr::from(*address)) } else { IpAddr::V4(Ipv4Addr::from(*address.first_chunk::<4>()?)) };
    let time = i64::from(u32::from_be_bytes(*seconds)) * 1_000_000_000 + i64::from(u32::from_be_bytes(*micros)) * 1000;
    Some((router, time))
}

impl<R: Read> Iterator for Wrapped<R> {
    type Item = Result<One, WrapError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let found = self.one().transpose();
        self.over = !matches!(found, Some(Ok(_)));
        found
    }
}
