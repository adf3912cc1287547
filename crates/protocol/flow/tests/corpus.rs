//! Real IPFIX of Cisco routers, read in place. Absent on other machines: the tests say so and pass.
//!
//! What must come out is computed here, from the raw bytes, by a second reader that knows nothing of the first: two passes, templates
//! first, big-endian slices, no state.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods, clippy::disallowed_types, reason = "a test")]

use core::net::IpAddr;
use flow::{Exporter, SamplingSource};
use std::collections::BTreeMap;
use std::path::PathBuf;

const DATA: &str = "../../../../shared/data/bmp/pcap";
const PORT: usize = 9991;
const SECOND: i64 = 1_000_000_000;

fn file(name: &str) -> Option<Vec<u8>> {
    let path = PathBuf::from(std::env::var("PILOTHOUSE_FLOW_CORPUS").unwrap_or_else(|_| DATA.to_owned())).join(name);
    let bytes = std::fs::read(&path).ok();
    if bytes.is_none() {
        println!("skipped: no capture at {}", path.display());
    }
    bytes
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b))
}

fn short(bytes: &[u8], at: usize) -> usize {
    number(&bytes[at..at + 2]) as usize
}

/// (time of the packet in nanoseconds, sender, UDP payload) of a little-endian microsecond pcap of Ethernet.
fn datagrams(pcap: &[u8]) -> Vec<(i64, IpAddr, Vec<u8>)> {
    let le = |at: usize| u32::from_le_bytes(pcap[at..at + 4].try_into().unwrap());
    assert_eq!((le(0), le(20)), (0xa1b2_c3d4, 1));
    let (mut at, mut out) = (24, Vec::new());
    while at + 16 <= pcap.len() {
        let (time, length) = (i64::from(le(at)) * 1_000_000_000 + i64::from(le(at + 4)) * 1000, le(at + 8) as usize);
        let frame = &pcap[at + 16..at + 16 + length];
        at += 16 + length;
        let mut ip = 14;
        let mut kind = short(frame, 12);
        while kind == 0x8100 {
            kind = short(frame, ip + 2);
            ip += 4;
        }
        let (protocol, from, udp): (u8, IpAddr, usize) = match kind {
            0x0800 => {
                let a: [u8; 4] = frame[ip + 12..ip + 16].try_into().unwrap();
                (frame[ip + 9], a.into(), ip + usize::from(frame[ip] & 15) * 4)
            }
            0x86dd => {
                let a: [u8; 16] = frame[ip + 8..ip + 24].try_into().unwrap();
                (frame[ip + 6], a.into(), ip + 40)
            }
            _ => continue,
        };
        if protocol == 17 && short(frame, udp + 2) == PORT {
            out.push((time, from, frame[udp + 8..udp + short(frame, udp + 4)].to_vec()));
        }
    }
    out
}

type Layout = (bool, Vec<(usize, usize)>);

fn sets(message: &[u8]) -> Vec<(usize, &[u8])> {
    let (mut at, mut out) = (16, Vec::new());
    while at + 4 <= short(message, 2) {
        let length = short(message, at + 2);
        out.push((short(message, at), &message[at + 4..at + length]));
        at += length;
    }
    out
}

fn layouts(messages: &[(i64, IpAddr, Vec<u8>)]) -> BTreeMap<usize, Layout> {
    let mut out = BTreeMap::new();
    for (kind, body) in messages.iter().flat_map(|m| sets(&m.2)).filter(|(id, _)| *id < 4) {
        let mut at = 0;
        while at + 4 <= body.len() {
            let (id, count) = (short(body, at), short(body, at + 2));
            at += if kind == 3 { 6 } else { 4 };
            let fields = (0..count).map(|n| (short(body, at + 4 * n), short(body, at + 4 * n + 2))).collect::<Vec<_>>();
            assert!(fields.iter().all(|(element, _)| element & 0x8000 == 0), "no private elements in these captures");
            at += 4 * count;
            out.insert(id, (kind == 3, fields));
        }
    }
    out
}

/// The first value of each element in each record of a data set.
fn records(layout: &Layout, mut body: &[u8]) -> Vec<BTreeMap<usize, Vec<u8>>> {
    let least: usize = layout.1.iter().map(|(_, l)| if *l == 65_535 { 1 } else { *l }).sum();
    let mut out = Vec::new();
    while body.len() >= least {
        let mut record = BTreeMap::new();
        for (element, length) in &layout.1 {
            let (skip, length) = match (*length, body[0]) {
                (65_535, 255) => (3, short(body, 1)),
                (65_535, n) => (1, usize::from(n)),
                (n, _) => (0, n),
            };
            record.entry(*element).or_insert_with(|| body[skip..skip + length].to_vec());
            body = &body[skip + length..];
        }
        out.push(record);
    }
    out
}

fn address(record: &BTreeMap<usize, Vec<u8>>, elements: [usize; 2]) -> Option<IpAddr> {
    let told = elements.iter().filter_map(|e| record.get(e)).find(|v| v.iter().any(|b| *b != 0))?;
    Some(match told.len() {
        4 => <[u8; 4]>::try_from(told.as_slice()).unwrap().into(),
        _ => <[u8; 16]>::try_from(told.as_slice()).unwrap().into(),
    })
}

type Plain = (Option<IpAddr>, Option<IpAddr>, u64, u64, u64, u64);

fn check(name: &str, datagrams_wanted: usize) {
    let Some(pcap) = file(name) else { return };
    let messages = datagrams(&pcap);
    assert_eq!(messages.len(), datagrams_wanted);
    let layouts = layouts(&messages);
    let (mut wanted, mut options, mut numbers): (Vec<Plain>, u64, Vec<(u64, u64)>) = (Vec::new(), 0, Vec::new());
    for message in &messages {
        let mut count = 0;
        for (id, body) in sets(&message.2).into_iter().filter(|(id, _)| *id > 255) {
            let layout = &layouts[&id];
            for record in records(layout, body) {
                count += 1;
                if layout.0 {
                    options += 1;
                    continue;
                }
                let n = |element| number(record.get(&element).map_or(&[], Vec::as_slice));
                wanted.push((address(&record, [27, 8]), address(&record, [28, 12]), n(1), n(2), n(10), n(14)));
            }
        }
        numbers.push((number(&message.2[8..12]), count));
    }
    let lost: u64 = numbers.windows(2).map(|w| (w[1].0 - w[0].0).saturating_sub(w[0].1)).sum();

    let mut exporter = Exporter::new(messages[0].1);
    let mut got = Vec::new();
    for (time, from, bytes) in &messages {
        assert_eq!(*from, messages[0].1, "one exporter per capture");
        let decoded = exporter.datagram(bytes, *time);
        assert_eq!(decoded.errors, [], "{name}");
        // the captures were replayed: the packets' own times are not those of the export
        let export = number(&bytes[4..8]) as i64 * 1_000_000_000;
        let late = |r: &flow::FlowRecord| {
            export - r.end_ns < -2 * SECOND || export - r.end_ns > 600 * SECOND || r.end_ns - r.start_ns > 600 * SECOND
        };
        let off: Vec<_> = decoded.records.iter().filter(|r| late(r)).map(|r| (r.start_ns, r.end_ns)).collect();
        assert!(off.is_empty(), "{name}: flows end shortly before they are exported at {export}: {off:?}");
        got.extend(decoded.records);
    }
    let mut plain: Vec<Plain> = got
        .iter()
        .map(|r| (r.source, r.destination, r.bytes, r.packets, r.ingress.unwrap().into(), r.egress.map_or(0, u64::from)))
        .collect();
    let c = exporter.counters();
    println!("{name}: {} flows, {} bytes, {c:?}", got.len(), got.iter().map(|r| r.bytes).sum::<u64>());
    plain.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(plain.len(), wanted.len());
    assert!(plain == wanted, "{name}: the two readers do not agree");
    assert!(!got.is_empty() && got.iter().all(|r| r.source.is_some() && r.destination.is_some()), "{name}");
    assert_eq!((c.options, c.not_flows, c.lost_sets, c.faults, c.late), (options, 0, 0, 0, 0));
    // a message that held data without a template gives the next number away
    assert!(c.lost_records <= lost && (lost == 0 || c.held_sets > 0 || c.lost_records == lost), "{} of {lost}", c.lost_records);
    assert!(got.iter().all(|r| r.sampling.source != SamplingSource::Unknown || r.scaled_bytes == r.bytes));
}

#[test]
fn ipfix_of_srv6_first_router() {
    check("400-IPFIXv10-BMP-CISCO-SRv6-multiple-sources__traffic-00.pcap", 583);
}

#[test]
fn ipfix_of_srv6_second_router() {
    check("400-IPFIXv10-BMP-CISCO-SRv6-multiple-sources__traffic-01.pcap", 277);
}

#[test]
fn ipfix_of_mpls_over_ipv6_first_router() {
    check("401-IPFIXv10-BMP-IPv6-CISCO-MPLS-multiple-sources__traffic-00.pcap", 596);
}

#[test]
fn ipfix_of_mpls_over_ipv6_second_router() {
    check("401-IPFIXv10-BMP-IPv6-CISCO-MPLS-multiple-sources__traffic-01.pcap", 622);
}
