//! Namespaces, interfaces, addresses and kernel routes.

use super::command::{in_parallel, ip_batch, run};
use super::{LabError, LabInstance};
use crate::impair::{End, Impairment, LinkConfig};
use crate::namespace::inside;
use crate::netns::config::BMP_TARGET;
use crate::topology::{Daemon, Link, Node, Role, Topology};
use bgp::Family;
use std::net::IpAddr;

/// First routing table of pinned probes; one per exit, in the order of the topology.
const FIRST_TABLE: usize = 100;
/// Settings of every namespace, made before any interface is: forwarding on, no reverse-path filter (probes leave by any exit), and
/// IPv6 addresses that are usable at once.
const SETTINGS: [(&str, &str); 10] = [
    ("ipv4/ip_forward", "1"),
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv4/fib_multipath_hash_policy", "1"),
    ("ipv6/conf/all/forwarding", "1"),
    ("ipv6/conf/default/forwarding", "1"),
    ("ipv6/conf/all/accept_dad", "0"),
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/conf/default/dad_transmits", "0"),
    ("ipv6/conf/default/accept_ra", "0"),
];
/// How long a neighbour's link address is believed, milliseconds: four hours, the usual ARP lifetime of a router. Linux asks again after
/// 15 to 45 s; a link dead in one direction would then lose the other one too, by the lab's own doing.
const NEIGHBOUR_MS: u32 = 14_400_000;
/// These must take, or the lab cannot work.
const NEEDED: [&str; 2] = ["ipv4/ip_forward", "ipv6/conf/all/forwarding"];

/// Returns the names of all namespaces of a lab.
pub(super) fn namespaces(prefix: &str, t: &Topology) -> Vec<String> {
    let nodes = t.nodes.iter().map(|n| format!("{prefix}{}", n.id));
    std::iter::once(format!("{prefix}mgmt")).chain(nodes).collect()
}

/// Returns a router's address on the management network.
pub(super) fn management_address(index: usize) -> String {
    format!("10.99.0.{}", index + 1)
}

/// Makes the namespaces with their settings.
pub(super) fn make_namespaces(lab: &LabInstance) -> Result<(), LabError> {
    in_parallel(&lab.namespaces, |namespace| {
        run("ip", ["netns", "add", namespace])?;
        inside(namespace, set).map_err(|e| LabError::Credential { what: "the settings of a namespace", source: Box::new(e) })??;
        ip_batch(namespace, &["link set lo up".to_owned()])
    })
    .map(|_| ())
}

fn set() -> Result<(), LabError> {
    for (name, value) in SETTINGS {
        let path = std::path::Path::new("/proc/sys/net").join(name);
        match std::fs::write(&path, value) {
            Err(source) if NEEDED.contains(&name) && !std::fs::read_to_string(&path).is_ok_and(|v| v.trim() == value) => {
                return Err(LabError::File { doing: "set", path, source });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Makes the management bridge and a leg to each of our routers.
pub(super) fn management(lab: &LabInstance) -> Result<(), LabError> {
    let mut lines =
        vec!["link add br0 type bridge".to_owned(), format!("addr add {}/24 dev br0", BMP_TARGET.0), "link set br0 up".to_owned()];
    for node in lab.topology.own_nodes() {
        lines.push(format!("link add m-{} type veth peer name mgmt netns {}", node.id, lab.namespace(&node.id)));
        lines.push(format!("link set m-{} master br0", node.id));
        lines.push(format!("link set m-{} up", node.id));
    }
    ip_batch(&lab.namespace("mgmt"), &lines)
}

/// Returns the links that run through the impairment process.
pub(super) fn impaired(lab: &LabInstance) -> Vec<LinkConfig> {
    let end = |node: &str, peer: &str| End { namespace: lab.namespace(node), interface: peer.to_owned() };
    let links = lab.topology.links.iter().filter(|l| l.impaired());
    links.map(|l| LinkConfig { name: l.id(), a: end(&l.a, &l.b), b: end(&l.b, &l.a), impairment: baseline(l) }).collect()
}

/// Returns what a link does when nothing is wrong.
pub(crate) fn baseline(link: &Link) -> Impairment {
    Impairment { delay_us: link.delay_us, rate_bps: link.rate_bps, ..Impairment::default() }
}

/// Makes the links that nobody will ever impair.
pub(super) fn plain_links(lab: &LabInstance) -> Result<(), LabError> {
    for l in lab.topology.links.iter().filter(|l| !l.impaired()) {
        let line = format!("link add {} type veth peer name {} netns {}", l.b, l.a, lab.namespace(&l.b));
        ip_batch(&lab.namespace(&l.a), &[line])?;
    }
    Ok(())
}

/// Brings interfaces up and gives every node what its daemons do not: addresses where no FRR does it, local answers, fixed routes.
pub(super) fn interfaces(lab: &LabInstance) -> Result<(), LabError> {
    let nodes: Vec<(usize, &Node)> = lab.topology.nodes.iter().enumerate().collect();
    in_parallel(&nodes, |(_, node)| ip_batch(&lab.namespace(&node.id), &node_lines(lab, node))).map(|_| ())
}

fn node_lines(lab: &LabInstance, node: &Node) -> Vec<String> {
    let t = &lab.topology;
    let mut lines = Vec::new();
    if let Some(index) = t.own_nodes().position(|n| n.id == node.id) {
        lines.push(format!("addr add {}/24 dev mgmt", management_address(index)));
        lines.push("link set mgmt up".to_owned());
    }
    if !node.subnets.is_empty() {
        // A subnet of servers: a pair of interfaces of which one stands for the switch behind it.
        lines.push("link add dc type veth peer name dchosts".to_owned());
        lines.extend(["dc", "dchosts"].map(|i| format!("link set {i} up")));
    }
    for port in t.ports(&node.id) {
        lines.extend(
            ["arp_cache", "ndisc_cache"].map(|c| format!("ntable change name {c} dev {} base_reachable {NEIGHBOUR_MS}", port.peer)),
        );
        lines.push(format!("link set {} up", port.peer));
        if node.daemon != Daemon::Frr {
            lines.push(format!("addr add {}/31 dev {}", port.v4, port.peer));
            lines.push(format!("addr add {}/127 dev {} nodad", port.v6, port.peer));
        }
    }
    if node.daemon != Daemon::Frr {
        lines.push(format!("addr add {}/32 dev lo", node.loopback4));
        lines.push(format!("addr add {}/128 dev lo nodad", node.loopback6));
    }
    lines.extend(local_answers(t, node));
    lines.extend(fixed_routes(t, node));
    lines.extend(pinned_tables(t, node));
    lines
}

/// A provider and the remote network answer for every address of the prefixes they originate. The targets are addresses of their own as
/// well: a socket cannot be bound to an IPv6 address that is only routed here.
fn local_answers(t: &Topology, node: &Node) -> Vec<String> {
    let remote = t.remote_prefixes().filter(|_| node.role == Role::Remote).map(|(_, p)| p);
    let routes = node.originates.iter().chain(remote).map(|p| format!("route add local {p} dev lo"));
    let targets = t.groups.iter().filter(|_| node.role == Role::Remote).flat_map(|g| &g.targets);
    let own = targets.map(|a| if a.is_ipv4() { format!("addr add {a}/32 dev lo") } else { format!("addr add {a}/128 dev lo nodad") });
    routes.chain(own).collect()
}

/// GoBGP installs no routes: what is ours goes to us, all else to the remote network.
fn fixed_routes(t: &Topology, node: &Node) -> Vec<String> {
    if node.daemon != Daemon::Gobgp {
        return Vec::new();
    }
    let remote = t.remote().map(|n| n.id.as_str());
    let mut lines = Vec::new();
    for port in t.ports(&node.id) {
        if Some(port.peer) == remote {
            lines.push(format!("route add default via {}", port.peer_v4));
            lines.push(format!("route add default via {}", port.peer_v6));
        } else {
            // `replace`: with several customers the last one wins.
            lines.extend(t.own_prefixes.iter().map(|p| format!("route replace {p} via {}", port.addresses(p.family()).1)));
        }
    }
    lines
}

/// A packet from the address of an exit's link leaves by that exit, whatever BGP says: that is how a probe is pinned.
fn pinned_tables(t: &Topology, node: &Node) -> Vec<String> {
    let exits = t.exits.iter().enumerate().filter(|(_, e)| e.device == node.id);
    let ports = exits.filter_map(|(i, e)| Some((FIRST_TABLE + i, t.port_of(e)?)));
    ports
        .flat_map(|(table, port)| [Family::Ipv4Unicast, Family::Ipv6Unicast].map(|f| (table, port.addresses(f).0)))
        .map(|(table, local)| {
            let family = if local.is_ipv6() { "-6 " } else { "" };
            format!("{family}rule add from {local} lookup {table} priority {table}")
        })
        .collect()
}

/// The routes of the tables above. They need the link's addresses, so they come after the daemons have set them.
pub(super) fn pinned_routes(lab: &LabInstance) -> Result<(), LabError> {
    let t = &lab.topology;
    for (i, exit) in t.exits.iter().enumerate() {
        let Some(port) = t.port_of(exit) else { continue };
        let route = |peer: IpAddr| format!("route replace default via {peer} dev {} table {}", port.peer, FIRST_TABLE + i);
        ip_batch(&lab.namespace(&exit.device), &[route(port.peer_v4), route(port.peer_v6)])?;
    }
    Ok(())
}
