use crate::scene::{EAST, SOUTH, Scene, WEST, p};
use crate::{CheckId, Picture, Verdict};

#[test]
fn a_wire_carries_both_families_and_ends_where_a_subnet_is_shared() {
    let scene = Scene::seeded();
    let picture = Picture::of(&scene.network).unwrap();
    let links = picture.blueprint().links.as_ref().unwrap();
    assert_eq!(links["10.1.0.0/31"], [(0, "r3".to_owned()), (2, "r1".to_owned())]);
    assert_eq!(links["172.31.1.0/31"], [(0, "to-ispa".to_owned())]);
    // five inside, four exits; loopbacks are none, and no wire stands twice for its second family
    assert_eq!(links.len(), 9, "{links:?}");
}

/// An interface without a subnet to share is plugged in nevertheless: what stands on it must not be lost.
#[test]
fn an_interface_without_a_shared_subnet_has_a_wire_of_its_own() {
    let mut scene = Scene::seeded();
    let lines = "interface tun0\n ip address 192.0.2.250/32\nexit\n!\ninterface to-ll\n ipv6 address fe80::1/64\nexit\n!\ninterface bare\nexit\n!\n";
    for id in ["r1", "r2"] {
        scene.reconfigure(id, "interface lo\n", &format!("{lines}interface lo\n"));
    }
    let picture = Picture::of(&scene.network).unwrap();
    let links = picture.blueprint().links.as_ref().unwrap();
    for (name, at) in [("r1:tun0", (0, "tun0")), ("r2:tun0", (1, "tun0")), ("r1:to-ll", (0, "to-ll")), ("r2:to-ll", (1, "to-ll"))] {
        assert_eq!(links[name], [(at.0, at.1.to_owned())]);
    }
    assert_eq!(links.len(), 9 + 4, "{links:?}");
}

/// One cable carries both families: only its failure moves both at once, and K07 looks at it.
#[test]
fn capacity_is_looked_at_with_every_wire_down_too() {
    let mut scene = Scene::seeded();
    scene.volume("r1-ispa", EAST[0], 40.0);
    scene.volume("r1-ispa", EAST[3], 40.0);
    scene.volume("r2-ispc", SOUTH[0], 30.0);
    scene.volume("r1-ispb", WEST[0], 5.0);
    let prefixes = SOUTH.map(p).to_vec();
    let prediction = scene.twin().what_if(&[scene.local_pref("r1-ispb", &SOUTH, 201)], &prefixes).unwrap();
    let check = prediction.checks.iter().find(|c| c.id == CheckId::K07).unwrap();
    let rows: Vec<String> = check.rows.iter().map(ToString::to_string).collect();
    assert!(check.verdict == Verdict::Block, "{}", check.sentence);
    assert!(rows.iter().any(|r| r.contains("when link 172.31.1.0/31 fails")), "{rows:?}");
    assert!(!rows.iter().any(|r| r.contains("when session r1 to 172.31.1.0 fails")), "{rows:?}");
}
