//! Starting and ending a simulated lab: inside this process, or as a process of its own.

use super::bmp;
use super::clock::Clock;
use super::control::{self, SimError};
use super::face::Face;
use super::world::{Own, ProbeSession, Telemetry, World};
use crate::RunResult;
use crate::face::{Tree, probes};
use crate::netns::{self, Driver, Keys, LabError, LabInstance, Options, Phase, Progress};
use crate::topology::{DeviceEndpoints, Endpoints, Node, Topology};
use action::DeviceId;
use network::{BmpSource, Credential, GnmiEndpoint, NetconfEndpoint};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Threads of a lab: servers and the world itself.
const THREADS: usize = 2;
/// How long a lab of its own process may take.
const UP_WITHIN: Duration = Duration::from_secs(30);

/// Configuration of the subcommand.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Config {
    /// The lab's directory; what is to be built stands in its `lab.json`.
    pub dir: PathBuf,
    /// Background traffic flows.
    pub traffic: bool,
    /// gNMI without TLS.
    pub plaintext: bool,
    /// Seed and pace.
    pub tuning: Tuning,
}

/// What of a simulated lab can be set beside the topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tuning {
    /// Decides every random number; `None`: the lab's identity does.
    pub seed: Option<u64>,
    /// Packets a second of each probe, and results a second, when nobody asks for more. The other lab has 1; with more, baselines are
    /// learned in less time.
    pub probe_hz: u64,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { seed: None, probe_hz: 1 }
    }
}

/// Returns where the sockets and files of a simulated lab are. Short, because a socket's path has at most 107 bytes.
pub(crate) fn run_dir(id: &str) -> PathBuf {
    std::env::temp_dir().join(format!("pilothouse-sim-{id}"))
}

/// A simulated lab inside this process. It ends, and its files go, when this is dropped.
#[derive(Debug)]
pub struct Sim {
    lab: LabInstance,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
    keeps_files: bool,
}

impl Sim {
    /// Returns the lab, as a lab in namespaces is seen.
    #[must_use]
    pub const fn instance(&self) -> &LabInstance {
        &self.lab
    }

    fn end(&mut self) {
        // a thread that ended by itself needs no telling
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.end();
        if !self.keeps_files
            && let Err(error) = netns::remove(&self.lab)
        {
            tracing::warn!(error = crate::chain(&error), "files of the simulated lab are left");
        }
    }
}

/// Starts a lab inside this process and returns when it has converged.
///
/// # Errors
/// When files or sockets cannot be made, or the network does not settle.
pub fn start(options: &Options, tuning: Tuning, progress: &mut dyn FnMut(&Progress)) -> Result<Sim, LabError> {
    let lab = prepare(options)?;
    let config = Config { dir: lab.dir.clone(), traffic: options.traffic, plaintext: options.plaintext, tuning };
    match serve(lab.clone(), &config, progress) {
        Ok(sim) => Ok(sim),
        Err(error) => {
            // the first error is the one to tell
            let _ = netns::remove(&lab);
            Err(error)
        }
    }
}

/// Starts a lab as a process of its own.
pub(crate) fn detached(options: &Options, progress: &mut dyn FnMut(&Progress)) -> Result<LabInstance, LabError> {
    let begun = Instant::now();
    let mut lab = prepare(options)?;
    let config = Config { dir: lab.dir.clone(), traffic: options.traffic, plaintext: options.plaintext, tuning: Tuning::default() };
    let process = netns::launch(&lab, "sim", None, &config).inspect_err(|_| drop(netns::remove(&lab)))?;
    lab.processes.push(process.clone());
    while begun.elapsed() < UP_WITHIN && process.alive() {
        let now = LabInstance::load(&lab.dir)?;
        if now.phase == Phase::Up {
            let up = LabInstance { processes: vec![process], ..now };
            up.save()?;
            progress(&Progress { what: "converged".to_owned(), after: begun.elapsed() });
            return Ok(up);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let log = std::fs::read_to_string(lab.run_dir.join("sim.log")).unwrap_or_default();
    let said = log.lines().last().unwrap_or_default().chars().take(400).collect();
    let _ = netns::remove(&lab);
    Err(LabError::Died { name: "sim".to_owned(), said })
}

/// Runs a lab until it is terminated: `pilothouse-lab sim --config FILE`.
///
/// # Errors
/// When the configuration cannot be read or the lab cannot be started.
pub fn run(args: &[String]) -> RunResult {
    let config: Config = serde_json::from_slice(&std::fs::read(crate::config_argument(args)?)?)?;
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "lab=info,warn".into());
    // only the first subscriber of a process counts
    let _ = tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stderr).with_env_filter(filter).try_init();
    let mut sim = serve(LabInstance::load(&config.dir)?, &config, &mut |_| {})?;
    // whoever ends the process takes the files away: they say what there was
    sim.keeps_files = true;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(terminated());
    Ok(())
}

async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Writes down what will be made, before anything is.
fn prepare(options: &Options) -> Result<LabInstance, LabError> {
    if options.dir.join("lab.json").exists() {
        return Err(LabError::Exists { dir: options.dir.clone() });
    }
    let run_dir = run_dir(&options.id);
    netns::make_dir(&options.dir)?;
    // nobody else may speak to the lab; a directory that is there already is somebody else's
    let made = std::fs::DirBuilder::new().mode(0o700).create(&run_dir);
    made.map_err(|source| LabError::File { doing: "make directory", path: run_dir.clone(), source })?;
    let lab = LabInstance {
        id: options.id.clone(),
        prefix: String::new(),
        driver: Driver::Sim,
        phase: Phase::Booting,
        dir: options.dir.clone(),
        run_dir,
        inventory: options.topology.inventory(&Endpoints { lab: Some(options.id.clone()), ..Endpoints::default() }),
        namespaces: Vec::new(),
        topology: options.topology.clone(),
        processes: Vec::new(),
    };
    lab.save()?;
    Ok(lab)
}

fn serve(lab: LabInstance, config: &Config, progress: &mut dyn FnMut(&Progress)) -> Result<Sim, LabError> {
    let begun = Instant::now();
    let keys = netns::make_keys(&lab, config.plaintext)?;
    let (stop, stopped) = watch::channel(false);
    let (ready, came) = mpsc::channel();
    let (of_thread, config) = (lab.clone(), config.clone());
    let thread = std::thread::Builder::new().name("simulated lab".to_owned());
    let thread = thread.spawn(move || live(of_thread, keys, config, &ready, stopped));
    let thread = thread.map_err(|source| failed("a thread", source))?;
    match came.recv() {
        Ok(Ok(lab)) => {
            progress(&Progress { what: "converged".to_owned(), after: begun.elapsed() });
            Ok(Sim { lab: *lab, stop, thread: Some(thread), keeps_files: false })
        }
        Ok(Err(error)) => Err(error),
        Err(_) => Err(LabError::Interrupted),
    }
}

fn failed(what: &'static str, source: std::io::Error) -> LabError {
    LabError::Sim { source: SimError::Start { what, source } }
}

type Ready = mpsc::Sender<Result<Box<LabInstance>, LabError>>;

/// The life of a lab, on a runtime of its own.
fn live(mut lab: LabInstance, keys: BTreeMap<String, Keys>, config: Config, ready: &Ready, mut stopped: watch::Receiver<bool>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).thread_name("simulated lab").enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(source) => {
            let _ = ready.send(Err(failed("a runtime", source)));
            return;
        }
    };
    runtime.block_on(async {
        let (engine, address) = watch::channel(None);
        let mut tasks: JoinSet<()> = JoinSet::new();
        match build(&mut lab, &keys, &config).await {
            Ok((clock, faces, listener)) => {
                tasks.spawn(clock.clone().run());
                let mut power = BTreeMap::new();
                for face in faces {
                    let (switch, powered) = watch::channel(true);
                    power.insert(face.router.clone(), switch);
                    let (router, run) = (face.router.clone(), face.run(clock.clone(), address.clone(), powered));
                    tasks.spawn(async move {
                        if let Err(error) = run.await {
                            tracing::error!(router, error = crate::chain(error.as_ref()), "face ended");
                        }
                    });
                }
                tasks.spawn(control::serve(listener, clock, control::Switches { engine, power }));
                if ready.send(lab.save().map(|()| Box::new(lab))).is_err() {
                    return;
                }
            }
            Err(error) => {
                let _ = ready.send(Err(error));
                return;
            }
        }
        // a sender that is gone means the end too
        while !*stopped.borrow() && stopped.changed().await.is_ok() {}
    });
}

/// Makes the world and what stands in front of it; fills in the inventory.
async fn build(
    lab: &mut LabInstance,
    keys: &BTreeMap<String, Keys>,
    config: &Config,
) -> Result<(Clock, Vec<Face>, tokio::net::UnixListener), LabError> {
    let topology = lab.topology.clone();
    let own: Vec<Own> = topology.own_nodes().map(|n| Own { id: n.id.clone(), tree: Tree::default() }).collect();
    let seed = config.tuning.seed.unwrap_or_else(|| u64::from_str_radix(&lab.id, 16).unwrap_or(1));
    let mut world = World::new(&topology, seed, &Telemetry { own: own.clone(), traffic: config.traffic });
    if !world.settle() {
        return Err(LabError::Sim { source: SimError::Unsettled });
    }
    let (mut faces, mut devices) = (Vec::new(), BTreeMap::new());
    for Own { id, tree } in own {
        let (Some(node), Some(index), Some(keys)) = (topology.node(&id), world.index(&id), keys.get(&id)) else { continue };
        let face = face(lab, &mut world, (node, index), keys, (tree, config.tuning.probe_hz)).await?;
        devices.insert(DeviceId::new(&id), reached(lab, node, &face, keys)?);
        faces.push(face);
    }
    lab.inventory = topology.inventory(&Endpoints { lab: Some(lab.id.clone()), devices });
    lab.phase = Phase::Up;
    let listener = control::bind(&lab.run_dir).map_err(|source| failed("the control socket", source))?;
    Ok((Clock::start(world), faces, listener))
}

async fn face(
    lab: &LabInstance,
    world: &mut World,
    (node, index): (&Node, usize),
    keys: &Keys,
    (tree, probe_hz): (Tree, u64),
) -> Result<Face, LabError> {
    let dir = lab.node_dir(&node.id);
    netns::make_dir(&dir)?;
    let configs = netns::probes_of(lab, node);
    let (rates, paces) = probes::prepare(&configs);
    for (i, (config, pace)) in configs.into_iter().zip(paces).enumerate() {
        let pinned = pinned_link(&lab.topology, node, config.source).and_then(|id| world.links.iter().position(|l| l.id == id));
        world.start_probe(ProbeSession::new(index, config, pinned, (pace, probe_hz), tree.clone(), (index * 1000 + i) as u64));
    }
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let gnmi = listen().await.map_err(|source| failed("gNMI", source))?;
    let netconf = listen().await.map_err(|source| failed("NETCONF", source))?;
    Ok(Face {
        index,
        router: node.id.clone(),
        gnmi,
        netconf,
        tls: keys.tls.clone(),
        host_key: keys.host_key.clone(),
        users: vec![(netns::USER.to_owned(), keys.password.clone())],
        dir,
        tree,
        rates,
        monitored: world.routers[index].monitored,
    })
}

/// A probe from the address of an exit's link leaves by that link; any other goes where routing sends it.
fn pinned_link(t: &Topology, node: &Node, source: std::net::IpAddr) -> Option<String> {
    let ports = t.exits_of(&node.id).filter_map(|e| t.port_of(e)).collect::<Vec<_>>();
    ports.into_iter().find(|p| p.v4 == source || p.v6 == source).map(|p| p.link)
}

fn reached(lab: &LabInstance, node: &Node, face: &Face, keys: &Keys) -> Result<DeviceEndpoints, LabError> {
    let credential = || Credential { username: netns::USER.to_owned(), secret: netns::secret_name(lab, &node.id) };
    let address = |listener: &TcpListener| -> Result<String, LabError> {
        listener.local_addr().map(|a: SocketAddr| a.to_string()).map_err(|source| failed("a server", source))
    };
    Ok(DeviceEndpoints {
        bmp: face.monitored.then(|| BmpSource::at(bmp::source(face.index).into())),
        gnmi: Some(GnmiEndpoint {
            address: address(&face.gnmi)?,
            tls: netns::tls_policy(lab, node, keys),
            credential: Some(credential()),
            profile: None,
        }),
        netconf: Some(NetconfEndpoint { address: address(&face.netconf)?, credential: credential(), host_key: keys.fingerprint.clone() }),
    })
}
