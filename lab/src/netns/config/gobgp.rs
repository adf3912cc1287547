//! GoBGP 3: a provider whose daemon installs no routes.

use super::{FAMILIES, Lines, by_family, ebgp};
use crate::topology::{Node, Role, Topology};
use bgp::{Family, Prefix};

/// Returns the configuration of a provider that runs GoBGP. Export policy works only as a global one there, so the sessions it is for are
/// named in a neighbour set.
pub(crate) fn gobgp(t: &Topology, node: &Node) -> String {
    let mut out = Lines::default();
    out.top("[global.config]");
    out.at(2, format!("as = {}", node.asn));
    out.at(2, format!("router-id = \"{}\"", node.loopback4));
    out.top("[global.apply-policy.config]");
    let policies: Vec<String> = FAMILIES.iter().map(|f| format!("\"{}\"", by_family("hide-links", *f))).collect();
    out.at(2, format!("export-policy-list = [{}]", policies.join(", ")));
    out.at(2, "default-export-policy = \"accept-route\"");
    out.at(2, "default-import-policy = \"accept-route\"");
    for family in FAMILIES {
        neighbors(t, node, family, &mut out);
        policy(t, node, family, &mut out);
    }
    out.0
}

fn neighbors(t: &Topology, node: &Node, family: Family, out: &mut Lines) {
    for s in ebgp(t, node, family) {
        out.top("[[neighbors]]");
        out.at(2, "[neighbors.config]");
        out.at(4, format!("neighbor-address = \"{}\"", s.peer));
        out.at(4, format!("peer-as = {}", s.peer_as));
        if s.local_as != node.asn {
            out.at(4, format!("local-as = {}", s.local_as));
        }
        out.at(2, "[neighbors.timers.config]");
        out.at(4, format!("hold-time = {}", t.timers.ebgp_hold));
        out.at(4, format!("keepalive-interval = {}", t.timers.ebgp_keepalive));
        out.at(4, "connect-retry = 2");
        out.at(4, "idle-hold-time-after-reset = 3");
        out.at(2, "[neighbors.transport.config]");
        out.at(4, format!("local-address = \"{}\"", s.local));
        out.at(2, "[[neighbors.afi-safis]]");
        out.at(4, "[neighbors.afi-safis.config]");
        out.at(6, format!("afi-safi-name = \"{}-unicast\"", address_family(family)));
    }
}

/// The addresses of our links are nobody's business on the customer's side.
fn policy(t: &Topology, node: &Node, family: Family, out: &mut Lines) {
    let (links, customer) = (by_family("links", family), by_family("customer", family));
    out.top("[[defined-sets.prefix-sets]]");
    out.at(2, format!("prefix-set-name = \"{links}\""));
    for p in node.link_space.iter().filter(|p| p.family() == family) {
        out.at(2, "[[defined-sets.prefix-sets.prefix-list]]");
        out.at(4, format!("ip-prefix = \"{p}\""));
    }
    let sessions = ebgp(t, node, family);
    let customers: Vec<String> = sessions
        .iter()
        .filter(|s| s.peer_node.role == Role::Edge)
        .filter_map(|s| Prefix::new(s.peer, if s.peer.is_ipv4() { 32 } else { 128 }))
        .map(|p| format!("\"{p}\""))
        .collect();
    out.top("[[defined-sets.neighbor-sets]]");
    out.at(2, format!("neighbor-set-name = \"{customer}\""));
    out.at(2, format!("neighbor-info-list = [{}]", customers.join(", ")));
    out.top("[[policy-definitions]]");
    out.at(2, format!("name = \"{}\"", by_family("hide-links", family)));
    out.at(2, "[[policy-definitions.statements]]");
    out.at(4, "[policy-definitions.statements.conditions.match-prefix-set]");
    out.at(6, format!("prefix-set = \"{links}\""));
    out.at(4, "[policy-definitions.statements.conditions.match-neighbor-set]");
    out.at(6, format!("neighbor-set = \"{customer}\""));
    out.at(4, "[policy-definitions.statements.actions]");
    out.at(6, "route-disposition = \"reject-route\"");
}

/// Returns the arguments of the `gobgp` calls that originate the provider's own prefixes.
pub(crate) fn feed(node: &Node) -> Vec<Vec<String>> {
    let add =
        |p: Prefix| ["global", "rib", "-a", address_family(p.family()), "add", &p.to_string(), "origin", "igp"].map(str::to_owned).to_vec();
    node.originates.iter().chain(node.link_space.iter()).map(add).collect()
}

const fn address_family(family: Family) -> &'static str {
    match family {
        Family::Ipv4Unicast => "ipv4",
        Family::Ipv6Unicast => "ipv6",
    }
}
