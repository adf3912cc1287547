//! What is known of the network beside its configurations, as the checks ask for it. Absent stays unknown, and what is old says how old it is.

use bgp::{Asn, Prefix};
use config::Role;
use core::net::IpAddr;
use network::{CommunityEffect, ExitSpec, Inventory, NeighborRole, Network};
use preflight::{Class, Exit, ExitFacts, Facts, Meaning, Relation, Vital, Volume, Word};
use std::collections::{BTreeMap, BTreeSet};
use units::Timestamp;

/// Gathers what the inventory names and what was measured until the picture's moment.
pub fn facts(network: &Network) -> Facts {
    let inventory = &network.inventory;
    let mut facts = Facts { own_as: BTreeSet::from([inventory.own_asn]), own_prefixes: inventory.own_prefixes.clone(), ..Facts::default() };
    for exit in &inventory.exits {
        let Some(neighbor) = exit.neighbors.first().copied() else { continue };
        facts.exits.push(of_exit(network, exit, neighbor));
    }
    relations(network, &mut facts);
    for provider in &inventory.providers {
        facts.providers.entry(provider.name.clone()).or_default().extend(&provider.asns);
    }
    for ((exit, prefix), volume) in &network.volumes {
        let Some(spec) = inventory.exit(exit) else { continue };
        let Some(neighbor) = spec.neighbors.first().copied() else { continue };
        let age_s = age_s(network.moment(), volume.at);
        facts.volumes.push(Volume { router: spec.device.to_string(), neighbor, prefix: *prefix, bps: volume.bps, age_s });
    }
    facts.vital = inventory.vital.iter().map(|v| Vital { prefix: v.prefix, name: v.name.clone() }).collect();
    let word = |c: &network::CommunityMeaning| Word { asn: c.asn, community: c.community, meaning: meaning(c.effect) };
    facts.communities = inventory.communities.iter().map(word).collect();
    let routers = |all: &Vec<action::DeviceId>| all.iter().map(ToString::to_string).collect();
    facts.domains = inventory.failure_domains.iter().map(|(name, all)| (name.clone(), routers(all))).collect();
    facts.classes = levels(inventory);
    facts
}

/// Whole seconds between a measurement and the picture's moment; `None`: none has passed.
fn age_s(moment: Timestamp, at: Timestamp) -> Option<u64> {
    Some(moment.since(at).as_secs()).filter(|s| *s > 0)
}

fn of_exit(network: &Network, exit: &ExitSpec, neighbor: IpAddr) -> ExitFacts {
    #[allow(clippy::cast_precision_loss, reason = "capacities are far below 2^52 bit/s")]
    let members_bps = vec![exit.capacity_bps as f64];
    let interface = network.devices.get(&exit.device).and_then(|d| d.interfaces.get(&exit.interface));
    let load_bps = interface.and_then(|i| i.rate_bps).map(|(_, out)| out);
    let read = interface.and_then(|i| i.octets).map(|(at, ..)| at);
    ExitFacts {
        router: exit.device.to_string(),
        neighbor,
        members_bps,
        load_bps,
        load_age_s: read.filter(|_| load_bps.is_some()).and_then(|at| age_s(network.moment(), at)),
        cost_per_mbps: None,
        link: None,
        relation: told(network, exit),
    }
}

/// What the neighbour of an exit is to us: by the inventory, else by what its router says of its sessions (RFC 9234).
fn told(network: &Network, exit: &ExitSpec) -> Option<Relation> {
    let by_inventory = exit.role.map(|role| match role {
        NeighborRole::Provider => Relation::of_role(Role::Customer),
        NeighborRole::Peer => Relation::of_role(Role::Peer),
        NeighborRole::Customer => Relation::of_role(Role::Provider),
        NeighborRole::Rs => Relation::of_role(Role::RouteServerClient),
        NeighborRole::RsClient => Relation::of_role(Role::RouteServer),
    });
    by_inventory.or_else(|| {
        let bgp = network.devices.get(&exit.device)?.config.as_ref()?.model.bgp.as_ref()?;
        exit.neighbors.iter().find_map(|n| bgp.neighbors.get(n)?.wider.role).map(Relation::of_role)
    })
}

/// What neighbour ASes are to us. One that is several things at several exits counts as the strictest here; its exits know better. One of
/// which nobody says anything is taken for a provider, which is the strictest of all, and stands among those.
fn relations(network: &Network, facts: &mut Facts) {
    let inventory = &network.inventory;
    let mut by_provider: BTreeMap<&action::ProviderId, Option<Relation>> = BTreeMap::new();
    let mut by_as: BTreeMap<Asn, Option<Relation>> = BTreeMap::new();
    for exit in inventory.exits.iter().filter(|e| !e.neighbors.is_empty()) {
        let relation = told(network, exit);
        for known in [by_provider.entry(&exit.provider).or_default(), by_as.entry(exit.remote_as).or_default()] {
            *known = (*known).max(relation);
        }
    }
    // further ASes of a group are what its exits are
    for provider in &inventory.providers {
        let relation = by_provider.get(&provider.id).copied().flatten();
        for asn in &provider.asns {
            by_as.entry(*asn).or_insert(relation);
        }
    }
    facts.taken_for_providers = by_as.iter().filter(|(_, r)| r.is_none()).map(|(asn, _)| *asn).collect();
    facts.relations = by_as.into_iter().map(|(asn, r)| (asn, r.unwrap_or(Relation::Provider))).collect();
}

const fn meaning(effect: CommunityEffect) -> Meaning {
    match effect {
        CommunityEffect::Blackhole => Meaning::Blackhole,
        CommunityEffect::NoAnnounce => Meaning::NoAnnounce,
        CommunityEffect::Preference => Meaning::Preference,
        CommunityEffect::Prepend => Meaning::Prepend,
        CommunityEffect::Informational => Meaning::Informational,
    }
}

/// The service level of each provider's paths, for the prefixes of the target groups: what else there is no path is measured for.
fn levels(inventory: &Inventory) -> Vec<Class> {
    let prefixes: Vec<Prefix> = inventory.groups.iter().flat_map(|g| &g.members).copied().collect();
    let exit = |e: &ExitSpec| Some(Exit { router: e.device.to_string(), neighbor: *e.neighbors.first()? });
    let class = |p: &network::Provider| {
        let exits: Vec<Exit> = inventory.exits.iter().filter(|e| e.provider == p.id).filter_map(exit).collect();
        let level = Class {
            name: p.name.clone(),
            prefixes: prefixes.clone(),
            exits,
            delay_ms_max: Some(p.sla.delay_ms_max),
            loss_max: Some(p.sla.loss_max),
        };
        // without an exit it would hold on all
        (!level.exits.is_empty() && !prefixes.is_empty()).then_some(level)
    };
    inventory.providers.iter().filter_map(class).collect()
}

#[cfg(test)]
mod tests;
