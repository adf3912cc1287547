//! Random small networks on real FRR, table by table against ours.
//!
//! `twin-diff --seeds N [--from S] [--keep DIR]`: prints what differs and ends with the agreement; with `--keep` a network that
//! differs is made smaller, which takes minutes, and kept as a case. Exit status 1 when a row differs that was not told as dependent on the order of arrival.

#![allow(clippy::print_stdout, reason = "a program")]

use case::{diff, live};
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| arguments.iter().position(|a| a == name).and_then(|at| arguments.get(at + 1));
    let number = |name: &str, default: u64| value(name).and_then(|v| v.parse().ok()).unwrap_or(default);
    if let Some(why) = live::missing() {
        println!("skipped: {why}");
        return ExitCode::SUCCESS;
    }
    let (seeds, from) = (number("--seeds", 20), number("--from", 1));
    let keep = value("--keep").map(PathBuf::from);
    let total = diff::seeds(from..from + seeds, keep.as_deref(), |line| println!("{line}"));
    println!("{total}");
    if total.untold == 0 && total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
