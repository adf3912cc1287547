//! `pilotctl decode`: files of others to one JSON object a line.

mod gnmi;
mod mrt;
mod pcap;

use crate::exit::{Context, Ended, Failure, Outcome};
use bmp::{Codec, Framer};
use clap::ValueEnum;
use std::io::{BufWriter, Read, Write};
use std::path::PathBuf;

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
    /// How MRT is printed.
    #[arg(long = "format", value_enum, value_name = "TEXT", default_value = "json")]
    text: Text,
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
    /// A stream of BMP messages (RFC 7854).
    Bmp,
    /// What route collectors write (RFC 6396).
    Mrt,
    /// A packet capture, pcap or pcapng: BMP of every flow.
    Pcap,
    /// gNMI telemetry: protobuf's JSON of SubscribeResponse, GetResponse or Notification, or what gnmic prints.
    Gnmi,
}

/// Opens a file, compressed or not; `-` is standard input.
fn input(path: &std::path::Path) -> Result<Box<dyn Read>, Failure> {
    archive::open::open(path).map_err(|e| Failure::from_error("PH-CLI-020", &e))
}

/// The reader of the pipe has seen enough.
fn closed() -> Failure {
    Failure::new("PH-CLI-022", "output was closed")
}

/// Reads a file a piece at a time.
pub fn pieces(path: &std::path::Path, mut each: impl FnMut(&[u8]) -> Result<(), Failure>) -> Result<(), Failure> {
    let fail = |e: std::io::Error| Failure::new("PH-CLI-020", format!("cannot read {}: {e}", path.display()));
    let mut input = input(path)?;
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
    let mut out = BufWriter::new(std::io::stdout().lock());
    let own_as = arguments.own_as.map(bgp::Asn);
    let mut bad = false;
    for file in &arguments.files {
        bad |= match arguments.format {
            Format::Bmp => print_bmp(file, own_as, &mut out)?,
            Format::Mrt => mrt::print(file, arguments.text, &mut out)?,
            Format::Pcap => pcap::print(file, own_as, &mut out)?,
            Format::Gnmi => gnmi::print(file, &mut out)?,
        };
    }
    out.flush().map_err(|_| closed())?;
    Ok(if bad { Outcome::Partly } else { Outcome::Done })
}

/// Prints a stream's messages; says whether part of it was bad.
fn print_bmp(file: &std::path::Path, own_as: Option<bgp::Asn>, out: &mut impl Write) -> Result<bool, Failure> {
    let mut framer = Framer::new();
    let mut codec = Codec::new(own_as);
    let mut bad = false;
    pieces(file, |bytes| {
        framer.push(bytes);
        while let Some(frame) = framer.next() {
            let frame =
                frame.map_err(|e| Failure::new("PH-CLI-021", format!("{}: {e}; what came before it is printed", file.display())))?;
            let line = match bmp::decode(&frame.bytes, &mut codec) {
                Ok(message) => bmp::json::message(&message, frame.offset),
                Err(error) => {
                    bad = true;
                    bmp::json::malformed(&error, &frame.bytes, frame.offset)
                }
            };
            writeln!(out, "{line}").map_err(|_| closed())?;
        }
        Ok(())
    })?;
    if framer.pending() > 0 {
        bad = true;
        eprintln!("PH-CLI-023 {}: the last {} bytes are no whole message", file.display(), framer.pending());
    }
    Ok(bad)
}
