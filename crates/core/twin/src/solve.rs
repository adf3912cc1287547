//! One prefix to its fixed point: routers take turns until nobody has news.

use crate::compare::History;
use crate::import::{self, carries};
use crate::model::Model;
use crate::session::Peer;
use crate::{Entry, Path, Solution, Source, export};
use bgp::{PathAttributes, Prefix};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// How often a router may be asked again for one prefix, on average, before the search for a stable state is given up. An AS with
/// reflection settles within a few rounds; a dispute never does.
pub const MAX_ACTIVATIONS_PER_ROUTER: usize = 64;

/// Who takes the next turn. Different schedules that end differently show that the outcome depends on the order of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Schedule {
    /// Oldest news first, as sessions deliver it.
    FirstIn,
    /// Newest news first.
    LastIn,
}

/// Computes all routers' views of one prefix under two schedules. `history` says what each router had selected before. Choices that the
/// schedules disagree on are marked as dependent on the order of events.
pub fn solve(model: &Model, prefix: &Prefix, history: &[History]) -> Solution {
    let fixed: Vec<Vec<Path>> = (0..model.routers.len()).map(|i| fixed_paths(model, i, prefix)).collect();
    let mut solution = run(model, prefix, history, &fixed, Schedule::FirstIn);
    let other = run(model, prefix, history, &fixed, Schedule::LastIn);
    let source = |e: &Entry| e.best_path().map(|p| p.source.clone());
    for (entry, again) in solution.entries.iter_mut().zip(&other.entries) {
        entry.order_dependent |= source(entry) != source(again);
    }
    if solution.unstable.is_empty() {
        solution.unstable = other.unstable;
    }
    solution
}

fn run(model: &Model, prefix: &Prefix, history: &[History], fixed: &[Vec<Path>], schedule: Schedule) -> Solution {
    let mut state = State::new(model, prefix, history, fixed);
    state.run(schedule);
    state.finish()
}

struct State<'a> {
    model: &'a Model,
    prefix: &'a Prefix,
    /// Local and external paths per router: they do not change.
    fixed: &'a [Vec<Path>],
    /// What each router was told, by its own session.
    told: Vec<BTreeMap<usize, Arc<PathAttributes>>>,
    history: &'a [History],
    entries: Vec<Entry>,
    queue: VecDeque<usize>,
    unstable: BTreeSet<usize>,
}

impl<'a> State<'a> {
    fn new(model: &'a Model, prefix: &'a Prefix, history: &'a [History], fixed: &'a [Vec<Path>]) -> Self {
        let n = model.routers.len();
        let queue = (0..n).filter(|i| !fixed[*i].is_empty()).collect();
        let (told, entries) = (vec![BTreeMap::new(); n], vec![Entry::default(); n]);
        Self { model, prefix, fixed, told, history, entries, queue, unstable: BTreeSet::new() }
    }

    fn run(&mut self, schedule: Schedule) {
        let bound = self.model.routers.len() * MAX_ACTIVATIONS_PER_ROUTER;
        // routers that still change in the last part of the budget are the ones in dispute
        let late = bound - bound / 4;
        for turn in 0..bound {
            let next = match schedule {
                Schedule::FirstIn => self.queue.pop_front(),
                Schedule::LastIn => self.queue.pop_back(),
            };
            let Some(index) = next else {
                self.unstable.clear();
                return;
            };
            if self.activate(index) && turn >= late {
                self.unstable.insert(index);
            }
        }
        if self.queue.is_empty() {
            self.unstable.clear();
        }
    }

    /// Lets one router choose and tell its neighbours; says whether its choice changed.
    fn activate(&mut self, index: usize) -> bool {
        let mut paths = self.fixed[index].clone();
        paths.extend(self.internal_paths(index));
        let router = &self.model.routers[index];
        let selection = router.rules().select(&paths, &self.history[index]);
        let mut entry = Entry { paths, ..Entry::default() };
        if let Some(s) = selection {
            for i in &s.multipath {
                entry.paths[*i].multipath = true;
            }
            entry.best = Some(s.best);
            entry.reason = Some(s.reason);
            entry.order_dependent = !s.certain;
        }
        let old = core::mem::replace(&mut self.entries[index], entry);
        let new = &self.entries[index];
        let key = |e: &Entry| e.best_path().map(|p| (p.source.clone(), p.attributes.clone()));
        let changed = key(&old) != key(new);
        if changed {
            self.announce(index);
        }
        changed
    }

    fn internal_paths(&self, index: usize) -> Vec<Path> {
        let router = &self.model.routers[index];
        let path = |(s, attributes): (&usize, &Arc<PathAttributes>)| {
            let session = &router.sessions[*s];
            let Peer::Internal { router: peer, .. } = &session.peer else { return None };
            let source = Source::Internal { neighbor: session.neighbor, device: self.model.routers[*peer].id.clone() };
            Some(import::internal(self.model, index, session, source, self.prefix, attributes))
        };
        self.told[index].iter().filter_map(path).collect()
    }

    fn announce(&mut self, index: usize) {
        let router = &self.model.routers[index];
        let family = self.prefix.family();
        for session in &router.sessions {
            let Peer::Internal { router: peer, session: Some(back) } = session.peer else { continue };
            let far = &self.model.routers[peer].sessions[back];
            let best = self.entries[index].best_path().filter(|_| carries(far, family));
            let news = best.and_then(|p| export::to_internal(self.model, index, session, self.prefix, p));
            let old = match &news {
                Some(attributes) => self.told[peer].insert(back, attributes.clone()),
                None => self.told[peer].remove(&back),
            };
            if old != news && !self.queue.contains(&peer) {
                self.queue.push_back(peer);
            }
        }
    }

    fn finish(self) -> Solution {
        Solution { entries: self.entries, unstable: self.unstable.into_iter().collect() }
    }
}

fn fixed_paths(model: &Model, index: usize, prefix: &Prefix) -> Vec<Path> {
    let router = &model.routers[index];
    let mut paths: Vec<Path> = import::local(router, prefix).into_iter().collect();
    for session in &router.sessions {
        let Peer::External { exit, feed, .. } = &session.peer else { continue };
        let Some(announced) = feed.get(prefix) else { continue };
        if model.is_up(session) && carries(session, prefix.family()) {
            let source = Source::External { neighbor: session.neighbor, exit: exit.clone() };
            paths.push(import::external(model, index, session, source, prefix, announced));
        }
    }
    paths
}
