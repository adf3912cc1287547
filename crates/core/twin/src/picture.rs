//! The own AS as the simulator takes it: routers with their configurations, what comes from outside, what is out of order, what is known
//! beside configurations.

use crate::TwinError;
use crate::unmodelled::{self, Relevance, Unmodelled};
use action::{DeviceEdits, DeviceId, ExitId};
use bgp::{Asn, PathAttributes, Prefix};
use bmp::View;
use config::{BgpConfig, Neighbor, RouterConfig, edit};
use core::net::{IpAddr, Ipv4Addr};
use network::{AdjRib, Device, Inventory, Network, SessionState};
use preflight::{Exit, Facts, PathMetric, Ports};
use routing::{Blueprint, Feed, Older, Profile, Router};
use rtr::Vrps;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The own AS at one moment, ready to be solved.
#[derive(Clone, Debug)]
pub struct Picture {
    /// In order; a router's place here is its place everywhere.
    pub(crate) devices: Vec<DeviceId>,
    pub(crate) inventory: Arc<Inventory>,
    /// Configurations as they were read.
    pub(crate) configs: Vec<Arc<RouterConfig>>,
    pub(crate) blueprint: Blueprint,
    pub(crate) facts: Facts,
    pub(crate) ports: Ports,
    /// VRPs about our own space before they changed last.
    pub(crate) vrps_before: Option<Arc<Vrps>>,
    /// Neighbours whose BGP identifier is not known: a choice that rests on it is a guess.
    pub(crate) nameless: BTreeSet<(usize, IpAddr)>,
    /// Sessions that their router reports as established.
    pub(crate) established: BTreeSet<(usize, IpAddr)>,
    pub(crate) unmodelled: Vec<Unmodelled>,
}

/// What one neighbour outside announced.
type Announced = BTreeMap<IpAddr, Arc<AdjRib>>;

impl Picture {
    /// Draws the picture of a network.
    ///
    /// # Errors
    /// [`TwinError`] when a configuration is missing or contradicts the inventory.
    pub fn of(network: &Network) -> Result<Self, TwinError> {
        let parts = parts(network)?;
        let owners: BTreeSet<IpAddr> = parts.iter().flat_map(|p| p.addresses()).collect();
        let mut out = Self {
            devices: parts.iter().map(|p| p.id.clone()).collect(),
            inventory: Arc::clone(&network.inventory),
            configs: parts.iter().map(|p| Arc::clone(&p.config)).collect(),
            blueprint: Blueprint::default(),
            facts: crate::facts::facts(network),
            ports: Ports::new(),
            vrps_before: network.origins.before_change().map(|b| Arc::new(Vrps::new(b.vrps.iter().copied()))),
            nameless: BTreeSet::new(),
            established: BTreeSet::new(),
            unmodelled: parts.iter().flat_map(|p| unmodelled::of_config(p.id, &p.config)).collect(),
        };
        let mut older = Older::new();
        for (index, part) in parts.iter().enumerate() {
            let router = Router { name: part.id.to_string(), config: part.running(), profile: Profile::of(part.config.vendor) };
            out.blueprint.routers.push(router);
            out.sessions(index, part);
            let announced = out.feeds(network, index, part, &owners);
            out.in_use(index, part, &announced, &mut older);
        }
        out.blueprint.links = Some(Arc::new(crate::wires::wires(&out.blueprint)));
        out.blueprint.vrps = network.origins.vrps();
        out.blueprint.older = (!older.is_empty()).then(|| Arc::new(older));
        for exit in &network.inventory.exits {
            let (Some(index), Some((first, rest))) = (out.index(&exit.device), exit.neighbors.split_first()) else { continue };
            out.ports.extend(rest.iter().map(|n| ((index, *n), *first)));
        }
        Ok(out)
    }

    /// Adds what is measured of the ways over exits, for what a change would do to delay and loss. Without it that is not known.
    #[must_use]
    pub fn measured(mut self, metrics: Vec<PathMetric>) -> Self {
        self.facts.metrics = metrics;
        self
    }

    /// Returns the network below it.
    #[must_use]
    pub const fn blueprint(&self) -> &Blueprint {
        &self.blueprint
    }

    /// Returns what is known beside it.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Returns a device's place.
    pub(crate) fn index(&self, device: &DeviceId) -> Option<usize> {
        self.devices.binary_search(device).ok()
    }

    /// Returns the configuration of a device as it was read.
    #[must_use]
    pub fn config(&self, device: &DeviceId) -> Option<&RouterConfig> {
        self.configs.get(self.index(device)?).map(AsRef::as_ref)
    }

    /// Returns the exit of the inventory that this is, else one named by router and neighbour.
    pub(crate) fn exit_id(&self, exit: &Exit) -> ExitId {
        let device = DeviceId::from(exit.router.as_str());
        let known = self.inventory.exit_of(&device, exit.neighbor).map(|e| e.id.clone());
        known.unwrap_or_else(|| ExitId::new(format!("{device}-{}", exit.neighbor)))
    }

    /// Returns the network after edits, which are applied as the device applies them; everything else is shared.
    pub(crate) fn edited(&self, network: &Blueprint, edits: &[DeviceEdits]) -> Result<Blueprint, TwinError> {
        let mut out = network.clone();
        for device in edits {
            let unknown = || TwinError::UnknownDevice { device: device.device.clone() };
            let router = self.index(&device.device).and_then(|i| out.routers.get_mut(i)).ok_or_else(unknown)?;
            let mut config = RouterConfig::clone(&router.config);
            edit::apply(&mut config, &device.edits).map_err(|source| TwinError::Edit { device: device.device.clone(), source })?;
            router.config = Arc::new(config);
        }
        Ok(out)
    }

    /// Takes the states of sessions.
    fn sessions(&mut self, index: usize, part: &Part<'_>) {
        for (address, neighbor) in part.neighbors() {
            match part.device.sessions.get(address).map(|s| s.state) {
                Some(SessionState::Established) => {
                    self.established.insert((index, *address));
                }
                // what is shut down is taken to come up when it is enabled
                Some(_) if !neighbor.shutdown => {
                    self.blueprint.failures.sessions.insert((index, *address));
                }
                Some(_) | None => {}
            }
            if part.is_cut_off(*address) {
                self.blueprint.failures.sessions.insert((index, *address));
            }
        }
    }

    /// Takes what neighbours announce that are not managed.
    fn feeds(&mut self, network: &Network, index: usize, part: &Part<'_>, owners: &BTreeSet<IpAddr>) -> Announced {
        let mut all = Announced::new();
        for (address, _) in part.neighbors().filter(|(a, _)| !owners.contains(*a)) {
            let before = network.adj_rib_in(part.id, *address);
            let after = network.adj_rib(part.id, *address, View::AdjRibInPost);
            let rib = if before.is_empty() && !after.is_empty() {
                let what = format!("what {address} announces is known after the import policy only, which is applied to it once more");
                self.unmodelled.push(Unmodelled { device: part.id.clone(), line: None, what, relevance: Relevance::Routing });
                after.to_map()
            } else {
                before.to_map()
            };
            let remote_id = part.device.sessions.get(address).and_then(|s| s.opened.as_ref()).map(|o| o.remote_id);
            if remote_id.is_none() {
                self.nameless.insert((index, *address));
            }
            self.blueprint.feeds.push(feed(index, *address, remote_id.unwrap_or(Ipv4Addr::UNSPECIFIED), &rib));
            all.insert(*address, rib);
        }
        all
    }

    /// A router's own table says which of several paths from outside it uses: the one with that next hop. Only the step that keeps the older
    /// of two equal paths looks at it.
    fn in_use(&self, index: usize, part: &Part<'_>, announced: &Announced, older: &mut Older) {
        if announced.len() < 2 {
            return;
        }
        for (prefix, route) in part.device.loc_rib.iter() {
            let mut told = announced.iter().filter_map(|(neighbor, rib)| Some((*neighbor, rib.get(prefix)?)));
            let Some(hop) = route.attributes.next_hop else { continue };
            let leads = |(neighbor, a): &(IpAddr, &Arc<PathAttributes>)| a.next_hop.unwrap_or(*neighbor) == hop || *neighbor == hop;
            let several = told.clone().nth(1).is_some();
            if let Some((neighbor, _)) = told.find(leads).filter(|_| several) {
                older.entry(*prefix).or_default().insert((index, neighbor));
            }
        }
    }
}

fn feed(router: usize, neighbor: IpAddr, router_id: Ipv4Addr, rib: &AdjRib) -> Feed {
    let mut numbers: BTreeMap<*const PathAttributes, u32> = BTreeMap::new();
    let mut attributes: Vec<PathAttributes> = Vec::new();
    let mut routes = Vec::with_capacity(rib.len());
    for (prefix, announced) in rib {
        // equal attributes are one value; the order of addresses is never looked at
        let number = *numbers.entry(Arc::as_ptr(announced)).or_insert_with(|| {
            let mut own = PathAttributes::clone(announced);
            // a link-local one means the neighbour, on the wire that both share
            own.next_hop = own.next_hop.filter(|hop| !is_link_local(*hop)).or(Some(neighbor));
            attributes.push(own);
            u32::try_from(attributes.len() - 1).unwrap_or(u32::MAX)
        });
        routes.push((*prefix, number));
    }
    Feed { router, neighbor, router_id, attributes: Arc::new(attributes), routes: Arc::new(routes) }
}

/// Says whether an address is IPv6 link-local (RFC 4291 §2.5.6).
pub const fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(a) if a.is_unicast_link_local())
}

/// One device on its way into the picture.
struct Part<'a> {
    id: &'a DeviceId,
    device: &'a Device,
    config: Arc<RouterConfig>,
    /// BGP identifier by the inventory.
    router_id: Option<Ipv4Addr>,
}

impl Part<'_> {
    fn neighbors(&self) -> impl Iterator<Item = (&IpAddr, &Neighbor)> {
        self.config.bgp.iter().flat_map(|b| &b.neighbors)
    }

    fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.config.interfaces.values().flat_map(|i| i.addresses.iter().map(|(a, _)| *a))
    }

    fn is_down(&self, interface: &str) -> bool {
        self.device.interfaces.get(interface).is_some_and(|i| i.oper_up == Some(false) || i.admin_up == Some(false))
    }

    /// The configuration as it is in force: an interface that is down carries nothing.
    fn running(&self) -> Arc<RouterConfig> {
        let mut config = Arc::clone(&self.config);
        for name in self.config.interfaces.keys().filter(|n| self.is_down(n)) {
            if let Some(interface) = Arc::make_mut(&mut config).interfaces.get_mut(name) {
                interface.shutdown = true;
            }
        }
        let nameless = config.bgp.as_ref().is_some_and(|b| b.router_id.is_none());
        if let Some(id) = self.router_id.filter(|id| nameless && !id.is_unspecified())
            && let Some(bgp) = &mut Arc::make_mut(&mut config).bgp
        {
            bgp.router_id = Some(id);
        }
        config
    }

    /// Says whether every interface on a neighbour's subnet is down.
    fn is_cut_off(&self, neighbor: IpAddr) -> bool {
        let reaches = |addresses: &[(IpAddr, u8)]| addresses.iter().any(|(a, l)| Prefix::new(*a, *l).is_some_and(|s| s.contains(neighbor)));
        let mut toward = self.config.interfaces.iter().filter(|(_, i)| reaches(&i.addresses)).peekable();
        toward.peek().is_some() && toward.all(|(name, i)| i.shutdown || self.is_down(name))
    }
}

fn parts(network: &Network) -> Result<Vec<Part<'_>>, TwinError> {
    let own = network.inventory.own_asn;
    let mut parts = Vec::with_capacity(network.devices.len());
    for (id, device) in &network.devices {
        let read = device.config.as_ref().ok_or_else(|| TwinError::Unread { device: id.clone() })?;
        if let Some(bgp) = read.model.bgp.as_ref().filter(|b| !is_ours(b, own)) {
            return Err(TwinError::ForeignAs { device: id.clone(), found: bgp.asn.0, expected: own.0 });
        }
        let router_id = network.inventory.device(id).map(|d| d.router_id);
        parts.push(Part { id, device, config: Arc::new(read.model.clone()), router_id });
    }
    if parts.is_empty() { Err(TwinError::Empty) } else { Ok(parts) }
}

/// Says whether an instance is of our AS: by its number, or as a member of our confederation (RFC 5065).
fn is_ours(bgp: &BgpConfig, own: Asn) -> bool {
    bgp.asn == own || bgp.wider.confederation.as_ref().is_some_and(|c| c.identifier == own)
}
