//! A Route Monitoring message told apart without being read: what a table needs that has seen the same attributes before.
//!
//! ```text
//! headers | withdrawn | before │ MP_REACH_NLRI: family, next hop │ NLRI │ after | NLRI
//!                       └──────── the attributes without their NLRI ────┘
//! ```
//! An outline is made only of a message that is plain in every way; whoever gets none, or does not know its attributes, calls
//! [`crate::decode`], which says the same of it and more.

use crate::attribute::code;
use crate::peer::{Peer, peer_time};
use crate::reader::Reader;
use bgp::Family;

/// Common header, per-peer header, BGP header.
const HEADERS: usize = 6 + 42 + 19;
/// The per-peer header without its timestamp.
const PEER_BYTES: usize = 34;
/// Bits of an attribute's flags: optional, transitive, and extended length.
const OPTIONAL: u8 = 0x80;
const TRANSITIVE: u8 = 0x40;
const EXTENDED_LENGTH: u8 = 0x10;
/// AFI, SAFI, length of the next hop.
const REACH_HEADER: usize = 4;

/// One UPDATE of one peer, of one unicast family (both RFC 4271 withdrawals and MP_REACH_NLRI may stand in it).
#[derive(Clone, Copy, Debug)]
pub struct Outline<'a> {
    /// The per-peer header without its timestamp; equal bytes are the same peer and the same view.
    pub peer: &'a [u8; PEER_BYTES],
    /// Withdrawn IPv4 prefixes.
    pub withdrawn: &'a [u8],
    /// Prefixes of MP_UNREACH_NLRI, which then is the only attribute.
    pub unreach: Option<(Family, &'a [u8])>,
    /// The family that is announced, if any.
    pub announced: Option<(Family, &'a [u8])>,
    /// The attributes without their NLRI, in up to three pieces: before MP_REACH_NLRI, its family and next hop, after it.
    pub attributes: [&'a [u8]; 3],
}

impl<'a> Outline<'a> {
    /// Tells the parts of a whole message apart; `None` for everything that is not plain.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Option<Self> {
        let (headers, body) = bytes.split_first_chunk::<HEADERS>()?;
        let ([3, l0, l1, l2, l3, 0], rest) = headers.split_first_chunk::<6>()? else { return None };
        let (peer, rest) = rest.split_first_chunk::<PEER_BYTES>()?;
        let (marker, rest) = rest.get(8..)?.split_first_chunk::<16>()?;
        let [b0, b1, 2] = rest else { return None };
        let length = usize::try_from(u32::from_be_bytes([*l0, *l1, *l2, *l3])).ok()?;
        let bgp = usize::from(u16::from_be_bytes([*b0, *b1]));
        if length != bytes.len() || marker != &[0xFF; 16] || bgp != bytes.len() - (HEADERS - 19) {
            return None;
        }
        let (withdrawn, body) = counted(body)?;
        let (attributes, nlri) = counted(body)?;
        let mut out = Self { peer, withdrawn, unreach: None, announced: None, attributes: [attributes, &[], &[]] };
        if attributes.is_empty() {
            return (nlri.is_empty() && !withdrawn.is_empty()).then_some(out);
        }
        out.find_families(attributes)?;
        match (nlri.is_empty(), &out.announced) {
            (true, Some((_, routes))) => (!routes.is_empty()).then_some(out),
            (true, None) => out.unreach.is_some_and(|(_, routes)| !routes.is_empty()).then_some(out),
            (false, None) if out.unreach.is_none() => {
                out.announced = Some((Family::Ipv4Unicast, nlri));
                Some(out)
            }
            (false, _) => None,
        }
    }

    /// Finds MP_REACH_NLRI, or MP_UNREACH_NLRI when it stands alone.
    fn find_families(&mut self, attributes: &'a [u8]) -> Option<()> {
        let mut at = 0;
        while let Some([flags, kind, rest @ ..]) = attributes.get(at..).filter(|a| !a.is_empty()) {
            let (length, value) = if flags & EXTENDED_LENGTH == 0 {
                let (length, value) = rest.split_first()?;
                (usize::from(*length), value)
            } else {
                let (length, value) = rest.split_first_chunk::<2>()?;
                (usize::from(u16::from_be_bytes(*length)), value)
            };
            let end = attributes.len() - value.len() + length;
            if matches!(*kind, code::MP_REACH | code::MP_UNREACH) {
                let value = value.get(..length)?;
                if flags & (OPTIONAL | TRANSITIVE) != OPTIONAL || self.announced.is_some() {
                    return None;
                }
                if *kind == code::MP_UNREACH {
                    let alone = at == 0 && end == attributes.len();
                    self.unreach = alone.then(|| Some((family(value)?, value.get(3..)?))).flatten();
                    return self.unreach.map(|_| ());
                }
                let next_hop = usize::from(*value.get(3)?);
                // the reserved byte stands between
                let routes = value.get(REACH_HEADER + next_hop + 1..)?;
                self.announced = Some((family(value)?, routes));
                self.attributes = [attributes.get(..at)?, value.get(..REACH_HEADER + next_hop)?, attributes.get(end..)?];
            }
            at = end;
        }
        (at == attributes.len()).then_some(())
    }

    /// Reads the per-peer header; its time stays away.
    #[must_use]
    pub fn read_peer(&self) -> Option<Peer> {
        let mut field = [0; PEER_BYTES + 8];
        field.first_chunk_mut::<PEER_BYTES>()?.copy_from_slice(self.peer);
        Peer::read(&mut Reader::new(&field)).ok()
    }
}

/// Returns the sender's time of a whole message with a per-peer header, nanoseconds since the Unix epoch; `None` where it wrote zero.
#[must_use]
pub fn sent_at(bytes: &[u8]) -> Option<i64> {
    // Initiation and Termination have no such header
    if matches!(bytes.get(5)?, 4 | 5) {
        return None;
    }
    let [a, b, c, d, e, f, g, h] = *bytes.get(6 + PEER_BYTES..)?.first_chunk::<8>()?;
    peer_time(u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]))
}

fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

const fn family(value: &[u8]) -> Option<Family> {
    match value {
        [0, 1, 1, ..] => Some(Family::Ipv4Unicast),
        [0, 2, 1, ..] => Some(Family::Ipv6Unicast),
        _ => None,
    }
}

/// A prefix of NLRI as its bits: the address stands in the highest ones, host bits are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bits {
    /// The address, left-aligned in 128 bits whatever the family.
    pub address: u128,
    /// Length in bits.
    pub length: u8,
    /// Path identifier (RFC 7911), where they are in use.
    pub path_id: Option<u32>,
}

/// Prefixes of NLRI, one after the other. Ends at the first that does not fit; [`BitsOf::is_whole`] says whether all did.
#[derive(Clone, Copy, Debug)]
pub struct BitsOf<'a> {
    rest: &'a [u8],
    longest: u8,
    add_path: bool,
}

impl<'a> BitsOf<'a> {
    /// Makes the reader of `nlri`.
    #[must_use]
    pub const fn new(nlri: &'a [u8], family: Family, add_path: bool) -> Self {
        let longest = match family {
            Family::Ipv4Unicast => 32,
            Family::Ipv6Unicast => 128,
        };
        Self { rest: nlri, longest, add_path }
    }

    /// Says whether everything can be read.
    #[must_use]
    pub fn is_whole(mut self) -> bool {
        while self.cut().is_some() {}
        self.rest.is_empty()
    }

    /// Says whether everything can be read and reads like prefixes: no bits behind a length, one default route at most.
    #[must_use]
    pub fn makes_sense(mut self) -> bool {
        let mut defaults = 0;
        while let Some((_, length, bytes)) = self.cut() {
            defaults += u32::from(length == 0);
            let spare = bytes.len() * 8 - usize::from(length);
            if defaults > 1 || bytes.last().is_some_and(|last| u32::from(*last).trailing_zeros() < spare as u32) {
                return false;
            }
        }
        self.rest.is_empty()
    }

    /// Takes one prefix: identifier, length, bytes.
    fn cut(&mut self) -> Option<(Option<u32>, u8, &'a [u8])> {
        let mut rest = self.rest;
        let mut path_id = None;
        if self.add_path {
            let (id, after) = rest.split_first_chunk::<4>()?;
            (path_id, rest) = (Some(u32::from_be_bytes(*id)), after);
        }
        let (length, rest) = rest.split_first()?;
        if *length > self.longest {
            return None;
        }
        let (bytes, rest) = rest.split_at_checked(usize::from(length.div_ceil(8)))?;
        self.rest = rest;
        Some((path_id, *length, bytes))
    }
}

impl Iterator for BitsOf<'_> {
    type Item = Bits;

    fn next(&mut self) -> Option<Bits> {
        let (path_id, length, bytes) = self.cut()?;
        let mut address = 0;
        for (i, byte) in (0_u32..).zip(bytes) {
            address |= u128::from(*byte) << (120 - 8 * i);
        }
        // a shift by all 128 bits does not exist
        let mask = if length == 0 { 0 } else { u128::MAX << (128 - u32::from(length)) };
        Some(Bits { address: address & mask, length, path_id })
    }
}
