//! Writing.

use crate::{CaptureError, MAGIC, RECORD_MAX, VERSION};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Write;
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
            std::fs::create_dir_all(folder).map_err(io("making the folder of"))?;
        }
        let mut file = File::options().write(true).create_new(true).open(path).map_err(io("creating"))?;
        file.write_all(&MAGIC).map_err(io("writing"))?;
        file.write_all(&VERSION.to_be_bytes()).map_err(io("writing"))?;
        file.write_all(&[0, 0]).map_err(io("writing"))?;
        Ok(Self { path: path.to_owned(), file, pending: Vec::with_capacity(2 * FRAME_SOFT), digest: Sha256::new() })
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

    /// Writes what is pending as one frame.
    ///
    /// # Errors
    /// [`CaptureError::Io`].
    pub fn flush(&mut self) -> Result<(), CaptureError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let path = &self.path;
        let io = |doing| move |source| CaptureError::Io { doing, path: path.clone(), source };
        let packed = zstd::bulk::compress(&self.pending, LEVEL).map_err(io("compressing for"))?;
        self.digest.update(&self.pending);
        let sum = self.digest.clone().finalize();
        let mut frame = Vec::with_capacity(packed.len() + 12);
        frame.extend_from_slice(&u32::try_from(packed.len()).unwrap_or(u32::MAX).to_be_bytes());
        frame.extend_from_slice(&sum[..8]);
        frame.extend_from_slice(&packed);
        self.file.write_all(&frame).map_err(io("writing"))?;
        self.pending.clear();
        Ok(())
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
}
