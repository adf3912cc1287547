use super::*;
use crate::scene::{EXITS, Scene, of_provider, on, t};
use perception::{Verdict, Verification, VerificationLimits};
use proptest::prelude::*;
use std::sync::Arc;

fn exits_of(decision: &Decision) -> Vec<&str> {
    decision.chosen.action.exits.iter().map(ExitId::as_str).collect()
}

fn reason<'a>(decision: &'a Decision, name: &str) -> &'a str {
    let found = decision.alternatives.iter().find(|a| a.name == name);
    found.map_or_else(|| panic!("no {name} in {:?}", names(decision)), |a| a.lost_because.as_str())
}

fn names(decision: &Decision) -> Vec<&str> {
    decision.alternatives.iter().map(|a| a.name.as_str()).collect()
}

#[test]
fn delay_of_any_provider_moves_its_group_to_the_best_measured_exit() {
    for (provider, group, best, value, from) in [
        ("isp-a", "east", "r2-ispc", 201, "ISP-A"),
        ("isp-b", "west", "r2-ispc", 201, "ISP-B"),
        ("isp-c", "south", "r1-ispa", 149, "ISP-C"),
    ] {
        let mut scene = Scene::new();
        let finding = match provider {
            "isp-a" => scene.trouble(20, |k| Some((0, if of_provider(k, "isp-a") { 40.0 } else { 0.0 }))),
            "isp-b" => scene.trouble(20, |k| Some((0, if of_provider(k, "isp-b") { 40.0 } else { 0.0 }))),
            _ => scene.trouble(20, |k| Some((0, if of_provider(k, "isp-c") { 40.0 } else { 0.0 }))),
        };
        let decision = scene.decide(&finding);
        assert_eq!(decision.chosen.action.kind, ActionType::LocalPrefAdjust, "{}", decision.rationale);
        let targets: BTreeSet<&str> = decision.chosen.prediction.moves.iter().flat_map(|m| &m.to).map(ExitId::as_str).collect();
        assert_eq!(targets, BTreeSet::from([best]), "{}", decision.rationale);
        let Parameters::LocalPref { local_pref, .. } = decision.chosen.action.parameters else { panic!("{:?}", decision.chosen.action) };
        assert_eq!(local_pref, value, "{}", decision.rationale);
        assert_eq!(decision.chosen.action.prefixes.len(), 5);
        assert!(decision.chosen.action.prefixes.iter().all(|p| scene.network.inventory.group_of(p).unwrap().id.as_str() == group));
        let p = &decision.chosen.prediction;
        assert!(p.delay_before_ms.unwrap().mean > 42.0 && p.delay_after_ms.unwrap().mean < 5.0, "{p:?}");
        assert!(decision.chosen.summary.starts_with("Move 5 prefixes (volume unknown, outbound) from "), "{}", decision.chosen.summary);
        assert!(decision.chosen.summary.contains(&format!("from {from} to")), "{}", decision.chosen.summary);
        assert!(names(&decision).contains(&"do nothing") && names(&decision).iter().any(|n| n.starts_with("drain")));
        assert!(decision.alternatives.iter().all(|a| !a.lost_because.is_empty()));
        assert!(decision.wanted.is_empty() && decision.unmovable.is_empty());
    }
}

#[test]
fn the_edit_keeps_one_term_per_family_and_names_exactly_the_prefixes() {
    let mut scene = Scene::new();
    let finding = scene.trouble(20, |k| Some((0, if on(k, "r1-ispa") { 40.0 } else { 0.0 })));
    let decision = scene.decide(&finding);
    let edits = &decision.chosen.action.edits;
    assert_eq!(edits.len(), 1);
    assert_eq!(edits[0].device.as_str(), "r2");
    let sets: Vec<usize> = edits[0]
        .edits
        .iter()
        .filter_map(|e| if let config::PolicyEdit::PutPrefixSet { set, .. } = e { Some(set.entries.len()) } else { None })
        .collect();
    assert_eq!(sets, [4, 1]);
}

#[test]
fn two_percent_loss_is_moved_away_and_measured_as_loss() {
    let mut scene = Scene::new();
    let finding = scene.trouble(25, |k| Some((if on(k, "r1-ispa") { 2 } else { 0 }, 0.0)));
    assert_eq!(finding.kind, FindingKind::Loss);
    let decision = scene.decide(&finding);
    assert_eq!(exits_of(&decision), ["r2-ispc"], "{}", decision.rationale);
    assert_eq!(decision.chosen.expectation.as_ref().unwrap().goal, Goal::Loss);
    assert!(decision.chosen.summary.contains("ISP-A loses "), "{}", decision.chosen.summary);
}

#[test]
fn a_cut_fibre_is_answered_although_no_delay_is_known() {
    let mut scene = Scene::new();
    let finding = scene.trouble(15, |k| Some((if on(k, "r1-ispa") { 100 } else { 0 }, 0.0)));
    assert_eq!(finding.kind, FindingKind::Silent);
    let decision = scene.decide(&finding);
    assert_eq!(decision.chosen.action.kind, ActionType::LocalPrefAdjust, "{}", decision.rationale);
    assert_eq!(decision.chosen.prediction.loss_before.unwrap().mean, 1.0);
    assert!(decision.chosen.summary.contains("ISP-A is silent since 00:17:1"), "{}", decision.chosen.summary);
}

#[test]
fn no_action_with_numbers_when_every_alternative_is_worse() {
    let mut scene = Scene::new();
    let finding = scene.trouble(20, |k| Some((0, if on(k, "r1-ispa") { 10.0 } else { 30.0 })));
    // The others rose too: they are degraded themselves.
    let decision = scene.decide(&finding);
    assert_eq!(decision.chosen.action.kind, ActionType::NoAction);
    assert!(decision.chosen.action.edits.is_empty() && decision.chosen.expectation.is_none());
    assert!(reason(&decision, "raise r2-ispc").contains("itself degraded"));
    assert!(decision.chosen.summary.contains("14.0 ms"), "{}", decision.chosen.summary);
}

/// They fail one after the other: the second looks good only because its bad time is short.
#[test]
fn an_alternative_that_has_just_become_suspect_is_waited_for() {
    let mut scene = Scene::new();
    scene.pass(40, |_| Some((0, 0.0)));
    scene.pass(4, |k| Some((0, if on(k, "r1-ispa") { 40.0 } else { 0.0 })));
    scene.pass(3, |k| Some((0, if k.exit.is_some() { 40.0 } else { 0.0 })));
    let finding = scene.perception.findings().next().cloned().unwrap();
    let decision = scene.decide(&finding);
    assert_eq!(decision.chosen.action.kind, ActionType::NoAction, "{}", decision.rationale);
    assert!(reason(&decision, "raise r2-ispc").contains("itself suspect"), "{}", reason(&decision, "raise r2-ispc"));
    let asked: BTreeSet<_> = decision.wanted.iter().map(|Request::ProbeRate { probe, .. }| probe.exit.clone()).collect();
    assert!(asked.contains(&Some("r2-ispc".into())), "{asked:?}");
}

#[test]
fn a_slower_but_healthy_alternative_is_no_gain() {
    let mut scene = Scene::new();
    // Learned like this: every other path is normally 30 ms slower.
    scene.pass(40, |k| Some((0, if on(k, "r1-ispa") { 0.0 } else { 30.0 })));
    scene.pass(20, |k| Some((0, if on(k, "r1-ispa") { 20.0 } else { 30.0 })));
    let finding = scene.perception.findings().next().cloned().unwrap();
    let decision = scene.decide(&finding);
    assert_eq!(decision.chosen.action.kind, ActionType::NoAction, "{}", decision.rationale);
    let why = reason(&decision, "raise r2-ispc");
    assert!(why.contains("24.0 ms → 33.0 ms") && why.contains("not better than doing nothing"), "{why}");
}

#[test]
fn a_gain_below_the_margin_is_not_worth_a_change() {
    let mut scene = Scene::new();
    scene.pass(40, |k| Some((0, if on(k, "r1-ispa") { 0.0 } else { 8.5 })));
    scene.pass(20, |k| Some((0, if on(k, "r1-ispa") { 9.0 } else { 8.5 })));
    let finding = scene.perception.findings().next().cloned().unwrap();
    let decision = scene.decide(&finding);
    assert_eq!(decision.chosen.action.kind, ActionType::NoAction);
    assert!(reason(&decision, "raise r2-ispc").contains("too little gain"), "{}", decision.rationale);
}

#[test]
fn an_alternative_that_was_not_measured_is_asked_for_and_not_chosen() {
    let mut scene = Scene::new();
    scene.pass(30, |_| Some((0, 0.0)));
    scene.pass(20, |k| on(k, "r1-ispa").then_some((0, 40.0)));
    let finding = scene.perception.findings().next().cloned().unwrap();
    let decision = scene.decide(&finding);
    assert_eq!(decision.chosen.action.kind, ActionType::NoAction);
    assert!(reason(&decision, "raise r2-ispc").contains("not measured recently"));
    let asked: BTreeSet<_> = decision.wanted.iter().map(|Request::ProbeRate { probe, .. }| probe.exit.clone()).collect();
    assert!(asked.contains(&Some("r2-ispc".into())) && !asked.contains(&Some("r1-ispa".into())), "{asked:?}");
}

#[test]
fn a_full_link_is_no_target() {
    let mut scene = Scene::new();
    let finding = scene.trouble(20, |k| Some((0, if on(k, "r1-ispa") { 40.0 } else { 0.0 })));
    scene.volume("r1-ispa", 0, 2e6);
    let r2 = scene.network.devices.get_mut(&"r2".into()).unwrap();
    r2.interfaces.get_mut("eth-r2-ispc").unwrap().rate_bps = Some((0.0, 80e6));
    let decision = scene.decide(&finding);
    assert!(
        reason(&decision, "raise r2-ispc").contains("r2-ispc would carry 90.0 Mbit/s of 100.0 Mbit/s, above 85 %"),
        "{}",
        decision.rationale
    );
    assert!(!exits_of(&decision).contains(&"r2-ispc"));
    assert_eq!(decision.chosen.prediction.volume_bps, Some(10e6));
    assert!(decision.chosen.summary.contains("(10.0 Mbit/s, outbound)"), "{}", decision.chosen.summary);
    assert!(decision.chosen.prediction.money_per_hour.unwrap() < 0.0, "isp-b is cheaper");
}

#[test]
fn a_failed_check_takes_a_candidate_out() {
    let mut scene = Scene::new();
    let finding = scene.trouble(20, |k| Some((0, if on(k, "r1-ispa") { 40.0 } else { 0.0 })));
    scene.twin.failed = vec!["K03: forwarding loop r1-r2".to_owned()];
    let decision = scene.decide(&finding);
    assert_eq!(decision.chosen.action.kind, ActionType::NoAction);
    assert!(decision.alternatives.iter().all(|a| a.lost_because.contains("K03")), "{:?}", decision.alternatives);
}

#[test]
fn prefixes_without_another_route_are_named_and_not_moved() {
    let mut scene = Scene::new();
    let finding = scene.trouble(20, |k| Some((0, if on(k, "r1-ispa") { 40.0 } else { 0.0 })));
    let (east, lonely): (Prefix, Prefix) = ("198.18.0.0/24".parse().unwrap(), "198.18.3.0/24".parse().unwrap());
    for (exit, _, _, _) in &EXITS[1..] {
        scene.twin.routes.remove(&(ExitId::from(*exit), lonely));
    }
    let decision = scene.decide(&finding);
    assert_eq!(decision.unmovable, [lonely]);
    assert!(
        decision.chosen.action.prefixes.contains(&east) && !decision.chosen.action.prefixes.contains(&lonely),
        "{}",
        decision.rationale
    );
}

#[test]
fn a_value_above_the_highest_local_pref_is_refused() {
    let mut scene = Scene::new();
    let finding = scene.trouble(20, |k| Some((0, if on(k, "r1-ispa") { 40.0 } else { 0.0 })));
    for ((exit, _), lp) in &mut scene.twin.routes {
        if exit.as_str() == "r1-ispa" {
            *lp = 300;
        }
    }
    let decision = scene.decide(&finding);
    assert!(reason(&decision, "raise r2-ispc").contains("LOCAL_PREF 301"));
    assert_eq!(decision.chosen.action.exits, [ExitId::from("r1-ispa")], "lowering at the degraded exit is left: {}", decision.rationale);
}

#[test]
fn a_remedy_above_the_blast_limit_is_split_by_group() {
    let mut scene = Scene::new();
    // Everything leaves by isp-a.
    for ((exit, _), lp) in &mut scene.twin.routes {
        *lp = if exit.as_str() == "r1-ispa" { 200 } else { 100 };
    }
    let finding = scene.trouble(20, |k| Some((0, if on(k, "r1-ispa") { 40.0 } else { 0.0 })));
    scene.volume("r1-ispa", 0, 1e6);
    scene.volume("r1-ispa", 1, 3e6);
    scene.volume("r1-ispa", 2, 2e6);
    scene.settings.blast_max = 0.5;
    let decision = scene.decide(&finding);
    assert_eq!(decision.chosen.prediction.moves.len(), 5, "{}", decision.rationale);
    assert!(decision.chosen.prediction.blast.get() <= 0.5);
    assert_eq!(decision.later.len(), 10);
    let west = scene.network.inventory.group_of(&decision.chosen.action.prefixes[0]).unwrap();
    assert_eq!(west.id.as_str(), "west", "the group with most traffic goes first");
    assert!(reason(&decision, "drain isp-a").contains("above the limit of 50.0 %"));
}

#[test]
fn a_drain_that_would_drain_another_provider_too_is_refused() {
    let mut scene = Scene::new();
    let finding = scene.trouble(20, |k| Some((0, if on(k, "r1-ispa") { 40.0 } else { 0.0 })));
    let [ours, _] = crate::scene::neighbors("r1-ispa");
    let [other, _] = crate::scene::neighbors("r1-ispb");
    let bgp = scene.twin.configs.get_mut(&"r1".into()).unwrap().bgp.as_mut().unwrap();
    let shared = bgp.neighbors[&ours].families[&bgp::Family::Ipv4Unicast].export.clone();
    bgp.neighbors.get_mut(&other).unwrap().families.get_mut(&bgp::Family::Ipv4Unicast).unwrap().export = shared;
    let decision = scene.decide(&finding);
    let why = reason(&decision, "drain isp-a");
    assert!(why.contains("would be drained too") && why.contains(&other.to_string()), "{why}");
}

#[test]
fn a_drained_or_empty_exit_needs_nothing() {
    let mut scene = Scene::new();
    let finding = scene.trouble(20, |k| Some((0, if on(k, "r1-ispa") { 40.0 } else { 0.0 })));
    for ((exit, _), lp) in &mut scene.twin.routes {
        if exit.as_str() == "r1-ispa" {
            *lp = 0;
        }
    }
    let decision = scene.decide(&finding);
    assert_eq!(decision.chosen.action.kind, ActionType::NoAction);
    assert!(decision.rationale.contains("already chose other ways"));
}

#[test]
fn a_change_whose_success_cannot_be_measured_is_not_proposed() {
    let mut scene = Scene::new();
    let mut finding = scene.trouble(20, |k| Some((0, if on(k, "r1-ispa") { 40.0 } else { 0.0 })));
    finding.felt.clear();
    let decision = scene.decide(&finding);
    assert_eq!(decision.chosen.action.kind, ActionType::NoAction);
    assert!(reason(&decision, "raise r2-ispc").contains("could not be measured"));
}

#[test]
fn the_healthy_exit_of_the_same_provider_is_an_alternative() {
    let mut scene = Scene::new();
    // r1-ispb and r2-ispb tie for west; r4 and r1 use the first, r2 its own.
    let finding = scene.trouble(20, |k| Some((0, if on(k, "r1-ispb") { 40.0 } else { 0.0 })));
    assert_eq!(finding.exits, [ExitId::from("r1-ispb")]);
    let decision = scene.decide(&finding);
    assert_eq!(exits_of(&decision), ["r2-ispc"], "3 ms beat 6 ms: {}", decision.rationale);
    let lower = decision.alternatives.iter().find(|a| a.name == "lower r1-ispb").unwrap();
    let moves = &lower.prediction.as_ref().unwrap().moves;
    assert!(moves.iter().all(|m| m.from.as_str() == "r1-ispb" && m.to == [ExitId::from("r2-ispb")]), "{moves:?}");
    assert!(lower.lost_because.contains("46.0 ms → 6.0 ms"), "{}", lower.lost_because);
}

#[test]
fn inbound_findings_get_no_outbound_tool() {
    let mut scene = Scene::new();
    let mut finding = scene.trouble(20, |k| Some((0, if on(k, "r1-ispa") { 40.0 } else { 0.0 })));
    finding.direction = Direction::Inbound;
    assert_eq!(scene.decide(&finding).chosen.action.kind, ActionType::NoAction);
}

/// From decision to verdict: the probes that follow the routing feel the change, or feel nothing when the writes were dropped.
#[test]
fn the_expectation_passes_when_the_routes_move_and_fails_when_they_do_not() {
    for dropped in [false, true] {
        let mut scene = Scene::new();
        let finding = scene.trouble(20, |k| Some((0, if on(k, "r1-ispa") { 40.0 } else { 0.0 })));
        let decision = scene.decide(&finding);
        let expectation = decision.chosen.expectation.clone().unwrap();
        assert_eq!(expectation.paths.len(), 2);
        assert!(expectation.paths.iter().all(|p| p.delay_ms.unwrap().contains(3.0)), "{expectation:?}");
        if !dropped {
            for m in &decision.chosen.prediction.moves {
                scene.twin.routes.insert((m.to[0].clone(), m.prefix), 201);
            }
        }
        let start = scene.second + 5;
        let verification = Verification::new(expectation, t(start), t(start + 30), 60, VerificationLimits::default());
        scene.pass(5, |k| Some((0, if on(k, "r1-ispa") { 40.0 } else { 0.0 })));
        let mut verdict = verification.judge(&scene.network, t(scene.second));
        while matches!(verdict, Verdict::Pending { .. }) {
            scene.pass(1, |k| Some((0, if on(k, "r1-ispa") { 40.0 } else { 0.0 })));
            verdict = verification.judge(&scene.network, t(scene.second));
        }
        assert_eq!(matches!(verdict, Verdict::Fail { .. }), dropped, "{verdict:?}");
        assert_eq!(scene.second >= start + 30, dropped);
    }
}

#[test]
fn a_decision_survives_serialisation() {
    let mut scene = Scene::new();
    let finding = scene.trouble(20, |k| Some((0, if on(k, "r1-ispa") { 40.0 } else { 0.0 })));
    let decision = scene.decide(&finding);
    let text = serde_json::to_string(&decision).unwrap();
    assert_eq!(serde_json::from_str::<Decision>(&text).unwrap(), decision);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn the_order_of_the_input_does_not_matter(seed in any::<u64>(), which in 0..3_usize, reversed in any::<bool>()) {
        let mut scene = Scene::new();
        let finding = match which {
            0 => scene.trouble(20, |k| Some((0, if of_provider(k, "isp-a") { 40.0 } else { 0.0 }))),
            1 => scene.trouble(20, |k| Some((if of_provider(k, "isp-b") { 3 } else { 0 }, 0.0))),
            _ => scene.trouble(20, |k| Some((if of_provider(k, "isp-c") { 100 } else { 0 }, 0.0))),
        };
        scene.volume("r1-ispa", 0, 2e6);
        let expected = scene.decide(&finding);
        let mut shuffled = scene.clone();
        shuffled.twin.reversed = reversed;
        let inventory = Arc::make_mut(&mut shuffled.network.inventory);
        shuffle(&mut inventory.exits, seed);
        shuffle(&mut inventory.groups, seed.rotate_left(7));
        shuffle(&mut inventory.providers, seed.rotate_left(13));
        shuffle(&mut inventory.devices, seed.rotate_left(23));
        let mut other = finding.clone();
        shuffle(&mut other.exits, seed.rotate_left(3));
        shuffle(&mut other.paths, seed.rotate_left(5));
        let mut got = shuffled.decide(&other);
        got.chosen.evidence.clone_from(&expected.chosen.evidence);
        prop_assert_eq!(got, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn whatever_the_weather_the_choice_is_measured_better_and_within_limits(
        lost in proptest::array::uniform4(0..8_u32),
        added in proptest::array::uniform4(0..60_u32),
        calm in proptest::array::uniform4(any::<bool>()),
        dead in proptest::option::of(0..4_usize),
    ) {
        let mut scene = Scene::new();
        scene.pass(30, |_| Some((0, 0.0)));
        scene.pass(30, |k| {
            let i = EXITS.iter().position(|e| on(k, e.0)).unwrap();
            let percent = if dead == Some(i) { 100 } else if calm[i] { 0 } else { lost[i].saturating_sub(4) };
            Some((percent, if calm[i] { 0.0 } else { f64::from(added[i]) }))
        });
        let findings: Vec<Finding> = scene.perception.findings().cloned().collect();
        for finding in findings {
            let decision = scene.decide(&finding);
            let action = &decision.chosen.action;
            if action.kind == ActionType::NoAction {
                prop_assert!(action.edits.is_empty());
                continue;
            }
            let p = &decision.chosen.prediction;
            let idle = decision.alternatives.iter().find(|a| a.name == "do nothing").unwrap().prediction.clone().unwrap();
            prop_assert!(p.cost < idle.cost && p.blast.get() <= scene.settings.blast_max);
            if let Parameters::LocalPref { local_pref, .. } = action.parameters {
                prop_assert!(local_pref <= 300);
            }
            for to in p.moves.iter().flat_map(|m| &m.to) {
                let i = EXITS.iter().position(|e| e.0 == to.as_str()).unwrap();
                prop_assert!(dead != Some(i), "{}", decision.rationale);
            }
            let better_delay = p.delay_before_ms.zip(p.delay_after_ms).is_some_and(|(b, a)| b.mean - a.mean >= 2.0);
            let better_loss = p.loss_before.zip(p.loss_after).is_some_and(|(b, a)| b.mean - a.mean >= 0.002);
            prop_assert!(better_delay || better_loss, "{}", decision.rationale);
            prop_assert!(!decision.chosen.expectation.unwrap().paths.is_empty());
        }
    }
}

/// Fisher–Yates with a repeatable generator.
fn shuffle<T>(list: &mut [T], mut seed: u64) {
    for i in (1..list.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        list.swap(i, usize::try_from(seed >> 33).unwrap() % (i + 1));
    }
}
