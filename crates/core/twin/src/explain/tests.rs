use crate::scene::{EAST, Scene, WEST, d, p, x};

#[test]
fn the_deciding_step_comes_with_both_values_and_the_term() {
    let twin = Scene::seeded().twin();
    let explanation = twin.explain(&d("r1"), &p(EAST[0])).unwrap();
    assert_eq!(explanation.choice.best.as_deref(), Some("172.31.1.0"));
    let import = explanation.choice.way[0].import.as_ref().unwrap();
    assert_eq!((import.policy.as_str(), import.terms[0].sequence), ("ISPA-IN", 100));
    let decided = explanation.choice.decided.unwrap();
    assert_eq!((decided.step, decided.best_has.as_str(), decided.this_has.as_str()), ("local_pref", "200", "140"));
    assert_eq!(explanation.forwarding.exit(), Some(&x("r1-ispa")));
}

#[test]
fn a_reflector_explains_a_tie_by_router_id() {
    let twin = Scene::seeded().twin();
    let explanation = twin.explain(&d("r3"), &p(WEST[0])).unwrap();
    // both edges tell it of provider B at 200 over equally long paths
    let decided = explanation.choice.decided.unwrap();
    assert_eq!((decided.step, decided.best_has.as_str(), decided.this_has.as_str()), ("router_id", "10.0.0.1", "10.0.0.2"));
    assert!(!explanation.order_dependent);
}

#[test]
fn paths_that_take_no_part_are_told_with_their_reason() {
    let mut scene = Scene::seeded();
    scene.announce("r1-ispa", EAST[0], &[1234, 65001], &[]);
    let explanation = scene.twin().explain(&d("r1"), &p(EAST[0])).unwrap();
    let stopped = explanation.choice.stopped.iter().find(|s| s.from == "172.31.1.0").unwrap();
    assert_eq!(stopped.why, "AS 65001 is in its path already");
    assert!(scene.twin().explain(&d("r1"), &p("198.51.99.0/24")).is_none());
}
