//! FRRouting 8.4: our own routers, a provider, and the network behind the providers.

use super::{FAMILIES, Lines, Session, by_family, ebgp};
use crate::topology::{Group, Node, ProviderNode, Role, Topology};
use bgp::Family;
use network::DeviceRole;
use std::path::Path;

/// Where the relay takes BMP sessions of the routers.
pub(crate) const BMP_TARGET: (&str, u16) = ("10.99.0.254", 17442);
/// Origin ASes behind the remote network (documentation range, RFC 5398): a prefix has the same one by every provider.
const ORIGINS: [u32; 6] = [64501, 64502, 64503, 64504, 64505, 64506];
/// What stands between the remote network and the origin; which one, differs per provider, so that no provider is the shortest way to all.
const DETOURS: [&[u32]; 5] = [&[], &[64507], &[64508, 64507], &[64507, 64507], &[64509, 64510, 64511]];

/// Space that never belongs on an eBGP session (RFC 6890), per family; a default route is one of them.
const BOGONS4: [&str; 8] = [
    "0.0.0.0/8 le 32",
    "10.0.0.0/8 le 32",
    "100.64.0.0/10 le 32",
    "127.0.0.0/8 le 32",
    "169.254.0.0/16 le 32",
    "172.16.0.0/12 le 32",
    "192.168.0.0/16 le 32",
    "224.0.0.0/3 le 32",
];
const BOGONS6: [&str; 4] = ["::/8 le 128", "fc00::/7 le 128", "fe80::/10 le 128", "ff00::/8 le 128"];

/// Returns the integrated configuration of a node that runs FRR.
pub(crate) fn frr(t: &Topology, node: &Node, log: &Path) -> String {
    let mut out = Lines::default();
    out.top("frr defaults traditional");
    out.top(format!("hostname {}", node.hostname));
    out.top("service integrated-vtysh-config");
    out.top(format!("log file {} informational", log.display()));
    out.top("!");
    interfaces(t, node, &mut out);
    match node.role {
        Role::Edge | Role::Reflector | Role::Spine => {
            igp(node, &mut out);
            if node.role == Role::Edge {
                edge_policy(t, node, &mut out);
            }
            own_bgp(t, node, &mut out);
        }
        Role::Isp => isp_bgp(t, node, &mut out),
        Role::Remote => remote_bgp(t, node, &mut out),
    }
    out.0
}

fn interfaces(t: &Topology, node: &Node, out: &mut Lines) {
    for port in t.ports(&node.id) {
        out.top(format!("interface {}", port.peer));
        if let Some(peer) = t.node(port.peer) {
            out.at(1, format!("description {}", peer.hostname));
        }
        out.at(1, format!("ip address {}/31", port.v4));
        out.at(1, format!("ipv6 address {}/127", port.v6));
        if let Some(cost) = port.igp_cost {
            for (ip, area) in [("ip ospf", "0"), ("ipv6 ospf6", "0.0.0.0")] {
                out.at(1, format!("{ip} area {area}"));
                out.at(1, format!("{ip} network point-to-point"));
                out.at(1, format!("{ip} hello-interval 1"));
                out.at(1, format!("{ip} dead-interval 4"));
                out.at(1, format!("{ip} cost {cost}"));
            }
        }
        out.top("exit");
        out.top("!");
    }
    out.top("interface lo");
    out.at(1, format!("ip address {}/32", node.loopback4));
    out.at(1, format!("ipv6 address {}/128", node.loopback6));
    if node.role.ours().is_some() {
        out.at(1, "ip ospf area 0");
        out.at(1, "ipv6 ospf6 area 0.0.0.0");
    }
    out.top("exit");
    out.top("!");
    if !node.subnets.is_empty() {
        out.top("interface dc");
        out.at(1, "description servers");
        for subnet in &node.subnets {
            let ip = if subnet.address.is_ipv4() { "ip" } else { "ipv6" };
            out.at(1, format!("{ip} address {subnet}"));
        }
        out.top("exit");
        out.top("!");
    }
}

fn igp(node: &Node, out: &mut Lines) {
    for (process, id) in [("router ospf", "ospf router-id"), ("router ospf6", "ospf6 router-id")] {
        out.top(process);
        out.at(1, format!("{id} {}", node.loopback4));
        out.at(1, "timers throttle spf 10 50 1000");
        out.top("exit");
        out.top("!");
    }
}

/// Static routes, lists and route-maps of an edge.
fn edge_policy(t: &Topology, node: &Node, out: &mut Lines) {
    for p in t.own_prefixes.iter() {
        out.top(format!("{} route {p} blackhole", ip(p.family())));
    }
    out.top("!");
    for group in &t.groups {
        out.top(format!("bgp community-list standard {} seq 5 permit {}", class_list(group), class(t, group)));
    }
    for family in FAMILIES {
        lists(t, family, out);
    }
    out.top("!");
    for exit in t.exits_of(&node.id) {
        if let Some(provider) = t.provider(&exit.provider) {
            for family in FAMILIES {
                import(t, provider, family, out);
                export(provider, family, out);
            }
        }
    }
}

fn lists(t: &Topology, family: Family, out: &mut Lines) {
    let (ip, max, bogons) = match family {
        Family::Ipv4Unicast => ("ip", 32, BOGONS4.as_slice()),
        Family::Ipv6Unicast => ("ipv6", 128, BOGONS6.as_slice()),
    };
    let own: Vec<_> = t.own_prefixes.iter().filter(|p| p.family() == family).collect();
    let name = by_family("OWN", family);
    for (i, p) in own.iter().enumerate() {
        out.top(format!("{ip} prefix-list {name} seq {} permit {p}", 5 * (i + 1)));
    }
    let ours = own.iter().map(|p| format!("{p} le {max}"));
    let name = by_family("BOGON", family);
    for (i, rule) in ours.chain(bogons.iter().map(|b| (*b).to_owned())).enumerate() {
        out.top(format!("{ip} prefix-list {name} seq {} permit {rule}", 5 * (i + 1)));
    }
    let (all, from) = if family == Family::Ipv4Unicast { ("0.0.0.0/0", 25) } else { ("::/0", 49) };
    out.top(format!("{ip} prefix-list {} seq 5 permit {all} ge {from}", by_family("TOOLONG", family)));
}

fn import(t: &Topology, provider: &ProviderNode, family: Family, out: &mut Lines) {
    let name = by_family(&format!("{}-IN", provider.node.to_uppercase()), family);
    for (seq, list) in [(10, "BOGON"), (20, "TOOLONG")] {
        out.top(format!("route-map {name} deny {seq}"));
        out.at(1, format!("match {} address prefix-list {}", ip(family), by_family(list, family)));
        out.top("exit");
    }
    let preferred = t.groups.iter().filter(|g| g.preferred == provider.id);
    for (i, group) in preferred.enumerate() {
        out.top(format!("route-map {name} permit {}", 100 + i));
        out.at(1, format!("match community {}", class_list(group)));
        out.at(1, format!("set local-preference {}", t.policy.local_pref_preferred));
        out.at(1, format!("set community {} additive", provider.community));
        out.top("exit");
    }
    out.top(format!("route-map {name} permit 200"));
    out.at(1, format!("set local-preference {}", provider.local_pref));
    out.at(1, format!("set community {} additive", provider.community));
    out.top("exit");
    out.top("!");
}

fn export(provider: &ProviderNode, family: Family, out: &mut Lines) {
    let name = by_family(&format!("{}-OUT", provider.node.to_uppercase()), family);
    out.top(format!("route-map {name} permit 10"));
    out.at(1, format!("match {} address prefix-list {}", ip(family), by_family("OWN", family)));
    out.top("exit");
    out.top("!");
}

fn own_bgp(t: &Topology, node: &Node, out: &mut Lines) {
    bgp_head(node, out);
    let sessions: Vec<(Family, Session<'_>)> =
        FAMILIES.into_iter().flat_map(|f| ebgp(t, node, f).into_iter().map(move |s| (f, s))).collect();
    for (_, s) in &sessions {
        neighbor_ebgp(t, s, out);
    }
    let inside: Vec<&Node> = ibgp_peers(t, node);
    for family in FAMILIES {
        for peer in &inside {
            let address = loopback(peer, family);
            out.at(1, format!("neighbor {address} remote-as {}", peer.asn));
            out.at(1, format!("neighbor {address} description {}", peer.hostname));
            out.at(1, format!("neighbor {address} update-source lo"));
            out.at(1, format!("neighbor {address} timers {} {}", t.timers.ibgp_keepalive, t.timers.ibgp_hold));
            out.at(1, format!("neighbor {address} timers connect 1"));
        }
    }
    for family in FAMILIES {
        out.at(1, address_family(family));
        own_networks(t, node, family, out);
        for (_, s) in sessions.iter().filter(|(f, _)| *f == family) {
            let name = s.peer_node.id.to_uppercase();
            out.at(2, format!("neighbor {} activate", s.peer));
            out.at(2, format!("neighbor {} soft-reconfiguration inbound", s.peer));
            out.at(2, format!("neighbor {} maximum-prefix {}", s.peer, t.policy.maximum_prefix));
            out.at(2, format!("neighbor {} route-map {} in", s.peer, by_family(&format!("{name}-IN"), family)));
            out.at(2, format!("neighbor {} route-map {} out", s.peer, by_family(&format!("{name}-OUT"), family)));
        }
        for peer in &inside {
            inside_family(node, &loopback(peer, family), out);
        }
        out.at(1, "exit-address-family");
    }
    if node.role != Role::Spine {
        bmp(out);
    }
    out.top("exit");
    out.top("!");
}

fn own_networks(t: &Topology, node: &Node, family: Family, out: &mut Lines) {
    let own = t.own_prefixes.iter().filter(|_| node.role == Role::Edge);
    let subnets = node.subnets.iter().filter_map(crate::topology::Interface::subnet);
    for p in own.chain(subnets).filter(|p| p.family() == family) {
        out.at(2, format!("network {p}"));
    }
}

fn inside_family(node: &Node, address: &str, out: &mut Lines) {
    out.at(2, format!("neighbor {address} activate"));
    match node.role {
        Role::Edge => {
            out.at(2, format!("neighbor {address} next-hop-self"));
            // Pre-policy BMP needs the routes as received.
            out.at(2, format!("neighbor {address} soft-reconfiguration inbound"));
        }
        Role::Reflector => {
            out.at(2, format!("neighbor {address} route-reflector-client"));
            out.at(2, format!("neighbor {address} soft-reconfiguration inbound"));
        }
        Role::Spine | Role::Isp | Role::Remote => {}
    }
}

fn bmp(out: &mut Lines) {
    out.at(1, "!");
    out.at(1, "bmp targets pilothouse");
    out.at(2, "bmp stats interval 5000");
    for family in ["ipv4", "ipv6"] {
        for side in ["pre", "post"] {
            out.at(2, format!("bmp monitor {family} unicast {side}-policy"));
        }
    }
    out.at(2, format!("bmp connect {} port {} min-retry 500 max-retry 2000", BMP_TARGET.0, BMP_TARGET.1));
    out.at(1, "exit");
}

fn ibgp_peers<'t>(t: &'t Topology, node: &Node) -> Vec<&'t Node> {
    match node.role {
        Role::Reflector => t.own_nodes().filter(|n| n.id != node.id).collect(),
        _ => t.ours(DeviceRole::Reflector).collect(),
    }
}

fn bgp_head(node: &Node, out: &mut Lines) {
    out.top(format!("router bgp {}", node.asn));
    out.at(1, format!("bgp router-id {}", node.loopback4));
    out.at(1, "bgp log-neighbor-changes");
    out.at(1, "no bgp default ipv4-unicast");
}

fn neighbor_ebgp(t: &Topology, s: &Session<'_>, out: &mut Lines) {
    out.at(1, format!("neighbor {} remote-as {}", s.peer, s.peer_as));
    out.at(1, format!("neighbor {} description {}", s.peer, s.peer_node.hostname));
    out.at(1, format!("neighbor {} timers {} {}", s.peer, t.timers.ebgp_keepalive, t.timers.ebgp_hold));
    out.at(1, format!("neighbor {} timers connect 1", s.peer));
    out.at(1, format!("neighbor {} advertisement-interval 0", s.peer));
}

fn isp_bgp(t: &Topology, node: &Node, out: &mut Lines) {
    for family in FAMILIES {
        let space = node.link_space.iter().filter(|p| p.family() == family);
        for (i, p) in space.enumerate() {
            out.top(format!("{} prefix-list {} seq {} permit {p}", ip(family), by_family("LINKS", family), 5 * (i + 1)));
        }
        let told = ebgp(t, node, family).into_iter().filter_map(|s| Some((s.peer_node, med(t, node, s.peer_node)?)));
        for (name, med) in core::iter::once(("CUSTOMER".to_owned(), None)).chain(told.map(|(n, m)| (customer(n, Some(m)), Some(m)))) {
            out.top(format!("route-map {} deny 10", by_family(&name, family)));
            out.at(1, format!("match {} address prefix-list {}", ip(family), by_family("LINKS", family)));
            out.top("exit");
            out.top(format!("route-map {} permit 20", by_family(&name, family)));
            if let Some(med) = med {
                out.at(1, format!("set metric {med}"));
            }
            out.top("exit");
        }
    }
    outside_bgp(t, node, out, |family, out| {
        for p in node.originates.iter().chain(node.link_space.iter()).filter(|p| p.family() == family) {
            out.at(2, format!("network {p}"));
        }
        for s in ebgp(t, node, family).iter().filter(|s| s.peer_node.role == Role::Edge) {
            let map = customer(s.peer_node, med(t, node, s.peer_node));
            out.at(2, format!("neighbor {} route-map {} out", s.peer, by_family(&map, family)));
        }
    });
}

/// The MED that a provider tells one of our routers.
fn med(t: &Topology, node: &Node, ours: &Node) -> Option<u32> {
    t.exit_between(&ours.id, &node.id)?.med
}

/// The policy of a provider toward us: one of its own where it tells a MED.
fn customer(ours: &Node, med: Option<u32>) -> String {
    med.map_or_else(|| "CUSTOMER".to_owned(), |_| format!("CUSTOMER-{}", ours.id.to_uppercase()))
}

/// BGP of a router that is not ours: open policies, networks without a check, both families on every link.
fn outside_bgp(t: &Topology, node: &Node, out: &mut Lines, mut family_lines: impl FnMut(Family, &mut Lines)) {
    bgp_head(node, out);
    out.at(1, "no bgp ebgp-requires-policy");
    out.at(1, "no bgp network import-check");
    // Without it the oldest of equal paths wins, which differs from boot to boot.
    out.at(1, "bgp bestpath compare-routerid");
    for family in FAMILIES {
        for s in ebgp(t, node, family) {
            neighbor_ebgp(t, &s, out);
        }
    }
    for family in FAMILIES {
        out.at(1, address_family(family));
        for s in ebgp(t, node, family) {
            out.at(2, format!("neighbor {} activate", s.peer));
        }
        family_lines(family, out);
        out.at(1, "exit-address-family");
    }
    out.top("exit");
    out.top("!");
}

/// The network behind the providers. The customer steers it by communities: `<its AS>:80` and `:120` set LOCAL_PREF there.
fn remote_bgp(t: &Topology, node: &Node, out: &mut Lines) {
    for value in [80, 120] {
        out.top(format!("bgp community-list standard PREF-{value} seq 5 permit {}:{value}", node.asn));
        out.top(format!("route-map FROM-PROVIDER permit {value}"));
        out.at(1, format!("match community PREF-{value}"));
        out.at(1, format!("set local-preference {value}"));
        out.top("exit");
    }
    out.top("route-map FROM-PROVIDER permit 200");
    out.top("exit");
    for (g, group) in t.groups.iter().enumerate() {
        for (o, origin) in ORIGINS.iter().enumerate() {
            out.top(format!("route-map NET-{g}-{o} permit 10"));
            out.at(1, format!("set as-path prepend {origin}"));
            out.at(1, format!("set community {}", class(t, group)));
            out.top("exit");
        }
    }
    for family in FAMILIES {
        detours(t, node, family, out);
    }
    outside_bgp(t, node, out, |family, out| {
        for (i, (g, p)) in announced(t).enumerate().filter(|(_, (_, p))| p.family() == family) {
            out.at(2, format!("network {p} route-map NET-{g}-{}", i % ORIGINS.len()));
        }
        for s in ebgp(t, node, family) {
            out.at(2, format!("neighbor {} route-map FROM-PROVIDER in", s.peer));
            out.at(2, format!("neighbor {} route-map {} out", s.peer, by_family(&format!("TO-{}", s.peer_node.id.to_uppercase()), family)));
        }
    });
}

fn announced(t: &Topology) -> impl Iterator<Item = (usize, bgp::Prefix)> + '_ {
    t.groups.iter().enumerate().flat_map(|(g, group)| group.prefixes.iter().map(move |p| (g, p)))
}

/// One route-map per provider: which prefixes get which detour. Nothing but our own list passes, so the remote network gives no transit.
fn detours(t: &Topology, node: &Node, family: Family, out: &mut Lines) {
    for (which, s) in ebgp(t, node, family).iter().enumerate() {
        let name = s.peer_node.id.to_uppercase();
        for (i, (_, p)) in announced(t).enumerate().filter(|(_, (_, p))| p.family() == family) {
            let list = by_family(&format!("{name}-D{}", detour(i, which)), family);
            out.top(format!("{} prefix-list {list} seq {} permit {p}", ip(family), 5 * (i + 1)));
        }
        for (d, path) in DETOURS.iter().enumerate() {
            out.top(format!("route-map {} permit {}", by_family(&format!("TO-{name}"), family), 10 * (d + 1)));
            out.at(1, format!("match {} address prefix-list {}", ip(family), by_family(&format!("{name}-D{d}"), family)));
            if !path.is_empty() {
                let path: Vec<String> = path.iter().map(ToString::to_string).collect();
                out.at(1, format!("set as-path prepend {}", path.join(" ")));
            }
            out.top("exit");
        }
    }
}

const fn detour(prefix: usize, provider: usize) -> usize {
    (prefix * 7 + provider * 2) % DETOURS.len()
}

/// The class community of a group, as the remote network sets it.
fn class(t: &Topology, group: &Group) -> String {
    format!("{}:{}", t.remote().map_or(0, |n| n.asn.0), group.class)
}

fn class_list(group: &Group) -> String {
    format!("CLASS-{}", group.id.as_str().to_uppercase())
}

fn loopback(node: &Node, family: Family) -> String {
    match family {
        Family::Ipv4Unicast => node.loopback4.to_string(),
        Family::Ipv6Unicast => node.loopback6.to_string(),
    }
}

const fn ip(family: Family) -> &'static str {
    match family {
        Family::Ipv4Unicast => "ip",
        Family::Ipv6Unicast => "ipv6",
    }
}

const fn address_family(family: Family) -> &'static str {
    match family {
        Family::Ipv4Unicast => "address-family ipv4 unicast",
        Family::Ipv6Unicast => "address-family ipv6 unicast",
    }
}
