//! Which sessions come up, from both sides' configurations.

use crate::blueprint::Blueprint;
use crate::compare::Sort;
use crate::fabric::{Fabric, Parts, UNREACHABLE};
use bgp::{Asn, Family};
use config::{BgpConfig, Neighbor, NeighborFamily, Role};
use core::cell::RefCell;
use core::net::{IpAddr, Ipv4Addr};
use std::collections::{BTreeMap, BTreeSet};

/// One direction of a session: what `from` sends, `to` receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Half {
    /// Sender by position; [`OUTSIDE`] for a neighbour outside the network.
    pub from: u32,
    /// Receiver by position; [`OUTSIDE`] likewise.
    pub to: u32,
    /// Address of the sender, by which the receiver knows it.
    pub from_address: IpAddr,
    /// Address of the receiver, by which the sender knows it.
    pub to_address: IpAddr,
    /// The session as the sender sees it.
    pub from_sort: Sort,
    /// The session as the receiver sees it.
    pub to_sort: Sort,
    /// AS that the sender uses toward the receiver.
    pub from_asn: Asn,
    /// AS that the receiver uses toward the sender.
    pub to_asn: Asn,
    /// Router id of the sender.
    pub from_id: Ipv4Addr,
    /// Router id of the receiver.
    pub to_id: Ipv4Addr,
    /// The receiver takes only next hops on its own interfaces.
    pub connected_only: bool,
    /// IPv4 routes may have IPv6 next hops here (RFC 8950).
    pub v6_next_hops: bool,
    /// The other direction.
    pub reverse: u32,
}

/// A router outside the network.
pub(crate) const OUTSIDE: u32 = u32::MAX;

/// A session that is configured and does not come up, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absent {
    /// Router by position.
    pub router: usize,
    /// Neighbour.
    pub neighbor: IpAddr,
    /// Why.
    pub why: String,
}

/// The neighbour settings that apply to an address: a neighbour of its own, else the group of a listen range.
pub(crate) fn neighbor_of(bgp: &BgpConfig, address: IpAddr) -> Option<&Neighbor> {
    bgp.neighbors.get(&address).or_else(|| {
        let (_, group) = bgp.wider.listen_ranges.iter().find(|(range, _)| range.contains(address))?;
        bgp.wider.groups.get(group)
    })
}

/// Returns the family settings toward an address.
pub(crate) fn family_of(bgp: &BgpConfig, address: IpAddr, family: Family) -> Option<&NeighborFamily> {
    neighbor_of(bgp, address)?.families.get(&family)
}

/// Returns a router's id: given, else its highest loopback address, else its highest (FRR).
pub(crate) fn router_id(network: &Blueprint, router: usize) -> Ipv4Addr {
    let config = &network.routers[router].config;
    let given = config.bgp.as_ref().and_then(|b| b.router_id);
    let addresses = |loopback: bool| {
        let of = config.interfaces.iter().filter(move |(name, i)| !i.shutdown && name.starts_with("lo") == loopback);
        let all = of.flat_map(|(_, i)| &i.addresses);
        all.filter_map(|(a, _)| if let IpAddr::V4(a) = a { (!a.is_loopback()).then_some(*a) } else { None }).max()
    };
    given.or_else(|| addresses(true)).or_else(|| addresses(false)).unwrap_or(Ipv4Addr::UNSPECIFIED)
}

/// The AS that a router uses toward a neighbour (bgpd, `peer_create`, `peer_calc_sort`; RFC 5065).
fn local_as(bgp: &BgpConfig, neighbor: &Neighbor) -> Asn {
    if let Some(local) = neighbor.wider.local_as {
        return local.asn;
    }
    member_as(bgp, neighbor.remote_as)
}

fn member_as(bgp: &BgpConfig, remote: Asn) -> Asn {
    match &bgp.wider.confederation {
        Some(c) if c.identifier.0 != 0 && remote != bgp.asn && !c.peers.contains(&remote) => c.identifier,
        _ => bgp.asn,
    }
}

pub(crate) fn sort(bgp: &BgpConfig, remote: Asn) -> Sort {
    match &bgp.wider.confederation {
        Some(c) if c.identifier.0 != 0 => {
            if bgp.asn == remote {
                Sort::Internal
            } else if c.peers.contains(&remote) {
                Sort::Confed
            } else {
                Sort::External
            }
        }
        _ if bgp.asn == remote => Sort::Internal,
        _ => Sort::External,
    }
}

fn fits(mine: Role, theirs: Role) -> bool {
    matches!(
        (mine, theirs),
        (Role::Provider, Role::Customer)
            | (Role::Customer, Role::Provider)
            | (Role::Peer, Role::Peer)
            | (Role::RouteServer, Role::RouteServerClient)
            | (Role::RouteServerClient, Role::RouteServer)
    )
}

/// Finds the sessions of a family.
pub(crate) struct Sessions<'n> {
    pub network: &'n Blueprint,
    pub fabric: &'n Fabric,
    pub family: Family,
    /// Which routers reach each other.
    pub parts: &'n Parts,
    /// Only sessions of these routers are looked for, with the network below as it was before; absent: all.
    pub only: Option<(&'n BTreeSet<usize>, &'n Fabric)>,
    /// Who reaches an address that was asked for.
    pub costs: RefCell<BTreeMap<IpAddr, Vec<u32>>>,
}

impl Sessions<'_> {
    /// Returns both directions of every session that comes up, and why others do not.
    pub fn find(&self) -> (Vec<Half>, Vec<Absent>) {
        let (mut halves, mut absent) = (Vec::new(), Vec::new());
        let mut seen = BTreeSet::new();
        for (router, node) in self.network.routers.iter().enumerate() {
            let Some(bgp) = node.config.bgp.as_ref().filter(|_| !self.network.failures.routers.contains(&router)) else { continue };
            for (address, neighbor) in &bgp.neighbors {
                if neighbor.shutdown || !neighbor.families.contains_key(&self.family) || !self.wants(router, *address) {
                    continue;
                }
                match self.pair(router, bgp, *address, neighbor) {
                    // each session is found from both sides, and taken once
                    Ok(Some((a, b))) => {
                        if seen.insert((a.from, a.from_address, a.to_address)) && seen.insert((b.from, b.from_address, b.to_address)) {
                            let at = halves.len() as u32;
                            halves.push(Half { reverse: at + 1, ..a });
                            halves.push(Half { reverse: at, ..b });
                        }
                    }
                    Ok(None) => self.outside(router, bgp, *address, neighbor, &mut halves, &mut absent),
                    Err(why) => absent.push(Absent { router, neighbor: *address, why }),
                }
            }
        }
        (halves, absent)
    }

    /// Says whether a session is to be looked at.
    pub fn wants(&self, router: usize, neighbor: IpAddr) -> bool {
        self.only.is_none_or(|(routers, before)| {
            routers.contains(&router)
                || self.fabric.owners(neighbor).any(|o| routers.contains(&o))
                || before.owners(neighbor).any(|o| routers.contains(&o))
        })
    }

    fn outside(
        &self,
        router: usize,
        bgp: &BgpConfig,
        address: IpAddr,
        neighbor: &Neighbor,
        halves: &mut Vec<Half>,
        absent: &mut Vec<Absent>,
    ) {
        let feed = self.network.feeds.iter().find(|f| f.router == router && f.neighbor == address);
        let Some(feed) = feed.filter(|_| !self.network.failures.sessions.contains(&(router, address))) else {
            absent.push(Absent { router, neighbor: address, why: format!("nobody in this network has {address}") });
            return;
        };
        let own = self.source(router, neighbor, address).unwrap_or(address);
        let sort = sort(bgp, neighbor.remote_as);
        let connected_only = sort != Sort::Internal
            && neighbor.wider.ebgp_multihop.is_none()
            && !neighbor.wider.no_connected_check
            && !bgp.wider.no_connected_check;
        let at = halves.len() as u32;
        let inward = Half {
            from: OUTSIDE,
            to: router as u32,
            from_address: address,
            to_address: own,
            from_sort: sort,
            to_sort: sort,
            from_asn: neighbor.remote_as,
            to_asn: local_as(bgp, neighbor),
            from_id: feed.router_id,
            to_id: router_id(self.network, router),
            connected_only,
            v6_next_hops: neighbor.wider.extended_next_hop,
            reverse: at + 1,
        };
        let outward = Half {
            from: router as u32,
            to: OUTSIDE,
            from_address: own,
            to_address: address,
            from_asn: inward.to_asn,
            to_asn: inward.from_asn,
            from_id: inward.to_id,
            to_id: inward.from_id,
            reverse: at,
            ..inward.clone()
        };
        halves.push(inward);
        halves.push(outward);
    }

    fn cost(&self, router: usize, address: IpAddr) -> u32 {
        self.costs.borrow_mut().entry(address).or_insert_with(|| self.fabric.reach(address, self.parts))[router]
    }

    /// The address that a router opens the session from.
    fn source(&self, router: usize, neighbor: &Neighbor, to: IpAddr) -> Option<IpAddr> {
        if let Some(source) = &neighbor.update_source {
            return source.parse().ok().or_else(|| self.fabric.address_of(router, source, to.is_ipv4()));
        }
        self.fabric.beside(router, to)
    }

    /// Returns who is at the other end of an interface, for a neighbour that is known by it.
    fn across(&self, router: usize, interface: &str) -> Result<(usize, &str), String> {
        if self.network.links.is_none() {
            return Err(format!("who is at the other end of {interface} is not known: no wires are given"));
        }
        let mut there = self.fabric.across(router, interface);
        match (there.next(), there.next()) {
            (Some(one), None) => Ok(one),
            (None, _) => Err(format!("nobody is at the other end of {interface}")),
            (Some(_), Some(_)) => Err(format!("several routers are on the wire of {interface}: which one comes first is not known")),
        }
    }

    /// Returns both directions; `None` when nobody here owns the address.
    fn pair(&self, router: usize, bgp: &BgpConfig, address: IpAddr, neighbor: &Neighbor) -> Result<Option<(Half, Half)>, String> {
        let (other, there, candidates) = if let Some(interface) = &neighbor.wider.interface {
            let (other, theirs) = self.across(router, interface)?;
            let there = self.network.routers[other].config.bgp.as_ref().ok_or("the other side runs no BGP")?;
            (other, there, vec![Neighbor::on_interface(theirs)])
        } else {
            let Some(other) = self.fabric.owners(address).find(|o| *o != router) else { return Ok(None) };
            let there = self.network.routers[other].config.bgp.as_ref().ok_or("the other side runs no BGP")?;
            let mine = self.source(router, neighbor, address);
            let candidates: Vec<IpAddr> = match mine {
                Some(source) => vec![source],
                None => there.neighbors.keys().copied().filter(|a| self.fabric.owns(router, *a)).collect(),
            };
            (other, there, candidates)
        };
        let found = candidates.into_iter().find_map(|source| neighbor_of(there, source).map(|n| (source, n)));
        let (source, back) = found.ok_or_else(|| format!("{} does not know us as a neighbour", self.network.routers[other].name))?;
        if back.shutdown {
            return Err("shut down on the other side".to_owned());
        }
        if !back.families.contains_key(&self.family) {
            return Err("the other side does not speak this family".to_owned());
        }
        let failed = &self.network.failures.sessions;
        if failed.contains(&(router, address)) || failed.contains(&(other, source)) {
            return Err("taken down".to_owned());
        }
        let by_interface = neighbor.wider.interface.is_some();
        if let Some(theirs) = self.source(other, back, source).filter(|a| *a != address && !by_interface) {
            return Err(format!("the other side opens from {theirs}"));
        }
        let (ours, theirs) = (local_as(bgp, neighbor), local_as(there, back));
        let expects =
            |n: &Neighbor, own: &BgpConfig, is: Asn| n.remote_as == is || (n.remote_as == Neighbor::ANY_EXTERNAL && own.asn != is);
        if !expects(neighbor, bgp, theirs) {
            return Err(format!("expects AS {}, the other side is AS {theirs}", neighbor.remote_as));
        }
        if !expects(back, there, ours) {
            return Err(format!("the other side expects AS {}, we are AS {ours}", back.remote_as));
        }
        for (a, b) in [(neighbor, back), (back, neighbor)] {
            match (a.wider.role, b.wider.role) {
                (Some(x), Some(y)) if !fits(x, y) => return Err(format!("roles {x:?} and {y:?} do not fit (RFC 9234)")),
                (Some(_), None) if a.wider.strict_role => return Err("strict role, and the other side has none (RFC 9234)".to_owned()),
                _ => {}
            }
        }
        let (from_sort, to_sort) = (sort(bgp, theirs), sort(there, ours));
        let direct = |sort: Sort, n: &Neighbor, b: &BgpConfig| {
            sort != Sort::Internal && n.wider.ebgp_multihop.is_none() && !n.wider.no_connected_check && !b.wider.no_connected_check
        };
        let connected = by_interface || self.fabric.beside(router, address).is_some() && self.fabric.beside(other, source).is_some();
        if (direct(from_sort, neighbor, bgp) || direct(to_sort, back, there)) && !connected {
            return Err("not directly connected, and no ebgp-multihop".to_owned());
        }
        if !by_interface && (self.cost(router, address) == UNREACHABLE || self.cost(other, source) == UNREACHABLE) {
            return Err("no route to the other side".to_owned());
        }
        let a = Half {
            from: router as u32,
            to: other as u32,
            from_address: source,
            to_address: address,
            from_sort,
            to_sort,
            from_asn: ours,
            to_asn: theirs,
            from_id: router_id(self.network, router),
            to_id: router_id(self.network, other),
            connected_only: direct(to_sort, back, there),
            v6_next_hops: by_interface || (neighbor.wider.extended_next_hop && back.wider.extended_next_hop),
            reverse: 0,
        };
        let b = Half {
            from: a.to,
            to: a.from,
            from_address: address,
            to_address: source,
            from_sort: to_sort,
            to_sort: from_sort,
            from_asn: theirs,
            to_asn: ours,
            from_id: a.to_id,
            to_id: a.from_id,
            connected_only: direct(from_sort, neighbor, bgp),
            v6_next_hops: a.v6_next_hops,
            reverse: 0,
        };
        Ok(Some((a, b)))
    }
}
