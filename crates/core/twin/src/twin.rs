//! The twin: one picture, solved.

use crate::forward::{Ways, worst};
use crate::memory::{Memory, Recall};
use crate::unmodelled::{Relevance, Unmodelled};
use crate::what_if::Asked;
use crate::{ForwardingResult, Picture, Source};
use action::{DeviceId, ExitId};
use bgp::{PathAttributes, Prefix};
use config::RouterConfig;
use preflight::World;
use routing::{Direction, Held, Step};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, OnceLock};

/// Prefixes by exit, and by the device whose packets leave there.
type ByExit = BTreeMap<ExitId, BTreeMap<DeviceId, Vec<Prefix>>>;

/// The own AS at one moment, solved.
pub struct Twin<'p> {
    pub(crate) picture: &'p Picture,
    pub(crate) world: World<'p>,
    unmodelled: Vec<Unmodelled>,
    by_exit: OnceLock<ByExit>,
    pub(crate) asked: Mutex<Vec<Asked>>,
    /// What is known from earlier twins of the same network.
    pub(crate) recall: Option<Arc<Recall>>,
    /// Questions that are being answered: they share the threads.
    pub(crate) asking: AtomicUsize,
}

/// A router's best path to a prefix.
#[derive(Clone, Debug, PartialEq)]
pub struct Best<'t> {
    /// Where it is from.
    pub source: Source,
    /// Attributes after import; LOCAL_PREF absent means the router's default.
    pub attributes: &'t PathAttributes,
    /// The step of the router's last comparison.
    pub step: Step,
}

impl<'p> Twin<'p> {
    /// Solves a picture.
    #[must_use]
    pub fn new(picture: &'p Picture) -> Self {
        let world = World::solve(&picture.blueprint, &picture.facts.own_as).with_ports(picture.ports.clone());
        let mut unmodelled = picture.unmodelled.clone();
        unmodelled.extend(silent(picture, &world));
        unmodelled.extend(absent(picture, &world));
        Self { picture, world, unmodelled, by_exit: OnceLock::new(), asked: Mutex::default(), recall: None, asking: AtomicUsize::new(0) }
    }

    /// Says how many threads failures may be tried out on; the answers are the same with any number.
    #[must_use]
    pub fn on_threads(self, threads: usize) -> Self {
        Self { world: self.world.on_threads(threads), ..self }
    }

    /// Goes on from what earlier twins of the same network have worked out, and leaves it what this one does; the answers are the same without.
    #[must_use]
    pub fn with_memory(self, memory: &Memory) -> Self {
        let Some(recall) = memory.of(self.picture) else { return self };
        Self { world: self.world.remembering(recall.unchanged()), recall: Some(recall), ..self }
    }

    /// Returns how many threads may work on answers.
    #[must_use]
    pub const fn threads(&self) -> usize {
        self.world.threads()
    }

    /// Returns the configuration that edits for `device` start from.
    #[must_use]
    pub fn config(&self, device: &DeviceId) -> Option<&RouterConfig> {
        self.picture.config(device)
    }

    /// Returns everything that the configurations ask for and the twin does not compute, harmless lines included.
    #[must_use]
    pub fn unmodelled(&self) -> &[Unmodelled] {
        &self.unmodelled
    }

    /// Returns all prefixes in order, IPv4 first. A prefix without any usable path stays listed.
    pub fn prefixes(&self) -> impl Iterator<Item = Prefix> {
        self.world.families.iter().flat_map(|s| s.solution.prefixes())
    }

    /// Returns a router's best path to exactly this prefix.
    #[must_use]
    pub fn best(&self, device: &DeviceId, prefix: &Prefix) -> Option<Best<'_>> {
        self.best_at(&self.world, self.picture.index(device)?, prefix)
    }

    pub(crate) fn best_at<'w>(&self, world: &'w World<'_>, router: usize, prefix: &Prefix) -> Option<Best<'w>> {
        let solved = world.of(prefix.family());
        let class = solved.solution.place_of(prefix)?;
        let held = solved.plane.best(&solved.solution, router, class)?;
        let step = solved.plane.step(&solved.solution, router, class)?;
        Some(Best { source: self.source(world, router, prefix, &held), attributes: &held.route().attributes, step })
    }

    fn source(&self, world: &World<'_>, router: usize, prefix: &Prefix, held: &Held<'_>) -> Source {
        let directions = &world.of(prefix.family()).directions;
        let Some(came) = held.over.and_then(|h| directions.get(h)) else { return Source::Local };
        let neighbor = came.from_address;
        match came.from.and_then(|r| self.picture.devices.get(r)) {
            Some(device) => Source::Internal { neighbor, device: device.clone() },
            None => Source::External { neighbor, exit: self.exit_at(router, neighbor) },
        }
    }

    fn exit_at(&self, router: usize, neighbor: core::net::IpAddr) -> Option<ExitId> {
        let device = self.picture.devices.get(router)?;
        self.picture.inventory.exit_of(device, neighbor).map(|e| e.id.clone())
    }

    /// Returns what becomes of packets from `device` to `prefix`: of several equal-cost ways the worst, else the first exit;
    /// [`ForwardingResult::Unreachable`] for a device that the twin does not hold.
    #[must_use]
    pub fn exit_of(&self, device: &DeviceId, prefix: &Prefix) -> ForwardingResult {
        self.picture.index(device).map_or(ForwardingResult::Unreachable, |i| worst(&self.ways(&self.world, i, prefix)))
    }

    /// Returns every result that packets of a router may have, where equal-cost ways part.
    pub(crate) fn ways(&self, world: &World<'_>, router: usize, prefix: &Prefix) -> Ways {
        world.walks(router, prefix).iter().map(|w| ForwardingResult::of(self.picture, w, prefix)).collect()
    }

    /// Returns the prefixes that leave by `exit` from any device, on any of its equal-cost ways, sorted.
    #[must_use]
    pub fn prefixes_via(&self, exit: &ExitId) -> Vec<Prefix> {
        let from_any = self.exits().get(exit).into_iter().flat_map(|d| d.values().flatten().copied());
        from_any.collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn exits(&self) -> &ByExit {
        self.by_exit.get_or_init(|| {
            let mut map = ByExit::new();
            for prefix in self.prefixes() {
                for (router, device) in self.picture.devices.iter().enumerate() {
                    for way in self.ways(&self.world, router, &prefix) {
                        if let ForwardingResult::Exit { exit } = way {
                            map.entry(exit).or_default().entry(device.clone()).or_default().push(prefix);
                        }
                    }
                }
            }
            map
        })
    }

    /// Returns every exit with a usable route to `prefix`, with its attributes after import; LOCAL_PREF is always present (the router's
    /// default where policy sets none). Sorted by exit.
    #[must_use]
    pub fn alternatives(&self, prefix: &Prefix) -> Vec<(ExitId, PathAttributes)> {
        let solved = self.world.of(prefix.family());
        let Some(class) = solved.solution.place_of(prefix) else { return Vec::new() };
        let mut found = Vec::new();
        for router in 0..self.picture.devices.len() {
            let outside = |h: &Held<'_>| {
                let came: Option<&Direction> = h.over.and_then(|d| solved.directions.get(d));
                came.filter(|d| d.from.is_none()).and_then(|d| self.exit_at(router, d.from_address))
            };
            for held in solved.plane.paths(&solved.solution, router, class).filter(|h| h.usable) {
                if let Some(exit) = outside(&held) {
                    let local_pref = Some(self.local_pref(router, &held.route().attributes));
                    found.push((exit, PathAttributes { local_pref, ..held.route().attributes.clone() }));
                }
            }
        }
        found.sort();
        found
    }

    /// The LOCAL_PREF that counts at a router.
    pub(crate) fn local_pref(&self, router: usize, attributes: &PathAttributes) -> u32 {
        let bgp = self.world.network.routers.get(router).and_then(|r| r.config.bgp.as_ref());
        attributes.local_pref.unwrap_or_else(|| bgp.map_or(100, |b| b.default_local_pref))
    }

    /// Returns the choices of a world that another order of events could turn, or that rest on an identifier which is not known: router and
    /// prefix. What the router itself reports to use is not open.
    pub(crate) fn open(&self, world: &World<'_>) -> BTreeSet<(usize, Prefix)> {
        let known = |router: usize, prefix: &Prefix| {
            let in_use = world.network.older.as_ref().and_then(|o| o.get(prefix));
            in_use.is_some_and(|all| all.iter().any(|(r, _)| *r == router))
        };
        let mut out = BTreeSet::new();
        for solved in &world.families {
            for row in solved.order_dependent().iter().filter(|o| o.what == "choice") {
                if let Some(router) = world.network.routers.iter().position(|r| r.name == row.router) {
                    out.extend((!known(router, &row.prefix)).then_some((router, row.prefix)));
                }
            }
            for router in self.picture.nameless.iter().map(|(r, _)| *r).collect::<BTreeSet<_>>() {
                for (number, class) in solved.solution.classes.iter().enumerate() {
                    let step = solved.plane.step(&solved.solution, router, number);
                    if !matches!(step, Some(Step::RouterId | Step::ClusterLength | Step::ClusterLengthAsMetric | Step::NeighbourAddress)) {
                        continue;
                    }
                    let unnamed = |h: Held<'_>| {
                        let came = h.over.and_then(|d| solved.directions.get(d));
                        came.is_some_and(|d| self.picture.nameless.contains(&(router, d.from_address)))
                    };
                    if solved.plane.paths(&solved.solution, router, number).any(unnamed) {
                        out.extend(class.prefixes.iter().filter(|p| !known(router, p)).map(|p| (router, *p)));
                    }
                }
            }
        }
        out
    }
}

/// `network` statements that no route of their router backs (FRR: `bgp network import-check`, on by default).
fn silent<'w>(picture: &'w Picture, world: &'w World<'_>) -> impl Iterator<Item = Unmodelled> + use<'w> {
    picture.devices.iter().zip(&picture.configs).enumerate().flat_map(move |(router, (device, config))| {
        let originates = move |prefix: &Prefix| {
            let solved = world.of(prefix.family());
            let class = solved.solution.place_of(prefix);
            class.is_some_and(|c| solved.plane.paths(&solved.solution, router, c).any(|h| h.over.is_none()))
        };
        let networks = config.bgp.iter().flat_map(|b| &b.networks).filter(move |n| !originates(&n.prefix));
        networks.map(move |n| Unmodelled {
            device: device.clone(),
            line: None,
            what: format!("network {} has no route of its own, so it is not originated", n.prefix),
            relevance: Relevance::Routing,
        })
    })
}

/// Sessions that are up on their router and do not come up from the configurations.
fn absent(picture: &Picture, world: &World<'_>) -> Vec<Unmodelled> {
    let mut out = Vec::new();
    for solved in &world.families {
        for missing in solved.plane.absent.iter().filter(|a| picture.established.contains(&(a.router, a.neighbor))) {
            let Some(device) = picture.devices.get(missing.router) else { continue };
            let what = format!("the session with {} is up, and does not come up in the twin: {}", missing.neighbor, missing.why);
            out.push(Unmodelled { device: device.clone(), line: None, what, relevance: Relevance::Routing });
        }
    }
    out.dedup();
    out
}

#[cfg(test)]
mod tests;
