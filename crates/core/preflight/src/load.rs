//! Load of exits and links, from measured volumes; what is not measured is carried as its worst case.

use crate::difference::{Volumes, senders};
use crate::{Exit, Facts, World};
use bgp::Prefix;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Something that carries traffic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Carrier {
    /// An exit.
    Exit(Exit),
    /// A link inside the network.
    Link(String),
}

impl core::fmt::Display for Carrier {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Exit(exit) => write!(f, "exit {exit}"),
            Self::Link(link) => write!(f, "link {link}"),
        }
    }
}

/// Load of a carrier.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Load {
    /// Carrier.
    pub carrier: Carrier,
    /// Load before, bit/s; absent: not known.
    pub before_bps: Option<f64>,
    /// Load after from what is measured, bit/s; absent: not known.
    pub after_bps: Option<f64>,
    /// Load after if everything that is not measured and comes here were as large as it can be, bit/s; absent: no bound is known.
    pub worst_bps: Option<f64>,
    /// The worst case rests on a measured load; otherwise on a capacity alone.
    pub worst_is_measured: bool,
    /// Prefixes of unknown volume that come here.
    pub unknown: usize,
    /// Capacity: the sum of the member links, bit/s; absent: not known.
    pub capacity_bps: Option<f64>,
}

/// Traffic at an exit to prefixes of one destination, as far as it is known.
#[derive(Clone, Debug)]
struct Demand {
    /// Prefixes with their measured volumes, bit/s.
    prefixes: Vec<(Prefix, Option<f64>)>,
    /// Where it starts: routers of ours, each with the same share.
    sources: Vec<usize>,
}

/// Prefixes of unknown volume on a carrier: by demand, how many.
type Strangers = BTreeMap<Carrier, BTreeMap<usize, usize>>;

/// The traffic of a network before a change: what is measured, and where it starts.
pub struct Traffic<'f> {
    facts: &'f Facts,
    volumes: Volumes<'f>,
    /// By exit (position in the facts).
    demands: Vec<Vec<Demand>>,
    /// What of each exit's load no volume explains, bit/s, and whether that is measured; `None`: no bound.
    rest: Vec<Option<(f64, bool)>>,
    before: BTreeMap<Carrier, f64>,
    /// Where each exit's unmeasured prefixes passed before.
    passed: Vec<Strangers>,
}

/// Returns the capacity of a bundle; `None`: not known.
fn capacity(members: &[f64], lost: usize) -> Option<f64> {
    let mut members = members.to_vec();
    members.sort_by(f64::total_cmp);
    // the largest member is the one that is lost
    members.truncate(members.len().saturating_sub(lost));
    (!members.is_empty() || lost > 0).then(|| members.iter().sum())
}

impl<'f> Traffic<'f> {
    /// Finds where the measured traffic of every exit starts. The volume of a prefix at an exit is split evenly over the routers of ours whose
    /// packets leave there; routers without sessions to other ASes when there are any, since they are where traffic starts.
    #[must_use]
    pub fn new(world: &World<'_>, facts: &'f Facts) -> Self {
        let volumes = Volumes::new(facts);
        let edges: BTreeSet<usize> = world
            .families
            .iter()
            .flat_map(|s| &s.directions)
            .filter(|d| crate::announced::outward(world, d).is_some())
            .filter_map(|d| d.from)
            .collect();
        let (mut all, mut rests) = (Vec::new(), Vec::new());
        for told in &facts.exits {
            let exit = told.exit();
            let known = volumes.known(&exit);
            let unexplained = told.load(&facts.limits).map(|l| ((l - known.unwrap_or(0.0)).max(0.0), true));
            // with volumes and no rate the volumes are all there is, unless some of them are too old
            let bound = match (unexplained, known) {
                (Some(rest), _) => Some(rest),
                (None, Some(_)) if volumes.too_old(&exit).is_none() => Some((0.0, true)),
                (None, _) => capacity(&told.members_bps, 0).map(|c| (c, false)),
            };
            let mut demands = Vec::new();
            for solved in &world.families {
                for class in &solved.solution.classes {
                    // prefixes of one destination part only where a shorter prefix takes over
                    let whole = class.prefixes.first().is_some_and(|p| world.own.iter().all(|r| solved.best(*r, p).is_some()));
                    let parts = if whole { class.prefixes.len() } else { 1 };
                    for part in class.prefixes.chunks(parts.max(1)) {
                        let mut sources = part.first().map(|p| senders(world, &exit, p)).unwrap_or_default();
                        if sources.is_empty() {
                            continue;
                        }
                        if sources.iter().any(|s| !edges.contains(s)) {
                            sources.retain(|s| !edges.contains(s));
                        }
                        demands.push(Demand { prefixes: part.iter().map(|p| (*p, volumes.at(&exit, p))).collect(), sources });
                    }
                }
            }
            all.push(demands);
            rests.push(bound);
        }
        let mut out = Self { facts, volumes, demands: all, rest: rests, before: BTreeMap::new(), passed: Vec::new() };
        (out.before, out.passed) = out.carried(world);
        out
    }

    /// Sums the measured traffic over the ways it takes in a world; and for each exit's unmeasured prefixes, where they pass then.
    fn carried(&self, world: &World<'_>) -> (BTreeMap<Carrier, f64>, Vec<Strangers>) {
        let mut sums: BTreeMap<Carrier, f64> = BTreeMap::new();
        let mut unknown: Vec<Strangers> = Vec::new();
        for demands in &self.demands {
            let mut strangers = Strangers::new();
            for (number, demand) in demands.iter().enumerate() {
                // prefixes that were one destination may be several now
                let mut parts: BTreeMap<Option<usize>, (Prefix, f64, usize)> = BTreeMap::new();
                for (prefix, bps) in &demand.prefixes {
                    let part = parts.entry(world.of(prefix.family()).solution.place_of(prefix)).or_insert((*prefix, 0.0, 0));
                    part.1 += bps.unwrap_or(0.0);
                    part.2 += usize::from(bps.is_none());
                }
                for (prefix, bps, strange) in parts.into_values() {
                    for source in demand.sources.iter().filter(|s| world.works(**s)) {
                        #[allow(clippy::cast_precision_loss, reason = "routers of a network")]
                        let each = 1.0 / demand.sources.len() as f64;
                        for walk in world.walks(*source, &prefix).iter().filter(|w| w.end.works()) {
                            let exit = walk.exit.iter().cloned().map(Carrier::Exit);
                            for carrier in exit.chain(walk.links.iter().cloned().map(Carrier::Link)) {
                                if strange > 0 {
                                    let there = strangers.entry(carrier.clone()).or_default().entry(number).or_default();
                                    *there = (*there).max(strange);
                                }
                                if bps > 0.0 {
                                    *sums.entry(carrier).or_default() += bps * walk.share * each;
                                }
                            }
                        }
                    }
                }
            }
            unknown.push(strangers);
        }
        (sums, unknown)
    }

    fn members(&self, carrier: &Carrier) -> &[f64] {
        match carrier {
            Carrier::Exit(exit) => self.facts.exit(exit).map_or(&[], |e| &e.members_bps),
            Carrier::Link(link) => self.facts.links.get(link).map_or(&[], |l| &l.members_bps),
        }
    }

    fn measured(&self, carrier: &Carrier) -> Option<f64> {
        match carrier {
            Carrier::Exit(exit) => self.facts.exit(exit)?.load(&self.facts.limits),
            Carrier::Link(link) => self.facts.links.get(link)?.load_bps,
        }
    }

    /// Returns the loads in a world; `member`: this bundle has lost its largest member.
    #[must_use]
    pub fn loads(&self, world: &World<'_>, member: Option<&Carrier>) -> Vec<Load> {
        let (sums, unknown) = self.carried(world);
        let exits = self.facts.exits.iter().map(|e| Carrier::Exit(e.exit()));
        let carriers: BTreeSet<Carrier> =
            exits.chain(self.facts.links.keys().cloned().map(Carrier::Link)).chain(sums.keys().cloned()).collect();
        let mut out = Vec::new();
        for carrier in carriers {
            let explained = self.before.get(&carrier).copied().unwrap_or(0.0);
            let now = sums.get(&carrier).copied().unwrap_or(0.0);
            let measured = self.measured(&carrier);
            let known = measured.is_some() || self.has_volumes(&carrier);
            let before = known.then(|| measured.unwrap_or(0.0).max(explained));
            let rest = before.map(|b| b - explained);
            let after = rest.map(|r| (r + now).max(0.0));
            // what of other exits' unmeasured traffic may come here
            let (mut worst, mut bounded, mut count) = (after, true, 0);
            for (at, strangers) in unknown.iter().enumerate() {
                let own = self.facts.exits.get(at).is_some_and(|e| Carrier::Exit(e.exit()) == carrier);
                let Some(strangers) = strangers.get(&carrier).filter(|_| !own) else { continue };
                let fresh = self.fresh(at, &carrier, strangers);
                if fresh == 0 {
                    continue;
                }
                count += fresh;
                match self.rest.get(at).copied().flatten() {
                    Some((bps, measured)) => {
                        worst = worst.map(|w| w + bps);
                        bounded &= measured;
                    }
                    None => worst = None,
                }
            }
            let lost = usize::from(member == Some(&carrier));
            out.push(Load {
                before_bps: before,
                after_bps: after,
                worst_bps: worst,
                worst_is_measured: bounded,
                unknown: count,
                capacity_bps: capacity(self.members(&carrier), lost),
                carrier,
            });
        }
        out
    }

    /// Counts the prefixes of an exit's unmeasured traffic that did not pass here before.
    fn fresh(&self, at: usize, carrier: &Carrier, strangers: &BTreeMap<usize, usize>) -> usize {
        let known = self.passed.get(at).and_then(|l| l.get(carrier));
        strangers.iter().filter(|(demand, _)| known.is_none_or(|k| !k.contains_key(demand))).map(|(_, n)| n).sum()
    }

    fn has_volumes(&self, carrier: &Carrier) -> bool {
        match carrier {
            Carrier::Exit(exit) => self.volumes.are_told(exit),
            Carrier::Link(_) => !self.volumes.is_empty(),
        }
    }
}

impl Traffic<'_> {
    /// Returns the measured volume of a prefix at an exit, bit/s; `None`: not measured, or too long ago. An exit that reports volumes and does
    /// not list a prefix carries none of it.
    #[must_use]
    pub fn volume(&self, exit: &Exit, prefix: &Prefix) -> Option<f64> {
        self.volumes.at(exit, prefix)
    }

    /// Returns how old the volumes of an exit are where they are too old to be known, seconds.
    #[must_use]
    pub fn too_old(&self, exit: &Exit) -> Option<u64> {
        self.volumes.too_old(exit)
    }

    /// Returns how many member links a carrier has, as far as it is told.
    #[must_use]
    pub fn member_count(&self, carrier: &Carrier) -> usize {
        self.members(carrier).len()
    }
}
