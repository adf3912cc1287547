//! `pilotctl decode pcap|mrt` as a user runs them, on files made here: plain, compressed, cut, damaged.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test says no by panicking")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const INITIATION: [u8; 10] = [3, 0, 0, 0, 10, 4, 0, 2, 0, 0];

fn pilotctl(arguments: &[&str], file: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pilotctl")).args(arguments).arg(file).output().unwrap()
}

fn said(output: &Output) -> (Option<i32>, Vec<String>, String) {
    let kind = |l: &str| serde_json::from_str::<serde_json::Value>(l).unwrap()["type"].as_str().unwrap().to_owned();
    let kinds = std::str::from_utf8(&output.stdout).unwrap().lines().map(kind).collect();
    (output.status.code(), kinds, String::from_utf8(output.stderr.clone()).unwrap())
}

fn packets(payloads: &[&[u8]]) -> Vec<u8> {
    let mut out = [&0xA1B2_C3D4_u32.to_le_bytes()[..], &[2, 0, 4, 0], &[0; 8], &[0, 0, 4, 0], &[1, 0, 0, 0]].concat();
    let mut sequence = 1_u32;
    for payload in payloads {
        let tcp = [&[0x30, 0, 0x06, 0xFE][..], &sequence.to_be_bytes(), &[0; 4], &[0x50, 16], &[0; 6], payload].concat();
        sequence += u32::try_from(payload.len()).unwrap();
        let length = u16::try_from(20 + tcp.len()).unwrap().to_be_bytes();
        let ip = [&[0x45, 0][..], &length, &[0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2], &tcp].concat();
        let frame = [&[2; 12][..], &[8, 0], &ip].concat();
        let length = u32::try_from(frame.len()).unwrap().to_le_bytes();
        out.extend([&[9, 0, 0, 0, 0, 0, 0, 0][..], &length, &length, &frame].concat());
    }
    out
}

fn record(kind: u16, subtype: u16, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&1_000_000_000_u32.to_be_bytes()[..], &kind.to_be_bytes(), &subtype.to_be_bytes(), &length, body].concat()
}

fn table(peers: &[u8]) -> Vec<u8> {
    let index = record(13, 1, &[&[9, 9, 9, 9, 0, 1, b'v', 0, 1, 2, 1, 1, 1, 1, 10, 0, 0, 1][..], &65001_u32.to_be_bytes()].concat());
    let attributes = [0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xFD, 0xE9, 0x40, 3, 4, 10, 0, 0, 1];
    let entries: Vec<u8> = peers.iter().flat_map(|p| [&[0, *p, 0, 0, 0, 5, 0, 20][..], &attributes].concat()).collect();
    let count = u8::try_from(peers.len()).unwrap();
    [index, record(13, 2, &[&[0, 0, 0, 0, 24, 203, 0, 113, 0, count][..], &entries].concat())].concat()
}

fn compressions(bytes: &[u8], name: &str, folder: &Path) -> Vec<PathBuf> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(bytes).unwrap();
    let all = [
        ("", bytes.to_vec()),
        (".gz", gzip.finish().unwrap()),
        (".bz2", bzip2.finish().unwrap()),
        (".zst", zstd::encode_all(bytes, 1).unwrap()),
    ];
    let write = |(ending, bytes): (&str, Vec<u8>)| {
        let path = folder.join(format!("{name}{ending}"));
        std::fs::write(&path, bytes).unwrap();
        path
    };
    all.into_iter().map(write).collect()
}

#[test]
fn every_compression_gives_the_same_objects() {
    let folder = tempfile::tempdir().unwrap();
    for (format, bytes, kinds) in
        [("pcap", packets(&[&INITIATION, &INITIATION]), ["initiation", "initiation"]), ("mrt", table(&[0]), ["peer_index", "rib_entry"])]
    {
        let outputs: Vec<Output> = compressions(&bytes, format, folder.path()).iter().map(|f| pilotctl(&["decode", format], f)).collect();
        assert_eq!(said(&outputs[0]), (Some(0), kinds.map(str::to_owned).to_vec(), String::new()));
        assert!(outputs.iter().all(|o| o.stdout == outputs[0].stdout && o.status.success()));
    }
}

#[test]
fn a_cut_end_says_where_and_is_partly_done() {
    let folder = tempfile::tempdir().unwrap();
    for (format, bytes, kind, place) in
        [("pcap", packets(&[&INITIATION, &INITIATION]), "initiation", "byte 104"), ("mrt", table(&[0]), "peer_index", "byte 34")]
    {
        let file = folder.path().join(format);
        std::fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
        let (status, kinds, error) = said(&pilotctl(&["decode", format], &file));
        assert_eq!((status, kinds), (Some(3), vec![kind.to_owned()]));
        assert!(error.contains("PH-CLI-024") && error.contains(place) && error.contains("is printed"), "{error}");
        // nothing before the cut: unreadable
        std::fs::write(&file, &bytes[..11]).unwrap();
        let (status, kinds, error) = said(&pilotctl(&["decode", format], &file));
        assert_eq!((status, kinds.len()), (Some(2), 0), "{error}");
        assert!(error.contains("PH-CLI-024"), "{error}");
    }
}

#[test]
fn an_unknown_peer_costs_its_own_entry_in_both_texts() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("table");
    std::fs::write(&file, table(&[0, 7])).unwrap();
    let (status, kinds, _) = said(&pilotctl(&["decode", "mrt"], &file));
    assert_eq!((status, kinds), (Some(3), ["peer_index", "rib_entry", "malformed"].map(str::to_owned).to_vec()));
    let lines = pilotctl(&["decode", "mrt", "--format", "bgpdump"], &file);
    let text = String::from_utf8(lines.stdout).unwrap();
    assert_eq!((lines.status.code(), text.lines().count()), (Some(3), 1), "{text}");
    assert!(text.starts_with("TABLE_DUMP2|1000000000|B|10.0.0.1|65001|203.0.113.0/24|65001|IGP|10.0.0.1|"), "{text}");
    assert!(String::from_utf8(lines.stderr).unwrap().contains("PH-CLI-025"));
}

fn wrapped(router: [u8; 4], bmp: &[u8]) -> Vec<u8> {
    let names = [&[9; 16][..], &[0, 2, b'c', b'1'], &[8; 16], &router, &[0; 12], &[0, 0], &[0, 0, 0, 1]].concat();
    let header = u16::try_from(12 + 10 + names.len()).unwrap().to_be_bytes();
    let length = u32::try_from(bmp.len()).unwrap().to_be_bytes();
    [&b"OBMP"[..], &[1, 7], &header, &length, &[0x80, 12, 0x3b, 0x9a, 0xca, 0, 0, 0, 0, 5], &names, bmp].concat()
}

#[test]
fn what_another_collector_wrapped_is_unwrapped_by_router() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("raw_bmp");
    let bytes =
        [wrapped([192, 0, 2, 1], &INITIATION), wrapped([192, 0, 2, 2], &INITIATION), wrapped([192, 0, 2, 1], &[3, 0, 0, 0, 9, 4])].concat();
    std::fs::write(&file, &bytes).unwrap();
    let output = pilotctl(&["decode", "bmp"], &file);
    let objects: Vec<serde_json::Value> =
        std::str::from_utf8(&output.stdout).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let routers: Vec<_> = objects.iter().map(|o| (o["type"].as_str().unwrap(), o["router"].as_str().unwrap())).collect();
    assert_eq!(routers, [("initiation", "192.0.2.1"), ("initiation", "192.0.2.2"), ("malformed", "192.0.2.1")]);
    assert_eq!((output.status.code(), &objects[0]["collected"]), (Some(3), &"2001-09-09T01:46:40.000005000Z".into()));
    std::fs::write(&file, &bytes[..bytes.len() - 20]).unwrap();
    let (status, kinds, error) = said(&pilotctl(&["decode", "bmp"], &file));
    assert_eq!((status, kinds.len()), (Some(3), 2), "{error}");
    assert!(error.contains("inside the OpenBMP message at byte"), "{error}");
}

/// A peer of AS 65002 whose route has the sender's own AS 65001 in front.
fn own_as_in_front() -> Vec<u8> {
    let peer = [&[0, 0][..], &[0; 20], &[10, 0, 0, 2], &65002_u32.to_be_bytes(), &[10, 0, 0, 2], &[0; 8]].concat();
    let path = [0x40, 2, 10, 2, 2, 0, 0, 0xFD, 0xE9, 0, 0, 0xFD, 0xEA];
    let attributes = [&[0x40, 1, 1, 0][..], &path, &[0x40, 3, 4, 10, 0, 0, 2]].concat();
    let body = [&[0, 0, 0, u8::try_from(attributes.len()).unwrap()][..], &attributes, &[24, 203, 0, 113]].concat();
    let update = [&[0xFF; 16][..], &u16::try_from(19 + body.len()).unwrap().to_be_bytes(), &[2], &body].concat();
    [&[3][..], &u32::try_from(6 + peer.len() + update.len()).unwrap().to_be_bytes(), &[0], &peer, &update].concat()
}

#[test]
fn a_correction_is_made_unless_it_is_switched_off() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stream");
    std::fs::write(&file, own_as_in_front()).unwrap();
    let path = |arguments: &[&str]| {
        let object: serde_json::Value = serde_json::from_slice(&pilotctl(arguments, &file).stdout).unwrap();
        object["attributes"]["as_path"].as_str().unwrap().to_owned()
    };
    assert_eq!(path(&["decode", "bmp", "--own-as", "65001"]), "65002");
    assert_eq!(path(&["decode", "bmp", "--own-as", "65001", "--repair-off", "frr_own_as_in_front"]), "65001 65002");
    let refused = pilotctl(&["decode", "bmp", "--repair-off", "everything"], &file);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("is no correction that can be switched off"));
}

/// What was read stays, what was not is named, and the next file is read all the same.
#[test]
fn a_stream_that_loses_its_framing_keeps_what_came_before_and_the_next_file_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let lost = file("lost.bmp", &[&INITIATION[..], &[9; 20]].concat());
    let whole = file("whole.bmp", &INITIATION);
    let noise = file("noise.bmp", &[9; 20]);
    let (status, kinds, error) = said(&pilotctl(&["decode", "bmp"], &lost));
    assert_eq!((status, kinds.len()), (Some(3), 1), "{error}");
    assert!(error.contains("PH-CLI-021") && error.contains("what came before it is printed"), "{error}");
    let (status, kinds, error) = said(&pilotctl(&["decode", "bmp"], &noise));
    assert_eq!((status, kinds.len()), (Some(2), 0), "{error}");
    assert!(error.contains("nothing came before it"), "{error}");
    let (status, kinds, error) = said(&pilotctl(&["decode", "bmp", noise.to_str().unwrap()], &whole));
    assert_eq!((status, kinds.len()), (Some(3), 1), "{error}");
    assert!(error.contains("noise.bmp"), "{error}");
    let summary = pilotctl(&["rib", "--summary"], &lost);
    assert_eq!(summary.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&summary.stderr).contains("what came before it is kept"));
}

/// A full disk is no success.
#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let stream = PathBuf::from("../../../tests/recordings/seed/bmp/r1.bmp");
    for verb in [&["decode", "bmp"][..], &["rib"], &["rib", "--summary"], &["import"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pilotctl"));
        let output = command.args(verb).arg(&stream).stdout(full()).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && error.contains("PH-CLI-022"), "{verb:?}: {:?} {error}", output.status);
        // and nobody may be there to hear of it
        let mut command = Command::new(env!("CARGO_BIN_EXE_pilotctl"));
        let output = command.args(verb).arg(&stream).stdout(full()).stderr(full()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{verb:?}");
    }
}

/// What is compared with the golden files message by message (`bmp --test golden`) is what is printed.
#[test]
fn every_stream_is_printed_as_the_objects_that_are_compared_with_the_goldens() {
    let own = PathBuf::from("../../../tests/recordings");
    let corpus = PathBuf::from("../../../../shared/data/bmp/streams");
    if !corpus.exists() {
        println!("only our own recordings: no captures at {}", corpus.display());
    }
    let mut folders = vec![own, corpus];
    let (mut streams, mut messages) = (0, 0);
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).into_iter().flatten().map(|e| e.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.extension().is_none_or(|e| e != "bmp") {
                continue;
            }
            let (mut framer, mut codec) = (bmp::Framer::new(), bmp::Codec::default());
            framer.push(&std::fs::read(&path).unwrap());
            let mut expected = Vec::new();
            while let Some(frame) = framer.next() {
                let frame = frame.unwrap();
                expected.push(match bmp::decode(&frame.bytes, &mut codec) {
                    Ok(message) => bmp::json::message(&message, frame.offset),
                    Err(error) => bmp::json::malformed(&error, &frame.bytes, frame.offset),
                });
            }
            let output = pilotctl(&["decode", "bmp"], &path);
            let printed: Vec<serde_json::Value> =
                std::str::from_utf8(&output.stdout).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
            assert!(printed == expected, "{}: {}", path.display(), String::from_utf8_lossy(&output.stderr));
            streams += 1;
            messages += printed.len();
        }
    }
    println!("{messages} messages of {streams} streams");
    assert!(streams > 0 && messages > 100, "{messages} messages of {streams} streams");
}

#[test]
fn messages_that_a_public_collector_wrapped_are_read() {
    let file = PathBuf::from("../../../../shared/data/bmp/openbmp_wrapped.hex");
    let Ok(text) = std::fs::read_to_string(&file) else {
        println!("skipped: no captures at {}", file.display());
        return;
    };
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    // a message a line, as they lay in Kafka; the first has a line feed behind it that its two lengths do not count
    let message = |line: &str| -> Vec<u8> {
        let bytes: Vec<u8> = line.as_bytes().chunks_exact(2).map(byte).collect();
        let header = usize::from(u16::from_be_bytes([bytes[6], bytes[7]]));
        let length = header + u32::from_be_bytes(bytes[8..12].try_into().unwrap()) as usize;
        assert!(bytes.len() - length <= 1, "{} bytes for {length}", bytes.len());
        bytes[..length].to_vec()
    };
    let folder = tempfile::tempdir().unwrap();
    let unwrapped = folder.path().join("raw_bmp");
    std::fs::write(&unwrapped, text.split_whitespace().flat_map(message).collect::<Vec<u8>>()).unwrap();
    let (status, kinds, error) = said(&pilotctl(&["decode", "bmp"], &unwrapped));
    assert_eq!((status, kinds), (Some(0), ["peer_down", "route_monitoring"].map(str::to_owned).to_vec()), "{error}");
}

#[test]
fn import_names_what_a_file_holds_and_the_verb_that_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let capture = [&b"PHCAP\r\n\x1a"[..], &[0, 1, 0, 0]].concat();
    for (name, bytes, status, format, next) in [
        ("bmp", [INITIATION, INITIATION].concat(), 0, "bmp", "rib"),
        ("wrapped", wrapped([192, 0, 2, 1], &INITIATION), 0, "open_bmp", "decode bmp"),
        ("mrt", table(&[0]), 0, "mrt", "decode mrt"),
        ("half", table(&[0, 3]), 3, "mrt", "decode mrt"),
        ("pcap", packets(&[&INITIATION]), 0, "pcap", "decode pcap"),
        ("gnmi", br#"[{"syncResponse": true}]"#.to_vec(), 0, "gnmi", "decode gnmi"),
        ("capture", capture, 0, "capture", "replay"),
        ("noise", b"\x7fELF and more".to_vec(), 2, "unknown", ""),
        ("none", Vec::new(), 2, "empty", ""),
    ] {
        for file in compressions(&bytes, name, folder.path()) {
            let output = pilotctl(&["--json", "import"], &file);
            let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!((output.status.code(), &object["found"]["format"]), (Some(status), &format.into()), "{name}: {object}");
            assert!(object["next"].as_str().unwrap_or_default().contains(next), "{object}");
        }
        let text = pilotctl(&["import"], &folder.path().join(name));
        assert!(!text.stdout.is_empty() && text.status.code() == Some(status), "{name}");
    }
    let object: serde_json::Value = serde_json::from_slice(&pilotctl(&["--json", "import"], &folder.path().join("half")).stdout).unwrap();
    assert_eq!(object["found"]["kinds"], serde_json::json!({"malformed": 1, "peer_index": 1, "rib_entry": 1}));
    assert_eq!(object["found"]["speakers"], serde_json::json!(["10.0.0.1"]));
    assert_eq!(object["found"]["left_out"], serde_json::json!(["1 records or entries: malformed"]));
}

#[test]
fn bmp_in_a_packet_capture_becomes_a_capture_that_replays() {
    let folder = tempfile::tempdir().unwrap();
    let (file, capture) = (folder.path().join("two.pcap"), folder.path().join("two.capture"));
    std::fs::write(&file, packets(&[&INITIATION, &[3, 0, 0, 0, 6, 5]])).unwrap();
    let run = |arguments: &[&std::ffi::OsStr]| Command::new(env!("CARGO_BIN_EXE_pilotctl")).args(arguments).output().unwrap();
    let import = run(&["--json".as_ref(), "import".as_ref(), file.as_ref(), "--capture".as_ref(), capture.as_ref()]);
    assert!(import.status.success(), "{}", String::from_utf8_lossy(&import.stderr));
    let told: serde_json::Value = serde_json::from_slice(&import.stdout).unwrap();
    assert_eq!((told["messages"].as_u64(), &told["routers"]), (Some(2), &serde_json::json!(["10.0.0.1"])));
    let replay = run(&["--json".as_ref(), "replay".as_ref(), capture.as_ref()]);
    let replay: serde_json::Value = serde_json::from_slice(&replay.stdout).unwrap();
    assert_eq!((&replay["inputs"], &replay["diverged"]), (&told["inputs"], &serde_json::json!([])));
    // by number, where no state was kept: played from the beginning, and that is said
    let from = ["replay", "--from", "input:3", "--decisions"].map(std::ffi::OsStr::new);
    let late = run(&[&from[..], &[capture.as_ref()]].concat());
    assert!(late.status.success() && String::from_utf8_lossy(&late.stderr).contains("no state was kept before it"), "{late:?}");
    let wrong = run(&["replay".as_ref(), "--until".as_ref(), "input:x".as_ref(), capture.as_ref()]);
    assert!(wrong.status.code() == Some(2) && String::from_utf8_lossy(&wrong.stderr).contains("no number of an input"), "{wrong:?}");
    let info = run(&["capture".as_ref(), "info".as_ref(), capture.as_ref()]);
    let info = String::from_utf8_lossy(&info.stdout).into_owned();
    assert!(info.contains("bytes were read") && info.contains("closed in order") && info.contains("site two.pcap"), "{info}");
    let mrt = folder.path().join("table.mrt");
    std::fs::write(&mrt, table(&[0])).unwrap();
    let refused = run(&["import".as_ref(), mrt.as_ref(), "--capture".as_ref(), folder.path().join("no").as_ref()]);
    assert!(refused.status.code() == Some(2) && String::from_utf8_lossy(&refused.stderr).contains("PH-IMP-003"), "{refused:?}");
}
