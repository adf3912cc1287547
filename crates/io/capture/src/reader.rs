//! Reading.

use crate::{CaptureError, FILE_HEADER, FRAME_HEADER, FRAME_MAX, MAGIC, RECORD_MAX, VERSION};
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
    /// Where the frame in `content` starts, and what stood in `digest` before it.
    frame: (u64, Sha256),
    content: Vec<u8>,
    position: usize,
    digest: Sha256,
    records: u64,
    lost_tail: u64,
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
        (reader.offset, reader.digest, reader.records) = (mark.frame, mark.digest.clone(), mark.records);
        reader.frame = (mark.frame, mark.digest.clone());
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
    digest: Sha256,
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
        let mut head = [0; FILE_HEADER];
        let not = |_| CaptureError::NotACapture { path: path.to_owned() };
        file.read_exact(&mut head).map_err(not)?;
        if head[..8] != MAGIC {
            return Err(CaptureError::NotACapture { path: path.to_owned() });
        }
        let found = u16::from_be_bytes([head[8], head[9]]);
        if found > VERSION {
            return Err(CaptureError::Newer { path: path.to_owned(), found });
        }
        if found < VERSION {
            return Err(CaptureError::Older { path: path.to_owned(), found });
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            offset: FILE_HEADER as u64,
            frame: (FILE_HEADER as u64, Sha256::new()),
            content: Vec::new(),
            position: 0,
            digest: Sha256::new(),
            records: 0,
            lost_tail: 0,
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
        hex::encode(self.digest.clone().finalize())
    }

    /// Returns the place of the next record, to go on from later without reading what stands before it.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark { frame: self.frame.0, digest: self.frame.1.clone(), position: self.position, records: self.records }
    }

    fn damaged(&mut self, why: String) -> CaptureError {
        self.ended = true;
        CaptureError::Damaged { path: self.path.clone(), offset: self.offset, why, records: self.records }
    }

    /// Reads one frame; false at the end.
    fn next_frame(&mut self) -> Result<bool, CaptureError> {
        let mut head = [0; FRAME_HEADER];
        let got = fill(&mut self.file, &mut head).map_err(|e| self.damaged(e.to_string()))?;
        if got < head.len() {
            self.lost_tail = got as u64;
            return Ok(false);
        }
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        if length != !u32::from_be_bytes([head[4], head[5], head[6], head[7]]) {
            return Err(self.damaged("a frame's two lengths differ: the file was changed".to_owned()));
        }
        let length = length as usize;
        if length > FRAME_MAX {
            return Err(self.damaged(format!("a frame claims {length} bytes")));
        }
        let mut packed = Vec::new();
        let took = (&mut self.file).take(length as u64).read_to_end(&mut packed);
        took.map_err(|e| self.damaged(e.to_string()))?;
        if packed.len() < length {
            self.lost_tail = (FRAME_HEADER + packed.len()) as u64;
            return Ok(false);
        }
        self.content = zstd::stream::Decoder::new(packed.as_slice())
            .and_then(|d| {
                let mut out = Vec::new();
                d.take(CONTENT_MAX as u64 + 1).read_to_end(&mut out).map(|_| out)
            })
            .map_err(|e| self.damaged(format!("a frame cannot be decompressed: {e}")))?;
        if self.content.len() > CONTENT_MAX {
            return Err(self.damaged("a frame holds more than a record may".to_owned()));
        }
        self.frame = (self.offset, self.digest.clone());
        self.digest.update(&self.content);
        if self.digest.clone().finalize()[..8] != head[8..16] {
            return Err(self.damaged("the checksum does not fit: the file was changed".to_owned()));
        }
        self.offset += (FRAME_HEADER + length) as u64;
        self.position = 0;
        Ok(true)
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
    })
}
