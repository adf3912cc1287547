//! Real captures, read in place. Absent on other machines: the tests say so and pass.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use bmp::{Action, Codec, DecodeError, Framer, Message};
use std::collections::BTreeMap;
use std::path::PathBuf;

const DATA: &str = "../../../../shared/data/bmp";

fn corpus(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var("PILOTHOUSE_BMP_CORPUS").unwrap_or_else(|_| DATA.to_owned())).join(name);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: no captures at {}", path.display());
    None
}

type Decoded = Vec<(u64, Vec<u8>, Result<Message, DecodeError>)>;

fn decode_all(stream: &[u8]) -> Decoded {
    let (mut framer, mut codec, mut out) = (Framer::new(), Codec::default(), Vec::new());
    for chunk in stream.chunks(1000) {
        framer.push(chunk);
        while let Some(frame) = framer.next() {
            let frame = frame.unwrap();
            let result = bmp::decode(&frame.bytes, &mut codec);
            out.push((frame.offset, frame.bytes, result));
        }
    }
    assert_eq!(framer.pending(), 0, "the stream ends inside a message");
    out
}

const fn short(message: &Message) -> &'static str {
    match message {
        Message::RouteMonitoring(_) => "RM",
        Message::Statistics(_) => "STATS",
        Message::PeerDown(_) => "PDOWN",
        Message::PeerUp(_) => "PUP",
        Message::Initiation(_) => "INIT",
        Message::Termination(_) => "TERM",
        Message::RouteMirroring(_) => "MIRROR",
    }
}

#[test]
fn every_stream_gives_the_messages_its_index_counts() {
    let Some(dir) = corpus("streams") else { return };
    let index: serde_json::Value = serde_json::from_slice(&std::fs::read(dir.join("INDEX.json")).unwrap()).unwrap();
    let mut faults: BTreeMap<String, usize> = BTreeMap::new();
    let mut total = 0;
    for (name, entry) in index.as_object().unwrap() {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for (offset, bytes, result) in decode_all(&std::fs::read(dir.join(name)).unwrap()) {
            total += 1;
            let kind = match &result {
                Ok(message) => {
                    assert!(bmp::json::message(message, offset)["type"].is_string());
                    short(message)
                }
                Err(error) => {
                    *faults.entry(format!("{name}: {error}")).or_default() += 1;
                    assert!(bmp::json::malformed(error, &bytes, offset)["action"].is_string());
                    ["RM", "STATS", "PDOWN", "PUP", "INIT", "TERM", "MIRROR"][usize::from(bytes[5])]
                }
            };
            *counts.entry(kind).or_default() += 1;
        }
        for (kind, wanted) in entry["msgs"].as_object().unwrap() {
            assert_eq!(counts.get(kind.as_str()), wanted.as_u64().as_ref(), "{name} {kind}");
        }
    }
    println!("{total} messages of {} streams; faults: {faults:#?}", index.as_object().unwrap().len());
    assert!(total > 10_000);
    assert!(faults.is_empty(), "real routers sent these, none is malformed: {faults:#?}");
}

#[test]
fn crafted_add_path_and_default_route_come_out_as_announced() {
    let Some(dir) = corpus("crafted") else { return };
    let routes = |name: &str| {
        let mut out = (Vec::new(), Vec::new());
        for (_, _, result) in decode_all(&std::fs::read(dir.join(name)).unwrap()) {
            if let Message::RouteMonitoring(m) = result.unwrap() {
                out.0.extend(m.announce.iter().map(|n| (n.prefix.to_string(), n.path_id)));
                out.1.extend(m.withdraw.iter().map(|n| n.prefix.to_string()));
            }
        }
        out
    };
    let ten = "10.0.0.0/24".to_owned();
    assert_eq!(routes("t_addpath_small.bmp").0, [(ten.clone(), Some(1)), (ten, Some(2))]);
    assert_eq!(routes("t_withdraw_default.bmp").1, ["0.0.0.0/0", "11.0.0.0/8"]);
}

#[test]
fn updates_of_route_collectors_decode() {
    let Some(dir) = corpus("from-mrt") else { return };
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let all = decode_all(&std::fs::read(&path).unwrap());
        let withdrawn = all.iter().filter(|(_, _, r)| matches!(r, Err(e) if e.action == Action::TreatAsWithdraw)).count();
        let lost = all.iter().filter(|(_, _, r)| matches!(r, Err(e) if e.action != Action::TreatAsWithdraw)).count();
        for (offset, _, r) in &all {
            if let Err(e) = r {
                println!("{} at {offset}: {e}", path.display());
            }
        }
        println!("{}: {} messages, {withdrawn} treated as withdraw, {lost} lost", path.display(), all.len());
        assert_eq!(lost, 0);
        assert_eq!(withdrawn, 0);
    }
}
