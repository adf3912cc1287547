//! The steps of a boot, in order, and their undoing.

use super::command::{in_parallel, run};
use super::config::{bird, feed, frr, gobgp};
use super::process::{Process, URGENT, end, start};
use super::requirement::FRR_DIR;
use super::{LabError, LabInstance, Options, Phase, Progress, converge, make_dir, wiring, write_file};
use crate::impair;
use crate::topology::{Daemon, Endpoints, Node};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a process may take to make its control socket.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// Where sockets, configurations and logs live; short, and readable by FRR's own user.
const RUN_ROOT: &str = "/run/pilothouse";

/// Returns the run directory of a lab.
pub(super) fn run_dir(id: &str) -> PathBuf {
    Path::new(RUN_ROOT).join(id)
}

/// Boots a lab; what was begun is removed when that fails, except the logs.
pub(super) fn boot(options: &Options, progress: &mut dyn FnMut(&Progress)) -> Result<LabInstance, LabError> {
    let mut lab = prepare(options)?;
    match steps(&mut lab, options, progress) {
        Ok(()) => Ok(lab),
        Err(error) => {
            keep_logs(&lab);
            // The first error is the one to tell; what remains after it stands in lab.json for `down`.
            let _ = remove(&lab);
            Err(error)
        }
    }
}

/// Writes down what will be made, before anything is.
fn prepare(options: &Options) -> Result<LabInstance, LabError> {
    let prefix = format!("ph{}-", options.id);
    let run_dir = run_dir(&options.id);
    if run_dir.exists() {
        return Err(LabError::Exists { dir: run_dir });
    }
    make_dir(&options.dir)?;
    let inventory = options.topology.inventory(&Endpoints { lab: Some(options.id.clone()), ..Endpoints::default() });
    let lab = LabInstance {
        id: options.id.clone(),
        driver: options.driver,
        phase: Phase::Booting,
        dir: options.dir.clone(),
        run_dir,
        inventory,
        namespaces: wiring::namespaces(&prefix, &options.topology),
        topology: options.topology.clone(),
        processes: Vec::new(),
        prefix,
    };
    lab.save()?;
    Ok(lab)
}

fn steps(lab: &mut LabInstance, options: &Options, progress: &mut dyn FnMut(&Progress)) -> Result<(), LabError> {
    let begun = Instant::now();
    let mut reached = |what: &str| progress(&Progress { what: what.to_owned(), after: begun.elapsed() });
    make_dir(&lab.run_dir)?;
    wiring::make_namespaces(lab)?;
    wiring::management(lab)?;
    reached("namespaces");
    start_impair(lab)?;
    wiring::plain_links(lab)?;
    wiring::interfaces(lab)?;
    reached("links");
    start_daemons(lab)?;
    reached("daemons");
    wiring::pinned_routes(lab)?;
    super::attachment::start(lab, options)?;
    reached("relay and faces");
    converge::wait(lab, &mut reached)?;
    if let Some(dead) = lab.processes.iter().find(|p| !p.alive()) {
        return Err(LabError::Died { name: dead.name.clone(), said: last_words(lab, &dead.name) });
    }
    lab.phase = Phase::Up;
    lab.save()
}

/// Returns the end of a process's log.
fn last_words(lab: &LabInstance, name: &str) -> String {
    let log = std::fs::read_to_string(lab.run_dir.join(format!("{name}.log"))).unwrap_or_default();
    log.lines().last().unwrap_or_default().chars().take(400).collect()
}

fn start_impair(lab: &mut LabInstance) -> Result<(), LabError> {
    let control = lab.run_dir.join("impair.sock");
    let seed = u64::from_str_radix(&lab.id, 16).unwrap_or(1);
    let config = impair::Config { control: control.clone(), seed, links: wiring::impaired(lab) };
    subcommand(lab, "impair", None, &config)?;
    wait_for(lab, &control, "impair")
}

/// Starts a subcommand of our own binary as a part of the lab.
pub(super) fn subcommand(lab: &mut LabInstance, name: &str, node: Option<&str>, config: &impl serde::Serialize) -> Result<(), LabError> {
    let process = launch(lab, name, node, config)?;
    lab.processes.push(process);
    lab.save()
}

/// Starts a subcommand of our own binary with its configuration in a file; `name` is `subcommand` or `subcommand-node`.
pub(crate) fn launch(lab: &LabInstance, name: &str, node: Option<&str>, config: &impl serde::Serialize) -> Result<Process, LabError> {
    let file = lab.run_dir.join(format!("{name}.json"));
    let bytes = serde_json::to_vec_pretty(config).map_err(|source| LabError::Format { path: file.clone(), source })?;
    // It may hold passwords.
    write_file(&file, &bytes, 0o600)?;
    let binary = binary()?.display().to_string();
    let namespace = node.map(|n| lab.namespace(n));
    let (verb, _) = name.split_once('-').unwrap_or((name, ""));
    let file = file.display().to_string();
    // Traffic may be late; everything else of ours keeps time.
    let priority: &[&str] = if verb == "traffic" || lab.driver == super::Driver::Sim { &[] } else { &URGENT };
    let argv: Vec<&str> = priority.iter().copied().chain([binary.as_str(), verb, "--config", &file]).collect();
    start(name, namespace.as_deref(), &lab.run_dir.join(format!("{name}.log")), &argv)
}

fn binary() -> Result<PathBuf, LabError> {
    if let Some(path) = std::env::var_os("PILOTHOUSE_LAB_BIN") {
        return Ok(path.into());
    }
    let own = std::env::current_exe().map_err(|source| LabError::File { doing: "find", path: "/proc/self/exe".into(), source })?;
    // Beside us; tests run one directory below.
    let found = own.ancestors().skip(1).take(2).map(|dir| dir.join("pilothouse-lab")).find(|p| p.exists());
    found.ok_or(LabError::Binary { beside: own })
}

/// Waits until a process has made a file, usually its control socket.
pub(super) fn wait_for(lab: &LabInstance, path: &Path, name: &str) -> Result<(), LabError> {
    let until = Instant::now() + READY_WITHIN;
    let lives = || lab.processes.iter().find(|p| p.name == name).is_none_or(Process::alive);
    while !path.exists() {
        if Instant::now() > until || !lives() {
            return Err(LabError::Died { name: name.to_owned(), said: last_words(lab, name) });
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn start_daemons(lab: &mut LabInstance) -> Result<(), LabError> {
    let nodes: Vec<Node> = lab.topology.nodes.clone();
    let started = {
        let lab = &*lab;
        in_parallel(&nodes, |node| {
            make_dir(&lab.node_dir(&node.id))?;
            match node.daemon {
                Daemon::Frr => start_frr(lab, node),
                Daemon::Bird => start_bird(lab, node),
                Daemon::Gobgp => start_gobgp(lab, node),
            }
        })
    };
    // Daemons of a failed batch are found again by their pid files, so none is left behind.
    lab.processes.extend(match &started {
        Ok(processes) => processes.iter().flatten().cloned().collect::<Vec<_>>(),
        Err(_) => pid_files(lab),
    });
    lab.save()?;
    started.map(|_| ())
}

fn pid_files(lab: &LabInstance) -> Vec<Process> {
    let dirs = lab.topology.nodes.iter().map(|n| lab.node_dir(&n.id));
    let files = dirs.filter_map(|d| std::fs::read_dir(d).ok()).flatten().filter_map(|e| Some(e.ok()?.path()));
    files
        .filter(|p| p.extension().is_some_and(|e| e == "pid"))
        .filter_map(|p| Process::of_file(p.display().to_string(), &p, Duration::ZERO).ok())
        .collect()
}

/// Starts the daemons of one FRR with empty configurations, then loads the integrated one, as `frrinit` does.
fn start_frr(lab: &LabInstance, node: &Node) -> Result<Vec<Process>, LabError> {
    let dir = lab.node_dir(&node.id);
    let d = dir.display().to_string();
    write_file(&dir.join("frr.conf"), frr(&lab.topology, node, &dir.join("frr.log")).as_bytes(), 0o640)?;
    write_file(&dir.join("vtysh.conf"), b"", 0o640)?;
    write_file(&dir.join("empty.conf"), b"", 0o640)?;
    run("chown", ["-R", "frr:frr", &d])?;
    let daemons: &[&str] = match node.role.ours() {
        Some(_) => &["zebra", "staticd", "ospfd", "ospf6d", "bgpd"],
        None => &["zebra", "bgpd"],
    };
    let mut script = String::from("set -e; hostname \"$1\"; cd \"$2\"\n");
    for daemon in daemons {
        let extra = match *daemon {
            "bgpd" => "-M bmp",
            // The default receive buffer of netlink overflows when a table changes at once.
            "zebra" => "-s 1048576",
            _ => "",
        };
        script
            .push_str(&format!("{FRR_DIR}/{daemon} -d -z {d}/zserv.api --vty_socket {d} {extra} -f {d}/empty.conf -i {d}/{daemon}.pid\n"));
    }
    run_named(lab, node, &script)?;
    run("vtysh", ["--vty_socket", &d, "--config_dir", &d, "-b"])?;
    daemons
        .iter()
        .map(|daemon| Process::of_file(format!("{}/{daemon}", node.id), &dir.join(format!("{daemon}.pid")), READY_WITHIN))
        .collect()
}

/// Runs a script that starts daemons in a node's namespace under the node's host name; `$1` is the host name, `$2` the node's directory.
fn run_named(lab: &LabInstance, node: &Node, script: &str) -> Result<(), LabError> {
    let (namespace, dir) = (lab.namespace(&node.id), lab.node_dir(&node.id).display().to_string());
    let inside = ["netns", "exec", &namespace].into_iter().chain(URGENT);
    run("ip", inside.chain(["unshare", "--uts", "sh", "-c", script, "sh", &node.hostname, &dir])).map(|_| ())
}

fn start_bird(lab: &LabInstance, node: &Node) -> Result<Vec<Process>, LabError> {
    let dir = lab.node_dir(&node.id);
    write_file(&dir.join("bird.conf"), bird(&lab.topology, node, &dir.join("bird.log")).as_bytes(), 0o640)?;
    let script = "hostname \"$1\"; exec bird -c \"$2/bird.conf\" -s \"$2/bird.ctl\" -P \"$2/bird.pid\"";
    run_named(lab, node, script)?;
    Ok(vec![Process::of_file(format!("{}/bird", node.id), &dir.join("bird.pid"), READY_WITHIN)?])
}

/// Starts GoBGP and originates the provider's own prefixes; its API listens inside the namespace only.
fn start_gobgp(lab: &LabInstance, node: &Node) -> Result<Vec<Process>, LabError> {
    let dir = lab.node_dir(&node.id);
    let file = dir.join("gobgpd.toml");
    write_file(&file, gobgp(&lab.topology, node).as_bytes(), 0o640)?;
    let namespace = lab.namespace(&node.id);
    let file = file.display().to_string();
    let gobgpd = ["gobgpd", "-f", &file, "-t", "toml", "--api-hosts", "127.0.0.1:50051", "--pprof-disable"];
    let argv: Vec<&str> = URGENT.into_iter().chain(gobgpd).collect();
    let process = start(&format!("{}/gobgpd", node.id), Some(&namespace), &dir.join("gobgpd.log"), &argv)?;
    // So that it is found when a later step of this batch fails.
    write_file(&dir.join("gobgpd.pid"), process.pid.to_string().as_bytes(), 0o640)?;
    let until = Instant::now() + READY_WITHIN;
    while run("ip", ["netns", "exec", &namespace, "gobgp", "global"]).is_err() {
        if Instant::now() > until || !process.alive() {
            return Err(LabError::died(process.name));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    in_parallel(&feed(node), |args| {
        let fixed = ["netns", "exec", &namespace, "gobgp"].into_iter().map(str::to_owned);
        run("ip", fixed.chain(args.iter().cloned()))
    })?;
    Ok(vec![process])
}

/// Moves the logs of a failed boot where they can be read afterwards.
fn keep_logs(lab: &LabInstance) {
    let kept = Path::new(RUN_ROOT).join("failed");
    let _ = std::fs::remove_dir_all(&kept);
    let _ = run("cp", ["-r", &lab.run_dir.display().to_string(), &kept.display().to_string()]);
}

/// Removes everything a lab has made, and `lab.json` last, so that an interrupted removal can be repeated.
pub(crate) fn remove(lab: &LabInstance) -> Result<(), LabError> {
    let mut processes = lab.processes.clone();
    processes.extend(lab.helpers().into_iter().map(|(_, p)| p));
    let children: Vec<Process> = processes.iter().flat_map(Process::children).collect();
    processes.extend(children);
    end(&processes);
    let there: Vec<&String> = lab.namespaces.iter().filter(|n| Path::new("/run/netns").join(n).exists()).collect();
    in_parallel(&there, |namespace| run("ip", ["netns", "delete", namespace]))?;
    remove_dir(&lab.run_dir)?;
    for name in ["secrets.json", "lab.json.new"] {
        let _ = std::fs::remove_file(lab.dir.join(name));
    }
    remove_dir(&lab.dir.join("keys"))?;
    let path = lab.dir.join("lab.json");
    std::fs::remove_file(&path).map_err(|source| LabError::File { doing: "remove", path, source })?;
    // Only when nothing else was put there.
    let _ = std::fs::remove_dir(&lab.dir);
    Ok(())
}

fn remove_dir(dir: &Path) -> Result<(), LabError> {
    match std::fs::remove_dir_all(dir) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(LabError::File { doing: "remove", path: dir.to_owned(), source })
        }
        _ => Ok(()),
    }
}
