//! Every decoder, fuzzed for a quarter of a minute from seeds of our own. `scripts/fuzz.sh run 3600` goes on for longer.
//!
//! The targets are built by `scripts/fuzz.sh build` (instrumented, apart from everything else); without them the tests say "skipped".

use std::path::{Path, PathBuf};
use std::process::Command;

/// Seconds for each target.
const SECONDS: &str = "15";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn fuzz(name: &str) {
    if std::env::var_os("PILOTHOUSE_FUZZERS").is_none() {
        println!("skipped: {name}: PILOTHOUSE_FUZZERS names no fuzz targets (scripts/fuzz.sh build makes them)");
        return;
    }
    let run = Command::new(root().join("scripts/fuzz.sh")).args(["run", SECONDS, name]).output().unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}{}", String::from_utf8_lossy(&run.stderr));
    println!("{said}");
    // "NAME: 12345 inputs in 15 s": a target that is stuck, or does nothing with what it gets, is no test. How many there are is the
    // machine's: a busy one tried 968 where another tries thousands.
    let inputs: u64 = said.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or_default();
    assert!(inputs > 100, "{said}");
}

macro_rules! targets {
    ($($name:ident),+ $(,)?) => {
        $(#[test] fn $name() { fuzz(stringify!($name)); })+

        #[test]
        fn no_target_is_left_out() {
            let manifest = std::fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
            let named: Vec<&str> = manifest.lines().filter_map(|l| l.strip_prefix("path = \"targets/")?.strip_suffix(".rs\"")).collect();
            assert_eq!(named, [$(stringify!($name)),+]);
        }
    };
}

targets!(
    bmp_stream,
    bmp_update,
    gnmi_notification,
    netconf_session,
    frr_configuration,
    config_vendors,
    openconfig_document,
    capture_file,
    flow_datagrams,
    syslog_stream,
    packet_capture,
    mrt_file,
    gnmi_dump,
    rib_intake,
    recognised_file,
    rtr_stream,
    rpki_file,
);
