use crate::scene::{EAST, Scene, WEST, d, p, x};
use crate::{Reason, Rejection, Source, Verdict};

#[test]
fn the_deciding_step_comes_with_both_values_and_the_term() {
    let twin = Scene::seeded().twin();
    let explanation = twin.explain(&d("r1"), &p(EAST[0])).unwrap();
    let best = explanation.best.unwrap();
    assert!(matches!(best.source, Source::External { exit: Some(e), .. } if e == x("r1-ispa")));
    assert_eq!(best.term, Some(100));
    let deciding = explanation.deciding.unwrap();
    assert_eq!((deciding.reason, deciding.best.as_str(), deciding.other.as_str()), (Reason::LocalPref, "200", "140"));
    assert_eq!(explanation.forwarding.exit(), Some(&x("r1-ispa")));
}

#[test]
fn a_reflector_explains_a_tie_by_router_id() {
    let twin = Scene::seeded().twin();
    let explanation = twin.explain(&d("r3"), &p(WEST[0])).unwrap();
    // both edges tell it of provider B at 200 over equally long paths
    let deciding = explanation.deciding.unwrap();
    assert_eq!((deciding.reason, deciding.best.as_str(), deciding.other.as_str()), (Reason::RouterId, "10.0.0.1", "10.0.0.2"));
    assert!(!explanation.order_dependent);
}

#[test]
fn rejected_paths_come_last_with_their_reason() {
    let mut scene = Scene::seeded();
    scene.announce("r1-ispa", EAST[0], &[1234, 65001], &[]);
    let explanation = scene.twin().explain(&d("r1"), &p(EAST[0])).unwrap();
    assert_eq!(explanation.losers.last().unwrap().verdict, Verdict::Rejected(Rejection::OwnAs));
    assert!(scene.twin().explain(&d("r1"), &p("198.51.99.0/24")).is_none());
}
