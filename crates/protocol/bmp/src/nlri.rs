//! Prefixes as NLRI write them (RFC 4271 §4.3, RFC 7911 §3).

use crate::error::{Action, DecodeError};
use crate::message::Nlri;
use crate::reader::Reader;
use bgp::{Family, Prefix};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How NLRI of one family are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writing {
    /// Plain prefixes, as the OPENs agreed.
    Plain,
    /// With path identifiers, as the OPENs agreed.
    AddPath,
    /// No OPEN was seen: plain unless only path identifiers make sense of it.
    Unknown,
}

/// Reads prefixes to the end of `r`. The second value says that path identifiers had to be guessed.
pub(crate) fn read(r: Reader<'_>, family: Family, writing: Writing, next_hop: Option<IpAddr>) -> Result<(Vec<Nlri>, bool), DecodeError> {
    match (read_as(r, family, writing == Writing::AddPath, next_hop), writing) {
        (Ok((found, _)), _) => Ok((found, false)),
        // a guess must fit without a rest: host bits that are set mean that the bytes are something else
        (Err(first), Writing::Unknown) => match read_as(r, family, true, next_hop) {
            Ok((found, true)) => Ok((found, true)),
            _ => Err(first),
        },
        (Err(error), _) => Err(error),
    }
}

/// Reads to the end of `r`; the second value says that no prefix had host bits.
fn read_as(mut r: Reader<'_>, family: Family, add_path: bool, next_hop: Option<IpAddr>) -> Result<(Vec<Nlri>, bool), DecodeError> {
    let mut out = Vec::new();
    let mut clean = true;
    while !r.is_empty() {
        let path_id = if add_path { Some(r.u32("a path identifier")?) } else { None };
        let at = r.offset();
        let length = r.u8("a prefix length")?;
        let bits = if family == Family::Ipv4Unicast { 32 } else { 128 };
        if length > bits {
            let what = format!("a prefix length of {length} bits (RFC 4271 §4.3, RFC 7606 §5.3: {bits} at most)");
            return Err(DecodeError::new(at, Action::SessionReset, what));
        }
        let bytes = r.take(usize::from(length.div_ceil(8)), "a prefix")?;
        let address = address(family, bytes);
        if let Some(prefix) = Prefix::new(address, length) {
            clean &= prefix.address() == address;
            out.push(Nlri { prefix, path_id, next_hop });
        }
    }
    Ok((out, clean))
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
