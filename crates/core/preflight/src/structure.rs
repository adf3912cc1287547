//! The network as a graph: nodes are routers and the ASes outside, edges are the BGP sessions that are up.
//!
//! It says who can hear of whom at all, before any policy. What a change moves is [`crate::Difference::blast`], and tiers go by that alone:
//! the reach of a router is told beside it and decides nothing.

use crate::World;
use bgp::{Asn, Family};
use core::net::IpAddr;
use routing::{Blueprint, Direction, Plane};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use units::Ratio;

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Node {
    /// A router of the network, by name.
    Router(String),
    /// An AS outside it, of which no router is known.
    As(Asn),
}

/// One end of a session: who, and the address by which the other end knows it.
type End = (Node, IpAddr);

/// The graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Structure {
    /// For each node those it has a session with.
    neighbors: BTreeMap<Node, BTreeSet<Node>>,
    /// Sessions by their ends, and whether they lead to another AS. A session that carries both families is one.
    sessions: BTreeMap<(End, End), bool>,
}

/// How large it is (S1-106).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Routers and ASes outside.
    pub nodes: usize,
    /// Of them routers, those out of order included.
    pub routers: usize,
    /// Sessions that are up.
    pub edges: usize,
    /// Of them sessions with another AS (members of one confederation are one).
    pub ebgp: usize,
}

impl core::fmt::Display for Size {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let outside = self.nodes.saturating_sub(self.routers);
        let Self { nodes, routers, edges, ebgp } = self;
        write!(f, "{nodes} nodes ({routers} routers, {outside} ASes outside), {edges} sessions, {ebgp} of them eBGP")
    }
}

impl Structure {
    /// Draws the graph of a solved network.
    #[must_use]
    pub fn of(world: &World<'_>) -> Self {
        Self::drawn(world.network, world.families.iter().flat_map(|s| &s.directions))
    }

    /// Draws the graph of a network that was not solved; its tables are not needed.
    #[must_use]
    pub fn of_network(network: &Blueprint) -> Self {
        let families = [Family::Ipv4Unicast, Family::Ipv6Unicast].map(|f| Plane::new(network, f).directions());
        Self::drawn(network, families.iter().flatten())
    }

    fn drawn<'d>(network: &Blueprint, directions: impl Iterator<Item = &'d Direction>) -> Self {
        let mut out = Self::default();
        for router in &network.routers {
            out.neighbors.entry(Node::Router(router.name.clone())).or_default();
        }
        let name = |place: usize| network.routers.get(place).map(|r| Node::Router(r.name.clone()));
        let node = |place: Option<usize>, asn: Asn| place.and_then(name).unwrap_or(Node::As(asn));
        for d in directions {
            let (from, to) = (node(d.from, d.from_asn), node(d.to, d.to_asn));
            out.neighbors.entry(from.clone()).or_default().insert(to.clone());
            out.neighbors.entry(to.clone()).or_default().insert(from.clone());
            let (a, b) = ((from, d.from_address), (to, d.to_address));
            out.sessions.insert(if a <= b { (a, b) } else { (b, a) }, d.external);
        }
        out
    }

    /// Returns its size.
    #[must_use]
    pub fn size(&self) -> Size {
        Size {
            nodes: self.neighbors.len(),
            routers: self.neighbors.keys().filter(|n| matches!(n, Node::Router(_))).count(),
            edges: self.sessions.len(),
            ebgp: self.sessions.values().filter(|external| **external).count(),
        }
    }

    /// Returns how many other nodes a router reaches over sessions (S1-085); `None`: there is no such router.
    #[must_use]
    pub fn reachable(&self, router: &str) -> Option<usize> {
        let (start, _) = self.neighbors.get_key_value(&Node::Router(router.to_owned()))?;
        let mut seen = BTreeSet::from([start]);
        let mut waiting = vec![start];
        while let Some(node) = waiting.pop() {
            for next in self.neighbors.get(node).into_iter().flatten() {
                if seen.insert(next) {
                    waiting.push(next);
                }
            }
        }
        Some(seen.len() - 1)
    }

    /// Returns the structural reach of a router (S1-086): the nodes that it reaches ÷ all nodes, rounded to 3 places; 0 for a router that is
    /// not there. It reaches all but itself at most.
    #[must_use]
    pub fn reach(&self, router: &str) -> Ratio {
        let reached = self.reachable(router).unwrap_or(0);
        let share = Ratio::of(reached as u64, self.neighbors.len() as u64).get();
        Ratio::new(libm::round(share * 1000.0) / 1000.0).unwrap_or(Ratio::ZERO)
    }
}
