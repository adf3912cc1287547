//! The world as a topology describes it.

use super::{Event, Load, MS, SECOND, World};
use crate::face::Tree;
use crate::impair::Rng;
use crate::netns::{baseline, ebgp_sessions, running_text};
use crate::sim::router::Router;
use crate::sim::session::{Peer, State};
use crate::sim::settings::Settings;
use crate::sim::underlay::{Link, Links, Underlay};
use crate::sim::wire::Wire;
use crate::topology::{Node, Role, Topology};
use bgp::{Asn, Family};
use network::DeviceRole;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use tokio::sync::broadcast;

/// Messages that a monitoring session may lag behind before it starts anew.
const FEED_LAG_MAX: usize = 8192;
/// The network must have settled by then, in its own time; the seed needs four seconds.
const SETTLE_MAX: u64 = 120 * SECOND;
/// Nothing changed for this long: it has settled.
const QUIET: u64 = 3 * SECOND;

/// What is observed of a node of ours.
#[derive(Clone, Debug)]
pub struct Own {
    /// Node id.
    pub id: String,
    /// What gNMI serves.
    pub tree: Tree,
}

/// Which traffic there is, and who is told.
#[derive(Clone, Debug, Default)]
pub struct Telemetry {
    /// Trees of our routers.
    pub own: Vec<Own>,
    /// Background traffic flows.
    pub traffic: bool,
}

impl World {
    /// Makes the network with every session down; all random numbers follow from `seed`.
    #[must_use]
    pub fn new(topology: &Topology, seed: u64, telemetry: &Telemetry) -> Self {
        let mut rng = Rng::new(seed ^ 0x9E37_79B9_7F4A_7C15);
        let links = links(topology, &mut rng);
        let underlay = Underlay::new(topology, &links);
        let routers: Vec<Router> = topology.nodes.iter().map(|n| router(topology, n, &underlay)).collect();
        let trees = topology.nodes.iter().map(|n| telemetry.own.iter().find(|o| o.id == n.id).map(|o| o.tree.clone())).collect();
        let mut world = Self {
            now: 0,
            serial: 0,
            connections: 0,
            epoch: 0,
            due: BinaryHeap::new(),
            rng,
            links,
            underlay,
            feeds: routers.iter().map(|_| broadcast::channel(FEED_LAG_MAX).0).collect(),
            trees,
            load: Load::new(topology, telemetry.traffic),
            probes: Vec::new(),
            policy_due: vec![false; routers.len()],
            computing: false,
            routing: 0,
            topology: topology.clone(),
            routers,
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        for router in 0..self.routers.len() {
            self.decide_all(router);
            let initiated: Vec<IpAddr> = self.routers[router].peers.iter().filter(|(_, p)| router < p.node).map(|(a, _)| *a).collect();
            for neighbor in initiated {
                let first = self.rng.below(200 * MS);
                self.after(first, Event::Connect((router, neighbor)));
            }
        }
        self.after(0, Event::Flow);
        self.after(5 * SECOND, Event::Volumes);
    }

    /// Lets time pass until every session is up and no table changes any more; `false` when that does not come about.
    pub fn settle(&mut self) -> bool {
        let (limit, mut quiet_since, mut last) = (self.now + SETTLE_MAX, self.now, None);
        while self.now < limit {
            self.advance(self.now + 100 * MS);
            let versions: Vec<_> = self.routers.iter().map(|r| r.versions.clone()).collect();
            let up = self.routers.iter().flat_map(|r| r.peers.values()).all(|p| p.state == State::Established);
            if !up || last.as_ref() != Some(&versions) {
                quiet_since = self.now;
                last = Some(versions);
            } else if self.now - quiet_since >= QUIET {
                return true;
            }
        }
        false
    }
}

fn links(t: &Topology, rng: &mut Rng) -> Links {
    let place = |id: &str| t.nodes.iter().position(|n| n.id == id).unwrap_or_default();
    let mut links = Vec::new();
    for l in &t.links {
        let (base, cost) = (baseline(l), l.igp_cost.map(u32::from));
        let mut wire = || Wire::new(base, rng.next());
        let wires = [wire(), wire()];
        links.push(Link { id: l.id(), a: place(&l.a), b: place(&l.b), cost, carrier: true, adjacent: cost.is_some(), wires });
    }
    links
}

fn router(t: &Topology, node: &Node, underlay: &Underlay) -> Router {
    let settings = Settings::new(&running_text(t, node));
    let config = Arc::new(settings.model());
    let external: BTreeMap<IpAddr, (IpAddr, Asn)> = [Family::Ipv4Unicast, Family::Ipv6Unicast]
        .into_iter()
        .flat_map(|f| ebgp_sessions(t, node, f))
        .map(|s| (s.peer, (s.local, s.local_as)))
        .collect();
    let neighbors = config.bgp.iter().flat_map(|b| &b.neighbors);
    let peers = neighbors.filter_map(|(address, n)| {
        let loopback: IpAddr = if address.is_ipv4() { node.loopback4.into() } else { node.loopback6.into() };
        let (local, local_as) = external.get(address).copied().unwrap_or((loopback, node.asn));
        let internal = n.remote_as == local_as;
        let timers = if internal { (t.timers.ibgp_keepalive, t.timers.ibgp_hold) } else { (t.timers.ebgp_keepalive, t.timers.ebgp_hold) };
        let peer = Peer {
            local,
            local_as,
            node: underlay.owner(*address)?,
            remote_as: n.remote_as,
            description: n.description.clone().unwrap_or_default(),
            internal,
            link: underlay.port(*address).map(|(_, link)| link),
            timers: (timers.0.into(), timers.1.into()),
            remote_id: Ipv4Addr::UNSPECIFIED,
            state: State::Idle,
            connection: 0,
            heard: 0,
            established: 0,
            ended: None,
            received: BTreeMap::new(),
            accepted: BTreeMap::new(),
            announced: BTreeMap::new(),
            outbox: VecDeque::new(),
            last_arrival: 0,
            retrying: false,
        };
        Some((*address, peer))
    });
    let peers = peers.collect();
    Router {
        id: node.id.clone(),
        hostname: node.hostname.clone(),
        asn: node.asn,
        router_id: node.loopback4,
        spares_origin: node.role == Role::Isp,
        // as in the other lab: only edges and the reflector send BMP
        monitored: matches!(node.role.ours(), Some(DeviceRole::Edge | DeviceRole::Reflector)),
        settings,
        config,
        peers,
        table: BTreeMap::new(),
        lengths: BTreeMap::new(),
        versions: BTreeMap::new(),
        handled: 0,
        told: Vec::new(),
    }
}
