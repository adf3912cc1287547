//! A plane after a change, made from the plane before it: what is the same is shared, what may differ is named.

use crate::blueprint::{Blueprint, Feed};
use crate::fabric::Fabric;
use crate::plane::{Group, NONE, Node, Plane, add_path, from_client, group, node, sends_more};
use crate::session::{Half, OUTSIDE, Sessions};
use bgp::Prefix;
use config::{BgpConfig, Neighbor, RouterConfig};
use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What differs from the plane before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delta {
    /// It was not told apart what differs: everything is computed anew.
    pub whole: bool,
    /// Directions, by their number before, that are no more.
    pub gone: Vec<u32>,
    /// Directions that were not there before.
    pub fresh: Vec<u32>,
    /// Directions that may do something else to a route than before.
    pub touched: Vec<u32>,
    /// Routers that may choose otherwise from the same paths.
    pub choosers: Vec<usize>,
    /// Routers that may make other routes themselves.
    pub makers: Vec<usize>,
    /// Routers whose policies differ and look at prefixes.
    pub lists: Vec<usize>,
    /// Interfaces, wires or costs differ.
    pub rewired: bool,
    /// Subnets that routers have gained or lost.
    pub subnets: BTreeMap<usize, Vec<Prefix>>,
    /// New sessions gave other numbers to directions and places.
    pub renumbered: Option<Renumbered>,
}

/// Numbers before to numbers after; [`NONE`]: no more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Renumbered {
    pub halves: Vec<u32>,
    pub places: Vec<u32>,
}

/// A session's two ends in one direction.
type Ends = (u32, u32, IpAddr, IpAddr);

const fn ends(half: &Half) -> Ends {
    (half.from, half.to, half.from_address, half.to_address)
}

/// Sessions are the same when both ends see the same of each other.
fn is_same(a: &Half, b: &Half) -> bool {
    Half { reverse: 0, ..a.clone() } == Half { reverse: 0, ..b.clone() }
}

impl Plane<'_> {
    /// Prepares the network after a change from this plane of the network before it: what is the same is shared and costs nothing. Dropping
    /// the result is the way back.
    ///
    /// A copy of the network shares configurations, links and feeds until they change (`Arc`), and that is how it is seen what changed.
    #[must_use]
    pub fn changed<'m>(&self, network: &'m Blueprint) -> Plane<'m> {
        self.changed_beside(network, None)
    }

    /// The same; `other`: another family's plane of the changed network, which has the same wires and ways inside.
    #[must_use]
    pub fn changed_beside<'m>(&self, network: &'m Blueprint, other: Option<&Plane<'m>>) -> Plane<'m> {
        let wires = || match other.filter(|o| core::ptr::eq(o.network, network)) {
            Some(other) => Arc::clone(&other.fabric),
            None => Arc::new(Fabric::new(network)),
        };
        self.overlay(network, wires).unwrap_or_else(|| {
            let delta = Some(Delta { whole: true, ..Delta::default() });
            Plane { delta, ..Plane::over(network, self.family, wires()) }
        })
    }

    /// Says whether wires, ways inside, configurations and numbers of sessions are those of the plane that this one was prepared from: then
    /// packets to a destination whose state of rest is shared go where they went.
    #[must_use]
    pub fn leads_like(&self, before: &Plane<'_>) -> bool {
        let (now, then) = (&self.network.routers, &before.network.routers);
        self.delta.as_ref().is_some_and(|d| !d.whole && d.renumbered.is_none())
            && Arc::ptr_eq(&self.fabric, &before.fabric)
            && now.len() == then.len()
            && now.iter().zip(then).all(|(a, b)| Arc::ptr_eq(&a.config, &b.config))
    }

    /// `None`: the two have too little in common.
    fn overlay<'m>(&self, network: &'m Blueprint, wires: impl FnOnce() -> Arc<Fabric>) -> Option<Plane<'m>> {
        let before = self.network;
        let Blueprint { routers, links, feeds: _, failures, starting, flaps, vrps, older: _ } = network;
        let alike = |(a, b): (&crate::Router, &crate::Router)| a.name == b.name && a.profile == b.profile;
        let flapped = match (&before.flaps, flaps) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a == b,
            (a, b) => a.is_none() && b.is_none(),
        };
        let validated = match (&before.vrps, vrps) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a == b,
            (a, b) => a.is_none() && b.is_none(),
        };
        if !flapped
            || !validated
            || routers.len() != before.routers.len()
            || *starting != before.starting
            || !before.routers.iter().zip(routers).all(alike)
        {
            return None;
        }
        let is_other = |r: &usize| !Arc::ptr_eq(&before.routers[*r].config, &routers[*r].config);
        let configs: Vec<Difference<'_>> =
            (0..routers.len()).filter(is_other).map(|r| Difference::new(r, &before.routers[r].config, &routers[r].config)).collect();
        let linked = match (&before.links, links) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a == b,
            (a, b) => a.is_none() && b.is_none(),
        };
        let failed = (&before.failures.links, &before.failures.routers) != (&failures.links, &failures.routers);
        let rewired = failed || !linked || configs.iter().any(Difference::rewires);
        let fabric = if rewired { wires() } else { Arc::clone(&self.fabric) };
        let mut delta = Delta { rewired, ..Delta::default() };
        if rewired {
            for (router, subnets) in self.fabric.ports_beside(&fabric).into_iter().chain(fabric.ports_beside(&self.fabric)) {
                delta.subnets.entry(router).or_default().extend(subnets);
            }
        }
        let mut out = Plane { network, fabric, delta: None, ..self.shared() };
        let asked = self.sessions_to_ask(&out, &configs, &delta);
        if asked.as_ref().is_none_or(|a| !a.is_empty()) {
            self.meet(&mut out, asked.as_ref(), &mut delta);
        }
        for config in &configs {
            out.configure(config, &mut delta)?;
        }
        out.prefixes_matter = out.nodes.iter().any(|n| n.prefixes_matter) || crate::plane::flapped(network);
        out.touch(&configs, &mut delta);
        self.make(&out, &configs, &mut delta);
        out.delta = Some(delta);
        Some(out)
    }

    pub(crate) fn shared(&self) -> Plane<'_> {
        Plane {
            network: self.network,
            fabric: Arc::clone(&self.fabric),
            family: self.family,
            halves: Arc::clone(&self.halves),
            nodes: self.nodes.clone(),
            half_slots: Arc::clone(&self.half_slots),
            slot_half: Arc::clone(&self.slot_half),
            groups: Arc::clone(&self.groups),
            absent: self.absent.clone(),
            prefixes_matter: self.prefixes_matter,
            stage: self.stage.clone(),
            patient: self.patient.clone(),
            yields: self.yields.clone(),
            delta: None,
        }
    }

    /// Returns the routers whose sessions may come up or go down; `None`: any may.
    fn sessions_to_ask(&self, after: &Plane<'_>, configs: &[Difference<'_>], delta: &Delta) -> Option<BTreeSet<usize>> {
        let mut out: BTreeSet<usize> = configs.iter().filter(|c| c.sessions).map(|c| c.router).collect();
        let (was, is) = (&self.network.failures, &after.network.failures);
        out.extend(was.routers.symmetric_difference(&is.routers));
        out.extend(was.sessions.symmetric_difference(&is.sessions).map(|(r, _)| *r));
        let known = |feeds: &[Feed]| feeds.iter().map(|f| (f.router, f.neighbor, f.router_id)).collect::<BTreeSet<_>>();
        if self.network.feeds.len() != after.network.feeds.len() || known(&self.network.feeds) != known(&after.network.feeds) {
            out.extend(known(&self.network.feeds).symmetric_difference(&known(&after.network.feeds)).map(|(r, ..)| *r));
        }
        if delta.rewired {
            out.extend(delta.subnets.keys());
            out.extend(self.fabric.plugged_otherwise(&after.fabric));
            // static routes may lead anywhere
            if self.fabric.has_statics() || after.fabric.has_statics() {
                return None;
            }
            let apart: BTreeSet<usize> = was.routers.union(&is.routers).copied().collect();
            if !self.fabric.parts().is_like(&after.fabric.parts(), &apart) {
                return None;
            }
        }
        Some(out)
    }

    /// Looks which sessions are up now.
    fn meet(&self, out: &mut Plane<'_>, only: Option<&BTreeSet<usize>>, delta: &mut Delta) {
        let parts = out.fabric.parts();
        let sessions = Sessions {
            network: out.network,
            fabric: &out.fabric,
            family: self.family,
            parts: &parts,
            only: only.map(|o| (o, &*self.fabric)),
            costs: Default::default(),
        };
        let (found, absent) = sessions.find();
        out.absent.retain(|a| !sessions.wants(a.router, a.neighbor));
        out.absent.extend(absent);
        let now: BTreeMap<Ends, &Half> = found.iter().map(|h| (ends(h), h)).collect();
        let asked = |h: &Half| only.is_none_or(|o| o.contains(&(h.from as usize)) || o.contains(&(h.to as usize)));
        let is_gone = |h: &Half| h.from != h.to && asked(h) && now.get(&ends(h)).is_none_or(|n| !is_same(n, h));
        delta.gone = (0..).zip(self.halves.iter()).filter(|(_, h)| is_gone(h)).map(|(n, _)| n).collect();
        let known: BTreeMap<Ends, &Half> = self.halves.iter().filter(|h| asked(h) && h.from != h.to).map(|h| (ends(h), h)).collect();
        let is_fresh = |h: &&Half| known.get(&ends(h)).is_none_or(|k| !is_same(k, h));
        if found.iter().any(|h| is_fresh(&h)) {
            drop((now, known));
            self.renumber(out, delta);
            return;
        }
        if !delta.gone.is_empty() {
            let halves = Arc::make_mut(&mut out.halves);
            for h in &delta.gone {
                let half = &mut halves[*h as usize];
                (half.from, half.to) = (OUTSIDE, OUTSIDE);
            }
        }
    }

    /// Takes the numbers of a plane made anew, because there are new sessions.
    fn renumber(&self, out: &mut Plane<'_>, delta: &mut Delta) {
        let absent = core::mem::take(&mut out.absent);
        *out = Plane { absent, ..Plane::over(out.network, self.family, Arc::clone(&out.fabric)) };
        let now: BTreeMap<Ends, u32> = out.halves.iter().map(ends).zip(0..).collect();
        let mut said = Renumbered { halves: vec![NONE; self.halves.len()], places: vec![NONE; self.slot_half.len()] };
        let mut fresh: BTreeSet<u32> = (0..out.halves.len() as u32).collect();
        for (n, half) in self.halves.iter().enumerate() {
            let Some(&h) = now.get(&ends(half)).filter(|h| is_same(&out.halves[**h as usize], half)) else { continue };
            fresh.remove(&h);
            said.halves[n] = h;
            let ((old, count), (new, there)) = (self.half_slots[n], out.half_slots[h as usize]);
            // who sends several paths has a place for each that he may hold, and may hold others now
            delta.whole |= count != there || count > 1;
            (0..count.min(there)).for_each(|i| said.places[(old + i) as usize] = new + i);
        }
        for (old, new) in self.nodes.iter().zip(&out.nodes) {
            (0..crate::plane::LOCAL_SLOTS).for_each(|i| said.places[(old.slots.start + i) as usize] = new.slots.start + i);
        }
        delta.gone =
            (0..).zip(self.halves.iter()).filter(|(n, h)| h.from != h.to && said.halves[*n as usize] == NONE).map(|(n, _)| n).collect();
        delta.fresh = fresh.into_iter().collect();
        delta.renumbered = Some(said);
    }

    /// Takes a router's new configuration; `None`: its places are others.
    fn configure(&mut self, config: &Difference<'_>, delta: &mut Delta) -> Option<()> {
        let router = &self.network.routers[config.router];
        let old = Arc::clone(&self.nodes[config.router]);
        let here: Vec<&Half> = self.halves.iter().filter(|h| h.to as usize == config.router).collect();
        let inside = |h: &&Half| h.to_sort == crate::Sort::Internal && !from_client(self.network, h, self.family);
        let more = old.outs.iter().any(|h| sends_more(self.network, &self.halves[*h as usize], self.family));
        // who passed something on before has to take it back
        let listens = old.listens && !more && here.iter().all(inside);
        let before = config.before.bgp.as_ref();
        // who sends several paths has places for those that it may pass on, which clients decide
        let clients = |b: Option<&BgpConfig>| {
            let all = b.into_iter().flat_map(|b| &b.neighbors);
            let client = |n: &Neighbor| n.families.get(&self.family).is_some_and(|f| f.route_reflector_client);
            all.filter(|(_, n)| client(n)).map(|(a, _)| *a).collect::<BTreeSet<_>>()
        };
        if delta.renumbered.is_none() && old.sends_more && clients(before) != clients(router.config.bgp.as_ref()) {
            return None;
        }
        for h in &old.outs {
            let half = &self.halves[*h as usize];
            let mode = before.and_then(|b| crate::session::family_of(b, half.to_address, self.family)).map(|f| f.wider.add_path_send);
            if delta.renumbered.is_none() && half.to != OUTSIDE && mode.unwrap_or_default() != add_path(self.network, half, self.family) {
                return None;
            }
        }
        let made = node(router, self.family);
        self.nodes[config.router] = Arc::new(Node { slots: old.slots.clone(), outs: old.outs.clone(), sends_more: more, listens, ..made });
        Some(())
    }

    /// Names the directions whose configuration differs, and gives them numbers of their own among the groups.
    fn touch(&mut self, configs: &[Difference<'_>], delta: &mut Delta) {
        for (h, half) in (0..).zip(self.halves.iter()) {
            let differs = |c: &Difference<'_>| {
                let toward = if half.from as usize == c.router { half.to_address } else { half.from_address };
                (half.from as usize == c.router || half.to as usize == c.router) && c.touches(toward)
            };
            if configs.iter().any(differs) {
                delta.touched.push(h);
            }
        }
        if delta.renumbered.is_none() {
            self.regroup(&delta.touched);
        }
        delta.choosers = configs.iter().filter(|c| c.whole).map(|c| c.router).collect();
        let told_apart = |c: &&Difference<'_>| !c.policies.is_empty() || !c.neighbors.is_empty() || c.whole;
        let lists = configs.iter().filter(told_apart).map(|c| c.router);
        delta.lists = lists.filter(|r| self.nodes[*r].prefixes_matter).collect();
    }

    /// Gives directions numbers of groups that were not there before.
    pub(crate) fn regroup(&mut self, touched: &[u32]) {
        if touched.is_empty() {
            return;
        }
        let first = self.groups.iter().max().map_or(0, |n| n + 1);
        let mut known: BTreeMap<Group, u32> = BTreeMap::new();
        let groups = Arc::make_mut(&mut self.groups);
        for h in touched {
            let next = first + known.len() as u32;
            groups[*h as usize] = *known.entry(group(self.network, *h, &self.halves[*h as usize], self.family)).or_insert(next);
        }
    }

    /// Names the routers that may originate something else.
    fn make(&self, after: &Plane<'_>, configs: &[Difference<'_>], delta: &mut Delta) {
        let makes = |c: &RouterConfig| {
            c.bgp.as_ref().is_some_and(|b| !b.networks.is_empty() || b.wider.redistribute.get(&self.family).is_some_and(|r| !r.is_empty()))
        };
        let (was, is) = (&self.network.failures.routers, &after.network.failures.routers);
        let mut out: BTreeSet<usize> = was.symmetric_difference(is).copied().collect();
        out.extend(configs.iter().map(|c| c.router));
        if delta.rewired {
            out.extend(0..self.nodes.len());
        }
        let any = |r: &usize| makes(&self.network.routers[*r].config) || makes(&after.network.routers[*r].config);
        delta.makers = out.into_iter().filter(any).collect();
    }
}

/// A router's configuration before and after.
struct Difference<'c> {
    router: usize,
    before: &'c RouterConfig,
    after: &'c RouterConfig,
    /// Settings that are no neighbour's differ.
    whole: bool,
    /// Sessions may come up or go down.
    sessions: bool,
    /// Neighbours whose settings differ.
    neighbors: BTreeSet<IpAddr>,
    /// Policies and lists whose outcome may differ.
    policies: BTreeSet<String>,
}

impl<'c> Difference<'c> {
    fn new(router: usize, before: &'c RouterConfig, after: &'c RouterConfig) -> Self {
        let empty = BTreeMap::new();
        let neighbors = |c: &'c RouterConfig| c.bgp.as_ref().map(|b| &b.neighbors);
        let (was, is) = (neighbors(before).unwrap_or(&empty), neighbors(after).unwrap_or(&empty));
        let known = was.keys().chain(is.keys()).collect::<BTreeSet<_>>();
        let differing: BTreeSet<IpAddr> = known.into_iter().copied().filter(|a| was.get(a) != is.get(a)).collect();
        // policies of a session that stay within the session take no part in whether it comes up
        let bare = |n: &Neighbor| {
            let families = n.families.keys().map(|f| (*f, config::NeighborFamily::default())).collect();
            Neighbor { families, description: None, ..n.clone() }
        };
        let rest = |c: &RouterConfig| c.bgp.as_ref().map(|b| BgpConfig { neighbors: BTreeMap::new(), ..b.clone() });
        let whole = rest(before) != rest(after);
        let others = |a: &IpAddr| was.get(a).map(bare) != is.get(a).map(bare);
        Self {
            router,
            before,
            after,
            whole,
            sessions: whole || differing.iter().any(others) || before.interfaces != after.interfaces,
            neighbors: differing,
            policies: if before.policy == after.policy { BTreeSet::new() } else { names::differing(&before.policy, &after.policy) },
        }
    }

    fn rewires(&self) -> bool {
        (&self.before.interfaces, &self.before.igp, &self.before.static_routes)
            != (&self.after.interfaces, &self.after.igp, &self.after.static_routes)
    }

    /// Says whether what goes over a session may be treated otherwise.
    fn touches(&self, neighbor: IpAddr) -> bool {
        let uses = || {
            let bgp = self.after.bgp.as_ref();
            let settings = bgp.and_then(|b| crate::session::neighbor_of(b, neighbor)).into_iter().flat_map(|n| n.families.values());
            settings.into_iter().flat_map(names::of_session).any(|name| self.policies.contains(name))
        };
        self.whole || self.neighbors.contains(&neighbor) || (!self.policies.is_empty() && uses())
    }
}

mod names;
