//! IP prefixes without host bits.

use crate::ParseError;
use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// An address family that Pilothouse steers: unicast of IPv4 or IPv6 (RFC 4760).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// AFI 1, SAFI 1.
    Ipv4Unicast,
    /// AFI 2, SAFI 1.
    Ipv6Unicast,
}

impl Family {
    /// Returns the family of an address.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ipv4Unicast,
            IpAddr::V6(_) => Self::Ipv6Unicast,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4Unicast => "ipv4_unicast",
            Self::Ipv6Unicast => "ipv6_unicast",
        })
    }
}

/// An IPv4 or IPv6 prefix; host bits are always zero. Ordered by family, address, length.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix(IpNet);

impl Prefix {
    /// Makes a prefix, clearing host bits; `None` when `length` exceeds 32 or 128.
    #[must_use]
    pub fn new(address: IpAddr, length: u8) -> Option<Self> {
        IpNet::new(address, length).ok().map(|n| Self(n.trunc()))
    }

    /// Returns the network address.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.0.network()
    }

    /// Returns the length in bits, 0…32 or 0…128.
    #[must_use]
    pub fn length(&self) -> u8 {
        self.0.prefix_len()
    }

    /// Returns the family.
    #[must_use]
    pub fn family(&self) -> Family {
        Family::of(self.0.network())
    }

    /// Says whether `other` lies inside this prefix (a prefix covers itself).
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.0.contains(&other.0)
    }

    /// Says whether `address` lies inside.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for Prefix {
    type Err = ParseError;
    fn from_str(s: &str) -> Result<Self, ParseError> {
        let net: IpNet = s.parse().map_err(|_| ParseError::new("a prefix like 203.0.113.0/24", s))?;
        Ok(Self(net.trunc()))
    }
}

impl TryFrom<String> for Prefix {
    type Error = ParseError;
    fn try_from(s: String) -> Result<Self, ParseError> {
        s.parse()
    }
}

impl From<Prefix> for String {
    fn from(p: Prefix) -> Self {
        p.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_bits_are_cleared_and_families_sort() {
        let p: Prefix = "203.0.113.77/24".parse().unwrap();
        assert_eq!(p.to_string(), "203.0.113.0/24");
        let six: Prefix = "2001:db8:1:2::9/48".parse().unwrap();
        assert_eq!(six.to_string(), "2001:db8:1::/48");
        assert!(p < six);
        assert!(p.covers(&"203.0.113.128/25".parse().unwrap()));
        assert!("203.0.113.0/33".parse::<Prefix>().is_err());
    }
}
