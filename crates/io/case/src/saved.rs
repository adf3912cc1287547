//! A live network as a case: its running configurations, its wires, and what is known of the world outside. Written as a directory that every
//! verb of `pilotctl twin` reads.

use bgp::{PathAttributes, Prefix};
use core::net::{IpAddr, Ipv4Addr};
use preflight::Facts;
use routing::Blueprint;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// The file beside `case.json` that holds what neighbours outside announce.
pub const OUTSIDE: &str = "outside.json";

/// What one neighbour outside the network announces, before policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Announced {
    /// Router that hears it.
    pub router: String,
    /// The neighbour's address, as that router's configuration names it.
    pub neighbor: IpAddr,
    /// Its router id; 0.0.0.0: not known.
    pub router_id: Ipv4Addr,
    /// Attributes, each once.
    pub attributes: Vec<PathAttributes>,
    /// Prefix, and place in `attributes`.
    pub routes: Vec<(Prefix, u32)>,
}

/// What is known of the world outside, and of the moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Outside {
    /// Announcements.
    pub feeds: Vec<Announced>,
    /// Sessions that are down: router and neighbour.
    pub down: Vec<(String, IpAddr)>,
    /// Paths in use by prefix: of paths that are equal but for their age these are the older.
    pub in_use: Vec<(Prefix, Vec<(String, IpAddr)>)>,
}

/// A network as it was saved.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// Routers by name with their configurations.
    pub routers: Vec<(String, String)>,
    /// Wires: a name, and its ends as `router:interface`.
    pub links: BTreeMap<String, Vec<String>>,
    /// What is known beside it.
    pub context: Facts,
    /// The world outside.
    pub outside: Outside,
}

impl Outside {
    /// Reads it from a case's directory; nothing where there is no such file.
    ///
    /// # Errors
    /// [`crate::CaseError`], with the file.
    pub(crate) fn load(dir: &Path) -> Result<Self, crate::CaseError> {
        let path = dir.join(OUTSIDE);
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = std::fs::read_to_string(&path).map_err(|source| crate::CaseError::Read { path: path.clone(), source })?;
        serde_json::from_str(&text).map_err(|source| crate::CaseError::Json { path, source })
    }

    /// Tells a network of it. What names a router that is not there, or an attribute set that is not, is left out.
    pub(crate) fn fill(&self, network: &mut Blueprint) {
        let place = |name: &String| network.routers.iter().position(|r| r.name == *name);
        let end = |(name, neighbor): &(String, IpAddr)| Some((place(name)?, *neighbor));
        let feed = |a: &Announced| {
            let known = a.routes.iter().filter(|(_, at)| (*at as usize) < a.attributes.len()).copied();
            let (attributes, routes) = (Arc::new(a.attributes.clone()), Arc::new(known.collect()));
            Some(routing::Feed { router: place(&a.router)?, neighbor: a.neighbor, router_id: a.router_id, attributes, routes })
        };
        let feeds: Vec<_> = self.feeds.iter().filter_map(feed).collect();
        let down: BTreeSet<_> = self.down.iter().filter_map(end).collect();
        let older: BTreeMap<_, _> = self.in_use.iter().map(|(p, ends)| (*p, ends.iter().filter_map(end).collect())).collect();
        network.feeds.extend(feeds);
        network.failures.sessions.extend(down);
        if !older.is_empty() {
            network.older = Some(Arc::new(older));
        }
    }
}

impl Saved {
    /// Makes it from a network, the texts of its routers and what is known beside it. Wires are the subnets that interfaces share.
    #[must_use]
    pub fn of(network: &Blueprint, texts: Vec<String>, context: Facts) -> Self {
        let name = |at: usize| network.routers.get(at).map(|r| r.name.clone()).unwrap_or_default();
        let mut links: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for router in &network.routers {
            for (interface, settings) in &router.config.interfaces {
                // one wire carries both families; it is named by the first subnet that it has
                let subnet = settings.addresses.iter().filter_map(|(a, l)| Prefix::new(*a, *l)).min();
                if let Some(subnet) = subnet.filter(|s| s.length() < if s.address().is_ipv4() { 32 } else { 128 }) {
                    links.entry(subnet.to_string()).or_default().push(format!("{}:{interface}", router.name));
                }
            }
        }
        let feeds = network.feeds.iter().map(|f| Announced {
            router: name(f.router),
            neighbor: f.neighbor,
            router_id: f.router_id,
            attributes: f.attributes.to_vec(),
            routes: f.routes.to_vec(),
        });
        let ends = |all: &BTreeSet<(usize, IpAddr)>| all.iter().map(|(r, n)| (name(*r), *n)).collect::<Vec<_>>();
        let in_use = network.older.iter().flat_map(|o| o.iter()).map(|(p, all)| (*p, ends(all)));
        let outside = Outside { feeds: feeds.collect(), down: ends(&network.failures.sessions), in_use: in_use.collect() };
        Self { routers: network.routers.iter().map(|r| r.name.clone()).zip(texts).collect(), links, context, outside }
    }

    /// Writes it as a case's directory.
    ///
    /// # Errors
    /// Those of the file system; a directory that holds something is not written to.
    pub fn store(&self, dir: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(dir)?;
        if std::fs::read_dir(dir)?.next().is_some() {
            return Err(std::io::Error::new(std::io::ErrorKind::AlreadyExists, "the directory is not empty"));
        }
        let names: Vec<&String> = self.routers.iter().map(|(name, _)| name).collect();
        let case = serde_json::json!({"routers": names, "links": self.links, "context": self.context});
        std::fs::write(dir.join("case.json"), serde_json::to_string_pretty(&case)?)?;
        std::fs::write(dir.join(OUTSIDE), serde_json::to_string(&self.outside)?)?;
        for (name, text) in &self.routers {
            let folder = dir.join("configs").join(name);
            std::fs::create_dir_all(&folder)?;
            std::fs::write(folder.join("running.conf"), text)?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test says no by panicking")]
mod tests {
    use super::*;
    use crate::beside::Beside;
    use crate::{Case, answer};

    const R1: &str = "frr version 8.4.4\nhostname r1\ninterface e0\n ip address 10.0.0.1/30\nexit\ninterface e1\n ip address 172.16.0.1/30\nexit\n\
        router bgp 65000\n bgp router-id 10.9.0.1\n no bgp ebgp-requires-policy\n neighbor 10.0.0.2 remote-as 65000\n neighbor 172.16.0.2 remote-as \
        64500\n address-family ipv4 unicast\n  neighbor 10.0.0.2 next-hop-self\n exit-address-family\nexit\n";
    const R2: &str = "frr version 8.4.4\nhostname r2\ninterface e0\n ip address 10.0.0.2/30\nexit\nrouter bgp 65000\n bgp router-id 10.9.0.2\n \
        neighbor 10.0.0.1 remote-as 65000\nexit\n";

    /// Two routers, one neighbour outside that announces a prefix; solved as it is and as it was saved and read back.
    #[test]
    fn a_network_that_was_saved_has_the_tables_that_it_had() {
        let router = |name: &str, text: &str| {
            let config = config::read(&[(name.to_owned(), text.to_owned())]).unwrap();
            routing::Router { name: name.to_owned(), profile: routing::Profile::of(config.vendor), config: Arc::new(config) }
        };
        let attributes = PathAttributes {
            as_path: bgp::AsPath::sequence([64500, 64501]),
            next_hop: Some("172.16.0.2".parse().unwrap()),
            ..PathAttributes::default()
        };
        let feed = routing::Feed {
            router: 0,
            neighbor: "172.16.0.2".parse().unwrap(),
            router_id: Ipv4Addr::new(10, 9, 0, 9),
            attributes: Arc::new(vec![attributes]),
            routes: Arc::new(vec![("203.0.113.0/24".parse().unwrap(), 0)]),
        };
        let network = Blueprint { routers: vec![router("r1", R1), router("r2", R2)], feeds: vec![feed], ..Blueprint::default() };
        let saved = Saved::of(&network, vec![R1.to_owned(), R2.to_owned()], Facts::default());
        assert_eq!(saved.links["10.0.0.0/30"], ["r1:e0", "r2:e0"]);
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("case");
        saved.store(&at).unwrap();
        assert_eq!(saved.store(&at).unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
        let (case, beside) = (Case::load(&at).unwrap(), Beside::load(&at).unwrap());
        assert_eq!(beside.outside, saved.outside);
        let answer = answer::solve_with(&case, &beside);
        assert!(answer.unmodelled.is_empty(), "{:?}", answer.unmodelled);
        let plane = routing::Plane::new(&network, bgp::Family::Ipv4Unicast);
        let tables = plane.tables(&mut plane.solve_all(routing::Schedule::First));
        for name in ["r1", "r2"] {
            let ours: Vec<_> = answer.routers[name]["ipv4_unicast"].iter().map(|(p, row)| format!("{p} {:?}", row.paths)).collect();
            let live: Vec<_> = tables[name].iter().map(|(p, paths)| format!("{p} {paths:?}")).collect();
            assert!(ours == live && ours.len() == 1, "{name}: {ours:?} {live:?}");
        }
        std::fs::write(at.join(OUTSIDE), "{\"feeds\":[{}]}").unwrap();
        assert!(Beside::load(&at).unwrap_err().to_string().contains(OUTSIDE));
    }
}
