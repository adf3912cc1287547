use super::*;
use crate::scene::{Scene, Weather, routed, t};
use bgp::Family;

const KEYS: [(&str, Family); 2] = [("east", Family::Ipv4Unicast), ("east", Family::Ipv6Unicast)];

/// Measures ten seconds of `before` at 10/s, then applies the change and measures `after` second by second at 20/s.
fn verdicts(goal: Goal, before: Weather, predicted: (Interval, Interval), mut after: impl FnMut(i64) -> Option<Weather>) -> Vec<Verdict> {
    verdicts_by_path(goal, before, predicted, |_, s| after(s))
}

/// The same where each path has its own fate.
fn verdicts_by_path(
    goal: Goal,
    before: Weather,
    predicted: (Interval, Interval),
    mut after: impl FnMut(&ProbeKey, i64) -> Option<Weather>,
) -> Vec<Verdict> {
    let mut scene = Scene::new();
    let felt = |k: &ProbeKey| k.exit.is_none() && k.group.as_str() == "east";
    set_rate(&mut scene, 10);
    scene.seconds(10, |k, _, _| Some(if felt(k) { before } else { Weather { lost: 0, delay_ms: 4.0 } }));
    let paths: Vec<ExpectedPath> = KEYS
        .iter()
        .map(|(g, f)| {
            let probe = routed(g, *f);
            let before = Measured::over(scene.network.probes[&probe].samples.iter(), t(0), t(10));
            ExpectedPath { probe, before, delay_ms: Some(predicted.0), loss: Some(predicted.1) }
        })
        .collect();
    let loss_before = pool_before(&paths);
    let expectation = Expectation { goal, paths, loss_before };
    let verification = Verification::new(expectation, t(10), t(40), 60, VerificationLimits::default());
    assert_eq!(verification.requests(t(10)).len(), 2);
    set_rate(&mut scene, 20);
    let mut out = Vec::new();
    for s in 0..31 {
        scene.second(&mut |k, _, _| if felt(k) { after(k, s) } else { Some(Weather { lost: 0, delay_ms: 4.0 }) });
        out.push(verification.judge(&scene.network, t(scene.second)));
        if !matches!(out.last(), Some(Verdict::Pending { .. })) {
            break;
        }
    }
    out
}

fn set_rate(scene: &mut Scene, hz: u32) {
    for (g, f) in KEYS {
        scene.rates.insert(routed(g, f), (hz, i64::MAX));
    }
}

fn fine(delay_ms: f64) -> Weather {
    Weather { lost: 0, delay_ms }
}

const LOSSLESS: Interval = Interval { low: 0.0, high: 0.01 };
const SIX: Interval = Interval { low: 5.5, high: 6.5 };

#[test]
fn a_delay_that_falls_as_predicted_passes_before_the_deadline() {
    let all = verdicts(Goal::Delay, fine(44.0), (SIX, LOSSLESS), |_| Some(fine(6.0)));
    assert!(matches!(all.last(), Some(Verdict::Pass { .. })), "{:?}", all.last());
    assert!(all.len() <= 6, "took {} s", all.len());
}

#[test]
fn dropped_writes_move_nothing_and_fail_at_the_deadline() {
    let all = verdicts(Goal::Delay, fine(44.0), (SIX, LOSSLESS), |_| Some(fine(44.0)));
    let Some(Verdict::Fail { why, measured }) = all.last() else { panic!("{all:?}") };
    assert!(why.contains("44.0 ms before, 44.0 ms now") && why.contains("no real improvement"), "{why}");
    assert!(measured.sent > 0 && all.len() == 30);
}

#[test]
fn less_than_half_of_the_promise_is_no_success() {
    let all = verdicts(Goal::Delay, fine(44.0), (SIX, LOSSLESS), |_| Some(fine(30.0)));
    let Some(Verdict::Fail { why, .. }) = all.last() else { panic!("{all:?}") };
    assert!(why.contains("less than promised"), "{why}");
    let half = verdicts(Goal::Delay, fine(44.0), (SIX, LOSSLESS), |_| Some(fine(24.0)));
    assert!(matches!(half.last(), Some(Verdict::Pass { .. })), "{half:?}");
}

#[test]
fn a_path_that_never_moved_does_not_hide_behind_one_that_did() {
    let dead = Weather { lost: 20, delay_ms: 0.0 };
    let stays = |k: &ProbeKey| k.family == Family::Ipv6Unicast;
    let loss = verdicts_by_path(Goal::Loss, dead, (SIX, LOSSLESS), |k, _| Some(if stays(k) { dead } else { fine(6.0) }));
    let Some(Verdict::Fail { why, .. }) = loss.last() else { panic!("{loss:?}") };
    assert!(why.contains("still loses"), "{why}");
    let delay = verdicts_by_path(Goal::Delay, fine(44.0), (SIX, LOSSLESS), |k, _| Some(fine(if stays(k) { 44.0 } else { 4.0 })));
    let Some(Verdict::Fail { why, .. }) = delay.last() else { panic!("{delay:?}") };
    assert!(why.contains("still has 44.0 ms"), "{why}");
    let late = verdicts_by_path(Goal::Loss, dead, (SIX, LOSSLESS), |k, s| Some(if stays(k) && s < 6 { dead } else { fine(6.0) }));
    assert!(matches!(late.last(), Some(Verdict::Pass { .. })) && late.len() > 6, "{late:?}");
}

#[test]
fn slow_convergence_is_waited_for() {
    let all = verdicts(Goal::Delay, fine(44.0), (SIX, LOSSLESS), |s| Some(fine(if s < 12 { 44.0 } else { 6.0 })));
    assert!(matches!(all.last(), Some(Verdict::Pass { .. })) && all.len() > 12, "{all:?}");
    // half of a window lost while routers converge is half of the promise: what is left by then is what is told
    let cut = Weather { lost: 20, delay_ms: 0.0 };
    let healed = verdicts(Goal::Loss, cut, (SIX, LOSSLESS), |s| Some(if s < 5 { cut } else { fine(6.0) }));
    let Some(Verdict::Pass { measured, .. }) = healed.last() else { panic!("{healed:?}") };
    assert!(measured.loss().is_some_and(|l| l.get() < 0.02) && healed.len() < 30, "{measured:?} after {} s", healed.len());
    // what stays at less than half of it passes with the last word only
    let better = verdicts(Goal::Loss, cut, (SIX, LOSSLESS), |_| Some(Weather { lost: 8, delay_ms: 6.0 }));
    assert!(matches!(better.last(), Some(Verdict::Pass { .. })) && better.len() == 30, "{better:?}");
}

#[test]
fn silence_of_the_probes_is_a_failure_at_the_deadline() {
    let all = verdicts(Goal::Delay, fine(44.0), (SIX, LOSSLESS), |_| None);
    let Some(Verdict::Fail { why, .. }) = all.last() else { panic!("{all:?}") };
    assert!(why.contains("silence is no success"), "{why}");
}

#[test]
fn total_loss_aborts_at_once_but_not_on_a_moment_of_convergence() {
    let all = verdicts(Goal::Delay, fine(44.0), (SIX, LOSSLESS), |_| Some(Weather { lost: 20, delay_ms: 0.0 }));
    let Some(Verdict::Fail { why, .. }) = all.last() else { panic!("{all:?}") };
    assert!(why.contains("lost all") && (3..=7).contains(&all.len()), "{why} after {}", all.len());
    let blip =
        verdicts(Goal::Delay, fine(44.0), (SIX, LOSSLESS), |s| Some(if s < 2 { Weather { lost: 20, delay_ms: 0.0 } } else { fine(6.0) }));
    assert!(matches!(blip.last(), Some(Verdict::Pass { .. })), "{blip:?}");
}

#[test]
fn a_target_that_turns_bad_is_undone() {
    let slow = verdicts(Goal::Delay, fine(44.0), (SIX, LOSSLESS), |_| Some(fine(95.0)));
    let Some(Verdict::Fail { why, .. }) = slow.last() else { panic!("{slow:?}") };
    assert!(why.contains("95.0 ms is above 80.0 ms") && slow.len() < 10, "{why}");
    let lossy = verdicts(Goal::Delay, fine(44.0), (SIX, LOSSLESS), |_| Some(Weather { lost: 2, delay_ms: 6.0 }));
    let Some(Verdict::Fail { why, .. }) = lossy.last() else { panic!("{lossy:?}") };
    assert!(why.contains("loss") && lossy.len() < 10, "{why}");
}

#[test]
fn loss_must_fall_significantly() {
    let before = Weather { lost: 1, delay_ms: 6.0 };
    let gone = verdicts(Goal::Loss, before, (SIX, LOSSLESS), |_| Some(fine(6.0)));
    assert!(matches!(gone.last(), Some(Verdict::Pass { .. })), "{gone:?}");
    let same = verdicts(Goal::Loss, before, (SIX, LOSSLESS), |_| Some(Weather { lost: 2, delay_ms: 6.0 }));
    let Some(Verdict::Fail { why, .. }) = same.last() else { panic!("{same:?}") };
    assert!(why.contains("no real improvement"), "{why}");
}

#[test]
fn a_cut_that_is_routed_around_passes_and_one_that_is_not_fails() {
    let cut = Weather { lost: 10, delay_ms: 0.0 };
    let healed = verdicts(Goal::Loss, cut, (SIX, LOSSLESS), |_| Some(fine(6.0)));
    assert!(matches!(healed.last(), Some(Verdict::Pass { .. })), "{healed:?}");
    let dead = verdicts(Goal::Loss, cut, (SIX, LOSSLESS), |_| Some(Weather { lost: 20, delay_ms: 0.0 }));
    assert!(matches!(dead.last(), Some(Verdict::Fail { .. })) && dead.len() == 30, "{dead:?}");
}

#[test]
fn a_gain_in_delay_paid_with_loss_is_no_success() {
    let sample = |second: i64, sent: u32, lost: u32, delay: f64| network::ProbeSample {
        at: t(second),
        sent,
        received: sent - lost,
        delay_ms: Some(delay),
        delay_ms_min_max: None,
        rtt_ms: None,
    };
    let probe = routed("east", Family::Ipv4Unicast);
    // None of 1000 before, 1.6 % after: below the abort's limit, yet certainly worse.
    for (lost, passes) in [(0, true), (8, false)] {
        let mut network = network::Network::new(crate::scene::inventory());
        let calm: Vec<_> = (1..=10).map(|s| sample(s, 100, 0, 44.0 + 0.1 * (s % 2) as f64)).collect();
        let before = Measured::over(calm.iter(), t(0), t(10));
        let path = ExpectedPath { probe: probe.clone(), before, delay_ms: Some(SIX), loss: None };
        let expectation = Expectation { goal: Goal::Delay, paths: vec![path], loss_before: before };
        let verification = Verification::new(expectation, t(10), t(40), 60, VerificationLimits::default());
        let samples = &mut network.probes.entry(probe.clone()).or_default().samples;
        samples.extend(calm);
        samples.extend((11..=40).map(|s| sample(s, 500, lost, 6.0 + 0.1 * (s % 2) as f64)));
        let verdict = verification.judge(&network, t(40));
        assert_eq!(matches!(verdict, Verdict::Pass { .. }), passes, "{verdict:?}");
        if let Verdict::Fail { why, .. } = verdict {
            assert!(why.contains("loss rose from 0.00 % to 1.60 %"), "{why}");
        }
    }
}

/// T04. A factor says nothing where there is next to nothing: of a million packets 10 were lost, then 40.
#[test]
fn a_loss_that_grows_fourfold_from_nothing_undoes_no_change() {
    let sample = |second: i64, sent: u32, lost: u32, delay: f64| network::ProbeSample {
        at: t(second),
        sent,
        received: sent - lost,
        delay_ms: Some(delay),
        delay_ms_min_max: None,
        rtt_ms: None,
    };
    let judged = |goal: Goal, lost_now: u32| {
        let probe = routed("east", Family::Ipv4Unicast);
        let mut network = network::Network::new(crate::scene::inventory());
        let calm: Vec<_> = (1..=10).map(|s| sample(s, 100_000, 1, 44.0 + 0.1 * (s % 2) as f64)).collect();
        let before = Measured::over(calm.iter(), t(0), t(10));
        assert_eq!((before.sent, before.lost()), (1_000_000, 10), "0.00001");
        let path = ExpectedPath { probe: probe.clone(), before, delay_ms: Some(SIX), loss: None };
        let verification = Verification::new(
            Expectation { goal, paths: vec![path], loss_before: before },
            t(10),
            t(40),
            60,
            VerificationLimits::default(),
        );
        let samples = &mut network.probes.entry(probe).or_default().samples;
        samples.extend(calm);
        samples.extend((11..=40).map(|s| sample(s, 100_000, lost_now, 6.0 + 0.1 * (s % 2) as f64)));
        verification.judge(&network, t(40))
    };
    // the twin that passes: four of 100,000 in each second, 0.00004
    let Verdict::Pass { measured, .. } = judged(Goal::Delay, 4) else { panic!("{:?}", judged(Goal::Delay, 4)) };
    assert_eq!(measured.lost() * 100_000, 4 * measured.sent);
    // fourfold from where it counts: 0.4 %
    let Verdict::Fail { why, .. } = judged(Goal::Delay, 400) else { panic!("{:?}", judged(Goal::Delay, 400)) };
    assert_eq!(why, "loss rose from 0.00 % to 0.40 %");
    // and beyond the limit, at once
    let Verdict::Fail { why, .. } = judged(Goal::Delay, 4_000) else { panic!("{:?}", judged(Goal::Delay, 4_000)) };
    assert!(why.starts_with("loss 4.0 %") && why.contains("is above the limit; it was 0.0 %"), "{why}");
}
