//! EVPN routes (RFC 7432 §7, RFC 9136 §3): shown and counted, no part of the unicast tables.
//!
//! ```text
//! route type (1) | length (1) | route distinguisher (8) | fields of the type
//! ```

use crate::distinguisher::Distinguisher;
use crate::error::{Action, DecodeError};
use crate::reader::Reader;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use serde::{Deserialize, Serialize};

/// One EVPN route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvpnNlri {
    /// Path identifier (RFC 7911), where add-path is in use.
    pub path_id: Option<u32>,
    /// Next hop of an announcement.
    pub next_hop: Option<IpAddr>,
    /// Route type: 1 to 5; others are kept raw.
    pub kind: u8,
    /// What it says.
    pub route: EvpnRoute,
}

/// The fields of a route type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvpnRoute {
    /// Route distinguisher; absent only where the route is kept raw.
    pub distinguisher: Option<Distinguisher>,
    /// Ethernet segment identifier, hex with colons (types 1, 2, 4, 5).
    pub esi: Option<String>,
    /// Ethernet tag (types 1, 2, 3, 5).
    pub ethernet_tag: Option<u32>,
    /// MAC address (type 2).
    pub mac: Option<String>,
    /// Address of a host (type 2), of the originating router (3, 4), or of a prefix (5).
    pub address: Option<IpAddr>,
    /// Length of the prefix in bits (type 5).
    pub length: Option<u8>,
    /// Gateway (type 5), where one is given.
    pub gateway: Option<IpAddr>,
    /// Labels or VNIs: the 24 bits as they came, since only the tunnel type tells which they are (RFC 8365 §5.1.3).
    pub labels: Vec<u32>,
    /// Value of a type that is not read, or does not fit its type.
    pub raw: Vec<u8>,
}

/// Reads routes to the end of `r` into `out`; what was read before a fault stays there.
pub(crate) fn read(mut r: Reader<'_>, add_path: bool, next_hop: Option<IpAddr>, out: &mut Vec<EvpnNlri>) -> Result<(), DecodeError> {
    while !r.is_empty() {
        let path_id = if add_path { Some(r.u32("a path identifier")?) } else { None };
        let at = r.offset();
        let kind = r.u8("an EVPN route type")?;
        let length = usize::from(r.u8("an EVPN route length")?);
        let value = r.sub(length, "an EVPN route").map_err(|e| {
            let what = format!("{} (RFC 7606 §5.3)", e.what);
            DecodeError::new(at, Action::SessionReset, what)
        })?;
        let route = fields(kind, value).unwrap_or_else(|| EvpnRoute { raw: value.rest().to_vec(), ..EvpnRoute::default() });
        out.push(EvpnNlri { path_id, next_hop, kind, route });
    }
    Ok(())
}

fn fields(kind: u8, mut r: Reader<'_>) -> Option<EvpnRoute> {
    if !(1..=5).contains(&kind) {
        return None;
    }
    let mut out = EvpnRoute { distinguisher: Some(Distinguisher::from_wire(r.array("").ok()?)), ..EvpnRoute::default() };
    if matches!(kind, 1 | 2 | 4 | 5) {
        out.esi = Some(colons(r.take(10, "").ok()?));
    }
    if kind != 4 {
        out.ethernet_tag = Some(r.u32("").ok()?);
    }
    match kind {
        1 => out.labels.push(label(&mut r)?),
        2 => {
            (r.u8("").ok()? == 48).then_some(())?;
            out.mac = Some(colons(r.take(6, "").ok()?));
            out.address = counted(&mut r)?;
            out.labels.push(label(&mut r)?);
            if !r.is_empty() {
                out.labels.push(label(&mut r)?);
            }
        }
        3 | 4 => out.address = Some(counted(&mut r)??),
        _ => {
            // both addresses are of one family, told by the length that is left (RFC 9136 §3.1)
            let length = r.u8("").ok()?;
            let (address, gateway) = match r.left() {
                11 => (four(&mut r)?, four(&mut r)?),
                35 => (six(&mut r)?, six(&mut r)?),
                _ => return None,
            };
            let bits = if address.is_ipv4() { 32 } else { 128 };
            (length <= bits).then_some(())?;
            (out.length, out.address) = (Some(length), Some(address));
            out.gateway = Some(gateway).filter(|g| !g.is_unspecified());
            out.labels.push(label(&mut r)?);
        }
    }
    r.is_empty().then_some(out)
}

/// An address behind its length in bits; length 0 is none.
#[allow(clippy::option_option, reason = "the outer one: it does not fit; the inner one: there is no address")]
fn counted(r: &mut Reader<'_>) -> Option<Option<IpAddr>> {
    match r.u8("").ok()? {
        0 => Some(None),
        32 => four(r).map(Some),
        128 => six(r).map(Some),
        _ => None,
    }
}

fn four(r: &mut Reader<'_>) -> Option<IpAddr> {
    r.u32("").ok().map(|a| IpAddr::V4(Ipv4Addr::from(a)))
}

fn six(r: &mut Reader<'_>) -> Option<IpAddr> {
    r.array("").ok().map(|a: [u8; 16]| IpAddr::V6(Ipv6Addr::from(a)))
}

fn label(r: &mut Reader<'_>) -> Option<u32> {
    let [a, b, c] = r.array("").ok()?;
    Some(u32::from_be_bytes([0, a, b, c]))
}

fn colons(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(":")
}
