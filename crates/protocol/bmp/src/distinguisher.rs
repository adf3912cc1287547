//! Route distinguishers (RFC 4364 §4.2).

use core::fmt;
use core::net::Ipv4Addr;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

/// Digits of a value that is spelled in hex because its type has no spelling of its own; no decimal value is as long.
const HEX_DIGITS: usize = 12;

/// A route distinguisher: type in the highest 16 bits, value below. Zero is the global instance, spelled `0:0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Distinguisher(u64);

impl Distinguisher {
    /// The global instance.
    pub const GLOBAL: Self = Self(0);

    /// Makes a distinguisher of its eight bytes on the wire.
    #[must_use]
    pub const fn from_wire(field: [u8; 8]) -> Self {
        Self(u64::from_be_bytes(field))
    }

    const fn parts(self) -> (u64, u64) {
        (self.0 >> 48, self.0 & 0xFFFF_FFFF_FFFF)
    }

    fn hex(self) -> String {
        let (kind, value) = self.parts();
        format!("{kind}:{value:012x}")
    }
}

impl fmt::Display for Distinguisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, value) = self.parts();
        match kind {
            0 => write!(f, "{}:{}", value >> 32, value & 0xFFFF_FFFF),
            1 => write!(f, "{}:{}", Ipv4Addr::from((value >> 16 & 0xFFFF_FFFF) as u32), value & 0xFFFF),
            2 => write!(f, "{}:{}", value >> 16, value & 0xFFFF),
            _ => f.write_str(&self.hex()),
        }
    }
}

impl PartialEq<str> for Distinguisher {
    fn eq(&self, other: &str) -> bool {
        other.parse() == Ok(*self)
    }
}

impl PartialEq<&str> for Distinguisher {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

/// A text that is no route distinguisher.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a route distinguisher like 65001:100 or 192.0.2.1:7")]
pub struct NoDistinguisher(String);

impl FromStr for Distinguisher {
    type Err = NoDistinguisher;

    /// Reads what `Display` writes; `65001:100` is type 0 where both numbers fit it.
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (first, second) = s.split_once(':')?;
            if second.len() == HEX_DIGITS {
                let (kind, value) = (first.parse::<u16>().ok()?, u64::from_str_radix(second, 16).ok()?);
                return Some(u64::from(kind) << 48 | value);
            }
            if let Ok(address) = first.parse::<Ipv4Addr>() {
                return Some(1 << 48 | u64::from(u32::from(address)) << 16 | u64::from(second.parse::<u16>().ok()?));
            }
            let (asn, value) = (first.parse::<u32>().ok()?, second.parse::<u32>().ok()?);
            match (u16::try_from(asn), u16::try_from(value)) {
                (Ok(asn), _) => Some(u64::from(asn) << 32 | u64::from(value)),
                (Err(_), Ok(value)) => Some(2 << 48 | u64::from(asn) << 16 | u64::from(value)),
                _ => None,
            }
        };
        read().map(Self).ok_or_else(|| NoDistinguisher(s.chars().take(80).collect()))
    }
}

impl TryFrom<String> for Distinguisher {
    type Error = NoDistinguisher;
    fn try_from(s: String) -> Result<Self, Self::Error> {
        s.parse()
    }
}

impl From<Distinguisher> for String {
    /// The spelling, or hex where the spelling is that of another distinguisher (type 2 with a 2-octet AS).
    fn from(d: Distinguisher) -> Self {
        let text = d.to_string();
        if text.parse() == Ok(d) { text } else { d.hex() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_spelled_as_operators_write_it_and_survives_saving() {
        for (wire, text) in [
            ([0, 0, 0, 0, 0, 0, 0, 0], "0:0"),
            ([0, 0, 0xFD, 0xE9, 0, 0, 0, 100], "65001:100"),
            ([0, 1, 192, 0, 2, 1, 0, 7], "192.0.2.1:7"),
            ([0, 2, 0, 1, 0x86, 0xA0, 0, 9], "100000:9"),
            ([0, 2, 0, 0, 0, 5, 0, 9], "5:9"),
            ([0, 9, 0, 0, 0, 5, 0, 9], "9:000000050009"),
        ] {
            let d = Distinguisher::from_wire(wire);
            assert_eq!(d.to_string(), text);
            assert_eq!(String::from(d).parse(), Ok(d), "{text}");
        }
        assert!(Distinguisher::GLOBAL == "0:0");
        for wrong in ["", "7", "a:b", "70000:70000", "1.2.3.4:70000"] {
            assert!(wrong.parse::<Distinguisher>().is_err(), "{wrong}");
        }
    }
}
