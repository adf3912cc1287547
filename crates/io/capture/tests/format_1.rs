//! A capture that an earlier build wrote is read to its end, and played or refused in words; never taken for damaged.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use capture::{CaptureError, Replay};
use std::path::Path;

#[test]
fn the_last_capture_of_format_1_is_whole_and_played_or_refused_in_words() {
    let file = Path::new("../../../tests/recordings/captures/format-1.capture");
    let info = capture::info(file).unwrap();
    assert_eq!((info.records, info.seq, info.lost_tail_bytes, info.finished), (5956, Some((1, 5956)), 0, false));
    assert_eq!(info.digest, "7e0a4501ccba05efdaa28ad3eaf17261e67fd2165e9d07b22b9fc4ae134673b6", "what it holds is what was written");
    assert!(capture::index(file).unwrap().is_none());
    match Replay::run(file, None, |_| {}) {
        Ok(replay) => assert_eq!(replay.inputs(), info.records),
        Err(CaptureError::Shape { version, schema, .. }) => {
            assert_eq!((version.as_str(), schema), ("before 0.1", 1));
            assert_ne!(schema, pilot::INPUT_SCHEMA);
        }
        Err(other) => panic!("{other}"),
    }
}
