//! `pilotctl import`: what a file of others holds, what reading it would leave out, and the verb that reads it; its BMP as a capture; and
//! the same from a topic of Kafka.

use crate::exit::{Context, Ended, Failure, Outcome};
use archive::open::Watch;
use archive::open_bmp;
use archive::recognise::{Found, LOOK_BYTES, recognise};
use runtime::{ImportInto, Imported};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Kinds and speakers named in text; JSON has all.
const NAMED: usize = 12;

/// Arguments of `import`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples: pilotctl import updates.20020722.2238.gz\n          pilotctl import routers.pcap --capture routers.capture\n          pilotctl import --kafka 127.0.0.1:9092 --capture routers.capture\n          pilotctl import --kafka 127.0.0.1:9092 --topics night.jsonl"
)]
pub struct Arguments {
    /// Files; `-` is standard input.
    #[arg(required_unless_present = "kafka")]
    files: Vec<PathBuf>,
    /// Write the BMP of the file (alone, from OpenBMP, or in a packet capture) as this capture, which `replay` plays.
    #[arg(long, value_name = "NEW", group = "into")]
    capture: Option<PathBuf>,
    /// Instead of a file: BMP as OpenBMP's collector hands it to this Kafka broker, all that the topic holds now.
    #[arg(long, value_name = "HOST:PORT", requires = "into", conflicts_with = "files")]
    kafka: Option<String>,
    /// From Kafka: our own topics, as `serve --kafka` sent them, all that the broker holds now, into this file; `events --file` reads it. They
    /// tell of telemetry and do not hold it: what replays is a capture.
    #[arg(long, value_name = "NEW", requires = "kafka", conflicts_with = "topic", group = "into")]
    topics: Option<PathBuf>,
    /// The topic.
    #[arg(long, value_name = "NAME", default_value = "openbmp.bmp_raw", requires = "kafka")]
    topic: String,
}

/// Runs `import`.
pub fn import(context: &Context, arguments: &Arguments) -> Ended {
    if let (Some(broker), Some(file)) = (&arguments.kafka, &arguments.topics) {
        return topics_of(context, broker, file);
    }
    if let Some(capture) = &arguments.capture {
        crate::exit::folder_of(capture)?;
        return match (&arguments.kafka, arguments.files.as_slice()) {
            (Some(broker), _) => from_kafka(context, broker, &arguments.topic, capture),
            (None, [file]) => into_capture(context, file, capture),
            _ => Err(Failure::new("PH-CLI-056", "one file becomes one capture; give one, or leave out --capture")),
        };
    }
    let (mut read, mut bad) = (0, false);
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
            bad = true;
        } else {
            read += 1;
            bad |= !found.left_out.is_empty();
        }
    }
    Ok(match (read, bad) {
        (0, _) => Outcome::Unusable,
        (_, true) => Outcome::Partly,
        (_, false) => Outcome::Done,
    })
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
    let spool = folder.join(format!(".{}.{}.obmp", capture.file_name().unwrap_or_default().display(), std::process::id()));
    let file = std::fs::File::options().write(true).create_new(true).open(&spool).map_err(unusable)?;
    let _gone = Spool(Some(spool.clone()));
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
    let done = runtime::import(&spool, ImportInto::File(capture), &Watch::default()).map_err(|e| Failure::from_error("", &e))?;
    tell(context, &done);
    if others > 0 {
        eprintln!("left out: {others} records that are no BMP as OpenBMP hands it on");
    }
    Ok(if done.left_out.is_empty() && others == 0 { Outcome::Done } else { Outcome::Partly })
}

/// Writes our own topics to a file.
fn topics_of(context: &Context, broker: &str, file: &Path) -> Ended {
    crate::exit::folder_of(file)?;
    let unusable = |e: std::io::Error| Failure::new("PH-CLI-058", format!("{}: {e}", file.display()));
    let out = std::fs::File::options().write(true).create_new(true).open(file).map_err(unusable)?;
    let mut unfinished = Spool(Some(file.to_owned()));
    let (mut out, mut others) = (std::io::BufWriter::new(out), 0_u64);
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let keep = |record: export::Imported| {
        if crate::topics::keep(&record, &mut out)? {
            *counts.entry(record.topic).or_default() += 1;
        } else {
            others += 1;
        }
        Ok(())
    };
    let failed = |e: export::ExportError| Failure::from_error("", &e);
    let (there, _) = crate::engine::blocking(async {
        let there = export::topics_at(broker).await.map_err(failed)?;
        let read = export::import(broker, &there, keep).await.map_err(failed)?;
        Ok((there, read))
    })?;
    out.flush().map_err(unusable)?;
    if counts.is_empty() {
        let what = format!("the broker at {broker} holds no message of ours; `serve --kafka` sends them");
        return Err(Failure::new("PH-CLI-078", what));
    }
    unfinished.0 = None;
    let missing: Vec<&str> = bus::TOPICS.into_iter().filter(|t| !there.contains(t)).collect();
    if context.json {
        crate::engine::print_json(&json!({"file": file, "messages": counts, "missing": missing, "left_out": others}));
    } else {
        println!("{}: {} messages", file.display(), counts.values().sum::<u64>());
        counts.iter().for_each(|(topic, n)| println!("  {topic:20} {n}"));
        println!("  next      pilotctl events --file {0} --past, or --topic NAME", file.display());
    }
    if others > 0 {
        eprintln!("left out: {others} records that are none of ours");
    }
    missing.iter().for_each(|topic| eprintln!("the broker has no topic {topic}"));
    Ok(if others == 0 && missing.is_empty() { Outcome::Done } else { Outcome::Partly })
}

/// A file that goes when it is no longer needed.
struct Spool(Option<PathBuf>);

impl Drop for Spool {
    fn drop(&mut self) {
        // one that cannot be removed is seen beside the capture
        let _ = self.0.take().map(std::fs::remove_file);
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
