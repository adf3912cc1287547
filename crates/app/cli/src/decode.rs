//! `pilotctl decode` and `rib`: files of BMP to JSON, and to tables.

mod gnmi;

use crate::exit::{Context, Ended, Failure, Outcome};
use bmp::{Codec, Framer};
use clap::ValueEnum;
use network::{BmpEvent, Observation};
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::PathBuf;
use units::Timestamp;

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
    /// gNMI telemetry: protobuf's JSON of SubscribeResponse, GetResponse or Notification, or what gnmic prints.
    Gnmi,
}

/// Arguments of `rib`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: pilotctl rib router.bmp --summary")]
pub struct RibArguments {
    /// Stream of BMP messages; `-` is standard input.
    file: PathBuf,
    /// Counts per peer and view.
    #[arg(long)]
    summary: bool,
    /// Only this prefix.
    #[arg(long)]
    prefix: Option<bgp::Prefix>,
    /// The sender's own AS.
    #[arg(long, value_name = "ASN", default_value_t = 0)]
    own_as: u32,
}

/// Reads a file a piece at a time.
fn pieces(path: &std::path::Path, mut each: impl FnMut(&[u8]) -> Result<(), Failure>) -> Result<(), Failure> {
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
    if matches!(arguments.format, Format::Gnmi) {
        return gnmi::decode(&arguments.files);
    }
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

/// Runs `rib`.
pub fn rib(context: &Context, arguments: &RibArguments) -> Ended {
    let device = action::DeviceId::new("router");
    let mut network = network::Network::new(crate::collect::bare_inventory(&device, arguments.own_as));
    let mut framer = Framer::new();
    let mut at = 0;
    let mut take = |event: BmpEvent| {
        at += 1;
        network.observe(&Observation::Bmp { device: device.clone(), event }, Timestamp::from_millis(at));
    };
    take(BmpEvent::Connected);
    pieces(&arguments.file, |bytes| {
        framer.push(bytes);
        while let Some(frame) = framer.next() {
            let frame = frame.map_err(|e| Failure::new("PH-CLI-021", e.to_string()))?;
            take(BmpEvent::Message { bytes: frame.bytes });
        }
        Ok(())
    })?;
    let Some(state) = network.devices.get(&device) else { return Ok(Outcome::No) };
    for ((peer, view), table) in &state.adj_ribs {
        if arguments.summary {
            let row = serde_json::json!({"peer": peer, "view": view, "routes": table.len()});
            if context.json {
                println!("{row}")
            } else {
                println!("{peer} {view:?} {} routes", table.len())
            }
            continue;
        }
        for (prefix, attributes) in table.iter().filter(|(p, _)| arguments.prefix.is_none_or(|w| w == **p)) {
            println!("{}", serde_json::json!({"peer": peer, "view": view, "prefix": prefix, "attributes": **attributes}));
        }
    }
    for (name, repair) in &state.repairs {
        eprintln!("repaired {name} × {}", repair.count);
    }
    Ok(if state.malformed > 0 { Outcome::Partly } else { Outcome::Done })
}
