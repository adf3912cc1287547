//! `pilotctl import`: what a file of others holds, what reading it would leave out, and the verb that reads it; its BMP as a capture; and
//! the same from a topic of Kafka.

use crate::exit::{Context, Ended, Failure, Outcome};
use archive::open::Watch;
use archive::open_bmp;
use archive::recognise::{Found, LOOK_BYTES, recognise};
use runtime::{ImportInto, Imported};
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Kinds and speakers named in text; JSON has all.
const NAMED: usize = 12;

/// Arguments of `import`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples: pilotctl import updates.20020722.2238.gz\n          pilotctl import routers.pcap --capture routers.capture\n          pilotctl import --kafka 127.0.0.1:9092 --capture routers.capture"
)]
pub struct Arguments {
    /// Files; `-` is standard input.
    #[arg(required_unless_present = "kafka")]
    files: Vec<PathBuf>,
    /// Write the BMP of the file (alone, from OpenBMP, or in a packet capture) as this capture, which `replay` plays.
    #[arg(long, value_name = "NEW")]
    capture: Option<PathBuf>,
    /// Instead of a file: BMP as OpenBMP's collector hands it to this Kafka broker, all that the topic holds now.
    #[arg(long, value_name = "HOST:PORT", requires = "capture", conflicts_with = "files")]
    kafka: Option<String>,
    /// The topic.
    #[arg(long, value_name = "NAME", default_value = "openbmp.bmp_raw", requires = "kafka")]
    topic: String,
}

/// Runs `import`.
pub fn import(context: &Context, arguments: &Arguments) -> Ended {
    if let Some(capture) = &arguments.capture {
        return match (&arguments.kafka, arguments.files.as_slice()) {
            (Some(broker), _) => from_kafka(context, broker, &arguments.topic, capture),
            (None, [file]) => into_capture(context, file, capture),
            _ => Err(Failure::new("PH-CLI-056", "one file becomes one capture; give one, or leave out --capture")),
        };
    }
    let mut ended = Outcome::Done;
    for file in &arguments.files {
        let input = archive::open::open(file).map_err(|e| Failure::from_error("PH-CLI-020", &e))?;
        let found = recognise(input, LOOK_BYTES)
            .map_err(|e| Failure::new("PH-CLI-050", format!("{}: its first bytes cannot be read: {e}", file.display())))?;
        let next = found.verb().map(|verb| format!("pilotctl {verb} {}", file.display()));
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

/// Writes the BMP of a file as a capture.
fn into_capture(context: &Context, file: &Path, capture: &Path) -> Ended {
    if file.as_os_str() == "-" {
        return Err(Failure::new("PH-CLI-057", "a capture is made in two looks at a file, and standard input gives one: save it first"));
    }
    let done = runtime::import(file, ImportInto::File(capture), &Watch::default()).map_err(|e| Failure::from_error("", &e))?;
    tell(context, &done);
    Ok(if done.left_out.is_empty() { Outcome::Done } else { Outcome::Partly })
}

/// Writes what a topic holds to a file beside the capture, then that as the capture.
fn from_kafka(context: &Context, broker: &str, topic: &str, capture: &Path) -> Ended {
    let unusable = |e: std::io::Error| Failure::new("PH-CLI-058", format!("{}: {e}", capture.display()));
    let folder = capture.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let spool = Spool(folder.join(format!(".{}.{}.obmp", capture.file_name().unwrap_or_default().display(), std::process::id())));
    let file = std::fs::File::options().write(true).create_new(true).open(&spool.0).map_err(unusable)?;
    let (mut out, mut others) = (std::io::BufWriter::new(file), 0_u64);
    let keep = |value: &[u8]| {
        if value.starts_with(&open_bmp::MAGIC) {
            out.write_all(value)
        } else {
            others += 1;
            Ok(())
        }
    };
    let read = async { export::import_raw(broker, topic, keep).await.map_err(|e| Failure::from_error("", &e)) };
    let records = crate::engine::blocking(read)?;
    out.flush().map_err(unusable)?;
    if records == others {
        let what = "none is a BMP message as OpenBMP hands it on";
        return Err(Failure::new("PH-CLI-059", format!("{topic} at {broker} holds {records} records, {what}; see `events --kafka`")));
    }
    let done = runtime::import(&spool.0, ImportInto::File(capture), &Watch::default()).map_err(|e| Failure::from_error("", &e))?;
    tell(context, &done);
    if others > 0 {
        eprintln!("left out: {others} records that are no BMP as OpenBMP hands it on");
    }
    Ok(if done.left_out.is_empty() && others == 0 { Outcome::Done } else { Outcome::Partly })
}

/// A file that goes when it is no longer needed.
struct Spool(PathBuf);

impl Drop for Spool {
    fn drop(&mut self) {
        // one that cannot be removed is seen beside the capture
        let _ = std::fs::remove_file(&self.0);
    }
}

fn tell(context: &Context, done: &Imported) {
    if context.json {
        crate::engine::print_json(done);
        return;
    }
    let named = done.routers.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    println!("{}: {} messages of {} routers ({named})", done.capture.display(), done.messages, done.routers.len());
    if done.untimed {
        println!("  no message has a time: all have that of the file");
    }
    done.left_out.iter().for_each(|what| println!("  left out  {what}"));
    println!("  next      pilotctl replay {0}, or pilotctl serve --replay {0} --listen 127.0.0.1:0", done.capture.display());
}

fn print(file: &Path, found: &Found, next: Option<&str>) {
    let detail = found.detail.as_ref().map(|d| format!(", {d}")).unwrap_or_default();
    println!("{}: {}{detail}", file.display(), found.format.words());
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
