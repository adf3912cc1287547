//! What an exporter is remembered by: templates, sampling tables, sequence numbers; and their bounds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

mod craft;

use craft::*;
use flow::{FlowError, HELD_FOR_NS, HELD_SETS_MAX, SAMPLERS_MAX, SamplingSource, TEMPLATE_LIFE_NS, TEMPLATES_MAX};

fn announced() -> Vec<u8> {
    set(2, &template(300, &PLAIN))
}

#[test]
fn data_before_its_template_waits_for_it() {
    let mut e = exporter();
    let early = e.datagram(&ipfix(0, &[set(300, &[plain(100, 1), plain(200, 2)].concat())]), NOW);
    assert!(early.records.is_empty() && early.errors.is_empty());
    assert_eq!((e.counters().held_sets, e.counters().lost_sets), (1, 0));
    let decoded = e.datagram(&ipfix(2, &[announced(), set(300, &plain(300, 3))]), NOW + SECOND);
    assert_eq!(decoded.records.iter().map(|r| r.bytes).collect::<Vec<_>>(), [100, 200, 300]);
    assert_eq!(e.counters().lost_records, 0, "what could not be counted is no loss");
}

#[test]
fn data_waits_only_so_long_and_only_so_much() {
    let mut e = exporter();
    e.datagram(&ipfix(0, &[set(300, &plain(100, 1))]), NOW);
    let late = e.datagram(&ipfix(1, &[announced()]), NOW + HELD_FOR_NS + SECOND);
    assert!(late.records.is_empty());
    assert_eq!(e.counters().lost_sets, 1);
    let mut e = exporter();
    for n in 0..HELD_SETS_MAX + 10 {
        e.datagram(&ipfix(n as u32, &[set(300, &plain(1, 1))]), NOW);
    }
    assert_eq!(e.counters().lost_sets, 10);
    assert_eq!(e.datagram(&ipfix(0, &[announced()]), NOW).records.len(), HELD_SETS_MAX);
}

#[test]
fn a_template_belongs_to_its_domain_and_format() {
    let mut e = exporter();
    e.datagram(&ipfix_of(7, 0, &[announced()]), NOW);
    assert!(e.datagram(&ipfix_of(8, 0, &[set(300, &plain(1, 1))]), NOW).records.is_empty());
    assert!(e.datagram(&v9(0, &[set(300, &plain(1, 1))]), NOW).records.is_empty());
    assert_eq!(e.datagram(&ipfix_of(7, 0, &[set(300, &plain(1, 1))]), NOW).records.len(), 1);
}

#[test]
fn a_template_sent_anew_replaces_the_old_one() {
    let mut e = exporter();
    e.datagram(&ipfix(0, &[announced()]), NOW);
    e.datagram(&ipfix(0, &[announced()]), NOW);
    assert_eq!(e.counters().templates, 1, "the same again is only a refresh");
    let other = set(2, &template(300, &[(8, 4), (12, 4), (1, 4)]));
    let decoded = e.datagram(&ipfix(0, &[other, set(300, &be(&[(1, 4), (2, 4), (55, 4)]))]), NOW);
    assert_eq!((decoded.records[0].bytes, e.counters().templates, e.templates()), (55, 2, 1));
}

#[test]
fn templates_are_withdrawn_one_by_one_and_all_at_once() {
    let mut e = exporter();
    let three = set(2, &[template(300, &PLAIN), template(301, &PLAIN), template(302, &PLAIN)].concat());
    e.datagram(&ipfix(0, &[three, set(3, &options(400, &[(149, 4), (160, 8)]))]), NOW);
    assert_eq!(e.templates(), 4);
    e.datagram(&ipfix(0, &[set(2, &be(&[(301, 2), (0, 2)]))]), NOW);
    assert_eq!(e.templates(), 3);
    assert!(e.datagram(&ipfix(0, &[set(301, &plain(1, 1))]), NOW).records.is_empty());
    e.datagram(&ipfix(0, &[set(2, &be(&[(2, 2), (0, 2)]))]), NOW);
    assert_eq!(e.templates(), 1, "the options template is of the other kind");
    e.datagram(&ipfix(0, &[set(3, &be(&[(3, 2), (0, 2)]))]), NOW);
    assert_eq!((e.templates(), e.counters().withdrawn), (0, 4));
}

#[test]
fn a_template_that_is_not_sent_again_is_forgotten() {
    let mut e = exporter();
    e.datagram(&ipfix(0, &[announced()]), NOW);
    assert_eq!(e.datagram(&ipfix(0, &[set(300, &plain(1, 1))]), NOW + TEMPLATE_LIFE_NS).records.len(), 1);
    assert_eq!(e.datagram(&ipfix(0, &[set(300, &plain(1, 1))]), NOW + TEMPLATE_LIFE_NS + 2 * SECOND).records.len(), 0);
    assert_eq!((e.counters().expired, e.templates()), (1, 0));
}

#[test]
fn a_netflow_9_exporter_that_started_again_has_no_templates() {
    let mut e = exporter();
    e.datagram(&v9_at(9_000_000, 5000, &[set(0, &template(300, &PLAIN))]), NOW);
    assert_eq!(e.templates(), 1);
    // late by a second is no restart
    e.datagram(&v9_at(8_999_000, 4999, &[]), NOW);
    assert_eq!((e.templates(), e.counters().late), (1, 1));
    e.datagram(&v9_at(100, 0, &[set(300, &plain(1, 1))]), NOW);
    assert_eq!(e.templates(), 0);
}

#[test]
fn templates_are_bounded() {
    let mut e = exporter();
    for id in 0..TEMPLATES_MAX {
        e.datagram(&ipfix(0, &[set(2, &template(256 + id as u16, &PLAIN))]), NOW);
    }
    let more = e.datagram(&ipfix(0, &[set(2, &template(9999, &PLAIN))]), NOW);
    assert_eq!(more.errors, [FlowError::TooManyTemplates { offset: 20, id: 9999, max: TEMPLATES_MAX }]);
    assert_eq!(e.templates(), TEMPLATES_MAX);
    let again = e.datagram(&ipfix(0, &[set(2, &template(256, &PLAIN))]), NOW);
    assert_eq!(again.errors, [], "a refresh needs no room");
}

#[test]
fn gaps_are_counted_per_domain() {
    let mut e = exporter();
    let data = |n: usize| set(300, &plain(1, 1).repeat(n));
    e.datagram(&ipfix_of(7, 100, &[announced(), data(3)]), NOW);
    e.datagram(&ipfix_of(7, 103, &[data(2)]), NOW);
    assert_eq!(e.counters().lost_records, 0, "IPFIX counts data records (RFC 7011 §3.1)");
    e.datagram(&ipfix_of(8, 5000, &[announced(), data(1)]), NOW);
    assert_eq!(e.counters().lost_records, 0, "another domain counts for itself");
    e.datagram(&ipfix_of(7, 115, &[data(1)]), NOW);
    assert_eq!(e.counters().lost_records, 10);
    e.datagram(&ipfix_of(7, 105, &[data(10)]), NOW);
    assert_eq!((e.counters().late, e.counters().lost_records), (1, 10));
    e.datagram(&ipfix_of(7, 116, &[]), NOW);
    assert_eq!(e.counters().lost_records, 10, "what came late does not set the number back");
    e.datagram(&ipfix_of(7, 3_000_000_000, &[]), NOW);
    assert_eq!((e.counters().restarts, e.counters().lost_records), (1, 10));
    let mut e = exporter();
    for number in [u32::MAX - 1, u32::MAX, 2] {
        e.datagram(&v9(number, &[]), NOW);
    }
    assert_eq!(e.counters().lost_datagrams, 2, "NetFlow v9 counts datagrams, and the number wraps");
}

#[test]
fn a_sampler_table_scales_the_records_that_name_it() {
    let mut e = exporter();
    // Cisco: scope is the system (v9 type 1), then sampler id, mode, one packet of so many
    let told = [be(&[(400, 2), (4, 2), (12, 2), (1, 2), (4, 2)]), be(&[(48, 2), (2, 2), (49, 2), (1, 2), (50, 2), (4, 2)])].concat();
    let fields = set(0, &template(300, &[(1, 4), (2, 4), (8, 4), (12, 4), (48, 2)]));
    let data = |sampler: u64| set(300, &be(&[(1000, 4), (10, 4), (1, 4), (2, 4), (sampler, 2)]));
    let before = e.datagram(&v9(0, &[fields, data(5)]), NOW);
    assert_eq!((before.records[0].scaled_bytes, before.records[0].sampling.source), (1000, SamplingSource::Unknown));
    assert_eq!(e.counters().unscaled, 1);
    let rates = set(400, &be(&[(0, 4), (5, 2), (2, 1), (128, 4)]));
    let after = e.datagram(&v9(1, &[set(1, &told), rates, data(5), data(0)]), NOW);
    assert_eq!(after.errors, []);
    let r = &after.records[0];
    assert_eq!((r.bytes, r.scaled_bytes, r.scaled_packets), (1000, 128_000, 1280));
    assert_eq!((r.sampling.sampled, r.sampling.population, r.sampling.source), (1, 128, SamplingSource::Sampler));
    assert_eq!(after.records[1].sampling.source, SamplingSource::NotTold, "0 is no sampler");
}

#[test]
fn selectors_tell_interval_and_space_or_size_and_population() {
    let mut e = exporter();
    let spaced = set(3, &options(400, &[(302, 4), (304, 2), (305, 4), (306, 4)]));
    let random = set(3, &options(401, &[(302, 4), (304, 2), (309, 4), (310, 4)]));
    let rates = [set(400, &be(&[(1, 4), (1, 2), (10, 4), (990, 4)])), set(401, &be(&[(2, 4), (3, 2), (2, 4), (64, 4)]))].concat();
    let fields = set(2, &template(300, &[(1, 8), (8, 4), (12, 4), (302, 4)]));
    let data = |selector: u64| set(300, &be(&[(1000, 8), (1, 4), (2, 4), (selector, 4)]));
    let decoded = e.datagram(&ipfix(0, &[spaced, random, rates, fields, data(1), data(2), data(3)]), NOW);
    assert_eq!(decoded.errors, []);
    let scaled: Vec<_> = decoded.records.iter().map(|r| (r.scaled_bytes, r.sampling.source)).collect();
    assert_eq!(scaled, [(100_000, SamplingSource::Selector), (32_000, SamplingSource::Selector), (1000, SamplingSource::Unknown)]);
}

#[test]
fn a_rate_of_the_domain_holds_for_all_its_records_and_a_records_own_comes_first() {
    let mut e = exporter();
    let told = set(3, &options(400, &[(149, 4), (34, 4), (35, 1)]));
    let rates = set(400, &be(&[(7, 4), (100, 4), (2, 1)]));
    let own = set(2, &template(301, &[(1, 8), (8, 4), (12, 4), (34, 4)]));
    let decoded = e.datagram(
        &ipfix(0, &[told, rates, announced(), own, set(300, &plain(10, 1)), set(301, &be(&[(10, 8), (1, 4), (2, 4), (7, 4)]))]),
        NOW,
    );
    let scaled: Vec<_> = decoded.records.iter().map(|r| (r.scaled_bytes, r.sampling.source)).collect();
    assert_eq!(scaled, [(1000, SamplingSource::Domain), (70, SamplingSource::Record)]);
    let other = e.datagram(&ipfix_of(8, 0, &[announced(), set(300, &plain(10, 1))]), NOW);
    assert_eq!(other.records[0].scaled_bytes, 10, "another domain is not sampled");
}

#[test]
fn nonsense_rates_scale_nothing() {
    let mut e = exporter();
    // zero, and more sampled than passed
    let own = set(2, &template(301, &[(1, 8), (8, 4), (309, 4), (310, 4)]));
    let data = set(301, &be(&[(10, 8), (1, 4), (0, 4), (5, 4), (10, 8), (1, 4), (9, 4), (5, 4)]));
    let decoded = e.datagram(&ipfix(0, &[own, data]), NOW);
    assert_eq!(decoded.records.iter().map(|r| r.scaled_bytes).collect::<Vec<_>>(), [10, 10]);
    let own = set(2, &template(302, &[(1, 8), (8, 4), (34, 4)]));
    let huge = set(302, &be(&[(u64::MAX, 8), (1, 4), (u64::from(u32::MAX), 4)]));
    assert_eq!(e.datagram(&ipfix(0, &[own, huge]), NOW).records[0].scaled_bytes, u64::MAX, "saturates");
}

#[test]
fn sampling_tables_are_bounded() {
    let mut e = exporter();
    e.datagram(&ipfix(0, &[set(3, &options(400, &[(302, 4), (309, 4), (310, 4)]))]), NOW);
    for id in 0..SAMPLERS_MAX as u64 + 3 {
        e.datagram(&ipfix(0, &[set(400, &be(&[(id, 4), (1, 4), (2, 4)]))]), NOW);
    }
    assert_eq!(e.counters().samplers_refused, 3);
}
