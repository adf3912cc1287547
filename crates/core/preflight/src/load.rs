//! Load of exits and links, from measured volumes; what is not measured is carried as its worst case.

use crate::difference::{Volumes, senders};
use crate::{Exit, Facts, Walk, World};
use bgp::{Family, Prefix};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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
    /// The same as one destination, as it was before.
    whole: Part,
    /// Where it starts: routers of ours, each with the same share.
    sources: Vec<usize>,
}

/// Prefixes of a demand that are one destination.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// One of them.
    prefix: Prefix,
    /// What is measured of them, bit/s.
    bps: f64,
    /// How many are not measured.
    strange: usize,
}

impl Part {
    const fn of(prefix: Prefix) -> Self {
        Self { prefix, bps: 0.0, strange: 0 }
    }

    fn add(&mut self, bps: Option<f64>) {
        self.bps += bps.unwrap_or(0.0);
        self.strange += usize::from(bps.is_none());
    }
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
    /// Destinations before, by family.
    places: [Arc<Vec<(Prefix, u32)>>; 2],
    before: BTreeMap<Carrier, f64>,
    /// Where each exit's unmeasured prefixes passed before.
    passed: Vec<Strangers>,
}

/// What carries the packets of ways, each carrier by its number.
#[derive(Default)]
struct Ways {
    carriers: Vec<Carrier>,
    numbers: BTreeMap<Carrier, usize>,
    /// By the ways' own address; they are kept, so that no other ones have it.
    known: BTreeMap<usize, (Arc<Vec<Walk>>, Shares)>,
}

/// Carriers by number, each with the share of packets that it carries.
type Shares = Vec<(usize, f64)>;

impl Ways {
    /// Returns what carries these ways, as far as packets arrive, with the share of each.
    fn of(&mut self, walks: Arc<Vec<Walk>>) -> &[(usize, f64)] {
        let (carriers, numbers) = (&mut self.carriers, &mut self.numbers);
        let mut carried = |walks: &Arc<Vec<Walk>>| {
            let mut out = Vec::new();
            for walk in walks.iter().filter(|w| w.end.works()) {
                let exit = walk.exit.iter().cloned().map(Carrier::Exit);
                for carrier in exit.chain(walk.links.iter().cloned().map(Carrier::Link)) {
                    let number = *numbers.entry(carrier).or_insert_with_key(|carrier| {
                        carriers.push(carrier.clone());
                        carriers.len() - 1
                    });
                    out.push((number, walk.share));
                }
            }
            out
        };
        let (_, out) = self.known.entry(Arc::as_ptr(&walks).addr()).or_insert_with(|| {
            let out = carried(&walks);
            (walks, out)
        });
        out
    }
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
                        let prefixes: Vec<_> = part.iter().map(|p| (*p, volumes.at(&exit, p))).collect();
                        let Some(mut whole) = part.first().map(|p| Part::of(*p)) else { continue };
                        prefixes.iter().for_each(|(_, bps)| whole.add(*bps));
                        demands.push(Demand { prefixes, whole, sources });
                    }
                }
            }
            all.push(demands);
            rests.push(bound);
        }
        let places = world.families.each_ref().map(|s| Arc::clone(s.solution.places()));
        let mut out = Self { facts, volumes, demands: all, rest: rests, places, before: BTreeMap::new(), passed: Vec::new() };
        (out.before, out.passed) = out.carried(world);
        out
    }

    /// Sums the measured traffic over the ways it takes in a world; and for each exit's unmeasured prefixes, where they pass then.
    fn carried(&self, world: &World<'_>) -> (BTreeMap<Carrier, f64>, Vec<Strangers>) {
        let mut ways = Ways::default();
        let mut sums: Vec<Option<f64>> = Vec::new();
        let mut unknown: Vec<Strangers> = Vec::new();
        for demands in &self.demands {
            let mut strangers: BTreeMap<usize, BTreeMap<usize, usize>> = BTreeMap::new();
            for (number, demand) in demands.iter().enumerate() {
                for part in self.parts(demand, world) {
                    for source in demand.sources.iter().filter(|s| world.works(**s)) {
                        #[allow(clippy::cast_precision_loss, reason = "routers of a network")]
                        let each = 1.0 / demand.sources.len() as f64;
                        for (carrier, share) in ways.of(world.walks(*source, &part.prefix)) {
                            if part.strange > 0 {
                                let there = strangers.entry(*carrier).or_default().entry(number).or_default();
                                *there = (*there).max(part.strange);
                            }
                            if part.bps > 0.0 {
                                if sums.len() <= *carrier {
                                    sums.resize(*carrier + 1, None);
                                }
                                *sums[*carrier].get_or_insert_default() += part.bps * share * each;
                            }
                        }
                    }
                }
            }
            unknown.push(strangers.into_iter().map(|(carrier, there)| (ways.carriers[carrier].clone(), there)).collect());
        }
        let sums = sums.into_iter().zip(&ways.carriers).filter_map(|(bps, carrier)| Some((carrier.clone(), bps?))).collect();
        (sums, unknown)
    }

    /// Prefixes that were one destination may be several in another world.
    fn parts(&self, demand: &Demand, world: &World<'_>) -> Vec<Part> {
        let family = demand.whole.prefix.family();
        let places = world.of(family).solution.places();
        if demand.prefixes.len() == 1 || Arc::ptr_eq(places, &self.places[usize::from(family == Family::Ipv6Unicast)]) {
            return vec![demand.whole];
        }
        let mut parts: BTreeMap<Option<usize>, Part> = BTreeMap::new();
        for (prefix, bps) in &demand.prefixes {
            parts.entry(world.of(family).solution.place_of(prefix)).or_insert(Part::of(*prefix)).add(*bps);
        }
        parts.into_values().collect()
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
            let now = sums.get(&carrier).copied().unwrap_or(0.0);
            let (before, rest) = self.before(&carrier).unzip();
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

    /// Returns the load of a carrier before, and what of it no volume explains, bit/s; `None`: not known.
    fn before(&self, carrier: &Carrier) -> Option<(f64, f64)> {
        let explained = self.before.get(carrier).copied().unwrap_or(0.0);
        let measured = self.measured(carrier);
        let load = measured.unwrap_or(0.0).max(explained);
        (measured.is_some() || self.has_volumes(carrier)).then_some((load, load - explained))
    }

    /// Returns what a carrier cannot exceed wherever packets go, bit/s: everything that is measured at all exits passes it, and everything
    /// that is not measured at the others. `ends`: routers that a link joins; packets of one walk pass it at most once less.
    /// `measured`: all that is measured at the exits.
    fn most(&self, carrier: &Carrier, ends: usize, measured: f64) -> f64 {
        let own = self.before(carrier).map_or(0.0, |(_, rest)| rest);
        let elsewhere = |at: &usize| self.facts.exits.get(*at).is_none_or(|e| Carrier::Exit(e.exit()) != *carrier);
        let unmeasured = (0..self.rest.len()).filter(elsewhere).filter_map(|at| self.rest[at]).map(|(bps, _)| bps);
        #[allow(clippy::cast_precision_loss, reason = "routers of a network")]
        let times = ends.saturating_sub(1).max(1) as f64;
        own + measured * times + unmeasured.sum::<f64>()
    }

    /// Says whether no carrier can come over a share of its capacity, wherever packets go and whichever of its members is lost: then there is
    /// nothing to try out. What is small against every link and exit, as where each of them was built to take all, is answered so.
    #[must_use]
    pub fn always_fits(&self, world: &World<'_>, limit: f64) -> bool {
        let ends = |carrier: &Carrier| match carrier {
            Carrier::Exit(_) => 2,
            Carrier::Link(link) => match &world.network.links {
                Some(links) => links.get(link).map_or(2, Vec::len),
                None => world.network.routers.len(),
            },
        };
        // as it is summed over the ways: a part that is not above zero is none
        let each = self.demands.iter().flatten().flat_map(|d| &d.prefixes).filter_map(|(_, bps)| *bps);
        let measured: f64 = each.filter(|bps| *bps > 0.0).sum();
        let exits = self.facts.exits.iter().map(|e| Carrier::Exit(e.exit()));
        let links = self.facts.links.keys().cloned().map(Carrier::Link);
        exits.chain(links).all(|carrier| {
            let members = self.members(&carrier);
            let left = capacity(members, usize::from(members.len() > 1));
            // sums in another order differ in their last digits
            left.is_none_or(|c| self.most(&carrier, ends(&carrier), measured) * (1.0 + 1e-9) <= limit * c)
        })
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
