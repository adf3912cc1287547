//! `pilotctl import`: what a file of others holds, what reading it would leave out, and the verb that reads it.

use crate::exit::{Context, Ended, Failure, Outcome};
use archive::recognise::{Format, Found, LOOK_BYTES, recognise};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Kinds and speakers named in text; JSON has all.
const NAMED: usize = 12;

/// Arguments of `import`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: pilotctl import updates.20020722.2238.gz")]
pub struct Arguments {
    /// Files; `-` is standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// Runs `import`.
pub fn import(context: &Context, arguments: &Arguments) -> Ended {
    let mut ended = Outcome::Done;
    for file in &arguments.files {
        let input = archive::open::open(file).map_err(|e| Failure::from_error("PH-CLI-020", &e))?;
        let found = recognise(input, LOOK_BYTES)
            .map_err(|e| Failure::new("PH-CLI-050", format!("{}: its first bytes cannot be read: {e}", file.display())))?;
        let next = next_verb(&found, file);
        if context.json {
            println!("{}", json!({"file": file, "found": found, "next": next}));
        } else {
            print(file, &found, next.as_deref());
        }
        if next.is_none() {
            eprintln!("PH-CLI-051 {}: nothing here reads this file", file.display());
            ended = Outcome::No;
        } else if !found.left_out.is_empty() && ended == Outcome::Done {
            ended = Outcome::Partly;
        }
    }
    Ok(ended)
}

const fn name(format: Format) -> &'static str {
    match format {
        Format::Bmp => "a stream of BMP messages",
        Format::OpenBmp => "BMP in the headers of OpenBMP",
        Format::Mrt => "MRT of a route collector",
        Format::Pcap => "a packet capture, pcap",
        Format::PcapNg => "a packet capture, pcapng",
        Format::Gnmi => "gNMI telemetry",
        Format::Capture => "a capture of Pilothouse",
        Format::Empty => "an empty file",
        Format::Unknown => "not known",
    }
}

/// The command that reads it; `None` where none does.
fn next_verb(found: &Found, file: &Path) -> Option<String> {
    let verb = match found.format {
        Format::Bmp => "rib",
        Format::OpenBmp => "decode bmp",
        Format::Mrt => "decode mrt",
        Format::Pcap | Format::PcapNg => "decode pcap",
        Format::Gnmi if found.left_out.is_empty() => "decode gnmi",
        Format::Capture => "replay",
        Format::Gnmi | Format::Empty | Format::Unknown => return None,
    };
    Some(format!("pilotctl {verb} {}", file.display()))
}

fn print(file: &Path, found: &Found, next: Option<&str>) {
    let detail = found.detail.as_ref().map(|d| format!(", {d}")).unwrap_or_default();
    println!("{}: {}{detail}", file.display(), name(found.format));
    let list = |title: &str, all: Vec<String>, more: u64| {
        if !all.is_empty() {
            let more = more + all.len().saturating_sub(NAMED) as u64;
            let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
            println!("  {title:9} {}{rest}", all.into_iter().take(NAMED).collect::<Vec<_>>().join(", "));
        }
    };
    list("holds", found.kinds.iter().map(|(kind, n)| format!("{n} {kind}")).collect(), 0);
    list("from", found.speakers.iter().cloned().collect(), found.more_speakers);
    if let Some((first, last)) = found.span {
        println!("  {:9} {} to {}", "time", bmp::json::rfc3339(first), bmp::json::rfc3339(last));
    }
    if !found.whole {
        println!("  {:9} the first {} MiB were looked at", "looked", LOOK_BYTES >> 20);
    }
    for what in &found.left_out {
        println!("  {:9} {what}", "left out");
    }
    if let Some(next) = next {
        println!("  {:9} {next}", "next");
    }
}
