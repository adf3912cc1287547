//! The journey in a browser against `pilotctl serve`, on the simulated lab: `ui/tests/journey.mjs` drives Chromium.
//!
//! Needs Chromium with its driver, Node and the built pages (`make ui`); where they are missing the tests say so and count as skipped.

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// One browser at a time: two share too few processors.
static ONE: Mutex<()> = Mutex::new(());

fn root() -> PathBuf {
    // where the test is run, not where it was built
    let own = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    Path::new(&own).join("../../..").canonicalize().unwrap()
}

fn missing() -> Option<String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let there = |name: &str| path.split(':').any(|d| Path::new(d).join(name).is_file());
    if let Some(program) = ["node", "chromium", "chromedriver"].into_iter().find(|p| !there(p)) {
        return Some(format!("no {program} on this machine"));
    }
    (!root().join("ui/dist/index.html").exists()).then(|| "the pages are not built (`make ui`)".to_owned())
}

/// Killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Ends the lab when dropped.
struct Lab<'a>(&'a Path, String);

impl Drop for Lab<'_> {
    fn drop(&mut self) {
        let _ = pilotctl(self.0).args(["lab", "down", &self.1]).output();
    }
}

fn pilotctl(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pilotctl"));
    command.arg("--data").arg(data);
    command
}

fn play(options: &[&str]) {
    if let Some(why) = missing() {
        println!("skipped: {why}");
        return;
    }
    let _turn = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let data = tempfile::tempdir().unwrap();
    let up = pilotctl(data.path()).args(["--json", "lab", "up", "--driver", "sim"]).output().unwrap();
    assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
    let up: Value = serde_json::from_slice(&up.stdout).unwrap();
    let lab = Lab(data.path(), up["id"].as_str().unwrap().to_owned());
    let mut serve = pilotctl(data.path());
    serve.args(["serve", "--lab", &lab.1, "--mode", "lab", "--bmp", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--ui"]);
    let mut engine = Running(serve.arg(root().join("ui/dist")).stderr(Stdio::piped()).spawn().unwrap());
    let mut said = BufReader::new(engine.0.stderr.take().unwrap()).lines().map_while(Result::ok);
    let link = said.find_map(|l| l.strip_prefix("open ").map(str::to_owned)).expect("the engine prints no link");
    // somebody has to read on, or the engine would block
    std::thread::spawn(move || said.for_each(drop));
    let pictures = root().join("target/pictures").join(options.join("-"));
    let mut node = Command::new("node");
    node.arg(root().join("ui/tests/journey.mjs")).args(["chromium", &link]).args(options).arg("--pictures").arg(pictures);
    let journey = node.output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&journey.stdout), String::from_utf8_lossy(&journey.stderr));
    assert!(journey.status.success(), "{text}");
    println!("{text}");
    let verified = pilotctl(data.path()).args(["audit", "verify"]).output().unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}

#[test]
fn an_engineer_breaks_approves_by_mouse_and_sees_it_confirmed() {
    play(&["--axe"]);
}

#[test]
fn an_engineer_does_all_of_it_by_keyboard() {
    play(&["--keyboard"]);
}

#[test]
fn what_a_stranger_tries_is_shown() {
    if let Some(why) = missing() {
        println!("skipped: {why}");
        return;
    }
    let _turn = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let data = tempfile::tempdir().unwrap();
    let mut node = Command::new("node");
    node.arg(root().join("ui/tests/stranger.mjs")).args(["chromium", env!("CARGO_BIN_EXE_pilotctl")]);
    node.arg("--pictures").arg(root().join("target/pictures/stranger")).env("PILOTHOUSE_DATA", data.path());
    let tried = node.output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&tried.stdout), String::from_utf8_lossy(&tried.stderr));
    assert!(tried.status.success(), "{text}");
    println!("{text}");
}
