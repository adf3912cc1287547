//! What a change did: two solutions, destination by destination.

use crate::plane::{NONE, Plane};
use crate::solution::Solution;
use bgp::Prefix;
use core::net::IpAddr;
use serde::Serialize;
use std::collections::BTreeMap;

/// How a router reaches a destination.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Choice {
    /// Neighbour of the best path; absent: made here.
    pub from: Option<IpAddr>,
    /// Next hop.
    pub next_hop: Option<IpAddr>,
    /// AS_PATH.
    pub as_path: String,
}

/// A router's change for prefixes that changed alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// Router.
    pub router: String,
    /// Prefixes.
    pub prefixes: Vec<Prefix>,
    /// Before; absent: no usable path.
    pub before: Option<Choice>,
    /// After; absent: no usable path.
    pub after: Option<Choice>,
}

impl Plane<'_> {
    /// Returns a router's choice.
    #[must_use]
    pub fn choice(&self, solution: &Solution, router: usize, prefix: &Prefix) -> Option<Choice> {
        self.choice_in(solution, router, solution.number_of(prefix)?)
    }

    fn choice_in(&self, solution: &Solution, router: usize, number: u32) -> Option<Choice> {
        let state = &solution.classes[number as usize].state;
        let best = *state.best.get(router)?;
        if best == NONE {
            return None;
        }
        let route = solution.shared.routes.get(state.slots[best as usize].route);
        let h = self.slot_half[best as usize];
        let from = (h != NONE).then(|| self.halves[h as usize].from_address);
        Some(Choice { from, next_hop: route.attributes.next_hop, as_path: route.attributes.as_path.to_string() })
    }

    /// Compares this plane's solution with what another made of the network after a change; routers are the same, in the same order.
    #[must_use]
    pub fn moved(&self, before: &Solution, plane: &Plane<'_>, after: &Solution) -> Vec<Moved> {
        // prefixes that stand in one destination before and one after are compared once
        let mut pairs: BTreeMap<(u32, u32), Vec<Prefix>> = BTreeMap::new();
        let prefixes: std::collections::BTreeSet<Prefix> = before.prefixes().chain(after.prefixes()).collect();
        for prefix in prefixes {
            let pair = (before.number_of(&prefix).unwrap_or(NONE), after.number_of(&prefix).unwrap_or(NONE));
            pairs.entry(pair).or_default().push(prefix);
        }
        let mut out = Vec::new();
        for ((old, new), prefixes) in pairs {
            for router in 0..self.nodes.len() {
                let was = (old != NONE).then(|| self.choice_in(before, router, old)).flatten();
                let is = (new != NONE).then(|| plane.choice_in(after, router, new)).flatten();
                if was != is {
                    let router = self.network.routers[router].name.clone();
                    out.push(Moved { router, prefixes: prefixes.clone(), before: was, after: is });
                }
            }
        }
        out
    }
}
