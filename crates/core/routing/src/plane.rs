//! The control plane of one family, ready to be computed: routers, sessions, and where each path stands.

use crate::blueprint::Blueprint;
use crate::compare::{Rules, Sort};
use crate::fabric::{CONNECTED, Fabric, UNREACHABLE};
use crate::overlay::Delta;
use crate::policy::Policies;
use crate::session::{Absent, Half, OUTSIDE, Sessions, family_of, neighbor_of};
use crate::transfer::{End, From, Validator};
use bgp::{Asn, Family, RpkiState};
use config::AddPathSend;
use core::net::{IpAddr, Ipv4Addr};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Places for what a router makes itself: `network`, aggregate, redistributed.
pub(crate) const LOCAL_SLOTS: u32 = 3;
/// Paths of one destination over one session (RFC 7911); bgpd has no bound, and networks have few.
const ADD_PATHS_MAX: u32 = 48;
/// Sessions with several paths behind each other.
const ADD_PATH_DEPTH_MAX: usize = 4;
/// No place, no route.
pub(crate) const NONE: u32 = u32::MAX;

/// A router of the plane.
#[derive(Clone)]
pub(crate) struct Node {
    pub policies: Policies,
    pub rules: Rules,
    pub requires_policy: bool,
    /// Its cluster, when given.
    pub cluster: Option<Ipv4Addr>,
    /// Some policy or filter looks at prefixes: transfers of different prefixes may differ.
    pub prefixes_matter: bool,
    /// It hears from routers of its AS alone, none of them a client: it passes nothing on but what it makes itself.
    pub listens: bool,
    /// It sends more than its best path to someone.
    pub sends_more: bool,
    /// It has aggregates, conditions, default routes to send, or limits: what other destinations hold matters to it.
    pub dependents: bool,
    /// It looks at nothing of a path but its length, its first AS and the network's ASes.
    pub blind: bool,
    /// ASes that it takes for its own, or uses toward others.
    pub ases: BTreeSet<Asn>,
    /// Its places: the local ones first, then one per session that comes in, more with add-path.
    pub slots: core::ops::Range<u32>,
    /// Directions that go out of it.
    pub outs: Vec<u32>,
}

/// The plane.
pub struct Plane<'n> {
    pub(crate) network: &'n Blueprint,
    pub(crate) fabric: Arc<Fabric>,
    pub(crate) family: Family,
    pub(crate) halves: Arc<Vec<Half>>,
    pub(crate) nodes: Vec<Arc<Node>>,
    /// First place of each direction at its receiver, and how many.
    pub(crate) half_slots: Arc<Vec<(u32, u32)>>,
    /// Direction that each place belongs to; [`NONE`]: local.
    pub(crate) slot_half: Arc<Vec<u32>>,
    /// Directions whose transfers are alike have one number.
    pub(crate) groups: Arc<Vec<u32>>,
    /// Sessions that do not come up.
    pub absent: Vec<Absent>,
    /// Some policy or filter looks at prefixes.
    pub(crate) prefixes_matter: bool,
    /// When the session of each direction comes up; 0, or none said: from the beginning ([`crate::Arrival`]).
    pub(crate) stage: Vec<u16>,
    /// Routers that hear everything before they choose, in the last stage.
    pub(crate) patient: BTreeSet<usize>,
    /// Routers that make no aggregate which they hear from another; `None`: where contributors come by the same sessions as it does.
    pub(crate) yields: Option<BTreeSet<usize>>,
    /// What differs from the plane that this one was made from.
    pub(crate) delta: Option<Delta>,
}

impl<'n> Plane<'n> {
    /// Prepares a family of a network.
    #[must_use]
    pub fn new(network: &'n Blueprint, family: Family) -> Self {
        Self::over(network, family, Arc::new(Fabric::new(network)))
    }

    /// The same, where the network below is known.
    pub(crate) fn over(network: &'n Blueprint, family: Family, fabric: Arc<Fabric>) -> Self {
        let parts = fabric.parts();
        let sessions = Sessions { network, fabric: &fabric, family, parts: &parts, only: None, costs: Default::default() };
        let (halves, absent) = sessions.find();
        let mut nodes: Vec<Node> = network.routers.iter().map(|r| node(r, family)).collect();
        let prefixes_matter = nodes.iter().any(|n| n.prefixes_matter) || flapped(network);
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
            let inside = |h: &u32| halves[*h as usize].to_sort == Sort::Internal && !from_client(network, &halves[*h as usize], family);
            node.sends_more = node.outs.iter().any(|h| sends_more(network, &halves[*h as usize], family));
            node.listens = !node.sends_more && inward[r].iter().all(inside);
        }
        let groups = Arc::new(groups(network, &halves, family));
        let (halves, half_slots, slot_half) = (Arc::new(halves), Arc::new(half_slots), Arc::new(slot_half));
        let nodes = nodes.into_iter().map(Arc::new).collect();
        Self {
            network,
            fabric,
            family,
            halves,
            nodes,
            half_slots,
            slot_half,
            groups,
            absent,
            prefixes_matter,
            stage: Vec::new(),
            patient: BTreeSet::new(),
            yields: None,
            delta: None,
        }
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
            checks_sent_paths: node.rules.profile.checks_sent_paths,
            reflects_med_zero: node.rules.profile.reflects_med_zero,
            flaps: self.network.flaps.as_deref(),
            vrps: self.vrps_of(router),
            trace: None,
        })
    }

    /// What a router validates origins by, where one of its policies asks.
    fn vrps_of(&self, router: usize) -> Option<Validator<'_>> {
        let node = self.nodes.get(router).filter(|n| n.policies.asks_origin())?;
        let bgp = self.network.routers.get(router)?.config.bgp.as_ref()?;
        Some(Validator { vrps: self.network.vrps.as_deref()?, own: bgp.asn, set_is_not_found: node.rules.profile.set_is_not_found })
    }

    /// What origin validation says of a path at a router; `None`: nobody asks, or it is not known.
    pub(crate) fn validity(&self, router: usize, prefix: &bgp::Prefix, path: &bgp::AsPath) -> Option<RpkiState> {
        self.vrps_of(router)?.state(prefix, path)
    }

    /// Says whether the session is no more by which something came to a place.
    pub(crate) fn is_gone(&self, place: u32) -> bool {
        let half = self.slot_half.get(place as usize).and_then(|h| self.halves.get(*h as usize));
        half.is_some_and(|h| h.from == OUTSIDE && h.to == OUTSIDE)
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
                if from_client(self.network, half, self.family) {
                    From::Client
                } else {
                    From::NonClient
                }
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

/// Says whether some route has a history of its own.
pub(crate) fn flapped(network: &Blueprint) -> bool {
    network.flaps.as_ref().is_some_and(|f| !f.is_empty())
}

/// Says whether the sender is a client of the receiver.
pub(crate) fn from_client(network: &Blueprint, half: &Half, family: Family) -> bool {
    let bgp = network.routers.get(half.to as usize).and_then(|r| r.config.bgp.as_ref());
    bgp.and_then(|b| family_of(b, half.from_address, family)).is_some_and(|f| f.route_reflector_client)
}

/// Returns how many paths of one destination each direction may carry: one, or as many as its sender may hold.
fn path_counts(network: &Blueprint, halves: &[Half], inward: &[Vec<u32>], family: Family) -> Vec<u32> {
    let mut counts = vec![1; halves.len()];
    let more: Vec<usize> = (0..halves.len()).filter(|h| sends_more(network, &halves[*h], family)).collect();
    // who hears several paths sends as many on; routers that do so in a circle come to the bound
    for _ in 0..ADD_PATH_DEPTH_MAX {
        for &h in &more {
            let passed = inward[halves[h].from as usize].iter().filter(|g| passes_on(network, &halves[**g as usize], &halves[h], family));
            let held = passed.map(|g| counts[*g as usize]).sum::<u32>();
            counts[h] = (LOCAL_SLOTS + held).min(ADD_PATHS_MAX);
        }
    }
    counts
}

/// Says whether a router may pass on over `out` what comes by `into`: inside an AS only a reflector does (RFC 4456).
pub(crate) fn passes_on(network: &Blueprint, into: &Half, out: &Half, family: Family) -> bool {
    let inside = into.to_sort == Sort::Internal && out.from_sort == Sort::Internal;
    let back = || Half { from: out.to, to: out.from, from_address: out.to_address, ..out.clone() };
    !inside || from_client(network, into, family) || from_client(network, &back(), family)
}

pub(crate) fn sends_more(network: &Blueprint, half: &Half, family: Family) -> bool {
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

pub(crate) fn node(router: &crate::blueprint::Router, family: Family) -> Node {
    let bgp = router.config.bgp.as_ref();
    let paths = |own: fn(&config::BgpWider) -> &BTreeMap<Family, u16>, default| {
        bgp.and_then(|b| own(&b.wider).get(&family)).copied().unwrap_or(default)
    };
    let (external, internal) = router.profile.multipath;
    let mut knobs = bgp.map(|b| b.best_path.clone()).unwrap_or_default();
    knobs.deterministic_med = (knobs.deterministic_med || router.profile.deterministic_med) && !knobs.med_non_deterministic;
    let policies = Policies::new(&router.config.policy, bgp);
    let lists = |s: &config::NeighborFamily| s.wider.prefix_list_in.is_some() || s.wider.prefix_list_out.is_some();
    let filters = |s: &config::NeighborFamily| s.wider.distribute_list_in.is_some() || s.wider.distribute_list_out.is_some();
    let depends =
        |f: &config::NeighborFamily| f.wider.default_originate.is_some() || f.wider.conditional.is_some() || f.max_prefix.is_some();
    let dependents = bgp.is_some_and(|b| {
        let mut sessions = b.neighbors.values().chain(b.wider.groups.values()).filter_map(|n| n.families.get(&family));
        b.wider.aggregates.iter().any(|a| a.prefix.family() == family) || sessions.any(depends)
    });
    let mut families = bgp.into_iter().flat_map(|b| b.neighbors.values().chain(b.wider.groups.values())).flat_map(|n| n.families.values());
    Node {
        prefixes_matter: policies.prefixes_matter() || families.any(|s| lists(s) || filters(s)),
        policies,
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
        cluster: bgp.and_then(|b| b.cluster_id),
        listens: false,
        sends_more: false,
        dependents,
        blind: crate::alike::is_blind(&router.config),
        ases: crate::alike::ases(&router.config),
        slots: 0..0,
        outs: Vec::new(),
    }
}

/// Numbers the directions so that two with one number do the same to every route. Where policies or filters stand at either end each has its
/// own; a reflector's plain sessions to its clients are all one.
fn groups(network: &Blueprint, halves: &[Half], family: Family) -> Vec<u32> {
    let mut known: BTreeMap<Group, u32> = BTreeMap::new();
    let number = |(h, half): (u32, &Half)| {
        let next = known.len() as u32;
        *known.entry(group(network, h, half, family)).or_insert(next)
    };
    (0..).zip(halves).map(number).collect()
}

/// What directions have in common that do the same to every route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    /// Sender, its address, AS, and its switches; whether the receivers require policies.
    Shared(u32, IpAddr, Asn, [bool; 5]),
    /// Alone.
    Own(u32),
}

/// Says which group a direction belongs to.
pub(crate) fn group(network: &Blueprint, h: u32, half: &Half, family: Family) -> Group {
    // what of the instance has a part in taking a route
    let plain_import = |b: &config::BgpConfig| {
        let w = &b.wider;
        !(w.reject_as_sets || w.enforce_first_as || w.graceful_shutdown || w.confederation.is_some())
    };
    let settings = |router: u32, address| {
        let bgp = network.routers.get(router as usize).and_then(|r| r.config.bgp.as_ref())?;
        Some((bgp, neighbor_of(bgp, address)?, family_of(bgp, address, family)?))
    };
    let (from, to) = (settings(half.from, half.to_address), settings(half.to, half.from_address));
    let plain = |s: &config::NeighborFamily| s.import.is_none() && s.export.is_none() && s.wider == config::FamilyWider::default();
    let shared = from.zip(to).filter(|((_, n, f), (_, m, g))| {
        plain(f) && plain(g) && n.wider == config::NeighborWider::default() && m.wider == config::NeighborWider::default()
    });
    match shared {
        Some(((_, _, f), (b, _, _))) if half.from_sort == Sort::Internal && plain_import(b) => {
            let flags = [f.next_hop_self, f.next_hop_self_force, f.route_reflector_client, f.send_community, b.ebgp_requires_policy];
            Group::Shared(half.from, half.from_address, half.to_asn, flags)
        }
        _ => Group::Own(h),
    }
}
