//! Cutting a byte stream into BMP messages (RFC 7854 §4.1).

use std::collections::VecDeque;

/// Length of the common header; nothing can be shorter.
pub const MIN_MESSAGE_BYTES: usize = 6;
/// Longest message accepted: 256 times the largest plain BGP message, so that every sender seen fits and a lying length field cannot make
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
    #[error("the message at byte {offset} of the stream says it is {length} bytes long; 6 to {MAX_MESSAGE_BYTES} are possible")]
    Length {
        /// Where the message starts.
        offset: u64,
        /// What it says.
        length: u32,
    },
}

/// Collects bytes and gives whole messages. Holds at most one unfinished message and what was pushed last.
#[derive(Clone, Debug, Default)]
pub struct Framer {
    buffer: VecDeque<u8>,
    offset: u64,
    dead: bool,
}

impl Framer {
    /// Makes a framer at the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes as they came from the stream. After a [`FrameError`] they are thrown away.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.dead {
            self.buffer.extend(bytes);
        }
    }

    /// Returns how many bytes wait for the rest of their message; more than zero at the end of a stream means that it was cut.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.buffer.len()
    }

    /// Returns the offset of the next message in the stream.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the next whole message, `None` when more bytes are needed. After an error there is nothing more.
    #[allow(clippy::should_implement_trait, reason = "an iterator would end at the first None; this goes on after the next push")]
    pub fn next(&mut self) -> Option<Result<Frame, FrameError>> {
        let version = *self.buffer.front()?;
        if !VERSIONS.contains(&version) {
            return Some(Err(self.die(FrameError::Version { offset: self.offset, version })));
        }
        if self.buffer.len() < 5 {
            return None;
        }
        let mut field = [0; 4];
        for (byte, from) in field.iter_mut().zip(self.buffer.range(1..5)) {
            *byte = *from;
        }
        let length = u32::from_be_bytes(field);
        let wanted = usize::try_from(length).unwrap_or(usize::MAX);
        if !(MIN_MESSAGE_BYTES..=MAX_MESSAGE_BYTES).contains(&wanted) {
            return Some(Err(self.die(FrameError::Length { offset: self.offset, length })));
        }
        if self.buffer.len() < wanted {
            return None;
        }
        let frame = Frame { offset: self.offset, bytes: self.buffer.drain(..wanted).collect() };
        self.offset += u64::from(length);
        Some(Ok(frame))
    }

    fn die(&mut self, error: FrameError) -> FrameError {
        self.dead = true;
        self.buffer = VecDeque::new();
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
            assert_eq!(framer.next(), Some(Err(FrameError::Length { offset: 6, length })));
            framer.push(&EMPTY_INITIATION);
            assert_eq!((framer.next(), framer.pending()), (None, 0));
        }
    }

    #[test]
    fn another_protocol_is_named_at_its_first_byte() {
        let mut framer = Framer::new();
        framer.push(b"GET / HTTP/1.1\r\n");
        assert_eq!(framer.next(), Some(Err(FrameError::Version { offset: 0, version: b'G' })));
    }
}
