//! `pilotctl decode`: files of others to one JSON object a line.

mod gnmi;
mod mrt;
mod pcap;

use crate::exit::{Context, Ended, Failure, Outcome};
use archive::open_bmp;
use bmp::{Codec, Framer};
use clap::ValueEnum;
use std::collections::BTreeMap;
use std::io::{BufWriter, Read, Write};
use std::path::PathBuf;

/// Routers of one wrapped stream: more than the largest public collector has.
const MAX_ROUTERS: usize = 4096;

/// Arguments of `decode`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: pilotctl decode bmp router.bmp | head")]
pub struct Arguments {
    /// Format.
    #[arg(id = "input", value_enum)]
    format: Format,
    /// Files; `-` is standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The sender's own AS, for repairs that need it.
    #[arg(long, value_name = "ASN")]
    own_as: Option<u32>,
    /// A correction of a sender's fault that is not made; may be given several times. There are frr_own_as_in_front, two_octet_as_path,
    /// four_octet_as_path, peer_down_before_peer_up, open_missing, add_path_guessed, loc_rib_add_path, add_path_missing, next_hop_missing. Other names
    /// among the repairs (peer_down_repeated, routes_without_peer_up, ipv6_flag_missing, unknown_statistic_N, statistic_length_N) are
    /// notes: they say what was odd, nothing is corrected.
    #[arg(long, value_name = "NAME")]
    repair_off: Vec<bmp::Repair>,
    /// How MRT is printed; without it as JSON.
    #[arg(long = "format", value_enum, value_name = "TEXT")]
    text: Option<Text>,
}

/// How MRT is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Text {
    /// One JSON object a message.
    Json,
    /// The lines of `bgpdump -m`.
    Bgpdump,
}

/// Input formats.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// A stream of BMP messages (RFC 7854), plain or in the headers of OpenBMP.
    Bmp,
    /// What route collectors write (RFC 6396).
    Mrt,
    /// A packet capture, pcap or pcapng: BMP of every flow.
    Pcap,
    /// gNMI telemetry: protobuf's JSON of SubscribeResponse, GetResponse or Notification, or what gnmic prints.
    Gnmi,
}

fn unread(path: &std::path::Path, error: &std::io::Error) -> Failure {
    Failure::new("PH-CLI-020", format!("cannot read {}: {error}", path.display()))
}

/// Opens a file, compressed or not; `-` is standard input. One that holds nothing cannot be read.
fn input(path: &std::path::Path) -> Result<Box<dyn Read>, Failure> {
    let mut input = archive::open::open(path).map_err(|e| Failure::from_error("PH-CLI-020", &e))?;
    let mut first = Vec::new();
    let fail = |e: std::io::Error| unread(path, &e);
    if input.by_ref().take(1).read_to_end(&mut first).map_err(fail)? == 0 {
        return Err(Failure::new("PH-CLI-083", format!("{} is empty", path.display())));
    }
    Ok(Box::new(std::io::Cursor::new(first).chain(input)))
}

/// Output cannot be written. A reader that has seen enough ends the program as it does everywhere.
pub fn unwritten(error: &std::io::Error) -> Failure {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        std::process::exit(141);
    }
    Failure::new("PH-CLI-022", format!("cannot write the output: {error}; it is not complete"))
}

/// A file of records ended before its end: unreadable where nothing was printed, else partly done, with the place.
fn ended(file: &std::path::Path, error: &dyn std::error::Error, printed: bool) -> Result<bool, Failure> {
    ended_by("PH-CLI-024", file, error, printed)
}

fn ended_by(code: &'static str, file: &std::path::Path, error: &dyn std::error::Error, printed: bool) -> Result<bool, Failure> {
    let what = format!("{}: {}", file.display(), runtime::chain(error));
    if !printed {
        return Err(Failure::new(code, format!("{what}; nothing came before it")));
    }
    eprintln!("{code} {what}; what came before it is printed");
    Ok(true)
}

/// Goes over files: one that cannot be read is named, and the others are read. Says whether part of the input was bad; fails where none could
/// be read.
pub fn over(files: &[std::path::PathBuf], mut each: impl FnMut(&std::path::Path) -> Result<bool, Failure>) -> Result<bool, Failure> {
    let (mut bad, mut read) = (false, false);
    let mut failed: Option<Failure> = None;
    for file in files {
        match each(file) {
            Ok(partly) => (bad, read) = (bad | partly, true),
            Err(failure) => {
                if let Some(before) = failed.replace(failure) {
                    eprintln!("{before}");
                }
            }
        }
    }
    match failed {
        // whoever called says it
        Some(failure) if !read => Err(failure),
        Some(failure) => {
            eprintln!("{failure}");
            Ok(true)
        }
        None => Ok(bad),
    }
}

/// Reads a file a piece at a time.
pub fn pieces(path: &std::path::Path, each: impl FnMut(&[u8]) -> Result<(), Failure>) -> Result<(), Failure> {
    pieces_of(input(path)?, path, each)
}

fn pieces_of(mut input: impl Read, path: &std::path::Path, mut each: impl FnMut(&[u8]) -> Result<(), Failure>) -> Result<(), Failure> {
    let fail = |e: std::io::Error| unread(path, &e);
    let mut buffer = vec![0; 64 << 10];
    loop {
        match input.read(&mut buffer).map_err(fail)? {
            0 => return Ok(()),
            n => each(&buffer[..n])?,
        }
    }
}

/// Runs `decode`.
pub fn decode(_: &Context, arguments: &Arguments) -> Ended {
    let format = arguments.format;
    if arguments.text.is_some() && !matches!(format, Format::Mrt) {
        return Err(Failure::new("PH-CLI-082", "--format says how MRT is printed; the other inputs are printed as JSON"));
    }
    if (arguments.own_as.is_some() || !arguments.repair_off.is_empty()) && !matches!(format, Format::Bmp | Format::Pcap) {
        return Err(Failure::new("PH-CLI-082", "--own-as and --repair-off say how BMP is read; there is none in this input"));
    }
    let mut out = BufWriter::new(std::io::stdout().lock());
    let codec = Codec::new(arguments.own_as.map(bgp::Asn)).with_repairs(bmp::Switched::off(arguments.repair_off.iter().copied()));
    let bad = over(&arguments.files, |file| match format {
        Format::Bmp => print_bmp(file, &codec, &mut out),
        Format::Mrt => mrt::print(file, arguments.text.unwrap_or(Text::Json), &mut out),
        Format::Pcap => pcap::print(file, &codec, &mut out),
        Format::Gnmi => gnmi::print(file, &mut out),
    })?;
    out.flush().map_err(|e| unwritten(&e))?;
    Ok(if bad { Outcome::Partly } else { Outcome::Done })
}

fn line(message: &[u8], offset: u64, codec: &mut Codec, bad: &mut bool) -> serde_json::Value {
    match bmp::decode(message, codec) {
        Ok(found) => bmp::json::message(&found, offset),
        Err(error) => {
            *bad = true;
            bmp::json::malformed(&error, message, offset)
        }
    }
}

/// Prints what another collector wrapped: each router has a session of its own; offsets are those of the wrapping headers.
fn print_open_bmp(file: &std::path::Path, input: impl Read, fresh: &Codec, out: &mut impl Write) -> Result<bool, Failure> {
    let mut routers = BTreeMap::new();
    let (mut bad, mut printed) = (false, false);
    for one in open_bmp::Wrapped::new(input) {
        let one = match one {
            Ok(one) => one,
            Err(e) => return ended(file, &e, printed),
        };
        if routers.len() >= MAX_ROUTERS && !routers.contains_key(&one.router) {
            bad = true;
            eprintln!("PH-CLI-052 {}: the message at byte {} is of a router beyond the first {MAX_ROUTERS}", file.display(), one.offset);
            continue;
        }
        let codec = routers.entry(one.router).or_insert_with(|| fresh.clone());
        let mut object = line(&one.bmp, one.offset, codec, &mut bad);
        if let Some(fields) = object.as_object_mut() {
            fields.insert("router".to_owned(), one.router.to_string().into());
            fields.insert("collected".to_owned(), bmp::json::rfc3339(one.time).into());
        }
        printed = true;
        writeln!(out, "{object}").map_err(|e| unwritten(&e))?;
    }
    Ok(bad)
}

/// Prints a stream's messages; says whether part of it was bad.
fn print_bmp(file: &std::path::Path, fresh: &Codec, out: &mut impl Write) -> Result<bool, Failure> {
    let mut head = Vec::new();
    let mut input = input(file)?;
    let fail = |e: std::io::Error| unread(file, &e);
    input.by_ref().take(open_bmp::MAGIC.len() as u64).read_to_end(&mut head).map_err(fail)?;
    let wrapped = head == open_bmp::MAGIC;
    let mut input = std::io::Cursor::new(head).chain(input);
    if wrapped {
        return print_open_bmp(file, input, fresh, out);
    }
    let mut framer = Framer::new();
    let mut codec = fresh.clone();
    let (mut bad, mut printed) = (false, false);
    let mut buffer = vec![0; 64 << 10];
    loop {
        let bytes = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => buffer.get(..n).unwrap_or_default(),
            Err(e) => return ended_by("PH-CLI-020", file, &e, printed),
        };
        framer.push(bytes);
        while let Some(frame) = framer.next() {
            let frame = match frame {
                Ok(frame) => frame,
                Err(e) => return ended_by("PH-CLI-021", file, &e, printed),
            };
            let line = line(&frame.bytes, frame.offset, &mut codec, &mut bad);
            printed = true;
            writeln!(out, "{line}").map_err(|e| unwritten(&e))?;
        }
    }
    if framer.pending() > 0 {
        bad = true;
        eprintln!("PH-CLI-023 {}: the last {} bytes are no whole message", file.display(), framer.pending());
    }
    Ok(bad)
}
