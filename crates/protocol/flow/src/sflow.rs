//! sFlow version 5 (sflow.org, "sFlow Version 5", July 2004): sampled packets; counter samples are stepped over and counted.

use crate::error::FlowError;
use crate::packet::{self, Packet};
use crate::reader::Reader;
use crate::record::{Direction, FlowRecord, Protocol, Sampling, SamplingSource};
use bgp::Asn;
use core::net::IpAddr;

/// Smallest sample: type and length.
const SAMPLE_BYTES: usize = 8;
/// Segments of an AS path; more than this never fitted into a datagram.
const SEGMENTS_MAX: u32 = 256;
/// Compact interface of format 0 with this value: not known.
const INTERFACE_UNKNOWN: u32 = 0x3fff_ffff;

/// What a datagram says.
#[derive(Debug, Default)]
pub(crate) struct Datagram {
    /// Sub-agent.
    pub domain: u32,
    pub sequence: u32,
    pub records: Vec<FlowRecord>,
    pub counter_samples: u64,
    /// Samples and records of kinds that are not read here.
    pub skipped: u64,
    /// (sample source, packets that the agent itself could not sample so far).
    pub drops: Vec<(u32, u32)>,
    /// Faults; each cost one sample.
    pub errors: Vec<FlowError>,
}

struct Sample {
    /// ifIndex of the sampling interface (class 0).
    source: Option<u32>,
    rate: u32,
    ingress: Option<u32>,
    egress: Option<u32>,
}

#[derive(Default)]
struct Told {
    packet: Option<Packet>,
    frame_bytes: Option<u64>,
    next_hop: Option<IpAddr>,
    source_as: Option<Asn>,
    destination_as: Option<Asn>,
    vlan: Option<u16>,
}

fn address(reader: &mut Reader<'_>) -> Result<Option<IpAddr>, FlowError> {
    let offset = reader.offset();
    let address = match reader.u32("address type")? {
        0 => return Ok(None),
        1 => IpAddr::V4(reader.ipv4("address")?),
        2 => IpAddr::V6(reader.ipv6("address")?),
        kind => return Err(FlowError::AddressType { offset, kind }),
    };
    Ok((!address.is_unspecified()).then_some(address))
}

/// Reads a datagram whose version was read already.
///
/// ```text
/// | version 5 (4) | agent: type (4), address (4 or 16) | sub-agent (4) | sequence (4) | uptime ms (4) | samples (4) |
/// | sample: enterprise:20 format:12 (4) | length (4) | … |
/// ```
pub(crate) fn read(exporter: IpAddr, reader: &mut Reader<'_>, now_ns: i64) -> Result<Datagram, FlowError> {
    address(reader)?;
    let mut out = Datagram { domain: reader.u32("sub-agent")?, sequence: reader.u32("sequence")?, ..Datagram::default() };
    reader.u32("uptime")?;
    let count_at = reader.offset();
    let count = reader.u32("samples")?;
    if count as usize > reader.left() / SAMPLE_BYTES {
        return Err(FlowError::Count { offset: count_at, what: "samples", count, left: reader.left() });
    }
    for _ in 0..count {
        let format = reader.u32("sample type")?;
        let length = reader.u32("sample length")?;
        let mut body = reader.sub(length as usize, "sample")?;
        let read = match format {
            1 => flow_sample(&mut body, false, &mut out),
            3 => flow_sample(&mut body, true, &mut out),
            2 | 4 => {
                out.counter_samples += 1;
                continue;
            }
            _ => {
                out.skipped += 1;
                continue;
            }
        };
        match read {
            Ok((sample, told)) => match record(exporter, out.domain, &sample, &told, now_ns) {
                Some(record) => out.records.push(record),
                None => out.skipped += 1,
            },
            Err(error) => out.errors.push(error),
        }
    }
    Ok(out)
}

/// Compact: two bits of format, thirty of value; only format 0 is one interface.
const fn compact(raw: u32) -> Option<u32> {
    interface(raw >> 30, raw & 0x3fff_ffff)
}

const fn interface(format: u32, value: u32) -> Option<u32> {
    if format == 0 && value != 0 && value != INTERFACE_UNKNOWN { Some(value) } else { None }
}

fn flow_sample(reader: &mut Reader<'_>, expanded: bool, out: &mut Datagram) -> Result<(Sample, Told), FlowError> {
    reader.u32("sample sequence")?;
    let source = if expanded {
        let class = reader.u32("source class")?;
        class << 24 | reader.u32("source index")? & 0x00ff_ffff
    } else {
        reader.u32("source")?
    };
    let rate = reader.u32("sampling rate")?;
    reader.u32("sample pool")?;
    out.drops.push((source, reader.u32("drops")?));
    let (ingress, egress) = if expanded {
        let input = (reader.u32("input format")?, reader.u32("input")?);
        let output = (reader.u32("output format")?, reader.u32("output")?);
        (interface(input.0, input.1), interface(output.0, output.1))
    } else {
        (compact(reader.u32("input")?), compact(reader.u32("output")?))
    };
    let count_at = reader.offset();
    let count = reader.u32("records")?;
    if count as usize > reader.left() / SAMPLE_BYTES {
        return Err(FlowError::Count { offset: count_at, what: "records", count, left: reader.left() });
    }
    let mut told = Told::default();
    for _ in 0..count {
        let format = reader.u32("record type")?;
        let length = reader.u32("record length")?;
        let mut body = reader.sub(length as usize, "record")?;
        flow_record(format, &mut body, &mut told, &mut out.skipped)?;
    }
    Ok((Sample { source: (source >> 24 == 0).then_some(source), rate, ingress, egress }, told))
}

fn flow_record(format: u32, body: &mut Reader<'_>, told: &mut Told, skipped: &mut u64) -> Result<(), FlowError> {
    match format {
        1 => raw_header(body, told)?,
        3 | 4 => {
            let bytes = u64::from(body.u32("length")?);
            body.u32("protocol")?;
            let (source, destination) = if format == 3 {
                (body.ipv4("source")?.into(), body.ipv4("destination")?.into())
            } else {
                (body.ipv6("source")?.into(), body.ipv6("destination")?.into())
            };
            told.packet.get_or_insert(Packet { source, destination, bytes: Some(bytes), vlan: None, before_ip: 0 });
        }
        1001 => {
            let vlan = body.u32("source VLAN")?;
            told.vlan = u16::try_from(vlan).ok().filter(|v| (1..4095).contains(v));
        }
        1002 => told.next_hop = told.next_hop.or(address(body)?),
        1003 => gateway(body, told)?,
        _ => *skipped += 1,
    }
    Ok(())
}

/// Reads a sampled header: protocol, frame length, bytes stripped, then the first bytes of the packet.
fn raw_header(body: &mut Reader<'_>, told: &mut Told) -> Result<(), FlowError> {
    let protocol = body.u32("header protocol")?;
    let (frame, stripped) = (body.u32("frame length")?, body.u32("stripped")?);
    let length = body.u32("header length")?;
    let mut header = body.sub(length as usize, "header")?;
    let packet = match protocol {
        1 => packet::ethernet(&mut header)?,
        11 => Some(packet::ipv4(&mut header)?),
        12 => Some(packet::ipv6(&mut header)?),
        _ => None,
    };
    told.frame_bytes = Some(u64::from(frame.saturating_sub(stripped)));
    told.packet = packet.or(told.packet);
    Ok(())
}

/// Reads an extended gateway: BGP next hop, own, source and peer AS, the path to the destination; communities are not needed here.
fn gateway(body: &mut Reader<'_>, told: &mut Told) -> Result<(), FlowError> {
    let asn = |n: u32| (n > 0).then_some(Asn(n));
    // the BGP next hop says more than the router's own
    told.next_hop = address(body)?.or(told.next_hop);
    body.u32("router AS")?;
    told.source_as = asn(body.u32("source AS")?);
    body.u32("source peer AS")?;
    let count_at = body.offset();
    let count = body.u32("AS path segments")?;
    if count > SEGMENTS_MAX {
        return Err(FlowError::Count { offset: count_at, what: "AS path segments", count, left: body.left() });
    }
    for _ in 0..count {
        body.u32("segment type")?;
        let length_at = body.offset();
        let length = body.u32("segment length")?;
        if length as usize > body.left() / 4 {
            return Err(FlowError::Count { offset: length_at, what: "ASes", count: length, left: body.left() });
        }
        for _ in 0..length {
            told.destination_as = asn(body.u32("AS")?).or(told.destination_as);
        }
    }
    Ok(())
}

fn record(exporter: IpAddr, domain: u32, sample: &Sample, told: &Told, now_ns: i64) -> Option<FlowRecord> {
    let packet = told.packet?;
    let bytes = packet.bytes.or_else(|| Some(told.frame_bytes?.saturating_sub(packet.before_ip)))?;
    let sampling = match sample.rate {
        0 => Sampling::NOT_TOLD,
        rate => Sampling { sampled: 1, population: u64::from(rate), source: SamplingSource::Record },
    };
    Some(FlowRecord {
        exporter,
        protocol: Protocol::Sflow5,
        domain,
        start_ns: now_ns,
        end_ns: now_ns,
        ingress: sample.ingress,
        egress: sample.egress,
        source: Some(packet.source),
        destination: Some(packet.destination),
        next_hop: told.next_hop,
        source_as: told.source_as,
        destination_as: told.destination_as,
        vlan: packet.vlan.or(told.vlan),
        direction: match sample.source {
            source if source.is_none() || sample.ingress == sample.egress => None,
            source if source == sample.ingress => Some(Direction::Ingress),
            source if source == sample.egress => Some(Direction::Egress),
            _ => None,
        },
        bytes,
        packets: 1,
        scaled_bytes: sampling.scale(bytes),
        scaled_packets: sampling.scale(1),
        sampling,
    })
}
