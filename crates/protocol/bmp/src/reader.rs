//! A cursor over one message that knows its offset and cannot run past the end.

use crate::error::{Action, DecodeError};

/// Reads big-endian fields; every error carries the offset of the field's first byte, counted from the start of the BMP message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    base: usize,
}

impl<'a> Reader<'a> {
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, base: 0 }
    }

    pub const fn offset(&self) -> usize {
        self.base + self.at
    }

    pub const fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub const fn is_empty(&self) -> bool {
        self.left() == 0
    }

    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    pub fn take(&mut self, n: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let slice = self.bytes.get(self.at..).and_then(|b| b.get(..n)).ok_or_else(|| {
            DecodeError::new(self.offset(), Action::MessageDiscard, format!("{what} wants {n} bytes, {} are left", self.left()))
        })?;
        self.at += n;
        Ok(slice)
    }

    /// Takes `n` bytes as a reader of their own that keeps counting offsets from the message.
    pub fn sub(&mut self, n: usize, what: &'static str) -> Result<Self, DecodeError> {
        let base = self.offset();
        Ok(Self { bytes: self.take(n, what)?, at: 0, base })
    }

    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], DecodeError> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N, what)?);
        Ok(out)
    }

    pub fn u8(&mut self, what: &'static str) -> Result<u8, DecodeError> {
        Ok(u8::from_be_bytes(self.array(what)?))
    }

    pub fn u16(&mut self, what: &'static str) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.array(what)?))
    }

    pub fn u32(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.array(what)?))
    }

    pub fn u64(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        Ok(u64::from_be_bytes(self.array(what)?))
    }

    /// Reads a type (2), length (2), value triple.
    pub fn tlv(&mut self, what: &'static str) -> Result<(u16, Self), DecodeError> {
        let kind = self.u16(what)?;
        let length = self.u16(what)?;
        Ok((kind, self.sub(usize::from(length), what)?))
    }
}
