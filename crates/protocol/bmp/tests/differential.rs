//! Two readers of the same bytes: ours and NetGauze's must find the same routes and attributes in every real UPDATE.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

mod facts;

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
                let mut found = ours(&m, own);
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
