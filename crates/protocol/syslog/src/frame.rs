//! A TCP stream, cut into frames (RFC 6587).
//!
//! ```text
//! octet counting (§3.4.1)      83 <165>1 2026-…          a number, a space, so many bytes; TLS has only this (RFC 5425 §4.3)
//! trailer (§3.4.2)             <165>Nov 23 …\n            up to LF, CR LF or NUL
//! ```

use serde::Serialize;

/// Bytes of a message that are kept; RFC 5424 §6.1 asks for 2048. What is longer is cut, and says so.
pub const FRAME_BYTES_MAX: usize = 8192;
/// A count above this is no count: the stream is something else.
const COUNT_MAX: u64 = 1 << 20;
/// Digits of a count.
const COUNT_DIGITS_MAX: usize = 10;

/// How a frame was delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Framing {
    /// By a count before it.
    OctetCounting,
    /// By a trailer behind it.
    Trailer,
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Offset of its first byte in the stream, count not included.
    pub offset: u64,
    /// Its bytes, at most [`FRAME_BYTES_MAX`].
    pub bytes: Vec<u8>,
    /// Bytes of it that were left out.
    pub cut: u64,
    /// How it was delimited.
    pub framing: Framing,
}

/// Why a stream cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A count that no message has.
    #[error("the count at byte {offset} of the stream is above {COUNT_MAX} or not followed by a space (RFC 6587 §3.4.1)")]
    BadCount {
        /// Where the count begins.
        offset: u64,
    },
}

/// Cuts a stream. Holds at most one frame and what was pushed last.
#[derive(Clone, Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
    /// Bytes of the buffer that were handed out already.
    taken: usize,
    /// Offset of the buffer's first byte in the stream.
    base: u64,
    /// The frame that is being read.
    open: Option<Open>,
    failed: Option<FrameError>,
}

#[derive(Clone, Debug)]
struct Open {
    offset: u64,
    bytes: Vec<u8>,
    cut: u64,
    /// Bytes still to come, when they were counted.
    left: Option<u64>,
}

impl Open {
    fn take(&mut self, bytes: &[u8]) {
        let room = FRAME_BYTES_MAX - self.bytes.len();
        self.bytes.extend(bytes.iter().take(room));
        self.cut += u64::try_from(bytes.len().saturating_sub(room)).unwrap_or(u64::MAX);
    }

    fn close(self) -> Frame {
        let framing = if self.left.is_some() { Framing::OctetCounting } else { Framing::Trailer };
        Frame { offset: self.offset, bytes: self.bytes, cut: self.cut, framing }
    }
}

impl Framer {
    /// Adds bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.base += u64::try_from(self.taken).unwrap_or(u64::MAX);
        self.buffer.drain(..self.taken);
        self.taken = 0;
        self.buffer.extend_from_slice(bytes);
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.taken..).unwrap_or_default()
    }

    fn offset(&self) -> u64 {
        self.base + u64::try_from(self.taken).unwrap_or(u64::MAX)
    }

    /// Returns the next whole frame; `None` when more bytes are needed. After an error the stream is over.
    #[allow(clippy::should_implement_trait, reason = "None is not the end")]
    pub fn next(&mut self) -> Option<Result<Frame, FrameError>> {
        if let Some(error) = self.failed {
            return Some(Err(error));
        }
        loop {
            if self.open.is_none() {
                match self.begin() {
                    Ok(true) => {}
                    Ok(false) => return None,
                    Err(error) => {
                        self.failed = Some(error);
                        return Some(Err(error));
                    }
                }
            }
            let frame = self.go_on()?;
            // empty lines between frames are no messages
            if !frame.bytes.is_empty() || frame.cut > 0 {
                return Some(Ok(frame));
            }
        }
    }

    /// Returns what is left when the stream ends: a last line without its end. A counted frame that is not whole is none.
    pub fn finish(&mut self) -> Option<Frame> {
        let open = self.open.take().filter(|o| o.left.is_none() && !o.bytes.is_empty())?;
        Some(open.close())
    }

    /// Returns the bytes that wait for the rest of their frame.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.rest().len() + self.open.as_ref().map_or(0, |o| o.bytes.len())
    }

    /// Looks at the first byte: a digit begins a count, anything else a line (RFC 6587 §3.4.1: a frame begins with `<`).
    fn begin(&mut self) -> Result<bool, FrameError> {
        let rest = self.rest();
        let Some(first) = rest.first() else { return Ok(false) };
        let mut open = Open { offset: self.offset(), bytes: Vec::new(), cut: 0, left: None };
        if first.is_ascii_digit() {
            let digits = rest.iter().take(COUNT_DIGITS_MAX + 1).take_while(|b| b.is_ascii_digit()).count();
            let count = rest.iter().take(digits).fold(0_u64, |n, b| n.saturating_mul(10).saturating_add(u64::from(b - b'0')));
            let bad = FrameError::BadCount { offset: open.offset };
            match rest.get(digits) {
                _ if digits > COUNT_DIGITS_MAX || count > COUNT_MAX => return Err(bad),
                None => return Ok(false),
                Some(b' ') => {}
                Some(_) => return Err(bad),
            }
            self.taken += digits + 1;
            open.offset = self.offset();
            open.left = Some(count);
        }
        self.open = Some(open);
        Ok(true)
    }

    fn go_on(&mut self) -> Option<Frame> {
        let rest = self.buffer.get(self.taken..).unwrap_or_default();
        let open = self.open.as_mut()?;
        let (length, skip, whole) = match &mut open.left {
            Some(left) => {
                let n = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                *left -= u64::try_from(n).unwrap_or(*left);
                (n, 0, *left == 0)
            }
            None => match rest.iter().position(|b| matches!(b, b'\n' | 0)) {
                Some(n) => (n, 1, true),
                None => (rest.len(), 0, false),
            },
        };
        open.take(rest.get(..length).unwrap_or_default());
        self.taken += length + skip;
        if !whole {
            return None;
        }
        let mut frame = self.open.take()?.close();
        if frame.framing == Framing::Trailer && frame.cut == 0 && frame.bytes.last() == Some(&b'\r') {
            frame.bytes.pop();
        }
        Some(frame)
    }
}
