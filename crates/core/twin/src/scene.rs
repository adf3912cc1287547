//! A small AS for tests: two edges with two external sessions each, a reflector, two inside routers.
//!
//! ```text
//!  isp-a (1234)  isp-b (5678)      isp-b (3312)  isp-c (9012)
//!        \        /                       \        /
//!         r1 ────┐                ┌──────── r2
//!         │      └───── r3 ───────┘          │
//!         r4 ─────────────────────────────── r5
//! ```

use crate::{Picture, Twin};
use action::{DeviceEdits, DeviceId, ExitId, ProviderId};
use bgp::{AsPath, Asn, Community, Family, PathAttributes, Prefix};
use bmp::View;
use config::{PolicyEdit, RouterConfig, edit};
use core::net::{IpAddr, Ipv4Addr};
use network::{
    AdjRib, DeviceConfig, DeviceRole, DeviceSpec, ExitSpec, Interface, Inventory, LocRoute, Network, Provider, Session, SessionState,
    SlaLimits, Volume,
};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use units::Timestamp;

pub const OWN: [&str; 2] = ["192.0.2.0/24", "2001:db8:100::/48"];
/// Exit, device, provider, remote AS, IPv4 and IPv6 neighbour, capacity in Mbit/s.
pub const EXITS: [(&str, &str, &str, u32, &str, &str, u64); 4] = [
    ("r1-ispa", "r1", "isp-a", 1234, "172.31.1.0", "2001:db8:f1::", 100),
    ("r1-ispb", "r1", "isp-b", 5678, "172.31.2.0", "2001:db8:f2::", 100),
    ("r2-ispb", "r2", "isp-b", 3312, "172.31.3.0", "2001:db8:f2:1::", 100),
    ("r2-ispc", "r2", "isp-c", 9012, "172.31.4.0", "2001:db8:f3::", 50),
];
/// Device, IPv4 link addresses with OSPF cost.
const LINKS: [(&str, &str, u32); 5] = [("r1", "r3", 10), ("r2", "r3", 10), ("r1", "r4", 10), ("r2", "r5", 10), ("r4", "r5", 10)];
const DEVICES: [&str; 5] = ["r1", "r2", "r3", "r4", "r5"];

pub fn p(text: &str) -> Prefix {
    text.parse().unwrap()
}

pub fn d(id: &str) -> DeviceId {
    DeviceId::from(id)
}

pub fn x(id: &str) -> ExitId {
    ExitId::from(id)
}

pub fn a(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub fn neighbor(exit: &str, family: Family) -> IpAddr {
    let spec = EXITS.iter().find(|e| e.0 == exit).unwrap();
    a(if family == Family::Ipv4Unicast { spec.4 } else { spec.5 })
}

/// The address after this one.
fn next(address: &str) -> String {
    match a(address) {
        IpAddr::V4(v4) => Ipv4Addr::from(u32::from(v4) + 1).to_string(),
        IpAddr::V6(v6) => core::net::Ipv6Addr::from(u128::from(v6) + 1).to_string(),
    }
}

pub struct Scene {
    pub network: Network,
}

impl Scene {
    /// The lab with every session up and nothing announced.
    pub fn new() -> Self {
        let mut scene = Self { network: Network::new(inventory()) };
        for id in DEVICES {
            scene.configure(id, &running_config(id));
            scene.establish(id);
        }
        scene
    }

    /// The lab with three groups of routes from everybody: A is preferred for east, B for west, C for south.
    pub fn seeded() -> Self {
        let mut scene = Self::new();
        for (exit, _, _, remote_as, ..) in EXITS {
            for (i, group) in GROUPS.iter().enumerate() {
                for prefix in *group {
                    let class = u16::try_from(i + 1).unwrap();
                    scene.announce(exit, prefix, &[remote_as, 64500], &[Community::new(64500, class)]);
                }
            }
        }
        scene
    }

    pub fn configure(&mut self, id: &str, text: &str) {
        let model = config::frr::parse(text);
        let config = DeviceConfig { at: Timestamp::EPOCH, digest: String::new(), text: text.to_owned(), model };
        self.network.devices.get_mut(&d(id)).unwrap().config = Some(Arc::new(config));
    }

    /// Rewrites one router's configuration text.
    pub fn reconfigure(&mut self, id: &str, from: &str, to: &str) {
        let old = self.network.devices[&d(id)].config.clone().unwrap().text.clone();
        assert!(old.contains(from), "{id} has no {from:?}");
        self.configure(id, &old.replace(from, to));
    }

    fn establish(&mut self, id: &str) {
        let device = self.network.devices.get_mut(&d(id)).unwrap();
        let neighbors: Vec<IpAddr> = device.config.as_ref().unwrap().model.bgp.as_ref().unwrap().neighbors.keys().copied().collect();
        for neighbor in neighbors {
            device.sessions.insert(neighbor, Session { state: SessionState::Established, ..Session::default() });
        }
    }

    pub fn announce(&mut self, exit: &str, prefix: &str, path: &[u32], communities: &[Community]) {
        let attributes = PathAttributes {
            as_path: AsPath::sequence(path.iter().copied()),
            communities: communities.to_vec(),
            ..PathAttributes::default()
        };
        self.announce_with(exit, prefix, attributes);
    }

    pub fn announce_with(&mut self, exit: &str, prefix: &str, mut attributes: PathAttributes) {
        let prefix = p(prefix);
        let neighbor = neighbor(exit, prefix.family());
        attributes.next_hop = attributes.next_hop.or(Some(neighbor));
        self.feed(exit, neighbor, |rib| drop(rib.insert(prefix, Arc::new(attributes))));
    }

    pub fn withdraw(&mut self, exit: &str, prefix: &str) {
        let prefix = p(prefix);
        self.feed(exit, neighbor(exit, prefix.family()), |rib| drop(rib.remove(&prefix)));
    }

    fn feed(&mut self, exit: &str, neighbor: IpAddr, change: impl FnOnce(&mut AdjRib)) {
        let device = EXITS.iter().find(|e| e.0 == exit).unwrap().1;
        let mut rib = AdjRib::clone(&self.network.adj_rib_in(&d(device), neighbor).to_map());
        change(&mut rib);
        self.network.set_adj_rib(&d(device), neighbor, View::AdjRibInPre, rib);
    }

    pub fn session_down(&mut self, exit: &str, family: Family) {
        let device = EXITS.iter().find(|e| e.0 == exit).unwrap().1;
        let sessions = &mut self.network.devices.get_mut(&d(device)).unwrap().sessions;
        sessions.get_mut(&neighbor(exit, family)).unwrap().state = SessionState::Active;
    }

    pub fn interface_down(&mut self, device: &str, name: &str) {
        let down = Interface { oper_up: Some(false), ..Interface::default() };
        self.network.devices.get_mut(&d(device)).unwrap().interfaces.insert(name.to_owned(), down);
    }

    pub fn volume(&mut self, exit: &str, prefix: &str, mbps: f64) {
        self.network
            .volumes
            .insert((x(exit), p(prefix)), Volume { bps: mbps * 1e6, at: Timestamp::EPOCH, source: network::VolumeSource::Node });
    }

    /// Makes the routers report what `twin` computes.
    pub fn report(&mut self, twin: &Twin<'_>) {
        for id in DEVICES {
            let best = twin.prefixes().filter_map(|p| Some((p, twin.best(&d(id), &p)?)));
            let routes: BTreeMap<Prefix, LocRoute> =
                best.map(|(p, b)| (p, LocRoute { attributes: Arc::new(b.attributes.clone()) })).collect();
            self.network.devices.get_mut(&d(id)).unwrap().loc_rib = Arc::new(routes);
        }
    }

    /// The picture lives as long as the test.
    pub fn twin(&self) -> Twin<'static> {
        Twin::new(Box::leak(Box::new(Picture::of(&self.network).unwrap())))
    }

    fn config(&self, device: &str) -> &RouterConfig {
        &self.network.devices[&d(device)].config.as_ref().unwrap().model
    }

    /// Edits that give `prefixes` this LOCAL_PREF on import from `exit`.
    pub fn local_pref(&self, exit: &str, prefixes: &[&str], value: u32) -> DeviceEdits {
        let device = EXITS.iter().find(|e| e.0 == exit).unwrap().1;
        let config = self.config(device);
        let mut edits = Vec::new();
        for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
            let neighbor = neighbor(exit, family);
            let rib = self.network.adj_rib_in(&d(device), neighbor).to_map();
            let routes: Vec<(Prefix, &PathAttributes)> =
                prefixes.iter().map(|t| p(t)).filter(|q| q.family() == family).map(|q| (q, rib[&q].as_ref())).collect();
            let settings = &config.bgp.as_ref().unwrap().neighbors[&neighbor].families[&family];
            if !routes.is_empty() {
                let import = settings.import.as_deref().unwrap();
                edits.extend(edit::local_pref_terms(&config.policy, import, &routes, value, import).unwrap());
            }
        }
        DeviceEdits { device: d(device), edits }
    }

    /// Edits that drain every session of `exit`.
    pub fn drain(&self, exit: &str) -> DeviceEdits {
        let device = EXITS.iter().find(|e| e.0 == exit).unwrap().1;
        let config = self.config(device);
        let mut edits = Vec::new();
        for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
            let settings = &config.bgp.as_ref().unwrap().neighbors[&neighbor(exit, family)].families[&family];
            edits.extend(edit::drain_import(&config.policy, settings.import.as_deref().unwrap()).unwrap());
            edits.extend(edit::drain_export(&config.policy, settings.export.as_deref().unwrap()).unwrap());
        }
        DeviceEdits { device: d(device), edits }
    }

    /// Edits that shut down or bring up both sessions of `exit`.
    pub fn enable(&self, exit: &str, enabled: bool) -> DeviceEdits {
        let device = EXITS.iter().find(|e| e.0 == exit).unwrap().1;
        let both = [Family::Ipv4Unicast, Family::Ipv6Unicast].map(|f| neighbor(exit, f));
        let edits = both.into_iter().map(|neighbor| PolicyEdit::SetNeighborEnabled { neighbor, enabled }).collect();
        DeviceEdits { device: d(device), edits }
    }
}

pub const EAST: [&str; 4] = ["203.0.113.0/24", "198.18.0.0/24", "198.18.1.0/24", "2001:db8:200::/48"];
pub const WEST: [&str; 3] = ["198.18.70.0/24", "198.18.71.0/24", "2001:db8:210::/48"];
pub const SOUTH: [&str; 3] = ["198.18.140.0/24", "198.18.141.0/24", "2001:db8:220::/48"];
const GROUPS: [&[&str]; 3] = [&EAST, &WEST, &SOUTH];

fn inventory() -> Inventory {
    let role = |id: &str| match id {
        "r1" | "r2" => DeviceRole::Edge,
        "r3" => DeviceRole::Reflector,
        _ => DeviceRole::Spine,
    };
    let sla = SlaLimits { delay_ms_max: 50.0, loss_max: 0.01 };
    let provider = |id: &str| Provider { id: ProviderId::from(id), name: id.to_owned(), asns: vec![], cost_per_gb: None, sla };
    Inventory {
        name: "test".to_owned(),
        lab: None,
        own_asn: Asn(65001),
        own_prefixes: OWN.iter().map(|t| p(t)).collect(),
        public_space: vec![],
        devices: DEVICES
            .iter()
            .map(|id| DeviceSpec {
                id: d(id),
                hostname: (*id).to_owned(),
                role: role(id),
                router_id: Ipv4Addr::new(10, 0, 0, number(id)),
                bmp: None,
                gnmi: None,
                netconf: None,
            })
            .collect(),
        providers: ["isp-a", "isp-b", "isp-c"].map(provider).to_vec(),
        exits: EXITS
            .iter()
            .map(|(id, device, provider, remote_as, v4, v6, mbps)| ExitSpec {
                id: x(id),
                device: d(device),
                provider: ProviderId::from(*provider),
                interface: format!("to-{}", &id[3..]),
                remote_as: Asn(*remote_as),
                neighbors: vec![a(v4), a(v6)],
                capacity_bps: mbps * 1_000_000,
                role: None,
            })
            .collect(),
        groups: vec![],
        ..Inventory::empty("")
    }
}

fn number(id: &str) -> u8 {
    id[1..].parse().unwrap()
}

fn running_config(id: &str) -> String {
    let n = number(id);
    let mut t = format!("frr defaults traditional\nhostname {id}\n!\n");
    write!(
        t,
        "interface lo\n ip address 10.0.0.{n}/32\n ip ospf area 0\n ipv6 address 2001:db8:ff::{n}/128\n ipv6 ospf6 area 0.0.0.0\nexit\n!\n"
    )
    .unwrap();
    for (i, (x, y, cost)) in LINKS.iter().enumerate().filter(|(_, l)| l.0 == id || l.1 == id) {
        let (peer, host) = if *x == id { (y, 0) } else { (x, 1) };
        write!(t, "interface {peer}\n ip address 10.1.{i}.{host}/31\n ipv6 address 2001:db8:fe:{i}::{host}/127\n").unwrap();
        write!(t, " ip ospf area 0\n ip ospf cost {cost}\n ipv6 ospf6 area 0.0.0.0\n ipv6 ospf6 cost {cost}\nexit\n!\n").unwrap();
    }
    let edge = id == "r1" || id == "r2";
    let own: Vec<_> = EXITS.iter().filter(|e| e.1 == id).collect();
    for (exit, _, _, _, v4, v6, _) in &own {
        write!(t, "interface to-{}\n ip address {}/31\n ipv6 address {}/127\nexit\n!\n", &exit[3..], next(v4), next(v6)).unwrap();
    }
    if edge {
        write!(t, "ip route {} blackhole\nipv6 route {} blackhole\n", OWN[0], OWN[1]).unwrap();
        edge_policy(&mut t, &own.iter().map(|e| (e.0, e.2)).collect::<Vec<_>>());
    }
    write!(t, "router bgp 65001\n bgp router-id 10.0.0.{n}\n no bgp default ipv4-unicast\n").unwrap();
    for (_, _, _, remote_as, v4, v6, _) in &own {
        write!(t, " neighbor {v4} remote-as {remote_as}\n neighbor {v6} remote-as {remote_as}\n").unwrap();
    }
    let inside: Vec<u8> = if id == "r3" { vec![1, 2, 4, 5] } else { vec![3] };
    for peer in &inside {
        for address in [format!("10.0.0.{peer}"), format!("2001:db8:ff::{peer}")] {
            write!(t, " neighbor {address} remote-as 65001\n neighbor {address} update-source lo\n").unwrap();
        }
    }
    for (family, six) in [("ipv4", ""), ("ipv6", "6")] {
        writeln!(t, " !\n address-family {family} unicast").unwrap();
        if edge {
            writeln!(t, "  network {}", OWN[usize::from(!six.is_empty())]).unwrap();
        }
        for (exit, _, _, _, v4, v6, _) in &own {
            let (address, name) = (if six.is_empty() { v4 } else { v6 }, exit[3..].to_uppercase());
            write!(t, "  neighbor {address} activate\n  neighbor {address} route-map {name}-IN{six} in\n  neighbor {address} route-map {name}-OUT{six} out\n").unwrap();
        }
        for peer in &inside {
            let address = if six.is_empty() { format!("10.0.0.{peer}") } else { format!("2001:db8:ff::{peer}") };
            writeln!(t, "  neighbor {address} activate").unwrap();
            if edge {
                writeln!(t, "  neighbor {address} next-hop-self").unwrap();
            }
            if id == "r3" {
                writeln!(t, "  neighbor {address} route-reflector-client").unwrap();
            }
        }
        writeln!(t, " exit-address-family").unwrap();
    }
    t.push_str("exit\n!\n");
    t
}

fn edge_policy(t: &mut String, exits: &[(&str, &str)]) {
    for class in 1..=3 {
        writeln!(t, "bgp community-list standard CLASS{class} seq 5 permit 64500:{class}").unwrap();
    }
    for (ip, six, own, bogon) in [("ip", "", OWN[0], "10.0.0.0/8"), ("ipv6", "6", OWN[1], "fc00::/7")] {
        let longest = if six.is_empty() { 32 } else { 128 };
        write!(t, "{ip} prefix-list OWN{six} seq 5 permit {own}\n{ip} prefix-list BOGON{six} seq 5 permit {own} le {longest}\n").unwrap();
        writeln!(t, "{ip} prefix-list BOGON{six} seq 10 permit {bogon} le {longest}").unwrap();
        for (exit, provider) in exits {
            let name = exit[3..].to_uppercase();
            let (class, lp, tag) = match *provider {
                "isp-a" => (1, 150, 100),
                "isp-b" => (2, 140, 200),
                _ => (3, 130, 300),
            };
            write!(t, "route-map {name}-IN{six} deny 10\n match {ip} address prefix-list BOGON{six}\nexit\n!\n").unwrap();
            write!(t, "route-map {name}-IN{six} permit 100\n match community CLASS{class}\n set local-preference 200\n set community 65001:{tag} additive\nexit\n!\n").unwrap();
            write!(t, "route-map {name}-IN{six} permit 200\n set local-preference {lp}\n set community 65001:{tag} additive\nexit\n!\n")
                .unwrap();
            write!(t, "route-map {name}-OUT{six} permit 10\n match {ip} address prefix-list OWN{six}\nexit\n!\n").unwrap();
        }
    }
}
