//! `pilotctl bench ingest`: BMP from a socket into the tables, and what the tables weigh.

use super::feed::{Plan, Speaker};
use super::live::{self, LiveFeeds};
use crate::exit::{Context, Ended, Failure, Outcome};
use bmp::{Codec, Framer};
use rib::Rib;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use units::Timestamp;

/// Bytes read from the socket at once, and bytes that the sender writes at once at most.
pub(super) const READ_BYTES: usize = 256 * 1024;
/// Measurements of each kind; the median counts, because other programs share the machine.
const ROUNDS: usize = 3;
/// A full table as routers have it (CIDR report, 2026).
const FULL_V4: usize = 1_050_000;
const FULL_V6: usize = 230_000;
/// Peers of the made-up stream.
const PEERS: u8 = 14;

/// Arguments of `bench ingest`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folder with streams of BMP [default: ../shared/data/bmp/from-mrt here or above; without it a made-up stream].
    #[arg(long, value_name = "FOLDER")]
    streams: Option<PathBuf>,
    /// Length of each measurement.
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    seconds: u64,
    /// Prefixes of the made-up table whose memory is measured.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    routes: usize,
    /// Loads so many full feeds (1.05 M IPv4 and 230 k IPv6), before and after policy, too; up to 200.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=200))]
    feeds: Option<u8>,
    /// Measures a storm of so many flaps a second through the whole engine instead.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=200_000))]
    flaps: Option<u32>,
    /// Length of that storm.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "flaps", value_parser = clap::value_parser!(u64).range(1..=3600))]
    flap_seconds: u64,
    /// The program that measures the parsers of others; without it the one beside this program.
    #[arg(long, value_name = "PROGRAM")]
    reference: Option<PathBuf>,
}

/// How fast something is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Speed {
    messages_per_s: f64,
    megabytes_per_s: f64,
}

impl Speed {
    pub(super) fn new(messages: u64, bytes: u64, took: Duration) -> Self {
        let seconds = took.as_secs_f64();
        Self { messages_per_s: messages as f64 / seconds, megabytes_per_s: bytes as f64 / seconds / 1e6 }
    }
}

#[derive(Debug, Serialize)]
struct Stream {
    source: String,
    messages: usize,
    bytes: usize,
}

/// What tables weigh: as the process grew, and as the tables count themselves.
#[derive(Debug, Serialize)]
struct Weight {
    routes: u64,
    load_s: f64,
    bytes_per_route: f64,
    counted_bytes_per_route: f64,
}

#[derive(Debug, Serialize)]
struct Memory {
    attribute_sets: usize,
    first_feed: Weight,
    /// The same table with the same attributes, from a second router.
    same_feed: Weight,
    /// The same prefixes of another peer, every attribute set its own.
    other_feed: Weight,
}

#[derive(Debug, Serialize)]
struct Feeds {
    feeds: u8,
    routes: u64,
    attribute_sets: usize,
    load_s: f64,
    rss_mb: f64,
}

#[derive(Debug, Serialize)]
struct Report {
    machine: String,
    stream: Stream,
    socket_to_rib: Speed,
    /// By the collector's listener and its queue into the picture's tables.
    socket_to_picture: Speed,
    /// The same with the log and the pilot: all of the engine.
    socket_to_pilot: Speed,
    decode: Speed,
    references: BTreeMap<String, Speed>,
    /// Ours from socket to table against the parsing alone of others.
    ratios: BTreeMap<String, f64>,
    memory: Memory,
    feeds: Option<Feeds>,
    /// The same feeds in the picture, as the engine holds them.
    live_feeds: Option<LiveFeeds>,
}

/// Runs `bench ingest`.
pub fn run(context: &Context, arguments: &Arguments) -> Ended {
    if let Some(flaps) = arguments.flaps {
        return super::flaps::run(context, flaps, arguments.flap_seconds);
    }
    // first, while nothing else has touched the heap
    let memory = memory(arguments.routes)?;
    let (source, bytes) = stream(arguments)?;
    let messages = frames(&bytes)?.len();
    let reference = reference_program(arguments)?;
    if reference.is_none() {
        eprintln!("the parsers of others are not measured: cargo build --release --package reference");
    }
    let (mut ours, mut decoding, mut others): (Vec<Speed>, Vec<Speed>, BTreeMap<String, Vec<Speed>>) = Default::default();
    for _ in 0..ROUNDS {
        ours.push(socket_to_rib(&bytes, arguments.seconds)?);
        decoding.push(decode(&bytes, arguments.seconds)?);
        for (name, speed) in reference.iter().map(|p| measure_others(p, &bytes, arguments.seconds)).collect::<Result<Vec<_>, _>>()?.concat()
        {
            others.entry(name).or_default().push(speed);
        }
    }
    let socket_to_rib = median(ours);
    let (socket_to_picture, socket_to_pilot) = live::measure_both(&bytes, arguments.seconds, ROUNDS)?;
    let references: BTreeMap<String, Speed> = others.into_iter().map(|(name, speeds)| (name, median(speeds))).collect();
    let ratios = references.iter().map(|(name, s)| (name.clone(), socket_to_rib.messages_per_s / s.messages_per_s)).collect();
    let report = Report {
        machine: super::machine(),
        stream: Stream { source, messages, bytes: bytes.len() },
        socket_to_rib,
        socket_to_picture,
        socket_to_pilot,
        decode: median(decoding),
        references,
        ratios,
        memory,
        feeds: arguments.feeds.map(feeds).transpose()?,
        live_feeds: arguments.feeds.map(|n| live::feeds(n, FULL_V4, FULL_V6)).transpose()?,
    };
    if context.json {
        crate::engine::print_json(&report)
    } else {
        print(&report)
    }
    Ok(Outcome::Done)
}

pub(super) fn median(mut speeds: Vec<Speed>) -> Speed {
    speeds.sort_by(|a, b| a.messages_per_s.total_cmp(&b.messages_per_s));
    speeds.get(speeds.len() / 2).copied().unwrap_or(Speed { messages_per_s: 0.0, megabytes_per_s: 0.0 })
}

pub(super) fn failed(what: &str, error: &dyn std::error::Error) -> Failure {
    Failure::new("PH-CLI-019", format!("{what}: {}", runtime::chain(error)))
}

/// The bytes that are sent again and again, and where they are from.
fn stream(arguments: &Arguments) -> Result<(String, Vec<u8>), Failure> {
    let here = std::env::current_dir().unwrap_or_default();
    let usual = || here.ancestors().map(|d| d.join("../shared/data/bmp/from-mrt")).find(|d| d.is_dir());
    let Some(folder) = arguments.streams.clone().or_else(usual) else {
        let plan = Plan::new(20_000, 4_000);
        let all = (1..=PEERS).flat_map(|peer| plan.stream(Speaker { peer, post_policy: false })).collect();
        return Ok((format!("made up: 24,000 prefixes from {PEERS} peers"), all));
    };
    let list = |folder: &Path| -> std::io::Result<Vec<PathBuf>> {
        let mut out: Vec<PathBuf> = std::fs::read_dir(folder)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
        out.retain(|p| p.extension().is_some_and(|e| e == "bmp"));
        out.sort();
        Ok(out)
    };
    let mut bytes = Vec::new();
    for file in list(&folder).map_err(|e| failed(&format!("cannot read {}", folder.display()), &e))? {
        bytes.extend(std::fs::read(&file).map_err(|e| failed(&format!("cannot read {}", file.display()), &e))?);
    }
    if bytes.is_empty() {
        return Err(Failure::new("PH-CLI-019", format!("{} holds no .bmp file", folder.display())));
    }
    Ok((folder.display().to_string(), bytes))
}

fn frames(bytes: &[u8]) -> Result<Vec<&[u8]>, Failure> {
    let (mut framer, mut out, mut at) = (Framer::new(), Vec::new(), 0);
    framer.push(bytes);
    while let Some(frame) = framer.next_ref() {
        let length = frame.map_err(|e| failed("the stream is no BMP", &e))?.bytes.len();
        out.extend(bytes.get(at..at + length));
        at += length;
    }
    Ok(out)
}

/// Sends the stream for a while over a loopback socket; this thread reads, frames, decodes and files it.
fn socket_to_rib(bytes: &[u8], seconds: u64) -> Result<Speed, Failure> {
    let fail = |e: std::io::Error| failed("the loopback socket failed", &e);
    let listener = TcpListener::bind("127.0.0.1:0").map_err(fail)?;
    let address = listener.local_addr().map_err(fail)?;
    std::thread::scope(|scope| {
        let sender = scope.spawn(move || -> std::io::Result<()> {
            let mut socket = TcpStream::connect(address)?;
            let started = Instant::now();
            while started.elapsed() < Duration::from_secs(seconds) {
                for part in bytes.chunks(READ_BYTES) {
                    socket.write_all(part)?;
                }
            }
            Ok(())
        });
        let (socket, _) = listener.accept().map_err(fail)?;
        let speed = receive(socket)?;
        sender.join().map_err(|_| Failure::new("PH-CLI-019", "the sender died"))?.map_err(fail)?;
        Ok(speed)
    })
}

fn receive(mut socket: TcpStream) -> Result<Speed, Failure> {
    let mut rib = Rib::default();
    let router = router(&mut rib, "r1")?;
    rib.connected(router, Codec::default(), Timestamp::EPOCH);
    let (mut framer, mut buffer) = (Framer::new(), vec![0; READ_BYTES]);
    let (mut messages, mut bytes) = (0, 0);
    let started = Instant::now();
    loop {
        let read = socket.read(&mut buffer).map_err(|e| failed("the loopback socket failed", &e))?;
        if read == 0 {
            return Ok(Speed::new(messages, bytes, started.elapsed()));
        }
        let now = Timestamp::EPOCH.plus(started.elapsed());
        bytes += read as u64;
        framer.push(buffer.get(..read).unwrap_or_default());
        while let Some(frame) = framer.next_ref() {
            let frame = frame.map_err(|e| failed("the stream is no BMP", &e))?;
            messages += 1;
            // a bad message is counted by the tables; here it costs time as any other
            let _ = rib.ingest(router, frame.bytes, now);
        }
    }
}

fn router(rib: &mut Rib, name: &str) -> Result<rib::RouterId, Failure> {
    rib.router(name).ok_or_else(|| Failure::new("PH-CLI-019", "the tables take no more routers"))
}

/// Full decoding of every message alone.
fn decode(bytes: &[u8], seconds: u64) -> Result<Speed, Failure> {
    let frames = frames(bytes)?;
    let (mut messages, mut total, started) = (0, 0, Instant::now());
    while started.elapsed() < Duration::from_secs(seconds) {
        let mut codec = Codec::default();
        for frame in &frames {
            std::hint::black_box(bmp::decode(frame, &mut codec).is_ok());
            messages += 1;
            total += frame.len() as u64;
        }
    }
    Ok(Speed::new(messages, total, started.elapsed()))
}

fn reference_program(arguments: &Arguments) -> Result<Option<PathBuf>, Failure> {
    if let Some(given) = &arguments.reference {
        return if given.exists() {
            Ok(Some(given.clone()))
        } else {
            Err(Failure::new("PH-CLI-015", format!("{} is not built: cargo build --release --package reference", given.display())))
        };
    }
    let own = std::env::current_exe().map_err(|e| Failure::from_error("PH-CLI-014", &e))?;
    Ok(Some(own.with_file_name("bmp-reference")).filter(|p| p.exists()))
}

/// Has the parsers of others read the same bytes, each alone.
fn measure_others(program: &Path, bytes: &[u8], seconds: u64) -> Result<Vec<(String, Speed)>, Failure> {
    let fail = |e: std::io::Error| failed(&format!("{} failed", program.display()), &e);
    let mut command = Command::new(program);
    let mut child = command.arg(seconds.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(fail)?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(bytes).map_err(fail)?;
    }
    let said = child.wait_with_output().map_err(fail)?;
    let figures: BTreeMap<String, Speed> =
        serde_json::from_slice(&said.stdout).map_err(|e| failed(&format!("{} gave no figures", program.display()), &e))?;
    Ok(figures.into_iter().collect())
}

/// Loads one dump and says what it cost.
fn load(rib: &mut Rib, name: &str, plan: &Plan, speaker: Speaker) -> Result<Weight, Failure> {
    let dump = plan.stream(speaker);
    let router = router(rib, name)?;
    let (resident_before, counted_before, routes_before) = (super::resident(), rib.memory().total_bytes(), rib.routes());
    let (mut framer, started) = (Framer::new(), Instant::now());
    for part in dump.chunks(READ_BYTES) {
        framer.push(part);
        while let Some(frame) = framer.next_ref() {
            let frame = frame.map_err(|e| failed("the made-up stream is no BMP", &e))?;
            rib.ingest(router, frame.bytes, Timestamp::EPOCH).map_err(|e| failed("the made-up stream is bad", &e))?;
        }
    }
    let load_s = started.elapsed().as_secs_f64();
    let routes = rib.routes() - routes_before;
    let each = |before: usize, after: usize| (after as f64 - before as f64) / routes as f64;
    Ok(Weight {
        routes,
        load_s,
        bytes_per_route: each(resident_before, super::resident()),
        counted_bytes_per_route: each(counted_before, rib.memory().total_bytes()),
    })
}

fn memory(routes: usize) -> Result<Memory, Failure> {
    let plan = Plan::new(routes, 0);
    let mut rib = Rib::default();
    let first = Speaker { peer: 1, post_policy: false };
    Ok(Memory {
        attribute_sets: plan.sets(),
        first_feed: load(&mut rib, "r1", &plan, first)?,
        same_feed: load(&mut rib, "r2", &plan, first)?,
        other_feed: load(&mut rib, "r1", &plan, Speaker { peer: 2, ..first })?,
    })
}

fn feeds(feeds: u8) -> Result<Feeds, Failure> {
    let plan = Plan::new(FULL_V4, FULL_V6);
    let mut rib = Rib::new(u64::MAX);
    let mut load_s = 0.0;
    for peer in 1..=feeds {
        for post_policy in [false, true] {
            load_s += load(&mut rib, "r1", &plan, Speaker { peer, post_policy })?.load_s;
        }
    }
    Ok(Feeds { feeds, routes: rib.routes(), attribute_sets: rib.attribute_sets(), load_s, rss_mb: super::resident() as f64 / 1e6 })
}

/// Processor and how many of it.
fn print(report: &Report) {
    let row = |name: &str, s: &Speed| println!("{name:<34} {:>6.2} M messages/s  {:>6.0} MB/s", s.messages_per_s / 1e6, s.megabytes_per_s);
    println!(
        "{}; {} messages, {} bytes ({}), again and again",
        report.machine, report.stream.messages, report.stream.bytes, report.stream.source
    );
    row("socket → tables", &report.socket_to_rib);
    row("socket → collector → picture", &report.socket_to_picture);
    row("the same with log and pilot", &report.socket_to_pilot);
    row("full decoding alone", &report.decode);
    for (name, speed) in &report.references {
        row(&format!("{name} parsing alone"), speed);
    }
    for (name, ratio) in &report.ratios {
        println!("socket → tables is {ratio:.2} × {name} parsing alone");
    }
    let m = &report.memory;
    for (name, w) in [("first feed", &m.first_feed), ("the same again", &m.same_feed), ("own attributes", &m.other_feed)] {
        println!(
            "{name:<16} {} routes in {:.2} s, {:.1} bytes a route ({:.1} by own count)",
            w.routes, w.load_s, w.bytes_per_route, w.counted_bytes_per_route
        );
    }
    println!("{:<16} {} attribute sets", "", m.attribute_sets);
    if let Some(f) = &report.feeds {
        let million = f.routes as f64 / 1e6;
        println!(
            "{} full feeds, before and after policy: {million:.1} M routes, {} sets, loaded in {:.0} s, process {:.0} MB",
            f.feeds, f.attribute_sets, f.load_s, f.rss_mb
        );
    }
    if let Some(f) = &report.live_feeds {
        println!(
            "the same in the engine's picture: {:.1} M paths, {} sets, loaded in {:.0} s, process {:.0} MB; a copy takes {:.2} ms, \
             {} messages beside it {:.0} ms and {:.0} MB",
            f.paths as f64 / 1e6,
            f.attribute_sets,
            f.load_s,
            f.rss_mb,
            f.copy_ms,
            f.changes,
            f.changes_ms,
            f.changes_mb
        );
    }
}
