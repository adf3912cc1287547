//! Where a packet goes next below BGP: the first hops to an address, with the link each takes.

use super::{CONNECTED, Domain, Fabric, Port, STATIC_DEPTH_MAX, UNREACHABLE, host, isis_cost, ospf_cost};
use crate::blueprint::Blueprint;
use bgp::Prefix;
use core::cmp::Reverse;
use core::net::IpAddr;
use serde::Serialize;

/// What a router does with a packet to an address, when no BGP route has a part in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Hops {
    /// It has no route.
    #[default]
    None,
    /// It drops it: a static null route.
    Null,
    /// The address is its own.
    Own,
    /// The address is on a subnet of its own.
    Beside {
        /// The link.
        link: Option<String>,
        /// The router that has it; `None`: nobody in this network.
        router: Option<usize>,
    },
    /// It hands it to one of these routers, over these links, at equal cost; sorted.
    Through(Vec<(usize, Option<String>)>),
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Isis,
    Ospf,
    Static,
    Connected,
}

impl Fabric {
    /// Returns for every router what it does with a packet to `address`; the default route is left out, as next hops leave it out.
    pub fn hops_to(&self, network: &Blueprint, address: IpAddr) -> Vec<Hops> {
        (0..self.routers).map(|r| self.hops(network, r, address, STATIC_DEPTH_MAX)).collect()
    }

    fn hops(&self, network: &Blueprint, router: usize, address: IpAddr, depth: u8) -> Hops {
        if self.owns(router, address) {
            return Hops::Own;
        }
        let mut found: Vec<(u8, Source)> = Vec::new();
        let beside = self.port_beside(router, address);
        found.extend(beside.map(|p| (p.subnet.length(), Source::Connected)));
        let covers = |(p, ..): &&(Prefix, Option<IpAddr>, u8)| p.length() > 0 && p.contains(address);
        let by_length = |(p, _, distance): &&(Prefix, Option<IpAddr>, u8)| (p.length(), Reverse(*distance));
        let fixed = self.statics[router].iter().filter(covers).max_by_key(by_length);
        found.extend(fixed.map(|(p, ..)| (p.length(), Source::Static)));
        let igp = |igp: usize, domain: &Domain| {
            let (prefix, announcers) = Self::longest(&domain.prefixes, self.lengths[igp], address)?;
            let costs = domain.costs(announcers);
            (costs[router] != UNREACHABLE).then_some((prefix.length(), costs))
        };
        let (ospf, isis) = (igp(0, &self.ospf), igp(1, &self.isis));
        found.extend(ospf.iter().map(|(l, _)| (*l, Source::Ospf)));
        found.extend(isis.iter().map(|(l, _)| (*l, Source::Isis)));
        match found.into_iter().max() {
            None => Hops::None,
            Some((_, Source::Connected)) => {
                let Some(port) = beside else { return Hops::None };
                let there = self.owners.get(&address).into_iter().flatten().map(|p| &self.ports[*p]);
                let router = there.filter(|p| on_one_wire(network, p, port)).map(|p| p.router).next();
                Hops::Beside { link: self.link_name(network, port), router }
            }
            Some((_, Source::Static)) => match fixed {
                Some((_, Some(via), _)) if depth > 0 => match self.hops(network, router, *via, depth - 1) {
                    // the next hop is somebody beside us
                    Hops::Beside { link, router: Some(next) } => Hops::Through(vec![(next, link)]),
                    other => other,
                },
                Some((_, None, _)) => Hops::Null,
                _ => Hops::None,
            },
            Some((_, source)) => {
                let (domain, costs) = if source == Source::Ospf { (&self.ospf, ospf) } else { (&self.isis, isis) };
                let Some((_, costs)) = costs else { return Hops::None };
                self.first_hops(network, router, domain, &costs, source == Source::Ospf)
            }
        }
    }

    fn first_hops(&self, network: &Blueprint, router: usize, domain: &Domain, costs: &[u32], ospf: bool) -> Hops {
        let mut out = Vec::new();
        for (next, reverse) in domain.reverse.iter().enumerate() {
            for (from, edge) in reverse.iter().filter(|(from, _)| *from as usize == router) {
                let through = costs[next].saturating_add(*edge).min(CONNECTED - 1);
                if costs[next] == UNREACHABLE || through != costs[*from as usize] {
                    continue;
                }
                let pairs = self.ports.iter().filter(|p| p.router == router).filter(|p| {
                    let config = &network.routers[router].config;
                    let cost = if ospf { ospf_cost(config, p) } else { isis_cost(config, p) };
                    let there = self.ports.iter().any(|q| q.router == next && q.subnet == p.subnet && on_one_wire(network, q, p));
                    cost.is_some_and(|c| c.cost == *edge && !c.passive) && there
                });
                out.extend(pairs.map(|p| (next, self.link_name(network, p))));
            }
        }
        out.sort();
        out.dedup();
        if out.is_empty() { Hops::None } else { Hops::Through(out) }
    }

    fn port_beside(&self, router: usize, address: IpAddr) -> Option<&Port> {
        let ports = (1..=host(address)).rev().filter_map(|length| self.connected.get(&Prefix::new(address, length)?));
        ports.flatten().map(|p| &self.ports[*p]).find(|p| p.router == router)
    }

    /// The name of the wire that a port is on: the segment's, else its subnet.
    fn link_name(&self, network: &Blueprint, port: &Port) -> Option<String> {
        match (&network.links, port.segment) {
            (Some(links), Some(segment)) => links.keys().nth(segment).cloned(),
            (None, _) => Some(port.subnet.to_string()),
            (Some(_), None) => None,
        }
    }
}

fn on_one_wire(network: &Blueprint, a: &Port, b: &Port) -> bool {
    if network.links.is_some() { a.segment.is_some() && a.segment == b.segment } else { a.subnet == b.subnet }
}
