//! Reading.

use crate::seal::{self, Bond, Head};
use crate::{ABOUT_MAX, About, CaptureError, FILE_HEADER, FRAME_MAX, MAGIC, OLDEST, Place, RECORD_MAX, VERSION};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::marker::PhantomData;
use std::ops::Range;
use std::path::{Path, PathBuf};
use units::Timestamp;

/// Longest content of one frame, bytes.
const CONTENT_MAX: usize = RECORD_MAX + (1 << 20);

/// Bytes of a frame header of format 1: two lengths and a checksum.
const HEAD_1: usize = 16;

/// What stands before the first frame.
pub(crate) struct FileHead {
    pub about: About,
    /// Where the first frame starts.
    pub bytes: u64,
    pub bond: Bond,
}

/// Reads what stands before the first frame; `path` is only a name in errors.
pub(crate) fn open_head(path: &Path, file: &mut impl Read) -> Result<FileHead, CaptureError> {
    let not = || CaptureError::NotACapture { path: path.to_owned() };
    let mut head = [0; FILE_HEADER];
    file.read_exact(&mut head).map_err(|_| not())?;
    if head[..8] != MAGIC {
        return Err(not());
    }
    let version = u16::from_be_bytes([head[8], head[9]]);
    let known = (OLDEST..=VERSION).contains(&version);
    // no seal covers them; written as zero by every version, they cannot change unnoticed
    if let Some(at) = (10..FILE_HEADER).find(|at| known && head[*at] != 0) {
        let why = "a byte that every version writes as zero is another: the file was changed".to_owned();
        return Err(CaptureError::Damaged { path: path.to_owned(), offset: at as u64, why, records: 0 });
    }
    match version {
        1 => Ok(FileHead { about: About::of_format_1(), bytes: FILE_HEADER as u64, bond: Bond::Running(Sha256::new()) }),
        2..=VERSION => {
            let damaged = |why: String| CaptureError::Damaged { path: path.to_owned(), offset: FILE_HEADER as u64, why, records: 0 };
            let mut length = [0; 4];
            file.read_exact(&mut length).map_err(|_| damaged("the file ends before it says what it is".to_owned()))?;
            let length = u32::from_be_bytes(length) as usize;
            if length > ABOUT_MAX {
                return Err(damaged(format!("what the file says of itself would be {length} bytes long")));
            }
            let mut json = vec![0; length];
            file.read_exact(&mut json).map_err(|_| damaged("the file ends before it says what it is".to_owned()))?;
            let about = serde_json::from_slice(&json).map_err(|e| damaged(format!("what the file says of itself cannot be read: {e}")))?;
            let bond = Bond::Seal(seal::of_about(&json));
            Ok(FileHead { about, bytes: (FILE_HEADER + 4 + length) as u64, bond })
        }
        found if found > VERSION => Err(CaptureError::Newer { path: path.to_owned(), found }),
        found => Err(CaptureError::Older { path: path.to_owned(), found }),
    }
}

/// A place in the log, as people name it: everything before it, and nothing from it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before the first input received at or after this time.
    Time(Timestamp),
    /// Before the input with this sequence number, and those behind it.
    Input(u64),
}

impl Moment {
    /// Says whether an input with this number, received then, stands before it.
    #[must_use]
    pub fn is_behind(self, seq: u64, at: Timestamp) -> bool {
        match self {
            Self::Time(time) => at < time,
            Self::Input(number) => seq < number,
        }
    }
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Entry<T> {
    /// Sequence number.
    pub seq: u64,
    /// Receive time.
    pub at: Timestamp,
    /// The input.
    pub body: T,
    /// It is no input but the state that the inputs up to this number led to.
    #[serde(skip)]
    pub kept: bool,
}

/// Counts what is read of a file.
#[derive(Debug)]
struct Counted<R> {
    input: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let n = self.input.read(out)?;
        self.bytes += n as u64;
        Ok(n)
    }
}

impl<R: Seek> Seek for Counted<R> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.input.seek(to)
    }
}

/// A capture being read, record by record, from a file unless said otherwise.
#[derive(Debug)]
pub struct Reader<T, R = File> {
    path: PathBuf,
    file: BufReader<Counted<R>>,
    offset: u64,
    about: About,
    /// Where the frame in `content` starts, and the bond before it.
    frame: (u64, Bond),
    content: Vec<u8>,
    position: usize,
    /// Where the last record stands in it.
    last: Range<usize>,
    /// What `content` holds is a kept state, and whether such are given out.
    kept: bool,
    states: bool,
    bond: Bond,
    records: u64,
    inputs: u64,
    lost_tail: u64,
    finished: bool,
    ended: bool,
    kind: PhantomData<T>,
}

impl<T: DeserializeOwned> Reader<T> {
    /// Opens a capture.
    ///
    /// # Errors
    /// [`CaptureError`] when it is none, or of a newer version.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        let io = |source| CaptureError::Io { doing: "opening", path: path.to_owned(), source };
        Self::new(path, File::open(path).map_err(io)?)
    }

    /// Opens a capture at a place that an earlier reader of the same file marked.
    ///
    /// # Errors
    /// As [`Reader::open`]; [`CaptureError::Damaged`] when the file is not the same any more.
    pub fn open_at(path: &Path, mark: &Mark) -> Result<Self, CaptureError> {
        let mut reader = Self::open(path)?;
        let io = |source| CaptureError::Io { doing: "seeking in", path: path.to_owned(), source };
        reader.file.seek(SeekFrom::Start(mark.frame)).map_err(io)?;
        (reader.offset, reader.bond, reader.records, reader.inputs) = (mark.frame, mark.bond.clone(), mark.records, mark.inputs);
        reader.frame = (mark.frame, mark.bond.clone());
        // before the first record no frame was read yet
        if mark.position > 0 {
            if !reader.next_frame()? || reader.content.len() < mark.position {
                return Err(reader.damaged("the file is shorter than it was".to_owned()));
            }
            reader.position = mark.position;
        }
        Ok(reader)
    }

    /// Opens a capture at a frame that its [`index`](crate::index) names, without reading what stands before it.
    ///
    /// # Errors
    /// As [`Reader::open_at`]; that the frame is not what the index says is told when it is read.
    pub fn open_place(path: &Path, place: &Place) -> Result<Self, CaptureError> {
        Self::open_at(path, &place.mark())
    }
}

/// A place between two records of a capture.
#[derive(Clone, Debug)]
pub struct Mark {
    pub(crate) frame: u64,
    pub(crate) bond: Bond,
    pub(crate) position: usize,
    pub(crate) records: u64,
    pub(crate) inputs: u64,
}

impl<T: DeserializeOwned, R: Read> Reader<T, R> {
    /// Reads a capture from `input`; `path` is only its name in errors.
    ///
    /// # Errors
    /// [`CaptureError`] when it is none, or of a newer version.
    pub fn new(path: &Path, input: R) -> Result<Self, CaptureError> {
        let mut file = BufReader::new(Counted { input, bytes: 0 });
        let head = open_head(path, &mut file)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            offset: head.bytes,
            about: head.about,
            frame: (head.bytes, head.bond.clone()),
            content: Vec::new(),
            position: 0,
            last: 0..0,
            kept: false,
            states: false,
            bond: head.bond,
            records: 0,
            inputs: 0,
            lost_tail: 0,
            finished: false,
            ended: false,
            kind: PhantomData,
        })
    }

    /// Gives out the states that were kept on the way too, each behind the inputs that led to it.
    #[must_use]
    pub fn with_states(self) -> Self {
        Self { states: true, ..self }
    }

    /// Returns how many bytes of the file were read.
    #[must_use]
    pub fn read_bytes(&self) -> u64 {
        self.file.get_ref().bytes
    }

    /// Returns how many inputs stand before the next one.
    #[must_use]
    pub const fn inputs(&self) -> u64 {
        self.inputs
    }

    /// Returns the bytes of an unfinished frame at the end: written when the writer died, never acknowledged.
    #[must_use]
    pub const fn lost_tail(&self) -> u64 {
        self.lost_tail
    }

    /// Returns the digest over all records read so far, hex.
    #[must_use]
    pub fn digest(&self) -> String {
        self.bond.hex()
    }

    /// Returns what the file says of itself.
    #[must_use]
    pub const fn about(&self) -> &About {
        &self.about
    }

    /// Says whether the end was read that an orderly close writes; a file of format 1 has none.
    #[must_use]
    pub const fn finished(&self) -> bool {
        self.finished
    }

    /// Returns the place of the next record, to go on from later without reading what stands before it.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark { frame: self.frame.0, bond: self.frame.1.clone(), position: self.position, records: self.records, inputs: self.inputs }
    }

    /// Reads the record that was given last as the kept state that it must be.
    pub(crate) fn check_kept(&self) -> Result<(), CaptureError> {
        #[derive(Deserialize)]
        struct Kept {
            body: pilot::Input,
        }
        let why = match serde_json::from_slice::<Kept>(self.content.get(self.last.clone()).unwrap_or_default()) {
            Ok(Kept { body: pilot::Input::State { .. } }) => return Ok(()),
            Ok(_) => "it is no state".to_owned(),
            Err(error) => error.to_string(),
        };
        let (path, seq, about) = (self.path.clone(), self.records.saturating_sub(1), &self.about);
        if about.schema != pilot::INPUT_SCHEMA {
            return Err(CaptureError::Shape { path, version: about.version.clone(), schema: about.schema, seq, why });
        }
        let why = format!("the state kept there cannot be read: {why}");
        Err(CaptureError::Damaged { path, offset: self.frame.0, why, records: seq })
    }

    fn damaged(&mut self, why: String) -> CaptureError {
        self.ended = true;
        CaptureError::Damaged { path: self.path.clone(), offset: self.offset, why, records: self.records }
    }

    /// Reads one frame; false at the end.
    fn next_frame(&mut self) -> Result<bool, CaptureError> {
        if self.finished {
            return Ok(false);
        }
        let mut bytes = [0; Head::BYTES];
        let size = if matches!(self.bond, Bond::Running(_)) { HEAD_1 } else { Head::BYTES };
        let got = fill(&mut self.file, &mut bytes[..size]).map_err(|e| self.damaged(e.to_string()))?;
        if got < size {
            self.lost_tail = got as u64;
            return Ok(false);
        }
        let length = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        if length != !u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]) {
            return Err(self.damaged("a frame's two lengths differ: the file was changed".to_owned()));
        }
        let Some(content) = self.content(length as usize, size)? else { return Ok(false) };
        let checked = match &self.bond {
            Bond::Running(digest) => {
                let digest = digest.clone().chain_update(&content);
                (digest.clone().finalize()[..8] == bytes[8..16]).then_some((Bond::Running(digest), false, false))
            }
            Bond::Seal(before) => Head::read(&bytes).and_then(|(head, seal)| {
                let same = head.seal(before, &content) == seal;
                same.then_some((Bond::Seal(seal), head.records == 0, head.state))
            }),
        };
        let Some((bond, end, kept)) = checked else {
            return Err(self.damaged("the checksum does not fit: the file was changed".to_owned()));
        };
        if end {
            return self.end(&content, bond);
        }
        self.frame = (self.offset, core::mem::replace(&mut self.bond, bond));
        (self.content, self.kept) = (content, kept);
        self.offset += (size + length as usize) as u64;
        self.position = 0;
        Ok(true)
    }

    /// Reads and decompresses a frame's content; `None` when the file ends in it.
    fn content(&mut self, length: usize, head: usize) -> Result<Option<Vec<u8>>, CaptureError> {
        if length > FRAME_MAX {
            return Err(self.damaged(format!("a frame claims {length} bytes")));
        }
        let mut packed = Vec::new();
        let took = (&mut self.file).take(length as u64).read_to_end(&mut packed);
        took.map_err(|e| self.damaged(e.to_string()))?;
        if packed.len() < length {
            self.lost_tail = (head + packed.len()) as u64;
            return Ok(None);
        }
        let content = zstd::stream::Decoder::new(packed.as_slice())
            .and_then(|d| {
                let mut out = Vec::new();
                d.take(CONTENT_MAX as u64 + 1).read_to_end(&mut out).map(|_| out)
            })
            .map_err(|e| self.damaged(format!("a frame cannot be decompressed: {e}")))?;
        if content.len() > CONTENT_MAX {
            return Err(self.damaged("a frame holds more than a record may".to_owned()));
        }
        Ok(Some(content))
    }

    /// The end that an orderly close wrote: as many records as were read, and nothing behind it.
    fn end(&mut self, content: &[u8], bond: Bond) -> Result<bool, CaptureError> {
        let told = serde_json::from_slice::<serde_json::Value>(content).ok().and_then(|v| v["records"].as_u64());
        if told != Some(self.records) {
            let told = told.map_or_else(|| "none".to_owned(), |n| n.to_string());
            return Err(self.damaged(format!("the end counts {told} records, {} were read", self.records)));
        }
        let mut more = [0];
        if fill(&mut self.file, &mut more).map_err(|e| self.damaged(e.to_string()))? > 0 {
            return Err(self.damaged("something stands behind the end".to_owned()));
        }
        (self.bond, self.finished) = (bond, true);
        Ok(false)
    }

    fn record(&mut self) -> Result<Option<Entry<T>>, CaptureError> {
        while self.position >= self.content.len() {
            if !self.next_frame()? {
                return Ok(None);
            }
            if self.kept && !self.states {
                self.position = self.content.len();
                self.records += 1;
            }
        }
        let rest = &self.content[self.position..];
        let Some((head, rest)) = rest.split_first_chunk::<4>() else {
            return Err(self.damaged("a record is cut".to_owned()));
        };
        let length = u32::from_be_bytes(*head) as usize;
        let Some(json) = rest.get(..length) else {
            return Err(self.damaged("a record is longer than its frame".to_owned()));
        };
        let entry = match serde_json::from_slice(json) {
            Ok(entry) => Entry { kept: self.kept, ..entry },
            Err(e) if self.about.schema != pilot::INPUT_SCHEMA => {
                self.ended = true;
                let about = &self.about;
                return Err(CaptureError::Shape {
                    path: self.path.clone(),
                    version: about.version.clone(),
                    schema: about.schema,
                    seq: self.records,
                    why: e.to_string(),
                });
            }
            Err(e) => return Err(self.damaged(format!("record {} cannot be read: {e}", self.records))),
        };
        self.last = self.position + 4..self.position + 4 + length;
        self.position = self.last.end;
        self.records += 1;
        self.inputs += u64::from(!self.kept);
        Ok(Some(entry))
    }
}

fn fill(file: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match file.read(&mut buffer[got..])? {
            0 => break,
            n => got += n,
        }
    }
    Ok(got)
}

impl<T: DeserializeOwned, R: Read> Iterator for Reader<T, R> {
    type Item = Result<Entry<T>, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        match self.record() {
            Ok(Some(entry)) => Some(Ok(entry)),
            Ok(None) => {
                self.ended = true;
                None
            }
            Err(error) => {
                self.ended = true;
                Some(Err(error))
            }
        }
    }
}
