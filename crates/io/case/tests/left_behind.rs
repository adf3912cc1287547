//! Runs on real FRR leave nothing behind, however they end. Needs root and FRR.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test says no by panicking")]

use case::{live, space};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_twin-diff");

/// Namespaces of a process.
fn spaces(pid: u32) -> Vec<String> {
    let entries = std::fs::read_dir("/run/netns").into_iter().flatten();
    let names = entries.filter_map(|e| Some(e.ok()?.file_name().to_string_lossy().into_owned()));
    names.filter(|n| n.starts_with(&format!("phtw-{pid}."))).collect()
}

fn started() -> Child {
    let child = Command::new(PROGRAM).args(["--seeds", "3"]).stdout(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while !spaces(child.id()).iter().any(|s| s.ends_with("-r1")) {
        assert!(begun.elapsed() < Duration::from_secs(60), "no network within a minute");
        std::thread::sleep(Duration::from_millis(50));
    }
    child
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn an_interrupted_run_ends_what_it_started_and_a_killed_one_is_cleaned_up_by_the_next() {
    if let Some(why) = live::missing() {
        println!("skipped: {why}");
        return;
    }
    let mut interrupted = started();
    signal(&interrupted, "-INT");
    assert_eq!(interrupted.wait().unwrap().code(), Some(130));
    assert_eq!(spaces(interrupted.id()), [] as [String; 0]);

    let mut killed = started();
    signal(&killed, "-KILL");
    killed.wait().unwrap();
    let left = spaces(killed.id());
    assert!(!left.is_empty());
    let cleaned = Command::new(PROGRAM).arg("--clean").output().unwrap();
    let said = String::from_utf8_lossy(&cleaned.stdout).into_owned();
    // the test beside this one may clean up as well
    assert!(cleaned.status.success() && (left.iter().any(|l| said.contains(l)) || spaces(killed.id()).is_empty()), "{said}");
    assert_eq!(spaces(killed.id()), [] as [String; 0]);
    assert!(space::clean().iter().all(|s| !left.contains(s)));
}
