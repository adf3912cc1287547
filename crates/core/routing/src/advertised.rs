//! What a router tells a neighbour, and what it hands to its RIB.

use crate::plane::{NONE, Plane};
use crate::policy::{Question, Verdict};
use crate::route::Route;
use crate::solution::Solution;
use bgp::Prefix;
use core::net::IpAddr;
use std::collections::BTreeMap;

impl Plane<'_> {
    /// Returns what a router tells a neighbour of its best paths, as it goes over the wire: whether the neighbour takes it is his choice.
    #[must_use]
    pub fn advertised(&self, solution: &Solution, router: usize, neighbor: IpAddr) -> BTreeMap<Prefix, Route> {
        let mut out = BTreeMap::new();
        let ours = (0..).zip(self.halves.iter()).find(|(_, h)| h.from as usize == router && h.to_address == neighbor);
        let Some((h, _)) = ours else { return out };
        for solved in &solution.classes {
            let (class, state) = (&solved.class, &solved.state);
            let (first, _) = self.half_slots[h as usize];
            let injected = class.origins.iter().find(|(slot, _)| *slot == first && self.slot_half[*slot as usize] == h);
            let best = state.best[router];
            let sent = if let Some((_, route)) = injected {
                Some(solution.shared.routes.get(*route).clone())
            } else if best == NONE || class.withheld.contains(&h) {
                None
            } else {
                let route = state.slots[best as usize].route;
                self.exported(class, h, best, solved.route(route, &solution.shared), None).ok()
            };
            out.extend(sent.into_iter().flat_map(|r| solved.prefixes.iter().map(move |p| (*p, r.clone()))));
        }
        out
    }

    /// Says whether a router hands its best path to the RIB: `table-map` does not reject it.
    #[must_use]
    pub fn installs(&self, solution: &Solution, router: usize, prefix: &Prefix) -> bool {
        let Some(solved) = solution.class_of(prefix) else { return false };
        let best = solved.state.best[router];
        if best == NONE {
            return false;
        }
        let bgp = self.network.routers[router].config.bgp.as_ref();
        let Some(map) = bgp.and_then(|b| b.wider.table_map.get(&self.family)) else { return true };
        let mut route = solved.route(solved.state.slots[best as usize].route, &solution.shared).clone();
        let rpki = self.validity(router, prefix, &route.attributes.as_path);
        let question = Question { prefix, neighbor: None, local: None, outbound: false, rpki };
        matches!(self.nodes[router].policies.run(map, &question, &mut route), Verdict::Accepted { .. })
    }
}
