//! NetFlow version 5: fixed records, no templates.

use crate::error::FlowError;
use crate::reader::Reader;
use crate::record::{FlowRecord, Protocol, Sampling, SamplingSource};
use bgp::Asn;
use core::net::{IpAddr, Ipv4Addr};

const RECORD_BYTES: usize = 48;

/// A datagram: who numbered it, and its flows.
pub(crate) struct Datagram {
    pub domain: u32,
    pub sequence: u32,
    pub records: Vec<FlowRecord>,
}

/// Reads a datagram whose version was read already.
///
/// ```text
/// | version (2) | count (2) | uptime ms (4) | unix s (4) | unix ns (4) | flow sequence (4) | engine type, id (1, 1) | mode:2 interval:14 |
/// | src (4) | dst (4) | next hop (4) | in, out ifIndex (2, 2) | packets (4) | octets (4) | first, last uptime ms (4, 4) | ports (2, 2)
/// | pad, flags, protocol, tos (1 each) | src, dst AS (2, 2) | masks (1, 1) | pad (2) |  — count times
/// ```
pub(crate) fn read(exporter: IpAddr, reader: &mut Reader<'_>) -> Result<Datagram, FlowError> {
    let count_at = reader.offset();
    let count = reader.u16("count")?;
    let uptime = reader.u32("sysUpTime")?;
    let (seconds, nanos) = (reader.u32("unix seconds")?, reader.u32("unix nanoseconds")?);
    let sequence = reader.u32("flow sequence")?;
    let domain = u32::from(reader.u16("engine")?);
    let interval = u64::from(reader.u16("sampling interval")? & 0x3fff);
    if usize::from(count) * RECORD_BYTES > reader.left() {
        return Err(FlowError::Count { offset: count_at, what: "records of 48 bytes", count: count.into(), left: reader.left() });
    }
    let sampling = match interval {
        0 => Sampling::NOT_TOLD,
        n => Sampling { sampled: 1, population: n, source: SamplingSource::Header },
    };
    let export_ns = i64::from(seconds) * 1_000_000_000 + i64::from(nanos.min(999_999_999));
    let at = |ms: u32| export_ns - i64::from(uptime.wrapping_sub(ms).cast_signed()) * 1_000_000;
    let mut records = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let (source, destination) = (reader.ipv4("source")?, reader.ipv4("destination")?);
        let next_hop = reader.ipv4("next hop")?;
        let (ingress, egress) = (reader.u16("input")?, reader.u16("output")?);
        let (packets, bytes) = (u64::from(reader.u32("packets")?), u64::from(reader.u32("octets")?));
        let (first, last) = (reader.u32("first")?, reader.u32("last")?);
        reader.take(8, "ports, flags, protocol")?;
        let asn = |n: u16| (n > 0).then_some(Asn(u32::from(n)));
        let (source_as, destination_as) = (asn(reader.u16("source AS")?), asn(reader.u16("destination AS")?));
        reader.take(4, "masks")?;
        let told = |a: Ipv4Addr| (!a.is_unspecified()).then_some(IpAddr::V4(a));
        records.push(FlowRecord {
            exporter,
            protocol: Protocol::Netflow5,
            domain,
            start_ns: at(first).min(at(last)),
            end_ns: at(last),
            ingress: Some(u32::from(ingress)),
            egress: (egress > 0).then_some(u32::from(egress)),
            source: told(source),
            destination: told(destination),
            next_hop: told(next_hop),
            source_as,
            destination_as,
            vlan: None,
            direction: None,
            bytes,
            packets,
            scaled_bytes: sampling.scale(bytes),
            scaled_packets: sampling.scale(packets),
            sampling,
        });
    }
    Ok(Datagram { domain, sequence, records })
}
