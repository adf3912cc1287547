//! Flow export and syslog in a real lab: what softflowd tells of the lab's traffic, against the traffic that was sent; and a commit that a
//! router reports, on the timeline.

use super::{Engine, Lab, json, turn, wait};
use network::{Reconciled, Toward};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Bytes of a packet of the lab's traffic as IP counts them, and as the generator counts its rate: with the Ethernet header.
const IP_BYTES: u64 = 1228;
const LINK_BYTES: u64 = 1242;
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

/// What the generators send: bit/s of IP by prefix of the tables, longest match.
fn sent(lab: &Lab, prefixes: &[bgp::Prefix]) -> BTreeMap<bgp::Prefix, u64> {
    let mut out = BTreeMap::new();
    for node in ["r4", "r5"] {
        let text = std::fs::read(lab.1.run_dir.join(format!("traffic-{node}.json"))).unwrap();
        let lab::traffic::Config::Source { flows, .. } = serde_json::from_slice(&text).unwrap() else { panic!("no source") };
        for flow in flows {
            let prefix = prefixes.iter().filter(|p| p.contains(flow.to)).max_by_key(|p| p.length()).unwrap();
            *out.entry(*prefix).or_default() += flow.rate_bps * IP_BYTES / LINK_BYTES;
        }
    }
    out
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
    println!("{reconciled:#}");
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
    let sent = sent(&lab, &r1.loc_rib.keys().copied().collect::<Vec<_>>());
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
            // of n packets one in N is looked at: three standard deviations of what the rest may be
            let packets = (bps * 60 / 8 / IP_BYTES).max(1) as f64;
            allowed = allowed.max((3.0 * ((SAMPLING - 1) as f64 / packets).sqrt() * *bps as f64) as u64);
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
        let Reconciled::Gap { unattributed_permille, .. } = gap else { panic!("{}: {gap:?}", exit.id) };
        assert!(unattributed_permille < 200, "{}: {gap:?}", exit.id);
    }
}
