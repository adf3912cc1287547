//! `pilotctl bench replay`: the engine over captures, against the clock that they were recorded by and against reading them alone.

use crate::exit::{Context, Ended, Failure, Outcome};
use pilot::Input;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Runs of each measurement; the median counts, because other programs share the machine.
const ROUNDS: usize = 3;

/// Arguments of `bench replay`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: pilotctl bench replay night.capture\nA scenario leaves one: pilotctl lab scenario degrade --headless")]
pub struct Arguments {
    /// Captures.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// Figures of one capture.
#[derive(Debug, Serialize)]
struct Row {
    file: String,
    inputs: u64,
    /// From its first input to its last.
    recorded_s: f64,
    replay_s: f64,
    /// Recorded time against the time of the replay.
    times_real_time: f64,
    /// The reference: reading, unpacking and decoding the same inputs, without an engine.
    read_s: f64,
    /// Replay against the reference; 1 would be an engine that costs nothing.
    ratio: f64,
    state_hash: String,
}

/// Runs `bench replay`.
pub fn run(context: &Context, arguments: &Arguments) -> Ended {
    if cfg!(debug_assertions) {
        eprintln!("this is a build without optimisation; its figures say little: cargo build --release --package cli");
    }
    let mut rows = Vec::new();
    for file in &arguments.files {
        rows.push(measure(file)?);
    }
    if context.json {
        crate::engine::print_json(&rows);
        return Ok(Outcome::Done);
    }
    println!("{}", super::machine());
    for r in &rows {
        println!(
            "{}: {} inputs of {:.1} s in {:.2} s, {:.0} × real time; reading alone {:.2} s, {:.1} × that; state {}",
            r.file, r.inputs, r.recorded_s, r.replay_s, r.times_real_time, r.read_s, r.ratio, r.state_hash
        );
    }
    Ok(Outcome::Done)
}

fn measure(file: &Path) -> Result<Row, Failure> {
    let unusable = |e: capture::CaptureError| Failure::from_error("", &e);
    let (mut replays, mut reads) = (Vec::new(), Vec::new());
    let (mut state_hash, mut inputs, mut recorded_s) = (None, 0, 0.0);
    for _ in 0..ROUNDS {
        // in turn, so that another program's load hits both
        let begun = Instant::now();
        let (mut first, mut last) = (None, None);
        inputs = 0;
        for entry in capture::Reader::<Input>::open(file).map_err(unusable)? {
            let entry = entry.map_err(unusable)?;
            first = first.or(Some(entry.at));
            last = Some(entry.at);
            inputs += 1;
            std::hint::black_box(&entry.body);
        }
        reads.push(begun.elapsed().as_secs_f64());
        recorded_s = first.zip(last).map_or(0.0, |(a, b)| b.since(a).as_secs_f64());
        let begun = Instant::now();
        let hash = capture::Replay::run(file, None, |_| {}).map_err(unusable)?.state_hash().to_string();
        replays.push(begun.elapsed().as_secs_f64());
        if state_hash.replace(hash.clone()).is_some_and(|before| before != hash) {
            return Err(Failure::new("PH-CLI-072", format!("two replays of {} ended in different states; report it", file.display())));
        }
    }
    let (replay_s, read_s) = (super::median(replays), super::median(reads));
    Ok(Row {
        file: file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned(),
        inputs,
        recorded_s,
        replay_s,
        times_real_time: recorded_s / replay_s,
        read_s,
        ratio: replay_s / read_s,
        state_hash: state_hash.unwrap_or_default(),
    })
}
