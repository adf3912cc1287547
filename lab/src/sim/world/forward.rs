//! Where packets go: hop by hop, by what each router holds at that moment.

use super::World;
use crate::sim::select::Source;
use crate::sim::underlay::Way;
use crate::topology::Role;
use bgp::{Family, Prefix};
use std::net::IpAddr;

/// Routers that a packet may pass.
const HOPS_MAX: usize = 32;

/// How a packet's way ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It is where it wanted to go: at this node.
    There(usize),
    /// No route, a null route, a link without light, or a loop.
    Nowhere,
}

/// The way of a packet: links with the wire taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// Links and wires in order.
    pub wires: Vec<(usize, usize)>,
    /// Its end.
    pub arrival: Arrival,
}

enum Step {
    Here,
    Over(usize),
    Dropped,
}

impl World {
    /// Follows a packet from a node; `pinned`: the link it must leave by first. `flow` decides between ways of equal cost.
    #[must_use]
    pub fn track(&self, from: usize, to: IpAddr, pinned: Option<usize>, flow: u64) -> Track {
        let mut track = Track { wires: Vec::new(), arrival: Arrival::Nowhere };
        let (mut at, mut forced) = (from, pinned);
        for _ in 0..HOPS_MAX {
            let step = match forced.take() {
                Some(link) => Step::Over(link),
                None => self.step(at, to, flow),
            };
            match step {
                Step::Here => {
                    track.arrival = Arrival::There(at);
                    return track;
                }
                Step::Over(link) if self.links[link].carrier => {
                    track.wires.push((link, self.links[link].wire_from(at)));
                    at = self.links[link].other(at);
                }
                Step::Over(_) | Step::Dropped => return track,
            }
        }
        track
    }

    fn step(&self, at: usize, to: IpAddr, flow: u64) -> Step {
        let node = &self.topology.nodes[at];
        let in_subnet = |s: &crate::topology::Interface| s.subnet().is_some_and(|p| p.contains(to));
        match self.underlay.resolve(at, to, &self.links) {
            Some(Way::Own) => return Step::Here,
            _ if node.subnets.iter().any(in_subnet) => return Step::Here,
            // a host in somebody's subnet is reached by BGP, a router's own address by the IGP
            Some(way) if !self.topology.nodes.iter().any(|n| n.subnets.iter().any(in_subnet)) => return over(&way, flow),
            _ => {}
        }
        let router = &self.routers[at];
        let lengths = router.lengths.get(&Family::of(to)).map_or(&[][..], Vec::as_slice);
        let best = lengths.iter().find_map(|l| router.table.get(&Prefix::new(to, *l)?));
        match best {
            None => Step::Dropped,
            // an edge originates by a null route; a provider and the remote network answer for what they originate
            Some(path) if path.source == Source::Local => {
                if matches!(node.role, Role::Isp | Role::Remote) {
                    Step::Here
                } else {
                    Step::Dropped
                }
            }
            Some(path) => {
                let way = path.attributes.next_hop.and_then(|n| self.underlay.resolve(at, n, &self.links));
                way.map_or(Step::Dropped, |w| over(&w, flow))
            }
        }
    }
}

fn over(way: &Way, flow: u64) -> Step {
    match way {
        Way::Own => Step::Here,
        Way::Connected(link) => Step::Over(*link),
        Way::Igp(first, _) => first.get((flow % first.len().max(1) as u64) as usize).map_or(Step::Dropped, |l| Step::Over(*l)),
    }
}
