//! What the computation of many destinations shares: routes, what transfers made of them, costs of next hops.

use crate::compare::Candidate;
use crate::fabric::{Trees, UNREACHABLE};
use crate::plane::Plane;
use crate::route::{OWN, Renumbered, Routes};
use crate::session::OUTSIDE;
use crate::table::NumberTable;
use core::net::{IpAddr, Ipv4Addr};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the computation of many destinations shares. A copy shares what was known when this was frozen.
#[derive(Clone, Default)]
pub struct Shared {
    pub(crate) routes: Routes,
    pub(crate) transfers: NumberTable,
    /// The transfer asked for last: most often the next is the same, to another client.
    pub(crate) last: Option<Carried>,
    /// Costs of each next hop, by router.
    pub(crate) costs: Vec<Arc<Vec<u32>>>,
    /// What they come from.
    pub(crate) trees: Trees,
    pub(crate) candidates: Vec<Candidate>,
    /// Who owns each next hop.
    owners: Vec<u32>,
    /// Next hops that routers reach by BGP itself.
    resolved: Arc<BTreeMap<IpAddr, BTreeMap<usize, u32>>>,
}

/// What arrives of a route, as far as it does not depend on the receiver.
#[derive(Clone)]
pub(crate) struct Carried {
    pub(crate) key: (u64, u64),
    pub(crate) made: u32,
    pub(crate) originator: Option<u32>,
    /// Router that owns the next hop.
    pub(crate) owner: u32,
    pub(crate) clusters: Vec<Ipv4Addr>,
}

impl Shared {
    /// Returns the router that owns a next hop, [`OUTSIDE`] when none or several do.
    pub(crate) fn owner(&mut self, plane: &Plane<'_>, next_hop: u32) -> u32 {
        while self.owners.len() <= next_hop as usize {
            let address = self.routes.next_hop(self.owners.len() as u32);
            let mut all = address.into_iter().flat_map(|a| plane.fabric.owners(a)).map(|r| r as u32);
            let first = all.next().unwrap_or(OUTSIDE);
            self.owners.push(first);
        }
        self.owners[next_hop as usize]
    }

    /// Returns the cost of a next hop for a router.
    #[inline]
    pub(crate) fn cost(&mut self, plane: &Plane<'_>, router: usize, next_hop: u32) -> u32 {
        if next_hop == OWN {
            return 0;
        }
        if let Some(known) = self.costs.get(next_hop as usize) {
            return known[router];
        }
        self.find_costs(plane, next_hop);
        self.costs[next_hop as usize][router]
    }

    #[cold]
    fn find_costs(&mut self, plane: &Plane<'_>, next_hop: u32) {
        while self.costs.len() <= next_hop as usize {
            let address = self.routes.next_hop(self.costs.len() as u32);
            let mut costs = address.map_or_else(|| vec![0; plane.nodes.len()], |a: IpAddr| plane.fabric.costs_by(a, &mut self.trees));
            for (router, metric) in address.and_then(|a| self.resolved.get(&a)).into_iter().flatten() {
                if costs[*router] == UNREACHABLE {
                    costs[*router] = *metric;
                }
            }
            self.costs.push(Arc::new(costs));
        }
    }

    /// Returns the cost of a next hop that was asked for before.
    pub(crate) fn known_cost(&self, router: usize, next_hop: u32) -> u32 {
        let known = self.costs.get(next_hop as usize).and_then(|c| c.get(router)).copied().unwrap_or(UNREACHABLE);
        if next_hop == OWN { 0 } else { known }
    }

    /// Says which next hops routers reach by BGP itself.
    pub(crate) fn resolve(&mut self, resolved: BTreeMap<IpAddr, BTreeMap<usize, u32>>) {
        if *self.resolved != resolved {
            self.resolved = Arc::new(resolved);
            self.costs.clear();
            self.forget_transfers();
        }
    }

    /// Forgets what transfers made; they are worked out again where they are needed.
    pub(crate) fn forget_transfers(&mut self) {
        self.transfers = NumberTable::default();
        self.last = None;
    }

    /// Puts routes and transfers below; copies share them from now on.
    pub(crate) fn freeze(&mut self) {
        self.routes.freeze();
        self.transfers.freeze();
        self.candidates = Vec::new();
        self.last = None;
    }

    /// Takes the routes that a copy made since both were frozen; what it knows of transfers and costs is worked out again where needed.
    pub(crate) fn absorb(&mut self, other: Self) -> Renumbered {
        self.routes.absorb(other.routes)
    }

    /// Begins anew with costs and owners after the network below changed, from trees that hold in it.
    pub(crate) fn rewire(&mut self, plane: &Plane<'_>, trees: Trees) {
        self.trees = trees;
        self.costs.clear();
        self.owners.clear();
        self.last = None;
        self.know(plane);
    }

    /// Works out the costs of all next hops that are known.
    pub(crate) fn know(&mut self, plane: &Plane<'_>) {
        if let Some(last) = (self.routes.hops() as u32).checked_sub(1).filter(|n| *n > 0 && !plane.nodes.is_empty()) {
            self.cost(plane, 0, last);
        }
    }

    /// Returns the bytes that routes, remembered transfers and costs take, roughly.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.transfers.bytes() + self.routes.len() * 400 + self.costs.iter().map(|c| c.capacity() * 4).sum::<usize>()
    }
}
