//! What a router's table shows: paths of each prefix, which is best, by which step.

use crate::compare::Step;
use crate::plane::{NONE, Plane};
use crate::route::Kind;
use crate::solution::Solution;
use bgp::{Community, ExtendedCommunity, LargeCommunity, Origin, Prefix};
use core::net::IpAddr;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One path of a prefix in a router's table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PathRow {
    /// Neighbour it came from; absent: made here.
    pub from: Option<IpAddr>,
    /// Interface of a neighbour without a configured address; `from` stands for its link-local address then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Next hop; the unspecified address for what is made here.
    pub next_hops: Vec<IpAddr>,
    /// AS_PATH as text.
    pub as_path: String,
    /// ORIGIN.
    pub origin: Origin,
    /// LOCAL_PREF, as the path has it.
    pub local_pref: Option<u32>,
    /// MED, as the path has it.
    pub med: Option<u32>,
    /// Weight.
    pub weight: u32,
    /// Communities.
    pub communities: Vec<Community>,
    /// Large communities.
    pub large_communities: Vec<LargeCommunity>,
    /// Extended communities.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extended_communities: Vec<ExtendedCommunity>,
    /// AIGP metric.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aigp: Option<u64>,
    /// ORIGINATOR_ID.
    pub originator_id: Option<core::net::Ipv4Addr>,
    /// CLUSTER_LIST.
    pub cluster_list: Vec<core::net::Ipv4Addr>,
    /// The next hop is reached.
    pub valid: bool,
    /// Chosen.
    pub best: bool,
    /// Used beside the best.
    pub multipath: bool,
    /// Metric of the IGP to the next hop.
    pub igp_metric: Option<u32>,
    /// On the best path: the step that told it from the last path it was compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// FRR's word for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native_reason: Option<&'static str>,
    /// On the best path: neighbour of the path it was compared with last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beats: Option<String>,
}

/// Tables of all routers: router, then prefix.
pub type Tables = BTreeMap<String, BTreeMap<Prefix, Vec<PathRow>>>;

/// A choice that another order of arrival makes otherwise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct OrderDependent {
    /// Router.
    pub router: String,
    /// Prefix.
    pub prefix: Prefix,
    /// What differs: `choice` (another path is best), `paths` (others arrive), `reason` (the same is best by another step).
    pub what: &'static str,
    /// Neighbours (or `local`) that are best in one order or another.
    pub candidates: BTreeSet<String>,
    /// Steps that chose, in one order or another.
    pub reasons: BTreeSet<&'static str>,
}

impl Plane<'_> {
    /// Returns the paths of one prefix at one router, newest first as the router lists them; empty when it has none.
    pub fn rows(&self, solution: &mut Solution, router: usize, prefix: &Prefix) -> Vec<PathRow> {
        let Some(number) = solution.number_of(prefix) else { return Vec::new() };
        let solved = Arc::clone(&solution.classes[number as usize]);
        let state = &*solved.state;
        let best = state.best[router];
        let beside: BTreeSet<u32> = self.with_candidates(router, state, &mut solution.shared, |rules, list| {
            let at = list.iter().position(|c| c.slot == best);
            at.map(|at| rules.beside(list, at).into_iter().map(|i| list[i].slot).collect()).unwrap_or_default()
        });
        let mut places: Vec<u32> = self.nodes[router].slots.clone().filter(|s| state.slots[*s as usize].route != NONE).collect();
        places.sort_unstable_by_key(|s| core::cmp::Reverse(state.slots[*s as usize].seq));
        let from = |slot: u32| match self.slot_half[slot as usize] {
            NONE => None,
            h => Some(self.halves[h as usize].from_address),
        };
        let mut rows = Vec::with_capacity(places.len());
        for slot in places {
            let n = state.slots[slot as usize].route;
            let next_hop = solution.shared.routes.key(n).next_hop;
            let cost = solution.shared.cost(self, router, next_hop);
            let metric = if next_hop == state.self_hop { crate::fabric::UNREACHABLE } else { self.metric(slot, cost) };
            let route = solved.route(n, &solution.shared);
            let a = &route.attributes;
            let unspecified: IpAddr =
                if prefix.address().is_ipv4() { core::net::Ipv4Addr::UNSPECIFIED.into() } else { core::net::Ipv6Addr::UNSPECIFIED.into() };
            let (step, against) = state.said[router];
            let is_best = slot == best;
            rows.push(PathRow {
                from: from(slot),
                interface: from(slot).and_then(|a| self.interface_of(router, a)),
                next_hops: vec![a.next_hop.unwrap_or(unspecified)],
                as_path: a.as_path.to_string(),
                origin: a.origin,
                local_pref: a.local_pref,
                med: a.med,
                weight: route.weight,
                communities: a.communities.clone(),
                large_communities: a.large_communities.clone(),
                extended_communities: route.extended.clone(),
                aigp: route.aigp,
                originator_id: a.originator_id,
                cluster_list: a.cluster_list.clone(),
                valid: metric != crate::fabric::UNREACHABLE,
                best: is_best,
                multipath: beside.contains(&slot) || (is_best && !beside.is_empty()),
                igp_metric: (metric != crate::fabric::UNREACHABLE).then_some(metric),
                reason: is_best.then(|| step.name()),
                native_reason: is_best.then(|| step.native()),
                beats: (is_best && against != NONE && step != Step::OnlyPath)
                    .then(|| from(against).map_or_else(|| "local".to_owned(), |a| a.to_string())),
            });
        }
        rows
    }

    /// Returns the tables of all routers.
    pub fn tables(&self, solution: &mut Solution) -> Tables {
        let prefixes: Vec<Prefix> = solution.prefixes().collect();
        let mut out = Tables::new();
        for (router, node) in self.network.routers.iter().enumerate() {
            let table = out.entry(node.name.clone()).or_default();
            for prefix in &prefixes {
                let rows = self.rows(solution, router, prefix);
                if !rows.is_empty() {
                    table.insert(*prefix, rows);
                }
            }
        }
        out
    }

    pub(crate) fn name_of(&self, slot: u32) -> String {
        if slot == NONE {
            return "none".to_owned();
        }
        match self.slot_half[slot as usize] {
            NONE => "local".to_owned(),
            h => {
                let half = &self.halves[h as usize];
                let interface = self.interface_of(half.to as usize, half.from_address);
                interface.unwrap_or_else(|| half.from_address.to_string())
            }
        }
    }

    /// The interface that a neighbour is known by.
    fn interface_of(&self, router: usize, address: IpAddr) -> Option<String> {
        let bgp = self.network.routers.get(router)?.config.bgp.as_ref()?;
        bgp.neighbors.get(&address)?.wider.interface.clone()
    }

    /// Names the routers whose choice goes round in a circle, by prefix.
    #[must_use]
    pub fn circles(&self, solution: &Solution) -> Vec<(Prefix, Vec<String>)> {
        let restless = solution.classes.iter().filter(|s| !s.state.cycle.is_empty());
        restless.map(|s| (s.class.prefix, s.state.cycle.iter().map(|r| self.network.routers[*r].name.clone()).collect())).collect()
    }

    /// Returns how many messages it took in all.
    #[must_use]
    pub fn messages(&self, solution: &Solution) -> usize {
        solution.classes.iter().map(|s| s.state.messages).sum()
    }
}

impl Kind {
    /// Returns the word of tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Learned => "learned",
            Self::Network => "network",
            Self::Aggregate => "aggregate",
            Self::Redistributed(_) => "redistributed",
        }
    }
}
