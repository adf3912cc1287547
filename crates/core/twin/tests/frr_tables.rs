//! Best paths against tables that FRR 8.4.4 computed. Skipped where the recorded cases are not at hand.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a whole file of tests")]

use action::DeviceId;
use bgp::{AsPath, Asn, Family, Origin, PathAttributes, Prefix};
use bmp::View;
use config::{PolicyOutcome, RouterConfig};
use core::net::{IpAddr, Ipv4Addr};
use network::{AdjRib, DeviceConfig, DeviceRole, DeviceSpec, Inventory, LocRoute, Network};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use twin::{Entry, Path, Reason, Source, Twin};
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
            network.set_adj_rib(&DeviceId::from(r), *address, View::AdjRibInPre, announced(far, here, *address));
        }
    }
    network
}

fn router_ids(case: &Case) -> BTreeMap<(DeviceId, IpAddr), Ipv4Addr> {
    let mut ids = BTreeMap::new();
    for r in INSIDE {
        for address in case.configs[r].bgp.as_ref().unwrap().neighbors.keys() {
            let far = case.configs.values().find(|c| owns(c, *address)).unwrap();
            ids.insert((DeviceId::from(r), *address), far.bgp.as_ref().unwrap().router_id.unwrap());
        }
    }
    ids
}

/// One path as FRR shows it: neighbour, AS path, LOCAL_PREF, MED, usable, best, multipath.
type Row = (IpAddr, String, u64, u64, bool, bool, bool);

fn frr_row(path: &Value) -> Row {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let as_path = text(&path["aspath"]["string"]);
    let best = path["bestpath"]["overall"].as_bool().unwrap_or(false);
    (
        text(&path["peer"]["peerId"]).parse().unwrap(),
        if as_path == "Local" { String::new() } else { as_path },
        path["locPrf"].as_u64().unwrap_or(100),
        path["metric"].as_u64().unwrap_or(0),
        path["valid"].as_bool().unwrap_or(false),
        best,
        path["multipath"].as_bool().unwrap_or(false) && !best,
    )
}

fn twin_row(entry: &Entry, index: usize, path: &Path) -> Row {
    (
        path.source.neighbor().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        path.attributes.as_path.to_string(),
        u64::from(path.attributes.local_pref.unwrap_or(100)),
        u64::from(path.attributes.med.unwrap_or(0)),
        path.usable(),
        entry.best == Some(index),
        path.multipath,
    )
}

fn reason(native: &str) -> Reason {
    match native {
        "First path received" => Reason::OnlyPath,
        "Weight" => Reason::Weight,
        "AS Path" => Reason::AsPathLength,
        "Origin" => Reason::Origin,
        "MED" => Reason::Med,
        "Peer Type" => Reason::EbgpOverIbgp,
        "Older Path" => Reason::Oldest,
        "Router ID" => Reason::RouterId,
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
fn every_path_and_choice_is_the_one_that_frr_made() {
    for name in CASES {
        let Some(case) = case(name) else {
            println!("skipped: {name} is not at hand (set PILOTHOUSE_TWIN_CORPUS)");
            continue;
        };
        let mut network = network(&case);
        report(&mut network, &case.tables);
        let twin = Twin::with_router_ids(&network, &router_ids(&case)).unwrap();
        let mut compared = 0;
        for r in INSIDE {
            for (prefix, table) in case.tables[r]["detail"].as_object().unwrap() {
                let entry = twin.tables().entry(&DeviceId::from(r), &prefix.parse().unwrap()).unwrap();
                let ours: BTreeSet<Row> = entry.paths.iter().enumerate().map(|(i, p)| twin_row(entry, i, p)).collect();
                let rows = table["paths"].as_array().unwrap();
                let theirs: BTreeSet<Row> = rows.iter().map(frr_row).collect();
                assert_eq!(ours, theirs, "{name} {r} {prefix}");
                let native = rows.iter().find_map(|p| p["bestpath"]["selectionReason"].as_str()).unwrap();
                assert!(reasons(&twin, r, prefix).contains(&reason(native)), "{name} {r} {prefix}: {native}");
                compared += rows.len();
            }
        }
        println!("{name}: {compared} paths compared");
    }
}

/// FRR reports the step of its last comparison, which depends on the order of its list: it must be one of ours.
fn reasons(twin: &Twin, router: &str, prefix: &str) -> BTreeSet<Reason> {
    let explanation = twin.explain(&DeviceId::from(router), &prefix.parse().unwrap()).unwrap();
    let steps: BTreeSet<Reason> =
        explanation.losers.iter().filter_map(|l| if let twin::Verdict::Lost(d) = &l.verdict { Some(d.reason) } else { None }).collect();
    if steps.is_empty() { BTreeSet::from([Reason::OnlyPath]) } else { steps }
}

#[test]
fn without_history_a_different_choice_is_always_marked() {
    for name in CASES {
        let Some(case) = case(name) else {
            println!("skipped: {name} is not at hand (set PILOTHOUSE_TWIN_CORPUS)");
            continue;
        };
        let twin = Twin::with_router_ids(&network(&case), &router_ids(&case)).unwrap();
        for r in INSIDE {
            for (prefix, table) in case.tables[r]["detail"].as_object().unwrap() {
                let entry = twin.tables().entry(&DeviceId::from(r), &prefix.parse().unwrap()).unwrap();
                let best = table["paths"].as_array().unwrap().iter().map(frr_row).find(|row| row.5).unwrap();
                let ours = entry.best_path().map(|p| match &p.source {
                    Source::Local => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                    other => other.neighbor().unwrap(),
                });
                assert!(ours == Some(best.0) || entry.order_dependent, "{name} {r} {prefix}: {ours:?} instead of {}", best.0);
            }
        }
    }
}
