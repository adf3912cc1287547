//! The seven messages of RFC 7854 §4 as values. What was absent on the wire stays absent.

use crate::distinguisher::Distinguisher;
use crate::error::Fault;
use crate::evpn::EvpnNlri;
use crate::family::AfiSafi;
use crate::open::Open;
use crate::peer::Peer;
use crate::repair::Repair;
use crate::tlv::RouteTlv;
use bgp::{PathAttributes, Prefix};
use core::net::IpAddr;
use serde::{Deserialize, Serialize};

/// One BMP message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Message {
    /// Type 0.
    RouteMonitoring(Box<RouteMonitoring>),
    /// Type 1.
    Statistics(Statistics),
    /// Type 2.
    PeerDown(PeerDown),
    /// Type 3.
    PeerUp(Box<PeerUp>),
    /// Type 4.
    Initiation(Initiation),
    /// Type 5.
    Termination(Termination),
    /// Type 6.
    RouteMirroring(Mirroring),
}

impl Message {
    /// Returns the per-peer header, for the messages that have one.
    #[must_use]
    pub const fn peer(&self) -> Option<&Peer> {
        match self {
            Self::RouteMonitoring(m) => Some(&m.peer),
            Self::Statistics(m) => Some(&m.peer),
            Self::PeerDown(m) => Some(&m.peer),
            Self::PeerUp(m) => Some(&m.peer),
            Self::RouteMirroring(m) => Some(&m.peer),
            Self::Initiation(_) | Self::Termination(_) => None,
        }
    }

    /// Returns the corrections made.
    #[must_use]
    pub fn repairs(&self) -> &[Repair] {
        match self {
            Self::RouteMonitoring(m) => &m.repairs,
            Self::Statistics(m) => &m.repairs,
            Self::PeerDown(m) => &m.repairs,
            Self::PeerUp(m) => &m.repairs,
            Self::Initiation(_) | Self::Termination(_) | Self::RouteMirroring(_) => &[],
        }
    }
}

/// Route Monitoring (RFC 7854 §4.6): one BGP UPDATE.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteMonitoring {
    /// Whose table.
    pub peer: Peer,
    /// Announced routes of the families we read.
    pub announce: Vec<Nlri>,
    /// Withdrawn routes of the families we read.
    pub withdraw: Vec<Nlri>,
    /// Routes of labelled, VPN and multicast families: shown, and no part of the tables that we keep.
    #[serde(default, skip_serializing_if = "Labelled::is_empty")]
    pub labelled: Labelled,
    /// EVPN routes: shown and counted.
    #[serde(default, skip_serializing_if = "Evpn::is_empty")]
    pub evpn: Evpn,
    /// Attributes; `None` when the UPDATE carried none.
    pub attributes: Option<PathAttributes>,
    /// Attributes that no decision of ours uses yet.
    pub extra: MonitoredExtra,
    /// The table of this family is complete (RFC 4724 §2).
    pub end_of_rib: Option<AfiSafi>,
    /// Families in it that we do not read.
    pub unread: Vec<AfiSafi>,
    /// Corrections.
    pub repairs: Vec<Repair>,
    /// Attributes that were discarded.
    pub faults: Vec<Fault>,
    /// What stood beside the UPDATE in a version 4 message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tlvs: Vec<RouteTlv>,
}

/// EVPN routes of an UPDATE.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evpn {
    /// Announced.
    pub announce: Vec<EvpnNlri>,
    /// Withdrawn.
    pub withdraw: Vec<EvpnNlri>,
}

impl Evpn {
    /// Says whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.announce.is_empty() && self.withdraw.is_empty()
    }
}

/// A prefix in an UPDATE.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Nlri {
    /// The prefix.
    pub prefix: Prefix,
    /// Path identifier (RFC 7911), where add-path is in use.
    pub path_id: Option<u32>,
    /// Next hop of an announcement: of MP_REACH_NLRI, or NEXT_HOP.
    pub next_hop: Option<IpAddr>,
}

/// Routes of the families that write prefixes behind labels or distinguishers, or beside unicast (RFC 8277, RFC 4364 §4.3, RFC 4760).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labelled {
    /// Announced.
    pub announce: Vec<LabelledNlri>,
    /// Withdrawn.
    pub withdraw: Vec<LabelledNlri>,
}

impl Labelled {
    /// Says whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.announce.is_empty() && self.withdraw.is_empty()
    }
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelledNlri {
    /// Family.
    pub afi_safi: AfiSafi,
    /// Prefix, path identifier and next hop.
    pub nlri: Nlri,
    /// Route distinguisher, in VPN families.
    pub distinguisher: Option<Distinguisher>,
    /// Labels, top first; 20 bits each.
    pub labels: Vec<u32>,
}

/// Attributes that are shown but not used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonitoredExtra {
    /// EXTENDED COMMUNITIES (RFC 4360) as `rt:65001:1`, `soo:65001:1`, or sixteen hex digits.
    pub ext_communities: Vec<String>,
    /// Only to Customer (RFC 9234 §5).
    pub otc: Option<u32>,
    /// AIGP metric (RFC 7311 §3).
    pub aigp: Option<u64>,
    /// Type codes of attributes that we do not know.
    pub unknown: Vec<u8>,
}

/// Peer Up (RFC 7854 §4.10).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerUp {
    /// Which peer.
    pub peer: Peer,
    /// The router's own address of the session.
    pub local_address: IpAddr,
    /// The router's own port.
    pub local_port: u16,
    /// The peer's port.
    pub remote_port: u16,
    /// The OPEN that the router sent; `None`: it did not keep it ([`Repair::OpenMissing`]).
    pub sent_open: Option<Open>,
    /// The OPEN that it received; `None`: as above.
    pub received_open: Option<Open>,
    /// Information TLVs.
    pub tlvs: Vec<Tlv>,
    /// Corrections.
    pub repairs: Vec<Repair>,
}

/// Peer Down (RFC 7854 §4.9).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerDown {
    /// Which peer.
    pub peer: Peer,
    /// Why.
    pub reason: DownReason,
    /// Corrections.
    pub repairs: Vec<Repair>,
}

/// Why a peer went down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DownReason {
    /// 1: we sent this NOTIFICATION.
    LocalNotification(Notification),
    /// 2: we closed without one; the FSM event (RFC 4271 §8.1), 0 when there is none.
    LocalFsmEvent(u16),
    /// 3: the peer sent this NOTIFICATION.
    RemoteNotification(Notification),
    /// 4: the peer closed without one.
    RemoteNoNotification,
    /// 5: no longer configured for monitoring.
    Deconfigured,
    /// 6: closed locally, TLVs follow (RFC 9069 §5.3).
    LocalTlv(Vec<Tlv>),
    /// Another number.
    Unknown(u8),
}

/// A BGP NOTIFICATION (RFC 4271 §4.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// Error code.
    pub code: u8,
    /// Error subcode.
    pub subcode: u8,
    /// Data.
    pub data: Vec<u8>,
}

/// Statistics Report (RFC 7854 §4.8).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// Which peer.
    pub peer: Peer,
    /// The counters, in wire order.
    pub counters: Vec<Counter>,
    /// Statistics of a length that no counter has, in wire order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<UnreadStatistic>,
    /// Corrections.
    pub repairs: Vec<Repair>,
}

/// One statistic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// Type number.
    pub kind: u16,
    /// Name (`adj_rib_in_routes`), `unknown` for numbers that no registry had.
    pub name: String,
    /// Family, for those that are per family.
    pub family: Option<AfiSafi>,
    /// Value.
    pub value: u64,
}

/// A statistic whose value is no counter (RFC 7854 §4.8: 4, 8 or 3 + 8 bytes), kept raw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadStatistic {
    /// Type number.
    pub kind: u16,
    /// Name, as of a [`Counter`].
    pub name: String,
    /// Its bytes.
    pub raw: Vec<u8>,
}

/// Initiation (RFC 7854 §4.3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Initiation {
    /// What the router says of itself.
    pub tlvs: Vec<Tlv>,
}

/// Termination (RFC 7854 §4.5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Termination {
    /// What the router says of the end.
    pub tlvs: Vec<Tlv>,
}

/// Route Mirroring (RFC 7854 §4.7), kept raw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mirroring {
    /// Whose messages.
    pub peer: Peer,
    /// TLV types and values.
    pub tlvs: Vec<(u16, Vec<u8>)>,
}

/// An information TLV with text; what the router wrote is tainted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tlv {
    /// Name of its type (`sys_name`), `unknown_N` for others.
    pub name: String,
    /// Its text; bytes that are no UTF-8 are replaced.
    pub value: String,
}
