//! Real streams of three FRR 8.4.4 routers over a boot and failures, against what the router itself said at the end: our own recording
//! (`tests/recordings`), and another, longer one where it is at hand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]
#![allow(clippy::disallowed_methods, reason = "recordings are read in place; only tests do this")]

use bgp::{Asn, Prefix};
use bmp::{Framer, View};
use core::net::IpAddr;
use network::{BmpEvent, DeviceRole, DeviceSpec, Freshness, Inventory, Network, Observation};
use std::collections::BTreeMap;
use units::Timestamp;

const OWN: &str = "../../../tests/recordings/seed";
const LAB: &str = "../../../../shared/data/lab";

/// Returns the stream of a router in one of the two recordings.
fn stream(lab: &str, n: u8) -> Option<Vec<u8>> {
    let name = if lab == OWN { format!("bmp/r{n}.bmp") } else { format!("bmp-raw/10.99.0.{n}.bmp") };
    std::fs::read(format!("{lab}/{name}")).ok()
}

fn inventory() -> Inventory {
    let device = |n: u8, role| DeviceSpec {
        id: format!("r{n}").as_str().into(),
        hostname: format!("r{n}"),
        role,
        router_id: core::net::Ipv4Addr::new(10, 0, 0, n),
        bmp: None,
        gnmi: None,
        netconf: None,
    };
    Inventory {
        name: "lab".to_owned(),
        lab: None,
        own_asn: Asn(65001),
        own_prefixes: vec![],
        public_space: vec!["198.18.0.0/15".parse().unwrap(), "203.0.113.0/24".parse().unwrap()],
        devices: vec![device(1, DeviceRole::Edge), device(2, DeviceRole::Edge), device(3, DeviceRole::Reflector)],
        providers: vec![],
        exits: vec![],
        groups: vec![],
        ..Inventory::empty("")
    }
}

/// Plays a stream at one message a millisecond.
fn play(network: &mut Network, device: &str, stream: &[u8]) -> (Timestamp, usize) {
    let (mut framer, mut now, mut messages) = (Framer::new(), Timestamp::from_millis(1_000_000), 0);
    let see = |network: &mut Network, event, now| network.observe(&Observation::Bmp { device: device.into(), event }, now);
    see(network, BmpEvent::Connected, now);
    framer.push(stream);
    while let Some(frame) = framer.next() {
        now = Timestamp::from_nanos(now.nanos() + 1_000_000);
        messages += 1;
        see(network, BmpEvent::Message { bytes: frame.unwrap().bytes }, now);
    }
    (now, messages)
}

#[test]
fn three_routers_of_our_lab_give_sane_tables() {
    sane_tables(OWN);
}

#[test]
fn three_routers_of_the_other_lab_give_sane_tables() {
    if std::fs::exists(LAB).unwrap_or(false) { sane_tables(LAB) } else { println!("skipped: no lab recordings at {LAB}") }
}

fn sane_tables(lab: &str) {
    let mut network = Network::new(inventory());
    for n in 1..=3 {
        let stream = stream(lab, n).unwrap();
        let id = format!("r{n}");
        let (end, messages) = play(&mut network, &id, &stream);
        network.tick(Timestamp::from_millis(end.nanos() / 1_000_000 + 3000));
        let device = &network.devices[&id.as_str().into()];
        println!("{id}: {messages} messages, malformed {}, repairs {:?}, {:?}", device.malformed, device.repairs, device.bmp);
        let r = id.as_str().into();
        for (neighbor, view, rib) in network.adj_ribs(&r) {
            println!("  {neighbor} {view:?}: {} routes", rib.len());
        }
        assert_eq!(device.malformed, 0, "{:?}", device.last_malformed);
        assert!(network.adj_ribs(&r).map(|(_, _, rib)| rib.len()).sum::<usize>() > 100);
        let post = network.adj_ribs(&r).filter(|(_, view, _)| *view == View::AdjRibInPost);
        let loops: Vec<_> =
            post.flat_map(|(k, _, rib)| rib.routes().map(move |e| (k, e))).filter(|(_, (_, a))| a.as_path.contains(Asn(65001))).collect();
        assert!(loops.is_empty(), "the router's own AS is in no path that it accepted: {loops:?}");
    }
    assert!(network.devices[&"r1".into()].repairs.contains_key("frr_own_as_in_front"));
    let text = serde_json::to_string(&network).unwrap();
    assert_eq!(serde_json::from_str::<Network>(&text).unwrap(), network, "saved and read again");
}

#[test]
fn the_external_table_of_our_r1_is_what_r1_itself_shows() {
    external_table(OWN);
}

#[test]
fn the_external_table_of_the_other_r1_is_what_r1_itself_shows() {
    if std::fs::exists(LAB).unwrap_or(false) { external_table(LAB) } else { println!("skipped: no lab recordings at {LAB}") }
}

fn external_table(lab: &str) {
    let (stream, shown) = (stream(lab, 1).unwrap(), std::fs::read(format!("{lab}/vtysh/r1-bgp-ipv4.json")).unwrap());
    let mut network = Network::new(inventory());
    play(&mut network, "r1", &stream);
    let device = &network.devices[&"r1".into()];
    let shown: serde_json::Value = serde_json::from_slice(&shown).unwrap();
    let mut wanted: BTreeMap<(IpAddr, Prefix), String> = BTreeMap::new();
    for (prefix, paths) in shown["routes"].as_object().unwrap() {
        for path in paths.as_array().unwrap().iter().filter(|p| p["pathFrom"] == "external") {
            if let Ok(peer) = path["peerId"].as_str().unwrap().parse() {
                wanted.insert((peer, prefix.parse().unwrap()), path["path"].as_str().unwrap().to_owned());
            }
        }
    }
    assert!(wanted.len() > 100);
    let mut differing = Vec::new();
    for ((peer, prefix), as_path) in &wanted {
        let seen = network.adj_rib(&"r1".into(), *peer, View::AdjRibInPost).get(prefix).map(|a| a.as_path.to_string());
        if seen.as_ref() != Some(as_path) {
            differing.push((peer, prefix, as_path, seen));
        }
    }
    println!("{} external routes compared, {} differ", wanted.len(), differing.len());
    assert!(differing.is_empty(), "{differing:?}");
    assert!(matches!(device.bmp, Freshness::Initial { .. } | Freshness::Synced { .. }));
}
