//! What a solved plane says to those who judge it: sessions, what routers hold, what goes over each wire, where packets go next.

use crate::Hops;
use crate::compare::{Sort, Step};
use crate::plane::{NONE, Plane};
use crate::route::Route;
use crate::session::OUTSIDE;
use crate::shared::Shared;
use crate::solution::{Solution, Solved};
use crate::solve::Class;
use crate::transfer::{Side, Special, Stop, Transfer};
use bgp::{Asn, Family, Prefix};
use core::net::IpAddr;
use std::collections::BTreeSet;
use std::sync::Arc;

/// One direction of a session: what `from` says, `to` hears.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Direction {
    /// Sender by position; `None`: outside the network.
    pub from: Option<usize>,
    /// Receiver by position; `None`: outside the network.
    pub to: Option<usize>,
    /// Address of the sender, by which the receiver knows it.
    pub from_address: IpAddr,
    /// Address of the receiver, by which the sender knows it.
    pub to_address: IpAddr,
    /// AS that the sender uses toward the receiver.
    pub from_asn: Asn,
    /// AS that the receiver uses toward the sender.
    pub to_asn: Asn,
    /// Between two ASes (members of one confederation are one).
    pub external: bool,
}

/// A path that a router holds.
#[derive(Clone, Copy)]
pub struct Held<'s> {
    /// The direction it came by, by position; `None`: made here.
    pub over: Option<usize>,
    /// Chosen.
    pub best: bool,
    /// Its next hop is reached: it takes part in the choice.
    pub usable: bool,
    solved: &'s Solved,
    number: u32,
    shared: &'s Shared,
}

impl<'s> Held<'s> {
    /// Returns the path after import. A destination that is like another says its own paths when it is first asked for one.
    #[must_use]
    pub fn route(&self) -> &'s Route {
        self.solved.route(self.number, self.shared)
    }

    /// Returns the next hop; the same as that of [`Self::route`], without a path being said.
    #[must_use]
    pub fn next_hop(&self) -> Option<IpAddr> {
        self.shared.routes.get(self.number).attributes.next_hop
    }
}

impl Plane<'_> {
    /// Returns the family.
    #[must_use]
    pub const fn family(&self) -> Family {
        self.family
    }

    /// Returns both directions of every session that is up, in order of their positions.
    #[must_use]
    pub fn directions(&self) -> Vec<Direction> {
        let place = |router: u32| (router != OUTSIDE).then_some(router as usize);
        let direction = |h: &crate::session::Half| Direction {
            from: place(h.from),
            to: place(h.to),
            from_address: h.from_address,
            to_address: h.to_address,
            from_asn: h.from_asn,
            to_asn: h.to_asn,
            external: h.from_sort == Sort::External,
        };
        self.halves.iter().map(direction).collect()
    }

    /// Returns the chosen path of a router for a destination.
    #[must_use]
    pub fn best<'s>(&self, solution: &'s Solution, router: usize, class: usize) -> Option<Held<'s>> {
        let state = &solution.classes[class].state;
        let slot = *state.best.get(router)?;
        (slot != NONE).then(|| self.held_at(solution, class, slot, true))
    }

    /// Returns the step of the router's last comparison for a destination; `None`: it has no usable path.
    #[must_use]
    pub fn step(&self, solution: &Solution, router: usize, class: usize) -> Option<Step> {
        let state = &solution.classes.get(class)?.state;
        (*state.best.get(router)? != NONE).then(|| state.said.get(router).map(|(step, _)| *step)).flatten()
    }

    /// Returns the paths that a router uses beside the chosen one (multipath). `shared` is a copy of the solution's own, for its memory.
    pub fn beside<'s>(&self, solution: &'s Solution, shared: &mut Shared, router: usize, class: usize) -> Vec<Held<'s>> {
        let Some(state) = solution.classes.get(class).map(|s| &s.state) else { return Vec::new() };
        let best = state.best.get(router).copied().unwrap_or(NONE);
        if best == NONE {
            return Vec::new();
        }
        let slots = self.with_candidates(router, state, shared, |rules, list| {
            let at = list.iter().position(|c| c.slot == best);
            at.map(|at| rules.beside(list, at).into_iter().filter_map(|i| list.get(i).map(|c| c.slot)).collect()).unwrap_or_default()
        });
        let slots: Vec<u32> = slots;
        slots.into_iter().map(|slot| self.held_at(solution, class, slot, false)).collect()
    }

    /// Returns every path that a router holds of a destination, usable or not.
    pub fn paths<'s>(&'s self, solution: &'s Solution, router: usize, class: usize) -> impl Iterator<Item = Held<'s>> {
        let state = &solution.classes[class].state;
        let there = self.nodes[router].slots.clone().filter(|s| state.slots[*s as usize].route != NONE);
        there.map(move |slot| self.held_at(solution, class, slot, state.best[router] == slot))
    }

    fn held_at<'s>(&self, solution: &'s Solution, class: usize, slot: u32, best: bool) -> Held<'s> {
        let h = self.slot_half[slot as usize];
        let (solved, shared) = (&*solution.classes[class], &solution.shared);
        let (state, number) = (&solved.state, solved.state.slots[slot as usize].route);
        let usable = best || self.is_usable(self.router_of(slot), slot, state, shared);
        Held { over: (h != NONE).then_some(h as usize), best, usable, solved, number, shared }
    }

    /// Returns what goes over a direction for a destination, as the wire carries it; not back to where it came from.
    ///
    /// # Errors
    /// [`Stop`]: why nothing goes.
    pub fn told(&self, solution: &Solution, direction: usize, class: usize) -> Result<Route, Stop> {
        let from = self.halves[direction].from;
        let no_path = Stop::NoPolicy(Side::Export);
        if from == OUTSIDE {
            return Err(no_path);
        }
        let best = self.best(solution, from as usize, class).ok_or(no_path)?;
        let class = &solution.classes[class].class;
        // a session that went down for its limit would still be told all of it
        if class.withheld.contains(&(direction as u32)) && !self.tripped(solution, direction) {
            return Err(Stop::Condition);
        }
        self.would_tell(class, direction, best.route(), best.over)
    }

    /// Returns what would go over a direction if its sender had chosen this path.
    ///
    /// # Errors
    /// [`Stop`]: why nothing goes.
    pub fn would_tell(&self, class: &Class, direction: usize, route: &Route, over: Option<usize>) -> Result<Route, Stop> {
        let half = &self.halves[direction];
        let came = over.map(|h| &self.halves[h]);
        if over == Some(half.reverse as usize) {
            return Err(Stop::OwnOrigin);
        }
        let sender = self.end(half.from as usize).ok_or(Stop::NoPolicy(Side::Export))?;
        let learned = came.map_or(half.from_id, |h| h.from_id);
        let from = over.map_or(crate::transfer::From::Local, |h| self.from(self.half_slots[h].0));
        let transfer = Transfer { half, fabric: &self.fabric, family: self.family, starting: self.network.starting };
        let suppressed = class.suppressed.contains(&(half.from as usize));
        let special = Special { suppressed, granted: class.granted.contains(&(direction as u32)) };
        transfer.export(&sender, &class.prefix, route, (from, learned, false), special)
    }

    /// Says whether a session went down because its neighbour announced more prefixes than it may.
    #[must_use]
    pub fn tripped(&self, solution: &Solution, direction: usize) -> bool {
        let (there, back) = (direction as u32, self.halves[direction].reverse);
        let down = |c: &Class| c.withheld.contains(&there) && c.withheld.contains(&back);
        !solution.classes.is_empty() && solution.classes.iter().all(|s| down(&s.class))
    }

    /// Returns one destination of each kind: of those whose routers hold alike one is enough while policies see them alike and look into no
    /// path.
    pub(crate) fn each_kind<'s>(&self, solution: &'s Solution) -> Vec<&'s Solved> {
        let blind = self.is_blind_within(&solution.ases);
        let mut seen = BTreeSet::new();
        let all = solution.classes.iter().filter(|s| !s.prefixes.is_empty());
        all.filter(|s| !blind || seen.insert((Arc::as_ptr(&s.state), self.marks(&s.class.prefix)))).map(AsRef::as_ref).collect()
    }

    /// Returns one prefix of each kind of destinations.
    #[must_use]
    pub fn unlike(&self, solution: &Solution) -> Vec<Prefix> {
        self.each_kind(solution).into_iter().filter_map(|s| s.prefixes.first().copied()).collect()
    }

    /// Returns for every router what it does with a packet to an address below BGP.
    #[must_use]
    pub fn hops_to(&self, address: IpAddr) -> Vec<Hops> {
        self.fabric.hops_to(self.network, address)
    }
}

impl Solution {
    /// Returns prefixes in order, each with the place of its destination; two solutions that share them have the same destinations.
    #[must_use]
    pub const fn places(&self) -> &Arc<Vec<(Prefix, u32)>> {
        &self.by_prefix
    }

    /// Returns a number that destinations have in common whose routers hold and choose alike (`place`: as [`Solution::place_of`]). It means
    /// nothing beside this solution.
    #[must_use]
    pub fn rest_of(&self, place: usize) -> Option<usize> {
        self.classes.get(place).map(|c| Arc::as_ptr(&c.state).addr())
    }

    /// Returns the place of a prefix's destination among [`Solution::classes`].
    #[must_use]
    pub fn place_of(&self, prefix: &Prefix) -> Option<usize> {
        self.number_of(prefix).map(|n| n as usize)
    }
}
