//! BMP that others recorded, as a capture: what routers said becomes the inputs of a log, so that a replay shows it on every screen.
//!
//! The capture begins with a picture of the routers that speak in the file and nothing else: no provider, no exit, no configuration. Nothing
//! is therefore decided in its replay; tables, sessions, and what happened to them are there.

use action::DeviceId;
use archive::messages::{self, Heard, Said, holds_bmp};
use archive::open::{OpenError, Watch, open_watched};
use archive::recognise::{Format, LOOK_BYTES, recognise};
use capture::{About, CaptureError, Writer};
use core::net::{IpAddr, Ipv4Addr};
use network::{BmpEvent, BmpSource, DeviceRole, DeviceSpec, Inventory, Network, Observation};
use pilot::{Input, Mode, PilotState, Resume};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use units::Timestamp;

/// Routers of one capture: what the engine is made for.
const ROUTERS_MAX: usize = 256;
/// Things left out that are named; more are counted.
const NAMED_MAX: usize = 32;
/// Longest name of a router that is taken for its id.
const ID_MAX: usize = 63;
/// A second of the file is a tick of the engine, within a gap of so many at most, and at most so many in all.
const TICKS_PER_GAP: i64 = 300;
const TICKS_MAX: u64 = 1_000_000;
const SECOND: i64 = 1_000_000_000;

/// Why a file does not become a capture.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It cannot be opened.
    #[error("PH-IMP-001 the file cannot be imported")]
    Open(#[from] OpenError),
    /// It cannot be read.
    #[error("PH-IMP-002 {path} cannot be read")]
    Read {
        /// File.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It holds something else.
    #[error("PH-IMP-003 {path} is {}: only BMP becomes a capture (alone, from OpenBMP, or in a packet capture)", found.words())]
    NoBmp {
        /// File.
        path: PathBuf,
        /// What it is.
        found: Format,
    },
    /// It is of a kind that may hold BMP, and holds none.
    #[error("PH-IMP-004 no BMP message was found in {path}{}", why.as_ref().map(|w| format!(": {w}")).unwrap_or_default())]
    Nothing {
        /// File.
        path: PathBuf,
        /// What was left out of it.
        why: Option<String>,
    },
    /// It was cancelled.
    #[error("PH-IMP-005 the import of {path} was cancelled; nothing is left of it")]
    Cancelled {
        /// File.
        path: PathBuf,
    },
    /// The capture cannot be written.
    #[error("PH-IMP-006 the capture cannot be written")]
    Capture(#[source] CaptureError),
}

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Imported {
    /// The capture.
    pub capture: PathBuf,
    /// Routers, by id.
    pub routers: Vec<String>,
    /// Messages taken.
    pub messages: u64,
    /// Inputs of the capture, ticks among them.
    pub inputs: u64,
    /// What was left out, and why; a bounded number, the last of which counts the rest.
    pub left_out: Vec<String>,
    /// No message carries a time: all of them have that of the file.
    pub untimed: bool,
}

/// Where the capture is to be.
#[derive(Clone, Copy, Debug)]
pub enum Into<'a> {
    /// This file; one that exists is refused.
    File(&'a Path),
    /// A file of this folder, named after the time of the first message, as the engine names its own.
    Folder(&'a Path),
}

/// One look through the file for who speaks and when.
#[derive(Default)]
struct Roll {
    /// By address and session-less stream: what it calls itself.
    routers: BTreeMap<Option<IpAddr>, Option<String>>,
    beyond: u64,
    first: Option<i64>,
    left_out: LeftOut,
}

#[derive(Default)]
struct LeftOut {
    named: Vec<String>,
    more: u64,
}

impl LeftOut {
    fn add(&mut self, what: String) {
        if self.named.len() + 1 < NAMED_MAX {
            self.named.push(what);
        } else {
            self.more += 1;
        }
    }

    fn told(mut self) -> Vec<String> {
        if self.more > 0 {
            self.named.push(format!("{} pieces more", self.more));
        }
        self.named
    }
}

/// Writes the BMP of `file` as a capture. `watch` is followed and may be stopped from elsewhere.
///
/// # Errors
/// [`ImportError`]; there is then no capture.
pub fn import(file: &Path, into: Into<'_>, watch: &Watch) -> Result<Imported, ImportError> {
    let cancelled = || ImportError::Cancelled { path: file.to_owned() };
    let read = |source| if watch.is_stopped() { cancelled() } else { ImportError::Read { path: file.to_owned(), source } };
    // its first bytes tell the format; what it holds is looked at below
    let format = recognise(opened(file, watch)?, 0).map_err(read)?.format;
    if !holds_bmp(format) {
        return Err(ImportError::NoBmp { path: file.to_owned(), found: format });
    }
    let roll = roll(format, opened(file, watch)?);
    if watch.is_stopped() {
        return Err(cancelled());
    }
    if roll.routers.is_empty() {
        return Err(ImportError::Nothing { path: file.to_owned(), why: roll.left_out.named.first().cloned() });
    }
    let begun = match roll.first {
        Some(at) => Timestamp::from_nanos(at),
        None => modified(file).map_err(read)?,
    };
    let path = match into {
        Into::File(path) => path.to_owned(),
        Into::Folder(folder) => folder.join(format!("{}.capture", begun.nanos())),
    };
    let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let about = About { site: Some(name.clone()), begun: Some(begun), ..About::default() };
    let writer = Writer::create_with(&path, &about).map_err(ImportError::Capture)?;
    let untimed = roll.first.is_none();
    let written = Log::new(writer, roll, begun, &name).and_then(|log| log.write(format, opened(file, watch)?, watch));
    match written {
        Ok(_) if watch.is_stopped() => {
            discard(&path);
            Err(cancelled())
        }
        Ok(log) => Ok(Imported {
            capture: path,
            routers: log.ids.values().map(ToString::to_string).collect(),
            messages: log.messages,
            inputs: log.seq,
            left_out: log.left_out.told(),
            untimed,
        }),
        Err(error) => {
            discard(&path);
            Err(error)
        }
    }
}

/// Opens the file; one that was stopped before its first byte was cancelled, too.
fn opened(file: &Path, watch: &Watch) -> Result<Box<dyn std::io::Read>, ImportError> {
    open_watched(file, watch).map_err(|error| match error {
        _ if watch.is_stopped() => ImportError::Cancelled { path: file.to_owned() },
        error => ImportError::Open(error),
    })
}

/// Half a capture would be taken for a whole one.
fn discard(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::warn!(%error, path = %path.display(), "half a capture could not be removed");
    }
}

fn modified(file: &Path) -> std::io::Result<Timestamp> {
    let time = std::fs::metadata(file)?.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Ok(Timestamp::from_nanos(i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)))
}

fn roll(format: Format, input: impl std::io::Read) -> Roll {
    let mut roll = Roll::default();
    messages::read(format, input, |heard| {
        match heard {
            Heard::Said(said) => {
                roll.first = roll.first.or(said.time);
                if roll.routers.contains_key(&said.router) || roll.routers.len() < ROUTERS_MAX {
                    let name = roll.routers.entry(said.router).or_default();
                    if name.is_none() {
                        *name = sys_name(&said.bytes);
                    }
                } else {
                    roll.beyond += 1;
                }
            }
            Heard::LeftOut(what) => roll.left_out.add(what),
        }
        true
    });
    roll
}

/// What a router calls itself in an Initiation (RFC 7854 §4.3).
fn sys_name(message: &[u8]) -> Option<String> {
    let Ok(bmp::Message::Initiation(initiation)) = bmp::decode(message, &mut bmp::Codec::default()) else { return None };
    initiation.tlvs.into_iter().find(|t| t.name == "sys_name").map(|t| t.value).filter(|n| !n.is_empty())
}

/// The capture while it is written.
struct Log {
    writer: Writer,
    ids: BTreeMap<Option<IpAddr>, DeviceId>,
    /// The newest session of each router.
    sessions: BTreeMap<Option<IpAddr>, u32>,
    seq: u64,
    now: Timestamp,
    messages: u64,
    ticks: u64,
    left_out: LeftOut,
}

impl Log {
    fn new(writer: Writer, roll: Roll, begun: Timestamp, name: &str) -> Result<Self, ImportError> {
        let mut inventory = Inventory::empty(name);
        let mut ids: BTreeMap<Option<IpAddr>, DeviceId> = BTreeMap::new();
        for (router, called) in &roll.routers {
            let address = router.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
            let own = called.as_ref().filter(|n| is_id(n)).filter(|n| !ids.values().any(|id| id.as_str() == n.as_str()));
            let id = DeviceId::new(own.cloned().unwrap_or_else(|| router.map_or_else(|| "router".to_owned(), |r| r.to_string())));
            let router_id = match address {
                IpAddr::V4(v4) => v4,
                IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
            };
            inventory.devices.push(DeviceSpec {
                id: id.clone(),
                hostname: called.clone().unwrap_or_else(|| id.to_string()),
                role: DeviceRole::Edge,
                router_id,
                bmp: Some(BmpSource::at(address)),
                gnmi: None,
                netconf: None,
            });
            ids.insert(*router, id);
        }
        let mut left_out = roll.left_out;
        if roll.beyond > 0 {
            left_out.add(format!("{} messages of more than {ROUTERS_MAX} routers", roll.beyond));
        }
        let mut log = Self { writer, ids, sessions: BTreeMap::new(), seq: 0, now: begun, messages: 0, ticks: 0, left_out };
        let state = PilotState::new(Mode::Replay, Network::new(inventory), &Resume::default(), begun);
        log.append(&Input::State { state: Box::new(state) })?;
        Ok(log)
    }

    fn append(&mut self, input: &Input) -> Result<(), ImportError> {
        self.seq += 1;
        self.writer.append(self.seq, self.now, input).map_err(ImportError::Capture)
    }

    fn write(mut self, format: Format, input: impl std::io::Read, watch: &Watch) -> Result<Self, ImportError> {
        let mut failed = None;
        messages::read(format, input, |heard| {
            // what was left out was told by the first look
            if let Heard::Said(said) = heard
                && let Err(error) = self.take(said)
            {
                failed = Some(error);
            }
            failed.is_none() && !watch.is_stopped()
        });
        if let Some(error) = failed {
            return Err(error);
        }
        self.until(Timestamp::from_nanos(self.now.nanos().saturating_add(SECOND)))?;
        self.writer.finish().map_err(ImportError::Capture)?;
        Ok(self)
    }

    fn take(&mut self, said: Said) -> Result<(), ImportError> {
        let Some(device) = self.ids.get(&said.router).cloned() else { return Ok(()) };
        // a log never runs backwards: times of routers in it may
        if let Some(at) = said.time.filter(|at| *at > self.now.nanos()) {
            self.until(Timestamp::from_nanos(at))?;
        }
        if self.sessions.insert(said.router, said.session) != Some(said.session) {
            let observation = Observation::Bmp { device: device.clone(), event: BmpEvent::Connected };
            self.append(&Input::Observed { observation })?;
        }
        self.messages += 1;
        self.append(&Input::Observed { observation: Observation::Bmp { device, event: BmpEvent::Message { bytes: said.bytes } } })
    }

    /// Lets time pass, in seconds, so that what waits for time to pass is not late.
    fn until(&mut self, then: Timestamp) -> Result<(), ImportError> {
        let gap = then.nanos().saturating_sub(self.now.nanos());
        let seconds = (gap / SECOND).clamp(0, TICKS_PER_GAP);
        let begun = self.now.nanos();
        for tick in 1..=seconds {
            if self.ticks >= TICKS_MAX {
                break;
            }
            self.now = Timestamp::from_nanos(begun.saturating_add(gap / seconds * tick));
            self.ticks += 1;
            self.append(&Input::Tick)?;
        }
        self.now = then;
        Ok(())
    }
}

/// A name that is an id as well: shown, typed and linked without quotes.
fn is_id(name: &str) -> bool {
    name.len() <= ID_MAX && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// Says what a file holds, from its beginning; `watch` is followed and may be stopped from elsewhere.
///
/// # Errors
/// [`ImportError`] when it cannot be opened or read, or the look was stopped.
pub fn look(file: &Path, watch: &Watch) -> Result<archive::recognise::Found, ImportError> {
    let found = recognise(opened(file, watch)?, LOOK_BYTES);
    if watch.is_stopped() {
        return Err(ImportError::Cancelled { path: file.to_owned() });
    }
    found.map_err(|source| ImportError::Read { path: file.to_owned(), source })
}
