//! What lies under BGP: connected subnets, static routes, and the IGP's shortest paths, per device and family.
//!
//! Two interfaces are neighbours when they share a subnet of either family. OSPFv2 and OSPFv3 run apart, over their own costs. An
//! interface that is down, by configuration or as reported, carries nothing.

use bgp::{Family, Prefix};
use config::{IgpInterface, InterfaceConfig, RouterConfig};
use core::net::IpAddr;
use petgraph::algo::dijkstra;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use std::collections::{BTreeMap, BTreeSet};

/// OSPF cost of an interface whose speed is not known (FRR: the default bandwidth of 10 Gbit/s against a reference of 100 Gbit/s).
const DEFAULT_COST: u32 = 10;
/// How often a static next hop is resolved through another static route before it is given up.
const STATIC_DEPTH: usize = 8;
/// Administrative distance of OSPF routes.
pub const OSPF_DISTANCE: u8 = 110;

/// Where an underlay route leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hop {
    /// A subnet of the device itself, on this interface.
    Connected(String),
    /// The address is the device's own.
    Own,
    /// A null route.
    Null,
    /// A static route to a next hop that still has to be resolved.
    Static(IpAddr),
    /// Over the IGP, through these devices (equal cost), by index.
    Igp(Vec<usize>),
}

/// A route of the underlay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnderlayRoute {
    /// Where to.
    pub hop: Hop,
    /// Cost as the router's table shows it: 0 except for the IGP.
    pub metric: u32,
    /// Administrative distance.
    pub distance: u8,
}

/// All underlay tables of all devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Underlay {
    tables: Vec<Table>,
    owners: BTreeMap<IpAddr, usize>,
}

/// The underlay table of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Table {
    routes: BTreeMap<Prefix, UnderlayRoute>,
    /// Lengths that occur, longest first: a lookup tries only these.
    lengths: BTreeMap<Family, Vec<u8>>,
}

/// An interface that is up.
struct Port<'a> {
    device: usize,
    name: &'a str,
    config: &'a InterfaceConfig,
}

impl Port<'_> {
    fn subnets(&self) -> impl Iterator<Item = Prefix> + '_ {
        self.config.addresses.iter().filter(|(a, _)| !is_link_local(*a)).filter_map(|(a, l)| Prefix::new(*a, *l))
    }

    fn igp(&self, family: Family) -> Option<&IgpInterface> {
        match family {
            Family::Ipv4Unicast => self.config.igp_v4.as_ref(),
            Family::Ipv6Unicast => self.config.igp_v6.as_ref(),
        }
    }

    /// Loopback addresses are announced with cost 0.
    fn cost(&self, igp: &IgpInterface) -> u32 {
        if self.name == "lo" { 0 } else { igp.cost.unwrap_or(DEFAULT_COST) }
    }
}

/// Says whether an address is IPv6 link-local (RFC 4291 §2.5.6).
pub fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(a) if a.segments()[0] & 0xffc0 == 0xfe80)
}

impl Underlay {
    /// Computes the tables. `up` says whether an interface of a device carries traffic.
    pub fn build<'a>(configs: &'a [&'a RouterConfig], up: impl Fn(usize, &str) -> bool) -> Self {
        let ports: Vec<Port<'_>> = configs
            .iter()
            .enumerate()
            .flat_map(|(device, c)| c.interfaces.iter().map(move |(name, config)| Port { device, name, config }))
            .filter(|p| !p.config.shutdown && up(p.device, p.name))
            .collect();
        let mut underlay = Self { tables: vec![Table::default(); configs.len()], owners: BTreeMap::new() };
        for port in &ports {
            for (address, length) in &port.config.addresses {
                if !is_link_local(*address) {
                    underlay.owners.insert(*address, port.device);
                    underlay.connect(port, *address, *length);
                }
            }
        }
        for (device, config) in configs.iter().enumerate() {
            for route in &config.static_routes {
                let hop = route.next_hop.map_or(Hop::Null, Hop::Static);
                underlay.tables[device].add(route.prefix, UnderlayRoute { hop, metric: 0, distance: route.distance });
            }
        }
        let links = links(&ports);
        for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
            underlay.add_igp(family, &ports, &links, configs.len());
        }
        for table in &mut underlay.tables {
            table.index();
        }
        underlay
    }

    fn connect(&mut self, port: &Port<'_>, address: IpAddr, length: u8) {
        let host = if address.is_ipv4() { 32 } else { 128 };
        let table = &mut self.tables[port.device];
        if let Some(subnet) = Prefix::new(address, length) {
            table.add(subnet, UnderlayRoute { hop: Hop::Connected(port.name.to_owned()), metric: 0, distance: 0 });
        }
        if let Some(own) = Prefix::new(address, host) {
            table.routes.insert(own, UnderlayRoute { hop: Hop::Own, metric: 0, distance: 0 });
        }
    }

    fn add_igp(&mut self, family: Family, ports: &[Port<'_>], links: &[(usize, usize)], devices: usize) {
        let mut graph: DiGraph<usize, u32> = DiGraph::new();
        let nodes: Vec<NodeIndex> = (0..devices).map(|d| graph.add_node(d)).collect();
        for &(a, b) in links {
            let (from, to) = (&ports[a], &ports[b]);
            let (Some(x), Some(y)) = (from.igp(family), to.igp(family)) else { continue };
            if !x.passive && !y.passive && x.area == y.area {
                graph.add_edge(nodes[from.device], nodes[to.device], from.cost(x));
            }
        }
        let distances: Vec<BTreeMap<usize, u32>> = nodes
            .iter()
            .map(|n| dijkstra(&graph, *n, None, |e| *e.weight()).into_iter().map(|(i, cost)| (i.index(), cost)).collect())
            .collect();
        for device in 0..devices {
            for port in ports.iter().filter(|p| p.device != device) {
                let Some(igp) = port.igp(family) else { continue };
                let Some(far) = distances[device].get(&port.device) else { continue };
                let next = next_devices(&graph, &distances, device, port.device);
                for subnet in port.subnets().filter(|s| s.family() == family) {
                    let route = UnderlayRoute { hop: Hop::Igp(next.clone()), metric: far + port.cost(igp), distance: OSPF_DISTANCE };
                    self.tables[device].add(subnet, route);
                }
            }
        }
    }

    /// Returns the device that has this address.
    pub fn owner(&self, address: IpAddr) -> Option<usize> {
        self.owners.get(&address).copied()
    }

    /// Returns the route with exactly this prefix.
    pub fn exact(&self, device: usize, prefix: &Prefix) -> Option<&UnderlayRoute> {
        self.tables.get(device)?.routes.get(prefix)
    }

    /// Returns the longest route that covers `prefix`.
    pub fn covering(&self, device: usize, prefix: &Prefix) -> Option<(Prefix, &UnderlayRoute)> {
        let table = self.tables.get(device)?;
        table.lengths.get(&prefix.family())?.iter().filter(|l| **l <= prefix.length()).find_map(|length| {
            let key = Prefix::new(prefix.address(), *length)?;
            table.routes.get(&key).map(|r| (key, r))
        })
    }

    /// Resolves a next hop to its route, through static routes; never by a default route (FRR: `ip nht resolve-via-default` is off).
    pub fn resolve(&self, device: usize, next_hop: IpAddr) -> Option<&UnderlayRoute> {
        let mut address = next_hop;
        let mut metric_of = None;
        for _ in 0..STATIC_DEPTH {
            let host = Prefix::new(address, if address.is_ipv4() { 32 } else { 128 })?;
            let (prefix, route) = self.covering(device, &host)?;
            if prefix.length() == 0 {
                return None;
            }
            match route.hop {
                Hop::Static(next) if next != address => {
                    metric_of.get_or_insert(route);
                    address = next;
                }
                Hop::Null | Hop::Static(_) => return None,
                _ => return Some(route),
            }
        }
        None
    }
}

impl Table {
    /// Keeps the route with the lower distance, then the lower metric; merges equal IGP routes.
    fn add(&mut self, prefix: Prefix, route: UnderlayRoute) {
        match self.routes.get_mut(&prefix) {
            Some(old) => match (route.distance, route.metric).cmp(&(old.distance, old.metric)) {
                core::cmp::Ordering::Less => *old = route,
                core::cmp::Ordering::Equal => merge(old, route),
                core::cmp::Ordering::Greater => {}
            },
            None => drop(self.routes.insert(prefix, route)),
        }
    }

    fn index(&mut self) {
        for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
            let lengths: BTreeSet<u8> = self.routes.keys().filter(|p| p.family() == family).map(Prefix::length).collect();
            self.lengths.insert(family, lengths.into_iter().rev().collect());
        }
    }
}

fn merge(old: &mut UnderlayRoute, new: UnderlayRoute) {
    if let (Hop::Igp(a), Hop::Igp(b)) = (&mut old.hop, new.hop) {
        a.extend(b);
        a.sort_unstable();
        a.dedup();
    }
}

/// Pairs of ports of different devices on one subnet, both directions, each once.
fn links(ports: &[Port<'_>]) -> Vec<(usize, usize)> {
    let mut by_subnet: BTreeMap<Prefix, Vec<usize>> = BTreeMap::new();
    for (i, port) in ports.iter().enumerate() {
        for subnet in port.subnets() {
            by_subnet.entry(subnet).or_default().push(i);
        }
    }
    let mut pairs = BTreeSet::new();
    for members in by_subnet.values() {
        for &a in members {
            pairs.extend(members.iter().filter(|b| ports[**b].device != ports[a].device).map(|b| (a, *b)));
        }
    }
    pairs.into_iter().collect()
}

/// Neighbours of `from` that lie on a shortest path to `to`.
fn next_devices(graph: &DiGraph<usize, u32>, distances: &[BTreeMap<usize, u32>], from: usize, to: usize) -> Vec<usize> {
    let Some(whole) = distances[from].get(&to) else { return Vec::new() };
    let next: BTreeSet<usize> = graph
        .edges(NodeIndex::new(from))
        .filter(|e| distances[e.target().index()].get(&to).is_some_and(|rest| rest + e.weight() == *whole))
        .map(|e| e.target().index())
        .collect();
    next.into_iter().collect()
}
