//! RFC 6242 §4: end-of-message marks for base 1.0, chunks for base 1.1.

use crate::MESSAGE_MAX;

const END: &[u8] = b"]]>]]>";
/// Longest chunk header: `\n#4294967295\n`.
const HEADER_MAX: usize = 13;

/// How messages are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// `]]>]]>` after each message (base 1.0, and every hello).
    EndOfMessage,
    /// `\n#<n>\n` before each chunk, `\n##\n` at the end (base 1.1).
    Chunked,
}

impl Framing {
    /// Frames one message.
    #[must_use]
    pub fn frame(self, message: &str) -> Vec<u8> {
        match self {
            Self::EndOfMessage => [message.as_bytes(), END].concat(),
            Self::Chunked => [format!("\n#{}\n", message.len()).as_bytes(), message.as_bytes(), b"\n##\n"].concat(),
        }
    }
}

/// Bytes that are no framed message. The session is over: where the next message starts is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// A chunk header is malformed.
    #[error("byte {offset}: no chunk header like `\\n#<length>\\n` (RFC 6242 §4.2)")]
    Header {
        /// Offset in the stream.
        offset: u64,
    },
    /// A message is longer than the bound.
    #[error("byte {offset}: message is longer than {MESSAGE_MAX} bytes")]
    TooLong {
        /// Offset in the stream where it starts.
        offset: u64,
    },
    /// A message is not UTF-8.
    #[error("byte {offset}: message is not UTF-8")]
    NotUtf8 {
        /// Offset in the stream where the message starts.
        offset: u64,
    },
}

/// Cuts a byte stream into messages.
#[derive(Debug)]
pub struct Decoder {
    framing: Framing,
    buffer: Vec<u8>,
    /// Bytes at the start of `buffer` that are done with; dropped on the next push, so that many small chunks cost no more than one.
    done: usize,
    message: Vec<u8>,
    /// Bytes of the stream before the first one not done with.
    consumed: u64,
    /// Where the message being put together starts in the stream.
    started: u64,
    /// How far beyond `done` the end mark was looked for in vain.
    searched: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { framing: Framing::EndOfMessage, buffer: Vec::new(), done: 0, message: Vec::new(), consumed: 0, started: 0, searched: 0 }
    }
}

impl Decoder {
    /// Switches the framing, after both hellos.
    pub const fn set_framing(&mut self, framing: Framing) {
        self.framing = framing;
    }

    /// Adds received bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.done);
        self.done = 0;
        self.buffer.extend_from_slice(bytes);
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.done..).unwrap_or_default()
    }

    /// Returns the next whole message; `None`: more bytes are needed.
    ///
    /// # Errors
    /// [`FramingError`]; the session must be closed.
    pub fn next_message(&mut self) -> Result<Option<String>, FramingError> {
        match self.framing {
            Framing::EndOfMessage => self.end_of_message(),
            Framing::Chunked => self.chunked(),
        }
    }

    fn end_of_message(&mut self) -> Result<Option<String>, FramingError> {
        let from = self.searched.saturating_sub(END.len());
        let found = self.rest().get(from..).and_then(|b| b.windows(END.len()).position(|w| w == END)).map(|p| from + p);
        if found.unwrap_or_else(|| self.rest().len()) > MESSAGE_MAX {
            return Err(FramingError::TooLong { offset: self.consumed });
        }
        let Some(end) = found else {
            self.searched = self.rest().len();
            return Ok(None);
        };
        let start = self.consumed;
        let message = self.take(end);
        self.take(END.len());
        self.searched = 0;
        text(message, start).map(Some)
    }

    fn chunked(&mut self) -> Result<Option<String>, FramingError> {
        loop {
            let head: Vec<u8> = self.rest().iter().copied().take(HEADER_MAX).collect();
            let bad = FramingError::Header { offset: self.consumed };
            if !head.iter().zip(b"\n#").all(|(a, b)| a == b) {
                return Err(bad);
            }
            let Some(line_end) = head.iter().skip(2).position(|b| *b == b'\n').map(|p| p + 2) else {
                return if head.len() == HEADER_MAX { Err(bad) } else { Ok(None) };
            };
            let word = &head[2..line_end];
            if word == b"#" {
                if self.message.is_empty() {
                    return Err(bad);
                }
                self.take(line_end + 1);
                let message = core::mem::take(&mut self.message);
                return text(message, self.started).map(Some);
            }
            let digits = core::str::from_utf8(word).ok().filter(|w| !w.starts_with('0') && w.bytes().all(|b| b.is_ascii_digit()));
            let length: usize = digits.and_then(|d| d.parse().ok()).ok_or(bad)?;
            if length.saturating_add(self.message.len()) > MESSAGE_MAX {
                return Err(FramingError::TooLong { offset: self.consumed });
            }
            if self.rest().len() < line_end + 1 + length {
                return Ok(None);
            }
            if self.message.is_empty() {
                self.started = self.consumed;
            }
            self.take(line_end + 1);
            let chunk = self.take(length);
            self.message.extend_from_slice(&chunk);
        }
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let taken = self.rest().get(..count).unwrap_or_default().to_vec();
        self.consumed += count as u64;
        self.done += count;
        taken
    }
}

/// `start` is where the message starts in the stream: the bad byte itself is only known in a message of one piece.
fn text(bytes: Vec<u8>, start: u64) -> Result<String, FramingError> {
    String::from_utf8(bytes).map_err(|_| FramingError::NotUtf8 { offset: start })
}
