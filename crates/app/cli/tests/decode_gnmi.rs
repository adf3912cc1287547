//! `pilotctl decode gnmi` as a user runs it: output, exit status, same bytes twice.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use std::io::Write;
use std::process::{Command, Output, Stdio};

const GOOD: &str = r#"[{"update": {"timestamp": "1612000000000000000", "prefix": {"target": "leaf1", "elem": [{"name": "oc-if:interfaces"}]},
  "update": [{"path": {"elem": [{"name": "interface", "key": {"name": "Ethernet1"}}, {"name": "state"}, {"name": "oper-status"}]},
    "val": {"jsonIetfVal": "IlVQIg=="}}]}}, {"syncResponse": true}]"#;

fn decode(text: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pilotctl"));
    let piped = command.args(["decode", "gnmi", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn types(output: &Output) -> Vec<String> {
    let line = |l: &str| serde_json::from_str::<serde_json::Value>(l).unwrap()["type"].as_str().unwrap().to_owned();
    std::str::from_utf8(&output.stdout).unwrap().lines().map(line).collect()
}

#[test]
fn a_good_file_is_decoded_the_same_twice() {
    let output = decode(GOOD);
    assert_eq!((output.status.code(), types(&output)), (Some(0), vec!["update".to_owned(), "sync".to_owned()]));
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(
        text.contains(r#""path":"/interfaces/interface[name=Ethernet1]/state/oper-status""#) && text.contains(r#""value_type":"enum""#),
        "{text}"
    );
    assert_eq!(decode(GOOD).stdout, output.stdout);
}

#[test]
fn a_bad_entry_is_listed_and_the_status_is_3() {
    let output = decode(&format!("{GOOD}\n{{\"update\": {{\"timestamp\": \"soon\"}}}}\n"));
    assert_eq!((output.status.code(), types(&output)), (Some(3), ["update", "sync", "malformed"].map(str::to_owned).to_vec()));
}

#[test]
fn a_file_that_is_not_there_is_unusable() {
    let output = Command::new(env!("CARGO_BIN_EXE_pilotctl")).args(["decode", "gnmi", "/nonexistent/file"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("PH-CLI-020"));
}
