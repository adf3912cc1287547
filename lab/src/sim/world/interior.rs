//! Links and the IGP: carriers, adjacencies, shortest paths, and the sessions that hang on them.

use super::{Event, MS, SECOND, World};
use crate::impair::{Direction, Impairment};
use crate::sim::session::{Ending, State};
use bgp::Prefix;
use std::collections::BTreeSet;

/// Hello of OSPF as the lab configures it, and the time after which a silent neighbour is dead.
const HELLO: u64 = SECOND;
const DEAD: u64 = 4 * SECOND;
/// From a change to the new shortest paths (`timers throttle spf 10 …`, flooding included).
const COMPUTE_AFTER: u64 = 20 * MS;

impl World {
    /// Replaces what one or both directions of a link do.
    pub fn impair(&mut self, link: usize, direction: Direction, impairment: Impairment) {
        let sides: &[usize] = match direction {
            Direction::Ab => &[0],
            Direction::Ba => &[1],
            Direction::Both => &[0, 1],
        };
        for side in sides {
            self.links[link].wires[*side].impairment = impairment;
        }
        self.watch_adjacency(link);
    }

    /// Switches the carrier of a link.
    pub fn carrier(&mut self, link: usize, on: bool) {
        if self.links[link].carrier == on {
            return;
        }
        self.links[link].carrier = on;
        self.routing += 1;
        let ends = [self.links[link].a, self.links[link].b];
        if !on {
            for router in ends {
                let peers = &self.routers[router].peers;
                let over = peers.iter().filter(|(_, p)| p.link == Some(link) && p.state != State::Idle);
                for neighbor in over.map(|(a, _)| *a).collect::<Vec<_>>() {
                    self.end((router, neighbor), Ending::Interface, true);
                }
            }
            if std::mem::replace(&mut self.links[link].adjacent, false) {
                self.compute_soon();
            }
        }
        self.watch_adjacency(link);
        for router in ends {
            self.decide_all(router);
        }
    }

    /// Has the IGP look at a link when it would notice.
    fn watch_adjacency(&mut self, link: usize) {
        let l = &self.links[link];
        if l.cost.is_some() && l.alive() != l.adjacent {
            self.after(if l.adjacent { DEAD } else { HELLO }, Event::Adjacency(link));
        }
    }

    pub(super) fn adjacency(&mut self, link: usize) {
        let alive = self.links[link].alive();
        if std::mem::replace(&mut self.links[link].adjacent, alive) != alive {
            self.compute_soon();
        }
    }

    fn compute_soon(&mut self) {
        if !std::mem::replace(&mut self.computing, true) {
            self.after(COMPUTE_AFTER, Event::ShortestPaths);
        }
    }

    pub(super) fn shortest_paths(&mut self) {
        self.computing = false;
        self.routing += 1;
        self.underlay.compute(&self.links);
        for router in 0..self.routers.len() {
            self.decide_all(router);
        }
    }

    pub(super) fn decide_all(&mut self, router: usize) {
        let r = &self.routers[router];
        let mut all: BTreeSet<Prefix> = r.table.keys().copied().chain(r.originated()).collect();
        all.extend(r.peers.values().flat_map(|p| p.accepted.keys().copied()));
        self.decide(router, &all);
    }
}
