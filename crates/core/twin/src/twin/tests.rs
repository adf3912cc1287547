use crate::scene::{EAST, SOUTH, Scene, WEST, a, d, neighbor, p, x};
use crate::{ForwardingResult, Picture, Source, Step, Twin, TwinError, Verdict};
use bgp::{AsPath, Community, Family, PathAttributes};
use network::SessionState;

const V4: Family = Family::Ipv4Unicast;

fn exit(twin: &Twin<'_>, device: &str, prefix: &str) -> String {
    twin.exit_of(&d(device), &p(prefix)).to_string()
}

fn best(twin: &Twin<'_>, device: &str, prefix: &str) -> (Source, PathAttributes, Step) {
    let best = twin.best(&d(device), &p(prefix)).unwrap_or_else(|| panic!("{device} has no usable path to {prefix}"));
    (best.source, best.attributes.clone(), best.step)
}

/// What stands in the explanation after these words.
fn told(twin: &Twin<'_>, device: &str, prefix: &str, words: &str) -> String {
    let lines = twin.explain(&d(device), &p(prefix)).map(|e| e.lines()).unwrap_or_default();
    let found = lines.iter().find_map(|l| l.split_once(words).map(|(_, rest)| rest.to_owned()));
    found.unwrap_or_else(|| panic!("no {words:?} in {lines:?}"))
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
    let explanation = twin.explain(&d("r1"), &p(EAST[0])).unwrap();
    assert!(explanation.choice.losers.iter().all(|l| l.from.starts_with("172.31.")), "{:?}", explanation.choice.losers);
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
    let why = |scene: &Scene, prefix: &str| told(&scene.twin(), "r1", prefix, "nothing from 172.31.1.0: ");
    assert_eq!(why(&scene, "198.18.5.0/24"), "AS 65001 is in its path already");
    assert_eq!(why(&scene, "10.9.0.0/16"), "import policy ISPA-IN term 10 rejects it");
    assert_eq!(why(&scene, "198.18.6.0/24"), "its next hop is the receiver itself");
    assert_eq!(why(&scene, "198.18.7.0/24"), "its next hop 192.88.99.1 is not reached");
    scene.reconfigure("r1", "  neighbor 172.31.1.0 route-map ISPA-IN in\n", "");
    assert_eq!(why(&scene, EAST[0]), "no import policy on a session with another AS (RFC 8212)");
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
    assert_eq!((source, attributes.med, reason), (Source::Local, Some(0), Step::Weight));
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
    assert_eq!(told(&twin, "r3", EAST[0], "nothing from 10.0.0.1: "), "its next hop 172.31.1.0 is not reached");
    // announced into the IGP as passive, it resolves and the cost adds up
    scene.reconfigure("r1", "interface to-ispa\n", "interface to-ispa\n ip ospf area 0\n ip ospf passive\n ip ospf cost 7\n");
    let twin = scene.twin();
    assert_eq!(best(&twin, "r4", EAST[0]).1.next_hop, Some(a("172.31.1.0")));
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
    let loops = |device: &str| twin.exit_of(&d(device), &p(EAST[0]));
    assert_eq!(loops("r4"), ForwardingResult::Loop { devices: vec![d("r4"), d("r5")] }, "{:?}", twin.best(&d("r4"), &p(EAST[0])));
    assert_eq!(loops("r5"), ForwardingResult::Loop { devices: vec![d("r5"), d("r4")] });
}

#[test]
fn a_router_without_the_route_on_the_way_is_a_black_hole() {
    let mut scene = Scene::seeded();
    // r5 runs no BGP; r4's link to r1 is down, so packets from r4 to r1 pass r5
    scene.interface_down("r4", "r1");
    scene.reconfigure("r5", "  neighbor 10.0.0.3 activate\n", "");
    let twin = scene.twin();
    let result = twin.exit_of(&d("r4"), &p(EAST[0]));
    assert!(matches!(&result, ForwardingResult::BlackHole { why } if why.contains("r5")), "{result}");
}

#[test]
fn a_null_route_in_front_of_bgp_is_a_black_hole() {
    let mut scene = Scene::seeded();
    scene.reconfigure("r4", "router bgp 65001\n", "ip route 203.0.113.0/24 blackhole\nrouter bgp 65001\n");
    // destinations that are alike share what was found of one of them, whichever is asked first; the null route is of one alone
    for asked in [[0, 1, 0], [1, 0, 1]] {
        let twin = scene.twin();
        for i in asked {
            let result = exit(&twin, "r4", EAST[i]);
            assert_eq!(result.starts_with("black hole: null route on r4"), i == 0, "{} after {asked:?}: {result}", EAST[i]);
        }
    }
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
    let is_open = |twin: &Twin<'_>| twin.explain(&d("r1"), &p(EAST[0])).unwrap().order_dependent;
    assert!(is_open(&twin));
    // the second to be told is the one that the router has in use, and the other way round
    for exit in ["r1-ispb", "r1-ispa"] {
        let reported = PathAttributes { next_hop: Some(neighbor(exit, V4)), ..best(&twin, "r1", EAST[0]).1 };
        let route = network::LocRoute { attributes: std::sync::Arc::new(reported) };
        scene.network.devices.get_mut(&d("r1")).unwrap().loc_rib = std::sync::Arc::new([(p(EAST[0]), route)].into());
        let twin = scene.twin();
        assert!(!is_open(&twin));
        let (source, _, step) = best(&twin, "r1", EAST[0]);
        assert_eq!((source, step), (Source::External { neighbor: neighbor(exit, V4), exit: Some(x(exit)) }, Step::Oldest));
    }
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
    assert_eq!(Picture::of(&scene.network).unwrap_err(), TwinError::Unread { device: d("r4") });
}

#[test]
fn the_same_picture_gives_the_same_tables() {
    let scene = Scene::seeded();
    let all = |twin: &Twin<'_>| {
        let lines = |device: &str| twin.prefixes().filter_map(|p| twin.explain(&d(device), &p)).flat_map(|e| e.lines()).collect::<Vec<_>>();
        ["r1", "r2", "r3", "r4", "r5"].map(lines)
    };
    assert_eq!(all(&scene.twin()), all(&scene.twin()));
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
    let circles = twin.world.families.iter().flat_map(|f| f.plane.circles(&f.solution)).collect::<Vec<_>>();
    let (prefix, routers) = circles.first().expect("it is stable");
    assert_eq!((*prefix, circles.len()), (p(EAST[0]), 1));
    assert!(routers.contains(&"r3".to_owned()) && routers.contains(&"r4".to_owned()), "{routers:?}");
    assert!(!routers.contains(&"r1".to_owned()) && !routers.contains(&"r5".to_owned()), "edges keep their own: {routers:?}");
    // a preference for one exit ends the dispute
    let edits = scene.local_pref("r1-ispa", &[EAST[0]], 110);
    let prediction = twin.what_if(std::slice::from_ref(&edits), &[p(EAST[0])]).unwrap();
    assert!(prediction.checks.iter().any(|c| c.id == crate::CheckId::K03 && c.verdict != Verdict::Block), "{:?}", prediction.checks);
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
    let ways = twin.ways(&twin.world, 4, &p(WEST[0]));
    assert_eq!(ways.iter().map(ToString::to_string).collect::<Vec<_>>(), ["r1-ispb", "r2-ispb"]);
    assert_eq!(exit(&twin, "r5", WEST[0]), "r1-ispb");
    assert!(twin.prefixes_via(&x("r2-ispb")).contains(&p(WEST[0])));
}

/// FRR uses paths side by side that are equal up to the IGP metric (`maximum-paths` 256 by default); from several ASes where it is relaxed.
#[test]
fn paths_used_side_by_side_share_the_packets() {
    let mut scene = Scene::new();
    for exit in ["r1-ispa", "r1-ispb"] {
        scene.announce(exit, EAST[0], &[64496, 64500], &[]);
    }
    scene.reconfigure("r1", "set local-preference 140", "set local-preference 150");
    assert_eq!(scene.twin().ways(&scene.twin().world, 0, &p(EAST[0])).len(), 1);
    scene.reconfigure("r1", " no bgp default ipv4-unicast\n", " no bgp default ipv4-unicast\n bgp bestpath as-path multipath-relax\n");
    let twin = scene.twin();
    let ways = twin.ways(&twin.world, 0, &p(EAST[0]));
    assert_eq!(ways.iter().map(ToString::to_string).collect::<Vec<_>>(), ["r1-ispa", "r1-ispb"]);
    let shares: Vec<f64> = twin.world.walks(0, &p(EAST[0])).iter().map(|w| w.share).collect();
    assert_eq!(shares, [0.5, 0.5]);
}

/// What BMP told after the policy only is better than nothing, and said.
#[test]
fn routes_known_after_the_policy_only_are_used_and_told() {
    let mut scene = Scene::new();
    let attributes =
        PathAttributes { as_path: AsPath::sequence([1234, 64500]), next_hop: Some(neighbor("r1-ispa", V4)), ..PathAttributes::default() };
    let rib: network::AdjRib = [(p(EAST[0]), std::sync::Arc::new(attributes))].into();
    scene.network.set_adj_rib(&d("r1"), neighbor("r1-ispa", V4), bmp::View::AdjRibInPost, rib);
    let twin = scene.twin();
    assert_eq!(exit(&twin, "r4", EAST[0]), "r1-ispa");
    assert!(twin.unmodelled().iter().any(|u| u.what.contains("after the import policy only")), "{:?}", twin.unmodelled());
}

/// A router of ours that nobody manages is heard like a neighbour outside.
#[test]
fn an_internal_neighbour_that_is_not_managed_is_heard_by_what_it_announced() {
    let mut scene = Scene::new();
    let far = " neighbor 10.0.0.9 remote-as 65001\n neighbor 10.0.0.9 update-source lo\n address-family ipv4 unicast\n  neighbor 10.0.0.9 activate\n exit-address-family\n";
    scene.reconfigure("r4", " bgp router-id 10.0.0.4\n", &format!(" bgp router-id 10.0.0.4\n{far}"));
    let attributes = PathAttributes {
        as_path: AsPath::sequence([64500]),
        next_hop: Some(a("10.0.0.1")),
        local_pref: Some(100),
        ..PathAttributes::default()
    };
    let rib: network::AdjRib = [(p(EAST[0]), std::sync::Arc::new(attributes))].into();
    scene.network.set_adj_rib(&d("r4"), a("10.0.0.9"), bmp::View::AdjRibInPre, rib);
    let (source, ..) = best(&scene.twin(), "r4", EAST[0]);
    assert_eq!(source, Source::External { neighbor: a("10.0.0.9"), exit: None });
}
