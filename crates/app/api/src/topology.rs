//! The network as a drawing: nodes in layers, links with load per direction, exits.

use crate::call::health_of;
use action::{DeviceId, ExitId};
use bgp::Prefix;
use core::net::IpAddr;
use network::{DeviceRole, ExitSpec, Freshness, Interface, Network, SessionState};
use pilot::PilotState;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use ts_rs::TS;

/// The drawing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct TopologyView {
    /// Routers and providers.
    pub nodes: Vec<NodeView>,
    /// Links, inside and to providers.
    pub links: Vec<LinkView>,
}

/// One node, placed on a grid: layers from left to right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct NodeView {
    /// Device or provider id.
    pub id: String,
    /// Host name, or the provider's name.
    pub name: String,
    /// `spine`, `reflector`, `edge` or `provider`.
    pub role: String,
    /// Column, 0 at the left.
    pub layer: u32,
    /// Place in the column, 0 at the top.
    pub row: u32,
    /// Feeds are fresh; providers have none.
    pub fresh: bool,
    /// Health score 0–1 where it is known.
    pub health: Option<f64>,
    /// Sessions established, of all.
    pub sessions: (u32, u32),
    /// Open finding about it.
    pub finding: Option<String>,
}

/// One link. Load is `None` where it is not measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct LinkView {
    /// Exit id, or both ends of an inner link.
    pub id: String,
    /// One end.
    pub a: String,
    /// The other; for an exit the provider.
    pub b: String,
    /// It is an exit.
    pub exit: bool,
    /// Interface up, where it is known.
    pub up: Option<bool>,
    /// Its eBGP sessions established, of all; inner links have none.
    pub sessions: (u32, u32),
    /// Bit/s from `a` to `b`.
    pub forward_bps: Option<f64>,
    /// Bit/s from `b` to `a`.
    pub backward_bps: Option<f64>,
    /// Capacity, bit/s; 0: not known.
    #[ts(type = "number")]
    pub capacity_bps: u64,
}

/// Where each router sends one prefix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct PrefixView {
    /// The prefix of the table that was asked about: the longest that covers the question.
    pub prefix: String,
    /// Per router that has a route.
    pub routes: Vec<RouteView>,
}

/// The best route of one router.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct RouteView {
    /// Router.
    pub device: String,
    /// Next hop.
    pub next_hop: Option<String>,
    /// Exit that it leads to, followed through the routers' own tables.
    pub exit: Option<String>,
    /// AS_PATH.
    pub as_path: String,
    /// LOCAL_PREF.
    pub local_pref: Option<u32>,
    /// Communities.
    pub communities: Vec<String>,
}

const PROVIDER_LAYER: u32 = 3;

const fn layer(role: DeviceRole) -> (u32, &'static str) {
    match role {
        DeviceRole::Spine => (0, "spine"),
        DeviceRole::Reflector => (1, "reflector"),
        DeviceRole::Edge => (2, "edge"),
    }
}

/// Draws the picture.
pub fn topology(s: &PilotState) -> TopologyView {
    let n = &s.network;
    let mut rows: BTreeMap<u32, u32> = BTreeMap::new();
    let mut place = |layer: u32| {
        let row = rows.entry(layer).or_default();
        *row += 1;
        *row - 1
    };
    let mut nodes = Vec::new();
    for spec in &n.inventory.devices {
        let Some(device) = n.devices.get(&spec.id) else { continue };
        let (layer, role) = layer(spec.role);
        let fresh = |f: &Freshness| matches!(f, Freshness::Synced { .. });
        let up = device.sessions.values().filter(|x| x.state == SessionState::Established).count();
        nodes.push(NodeView {
            id: spec.id.to_string(),
            name: spec.hostname.clone(),
            role: role.to_owned(),
            layer,
            row: place(layer),
            fresh: (spec.bmp.is_none() || fresh(&device.bmp)) && (spec.gnmi.is_none() || fresh(&device.gnmi)),
            health: health_of(s, &spec.id).map(|h| h.score.get()),
            sessions: (crate::call::count(up), crate::call::count(device.sessions.len())),
            finding: None,
        });
    }
    for provider in &n.inventory.providers {
        let finding = s.perception.findings().find(|f| f.provider == provider.id);
        nodes.push(NodeView {
            id: provider.id.to_string(),
            name: provider.name.clone(),
            role: "provider".to_owned(),
            layer: PROVIDER_LAYER,
            row: place(PROVIDER_LAYER),
            fresh: true,
            health: None,
            sessions: (0, 0),
            finding: finding.map(|f| decision::trouble(n, f)),
        });
    }
    let links = inner_links(n).into_iter().chain(n.inventory.exits.iter().map(|e| exit_link(n, e))).collect();
    TopologyView { nodes, links }
}

fn exit_link(n: &Network, exit: &ExitSpec) -> LinkView {
    let device = n.devices.get(&exit.device);
    let interface = reported(n, &exit.device, &exit.interface);
    let sessions = device.into_iter().flat_map(|d| &d.sessions).filter(|(neighbor, _)| exit.neighbors.contains(neighbor));
    let (up, all) = sessions.fold((0, 0), |(up, all), (_, x)| (up + u32::from(x.state == SessionState::Established), all + 1));
    let (inward, outward) = rates(n, &exit.device, &exit.interface);
    LinkView {
        id: exit.id.to_string(),
        a: exit.device.to_string(),
        b: exit.provider.to_string(),
        exit: true,
        up: interface.and_then(|i| i.oper_up),
        sessions: (up, all),
        forward_bps: outward,
        backward_bps: inward,
        capacity_bps: exit.capacity_bps,
    }
}

/// Returns an interface as its router reports it; what a silent router reported once is no state.
fn reported<'n>(n: &'n Network, device: &DeviceId, interface: &str) -> Option<&'n Interface> {
    let device = n.devices.get(device).filter(|d| !matches!(d.gnmi, Freshness::Stale { .. }))?;
    device.interfaces.get(interface)
}

/// Returns bit/s into and out of an interface.
pub fn rates(n: &Network, device: &DeviceId, interface: &str) -> (Option<f64>, Option<f64>) {
    reported(n, device, interface).and_then(|i| i.rate_bps).map_or((None, None), |(inward, outward)| (Some(inward), Some(outward)))
}

/// Two routers with addresses in one subnet have a link, as their configurations say.
fn inner_links(n: &Network) -> Vec<LinkView> {
    let mut ends: BTreeMap<Prefix, BTreeSet<(&DeviceId, &str)>> = BTreeMap::new();
    for (id, device) in &n.devices {
        let Some(config) = &device.config else { continue };
        for (name, interface) in &config.model.interfaces {
            for (address, length) in &interface.addresses {
                let host = if address.is_ipv4() { 32 } else { 128 };
                if let Some(subnet) = Prefix::new(*address, *length).filter(|_| *length < host) {
                    ends.entry(subnet).or_default().insert((id, name));
                }
            }
        }
    }
    let mut pairs = BTreeMap::new();
    for end in ends.into_values() {
        let end: Vec<_> = end.into_iter().collect();
        for (i, a) in end.iter().enumerate() {
            for b in end.iter().skip(i + 1).filter(|b| b.0 != a.0) {
                pairs.insert((a.0, b.0), (a.1, b.1));
            }
        }
    }
    let link = |((a, b), (at_a, at_b)): ((&DeviceId, &DeviceId), (&str, &str))| {
        let (into_a, out_of_a) = rates(n, a, at_a);
        // a silent end: the other one counts the same packets
        let (into_b, out_of_b) = rates(n, b, at_b);
        let both = [(a, at_a), (b, at_b)].map(|(d, i)| reported(n, d, i).and_then(|i| i.oper_up));
        LinkView {
            id: format!("{a}-{b}"),
            a: a.to_string(),
            b: b.to_string(),
            exit: false,
            up: if both.contains(&Some(false)) { Some(false) } else { both[0].or(both[1]) },
            sessions: (0, 0),
            forward_bps: out_of_a.or(into_b),
            backward_bps: into_a.or(out_of_b),
            capacity_bps: 0,
        }
    };
    pairs.into_iter().map(link).collect()
}

/// Looks a prefix or an address up in every router's own table.
pub fn prefix(s: &PilotState, asked: &str) -> Option<PrefixView> {
    let wanted = match asked.parse::<Prefix>() {
        Ok(prefix) => prefix,
        Err(_) => {
            let address: IpAddr = asked.parse().ok()?;
            Prefix::new(address, if address.is_ipv4() { 32 } else { 128 })?
        }
    };
    let n = &s.network;
    let covering = n.devices.values().flat_map(|d| d.loc_rib.keys()).filter(|p| p.covers(&wanted)).max_by_key(|p| p.length()).copied()?;
    let route = |(id, device): (&DeviceId, &network::Device)| {
        let a = &device.loc_rib.get(&covering)?.attributes;
        let exit: Option<&ExitId> = n.exit_in_use(id, &covering).map(|e| &e.id);
        Some(RouteView {
            device: id.to_string(),
            next_hop: a.next_hop.map(|h| h.to_string()),
            exit: exit.map(ToString::to_string),
            as_path: a.as_path.to_string(),
            local_pref: a.local_pref,
            communities: a.communities.iter().map(ToString::to_string).collect(),
        })
    };
    Some(PrefixView { prefix: covering.to_string(), routes: n.devices.iter().filter_map(route).collect() })
}
