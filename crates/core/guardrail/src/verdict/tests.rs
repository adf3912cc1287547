use super::*;
use crate::Execution;
use action::DeviceEdits;
use bgp::{Asn, Community, Family};
use config::{BgpConfig, Condition, Neighbor, NeighborFamily, PolicyDefinition, PolicyResult, Statement};
use core::net::IpAddr;

const NEIGHBOR: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(172, 31, 1, 2));

fn share(x: f64) -> Ratio {
    Ratio::new(x).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn term(sequence: u32, actions: Vec<RouteAction>) -> Statement {
    Statement { sequence, result: PolicyResult::Accept, conditions: Vec::new(), actions }
}

/// A router with one import policy (100: LP 150 and a community; 200: the protected 65001:999) and one export policy.
fn router() -> RouterConfig {
    let mut config = RouterConfig { hostname: "edge-router-01".into(), ..RouterConfig::default() };
    let import = vec![
        term(100, vec![RouteAction::SetLocalPref(150), RouteAction::AddCommunities(vec![Community::new(65001, 100)])]),
        term(200, vec![RouteAction::AddCommunities(vec![Community::new(65001, 999)])]),
    ];
    let export = vec![term(100, vec![RouteAction::SetCommunities(vec![Community::new(65001, 7)])])];
    config.policy.definitions.insert("ISPA-IN".into(), PolicyDefinition { statements: import });
    config.policy.definitions.insert("ISPA-OUT".into(), PolicyDefinition { statements: export });
    let family = NeighborFamily { import: Some("ISPA-IN".into()), export: Some("ISPA-OUT".into()), ..NeighborFamily::default() };
    let families = [(Family::Ipv4Unicast, family)].into_iter().collect();
    let neighbor = Neighbor { families, ..Neighbor::new(Asn(1234)) };
    config.bgp = Some(BgpConfig { neighbors: [(NEIGHBOR, neighbor)].into_iter().collect(), ..BgpConfig::new(Asn(65001)) });
    config
}

fn insert(policy: &str, actions: Vec<RouteAction>) -> PolicyEdit {
    PolicyEdit::InsertStatement { policy: policy.into(), statement: term(99, actions), before: Some(100) }
}

fn replace(policy: &str, sequence: u32, actions: Vec<RouteAction>) -> PolicyEdit {
    PolicyEdit::ReplaceStatement { policy: policy.into(), statement: term(sequence, actions) }
}

fn action(kind: ActionType, edits: Vec<PolicyEdit>) -> Action {
    let parameters = match kind {
        ActionType::LocalPrefAdjust => Parameters::LocalPref { local_pref: 150, before: (100, 100) },
        ActionType::IspFailover => Parameters::Failover { from: "isp-a".into(), to: vec!["isp-b".into()] },
        _ => Parameters::None,
    };
    Action {
        kind,
        direction: action::Direction::Outbound,
        prefixes: vec!["203.0.113.0/24".parse().unwrap()],
        exits: vec!["r1-ispa".into()],
        parameters,
        edits: vec![DeviceEdits { device: "r1".into(), edits }],
    }
}

fn local_pref(value: u32) -> Action {
    let mut a = action(ActionType::LocalPrefAdjust, vec![insert("ISPA-IN", vec![RouteAction::SetLocalPref(value)])]);
    a.parameters = Parameters::LocalPref { local_pref: value, before: (100, 100) };
    a
}

/// Everything as it should be; a test changes one thing.
struct Case {
    action: Action,
    tier: Option<AutonomyTier>,
    blast: f64,
    confidence: Confidence,
    checks: Vec<TwinCheck>,
    predicted: Predicted,
    volume_known: bool,
    mode: Mode,
    killed: bool,
    known: bool,
    router: RouterConfig,
    policy: GuardPolicy,
    counters: Counters,
}

impl Case {
    fn new(action: Action) -> Self {
        let passed = TwinCheck { id: "loop_free".into(), passed: true, standing: CheckStanding::Judged, detail: String::new(), tier: None };
        Self {
            action,
            tier: None,
            blast: 0.08,
            confidence: Confidence::Calibrated(share(0.92)),
            checks: vec![passed],
            predicted: Predicted { delay_ms: Some((40.0, 12.0)), loss: None },
            volume_known: true,
            mode: Mode::Lab,
            killed: false,
            known: true,
            router: router(),
            policy: GuardPolicy::default(),
            counters: Counters::default(),
        }
    }

    /// As a type that may act by itself, like in the demonstration of S1-173.
    fn graduated(mut self) -> Self {
        self.policy.graduated.insert(self.action.kind);
        self
    }

    fn judge(&self) -> Verdict {
        let r1 = DeviceId::new("r1");
        let request = Request {
            action: &self.action,
            tier: self.tier.unwrap_or_else(|| self.policy.tier_of(self.action.kind)),
            blast: share(self.blast),
            confidence: self.confidence,
            checks: &self.checks,
            predicted: self.predicted,
            volume_known: self.volume_known,
            mode: self.mode,
            killed: self.killed,
            lab_only: true,
            configs: if self.known { [(&r1, &self.router)].into_iter().collect() } else { BTreeMap::new() },
        };
        self.policy.evaluate(&request, &self.counters, at(100))
    }

    fn rules(&self, severity: Severity) -> Vec<Rule> {
        self.judge().violations.iter().filter(|v| v.severity == severity).map(|v| v.rule).collect()
    }

    fn blocked_by(&self, rule: Rule) {
        let verdict = self.judge();
        assert_eq!(verdict.decision, Decision::Blocked, "{verdict:?}");
        assert_eq!(self.rules(Severity::Block), [rule], "{verdict:?}");
    }

    fn decided(&self) -> (Decision, u8) {
        let verdict = self.judge();
        (verdict.decision, verdict.final_tier.number())
    }
}

fn judged(kind: ActionType, confidence: f64, blast: f64) -> Case {
    let mut case = Case::new(action(kind, vec![insert("ISPA-IN", vec![RouteAction::SetLocalPref(100)])])).graduated();
    case.confidence = Confidence::Calibrated(share(confidence));
    case.blast = blast;
    case
}

#[test]
fn demonstration_1_local_pref_150_is_allowed_in_tier_1() {
    let mut case = judged(ActionType::LocalPrefAdjust, 0.92, 0.08);
    case.action = local_pref(150);
    assert_eq!(case.decided(), (Decision::Allowed, 1));
    assert!(case.judge().violations.iter().all(|v| v.severity == Severity::Warn));
}

#[test]
fn demonstration_2_local_pref_500_is_blocked_and_tier_3() {
    let mut case = judged(ActionType::LocalPrefAdjust, 0.75, 0.35);
    case.action = local_pref(500);
    assert_eq!(case.decided(), (Decision::Blocked, 3));
    case.blocked_by(Rule::LocalPref);
}

#[test]
fn demonstration_3_isp_failover_goes_to_a_human() {
    assert_eq!(judged(ActionType::IspFailover, 0.55, 0.80).decided(), (Decision::Allowed, 3));
}

#[test]
fn demonstration_4_low_confidence_escalates_a_prepend_to_tier_3() {
    let case = judged(ActionType::AsPathPrepend, 0.50, 0.40);
    assert_eq!(case.decided(), (Decision::Modified, 3));
    assert_eq!(case.rules(Severity::Escalate), [Rule::Confidence]);
}

#[test]
fn demonstration_5_95_ms_calls_for_a_rollback() {
    let policy = GuardPolicy::default();
    assert!(policy.rollback_needed(Some(95.0), Ratio::ZERO));
    assert!(!policy.rollback_needed(Some(80.0), share(0.02)), "the limits themselves are kept");
    assert!(policy.rollback_needed(Some(10.0), share(0.021)));
    assert!(policy.rollback_needed(None, Ratio::ZERO), "no packet came back");
}

#[test]
fn at_first_start_tier_1_is_raised_before_the_blast_check() {
    let mut case = Case::new(local_pref(150));
    case.confidence = Confidence::Unknown;
    case.blast = 0.60;
    assert_eq!(case.decided(), (Decision::Modified, 2), "0.65 applies, not 0.25");
    assert_eq!(case.rules(Severity::Escalate), [Rule::NotGraduated]);
    case.blast = 0.66;
    assert_eq!(case.decided(), (Decision::Modified, 3));
    assert_eq!(case.rules(Severity::Escalate), [Rule::NotGraduated, Rule::Blast]);
}

#[test]
fn unknown_confidence_forbids_tier_1_and_raises_nothing_further() {
    let mut case = Case::new(local_pref(150)).graduated();
    case.confidence = Confidence::Unknown;
    case.blast = 0.60;
    assert_eq!(case.decided(), (Decision::Modified, 2));
    let mut prepend = judged(ActionType::AsPathPrepend, 0.0, 0.40);
    prepend.confidence = Confidence::Unknown;
    assert_eq!(prepend.decided(), (Decision::Allowed, 2));
    assert_eq!(prepend.rules(Severity::Warn).last(), Some(&Rule::Confidence), "it is shown");
}

#[test]
fn limits_hold_at_their_boundaries() {
    let tier = |confidence, blast| judged(ActionType::LocalPrefAdjust, confidence, blast).decided().1;
    assert_eq!((tier(0.80, 0.25), tier(0.7999, 0.25), tier(0.80, 0.2501)), (1, 2, 3));
    let tier = |confidence, blast| judged(ActionType::AsPathPrepend, confidence, blast).decided().1;
    assert_eq!((tier(0.60, 0.65), tier(0.5999, 0.65), tier(0.60, 0.6501)), (2, 3, 3));
    assert_eq!(judged(ActionType::IspFailover, 0.0, 1.0).decided(), (Decision::Allowed, 3));
    for (value, decision) in [(0, Decision::Allowed), (300, Decision::Allowed), (301, Decision::Blocked)] {
        assert_eq!(Case::new(local_pref(value)).graduated().judge().decision, decision, "LOCAL_PREF {value}");
    }
}

#[test]
fn full_reroute_and_depeer_are_always_tier_3() {
    for kind in [ActionType::FullReroute, ActionType::Depeer] {
        let mut case = judged(kind, 0.99, 0.01);
        case.tier = Some(AutonomyTier::Tier1Auto);
        assert_eq!(case.decided(), (Decision::Modified, 3));
        assert_eq!(case.rules(Severity::Escalate), [Rule::MandatoryTier3]);
    }
}

#[test]
fn no_action_is_allowed_and_may_carry_nothing() {
    let mut case = Case::new(action(ActionType::NoAction, Vec::new()));
    case.checks.clear();
    assert_eq!(case.decided(), (Decision::Allowed, 1));
    Case::new(action(ActionType::NoAction, vec![insert("ISPA-IN", Vec::new())])).blocked_by(Rule::Shape);
}

#[test]
fn what_the_twin_did_not_pass_is_blocked() {
    let mut case = Case::new(local_pref(150));
    case.checks.push(TwinCheck {
        id: "black_hole".into(),
        passed: false,
        standing: CheckStanding::Judged,
        detail: "203.0.113.0/24 has no exit".into(),
        tier: None,
    });
    case.blocked_by(Rule::TwinCheck);
    assert!(case.judge().blocks()[0].contains("black_hole"));
    let mut case = Case::new(local_pref(150));
    case.checks.clear();
    case.blocked_by(Rule::NotSimulated);
}

#[test]
fn a_prediction_that_would_be_rolled_back_is_blocked_unless_it_is_better_than_now() {
    let mut case = Case::new(local_pref(150));
    case.predicted = Predicted { delay_ms: Some((12.0, 81.0)), loss: None };
    case.blocked_by(Rule::Prediction);
    case.predicted = Predicted { delay_ms: Some((200.0, 81.0)), loss: Some((share(0.5), share(0.03))) };
    assert_eq!(case.rules(Severity::Block), []);
    assert!(case.rules(Severity::Warn).ends_with(&[Rule::Prediction, Rule::Prediction]));
    case.predicted = Predicted { delay_ms: Some((200.0, f64::NAN)), loss: None };
    case.blocked_by(Rule::Prediction);
}

#[test]
fn protected_communities_are_not_added_replaced_deleted_or_lost() {
    let lp = |edit| Case::new(action(ActionType::LocalPrefAdjust, vec![edit]));
    let add = |c| RouteAction::AddCommunities(vec![c]);
    lp(insert("ISPA-IN", vec![add(Community::new(65001, 998))])).blocked_by(Rule::ProtectedCommunity);
    lp(insert("ISPA-IN", vec![add(Community::NO_EXPORT)])).blocked_by(Rule::ProtectedCommunity);
    lp(insert("ISPA-IN", vec![RouteAction::SetCommunities(vec![Community::new(65001, 5)])])).blocked_by(Rule::ProtectedCommunity);
    lp(replace("ISPA-IN", 200, vec![])).blocked_by(Rule::ProtectedCommunity);
    lp(PolicyEdit::DeleteStatement { policy: "ISPA-IN".into(), sequence: 200 }).blocked_by(Rule::ProtectedCommunity);
    let large = RouteAction::Unmodelled("set large-community 65001:0:999 additive".into());
    lp(insert("ISPA-IN", vec![large])).blocked_by(Rule::ProtectedCommunity);
    let deletes = PolicyEdit::DeleteStatement { policy: "ISPA-IN".into(), sequence: 100 };
    assert_eq!(lp(deletes).rules(Severity::Block), [], "term 100 carries no protected community");
}

#[test]
fn a_term_in_front_of_a_protected_one_is_told() {
    let case = Case::new(local_pref(150));
    assert!(case.rules(Severity::Warn).contains(&Rule::ProtectedCommunity));
    let keeps = vec![RouteAction::SetLocalPref(150), RouteAction::AddCommunities(vec![Community::new(65001, 999)])];
    let case = Case::new(action(ActionType::LocalPrefAdjust, vec![insert("ISPA-IN", keeps)]));
    assert!(!case.rules(Severity::Warn).contains(&Rule::ProtectedCommunity), "a copy of what the term does is no change");
    assert_eq!(case.rules(Severity::Block), []);
}

#[test]
fn our_own_drain_adds_graceful_shutdown_on_export_and_nowhere_else() {
    let shut = Community::GRACEFUL_SHUTDOWN;
    let drain = |kind, policy, actions| Case::new(action(kind, vec![replace(policy, 100, actions)]));
    let joined = vec![RouteAction::SetCommunities(vec![Community::new(65001, 7), shut])];
    let added = vec![RouteAction::SetCommunities(vec![Community::new(65001, 7)]), RouteAction::AddCommunities(vec![shut])];
    for kind in [ActionType::IspFailover, ActionType::PeerDeactivate, ActionType::Depeer] {
        for actions in [&joined, &added] {
            assert_eq!(drain(kind, "ISPA-OUT", actions.clone()).rules(Severity::Block), [], "{kind:?}");
        }
    }
    drain(ActionType::IspFailover, "ISPA-IN", added.clone()).blocked_twice();
    drain(ActionType::LocalPrefAdjust, "ISPA-OUT", added).blocked_by(Rule::ProtectedCommunity);
    let more = vec![RouteAction::SetCommunities(vec![Community::new(65001, 8), shut])];
    drain(ActionType::IspFailover, "ISPA-OUT", more).blocked_by(Rule::ProtectedCommunity);
}

impl Case {
    /// The import policy is no export policy, and the replaced list is not the one that was there.
    fn blocked_twice(&self) {
        assert_eq!(self.rules(Severity::Block), [Rule::ProtectedCommunity, Rule::ProtectedCommunity]);
    }
}

#[test]
fn the_builders_of_the_configuration_pass() {
    let router = router();
    let export = config::edit::drain_export(&router.policy, "ISPA-OUT").unwrap();
    let import = config::edit::drain_import(&router.policy, "ISPA-IN").unwrap();
    let case = Case::new(action(ActionType::IspFailover, export.into_iter().chain(import).collect()));
    assert_eq!(case.decided(), (Decision::Allowed, 3), "{:?}", case.judge());
}

#[test]
fn what_cannot_be_judged_is_blocked() {
    let odd = || RouteAction::Unmodelled("set src 10.0.0.1".into());
    Case::new(action(ActionType::LocalPrefAdjust, vec![insert("ISPA-IN", vec![odd()])])).blocked_by(Rule::Unmodelled);
    let mut statement = term(99, vec![]);
    statement.conditions.push(Condition::Unmodelled("match tag 7".into()));
    let edit = PolicyEdit::InsertStatement { policy: "ISPA-IN".into(), statement, before: Some(100) };
    Case::new(action(ActionType::LocalPrefAdjust, vec![edit])).blocked_by(Rule::Unmodelled);
    let mut case = Case::new(local_pref(150));
    case.known = false;
    case.blocked_by(Rule::Unmodelled);
}

#[test]
fn edits_must_fit_the_name_of_the_action() {
    let session = |kind, enabled| Case::new(action(kind, vec![PolicyEdit::SetNeighborEnabled { neighbor: NEIGHBOR, enabled }]));
    session(ActionType::IspFailover, false).blocked_by(Rule::Shape);
    session(ActionType::PeerActivate, false).blocked_by(Rule::Shape);
    assert_eq!(session(ActionType::PeerActivate, true).rules(Severity::Block), []);
    assert_eq!(session(ActionType::PeerDeactivate, false).rules(Severity::Block), []);
    let mut empty = local_pref(150);
    empty.prefixes.clear();
    Case::new(empty).blocked_by(Rule::Shape);
    let mut empty = local_pref(150);
    empty.edits.clear();
    Case::new(empty).blocked_by(Rule::Shape);
}

#[test]
fn med_bounds_are_checked_and_the_maximum_is_told() {
    let med = |v| Case::new(action(ActionType::MedAdjust, vec![insert("ISPA-OUT", vec![RouteAction::SetMed(v)])]));
    assert!(med(u32::MAX).rules(Severity::Warn).contains(&Rule::Med));
    let mut case = med(1001);
    case.policy.med = (0, 1000);
    case.blocked_by(Rule::Med);
}

#[test]
fn rates_count_what_was_applied_within_the_window() {
    let mut case = Case::new(local_pref(150));
    for _ in 0..2 {
        case.counters.applied(at(41), AutonomyTier::Tier2Approve);
    }
    assert_eq!(case.rules(Severity::Block), []);
    case.counters.applied(at(41), AutonomyTier::Tier2Approve);
    case.blocked_by(Rule::Rate);
    case.counters = Counters::default();
    for _ in 0..3 {
        case.counters.applied(at(40), AutonomyTier::Tier2Approve);
    }
    assert_eq!(case.rules(Severity::Block), [], "60 s ago is outside the window");
    case.counters = Counters::default();
    for _ in 0..10 {
        case.counters.applied(at(99), AutonomyTier::Tier3Manual);
    }
    case.blocked_by(Rule::Rate);
    let mut auto = Case::new(local_pref(150)).graduated();
    for _ in 0..6 {
        auto.counters.applied(at(99), AutonomyTier::Tier1Auto);
    }
    auto.blocked_by(Rule::Rate);
}

#[test]
fn the_kill_switch_blocks_and_the_modes_are_told_but_block_no_proposal() {
    let mut case = Case::new(local_pref(150));
    case.killed = true;
    case.blocked_by(Rule::KillSwitch);
    let mut case = Case::new(local_pref(150));
    case.mode = Mode::Shadow;
    assert_eq!(case.decided(), (Decision::Modified, 2));
    assert_eq!(case.rules(Severity::Warn)[0], Rule::Mode);
}

#[test]
fn execution_is_refused_by_mode_kill_switch_policy_version_and_rate() {
    let policy = GuardPolicy::default();
    let execution = Execution { mode: Mode::Lab, killed: false, lab_only: true, tier: AutonomyTier::Tier2Approve, policy_version: 1 };
    let rule = |e: Execution, c: &Counters| policy.may_execute(&e, c, at(100)).err().map(|v| v.rule);
    let idle = Counters::default();
    assert_eq!(rule(execution, &idle), None);
    assert_eq!(rule(Execution { mode: Mode::Live, lab_only: false, ..execution }, &idle), None);
    assert_eq!(rule(Execution { lab_only: false, ..execution }, &idle), Some(Rule::Mode));
    assert_eq!(rule(Execution { mode: Mode::Shadow, ..execution }, &idle), Some(Rule::Mode));
    assert_eq!(rule(Execution { mode: Mode::Replay, ..execution }, &idle), Some(Rule::Mode));
    assert_eq!(rule(Execution { killed: true, ..execution }, &idle), Some(Rule::KillSwitch));
    assert_eq!(rule(Execution { policy_version: 2, ..execution }, &idle), Some(Rule::PolicyChanged));
    let mut busy = Counters::default();
    for _ in 0..3 {
        busy.applied(at(99), AutonomyTier::Tier2Approve);
    }
    assert_eq!(rule(execution, &busy), Some(Rule::Rate));
}

#[test]
fn the_profiles_of_the_checklist_are_the_defaults() {
    let policy = GuardPolicy::default();
    assert_eq!(policy.profiles.len(), ActionType::ALL.len());
    let row = |kind| {
        let p = policy.profiles[&kind];
        (p.tier.number(), p.confidence.get(), p.blast.get())
    };
    assert_eq!(row(ActionType::LocalPrefAdjust), (1, 0.90, 0.10));
    assert_eq!(row(ActionType::MedAdjust), (1, 0.88, 0.08));
    assert_eq!(row(ActionType::CommunityTag), (1, 0.95, 0.05));
    assert_eq!(row(ActionType::NoAction), (1, 1.0, 0.0));
    assert_eq!(row(ActionType::AsPathPrepend), (2, 0.75, 0.35));
    assert_eq!(row(ActionType::NextHopChange), (2, 0.70, 0.30));
    assert_eq!(row(ActionType::PeerActivate), (2, 0.72, 0.40));
    assert_eq!(row(ActionType::PrefixFilter), (2, 0.80, 0.20));
    assert_eq!(row(ActionType::PeerDeactivate), (3, 0.60, 0.60));
    assert_eq!(row(ActionType::IspFailover), (3, 0.55, 0.80));
    assert_eq!(row(ActionType::FullReroute), (3, 0.50, 0.95));
    assert_eq!(row(ActionType::Depeer), (3, 0.45, 0.90));
}

#[test]
fn policy_counters_and_verdict_survive_json() {
    let case = Case::new(local_pref(500));
    let policy = serde_json::to_string(&case.policy).unwrap();
    assert_eq!(serde_json::from_str::<GuardPolicy>(&policy).unwrap(), case.policy);
    let verdict = serde_json::to_string(&case.judge()).unwrap();
    assert_eq!(serde_json::from_str::<Verdict>(&verdict).unwrap(), case.judge());
    let mut counters = Counters::default();
    counters.applied(at(1), AutonomyTier::Tier2Approve);
    let text = serde_json::to_string(&counters).unwrap();
    assert_eq!(serde_json::from_str::<Counters>(&text).unwrap(), counters);
}

#[test]
fn what_moves_an_unknown_volume_does_not_go_by_itself() {
    let mut case = Case::new(local_pref(150)).graduated();
    assert_eq!(case.decided().1, 1, "with everything known this type acts by itself");
    case.volume_known = false;
    let verdict = case.judge();
    assert_eq!((verdict.decision, verdict.final_tier.number()), (Decision::Modified, 2), "{verdict:?}");
    assert_eq!(case.rules(Severity::Escalate), [Rule::VolumeUnknown]);
}

/// K07 with volumes that nobody measured, K24 with a change of several routers.
#[test]
fn a_check_that_asks_for_a_stricter_tier_gets_it_and_none_gets_a_laxer_one() {
    let ask = |tier| TwinCheck {
        id: "K24".into(),
        passed: true,
        standing: CheckStanding::Judged,
        detail: "touches 2 routers at once".into(),
        tier,
    };
    let mut case = judged(ActionType::LocalPrefAdjust, 0.92, 0.08);
    assert_eq!(case.decided(), (Decision::Allowed, 1));
    case.checks.push(ask(None));
    assert_eq!(case.decided(), (Decision::Allowed, 1));
    case.checks.push(ask(Some(AutonomyTier::Tier3Manual)));
    assert_eq!(case.decided(), (Decision::Modified, 3));
    assert_eq!(case.rules(Severity::Escalate), [Rule::CheckTier]);
    assert!(case.judge().violations.iter().any(|v| v.detail.contains("K24 asks for Tier 3: touches 2 routers")));
    case.tier = Some(AutonomyTier::Tier3Manual);
    case.checks.push(ask(Some(AutonomyTier::Tier1Auto)));
    assert_eq!(case.decided(), (Decision::Allowed, 3));
}

/// N08, Azure 2023-01-25: a command that does another thing on a platform on which it was never tried.
#[test]
fn a_platform_that_changes_were_never_qualified_on_is_not_written_in_live_mode() {
    let read = |text: &str| config::read(&[("running configuration".to_owned(), text.to_owned())]).unwrap();
    let iosxr = read(
        "hostname r1\nrouter bgp 65001\n bgp router-id 10.0.0.1\n address-family ipv4 unicast\n !\n!\nroute-policy P\n  pass\nend-policy\n",
    );
    let newer = read("frr version 10.1 rm -rf\nfrr defaults traditional\nrouter bgp 65001\n bgp router-id 10.0.0.1\n");
    let qualified = read("frr version 8.4.4\nfrr defaults traditional\nrouter bgp 65001\n bgp router-id 10.0.0.1\n");
    let on = |read: &RouterConfig, mode| {
        let mut case = Case::new(local_pref(150));
        (case.mode, case.router.vendor, case.router.unmodelled) = (mode, read.vendor, read.unmodelled.clone());
        case
    };
    for (config, platform) in [(&iosxr, "Cisco IOS XR"), (&newer, "FRR \"10.1\"")] {
        on(config, Mode::Live).blocked_by(Rule::Platform);
        let sentence = format!("r1 runs {platform}: changes are qualified on FRR 8.4 only; try it in a lab, or make this change by hand");
        assert_eq!(on(config, Mode::Live).judge().blocks(), [sentence]);
        // shown, and tried where platforms are qualified
        for mode in [Mode::Shadow, Mode::Lab] {
            assert_eq!(on(config, mode).rules(Severity::Block), []);
            assert!(on(config, mode).rules(Severity::Warn).contains(&Rule::Platform));
        }
    }
    // the twin that passes
    assert_eq!(on(&qualified, Mode::Live).rules(Severity::Block), []);
    assert!(!on(&qualified, Mode::Live).rules(Severity::Warn).contains(&Rule::Platform));
}

/// N08: an action holds no command of anybody's language, so there is none to send.
#[test]
fn free_text_for_a_router_is_no_action() {
    let text = serde_json::to_string(&local_pref(150)).unwrap();
    assert_eq!(serde_json::from_str::<Action>(&text).unwrap(), local_pref(150));
    let cli = text.replacen("\"insert_statement\"", "\"cli\"", 1);
    assert_ne!(cli, text);
    let error = serde_json::from_str::<Action>(&cli).unwrap_err().to_string();
    assert!(error.contains("unknown variant `cli`"), "{error}");
}
