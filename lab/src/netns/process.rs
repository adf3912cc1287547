//! The processes of a lab: started apart from us, known by id and start time, ended exactly.

use super::LabError;
use super::command::run;
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long processes may take to end by themselves before they are killed.
const GRACE: Duration = Duration::from_millis(1500);

/// A process of the lab. The start time tells it from a stranger that got the same id later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// What it is (`r1/bgpd`).
    pub name: String,
    /// Process id.
    pub pid: i32,
    /// Start time in clock ticks since boot (`/proc/PID/stat` field 22).
    pub started: u64,
}

impl Process {
    /// Takes note of a running process.
    pub(super) fn of(name: impl Into<String>, pid: i32) -> Result<Self, LabError> {
        let name = name.into();
        match stat(pid) {
            Some((_, started)) => Ok(Self { name, pid, started }),
            None => Err(LabError::died(name)),
        }
    }

    /// Takes note of the process whose id a file holds, once it does: a daemon makes its file before it writes the id.
    pub(super) fn of_file(name: impl Into<String>, file: &Path, within: Duration) -> Result<Self, LabError> {
        let name = name.into();
        let until = Instant::now() + within;
        loop {
            if let Some(pid) = std::fs::read_to_string(file).ok().and_then(|t| t.trim().parse().ok()) {
                return Self::of(name, pid);
            }
            if Instant::now() >= until {
                return Err(LabError::died(name));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Says whether it still runs.
    #[must_use]
    pub fn alive(&self) -> bool {
        matches!(stat(self.pid), Some((state, started)) if started == self.started && state != b'Z')
    }

    fn signal(&self, signal: Signal) {
        if self.alive()
            && let Some(pid) = Pid::from_raw(self.pid)
        {
            // It may end between the look and the signal; that is what was wanted.
            let _ = kill_process(pid, signal);
        }
    }

    /// Returns the processes it started.
    pub(super) fn children(&self) -> Vec<Self> {
        let text = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.pid)).unwrap_or_default();
        text.split_whitespace().filter_map(|p| Self::of(format!("{}/child", self.name), p.parse().ok()?).ok()).collect()
    }
}

impl LabError {
    /// A process that is not there and of which no log is known.
    pub(super) fn died(name: impl Into<String>) -> Self {
        Self::Died { name: name.into(), said: String::new() }
    }
}

/// Returns state and start time of a process.
fn stat(pid: i32) -> Option<(u8, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold anything, so fields are counted from the last one.
    let mut fields = text.get(text.rfind(')')? + 1..)?.split_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

/// Niceness of what measures or keeps time: a busy machine must not look like a slow network or a dead neighbour.
pub(super) const URGENT: [&str; 3] = ["nice", "-n", "-10"];

/// Starts a program that outlives us, inside a namespace or (`None`) outside, its output in `log`.
pub(super) fn start(name: &str, namespace: Option<&str>, log: &Path, argv: &[&str]) -> Result<Process, LabError> {
    // The shell leaves at once, so that the program is nobody's child: it can be ended later by another run of ours without a zombie.
    const LAUNCH: &str = r#"log=$1; shift; setsid "$@" </dev/null >>"$log" 2>&1 & echo $!"#;
    let log = log.display().to_string();
    let mut args = vec!["-c", LAUNCH, "sh", &log];
    if let Some(namespace) = namespace {
        args.extend(["ip", "netns", "exec", namespace]);
    }
    args.extend(argv);
    let pid = run("sh", args)?;
    Process::of(name, pid.trim().parse().map_err(|_| LabError::died(name))?)
}

/// Ends processes: asks, waits a moment, then kills.
pub(super) fn end(processes: &[Process]) {
    for process in processes {
        process.signal(Signal::TERM);
    }
    let until = Instant::now() + GRACE;
    while processes.iter().any(Process::alive) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    for process in processes {
        process.signal(Signal::KILL);
    }
    let until = Instant::now() + GRACE;
    while processes.iter().any(Process::alive) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
}
