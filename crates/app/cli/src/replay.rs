//! `pilotctl replay` and `capture`: the ordered log, offline.

use crate::exit::{Context, Ended, Failure, Outcome};
use clap::Subcommand;
use pilot::{Effect, Input, JobId, Pilot, SimulationAnswer};
use std::collections::BTreeMap;
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
    /// Reads it to the end; exit status 1 when it is damaged.
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
    let unusable = |e: capture::CaptureError| Failure::from_error("", &e);
    let mut reader = capture::Reader::<Input>::open(&arguments.file).map_err(unusable)?;
    let mut run = Replay::default();
    for entry in &mut reader {
        let entry = entry.map_err(unusable)?;
        if arguments.until.is_some_and(|ns| entry.at.nanos() >= ns) {
            break;
        }
        for event in run.take(entry) {
            if arguments.decisions {
                println!("{}", serde_json::to_string(&event).map_err(|e| Failure::from_error("PH-CLI-006", &e))?);
            }
        }
    }
    if reader.lost_tail() > 0 {
        eprintln!("the last {} bytes are no whole frame: what they held was never acknowledged", reader.lost_tail());
    }
    if arguments.state {
        crate::engine::print_json(run.pilot.state());
    }
    let hash = run.pilot.state_hash();
    if context.json {
        println!("{}", serde_json::json!({"inputs": run.inputs, "state": hash, "diverged": run.diverged}));
    } else {
        println!("{} inputs, state {hash}", run.inputs);
        run.diverged.iter().for_each(|d| println!("diverged: {d}"));
    }
    Ok(if run.diverged.is_empty() { Outcome::Done } else { Outcome::No })
}

/// The pilot over a log. Nothing is carried out; simulations are computed again and compared with what the log says.
#[derive(Default)]
struct Replay {
    pilot: Pilot,
    inputs: u64,
    answers: BTreeMap<JobId, SimulationAnswer>,
    diverged: Vec<String>,
}

impl Replay {
    fn take(&mut self, entry: capture::Entry<Input>) -> Vec<pilot::Event> {
        self.inputs += 1;
        if let Input::Simulated { job, answer } = &entry.body {
            match self.answers.remove(job) {
                Some(again) if again == **answer => {}
                Some(_) => self.diverged.push(format!("input {}: simulation {} gives another answer than it gave then", entry.seq, job.0)),
                None => self.diverged.push(format!("input {}: simulation {} was not asked for", entry.seq, job.0)),
            }
        }
        let mut events = Vec::new();
        for effect in self.pilot.handle(entry.seq, entry.at, entry.body) {
            match effect {
                Effect::Publish(event) => events.push(event),
                Effect::Simulate(job) => drop(self.answers.insert(job.id, pilot::simulate(&job))),
                _ => {}
            }
        }
        events
    }
}
