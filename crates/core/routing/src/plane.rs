//! The control plane of one family, ready to be computed: routers, sessions, and where each path stands.

use crate::blueprint::Blueprint;
use crate::compare::{Rules, Sort};
use crate::fabric::{CONNECTED, Fabric, UNREACHABLE};
use crate::policy::Policies;
use crate::session::{Absent, Half, OUTSIDE, Sessions, family_of, neighbor_of};
use crate::transfer::{End, From};
use bgp::Family;
use config::AddPathSend;
use std::collections::{BTreeMap, BTreeSet};

/// Places for what a router makes itself: `network`, aggregate, redistributed.
pub(crate) const LOCAL_SLOTS: u32 = 3;
/// Paths of one destination over one session (RFC 7911); bgpd has no bound, and networks have few.
const ADD_PATHS_MAX: u32 = 48;
/// Sessions with several paths behind each other.
const ADD_PATH_DEPTH_MAX: usize = 4;
/// No place, no route.
pub(crate) const NONE: u32 = u32::MAX;

/// A router of the plane.
pub(crate) struct Node {
    pub policies: Policies,
    pub rules: Rules,
    pub requires_policy: bool,
    /// Its places: the local ones first, then one per session that comes in, more with add-path.
    pub slots: core::ops::Range<u32>,
    /// Directions that go out of it.
    pub outs: Vec<u32>,
}

/// The plane.
pub struct Plane<'n> {
    pub(crate) network: &'n Blueprint,
    pub(crate) fabric: Fabric,
    pub(crate) family: Family,
    pub(crate) halves: Vec<Half>,
    pub(crate) nodes: Vec<Node>,
    /// First place of each direction at its receiver, and how many.
    pub(crate) half_slots: Vec<(u32, u32)>,
    /// Direction that each place belongs to; [`NONE`]: local.
    pub(crate) slot_half: Vec<u32>,
    /// Directions whose transfers are alike have one number.
    pub(crate) groups: Vec<u32>,
    /// Sessions that do not come up.
    pub absent: Vec<Absent>,
    /// Some policy or filter looks at prefixes: transfers of different prefixes may differ.
    pub(crate) prefixes_matter: bool,
    /// When the session of each direction comes up; 0: from the beginning ([`crate::Arrival`]).
    pub(crate) stage: Vec<u16>,
    /// Routers that hear everything before they choose, in the last stage.
    pub(crate) patient: BTreeSet<usize>,
}

impl<'n> Plane<'n> {
    /// Prepares a family of a network.
    #[must_use]
    pub fn new(network: &'n Blueprint, family: Family) -> Self {
        let fabric = Fabric::new(network);
        let (halves, absent) = Sessions { network, fabric: &fabric, family, costs: Default::default() }.find();
        let mut nodes: Vec<Node> = network.routers.iter().map(|r| node(r, family)).collect();
        let prefixes_matter = network.routers.iter().zip(&nodes).any(|(r, n)| {
            let lists = |s: &config::NeighborFamily| s.wider.prefix_list_in.is_some() || s.wider.prefix_list_out.is_some();
            let filters = |s: &config::NeighborFamily| s.wider.distribute_list_in.is_some() || s.wider.distribute_list_out.is_some();
            let bgp = r.config.bgp.as_ref();
            let families =
                bgp.into_iter().flat_map(|b| b.neighbors.values().chain(b.wider.groups.values())).flat_map(|n| n.families.values());
            network.flaps.as_ref().is_some_and(|f| !f.is_empty())
                || n.policies.prefixes_matter()
                || families.into_iter().any(|s| lists(s) || filters(s))
        });
        let mut half_slots = vec![(0, 0); halves.len()];
        let mut slot_half = Vec::new();
        let mut inward: Vec<Vec<u32>> = vec![Vec::new(); nodes.len()];
        for (h, half) in (0..).zip(&halves) {
            if half.from != OUTSIDE {
                nodes[half.from as usize].outs.push(h);
            }
            if half.to != OUTSIDE {
                inward[half.to as usize].push(h);
            }
        }
        let counts = path_counts(network, &halves, &inward, family);
        for (r, node) in nodes.iter_mut().enumerate() {
            let begin = slot_half.len() as u32;
            slot_half.extend([NONE; LOCAL_SLOTS as usize]);
            for &h in &inward[r] {
                let count = counts[h as usize];
                half_slots[h as usize] = (slot_half.len() as u32, count);
                slot_half.extend(core::iter::repeat_n(h, count as usize));
            }
            node.slots = begin..slot_half.len() as u32;
        }
        let groups = groups(network, &halves, family);
        let (stage, patient) = (vec![0; halves.len()], BTreeSet::new());
        Self { network, fabric, family, halves, nodes, half_slots, slot_half, groups, absent, prefixes_matter, stage, patient }
    }

    /// Returns the routers whose dampening may hold routes back that did things before which nobody told us of.
    #[must_use]
    pub fn unknown_flaps(&self) -> Vec<usize> {
        let dampens = |r: &crate::Router| r.config.bgp.as_ref().is_some_and(|b| b.wider.dampening_of.contains_key(&self.family));
        let all = self.network.routers.iter().enumerate();
        all.filter(|(_, r)| self.network.flaps.is_none() && dampens(r)).map(|(r, _)| r).collect()
    }

    /// Returns a router's end of its sessions; `None` without BGP.
    pub(crate) fn end(&self, router: usize) -> Option<End<'_>> {
        let bgp = self.network.routers[router].config.bgp.as_ref()?;
        let node = &self.nodes[router];
        Some(End {
            index: router,
            bgp,
            policies: &node.policies,
            requires_policy: node.requires_policy,
            flaps: self.network.flaps.as_deref(),
        })
    }

    /// Says where a router has the path at a place from.
    pub(crate) fn from(&self, slot: u32) -> From {
        let h = self.slot_half[slot as usize];
        if h == NONE {
            return From::Local;
        }
        let half = &self.halves[h as usize];
        match half.to_sort {
            Sort::External => From::External,
            Sort::Confed => From::Confed,
            Sort::Internal => {
                let bgp = self.network.routers[half.to as usize].config.bgp.as_ref();
                let client = bgp.and_then(|b| family_of(b, half.from_address, self.family)).is_some_and(|f| f.route_reflector_client);
                if client { From::Client } else { From::NonClient }
            }
        }
    }

    /// The cost of a next hop as a path at this place has it: 0 where it is on an own interface; [`UNREACHABLE`] where the path is not valid.
    pub(crate) fn metric(&self, slot: u32, cost: u32) -> u32 {
        let h = self.slot_half[slot as usize];
        let connected_only = h != NONE && self.halves[h as usize].connected_only;
        if cost == UNREACHABLE || (connected_only && cost & CONNECTED == 0) { UNREACHABLE } else { cost & !CONNECTED }
    }

    /// Returns the place of the local route of a kind.
    pub(crate) fn local_slot(&self, router: usize, kind: crate::Kind) -> u32 {
        self.nodes[router].slots.start
            + match kind {
                crate::Kind::Network | crate::Kind::Learned => 0,
                crate::Kind::Aggregate => 1,
                crate::Kind::Redistributed(_) => 2,
            }
    }
}

/// Returns how many paths of one destination each direction may carry: one, or as many as its sender may hold.
fn path_counts(network: &Blueprint, halves: &[Half], inward: &[Vec<u32>], family: Family) -> Vec<u32> {
    let mut counts = vec![1; halves.len()];
    let more: Vec<usize> = (0..halves.len()).filter(|h| sends_more(network, &halves[*h], family)).collect();
    // who hears several paths sends as many on; routers that do so in a circle come to the bound
    for _ in 0..ADD_PATH_DEPTH_MAX {
        for &h in &more {
            let held = inward[halves[h].from as usize].iter().map(|g| counts[*g as usize]).sum::<u32>();
            counts[h] = (LOCAL_SLOTS + held).min(ADD_PATHS_MAX);
        }
    }
    counts
}

fn sends_more(network: &Blueprint, half: &Half, family: Family) -> bool {
    half.from != OUTSIDE && half.to != OUTSIDE && add_path(network, half, family) != AddPathSend::No
}

/// Returns what the sender sends beyond its best path.
pub(crate) fn add_path(network: &Blueprint, half: &Half, family: Family) -> AddPathSend {
    let settings = |router: u32, address| {
        let bgp = network.routers.get(router as usize).and_then(|r| r.config.bgp.as_ref());
        bgp.and_then(|b| family_of(b, address, family))
    };
    if settings(half.to, half.from_address).is_some_and(|f| f.wider.no_add_path_receive) {
        return AddPathSend::No;
    }
    settings(half.from, half.to_address).map_or(AddPathSend::No, |f| f.wider.add_path_send)
}

fn node(router: &crate::blueprint::Router, family: Family) -> Node {
    let bgp = router.config.bgp.as_ref();
    let paths = |own: fn(&config::BgpWider) -> &BTreeMap<Family, u16>, default| {
        bgp.and_then(|b| own(&b.wider).get(&family)).copied().unwrap_or(default)
    };
    let (external, internal) = router.profile.multipath;
    let mut knobs = bgp.map(|b| b.best_path.clone()).unwrap_or_default();
    knobs.deterministic_med = (knobs.deterministic_med || router.profile.deterministic_med) && !knobs.med_non_deterministic;
    Node {
        policies: Policies::new(&router.config.policy, bgp),
        rules: Rules {
            knobs,
            default_local_pref: bgp.map_or(100, |b| b.default_local_pref),
            confederation: bgp.is_some_and(|b| b.wider.confederation.is_some()),
            profile: router.profile,
            ignores_med: false,
            multipath: (paths(|w| &w.maximum_paths, external), paths(|w| &w.maximum_paths_ibgp, internal)),
            equal_cluster_length: bgp.is_some_and(|b| b.wider.equal_cluster_length.contains(&family)),
        },
        requires_policy: bgp.is_some_and(|b| b.ebgp_requires_policy) && router.profile.requires_policy,
        slots: 0..0,
        outs: Vec::new(),
    }
}

/// Numbers the directions so that two with one number do the same to every route. Where policies or filters stand at either end each has its
/// own; a reflector's plain sessions to its clients are all one.
fn groups(network: &Blueprint, halves: &[Half], family: Family) -> Vec<u32> {
    // what of the instance has a part in taking a route
    let plain = |b: &config::BgpConfig| {
        let w = &b.wider;
        !(w.reject_as_sets || w.enforce_first_as || w.graceful_shutdown || w.confederation.is_some())
    };
    let plain_import: Vec<bool> = network.routers.iter().map(|r| r.config.bgp.as_ref().is_some_and(plain)).collect();
    let mut known: BTreeMap<String, u32> = BTreeMap::new();
    let mut out = Vec::with_capacity(halves.len());
    for (h, half) in halves.iter().enumerate() {
        let settings = |router: u32, address| {
            let bgp = network.routers.get(router as usize).and_then(|r| r.config.bgp.as_ref())?;
            Some((bgp, neighbor_of(bgp, address)?, family_of(bgp, address, family)?))
        };
        let (from, to) = (settings(half.from, half.to_address), settings(half.to, half.from_address));
        let plain = |s: &config::NeighborFamily| s.import.is_none() && s.export.is_none() && s.wider == config::FamilyWider::default();
        let shared = from.zip(to).filter(|((_, n, f), (_, m, g))| {
            plain(f) && plain(g) && n.wider == config::NeighborWider::default() && m.wider == config::NeighborWider::default()
        });
        let key = match shared {
            Some(((_, _, f), (b, _, _))) if half.from_sort == Sort::Internal && plain_import[half.to as usize] => {
                let flags = (f.next_hop_self, f.next_hop_self_force, f.route_reflector_client, f.send_community);
                format!("{} {} {flags:?} {} {}", half.from, half.from_address, half.to_asn, b.ebgp_requires_policy)
            }
            _ => format!("half {h}"),
        };
        let next = known.len() as u32;
        out.push(*known.entry(key).or_insert(next));
    }
    out
}
