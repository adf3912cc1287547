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
    let mut reader = Reader::<String>::open(path).unwrap();
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
fn every_truncation_keeps_the_frames_before_it() {
    let (_dir, path) = folder();
    write(&path, &[3, 4]);
    let bytes = std::fs::read(&path).unwrap();
    let first = 12 + 12 + usize::try_from(u32::from_be_bytes(bytes[12..16].try_into().unwrap())).unwrap();
    for cut in first..bytes.len() {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        let (seqs, lost, error) = read(&path);
        assert_eq!(seqs, [0, 1, 2], "cut at {cut}");
        assert!(error.is_none() && lost == (cut - first) as u64, "cut at {cut}: {lost} {error:?}");
    }
}

#[test]
fn every_flipped_byte_is_noticed_or_changes_nothing() {
    let (_dir, path) = folder();
    write(&path, &[3, 4]);
    let bytes = std::fs::read(&path).unwrap();
    for at in 12..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 0x10;
        std::fs::write(&path, &bad).unwrap();
        let (seqs, lost, error) = read(&path);
        let complete = seqs.len() == 7;
        assert!(complete || lost > 0 || matches!(error, Some(CaptureError::Damaged { .. })), "byte {at}: silent loss");
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
    std::fs::write(&path, "hello").unwrap();
    assert!(matches!(Reader::<String>::open(&path), Err(CaptureError::NotACapture { .. })));
}

#[test]
fn a_capture_is_never_overwritten() {
    let (_dir, path) = folder();
    write(&path, &[1]);
    assert!(matches!(Writer::create(&path), Err(CaptureError::Io { doing: "creating", .. })));
}
