//! `pilotctl twin` as a user runs it, on small cases made here.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const R1: &str = "interface r1-eth0\n ip address 10.0.1.1/24\nexit\n\
route-map IN deny 10\n match rpki invalid\nexit\nroute-map IN permit 20\n match rpki valid\n set local-preference 200\nexit\nroute-map IN permit 30\nexit\n\
router bgp 65001\n bgp router-id 1.1.1.1\n no bgp ebgp-requires-policy\n neighbor 10.0.1.2 remote-as 65002\n address-family ipv4 unicast\n  \
neighbor 10.0.1.2 route-map IN in\n exit-address-family\nexit\n";
const X: &str = "interface x-eth0\n ip address 10.0.1.2/24\nexit\n\
router bgp 65002\n bgp router-id 2.2.2.2\n no bgp ebgp-requires-policy\n no bgp network import-check\n neighbor 10.0.1.1 remote-as 65001\n \
address-family ipv4 unicast\n  network 192.0.2.0/24\n  network 198.51.100.0/24\n  network 203.0.113.0/24\n exit-address-family\nexit\n";
const CASE: &str = r#"{"routers":["r1","x"],"links":{"s1":["r1","x"]}}"#;
/// Far in the future: the tests do not age.
const LATER: u64 = 9_999_999_999;

fn case(folder: &Path) {
    for (name, text) in [("r1", R1), ("x", X)] {
        let dir = folder.join("configs").join(name);
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("frr.conf"), text).unwrap();
    }
    std::fs::write(folder.join("case.json"), CASE).unwrap();
}

fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn vrps(expires: u64) -> String {
    format!(
        r#"{{"metadata":{{}},"roas":[{{"prefix":"192.0.2.0/24","maxLength":24,"asn":"AS65002","expires":{LATER}}},
        {{"prefix":"198.51.100.0/24","maxLength":24,"asn":"AS65099","expires":{expires}}}]}}"#
    )
}

fn pilotctl(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pilotctl")).args(arguments).current_dir(folder).output().unwrap()
}

fn said(out: &Output) -> (String, String, Option<i32>) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&out.stdout), text(&out.stderr), out.status.code())
}

#[test]
fn origins_are_validated_by_a_file_and_by_local_exceptions() {
    let folder = tempfile::tempdir().unwrap();
    case(folder.path());
    file(folder.path(), "vrps.json", &vrps(LATER));
    let (out, err, status) = said(&pilotctl(&["twin", "solve", ".", "--router", "r1", "--vrps", "vrps.json"], folder.path()));
    assert_eq!(status, Some(0), "{out}{err}");
    assert!(err.contains("origin validation by 2 VRPs of vrps.json (made when the file was written: it does not say)"), "{err}");
    assert!(out.contains("> 192.0.2.0/24 from 10.0.1.2 via 10.0.1.2 path [65002] Igp lp 200"), "{out}");
    assert!(!out.contains("198.51.100.0/24"), "invalid, and the policy rejects it: {out}");
    assert!(out.contains("> 203.0.113.0/24 from 10.0.1.2 via 10.0.1.2 path [65002] Igp med 0"), "not found, and kept: {out}");
    // an exception of ours over the same file
    let slurm = r#"{"slurmVersion":1,"validationOutputFilters":{"prefixFilters":[{"asn":65099}],"bgpsecFilters":[]},
        "locallyAddedAssertions":{"prefixAssertions":[{"asn":65002,"prefix":"203.0.113.0/24"}],"bgpsecAssertions":[]}}"#;
    file(folder.path(), "slurm.json", slurm);
    let over = ["twin", "solve", ".", "--router", "r1", "--vrps", "vrps.json", "--slurm", "slurm.json"];
    let (out, err, status) = said(&pilotctl(&over, folder.path()));
    assert_eq!(status, Some(0), "{out}{err}");
    assert!(err.contains("with local exceptions of slurm.json (1 filters, 1 added)"), "{err}");
    assert!(out.contains("> 198.51.100.0/24 from 10.0.1.2 via 10.0.1.2 path [65002] Igp med 0"), "{out}");
    assert!(out.contains("> 203.0.113.0/24 from 10.0.1.2 via 10.0.1.2 path [65002] Igp lp 200"), "{out}");
    let explained = ["twin", "solve", ".", "--router", "r1", "--prefix", "192.0.2.0/24", "--explain", "--vrps", "vrps.json"];
    let (out, ..) = said(&pilotctl(&explained, folder.path()));
    assert!(out.contains("import IN permit 20 (set local-preference 200)") && out.contains("RPKI valid"), "{out}");
}

/// Neither "not found" nor "valid": what is not known is said and decides nothing.
#[test]
fn no_data_and_expired_data_are_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    case(folder.path());
    let (out, _, status) = said(&pilotctl(&["twin", "solve", ".", "--router", "r1"], folder.path()));
    assert_eq!(status, Some(3), "{out}");
    assert!(out.contains("r1: IN 10: match rpki invalid: no VRPs are known; what it decides is not known"), "{out}");
    assert!(!out.contains("203.0.113.0/24"), "{out}");
    // one of two payloads expired: only what it would matter for is not known
    file(folder.path(), "vrps.json", &vrps(1_700_000_000));
    let (out, err, _) = said(&pilotctl(&["twin", "solve", ".", "--router", "r1", "--vrps", "vrps.json"], folder.path()));
    assert!(err.contains("1 VRPs of vrps.json (made when the file was written: it does not say), 1 more have expired"), "{err}");
    // what does not say its age has that of the file
    let undated = std::fs::File::options().write(true).open(folder.path().join("vrps.json")).unwrap();
    undated.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(90_000)).unwrap();
    let (_, err, status) = said(&pilotctl(&["twin", "solve", ".", "--vrps", "vrps.json"], folder.path()));
    assert!(status == Some(3) && err.contains("the VRPs were made 25 hours ago"), "{err}");
    assert!(out.contains("192.0.2.0/24") && out.contains("203.0.113.0/24") && !out.contains("198.51.100.0/24"), "{out}");
    file(folder.path(), "old.json", &vrps(LATER).replace("\"metadata\":{}", "\"metadata\":{\"generated\":1700000000}"));
    let (_, err, status) = said(&pilotctl(&["twin", "solve", ".", "--vrps", "old.json"], folder.path()));
    assert_eq!(status, Some(3), "{err}");
    assert!(err.contains("origin validation is unavailable: old.json: the VRPs were made"), "{err}");
    let (_, err, status) = said(&pilotctl(&["twin", "solve", ".", "--rtr", "127.0.0.1:1"], folder.path()));
    assert_eq!(status, Some(3), "{err}");
    assert!(err.contains("unavailable: 127.0.0.1:1: PH-COLL-050"), "{err}");
}

#[test]
fn a_check_says_which_new_origin_is_invalid() {
    let folder = tempfile::tempdir().unwrap();
    case(folder.path());
    file(folder.path(), "vrps.json", &vrps(LATER));
    file(
        folder.path(),
        "change.json",
        r#"{"router":"r1","config":["router bgp 65001","address-family ipv4 unicast","no neighbor 10.0.1.2 route-map IN in"]}"#,
    );
    let (out, err, status) = said(&pilotctl(&["twin", "check", ".", "--change", "change.json", "--vrps", "vrps.json"], folder.path()));
    assert_eq!(status, Some(1), "{out}{err}");
    assert!(out.contains("198.51.100.0/24") && out.contains("origin AS 65002: invalid"), "{out}");
    let (out, ..) = said(&pilotctl(&["twin", "check", ".", "--change", "change.json"], folder.path()));
    assert!(out.contains("not judged K17 origin validation: origin validation data is not known"), "{out}");
    // asked for and not to be had: what nobody judged is no pass
    file(folder.path(), "old.json", &vrps(LATER).replace("\"metadata\":{}", "\"metadata\":{\"generated\":1700000000}"));
    file(folder.path(), "change.json", r#"{"router":"r1","config":["router bgp 65001","neighbor 10.0.1.2 description x"]}"#);
    for from in [["--vrps", "old.json"], ["--rtr", "127.0.0.1:1"]] {
        let (out, err, status) = said(&pilotctl(&[&["twin", "check", ".", "--change", "change.json"][..], &from].concat(), folder.path()));
        assert_eq!(status, Some(3), "{out}{err}");
        assert!(out.contains("not judged K17") && !out.contains("pass  K17"), "{out}");
        let (out, ..) = said(&pilotctl(&[&["--json", "twin", "check", ".", "--change", "change.json"][..], &from].concat(), folder.path()));
        let checks: serde_json::Value = serde_json::from_str(&out).unwrap();
        let of = |id: &str| checks.as_array().unwrap().iter().find(|c| c["id"] == id).cloned().unwrap_or_default();
        assert_eq!((&of("K17")["verdict"], &of("UNMODELLED")["verdict"]), (&"not_judged".into(), &"not_judged".into()), "{out}");
        let said = of("UNMODELLED")["sentence"].as_str().unwrap_or_default().to_owned();
        assert!(said.contains("origin validation is unavailable") && said.contains("match rpki invalid"), "{out}");
    }
}

#[test]
fn lines_that_nothing_here_knows_are_no_pass() {
    let folder = tempfile::tempdir().unwrap();
    case(folder.path());
    file(folder.path(), "change.json", r#"{"router":"r1","config":["nonsense blah"]}"#);
    let (out, err, status) = said(&pilotctl(&["twin", "check", ".", "--change", "change.json"], folder.path()));
    assert_eq!(status, Some(3), "{out}{err}");
    assert!(out.contains("not modelled") && out.contains("nonsense blah"), "{out}");
    // what the change is held against, and how far its router reaches
    assert!(out.contains(" eBGP") && out.contains("structural reach of r1 "), "{out}");
}

#[test]
fn a_bad_file_is_named_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    case(folder.path());
    file(folder.path(), "bad.csv", "ASN,IP Prefix,Max Length\nAS65002,192.0.2.0/24,23\n");
    let refused = |arguments: &[&str]| {
        let (out, err, status) = said(&pilotctl(arguments, folder.path()));
        assert_eq!(status, Some(2), "{out}{err}");
        err
    };
    let error = refused(&["twin", "solve", ".", "--vrps", "bad.csv"]);
    assert!(error.starts_with("PH-CLI-064 bad.csv: line 2: the longest length 23 does not fit 192.0.2.0/24"), "{error}");
    file(folder.path(), "bits.csv", "ASN,IP Prefix,Max Length\nAS65002,192.0.2.1/24,24\n");
    let error = refused(&["twin", "solve", ".", "--vrps", "bits.csv"]);
    assert!(error.starts_with("PH-CLI-064 bits.csv: line 2: \"192.0.2.1/24\" is not a prefix: it has bits beyond"), "{error}");
    file(folder.path(), "slurm.json", r#"{"slurmVersion":2}"#);
    let error = refused(&["twin", "solve", ".", "--rtr", "127.0.0.1:1", "--slurm", "slurm.json"]);
    assert!(error.contains("slurm.json: SLURM version 2; version 1 is read"), "{error}");
    assert!(refused(&["twin", "solve", ".", "--slurm", "slurm.json"]).contains("SLURM version 2"));
}

#[test]
fn steps_of_a_case_are_typed_and_judged() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../io/case/tests/cases/lines-typed");
    let (out, err, status) = said(&pilotctl(&["twin", "solve", ".", "--steps"], &own));
    assert_eq!(status, Some(0), "{out}{err}");
    assert!(out.ends_with("6 of 6 expectations met\n"), "{out}");
    let tables = |step: &str| said(&pilotctl(&["twin", "solve", ".", "--step", step], &own)).0;
    assert_eq!(tables("0"), said(&pilotctl(&["twin", "solve", "."], &own)).0);
    assert_ne!(tables("0"), tables("7"), "lines that were typed change the tables");
    let (_, err, status) = said(&pilotctl(&["twin", "solve", ".", "--step", "99"], &own));
    assert_eq!((status, err.contains("PH-CLI-065")), (Some(2), true), "{err}");
}

#[test]
fn a_prefix_that_nobody_has_is_an_error_that_names_near_ones() {
    let folder = tempfile::tempdir().unwrap();
    case(folder.path());
    file(folder.path(), "vrps.json", &vrps(LATER));
    let solve = |more: &[&str]| {
        let out = pilotctl(&[&["twin", "solve", ".", "--vrps", "vrps.json"][..], more].concat(), folder.path());
        said(&out)
    };
    for explain in [&[][..], &["--explain"]] {
        let (out, err, status) = solve(&[&["--prefix", "192.0.2.0/25"][..], explain].concat());
        assert_eq!((status, out.as_str()), (Some(2), ""), "{err}");
        assert!(err.contains("PH-CLI-079 no router has a path to 192.0.2.0/25; near it are 192.0.2.0/24"), "{err}");
        let (_, err, _) = solve(&[&["--prefix", "195.0.0.0/16"][..], explain].concat());
        assert!(err.contains("near it are 192.0.2.0/24, 198.51.100.0/24"), "{err}");
        let (_, err, _) = solve(&[&["--prefix", "2001:db8::/32"][..], explain].concat());
        assert!(err.contains("no table has a prefix of its family"), "{err}");
    }
    // there, but not at this router; why is what an explanation says
    let here = ["--prefix", "198.51.100.0/24", "--router", "r1"];
    let (out, err, status) = solve(&here);
    assert_eq!(status, Some(1), "{out}{err}");
    assert!(err.contains("r1 has no path to 198.51.100.0/24; there is one at x"), "{err}");
    let (out, ..) = solve(&[&here[..], &["--explain"]].concat());
    assert!(out.contains("import policy IN term 10 rejects it"), "{out}");
    let (_, err, status) = solve(&["--router", "r9"]);
    assert_eq!(status, Some(2), "{err}");
    assert!(err.contains("PH-CLI-061") && err.contains("there are r1, x"), "{err}");
}

/// Two neighbours announce the same; which path is older nobody knows.
#[test]
fn notes_on_the_order_of_arrival_are_of_what_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let outside = |name: &str, net: u8, asn: u32| {
        format!(
            "interface {name}-eth0\n ip address 10.0.{net}.2/24\nexit\nrouter bgp {asn}\n bgp router-id 2.2.2.{net}\n no bgp ebgp-requires-policy\n \
            no bgp network import-check\n neighbor 10.0.{net}.1 remote-as 65001\n address-family ipv4 unicast\n  network 192.0.2.0/24\n  \
            network 198.51.100.0/24\n exit-address-family\nexit\n"
        )
    };
    let r1 = "interface r1-eth0\n ip address 10.0.1.1/24\nexit\ninterface r1-eth1\n ip address 10.0.2.1/24\nexit\n\
        router bgp 65001\n bgp router-id 1.1.1.1\n no bgp ebgp-requires-policy\n neighbor 10.0.1.2 remote-as 65002\n neighbor 10.0.2.2 remote-as 65003\nexit\n";
    for (name, text) in [("r1", r1.to_owned()), ("x", outside("x", 1, 65002)), ("y", outside("y", 2, 65003))] {
        let dir = folder.path().join("configs").join(name);
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("frr.conf"), text).unwrap();
    }
    file(folder.path(), "case.json", r#"{"routers":["r1","x","y"],"links":{"s1":["r1","x"],"s2":["r1","y"]}}"#);
    let notes = |more: &[&str]| {
        let (out, err, _) = said(&pilotctl(&[&["twin", "solve", "."][..], more].concat(), folder.path()));
        let notes: Vec<String> = out.lines().filter(|l| l.contains("depends on the order of arrival")).map(str::to_owned).collect();
        (notes, out + &err)
    };
    let (all, out) = notes(&[]);
    assert!(all.iter().any(|n| n.contains("192.0.2.0/24")) && all.iter().any(|n| n.contains("198.51.100.0/24")), "{out}");
    let (one, out) = notes(&["--prefix", "192.0.2.0/24"]);
    assert!(!one.is_empty() && one.iter().all(|n| n.contains("192.0.2.0/24")), "{out}");
    let (there, out) = notes(&["--router", "r1"]);
    assert!(!there.is_empty() && there.iter().all(|n| n.starts_with("r1 ")), "{out}");
    let (elsewhere, out) = notes(&["--router", "x"]);
    assert!(elsewhere.iter().all(|n| n.starts_with("x ")) && elsewhere.len() < all.len(), "{out}");
}

#[test]
fn a_change_that_does_not_mean_what_it_says_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    case(folder.path());
    let refused = |text: &str| {
        file(folder.path(), "change.json", text);
        let (out, err, status) = said(&pilotctl(&["twin", "check", ".", "--change", "change.json"], folder.path()));
        assert_eq!(status, Some(2), "{out}{err}");
        err
    };
    let announce = |router: &str, within: &str, length: u8, count: u32| {
        format!(
            "{{\n \"announce\": {{\n  \"router\": \"{router}\",\n  \"within\": \"{within}\",\n  \"length\": {length}, \"count\": {count}\n }}\n}}\n"
        )
    };
    let error = refused(&announce("r9", "32.0.0.0/8", 24, 2));
    assert!(error.starts_with("PH-CLI-063 change.json: line 3: there is no router \"r9\" here; there are r1, x"), "{error}");
    let error = refused(&announce("x", "32.0.0.0/8", 7, 1));
    assert!(error.contains("change.json: line 4: no prefix of length 7 lies within \"32.0.0.0/8\"; lengths are 8 to 32"), "{error}");
    let error = refused(&announce("x", "32.0.0.0/24", 25, 3));
    assert!(error.contains("change.json: line 4: count 3: only 2 prefixes of length 25"), "{error}");
    let flow = |then: &str| format!("{{\"router\":\"r1\",\n\"flowspec\":{{\"destination\":\"192.0.2.1/32\",\n\"then\":\"{then}\"}}}}");
    let error = refused(&flow("burn"));
    assert!(error.contains("change.json: line 3: there is no FlowSpec action \"burn\" (RFC 8955 §7); there are discard"), "{error}");
    let error = refused(&flow("rate-limit fast"));
    assert!(error.contains("line 3: there is no FlowSpec action \"rate-limit fast\""), "{error}");
    for known in ["discard", "rate-limit 0", "redirect 65001:100", "mark 46"] {
        file(folder.path(), "change.json", &flow(known));
        let (out, err, status) = said(&pilotctl(&["twin", "check", ".", "--change", "change.json"], folder.path()));
        assert!(status == Some(3) || status == Some(1), "{known}: {out}{err}");
    }
}
