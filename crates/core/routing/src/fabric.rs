//! Interfaces, segments and the IGP: who reaches which address at which cost.

mod hops;
mod spf;

use crate::blueprint::Blueprint;
use bgp::{Family, Prefix};
use config::{InterfaceConfig, Protocol, RouterConfig};
use core::cmp::Reverse;
use core::net::IpAddr;
pub use hops::Hops;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Cost of an interface without one (FRR on an interface whose speed is 10 Gbit/s or not known; isisd's default metric).
const DEFAULT_COST: u32 = 10;
/// Chains of static routes that point at each other are followed this far.
const STATIC_DEPTH_MAX: u8 = 8;

/// Administrative distances of FRR (lib/zebra.h).
const OSPF_DISTANCE: u8 = 110;
const ISIS_DISTANCE: u8 = 115;

/// No way there.
pub(crate) const UNREACHABLE: u32 = u32::MAX;
/// Flag in a cost: the address is on an interface of the router itself.
pub(crate) const CONNECTED: u32 = 1 << 31;

/// An interface that is up.
#[derive(Clone, Debug)]
struct Port {
    router: usize,
    name: String,
    address: IpAddr,
    subnet: Prefix,
    segment: Option<usize>,
}

/// An IGP: edges and what its routers announce.
#[derive(Clone, Debug, Default)]
struct Domain {
    /// For each router who reaches it directly, at which cost.
    reverse: Vec<Vec<(u32, u32)>>,
    /// Announced prefixes: by whom, at which cost.
    prefixes: BTreeMap<Prefix, Vec<(u32, u32)>>,
}

/// The network below BGP.
#[derive(Clone, Debug)]
pub(crate) struct Fabric {
    routers: usize,
    ports: Vec<Port>,
    owners: BTreeMap<IpAddr, Vec<usize>>,
    connected: BTreeMap<Prefix, Vec<usize>>,
    ospf: Domain,
    isis: Domain,
    statics: Vec<Vec<(Prefix, Option<IpAddr>, u8)>>,
    /// Routers without a static route need no look at theirs.
    with_statics: Vec<usize>,
    /// Interfaces that are plugged in and up, by segment.
    wires: BTreeMap<usize, Vec<(usize, String)>>,
    /// Routers that have an interface whose neighbour is held under this link-local address ([`config::Neighbor::on_interface`]).
    link_locals: BTreeMap<IpAddr, Vec<usize>>,
    /// Lengths of prefixes there are, one bit each: OSPF, IS-IS, connected.
    lengths: [u128; 3],
}

/// Says whether an address means something on one link only.
pub(crate) const fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(a) if a.segments()[0] & 0xFFC0 == 0xFE80)
}

/// Costs to announced prefixes, by IGP (0: OSPF, 1: IS-IS) and prefix, of every router.
pub(crate) type Trees = BTreeMap<(u8, Prefix), Arc<Vec<u32>>>;

fn lengths<T>(map: &BTreeMap<Prefix, T>) -> u128 {
    map.keys().fold(0, |mask, p| mask | (1_u128 << (p.length().min(128) - u8::from(p.length() > 0))))
}

/// The lengths of a mask that an address can have, longest first; the default route is left out.
fn each_length(mask: u128, address: IpAddr) -> impl Iterator<Item = u8> {
    (1..=host(address)).rev().filter(move |length| mask >> (length - 1) & 1 == 1)
}

fn host(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

impl Fabric {
    pub fn new(network: &Blueprint) -> Self {
        let mut out = Self {
            routers: network.routers.len(),
            ports: Vec::new(),
            owners: BTreeMap::new(),
            connected: BTreeMap::new(),
            ospf: Domain { reverse: vec![Vec::new(); network.routers.len()], prefixes: BTreeMap::new() },
            isis: Domain { reverse: vec![Vec::new(); network.routers.len()], prefixes: BTreeMap::new() },
            statics: Vec::new(),
            with_statics: Vec::new(),
            wires: BTreeMap::new(),
            link_locals: BTreeMap::new(),
            lengths: [0; 3],
        };
        let segments = segments(network);
        for ((r, name), segment) in segments.iter().flatten() {
            let shut = network.routers[*r].config.interfaces.get(name).is_some_and(|i| i.shutdown);
            if !shut && !network.failures.routers.contains(r) {
                out.wires.entry(*segment).or_default().push((*r, name.clone()));
                out.link_locals.entry(config::Neighbor::on_interface(name)).or_default().push(*r);
            }
        }
        for (r, router) in network.routers.iter().enumerate() {
            out.statics.push(Vec::new());
            if network.failures.routers.contains(&r) {
                continue;
            }
            for (name, interface) in router.config.interfaces.iter().filter(|(_, i)| !i.shutdown) {
                let segment = match &segments {
                    Some(known) => match known.get(&(r, name.clone())) {
                        Some(segment) => Some(*segment),
                        None if is_loopback(name) => None,
                        // not plugged in, or its link is down
                        None => continue,
                    },
                    None => None,
                };
                out.port(r, name, interface, segment);
            }
            out.statics[r] = router.config.static_routes.iter().map(|s| (s.prefix, s.next_hop, s.distance)).collect();
            if !out.statics[r].is_empty() {
                out.with_statics.push(r);
            }
        }
        out.run_igps(network, segments.is_some());
        out.lengths = [lengths(&out.ospf.prefixes), lengths(&out.isis.prefixes), lengths(&out.connected)];
        out
    }

    fn port(&mut self, router: usize, name: &str, interface: &InterfaceConfig, segment: Option<usize>) {
        for (address, length) in &interface.addresses {
            let Some(subnet) = Prefix::new(*address, *length) else { continue };
            let at = self.ports.len();
            self.ports.push(Port { router, name: name.to_owned(), address: *address, subnet, segment });
            self.owners.entry(*address).or_default().push(at);
            self.connected.entry(subnet).or_default().push(at);
        }
    }

    /// Says whether two ports are on one wire.
    fn joined(&self, a: usize, b: usize, segments_known: bool) -> bool {
        let (a, b) = (&self.ports[a], &self.ports[b]);
        if segments_known {
            a.segment.is_some() && a.segment == b.segment
        } else {
            a.subnet.length() < host(a.address) && a.subnet == b.subnet
        }
    }

    fn run_igps(&mut self, network: &Blueprint, segments_known: bool) {
        // ports that may be neighbours stand together
        let mut groups: BTreeMap<(Option<usize>, Prefix), Vec<usize>> = BTreeMap::new();
        for (i, port) in self.ports.iter().enumerate() {
            groups.entry((port.segment, port.subnet)).or_default().push(i);
        }
        let (mut ospf, mut isis) = (core::mem::take(&mut self.ospf), core::mem::take(&mut self.isis));
        for ports in groups.values() {
            for &a in ports {
                for &b in ports.iter().filter(|b| self.ports[**b].router != self.ports[a].router) {
                    if !self.joined(a, b, segments_known) {
                        continue;
                    }
                    let [pa, pb] = [a, b].map(|p| &self.ports[p]);
                    let config = |p: &Port| &network.routers[p.router].config;
                    if let (Some(x), Some(y)) = (ospf_cost(config(pa), pa), ospf_cost(config(pb), pb))
                        && !x.passive
                        && !y.passive
                        && x.area == y.area
                    {
                        ospf.reverse[pb.router].push((pa.router as u32, x.cost));
                    }
                    if let (Some(x), Some(y)) = (isis_cost(config(pa), pa), isis_cost(config(pb), pb))
                        && !x.passive
                        && !y.passive
                    {
                        isis.reverse[pb.router].push((pa.router as u32, x.cost));
                    }
                }
            }
        }
        for port in &self.ports {
            let config = &network.routers[port.router].config;
            let exactly = Prefix::new(port.address, host(port.address)).unwrap_or(port.subnet);
            let redistributes = |list: &[config::Redistribution]| list.iter().any(|r| r.protocol == Protocol::Connected);
            if let Some(cost) = ospf_cost(config, port) {
                let (prefix, cost) = if is_loopback(&port.name) { (exactly, 0) } else { (port.subnet, cost.cost) };
                ospf.prefixes.entry(prefix).or_default().push((port.router as u32, cost));
            } else if redistributes(&config.igp.ospf_redistribute) {
                ospf.prefixes.entry(port.subnet).or_default().push((port.router as u32, 20));
            }
            if let Some(cost) = isis_cost(config, port) {
                isis.prefixes.entry(port.subnet).or_default().push((port.router as u32, cost.cost));
            } else if redistributes(&config.igp.isis_redistribute) {
                isis.prefixes.entry(port.subnet).or_default().push((port.router as u32, 0));
            }
        }
        (self.ospf, self.isis) = (ospf, isis);
    }

    /// Returns who else is on the wire of an interface: router and interface.
    pub fn across(&self, router: usize, interface: &str) -> impl Iterator<Item = (usize, &str)> {
        let wire = self.wires.values().find(move |on| on.iter().any(|(r, i)| *r == router && i == interface));
        wire.into_iter().flatten().filter(move |(r, _)| *r != router).map(|(r, i)| (*r, i.as_str()))
    }

    /// Returns the address of the other family on the interface that has an own address.
    pub fn other_family(&self, router: usize, own: IpAddr) -> Option<IpAddr> {
        let port = self.ports.iter().find(|p| p.router == router && p.address == own)?;
        self.address_of(router, &port.name, !own.is_ipv4())
    }

    /// Returns the routers that own an address.
    pub fn owners(&self, address: IpAddr) -> impl Iterator<Item = usize> + '_ {
        self.owners.get(&address).into_iter().flatten().map(|p| self.ports[*p].router)
    }

    /// Says whether a router owns an address on an interface that is up.
    pub fn owns(&self, router: usize, address: IpAddr) -> bool {
        self.owners(address).any(|r| r == router)
    }

    /// Returns the router's own address on the subnet of another address.
    pub fn beside(&self, router: usize, address: IpAddr) -> Option<IpAddr> {
        self.covering(address)
            .find_map(|ports| ports.iter().map(|p| &self.ports[*p]).find(|p| p.router == router && p.address != address).map(|p| p.address))
    }

    /// Says whether two addresses lie in one connected subnet of a router.
    pub fn share_subnet(&self, router: usize, a: IpAddr, b: IpAddr) -> bool {
        self.covering(a).any(|ports| ports.iter().map(|p| &self.ports[*p]).any(|p| p.router == router && p.subnet.contains(b)))
    }

    /// Returns an address of the family on a named interface of the router.
    pub fn address_of(&self, router: usize, interface: &str, v4: bool) -> Option<IpAddr> {
        self.ports.iter().find(|p| p.router == router && p.name == interface && p.address.is_ipv4() == v4).map(|p| p.address)
    }

    /// Returns the connected prefixes of a router.
    pub fn connected_of(&self, router: usize) -> impl Iterator<Item = Prefix> + '_ {
        self.ports.iter().filter(move |p| p.router == router).map(|p| p.subnet)
    }

    /// The ports of all connected prefixes that contain an address, longest first; the default route is left out.
    fn covering(&self, address: IpAddr) -> impl Iterator<Item = &Vec<usize>> {
        each_length(self.lengths[2], address).filter_map(move |length| self.connected.get(&Prefix::new(address, length)?))
    }

    fn longest<T>(map: &BTreeMap<Prefix, T>, mask: u128, address: IpAddr) -> Option<(Prefix, &T)> {
        each_length(mask, address).find_map(|length| {
            let prefix = Prefix::new(address, length)?;
            map.get(&prefix).map(|v| (prefix, v))
        })
    }

    /// Returns for every router the cost to an address, [`UNREACHABLE`] without a route, with [`CONNECTED`] where it is on an own interface.
    pub fn costs_to(&self, address: IpAddr) -> Vec<u32> {
        self.costs_by(address, &mut Trees::new())
    }

    /// The same, with the trees that are known already; new ones are added.
    pub fn costs_by(&self, address: IpAddr, trees: &mut Trees) -> Vec<u32> {
        let mut tree = |igp: u8, domain: &Domain, prefix: Prefix, announcers: &[(u32, u32)]| {
            Arc::clone(trees.entry((igp, prefix)).or_insert_with(|| Arc::new(domain.costs(announcers))))
        };
        self.costs_at(address, STATIC_DEPTH_MAX, &mut tree)
    }

    /// Returns which routers have a route to an address: 0, or [`CONNECTED`], or [`UNREACHABLE`].
    pub fn reach(&self, address: IpAddr, parts: &Parts) -> Vec<u32> {
        let mut tree = |igp: u8, domain: &Domain, _, announcers: &[(u32, u32)]| match &parts.0[usize::from(igp)] {
            Some(part) => {
                let reached = |p: &u32| announcers.iter().any(|(r, _)| part[*r as usize] == *p);
                Arc::new(part.iter().map(|p| if reached(p) { 0 } else { UNREACHABLE }).collect())
            }
            None => Arc::new(domain.costs(announcers)),
        };
        self.costs_at(address, STATIC_DEPTH_MAX, &mut tree)
    }

    fn costs_at(&self, address: IpAddr, depth: u8, tree: &mut Grow<'_>) -> Vec<u32> {
        if is_link_local(address) {
            let mut out = vec![UNREACHABLE; self.routers];
            for router in self.link_locals.get(&address).into_iter().flatten() {
                out[*router] = CONNECTED;
            }
            return out;
        }
        let mut best: Vec<(u8, u32)> = vec![(0, UNREACHABLE); self.routers];
        let mut distances = vec![0; self.routers];
        // the longer match wins; of equal ones the lower distance
        for (igp, domain, distance) in [(0, &self.ospf, OSPF_DISTANCE), (1, &self.isis, ISIS_DISTANCE)] {
            if let Some((prefix, announcers)) = Self::longest(&domain.prefixes, self.lengths[usize::from(igp)], address) {
                for (router, cost) in tree(igp, domain, prefix, announcers).iter().enumerate() {
                    if *cost != UNREACHABLE && (best[router].1 == UNREACHABLE || prefix.length() > best[router].0) {
                        best[router] = (prefix.length(), *cost);
                        distances[router] = distance;
                    }
                }
            }
        }
        for &router in &self.with_statics {
            let covers = |(p, ..): &&(Prefix, Option<IpAddr>, u8)| p.length() > 0 && p.contains(address);
            let by_length = |(p, _, distance): &&(Prefix, Option<IpAddr>, u8)| (p.length(), Reverse(*distance));
            if let Some((prefix, via, distance)) = self.statics[router].iter().filter(covers).max_by_key(by_length)
                && (best[router].1 == UNREACHABLE || (prefix.length(), distances[router]) > (best[router].0, *distance))
            {
                let there = via.filter(|_| depth > 0).map_or(UNREACHABLE, |via| self.costs_at(via, depth - 1, tree)[router]);
                best[router] = (prefix.length(), if there == UNREACHABLE { UNREACHABLE } else { 0 });
            }
        }
        for length in each_length(self.lengths[2], address) {
            let Some(ports) = Prefix::new(address, length).and_then(|p| self.connected.get(&p)) else { continue };
            for port in ports.iter().map(|p| &self.ports[*p]) {
                let entry = &mut best[port.router];
                if entry.1 == UNREACHABLE || (entry.1 & CONNECTED == 0 && length >= entry.0) {
                    *entry = (length, CONNECTED);
                }
            }
        }
        best.into_iter().map(|(_, cost)| cost).collect()
    }

    /// Returns which routers of each IGP reach each other.
    pub fn parts(&self) -> Parts {
        Parts([self.ospf.parts(), self.isis.parts()])
    }

    /// Returns the trees of a network as they are here, where it differs in some wires or costs: only what hangs on those is worked out anew.
    pub fn repaired(&self, before: &Self, trees: &Trees) -> Trees {
        let mut out = Trees::new();
        for (igp, new, old) in [(0, &self.ospf, &before.ospf), (1, &self.isis, &before.isis)] {
            let moves = spf::Moves::between(&old.reverse, &new.reverse);
            for ((_, prefix), tree) in trees.iter().filter(|((n, _), _)| *n == igp) {
                // who does not announce it any more has no tree; where others do, the roots are others
                if let (Some(is), true) = (new.prefixes.get(prefix), new.prefixes.get(prefix) == old.prefixes.get(prefix)) {
                    out.insert((igp, *prefix), moves.repair(tree, is, &new.reverse));
                }
            }
        }
        out
    }

    /// Says whether some router has static routes.
    pub const fn has_statics(&self) -> bool {
        !self.with_statics.is_empty()
    }

    /// Returns the routers on wires that have other ends in another network.
    pub fn plugged_otherwise(&self, other: &Self) -> Vec<usize> {
        let here = |a: &Self, b: &Self| -> Vec<usize> {
            let differs = |(segment, ends): &(&usize, &Vec<(usize, String)>)| b.wires.get(*segment) != Some(*ends);
            a.wires.iter().filter(differs).flat_map(|(_, ends)| ends.iter().map(|(r, _)| *r)).collect()
        };
        let mut out = here(self, other);
        out.extend(here(other, self));
        out
    }

    /// Returns the routers that have an interface here and not in the other.
    pub fn ports_beside(&self, other: &Self) -> BTreeMap<usize, Vec<Prefix>> {
        let mut out: BTreeMap<usize, Vec<Prefix>> = BTreeMap::new();
        for port in &self.ports {
            let there = other.owners.get(&port.address).into_iter().flatten().any(|p| {
                let p = &other.ports[*p];
                (p.router, p.subnet) == (port.router, port.subnet)
            });
            if !there {
                out.entry(port.router).or_default().push(port.subnet);
            }
        }
        out
    }

    /// Returns the metric of the router's own route to exactly this prefix, when it has one that is not from BGP.
    pub fn exact(&self, router: usize, prefix: &Prefix) -> Option<u32> {
        if self.connected.get(prefix).is_some_and(|p| p.iter().any(|p| self.ports[*p].router == router)) {
            return Some(0);
        }
        if self.statics[router].iter().any(|(p, ..)| p == prefix) {
            return Some(0);
        }
        let by = |d: &Domain| d.prefixes.get(prefix).map(|a| d.costs(a)[router]).filter(|c| *c != UNREACHABLE);
        by(&self.ospf).or_else(|| by(&self.isis))
    }

    /// Returns the length of the longest prefix by which a router reaches an address without BGP.
    pub fn match_length(&self, router: usize, address: IpAddr) -> Option<u8> {
        (1..=host(address)).rev().find(|length| Prefix::new(address, *length).is_some_and(|p| self.in_force(router, &p).is_some()))
    }

    /// Says which protocol a router's own route to exactly this prefix is of: the one with the lowest distance.
    pub fn in_force(&self, router: usize, prefix: &Prefix) -> Option<Protocol> {
        if self.connected.get(prefix).is_some_and(|p| p.iter().any(|p| self.ports[*p].router == router)) {
            return Some(Protocol::Connected);
        }
        let up = |via: Option<IpAddr>| via.is_none_or(|v| self.costs_to(v)[router] != UNREACHABLE);
        let statics = self.statics[router].iter().filter(|(p, via, _)| p == prefix && up(*via)).map(|(.., d)| (*d, Protocol::Static));
        let by = |d: &Domain| d.prefixes.get(prefix).is_some_and(|a| d.costs(a)[router] != UNREACHABLE);
        let igps = [(OSPF_DISTANCE, Protocol::Ospf, &self.ospf), (ISIS_DISTANCE, Protocol::Isis, &self.isis)];
        let igps = igps.into_iter().filter(|(.., d)| by(d)).map(|(distance, protocol, _)| (distance, protocol));
        statics.chain(igps).min_by_key(|(distance, _)| *distance).map(|(_, protocol)| protocol)
    }

    /// Returns the IGP routes of a router, with their metrics.
    pub fn igp_routes(&self, router: usize, protocol: Protocol) -> Vec<(Prefix, u32)> {
        let domain = if protocol == Protocol::Isis { &self.isis } else { &self.ospf };
        let routes = domain.prefixes.iter().map(|(p, a)| (*p, domain.costs(a)[router]));
        routes.filter(|(p, c)| *c != UNREACHABLE && !self.connected_of(router).any(|own| own == *p)).collect()
    }

    /// Returns the static routes of a router whose next hop is reached.
    pub fn statics_of(&self, router: usize) -> impl Iterator<Item = (Prefix, Option<IpAddr>)> + '_ {
        let up = move |via: Option<IpAddr>| via.is_none_or(|v| self.costs_to(v)[router] != UNREACHABLE);
        self.statics[router].iter().filter(move |(_, via, _)| up(*via)).map(|(p, via, _)| (*p, *via))
    }
}

/// Makes the tree of an announced prefix.
type Grow<'g> = dyn FnMut(u8, &Domain, Prefix, &[(u32, u32)]) -> Arc<Vec<u32>> + 'g;

/// For each IGP the part of the network that each router is in; `None`: not everyone who is reached reaches back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parts([Option<Vec<u32>>; 2]);

impl Parts {
    /// Says whether the same routers reach each other in both, apart from some.
    pub fn is_like(&self, other: &Self, apart: &std::collections::BTreeSet<usize>) -> bool {
        self.0.iter().zip(&other.0).all(|pair| {
            let (Some(a), Some(b)) = pair else { return false };
            let (mut there, mut back) = (BTreeMap::new(), BTreeMap::new());
            let stay = |(router, _): &(usize, (&u32, &u32))| !apart.contains(router);
            a.iter()
                .zip(b)
                .enumerate()
                .filter(stay)
                .all(|(_, (a, b))| there.entry(a).or_insert(b) == &b && back.entry(b).or_insert(a) == &a)
        })
    }
}

impl Domain {
    /// Numbers the parts: each router has the lowest router of its own.
    fn parts(&self) -> Option<Vec<u32>> {
        let mut out = vec![UNREACHABLE; self.reverse.len()];
        let mut waiting = Vec::new();
        for first in 0..self.reverse.len() {
            if out[first] != UNREACHABLE {
                continue;
            }
            waiting.push(first as u32);
            out[first] = first as u32;
            while let Some(at) = waiting.pop() {
                for (from, _) in &self.reverse[at as usize] {
                    if !self.reverse[*from as usize].iter().any(|(back, _)| *back == at) {
                        return None;
                    }
                    if out[*from as usize] == UNREACHABLE {
                        out[*from as usize] = first as u32;
                        waiting.push(*from);
                    }
                }
            }
        }
        Some(out)
    }

    /// Returns the costs to the nearest announcer.
    fn costs(&self, announcers: &[(u32, u32)]) -> Vec<u32> {
        spf::grown(vec![UNREACHABLE; self.reverse.len()], announcers.iter().map(|(r, c)| (*c, *r)), &self.reverse)
    }
}

/// Says by its name that an interface is a loopback: no wire is on it, and it is up with its router.
#[must_use]
pub fn is_loopback(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "lo" || name.starts_with("lo0") || name.starts_with("loopback") || name.starts_with("dummy") || name.starts_with("system")
}

/// Numbers the segments that are up: (router, interface) to number.
fn segments(network: &Blueprint) -> Option<BTreeMap<(usize, String), usize>> {
    let links = network.links.as_ref()?;
    let up = links.iter().enumerate().filter(|(_, (name, _))| !network.failures.links.contains(*name));
    Some(up.flat_map(|(n, (_, ends))| ends.iter().map(move |(r, i)| ((*r, i.clone()), n))).collect())
}

struct IgpPort {
    cost: u32,
    area: String,
    passive: bool,
}

fn ospf_cost(config: &RouterConfig, port: &Port) -> Option<IgpPort> {
    let interface = config.interfaces.get(&port.name)?;
    let told = if Family::of(port.address) == Family::Ipv4Unicast { &interface.igp_v4 } else { &interface.igp_v6 };
    if let Some(told) = told {
        return Some(IgpPort { cost: told.cost.unwrap_or(DEFAULT_COST), area: told.area.clone(), passive: told.passive });
    }
    let (_, area) = config.igp.ospf_networks.iter().find(|(p, _)| p.contains(port.address))?;
    Some(IgpPort { cost: DEFAULT_COST, area: area.clone(), passive: false })
}

fn isis_cost(config: &RouterConfig, port: &Port) -> Option<IgpPort> {
    let told = config.interfaces.get(&port.name)?.isis.as_ref()?;
    let passive = told.passive || is_loopback(&port.name);
    Some(IgpPort { cost: told.cost.unwrap_or(DEFAULT_COST), area: told.area.clone(), passive })
}
