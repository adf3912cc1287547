//! Orders in which sessions come up: which ones can matter, and what each makes of the tables.

use crate::compare::Step;
use crate::plane::{NONE, Plane};
use crate::queue::{Queue, Schedule};
use crate::shared::Shared;
use crate::solution::{Dependent, Solution, Solved};
use crate::solve::State;
use crate::tables::OrderDependent;
use bgp::Prefix;
use core::fmt::Write as _;
use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

/// Orders that are computed; of a router with more sessions, and of a network with more such routers, the rest is not.
const ORDERS_MAX: usize = 48;
/// Sessions of one router of which each comes up first once.
const SESSIONS_MAX: usize = 8;

/// In which order sessions come up.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrival {
    /// Sessions that come up later, each stage when everything before it is at rest: router by position, and neighbour.
    pub stages: Vec<Vec<(usize, IpAddr)>>,
    /// Routers that hear everything that is under way before they choose, in the last stage (FRR: `update-delay`, or one run of its queue).
    pub patient: BTreeSet<usize>,
}

/// A row whose choice differs from that of the first order.
#[derive(Clone, Debug, Default)]
struct Differing {
    candidates: BTreeSet<String>,
    steps: BTreeSet<Step>,
    paths: bool,
}

impl<'n> Plane<'n> {
    /// Makes the sessions come up in an order.
    pub fn arrive(&mut self, arrival: &Arrival) {
        self.stage = vec![0; self.halves.len()];
        for (n, stage) in (1..).zip(&arrival.stages) {
            for (router, neighbor) in stage {
                let inward = self.halves.iter().position(|h| h.to as usize == *router && h.from_address == *neighbor);
                if let Some(h) = inward {
                    let back = self.halves[h].reverse as usize;
                    (self.stage[h], self.stage[back]) = (n, n);
                }
            }
        }
        self.patient.clone_from(&arrival.patient);
    }

    /// Returns the other end of a session: its router, and our address as that router knows it; `None` when it is outside the network.
    #[must_use]
    pub fn other_end(&self, router: usize, neighbor: IpAddr) -> Option<(usize, IpAddr)> {
        let half = self.halves.iter().find(|h| h.to as usize == router && h.from_address == neighbor)?;
        (half.from != crate::session::OUTSIDE).then_some((half.from as usize, half.to_address))
    }

    /// Returns how many sides of sessions between routers of the network are up after a stage, 0 before any that comes later; those that went
    /// down by their own limit are not counted.
    #[must_use]
    pub fn sides_up(&self, solution: &Solution, stage: u16) -> usize {
        let inside = |h: &crate::session::Half| h.from != crate::session::OUTSIDE && h.to != crate::session::OUTSIDE;
        let stages = self.stage.iter().copied().chain(core::iter::repeat(0));
        let all = (0..).zip(self.halves.iter()).zip(stages);
        all.filter(|((n, h), s)| inside(h) && *s <= stage && !solution.down.contains(n)).count()
    }

    /// Returns a plane of the same network in which sessions come up in an order.
    #[must_use]
    pub fn in_order(&self, arrival: &Arrival) -> Plane<'n> {
        let mut other = Plane::new(self.network, self.family);
        other.arrive(arrival);
        other
    }

    /// Says in words which sessions come up when.
    #[must_use]
    pub fn words(&self, arrival: &Arrival) -> String {
        let name = |r: &usize| self.network.routers.get(*r).map_or("", |r| r.name.as_str());
        let mut out = String::new();
        for router in &arrival.patient {
            let _ = write!(out, "{}{} hears all before it chooses", if out.is_empty() { "" } else { ", " }, name(router));
        }
        for stage in &arrival.stages {
            let all = stage.iter().map(|(r, n)| format!("{}-{n}", name(r))).collect::<Vec<_>>().join(" and ");
            let _ = write!(out, "{}{all}", if out.is_empty() { "later " } else { ", then " });
        }
        if out.is_empty() { "as it comes".to_owned() } else { out }
    }

    /// Returns the orders that may matter: routers whose choice another order of messages makes otherwise, or that go by age, hear their
    /// neighbours one after the other, each of them first once; or all of them before they choose.
    #[must_use]
    pub fn arrivals(&self, solution: &Solution) -> Vec<Arrival> {
        let roots = self.roots(solution);
        // a session of two such routers takes part in the turns of one of them
        let mut taken: BTreeSet<(usize, IpAddr)> = BTreeSet::new();
        let mut turns: Vec<(usize, Vec<IpAddr>)> = Vec::new();
        for (router, neighbours) in roots {
            let own: Vec<IpAddr> = neighbours.into_iter().filter(|n| !taken.contains(&(router, *n))).collect();
            taken.extend(own.iter().filter_map(|n| self.other_end(router, *n)));
            turns.push((router, own));
        }
        let mut out: Vec<Arrival> = Vec::new();
        let mut add = |arrival: Arrival| {
            if arrival != Arrival::default() && !out.contains(&arrival) && out.len() < ORDERS_MAX {
                out.push(arrival);
            }
        };
        if turns.is_empty() {
            return out;
        }
        add(at_once(&turns));
        // all of them take turns together, then each alone
        for n in 0..turns.iter().map(|(_, s)| s.len().min(SESSIONS_MAX)).max().unwrap_or(0) {
            add(rotated(&turns, n));
        }
        if turns.len() > 1 {
            for one in turns.chunks(1) {
                add(at_once(one));
                (0..one[0].1.len().min(SESSIONS_MAX)).for_each(|n| add(rotated(one, n)));
            }
        }
        out
    }

    /// Routers whose own choice may depend on order, with the neighbours that they have the paths in question from.
    fn roots(&self, solution: &Solution) -> BTreeMap<usize, BTreeSet<IpAddr>> {
        let (mut out, mut others): (BTreeMap<usize, BTreeSet<IpAddr>>, BTreeMap<usize, BTreeSet<IpAddr>>) = Default::default();
        let alone = self.each_for_itself(solution);
        let mut shared = solution.shared.clone();
        for schedule in [None, Some(Schedule::Reverse), Some(Schedule::Last), Some(Schedule::Together)] {
            if let (Some(schedule), Some(all)) = (schedule, &alone)
                && self.rests_alike(all, schedule, &mut shared)
            {
                continue;
            }
            let other = schedule.map(|s| self.solve_all(s));
            for solved in &solution.classes {
                let other = other.as_ref().unwrap_or(solution);
                let Some(there) = other.class_of(&solved.class.prefix) else { continue };
                for router in 0..self.nodes.len() {
                    let (a, b) = (&solved.state, &there.state);
                    let by_age = b.said[router].0 == Step::Oldest;
                    if !by_age && a.best[router] == b.best[router] && a.said[router].0 == b.said[router].0 {
                        continue;
                    }
                    // who has other paths only passes on that somebody else chose otherwise
                    let own = by_age || self.held(solution, a, router) == self.held(other, b, router);
                    let into = if own { &mut out } else { &mut others };
                    let neighbours = into.entry(router).or_default();
                    for state in [a, b] {
                        let held = self.nodes[router].slots.clone().filter(|s| state.slots[*s as usize].route != NONE);
                        let from = held.filter_map(|s| self.halves.get(self.slot_half[s as usize] as usize));
                        neighbours.extend(from.map(|h| h.from_address));
                    }
                }
            }
        }
        out.retain(|_, neighbours| neighbours.len() > 1);
        if out.is_empty() {
            // a circle of routers each of whom waits for the other
            others.retain(|_, neighbours| neighbours.len() > 1);
            return others;
        }
        out
    }

    /// Returns one destination of each kind to be worked out in other orders; `None` where that does not say what the whole network does: what
    /// some hold makes a difference to others, routers pass on more than they chose, something does not rest, or what is announced does not
    /// stand in its order.
    fn each_for_itself<'s>(&self, solution: &'s Solution) -> Option<Vec<&'s Solved>> {
        let alone = solution.in_order && !solution.restless && *solution.depends == Dependent::default();
        if !alone || self.nodes.iter().any(|n| n.sends_more) {
            return None;
        }
        let all = self.each_kind(solution);
        (!all.iter().any(|s| s.state.is_restless())).then_some(all)
    }

    /// Says whether every router chooses the same for the same reason, and none by age, when messages come in another order. Then all hold the
    /// same, and so neither conditions, aggregates, limits nor next hops that BGP reaches come out otherwise.
    fn rests_alike(&self, all: &[&Solved], schedule: Schedule, shared: &mut Shared) -> bool {
        let mut queue = Queue::new(schedule, self.halves.len());
        all.iter().all(|solved| {
            let there = self.solve_with(&solved.class, shared, &mut queue);
            let step = |state: &State, router: usize| state.said.get(router).map(|(step, _)| *step);
            let same = |r: usize| step(&there, r) == step(&solved.state, r) && step(&there, r) != Some(Step::Oldest);
            !there.is_restless() && there.best == solved.state.best && (0..self.nodes.len()).all(same)
        })
    }

    /// Returns planes of the same network in which things come in another order that may matter: sessions ([`Plane::arrivals`]), and
    /// aggregates of several routers.
    pub fn in_other_orders<'s>(&'s self, solution: &Solution) -> impl Iterator<Item = Plane<'n>> + use<'s, 'n> {
        let orders = self.arrivals(solution).into_iter().map(|arrival| self.in_order(&arrival));
        orders.chain(self.rivals(solution))
    }

    /// Tells where the choice is another when sessions come up in another order.
    #[must_use]
    pub fn order_dependent(&self, solution: &Solution) -> Vec<OrderDependent> {
        let mut rows: BTreeMap<(Prefix, usize), Differing> = BTreeMap::new();
        let mut against = |other: &Solution| {
            let prefixes: BTreeSet<Prefix> = solution.prefixes().chain(other.prefixes()).collect();
            for prefix in prefixes {
                for router in 0..self.nodes.len() {
                    self.compare(&prefix, router, solution, other, &mut rows);
                }
            }
        };
        self.in_other_orders(solution).for_each(|plane| against(&plane.solve_all(Schedule::First)));
        // which of a neighbour's further paths came last is heard by those behind, and no order of sessions tells it
        let ties = self.ties(solution);
        if !ties.is_empty() {
            Schedule::ALL.into_iter().filter(|s| *s != Schedule::First).for_each(|s| against(&self.solve_all(s)));
        }
        // of two paths that are equal in all, the one that came last stays: further paths of one neighbour
        for (class, router) in ties {
            let solved = &solution.classes[class];
            for prefix in solved.prefixes.iter().copied() {
                let held = self.nodes[router].slots.clone().filter(|s| solved.state.slots[*s as usize].route != NONE);
                let path = |s: u32| solution.shared.routes.get(solved.state.slots[s as usize].route).attributes.as_path.to_string();
                let named = held.map(|s| format!("{} [{}]", self.name_of(s), path(s)));
                let row = rows.entry((prefix, router)).or_default();
                row.candidates.insert(self.name_of(solved.state.best[router]));
                row.candidates.extend(named);
                row.steps.insert(Step::Nothing);
            }
        }
        let tell = |((prefix, router), d): ((Prefix, usize), Differing)| {
            let what = if d.candidates.len() > 1 {
                "choice"
            } else if d.paths {
                "paths"
            } else {
                "reason"
            };
            let reasons = d.steps.into_iter().map(Step::name).collect();
            OrderDependent { router: self.network.routers[router].name.clone(), prefix, what, candidates: d.candidates, reasons }
        };
        rows.into_iter().map(tell).collect()
    }

    /// Destinations, by place, and routers that chose among paths which are equal in all: further paths of one neighbour (RFC 7911). The last
    /// comparison that the router made may have been with another one.
    fn ties(&self, solution: &Solution) -> Vec<(usize, usize)> {
        let mut shared = solution.shared.clone();
        let mut out = Vec::new();
        for (class, solved) in solution.classes.iter().enumerate().filter(|(_, s)| !s.prefixes.is_empty()) {
            let state = &*solved.own_state(&mut shared);
            for router in (0..self.nodes.len()).filter(|r| state.best[*r] != NONE) {
                let mine = state.best[router];
                let half = self.slot_half[mine as usize];
                let beside = |s: &u32| *s != mine && self.slot_half[*s as usize] == half && state.slots[*s as usize].route != NONE;
                if half == NONE || !self.nodes[router].slots.clone().any(|s| beside(&s)) {
                    continue;
                }
                let tied = self.with_candidates(router, state, &mut shared, |rules, list| {
                    let best = list.iter().find(|c| c.slot == mine);
                    best.is_some_and(|best| list.iter().any(|c| c.slot != mine && rules.compare(c, best).step == Step::Nothing))
                });
                if tied {
                    out.push((class, router));
                }
            }
        }
        out
    }

    /// Planes in which routers that hear of an aggregate like their own have made it before, or one of them has not.
    fn rivals(&self, solution: &Solution) -> Vec<Plane<'n>> {
        let made = |router: usize| {
            let bgp = self.network.routers[router].config.bgp.as_ref();
            bgp.is_some_and(|b| b.wider.aggregates.iter().any(|a| a.prefix.family() == self.family))
        };
        let all: Vec<usize> = (0..self.nodes.len()).filter(|r| made(*r) && self.nodes[*r].rules.profile.takes_for_own_aggregate).collect();
        let with = |yields: BTreeSet<usize>| {
            let mut plane = Plane::new(self.network, self.family);
            plane.yields = Some(yields);
            plane
        };
        // an aggregate that only one router makes has no rival
        if all.len() < 2 {
            return Vec::new();
        }
        let first = with(BTreeSet::new());
        let own = first.solve_all(Schedule::First);
        let hears = |router: &usize| {
            let place = first.local_slot(*router, crate::Kind::Aggregate);
            let made = own.depends.made.iter().filter(|(_, routes)| routes.iter().any(|(slot, _)| *slot == place));
            made.filter_map(|(prefix, _)| own.class_of(prefix)).any(|solved| {
                let other = |s: &u32| first.slot_half[*s as usize] != NONE && solved.state.slots[*s as usize].route != NONE;
                first.nodes[*router].slots.clone().any(|s| other(&s))
            })
        };
        let rivals: Vec<usize> = all.into_iter().filter(hears).collect();
        if rivals.is_empty() && own.depends.made == solution.depends.made {
            return Vec::new();
        }
        let others: Vec<Plane<'n>> = rivals.iter().map(|r| with(BTreeSet::from([*r]))).collect();
        [first].into_iter().chain(others).collect()
    }

    fn compare(&self, prefix: &Prefix, router: usize, a: &Solution, b: &Solution, rows: &mut BTreeMap<(Prefix, usize), Differing>) {
        let best = |s: &Solution| {
            let state = &s.class_of(prefix)?.state;
            (state.best[router] != NONE).then(|| (state.best[router], state.said[router].0))
        };
        let held = |s: &Solution| s.class_of(prefix).map(|c| self.held(s, &c.state, router)).unwrap_or_default();
        let (x, y, paths) = (best(a), best(b), held(a) != held(b));
        if x == y && !paths {
            return;
        }
        let row = rows.entry((*prefix, router)).or_default();
        for one in [x, y] {
            row.candidates.insert(self.name_of(one.map_or(NONE, |(slot, _)| slot)));
            row.steps.extend(one.map(|(_, step)| step));
        }
        row.paths |= paths;
    }

    /// The paths that a router holds, with all that its neighbours may see of them, and from whom.
    fn held(&self, solution: &Solution, state: &State, router: usize) -> BTreeSet<(String, String)> {
        let slots = self.nodes[router].slots.clone();
        let held = slots.map(|s| (s, state.slots[s as usize].route)).filter(|(_, r)| *r != NONE);
        let told = |r: u32| {
            let route = solution.shared.routes.get(r);
            let a = &route.attributes;
            let rest = (a.next_hop, a.med, a.local_pref, a.origin, &a.communities, &a.large_communities, &route.extended);
            format!("{} {rest:?}", a.as_path)
        };
        held.map(|(s, r)| (self.name_of(s), told(r))).collect()
    }
}

/// Each router hears all its neighbours before it chooses: they come up together, and what they say is waited for.
fn at_once(turns: &[(usize, Vec<IpAddr>)]) -> Arrival {
    let all = turns.iter().flat_map(|(r, neighbours)| neighbours.iter().map(move |n| (*r, *n))).collect();
    Arrival { stages: vec![all], patient: turns.iter().map(|(r, _)| *r).collect() }
}

/// Each router hears its neighbours one after the other, beginning with the n-th.
fn rotated(turns: &[(usize, Vec<IpAddr>)], n: usize) -> Arrival {
    let mut stages: Vec<Vec<(usize, IpAddr)>> = Vec::new();
    for (router, neighbours) in turns {
        let begin = n % neighbours.len().max(1);
        for (stage, neighbour) in neighbours.iter().cycle().skip(begin + 1).take(neighbours.len().saturating_sub(1)).enumerate() {
            if stages.len() <= stage {
                stages.push(Vec::new());
            }
            stages[stage].push((*router, *neighbour));
        }
    }
    Arrival { stages, patient: BTreeSet::new() }
}
