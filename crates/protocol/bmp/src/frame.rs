//! Cutting a byte stream into BMP messages (RFC 7854 §4.1).

/// Length of the common header; nothing can be shorter.
pub const MIN_MESSAGE_BYTES: usize = 6;
/// Longest message accepted unless [`Framer::with_limit`] says otherwise: 256 times the largest plain BGP message, so that every sender seen fits and a lying length field cannot make
/// us allocate.
pub const MAX_MESSAGE_BYTES: usize = 1 << 20;
/// BMP versions accepted: 3 (RFC 7854) and 4 (draft-ietf-grow-bmp-tlv, tolerated).
const VERSIONS: [u8; 2] = [3, 4];

/// One whole message, common header included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Offset of its first byte in the stream.
    pub offset: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// One whole message where it stands in the framer's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRef<'a> {
    /// Offset of its first byte in the stream.
    pub offset: u64,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// The stream is no BMP, or no longer. There is no way to find the next message: the session is over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The first byte is no version we know.
    #[error("byte {offset} of the stream is {version}, not BMP version 3 or 4; is something else speaking on this port?")]
    Version {
        /// Where.
        offset: u64,
        /// What stood there.
        version: u8,
    },
    /// The length is impossible.
    #[error("the message at byte {offset} of the stream says it is {length} bytes long; 6 to {limit} are possible")]
    Length {
        /// Where the message starts.
        offset: u64,
        /// What it says.
        length: u32,
        /// Longest message that is accepted.
        limit: usize,
    },
}

/// Collects bytes and gives whole messages. Holds at most one unfinished message and what was pushed last.
#[derive(Clone, Debug)]
pub struct Framer {
    buffer: Vec<u8>,
    /// Bytes at the front of the buffer that were given out.
    given: usize,
    offset: u64,
    limit: usize,
    dead: bool,
}

impl Default for Framer {
    fn default() -> Self {
        Self::with_limit(MAX_MESSAGE_BYTES)
    }
}

impl Framer {
    /// Makes a framer at the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a framer that accepts messages up to `limit` bytes; never less than a header.
    #[must_use]
    pub const fn with_limit(limit: usize) -> Self {
        let limit = if limit < MIN_MESSAGE_BYTES { MIN_MESSAGE_BYTES } else { limit };
        Self { buffer: Vec::new(), given: 0, offset: 0, limit, dead: false }
    }

    /// Adds bytes as they came from the stream. After a [`FrameError`] they are thrown away.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.dead {
            return;
        }
        if self.given > 0 {
            // what was given out is a whole push as a rule, so that the rest that moves is a part of one message
            self.buffer.drain(..self.given);
            self.given = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Returns how many bytes wait for the rest of their message; more than zero at the end of a stream means that it was cut.
    #[must_use]
    pub const fn pending(&self) -> usize {
        self.buffer.len() - self.given
    }

    /// Returns the offset of the next message in the stream.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the next whole message, `None` when more bytes are needed. After an error there is nothing more.
    #[allow(clippy::should_implement_trait, reason = "an iterator would end at the first None; this goes on after the next push")]
    pub fn next(&mut self) -> Option<Result<Frame, FrameError>> {
        Some(self.next_ref()?.map(|f| Frame { offset: f.offset, bytes: f.bytes.to_vec() }))
    }

    /// The same as [`Framer::next`] without a copy: the bytes stay in the buffer until the next push.
    pub fn next_ref(&mut self) -> Option<Result<FrameRef<'_>, FrameError>> {
        let rest = self.buffer.get(self.given..).unwrap_or_default();
        let version = *rest.first()?;
        if !VERSIONS.contains(&version) {
            let error = FrameError::Version { offset: self.offset, version };
            return Some(Err(self.die(error)));
        }
        let length = u32::from_be_bytes(*rest.get(1..)?.first_chunk::<4>()?);
        let wanted = usize::try_from(length).unwrap_or(usize::MAX);
        if !(MIN_MESSAGE_BYTES..=self.limit).contains(&wanted) {
            let error = FrameError::Length { offset: self.offset, length, limit: self.limit };
            return Some(Err(self.die(error)));
        }
        if rest.len() < wanted {
            return None;
        }
        let (offset, from) = (self.offset, self.given);
        self.offset += u64::from(length);
        self.given += wanted;
        self.buffer.get(from..self.given).map(|bytes| Ok(FrameRef { offset, bytes }))
    }

    fn die(&mut self, error: FrameError) -> FrameError {
        self.dead = true;
        self.buffer = Vec::new();
        self.given = 0;
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY_INITIATION: [u8; 6] = [3, 0, 0, 0, 6, 4];

    #[test]
    fn messages_come_out_whole_however_the_stream_is_cut() {
        let stream: Vec<u8> = EMPTY_INITIATION.iter().copied().cycle().take(18).collect();
        let mut framer = Framer::new();
        let mut offsets = Vec::new();
        for byte in stream {
            framer.push(&[byte]);
            while let Some(frame) = framer.next() {
                offsets.push(frame.unwrap().offset);
            }
        }
        assert_eq!(offsets, [0, 6, 12]);
        assert_eq!(framer.pending(), 0);
    }

    #[test]
    fn impossible_lengths_end_the_stream_before_anything_is_allocated() {
        for length in [0, 5, 1 << 20 | 1, 1 << 30, u32::MAX] {
            let mut framer = Framer::new();
            framer.push(&EMPTY_INITIATION);
            framer.push(&[3]);
            framer.push(&length.to_be_bytes());
            assert!(framer.next().unwrap().is_ok());
            assert_eq!(framer.next(), Some(Err(FrameError::Length { offset: 6, length, limit: MAX_MESSAGE_BYTES })));
            framer.push(&EMPTY_INITIATION);
            assert_eq!((framer.next(), framer.pending()), (None, 0));
        }
    }

    #[test]
    fn the_limit_is_what_was_asked_for() {
        let long = |length: u32| [&[3][..], &length.to_be_bytes(), &[4], &vec![0; length as usize - 6]].concat();
        let mut framer = Framer::with_limit(100);
        framer.push(&long(100));
        framer.push(&long(101));
        assert_eq!(framer.next().unwrap().unwrap().bytes.len(), 100);
        assert_eq!(framer.next(), Some(Err(FrameError::Length { offset: 100, length: 101, limit: 100 })));
        let mut framer = Framer::with_limit(4 << 20);
        framer.push(&long(2 << 20));
        assert_eq!(framer.next_ref().unwrap().unwrap().bytes.len(), 2 << 20);
    }

    #[test]
    fn another_protocol_is_named_at_its_first_byte() {
        let mut framer = Framer::new();
        framer.push(b"GET / HTTP/1.1\r\n");
        assert_eq!(framer.next(), Some(Err(FrameError::Version { offset: 0, version: b'G' })));
    }
}
