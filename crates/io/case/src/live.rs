//! A case on real FRR in network namespaces of its own.

use crate::frr::Shown;
use crate::space::{Owner, Ran, run};
use crate::{Case, Text};
use core::net::IpAddr;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Where Debian keeps FRR's daemons.
const FRR_DIR: &str = "/usr/lib/frr";
const DAEMONS: [&str; 3] = ["zebra", "staticd", "bgpd"];
/// Daemons that start where a configuration has their word.
const ON_DEMAND: [(&str, &str); 3] = [("ospfd", " ospf"), ("ospf6d", " ospf6"), ("isisd", " isis")];
/// Tables that do not change for so long are at rest, where no timer of bgpd is at work.
const QUIET: Duration = Duration::from_secs(3);
/// bgpd looks this often whether the condition of a default route holds, with a margin.
const QUIET_DEFAULT_ROUTE: Duration = Duration::from_secs(8);
/// And whether that of a conditional advertisement does, unless it is told otherwise (`bgp conditional-advertisement timer`).
const CONDITION_EVERY: Duration = Duration::from_secs(60);
/// Time between two looks at the tables.
const LOOK_EVERY: Duration = Duration::from_millis(700);
/// Longest wait for rest.
const PATIENCE: Duration = Duration::from_secs(75);
/// A session that did not come up is tried again after so many seconds; bgpd's own 120 are for networks that are alone.
const CONNECT_EVERY_S: u32 = 2;
/// For how long a router that hears everything before it chooses waits, and for the sessions of all its neighbours, seconds (bgpd waits for
/// all of them only where the second is the shorter one).
const DELAY_S: (u32, u32) = (20, 15);

/// Why a case did not run.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct LiveError(pub(crate) String);

/// Says what is missing to run cases here; `None`: nothing.
#[must_use]
pub fn missing() -> Option<String> {
    let daemon = DAEMONS.iter().chain(ON_DEMAND.iter().map(|(d, _)| d)).find(|d| !Path::new(FRR_DIR).join(d).exists());
    if let Some(daemon) = daemon {
        return Some(format!("{FRR_DIR}/{daemon} is not installed (apt install frr)"));
    }
    static TRIES: AtomicUsize = AtomicUsize::new(0);
    let name = format!("{}-try{}", Owner::this(), TRIES.fetch_add(1, Ordering::Relaxed));
    let add = Command::new("ip").args(["netns", "add", &name]).stderr(Stdio::null()).status();
    if !add.is_ok_and(|s| s.success()) {
        return Some("network namespaces need root".to_owned());
    }
    let _ = Command::new("ip").args(["netns", "del", &name]).status();
    None
}

/// In which order sessions come up.
#[derive(Clone, Debug, Default)]
pub struct Arrival {
    /// Sessions that come up later, each stage when everything before it is at rest: router and neighbour.
    pub stages: Vec<Vec<(String, IpAddr)>>,
    /// Routers that hear everything from their neighbours before they choose.
    pub patient: Vec<String>,
}

impl Arrival {
    /// The configuration of a router with the lines that make it wait.
    fn text(&self, router: &str, text: &Text) -> String {
        let mut out = String::new();
        for line in text.joined_for_frr().lines() {
            out.push_str(line);
            out.push('\n');
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["router", "bgp", ..] if self.patient.iter().any(|r| r == router) => {
                    out.push_str(&format!(" update-delay {} {}\n", DELAY_S.0, DELAY_S.1))
                }
                ["neighbor", neighbor, "remote-as" | "peer-group", _] => {
                    if words[2] == "remote-as" {
                        out.push_str(&format!(" neighbor {neighbor} timers connect {CONNECT_EVERY_S}\n"));
                    }
                    if self.stages.iter().flatten().any(|(r, n)| r == router && n.to_string() == neighbor) {
                        out.push_str(&format!(" neighbor {neighbor} shutdown\n"));
                    }
                }
                _ => {}
            }
        }
        out
    }
}

/// Returns how long tables must not change to be at rest: longer than any of bgpd's timers that are at work.
fn quiet(case: &Case) -> Duration {
    let texts = case.routers.iter().map(|(_, t)| t.joined_for_frr());
    let of = |text: String| {
        let mut out = QUIET;
        let told = text.lines().find_map(|l| l.trim().strip_prefix("bgp conditional-advertisement timer ")?.parse().ok());
        for line in text.lines().map(str::trim) {
            if line.contains(" default-originate route-map ") {
                out = out.max(QUIET_DEFAULT_ROUTE);
            }
            if line.contains(" advertise-map ") {
                out = out.max(QUIET + told.map_or(CONDITION_EVERY, Duration::from_secs));
            }
        }
        out
    };
    texts.map(of).max().unwrap_or(QUIET)
}

/// A running case; everything it started ends with it.
pub struct Live<'s> {
    ran: Ran,
    names: Vec<String>,
    quiet: Duration,
    stop: &'s AtomicBool,
}

impl<'s> Live<'s> {
    /// Starts a case; `name` tells it from others of this process, `stop` ends every wait.
    ///
    /// # Errors
    /// The call that failed.
    pub fn start(case: &Case, name: &str, arrival: &Arrival, stop: &'s AtomicBool) -> Result<Self, LiveError> {
        let names: Vec<String> = case.routers.iter().map(|(n, _)| n.clone()).collect();
        let spaces = names.iter().map(String::as_str).chain(["sw"]);
        let live = Self { ran: Ran::new(name, spaces), names, quiet: quiet(case), stop };
        let switch = live.ran.space("sw");
        let mut script = format!("set -e\nip netns add {switch}\n");
        for name in &live.names {
            let space = live.ran.space(name);
            // addresses are taken at once, packets pass, whichever way they come back
            script += &format!(
                "ip netns add {space}\nip netns exec {space} sh -c 'cd /proc/sys/net; echo 0 > ipv6/conf/all/accept_dad; \
                 echo 0 > ipv6/conf/default/accept_dad; echo 1 > ipv6/conf/all/forwarding; echo 1 > ipv4/ip_forward; \
                 echo 0 > ipv4/conf/all/rp_filter; echo 0 > ipv4/conf/default/rp_filter'\nip -n {space} link set lo up\n"
            );
        }
        let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
        for (b, (_, ends)) in case.links.iter().enumerate() {
            script += &format!("ip -n {switch} link add br{b} type bridge\nip -n {switch} link set br{b} up\n");
            for router in ends {
                let count = counts.entry(router).or_default();
                let (space, port) = (live.ran.space(router), format!("{router}-eth{count}"));
                script += &format!("ip -n {switch} link add p{b}-{router}-{count} type veth peer name {port} netns {space}\n");
                script += &format!("ip -n {switch} link set p{b}-{router}-{count} master br{b} up\nip -n {space} link set {port} up\n");
                *count += 1;
            }
        }
        run("sh", &[], &script)?;
        for (name, text) in &case.routers {
            live.go_on()?;
            live.start_router(name, &arrival.text(name, text))?;
        }
        Ok(live)
    }

    fn go_on(&self) -> Result<(), LiveError> {
        if self.stop.load(Ordering::Relaxed) { Err(LiveError("stopped".to_owned())) } else { Ok(()) }
    }

    fn dir(&self, router: &str) -> PathBuf {
        self.ran.dir().join(router)
    }

    fn start_router(&self, name: &str, config: &str) -> Result<(), LiveError> {
        let dir = self.dir(name);
        let wrong = |e: std::io::Error| LiveError(format!("{}: {e}", dir.display()));
        std::fs::create_dir_all(&dir).map_err(wrong)?;
        for (file, content) in [("frr.conf", config), ("vtysh.conf", ""), ("empty.conf", "")] {
            std::fs::write(dir.join(file), content).map_err(wrong)?;
        }
        let d = dir.display().to_string();
        let mut script = format!("set -e\nchown -R frr:frr {d}\n");
        let more = ON_DEMAND.iter().filter(|(_, word)| config.contains(word)).map(|(daemon, _)| daemon);
        for daemon in DAEMONS.iter().chain(more) {
            // Debian builds origin validation as a module, which knows the words of it
            let module = if *daemon == "bgpd" && config.lines().any(|l| l == "rpki") { "-M rpki " } else { "" };
            script += &format!(
                "ip netns exec {} {FRR_DIR}/{daemon} {module}-d -z {d}/zserv.api --vty_socket {d} -f {d}/empty.conf -i {d}/{daemon}.pid\n",
                self.ran.space(name)
            );
        }
        script += &format!("vtysh --vty_socket {d} --config_dir {d} -b > {d}/vtysh.log 2>&1 || true\n");
        run("sh", &[], &script)?;
        let said = std::fs::read_to_string(dir.join("vtysh.log")).unwrap_or_default();
        // ospf6d does not know every action of a policy that bgpd does, and is not asked to
        let refused = |l: &&str| (l.contains("failed") || l.starts_with("% ") || l.contains("rror")) && !l.starts_with("% [OSPF6]");
        match said.lines().find(refused) {
            Some(_) => Err(LiveError(format!("{name}: FRR refuses the configuration: {}", said.chars().take(600).collect::<String>()))),
            None => Ok(()),
        }
    }

    /// Starts a program at a router, in its namespace; it ends with it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_beside(&self, router: &str, program: &str, arguments: &[&str]) -> Result<(), LiveError> {
        let wrong = |e: std::io::Error| LiveError(format!("{program} at {router}: {e}"));
        let log = std::fs::File::create(self.dir(router).join(format!("{program}.log"))).map_err(wrong)?;
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.ran.space(router), program]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().map(drop).map_err(wrong)
    }

    /// Asks a router.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn ask(&self, router: &str, command: &str) -> Result<String, LiveError> {
        self.ask_all(router, &[command])
    }

    fn ask_all(&self, router: &str, commands: &[&str]) -> Result<String, LiveError> {
        let d = self.dir(router).display().to_string();
        let mut args = vec!["--vty_socket", &d, "--config_dir", &d];
        args.extend(commands.iter().flat_map(|c| ["-c", c]));
        run("vtysh", &args, "")
    }

    /// Types lines into a router.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn configure(&self, router: &str, lines: &[String]) -> Result<String, LiveError> {
        if let [one] = lines
            && one.starts_with("clear ")
        {
            return self.ask(router, one);
        }
        let typed = lines.iter().map(String::as_str).filter(|l| !matches!(*l, "configure terminal" | "conf t" | "end"));
        let commands: Vec<&str> = ["configure terminal"].into_iter().chain(typed).collect();
        self.ask_all(router, &commands)
    }

    /// Lets the sessions of a stage come up.
    ///
    /// # Errors
    /// When a router does not answer.
    pub fn release(&self, case: &Case, stage: &[(String, IpAddr)]) -> Result<(), LiveError> {
        // the sessions of a router come up at once
        let mut by_router: BTreeMap<&String, Vec<String>> = BTreeMap::new();
        for (router, neighbor) in stage {
            let text = || case.routers.iter().find(|(n, _)| n == router).map(|(_, t)| t.joined_for_frr()).unwrap_or_default();
            let heading = || text().lines().find(|l| l.starts_with("router bgp")).unwrap_or("router bgp").to_owned();
            by_router.entry(router).or_insert_with(|| vec![heading()]).push(format!("no neighbor {neighbor} shutdown"));
        }
        for (router, lines) in by_router {
            self.configure(router, &lines)?;
        }
        Ok(())
    }

    /// Waits until the tables are at rest and `sessions` sides of sessions are up, each family counted; returns the tables, and what was
    /// still missing.
    ///
    /// # Errors
    /// When a router does not answer.
    pub fn tables(&self, sessions: usize) -> Result<(BTreeMap<String, Shown>, Option<String>), LiveError> {
        let unfinished = self.rest(sessions)?;
        let mut tables = BTreeMap::new();
        for name in &self.names {
            let text = self.ask_all(name, &["show bgp ipv4 unicast json detail", "show bgp ipv6 unicast json detail"])?;
            tables.insert(name.clone(), Shown::read(&text).map_err(|e| LiveError(format!("table: {e}")))?);
        }
        Ok((tables, unfinished))
    }

    /// Waits for rest; says what is missing when it does not come.
    ///
    /// # Errors
    /// When a router does not answer, or at a stop.
    pub fn rest(&self, sessions: usize) -> Result<Option<String>, LiveError> {
        let begun = Instant::now();
        let (mut last, mut since) = (String::new(), Instant::now());
        loop {
            self.go_on()?;
            let (mut up, mut all) = (0, String::new());
            for name in &self.names {
                let commands = ["show bgp summary json", "show bgp ipv4 unicast json", "show bgp ipv6 unicast json"];
                let said = self.ask_all(name, &commands)?;
                up += said.matches("\"Established\"").count();
                // counters and times of the summary are no part of the tables
                let mut values = serde_json::Deserializer::from_str(&said).into_iter::<serde_json::Value>();
                let _ = values.next();
                all.push_str(&said[values.byte_offset()..]);
            }
            // rest counts from the last session that came up: what it brings is still to come
            let changed = all != last;
            if changed || up < sessions {
                (last, since) = (all, Instant::now());
            }
            if up >= sessions && since.elapsed() >= self.quiet {
                return Ok(None);
            }
            if begun.elapsed() >= PATIENCE + self.quiet {
                let moves = if changed { ", and tables still change" } else { "" };
                return Ok(Some(format!("{up} of {sessions} sides of sessions up{moves}")));
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}
