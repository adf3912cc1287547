//! The per-peer header (RFC 7854 §4.2, RFC 8671 §4, RFC 9069 §4.1).

use crate::distinguisher::Distinguisher;
use crate::error::DecodeError;
use crate::reader::Reader;
use crate::repair::Repair;
use bgp::Asn;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use serde::{Deserialize, Serialize};

const FLAG_IPV6: u8 = 0x80;
const FLAG_POST_POLICY: u8 = 0x40;
const FLAG_TWO_OCTET_AS: u8 = 0x20;
const FLAG_ADJ_RIB_OUT: u8 = 0x10;
/// Nanoseconds in a second and in a microsecond.
const SECOND: i64 = 1_000_000_000;
const MICROSECOND: i64 = 1_000;

/// Which table a route was seen in (RFC 7854, RFC 8671, RFC 9069).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// Adj-RIB-In before policy.
    AdjRibInPre,
    /// Adj-RIB-In after policy.
    AdjRibInPost,
    /// Adj-RIB-Out before policy.
    AdjRibOutPre,
    /// Adj-RIB-Out after policy.
    AdjRibOutPost,
    /// Loc-RIB.
    LocRib,
}

impl View {
    /// Says whether it is one of the two Adj-RIB-In views.
    #[must_use]
    pub const fn is_adj_rib_in(self) -> bool {
        matches!(self, Self::AdjRibInPre | Self::AdjRibInPost)
    }
}

/// Peer type (RFC 7854 §4.2, RFC 9069 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeerKind {
    /// 0: global instance.
    Global,
    /// 1: RD instance.
    Rd,
    /// 2: local instance.
    Local,
    /// 3: Loc-RIB instance.
    LocRib,
    /// Any other number.
    Other(u8),
}

/// The per-peer header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Type.
    pub kind: PeerKind,
    /// Route distinguisher of the instance, `0:0` for the global one.
    pub distinguisher: Distinguisher,
    /// Address of the peer; unspecified for a Loc-RIB.
    pub address: IpAddr,
    /// Its AS.
    pub asn: Asn,
    /// Its BGP identifier.
    pub bgp_id: Ipv4Addr,
    /// The table.
    pub view: View,
    /// Octets of an AS number in the AS_PATH, by the header's flag: 2 or 4.
    pub as_width: u8,
    /// Sender's time, nanoseconds since the Unix epoch; `None` where it sent zero.
    pub time: Option<i64>,
    /// A correction of the header itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repair: Option<Repair>,
}

impl Peer {
    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let kind = match r.u8("the peer type")? {
            0 => PeerKind::Global,
            1 => PeerKind::Rd,
            2 => PeerKind::Local,
            3 => PeerKind::LocRib,
            other => PeerKind::Other(other),
        };
        let flags = r.u8("the peer flags")?;
        let distinguisher = Distinguisher::from_wire(r.array("the peer distinguisher")?);
        let (address, repair) = address(flags & FLAG_IPV6 != 0 && kind != PeerKind::LocRib, r.array("the peer address")?);
        let asn = Asn(r.u32("the peer AS")?);
        let bgp_id = Ipv4Addr::from(r.u32("the peer BGP identifier")?);
        let time = peer_time(r.u32("the timestamp")?, r.u32("the timestamp")?);
        Ok(Self {
            kind,
            distinguisher,
            address,
            asn,
            bgp_id,
            view: view(kind, flags),
            as_width: if kind != PeerKind::LocRib && flags & FLAG_TWO_OCTET_AS != 0 { 2 } else { 4 },
            time,
            repair,
        })
    }
}

/// Reads the two timestamp fields (RFC 7854 §4.2); both zero is no time.
pub(crate) fn peer_time(seconds: u32, micros: u32) -> Option<i64> {
    (seconds != 0 || micros != 0).then(|| i64::from(seconds) * SECOND + i64::from(micros) * MICROSECOND)
}

const fn view(kind: PeerKind, flags: u8) -> View {
    if matches!(kind, PeerKind::LocRib) {
        return View::LocRib;
    }
    match (flags & FLAG_ADJ_RIB_OUT != 0, flags & FLAG_POST_POLICY != 0) {
        (false, false) => View::AdjRibInPre,
        (false, true) => View::AdjRibInPost,
        (true, false) => View::AdjRibOutPre,
        (true, true) => View::AdjRibOutPost,
    }
}

/// Reads a 16-byte address field; an IPv4 address stands in its last four bytes.
pub(crate) fn address(ipv6: bool, field: [u8; 16]) -> (IpAddr, Option<Repair>) {
    let six = u128::from_be_bytes(field);
    match u32::try_from(six) {
        Ok(four) if !ipv6 => (IpAddr::V4(Ipv4Addr::from(four)), None),
        _ if ipv6 => (IpAddr::V6(Ipv6Addr::from(six)), None),
        _ => (IpAddr::V6(Ipv6Addr::from(six)), Some(Repair::Ipv6FlagMissing)),
    }
}
