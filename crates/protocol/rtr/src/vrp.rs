//! Validated ROA payloads and what they say of a route.

use bgp::{AsPath, Asn, Prefix, RpkiState, Segment};
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

/// VRPs taken from one source; all RIRs together have under a million (2026).
pub const VRPS_MAX: usize = 8_000_000;
/// No entry.
const NONE: u32 = u32::MAX;

/// A prefix as a file must write it: what is beyond its length is zero. Another one is a slip of the hand, and nobody knows of which digit.
#[derive(Clone, Copy, Debug, serde::Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Exact(pub Prefix);

impl core::str::FromStr for Exact {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let prefix: Prefix = text.parse().map_err(|_| "not a prefix".to_owned())?;
        let address = text.split_once('/').and_then(|(address, _)| address.parse().ok());
        if address == Some(prefix.address()) {
            Ok(Self(prefix))
        } else {
            Err(format!("not a prefix: it has bits beyond its length, {prefix} has none"))
        }
    }
}

impl TryFrom<String> for Exact {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map_err(|why| format!("{text:?} is {why}"))
    }
}

/// A validated ROA payload (RFC 6811 §2): this AS may originate this prefix, down to the length.
/// As text, and in serialised states: `192.0.2.0/24-24 AS65001`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Vrp {
    prefix: Prefix,
    max_length: u8,
    asn: Asn,
}

impl Vrp {
    /// Makes a payload; `None` when the longest length is shorter than the prefix's, or longer than its family has.
    #[must_use]
    pub fn new(prefix: Prefix, max_length: u8, asn: Asn) -> Option<Self> {
        let bits = if prefix.address().is_ipv4() { 32 } else { 128 };
        (prefix.length()..=bits).contains(&max_length).then_some(Self { prefix, max_length, asn })
    }

    /// Returns the prefix.
    #[must_use]
    pub const fn prefix(&self) -> Prefix {
        self.prefix
    }

    /// Returns the longest length that may be announced.
    #[must_use]
    pub const fn max_length(&self) -> u8 {
        self.max_length
    }

    /// Returns the origin; AS 0 says that nobody may announce it (RFC 6483 §4).
    #[must_use]
    pub const fn asn(&self) -> Asn {
        self.asn
    }
}

impl fmt::Display for Vrp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{} AS{}", self.prefix, self.max_length, self.asn)
    }
}

/// A text that is not a payload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no VRP as 192.0.2.0/24-24 AS65001")]
pub struct BadVrp(String);

impl FromStr for Vrp {
    type Err = BadVrp;

    fn from_str(text: &str) -> Result<Self, BadVrp> {
        let parts = text.split_once(" AS").and_then(|(range, asn)| Some((range.split_once('-')?, asn)));
        let vrp = parts.and_then(|((prefix, length), asn)| Self::new(prefix.parse().ok()?, length.parse().ok()?, Asn(asn.parse().ok()?)));
        vrp.ok_or_else(|| BadVrp(text.chars().take(60).collect()))
    }
}

impl TryFrom<String> for Vrp {
    type Error = BadVrp;

    fn try_from(text: String) -> Result<Self, BadVrp> {
        text.parse()
    }
}

impl From<Vrp> for String {
    fn from(vrp: Vrp) -> Self {
        vrp.to_string()
    }
}

/// Returns the origin of a route as a router of AS `own` sees it; `None` is RFC 6811's NONE: the path ends with a set.
#[must_use]
pub fn origin(path: &AsPath, own: Asn) -> Option<Asn> {
    match path.segments().last() {
        Some(Segment::Sequence(asns)) => asns.last().copied(),
        Some(Segment::Set(_)) => None,
        None | Some(Segment::ConfedSequence(_) | Segment::ConfedSet(_)) => Some(own),
    }
}

/// A prefix that payloads name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Node {
    prefix: Prefix,
    /// Place of the longest other prefix that covers it.
    above: u32,
    /// Where its payloads begin; they end where those of the next node begin.
    first: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Payload {
    asn: Asn,
    max_length: u8,
    expired: bool,
}

/// Payloads by prefix: a trie with the paths compressed, its nodes in order in one array.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vrps {
    nodes: Vec<Node>,
    payloads: Vec<Payload>,
    expired: usize,
}

impl Vrps {
    /// Makes a set of payloads that are in force.
    #[must_use]
    pub fn new(all: impl IntoIterator<Item = Vrp>) -> Self {
        Self::with_expired(all, [])
    }

    /// Makes a set of payloads in force and of others that have expired.
    #[must_use]
    pub fn with_expired(live: impl IntoIterator<Item = Vrp>, expired: impl IntoIterator<Item = Vrp>) -> Self {
        let mut all: Vec<(Vrp, bool)> = live.into_iter().map(|v| (v, false)).chain(expired.into_iter().map(|v| (v, true))).collect();
        all.sort_unstable();
        // of two that say the same the one in force counts; it stands first
        all.dedup_by_key(|(v, _)| *v);
        let mut out = Self::default();
        let mut covering: Vec<u32> = Vec::new();
        for same in all.chunk_by(|(a, _), (b, _)| a.prefix == b.prefix) {
            let Some((first, _)) = same.first() else { continue };
            let covers = |at: &u32| out.nodes.get(*at as usize).is_some_and(|n| n.prefix.covers(&first.prefix));
            while covering.last().is_some_and(|at| !covers(at)) {
                covering.pop();
            }
            let above = covering.last().copied().unwrap_or(NONE);
            covering.push(out.nodes.len() as u32);
            out.nodes.push(Node { prefix: first.prefix, above, first: out.payloads.len() as u32 });
            out.payloads.extend(same.iter().map(|(v, expired)| Payload { asn: v.asn, max_length: v.max_length, expired: *expired }));
        }
        out.expired = out.payloads.iter().filter(|p| p.expired).count();
        out
    }

    /// Returns how many payloads are in force.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.payloads.len() - self.expired
    }

    /// Says whether none is in force.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how many have expired.
    #[must_use]
    pub const fn expired(&self) -> usize {
        self.expired
    }

    /// Returns the payloads of every prefix that covers this one.
    fn covering(&self, prefix: &Prefix) -> impl Iterator<Item = &Payload> {
        // what covers the prefix covers the last node that does not stand behind it, or is that node
        let mut at = self.nodes.partition_point(|n| n.prefix <= *prefix).checked_sub(1).map_or(NONE, |n| n as u32);
        core::iter::from_fn(move || {
            loop {
                let here = at as usize;
                let node = self.nodes.get(here)?;
                at = node.above;
                if node.prefix.covers(prefix) {
                    let end = self.nodes.get(here + 1).map_or(self.payloads.len(), |n| n.first as usize);
                    return Some(self.payloads.get(node.first as usize..end).unwrap_or_default());
                }
            }
        })
        .flatten()
    }

    /// Says what origin validation makes of a route (RFC 6811 §2); `origin` as [`origin`] returns it. `None`: a payload that has expired
    /// would make a difference, so it is not known.
    #[must_use]
    pub fn state(&self, prefix: &Prefix, origin: Option<Asn>) -> Option<RpkiState> {
        let (mut covered, mut fits) = ([false; 2], [false; 2]);
        for payload in self.covering(prefix) {
            let fit = origin == Some(payload.asn) && payload.asn.0 != 0 && prefix.length() <= payload.max_length;
            // with and without what has expired
            for (one, counts) in [true, !payload.expired].into_iter().enumerate() {
                if let (true, Some(c), Some(f)) = (counts, covered.get_mut(one), fits.get_mut(one)) {
                    *c = true;
                    *f |= fit;
                }
            }
        }
        let say = |covered: bool, fits: bool| match (covered, fits) {
            (_, true) => RpkiState::Valid,
            (true, false) => RpkiState::Invalid,
            (false, false) => RpkiState::NotFound,
        };
        let ([all_covered, covered], [all_fits, fits]) = (covered, fits);
        Some(say(covered, fits)).filter(|state| *state == say(all_covered, all_fits))
    }

    /// Adds words that are equal for two prefixes exactly when [`Vrps::state`] says the same of both for every origin.
    pub fn tell_apart(&self, prefix: &Prefix, words: &mut Vec<u64>) {
        let begin = words.len();
        let (mut covered, mut covered_before) = (false, false);
        for payload in self.covering(prefix) {
            covered |= !payload.expired;
            covered_before |= payload.expired;
            if payload.asn.0 != 0 && prefix.length() <= payload.max_length {
                words.push(u64::from(payload.asn.0) << 1 | u64::from(payload.expired));
            }
        }
        words.get_mut(begin..).into_iter().for_each(<[u64]>::sort_unstable);
        let mut seen = None;
        let mut at = 0;
        words.retain(|word| {
            at += 1;
            // an expired payload adds nothing to one in force for the same origin
            let again = at > begin && (seen == Some(*word) || (*word & 1 == 1 && seen == Some(*word & !1)));
            if at > begin && !again {
                seen = Some(*word);
            }
            !again
        });
        words.push(1 << 63 | u64::from(covered) << 1 | u64::from(covered_before && !covered));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn vrp(prefix: &str, max_length: u8, asn: u32) -> Vrp {
        Vrp::new(prefix.parse().unwrap(), max_length, Asn(asn)).unwrap()
    }

    #[test]
    fn routes_are_judged_as_rfc_6811_says() {
        let all = [
            vrp("192.0.2.0/24", 24, 65001),
            vrp("198.51.100.0/22", 24, 65001),
            vrp("198.51.100.0/24", 24, 65002),
            vrp("203.0.113.0/24", 24, 0),
            vrp("2001:db8::/32", 48, 65001),
        ];
        let vrps = Vrps::new(all);
        let of = |p: &str, asn| vrps.state(&p.parse().unwrap(), asn);
        let (valid, invalid, not_found) = (Some(RpkiState::Valid), Some(RpkiState::Invalid), Some(RpkiState::NotFound));
        assert_eq!(of("192.0.2.0/24", Some(Asn(65001))), valid);
        assert_eq!(of("192.0.2.0/25", Some(Asn(65001))), invalid, "longer than the payload allows");
        assert_eq!(of("192.0.0.0/16", Some(Asn(65001))), not_found, "shorter than any payload");
        assert_eq!(of("192.0.2.0/24", Some(Asn(65002))), invalid);
        assert_eq!(of("198.51.100.0/24", Some(Asn(65001))), valid, "a payload further up fits");
        assert_eq!(of("198.51.100.0/24", Some(Asn(65002))), valid);
        assert_eq!(of("198.51.101.0/24", Some(Asn(65002))), invalid);
        assert_eq!(of("203.0.113.0/24", Some(Asn(0))), invalid, "AS 0 makes nothing valid");
        assert_eq!(of("192.0.2.0/24", None), invalid, "a set is no origin");
        assert_eq!(of("10.0.0.0/8", None), not_found);
        assert_eq!(of("2001:db8:1::/48", Some(Asn(65001))), valid);
        assert_eq!(of("2001:db9::/48", Some(Asn(65001))), not_found);
        assert_eq!(Vrps::default().state(&"10.0.0.0/8".parse().unwrap(), Some(Asn(1))), not_found);
    }

    #[test]
    fn what_has_expired_makes_an_answer_unknown_only_where_it_matters() {
        let vrps =
            Vrps::with_expired([vrp("192.0.2.0/24", 24, 65001)], [vrp("192.0.2.0/24", 24, 65002), vrp("198.51.100.0/24", 24, 65001)]);
        let of = |p: &str, asn| vrps.state(&p.parse().unwrap(), Some(Asn(asn)));
        assert_eq!(of("192.0.2.0/24", 65001), Some(RpkiState::Valid));
        assert_eq!(of("192.0.2.0/24", 65002), None, "neither valid nor invalid");
        assert_eq!(of("192.0.2.0/24", 65003), Some(RpkiState::Invalid));
        assert_eq!(of("198.51.100.0/24", 65001), None, "neither valid nor not found");
        assert_eq!(of("198.51.100.0/24", 65003), None);
        assert_eq!((vrps.len(), vrps.expired()), (1, 2));
    }

    #[test]
    fn the_origin_is_the_last_as_of_the_last_sequence() {
        let own = Asn(64500);
        assert_eq!(origin(&AsPath::sequence([1, 2, 3]), own), Some(Asn(3)));
        assert_eq!(origin(&AsPath::default(), own), Some(own));
        let confed = AsPath::new(vec![Segment::ConfedSequence(vec![Asn(65100)])]);
        assert_eq!(origin(&confed, own), Some(own));
        let set = AsPath::new(vec![Segment::Sequence(vec![Asn(1)]), Segment::Set(vec![Asn(2), Asn(3)])]);
        assert_eq!(origin(&set, own), None);
    }

    #[test]
    fn a_payload_is_read_as_it_is_written() {
        for one in [vrp("192.0.2.0/24", 25, 65001), vrp("2001:db8::/32", 48, 0), vrp("0.0.0.0/0", 32, u32::MAX)] {
            assert_eq!(one.to_string().parse(), Ok(one));
        }
        for bad in ["", "192.0.2.0/24", "192.0.2.0/24-24", "192.0.2.0/24-23 AS1", "192.0.2.0/24-24 AS", "192.0.2.0/33-33 AS1", "-24 AS1"] {
            assert!(bad.parse::<Vrp>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_payload_shorter_than_its_prefix_is_none() {
        assert!(Vrp::new("192.0.2.0/24".parse().unwrap(), 23, Asn(1)).is_none());
        assert!(Vrp::new("192.0.2.0/24".parse().unwrap(), 33, Asn(1)).is_none());
        assert!(Vrp::new("2001:db8::/32".parse().unwrap(), 129, Asn(1)).is_none());
    }

    /// Small numbers, so that prefixes lie in each other.
    fn any_vrp() -> impl Strategy<Value = (Vrp, bool)> {
        (0_u8..4, 0_u8..=10, 0_u8..=10, 0_u32..4, any::<bool>()).prop_map(|(a, length, more, asn, expired)| {
            let prefix = Prefix::new(core::net::Ipv4Addr::new(a << 6, 0, 0, 0).into(), length).unwrap();
            (Vrp::new(prefix, (length + more).min(12), Asn(asn)).unwrap(), expired)
        })
    }

    /// RFC 6811 word by word, over a list.
    fn plain(all: &[(Vrp, bool)], prefix: &Prefix, origin: u32, with_expired: bool) -> RpkiState {
        let covering: Vec<_> = all.iter().filter(|(v, expired)| (with_expired || !expired) && v.prefix.covers(prefix)).collect();
        let fits = |v: &Vrp| v.asn.0 == origin && origin != 0 && prefix.length() <= v.max_length;
        match (covering.is_empty(), covering.iter().any(|(v, _)| fits(v))) {
            (true, _) => RpkiState::NotFound,
            (false, true) => RpkiState::Valid,
            (false, false) => RpkiState::Invalid,
        }
    }

    proptest! {
        #[test]
        fn the_trie_says_what_a_list_says(all in proptest::collection::vec(any_vrp(), 0..24), (a, length) in (0_u8..4, 0_u8..=12)) {
            let split = |expired| all.iter().filter(move |(_, e)| *e == expired).map(|(v, _)| *v);
            let vrps = Vrps::with_expired(split(false), split(true));
            let prefix = Prefix::new(core::net::Ipv4Addr::new(a << 6, 0, 0, 0).into(), length).unwrap();
            for origin in 0..4 {
                let (live, with) = (plain(&all, &prefix, origin, false), plain(&all, &prefix, origin, true));
                prop_assert_eq!(vrps.state(&prefix, Some(Asn(origin))), (live == with).then_some(live));
            }
        }

        #[test]
        fn equal_words_mean_equal_answers(all in proptest::collection::vec(any_vrp(), 0..16), a in (0_u8..4, 0_u8..=12), b in (0_u8..4, 0_u8..=12)) {
            let split = |expired| all.iter().filter(move |(_, e)| *e == expired).map(|(v, _)| *v);
            let vrps = Vrps::with_expired(split(false), split(true));
            let prefix = |(a, length): (u8, u8)| Prefix::new(core::net::Ipv4Addr::new(a << 6, 0, 0, 0).into(), length).unwrap();
            let words = |p: &Prefix| { let mut out = vec![7]; vrps.tell_apart(p, &mut out); out };
            let (a, b) = (prefix(a), prefix(b));
            if words(&a) == words(&b) {
                for origin in (0..5).map(|o| Some(Asn(o))).chain([None]) {
                    prop_assert_eq!(vrps.state(&a, origin), vrps.state(&b, origin));
                }
            }
        }
    }
}
