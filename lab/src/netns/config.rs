//! The configuration files of the routing daemons, as functions of the topology.

mod bird;
mod frr;
mod gobgp;
#[cfg(test)]
mod tests;

pub(super) use bird::{bird, protocol as bird_protocol};
pub(super) use frr::{BMP_TARGET, frr};
pub(super) use gobgp::{feed, gobgp};

use crate::topology::{Node, Port, Role, Topology};
use bgp::{Asn, Family};
use std::net::IpAddr;

/// Both families, in the order everything is written.
pub(super) const FAMILIES: [Family; 2] = [Family::Ipv4Unicast, Family::Ipv6Unicast];

/// One BGP session of a node in one family.
#[derive(Clone, Debug)]
pub(crate) struct Session<'t> {
    pub(crate) local: IpAddr,
    pub(crate) peer: IpAddr,
    pub(crate) peer_as: Asn,
    /// AS we use toward the peer.
    pub(crate) local_as: Asn,
    pub(crate) peer_node: &'t Node,
}

/// Returns the eBGP sessions of a node in one family: one per link that leaves its AS.
pub(crate) fn ebgp<'t>(t: &'t Topology, node: &'t Node, family: Family) -> Vec<Session<'t>> {
    let session = |port: Port<'t>| {
        let peer_node = t.node(port.peer)?;
        let (local, peer) = port.addresses(family);
        Some(Session { local, peer, peer_as: as_toward(t, peer_node, node), local_as: as_toward(t, node, peer_node), peer_node })
    };
    t.ports(&node.id).into_iter().filter(|p| p.igp_cost.is_none()).filter_map(session).collect()
}

/// A provider may use another AS toward one of our routers than its own.
fn as_toward(t: &Topology, node: &Node, peer: &Node) -> Asn {
    match (node.role, t.exit_between(&node.id, &peer.id)) {
        (Role::Isp, Some(exit)) => exit.remote_as,
        _ => node.asn,
    }
}

/// Returns `name` for IPv4 and `name6` for IPv6, as all policy objects are named.
pub(super) fn by_family(name: &str, family: Family) -> String {
    match family {
        Family::Ipv4Unicast => name.to_owned(),
        Family::Ipv6Unicast => format!("{name}6"),
    }
}

/// Lines of a configuration, indented by nesting.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn at(&mut self, depth: usize, line: impl AsRef<str>) {
        self.0.extend(std::iter::repeat_n(' ', depth));
        self.0.push_str(line.as_ref());
        self.0.push('\n');
    }

    fn top(&mut self, line: impl AsRef<str>) {
        self.at(0, line);
    }
}
