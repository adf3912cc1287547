//! Dispute wheels (Griffin, Shepherd, Wilfong 2002): the structure behind choices that do not come to rest, or come to rest in several ways.
//!
//! ```text
//!        rim Rᵢ               pivots u₀ … uₖ₋₁, each with a spoke path Qᵢ to the destination;
//!   uᵢ ────────▶ uᵢ₊₁         uᵢ prefers Rᵢ Qᵢ₊₁, the way by the next pivot's spoke, to Qᵢ, its own
//!    │Qᵢ          │Qᵢ₊₁
//!    ▼            ▼
//!      destination
//! ```
//!
//! Paths are those that were seen while messages went round, each followed back over the routers that passed it on; preference is that of the
//! router's own decision process. So every wheel that is named is one; that there is none is only said of what was seen.

use crate::compare::{Candidate, Step};
use crate::plane::{NONE, Plane};
use crate::queue::{Queue, Schedule};
use crate::session::OUTSIDE;
use crate::shared::Shared;
use crate::solve::{Class, State};
use crate::table::hash_of;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Messages per direction of a watched run.
const WATCHED: usize = 120;
/// Messages per direction after which states are remembered, to see whether one comes again.
const SUSPICIOUS: usize = 20;
/// Paths of one router that are remembered.
const PATHS_MAX: usize = 64;
/// Nodes of the graph in which a wheel is looked for.
const NODES_MAX: usize = 512;
/// Marks a neighbour outside in a trace.
const FOREIGN: u32 = 1 << 31;

/// One part of a wheel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Spoke {
    /// The pivot.
    pub router: String,
    /// Its own way: routers from it to the origin.
    pub spoke: Vec<String>,
    /// The way it prefers, by the next pivot: routers from it to the next pivot.
    pub rim: Vec<String>,
    /// Step by which it prefers that way.
    pub prefers_by: &'static str,
}

/// A dispute wheel; each part's rim leads to the next part's pivot, the last one's to the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wheel {
    /// Pivots in order.
    pub pivots: Vec<Spoke>,
}

impl core::fmt::Display for Wheel {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (i, p) in self.pivots.iter().enumerate() {
            let comma = if i > 0 { "; " } else { "" };
            let next = &self.pivots[(i + 1) % self.pivots.len()];
            let (rim, spoke) = (p.rim.join("-"), p.spoke.join("-"));
            write!(f, "{comma}{} prefers {rim} and on by {} to its own {spoke} ({})", p.router, next.router, p.prefers_by)?;
        }
        Ok(())
    }
}

/// Routers that a path passed, its holder first.
pub(crate) type Trace = Vec<u32>;

/// In which order a watched run delivers messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    First,
    Last,
    /// By a die with this seed.
    Seeded(u64),
}

/// How a watched run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Rest,
    /// The routers whose choice went round.
    Cycle(BTreeSet<usize>),
    GaveUp,
}

/// What was seen of one destination.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Paths by router and trace.
    paths: BTreeMap<(usize, Trace), Candidate>,
    /// What routers chose at some time.
    chosen: BTreeSet<(usize, Trace)>,
}

/// A destination while its messages are watched.
#[derive(Clone)]
pub(crate) struct Watched {
    pub state: State,
    traces: Vec<Trace>,
}

impl Watched {
    /// The trace of every router's best path; empty where it has none.
    pub fn choices(&self) -> Vec<Trace> {
        self.state.best.iter().map(|b| if *b == NONE { Trace::new() } else { self.traces[*b as usize].clone() }).collect()
    }
}

impl Plane<'_> {
    /// Starts a destination from nothing.
    pub(crate) fn watch(&self, class: &Class, order: Order, shared: &mut Shared) -> (Watched, Vec<u32>) {
        let mut state = self.blank();
        state.self_hop = Self::self_hop(class, shared);
        let mut watched = Watched { state, traces: vec![Trace::new(); self.slot_half.len()] };
        let mut queue = Queue::new(Schedule::First, self.halves.len());
        queue.hears(&watched.state);
        let mut origins = class.origins.clone();
        origins.retain(|(place, _)| !self.is_gone(*place));
        if let Order::Seeded(seed) = order {
            let mut dice = seed;
            for i in (1..origins.len()).rev() {
                origins.swap(i, (roll(&mut dice) % (i as u64 + 1)) as usize);
            }
        }
        for (slot, route) in origins {
            let h = self.slot_half[slot as usize];
            watched.traces[slot as usize] = if h == NONE {
                vec![self.router_of(slot) as u32]
            } else {
                let half = &self.halves[h as usize];
                vec![half.to, if half.from == OUTSIDE { FOREIGN | h } else { half.from }]
            };
            self.originate(class, slot, route, &mut watched.state, shared, &mut queue);
        }
        let waiting = drain(&mut queue);
        (watched, waiting)
    }

    /// Lets messages run; what is seen goes to `seen`. Of a run that goes round, `seen` holds one round only.
    pub(crate) fn run_watched(
        &self,
        class: &Class,
        watched: &mut Watched,
        mut waiting: Vec<u32>,
        order: Order,
        shared: &mut Shared,
        seen: &mut Seen,
    ) -> (End, usize) {
        let mut queue = Queue::new(Schedule::First, self.halves.len());
        queue.hears(&watched.state);
        let limit = WATCHED * (self.halves.len() + 4);
        let mut dice = if let Order::Seeded(seed) = order { seed } else { 0 };
        let mut met: BTreeSet<u64> = BTreeSet::new();
        let mut round: Option<(u64, BTreeSet<usize>)> = None;
        let mut queued = vec![false; self.halves.len()];
        for h in &waiting {
            queued[*h as usize] = true;
        }
        let mut delivered = 0;
        while !waiting.is_empty() {
            let at = match order {
                Order::First => 0,
                Order::Last => waiting.len() - 1,
                Order::Seeded(_) => (roll(&mut dice) % waiting.len() as u64) as usize,
            };
            let h = waiting.remove(at);
            queued[h as usize] = false;
            delivered += 1;
            if let Some(router) = self.deliver_watched(class, h, watched, shared) {
                let moved = self.decide(router, &mut watched.state, shared, &mut queue);
                while let Some(h) = queue.pop() {
                    if !core::mem::replace(&mut queued[h as usize], true) {
                        waiting.push(h);
                    }
                }
                if let Some((_, changed)) = round.as_mut() {
                    if moved {
                        changed.insert(router);
                    }
                    self.note(router, watched, shared, seen);
                }
            }
            // a die does not repeat itself, so a state that comes again proves nothing there
            if !matches!(order, Order::Seeded(_)) && delivered > SUSPICIOUS * (self.halves.len() + 4) {
                let state = &watched.state;
                let now = hash_of(&(state.slots.iter().map(|s| s.route).collect::<Vec<_>>(), &state.best, &waiting));
                match &round {
                    Some((begin, changed)) if *begin == now => return (End::Cycle(changed.clone()), delivered),
                    Some(_) => {}
                    None if !met.insert(now) => {
                        *seen = Seen::default();
                        for router in 0..self.nodes.len() {
                            self.note(router, watched, shared, seen);
                        }
                        round = Some((now, BTreeSet::new()));
                    }
                    None => {}
                }
            }
            if delivered > limit {
                return (End::GaveUp, delivered);
            }
        }
        for router in 0..self.nodes.len() {
            self.note(router, watched, shared, seen);
        }
        (End::Rest, delivered)
    }

    fn deliver_watched(&self, class: &Class, h: u32, watched: &mut Watched, shared: &mut Shared) -> Option<usize> {
        let half = &self.halves[h as usize];
        let heard = self.deliver(class, h, &mut watched.state, shared);
        if half.to == OUTSIDE || class.withheld.contains(&h) {
            return heard;
        }
        let (first, count) = self.half_slots[h as usize];
        for n in 0..count {
            let place = (first + n) as usize;
            let sender = self.place_behind(h, n, &watched.state);
            let there = watched.state.slots[place].route != NONE && sender != NONE;
            let behind = if there { watched.traces[sender as usize].clone() } else { Trace::new() };
            watched.traces[place] = if there { core::iter::once(half.to).chain(behind).collect() } else { behind };
        }
        heard
    }

    /// Takes a session down: both sides forget what came by it.
    pub(crate) fn cut(&self, h: u32, watched: &mut Watched, shared: &mut Shared) -> Vec<u32> {
        let mut queue = Queue::new(Schedule::First, self.halves.len());
        queue.hears(&watched.state);
        for h in [h, self.halves[h as usize].reverse] {
            let half = &self.halves[h as usize];
            if half.to == OUTSIDE {
                continue;
            }
            let (first, count) = self.half_slots[h as usize];
            for slot in first..first + count {
                self.put(slot, NONE, &mut watched.state);
                watched.traces[slot as usize].clear();
            }
            self.decide(half.to as usize, &mut watched.state, shared, &mut queue);
        }
        drain(&mut queue)
    }

    /// Remembers what a router holds and chose.
    fn note(&self, router: usize, watched: &Watched, shared: &mut Shared, seen: &mut Seen) {
        let known = seen.paths.range((router, Trace::new())..(router + 1, Trace::new())).count();
        let best = watched.state.best[router];
        self.with_candidates(router, &watched.state, shared, |_, list| {
            for candidate in list.iter().take(PATHS_MAX.saturating_sub(known)) {
                let trace = watched.traces[candidate.slot as usize].clone();
                // preference without history: who was first does not count
                seen.paths.insert((router, trace), Candidate { selected: false, ..*candidate });
            }
        });
        if best != NONE {
            seen.chosen.insert((router, watched.traces[best as usize].clone()));
        }
    }

    /// Finds the smallest dispute wheel among what was seen.
    pub(crate) fn wheel(&self, seen: &Seen) -> Option<Wheel> {
        let nodes: Vec<&(usize, Trace)> = seen.chosen.iter().filter(|n| seen.paths.contains_key(*n)).take(NODES_MAX).collect();
        let number: BTreeMap<(u32, &[u32]), usize> = nodes.iter().enumerate().map(|(i, (r, t))| ((*r as u32, t.as_slice()), i)).collect();
        // edges to the next pivot, with the rim's length and the step
        let mut edges: Vec<BTreeMap<usize, (Trace, Step)>> = vec![BTreeMap::new(); nodes.len()];
        for (i, (router, spoke)) in nodes.iter().enumerate() {
            let Some(own) = seen.paths.get(&(*router, spoke.clone())) else { continue };
            for ((_, path), candidate) in seen.paths.range((*router, Trace::new())..(*router + 1, Trace::new())) {
                let outcome = self.nodes[*router].rules.compare(candidate, own);
                if path == spoke || !outcome.new_wins {
                    continue;
                }
                for at in 1..path.len() {
                    if path[at] as usize != *router
                        && let Some(next) = number.get(&(path[at], &path[at..]))
                    {
                        edges[i].entry(*next).or_insert_with(|| (path[..=at].to_vec(), outcome.step));
                    }
                }
            }
        }
        let cycle = (0..nodes.len()).filter_map(|start| shortest_cycle(&edges, start)).min_by_key(Vec::len)?;
        let name = |r: &u32| self.trace_name(*r);
        let pivots = cycle.iter().enumerate().map(|(i, at)| {
            let (rim, step) = edges[*at].get(&cycle[(i + 1) % cycle.len()]).cloned().unwrap_or_default();
            let (router, spoke) = nodes[*at];
            Spoke {
                router: self.network.routers[*router].name.clone(),
                spoke: spoke.iter().map(name).collect(),
                rim: rim.iter().map(name).collect(),
                prefers_by: step.name(),
            }
        });
        Some(Wheel { pivots: pivots.collect() })
    }

    /// The name of a router in a trace.
    pub(crate) fn trace_name(&self, r: u32) -> String {
        if r & FOREIGN != 0 {
            return self.halves[(r & !FOREIGN) as usize].from_address.to_string();
        }
        self.network.routers[r as usize].name.clone()
    }
}

fn drain(queue: &mut Queue) -> Vec<u32> {
    core::iter::from_fn(|| queue.pop()).collect()
}

/// Breadth first from a node back to itself.
fn shortest_cycle(edges: &[BTreeMap<usize, (Trace, Step)>], start: usize) -> Option<Vec<usize>> {
    let mut before: BTreeMap<usize, usize> = BTreeMap::new();
    let mut open = VecDeque::from([start]);
    while let Some(at) = open.pop_front() {
        for next in edges[at].keys() {
            if *next == start {
                let mut way = vec![at];
                while way.last() != Some(&start) {
                    way.push(*before.get(way.last()?)?);
                }
                way.reverse();
                return Some(way);
            }
            if !before.contains_key(next) {
                before.insert(*next, at);
                open.push_back(*next);
            }
        }
    }
    None
}

/// SplitMix64 (Steele, Lea, Flood 2014): an order that a seed repeats.
fn roll(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
