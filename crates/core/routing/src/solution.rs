//! The tables of a whole network: destinations grouped, each solved, and what depends on other destinations brought to rest.

use crate::alike::{ALONE, Likeness, Said, Shapes, likeness};
use crate::fabric::UNREACHABLE;
use crate::origin::{Origins, local};
use crate::plane::{NONE, Plane};
use crate::policy::{Question, Verdict};
use crate::queue::{Queue, Schedule};
use crate::route::{Kind, Route};
use crate::session::family_of;
use crate::shared::Shared;
use crate::solve::{Class, State};
use crate::table::Interner;
use crate::transfer::Transfer;
use bgp::{Asn, Origin, Prefix};
use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

/// Rounds in which aggregates, default routes and conditions must come to rest.
const ROUNDS_MAX: usize = 24;

/// A destination with its prefixes and what the routers hold of it.
#[derive(Clone, Debug)]
pub struct Solved {
    /// The destination.
    pub class: Arc<Class>,
    /// Its prefixes; none: all of them have become other destinations.
    pub prefixes: Arc<Vec<Prefix>>,
    /// What routers hold; one state serves all destinations that are alike.
    pub(crate) state: Arc<State>,
    /// The destination whose routes the state's numbers are, where they are not its own.
    pub(crate) told_by: Option<Arc<Class>>,
    /// Its own routes beside those, once they were asked for.
    pub(crate) said: OnceLock<Said>,
    /// Which others it is like.
    pub(crate) like: Likeness,
}

/// All destinations of a plane. A solution that continues another shares with it every destination that is the same.
#[derive(Clone)]
pub struct Solution {
    /// Destinations.
    pub classes: Vec<Arc<Solved>>,
    /// Routes and transfers.
    pub shared: Shared,
    /// Rounds of what depends on other destinations; 1 when nothing does.
    pub rounds: usize,
    /// Conditions and aggregates did not come to rest.
    pub restless: bool,
    /// Directions of sessions that went down because a neighbour announced more than allowed.
    pub(crate) down: BTreeSet<u32>,
    /// Prefixes in order, each with the place of its destination.
    pub(crate) by_prefix: Arc<Vec<(Prefix, u32)>>,
    /// What destinations say to others.
    pub(crate) depends: Arc<Dependent>,
    /// The network's ASes, which no path names of destinations that are alike.
    pub(crate) ases: Arc<BTreeSet<Asn>>,
    /// Counts what was worked out, so that numbers of likeness are not used again.
    pub(crate) round: u32,
    /// What is announced of each destination stands in the order of arrival, and nothing by sessions that are no more.
    pub(crate) in_order: bool,
}

/// What one destination's table says to others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dependent {
    /// Aggregates and injected default routes: prefix to (place, route).
    pub made: BTreeMap<Prefix, Vec<(u32, Route)>>,
    /// Destinations that are not announced by a router.
    pub suppressed: BTreeMap<Prefix, BTreeSet<usize>>,
    /// Destinations that a condition lets out over a direction.
    pub granted: BTreeMap<Prefix, BTreeSet<u32>>,
    /// Destinations that are not sent over a direction.
    pub withheld: BTreeMap<Prefix, BTreeSet<u32>>,
    /// Directions of sessions over their limit.
    pub down: BTreeSet<u32>,
    /// Next hops that routers reach by BGP itself: address, router, metric.
    pub resolved: BTreeMap<IpAddr, BTreeMap<usize, u32>>,
}

impl Plane<'_> {
    /// Solves every destination.
    #[must_use]
    pub fn solve_all(&self, schedule: Schedule) -> Solution {
        self.solve_all_by(schedule, 1)
    }

    /// The same on a number of threads, which the caller chooses; the result is the same with any.
    #[must_use]
    pub fn solve_all_by(&self, schedule: Schedule, threads: usize) -> Solution {
        let mut shared = Shared::default();
        let base = self.origins(&mut shared);
        let mut depends = Dependent::default();
        let how = (schedule, threads);
        let mut solution = self.solve_origins(&base, &depends, how, shared, None);
        let done = |mut solution: Solution, depends: Dependent, rounds: usize| {
            solution.rounds = rounds;
            solution.down.clone_from(&depends.down);
            solution.depends = Arc::new(depends);
            solution.shared.freeze();
            solution
        };
        if !self.has_dependents() && self.resolved_by_bgp(&mut solution).is_empty() {
            return done(solution, depends, 1);
        }
        let mut rounds = 1;
        loop {
            let mut next = self.dependents(&mut solution);
            next.down.clone_from(&depends.down);
            if next == depends {
                // a limit is looked at when everything else is at rest; what went down stays down
                next.down.extend(self.over_limit(&solution));
            }
            if next == depends {
                break;
            }
            rounds += 1;
            let mut shared = core::mem::take(&mut solution.shared);
            // without the old states everything is computed anew
            let keep = next.resolved == depends.resolved;
            depends = next;
            shared.resolve(depends.resolved.clone());
            solution = self.solve_origins(&base, &depends, how, shared, Some(&solution).filter(|_| keep));
            if rounds > ROUNDS_MAX {
                solution.restless = true;
                break;
            }
        }
        done(solution, depends, rounds)
    }

    fn solve_origins(
        &self,
        base: &Origins,
        depends: &Dependent,
        how: (Schedule, usize),
        mut shared: Shared,
        before: Option<&Solution>,
    ) -> Solution {
        // transfers are remembered by the class's number, which another round may give to another class
        if before.is_some() {
            shared.forget_transfers();
        }
        let mut origins: Vec<(Prefix, u32, u32)> = Vec::new();
        for (prefix, routes) in &depends.made {
            origins.extend(routes.iter().map(|(slot, route)| (*prefix, *slot, shared.routes.number(route.clone()))));
        }
        let origins = if origins.is_empty() {
            std::borrow::Cow::Borrowed(base)
        } else {
            let mut all = base.clone();
            all.extend(origins);
            all.sort_by_key(|(prefix, ..)| *prefix);
            std::borrow::Cow::Owned(all)
        };
        let mut keys: Interner<ClassKey> = Interner::default();
        let mut classes: Vec<(Arc<Class>, Vec<Prefix>)> = Vec::new();
        let mut by_prefix = Vec::with_capacity(origins.len());
        for same in origins.chunk_by(|a, b| a.0 == b.0) {
            let prefix = same[0].0;
            let key = ClassKey {
                origins: self.by_age(&prefix, same, &depends.down),
                marks: self.marks(&prefix),
                suppressed: depends.suppressed.get(&prefix).cloned().unwrap_or_default(),
                granted: depends.granted.get(&prefix).cloned().unwrap_or_default(),
                withheld: depends.withheld.get(&prefix).into_iter().flatten().chain(&depends.down).copied().collect(),
            };
            let number = keys.number(key);
            if number as usize == classes.len() {
                let key = keys.get(number);
                let (suppressed, granted, withheld) = (key.suppressed.clone(), key.granted.clone(), key.withheld.clone());
                let class = Class { prefix, number, origins: key.origins.clone(), suppressed, granted, withheld };
                classes.push((Arc::new(class), Vec::new()));
            }
            classes[number as usize].1.push(prefix);
            by_prefix.push((prefix, number));
        }
        drop(keys);
        drop(origins);
        by_prefix.shrink_to_fit();
        let (round, ases) = (before.map_or(0, |b| b.round + 1), self.blind());
        let solved = self.solve_classes(classes, how, &mut shared, before, (round, ases.as_ref()));
        Solution {
            classes: solved,
            shared,
            rounds: 1,
            restless: false,
            down: BTreeSet::new(),
            by_prefix: Arc::new(by_prefix),
            depends: Arc::default(),
            ases: Arc::new(ases.unwrap_or_default()),
            round,
            in_order: true,
        }
    }

    /// Works out one destination of each shape, and lets it tell those that are like it.
    fn solve_classes(
        &self,
        classes: Vec<(Arc<Class>, Vec<Prefix>)>,
        (schedule, threads): (Schedule, usize),
        shared: &mut Shared,
        before: Option<&Solution>,
        (round, ases): (u32, Option<&BTreeSet<Asn>>),
    ) -> Vec<Arc<Solved>> {
        let solve = |all: &[Arc<Class>], shared: &mut Shared| -> Vec<State> {
            let mut queue = Queue::new(schedule, self.halves.len());
            all.iter().map(|class| self.solve_with(class, shared, &mut queue)).collect()
        };
        let solve = |all: &[Arc<Class>], shared: &mut Shared| in_parts(all, threads, shared, solve, State::renumber);
        let parts = |c: &Class| (c.origins.clone(), c.suppressed.clone(), c.granted.clone(), c.withheld.clone());
        let own = |(class, mut prefixes): (Arc<Class>, Vec<Prefix>)| {
            prefixes.shrink_to_fit();
            (class, Arc::new(prefixes))
        };
        let all: Vec<(Arc<Class>, Arc<Vec<Prefix>>)> = classes.into_iter().map(own).collect();
        let mut out: Vec<Option<Arc<Solved>>> = vec![None; all.len()];
        let mut shapes = Shapes::default();
        // by shape: the first destination of it
        let mut firsts: BTreeMap<u32, u32> = BTreeMap::new();
        let mut todo: Vec<Arc<Class>> = Vec::new();
        let mut like: Vec<Option<u32>> = Vec::with_capacity(all.len());
        for (at, (class, prefixes)) in all.iter().enumerate() {
            let old = before.and_then(|b| b.class_of(&class.prefix)).filter(|o| parts(&o.class) == parts(class));
            if let Some(old) = old {
                let same = Solved { class: Arc::clone(class), prefixes: Arc::clone(prefixes), ..old.clone() };
                out[at] = Some(Arc::new(same));
                like.push(None);
                continue;
            }
            let shape = ases.and_then(|ases| shapes.number(self, class, ases, shared));
            let first = shape.map(|s| *firsts.entry(s).or_insert(class.number));
            if first.is_none_or(|f| f == class.number) {
                todo.push(Arc::clone(class));
            }
            like.push(first);
        }
        drop((shapes, firsts));
        let states = solve(&todo, shared);
        let mut tells: BTreeSet<u32> = BTreeSet::new();
        for (class, state) in todo.drain(..).zip(states) {
            let at = class.number as usize;
            let shaped = like[at].is_some() && !state.is_restless();
            let mut solved = Solved::own(class, Arc::clone(&all[at].1), state, ALONE);
            if shaped {
                solved.like = likeness(round, at as u32);
                if solved.can_tell(shared) {
                    tells.insert(at as u32);
                }
            }
            out[at] = Some(Arc::new(solved));
        }
        // what nobody can tell is worked out as well
        let untold = |at: usize| out[at].is_none() && !like[at].is_some_and(|first| tells.contains(&first));
        todo.extend((0..all.len()).filter(|at| untold(*at)).map(|at| Arc::clone(&all[at].0)));
        let states = solve(&todo, shared);
        for (class, state) in todo.into_iter().zip(states) {
            let at = class.number as usize;
            out[at] = Some(Arc::new(Solved::own(class, Arc::clone(&all[at].1), state, ALONE)));
        }
        for (at, (class, prefixes)) in all.into_iter().enumerate() {
            let first = like[at].and_then(|f| out[f as usize].clone());
            if let (None, Some(first)) = (&out[at], first) {
                out[at] = Some(Arc::new(first.tell(class, prefixes)));
            }
        }
        shared.know(self);
        out.into_iter().flatten().collect()
    }

    /// What is announced of a prefix, in the order of arrival: what is known to be older first. Over a session that went down comes nothing.
    fn by_age(&self, prefix: &Prefix, same: &[(Prefix, u32, u32)], down: &BTreeSet<u32>) -> Vec<(u32, u32)> {
        let up = same.iter().filter(|(_, slot, _)| self.slot_half.get(*slot as usize).is_none_or(|h| !down.contains(h)));
        let mut out: Vec<(u32, u32)> = up.map(|(_, slot, route)| (*slot, *route)).collect();
        if let Some(older) = self.network.older.as_ref().and_then(|o| o.get(prefix)) {
            let is_older = |slot: u32| {
                let half = self.slot_half.get(slot as usize).and_then(|h| self.halves.get(*h as usize));
                half.is_some_and(|h| older.contains(&(h.to as usize, h.from_address)))
            };
            out.sort_by_key(|(slot, _)| !is_older(*slot));
        }
        out
    }

    /// How policies and filters see a prefix: where two prefixes have the same marks, they are treated alike.
    pub(crate) fn marks(&self, prefix: &Prefix) -> Vec<u64> {
        if self.prefixes_matter { self.marks_at(0..self.nodes.len(), prefix) } else { Vec::new() }
    }

    /// How the policies and filters of some routers see a prefix.
    pub(crate) fn marks_at(&self, routers: impl Iterator<Item = usize>, prefix: &Prefix) -> Vec<u64> {
        let mut bits = Vec::new();
        let mut n = 0_usize;
        let mut push = |bit: bool| {
            if n.is_multiple_of(64) {
                bits.push(0_u64);
            }
            if bit && let Some(last) = bits.last_mut() {
                *last |= 1 << (n % 64);
            }
            n += 1;
        };
        let mut asks_origin = false;
        for node in routers.map(|r| &self.nodes[r]) {
            asks_origin |= node.policies.asks_origin();
            let model = node.policies.model();
            for name in model.prefix_sets.keys().chain(model.wider.prefix_sets_v6.keys()) {
                push(node.policies.prefix_list(name, prefix).unwrap_or(false));
            }
            for name in model.wider.access_lists.keys() {
                push(node.policies.access_list(name, prefix).unwrap_or(false));
            }
        }
        // a route that flapped has its own history
        if let Some(flaps) = &self.network.flaps {
            bits.extend(flaps.keys().position(|(_, _, p)| p == prefix).map(|at| at as u64 + 1));
        }
        bits.push(u64::from(prefix.length()));
        // behind everything else: it is the only part whose length differs from prefix to prefix
        if let Some(vrps) = self.network.vrps.as_deref().filter(|_| asks_origin) {
            vrps.tell_apart(prefix, &mut bits);
        }
        bits
    }

    pub(crate) fn has_dependents(&self) -> bool {
        self.nodes.iter().any(|n| n.dependents)
    }

    /// Works out what the present tables make of aggregates, default routes and conditions.
    pub(crate) fn dependents(&self, solution: &mut Solution) -> Dependent {
        let mut out = Dependent::default();
        for router in 0..self.nodes.len() {
            let Some(bgp) = &self.network.routers[router].config.bgp else { continue };
            for aggregate in bgp.wider.aggregates.iter().filter(|a| a.prefix.family() == self.family) {
                self.aggregate_of(solution, router, aggregate, &mut out);
            }
        }
        for (h, half) in self.halves.iter().enumerate() {
            let Some(end) = self.network.routers.get(half.from as usize).and_then(|_| self.end(half.from as usize)) else { continue };
            let Some(settings) = family_of(end.bgp, half.to_address, self.family) else { continue };
            if settings.wider.default_originate.is_some() {
                // FRR 8.4 takes every prefix that begins with 0.0.0.0 for the default route here, and keeps it back
                let zeros = |(p, _): &&(Prefix, u32)| p.address().is_unspecified();
                for (prefix, _) in solution.by_prefix.iter().filter(zeros) {
                    out.withheld.entry(*prefix).or_default().insert(h as u32);
                }
            }
            if let Some(policy) = &settings.wider.default_originate
                && half.to != crate::session::OUTSIDE
                && let Some(default) = self.default_prefix()
            {
                out.withheld.entry(default).or_default().insert(h as u32);
                let made = self.default_for(solution, half.from as usize, policy.as_deref());
                let transfer = Transfer { half, fabric: &self.fabric, family: self.family, starting: self.network.starting };
                if let Some(route) = made.and_then(|m| transfer.default_route(&end, m)) {
                    out.made.entry(default).or_default().push((self.half_slots[h].0, route));
                }
            }
            if let Some(conditional) = &settings.wider.conditional {
                let exists = self.any_matches(solution, half.from as usize, &conditional.condition_map).is_some();
                for (prefix, route) in self.table(solution, half.from as usize, true) {
                    let (asked, mut route) = (self.question(half.from as usize, &prefix, route), route.clone());
                    if matches!(end.policies.run(&conditional.advertise_map, &asked, &mut route), Verdict::Accepted { .. }) {
                        let into = if exists == conditional.exist { &mut out.granted } else { &mut out.withheld };
                        into.entry(prefix).or_default().insert(h as u32);
                    }
                }
            }
        }
        out.resolved = self.resolved_by_bgp(solution);
        out
    }

    /// Finds next hops that no other protocol reaches and a BGP route of the router does; a route never reaches its own next hop.
    pub(crate) fn resolved_by_bgp(&self, solution: &mut Solution) -> BTreeMap<IpAddr, BTreeMap<usize, u32>> {
        let mut out: BTreeMap<IpAddr, BTreeMap<usize, u32>> = BTreeMap::new();
        for number in 1..solution.shared.routes.hops() as u32 {
            let Some(hop) = solution.shared.routes.next_hop(number).filter(|hop| solution.covers(*hop)) else { continue };
            // what another protocol says of it; the costs that are known may come from here
            let costs = self.fabric.costs_by(hop, &mut solution.shared.trees);
            for (router, node) in self.nodes.iter().enumerate().filter(|(r, _)| costs[*r] == UNREACHABLE) {
                let holds = |s: &&Arc<Solved>| {
                    let here = |slot: u32| s.state.slots[slot as usize].route;
                    let has = |r: u32| r != NONE && solution.shared.routes.key(r).next_hop == number;
                    s.state.self_hop != number && !s.prefixes.is_empty() && node.slots.clone().any(|slot| has(here(slot)))
                };
                if solution.classes.iter().any(|s| holds(&s))
                    && let Some(metric) = self.by_bgp(solution, router, hop)
                {
                    out.entry(hop).or_default().insert(router, metric);
                }
            }
        }
        out
    }

    fn by_bgp(&self, solution: &Solution, router: usize, hop: IpAddr) -> Option<u32> {
        solution.covering(hop).filter(|(prefix, _)| prefix.length() > 0).find_map(|(_, place)| {
            let state = &solution.classes[place].state;
            let best = state.best[router];
            let route = (best != NONE).then(|| solution.shared.routes.get(state.slots[best as usize].route))?;
            // itself; next hop and MED are the same in what another destination told
            (route.attributes.next_hop != Some(hop)).then(|| route.attributes.med.unwrap_or(0))
        })
    }

    /// Directions of sessions that go down because the neighbour announces more prefixes than allowed (RFC 4271 §8.2.1, `maximum-prefix`).
    pub(crate) fn over_limit(&self, solution: &Solution) -> BTreeSet<u32> {
        let mut out = BTreeSet::new();
        for (h, half) in self.halves.iter().enumerate() {
            let bgp = self.network.routers.get(half.to as usize).and_then(|r| r.config.bgp.as_ref());
            let Some(settings) = bgp.and_then(|b| family_of(b, half.from_address, self.family)) else { continue };
            let Some(limit) = settings.max_prefix.filter(|_| !settings.wider.max_prefix_warning_only) else { continue };
            let (first, _) = self.half_slots[h];
            let there = |s: &&Arc<Solved>| s.state.slots[first as usize].route != NONE;
            let accepted: usize = solution.classes.iter().filter(there).map(|s| s.prefixes.len()).sum();
            // the router says how far beyond it a neighbour may go
            let beyond = self.nodes[half.to as usize].rules.profile.beyond_limit;
            if accepted > limit.saturating_add(beyond) as usize {
                out.extend([h as u32, half.reverse]);
            }
        }
        out
    }

    fn aggregate_of(&self, solution: &Solution, router: usize, aggregate: &config::Aggregate, out: &mut Dependent) {
        let mut contributors = Vec::new();
        let mut sessions = BTreeSet::new();
        let mut parts = Vec::new();
        let from = solution.by_prefix.partition_point(|(p, _)| *p < aggregate.prefix);
        for (prefix, number) in &solution.by_prefix[from..] {
            if !aggregate.prefix.contains(prefix.address()) {
                break;
            }
            if !aggregate.prefix.covers(prefix) || *prefix == aggregate.prefix {
                continue;
            }
            let solved = &solution.classes[*number as usize];
            let state = &solved.state;
            let own = self.local_slot(router, Kind::Aggregate);
            // a path whose next hop is not reached contributes nothing
            let usable = |s: &u32| *s != own && self.is_usable(router, *s, state, &solution.shared);
            let before = contributors.len();
            for slot in self.nodes[router].slots.clone().filter(usable) {
                contributors.push(solved.route(state.slots[slot as usize].route, &solution.shared));
                sessions.insert(self.slot_half[slot as usize]);
            }
            if contributors.len() > before {
                parts.push(*prefix);
            }
        }
        let Some(route) = self.aggregate(router, aggregate, &contributors) else { return };
        let yields = self.yields(solution, router, aggregate, &route, &sessions);
        let Some(route) = self.finished(router, aggregate, route) else { return };
        if !yields {
            out.made.entry(aggregate.prefix).or_default().push((self.local_slot(router, Kind::Aggregate), route));
        }
        for part in parts {
            let named = aggregate.suppress_map.as_ref().is_some_and(|map| {
                let mut any = local(Kind::Learned, Origin::Igp, None);
                let asked = self.question(router, &part, &any);
                matches!(self.nodes[router].policies.run(map, &asked, &mut any), Verdict::Accepted { .. })
            });
            if aggregate.summary_only || named {
                out.suppressed.entry(part).or_default().insert(router);
            }
        }
    }

    /// Says whether a router makes no aggregate because it has just that from another. FRR 8.4 takes the newest path of the aggregate's prefix
    /// for its own where ORIGIN, AS_PATH and communities are the same and the path is valid (`bgp_aggregate_install`, as seen of 8.4.4), so
    /// it depends on what comes first: over one session the aggregate does, before its contributors; a next hop that is no neighbour is not
    /// resolved by then.
    fn yields(&self, solution: &Solution, router: usize, aggregate: &config::Aggregate, own: &Route, sessions: &BTreeSet<u32>) -> bool {
        if self.yields.as_ref().is_some_and(|y| !y.contains(&router)) || !self.nodes[router].rules.profile.takes_for_own_aggregate {
            return false;
        }
        let heard = self.alike(solution, router, &aggregate.prefix, own);
        match self.yields {
            Some(_) => !heard.is_empty(),
            None => sessions.iter().all(|h| heard.get(h).is_some_and(|known| *known)),
        }
    }

    /// The sessions by which a router hears an aggregate that looks like its own, and whether its next hop is a neighbour.
    fn alike(&self, solution: &Solution, router: usize, prefix: &Prefix, own: &Route) -> BTreeMap<u32, bool> {
        let Some(solved) = solution.class_of(prefix) else { return BTreeMap::new() };
        let a = &own.attributes;
        let is_same = |r: &Route| {
            let b = &r.attributes;
            (a.origin, &a.as_path, &a.communities, &a.large_communities) == (b.origin, &b.as_path, &b.communities, &b.large_communities)
                && own.extended == r.extended
        };
        let mut out = BTreeMap::new();
        for slot in self.nodes[router].slots.clone() {
            let h = self.slot_half[slot as usize];
            if h == NONE || !self.is_usable(router, slot, &solved.state, &solution.shared) {
                continue;
            }
            let route = solved.route(solved.state.slots[slot as usize].route, &solution.shared);
            if is_same(route) {
                let hop = route.attributes.next_hop;
                let known = self.halves.iter().any(|n| n.to as usize == router && Some(n.from_address) == hop);
                *out.entry(h).or_default() |= known;
            }
        }
        out
    }

    /// Makes what `default-originate` sends; with a policy only while some route of the table matches it.
    fn default_for(&self, solution: &Solution, router: usize, policy: Option<&str>) -> Option<Route> {
        let mut made = local(Kind::Network, Origin::Igp, Some(0));
        if let Some(name) = policy {
            let prefix = self.any_matches(solution, router, name)?;
            let asked = self.question(router, &prefix, &made);
            self.nodes[router].policies.run(name, &asked, &mut made);
        }
        Some(made)
    }

    fn question<'q>(&self, router: usize, prefix: &'q Prefix, route: &Route) -> Question<'q> {
        Question { prefix, neighbor: None, local: None, outbound: true, rpki: self.validity(router, prefix, &route.attributes.as_path) }
    }

    /// Returns the first prefix of a router's table that a policy accepts.
    fn any_matches(&self, solution: &Solution, router: usize, policy: &str) -> Option<Prefix> {
        self.table(solution, router, false).find_map(|(prefix, route)| {
            let (asked, mut route) = (self.question(router, &prefix, route), route.clone());
            let verdict = self.nodes[router].policies.run(policy, &asked, &mut route);
            matches!(verdict, Verdict::Accepted { .. }).then_some(prefix)
        })
    }

    /// The routes of a router's table, all or the best ones.
    fn table<'s>(&'s self, solution: &'s Solution, router: usize, best: bool) -> impl Iterator<Item = (Prefix, &'s Route)> {
        solution.by_prefix.iter().flat_map(move |(prefix, number)| {
            let solved = &*solution.classes[*number as usize];
            let state = &solved.state;
            let slots = self.nodes[router].slots.clone().filter(move |s| !best || state.best[router] == *s);
            let routes = slots.map(|s| state.slots[s as usize].route).filter(|r| *r != NONE);
            routes.map(|r| (*prefix, solved.route(r, &solution.shared)))
        })
    }
}

/// Does work in as many parts as there are threads, each with a copy of what is shared, and brings the results into one numbering. Parts are
/// put together in their order, so that routes have the numbers that one thread gives them.
pub(crate) fn in_parts<T: Sync, R: Send>(
    all: &[T],
    threads: usize,
    shared: &mut Shared,
    work: impl Fn(&[T], &mut Shared) -> Vec<R> + Sync,
    renumber: impl Fn(&mut R, &crate::route::Renumbered),
) -> Vec<R> {
    if threads < 2 || all.len() < threads {
        return work(all, shared);
    }
    shared.freeze();
    let parts: Vec<&[T]> = all.chunks(all.len().div_ceil(threads)).collect();
    let frozen = &*shared;
    let copies: Vec<(Shared, Vec<R>)> = crate::side_by_side(parts.len(), |part| {
        let mut own = frozen.clone();
        let out = work(parts[part], &mut own);
        (own, out)
    });
    let mut out = Vec::with_capacity(all.len());
    for (own, results) in copies {
        let said = shared.absorb(own);
        for mut result in results {
            renumber(&mut result, &said);
            out.push(result);
        }
    }
    out
}

impl Solution {
    /// Returns every destination's prefixes, in order.
    pub fn prefixes(&self) -> impl Iterator<Item = Prefix> + '_ {
        self.by_prefix.iter().map(|(p, _)| *p)
    }

    /// Returns the destination of a prefix.
    #[must_use]
    pub fn class_of(&self, prefix: &Prefix) -> Option<&Solved> {
        self.number_of(prefix).map(|n| &*self.classes[n as usize])
    }

    /// Says whether a prefix, not the default route, contains an address.
    fn covers(&self, address: IpAddr) -> bool {
        self.covering(address).next().is_some_and(|(prefix, _)| prefix.length() > 0)
    }

    /// Returns the prefixes that contain an address, the longest first, each with the place of its destination.
    pub fn covering(&self, address: IpAddr) -> impl Iterator<Item = (Prefix, usize)> {
        self.covering_up_to(address, if address.is_ipv4() { 32 } else { 128 })
    }

    /// The same, up to a length.
    pub fn covering_up_to(&self, address: IpAddr, longest: u8) -> impl Iterator<Item = (Prefix, usize)> {
        let mut next = Some(longest);
        core::iter::from_fn(move || {
            loop {
                let key = Prefix::new(address, next?)?;
                let (near, number) = *self.by_prefix[..self.by_prefix.partition_point(|(p, _)| *p <= key)].last()?;
                if near.covers(&key) {
                    next = near.length().checked_sub(1);
                    return Some((near, number as usize));
                }
                // what contains the address stands no later than this one, and so contains this one's address as well
                next = match (near.address(), key.address()) {
                    (IpAddr::V4(a), IpAddr::V4(b)) => Some((a.to_bits() ^ b.to_bits()).leading_zeros() as u8),
                    (IpAddr::V6(a), IpAddr::V6(b)) => Some((a.to_bits() ^ b.to_bits()).leading_zeros() as u8),
                    _ => None,
                };
            }
        })
    }

    pub(crate) fn number_of(&self, prefix: &Prefix) -> Option<u32> {
        self.by_prefix.binary_search_by_key(prefix, |(p, _)| *p).ok().map(|at| self.by_prefix[at].1)
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct ClassKey {
    origins: Vec<(u32, u32)>,
    marks: Vec<u64>,
    suppressed: BTreeSet<usize>,
    granted: BTreeSet<u32>,
    withheld: BTreeSet<u32>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test says no by panicking")]

    use super::*;
    use proptest::prelude::*;

    /// Few different bits, so that many prefixes lie in each other.
    fn prefixes(v6: bool) -> impl Strategy<Value = Prefix> {
        let longest = if v6 { 128_u8 } else { 32 };
        (prop::sample::select(vec![0_u8, 1, 5, 8, 9, 12, 16, 23, 24, 25, longest - 1, longest]), 0_u32..8, 0_u32..4).prop_map(
            move |(length, high, low)| {
                let bits = high << 22 | low << 7 | low;
                let address = if v6 { IpAddr::V6(u128::from(bits).rotate_right(32).into()) } else { IpAddr::V4(bits.into()) };
                Prefix::new(address, length).unwrap()
            },
        )
    }

    fn solution(mut all: Vec<Prefix>) -> Solution {
        all.sort_unstable();
        all.dedup();
        Solution {
            classes: Vec::new(),
            shared: Shared::default(),
            rounds: 1,
            restless: false,
            down: BTreeSet::new(),
            by_prefix: Arc::new(all.into_iter().zip(0..).collect()),
            depends: Arc::default(),
            ases: Arc::default(),
            round: 0,
            in_order: true,
        }
    }

    proptest! {
        #[test]
        fn what_contains_an_address_is_found_as_by_asking_for_every_length(
            v6: bool, all in prop::collection::vec(any::<bool>().prop_flat_map(prefixes), 0..40), asked in any::<bool>().prop_flat_map(prefixes)
        ) {
            let family = |p: &Prefix| p.address().is_ipv6() == v6;
            let solution = solution(all.into_iter().filter(family).collect());
            let each = |length| Prefix::new(asked.address(), length).and_then(|p| Some((p, solution.place_of(&p)?)));
            let by_length: Vec<(Prefix, usize)> = (0..=asked.length()).rev().filter_map(each).collect();
            prop_assert_eq!(solution.covering_up_to(asked.address(), asked.length()).collect::<Vec<_>>(), by_length);
        }
    }
}
