//! A case on real FRR in network namespaces of its own.

use crate::Case;
use crate::frr::{Shown, ShownPrefix};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Where Debian keeps FRR's daemons.
const FRR_DIR: &str = "/usr/lib/frr";
const DAEMONS: [&str; 4] = ["zebra", "staticd", "ospfd", "bgpd"];
/// Tables that do not change for so long are at rest.
const QUIET: Duration = Duration::from_secs(3);
/// Longest wait for rest.
const PATIENCE: Duration = Duration::from_secs(75);

/// Why a case did not run.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct LiveError(String);

/// Says what is missing to run cases here; `None`: nothing.
#[must_use]
pub fn missing() -> Option<String> {
    let daemon = DAEMONS.iter().find(|d| !Path::new(FRR_DIR).join(d).exists());
    if let Some(daemon) = daemon {
        return Some(format!("{FRR_DIR}/{daemon} is not installed (apt install frr)"));
    }
    let add = Command::new("ip").args(["netns", "add", "ph-try"]).stderr(Stdio::null()).status();
    if !add.is_ok_and(|s| s.success()) {
        return Some("network namespaces need root".to_owned());
    }
    let _ = Command::new("ip").args(["netns", "del", "ph-try"]).status();
    None
}

/// A running case; everything it started ends with it.
pub struct Live {
    prefix: String,
    dir: PathBuf,
    names: Vec<String>,
}

fn run(program: &str, args: &[&str], input: &str) -> Result<String, LiveError> {
    let failed = |e: &dyn std::fmt::Display| LiveError(format!("{program} {}: {e}", args.join(" ")));
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

impl Live {
    /// Starts a case; `prefix` begins the names of its namespaces, `dir` takes its files.
    ///
    /// # Errors
    /// The call that failed.
    pub fn start(case: &Case, prefix: &str, dir: &Path) -> Result<Self, LiveError> {
        let names = case.routers.iter().map(|(n, _)| n.clone()).collect();
        let live = Self { prefix: prefix.to_owned(), dir: dir.to_owned(), names };
        let switch = live.space("sw");
        let mut script = format!("set -e\nip netns add {switch}\n");
        for name in &live.names {
            let space = live.space(name);
            script += &format!("ip netns add {space}\nip -n {space} link set lo up\n");
            script += &format!(
                "ip netns exec {space} sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward; echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter; echo 0 > /proc/sys/net/ipv4/conf/default/rp_filter'\n"
            );
        }
        let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
        for (b, (_, ends)) in case.links.iter().enumerate() {
            script += &format!("ip -n {switch} link add br{b} type bridge\nip -n {switch} link set br{b} up\n");
            for router in ends {
                let count = counts.entry(router).or_default();
                let (space, port) = (live.space(router), format!("{router}-eth{count}"));
                script += &format!("ip -n {switch} link add p{b}-{router}-{count} type veth peer name {port} netns {space}\n");
                script += &format!("ip -n {switch} link set p{b}-{router}-{count} master br{b} up\nip -n {space} link set {port} up\n");
                *count += 1;
            }
        }
        run("sh", &[], &script)?;
        for (name, text) in &case.routers {
            live.start_router(name, &text.joined_for_frr())?;
        }
        Ok(live)
    }

    fn space(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn start_router(&self, name: &str, config: &str) -> Result<(), LiveError> {
        let dir = self.dir.join(name);
        let wrong = |e: std::io::Error| LiveError(format!("{}: {e}", dir.display()));
        std::fs::create_dir_all(&dir).map_err(wrong)?;
        for (file, content) in [("frr.conf", config), ("vtysh.conf", ""), ("empty.conf", "")] {
            std::fs::write(dir.join(file), content).map_err(wrong)?;
        }
        let d = dir.display().to_string();
        let mut script = format!("set -e\nchown -R frr:frr {d}\n");
        for daemon in DAEMONS {
            script += &format!(
                "ip netns exec {} {FRR_DIR}/{daemon} -d -z {d}/zserv.api --vty_socket {d} -f {d}/empty.conf -i {d}/{daemon}.pid\n",
                self.space(name)
            );
        }
        script += &format!("vtysh --vty_socket {d} --config_dir {d} -b > {d}/vtysh.log 2>&1 || true\n");
        run("sh", &[], &script)?;
        let said = std::fs::read_to_string(dir.join("vtysh.log")).unwrap_or_default();
        match said.lines().find(|l| l.contains("failed") || l.starts_with("% ") || l.contains("rror")) {
            Some(line) => Err(LiveError(format!("{name}: FRR refuses the configuration: {line}"))),
            None => Ok(()),
        }
    }

    /// Asks a router's shell.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn ask(&self, router: &str, command: &str) -> Result<String, LiveError> {
        let d = self.dir.join(router).display().to_string();
        run("vtysh", &["--vty_socket", &d, "--config_dir", &d, "-c", command], "")
    }

    /// Types lines into a router.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn configure(&self, router: &str, lines: &[String]) -> Result<String, LiveError> {
        let d = self.dir.join(router).display().to_string();
        let mut args = vec!["--vty_socket", &d, "--config_dir", &d, "-c", "configure terminal"];
        for line in lines.iter().filter(|l| *l != "configure terminal") {
            args.extend(["-c", line]);
        }
        run("vtysh", &args, "")
    }

    /// Waits until the tables are at rest and `sessions` sides of sessions are up; returns the tables, and what was still missing.
    ///
    /// # Errors
    /// When a router does not answer.
    pub fn tables(&self, sessions: usize) -> Result<(BTreeMap<String, Shown>, Option<String>), LiveError> {
        let begun = Instant::now();
        let (mut last, mut since) = (String::new(), Instant::now());
        loop {
            let (mut up, mut all) = (0, String::new());
            let mut tables = BTreeMap::new();
            for name in &self.names {
                let summary = self.ask(name, "show bgp ipv4 unicast summary json")?;
                up += summary.matches("\"Established\"").count();
                let text = self.ask(name, "show bgp ipv4 unicast json detail")?;
                tables.insert(name.clone(), read(&text)?);
                all += &self.ask(name, "show bgp ipv4 unicast json")?;
            }
            // rest counts from the last session that came up: what it brings is still to come
            if all != last || up < sessions {
                (last, since) = (all, Instant::now());
            }
            if up >= sessions && since.elapsed() >= QUIET {
                return Ok((tables, None));
            }
            if begun.elapsed() >= PATIENCE {
                return Ok((tables, Some(format!("{up} of {sessions} sides of sessions up"))));
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}

/// Reads `show bgp ipv4 unicast json detail` of FRR 8.4: under `routes` a list for each prefix, of which the first element is its heading.
fn read(text: &str) -> Result<Shown, LiveError> {
    let wrong = |e: serde_json::Error| LiveError(format!("table: {e}"));
    let value: serde_json::Value = serde_json::from_str(text).map_err(wrong)?;
    let mut detail = BTreeMap::new();
    for (prefix, list) in value.get("routes").and_then(|r| r.as_object()).into_iter().flatten() {
        let paths = list.as_array().into_iter().flatten().filter(|p| p.get("aspath").is_some());
        let paths = paths.map(|p| serde_json::from_value(p.clone())).collect::<Result<_, _>>().map_err(wrong)?;
        detail.insert(prefix.clone(), ShownPrefix { paths });
    }
    Ok(Shown { detail })
}

impl Drop for Live {
    fn drop(&mut self) {
        for name in &self.names {
            for daemon in DAEMONS {
                let file = self.dir.join(name).join(format!("{daemon}.pid"));
                if let Ok(pid) = std::fs::read_to_string(file) {
                    let _ = Command::new("kill").args(["-9", pid.trim()]).stderr(Stdio::null()).status();
                }
            }
        }
        for name in self.names.iter().map(String::as_str).chain(["sw"]) {
            let _ = Command::new("ip").args(["netns", "del", &self.space(name)]).stderr(Stdio::null()).status();
        }
    }
}
