//! BIRD 2: a provider that uses a different AS per session.

use super::{FAMILIES, Lines, by_family, ebgp};
use crate::topology::{Node, Role, Topology};
use bgp::Family;
use std::path::Path;

/// Returns the configuration of a provider that runs BIRD.
pub(crate) fn bird(t: &Topology, node: &Node, log: &Path) -> String {
    let mut out = Lines::default();
    out.top(format!("log \"{}\" all;", log.display()));
    out.top(format!("router id {};", node.loopback4));
    out.top("protocol device { scan time 5; }");
    for family in FAMILIES {
        let channel = channel(family);
        out.top(format!("protocol kernel {} {{ {channel} {{ import none; export where source = RTS_BGP; }}; }}", by_family("fib", family)));
        out.top(format!("protocol static {} {{", by_family("own", family)));
        out.at(2, format!("{channel};"));
        for p in node.originates.iter().chain(node.link_space.iter()).filter(|p| p.family() == family) {
            out.at(2, format!("route {p} unreachable;"));
        }
        out.top("}");
        filters(t, node, family, &mut out);
        sessions(t, node, family, &mut out);
    }
    out.0
}

/// The customer hears what is ours or comes from elsewhere, without the addresses of our links; the rest hears what is ours or the customer's.
fn filters(t: &Topology, node: &Node, family: Family, out: &mut Lines) {
    out.top(format!("filter {} {{", by_family("to_customer", family)));
    let space: Vec<String> = node.link_space.iter().filter(|p| p.family() == family).map(|p| p.to_string()).collect();
    if !space.is_empty() {
        out.at(2, format!("if net ~ [ {} ] then reject;", space.join(", ")));
    }
    out.at(2, "if source = RTS_STATIC then accept;");
    out.at(2, format!("if bgp_path.first = {} then reject;", t.own_asn));
    out.at(2, "accept;");
    out.top("}");
    out.top(format!("filter {} {{", by_family("to_world", family)));
    out.at(2, "if source = RTS_STATIC then accept;");
    out.at(2, format!("if bgp_path.first = {} then accept;", t.own_asn));
    out.at(2, "reject;");
    out.top("}");
}

fn sessions(t: &Topology, node: &Node, family: Family, out: &mut Lines) {
    for s in ebgp(t, node, family) {
        let filter = if s.peer_node.role == Role::Edge { "to_customer" } else { "to_world" };
        out.top(format!("protocol bgp {} {{", protocol(&s.peer_node.id, family)));
        out.at(2, format!("local {} as {};", s.local, s.local_as));
        out.at(2, format!("neighbor {} as {};", s.peer, s.peer_as));
        out.at(2, format!("hold time {}; keepalive time {};", t.timers.ebgp_hold, t.timers.ebgp_keepalive));
        out.at(2, "connect delay time 1; connect retry time 2; error wait time 2, 10;");
        out.at(2, format!("{} {{ import all; export filter {}; }};", channel(family), by_family(filter, family)));
        out.top("}");
    }
}

/// Returns the name of the protocol that holds the session with a node.
pub(crate) fn protocol(peer: &str, family: Family) -> String {
    format!("to_{peer}_{}", channel(family))
}

const fn channel(family: Family) -> &'static str {
    match family {
        Family::Ipv4Unicast => "ipv4",
        Family::Ipv6Unicast => "ipv6",
    }
}
