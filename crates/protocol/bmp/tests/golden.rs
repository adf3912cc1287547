//! Every capture against its golden file (NetGauze's objects, one a message): each message of theirs is one of ours with the same header and
//! content, and none of ours is left over but those that they refuse, each of which is listed here with the reason.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

mod facts;

use bmp::{Codec, Framer, Message};
use facts::{ours, theirs};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// RFC 6793 §9: where they leave it, we have taken the number from AS4_PATH.
const AS_TRANS: u64 = 23456;

/// Messages that they refuse and we read, by capture: how many, and why ours is right.
const REFUSED: [(&str, usize, &str); 2] = [
    // RFC 6286 §2.1 forbids 0.0.0.0 as identifier in an OPEN that is taken; BMP tells the OPEN that was sent. And twice an AS_PATH of
    // 2-octet numbers under a flag that says 4: read, and named as a repair
    ("206-BMP-high-availability__traffic-00", 3, "InvalidBgpId; InvalidAsPathLength, twice"),
    ("208-BMP-mem-leak-test__bmp-multi-sources-peer-up", 2, "InvalidBgpId"),
];

fn folder() -> PathBuf {
    PathBuf::from(std::env::var("PILOTHOUSE_BMP_CORPUS").unwrap_or_else(|_| "../../../../shared/data/bmp".to_owned()))
}

/// Kind, peer and time: what tells messages apart before their content is looked at. They give none where it is unspecified.
fn their_key(kind: &str, body: &Value) -> String {
    let peer = &body["peer_header"];
    if peer.is_null() {
        return kind.to_owned();
    }
    // both without the zeros at the end of the fraction
    let time = peer["timestamp"].as_str().unwrap_or_default();
    format!("{kind}|{}|{}|{}|{}", peer["peer_as"], peer["bgp_id"], peer["address"].as_str().unwrap_or("-"), short(time))
}

fn our_key(json: &Value) -> String {
    let kind = match json["type"].as_str().unwrap() {
        "route_monitoring" => "RouteMonitoring",
        "peer_up" => "PeerUpNotification",
        "peer_down" => "PeerDownNotification",
        "statistics" => "StatisticsReport",
        "initiation" => "Initiation",
        other => other,
    };
    let peer = &json["peer"];
    if peer.is_null() {
        return kind.to_owned();
    }
    let address = Some(peer["address"].as_str().unwrap()).filter(|a| !["0.0.0.0", "::"].contains(a)).unwrap_or("-");
    format!("{kind}|{}|{}|{address}|{}", peer["asn"], peer["bgp_id"], short(json["time"].as_str().unwrap_or_default()))
}

fn short(time: &str) -> String {
    let time = time.trim_end_matches('Z');
    if time.contains('.') { time.trim_end_matches('0').trim_end_matches('.').to_owned() } else { time.to_owned() }
}

/// Version, hold time, identifier and AS of an OPEN.
fn their_open(open: &Value) -> String {
    let open = &open["Open"];
    let capabilities = open["params"].as_array().into_iter().flatten().flat_map(|p| p["Capabilities"].as_array().into_iter().flatten());
    let four = capabilities.filter_map(|c| c["FourOctetAs"]["asn4"].as_u64()).next();
    format!("{} {} {} {}", open["version"], open["hold_time"], open["bgp_id"].as_str().unwrap(), four.or(open["my_as"].as_u64()).unwrap())
}

fn our_open(open: &bmp::Open) -> String {
    format!("{} {} {} {}", open.version, open.hold_time_s, open.bgp_id, open.asn.0)
}

/// Says whether one of our messages holds what theirs does.
fn same(kind: &str, body: &Value, message: &Message) -> bool {
    match message {
        Message::RouteMonitoring(m) => {
            let update = [&body["update_message"]["Update"], &body["update_pdu"]["value"]["BgpUpdate"]["Update"]];
            let Some(update) = update.into_iter().find(|u| !u.is_null()) else { return false };
            let mut expected = theirs(update);
            let mut found = ours(m, expected.as_path.first().copied().unwrap_or_default());
            if m.announce.is_empty() {
                for facts in [&mut expected, &mut found] {
                    (facts.as_path, facts.med, facts.local_pref) = (Vec::new(), None, None);
                    facts.communities.clear();
                    facts.next_hops.clear();
                }
            }
            if expected.as_path.len() == found.as_path.len() {
                expected.as_path.iter_mut().zip(&found.as_path).filter(|(t, _)| **t == AS_TRANS).for_each(|(t, o)| *t = *o);
            }
            expected == found
        }
        Message::PeerUp(m) => {
            let ports = (body["local_port"].as_u64(), body["remote_port"].as_u64());
            let same_ports = ports == (None, None) || ports == (Some(m.local_port.into()), Some(m.remote_port.into()));
            let local = body["local_address"].as_str();
            same_ports
                && local.is_none_or(|a| a == m.local_address.to_string())
                && their_open(&body["sent_message"]) == our_open(&m.sent_open)
                && their_open(&body["received_message"]) == our_open(&m.received_open)
        }
        Message::Statistics(m) => {
            // theirs by name of the library, ours by name of the RFC: the numbers, in order
            let numbers =
                |v: &Value| v.as_u64().or_else(|| v.as_array()?.last()?.as_u64()).or_else(|| v.as_object()?.values().next_back()?.as_u64());
            let expected: Vec<Option<u64>> =
                body["counters"].as_array().unwrap().iter().map(|c| numbers(c.as_object().unwrap().values().next().unwrap())).collect();
            let found = serde_json::to_value(m).unwrap();
            let found: Vec<Option<u64>> = found["counters"].as_array().unwrap().iter().map(|c| c["value"].as_u64()).collect();
            expected.len() == found.len() && expected.iter().zip(&found).all(|(a, b)| a.is_none() || a == b)
        }
        Message::Initiation(m) => {
            let expected = body["information"].as_array().unwrap().iter().flat_map(|t| t.as_object().unwrap().values());
            let expected: Vec<&str> = expected.filter_map(Value::as_str).collect();
            expected.iter().all(|e| m.tlvs.iter().any(|t| t.value == *e)) && expected.len() == m.tlvs.len()
        }
        Message::PeerDown(_) | Message::Termination(_) | Message::RouteMirroring(_) => kind != "RouteMonitoring",
    }
}

#[test]
fn every_message_of_every_capture_equals_its_golden_object() {
    let dir = folder();
    let Ok(index) = std::fs::read_to_string(dir.join("streams/INDEX.json")) else {
        println!("skipped: no captures at {}", dir.display());
        return;
    };
    let index: BTreeMap<String, Value> = serde_json::from_str(&index).unwrap();
    let (mut captures, mut messages, mut refused_in_all) = (0, 0, 0);
    for golden in std::fs::read_dir(dir.join("pcap")).unwrap().map(|e| e.unwrap().path()) {
        let name = golden.file_name().unwrap().to_str().unwrap();
        let Some(capture) = name.strip_suffix("-bmp.json") else { continue };
        let mut found: BTreeMap<String, Vec<(Message, bool)>> = BTreeMap::new();
        let mut ours_in_all = 0;
        for stream in index.iter().filter(|(_, v)| v["pcap"] == format!("{capture}.pcap")).map(|(name, _)| name) {
            let (mut framer, mut codec) = (Framer::new(), Codec::default());
            framer.push(&std::fs::read(dir.join("streams").join(stream)).unwrap());
            while let Some(frame) = framer.next() {
                let frame = frame.unwrap();
                let message = bmp::decode(&frame.bytes, &mut codec).unwrap_or_else(|e| panic!("{stream} at {}: {e}", frame.offset));
                found.entry(our_key(&bmp::json::message(&message, frame.offset))).or_default().push((message, false));
                ours_in_all += 1;
            }
            assert_eq!(framer.pending(), 0, "{stream}");
        }
        if ours_in_all == 0 {
            println!("{capture}: no stream of it was extracted");
            continue;
        }
        let (mut theirs_in_all, mut refused) = (0, 0);
        for line in std::fs::read_to_string(&golden).unwrap().lines().filter(|l| !l.trim().is_empty()) {
            let object: Value = serde_json::from_str(line).unwrap();
            theirs_in_all += 1;
            let (version, inner) = object.as_object().unwrap().iter().next().unwrap();
            if version == "BmpMessageParsingError" {
                refused += 1;
                continue;
            }
            let (kind, body) = inner.as_object().unwrap().iter().next().unwrap();
            let key = their_key(kind, body).replace('"', "");
            let candidates = found.iter_mut().find(|(k, _)| k.replace('"', "") == key);
            let Some((_, candidates)) = candidates else { panic!("{capture}: we have no {key}") };
            let hit = candidates.iter_mut().find(|(message, taken)| !taken && same(kind, body, message));
            let Some((_, taken)) = hit else { panic!("{capture}: none of ours is {line}\nours: {candidates:#?}") };
            *taken = true;
        }
        assert_eq!(ours_in_all, theirs_in_all, "{capture}: messages");
        let left = found.values().flatten().filter(|(_, taken)| !taken).count();
        let expected = REFUSED.iter().find(|(c, ..)| *c == capture).map_or(0, |(_, n, _)| *n);
        assert_eq!((left, refused), (expected, expected), "{capture}: messages that only we read");
        captures += 1;
        messages += theirs_in_all;
        refused_in_all += refused;
    }
    assert!(captures >= 10 && messages > 900, "{captures} captures, {messages} messages");
    println!("{messages} messages of {captures} captures equal their golden objects; {refused_in_all} that NetGauze refuses are read");
}
