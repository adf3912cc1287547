//! `pilotctl settings` as an operator uses it: what holds, in which bounds, who set it, and what the audit chain says of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test says no by panicking")]

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

fn pilotctl(data: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pilotctl")).arg("--data").arg(data).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn one(data: &Path, name: &str) -> Value {
    let shown = pilotctl(data, &["--json", "settings", "show", name]);
    assert!(shown.status.success(), "{}", said(&shown));
    serde_json::from_slice::<Value>(&shown.stdout).unwrap()[0].take()
}

fn audited(data: &Path) -> Vec<Value> {
    store::read_audit(data).unwrap().into_iter().filter(|r| r.kind == "setting_changed").map(|r| r.body).collect()
}

#[test]
fn a_setting_is_checked_kept_with_who_set_it_and_audited_where_it_decides_what_may_be_done() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    assert_eq!(one(data, "approval.ttl_s")["origin"], "usual");
    assert!(!data.join("state.db").exists(), "looking makes no data");
    for (arguments, code) in [
        (["set", "approval.ttl", "60"], "PH-SET-001"),
        (["set", "approval.ttl_s", "5"], "PH-SET-002"),
        (["set", "approval.ttl_s", "soon"], "PH-SET-002"),
        (["set", "guard.changes_per_minute", "11"], "PH-SET-002"),
    ] {
        let refused = pilotctl(data, &[&["settings"], &arguments[..]].concat());
        assert!(refused.status.code() == Some(2) && said(&refused).contains(code), "{arguments:?}: {}", said(&refused));
    }
    let set = pilotctl(data, &["settings", "set", "approval.ttl_s", "2min"]);
    assert!(set.status.success() && said(&set).contains("approval.ttl_s: 2 min, in the audit chain"), "{}", said(&set));
    let now = one(data, "approval.ttl_s");
    assert_eq!((&now["value"], &now["usual"]), (&120.into(), &300.into()));
    assert!(now["origin"]["set_by"].as_str().unwrap().starts_with("uid:") && now["origin"]["set_at"].is_string(), "{now}");
    // the same again is no change; room for the series is none that matters to the network
    assert!(said(&pilotctl(data, &["settings", "set", "approval.ttl_s", "120"])).contains("is that already"));
    assert!(pilotctl(data, &["settings", "set", "telemetry.bytes_max", "64MiB"]).status.success());
    assert_eq!(audited(data).len(), 1);
    assert_eq!(audited(data)[0]["to"], "120");
    // out and in again, all or nothing
    let exported = pilotctl(data, &["settings", "export"]);
    let file = data.join("settings.toml");
    std::fs::write(&file, &exported.stdout).unwrap();
    assert!(pilotctl(data, &["settings", "unset", "approval.ttl_s"]).status.success());
    assert_eq!(one(data, "approval.ttl_s")["value"], 300);
    let wrong = data.join("wrong.toml");
    std::fs::write(&wrong, "\"approval.ttl_s\" = 60\n\"telemetry.bytes_max\" = true\n").unwrap();
    let refused = pilotctl(data, &["settings", "import", wrong.to_str().unwrap()]);
    assert!(refused.status.code() == Some(2) && said(&refused).contains("PH-SET-004"), "{}", said(&refused));
    assert_eq!(one(data, "approval.ttl_s")["value"], 300, "half a file was taken");
    let mut import = Command::new(env!("CARGO_BIN_EXE_pilotctl"));
    import.arg("--data").arg(data).args(["settings", "import", "-"]).stdin(std::fs::File::open(&file).unwrap());
    assert!(import.status().unwrap().success(), "from standard input");
    assert_eq!(
        (one(data, "approval.ttl_s")["value"].as_u64(), one(data, "telemetry.bytes_max")["value"].as_u64()),
        (Some(120), Some(64 << 20))
    );
    assert_eq!(audited(data).len(), 3);
    let verified = pilotctl(data, &["audit", "verify"]);
    assert!(verified.status.success() && said(&verified).contains("intact"), "{}", said(&verified));
}

#[test]
fn what_is_set_holds_for_the_next_engine_and_a_running_one_is_not_changed_under_its_hands() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    assert!(pilotctl(data, &["settings", "set", "approval.ttl_s", "90"]).status.success());
    assert!(pilotctl(data, &["settings", "set", "guard.changes_per_minute", "2"]).status.success());
    let inventory = data.join("inventory.json");
    let empty = serde_json::json!({"name": "empty", "lab": null, "own_asn": 65001, "own_prefixes": [], "public_space": [],
        "devices": [], "providers": [], "exits": [], "groups": []});
    std::fs::write(&inventory, empty.to_string()).unwrap();
    let mut serve = Command::new(env!("CARGO_BIN_EXE_pilotctl"));
    serve.arg("--data").arg(data).args(["serve", "--bmp", "127.0.0.1:0", "--inventory"]).arg(&inventory);
    let mut engine = serve.stderr(std::process::Stdio::null()).spawn().unwrap();
    let up = (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        pilotctl(data, &["status"]).status.success()
    });
    assert!(up, "the engine does not come up");
    let refused = pilotctl(data, &["settings", "set", "approval.ttl_s", "60"]);
    assert!(
        refused.status.code() == Some(2) && said(&refused).contains("PH-SET-003") && said(&refused).contains("stop it"),
        "{}",
        said(&refused)
    );
    assert_eq!(one(data, "approval.ttl_s")["value"], 90, "it is read while an engine runs");
    assert!(Command::new("kill").args(["-INT", &engine.id().to_string()]).status().unwrap().success());
    assert!(engine.wait().unwrap().success());
    let capture = std::fs::read_dir(data.join("captures")).unwrap().next().unwrap().unwrap().path();
    let policy = capture::Replay::run(&capture, None, |_| {}).unwrap().state().policy.clone();
    assert_eq!((policy.approval_ttl.as_secs(), policy.rate.overall), (90, 2));
}
