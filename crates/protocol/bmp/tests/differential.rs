//! Two readers of the same bytes: ours and NetGauze's must find the same routes and attributes in every real UPDATE.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

mod facts;
mod wire;

use bmp::{Codec, Framer, Message, Repair};
use facts::{Facts, ours, theirs};
use netgauze_bmp_pkt::BmpMessage;
use netgauze_bmp_pkt::wire::deserializer::BmpParsingContext;
use netgauze_parse_utils::reader::SliceReader;
use netgauze_parse_utils::traits::ParseFromWithOneInput;

/// RFC 6793 §9.
const AS_TRANS: u64 = 23456;

#[test]
fn netgauze_finds_the_same_routes_in_our_recording() {
    let dir = std::path::PathBuf::from("../../../tests/recordings/seed");
    assert!(same_routes(&dir, &["bmp"]).unwrap() > 1000);
}

#[test]
fn netgauze_finds_the_same_routes_in_the_captures() {
    let dir = std::path::PathBuf::from(std::env::var("PILOTHOUSE_BMP_CORPUS").unwrap_or_else(|_| "../../../../shared/data/bmp".to_owned()));
    match same_routes(&dir, &["streams", "from-mrt", "crafted"]) {
        Some(compared) => assert!(compared > 9000, "{compared}"),
        None => println!("skipped: no captures at {}", dir.display()),
    }
}

/// What NetGauze reads of a Peer Down, if anything: the name of the reason and what stands with it.
fn their_reason(bytes: &[u8]) -> Option<(String, serde_json::Value)> {
    let other = BmpMessage::parse(&mut SliceReader::new(bytes), &mut BmpParsingContext::default()).ok()?;
    let reason = serde_json::to_value(&other).unwrap()["V3"]["PeerDownNotification"]["reason"].clone();
    let (name, value) = reason.as_object()?.iter().next()?;
    Some((name.clone(), value.clone()))
}

/// Says whether both read the same NOTIFICATION of a Peer Down; `None` where there is none.
fn same_notification(bytes: &[u8]) -> Option<bool> {
    let down = printed(bytes);
    let wanted = match (down["type"].as_str(), down["reason"].as_str()) {
        (Some("peer_down"), Some("local_notification")) => "LocalSystemClosedNotificationPduFollows",
        (Some("peer_down"), Some("remote_notification")) => "RemoteSystemClosedNotificationPduFollows",
        _ => return None,
    };
    let (name, value) = their_reason(bytes).unwrap();
    Some(name == wanted && facts::same_notification(&value, &down["notification"]))
}

/// What `decode bmp` prints of one message.
fn printed(bytes: &[u8]) -> serde_json::Value {
    bmp::json::message(&bmp::decode(bytes, &mut Codec::default()).unwrap(), 0)
}

#[test]
fn a_peer_down_holds_the_same_notification() {
    let all = facts::notifications();
    assert!(all.len() > 35);
    for (code, subcode) in all {
        for (reason, data) in [(1, &[][..]), (3, b"why")] {
            let bytes = wire::peer_down(reason, &wire::bgp(3, &[&[code, subcode], data].concat()));
            assert_eq!(same_notification(&bytes), Some(true), "{code} {subcode} {:?}", their_reason(&bytes));
            // and another is told apart
            let told = &printed(&bytes)["notification"];
            let (_, value) = their_reason(&bytes).unwrap();
            for (field, wrong) in [("code", (code % 7 + 1).into()), ("subcode", (subcode + 1).into()), ("data", "00".into())] {
                let mut other = told.clone();
                other[field] = wrong;
                assert!(!facts::same_notification(&value, &other), "{other:?}");
            }
        }
    }
    let dir = std::path::PathBuf::from(std::env::var("PILOTHOUSE_BMP_CORPUS").unwrap_or_else(|_| "../../../../shared/data/bmp".to_owned()));
    let Ok(entries) = std::fs::read_dir(dir.join("../lab/bmp-raw")) else {
        println!("skipped: no recordings of the laboratory beside {}", dir.display());
        return;
    };
    let mut compared = 0;
    for path in entries.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "bmp")) {
        let mut framer = Framer::new();
        framer.push(&std::fs::read(&path).unwrap());
        while let Some(frame) = framer.next() {
            let bytes = frame.unwrap().bytes;
            if let (Some(2), Some(same)) = (bytes.get(5), same_notification(&bytes)) {
                assert!(same, "{}: {bytes:02x?}", path.display());
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 5, "10.99.0.1 was told of five administrative resets");
}

/// Compares every UPDATE in some folders and returns how many; `None`: a folder is not there.
fn same_routes(dir: &std::path::Path, folders: &[&str]) -> Option<usize> {
    let (mut compared, mut unread_by_them, mut repaired, mut labelled) = (0, 0, 0, 0);
    for sub in folders {
        let Ok(entries) = std::fs::read_dir(dir.join(sub)) else { return None };
        for path in entries.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "bmp")) {
            let (mut framer, mut codec, mut context) = (Framer::new(), Codec::default(), BmpParsingContext::default());
            framer.push(&std::fs::read(&path).unwrap());
            while let Some(frame) = framer.next() {
                let frame = frame.unwrap();
                let message = bmp::decode(&frame.bytes, &mut codec).unwrap();
                let printed = bmp::json::message(&message, frame.offset);
                let mut reader = SliceReader::new(&frame.bytes);
                let Ok(other) = BmpMessage::parse(&mut reader, &mut context) else {
                    unread_by_them += 1;
                    continue;
                };
                context.update(&other);
                let json = serde_json::to_value(&other).unwrap();
                let Message::RouteMonitoring(m) = message else { continue };
                let update = &json["V3"]["RouteMonitoring"]["update_message"]["Update"];
                // a guess of ours is more than they try, and version 4 has another shape
                if update.is_null() || m.repairs.contains(&Repair::AddPathGuessed) || m.repairs.contains(&Repair::TwoOctetAsPath) {
                    continue;
                }
                let mut expected = theirs(update);
                if m.announce.is_empty() {
                    expected =
                        Facts { announce: expected.announce, withdraw: expected.withdraw, labelled: expected.labelled, ..Facts::default() };
                }
                let own = expected.as_path.first().copied().unwrap_or_default();
                let mut found = ours(&printed, own);
                if m.announce.is_empty() {
                    found = Facts { announce: found.announce, withdraw: found.withdraw, labelled: found.labelled, ..Facts::default() };
                }
                if expected.as_path.len() == found.as_path.len() {
                    // they leave AS_TRANS where we have taken the number from AS4_PATH
                    expected.as_path.iter_mut().zip(&found.as_path).filter(|(t, _)| **t == AS_TRANS).for_each(|(t, o)| *t = *o);
                }
                assert_eq!(found, expected, "{} at {}", path.display(), frame.offset);
                labelled += found.labelled.0.len() + found.labelled.1.len();
                repaired += usize::from(m.repairs.contains(&Repair::FrrOwnAsInFront));
                compared += 1;
            }
        }
    }
    println!(
        "{compared} UPDATEs alike with {labelled} labelled routes, {repaired} of them with the own AS taken off; {unread_by_them} messages that NetGauze refuses"
    );
    Some(compared)
}
