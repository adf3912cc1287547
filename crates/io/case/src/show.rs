//! Tables in the shape of FRR's JSON, as far as the computation knows what stands in them.

use crate::answer::Row;
use bgp::{Asn, Family, Origin, Prefix};
use config::{BgpConfig, Neighbor};
use core::net::IpAddr;
use routing::{Blueprint, PathRow, Plane, Solution};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Next hops that are reached by BGP are followed this far.
const RECURSION_MAX: usize = 4;

/// A solved network, to be asked as its routers are.
pub(crate) struct View<'n> {
    blueprint: &'n Blueprint,
    plane: Plane<'n>,
    solution: Solution,
    tables: BTreeMap<String, BTreeMap<Prefix, Row>>,
}

impl<'n> View<'n> {
    pub fn new(blueprint: &'n Blueprint) -> Self {
        let plane = Plane::new(blueprint, Family::Ipv4Unicast);
        let mut solution = plane.solve_all(routing::Schedule::First);
        let rows = |t: BTreeMap<Prefix, Vec<PathRow>>| t.into_iter().map(|(p, paths)| (p, Row { paths })).collect();
        let tables = plane.tables(&mut solution).into_iter().map(|(name, t)| (name, rows(t))).collect();
        Self { blueprint, plane, solution, tables }
    }

    /// Answers a command of vtysh; the error says what is not known.
    pub fn ask(&self, router: &str, command: &str) -> Result<Value, String> {
        let at = self.blueprint.routers.iter().position(|r| r.name == router).ok_or_else(|| format!("no router {router}"))?;
        let config = &self.blueprint.routers[at].config;
        let bgp = config.bgp.as_ref().ok_or_else(|| format!("{router} runs no BGP"))?;
        let words: Vec<&str> = command.split_whitespace().filter(|w| *w != "json").collect();
        let address = |text: &str| text.parse::<IpAddr>().map_err(|_| format!("{text} is no address"));
        let prefix = |text: &str| text.parse::<Prefix>().map_err(|_| format!("{text} is no prefix"));
        Ok(match words[..] {
            ["show", "ip", "bgp", "summary"] => json!({"ipv4Unicast": self.summary(at, bgp)}),
            ["show", "bgp", "ipv4", "unicast" | "uni", "summary" | "summ"] => self.summary(at, bgp),
            ["show", "ip", "bgp", "neighbor" | "neighbors", n] => json!({n: self.neighbor(at, bgp, address(n)?)}),
            ["show", "ip", "bgp", "neighbor" | "neighbors", n, "advertised-routes"] => {
                json!({"totalPrefixCounter": self.plane.advertised(&self.solution, at, address(n)?).len()})
            }
            ["show", "ip", "bgp", "neighbor" | "neighbors", n, "routes"] => self.table(at, bgp, Some(address(n)?)),
            ["show", "bgp", "ipv4", "unicast", "neighbors", n, "received-routes"] => self.received(at, address(n)?),
            ["show", "bgp", "ipv4"] | ["show", "bgp", "ipv4", "unicast"] => self.table(at, bgp, None),
            ["show", "ip", "bgp", p] | ["show", "bgp", "ipv4", "unicast", p] => self.paths(at, bgp, &prefix(p)?),
            ["show", "ip", "route" | "fib"] => Value::Object(self.rib(at).into_iter().map(|(p, v)| (p.to_string(), json!(v))).collect()),
            ["show", "ip", "route", p] => {
                let wanted = prefix(p)?;
                Value::Object(self.rib(at).into_iter().filter(|(p, _)| *p == wanted).map(|(p, v)| (p.to_string(), json!(v))).collect())
            }
            _ => return Err(format!("{command:?} is not a table that is computed")),
        })
    }

    fn rows(&self, at: usize) -> impl Iterator<Item = (&Prefix, &Row)> {
        self.tables.get(&self.blueprint.routers[at].name).into_iter().flatten()
    }

    /// The AS of a neighbour: as configured, or as the router is that has the address.
    fn remote_as(&self, at: usize, address: IpAddr, neighbor: &Neighbor) -> Asn {
        if neighbor.remote_as != Neighbor::ANY_EXTERNAL {
            return neighbor.remote_as;
        }
        let other = self.plane.other_end(at, address).and_then(|(r, _)| self.blueprint.routers[r].config.bgp.as_ref());
        other.map_or(neighbor.remote_as, |b| b.asn)
    }

    fn is_up(&self, at: usize, address: IpAddr) -> bool {
        self.plane.other_end(at, address).is_some()
    }

    fn from(&self, at: usize, address: IpAddr) -> usize {
        self.rows(at).filter(|(_, r)| r.paths.iter().any(|p| p.from == Some(address))).count()
    }

    fn summary(&self, at: usize, bgp: &BgpConfig) -> Value {
        let mut peers = Map::new();
        for (address, neighbor) in bgp.neighbors.iter().filter(|(_, n)| n.families.contains_key(&Family::Ipv4Unicast)) {
            let up = self.is_up(at, *address);
            let mut peer = json!({
                "remoteAs": self.remote_as(at, *address, neighbor), "localAs": bgp.asn, "idType": "ipv4",
                "pfxRcd": self.from(at, *address), "pfxSnt": self.plane.advertised(&self.solution, at, *address).len(),
            });
            if up {
                peer["state"] = json!("Established");
                peer["peerState"] = json!("OK");
            }
            peers.insert(address.to_string(), peer);
        }
        let up = bgp.neighbors.keys().filter(|a| self.is_up(at, **a)).count();
        let relax = if bgp.best_path.multipath_relax { "true" } else { "false" };
        let mut out = json!({
            "as": bgp.asn, "peerCount": peers.len(), "totalPeers": peers.len(), "displayedPeers": peers.len(),
            "failedPeers": peers.len() - up.min(peers.len()), "dynamicPeers": 0, "bestPath": {"multiPathRelax": relax}, "peers": peers,
        });
        if let Some(id) = bgp.router_id {
            out["routerId"] = json!(id);
        }
        out
    }

    fn neighbor(&self, at: usize, bgp: &BgpConfig, address: IpAddr) -> Value {
        let state = if self.is_up(at, address) { "Established" } else { "Active" };
        json!({
            "bgpState": state, "localAs": bgp.asn,
            "addressFamilyInfo": {"ipv4Unicast": {"acceptedPrefixCounter": self.from(at, address)}},
        })
    }

    fn table(&self, at: usize, bgp: &BgpConfig, of: Option<IpAddr>) -> Value {
        let mut routes = Map::new();
        let (mut total, mut all) = (0, 0);
        for (prefix, row) in self.rows(at) {
            let paths = row.paths.iter().filter(|p| of.is_none_or(|n| p.from == Some(n)));
            let paths: Vec<Value> = paths.map(|p| brief(prefix, p)).collect();
            if !paths.is_empty() {
                (total, all) = (total + 1, all + paths.len());
                routes.insert(prefix.to_string(), json!(paths));
            }
        }
        let mut out = json!({
            "vrfId": 0, "vrfName": "default", "defaultLocPrf": bgp.default_local_pref, "localAS": bgp.asn, "totalRoutes": total,
            "totalPaths": all, "routes": routes,
        });
        if let Some(id) = bgp.router_id {
            out["routerId"] = json!(id);
        }
        out
    }

    fn received(&self, at: usize, address: IpAddr) -> Value {
        let sent = self.plane.other_end(at, address).map(|(r, us)| self.plane.advertised(&self.solution, r, us)).unwrap_or_default();
        let one = |r: &routing::Route| {
            let a = &r.attributes;
            json!({"valid": true, "path": a.as_path.to_string(), "nextHop": a.next_hop, "metric": a.med, "bgpOriginCode": a.origin})
        };
        json!({"receivedRoutes": sent.iter().map(|(p, r)| (p.to_string(), one(r))).collect::<Map<_, _>>()})
    }

    fn paths(&self, at: usize, bgp: &BgpConfig, wanted: &Prefix) -> Value {
        let Some((_, row)) = self.rows(at).find(|(p, _)| *p == wanted) else { return json!({}) };
        let aggregate = bgp.wider.aggregates.iter().any(|a| a.prefix == *wanted);
        let parts = || {
            let inside = self.rows(at).filter(|(p, _)| wanted.covers(p) && *p != wanted);
            let own = |p: &Prefix, path: &PathRow| path.from.is_none() && bgp.wider.aggregates.iter().any(|a| a.prefix == *p);
            inside.flat_map(|(p, r)| r.paths.iter().filter(move |path| path.valid && !own(p, path))).count()
        };
        let path = |path: &PathRow| {
            let mut out = detail(path);
            match path.from {
                Some(from) => {
                    let sort = bgp.neighbors.get(&from).map_or("external", |n| self.sort(at, bgp, from, n));
                    out["peer"] = json!({"peerId": from, "type": sort});
                }
                None => {
                    out["local"] = json!(true);
                    if aggregate {
                        out["aggregated"] = json!(true);
                        out["aggregateCount"] = json!(parts());
                    }
                }
            }
            out
        };
        json!({"prefix": wanted.to_string(), "paths": row.paths.iter().map(path).collect::<Vec<_>>()})
    }

    fn sort(&self, at: usize, bgp: &BgpConfig, from: IpAddr, neighbor: &Neighbor) -> &'static str {
        let asn = self.remote_as(at, from, neighbor);
        match &bgp.wider.confederation {
            _ if asn == bgp.asn => "internal",
            Some(c) if c.peers.contains(&asn) => "confed-external",
            _ => "external",
        }
    }

    /// The routes of the RIB: connected, static, and what BGP hands over; of one prefix the lower distance first.
    fn rib(&self, at: usize) -> BTreeMap<Prefix, Vec<Value>> {
        let config = &self.blueprint.routers[at].config;
        let mut out: BTreeMap<Prefix, Vec<(u8, Value)>> = BTreeMap::new();
        let plugged = |name: &str| {
            let links = self.blueprint.links.as_ref();
            name == "lo" || links.is_none_or(|l| l.values().flatten().any(|(r, port)| *r == at && port == name))
        };
        for (name, interface) in config.interfaces.iter().filter(|(name, i)| !i.shutdown && plugged(name)) {
            for (address, length) in &interface.addresses {
                if let Some(prefix) = Prefix::new(*address, *length) {
                    let hop = json!([{"directlyConnected": true, "interfaceName": name, "active": true, "fib": true}]);
                    out.entry(prefix)
                        .or_default()
                        .push((0, json!({"prefix": prefix, "protocol": "connected", "metric": 0, "nexthops": hop})));
                }
            }
        }
        for route in &config.static_routes {
            let entry = json!({"prefix": route.prefix, "protocol": "static", "metric": 0});
            out.entry(route.prefix).or_default().push((route.distance, entry));
        }
        for (prefix, row) in self.rows(at) {
            let Some(best) = row.paths.iter().find(|p| p.best && p.from.is_some()) else { continue };
            if !self.plane.installs(&self.solution, at, prefix) {
                continue;
            }
            let bgp = config.bgp.as_ref();
            let neighbor = bgp.zip(best.from).and_then(|(b, from)| Some(self.sort(at, b, from, b.neighbors.get(&from)?)));
            let distances = bgp.and_then(|b| b.wider.distance.get(&Family::Ipv4Unicast)).copied().unwrap_or((20, 200, 200));
            let distance = if neighbor == Some("external") { distances.0 } else { distances.1 };
            let hops: Vec<Value> = best.next_hops.iter().flat_map(|h| self.hops(at, *h, RECURSION_MAX)).collect();
            let entry = json!({"prefix": prefix, "protocol": "bgp", "metric": best.med.unwrap_or(0), "nexthops": hops});
            out.entry(*prefix).or_default().push((distance, entry));
        }
        let sorted = |(prefix, mut all): (Prefix, Vec<(u8, Value)>)| {
            all.sort_by_key(|(distance, _)| *distance);
            let finish = |(n, (distance, mut entry)): (usize, (u8, Value))| {
                entry["distance"] = json!(distance);
                if n == 0 {
                    for flag in ["selected", "destSelected", "installed"] {
                        entry[flag] = json!(true);
                    }
                }
                entry
            };
            (prefix, all.into_iter().enumerate().map(finish).collect())
        };
        out.into_iter().map(sorted).collect()
    }

    /// A next hop, and what it is reached by where that is BGP too.
    fn hops(&self, at: usize, hop: IpAddr, depth: usize) -> Vec<Value> {
        let config = &self.blueprint.routers[at].config;
        let beside = |(a, l): &(IpAddr, u8)| Prefix::new(*a, *l).is_some_and(|p| p.contains(hop));
        if config.interfaces.values().flat_map(|i| &i.addresses).any(beside) {
            return vec![json!({"ip": hop, "afi": "ipv4", "active": true, "fib": true})];
        }
        let mut out = vec![json!({"ip": hop, "afi": "ipv4", "active": true, "recursive": true})];
        let covering = self.rows(at).filter(|(p, _)| p.length() > 0 && p.contains(hop)).max_by_key(|(p, _)| p.length());
        let via = covering.and_then(|(_, r)| r.paths.iter().find(|p| p.best)).and_then(|p| p.next_hops.first());
        if let Some(via) = via.filter(|v| depth > 0 && **v != hop) {
            out.extend(self.hops(at, *via, depth - 1));
        }
        out
    }
}

const fn origin(of: Origin) -> &'static str {
    match of {
        Origin::Igp => "IGP",
        Origin::Egp => "EGP",
        Origin::Incomplete => "incomplete",
    }
}

fn common(path: &PathRow) -> Value {
    let hops: Vec<Value> = path.next_hops.iter().map(|h| json!({"ip": h, "afi": "ipv4", "used": true})).collect();
    let mut out = json!({"origin": origin(path.origin), "weight": path.weight, "nexthops": hops});
    for (name, value) in [("metric", path.med), ("locPrf", path.local_pref)] {
        if let Some(value) = value {
            out[name] = json!(value);
        }
    }
    for (name, value) in [("valid", path.valid), ("multipath", path.multipath)] {
        if value {
            out[name] = json!(true);
        }
    }
    out
}

/// A path as the table of all prefixes shows it.
fn brief(prefix: &Prefix, path: &PathRow) -> Value {
    let mut out = common(path);
    out["network"] = json!(prefix.to_string());
    out["prefix"] = json!(prefix.address());
    out["prefixLen"] = json!(prefix.length());
    out["peerId"] = json!(path.from.map_or_else(|| "(unspec)".to_owned(), |f| f.to_string()));
    out["path"] = json!(path.as_path.replace(['{', '}'], "").replace(',', " "));
    if path.best {
        out["bestpath"] = json!(true);
    }
    out
}

/// A path as the table of one prefix shows it.
fn detail(path: &PathRow) -> Value {
    let mut out = common(path);
    let mut segments: Vec<(&str, Vec<u32>)> = Vec::new();
    let mut kind = "as-sequence";
    let mut fresh = true;
    for word in path.as_path.split([' ', ',']) {
        if let Some(opens) = word.chars().next().filter(|c| "({[".contains(*c)) {
            kind = match opens {
                '(' => "as-confed-sequence",
                '{' => "as-set",
                _ => "as-confed-set",
            };
            fresh = true;
        }
        if let Ok(asn) = word.trim_matches(|c: char| "(){}[]".contains(c)).parse() {
            match segments.last_mut().filter(|_| !fresh) {
                Some((_, list)) => list.push(asn),
                None => segments.push((kind, vec![asn])),
            }
            fresh = false;
        }
        if word.ends_with([')', '}', ']']) {
            (kind, fresh) = ("as-sequence", true);
        }
    }
    let counted = |(kind, list): &(&str, Vec<u32>)| match *kind {
        "as-sequence" => list.len(),
        "as-set" => 1,
        _ => 0,
    };
    let length: usize = segments.iter().map(counted).sum();
    let segments: Vec<Value> = segments.iter().map(|(kind, list)| json!({"type": kind, "list": list})).collect();
    let string = if path.as_path.is_empty() { "Local" } else { &path.as_path };
    out["aspath"] = json!({"string": string, "segments": segments, "length": length});
    if path.best {
        out["bestpath"] = json!({"overall": true, "selectionReason": path.native_reason});
    }
    out
}
