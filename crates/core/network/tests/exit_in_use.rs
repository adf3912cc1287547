//! Following the routers' own tables to the exit that a prefix takes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use action::{DeviceId, ExitId};
use bgp::{Asn, PathAttributes, Prefix};
use core::net::{IpAddr, Ipv4Addr};
use network::{DeviceConfig, DeviceRole, DeviceSpec, ExitSpec, Freshness, Inventory, LocRoute, Network};
use std::collections::BTreeMap;
use std::sync::Arc;
use units::Timestamp;

const PREFIX: &str = "203.0.113.0/24";
const EDGE_LOOPBACK: &str = "2001:db8:ff::1";
const NEIGHBOR: &str = "172.31.1.1";

fn spec(id: &str, role: DeviceRole, last: u8) -> DeviceSpec {
    let router_id = Ipv4Addr::new(10, 0, 0, last);
    DeviceSpec { id: id.into(), hostname: id.to_owned(), role, router_id, bmp: None, gnmi: None, netconf: None }
}

/// Edge r1 with one exit; spine r4 reaches it by its loopback.
fn network() -> Network {
    let exit = ExitSpec {
        id: "r1-ispa".into(),
        device: "r1".into(),
        provider: "isp-a".into(),
        interface: "eth0".to_owned(),
        remote_as: Asn(1234),
        neighbors: vec![NEIGHBOR.parse().unwrap()],
        capacity_bps: 100_000_000,
        role: None,
    };
    let mut network = Network::new(Inventory {
        name: "test".to_owned(),
        lab: None,
        own_asn: Asn(65001),
        own_prefixes: vec![],
        public_space: vec![],
        devices: vec![spec("r1", DeviceRole::Edge, 1), spec("r4", DeviceRole::Spine, 4)],
        providers: vec![],
        exits: vec![exit],
        groups: vec![],
        ..Inventory::empty("")
    });
    let text = format!("interface lo\n ipv6 address {EDGE_LOOPBACK}/128\nexit\n");
    let config = DeviceConfig { at: Timestamp::from_millis(0), digest: String::new(), model: config::frr::parse(&text), text };
    network.devices.get_mut(&DeviceId::from("r1")).unwrap().config = Some(Arc::new(config));
    for (device, next_hop) in [("r1", NEIGHBOR), ("r4", EDGE_LOOPBACK)] {
        let device = network.devices.get_mut(&DeviceId::from(device)).unwrap();
        device.gnmi = Freshness::Synced { last: Timestamp::from_millis(0) };
        device.loc_rib = Arc::new(BTreeMap::from([(prefix(), route(next_hop))]));
    }
    network
}

fn prefix() -> Prefix {
    PREFIX.parse().unwrap()
}

fn route(next_hop: &str) -> LocRoute {
    let next_hop: IpAddr = next_hop.parse().unwrap();
    LocRoute { attributes: Arc::new(PathAttributes { next_hop: Some(next_hop), ..PathAttributes::default() }) }
}

fn counted(network: &Network, to: &str) -> Option<(u64, u64)> {
    network.moves_in_use([(&prefix(), &[ExitId::from(to)][..])])
}

#[test]
fn the_way_is_followed_through_the_next_router_to_its_exit() {
    let network = network();
    assert_eq!(network.exit_in_use(&"r4".into(), &prefix()).unwrap().id, ExitId::from("r1-ispa"));
    assert_eq!(counted(&network, "r1-ispa"), Some((1, 1)));
    assert_eq!(counted(&network, "r2-ispc"), Some((0, 1)));
}

#[test]
fn tables_that_point_at_each_other_lead_nowhere() {
    let mut network = network();
    let r1 = network.devices.get_mut(&DeviceId::from("r1")).unwrap();
    r1.loc_rib = Arc::new(BTreeMap::from([(prefix(), route(EDGE_LOOPBACK))]));
    assert_eq!(network.exit_in_use(&"r4".into(), &prefix()), None);
    assert_eq!(counted(&network, "r1-ispa"), Some((0, 1)));
}

#[test]
fn stale_tables_say_nothing() {
    let mut network = network();
    network.devices.get_mut(&DeviceId::from("r4")).unwrap().gnmi = Freshness::Unknown;
    assert_eq!(counted(&network, "r1-ispa"), None);
}
