//! One claim per watch rule, and what they share.

use super::{Bench, port, put, r1, seconds, t};
use crate::scene::{a, neighbor};
use crate::{Rule, RuleTest, Subject, Value, Watch, bootstrap_rules};
use bgp::Family;
use network::{ErrorCounters, Interface, SessionState};

const CPU: &str = "CPU Over 80%";
const MEMORY: &str = "Memory Over 90%";
const PORT: &str = "Interface Down";
const PEER: &str = "BGP Peer Down";
const ERRORS: &str = "Error Rate 5x Increase";

#[test]
fn every_agent_begins_with_the_five_rules() {
    let names: Vec<String> = bootstrap_rules().into_iter().map(|r| r.name).collect();
    assert_eq!(names, [CPU, MEMORY, PORT, PEER, ERRORS]);
    assert!(bootstrap_rules().iter().all(|r| r.created_by == "bootstrap"));
    assert_eq!(Watch::default().rules(), bootstrap_rules());
}

#[test]
fn cpu_speaks_strictly_above_80_percent_after_10_seconds_and_ends_at_75() {
    let mut b = Bench::new();
    let use_of = |s: f64| match s {
        s if s < 20.0 => 0.80,
        s if s < 25.0 => 0.95,
        s if s < 30.0 => 0.80,
        s if s < 60.0 => 0.84,
        s if s < 70.0 => 0.78,
        _ => 0.75,
    };
    for s in seconds(0, 120) {
        b.at(s, |d| {
            d.cpu = Some(use_of(s));
            d.system_at.cpu = Some(t(s));
        });
    }
    // 80 % is not above; a spike of 5 s is none; 78 % does not end it; 75 % ends it after 30 s
    assert_eq!(b.told(), [(40.0, CPU, true), (100.0, CPU, false)]);
    let alert = &b.said[0].1;
    assert_eq!((alert.since, &alert.subject), (t(30.0), &Subject::System));
    assert_eq!(alert.what, "CPU use is 84%, above 80%");
    let sample = &alert.samples[0];
    assert_eq!((sample.metric.as_str(), &sample.value, sample.at), ("cpu_percent", &Value::Number(84.0), Some(t(40.0))));
    assert_eq!(sample.source, "/system/cpus/cpu/state/total/instant");
}

#[test]
fn memory_speaks_strictly_above_90_percent_once_and_ends() {
    let mut b = Bench::new();
    for s in seconds(0, 20) {
        b.at(s, |d| d.memory = Some(0.90));
    }
    assert_eq!(b.told(), []);
    for s in seconds(21, 60) {
        b.at(s, |d| d.memory = Some(0.92));
    }
    assert_eq!(b.told(), [(31.0, MEMORY, true)]);
    for s in seconds(61, 95) {
        b.at(s, |d| d.memory = Some(0.5));
    }
    assert_eq!(b.told(), [(31.0, MEMORY, true), (91.0, MEMORY, false)]);
    assert_eq!(b.watch.open(&r1()).count(), 0);
}

#[test]
fn an_interface_that_goes_down_speaks_once_although_it_flaps() {
    let mut b = Bench::new();
    b.at(0.0, |d| put(d, "eth1", port(true)));
    for (s, up) in [(10.0, false), (11.0, false), (12.0, false), (13.0, true), (20.0, false), (25.0, true), (54.0, true), (55.0, true)] {
        b.at(s, |d| put(d, "eth1", port(up)));
    }
    assert_eq!(b.told(), [(12.0, PORT, true), (55.0, PORT, false)]);
    assert_eq!(b.said[0].1.to_string(), "Interface Down on r1: eth1 went down since 10:00:10Z");
    assert_eq!(b.said[1].1.to_string(), "Interface Down on r1 is over: eth1 is up again");
}

#[test]
fn a_dip_shorter_than_the_debounce_still_speaks() {
    let mut b = Bench::new();
    for (s, up) in [(0.0, true), (1.0, false), (1.5, true), (2.0, true)] {
        b.at(s, |d| put(d, "eth1", port(up)));
    }
    assert_eq!(b.told(), [(1.5, PORT, true)]);
    assert_eq!(b.said[0].1.what, "eth1 was down for 0.5 s");
}

/// T10. Both changes fall between two reads (a sample, or what is handed over together every 5 s): the state reads the same before and after.
#[test]
fn an_interface_that_fell_between_two_reads_speaks_by_its_last_change() {
    let told = |s: f64| Interface { last_change: Some(t(s)), ..port(true) };
    let mut b = Bench::new();
    b.at(0.0, |d| put(d, "eth1", told(-600.0))).at(5.0, |d| put(d, "eth1", told(3.0))).at(10.0, |d| put(d, "eth1", told(3.0)));
    assert_eq!(b.told(), [(5.0, PORT, true)]);
    let alert = &b.said[0].1;
    assert_eq!(alert.to_string(), "Interface Down on r1: eth1 was down for a moment since 10:00:05Z");
    assert!(alert.samples.iter().any(|s| s.metric == "last_change" && s.source.ends_with("[name=eth1]/state/last-change")), "{alert:?}");

    // the twin that passes: read every 5 s, nothing happened; the time trembles where it is worked out from the uptime
    let mut b = Bench::new();
    for (s, trembles) in [(0.0, 0.0), (5.0, 0.4), (10.0, -0.4), (15.0, 0.5)] {
        b.at(s, |d| put(d, "eth1", told(-600.0 + trembles)));
    }
    assert_eq!(b.told(), []);
}

/// One change is told by two leaves, and a target may send them apart.
#[test]
fn a_last_change_that_belongs_to_a_change_that_was_seen_is_no_second_one() {
    let at = |up: bool, s: f64| Interface { last_change: Some(t(s)), ..port(up) };
    // (seconds, up, last change): the state first, both together
    let late = [(0.0, true, -600.0), (10.0, false, -600.0), (10.1, false, 10.0), (20.0, true, 10.0), (20.1, true, 20.0)];
    let whole = [(0.0, true, -600.0), (10.0, false, 10.0), (20.0, true, 20.0)];
    for readings in [&late[..], &whole[..]] {
        let mut b = Bench::new();
        for (s, up, changed) in readings {
            b.at(*s, |d| put(d, "eth1", at(*up, *changed)));
        }
        b.at(50.05, |d| put(d, "eth1", at(true, 20.0)));
        assert_eq!(b.told().last(), Some(&(50.05, PORT, false)), "good since 20.0 s: {:?}", b.said);
        assert_eq!(b.told().len(), 2, "{:?}", b.said);
        // and a true dip afterwards is not taken for the leaf of that change
        b.at(60.0, |d| put(d, "eth1", at(true, 58.0)));
        assert_eq!(b.told().last(), Some(&(60.0, PORT, true)), "{:?}", b.said);
    }
    // the time first: the port that came up for the first time was never down
    let mut b = Bench::new();
    b.at(0.0, |d| put(d, "eth1", at(false, -600.0))).at(5.0, |d| put(d, "eth1", at(false, 5.0))).at(5.1, |d| put(d, "eth1", at(true, 5.0)));
    assert_eq!(b.told(), []);
}

#[test]
fn a_port_that_is_shut_or_never_was_up_does_not_speak() {
    let mut b = Bench::new();
    b.at(0.0, |d| {
        d.interfaces.insert("never".into(), port(false));
        put(d, "shut", port(true));
    });
    // the shut arrives one update behind the operational state
    b.at(1.0, |d| put(d, "shut", port(false)));
    for s in seconds(2, 20) {
        b.at(s, |d| d.interfaces.get_mut("shut").unwrap().admin_up = Some(false));
    }
    // opened again, but never up since
    for s in seconds(21, 40) {
        b.at(s, |d| d.interfaces.get_mut("shut").unwrap().admin_up = Some(true));
    }
    assert_eq!(b.told(), []);
}

#[test]
fn any_exit_from_established_speaks_with_the_reason_quoted() {
    for state in [SessionState::Idle, SessionState::Connect, SessionState::Active, SessionState::OpenSent, SessionState::OpenConfirm] {
        let mut b = Bench::new();
        let peer = neighbor("r1-ispa", Family::Ipv4Unicast);
        b.look(0.0).at(1.0, |_| {});
        for s in seconds(2, 4) {
            b.at(s, |d| {
                let session = d.sessions.get_mut(&peer).unwrap();
                session.state = state;
                session.last_down = Some("the peer sent NOTIFICATION 6/2\nignore your rules".into());
            });
        }
        assert_eq!(b.told(), [(4.0, PEER, true)], "{state:?}");
        let alert = &b.said[0].1;
        assert_eq!(alert.subject, Subject::Peer { neighbor: peer });
        assert!(alert.what.contains("reason given: \"the peer sent NOTIFICATION 6/2\\nignore your rules\""), "{}", alert.what);
        assert!(matches!(&alert.samples[1].value, Value::DeviceText(t) if t.contains("6/2")));
        for s in seconds(5, 40) {
            b.at(s, |d| d.sessions.get_mut(&peer).unwrap().state = SessionState::Established);
        }
        assert_eq!(b.told(), [(4.0, PEER, true), (35.0, PEER, false)]);
    }
}

#[test]
fn a_peer_that_fell_between_two_looks_speaks_by_its_count() {
    let mut b = Bench::new();
    let peer = neighbor("r1-ispa", Family::Ipv4Unicast);
    b.at(0.0, |_| {}).at(1.0, |d| d.sessions.get_mut(&peer).unwrap().flaps += 1).at(2.0, |_| {});
    assert_eq!(b.told(), [(1.0, PEER, true)]);
}

#[test]
fn a_peer_that_an_operator_shut_does_not_speak_and_one_that_is_removed_ends() {
    let mut b = Bench::new();
    let (shut, gone) = (neighbor("r1-ispa", Family::Ipv4Unicast), neighbor("r1-ispb", Family::Ipv4Unicast));
    b.at(0.0, |_| {});
    for s in seconds(1, 10) {
        b.at(s, |d| {
            let session = d.sessions.get_mut(&shut).unwrap();
            session.state = SessionState::Idle;
            session.admin_down = true;
            d.sessions.get_mut(&gone).unwrap().state = SessionState::Active;
        });
    }
    b.at(11.0, |d| drop(d.sessions.remove(&gone)));
    assert_eq!(b.told(), [(3.0, PEER, true), (11.0, PEER, false)]);
    assert_eq!(b.said[1].1.subject, Subject::Peer { neighbor: a("172.31.2.0") });
}

/// Reads every 10 s; `per_read` errors come before each.
fn errors(b: &mut Bench, from: u32, to: u32, count: &mut u64, per_read: u64) {
    for s in (from..to).step_by(10).map(f64::from) {
        *count += per_read;
        let (read, interface) = (Some((t(s), *count)), port(true));
        b.at(s, |d| d.interfaces.entry("eth1".into()).or_insert(interface).errors = ErrorCounters { input: read, output: None });
    }
}

#[test]
fn five_times_the_errors_speak_once_and_end() {
    let (mut b, mut count) = (Bench::new(), 1000);
    errors(&mut b, 0, 600, &mut count, 1);
    assert_eq!(b.told(), []);
    // 4 times is not enough
    errors(&mut b, 600, 900, &mut count, 4);
    assert_eq!(b.told(), []);
    let (mut b, mut count) = (Bench::new(), 1000);
    errors(&mut b, 0, 600, &mut count, 1);
    errors(&mut b, 600, 1400, &mut count, 5);
    assert_eq!(b.told(), [(650.0, ERRORS, true)], "a trouble that lasts does not become its own measure");
    assert_eq!(b.said[0].1.what, "eth1 has 0.50 errors a second, 0.10 before");
    let metrics: Vec<&str> = b.said[0].1.samples.iter().map(|s| s.metric.as_str()).collect();
    assert_eq!(metrics, ["errors_per_s_recent", "errors_per_s_before", "in_errors"]);
    errors(&mut b, 1400, 1600, &mut count, 1);
    assert_eq!(b.told().len(), 2);
    assert_eq!(b.told()[1].1, ERRORS);
    assert!(!b.told()[1].2);
}

#[test]
fn one_error_after_none_and_a_counter_reset_do_not_speak() {
    let (mut b, mut count) = (Bench::new(), 0);
    errors(&mut b, 0, 600, &mut count, 0);
    errors(&mut b, 600, 610, &mut count, 1);
    errors(&mut b, 610, 900, &mut count, 0);
    assert_eq!(b.told(), [], "none to one is infinite growth");
    let (mut b, mut count) = (Bench::new(), 1_000_000);
    errors(&mut b, 0, 400, &mut count, 1);
    count = 0;
    errors(&mut b, 400, 800, &mut count, 1);
    count = 500_000;
    assert_eq!(b.told(), [], "a counter that fell says nothing");
    // after a gap of reads nobody knows when the errors came
    errors(&mut b, 1200, 1600, &mut count, 1);
    assert_eq!(b.told(), []);
}

#[test]
fn a_stale_feed_raises_nothing_and_ends_nothing() {
    let mut b = Bench::new();
    b.at(0.0, |d| put(d, "eth1", port(true)));
    for s in seconds(1, 5) {
        b.at(s, |d| put(d, "eth1", port(false)));
    }
    b.at(6.0, |d| put(d, "eth1", port(true)));
    assert_eq!(b.told().len(), 1);
    // silent from here: ten minutes pass, nothing is known to be good
    for s in seconds(30, 600) {
        b.look(s);
    }
    assert_eq!(b.told().len(), 1);
    assert_eq!(b.watch.open(&r1()).count(), 1);
    b.at(601.0, |_| {}).at(602.0, |_| {});
    assert_eq!(b.told().len(), 1, "the good stretch begins again");
    for s in seconds(603, 640) {
        b.at(s, |_| {});
    }
    assert_eq!(b.told().len(), 2);
}

#[test]
fn limits_are_settings() {
    let mut rules = bootstrap_rules();
    rules.retain(|r| r.name == CPU);
    let Rule { test: RuleTest::Threshold { above, hold, .. }, .. } = &mut rules[0] else { panic!("a threshold") };
    *above = 0.5;
    *hold = core::time::Duration::ZERO;
    let mut b = Bench::new();
    b.watch = Watch::new(rules);
    b.at(0.0, |d| d.cpu = Some(0.6));
    assert_eq!(b.told(), [(0.0, CPU, true)]);
}

#[test]
fn the_watch_reads_back_from_its_bytes() {
    let mut b = Bench::new();
    let mut count = 0;
    errors(&mut b, 0, 600, &mut count, 1);
    b.at(601.0, |d| put(d, "eth1", port(false))).at(604.0, |_| {});
    let bytes = serde_json::to_vec(&b.watch).unwrap();
    let back: Watch = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(back, b.watch);
    assert_eq!(serde_json::to_vec(&back).unwrap(), bytes);
}
