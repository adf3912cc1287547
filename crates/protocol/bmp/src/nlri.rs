//! Prefixes as NLRI write them (RFC 4271 §4.3, RFC 7911 §3).

use crate::distinguisher::Distinguisher;
use crate::error::{Action, DecodeError};
use crate::family::AfiSafi;
use crate::message::{LabelledNlri, Nlri};
use crate::reader::Reader;
use bgp::{Family, Prefix};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How NLRI of one family are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writing {
    /// Plain prefixes, as the OPENs agreed.
    Plain,
    /// With path identifiers: the OPENs agreed, and a message that can be read in no other way has shown that they are there.
    AddPath,
    /// With path identifiers, as the OPENs agreed; none was seen yet. Some senders leave them out in BMP.
    Agreed,
    /// The OPENs agreed on path identifiers, and a message has shown that they are left out.
    LeftOut,
    /// No OPEN was seen: plain unless only path identifiers make sense of it.
    Unknown,
}

/// How NLRI were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// As it was said that they are written.
    AsSaid,
    /// With path identifiers that nobody spoke of.
    Guessed,
    /// With the path identifiers that were agreed on; without them nothing makes sense.
    Numbered,
    /// Without the path identifiers that were agreed on; whether nothing else makes sense.
    LeftOut(bool),
}

/// Path identifiers are this small wherever senders number their paths (1, 2, 3…). Prefixes taken for identifiers are larger: their length
/// stands in front.
const SMALL_PATH_ID: u32 = 1 << 24;

/// Prefixes to the end of a field, or up to a fault.
struct Found<T> {
    routes: Vec<T>,
    /// Prefixes that had bits set behind their length: the bytes are likely something else.
    host_bits: bool,
    /// Prefixes of length 0; path identifiers that are read as prefixes look like several.
    defaults: usize,
    /// A path identifier is as small as they are.
    small_id: bool,
    fault: Option<DecodeError>,
}

impl<T> Found<T> {
    const fn new() -> Self {
        Self { routes: Vec::new(), host_bits: false, defaults: 0, small_id: false, fault: None }
    }

    const fn makes_sense(&self) -> bool {
        self.fault.is_none() && !self.host_bits && self.defaults <= 1
    }

    fn add(&mut self, route: T, prefix: Prefix, address: IpAddr, path_id: Option<u32>) {
        self.small_id |= path_id.is_some_and(|id| id < SMALL_PATH_ID);
        self.host_bits |= prefix.address() != address;
        self.defaults += usize::from(prefix.length() == 0);
        self.routes.push(route);
    }
}

/// Takes the reading that makes sense; what was read before a fault is put into `out` too.
fn choose<T>(read: impl Fn(bool) -> Found<T>, writing: Writing, out: &mut Vec<T>) -> Result<Reading, DecodeError> {
    let (mut found, reading) = match writing {
        Writing::Plain => (read(false), Reading::AsSaid),
        Writing::AddPath => (read(true), Reading::AsSaid),
        Writing::Unknown => match read(false) {
            plain if plain.makes_sense() => (plain, Reading::AsSaid),
            plain => Some(read(true)).filter(Found::makes_sense).map_or((plain, Reading::AsSaid), |other| (other, Reading::Guessed)),
        },
        Writing::Agreed | Writing::LeftOut => numbered_or_not(read(true), read(false), writing),
    };
    out.append(&mut found.routes);
    found.fault.map_or(Ok(reading), Err)
}

/// Tells a sender that leaves the agreed path identifiers out by what makes sense.
fn numbered_or_not<T>(numbered: Found<T>, plain: Found<T>, writing: Writing) -> (Found<T>, Reading) {
    match (numbered.makes_sense(), plain.makes_sense()) {
        (true, false) => (numbered, Reading::Numbered),
        (false, true) => (plain, Reading::LeftOut(true)),
        (true, true) if !plain.routes.is_empty() && (writing == Writing::LeftOut || !numbered.small_id) => (plain, Reading::LeftOut(false)),
        (true, true) | (false, false) => (numbered, Reading::AsSaid),
    }
}

/// Reads prefixes to the end of `r` into `out`.
pub(crate) fn read(
    r: Reader<'_>,
    family: Family,
    writing: Writing,
    next_hop: Option<IpAddr>,
    out: &mut Vec<Nlri>,
) -> Result<Reading, DecodeError> {
    choose(|add_path| read_as(r, family, add_path, next_hop), writing, out)
}

fn read_as(mut r: Reader<'_>, family: Family, add_path: bool, next_hop: Option<IpAddr>) -> Found<Nlri> {
    let mut out = Found::new();
    while !r.is_empty() {
        match one(&mut r, family, add_path) {
            Ok((path_id, Some(prefix), address)) => out.add(Nlri { prefix, path_id, next_hop }, prefix, address, path_id),
            Ok(_) => {}
            Err(fault) => {
                out.fault = Some(fault);
                break;
            }
        }
    }
    out
}

fn one(r: &mut Reader<'_>, family: Family, add_path: bool) -> Result<(Option<u32>, Option<Prefix>, IpAddr), DecodeError> {
    let path_id = if add_path { Some(r.u32("a path identifier")?) } else { None };
    let at = r.offset();
    let length = r.u8("a prefix length")?;
    let bits = if family == Family::Ipv4Unicast { 32 } else { 128 };
    if length > bits {
        let what = format!("a prefix length of {length} bits (RFC 4271 §4.3, RFC 7606 §5.3: {bits} at most)");
        return Err(DecodeError::new(at, Action::SessionReset, what));
    }
    let address = address(family, r.take(usize::from(length.div_ceil(8)), "a prefix")?);
    Ok((path_id, Prefix::new(address, length), address))
}

fn address(family: Family, bytes: &[u8]) -> IpAddr {
    let mut field = [0; 16];
    field.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    let [a, b, c, d, ..] = field;
    match family {
        Family::Ipv4Unicast => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        Family::Ipv6Unicast => IpAddr::V6(Ipv6Addr::from(field)),
    }
}

/// Bits of one label with its traffic class and bottom mark (RFC 8277 §2.1).
const LABEL_BITS: u8 = 24;
/// Bits of a route distinguisher (RFC 4364 §4.2).
const DISTINGUISHER_BITS: u8 = 64;
/// Stands for "no label" in a withdrawal (RFC 8277 §2.4), and what older senders write there (RFC 3107).
const WITHDRAWN_LABELS: [u32; 2] = [0x80_0000, 0];

/// How a family writes its prefixes, for those that are read beside unicast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    family: Family,
    labels: bool,
    distinguisher: bool,
}

impl Layout {
    /// Multicast, labelled unicast, MPLS VPN; `None` for all others.
    pub const fn of(afi_safi: AfiSafi) -> Option<Self> {
        let family = match afi_safi.afi {
            1 => Family::Ipv4Unicast,
            2 => Family::Ipv6Unicast,
            _ => return None,
        };
        match afi_safi.safi {
            2 => Some(Self { family, labels: false, distinguisher: false }),
            4 => Some(Self { family, labels: true, distinguisher: false }),
            128 => Some(Self { family, labels: true, distinguisher: true }),
            _ => None,
        }
    }
}

/// Reads labelled, VPN or multicast prefixes to the end of `r` into `out`.
pub(crate) fn read_labelled(
    r: Reader<'_>,
    afi_safi: AfiSafi,
    layout: Layout,
    writing: Writing,
    next_hop: Option<IpAddr>,
    out: &mut Vec<LabelledNlri>,
) -> Result<Reading, DecodeError> {
    let read = |add_path| {
        let (mut r, mut out) = (r, Found::new());
        while !r.is_empty() {
            match one_labelled(&mut r, afi_safi, layout, add_path, next_hop) {
                Ok((route, address)) => {
                    let (prefix, path_id) = (route.nlri.prefix, route.nlri.path_id);
                    out.add(route, prefix, address, path_id);
                }
                Err(fault) => {
                    out.fault = Some(fault);
                    break;
                }
            }
        }
        out
    };
    choose(read, writing, out)
}

fn one_labelled(
    r: &mut Reader<'_>,
    afi_safi: AfiSafi,
    layout: Layout,
    add_path: bool,
    next_hop: Option<IpAddr>,
) -> Result<(LabelledNlri, IpAddr), DecodeError> {
    let path_id = if add_path { Some(r.u32("a path identifier")?) } else { None };
    let at = r.offset();
    let mut bits = r.u8("a prefix length")?;
    let wrong = |what: &str| DecodeError::new(at, Action::SessionReset, format!("{what} in {afi_safi} (RFC 7606 §5.3)"));
    let mut labels = Vec::new();
    let mut bottom = !layout.labels;
    while !bottom {
        bits = bits.checked_sub(LABEL_BITS).ok_or_else(|| wrong("a prefix shorter than its label"))?;
        let [a, b, c] = r.array("a label")?;
        let label = u32::from_be_bytes([0, a, b, c]);
        labels.push(label >> 4);
        bottom = label & 1 != 0 || WITHDRAWN_LABELS.contains(&label);
    }
    let mut distinguisher = None;
    if layout.distinguisher {
        bits = bits.checked_sub(DISTINGUISHER_BITS).ok_or_else(|| wrong("a prefix shorter than its distinguisher"))?;
        distinguisher = Some(Distinguisher::from_wire(r.array("a route distinguisher")?));
    }
    let address = address(layout.family, r.take(usize::from(bits.div_ceil(8)), "a prefix")?);
    let prefix = Prefix::new(address, bits).ok_or_else(|| wrong("a prefix that is too long"))?;
    Ok((LabelledNlri { afi_safi, nlri: Nlri { prefix, path_id, next_hop }, distinguisher, labels }, address))
}
