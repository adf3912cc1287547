//! Captures and MRT made here, so that the suite says something on every machine.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test says no by panicking")]

use archive::bmp_flows::{BmpFlows, Given};
use archive::mrt::{self, PeerTable, Records, json_of};
use archive::pcap::{self, Event};

const INITIATION: [u8; 10] = [3, 0, 0, 0, 10, 4, 0, 2, 0, 0];

fn ipv4(body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + body.len()).unwrap().to_be_bytes();
    [&[0x45, 0][..], &length, &[0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2], body].concat()
}

fn ipv6(body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + body.len()).unwrap().to_be_bytes();
    let hop_by_hop = [6, 0, 1, 4, 0, 0, 0, 0];
    [&[0x60, 0, 0, 0][..], &length, &[0, 64], &[0x20; 16], &[0x21; 16], &hop_by_hop, body].concat()
}

fn tcp(sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    [&[0x30, 0, 0x06, 0xFE][..], &sequence.to_be_bytes(), &[0; 4], &[0x50, flags], &[0; 6], payload].concat()
}

fn ethernet(tags: &[u8], kind: u16, packet: &[u8]) -> Vec<u8> {
    [&[2; 12][..], tags, &kind.to_be_bytes(), packet].concat()
}

fn plain(sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    ethernet(&[], 0x0800, &ipv4(&tcp(sequence, flags, payload)))
}

fn capture(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut out = [&0xA1B2_C3D4_u32.to_le_bytes()[..], &[2, 0, 4, 0], &[0; 8], &[0, 0, 4, 0], &[1, 0, 0, 0]].concat();
    for (second, frame) in (1_u32..).zip(frames) {
        let length = u32::try_from(frame.len()).unwrap().to_le_bytes();
        out.extend([&second.to_le_bytes()[..], &[0; 4], &length, &length, frame].concat());
    }
    out
}

fn pcapng(frames: &[Vec<u8>], big: bool) -> Vec<u8> {
    let word = |n: u32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
    let half = |n: u16| if big { n.to_be_bytes() } else { n.to_le_bytes() };
    let block = |kind: u32, body: &[u8]| {
        let length = u32::try_from(body.len().next_multiple_of(4) + 12).unwrap();
        let padding = vec![0; body.len().next_multiple_of(4) - body.len()];
        [&word(kind)[..], &word(length), body, &padding, &word(length)].concat()
    };
    let mut out = block(0x0A0D_0D0A, &[&word(0x1A2B_3C4D)[..], &half(1), &half(0), &[0xFF; 8]].concat());
    out.extend(block(1, &[&half(1)[..], &half(0), &word(0)].concat()));
    for (second, frame) in (1_u32..).zip(frames) {
        let length = word(u32::try_from(frame.len()).unwrap());
        out.extend(block(6, &[&word(0)[..], &word(0), &word(second * 1_000_000), &length, &length, frame].concat()));
    }
    out
}

type Pairs<A> = Vec<(A, u64)>;

/// Messages with their packet's second and stream offset, and losses.
fn messages(file: &[u8]) -> (Pairs<i64>, Pairs<u64>) {
    let (mut flows, mut found, mut lost) = (BmpFlows::new(bmp::Codec::default()), Vec::new(), Vec::new());
    let mut each = |time: Option<i64>, given| match given {
        Given::Message(frame, result) => {
            assert!(result.is_ok(), "{result:?}");
            found.push((time.unwrap() / 1_000_000_000, frame.offset));
        }
        Given::Lost { offset, bytes, .. } => lost.push((offset, bytes)),
    };
    pcap::read(file, |event| flows.take(&event, |_, time, given| each(time, given))).unwrap();
    flows.finish(|_, time, given| each(time, given));
    (found, lost)
}

#[test]
fn segments_out_of_order_repeated_and_overlapping_make_one_stream() {
    let two = [INITIATION, INITIATION].concat();
    // sequence numbers run over their end
    let start = u32::MAX - 3;
    let at = |n: u32| start.wrapping_add(1 + n);
    let frames = [
        plain(start, 2, &[]),
        plain(at(8), 16, &two[8..14]),
        plain(at(0), 16, &two[..6]),
        plain(at(0), 16, &two[..6]),
        plain(at(4), 16, &two[4..10]),
        plain(at(12), 24, &two[12..]),
    ];
    assert_eq!(messages(&capture(&frames)), (vec![(5, 0), (6, 10)], vec![]));
}

#[test]
fn a_hole_is_named_and_reading_goes_on_at_the_next_message() {
    let frames = [plain(99, 2, &[]), plain(100, 16, &[&INITIATION[..], &INITIATION[..4]].concat()), plain(130, 16, &INITIATION)];
    assert_eq!(messages(&capture(&frames)), (vec![(2, 0), (3, 30)], vec![(10, 20)]));
    let mut events = Vec::new();
    pcap::read(capture(&frames).as_slice(), |e| events.push(e)).unwrap();
    assert!(events.iter().any(|e| matches!(e, Event::Lost { offset: 14, bytes: 16, .. })), "{events:?}");
}

#[test]
fn tags_extension_headers_and_both_byte_orders_are_read() {
    let tagged = ethernet(&[0x88, 0xA8, 0, 5, 0x81, 0, 0, 6], 0x0800, &ipv4(&tcp(1, 16, &INITIATION)));
    let six = ethernet(&[], 0x86DD, &ipv6(&tcp(7, 16, &INITIATION)));
    let frames = [tagged, six];
    for file in [capture(&frames), pcapng(&frames, false), pcapng(&frames, true)] {
        assert_eq!(messages(&file), (vec![(1, 0), (2, 0)], vec![]));
        for cut in 0..file.len() {
            let _ = pcap::read_bytes(&file[..cut]);
            let mut bent = file.clone();
            bent[cut] ^= 0xFF;
            let _ = pcap::read_bytes(&bent);
        }
    }
}

fn record(kind: u16, subtype: u16, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&1_000_000_000_u32.to_be_bytes()[..], &kind.to_be_bytes(), &subtype.to_be_bytes(), &length, body].concat()
}

fn table_dump() -> Vec<u8> {
    let peers = record(13, 1, &[&[9, 9, 9, 9, 0, 1, b'v', 0, 1, 2, 1, 1, 1, 1, 10, 0, 0, 1][..], &65001_u32.to_be_bytes()].concat());
    let attributes = [0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xFD, 0xE9, 0x40, 3, 4, 10, 0, 0, 1];
    let entry = |id: &[u8]| [&[0, 0, 0, 0, 0, 5][..], id, &[0, 20], &attributes].concat();
    let rib = |subtype, id: &[u8]| record(13, subtype, &[&[0, 0, 0, 0, 24, 203, 0, 113, 0, 1][..], &entry(id)].concat());
    [peers, rib(2, &[]), rib(8, &[0, 0, 0, 7])].concat()
}

fn objects(file: &[u8]) -> Vec<serde_json::Value> {
    let mut table = PeerTable::default();
    Records::new(file).flat_map(|r| json_of(&r.unwrap(), &mut table).0).collect()
}

#[test]
fn tables_with_and_without_path_identifiers_are_read() {
    let found = objects(&table_dump());
    assert_eq!(found.len(), 3);
    assert_eq!(found[0]["type"], "peer_index");
    for (entry, id) in [(&found[1], serde_json::Value::Null), (&found[2], 7.into())] {
        assert_eq!(entry["type"], "rib_entry", "{entry}");
        assert_eq!(entry["announce"][0]["prefix"], "203.0.113.0/24");
        assert_eq!(entry["announce"][0]["path_id"], id);
        assert_eq!(entry["attributes"]["as_path"], "65001");
        assert_eq!((&entry["peer"]["asn"], &entry["attributes"]["med"]), (&65001.into(), &serde_json::Value::Null));
        assert_eq!(entry["originated"], "1970-01-01T00:00:05.000000000Z");
    }
}

#[test]
fn a_bad_record_costs_itself_only() {
    let file = [record(16, 4, &[1, 2, 3]), table_dump()].concat();
    let found = objects(&file);
    assert_eq!((found.len(), &found[0]["type"], &found[0]["raw"]), (4, &"malformed".into(), &"3b9aca000010000400000003010203".into()));
    for cut in 0..file.len() {
        let _ = mrt::read_bytes(&file[..cut]);
        let mut bent = file.clone();
        bent[cut] ^= 0xFF;
        let _ = mrt::read_bytes(&bent);
    }
}

/// A record of two paths: one of a peer that the table lacks, one good.
fn half_known() -> Vec<u8> {
    let attributes = [0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xFD, 0xE9, 0x40, 3, 4, 10, 0, 0, 1];
    let entry = |peer: u8| [&[0, peer, 0, 0, 0, 5, 0, 20][..], &attributes].concat();
    record(13, 2, &[&[0, 0, 0, 0, 24, 203, 0, 113, 0, 2][..], &entry(9), &entry(0)].concat())
}

#[test]
fn an_unknown_peer_costs_its_own_entry_only() {
    let file = [table_dump(), half_known()].concat();
    let found = objects(&file);
    assert_eq!((found.len(), &found[3]["type"], &found[4]["type"]), (5, &"malformed".into(), &"rib_entry".into()));
    assert!(found[3]["error"].as_str().unwrap().contains("peer index 9"), "{}", found[3]);
    assert_eq!(found[4]["announce"][0]["prefix"], "203.0.113.0/24");
    // cut in its second path, the first still stands
    let mut cut = half_known();
    cut.truncate(cut.len() - 3);
    let length = u32::try_from(cut.len() - 12).unwrap().to_be_bytes();
    cut[8..12].copy_from_slice(&length);
    cut[12 + 10..12 + 12].copy_from_slice(&[0, 0]);
    let found = objects(&[table_dump(), cut].concat());
    assert_eq!((found.len(), &found[3]["type"], &found[4]["type"]), (5, &"rib_entry".into(), &"malformed".into()));
    // bgpdump's lines: the good one, and that one is missing
    let mut table = PeerTable::default();
    let lines: Vec<_> = Records::new(file.as_slice()).map(|r| mrt::bgpdump::lines(&r.unwrap(), &mut table)).collect();
    assert_eq!(lines.iter().map(|(l, bad)| (l.len(), *bad)).collect::<Vec<_>>(), [(0, false), (1, false), (1, false), (1, true)]);
}

#[test]
fn connections_beyond_the_bound_are_counted_and_ports_used_again_free_theirs() {
    use archive::bmp_flows::MAX_BMP_FLOWS;
    let flow =
        |port: u16, host: u8| pcap::Flow { src: (std::net::Ipv4Addr::new(10, 0, 0, host), port).into(), dst: ([10, 0, 1, 1], 1790).into() };
    let bytes = |flow, connection, bytes: &[u8]| Event::Bytes { flow, connection, time: 0, offset: 0, bytes: bytes.to_vec() };
    let (mut flows, mut given) = (BmpFlows::new(bmp::Codec::default()), 0);
    // the same ports over and over: one connection at a time, a message cut by the end of each
    let mut lost = 0;
    for connection in 0..100 {
        flows.take(&bytes(flow(7, 9), connection, &[3, 0, 0, 0, 10, 4, 0, 2, 0]), |_, _, g| {
            lost += u32::from(matches!(g, Given::Lost { .. }))
        });
    }
    assert_eq!((lost, flows.left_out()), (99, 0));
    let mut number = 1000;
    for (host, port) in (0..2).flat_map(|h| (0..=u16::MAX).map(move |p| (h, p))).take(MAX_BMP_FLOWS + 4) {
        number += 1;
        flows.take(&bytes(flow(port, host), number, &INITIATION), |_, _, _| given += 1);
    }
    assert_eq!((given, flows.left_out()), (MAX_BMP_FLOWS - 1, 5));
}
