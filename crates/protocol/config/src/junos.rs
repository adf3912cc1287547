//! Junos, in braces or as `display set` writes it (Junos OS "Routing Policies, Firewall Filters, and Traffic Policers", "BGP User Guide").
//!
//! No device of this kind was at hand: what is taken from the guides is what the guides say. Policies are chained and end in a default
//! that depends on the direction, so each chain in use becomes one definition of the model, named after its parts and direction.

mod bgp;
pub(crate) mod policy;
mod tree;

use crate::notes::{Notes, Object};
use crate::outline::{self, link_local};
use crate::{IgpInterface, RouterConfig, StaticRoute, Vendor};
use ::bgp::Prefix;
use core::net::IpAddr;
use tree::{Id, ROOT, Tree};

/// Preference of a static route (Junos "Route Preferences Overview").
const STATIC_PREFERENCE: u8 = 5;
/// Metric of an OSPF interface without one: the reference bandwidth is 100 Mbit/s, and no interface in use is slower.
const OSPF_METRIC: u32 = 1;

/// Reads a configuration. Never fails: what is not understood is listed with its line and effect.
#[must_use]
pub fn parse(text: &str) -> RouterConfig {
    let mut notes = Notes::default();
    let tree = Tree::read(text, &mut notes);
    let mut config = RouterConfig { vendor: Vendor::Junos, ..RouterConfig::default() };
    if let Some((name, _)) = tree.path(ROOT, &["system"]).and_then(|s| tree.value(s, "host-name")) {
        name.clone_into(&mut config.hostname);
    }
    interfaces(&tree, &mut config, &mut notes);
    statics(&tree, &mut config, &mut notes);
    for (at, name) in tree.path(ROOT, &["protocols"]).into_iter().flat_map(|p| tree.children(p)) {
        match name {
            "ospf" | "ospf3" => ospf(&tree, at, &mut config, &mut notes),
            "isis" => isis(&tree, at, &mut config, &mut notes),
            "rip" | "ripng" | "rsvp" | "ldp" | "mpls" | "evpn" | "segment-routing" | "source-packet-routing" => {
                notes.unmodelled(tree.line(at), name, "protocols", "ignored: no route comes from it, and no next hop is reached by it");
            }
            _ => {}
        }
    }
    if let Some(instances) = tree.child(ROOT, "routing-instances") {
        for (at, name) in tree.children(instances) {
            notes.unmodelled(tree.line(at), name, "routing-instances", "ignored: routes of other instances are not computed");
        }
    }
    let mut policies = policy::Policies::read(&tree, &mut config, &mut notes);
    bgp::read(&tree, &mut config, &mut policies, &mut notes);
    if let Some(id) = outline::default_router_id(&config)
        && let Some(bgp) = config.bgp.as_mut()
    {
        bgp.router_id.get_or_insert(id);
    }
    notes.finish(&mut config, |object| match object {
        Object::Policy => "Junos would not commit this; what happens to a route there is not known, and said where one arrives",
        _ => "Junos would not commit this; what the term does with a route is not known, and said where a route reaches it",
    });
    config
}

fn interfaces(tree: &Tree, config: &mut RouterConfig, notes: &mut Notes) {
    let Some(all) = tree.child(ROOT, "interfaces") else { return };
    for (port, name) in tree.children(all) {
        let port_down = tree.child(port, "disable").is_some();
        for (unit, number) in tree.child(port, "unit").into_iter().flat_map(|u| tree.children(u)) {
            let full = format!("{name}.{number}");
            let mut addresses = Vec::new();
            for family in ["inet", "inet6"] {
                let Some(list) = tree.path(unit, &["family", family, "address"]) else { continue };
                for (at, address) in tree.children(list) {
                    let line = tree.line(at);
                    let read = address.split_once('/').and_then(|(a, n)| Some((a.parse::<IpAddr>().ok()?, n.parse::<u8>().ok()?)));
                    match read.filter(|(a, n)| Prefix::new(*a, *n).is_some()) {
                        Some((address, length)) => {
                            notes.address(address, &full, line, link_local(address));
                            addresses.push((address, length));
                        }
                        None => notes.unmodelled(
                            line,
                            address,
                            &format!("interfaces {full}"),
                            "ignored: the interface does not have this address",
                        ),
                    }
                }
            }
            let interface = config.interfaces.entry(full).or_default();
            interface.addresses = addresses;
            interface.shutdown = port_down || tree.child(unit, "disable").is_some();
        }
    }
}

fn statics(tree: &Tree, config: &mut RouterConfig, notes: &mut Notes) {
    let Some(options) = tree.child(ROOT, "routing-options") else { return };
    let ribs = tree.child(options, "rib").into_iter().flat_map(|r| tree.children(r)).filter(|(_, n)| matches!(*n, "inet.0" | "inet6.0"));
    let holders: Vec<Id> = core::iter::once(options).chain(ribs.map(|(i, _)| i)).collect();
    for holder in holders {
        for (at, text) in tree.path(holder, &["static", "route"]).into_iter().flat_map(|s| tree.children(s)) {
            static_route(tree, at, text, config, notes);
        }
        for kind in ["aggregate", "generate"] {
            for (at, prefix) in tree.path(holder, &[kind, "route"]).into_iter().flat_map(|s| tree.children(s)) {
                let effect = "ignored: this route is not there, and no policy can announce it";
                notes.unmodelled(tree.line(at), &format!("{kind} route {prefix}"), "routing-options", effect);
            }
        }
    }
}

fn static_route(tree: &Tree, at: Id, text: &str, config: &mut RouterConfig, notes: &mut Notes) {
    let Some(prefix) = outline::prefix(text) else {
        notes.unmodelled(tree.line(at), &format!("route {text}"), "routing-options static", "ignored: this static route is not there");
        return;
    };
    let distance = tree.value(at, "preference").and_then(|(p, _)| p.parse::<u32>().ok()).map(|p| u8::try_from(p).unwrap_or(u8::MAX));
    let distance = distance.unwrap_or(STATIC_PREFERENCE);
    let tag = tree.value(at, "tag").and_then(|(t, _)| t.parse().ok()).unwrap_or(0);
    let mut found = false;
    for (child, word) in tree.children(at) {
        match word {
            "discard" | "reject" | "receive" => {
                config.static_routes.push(StaticRoute { prefix, next_hop: None, distance, tag });
                found = true;
            }
            "next-hop" | "qualified-next-hop" => {
                for (hop, address) in tree.children(child) {
                    match address.parse() {
                        Ok(address) => {
                            let own = tree.value(hop, "preference").and_then(|(p, _)| p.parse().ok());
                            config.static_routes.push(StaticRoute {
                                prefix,
                                next_hop: Some(address),
                                distance: own.unwrap_or(distance),
                                tag,
                            });
                            found = true;
                        }
                        Err(_) => {
                            let effect = "ignored: a static route out of an interface without a next hop is not computed";
                            notes.unmodelled(tree.line(hop), &tree.written(child), &format!("static route {prefix}"), effect);
                        }
                    }
                }
            }
            _ => {}
        }
    }
    if !found {
        notes.unmodelled(tree.line(at), &tree.written(at), "routing-options static", "ignored: this static route is not there");
    }
}

fn ospf(tree: &Tree, at: Id, config: &mut RouterConfig, notes: &mut Notes) {
    let six = tree.text(at) == "ospf3";
    for (child, word) in tree.children(at) {
        match word {
            "area" => {
                for (area, name) in tree.children(child) {
                    for (port, interface) in tree.child(area, "interface").into_iter().flat_map(|i| tree.children(i)) {
                        let metric = tree.value(port, "metric").and_then(|(m, _)| m.parse().ok());
                        let passive = tree.child(port, "passive").is_some();
                        if tree.child(port, "disable").is_some() {
                            continue;
                        }
                        // a loopback's own metric is 0
                        let usual = if interface.starts_with("lo") { 0 } else { OSPF_METRIC };
                        let igp = IgpInterface { area: name.to_owned(), cost: Some(metric.unwrap_or(usual)), passive };
                        let targets: Vec<String> = if interface == "all" {
                            config.interfaces.keys().cloned().collect()
                        } else if interface.contains('.') {
                            vec![interface.to_owned()]
                        } else {
                            vec![format!("{interface}.0")]
                        };
                        for target in targets {
                            let Some(interface) = config.interfaces.get_mut(&target) else {
                                let effect = "there is no such interface: nothing takes part in OSPF here";
                                notes.problem(tree.line(port), &target, "protocols ospf", effect);
                                continue;
                            };
                            *(if six { &mut interface.igp_v6 } else { &mut interface.igp_v4 }) = Some(igp.clone());
                        }
                    }
                }
            }
            "reference-bandwidth" => {
                let effect = "metrics follow from speeds, which the configuration does not say; 1 is taken where no metric stands";
                notes.problem(tree.line(child), &tree.written(child), "protocols ospf", effect);
            }
            "export" | "import" => {
                notes.unmodelled(tree.line(child), &tree.written(child), "protocols ospf", "ignored: OSPF announces its interfaces only");
            }
            _ => {}
        }
    }
}

fn isis(tree: &Tree, at: Id, config: &mut RouterConfig, notes: &mut Notes) {
    for (child, word) in tree.children(at) {
        match word {
            "interface" => {
                for (port, interface) in tree.children(child) {
                    let levels = tree.child(port, "level").into_iter().flat_map(|l| tree.children(l));
                    let metric = levels.filter_map(|(l, _)| tree.value(l, "metric")).filter_map(|(m, _)| m.parse().ok()).last();
                    let passive = tree.child(port, "passive").is_some();
                    let usual = if interface.starts_with("lo") { Some(0) } else { None };
                    if let Some(known) = config.interfaces.get_mut(interface) {
                        known.isis = Some(IgpInterface { area: "isis".to_owned(), cost: metric.or(usual), passive });
                    }
                }
            }
            "export" => {
                notes.unmodelled(tree.line(child), &tree.written(child), "protocols isis", "ignored: IS-IS announces its interfaces only")
            }
            "reference-bandwidth" => {
                let effect = "metrics follow from speeds, which the configuration does not say; 10 is taken where no metric stands";
                notes.problem(tree.line(child), &tree.written(child), "protocols isis", effect);
            }
            _ => {}
        }
    }
}
