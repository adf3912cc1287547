//! A network with its tables, and where packets go in it.

use crate::announced::Announced;
use crate::{Exit, Remembered};
use bgp::{Asn, Family, Prefix};
use core::net::IpAddr;
use routing::{Blueprint, Direction, Held, Hops, OrderDependent, Plane, Schedule, Searched, Shared, Solution};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Routers that a packet visits before it is said to go round.
const HOPS_MAX: usize = 64;
/// Ways of equal cost that are followed from one router.
const BRANCHES_MAX: usize = 32;
/// Next hops that are reached by BGP itself are followed this far.
const RECURSION_MAX: u8 = 4;
/// Destinations of one change that are searched for anomalies; a card names no more.
const SEARCHED_MAX: usize = 64;

/// Further neighbours at the port of another: router by position and neighbour, to the one that stands for the exit.
pub type Ports = BTreeMap<(usize, IpAddr), IpAddr>;

/// Ways from a router.
#[derive(Clone)]
struct Ways {
    all: Arc<Vec<Walk>>,
    /// They rest on no other destination's state: no next hop is reached by BGP itself.
    alone: bool,
}

/// By state of rest ([`Solution::rest_of`]) and router.
type Walks = Arc<Mutex<BTreeMap<(usize, usize), Ways>>>;

/// What routers do with packets to an address, below BGP.
type Below = Arc<Mutex<BTreeMap<IpAddr, Arc<Vec<Hops>>>>>;

/// One family of a network, solved.
pub struct Solved<'n> {
    /// The plane.
    pub plane: Plane<'n>,
    /// Its tables.
    pub solution: Solution,
    /// Its sessions, both directions.
    pub directions: Vec<Direction>,
    hops: Below,
    /// Walks that rest on nothing but what routers hold of the destination.
    walks: Walks,
    /// Those of the network before, where destinations that came to rest as there are reached as there. A state of rest that is not shared
    /// with it has another number: both were there when the numbers were given.
    before: Option<Walks>,
    /// Choices that another order of arrival makes otherwise.
    open: OnceLock<Vec<OrderDependent>>,
    /// The solution's memory, for questions that add to it.
    scratch: Mutex<Option<Shared>>,
}

/// A network with its tables, both families.
pub struct World<'n> {
    /// The network.
    pub network: &'n Blueprint,
    /// Routers of our own, by position.
    pub own: BTreeSet<usize>,
    /// Neighbours that share a port.
    ports: Arc<Ports>,
    /// Threads that failures may be tried out on.
    threads: usize,
    /// Prefixes that a static route leads to somewhere: destinations that are alike part there.
    fixed: BTreeSet<Prefix>,
    /// What is remembered of this network with failures.
    pub(crate) remembered: Option<Arc<Remembered>>,
    /// What neighbours outside are told, once it was asked for.
    told: OnceLock<Announced>,
    /// IPv4, IPv6.
    pub families: [Solved<'n>; 2],
}

/// What becomes of packets in the end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// They arrive at a router that the destination is at.
    Delivered,
    /// They leave the network to a neighbour outside it.
    Left,
    /// A router has no route.
    NoRoute,
    /// A router has a path whose next hop it does not reach.
    Unresolved,
    /// A null route.
    Null,
    /// They go round.
    Loop,
}

impl End {
    /// Says whether packets arrive.
    #[must_use]
    pub const fn works(&self) -> bool {
        matches!(self, Self::Delivered | Self::Left)
    }

    /// Says it in words.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Delivered | Self::Left => "arrives",
            Self::NoRoute => "no route",
            Self::Unresolved => "next hop not reached",
            Self::Null => "null route",
            Self::Loop => "goes round",
        }
    }
}

/// One way of packets from a router to a destination.
#[derive(Clone, Debug, PartialEq)]
pub struct Walk {
    /// Share of the router's packets, 0 to 1.
    pub share: f64,
    /// What becomes of them.
    pub end: End,
    /// Routers, the first one first; where they go round, the last is one that was visited before.
    pub routers: Vec<usize>,
    /// Links inside our network.
    pub links: Vec<String>,
    /// Where they leave it.
    pub exit: Option<Exit>,
}

impl<'n> World<'n> {
    /// Solves a network. Everything that tries a network out goes through here.
    #[must_use]
    pub fn solve(network: &'n Blueprint, own: &BTreeSet<Asn>) -> Self {
        let ours = |r: &routing::Router| {
            let bgp = r.config.bgp.as_ref();
            bgp.is_some_and(|b| own.contains(&b.asn) || b.wider.confederation.as_ref().is_some_and(|c| own.contains(&c.identifier)))
        };
        // routers without BGP between ours are ours too
        let plain = |r: &routing::Router| r.config.bgp.is_none();
        let own = network.routers.iter().enumerate().filter(|(_, r)| ours(r) || plain(r)).map(|(i, _)| i).collect();
        Self {
            network,
            own,
            ports: Arc::default(),
            threads: 1,
            fixed: fixed(network),
            remembered: None,
            told: OnceLock::new(),
            families: Self::solved(network),
        }
    }

    /// Says which neighbours share a port, and so are one exit.
    #[must_use]
    pub fn with_ports(mut self, ports: Ports) -> Self {
        self.ports = Arc::new(ports);
        self
    }

    /// Says how many threads failures may be tried out on; what comes out is the same with any number.
    #[must_use]
    pub fn on_threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// Remembers what it does, with failures too, for the next time the same network is asked about.
    #[must_use]
    pub fn remembering(self, remembered: Arc<Remembered>) -> Self {
        Self { remembered: Some(remembered), ..self }
    }

    /// Returns how many threads failures may be tried out on.
    #[must_use]
    pub const fn threads(&self) -> usize {
        self.threads
    }

    /// Solves the same network after a change, from the tables that stand here: only what the change touches is computed, and where the order
    /// of arrival decides, what is in use stays. Dropping the result is the way back.
    #[must_use]
    pub fn changed<'m>(&self, network: &'m Blueprint) -> World<'m> {
        let [v4, v6] = &self.families;
        let v4 = v4.changed(network, None);
        let v6 = v6.changed(network, Some(&v4.plane));
        let families = [v4, v6];
        World {
            network,
            own: self.own.clone(),
            ports: Arc::clone(&self.ports),
            threads: self.threads,
            fixed: fixed(network),
            remembered: None,
            told: OnceLock::new(),
            families,
        }
    }

    pub(crate) fn solved(network: &'n Blueprint) -> [Solved<'n>; 2] {
        [Family::Ipv4Unicast, Family::Ipv6Unicast].map(|f| Solved::new(network, f))
    }

    /// Returns the family of a prefix.
    #[must_use]
    pub const fn of(&self, family: Family) -> &Solved<'n> {
        &self.families[matches!(family, Family::Ipv6Unicast) as usize]
    }

    /// Returns a router's name.
    #[must_use]
    pub fn name(&self, router: usize) -> &str {
        self.network.routers.get(router).map_or("outside", |r| &r.name)
    }

    /// Returns what neighbours outside are told; worked out once.
    #[must_use]
    pub fn announced(&self) -> &Announced {
        self.told.get_or_init(|| Announced::of(self))
    }

    /// Returns the exit that a session of ours belongs to.
    #[must_use]
    pub fn exit_of(&self, router: usize, neighbor: IpAddr) -> Exit {
        let neighbor = self.ports.get(&(router, neighbor)).copied().unwrap_or(neighbor);
        Exit { router: self.name(router).to_owned(), neighbor }
    }

    /// Says whether a router is there and works.
    #[must_use]
    pub fn works(&self, router: usize) -> bool {
        !self.network.failures.routers.contains(&router)
    }

    /// Returns the ways of packets from a router to a prefix.
    #[must_use]
    pub fn walks(&self, router: usize, prefix: &Prefix) -> Arc<Vec<Walk>> {
        let solved = self.of(prefix.family());
        let place = solved.solution.place_of(prefix).filter(|_| !self.fixed.contains(prefix));
        let rest = place.and_then(|p| solved.solution.rest_of(p));
        if let Some(known) = rest.and_then(|rest| solved.known_ways(rest, router)) {
            return known;
        }
        let mut trace = Trace { world: self, solved, prefix, out: Vec::new(), fallback: false, alone: true };
        trace.go(Walk { share: 1.0, end: End::NoRoute, routers: vec![router], links: Vec::new(), exit: None });
        let ways = Ways { all: Arc::new(trace.out), alone: trace.alone };
        let all = Arc::clone(&ways.all);
        if let Some(rest) = rest.filter(|_| !trace.fallback) {
            held(&solved.walks).insert((rest, router), ways);
        }
        all
    }

    /// Says whether anybody announces or has this prefix.
    #[must_use]
    pub fn knows(&self, prefix: &Prefix) -> bool {
        self.of(prefix.family()).solution.place_of(prefix).is_some()
    }

    /// Returns the next hops of a router's paths to a prefix where it can use none of them.
    #[must_use]
    pub fn unreached(&self, router: usize, prefix: &Prefix) -> BTreeSet<IpAddr> {
        let solved = self.of(prefix.family());
        let Some(place) = solved.solution.place_of(prefix) else { return BTreeSet::new() };
        let paths: Vec<Held<'_>> = solved.plane.paths(&solved.solution, router, place).collect();
        if paths.iter().any(|p| p.usable) { BTreeSet::new() } else { paths.iter().filter_map(Held::next_hop).collect() }
    }

    /// Returns the worst end of the ways from a router to a prefix, and the way.
    #[must_use]
    pub fn fate(&self, router: usize, prefix: &Prefix) -> Option<Walk> {
        self.walks(router, prefix).iter().max_by(|a, b| a.end.cmp(&b.end)).cloned()
    }
}

/// What is remembered stays true whatever became of who held it last.
pub(crate) fn held<T>(memory: &Mutex<T>) -> MutexGuard<'_, T> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The prefixes of static routes.
fn fixed(network: &Blueprint) -> BTreeSet<Prefix> {
    network.routers.iter().flat_map(|r| &r.config.static_routes).map(|s| s.prefix).collect()
}

impl<'n> Solved<'n> {
    fn new(network: &'n Blueprint, family: Family) -> Self {
        let plane = Plane::new(network, family);
        let solution = plane.solve_all(Schedule::First);
        Self::of(plane, solution)
    }

    fn of(plane: Plane<'n>, solution: Solution) -> Self {
        let directions = plane.directions();
        let (hops, walks, before, open, scratch) = Default::default();
        Self { plane, solution, directions, hops, walks, before, open, scratch }
    }

    fn changed<'m>(&self, network: &'m Blueprint, other: Option<&Plane<'m>>) -> Solved<'m> {
        let plane = self.plane.changed_beside(network, other);
        let solution = plane.solve_after(&self.plane, &self.solution, 1);
        let alike = plane.leads_like(&self.plane);
        let mut out = Solved::of(plane, solution);
        if alike {
            (out.hops, out.before) = (Arc::clone(&self.hops), Some(Arc::clone(&self.walks)));
        }
        out
    }

    /// Returns the ways from a router to destinations with a state of rest, if they were found before.
    fn known_ways(&self, rest: usize, router: usize) -> Option<Arc<Vec<Walk>>> {
        if let Some(known) = held(&self.walks).get(&(rest, router)) {
            return Some(Arc::clone(&known.all));
        }
        let before = self.before.as_ref()?;
        let known = held(before).get(&(rest, router)).filter(|w| w.alone).cloned()?;
        let all = Arc::clone(&known.all);
        held(&self.walks).insert((rest, router), known);
        Some(all)
    }

    /// Returns the choices that another order of arrival makes otherwise; worked out once.
    #[must_use]
    pub fn order_dependent(&self) -> &[OrderDependent] {
        self.open.get_or_init(|| self.plane.order_dependent(&self.solution))
    }

    /// Classifies what keeps the destinations of some prefixes from one state of rest, each destination once, in a bounded search.
    #[must_use]
    pub fn anomalies(&self, prefixes: impl IntoIterator<Item = Prefix>) -> Searched {
        let places: BTreeSet<usize> = prefixes.into_iter().filter_map(|p| self.solution.place_of(&p)).collect();
        let looked: Vec<usize> = places.iter().copied().take(SEARCHED_MAX).collect();
        if looked.is_empty() {
            return Searched::default();
        }
        let mut scratch = held(&self.scratch);
        let told = self.plane.anomalies_of(&self.solution, scratch.get_or_insert_with(|| self.solution.shared.clone()), looked);
        Searched { of: places.len(), ..told }
    }

    /// Returns the paths of a router to a prefix that are used beside the chosen one.
    #[must_use]
    pub fn beside(&self, router: usize, prefix: &Prefix) -> Vec<Held<'_>> {
        let Some(class) = self.solution.place_of(prefix) else { return Vec::new() };
        let mut scratch = held(&self.scratch);
        self.plane.beside(&self.solution, scratch.get_or_insert_with(|| self.solution.shared.clone()), router, class)
    }

    /// Returns the chosen path of a router for a prefix.
    #[must_use]
    pub fn best(&self, router: usize, prefix: &Prefix) -> Option<Held<'_>> {
        self.plane.best(&self.solution, router, self.solution.place_of(prefix)?)
    }

    /// Returns the longest prefix that covers this one and that the router has a path to.
    fn lookup(&self, router: usize, prefix: &Prefix) -> Option<(Prefix, Held<'_>)> {
        let mut covering = self.solution.covering_up_to(prefix.address(), prefix.length());
        covering.find_map(|(covering, place)| self.plane.best(&self.solution, router, place).map(|h| (covering, h)))
    }

    /// Returns what every router does with packets to an address, below BGP.
    fn hops(&self, address: IpAddr) -> Arc<Vec<Hops>> {
        Arc::clone(held(&self.hops).entry(address).or_insert_with(|| Arc::new(self.plane.hops_to(address))))
    }
}

struct Trace<'w, 'n> {
    world: &'w World<'n>,
    solved: &'w Solved<'n>,
    prefix: &'w Prefix,
    out: Vec<Walk>,
    /// A router had no path to the prefix itself, and a shorter one was looked for.
    fallback: bool,
    /// No next hop was looked for in BGP.
    alone: bool,
}

impl Trace<'_, '_> {
    fn ends(&mut self, mut walk: Walk, end: End) {
        walk.end = end;
        self.out.push(walk);
    }

    fn go(&mut self, walk: Walk) {
        let Some(&at) = walk.routers.last() else { return };
        let router = &self.world.network.routers[at];
        // a static route of the same prefix is nearer than BGP (distance 1 against 20 and 200), unless it is there to announce it
        let fixed = router.config.static_routes.iter().find(|s| s.prefix == *self.prefix && s.distance < 20);
        let exact = self.solved.best(at, self.prefix);
        if exact.is_some_and(|h| h.over.is_none()) {
            return self.ends(walk, End::Delivered);
        }
        if let Some(fixed) = fixed {
            return match fixed.next_hop {
                None => self.ends(walk, End::Null),
                Some(via) => self.toward(walk, at, via, None, 0),
            };
        }
        self.fallback |= exact.is_none();
        let Some((covering, held)) = self.solved.lookup(at, self.prefix) else { return self.ends(walk, End::NoRoute) };
        if held.over.is_none() {
            return self.ends(walk, End::Delivered);
        }
        let beside = self.solved.beside(at, &covering);
        if beside.is_empty() {
            return self.over(walk, at, held);
        }
        #[allow(clippy::cast_precision_loss, reason = "a handful")]
        let share = walk.share / (beside.len() + 1) as f64;
        for path in core::iter::once(held).chain(beside) {
            // what was found is enough to tell
            if self.out.len() >= BRANCHES_MAX {
                return;
            }
            self.over(Walk { share, ..walk.clone() }, at, path);
        }
    }

    fn over(&mut self, walk: Walk, at: usize, path: Held<'_>) {
        match path.next_hop() {
            Some(hop) => self.toward(walk, at, hop, path.over, 0),
            None => self.ends(walk, End::Unresolved),
        }
    }

    /// The exit of a router toward a next hop on its own wire: a neighbour that has this address, else the one that the path came from.
    fn exit(&self, at: usize, hop: IpAddr, over: Option<usize>) -> Exit {
        let bgp = self.world.network.routers.get(at).and_then(|r| r.config.bgp.as_ref());
        let known = bgp.is_some_and(|b| b.neighbors.contains_key(&hop));
        let came = over.and_then(|h| self.solved.directions.get(h)).filter(|d| d.external && !known);
        let neighbor = came.map_or(hop, |d| d.from_address);
        self.world.exit_of(at, neighbor)
    }

    fn toward(&mut self, mut walk: Walk, at: usize, hop: IpAddr, over: Option<usize>, depth: u8) {
        let hops = self.solved.hops(hop);
        match hops.get(at).unwrap_or(&Hops::None) {
            Hops::None => {
                // reached by BGP itself
                self.alone = false;
                let host = Prefix::new(hop, if hop.is_ipv4() { 32 } else { 128 });
                let next = host.and_then(|h| self.solved.lookup(at, &h)).filter(|(p, _)| p.length() > 0);
                match next.and_then(|(_, h)| h.next_hop().map(|n| (n, h.over))) {
                    Some((next, over)) if depth < RECURSION_MAX && next != hop => self.toward(walk, at, next, over, depth + 1),
                    _ => self.ends(walk, End::Unresolved),
                }
            }
            Hops::Null => self.ends(walk, End::Null),
            Hops::Own => self.ends(walk, End::Unresolved),
            Hops::Beside { link, router } => {
                let outside = |n: usize| !self.world.own.contains(&n);
                if self.world.own.contains(&at) && router.is_none_or(outside) && walk.exit.is_none() {
                    walk.exit = Some(self.exit(at, hop, over));
                }
                match router {
                    Some(next) => self.step(walk, *next, link.as_deref()),
                    None => self.ends(walk, End::Left),
                }
            }
            Hops::Through(all) => {
                let count = all.len().min(BRANCHES_MAX.saturating_sub(self.out.len()).max(1));
                #[allow(clippy::cast_precision_loss, reason = "a handful")]
                let share = walk.share / count as f64;
                for (next, link) in all.iter().take(count) {
                    let mut branch = Walk { share, ..walk.clone() };
                    if self.world.own.contains(&at) && !self.world.own.contains(next) && branch.exit.is_none() {
                        branch.exit = Some(self.exit(at, hop, None));
                    }
                    self.step(branch, *next, link.as_deref());
                }
            }
        }
    }

    fn step(&mut self, mut walk: Walk, next: usize, link: Option<&str>) {
        if walk.exit.is_none() {
            walk.links.extend(link.map(str::to_owned));
        }
        let again = walk.routers.contains(&next) || walk.routers.len() >= HOPS_MAX;
        walk.routers.push(next);
        if again { self.ends(walk, End::Loop) } else { self.go(walk) }
    }
}
