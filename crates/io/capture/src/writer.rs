//! Writing.

use crate::{CaptureError, FRAME_HEADER, MAGIC, RECORD_MAX, VERSION};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use units::Timestamp;

/// Records collected before a frame is written without being asked, bytes.
const FRAME_SOFT: usize = 256 << 10;
/// Compression level: fast, still a tenth of the size.
const LEVEL: i32 = 1;

/// A capture being written.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: File,
    pending: Vec<u8>,
    digest: Sha256,
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

impl Writer {
    /// Creates a capture; its folder is made, a file that exists is refused.
    ///
    /// # Errors
    /// [`CaptureError::Io`].
    pub fn create(path: &Path) -> Result<Self, CaptureError> {
        let io = |doing| move |source| CaptureError::Io { doing, path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io("making the folder of"))?;
        }
        let mut file = File::options().write(true).create_new(true).open(path).map_err(io("creating"))?;
        file.write_all(&MAGIC).map_err(io("writing"))?;
        file.write_all(&VERSION.to_be_bytes()).map_err(io("writing"))?;
        file.write_all(&[0, 0]).map_err(io("writing"))?;
        file.sync_all().map_err(io("syncing"))?;
        // the name must survive a power loss too
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            File::open(folder).and_then(|f| f.sync_all()).map_err(io("syncing the folder of"))?;
        }
        let end = file.stream_position().map_err(io("writing"))?;
        let pending = Vec::with_capacity(2 * FRAME_SOFT);
        Ok(Self { path: path.to_owned(), file, pending, digest: Sha256::new(), end, spoilt: false })
    }

    /// Adds one record.
    ///
    /// # Errors
    /// [`CaptureError`]; the record is then not in the log.
    pub fn append<T: Serialize>(&mut self, seq: u64, at: Timestamp, body: &T) -> Result<(), CaptureError> {
        let json = serde_json::to_vec(&Record { seq, at, body }).map_err(|source| CaptureError::NotJson { seq, source })?;
        let length = u32::try_from(json.len()).ok().filter(|_| json.len() <= RECORD_MAX);
        let length = length.ok_or(CaptureError::TooLong { seq, length: json.len() })?;
        self.pending.extend_from_slice(&length.to_be_bytes());
        self.pending.extend_from_slice(&json);
        if self.pending.len() >= FRAME_SOFT { self.flush() } else { Ok(()) }
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
        if self.pending.is_empty() {
            return Ok(());
        }
        let io = |doing, source| CaptureError::Io { doing, path: self.path.clone(), source };
        let packed = zstd::bulk::compress(&self.pending, LEVEL).map_err(|e| io("compressing for", e))?;
        let mut digest = self.digest.clone();
        digest.update(&self.pending);
        let length = u32::try_from(packed.len()).unwrap_or(u32::MAX);
        let mut frame = Vec::with_capacity(packed.len() + FRAME_HEADER);
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(&(!length).to_be_bytes());
        frame.extend_from_slice(&digest.clone().finalize()[..8]);
        frame.extend_from_slice(&packed);
        if let Err(error) = self.file.write_all(&frame) {
            self.step_back();
            return Err(CaptureError::Io { doing: "writing", path: self.path.clone(), source: error });
        }
        self.end += frame.len() as u64;
        self.digest = digest;
        self.pending.clear();
        Ok(())
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

    #[cfg(test)]
    pub(crate) fn heal(&mut self) {
        self.step_back();
    }
}
