//! The flow listener against softflowd and pmacctd: what they tell of traffic that really crossed a link, per prefix, sampled and not.
//!
//! `root ── a ── b`: traffic goes from a to b, the exporter in a watches that link and exports to us over the other.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

mod peer;

use bgp::Prefix;
use collector::{FlowBatch, FlowListener};
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use flow::{FlowRecord, Protocol};
use peer::{PATIENCE, Peer, program};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;
use tokio::sync::mpsc;

/// (prefix, an address in it, datagrams, IP bytes of each).
const TRAFFIC: [(&str, &str, u64, u64); 2] = [("203.0.113.0/24", "203.0.113.9", 4000, 1028), ("198.18.0.0/16", "198.18.7.7", 2000, 528)];
/// One datagram of so many in softflowd's sampled cases; it takes every tenth.
const RATE: u64 = 10;
/// The same of pmacctd, which samples by chance: of 2000 datagrams 1000 ± 22 are taken, so that 10 % are more than four deviations away.
const CHANCE: u64 = 2;

static NEXT: AtomicU32 = AtomicU32::new(0);

fn run(line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let out = Command::new(words[0]).args(&words[1..]).output().unwrap();
    assert!(out.status.success(), "{line}: {}", String::from_utf8_lossy(&out.stderr));
}

/// Two namespaces that end with the test; the links go with them.
struct Site {
    a: String,
    b: String,
    /// Our end of the link to a, and a's.
    ours: IpAddr,
    exporter: IpAddr,
}

impl Site {
    fn new() -> Self {
        let (run_id, n) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let (a, b) = (format!("phf{run_id}a{n}"), format!("phf{run_id}b{n}"));
        let net = format!("169.254.{}.{}", 64 + run_id % 128, n * 4);
        let address = |host: u32| net.rsplit_once('.').map(|(front, _)| format!("{front}.{}", n * 4 + host)).unwrap();
        let (up, down) = (format!("pf{}r{n}", run_id % 100_000), format!("pf{}a{n}", run_id % 100_000));
        let site = Self { a: a.clone(), b: b.clone(), ours: address(1).parse().unwrap(), exporter: address(2).parse().unwrap() };
        run(&format!("ip netns add {a}"));
        run(&format!("ip netns add {b}"));
        run(&format!("ip link add {up} type veth peer name {down} netns {a}"));
        run(&format!("ip address add {}/30 dev {up}", site.ours));
        run(&format!("ip link set {up} up"));
        run(&format!("ip -n {a} address add {}/30 dev {down}", site.exporter));
        run(&format!("ip -n {a} link set {down} up"));
        run(&format!("ip -n {a} link add watched type veth peer name far netns {b}"));
        run(&format!("ip -n {a} address add 10.77.0.1/24 dev watched"));
        run(&format!("ip -n {b} address add 10.77.0.2/24 dev far"));
        run(&format!("ip -n {a} link set watched up"));
        run(&format!("ip -n {b} link set far up"));
        run(&format!("ip -n {a} route add default via 10.77.0.2"));
        site
    }

    /// Sends the traffic from a, in bursts of one prefix after the other.
    fn send(&self) {
        let script = "import socket,sys,time\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\nfor i in range(int(sys.argv[2])):\n \
                      s.sendto(b'x'*(int(sys.argv[3])-28),(sys.argv[1],9000))\n if i%50==49: time.sleep(0.002)\n";
        for (_, address, count, bytes) in TRAFFIC {
            let mut command = Command::new("ip");
            command.args(["netns", "exec", &self.a, "python3", "-c", script, address, &count.to_string(), &bytes.to_string()]);
            let out = command.output().unwrap();
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        for name in [&self.a, &self.b] {
            let _ = Command::new("ip").args(["netns", "delete", name]).status();
        }
    }
}

/// Says whether namespaces can be made here, and why not.
fn may_run(programs: &[&str]) -> bool {
    let root = Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout.starts_with(b"0"));
    if !root {
        println!("skipped: network namespaces need root");
        return false;
    }
    if ["ip", "python3"].iter().chain(programs).any(|p| program(p).is_none()) {
        return false;
    }
    let name = format!("phf{}t{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let made = Command::new("ip").args(["netns", "add", &name]).status().is_ok_and(|s| s.success());
    let _ = Command::new("ip").args(["netns", "delete", &name]).status();
    if !made {
        println!("skipped: this machine makes no network namespaces");
    }
    made
}

fn sums(records: &[FlowRecord], prefix: &str) -> (u64, u64, u64) {
    let prefix: Prefix = prefix.parse().unwrap();
    let inside = records.iter().filter(|r| r.destination.is_some_and(|d| prefix.contains(d)));
    inside.fold((0, 0, 0), |(raw, bytes, packets), r| (raw + r.bytes, bytes + r.scaled_bytes, packets + r.scaled_packets))
}

async fn told(version: &str, protocol: Protocol, sampled: bool) {
    if !may_run(&["softflowd", "softflowctl"]) {
        return;
    }
    let (site, dir) = (Site::new(), tempfile::tempdir().unwrap());
    let listener = FlowListener::bind(SocketAddr::new(site.ours, 0), [(site.exporter, "r1".into())].into()).unwrap();
    let (address, counters) = (listener.local_address().unwrap(), listener.counters());
    let (tx, mut rx) = mpsc::channel::<FlowBatch>(1024);
    tokio::spawn(listener.run(tx));

    let control = dir.path().join("ctl");
    let mut softflowd = Command::new("ip");
    softflowd.args(["netns", "exec", &site.a, "softflowd", "-d", "-i", "watched", "-v", version, "-n", &address.to_string(), "-c"]);
    softflowd.arg(&control).arg("-p").arg(dir.path().join("pid"));
    if sampled {
        softflowd.args(["-s", &RATE.to_string()]);
    }
    let mut runs = Peer::start(&mut softflowd, &dir.path().join("log"));
    let ask = |what: &str| {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &site.a, "softflowctl", "-c"]).arg(&control).arg(what);
        command.output().is_ok_and(|o| o.status.success())
    };
    let end = Instant::now() + PATIENCE;
    while !ask("statistics") {
        assert!(Instant::now() < end, "softflowd: {}", std::fs::read_to_string(dir.path().join("log")).unwrap_or_default());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    site.send();
    let mut records: Vec<FlowRecord> = Vec::new();
    let seen = |records: &[FlowRecord]| TRAFFIC.iter().all(|(prefix, ..)| sums(records, prefix).0 > 0);
    while !seen(&records) {
        assert!(Instant::now() < end, "no flows of both prefixes: {records:?} {counters:?}");
        assert!(ask("expire-all"), "softflowd ended");
        while let Ok(Some(batch)) = tokio::time::timeout(Duration::from_millis(300), rx.recv()).await {
            records.extend(batch.records);
        }
    }
    runs.kill();
    judge(&records, &site, protocol, if sampled { RATE } else { 1 });
    assert_eq!(counters.faults.load(Ordering::Relaxed), 0);
}

/// Holds what was told, scaled by the sampling that it says, against what was sent.
fn judge(records: &[FlowRecord], site: &Site, protocol: Protocol, rate: u64) {
    assert!(records.iter().all(|r| r.protocol == protocol && r.exporter == site.exporter));
    for (prefix, _, count, bytes) in TRAFFIC {
        let (raw, scaled, packets) = sums(records, prefix);
        let sent = count * bytes;
        println!("{protocol:?} one of {rate} {prefix}: sent {sent} bytes, exported {raw}, scaled {scaled} ({packets} packets)");
        assert!(scaled.abs_diff(sent) * 10 <= sent, "{prefix}: {scaled} of {sent} bytes: {:?}", records.first());
        assert!(packets.abs_diff(count) * 10 <= count, "{prefix}: {packets} of {count} packets");
        assert!(rate == 1 || raw * 4 < sent * 3, "{prefix}: {raw} bytes were exported of {sent}: nothing was sampled");
    }
}

/// The same from pmacctd's probes, by a configuration file.
async fn probed(protocol: Protocol, plugin: &str, settings: &str, rate: u64) {
    if !may_run(&["pmacctd"]) {
        return;
    }
    let (site, dir) = (Site::new(), tempfile::tempdir().unwrap());
    let listener = FlowListener::bind(SocketAddr::new(site.ours, 0), [(site.exporter, "r1".into())].into()).unwrap();
    let (address, counters) = (listener.local_address().unwrap(), listener.counters());
    let (tx, mut rx) = mpsc::channel::<FlowBatch>(1024);
    tokio::spawn(listener.run(tx));
    let file = dir.path().join("pmacctd.conf");
    let common = "daemonize: false\npcap_interface: watched\npromisc: false\naggregate: src_host,dst_host,src_port,dst_port,proto,tos\n";
    let pid = format!("pidfile: {}\n", dir.path().join("pid").display());
    std::fs::write(&file, format!("{common}{pid}plugins: {plugin}\n{plugin}_receiver: {address}\n{settings}")).unwrap();
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &site.a, "pmacctd", "-f"]).arg(&file);
    let mut runs = Peer::start(&mut command, &dir.path().join("log"));
    let end = Instant::now() + PATIENCE;
    let log = || std::fs::read_to_string(dir.path().join("log")).unwrap_or_default();
    while !log().contains("link type is") {
        assert!(Instant::now() < end, "pmacctd: {}", log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // its plugin opens its socket after the core has opened the interface; the first datagrams must not be the ones that tell
    tokio::time::sleep(Duration::from_secs(1)).await;
    site.send();
    let mut records: Vec<FlowRecord> = Vec::new();
    // it tells when its timers say so: until nothing has come for a while after both prefixes were told
    let seen = |records: &[FlowRecord]| TRAFFIC.iter().all(|(prefix, ..)| sums(records, prefix).0 > 0);
    loop {
        assert!(Instant::now() < end, "no flows of both prefixes: {records:?} {counters:?}: {}", log());
        match tokio::time::timeout(Duration::from_secs(4), rx.recv()).await {
            Ok(Some(batch)) => records.extend(batch.records),
            _ if seen(&records) => break,
            _ => {}
        }
    }
    runs.kill();
    judge(&records, &site, protocol, rate);
    assert_eq!(counters.faults.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn pmacctd_sflow_sampled() {
    let settings = format!("sfprobe_agentip: 127.0.0.1\nsampling_rate: {CHANCE}\n");
    probed(Protocol::Sflow5, "sfprobe", &settings, CHANCE).await;
}

#[tokio::test]
async fn pmacctd_netflow_9() {
    probed(Protocol::Netflow9, "nfprobe", "nfprobe_version: 9\nnfprobe_timeouts: udp=1:general=1:expint=1:maxlife=3\n", 1).await;
}

#[tokio::test]
async fn pmacctd_ipfix() {
    probed(Protocol::Ipfix, "nfprobe", "nfprobe_version: 10\nnfprobe_timeouts: udp=1:general=1:expint=1:maxlife=3\n", 1).await;
}

#[tokio::test]
async fn softflowd_netflow_5() {
    told("5", Protocol::Netflow5, false).await;
}

#[tokio::test]
async fn softflowd_netflow_9() {
    told("9", Protocol::Netflow9, false).await;
}

#[tokio::test]
async fn softflowd_ipfix() {
    told("10", Protocol::Ipfix, false).await;
}

#[tokio::test]
async fn softflowd_netflow_5_sampled() {
    told("5", Protocol::Netflow5, true).await;
}

#[tokio::test]
async fn softflowd_netflow_9_sampled() {
    told("9", Protocol::Netflow9, true).await;
}

#[tokio::test]
async fn softflowd_ipfix_sampled() {
    told("10", Protocol::Ipfix, true).await;
}
