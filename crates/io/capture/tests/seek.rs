//! A replay that is wanted from the middle begins at a state kept on the way, reads no more of the file than it must, and ends as one that
//! read everything; where the index or the state cannot be used, it reads everything and says so.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use action::{OperatorId, ProposalId};
use capture::{CaptureError, Moment, Replay, Writer};
use pilot::{Command, Event, Input, Pilot};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use units::Timestamp;

const INPUTS: u64 = 4000;
/// Inputs between two kept states.
const KEPT: u64 = 500;
/// A time in the last fifth.
const LATE: u64 = 3703;

fn at(seq: u64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + i64::try_from(seq).unwrap() * 100)
}

/// Now and then an operator asks for what is not there, in words that no compression makes short; else time passes.
fn input(seq: u64) -> Input {
    if !seq.is_multiple_of(3) {
        return Input::Tick;
    }
    let words = (0..8).map(|part| hex::encode(Sha256::digest(format!("{seq} {part}")))).collect();
    let command = Command::Reject { proposal: ProposalId(seq), reason: Some(words) };
    Input::Operator { operator: OperatorId::new("uid:0 root"), command }
}

/// Writes a log as the engine does, with a state kept every [`KEPT`] inputs; one of them a false one, if told.
fn write(folder: &Path, false_at: Option<u64>) -> PathBuf {
    let file = folder.join("long.capture");
    let (mut writer, mut pilot) = (Writer::create(&file).unwrap(), Pilot::default());
    for seq in 1..=INPUTS {
        let input = if seq == 1 { Input::State { state: Box::new(pilot.state().clone()) } } else { input(seq) };
        writer.append(seq, at(seq), &input).unwrap();
        pilot.handle(seq, at(seq), input);
        if seq.is_multiple_of(50) {
            writer.flush().unwrap();
        }
        if seq.is_multiple_of(KEPT) {
            let mut state = pilot.state().clone();
            state.killed = false_at == Some(seq);
            writer.keep_state(seq, at(seq), &state).unwrap();
        }
    }
    writer.finish().unwrap();
    file
}

fn played(file: &Path, from: Option<Moment>, until: Option<Moment>) -> (Replay, Vec<Event>) {
    let mut events = Vec::new();
    let replay = Replay::run_paced(file, from, until, |_| {}, |e| events.push(e.clone())).unwrap();
    (replay, events)
}

/// Changes the byte at `offset` of the file's first kept state behind which `LATE` stands, counted from its header.
fn damage(file: &Path, offset: usize) {
    let place = *capture::index(file).unwrap().unwrap().last_state(Moment::Input(LATE)).unwrap();
    let mut bytes = std::fs::read(file).unwrap();
    bytes[usize::try_from(place.offset).unwrap() + offset] ^= 1;
    std::fs::write(file, bytes).unwrap();
}

#[test]
fn a_seek_by_time_or_number_ends_as_reading_through_and_reads_only_part() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), None);
    let size = std::fs::metadata(&file).unwrap().len();
    let (through, all) = played(&file, None, None);
    assert_eq!((through.inputs(), through.skipped(), through.diverged().len()), (INPUTS, 0, 0), "the kept states are no inputs");
    assert!(through.read_bytes() >= size && size > 300_000, "{} of {size}", through.read_bytes());
    for moment in [Moment::Input(LATE), Moment::Time(at(LATE))] {
        let (sought, told) = played(&file, Some(moment), None);
        assert_eq!(sought.state_hash(), through.state_hash());
        assert_eq!((sought.inputs(), sought.skipped(), sought.remark()), (INPUTS, 3500, None));
        assert!(sought.read_bytes() < size / 6, "{} of {size} bytes were read", sought.read_bytes());
        let expected: Vec<&Event> = all.iter().filter(|e| e.seq >= LATE).collect();
        assert!(!expected.is_empty() && told.iter().collect::<Vec<_>>() == expected, "{} events, {} expected", told.len(), expected.len());
        // and the state on the way, both by reading through and by seeking
        let (there, _) = played(&file, None, Some(moment));
        let (jumped, none) = played(&file, Some(moment), Some(moment));
        assert_eq!((there.inputs(), jumped.inputs()), (LATE - 1, LATE - 1));
        assert_eq!(there.state_hash(), jumped.state_hash());
        assert!(none.is_empty() && there.state_hash() != through.state_hash());
    }
    // every moment: the states before, at and behind a kept one
    for number in [1, 2, 499, 500, 501, 502, 4000, 4001, 9999] {
        let until = Some(Moment::Input(number));
        let (a, b) = (played(&file, None, until).0, played(&file, until, until).0);
        assert_eq!((a.inputs(), a.state_hash()), (b.inputs(), b.state_hash()), "before input {number}");
    }
}

#[test]
fn an_index_or_state_that_cannot_be_used_is_told_and_everything_is_read() {
    let (seal, content) = (4 + 4 + 4 + 24, 4 + 4 + 4 + 24 + 32 + 40);
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), None);
    let hash = played(&file, None, Some(Moment::Input(2000))).0.state_hash();
    let until = Some(Moment::Input(2000));
    let early = Some(Moment::Input(300));
    let (none_before, _) = played(&file, early, until);
    assert_eq!(none_before.remark(), Some("no state was kept before it"));
    assert_eq!((none_before.state_hash(), none_before.skipped()), (hash, 0));
    for (what, offset) in [("a length", 2), ("a number", 4 + 4 + 4 + 1), ("a seal", seal), ("its content", content)] {
        let dir = tempfile::tempdir().unwrap();
        let file = write(dir.path(), None);
        damage(&file, offset);
        let begun = Replay::begin(&file, Some(Moment::Input(LATE))).unwrap();
        let remark = begun.replay.remark().unwrap_or_else(|| panic!("{what}: no word"));
        assert!(remark.contains("PH-CAP-004") && begun.replay.skipped() == 0, "{what}: {remark}");
        // read from the beginning, everything before the damage is there, and the damage has its place
        let mut seen = 0;
        let error = begun.reader.filter_map(|entry| entry.map(|e| seen = e.seq).err()).next();
        assert!(seen == 3500 && matches!(error, Some(CaptureError::Damaged { .. })), "{what}: {seen} {error:?}");
    }
}

#[test]
fn a_kept_state_that_the_inputs_do_not_lead_to_is_a_divergence() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), Some(1500));
    let (through, _) = played(&file, None, None);
    assert_eq!(through.diverged(), ["input 1500: the state behind it is another than the one kept then"]);
}

#[test]
fn what_a_capture_holds_is_told_by_its_index_and_equals_what_reading_finds() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), None);
    let (told, read) = (capture::info(&file).unwrap(), capture::verify(&file).unwrap());
    assert_eq!((told.records, told.states, told.seq), (INPUTS, INPUTS / KEPT, Some((1, INPUTS))));
    assert!(told.read_bytes < told.bytes / 10 && told.read_whole.is_none(), "{} of {} bytes", told.read_bytes, told.bytes);
    let same = capture::Info { read_bytes: told.read_bytes, read_whole: None, ..read };
    assert_eq!(told, same);
    // a kept state at the very end, as a program that is killed may leave it
    let frames = capture::index(&file).unwrap().unwrap();
    let last = frames.frames.last().unwrap();
    assert!(last.state);
    // who does not ask for states gets inputs only
    let inputs: Vec<u64> = capture::Reader::<serde_json::Value>::open(&file).unwrap().map(|e| e.unwrap().seq).collect();
    assert_eq!(inputs, (1..=INPUTS).collect::<Vec<_>>());
}

#[test]
fn states_are_wanted_by_weight() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(&dir.path().join("x.capture")).unwrap();
    let (pilot, mut wanted) = (Pilot::default(), 0);
    for seq in 1..=6000 {
        writer.append(seq, at(seq), &input(3 * seq)).unwrap();
        if writer.wants_state() {
            writer.keep_state(seq, at(seq), pilot.state()).unwrap();
            wanted += 1;
            assert!(!writer.wants_state());
        }
    }
    // 6000 inputs of some 640 bytes
    assert!((0..=1).contains(&wanted), "{wanted}");
    for seq in 6001..=15_000 {
        writer.append(seq, at(seq), &input(3 * seq)).unwrap();
        if writer.wants_state() {
            writer.keep_state(seq, at(seq), pilot.state()).unwrap();
            wanted += 1;
        }
    }
    assert!((1..=3).contains(&wanted), "{wanted}");
}
