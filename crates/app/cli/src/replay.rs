//! `pilotctl replay` and `capture`: the ordered log, offline.

use crate::exit::{Context, Ended, Failure, Outcome};
use clap::Subcommand;
use std::path::PathBuf;

/// Arguments of `replay`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: pilotctl replay night.capture --decisions")]
pub struct Arguments {
    /// The capture.
    file: PathBuf,
    /// Print every event, one JSON object a line.
    #[arg(long)]
    decisions: bool,
    /// Print the state at the end.
    #[arg(long)]
    state: bool,
    /// Stop before the first input received at or after this time, nanoseconds since 1970.
    #[arg(long, value_name = "NS")]
    until: Option<i64>,
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
    /// What it holds.
    Info {
        /// The capture.
        file: PathBuf,
    },
    /// Reads it to the end; exit status 1 when it is damaged, 3 when its last frame is unfinished.
    Verify {
        /// The capture.
        file: PathBuf,
    },
    /// Every input as one JSON object a line.
    Export {
        /// The capture.
        file: PathBuf,
    },
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
                println!(
                    "{} inputs from {first} to {last}\ndigest {}\nunfinished bytes at the end: {}",
                    info.records, info.digest, info.lost_tail_bytes
                );
            }
            Ok(Outcome::Done)
        }
        CaptureVerb::Verify { file } => match capture::info(file) {
            Ok(info) if info.lost_tail_bytes > 0 => {
                println!("intact up to {} inputs, digest {}; {}", info.records, info.digest, capture::cut_short(info.lost_tail_bytes));
                Ok(Outcome::Partly)
            }
            Ok(info) => {
                println!("intact: {} inputs, digest {}", info.records, info.digest);
                Ok(Outcome::Done)
            }
            Err(error @ capture::CaptureError::Damaged { .. }) => {
                println!("{error}");
                Ok(Outcome::No)
            }
            Err(error) => Err(unusable(error)),
        },
        CaptureVerb::Export { file } => {
            for entry in capture::Reader::<serde_json::Value>::open(file).map_err(unusable)? {
                let entry = entry.map_err(unusable)?;
                println!("{}", serde_json::json!({"seq": entry.seq, "at": entry.at.to_string(), "body": entry.body}));
            }
            Ok(Outcome::Done)
        }
    }
}

/// Runs `replay`.
pub fn replay(context: &Context, arguments: &Arguments) -> Ended {
    let mut unwritten = None;
    let until = arguments.until.map(units::Timestamp::from_nanos);
    let replay = capture::Replay::run(&arguments.file, until, |event| {
        if arguments.decisions {
            match serde_json::to_string(event) {
                Ok(line) => println!("{line}"),
                Err(error) => unwritten = Some(error),
            }
        }
    })
    .map_err(|e| Failure::from_error("", &e))?;
    if let Some(error) = unwritten {
        return Err(Failure::from_error("PH-CLI-006", &error));
    }
    if replay.lost_tail() > 0 {
        eprintln!("{}", capture::cut_short(replay.lost_tail()));
    }
    if arguments.state {
        crate::engine::print_json(replay.state());
    }
    let (inputs, hash, diverged) = (replay.inputs(), replay.state_hash(), replay.diverged());
    if context.json {
        println!("{}", serde_json::json!({"inputs": inputs, "state": hash, "diverged": diverged}));
    } else {
        println!("{inputs} inputs, state {hash}");
        diverged.iter().for_each(|d| println!("diverged: {d}"));
    }
    Ok(if diverged.is_empty() { Outcome::Done } else { Outcome::No })
}
