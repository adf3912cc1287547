//! The same capture, of what a router really said, told and ended the same on one thread, two and eight, and by a release build.

use archive::open::Watch;
use capture::{Moment, Replay};
use pilot::{Event, PilotState};
use runtime::{Audience, ImportInto, Order, Player, import};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use units::Timestamp;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Audience for Lines {
    fn rewound(&mut self, _: Timestamp) {}

    fn jumped(&mut self, _: Timestamp, _: u64) {}

    fn event(&mut self, event: &Event) {
        self.0.lock().unwrap().push(serde_json::to_string(event).unwrap());
    }

    fn second(&mut self, _: &PilotState) {}
}

/// The last line of `pilotctl replay --decisions`.
fn end(inputs: u64, hash: &str) -> String {
    serde_json::json!({"inputs": inputs, "skipped_inputs": 0, "state": hash, "diverged": []}).to_string()
}

/// Plays a capture to its end on so many threads, looked at all the while.
fn played_on(threads: usize, capture: &Path) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build().unwrap();
    runtime.block_on(async {
        let lines = Lines::default();
        let player = Player::open(capture, lines.clone()).await.unwrap();
        player.order(Order::Seek(Moment::Input(u64::MAX))).await;
        loop {
            player.handle().read(|s| s.seq).await.unwrap();
            let position = player.position();
            if let Some(hash) = position.state_hash {
                assert!(position.diverged.is_empty() && position.skipped == 0, "{:?}", position.diverged);
                let mut told = lines.0.lock().unwrap().clone();
                told.push(end(position.inputs.0, &hash));
                return told;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
}

#[test]
fn neither_threads_nor_optimisation_change_what_is_told_or_the_state() {
    let dir = tempfile::tempdir().unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/recordings/seed/bmp/r1.bmp");
    let capture = import(&file, ImportInto::Folder(dir.path()), &Watch::default()).unwrap().capture;
    let release = std::env::var_os("PILOTHOUSE_RELEASE_REPLAY");
    let optimised = release.map(|r| Command::new(r).arg(&capture).stdout(Stdio::piped()).spawn().unwrap());
    let mut expected = Vec::new();
    let replay = Replay::run(&capture, None, |e| expected.push(serde_json::to_string(e).unwrap())).unwrap();
    expected.push(end(replay.inputs(), &replay.state_hash()));
    assert!(expected.len() > 5, "{expected:?}");
    // beside each other, so that each is in the others' way
    std::thread::scope(|scope| {
        let capture = &capture;
        let all = [1, 2, 8].map(|threads| (threads, scope.spawn(move || played_on(threads, capture))));
        for (threads, played) in all {
            let told = played.join().unwrap();
            let differs = expected.iter().zip(&told).find(|(a, b)| a != b);
            assert!(differs.is_none() && told.len() == expected.len(), "on {threads} threads: {differs:?}");
        }
    });
    match optimised {
        Some(optimised) => {
            let said = String::from_utf8(optimised.wait_with_output().unwrap().stdout).unwrap();
            assert!(said.lines().eq(expected.iter().map(String::as_str)), "a release build says otherwise:\n{said}");
        }
        None => println!("note: PILOTHOUSE_RELEASE_REPLAY names no release build; debug is compared with debug only"),
    }
    println!("{} events and the state, equal on 1, 2 and 8 threads", expected.len() - 1);
}
