//! When the twin may not judge, an approval takes a reason; and what it disagrees on is remembered.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a whole file of tests")]

use action::{Action, ActionType, AutonomyTier, DeviceId, Direction, ExitId, FindingId, OperatorId, Parameters, ProposalId};
use approval::{PlanBinding, Submission};
use bgp::Prefix;
use core::time::Duration;
use decision::{Confidence, Prediction, PrefixMove, Proposal};
use guardrail::{Decision, Verdict};
use network::{Freshness, Inventory, Network, Observation};
use pilot::{
    AgreementRow, Command, Drift, Effect, Happening, Input, JobId, JobKind, Mode, Pilot, PilotState, ProposalRecord, ProposalState, Resume,
    SimulationAnswer, doubts,
};
use std::collections::BTreeMap;
use twin::Field;
use units::{Ratio, Timestamp};

const P1: ProposalId = ProposalId(1);

fn t(second: i64) -> Timestamp {
    Timestamp::from_millis((1_800_000_000 + second) * 1000)
}

fn prefix() -> Prefix {
    "203.0.113.0/24".parse().unwrap()
}

fn r1() -> DeviceId {
    DeviceId::from("r1")
}

fn proposal() -> Proposal {
    let action = Action {
        kind: ActionType::LocalPrefAdjust,
        direction: Direction::Outbound,
        prefixes: vec![prefix()],
        exits: vec![ExitId::from("r2-ispc")],
        parameters: Parameters::None,
        edits: Vec::new(),
    };
    let prediction = Prediction {
        moves: vec![PrefixMove { prefix: prefix(), from: "r1-ispa".into(), to: vec!["r2-ispc".into()] }],
        volume_bps: None,
        delay_before_ms: None,
        delay_after_ms: None,
        loss_before: None,
        loss_after: None,
        by_volume: false,
        cost: 0.0,
        loads: Vec::new(),
        money_per_hour: None,
        blast: Ratio::ZERO,
        unknown: Vec::new(),
    };
    let summary = "Move 1 prefix".to_owned();
    let (expectation, confidence, evidence) = (None, Confidence::Unknown, Vec::new());
    Proposal { finding: FindingId(1), action, summary, prediction, expectation, confidence, evidence }
}

/// A pilot on whose queue one proposal waits, with the twin held against r1 at second 0: `equal` of 100 routes.
fn waiting(mode: Mode, equal: u64) -> (Pilot, String) {
    let mut network = Network::new(Inventory::empty("test"));
    network.devices.insert(r1(), network::Device { bmp: Freshness::Synced { last: t(0) }, ..network::Device::default() });
    let mut state = PilotState::new(mode, network, &Resume::default(), t(0));
    let what = "203.0.113.0/24: NextHop is 10.0.0.1 in the twin, 10.0.0.2 on the router".to_owned();
    let drift = Drift { prefix: prefix(), field: Field::NextHop, what: what.clone(), since: t(0), explained: None };
    state.agreement.insert(r1(), AgreementRow { compared: 100, equal, differences: vec![what], drift: vec![drift] });
    state.agreement_at = Some(t(0));
    let binding = PlanBinding { devices: Vec::new(), policy_version: 1, twin_seq: 1 };
    let tier = AutonomyTier::Tier2Approve;
    let (target, action) = (String::new(), ActionType::LocalPrefAdjust);
    let submission = Submission { proposal: P1, action, tier, target, binding: binding.clone() };
    let hash = state.queue.submit(submission, Duration::from_secs(900), t(0)).unwrap().plan_hash.clone();
    let verdict = Verdict { decision: Decision::Allowed, original_tier: tier, final_tier: tier, violations: Vec::new(), policy_version: 1 };
    let record = ProposalRecord {
        finding: None,
        at: t(0),
        proposal: proposal(),
        alternatives: Vec::new(),
        checks: Vec::new(),
        unmodelled: Vec::new(),
        explanation: Vec::new(),
        forecast: pilot::Forecast::default(),
        unmovable: Vec::new(),
        verdict,
        devices: Vec::new(),
        binding,
        state: ProposalState::Waiting,
    };
    state.proposals.insert(P1, record);
    let mut pilot = Pilot::default();
    pilot.handle(1, t(0), Input::State { state: Box::new(state) });
    (pilot, hash)
}

fn approve(pilot: &mut Pilot, at: i64, hash: &str, automatic: bool, reason: Option<&str>) -> Vec<Effect> {
    let override_reason = reason.map(str::to_owned);
    let command = Command::Approve { proposal: P1, shown_hash: hash.to_owned(), typed_target: None, automatic, override_reason };
    pilot.handle(2, t(at), Input::Operator { operator: OperatorId::new("alice"), command })
}

fn said(effects: &[Effect]) -> Vec<&Happening> {
    effects.iter().filter_map(|e| if let Effect::Publish(event) = e { Some(&event.what) } else { None }).collect()
}

fn refusal(effects: &[Effect]) -> Option<(&str, &str)> {
    said(effects)
        .into_iter()
        .find_map(|h| if let Happening::Refused { code, why } = h { Some((code.as_str(), why.as_str())) } else { None })
}

#[test]
fn a_twin_that_agrees_lets_an_approval_pass() {
    let (mut pilot, hash) = waiting(Mode::Shadow, 99);
    assert_eq!(doubts(pilot.state()), [] as [String; 0]);
    let effects = approve(&mut pilot, 1, &hash, false, None);
    assert!(said(&effects).iter().any(|h| matches!(h, Happening::Approved { .. })), "{effects:?}");
}

#[test]
fn below_the_threshold_an_approval_takes_a_reason_and_is_recorded_as_such() {
    let (mut pilot, hash) = waiting(Mode::Shadow, 98);
    for reason in [None, Some(""), Some("  ")] {
        let effects = approve(&mut pilot, 1, &hash, false, reason);
        let (code, why) = refusal(&effects).unwrap();
        assert_eq!(code, "PH-APPR-024");
        assert!(why.contains("98 of 100 routes") && why.contains("203.0.113.0/24"), "{why}");
    }
    let effects = approve(&mut pilot, 2, &hash, false, Some("r1 is being drained, I know"));
    let kinds: Vec<&str> = effects.iter().filter_map(|e| if let Effect::Audit(r) = e { Some(r.kind.as_str()) } else { None }).collect();
    assert_eq!(kinds.first(), Some(&"overridden"), "{kinds:?}");
    let told = said(&effects);
    let overridden =
        told.iter().find_map(|h| if let Happening::Overridden { by, reason, doubts, .. } = h { Some((by, reason, doubts)) } else { None });
    let (by, reason, doubts) = overridden.unwrap();
    assert_eq!((by.as_str(), reason.as_str(), doubts.len()), ("alice", "r1 is being drained, I know", 1));
    assert!(told.iter().any(|h| matches!(h, Happening::Approved { .. })));
}

#[test]
fn no_program_overrides() {
    let (mut pilot, hash) = waiting(Mode::Lab, 98);
    let effects = approve(&mut pilot, 1, &hash, true, Some("because"));
    assert_eq!(refusal(&effects).unwrap().0, "PH-APPR-024");
}

#[test]
fn an_old_twin_and_a_stale_feed_are_doubted() {
    let (pilot, _) = waiting(Mode::Shadow, 100);
    let mut state = pilot.state().clone();
    state.routing_seq = 7;
    state.now = t(60);
    assert_eq!(doubts(&state), [] as [String; 0]);
    state.now = t(61);
    assert!(doubts(&state)[0].contains("61 s ago"), "{:?}", doubts(&state));
    // nothing moved since: what was true is true
    state.agreement_seq = 7;
    assert_eq!(doubts(&state), [] as [String; 0]);
    state.network.devices.get_mut(&r1()).unwrap().bmp = Freshness::Stale { since: t(50) };
    assert_eq!(doubts(&state), ["BMP of r1 is stale"]);
    state.agreement_at = None;
    assert_eq!(doubts(&state).len(), 2);
}

#[test]
fn a_difference_keeps_its_age_and_a_new_one_names_what_explains_it() {
    let (pilot, _) = waiting(Mode::Shadow, 98);
    let mut state = pilot.state().clone();
    let commit = b"<190>Mar  5 14:47:45 mx1 mgd[91373]: UI_COMMIT: User 'lab' requested 'commit' operation (comment: none)";
    state.network.observe(&Observation::Syslog { device: r1(), bytes: commit.to_vec() }, t(5));
    state.jobs.insert(JobId(1), JobKind::Agreement);
    let mut pilot = Pilot::default();
    pilot.handle(1, t(5), Input::State { state: Box::new(state) });
    let drift = |field| Drift { prefix: prefix(), field, what: String::new(), since: t(6), explained: None };
    let row = AgreementRow { compared: 100, equal: 98, differences: Vec::new(), drift: vec![drift(Field::NextHop), drift(Field::Med)] };
    let answer = SimulationAnswer::Agreement { rows: BTreeMap::from([(r1(), row)]) };
    pilot.handle(2, t(6), Input::Simulated { job: JobId(1), answer: Box::new(answer) });
    let known = &pilot.state().agreement[&r1()].drift;
    assert_eq!((known[0].since, &known[0].explained), (t(0), &None), "it was there before");
    assert_eq!(known[1].since, t(6));
    let why = known[1].explained.as_deref().unwrap();
    assert!(why.starts_with("explained by a configuration committed on r1 at"), "{why}");
    assert_eq!(pilot.state().agreement_at, Some(t(6)));
}

#[test]
fn a_commit_that_is_told_after_its_difference_explains_it() {
    let (pilot, _) = waiting(Mode::Shadow, 98);
    let mut state = pilot.state().clone();
    let since = state.agreement[&r1()].drift[0].since;
    let commit = b"<190>Mar  5 14:47:45 mx1 mgd[91373]: UI_COMMIT: User 'lab' requested 'commit' operation (comment: none)";
    state.network.observe(&Observation::Syslog { device: r1(), bytes: commit.to_vec() }, since.plus(Duration::from_secs(2)));
    state.jobs.insert(JobId(1), JobKind::Agreement);
    let mut pilot = Pilot::default();
    pilot.handle(1, t(5), Input::State { state: Box::new(state) });
    let drift = Drift { prefix: prefix(), field: Field::NextHop, what: String::new(), since: t(6), explained: None };
    let row = AgreementRow { compared: 100, equal: 98, differences: Vec::new(), drift: vec![drift] };
    let answer = SimulationAnswer::Agreement { rows: BTreeMap::from([(r1(), row)]) };
    pilot.handle(2, t(6), Input::Simulated { job: JobId(1), answer: Box::new(answer) });
    let known = &pilot.state().agreement[&r1()].drift[0];
    assert!(known.since == since && known.explained.as_deref().unwrap().contains("committed on r1"), "{known:?}");
}

#[test]
fn a_router_that_was_left_out_when_the_others_were_compared_is_doubted() {
    let (pilot, _) = waiting(Mode::Shadow, 100);
    let mut state = pilot.state().clone();
    assert!(!doubts(&state).iter().any(|d| d.contains("reported none")), "{:?}", doubts(&state));
    let text = "frr version 8.4.4\nrouter bgp 65000\n bgp router-id 10.0.0.1\nexit\n".to_owned();
    let read = network::ConfigEvent::Read { text, digest: "00".to_owned() };
    state.network.observe(&Observation::Config { device: r1(), event: read }, t(5));
    assert!(!doubts(&state).iter().any(|d| d.contains("reported none")), "it was compared");
    state.agreement.clear();
    assert!(doubts(&state).iter().any(|d| d.contains("never held against the table of r1")), "{:?}", doubts(&state));
}
