//! The network as a graph of sessions, told beside what a change moves (S1-085, S1-086, S1-106).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use case::Case;
use case::beside::Beside;
use case::change::Change;
use preflight::{Size, Structure, World};
use std::path::{Path, PathBuf};

fn dir(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/cases/incidents").join(name)
}

fn load(name: &str) -> (Case, Beside) {
    (Case::load(&dir(name)).unwrap(), Beside::load(&dir(name)).unwrap())
}

/// Three iBGP sessions with the reflector r3, which carry both families; seven eBGP sessions by IPv4 addresses and two by IPv6.
const BASE: Size = Size { nodes: 8, routers: 8, edges: 12, ebgp: 9 };

#[test]
fn sessions_are_counted_once_whatever_they_carry() {
    let (case, beside) = load("base");
    let structure = case.structure(&beside);
    assert_eq!(structure.size(), BASE);
    assert_eq!(structure.size().to_string(), "8 nodes (8 routers, 0 ASes outside), 12 sessions, 9 of them eBGP");
    let network = case.blueprint_with(&beside);
    let own = beside.facts(&network, &std::collections::BTreeSet::new()).own_as;
    assert_eq!(Structure::of(&World::solve(&network, &own)), structure, "solving moves no session here");
}

#[test]
fn a_router_reaches_what_sessions_lead_to_and_one_that_is_not_there_nothing() {
    let (case, beside) = load("base");
    let structure = case.structure(&beside);
    assert_eq!((structure.reachable("r4"), structure.reach("r4").get()), (Some(7), 0.875));
    assert_eq!((structure.reachable("r9"), structure.reach("r9").get()), (None, 0.0));
    // without the reflector r4 speaks with nobody, and r1 and r2 hear of each other by ISP-B only
    let mut network = case.blueprint_with(&beside);
    network.failures.routers.insert(network.routers.iter().position(|r| r.name == "r3").unwrap());
    let structure = Structure::of_network(&network);
    assert_eq!(structure.size(), Size { edges: 9, ..BASE });
    assert_eq!((structure.reachable("r4"), structure.reach("r4").get()), (Some(0), 0.0));
    assert_eq!((structure.reachable("r1"), structure.reach("r1").get()), (Some(5), 0.625));
    // rounded to three places: r1 and r2 with their reflector alone
    let mut network = case.blueprint_with(&beside);
    network.routers.truncate(3);
    network.links = None;
    assert_eq!(Structure::of_network(&network).reach("r1").get(), 0.667, "2 of 3");
}

/// The reach of a router says nothing of a change: the same router, two changes.
#[test]
fn what_a_change_moves_is_not_the_reach_of_its_router() {
    let of = |name: &str| {
        let (case, beside) = load(name);
        let change: Change = serde_json::from_str(&std::fs::read_to_string(dir(name).join("change.json")).unwrap()).unwrap();
        (case.structure(&beside).reach("r1").get(), case.effect_with(&change, &beside).unwrap())
    };
    let (one, small) = of("S108-local-pref");
    let (other, large) = of("K08");
    assert_eq!((one, other), (0.875, 0.875));
    assert!(
        small.difference.blast.get() < 0.2 && large.difference.blast.get() > 0.5,
        "{} {}",
        small.difference.blast,
        large.difference.blast
    );
}

#[test]
fn a_preflight_is_one_line() {
    let (case, beside) = load("T05");
    let change: Change = serde_json::from_str(&std::fs::read_to_string(dir("T05").join("change.json")).unwrap()).unwrap();
    let effect = case.effect_with(&change, &beside).unwrap();
    let line = effect.summary().to_string();
    assert!(
        line.starts_with(&format!("block: blast radius {}, delay -16.00 ms, loss +59.60 %; blocks SLA; ", effect.difference.blast)),
        "{line}"
    );
    let result = serde_json::to_value(effect.summary().result()).unwrap();
    assert_eq!(
        (&result["passed"], &result["sla_breach_predicted"], &result["loop_detected"], &result["predicted_latency_delta_ms"]),
        (&false.into(), &true.into(), &false.into(), &(-16.0).into()),
        "{result:#}"
    );
    assert!(result["errors"].as_array().is_some_and(|e| e.iter().any(|e| e.as_str().unwrap().starts_with("SLA "))), "{result:#}");
    assert!(!line.contains('\n') && line.contains("; warnings ") && line.contains("; not judged "), "{line}");
    // nothing moves: nothing is said of delay and loss
    let (case, beside) = load("T06");
    let change: Change = serde_json::from_str(&std::fs::read_to_string(dir("T06").join("change.json")).unwrap()).unwrap();
    let line = case.effect_with(&change, &beside).unwrap().summary().to_string();
    assert!(line.starts_with("pass: blast radius 0.0 %, delay unknown, loss unknown; blocks none; warnings none; "), "{line}");
}
