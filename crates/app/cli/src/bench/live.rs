//! The engine's own way in: the collector's BMP listener, its queue, and the picture's tables; and that with the log and the pilot.

use super::feed::{Plan, Speaker};
use super::ingest::{READ_BYTES, Speed, failed, median};
use crate::exit::Failure;
use bmp::Framer;
use collector::BmpListener;
use network::{BmpEvent, BmpSource, DeviceRole, DeviceSpec, Inventory, Network, Observation};
use pilot::{Input, Mode, Pilot, PilotState, Resume};
use serde::Serialize;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use units::Timestamp;

/// Observations that wait, as in the engine.
const QUEUE: usize = 8192;
/// Observations taken from the queue at once.
const AT_ONCE: usize = 1024;
/// Changes made beside a copy of the picture, to see what they cost.
const CHANGES: usize = 10_000;

/// Full feeds in the picture.
#[derive(Debug, Serialize)]
pub struct LiveFeeds {
    pub feeds: u8,
    pub paths: u64,
    pub attribute_sets: usize,
    pub load_s: f64,
    /// Of the process.
    pub rss_mb: f64,
    /// Time of one copy of the whole picture, as a simulation gets it.
    pub copy_ms: f64,
    /// Messages taken beside the copy, how long they took, and what the process grew by.
    pub changes: usize,
    pub changes_ms: f64,
    pub changes_mb: f64,
}

fn inventory() -> Inventory {
    let mut inventory = Inventory::empty("bench");
    inventory.own_asn = bgp::Asn(65_001);
    inventory.devices.push(DeviceSpec {
        id: "r1".into(),
        hostname: "r1".to_owned(),
        role: DeviceRole::Edge,
        router_id: Ipv4Addr::new(10, 255, 0, 1),
        bmp: Some(BmpSource::at(IpAddr::V4(Ipv4Addr::LOCALHOST))),
        gnmi: None,
        netconf: None,
    });
    inventory
}

/// What takes the observations.
trait Sink {
    fn take(&mut self, observation: Observation, now: Timestamp) -> Result<(), Failure>;
}

impl Sink for Network {
    fn take(&mut self, observation: Observation, now: Timestamp) -> Result<(), Failure> {
        self.observe(&observation, now);
        Ok(())
    }
}

/// Log, then pilot, as the engine's task does it.
struct Engine {
    writer: capture::Writer,
    pilot: Pilot,
    seq: u64,
}

impl Sink for Engine {
    fn take(&mut self, observation: Observation, now: Timestamp) -> Result<(), Failure> {
        let input = Input::Observed { observation };
        self.writer.append(self.seq, now, &input).map_err(|e| failed("the capture cannot be written", &e))?;
        std::hint::black_box(self.pilot.handle(self.seq, now, input));
        self.seq += 1;
        Ok(())
    }
}

/// Sends the stream for a while over a loopback socket to the collector's listener; this thread files what comes out of its queue.
fn measure(bytes: &[u8], seconds: u64, sink: &mut impl Sink) -> Result<Speed, Failure> {
    let fail = |e: std::io::Error| failed("the loopback socket failed", &e);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(fail)?;
    let listener = runtime
        .block_on(BmpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), &inventory()))
        .map_err(|e| failed("the listener cannot start", &e))?;
    let address = listener.local_address().map_err(fail)?;
    let (tx, mut rx) = mpsc::channel(QUEUE);
    runtime.spawn(listener.run(tx));
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
        let (mut messages, mut total, mut batch) = (0, 0, Vec::with_capacity(AT_ONCE));
        let started = Instant::now();
        let mut open = true;
        while open && rx.blocking_recv_many(&mut batch, AT_ONCE) > 0 {
            let now = Timestamp::EPOCH.plus(started.elapsed());
            for observation in batch.drain(..) {
                match &observation {
                    Observation::Bmp { event: BmpEvent::Message { bytes }, .. } => {
                        messages += 1;
                        total += bytes.len() as u64;
                    }
                    Observation::Bmp { event: BmpEvent::Closed { .. }, .. } => open = false,
                    _ => {}
                }
                sink.take(observation, now)?;
            }
        }
        let speed = Speed::new(messages, total, started.elapsed());
        sender.join().map_err(|_| Failure::new("PH-CLI-019", "the sender died"))?.map_err(fail)?;
        Ok(speed)
    })
}

/// Socket, listener, queue, picture.
pub fn socket_to_picture(bytes: &[u8], seconds: u64) -> Result<Speed, Failure> {
    measure(bytes, seconds, &mut Network::new(inventory()))
}

/// The same with the log before and the pilot behind.
pub fn socket_to_pilot(bytes: &[u8], seconds: u64) -> Result<Speed, Failure> {
    let folder = std::env::temp_dir().join(format!("pilotctl-bench-{}-{}", std::process::id(), Instant::now().elapsed().as_nanos()));
    let speed = with_log(&folder, bytes, seconds);
    // what is left in a temporary folder is no failure of the measurement
    let _ = std::fs::remove_dir_all(&folder);
    speed
}

fn with_log(folder: &std::path::Path, bytes: &[u8], seconds: u64) -> Result<Speed, Failure> {
    let writer = capture::Writer::create(&folder.join("bench.capture")).map_err(|e| failed("the capture cannot be written", &e))?;
    let mut engine = Engine { writer, pilot: Pilot::default(), seq: 1 };
    let state = PilotState::new(Mode::Shadow, Network::new(inventory()), &Resume::default(), Timestamp::EPOCH);
    engine.pilot.handle(0, Timestamp::EPOCH, Input::State { state: Box::new(state) });
    measure(bytes, seconds, &mut engine)
}

/// Loads full feeds, before and after policy, the way the engine takes them; then copies the picture and goes on.
pub fn feeds(feeds: u8, v4: usize, v6: usize) -> Result<LiveFeeds, Failure> {
    let plan = Plan::new(v4, v6);
    let mut network = Network::new(inventory());
    network.observe(&Observation::Bmp { device: "r1".into(), event: BmpEvent::Connected }, Timestamp::EPOCH);
    let mut load_s = 0.0;
    for peer in 1..=feeds {
        for post_policy in [false, true] {
            let dump = plan.stream(Speaker { peer, post_policy });
            let started = Instant::now();
            take(&mut network, &dump, usize::MAX)?;
            load_s += started.elapsed().as_secs_f64();
        }
    }
    let (paths, attribute_sets) = (network.tables().routes(), network.tables().attribute_sets());
    let rss_mb = super::resident() as f64 / 1e6;
    let copies: Vec<f64> = (0..5)
        .map(|_| {
            let started = Instant::now();
            // a change makes the tables an own copy again, which is what a copy costs the engine in the end
            std::hint::black_box(network.clone());
            started.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    let copy = network.clone();
    let churn = plan.stream(Speaker { peer: feeds.saturating_add(1), post_policy: false });
    let before = super::resident();
    let started = Instant::now();
    let changes = take(&mut network, &churn, CHANGES)?;
    let changes_ms = started.elapsed().as_secs_f64() * 1e3;
    let changes_mb = super::resident().saturating_sub(before) as f64 / 1e6;
    if copy.tables().routes() != paths {
        return Err(Failure::new("PH-CLI-075", "a copy of the picture changed; report it"));
    }
    Ok(LiveFeeds { feeds, paths, attribute_sets, load_s, rss_mb, copy_ms: super::median(copies), changes, changes_ms, changes_mb })
}

fn take(network: &mut Network, stream: &[u8], most: usize) -> Result<usize, Failure> {
    let (mut framer, mut taken) = (Framer::new(), 0);
    for part in stream.chunks(READ_BYTES) {
        framer.push(part);
        while let Some(frame) = framer.next() {
            if taken == most {
                return Ok(taken);
            }
            let bytes = frame.map_err(|e| failed("the made-up stream is no BMP", &e))?.bytes;
            network.observe(&Observation::Bmp { device: "r1".into(), event: BmpEvent::Message { bytes } }, Timestamp::EPOCH);
            taken += 1;
        }
    }
    Ok(taken)
}

/// The median of both figures, each way in turn.
pub fn measure_both(bytes: &[u8], seconds: u64, rounds: usize) -> Result<(Speed, Speed), Failure> {
    let (mut pictures, mut pilots) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        pictures.push(socket_to_picture(bytes, seconds)?);
        pilots.push(socket_to_pilot(bytes, seconds)?);
    }
    Ok((median(pictures), median(pilots)))
}
