//! How long the twin takes: a network of a size solved, changed and compared, in the way that a change is tried out.
//!
//! A what-if is what a person waits for: the copy of the network and the change in it (the fork), the tables after it, worked out from those
//! before ([`Plane::changed`], [`Plane::solve_after`]), what moved by router and destination ([`Plane::moves`]), and where a policy changes
//! the explanation of one choice that moved.

use bgp::{AsPath, Family, Prefix};
use config::{Condition, PolicyDefinition, PolicyResult, PrefixEntry, PrefixSet, RouteAction, Statement};
use routing::{Blueprint, Move, Plane, Schedule, Solution};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Instant;

/// Single link failures of the sweep.
const SWEEP: usize = 40;
/// Name of the policy that a change puts before a session.
const NAME: &str = "WHAT-IF";
const V4: Family = Family::Ipv4Unicast;

/// What a change took.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WhatIf {
    /// Which.
    pub name: String,
    /// Fork, new tables, what moved, and the explanation where there is one, milliseconds; the best of all rounds.
    pub ms: f64,
    /// The fork alone.
    pub fork_ms: f64,
    /// Choices (router and prefix) that are others.
    pub changed: usize,
}

/// Milliseconds since a moment.
#[must_use]
pub fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// A change to a network.
type Change<'c> = &'c dyn Fn(&mut Blueprint);

/// A network with its tables, on which changes are timed.
pub struct Bench<'n> {
    network: &'n Blueprint,
    plane: Plane<'n>,
    base: Solution,
    rounds: usize,
    threads: usize,
}

impl<'n> Bench<'n> {
    /// Solves a network `rounds` times; returns it with the tables and the best time, milliseconds.
    #[must_use]
    pub fn converged(network: &'n Blueprint, rounds: usize, threads: usize) -> (Self, f64) {
        let solve = || {
            let begun = Instant::now();
            let plane = Plane::new(network, V4);
            let base = plane.solve_all_by(Schedule::First, threads);
            (plane, base, ms(begun))
        };
        let (mut plane, mut base, mut best) = solve();
        for _ in 1..rounds {
            let (p, b, took) = solve();
            // the last tables stay; those before give their memory back
            (plane, base, best) = (p, b, best.min(took));
        }
        (Self { network, plane, base, rounds, threads }, best)
    }

    /// Returns the plane.
    #[must_use]
    pub const fn plane(&self) -> &Plane<'n> {
        &self.plane
    }

    /// Returns the tables.
    #[must_use]
    pub const fn base(&self) -> &Solution {
        &self.base
    }

    /// Times the changes that every network is measured by, on its first session to the outside and on its links.
    #[must_use]
    pub fn what_ifs(&self) -> Vec<WhatIf> {
        let Some(feed) = self.network.feeds.first() else { return Vec::new() };
        let session = (feed.router, feed.neighbor);
        let one = feed.routes.first().map(|(p, _)| *p);
        let lp = || vec![RouteAction::SetLocalPref(200)];
        let prepended = || vec![RouteAction::Prepend(AsPath::sequence([64_496; 3])), RouteAction::SetMed(50)];
        let withdrawn = |f: &mut Blueprint| {
            if let Some(feed) = f.feeds.first_mut() {
                Arc::make_mut(&mut feed.routes).retain(|(p, _)| Some(*p) != one);
            }
        };
        let mut out = vec![
            self.lp_on_session(),
            self.timed("lp200_one_prefix", true, &|f| import(f, session, one, lp())),
            self.timed("prepend3", true, &|f| import(f, session, None, prepended())),
            self.timed("ebgp_session_down", false, &|f| f.failures.sessions.extend([session])),
            self.timed("withdraw_one_prefix", false, &withdrawn),
        ];
        out.extend(self.links());
        out
    }

    /// Times LOCAL_PREF 200 for everything that the first session to the outside brings.
    #[must_use]
    pub fn lp_on_session(&self) -> WhatIf {
        let name = "lp200_all_prefixes_one_session";
        let Some(feed) = self.network.feeds.first() else { return WhatIf { name: name.to_owned(), ms: 0.0, fork_ms: 0.0, changed: 0 } };
        let session = (feed.router, feed.neighbor);
        self.timed(name, true, &|f| import(f, session, None, vec![RouteAction::SetLocalPref(200)]))
    }

    /// Times the failure of single links inside: the one that moves most, and the mean.
    fn links(&self) -> Vec<WhatIf> {
        let links = self.network.links.iter().flat_map(|l| l.iter());
        let inner: Vec<&String> = links.filter(|(_, ends)| ends.len() == 2).map(|(name, _)| name).collect();
        let some = inner.iter().step_by((inner.len() / SWEEP).max(1)).take(SWEEP);
        let all: Vec<WhatIf> = some.map(|link| self.timed("link_down", false, &|f| f.failures.links.extend([(*link).clone()]))).collect();
        let mean = |value: fn(&WhatIf) -> f64| all.iter().map(value).sum::<f64>() / all.len().max(1) as f64;
        let (ms, fork_ms, changed) = (mean(|w| w.ms), mean(|w| w.fork_ms), mean(|w| w.changed as f64) as usize);
        let named = |name: &str, w: Option<&WhatIf>| w.map(|w| WhatIf { name: name.to_owned(), ..w.clone() });
        let most = named("busiest_link_down", all.iter().max_by_key(|w| w.changed));
        let slowest = named("slowest_link_down", all.iter().max_by(|a, b| a.ms.total_cmp(&b.ms)));
        let mut out: Vec<WhatIf> = [named("first_link_down", all.first()), most, slowest].into_iter().flatten().collect();
        out.push(WhatIf { name: "mean_of_single_link_failures".to_owned(), ms, fork_ms, changed });
        out
    }

    fn timed(&self, name: &str, explains: bool, change: Change<'_>) -> WhatIf {
        let mut best = WhatIf { name: name.to_owned(), ms: f64::INFINITY, fork_ms: f64::INFINITY, changed: 0 };
        for _ in 0..self.rounds {
            let begun = Instant::now();
            let mut fork = self.network.clone();
            change(&mut fork);
            let fork_ms = ms(begun);
            let after = self.plane.changed(&fork);
            let mut solution = after.solve_after(&self.plane, &self.base, self.threads);
            let moved = self.plane.moves(&self.base, &after, &solution);
            if let Some((router, prefix)) = moved.first().and_then(|m| Some((m.routers.first()?, m.prefixes.first()?))).filter(|_| explains)
            {
                std::hint::black_box(after.explain_choice(&mut solution, *router, prefix));
            }
            let took = ms(begun);
            let changed = moved.iter().map(|m: &Move| m.routers.len() * m.prefixes.len()).sum();
            best = WhatIf { ms: best.ms.min(took), fork_ms: best.fork_ms.min(fork_ms), changed, ..best };
        }
        best
    }
}

/// Puts a policy before what a session brings in, for one prefix or all.
fn import(network: &mut Blueprint, (router, neighbor): (usize, core::net::IpAddr), prefix: Option<Prefix>, actions: Vec<RouteAction>) {
    let Some(router) = network.routers.get_mut(router) else { return };
    let config = Arc::make_mut(&mut router.config);
    let mut first = Statement { actions, ..Statement::new(10, PolicyResult::Accept) };
    let mut rest = None;
    if let Some(prefix) = prefix {
        let entry = PrefixEntry { sequence: 5, permit: true, prefix, ge: None, le: None };
        config.policy.prefix_sets.insert(NAME.to_owned(), PrefixSet { family: prefix.family(), entries: vec![entry] });
        first.conditions.push(Condition::PrefixSet(NAME.to_owned()));
        rest = Some(Statement::new(20, PolicyResult::Accept));
    }
    config.policy.definitions.insert(NAME.to_owned(), PolicyDefinition { statements: [first].into_iter().chain(rest).collect() });
    let session = config.bgp.as_mut().and_then(|b| b.neighbors.get_mut(&neighbor)).and_then(|n| n.families.get_mut(&V4));
    if let Some(session) = session {
        session.import = Some(NAME.to_owned());
    }
}
