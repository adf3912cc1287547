//! Arista EOS, as `show running-config` writes it (EOS user manual 4.3x: "Border Gateway Protocol", "Route Maps", "OSPFv2", "IS-IS").
//!
//! No device of this kind was at hand: what is taken from the manual is what the manual says. Route-maps map term by term to the model's.

mod bgp;
pub(crate) mod policy;

use crate::notes::{Notes, Object};
use crate::outline::{self, Node, link_local};
use crate::{IgpInterface, InterfaceConfig, RouterConfig, StaticRoute, Vendor};
use ::bgp::{Family, Prefix};
use core::net::IpAddr;

/// Cost of an OSPF interface without one: the reference bandwidth is 100 Mbit/s, and no interface of a switch is slower.
const OSPF_COST: u32 = 1;

/// Reads a running configuration. Never fails: what is not understood is listed with its line and effect.
#[must_use]
pub fn parse(text: &str) -> RouterConfig {
    let (roots, deep) = outline::read(text);
    let mut reader = Reader { config: RouterConfig { vendor: Vendor::Eos, ..RouterConfig::default() }, notes: Notes::default() };
    for line in deep {
        reader.notes.problem(line, "", "", "nested deeper than 32 blocks; taken as standing in the 32nd");
    }
    let mut bgp = None;
    let mut reference = None;
    for node in &roots {
        reader.top(node, &mut bgp, &mut reference);
    }
    if let Some(bgp) = bgp {
        bgp.finish(&mut reader.config, &mut reader.notes);
    }
    reader.default_costs(reference);
    policy::finish(&mut reader.config);
    let Reader { mut config, notes } = reader;
    if let Some(id) = outline::default_router_id(&config)
        && let Some(bgp) = config.bgp.as_mut()
    {
        bgp.router_id.get_or_insert(id);
    }
    notes.finish(&mut config, |object| match object {
        Object::Policy => "a session lets every route through unchanged, a redistribution too (EOS: `bgp missing-policy` permits)",
        Object::Group => "the neighbour has no settings from it",
        _ => "what the term does with a route is not known, and said where a route reaches it",
    });
    config
}

struct Reader {
    config: RouterConfig,
    notes: Notes,
}

impl Reader {
    fn top(&mut self, node: &Node<'_>, bgp: &mut Option<bgp::Draft>, reference: &mut Option<u32>) {
        let (config, notes) = (&mut self.config, &mut self.notes);
        match node.words[..] {
            ["hostname", name] => config.hostname = name.to_owned(),
            ["interface", name] => self.interface(name, node),
            ["router", "bgp", asn] => match outline::asn(asn) {
                Some(asn) => match bgp {
                    Some(known) if known.asn() != asn => {
                        let effect = format!("a second BGP instance; AS {} is kept, this block is not read", known.asn());
                        notes.problem(node.line, &node.text(), "", &effect);
                    }
                    _ => bgp.get_or_insert_with(|| bgp::Draft::new(asn)).block(node, notes),
                },
                None => notes.unmodelled(node.line, &node.text(), "", "ignored: no BGP on this router"),
            },
            ["router", "ospf", ..] => self.ospf(node, reference),
            ["router", "isis", ..] => self.isis(node),
            ["route-map", name, result @ ("permit" | "deny"), sequence] => policy::route_map(config, notes, node, (name, result, sequence)),
            ["route-map", name] => policy::route_map(config, notes, node, (name, "permit", "10")),
            ["ip" | "ipv6", "prefix-list", ..] => policy::prefix_list(config, notes, node),
            ["ip", "community-list", ref rest @ ..] => policy::community_list(config, notes, node, rest),
            ["ip", "large-community-list", ref rest @ ..] => policy::large_community_list(config, notes, node, rest),
            ["ip", "as-path", "access-list", ref rest @ ..] => policy::as_path_list(config, notes, node, rest),
            ["ip" | "ipv6", "route", ref rest @ ..] => self.static_route(node, rest),
            ["vrf", "instance", ..] => {
                notes.unmodelled(node.line, &node.text(), "", "ignored: routes of other VRFs are not computed");
            }
            ["router", ..] | ["ip", "extcommunity-list" | "access-list" | "as-path", ..] | ["peer-filter" | "dynamic" | "mpls", ..] => {
                notes.unmodelled(node.line, &node.text(), "", "ignored: no route comes from it, and no term looks at it");
            }
            // everything else (management, switching, queues, logging) chooses no route
            _ => {}
        }
    }

    fn interface(&mut self, name: &str, node: &Node<'_>) {
        let context = format!("interface {name}");
        self.config.interfaces.entry(name.to_owned()).or_default();
        for child in &node.children {
            let interface = self.config.interfaces.entry(name.to_owned()).or_default();
            let taken = interface_line(interface, child);
            match taken {
                Line::Taken => {}
                Line::Address(address) => {
                    let link_local = link_local(address);
                    self.notes.address(address, name, child.line, link_local);
                }
                Line::Unmodelled(effect) => self.notes.unmodelled(child.line, &child.text(), &context, effect),
            }
        }
    }

    fn ospf(&mut self, node: &Node<'_>, reference: &mut Option<u32>) {
        let context = node.text();
        let mut passive_default = false;
        let mut active = Vec::new();
        let mut passive = Vec::new();
        for child in &node.children {
            match child.words[..] {
                ["router-id", id] => self.config.igp.ospf_router_id = id.parse().ok(),
                ["network", prefix, "area", area] => match prefix.parse::<Prefix>() {
                    Ok(prefix) => self.config.igp.ospf_networks.push((prefix, area.to_owned())),
                    Err(_) => self.notes.unmodelled(child.line, &child.text(), &context, "ignored: its interfaces stay outside OSPF"),
                },
                ["passive-interface", "default"] => passive_default = true,
                ["passive-interface", name] => passive.push(name),
                ["no", "passive-interface", name] => active.push(name),
                ["auto-cost", "reference-bandwidth", n] => *reference = n.parse().ok(),
                ["redistribute", ref rest @ ..] => match bgp::redistribution(rest) {
                    Some(one) => self.config.igp.ospf_redistribute.push(one),
                    None => self.notes.unmodelled(child.line, &child.text(), &context, "ignored: OSPF does not announce these routes"),
                },
                ["max-lsa" | "log-adjacency-changes" | "timers" | "bfd" | "maximum-paths" | "graceful-restart" | "fips", ..] => {}
                _ => self.notes.unmodelled(child.line, &child.text(), &context, "ignored: costs inside OSPF are as without it"),
            }
        }
        for (name, interface) in &mut self.config.interfaces {
            if let Some(igp) = interface.igp_v4.as_mut() {
                igp.passive |= passive.contains(&name.as_str()) || (passive_default && !active.contains(&name.as_str()));
            }
        }
    }

    fn isis(&mut self, node: &Node<'_>) {
        let context = node.text();
        for child in &node.children {
            match child.words[..] {
                ["net" | "is-hostname" | "is-type" | "log-adjacency-changes" | "address-family" | "timers" | "spf-interval", ..] => {}
                ["redistribute", ref rest @ ..] if bgp::redistribution(rest).is_some() => {
                    self.config.igp.isis_redistribute.extend(bgp::redistribution(rest));
                }
                _ => self.notes.unmodelled(child.line, &child.text(), &context, "ignored: costs inside IS-IS are as without it"),
            }
        }
    }

    /// `PREFIX|ADDRESS MASK NEXT-HOP|INTERFACE [DISTANCE] [tag N] [name X] [metric N]`.
    fn static_route(&mut self, node: &Node<'_>, words: &[&str]) {
        let mut ignored = |effect: &str| self.notes.unmodelled(node.line, &node.text(), "", effect);
        let (prefix, rest) = match words {
            ["vrf", ..] => return ignored("ignored: routes of other VRFs are not computed"),
            [prefix, rest @ ..] if prefix.contains('/') => (prefix.parse::<Prefix>().ok(), rest),
            [address, mask, rest @ ..] => {
                (address.parse().ok().zip(outline::mask(mask)).and_then(|(a, n): (IpAddr, u8)| Prefix::new(a, n)), rest)
            }
            _ => (None, words),
        };
        let (Some(prefix), [via, rest @ ..]) = (prefix, rest) else { return ignored("ignored: this static route is not there") };
        let next_hop = match (via.parse::<IpAddr>(), rest) {
            _ if via.eq_ignore_ascii_case("null0") => None,
            (Ok(address), _) => Some(address),
            // an interface before the address
            (Err(_), [address, ..]) if address.parse::<IpAddr>().is_ok() => address.parse().ok(),
            _ => return ignored("ignored: a static route out of an interface without a next hop is not computed"),
        };
        let (mut distance, mut tag) = (1, 0);
        let mut rest = rest.iter();
        while let Some(word) = rest.next() {
            match *word {
                "tag" => tag = rest.next().and_then(|t| t.parse().ok()).unwrap_or(0),
                "name" | "metric" | "track" => drop(rest.next()),
                word => distance = word.parse().unwrap_or(distance),
            }
        }
        self.config.static_routes.push(StaticRoute { prefix, next_hop, distance, tag });
    }

    /// Interfaces of OSPF without a cost get the manual's.
    fn default_costs(&mut self, reference: Option<u32>) {
        let unknown = reference.is_some_and(|r| r > 100);
        for (name, interface) in &mut self.config.interfaces {
            for igp in [&mut interface.igp_v4, &mut interface.igp_v6].into_iter().flatten().filter(|i| i.cost.is_none()) {
                igp.cost = Some(OSPF_COST);
                if unknown && !name.starts_with("Loopback") {
                    let effect = "its OSPF cost follows from its speed, which the configuration does not say; 1 is taken";
                    self.notes.problem(0, "auto-cost reference-bandwidth", &format!("interface {name}"), effect);
                }
            }
        }
    }
}

enum Line {
    Taken,
    Address(IpAddr),
    Unmodelled(&'static str),
}

fn igp(slot: &mut Option<IgpInterface>) -> &mut IgpInterface {
    slot.get_or_insert_with(IgpInterface::default)
}

fn interface_line(interface: &mut InterfaceConfig, node: &Node<'_>) -> Line {
    let number = |text: &str| text.parse::<u32>().ok();
    match node.words[..] {
        ["ip" | "ipv6", "address", address] | ["ip" | "ipv6", "address", address, "secondary"] => {
            let parsed = address.split_once('/').and_then(|(a, n)| Some((a.parse::<IpAddr>().ok()?, n.parse::<u8>().ok()?)));
            match parsed.filter(|(a, n)| Prefix::new(*a, *n).is_some()) {
                Some((address, length)) => {
                    interface.addresses.push((address, length));
                    Line::Address(address)
                }
                None => Line::Unmodelled("ignored: the interface does not have this address"),
            }
        }
        ["ip" | "ipv6", "address", ..] => Line::Unmodelled("ignored: the interface does not have this address"),
        ["shutdown"] => {
            interface.shutdown = true;
            Line::Taken
        }
        ["ip", "ospf", "area", area] => {
            area.clone_into(&mut igp(&mut interface.igp_v4).area);
            Line::Taken
        }
        ["ip", "ospf", "cost", cost] if number(cost).is_some() => {
            igp(&mut interface.igp_v4).cost = number(cost);
            Line::Taken
        }
        ["ospfv3", "ipv6", "area", area] | ["ipv6", "ospf", _, "area", area] => {
            area.clone_into(&mut igp(&mut interface.igp_v6).area);
            Line::Taken
        }
        ["ospfv3", "cost", cost] | ["ospfv3", "ipv6", "cost", cost] | ["ipv6", "ospf", "cost", cost] if number(cost).is_some() => {
            igp(&mut interface.igp_v6).cost = number(cost);
            Line::Taken
        }
        ["isis", "enable", instance] => {
            instance.clone_into(&mut igp(&mut interface.isis).area);
            Line::Taken
        }
        ["isis", "metric", cost] | ["isis", "ipv4", "metric", cost] if number(cost).is_some() => {
            igp(&mut interface.isis).cost = number(cost);
            Line::Taken
        }
        ["isis", "passive" | "passive-interface"] => {
            igp(&mut interface.isis).passive = true;
            Line::Taken
        }
        ["vrf", _] | ["ip", "ospf" | "router", ..] | ["ospfv3", ..]
            if !matches!(
                node.words[..],
                [_, "ospf", "network" | "hello-interval" | "dead-interval" | "authentication" | "message-digest-key", ..]
            ) =>
        {
            Line::Unmodelled("ignored: the interface is taken as without it")
        }
        _ => Line::Taken,
    }
}

/// A family's name as EOS writes it behind `address-family`.
fn family(words: &[&str]) -> Option<Family> {
    match words {
        ["ipv4"] | ["ipv4", "unicast"] => Some(Family::Ipv4Unicast),
        ["ipv6"] | ["ipv6", "unicast"] => Some(Family::Ipv6Unicast),
        _ => None,
    }
}
