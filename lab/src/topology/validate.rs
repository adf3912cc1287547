//! What a topology must be before anything is built from it.

use super::parse::Key;
use super::{
    Daemon, Exit, Group, Link, MAX_DELAY_US, MAX_LINKS, MAX_NODES, MAX_PREFIXES, MAX_RATE_BPS, Node, ProviderNode, Role, Topology,
};
use bgp::{Family, Prefix};
use network::DeviceRole;
use std::collections::BTreeSet;

/// An interface name has at most 15 characters (IFNAMSIZ − 1); the management bridge adds `m-`.
const MAX_ID: usize = 13;
/// Target groups; each costs every exit two probes.
const MAX_GROUPS: usize = 64;

type Refusal<'k> = (Key<'k>, String);

pub(super) fn check(t: &Topology) -> Result<(), Refusal<'static>> {
    counts(t)?;
    each(&t.nodes, |i, n| node(t, i, n))?;
    each(&t.providers, |i, p| provider(t, i, p))?;
    each(&t.links, |i, l| link(t, i, l))?;
    each(&t.exits, |i, e| exit(t, i, e))?;
    each(&t.groups, |i, g| group(t, i, g))?;
    roles(t)?;
    sessions(t)?;
    timers(t)?;
    own_space(t)
}

fn each<T>(all: &[T], mut f: impl FnMut(usize, &T) -> Result<(), Refusal<'static>>) -> Result<(), Refusal<'static>> {
    all.iter().enumerate().try_for_each(|(i, x)| f(i, x))
}

fn at(list: &'static str, index: usize, key: &'static str, message: impl Into<String>) -> Refusal<'static> {
    (Key(list, Some(index), key), message.into())
}

fn top(key: &'static str, message: impl Into<String>) -> Refusal<'static> {
    (Key(key, None, ""), message.into())
}

fn counts(t: &Topology) -> Result<(), Refusal<'static>> {
    let limits = [("node", t.nodes.len(), MAX_NODES), ("link", t.links.len(), MAX_LINKS), ("group", t.groups.len(), MAX_GROUPS)];
    for (key, count, max) in limits {
        if count == 0 || count > max {
            return Err(top(key, format!("{count} of them; there must be 1 to {max}")));
        }
    }
    let prefixes = t.expected_prefixes().len();
    if prefixes > MAX_PREFIXES {
        return Err(top("group", format!("{prefixes} prefixes in all; at most {MAX_PREFIXES}")));
    }
    Ok(())
}

fn node(t: &Topology, i: usize, n: &Node) -> Result<(), Refusal<'static>> {
    let plain = n.id.starts_with(|c: char| c.is_ascii_lowercase()) && n.id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if !plain || n.id.len() > MAX_ID || ["mgmt", "lo"].contains(&n.id.as_str()) {
        return Err(at(
            "node",
            i,
            "id",
            format!("{:?} names interfaces and namespaces: a lower-case letter, then letters and digits, at most {MAX_ID}", n.id),
        ));
    }
    if t.nodes.iter().take(i).any(|o| o.id == n.id) {
        return Err(at("node", i, "id", format!("{:?} is there twice", n.id)));
    }
    if t.nodes.iter().take(i).any(|o| o.loopback4 == n.loopback4 || o.loopback6 == n.loopback6) {
        return Err(at("node", i, "loopback4", "another node has this loopback address"));
    }
    if n.hostname.is_empty() || n.hostname.len() > 63 || !n.hostname.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Err(at("node", i, "hostname", format!("{:?} is not a host name: letters, digits and hyphens, at most 63", n.hostname)));
    }
    if n.asn.0 == 0 {
        return Err(at("node", i, "asn", "0 is no AS number (RFC 7607)"));
    }
    match n.role.ours() {
        Some(_) if n.asn != t.own_asn => Err(at("node", i, "asn", format!("{} is ours by its role, so its AS is {}", n.id, t.own_asn))),
        None if n.asn == t.own_asn => {
            Err(at("node", i, "asn", format!("{} is not ours by its role, so its AS is not {}", n.id, t.own_asn)))
        }
        Some(_) if n.daemon != Daemon::Frr => {
            Err(at("node", i, "daemon", "our own routers run frr (the node face speaks to nothing else)"))
        }
        _ if n.role == Role::Remote && n.daemon != Daemon::Frr => Err(at("node", i, "daemon", "the remote network runs frr")),
        _ => Ok(()),
    }
}

fn provider(t: &Topology, i: usize, p: &ProviderNode) -> Result<(), Refusal<'static>> {
    if t.providers.iter().take(i).any(|o| o.id == p.id || o.node == p.node) {
        return Err(at("provider", i, "id", format!("{} or its node is there twice", p.id)));
    }
    if t.node(&p.node).is_none_or(|n| n.role != Role::Isp) {
        return Err(at("provider", i, "node", format!("{:?} is no node with role \"isp\"", p.node)));
    }
    if p.asns.is_empty() {
        return Err(at("provider", i, "asns", "at least one AS"));
    }
    if !(p.cost_per_gb.is_finite() && p.cost_per_gb >= 0.0) {
        return Err(at("provider", i, "cost_per_gb", "a cost is a number from 0 up"));
    }
    if !(p.delay_ms_max.is_finite() && p.delay_ms_max > 0.0) {
        return Err(at("provider", i, "delay_ms_max", "a limit in milliseconds above 0"));
    }
    if !(0.0..=1.0).contains(&p.loss_max) {
        return Err(at("provider", i, "loss_max", "loss is a fraction from 0 to 1"));
    }
    if p.community.parse::<bgp::Community>().is_err() {
        return Err(at("provider", i, "community", format!("{:?} is not a community like 65001:100", p.community)));
    }
    Ok(())
}

fn link(t: &Topology, i: usize, l: &Link) -> Result<(), Refusal<'static>> {
    for (key, end) in [("a", &l.a), ("b", &l.b)] {
        if t.node(end).is_none() {
            return Err(at("link", i, key, format!("no node has the id {end:?}")));
        }
    }
    if l.a == l.b {
        return Err(at("link", i, "b", "a link has two different ends"));
    }
    if t.links.iter().take(i).any(|o| (o.a == l.a && o.b == l.b) || (o.a == l.b && o.b == l.a)) {
        return Err(at("link", i, "a", format!("{} and {} are linked twice; an interface is named after the other end", l.a, l.b)));
    }
    if l.v4.family() != Family::Ipv4Unicast || l.v4.length() != 31 {
        return Err(at("link", i, "v4", format!("{} is not an IPv4 /31", l.v4)));
    }
    if l.v6.family() != Family::Ipv6Unicast || l.v6.length() != 127 {
        return Err(at("link", i, "v6", format!("{} is not an IPv6 /127", l.v6)));
    }
    if t.links.iter().take(i).any(|o| o.v4 == l.v4 || o.v6 == l.v6) {
        return Err(at("link", i, "v4", "another link has these addresses"));
    }
    if l.delay_us > MAX_DELAY_US {
        return Err(at("link", i, "delay_us", format!("{} µs; at most {MAX_DELAY_US}", l.delay_us)));
    }
    if l.rate_bps > MAX_RATE_BPS || (1..64_000).contains(&l.rate_bps) {
        return Err(at("link", i, "rate_bps", format!("{} bit/s; 0 for unlimited, or 64000 to {MAX_RATE_BPS}", l.rate_bps)));
    }
    inside(t, i, l)
}

/// Inside our AS a link has an IGP cost, between ASes it has none.
fn inside(t: &Topology, i: usize, l: &Link) -> Result<(), Refusal<'static>> {
    let ours = |id: &str| t.node(id).is_some_and(|n| n.role.ours().is_some());
    match (ours(&l.a) && ours(&l.b), l.igp_cost) {
        (true, None) => Err(at("link", i, "igp_cost", format!("{} is inside our AS, so it needs a cost", l.id()))),
        (true, Some(0)) => Err(at("link", i, "igp_cost", "a cost is 1 to 65535 (RFC 2328 §C.3)")),
        (false, Some(_)) => Err(at("link", i, "igp_cost", format!("{} joins two ASes, so it has no cost", l.id()))),
        _ => Ok(()),
    }
}

fn exit(t: &Topology, i: usize, e: &Exit) -> Result<(), Refusal<'static>> {
    if t.exits.iter().take(i).any(|o| o.id == e.id) {
        return Err(at("exit", i, "id", format!("{} is there twice", e.id)));
    }
    if t.node(&e.device).is_none_or(|n| n.role != Role::Edge) {
        return Err(at("exit", i, "device", format!("{:?} is no node with role \"edge\"", e.device)));
    }
    let Some(p) = t.provider(&e.provider) else {
        return Err(at("exit", i, "provider", format!("no provider has the id {:?}", e.provider.as_str())));
    };
    if !p.asns.contains(&e.remote_as) {
        return Err(at("exit", i, "remote_as", format!("AS{} is none of {}'s; add it to asns there", e.remote_as, p.id)));
    }
    if e.med.is_some() && t.node(&p.node).is_some_and(|n| n.daemon != Daemon::Frr) {
        return Err(at("exit", i, "med", format!("{} does not run FRR; no other configuration tells a MED", p.node)));
    }
    match t.link_of(e) {
        None => Err(at("exit", i, "device", format!("there is no link between {} and {}", e.device, p.node))),
        Some(l) if l.id() != e.id.as_str() => Err(at("exit", i, "id", format!("an exit is named after its link, {}", l.id()))),
        Some(l) if !l.impaired() || l.rate_bps == 0 => Err(at("exit", i, "id", "the link of an exit needs delay_us and rate_bps")),
        Some(_) => Ok(()),
    }
}

fn group(t: &Topology, i: usize, g: &Group) -> Result<(), Refusal<'static>> {
    if t.groups.iter().take(i).any(|o| o.id == g.id || o.class == g.class) {
        return Err(at("group", i, "id", format!("{} or its class is there twice", g.id)));
    }
    if t.provider(&g.preferred).is_none() {
        return Err(at("group", i, "preferred", format!("no provider has the id {:?}", g.preferred.as_str())));
    }
    if g.prefixes.is_empty() {
        return Err(at("group", i, "prefixes", "at least one prefix"));
    }
    let mut seen: BTreeSet<Prefix> = t.groups.iter().take(i).flat_map(|o| o.prefixes.iter()).collect();
    if let Some(twice) = g.prefixes.iter().find(|p| !seen.insert(*p)) {
        return Err(at("group", i, "prefixes", format!("{twice} is there twice")));
    }
    if let Some(long) = g.prefixes.iter().find(|p| p.length() > longest(p.family())) {
        return Err(at("group", i, "prefixes", format!("{long} is longer than the edges accept (/24, /48)")));
    }
    targets(i, g)
}

fn targets(i: usize, g: &Group) -> Result<(), Refusal<'static>> {
    let mut families = BTreeSet::new();
    for target in &g.targets {
        if !families.insert(Family::of(*target)) {
            return Err(at("group", i, "targets", "at most one address per family"));
        }
        if !g.prefixes.iter().any(|p| p.contains(*target)) {
            return Err(at("group", i, "targets", format!("{target} lies in none of the group's prefixes")));
        }
    }
    match g.targets.is_empty() {
        true => Err(at("group", i, "targets", "at least one address")),
        false => Ok(()),
    }
}

pub(crate) const fn longest(family: Family) -> u8 {
    match family {
        Family::Ipv4Unicast => 24,
        Family::Ipv6Unicast => 48,
    }
}

fn roles(t: &Topology) -> Result<(), Refusal<'static>> {
    if t.ours(DeviceRole::Reflector).count() != 1 {
        return Err(top("node", "exactly one node has the role \"reflector\""));
    }
    if t.nodes.iter().filter(|n| n.role == Role::Remote).count() != 1 {
        return Err(top("node", "exactly one node has the role \"remote\""));
    }
    if t.ours(DeviceRole::Spine).next().is_none() || t.exits.is_empty() {
        return Err(top("node", "at least one spine and one exit"));
    }
    let without = t.ours(DeviceRole::Spine).find(|n| ![true, false].iter().all(|v4| n.subnets.iter().any(|s| s.address.is_ipv4() == *v4)));
    match without.and_then(|n| t.nodes.iter().position(|m| m.id == n.id)) {
        Some(i) => Err(at("node", i, "subnets", "a spine needs an IPv4 and an IPv6 subnet: probes and traffic start there")),
        None => Ok(()),
    }
}

/// Every link between an edge and a provider is an exit, and every provider reaches the remote network.
fn sessions(t: &Topology) -> Result<(), Refusal<'static>> {
    let role = |id: &str| t.node(id).map(|n| n.role);
    for (i, l) in t.links.iter().enumerate() {
        match (role(&l.a), role(&l.b)) {
            (Some(Role::Edge), Some(Role::Isp)) if t.exit_between(&l.a, &l.b).is_none() => {
                return Err(at("link", i, "a", format!("{} joins an edge and a provider but no [[exit]] names it", l.id())));
            }
            (Some(Role::Isp), Some(Role::Edge)) => return Err(at("link", i, "a", "on the link of an exit, a is our router")),
            _ => {}
        }
    }
    let remote = t.remote().map(|n| n.id.as_str()).unwrap_or_default();
    for (i, p) in t.providers.iter().enumerate() {
        if !t.ports(&p.node).iter().any(|port| port.peer == remote) {
            return Err(at("provider", i, "node", format!("{} has no link to {remote}", p.node)));
        }
    }
    Ok(())
}

fn timers(t: &Topology) -> Result<(), Refusal<'static>> {
    for (key, keepalive, hold) in
        [("ebgp_hold", t.timers.ebgp_keepalive, t.timers.ebgp_hold), ("ibgp_hold", t.timers.ibgp_keepalive, t.timers.ibgp_hold)]
    {
        if hold < 3 || keepalive == 0 || keepalive >= hold {
            return Err((
                Key("timers", None, key),
                format!("hold {hold} s, keepalive {keepalive} s: hold is ≥ 3 and above keepalive (RFC 4271 §4.2)"),
            ));
        }
    }
    Ok(())
}

/// The remote network must not announce what we do, nor anything outside the space called public.
fn own_space(t: &Topology) -> Result<(), Refusal<'static>> {
    for (i, g) in t.groups.iter().enumerate() {
        if let Some(p) = g.prefixes.iter().find(|p| t.own_prefixes.iter().any(|o| o.covers(p))) {
            return Err(at("group", i, "prefixes", format!("{p} is our own space")));
        }
        if let Some(p) = g.prefixes.iter().find(|p| !t.public_space.iter().any(|s| s.covers(p))) {
            return Err(at("group", i, "prefixes", format!("{p} lies outside public_space, so it would be a bogon")));
        }
    }
    for (i, n) in t.nodes.iter().enumerate() {
        let strays = |s: &&super::Interface| !t.own_prefixes.iter().any(|o| o.contains(s.address));
        if let Some(s) = n.subnets.iter().find(strays) {
            return Err(at("node", i, "subnets", format!("{s} lies outside own_prefixes, so nobody could answer it")));
        }
    }
    Ok(())
}
