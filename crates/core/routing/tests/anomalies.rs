//! Wedgies (RFC 4264), MED oscillations (RFC 3345), routes to their own next hop; and twins of each that are well.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by panicking")]

use bgp::Family;
use routing::{Anomaly, Blueprint, Outcome, Plane, Profile, Router, Schedule};
use std::sync::Arc;

fn anomalies(configs: &[(&str, String)]) -> Vec<Anomaly> {
    let router = |(name, text): &(&str, String)| Router {
        name: (*name).to_owned(),
        config: Arc::new(config::frr::parse(text)),
        profile: Profile::FRR,
    };
    let blueprint = Blueprint { routers: configs.iter().map(router).collect(), ..Blueprint::default() };
    let plane = Plane::new(&blueprint, Family::Ipv4Unicast);
    let mut solution = plane.solve_all(Schedule::First);
    let told = plane.anomalies(&mut solution);
    assert_eq!(told.searched, told.of);
    // what circles are found without the wheel agrees with the class
    let circles = told.anomalies.iter().filter(|a| matches!(a.outcome, Outcome::BadGadget | Outcome::MedOscillation { .. })).count();
    assert_eq!(plane.circles(&solution).len(), circles);
    told.anomalies
}

fn bgp(asn: u32, id: u32, lines: &str) -> String {
    format!("router bgp {asn}\n bgp router-id {id}.{id}.{id}.{id}\n no bgp ebgp-requires-policy\n no bgp network import-check\n{lines}")
}

/// RFC 4264 §3.1: r1 is a customer of r4 (primary) and of r2 (backup); r2 is a customer of r3; r3 and r4 are peers.
fn backup(marked: &str) -> Vec<Anomaly> {
    let policies = "route-map CUSTOMER permit 10\n set local-preference 200\n set community 65000:1\nroute-map PEER permit 10\n set local-preference 150\nroute-map PROVIDER permit 10\n set local-preference 100\nbgp community-list standard CUSTOMERS seq 5 permit 65000:1\nroute-map UP permit 10\n match community CUSTOMERS\n";
    let backup = format!("route-map BACKUP permit 10\n set local-preference {marked}\n set community 65000:1\n");
    let port = |n: u32, a: &str| format!("interface eth{n}\n ip address {a}/24\n");
    let r1 = port(0, "10.0.12.1")
        + &port(1, "10.0.14.1")
        + &bgp(65001, 1, " neighbor 10.0.12.2 remote-as 65002\n neighbor 10.0.14.4 remote-as 65004\n network 203.0.113.0/24\n");
    let r2 = policies.to_owned()
        + &backup
        + &port(0, "10.0.12.2")
        + &port(1, "10.0.23.2")
        + &bgp(
            65002,
            2,
            " neighbor 10.0.12.1 remote-as 65001\n neighbor 10.0.12.1 route-map BACKUP in\n neighbor 10.0.23.3 remote-as 65003\n neighbor 10.0.23.3 route-map PROVIDER in\n neighbor 10.0.23.3 route-map UP out\n",
        );
    let r3 = policies.to_owned()
        + &port(0, "10.0.23.3")
        + &port(1, "10.0.34.3")
        + &bgp(
            65003,
            3,
            " neighbor 10.0.23.2 remote-as 65002\n neighbor 10.0.23.2 route-map CUSTOMER in\n neighbor 10.0.34.4 remote-as 65004\n neighbor 10.0.34.4 route-map PEER in\n neighbor 10.0.34.4 route-map UP out\n",
        );
    let r4 = policies.to_owned()
        + &port(0, "10.0.14.4")
        + &port(1, "10.0.34.4")
        + &bgp(
            65004,
            4,
            " neighbor 10.0.14.1 remote-as 65001\n neighbor 10.0.14.1 route-map CUSTOMER in\n neighbor 10.0.34.3 remote-as 65003\n neighbor 10.0.34.3 route-map PEER in\n neighbor 10.0.34.3 route-map UP out\n",
        );
    anomalies(&[("r1", r1), ("r2", r2), ("r3", r3), ("r4", r4)])
}

#[test]
fn a_backup_that_is_marked_at_one_provider_only_is_a_wedgie() {
    let told = backup("50");
    let [wedgie] = &told[..] else { panic!("{told:?}") };
    let Outcome::Wedgie { states, intended, repair } = &wedgie.outcome else { panic!("{wedgie:?}") };
    assert_eq!(states.len(), 2);
    assert_eq!(states[*intended].ways["r2"], ["r2", "r3", "r4", "r1"], "the backup is not used");
    assert!(states[*intended].on_backup.is_empty());
    let wedged = &states[repair.to];
    assert_eq!((&wedged.ways["r2"][..], &wedged.on_backup[..]), (&["r2".to_owned(), "r1".to_owned()][..], &["r2".to_owned()][..]));
    assert_eq!(repair.from, *intended);
    let mut session = repair.session.clone();
    session.sort();
    assert!(session == ["r1", "r4"] || session == ["r3", "r4"] || session == ["r2", "r3"], "{session:?}");
    let pivots: Vec<_> = wedgie.wheel.as_ref().unwrap().pivots.iter().map(|p| p.router.as_str()).collect();
    assert_eq!(pivots, ["r2", "r3"]);
    assert!(wedgie.to_string().contains("does not lead back to the intended one"), "{wedgie}");
}

#[test]
fn a_backup_that_is_not_marked_has_one_state_of_rest() {
    // r2 prefers its customer to its provider in any case
    assert_eq!(backup("200"), []);
}

/// RFC 3345 §2.1: Ra reflects to Rb and Rc, Rd to Re; AS 6 is at Rc (MED 1) and Re (MED 0), AS 10 at Rb. `tiers`: Ra is a client of Rd.
fn med(knob: &str, tiers: bool) -> Vec<Anomaly> {
    let port = |n: u32, a: &str, cost: u32| format!("interface eth{n}\n ip address {a}/24\n ip ospf area 0\n ip ospf cost {cost}\n");
    let outside = |a: &str| format!("interface eth9\n ip address {a}/24\n");
    let lo = |id: u32| format!("interface lo\n ip address 10.9.9.{id}/32\n ip ospf area 0\n");
    let peer = |id: u32, more: &str| {
        format!(
            " neighbor 10.9.9.{id} remote-as 65000\n neighbor 10.9.9.{id} update-source lo\n{}",
            more.replace('N', &format!("neighbor 10.9.9.{id}"))
        )
    };
    let (client, own) = (" N route-reflector-client\n", " N next-hop-self\n");
    let knob = format!(" bgp deterministic-med\n{knob}");
    let ra = lo(1)
        + &port(0, "10.0.12.1", 5)
        + &port(1, "10.0.13.1", 4)
        + &port(2, "10.0.14.1", 1)
        + &bgp(65000, 1, &(knob.clone() + &peer(2, client) + &peer(3, client) + &peer(4, "")));
    let rb =
        lo(2) + &port(0, "10.0.12.2", 5) + &outside("10.1.2.1") + &bgp(65000, 2, &(peer(1, own) + " neighbor 10.1.2.9 remote-as 10\n"));
    let rc = lo(3) + &port(0, "10.0.13.3", 4) + &outside("10.1.3.1") + &bgp(65000, 3, &(peer(1, own) + " neighbor 10.1.3.9 remote-as 6\n"));
    let rd = lo(4)
        + &port(0, "10.0.14.4", 1)
        + &port(1, "10.0.45.4", 12)
        + &bgp(65000, 4, &(knob + &peer(1, if tiers { client } else { "" }) + &peer(5, client)));
    let re =
        lo(5) + &port(0, "10.0.45.5", 12) + &outside("10.1.5.1") + &bgp(65000, 5, &(peer(4, own) + " neighbor 10.1.5.9 remote-as 6\n"));
    let x10 = "interface eth0\n ip address 10.1.2.9/24\nroute-map M permit 10\n set metric 10\n".to_owned()
        + &bgp(10, 10, " neighbor 10.1.2.1 remote-as 65000\n neighbor 10.1.2.1 route-map M out\n network 203.0.113.0/24\n");
    let x6 = "interface eth0\n ip address 10.1.3.9/24\ninterface eth1\n ip address 10.1.5.9/24\nroute-map M1 permit 10\n set metric 1\nroute-map M0 permit 10\n set metric 0\n".to_owned()
        + &bgp(6, 6, " neighbor 10.1.3.1 remote-as 65000\n neighbor 10.1.3.1 route-map M1 out\n neighbor 10.1.5.1 remote-as 65000\n neighbor 10.1.5.1 route-map M0 out\n network 203.0.113.0/24\n");
    anomalies(&[("ra", ra), ("rb", rb), ("rc", rc), ("rd", rd), ("re", re), ("x10", x10), ("x6", x6)])
}

#[test]
fn meds_of_one_neighbour_as_at_two_reflectors_oscillate() {
    let told = med("", false);
    let [one] = &told[..] else { panic!("{told:?}") };
    assert_eq!(one.outcome, Outcome::MedOscillation { kind: 1 });
    assert!(one.routers.contains(&"ra".to_owned()) && one.routers.contains(&"rd".to_owned()), "{one:?}");
    assert!(one.to_string().contains("RFC 3345 type I)"), "{one}");
    let told = med("", true);
    assert_eq!(told[0].outcome, Outcome::MedOscillation { kind: 2 });
}

#[test]
fn they_come_to_rest_where_meds_are_always_compared_or_grouped_away() {
    for tiers in [false, true] {
        assert_eq!(med(" bgp always-compare-med\n", tiers), []);
    }
}

#[test]
fn a_route_that_covers_its_own_next_hop_cannot_come_into_force() {
    let build = |route: &str| {
        let r2 = format!("interface eth0\n ip address 10.1.23.2/24\nip route {route} 10.1.23.3\n")
            + &bgp(65002, 2, " neighbor 10.9.9.3 remote-as 65002\n neighbor 10.9.9.3 update-source eth0\n");
        let r3 = "interface eth0\n ip address 10.1.23.3/24\ninterface lo\n ip address 10.9.9.3/32\n".to_owned()
            + &bgp(65002, 3, " neighbor 10.1.23.2 remote-as 65002\n neighbor 10.1.23.2 update-source lo\n network 10.9.0.0/16\n");
        anomalies(&[("r2", r2), ("r3", r3)])
    };
    let told = build("10.0.0.0/8");
    let [own] = &told[..] else { panic!("{told:?}") };
    assert_eq!((own.outcome.name(), &own.routers[..]), ("next_hop_self_resolution", &["r2".to_owned()][..]));
    assert_eq!(own.to_string(), "10.9.0.0/16: at r2 the route covers its own next hop 10.9.9.3 and cannot come into force");
    assert_eq!(build("10.9.9.3/32"), []);
}

#[test]
fn the_shape_of_the_answer_names_the_class_and_the_wheel() {
    let json = serde_json::to_value(&backup("50")[0]).unwrap();
    assert_eq!(json["class"], "wedgie");
    assert_eq!(json["wheel"]["pivots"][0]["router"], "r2");
    assert!(json["states"][0]["ways"]["r2"].is_array(), "{json}");
}
