//! Repository checks: what every commit must pass, beside its tests.
//!
//! `cargo xtask check [--desktop]` runs all of them and says for each what it found; `cargo xtask check NAME…` runs the named ones.
//! The desktop package needs WebKitGTK, so its lints run only when asked for.

mod bindings;
mod commands;
mod dependencies;
mod files;
mod migrations;
mod permits;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The repository and what was asked.
pub struct Workspace {
    /// Its root.
    pub root: PathBuf,
    /// Include the desktop package.
    pub desktop: bool,
}

/// What a check says: nothing wrong, with a remark; or every finding on a line of its own.
pub type Outcome = anyhow::Result<Result<String, Vec<String>>>;

type Check = fn(&Workspace) -> Outcome;

/// Fast ones first.
const CHECKS: [(&str, Check); 9] = [
    ("files", files::check),
    ("migrations", migrations::check),
    ("permits", permits::check),
    ("dependencies", dependencies::check),
    ("format", commands::format),
    ("locks", commands::locks),
    ("lints", commands::lints),
    ("lints-tests", commands::lints_of_tests),
    ("bindings", bindings::check),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("twin-diff") => return twin_diff(&[], &arguments[1..]),
        Some("twin-order") => return twin_diff(&["--order"], &arguments[1..]),
        _ => {}
    }
    let words: Vec<&str> = arguments.iter().map(String::as_str).filter(|a| !a.starts_with("--")).collect();
    let unknown = arguments.iter().find(|a| a.starts_with("--") && *a != "--desktop");
    let names = words.get(1..).unwrap_or_default();
    let stranger = names.iter().find(|n| !CHECKS.iter().any(|(name, _)| name == *n));
    if words.first() != Some(&"check") || unknown.is_some() || stranger.is_some() {
        let all: Vec<&str> = CHECKS.iter().map(|(name, _)| *name).collect();
        eprintln!(
            "usage: cargo xtask check [--desktop] [NAME…]\n       cargo xtask twin-diff [--seeds N] [--from S] [--keep DIR] [--at-once N] [--clean] [--case CASE…]\n       \
             cargo xtask twin-order CASE|SEED…\nNAME: {}",
            all.join(", ")
        );
        return ExitCode::from(2);
    }
    // where it is run, not where it was built: a target folder may serve several checkouts
    let own = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let root = Path::new(&own).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf);
    let workspace = Workspace { root, desktop: arguments.iter().any(|a| a == "--desktop") };
    let wanted = CHECKS.iter().filter(|(name, _)| names.is_empty() || names.contains(name));
    let failed = wanted.filter(|(name, check)| !run(name, *check, &workspace)).count();
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Random networks on real FRR against ours, or a network in several orders of arrival; needs root and FRR.
fn twin_diff(mode: &[&str], arguments: &[String]) -> ExitCode {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let run = std::process::Command::new(cargo)
        .args(["run", "--quiet", "--release", "--package", "case", "--bin", "twin-diff", "--"])
        .args(mode)
        .args(arguments)
        .status();
    match run {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cargo does not start: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(name: &str, check: Check, workspace: &Workspace) -> bool {
    match check(workspace) {
        Ok(Ok(remark)) => {
            println!("ok    {name}: {remark}");
            true
        }
        Ok(Err(findings)) => {
            println!("FAIL  {name}: {} found", findings.len());
            findings.iter().for_each(|f| println!("      {f}"));
            false
        }
        Err(error) => {
            println!("FAIL  {name}: {error:#}");
            false
        }
    }
}

/// Returns the remark, or the findings when there are any.
pub fn verdict(remark: String, findings: Vec<String>) -> Result<String, Vec<String>> {
    if findings.is_empty() { Ok(remark) } else { Err(findings) }
}
