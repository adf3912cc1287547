//! Best paths against tables that FRR 8.4.4 computed. Skipped where the recorded cases are not at hand.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a whole file of tests")]

use action::DeviceId;
use bgp::{AsPath, Asn, Family, Origin, PathAttributes, Prefix};
use bmp::View;
use config::{PolicyOutcome, RouterConfig};
use core::net::{IpAddr, Ipv4Addr};
use network::{AdjRib, DeviceConfig, DeviceRole, DeviceSpec, Inventory, LocRoute, Network, Opened, Session, SessionState};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use twin::{Best, Picture, Step, Twin};
use units::Timestamp;

const DATA: &str = "../../../../shared/data/twin";
const OWN: Asn = Asn(65001);
const CASES: [&str; 4] = ["own_decision_default", "own_decision_det_med", "own_decision_aspath_ignore", "own_decision_mpath_relax"];
/// Routers of the own AS; the others are its neighbours.
const INSIDE: [&str; 2] = ["r1", "r5"];

struct Case {
    configs: BTreeMap<String, RouterConfig>,
    tables: Value,
}

#[allow(clippy::disallowed_methods, reason = "recorded cases are read in place; only tests do this")]
fn case(name: &str) -> Option<Case> {
    let folder = format!("{}/{name}", std::env::var("PILOTHOUSE_TWIN_CORPUS").unwrap_or_else(|_| DATA.to_owned()));
    let tables = serde_json::from_str(&std::fs::read_to_string(format!("{folder}/frr-8.4.4-tables.json")).ok()?).ok()?;
    let configs = ["r1", "r2", "r3", "r4", "r5"].map(|r| {
        let text = std::fs::read_to_string(format!("{folder}/configs/{r}/frr.conf")).unwrap();
        (r.to_owned(), config::frr::parse(&text))
    });
    Some(Case { configs: configs.into(), tables })
}

/// What an outside router announces: its `network` statements through its export policy, with its AS in front.
fn announced(config: &RouterConfig, to: IpAddr, from: IpAddr) -> AdjRib {
    let bgp = config.bgp.as_ref().unwrap();
    let export = bgp.neighbors[&to].families[&Family::Ipv4Unicast].export.clone().unwrap();
    let mut rib = AdjRib::new();
    for network in &bgp.networks {
        let local = PathAttributes { med: Some(0), origin: Origin::Igp, ..PathAttributes::default() };
        if let PolicyOutcome::Accepted { mut attributes, .. } = config.policy.evaluate(&export, &network.prefix, &local) {
            attributes.as_path = attributes.as_path.prepend(bgp.asn, 1);
            attributes.next_hop = Some(from);
            rib.insert(network.prefix, Arc::new(attributes));
        }
    }
    rib
}

fn owns(config: &RouterConfig, address: IpAddr) -> bool {
    config.interfaces.values().any(|i| i.addresses.iter().any(|(a, _)| *a == address))
}

fn network(case: &Case) -> Network {
    let router_id = |r: &str| case.configs[r].bgp.as_ref().unwrap().router_id.unwrap();
    let spec = |r: &&str| DeviceSpec {
        id: DeviceId::from(*r),
        hostname: (*r).to_owned(),
        role: DeviceRole::Edge,
        router_id: router_id(r),
        bmp: None,
        gnmi: None,
        netconf: None,
    };
    let inventory = Inventory {
        name: "corpus".to_owned(),
        lab: None,
        own_asn: OWN,
        own_prefixes: vec![],
        public_space: vec![],
        devices: INSIDE.iter().map(spec).collect(),
        providers: vec![],
        exits: vec![],
        groups: vec![],
        ..Inventory::empty("")
    };
    let mut network = Network::new(inventory);
    for r in INSIDE {
        let config = &case.configs[r];
        let device = network.devices.get_mut(&DeviceId::from(r)).unwrap();
        device.config =
            Some(Arc::new(DeviceConfig { at: Timestamp::EPOCH, digest: String::new(), text: String::new(), model: config.clone() }));
        let outside = config.bgp.as_ref().unwrap().neighbors.iter().filter(|(_, n)| n.remote_as != OWN);
        for (address, _) in outside {
            let far = case.configs.values().find(|c| owns(c, *address)).unwrap();
            let here = far.bgp.as_ref().unwrap().neighbors.keys().copied().find(|a| owns(config, *a)).unwrap();
            let local_address = here;
            let opened = Opened {
                local_address,
                local_as: Some(OWN),
                remote_id: far.bgp.as_ref().unwrap().router_id.unwrap(),
                hold_time_s: Some(180),
                families: Vec::new(),
            };
            let session = Session { state: SessionState::Established, opened: Some(opened), ..Session::default() };
            network.devices.get_mut(&DeviceId::from(r)).unwrap().sessions.insert(*address, session);
            network.set_adj_rib(&DeviceId::from(r), *address, View::AdjRibInPre, announced(far, here, *address));
        }
    }
    network
}

/// The best path as FRR shows it: neighbour, AS path, LOCAL_PREF, MED.
type Row = (IpAddr, String, u64, u64);

fn frr_row(path: &Value) -> Row {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let as_path = text(&path["aspath"]["string"]);
    (
        text(&path["peer"]["peerId"]).parse().unwrap(),
        if as_path == "Local" { String::new() } else { as_path },
        path["locPrf"].as_u64().unwrap_or(100),
        path["metric"].as_u64().unwrap_or(0),
    )
}

fn best_row(table: &Value) -> Row {
    let best = table["paths"].as_array().unwrap().iter().find(|p| p["bestpath"]["overall"] == Value::Bool(true));
    frr_row(best.unwrap())
}

fn twin_row(best: &Best<'_>) -> Row {
    (
        best.source.neighbor().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        best.attributes.as_path.to_string(),
        u64::from(best.attributes.local_pref.unwrap_or(100)),
        u64::from(best.attributes.med.unwrap_or(0)),
    )
}

fn step(native: &str) -> Step {
    match native {
        "First path received" => Step::OnlyPath,
        "Weight" => Step::Weight,
        "AS Path" => Step::AsPathLength,
        "Origin" => Step::Origin,
        "MED" => Step::Med,
        "Peer Type" => Step::EbgpOverIbgp,
        "Older Path" => Step::Oldest,
        "Router ID" => Step::RouterId,
        other => panic!("unexpected reason {other}"),
    }
}

/// FRR's best routes as a router would report them: what its "oldest" step looks at.
fn report(network: &mut Network, tables: &Value) {
    for r in INSIDE {
        let mut rib = BTreeMap::new();
        for (prefix, table) in tables[r]["detail"].as_object().unwrap() {
            let best = table["paths"].as_array().unwrap().iter().find(|p| p["bestpath"]["overall"] == Value::Bool(true)).unwrap();
            let as_path: AsPath = frr_row(best).1.parse().unwrap();
            let next_hop = best["nexthops"][0]["ip"].as_str().unwrap().parse().ok();
            let attributes = Arc::new(PathAttributes { as_path, next_hop, ..PathAttributes::default() });
            rib.insert(prefix.parse::<Prefix>().unwrap(), LocRoute { attributes });
        }
        network.devices.get_mut(&DeviceId::from(r)).unwrap().loc_rib = Arc::new(rib);
    }
}

#[test]
fn every_choice_and_its_step_is_the_one_that_frr_made() {
    for name in CASES {
        let Some(case) = case(name) else {
            println!("skipped: {name} is not at hand (set PILOTHOUSE_TWIN_CORPUS)");
            continue;
        };
        let mut network = network(&case);
        report(&mut network, &case.tables);
        let picture = Picture::of(&network).unwrap();
        let twin = Twin::new(&picture);
        let mut compared = 0;
        for r in INSIDE {
            for (prefix, table) in case.tables[r]["detail"].as_object().unwrap() {
                let (device, prefix) = (DeviceId::from(r), prefix.parse().unwrap());
                let best = twin.best(&device, &prefix).unwrap();
                assert_eq!(twin_row(&best), best_row(table), "{name} {r} {prefix}");
                let rows = table["paths"].as_array().unwrap();
                let native = rows.iter().find_map(|p| p["bestpath"]["selectionReason"].as_str()).unwrap();
                // the last comparison depends on the order of FRR's list, which a picture does not know: it is among the steps that told others apart
                let explanation = twin.explain(&device, &prefix).unwrap().choice;
                let mut steps: BTreeSet<&str> = explanation.losers.iter().map(|l| l.step).collect();
                steps.insert(best.step.name());
                assert!(steps.contains(step(native).name()), "{name} {r} {prefix}: {native}, {steps:?}");
                compared += 1;
            }
        }
        println!("{name}: {compared} choices compared");
    }
}

#[test]
fn without_history_a_different_choice_is_always_marked() {
    for name in CASES {
        let Some(case) = case(name) else {
            println!("skipped: {name} is not at hand (set PILOTHOUSE_TWIN_CORPUS)");
            continue;
        };
        let network = network(&case);
        let picture = Picture::of(&network).unwrap();
        let twin = Twin::new(&picture);
        for r in INSIDE {
            for (prefix, table) in case.tables[r]["detail"].as_object().unwrap() {
                let (device, prefix) = (DeviceId::from(r), prefix.parse().unwrap());
                let ours = twin.best(&device, &prefix).map(|b| twin_row(&b).0);
                let open = twin.explain(&device, &prefix).unwrap().order_dependent;
                let theirs = best_row(table).0;
                assert!(ours == Some(theirs) || open, "{name} {r} {prefix}: {ours:?} instead of {theirs}");
            }
        }
    }
}
