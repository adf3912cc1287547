//! Load of exits and links, from measured volumes; what is not measured is carried as its worst case.

pub use crate::carriage::Carrier;
use crate::carriage::{Shape, Stream};
use crate::difference::Volumes;
use crate::{Exit, ExitFacts, Facts, Ground, World};
use bgp::Prefix;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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

/// What is known of a stream's volume.
#[derive(Clone, Debug)]
struct Demand {
    /// By prefix, bit/s.
    volumes: Vec<Option<f64>>,
    /// All of them.
    whole: Part,
}

/// Prefixes of a stream.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    /// What is measured of them, bit/s.
    bps: f64,
    /// How many are not measured.
    strange: usize,
}

impl Part {
    fn of(volumes: impl Iterator<Item = Option<f64>>) -> Self {
        volumes
            .fold(Self::default(), |sum, bps| Self { bps: sum.bps + bps.unwrap_or(0.0), strange: sum.strange + usize::from(bps.is_none()) })
    }
}

/// Prefixes of unknown volume on a carrier: by stream, how many.
type Strangers = BTreeMap<Carrier, BTreeMap<usize, usize>>;

/// The traffic of a network before a change: what is measured, and where it starts.
pub struct Traffic<'f> {
    facts: &'f Facts,
    volumes: Volumes<'f>,
    /// By exit (position in the facts) and stream.
    shape: Arc<Shape>,
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
        let exits: Vec<Exit> = facts.exits.iter().map(ExitFacts::exit).collect();
        let shape = match &world.remembered {
            Some(remembered) => remembered.shape(&exits, || Shape::new(world, &exits)),
            None => Arc::new(Shape::new(world, &exits)),
        };
        let (mut all, mut rests) = (Vec::new(), Vec::new());
        for (told, (exit, streams)) in facts.exits.iter().zip(exits.iter().zip(&shape.streams)) {
            let known = volumes.known(exit);
            let unexplained = told.load(&facts.limits).map(|l| ((l - known.unwrap_or(0.0)).max(0.0), true));
            // with volumes and no rate the volumes are all there is, unless some of them are too old
            let bound = match (unexplained, known) {
                (Some(rest), _) => Some(rest),
                (None, Some(_)) if volumes.too_old(exit).is_none() => Some((0.0, true)),
                (None, _) => capacity(&told.members_bps, 0).map(|c| (c, false)),
            };
            let demand = |stream: &Stream| {
                let volumes: Vec<Option<f64>> = stream.prefixes.iter().map(|p| volumes.at(exit, p)).collect();
                Demand { whole: Part::of(volumes.iter().copied()), volumes }
            };
            all.push(streams.iter().map(demand).collect());
            rests.push(bound);
        }
        let mut out = Self { facts, volumes, shape, demands: all, rest: rests, before: BTreeMap::new(), passed: Vec::new() };
        (out.before, out.passed) = out.carried(world);
        out
    }

    /// Sums the measured traffic over the ways it takes in a network; and for each exit's unmeasured prefixes, where they pass then.
    fn carried(&self, ground: &dyn Ground) -> (BTreeMap<Carrier, f64>, Vec<Strangers>) {
        let carriage = ground.carriage(&self.shape);
        let mut sums: Vec<Option<f64>> = vec![None; carriage.carriers.len()];
        let mut unknown: Vec<BTreeMap<u32, BTreeMap<usize, usize>>> = vec![BTreeMap::new(); self.demands.len()];
        for portion in &carriage.portions {
            let (exit, number) = (portion.exit as usize, portion.stream as usize);
            let demand = &self.demands[exit][number];
            let part = match carriage.split(portion) {
                Some(positions) => Part::of(positions.iter().map(|at| demand.volumes[*at as usize])),
                None => demand.whole,
            };
            #[allow(clippy::cast_precision_loss, reason = "routers of a network")]
            let each = 1.0 / self.shape.streams[exit][number].sources.len() as f64;
            for (carrier, share) in carriage.shares(portion) {
                if part.strange > 0 {
                    let there = unknown[exit].entry(*carrier).or_default().entry(number).or_default();
                    *there = (*there).max(part.strange);
                }
                if part.bps > 0.0 {
                    *sums[*carrier as usize].get_or_insert_default() += part.bps * share * each;
                }
            }
        }
        let named = |strangers: BTreeMap<u32, BTreeMap<usize, usize>>| {
            strangers.into_iter().map(|(carrier, there)| (carriage.carriers[carrier as usize].clone(), there)).collect()
        };
        let sums = sums.into_iter().zip(&carriage.carriers).filter_map(|(bps, carrier)| Some((carrier.clone(), bps?))).collect();
        (sums, unknown.into_iter().map(named).collect())
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

    /// Returns the loads in a network; `member`: this bundle has lost its largest member.
    #[must_use]
    pub fn loads(&self, ground: &dyn Ground, member: Option<&Carrier>) -> Vec<Load> {
        let (sums, unknown) = self.carried(ground);
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
        let each = self.demands.iter().flatten().flat_map(|d| &d.volumes).filter_map(|bps| *bps);
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
