//! The tables after a change, from those before it: each destination goes on from where it had come to rest, and only what the change
//! touches is said again. What it does not touch is shared.

use crate::alike::{ALONE, Likeness, likeness};
use crate::blueprint::Feed;
use crate::origin::on_the_wire;
use crate::overlay::Delta;
use crate::plane::{NONE, Plane};
use crate::queue::{Queue, Schedule};
use crate::session::OUTSIDE;
use crate::shared::Shared;
use crate::solution::{Dependent, Solution, Solved, in_parts};
use crate::solve::{Class, State};
use bgp::Prefix;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Rounds in which aggregates, default routes and conditions must come to rest; after them everything is computed anew.
const ROUNDS_MAX: usize = 24;

/// What differs in how a prefix is announced and treated.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Keyed {
    /// How policies that changed see it.
    marks: Vec<u64>,
    /// Place, and the route that is there from now on.
    origins: Vec<(u32, Option<u32>)>,
    suppressed: Option<BTreeSet<usize>>,
    granted: Option<BTreeSet<u32>>,
    withheld: Option<BTreeSet<u32>>,
}

/// What all destinations have to look at again.
#[derive(Default)]
struct Look {
    gone: Vec<u32>,
    touched: Vec<u32>,
    /// First places of the directions that are touched: what comes there from outside, or is made for it, is taken anew.
    imports: BTreeSet<u32>,
    fresh: Vec<u32>,
    choosers: Vec<usize>,
    /// Routers to which some next hops have another cost, and which.
    costs: Vec<(usize, Vec<bool>)>,
    /// Routers whose policies look at prefixes and may see those otherwise that were alike.
    lists: Vec<usize>,
    /// Destinations that were alike before the change are still treated alike.
    alike: bool,
}

/// What one destination has to do.
#[derive(Default)]
struct Work {
    puts: Vec<(u32, u32)>,
    resend: Vec<u32>,
    choose: Vec<usize>,
}

impl Plane<'_> {
    /// Solves a network that was made by [`Plane::changed`] from `plane`, whose solution is `before`. Threads as in [`Plane::solve_all_by`].
    ///
    /// Where the order of arrival decides, the answer is that of a network that was in the state before when the change came: an older path
    /// stays. Elsewhere it is what [`Plane::solve_all`] says.
    #[must_use]
    pub fn solve_after(&self, plane: &Plane<'_>, before: &Solution, threads: usize) -> Solution {
        let resumed = self.delta.as_ref().filter(|d| !d.whole && !before.restless).and_then(|d| self.resume(plane, before, d, threads));
        resumed.unwrap_or_else(|| self.solve_all_by(Schedule::First, threads))
    }

    /// `None`: it cannot be told from what was before.
    fn resume(&self, plane: &Plane<'_>, before: &Solution, delta: &Delta, threads: usize) -> Option<Solution> {
        let mut solution = before.clone();
        let mut look = Look {
            gone: if delta.renumbered.is_none() { delta.gone.clone() } else { Vec::new() },
            fresh: delta.fresh.clone(),
            touched: delta.touched.clone(),
            choosers: delta.choosers.clone(),
            lists: delta.lists.clone(),
            alike: self.is_blind_within(&before.ases),
            ..Look::default()
        };
        solution.round += 1;
        let mut local = None;
        if delta.rewired {
            look.costs = self.rewired(plane, &mut solution.shared);
            let hops = self.by_wire(delta, &look, &solution.shared);
            if !hops.is_empty() {
                look.touched.extend(hops.iter().filter(|h| !delta.touched.contains(h)));
                let mut own = self.shared();
                own.regroup(&hops);
                local = Some(own);
            }
        }
        let mut to_decide: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        if delta.renumbered.is_some() {
            self.translate(plane, delta, &mut solution, &mut to_decide)?;
        }
        let worker = local.as_ref().unwrap_or(self);
        look.imports = look.touched.iter().map(|h| worker.half_slots[*h as usize].0).collect();
        let keyed = self.keyed(plane, before, delta, &mut solution);
        let aged = match (&plane.network.older, &self.network.older) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a == b,
            (a, b) => a.is_none() && b.is_none(),
        };
        solution.in_order &= aged
            && delta.gone.is_empty()
            && delta.fresh.is_empty()
            && delta.renumbered.is_none()
            && keyed.values().all(|k| k.origins.is_empty());
        let was = self.rekey(&mut solution, keyed);
        let all: Vec<u32> = (0..solution.classes.len() as u32).filter(|n| !solution.classes[*n as usize].prefixes.is_empty()).collect();
        let idle = look.gone.is_empty()
            && look.touched.is_empty()
            && look.fresh.is_empty()
            && look.choosers.is_empty()
            && look.costs.is_empty()
            && to_decide.is_empty();
        let all = if idle { was.keys().copied().collect() } else { all };
        worker.go_on(&mut solution, &all, &was, &look, &to_decide, threads);
        let mut rounds = 1;
        let depends = self.has_dependents() || *solution.depends != Dependent::default();
        loop {
            if !depends {
                break;
            }
            let next = worker.dependents(&mut solution);
            // a session that is down for its limit may be up in the changed network, or go down in it
            if !solution.depends.down.is_empty() || !next.down.is_empty() || !worker.over_limit(&solution).is_empty() {
                return None;
            }
            if next == *solution.depends {
                break;
            }
            rounds += 1;
            if rounds > ROUNDS_MAX || next.resolved != solution.depends.resolved {
                return None;
            }
            let keyed = self.keyed_by_dependents(&mut solution, &next);
            solution.depends = Arc::new(next);
            let was = self.rekey(&mut solution, keyed);
            let some: Vec<u32> = was.keys().copied().collect();
            worker.go_on(&mut solution, &some, &was, &Look::default(), &BTreeMap::new(), threads);
        }
        if !depends && !worker.resolved_by_bgp(&mut solution).is_empty() {
            return None;
        }
        if local.is_some() {
            solution.shared.forget_transfers();
        }
        solution.rounds = rounds;
        solution.down.clone_from(&solution.depends.down);
        solution.shared.freeze();
        Some(solution)
    }

    /// Works out the costs of the changed network, and which of them are others.
    fn rewired(&self, plane: &Plane<'_>, shared: &mut Shared) -> Vec<(usize, Vec<bool>)> {
        shared.know(plane);
        let old = shared.costs.clone();
        let trees = self.fabric.repaired(&plane.fabric, &shared.trees);
        shared.rewire(self, trees);
        let mut out: BTreeMap<usize, Vec<bool>> = BTreeMap::new();
        for (hop, (was, is)) in old.iter().zip(&shared.costs).enumerate() {
            for (router, _) in was.iter().zip(is.iter()).enumerate().filter(|(_, (a, b))| a != b) {
                out.entry(router).or_insert_with(|| vec![false; old.len()])[hop] = true;
            }
        }
        out.into_iter().collect()
    }

    /// Returns the directions of routers that gained or lost a subnet in which some next hop lies: whether a next hop is the router's own,
    /// or is on the wire of both, may be answered otherwise there.
    fn by_wire(&self, delta: &Delta, look: &Look, shared: &Shared) -> Vec<u32> {
        let mut hops: BTreeSet<core::net::IpAddr> = (1..shared.routes.hops() as u32).filter_map(|n| shared.routes.next_hop(n)).collect();
        for policy in self.network.routers.iter().map(|r| &r.config.policy) {
            let actions = policy.definitions.values().flat_map(|d| &d.statements).flat_map(|s| &s.actions);
            hops.extend(actions.filter_map(|a| if let config::RouteAction::SetNextHop(hop) = a { Some(*hop) } else { None }));
        }
        let has = |subnets: &Vec<Prefix>| hops.iter().any(|hop| subnets.iter().any(|s| s.contains(*hop)));
        let routers: BTreeSet<u32> = delta.subnets.iter().filter(|(_, s)| has(s)).map(|(r, _)| *r as u32).collect();
        // AIGP grows by the cost of the way that the sender has
        let grows = (0..shared.routes.len() as u32).any(|n| shared.routes.key(n).aigp.is_some());
        let senders: BTreeSet<u32> = look.costs.iter().filter(|_| grows).map(|(r, _)| *r as u32).collect();
        let at = |h: &(u32, &crate::session::Half)| routers.contains(&h.1.from) || routers.contains(&h.1.to) || senders.contains(&h.1.from);
        (0..).zip(self.halves.iter()).filter(at).map(|(n, _)| n).collect()
    }

    /// Says every state in the numbers of this plane. What came by a session that is no more goes; who had chosen it has to choose.
    fn translate(
        &self,
        plane: &Plane<'_>,
        delta: &Delta,
        solution: &mut Solution,
        to_decide: &mut BTreeMap<u32, Vec<usize>>,
    ) -> Option<()> {
        let said = delta.renumbered.as_ref()?;
        let place = |p: u32| if p == NONE { NONE } else { said.places[p as usize] };
        for (number, solved) in (0..).zip(solution.classes.iter_mut()) {
            let old = &*solved.own_state(&mut solution.shared);
            let mut state = self.blank();
            for (p, slot) in old.slots.iter().enumerate() {
                if let Some(new) = state.slots.get_mut(place(p as u32) as usize) {
                    *new = *slot;
                }
            }
            state.take_over(old, place);
            let lost = |r: &usize| old.best[*r] != NONE && state.best[*r] == NONE;
            let lost: Vec<usize> = (0..state.best.len()).filter(lost).collect();
            if !lost.is_empty() {
                to_decide.insert(number, lost);
            }
            let mut class = Class::clone(&solved.class);
            class.origins = class.origins.iter().map(|(p, r)| (place(*p), *r)).filter(|(p, _)| *p != NONE).collect();
            let direction = |h: &u32| Some(said.halves[*h as usize]).filter(|h| *h != NONE);
            class.withheld = class.withheld.iter().filter_map(direction).collect();
            class.granted = class.granted.iter().filter_map(direction).collect();
            *solved = Arc::new(Solved::own(Arc::new(class), Arc::clone(&solved.prefixes), state, ALONE));
        }
        let mut depends = Dependent::clone(&solution.depends);
        for made in depends.made.values_mut() {
            *made = made.iter().map(|(p, r)| (place(*p), r.clone())).filter(|(p, _)| *p != NONE).collect();
        }
        depends.made.retain(|_, made| !made.is_empty());
        let direction = |h: &u32| Some(said.halves[*h as usize]).filter(|h| *h != NONE);
        for all in [&mut depends.withheld, &mut depends.granted] {
            all.values_mut().for_each(|halves| *halves = halves.iter().filter_map(direction).collect());
            all.retain(|_, halves| !halves.is_empty());
        }
        depends.down = depends.down.iter().filter_map(direction).collect();
        solution.depends = Arc::new(depends);
        solution.shared.forget_transfers();
        debug_assert_eq!(plane.nodes.len(), self.nodes.len());
        Some(())
    }

    /// Finds the prefixes that are announced otherwise, or that policies newly tell from others they were treated like.
    fn keyed(&self, plane: &Plane<'_>, before: &Solution, delta: &Delta, solution: &mut Solution) -> BTreeMap<Prefix, Keyed> {
        let mut out: BTreeMap<Prefix, Keyed> = BTreeMap::new();
        let place = |p: u32| delta.renumbered.as_ref().map_or(p, |said| said.places[p as usize]);
        for router in &delta.makers {
            let was: BTreeMap<(Prefix, u32), u32> =
                plane.made_by(*router, &mut solution.shared).into_iter().map(|((prefix, p), r)| ((prefix, place(p)), r)).collect();
            let is = self.made_by(*router, &mut solution.shared);
            for (prefix, p) in was.keys().filter(|k| !is.contains_key(k)) {
                out.entry(*prefix).or_default().origins.push((*p, None));
            }
            for ((prefix, p), route) in is.iter().filter(|(k, r)| was.get(k) != Some(r)) {
                out.entry(*prefix).or_default().origins.push((*p, Some(*route)));
            }
        }
        for feed in &self.network.feeds {
            let inward = |h: &&crate::session::Half| h.from == OUTSIDE && h.to as usize == feed.router && h.from_address == feed.neighbor;
            let Some((h, _)) = self.halves.iter().enumerate().find(|(_, h)| inward(h)) else { continue };
            let p = self.half_slots[h].0;
            let known = |f: &&Feed| (f.router, f.neighbor) == (feed.router, feed.neighbor);
            let old = plane.network.feeds.iter().find(known).filter(|_| !delta.fresh.contains(&(h as u32)));
            for (prefix, attributes) in differing(old, feed, self.family) {
                let route = attributes.map(|a| solution.shared.routes.number(on_the_wire(a)));
                out.entry(prefix).or_default().origins.push((p, route));
            }
        }
        if !delta.lists.is_empty() {
            let marks = |prefix: &Prefix| self.marks_at(delta.lists.iter().copied(), prefix);
            for solved in &before.classes {
                if solved.prefixes.len() < 2 {
                    continue;
                }
                let own = marks(&solved.class.prefix);
                for (prefix, other) in solved.prefixes.iter().map(|p| (p, marks(p))).filter(|(_, m)| *m != own) {
                    out.entry(*prefix).or_default().marks = other;
                }
            }
        }
        out
    }

    /// Finds the prefixes that other destinations treat otherwise now.
    fn keyed_by_dependents(&self, solution: &mut Solution, next: &Dependent) -> BTreeMap<Prefix, Keyed> {
        let mut out: BTreeMap<Prefix, Keyed> = BTreeMap::new();
        let old = Arc::clone(&solution.depends);
        let none = Vec::new();
        for prefix in old.made.keys().chain(next.made.keys()).collect::<BTreeSet<_>>() {
            let (was, is) = (old.made.get(prefix).unwrap_or(&none), next.made.get(prefix).unwrap_or(&none));
            if was != is {
                let keyed = out.entry(*prefix).or_default();
                let gone = was.iter().filter(|(p, _)| !is.iter().any(|(q, _)| p == q));
                keyed.origins.extend(gone.map(|(p, _)| (*p, None)));
                keyed.origins.extend(is.iter().map(|(p, route)| (*p, Some(solution.shared.routes.number(route.clone())))));
            }
        }
        for prefix in old.suppressed.keys().chain(next.suppressed.keys()) {
            if old.suppressed.get(prefix) != next.suppressed.get(prefix) {
                out.entry(*prefix).or_default().suppressed = Some(next.suppressed.get(prefix).cloned().unwrap_or_default());
            }
        }
        for prefix in old.granted.keys().chain(next.granted.keys()) {
            if old.granted.get(prefix) != next.granted.get(prefix) {
                out.entry(*prefix).or_default().granted = Some(next.granted.get(prefix).cloned().unwrap_or_default());
            }
        }
        for prefix in old.withheld.keys().chain(next.withheld.keys()) {
            if old.withheld.get(prefix) != next.withheld.get(prefix) {
                out.entry(*prefix).or_default().withheld = Some(next.withheld.get(prefix).cloned().unwrap_or_default());
            }
        }
        out
    }

    /// Makes destinations of the prefixes that are others now. They begin with the state of the one that they were part of. Returns, for each
    /// destination that is another, the one that it comes from.
    fn rekey(&self, solution: &mut Solution, keyed: BTreeMap<Prefix, Keyed>) -> BTreeMap<u32, Arc<Class>> {
        let mut was: BTreeMap<u32, Arc<Class>> = BTreeMap::new();
        let mut groups: BTreeMap<(u32, Keyed), Vec<Prefix>> = BTreeMap::new();
        for (prefix, mut keyed) in keyed {
            let old = solution.number_of(&prefix).unwrap_or(NONE);
            if old == NONE {
                keyed.marks = self.marks(&prefix);
            }
            groups.entry((old, keyed)).or_default().push(prefix);
        }
        let mut leaving: BTreeMap<u32, BTreeSet<Prefix>> = BTreeMap::new();
        let mut entering: BTreeMap<Prefix, u32> = BTreeMap::new();
        for ((old, keyed), prefixes) in groups {
            let from = solution.classes.get(old as usize).cloned();
            let old_class = from.as_ref().map_or_else(|| Arc::new(Class::of(prefixes[0])), |f| Arc::clone(&f.class));
            let mut class = Class::clone(&old_class);
            for (place, route) in &keyed.origins {
                class.origins.retain(|(p, _)| p != place);
                class.origins.extend(route.map(|r| (*place, r)));
            }
            class.suppressed = keyed.suppressed.unwrap_or(class.suppressed);
            class.granted = keyed.granted.unwrap_or(class.granted);
            class.withheld = keyed.withheld.unwrap_or(class.withheld);
            let whole = from.as_ref().is_some_and(|f| f.prefixes.len() == prefixes.len());
            let number = if whole { old } else { solution.classes.len() as u32 };
            if !whole {
                (class.number, class.prefix) = (number, prefixes[0]);
                entering.extend(prefixes.iter().map(|p| (*p, number)));
                if old != NONE {
                    leaving.entry(old).or_default().extend(&prefixes);
                }
            }
            let state = match &from {
                Some(from) => from.own_state(&mut solution.shared).into_owned(),
                None => self.blank_for(&class, &mut solution.shared),
            };
            was.insert(number, old_class);
            let prefixes = from.filter(|_| whole).map_or_else(|| Arc::new(prefixes), |f| Arc::clone(&f.prefixes));
            let solved = Arc::new(Solved::own(Arc::new(class), prefixes, state, ALONE));
            if whole { solution.classes[number as usize] = solved } else { solution.classes.push(solved) }
        }
        for (old, gone) in leaving {
            let solved = Arc::make_mut(&mut solution.classes[old as usize]);
            Arc::make_mut(&mut solved.prefixes).retain(|p| !gone.contains(p));
            // policies are asked about one that is still there
            if let (true, Some(first)) = (gone.contains(&solved.class.prefix), solved.prefixes.first()) {
                Arc::make_mut(&mut solved.class).prefix = *first;
            }
        }
        if !entering.is_empty() {
            let by_prefix = Arc::make_mut(&mut solution.by_prefix);
            let known = by_prefix.len();
            for (prefix, number) in entering {
                match by_prefix[..known].binary_search_by_key(&prefix, |(p, _)| *p) {
                    Ok(at) => by_prefix[at].1 = number,
                    Err(_) => by_prefix.push((prefix, number)),
                }
            }
            by_prefix.sort_unstable_by_key(|(p, _)| *p);
        }
        was
    }

    /// Lets destinations go on from their states.
    fn go_on(
        &self,
        solution: &mut Solution,
        numbers: &[u32],
        was: &BTreeMap<u32, Arc<Class>>,
        look: &Look,
        to_decide: &BTreeMap<u32, Vec<usize>>,
        threads: usize,
    ) {
        let (classes, round) = (&solution.classes, solution.round);
        let alike = |n: &u32| look.alike && classes[*n as usize].like != ALONE && !was.contains_key(n) && !to_decide.contains_key(n);
        // the first of each kind is worked out, and tells the others
        let mut firsts: BTreeMap<(Likeness, Vec<u64>), u32> = BTreeMap::new();
        let mut todo: Vec<u32> = Vec::new();
        let mut others: Vec<(u32, u32)> = Vec::new();
        for n in numbers {
            let solved = &classes[*n as usize];
            let first = if alike(n) { *firsts.entry((solved.like, self.marks_of(look, &solved.class.prefix))).or_insert(*n) } else { *n };
            if first == *n { todo.push(*n) } else { others.push((first, *n)) }
        }
        let work = |part: &[u32], shared: &mut Shared| -> Vec<(u32, Solved)> {
            let mut queue = Queue::new(Schedule::First, self.halves.len());
            let mut todo = Work::default();
            let one = |n: &u32| {
                let solved = &classes[*n as usize];
                let old = was.get(n).map_or(&*solved.class, |w| w);
                let lost = to_decide.get(n).map_or(&[][..], |l| l);
                let mut done = self.go_on_with(solved, old, look, lost, shared, &mut queue, &mut todo)?;
                if alike(n) && !done.state.is_restless() {
                    done.like = likeness(round, *n);
                }
                Some((*n, done))
            };
            part.iter().filter_map(one).collect()
        };
        // a part gives fewer results than it has destinations; renumbering goes by result
        let renumber = |(_, s): &mut (u32, Solved), said: &crate::route::Renumbered| Arc::make_mut(&mut s.state).renumber(said);
        let mut done = in_parts(&todo, threads, &mut solution.shared, work, renumber);
        let mut told: Vec<(u32, Solved)> = Vec::with_capacity(others.len());
        let mut untold: Vec<u32> = Vec::new();
        let places: BTreeMap<u32, usize> = done.iter().zip(0..).map(|((n, _), at)| (*n, at)).collect();
        let mut tells: BTreeMap<usize, bool> = BTreeMap::new();
        for (first, n) in others {
            // where nothing changed for the first, nothing does for the others
            let Some(at) = places.get(&first) else { continue };
            let (first, solved) = (&done[*at].1, &classes[n as usize]);
            if *tells.entry(*at).or_insert_with(|| first.like != ALONE && first.can_tell(&solution.shared)) {
                told.push((n, first.tell(self.without_gone(solved, look), Arc::clone(&solved.prefixes))));
            } else {
                untold.push(n);
            }
        }
        done.extend(told);
        let mut untold = in_parts(&untold, threads, &mut solution.shared, work, renumber);
        untold.iter_mut().for_each(|(_, solved)| solved.like = ALONE);
        done.extend(untold);
        // a prefix that nobody announces any more is known no longer
        let mut unknown = BTreeSet::new();
        for (n, mut solved) in done {
            if solved.class.origins.is_empty() {
                unknown.insert(n);
                solved.prefixes = Arc::default();
            }
            solution.classes[n as usize] = Arc::new(solved);
        }
        if !unknown.is_empty() {
            Arc::make_mut(&mut solution.by_prefix).retain(|(_, n)| !unknown.contains(n));
        }
        solution.shared.know(self);
    }

    #[allow(clippy::too_many_arguments, reason = "one destination with everything that may concern it")]
    fn go_on_with(
        &self,
        solved: &Solved,
        old: &Class,
        look: &Look,
        lost: &[usize],
        shared: &mut Shared,
        queue: &mut Queue,
        todo: &mut Work,
    ) -> Option<Solved> {
        if solved.prefixes.is_empty() {
            return None;
        }
        let (class, state) = (&*solved.class, &*solved.own_state(shared));
        todo.puts.clear();
        todo.resend.clear();
        todo.choose.clear();
        self.look(class, old, state, look, shared, todo);
        if todo.puts.is_empty() && todo.resend.is_empty() && todo.choose.is_empty() && lost.is_empty() {
            return None;
        }
        let next = self.without_gone(solved, look);
        let mut state = state.clone();
        if state.is_restless() {
            state = self.solve_with(&next, shared, queue);
        } else {
            queue.hears(&state);
            let mut heard: Vec<usize> = Vec::new();
            for (place, route) in todo.puts.drain(..) {
                if self.put(place, route, &mut state) {
                    heard.push(self.router_of(place));
                }
            }
            heard.extend(todo.choose.iter().chain(lost));
            let mut chosen = BTreeSet::new();
            for router in heard {
                if chosen.insert(router) {
                    self.decide(router, &mut state, shared, queue);
                }
            }
            lost.iter().flat_map(|r| &self.nodes[*r].outs).for_each(|h| queue.push(*h));
            todo.resend.iter().for_each(|h| queue.push(*h));
            self.run(&next, &mut state, shared, queue);
        }
        Some(Solved::own(next, Arc::clone(&solved.prefixes), state, ALONE))
    }

    /// A destination without what came by sessions that are no more.
    fn without_gone(&self, solved: &Solved, look: &Look) -> Arc<Class> {
        let gone = |p: &u32| look.gone.iter().any(|h| self.half_slots[*h as usize].0 == *p);
        let mut next = Arc::clone(&solved.class);
        if !look.gone.is_empty() && next.origins.iter().any(|(p, _)| gone(p)) {
            Arc::make_mut(&mut next).origins.retain(|(p, _)| !gone(p));
        }
        next
    }

    /// How routers see a prefix whose policies differ, where that may tell destinations apart that were alike.
    fn marks_of(&self, look: &Look, prefix: &Prefix) -> Vec<u64> {
        if look.lists.is_empty() { Vec::new() } else { self.marks_at(look.lists.iter().copied(), prefix) }
    }

    /// Finds what a destination has to do; it reads only.
    fn look(&self, class: &Class, old: &Class, state: &State, look: &Look, shared: &mut Shared, todo: &mut Work) {
        let route_at = |p: u32| state.slots[p as usize].route;
        for h in &look.gone {
            let (first, count) = self.half_slots[*h as usize];
            todo.puts.extend((first..first + count).filter(|p| route_at(*p) != NONE).map(|p| (p, NONE)));
        }
        let same = core::ptr::eq(class, old);
        for (p, route) in &class.origins {
            let known = same || old.origins.contains(&(*p, *route));
            if (!known || look.imports.contains(p)) && !self.is_gone(*p) {
                let (_, held) = self.held_of(&class.prefix, *p, *route, shared);
                if held != route_at(*p) {
                    todo.puts.push((*p, held));
                }
            }
        }
        let mut again: Vec<u32> = Vec::new();
        if !same {
            for (p, _) in old.origins.iter().filter(|(p, _)| !class.origins.iter().any(|(q, _)| p == q)) {
                if route_at(*p) != NONE {
                    todo.puts.push((*p, NONE));
                }
                again.extend(Some(self.slot_half[*p as usize]).filter(|h| *h != NONE));
            }
            let routers = class.suppressed.symmetric_difference(&old.suppressed);
            again.extend(routers.flat_map(|r| &self.nodes[*r].outs));
            for h in class.withheld.difference(&old.withheld) {
                let (first, count) = self.half_slots[*h as usize];
                let made = |p: u32| class.origins.iter().any(|(q, _)| p == *q);
                todo.puts.extend((first..first + count).filter(|p| route_at(*p) != NONE && !made(*p)).map(|p| (p, NONE)));
            }
            again.extend(old.withheld.difference(&class.withheld));
            again.extend(old.granted.symmetric_difference(&class.granted));
            for h in &class.withheld {
                again.retain(|a| a != h);
            }
        }
        for h in look.touched.iter().chain(&look.fresh).chain(&again) {
            let half = &self.halves[*h as usize];
            if half.from == OUTSIDE || half.to == OUTSIDE || class.withheld.contains(h) {
                continue;
            }
            let (first, count) = self.half_slots[*h as usize];
            if count > 1 || self.transfer(class, *h, state.best[half.from as usize], state, shared) != route_at(first) {
                todo.resend.push(*h);
            }
        }
        for router in &look.choosers {
            self.look_at_choice(*router, state, shared, todo);
        }
        for (router, changed) in &look.costs {
            let here = |p: u32| Some(route_at(p)).filter(|r| *r != NONE).map(|r| shared.routes.key(r).next_hop as usize);
            if self.nodes[*router].slots.clone().filter_map(here).any(|hop| changed.get(hop).copied().unwrap_or(true)) {
                self.look_at_choice(*router, state, shared, todo);
            }
        }
    }

    fn look_at_choice(&self, router: usize, state: &State, shared: &mut Shared, todo: &mut Work) {
        if self.nodes[router].sends_more || self.choose(router, state, shared) != (state.best[router], state.said[router]) {
            todo.choose.push(router);
        }
    }

    /// Returns where something is left to say: prefix and the router that would hear or choose something else. A circle is not at rest; its
    /// routers are named. Nothing that was remembered of transfers is used.
    #[must_use]
    pub fn unrest(&self, solution: &Solution) -> Vec<(Prefix, String)> {
        let mut out = Vec::new();
        let mut shared = solution.shared.clone();
        shared.forget_transfers();
        let (classes, shared) = (&solution.classes, &mut shared);
        for solved in classes.iter().filter(|s| !s.prefixes.is_empty()) {
            let (class, state) = (&*solved.class, &*solved.own_state(shared));
            let mut restless = |router: usize| out.push((class.prefix, self.network.routers[router].name.clone()));
            for (h, half) in (0..).zip(self.halves.iter()) {
                let (first, count) = self.half_slots[h as usize];
                if half.from == OUTSIDE || half.to == OUTSIDE || class.withheld.contains(&h) || count > 1 {
                    continue;
                }
                if self.transfer(class, h, state.best[half.from as usize], state, shared) != state.slots[first as usize].route {
                    restless(half.to as usize);
                }
            }
            for router in 0..self.nodes.len() {
                if self.choose(router, state, shared).0 != state.best[router] {
                    restless(router);
                }
            }
        }
        out
    }

    fn blank_for(&self, class: &Class, shared: &mut Shared) -> State {
        let mut state = self.blank();
        state.self_hop = Self::self_hop(class, shared);
        state
    }
}

/// The prefixes that a feed announces otherwise than before, with what it announces now.
fn differing<'f>(old: Option<&Feed>, new: &'f Feed, family: bgp::Family) -> Vec<(Prefix, Option<&'f bgp::PathAttributes>)> {
    if old.is_some_and(|o| Arc::ptr_eq(&o.routes, &new.routes) && Arc::ptr_eq(&o.attributes, &new.attributes)) {
        return Vec::new();
    }
    let sorted = |feed: &Feed| {
        let mut all: Vec<(Prefix, u32)> = feed.routes.iter().filter(|(p, _)| p.family() == family).copied().collect();
        if !all.is_sorted_by_key(|(p, _)| *p) {
            all.sort_by_key(|(p, _)| *p);
        }
        all
    };
    let (was, is) = (old.map(sorted).unwrap_or_default(), sorted(new));
    let mut out = Vec::new();
    let (mut a, mut b) = (was.iter().peekable(), is.iter().peekable());
    let now = |at: u32| new.attributes.get(at as usize);
    let then = |at: u32| old.and_then(|o| o.attributes.get(at as usize));
    loop {
        match (a.peek(), b.peek()) {
            (None, None) => return out,
            (Some((p, _)), Some((q, _))) if p < q => {
                out.push((*p, None));
                a.next();
            }
            (Some((p, _)), None) => {
                out.push((*p, None));
                a.next();
            }
            (Some((p, x)), Some((q, y))) if p == q => {
                if then(*x) != now(*y) {
                    out.push((*q, now(*y)));
                }
                a.next();
                b.next();
            }
            (_, Some((q, y))) => {
                out.push((*q, now(*y)));
                b.next();
            }
        }
    }
}
