use crate::scene::{EAST, SOUTH, Scene, WEST, a, d, neighbor, p, x};
use crate::{ForwardingResult, Reason, Rejection, Source, Twin, TwinError};
use bgp::{AsPath, Community, Family, PathAttributes};
use network::SessionState;

const V4: Family = Family::Ipv4Unicast;

fn exit(twin: &Twin, device: &str, prefix: &str) -> String {
    twin.exit_of(twin.tables(), &d(device), &p(prefix)).to_string()
}

fn best(twin: &Twin, device: &str, prefix: &str) -> (Source, PathAttributes, Reason) {
    let entry = twin.tables().entry(&d(device), &p(prefix)).unwrap();
    let path = entry.best_path().unwrap_or_else(|| panic!("{device} has no usable path: {:?}", entry.paths));
    (path.source.clone(), PathAttributes::clone(&path.attributes), entry.reason.unwrap())
}

#[test]
fn every_group_leaves_by_its_preferred_provider() {
    let twin = Scene::seeded().twin();
    for device in ["r1", "r2", "r3", "r4", "r5"] {
        for prefix in EAST {
            assert_eq!(exit(&twin, device, prefix), "r1-ispa", "{device} {prefix}");
        }
        for prefix in SOUTH {
            assert_eq!(exit(&twin, device, prefix), "r2-ispc", "{device} {prefix}");
        }
    }
    // provider B has an exit at both edges: each uses its own, the reflector decides for the others
    assert_eq!(exit(&twin, "r1", WEST[0]), "r1-ispb");
    assert_eq!(exit(&twin, "r2", WEST[0]), "r2-ispb");
    assert_eq!(twin.prefixes_via(&x("r1-ispa")), {
        let mut v = EAST.map(p).to_vec();
        v.sort();
        v
    });
    assert!(twin.unmodelled().iter().all(|u| u.relevance == crate::Relevance::None), "{:?}", twin.unmodelled());
}

#[test]
fn a_packet_leaves_where_the_last_router_on_its_way_sends_it() {
    // r5 is told r1 (lower router id) by the reflector; its way there passes r4, not r2
    let twin = Scene::seeded().twin();
    let (source, attributes, _) = best(&twin, "r5", WEST[0]);
    assert_eq!(source, Source::Internal { neighbor: a("10.0.0.3"), device: d("r3") });
    assert_eq!(attributes.next_hop, Some(a("10.0.0.1")));
    assert_eq!(exit(&twin, "r5", WEST[0]), "r1-ispb");
}

#[test]
fn reflection_adds_originator_and_cluster_and_keeps_the_rest() {
    let twin = Scene::seeded().twin();
    let (_, attributes, _) = best(&twin, "r4", EAST[0]);
    assert_eq!(attributes.originator_id, Some("10.0.0.1".parse().unwrap()));
    assert_eq!(attributes.cluster_list, ["10.0.0.3".parse::<core::net::Ipv4Addr>().unwrap()]);
    assert_eq!(attributes.local_pref, Some(200));
    assert_eq!(attributes.next_hop, Some(a("10.0.0.1")));
    assert_eq!(attributes.communities, [Community::new(64500, 1), Community::new(65001, 100)]);
    // IPv6 goes over its own session with its own next hop
    assert_eq!(best(&twin, "r4", "2001:db8:200::/48").1.next_hop, Some(a("2001:db8:ff::1")));
}

#[test]
fn a_reflector_does_not_return_a_route_to_its_originator() {
    let twin = Scene::seeded().twin();
    let entry = twin.tables().entry(&d("r1"), &p(EAST[0])).unwrap();
    assert!(entry.paths.iter().all(|path| !matches!(path.source, Source::Internal { .. })), "{entry:?}");
}

#[test]
fn without_reflection_internal_routes_go_no_further() {
    let mut scene = Scene::seeded();
    scene.reconfigure("r3", "  neighbor 10.0.0.1 route-reflector-client\n", "");
    scene.reconfigure("r3", "  neighbor 10.0.0.2 route-reflector-client\n", "");
    let twin = scene.twin();
    // r1 is no client: its routes reach the clients r4 and r5, but not r2, which is none either
    assert_eq!(exit(&twin, "r4", EAST[0]), "r1-ispa");
    assert_eq!(exit(&twin, "r2", EAST[0]), "r2-ispb");
    scene.reconfigure("r3", "  neighbor 10.0.0.4 route-reflector-client\n", "");
    assert_eq!(exit(&scene.twin(), "r4", EAST[0]), "unreachable");
}

#[test]
fn a_session_that_is_not_established_contributes_nothing() {
    let mut scene = Scene::seeded();
    scene.session_down("r1-ispa", V4);
    let twin = scene.twin();
    assert_eq!(exit(&twin, "r4", EAST[0]), "r1-ispb");
    // the IPv6 session still stands
    assert_eq!(exit(&twin, "r4", EAST[3]), "r1-ispa");
}

#[test]
fn an_internal_session_needs_both_ends() {
    let mut scene = Scene::seeded();
    scene.network.devices.get_mut(&d("r3")).unwrap().sessions.get_mut(&a("10.0.0.1")).unwrap().state = SessionState::Idle;
    let twin = scene.twin();
    assert_eq!(exit(&twin, "r1", EAST[0]), "r1-ispa");
    assert_eq!(exit(&twin, "r4", EAST[0]), "r2-ispb");
}

#[test]
fn an_interface_that_is_down_takes_session_and_link_with_it() {
    let mut scene = Scene::seeded();
    scene.interface_down("r1", "to-ispa");
    assert_eq!(exit(&scene.twin(), "r1", EAST[0]), "r1-ispb");
    let mut scene = Scene::seeded();
    scene.interface_down("r4", "r1");
    // r4 still reaches r1 over r5, r2 and r3; but on the way r2 sends to r1 as well
    assert_eq!(exit(&scene.twin(), "r4", EAST[0]), "r1-ispa");
    scene.interface_down("r4", "r5");
    assert_eq!(exit(&scene.twin(), "r4", EAST[0]), "unreachable");
}

#[test]
fn rejected_paths_say_why() {
    let mut scene = Scene::seeded();
    scene.announce("r1-ispa", "198.18.5.0/24", &[1234, 65001, 64500], &[]);
    scene.announce("r1-ispa", "10.9.0.0/16", &[1234], &[]);
    scene.announce_with(
        "r1-ispa",
        "198.18.6.0/24",
        PathAttributes { as_path: AsPath::sequence([1234]), next_hop: Some(a("172.31.1.1")), ..PathAttributes::default() },
    );
    scene.announce_with(
        "r1-ispa",
        "198.18.7.0/24",
        PathAttributes { as_path: AsPath::sequence([1234]), next_hop: Some(a("192.88.99.1")), ..PathAttributes::default() },
    );
    let why = |scene: &Scene, prefix: &str| scene.twin().tables().entry(&d("r1"), &p(prefix)).unwrap().paths[0].rejected.clone().unwrap();
    assert_eq!(why(&scene, "198.18.5.0/24"), Rejection::OwnAs);
    assert_eq!(why(&scene, "10.9.0.0/16"), Rejection::Policy { sequence: Some(10) });
    assert_eq!(why(&scene, "198.18.6.0/24"), Rejection::OwnNextHop);
    assert_eq!(why(&scene, "198.18.7.0/24"), Rejection::NextHopUnreachable);
    scene.reconfigure("r1", "  neighbor 172.31.1.0 route-map ISPA-IN in\n", "");
    assert_eq!(why(&scene, EAST[0]), Rejection::NoPolicy);
}

#[test]
fn graceful_shutdown_from_outside_is_the_last_choice() {
    let mut scene = Scene::seeded();
    scene.announce("r1-ispa", EAST[0], &[1234, 64500], &[Community::new(64500, 1), Community::GRACEFUL_SHUTDOWN]);
    let twin = scene.twin();
    assert_eq!(exit(&twin, "r1", EAST[0]), "r1-ispb");
    let routes = twin.alternatives(&p(EAST[0]));
    assert_eq!(routes.iter().find(|(e, _)| *e == x("r1-ispa")).unwrap().1.local_pref, Some(0));
}

#[test]
fn own_prefixes_stay_inside() {
    let twin = Scene::seeded().twin();
    for device in ["r1", "r3", "r5"] {
        assert_eq!(exit(&twin, device, "192.0.2.0/24"), "local");
    }
    // the reflector prefers r1's and tells r2
    let (source, attributes, reason) = best(&twin, "r2", "192.0.2.0/24");
    assert_eq!((source, attributes.med, reason), (Source::Local, Some(0), Reason::Weight));
}

#[test]
fn a_network_statement_without_a_route_originates_nothing() {
    let mut scene = Scene::seeded();
    scene.reconfigure("r1", "ip route 192.0.2.0/24 blackhole\n", "");
    scene.reconfigure("r2", "ip route 192.0.2.0/24 blackhole\n", "");
    let twin = scene.twin();
    assert_eq!(exit(&twin, "r4", "192.0.2.0/24"), "unreachable");
    assert!(twin.unmodelled().iter().any(|u| u.what.contains("192.0.2.0/24")));
}

#[test]
fn without_next_hop_self_the_external_next_hop_is_unreachable_inside() {
    let mut scene = Scene::seeded();
    scene.reconfigure("r1", "  neighbor 10.0.0.3 next-hop-self\n", "");
    let twin = scene.twin();
    let entry = twin.tables().entry(&d("r3"), &p(EAST[0])).unwrap();
    let from_r1 = entry.paths.iter().find(|path| path.source.neighbor() == Some(a("10.0.0.1"))).unwrap();
    assert_eq!((from_r1.attributes.next_hop, &from_r1.rejected), (Some(a("172.31.1.0")), &Some(Rejection::NextHopUnreachable)));
    // announced into the IGP as passive, it resolves and the cost adds up
    scene.reconfigure("r1", "interface to-ispa\n", "interface to-ispa\n ip ospf area 0\n ip ospf passive\n ip ospf cost 7\n");
    let twin = scene.twin();
    let entry = twin.tables().entry(&d("r4"), &p(EAST[0])).unwrap();
    assert_eq!(entry.best_path().unwrap().igp_metric, 17);
    assert_eq!(exit(&twin, "r4", EAST[0]), "r1-ispa");
}

/// Two edges without reflection between the deflecting pair: each inside router believes the other one's exit.
#[test]
fn deflection_between_two_routers_is_a_loop() {
    let mut scene = Scene::new();
    scene.announce("r1-ispa", EAST[0], &[1234, 64500], &[]);
    scene.announce("r2-ispb", EAST[0], &[3312, 64500], &[]);
    // r4 hears only of r2's exit, r5 only of r1's, each beyond the other
    let mesh = |own: &str, far: &str| {
        format!(
            " neighbor {far} remote-as 65001\n neighbor {far} update-source lo\n address-family ipv4 unicast\n  neighbor {far} activate\n  neighbor {far} next-hop-self\n exit-address-family\n!{own}\n"
        )
    };
    for (own, far) in [("r4", "10.0.0.2"), ("r5", "10.0.0.1"), ("r2", "10.0.0.4"), ("r1", "10.0.0.5")] {
        let text = scene.network.devices[&d(own)].config.clone().unwrap().text.clone();
        let text = text.replace("  neighbor 10.0.0.3 activate\n", "").replace("exit\n!\n!", "exit\n!\n");
        let at = text.find(" bgp router-id").unwrap();
        let head = text[at..].find('\n').unwrap() + at + 1;
        scene.configure(own, &format!("{}{}{}", &text[..head], mesh("", far).replace("\n!\n", "\n"), &text[head..]));
    }
    let twin = scene.twin();
    let loops = |device: &str| twin.exit_of(twin.tables(), &d(device), &p(EAST[0]));
    assert_eq!(loops("r4"), ForwardingResult::Loop { devices: vec![d("r4"), d("r5")] }, "{:?}", twin.tables().entry(&d("r4"), &p(EAST[0])));
    assert_eq!(loops("r5"), ForwardingResult::Loop { devices: vec![d("r5"), d("r4")] });
}

#[test]
fn a_router_without_the_route_on_the_way_is_a_black_hole() {
    let mut scene = Scene::seeded();
    // r5 runs no BGP; r4's link to r1 is down, so packets from r4 to r1 pass r5
    scene.interface_down("r4", "r1");
    scene.reconfigure("r5", "  neighbor 10.0.0.3 activate\n", "");
    let twin = scene.twin();
    let result = twin.exit_of(twin.tables(), &d("r4"), &p(EAST[0]));
    assert!(matches!(&result, ForwardingResult::BlackHole { why } if why.contains("r5")), "{result}");
}

#[test]
fn a_null_route_in_front_of_bgp_is_a_black_hole() {
    let mut scene = Scene::seeded();
    scene.reconfigure("r4", "router bgp 65001\n", "ip route 203.0.113.0/24 blackhole\nrouter bgp 65001\n");
    let result = exit(&scene.twin(), "r4", EAST[0]);
    assert!(result.starts_with("black hole: null route on r4"), "{result}");
}

#[test]
fn equal_external_paths_keep_the_reported_one_and_say_so_when_nothing_is_reported() {
    let mut scene = Scene::new();
    // same provider AS number length, same LOCAL_PREF: only age or router id could decide
    for exit in ["r1-ispa", "r1-ispb"] {
        scene.announce(exit, EAST[0], &[64496, 64500], &[]);
    }
    scene.reconfigure("r1", "set local-preference 140", "set local-preference 150");
    let twin = scene.twin();
    assert!(twin.tables().order_dependent().iter().any(|(device, prefix)| (device, prefix) == (&d("r1"), &p(EAST[0]))));
    let mut reported = PathAttributes::clone(&twin.tables().entry(&d("r1"), &p(EAST[0])).unwrap().paths[1].attributes);
    reported.next_hop = Some(neighbor("r1-ispb", V4));
    let route = network::LocRoute { attributes: std::sync::Arc::new(reported) };
    scene.network.devices.get_mut(&d("r1")).unwrap().loc_rib = std::sync::Arc::new([(p(EAST[0]), route)].into());
    let twin = scene.twin();
    assert!(twin.tables().order_dependent().is_empty());
    let (source, _, reason) = best(&twin, "r1", EAST[0]);
    assert_eq!((source, reason), (Source::External { neighbor: neighbor("r1-ispb", V4), exit: Some(x("r1-ispb")) }, Reason::Oldest));
}

#[test]
fn alternatives_list_every_exit_with_its_preference() {
    let twin = Scene::seeded().twin();
    let routes = twin.alternatives(&p(EAST[0]));
    let found: Vec<(String, Option<u32>)> = routes.into_iter().map(|(e, r)| (e.to_string(), r.local_pref)).collect();
    let expected = [("r1-ispa", 200), ("r1-ispb", 140), ("r2-ispb", 140), ("r2-ispc", 130)];
    assert_eq!(found, expected.map(|(e, v)| (e.to_owned(), Some(v))));
}

#[test]
fn an_unread_configuration_is_an_error() {
    let mut scene = Scene::new();
    scene.network.devices.get_mut(&d("r4")).unwrap().config = None;
    assert_eq!(Twin::build(&scene.network).unwrap_err(), TwinError::Unread { device: d("r4") });
}

#[test]
fn the_same_picture_gives_the_same_tables() {
    let scene = Scene::seeded();
    assert_eq!(scene.twin().tables(), scene.twin().tables());
}

/// The oscillation of RFC 3345 §2.1: two reflectors, two neighbour ASes, MED and IGP cost pulling in turn. r3 reflects for r1 and r2,
/// r4 for r5; r1 and r5 hear AS 1234 (MED 10 and 0), r2 hears AS 9012.
fn med_and_reflection() -> Scene {
    let mut scene = Scene::new();
    scene.announce_with(
        "r1-ispa",
        EAST[0],
        PathAttributes { as_path: AsPath::sequence([1234, 64500]), med: Some(10), ..PathAttributes::default() },
    );
    scene.announce_with(
        "r2-ispc",
        EAST[0],
        PathAttributes { as_path: AsPath::sequence([9012, 64500]), med: Some(1), ..PathAttributes::default() },
    );
    for (device, interface, cost) in [
        ("r3", "r1", 4),
        ("r1", "r3", 4),
        ("r3", "r2", 5),
        ("r2", "r3", 5),
        ("r1", "r4", 1),
        ("r4", "r1", 1),
        ("r4", "r5", 12),
        ("r5", "r4", 12),
        ("r2", "r5", 100),
        ("r5", "r2", 100),
    ] {
        let text = scene.network.devices[&d(device)].config.clone().unwrap().text.clone();
        let at = text.find(&format!("interface {interface}\n")).unwrap();
        scene.configure(device, &format!("{}{}", &text[..at], text[at..].replacen("ip ospf cost 10", &format!("ip ospf cost {cost}"), 1)));
    }
    // one LOCAL_PREF everywhere, so that MED and cost decide
    scene.reconfigure("r1", "set local-preference 150", "set local-preference 100");
    scene.reconfigure("r2", "set local-preference 130", "set local-preference 100");
    scene.reconfigure("r3", "  neighbor 10.0.0.4 route-reflector-client\n", "");
    scene.reconfigure("r3", "  neighbor 10.0.0.5 activate\n  neighbor 10.0.0.5 route-reflector-client\n", "");
    for device in ["r3", "r4"] {
        scene.reconfigure(device, " no bgp default ipv4-unicast\n", " no bgp default ipv4-unicast\n bgp deterministic-med\n");
    }
    let client = " neighbor 10.0.0.5 remote-as 65001\n neighbor 10.0.0.5 update-source lo\n address-family ipv4 unicast\n  neighbor 10.0.0.5 activate\n  neighbor 10.0.0.5 route-reflector-client\n exit-address-family\n";
    scene.reconfigure("r4", " bgp router-id 10.0.0.4\n", &format!(" bgp router-id 10.0.0.4\n{client}"));
    let outside = " neighbor 10.0.0.4 remote-as 65001\n neighbor 10.0.0.4 update-source lo\n neighbor 172.31.9.0 remote-as 1234\n address-family ipv4 unicast\n  neighbor 10.0.0.4 activate\n  neighbor 10.0.0.4 next-hop-self\n  neighbor 172.31.9.0 activate\n exit-address-family\n";
    scene.reconfigure("r5", " bgp router-id 10.0.0.5\n", &format!(" bgp router-id 10.0.0.5\n no bgp ebgp-requires-policy\n{outside}"));
    scene.reconfigure("r5", "router bgp 65001\n", "interface out\n ip address 172.31.9.1/31\nexit\n!\nrouter bgp 65001\n");
    scene.reconfigure("r5", "  neighbor 10.0.0.3 activate\n", "");
    let attributes = PathAttributes {
        as_path: AsPath::sequence([1234, 64500]),
        med: Some(0),
        next_hop: Some(a("172.31.9.0")),
        ..PathAttributes::default()
    };
    let rib: network::AdjRib = [(p(EAST[0]), std::sync::Arc::new(attributes))].into();
    scene.network.set_adj_rib(&d("r5"), a("172.31.9.0"), bmp::View::AdjRibInPre, rib);
    scene
}

#[test]
fn a_network_without_a_stable_state_is_named_and_not_looped_on() {
    let scene = med_and_reflection();
    let twin = scene.twin();
    let oscillations = twin.tables().oscillations();
    let routers = oscillations.get(&p(EAST[0])).unwrap_or_else(|| panic!("stable: {:?}", twin.tables().solution(&p(EAST[0]))));
    assert!(routers.contains(&d("r3")) && routers.contains(&d("r4")), "{routers:?}");
    assert!(!routers.contains(&d("r1")) && !routers.contains(&d("r5")), "edges keep their own: {routers:?}");
    // a preference for one exit ends the dispute
    let edits = scene.local_pref("r1-ispa", &[EAST[0]], 110);
    let prediction = twin.what_if(std::slice::from_ref(&edits), &[p(EAST[0])]).unwrap();
    assert!(prediction.checks.iter().any(|c| c.id == crate::CheckId::K03 && c.passed), "{:?}", prediction.checks);
}

#[test]
fn equal_cost_ways_that_part_are_all_told() {
    let mut scene = Scene::seeded();
    // r5 is told r1's exit of provider B; a second way of equal cost to r1 passes r2, which uses its own
    scene.reconfigure(
        "r2",
        "interface r5\n",
        "interface r1\n ip address 10.1.9.1/31\n ip ospf area 0\n ip ospf cost 10\nexit\n!\ninterface r5\n",
    );
    scene.reconfigure(
        "r1",
        "interface r4\n",
        "interface r2\n ip address 10.1.9.0/31\n ip ospf area 0\n ip ospf cost 10\nexit\n!\ninterface r4\n",
    );
    let twin = scene.twin();
    let ways = twin.exits_of(twin.tables(), &d("r5"), &p(WEST[0]));
    assert_eq!(ways.iter().map(ToString::to_string).collect::<Vec<_>>(), ["r1-ispb", "r2-ispb"]);
    assert_eq!(exit(&twin, "r5", WEST[0]), "r1-ispb");
    assert!(twin.prefixes_via_per_device(&x("r2-ispb"))[&d("r5")].contains(&p(WEST[0])));
}
