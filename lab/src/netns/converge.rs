//! Waiting until the network is what the topology says: every session up, every route there, every group by its preferred provider.

use super::config::FAMILIES;
use super::{LabError, LabInstance};
use crate::topology::{Role, Topology};
use bgp::Family;
use network::DeviceRole;
use serde_json::Value;
use std::time::{Duration, Instant};

/// How long a lab may take; twice what the slowest boot on two busy cores took.
pub(super) const WITHIN: Duration = Duration::from_secs(90);
/// Between two looks.
const EVERY: Duration = Duration::from_millis(250);

/// Waits; `reached` hears what is still missing whenever that changes.
pub(super) fn wait(lab: &LabInstance, reached: &mut dyn FnMut(&str)) -> Result<(), LabError> {
    let begun = Instant::now();
    let mut last = String::new();
    loop {
        let Some(waiting_for) = missing(lab) else {
            reached("converged");
            return Ok(());
        };
        if begun.elapsed() > WITHIN {
            return Err(LabError::NotConverged { waiting_for, within: WITHIN, logs: "/run/pilothouse/failed".into() });
        }
        if waiting_for != last {
            reached(&format!("waiting for {waiting_for}"));
            last = waiting_for;
        }
        std::thread::sleep(EVERY);
    }
}

/// Returns what is missing; `None` when all is there. Looks are ordered by when they usually come true, so that a look costs little.
fn missing(lab: &LabInstance) -> Option<String> {
    let t = &lab.topology;
    let edges = t.ours(DeviceRole::Edge).map(|n| n.id.as_str());
    let reflectors = t.ours(DeviceRole::Reflector).map(|n| n.id.as_str());
    for node in edges.chain(reflectors) {
        for family in FAMILIES {
            let summary = lab.show(node, &format!("show bgp {} unicast summary json", name(family))).unwrap_or_default();
            if let Some(what) = sessions(t, node, family, &summary) {
                return Some(what);
            }
        }
    }
    for spine in t.ours(DeviceRole::Spine) {
        for family in FAMILIES {
            if let Some(what) = routes(lab, &spine.id, family) {
                return Some(what);
            }
        }
    }
    None
}

/// Every session of a router up, those with providers with all their prefixes.
fn sessions(t: &Topology, node: &str, family: Family, summary: &Value) -> Option<String> {
    let peers = summary.get("peers").and_then(Value::as_object);
    let expected = t.exits_of(node).filter_map(|e| Some((t.port_of(e)?.addresses(family).1.to_string(), t.expected_received(e, family))));
    for (address, prefixes) in expected {
        let peer = peers.and_then(|p| p.get(&address));
        let received = peer.and_then(|p| p.get("pfxRcd")).and_then(Value::as_u64).unwrap_or(0);
        if received < prefixes as u64 {
            return Some(format!("{node}: {received} of {prefixes} prefixes from {address}"));
        }
    }
    let inside = match t.node(node).map(|n| n.role) {
        Some(Role::Reflector) => t.own_nodes().count() - 1,
        _ => t.ours(DeviceRole::Reflector).count(),
    };
    let wanted = t.exits_of(node).count() + inside;
    let up = peers.map_or(0, |p| p.values().filter(|p| p.get("state").and_then(Value::as_str) == Some("Established")).count());
    (up < wanted).then(|| format!("{node}: {up} of {wanted} {} sessions", name(family)))
}

/// Every route in the kernel of a spine, and every group by an edge with an exit to its preferred provider.
fn routes(lab: &LabInstance, node: &str, family: Family) -> Option<String> {
    let ip = if family == Family::Ipv4Unicast { "ip" } else { "ipv6" };
    let table = lab.show(node, &format!("show {ip} route bgp json")).unwrap_or_default();
    let installed = |prefix: &str| {
        let entries = table.get(prefix).and_then(Value::as_array);
        entries.is_some_and(|e| e.iter().any(|r| r.get("installed").and_then(Value::as_bool) == Some(true)))
    };
    let expected: Vec<String> = lab.topology.expected_prefixes().iter().filter(|p| p.family() == family).map(ToString::to_string).collect();
    let there = expected.iter().filter(|p| installed(p)).count();
    if there < expected.len() {
        return Some(format!("{node}: {there} of {} {} routes", expected.len(), name(family)));
    }
    let exits = lab.best_exits(node, family).unwrap_or_default();
    for group in &lab.topology.groups {
        for prefix in group.prefixes.iter().filter(|p| p.family() == family) {
            let by = exits.get(&prefix).and_then(|e| lab.topology.exit(e));
            if by.is_none_or(|e| e.provider != group.preferred) {
                return Some(format!("{node}: {prefix} by {}", group.preferred));
            }
        }
    }
    None
}

const fn name(family: Family) -> &'static str {
    match family {
        Family::Ipv4Unicast => "ipv4",
        Family::Ipv6Unicast => "ipv6",
    }
}
