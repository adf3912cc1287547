//! Flow export and syslog in a real lab: what softflowd tells of the lab's traffic, against the traffic that was sent; and a commit that a
//! router reports, on the timeline.

use super::{Engine, Lab, json, turn, wait};
use network::{Reconciled, Toward};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Bytes of a packet of the lab's traffic as IP counts them.
const IP_BYTES: u64 = 1228;
/// One packet of so many is looked at on this exit.
const SAMPLING: u64 = 4;
const SAMPLED: &str = "r2-ispc";

/// Starts softflowd in a router, on the interface of an exit.
fn softflowd(lab: &Lab, exit: &network::ExitSpec, sampled: bool, dir: &Path) -> Engine {
    let space = lab.1.namespace(exit.device.as_str());
    let index = Command::new("ip").args(["netns", "exec", &space, "cat", &format!("/sys/class/net/{}/ifindex", exit.interface)]).output();
    let index = String::from_utf8_lossy(&index.unwrap().stdout).trim().to_owned();
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &space, "softflowd", "-d", "-i", &format!("{index}:{}", exit.interface), "-v", "9"]);
    command.args(["-n", &format!("10.99.0.254:{}", lab::relay::FLOW_PORT), "-t", "maxlife=10", "-t", "expint=3"]);
    command.arg("-c").arg(dir.join(format!("{}.ctl", exit.id))).arg("-p").arg(dir.join(format!("{}.pid", exit.id)));
    if sampled {
        command.args(["-s", &SAMPLING.to_string()]);
    }
    let log = std::fs::File::create(dir.join(format!("{}.log", exit.id))).unwrap();
    Engine(command.stdout(Stdio::null()).stderr(log).spawn().unwrap())
}

/// Reads once a second what the generators have sent by now, until it is dropped: what was meant to be sent is another thing on a busy machine.
struct Ledger {
    snapshots: Arc<Mutex<Vec<Vec<lab::traffic::Sent>>>>,
    stop: Arc<AtomicBool>,
}

impl Ledger {
    fn of(run_dir: PathBuf) -> Self {
        let out = Self { snapshots: Arc::default(), stop: Arc::default() };
        let (snapshots, stop) = (Arc::clone(&out.snapshots), Arc::clone(&out.stop));
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let read = ["r4", "r5"].map(|n| lab::traffic::Sent::beside(&run_dir.join(format!("traffic-{n}.json"))));
                if let [Ok(a), Ok(b)] = read {
                    snapshots.lock().unwrap().push(vec![a, b]);
                }
                std::thread::sleep(Duration::from_secs(1));
            }
        });
        out
    }

    /// Mean bit/s of IP by prefix of the tables (longest match) from `begin`, over one minute.
    fn sent(&self, begin_ns: u64, prefixes: &[bgp::Prefix]) -> BTreeMap<bgp::Prefix, u64> {
        let snapshots = self.snapshots.lock().unwrap();
        let mut out = BTreeMap::new();
        for source in 0..2 {
            let at = |ns: u64| snapshots.iter().map(|s| &s[source]).min_by_key(|s| s.at_ns.abs_diff(ns)).unwrap();
            let (first, last) = (at(begin_ns), at(begin_ns + 60_000_000_000));
            assert!(last.at_ns - first.at_ns > 50_000_000_000, "the minute was not seen whole");
            for (to, packets) in &last.packets {
                let prefix = prefixes.iter().filter(|p| p.contains(*to)).max_by_key(|p| p.length()).unwrap();
                let sent = packets - first.packets.get(to).copied().unwrap_or(0);
                let bps = u128::from(sent * IP_BYTES * 8) * 1_000_000_000 / u128::from(last.at_ns - first.at_ns);
                *out.entry(*prefix).or_default() += bps as u64;
            }
        }
        out
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

#[test]
fn flow_export_tells_the_traffic_that_was_sent_and_a_commit_stands_on_the_timeline() {
    let Some((_turn, data)) = turn("flow") else { return };
    if ["softflowd", "logger"].iter().any(|p| Command::new(p).arg("--help").output().is_err()) {
        println!("skipped: softflowd or logger is not installed");
        return;
    }
    let data = data.path();
    let up = json(data, &["lab", "up"]).expect("the lab does not come up");
    let id = up["id"].as_str().unwrap().to_owned();
    let lab = Lab(data.to_owned(), lab::netns::LabInstance::load(&data.join("labs").join(&id)).unwrap());
    let ledger = Ledger::of(lab.1.run_dir.clone());
    let engine = Engine::with(data, &id, &["--flow", "127.0.0.1:0", "--syslog", "127.0.0.1:0"]);
    wait("the tables", Duration::from_secs(60), || {
        let status = json(data, &["status"])?;
        status["devices"].as_array()?.iter().all(|d| d["gnmi"] == "synced").then_some(())
    });
    let exits = lab.1.inventory.exits.clone();
    let _exporters: Vec<Engine> = exits.iter().map(|e| softflowd(&lab, e, e.id.as_str() == SAMPLED, data)).collect();

    // a person at a router commits, and the router says so, in the words of Junos
    let said = "mgd[91373]: UI_COMMIT: User 'lab' requested 'commit' operation (comment: \x1b[31mmaintenance)";
    let mut logger = Command::new("ip");
    logger.args(["netns", "exec", &lab.1.namespace("r1"), "logger", "--rfc3164", "-d", "-n", "10.99.0.254", "-P"]);
    logger.args([&lab::relay::SYSLOG_PORT.to_string(), "-t", "mgd", said]);
    assert!(logger.status().unwrap().success());
    let entry = wait("the commit on the timeline", Duration::from_secs(20), || {
        let entries = json(data, &["events", "--past"])?;
        entries.as_array()?.iter().find(|e| e["kind"] == "device").cloned()
    });
    let line = entry["text"].as_str().unwrap();
    assert!(line.starts_with("r1 says by syslog: the configuration was committed by \"lab\""), "{line}");
    assert!(!line.contains('\x1b'), "{line}");

    // a whole minute, told to its end
    let reconciled = wait("a complete minute of flows", Duration::from_secs(330), || {
        let volumes = json(data, &["status", "--volumes"])?;
        let told = |e: &serde_json::Value| e["flow_bps"].as_f64().is_some();
        volumes["exits"].as_array()?.iter().filter(|e| e["direction"] == "out").all(told).then_some(volumes)
    });
    println!("doors: {}", reconciled["doors"]);
    engine.stop();
    let digest = std::fs::read_to_string(data.join("engine.log")).unwrap();

    // the same from the capture, and exactly so
    let capture = std::fs::read_dir(data.join("captures")).unwrap().map(|f| f.unwrap().path()).max().unwrap();
    assert!(digest.contains(capture::Replay::run(&capture, None, |_| {}).unwrap().state_hash().as_str()), "{digest}");
    let mut pilot = pilot::Pilot::default();
    for entry in capture::Reader::<pilot::Input>::open(&capture).unwrap() {
        let entry = entry.unwrap();
        drop(pilot.handle(entry.seq, entry.at, entry.body));
    }
    let state = pilot.state();
    let rates = state.network.flows.rates(state.now);
    let r1 = &state.network.devices[&"r1".into()];
    let minute = state.network.flows.minute(state.now).expect("no complete minute").nanos() as u64;
    let sent = ledger.sent(minute, &r1.loc_rib.keys().copied().collect::<Vec<_>>());
    let (mut told, mut sampled): (BTreeMap<bgp::Prefix, u64>, BTreeSet<bgp::Prefix>) = Default::default();
    for ((exit, toward, prefix), bps) in &rates {
        if *toward == Toward::Outside {
            *told.entry(*prefix).or_default() += bps;
            if exit.as_str() == SAMPLED {
                sampled.insert(*prefix);
            }
        }
    }
    let (mut sent_there, mut told_there) = (0, 0);
    for (prefix, bps) in &sent {
        let told = told.get(prefix).copied().unwrap_or(0);
        println!("{prefix}: sent {bps} bit/s, told {told}{}", if sampled.contains(prefix) { ", sampled" } else { "" });
        let mut allowed = bps / 10;
        if sampled.contains(prefix) {
            // of n packets one in N is looked at: four standard deviations of what the rest may be, for sixty prefixes a run
            let packets = (bps * 60 / 8 / IP_BYTES).max(1) as f64;
            allowed = allowed.max((4.0 * ((SAMPLING - 1) as f64 / packets).sqrt() * *bps as f64) as u64);
            (sent_there, told_there) = (sent_there + bps, told_there + told);
        }
        assert!(told.abs_diff(*bps) <= allowed, "{prefix}: sent {bps} bit/s, told {told}, {allowed} more or less allowed");
    }
    println!("over the sampled exit: sent {sent_there} bit/s, told {told_there}");
    assert!(sent_there > 1_000_000 && told_there.abs_diff(sent_there) * 10 <= sent_there, "sampling is not honoured");
    for exit in &exits {
        let gap = state.network.flows.reconcile(&state.network, exit, Toward::Outside, state.now);
        println!("{}: {gap:?}", exit.id);
        // probes and BGP itself are in the counters too, and headers of layer 2
        // where packets are sampled, what they stand for may be a little more than what was there
        let (attributed, counted) = match gap {
            Reconciled::Gap { attributed_bps, counted_bps, unattributed_permille } => {
                // on an exit that carries next to nothing, BGP and probes are a large part
                let little = counted_bps.saturating_sub(attributed_bps) < 5_000;
                assert!(unattributed_permille < 200 || little, "{}: {gap:?}", exit.id);
                continue;
            }
            Reconciled::OverAttributed { attributed_bps, counted_bps } if exit.id.as_str() == SAMPLED => (attributed_bps, counted_bps),
            _ => panic!("{}: {gap:?}", exit.id),
        };
        assert!(attributed * 10 <= counted * 11, "{}: {gap:?}", exit.id);
    }
}
