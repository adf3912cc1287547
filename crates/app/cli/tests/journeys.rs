//! The whole loop on real FRR, BIRD and GoBGP: each test boots a lab of its own and runs `pilotctl` as a user would.
//!
//! Needs root, /dev/net/tun and the routing daemons; where they are missing every test says so and counts as skipped.

mod flows;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

/// Two labs at a time: more share too few processors for honest delays.
static TURNS: [Mutex<()>; 2] = [Mutex::new(()), Mutex::new(())];

/// Waits for one of the turns.
fn next_turn() -> MutexGuard<'static, ()> {
    loop {
        for turn in &TURNS {
            match turn.try_lock() {
                Ok(guard) => return guard,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn pilotctl(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pilotctl"));
    command.arg("--data").arg(data);
    command
}

/// Takes the machine, or says why the test cannot run.
fn turn(name: &str) -> Option<(MutexGuard<'static, ()>, tempfile::TempDir)> {
    let missing = lab::netns::requirements();
    if !missing.is_empty() {
        let list: Vec<String> = missing.iter().map(|m| format!("{} ({})", m.what, m.next_step)).collect();
        println!("skipped: {name}: {}", list.join(", "));
        return None;
    }
    Some((next_turn(), tempfile::tempdir().unwrap()))
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Plays a scenario to its end and returns what it printed.
fn play(data: &Path, arguments: &[&str]) -> Value {
    let output =
        pilotctl(data).args(["--json", "lab", "scenario"]).args(arguments).args(["--headless", "--auto-approve"]).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("no report ({e}): {}", text(&output)));
    assert_eq!(report["audit_ok"], true, "{report:#}");
    for key in ["agreement_before", "agreement_after"] {
        let rows = report[key].as_array().unwrap();
        assert_eq!(rows.len(), 5, "{key}: {report:#}");
        for row in rows {
            assert!(row[1] == row[2] && row[2].as_u64() > Some(200), "{key}: the twin does not equal {row}: {report:#}");
        }
    }
    if arguments.contains(&"sim") {
        return report;
    }
    let scenario = arguments.join(" ");
    the_twins_tables_are_the_routers_own(&scenario, &report);
    if report["outcome"] == "confirmed" {
        predictions_came_true(&scenario, &report);
    }
    report
}

/// As vtysh shows them at the end of a scenario, both families: best path with its attributes, and the exit.
fn the_twins_tables_are_the_routers_own(scenario: &str, report: &Value) {
    let rows = report["tables"].as_array().unwrap();
    assert_eq!(rows.len(), 5, "{scenario}: {report:#}");
    let sum = |key: &str| rows.iter().map(|r| r[key].as_u64().unwrap()).sum::<u64>();
    let (compared, equal, exits) = (sum("compared"), sum("equal"), sum("same_exit"));
    println!("{scenario}: {compared} rows of {} routers compared, {equal} equal, {exits} with the same exit", rows.len());
    let differences: Vec<String> =
        rows.iter().flat_map(|r| r["differences"].as_array().unwrap().iter().map(|d| format!("{}: {d}", r["device"]))).collect();
    differences.iter().for_each(|d| println!("  {d}"));
    assert!(compared > 1000 && equal == compared && exits == compared, "{scenario}: {differences:#?}");
}

/// Where the moved prefixes leave by the routers' own tables, and what was measured then of each path that was predicted.
fn predictions_came_true(scenario: &str, report: &Value) {
    let (did, predicted) = (report["exits"][0].as_u64().unwrap(), report["exits"][1].as_u64().unwrap());
    let (within, paths) = (report["paths_within"][0].as_u64().unwrap_or(0), report["paths_within"][1].as_u64().unwrap_or(0));
    let error = report["delay_error_ms"].as_f64();
    println!("{scenario}: {did} of {predicted} moved prefixes took the predicted exit");
    println!("{scenario}: delay off by {error:?} ms; {within} of {paths} paths within their predicted interval");
    for path in report["paths"].as_array().unwrap() {
        println!("  {} predicted {} measured {} ms", path["probe"], path["predicted_ms"], path["measured_ms"]);
    }
    assert!(predicted > 0 && did * 100 >= predicted * 99, "{scenario}: {did} of {predicted}: {report:#}");
    assert!(paths > 0, "{scenario}: no path was predicted and measured: {report:#}");
}

fn number(report: &Value, key: &str) -> f64 {
    report[key].as_f64().unwrap_or_else(|| panic!("{key} is not known: {report:#}"))
}

#[test]
fn a_degraded_path_is_left_and_the_capture_replays_to_the_same_state() {
    let Some((_turn, data)) = turn("degrade") else { return };
    let report = play(data.path(), &["degrade"]);
    assert_eq!(report["outcome"], "confirmed", "{report:#}");
    assert!(number(&report, "delay_ms_after") < number(&report, "delay_ms_before") / 2.0, "{report:#}");
    for step in ["detect", "propose", "approve", "applied", "verified"] {
        assert!(report["seconds"][step].as_f64().is_some_and(|s| s < 90.0), "{step}: {report:#}");
    }
    assert!(report["exits"][1].as_u64() > Some(50), "{report:#}");
    assert_eq!(report["exits_learned"], report["exits"], "the engine learned something else than the routers say: {report:#}");
    let verified = pilotctl(data.path()).args(["audit", "verify"]).output().unwrap();
    assert!(verified.status.success(), "{}", text(&verified));
    let capture = report["capture"].as_str().unwrap();
    let replay = || pilotctl(data.path()).args(["replay", capture, "--decisions"]).output().unwrap();
    let (first, second) = (replay(), replay());
    assert!(first.status.success(), "{}", text(&first));
    assert_eq!(first.stdout, second.stdout, "two replays differ");
    // built by `make test`; another optimisation level must not decide otherwise
    match std::env::var_os("PILOTHOUSE_RELEASE_REPLAY") {
        Some(release) => {
            let optimised = Command::new(release).arg(capture).output().unwrap();
            assert!(optimised.status.success(), "{}", text(&optimised));
            assert_eq!(first.stdout, optimised.stdout, "the release build replays to something else");
        }
        None => println!("note: PILOTHOUSE_RELEASE_REPLAY names no release build; debug is compared with debug only"),
    }
    let last = String::from_utf8_lossy(&first.stdout).lines().last().unwrap_or_default().to_owned();
    assert!(last.contains(report["state_hash"].as_str().unwrap()), "the replay ends in another state than the live run: {last}");
}

/// What is moved from where to where, without what was measured.
fn choice(report: &Value) -> (String, String) {
    let summary = report["summary"].as_str().unwrap();
    let (what, _) = summary.split_once(';').unwrap();
    let (moved, way) = what.split_once(") from ").unwrap();
    (moved.split_once(" (").unwrap().0.to_owned(), way.to_owned())
}

#[test]
fn the_simulated_lab_and_the_real_one_lead_to_the_same_choice() {
    let Some((_turn, data)) = turn("sim and netns") else { return };
    let arguments = ["degrade", "--provider", "isp-c", "--delay-ms", "25"];
    let real = play(data.path(), &arguments);
    let data = tempfile::tempdir().unwrap();
    let simulated = play(data.path(), &[&arguments[..], &["--driver", "sim"]].concat());
    assert_eq!((&real["outcome"], &simulated["outcome"]), (&"confirmed".into(), &"confirmed".into()), "{real:#} {simulated:#}");
    assert_eq!(choice(&real), choice(&simulated), "{real:#} {simulated:#}");
}

#[test]
fn loss_on_another_provider_is_left_too() {
    let Some((_turn, data)) = turn("loss") else { return };
    let report = play(data.path(), &["degrade", "--provider", "isp-b", "--delay-ms", "0", "--loss", "0.05"]);
    assert_eq!(report["outcome"], "confirmed", "{report:#}");
    assert!(number(&report, "loss_after") < number(&report, "loss_before") / 2.0, "{report:#}");
}

#[test]
fn a_silent_cut_is_left_before_the_hold_timer_sees_it() {
    let Some((_turn, data)) = turn("cut-silent") else { return };
    let report = play(data.path(), &["cut-silent"]);
    assert_eq!(report["outcome"], "confirmed", "{report:#}");
    assert!(number(&report, "loss_after") < 0.2 && number(&report, "loss_before") > 0.5, "{report:#}");
}

/// Mbit/s that `fill` adds below.
const FILL_MBIT: f64 = 60.0;

#[test]
fn a_full_link_is_relieved_by_the_volume_that_is_really_sent() {
    let Some((_turn, data)) = turn("fill") else { return };
    let report = play(data.path(), &["fill", "--provider", "isp-c", "--mbit", &FILL_MBIT.to_string()]);
    assert_eq!(report["outcome"], "confirmed", "{report:#}");
    // what is always sent comes on top; by whatever exit it leaves, the routers' flow accounting must see all of it
    let usual: u64 = lab::traffic::background(&lab::topology::Topology::seed().unwrap()).iter().map(|f| f.rate_bps).sum();
    let sent = FILL_MBIT * 1e6 + usual as f64;
    let accounted: f64 = report["outbound_bps"].as_object().unwrap().values().map(|v| v.as_f64().unwrap()).sum();
    println!("{accounted:.0} bit/s accounted, {sent:.0} sent");
    assert!((accounted - sent).abs() < 0.1 * sent, "{accounted:.0} bit/s accounted, {sent:.0} sent: {report:#}");
}

#[test]
fn a_cut_fibre_leaves_the_twin_with_the_tables_that_the_routers_have() {
    let Some((_turn, data)) = turn("cut") else { return };
    let report = play(data.path(), &["cut"]);
    // BGP has answered; whether something is left to do is not the matter here
    assert!(["no_finding", "no_action", "confirmed"].iter().any(|o| report["outcome"] == *o), "{report:#}");
}

#[test]
fn sessions_that_flap_are_seen_and_left_to_bgp() {
    let Some((_turn, data)) = turn("flap") else { return };
    let report = play(data.path(), &["flap", "--exit", "r1-ispa"]);
    assert_eq!(report["outcome"], "no_action", "{report:#}");
    assert!(report["why"].as_str().unwrap().contains("session"), "{report:#}");
}

#[test]
fn where_every_alternative_is_worse_nothing_is_done() {
    let Some((_turn, data)) = turn("everywhere") else { return };
    let report = play(data.path(), &["degrade", "--everywhere"]);
    assert_eq!(report["outcome"], "no_action", "{report:#}");
    assert!(report["why"].as_str().unwrap().contains("ms"), "the reason carries no numbers: {report:#}");
}

#[test]
fn a_change_that_makes_things_worse_ends_reverted_with_the_tables_of_before() {
    let Some((_turn, data)) = turn("turncoat") else { return };
    let report = play(data.path(), &["turncoat"]);
    assert_eq!(report["outcome"], "rolled_back", "{report:#}");
}

#[test]
fn writes_that_are_dropped_on_the_way_are_never_confirmed() {
    let Some((_turn, data)) = turn("drop-writes") else { return };
    // the routers show what they do not run: the read-back is clean, the delay does not fall
    let report = play(data.path(), &["degrade", "--drop-writes"]);
    assert_eq!(report["outcome"], "rolled_back", "{report:#}");
    assert!(report["seconds"]["applied"].as_f64().is_some(), "the read-back gave it away: {report:#}");
    assert!(number(&report, "delay_ms_after") > number(&report, "delay_ms_before") * 0.8, "{report:#}");
}

#[test]
fn writes_that_are_not_even_shown_fail_at_the_read_back() {
    let Some((_turn, data)) = turn("drop-writes=seen") else { return };
    let report = play(data.path(), &["degrade", "--drop-writes=seen"]);
    assert_eq!(report["outcome"], "failed", "{report:#}");
    let why = report["why"].as_str().unwrap();
    assert!(why.contains("did nothing") && report["seconds"]["verified"].is_null(), "{report:#}");
}

/// A running engine; killed when dropped.
struct Engine(Child);

impl Engine {
    fn start(data: &Path, lab: &str) -> Self {
        Self::with(data, lab, &[])
    }

    fn with(data: &Path, lab: &str, arguments: &[&str]) -> Self {
        let mut command = pilotctl(data);
        let log = std::fs::File::create(data.join("engine.log")).unwrap();
        command.args(["serve", "--lab", lab, "--mode", "lab", "--bmp", "127.0.0.1:0"]).args(arguments);
        Self(command.stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    /// Stops it in order, as Ctrl-C does.
    fn stop(mut self) {
        assert!(Command::new("kill").args(["-INT", &self.0.id().to_string()]).status().unwrap().success());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Takes the lab down when dropped.
struct Lab(PathBuf, lab::netns::LabInstance);

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = pilotctl(&self.0).args(["lab", "down", &self.1.id]).output();
    }
}

fn wait<T>(what: &str, within: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not happen within {within:?}");
        std::thread::sleep(Duration::from_millis(300));
    }
}

fn json(data: &Path, arguments: &[&str]) -> Option<Value> {
    let output = pilotctl(data).arg("--json").args(arguments).output().unwrap();
    serde_json::from_slice(&output.stdout).ok()
}

fn running(lab: &Lab) -> String {
    let show = |r: &str| lab.1.vtysh(r, &["show running-config"]).unwrap();
    [show("r1"), show("r2")].concat()
}

#[test]
fn killed_between_commit_and_confirm_it_ends_in_the_old_configuration() {
    let Some((_turn, data)) = turn("kill") else { return };
    let data = data.path();
    let up = json(data, &["lab", "up"]).expect("the lab does not come up");
    let id = up["id"].as_str().unwrap().to_owned();
    let lab = Lab(data.to_owned(), lab::netns::LabInstance::load(&data.join("labs").join(&id)).unwrap());
    let before = running(&lab);
    let mut engine = Engine::start(data, &id);
    wait("agreement", Duration::from_secs(60), || {
        let status = json(data, &["status"])?;
        let agreed = |d: &Value| d["agreement"]["compared"].as_u64() > Some(200) && d["agreement"]["equal"] == d["agreement"]["compared"];
        status["devices"].as_array()?.iter().all(agreed).then_some(())
    });
    // the baselines need twenty clean samples a path
    std::thread::sleep(Duration::from_secs(25));
    assert!(pilotctl(data).args(["lab", "scenario", "degrade", "--lab", &id]).output().unwrap().status.success());
    let proposal = wait("a proposal", Duration::from_secs(90), || {
        json(data, &["queue", "list"])?.as_array()?.first().and_then(|p| p["id"].as_str().map(str::to_owned))
    });
    let approved = pilotctl(data).args(["queue", "approve", &proposal]).output().unwrap();
    assert!(approved.status.success(), "{}", text(&approved));
    wait("the commit", Duration::from_secs(30), || (running(&lab) != before).then_some(()));
    engine.0.kill().unwrap();
    engine.0.wait().unwrap();
    assert_ne!(running(&lab), before, "the change is gone although nobody cancelled it");
    // a new engine finds the change in its journal and cancels it
    let _engine = Engine::start(data, &id);
    wait("the old configuration", Duration::from_secs(60), || (running(&lab) == before).then_some(()));
    let shown = wait("the outcome", Duration::from_secs(30), || {
        let shown = pilotctl(data).args(["audit", "show"]).output().unwrap();
        let shown = text(&shown);
        shown.contains("change_finished").then_some(shown)
    });
    assert!(shown.contains("rolled_back") && !shown.contains("\"outcome\":\"confirmed\""), "{shown}");
    assert!(pilotctl(data).args(["audit", "verify"]).output().unwrap().status.success());
}

#[test]
fn a_second_instance_on_the_same_folder_is_told_so_in_one_line() {
    let data = tempfile::tempdir().unwrap();
    let inventory = data.path().join("inventory.json");
    let empty = serde_json::json!({"name": "empty", "lab": null, "own_asn": 65001, "own_prefixes": [], "public_space": [],
        "devices": [], "providers": [], "exits": [], "groups": []});
    std::fs::write(&inventory, empty.to_string()).unwrap();
    let serve = || {
        let mut command = pilotctl(data.path());
        command.args(["serve", "--bmp", "127.0.0.1:0", "--inventory"]).arg(&inventory).stdout(Stdio::null());
        command
    };
    let first = Engine(serve().stderr(Stdio::null()).spawn().unwrap());
    wait("the first engine", Duration::from_secs(20), || json(data.path(), &["status"]));
    let second = serve().stderr(Stdio::piped()).output().unwrap();
    let said = text(&second);
    assert_eq!(second.status.code(), Some(2), "{said}");
    assert!(said.contains("already running") && said.contains(&format!("pid {}", first.0.id())) && said.lines().count() == 1, "{said}");
    // the first goes on
    assert!(json(data.path(), &["status"]).is_some());
}
