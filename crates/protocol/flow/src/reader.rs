//! A cursor over one datagram that knows its offset and cannot run past the end.

use crate::error::FlowError;
use core::net::{Ipv4Addr, Ipv6Addr};

/// Reads big-endian fields; every error carries the offset of the field's first byte, counted from the start of the datagram.
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

    /// Reads bytes that began at `base` of their datagram.
    pub const fn at(bytes: &'a [u8], base: usize) -> Self {
        Self { bytes, at: 0, base }
    }

    pub const fn offset(&self) -> usize {
        self.base + self.at
    }

    pub const fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    pub fn take(&mut self, wanted: usize, what: &'static str) -> Result<&'a [u8], FlowError> {
        let (offset, left) = (self.offset(), self.left());
        let slice = self.rest().get(..wanted).ok_or(FlowError::Truncated { offset, what, wanted, left })?;
        self.at += wanted;
        Ok(slice)
    }

    /// Takes `n` bytes as a reader of their own that keeps counting offsets from the datagram.
    pub fn sub(&mut self, n: usize, what: &'static str) -> Result<Self, FlowError> {
        let base = self.offset();
        Ok(Self { bytes: self.take(n, what)?, at: 0, base })
    }

    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], FlowError> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N, what)?);
        Ok(out)
    }

    pub fn u8(&mut self, what: &'static str) -> Result<u8, FlowError> {
        Ok(u8::from_be_bytes(self.array(what)?))
    }

    pub fn u16(&mut self, what: &'static str) -> Result<u16, FlowError> {
        Ok(u16::from_be_bytes(self.array(what)?))
    }

    pub fn u32(&mut self, what: &'static str) -> Result<u32, FlowError> {
        Ok(u32::from_be_bytes(self.array(what)?))
    }

    pub fn ipv4(&mut self, what: &'static str) -> Result<Ipv4Addr, FlowError> {
        Ok(Ipv4Addr::from(self.array::<4>(what)?))
    }

    pub fn ipv6(&mut self, what: &'static str) -> Result<Ipv6Addr, FlowError> {
        Ok(Ipv6Addr::from(self.array::<16>(what)?))
    }
}
