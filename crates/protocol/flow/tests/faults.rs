//! Every fault with the offset of its first byte, what it costs, and hostile input.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

mod craft;

use craft::*;
use flow::{FIELDS_MAX, FlowError};

fn faults(datagram: &[u8]) -> Vec<FlowError> {
    let mut e = exporter();
    let errors = e.datagram(datagram, NOW).errors;
    assert_eq!(e.counters().faults, errors.len() as u64);
    errors
}

#[test]
fn each_fault_says_where() {
    let v5 = be(&[(5, 2), (2, 2), (0, 20)]);
    assert_eq!(v5.len(), 24);
    let scope = |n: u64| set(3, &be(&[(400, 2), (1, 2), (n, 2), (149, 2), (4, 2)]));
    let path = block(1003, &words(&[0, 1, 2, 3, 300]));
    let segment = block(1003, &words(&[0, 1, 2, 3, 1, 2, 99, 64_512]));
    let cases: Vec<(&str, Vec<u8>, usize, &str)> = vec![
        ("empty", vec![], 0, "version wants 2 bytes, 0 are left"),
        ("version 7", be(&[(7, 2), (0, 20)]), 0, "7 is no version"),
        ("sFlow 4", words(&[4, 1, 2]), 0, "4 is no version"),
        ("IPFIX length above the datagram", be(&[(10, 2), (17, 2), (0, 12)]), 2, "message length 17, the datagram has 16"),
        ("IPFIX length below its header", be(&[(10, 2), (15, 2), (0, 12)]), 2, "message length 15"),
        ("v9 header cut", be(&[(9, 2), (1, 2), (0, 8)]), 12, "sequence number wants 4 bytes, 0 are left"),
        ("set length 3", ipfix(0, &[be(&[(300, 2), (3, 2)])]), 18, "set length 3"),
        ("set beyond the message", ipfix(0, &[be(&[(300, 2), (9, 2), (0, 4)])]), 18, "set length 9, at least 4 and at most 8"),
        ("reserved set", ipfix(0, &[set(255, &[0; 4])]), 16, "set id 255 is reserved"),
        ("IPFIX set id in v9", v9(0, &[set(2, &[0; 4])]), 20, "set id 2 is reserved"),
        ("template id 255", ipfix(0, &[set(2, &template(255, &PLAIN))]), 20, "template id 255"),
        ("v9 options template id 5", v9(0, &[set(1, &be(&[(5, 2), (0, 4)]))]), 24, "template id 5"),
        ("no scope", ipfix(0, &[scope(0)]), 24, "0 scope fields of 1"),
        ("more scope than fields", ipfix(0, &[scope(2)]), 24, "2 scope fields of 1"),
        ("field count above the set", ipfix(0, &[set(2, &be(&[(300, 2), (2, 2), (1, 2), (8, 2)]))]), 28, "field type wants 2 bytes"),
        ("too many fields", ipfix(0, &[set(2, &be(&[(300, 2), (FIELDS_MAX as u64 + 1, 2)]))]), 22, "template 300 with 513 fields"),
        ("records without bytes", ipfix(0, &[set(2, &template(300, &[(1, 0)]))]), 20, "records of 0 bytes"),
        ("records too long", ipfix(0, &[set(2, &template(300, &[(82, 9001)]))]), 20, "records of 9001 bytes"),
        (
            "variable field beyond the set",
            ipfix(0, &[set(2, &template(300, &[(82, 65_535), (1, 1)])), set(300, &[9, 1])]),
            // 16 header, 16 template set, 4 data set header, 1 length
            37,
            "field value wants 9 bytes, 1 are left",
        ),
        (
            "an address of 3 bytes",
            ipfix(0, &[set(2, &template(300, &[(1, 8), (8, 3)])), set(300, &[0; 11])]),
            44,
            "sourceIPv4Address cannot be read",
        ),
        (
            "an uptime of 5 bytes",
            ipfix(0, &[set(2, &template(300, &[(1, 8), (22, 5)])), set(300, &[255; 13])]),
            44,
            "flowStartSysUpTime cannot be read",
        ),
        ("v5 count", v5, 2, "2 records of 48 bytes do not fit into 0 bytes"),
        ("sFlow agent address", words(&[5, 9, 0, 0, 0, 0, 0]), 4, "9 is no sFlow address type"),
        ("sFlow samples", words(&[5, 1, 0, 0, 0, 0, 1_000_000]), 24, "1000000 samples do not fit into 0 bytes"),
        ("sFlow sample length", sflow(0, &[words(&[1, 500])]), 36, "sample wants 500 bytes, 0 are left"),
        ("sFlow records", sflow(0, &[block(1, &words(&[1, 1, 1, 1, 1, 1, 1, 77]))]), 64, "77 records do not fit into 0 bytes"),
        ("AS path segments", sflow(0, &[flow_sample(0, &[path])]), 92, "300 AS path segments"),
        ("ASes", sflow(0, &[flow_sample(0, &[segment])]), 100, "99 ASes do not fit into 4 bytes"),
    ];
    for (name, datagram, offset, text) in cases {
        let errors = faults(&datagram);
        let [error] = errors.as_slice() else { panic!("{name}: {errors:?}") };
        assert_eq!(error.offset(), offset, "{name}: {error}");
        assert!(error.to_string().contains(text) && error.to_string().contains(&format!("at byte {offset} ")), "{name}: {error}");
    }
}

#[test]
fn a_faulty_record_costs_itself_and_no_other() {
    let mut e = exporter();
    // flowStartMilliseconds that no clock can show
    let fields = template(300, &[(1, 8), (152, 8)]);
    let data = be(&[(1, 8), (5, 8), (2, 8), (u64::MAX, 8), (3, 8), (5, 8)]);
    let decoded = e.datagram(&ipfix(0, &[set(2, &fields), set(300, &data)]), NOW);
    assert_eq!(decoded.records.iter().map(|r| r.bytes).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(decoded.errors[0].offset(), 16 + 4 + 12 + 4 + 16 + 8);
}

#[test]
fn a_faulty_set_costs_itself_and_no_other() {
    let mut e = exporter();
    let sets = [set(2, &template(300, &PLAIN)), set(77, &[1, 2, 3]), set(2, &template(9, &PLAIN)), set(300, &plain(5, 1))];
    let decoded = e.datagram(&ipfix(0, &sets), NOW);
    assert_eq!((decoded.records.len(), decoded.errors.len()), (1, 2));
}

#[test]
fn a_faulty_sample_costs_itself_and_no_other() {
    let mut e = exporter();
    let bad = block(1, &words(&[1, 1, 1]));
    let decoded = e.datagram(&sflow(0, &[bad, flow_sample(0, &[raw_header(1522, &frame(1500))])]), NOW);
    assert_eq!((decoded.records.len(), decoded.errors.len()), (1, 1));
}

#[test]
fn the_faults_told_of_one_datagram_are_bounded_and_all_counted() {
    let mut e = exporter();
    let decoded = e.datagram(&ipfix(0, &vec![set(99, &[]); 100]), NOW);
    assert_eq!((decoded.errors.len(), e.counters().faults), (16, 100));
}

/// xorshift: the same bytes in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n as u64).unwrap()
    }
}

#[test]
fn nothing_that_is_sent_ends_the_program_or_makes_records_from_nowhere() {
    let options = set(3, &options(401, &[(302, 4), (304, 2), (309, 4), (310, 4)]));
    let every: Vec<(u16, u16)> = (1..=498).filter(|n| ![210, 105, 127].contains(n)).map(|n| (n, 65_535)).collect();
    let times: Vec<(u16, u16)> = [1, 8, 12, 22, 21, 150, 152, 154, 156, 158, 160, 48, 302, 34].map(|n| (n, 8)).to_vec();
    let seeds = [
        ipfix(0, &[set(2, &template(300, &PLAIN)), options, set(300, &plain(1, 1).repeat(4)), set(401, &[7; 28])]),
        ipfix(0, &[set(2, &template(300, &every)), set(300, &[4; 3000])]),
        ipfix(0, &[set(2, &template(300, &times)), set(300, &[0x7f; 1200])]),
        v9(
            0,
            &[
                set(0, &template(300, &PLAIN)),
                set(1, &be(&[(400, 2), (4, 2), (4, 2), (1, 2), (4, 2), (48, 2), (4, 2)])),
                set(300, &plain(1, 1)),
            ],
        ),
        sflow(1, &[flow_sample(3, &[raw_header(1522, &frame(1500)), block(1003, &words(&[1, 1, 1, 1, 1, 1, 2, 1, 5, 0, 0]))])]),
        [be(&[(5, 2), (1, 2), (0, 20)]), vec![0x55; 48]].concat(),
    ];
    // a set that waited keeps the offsets of its own datagram
    let longest = seeds.iter().map(Vec::len).max().unwrap();
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let mut e = exporter();
    let mut records = 0;
    for round in 0..60_000 {
        let mut datagram = seeds[round % seeds.len()].clone();
        for _ in 0..=chance.below(6) {
            let at = chance.below(datagram.len());
            datagram[at] = [0, 1, 255, 128, chance.below(256) as u8][chance.below(5)];
        }
        if chance.below(4) == 0 {
            datagram.truncate(chance.below(datagram.len()));
        }
        let decoded = e.datagram(&datagram, NOW + round as i64);
        assert!(decoded.errors.iter().all(|f| f.offset() <= longest), "round {round}: {:?}", decoded.errors);
        assert!(decoded.records.iter().all(|r| r.start_ns <= r.end_ns && (r.sampling.sampled >= 1)), "round {round}");
        records += decoded.records.len();
    }
    assert!(records > 10_000 && e.counters().faults > 10_000, "the cases reach the code: {records} records, {:?}", e.counters());
}
