//! What a capture holds, told by its index where it has one.

use crate::{About, CaptureError, Frames, Reader, index};
use serde::de::IgnoredAny;
use std::path::Path;

/// What a capture holds.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Info {
    /// Inputs.
    pub records: u64,
    /// States kept on the way, where a replay may begin.
    pub states: u64,
    /// First and last sequence number.
    pub seq: Option<(u64, u64)>,
    /// Receive times of the first and last input, RFC 3339.
    pub time: Option<(String, String)>,
    /// Digest over all records, hex SHA-256; of the index: as the file says, not worked out again.
    pub digest: String,
    /// Bytes of an unfinished frame at the end.
    pub lost_tail_bytes: u64,
    /// It was closed in order. False: the program was stopped, frames were cut off its end, or the format has no end (format 1).
    pub finished: bool,
    /// What it says of itself.
    pub about: About,
    /// Length of the file, bytes.
    pub bytes: u64,
    /// Bytes of it that were read to tell this.
    pub read_bytes: u64,
    /// Why all of it was read; `None`: its index told.
    pub read_whole: Option<String>,
}

/// Says what a capture holds: by its frame headers and its last frame, or, where it has no index that can be used, by reading all of it.
///
/// # Errors
/// [`CaptureError`] when it is no capture, or at the first damage that keeps it from being told.
pub fn info(path: &Path) -> Result<Info, CaptureError> {
    let why = match index(path) {
        Ok(Some(frames)) => match by_index(path, &frames) {
            Ok(info) => return Ok(info),
            Err(error) => error.to_string(),
        },
        Ok(None) => NO_INDEX.to_owned(),
        Err(error @ CaptureError::Damaged { .. }) => error.to_string(),
        Err(error) => return Err(error),
    };
    Ok(Info { read_whole: Some(why), ..verify(path)? })
}

/// Said where a capture has no index.
pub const NO_INDEX: &str = "format 1 has no index";

fn by_index(path: &Path, frames: &Frames) -> Result<Info, CaptureError> {
    let last = frames.frames.last();
    let (mut seq, mut read) = (last.map(|f| f.seq), 0);
    // a frame of several inputs names its first one only
    if let Some(place) = last.filter(|f| !f.state) {
        let mut reader = Reader::<IgnoredAny>::open_place(path, place)?;
        for entry in reader.by_ref() {
            seq = Some(entry?.seq);
        }
        read = reader.read_bytes();
    }
    let first = frames.frames.first();
    Ok(Info {
        records: frames.inputs(),
        states: frames.states(),
        seq: first.map(|f| f.seq).zip(seq),
        time: frames.time().map(|(a, b)| (a.to_string(), b.to_string())),
        digest: hex::encode(frames.seal),
        lost_tail_bytes: frames.lost_tail,
        finished: frames.ended,
        about: frames.about.clone(),
        bytes: frames.bytes,
        // the last frame of a small file is read twice
        read_bytes: (frames.read_bytes + read).min(frames.bytes),
        read_whole: None,
    })
}

/// Reads a capture to its end, checks every seal and that every state kept on the way can be read, and says what it holds.
///
/// # Errors
/// [`CaptureError`] at the first damage.
pub fn verify(path: &Path) -> Result<Info, CaptureError> {
    let mut reader = Reader::<IgnoredAny>::open(path)?.with_states();
    let (mut first, mut last, mut states, mut records) = (None, None, 0, 0);
    while let Some(entry) = reader.next() {
        let entry = entry?;
        if entry.kept {
            reader.check_kept()?;
        }
        first.get_or_insert((entry.seq, entry.at));
        last = Some((entry.seq, entry.at));
        states += u64::from(entry.kept);
        records += u64::from(!entry.kept);
    }
    let bytes = std::fs::metadata(path).map_err(|source| CaptureError::Io { doing: "measuring", path: path.to_owned(), source })?.len();
    Ok(Info {
        records,
        states,
        seq: first.zip(last).map(|(a, b)| (a.0, b.0)),
        time: first.zip(last).map(|(a, b)| (a.1.to_string(), b.1.to_string())),
        digest: reader.digest(),
        lost_tail_bytes: reader.lost_tail(),
        finished: reader.finished(),
        about: reader.about().clone(),
        bytes,
        read_bytes: reader.read_bytes(),
        read_whole: Some("asked for".to_owned()),
    })
}
