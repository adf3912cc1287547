//! One edge from its real BMP stream and running configuration, against the table that the router itself shows: our own recording
//! (`tests/recordings`), and another one where it is at hand.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a whole file of tests")]

use action::DeviceId;
use bgp::{Asn, Prefix};
use bmp::Framer;
use core::net::{IpAddr, Ipv4Addr};
use network::{BmpEvent, DeviceConfig, DeviceRole, DeviceSpec, Inventory, LocRoute, Network, Observation};
use serde_json::Value;
use std::sync::Arc;
use twin::{Picture, Source, Twin};
use units::Timestamp;

const OWN: &str = "../../../tests/recordings/seed";
const LAB: &str = "../../../../shared/data/lab";

/// The picture that the stream of r1 paints; r1 alone.
fn picture(stream: &[u8], config: &str) -> Network {
    let id = DeviceId::from("r1");
    let spec = DeviceSpec {
        id: id.clone(),
        hostname: "r1".to_owned(),
        role: DeviceRole::Edge,
        router_id: Ipv4Addr::new(10, 0, 0, 1),
        bmp: None,
        gnmi: None,
        netconf: None,
    };
    let mut network = Network::new(Inventory {
        name: "recorded".to_owned(),
        lab: None,
        own_asn: Asn(65001),
        own_prefixes: vec![],
        public_space: vec![],
        devices: vec![spec],
        providers: vec![],
        exits: vec![],
        groups: vec![],
        ..Inventory::empty("")
    });
    let mut framer = Framer::new();
    framer.push(stream);
    let mut see = |event| network.observe(&Observation::Bmp { device: id.clone(), event }, Timestamp::EPOCH);
    see(BmpEvent::Connected);
    while let Some(frame) = framer.next() {
        see(BmpEvent::Message { bytes: frame.unwrap().bytes });
    }
    let device = network.devices.get_mut(&id).unwrap();
    let model = config::frr::parse(config);
    device.config = Some(Arc::new(DeviceConfig { at: Timestamp::EPOCH, digest: String::new(), text: config.to_owned(), model }));
    network
}

#[test]
fn import_policy_makes_of_our_stream_what_the_router_shows() {
    assert!(as_the_router_shows(OWN, "bmp/r1.bmp"));
}

#[test]
fn import_policy_makes_of_the_other_stream_what_the_router_shows() {
    if !as_the_router_shows(LAB, "bmp-raw/10.99.0.1.bmp") {
        println!("skipped: no lab recordings at {LAB}");
    }
}

/// Compares one recording; `false`: it is not there.
#[allow(clippy::disallowed_methods, reason = "recordings are read in place; only tests do this")]
fn as_the_router_shows(lab: &str, stream: &str) -> bool {
    let (Ok(stream), Ok(config), Ok(shown)) = (
        std::fs::read(format!("{lab}/{stream}")),
        std::fs::read_to_string(format!("{lab}/vtysh/r1-running.conf")),
        std::fs::read(format!("{lab}/vtysh/r1-bgp-ipv4.json")),
    ) else {
        return false;
    };
    let shown: Value = serde_json::from_slice(&shown).unwrap();
    let mut network = picture(&stream, &config);
    report(&mut network, &shown);
    let picture = Picture::of(&network).unwrap();
    let twin = Twin::new(&picture);
    let r1 = DeviceId::from("r1");
    let (mut paths, mut bests) = (0, 0);
    for (prefix, rows) in shown["routes"].as_object().unwrap() {
        let prefix = prefix.parse::<Prefix>().unwrap();
        for row in rows.as_array().unwrap().iter().filter(|r| r["pathFrom"] == "external") {
            let Ok(peer) = row["peerId"].as_str().unwrap().parse::<IpAddr>() else { continue };
            paths += 1;
            // the reflector's paths are not in this picture: what won against them wins without them
            if row["bestpath"] != Value::Bool(true) {
                continue;
            }
            let best = twin.best(&r1, &prefix).unwrap_or_else(|| panic!("no path to {prefix}"));
            assert!(matches!(best.source, Source::External { neighbor, .. } if neighbor == peer), "{prefix}: {}", best.source);
            assert_eq!(best.attributes.as_path.to_string(), row["path"].as_str().unwrap(), "{prefix} from {peer}");
            assert_eq!(best.attributes.local_pref.map(u64::from), row["locPrf"].as_u64(), "{prefix} from {peer}");
            assert_eq!(u64::from(best.attributes.med.unwrap_or(0)), row["metric"].as_u64().unwrap_or(0), "{prefix} from {peer}");
            bests += 1;
        }
    }
    println!("{paths} external paths and {bests} choices compared");
    assert!(paths > 100 && bests > 50);
    true
}

/// What the router has selected, for the step that keeps the older path.
fn report(network: &mut Network, shown: &Value) {
    let mut rib = std::collections::BTreeMap::new();
    for (prefix, rows) in shown["routes"].as_object().unwrap() {
        let best = rows.as_array().unwrap().iter().find(|r| r["bestpath"] == Value::Bool(true));
        let next_hop = best.and_then(|r| r["nexthops"][0]["ip"].as_str()).and_then(|a| a.parse().ok());
        let attributes = Arc::new(bgp::PathAttributes { next_hop, ..bgp::PathAttributes::default() });
        rib.insert(prefix.parse().unwrap(), LocRoute { attributes });
    }
    network.devices.get_mut(&DeviceId::from("r1")).unwrap().loc_rib = Arc::new(rib);
}
