//! `pilotctl rib` as a user runs it, on streams made here.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A BMP message (RFC 7854 §4.1) of peer 10.0.0.2, AS 65002, before policy.
fn message(kind: u8, flags: u8, seconds: u32, body: &[u8]) -> Vec<u8> {
    let mut out = vec![3];
    out.extend((48 + body.len() as u32).to_be_bytes());
    out.extend([kind, 0, flags]);
    out.extend([0; 8 + 12]);
    out.extend([10, 0, 0, 2]);
    out.extend(65002_u32.to_be_bytes());
    out.extend([10, 0, 0, 2]);
    out.extend(seconds.to_be_bytes());
    out.extend([0; 4]);
    out.extend(body);
    out
}

/// Announces 203.0.113.0/24 and what `third` makes of 198.51.`third`.0/24.
fn update(third: u8) -> Vec<u8> {
    let attributes = [&[0x40, 1, 1, 0][..], &[0x40, 2, 6, 2, 1, 0, 0, 0xFD, 0xEA], &[0x40, 3, 4, 10, 0, 0, 2]].concat();
    let nlri = [24, 203, 0, 113, 24, 198, 51, third];
    let length = 19 + 4 + attributes.len() + nlri.len();
    let mut out = vec![0xFF; 16];
    out.extend([0, length as u8, 2, 0, 0, 0, attributes.len() as u8]);
    out.extend(attributes);
    out.extend(nlri);
    out
}

fn end_of_rib() -> Vec<u8> {
    [&[0xFF; 16][..], &[0, 23, 2, 0, 0, 0, 0]].concat()
}

fn stream(folder: &Path, name: &str, messages: &[Vec<u8>]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, messages.concat()).unwrap();
    path
}

fn rib(files: &[&PathBuf], arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pilotctl")).arg("rib").args(files).args(arguments).output().unwrap()
}

#[test]
fn several_streams_make_one_table_of_tables() {
    let folder = tempfile::tempdir().unwrap();
    let a = stream(
        folder.path(),
        "a.bmp",
        &[message(0, 0, 100, &update(1)), message(0, 0, 101, &end_of_rib()), message(0, 0x40, 102, &update(2))],
    );
    let b = stream(folder.path(), "b.bmp", &[message(0, 0, 100, &update(3)), message(2, 0, 103, &[4])]);
    let said = rib(&[&a, &b], &["--summary", "--json"]);
    assert_eq!(said.status.code(), Some(0), "{}", String::from_utf8_lossy(&said.stderr));
    assert_eq!(said.stdout, rib(&[&a, &b], &["--summary", "--json"]).stdout);
    let all: Value = serde_json::from_slice(&said.stdout).unwrap();
    let told: Vec<String> = all["tables"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| {
            let f = &t["families"]["ipv4_unicast"];
            let name = t["router"].as_str().unwrap().rsplit('/').next().unwrap();
            format!("{name} {} {} {} {}", t["peer"], t["view"], f["state"], f["routes"]).replace('"', "")
        })
        .collect();
    assert_eq!(
        told,
        ["a.bmp 10.0.0.2 adj_rib_in_pre synced 2", "a.bmp 10.0.0.2 adj_rib_in_post initial 2", "b.bmp 10.0.0.2 adj_rib_in_pre gone 0"]
    );
    assert_eq!((&all["routes"], &all["prefixes"], &all["attribute_sets"]), (&4.into(), &3.into(), &1.into()));

    let post = rib(&[&a, &b], &["--view", "adj_rib_in_post", "--peer", "10.0.0.2", "--json"]);
    let prefixes: Vec<Value> =
        String::from_utf8(post.stdout).unwrap().lines().map(|l| serde_json::from_str::<Value>(l).unwrap()["prefix"].clone()).collect();
    assert_eq!(prefixes, ["198.51.2.0/24", "203.0.113.0/24"]);
    let text = rib(&[&a], &["--prefix", "203.0.113.0/24", "--view", "adj_rib_in_pre"]);
    assert_eq!(String::from_utf8(text.stdout).unwrap(), "203.0.113.0/24       10.0.0.2 adj_rib_in_pre         via 10.0.0.2  as 65002\n");
}

#[test]
fn the_exit_status_says_what_was_found_and_what_was_bad() {
    let folder = tempfile::tempdir().unwrap();
    let good = stream(folder.path(), "good.bmp", &[message(0, 0, 100, &update(1))]);
    assert_eq!(rib(&[&good], &["--prefix", "192.0.2.0/24"]).status.code(), Some(1));
    let mut bytes = update(1);
    // ORIGIN 9
    bytes[16 + 3 + 4 + 3] = 9;
    let bad = stream(folder.path(), "bad.bmp", &[message(0, 0, 100, &update(1)), message(0, 0, 101, &bytes)]);
    let said = rib(&[&bad], &["--summary"]);
    assert_eq!(said.status.code(), Some(3));
    let errors = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(errors.contains("PH-CLI-029") && errors.contains("ORIGIN is 9") && errors.contains("treat_as_withdraw"), "{errors}");
    assert!(String::from_utf8_lossy(&said.stdout).contains("0 routes"));
    let foreign = stream(folder.path(), "foreign.bmp", &[b"GET / HTTP/1.1\r\n".to_vec()]);
    assert_eq!(rib(&[&foreign], &[]).status.code(), Some(2));
    assert_eq!(rib(&[&good], &["--view", "nonsense"]).status.code(), Some(2));
}
