//! `pilotctl replay` and `capture`: the ordered log, offline.

use crate::exit::{Context, Ended, Failure, Outcome};
use clap::Subcommand;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Arguments of `replay`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples: pilotctl replay night.capture --decisions\n          pilotctl replay night.capture --from input:58200 --decisions"
)]
pub struct Arguments {
    /// The capture.
    file: PathBuf,
    /// Print every event, one JSON object a line.
    #[arg(long)]
    decisions: bool,
    /// Print the state at the end.
    #[arg(long)]
    state: bool,
    /// Stop before the first input received at or after this time (RFC 3339, or nanoseconds since 1970), or before the input with this number.
    #[arg(long, value_name = "TIME|input:N", value_parser = moment_of)]
    until: Option<capture::Moment>,
    /// Tell only what happens from there on. What stands before it is not played where the capture keeps a state to begin with.
    #[arg(long, value_name = "TIME|input:N", value_parser = moment_of)]
    from: Option<capture::Moment>,
    /// As fast as it goes (`max`), or so many times real time.
    #[arg(long, value_name = "max|N", default_value = "max", value_parser = speed_of)]
    speed: Speed,
}

/// How fast a capture is played.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Speed {
    Max,
    Times(f64),
}

fn speed_of(text: &str) -> Result<Speed, String> {
    match text {
        "max" => Ok(Speed::Max),
        _ => match text.parse::<f64>() {
            Ok(times) if times.is_finite() && (0.01..=10_000.0).contains(&times) => Ok(Speed::Times(times)),
            _ => Err("max, or a number from 0.01 to 10000".to_owned()),
        },
    }
}

/// Waits until an input is due.
struct Pace {
    speed: Speed,
    begun: Option<(std::time::Instant, units::Timestamp)>,
}

impl Pace {
    fn wait(&mut self, at: units::Timestamp) {
        let Speed::Times(times) = self.speed else { return };
        let (moment, first) = *self.begun.get_or_insert((std::time::Instant::now(), at));
        let due = moment + std::time::Duration::from_secs_f64(at.since(first).as_secs_f64() / times);
        std::thread::sleep(due.saturating_duration_since(std::time::Instant::now()));
    }
}

/// Arguments of `capture`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: pilotctl capture info night.capture")]
pub struct CaptureArguments {
    #[command(subcommand)]
    verb: CaptureVerb,
}

#[derive(Debug, Subcommand)]
enum CaptureVerb {
    /// What it holds, by its index: only a damaged one, or one of format 1, is read through.
    Info {
        /// The capture.
        file: PathBuf,
    },
    /// Reads it to the end, the states kept on the way too; exit status 1 when it is damaged, 3 when its last frame is unfinished.
    Verify {
        /// The capture.
        file: PathBuf,
    },
    /// Its inputs in a form that other programs read.
    Export {
        /// The capture.
        file: PathBuf,
        /// Form: every input as one JSON object a line, or of one router its BMP stream as it came, or what its peers sent it as MRT.
        #[arg(long = "as", value_enum, default_value = "json-lines")]
        form: Form,
        /// The router whose BMP stream is wanted, with --as bmp and --as mrt.
        #[arg(long, value_name = "DEVICE", required_if_eq_any([("form", "bmp"), ("form", "mrt")]))]
        device: Option<String>,
        /// The view that is written, with --as mrt: MRT cannot tell them apart. Without it adj_rib_in_pre.
        #[arg(long, value_parser = crate::tables::view_of)]
        view: Option<bmp::View>,
    },
    /// Writes a copy without descriptions, without what routers say of themselves and how they are logged in to, to send to somebody else; a
    /// router that goes by its own name goes by a number there. Names of providers and of operators stay: what was decided is told in them.
    Redact {
        /// The capture.
        file: PathBuf,
        /// The copy; a file that exists is refused.
        copy: PathBuf,
    },
}

/// What a capture is exported as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// One JSON object a line.
    JsonLines,
    /// BMP messages (RFC 7854), one after the other; sessions follow each other without a mark.
    Bmp,
    /// BGP messages and state changes (RFC 6396 §4.4), as route collectors write them: the global instance, one view, the router's own bytes
    /// without correction.
    Mrt,
}

/// Runs `capture`.
pub fn capture(context: &Context, arguments: &CaptureArguments) -> Ended {
    let unusable = |e: capture::CaptureError| Failure::from_error("", &e);
    match &arguments.verb {
        CaptureVerb::Info { file } => {
            let info = capture::info(file).map_err(unusable)?;
            if context.json {
                crate::engine::print_json(&info);
            } else {
                let (first, last) = info.time.clone().unwrap_or_default();
                let about = &info.about;
                let site = about.site.as_deref().map(|s| format!(", site {s}")).unwrap_or_default();
                println!("made by {} {}, inputs of shape {}{site}{}", about.program, about.version, about.schema, redacted(about));
                let (one, other) = info.seq.unwrap_or_default();
                println!("{} inputs, numbers {one} to {other}, from {first} to {last}", info.records);
                println!("{} states kept on the way, where a replay can begin", info.states);
                let checked = if info.read_whole.is_some() { "" } else { ", as it says; `capture verify` works it out" };
                println!("digest {}{checked}", info.digest);
                println!("unfinished bytes at the end: {}; {}", info.lost_tail_bytes, ended(&info));
                match &info.read_whole {
                    Some(why) => println!("read through, {} bytes: {why}", info.bytes),
                    None => println!("{} of {} bytes were read", info.read_bytes, info.bytes),
                }
            }
            Ok(Outcome::Done)
        }
        CaptureVerb::Verify { file } => verify(context, file),
        CaptureVerb::Export { form, view: Some(_), .. } if *form != Form::Mrt => {
            Err(Failure::new("PH-CLI-082", "--view says what --as mrt writes; the other forms hold every view"))
        }
        CaptureVerb::Export { form: Form::JsonLines, device: Some(_), .. } => Err(Failure::new(
            "PH-CLI-082",
            "--device goes with --as bmp and --as mrt; as JSON the inputs of all are told, each with its device",
        )),
        CaptureVerb::Export { file, form: Form::JsonLines, .. } => {
            let mut reader = capture::Reader::<serde_json::Value>::open(file).map_err(unusable)?;
            for entry in reader.by_ref() {
                let entry = entry.map_err(unusable)?;
                println!("{}", serde_json::json!({"seq": entry.seq, "at": entry.at.to_string(), "body": entry.body}));
            }
            Ok(whole(reader.lost_tail()))
        }
        CaptureVerb::Export { file, form, device, view } => {
            let writer = (*form == Form::Mrt).then(|| archive::mrt::Writer::new(view.unwrap_or(bmp::View::AdjRibInPre)));
            export_router(file, device.as_deref().unwrap_or_default(), writer)
        }
        CaptureVerb::Redact { file, copy } => redact(context, file, copy),
    }
}

/// Reads a capture to its end and says whether it is whole.
fn verify(context: &Context, file: &Path) -> Ended {
    let (text, told, outcome) = match capture::verify(file) {
        Ok(info) => {
            let cut = info.lost_tail_bytes > 0;
            let (verdict, end) =
                if cut { ("cut_short", capture::cut_short(info.lost_tail_bytes)) } else { ("intact", ended(&info).to_owned()) };
            let what = if cut { "intact up to" } else { "intact:" };
            let text = format!("{what} {} inputs, digest {}; {end}", info.records, info.digest);
            let told = serde_json::json!({"verdict": verdict, "inputs": info.records, "digest": info.digest,
                "lost_tail_bytes": info.lost_tail_bytes, "finished": info.finished});
            (text, told, if cut { Outcome::Partly } else { Outcome::Done })
        }
        Err(error @ capture::CaptureError::Damaged { .. }) => {
            let text = error.to_string();
            let told = serde_json::json!({"verdict": "damaged", "error": text});
            (text, told, Outcome::No)
        }
        Err(error) => return Err(Failure::from_error("", &error)),
    };
    if context.json {
        crate::engine::print_json(&told);
    } else {
        println!("{text}");
    }
    Ok(outcome)
}

fn redacted(about: &capture::About) -> &'static str {
    if about.redacted { ", redacted" } else { "" }
}

/// Says how the file ends.
const fn ended(info: &capture::Info) -> &'static str {
    if info.finished {
        "closed in order"
    } else {
        "no end mark: still being written, its program was stopped, or later frames were cut off"
    }
}

/// Reads a place in a capture as operators write it.
fn moment_of(text: &str) -> Result<capture::Moment, String> {
    if let Some(number) = text.strip_prefix("input:") {
        return number.parse().map(capture::Moment::Input).map_err(|_| format!("{number:?} is no number of an input: input:58200"));
    }
    let told = text.parse::<i64>().ok().map(units::Timestamp::from_nanos).or_else(|| units::Timestamp::parse(text));
    told.map(capture::Moment::Time)
        .ok_or_else(|| "no time: 2026-08-12T10:15:00Z, or nanoseconds since 1970; a number of an input is written input:58200".to_owned())
}

/// Writes the BMP messages of a router to standard output, or the MRT that `mrt` makes of them.
fn export_router(file: &Path, device: &str, mut mrt: Option<archive::mrt::Writer>) -> Ended {
    use network::{BmpEvent, Observation};
    let unusable = |e: capture::CaptureError| Failure::from_error("", &e);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let (mut found, mut seen) = (0u64, std::collections::BTreeSet::new());
    let mut reader = capture::Reader::<pilot::Input>::open(file).map_err(unusable)?;
    for entry in reader.by_ref() {
        let entry = entry.map_err(unusable)?;
        let pilot::Input::Observed { observation: Observation::Bmp { device: from, event } } = entry.body else { continue };
        if from.as_str() != device {
            seen.insert(from.to_string());
            continue;
        }
        let written = match (event, &mut mrt) {
            (BmpEvent::Message { bytes }, Some(mrt)) => mrt.records_of(&bytes, entry.at.nanos()),
            (BmpEvent::Message { bytes }, None) => bytes,
            (BmpEvent::Connected | BmpEvent::Closed { .. }, Some(mrt)) => {
                mrt.session_ended();
                continue;
            }
            (BmpEvent::Connected | BmpEvent::Closed { .. }, None) => continue,
        };
        found += 1;
        out.write_all(&written).map_err(|e| Failure::from_error("PH-CLI-067", &e))?;
    }
    out.flush().map_err(|e| Failure::from_error("PH-CLI-067", &e))?;
    if found == 0 {
        let others = if seen.is_empty() { "no router".to_owned() } else { seen.into_iter().collect::<Vec<_>>().join(", ") };
        let what = format!("{} holds no BMP of {device}; it holds BMP of: {others}", file.display());
        return Err(Failure::new("PH-CLI-026", what));
    }
    if let Some(mrt) = mrt {
        let left: Vec<String> = mrt.left_out().iter().map(|(why, n)| format!("{n} {why}")).collect();
        eprintln!(
            "{} records of {found} BMP messages{}",
            mrt.records(),
            if left.is_empty() { String::new() } else { format!("; of these have no place in MRT: {}", left.join(", ")) }
        );
    }
    Ok(whole(reader.lost_tail()))
}

/// Says so where the end of a capture is cut off.
fn whole(lost_tail: u64) -> Outcome {
    if lost_tail == 0 {
        return Outcome::Done;
    }
    eprintln!("{}", capture::cut_short(lost_tail));
    Outcome::Partly
}

/// Copies a capture without the texts that people wrote and without what routers call themselves.
fn redact(context: &Context, file: &Path, copy: &Path) -> Ended {
    crate::exit::folder_of(copy)?;
    let was_there = copy.exists();
    let done = capture::copy_redacted(file, copy).map_err(|e| {
        let kept = if !was_there && copy.exists() { format!("; {} holds what came before it", copy.display()) } else { String::new() };
        Failure::new("", format!("{}{kept}", runtime::chain(&e)))
    })?;
    let (inputs, texts, names) = (done.inputs, done.texts, done.names);
    if context.json {
        let told = serde_json::json!({"copy": copy.display().to_string(), "inputs": inputs, "texts_replaced": texts, "names_replaced": names,
            "lost_tail_bytes": done.lost_tail_bytes});
        crate::engine::print_json(&told);
    } else {
        println!("{inputs} inputs copied to {}, {texts} texts and {names} names of routers replaced", copy.display());
    }
    Ok(whole(done.lost_tail_bytes))
}

/// Refuses a place from which on there is nothing to tell.
fn stands_before_the_end(file: &Path, from: capture::Moment) -> Result<(), Failure> {
    let info = capture::info(file).map_err(|e| Failure::from_error("", &e))?;
    let last = info.time.as_ref().and_then(|(_, last)| units::Timestamp::parse(last));
    let behind = info.seq.zip(last).is_none_or(|((_, seq), at)| from.is_behind(seq, at));
    if !behind {
        return Ok(());
    }
    let end = match (&info.seq, &info.time) {
        (Some((_, seq)), Some((_, time))) => format!("ends with input {seq} at {time}"),
        _ => "holds no input".to_owned(),
    };
    Err(Failure::new("PH-CLI-084", format!("nothing is left to tell from there on: {} {end}", file.display())))
}

/// Runs `replay`.
pub fn replay(context: &Context, arguments: &Arguments) -> Ended {
    if let Some(from) = arguments.from {
        stands_before_the_end(&arguments.file, from)?;
    }
    let mut unwritten = None;
    let mut pace = Pace { speed: arguments.speed, begun: None };
    let replay = capture::Replay::run_paced(
        &arguments.file,
        arguments.from,
        arguments.until,
        |at| pace.wait(at),
        |event| {
            if arguments.decisions {
                match serde_json::to_string(event) {
                    Ok(line) => println!("{line}"),
                    Err(error) => unwritten = Some(error),
                }
            }
        },
    )
    .map_err(|e| Failure::from_error("", &e))?;
    if let Some(error) = unwritten {
        return Err(Failure::from_error("PH-CLI-006", &error));
    }
    if replay.lost_tail() > 0 {
        eprintln!("{}", capture::cut_short(replay.lost_tail()));
    }
    if let Some(why) = replay.remark() {
        eprintln!("played from the first input: {why}");
    } else if replay.skipped() > 0 {
        eprintln!(
            "begins with the state kept behind {} inputs, which were not played; {} bytes read",
            replay.skipped(),
            replay.read_bytes()
        );
    }
    if arguments.state {
        crate::engine::print_json(replay.state());
    }
    let diverged = replay.diverged();
    // behind JSON there is JSON
    if context.json || arguments.decisions || arguments.state {
        println!("{}", replay.ending());
    } else {
        println!("{} inputs, state {}", replay.inputs() - replay.skipped(), replay.state_hash());
        diverged.iter().for_each(|d| println!("diverged: {d}"));
    }
    Ok(match (diverged.is_empty(), replay.lost_tail()) {
        (false, _) => Outcome::No,
        (true, 0) => Outcome::Done,
        (true, _) => Outcome::Partly,
    })
}
