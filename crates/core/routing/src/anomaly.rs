//! What keeps a network from one state of rest: which kind, and the dispute wheel behind it. In bounded time.

use crate::plane::{NONE, Plane};
use crate::session::{OUTSIDE, family_of};
use crate::shared::Shared;
use crate::solution::Solution;
use crate::solve::Class;
use crate::wheel::{End, Order, Seen, Trace, Watched, Wheel};
use bgp::Prefix;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Messages for all destinations together; what is left then is told as not searched.
const MESSAGES_MAX: usize = 300_000;
/// Orders of arrival by a die, beside first and last.
const SEEDS: u64 = 8;
/// States of rest that are told apart.
const STATES_MAX: usize = 8;
/// Sessions that are taken down and up again to see what comes back.
const REPAIRS_MAX: usize = 64;

/// One state of rest, as far as it differs from others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StableState {
    /// Router and its way to the origin, for routers that have another way in another state.
    pub ways: BTreeMap<String, Vec<String>>,
    /// Routers that use a path with a LOCAL_PREF below the default: it was marked as the backup.
    pub on_backup: Vec<String>,
}

/// A failure and repair after which the state is another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Repair {
    /// The session, by its two ends.
    pub session: [String; 2],
    /// Number of the state before.
    pub from: usize,
    /// Number of the state after.
    pub to: usize,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "class")]
pub enum Outcome {
    /// Several states of rest (DISAGREE).
    Disagree {
        /// The states.
        states: Vec<StableState>,
        /// A failure and repair that leads from one to another, where one was found.
        repair: Option<Repair>,
    },
    /// Several states of rest, one of them intended, and a failure and repair does not lead back to it (RFC 4264).
    Wedgie {
        /// The states.
        states: Vec<StableState>,
        /// Number of the intended one: fewest routers use a path that was marked as a backup.
        intended: usize,
        /// What leads away from it.
        repair: Repair,
    },
    /// No state of rest (BAD GADGET).
    BadGadget,
    /// No state of rest, and one without MEDs (RFC 3345).
    MedOscillation {
        /// 1: one level of reflectors or member ASes; 2: reflectors that are clients themselves take part (RFC 3345 §2).
        kind: u8,
    },
    /// The route leads to its own next hop: once it is in force, the next hop is reached by the route itself and no more.
    NextHopSelfResolution {
        /// The next hop.
        next_hop: core::net::IpAddr,
    },
}

impl Outcome {
    /// Returns the class's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Disagree { .. } => "disagree",
            Self::Wedgie { .. } => "wedgie",
            Self::BadGadget => "bad_gadget",
            Self::MedOscillation { .. } => "med_oscillation",
            Self::NextHopSelfResolution { .. } => "next_hop_self_resolution",
        }
    }
}

/// An anomaly of one destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Anomaly {
    /// Its prefixes.
    pub prefixes: Vec<Prefix>,
    /// Routers that take part.
    pub routers: Vec<String>,
    /// Which kind.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The dispute wheel, where there is one among the paths that were seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wheel: Option<Wheel>,
}

/// The anomalies, and how much was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Searched {
    /// What was found.
    pub anomalies: Vec<Anomaly>,
    /// Destinations looked at.
    pub searched: usize,
    /// Destinations in all.
    pub of: usize,
}

impl core::fmt::Display for Anomaly {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let prefixes = self.prefixes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        write!(f, "{prefixes}: ")?;
        self.write(f, "\n  ")
    }
}

impl Anomaly {
    /// Says in one line which kind it is, its states and its wheel, without its prefixes.
    #[must_use]
    pub fn in_words(&self) -> String {
        struct Line<'a>(&'a Anomaly);
        impl core::fmt::Display for Line<'_> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                self.0.write(f, "; ")
            }
        }
        Line(self).to_string()
    }

    fn write(&self, f: &mut core::fmt::Formatter<'_>, between: &str) -> core::fmt::Result {
        match &self.outcome {
            Outcome::Disagree { states, repair } => {
                write!(f, "{} states of rest, the order of arrival decides (DISAGREE)", states.len())?;
                if let Some(r) = repair {
                    let (from, to) = (r.from + 1, r.to + 1);
                    write!(f, "; a failure and repair of {}-{} leads from state {from} to state {to}", r.session[0], r.session[1])?;
                }
            }
            Outcome::Wedgie { states, intended, repair } => {
                let [a, b] = &repair.session;
                write!(f, "{} states of rest; a failure and repair of {a}-{b} does not lead back to the intended one, ", states.len())?;
                write!(f, "state {} (RFC 4264)", intended + 1)?;
            }
            Outcome::BadGadget => {
                write!(f, "no state of rest: the choices of {} go round in a circle (BAD GADGET)", self.routers.join(", "))?;
            }
            Outcome::MedOscillation { kind } => {
                let kind = if *kind == 1 { "I" } else { "II" };
                write!(f, "no state of rest because of MEDs: {} (RFC 3345 type {kind})", self.routers.join(", "))?;
            }
            Outcome::NextHopSelfResolution { next_hop } => {
                write!(f, "at {} the route covers its own next hop {next_hop} and cannot come into force", self.routers.join(", "))?;
            }
        }
        if let Outcome::Disagree { states, .. } | Outcome::Wedgie { states, .. } = &self.outcome {
            for (n, state) in states.iter().enumerate() {
                let ways = state.ways.iter().map(|(r, way)| if way.is_empty() { format!("{r} has no way") } else { way.join("-") });
                write!(f, "{between}state {}: {}", n + 1, ways.collect::<Vec<_>>().join(", "))?;
            }
        }
        if let Some(wheel) = &self.wheel {
            write!(f, "{between}wheel: {wheel}")?;
        }
        Ok(())
    }
}

impl Plane<'_> {
    /// Classifies what keeps destinations from one state of rest. Several orders of arrival are tried for each, all within a bound.
    pub fn anomalies(&self, solution: &mut Solution) -> Searched {
        let mut shared = core::mem::take(&mut solution.shared);
        let mut out = self.anomalies_of(solution, &mut shared, (0..solution.classes.len()).collect());
        solution.shared = shared;
        out.anomalies.extend(self.self_resolution(solution));
        out
    }

    /// Classifies what keeps some destinations from one state of rest, within the same bound; `shared` is the solution's memory or a copy.
    #[must_use]
    pub fn anomalies_of(&self, solution: &Solution, shared: &mut Shared, mut destinations: Vec<usize>) -> Searched {
        let mut out = Searched { of: destinations.len(), ..Searched::default() };
        let mut left = MESSAGES_MAX;
        // what does not come to rest first
        destinations.sort_by_key(|n| solution.classes[*n].state.cycle.is_empty() && !solution.classes[*n].state.gave_up);
        let mut calm: Option<Plane<'_>> = None;
        for n in destinations {
            if left == 0 {
                break;
            }
            out.searched += 1;
            let solved = &solution.classes[n];
            let (class, prefixes) = (&solved.class, &solved.prefixes);
            if let Some((outcome, routers, wheel)) = self.rest(class, shared, &mut left, &mut calm) {
                let routers = routers.into_iter().map(|r| self.network.routers[r].name.clone()).collect();
                out.anomalies.push(Anomaly { prefixes: prefixes.to_vec(), routers, outcome, wheel });
            }
        }
        out
    }

    fn rest<'p>(
        &'p self,
        class: &Class,
        shared: &mut Shared,
        left: &mut usize,
        calm: &mut Option<Plane<'p>>,
    ) -> Option<(Outcome, BTreeSet<usize>, Option<Wheel>)> {
        let mut states: Vec<Watched> = Vec::new();
        let mut all = Seen::default();
        let orders = [Order::First, Order::Last].into_iter().chain((1..=SEEDS).map(Order::Seeded));
        let mut restless: Option<(BTreeSet<usize>, Seen)> = None;
        for order in orders {
            let (mut watched, waiting) = self.watch(class, order, shared);
            let mut seen = Seen::default();
            let (end, messages) = self.run_watched(class, &mut watched, waiting, order, shared, &mut seen);
            *left = left.saturating_sub(messages);
            match end {
                End::Rest => {
                    if states.len() < STATES_MAX && !states.iter().any(|s| s.choices() == watched.choices()) {
                        states.push(watched.clone());
                    }
                    // only the state itself, not the way there
                    self.run_watched(class, &mut watched, Vec::new(), order, shared, &mut all);
                }
                End::Cycle(routers) if restless.is_none() => restless = Some((routers, seen)),
                End::Cycle(_) | End::GaveUp => {}
            }
            if *left == 0 {
                break;
            }
        }
        if states.is_empty() {
            let (routers, seen) = restless?;
            let wheel = self.wheel(&seen);
            // routes, what transfers make of them and costs do not depend on the decision process: both planes share them
            let calm = calm.get_or_insert_with(|| self.without_med());
            let (mut watched, waiting) = calm.watch(class, Order::First, shared);
            let (end, messages) = calm.run_watched(class, &mut watched, waiting, Order::First, shared, &mut Seen::default());
            *left = left.saturating_sub(messages);
            let outcome = if end == End::Rest {
                Outcome::MedOscillation { kind: if routers.iter().any(|r| self.is_between_reflectors(*r)) { 2 } else { 1 } }
            } else {
                Outcome::BadGadget
            };
            return Some((outcome, routers, wheel));
        }
        if states.len() < 2 {
            return None;
        }
        // without a wheel it is only who came first, which is told of each choice
        let wheel = self.wheel(&all)?;
        let routers: BTreeSet<usize> =
            (0..self.nodes.len()).filter(|r| states.iter().any(|s| s.choices()[*r] != states[0].choices()[*r])).collect();
        let backups: Vec<Vec<usize>> = states.iter().map(|s| self.on_backup(s, &routers, shared)).collect();
        let fewest = backups.iter().map(Vec::len).min().unwrap_or(0);
        let intended = backups.iter().position(|b| b.len() == fewest).unwrap_or(0);
        let marked = backups.iter().any(|b| b.len() > fewest);
        let mut repair = None;
        for (from, state) in states.iter().enumerate().filter(|(n, _)| !marked || *n == intended) {
            repair = repair.or_else(|| self.not_back(class, from, state, &states, shared, left));
        }
        let states = states.iter().zip(&backups).map(|(s, b)| self.shown(s, b, &routers)).collect();
        let outcome = match repair {
            Some(repair) if marked => Outcome::Wedgie { states, intended, repair },
            repair => Outcome::Disagree { states, repair },
        };
        Some((outcome, routers, Some(wheel)))
    }

    fn shown(&self, state: &Watched, backups: &[usize], routers: &BTreeSet<usize>) -> StableState {
        let choices = state.choices();
        let name = |r: usize| self.network.routers[r].name.clone();
        let way = |r: usize| choices[r].iter().map(|t| self.trace_name(*t)).collect();
        StableState { ways: routers.iter().map(|r| (name(*r), way(*r))).collect(), on_backup: backups.iter().map(|r| name(*r)).collect() }
    }

    /// The same network with routers that do not look at MEDs.
    fn without_med(&self) -> Plane<'_> {
        let mut calm = Plane::new(self.network, self.family);
        for node in &mut calm.nodes {
            std::sync::Arc::make_mut(node).rules.ignores_med = true;
        }
        calm
    }

    /// Routers that use a path which was marked as a backup by a LOCAL_PREF below the default.
    fn on_backup(&self, state: &Watched, routers: &BTreeSet<usize>, shared: &Shared) -> Vec<usize> {
        let below = |r: &usize| {
            let best = state.state.best[*r];
            let route = (best != NONE).then(|| state.state.slots[best as usize].route).filter(|r| *r != NONE);
            route.and_then(|n| shared.routes.key(n).local_pref).is_some_and(|lp| lp < self.nodes[*r].rules.default_local_pref)
        };
        routers.iter().copied().filter(below).collect()
    }

    /// Takes sessions down and up again until one does not lead back; the IGP stays as it is.
    fn not_back(
        &self,
        class: &Class,
        from: usize,
        state: &Watched,
        states: &[Watched],
        shared: &mut Shared,
        left: &mut usize,
    ) -> Option<Repair> {
        let before = state.choices();
        // only sessions that carry a chosen path can change a choice by failing
        let carries = |h: usize| {
            let half = &self.halves[h];
            let next = |t: &Trace| t.len() > 1 && t[0] == half.to && t[1] == half.from;
            half.to != OUTSIDE && before.iter().any(next)
        };
        for h in (0..self.halves.len()).filter(|h| carries(*h)).take(REPAIRS_MAX) {
            if *left == 0 {
                return None;
            }
            let mut tried = state.clone();
            let back = self.halves[h].reverse;
            let mut without = class.clone();
            without.withheld.extend([h as u32, back]);
            let waiting = self.cut(h as u32, &mut tried, shared);
            let mut seen = Seen::default();
            let (_, down) = self.run_watched(&without, &mut tried, waiting, Order::First, shared, &mut seen);
            let (end, up) = self.run_watched(class, &mut tried, vec![h as u32, back], Order::First, shared, &mut seen);
            *left = left.saturating_sub(down + up);
            let after = tried.choices();
            if end == End::Rest && after != before {
                let half = &self.halves[h];
                let name =
                    |r: u32, a: core::net::IpAddr| self.network.routers.get(r as usize).map_or_else(|| a.to_string(), |r| r.name.clone());
                let to = states.iter().position(|s| s.choices() == after)?;
                return Some(Repair { session: [name(half.from, half.from_address), name(half.to, half.to_address)], from, to });
            }
        }
        None
    }

    /// Says whether a router reflects to clients and is a client itself.
    fn is_between_reflectors(&self, router: usize) -> bool {
        let Some(bgp) = &self.network.routers[router].config.bgp else { return false };
        let reflects = |n: &config::Neighbor| n.families.get(&self.family).is_some_and(|f| f.route_reflector_client);
        let is_client = self.halves.iter().filter(|h| h.to as usize == router && h.from != OUTSIDE).any(|h| {
            let there = self.network.routers[h.from as usize].config.bgp.as_ref();
            there.and_then(|b| family_of(b, h.to_address, self.family)).is_some_and(|f| f.route_reflector_client)
        });
        is_client && bgp.neighbors.values().any(reflects)
    }

    /// Finds best paths whose prefix holds their own next hop, where nothing longer leads there: the router would resolve the next hop by the
    /// route itself (zebra, `nexthop_active`: such a route is not installed).
    fn self_resolution(&self, solution: &Solution) -> Vec<Anomaly> {
        let mut found: BTreeMap<(core::net::IpAddr, Prefix), Vec<String>> = BTreeMap::new();
        for (prefix, number) in solution.by_prefix.iter() {
            let state = &solution.classes[*number as usize].state;
            for (router, best) in state.best.iter().enumerate().filter(|(_, b)| **b != NONE) {
                // the next hop is the same in what another destination told
                let route = solution.shared.routes.get(state.slots[*best as usize].route);
                let Some(hop) = route.attributes.next_hop.filter(|h| !route.kind.is_local() && prefix.contains(*h)) else { continue };
                let by_others = self.fabric.match_length(router, hop).is_some_and(|length| length >= prefix.length());
                let longer = (prefix.length() + 1..=if hop.is_ipv4() { 32 } else { 128 }).any(|length| {
                    let class = Prefix::new(hop, length).and_then(|p| solution.class_of(&p));
                    class.is_some_and(|c| c.state.best[router] != NONE)
                });
                if !by_others && !longer {
                    found.entry((hop, *prefix)).or_default().push(self.network.routers[router].name.clone());
                }
            }
        }
        let anomaly = |((next_hop, prefix), routers)| Anomaly {
            prefixes: vec![prefix],
            routers,
            outcome: Outcome::NextHopSelfResolution { next_hop },
            wheel: None,
        };
        found.into_iter().map(anomaly).collect()
    }
}
