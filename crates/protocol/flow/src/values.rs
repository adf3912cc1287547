//! The values of one data record that mean something here, and the flow record they make.

use crate::error::FlowError;
use crate::reader::Reader;
use crate::record::{Direction, FlowRecord, Protocol, Sampling};
use bgp::Asn;
use core::net::IpAddr;
use netgauze_flow_pkt::ie::{Field, IE, flowDirection};
use netgauze_parse_utils::reader::SliceReader;
use netgauze_parse_utils::traits::ParseFromWithTwoInputs;

/// Seconds from 1900 (NTP, RFC 7011 §6.1.9) to 1970.
const NTP_TO_UNIX_S: i64 = 2_208_988_800;
const NS_PER_S: i64 = 1_000_000_000;
const NS_PER_MS: i64 = 1_000_000;

/// Says whether an element changes anything here; values of others are stepped over unread.
pub(crate) const fn wanted(element: &IE) -> bool {
    matches!(
        element,
        IE::octetDeltaCount
            | IE::packetDeltaCount
            | IE::postOctetDeltaCount
            | IE::postPacketDeltaCount
            | IE::sourceIPv4Address
            | IE::destinationIPv4Address
            | IE::sourceIPv6Address
            | IE::destinationIPv6Address
            | IE::ipNextHopIPv4Address
            | IE::ipNextHopIPv6Address
            | IE::bgpNextHopIPv4Address
            | IE::bgpNextHopIPv6Address
            | IE::ingressInterface
            | IE::egressInterface
            | IE::bgpSourceAsNumber
            | IE::bgpDestinationAsNumber
            | IE::flowDirection
            | IE::vlanId
            | IE::dot1qVlanId
            | IE::samplingInterval
            | IE::samplerId
            | IE::samplerRandomInterval
            | IE::selectorId
            | IE::samplingPacketInterval
            | IE::samplingPacketSpace
            | IE::samplingSize
            | IE::samplingPopulation
    ) || time(element)
}

const fn time(element: &IE) -> bool {
    matches!(
        element,
        IE::flowStartSysUpTime
            | IE::flowEndSysUpTime
            | IE::flowStartSeconds
            | IE::flowEndSeconds
            | IE::flowStartMilliseconds
            | IE::flowEndMilliseconds
            | IE::flowStartMicroseconds
            | IE::flowEndMicroseconds
            | IE::flowStartNanoseconds
            | IE::flowEndNanoseconds
            | IE::flowStartDeltaMicroseconds
            | IE::flowEndDeltaMicroseconds
            | IE::systemInitTimeMilliseconds
    )
}

/// A point in time as the formats spell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Nanoseconds since the Unix epoch.
    Unix(i64),
    /// Milliseconds since the device started, modulo 2^32.
    Uptime(u32),
    /// Microseconds before the export time.
    Before(u32),
}

/// When the exporter says a datagram left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// Nanoseconds since the Unix epoch.
    pub export_ns: i64,
    /// Milliseconds since the device started, modulo 2^32, at that moment; `None`: not told.
    pub uptime_ms: Option<u32>,
}

impl Clock {
    fn resolve(&self, moment: Moment) -> Option<i64> {
        match moment {
            Moment::Unix(ns) => Some(ns),
            Moment::Before(us) => Some(self.export_ns.saturating_sub(i64::from(us) * 1000)),
            // the difference survives the wrap after 49.7 days; a little below zero is a clock read twice
            Moment::Uptime(ms) => {
                let age = self.uptime_ms?.wrapping_sub(ms).cast_signed();
                Some(self.export_ns.saturating_sub(i64::from(age) * NS_PER_MS))
            }
        }
    }
}

/// What a record told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values {
    octets: Option<u64>,
    packets: Option<u64>,
    post_octets: Option<u64>,
    post_packets: Option<u64>,
    source: Option<IpAddr>,
    destination: Option<IpAddr>,
    next_hop: Option<IpAddr>,
    bgp_next_hop: Option<IpAddr>,
    ingress: Option<u32>,
    egress: Option<u32>,
    source_as: Option<u32>,
    destination_as: Option<u32>,
    direction: Option<Direction>,
    vlan: Option<u16>,
    start: Option<Moment>,
    end: Option<Moment>,
    /// systemInitTimeMilliseconds: when the device started, milliseconds since the Unix epoch.
    pub init_ms: Option<u64>,
    pub sampler_id: Option<u32>,
    pub selector_id: Option<u64>,
    interval: Option<u32>,
    random_interval: Option<u32>,
    packet_interval: Option<u32>,
    packet_space: Option<u32>,
    size: Option<u32>,
    population: Option<u32>,
}

/// Keeps the first: a record that repeats an element (a tunnel's inner header) tells the outer one first (RFC 7011 §8).
fn first<T>(slot: &mut Option<T>, value: T) {
    slot.get_or_insert(value);
}

/// As [`first`], for addresses: the unspecified one is how a template of both families leaves one out.
fn address(slot: &mut Option<IpAddr>, value: IpAddr) {
    if !value.is_unspecified() {
        slot.get_or_insert(value);
    }
}

fn moment(element: IE, value: &mut Reader<'_>) -> Result<Moment, FlowError> {
    let (offset, length) = (value.offset(), value.left());
    let wrong = || FlowError::Value { offset, what: element.to_string(), why: format!("{length} bytes are no such time") };
    let number = |v: &[u8]| v.iter().fold(0_u64, |n, b| n << 8 | u64::from(*b));
    let raw = number(value.take(length.min(8), "time")?);
    let short = || u32::try_from(raw).map_err(|_| wrong());
    let signed = || i64::try_from(raw).map_err(|_| wrong());
    if length > 8 {
        return Err(wrong());
    }
    Ok(match element {
        IE::flowStartSysUpTime | IE::flowEndSysUpTime => Moment::Uptime(short()?),
        IE::flowStartDeltaMicroseconds | IE::flowEndDeltaMicroseconds => Moment::Before(short()?),
        IE::flowStartSeconds | IE::flowEndSeconds => Moment::Unix(i64::from(short()?) * NS_PER_S),
        IE::flowStartMilliseconds | IE::flowEndMilliseconds => Moment::Unix(signed()?.checked_mul(NS_PER_MS).ok_or_else(wrong)?),
        // seconds since 1900 and a binary fraction (RFC 7011 §6.1.9); netgauze counts these from 1970
        _ if length == 8 => {
            let seconds = i64::try_from(raw >> 32).map_err(|_| wrong())? - NTP_TO_UNIX_S;
            let nanos = i64::try_from(((raw & 0xffff_ffff) * 1_000_000_000) >> 32).map_err(|_| wrong())?;
            Moment::Unix(seconds * NS_PER_S + nanos)
        }
        _ => return Err(wrong()),
    })
}

impl Values {
    /// Takes one field.
    pub fn take(&mut self, element: IE, mut value: Reader<'_>) -> Result<(), FlowError> {
        if time(&element) {
            return self.take_time(element, &mut value);
        }
        let (offset, bytes) = (value.offset(), value.rest());
        let wrong = |why: String| FlowError::Value { offset, what: element.to_string(), why };
        let length = u16::try_from(bytes.len()).map_err(|e| wrong(e.to_string()))?;
        let field = Field::parse(&mut SliceReader::new(bytes), &element, length).map_err(|e| wrong(e.to_string()))?;
        match field {
            Field::octetDeltaCount(n) => first(&mut self.octets, n),
            Field::packetDeltaCount(n) => first(&mut self.packets, n),
            Field::postOctetDeltaCount(n) => first(&mut self.post_octets, n),
            Field::postPacketDeltaCount(n) => first(&mut self.post_packets, n),
            Field::sourceIPv4Address(a) => address(&mut self.source, a.into()),
            Field::sourceIPv6Address(a) => address(&mut self.source, a.into()),
            Field::destinationIPv4Address(a) => address(&mut self.destination, a.into()),
            Field::destinationIPv6Address(a) => address(&mut self.destination, a.into()),
            Field::ipNextHopIPv4Address(a) => address(&mut self.next_hop, a.into()),
            Field::ipNextHopIPv6Address(a) => address(&mut self.next_hop, a.into()),
            Field::bgpNextHopIPv4Address(a) => address(&mut self.bgp_next_hop, a.into()),
            Field::bgpNextHopIPv6Address(a) => address(&mut self.bgp_next_hop, a.into()),
            Field::ingressInterface(n) => first(&mut self.ingress, n),
            Field::egressInterface(n) => first(&mut self.egress, n),
            Field::bgpSourceAsNumber(n) => first(&mut self.source_as, n),
            Field::bgpDestinationAsNumber(n) => first(&mut self.destination_as, n),
            Field::flowDirection(flowDirection::ingress) => first(&mut self.direction, Direction::Ingress),
            Field::flowDirection(flowDirection::egress) => first(&mut self.direction, Direction::Egress),
            Field::vlanId(n) | Field::dot1qVlanId(n) => first(&mut self.vlan, n),
            Field::samplerId(n) => first(&mut self.sampler_id, n),
            Field::selectorId(n) => first(&mut self.selector_id, n),
            Field::samplingInterval(n) => first(&mut self.interval, n),
            Field::samplerRandomInterval(n) => first(&mut self.random_interval, n),
            Field::samplingPacketInterval(n) => first(&mut self.packet_interval, n),
            Field::samplingPacketSpace(n) => first(&mut self.packet_space, n),
            Field::samplingSize(n) => first(&mut self.size, n),
            Field::samplingPopulation(n) => first(&mut self.population, n),
            _ => {}
        }
        Ok(())
    }

    fn take_time(&mut self, element: IE, value: &mut Reader<'_>) -> Result<(), FlowError> {
        match element {
            IE::systemInitTimeMilliseconds => {
                let bytes = value.rest().iter();
                first(&mut self.init_ms, bytes.fold(0, |n, b| n << 8 | u64::from(*b)));
            }
            IE::flowStartSysUpTime
            | IE::flowStartSeconds
            | IE::flowStartMilliseconds
            | IE::flowStartMicroseconds
            | IE::flowStartNanoseconds
            | IE::flowStartDeltaMicroseconds => first(&mut self.start, moment(element, value)?),
            _ => first(&mut self.end, moment(element, value)?),
        }
        Ok(())
    }

    /// Returns (sampled, population) where the record says both; never a zero, never more sampled than passed.
    pub fn rate(&self) -> Option<(u64, u64)> {
        let nonzero = |n: Option<u32>| n.filter(|n| *n > 0).map(u64::from);
        let interval = |n: Option<u32>| nonzero(n).map(|n| (1, n));
        let of_population = nonzero(self.size).zip(nonzero(self.population));
        // RFC 5477 §8.2.2: `interval` packets are taken, then `space` are not
        let spaced = || nonzero(self.packet_interval).zip(self.packet_space).map(|(taken, space)| (taken, taken + u64::from(space)));
        let rate = of_population.or_else(spaced).or_else(|| interval(self.interval)).or_else(|| interval(self.random_interval));
        rate.filter(|(sampled, population)| population >= sampled)
    }

    /// Says whether the record has the volume of a flow.
    pub const fn is_flow(&self) -> bool {
        self.octets.is_some() || self.post_octets.is_some()
    }

    /// Makes the flow record; `None` without a volume. What is not told about time is the time of export.
    pub fn into_record(self, exporter: IpAddr, protocol: Protocol, domain: u32, clock: Clock, sampling: Sampling) -> Option<FlowRecord> {
        let bytes = self.octets.or(self.post_octets)?;
        let packets = self.packets.or(self.post_packets).unwrap_or(0);
        let start = self.start.and_then(|m| clock.resolve(m));
        let end = self.end.and_then(|m| clock.resolve(m)).or(start).unwrap_or(clock.export_ns);
        let asn = |n: Option<u32>| n.filter(|n| *n > 0).map(Asn);
        Some(FlowRecord {
            exporter,
            protocol,
            domain,
            start_ns: start.unwrap_or(end).min(end),
            end_ns: end,
            ingress: self.ingress,
            egress: self.egress.filter(|i| *i > 0),
            source: self.source,
            destination: self.destination,
            next_hop: self.bgp_next_hop.or(self.next_hop),
            source_as: asn(self.source_as),
            destination_as: asn(self.destination_as),
            vlan: self.vlan.filter(|v| *v > 0),
            direction: self.direction,
            bytes,
            packets,
            scaled_bytes: sampling.scale(bytes),
            scaled_packets: sampling.scale(packets),
            sampling,
        })
    }
}
