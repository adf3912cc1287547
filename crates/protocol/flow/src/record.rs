//! One flow as every format tells it.

use bgp::Asn;
use core::net::IpAddr;
use serde::{Deserialize, Serialize};

/// Which format told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// NetFlow version 5 (Cisco).
    Netflow5,
    /// NetFlow version 9 (RFC 3954).
    Netflow9,
    /// IPFIX (RFC 7011).
    Ipfix,
    /// sFlow version 5 (sflow.org).
    Sflow5,
}

/// On which side of the device the flow was seen (flowDirection, IANA element 61).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Where it entered the device.
    Ingress,
    /// Where it left the device.
    Egress,
}

/// Where the sampling rate of a record comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SamplingSource {
    /// Nobody told any: the figures stand as exported.
    NotTold,
    /// The record names a sampler whose rate was not told (yet): the figures stand as exported, and are too low.
    Unknown,
    /// The record itself (samplingInterval, or the rate of an sFlow sample).
    Record,
    /// The header (NetFlow v5).
    Header,
    /// The sampler table from options (samplerId, RFC 3954 §8).
    Sampler,
    /// The selector table from options (selectorId, RFC 5477 §8.2).
    Selector,
    /// Options of the whole observation domain.
    Domain,
}

/// Sampling: `sampled` of `population` packets were looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sampling {
    /// Packets looked at, of `population`; at least 1.
    pub sampled: u64,
    /// Packets that passed; at least `sampled`.
    pub population: u64,
    /// Who says so.
    pub source: SamplingSource,
}

impl Sampling {
    /// Every packet, as far as was told.
    pub const NOT_TOLD: Self = Self { sampled: 1, population: 1, source: SamplingSource::NotTold };

    /// Returns what `count` sampled units stand for, rounded down; saturates.
    #[must_use]
    pub fn scale(&self, count: u64) -> u64 {
        let scaled = u128::from(count) * u128::from(self.population) / u128::from(self.sampled.max(1));
        u64::try_from(scaled).unwrap_or(u64::MAX)
    }
}

/// One flow record, or one sampled packet of sFlow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowRecord {
    /// Who sent the datagram; for sFlow the same, not the agent address inside.
    pub exporter: IpAddr,
    /// Format.
    pub protocol: Protocol,
    /// IPFIX observation domain, NetFlow v9 source id, NetFlow v5 engine type and id, sFlow sub-agent.
    pub domain: u32,
    /// First packet, nanoseconds since the Unix epoch, by the exporter's clock; the time of arrival when it tells none.
    pub start_ns: i64,
    /// Last packet, likewise; never before `start_ns`.
    pub end_ns: i64,
    /// Interface by which it came in, ifIndex.
    pub ingress: Option<u32>,
    /// Interface by which it went out, ifIndex; `None`: not told, dropped, or the device itself.
    pub egress: Option<u32>,
    /// Source address.
    pub source: Option<IpAddr>,
    /// Destination address.
    pub destination: Option<IpAddr>,
    /// Next hop: that of BGP where it is told, else of IP.
    pub next_hop: Option<IpAddr>,
    /// AS of the source as the exporter believes; 0 is told as `None`.
    pub source_as: Option<Asn>,
    /// AS of the destination, likewise.
    pub destination_as: Option<Asn>,
    /// VLAN of the ingress side.
    pub vlan: Option<u16>,
    /// Side of the device.
    pub direction: Option<Direction>,
    /// Octets as exported, IP header and payload (octetDeltaCount). With sFlow: of the sampled packet, read from its IP header.
    pub bytes: u64,
    /// Packets as exported; 1 with sFlow.
    pub packets: u64,
    /// `bytes` times the sampling rate.
    pub scaled_bytes: u64,
    /// `packets` times the sampling rate.
    pub scaled_packets: u64,
    /// The sampling rate and who told it.
    pub sampling: Sampling,
}
