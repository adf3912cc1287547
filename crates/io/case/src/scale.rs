//! Networks of a size, from a description of their wires: routers with an IGP, reflectors, borders with one neighbour each outside.
//!
//! The file names routers by AS, links with IGP weights, iBGP sessions (reflector, client or peer), eBGP links and classes of announcements;
//! prefix *i* is 100.0.0.0 + *i*·256 /24 and is announced as class *i* mod the number of classes.

use crate::generate::Dice;
use crate::timing::Bench;
use bgp::{AsPath, Asn, Family, PathAttributes, Prefix};
use config::{BgpConfig, IgpInterface, InterfaceConfig, Neighbor, NeighborFamily, RouterConfig};
use core::net::{IpAddr, Ipv4Addr};
use routing::{Blueprint, Failures, Feed, Links, Profile, Router};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Prefixes at most: what fits above 100.0.0.0.
pub const PREFIXES_MAX: u32 = 1 << 20;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Announcement {
    from: usize,
    as_path: Vec<u32>,
    med: u32,
}

/// A scenario file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Scenario {
    /// Name.
    pub name: String,
    /// Own AS.
    pub asn: u32,
    routers: Vec<u32>,
    links: Vec<(usize, usize, u32)>,
    ibgp: Vec<(usize, usize, bool)>,
    ebgp: Vec<(usize, usize)>,
    classes: Vec<Vec<Announcement>>,
}

fn loopback(router: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(0x0A00_0000 + router as u32))
}

/// Both ends of a link: a /31 of 172.16.0.0/12.
fn ends(link: usize) -> [IpAddr; 2] {
    let base = 0xAC10_0000 + 2 * link as u32;
    [IpAddr::V4(base.into()), IpAddr::V4((base + 1).into())]
}

/// Returns the n-th prefix.
#[must_use]
pub fn prefix(n: u32) -> Option<Prefix> {
    Prefix::new(IpAddr::V4((0x6400_0000 + n * 256).into()), 24)
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// What is wrong with the text, or which number names nothing.
    pub fn read(text: &str) -> Result<Self, String> {
        let out: Self = serde_json::from_str(text).map_err(|e| e.to_string())?;
        let routers = out.routers.len();
        let all = out.links.iter().flat_map(|(a, b, _)| [*a, *b]).chain(out.ibgp.iter().flat_map(|(a, b, _)| [*a, *b]));
        let all = all.chain(out.ebgp.iter().flat_map(|(a, b)| [*a, *b])).chain(out.classes.iter().flatten().map(|a| a.from));
        match all.into_iter().find(|r| *r >= routers) {
            Some(r) => Err(format!("names router {r}, there are {routers}")),
            None if out.classes.is_empty() => Err("has no classes of announcements".to_owned()),
            None => Ok(out),
        }
    }

    /// Makes a scenario: routers joined as they come, each to two that have many links already (Barabási and Albert 1999), the three with the
    /// most links reflecting; five neighbours outside at the last ones; 50 classes of announcements of two to five neighbours.
    #[must_use]
    pub fn made(inside: usize) -> Self {
        const OUTSIDE: usize = 5;
        let (asn, mut dice) = (65_000, Dice(7));
        let mut links = vec![(0, 1, 1), (0, 2, 1), (1, 2, 1)];
        for router in 3..inside {
            let mut to = Vec::new();
            while to.len() < 2 {
                // an end of any link: who has many is met often
                let (a, b, _) = *dice.pick(&links);
                let end = if dice.one_in(2) { a } else { b };
                if end != router && !to.contains(&end) {
                    to.push(end);
                }
            }
            links.extend(to.into_iter().map(|end| (router, end, 1 + dice.below(9) as u32)));
        }
        let degree = |r: usize| links.iter().filter(|(a, b, _)| *a == r || *b == r).count();
        let mut by_degree: Vec<usize> = (0..inside).collect();
        by_degree.sort_by_key(|r| (core::cmp::Reverse(degree(*r)), *r));
        let reflectors: Vec<usize> = by_degree.into_iter().take(3).collect();
        let mut ibgp = Vec::new();
        for (n, reflector) in reflectors.iter().enumerate() {
            ibgp.extend(reflectors.iter().skip(n + 1).map(|other| (*reflector, *other, false)));
            ibgp.extend((0..inside).filter(|r| !reflectors.contains(r)).map(|client| (*reflector, client, true)));
        }
        let borders: Vec<usize> = (0..inside).rev().filter(|r| !reflectors.contains(r)).take(OUTSIDE).collect();
        let ebgp: Vec<(usize, usize)> = borders.iter().enumerate().map(|(n, border)| (inside + n, *border)).collect();
        links.extend(ebgp.iter().map(|(external, border)| (*border, *external, 1)));
        let class = |dice: &mut Dice, n: u32| {
            let from = (0..OUTSIDE).filter(|_| dice.below(10) < 7).collect::<Vec<_>>();
            let from = if from.len() < 2 { vec![0, 1 + n as usize % (OUTSIDE - 1)] } else { from };
            let one = |e: usize| {
                let behind = (0..1 + dice.below(3) as u32).map(|i| 1000 + 10 * n + i);
                Announcement { from: inside + e, as_path: behind.chain([3000 + n]).collect(), med: 10 * dice.below(3) as u32 }
            };
            from.into_iter().map(one).collect()
        };
        Self {
            name: format!("made_{inside}"),
            asn,
            routers: core::iter::repeat_n(asn, inside).chain(100..100 + OUTSIDE as u32).collect(),
            links,
            ibgp,
            ebgp,
            classes: (0..50).map(|n| class(&mut dice, n)).collect(),
        }
    }

    /// Returns by which neighbour AS each router inside reaches each prefix; 0: not at all.
    #[must_use]
    pub fn exits(&self, bench: &Bench<'_>, count: u32) -> Vec<Vec<u32>> {
        let of = |router: usize, n: u32| {
            let choice = bench.plane().choice(bench.base(), router, &prefix(n)?)?;
            choice.as_path.split(' ').next()?.parse().ok()
        };
        (0..self.inside().len()).map(|router| (0..count.min(PREFIXES_MAX)).map(|n| of(router, n).unwrap_or(0)).collect()).collect()
    }

    /// Positions of the routers of the own AS, in the order of the blueprint.
    fn inside(&self) -> Vec<usize> {
        (0..self.routers.len()).filter(|r| self.routers[*r] == self.asn).collect()
    }

    /// Returns how many routers, links and sessions there are inside, and sessions to the outside.
    #[must_use]
    pub fn size(&self) -> (usize, usize, usize, usize) {
        (self.routers.len(), self.links.len(), self.ibgp.len(), self.ebgp.len())
    }

    /// Makes the network with `count` prefixes. `distinct`: every prefix has an announcement of its own (the AS before the origin differs), so
    /// that none can be computed for another.
    #[must_use]
    pub fn blueprint(&self, count: u32, distinct: bool) -> Blueprint {
        let inside = self.inside();
        let position = |router: usize| inside.iter().position(|r| *r == router);
        let mut routers: Vec<Router> = inside.iter().map(|r| self.router(*r)).collect();
        let mut links = Links::new();
        for (n, (a, b, weight)) in self.links.iter().enumerate() {
            let external = self.routers[*a] != self.asn || self.routers[*b] != self.asn;
            let mut on = Vec::new();
            for (end, router) in [*a, *b].into_iter().enumerate() {
                let Some(at) = position(router) else { continue };
                let name = format!("eth{n}");
                let igp = (!external).then(|| IgpInterface { area: "0".to_owned(), cost: Some(*weight), passive: false });
                let interface = InterfaceConfig { addresses: vec![(ends(n)[end], 31)], igp_v4: igp, ..InterfaceConfig::default() };
                Arc::make_mut(&mut routers[at].config).interfaces.insert(name.clone(), interface);
                on.push((at, name));
            }
            links.insert(format!("link{n:05}"), on);
        }
        for (reflector, other, is_client) in &self.ibgp {
            for (from, to, client) in [(*reflector, *other, *is_client), (*other, *reflector, false)] {
                let Some(bgp) = position(from).and_then(|at| Arc::make_mut(&mut routers[at].config).bgp.as_mut()) else { continue };
                let border = self.ebgp.iter().any(|(_, b)| *b == from);
                let family = NeighborFamily {
                    next_hop_self: border,
                    route_reflector_client: client,
                    send_community: true,
                    ..NeighborFamily::default()
                };
                let mut neighbor = Neighbor { update_source: Some("lo".to_owned()), ..Neighbor::new(Asn(self.asn)) };
                neighbor.families.insert(Family::Ipv4Unicast, family);
                bgp.neighbors.insert(loopback(to), neighbor);
            }
        }
        let mut feeds = Vec::new();
        for (external, border) in &self.ebgp {
            let link = self.links.iter().position(|(a, b, _)| (*a, *b) == (*border, *external) || (*b, *a) == (*border, *external));
            let (Some(at), Some(link)) = (position(*border), link) else { continue };
            let address = ends(link)[usize::from(self.links[link].1 == *external)];
            if let Some(bgp) = Arc::make_mut(&mut routers[at].config).bgp.as_mut() {
                let mut neighbor = Neighbor::new(Asn(self.routers[*external]));
                neighbor.families.insert(Family::Ipv4Unicast, NeighborFamily { send_community: true, ..NeighborFamily::default() });
                bgp.neighbors.insert(address, neighbor);
            }
            feeds.push(self.feed(*external, at, address, count, distinct));
        }
        let (failures, links) = (Failures::default(), Some(Arc::new(links)));
        Blueprint { routers, links, feeds, failures, starting: false, flaps: None, vrps: None, older: None }
    }

    fn router(&self, router: usize) -> Router {
        let id = if let IpAddr::V4(a) = loopback(router) { Some(a) } else { None };
        let mut bgp = BgpConfig { router_id: id, ebgp_requires_policy: false, ..BgpConfig::new(Asn(self.asn)) };
        // one best path, as the simulator that this is measured against has it
        bgp.wider.maximum_paths.insert(Family::Ipv4Unicast, 1);
        bgp.wider.maximum_paths_ibgp.insert(Family::Ipv4Unicast, 1);
        let mut config = RouterConfig { hostname: format!("r{router}"), bgp: Some(bgp), ..RouterConfig::default() };
        let igp = IgpInterface { area: "0".to_owned(), cost: None, passive: true };
        let lo = InterfaceConfig { addresses: vec![(loopback(router), 32)], igp_v4: Some(igp), ..InterfaceConfig::default() };
        config.interfaces.insert("lo".to_owned(), lo);
        Router { name: format!("r{router}"), config: Arc::new(config), profile: Profile::FRR }
    }

    fn feed(&self, external: usize, router: usize, neighbor: IpAddr, count: u32, distinct: bool) -> Feed {
        let router_id = if let IpAddr::V4(a) = loopback(external) { a } else { Ipv4Addr::UNSPECIFIED };
        let attributes = |announcement: &Announcement, own: Option<u32>| {
            let behind = announcement.as_path.iter().copied();
            let path = core::iter::once(self.routers[external]).chain(behind.enumerate().map(|(i, asn)| {
                let last = i + 1 == announcement.as_path.len();
                own.filter(|_| last).map_or(asn, |n| 4_200_000_000 + n)
            }));
            let as_path = AsPath::sequence(path);
            PathAttributes { as_path, next_hop: Some(neighbor), med: Some(announcement.med), ..PathAttributes::default() }
        };
        let (mut all, mut routes) = (Vec::new(), Vec::new());
        let mut shared = vec![None; self.classes.len()];
        for n in 0..count.min(PREFIXES_MAX) {
            let class = n as usize % self.classes.len();
            let Some(announcement) = self.classes[class].iter().find(|a| a.from == external) else { continue };
            let at = if distinct {
                all.push(attributes(announcement, Some(n)));
                all.len() as u32 - 1
            } else {
                *shared[class].get_or_insert_with(|| {
                    all.push(attributes(announcement, None));
                    all.len() as u32 - 1
                })
            };
            routes.extend(prefix(n).map(|p| (p, at)));
        }
        Feed { router, neighbor, router_id, attributes: Arc::new(all), routes: Arc::new(routes) }
    }
}

/// Makes four edges in a full mesh, each with a neighbour outside that announces the same `count` prefixes. As in the Internet's table, a
/// sixth as many sets of attributes as there are prefixes; neighbours agree on the origin, not on the way there.
#[must_use]
pub fn full_tables(count: u32) -> Blueprint {
    const EDGES: usize = 4;
    const PREFIXES_PER_SET: u32 = 6;
    let count = count.min(PREFIXES_MAX);
    let mesh: Vec<(usize, usize, bool)> = (0..EDGES).flat_map(|a| (a + 1..EDGES).map(move |b| (a, b, false))).collect();
    let scenario = Scenario {
        name: "full tables".to_owned(),
        asn: 65_000,
        routers: [65_000; EDGES].into_iter().chain((0..EDGES as u32).map(|n| 100 + n)).collect(),
        links: mesh.iter().map(|(a, b, _)| (*a, *b, 10)).chain((0..EDGES).map(|n| (n, EDGES + n, 1))).collect(),
        ibgp: mesh,
        ebgp: (0..EDGES).map(|n| (EDGES + n, n)).collect(),
        classes: vec![Vec::new()],
    };
    let mut out = scenario.blueprint(0, false);
    for (feed, n) in out.feeds.iter_mut().zip(0_u32..) {
        let mut dice = Dice(u64::from(n) + 1);
        let set = |set: u32, dice: &mut Dice| {
            let way = (0..1 + dice.below(4) as u32).map(|_| 3_000 + dice.below(2_000) as u32);
            let path = core::iter::once(100 + n).chain(way.collect::<Vec<_>>()).chain([200_000 + set]);
            PathAttributes { as_path: AsPath::sequence(path), next_hop: Some(feed.neighbor), ..PathAttributes::default() }
        };
        let sets = count.div_ceil(PREFIXES_PER_SET);
        feed.attributes = Arc::new((0..sets).map(|s| set(s, &mut dice)).collect());
        feed.routes = Arc::new((0..count).filter_map(|p| Some((prefix(p)?, p % sets))).collect());
    }
    out
}
