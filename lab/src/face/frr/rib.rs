//! The Loc-RIB as openconfig-rib-bgp: routes that refer to attribute sets and community sets by index.

use super::{bgp_path, elem};
use gnmi::{Path, PathElem, Value};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

/// What was told so far.
#[derive(Debug, Default)]
pub struct Rib {
    attr_sets: Indexed,
    communities: Indexed,
    /// Routes per family: prefix to (attribute index, community index).
    routes: BTreeMap<&'static str, BTreeMap<String, (u64, Option<u64>)>>,
}

/// Sets by content; an index is never given to another content while the process lives.
#[derive(Debug, Default)]
struct Indexed {
    by_content: BTreeMap<String, u64>,
    next: u64,
}

impl Indexed {
    /// Returns the index, and whether it is new.
    fn index(&mut self, content: String) -> (u64, bool) {
        if let Some(index) = self.by_content.get(&content) {
            return (*index, false);
        }
        self.next += 1;
        self.by_content.insert(content, self.next);
        (self.next, true)
    }

    /// Forgets what is not `used` any more and returns its indices.
    fn retain(&mut self, used: &BTreeSet<u64>) -> Vec<u64> {
        let mut gone = Vec::new();
        self.by_content.retain(|_, index| {
            let keep = used.contains(index);
            if !keep {
                gone.push(*index);
            }
            keep
        });
        gone
    }
}

type Told = (Vec<(Path, Value)>, Vec<Path>);

impl Rib {
    /// Takes a whole table (`show bgp … json detail`) and returns what is new, sets before the routes that use them, and what is gone.
    pub fn take(&mut self, family: &'static str, container: &str, table: &Json) -> Told {
        let (mut sets, mut routes, mut deletes) = (Vec::new(), Vec::new(), Vec::new());
        let mut seen = BTreeMap::new();
        for (prefix, entry) in best_paths(table) {
            let (attr, new) = self.attr_sets.index(attributes(entry).to_string());
            if new {
                let mut body = attributes(entry);
                body["index"] = json!(attr.to_string());
                body["state"]["index"] = json!(attr.to_string());
                sets.push((set_path("attr-sets", "attr-set", attr), Value::Json(body)));
            }
            let community = communities(entry).map(|list| {
                let (index, new) = self.communities.index(list.to_string());
                if new {
                    let body = json!({"index": index.to_string(), "state": {"index": index.to_string(), "community": list}});
                    sets.push((set_path("communities", "community", index), Value::Json(body)));
                }
                index
            });
            let old = self.routes.get(family).and_then(|r| r.get(prefix));
            if old != Some(&(attr, community)) {
                let mut state = json!({"prefix": prefix, "attr-index": attr.to_string(), "best-path": true, "valid-route": true});
                if let Some(index) = community {
                    state["community-index"] = json!(index.to_string());
                }
                routes.push((route_path(family, container, prefix), Value::Json(json!({"prefix": prefix, "state": state}))));
            }
            seen.insert(prefix.to_owned(), (attr, community));
        }
        let old = self.routes.insert(family, seen).unwrap_or_default();
        let now = self.routes.get(family);
        deletes.extend(old.keys().filter(|p| now.is_none_or(|n| !n.contains_key(*p))).map(|p| route_path(family, container, p)));
        deletes.extend(self.unused_sets());
        sets.extend(routes);
        (sets, deletes)
    }

    /// Sets that no route of any family refers to: kept, they would fill memory as routes change.
    fn unused_sets(&mut self) -> Vec<Path> {
        let used =
            |pick: fn(&(u64, Option<u64>)) -> Option<u64>| self.routes.values().flat_map(BTreeMap::values).filter_map(pick).collect();
        let (attr_sets, communities): (BTreeSet<u64>, BTreeSet<u64>) = (used(|r| Some(r.0)), used(|r| r.1));
        let mut paths: Vec<Path> = self.attr_sets.retain(&attr_sets).into_iter().map(|i| set_path("attr-sets", "attr-set", i)).collect();
        paths.extend(self.communities.retain(&communities).into_iter().map(|i| set_path("communities", "community", i)));
        paths
    }
}

fn set_path(list: &str, name: &str, index: u64) -> Path {
    bgp_path(vec![elem("rib", &[]), elem(list, &[]), elem(name, &[("index", &index.to_string())])])
}

fn route_path(family: &str, container: &str, prefix: &str) -> Path {
    bgp_path(vec![
        elem("rib", &[]),
        elem("afi-safis", &[]),
        elem("afi-safi", &[("afi-safi-name", family)]),
        elem(container, &[]),
        elem("loc-rib", &[]),
        elem("routes", &[]),
        PathElem {
            name: "route".to_owned(),
            keys: [("prefix", prefix), ("origin", "BGP"), ("path-id", "0")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        },
    ])
}

/// Counts the selected paths of a table by the neighbour that they came from.
pub fn best_by_neighbor(table: &Json) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for (_, path) in best_paths(table) {
        if let Some(peer) = path.get("peer").and_then(|p| p.get("peerId")).and_then(Json::as_str) {
            *counts.entry(peer.to_owned()).or_default() += 1;
        }
    }
    counts
}

/// The prefixes with their selected paths. FRR prints the table directly, or under `routes`.
fn best_paths(table: &Json) -> impl Iterator<Item = (&str, &Json)> {
    let map = table.get("routes").unwrap_or(table).as_object();
    map.into_iter().flatten().filter_map(|(prefix, entry)| {
        let paths = entry.get("paths").unwrap_or(entry).as_array()?;
        let best = |p: &&Json| p.get("bestpath").and_then(|b| b.get("overall")).and_then(Json::as_bool) == Some(true);
        prefix.contains('/').then_some(())?;
        Some((prefix.as_str(), paths.iter().find(best)?))
    })
}

fn attributes(path: &Json) -> Json {
    let mut state = json!({});
    let origin = path.get("origin").and_then(Json::as_str).unwrap_or("INCOMPLETE");
    state["origin"] = json!(origin.to_ascii_uppercase());
    let hops = path.get("nexthops").and_then(Json::as_array);
    // of an IPv6 pair of global and link-local address the global one identifies the router
    let global = |h: &&Json| h.get("scope").and_then(Json::as_str) != Some("link-local");
    if let Some(ip) = hops.and_then(|h| h.iter().find(global)).and_then(|h| h.get("ip")) {
        state["next-hop"] = ip.clone();
    }
    for (frr, openconfig) in [("locPrf", "local-pref"), ("metric", "med")] {
        if let Some(value) = path.get(frr).and_then(Json::as_u64) {
            state[openconfig] = json!(value);
        }
    }
    let segments = path.get("aspath").and_then(|a| a.get("segments")).and_then(Json::as_array);
    let segments: Vec<Json> = segments
        .into_iter()
        .flatten()
        .enumerate()
        .map(|(index, s)| {
            let kind = match s.get("type").and_then(Json::as_str) {
                Some("as-set") => "AS_SET",
                Some("as-confed-sequence") => "AS_CONFED_SEQUENCE",
                Some("as-confed-set") => "AS_CONFED_SET",
                _ => "AS_SEQ",
            };
            json!({"index": index, "state": {"index": index, "type": kind, "member": s.get("list").cloned().unwrap_or_default()}})
        })
        .collect();
    json!({"state": state, "as-path": {"as-segment": segments}})
}

fn communities(path: &Json) -> Option<Json> {
    let community = path.get("community")?;
    let list = community.get("list").filter(|l| l.is_array()).cloned();
    list.or_else(|| Some(json!(community.get("string")?.as_str()?.split_whitespace().collect::<Vec<_>>())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(local_pref: u64, prefixes: &[&str]) -> Json {
        let path = |best: bool| {
            json!({"origin": "IGP", "locPrf": local_pref, "metric": 10, "valid": true, "bestpath": {"overall": best},
                "aspath": {"segments": [{"type": "as-sequence", "list": [1234, 64500]}]},
                "community": {"list": ["64500:1", "65001:1234"]}, "nexthops": [{"ip": "172.31.1.0", "used": true}]})
        };
        Json::Object(prefixes.iter().map(|p| ((*p).to_owned(), json!({"paths": [path(false), path(true)]}))).collect())
    }

    #[test]
    fn only_changes_are_told_and_sets_come_before_routes() {
        let mut rib = Rib::default();
        let (updates, deletes) = rib.take("IPV4_UNICAST", "ipv4-unicast", &table(200, &["203.0.113.0/24", "198.18.0.0/24"]));
        let names: Vec<_> = updates.iter().map(|(p, _)| p.elems.last().unwrap().name.clone()).collect();
        assert_eq!(names, ["attr-set", "community", "route", "route"]);
        assert!(deletes.is_empty());
        assert!(rib.take("IPV4_UNICAST", "ipv4-unicast", &table(200, &["203.0.113.0/24", "198.18.0.0/24"])).0.is_empty());
        let (updates, deletes) = rib.take("IPV4_UNICAST", "ipv4-unicast", &table(250, &["203.0.113.0/24"]));
        assert_eq!((updates.len(), deletes.len()), (2, 2));
        assert!(deletes[0].to_string().contains("198.18.0.0/24"));
        assert!(deletes[1].to_string().ends_with("attr-set[index=1]"), "the set of local preference 200 is used no more");
    }

    #[test]
    fn absent_attributes_stay_absent() {
        let path = json!({"origin": "IGP", "nexthops": [], "aspath": {"segments": []}});
        assert_eq!(attributes(&path)["state"], json!({"origin": "IGP"}));
        assert_eq!(communities(&path), None);
    }
}
