//! The whole picture of a running lab against what its routers say of themselves. Set `PILOTHOUSE_LAB_DIR` to the lab's directory (the
//! one with `lab.json`); its engine address is taken for the time of the test, so no engine may be attached.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use action::DeviceId;
use bmp::View;
use collector::{BmpListener, Target, dial};
use core::net::IpAddr;
use core::time::Duration;
use network::{Freshness, Inventory, Network, Observation, SessionState};
use serde_json::Value;
use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use units::Timestamp;

/// How long the first picture may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long it is watched afterwards, for rates and probes.
const WATCHED: Duration = Duration::from_secs(8);

fn now() -> Timestamp {
    Timestamp::EPOCH.plus(SystemTime::now().duration_since(UNIX_EPOCH).unwrap())
}

struct Lab {
    run_dir: PathBuf,
    inventory: Inventory,
    secrets: BTreeMap<String, String>,
}

impl Lab {
    fn open() -> Option<Self> {
        let Ok(dir) = std::env::var("PILOTHOUSE_LAB_DIR").map(PathBuf::from) else {
            println!("skipped: PILOTHOUSE_LAB_DIR names no running lab");
            return None;
        };
        let read = |name: &str| serde_json::from_slice::<Value>(&std::fs::read(dir.join(name)).unwrap()).unwrap();
        let lab = read("lab.json");
        Some(Self {
            run_dir: lab["run_dir"].as_str().unwrap().into(),
            inventory: serde_json::from_value(lab["inventory"].clone()).unwrap(),
            secrets: serde_json::from_value(read("secrets.json")).unwrap(),
        })
    }

    fn attach(&self, engine: &str) {
        let mailbox = self.run_dir.join(format!("test-{}.sock", std::process::id()));
        let socket = UnixDatagram::bind(&mailbox).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
        socket.send_to(engine.as_bytes(), self.run_dir.join("relay.sock")).unwrap();
        let mut answer = [0; 16];
        let n = socket.recv(&mut answer).unwrap();
        std::fs::remove_file(mailbox).unwrap();
        assert_eq!(&answer[..n], b"ok");
    }

    /// The routes that the router itself shows, per prefix.
    fn shows(&self, device: &DeviceId, what: &str) -> BTreeMap<String, Vec<Value>> {
        shows(&self.run_dir.join(device.as_str()), what)
    }
}

fn shows(dir: &Path, what: &str) -> BTreeMap<String, Vec<Value>> {
    let output = Command::new("vtysh").arg("--vty_socket").arg(dir).args(["-d", "bgpd", "-c", &format!("show bgp {what} json")]).output();
    let json: Value = serde_json::from_slice(&output.unwrap().stdout).unwrap();
    let routes = json.get("routes").or_else(|| json.get("receivedRoutes")).and_then(Value::as_object).cloned().unwrap_or_default();
    routes.into_iter().map(|(p, v)| (p, v.as_array().cloned().unwrap_or_else(|| vec![v]))).collect()
}

async fn step(network: &mut Network, rx: &mut mpsc::Receiver<Observation>) {
    match tokio::time::timeout(Duration::from_millis(100), rx.recv()).await {
        Ok(observation) => network.observe(&observation.expect("the collector lives"), now()),
        Err(_) => network.tick(now()),
    }
}

const PRE: (View, &str) = (View::AdjRibInPre, "received-routes");
const POST: (View, &str) = (View::AdjRibInPost, "routes");
const FAMILIES: [&str; 2] = ["ipv4", "ipv6"];

/// Compares the best routes of every router, and the tables of every external session.
fn compare(lab: &Lab, network: &Network, views: &[(View, &str)]) -> (usize, usize) {
    let (mut best, mut received) = (0, 0);
    for spec in &lab.inventory.devices {
        let device = &network.devices[&spec.id];
        let mut wanted = BTreeMap::new();
        for family in FAMILIES {
            for (prefix, paths) in lab.shows(&spec.id, &format!("{family} unicast")) {
                if let Some(path) = paths.iter().find(|p| p["bestpath"] == true) {
                    let local_pref = path.get("locPrf").and_then(Value::as_u64);
                    wanted.insert(prefix, (path["path"].as_str().unwrap().to_owned(), local_pref));
                }
            }
        }
        let seen: BTreeMap<_, _> = device
            .loc_rib
            .iter()
            .map(|(p, r)| (p.to_string(), (r.attributes.as_path.to_string(), r.attributes.local_pref.map(u64::from))))
            .collect();
        let mut differing: Vec<_> = wanted.iter().filter(|(p, w)| seen.get(*p).is_none_or(|s| s.0 != w.0)).collect();
        differing.extend(seen.iter().filter(|(p, _)| !wanted.contains_key(*p)));
        assert!(differing.is_empty(), "{}: {} best routes differ, such as {:?}", spec.id, differing.len(), differing.first());
        best += seen.len();
    }
    for exit in &lab.inventory.exits {
        let device = &network.devices[&exit.device];
        for neighbor in &exit.neighbors {
            assert_eq!(device.sessions[neighbor].state, SessionState::Established, "{neighbor} on {}", exit.device);
            let family = if neighbor.is_ipv4() { "ipv4" } else { "ipv6" };
            for (view, command) in views {
                let shown = lab.shows(&exit.device, &format!("{family} unicast neighbors {neighbor} {command}"));
                received += same_table(device, *neighbor, *view, &shown);
            }
        }
    }
    (best, received)
}

fn same_table(device: &network::Device, neighbor: IpAddr, view: View, shown: &BTreeMap<String, Vec<Value>>) -> usize {
    let path = |v: &Value| v["path"].as_str().or_else(|| v["asPath"].as_str()).unwrap_or_default().to_owned();
    let wanted: BTreeMap<String, String> = shown.iter().map(|(p, v)| (p.clone(), path(&v[0]))).collect();
    let rib = device.adj_ribs.get(&(neighbor, view));
    let seen: BTreeMap<String, String> =
        rib.into_iter().flat_map(|r| r.iter()).map(|(p, a)| (p.to_string(), a.as_path.to_string())).collect();
    let only = |a: &BTreeMap<String, String>, b: &BTreeMap<String, String>| {
        a.iter().filter(|(p, v)| b.get(*p) != Some(v)).map(|(p, v)| format!("{p} {v}")).collect::<Vec<_>>()
    };
    let (lost, invented) = (only(&wanted, &seen), only(&seen, &wanted));
    assert!(lost.is_empty() && invented.is_empty(), "{neighbor} {view:?}: router only {lost:?}, we only {invented:?}");
    seen.len()
}

#[tokio::test]
async fn the_picture_of_a_running_lab_is_what_its_routers_show() {
    let Some(lab) = Lab::open() else { return };
    let listener = BmpListener::bind("127.0.0.1:0".parse().unwrap(), &lab.inventory).await.unwrap();
    let engine = listener.local_address().unwrap().to_string();
    let (tx, mut rx) = mpsc::channel(1024);
    for (spec, seed) in lab.inventory.devices.iter().zip(1..) {
        let secret = &spec.gnmi.as_ref().unwrap().credential.as_ref().unwrap().secret;
        let target = Target::new(&lab.inventory, &spec.id, lab.secrets.get(secret).cloned()).unwrap();
        tokio::spawn(dial(target, seed, tx.clone()));
    }
    tokio::spawn(listener.run(tx));
    lab.attach(&engine);
    let mut network = Network::new(lab.inventory.clone());
    let begun = Instant::now();
    let synced = |f: Freshness| matches!(f, Freshness::Synced { .. });
    loop {
        let late = |s: &&network::DeviceSpec| {
            let d = &network.devices[&s.id];
            (s.bmp.is_some() && !synced(d.bmp)) || !synced(d.gnmi)
        };
        let waiting: Vec<_> = lab.inventory.devices.iter().filter(late).map(|s| s.id.to_string()).collect();
        if waiting.is_empty() {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{waiting:?} not synced within {PATIENCE:?}");
        step(&mut network, &mut rx).await;
    }
    println!("synced after {:?}", begun.elapsed());
    let end = Instant::now() + WATCHED;
    while Instant::now() < end {
        step(&mut network, &mut rx).await;
    }
    for (id, device) in &network.devices {
        let g = &device.gnmi_session;
        println!(
            "{id}: bmp {} messages, malformed {}, repairs {:?}; gnmi {} notifications, wrong type {}, unread {}; cpu {:?} memory {:?}",
            device.bmp_session.counts.messages,
            device.malformed,
            device.repairs.iter().map(|(n, r)| format!("{n}={}", r.count)).collect::<Vec<_>>(),
            g.notifications,
            g.wrong_type,
            g.unread,
            device.cpu,
            device.memory
        );
        assert_eq!((device.malformed, g.wrong_type), (0, 0), "{:?}", device.last_malformed);
        assert!(device.interfaces.values().any(|i| i.rate_bps.is_some()), "{id} has rates");
    }
    let (best, received) = compare(&lab, &network, &[PRE, POST]);
    println!("{best} best routes and {received} received routes are the routers' own; bogons {:?}", network.bogons());
    for key in network.probes.keys() {
        let w = network.probe_window(key, now(), 60);
        println!("{}: {} of {} arrived, {:?} ms", key.name(), w.received, w.sent, w.delay_ms);
    }
    // every session of one edge is reset: two Peer Downs each, and the tables again
    let edge = &lab.inventory.exits[0].device;
    let shell =
        Command::new("vtysh").arg("--vty_socket").arg(lab.run_dir.join(edge.as_str())).args(["-d", "bgpd", "-c", "clear bgp *"]).status();
    assert!(shell.unwrap().success());
    let begun = Instant::now();
    let settled = |network: &Network| {
        let d = &network.devices[edge];
        d.sessions.values().all(|s| s.flaps > 0 && s.state == SessionState::Established && now().since(s.since) > WATCHED)
    };
    while !settled(&network) {
        assert!(begun.elapsed() < PATIENCE, "{edge} did not come back: {:?}", network.devices[edge].sessions);
        step(&mut network, &mut rx).await;
    }
    // FRR 8.4.4 withdraws a route after policy while its next hop is not resolved yet, and often does not announce it when it is: after a
    // reset that view of its is not whole (seen), so only the one before policy can be held to the router's word.
    let (best, received) = compare(&lab, &network, &[PRE]);
    println!("{best} best routes and {received} received routes are the routers' own after a reset, {:?} later", begun.elapsed());
    lab.attach("none");
}
