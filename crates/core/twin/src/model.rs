//! The own AS as the twin computes it: routers, their sessions, and the underlay.

use crate::compare::{History, Rules};
use crate::session::{LocalAddresses, Observed, Peer, Session};
use crate::underlay::{Hop, Underlay};
use crate::unmodelled::{Relevance, Unmodelled};
use crate::{Source, TwinError};
use action::DeviceId;
use bgp::{Asn, Family, Prefix};
use config::{BgpConfig, Neighbor, RouterConfig};
use core::net::{IpAddr, Ipv4Addr};
use network::{Device, Inventory, LocRoute, Network, SessionState};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// BGP identifiers of external neighbours, by device and neighbour address.
pub type RemoteIds = BTreeMap<(DeviceId, IpAddr), Ipv4Addr>;

/// One router.
#[derive(Clone, Debug)]
pub struct Router {
    pub id: DeviceId,
    pub asn: Asn,
    pub router_id: Ipv4Addr,
    /// `bgp cluster-id`, else the router id.
    pub cluster_id: Ipv4Addr,
    pub config: Arc<RouterConfig>,
    /// By neighbour address.
    pub sessions: Vec<Session>,
    /// `network` statements that a route of the router backs, with their policy.
    pub networks: BTreeMap<Prefix, Option<String>>,
    /// Best routes as the router reports them.
    pub reported: Arc<BTreeMap<Prefix, LocRoute>>,
    defaults: BgpConfig,
}

impl Router {
    /// Returns the settings of the decision process.
    pub const fn rules(&self) -> Rules<'_> {
        Rules { knobs: &self.defaults.best_path, default_local_pref: self.defaults.default_local_pref }
    }

    /// Says whether eBGP sessions without policy exchange nothing (RFC 8212).
    pub const fn requires_policy(&self) -> bool {
        self.defaults.ebgp_requires_policy
    }

    /// Returns the same router with another configuration; edits change policy and shutdowns, never which sessions exist.
    pub fn with_config(&self, config: RouterConfig) -> Self {
        let mut router = self.clone();
        for session in &mut router.sessions {
            if let Some(neighbor) = config.bgp.as_ref().and_then(|b| b.neighbors.get(&session.neighbor)) {
                session.shutdown = neighbor.shutdown;
                session.families.clone_from(&neighbor.families);
            }
        }
        router.config = Arc::new(config);
        router
    }

    /// Returns the position of the session with this neighbour.
    pub fn session(&self, neighbor: IpAddr) -> Option<usize> {
        self.sessions.binary_search_by_key(&neighbor, |s| s.neighbor).ok()
    }
}

/// The whole AS. Cloning shares everything.
#[derive(Clone, Debug)]
pub struct Model {
    pub routers: Vec<Arc<Router>>,
    pub underlay: Arc<Underlay>,
}

impl Model {
    /// Returns the index of a device.
    pub fn index(&self, device: &DeviceId) -> Option<usize> {
        self.routers.binary_search_by(|r| r.id.cmp(device)).ok()
    }

    /// Says whether a session is up: both ends, where both are ours.
    pub fn is_up(&self, session: &Session) -> bool {
        let far = match &session.peer {
            Peer::External { .. } => true,
            Peer::Internal { router, session: Some(back) } => self.routers[*router].sessions[*back].enabled(),
            Peer::Internal { session: None, .. } => false,
        };
        session.enabled() && far
    }

    /// Returns every prefix that any router could hold.
    pub fn prefixes(&self) -> BTreeSet<Prefix> {
        let mut all = BTreeSet::new();
        for router in &self.routers {
            all.extend(router.networks.keys().copied());
            for session in &router.sessions {
                if let Peer::External { feed, .. } = &session.peer {
                    all.extend(feed.keys().copied());
                }
            }
        }
        all
    }

    /// Returns, per router, which external path it reports to have selected for `prefix`. Only the step "oldest" looks at it.
    pub fn reported_history(&self, prefix: &Prefix) -> Vec<History> {
        self.routers.iter().map(|r| reported_choice(r, prefix)).collect()
    }
}

/// A router's own table says which of its external paths is selected: the one with that next hop.
fn reported_choice(router: &Router, prefix: &Prefix) -> History {
    let Some(route) = router.reported.get(prefix) else { return History::Unknown };
    let external = router.sessions.iter().find_map(|s| match &s.peer {
        Peer::External { exit, feed, .. } => {
            let announced = feed.get(prefix)?;
            let next_hop = announced.next_hop.unwrap_or(s.neighbor);
            let same = route.attributes.next_hop == Some(next_hop) || route.attributes.next_hop == Some(s.neighbor);
            same.then(|| Source::External { neighbor: s.neighbor, exit: exit.clone() })
        }
        Peer::Internal { .. } => None,
    });
    external.map_or(History::Unknown, |s| History::Selected(Some(s)))
}

/// Builds the model of a picture, and the list of what it does not cover.
pub fn build(network: &Network, remote_ids: &RemoteIds) -> Result<(Model, Vec<Unmodelled>), TwinError> {
    let parts = parts(network)?;
    let configs: Vec<&RouterConfig> = parts.iter().map(|p| p.config.as_ref()).collect();
    let up = |d: usize, name: &str| interface_up(parts[d].device, name);
    let underlay = Underlay::build(&configs, up);
    let ids: Vec<Ipv4Addr> = parts.iter().map(|p| p.router_id(&network.inventory)).collect();
    let mut unmodelled: Vec<Unmodelled> = parts.iter().flat_map(|p| crate::unmodelled::of_config(&p.id, &p.config)).collect();
    let mut routers = Vec::with_capacity(parts.len());
    for (index, part) in parts.iter().enumerate() {
        let asn = network.inventory.own_asn;
        let defaults = part.config.bgp.clone().unwrap_or_else(|| no_bgp(asn));
        let builder = SessionBuilder { network, part, index, underlay: &underlay, parts: &parts, ids: &ids, remote_ids };
        let sessions = builder.sessions(&mut unmodelled);
        routers.push(Router {
            id: part.id.clone(),
            asn: defaults.asn,
            router_id: ids[index],
            cluster_id: defaults.cluster_id.unwrap_or(ids[index]),
            config: part.config.clone(),
            sessions,
            networks: networks(part, index, &underlay, &mut unmodelled),
            reported: part.device.loc_rib.clone(),
            defaults,
        });
    }
    join(&mut routers);
    Ok((Model { routers: routers.into_iter().map(Arc::new).collect(), underlay: Arc::new(underlay) }, unmodelled))
}

/// One device on its way into the model.
struct Part<'a> {
    id: DeviceId,
    device: &'a Device,
    config: Arc<RouterConfig>,
}

impl Part<'_> {
    fn router_id(&self, inventory: &Inventory) -> Ipv4Addr {
        let configured = self.config.bgp.as_ref().and_then(|b| b.router_id);
        let known = inventory.device(&self.id).map(|d| d.router_id);
        configured.or(known).unwrap_or(Ipv4Addr::UNSPECIFIED)
    }
}

fn parts(network: &Network) -> Result<Vec<Part<'_>>, TwinError> {
    let own = network.inventory.own_asn;
    let mut parts = Vec::with_capacity(network.devices.len());
    for (id, device) in &network.devices {
        let read = device.config.as_ref().ok_or_else(|| TwinError::Unread { device: id.clone() })?;
        if let Some(bgp) = read.model.bgp.as_ref().filter(|b| b.asn != own) {
            return Err(TwinError::ForeignAs { device: id.clone(), found: bgp.asn.0, expected: own.0 });
        }
        parts.push(Part { id: id.clone(), device, config: Arc::new(read.model.clone()) });
    }
    if parts.is_empty() { Err(TwinError::Empty) } else { Ok(parts) }
}

/// A device without BGP only forwards.
fn no_bgp(asn: Asn) -> BgpConfig {
    BgpConfig::new(asn)
}

fn interface_up(device: &Device, name: &str) -> bool {
    device.interfaces.get(name).is_none_or(|i| i.oper_up != Some(false) && i.admin_up != Some(false))
}

/// Keeps the `network` statements that the router has a route for (FRR: `bgp network import-check`, on by default).
fn networks(part: &Part<'_>, index: usize, underlay: &Underlay, unmodelled: &mut Vec<Unmodelled>) -> BTreeMap<Prefix, Option<String>> {
    let Some(bgp) = &part.config.bgp else { return BTreeMap::new() };
    let unchecked = bgp.wider.no_import_check;
    let mut active = BTreeMap::new();
    for network in &bgp.networks {
        let reported = part.device.loc_rib.get(&network.prefix).is_some_and(|r| r.attributes.as_path.length() == 0);
        if unchecked || reported || underlay.exact(index, &network.prefix).is_some() {
            active.insert(network.prefix, network.policy.clone());
        } else {
            let what = format!("network {} has no route of its own, so it is not originated", network.prefix);
            unmodelled.push(Unmodelled { device: part.id.clone(), line: None, what, relevance: Relevance::Routing });
        }
    }
    active
}

struct SessionBuilder<'a> {
    network: &'a Network,
    part: &'a Part<'a>,
    index: usize,
    underlay: &'a Underlay,
    parts: &'a [Part<'a>],
    ids: &'a [Ipv4Addr],
    remote_ids: &'a RemoteIds,
}

impl SessionBuilder<'_> {
    fn sessions(&self, unmodelled: &mut Vec<Unmodelled>) -> Vec<Session> {
        let Some(bgp) = &self.part.config.bgp else { return Vec::new() };
        let mut sessions = Vec::with_capacity(bgp.neighbors.len());
        for (address, neighbor) in &bgp.neighbors {
            match self.session(bgp.asn, *address, neighbor) {
                Ok(session) => sessions.push(session),
                Err(what) => {
                    unmodelled.push(Unmodelled { device: self.part.id.clone(), line: None, what, relevance: Relevance::Routing });
                }
            }
        }
        sessions
    }

    fn session(&self, own: Asn, address: IpAddr, neighbor: &Neighbor) -> Result<Session, String> {
        let external = neighbor.remote_as != own;
        let (peer, remote_id) = if external {
            let feed = self.network.adj_rib_in(&self.part.id, address).to_map();
            let exit = self.network.inventory.exit_of(&self.part.id, address).map(|e| e.id.clone());
            let remote_id = self.remote_ids.get(&(self.part.id.clone(), address)).copied();
            (Peer::External { remote_as: neighbor.remote_as, exit, feed }, remote_id)
        } else {
            let router = self.underlay.owner(address).or_else(|| self.owner_by_id(address));
            let router =
                router.ok_or_else(|| format!("internal neighbour {address} is no device of the inventory; its routes are left out"))?;
            (Peer::Internal { router, session: None }, Some(self.ids[router]))
        };
        Ok(Session {
            neighbor: address,
            shutdown: neighbor.shutdown,
            observed: self.observed(address, neighbor),
            link_down: external && self.underlay.resolve(self.index, address).is_none(),
            remote_id,
            local: self.local_addresses(address, neighbor),
            families: neighbor.families.clone(),
            peer,
        })
    }

    /// An interface that is down hides its owner; the session still belongs to it.
    fn owner_by_id(&self, address: IpAddr) -> Option<usize> {
        self.parts.iter().position(|p| p.config.interfaces.values().any(|i| i.addresses.iter().any(|(a, _)| *a == address)))
    }

    fn observed(&self, address: IpAddr, neighbor: &Neighbor) -> Observed {
        match self.part.device.sessions.get(&address) {
            None => Observed::Unknown,
            Some(s) if s.state == SessionState::Established => Observed::Up,
            Some(_) if neighbor.shutdown => Observed::ShutDown,
            Some(_) => Observed::Down,
        }
    }

    /// Own addresses: of the update source, else of the interface on the neighbour's subnet.
    fn local_addresses(&self, address: IpAddr, neighbor: &Neighbor) -> LocalAddresses {
        let source = neighbor.update_source.as_deref();
        if let Some(own) = source.and_then(|s| s.parse::<IpAddr>().ok()) {
            return pick([own].into_iter());
        }
        let connected = || match &self.underlay.resolve(self.index, address)?.hop {
            Hop::Connected(name) => Some(name.as_str()),
            _ => None,
        };
        let interface = source.or_else(connected).and_then(|name| self.part.config.interfaces.get(name));
        pick(interface.into_iter().flat_map(|i| i.addresses.iter().map(|(a, _)| *a)))
    }
}

fn pick(addresses: impl Iterator<Item = IpAddr>) -> LocalAddresses {
    let mut local = LocalAddresses::default();
    for address in addresses.filter(|a| !crate::underlay::is_link_local(*a) && !a.is_loopback()) {
        match Family::of(address) {
            Family::Ipv4Unicast => drop(local.v4.get_or_insert(address)),
            Family::Ipv6Unicast => drop(local.v6.get_or_insert(address)),
        }
    }
    local
}

/// Finds the two ends of every internal session; what one end calls its neighbour is the other's own address.
fn join(routers: &mut [Router]) {
    let mut ends: BTreeMap<(usize, usize, Family), Vec<usize>> = BTreeMap::new();
    for (i, router) in routers.iter().enumerate() {
        for (s, session) in router.sessions.iter().enumerate() {
            if let Peer::Internal { router: far, .. } = session.peer {
                ends.entry((i, far, Family::of(session.neighbor))).or_default().push(s);
            }
        }
    }
    for (&(here, far, family), mine) in &ends {
        let Some(theirs) = ends.get(&(far, here, family)) else { continue };
        for &s in mine {
            let own = routers[here].sessions[s].local.get(family);
            let matching = theirs.iter().find(|t| Some(routers[far].sessions[**t].neighbor) == own);
            let back = matching.or_else(|| theirs.first()).copied();
            let own_address = back.map(|t| routers[far].sessions[t].neighbor);
            let session = &mut routers[here].sessions[s];
            if let Peer::Internal { session, .. } = &mut session.peer {
                *session = back;
            }
            match family {
                Family::Ipv4Unicast => session.local.v4 = session.local.v4.or(own_address),
                Family::Ipv6Unicast => session.local.v6 = session.local.v6.or(own_address),
            }
        }
    }
}
