//! Random small networks on real FRR, table by table against ours; networks in several orders of arrival.
//!
//! - `twin-diff --seeds N [--from S] [--keep DIR] [--at-once N]`: prints what differs and ends with the agreement and a list of all differences;
//!   with `--keep` a network that differs is made smaller, which takes minutes, and kept as a case. Exit status 1 when a row differs that was
//!   not told as dependent on the order of arrival.
//! - `twin-diff --case CASE… [--record]`: the same with networks in directories; `--record` writes FRR's tables beside them.
//! - `twin-diff --write SEED CASE`: writes the network of a seed as a case, and runs nothing.
//! - `twin-diff --order CASE|SEED…`: runs networks (directories, or seeds) in several orders of arrival and prints FRR's tables where they
//!   differ, or should. Exit status 1 when a row that was told never differed, or one differed that was not told.
//! - `twin-diff --clean`: ends what runs left behind that were killed.
//!
//! An interrupt ends what was started.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program")]

use case::{Case, diff, generate, live, order, space};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What shells call a program that an interrupt ended.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    const OPTIONS: [&str; 9] = ["--seeds", "--from", "--keep", "--at-once", "--case", "--record", "--write", "--order", "--clean"];
    if let Some(unknown) = arguments.iter().find(|a| a.starts_with('-') && !OPTIONS.contains(&a.as_str())) {
        eprintln!(
            "{unknown} is no option.\nusage: twin-diff [--seeds N] [--from S] [--keep DIR] [--at-once N]\n       twin-diff --case CASE… [--record]\n       \
             twin-diff --write SEED CASE\n       twin-diff --order CASE|SEED…\n       twin-diff --clean"
        );
        return ExitCode::from(2);
    }
    let value = |name: &str| arguments.iter().position(|a| a == name).and_then(|at| arguments.get(at + 1));
    let number = |name: &str, default: u64| value(name).and_then(|v| v.parse().ok()).unwrap_or(default);
    if let Some(why) = live::missing() {
        println!("skipped: {why}");
        return ExitCode::SUCCESS;
    }
    for left in space::clean() {
        println!("left by a run that was killed, ended: {left}");
    }
    if arguments.iter().any(|a| a == "--clean") {
        return ExitCode::SUCCESS;
    }
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        if let Err(error) = signal_hook::flag::register(signal, Arc::clone(&stop)) {
            println!("signal {signal}: {error}");
            return ExitCode::FAILURE;
        }
    }
    let after = |name: &str| arguments.iter().position(|a| a == name).map(|at| &arguments[at + 1..]);
    let agrees = if let Some([seed, dir]) = after("--write") {
        let stored = seed
            .parse()
            .map_err(|e| format!("{seed}: {e}"))
            .and_then(|seed| diff::store(&generate::network(seed, &[]), Path::new(dir)).map_err(|e| format!("{dir}: {e}")));
        stored.inspect_err(|error| println!("{error}")).is_ok()
    } else if let Some(cases) = after("--case") {
        let record = cases.iter().any(|a| a == "--record");
        cases.iter().filter(|a| !a.starts_with("--")).filter(|dir| !one_case(Path::new(dir), record, &stop)).count() == 0
    } else if let Some(at) = arguments.iter().position(|a| a == "--order") {
        arguments[at + 1..].iter().filter(|network| !in_orders(network, &stop)).count() == 0
    } else {
        let (seeds, from) = (number("--seeds", 20), number("--from", 1));
        let keep = value("--keep").map(PathBuf::from);
        let how = diff::How { keep: keep.as_deref(), at_once: number("--at-once", diff::AT_ONCE as u64).max(1) as usize };
        let total = diff::seeds(&(from..from + seeds).collect::<Vec<_>>(), &how, &stop, |line| println!("{line}"));
        println!("{total}");
        total.untold == 0 && total.failed == 0
    };
    match (stop.load(Ordering::Relaxed), agrees) {
        (true, _) => ExitCode::from(INTERRUPTED),
        (_, true) => ExitCode::SUCCESS,
        (_, false) => ExitCode::FAILURE,
    }
}

fn one_case(dir: &Path, record: bool, stop: &AtomicBool) -> bool {
    let run = |case: &Case| diff::compared(case, "case", stop).map_err(|e| e.to_string());
    let compared = match Case::load(dir).map_err(|e| e.to_string()).and_then(|case| run(&case)) {
        Ok(compared) => compared,
        Err(error) => {
            println!("{}: {error}", dir.display());
            return false;
        }
    };
    for d in &compared.different {
        let told = if d.told { " (told as dependent on order)" } else { "" };
        println!("  {} {}: {}{told}", d.router, d.prefix, d.what.join("; "));
    }
    let rest = match (&compared.unfinished, compared.rests) {
        (None, _) => String::new(),
        (Some(why), true) => format!(", FRR did not come to rest: {why}"),
        (Some(_), false) => ", at rest on neither side, as told".to_owned(),
    };
    println!("{}: {} rows, {} different{rest}", dir.display(), compared.rows, compared.untold());
    if record && let Err(error) = diff::record(&compared.shown, dir) {
        println!("{}: {error}", dir.display());
        return false;
    }
    // what we say does not rest has no rows to compare
    if compared.unfinished.is_some() { !compared.rests } else { compared.untold() == 0 }
}

fn in_orders(network: &str, stop: &AtomicBool) -> bool {
    let case = match network.parse() {
        Ok(seed) => generate::network(seed, &[]),
        Err(_) => match Case::load(Path::new(network)) {
            Ok(case) => case,
            Err(error) => {
                println!("{error}");
                return false;
            }
        },
    };
    if stop.load(Ordering::Relaxed) {
        return false;
    }
    println!("{network}");
    let proof = order::prove(&case, "order", stop, |line| println!("  {line}"));
    println!("{proof}");
    proof.unproven() == 0 && proof.missed() == 0 && proof.failed.is_empty()
}
