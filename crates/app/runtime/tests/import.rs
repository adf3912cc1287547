//! BMP of others becomes a capture that replays to the tables which the same messages make elsewhere.

use archive::open::Watch;
use capture::{Moment, Replay};
use network::{BmpEvent, Observation};
use pilot::Input;
use runtime::{ImportError, ImportInto, import};
use std::path::{Path, PathBuf};

fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/recordings/seed/bmp/r1.bmp")
}

/// The messages in a capture, and how many sessions began.
fn messages(capture: &Path) -> (Vec<u8>, usize) {
    let (mut bytes, mut sessions) = (Vec::new(), 0);
    for entry in capture::Reader::<Input>::open(capture).unwrap() {
        if let Input::Observed { observation: Observation::Bmp { event, .. } } = entry.unwrap().body {
            match event {
                BmpEvent::Connected => sessions += 1,
                BmpEvent::Message { bytes: more } => bytes.extend(more),
                BmpEvent::Closed { .. } => panic!("no session was closed"),
            }
        }
    }
    (bytes, sessions)
}

#[test]
fn a_stream_of_bmp_becomes_a_capture_with_every_message_and_the_same_tables() {
    let dir = tempfile::tempdir().unwrap();
    let watch = Watch::default();
    let done = import(&recorded(), ImportInto::Folder(dir.path()), &watch).unwrap();
    let original = std::fs::read(recorded()).unwrap();
    assert!(messages(&done.capture) == (original.clone(), 1), "bytes were lost or changed");
    assert!(done.left_out.is_empty() && done.routers.len() == 1 && done.messages > 100, "{done:?}");
    assert!(watch.read_bytes() >= 2 * original.len() as u64);
    let replay = Replay::run(&done.capture, None, |_| {}).unwrap();
    assert_eq!((replay.inputs(), replay.diverged().len()), (done.inputs, 0));
    // the same messages, taken by the tables directly
    let mut rib = rib::Rib::default();
    let router = rib.router(&done.routers[0]).unwrap();
    rib.connected(router, bmp::Codec::default(), units::Timestamp::EPOCH);
    let (mut framer, mut codec) = (bmp::Framer::new(), bmp::Codec::default());
    framer.push(&original);
    while let Some(frame) = framer.next() {
        if let Ok(message) = bmp::decode(&frame.unwrap().bytes, &mut codec) {
            rib.apply(router, &message, units::Timestamp::EPOCH);
        }
    }
    let paths = |rib: &rib::Rib| -> u64 { rib.tables().map(|t| rib.routes_of(t.id)).sum() };
    assert!(paths(&rib) > 100, "{}", paths(&rib));
    assert_eq!(paths(replay.state().network.tables()), paths(&rib));
    // a second time the name is taken, and what is there stays
    let before = std::fs::read(&done.capture).unwrap();
    assert!(matches!(import(&recorded(), ImportInto::Folder(dir.path()), &Watch::default()), Err(ImportError::Capture(_))));
    assert!(std::fs::read(&done.capture).unwrap() == before);
    // it is a log like any other: its middle is found by number
    let half = Moment::Input(done.inputs / 2);
    assert_eq!(Replay::run(&done.capture, Some(half), |_| {}).unwrap().inputs(), done.inputs / 2 - 1);
}

#[test]
fn what_holds_no_bmp_is_refused_in_words_and_a_cut_file_says_what_it_lacks() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    let into = dir.path().join("out.capture");
    let tried = |bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        import(&file, ImportInto::File(&into), &Watch::default())
    };
    let mrt = [0x3B, 0x9A, 0xCA, 0, 0, 13, 0, 1, 0, 0, 0, 8, 9, 9, 9, 9, 0, 0, 0, 0];
    let error = tried(&mrt).unwrap_err();
    assert!(error.to_string().contains("MRT of a route collector"), "{error}");
    assert!(matches!(tried(b"").unwrap_err(), ImportError::NoBmp { .. }));
    let pcap = [&0xA1B2_C3D4_u32.to_le_bytes()[..], &[2, 0, 4, 0], &[0; 8], &[0, 0, 4, 0], &[1, 0, 0, 0]].concat();
    assert!(matches!(tried(&pcap).unwrap_err(), ImportError::Nothing { .. }));
    assert!(import(&dir.path().join("none"), ImportInto::File(&into), &Watch::default()).is_err());
    assert!(!into.exists(), "a capture of nothing was left behind");
    let original = std::fs::read(recorded()).unwrap();
    let cut = tried(&original[..original.len() - 3]).unwrap();
    assert!(cut.left_out.len() == 1 && cut.left_out[0].contains("ends inside a message"), "{cut:?}");
    assert!(capture::verify(&into).unwrap().finished);
}

#[test]
fn an_import_that_is_cancelled_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (big, into) = (dir.path().join("big.bmp"), dir.path().join("out.capture"));
    std::fs::write(&big, std::fs::read(recorded()).unwrap().repeat(200)).unwrap();
    let watch = Watch::default();
    let size = std::fs::metadata(&big).unwrap().len();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| import(&big, ImportInto::File(&into), &watch));
        // in the second look, while the capture is being written
        while watch.read_bytes() < size + size / 10 && !running.is_finished() {
            std::thread::yield_now();
        }
        watch.stop();
        let ended = running.join().unwrap();
        assert!(matches!(ended, Err(ImportError::Cancelled { .. })), "{ended:?}");
    });
    assert!(!into.exists());
}
