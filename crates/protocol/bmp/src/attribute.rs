//! Path attributes of one UPDATE, each fault judged by RFC 7606.

use crate::error::{Action, DecodeError, Fault};
use crate::message::MonitoredExtra;
use crate::reader::Reader;
use crate::repair::{Repair, Switched};
use bgp::{Aggregator, AsPath, Asn, Community, LargeCommunity, Origin, PathAttributes, Segment};
use core::net::{IpAddr, Ipv4Addr};

const OPTIONAL: u8 = 0x80;
const TRANSITIVE: u8 = 0x40;
const EXTENDED_LENGTH: u8 = 0x10;
/// Stands for a 4-octet AS in a 2-octet path (RFC 6793 §9).
const AS_TRANS: u32 = 23456;

/// Type codes that occurred, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen([u128; 2]);

impl Seen {
    /// Adds a code; false when it was there.
    const fn insert(&mut self, code: u8) -> bool {
        let [low, high] = &mut self.0;
        let half = if code < 128 { low } else { high };
        let bit = 1 << (code % 128);
        let new = *half & bit == 0;
        *half |= bit;
        new
    }

    pub const fn contains(self, code: u8) -> bool {
        let [low, high] = self.0;
        (if code < 128 { low } else { high }) >> (code % 128) & 1 != 0
    }

    /// The same without a code.
    pub const fn without(self, code: u8) -> Self {
        let [mut low, mut high] = self.0;
        let half = if code < 128 { &mut low } else { &mut high };
        *half &= !(1 << (code % 128));
        Self([low, high])
    }

    pub const fn len(self) -> u32 {
        let [low, high] = self.0;
        low.count_ones() + high.count_ones()
    }
}

/// Everything that stood between the withdrawn routes and the NLRI.
#[derive(Debug, Default)]
pub(crate) struct Attributes<'a> {
    pub path: PathAttributes,
    pub extra: MonitoredExtra,
    pub seen: Seen,
    pub reach: Option<Reader<'a>>,
    pub unreach: Option<Reader<'a>>,
    pub faults: Vec<Fault>,
    pub repairs: Vec<Repair>,
    as4_path: Option<AsPath>,
    as4_aggregator: Option<Aggregator>,
    /// Attributes that an external neighbour has no business to send, with their places.
    internal_only: Vec<(u8, usize)>,
}

/// How attributes are to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner<'c> {
    /// Octets of an AS number, by the peer header.
    pub width: u8,
    /// An external neighbour sent them, before policy.
    pub external: bool,
    /// Corrections that are made.
    pub repairs: &'c Switched,
}

/// Type codes (IANA "BGP Path Attributes").
pub(crate) mod code {
    pub const ORIGIN: u8 = 1;
    pub const AS_PATH: u8 = 2;
    pub const NEXT_HOP: u8 = 3;
    pub const MED: u8 = 4;
    pub const LOCAL_PREF: u8 = 5;
    pub const ATOMIC_AGGREGATE: u8 = 6;
    pub const AGGREGATOR: u8 = 7;
    pub const COMMUNITIES: u8 = 8;
    pub const ORIGINATOR_ID: u8 = 9;
    pub const CLUSTER_LIST: u8 = 10;
    pub const MP_REACH: u8 = 14;
    pub const MP_UNREACH: u8 = 15;
    pub const EXT_COMMUNITIES: u8 = 16;
    pub const AS4_PATH: u8 = 17;
    pub const AS4_AGGREGATOR: u8 = 18;
    pub const AIGP: u8 = 26;
    pub const LARGE_COMMUNITY: u8 = 32;
    pub const OTC: u8 = 35;
}

/// A fault of one attribute, before its place is known.
struct Bad(Action, String);

impl Bad {
    fn withdraw(what: impl Into<String>) -> Self {
        Self(Action::TreatAsWithdraw, what.into())
    }
}

impl<'a> Attributes<'a> {
    /// Reads attributes to the end of `r`.
    pub fn read(mut r: Reader<'a>, manner: Manner<'_>) -> Self {
        let mut out = Self::default();
        while !r.is_empty() {
            let (at, whole) = (r.offset(), r);
            let Ok((flags, kind, value)) = header(&mut r) else {
                out.cut_off(whole);
                break;
            };
            if !out.seen.insert(kind) {
                if matches!(kind, code::MP_REACH | code::MP_UNREACH) {
                    out.fault(at, Bad(Action::SessionReset, format!("attribute {kind} stands twice (RFC 7606 §3 g)")));
                    continue;
                }
                out.fault(at, Bad(Action::AttributeDiscard, format!("attribute {kind} stands twice; the first counts (RFC 7606 §3 g)")));
                continue;
            }
            match flags_of(kind) {
                Some(wanted) if flags & (OPTIONAL | TRANSITIVE) != wanted => {
                    out.fault(at, Bad::withdraw(format!("{} has flags 0x{flags:02x} (RFC 7606 §3 c)", name(kind))));
                    // what is to be withdrawn must be known (RFC 7606 §3 j); whether it can be read shows where NLRI are
                    match kind {
                        code::MP_REACH => out.reach = Some(value),
                        code::MP_UNREACH => out.unreach = Some(value),
                        _ => {}
                    }
                }
                _ => {
                    if matches!(kind, code::LOCAL_PREF | code::ORIGINATOR_ID | code::CLUSTER_LIST) {
                        out.internal_only.push((kind, at));
                    }
                    if let Err(bad) = out.value(kind, value, manner) {
                        out.fault(at, bad);
                    }
                }
            }
        }
        out.merge_four_octet();
        if manner.external {
            out.discard_internal();
        }
        out
    }

    /// Notes an attribute that is longer than what is left. Of one with NLRI as much is read as is there; the rest is lost, and only a
    /// reset would tell it again.
    fn cut_off(&mut self, mut r: Reader<'a>) {
        let at = r.offset();
        let flags = r.u8("the attribute flags").unwrap_or_default();
        let kind = r.u8("the attribute type").unwrap_or_default();
        self.seen.insert(kind);
        let field = match kind {
            code::MP_REACH => &mut self.reach,
            code::MP_UNREACH => &mut self.unreach,
            _ => return self.fault(at, Bad::withdraw("the attributes do not end where they should (RFC 7606 §4)")),
        };
        let length = if flags & EXTENDED_LENGTH != 0 { r.u16("").is_ok() } else { r.u8("").is_ok() };
        // where it stands twice, the first counts
        if length && field.is_none() {
            *field = Some(r);
        }
        let what = format!("{} does not end where it should: not all of its prefixes are known (RFC 7606 §3 j, §4)", name(kind));
        self.fault(at, Bad(Action::SessionReset, what));
    }

    /// Takes out what an external neighbour must not send; neighbours within a confederation may (RFC 5065 §5).
    fn discard_internal(&mut self) {
        if matches!(self.path.as_path.segments().first(), Some(Segment::ConfedSequence(_) | Segment::ConfedSet(_))) {
            return;
        }
        for (kind, at) in core::mem::take(&mut self.internal_only) {
            let section = match kind {
                code::LOCAL_PREF => "§7.5",
                code::ORIGINATOR_ID => "§7.9",
                _ => "§7.10",
            };
            match kind {
                code::LOCAL_PREF => self.path.local_pref = None,
                code::ORIGINATOR_ID => self.path.originator_id = None,
                _ => self.path.cluster_list.clear(),
            }
            // whatever was wrong with it costs no more than that
            self.faults.retain(|f| f.offset != at);
            self.fault_at(at, Action::AttributeDiscard, format!("{} from an external neighbour (RFC 7606 {section})", name(kind)));
        }
    }

    /// Returns the fault that costs the routes: the first of the strongest (RFC 7606 §3 h).
    pub fn costly(&self) -> Option<&Fault> {
        let of = |action| self.faults.iter().find(move |f| f.action == action);
        of(Action::SessionReset).or_else(|| of(Action::TreatAsWithdraw))
    }

    pub fn fault_at(&mut self, offset: usize, action: Action, error: String) {
        self.faults.push(Fault { offset, error, action });
    }

    fn fault(&mut self, offset: usize, Bad(action, error): Bad) {
        self.fault_at(offset, action, error);
    }

    fn value(&mut self, kind: u8, value: Reader<'a>, manner: Manner<'_>) -> Result<(), Bad> {
        let bytes = value.rest();
        match kind {
            code::ORIGIN => {
                self.path.origin = match bytes {
                    [0] => Origin::Igp,
                    [1] => Origin::Egp,
                    [2] => Origin::Incomplete,
                    [other] => return Err(Bad::withdraw(format!("ORIGIN is {other} (RFC 7606 §7.1)"))),
                    _ => return Err(length(kind, bytes, "§7.1")),
                }
            }
            code::AS_PATH => self.as_path(bytes, manner)?,
            code::NEXT_HOP => self.path.next_hop = Some(IpAddr::V4(address(kind, bytes, "§7.3")?)),
            code::MED => self.path.med = Some(number(kind, bytes, "§7.4")?),
            code::LOCAL_PREF => self.path.local_pref = Some(number(kind, bytes, "§7.5")?),
            code::ATOMIC_AGGREGATE if bytes.is_empty() => self.path.atomic_aggregate = true,
            code::ATOMIC_AGGREGATE => return Err(Bad(Action::AttributeDiscard, length(kind, bytes, "§7.6").1)),
            code::AGGREGATOR => self.path.aggregator = Some(aggregator(kind, bytes)?),
            code::COMMUNITIES => self.path.communities = sorted(words(kind, bytes, "§7.8")?.map(Community)),
            code::ORIGINATOR_ID => self.path.originator_id = Some(address(kind, bytes, "§7.9")?),
            code::CLUSTER_LIST => self.path.cluster_list = words(kind, bytes, "§7.10")?.map(Ipv4Addr::from).collect(),
            code::MP_REACH => self.reach = Some(value),
            code::MP_UNREACH => self.unreach = Some(value),
            code::EXT_COMMUNITIES => self.extra.ext_communities = ext_communities(bytes)?,
            code::AS4_PATH => {
                let path = as_path(bytes, 4).map_err(|why| Bad(Action::AttributeDiscard, format!("AS4_PATH {why} (RFC 6793 §6)")))?;
                self.as4_path = Some(path);
            }
            code::AS4_AGGREGATOR => self.as4_aggregator = Some(aggregator(kind, bytes)?),
            code::AIGP => {
                let wrong = || Bad(Action::AttributeDiscard, "AIGP holds no metric of 11 bytes (RFC 7311 §3)".to_owned());
                self.extra.aigp = Some(aigp(value).ok_or_else(wrong)?);
            }
            code::LARGE_COMMUNITY => self.path.large_communities = large_communities(bytes)?,
            code::OTC => self.extra.otc = Some(number(kind, bytes, "§7 and RFC 9234 §5")?),
            other => self.extra.unknown.push(other),
        }
        Ok(())
    }

    /// Takes the width that the header says, and the other one when only that makes a path.
    fn as_path(&mut self, bytes: &[u8], manner: Manner<'_>) -> Result<(), Bad> {
        let (other, repair) = if manner.width == 4 { (2, Repair::TwoOctetAsPath) } else { (4, Repair::FourOctetAsPath) };
        self.path.as_path = as_path(bytes, usize::from(manner.width)).or_else(|why| {
            let bad = || Bad::withdraw(format!("AS_PATH {why} (RFC 7606 §7.2)"));
            let path = if manner.repairs.makes(repair) { as_path(bytes, other).map_err(|_| bad())? } else { return Err(bad()) };
            self.repairs.push(repair);
            Ok(path)
        })?;
        Ok(())
    }

    /// Puts the 4-octet numbers of AS4_PATH in place of the tail of a 2-octet AS_PATH (RFC 6793 §4.2.3).
    fn merge_four_octet(&mut self) {
        if self.path.aggregator.as_ref().is_some_and(|a| a.asn.0 == AS_TRANS) && self.as4_aggregator.is_some() {
            self.path.aggregator = self.as4_aggregator;
        }
        let Some(new) = self.as4_path.take() else { return };
        let Some(mut missing) = self.path.as_path.length().checked_sub(new.length()) else { return };
        if !self.path.as_path.contains(Asn(AS_TRANS)) {
            return;
        }
        let mut front = Vec::new();
        for segment in self.path.as_path.segments() {
            match segment {
                _ if missing == 0 => break,
                Segment::Sequence(asns) => {
                    let n = missing.min(asns.len());
                    front.push(Segment::Sequence(asns.iter().take(n).copied().collect()));
                    missing -= n;
                }
                Segment::Set(_) => {
                    front.push(segment.clone());
                    missing -= 1;
                }
                confederation => front.push(confederation.clone()),
            }
        }
        for segment in new.segments() {
            match (front.last_mut(), segment) {
                (Some(Segment::Sequence(head)), Segment::Sequence(tail)) => head.extend(tail),
                _ => front.push(segment.clone()),
            }
        }
        self.path.as_path = AsPath::new(front);
    }
}

fn header<'a>(r: &mut Reader<'a>) -> Result<(u8, u8, Reader<'a>), DecodeError> {
    let flags = r.u8("the attribute flags")?;
    let kind = r.u8("the attribute type")?;
    let length = if flags & EXTENDED_LENGTH != 0 { r.u16("the attribute length")? } else { u16::from(r.u8("the attribute length")?) };
    Ok((flags, kind, r.sub(usize::from(length), "the attribute")?))
}

/// Optional and transitive bits as specified for the attributes we read; `None` for others.
const fn flags_of(kind: u8) -> Option<u8> {
    match kind {
        code::ORIGIN | code::AS_PATH | code::NEXT_HOP | code::LOCAL_PREF | code::ATOMIC_AGGREGATE => Some(TRANSITIVE),
        code::AGGREGATOR | code::COMMUNITIES | code::EXT_COMMUNITIES | code::LARGE_COMMUNITY | code::OTC => Some(OPTIONAL | TRANSITIVE),
        code::AS4_PATH | code::AS4_AGGREGATOR => Some(OPTIONAL | TRANSITIVE),
        code::MED | code::ORIGINATOR_ID | code::CLUSTER_LIST | code::MP_REACH | code::MP_UNREACH => Some(OPTIONAL),
        _ => None,
    }
}

pub(crate) const fn name(kind: u8) -> &'static str {
    match kind {
        code::ORIGIN => "ORIGIN",
        code::AS_PATH => "AS_PATH",
        code::NEXT_HOP => "NEXT_HOP",
        code::MED => "MULTI_EXIT_DISC",
        code::LOCAL_PREF => "LOCAL_PREF",
        code::ATOMIC_AGGREGATE => "ATOMIC_AGGREGATE",
        code::AGGREGATOR => "AGGREGATOR",
        code::COMMUNITIES => "COMMUNITIES",
        code::ORIGINATOR_ID => "ORIGINATOR_ID",
        code::CLUSTER_LIST => "CLUSTER_LIST",
        code::MP_REACH => "MP_REACH_NLRI",
        code::MP_UNREACH => "MP_UNREACH_NLRI",
        code::EXT_COMMUNITIES => "EXTENDED_COMMUNITIES",
        code::AS4_PATH => "AS4_PATH",
        code::AS4_AGGREGATOR => "AS4_AGGREGATOR",
        code::LARGE_COMMUNITY => "LARGE_COMMUNITY",
        code::OTC => "ONLY_TO_CUSTOMER",
        code::AIGP => "AIGP",
        _ => "an attribute",
    }
}

fn length(kind: u8, bytes: &[u8], section: &str) -> Bad {
    Bad::withdraw(format!("{} attribute has length {} (RFC 7606 {section})", name(kind), bytes.len()))
}

fn number(kind: u8, bytes: &[u8], section: &str) -> Result<u32, Bad> {
    bytes.try_into().map(u32::from_be_bytes).map_err(|_| length(kind, bytes, section))
}

fn address(kind: u8, bytes: &[u8], section: &str) -> Result<Ipv4Addr, Bad> {
    number(kind, bytes, section).map(Ipv4Addr::from)
}

/// Four-byte words; none at all is a fault too.
fn words<'b>(kind: u8, bytes: &'b [u8], section: &str) -> Result<impl Iterator<Item = u32> + use<'b>, Bad> {
    let (words, rest) = bytes.as_chunks::<4>();
    if words.is_empty() || !rest.is_empty() { Err(length(kind, bytes, section)) } else { Ok(words.iter().map(|w| u32::from_be_bytes(*w))) }
}

fn sorted<T: Ord>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut out: Vec<T> = items.collect();
    out.sort_unstable();
    out.dedup();
    out
}

fn aggregator(kind: u8, bytes: &[u8]) -> Result<Aggregator, Bad> {
    let (asn, id) = match *bytes {
        [a, b, i, j, k, l] => (u32::from(u16::from_be_bytes([a, b])), [i, j, k, l]),
        [a, b, c, d, i, j, k, l] => (u32::from_be_bytes([a, b, c, d]), [i, j, k, l]),
        _ => return Err(Bad(Action::AttributeDiscard, length(kind, bytes, "§7.7").1)),
    };
    Ok(Aggregator { asn: Asn(asn), id: Ipv4Addr::from(id) })
}

fn large_communities(bytes: &[u8]) -> Result<Vec<LargeCommunity>, Bad> {
    let (items, rest) = bytes.as_chunks::<12>();
    if items.is_empty() || !rest.is_empty() {
        return Err(Bad::withdraw(format!("LARGE_COMMUNITY attribute has length {} (RFC 8092 §6)", bytes.len())));
    }
    Ok(sorted(items.iter().map(|&[a, b, c, d, e, f, g, h, i, j, k, l]| {
        LargeCommunity(u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]), u32::from_be_bytes([i, j, k, l]))
    })))
}

/// Spells the two kinds that operators write (RFC 4360 §4, RFC 5668); the rest as hex.
fn ext_communities(bytes: &[u8]) -> Result<Vec<String>, Bad> {
    let (items, rest) = bytes.as_chunks::<8>();
    if items.is_empty() || !rest.is_empty() {
        return Err(length(code::EXT_COMMUNITIES, bytes, "§7.14"));
    }
    Ok(items
        .iter()
        .map(|&[kind, sub, a, b, c, d, e, f]| {
            let word = match sub {
                2 => "rt",
                3 => "soo",
                _ => "",
            };
            match kind {
                0 if !word.is_empty() => format!("{word}:{}:{}", u16::from_be_bytes([a, b]), u32::from_be_bytes([c, d, e, f])),
                1 if !word.is_empty() => format!("{word}:{}:{}", Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([e, f])),
                2 if !word.is_empty() => format!("{word}:{}:{}", u32::from_be_bytes([a, b, c, d]), u16::from_be_bytes([e, f])),
                _ => format!("{:016x}", u64::from_be_bytes([kind, sub, a, b, c, d, e, f])),
            }
        })
        .collect())
}

/// The metric of the first AIGP TLV (RFC 7311 §3); `None` when there is none.
fn aigp(mut value: Reader<'_>) -> Option<u64> {
    let (kind, length) = (value.u8("").ok()?, value.u16("").ok()?);
    if (kind, length) == (1, 11) { value.u64("").ok() } else { None }
}

fn as_path(bytes: &[u8], width: usize) -> Result<AsPath, String> {
    let mut rest = bytes;
    let mut segments = Vec::new();
    while let [kind, count, tail @ ..] = rest {
        let size = usize::from(*count) * width;
        let Some(body) = tail.get(..size).filter(|_| *count > 0) else {
            return Err(format!("has a segment of {count} AS numbers with {} bytes left", tail.len()));
        };
        let asns = body.chunks_exact(width).map(|c| Asn(c.iter().fold(0, |n, b| n << 8 | u32::from(*b)))).collect();
        segments.push(match kind {
            1 => Segment::Set(asns),
            2 => Segment::Sequence(asns),
            3 => Segment::ConfedSequence(asns),
            4 => Segment::ConfedSet(asns),
            other => return Err(format!("has a segment of type {other}")),
        });
        rest = tail.get(size..).unwrap_or_default();
    }
    if rest.is_empty() { Ok(AsPath::new(segments)) } else { Err("ends inside a segment header".to_owned()) }
}
