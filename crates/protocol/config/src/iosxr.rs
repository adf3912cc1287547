//! Cisco IOS XR, as `show running-config` writes it (IOS XR 7.x routing and BGP configuration guides; "Routing Policy Language").
//!
//! No device of this kind was at hand: what is taken from the guides is what the guides say. A route policy is a program with branches;
//! it becomes terms of the model, with every `apply` in its place, and its conditions look at the route as it came.

mod bgp;
mod rpl;
mod sets;

use crate::notes::{Notes, Object};
use crate::outline::{self, Node, link_local};
use crate::{IgpInterface, RouterConfig, StaticRoute, Vendor};
use ::bgp::Prefix;
use core::net::IpAddr;

/// Cost of an OSPF interface without one: the reference bandwidth is 100 Mbit/s, and no interface in use is slower.
const OSPF_COST: u32 = 1;

/// Reads a running configuration. Never fails: what is not understood is listed with its line and effect.
#[must_use]
pub fn parse(text: &str) -> RouterConfig {
    let mut notes = Notes::default();
    let mut config = RouterConfig { vendor: Vendor::IosXr, ..RouterConfig::default() };
    let (rest, blocks) = rpl::cut_out(text, &mut notes);
    let (roots, deep) = outline::read(&rest);
    for line in deep {
        notes.problem(line, "", "", "nested deeper than 32 blocks; taken as standing in the 32nd");
    }
    let mut policies = rpl::Policies::new(blocks, &mut config, &mut notes);
    let mut draft = None;
    for node in &roots {
        match node.words[..] {
            ["hostname", name] => config.hostname = name.to_owned(),
            ["interface", "preconfigure", name] | ["interface", name, ..] => interface(name, node, &mut config, &mut notes),
            ["router", "static"] => statics(node, &mut config, &mut notes),
            _ => {}
        }
    }
    // after the interfaces, which IGPs name
    for node in &roots {
        match node.words[..] {
            ["router", "ospf" | "ospfv3", ..] => ospf(node, &mut config, &mut notes),
            ["router", "isis", ..] => isis(node, &mut config, &mut notes),
            ["router", "bgp", asn, ..] => match (outline::asn(asn), draft.take()) {
                (Some(asn), None) => draft = Some((asn, vec![node])),
                (Some(asn), Some((known, mut list))) if known == asn => {
                    list.push(node);
                    draft = Some((asn, list));
                }
                (_, before) => {
                    let effect = match &before {
                        Some((known, _)) => format!("a second BGP instance; AS {known} is kept, this block is not read"),
                        None => "not an AS number: no BGP on this router".to_owned(),
                    };
                    notes.problem(node.line, &node.text(), "", &effect);
                    draft = before;
                }
            },
            ["router", ..] | ["vrf", ..] | ["mpls" | "segment-routing" | "l2vpn" | "evpn", ..] if node.words != ["router", "static"] => {
                notes.unmodelled(node.line, &node.text(), "", "ignored: no route of the default instance comes from it");
            }
            // everything else (management, queues, logging) chooses no route
            _ => {}
        }
    }
    if let Some((asn, nodes)) = draft {
        bgp::read(asn, &nodes, &mut config, &mut policies, &mut notes);
    }
    if let Some(id) = outline::default_router_id(&config)
        && let Some(bgp) = config.bgp.as_mut()
    {
        bgp.router_id.get_or_insert(id);
    }
    notes.finish(&mut config, |object| match object {
        Object::Group => "the neighbour has no settings from it",
        Object::Policy => "IOS XR would not commit this; what happens to a route there is not known, and said where one arrives",
        _ => "IOS XR would not commit this; what the policy does with a route is not known, and said where a route reaches it",
    });
    config
}

fn interface(name: &str, node: &Node<'_>, config: &mut RouterConfig, notes: &mut Notes) {
    let context = format!("interface {name}");
    let interface = config.interfaces.entry(name.to_owned()).or_default();
    for child in &node.children {
        let read = match child.words[..] {
            ["ipv4" | "ipv6", "address", address, ..] if address.contains('/') => {
                address.split_once('/').and_then(|(a, n)| Some((a.parse::<IpAddr>().ok()?, n.parse::<u8>().ok()?)))
            }
            ["ipv4", "address", address, mask, ..] => address.parse().ok().zip(outline::mask(mask)),
            ["shutdown"] => {
                interface.shutdown = true;
                continue;
            }
            ["vrf", _] => {
                notes.unmodelled(child.line, &child.text(), &context, "ignored: the interface is taken as without it");
                continue;
            }
            ["ipv4" | "ipv6", "address", ..] => None,
            _ => continue,
        };
        match read.filter(|(a, n)| Prefix::new(*a, *n).is_some()) {
            Some((address, length)) => {
                notes.address(address, name, child.line, link_local(address));
                interface.addresses.push((address, length));
            }
            None => notes.unmodelled(child.line, &child.text(), &context, "ignored: the interface does not have this address"),
        }
    }
}

fn statics(node: &Node<'_>, config: &mut RouterConfig, notes: &mut Notes) {
    for family in &node.children {
        if !matches!(family.words[..], ["address-family", "ipv4" | "ipv6", "unicast"]) {
            let effect = "ignored: these static routes are not there";
            notes.unmodelled(family.line, &family.text(), "router static", effect);
            continue;
        }
        for line in &family.children {
            match static_route(&line.words) {
                Some(route) => config.static_routes.push(route),
                None => notes.unmodelled(line.line, &line.text(), "router static", "ignored: this static route is not there"),
            }
        }
    }
}

/// `PREFIX [INTERFACE] [NEXT-HOP] [DISTANCE] [description …] [tag N]`.
fn static_route(words: &[&str]) -> Option<StaticRoute> {
    let [prefix, rest @ ..] = words else { return None };
    let prefix = outline::prefix(prefix)?;
    let (mut next_hop, mut null, mut distance, mut tag) = (None, false, 1, 0);
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        if let Ok(address) = word.parse::<IpAddr>() {
            next_hop = Some(address);
        } else if let Ok(d) = word.parse::<u8>() {
            distance = d;
        } else if word.eq_ignore_ascii_case("null0") {
            null = true;
        } else if *word == "tag" {
            tag = rest.next()?.parse().ok()?;
        } else if matches!(*word, "track" | "metric") {
            rest.next();
        } else if *word == "description" {
            break;
        } else if *word == "vrf" {
            return None;
        }
    }
    (null || next_hop.is_some()).then_some(StaticRoute { prefix, next_hop, distance, tag })
}

fn ospf(node: &Node<'_>, config: &mut RouterConfig, notes: &mut Notes) {
    let six = node.words.get(1) == Some(&"ospfv3");
    let context = node.text();
    let number = |n: &Node<'_>, key: &str| {
        n.children.iter().find(|c| c.words.first() == Some(&key)).and_then(|c| c.words.get(1)?.parse::<u32>().ok())
    };
    let says_passive = |n: &Node<'_>| n.children.iter().any(|c| matches!(c.words[..], ["passive"] | ["passive", "enable"]));
    let (cost, passive) = (number(node, "cost"), says_passive(node));
    for child in &node.children {
        match child.words[..] {
            ["router-id", id] if !six => config.igp.ospf_router_id = id.parse().ok(),
            ["area", area] => {
                let (cost, passive) = (number(child, "cost").or(cost), passive || says_passive(child));
                for port in &child.children {
                    let ["interface", name] = port.words[..] else { continue };
                    let usual = if name.starts_with("Loopback") { 1 } else { OSPF_COST };
                    let igp = IgpInterface {
                        area: area.to_owned(),
                        cost: Some(number(port, "cost").or(cost).unwrap_or(usual)),
                        passive: says_passive(port) || (passive && !port.children.iter().any(|c| c.words == ["passive", "disable"])),
                    };
                    match config.interfaces.get_mut(name) {
                        Some(known) if six => known.igp_v6 = Some(igp),
                        Some(known) => known.igp_v4 = Some(igp),
                        None => {
                            notes.problem(port.line, &port.text(), &context, "there is no such interface: nothing takes part in OSPF here")
                        }
                    }
                }
            }
            ["redistribute", ref rest @ ..] => match bgp::redistribution(rest) {
                Some(one) if !six => config.igp.ospf_redistribute.push(one),
                _ => notes.unmodelled(child.line, &child.text(), &context, "ignored: OSPF does not announce these routes"),
            },
            ["auto-cost", ..] => {
                let effect = "costs follow from speeds, which the configuration does not say; 1 is taken where no cost stands";
                notes.problem(child.line, &child.text(), &context, effect);
            }
            _ => {}
        }
    }
}

fn isis(node: &Node<'_>, config: &mut RouterConfig, notes: &mut Notes) {
    let context = node.text();
    for child in &node.children {
        match child.words[..] {
            ["interface", name] => {
                let metric = child.children.iter().flat_map(|c| c.children.iter().chain(core::iter::once(c)));
                let metric = metric.filter(|c| c.words.first() == Some(&"metric")).filter_map(|c| c.words.get(1)?.parse().ok()).next_back();
                let passive = child.children.iter().any(|c| c.words == ["passive"]);
                match config.interfaces.get_mut(name) {
                    Some(known) => {
                        known.isis = Some(IgpInterface {
                            area: node.words.get(2).map(|w| (*w).to_owned()).unwrap_or_default(),
                            cost: metric,
                            passive,
                        })
                    }
                    None => {
                        notes.problem(child.line, &child.text(), &context, "there is no such interface: nothing takes part in IS-IS here")
                    }
                }
            }
            ["address-family", ..] => {
                for line in child.children.iter().filter(|l| l.words.first() == Some(&"redistribute")) {
                    match bgp::redistribution(&line.words[1..]) {
                        Some(one) => config.igp.isis_redistribute.push(one),
                        None => notes.unmodelled(line.line, &line.text(), &context, "ignored: IS-IS does not announce these routes"),
                    }
                }
            }
            _ => {}
        }
    }
}
