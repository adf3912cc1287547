//! Labs of real daemons in network namespaces: booted, looked at, ended. Linux only, root only.
//!
//! ```text
//! requirements ─► namespaces ─► links (impair) ─► daemons (FRR, BIRD, GoBGP) ─► relay, reflector, faces, traffic ─► converged
//! ```
//! Everything a lab has made stands in `lab.json` before it is made, so that whatever a crash leaves behind, [`down`] removes.

mod attachment;
mod boot;
mod command;
mod config;
mod converge;
mod credential;
mod disturb;
mod instance;
mod process;
mod requirement;
mod wiring;

pub(crate) use attachment::{Keys, USER, make_keys, probes as probes_of, secret_name, tls_policy};
pub(crate) use boot::{launch, remove};
pub(crate) use config::ebgp as ebgp_sessions;
pub use instance::{BestPath, Driver, LabInstance, Phase, Ping};
pub use process::Process;
pub use requirement::{Missing, requirements};
pub(crate) use wiring::baseline;

use crate::topology::{Topology, TopologyError};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Returns the configuration of a node as FRR text, whatever software it runs: what the simulated router of that name runs.
pub(crate) fn running_text(t: &Topology, node: &crate::topology::Node) -> String {
    config::frr(t, node, Path::new("frr.log"))
}

/// What to boot.
#[derive(Clone, Debug)]
pub struct Options {
    /// Identity: four hexadecimal digits, also the prefix of the namespaces.
    pub id: String,
    /// Directory of the lab; made, and removed at the end.
    pub dir: PathBuf,
    /// The network.
    pub topology: Topology,
    /// Starts the node faces (gNMI and NETCONF), probes, reflector and volumes.
    pub faces: bool,
    /// Sends background traffic to the target groups.
    pub traffic: bool,
    /// Serves gNMI without TLS.
    pub plaintext: bool,
    /// What builds it.
    pub driver: Driver,
}

impl Options {
    /// Returns the options of a new lab with the seed topology, in a directory of its own under `labs`.
    ///
    /// # Errors
    /// When no identity can be drawn.
    pub fn under(labs: &Path) -> Result<Self, LabError> {
        let id = credential::fresh_id()?;
        let topology = Topology::seed().map_err(|source| LabError::Topology { source })?;
        Ok(Self { dir: labs.join(&id), id, topology, faces: true, traffic: true, plaintext: false, driver: Driver::Netns })
    }
}

/// A step of the boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What has just been reached.
    pub what: String,
    /// Since the start.
    pub after: Duration,
}

/// What goes wrong with labs.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The machine lacks something.
    #[error("this machine cannot run the lab: {}", missing.iter().map(|m| format!("{} is missing ({})", m.what, m.next_step)).collect::<Vec<_>>().join("; "))]
    Requirements {
        /// What, and what to do.
        missing: Vec<Missing>,
    },
    /// Only simulated labs do it.
    #[error("{what} is for simulated labs only; boot one with `pilotctl lab up --driver sim`")]
    SimOnly {
        /// What.
        what: &'static str,
    },
    /// The topology was refused.
    #[error("the topology cannot be built")]
    Topology {
        /// Why.
        #[source]
        source: TopologyError,
    },
    /// There is a lab already.
    #[error("{} already holds a lab; end it with `pilotctl lab down` or choose another directory", dir.display())]
    Exists {
        /// Its directory.
        dir: PathBuf,
    },
    /// A program could not be started.
    #[error("cannot start `{call}`; is the package installed?")]
    Spawn {
        /// The call.
        call: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A program failed.
    #[error("`{call}` ended with {status}: {said}")]
    Command {
        /// The call.
        call: String,
        /// Its status.
        status: String,
        /// What it said, cut.
        said: String,
    },
    /// A process of the lab is not there.
    #[error("process {name} did not start or died; the last it said: {said:?}")]
    Died {
        /// Which.
        name: String,
        /// The end of its log, when it has one.
        said: String,
    },
    /// A file could not be handled.
    #[error("cannot {doing} {}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file holds something else.
    #[error("{} is not a file of this version of the lab; boot a new lab", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A router answered something else than JSON.
    #[error("{node} did not answer `{command}` with JSON")]
    NotJson {
        /// The router.
        node: String,
        /// The command.
        command: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The network did not settle.
    #[error("the network did not converge within {} s: {waiting_for}; the logs of the daemons are in {}", within.as_secs(), logs.display())]
    NotConverged {
        /// What was missing at the end.
        waiting_for: String,
        /// The limit.
        within: Duration,
        /// Where the logs are kept.
        logs: PathBuf,
    },
    /// The binary with the lab's processes is not there.
    #[error("cannot find pilothouse-lab beside {}; build it with `cargo build -p lab` or set PILOTHOUSE_LAB_BIN", beside.display())]
    Binary {
        /// Where it was looked for.
        beside: PathBuf,
    },
    /// A link could not be impaired.
    #[error("cannot impair link {link}")]
    Impair {
        /// The link.
        link: String,
        /// Why.
        #[source]
        source: crate::impair::ImpairError,
    },
    /// The relay did not answer.
    #[error("the relay did not take the engine's address; is the lab up?")]
    Relay {
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The simulated lab did not answer, or refused.
    #[error("the simulated lab did not do as asked")]
    Sim {
        /// Why.
        #[source]
        source: crate::sim::SimError,
    },
    /// Keys or certificates could not be made.
    #[error("cannot make {what}")]
    Credential {
        /// What.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The topology has no such thing.
    #[error("the topology has no {kind} {name:?}; it has {known}")]
    Unknown {
        /// Link, exit, provider, node.
        kind: &'static str,
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A thread of the boot died, or a validated topology lacks what validation promises.
    #[error("a thread of the boot died, or the lab contradicts its own topology; this is a bug")]
    Interrupted,
}

/// State of a lab.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// The lab.
    pub lab: LabInstance,
    /// Processes that should run and do not.
    pub dead: Vec<String>,
    /// Resident memory of all its processes, bytes.
    pub memory_bytes: u64,
}

/// Boots a lab and waits until it has converged; what was begun is removed when that fails, except the logs.
///
/// # Errors
/// When the machine lacks something, a program fails, or the network does not settle.
pub fn up(options: &Options, progress: &mut dyn FnMut(&Progress)) -> Result<LabInstance, LabError> {
    if options.driver == Driver::Sim {
        return crate::sim::detached(options, progress);
    }
    let missing = requirements();
    if !missing.is_empty() {
        return Err(LabError::Requirements { missing });
    }
    if options.dir.join("lab.json").exists() {
        return Err(LabError::Exists { dir: options.dir.clone() });
    }
    boot::boot(options, progress)
}

/// Ends a lab: its processes, namespaces and files; nothing else.
///
/// # Errors
/// When there is no lab in `dir` or a part of it cannot be removed.
pub fn down(dir: &Path) -> Result<(), LabError> {
    boot::remove(&LabInstance::load(dir)?)
}

/// Returns the state of a lab.
///
/// # Errors
/// When there is no lab in `dir`.
pub fn status(dir: &Path) -> Result<Status, LabError> {
    let lab = LabInstance::load(dir)?;
    let mut dead: Vec<String> = lab.processes.iter().filter(|p| !p.alive()).map(|p| p.name.clone()).collect();
    if lab.driver == Driver::Sim && lab.processes.is_empty() && !crate::sim::answers(&lab.run_dir) {
        dead.push("the process it was a part of".to_owned());
    }
    let memory_bytes = lab.processes.iter().filter(|p| p.alive()).map(|p| resident(p.pid)).sum();
    Ok(Status { lab, dead, memory_bytes })
}

/// A directory with a lab, and its state or why that cannot be read.
pub type Listed = (PathBuf, Result<Status, LabError>);

/// Returns the labs under `labs`, those that cannot be read as their error.
///
/// # Errors
/// When the directory exists and cannot be read.
pub fn list(labs: &Path) -> Result<Vec<Listed>, LabError> {
    let entries = match std::fs::read_dir(labs) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(LabError::File { doing: "list", path: labs.to_owned(), source }),
    };
    let mut dirs: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.join("lab.json").exists()).collect();
    dirs.sort();
    Ok(dirs.into_iter().map(|d| (d.clone(), status(&d))).collect())
}

fn resident(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kilobytes = status.lines().find_map(|l| l.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

pub(crate) fn write_file(path: &Path, bytes: &[u8], mode: u32) -> Result<(), LabError> {
    let failed = |source| LabError::File { doing: "write", path: path.to_owned(), source };
    // A file that was there keeps its old mode, so it is removed first.
    let _ = std::fs::remove_file(path);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(failed)?;
    file.write_all(bytes).map_err(failed)
}

pub(crate) fn make_dir(path: &Path) -> Result<(), LabError> {
    std::fs::create_dir_all(path).map_err(|source| LabError::File { doing: "make directory", path: path.to_owned(), source })
}
