//! What a change did: two solutions, destination by destination. What both share is not looked at.

use crate::plane::{NONE, Plane};
use crate::solution::{Solution, Solved};
use bgp::Prefix;
use core::net::IpAddr;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How a router reaches a destination.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Choice {
    /// Neighbour of the best path; absent: made here.
    pub from: Option<IpAddr>,
    /// Next hop.
    pub next_hop: Option<IpAddr>,
    /// AS_PATH.
    pub as_path: String,
}

/// A router's change for prefixes that changed alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// Router.
    pub router: String,
    /// Prefixes.
    pub prefixes: Vec<Prefix>,
    /// Before; absent: no usable path.
    pub before: Option<Choice>,
    /// After; absent: no usable path.
    pub after: Option<Choice>,
}

/// The same without words, for all routers at once: routers and destinations by position.
#[derive(Clone, Debug)]
pub struct Move {
    /// Routers by position, in order.
    pub routers: Arc<[usize]>,
    /// Prefixes that changed alike.
    pub prefixes: Arc<Vec<Prefix>>,
    /// Destination before; absent: it was not known.
    pub before: Option<usize>,
    /// Destination after; absent: it is not known any more.
    pub after: Option<usize>,
}

impl Plane<'_> {
    /// Returns a router's choice.
    #[must_use]
    pub fn choice(&self, solution: &Solution, router: usize, prefix: &Prefix) -> Option<Choice> {
        self.choice_at(solution, router, solution.number_of(prefix)? as usize)
    }

    /// Returns a router's choice for a destination by its position.
    #[must_use]
    pub fn choice_at(&self, solution: &Solution, router: usize, destination: usize) -> Option<Choice> {
        let solved = solution.classes.get(destination)?;
        let (from, route) = self.exit(solved, router)?;
        let a = &solved.route(route, &solution.shared).attributes;
        Some(Choice { from, next_hop: a.next_hop, as_path: a.as_path.to_string() })
    }

    /// Neighbour of the best path, and its route.
    #[inline]
    fn exit(&self, solved: &Solved, router: usize) -> Option<(Option<IpAddr>, u32)> {
        let best = *solved.state.best.get(router)?;
        if best == NONE {
            return None;
        }
        let h = self.slot_half[best as usize];
        let from = (h != NONE).then(|| self.halves[h as usize].from_address);
        Some((from, solved.state.slots[best as usize].route))
    }

    /// Compares this plane's solution with what another made of the network after a change; routers are the same, in the same order.
    #[must_use]
    pub fn moved(&self, before: &Solution, plane: &Plane<'_>, after: &Solution) -> Vec<Moved> {
        let told = |m: &Move, router: usize| Moved {
            router: self.network.routers[router].name.clone(),
            prefixes: m.prefixes.to_vec(),
            before: m.before.and_then(|n| self.choice_at(before, router, n)),
            after: m.after.and_then(|n| plane.choice_at(after, router, n)),
        };
        let moves = self.moves(before, plane, after);
        moves.iter().flat_map(|m| m.routers.iter().map(move |router| told(m, *router))).collect()
    }

    /// The same without words. Destinations that both solutions share are not looked at, and of those that are alike one.
    #[must_use]
    pub fn moves(&self, before: &Solution, plane: &Plane<'_>, after: &Solution) -> Vec<Move> {
        // prefixes that stand in one destination before and one after are compared once
        let mut pairs: Vec<(u32, u32, Arc<Vec<Prefix>>)> = Vec::new();
        let mut others: BTreeMap<(u32, u32), Vec<Prefix>> = BTreeMap::new();
        for (n, is) in (0..).zip(&after.classes) {
            match before.classes.get(n as usize) {
                Some(was) if Arc::ptr_eq(was, is) => {}
                Some(was) if Arc::ptr_eq(&was.prefixes, &is.prefixes) => pairs.push((n, n, Arc::clone(&is.prefixes))),
                _ => {
                    for prefix in is.prefixes.iter() {
                        others.entry((before.number_of(prefix).unwrap_or(NONE), n)).or_default().push(*prefix);
                    }
                }
            }
        }
        for (n, was) in (0..).zip(&before.classes) {
            let same = |is: &Arc<Solved>| Arc::ptr_eq(was, is) || Arc::ptr_eq(&was.prefixes, &is.prefixes);
            if !after.classes.get(n as usize).is_some_and(same) {
                let gone = was.prefixes.iter().filter(|p| after.number_of(p).is_none());
                gone.for_each(|p| others.entry((n, NONE)).or_default().push(*p));
            }
        }
        let one_by_one = !others.is_empty();
        pairs.extend(others.into_iter().map(|((old, new), prefixes)| (old, new, Arc::new(prefixes))));
        if one_by_one {
            pairs.sort_by_key(|(old, new, _)| (*old, *new));
        }
        let place = |n: u32| (n != NONE).then_some(n as usize);
        let mut known: BTreeMap<[usize; 4], Arc<[usize]>> = BTreeMap::new();
        let mut out = Vec::with_capacity(pairs.len());
        for (old, new, prefixes) in pairs {
            let (was, is) = (before.classes.get(old as usize), after.classes.get(new as usize));
            let moved = |in_one_tongue: bool| -> Arc<[usize]> {
                let same = |router: usize| match (was.and_then(|w| self.exit(w, router)), is.and_then(|i| plane.exit(i, router))) {
                    (None, None) => true,
                    (Some((from, x)), Some((to, y))) if from == to => {
                        if in_one_tongue {
                            is_same_way(before, x, after, y)
                        } else {
                            is_said_same(before, (was, x), after, (is, y))
                        }
                    }
                    _ => false,
                };
                (0..self.nodes.len()).filter(|router| !same(*router)).collect()
            };
            let routers = match was.zip(is) {
                // routes by the numbers that both states have for them: of destinations that are alike it comes out alike
                Some((was, is)) if is_in_one_tongue(was, is) => {
                    let at = |solved: &Arc<Solved>| [Arc::as_ptr(&solved.state) as usize, Arc::as_ptr(solved.named()) as usize];
                    let ([a, b], [c, d]) = (at(was), at(is));
                    Arc::clone(known.entry([a, b, c, d]).or_insert_with(|| moved(true)))
                }
                _ => moved(false),
            };
            if !routers.is_empty() {
                out.push(Move { routers, prefixes, before: place(old), after: place(new) });
            }
        }
        out
    }
}

/// Says whether two routes lead the same way: next hop and AS path.
fn is_same_way(before: &Solution, a: u32, after: &Solution, b: u32) -> bool {
    // one that both know is one
    if a == b && before.shared.routes.is_below(&after.shared.routes, a) {
        return true;
    }
    let (a, b) = (&before.shared.routes.get(a).attributes, &after.shared.routes.get(b).attributes);
    a.next_hop == b.next_hop && a.as_path == b.as_path
}

/// Says whether the numbers of two states are those of one destination's routes, so that they can be held against each other as they are.
fn is_in_one_tongue(was: &Arc<Solved>, is: &Arc<Solved>) -> bool {
    // who tells is announced as before but for what came by sessions that are no more: others tell nobody. By prefix: what was carried over
    // from an earlier round is told by a destination that had another number there
    let same = || Arc::ptr_eq(&was.prefixes, &is.prefixes) && was.named().prefix == is.named().prefix;
    (was.told_by.is_none() && is.told_by.is_none()) || Arc::ptr_eq(was.named(), is.named()) || same()
}

/// The same of routes that are said by other numbers.
fn is_said_same(before: &Solution, (was, a): (Option<&Arc<Solved>>, u32), after: &Solution, (is, b): (Option<&Arc<Solved>>, u32)) -> bool {
    let (Some(was), Some(is)) = (was, is) else { return false };
    let (a, b) = (&was.route(a, &before.shared).attributes, &is.route(b, &after.shared).attributes);
    a.next_hop == b.next_hop && a.as_path == b.as_path
}
