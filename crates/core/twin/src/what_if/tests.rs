use crate::scene::{EAST, SOUTH, Scene, WEST, d, neighbor, p, x};
use crate::{CheckId, Prediction, Question, Step, Twin, TwinError, Verdict};
use action::{ActionType, DeviceEdits};
use bgp::{AsPath, Community, Family, PathAttributes, Prefix};
use config::{Condition, PolicyEdit, PolicyResult, RouteAction, Statement};
use proptest::prelude::*;

const V4: Family = Family::Ipv4Unicast;

fn prefixes(list: &[&str]) -> Vec<Prefix> {
    let mut all: Vec<Prefix> = list.iter().map(|t| p(t)).collect();
    all.sort();
    all
}

fn ask(twin: &Twin<'_>, edits: DeviceEdits, intended: &[&str]) -> Prediction {
    twin.what_if(&[edits], &prefixes(intended)).unwrap()
}

fn failed(prediction: &Prediction) -> Vec<CheckId> {
    prediction.checks.iter().filter(|c| c.verdict == Verdict::Block).map(|c| c.id).collect()
}

fn detail(prediction: &Prediction, id: CheckId) -> &str {
    &prediction.checks.iter().find(|c| c.id == id).unwrap().sentence
}

/// Every choice of every router, in words.
fn tables(twin: &Twin<'_>) -> Vec<String> {
    let of = |device: &str| twin.prefixes().filter_map(|p| twin.best(&d(device), &p).map(|b| format!("{p} {b:?}"))).collect::<Vec<_>>();
    ["r1", "r2", "r3", "r4", "r5"].into_iter().flat_map(of).collect()
}

/// Exits after, per device, of one prefix.
fn after(prediction: &Prediction, prefix: &str) -> Vec<(String, String)> {
    let change = prediction.changed.iter().find(|c| c.prefix == p(prefix)).unwrap_or_else(|| panic!("{prefix} does not change"));
    change.devices.iter().map(|d| (d.device.to_string(), d.after.forwarding.to_string())).collect()
}

#[test]
fn raising_local_pref_elsewhere_moves_exactly_the_listed_prefixes() {
    let scene = Scene::seeded();
    let twin = scene.twin();
    let prediction = ask(&twin, scene.local_pref("r2-ispc", &EAST, 201), &EAST);
    assert_eq!(prediction.changed.iter().map(|c| c.prefix).collect::<Vec<_>>(), prefixes(&EAST));
    assert_eq!(failed(&prediction), []);
    for prefix in EAST {
        let exits = after(&prediction, prefix);
        assert!(exits.len() == 5 && exits.iter().all(|(_, e)| e == "r2-ispc"), "{exits:?}");
    }
    let change = &prediction.changed[0].devices[3];
    assert_eq!((change.before.local_pref, change.after.local_pref), (Some(200), Some(201)));
    assert_eq!(change.after.as_path, Some(AsPath::sequence([9012, 64500])));
    // 10 learned and 2 own prefixes
    assert_eq!((prediction.known_prefixes, prediction.blast.get()), (12, 4.0 / 12.0));
}

#[test]
fn lowering_local_pref_yields_to_the_next_best_exit() {
    let scene = Scene::seeded();
    let prediction = ask(&scene.twin(), scene.local_pref("r1-ispa", &[EAST[0]], 120), &[EAST[0]]);
    assert_eq!(failed(&prediction), []);
    // both edges have a path by provider B at 140: each keeps its own, the reflector's choice (lower router id) serves the rest
    let exits = after(&prediction, EAST[0]);
    assert!(
        exits.contains(&("r4".to_owned(), "r1-ispb".to_owned())) && exits.contains(&("r2".to_owned(), "r2-ispb".to_owned())),
        "{exits:?}"
    );
    assert_eq!(prediction.changed[0].devices[0].after.step, Some(Step::LocalPref));
}

#[test]
fn an_edit_that_changes_no_choice_moves_nothing() {
    let scene = Scene::seeded();
    let prediction = ask(&scene.twin(), scene.local_pref("r1-ispa", &[EAST[0]], 210), &[EAST[0]]);
    assert_eq!(prediction.changed, []);
    assert_eq!(failed(&prediction), []);
}

#[test]
fn a_drain_moves_everything_and_tells_the_neighbour() {
    let scene = Scene::seeded();
    let twin = scene.twin();
    let prediction = ask(&twin, scene.drain("r1-ispa"), &EAST);
    assert_eq!(failed(&prediction), [], "{:?}", prediction.checks);
    assert_eq!(prediction.changed.iter().map(|c| c.prefix).collect::<Vec<_>>(), prefixes(&EAST));
    assert!(prediction.changed.iter().flat_map(|c| &c.devices).all(|d| d.after.forwarding.exit() != Some(&x("r1-ispa"))));
    let told: Vec<_> = prediction.announced.iter().map(|c| (c.neighbor, c.modified.len())).collect();
    assert_eq!(told, [(neighbor("r1-ispa", V4), 1), (neighbor("r1-ispa", Family::Ipv6Unicast), 1)]);
    // the same edits under an outbound label are refused: they change what is announced
    let edits = [scene.drain("r1-ispa")];
    let intended = prefixes(&EAST);
    let outbound = Question { kind: Some(ActionType::LocalPrefAdjust), ..Question::new(&edits, &intended) };
    assert_eq!(failed(&twin.ask(&outbound).unwrap()), [CheckId::K05]);
}

#[test]
fn a_prefix_that_loses_its_only_path_fails_reachability() {
    let mut scene = Scene::seeded();
    scene.announce("r1-ispa", "198.18.99.0/24", &[1234, 64500], &[]);
    let twin = scene.twin();
    let with_lone = [EAST.as_slice(), &["198.18.99.0/24"]].concat();
    let prediction = ask(&twin, scene.enable("r1-ispa", false), &with_lone);
    assert_eq!(failed(&prediction), [CheckId::K02]);
    assert!(detail(&prediction, CheckId::K02).contains("198.18.99.0/24"), "{}", detail(&prediction, CheckId::K02));
    // the drain before it keeps the lone prefix
    assert_eq!(failed(&ask(&twin, scene.drain("r1-ispa"), &EAST)), []);
}

#[test]
fn collateral_moves_fail_the_scope() {
    let scene = Scene::seeded();
    let prediction = ask(&scene.twin(), scene.local_pref("r2-ispc", &EAST, 201), &[EAST[0]]);
    assert_eq!(failed(&prediction), [CheckId::K01, CheckId::K09]);
    assert!(detail(&prediction, CheckId::K01).contains(EAST[1]));
}

#[test]
fn a_term_in_front_of_the_denies_fails_the_policy_shape() {
    let mut scene = Scene::seeded();
    scene.announce("r2-ispc", "10.66.0.0/16", &[9012], &[]);
    let statement =
        Statement { sequence: 5, result: PolicyResult::Accept, conditions: vec![], actions: vec![RouteAction::SetLocalPref(201)] };
    let edits = vec![PolicyEdit::InsertStatement { policy: "ISPC-IN".to_owned(), statement, before: Some(10) }];
    let prediction = ask(&scene.twin(), DeviceEdits { device: d("r2"), edits }, &EAST);
    let bad = failed(&prediction);
    assert!(bad.contains(&CheckId::K01) && bad.contains(&CheckId::K09), "{bad:?}");
    assert!(detail(&prediction, CheckId::K09).contains("10.66.0.0/16"), "{}", detail(&prediction, CheckId::K09));
}

#[test]
fn a_term_that_forgets_the_community_fails_the_policy_shape() {
    let scene = Scene::seeded();
    let mut edits = scene.local_pref("r2-ispc", &[EAST[0]], 201);
    for edit in &mut edits.edits {
        if let PolicyEdit::InsertStatement { statement, .. } = edit {
            statement.actions.retain(|a| matches!(a, RouteAction::SetLocalPref(_)));
        }
    }
    let prediction = ask(&scene.twin(), edits, &[EAST[0]]);
    assert_eq!(failed(&prediction), [CheckId::K09]);
    assert!(detail(&prediction, CheckId::K09).contains("Communities"));
}

#[test]
fn export_terms_that_let_foreign_routes_out_fail_the_announcements() {
    let scene = Scene::seeded();
    let statement = Statement { sequence: 20, result: PolicyResult::Accept, conditions: vec![], actions: vec![] };
    let edits = vec![PolicyEdit::InsertStatement { policy: "ISPC-OUT".to_owned(), statement, before: None }];
    let prediction = ask(&scene.twin(), DeviceEdits { device: d("r2"), edits }, &[]);
    assert!(failed(&prediction).contains(&CheckId::K04), "{:?}", failed(&prediction));
    assert!(detail(&prediction, CheckId::K04).contains("hairpin"), "{}", detail(&prediction, CheckId::K04));
}

#[test]
fn volumes_move_with_their_prefixes_and_the_smaller_exit_overflows() {
    let mut scene = Scene::seeded();
    scene.volume("r1-ispa", EAST[0], 30.0);
    scene.volume("r1-ispa", EAST[1], 10.0);
    scene.volume("r2-ispc", SOUTH[0], 15.0);
    let edits = scene.local_pref("r2-ispc", &EAST, 201);
    let twin = scene.twin();
    let prediction = ask(&twin, edits.clone(), &EAST);
    assert_eq!(failed(&prediction), [CheckId::K07]);
    let load = |e: &str| prediction.loads.iter().find(|l| l.exit == x(e)).map(|l| (l.before_bps, l.after_bps)).unwrap();
    let near =
        |(before, after): (Option<f64>, Option<f64>), b: f64, a: f64| (before.unwrap() - b).abs() < 1.0 && (after.unwrap() - a).abs() < 1.0;
    assert!(near(load("r1-ispa"), 40e6, 0.0), "{:?}", load("r1-ispa"));
    assert!(near(load("r2-ispc"), 15e6, 55e6), "{:?}", load("r2-ispc"));
    assert_eq!((prediction.moved_bps, prediction.unknown_volume), (40e6, 0));
    let (edits, intended) = ([edits], prefixes(&EAST));
    let generous = Question { utilisation_max: 1.2, ..Question::new(&edits, &intended) };
    assert_eq!(failed(&twin.ask(&generous).unwrap()), []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// What is said to fit everywhere is over its limit nowhere, after any single failure.
    #[test]
    fn what_always_fits_is_never_over(
        volumes in proptest::collection::vec((0..4usize, 0..10usize, -10.0..25.0_f64), 0..8),
        rate in proptest::option::of((0..4usize, 0.0..60.0_f64)),
        limit in 0.05..1.5_f64,
    ) {
        use preflight::load::Traffic;
        let all: Vec<&str> = [EAST.as_slice(), &WEST, &SOUTH].concat();
        let exits = ["r1-ispa", "r1-ispb", "r2-ispb", "r2-ispc"];
        let mut scene = Scene::seeded();
        for (exit, prefix, mbps) in &volumes {
            scene.volume(exits[*exit], all[*prefix], *mbps);
        }
        if let Some((exit, mbps)) = rate {
            let exit = scene.network.inventory.exit(&x(exits[exit])).unwrap().clone();
            let device = scene.network.devices.get_mut(&exit.device).unwrap();
            device.interfaces.entry(exit.interface).or_default().rate_bps = Some((0.0, mbps * 1e6));
        }
        let twin = scene.twin();
        let traffic = Traffic::new(&twin.world, &twin.picture.facts);
        let over = |ground: &dyn preflight::Ground| {
            let loads = traffic.loads(ground, None);
            let share = |bps: Option<f64>, l: &preflight::load::Load| bps.zip(l.capacity_bps).is_some_and(|(b, c)| b > limit * c);
            loads.iter().any(|l| share(l.after_bps, l) || share(l.worst_bps, l))
        };
        let failing = preflight::failures::singles(&twin.world);
        prop_assert!(!failing.is_empty());
        let any = over(&twin.world) || preflight::failures::with_each(&twin.world, &failing, |t| over(t)).contains(&true);
        prop_assert!(!(any && traffic.always_fits(&twin.world, limit)));
    }
}

/// One thing that happens between two questions.
#[derive(Clone, Debug)]
enum Happens {
    /// What is measured at an exit changes.
    Volume(usize, usize, f64),
    /// A neighbour announces a prefix by another path.
    Announced(usize, usize, u32),
    /// The session at an exit goes down or up.
    Session(usize, bool),
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        6 => (0..4usize, 0..10usize, 0.0..60.0_f64).prop_map(|(e, p, v)| Happens::Volume(e, p, v)),
        1 => (0..4usize, 0..10usize, 1..4u32).prop_map(|(e, p, a)| Happens::Announced(e, p, a)),
        1 => (0..4usize, any::<bool>()).prop_map(|(e, up)| Happens::Session(e, up)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Whatever was asked before: who remembers answers as who does not.
    #[test]
    fn what_is_remembered_changes_no_answer(
        all in proptest::collection::vec((happens(), 0..4usize, 0..3usize, 150..250_u32), 1..8),
    ) {
        let lists: [&[&str]; 3] = [&EAST, &WEST, &SOUTH];
        let prefixes: Vec<&str> = lists.concat();
        let exits = ["r1-ispa", "r1-ispb", "r2-ispb", "r2-ispc"];
        let memory = crate::Memory::default();
        let mut scene = Scene::seeded();
        for device in scene.network.devices.values_mut() {
            let bgp = std::sync::Arc::make_mut(device.config.as_mut().unwrap()).model.bgp.as_mut().unwrap();
            bgp.neighbors.values_mut().flat_map(|n| n.families.values_mut()).for_each(|f| f.max_prefix = Some(8));
        }
        for (happens, to, list, value) in all {
            match happens {
                Happens::Volume(exit, prefix, mbps) => scene.volume(exits[exit], prefixes[prefix], mbps),
                Happens::Announced(exit, prefix, asn) => scene.announce(exits[exit], prefixes[prefix], &[asn, 64500], &[]),
                Happens::Session(exit, up) => {
                    let exit = scene.network.inventory.exit(&x(exits[exit])).unwrap().clone();
                    let state = if up { network::SessionState::Established } else { network::SessionState::Idle };
                    let sessions = &mut scene.network.devices.get_mut(&exit.device).unwrap().sessions;
                    sessions.entry(exit.neighbors[0]).or_default().state = state;
                }
            }
            let edits = [scene.local_pref(exits[to], lists[list], value)];
            let intended = self::prefixes(lists[list]);
            let question = Question { utilisation_max: 0.6, ..Question::new(&edits, &intended) };
            let plain = scene.twin().ask(&question);
            for _ in 0..2 {
                let remembering = scene.twin().on_threads(2).with_memory(&memory).ask(&question);
                prop_assert_eq!(format!("{:?}", &plain), format!("{remembering:?}"));
            }
        }
    }
}

/// Nothing is tried out where everything fits everywhere, and everything is where it may not.
#[test]
fn little_traffic_always_fits_and_much_does_not() {
    let fits = |mbps: f64, limit: f64| {
        let mut scene = Scene::seeded();
        for exit in ["r1-ispa", "r1-ispb", "r2-ispb", "r2-ispc"] {
            scene.volume(exit, EAST[0], mbps);
        }
        let twin = scene.twin();
        preflight::load::Traffic::new(&twin.world, &twin.picture.facts).always_fits(&twin.world, limit)
    };
    // 40 Mbit/s by the exit that packets leave by, and 50 Mbit/s is the smallest exit
    assert!(fits(40.0, 0.85) && !fits(40.0, 0.7) && !fits(45.0, 0.85));
}

#[test]
fn unmeasured_volume_is_counted_and_not_taken_for_zero() {
    let mut scene = Scene::seeded();
    scene.volume("r2-ispc", SOUTH[0], 15.0);
    let prediction = ask(&scene.twin(), scene.local_pref("r2-ispc", &EAST, 201), &EAST);
    assert_eq!((prediction.unknown_volume, prediction.moved_bps), (4, 0.0));
    assert_eq!(prediction.loads.iter().find(|l| l.exit == x("r1-ispa")).unwrap().before_bps, None);
}

#[test]
fn a_volume_that_is_unknown_counts_as_all_that_its_exit_carries() {
    let at_rate = |mbps: f64| {
        let mut scene = Scene::seeded();
        scene.volume("r2-ispc", SOUTH[0], 15.0);
        let exit = scene.network.inventory.exit(&x("r1-ispa")).unwrap().clone();
        let device = scene.network.devices.get_mut(&exit.device).unwrap();
        device.interfaces.entry(exit.interface).or_default().rate_bps = Some((0.0, mbps * 1e6));
        ask(&scene.twin(), scene.local_pref("r2-ispc", &EAST, 201), &EAST)
    };
    let heavy = at_rate(60.0);
    assert_eq!(failed(&heavy), [CheckId::K07]);
    let check = heavy.checks.iter().find(|c| c.id == CheckId::K07).unwrap();
    let row = check.rows.iter().find(|r| r.what.contains("15 → 75 of 50 Mbit/s: 150 %, limit 85 %"));
    assert!(row.is_some_and(|r| r.what.contains("4 prefixes of unknown volume taken as the worst case")), "{:?}", check.rows);
    // what fits even at worst may go
    assert_eq!(failed(&at_rate(20.0)), []);
}

#[test]
fn enabling_a_session_says_that_its_routes_are_not_known() {
    let mut scene = Scene::seeded();
    scene.reconfigure(
        "r1",
        " neighbor 172.31.1.0 remote-as 1234\n",
        " neighbor 172.31.1.0 remote-as 1234\n neighbor 172.31.1.0 shutdown\n",
    );
    scene.session_down("r1-ispa", V4);
    for prefix in EAST.iter().filter(|t| p(t).family() == V4) {
        scene.withdraw("r1-ispa", prefix);
    }
    for prefix in [WEST, SOUTH].concat().iter().filter(|t| p(t).family() == V4) {
        scene.withdraw("r1-ispa", prefix);
    }
    let prediction = ask(&scene.twin(), scene.enable("r1-ispa", true), &[]);
    assert!(prediction.unmodelled.iter().any(|u| u.contains("172.31.1.0")), "{:?}", prediction.unmodelled);
}

#[test]
fn what_a_policy_does_not_model_is_reported_and_left_out() {
    let mut scene = Scene::seeded();
    scene.reconfigure(
        "r2",
        "route-map ISPC-IN permit 100\n match community CLASS3\n",
        "route-map ISPC-IN permit 100\n match probability 50\n",
    );
    let prediction = ask(&scene.twin(), scene.local_pref("r1-ispb", &[SOUTH[0]], 205), &[SOUTH[0]]);
    assert!(prediction.unmodelled.iter().any(|u| u.contains("match probability 50: matches by chance")), "{:?}", prediction.unmodelled);
}

#[test]
fn edits_that_do_not_fit_are_errors() {
    let scene = Scene::seeded();
    let twin = scene.twin();
    let edits = vec![PolicyEdit::DeleteStatement { policy: "ISPA-IN".to_owned(), sequence: 7 }];
    let wrong = twin.what_if(&[DeviceEdits { device: d("r1"), edits }], &[]).unwrap_err();
    assert!(matches!(&wrong, TwinError::Edit { device, .. } if *device == d("r1")), "{wrong}");
    let unknown = twin.what_if(&[DeviceEdits { device: d("r9"), edits: vec![] }], &[]).unwrap_err();
    assert_eq!(unknown, TwinError::UnknownDevice { device: d("r9") });
}

#[test]
fn the_answer_equals_building_the_edited_network_anew() {
    let mut scene = Scene::seeded();
    let twin = scene.twin();
    let edits = scene.local_pref("r2-ispc", &EAST, 201);
    let prediction = ask(&twin, edits.clone(), &EAST);
    let config = scene.network.devices.get_mut(&d("r2")).unwrap().config.as_mut().unwrap();
    config::edit::apply(&mut std::sync::Arc::make_mut(config).model, &edits.edits).unwrap();
    let anew = scene.twin();
    for change in &prediction.changed {
        for device in &change.devices {
            assert_eq!(device.after.forwarding, anew.exit_of(&device.device, &change.prefix));
        }
    }
    assert_eq!(anew.prefixes_via(&x("r2-ispc")), prefixes(&[EAST.as_slice(), &SOUTH].concat()));
}

#[test]
fn several_questions_do_not_disturb_each_other() {
    let scene = Scene::seeded();
    let twin = scene.twin();
    let edits = [[scene.local_pref("r2-ispc", &EAST, 201)], [scene.drain("r1-ispa")]];
    let intended = prefixes(&EAST);
    let questions = edits.each_ref().map(|e| Question::new(e, &intended));
    let once: Vec<_> = questions.iter().map(|q| twin.ask(q)).collect();
    let again: Vec<_> = questions.iter().rev().map(|q| twin.ask(q)).collect();
    assert!(once.iter().zip(again.iter().rev()).all(|(a, b)| a == b));
    assert_eq!(tables(&twin), tables(&scene.twin()));
}

#[test]
fn undoing_between_equal_external_paths_is_not_promised() {
    // r1 hears the same from both providers at one preference: the selected one stays, so a detour does not come back by itself
    let mut scene = Scene::new();
    scene.reconfigure("r1", "set local-preference 140", "set local-preference 150");
    for exit in ["r1-ispa", "r1-ispb"] {
        scene.announce(exit, EAST[0], &[64496, 64500], &[]);
    }
    let report = |scene: &mut Scene| {
        let attributes = PathAttributes { next_hop: Some(neighbor("r1-ispa", V4)), ..PathAttributes::default() };
        let route = network::LocRoute { attributes: std::sync::Arc::new(attributes) };
        scene.network.devices.get_mut(&d("r1")).unwrap().loc_rib = std::sync::Arc::new([(p(EAST[0]), route)].into());
    };
    report(&mut scene);
    let prediction = ask(&scene.twin(), scene.local_pref("r1-ispa", &[EAST[0]], 120), &[EAST[0]]);
    assert_eq!(failed(&prediction), [CheckId::K15], "{:?}", prediction.checks);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is asked, the twin stays as it was, and the way back leads to the same tables unless equal external paths are involved.
    #[test]
    fn asking_changes_nothing_and_the_inverse_restores(
        exit in 0..4usize,
        value in 0..300u32,
        picked in proptest::collection::btree_set(0..10usize, 1..10),
        paths in proptest::collection::vec((0..4usize, 0..10usize, 1..4usize), 0..12),
    ) {
        let all: Vec<&str> = [EAST.as_slice(), &WEST, &SOUTH].concat();
        let exits = ["r1-ispa", "r1-ispb", "r2-ispb", "r2-ispc"];
        let mut scene = Scene::seeded();
        for (exit, prefix, length) in paths {
            scene.announce(exits[exit], all[prefix], &[64496, 64497, 64498, 64499][..length], &[Community::new(64500, 2)]);
        }
        let base = scene.twin();
        scene.report(&base);
        let twin = scene.twin();
        let before = tables(&twin);
        let chosen: Vec<&str> = picked.into_iter().map(|i| all[i]).collect();
        let prediction = ask(&twin, scene.local_pref(exits[exit], &chosen, value), &chosen);
        prop_assert_eq!(&tables(&twin), &before);
        prop_assert_eq!(&tables(&scene.twin()), &before);
        let bad = failed(&prediction);
        let tie = prediction.changed.iter().flat_map(|c| &c.devices).any(|d| d.before.step == Some(Step::Oldest) || d.after.step == Some(Step::Oldest));
        prop_assert!(tie || !bad.contains(&CheckId::K15), "{:?}", prediction.checks);
        prop_assert!(!bad.contains(&CheckId::K01) && !bad.contains(&CheckId::K03), "{:?}", prediction.checks);
        for change in &prediction.changed {
            prop_assert!(chosen.iter().any(|c| p(c) == change.prefix));
        }
    }
}

#[test]
fn conditions_name_sets_so_a_changed_set_counts_as_a_changed_policy() {
    let scene = Scene::seeded();
    let mut set = scene.network.devices[&d("r1")].config.as_ref().unwrap().model.policy.prefix_sets["BOGON"].clone();
    set.entries.push(config::PrefixEntry { sequence: 15, permit: true, prefix: p(EAST[0]), ge: None, le: None });
    let edits = vec![PolicyEdit::PutPrefixSet { name: "BOGON".to_owned(), set }];
    let prediction = ask(&scene.twin(), DeviceEdits { device: d("r1"), edits }, &[EAST[0]]);
    assert_eq!(prediction.changed.len(), 1, "{:?}", Condition::PrefixSet("BOGON".to_owned()));
}

/// One exit with a neighbour per family is one port: what comes by both counts together.
#[test]
fn both_families_load_one_port() {
    let mut scene = Scene::seeded();
    scene.volume("r1-ispa", EAST[0], 30.0);
    scene.volume("r1-ispa", EAST[3], 20.0);
    scene.volume("r2-ispc", SOUTH[0], 0.0);
    let prediction = ask(&scene.twin(), scene.local_pref("r2-ispc", &EAST, 201), &EAST);
    let load = prediction.loads.iter().find(|l| l.exit == x("r2-ispc")).unwrap();
    assert!((load.after_bps.unwrap() - 50e6).abs() < 1.0, "{load:?}");
    assert_eq!(failed(&prediction), [CheckId::K07]);
}

/// The card, the command line and the chat show these lines.
#[test]
fn a_move_is_explained_now_and_after() {
    let scene = Scene::seeded();
    let prediction = ask(&scene.twin(), scene.local_pref("r2-ispc", &EAST, 201), &EAST);
    let heads: Vec<&str> = prediction.explanation.iter().filter(|l| !l.starts_with(' ')).map(String::as_str).collect();
    let first = prefixes(&EAST)[0];
    assert_eq!(heads[0], format!("now: r1 reaches {first} by 172.31.1.0, chosen by local_pref"));
    assert!(heads[1].starts_with(&format!("after: r1 reaches {first} by 10.0.0.3")), "{heads:?}");
    assert!(prediction.explanation.iter().any(|l| l.contains("import ISPC-IN")), "{:?}", prediction.explanation);
}

/// Another origin for a prefix that is covered: what nobody told is not judged, what was told blocks, what expired is not judged again.
#[test]
fn an_invalid_origin_blocks_while_the_data_hold_and_is_not_judged_otherwise() {
    const NOW: i64 = 1_800_000_000;
    let at = |second: i64| units::Timestamp::from_millis((NOW + second) * 1000);
    let mut scene = Scene::seeded();
    scene.announce("r2-ispc", EAST[0], &[9012, 64666], &[Community::new(64500, 1)]);
    let k17 = |scene: &Scene| {
        let prediction = ask(&scene.twin(), scene.local_pref("r2-ispc", &[EAST[0]], 201), &[EAST[0]]);
        let check = prediction.checks.iter().find(|c| c.id == CheckId::K17).unwrap();
        (check.verdict, check.sentence.clone())
    };
    assert_eq!(k17(&scene), (Verdict::NotJudged, "origin validation data is not known".to_owned()));
    let told = |asn: u32| network::OriginEvent::Told {
        made_s: None,
        until_s: Some(NOW + 60),
        added: vec![(format!("{}-24 AS{asn}", EAST[0]).parse().unwrap(), None)],
        removed: Vec::new(),
        payloads: 1,
    };
    scene.network.origins.take(&network::OriginEvent::Named { source: "test".to_owned() }, at(0));
    assert_eq!(k17(&scene).0, Verdict::NotJudged);
    scene.network.origins.take(&told(64500), at(0));
    let (verdict, sentence) = k17(&scene);
    assert_eq!(verdict, Verdict::Block);
    assert!(sentence.contains(EAST[0]) && sentence.contains("AS64666: invalid") || sentence.contains("AS 64666: invalid"), "{sentence}");
    scene.network.tick(at(60));
    assert_eq!(k17(&scene).0, Verdict::NotJudged, "expired");
    let mut other = Scene::seeded();
    other.announce("r2-ispc", EAST[0], &[9012, 64666], &[Community::new(64500, 1)]);
    other.network.origins.take(&network::OriginEvent::Named { source: "test".to_owned() }, at(0));
    other.network.origins.take(&told(64666), at(0));
    assert_eq!(k17(&other), (Verdict::Pass, "no origin is invalid".to_owned()));
}

/// Delay and loss of what moves come from what is measured of both ways, with an interval; what is not measured is not known.
#[test]
fn delay_and_loss_of_what_moves_come_from_measured_ways() {
    let scene = Scene::seeded();
    let metric = |exit: &str, prefix: &str, mean: f64| crate::PathMetric {
        router: if exit.starts_with("r1") { "r1" } else { "r2" }.to_owned(),
        neighbor: neighbor(exit, V4),
        prefix: Some(p(prefix)),
        delay_ms: Some(crate::Sample { mean, variance: 0.25, n: 1 }),
        loss: None,
    };
    let ask = |metrics: Vec<crate::PathMetric>| {
        let picture: &'static crate::Picture = Box::leak(Box::new(crate::Picture::of(&scene.network).unwrap().measured(metrics)));
        ask(&Twin::new(picture), scene.local_pref("r2-ispc", &EAST, 201), &EAST)
    };
    assert_eq!((ask(Vec::new()).delay_ms, ask(Vec::new()).loss), (None, None));
    let one_sided = ask(vec![metric("r2-ispc", EAST[0], 6.0)]);
    assert_eq!(one_sided.delay_ms, None);
    // of four prefixes one is measured on both sides
    let figure = ask(vec![metric("r2-ispc", EAST[0], 6.0), metric("r1-ispa", EAST[0], 46.0)]).delay_ms.unwrap();
    assert!((figure.value + 40.0).abs() < 1e-9, "{figure:?}");
    // square and add: sqrt(0.25 + 0.25) × 1.96
    assert!((figure.high - figure.value - 1.385_903).abs() < 1e-3 && figure.low < figure.value, "{figure:?}");
    assert!(figure.known > 0 && figure.unknown == 3 * figure.known, "{figure:?}");
}

/// r1 gives up the only way to a prefix, r2 takes in another: between the two there must be one.
#[test]
fn devices_are_taken_in_an_order_that_is_sound_between_them() {
    const LONE: &str = "198.18.99.0/24";
    let mut scene = Scene::seeded();
    scene.announce("r1-ispa", LONE, &[1234, 64500], &[]);
    scene.announce("r2-ispc", LONE, &[9012, 64500], &[]);
    let closed = "ip prefix-list LONE seq 5 permit 198.18.99.0/24\nroute-map ISPC-IN deny 4\n match ip address prefix-list LONE\nexit\nroute-map ISPC-IN deny 10";
    scene.reconfigure("r2", "route-map ISPC-IN deny 10", closed);
    let twin = scene.twin();
    let open = PolicyEdit::DeleteStatement { policy: "ISPC-IN".to_owned(), sequence: 4 };
    let edits = [scene.enable("r1-ispa", false), DeviceEdits { device: d("r2"), edits: vec![open] }];
    let intended = prefixes(&[EAST.as_slice(), &[LONE]].concat());
    let given = twin.what_if(&edits, &intended).unwrap();
    assert_eq!(given.order, [d("r2"), d("r1")]);
    assert!(detail(&given, CheckId::ORDER).contains("safe in this order only: r2, then r1"), "{}", detail(&given, CheckId::ORDER));
    assert!(detail(&given, CheckId::ORDER).contains(LONE), "{}", detail(&given, CheckId::ORDER));
    // one device has no order
    assert!(twin.what_if(&edits[..1], &intended).unwrap().order.is_empty());
}
