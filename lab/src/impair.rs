//! Links whose delay, jitter, loss, rate and death are set while they run, for kernels with or without `sch_netem`.
//!
//! ```text
//!  namespace A                    pilothouse-lab impair                     namespace B
//!  TAP "ispa" ── read ─► [ a→b: fate, queue, rate, delay ] ─► write ── TAP "r1"
//!            ◄── write ─ [ b→a: fate, queue, rate, delay ] ◄─ read ──
//! ```
//! One thread per link. Settings change by datagrams to a Unix socket; [`Client`] speaks to it.

mod client;
mod pipe;
mod pump;

pub use client::{Client, ImpairError};
pub use pipe::Rng;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of one control datagram; the statistics of 64 links fit.
const MAX_DATAGRAM: usize = 64 * 1024;
/// Queue of a rate-limited direction when nothing else is said: 21 ms at 100 Mbit/s.
pub const DEFAULT_LIMIT_BYTES: u64 = 256 * 1024;

/// What one direction of a link does to its packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Impairment {
    /// One-way delay, microseconds.
    #[serde(default)]
    pub delay_us: u64,
    /// Largest deviation from the delay, microseconds, uniform to both sides. Order is kept, as on one fibre.
    #[serde(default)]
    pub jitter_us: u64,
    /// Mean loss, parts per million.
    #[serde(default)]
    pub loss_ppm: u32,
    /// Packets lost in a row per loss event, ≥ 1; the mean stays `loss_ppm`.
    #[serde(default = "one")]
    pub burst: u32,
    /// Rate, bit/s; 0: unlimited.
    #[serde(default)]
    pub rate_bps: u64,
    /// Queue in front of the rate, bytes; what does not fit is dropped.
    #[serde(default = "default_limit")]
    pub limit_bytes: u64,
    /// Every packet vanishes while the carrier stays: a silent cut.
    #[serde(default)]
    pub blackhole: bool,
}

const fn one() -> u32 {
    1
}

const fn default_limit() -> u64 {
    DEFAULT_LIMIT_BYTES
}

impl Default for Impairment {
    fn default() -> Self {
        Self { delay_us: 0, jitter_us: 0, loss_ppm: 0, burst: 1, rate_bps: 0, limit_bytes: DEFAULT_LIMIT_BYTES, blackhole: false }
    }
}

/// Which way packets run; `a` is the first end of the link in the topology (our router, on the link of an exit).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From a to b: outbound on the link of an exit.
    Ab,
    /// From b to a: inbound.
    Ba,
    /// Both.
    Both,
}

/// One end of a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Network namespace.
    pub namespace: String,
    /// Name of the TAP made there.
    pub interface: String,
}

/// One link to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkConfig {
    /// Name.
    pub name: String,
    /// One end.
    pub a: End,
    /// Other end.
    pub b: End,
    /// What it does from the start, each way.
    pub impairment: Impairment,
}

/// Configuration of the subcommand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Control socket.
    pub control: PathBuf,
    /// Seed of loss and jitter.
    pub seed: u64,
    /// The links.
    pub links: Vec<LinkConfig>,
}

/// Counters of one direction since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Packets read.
    pub packets_in: u64,
    /// Bytes read.
    pub bytes_in: u64,
    /// Packets written.
    pub packets_out: u64,
    /// Bytes written.
    pub bytes_out: u64,
    /// Packets lost by the loss setting or the black hole.
    pub lost: u64,
    /// Packets dropped because the queue was full.
    pub overflowed: u64,
    /// Packets the kernel did not take (its interface was down).
    pub refused: u64,
    /// Packets waiting now.
    pub waiting: u64,
    /// Worst lateness of a release since the last reading, microseconds: how far the machine fell behind.
    pub late_us_max: u64,
}

/// State of one link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkState {
    /// Setting from a to b.
    pub ab: Impairment,
    /// Setting from b to a.
    pub ba: Impairment,
    /// Counters from a to b.
    pub ab_counters: Counters,
    /// Counters from b to a.
    pub ba_counters: Counters,
}

/// A control datagram.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
enum Request {
    Set { link: String, direction: Direction, impairment: Impairment },
    State,
}

/// Its answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "answer")]
enum Reply {
    Done,
    State { links: BTreeMap<String, LinkState> },
    Refused { reason: String },
}

/// What the control thread and a pump share; each holds the lock for a copy only.
type Shared = Arc<Mutex<LinkState>>;

/// Runs the subcommand: makes the TAPs, then pumps packets until it is ended.
///
/// # Errors
/// When the configuration cannot be read, a TAP cannot be made or the control socket fails.
pub fn run(args: &[String]) -> crate::RunResult {
    let config: Config = serde_json::from_slice(&std::fs::read(crate::config_argument(args)?)?)?;
    let mut links = BTreeMap::new();
    for (index, link) in config.links.iter().enumerate() {
        let shared: Shared = Arc::new(Mutex::new(LinkState { ab: link.impairment, ba: link.impairment, ..LinkState::default() }));
        let taps = pump::Taps::make(link)?;
        // Every link draws from its own sequence, so that traffic on one does not move the losses of another.
        let seed = config.seed ^ (index as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        pump::start(&link.name, taps, shared.clone(), seed)?;
        links.insert(link.name.clone(), shared);
    }
    // Bound last: whoever can speak to the socket finds the interfaces there.
    let _ = std::fs::remove_file(&config.control);
    serve(&UnixDatagram::bind(&config.control)?, &links)
}

fn serve(socket: &UnixDatagram, links: &BTreeMap<String, Shared>) -> crate::RunResult {
    let mut buffer = vec![0u8; MAX_DATAGRAM];
    loop {
        let (length, from) = socket.recv_from(&mut buffer)?;
        let reply = match serde_json::from_slice(buffer.get(..length).unwrap_or_default()) {
            Ok(request) => answer(request, links),
            Err(e) => Reply::Refused { reason: format!("not a request: {e}") },
        };
        if let Some(path) = from.as_pathname() {
            // The asker may be gone; that is its business.
            let _ = socket.send_to(&serde_json::to_vec(&reply)?, path);
        }
    }
}

fn answer(request: Request, links: &BTreeMap<String, Shared>) -> Reply {
    match request {
        Request::Set { link, direction, impairment } => match links.get(&link) {
            None => Reply::Refused { reason: format!("no link is named {link:?}; there are {:?}", links.keys().collect::<Vec<_>>()) },
            Some(shared) => {
                let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
                if direction != Direction::Ba {
                    state.ab = impairment;
                }
                if direction != Direction::Ab {
                    state.ba = impairment;
                }
                Reply::Done
            }
        },
        Request::State => Reply::State { links: links.iter().map(|(n, s)| (n.clone(), read(s))).collect() },
    }
}

fn read(shared: &Shared) -> LinkState {
    let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
    let copy = *state;
    state.ab_counters.late_us_max = 0;
    state.ba_counters.late_us_max = 0;
    copy
}
