//! A booted lab: what `lab.json` holds, and reading the truth from its routers.

use super::command::run;
use super::{LabError, Process};
use crate::impair;
use crate::relay::EngineDoors;
use crate::sim;
use crate::topology::{Role, Topology};
use bgp::{Family, Prefix};
use network::Inventory;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// What builds the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Driver {
    /// Real daemons in network namespaces.
    #[default]
    Netns,
    /// Simulated routers in one process.
    Sim,
}

/// How far a boot got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// On the way; or the process that booted it died.
    Booting,
    /// Every session was up and every route there.
    Up,
}

/// A booted lab, as `<dir>/lab.json` holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabInstance {
    /// Identity; also in the inventory.
    pub id: String,
    /// Prefix of its namespaces.
    pub prefix: String,
    /// Driver.
    pub driver: Driver,
    /// How far the boot got.
    pub phase: Phase,
    /// Its directory.
    pub dir: PathBuf,
    /// Sockets, configurations and logs of its processes. Short, because a socket's path has at most 107 bytes.
    pub run_dir: PathBuf,
    /// What it was built from.
    pub topology: Topology,
    /// What the engine is told.
    pub inventory: Inventory,
    /// Its namespaces.
    pub namespaces: Vec<String>,
    /// Its processes.
    pub processes: Vec<Process>,
}

/// The best way of one prefix as a router has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BestPath {
    /// Next hop.
    pub next_hop: IpAddr,
    /// LOCAL_PREF.
    pub local_pref: Option<u32>,
    /// AS_PATH as text.
    pub as_path: String,
}

/// What `ping` saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ping {
    /// Requests sent.
    pub sent: u32,
    /// Replies received.
    pub received: u32,
    /// Mean round trip, milliseconds; `None` without a reply.
    pub rtt_ms: Option<f64>,
}

impl LabInstance {
    /// Reads a lab from its directory.
    ///
    /// # Errors
    /// When there is none, or one of another version.
    pub fn load(dir: &Path) -> Result<Self, LabError> {
        let path = dir.join("lab.json");
        let bytes = std::fs::read(&path).map_err(|source| LabError::File { doing: "read", path: path.clone(), source })?;
        serde_json::from_slice(&bytes).map_err(|source| LabError::Format { path, source })
    }

    /// Writes `lab.json`, whole or not at all.
    pub(crate) fn save(&self) -> Result<(), LabError> {
        let path = self.dir.join("lab.json");
        let bytes = serde_json::to_vec_pretty(self).map_err(|source| LabError::Format { path: path.clone(), source })?;
        super::write_file(&self.dir.join("lab.json.new"), &bytes, 0o644)?;
        std::fs::rename(self.dir.join("lab.json.new"), &path).map_err(|source| LabError::File { doing: "replace", path, source })
    }

    /// Returns the passwords of the lab's devices by secret name. Kept apart from `lab.json`, readable by the owner only.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn secrets(&self) -> Result<BTreeMap<String, String>, LabError> {
        let path = self.dir.join("secrets.json");
        let bytes = std::fs::read(&path).map_err(|source| LabError::File { doing: "read", path: path.clone(), source })?;
        serde_json::from_slice(&bytes).map_err(|source| LabError::Format { path, source })
    }

    /// Returns the namespace of a node.
    #[must_use]
    pub fn namespace(&self, node: &str) -> String {
        format!("{}{node}", self.prefix)
    }

    /// Returns the directory with a node's configuration, sockets and logs.
    #[must_use]
    pub fn node_dir(&self, node: &str) -> PathBuf {
        self.run_dir.join(node)
    }

    /// Asks the process of a simulated lab.
    pub(super) fn ask_sim(&self, request: &sim::Request) -> Result<String, LabError> {
        sim::ask(&self.run_dir, request).map_err(|source| LabError::Sim { source })
    }

    /// Returns a client of the lab's impairment process.
    #[must_use]
    pub fn impairments(&self) -> impair::Client {
        impair::Client::new(&self.run_dir.join("impair.sock"))
    }

    /// Tells the lab where the engine listens; nowhere when it stops. Routers reconnect within two seconds. Simulated routers send BMP only.
    ///
    /// # Errors
    /// When the relay does not answer.
    pub fn attach_engine(&self, engine: EngineDoors) -> Result<(), LabError> {
        match self.driver {
            Driver::Netns => crate::relay::attach(&self.run_dir.join("relay.sock"), engine)
                .map_err(|source| LabError::Relay { source: Box::new(source) }),
            Driver::Sim => self.ask_sim(&sim::Request::Attach { bmp: engine.bmp }).map(drop),
        }
    }

    /// Runs a show command on a router that runs FRR and returns its JSON.
    ///
    /// # Errors
    /// When the router does not answer or answers no JSON.
    pub fn show(&self, node: &str, command: &str) -> Result<Value, LabError> {
        let text = self.vtysh(node, &[command])?;
        serde_json::from_str(&text).map_err(|source| LabError::NotJson { node: node.to_owned(), command: command.to_owned(), source })
    }

    /// Runs commands in one `vtysh` session on a router that runs FRR and returns what it prints.
    ///
    /// # Errors
    /// When `vtysh` fails.
    pub fn vtysh(&self, node: &str, commands: &[&str]) -> Result<String, LabError> {
        if self.driver == Driver::Sim {
            let commands = commands.iter().map(|c| (*c).to_owned()).collect();
            return self.ask_sim(&sim::Request::Vtysh { node: node.to_owned(), commands });
        }
        let dir = self.node_dir(node).display().to_string();
        let mut args = vec!["--vty_socket", dir.as_str(), "--config_dir", dir.as_str()];
        for command in commands {
            args.extend(["-c", command]);
        }
        run("vtysh", args)
    }

    /// Returns the best path of every prefix of `family` in a router's BGP table.
    ///
    /// # Errors
    /// When the router does not answer.
    pub fn best_paths(&self, node: &str, family: Family) -> Result<BTreeMap<Prefix, BestPath>, LabError> {
        let name = if family == Family::Ipv4Unicast { "ipv4" } else { "ipv6" };
        let table = self.show(node, &format!("show bgp {name} unicast json"))?;
        let routes = table.get("routes").and_then(Value::as_object).cloned().unwrap_or_default();
        Ok(routes.iter().filter_map(|(prefix, paths)| Some((prefix.parse().ok()?, best(paths)?))).collect())
    }

    /// Returns the exit by which each prefix leaves, as seen by `node`: its own exit when the next hop is a provider's address, else the
    /// best exit of the edge that is the next hop.
    ///
    /// # Errors
    /// When a router does not answer.
    pub fn best_exits(&self, node: &str, family: Family) -> Result<BTreeMap<Prefix, String>, LabError> {
        let mut tables = BTreeMap::new();
        for edge in self.topology.nodes.iter().filter(|n| n.role == Role::Edge) {
            tables.insert(edge.id.as_str(), self.best_paths(&edge.id, family)?);
        }
        let start = self.best_paths(node, family)?;
        let exit = |prefix: &Prefix, path: &BestPath| {
            self.exit_at(path.next_hop).or_else(|| {
                let edge = self.node_with(path.next_hop)?;
                self.exit_at(tables.get(edge)?.get(prefix)?.next_hop)
            })
        };
        Ok(start.iter().filter_map(|(p, path)| Some((*p, exit(p, path)?))).collect())
    }

    fn exit_at(&self, neighbor: IpAddr) -> Option<String> {
        self.inventory.exits.iter().find(|e| e.neighbors.contains(&neighbor)).map(|e| e.id.to_string())
    }

    fn node_with(&self, loopback: IpAddr) -> Option<&str> {
        let has = |n: &&crate::topology::Node| IpAddr::V4(n.loopback4) == loopback || IpAddr::V6(n.loopback6) == loopback;
        self.topology.nodes.iter().find(has).map(|n| n.id.as_str())
    }

    /// Pings `target` from a node, `count` times, ten a second.
    ///
    /// # Errors
    /// When `ping` cannot be run. No reply is an answer, not an error.
    pub fn ping(&self, node: &str, source: IpAddr, target: IpAddr, count: u32) -> Result<Ping, LabError> {
        if self.driver == Driver::Sim {
            let text = self.ask_sim(&sim::Request::Ping { node: node.to_owned(), source, target, count })?;
            return Ok(read_ping(&text));
        }
        let (namespace, source, target, count) = (self.namespace(node), source.to_string(), target.to_string(), count.to_string());
        let ping = format!("ping -n -q -i 0.1 -W 1 -c {count} -I {source} {target}; test $? -lt 2");
        Ok(read_ping(&run("ip", ["netns", "exec", &namespace, "sh", "-c", &ping])?))
    }
}

fn best(paths: &Value) -> Option<BestPath> {
    let path = paths.as_array()?.iter().find(|p| p.get("bestpath").and_then(Value::as_bool) == Some(true))?;
    let hops = path.get("nexthops")?.as_array()?;
    // A link-local next hop stands beside the global one; sessions are known by the global one.
    let global = hops
        .iter()
        .filter(|h| h.get("scope").and_then(Value::as_str) != Some("link-local"))
        .find_map(|h| h.get("ip")?.as_str()?.parse().ok());
    Some(BestPath {
        next_hop: global?,
        local_pref: path.get("locPrf").and_then(Value::as_u64).and_then(|n| n.try_into().ok()),
        as_path: path.get("path").and_then(Value::as_str).unwrap_or_default().to_owned(),
    })
}

/// Reads the two summary lines: `5 packets transmitted, 5 received, …` and `rtt min/avg/max/mdev = a/b/c/d ms`.
fn read_ping(text: &str) -> Ping {
    let number_before = |word: &str| {
        let at = text.find(word)?;
        text.get(..at)?.trim_end().rsplit([' ', '\n']).next()?.parse().ok()
    };
    let mean = || text.split("min/avg/max/mdev = ").nth(1)?.split('/').nth(1)?.parse().ok();
    Ping { sent: number_before("packets transmitted").unwrap_or(0), received: number_before("received").unwrap_or(0), rtt_ms: mean() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ping_summaries_are_read_with_and_without_replies() {
        let some = "PING x\n\n--- x ping statistics ---\n5 packets transmitted, 4 received, 20% packet loss, time 4ms\nrtt min/avg/max/mdev = 8.1/8.2/8.4/0.1 ms\n";
        assert_eq!(read_ping(some), Ping { sent: 5, received: 4, rtt_ms: Some(8.2) });
        let none = "--- x ping statistics ---\n3 packets transmitted, 0 received, 100% packet loss, time 2ms\n";
        assert_eq!(read_ping(none), Ping { sent: 3, received: 0, rtt_ms: None });
    }

    #[test]
    fn the_best_path_is_the_one_marked_with_its_global_next_hop() {
        let paths = serde_json::json!([
            {"valid": true, "locPrf": 150, "path": "5678 64500", "nexthops": [{"ip": "172.31.2.1"}]},
            {"valid": true, "bestpath": true, "locPrf": 200, "path": "1234 64500", "nexthops": [{"ip": "2001:db8::1", "scope": "global"}, {"ip": "fe80::1", "scope": "link-local", "used": true}]},
        ]);
        let path = best(&paths).unwrap();
        assert_eq!((path.next_hop.to_string().as_str(), path.local_pref), ("2001:db8::1", Some(200)));
    }
}
