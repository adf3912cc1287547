//! The fixed point of one destination: messages go along the sessions until nothing changes, as routers do it, one at a time.

use crate::compare::{Candidate, Selection, Step};
use crate::fabric::UNREACHABLE;
use crate::plane::{LOCAL_SLOTS, NONE, Plane, add_path};
use crate::queue::{Queue, Schedule};
use crate::route::{OWN, Renumbered, Route};
use crate::session::OUTSIDE;
use crate::shared::{Carried, Shared};
use crate::solution::Solved;
use crate::table::hash_of;
use crate::transfer::{Special, Stop, Transfer};
use bgp::Prefix;
use config::AddPathSend;
use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

/// Messages per direction after which a state is remembered, to see whether it comes again.
const SUSPICIOUS: usize = 40;
/// Messages per direction after which the search for a cycle is given up.
const GIVE_UP: usize = 4_000;

/// A path at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Route by number; [`NONE`]: nothing there.
    pub route: u32,
    /// When it came, counted: the router's list has the newest first.
    pub seq: u32,
}

const EMPTY: Slot = Slot { route: NONE, seq: 0 };

/// What the routers hold of one destination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub(crate) slots: Vec<Slot>,
    /// Place of the best path per router.
    pub(crate) best: Vec<u32>,
    /// Step of the router's last comparison, and against which place.
    pub(crate) said: Vec<(Step, u32)>,
    seq: u32,
    /// Number of the next hop that is the destination itself, when that is one address: such a route resolves by itself and is not valid
    /// (bgpd, `bgp_find_or_add_nexthop`).
    pub(crate) self_hop: u32,
    /// Messages it took.
    pub(crate) messages: usize,
    /// The routers whose choice went round in a circle; empty: it settled.
    pub(crate) cycle: Vec<usize>,
    /// A circle was not proven, and it did not settle within the bound.
    pub(crate) gave_up: bool,
}

impl Class {
    /// A destination that nobody announces.
    pub(crate) const fn of(prefix: Prefix) -> Self {
        Self { prefix, number: NONE, origins: Vec::new(), suppressed: BTreeSet::new(), granted: BTreeSet::new(), withheld: BTreeSet::new() }
    }
}

impl State {
    /// Takes choices and counts of a state whose places had other numbers.
    pub(crate) fn take_over(&mut self, old: &Self, place: impl Fn(u32) -> u32) {
        self.best = old.best.iter().map(|p| place(*p)).collect();
        self.said = old.said.iter().map(|(step, against)| (*step, place(*against))).collect();
        (self.seq, self.self_hop, self.messages) = (old.seq, old.self_hop, old.messages);
        (self.cycle, self.gave_up) = (old.cycle.clone(), old.gave_up);
    }

    /// Says whether it did not come to rest.
    pub(crate) const fn is_restless(&self) -> bool {
        !self.cycle.is_empty() || self.gave_up
    }

    /// Says routes and next hops by other numbers.
    pub(crate) fn renumber(&mut self, said: &Renumbered) {
        for slot in self.slots.iter_mut().filter(|s| s.route != NONE) {
            slot.route = said.route(slot.route);
        }
        if self.self_hop != NONE {
            self.self_hop = said.hop(self.self_hop);
        }
    }
}

/// A destination: prefixes that are announced and treated alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// Any of them; policies are asked about this one.
    pub prefix: Prefix,
    /// Number, by which transfers are remembered where prefixes matter.
    pub number: u32,
    /// What routers make themselves and what comes from outside: (place, route before import).
    pub(crate) origins: Vec<(u32, u32)>,
    /// Routers at which the destination is part of an aggregate that is announced instead.
    pub(crate) suppressed: BTreeSet<usize>,
    /// Directions on which a condition holds: it is sent as `advertise-map` makes it, past the export policy.
    pub(crate) granted: BTreeSet<u32>,
    /// Directions on which it is not sent, because a condition does not hold.
    pub(crate) withheld: BTreeSet<u32>,
}

impl Plane<'_> {
    /// Returns a state in which nothing was said yet.
    #[must_use]
    pub fn blank(&self) -> State {
        State {
            slots: vec![EMPTY; self.slot_half.len()],
            best: vec![NONE; self.nodes.len()],
            said: vec![(Step::OnlyPath, NONE); self.nodes.len()],
            seq: 0,
            self_hop: NONE,
            messages: 0,
            cycle: Vec::new(),
            gave_up: false,
        }
    }

    /// Computes a destination from nothing.
    #[must_use]
    pub fn solve(&self, class: &Class, schedule: Schedule, shared: &mut Shared) -> State {
        let mut queue = Queue::new(schedule, self.halves.len());
        self.solve_with(class, shared, &mut queue)
    }

    /// The same with a queue that was used before.
    pub(crate) fn solve_with(&self, class: &Class, shared: &mut Shared, queue: &mut Queue) -> State {
        let schedule = queue.schedule;
        let mut state = self.blank();
        state.self_hop = Self::self_hop(class, shared);
        queue.hears(&state);
        let mut origins = class.origins.clone();
        origins.retain(|(place, _)| !self.is_gone(*place));
        if schedule == Schedule::Reverse {
            origins.reverse();
        }
        let last = self.stage.iter().copied().max().unwrap_or(0);
        for stage in 0..=last {
            queue.stage = stage;
            queue.patient = stage == last && !self.patient.is_empty();
            for (slot, route) in &origins {
                let h = self.slot_half[*slot as usize];
                if self.stage_of(h) == stage {
                    self.originate(class, *slot, *route, &mut state, shared, queue);
                }
            }
            if stage > 0 {
                (0..).zip(&self.stage).filter(|(_, s)| **s == stage).for_each(|(h, _)| queue.push(h));
            }
            self.run(class, &mut state, shared, queue);
        }
        state
    }

    /// Numbers the next hop that the destination is itself; [`NONE`]: it is no single address.
    pub(crate) fn self_hop(class: &Class, shared: &mut Shared) -> u32 {
        let host = if class.prefix.address().is_ipv4() { 32 } else { 128 };
        if class.prefix.length() == host { shared.routes.hop_number(class.prefix.address()) } else { NONE }
    }

    /// Puts a route to its place: what a router makes itself, or what comes from outside through its import.
    pub(crate) fn originate(&self, class: &Class, slot: u32, route: u32, state: &mut State, shared: &mut Shared, queue: &mut Queue) {
        let (router, held) = self.held_of(&class.prefix, slot, route, shared);
        self.put(slot, held, state);
        self.hear(router, state, shared, queue);
    }

    /// When the session of a direction comes up; what a router makes itself is there from the beginning.
    fn stage_of(&self, h: u32) -> u16 {
        self.stage.get(h as usize).copied().unwrap_or(0)
    }

    /// Lets a router choose that has heard something, unless it waits until it has heard everything.
    fn hear(&self, router: usize, state: &mut State, shared: &mut Shared, queue: &mut Queue) -> bool {
        if queue.patient && self.patient.contains(&router) {
            queue.heard.insert(router);
            return false;
        }
        self.decide(router, state, shared, queue)
    }

    /// Says whether a router's choice is no news to anyone and depends on nothing but the paths that it holds: it may choose when it has heard
    /// everything. What it holds from outside or makes itself it would pass on, and among paths from outside the older one stays.
    fn chooses_for_itself(&self, router: usize, state: &State) -> bool {
        let node = &self.nodes[router];
        let own = node.slots.start as usize..(node.slots.start + LOCAL_SLOTS) as usize;
        node.listens && state.slots[own].iter().all(|s| s.route == NONE)
    }

    /// Lets those choose who were to do it when they have heard everything.
    fn decide_late(&self, state: &mut State, shared: &mut Shared, queue: &mut Queue) {
        for at in 0..queue.late.len() {
            let router = queue.late[at] as usize;
            queue.is_late[router] = false;
            self.decide(router, state, shared, queue);
        }
        queue.late.clear();
    }

    /// Says at which router a place is, and what it holds there when this comes to it from outside or is made there.
    pub(crate) fn held_of(&self, prefix: &Prefix, slot: u32, route: u32, shared: &mut Shared) -> (usize, u32) {
        let h = self.slot_half[slot as usize];
        if h == NONE {
            return (self.router_of(slot), route);
        }
        let half = &self.halves[h as usize];
        let transfer = Transfer { half, fabric: &self.fabric, family: self.family, starting: self.network.starting };
        let held = self.end(half.to as usize).and_then(|end| transfer.import(&end, prefix, shared.routes.get(route)).ok());
        (half.to as usize, held.map_or(NONE, |r| shared.routes.number(r)))
    }

    pub(crate) fn router_of(&self, slot: u32) -> usize {
        self.nodes.partition_point(|n| n.slots.end <= slot)
    }

    pub(crate) fn put(&self, slot: u32, route: u32, state: &mut State) -> bool {
        let held = &mut state.slots[slot as usize];
        if held.route == route {
            return false;
        }
        // a path that is told anew keeps its place in the list
        if held.route == NONE {
            state.seq += 1;
            held.seq = state.seq;
        }
        held.route = route;
        true
    }

    /// Lets messages run until nothing is left to say.
    pub(crate) fn run(&self, class: &Class, state: &mut State, shared: &mut Shared, queue: &mut Queue) {
        let suspicious = SUSPICIOUS * (self.halves.len() + 4);
        let give_up = suspicious + GIVE_UP * (self.halves.len() + 4);
        let mut met: BTreeMap<u64, usize> = BTreeMap::new();
        let mut changed: Vec<usize> = Vec::new();
        let mut delivered = 0;
        loop {
            let Some(h) = queue.pop() else {
                // nothing is under way: those who waited choose
                self.decide_late(state, shared, queue);
                queue.patient = false;
                let heard = core::mem::take(&mut queue.heard);
                if heard.is_empty() {
                    break;
                }
                for router in heard {
                    self.decide(router, state, shared, queue);
                }
                continue;
            };
            if self.stage_of(h) > queue.stage {
                continue;
            }
            delivered += 1;
            let first = self.deliver(class, h, state, shared);
            if delivered > suspicious {
                self.decide_late(state, shared, queue);
            }
            if queue.schedule == Schedule::Together {
                let mut heard: BTreeSet<usize> = first.into_iter().collect();
                while let Some(h) = queue.pop() {
                    delivered += 1;
                    heard.extend(self.deliver(class, h, state, shared));
                }
                changed.extend(heard.into_iter().filter(|r| self.decide(*r, state, shared, queue) && delivered > suspicious));
            } else if let Some(router) = first {
                if delivered <= suspicious && self.chooses_for_itself(router, state) {
                    queue.postpone(router);
                } else if self.hear(router, state, shared, queue) && delivered > suspicious {
                    changed.push(router);
                }
            }
            if delivered > suspicious {
                let seen = hash_of(&(state.slots.iter().map(|s| s.route).collect::<Vec<_>>(), &state.best, queue.waiting()));
                if let Some(before) = met.insert(seen, changed.len()) {
                    let round: BTreeSet<usize> = changed[before..].iter().copied().collect();
                    state.cycle = round.into_iter().collect();
                    break;
                }
                if delivered > give_up {
                    state.gave_up = true;
                    break;
                }
            }
        }
        queue.clear();
        state.messages += delivered;
    }

    /// Carries one message; returns the receiver when it has another path now.
    pub(crate) fn deliver(&self, class: &Class, h: u32, state: &mut State, shared: &mut Shared) -> Option<usize> {
        let half = &self.halves[h as usize];
        // what is put there instead, if anything, stays
        if half.from == OUTSIDE || half.to == OUTSIDE || class.withheld.contains(&h) {
            return None;
        }
        let (first, count) = self.half_slots[h as usize];
        let mut any = false;
        if count == 1 {
            let best = state.best[half.from as usize];
            let route = self.transfer(class, h, best, state, shared);
            any |= self.put(first, route, state);
        } else {
            let mode = add_path(self.network, half, self.family);
            let chosen = if mode == AddPathSend::BestPerAs { Some(self.best_per_as(half.from as usize, state, shared)) } else { None };
            for (n, slot) in self.passed(h).take(count as usize).enumerate() {
                let sent = chosen.as_ref().is_none_or(|c| c.contains(&slot));
                let usable = sent && self.usable(half.from as usize, slot, state, shared);
                let route = if usable { self.transfer(class, h, slot, state, shared) } else { NONE };
                any |= self.put(first + n as u32, route, state);
            }
        }
        any.then_some(half.to as usize)
    }

    /// The places of a sender whose paths go over a direction that carries several, in the order of their places at the receiver.
    fn passed(&self, h: u32) -> impl Iterator<Item = u32> + '_ {
        let half = &self.halves[h as usize];
        self.nodes[half.from as usize].slots.clone().filter(move |slot| match self.slot_half[*slot as usize] {
            NONE => true,
            into => crate::plane::passes_on(self.network, &self.halves[into as usize], half, self.family),
        })
    }

    /// Returns the place at the sender of a direction whose path stands at the `n`-th of its places at the receiver.
    pub(crate) fn place_behind(&self, h: u32, n: u32, state: &State) -> u32 {
        let (_, count) = self.half_slots[h as usize];
        if count == 1 { state.best[self.halves[h as usize].from as usize] } else { self.passed(h).nth(n as usize).unwrap_or(NONE) }
    }

    fn usable(&self, router: usize, slot: u32, state: &State, shared: &mut Shared) -> bool {
        let route = state.slots[slot as usize].route;
        if route == NONE {
            return false;
        }
        let next_hop = shared.routes.key(route).next_hop;
        let cost = shared.cost(self, router, next_hop);
        next_hop != state.self_hop && self.metric(slot, cost) != UNREACHABLE
    }

    /// The same for a state that has come to rest: costs are known by then.
    pub(crate) fn is_usable(&self, router: usize, slot: u32, state: &State, shared: &Shared) -> bool {
        let route = state.slots[slot as usize].route;
        if route == NONE {
            return false;
        }
        let next_hop = shared.routes.key(route).next_hop;
        let known = shared.costs.get(next_hop as usize).and_then(|c| c.get(router)).copied().unwrap_or(UNREACHABLE);
        let cost = if next_hop == OWN { 0 } else { known };
        next_hop != state.self_hop && self.metric(slot, cost) != UNREACHABLE
    }

    /// Says whether the sender of a direction announces a path to the neighbour that it has it from, who then finds himself in it.
    fn sends_back(&self, half: &crate::session::Half) -> bool {
        self.network.routers.get(half.from as usize).is_some_and(|r| r.profile.sends_back)
    }

    /// Returns what arrives over a direction when the sender sends the path at `slot`.
    pub(crate) fn transfer(&self, class: &Class, h: u32, slot: u32, state: &State, shared: &mut Shared) -> u32 {
        if slot == NONE {
            return NONE;
        }
        let half = &self.halves[h as usize];
        let came = self.slot_half[slot as usize];
        // not back to where it came from
        if came != NONE && came == half.reverse && !self.sends_back(half) {
            return NONE;
        }
        let route = state.slots[slot as usize].route;
        if route == NONE {
            return NONE;
        }
        let suppressed = class.suppressed.contains(&(half.from as usize));
        let group = self.groups[h as usize];
        let granted = class.granted.contains(&h);
        let which = if suppressed || granted || self.looks_at_prefixes(half) { u64::from(class.number) + 1 } else { 0 };
        let key = (
            u64::from(group) << 32 | u64::from(route),
            u64::from(came) << 32 | which << 2 | u64::from(granted) << 1 | u64::from(suppressed),
        );
        if shared.last.as_ref().is_none_or(|l| l.key != key) {
            let made = if let Some(known) = shared.transfers.get(key) {
                known.checked_sub(1).unwrap_or(NONE)
            } else {
                let made = match self.both_ends(class, h, slot, shared.routes.get(route), None) {
                    Ok(route) => shared.routes.number(route),
                    // this receiver alone does not take it; others of the group may
                    Err(Stop::OwnOrigin | Stop::OwnNextHop) => return NONE,
                    Err(_) => NONE,
                };
                shared.transfers.put(key, made.wrapping_add(1));
                made
            };
            shared.last = Some(self.carried(key, made, shared));
        }
        // what transfers of one group share does not hold for a receiver that is the originator, reflected it already, or is its next hop
        match &shared.last {
            Some(last) if last.made != NONE => {
                let own = last.originator == Some(u32::from(half.to_id)) || last.owner == half.to;
                let again = || last.clusters.contains(&self.nodes[half.to as usize].cluster.unwrap_or(half.to_id));
                if own || (!last.clusters.is_empty() && again()) { NONE } else { last.made }
            }
            _ => NONE,
        }
    }

    fn carried(&self, key: (u64, u64), made: u32, shared: &mut Shared) -> Carried {
        if made == NONE {
            return Carried { key, made, originator: None, owner: OUTSIDE, clusters: Vec::new() };
        }
        let known = *shared.routes.key(made);
        let owner = shared.owner(self, known.next_hop);
        let clusters = if known.clusters == 0 { Vec::new() } else { shared.routes.get(made).attributes.cluster_list.clone() };
        Carried { key, made, originator: known.originator, owner, clusters }
    }

    /// Says whether what a direction does depends on the prefix.
    pub(crate) fn looks_at_prefixes(&self, half: &crate::session::Half) -> bool {
        crate::plane::flapped(self.network)
            || [half.from, half.to].into_iter().any(|r| self.nodes.get(r as usize).is_some_and(|n| n.prefixes_matter))
    }

    /// Carries a route over a direction, with the reason where it does not arrive.
    pub(crate) fn explain(&self, solved: &Solved, h: u32, slot: u32, shared: &Shared) -> Result<Route, Stop> {
        let (half, class) = (&self.halves[h as usize], &solved.class);
        let route = solved.state.slots[slot as usize].route;
        let came = self.slot_half[slot as usize];
        if came != NONE && came == half.reverse && !self.sends_back(half) {
            return Err(Stop::OwnOrigin);
        }
        if class.withheld.contains(&h) {
            return Err(Stop::Condition);
        }
        self.both_ends(class, h, slot, solved.route(route, shared), None)
    }

    /// Export at one end, import at the other; `traces` take the terms passed at each.
    pub(crate) fn both_ends(
        &self,
        class: &Class,
        h: u32,
        slot: u32,
        route: &Route,
        traces: Option<[&crate::policy::Trace; 2]>,
    ) -> Result<Route, Stop> {
        let half = &self.halves[h as usize];
        let wire = self.exported(class, h, slot, route, traces.map(|[out, _]| out))?;
        let receiver = self.end(half.to as usize).ok_or(Stop::NoPolicy(crate::transfer::Side::Export))?;
        let receiver = crate::transfer::End { trace: traces.map(|[_, into]| into), ..receiver };
        let transfer = Transfer { half, fabric: &self.fabric, family: self.family, starting: self.network.starting };
        transfer.import(&receiver, &class.prefix, &wire)
    }

    /// Returns what goes over the wire of a direction.
    pub(crate) fn exported(
        &self,
        class: &Class,
        h: u32,
        slot: u32,
        route: &Route,
        trace: Option<&crate::policy::Trace>,
    ) -> Result<Route, Stop> {
        let half = &self.halves[h as usize];
        let transfer = Transfer { half, fabric: &self.fabric, family: self.family, starting: self.network.starting };
        let sender = self.end(half.from as usize).ok_or(Stop::NoPolicy(crate::transfer::Side::Export))?;
        let sender = crate::transfer::End { trace, ..sender };
        let came = self.slot_half[slot as usize];
        let learned = if came == NONE { half.from_id } else { self.halves[came as usize].from_id };
        let back = came != NONE && came == half.reverse;
        let suppressed = class.suppressed.contains(&(half.from as usize));
        let special = Special { suppressed, granted: class.granted.contains(&h) };
        transfer.export(&sender, &class.prefix, route, (self.from(slot), learned, back), special)
    }

    /// Lets a router choose anew; queues its neighbours when there is something to say.
    pub(crate) fn decide(&self, router: usize, state: &mut State, shared: &mut Shared, queue: &mut Queue) -> bool {
        let before = state.best[router];
        let (best, said) = self.choose(router, state, shared);
        state.best[router] = best;
        state.said[router] = said;
        let now = if best == NONE { NONE } else { state.slots[best as usize].route };
        let node = &self.nodes[router];
        // who has nothing but paths from inside that it may not pass on has nothing to say
        let passes_on = |place: u32| place != NONE && self.slot_half[place as usize] == NONE;
        if node.listens && !passes_on(best) && !passes_on(before) {
            queue.sent[router] = now;
            return before != best;
        }
        // the way back is shut while the best path comes by it, so a change of place alone is news too
        if before != best || queue.sent[router] != now || node.sends_more {
            queue.sent[router] = now;
            let outs = &self.nodes[router].outs;
            match queue.schedule {
                Schedule::Reverse => outs.iter().rev().for_each(|h| queue.push(*h)),
                _ => outs.iter().for_each(|h| queue.push(*h)),
            }
        }
        before != best
    }

    /// Lists a router's usable paths, newest first, and lets `then` look at them.
    pub(crate) fn with_candidates<T>(
        &self,
        router: usize,
        state: &State,
        shared: &mut Shared,
        then: impl FnOnce(&crate::compare::Rules, &[Candidate]) -> T,
    ) -> T {
        let node = &self.nodes[router];
        let mut list = core::mem::take(&mut shared.candidates);
        list.clear();
        for slot in node.slots.clone() {
            let held = state.slots[slot as usize];
            if held.route == NONE {
                continue;
            }
            let next_hop = shared.routes.key(held.route).next_hop;
            let cost = shared.cost(self, router, next_hop);
            let metric = self.metric(slot, cost);
            if metric == UNREACHABLE || next_hop == state.self_hop {
                continue;
            }
            let h = self.slot_half[slot as usize];
            let half = self.halves.get(h as usize).filter(|_| h != NONE);
            let (sort, neighbour_id, address, neighbour_as) = half.map_or((crate::Sort::Internal, 0, 0, 0), |half| {
                (half.to_sort, u32::from(half.from_id), address_number(half.from_address), half.from_asn.0)
            });
            let (key, selected) = (*shared.routes.key(held.route), state.best[router] == slot);
            let candidate = Candidate { slot, seq: held.seq, key, metric, sort, neighbour_id, address, neighbour_as, selected };
            // the list is short
            match list.iter().rposition(|c: &Candidate| c.seq > held.seq).map_or(0, |at| at + 1) {
                at if at == list.len() => list.push(candidate),
                at => list.insert(at, candidate),
            }
        }
        let out = then(&node.rules, &list);
        shared.candidates = list;
        out
    }

    pub(crate) fn choose(&self, router: usize, state: &State, shared: &mut Shared) -> (u32, (Step, u32)) {
        self.with_candidates(router, state, shared, |rules, list| match rules.select(list) {
            Some(Selection { best, step, against, .. }) => (list[best].slot, (step, against.map_or(NONE, |a| list[a].slot))),
            None => (NONE, (Step::OnlyPath, NONE)),
        })
    }

    fn best_per_as(&self, router: usize, state: &State, shared: &mut Shared) -> BTreeSet<u32> {
        self.with_candidates(router, state, shared, |rules, list| {
            let mut best: BTreeMap<u32, usize> = BTreeMap::new();
            for (i, candidate) in list.iter().enumerate() {
                let entry = best.entry(candidate.key.first_as).or_insert(i);
                if *entry != i && rules.compare(candidate, &list[*entry]).new_wins {
                    *entry = i;
                }
            }
            best.into_values().map(|i| list[i].slot).collect()
        })
    }
}

fn address_number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(a) => u128::from(u32::from(a)),
        IpAddr::V6(a) => u128::from(a),
    }
}

const _: () = assert!(LOCAL_SLOTS == 3, "network, aggregate, redistributed");
