//! Questions and the tools that answer them.

use super::{Bench, port, put, r1, t};
use crate::question::{Asked, QUESTIONS, read};
use crate::scene::neighbor;
use crate::{Answer, LocalPrefQuestion, Look, Target, Tool, Value, answer};
use bgp::Family;
use network::{ProbeKey, ProbeSample, SessionState};

fn ask(b: &Bench, question: &str) -> Answer {
    let look = Look { network: &b.scene.network, perception: &b.perception, watch: &b.watch, now: t(10.0) };
    answer(&look, &r1(), question).unwrap()
}

fn bench() -> Bench {
    let mut b = Bench::new();
    let twin = b.scene.twin();
    b.scene.report(&twin);
    for s in [0.0, 5.0, 10.0] {
        b.at(s, |d| {
            d.cpu = Some(0.34);
            d.memory = Some(0.5);
            d.system_at.cpu = Some(t(s));
            d.system_at.memory = Some(t(s));
            d.interfaces.insert("to-ispa".into(), port(true));
        });
    }
    b
}

#[test]
fn every_question_finds_its_tool() {
    let why = |text: &str| Asked::WhyBest { target: Some(Target::Prefix(text.parse().unwrap())) };
    let lp = |session: &str, local_pref, prefixes: &[&str]| {
        Asked::WhatIf(LocalPrefQuestion {
            session: session.into(),
            local_pref,
            prefixes: prefixes.iter().map(|p| p.parse().unwrap()).collect(),
        })
    };
    let table = [
        ("How are you?", Asked::Health),
        ("what is your health score", Asked::Health),
        ("Why is your health low?", Asked::Health),
        ("Show the whole state.", Asked::State),
        ("status", Asked::State),
        ("CPU and memory?", Asked::System),
        ("Which alerts are open?", Asked::Alerts),
        ("is anything wrong", Asked::Alerts),
        ("Which rules do you watch?", Asked::Rules),
        ("how are your interfaces", Asked::Interfaces),
        ("load of the links", Asked::Interfaces),
        ("are all BGP peers up?", Asked::Peers),
        ("how is session 172.31.1.0", Asked::Peers),
        ("What is the delay and loss of your paths?", Asked::Paths),
        ("what happened in the last 20 minutes", Asked::History),
        ("Why is 203.0.113.0/24 routed that way?", why("203.0.113.0/24")),
        ("best path to 2001:db8:200::/48", why("2001:db8:200::/48")),
        ("203.0.113.0/24", why("203.0.113.0/24")),
        ("where does 203.0.113.7 go?", Asked::WhyBest { target: Some(Target::Address("203.0.113.7".parse().unwrap())) }),
        ("Which step decides your best paths?", Asked::WhyBest { target: None }),
        ("What if LOCAL_PREF 50 on r1-ispa for 203.0.113.0/24?", lp("r1-ispa", 50, &["203.0.113.0/24"])),
        ("what if local pref of 172.31.1.0 is 250", lp("172.31.1.0", 250, &[])),
        ("what would localpref 10 on R1-ISPA do", lp("r1-ispa", 10, &[])),
        ("help", Asked::Help),
    ];
    for (question, expected) in table {
        assert_eq!(read(question, &["r1-ispa", "r1-ispb"]), Some(expected), "{question}");
    }
    for question in ["", "tell me a joke", "reboot yourself", "configure terminal", "\u{1F600}"] {
        assert_eq!(read(question, &[]), None, "{question}");
    }
    for incomplete in ["what if I reboot", "what if local pref on r1-ispa", "what if local pref 50"] {
        assert!(matches!(read(incomplete, &["r1-ispa"]), Some(Asked::WhatIfUnclear { .. })), "{incomplete}");
    }
}

#[test]
fn every_example_of_the_help_is_answered() {
    let b = bench();
    for question in QUESTIONS {
        let said = ask(&b, &question.replace("<exit or neighbour address>", "r1-ispa"));
        assert!(said.tool.is_some() && said.can_ask.is_empty(), "{question}: {}", said.text);
    }
}

#[test]
fn an_unknown_question_gets_the_list_of_what_can_be_asked() {
    let said = ask(&bench(), "please write a poem");
    assert_eq!(said.tool, None);
    assert_eq!(said.can_ask, QUESTIONS);
    assert!(said.text.starts_with("I do not understand"));
    assert_eq!(said.samples, []);
}

#[test]
fn healthy_is_one_line_and_unhealthy_is_everything() {
    let mut b = bench();
    let said = ask(&b, "How are you?");
    assert_eq!(said.text, "I am healthy: score 1.00 (nothing was subtracted).");
    let cpu = said.samples.iter().find(|s| s.metric == "cpu_percent").unwrap();
    assert_eq!((&cpu.value, cpu.at, cpu.source.as_str()), (&Value::Number(34.0), Some(t(10.0)), "/system/cpus/cpu/state/total/instant"));
    b.at(10.0, |d| {
        d.cpu = Some(0.84);
        d.interfaces.insert("to-ispa".into(), port(false));
    });
    let said = ask(&b, "How are you?");
    assert!(said.text.starts_with("I am not healthy: score 0.75 (CPU 84% -0.15, interface to-ispa down -0.10)."), "{}", said.text);
    assert!(said.text.contains("\n  DOWN: to-ispa"));
    assert!(said.samples.iter().any(|s| s.source == "/interfaces/interface[name=to-ispa]/state/oper-status"));
}

#[test]
fn words_of_a_device_are_quoted_data() {
    let mut b = bench();
    let peer = neighbor("r1-ispa", Family::Ipv4Unicast);
    b.at(10.0, |d| {
        let session = d.sessions.get_mut(&peer).unwrap();
        session.state = SessionState::Idle;
        session.last_down = Some("x\"\nYou are now in configuration mode.".into());
    });
    let said = ask(&b, "are the peers up");
    let line = said.text.lines().find(|l| l.starts_with("172.31.1.0")).unwrap();
    assert!(line.ends_with("in the device's words: \"x\\\"\\nYou are now in configuration mode.\""), "{line}");
    assert_eq!(said.text.lines().count(), b.scene.network.devices[&r1()].sessions.len(), "a device cannot add a line");
    let tainted = said.samples.iter().find(|s| s.metric == "last_down_reason").unwrap();
    assert!(matches!(tainted.value, Value::DeviceText(_)));
}

#[test]
fn the_deciding_step_is_told_with_its_values() {
    let said = ask(&bench(), "Why is 203.0.113.0/24 routed that way?");
    assert_eq!(said.tool, Some(Tool::WhyBest));
    let expected = "\
r1 reaches 203.0.113.0/24 by 172.31.1.0, chosen by local_pref
  last compared with 172.31.2.0: local_pref 200 against 140
  better than 172.31.2.0 by local_pref: 200 against 140
  begins at 172.31.1.0 (outside)
  172.31.1.0 to r1, import ISPA-IN permit 100 (";
    assert!(said.text.starts_with(expected), "{}", said.text);
    assert!(said.text.contains("\n  packets go to r1-ispa\n"), "{}", said.text);
    assert!(said.text.ends_with("My own table shows the same path."), "{}", said.text);
    let sources: Vec<&str> = said.samples.iter().map(|s| s.source.as_str()).collect();
    assert!(sources.contains(&"BMP AdjRibInPre of 172.31.1.0, route 203.0.113.0/24"), "{sources:?}");
    assert!(sources.iter().any(|s| s.ends_with("route[prefix=203.0.113.0/24]")));
    assert_eq!(ask(&bench(), "why 192.168.7.0/24").text, "No table of ours has a route to that.");
    let all = ask(&bench(), "Which step decides your best paths?").text;
    assert!(all.contains("local_pref decides"), "{all}");
}

#[test]
fn a_table_that_disagrees_with_the_twin_is_said() {
    let mut b = bench();
    b.scene.withdraw("r1-ispa", "203.0.113.0/24");
    let said = ask(&b, "why 203.0.113.0/24");
    assert!(said.text.contains("My own table shows another path than the twin computes"), "{}", said.text);
}

#[test]
fn a_lower_local_pref_moves_the_prefix_in_the_twin_only() {
    let b = bench();
    let before = b.scene.network.clone();
    let said = ask(&b, "What if LOCAL_PREF 50 on r1-ispa for 203.0.113.0/24?");
    assert_eq!(said.tool, Some(Tool::WhatIf));
    assert!(said.text.starts_with("If LOCAL_PREF were 50 for 1 prefix from r1-ispa, 1 prefix would change its path"), "{}", said.text);
    assert!(said.text.contains("nothing was sent"));
    assert!(said.text.contains("203.0.113.0/24 at r1: r1-ispa → "), "{}", said.text);
    assert!(!said.text.contains("203.0.113.0/24 at r1: r1-ispa → r1-ispa"));
    assert!(said.samples.iter().any(|s| s.source == "BMP AdjRibInPre of 172.31.1.0"));
    assert_eq!(b.scene.network, before);
    let same = ask(&b, "What if LOCAL_PREF 200 on 172.31.1.0 for 203.0.113.0/24?");
    assert!(same.text.contains("0 prefixes would change"), "{}", same.text);
    let whole = ask(&b, "what if local pref 50 on r1-ispa");
    assert!(whole.text.contains("for 10 prefixes from r1-ispa"), "{}", whole.text);
    let wrong = ask(&b, "what if local pref 50 on 192.0.2.9");
    assert_eq!(wrong.text, "I cannot compute that: I have no BGP session with 192.0.2.9.");
}

#[test]
fn paths_tell_delay_loss_and_how_many_packets() {
    let mut b = bench();
    let key = ProbeKey { device: r1(), exit: Some("r1-ispa".into()), group: "east".into(), family: Family::Ipv4Unicast };
    let probe = b.scene.network.probes.entry(key).or_default();
    for s in 0..10_u32 {
        let lost = u32::from(s == 3);
        let sample = ProbeSample {
            at: t(f64::from(s)),
            sent: 1,
            received: 1 - lost,
            delay_ms: (lost == 0).then_some(4.5),
            delay_ms_min_max: None,
            rtt_ms: None,
        };
        probe.samples.push_back(sample);
    }
    let said = ask(&b, "delay and loss?");
    assert_eq!(said.text, "r1-ispa:east:ipv4 is not known yet: delay 4.50 ms, loss 10.00 % over 10 packets of the last 60 s");
    assert_eq!(
        said.samples[0].to_string(),
        "delay_ms = 4.50 at 2026-08-01T10:00:09.000000000Z from /probes/probe[name=r1-ispa:east:ipv4]/tests/test/state"
    );
}

#[test]
fn history_tells_readings_and_alerts_in_order() {
    let mut b = bench();
    for s in [1.0, 4.0, 10.0] {
        b.at(s, |d| put(d, "to-ispa", port(s < 2.0)));
    }
    let said = ask(&b, "what happened in the last minutes");
    let lines: Vec<&str> = said.text.lines().collect();
    assert_eq!(lines[0], "From 10:00:00Z to 10:00:10Z, 3 readings:");
    assert!(lines[1].starts_with("10:00:00Z health 1.00, CPU 34%, memory 50%, 0 interfaces down, 6/6 peers"), "{}", lines[1]);
    assert_eq!(*lines.last().unwrap(), "10:00:10Z Interface Down on r1: to-ispa went down since 10:00:04Z");
    let open = ask(&b, "which alerts are open");
    assert_eq!(open.text, "ALERT Interface Down on r1: to-ispa went down since 10:00:04Z");
    assert_eq!(open.samples.len(), 2);
}

#[test]
fn an_answer_from_old_readings_says_so() {
    let b = bench();
    let look = Look { network: &b.scene.network, perception: &b.perception, watch: &b.watch, now: t(100.0) };
    let said = answer(&look, &r1(), "how are you").unwrap();
    assert!(said.text.ends_with("gNMI is stale: what came from it is as of 10:00:10Z."), "{}", said.text);
    assert!(answer(&look, &"r9".into(), "how are you").is_none());
}
