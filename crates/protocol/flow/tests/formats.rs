//! What each format's datagrams become, by rule of its standard; every datagram is made here.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

mod craft;

use bgp::Asn;
use craft::*;
use flow::{Direction, Protocol, SamplingSource};

#[test]
fn an_ipfix_record_is_read_by_its_template() {
    let mut e = exporter();
    let fields = [(1, 4), (2, 2), (27, 16), (28, 16), (10, 2), (14, 4), (16, 4), (17, 2), (63, 16), (61, 1), (152, 8), (153, 8), (58, 2)];
    let mut data = be(&[(9000, 4), (6, 2)]);
    data.extend(ip("2001:db8:1::1").to_string().parse::<core::net::Ipv6Addr>().unwrap().octets());
    data.extend("2001:db8:2::9".parse::<core::net::Ipv6Addr>().unwrap().octets());
    data.extend(be(&[(3, 2), (70_000, 4), (4_200_000_001, 4), (64_500, 2)]));
    data.extend("2001:db8::ffff".parse::<core::net::Ipv6Addr>().unwrap().octets());
    data.extend(be(&[(1, 1), (1_795_435_100_250, 8), (1_795_435_130_750, 8), (100, 2)]));
    let decoded = e.datagram(&ipfix(0, &[set(2, &template(300, &fields)), set(300, &data)]), NOW);
    assert_eq!(decoded.errors, []);
    let [r] = decoded.records.as_slice() else { panic!("{decoded:?}") };
    assert_eq!((r.exporter, r.protocol, r.domain), (ip("192.0.2.1"), Protocol::Ipfix, 7));
    assert_eq!((r.source, r.destination), (Some(ip("2001:db8:1::1")), Some(ip("2001:db8:2::9"))));
    assert_eq!((r.bytes, r.packets, r.scaled_bytes, r.scaled_packets), (9000, 6, 9000, 6), "shortened integers (RFC 7011 §6.2)");
    assert_eq!((r.ingress, r.egress, r.vlan), (Some(3), Some(70_000), Some(100)));
    assert_eq!((r.source_as, r.destination_as), (Some(Asn(4_200_000_001)), Some(Asn(64_500))));
    assert_eq!((r.next_hop, r.direction), (Some(ip("2001:db8::ffff")), Some(Direction::Egress)));
    assert_eq!((r.start_ns, r.end_ns), (1_795_435_100_250_000_000, 1_795_435_130_750_000_000));
    assert_eq!(r.sampling.source, SamplingSource::NotTold);
}

#[test]
fn netflow_9_times_count_from_the_start_of_the_device() {
    let mut e = exporter();
    let fields = [(8, 4), (12, 4), (1, 4), (2, 4), (22, 4), (21, 4), (18, 4), (15, 4)];
    let data = be(&[(1, 4), (2, 4), (500, 4), (5, 4), (590_000, 4), (599_000, 4), (0x0a00_0001, 4), (0x0a00_0002, 4)]);
    let decoded = e.datagram(&v9(1, &[set(0, &template(256, &fields)), set(256, &data)]), NOW);
    let [r] = decoded.records.as_slice() else { panic!("{decoded:?}") };
    let export = i64::from(EXPORT_S) * SECOND;
    assert_eq!((r.start_ns, r.end_ns), (export - 10 * SECOND, export - SECOND));
    assert_eq!(r.next_hop, Some(ip("10.0.0.1")), "BGP's next hop says more than IP's");
    assert_eq!((r.protocol, r.domain), (Protocol::Netflow9, 3));
    // 49.7 days later the counter has wrapped between the flow and the export
    let data = be(&[(1, 4), (2, 4), (500, 4), (5, 4), (u64::from(u32::MAX) - 999, 4), (1_000, 4), (0, 4), (0, 4)]);
    let mut e = exporter();
    e.datagram(&v9_at(u32::MAX - 900, 1, &[set(0, &template(256, &fields))]), NOW);
    let decoded = e.datagram(&v9_at(2_000, 2, &[set(256, &data)]), NOW);
    let r = &decoded.records[0];
    assert_eq!((r.start_ns, r.end_ns), (export - 3 * SECOND, export - SECOND));
    assert_eq!(e.counters().restarts, 0);
}

#[test]
fn ipfix_uptimes_need_the_start_that_options_tell() {
    let mut e = exporter();
    let flow = template(300, &[(1, 8), (8, 4), (12, 4), (22, 4), (21, 4)]);
    let start = options(301, &[(149, 4), (160, 8)]);
    let init_ms = (u64::from(EXPORT_S) - 100) * 1000;
    let data = be(&[(77, 8), (1, 4), (2, 4), (40_000, 4), (90_000, 4)]);
    let decoded = e.datagram(&ipfix(0, &[set(2, &flow), set(3, &start), set(300, &data)]), NOW);
    let export = i64::from(EXPORT_S) * SECOND;
    assert_eq!((decoded.records[0].start_ns, decoded.records[0].end_ns), (export, export), "without it, the time of export");
    let decoded = e.datagram(&ipfix(1, &[set(301, &be(&[(7, 4), (init_ms, 8)])), set(300, &data)]), NOW);
    assert_eq!((decoded.records[0].start_ns, decoded.records[0].end_ns), (export - 60 * SECOND, export - 10 * SECOND));
    assert_eq!((e.counters().options, e.counters().lost_records), (1, 0));
}

#[test]
fn microseconds_are_ntp_time() {
    let mut e = exporter();
    // 2026-11-23T12:00:00.5Z: seconds since 1900, half of 2^32
    let data = be(&[(1, 8), (1, 4), (2, 4), (u64::from(EXPORT_S) + 2_208_988_800, 4), (0x8000_0000, 4)]);
    let decoded = e.datagram(&ipfix(0, &[set(2, &template(300, &[(1, 8), (8, 4), (12, 4), (154, 8)])), set(300, &data)]), NOW);
    assert_eq!(decoded.records[0].start_ns, i64::from(EXPORT_S) * SECOND + SECOND / 2, "{decoded:?}");
}

#[test]
fn fields_of_variable_length_are_stepped_over() {
    let mut e = exporter();
    let fields = set(2, &template(300, &[(82, 65_535), (1, 8), (8, 4), (12, 4)]));
    let mut short = vec![3, b'e', b't', b'h'];
    short.extend(be(&[(1000, 8), (1, 4), (2, 4)]));
    let mut long = be(&[(255, 1), (300, 2)]);
    long.extend(vec![b'x'; 300]);
    long.extend(be(&[(2000, 8), (1, 4), (2, 4)]));
    let decoded = e.datagram(&ipfix(0, &[fields, set(300, &[short, long].concat())]), NOW);
    assert_eq!(decoded.errors, []);
    assert_eq!(decoded.records.iter().map(|r| r.bytes).collect::<Vec<_>>(), [1000, 2000]);
}

#[test]
fn private_fields_are_stepped_over_in_both_formats() {
    let mut e = exporter();
    // IPFIX: enterprise bit, then the number (RFC 7011 §3.2)
    let mut fields = be(&[(300, 2), (3, 2), (0x8001, 2), (4, 2), (9, 4), (1, 2), (8, 2), (8, 2), (4, 2)]);
    let data = be(&[(0xdead_beef, 4), (123, 8), (1, 4)]);
    assert_eq!(e.datagram(&ipfix(0, &[set(2, &fields), set(300, &data)]), NOW).records[0].bytes, 123);
    // NetFlow v9 knows no enterprise numbers; Cisco's firewalls use types from 33000 on
    fields = template(300, &[(33_002, 4), (1, 8), (8, 4)]);
    assert_eq!(e.datagram(&v9(0, &[set(0, &fields), set(300, &data)]), NOW).records[0].bytes, 123);
}

#[test]
fn of_two_headers_in_a_record_the_outer_counts() {
    let mut e = exporter();
    let fields = template(300, &[(1, 8), (27, 16), (28, 16), (8, 4), (12, 4), (8, 4)]);
    let data = [be(&[(10, 8)]), vec![0; 16], vec![0; 16], be(&[(0x0101_0101, 4), (0x0202_0202, 4), (0x0303_0303, 4)])].concat();
    let decoded = e.datagram(&ipfix(0, &[set(2, &fields), set(300, &data)]), NOW);
    let r = &decoded.records[0];
    assert_eq!((r.source, r.destination), (Some(ip("1.1.1.1")), Some(ip("2.2.2.2"))), "all zero is how a family is left out");
}

#[test]
fn netflow_5_has_fixed_records_and_its_sampling_in_the_header() {
    let mut e = exporter();
    let header = |sequence: u64, count: u64| {
        be(&[(5, 2), (count, 2), (600_000, 4), (u64::from(EXPORT_S), 4), (500, 4), (sequence, 4), (0x0102, 2), (0x4064, 2)])
    };
    let record = be(&[
        (0xc633_6401, 4),
        (0xcb00_7105, 4),
        (0x0a00_0001, 4),
        (11, 2),
        (12, 2),
        (10, 4),
        (15_000, 4),
        (590_000, 4),
        (599_000, 4),
        (0, 8),
        (64_500, 2),
        (0, 2),
        (0, 4),
    ]);
    assert_eq!(record.len(), 48);
    let decoded = e.datagram(&[header(100, 2), record.clone(), record.clone()].concat(), NOW);
    assert_eq!((decoded.records.len(), decoded.errors.len()), (2, 0));
    let r = &decoded.records[0];
    assert_eq!((r.source, r.destination, r.next_hop), (Some(ip("198.51.100.1")), Some(ip("203.0.113.5")), Some(ip("10.0.0.1"))));
    assert_eq!((r.ingress, r.egress, r.domain), (Some(11), Some(12), 0x0102));
    assert_eq!((r.bytes, r.packets, r.scaled_bytes, r.scaled_packets), (15_000, 10, 1_500_000, 1_000), "one packet of 100");
    assert_eq!((r.sampling.source, r.source_as, r.destination_as), (SamplingSource::Header, Some(Asn(64_500)), None));
    assert_eq!((r.start_ns, r.end_ns), (i64::from(EXPORT_S) * SECOND - 10 * SECOND + 500, i64::from(EXPORT_S) * SECOND - SECOND + 500));
    e.datagram(&[header(105, 1), record].concat(), NOW);
    assert_eq!(e.counters().lost_records, 3, "the sequence counts flows");
}

#[test]
fn a_sampled_packet_stands_for_as_many_as_the_rate_says() {
    let mut e = exporter();
    let gateway = block(1003, &words(&[1, 0x0a00_0009, 64_500, 64_501, 64_502, 2, 2, 2, 64_510, 64_511, 1, 1, 64_512, 0, 100]));
    let router = block(1002, &words(&[1, 0x0a00_0001, 24, 24]));
    let sample = flow_sample(5, &[raw_header(1522, &frame(1500)), router.clone(), gateway]);
    let decoded = e.datagram(&sflow(10, &[sample]), NOW);
    assert_eq!(decoded.errors, []);
    let [r] = decoded.records.as_slice() else { panic!("{decoded:?}") };
    assert_eq!((r.source, r.destination), (Some(ip("198.51.100.1")), Some(ip("203.0.113.5"))));
    assert_eq!((r.bytes, r.packets, r.scaled_bytes, r.scaled_packets), (1500, 1, 768_000, 512));
    assert_eq!((r.ingress, r.egress, r.vlan, r.domain), (Some(11), Some(12), Some(100), 2));
    assert_eq!((r.next_hop, r.source_as, r.destination_as), (Some(ip("10.0.0.9")), Some(Asn(64_501)), Some(Asn(64_512))));
    assert_eq!((r.start_ns, r.sampling.source), (NOW, SamplingSource::Record));
    assert_eq!(r.direction, Some(Direction::Ingress), "the sampling interface is the one it came in by");
    // counter samples are counted, drops are the agent's own losses, a gap in the sequence is ours
    let decoded = e.datagram(&sflow(13, &[block(2, &[0; 40]), flow_sample(9, &[raw_header(1522, &frame(1500)), router])]), NOW);
    assert_eq!(decoded.records[0].next_hop, Some(ip("10.0.0.1")));
    let c = e.counters();
    assert_eq!((c.counter_samples, c.agent_drops, c.lost_datagrams), (1, 4, 2));
}

#[test]
fn an_expanded_sample_holds_large_interfaces_and_ipv6() {
    let mut e = exporter();
    let mut header = vec![0xaa; 12];
    header.extend(be(&[(0x86dd, 2), (0x6000_0000, 4), (1200, 2), (0, 2)]));
    header.extend("2001:db8:1::1".parse::<core::net::Ipv6Addr>().unwrap().octets());
    header.extend("2001:db8:2::9".parse::<core::net::Ipv6Addr>().unwrap().octets());
    // a discarded packet has no egress (format 1)
    let mut body = words(&[1, 0, 2_000_000_000, 100, 1000, 0, 0, 2_000_000_000, 1, 256, 2]);
    body.extend(block(4242, &[0; 8]));
    body.extend(raw_header(1258, &header));
    let decoded = e.datagram(&sflow(1, &[block(3, &body)]), NOW);
    assert_eq!(decoded.errors, []);
    let r = &decoded.records[0];
    assert_eq!((r.source, r.destination), (Some(ip("2001:db8:1::1")), Some(ip("2001:db8:2::9"))));
    assert_eq!((r.bytes, r.ingress, r.egress, r.vlan), (1240, Some(2_000_000_000), None, None));
    assert_eq!(e.counters().skipped, 1, "the record of an unknown kind");
}

#[test]
fn a_sampled_packet_without_ip_is_counted_and_no_flow() {
    let mut e = exporter();
    let mut arp = vec![0xaa; 12];
    arp.extend(be(&[(0x0806, 2), (0, 8)]));
    let decoded = e.datagram(&sflow(1, &[flow_sample(0, &[raw_header(64, &arp)])]), NOW);
    assert!(decoded.records.is_empty() && decoded.errors.is_empty(), "{decoded:?}");
    assert_eq!(e.counters().skipped, 1);
}

#[test]
fn a_record_without_volume_is_no_flow() {
    let mut e = exporter();
    e.datagram(&ipfix(0, &[set(2, &template(300, &[(8, 4), (12, 4)])), set(300, &be(&[(1, 4), (2, 4)]))]), NOW);
    assert_eq!((e.counters().not_flows, e.counters().records), (1, 0));
}
