//! The two file formats (draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng).

use std::io::{self, Read};

/// Largest block or packet accepted: libpcap's own bound on a snap length is 256 KiB; a pcapng block may hold options beside it.
const MAX_BLOCK_BYTES: u32 = 1 << 20;
/// Interfaces of one pcapng section at most; a capture host has fewer.
const MAX_INTERFACES: usize = 4096;
const SECTION: u32 = 0x0A0D_0D0A;
const BYTE_ORDER: u32 = 0x1A2B_3C4D;
const NANOS: i128 = 1_000_000_000;

/// The file is no packet capture, or no longer.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The first bytes are none of pcap or pcapng.
    #[error("the file starts with {magic:08x}, neither pcap nor pcapng")]
    Magic {
        /// What stood there.
        magic: u32,
    },
    /// A length that cannot be.
    #[error("the block at byte {offset} says it is {length} bytes long; at most {MAX_BLOCK_BYTES} are possible")]
    Length {
        /// Where the block starts.
        offset: u64,
        /// What it says.
        length: u32,
    },
    /// A block whose fields do not fit.
    #[error("the block at byte {offset} is damaged: {what}")]
    Damaged {
        /// Where the block starts.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// The file ends inside a block.
    #[error("the file ends inside the block at byte {offset}")]
    Cut {
        /// Where the block starts.
        offset: u64,
    },
    /// Reading failed.
    #[error("the capture cannot be read on from byte {offset}")]
    Read {
        /// Where.
        offset: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// One packet as captured.
pub(super) struct Packet {
    pub time: i64,
    pub link: u32,
    pub bytes: Vec<u8>,
    pub cut: bool,
}

#[derive(Clone, Copy)]
struct Interface {
    link: u32,
    /// Time units in a second.
    units: i128,
    /// Seconds added to every time.
    offset: i64,
}

enum Kind {
    Pcap(Interface),
    PcapNg(Vec<Interface>),
}

/// The packets of a file.
pub(super) struct Packets<R> {
    input: R,
    offset: u64,
    big: bool,
    kind: Kind,
}

impl<R: Read> Packets<R> {
    pub fn new(input: R) -> Result<Self, FileError> {
        let mut out = Self { input, offset: 0, big: false, kind: Kind::PcapNg(Vec::new()) };
        let magic = u32::from_le_bytes(out.array(0)?);
        let (big, units) = match magic {
            0xA1B2_C3D4 => (false, 1_000_000),
            0xD4C3_B2A1 => (true, 1_000_000),
            0xA1B2_3C4D => (false, NANOS),
            0x4D3C_B2A1 => (true, NANOS),
            SECTION => {
                out.section(0)?;
                return Ok(out);
            }
            _ => return Err(FileError::Magic { magic: magic.swap_bytes() }),
        };
        out.big = big;
        let header: [u8; 20] = out.array(0)?;
        // the upper bits say whether frames end in a check sequence
        let link = out.word(&header, 16).unwrap_or_default() & 0x0FFF_FFFF;
        out.kind = Kind::Pcap(Interface { link, units, offset: 0 });
        Ok(out)
    }

    /// Returns the next packet, `None` at the end of the file.
    pub fn next(&mut self) -> Result<Option<Packet>, FileError> {
        if let Kind::Pcap(interface) = self.kind {
            return self.record(interface);
        }
        loop {
            let at = self.offset;
            let Some(head) = self.maybe::<4>(at)? else { return Ok(None) };
            let kind = self.u32(head);
            if kind == SECTION {
                self.section(at)?;
                continue;
            }
            let length = self.array(at)?;
            let length = self.u32(length);
            let body = length.checked_sub(12).filter(|_| length.is_multiple_of(4) && length <= MAX_BLOCK_BYTES);
            let body = self.bytes(body.ok_or(FileError::Length { offset: at, length })?, at)?;
            self.array::<4>(at)?;
            match kind {
                1 => self.interface(&body, at)?,
                3 => return self.simple(&body, at).map(Some),
                6 => return self.enhanced(&body, at).map(Some),
                _ => {}
            }
        }
    }

    fn record(&mut self, interface: Interface) -> Result<Option<Packet>, FileError> {
        let at = self.offset;
        let Some(header) = self.maybe::<16>(at)? else { return Ok(None) };
        let field = |n| self.word(&header, n).unwrap_or_default();
        let (seconds, fraction, kept, length) = (field(0), field(4), field(8), field(12));
        if kept > MAX_BLOCK_BYTES {
            return Err(FileError::Length { offset: at, length: kept });
        }
        let time = i64::from(seconds) * NANOS as i64 + i64::from(fraction) * (NANOS / interface.units) as i64;
        Ok(Some(Packet { time, link: interface.link, bytes: self.bytes(kept, at)?, cut: kept < length }))
    }

    /// Reads the rest of a section header: its length cannot be read before its byte order.
    fn section(&mut self, at: u64) -> Result<(), FileError> {
        let (length, order): ([u8; 4], [u8; 4]) = (self.array(at)?, self.array(at)?);
        self.big = match (u32::from_be_bytes(order), u32::from_le_bytes(order)) {
            (BYTE_ORDER, _) => true,
            (_, BYTE_ORDER) => false,
            _ => return Err(FileError::Damaged { offset: at, what: "no byte order of a pcapng section" }),
        };
        let length = self.u32(length);
        let rest = length.checked_sub(12).filter(|_| length <= MAX_BLOCK_BYTES).ok_or(FileError::Length { offset: at, length })?;
        self.bytes(rest, at)?;
        self.kind = Kind::PcapNg(Vec::new());
        Ok(())
    }

    fn interface(&mut self, body: &[u8], at: u64) -> Result<(), FileError> {
        let damaged = |what| FileError::Damaged { offset: at, what };
        let mut found = Interface {
            link: u32::from(self.half(body, 0).ok_or(damaged("an interface without link type"))?),
            units: 1_000_000,
            offset: 0,
        };
        let mut options = body.get(8..).unwrap_or_default();
        while let (Some(code), Some(length)) = (self.half(options, 0), self.half(options, 2)) {
            let value = options.get(4..).and_then(|o| o.get(..usize::from(length))).ok_or(damaged("an option longer than its block"))?;
            match (code, value) {
                (0, _) => break,
                (9, [power, ..]) => {
                    let (base, exponent) = if power & 0x80 == 0 { (10, *power) } else { (2, power & 0x7F) };
                    found.units = i128::checked_pow(base, u32::from(exponent)).ok_or(damaged("a time resolution beyond any clock"))?;
                }
                (14, [a, b, c, d, e, f, g, h]) => {
                    let bytes = [*a, *b, *c, *d, *e, *f, *g, *h];
                    found.offset = if self.big { i64::from_be_bytes(bytes) } else { i64::from_le_bytes(bytes) };
                }
                _ => {}
            }
            options = options.get(4 + usize::from(length).next_multiple_of(4)..).unwrap_or_default();
        }
        match &mut self.kind {
            Kind::PcapNg(list) if list.len() < MAX_INTERFACES => list.push(found),
            _ => return Err(damaged("more interfaces than any host has")),
        }
        Ok(())
    }

    fn which(&self, number: u32) -> Option<Interface> {
        match &self.kind {
            Kind::Pcap(one) => Some(*one),
            Kind::PcapNg(list) => usize::try_from(number).ok().and_then(|n| list.get(n)).copied(),
        }
    }

    fn enhanced(&self, body: &[u8], at: u64) -> Result<Packet, FileError> {
        let damaged = FileError::Damaged { offset: at, what: "a packet of no known interface, or longer than its block" };
        let fields = || {
            let interface = self.which(self.word(body, 0)?)?;
            let ticks = u64::from(self.word(body, 4)?) << 32 | u64::from(self.word(body, 8)?);
            let (kept, length) = (self.word(body, 12)?, self.word(body, 16)?);
            let bytes = body.get(20..)?.get(..usize::try_from(kept).ok()?)?.to_vec();
            let time = i128::from(ticks).checked_mul(NANOS)? / interface.units + i128::from(interface.offset) * NANOS;
            Some(Packet { time: i64::try_from(time).unwrap_or(i64::MAX), link: interface.link, bytes, cut: kept < length })
        };
        fields().ok_or(damaged)
    }

    /// A simple packet has no time.
    fn simple(&self, body: &[u8], at: u64) -> Result<Packet, FileError> {
        let fields = || {
            let (interface, length) = (self.which(0)?, usize::try_from(self.word(body, 0)?).ok()?);
            let bytes = body.get(4..)?;
            Some(Packet { time: 0, link: interface.link, bytes: bytes.get(..length).unwrap_or(bytes).to_vec(), cut: bytes.len() < length })
        };
        fields().ok_or(FileError::Damaged { offset: at, what: "a simple packet without interface" })
    }

    fn u32(&self, bytes: [u8; 4]) -> u32 {
        if self.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    fn word(&self, bytes: &[u8], at: usize) -> Option<u32> {
        bytes.get(at..)?.first_chunk().map(|w| self.u32(*w))
    }

    fn half(&self, bytes: &[u8], at: usize) -> Option<u16> {
        bytes.get(at..)?.first_chunk().map(|w| if self.big { u16::from_be_bytes(*w) } else { u16::from_le_bytes(*w) })
    }

    fn array<const N: usize>(&mut self, block: u64) -> Result<[u8; N], FileError> {
        self.maybe(block)?.ok_or(FileError::Cut { offset: block })
    }

    /// Reads `N` bytes, `None` where the file ends before the first.
    fn maybe<const N: usize>(&mut self, block: u64) -> Result<Option<[u8; N]>, FileError> {
        let mut found = Vec::with_capacity(N);
        let read = self.input.by_ref().take(N as u64).read_to_end(&mut found);
        read.map_err(|source| FileError::Read { offset: self.offset, source })?;
        self.offset += found.len() as u64;
        if found.is_empty() && N > 0 {
            return Ok(None);
        }
        found.first_chunk().map(|a| Some(*a)).ok_or(FileError::Cut { offset: block })
    }

    fn bytes(&mut self, n: u32, block: u64) -> Result<Vec<u8>, FileError> {
        let mut found = Vec::new();
        let read = self.input.by_ref().take(u64::from(n)).read_to_end(&mut found);
        read.map_err(|source| FileError::Read { offset: self.offset, source })?;
        self.offset += found.len() as u64;
        if found.len() as u64 == u64::from(n) { Ok(found) } else { Err(FileError::Cut { offset: block }) }
    }
}
