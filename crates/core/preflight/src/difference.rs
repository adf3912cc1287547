//! What a change moves: by router and prefixes that change alike, what stays, what was not meant to move.

use crate::announced::pairs;
use crate::{AnnouncedChange, Context, End, Exit, Facts, Intent, Walk, World};
use bgp::Prefix;
use core::net::IpAddr;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use units::Ratio;

/// How a router reaches prefixes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Way {
    /// Neighbour of the best path; absent: made here.
    pub from: Option<IpAddr>,
    /// BGP next hop.
    pub next_hop: Option<IpAddr>,
    /// AS_PATH of the best path.
    pub as_path: String,
    /// Where packets leave our network; absent: they do not.
    pub exit: Option<Exit>,
    /// What becomes of packets.
    pub end: End,
}

/// Prefixes that change alike at a router.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// Router.
    pub router: String,
    /// Ours.
    pub own: bool,
    /// Prefixes, in order.
    pub prefixes: Vec<Prefix>,
    /// Before; absent: no path.
    pub before: Option<Way>,
    /// After; absent: no path.
    pub after: Option<Way>,
    /// Traffic of the prefixes at the exit before, as far as it is measured, bit/s; absent: none of it is.
    pub bps: Option<f64>,
    /// Prefixes whose volume is not measured.
    pub unknown_volume: usize,
}

/// What a change moves.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// By router and prefixes that change alike.
    pub groups: Vec<Group>,
    /// Prefixes that change at no router.
    pub unchanged: usize,
    /// Prefixes in all.
    pub prefixes: usize,
    /// Prefixes whose path changes at a router of ours.
    pub moved: BTreeSet<Prefix>,
    /// Those of them that were not meant to.
    pub unexpected: BTreeSet<Prefix>,
    /// Share of the prefixes that change at a router of ours.
    pub blast: Ratio,
    /// Share of the measured traffic that changes its exit; absent: no volume is measured.
    pub blast_traffic: Option<Ratio>,
    /// What neighbours outside are told otherwise.
    pub announced: Vec<AnnouncedChange>,
}

/// Returns how a router reaches a prefix; `None`: no path and no way.
#[must_use]
pub fn way(world: &World<'_>, router: usize, prefix: &Prefix) -> Option<Way> {
    let solved = world.of(prefix.family());
    let held = solved.best(router, prefix);
    let walk = world.fate(router, prefix)?;
    if held.is_none() && !walk.end.works() {
        return None;
    }
    let attributes = held.map(|h| &h.route().attributes);
    Some(Way {
        from: held.and_then(|h| h.over).map(|h| solved.directions[h].from_address),
        next_hop: attributes.and_then(|a| a.next_hop),
        as_path: attributes.map(|a| a.as_path.to_string()).unwrap_or_default(),
        exit: walk.exit,
        end: walk.end,
    })
}

/// Compares two worlds.
#[must_use]
pub fn difference(before: &World<'_>, after: &World<'_>, announced: Vec<AnnouncedChange>, intent: &Intent, facts: &Facts) -> Difference {
    let volumes = Volumes::new(facts);
    let mut groups: Vec<Group> = Vec::new();
    let (mut all, mut still) = (0, 0);
    let (mut moved, mut by_session) = (BTreeSet::new(), BTreeSet::new());
    for family in 0..2 {
        for prefixes in pairs(before, after, family).into_values() {
            all += prefixes.len();
            let mut any = false;
            let Some(first) = prefixes.first() else { continue };
            for router in 0..before.network.routers.len() {
                let own = before.own.contains(&router);
                // prefixes of one destination part only where a shorter prefix takes over
                let split = |w: &World<'_>| w.of(first.family()).best(router, first).is_none();
                let parts: Vec<&[Prefix]> =
                    if split(before) || split(after) { prefixes.chunks(1).collect() } else { vec![prefixes.as_slice()] };
                for part in parts {
                    let Some(one) = part.first() else { continue };
                    let (was, is) = (way(before, router, one), way(after, router, one));
                    if was == is {
                        continue;
                    }
                    any = true;
                    if own {
                        moved.extend(part.iter().copied());
                        let at = |w: &Option<Way>| {
                            w.as_ref().and_then(|w| w.exit.as_ref()).is_some_and(|e| intent.touches(&e.router, e.neighbor))
                        };
                        if at(&was) || at(&is) {
                            by_session.extend(part.iter().copied());
                        }
                    }
                    let (bps, unknown) = volumes.sum(was.as_ref().and_then(|w| w.exit.as_ref()), part);
                    groups.push(Group {
                        router: before.name(router).to_owned(),
                        own,
                        prefixes: part.to_vec(),
                        before: was,
                        after: is,
                        bps,
                        unknown_volume: unknown,
                    });
                }
            }
            still += if any { 0 } else { prefixes.len() };
        }
    }
    let unexpected = match intent.declared(facts) {
        Declared::All => BTreeSet::new(),
        Declared::These(list) => moved.iter().filter(|p| !list.contains(p)).copied().collect(),
        Declared::OfSessions => moved.difference(&by_session).copied().collect(),
        Declared::Nothing => moved.clone(),
    };
    let blast = Ratio::of(moved.len() as u64, all as u64);
    let blast_traffic = volumes.moved(&groups);
    Difference { groups: merged(groups), unchanged: still, prefixes: all, moved, unexpected, blast, blast_traffic, announced }
}

/// Puts groups together that differ in their prefixes only.
fn merged(groups: Vec<Group>) -> Vec<Group> {
    let mut out: Vec<Group> = Vec::new();
    let mut known: BTreeMap<(String, Option<Way>, Option<Way>), usize> = BTreeMap::new();
    for group in groups {
        let key = (group.router.clone(), group.before.clone(), group.after.clone());
        match known.get(&key).and_then(|at| out.get_mut(*at)) {
            Some(there) => {
                there.prefixes.extend(group.prefixes);
                there.unknown_volume += group.unknown_volume;
                there.bps = match (there.bps, group.bps) {
                    (Some(a), Some(b)) => Some(a + b),
                    (a, b) => a.or(b),
                };
            }
            None => {
                known.insert(key, out.len());
                out.push(group);
            }
        }
    }
    for group in &mut out {
        group.prefixes.sort_unstable();
    }
    out
}

/// What a change says it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Declared<'i> {
    /// Anything may move (a failure is not made on purpose).
    All,
    /// These prefixes.
    These(&'i [Prefix]),
    /// What goes over the sessions it names.
    OfSessions,
    /// It says nothing.
    Nothing,
}

impl Intent {
    /// Says whether the change names a session.
    #[must_use]
    pub fn touches(&self, router: &str, neighbor: IpAddr) -> bool {
        self.sessions.iter().any(|(r, n)| r == router && *n == neighbor)
    }

    /// Returns what the change says it is about.
    #[must_use]
    pub fn declared<'i>(&'i self, facts: &'i Facts) -> Declared<'i> {
        if self.failure {
            return Declared::All;
        }
        if let Some(intended) = &facts.intended {
            return Declared::These(intended);
        }
        if !self.prefixes.is_empty() {
            return Declared::These(&self.prefixes);
        }
        if self.sessions.is_empty() { Declared::Nothing } else { Declared::OfSessions }
    }
}

/// Measured volumes, ready to be asked. Those that are too old are not among them.
pub(crate) struct Volumes<'f> {
    by_exit: BTreeMap<(&'f str, IpAddr), BTreeMap<Prefix, f64>>,
    /// What is too old: by exit, how old the oldest is, seconds, and the prefixes.
    stale: BTreeMap<(&'f str, IpAddr), (u64, BTreeSet<Prefix>)>,
}

impl<'f> Volumes<'f> {
    pub fn new(facts: &'f Facts) -> Self {
        let mut by_exit: BTreeMap<_, BTreeMap<Prefix, f64>> = BTreeMap::new();
        let mut stale: BTreeMap<_, (u64, BTreeSet<Prefix>)> = BTreeMap::new();
        for v in &facts.volumes {
            let exit = (v.router.as_str(), v.neighbor);
            if facts.limits.is_fresh(v.age_s) {
                *by_exit.entry(exit).or_default().entry(v.prefix).or_default() += v.bps;
            } else {
                let old = stale.entry(exit).or_default();
                old.0 = old.0.max(v.age_s.unwrap_or(0));
                old.1.insert(v.prefix);
            }
        }
        Self { by_exit, stale }
    }

    /// Returns how old the volumes of an exit are that are too old, seconds; `None`: none is.
    pub fn too_old(&self, exit: &Exit) -> Option<u64> {
        self.stale.get(&(exit.router.as_str(), exit.neighbor)).map(|(age, _)| *age)
    }

    /// Says whether an exit reports volumes that are not too old.
    pub fn are_told(&self, exit: &Exit) -> bool {
        self.by_exit.contains_key(&(exit.router.as_str(), exit.neighbor))
    }

    /// Says whether no exit reports any that are not too old.
    pub fn is_empty(&self) -> bool {
        self.by_exit.is_empty()
    }

    /// Returns the volume of a prefix at an exit; `None`: not measured, or too long ago. An exit that reports volumes and does not list it
    /// carries none of it.
    pub fn at(&self, exit: &Exit, prefix: &Prefix) -> Option<f64> {
        let key = (exit.router.as_str(), exit.neighbor);
        let there = self.by_exit.get(&key)?;
        let is_old = || self.stale.get(&key).is_some_and(|(_, prefixes)| prefixes.contains(prefix));
        there.get(prefix).copied().or_else(|| (!is_old()).then_some(0.0))
    }

    /// Sums what is known at an exit.
    pub fn known(&self, exit: &Exit) -> Option<f64> {
        self.by_exit.get(&(exit.router.as_str(), exit.neighbor)).map(|v| v.values().sum())
    }

    fn sum(&self, exit: Option<&Exit>, prefixes: &[Prefix]) -> (Option<f64>, usize) {
        let Some(exit) = exit else { return (None, prefixes.len()) };
        let known: Vec<f64> = prefixes.iter().filter_map(|p| self.at(exit, p)).collect();
        let unknown = prefixes.len() - known.len();
        ((!known.is_empty()).then(|| known.iter().sum()), unknown)
    }

    /// Share of the measured traffic whose exit changes.
    fn moved(&self, groups: &[Group]) -> Option<Ratio> {
        let total: f64 = self.by_exit.values().flat_map(BTreeMap::values).sum();
        if total <= 0.0 {
            return None;
        }
        let mut gone: BTreeSet<(&Exit, Prefix)> = BTreeSet::new();
        for g in groups.iter().filter(|g| g.own) {
            let exit = |w: &'_ Option<Way>| w.as_ref().and_then(|w| w.exit.clone());
            if let Some(before) = g.before.as_ref().and_then(|w| w.exit.as_ref())
                && exit(&g.after).as_ref() != Some(before)
            {
                gone.extend(g.prefixes.iter().map(|p| (before, *p)));
            }
        }
        let moved: f64 = gone.iter().filter_map(|(e, p)| self.at(e, p)).sum();
        // an empty sum is −0
        Ratio::new((moved / total).clamp(0.0, 1.0) + 0.0).ok()
    }
}

/// The routers of ours whose packets to a prefix leave by an exit.
pub(crate) fn senders(world: &World<'_>, exit: &Exit, prefix: &Prefix) -> Vec<usize> {
    let leaves = |w: &Walk| w.exit.as_ref() == Some(exit);
    world.own.iter().copied().filter(|r| world.works(*r) && world.walks(*r, prefix).iter().any(leaves)).collect()
}

/// What stands for the whole context where only facts are needed.
impl<'c> Context<'c> {
    /// A context of facts alone.
    #[must_use]
    pub const fn of(facts: &'c Facts) -> Self {
        Self { facts, validity: None, validity_before: None }
    }
}
