//! The FRR backend: what the router's daemons and its kernel say, as OpenConfig paths.

mod rib;
mod system;

use super::tree::Tree;
use super::vty::Vty;
use gnmi::{Path, PathElem, Value};
use rib::Rib;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::time::Duration;

/// How often sessions and table versions are looked at.
const POLL: Duration = Duration::from_millis(500);
/// How often counters, CPU and memory are.
const COUNTERS_EVERY: u32 = 2;
/// Pause after a daemon could not be reached.
const RETRY: Duration = Duration::from_secs(1);

/// The address families, by FRR's and by OpenConfig's name.
pub(super) const FAMILIES: [(&str, &str, &str); 2] =
    [("ipv4Unicast", "IPV4_UNICAST", "ipv4-unicast"), ("ipv6Unicast", "IPV6_UNICAST", "ipv6-unicast")];

/// Keeps the tree in step with the router until the process ends.
pub async fn watch(tree: Tree, config: super::FaceConfig) {
    let mut backend = Backend { bgpd: Vty::new(&config.vty_dir, "bgpd"), tree, config, rib: Rib::default(), versions: BTreeMap::new(), round: 0 };
    loop {
        if let Err(error) = backend.poll().await {
            tracing::warn!(router = %backend.config.router, %error, "bgpd cannot be read");
            tokio::time::sleep(RETRY).await;
        }
        tokio::time::sleep(POLL).await;
    }
}

struct Backend {
    bgpd: Vty,
    tree: Tree,
    config: super::FaceConfig,
    rib: Rib,
    /// Table version per family, as last read.
    versions: BTreeMap<&'static str, u64>,
    round: u32,
}

impl Backend {
    async fn poll(&mut self) -> std::io::Result<()> {
        if self.round.is_multiple_of(COUNTERS_EVERY) {
            self.tree.put(system::read(&self.config), Vec::new(), false);
        }
        self.round = self.round.wrapping_add(1);
        let summary = self.json("show bgp summary json").await?;
        let neighbors = self.json("show bgp neighbors json").await?;
        self.tree.put(sessions(&neighbors), Vec::new(), false);
        for (frr, openconfig, container) in FAMILIES {
            let version = summary.get(frr).and_then(|s| s.get("tableVersion")).and_then(Json::as_u64);
            let Some(version) = version else { continue };
            if self.versions.get(frr) != Some(&version) {
                let words = if frr == "ipv4Unicast" { "ipv4" } else { "ipv6" };
                let table = self.json(&format!("show bgp {words} unicast detail json")).await?;
                let (updates, deletes) = self.rib.take(openconfig, container, &table);
                self.tree.put(updates, deletes, false);
                self.versions.insert(frr, version);
            }
        }
        Ok(())
    }

    async fn json(&mut self, command: &str) -> std::io::Result<Json> {
        let text = self.bgpd.show(command).await?;
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

fn sessions(neighbors: &Json) -> Vec<(Path, Value)> {
    let mut out = Vec::new();
    let Some(map) = neighbors.as_object() else { return out };
    for (address, n) in map {
        // the object also holds router-wide members, which are no objects
        let Some(state) = n.get("bgpState").and_then(Json::as_str) else { continue };
        let base = |rest: Vec<PathElem>| {
            let mut elems = vec![elem("neighbors", &[]), elem("neighbor", &[("neighbor-address", address)])];
            elems.extend(rest);
            bgp_path(elems)
        };
        let leaf = |name: &str| base(vec![elem("state", &[]), elem(name, &[])]);
        let number = |key: &str| n.get(key).and_then(Json::as_u64);
        out.push((leaf("session-state"), Value::String(state.to_ascii_uppercase())));
        let shut = n.get("adminShutDown").and_then(Json::as_bool).unwrap_or(false);
        out.push((leaf("enabled"), Value::Bool(!shut)));
        if let Some(asn) = number("remoteAs") {
            out.push((leaf("peer-as"), Value::Uint(asn)));
        }
        if let Some(text) = n.get("nbrDesc").and_then(Json::as_str) {
            out.push((leaf("description"), Value::String(text.to_owned())));
        }
        if let Some(count) = number("connectionsEstablished") {
            out.push((leaf("established-transitions"), Value::Uint(count)));
        }
        if let Some(why) = n.get("lastResetDueTo").and_then(Json::as_str) {
            out.push((leaf("last-down-reason"), Value::String(why.to_owned())));
        }
        for (frr, openconfig, _) in FAMILIES {
            let Some(info) = n.get("addressFamilyInfo").and_then(|i| i.get(frr)) else { continue };
            for (key, name) in [("acceptedPrefixCounter", "received"), ("sentPrefixCounter", "sent")] {
                if let Some(count) = info.get(key).and_then(Json::as_u64) {
                    let path = vec![
                        elem("afi-safis", &[]),
                        elem("afi-safi", &[("afi-safi-name", openconfig)]),
                        elem("state", &[]),
                        elem("prefixes", &[]),
                        elem(name, &[]),
                    ];
                    out.push((base(path), Value::Uint(count)));
                }
            }
        }
    }
    out
}
