//! Bytes per prefix, exit and direction out of flow records, and what the interface's counters say to it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use action::DeviceId;
use bgp::{Asn, PathAttributes, Prefix};
use bmp::View;
use core::net::{IpAddr, Ipv4Addr};
use flow::{Direction, FlowRecord, Protocol, Sampling};
use gnmi::{Notification, Update, Value};
use network::{
    DeviceRole, DeviceSpec, ExitSpec, FlowVolumes, GnmiEvent, Inventory, Network, Observation, Reconciled, Toward, longest_match,
};
use serde_json::json;
use std::sync::Arc;
use units::Timestamp;

const MINUTE: i64 = 60;

/// The beginning of a minute, and seconds after it.
fn t(seconds: i64) -> Timestamp {
    Timestamp::from_millis((1_795_435_200 + seconds) * 1000)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn p(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn r1() -> DeviceId {
    "r1".into()
}

fn exit(id: &str, interface: &str, neighbor: &str) -> ExitSpec {
    ExitSpec {
        id: id.into(),
        device: r1(),
        provider: "isp".into(),
        interface: interface.to_owned(),
        remote_as: Asn(64_500),
        neighbors: vec![ip(neighbor)],
        capacity_bps: 100_000_000,
        role: None,
    }
}

/// One router with exits on eth1 (ifIndex 11) and eth2 (12), inside on eth0 (10); ours is 198.51.100.0/24.
fn network() -> Network {
    let device = DeviceSpec {
        id: r1(),
        hostname: "r1".to_owned(),
        role: DeviceRole::Edge,
        router_id: Ipv4Addr::new(10, 0, 0, 1),
        bmp: None,
        gnmi: None,
        netconf: None,
    };
    let mut inventory = Inventory::empty("test");
    inventory.own_prefixes = vec![p("198.51.100.0/24"), p("198.51.100.128/25"), p("2001:db8:1::/48")];
    inventory.devices = vec![device];
    inventory.exits = vec![exit("a", "eth1", "172.31.1.1"), exit("b", "eth2", "172.31.2.1")];
    let mut network = Network::new(inventory);
    let route = Arc::new(PathAttributes::default());
    let outside = ["203.0.113.0/24", "203.0.113.128/25", "203.0.0.0/16", "2001:db8:2::/48"];
    let rib = outside.iter().map(|x| (p(x), Arc::clone(&route))).collect();
    network.set_adj_rib(&r1(), ip("172.31.1.1"), View::AdjRibInPre, rib);
    let device = network.devices.get_mut(&r1()).unwrap();
    for (name, index) in [("eth0", 10), ("eth1", 11), ("eth2", 12)] {
        device.interfaces.entry(name.to_owned()).or_default().ifindex = Some(index);
    }
    network
}

fn flow(from: &str, to: &str, ports: (u32, u32), bytes: u64, seconds: (i64, i64)) -> FlowRecord {
    FlowRecord {
        exporter: ip("192.0.2.1"),
        protocol: Protocol::Ipfix,
        domain: 0,
        start_ns: t(seconds.0).nanos(),
        end_ns: t(seconds.1).nanos(),
        ingress: Some(ports.0),
        egress: Some(ports.1),
        source: Some(ip(from)),
        destination: Some(ip(to)),
        next_hop: None,
        source_as: None,
        destination_as: None,
        vlan: None,
        direction: None,
        bytes,
        packets: 1,
        scaled_bytes: bytes,
        scaled_packets: 1,
        sampling: Sampling::NOT_TOLD,
    }
}

const OUT: (u32, u32) = (10, 11);
const IN: (u32, u32) = (11, 10);

/// An account that has run for a while, so that the minute 0…60 counts.
fn running(network: &Network) -> FlowVolumes {
    let mut volumes = FlowVolumes::default();
    volumes.take(network, &r1(), &flow("198.51.100.1", "198.51.100.2", OUT, 0, (-300, -240)), t(-200));
    volumes
}

/// Takes `flows` half a minute after minute 0…60 and returns the rates once that minute is complete.
fn rates(flows: &[FlowRecord]) -> Vec<(String, Toward, String, u64)> {
    let network = network();
    let mut volumes = running(&network);
    for flow in flows {
        volumes.take(&network, &r1(), flow, t(90));
    }
    let rates = volumes.rates(t(155));
    rates.into_iter().map(|((e, d, p), bps)| (e.to_string(), d, p.to_string(), bps)).collect()
}

#[test]
fn the_longest_route_of_the_device_gets_the_bytes() {
    let to = |address| flow("198.51.100.1", address, OUT, 7500, (10, 20));
    let got = rates(&[to("203.0.113.5"), to("203.0.113.6"), to("203.0.113.200"), to("203.0.9.9")]);
    let wanted = [("203.0.0.0/16", 1000), ("203.0.113.0/24", 2000), ("203.0.113.128/25", 1000)];
    assert_eq!(got, wanted.map(|(prefix, bps)| ("a".to_owned(), Toward::Outside, prefix.to_owned(), bps)));
    let six = rates(&[flow("2001:db8:1::1", "2001:db8:2::9", OUT, 7500, (10, 20))]);
    assert_eq!(six, [("a".to_owned(), Toward::Outside, "2001:db8:2::/48".to_owned(), 1000)]);
    assert_eq!(longest_match(&network(), &r1(), ip("8.8.8.8")), None);
}

#[test]
fn own_prefixes_decide_the_direction() {
    let got = rates(&[flow("203.0.113.5", "198.51.100.200", IN, 7500, (0, 59))]);
    assert_eq!(got, [("a".to_owned(), Toward::Inside, "198.51.100.128/25".to_owned(), 1000)]);
    let through = rates(&[flow("192.0.2.77", "203.0.113.5", (12, 11), 7500, (0, 59))]);
    let prefix = "203.0.113.0/24".to_owned();
    let wanted = [("a".to_owned(), Toward::Outside, prefix.clone(), 1000), ("b".to_owned(), Toward::Inside, prefix, 1000)];
    assert_eq!(through, wanted, "transit comes in by one exit and leaves by the other");
}

#[test]
fn an_exit_is_known_by_its_neighbour_where_the_interface_is_not() {
    let mut record = flow("198.51.100.1", "203.0.113.5", (10, 999), 7500, (0, 59));
    record.next_hop = Some(ip("172.31.2.1"));
    assert_eq!(rates(&[record]), [("b".to_owned(), Toward::Outside, "203.0.113.0/24".to_owned(), 1000)]);
}

#[test]
fn a_flow_that_both_sides_of_the_router_tell_counts_once() {
    let side = |direction, bytes| {
        let mut record = flow("198.51.100.1", "203.0.113.5", OUT, bytes, (0, 59));
        record.direction = Some(direction);
        record
    };
    let got = rates(&[side(Direction::Ingress, 7500), side(Direction::Egress, 7400), side(Direction::Ingress, 7500)]);
    assert_eq!(got[0].3, 2000, "the side that saw more");
}

#[test]
fn figures_are_scaled_by_sampling() {
    let mut record = flow("198.51.100.1", "203.0.113.5", OUT, 75, (0, 59));
    record.scaled_bytes = 7500;
    assert_eq!(rates(&[record])[0].3, 1000);
}

#[test]
fn a_long_flow_is_spread_over_the_minutes_it_ran() {
    // three minutes from half a minute before: 30, 60, 60, 30 seconds
    let network = network();
    let mut volumes = running(&network);
    let record = flow("198.51.100.1", "203.0.113.5", OUT, 180_001, (-30, 150));
    volumes.take(&network, &r1(), &record, t(155));
    let at = |seconds| volumes.rates(t(seconds)).into_values().sum::<u64>() * 60 / 8;
    let told: Vec<u64> = [155 - MINUTE, 155, 155 + MINUTE].map(at).to_vec();
    assert_eq!(told, [30_000, 60_000, 60_000]);
    // the account closes when nothing newer comes
    volumes.take(&network, &r1(), &flow("198.51.100.1", "198.51.100.2", OUT, 0, (270, 280)), t(280));
    let last = volumes.rates(t(155 + 2 * MINUTE)).into_values().sum::<u64>();
    assert_eq!(last, 30_001 * 8 / 60, "nothing is lost in the division");
}

#[test]
fn without_flow_export_the_volume_is_unknown_and_not_zero() {
    let network = network();
    let exit = &network.inventory.exits[0];
    let volumes = FlowVolumes::default();
    assert!(volumes.rates(t(0)).is_empty());
    assert_eq!(volumes.reconcile(&network, exit, Toward::Outside, t(0)), Reconciled::Unknown);
    // an exporter that fell silent is no proof of silence on the line
    let mut volumes = running(&network);
    volumes.take(&network, &r1(), &flow("198.51.100.1", "203.0.113.5", OUT, 7500, (0, 59)), t(90));
    assert!(!volumes.rates(t(155)).is_empty());
    assert!(volumes.rates(t(155 + 5 * MINUTE)).is_empty());
    assert_eq!(volumes.reconcile(&network, exit, Toward::Outside, t(155 + 5 * MINUTE)), Reconciled::Unknown);
    // the minute in which the first flow came was not told whole
    let mut volumes = FlowVolumes::default();
    volumes.take(&network, &r1(), &flow("198.51.100.1", "203.0.113.5", OUT, 7500, (0, 30)), t(31));
    assert!(volumes.rates(t(155)).is_empty());
}

fn counted(network: &mut Network, out_octets_per_minute: u64) {
    for (seconds, octets) in [(0, 1000), (60, 1000 + out_octets_per_minute), (120, 1000 + out_octets_per_minute)] {
        let counters = json!({"in-octets": 5, "out-octets": octets});
        let notification = Notification {
            timestamp: t(seconds).nanos(),
            origin: String::new(),
            updates: vec![Update {
                path: "/interfaces/interface[name=eth1]/state/counters".parse().unwrap(),
                value: Value::Json(counters),
            }],
            deletes: vec![],
            atomic: false,
            prefix: gnmi::Path::default(),
            duplicates: 0,
        };
        let event = GnmiEvent::Notification { notification };
        network.observe(&Observation::Gnmi { device: r1(), event }, t(seconds));
    }
}

#[test]
fn what_counters_saw_and_flows_did_not_is_told_as_unattributed() {
    let mut network = network();
    let exit = network.inventory.exits[0].clone();
    let mut volumes = running(&network);
    volumes.take(&network, &r1(), &flow("198.51.100.1", "203.0.113.5", OUT, 7500, (0, 59)), t(90));
    let told = |network: &Network| volumes.reconcile(network, &exit, Toward::Outside, t(155));
    assert_eq!(told(&network), Reconciled::NoCounters { attributed_bps: 1000 });
    counted(&mut network, 10_000);
    assert_eq!(told(&network), Reconciled::Gap { attributed_bps: 1000, counted_bps: 1333, unattributed_permille: 250 });
}

#[test]
fn what_the_edges_of_a_minute_explain_is_no_fault_of_the_accounts() {
    let mut network = network();
    let exit = network.inventory.exits[0].clone();
    counted(&mut network, 10_000);
    // the counters say 1,333 bit/s
    for (bytes, told) in [
        (10_065, Reconciled::Gap { attributed_bps: 1342, counted_bps: 1333, unattributed_permille: 0 }),
        (10_125, Reconciled::OverAttributed { attributed_bps: 1350, counted_bps: 1333 }),
    ] {
        let mut volumes = running(&network);
        volumes.take(&network, &r1(), &flow("198.51.100.1", "203.0.113.5", OUT, bytes, (0, 59)), t(90));
        assert_eq!(volumes.reconcile(&network, &exit, Toward::Outside, t(155)), told);
    }
}

#[test]
fn more_than_the_interface_carried_is_said_and_never_a_negative_gap() {
    let mut network = network();
    let exit = network.inventory.exits[0].clone();
    let mut volumes = running(&network);
    volumes.take(&network, &r1(), &flow("198.51.100.1", "203.0.113.5", OUT, 75_000, (0, 59)), t(90));
    counted(&mut network, 10_000);
    let told = volumes.reconcile(&network, &exit, Toward::Outside, t(155));
    assert_eq!(told, Reconciled::OverAttributed { attributed_bps: 10_000, counted_bps: 1333 });
}

#[test]
fn what_has_no_place_is_counted_by_reason() {
    let network = network();
    let mut volumes = running(&network);
    let mut take = |record: &FlowRecord| volumes.take(&network, &r1(), record, t(90));
    take(&flow("198.51.100.1", "198.51.100.2", OUT, 1, (0, 59)));
    take(&FlowRecord { source: None, ..flow("198.51.100.1", "203.0.113.5", OUT, 20, (0, 59)) });
    take(&flow("198.51.100.1", "203.0.113.5", (10, 10), 300, (0, 59)));
    take(&flow("198.51.100.1", "8.8.8.8", OUT, 4000, (0, 59)));
    take(&flow("198.51.100.1", "203.0.113.5", OUT, 50_000, (-1200, -800)));
    let u = volumes.unplaced();
    assert_eq!((u.internal, u.no_address, u.no_exit, u.no_route), (1, 20, 300, 4000));
    assert_eq!((u.too_late, u.not_kept, volumes.clock_off()), (0, 0, 1), "a clock that is off is not believed");
    volumes.take(&network, &r1(), &flow("198.51.100.1", "203.0.113.5", OUT, 60_000, (-1110, 90)), t(90));
    assert_eq!(volumes.unplaced().too_late, 60_000 * 570 / 1200, "what ran before minute -9, where the account begins");
}

#[test]
fn the_account_survives_being_written_and_read() {
    let network = network();
    let mut volumes = running(&network);
    for n in 0..50_u64 {
        volumes.take(&network, &r1(), &flow("198.51.100.1", "203.0.113.5", OUT, n * 1001, (n as i64 * 3 - 60, n as i64 * 4)), t(200));
    }
    let text = serde_json::to_string(&volumes).unwrap();
    let again: FlowVolumes = serde_json::from_str(&text).unwrap();
    assert_eq!(again, volumes);
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
}

#[test]
fn interfaces_tell_their_index_by_gnmi() {
    let mut network = network();
    network.devices.get_mut(&r1()).unwrap().interfaces.clear();
    let path = "/interfaces/interface[name=eth7]/state".parse().unwrap();
    let update = Update { path, value: Value::Json(json!({"ifindex": 77, "oper-status": "UP"})) };
    let notification = Notification {
        timestamp: t(0).nanos(),
        origin: String::new(),
        updates: vec![update],
        deletes: vec![],
        atomic: false,
        prefix: gnmi::Path::default(),
        duplicates: 0,
    };
    network.observe(&Observation::Gnmi { device: r1(), event: GnmiEvent::Notification { notification } }, t(0));
    assert_eq!(network.devices[&r1()].interfaces["eth7"].ifindex, Some(77));
}
