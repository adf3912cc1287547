//! What routers make themselves: `network`, redistribution, aggregates, default routes.

use crate::plane::Plane;
use crate::policy::{Question, Verdict};
use crate::route::{Kind, Route};
use crate::session::OUTSIDE;
use crate::shared::Shared;
use crate::transfer::{LOCAL_WEIGHT, add};
use bgp::{AsPath, Asn, Community, Family, Origin, PathAttributes, Prefix, Segment};
use config::{Aggregate, Protocol};
use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

/// Prefix, place, route before import; by prefix.
pub(crate) type Origins = Vec<(Prefix, u32, u32)>;

pub(crate) fn local(kind: Kind, origin: Origin, med: Option<u32>) -> Route {
    Route { kind, ..local_with(PathAttributes { origin, med, ..PathAttributes::default() }) }
}

fn local_with(attributes: PathAttributes) -> Route {
    let kind = Kind::Network;
    Route { attributes, weight: LOCAL_WEIGHT, kind, otc: None, tag: 0, extended: Vec::new(), aigp: None, next_hop: crate::NextHop::NotSaid }
}

/// A route as a neighbour outside announces it.
pub(crate) fn on_the_wire(attributes: &PathAttributes) -> Route {
    Route { weight: 0, kind: Kind::Learned, ..local_with(attributes.clone()) }
}

impl Plane<'_> {
    /// Returns what routers originate by themselves and what neighbours outside announce.
    pub(crate) fn origins(&self, shared: &mut Shared) -> Origins {
        let mut out = Origins::new();
        for router in 0..self.network.routers.len() {
            out.extend(self.made_by(router, shared).into_iter().map(|((prefix, slot), route)| (prefix, slot, route)));
        }
        for feed in &self.network.feeds {
            let inward = |h: &&crate::session::Half| h.from == OUTSIDE && h.to as usize == feed.router && h.from_address == feed.neighbor;
            let Some((h, _)) = self.halves.iter().enumerate().find(|(_, h)| inward(h)) else { continue };
            let (slot, _) = self.half_slots[h];
            let numbers: Vec<u32> = feed.attributes.iter().map(|a| shared.routes.number(on_the_wire(a))).collect();
            let known = feed.routes.iter().filter(|(p, _)| p.family() == self.family);
            out.extend(known.filter_map(|(p, a)| Some((*p, slot, *numbers.get(*a as usize)?))));
        }
        out.sort_by_key(|(prefix, ..)| *prefix);
        out
    }

    /// Returns what a router originates by itself: prefix and place, route.
    pub(crate) fn made_by(&self, router: usize, shared: &mut Shared) -> BTreeMap<(Prefix, u32), u32> {
        let mut made: BTreeMap<(Prefix, u32), u32> = BTreeMap::new();
        let up = |_: &&config::BgpConfig| !self.network.failures.routers.contains(&router);
        let Some(bgp) = self.network.routers[router].config.bgp.as_ref().filter(up) else { return made };
        let mut take = |prefix: Prefix, route: Route, policy: Option<&str>| {
            if let Some(route) = self.originates(router, &prefix, route, policy) {
                let slot = self.local_slot(router, route.kind);
                made.entry((prefix, slot)).or_insert_with(|| shared.routes.number(route));
            }
        };
        for network in bgp.networks.iter().filter(|n| n.prefix.family() == self.family) {
            let metric = self.fabric.exact(router, &network.prefix);
            if metric.is_some() || bgp.wider.no_import_check {
                take(network.prefix, local(Kind::Network, Origin::Igp, Some(metric.unwrap_or(0))), network.policy.as_deref());
            }
        }
        for from in bgp.wider.redistribute.get(&self.family).into_iter().flatten() {
            for (prefix, metric, via, tag) in self.others(router, from.protocol) {
                let mut route = local(Kind::Redistributed(from.protocol), Origin::Incomplete, Some(from.metric.unwrap_or(metric)));
                route.attributes.next_hop = via;
                route.tag = tag;
                take(prefix, route, from.policy.as_deref());
            }
        }
        made
    }

    /// The router's routes of another protocol that are in force, which is where no other protocol has the same prefix at a lower distance:
    /// prefix, metric, next hop, tag.
    fn others(&self, router: usize, protocol: Protocol) -> Vec<(Prefix, u32, Option<IpAddr>, u32)> {
        let family = |p: &Prefix| p.family() == self.family;
        match protocol {
            Protocol::Connected => {
                let all: BTreeSet<Prefix> = self.fabric.connected_of(router).filter(family).collect();
                let link_local = |p: &Prefix| matches!(p.address(), IpAddr::V6(a) if a.segments()[0] & 0xFFC0 == 0xFE80);
                all.into_iter().filter(|p| !link_local(p)).map(|p| (p, 0, None, 0)).collect()
            }
            Protocol::Static => {
                let tag = |p: Prefix, via| {
                    let all = &self.network.routers[router].config.static_routes;
                    all.iter().find(|s| s.prefix == p && s.next_hop == via).map_or(0, |s| s.tag)
                };
                let in_force = |p: &Prefix| family(p) && self.fabric.in_force(router, p) == Some(Protocol::Static);
                self.fabric.statics_of(router).filter(|(p, _)| in_force(p)).map(|(p, via)| (p, 0, via, tag(p, via))).collect()
            }
            Protocol::Ospf | Protocol::Isis => {
                let in_force = |p: &Prefix| family(p) && self.fabric.in_force(router, p) == Some(protocol);
                self.fabric.igp_routes(router, protocol).into_iter().filter(|(p, _)| in_force(p)).map(|(p, m)| (p, m, None, 0)).collect()
            }
            Protocol::Kernel | Protocol::Bgp => Vec::new(),
        }
    }

    /// Runs the policy of an origination; `None` when it rejects.
    fn originates(&self, router: usize, prefix: &Prefix, mut route: Route, policy: Option<&str>) -> Option<Route> {
        if self.network.routers[router].config.bgp.as_ref().is_some_and(|b| b.wider.graceful_shutdown) {
            sink(&mut route);
        }
        let rpki = self.validity(router, prefix, &route.attributes.as_path);
        let question = Question { prefix, neighbor: None, local: None, outbound: false, rpki };
        let accepts =
            policy.is_none_or(|name| matches!(self.nodes[router].policies.run(name, &question, &mut route), Verdict::Accepted { .. }));
        accepts.then_some(route)
    }

    /// Makes an aggregate of its contributors' routes (`bgp_aggregate_route`), before graceful shutdown and its policy; `None` without one.
    pub(crate) fn aggregate(&self, router: usize, aggregate: &Aggregate, contributors: &[&Route]) -> Option<Route> {
        let bgp = self.network.routers[router].config.bgp.as_ref()?;
        if contributors.is_empty() {
            return None;
        }
        if aggregate.matching_med_only
            && contributors.windows(2).any(|w| w[0].attributes.med.unwrap_or(0) != w[1].attributes.med.unwrap_or(0))
        {
            return None;
        }
        let worst = contributors.iter().map(|r| r.attributes.origin).max()?;
        let mut route = local(Kind::Aggregate, aggregate.origin.unwrap_or(worst), Some(0));
        let a = &mut route.attributes;
        a.aggregator = Some(bgp::Aggregator { asn: own_as(bgp), id: crate::session::router_id(self.network, router) });
        if aggregate.as_set {
            a.as_path = common(contributors.iter().map(|r| &r.attributes.as_path));
            let mut communities: Vec<_> = contributors.iter().flat_map(|r| r.attributes.communities.iter().copied()).collect();
            communities.sort_unstable();
            communities.dedup();
            a.communities = communities;
            let mut large: Vec<_> = contributors.iter().flat_map(|r| r.attributes.large_communities.iter().copied()).collect();
            large.sort_unstable();
            large.dedup();
            a.large_communities = large;
            a.atomic_aggregate = contributors.iter().any(|r| r.attributes.atomic_aggregate);
        } else {
            a.atomic_aggregate = true;
        }
        Some(route)
    }

    /// Does to an aggregate what the router is told to; `None`: its policy rejects it.
    pub(crate) fn finished(&self, router: usize, aggregate: &Aggregate, mut route: Route) -> Option<Route> {
        let bgp = self.network.routers[router].config.bgp.as_ref()?;
        if bgp.wider.graceful_shutdown {
            sink(&mut route);
        }
        if let Some(name) = &aggregate.policy {
            let rpki = self.validity(router, &aggregate.prefix, &route.attributes.as_path);
            let question = Question { prefix: &aggregate.prefix, neighbor: None, local: None, outbound: false, rpki };
            if !matches!(self.nodes[router].policies.run(name, &question, &mut route), Verdict::Accepted { .. }) {
                return None;
            }
        }
        Some(route)
    }

    /// Returns the prefix of a default route in this plane.
    pub(crate) fn default_prefix(&self) -> Option<Prefix> {
        let any: IpAddr = if self.family == Family::Ipv4Unicast {
            core::net::Ipv4Addr::UNSPECIFIED.into()
        } else {
            core::net::Ipv6Addr::UNSPECIFIED.into()
        };
        Prefix::new(any, 0)
    }
}

/// What a router in graceful shutdown makes itself is marked in its own table already (`bgp_attr_add_gshut_community`).
fn sink(route: &mut Route) {
    add(&mut route.attributes.communities, Community::GRACEFUL_SHUTDOWN);
    route.attributes.local_pref = Some(0);
}

fn own_as(bgp: &config::BgpConfig) -> Asn {
    bgp.wider.confederation.as_ref().map_or(bgp.asn, |c| c.identifier)
}

/// The part that all paths begin with, and the rest as a set (`aspath_aggregate`).
fn common<'p>(paths: impl Iterator<Item = &'p AsPath>) -> AsPath {
    let flat = |p: &AsPath| -> Vec<(bool, Asn)> {
        let parts = p.segments().iter().flat_map(|s| match s {
            Segment::Sequence(v) | Segment::Set(v) => v.iter().map(|a| (false, *a)).collect::<Vec<_>>(),
            Segment::ConfedSequence(v) | Segment::ConfedSet(v) => v.iter().map(|a| (true, *a)).collect(),
        });
        parts.collect()
    };
    let all: Vec<Vec<(bool, Asn)>> = paths.map(flat).collect();
    let shortest = all.iter().map(Vec::len).min().unwrap_or(0);
    let same = (0..shortest).take_while(|i| all.iter().all(|p| p[*i] == all[0][*i])).count();
    let head: &[(bool, Asn)] = all.first().map_or(&[], |p| &p[..same]);
    let rest: BTreeSet<Asn> = all.iter().flat_map(|p| &p[same..]).map(|(_, a)| *a).collect();
    let mut segments: Vec<Segment> = head
        .chunk_by(|a, b| a.0 == b.0)
        .map(|run| {
            let asns = run.iter().map(|(_, a)| *a).collect();
            if run[0].0 { Segment::ConfedSequence(asns) } else { Segment::Sequence(asns) }
        })
        .collect();
    if !rest.is_empty() {
        segments.push(Segment::Set(rest.into_iter().collect()));
    }
    AsPath::new(segments)
}
