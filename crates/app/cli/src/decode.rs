//! `pilotctl decode`: files of BMP to JSON.

use crate::exit::{Context, Ended, Failure, Outcome};
use bmp::{Codec, Framer};
use clap::ValueEnum;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::PathBuf;

/// Arguments of `decode`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: pilotctl decode bmp router.bmp | head")]
pub struct Arguments {
    /// Format.
    #[arg(value_enum)]
    format: Format,
    /// Files; `-` is standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The sender's own AS, for repairs that need it.
    #[arg(long, value_name = "ASN")]
    own_as: Option<u32>,
}

/// Input formats.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// A stream of BMP messages (RFC 7854).
    Bmp,
}

/// Reads a file a piece at a time.
pub fn pieces(path: &std::path::Path, mut each: impl FnMut(&[u8]) -> Result<(), Failure>) -> Result<(), Failure> {
    let fail = |e: std::io::Error| Failure::new("PH-CLI-020", format!("cannot read {}: {e}", path.display()));
    let mut input: Box<dyn Read> =
        if path.as_os_str() == "-" { Box::new(std::io::stdin()) } else { Box::new(File::open(path).map_err(fail)?) };
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
    let Format::Bmp = arguments.format;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut bad = false;
    for file in &arguments.files {
        let mut framer = Framer::new();
        let mut codec = Codec::new(arguments.own_as.map(bgp::Asn));
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
                if writeln!(out, "{line}").is_err() {
                    // the reader of the pipe has seen enough
                    return Err(Failure::new("PH-CLI-022", "output was closed"));
                }
            }
            Ok(())
        })?;
        if framer.pending() > 0 {
            bad = true;
            eprintln!("PH-CLI-023 {}: the last {} bytes are no whole message", file.display(), framer.pending());
        }
    }
    Ok(if bad { Outcome::Partly } else { Outcome::Done })
}
