//! The topics of a running engine: what comes in by BMP comes out once, and a restart loses no place.

use action::OperatorId;
use bmp::{Framer, Message};
use bus::{AGENT_ACTIONS, EVENTS_PEER, EVENTS_PREFIX, TELEMETRY_BMP, TELEMETRY_BMP_ALIAS, TELEMETRY_GNMI};
use pilot::Command;
use runtime::{Engine, Handle, Topics};
use std::collections::BTreeMap;
use std::path::PathBuf;

mod beside;
use beside::{send, start, story, until};

fn topics(engine: &Engine) -> Topics {
    engine.handle().topics().unwrap().clone()
}

fn published(topics: &Topics, topic: &str) -> u64 {
    topics.stats().into_iter().find(|t| t.topic == topic).unwrap().published
}

async fn values(topics: &Topics, topic: &str) -> Vec<serde_json::Value> {
    topics.newest(topic, 1000).await.unwrap().messages.into_iter().map(|m| (*m.value).clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_message_and_each_event_comes_once_with_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path()).await;
    let topics = topics(&engine);
    let _stream = send(&engine, &story()).await;
    until("six messages", || published(&topics, TELEMETRY_BMP) >= 6).await;

    let bmp = values(&topics, TELEMETRY_BMP_ALIAS).await;
    let types: Vec<&str> = bmp.iter().map(|v| v["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["initiation", "peer_up", "route_monitoring", "route_monitoring", "malformed", "peer_down"]);
    let announced = &bmp[2];
    assert_eq!(
        (&announced["router"], &announced["peer"], &announced["prefix"]),
        (&"r1".into(), &"10.0.0.2".into(), &"203.0.113.0/24".into())
    );
    assert_eq!((&announced["announced"], &announced["peer_asn"]), (&2.into(), &65002.into()));
    assert_eq!((&announced["as_path"], &announced["local_pref"]), (&"65002 64500".into(), &serde_json::Value::Null), "{announced}");

    let prefixes = values(&topics, EVENTS_PREFIX).await;
    let told: Vec<(&str, &str)> = prefixes.iter().map(|v| (v["type"].as_str().unwrap(), v["prefix"].as_str().unwrap())).collect();
    assert_eq!(told, [("announced", "203.0.113.0/24"), ("announced", "198.51.100.0/24"), ("withdrawn", "203.0.113.0/24")]);
    let peers = values(&topics, EVENTS_PEER).await;
    let told: Vec<(&str, &str)> = peers.iter().map(|v| (v["type"].as_str().unwrap(), v["peer"].as_str().unwrap())).collect();
    assert_eq!(told, [("peer_up", "10.0.0.2"), ("peer_down", "10.0.0.2")]);
    assert!(peers[1]["reason"].is_string() && peers[1]["from"] == "established", "{}", peers[1]);
    assert_eq!(published(&topics, TELEMETRY_GNMI), 0);

    let capture = engine.capture().to_owned();
    let digest = engine.stop().await.unwrap();
    assert_eq!(capture::Replay::run(&capture, None, |_| {}).unwrap().state_hash(), digest, "the topics influenced the state");
}

async fn kill_and_resume(handle: &Handle) {
    for command in [Command::Kill, Command::Resume] {
        handle.submit(OperatorId::new("uid:0 root"), command).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_behind_the_old_numbers_and_actions_are_all_there() {
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path()).await;
    let first = topics(&engine);
    let stream = send(&engine, &story()).await;
    until("six messages", || published(&first, TELEMETRY_BMP) >= 6).await;
    kill_and_resume(&engine.handle()).await;
    first.stand("pager", TELEMETRY_BMP, 4).unwrap();
    first.stand("pager", AGENT_ACTIONS, 1).unwrap();
    assert_eq!(published(&first, AGENT_ACTIONS), 2);
    engine.stop().await.unwrap();
    drop(stream);

    let engine = start(folder.path()).await;
    let second = topics(&engine);
    let _stream = send(&engine, &story()).await;
    until("six messages", || published(&second, TELEMETRY_BMP) >= 6).await;
    kill_and_resume(&engine.handle()).await;
    let bmp = second.read_on("pager", TELEMETRY_BMP, 100).await.unwrap();
    let offsets: Vec<u64> = bmp.messages.iter().map(|m| m.offset).collect();
    assert_eq!((bmp.gap, offsets), (Some(4..6), (6..12).collect()), "telemetry of the run before is told as lost");
    // actions come from the ledger where memory does not reach
    let actions = second.read_on("pager", AGENT_ACTIONS, 100).await.unwrap();
    let told: Vec<(u64, bool)> = actions.messages.iter().map(|m| (m.offset, m.value["stopped"].as_bool().unwrap())).collect();
    assert_eq!((actions.gap, told), (None, vec![(1, false), (2, true), (3, false)]));
    let all = second.newest(AGENT_ACTIONS, 3).await.unwrap();
    assert_eq!((all.messages.len(), all.messages[0].offset, all.next), (3, 1, 4));
    let from_ledger = second.read(AGENT_ACTIONS, 0, 1).await.unwrap();
    assert_eq!((from_ledger.next, from_ledger.messages[0].value["event"].as_str()), (1, Some("killed")));
    engine.stop().await.unwrap();
}

/// Every message of a recording is in the topic once, by type; its prefixes each once.
async fn plays(name: &str, bytes: &[u8]) {
    let (mut framer, mut codec) = (Framer::new(), bmp::Codec::new(Some(bgp::Asn(65001))));
    let (mut messages, mut prefixes, mut types) = (0_u64, 0_u64, BTreeMap::<&str, u64>::new());
    framer.push(bytes);
    while let Some(frame) = framer.next() {
        messages += 1;
        let decoded = bmp::decode(&frame.unwrap().bytes, &mut codec);
        let kind = match &decoded {
            Ok(Message::RouteMonitoring(m)) => {
                let global = matches!(m.peer.kind, bmp::PeerKind::Global | bmp::PeerKind::LocRib) && m.peer.distinguisher == "0:0";
                prefixes += if global { m.withdraw.len() as u64 + m.announce.len() as u64 } else { 0 };
                "route_monitoring"
            }
            Ok(Message::PeerUp(_)) => "peer_up",
            Ok(_) => "other",
            Err(_) => "malformed",
        };
        *types.entry(kind).or_default() += 1;
    }
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path()).await;
    let topics = topics(&engine);
    let stream = send(&engine, bytes).await;
    until(name, || published(&topics, TELEMETRY_BMP) >= messages).await;
    drop(stream);
    let capture = engine.capture().to_owned();
    let digest = engine.stop().await.unwrap();
    assert_eq!(published(&topics, TELEMETRY_BMP), messages, "{name}");
    assert_eq!(published(&topics, EVENTS_PREFIX), prefixes, "{name}");
    let stats = topics.stats();
    assert!(stats.iter().all(|t| t.missed == 0 && t.held + t.dropped == t.published), "{name}: {stats:?}");
    let mut found = BTreeMap::<String, u64>::new();
    for m in topics.read(TELEMETRY_BMP, 0, runtime::READ_MAX).await.unwrap().messages {
        *found.entry(m.value["type"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    if messages <= runtime::READ_MAX as u64 {
        for kind in ["route_monitoring", "peer_up", "malformed"] {
            assert_eq!(found.get(kind), types.get(kind), "{name}: {kind}");
        }
    }
    assert_eq!(capture::Replay::run(&capture, None, |_| {}).unwrap().state_hash(), digest, "{name}");
    println!("{name}: {messages} messages, {prefixes} prefixes");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_frr_sent_in_the_laboratory_comes_once() {
    let folder = PathBuf::from("../../../tests/recordings/seed/bmp");
    for name in ["r1.bmp", "r2.bmp", "r3.bmp"] {
        plays(name, &std::fs::read(folder.join(name)).unwrap()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_other_routers_sent_comes_once() {
    let folder = PathBuf::from("../../../../shared/data/bmp/streams");
    if !folder.exists() {
        println!("skipped: no recordings at {}", folder.display());
        return;
    }
    for name in ["206-BMP-high-availability__traffic-00__flow0.bmp", "201-BMP-CISCO-rd_instance__traffic-00__flow0.bmp"] {
        plays(name, &std::fs::read(folder.join(name)).unwrap()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_twenty_bmp_messages_are_given_unless_told_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path()).await;
    let topics = topics(&engine);
    let initiations: Vec<u8> = (0..25).flat_map(|_| beside::message(4, &[0, 2, 0, 2, b'r', b'1'])).collect();
    let _stream = send(&engine, &initiations).await;
    until("25 messages", || published(&topics, TELEMETRY_BMP) >= 25).await;
    let next = topics.stats().into_iter().find(|t| t.topic == TELEMETRY_BMP).unwrap().next;
    for (n, wanted) in [(None, 20), (Some(3), 3), (Some(1000), 25)] {
        let read = topics.recent(TELEMETRY_BMP_ALIAS, n).await.unwrap();
        let offsets: Vec<u64> = read.messages.iter().map(|m| m.offset).collect();
        assert_eq!(offsets, (next - wanted..next).collect::<Vec<_>>(), "{n:?}");
    }
    kill_and_resume(&engine.handle()).await;
    let actions = topics.recent(AGENT_ACTIONS, None).await.unwrap();
    assert_eq!(actions.messages.len(), 2);
    engine.stop().await.unwrap();
}
