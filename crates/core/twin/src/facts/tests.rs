use crate::scene::{EAST, OWN, SOUTH, Scene, a, d, p, x};
use crate::{CheckId, Picture, Prediction, Question, Twin, Verdict};
use action::{ActionType, DeviceEdits};
use bgp::{Asn, Community, Prefix};
use config::{PolicyEdit, PolicyResult, RouteAction, Statement};
use network::{CommunityEffect, CommunityMeaning, Inventory, NeighborRole, OriginEvent, TargetGroup, VitalPrefix};
use preflight::{Facts, PathMetric, Relation, Sample, VOLUME_AGE_S_MAX};
use std::sync::Arc;
use units::Timestamp;

fn at(second: u64) -> Timestamp {
    Timestamp::from_millis(i64::try_from(second).unwrap() * 1000)
}

fn facts(scene: &Scene) -> Facts {
    Picture::of(&scene.network).unwrap().facts().clone()
}

fn inventory(scene: &mut Scene) -> &mut Inventory {
    Arc::make_mut(&mut scene.network.inventory)
}

fn role(scene: &mut Scene, exit: &str, role: NeighborRole) {
    inventory(scene).exits.iter_mut().find(|e| e.id == x(exit)).unwrap().role = Some(role);
}

fn load(scene: &mut Scene, exit: &str, mbps: f64, second: u64) {
    let spec = scene.network.inventory.exit(&x(exit)).unwrap().clone();
    let interface = scene.network.devices.get_mut(&spec.device).unwrap().interfaces.entry(spec.interface).or_default();
    (interface.rate_bps, interface.octets) = (Some((0.0, mbps * 1e6)), Some((at(second), 0, 0)));
}

fn prefixes(list: &[&str]) -> Vec<Prefix> {
    list.iter().map(|t| p(t)).collect()
}

fn ask(scene: &Scene, edits: &[DeviceEdits], intended: &[&str]) -> Prediction {
    scene.twin().what_if(edits, &prefixes(intended)).unwrap()
}

/// Verdict and sentence, then every row.
fn check(prediction: &Prediction, id: CheckId) -> (Verdict, String) {
    let check = prediction.checks.iter().find(|c| c.id == id).unwrap();
    let rows = check.rows.iter().map(|r| format!("\n{r}")).collect::<String>();
    (check.verdict, check.sentence.clone() + &rows)
}

fn tier(prediction: &Prediction, id: CheckId) -> Option<u8> {
    prediction.checks.iter().find(|c| c.id == id).unwrap().tier
}

/// Volumes that nobody confirms any more are as if they were never measured, and the card says so.
#[test]
fn volumes_that_are_too_old_count_as_the_worst_case_and_are_told() {
    let after = |second: u64| {
        let mut scene = Scene::seeded();
        scene.volume("r1-ispa", EAST[0], 1.0);
        scene.volume("r2-ispc", SOUTH[0], 15.0);
        scene.network.tick(at(second));
        // the counters go on: the exit carries far more than what was accounted then
        load(&mut scene, "r1-ispa", 60.0, second);
        load(&mut scene, "r2-ispc", 15.0, second);
        let age = facts(&scene).volumes.iter().map(|v| v.age_s).collect::<Vec<_>>();
        (age, ask(&scene, &[scene.local_pref("r2-ispc", &EAST, 201)], &EAST))
    };
    let (age, fresh) = after(VOLUME_AGE_S_MAX);
    assert_eq!(age, [Some(VOLUME_AGE_S_MAX); 2]);
    assert_eq!((fresh.moved_bps, fresh.unknown_volume), (1e6, 0));
    let (verdict, told) = check(&fresh, CheckId::K07);
    assert!(verdict != Verdict::Block && !told.contains("unknown volume") && !told.contains(" s ago"), "{told}");
    let (_, stale) = after(VOLUME_AGE_S_MAX + 1);
    assert_eq!((stale.moved_bps, stale.unknown_volume), (0.0, 4));
    let (verdict, told) = check(&stale, CheckId::K07);
    assert_eq!(verdict, Verdict::Block, "{told}");
    assert!(told.contains("15 → 75 of 50 Mbit/s") && told.contains("4 prefixes of unknown volume taken as the worst case"), "{told}");
    assert!(told.contains("volumes at exit r1 to 172.31.1.0 were measured 181 s ago, limit 180 s: unknown"), "{told}");
    assert_eq!(tier(&stale, CheckId::K07), Some(3));
}

/// Of two volumes at one exit one is too old: it is unknown, and not the nothing that an exit carries of what it does not list.
#[test]
fn one_volume_that_is_too_old_is_not_taken_for_none() {
    let mut scene = Scene::seeded();
    scene.volume("r1-ispa", EAST[0], 1.0);
    scene.network.tick(at(VOLUME_AGE_S_MAX + 20));
    for (exit, prefix, bps) in [("r1-ispa", EAST[1], 2e6), ("r2-ispc", SOUTH[0], 15e6)] {
        let fresh = network::Volume { bps, at: at(VOLUME_AGE_S_MAX + 19), source: network::VolumeSource::Node };
        scene.network.volumes.insert((x(exit), p(prefix)), fresh);
    }
    let prediction = ask(&scene, &[scene.local_pref("r2-ispc", &EAST, 201)], &EAST);
    assert_eq!((prediction.moved_bps, prediction.unknown_volume), (2e6, 1));
    let (verdict, told) = check(&prediction, CheckId::K07);
    assert_eq!(verdict, Verdict::Warn, "{told}");
    assert!(told.contains("1 prefixes of unknown volume taken as the worst case, no load of the old exit is measured"), "{told}");
    assert!(told.contains("volumes at exit r1 to 172.31.1.0 were measured 200 s ago"), "{told}");
}

/// Counters that stopped say nothing of the load now; with nothing measured the bound is the capacity.
#[test]
fn a_load_that_is_too_old_is_unknown() {
    let mut scene = Scene::seeded();
    load(&mut scene, "r1-ispa", 1.0, 0);
    scene.network.tick(at(VOLUME_AGE_S_MAX + 60));
    let prediction = ask(&scene, &[scene.local_pref("r2-ispc", &EAST, 201)], &EAST);
    let load = prediction.loads.iter().find(|l| l.exit == x("r1-ispa")).unwrap();
    assert_eq!(load.before_bps, None);
    let (verdict, told) = check(&prediction, CheckId::K07);
    assert_eq!(verdict, Verdict::Warn, "{told}");
    assert!(told.contains("the load of exit r1 to 172.31.1.0 was measured 240 s ago, limit 180 s: unknown"), "{told}");
}

/// S1-021: the inventory says what a neighbour is; else its router does (RFC 9234); else it counts as a provider, and that is said.
#[test]
fn roles_of_exits_reach_the_checks_and_their_absence_is_told() {
    let mut scene = Scene::seeded();
    let all = facts(&scene);
    assert!(all.relations.values().all(|r| *r == Relation::Provider) && all.exits.iter().all(|e| e.relation.is_none()));
    assert_eq!(all.taken_for_providers, [1234, 3312, 5678, 9012].map(Asn).into());
    let prediction = ask(&scene, &[scene.local_pref("r2-ispc", &EAST, 201)], &EAST);
    let (verdict, told) = check(&prediction, CheckId::K04);
    assert_eq!(verdict, Verdict::Pass);
    assert!(told.contains("AS 1234, AS 3312, AS 5678, AS 9012 taken for providers, no role is told"), "{told}");

    role(&mut scene, "r1-ispa", NeighborRole::Customer);
    role(&mut scene, "r1-ispb", NeighborRole::Rs);
    role(&mut scene, "r2-ispb", NeighborRole::RsClient);
    // our role on the session: we are its customer
    let line = " neighbor 172.31.4.0 remote-as 9012\n";
    scene.reconfigure("r2", line, &format!("{line} neighbor 172.31.4.0 local-role customer\n"));
    let told = facts(&scene);
    let relations: Vec<Option<Relation>> = told.exits.iter().map(|e| e.relation).collect();
    assert_eq!(relations, [Relation::Customer, Relation::Peer, Relation::Customer, Relation::Provider].map(Some));
    assert!(told.taken_for_providers.is_empty() && told.assumption().is_empty());
    // one AS that is a customer here and a peer there counts as a peer where only the AS is known
    for exit in &mut inventory(&mut scene).exits {
        exit.remote_as = Asn(64_510);
    }
    role(&mut scene, "r2-ispc", NeighborRole::Peer);
    assert_eq!(facts(&scene).relations[&Asn(64_510)], Relation::Peer);
}

/// RFC 7908 by the inventory's roles: a customer's routes may go to everybody, a peer's to a provider are type 4.
#[test]
fn the_leak_check_goes_by_the_roles() {
    let leak = |role_a: Option<NeighborRole>, role_c: Option<NeighborRole>| {
        let mut scene = Scene::seeded();
        for (exit, told) in [("r1-ispa", role_a), ("r2-ispc", role_c)] {
            if let Some(told) = told {
                role(&mut scene, exit, told);
            }
        }
        let conditions = vec![config::Condition::CommunitySet("CLASS1".to_owned())];
        let statement = Statement { sequence: 20, result: PolicyResult::Accept, conditions, actions: vec![] };
        let edits = vec![PolicyEdit::InsertStatement { policy: "ISPC-OUT".to_owned(), statement, before: None }];
        check(&ask(&scene, &[DeviceEdits { device: d("r2"), edits }], &[]), CheckId::K04)
    };
    use NeighborRole::{Customer, Peer, Rs, RsClient};
    let (verdict, told) = leak(None, None);
    assert!(verdict == Verdict::Block && told.contains("type 1, hairpin turn between providers"), "{told}");
    let (verdict, told) = leak(Some(Peer), None);
    assert!(verdict == Verdict::Block && told.contains("type 4, a peer's prefixes to a provider"), "{told}");
    let (verdict, told) = leak(Some(Peer), Some(Rs));
    assert!(verdict == Verdict::Block && told.contains("type 2, lateral between peers"), "{told}");
    assert_eq!(leak(Some(Customer), None).0, Verdict::Pass);
    assert_eq!(leak(None, Some(RsClient)).0, Verdict::Pass);
}

/// S1-097: a LOCAL_PREF that lifts a provider over a peer is told; over a customer it blocks as soon as a router follows (K08).
#[test]
fn a_provider_that_is_lifted_over_a_peer_or_customer_is_told() {
    let lift = |role_a: Option<NeighborRole>, value: u32| {
        let mut scene = Scene::seeded();
        if let Some(told) = role_a {
            role(&mut scene, "r1-ispa", told);
        }
        ask(&scene, &[scene.local_pref("r2-ispc", &EAST, value)], &EAST)
    };
    let (verdict, told) = check(&lift(None, 201), CheckId::BANDS);
    assert_eq!(verdict, Verdict::NotJudged);
    assert!(told.contains("every neighbour is a provider: there is one band; AS 1234") && told.contains("no role is told"), "{told}");
    // where every one of them is named a provider, that is judged
    let mut scene = Scene::seeded();
    for exit in ["r1-ispa", "r1-ispb", "r2-ispb", "r2-ispc"] {
        role(&mut scene, exit, NeighborRole::Provider);
    }
    let (verdict, told) = check(&ask(&scene, &[scene.local_pref("r2-ispc", &EAST, 201)], &EAST), CheckId::BANDS);
    assert!(verdict == Verdict::Pass && told.ends_with("there is one band"), "{told}");
    let over_peer = lift(Some(NeighborRole::Peer), 201);
    let (verdict, told) = check(&over_peer, CheckId::BANDS);
    assert_eq!(verdict, Verdict::Warn, "{told}");
    assert!(told.contains("LOCAL_PREF 201 of provider r2 to 172.31.4.0 over 200 of peer r1 to 172.31.1.0"), "{told}");
    assert_eq!(check(&over_peer, CheckId::K08).0, Verdict::Pass);
    // below the peer's 200 it stays in its band
    assert_eq!(check(&lift(Some(NeighborRole::Peer), 199), CheckId::BANDS).0, Verdict::Pass);
    let over_customer = lift(Some(NeighborRole::Customer), 201);
    assert_eq!(check(&over_customer, CheckId::BANDS).0, Verdict::Warn);
    let (verdict, told) = check(&over_customer, CheckId::K08);
    assert!(verdict == Verdict::Block && told.contains("a provider's route is preferred over a customer's"), "{told}");
}

/// Who drains a customer's session wants its routes passed over: it is told, and may be done.
#[test]
fn a_drain_of_a_customer_is_told_and_not_blocked() {
    let mut scene = Scene::seeded();
    role(&mut scene, "r1-ispa", NeighborRole::Customer);
    let prediction = ask(&scene, &[scene.drain("r1-ispa")], &EAST);
    let (verdict, told) = check(&prediction, CheckId::K08);
    assert!(verdict == Verdict::Warn && told.contains("preferred over a customer's, which is drained"), "{told}");
    assert_eq!(check(&prediction, CheckId::BANDS).0, Verdict::Pass);
}

/// A band that is turned upside down behind a better route waits for that route to go: no choice changes yet, and it is told.
#[test]
fn bands_are_compared_even_where_no_choice_changes() {
    let mut scene = Scene::seeded();
    role(&mut scene, "r1-ispa", NeighborRole::Customer);
    role(&mut scene, "r1-ispb", NeighborRole::Peer);
    role(&mut scene, "r2-ispb", NeighborRole::Peer);
    // the peer's 140 for east; the provider's becomes 150, the customer keeps 200
    let prediction = ask(&scene, &[scene.local_pref("r2-ispc", &EAST, 150)], &EAST);
    assert!(prediction.changed.is_empty());
    let (verdict, told) = check(&prediction, CheckId::BANDS);
    assert_eq!(verdict, Verdict::Warn, "{told}");
    assert!(told.contains("LOCAL_PREF 150 of provider r2 to 172.31.4.0 over 140 of peer r1 to 172.31.2.0"), "{told}");
}

#[test]
fn vital_prefixes_are_the_inventorys_and_without_one_k10_is_not_judged() {
    let mut scene = Scene::seeded();
    let mut edits = scene.enable("r2-ispb", false);
    edits.edits.extend(scene.enable("r2-ispc", false).edits);
    let edits = [edits];
    assert_eq!(check(&ask(&scene, &edits, &SOUTH), CheckId::K10), (Verdict::NotJudged, "no vital prefix is named".to_owned()));
    inventory(&mut scene).vital = vec![VitalPrefix { prefix: p(OWN[0]), name: "management".to_owned() }];
    let (verdict, told) = check(&ask(&scene, &edits, &SOUTH), CheckId::K10);
    assert_eq!(verdict, Verdict::Block, "{told}");
    assert!(told.contains("vital prefix (management) would be announced from 1 place, fewer than 2"), "{told}");
    let (verdict, told) = check(&ask(&scene, &[scene.local_pref("r2-ispc", &EAST, 201)], &EAST), CheckId::K10);
    assert_eq!((verdict, told.as_str()), (Verdict::Pass, "1 vital prefixes stay announced as they are"));
}

/// S1-098: the level of the provider whose path is taken then, by what is measured of that path.
#[test]
fn service_levels_are_those_of_the_provider_that_is_taken() {
    let mut scene = Scene::seeded();
    let edits = [scene.local_pref("r2-ispc", &[EAST[0]], 201)];
    assert_eq!(check(&ask(&scene, &edits, &[EAST[0]]), CheckId::SLA), (Verdict::NotJudged, "no service level is named".to_owned()));
    let group = TargetGroup { id: "east".into(), members: prefixes(&EAST), targets: vec![] };
    inventory(&mut scene).groups = vec![group];
    let level = |delay: f64, loss: f64| {
        let one = |mean: f64| Some(Sample { mean, variance: 0.0, n: 1 });
        let metric = PathMetric {
            router: "r2".to_owned(),
            neighbor: a("172.31.4.0"),
            prefix: Some(p(EAST[0])),
            delay_ms: one(delay),
            loss: one(loss),
        };
        let picture = Picture::of(&scene.network).unwrap().measured(vec![metric]);
        check(&Twin::new(&picture).what_if(&edits, &prefixes(&[EAST[0]])).unwrap(), CheckId::SLA)
    };
    assert_eq!(level(49.0, 0.0), (Verdict::Pass, "every class keeps its level".to_owned()));
    let (verdict, told) = level(51.0, 0.0);
    assert!(verdict == Verdict::Warn && told.contains("class isp-c: 51.0 ms by r2 to 172.31.4.0, limit 50.0 ms"), "{told}");
    let (verdict, told) = level(20.0, 0.06);
    assert!(verdict == Verdict::Block && told.contains("class isp-c: loss 6.00 %"), "{told}");
    // nobody measured it
    let (verdict, told) = check(&ask(&scene, &edits, &[EAST[0]]), CheckId::SLA);
    assert!(verdict == Verdict::Warn && told.contains("is not measured: unknown"), "{told}");
}

/// K22: what a term newly adds to routes that are told outside, by the inventory's dictionary.
#[test]
fn communities_are_looked_up_in_the_inventorys_dictionary() {
    let tag = |scene: &Scene, community: Community| {
        let actions = vec![RouteAction::AddCommunities(vec![community])];
        let conditions = vec![config::Condition::PrefixSet("OWN".to_owned())];
        let statement = Statement { sequence: 5, result: PolicyResult::Accept, conditions, actions };
        let edits = vec![PolicyEdit::InsertStatement { policy: "ISPC-OUT".to_owned(), statement, before: Some(10) }];
        let edits = [DeviceEdits { device: d("r2"), edits }];
        let intended = prefixes(&[OWN[0]]);
        let question = Question { kind: Some(ActionType::CommunityTag), ..Question::new(&edits, &intended) };
        scene.twin().ask(&question).unwrap()
    };
    let mut scene = Scene::seeded();
    let unknown = tag(&scene, Community::new(9012, 70));
    let (verdict, told) = check(&unknown, CheckId::K22);
    assert!(verdict == Verdict::Warn && told.contains("9012:70 to AS 9012: what it means there is not known"), "{told}");
    assert_eq!(tier(&unknown, CheckId::K22), Some(3));
    let word = |value, effect| CommunityMeaning { asn: Asn(9012), community: Community::new(9012, value), effect };
    inventory(&mut scene).communities = vec![word(70, CommunityEffect::Preference), word(666, CommunityEffect::Blackhole)];
    let known = check(&tag(&scene, Community::new(9012, 70)), CheckId::K22);
    assert_eq!(known, (Verdict::Pass, "the meaning of 9012:70 is known".to_owned()));
    assert_eq!(check(&tag(&scene, Community::new(9012, 666)), CheckId::K22).0, Verdict::Block);
    // the mark of a drain has rules of its own, and an import term tells nobody anything
    assert_eq!(check(&ask(&scene, &[scene.drain("r1-ispa")], &EAST), CheckId::K22), (Verdict::Pass, "no community is set".to_owned()));
}

#[test]
fn failure_domains_are_the_inventorys() {
    let mut scene = Scene::seeded();
    inventory(&mut scene).failure_domains = [("north", "r1"), ("south", "r2")].map(|(n, r)| (n.to_owned(), vec![d(r)])).into();
    let edits = [scene.local_pref("r1-ispa", &[EAST[0]], 210), scene.local_pref("r2-ispc", &[SOUTH[0]], 210)];
    let both = ask(&scene, &edits, &[EAST[0], SOUTH[0]]);
    let (verdict, told) = check(&both, CheckId::K24);
    assert!(verdict == Verdict::Warn && told.contains("touches 2 failure domains at once (north, south: r1, r2)"), "{told}");
    assert_eq!(tier(&both, CheckId::K24), Some(3));
}

/// N10: a ROA that names another origin turns own prefixes invalid; what was in force before is remembered, for own space alone.
#[test]
fn own_prefixes_that_turn_invalid_at_once_freeze_everything() {
    let mut scene = Scene::seeded();
    let vrp = |prefix: &str, asn: u32| format!("{prefix}-{} AS{asn}", prefix.split('/').nth(1).unwrap()).parse::<rtr::Vrp>().unwrap();
    let told = |added: Vec<rtr::Vrp>, removed: Vec<rtr::Vrp>, payloads: usize| OriginEvent::Told {
        made_s: None,
        until_s: None,
        added: added.into_iter().map(|v| (v, None)).collect(),
        removed,
        payloads,
    };
    let own = OWN.map(|o| vrp(o, 65001));
    scene.network.take_origins(&OriginEvent::Named { source: "test".to_owned() }, at(1));
    scene.network.take_origins(&told(own.to_vec(), vec![], 2), at(2));
    assert_eq!(scene.network.origins.before_change(), None, "there was nothing before");
    // about others: nothing is remembered
    scene.network.take_origins(&told(vec![vrp("203.0.113.0/24", 64500)], vec![], 3), at(3));
    assert_eq!(scene.network.origins.before_change(), None);
    let k17 = |scene: &Scene| check(&ask(scene, &[scene.local_pref("r1-ispa", &[EAST[0]], 210)], &[EAST[0]]), CheckId::K17);
    assert_eq!(k17(&scene).0, Verdict::Pass);
    scene.network.take_origins(&told(OWN.map(|o| vrp(o, 64666)).to_vec(), own.to_vec(), 3), at(4));
    let before = scene.network.origins.before_change().unwrap();
    assert_eq!((before.at, before.vrps.as_slice()), (at(4), own.as_slice()));
    let (verdict, sentence) = k17(&scene);
    assert_eq!(verdict, Verdict::Block);
    assert!(sentence.contains("2 of 2 own prefixes turn invalid") && sentence.contains("automation is frozen"), "{sentence}");
    // the next change about others does not let it be forgotten; the repair ends it
    scene.network.take_origins(&told(vec![vrp("198.18.0.0/24", 64500)], vec![], 4), at(5));
    assert_eq!(k17(&scene).0, Verdict::Block);
    scene.network.take_origins(&told(own.to_vec(), OWN.map(|o| vrp(o, 64666)).to_vec(), 4), at(6));
    assert_eq!(k17(&scene).0, Verdict::Pass);
}
