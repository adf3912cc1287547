//! One spelling for each attribute set, so that equal sets are equal bytes.
//!
//! ```text
//! presence (3) | next hop 4 or 16 | MED | LOCAL_PREF | AS_PATH | communities | large | originator | clusters | aggregator | …
//! ```
//! Numbers below 2^7 take one byte, below 2^14 two, and so on; lists stand behind their length; communities take four bytes each.

use bgp::{Aggregator, AsPath, Asn, Community, LargeCommunity, Origin, PathAttributes, Segment};
use bmp::MonitoredExtra;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use serde::Serialize;

/// The attributes of a path: those that decide, and those that are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Attributes {
    /// Those of the decision process.
    #[serde(flatten)]
    pub path: PathAttributes,
    /// The others.
    #[serde(flatten)]
    pub extra: MonitoredExtra,
}

const MED: u32 = 1 << 2;
const LOCAL_PREF: u32 = 1 << 3;
const ATOMIC: u32 = 1 << 4;
const AGGREGATOR: u32 = 1 << 5;
const ORIGINATOR: u32 = 1 << 6;
const HOP_V4: u32 = 1 << 7;
const HOP_V6: u32 = 1 << 8;
const AS_PATH: u32 = 1 << 9;
const COMMUNITIES: u32 = 1 << 10;
const LARGE: u32 = 1 << 11;
const CLUSTERS: u32 = 1 << 12;
const EXTENDED: u32 = 1 << 13;
const OTC: u32 = 1 << 14;
const AIGP: u32 = 1 << 15;
const UNKNOWN: u32 = 1 << 16;

/// Appends a number in groups of seven bits, the lowest first.
fn number(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn optional(out: &mut Vec<u8>, n: Option<u64>) {
    if let Some(n) = n {
        number(out, n);
    }
}

fn list<T>(out: &mut Vec<u8>, items: &[T], mut each: impl FnMut(&mut Vec<u8>, &T)) {
    if !items.is_empty() {
        number(out, items.len() as u64);
        items.iter().for_each(|i| each(out, i));
    }
}

fn presence(a: &PathAttributes, extra: &MonitoredExtra, next_hop: Option<IpAddr>) -> u32 {
    let origin = match a.origin {
        Origin::Igp => 0,
        Origin::Egp => 1,
        Origin::Incomplete => 2,
    };
    let bits = [
        (MED, a.med.is_some()),
        (LOCAL_PREF, a.local_pref.is_some()),
        (ATOMIC, a.atomic_aggregate),
        (AGGREGATOR, a.aggregator.is_some()),
        (ORIGINATOR, a.originator_id.is_some()),
        (HOP_V4, matches!(next_hop, Some(IpAddr::V4(_)))),
        (HOP_V6, matches!(next_hop, Some(IpAddr::V6(_)))),
        (AS_PATH, !a.as_path.segments().is_empty()),
        (COMMUNITIES, !a.communities.is_empty()),
        (LARGE, !a.large_communities.is_empty()),
        (CLUSTERS, !a.cluster_list.is_empty()),
        (EXTENDED, !extra.ext_communities.is_empty()),
        (OTC, extra.otc.is_some()),
        (AIGP, extra.aigp.is_some()),
        (UNKNOWN, !extra.unknown.is_empty()),
    ];
    bits.iter().fold(origin, |all, (bit, is)| if *is { all | bit } else { all })
}

/// Writes the spelling of a set with `next_hop` in place of its own.
pub(crate) fn write(out: &mut Vec<u8>, a: &PathAttributes, extra: &MonitoredExtra, next_hop: Option<IpAddr>) {
    out.clear();
    let [_, high, middle, low] = presence(a, extra, next_hop).to_be_bytes();
    out.extend([high, middle, low]);
    match next_hop {
        Some(IpAddr::V4(four)) => out.extend(four.octets()),
        Some(IpAddr::V6(six)) => out.extend(six.octets()),
        None => {}
    }
    optional(out, a.med.map(u64::from));
    optional(out, a.local_pref.map(u64::from));
    list(out, a.as_path.segments(), |out, segment| {
        let (kind, asns) = match segment {
            Segment::Set(v) => (1, v),
            Segment::Sequence(v) => (2, v),
            Segment::ConfedSequence(v) => (3, v),
            Segment::ConfedSet(v) => (4, v),
        };
        out.push(kind);
        number(out, asns.len() as u64);
        asns.iter().for_each(|asn| number(out, asn.0.into()));
    });
    list(out, &a.communities, |out, c| out.extend(c.0.to_be_bytes()));
    list(out, &a.large_communities, |out, c| [c.0, c.1, c.2].iter().for_each(|n| number(out, (*n).into())));
    if let Some(id) = a.originator_id {
        out.extend(id.octets());
    }
    list(out, &a.cluster_list, |out, id| out.extend(id.octets()));
    if let Some(Aggregator { asn, id }) = a.aggregator {
        number(out, asn.0.into());
        out.extend(id.octets());
    }
    list(out, &extra.ext_communities, |out, text| {
        number(out, text.len() as u64);
        out.extend(text.as_bytes());
    });
    optional(out, extra.otc.map(u64::from));
    optional(out, extra.aigp);
    list(out, &extra.unknown, |out, code| out.push(*code));
}

/// Reads a spelling of our own back; a spelling that is none gives what was read so far.
pub(crate) fn read(bytes: &[u8]) -> Attributes {
    let mut out = Attributes::default();
    // `write` made it: there is nothing to say about a fault
    let _ = Spelling(bytes).read(&mut out);
    out
}

/// Says whether a set has a community, without making the rest.
pub(crate) fn has_community(bytes: &[u8], community: Community) -> bool {
    read(bytes).path.communities.contains(&community)
}

struct Spelling<'a>(&'a [u8]);

impl Spelling<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn number(&mut self) -> Option<u64> {
        let mut out = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            out |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Some(out);
            }
        }
        None
    }

    fn word(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    fn list<T>(&mut self, mut each: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        (0..self.number()?).map(|_| each(self)).collect()
    }

    fn address(&mut self) -> Option<Ipv4Addr> {
        self.array::<4>().map(Ipv4Addr::from)
    }

    fn segment(&mut self) -> Option<Segment> {
        let [kind] = self.array()?;
        let asns = self.list(|s| s.word().map(Asn))?;
        match kind {
            1 => Some(Segment::Set(asns)),
            2 => Some(Segment::Sequence(asns)),
            3 => Some(Segment::ConfedSequence(asns)),
            4 => Some(Segment::ConfedSet(asns)),
            _ => None,
        }
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::try_from(self.number()?).ok()?;
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(String::from_utf8_lossy(head).into_owned())
    }

    fn read(&mut self, out: &mut Attributes) -> Option<()> {
        let [high, middle, low] = self.array()?;
        let bits = u32::from_be_bytes([0, high, middle, low]);
        let has = |bit| bits & bit != 0;
        out.path.origin = match bits & 3 {
            0 => Origin::Igp,
            1 => Origin::Egp,
            _ => Origin::Incomplete,
        };
        out.path.atomic_aggregate = has(ATOMIC);
        if has(HOP_V4) {
            out.path.next_hop = Some(IpAddr::V4(self.address()?));
        } else if has(HOP_V6) {
            out.path.next_hop = Some(IpAddr::V6(Ipv6Addr::from(self.array::<16>()?)));
        }
        if has(MED) {
            out.path.med = Some(self.word()?);
        }
        if has(LOCAL_PREF) {
            out.path.local_pref = Some(self.word()?);
        }
        if has(AS_PATH) {
            out.path.as_path = AsPath::new(self.list(Self::segment)?);
        }
        if has(COMMUNITIES) {
            out.path.communities = self.list(|s| s.array().map(|b| Community(u32::from_be_bytes(b))))?;
        }
        if has(LARGE) {
            out.path.large_communities = self.list(|s| Some(LargeCommunity(s.word()?, s.word()?, s.word()?)))?;
        }
        if has(ORIGINATOR) {
            out.path.originator_id = Some(self.address()?);
        }
        if has(CLUSTERS) {
            out.path.cluster_list = self.list(Self::address)?;
        }
        if has(AGGREGATOR) {
            out.path.aggregator = Some(Aggregator { asn: Asn(self.word()?), id: self.address()? });
        }
        if has(EXTENDED) {
            out.extra.ext_communities = self.list(Self::text)?;
        }
        if has(OTC) {
            out.extra.otc = Some(self.word()?);
        }
        if has(AIGP) {
            out.extra.aigp = Some(self.number()?);
        }
        if has(UNKNOWN) {
            out.extra.unknown = self.list(|s| s.array().map(|[code]| code))?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set() -> impl Strategy<Value = Attributes> {
        let asns = || prop::collection::vec(any::<u32>().prop_map(Asn), 0..4);
        let segment = prop_oneof![
            asns().prop_map(Segment::Sequence),
            asns().prop_map(Segment::Set),
            asns().prop_map(Segment::ConfedSequence),
            asns().prop_map(Segment::ConfedSet),
        ];
        let origin = prop_oneof![Just(Origin::Igp), Just(Origin::Egp), Just(Origin::Incomplete)];
        let words = || prop::collection::vec(any::<u32>(), 0..4);
        let first = (origin, prop::collection::vec(segment, 0..3), any::<Option<IpAddr>>(), any::<Option<u32>>(), any::<Option<u32>>());
        let second = (words(), prop::collection::vec(any::<(u32, u32, u32)>(), 0..3), any::<Option<u32>>(), words(), any::<bool>());
        let third = (any::<Option<(u32, u32)>>(), any::<Option<u32>>(), any::<Option<u64>>(), any::<Vec<u8>>(), any::<Vec<String>>());
        (first, second, third).prop_map(
            |((origin, path, next_hop, med, local_pref), (words, large, originator, clusters, atomic), rest)| {
                let (aggregator, otc, aigp, unknown, ext_communities) = rest;
                Attributes {
                    path: PathAttributes {
                        origin,
                        as_path: AsPath::new(path),
                        next_hop,
                        med,
                        local_pref,
                        communities: words.into_iter().map(Community).collect(),
                        large_communities: large.into_iter().map(|(a, b, c)| LargeCommunity(a, b, c)).collect(),
                        originator_id: originator.map(Ipv4Addr::from),
                        cluster_list: clusters.into_iter().map(Ipv4Addr::from).collect(),
                        atomic_aggregate: atomic,
                        aggregator: aggregator.map(|(asn, id)| Aggregator { asn: Asn(asn), id: Ipv4Addr::from(id) }),
                    },
                    extra: MonitoredExtra { ext_communities, otc, aigp, unknown },
                }
            },
        )
    }

    fn spelling(a: &Attributes) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out, &a.path, &a.extra, a.path.next_hop);
        out
    }

    proptest! {
        #[test]
        fn a_set_is_its_spelling(a in set(), b in set()) {
            prop_assert_eq!(&read(&spelling(&a)), &a);
            prop_assert_eq!(spelling(&a) == spelling(&b), a == b);
        }
    }
}
