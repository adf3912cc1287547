//! Wires between routers, from the subnets that their interfaces share: what may fail besides, and what a link's load is told of. The routers
//! tell of no neighbours on a wire (LLDP, OSPF adjacencies) and of no members of a bundle, so none are known here.

use bgp::Prefix;
use routing::{Blueprint, Links};
use std::collections::{BTreeMap, BTreeSet};

/// Joins interfaces that have a subnet in common; one wire carries both families. It has the name of the first of its subnets, IPv4 first. An
/// interface that is alone in its subnet, or has link-local addresses only, has a wire of its own: somebody who is not managed is at the other
/// end. Loopbacks have none.
pub fn wires(network: &Blueprint) -> Links {
    let mut by_subnet: BTreeMap<Prefix, BTreeSet<(usize, String)>> = BTreeMap::new();
    let mut subnets: BTreeMap<(usize, String), BTreeSet<Prefix>> = BTreeMap::new();
    let mut out = Links::new();
    for (at, router) in network.routers.iter().enumerate() {
        for (name, interface) in router.config.interfaces.iter().filter(|(name, _)| !routing::is_loopback(name)) {
            for (address, length) in &interface.addresses {
                let host = if address.is_ipv4() { 32 } else { 128 };
                let Some(subnet) = Prefix::new(*address, *length).filter(|_| *length < host && !crate::picture::is_link_local(*address))
                else {
                    continue;
                };
                by_subnet.entry(subnet).or_default().insert((at, name.clone()));
                subnets.entry((at, name.clone())).or_default().insert(subnet);
            }
            // a link-local subnet is the same everywhere and joins nobody
            if !interface.addresses.is_empty() && !subnets.contains_key(&(at, name.clone())) {
                out.insert(format!("{}:{name}", router.name), vec![(at, name.clone())]);
            }
        }
    }
    let mut seen: BTreeSet<Prefix> = BTreeSet::new();
    for first in by_subnet.keys() {
        let mut waiting = vec![*first];
        let mut ends: BTreeSet<(usize, String)> = BTreeSet::new();
        while let Some(subnet) = waiting.pop() {
            if !seen.insert(subnet) {
                continue;
            }
            for end in by_subnet.get(&subnet).into_iter().flatten() {
                waiting.extend(subnets.get(end).into_iter().flatten().copied());
                ends.insert(end.clone());
            }
        }
        if !ends.is_empty() {
            out.insert(first.to_string(), ends.into_iter().collect());
        }
    }
    out
}

#[cfg(test)]
mod tests;
