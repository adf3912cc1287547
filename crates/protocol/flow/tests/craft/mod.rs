//! Datagrams made by hand, field by field as the standards draw them.

#![allow(dead_code, reason = "each test file uses its part")]

use core::net::IpAddr;
use flow::Exporter;

pub const SECOND: i64 = 1_000_000_000;
/// 2026-11-23T12:00:00Z, seconds since the Unix epoch.
pub const EXPORT_S: u32 = 1_795_435_200;
pub const NOW: i64 = EXPORT_S as i64 * SECOND + 5;

pub fn exporter() -> Exporter {
    Exporter::new("192.0.2.1".parse().unwrap())
}

pub fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Appends big-endian numbers of given widths in bytes.
pub fn be(parts: &[(u64, usize)]) -> Vec<u8> {
    parts.iter().flat_map(|(value, width)| [[0; 32].as_slice(), &value.to_be_bytes()].concat()[40 - width..].to_vec()).collect()
}

pub fn set(id: u16, body: &[u8]) -> Vec<u8> {
    let mut out = be(&[(u64::from(id), 2), (body.len() as u64 + 4, 2)]);
    out.extend_from_slice(body);
    out
}

/// A template record: id, count, (element, length) pairs.
pub fn template(id: u16, fields: &[(u16, u16)]) -> Vec<u8> {
    let mut out = be(&[(u64::from(id), 2), (fields.len() as u64, 2)]);
    for (element, length) in fields {
        out.extend(be(&[(u64::from(*element), 2), (u64::from(*length), 2)]));
    }
    out
}

/// An IPFIX options template record with one scope field.
pub fn options(id: u16, fields: &[(u16, u16)]) -> Vec<u8> {
    let mut out = template(id, fields);
    out.splice(4..4, [0, 1]);
    out
}

pub fn ipfix_of(domain: u32, sequence: u32, sets: &[Vec<u8>]) -> Vec<u8> {
    let body = sets.concat();
    let mut out = be(&[(10, 2), (body.len() as u64 + 16, 2), (u64::from(EXPORT_S), 4), (u64::from(sequence), 4), (u64::from(domain), 4)]);
    out.extend(body);
    out
}

pub fn ipfix(sequence: u32, sets: &[Vec<u8>]) -> Vec<u8> {
    ipfix_of(7, sequence, sets)
}

/// NetFlow v9 of source 3, ten minutes after the start of the device.
pub fn v9(sequence: u32, sets: &[Vec<u8>]) -> Vec<u8> {
    v9_at(600_000, sequence, sets)
}

pub fn v9_at(uptime_ms: u32, sequence: u32, sets: &[Vec<u8>]) -> Vec<u8> {
    let mut out =
        be(&[(9, 2), (sets.len() as u64, 2), (u64::from(uptime_ms), 4), (u64::from(EXPORT_S), 4), (u64::from(sequence), 4), (3, 4)]);
    out.extend(sets.concat());
    out
}

/// octets, packets, source, destination, in, out: 8 + 4 + 4 + 4 + 4 + 4 = 28 bytes.
pub const PLAIN: [(u16, u16); 6] = [(1, 8), (2, 4), (8, 4), (12, 4), (10, 4), (14, 4)];

pub fn plain(octets: u64, packets: u64) -> Vec<u8> {
    be(&[(octets, 8), (packets, 4), (0xc633_6401, 4), (0xcb00_7105, 4), (11, 4), (12, 4)])
}

/// An IPv4 packet in an Ethernet frame with a VLAN tag: 38 bytes of headers, `length` in the IP header.
pub fn frame(length: u16) -> Vec<u8> {
    let mut out = vec![0xaa; 12];
    out.extend(be(&[(0x8100, 2), (0x2064, 2), (0x0800, 2), (0x4500, 2), (u64::from(length), 2), (0, 8)]));
    out.extend([198, 51, 100, 1, 203, 0, 113, 5]);
    out
}

pub fn words(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_be_bytes()).collect()
}

/// Type, length, body.
pub fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let mut out = words(&[kind, u32::try_from(body.len()).unwrap()]);
    out.extend_from_slice(body);
    out
}

/// Raw packet header of an Ethernet frame, padded to four bytes.
pub fn raw_header(frame_length: u32, header: &[u8]) -> Vec<u8> {
    let mut body = words(&[1, frame_length, 4, u32::try_from(header.len()).unwrap()]);
    body.extend_from_slice(header);
    body.resize(body.len().next_multiple_of(4), 0);
    block(1, &body)
}

/// Compact flow sample: rate 512, in 11, out 12.
pub fn flow_sample(drops: u32, records: &[Vec<u8>]) -> Vec<u8> {
    let mut body = words(&[1, 11, 512, 51_200, drops, 11, 12, u32::try_from(records.len()).unwrap()]);
    body.extend(records.concat());
    block(1, &body)
}

pub fn sflow(sequence: u32, samples: &[Vec<u8>]) -> Vec<u8> {
    let mut out = words(&[5, 1, 0xc000_0201, 2, sequence, 99_000, u32::try_from(samples.len()).unwrap()]);
    out.extend(samples.concat());
    out
}
