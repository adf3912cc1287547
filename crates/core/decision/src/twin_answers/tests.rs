use crate::scene::{EXITS, GROUPS, Scene, group_prefixes, neighbors, on, t};
use crate::{View, decide};
use action::{ActionType, DeviceId, ExitId};
use bgp::{AsPath, Family, PathAttributes, Prefix};
use bmp::View as RibView;
use network::DeviceConfig;
use perception::Finding;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;
use twin::{Picture, Twin};

const ROUTERS: [(&str, u8); 3] = [("r1", 1), ("r2", 2), ("r4", 4)];

/// Running configuration of one router: OSPF on a shared segment, a full iBGP mesh, one import policy per session and family.
fn running_config(device: &str, number: u8) -> String {
    let mut text = format!("frr version 8.4.4\nfrr defaults traditional\nhostname {device}\n!\n");
    write!(text, "interface lo\n ip address 10.0.0.{number}/32\n ip ospf area 0\n ipv6 address 2001:db8:ff::{number}/128\n ipv6 ospf6 area 0\nexit\n!\n").unwrap();
    write!(text, "interface core\n ip address 10.1.0.{number}/24\n ip ospf area 0\n ipv6 address 2001:db8:fe::{number}/64\n ipv6 ospf6 area 0\nexit\n!\n").unwrap();
    let own: Vec<_> = EXITS.iter().filter(|e| e.1 == device).collect();
    for (exit, ..) in &own {
        let [v4, v6] = neighbors(exit).map(|n| n.to_string());
        let (four, six) = (format!("{}.2", v4.trim_end_matches(".1")), v6.replace("::1", "::2"));
        write!(text, "interface eth-{exit}\n ip address {four}/30\n ipv6 address {six}/64\nexit\n!\n").unwrap();
    }
    write!(text, "router bgp 65001\n bgp router-id 10.0.0.{number}\n no bgp default ipv4-unicast\n").unwrap();
    for (_, other) in ROUTERS.iter().filter(|(_, n)| *n != number) {
        for address in [format!("10.0.0.{other}"), format!("2001:db8:ff::{other}")] {
            write!(text, " neighbor {address} remote-as 65001\n neighbor {address} update-source lo\n").unwrap();
        }
    }
    for (exit, ..) in &own {
        for address in neighbors(exit) {
            writeln!(text, " neighbor {address} remote-as 64496").unwrap();
        }
    }
    for (family, position, suffix) in [("ipv4", 0, ""), ("ipv6", 1, "6")] {
        writeln!(text, " !\n address-family {family} unicast").unwrap();
        for (_, other) in ROUTERS.iter().filter(|(_, n)| *n != number) {
            let address = [format!("10.0.0.{other}"), format!("2001:db8:ff::{other}")][position].clone();
            write!(text, "  neighbor {address} activate\n  neighbor {address} next-hop-self\n").unwrap();
        }
        for (exit, ..) in &own {
            let (address, name) = (neighbors(exit)[position], exit.to_uppercase());
            writeln!(text, "  neighbor {address} activate").unwrap();
            write!(text, "  neighbor {address} route-map {name}-IN{suffix} in\n  neighbor {address} route-map {name}-OUT{suffix} out\n")
                .unwrap();
        }
        text.push_str(" exit-address-family\n");
    }
    text.push_str("exit\n!\n");
    text.push_str("ip prefix-list OWN seq 5 permit 192.0.2.0/24\nipv6 prefix-list OWN6 seq 5 permit 2001:db8:100::/48\n");
    for (exit, _, provider, _) in &own {
        let name = exit.to_uppercase();
        let home = ["isp-a", "isp-b", "isp-c"].iter().position(|p| p == provider).unwrap();
        for (sequence, prefix) in group_prefixes(GROUPS[home]).iter().enumerate() {
            let (word, suffix) = if prefix.family() == Family::Ipv4Unicast { ("ip", "") } else { ("ipv6", "6") };
            writeln!(text, "{word} prefix-list {name}-HOME{suffix} seq {} permit {prefix}", (sequence + 1) * 5).unwrap();
        }
        for (word, suffix) in [("ip", ""), ("ipv6", "6")] {
            write!(text, "!\nroute-map {name}-IN{suffix} permit 100\n match {word} address prefix-list {name}-HOME{suffix}\n").unwrap();
            write!(text, " set local-preference 200\nexit\n!\n").unwrap();
            let other = [150, 140, 130][home];
            write!(text, "route-map {name}-IN{suffix} permit 200\n set local-preference {other}\nexit\n!\n").unwrap();
            write!(text, "route-map {name}-OUT{suffix} permit 100\n match {word} address prefix-list OWN{suffix}\nexit\n!\n").unwrap();
        }
    }
    write!(text, "router ospf\n ospf router-id 10.0.0.{number}\nexit\n!\nrouter ospf6\n ospf6 router-id 10.0.0.{number}\nexit\n!\nend\n")
        .unwrap();
    text
}

/// The scene with real configurations and routes, and the real twin over it.
fn real(scene: &mut Scene) -> Twin<'static> {
    for (device, number) in ROUTERS {
        let text = running_config(device, number);
        let model = config::frr::parse(&text);
        let device = scene.network.devices.get_mut(&DeviceId::from(device)).unwrap();
        device.config = Some(Arc::new(DeviceConfig { at: t(0), digest: String::new(), text, model }));
    }
    for (exit, device, ..) in EXITS {
        for neighbor in neighbors(exit) {
            let route = |p: Prefix| {
                let attributes =
                    PathAttributes { as_path: AsPath::sequence([64_496, 64_500]), next_hop: Some(neighbor), ..PathAttributes::default() };
                (p, Arc::new(attributes))
            };
            let announced = GROUPS.into_iter().flat_map(group_prefixes).filter(|p| p.family() == Family::of(neighbor));
            scene.network.set_adj_rib(&DeviceId::from(device), neighbor, RibView::AdjRibInPre, announced.map(route).collect());
        }
    }
    solved(&scene.network)
}

/// The picture lives as long as the test.
fn solved(network: &network::Network) -> Twin<'static> {
    Twin::new(Box::leak(Box::new(Picture::of(network).unwrap())))
}

#[test]
fn the_twin_confirms_a_move_of_exactly_the_group() {
    let mut scene = Scene::new();
    let twin = real(&mut scene);
    assert_eq!(twin.prefixes_via(&ExitId::from("r1-ispa")).len(), 5, "{:?}", twin.unmodelled());
    let finding: Finding = scene.trouble(20, |k| Some((0, if on(k, "r1-ispa") { 40.0 } else { 0.0 })));
    let view = View { network: &scene.network, perception: &scene.perception, now: t(scene.second) };
    let decision = decide(&finding, &view, &twin, &scene.settings);
    assert_eq!(decision.chosen.action.kind, ActionType::LocalPrefAdjust, "{}", decision.rationale);
    assert_eq!(decision.chosen.action.exits, [ExitId::from("r2-ispc")], "{}", decision.rationale);
    let moved: BTreeSet<Prefix> = decision.chosen.prediction.moves.iter().map(|m| m.prefix).collect();
    assert_eq!(moved, group_prefixes(GROUPS[0]).into_iter().collect());
    assert!(decision.chosen.prediction.moves.iter().all(|m| m.to == [ExitId::from("r2-ispc")]));
    assert_eq!(decision.chosen.expectation.unwrap().paths.len(), 2);
    let drain = decision.alternatives.iter().find(|a| a.name == "drain isp-a").unwrap();
    assert_eq!(drain.action.edits.len(), 1, "{}", drain.lost_because);
    assert_eq!(drain.prediction.as_ref().unwrap().moves.len(), 5, "{}", drain.lost_because);
}

#[test]
fn any_number_of_threads_decides_the_same() {
    let mut scene = Scene::new();
    let one = real(&mut scene);
    let finding = scene.trouble(20, |k| Some((0, if on(k, "r1-ispa") { 40.0 } else { 0.0 })));
    let view = View { network: &scene.network, perception: &scene.perception, now: t(scene.second) };
    let decision = decide(&finding, &view, &one, &scene.settings);
    let edits = &decision.chosen.action.edits;
    let foreseen = one.what_if(edits, &decision.chosen.action.prefixes).unwrap();
    assert!(decision.alternatives.len() > 2 && foreseen.checks.iter().any(|c| c.sentence.contains("any one failure")), "{foreseen:?}");
    for threads in [2, 3, 64] {
        let many = solved(&scene.network).on_threads(threads);
        assert_eq!(decide(&finding, &view, &many, &scene.settings), decision, "{threads} threads");
        assert_eq!(solved(&scene.network).on_threads(threads).what_if(edits, &decision.chosen.action.prefixes).unwrap(), foreseen);
    }
}

#[test]
fn a_second_trouble_is_answered_on_top_of_the_first_change() {
    let mut scene = Scene::new();
    let twin = real(&mut scene);
    let finding = scene.trouble(20, |k| Some((0, if on(k, "r1-ispa") { 40.0 } else { 0.0 })));
    let view = View { network: &scene.network, perception: &scene.perception, now: t(scene.second) };
    let first = decide(&finding, &view, &twin, &scene.settings);
    for device in &first.chosen.action.edits {
        let config = scene.network.devices.get_mut(&device.device).unwrap().config.as_mut().unwrap();
        config::edit::apply(&mut Arc::make_mut(config).model, &device.edits).unwrap();
    }
    let twin = solved(&scene.network);
    assert_eq!(twin.prefixes_via(&ExitId::from("r2-ispc")).len(), 10);
    let view = View { network: &scene.network, perception: &scene.perception, now: t(scene.second) };
    assert_eq!(decide(&finding, &view, &twin, &scene.settings).chosen.action.kind, ActionType::NoAction, "it is done");
    // Now the target turns bad as well: east and south leave for isp-b, not back to isp-a.
    scene.pass(20, |k| Some((0, if on(k, "r1-ispa") || on(k, "r2-ispc") { 40.0 } else { 0.0 })));
    let second = scene.perception.findings().find(|f| f.provider.as_str() == "isp-c").cloned().unwrap();
    let view = View { network: &scene.network, perception: &scene.perception, now: t(scene.second) };
    let decision = decide(&second, &view, &twin, &scene.settings);
    let to: BTreeSet<ExitId> = decision.chosen.prediction.moves.iter().flat_map(|m| m.to.clone()).collect();
    assert!(!to.is_empty() && to.iter().all(|e| e.as_str().ends_with("ispb")), "{}", decision.rationale);
    assert_eq!(decision.later.len(), 5, "ten of fifteen prefixes are too many at once");
}
