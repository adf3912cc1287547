//! K16: null routes, black-hole communities and FlowSpec rules hit what they are meant to, and never control traffic.

use crate::verdict::Found;
use crate::{Check, CheckId, Evidence, FlowRule, Row};
use bgp::{Community, Prefix};
use config::RouteAction;
use core::net::IpAddr;

/// TCP port of BGP (RFC 4271 §3).
const BGP: u16 = 179;
/// UDP ports of BFD (RFC 5881 §4, RFC 5883 §5, RFC 7881).
const BFD: [u16; 3] = [3784, 3785, 4784];
/// Ports of management: SSH, SNMP, NETCONF over SSH, gNMI.
const MANAGEMENT: [u16; 4] = [22, 161, 830, 9339];
const TCP: u8 = 6;
const UDP: u8 = 17;
/// Length of an IPv4 header, the shortest packet there is.
const PACKET_MIN: u32 = 20;
/// Longest packet (RFC 791 §3.1).
const PACKET_MAX: u32 = 65_535;

/// BLACKHOLE (RFC 7999).
pub(crate) const BLACKHOLE: Community = Community(0xFFFF_029A);

/// Looks at everything that drops packets: new static null routes, the BLACKHOLE community on export, FlowSpec rules.
#[must_use]
pub fn filters(e: &Evidence<'_>) -> Check {
    let mut found = Found::default();
    for (old, new) in e.before.network.routers.iter().zip(&e.after.network.routers) {
        if old.config == new.config {
            continue;
        }
        for fresh in new.config.static_routes.iter().filter(|s| s.next_hop.is_none() && !old.config.static_routes.contains(s)) {
            dropped(e, &new.name, &fresh.prefix, "null route", &mut found);
        }
        let tags = |c: &config::RouterConfig| {
            let terms = c.policy.definitions.values().flat_map(|d| &d.statements);
            let sets = terms.flat_map(|s| s.actions.iter().map(move |a| (s, a)));
            let black = sets
                .filter(|(_, a)| matches!(a, RouteAction::AddCommunities(l) | RouteAction::SetCommunities(l) if l.contains(&BLACKHOLE)));
            black.count()
        };
        if tags(&new.config) > tags(&old.config) {
            for change in e.difference.announced.iter().filter(|c| c.session.router == new.name) {
                let key = |p: &Prefix| (usize::from(!p.address().is_ipv4()), change.session.clone());
                let black = |p: &&Prefix| {
                    let told = e.told_after.told(e.after, &key(p), p);
                    told.is_some_and(|t| t.route.attributes.communities.contains(&BLACKHOLE))
                };
                for prefix in change.added.iter().chain(&change.modified).filter(black) {
                    dropped(e, &new.name, prefix, "BLACKHOLE community", &mut found);
                }
            }
        }
    }
    for rule in &e.intent.flow_rules {
        flow(e, rule, &mut found);
    }
    found.check(CheckId::K16, "nothing is dropped beyond its scope", "")
}

/// A destination whose packets are dropped.
fn dropped(e: &Evidence<'_>, router: &str, prefix: &Prefix, by: &str, found: &mut Found) {
    let limits = &e.context.facts.limits;
    let shortest = if prefix.address().is_ipv4() { limits.null_length_v4 } else { limits.null_length_v6 };
    // an own block is routed to null to hold its announcement up; there is nothing more specific that it would hide
    let anchor = e.context.facts.own_prefixes.contains(prefix);
    if let Some((name, address)) = control(e, prefix).filter(|_| !anchor) {
        found.block(Row::at(router, *prefix, format!("{by} hits control traffic: {address} is an address of {name}")));
    } else if prefix.length() < shortest && !anchor {
        let inside = e.before.of(prefix.family()).solution.prefixes().filter(|p| prefix.covers(p)).count();
        found.block(Row::at(router, *prefix, format!("{by} is wider than /{shortest}: {inside} known prefixes inside")));
    } else {
        found.warn(Row::at(router, *prefix, format!("{by}: what goes there is dropped")));
    }
}

/// Finds an address of a router of ours, or of a neighbour, that is inside.
fn control(e: &Evidence<'_>, prefix: &Prefix) -> Option<(String, IpAddr)> {
    let routers = e.after.own.iter().map(|r| &e.after.network.routers[*r]);
    for router in routers {
        let own = router.config.interfaces.values().flat_map(|i| &i.addresses).map(|(a, _)| *a);
        let peers = router.config.bgp.iter().flat_map(|b| b.neighbors.keys().copied());
        if let Some(address) = own.chain(peers).find(|a| prefix.contains(*a)) {
            return Some((router.name.clone(), address));
        }
    }
    None
}

fn flow(e: &Evidence<'_>, rule: &FlowRule, found: &mut Found) {
    let everything = |p: &Prefix| p.length() == 0;
    let hits = |protocol: u8, ports: &[u16]| {
        rule.protocol.is_none_or(|p| p == protocol) && rule.port.is_none_or(|(from, to)| ports.iter().any(|p| (from..=to).contains(p)))
    };
    let Some(destination) = rule.destination.filter(|p| !everything(p)) else {
        let what =
            if hits(TCP, &[BGP]) { "; it would block BGP itself (TCP 179), sessions would go down and learn the rule again" } else { "" };
        found.block(Row::all(format!("FlowSpec rule with a wildcard destination{what}")));
        return;
    };
    if let Some((name, address)) = control(e, &destination) {
        let kinds = [(TCP, &[BGP][..], "BGP"), (UDP, &BFD[..], "BFD"), (TCP, &MANAGEMENT[..], "management")];
        for (_, _, word) in kinds.into_iter().filter(|(protocol, ports, _)| hits(*protocol, ports)) {
            found.block(Row::at(&name, destination, format!("FlowSpec rule matches {word} of {address}")));
        }
    }
    let limits = &e.context.facts.limits;
    let shortest = if destination.address().is_ipv4() { limits.null_length_v4 } else { limits.null_length_v6 };
    if destination.length() < shortest {
        found.block(Row::at("", destination, format!("FlowSpec rule is wider than /{shortest}")));
    }
}

/// Says whether words are an action of RFC 8955 §7 with what it takes.
fn is_known(then: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().is_ok_and(|n| n.is_finite() && n >= 0.0);
    match then.split_whitespace().collect::<Vec<_>>()[..] {
        ["discard" | "drop" | "accept" | "sample" | "terminal"] => true,
        ["rate-limit" | "traffic-rate" | "rate-packets", rate] => number(rate),
        // a route target: an AS or an address, and a number
        ["redirect", target] => target.split_once(':').is_some_and(|(from, n)| !from.is_empty() && n.parse::<u32>().is_ok()),
        ["mark", dscp] => dscp.parse::<u8>().is_ok_and(|d| d < 64),
        _ => false,
    }
}

/// Says what is not legal in a rule; `None`: it is one. Refused when the change is read.
#[must_use]
pub fn illegal(rule: &FlowRule) -> Option<String> {
    if rule.then.trim().is_empty() {
        return Some("a FlowSpec rule says what becomes of packets (then)".to_owned());
    }
    if !is_known(&rule.then) {
        let known = "discard (drop), accept, sample, terminal, rate-limit N (traffic-rate, bytes/s), rate-packets N (packets/s), redirect TARGET, mark DSCP";
        return Some(format!("there is no FlowSpec action {:?} (RFC 8955 §7); there are {known}", rule.then));
    }
    if let Some((from, to)) = rule.packet_length.filter(|(from, to)| from > to || *to < PACKET_MIN || *to > PACKET_MAX) {
        return Some(format!("packet length {from} to {to} never occurs: packets have {PACKET_MIN} to {PACKET_MAX} bytes"));
    }
    rule.port.filter(|(from, to)| from > to).map(|(from, to)| format!("ports {from} to {to} are no range"))
}
