//! The decision process as FRR 8.4 runs it (bgpd/bgp_route.c, `bgp_path_info_cmp`, `bgp_best_selection`; RFC 4271 §9.1.2), with what other
//! vendors do otherwise as settings.

use crate::profile::{Beside, LastStep, LocalOrigin, MissingMed, Oldest, Profile, TieBreak};
use crate::route::Key;
use config::BestPath;
use serde::{Deserialize, Serialize};

/// The step that told two paths apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Nothing to compare.
    #[default]
    OnlyPath,
    /// Higher weight.
    Weight,
    /// Higher LOCAL_PREF.
    LocalPref,
    /// Made by the router itself.
    LocalOrigin,
    /// Lower AIGP metric, the way to the next hop included (RFC 7311 §4.1).
    Aigp,
    /// Shorter AS_PATH with confederation segments counted.
    ConfedAsPath,
    /// Shorter AS_PATH.
    AsPathLength,
    /// Lower ORIGIN.
    Origin,
    /// Lower MED.
    Med,
    /// External over internal.
    EbgpOverIbgp,
    /// From another member of the confederation over internal.
    ConfedOverIbgp,
    /// Lower IGP metric to the next hop.
    IgpMetric,
    /// Shorter CLUSTER_LIST where the IGP metric is the same (`maximum-paths ibgp … equal-cluster-length`).
    ClusterLengthAsMetric,
    /// Both external: the one already chosen stays.
    Oldest,
    /// Lower ORIGINATOR_ID or router id.
    RouterId,
    /// Shorter CLUSTER_LIST.
    ClusterLength,
    /// One has no neighbour: made here.
    LocalConfigured,
    /// Lower next hop (Nokia).
    NextHop,
    /// Lower address of the neighbour.
    NeighbourAddress,
    /// Equal in all.
    Nothing,
}

impl Step {
    /// Returns the name of the wire format.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OnlyPath => "only_path",
            Self::Weight => "weight",
            Self::LocalPref => "local_pref",
            Self::LocalOrigin => "local_origin",
            Self::Aigp => "aigp",
            Self::ConfedAsPath | Self::AsPathLength => "as_path_length",
            Self::Origin => "origin",
            Self::Med => "med",
            Self::EbgpOverIbgp | Self::ConfedOverIbgp => "ebgp_over_ibgp",
            Self::IgpMetric => "igp_metric",
            Self::Oldest => "oldest",
            Self::RouterId => "router_id",
            Self::ClusterLength | Self::ClusterLengthAsMetric => "cluster_length",
            Self::LocalConfigured => "local_origin",
            Self::NextHop => "next_hop",
            Self::NeighbourAddress | Self::Nothing => "neighbour_address",
        }
    }

    /// Returns FRR's word (`selectionReason`).
    #[must_use]
    pub const fn native(self) -> &'static str {
        match self {
            Self::OnlyPath => "First path received",
            Self::Weight => "Weight",
            Self::LocalPref => "Local Pref",
            Self::LocalOrigin => "Local Route",
            Self::Aigp => "AIGP",
            Self::ConfedAsPath => "Confederation based AS Path",
            Self::AsPathLength => "AS Path",
            Self::Origin => "Origin",
            Self::Med => "MED",
            Self::EbgpOverIbgp => "Peer Type",
            Self::ConfedOverIbgp => "Confed Peer Type",
            Self::IgpMetric | Self::ClusterLengthAsMetric => "IGP Metric",
            Self::Oldest => "Older Path",
            Self::RouterId => "Router ID",
            Self::ClusterLength => "Cluster length",
            Self::LocalConfigured => "Locally configured route",
            Self::NextHop => "Next Hop",
            Self::NeighbourAddress => "Neighbor IP",
            Self::Nothing => "Nothing left to compare",
        }
    }
}

/// Kind of a session as one side sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// Same AS.
    Internal,
    /// Another member of the confederation.
    Confed,
    /// Another AS.
    External,
}

/// What of a router's settings the comparison uses.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub knobs: BestPath,
    pub default_local_pref: u32,
    pub confederation: bool,
    pub profile: Profile,
    /// MEDs are not looked at: only to find out whether they are what keeps a network from rest.
    pub ignores_med: bool,
    /// Paths used side by side at most, external and internal.
    pub multipath: (u16, u16),
    pub equal_cluster_length: bool,
}

/// A path as the comparison sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    /// Where it stands in the router's slots.
    pub slot: u32,
    /// When it came.
    pub seq: u32,
    pub key: Key,
    pub metric: u32,
    pub sort: Sort,
    /// Router id of the neighbour.
    pub neighbour_id: u32,
    /// Neighbour's address; 0 without a neighbour.
    pub address: u128,
    pub neighbour_as: u32,
    pub selected: bool,
}

impl Candidate {
    /// eBGP as `peer->sort` has it: routes made here belong to the router itself.
    const fn external(&self) -> bool {
        matches!(self.sort, Sort::External) && !self.key.local
    }

    fn aigp(&self) -> Option<u64> {
        self.key.aigp.map(|a| a.saturating_add(u64::from(self.metric)))
    }
}

/// Outcome between two: is the new one better, by which step, and are both the same up to the IGP metric.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub new_wins: bool,
    pub step: Step,
    pub equal: bool,
}

impl Rules {
    fn med(&self, path: &Candidate) -> u64 {
        let med = path.key.med.unwrap_or(if self.knobs.med_missing_as_worst { u32::MAX } else { 0 });
        u64::from(med) + if self.knobs.med_plus_igp { u64::from(path.metric) } else { 0 }
    }

    pub fn med_comparable(&self, a: &Key, b: &Key) -> bool {
        if self.ignores_med {
            return false;
        }
        let missing = a.med.is_none() || b.med.is_none();
        if missing && self.profile.missing_med == MissingMed::Exempt && !self.knobs.always_compare_med {
            return false;
        }
        let empty = a.hops == 0 && b.hops == 0;
        let confed = empty && a.confeds > 0 && b.confeds > 0;
        self.knobs.always_compare_med || (self.knobs.med_confed && confed) || same_left(a, b) || empty
    }

    /// Compares `new` with `old`, step by step.
    pub fn compare(&self, new: &Candidate, old: &Candidate) -> Outcome {
        let (a, b) = (&new.key, &old.key);
        let told = |new_wins, step| Outcome { new_wins, step, equal: false };
        if a.local != b.local && self.profile.local_origin == LocalOrigin::ByPreference {
            return told(a.local, Step::LocalOrigin);
        }
        if self.profile.weight && a.weight != b.weight {
            return told(a.weight > b.weight, Step::Weight);
        }
        let (p, q) = (a.local_pref.unwrap_or(self.default_local_pref), b.local_pref.unwrap_or(self.default_local_pref));
        if p != q {
            return told(p > q, Step::LocalPref);
        }
        if a.local != b.local {
            return told(a.local, Step::LocalOrigin);
        }
        if self.knobs.aigp
            && let (Some(x), Some(y)) = (new.aigp(), old.aigp())
            && x != y
        {
            return told(x < y, Step::Aigp);
        }
        if !self.knobs.as_path_ignore {
            let with = self.knobs.as_path_confed;
            let length = |k: &Key| u32::from(k.hops) + if with { u32::from(k.confeds) } else { 0 };
            if length(a) != length(b) {
                return told(length(a) < length(b), if with { Step::ConfedAsPath } else { Step::AsPathLength });
            }
        }
        if a.origin != b.origin {
            return told(a.origin < b.origin, Step::Origin);
        }
        if self.med_comparable(a, b) && self.med(new) != self.med(old) {
            return told(self.med(new) < self.med(old), Step::Med);
        }
        let mut by_sort = None;
        if new.external() != old.external() && !(a.local || b.local) {
            if !self.knobs.peer_type_relax {
                return told(new.external(), Step::EbgpOverIbgp);
            }
            by_sort = Some(new.external());
        }
        let internal = |c: &Candidate| c.sort == Sort::Internal && !c.key.local;
        let by_member =
            (self.confederation && (new.sort == Sort::Confed) != (old.sort == Sort::Confed) && (internal(new) || internal(old)))
                .then(|| told(new.sort == Sort::Confed, Step::ConfedOverIbgp));
        if let Some(outcome) = by_member.filter(|_| self.profile.confed_before_metric) {
            return outcome;
        }
        if new.metric != old.metric {
            return by_sort.map_or_else(|| told(new.metric < old.metric, Step::IgpMetric), |external| told(external, Step::EbgpOverIbgp));
        }
        if self.equal_cluster_length && internal(new) && internal(old) && a.clusters != b.clusters {
            return told(a.clusters < b.clusters, Step::ClusterLengthAsMetric);
        }
        if let Some(outcome) = by_member {
            return outcome;
        }
        let equal = self.knobs.multipath_relax
            || match self.profile.beside {
                Beside::NeighbourAs if internal(new) => a.path == b.path,
                Beside::NeighbourAs => new.neighbour_as == old.neighbour_as,
                Beside::SamePath => a.path == b.path,
                Beside::SameLength => true,
            };
        let (new_wins, step) = match by_sort {
            Some(external) => (external, Step::EbgpOverIbgp),
            None => self.tie(new, old),
        };
        Outcome { new_wins, step, equal }
    }

    fn tie(&self, new: &Candidate, old: &Candidate) -> (bool, Step) {
        let stays = match self.profile.oldest {
            Oldest::External => true,
            Oldest::OtherAs => new.neighbour_as != old.neighbour_as,
            Oldest::Never => false,
        };
        if stays && !self.knobs.compare_router_id && new.external() && old.external() {
            if new.selected {
                return (true, Step::Oldest);
            }
            if old.selected {
                return (false, Step::Oldest);
            }
        }
        let id = |c: &Candidate| c.key.originator.unwrap_or(c.neighbour_id);
        let by_id = (id(new) != id(old)).then(|| (id(new) < id(old), Step::RouterId));
        let clusters = (new.key.clusters, old.key.clusters);
        let by_cluster = (clusters.0 != clusters.1).then_some((clusters.0 < clusters.1, Step::ClusterLength));
        let first = match self.profile.tie_break {
            TieBreak::RouterIdFirst => by_id.or(by_cluster),
            TieBreak::ClusterListFirst => by_cluster.or(by_id),
        };
        first.unwrap_or(if new.address == 0 {
            (false, Step::LocalConfigured)
        } else if old.address == 0 {
            (true, Step::LocalConfigured)
        } else if self.profile.last == LastStep::NextHop && new.key.next_hop_address != old.key.next_hop_address {
            (new.key.next_hop_address < old.key.next_hop_address, Step::NextHop)
        } else if new.address != old.address {
            (new.address < old.address, Step::NeighbourAddress)
        } else {
            (true, Step::Nothing)
        })
    }

    /// Chooses among usable paths in the router's list order, newest first. Returns the place of the best, the step of the last comparison
    /// that the router made, and against which.
    pub fn select(&self, list: &[Candidate]) -> Option<Selection> {
        if !self.knobs.deterministic_med {
            return self.scan(list, 0..list.len(), (Step::OnlyPath, None));
        }
        let (champions, said) = self.champions(list);
        self.scan(list, champions.into_iter(), said)
    }

    fn scan(&self, list: &[Candidate], mut field: impl Iterator<Item = usize>, mut said: Said) -> Option<Selection> {
        let mut best = field.next()?;
        for next in field {
            let outcome = self.compare(&list[next], &list[best]);
            said = (outcome.step, Some(if outcome.new_wins { best } else { next }));
            if outcome.new_wins {
                best = next;
            }
        }
        let mut multipath = 0;
        if self.multipath.0 != 1 || self.multipath.1 != 1 {
            for (i, other) in list.iter().enumerate().filter(|(i, _)| *i != best) {
                if other.key.next_hop == list[best].key.next_hop {
                    continue;
                }
                let outcome = self.compare(other, &list[best]);
                said = (outcome.step, Some(i));
                multipath += usize::from(outcome.equal);
            }
        }
        Some(Selection { best, step: said.0, against: said.1, multipath: multipath > 0 })
    }

    /// Says which paths are used beside the best, in list order.
    pub fn beside(&self, list: &[Candidate], best: usize) -> Vec<usize> {
        let chosen = &list[best];
        let limit = if chosen.sort == Sort::Internal { self.multipath.1 } else { self.multipath.0 };
        let equal = |i: &usize| *i != best && list[*i].key.next_hop != chosen.key.next_hop && self.compare(&list[*i], chosen).equal;
        if chosen.key.local { Vec::new() } else { (0..list.len()).filter(equal).take(usize::from(limit.saturating_sub(1))).collect() }
    }

    /// The best of each neighbour AS (`bgp deterministic-med`), in list order of the first of each group.
    fn champions(&self, list: &[Candidate]) -> (Vec<usize>, Said) {
        let mut said = (Step::OnlyPath, None);
        let mut checked = vec![false; list.len()];
        let mut champion = vec![false; list.len()];
        for first in 0..list.len() {
            if checked[first] {
                continue;
            }
            let mut best = first;
            for other in first + 1..list.len() {
                if checked[other] || !same_left(&list[first].key, &list[other].key) {
                    continue;
                }
                let outcome = self.compare(&list[other], &list[best]);
                said = (outcome.step, Some(if outcome.new_wins { best } else { other }));
                if outcome.new_wins {
                    best = other;
                }
                checked[other] = true;
            }
            champion[best] = true;
        }
        ((0..list.len()).filter(|i| champion[*i]).collect(), said)
    }
}

/// Says whether two paths come by the same neighbour AS (`aspath_cmp_left`, `aspath_cmp_left_confed`).
const fn same_left(a: &Key, b: &Key) -> bool {
    (a.first_as != 0 && a.first_as == b.first_as) || (a.first_confed != 0 && a.first_confed == b.first_confed)
}

/// The last comparison made, and the place of the path that lost it.
type Said = (Step, Option<usize>);

/// The choice of one router for one prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Place in the list.
    pub best: usize,
    /// Last comparison made.
    pub step: Step,
    /// Place of the path it was made against.
    pub against: Option<usize>,
    /// Others are as good.
    pub multipath: bool,
}
