//! The topology: one validated file that every driver builds the same network from.
//!
//! ```text
//! topologies/seed.toml ── parse (file:line: key) ── validate (file:line: key) ── Topology ── inventory(endpoints) ── network::Inventory
//! ```

mod parse;
mod prefixes;
#[cfg(test)]
mod tests;
mod validate;

pub use parse::TopologyError;
pub(crate) use prefixes::offset as host;
pub use prefixes::{Interface, Prefixes};

use action::{DeviceId, ExitId, GroupId, ProviderId};
use bgp::{Asn, Family, Prefix};
use network::{
    BmpSource, DeviceRole, DeviceSpec, ExitSpec, GnmiEndpoint, Inventory, NeighborRole, NetconfEndpoint, Provider, SlaLimits, TargetGroup,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Prefixes in one topology; what the daemons of a lab on a workstation carry in seconds.
pub const MAX_PREFIXES: usize = 4096;
/// Nodes in one topology; each costs a namespace and about 35 MB of daemons.
pub const MAX_NODES: usize = 32;
/// Links in one topology; each costs a thread of the impairment process.
pub const MAX_LINKS: usize = 64;
/// One-way delay of a link in microseconds (10 s): beyond it no BGP session lives.
pub const MAX_DELAY_US: u64 = 10_000_000;
/// Rate of a link in bit/s that a user-space link can still shape.
pub const MAX_RATE_BPS: u64 = 1_000_000_000;
/// Bytes of a topology file.
pub const MAX_FILE_BYTES: usize = 1 << 20;

/// The seed topology, compiled in.
pub const SEED: &str = include_str!("../topologies/seed.toml");
/// What the variant `seed-plus` has besides: a second session to one provider AS, so that MED is compared.
pub const SEED_PLUS: &str = include_str!("../topologies/seed-plus.toml");

/// A validated topology.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topology {
    /// Name of the network.
    pub name: String,
    /// Our AS.
    pub own_asn: Asn,
    /// Prefixes we originate at the edges.
    pub own_prefixes: Prefixes,
    /// Documentation and benchmark space that counts as public.
    pub public_space: Prefixes,
    /// Routers, ours and theirs.
    #[serde(rename = "node")]
    pub nodes: Vec<Node>,
    /// Providers.
    #[serde(rename = "provider")]
    pub providers: Vec<ProviderNode>,
    /// Exits.
    #[serde(rename = "exit")]
    pub exits: Vec<Exit>,
    /// Links.
    #[serde(rename = "link")]
    pub links: Vec<Link>,
    /// Target groups: what the remote network announces.
    #[serde(rename = "group")]
    pub groups: Vec<Group>,
    /// Numbers of the import policies.
    pub policy: Policy,
    /// BGP timers.
    pub timers: Timers,
}

/// What a node is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Ours, holds eBGP sessions.
    Edge,
    /// Ours, reflects routes (RFC 4456).
    Reflector,
    /// Ours, inside.
    Spine,
    /// A provider's router.
    Isp,
    /// The network behind the providers.
    Remote,
}

impl Role {
    /// Says whether the node belongs to our AS; returns its role in the inventory then.
    #[must_use]
    pub const fn ours(self) -> Option<DeviceRole> {
        match self {
            Self::Edge => Some(DeviceRole::Edge),
            Self::Reflector => Some(DeviceRole::Reflector),
            Self::Spine => Some(DeviceRole::Spine),
            Self::Isp | Self::Remote => None,
        }
    }
}

/// Which software a node runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Daemon {
    /// FRRouting.
    Frr,
    /// BIRD 2.
    Bird,
    /// GoBGP (installs no routes).
    Gobgp,
}

/// One router.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Id (`r1`); also the name of the interface toward it.
    pub id: String,
    /// Host name.
    pub hostname: String,
    /// Role.
    pub role: Role,
    /// Software.
    pub daemon: Daemon,
    /// AS.
    pub asn: Asn,
    /// IPv4 loopback and BGP identifier.
    pub loopback4: Ipv4Addr,
    /// IPv6 loopback.
    pub loopback6: Ipv6Addr,
    /// Subnets behind it, each as the address it has there.
    #[serde(default)]
    pub subnets: Vec<Interface>,
    /// Prefixes it originates besides.
    #[serde(default)]
    pub originates: Prefixes,
    /// Address space of its links, announced to the remote network only, so that replies to a link address come back over that link.
    #[serde(default)]
    pub link_space: Prefixes,
}

/// A provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderNode {
    /// Id (`isp-a`).
    pub id: ProviderId,
    /// Name as shown.
    pub name: String,
    /// Its router.
    pub node: String,
    /// Its ASNs; a provider may use several toward us.
    pub asns: Vec<Asn>,
    /// Cost per gigabyte.
    pub cost_per_gb: f64,
    /// LOCAL_PREF of what it is not preferred for.
    pub local_pref: u32,
    /// Community set on what it sends us, `asn:value`.
    pub community: String,
    /// Delay above which a path by it is degraded, milliseconds.
    pub delay_ms_max: f64,
    /// Loss above which a path by it is degraded, 0–1.
    pub loss_max: f64,
}

/// One exit: the link between `device` and the provider's router.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exit {
    /// Id (`r1-ispa`).
    pub id: ExitId,
    /// Our router.
    pub device: String,
    /// Provider.
    pub provider: ProviderId,
    /// AS the provider uses on this link.
    pub remote_as: Asn,
    /// MED that the provider tells us here; absent: what it has itself.
    #[serde(default)]
    pub med: Option<u32>,
}

/// One link; `a` has the first address of each prefix, `b` the second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// One end.
    pub a: String,
    /// Other end.
    pub b: String,
    /// IPv4 /31 (RFC 3021).
    pub v4: Prefix,
    /// IPv6 /127 (RFC 6164).
    pub v6: Prefix,
    /// IGP cost; `None` between ASes.
    #[serde(default)]
    pub igp_cost: Option<u16>,
    /// One-way delay of each direction, microseconds. With delay and rate 0 the link cannot be impaired.
    #[serde(default)]
    pub delay_us: u64,
    /// Rate of each direction, bit/s; 0: unlimited.
    #[serde(default)]
    pub rate_bps: u64,
}

impl Link {
    /// Returns the link's name, `a-b`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}-{}", self.a, self.b)
    }

    /// Says whether the link runs through the impairment process.
    #[must_use]
    pub const fn impaired(&self) -> bool {
        self.delay_us > 0 || self.rate_bps > 0
    }
}

/// A target group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Id (`east`).
    pub id: GroupId,
    /// Value of the class community the remote network sets.
    pub class: u16,
    /// Provider preferred for it.
    pub preferred: ProviderId,
    /// Prefixes.
    pub prefixes: Prefixes,
    /// Addresses measured, at most one per family.
    pub targets: Vec<IpAddr>,
}

/// Numbers of the import policies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// LOCAL_PREF of a group by its preferred provider.
    pub local_pref_preferred: u32,
    /// Prefixes after which an eBGP session is closed.
    pub maximum_prefix: u32,
}

/// BGP timers, seconds (RFC 4271 §4.2: hold 0 or ≥ 3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timers {
    /// Toward providers.
    pub ebgp_keepalive: u16,
    /// Toward providers.
    pub ebgp_hold: u16,
    /// Inside.
    pub ibgp_keepalive: u16,
    /// Inside.
    pub ibgp_hold: u16,
}

/// A link as one of its ends sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port<'t> {
    /// The link's name.
    pub link: String,
    /// The router at the other end, and the name of our interface.
    pub peer: &'t str,
    /// Our IPv4 address.
    pub v4: IpAddr,
    /// Theirs.
    pub peer_v4: IpAddr,
    /// Our IPv6 address.
    pub v6: IpAddr,
    /// Theirs.
    pub peer_v6: IpAddr,
    /// IGP cost; `None` between ASes.
    pub igp_cost: Option<u16>,
}

impl Port<'_> {
    /// Returns our address and the peer's in `family`.
    #[must_use]
    pub const fn addresses(&self, family: Family) -> (IpAddr, IpAddr) {
        match family {
            Family::Ipv4Unicast => (self.v4, self.peer_v4),
            Family::Ipv6Unicast => (self.v6, self.peer_v6),
        }
    }
}

/// How each device of a booted lab is reached.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Endpoints {
    /// The lab's identity.
    pub lab: Option<String>,
    /// Per device.
    pub devices: BTreeMap<DeviceId, DeviceEndpoints>,
}

/// How one device is reached; what is `None` is not there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeviceEndpoints {
    /// Source of its BMP session.
    pub bmp: Option<BmpSource>,
    /// gNMI.
    pub gnmi: Option<GnmiEndpoint>,
    /// NETCONF.
    pub netconf: Option<NetconfEndpoint>,
}

impl Topology {
    /// Returns the node with this id.
    #[must_use]
    pub fn node(&self, id: &str) -> Option<&Node> {
        self.nodes.iter().find(|n| n.id == id)
    }

    /// Returns the provider with this id.
    #[must_use]
    pub fn provider(&self, id: &ProviderId) -> Option<&ProviderNode> {
        self.providers.iter().find(|p| &p.id == id)
    }

    /// Returns the provider whose router `node` is.
    #[must_use]
    pub fn provider_of_node(&self, node: &str) -> Option<&ProviderNode> {
        self.providers.iter().find(|p| p.node == node)
    }

    /// Returns the exit with this id.
    #[must_use]
    pub fn exit(&self, id: &str) -> Option<&Exit> {
        self.exits.iter().find(|e| e.id.as_str() == id)
    }

    /// Returns the link with this name (`a-b`).
    #[must_use]
    pub fn link(&self, id: &str) -> Option<&Link> {
        self.links.iter().find(|l| l.id() == id)
    }

    /// Returns the link an exit runs over.
    #[must_use]
    pub fn link_of(&self, exit: &Exit) -> Option<&Link> {
        let other = &self.provider(&exit.provider)?.node;
        self.links.iter().find(|l| (l.a == exit.device && &l.b == other) || (&l.a == other && l.b == exit.device))
    }

    /// Returns the port an exit leaves by, seen from our router.
    #[must_use]
    pub fn port_of(&self, exit: &Exit) -> Option<Port<'_>> {
        let link = self.link_of(exit)?.id();
        self.ports(&exit.device).into_iter().find(|p| p.link == link)
    }

    /// Returns the exits of a device, in file order.
    pub fn exits_of<'t>(&'t self, device: &'t str) -> impl Iterator<Item = &'t Exit> {
        self.exits.iter().filter(move |e| e.device == device)
    }

    /// Returns the exit whose session `local` and `remote` (node ids) hold, whichever of them is ours.
    #[must_use]
    pub fn exit_between(&self, local: &str, remote: &str) -> Option<&Exit> {
        self.exits.iter().find(|e| {
            let node = self.provider(&e.provider).map(|p| p.node.as_str());
            (e.device == local && node == Some(remote)) || (e.device == remote && node == Some(local))
        })
    }

    /// Returns the links of `node` as it sees them, in file order.
    #[must_use]
    pub fn ports(&self, node: &str) -> Vec<Port<'_>> {
        self.links.iter().filter_map(|l| port(l, node)).collect()
    }

    /// Returns our own nodes with the given role, in file order.
    pub fn ours(&self, role: DeviceRole) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(move |n| n.role.ours() == Some(role))
    }

    /// Returns our own nodes, in file order.
    pub fn own_nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|n| n.role.ours().is_some())
    }

    /// Returns the node behind the providers.
    #[must_use]
    pub fn remote(&self) -> Option<&Node> {
        self.nodes.iter().find(|n| n.role == Role::Remote)
    }

    /// Returns every prefix the remote network announces, with the class of its group, in file order.
    pub fn remote_prefixes(&self) -> impl Iterator<Item = (&Group, Prefix)> {
        self.groups.iter().flat_map(|g| g.prefixes.iter().map(move |p| (g, p)))
    }

    /// Returns what our routers are told by BGP when everything is up: remote, provider and own prefixes.
    #[must_use]
    pub fn expected_prefixes(&self) -> Vec<Prefix> {
        let mut all: Vec<Prefix> = self.remote_prefixes().map(|(_, p)| p).collect();
        all.extend(self.nodes.iter().filter(|n| n.role == Role::Isp).flat_map(|n| n.originates.iter()));
        all.extend(self.own_prefixes.iter());
        all.sort_unstable();
        all
    }

    /// Returns how many prefixes of `family` an exit's session brings when everything is up.
    #[must_use]
    pub fn expected_received(&self, exit: &Exit, family: Family) -> usize {
        let remote = self.remote_prefixes().filter(|(_, p)| p.family() == family).count();
        let own = self.provider(&exit.provider).and_then(|p| self.node(&p.node));
        remote + own.map_or(0, |n| n.originates.iter().filter(|p| p.family() == family).count())
    }

    /// Returns the inventory of a lab built from this topology.
    #[must_use]
    pub fn inventory(&self, endpoints: &Endpoints) -> Inventory {
        Inventory {
            name: self.name.clone(),
            lab: endpoints.lab.clone(),
            own_asn: self.own_asn,
            own_prefixes: self.own_prefixes.iter().collect(),
            public_space: self.public_space.iter().collect(),
            devices: self.nodes.iter().filter_map(|n| device(n, endpoints)).collect(),
            providers: self.providers.iter().map(provider).collect(),
            exits: self.exits.iter().filter_map(|e| self.exit_spec(e)).collect(),
            groups: self.groups.iter().map(group).collect(),
            ..Inventory::empty("")
        }
    }

    fn exit_spec(&self, exit: &Exit) -> Option<ExitSpec> {
        let port = self.port_of(exit)?;
        Some(ExitSpec {
            id: exit.id.clone(),
            device: DeviceId::new(&exit.device),
            provider: exit.provider.clone(),
            interface: port.peer.to_owned(),
            remote_as: exit.remote_as,
            neighbors: vec![port.peer_v4, port.peer_v6],
            capacity_bps: self.link_of(exit)?.rate_bps,
            role: Some(NeighborRole::Provider),
        })
    }
}

fn device(node: &Node, endpoints: &Endpoints) -> Option<DeviceSpec> {
    let role = node.role.ours()?;
    let id = DeviceId::new(&node.id);
    let reached = endpoints.devices.get(&id).cloned().unwrap_or_default();
    Some(DeviceSpec {
        id,
        hostname: node.hostname.clone(),
        role,
        router_id: node.loopback4,
        bmp: reached.bmp,
        gnmi: reached.gnmi,
        netconf: reached.netconf,
    })
}

fn provider(p: &ProviderNode) -> Provider {
    Provider {
        id: p.id.clone(),
        name: p.name.clone(),
        asns: p.asns.clone(),
        cost_per_gb: Some(p.cost_per_gb),
        sla: SlaLimits { delay_ms_max: p.delay_ms_max, loss_max: p.loss_max },
    }
}

fn group(g: &Group) -> TargetGroup {
    TargetGroup { id: g.id.clone(), members: g.prefixes.iter().collect(), targets: g.targets.clone() }
}

fn port<'t>(link: &'t Link, node: &str) -> Option<Port<'t>> {
    let first = link.a == node;
    if !first && link.b != node {
        return None;
    }
    let (v4, v6) = (prefixes::pair(&link.v4), prefixes::pair(&link.v6));
    let turn = |(a, b): (IpAddr, IpAddr)| if first { (a, b) } else { (b, a) };
    let ((v4, peer_v4), (v6, peer_v6)) = (turn(v4), turn(v6));
    let peer = if first { &link.b } else { &link.a };
    Some(Port { link: link.id(), peer, v4, peer_v4, v6, peer_v6, igp_cost: link.igp_cost })
}
