//! What lies under BGP: addresses, links, and the IGP's shortest paths.

use super::wire::Wire;
use crate::topology::Topology;
use bgp::Family;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::IpAddr;

/// A link as the simulation holds it; `a` and `b` are nodes by index.
#[derive(Clone, Debug)]
pub struct Link {
    /// Name (`r1-ispa`).
    pub id: String,
    /// One end.
    pub a: usize,
    /// Other end.
    pub b: usize,
    /// IGP cost; `None` between ASes.
    pub cost: Option<u32>,
    /// Light is there.
    pub carrier: bool,
    /// The IGP has an adjacency over it.
    pub adjacent: bool,
    /// From a to b, and from b to a.
    pub wires: [Wire; 2],
}

impl Link {
    /// Returns the other end.
    #[must_use]
    pub const fn other(&self, node: usize) -> usize {
        if node == self.a { self.b } else { self.a }
    }

    /// Returns which wire leaves `node`.
    #[must_use]
    pub const fn wire_from(&self, node: usize) -> usize {
        (node != self.a) as usize
    }

    /// Says whether packets pass from `node`.
    #[must_use]
    pub fn passes(&self, node: usize) -> bool {
        self.carrier && !self.wires[self.wire_from(node)].impairment.blackhole
    }

    /// Says whether packets pass both ways: without that, no adjacency stands.
    #[must_use]
    pub fn alive(&self) -> bool {
        self.passes(self.a) && self.passes(self.b)
    }
}

/// The links by index.
pub type Links = Vec<Link>;

/// Where an address is, seen from a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// The node's own.
    Own,
    /// At the other end of this link.
    Connected(usize),
    /// Over the IGP: first links of equal cost, and the cost.
    Igp(Vec<usize>, u32),
}

/// Shortest paths of one node: per destination the cost and the first links.
type Tree = BTreeMap<usize, (u32, BTreeSet<usize>)>;

/// Addresses and shortest paths.
#[derive(Clone, Debug, Default)]
pub struct Underlay {
    /// Owner of each loopback and subnet address.
    owners: BTreeMap<IpAddr, usize>,
    /// Link addresses: the node's own, with the link.
    ports: BTreeMap<IpAddr, (usize, usize)>,
    trees: Vec<Tree>,
    /// Nodes that take part in the IGP.
    inside: Vec<bool>,
}

impl Underlay {
    /// Takes the addresses of a topology; paths come with [`Underlay::compute`].
    #[must_use]
    pub fn new(t: &Topology, links: &Links) -> Self {
        let mut u = Self { inside: t.nodes.iter().map(|n| n.role.ours().is_some()).collect(), ..Self::default() };
        for (i, node) in t.nodes.iter().enumerate() {
            u.owners.insert(node.loopback4.into(), i);
            u.owners.insert(node.loopback6.into(), i);
            u.owners.extend(node.subnets.iter().map(|s| (s.address, i)));
            for port in t.ports(&node.id) {
                let Some(link) = links.iter().position(|l| l.id == port.link) else { continue };
                for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
                    u.ports.insert(port.addresses(family).0, (i, link));
                }
            }
        }
        u.compute(links);
        u
    }

    /// Computes the shortest paths over the adjacencies there are (RFC 2328 §16.1).
    pub fn compute(&mut self, links: &Links) {
        self.trees = (0..self.inside.len()).map(|from| if self.inside[from] { tree(from, links) } else { Tree::new() }).collect();
    }

    /// Returns the node that owns an address.
    #[must_use]
    pub fn owner(&self, address: IpAddr) -> Option<usize> {
        self.owners.get(&address).copied().or_else(|| self.ports.get(&address).map(|(node, _)| *node))
    }

    /// Returns the link that an address belongs to.
    #[must_use]
    pub fn port(&self, address: IpAddr) -> Option<(usize, usize)> {
        self.ports.get(&address).copied()
    }

    /// Finds an address from a node.
    #[must_use]
    pub fn resolve(&self, from: usize, address: IpAddr, links: &Links) -> Option<Way> {
        let owner = self.owner(address)?;
        if owner == from {
            return Some(Way::Own);
        }
        if let Some((_, link)) = self.port(address)
            && (links[link].a == from || links[link].b == from)
        {
            return links[link].carrier.then_some(Way::Connected(link));
        }
        // links between ASes are not in the IGP
        if self.port(address).is_some_and(|(_, link)| links[link].cost.is_none()) {
            return None;
        }
        let (cost, first) = self.trees.get(from)?.get(&owner)?;
        Some(Way::Igp(first.iter().copied().collect(), *cost))
    }
}

fn tree(from: usize, links: &Links) -> Tree {
    let mut done = Tree::new();
    let mut near = BTreeMap::from([(from, (0, BTreeSet::new()))]);
    let mut heap = BinaryHeap::from([Reverse((0, from))]);
    while let Some(Reverse((cost, node))) = heap.pop() {
        let Some((best, first)) = near.get(&node).cloned() else { continue };
        if cost > best || done.contains_key(&node) {
            continue;
        }
        for (i, link) in links.iter().enumerate().filter(|(_, l)| l.adjacent && (l.a == node || l.b == node)) {
            let Some(hop) = link.cost else { continue };
            let (to, total) = (link.other(node), cost + hop);
            let via = if node == from { BTreeSet::from([i]) } else { first.clone() };
            match near.get_mut(&to) {
                Some((known, firsts)) if *known == total => firsts.extend(via),
                Some((known, _)) if *known < total => {}
                _ => {
                    near.insert(to, (total, via));
                    heap.push(Reverse((total, to)));
                }
            }
        }
        done.insert(node, (best, first));
    }
    done.remove(&from);
    done
}
