//! Namespaces of a run: their names tell which process made them, so that what a killed run left behind can be found and ended.

use crate::live::LiveError;
use core::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Beginning of the names of namespaces and directories.
const NAME: &str = "phtw-";
/// Time until a second look for what was left behind.
const AGAIN: Duration = Duration::from_millis(500);
/// Where `ip netns` keeps its names.
const NETNS_DIR: &str = "/run/netns";

/// The process that made a namespace: number and start, in clock ticks since boot; numbers are used again, both together are not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pid: u32,
    started: u64,
}

impl Owner {
    /// Returns this process.
    #[must_use]
    pub fn this() -> Self {
        let pid = std::process::id();
        Self { pid, started: started(pid).unwrap_or(0) }
    }

    /// Reads the owner from the name of a namespace; `None`: it is none of ours.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let (pid, rest) = name.strip_prefix(NAME)?.split_once('.')?;
        let (started, _) = rest.split_once('-')?;
        Some(Self { pid: pid.parse().ok()?, started: started.parse().ok()? })
    }

    /// Says whether it still runs.
    #[must_use]
    pub fn runs(&self) -> bool {
        started(self.pid) == Some(self.started)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NAME}{}.{}", self.pid, self.started)
    }
}

/// Field 22 of `/proc/<pid>/stat`; the second may hold anything, in parentheses.
fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(19)?.parse().ok()
}

/// The namespaces and files of one running case; they end with it.
pub(crate) struct Ran {
    prefix: String,
    dir: PathBuf,
    spaces: Vec<String>,
}

impl Ran {
    pub fn new<'n>(name: &str, spaces: impl Iterator<Item = &'n str>) -> Self {
        let prefix = format!("{}-{name}-", Owner::this());
        let dir = std::env::temp_dir().join(prefix.trim_end_matches('-'));
        Self { spaces: spaces.map(|s| format!("{prefix}{s}")).collect(), prefix, dir }
    }

    pub fn space(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Ran {
    fn drop(&mut self) {
        self.spaces.iter().for_each(|s| end(s));
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Ends every process in a namespace, and the namespace.
fn end(space: &str) {
    let pids = Command::new("ip").args(["netns", "pids", space]).stderr(Stdio::null()).output();
    let pids = pids.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
    let pids: Vec<&str> = pids.split_whitespace().collect();
    if !pids.is_empty() {
        let _ = Command::new("kill").arg("-9").args(pids).stderr(Stdio::null()).status();
    }
    let _ = Command::new("ip").args(["netns", "del", space]).stderr(Stdio::null()).status();
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    entries.filter_map(|e| Some(e.ok()?.file_name().to_string_lossy().into_owned())).collect()
}

/// Ends what runs left behind whose process is gone; returns the names of the namespaces.
#[must_use]
pub fn clean() -> Vec<String> {
    let dead = |name: &String| Owner::of(name).is_some_and(|o| !o.runs());
    let mut all = Vec::new();
    loop {
        let left: Vec<String> = names(Path::new(NETNS_DIR)).into_iter().filter(dead).collect();
        if left.is_empty() {
            break;
        }
        left.iter().for_each(|s| end(s));
        all.extend(left);
        // a script of the dead run may still be at work; it ends at the first namespace that is gone
        std::thread::sleep(AGAIN);
    }
    let temp = std::env::temp_dir();
    for name in names(&temp).into_iter().filter(|n| dead(&format!("{n}-"))) {
        let _ = std::fs::remove_dir_all(temp.join(name));
    }
    all
}

/// Runs a program to its end.
pub(crate) fn run(program: &str, args: &[&str], input: &str) -> Result<String, LiveError> {
    let failed = |e: &dyn fmt::Display| LiveError(format!("{program} {}: {e}", args.join(" ")));
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| failed(&e))?;
    if let Some(mut stdin) = child.stdin.take() {
        // a program that ended early says why by its status
        let _ = stdin.write_all(input.as_bytes());
    }
    let out = child.wait_with_output().map_err(|e| failed(&e))?;
    if out.status.success() {
        return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
    }
    let said = format!("{} {}", String::from_utf8_lossy(&out.stderr), String::from_utf8_lossy(&out.stdout));
    Err(failed(&said.chars().take(400).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_who_made_it_and_whether_he_still_runs() {
        let this = Owner::this();
        assert_eq!(Owner::of(&format!("{this}-3-r1")), Some(this.clone()));
        assert!(this.runs());
        // the same number with another start is another process
        assert!(!Owner { started: this.started + 1, ..this }.runs());
        assert_eq!(Owner::of("phtw-x.1-r1"), None);
        assert_eq!(Owner::of("lab-r1"), None);
    }
}
