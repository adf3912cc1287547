//! The live picture: tables, sessions, interfaces, probes and volumes, each with its age.

use crate::CountedMinutes;
use crate::{BmpSession, FlowVolumes, GnmiSession, Hardware, Inventory, Memory, Origins, Reports};
use action::{DeviceId, ExitId, GroupId};
use bgp::{Asn, Family, PathAttributes, Prefix};
use bmp::{AfiSafi, Capability, Open, PeerUp};
use config::RouterConfig;
use core::net::{IpAddr, Ipv4Addr};
use rib::Rib;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use units::Timestamp;

/// How many probe samples are kept per probe (at 20/s: one minute).
pub const PROBE_HISTORY: usize = 1200;
/// How many repairs are remembered by name per device; the count goes on.
pub const REPAIR_HISTORY: usize = 64;

/// Everything known about the network at one sequence number of the log. Cloning is cheap enough to hand to a simulation: tables
/// are shared until written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// The static knowledge.
    pub inventory: Arc<Inventory>,
    /// Per device.
    pub devices: BTreeMap<DeviceId, Device>,
    /// What the routers told of their peers' tables.
    #[serde(default)]
    pub(crate) tables: Arc<Rib>,
    /// When all devices were looked at.
    #[serde(default)]
    pub(crate) ticked: Timestamp,
    /// Probe results.
    #[serde(with = "as_pairs")]
    pub probes: BTreeMap<ProbeKey, Probe>,
    /// Measured outbound volume per exit and prefix.
    #[serde(with = "as_pairs")]
    pub volumes: BTreeMap<(ExitId, Prefix), Volume>,
    /// Flow export of the last minutes.
    #[serde(default)]
    pub flows: Arc<FlowVolumes>,
    /// When the volumes were last made of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volumes_filled: Option<Timestamp>,
    /// What devices said of themselves by syslog.
    #[serde(default)]
    pub reports: Reports,
    /// What origin validation goes by.
    #[serde(default, skip_serializing_if = "Origins::is_unasked")]
    pub origins: Origins,
}

/// One router as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// Age of the BMP feed.
    pub bmp: Freshness,
    /// Age of the gNMI feed.
    pub gnmi: Freshness,
    /// Where older builds kept what neighbours announced; now [`Network::tables`].
    #[serde(default, rename = "adj_ribs", skip_serializing, deserialize_with = "no_older_tables")]
    pub older_tables: (),
    /// Loc-RIB best routes, from gNMI (openconfig-rib-bgp).
    #[serde(with = "as_pairs")]
    pub loc_rib: Arc<BTreeMap<Prefix, LocRoute>>,
    /// It told a best route once: from then on an empty table is an answer.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub loc_rib_told: bool,
    /// BGP sessions of the default network instance by neighbour address.
    #[serde(with = "as_pairs")]
    pub sessions: BTreeMap<IpAddr, Session>,
    /// BGP sessions of other network instances than the default one, as gNMI tells of them, by instance and neighbour address.
    #[serde(default, with = "as_pairs", skip_serializing_if = "BTreeMap::is_empty")]
    pub instance_sessions: BTreeMap<(String, IpAddr), Session>,
    /// Interfaces by name.
    pub interfaces: BTreeMap<String, Interface>,
    /// CPU use, 0–1.
    pub cpu: Option<f64>,
    /// Memory use, 0–1.
    pub memory: Option<f64>,
    /// When the two were reported last.
    #[serde(default)]
    pub system_at: SystemTimes,
    /// Processors, memory, temperature, power and light by component.
    #[serde(default)]
    pub hardware: Hardware,
    /// The running configuration, once read.
    pub config: Option<Arc<DeviceConfig>>,
    /// Sender faults that were corrected, by name.
    pub repairs: BTreeMap<String, RouteRepair>,
    /// Messages that could not be decoded.
    pub malformed: u64,
    /// Text of the last undecodable message's error.
    pub last_malformed: Option<String>,
    /// State of the BMP session: what is needed to read its next message, and its counters.
    #[serde(default)]
    pub bmp_session: BmpSession,
    /// State of the gNMI subscription: what is needed to join its next update.
    #[serde(default)]
    pub gnmi_session: GnmiSession,
    /// Why the configuration could not be read the last time; `None` after a success.
    #[serde(default)]
    pub config_failure: Option<String>,
}

/// When the readings of a device's own load came, by its clock where it is believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemTimes {
    /// CPU.
    pub cpu: Option<Timestamp>,
    /// Memory.
    pub memory: Option<Timestamp>,
}

/// Packets that an interface could not take or send, as it counts them since its own beginning: (time of the read, count).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorCounters {
    /// `in-errors`.
    pub input: Option<(Timestamp, u64)>,
    /// `out-errors`.
    pub output: Option<(Timestamp, u64)>,
}

/// A named correction of a known sender fault.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteRepair {
    /// How often.
    pub count: u64,
    /// When first.
    pub first: Timestamp,
    /// When first in the last session in which it was made.
    #[serde(default)]
    pub session: Timestamp,
}

/// How old a feed is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Freshness {
    /// Never connected.
    #[default]
    Unknown,
    /// Connected; the initial state is still arriving.
    Initial {
        /// Since.
        since: Timestamp,
        /// Last message.
        last: Timestamp,
    },
    /// Up to date.
    Synced {
        /// Last message.
        last: Timestamp,
    },
    /// The transport is lost; what is shown is as of then.
    Stale {
        /// Since.
        since: Timestamp,
    },
}

/// A best route in a router's own table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocRoute {
    /// Attributes as the router reports them (LOCAL_PREF and MED present where the router has them).
    pub attributes: Arc<PathAttributes>,
}

/// Which session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SessionKey {
    /// Our router.
    pub device: DeviceId,
    /// Neighbour address.
    pub neighbor: IpAddr,
}

/// The six states of RFC 4271 §8.2.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// Idle.
    #[default]
    Idle,
    /// Connect.
    Connect,
    /// Active.
    Active,
    /// OpenSent.
    OpenSent,
    /// OpenConfirm.
    OpenConfirm,
    /// Established.
    Established,
}

/// One BGP session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// State, from gNMI where known, else from BMP peer up/down.
    pub state: SessionState,
    /// Administratively shut down.
    pub admin_down: bool,
    /// Remote AS.
    pub remote_as: Option<Asn>,
    /// Prefixes received and accepted per family, as the router counts them.
    pub received: BTreeMap<Family, u64>,
    /// Prefixes advertised to the peer per family, as the router counts them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sent: BTreeMap<Family, u64>,
    /// What both sides said when the session came up; `None` until BMP told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened: Option<Opened>,
    /// When the state last changed, by our clock.
    pub since: Timestamp,
    /// Last reason for going down, in the router's words (tainted).
    pub last_down: Option<String>,
    /// Transitions out of Established seen by us.
    pub flaps: u64,
}

/// What BMP's Peer Up tells of a session (RFC 7854 §4.10).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The router's own address.
    pub local_address: IpAddr,
    /// The router's own AS, as it told the peer; absent: the router does not say it.
    pub local_as: Option<Asn>,
    /// The peer's BGP identifier.
    pub remote_id: Ipv4Addr,
    /// The smaller of the two hold times, seconds; 0: no keepalives (RFC 4271 §4.2); absent: the router does not say both.
    pub hold_time_s: Option<u16>,
    /// Families that both sides offered (RFC 4760 §8); IPv4 unicast where neither side speaks of families; none where the router does not say
    /// what both offered.
    pub families: Vec<AfiSafi>,
}

impl Opened {
    pub(crate) fn of(up: &PeerUp) -> Self {
        let offered = |open: &Open| -> BTreeSet<AfiSafi> {
            let families = open.capabilities.iter().filter_map(|c| if let Capability::MultiProtocol(f) = c { Some(*f) } else { None });
            let families: BTreeSet<AfiSafi> = families.collect();
            if families.is_empty() { BTreeSet::from([AfiSafi::from(Family::Ipv4Unicast)]) } else { families }
        };
        let both = up.sent_open.as_ref().zip(up.received_open.as_ref());
        Self {
            local_address: up.local_address,
            local_as: up.sent_open.as_ref().map(|open| open.asn),
            remote_id: up.received_open.as_ref().map_or(up.peer.bgp_id, |open| open.bgp_id),
            hold_time_s: both.map(|(sent, received)| sent.hold_time_s.min(received.hold_time_s)),
            families: both.map_or_else(Vec::new, |(a, b)| offered(a).intersection(&offered(b)).copied().collect()),
        }
    }
}

/// One interface.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Interface {
    /// Operationally up.
    pub oper_up: Option<bool>,
    /// Administratively up.
    pub admin_up: Option<bool>,
    /// ifIndex (RFC 2863), as flow export names the interface; `/interfaces/interface/state/ifindex`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ifindex: Option<u32>,
    /// When its state last changed, by the device (`/interfaces/interface/state/last-change`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_change: Option<Timestamp>,
    /// Last octet counters and when: (time, in, out).
    pub octets: Option<(Timestamp, u64, u64)>,
    /// Rates from the last two counter reads, bit/s: (in, out). Never negative: a counter that fell gives `None`.
    pub rate_bps: Option<(f64, f64)>,
    /// What it carried in the last minutes, to hold against flow accounts.
    #[serde(default)]
    pub minutes: CountedMinutes,
    /// Error counters.
    #[serde(default)]
    pub errors: ErrorCounters,
}

/// Which probe.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProbeKey {
    /// Router it starts from.
    pub device: DeviceId,
    /// Pinned to this exit; `None`: takes the path that the routers choose.
    pub exit: Option<ExitId>,
    /// Target group.
    pub group: GroupId,
    /// Family.
    pub family: Family,
}

/// Results of one probe.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// The newest last; at most `PROBE_HISTORY` of them.
    pub samples: VecDeque<ProbeSample>,
    /// Probe rate the device reports, packets per second.
    pub rate_hz: Option<f64>,
    /// Who measures.
    #[serde(default)]
    pub source: ProbeSource,
}

/// Who measures delay and loss; named on every value (openconfig-probes and the vendors' own).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeSource {
    /// The node's own probe in the manner of STAMP (RFC 8762): forward delay by synchronised clocks.
    #[default]
    Stamp,
    /// Cisco IP SLA: round trip.
    IpSla,
    /// Juniper RPM: round trip.
    Rpm,
    /// TWAMP (RFC 5357): round trip.
    Twamp,
}

impl ProbeSource {
    /// Returns the name, as in views, tags and profiles.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stamp => "stamp",
            Self::IpSla => "ip_sla",
            Self::Rpm => "rpm",
            Self::Twamp => "twamp",
        }
    }

    /// Returns the source with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Stamp, Self::IpSla, Self::Rpm, Self::Twamp].into_iter().find(|s| s.name() == name)
    }

    /// Says whether its delays are half the round trip, because it cannot tell one way from the other.
    #[must_use]
    pub const fn is_half_round_trip(self) -> bool {
        !matches!(self, Self::Stamp)
    }
}

/// One measuring interval of a probe; [`Probe::source`] says who measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeSample {
    /// End of the interval, device time.
    pub at: Timestamp,
    /// Packets whose fate is known in this interval.
    pub sent: u32,
    /// Packets that arrived at the target.
    pub received: u32,
    /// Forward delay, milliseconds: mean of those that arrived; `None` when none did. Half the round trip where the source knows no more.
    pub delay_ms: Option<f64>,
    /// Smallest and largest forward delay, milliseconds.
    pub delay_ms_min_max: Option<(f64, f64)>,
    /// Round-trip time, milliseconds, mean.
    pub rtt_ms: Option<f64>,
}

/// Measured volume toward one prefix at one exit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Volume {
    /// Outbound bit/s over the last interval.
    pub bps: f64,
    /// Until when it is the newest that is known: the end of the interval, or for flow export, which tells late, when it was last confirmed.
    pub at: Timestamp,
    /// Who says so.
    #[serde(default)]
    pub source: VolumeSource,
}

/// Who accounts a volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VolumeSource {
    /// The router itself, per prefix (the node's `/volumes`).
    #[default]
    Node,
    /// Flow export, matched with our tables ([`FlowVolumes`]).
    Flow,
}

/// A configuration as read from a device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceConfig {
    /// When.
    pub at: Timestamp,
    /// Digest, hex SHA-256.
    pub digest: String,
    /// Native text.
    pub text: String,
    /// Parsed.
    pub model: RouterConfig,
}

impl Device {
    /// Returns used and physical memory in bytes, once both were reported.
    #[must_use]
    pub fn memory_bytes(&self) -> Option<(u64, u64)> {
        self.hardware.memory().and_then(Memory::bytes)
    }
}

impl Network {
    /// Returns the time that the picture is of: when all devices were last looked at, at most a tenth of a second before the newest message.
    #[must_use]
    pub const fn moment(&self) -> Timestamp {
        self.ticked
    }

    /// Makes the empty picture of an inventory.
    #[must_use]
    pub fn new(inventory: Inventory) -> Self {
        let devices = inventory.devices.iter().map(|d| (d.id.clone(), Device::default())).collect();
        Self {
            inventory: Arc::new(inventory),
            devices,
            tables: Arc::default(),
            ticked: Timestamp::EPOCH,
            probes: BTreeMap::new(),
            volumes: BTreeMap::new(),
            flows: Arc::default(),
            volumes_filled: None,
            reports: Reports::default(),
            origins: Origins::default(),
        }
    }
}

/// Refuses a state with tables as older builds wrote them: they did not say whose they were. Every capture of theirs begins with none.
fn no_older_tables<'de, D: serde::Deserializer<'de>>(d: D) -> Result<(), D::Error> {
    let tables = Vec::<serde::de::IgnoredAny>::deserialize(d)?;
    let refused = "this state holds tables of an older build (adj_ribs), which do not say whose routes they are; play it with that build";
    if tables.is_empty() { Ok(()) } else { Err(serde::de::Error::custom(refused)) }
}

/// Serialises maps with structured keys as lists of pairs, in key order.
pub(crate) mod as_pairs {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<'a, M, K, V, S>(map: &'a M, s: S) -> Result<S::Ok, S::Error>
    where
        M: AsMap<K, V>,
        K: Serialize + 'a,
        V: Serialize + 'a,
        S: Serializer,
    {
        s.collect_seq(map.pairs())
    }

    pub fn deserialize<'de, M, K, V, D>(d: D) -> Result<M, D::Error>
    where
        M: AsMap<K, V>,
        K: Deserialize<'de>,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(M::from_pairs(Vec::<(K, V)>::deserialize(d)?))
    }

    use std::collections::BTreeMap;
    use std::sync::Arc;

    /// A map behind zero or one `Arc`, or a set of pairs.
    pub trait AsMap<K, V> {
        fn pairs(&self) -> Vec<(&K, &V)>;
        fn from_pairs(pairs: Vec<(K, V)>) -> Self;
    }

    impl<K: Ord, V> AsMap<K, V> for BTreeMap<K, V> {
        fn pairs(&self) -> Vec<(&K, &V)> {
            self.iter().collect()
        }
        fn from_pairs(pairs: Vec<(K, V)>) -> Self {
            pairs.into_iter().collect()
        }
    }

    impl<K: Ord, V> AsMap<K, V> for Arc<BTreeMap<K, V>> {
        fn pairs(&self) -> Vec<(&K, &V)> {
            self.iter().collect()
        }
        fn from_pairs(pairs: Vec<(K, V)>) -> Self {
            Arc::new(pairs.into_iter().collect())
        }
    }
}
