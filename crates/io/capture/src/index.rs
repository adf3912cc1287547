//! The index of a capture: its frame headers, read without their content.

use crate::reader::open_head;
use crate::seal::{Bond, Head};
use crate::{About, CaptureError, Mark, Moment};
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
    /// It holds a kept state: what the inputs up to `seq` led to, and no input.
    pub state: bool,
    /// Inputs in the frames before it.
    pub inputs_before: u64,
    /// Records in them, kept states among them.
    #[serde(skip)]
    records_before: u64,
    /// The seal that it is bound to.
    #[serde(skip)]
    before: [u8; 32],
}

impl Place {
    pub(crate) const fn mark(&self) -> Mark {
        let (frame, inputs, records) = (self.offset, self.inputs_before, self.records_before);
        Mark { frame, bond: Bond::Seal(self.before), position: 0, records, inputs }
    }
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
    /// Length of the file, bytes.
    pub bytes: u64,
    /// Bytes of it that were read for this.
    pub read_bytes: u64,
    /// The last seal, which binds all before it.
    pub(crate) seal: [u8; 32],
}

impl Frames {
    /// Returns how many records there are, kept states among them.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.frames.iter().map(|f| u64::from(f.records)).sum()
    }

    /// Returns how many inputs there are.
    #[must_use]
    pub fn inputs(&self) -> u64 {
        self.frames.last().map_or(0, |f| f.inputs_before + if f.state { 0 } else { u64::from(f.records) })
    }

    /// Returns how many states were kept.
    #[must_use]
    pub fn states(&self) -> u64 {
        self.records() - self.inputs()
    }

    /// Returns the times of the first and the last record.
    #[must_use]
    pub fn time(&self) -> Option<(Timestamp, Timestamp)> {
        Some((self.frames.first()?.at, self.frames.iter().map(|f| f.until).max()?))
    }

    /// Returns the frame that holds the first record received at or after `at`, if any does.
    #[must_use]
    pub fn at(&self, at: Timestamp) -> Option<&Place> {
        // times may step back where a clock was set; the first frame that reaches it counts
        self.frames.iter().find(|f| f.until >= at)
    }

    /// Returns the newest state that was kept before `moment`.
    #[must_use]
    pub fn last_state(&self, moment: Moment) -> Option<&Place> {
        let reached = self.frames.iter().take_while(|f| moment.is_behind(f.seq, f.at));
        reached.filter(|f| f.state).last()
    }
}

/// Hops over the frame headers; `None` for a capture of format 1, which has no index.
///
/// # Errors
/// [`CaptureError`] when it is no capture, or a header is damaged: its two lengths differ, or its numbers run backwards.
pub fn index(path: &Path) -> Result<Option<Frames>, CaptureError> {
    let io = |doing| move |source| CaptureError::Io { doing, path: path.to_owned(), source };
    let mut file = File::open(path).map_err(io("opening"))?;
    let size = file.metadata().map_err(io("measuring"))?.len();
    let head = open_head(path, &mut file)?;
    let Bond::Seal(seal) = head.bond else { return Ok(None) };
    let mut out = Frames { about: head.about, frames: Vec::new(), ended: false, lost_tail: 0, bytes: size, read_bytes: head.bytes, seal };
    let (mut offset, mut records_before, mut least) = (head.bytes, 0, 0);
    while !out.ended && offset < size {
        let mut bytes = [0; Head::BYTES];
        if size - offset < Head::BYTES as u64 {
            out.lost_tail = size - offset;
            break;
        }
        file.read_exact(&mut bytes).map_err(io("reading"))?;
        out.read_bytes += Head::BYTES as u64;
        let damaged = |why: &str, records| CaptureError::Damaged { path: path.to_owned(), offset, why: why.to_owned(), records };
        let (head, seal) =
            Head::read(&bytes).ok_or_else(|| damaged("a frame's two lengths differ: the file was changed", records_before))?;
        let end = offset + (Head::BYTES as u64) + u64::from(head.length);
        if end > size {
            out.lost_tail = size - offset;
            break;
        }
        if head.records == 0 {
            if end < size {
                return Err(damaged("something stands behind the end", records_before));
            }
            out.ended = true;
        } else {
            // the contents are not looked at here, but a header that cannot stand where it does is seen
            if head.seq < least || (head.state && head.records != 1) {
                return Err(damaged("a frame's header does not fit the one before it: the file was changed", records_before));
            }
            least = head.seq.saturating_add(u64::from(head.records) - 1);
            out.frames.push(Place {
                offset,
                seq: head.seq,
                at: head.at.0,
                until: head.at.1,
                records: head.records,
                state: head.state,
                inputs_before: out.inputs(),
                records_before,
                before: out.seal,
            });
            records_before += u64::from(head.records);
        }
        out.seal = seal;
        offset = file.seek(SeekFrom::Start(end)).map_err(io("seeking in"))?;
    }
    Ok(Some(out))
}
