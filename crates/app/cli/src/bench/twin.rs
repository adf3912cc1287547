//! `pilotctl bench twin`: a network of a size solved, changed and solved again, and the same by a simulator that is not ours.

use crate::exit::{Context, Ended, Failure, Outcome};
use case::scale::{self, Scenario};
use case::timing::{Bench, WhatIf};
use routing::Blueprint;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Runs of each measurement; the best counts, as in the figures it is held against.
const ROUNDS: usize = 5;

/// Arguments of `bench twin`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: pilotctl bench twin --routers 100 --prefixes 1000 --distinct --json")]
pub struct Arguments {
    /// Wires, sessions and classes of announcements.
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Makes a network of so many routers inside instead, and five outside.
    #[arg(long, value_name = "N", default_value_t = 100, conflicts_with = "scenario", value_parser = clap::value_parser!(u32).range(10..=2000))]
    routers: u32,
    /// Prefixes.
    #[arg(long, default_value_t = 1000)]
    prefixes: u32,
    /// Every prefix has an announcement of its own, so that none is computed for another.
    #[arg(long)]
    distinct: bool,
    /// Measures a table of so many prefixes at each of four edges instead, as the Internet's is made: 1M, 250k, or a number.
    #[arg(long, value_name = "N", value_parser = count, conflicts_with_all = ["scenario", "distinct"])]
    table: Option<u32>,
    /// Threads; the tables are the same with any.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: u16,
    /// The simulator that is measured beside it (benches/); without it the one beside this program.
    #[arg(long, value_name = "PROGRAM")]
    reference: Option<PathBuf>,
}

/// Reads `1M`, `250k` or a number.
fn count(text: &str) -> Result<u32, String> {
    let (digits, times) = match text.strip_suffix(['M', 'm']) {
        Some(digits) => (digits, 1_000_000),
        None => text.strip_suffix(['k', 'K']).map_or((text, 1), |digits| (digits, 1_000)),
    };
    let number = digits.parse::<u32>().ok().and_then(|n| n.checked_mul(times)).filter(|n| (1..=scale::PREFIXES_MAX).contains(n));
    number.ok_or_else(|| format!("a number of prefixes from 1 to {}, as 1000000, 250k or 1M", scale::PREFIXES_MAX))
}

#[derive(Debug, Serialize)]
struct Figures {
    scenario: String,
    machine: String,
    threads: u16,
    routers: usize,
    sessions: usize,
    prefixes: u32,
    distinct: bool,
    destinations: usize,
    messages: usize,
    converge_ms: f64,
    /// The most memory that this process had, MB.
    peak_mb: f64,
    what_ifs: Vec<WhatIf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<Compared>,
}

/// What the other simulator took for the same.
#[derive(Debug, Serialize)]
struct Compared {
    program: String,
    /// Choices (router and prefix) that both made, and made alike: the exit is the same.
    equal: usize,
    converge_ms: f64,
    what_ifs: Vec<WhatIf>,
    /// How many times as long the other took, by figure.
    ratios: BTreeMap<String, f64>,
}

/// What the other simulator says.
#[derive(Debug, Deserialize)]
struct Others {
    program: String,
    converge_ms: f64,
    what_ifs: Vec<WhatIf>,
    /// By router inside and prefix: AS of the neighbour outside by which it goes; 0: not at all.
    exits: Vec<Vec<u32>>,
}

/// Runs `bench twin`.
pub fn run(context: &Context, arguments: &Arguments) -> Ended {
    if cfg!(debug_assertions) {
        eprintln!("this is a build without optimisation; its figures say little: cargo build --release --package cli");
    }
    if let Some(prefixes) = arguments.table {
        return table(context, arguments, prefixes);
    }
    let scenario = match &arguments.scenario {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|e| Failure::new("PH-CLI-062", format!("{}: {e}", path.display())))?;
            Scenario::read(&text).map_err(|e| Failure::new("PH-CLI-062", format!("{}: {e}", path.display())))?
        }
        None => Scenario::made(arguments.routers as usize),
    };
    let network = scenario.blueprint(arguments.prefixes, arguments.distinct);
    let (bench, converge_ms) = Bench::converged(&network, ROUNDS, usize::from(arguments.threads));
    let what_ifs = bench.what_ifs();
    let (routers, _, ibgp, ebgp) = scenario.size();
    let mut figures = Figures {
        scenario: scenario.name.clone(),
        machine: super::machine(),
        threads: arguments.threads,
        routers,
        sessions: ibgp + ebgp,
        prefixes: arguments.prefixes,
        distinct: arguments.distinct,
        destinations: bench.base().classes.len(),
        messages: bench.plane().messages(bench.base()),
        converge_ms,
        peak_mb: peak_mb(),
        what_ifs,
        reference: None,
    };
    match reference_program(arguments)? {
        Some(program) => figures.reference = Some(compared(&program, arguments, &scenario, &bench, &figures)?),
        None => eprintln!("the other simulator is not measured: cargo build --release --package twin-reference"),
    }
    print(context, &figures);
    Ok(Outcome::Done)
}

/// A table of the Internet's size: how long it takes to load and what LOCAL_PREF on one session would do.
fn table(context: &Context, arguments: &Arguments, prefixes: u32) -> Ended {
    let network: Blueprint = scale::full_tables(prefixes);
    let (bench, converge_ms) = Bench::converged(&network, 1, usize::from(arguments.threads));
    let figures = Figures {
        scenario: "full tables".to_owned(),
        machine: super::machine(),
        threads: arguments.threads,
        routers: network.routers.len(),
        sessions: network.feeds.len() + network.routers.len() * network.routers.len().saturating_sub(1) / 2,
        prefixes,
        distinct: false,
        destinations: bench.base().classes.len(),
        messages: bench.plane().messages(bench.base()),
        converge_ms,
        what_ifs: vec![bench.lp_on_session()],
        peak_mb: peak_mb(),
        reference: None,
    };
    print(context, &figures);
    Ok(Outcome::Done)
}

fn print(context: &Context, figures: &Figures) {
    if context.json {
        crate::engine::print_json(figures);
        return;
    }
    println!("{}, {} threads", figures.machine, figures.threads);
    println!(
        "{}: {} routers, {} sessions, {} prefixes in {} destinations: {:.1} ms, {} messages, {:.0} MB at most",
        figures.scenario,
        figures.routers,
        figures.sessions,
        figures.prefixes,
        figures.destinations,
        figures.converge_ms,
        figures.messages,
        figures.peak_mb
    );
    for w in &figures.what_ifs {
        println!("  {}: {:.2} ms, of it the fork {:.3} ms; {} choices change", w.name, w.ms, w.fork_ms, w.changed);
    }
    if let Some(r) = &figures.reference {
        println!("{}: {} choices, all equal; {:.1} ms", r.program, r.equal, r.converge_ms);
        for w in &r.what_ifs {
            println!("  {}: {:.2} ms, of it the fork {:.3} ms; {} choices change", w.name, w.ms, w.fork_ms, w.changed);
        }
        for (name, ratio) in &r.ratios {
            println!("  {name}: {ratio:.1} × as long as ours");
        }
    }
}

fn reference_program(arguments: &Arguments) -> Result<Option<PathBuf>, Failure> {
    match &arguments.reference {
        Some(given) if given.exists() => Ok(Some(given.clone())),
        Some(given) => {
            Err(Failure::new("PH-CLI-015", format!("{} is not built: cargo build --release --package twin-reference", given.display())))
        }
        None => {
            let own = std::env::current_exe().map_err(|e| Failure::from_error("PH-CLI-014", &e))?;
            Ok(Some(own.with_file_name("twin-reference")).filter(|p| p.exists()))
        }
    }
}

/// Has the other simulator do the same; its tables must be ours before its times count.
fn compared(program: &Path, arguments: &Arguments, scenario: &Scenario, bench: &Bench<'_>, ours: &Figures) -> Result<Compared, Failure> {
    let fail = |e: &dyn std::error::Error| Failure::new("PH-CLI-073", format!("{}: {e}", program.display()));
    let mut command = Command::new(program);
    command.arg(arguments.prefixes.to_string()).args(arguments.distinct.then_some("distinct"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(|e| fail(&e))?;
    if let Some(mut input) = child.stdin.take() {
        serde_json::to_writer(&mut input, scenario).map_err(|e| fail(&e))?;
        input.flush().map_err(|e| fail(&e))?;
    }
    let said = child.wait_with_output().map_err(|e| fail(&e))?;
    let others: Others = serde_json::from_slice(&said.stdout).map_err(|e| fail(&e))?;
    let mine = scenario.exits(bench, arguments.prefixes);
    let differs = mine.iter().flatten().zip(others.exits.iter().flatten()).filter(|(a, b)| a != b).count();
    let (all, theirs) = (mine.iter().map(Vec::len).sum::<usize>(), others.exits.iter().map(Vec::len).sum::<usize>());
    if differs > 0 || all != theirs {
        let text = format!("{differs} of {all} choices differ from those of {} ({theirs}); its times would say nothing", others.program);
        return Err(Failure::new("PH-CLI-074", text));
    }
    let mut ratios: BTreeMap<String, f64> = [("converge".to_owned(), others.converge_ms / ours.converge_ms)].into();
    for theirs in &others.what_ifs {
        if let Some(own) = ours.what_ifs.iter().find(|w| w.name == theirs.name) {
            ratios.insert(theirs.name.clone(), theirs.ms / own.ms);
        }
    }
    Ok(Compared { program: others.program, equal: all, converge_ms: others.converge_ms, what_ifs: others.what_ifs, ratios })
}

/// The most memory that this process had, MB.
fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<f64>().ok()).map_or(0.0, |kb| kb / 1024.0)
}
