//! Captures, files of others and files of topics as a user meets them: exit statuses, what is said, and what is left behind.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn pilotctl(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pilotctl")).arg("--data").arg(folder).args(arguments).current_dir(folder).output().unwrap()
}

fn said(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

fn status(out: &Output) -> i32 {
    out.status.code().unwrap()
}

/// The recorded session of a lab's router, which calls itself `name` in its Initiation.
fn recorded(folder: &Path, name: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/recordings/seed/bmp/r1.bmp");
    let bytes = std::fs::read(file).unwrap();
    let tlv = [&[0, 2][..], &u16::try_from(name.len()).unwrap().to_be_bytes(), name.as_bytes()].concat();
    let initiation = [&[3, 0, 0, 0, 6 + u8::try_from(tlv.len()).unwrap(), 4][..], &tlv].concat();
    let mut framer = bmp::Framer::new();
    framer.push(&bytes);
    let messages = std::iter::from_fn(|| framer.next()).map(|frame| frame.unwrap().bytes);
    let all: Vec<u8> = messages.flat_map(|m| if m[5] == 4 { initiation.clone() } else { m }).collect();
    let path = folder.join("router.bmp");
    std::fs::write(&path, all).unwrap();
    path
}

/// A capture of it.
fn imported(folder: &Path, name: &str) -> PathBuf {
    recorded(folder, name);
    let capture = folder.join("router.capture");
    let done = pilotctl(folder, &["import", "router.bmp", "--capture", "router.capture"]);
    assert!(done.status.success(), "{}", said(&done));
    capture
}

#[test]
fn a_capture_with_half_a_frame_at_its_end_is_played_and_the_status_says_partly() {
    let dir = tempfile::tempdir().unwrap();
    let capture = imported(dir.path(), "edge-7.foo.example");
    let whole = pilotctl(dir.path(), &["replay", "router.capture"]);
    assert_eq!(status(&whole), 0, "{}", said(&whole));
    let bytes = std::fs::read(&capture).unwrap();
    // into the last frame of inputs: behind it stands the end, of which nothing is left
    std::fs::write(dir.path().join("cut.capture"), &bytes[..bytes.len() - 200]).unwrap();
    let cut = pilotctl(dir.path(), &["replay", "cut.capture"]);
    assert!(status(&cut) == 3 && said(&cut).contains("bytes are no whole frame"), "{}", said(&cut));
    assert_eq!(status(&pilotctl(dir.path(), &["capture", "verify", "cut.capture"])), 3);
    // one changed byte in the head that no seal covers
    let mut changed = bytes;
    changed[11] = 1;
    std::fs::write(&capture, changed).unwrap();
    let bad = pilotctl(dir.path(), &["capture", "verify", "router.capture"]);
    assert!(status(&bad) == 1 && said(&bad).contains("damaged at byte 11"), "{}", said(&bad));
}

/// The id of a router that was imported is what it calls itself: a copy that keeps it tells what it should not.
#[test]
fn a_redacted_copy_of_an_import_knows_no_name_and_plays_to_the_same_tables() {
    let dir = tempfile::tempdir().unwrap();
    imported(dir.path(), "edge-7.foo.example");
    let exported = |file: &str| said(&pilotctl(dir.path(), &["capture", "export", file]));
    assert!(exported("router.capture").contains("edge-7.foo.example"));
    let done = pilotctl(dir.path(), &["capture", "redact", "router.capture", "copy.capture"]);
    assert!(done.status.success() && said(&done).contains("1 names of routers replaced"), "{}", said(&done));
    let copy = exported("copy.capture");
    let bytes = std::fs::read(dir.path().join("copy.capture")).unwrap();
    assert!(!copy.contains("edge-7") && !copy.contains("router.bmp") && copy.contains("\"device\":\"router-1\""), "a name is left");
    assert!(
        !bytes.windows(6).any(|w| w == b"edge-7")
            && !said(&pilotctl(dir.path(), &["capture", "info", "copy.capture"])).contains("router.bmp")
    );
    let state = |file: &str| {
        let played = pilotctl(dir.path(), &["--json", "replay", file, "--state"]);
        assert!(played.status.success(), "{}", said(&played));
        let all = String::from_utf8_lossy(&played.stdout).into_owned();
        let mut values = serde_json::Deserializer::from_str(&all).into_iter::<Value>();
        values.next().unwrap().unwrap()["network"].take()
    };
    let (before, after) = (state("router.capture"), state("copy.capture"));
    assert_eq!(after["tables"]["routers"][0]["name"], "router-1");
    for part in ["tables", "attributes", "max_paths"] {
        assert_eq!(before["tables"][part], after["tables"][part], "{part}");
    }
    assert!(before["tables"]["tables"].as_array().is_some_and(|t| t.len() > 1), "{}", before["tables"]);
    let stream = pilotctl(dir.path(), &["capture", "export", "copy.capture", "--as", "bmp", "--device", "router-1"]);
    assert!(stream.status.success() && stream.stdout.len() > 1000, "{}", String::from_utf8_lossy(&stream.stderr));
}

/// What the peers of a router sent it, as a collector's file: the same routes with the same attributes, peers and times as the BMP said, read by
/// our own reader and, where it is installed, by bgpdump.
#[test]
fn a_capture_becomes_mrt_that_says_what_the_bmp_said() {
    let dir = tempfile::tempdir().unwrap();
    imported(dir.path(), "r1");
    let lines = |out: &Output| -> Vec<Value> {
        String::from_utf8_lossy(&out.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let made = pilotctl(dir.path(), &["capture", "export", "router.capture", "--as", "mrt", "--device", "r1"]);
    assert!(made.status.success() && String::from_utf8_lossy(&made.stderr).contains(" are of another view"), "{made:?}");
    std::fs::write(dir.path().join("r1.mrt"), &made.stdout).unwrap();
    let mrt = pilotctl(dir.path(), &["decode", "mrt", "r1.mrt"]);
    assert!(mrt.status.success(), "{}", String::from_utf8_lossy(&mrt.stderr));
    // the router's own bytes, its fault with them
    let bmp = lines(&pilotctl(dir.path(), &["decode", "bmp", "router.bmp", "--repair-off", "frr_own_as_in_front"]));
    let told = |rows: &[Value]| -> Vec<Value> {
        let updates = rows.iter().filter(|r| r["type"] == "route_monitoring" || r["type"] == "update");
        let peer = |r: &Value| serde_json::json!([r["peer"]["address"], r["peer"]["asn"], r["time"]]);
        updates.map(|r| serde_json::json!([peer(r), r["announce"], r["withdraw"], r["attributes"]])).collect()
    };
    let before: Vec<Value> = bmp.iter().filter(|r| r["peer"]["view"] == "adj_rib_in_pre").cloned().collect();
    let (said, written) = (told(&before), told(&lines(&mrt)));
    assert!(said.len() > 20, "{}", said.len());
    for (said, written) in said.iter().zip(&written) {
        let mut written = written.clone();
        // MRT always has a time: of messages without one, when they came
        if said[0][2].is_null() {
            written[0][2].take();
        }
        assert_eq!(*said, written);
    }
    assert_eq!(said.len(), written.len());
    let ups = bmp.iter().filter(|r| r["type"] == "peer_up" && r["peer"]["type"] == "global").count();
    let states = lines(&mrt).iter().filter(|r| r["type"] == "state_change").count();
    assert!(states > 0 && states <= ups, "{states} of {ups}");
    // the Loc-RIB is another file
    let own = pilotctl(dir.path(), &["capture", "export", "router.capture", "--as", "mrt", "--device", "r1", "--view", "adj_rib_in_post"]);
    assert!(own.status.success() && own.stdout != made.stdout, "{own:?}");
    match Command::new("bgpdump").args(["-m", "r1.mrt"]).current_dir(dir.path()).output() {
        Ok(dumped) => {
            let rows = String::from_utf8_lossy(&dumped.stdout).lines().filter(|l| l.contains("|A|")).count();
            let announced: usize = before.iter().filter_map(|r| r["announce"].as_array()).map(Vec::len).sum();
            assert_eq!(rows, announced, "{}", String::from_utf8_lossy(&dumped.stderr));
        }
        Err(_) => println!("skipped: bgpdump is not installed"),
    }
}

#[test]
fn what_would_say_nothing_is_refused_and_json_is_all_json() {
    let dir = tempfile::tempdir().unwrap();
    imported(dir.path(), "r1");
    std::fs::write(dir.path().join("empty"), b"").unwrap();
    let refused: [(&[&str], &str); 9] = [
        (&["decode", "bmp", "empty"], "PH-CLI-083"),
        (&["decode", "mrt", "empty"], "PH-CLI-083"),
        (&["decode", "gnmi", "empty"], "PH-CLI-083"),
        (&["rib", "empty"], "PH-CLI-083"),
        (&["decode", "bmp", "router.bmp", "--format", "bgpdump"], "PH-CLI-082"),
        (&["rib", "router.bmp", "--limit", "3"], "PH-CLI-082"),
        (&["rib", "router.bmp", "--summary", "--prefix", "10.0.0.0/8"], "cannot be used with"),
        (&["capture", "export", "router.capture", "--device", "r1"], "PH-CLI-082"),
        (&["replay", "router.capture", "--from", "2100-01-01T00:00:00Z"], "PH-CLI-084"),
    ];
    for (arguments, why) in refused {
        let out = pilotctl(dir.path(), arguments);
        assert!(status(&out) == 2 && said(&out).contains(why) && out.stdout.is_empty(), "{arguments:?}: {}", said(&out));
    }
    let json: [&[&str]; 3] = [
        &["--json", "capture", "verify", "router.capture"],
        &["--json", "capture", "redact", "router.capture", "copy"],
        &["replay", "router.capture", "--decisions", "--state"],
    ];
    for arguments in json {
        let out = pilotctl(dir.path(), arguments);
        assert_eq!(status(&out), 0, "{}", said(&out));
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let all: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(&text).into_iter::<Value>().collect();
        assert!(all.is_ok_and(|all| !all.is_empty()), "{arguments:?}: {text}");
    }
}

#[test]
fn what_cannot_be_read_is_unusable_and_beside_what_can_it_is_partly_done() {
    let dir = tempfile::tempdir().unwrap();
    recorded(dir.path(), "r1");
    std::fs::write(dir.path().join("noise"), b"neither this nor that").unwrap();
    let import = |files: &[&str]| pilotctl(dir.path(), &[&["import"], files].concat());
    assert_eq!(status(&import(&["router.bmp"])), 0);
    let noise = import(&["noise"]);
    assert!(status(&noise) == 2 && said(&noise).contains("PH-CLI-051"), "{}", said(&noise));
    assert_eq!(status(&import(&["noise", "router.bmp"])), 3);
    assert_eq!(status(&import(&["missing"])), 2);
}

/// A collector for BMP that was started, and what it printed until it was told to stop by SIGTERM.
fn collected(folder: &Path, more: &[&str], sessions: &[&[u8]]) -> (String, String) {
    use std::io::{BufRead, BufReader, Read, Write};
    let mut command = Command::new(env!("CARGO_BIN_EXE_pilotctl"));
    command.args(["collect", "--bmp", "127.0.0.1:0", "--allow", "127.0.0.1"]).args(more).current_dir(folder);
    // into a file: a pipe that nobody reads is full before the first session is printed
    let printed = folder.join("printed");
    command.stdout(std::fs::File::create(&printed).unwrap()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut first = String::new();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    errors.read_line(&mut first).unwrap();
    let address = first.trim().strip_prefix("BMP on ").unwrap_or_else(|| panic!("{first}")).to_owned();
    for bytes in sessions {
        let mut router = std::net::TcpStream::connect(&address).unwrap();
        router.write_all(bytes).unwrap();
        router.shutdown(std::net::Shutdown::Write).unwrap();
        // all of it has been read when the other side closes
        router.set_read_timeout(Some(std::time::Duration::from_secs(120))).unwrap();
        assert_eq!(router.read(&mut [0; 1]).unwrap(), 0, "a station says nothing (RFC 7854 §3.2)");
    }
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    let mut rest = String::new();
    errors.read_to_string(&mut rest).unwrap();
    (rest, std::fs::read_to_string(printed).unwrap())
}

#[test]
fn a_session_knows_nothing_of_the_one_before_it_and_a_stop_by_sigterm_is_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let whole = std::fs::read(recorded(dir.path(), "r1")).unwrap();
    let initiation = [&[3, 0, 0, 0, 12, 4][..], &[0, 2, 0, 2, b'r', b'1']].concat();
    let (rest, printed) = collected(dir.path(), &[], &[&whole, &initiation]);
    assert!(rest.contains(" observations"), "{rest}");
    let objects: Vec<Value> = printed.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let started: Vec<u64> = objects.iter().filter(|o| o["type"] == "initiation").filter_map(|o| o["offset"].as_u64()).collect();
    assert_eq!(started, [0, 0], "offsets are those of a session");
    let offsets: Vec<u64> = objects.iter().filter(|o| o["type"] == "peer_up").filter_map(|o| o["offset"].as_u64()).collect();
    assert!(!offsets.is_empty() && offsets.iter().all(|o| *o > 0) && offsets.is_sorted(), "{offsets:?}");
    // a recording ends with its mark
    collected(dir.path(), &["--record", "new.capture"], &[&whole]);
    let info = said(&pilotctl(dir.path(), &["capture", "info", "new.capture"]));
    assert!(info.contains("closed in order"), "{info}");
}

#[test]
fn a_play_says_where_it_stands_what_is_cut_off_and_how_it_is_reached() {
    use std::io::BufRead;
    let dir = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(imported(dir.path(), "r1")).unwrap();
    std::fs::write(dir.path().join("cut.capture"), &bytes[..bytes.len() - 200]).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_pilotctl"));
    command.arg("--data").arg(dir.path()).args(["serve", "--replay", "cut.capture", "--listen", "127.0.0.1:0"]).current_dir(dir.path());
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut told = String::new();
    for line in std::io::BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        told += &format!("{line}\n");
        // the last: a link where the window is built, else where the commands are taken
        if line.contains("http://127.0.0.1:") {
            break;
        }
    }
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    assert!(child.wait().unwrap().success(), "{told}");
    for what in ["it stands at its beginning", "bytes are no whole frame", "http://127.0.0.1:"] {
        assert!(told.contains(what), "{what}: {told}");
    }
    assert!(told.contains("open http") || told.contains("`make ui` builds it"), "{told}");
}

#[test]
fn a_socket_that_a_killed_engine_left_is_no_engine() {
    let dir = tempfile::tempdir().unwrap();
    drop(std::os::unix::net::UnixListener::bind(dir.path().join("engine.sock")).unwrap());
    let out = pilotctl(dir.path(), &["status"]);
    assert!(status(&out) == 2 && said(&out).contains("PH-CLI-001") && said(&out).contains("pilotctl serve"), "{}", said(&out));
}

#[test]
fn what_is_cut_off_a_capture_is_told_by_an_export_too() {
    let dir = tempfile::tempdir().unwrap();
    let capture = imported(dir.path(), "r1");
    let whole = pilotctl(dir.path(), &["capture", "export", "router.capture"]);
    assert_eq!(status(&whole), 0, "{}", said(&whole));
    let bytes = std::fs::read(&capture).unwrap();
    std::fs::write(dir.path().join("cut.capture"), &bytes[..bytes.len() - 40]).unwrap();
    let cut = pilotctl(dir.path(), &["capture", "export", "cut.capture"]);
    assert_eq!(status(&cut), 3, "{}", said(&cut));
    assert!(String::from_utf8_lossy(&cut.stderr).contains("bytes"), "{}", String::from_utf8_lossy(&cut.stderr));
}

#[test]
fn a_file_is_made_only_where_its_folder_is() {
    let dir = tempfile::tempdir().unwrap();
    imported(dir.path(), "r1");
    for arguments in [
        &["import", "router.bmp", "--capture", "nowhere/else/new.capture"][..],
        &["import", "--kafka", "127.0.0.1:1", "--topics", "nowhere/else/new.jsonl"],
        &["import", "--kafka", "127.0.0.1:1", "--capture", "nowhere/else/new.capture"],
        &["capture", "redact", "router.capture", "nowhere/else/copy.capture"],
        &["collect", "--bmp", "127.0.0.1:0", "--record", "nowhere/else/new.capture"],
    ] {
        let out = pilotctl(dir.path(), arguments);
        assert!(
            status(&out) == 2 && said(&out).contains("PH-CLI-076") && said(&out).contains("there is no folder nowhere/else"),
            "{arguments:?}: {}",
            said(&out)
        );
    }
    assert!(!dir.path().join("nowhere").exists());
}

#[test]
fn what_there_is_to_choose_from_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let view = pilotctl(dir.path(), &["rib", "x", "--view", "nope"]);
    assert_eq!(status(&view), 2);
    for name in ["adj_rib_in_pre", "adj_rib_in_post", "adj_rib_out_pre", "adj_rib_out_post", "loc_rib"] {
        assert!(String::from_utf8_lossy(&view.stderr).contains(name), "{}", said(&view));
        // each of them is one
        assert!(said(&pilotctl(dir.path(), &["rib", "x", "--view", name])).contains("PH-CLI-020"));
    }
    let nothing = pilotctl(dir.path(), &["serve"]);
    assert_eq!(status(&nothing), 2);
    for way in ["--inventory", "--lab", "--replay"] {
        assert!(said(&nothing).contains(way), "{}", said(&nothing));
    }
    let huge = pilotctl(dir.path(), &["settings", "set", "approval.ttl_s", "99999999999999999999999"]);
    assert!(status(&huge) == 2 && said(&huge).contains("99999999999999999999999 is out of bounds: 10 s to 1 h"), "{}", said(&huge));
}

#[test]
fn a_file_of_topics_is_read_like_the_topics() {
    let dir = tempfile::tempdir().unwrap();
    let line = |topic: &str, offset: u64, value: &str| {
        format!("{{\"topic\":\"{topic}\",\"offset\":{offset},\"time\":\"2026-08-12T10:15:0{offset}.000000000Z\",\"value\":{value}}}\n")
    };
    let killed = r#"{"event":"killed","stopped":true,"by":"uid:0 anna"}"#;
    let known = serde_json::from_str::<pilot::Happening>(killed).is_ok();
    let text: String = (0..5)
        .map(|n| line("bgp.events.peer", n, &format!("{{\"type\":\"peer_up\",\"n\":{n}}}")))
        .chain([line("bgp.agent.actions", 7, killed)])
        .collect();
    std::fs::write(dir.path().join("night.jsonl"), text).unwrap();
    let events = |arguments: &[&str]| {
        let out = pilotctl(dir.path(), &[&["events", "--file", "night.jsonl"], arguments].concat());
        assert!(out.status.success(), "{}", said(&out));
        String::from_utf8_lossy(&out.stdout).lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let numbers = |lines: &[String]| -> Vec<u64> {
        lines.iter().map(|l| serde_json::from_str::<Value>(l).unwrap()["offset"].as_u64().unwrap()).collect()
    };
    assert_eq!(numbers(&events(&[])), [0, 1, 2, 3, 4, 7]);
    assert_eq!(numbers(&events(&["--topic", "bgp.events.peer", "--last", "2"])), [3, 4]);
    assert_eq!(numbers(&events(&["--topic", "bgp.events.peer", "--last", "2", "--from", "1"])), [1, 2]);
    assert_eq!(events(&["--past"]).len(), usize::from(known));
    assert!(known, "the words of this test are not those of the topic any more");
    std::fs::write(dir.path().join("bad.jsonl"), "{\"topic\":\"x\"}\n").unwrap();
    let bad = pilotctl(dir.path(), &["events", "--file", "bad.jsonl"]);
    assert!(status(&bad) == 2 && said(&bad).contains("PH-CLI-077") && said(&bad).contains("line 1"), "{}", said(&bad));
}
