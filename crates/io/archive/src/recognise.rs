//! What a file holds, told by its content and never by its name.

mod look;

use crate::bmp_flows::looks_like_bmp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

/// Bytes looked at by default: enough for the kinds and peers of any file, soon read. What comes after is not judged.
pub const LOOK_BYTES: u64 = 64 << 20;
/// Speakers and kinds named at most; the rest is counted.
const NAMES_MAX: usize = 4096;
/// Bytes in which the format shows: a program may have said something before its JSON.
const HEAD_BYTES: usize = 4096;
/// Bytes that are shown of an unknown one.
const SHOWN_BYTES: usize = 16;

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// BMP messages one after the other (RFC 7854).
    Bmp,
    /// BMP messages in the header of OpenBMP's collector.
    OpenBmp,
    /// What route collectors write (RFC 6396).
    Mrt,
    /// A packet capture, pcap.
    Pcap,
    /// A packet capture, pcapng.
    PcapNg,
    /// JSON of gNMI messages, or of what gnmic prints.
    Gnmi,
    /// A capture of Pilothouse.
    Capture,
    /// Nothing.
    Empty,
    /// None of these.
    Unknown,
}

impl Format {
    /// Returns it in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Bmp => "a stream of BMP messages",
            Self::OpenBmp => "BMP in the headers of OpenBMP",
            Self::Mrt => "MRT of a route collector",
            Self::Pcap => "a packet capture, pcap",
            Self::PcapNg => "a packet capture, pcapng",
            Self::Gnmi => "gNMI telemetry",
            Self::Capture => "a capture of Pilothouse",
            Self::Empty => "an empty file",
            Self::Unknown => "not known",
        }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Format.
    pub format: Format,
    /// Version of a capture; dialect of a telemetry dump; first bytes of an unknown file, as hex.
    pub detail: Option<String>,
    /// How many of each kind of record, message or datagram.
    pub kinds: BTreeMap<String, u64>,
    /// Who speaks: peers, or flows of a packet capture.
    pub speakers: BTreeSet<String>,
    /// Speakers beyond what is named.
    pub more_speakers: u64,
    /// Time of the first and the last record that has one, nanoseconds since the Unix epoch.
    pub span: Option<(i64, i64)>,
    /// What an import would leave out, and why.
    pub left_out: Vec<String>,
    /// The whole file was looked at, not its beginning only.
    pub whole: bool,
}

impl Found {
    fn new(format: Format) -> Self {
        Self {
            format,
            detail: None,
            kinds: BTreeMap::new(),
            speakers: BTreeSet::new(),
            more_speakers: 0,
            span: None,
            left_out: Vec::new(),
            whole: true,
        }
    }

    /// Returns the verb of `pilotctl` that reads such a file; `None` where none does.
    #[must_use]
    pub fn verb(&self) -> Option<&'static str> {
        Some(match self.format {
            Format::Bmp => "rib",
            Format::OpenBmp => "decode bmp",
            Format::Mrt => "decode mrt",
            Format::Pcap | Format::PcapNg => "decode pcap",
            Format::Gnmi if self.left_out.is_empty() => "decode gnmi",
            Format::Capture => "replay",
            Format::Gnmi | Format::Empty | Format::Unknown => return None,
        })
    }

    fn count(&mut self, kind: &str) {
        if let Some(n) = self.kinds.get_mut(kind) {
            *n += 1;
        } else if self.kinds.len() < NAMES_MAX {
            self.kinds.insert(kind.to_owned(), 1);
        }
    }

    fn speaker(&mut self, name: String) {
        if self.speakers.len() < NAMES_MAX {
            self.speakers.insert(name);
        } else if !self.speakers.contains(&name) {
            self.more_speakers += 1;
        }
    }

    fn at(&mut self, time: i64) {
        let (first, last) = self.span.unwrap_or((time, time));
        self.span = Some((first.min(time), last.max(time)));
    }
}

/// Counts what passes, and whether the bound was met.
struct Looked<R> {
    input: R,
    left: u64,
    more: bool,
}

impl<R: Read> Read for Looked<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            self.more |= self.input.read(&mut [0])? > 0;
            return Ok(0);
        }
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(out.len());
        let n = self.input.read(out.get_mut(..room).unwrap_or_default())?;
        self.left = self.left.saturating_sub(n as u64);
        Ok(n)
    }
}

/// Says what an unpacked file holds, from at most `bytes` of it.
///
/// # Errors
/// Where its first bytes cannot be read. Damage further on is part of what was found.
pub fn recognise(mut input: impl Read, bytes: u64) -> io::Result<Found> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    input.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    let format = format_of(&head);
    let mut looked = Looked { input: head.as_slice().chain(input), left: bytes.max(HEAD_BYTES as u64), more: false };
    let mut found = Found::new(format);
    match format {
        Format::Bmp => look::bmp(&mut looked, &mut found),
        Format::OpenBmp => look::open_bmp(&mut looked, &mut found),
        Format::Mrt => look::mrt(&mut looked, &mut found),
        Format::Pcap | Format::PcapNg => look::packets(&mut looked, &mut found),
        Format::Gnmi => look::gnmi(&mut looked, &mut found),
        Format::Capture => {
            found.detail = head.get(8..).and_then(<[u8]>::first_chunk).map(|v| format!("version {}", u16::from_be_bytes(*v)));
        }
        Format::Unknown => found.detail = Some(head.iter().take(SHOWN_BYTES).map(|b| format!("{b:02x}")).collect()),
        Format::Empty => {}
    }
    if looked.more {
        found.whole = false;
        // the bound of this look is no fault of the file
        found.left_out.retain(|w| !w.contains("ends inside"));
    }
    Ok(found)
}

fn format_of(head: &[u8]) -> Format {
    match head {
        [] => Format::Empty,
        [b'P', b'H', b'C', b'A', b'P', b'\r', b'\n', 0x1a, ..] => Format::Capture,
        [b'O', b'B', b'M', b'P', ..] => Format::OpenBmp,
        [0xD4, 0xC3, 0xB2, 0xA1, ..] | [0xA1, 0xB2, 0xC3, 0xD4, ..] | [0x4D, 0x3C, 0xB2, 0xA1, ..] | [0xA1, 0xB2, 0x3C, 0x4D, ..] => {
            Format::Pcap
        }
        [0x0A, 0x0D, 0x0D, 0x0A, ..] => Format::PcapNg,
        _ if looks_like_bmp(head) => Format::Bmp,
        // a type of RFC 6396 §4, a subtype that any has, a length that can be
        &[_, _, _, _, 0, 5 | 12 | 13 | 16 | 17 | 32 | 33 | 48 | 49, 0, 0..=12, 0, ..] => Format::Mrt,
        _ if matches!(head.trim_ascii_start(), [b'{' | b'[', ..]) || is_text_before_json(head) => Format::Gnmi,
        _ => Format::Unknown,
    }
}

/// Says whether lines of text come before a line that begins as JSON does: what `gnmic` writes to its terminal stands before what it prints.
fn is_text_before_json(head: &[u8]) -> bool {
    let is_text = head.iter().all(|b| matches!(b, b' '..=b'~' | b'\t' | b'\r' | b'\n' | 0x80..));
    is_text && head.split(|b| *b == b'\n').any(|line| matches!(line.trim_ascii_start(), [b'{' | b'[', ..]))
}
