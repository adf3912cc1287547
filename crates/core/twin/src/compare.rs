//! The decision process of FRR 8.4 (bgpd/bgp_route.c, `bgp_path_info_cmp` and `bgp_best_selection`; RFC 4271 §9.1.2).
//!
//! Two things follow the code, not the manual: the lower neighbour address wins the last step, and the cluster list is compared before
//! the router id only with `maximum-paths ibgp … equal-cluster-length`, which is not modelled and off by default.

use crate::{Path, Source};
use config::BestPath;
use core::cmp::Ordering;
use core::fmt;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The step of the decision process that told two paths apart; in the order of the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// There was no other usable path.
    OnlyPath,
    /// Higher weight.
    Weight,
    /// Higher LOCAL_PREF.
    LocalPref,
    /// Originated by the router itself.
    LocalOrigin,
    /// Shorter AS_PATH.
    AsPathLength,
    /// Lower ORIGIN.
    Origin,
    /// Lower MULTI_EXIT_DISC, between paths of one neighbour AS.
    Med,
    /// External over internal.
    EbgpOverIbgp,
    /// Lower IGP cost to the next hop.
    IgpMetric,
    /// Both external: the one already selected stays.
    Oldest,
    /// Lower ORIGINATOR_ID, else lower BGP identifier of the neighbour.
    RouterId,
    /// Shorter CLUSTER_LIST.
    ClusterLength,
    /// Lower neighbour address.
    NeighbourAddress,
}

impl Reason {
    /// Returns the name of the wire format (`as_path_length`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OnlyPath => "only_path",
            Self::Weight => "weight",
            Self::LocalPref => "local_pref",
            Self::LocalOrigin => "local_origin",
            Self::AsPathLength => "as_path_length",
            Self::Origin => "origin",
            Self::Med => "med",
            Self::EbgpOverIbgp => "ebgp_over_ibgp",
            Self::IgpMetric => "igp_metric",
            Self::Oldest => "oldest",
            Self::RouterId => "router_id",
            Self::ClusterLength => "cluster_length",
            Self::NeighbourAddress => "neighbour_address",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is known about the path that a router has selected until now (step "oldest").
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum History {
    /// Nothing: which of two external paths came first is not known.
    Unknown,
    /// This one, or none.
    Selected(Option<Source>),
}

/// Settings of one router that the comparison uses.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Knobs.
    pub knobs: &'a BestPath,
    /// LOCAL_PREF of a path that has none.
    pub default_local_pref: u32,
}

/// The outcome between two paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// `Less`: the first is better.
    pub order: Ordering,
    /// The step that told them apart.
    pub reason: Reason,
    /// False when it rests on an order of arrival or an identifier that is not known.
    pub certain: bool,
    /// The paths are the same up to the IGP metric, so both may be used.
    pub equal_cost: bool,
}

/// The choice of one router for one prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Position of the best path.
    pub best: usize,
    /// The last step that was needed against any other path.
    pub reason: Reason,
    /// False when another order of arrival would choose otherwise.
    pub certain: bool,
    /// Positions of paths used beside the best.
    pub multipath: Vec<usize>,
}

impl Rules<'_> {
    /// Returns the LOCAL_PREF that counts.
    pub fn local_pref(&self, path: &Path) -> u32 {
        path.attributes.local_pref.unwrap_or(self.default_local_pref)
    }

    /// Returns the MED that counts.
    pub fn med(&self, path: &Path) -> u32 {
        path.attributes.med.unwrap_or(if self.knobs.med_missing_as_worst { u32::MAX } else { 0 })
    }

    /// Says whether the MEDs of two paths are compared: same neighbour AS, or both of the own AS.
    pub fn med_comparable(&self, a: &Path, b: &Path) -> bool {
        let (x, y) = (&a.attributes.as_path, &b.attributes.as_path);
        let own = x.length() == 0 && y.length() == 0;
        self.knobs.always_compare_med || own || (x.neighbour().is_some() && x.neighbour() == y.neighbour())
    }

    /// Compares two usable paths.
    pub fn compare(&self, a: &Path, b: &Path, history: &History) -> Comparison {
        let decided = |order: Ordering, reason: Reason| Comparison { order, reason, certain: true, equal_cost: false };
        if let Some((order, reason)) = self.up_to_igp_metric(a, b) {
            return decided(order, reason);
        }
        Comparison { equal_cost: self.equal_cost(a, b), ..self.tie_break(a, b, history) }
    }

    fn up_to_igp_metric(&self, a: &Path, b: &Path) -> Option<(Ordering, Reason)> {
        let external = |p: &Path| matches!(p.source, Source::External { .. });
        let local = |p: &Path| p.source == Source::Local;
        let lower_as_path = || {
            let length = |p: &Path| p.attributes.as_path.length();
            if self.knobs.as_path_ignore { Ordering::Equal } else { length(a).cmp(&length(b)) }
        };
        let lower_med = || if self.med_comparable(a, b) { self.med(a).cmp(&self.med(b)) } else { Ordering::Equal };
        let internal = |p: &Path| matches!(p.source, Source::Internal { .. });
        let external_first = || match (external(a), external(b)) {
            (true, false) if internal(b) => Ordering::Less,
            (false, true) if internal(a) => Ordering::Greater,
            _ => Ordering::Equal,
        };
        let steps = [
            (b.weight.cmp(&a.weight), Reason::Weight),
            (self.local_pref(b).cmp(&self.local_pref(a)), Reason::LocalPref),
            (local(b).cmp(&local(a)), Reason::LocalOrigin),
            (lower_as_path(), Reason::AsPathLength),
            (a.attributes.origin.cmp(&b.attributes.origin), Reason::Origin),
            (lower_med(), Reason::Med),
            (external_first(), Reason::EbgpOverIbgp),
            (a.igp_metric.cmp(&b.igp_metric), Reason::IgpMetric),
        ];
        steps.into_iter().find(|(order, _)| order.is_ne())
    }

    fn equal_cost(&self, a: &Path, b: &Path) -> bool {
        let (x, y) = (&a.attributes.as_path, &b.attributes.as_path);
        self.knobs.multipath_relax
            || match (&a.source, &b.source) {
                (Source::Internal { .. }, _) => x == y,
                _ => x.neighbour() == y.neighbour(),
            }
    }

    fn tie_break(&self, a: &Path, b: &Path, history: &History) -> Comparison {
        let both_external = matches!((&a.source, &b.source), (Source::External { .. }, Source::External { .. }));
        let mut certain = true;
        if both_external && !self.knobs.compare_router_id {
            match history {
                History::Selected(Some(s)) if *s == a.source => return tie(Ordering::Less, Reason::Oldest, true),
                History::Selected(Some(s)) if *s == b.source => return tie(Ordering::Greater, Reason::Oldest, true),
                History::Selected(_) => {}
                History::Unknown => certain = false,
            }
        }
        let id = |p: &Path| p.attributes.originator_id.or(p.remote_id);
        match (id(a), id(b)) {
            (Some(x), Some(y)) if x != y => return tie(x.cmp(&y), Reason::RouterId, certain),
            (Some(_), Some(_)) => {}
            _ => certain = false,
        }
        let clusters = a.attributes.cluster_list.len().cmp(&b.attributes.cluster_list.len());
        if clusters.is_ne() {
            return tie(clusters, Reason::ClusterLength, certain);
        }
        tie(a.source.neighbor().cmp(&b.source.neighbor()), Reason::NeighbourAddress, certain)
    }

    /// Chooses among the usable paths of `paths`; `None` when there are none.
    ///
    /// The order of `paths` stands in for FRR's list, which holds the newest first; where another order could choose otherwise the
    /// selection is not certain.
    pub fn select(&self, paths: &[Path], history: &History) -> Option<Selection> {
        let usable: Vec<usize> = (0..paths.len()).filter(|i| paths[*i].usable()).collect();
        let field = if self.knobs.deterministic_med { self.group_winners(paths, &usable, history) } else { usable.clone() };
        let best = self.scan(paths, &field, history)?;
        let mut selection = Selection { best, reason: Reason::OnlyPath, certain: true, multipath: Vec::new() };
        for other in usable.into_iter().filter(|i| *i != best) {
            let comparison = self.compare(&paths[best], &paths[other], history);
            selection.reason = selection.reason.max(comparison.reason);
            let beaten = comparison.order.is_lt() && comparison.certain;
            // a winner of its own group need not beat the losers of other groups
            selection.certain &= beaten || !field.contains(&other);
            if comparison.equal_cost {
                selection.multipath.push(other);
            }
        }
        Some(selection)
    }

    fn scan(&self, paths: &[Path], field: &[usize], history: &History) -> Option<usize> {
        field.iter().copied().reduce(|best, i| if self.compare(&paths[i], &paths[best], history).order.is_lt() { i } else { best })
    }

    /// Returns the best of each neighbour AS (`bgp deterministic-med`).
    fn group_winners(&self, paths: &[Path], usable: &[usize], history: &History) -> Vec<usize> {
        let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for &i in usable {
            groups.entry(paths[i].attributes.as_path.neighbour()).or_default().push(i);
        }
        groups.into_values().filter_map(|g| self.scan(paths, &g, history)).collect()
    }
}

const fn tie(order: Ordering, reason: Reason, certain: bool) -> Comparison {
    Comparison { order, reason, certain, equal_cost: false }
}

#[cfg(test)]
mod tests;
