//! Extended communities (RFC 4360): route target, site of origin, link bandwidth; others stay as their octets.

use crate::{Asn, ParseError};
use core::fmt;
use core::net::Ipv4Addr;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

/// An extended community, its eight octets in wire order.
///
/// ```text
///  0        1        2                8
/// +--------+--------+----------------+
/// |  type  |subtype |     value      |
/// +--------+--------+----------------+
/// ```
///
/// Shown as `RT:65001:7`, `SoO:192.0.2.1:7`, `LB:65001:125000`; what is none of these as `0x` and sixteen digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ExtendedCommunity(pub u64);

/// Two-octet AS, IPv4 address, four-octet AS (RFC 4360 §3, RFC 5668).
const TYPES: [u8; 3] = [0x00, 0x01, 0x02];
/// The community stays inside the AS (RFC 4360 §2).
const NON_TRANSITIVE: u8 = 0x40;
const ROUTE_TARGET: u8 = 0x02;
const SITE_OF_ORIGIN: u8 = 0x03;
const LINK_BANDWIDTH: u8 = 0x04;
/// Stands for an AS number of four octets in a field of two (RFC 6793 §9).
const AS_TRANS: u16 = 23_456;

impl ExtendedCommunity {
    /// Makes a route target of `AS:NUMBER` or `ADDRESS:NUMBER`.
    ///
    /// # Errors
    /// [`ParseError`] for another form.
    pub fn route_target(text: &str) -> Result<Self, ParseError> {
        Self::of(ROUTE_TARGET, text)
    }

    /// Makes a site of origin of `AS:NUMBER` or `ADDRESS:NUMBER`.
    ///
    /// # Errors
    /// [`ParseError`] for another form.
    pub fn site_of_origin(text: &str) -> Result<Self, ParseError> {
        Self::of(SITE_OF_ORIGIN, text)
    }

    /// Makes a link bandwidth (draft-ietf-idr-link-bandwidth), in octets per second, as a single-precision number.
    #[must_use]
    pub fn link_bandwidth(asn: Asn, bytes_per_s: f32, transitive: bool) -> Self {
        let kind = if transitive { 0 } else { NON_TRANSITIVE };
        let asn = u16::try_from(asn.0).unwrap_or(AS_TRANS);
        Self(u64::from(kind) << 56 | u64::from(LINK_BANDWIDTH) << 48 | u64::from(asn) << 32 | u64::from(bytes_per_s.to_bits()))
    }

    fn of(subtype: u8, text: &str) -> Result<Self, ParseError> {
        let bad = || ParseError::new("an extended community's value like 65001:7 or 192.0.2.1:7", text);
        let (left, right) = text.rsplit_once(':').ok_or_else(bad)?;
        let (kind, value) = if let Ok(address) = left.parse::<Ipv4Addr>() {
            (1, u64::from(u32::from(address)) << 16 | u64::from(right.parse::<u16>().map_err(|_| bad())?))
        } else {
            let asn: u32 = left.parse().map_err(|_| bad())?;
            match u16::try_from(asn) {
                Ok(asn) => (0, u64::from(asn) << 32 | u64::from(right.parse::<u32>().map_err(|_| bad())?)),
                Err(_) => (2, u64::from(asn) << 16 | u64::from(right.parse::<u16>().map_err(|_| bad())?)),
            }
        };
        Ok(Self(u64::from(TYPES[kind]) << 56 | u64::from(subtype) << 48 | value))
    }

    const fn kind(self) -> u8 {
        (self.0 >> 56) as u8
    }

    const fn subtype(self) -> u8 {
        (self.0 >> 48) as u8
    }

    /// Says whether it is a route target.
    #[must_use]
    pub fn is_route_target(self) -> bool {
        TYPES.contains(&self.kind()) && self.subtype() == ROUTE_TARGET
    }

    /// Says whether it is a site of origin.
    #[must_use]
    pub fn is_site_of_origin(self) -> bool {
        TYPES.contains(&self.kind()) && self.subtype() == SITE_OF_ORIGIN
    }

    /// Says whether it is a link bandwidth.
    #[must_use]
    pub const fn is_link_bandwidth(self) -> bool {
        self.kind() & !NON_TRANSITIVE == 0 && self.subtype() == LINK_BANDWIDTH
    }

    /// Says whether it goes to other ASes.
    #[must_use]
    pub const fn is_transitive(self) -> bool {
        self.kind() & NON_TRANSITIVE == 0
    }
}

impl fmt::Display for ExtendedCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match () {
            () if self.is_route_target() => "RT",
            () if self.is_site_of_origin() => "SoO",
            () if self.is_link_bandwidth() => {
                return write!(f, "LB:{}:{}", (self.0 >> 32) as u16, f32::from_bits(self.0 as u32) as u64);
            }
            () => return write!(f, "0x{:016x}", self.0),
        };
        match self.kind() {
            0 => write!(f, "{word}:{}:{}", (self.0 >> 32) as u16, self.0 as u32),
            1 => write!(f, "{word}:{}:{}", Ipv4Addr::from((self.0 >> 16) as u32), self.0 as u16),
            _ => write!(f, "{word}:{}:{}", (self.0 >> 16) as u32, self.0 as u16),
        }
    }
}

impl FromStr for ExtendedCommunity {
    type Err = ParseError;
    /// Reads the form that `Display` writes, and `rt …`, `soo …` as routers write them. A link bandwidth is read as a transitive one.
    fn from_str(s: &str) -> Result<Self, ParseError> {
        let bad = || ParseError::new("an extended community like RT:65001:7", s);
        if let Some(digits) = s.strip_prefix("0x") {
            return u64::from_str_radix(digits, 16).map(Self).map_err(|_| bad());
        }
        let (word, value) = s.split_once([':', ' ']).ok_or_else(bad)?;
        match word.to_ascii_lowercase().as_str() {
            "rt" => Self::route_target(value),
            "soo" => Self::site_of_origin(value),
            "lb" => {
                let (asn, bytes) = value.split_once(':').ok_or_else(bad)?;
                let (asn, bytes) = (asn.parse().map_err(|_| bad())?, bytes.parse::<f32>().map_err(|_| bad())?);
                Ok(Self::link_bandwidth(Asn(asn), bytes, true))
            }
            _ => Err(bad()),
        }
    }
}

impl TryFrom<String> for ExtendedCommunity {
    type Error = ParseError;
    fn try_from(s: String) -> Result<Self, ParseError> {
        s.parse()
    }
}

impl From<ExtendedCommunity> for String {
    fn from(c: ExtendedCommunity) -> Self {
        c.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_read_as_it_is_written() {
        for text in ["RT:65001:7", "RT:192.0.2.1:9", "RT:4200000001:3", "SoO:65001:70000", "LB:65001:125000", "0x0306000000000064"] {
            assert_eq!(text.parse::<ExtendedCommunity>().unwrap().to_string(), text);
        }
        assert_eq!("rt 65001:7".parse::<ExtendedCommunity>().unwrap().0, 0x0002_FDE9_0000_0007);
        for text in ["RT:65001", "RT:192.0.2.1:70000", "XX:1:1", "SoO:4200000001:70000", "0xzz"] {
            assert!(text.parse::<ExtendedCommunity>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_bandwidth_is_in_octets_and_stays_inside_only_when_told() {
        let inside = ExtendedCommunity::link_bandwidth(Asn(65_001), 12_500_000.0, false);
        assert_eq!(inside.0 >> 48, 0x4004);
        assert!(inside.is_link_bandwidth() && !inside.is_transitive());
        let out = ExtendedCommunity::link_bandwidth(Asn(4_200_000_000), 1.0, true);
        assert_eq!(out.to_string(), "LB:23456:1");
        assert!(out.is_transitive());
    }
}
