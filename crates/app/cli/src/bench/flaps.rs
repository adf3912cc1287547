//! `pilotctl bench ingest --flaps N`: a storm of flaps through the whole engine (door, log, picture, findings, topics), and what it costs.
//!
//! One router withdraws and announces prefixes at a fixed rate over a real connection, the engine runs as `pilotctl serve` runs it, with a
//! data folder of its own that is removed afterwards. What is sent is counted by the sender, what came by the engine.

use crate::exit::{Context, Ended, Failure, Outcome};
use network::{BmpSource, DeviceRole, DeviceSpec, Inventory};
use pilot::Mode;
use runtime::{Engine, Options};
use serde::Serialize;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Prefixes that flap, one after the other.
const PREFIXES: u32 = 4000;
/// AS paths that they come back with, one after the other, so that no set of attributes is just the one before.
const PATHS: u32 = 64;
/// The sender writes so often.
const EVERY: Duration = Duration::from_millis(10);
/// Longest wait for the engine to have taken everything.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug, Serialize)]
struct Report {
    machine: String,
    /// Asked for, a second; each is a withdrawal and an announcement.
    flaps_per_s: u32,
    /// How fast they could be handed over: less where the engine held the sender back.
    sent_per_s: f64,
    seconds: f64,
    messages_sent: u64,
    messages_taken: u64,
    routes_at_end: usize,
    /// Memory of the process: before, at its highest, at the end.
    rss_mb: [f64; 3],
    /// From the last byte sent until the engine had taken it, seconds.
    caught_up_s: f64,
    /// Messages of the topics that readers would have missed, as they are counted.
    topics_dropped: u64,
    capture_mb: f64,
}

/// Runs it.
pub fn run(context: &Context, flaps: u32, seconds: u64) -> Ended {
    let folder = std::env::temp_dir().join(format!("pilothouse-flaps-{}", std::process::id()));
    let runtime = tokio::runtime::Runtime::new().map_err(|e| Failure::from_error("PH-CLI-081", &e))?;
    let measured = runtime.block_on(storm(&folder, flaps, Duration::from_secs(seconds)));
    // the figures do not depend on whether the folder could be removed
    let _ = std::fs::remove_dir_all(&folder);
    let report = measured?;
    if context.json {
        crate::engine::print_json(&report);
    } else {
        println!("{}", report.machine);
        println!(
            "{:.0} flaps/s for {:.1} s: {} messages sent, {} taken, {} routes at the end, caught up after {:.2} s",
            report.sent_per_s, report.seconds, report.messages_sent, report.messages_taken, report.routes_at_end, report.caught_up_s
        );
        let [before, highest, end] = report.rss_mb;
        println!("memory {before:.0} MB before, {highest:.0} MB at most, {end:.0} MB at the end; capture {:.1} MB", report.capture_mb);
        println!("topics: {} messages pushed out of memory, counted", report.topics_dropped);
    }
    let whole = report.messages_sent == report.messages_taken;
    Ok(if whole { Outcome::Done } else { Outcome::No })
}

async fn storm(folder: &std::path::Path, flaps: u32, length: Duration) -> Result<Report, Failure> {
    let failed = |what: &str| Failure::new("PH-CLI-081", what.to_owned());
    let device = DeviceSpec {
        id: "r1".into(),
        hostname: "r1".to_owned(),
        role: DeviceRole::Edge,
        router_id: Ipv4Addr::new(10, 0, 0, 1),
        bmp: Some(BmpSource::at(Ipv4Addr::LOCALHOST.into())),
        gnmi: None,
        netconf: None,
    };
    let inventory = Inventory { own_asn: bgp::Asn(65001), devices: vec![device], ..Inventory::empty("flaps") };
    let options = Options {
        data: folder.to_owned(),
        inventory,
        secrets: folder.join("secrets.json"),
        mode: Mode::Shadow,
        bmp: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        doors: runtime::Doors::default(),
        approval_ttl: None,
        key_store: false,
    };
    let engine = Engine::start(options).await.map_err(|e| Failure::from_error("PH-CLI-081", &e))?;
    let address = engine.bmp_address();
    let before = rss_mb();
    let sender = std::thread::spawn(move || send(address, flaps, length));
    let handle = engine.handle();
    let taken = || async {
        handle
            .read(|s| s.network.devices.get(&"r1".into()).map_or(0, |d| d.bmp_session.counts.messages))
            .await
            .map_err(|e| Failure::from_error("PH-CLI-081", &e))
    };
    let mut highest = before;
    while !sender.is_finished() {
        tokio::time::sleep(Duration::from_millis(200)).await;
        highest = highest.max(rss_mb());
    }
    let ended = Instant::now();
    // the connection stays open until everything is taken: its end would mark the tables stale
    let sent = sender.join().map_err(|_| failed("the sender died"))?;
    let (messages, took, _stream) = sent.map_err(|e| Failure::from_error("PH-CLI-081", &e))?;
    while taken().await? < messages && ended.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(20)).await;
        highest = highest.max(rss_mb());
    }
    let caught_up = ended.elapsed();
    let messages_taken = taken().await?;
    let routes = handle.read(|s| s.network.prefixes_known()).await.map_err(|e| Failure::from_error("PH-CLI-081", &e))?;
    let dropped = handle.topics().map_or(0, |t| t.stats().iter().map(|s| s.dropped).sum());
    let capture = engine.capture().to_owned();
    let end = rss_mb();
    engine.stop().await.map_err(|e| Failure::from_error("PH-CLI-081", &e))?;
    Ok(Report {
        machine: super::machine(),
        flaps_per_s: flaps,
        sent_per_s: (messages - 1 - u64::from(PREFIXES)) as f64 / 2.0 / took.as_secs_f64(),
        seconds: took.as_secs_f64(),
        messages_sent: messages,
        messages_taken,
        routes_at_end: routes,
        rss_mb: [before, highest, end],
        caught_up_s: caught_up.as_secs_f64(),
        topics_dropped: dropped,
        capture_mb: std::fs::metadata(&capture).map_or(0.0, |m| m.len() as f64 / 1e6),
    })
}

/// Announces every prefix, then flaps one after the other at the rate; returns messages, the time of the storm, and the open connection.
fn send(address: SocketAddr, flaps: u32, length: Duration) -> std::io::Result<(u64, Duration, TcpStream)> {
    let mut stream = TcpStream::connect(address)?;
    let mut batch = peer_up();
    (0..PREFIXES).for_each(|n| batch.extend(announce(n, n)));
    stream.write_all(&batch)?;
    let mut messages = 1 + u64::from(PREFIXES);
    let (begun, mut done) = (Instant::now(), 0_u64);
    while begun.elapsed() < length {
        let due = (begun.elapsed().as_secs_f64() * f64::from(flaps)) as u64;
        batch.clear();
        while done < due {
            let n = (done % u64::from(PREFIXES)) as u32;
            batch.extend(withdraw(n));
            batch.extend(announce(n, (done / 7) as u32));
            messages += 2;
            done += 1;
        }
        stream.write_all(&batch)?;
        std::thread::sleep(EVERY);
    }
    Ok((messages, begun.elapsed(), stream))
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = (6 + body.len()) as u32;
    [&[3][..], &length.to_be_bytes(), &[kind], body].concat()
}

fn peer() -> Vec<u8> {
    let mut out = vec![0; 22];
    out.extend([10, 0, 0, 2]);
    out.extend(65002_u32.to_be_bytes());
    out.extend([10, 0, 0, 2]);
    out.extend([0; 8]);
    out
}

fn bgp_message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = (19 + body.len()) as u16;
    [&[0xFF; 16][..], &length.to_be_bytes(), &[kind], body].concat()
}

fn peer_up() -> Vec<u8> {
    let four = |asn: u32| [&[2, 6, 65, 4][..], &asn.to_be_bytes()].concat();
    let open = |asn: u16| {
        let capability = four(u32::from(asn));
        bgp_message(1, &[&[4][..], &asn.to_be_bytes(), &[0, 90, 10, 0, 0, 1, capability.len() as u8], &capability].concat())
    };
    let fields = [&[0; 12][..], &[10, 0, 0, 1, 0, 179, 0x9C, 0x40]].concat();
    message(3, &[peer(), fields, open(65001), open(65002)].concat())
}

/// 20.0.0.0/24 and on.
fn nlri(n: u32) -> [u8; 4] {
    let [_, b, c, d] = n.to_be_bytes();
    [24, 20 + b, c, d]
}

fn withdraw(n: u32) -> Vec<u8> {
    message(0, &[peer(), bgp_message(2, &[&[0, 4][..], &nlri(n), &[0, 0]].concat())].concat())
}

fn announce(n: u32, path: u32) -> Vec<u8> {
    let last = 64_512 + path % PATHS;
    let as_path = [&[0x40, 2, 10, 2, 2][..], &65002_u32.to_be_bytes(), &last.to_be_bytes()].concat();
    let attributes = [&[0x40, 1, 1, 0][..], &as_path, &[0x40, 3, 4, 10, 0, 0, 2]].concat();
    let body = [&[0, 0, 0, attributes.len() as u8][..], &attributes, &nlri(n)].concat();
    message(0, &[peer(), bgp_message(2, &body)].concat())
}

/// Memory of this process, MB; 0 where the system does not tell.
fn rss_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kb = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).and_then(|l| l.trim().split(' ').next()?.parse::<f64>().ok());
    kb.unwrap_or(0.0) / 1024.0
}
