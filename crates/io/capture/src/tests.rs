use super::*;
use std::path::Path;
use units::Timestamp;

fn write(path: &Path, flushes: &[usize]) {
    let mut writer = Writer::create(path).unwrap();
    let mut seq = 0;
    for count in flushes {
        for _ in 0..*count {
            writer.append(seq, Timestamp::from_nanos(i64::try_from(seq).unwrap() * 7), &format!("input {seq}")).unwrap();
            seq += 1;
        }
        writer.flush_durable().unwrap();
    }
}

fn read(path: &Path) -> (Vec<u64>, u64, Option<CaptureError>) {
    let mut reader = match Reader::<String>::open(path) {
        Ok(reader) => reader,
        Err(error) => return (Vec::new(), 0, Some(error)),
    };
    let (mut seqs, mut error) = (Vec::new(), None);
    for entry in &mut reader {
        match entry {
            Ok(e) => {
                assert_eq!(e.body, format!("input {}", e.seq));
                seqs.push(e.seq);
            }
            Err(e) => error = Some(e),
        }
    }
    (seqs, reader.lost_tail(), error)
}

/// Where the first frame starts, and where it ends.
fn first_frame(path: &Path) -> (usize, usize) {
    let frames = index(path).unwrap().unwrap().frames;
    let offset = |n: usize| usize::try_from(frames[n].offset).unwrap();
    (offset(0), offset(1))
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b.capture");
    (dir, path)
}

#[test]
fn what_was_written_is_read_in_order() {
    let (_dir, path) = folder();
    write(&path, &[3, 4]);
    assert_eq!(read(&path).0, (0..7).collect::<Vec<_>>());
    let info = info(&path).unwrap();
    assert_eq!((info.records, info.seq), (7, Some((0, 6))));
}

#[test]
fn reading_goes_on_from_every_mark_as_if_it_had_never_stopped() {
    let (_dir, path) = folder();
    write(&path, &[3, 4, 1]);
    let whole = info(&path).unwrap().digest;
    let mut reader = Reader::<String>::open(&path).unwrap();
    for taken in 0..=8 {
        let mut again = Reader::<String>::open_at(&path, &reader.mark()).unwrap();
        let rest: Vec<u64> = (&mut again).map(|e| e.unwrap().seq).collect();
        assert_eq!(rest, (taken..8).collect::<Vec<_>>());
        assert_eq!(again.digest(), whole);
        reader.next();
    }
    let mark = reader.mark();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
    assert!(matches!(Reader::<String>::open_at(&path, &mark), Err(CaptureError::Damaged { .. })), "another file is under that name now");
}

#[test]
fn every_truncation_keeps_the_frames_before_it() {
    let (_dir, path) = folder();
    write(&path, &[3, 4]);
    let bytes = std::fs::read(&path).unwrap();
    let (_, first) = first_frame(&path);
    for cut in first..bytes.len() {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        let (seqs, lost, error) = read(&path);
        assert_eq!(seqs, [0, 1, 2], "cut at {cut}");
        assert!(error.is_none() && lost == (cut - first) as u64, "cut at {cut}: {lost} {error:?}");
    }
}

#[test]
fn every_flipped_bit_is_noticed_and_what_was_read_before_it_is_kept() {
    let (_dir, path) = folder();
    write(&path, &[3, 4]);
    let bytes = std::fs::read(&path).unwrap();
    let (_, first) = first_frame(&path);
    // the head: magic, version and what is reserved
    for at in 0..FILE_HEADER {
        for bit in 0..8 {
            let mut bad = bytes.clone();
            bad[at] ^= 1 << bit;
            std::fs::write(&path, &bad).unwrap();
            assert!(verify(&path).is_err() && index(&path).is_err(), "bit {bit} of byte {at}");
        }
    }
    for at in FILE_HEADER..bytes.len() {
        for bit in 0..8 {
            let mut bad = bytes.clone();
            bad[at] ^= 1 << bit;
            std::fs::write(&path, &bad).unwrap();
            let (seqs, lost, error) = read(&path);
            let good: &[u64] = if at < first { &[] } else { &[0, 1, 2] };
            // a few bits of a zstd frame mean nothing (window size, reserved); the content is then what was written
            let harmless = seqs.len() == 7 && error.is_none();
            assert!(
                harmless || (seqs == good && matches!(error, Some(CaptureError::Damaged { .. }))),
                "bit {bit} of byte {at}: {seqs:?} {error:?}"
            );
            assert_eq!(lost, 0, "bit {bit} of byte {at}: damage is no lost tail");
        }
    }
}

#[test]
fn foreign_and_newer_files_are_refused_in_words() {
    let (_dir, path) = folder();
    write(&path, &[1]);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[9] = 9;
    std::fs::write(&path, &bytes).unwrap();
    assert!(matches!(Reader::<String>::open(&path), Err(CaptureError::Newer { found: 9, .. })));
    bytes[9] = 0;
    std::fs::write(&path, &bytes).unwrap();
    assert!(matches!(Reader::<String>::open(&path), Err(CaptureError::Older { found: 0, .. })));
    std::fs::write(&path, "hello").unwrap();
    assert!(matches!(Reader::<String>::open(&path), Err(CaptureError::NotACapture { .. })));
}

#[test]
fn an_orderly_end_is_told_from_a_cut() {
    let (_dir, path) = folder();
    write(&path, &[3, 4]);
    let open = verify(&path).unwrap();
    assert!(!open.finished && open.lost_tail_bytes == 0, "a killed program leaves no end");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("whole");
    let mut writer = Writer::create(&path).unwrap();
    for seq in 0..5 {
        writer.append(seq, Timestamp::from_nanos(0), &"x").unwrap();
        writer.flush().unwrap();
    }
    writer.finish().unwrap();
    let whole = verify(&path).unwrap();
    assert_eq!((whole.finished, whole.records), (true, 5));
    let bytes = std::fs::read(&path).unwrap();
    let frames = index(&path).unwrap().unwrap();
    assert_eq!((frames.ended, frames.records(), frames.frames.len()), (true, 5, 5));
    // cut between two frames: whole frames, and no end
    let last = usize::try_from(frames.frames[4].offset).unwrap();
    std::fs::write(&path, &bytes[..last]).unwrap();
    let cut = verify(&path).unwrap();
    assert_eq!((cut.finished, cut.records, cut.lost_tail_bytes), (false, 4, 0));
    // a frame taken out of the middle, and something behind the end
    let second = usize::try_from(frames.frames[1].offset).unwrap()..usize::try_from(frames.frames[2].offset).unwrap();
    let without: Vec<u8> = bytes.iter().enumerate().filter(|(i, _)| !second.contains(i)).map(|(_, b)| *b).collect();
    std::fs::write(&path, without).unwrap();
    assert!(matches!(verify(&path), Err(CaptureError::Damaged { records: 1, .. })));
    std::fs::write(&path, [&bytes[..], b"x"].concat()).unwrap();
    let error = verify(&path).unwrap_err().to_string();
    assert!(error.contains("something stands behind the end"), "{error}");
}

#[test]
fn the_index_is_what_reading_everything_finds() {
    let (_dir, path) = folder();
    write(&path, &[3, 4, 1]);
    let frames = index(&path).unwrap().unwrap();
    let told: Vec<(u64, i64, i64, u32)> = frames.frames.iter().map(|f| (f.seq, f.at.nanos(), f.until.nanos(), f.records)).collect();
    assert_eq!(told, [(0, 0, 14, 3), (3, 21, 42, 4), (7, 49, 49, 1)]);
    assert_eq!(frames.at(Timestamp::from_nanos(15)).unwrap().seq, 3);
    assert_eq!(frames.at(Timestamp::from_nanos(50)), None);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let cut = index(&path).unwrap().unwrap();
    assert!(cut.records() == 7 && cut.lost_tail > 0);
}

#[test]
fn a_kept_state_that_cannot_be_read_is_damage_although_its_seal_fits() {
    let (_dir, path) = folder();
    for (body, why) in [("7", "the state kept there cannot be read"), (r#"{"input":"tick"}"#, "it is no state")] {
        let _ = std::fs::remove_file(&path);
        let mut writer = Writer::create(&path).unwrap();
        writer.append(1, Timestamp::from_nanos(0), &"x").unwrap();
        writer.flush().unwrap();
        writer.keep_anything(1, &format!(r#"{{"seq":1,"at":0,"body":{body}}}"#));
        writer.finish().unwrap();
        let offset = index(&path).unwrap().unwrap().frames[1].offset;
        let error = verify(&path).unwrap_err();
        assert!(matches!(&error, CaptureError::Damaged { offset: o, records: 1, .. } if *o == offset), "{error:?}");
        assert!(error.to_string().contains(why), "{error}");
        // the inputs beside it are whole
        assert_eq!(Reader::<String>::open(&path).unwrap().map(|e| e.unwrap().body).collect::<Vec<_>>(), ["x"]);
    }
    // a real one
    let _ = std::fs::remove_file(&path);
    let mut writer = Writer::create(&path).unwrap();
    writer.keep_state(1, Timestamp::from_nanos(0), pilot::Pilot::default().state()).unwrap();
    writer.finish().unwrap();
    assert_eq!(verify(&path).map(|i| i.states).unwrap(), 1);
}

/// A capture as builds of format 1 wrote it.
fn format_1(records: &[String]) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    let content: Vec<u8> =
        records.iter().flat_map(|r| [&u32::try_from(r.len()).unwrap().to_be_bytes()[..], r.as_bytes()].concat()).collect();
    let packed = zstd::bulk::compress(&content, 1).unwrap();
    let length = u32::try_from(packed.len()).unwrap();
    let checksum = Sha256::digest(&content);
    [&MAGIC[..], &[0, 1, 0, 0], &length.to_be_bytes(), &(!length).to_be_bytes(), &checksum[..8], &packed].concat()
}

#[test]
fn a_capture_of_format_1_is_read_and_one_of_another_shape_is_refused_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("old");
    let record = |seq: u64| format!(r#"{{"seq":{seq},"at":7,"body":"input {seq}"}}"#);
    std::fs::write(&path, format_1(&[record(0), record(1)])).unwrap();
    let (seqs, _, error) = read(&path);
    assert_eq!(seqs, [0, 1]);
    assert!(error.is_none() && index(&path).unwrap().is_none());
    assert_eq!(info(&path).unwrap().about.version, "before 0.1");
    // its inputs are of a kind that this program does not know
    let mut reader = Reader::<pilot::Input>::open(&path).unwrap();
    let words = reader.next().unwrap().unwrap_err().to_string();
    assert!(
        words.starts_with("PH-CAP-009") && words.contains("before 0.1") && words.contains("play it with the version that made it"),
        "{words}"
    );
    assert!(reader.next().is_none());
    // the same from a later program that says so
    let path = dir.path().join("later");
    let about = About { version: "7.1".to_owned(), schema: 99, ..About::default() };
    let mut writer = Writer::create_with(&path, &about).unwrap();
    writer.append(0, Timestamp::from_nanos(0), &"x").unwrap();
    writer.finish().unwrap();
    let words = Reader::<pilot::Input>::open(&path).unwrap().next().unwrap().unwrap_err().to_string();
    assert!(words.contains("made by version 7.1 whose inputs have shape 99"), "{words}");
}

#[test]
fn a_capture_is_never_overwritten() {
    let (_dir, path) = folder();
    write(&path, &[1]);
    assert!(matches!(Writer::create(&path), Err(CaptureError::Io { doing: "creating", .. })));
}

/// Set in the child that a parent kills.
const CHILD: &str = "PILOTHOUSE_CAPTURE_CHILD";

/// Not a test of its own: the writer that is killed. It says on stdout which record is acknowledged.
#[test]
fn child_that_writes_until_it_is_killed() {
    let Ok(path) = std::env::var(CHILD) else { return };
    let mut writer = Writer::create(Path::new(&path)).unwrap();
    for seq in 0.. {
        writer.append(seq, Timestamp::from_nanos(0), &format!("input {seq}")).unwrap();
        if seq % 3 == 0 {
            writer.flush_durable().unwrap();
            println!("acknowledged {seq}");
        }
    }
}

#[test]
fn a_killed_writer_keeps_every_acknowledged_record() {
    for round in 0..10 {
        let (_dir, path) = folder();
        let seen = kill_after(&path, 5 + round * 17);
        let (seqs, _, error) = read(&path);
        assert!(error.is_none(), "{error:?}");
        assert!(seqs.last().is_some_and(|last| *last >= seen), "{seen} was acknowledged, the file ends at {:?}", seqs.last());
        assert_eq!(seqs, (0..seqs.len() as u64).collect::<Vec<_>>());
    }
}

/// Runs the child, kills it after `lines` acknowledgements, and returns the last one seen.
fn kill_after(path: &Path, lines: usize) -> u64 {
    use std::io::BufRead;
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::child_that_writes_until_it_is_killed", "--nocapture"])
        .env(CHILD, path)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let out = std::io::BufReader::new(child.stdout.take().unwrap());
    let acknowledged = out.lines().map_while(Result::ok).filter_map(|l| l.split("acknowledged ").nth(1)?.trim().parse().ok());
    let last = acknowledged.take(lines).last().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    last
}

#[test]
fn a_full_disk_costs_only_what_was_not_acknowledged() {
    // /dev/full cannot be cut back either, so the writer refuses to go on until it is healed
    let (_dir, path) = folder();
    let mut writer = Writer::create(&path).unwrap();
    writer.append(0, Timestamp::from_nanos(0), &"input 0").unwrap();
    writer.flush_durable().unwrap();
    let healthy = writer.replace_file(std::fs::File::options().write(true).open("/dev/full").unwrap());
    writer.append(1, Timestamp::from_nanos(0), &"input 1").unwrap();
    assert!(matches!(writer.flush_durable(), Err(CaptureError::Io { doing: "writing", .. })));
    assert!(matches!(writer.flush_durable(), Err(CaptureError::Spoilt { .. })));
    writer.replace_file(healthy);
    writer.heal();
    writer.append(2, Timestamp::from_nanos(0), &"input 2").unwrap();
    writer.flush_durable().unwrap();
    assert_eq!(read(&path).0, [0, 1, 2]);
}
