use super::*;
use crate::scene::{EXITS, GROUPS, Scene, Weather, key, on, routed, t};
use network::Session;

/// Loses every `every`th packet of the exits that `hit` picks, counted over the whole exit.
fn lossy(every: u64, hit: impl Fn(&ProbeKey) -> bool) -> impl FnMut(&ProbeKey, u64, u32) -> Option<Weather> {
    let mut sent_so_far = BTreeMap::<Option<ExitId>, u64>::new();
    move |k, _, sent| {
        let mut lost = 0;
        if hit(k) {
            let n = sent_so_far.entry(k.exit.clone()).or_default();
            lost = u32::try_from((*n + u64::from(sent)) / every - *n / every).unwrap();
            *n += u64::from(sent);
        }
        Some(Weather { lost, delay_ms: Scene::base(k) })
    }
}

/// A repeatable pseudo-random loss (SplitMix64), `per_mille` of the packets.
fn random_loss(mut seed: u64, per_mille: u64, hit: impl Fn(&ProbeKey) -> bool) -> impl FnMut(&ProbeKey, u64, u32) -> Option<Weather> {
    let mut next = move || {
        seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    move |k, _, sent| {
        let lost = if hit(k) { (0..sent).filter(|_| next() % 1000 < per_mille).count() } else { 0 };
        Some(Weather { lost: u32::try_from(lost).unwrap(), delay_ms: Scene::base(k) })
    }
}

#[test]
fn two_percent_loss_is_a_finding_within_20_seconds() {
    for (exit, _, provider, _) in EXITS {
        let mut scene = Scene::new();
        scene.calm(30);
        scene.seconds(20, lossy(50, |k| on(k, exit)));
        let opened = scene.opened();
        assert_eq!(opened.len(), 1, "{exit}: {:?}", scene.log);
        let finding = opened[0].1;
        assert_eq!((finding.kind, finding.provider.as_str()), (FindingKind::Loss, provider));
        assert_eq!(finding.exits, [ExitId::from(exit)]);
        assert_eq!((finding.groups.len(), finding.families.len(), finding.paths.len()), (3, 2, 6));
    }
}

#[test]
fn random_two_percent_loss_is_found_and_random_loss_of_a_tenth_percent_is_not() {
    let mut found = 0;
    for seed in 0..20 {
        let mut bad = Scene::new();
        bad.calm(30);
        bad.seconds(45, random_loss(seed, 20, |k| on(k, "r2-ispc")));
        found += bad.opened().len();
        let mut fine = Scene::new();
        fine.calm(30);
        fine.seconds(120, random_loss(seed, 1, |k| k.exit.is_some()));
        assert!(fine.opened().is_empty(), "seed {seed}: {:?}", fine.opened());
    }
    assert!(found >= 18, "only {found} of 20 seeds");
}

#[test]
fn one_lost_packet_of_sixty_asks_for_evidence_and_is_no_finding() {
    let mut scene = Scene::new();
    scene.calm(30);
    let mut left = 1;
    scene.seconds(1, |k, _, _| {
        let lost = if on(k, "r1-ispb") && left > 0 {
            left -= 1;
            1
        } else {
            0
        };
        Some(Weather { lost, delay_ms: Scene::base(k) })
    });
    let Some((_, Event::EvidenceNeeded { requests })) = scene.log.first() else { panic!("{:?}", scene.log) };
    // All exits and the path the routers choose, for all groups of the exit.
    assert_eq!(requests.len(), 4 * 6 + 6);
    scene.calm(60);
    assert!(scene.opened().is_empty());
    assert_eq!(scene.log.len(), 1, "a closer look is taken once: {:?}", scene.log);
}

#[test]
fn delay_on_any_provider_is_one_finding_with_all_its_exits() {
    for provider in ["isp-a", "isp-b", "isp-c"] {
        let mut scene = Scene::new();
        scene.calm(30);
        let hit = |k: &ProbeKey| EXITS.iter().any(|(e, _, p, _)| on(k, e) && *p == provider);
        scene.seconds(15, |k, _, _| Some(Weather { lost: 0, delay_ms: Scene::base(k) + if hit(k) { 40.0 } else { 0.0 } }));
        let opened = scene.opened();
        assert_eq!(opened.len(), 1, "{:?}", scene.log);
        let (when, finding) = (opened[0].0, opened[0].1);
        let exits = EXITS.iter().filter(|e| e.2 == provider).count();
        assert_eq!((finding.kind, finding.exits.len(), finding.paths.len()), (FindingKind::DelayRise, exits, exits * 6));
        assert!(when <= 30 + 10, "opened at second {when}");
        assert_eq!(finding.since, t(31));
        assert_eq!(finding.felt.len(), 6);
        for line in &finding.evidence {
            assert!((line.before.delay_ms().unwrap() - Scene::base(&line.probe)).abs() < 0.2);
            assert!((line.now.delay_ms().unwrap() - Scene::base(&line.probe) - 40.0).abs() < 0.2);
            assert!(line.now.sent >= 20 && line.source.contains("/probes"));
        }
    }
}

#[test]
fn loss_beyond_one_group_concerns_only_that_group() {
    let mut scene = Scene::new();
    scene.calm(30);
    scene.seconds(40, lossy(12, |k| on(k, "r1-ispa") && k.group.as_str() == "east"));
    let open: Vec<_> = scene.perception.findings().collect();
    assert_eq!(open.len(), 1, "{:?}", scene.log);
    assert_eq!(open[0].groups, [GroupId::from("east")]);
    assert_eq!(open[0].families.len(), 2);
}

#[test]
fn silence_of_the_feed_is_staleness_and_no_finding() {
    let mut scene = Scene::new();
    scene.calm(30);
    scene.seconds(60, |k, _, _| (k.device.as_str() != "r1").then(|| Weather { lost: 0, delay_ms: Scene::base(k) }));
    assert!(scene.log.is_empty());
    let probe = key("r1-ispa", "east", Family::Ipv4Unicast);
    assert!(!scene.perception.is_fresh(&scene.network, &probe, t(scene.second)));
    assert_eq!(scene.perception.measured_now(&scene.network, &probe, t(scene.second)), None);
}

#[test]
fn nothing_is_opened_while_the_feed_is_stale() {
    let mut scene = Scene::new();
    scene.calm(30);
    scene.network.devices.get_mut(&DeviceId::from("r1")).unwrap().gnmi = Freshness::Stale { since: t(30) };
    scene.seconds(30, |k, _, sent| Some(Weather { lost: if on(k, "r1-ispa") { sent } else { 0 }, delay_ms: Scene::base(k) }));
    assert!(scene.log.is_empty(), "{:?}", scene.log);
}

#[test]
fn samples_that_arrive_late_move_nothing() {
    let mut scene = Scene::new();
    scene.calm(30);
    let (mut network, perception) = (scene.network.clone(), &mut scene.perception);
    for (k, probe) in network.probes.iter_mut().filter(|(k, _)| on(k, "r1-ispa")) {
        let mut old = *probe.samples.back().unwrap();
        for s in 31..50 {
            old.at = t(s);
            (old.received, old.delay_ms) = (0, None);
            probe.samples.push_back(old);
        }
        assert_eq!(k.device.as_str(), "r1");
    }
    assert!(perception.observe(&network, t(200)).is_empty());
}

#[test]
fn a_lost_target_is_silent_on_every_exit_and_spoils_no_other_group() {
    let mut scene = Scene::new();
    scene.calm(30);
    scene.seconds(20, |k, _, sent| Some(Weather { lost: if k.group.as_str() == "west" { sent } else { 0 }, delay_ms: Scene::base(k) }));
    let opened = scene.opened();
    assert_eq!(opened.len(), 3);
    for (_, finding) in opened {
        assert_eq!((finding.kind, &finding.groups), (FindingKind::Silent, &vec![GroupId::from("west")]));
    }
}

#[test]
fn a_session_that_goes_down_is_a_finding_and_a_shut_one_is_none() {
    let mut scene = Scene::new();
    let exit = scene.network.inventory.exits[0].clone();
    let neighbor = exit.neighbors[0];
    let device = |s: &mut Scene, session: Session| {
        s.network.devices.get_mut(&exit.device).unwrap().sessions.insert(neighbor, session);
    };
    device(&mut scene, Session::default());
    scene.calm(5);
    assert!(scene.opened().is_empty(), "never seen Established");
    device(&mut scene, Session { state: SessionState::Established, ..Session::default() });
    scene.calm(5);
    device(&mut scene, Session { admin_down: true, ..Session::default() });
    scene.calm(5);
    assert!(scene.opened().is_empty(), "shut by an operator");
    device(&mut scene, Session { state: SessionState::Active, ..Session::default() });
    scene.calm(1);
    assert_eq!(
        scene.opened().iter().map(|(_, f)| (f.kind, f.exits.clone())).collect::<Vec<_>>(),
        [(FindingKind::SessionDown, vec![exit.id.clone()])]
    );
    device(&mut scene, Session { state: SessionState::Established, ..Session::default() });
    scene.calm(30);
    assert!(scene.cleared().is_empty());
    scene.calm(2);
    assert_eq!(scene.cleared().len(), 1);
}

#[test]
fn a_second_exit_of_the_provider_widens_the_open_finding() {
    let mut scene = Scene::new();
    scene.calm(30);
    let raised = |hits: &'static [&'static str]| {
        move |k: &ProbeKey, _: u64, _: u32| {
            let extra = if hits.iter().any(|e| on(k, e)) { 40.0 } else { 0.0 };
            Some(Weather { lost: 0, delay_ms: Scene::base(k) + extra })
        }
    };
    scene.seconds(15, raised(&["r1-ispb"]));
    scene.seconds(15, raised(&["r1-ispb", "r2-ispb"]));
    assert_eq!(scene.opened().len(), 1);
    let open: Vec<_> = scene.perception.findings().collect();
    assert_eq!((open.len(), open[0].exits.len(), open[0].paths.len()), (1, 2, 12));
    assert!((open[0].evidence[0].before.delay_ms().unwrap() - 6.0).abs() < 0.2, "the first before stays");
}

#[test]
fn state_survives_serialisation_and_judges_on_alike() {
    let mut live = Scene::new();
    live.calm(30);
    live.seconds(4, lossy(50, |k| on(k, "r1-ispa")));
    let text = serde_json::to_string(&live.perception).unwrap();
    let restored: Perception = serde_json::from_str(&text).unwrap();
    assert_eq!(restored, live.perception);
    assert_eq!(serde_json::to_string(&restored).unwrap(), text);
}

/// After a restart nothing of before is remembered but how far the numbers went.
#[test]
fn a_number_given_before_a_restart_is_not_given_again() {
    let mut scene = Scene::new();
    scene.perception = Perception::default().numbered_after(8);
    scene.calm(30);
    scene.seconds(20, lossy(50, |k| on(k, "r1-ispa")));
    assert_eq!(scene.opened().iter().map(|(_, finding)| finding.id).collect::<Vec<_>>(), [FindingId(9)]);
}

#[test]
fn observing_the_same_picture_twice_says_nothing_new() {
    let mut scene = Scene::new();
    scene.calm(30);
    scene.seconds(20, lossy(20, |k| on(k, "r1-ispa")));
    let before = scene.perception.clone();
    assert!(scene.perception.observe(&scene.network, t(scene.second)).is_empty());
    assert_eq!(scene.perception, before);
    assert_eq!(GROUPS.len(), 3);
    assert_eq!(scene.perception.path_state(&routed("east", Family::Ipv4Unicast)), PathState::Normal);
}
