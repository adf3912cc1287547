//! `pilotctl bench`: figures of this build on this machine.

mod feed;
mod flaps;
mod gnmi;
mod ingest;
mod live;
mod replay;
mod twin;

use crate::exit::{Context, Ended, Failure, Outcome};
use clap::Subcommand;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Arguments of `bench`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: pilotctl bench ui --json")]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// BMP: messages a second from a socket into the tables, against the parsing alone of others; bytes a route.
    Ingest(ingest::Arguments),
    /// gNMI: leaves a second from bytes into the picture, against their decoding alone; many targets at once.
    Gnmi(gnmi::Arguments),
    /// The twin: solving a network, and what a change or a failure would do, from a file of wires and sessions.
    Twin(twin::Arguments),
    /// Captures: how much faster than they were recorded the engine goes over them, against reading them alone.
    Replay(replay::Arguments),
    /// The window: first useful paint, processor time at rest, panning a drawing of 200 nodes. Needs the source tree, Node, WebKitWebDriver
    /// and, without a display, Xvfb.
    Ui {
        /// The desktop program; without it the one beside this program.
        #[arg(long, value_name = "PROGRAM")]
        window: Option<PathBuf>,
    },
}

/// What the window's measuring script prints.
#[derive(Debug, Serialize, Deserialize)]
struct Figures {
    first_paint_ms: Vec<u64>,
    idle_percent: f64,
    pan_ms: Pan,
}

#[derive(Debug, Serialize, Deserialize)]
struct Pan {
    nodes: u32,
    median: f64,
    p95: f64,
    near_median: f64,
    near_p95: f64,
    empty_median: f64,
    ratio: f64,
}

/// Runs `bench`.
pub fn run(context: &Context, arguments: &Arguments) -> Ended {
    match &arguments.what {
        What::Ingest(arguments) => ingest::run(context, arguments),
        What::Gnmi(arguments) => gnmi::run(context, arguments),
        What::Twin(arguments) => twin::run(context, arguments),
        What::Replay(arguments) => replay::run(context, arguments),
        What::Ui { window } => ui(context, window.as_deref()),
    }
}

fn ui(context: &Context, window: Option<&Path>) -> Ended {
    let own = std::env::current_exe().map_err(|e| Failure::from_error("PH-CLI-014", &e))?;
    let window = window.map_or_else(|| own.with_file_name("pilothouse"), Path::to_path_buf);
    if !window.exists() {
        return Err(Failure::new("PH-CLI-015", format!("{} is not built: cargo build --release --package pilothouse", window.display())));
    }
    let here = std::env::current_dir().unwrap_or_default();
    let script = own.ancestors().chain(here.ancestors()).map(|d| d.join("ui/tests/bench.mjs")).find(|s| s.exists());
    let script =
        script.ok_or_else(|| Failure::new("PH-CLI-016", "the measuring script is part of the source tree; run this in a checkout"))?;
    let mut command = if std::env::var_os("DISPLAY").is_some() {
        Command::new("node")
    } else {
        let mut command = Command::new("xvfb-run");
        command.args(["-a", "-s", "-screen 0 1280x800x24", "dbus-run-session", "--", "node"]);
        command
    };
    // without hardware GL the other renderer draws three times slower; the program chooses it itself, its driver does not
    if !std::path::Path::new("/dev/dri").exists() {
        command.env("WEBKIT_DISABLE_DMABUF_RENDERER", "1");
    }
    eprintln!("measuring {}; this takes about two minutes", window.display());
    let ran = command.arg(&script).arg(&own).arg(&window).env("NO_AT_BRIDGE", "1").stderr(Stdio::inherit()).output();
    let ran = ran.map_err(|e| Failure::from_error("PH-CLI-017", &e))?;
    // services that the desktop starts print on the same stream
    let said = ran.stdout.split(|b| *b == b'\n').find(|line| line.starts_with(b"{")).unwrap_or_default();
    let figures: Figures = serde_json::from_slice(said)
        .map_err(|e| Failure::new("PH-CLI-018", format!("the measurement gave no figures ({e}); what it said stands above")))?;
    if context.json {
        crate::engine::print_json(&figures);
    } else {
        let mut paints = figures.first_paint_ms.clone();
        paints.sort_unstable();
        let (median, worst) = (paints.get(paints.len() / 2).unwrap_or(&0), paints.last().unwrap_or(&0));
        println!("first useful paint  {median} ms, slowest of {}: {worst} ms", paints.len());
        println!("at rest             {:.2} % of one core", figures.idle_percent);
        let p = &figures.pan_ms;
        println!(
            "panning {} nodes   {:.1} ms a frame, 95 % within {:.1} ms; near, with labels {:.1} ms, 95 % within {:.1} ms; {:.2} × an empty drawing ({:.1} ms)",
            p.nodes, p.median, p.p95, p.near_median, p.near_p95, p.ratio, p.empty_median
        );
    }
    Ok(Outcome::Done)
}

/// Says what this machine is.
fn machine() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text
        .lines()
        .find_map(|l| l.strip_prefix("model name"))
        .and_then(|l| l.split_once(':'))
        .map_or("unknown processor", |(_, m)| m.trim());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{model}, {cores} cores")
}

/// Bytes of a page: `/proc/self/statm` counts in pages.
const PAGE: usize = 4096;

/// Resident bytes of this process; 0 where the system does not say.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|n| n.parse::<usize>().ok()).unwrap_or_default() * PAGE
}

/// Returns the middle one; other programs share the machine, so that a mean would be theirs too.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
