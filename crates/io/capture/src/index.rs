//! The index of a capture: its frame headers, read without their content.

use crate::reader::open_head;
use crate::seal::Head;
use crate::{About, CaptureError};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use units::Timestamp;

/// One frame in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Place {
    /// Where its header starts, bytes.
    pub offset: u64,
    /// Sequence number of its first record.
    pub seq: u64,
    /// Receive time of its first record.
    pub at: Timestamp,
    /// Receive time of its last record.
    pub until: Timestamp,
    /// Records in it.
    pub records: u32,
}

/// The frames of a capture, as their headers tell; contents were not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frames {
    /// What the file says of itself.
    pub about: About,
    /// In order.
    pub frames: Vec<Place>,
    /// The file was closed in order.
    pub ended: bool,
    /// Bytes at the end that are no whole frame.
    pub lost_tail: u64,
}

impl Frames {
    /// Returns how many records there are.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.frames.iter().map(|f| u64::from(f.records)).sum()
    }

    /// Returns the frame that holds the first record received at or after `at`, if any does.
    #[must_use]
    pub fn at(&self, at: Timestamp) -> Option<&Place> {
        // times may step back where a clock was set; the first frame that reaches it counts
        self.frames.iter().find(|f| f.until >= at)
    }
}

/// Hops over the frame headers; `None` for a capture of format 1, which has no index.
///
/// # Errors
/// [`CaptureError`] when it is no capture, or a header is damaged.
pub fn index(path: &Path) -> Result<Option<Frames>, CaptureError> {
    let io = |doing| move |source| CaptureError::Io { doing, path: path.to_owned(), source };
    let mut file = File::open(path).map_err(io("opening"))?;
    let size = file.metadata().map_err(io("measuring"))?.len();
    let head = open_head(path, &mut file)?;
    if head.version == 1 {
        return Ok(None);
    }
    let mut out = Frames { about: head.about, frames: Vec::new(), ended: false, lost_tail: 0 };
    let mut offset = head.bytes;
    while !out.ended && offset < size {
        let mut bytes = [0; Head::BYTES];
        if size - offset < Head::BYTES as u64 {
            out.lost_tail = size - offset;
            break;
        }
        file.read_exact(&mut bytes).map_err(io("reading"))?;
        let damaged = || CaptureError::Damaged {
            path: path.to_owned(),
            offset,
            why: "a frame's two lengths differ: the file was changed".to_owned(),
            records: out.records(),
        };
        let (head, _) = Head::read(&bytes).ok_or_else(damaged)?;
        let end = offset + (Head::BYTES as u64) + u64::from(head.length);
        if end > size {
            out.lost_tail = size - offset;
            break;
        }
        if head.records == 0 {
            out.ended = true;
        } else {
            out.frames.push(Place { offset, seq: head.seq, at: head.at.0, until: head.at.1, records: head.records });
        }
        offset = file.seek(SeekFrom::Start(end)).map_err(io("seeking in"))?;
    }
    Ok(Some(out))
}
