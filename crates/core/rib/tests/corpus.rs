//! Real streams: the short way in must say what the long one says. Absent on other machines: the test says so and passes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]
#![allow(clippy::disallowed_methods, reason = "recordings are read in place; only tests do this")]

use bmp::{Codec, Framer, Message};
use rib::Rib;
use std::path::Path;
use units::Timestamp;

const DATA: &str = "../../../../shared/data/bmp";

/// Every stream twice, so that the second round finds its attributes known.
#[test]
fn real_streams_give_the_same_tables_both_ways() {
    let mut streams = 0;
    for folder in ["streams", "from-mrt", "crafted"] {
        let Ok(list) = std::fs::read_dir(Path::new(DATA).join(folder)) else {
            println!("skipped: no captures at {DATA}/{folder}");
            continue;
        };
        for path in list.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "bmp")) {
            let bytes = std::fs::read(&path).unwrap();
            let (mut fast, mut slow, mut codec) = (Rib::default(), Rib::default(), Codec::default());
            let router = fast.router("r").unwrap();
            slow.router("r");
            for round in 0..2_i64 {
                let mut framer = Framer::new();
                framer.push(&bytes);
                while let Some(frame) = framer.next_ref() {
                    let frame = frame.unwrap();
                    let now = Timestamp::from_millis(round * 1000);
                    let said = fast.ingest(router, frame.bytes, now).map_err(|e| e.to_string());
                    match bmp::decode(frame.bytes, &mut codec) {
                        Ok(message) => {
                            slow.apply(router, &message, now);
                            assert_eq!(said, Ok(()));
                        }
                        Err(error) => {
                            assert_eq!(said, Err(error.to_string()));
                            if let Some(salvage) = error.salvage {
                                slow.apply(router, &Message::RouteMonitoring(salvage), now);
                            }
                        }
                    }
                }
                assert_eq!(fast.state_hash(), slow.state_hash(), "{} in round {round}", path.display());
            }
            let counts = |rib: &Rib| rib.counts(router).map(|c| (c.route_monitoring, c.repairs.clone()));
            assert_eq!(counts(&fast), counts(&slow), "{}", path.display());
            streams += 1;
        }
    }
    println!("{streams} streams");
}
