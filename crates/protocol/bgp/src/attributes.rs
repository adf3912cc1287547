//! Path attributes (RFC 4271 §5, RFC 1997, RFC 8092, RFC 4456). What was absent on the wire stays absent.

use crate::{Asn, ParseError};
use core::fmt;
use core::net::{IpAddr, Ipv4Addr};
use core::str::FromStr;
use serde::{Deserialize, Serialize};

/// ORIGIN (RFC 4271 §5.1.1); lower wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// 0.
    #[default]
    Igp,
    /// 1.
    Egp,
    /// 2.
    Incomplete,
}

/// One AS_PATH segment (RFC 4271 §4.3, RFC 5065 §3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Segment {
    /// AS_SEQUENCE.
    Sequence(Vec<Asn>),
    /// AS_SET; counts as one.
    Set(Vec<Asn>),
    /// AS_CONFED_SEQUENCE; counts as none.
    ConfedSequence(Vec<Asn>),
    /// AS_CONFED_SET; counts as none.
    ConfedSet(Vec<Asn>),
}

/// AS_PATH; empty for routes of the own AS.
///
/// Shown as `65002 64500 {64501 64502}`; confederation segments in `(…)` and `[…]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AsPath(Vec<Segment>);

impl AsPath {
    /// Makes a path of segments in wire order.
    #[must_use]
    pub fn new(segments: Vec<Segment>) -> Self {
        Self(segments)
    }

    /// Makes a plain sequence; the neighbour first, the origin last.
    #[must_use]
    pub fn sequence(asns: impl IntoIterator<Item = u32>) -> Self {
        let v: Vec<Asn> = asns.into_iter().map(Asn).collect();
        Self(if v.is_empty() { Vec::new() } else { vec![Segment::Sequence(v)] })
    }

    /// Returns the segments in wire order.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// Returns the length that the decision process compares (RFC 4271 §9.1.2.2 a, RFC 5065 §5.3).
    #[must_use]
    pub fn length(&self) -> usize {
        self.0
            .iter()
            .map(|s| match s {
                Segment::Sequence(v) => v.len(),
                Segment::Set(_) => 1,
                Segment::ConfedSequence(_) | Segment::ConfedSet(_) => 0,
            })
            .sum()
    }

    /// Returns the leftmost AS of the first sequence: the neighbour AS that MED comparison groups by.
    #[must_use]
    pub fn neighbour(&self) -> Option<Asn> {
        self.0.iter().find_map(|s| match s {
            Segment::Sequence(v) => Some(v.first().copied()),
            Segment::Set(_) => Some(None),
            _ => None,
        })?
    }

    /// Returns the first two AS numbers where the path begins with a sequence of at least two.
    #[must_use]
    pub fn front(&self) -> Option<[Asn; 2]> {
        match self.0.first() {
            Some(Segment::Sequence(v)) => v.first_chunk().copied(),
            _ => None,
        }
    }

    /// Says whether `asn` occurs anywhere.
    #[must_use]
    pub fn contains(&self, asn: Asn) -> bool {
        self.0.iter().any(|s| match s {
            Segment::Sequence(v) | Segment::Set(v) | Segment::ConfedSequence(v) | Segment::ConfedSet(v) => v.contains(&asn),
        })
    }

    /// Returns the path with `asn` put in front `times` times.
    #[must_use]
    pub fn prepend(&self, asn: Asn, times: usize) -> Self {
        let mut segments = self.0.clone();
        match segments.first_mut() {
            Some(Segment::Sequence(v)) => drop(v.splice(0..0, core::iter::repeat_n(asn, times))),
            _ if times > 0 => segments.insert(0, Segment::Sequence(vec![asn; times])),
            _ => {}
        }
        Self(segments)
    }

    /// Returns the path without its first AS when that is `asn` (a sender that put its own AS in front).
    #[must_use]
    pub fn without_first(&self, asn: Asn) -> Option<Self> {
        let mut segments = self.0.clone();
        match segments.first_mut() {
            Some(Segment::Sequence(v)) if v.first() == Some(&asn) => {
                v.remove(0);
                if v.is_empty() {
                    segments.remove(0);
                }
                Some(Self(segments))
            }
            _ => None,
        }
    }
}

impl fmt::Display for AsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, segment) in self.0.iter().enumerate() {
            let (open, close, asns) = match segment {
                Segment::Sequence(v) => ("", "", v),
                Segment::Set(v) => ("{", "}", v),
                Segment::ConfedSequence(v) => ("(", ")", v),
                Segment::ConfedSet(v) => ("[", "]", v),
            };
            if i > 0 {
                f.write_str(" ")?;
            }
            f.write_str(open)?;
            for (j, asn) in asns.iter().enumerate() {
                if j > 0 {
                    f.write_str(" ")?;
                }
                write!(f, "{asn}")?;
            }
            f.write_str(close)?;
        }
        Ok(())
    }
}

impl FromStr for AsPath {
    type Err = ParseError;
    /// Reads the form that `Display` writes; commas are taken as blanks.
    fn from_str(s: &str) -> Result<Self, ParseError> {
        let bad = || ParseError::new("an AS path like `65002 64500 {64501 64502}`", s);
        let mut segments: Vec<Segment> = Vec::new();
        let mut open: Option<char> = None;
        let mut current: Vec<Asn> = Vec::new();
        let spaced: String =
            s.chars().flat_map(|c| if "{}()[]".contains(c) { vec![' ', c, ' '] } else { vec![if c == ',' { ' ' } else { c }] }).collect();
        for token in spaced.split_whitespace() {
            match token {
                "{" | "(" | "[" if open.is_none() => {
                    if !current.is_empty() {
                        segments.push(Segment::Sequence(core::mem::take(&mut current)));
                    }
                    open = token.chars().next();
                }
                "}" | ")" | "]" => {
                    let asns = core::mem::take(&mut current);
                    segments.push(match (open.take(), token) {
                        (Some('{'), "}") => Segment::Set(asns),
                        (Some('('), ")") => Segment::ConfedSequence(asns),
                        (Some('['), "]") => Segment::ConfedSet(asns),
                        _ => return Err(bad()),
                    });
                }
                number => current.push(Asn(number.parse().map_err(|_| bad())?)),
            }
        }
        if open.is_some() {
            return Err(bad());
        }
        if !current.is_empty() {
            segments.push(Segment::Sequence(current));
        }
        Ok(Self(segments))
    }
}

impl TryFrom<String> for AsPath {
    type Error = ParseError;
    fn try_from(s: String) -> Result<Self, ParseError> {
        s.parse()
    }
}

impl From<AsPath> for String {
    fn from(p: AsPath) -> Self {
        p.to_string()
    }
}

/// A standard community (RFC 1997), shown as `65001:100`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Community(pub u32);

impl Community {
    /// GRACEFUL_SHUTDOWN (RFC 8326).
    pub const GRACEFUL_SHUTDOWN: Self = Self(0xFFFF_0000);
    /// BLACKHOLE (RFC 7999).
    pub const BLACKHOLE: Self = Self(0xFFFF_029A);
    /// NO_EXPORT (RFC 1997).
    pub const NO_EXPORT: Self = Self(0xFFFF_FF01);
    /// NO_ADVERTISE (RFC 1997).
    pub const NO_ADVERTISE: Self = Self(0xFFFF_FF02);
    /// NO_EXPORT_SUBCONFED (RFC 1997).
    pub const NO_EXPORT_SUBCONFED: Self = Self(0xFFFF_FF03);
    /// NOPEER (RFC 3765).
    pub const NOPEER: Self = Self(0xFFFF_FF04);

    /// Makes the community `asn:value`.
    #[must_use]
    pub const fn new(asn: u16, value: u16) -> Self {
        Self((asn as u32) << 16 | value as u32)
    }
}

impl fmt::Display for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0 >> 16, self.0 & 0xFFFF)
    }
}

impl FromStr for Community {
    type Err = ParseError;
    /// Reads `asn:value` and the well-known names as FRR and OpenConfig write them.
    fn from_str(s: &str) -> Result<Self, ParseError> {
        match s.to_ascii_lowercase().replace('_', "-").as_str() {
            "graceful-shutdown" => return Ok(Self::GRACEFUL_SHUTDOWN),
            "blackhole" => return Ok(Self::BLACKHOLE),
            "no-export" => return Ok(Self::NO_EXPORT),
            "no-advertise" => return Ok(Self::NO_ADVERTISE),
            "local-as" | "local-AS" | "no-export-subconfed" => return Ok(Self::NO_EXPORT_SUBCONFED),
            "no-peer" | "nopeer" => return Ok(Self::NOPEER),
            _ => {}
        }
        let bad = || ParseError::new("a community like 65001:100", s);
        let (a, v) = s.split_once(':').ok_or_else(bad)?;
        Ok(Self::new(a.parse().map_err(|_| bad())?, v.parse().map_err(|_| bad())?))
    }
}

impl TryFrom<String> for Community {
    type Error = ParseError;
    fn try_from(s: String) -> Result<Self, ParseError> {
        s.parse()
    }
}

impl From<Community> for String {
    fn from(c: Community) -> Self {
        c.to_string()
    }
}

/// A large community (RFC 8092), shown as `65001:1:2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LargeCommunity(pub u32, pub u32, pub u32);

impl fmt::Display for LargeCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.0, self.1, self.2)
    }
}

impl FromStr for LargeCommunity {
    type Err = ParseError;
    fn from_str(s: &str) -> Result<Self, ParseError> {
        let bad = || ParseError::new("a large community like 65001:1:2", s);
        let parts: Vec<u32> = s.split(':').map(|p| p.parse().map_err(|_| bad())).collect::<Result<_, _>>()?;
        match parts[..] {
            [a, b, c] => Ok(Self(a, b, c)),
            _ => Err(bad()),
        }
    }
}

impl TryFrom<String> for LargeCommunity {
    type Error = ParseError;
    fn try_from(s: String) -> Result<Self, ParseError> {
        s.parse()
    }
}

impl From<LargeCommunity> for String {
    fn from(c: LargeCommunity) -> Self {
        c.to_string()
    }
}

/// AGGREGATOR (RFC 4271 §5.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Aggregator {
    /// The AS that formed the aggregate.
    pub asn: Asn,
    /// The BGP identifier of the router that did.
    pub id: Ipv4Addr,
}

/// The path attributes of one announcement. Absent stays `None`, never a default.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PathAttributes {
    /// ORIGIN.
    pub origin: Origin,
    /// AS_PATH.
    pub as_path: AsPath,
    /// NEXT_HOP, or the next hop of MP_REACH_NLRI (the global address for IPv6).
    pub next_hop: Option<IpAddr>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// LOCAL_PREF.
    pub local_pref: Option<u32>,
    /// COMMUNITIES, sorted, without repeats.
    pub communities: Vec<Community>,
    /// LARGE_COMMUNITY, sorted, without repeats.
    pub large_communities: Vec<LargeCommunity>,
    /// ORIGINATOR_ID (RFC 4456 §8).
    pub originator_id: Option<Ipv4Addr>,
    /// CLUSTER_LIST (RFC 4456 §8), nearest reflector first.
    pub cluster_list: Vec<Ipv4Addr>,
    /// ATOMIC_AGGREGATE is present.
    pub atomic_aggregate: bool,
    /// AGGREGATOR.
    pub aggregator: Option<Aggregator>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_paths_keep_their_spelling() {
        for text in ["", "65002 64500 {64501 64502}", "(65010 65011) 1234", "[65010] 1234"] {
            assert_eq!(text.parse::<AsPath>().unwrap().to_string(), text);
        }
        assert_eq!("1 2 {3,4}".parse::<AsPath>().unwrap().length(), 3);
        assert!("1 {2".parse::<AsPath>().is_err());
        assert!("{2)".parse::<AsPath>().is_err());
    }

    #[test]
    fn prepending_and_taking_the_first_off_are_inverse() {
        let p = AsPath::sequence([1234, 64500]);
        assert_eq!(p.prepend(Asn(65001), 1).without_first(Asn(65001)), Some(p.clone()));
        assert_eq!(p.without_first(Asn(9)), None);
        assert_eq!(AsPath::default().prepend(Asn(7), 2).to_string(), "7 7");
    }

    #[test]
    fn communities_read_well_known_names() {
        assert_eq!("graceful-shutdown".parse::<Community>().unwrap().to_string(), "65535:0");
        assert_eq!("65001:100".parse::<Community>().unwrap(), Community::new(65001, 100));
        assert!("65001:70000".parse::<Community>().is_err());
    }
}
