//! Reading.

use crate::seal::{self, Bond, Head};
use crate::{ABOUT_MAX, About, CaptureError, FILE_HEADER, FRAME_MAX, MAGIC, RECORD_MAX, VERSION};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use units::Timestamp;

/// Longest content of one frame, bytes.
const CONTENT_MAX: usize = RECORD_MAX + (1 << 20);

/// Bytes of a frame header of format 1: two lengths and a checksum.
const HEAD_1: usize = 16;

/// What stands before the first frame.
pub(crate) struct FileHead {
    pub version: u16,
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
    match version {
        1 => Ok(FileHead { version, about: About::of_format_1(), bytes: FILE_HEADER as u64, bond: Bond::Running(Sha256::new()) }),
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
            Ok(FileHead { version, about, bytes: (FILE_HEADER + 4 + length) as u64, bond })
        }
        found if found > VERSION => Err(CaptureError::Newer { path: path.to_owned(), found }),
        found => Err(CaptureError::Older { path: path.to_owned(), found }),
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
}

/// A capture being read, record by record, from a file unless said otherwise.
#[derive(Debug)]
pub struct Reader<T, R = File> {
    path: PathBuf,
    file: BufReader<R>,
    offset: u64,
    about: About,
    /// Where the frame in `content` starts, and the bond before it.
    frame: (u64, Bond),
    content: Vec<u8>,
    position: usize,
    bond: Bond,
    records: u64,
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
        (reader.offset, reader.bond, reader.records) = (mark.frame, mark.bond.clone(), mark.records);
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
}

/// A place between two records of a capture.
#[derive(Clone, Debug)]
pub struct Mark {
    frame: u64,
    bond: Bond,
    position: usize,
    records: u64,
}

impl<T: DeserializeOwned, R: Read> Reader<T, R> {
    /// Reads a capture from `input`; `path` is only its name in errors.
    ///
    /// # Errors
    /// [`CaptureError`] when it is none, or of a newer version.
    pub fn new(path: &Path, input: R) -> Result<Self, CaptureError> {
        let mut file = BufReader::new(input);
        let head = open_head(path, &mut file)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            offset: head.bytes,
            about: head.about,
            frame: (head.bytes, head.bond.clone()),
            content: Vec::new(),
            position: 0,
            bond: head.bond,
            records: 0,
            lost_tail: 0,
            finished: false,
            ended: false,
            kind: PhantomData,
        })
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
        Mark { frame: self.frame.0, bond: self.frame.1.clone(), position: self.position, records: self.records }
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
                (digest.clone().finalize()[..8] == bytes[8..16]).then_some((Bond::Running(digest), false))
            }
            Bond::Seal(before) => Head::read(&bytes).and_then(|(head, seal)| {
                let same = head.seal(before, &content) == seal;
                same.then_some((Bond::Seal(seal), head.records == 0))
            }),
        };
        let Some((bond, end)) = checked else {
            return Err(self.damaged("the checksum does not fit: the file was changed".to_owned()));
        };
        if end {
            return self.end(&content, bond);
        }
        self.frame = (self.offset, core::mem::replace(&mut self.bond, bond));
        self.content = content;
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
            Ok(entry) => entry,
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
        self.position += 4 + length;
        self.records += 1;
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

/// What a capture holds.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Info {
    /// Records.
    pub records: u64,
    /// First and last sequence number.
    pub seq: Option<(u64, u64)>,
    /// Receive times of the first and last record, RFC 3339.
    pub time: Option<(String, String)>,
    /// Digest over all records, hex SHA-256.
    pub digest: String,
    /// Bytes of an unfinished frame at the end.
    pub lost_tail_bytes: u64,
    /// It was closed in order. False: the program was stopped, frames were cut off its end, or the format has no end (format 1).
    pub finished: bool,
    /// What it says of itself.
    pub about: About,
}

/// Reads a capture to its end and says what it holds.
///
/// # Errors
/// [`CaptureError`] at the first damage.
pub fn info(path: &Path) -> Result<Info, CaptureError> {
    let mut reader = Reader::<serde_json::Value>::open(path)?;
    let (mut first, mut last, mut records) = (None, None, 0);
    for entry in &mut reader {
        let entry = entry?;
        first.get_or_insert((entry.seq, entry.at));
        last = Some((entry.seq, entry.at));
        records += 1;
    }
    Ok(Info {
        records,
        seq: first.zip(last).map(|(a, b)| (a.0, b.0)),
        time: first.zip(last).map(|(a, b)| (a.1.to_string(), b.1.to_string())),
        digest: reader.digest(),
        lost_tail_bytes: reader.lost_tail(),
        finished: reader.finished(),
        about: reader.about().clone(),
    })
}
