//! The FRR backend: what the router's daemons and its kernel say, as OpenConfig paths.

mod rib;
mod session;
pub(crate) mod system;

use super::tree::Tree;
use super::vty::Vty;
use gnmi::{Path, PathElem, Value};
use rib::Rib;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;
use tokio::time::Instant;

/// How often sessions and table versions are looked at.
const POLL: Duration = Duration::from_millis(500);
/// How often counters, CPU and memory are.
const COUNTERS_EVERY: u32 = 2;
/// Pause after a daemon could not be reached.
const RETRY: Duration = Duration::from_secs(1);

/// The address families, by FRR's and by OpenConfig's name.
pub(super) const FAMILIES: [(&str, &str, &str); 2] =
    [("ipv4Unicast", "IPV4_UNICAST", "ipv4-unicast"), ("ipv6Unicast", "IPV6_UNICAST", "ipv6-unicast")];

/// A daemon that is away for this long has forgotten its routes; what was told of them is withdrawn.
const GONE_AFTER: Duration = Duration::from_secs(3);

/// What a router is asked.
pub trait Daemon: Send {
    /// Answers a `show` command as FRR 8.4 does.
    fn show(&mut self, command: &str) -> impl Future<Output = std::io::Result<String>> + Send;
    /// Returns interfaces, CPU and memory.
    fn system(&mut self) -> Vec<(Path, Value)>;
}

/// bgpd on this machine, and its kernel.
pub struct Bgpd {
    vty: Vty,
    interfaces: Vec<String>,
}

impl Bgpd {
    /// Prepares for the bgpd of a face.
    pub fn new(config: &super::FaceConfig) -> Self {
        Self { vty: Vty::new(&config.vty_dir, "bgpd"), interfaces: config.interfaces.clone() }
    }
}

impl Daemon for Bgpd {
    async fn show(&mut self, command: &str) -> std::io::Result<String> {
        self.vty.show(command).await
    }

    fn system(&mut self) -> Vec<(Path, Value)> {
        system::read(&self.interfaces)
    }
}

/// Keeps the tree in step with the router until the process ends.
pub async fn watch(tree: Tree, router: String, daemon: impl Daemon) {
    let mut backend = Backend { daemon, tree, router, told: Told::default(), last_heard: Instant::now(), heard: None, round: 0 };
    loop {
        let result = backend.poll().await;
        let pause = if result.is_ok() { POLL } else { RETRY };
        backend.heard(result);
        tokio::time::sleep(pause).await;
    }
}

struct Backend<D> {
    daemon: D,
    tree: Tree,
    router: String,
    told: Told,
    last_heard: Instant,
    /// Whether the last look succeeded; `None` before the first.
    heard: Option<bool>,
    round: u32,
}

/// What was told about BGP so far.
#[derive(Default)]
struct Told {
    rib: Rib,
    /// Table version per family, as last read.
    versions: BTreeMap<&'static str, u64>,
    /// Best routes per family and neighbour.
    installed: BTreeMap<&'static str, BTreeMap<String, u64>>,
    neighbors: BTreeSet<String>,
    hostname: bool,
}

impl<D: Daemon> Backend<D> {
    async fn poll(&mut self) -> std::io::Result<()> {
        if self.round.is_multiple_of(COUNTERS_EVERY) {
            self.tree.put(self.daemon.system(), Vec::new(), false);
        }
        self.round = self.round.wrapping_add(1);
        if !self.told.hostname {
            self.tell_hostname().await?;
        }
        let summary = self.json("show bgp summary json").await?;
        for (frr, openconfig, container) in FAMILIES {
            let version = summary.get(frr).and_then(|s| s.get("tableVersion")).and_then(Json::as_u64);
            let Some(version) = version else { continue };
            if self.told.versions.get(frr) != Some(&version) {
                let words = if frr == "ipv4Unicast" { "ipv4" } else { "ipv6" };
                let table = self.json(&format!("show bgp {words} unicast json detail")).await?;
                let (updates, deletes) = self.told.rib.take(openconfig, container, &table);
                self.tree.put(updates, deletes, false);
                self.told.installed.insert(frr, rib::best_by_neighbor(&table));
                self.told.versions.insert(frr, version);
            }
        }
        let neighbors = self.json("show bgp neighbors json").await?;
        self.tell_neighbors(&neighbors);
        Ok(())
    }

    fn tell_neighbors(&mut self, neighbors: &Json) {
        let now = session::addresses(neighbors);
        let gone = self.told.neighbors.difference(&now).map(|a| session::path(a, Vec::new())).collect();
        self.tree.put(session::leaves(neighbors, &self.told.installed), gone, false);
        self.told.neighbors = now;
    }

    /// The node runs beside the daemons, which may have a host name of their own.
    async fn tell_hostname(&mut self) -> std::io::Result<()> {
        let text = self.daemon.show("show running-config").await?;
        let name = text.lines().find_map(|l| l.strip_prefix("hostname ")).unwrap_or(&self.router).trim().to_owned();
        let path = Path { elems: ["system", "state", "hostname"].map(|n| elem(n, &[])).to_vec() };
        self.tree.put(vec![(path, Value::String(name))], Vec::new(), false);
        self.told.hostname = true;
        Ok(())
    }

    /// Tells whether the daemon can be read, and withdraws what a dead one had told.
    fn heard(&mut self, result: std::io::Result<()>) {
        let backend = Path { elems: ["system", "state", "backend"].map(|n| elem(n, &[])).to_vec() };
        let was = self.heard.replace(result.is_ok());
        match result {
            Ok(()) => {
                self.last_heard = Instant::now();
                self.tree.put(vec![(backend, Value::String("bgpd: ok".to_owned()))], Vec::new(), false);
            }
            Err(error) => {
                if was != Some(false) {
                    tracing::warn!(router = %self.router, %error, "bgpd cannot be read");
                }
                self.tree.put(vec![(backend, Value::String(format!("bgpd: {error}")))], Vec::new(), false);
                if self.last_heard.elapsed() >= GONE_AFTER && !self.told.versions.is_empty() {
                    let told = std::mem::take(&mut self.told);
                    let mut gone: Vec<Path> = told.neighbors.iter().map(|a| session::path(a, Vec::new())).collect();
                    gone.push(bgp_path(vec![elem("rib", &[])]));
                    self.tree.put(Vec::new(), gone, false);
                }
            }
        }
    }

    async fn json(&mut self, command: &str) -> std::io::Result<Json> {
        let text = self.daemon.show(command).await?;
        serde_json::from_str(&text).map_err(|e| std::io::Error::other(format!("{command:?} does not answer with JSON: {e}")))
    }
}

/// `/network-instances/network-instance[name=default]/protocols/protocol[…BGP]/bgp` and what follows.
pub(super) fn bgp_path(rest: Vec<PathElem>) -> Path {
    let mut elems = vec![
        elem("network-instances", &[]),
        elem("network-instance", &[("name", "default")]),
        elem("protocols", &[]),
        elem("protocol", &[("identifier", "BGP"), ("name", "BGP")]),
        elem("bgp", &[]),
    ];
    elems.extend(rest);
    Path { elems }
}

/// One path element.
pub(super) fn elem(name: &str, keys: &[(&str, &str)]) -> PathElem {
    PathElem { name: name.to_owned(), keys: keys.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect() }
}
