use super::*;
use crate::FindingKind;
use crate::scene::{Scene, Weather, key, on, t};
use bgp::Family;

const EAST: (&str, &str, Family) = ("r1-ispa", "east", Family::Ipv4Unicast);

fn state(scene: &Scene) -> PathState {
    scene.perception.path_state(&key(EAST.0, EAST.1, EAST.2))
}

#[test]
fn a_path_is_unknown_then_learning_then_normal() {
    let mut scene = Scene::new();
    assert_eq!(state(&scene), PathState::Unknown);
    scene.calm(19);
    assert_eq!(state(&scene), PathState::Learning);
    scene.calm(1);
    assert_eq!(state(&scene), PathState::Normal);
    let baseline = scene.perception.path(&key(EAST.0, EAST.1, EAST.2)).unwrap().baseline().unwrap();
    assert!((baseline.delay_ms - 4.0).abs() < 0.2 && baseline.samples == 20);
}

#[test]
fn the_baseline_is_a_median_that_one_spike_does_not_move() {
    let mut scene = Scene::new();
    scene.seconds(20, |k, n, _| Some(Weather { lost: 0, delay_ms: if n == 7 { 400.0 } else { Scene::base(k) } }));
    let baseline = scene.perception.path(&key(EAST.0, EAST.1, EAST.2)).unwrap().baseline();
    // The spike put the mean above the provider's limit for one window: suspicious samples are not learned from, so learning takes longer.
    assert!(baseline.is_none_or(|b| (b.delay_ms - 4.0).abs() < 0.5));
}

#[test]
fn limits_are_the_larger_rise_capped_by_the_provider() {
    let th = Thresholds::default();
    let b = |delay_ms| Some(Baseline { delay_ms, samples: 20 });
    assert_eq!(delay_limit(b(4.0), 60.0, &th), 9.0);
    assert_eq!(delay_limit(b(20.0), 60.0, &th), 25.0);
    assert_eq!(delay_limit(b(40.0), 60.0, &th), 50.0);
    assert_eq!(delay_limit(b(58.0), 60.0, &th), 60.0);
    assert_eq!(delay_limit(None, 60.0, &th), 60.0);
    assert_eq!(recovery_limit(b(40.0), 60.0, &th), 45.0);
}

#[test]
fn a_rise_below_the_limit_never_becomes_suspect() {
    let mut scene = Scene::new();
    scene.calm(30);
    scene.seconds(60, |k, _, _| Some(Weather { lost: 0, delay_ms: Scene::base(k) + if on(k, "r1-ispa") { 4.8 } else { 0.0 } }));
    assert!(scene.log.is_empty(), "{:?}", scene.log);
    assert_eq!(state(&scene), PathState::Normal);
}

#[test]
fn one_spike_is_suspected_at_most_and_dropped() {
    let mut scene = Scene::new();
    scene.calm(30);
    scene.seconds(1, |k, _, _| Some(Weather { lost: 0, delay_ms: if on(k, "r1-ispa") { 50.0 } else { Scene::base(k) } }));
    assert!(matches!(state(&scene), PathState::Suspect { .. }));
    scene.calm(25);
    assert_eq!(state(&scene), PathState::Normal);
    assert!(scene.opened().is_empty());
}

#[test]
fn the_baseline_does_not_follow_a_degraded_path() {
    let mut scene = Scene::new();
    scene.calm(30);
    scene.seconds(200, |k, _, _| Some(Weather { lost: 0, delay_ms: Scene::base(k) + if on(k, "r1-ispa") { 30.0 } else { 0.0 } }));
    assert!(matches!(state(&scene), PathState::Degraded { .. }));
    let baseline = scene.perception.path(&key(EAST.0, EAST.1, EAST.2)).unwrap().baseline().unwrap();
    assert!(baseline.delay_ms < 4.7, "{baseline:?}");
}

#[test]
fn hysteresis_needs_the_lower_limit_and_the_hold_time_to_clear() {
    let mut scene = Scene::new();
    scene.calm(30);
    let raised = |extra: f64| {
        move |k: &network::ProbeKey, _: u64, _: u32| {
            Some(Weather { lost: 0, delay_ms: Scene::base(k) + if on(k, "r1-ispa") { extra } else { 0.0 } })
        }
    };
    scene.seconds(20, raised(30.0));
    assert!(matches!(state(&scene), PathState::Degraded { .. }));
    // Below the trigger (4 + 5 ms), above the recovery limit (4 + 2.5 ms): still degraded.
    scene.seconds(60, raised(4.0));
    assert!(matches!(state(&scene), PathState::Degraded { .. }), "{:?}", state(&scene));
    let good_from = scene.second;
    scene.seconds(12, raised(0.0));
    assert!(matches!(state(&scene), PathState::Recovering { .. }), "{:?}", state(&scene));
    scene.seconds(40, raised(0.0));
    assert_eq!(state(&scene), PathState::Normal);
    let cleared = scene.cleared();
    assert!(cleared.len() == 1 && cleared[0] - good_from >= 30, "{cleared:?} after {good_from}");
}

#[test]
fn five_packets_of_silence_are_down_and_four_are_not() {
    let mut scene = Scene::new();
    scene.calm(30);
    // One packet a second: the request for more samples is not honoured here.
    for lost in 1..=5 {
        scene.rates.clear();
        scene.seconds(1, |k, _, sent| Some(Weather { lost: if on(k, "r1-ispa") { sent } else { 0 }, delay_ms: Scene::base(k) }));
        assert_eq!(matches!(state(&scene), PathState::Down { .. }), lost == 5, "{lost} lost: {:?}", state(&scene));
    }
    assert_eq!(state(&scene), PathState::Down { since: t(31) });
    let opened = scene.opened();
    assert_eq!((opened.len(), opened[0].1.kind), (1, FindingKind::Silent));
    assert_eq!(opened[0].1.paths.len(), 6);
}

#[test]
fn a_path_that_never_answered_is_unknown_and_not_down() {
    let mut scene = Scene::new();
    scene.seconds(60, |k, _, sent| Some(Weather { lost: if on(k, "r1-ispa") { sent } else { 0 }, delay_ms: Scene::base(k) }));
    assert_eq!(state(&scene), PathState::Unknown);
    assert!(scene.opened().is_empty());
}
