//! Lists of prefixes as a topology file writes them, ranges included, and addresses with their length.

use super::MAX_PREFIXES;
use bgp::Prefix;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A list of prefixes; an element is a prefix or a range `first to last` of prefixes of one length.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Prefixes(Vec<Prefix>);

impl Prefixes {
    /// Walks over the prefixes in file order.
    pub fn iter(&self) -> impl Iterator<Item = Prefix> + '_ {
        self.0.iter().copied()
    }

    /// Returns how many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Says whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<Vec<String>> for Prefixes {
    type Error = String;

    fn try_from(texts: Vec<String>) -> Result<Self, String> {
        let mut all = Vec::new();
        for text in &texts {
            match text.split_once(" to ") {
                Some((first, last)) => range(first.trim(), last.trim(), &mut all)?,
                None => all.push(exact(text)?),
            }
            if all.len() > MAX_PREFIXES {
                return Err(format!("more than {MAX_PREFIXES} prefixes; shorten the range {text:?}"));
            }
        }
        Ok(Self(all))
    }
}

impl From<Prefixes> for Vec<String> {
    fn from(p: Prefixes) -> Self {
        p.0.iter().map(ToString::to_string).collect()
    }
}

/// Host bits in a topology file are a slip of the pen, so they are refused here although `Prefix` clears them.
fn exact(text: &str) -> Result<Prefix, String> {
    let prefix: Prefix = text.parse().map_err(|_| format!("{text:?} is not a prefix like 198.51.100.0/24 or a range \"first to last\""))?;
    let written: Option<IpAddr> = text.split('/').next().and_then(|a| a.parse().ok());
    if written != Some(prefix.address()) {
        return Err(format!("{text:?} has host bits; the prefix is {prefix}"));
    }
    Ok(prefix)
}

fn range(first: &str, last: &str, into: &mut Vec<Prefix>) -> Result<(), String> {
    let (first, last) = (exact(first)?, exact(last)?);
    if first.family() != last.family() || first.length() != last.length() || first.length() == 0 || first > last {
        return Err(format!("{first} to {last} is not a range: both ends need one family and one length, the lower first"));
    }
    let (start, end) = (bits(first.address()), bits(last.address()));
    let host_bits = width(first.address()) - u32::from(first.length());
    let count = ((end - start) >> host_bits) + 1;
    if count > MAX_PREFIXES as u128 {
        return Err(format!("{first} to {last} is {count} prefixes; at most {MAX_PREFIXES}"));
    }
    into.extend((0..count).filter_map(|i| Prefix::new(address(first.address(), start + (i << host_bits)), first.length())));
    Ok(())
}

/// An address on an interface with the length of its subnet (`192.0.2.1/25`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Interface {
    /// The address.
    pub address: IpAddr,
    /// Length of the subnet in bits.
    pub length: u8,
}

impl Interface {
    /// Returns the subnet; `None` when the length exceeds the family's (which parsing refuses).
    #[must_use]
    pub fn subnet(&self) -> Option<Prefix> {
        Prefix::new(self.address, self.length)
    }
}

impl TryFrom<String> for Interface {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parse = || {
            let (address, length) = text.split_once('/')?;
            let found = Self { address: address.parse().ok()?, length: length.parse().ok()? };
            found.subnet().map(|_| found)
        };
        parse().ok_or_else(|| format!("{text:?} is not an address with a length like 192.0.2.1/25"))
    }
}

impl From<Interface> for String {
    fn from(i: Interface) -> Self {
        i.to_string()
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// Returns the first two addresses of a prefix.
pub(super) fn pair(prefix: &Prefix) -> (IpAddr, IpAddr) {
    (prefix.address(), offset(prefix, 1))
}

/// Returns the address `by` after the first of `prefix`.
pub(crate) fn offset(prefix: &Prefix, by: u128) -> IpAddr {
    address(prefix.address(), bits(prefix.address()).wrapping_add(by))
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(a) => u128::from(a.to_bits()),
        IpAddr::V6(a) => a.to_bits(),
    }
}

fn address(like: IpAddr, bits: u128) -> IpAddr {
    match like {
        // Truncation keeps the 32 bits an IPv4 address has; a caller that stays inside a prefix never reaches beyond them.
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from_bits(bits as u32)),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from_bits(bits)),
    }
}
