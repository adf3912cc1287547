use crate::scene::{EAST, Scene, a, d, p};
use crate::{Field, Twin};
use bgp::{Community, PathAttributes};
use network::LocRoute;
use std::sync::Arc;
use units::Ratio;

type Change = fn(&mut PathAttributes);

fn tamper(scene: &mut Scene, device: &str, change: impl FnOnce(&mut PathAttributes)) {
    let rib = Arc::make_mut(&mut scene.network.devices.get_mut(&d(device)).unwrap().loc_rib);
    let route = rib.get_mut(&p(EAST[0])).unwrap();
    let mut attributes = PathAttributes::clone(&route.attributes);
    change(&mut attributes);
    *route = LocRoute { attributes: Arc::new(attributes) };
}

fn reported() -> (Scene, Twin<'static>) {
    let mut scene = Scene::seeded();
    let twin = scene.twin();
    scene.report(&twin);
    (scene, twin)
}

#[test]
fn routers_that_report_what_the_twin_computes_agree_fully() {
    let (scene, twin) = reported();
    let agreement = twin.agreement(&scene.network);
    assert_eq!(agreement.len(), 5);
    for (device, row) in agreement {
        assert_eq!((row.compared, row.equal, row.differences.len()), (12, 12, 0), "{device}");
    }
}

#[test]
fn each_field_that_differs_is_named_with_both_values() {
    let cases: [(Field, Change); 5] = [
        (Field::NextHop, |r| r.next_hop = Some(a("10.0.0.2"))),
        (Field::AsPath, |r| r.as_path = bgp::AsPath::sequence([5678])),
        (Field::LocalPref, |r| r.local_pref = Some(90)),
        (Field::Med, |r| r.med = Some(4)),
        (Field::Communities, |r| r.communities = vec![Community::new(1, 1)]),
    ];
    for (field, change) in cases {
        let (mut scene, twin) = reported();
        tamper(&mut scene, "r4", change);
        let row = &twin.agreement(&scene.network)[&d("r4")];
        assert_eq!((row.compared, row.equal), (12, 11));
        assert_eq!((row.differences[0].prefix, row.differences[0].field), (p(EAST[0]), field));
    }
}

#[test]
fn what_a_router_leaves_out_is_no_difference() {
    let (mut scene, twin) = reported();
    tamper(&mut scene, "r4", |r| (r.local_pref, r.med) = (None, Some(0)));
    assert_eq!(twin.agreement(&scene.network)[&d("r4")].equal, 12);
}

#[test]
fn a_route_that_only_one_side_has_counts() {
    let (mut scene, twin) = reported();
    Arc::make_mut(&mut scene.network.devices.get_mut(&d("r4")).unwrap().loc_rib).remove(&p(EAST[0]));
    let rib = Arc::make_mut(&mut scene.network.devices.get_mut(&d("r5")).unwrap().loc_rib);
    rib.insert(p("198.18.250.0/24"), LocRoute { attributes: Arc::new(PathAttributes::default()) });
    let agreement = twin.agreement(&scene.network);
    assert_eq!((agreement[&d("r4")].compared, agreement[&d("r4")].equal), (12, 11));
    assert_eq!((agreement[&d("r5")].compared, agreement[&d("r5")].equal), (13, 12));
    assert!(agreement[&d("r4")].differences[0].to_string().contains("none on the router"));
}

#[test]
fn a_router_that_never_reported_is_not_judged_and_one_that_lost_all_agrees_on_nothing() {
    let scene = Scene::seeded();
    assert!(scene.twin().agreement(&scene.network).is_empty());
    let (mut scene, twin) = reported();
    let r4 = scene.network.devices.get_mut(&d("r4")).unwrap();
    (r4.loc_rib, r4.loc_rib_told) = (Arc::default(), true);
    let agreement = twin.agreement(&scene.network);
    assert_eq!((agreement[&d("r4")].compared, agreement[&d("r4")].equal), (12, 0));
    assert_eq!(agreement[&d("r4")].ratio, Ratio::ZERO);
}
