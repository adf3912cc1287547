//! Opening a file: standard input, and what is compressed is read as what it holds.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Compressed within compressed is unpacked this often: an archive of a compressed dump is seen, deeper nesting only in attacks.
const MAX_NESTING: usize = 2;
/// Bytes that are unpacked from one file at most by default: a full table dump of a large collector is below it, a bomb is not.
pub const MAX_UNPACKED_BYTES: u64 = 64 << 30;
/// Largest zstd window accepted, as a power of two: 128 MiB, what the `zstd` program itself accepts by default.
const MAX_ZSTD_WINDOW_LOG: u32 = 27;
/// Bytes looked at to tell a compression.
const MAGIC_BYTES: usize = 6;

/// A file could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The system said no.
    #[error("cannot open {path}")]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Its first bytes could not be read or unpacked.
    #[error("cannot unpack the beginning of {path}")]
    Unpack {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is compressed more than [`MAX_NESTING`] times.
    #[error("{path} is compressed within compressed more than {MAX_NESTING} times; unpack it by hand if you trust it")]
    Nested {
        /// Which file.
        path: PathBuf,
    },
}

/// Bounds of one opened file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes unpacked at most.
    pub unpacked_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { unpacked_bytes: MAX_UNPACKED_BYTES }
    }
}

/// Follows the reading of a file from elsewhere: how far it is, and whether it shall end. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    read: Arc<AtomicU64>,
    stopped: Arc<AtomicBool>,
}

impl Watch {
    /// Returns how many bytes of the file, as it lies on the disk, were read.
    #[must_use]
    pub fn read_bytes(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Lets the reader end with an error at its next read.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Says whether it was told to end.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

struct Watched {
    file: File,
    watch: Watch,
}

impl Read for Watched {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.watch.is_stopped() {
            // `Interrupted` would be tried again
            return Err(io::Error::other("the reading was stopped"));
        }
        let n = self.file.read(out)?;
        self.watch.read.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// Opens a file as [`open`] does, for a reader that others follow and may stop. Only a regular file is opened: what else has a path (a
/// terminal, a pipe, a device) may never end.
///
/// # Errors
/// As [`open`].
pub fn open_watched(path: &Path, watch: &Watch) -> Result<Box<dyn Read>, OpenError> {
    let failed = |source| OpenError::Open { path: path.to_owned(), source };
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")));
    }
    let file = File::open(path).map_err(failed)?;
    unpacked(path, Box::new(Watched { file, watch: watch.clone() }), Limits::default())
}

/// Opens a file for reading with the default [`Limits`]; `-` is standard input. Compression is told by content, not by name.
///
/// # Errors
/// [`OpenError`] where it cannot be opened or its beginning cannot be unpacked. Later faults come from the reader.
pub fn open(path: &Path) -> Result<Box<dyn Read>, OpenError> {
    open_with(path, Limits::default())
}

/// Opens a file as [`open`] does with bounds of the caller's own.
///
/// # Errors
/// As [`open`].
pub fn open_with(path: &Path, limits: Limits) -> Result<Box<dyn Read>, OpenError> {
    let input: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path).map_err(|source| OpenError::Open { path: path.to_owned(), source })?)
    };
    unpacked(path, input, limits)
}

fn unpacked(path: &Path, input: Box<dyn Read>, limits: Limits) -> Result<Box<dyn Read>, OpenError> {
    unpack(input, limits).map_err(|fault| match fault {
        Fault::Nested => OpenError::Nested { path: path.to_owned() },
        Fault::Io(source) => OpenError::Unpack { path: path.to_owned(), source },
    })
}

enum Fault {
    Nested,
    Io(io::Error),
}

fn unpack(mut input: Box<dyn Read>, limits: Limits) -> Result<Box<dyn Read>, Fault> {
    for depth in 0..=MAX_NESTING {
        let mut magic = Vec::with_capacity(MAGIC_BYTES);
        input.by_ref().take(MAGIC_BYTES as u64).read_to_end(&mut magic).map_err(Fault::Io)?;
        let kind = compression(&magic);
        let whole = BufReader::new(Cursor::new(magic).chain(input));
        let Some(kind) = kind else { return Ok(Box::new(whole)) };
        if depth == MAX_NESTING {
            return Err(Fault::Nested);
        }
        input =
            Box::new(Bounded { inner: kind.reader(whole).map_err(Fault::Io)?, left: limits.unpacked_bytes, limit: limits.unpacked_bytes });
    }
    Err(Fault::Nested)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    Gzip,
    Bzip2,
    Zstd,
}

impl Compression {
    fn reader(self, input: impl BufRead + 'static) -> io::Result<Box<dyn Read>> {
        Ok(match self {
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(input)),
            Self::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(input)),
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?;
                decoder.window_log_max(MAX_ZSTD_WINDOW_LOG)?;
                Box::new(decoder)
            }
        })
    }
}

/// Magic numbers: RFC 1952 §2.3.1, the bzip2 block header, RFC 8878 §3.1.1 (and its skippable frames).
const fn compression(magic: &[u8]) -> Option<Compression> {
    match magic {
        [0x1f, 0x8b, 8, ..] => Some(Compression::Gzip),
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31 | 0x17, ..] => Some(Compression::Bzip2),
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Compression::Zstd),
        _ => None,
    }
}

/// Ends with an error, never in silence, when more comes out than allowed.
struct Bounded {
    inner: Box<dyn Read>,
    left: u64,
    limit: u64,
}

impl Read for Bounded {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(out)?;
        self.left = self.left.checked_sub(n as u64).ok_or_else(|| {
            io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {} bytes come out of the compressed file", self.limit))
        })?;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    }

    fn bzip2(bytes: &[u8]) -> Vec<u8> {
        let mut out = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    }

    fn text(bytes: Vec<u8>, limit: u64) -> Result<String, String> {
        let mut out = String::new();
        let mut reader = match unpack(Box::new(Cursor::new(bytes)), Limits { unpacked_bytes: limit }) {
            Ok(reader) => reader,
            Err(Fault::Nested) => return Err("nested".to_owned()),
            Err(Fault::Io(e)) => return Err(e.to_string()),
        };
        reader.read_to_string(&mut out).map_err(|e| e.to_string())?;
        Ok(out)
    }

    #[test]
    fn every_member_of_each_compression_is_read() {
        let two = |pack: fn(&[u8]) -> Vec<u8>| [pack(b"first "), pack(b"second")].concat();
        let zstd = |b: &[u8]| zstd::encode_all(b, 1).unwrap();
        for packed in [two(gzip), two(bzip2), two(zstd), b"first second".to_vec(), gzip(&bzip2(b"first second"))] {
            assert_eq!(text(packed, 1000).unwrap(), "first second");
        }
        assert_eq!(text(Vec::new(), 1000).unwrap(), "");
    }

    #[test]
    fn a_watched_reading_tells_how_far_it_is_ends_when_told_and_takes_files_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.gz");
        let plain: Vec<u8> = (0..200_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
        std::fs::write(&path, gzip(&plain)).unwrap();
        let watch = Watch::default();
        let mut input = open_watched(&path, &watch).unwrap();
        input.read_exact(&mut [0; 1000]).unwrap();
        let early = watch.read_bytes();
        assert!(early > 0 && early < std::fs::metadata(&path).unwrap().len() / 2, "{early}");
        input.read_exact(&mut [0; 400_000]).unwrap();
        assert!(watch.read_bytes() > early);
        watch.stop();
        let error = input.read_to_end(&mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("stopped"), "{error}");
        for what in ["/dev/zero", "/"] {
            let error = open_watched(Path::new(what), &Watch::default()).err().unwrap();
            assert!(matches!(&error, OpenError::Open { source, .. } if source.to_string().contains("no regular file")), "{error:?}");
        }
    }

    #[test]
    fn bombs_and_nests_end_with_an_error_that_says_why() {
        assert!(text(gzip(&[b'a'; 5000]), 4999).unwrap_err().contains("more than 4999 bytes"));
        assert_eq!(text(gzip(&[b'a'; 5000]), 5000).unwrap().len(), 5000);
        assert_eq!(text(gzip(&gzip(&gzip(b"deep"))), 1000).unwrap_err(), "nested");
        let mut cut = gzip(b"cut short");
        cut.truncate(cut.len() - 6);
        assert!(text(cut, 1000).is_err());
    }
}
