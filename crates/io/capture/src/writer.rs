//! Writing.

use crate::seal::{self, Head};
use crate::{About, CaptureError, MAGIC, RECORD_MAX, VERSION};
use pilot::PilotState;
use serde::Serialize;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use units::Timestamp;

/// Records collected before a frame is written without being asked, bytes.
const FRAME_SOFT: usize = 256 << 10;
/// Compression level: fast, still a tenth of the size.
const LEVEL: i32 = 1;

/// Bytes of records behind which a state is kept at the earliest: some minutes of a laboratory, and never more states than a replay has use for.
const STATE_AFTER: u64 = 4 << 20;
/// Weight of the inputs between two kept states, in states: they add at most a quarter to what is written.
const STATE_WEIGHT: u64 = 4;

/// A capture being written.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: File,
    pending: Vec<u8>,
    /// Sequence number and time of the first pending record, time of the last, how many.
    waiting: Option<(u64, Timestamp, Timestamp, u32)>,
    seal: [u8; 32],
    records: u64,
    /// Bytes of records appended since a state was kept, and how long that one was.
    since_state: (u64, u64),
    /// Where the last whole frame ends.
    end: u64,
    spoilt: bool,
}

#[derive(Serialize)]
struct Record<'a, T> {
    seq: u64,
    at: Timestamp,
    body: &'a T,
}

/// [`pilot::Input::State`] without a copy of the state.
#[derive(Serialize)]
struct KeptState<'a> {
    input: &'static str,
    state: &'a PilotState,
}

/// One record: its length as it is written, and its content.
fn record<T: Serialize>(seq: u64, at: Timestamp, body: &T) -> Result<([u8; 4], Vec<u8>), CaptureError> {
    let json = serde_json::to_vec(&Record { seq, at, body }).map_err(|source| CaptureError::NotJson { seq, source })?;
    let length = u32::try_from(json.len()).ok().filter(|_| json.len() <= RECORD_MAX);
    let length = length.ok_or(CaptureError::TooLong { seq, length: json.len() })?;
    Ok((length.to_be_bytes(), json))
}

impl Writer {
    /// Creates a capture that says what this program is and no more.
    ///
    /// # Errors
    /// As [`Writer::create_with`].
    pub fn create(path: &Path) -> Result<Self, CaptureError> {
        Self::create_with(path, &About::default())
    }

    /// Creates a capture; its folder is made, a file that exists is refused.
    ///
    /// # Errors
    /// [`CaptureError::Io`].
    pub fn create_with(path: &Path, about: &About) -> Result<Self, CaptureError> {
        let io = |doing| move |source| CaptureError::Io { doing, path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io("making the folder of"))?;
        }
        let mut file = File::options().write(true).create_new(true).open(path).map_err(io("creating"))?;
        file.write_all(&MAGIC).map_err(io("writing"))?;
        file.write_all(&VERSION.to_be_bytes()).map_err(io("writing"))?;
        file.write_all(&[0, 0]).map_err(io("writing"))?;
        let json = serde_json::to_vec(about).map_err(|source| CaptureError::NotJson { seq: 0, source })?;
        let length = u32::try_from(json.len()).unwrap_or(u32::MAX);
        file.write_all(&length.to_be_bytes()).and_then(|()| file.write_all(&json)).map_err(io("writing"))?;
        file.sync_all().map_err(io("syncing"))?;
        // the name must survive a power loss too
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            File::open(folder).and_then(|f| f.sync_all()).map_err(io("syncing the folder of"))?;
        }
        let end = file.stream_position().map_err(io("writing"))?;
        let pending = Vec::with_capacity(2 * FRAME_SOFT);
        let seal = seal::of_about(&json);
        Ok(Self { path: path.to_owned(), file, pending, waiting: None, seal, records: 0, since_state: (0, 0), end, spoilt: false })
    }

    /// Adds one record.
    ///
    /// # Errors
    /// [`CaptureError`]; the record is then not in the log.
    pub fn append<T: Serialize>(&mut self, seq: u64, at: Timestamp, body: &T) -> Result<(), CaptureError> {
        let (length, json) = record(seq, at, body)?;
        self.since_state.0 += json.len() as u64;
        self.pending.extend_from_slice(&length);
        self.pending.extend_from_slice(&json);
        self.waiting = Some(match self.waiting {
            Some((first, from, _, count)) => (first, from, at, count + 1),
            None => (seq, at, at, 1),
        });
        if self.pending.len() >= FRAME_SOFT { self.flush() } else { Ok(()) }
    }

    /// Says whether a state is worth keeping now: the inputs behind the last one weigh [`STATE_WEIGHT`] times as much as it did.
    #[must_use]
    pub const fn wants_state(&self) -> bool {
        let (since, last) = self.since_state;
        since >= STATE_AFTER && since >= STATE_WEIGHT.saturating_mul(last)
    }

    /// Keeps the state that the inputs up to `seq` led to, in a frame of its own, so that a replay may begin behind them. It is no input:
    /// it has the number and time of the last one, and readers pass it over unless they ask for it.
    ///
    /// # Errors
    /// [`CaptureError`]; the log is then as it was, and a state is not wanted again until as many inputs have come once more.
    pub fn keep_state(&mut self, seq: u64, at: Timestamp, state: &PilotState) -> Result<(), CaptureError> {
        self.since_state.0 = 0;
        self.flush()?;
        let (length, json) = record(seq, at, &KeptState { input: "state", state })?;
        self.since_state.1 = json.len() as u64;
        self.frame(1, true, seq, (at, at), &[&length[..], &json].concat())?;
        self.records += 1;
        Ok(())
    }

    /// Writes what is pending as one frame. After a failed write (a full disk) the file ends where it ended before, and what is pending
    /// stays pending: the next flush may succeed.
    ///
    /// # Errors
    /// [`CaptureError`].
    pub fn flush(&mut self) -> Result<(), CaptureError> {
        if self.spoilt {
            return Err(CaptureError::Spoilt { path: self.path.clone() });
        }
        let Some((seq, from, to, records)) = self.waiting else { return Ok(()) };
        let content = core::mem::take(&mut self.pending);
        let written = self.frame(records, false, seq, (from, to), &content);
        self.pending = content;
        written?;
        self.pending.clear();
        self.waiting = None;
        self.records += u64::from(records);
        Ok(())
    }

    fn frame(&mut self, records: u32, state: bool, seq: u64, at: (Timestamp, Timestamp), content: &[u8]) -> Result<(), CaptureError> {
        let packed = zstd::bulk::compress(content, LEVEL).map_err(|source| CaptureError::Io {
            doing: "compressing for",
            path: self.path.clone(),
            source,
        })?;
        let head = Head { length: u32::try_from(packed.len()).unwrap_or(u32::MAX), records, state, seq, at };
        let seal = head.seal(&self.seal, content);
        let frame = [head.written(&seal), packed].concat();
        if let Err(source) = self.file.write_all(&frame) {
            self.step_back();
            return Err(CaptureError::Io { doing: "writing", path: self.path.clone(), source });
        }
        self.end += frame.len() as u64;
        self.seal = seal;
        Ok(())
    }

    /// Writes what is pending and the end, so that a copy whose end is cut off is told from a whole one. Nothing is appended afterwards.
    ///
    /// # Errors
    /// [`CaptureError`].
    pub fn finish(&mut self) -> Result<(), CaptureError> {
        self.flush()?;
        let content = serde_json::json!({"records": self.records}).to_string();
        self.frame(0, false, 0, (Timestamp::EPOCH, Timestamp::EPOCH), content.as_bytes())?;
        // whatever were written now would stand behind the end
        self.spoilt = true;
        self.file.sync_data().map_err(|source| CaptureError::Io { doing: "syncing", path: self.path.clone(), source })
    }

    /// Cuts off half a frame.
    fn step_back(&mut self) {
        let cut = self.file.set_len(self.end).and_then(|()| self.file.seek(SeekFrom::Start(self.end)));
        self.spoilt = cut.is_err();
    }

    /// Writes what is pending and waits until it is on the disk: for inputs that lead to a device write.
    ///
    /// # Errors
    /// [`CaptureError::Io`].
    pub fn flush_durable(&mut self) -> Result<(), CaptureError> {
        self.flush()?;
        self.file.sync_data().map_err(|source| CaptureError::Io { doing: "syncing", path: self.path.clone(), source })
    }

    /// Returns the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    #[cfg(test)]
    pub(crate) fn replace_file(&mut self, file: File) -> File {
        std::mem::replace(&mut self.file, file)
    }

    /// Keeps as a state what is none.
    #[cfg(test)]
    pub(crate) fn keep_anything(&mut self, seq: u64, json: &str) {
        let length = u32::try_from(json.len()).unwrap().to_be_bytes();
        let at = Timestamp::from_nanos(0);
        self.frame(1, true, seq, (at, at), &[&length[..], json.as_bytes()].concat()).unwrap();
        self.records += 1;
    }

    #[cfg(test)]
    pub(crate) fn heal(&mut self) {
        self.step_back();
    }
}
