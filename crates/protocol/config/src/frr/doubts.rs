//! What in a configuration contradicts itself or leads nowhere, with what FRR makes of it.

use crate::RouterConfig;
use crate::notes::{Notes, Object};
use crate::outline::link_local;
use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

/// Adds what is doubtful to [`RouterConfig::problems`].
pub(crate) fn doubts(text: &str, config: &mut RouterConfig) {
    let mut notes = Notes::default();
    define(config, &mut notes);
    let mut interface = None;
    let mut bgp: Option<String> = None;
    let mut router_id: Option<String> = None;
    let mut remote: BTreeSet<String> = BTreeSet::new();
    let mut groups: BTreeMap<String, String> = BTreeMap::new();
    let mut peers: BTreeMap<String, u32> = BTreeMap::new();
    let mut remote_of: BTreeMap<String, String> = BTreeMap::new();
    for (line, raw) in (1..).zip(text.lines()) {
        let words: Vec<&str> = raw.split_whitespace().take(12).collect();
        if !raw.starts_with(char::is_whitespace) && matches!(words.first(), Some(&("interface" | "router" | "route-map" | "end" | "vrf"))) {
            interface = None;
            bgp = None;
        }
        match words[..] {
            ["interface", name, ..] => interface = Some(name.to_owned()),
            ["router", "bgp", asn] => bgp = Some(format!("router bgp {asn}")),
            ["ip" | "ipv6", "address", address, ..] => {
                let parsed = address.split_once('/').and_then(|(a, _)| a.parse::<IpAddr>().ok());
                if let (Some(name), Some(address)) = (&interface, parsed) {
                    notes.address(address, name, line, link_local(address));
                }
            }
            ["bgp", "router-id", id] => {
                if let Some(old) = router_id.as_ref().filter(|old| *old != id) {
                    let effect = format!("router id {old} was said before; {id}, the later, is kept");
                    notes.problem(line, raw.trim(), bgp.as_deref().unwrap_or_default(), &effect);
                }
                router_id = Some(id.to_owned());
            }
            ["neighbor", peer, ref rest @ ..] if bgp.is_some() => {
                peers.entry(peer.to_owned()).or_insert(line);
                match rest {
                    ["remote-as", asn, ..] | ["interface", "remote-as", asn, ..] => {
                        remote.insert(peer.to_owned());
                        if let Some(old) = remote_of.insert(peer.to_owned(), (*asn).to_owned()).filter(|old| old != asn) {
                            let effect = format!("remote-as {old} was said before; {asn}, the later, is kept");
                            notes.problem(line, raw.trim(), bgp.as_deref().unwrap_or_default(), &effect);
                        }
                    }
                    ["peer-group", group] => drop(groups.insert(peer.to_owned(), (*group).to_owned())),
                    ["interface", ..] => drop(remote.insert(peer.to_owned())),
                    ["route-map", map, "in" | "out"] | ["default-originate", "route-map", map] => notes.uses(Object::Policy, map, line),
                    ["prefix-list", list, "in" | "out"] => notes.uses(Object::Prefixes, list, line),
                    ["filter-list", list, "in" | "out"] => notes.uses(Object::AsPaths, list, line),
                    _ => {}
                }
            }
            ["network" | "redistribute" | "aggregate-address", .., "route-map", map] | ["call", map] => {
                notes.uses(Object::Policy, map, line)
            }
            ["match", "ip" | "ipv6", "address", "prefix-list", list] => notes.uses(Object::Prefixes, list, line),
            ["match", "community", list, ..] | ["set", "comm-list", list, "delete"] => notes.uses(Object::Communities, list, line),
            ["match", "large-community", list, ..] => notes.uses(Object::LargeCommunities, list, line),
            ["match", "as-path", list] => notes.uses(Object::AsPaths, list, line),
            _ => {}
        }
    }
    for (peer, line) in peers {
        let by_group = groups.get(&peer).is_some_and(|g| remote.contains(g));
        if peer.parse::<IpAddr>().is_ok() && !remote.contains(&peer) && !by_group {
            let effect = "no remote-as, its own or its group's: the session never comes up, and is not kept";
            notes.problem(line, &format!("neighbor {peer}"), "router bgp", effect);
        }
    }
    notes.finish(config, |object| match object {
        Object::Policy => "FRR lets no route through",
        Object::Prefixes | Object::AsPaths => "a term that asks for it never matches; as a filter it lets nothing through",
        _ => "a term that asks for it never matches",
    });
}

fn define(config: &RouterConfig, notes: &mut Notes) {
    let policy = &config.policy;
    let wider = &policy.wider;
    policy.definitions.keys().for_each(|n| notes.defines(Object::Policy, n));
    policy.prefix_sets.keys().chain(wider.prefix_sets_v6.keys()).for_each(|n| notes.defines(Object::Prefixes, n));
    policy.community_sets.keys().chain(wider.expanded_community_sets.keys()).for_each(|n| notes.defines(Object::Communities, n));
    let large = wider.large_community_sets.keys().chain(wider.expanded_large_sets.keys());
    large.for_each(|n| notes.defines(Object::LargeCommunities, n));
    wider.as_path_sets.keys().for_each(|n| notes.defines(Object::AsPaths, n));
    // what could not be read was there all the same
    for unread in &config.unmodelled {
        let words: Vec<&str> = unread.text.split_whitespace().collect();
        let object = match words[..] {
            ["ip" | "ipv6", "prefix-list", ..] => Object::Prefixes,
            ["bgp" | "ip", "community-list", ..] => Object::Communities,
            ["bgp" | "ip", "large-community-list", ..] => Object::LargeCommunities,
            ["bgp" | "ip", "as-path", ..] => Object::AsPaths,
            _ => continue,
        };
        words.iter().for_each(|w| notes.defines(object, w));
    }
}
