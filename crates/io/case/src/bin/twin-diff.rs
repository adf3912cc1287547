//! Random small networks on real FRR, table by table against ours; networks in several orders of arrival.
//!
//! - `twin-diff --seeds N [--from S] [--keep DIR]`: prints what differs and ends with the agreement; with `--keep` a network that differs is
//!   made smaller, which takes minutes, and kept as a case. Exit status 1 when a row differs that was not told as dependent on the order of
//!   arrival.
//! - `twin-diff --order CASE|SEED…`: runs networks (directories, or seeds) in several orders of arrival and prints FRR's tables where they
//!   differ, or should. Exit status 1 when a row that was told never differed, or one differed that was not told.
//! - `twin-diff --clean`: ends what runs left behind that were killed.
//!
//! An interrupt ends what was started.

#![allow(clippy::print_stdout, reason = "a program")]

use case::{Case, diff, generate, live, order, space};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What shells call a program that an interrupt ended.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
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
    let agrees = if let Some(at) = arguments.iter().position(|a| a == "--order") {
        arguments[at + 1..].iter().filter(|network| !in_orders(network, &stop)).count() == 0
    } else {
        let (seeds, from) = (number("--seeds", 20), number("--from", 1));
        let keep = value("--keep").map(PathBuf::from);
        let total = diff::seeds(&(from..from + seeds).collect::<Vec<_>>(), keep.as_deref(), &stop, |line| println!("{line}"));
        println!("{total}");
        total.untold == 0 && total.failed == 0
    };
    match (stop.load(Ordering::Relaxed), agrees) {
        (true, _) => ExitCode::from(INTERRUPTED),
        (_, true) => ExitCode::SUCCESS,
        (_, false) => ExitCode::FAILURE,
    }
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
