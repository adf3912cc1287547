use super::*;
use crate::DevicePlan;
use sha2::{Digest, Sha256};

const T: Duration = Duration::from_secs(60);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn plan(devices: usize) -> Plan {
    let device = |i: usize| {
        let payload = format!("<edit {i}/>");
        DevicePlan {
            device: format!("r{i}").as_str().into(),
            payload_sha256: hex::encode(Sha256::digest(&payload)),
            payload,
            inverse_payload: "<undo/>".into(),
            base_digest: "old".into(),
            policy_delay: Duration::from_secs(5),
        }
    };
    Plan {
        change: ChangeId(7),
        proposal: action::ProposalId(3),
        permit: approval::PermitId(1),
        plan_hash: "0123456789abcdef".into(),
        devices: (0..devices).map(device).collect(),
        confirm_timeout: T,
        verify_for: Duration::from_secs(15),
    }
}

fn new() -> DeviceState {
    DeviceState { digest: "new".into(), in_effect: true, nothing_pending: false }
}

fn old() -> DeviceState {
    DeviceState { digest: "old".into(), in_effect: false, nothing_pending: false }
}

fn foreign() -> DeviceState {
    DeviceState { digest: "other".into(), in_effect: false, nothing_pending: false }
}

fn none_pending(state: DeviceState) -> DeviceState {
    DeviceState { nothing_pending: true, ..state }
}

fn unknown() -> WireReply {
    Err(WireFault::Unknown { code: "PH-EXEC-003".into(), why: "connection lost".into() })
}

fn sla(passed: bool) -> SlaResult {
    SlaResult { passed, delay_ms: (Some(40.0), Some(12.0)), loss: (None, None), why: "40.0 ms became 12.0 ms".into() }
}

/// A machine with its clock, driven step by step; every answer names what it expects to be on the wire.
struct Run {
    saga: Saga,
    now: i64,
    last: Vec<Step>,
    journal: Vec<JournalRecord>,
}

impl Run {
    fn begin(devices: usize) -> Self {
        let mut run = Self { saga: Saga::new(plan(devices)).unwrap(), now: 0, last: Vec::new(), journal: Vec::new() };
        run.event(Event::Start);
        run
    }

    /// A change that all its devices hold provisionally.
    fn provisional(devices: usize) -> Self {
        let mut run = Self::begin(devices);
        for _ in 0..devices {
            run.answer("commit", Ok(new()));
        }
        run
    }

    fn event(&mut self, event: Event) -> &mut Self {
        self.last = self.saga.handle(event, at(self.now));
        for step in &self.last {
            if let Step::Journal(record) = step {
                self.journal.push(record.clone());
            }
        }
        self
    }

    fn at(&mut self, seconds: i64) -> &mut Self {
        self.now = seconds;
        self
    }

    fn on_wire(&self) -> Option<(DeviceId, u32, &'static str)> {
        self.last.iter().find_map(|s| match s {
            Step::Wire { device, step, op } => {
                let name = match op {
                    WireOp::Read { .. } => "read",
                    WireOp::CommitConfirmed { .. } => "commit",
                    WireOp::Confirm { .. } => "confirm",
                    WireOp::Cancel { .. } => "cancel",
                };
                Some((device.clone(), *step, name))
            }
            _ => None,
        })
    }

    fn answer(&mut self, expected: &str, reply: WireReply) -> &mut Self {
        let (device, step, name) = self.on_wire().expect("something on the wire");
        assert_eq!(name, expected);
        self.event(Event::Reply { device, step, reply })
    }

    fn outcome(&self) -> &Outcome {
        assert!(matches!(self.last.last(), Some(Step::Finished(_))), "{:?}", self.last);
        self.saga.outcome().expect("an outcome")
    }

    fn ended(&self) -> (&'static str, Option<WhyCode>) {
        (self.outcome().name(), self.outcome().why().map(|w| w.code))
    }

    fn journalled(&self) -> Vec<&'static str> {
        self.journal.iter().map(|r| r.entry.name()).collect()
    }
}

#[test]
fn a_good_change_is_journalled_measured_and_confirmed() {
    let mut run = Run::begin(1);
    assert!(matches!(&run.last[..], [Step::Journal(_), Step::Wire { op: WireOp::CommitConfirmed { .. }, step: 1, .. }]));
    run.at(2).answer("commit", Ok(new()));
    assert_eq!(run.last[1], Step::Measure { from: at(7), until: at(22) });
    assert_eq!(run.saga.reverts_at(), Some(at(60)));
    assert!(run.saga.holds(&"r0".into()) && !run.saga.holds(&"r1".into()));
    run.at(22).event(Event::Verified(sla(true)));
    assert!(matches!(&run.last[..], [Step::Journal(_), Step::Wire { op: WireOp::Confirm { .. }, .. }]));
    run.answer("confirm", Ok(new()));
    assert_eq!(run.ended(), ("confirmed", None));
    assert_eq!(run.journalled(), ["intent", "provisional", "confirm_intent", "confirmed"]);
    assert_eq!(run.saga.outcome().unwrap().decision(), crate::DecisionOutcome::Approved);
    assert!(!run.saga.holds(&"r0".into()) && run.saga.next_deadline().is_none());
}

#[test]
fn the_payload_the_token_and_the_timer_go_out_as_planned() {
    let run = Run::begin(1);
    let Step::Wire { op: WireOp::CommitConfirmed { payload, token, confirm_timeout, base_digest }, .. } = &run.last[1] else {
        panic!("{:?}", run.last)
    };
    assert_eq!((payload.as_str(), base_digest.as_str(), *confirm_timeout), ("<edit 0/>", "old", T));
    assert_eq!(token, "pilothouse-C-7-0123456789ab-0");
}

#[test]
fn a_change_that_does_not_help_is_cancelled_and_read_back() {
    let mut run = Run::provisional(1);
    run.at(20).event(Event::Verified(sla(false))).answer("cancel", Ok(old()));
    assert_eq!(run.ended(), ("rolled_back", Some(WhyCode::VerifyFailed)));
    assert_eq!(run.journalled(), ["intent", "provisional", "verify_failed", "rolled_back"]);
}

#[test]
fn silence_of_the_measurement_is_failure() {
    let mut run = Run::provisional(1);
    assert_eq!(run.saga.next_deadline(), Some(at(30)));
    run.at(29).event(Event::Tick);
    assert!(run.last.is_empty());
    run.at(30).event(Event::Tick).answer("cancel", Ok(old()));
    assert_eq!(run.ended(), ("rolled_back", Some(WhyCode::VerifySilent)));
}

#[test]
fn a_good_verdict_from_before_the_policy_acts_is_no_verdict() {
    let mut run = Run::provisional(1);
    run.at(4).event(Event::Verified(sla(true)));
    assert!(run.last.is_empty());
    run.at(6).event(Event::Verified(sla(false)));
    assert_eq!(run.on_wire().unwrap().2, "cancel");
}

#[test]
fn a_confirm_is_sent_only_while_a_fifth_of_the_timer_is_left() {
    let confirms = |seconds| {
        let mut run = Run::provisional(1);
        run.at(seconds).event(Event::Verified(sla(true)));
        run.on_wire().unwrap().2
    };
    assert_eq!(confirms(48), "confirm");
    assert_eq!(confirms(49), "cancel");
    let mut run = Run::provisional(1);
    run.at(3600).event(Event::Verified(sla(true))).answer("cancel", Ok(none_pending(old())));
    assert_eq!(run.ended(), ("rolled_back", Some(WhyCode::ConfirmTooLate)));
}

#[test]
fn ok_without_effect_is_a_failure_of_the_device() {
    let mut run = Run::begin(1);
    run.answer("commit", Ok(old())).answer("cancel", Ok(none_pending(old())));
    assert_eq!(run.ended(), ("failed", Some(WhyCode::NoEffectOnDevice)));
    assert!(run.outcome().why().unwrap().detail.contains("answered ok and did nothing"));
}

#[test]
fn a_payload_that_was_in_effect_before_changes_nothing_and_is_told() {
    let mut run = Run::begin(1);
    let same = DeviceState { digest: "old".into(), in_effect: true, nothing_pending: false };
    run.answer("commit", Ok(same.clone())).answer("cancel", Ok(same));
    assert_eq!(run.ended(), ("failed", Some(WhyCode::NoEffectOnDevice)));
}

#[test]
fn what_was_not_sent_or_refused_fails_without_a_rollback() {
    for (fault, code) in [
        (WireFault::NotSent { code: "PH-EXEC-001".into(), why: "lock held by bob".into() }, WhyCode::NotSent),
        (WireFault::Refused { code: "PH-EXEC-002".into(), why: "invalid value".into() }, WhyCode::Refused),
    ] {
        let mut run = Run::begin(1);
        run.answer("commit", Err(fault));
        assert_eq!(run.ended(), ("failed", Some(code)));
        assert_eq!(run.journalled(), ["intent", "failed"]);
    }
}

#[test]
fn a_lost_commit_reply_is_resolved_by_reading_and_never_resent() {
    let mut run = Run::begin(1);
    run.answer("commit", unknown()).answer("read", Ok(new())).answer("cancel", Ok(old()));
    assert_eq!(run.ended(), ("rolled_back", Some(WhyCode::CommitUnanswered)));
}

#[test]
fn a_commit_that_may_still_arrive_is_looked_for_after_its_timer() {
    let mut run = Run::begin(1);
    run.answer("commit", unknown()).at(1).answer("read", Ok(old()));
    assert_eq!(run.saga.next_deadline(), Some(at(70)));
    run.at(70).event(Event::Tick).answer("read", Ok(new())).answer("cancel", Ok(old()));
    assert_eq!(run.ended(), ("rolled_back", Some(WhyCode::CommitUnanswered)));
}

#[test]
fn a_lost_confirm_reply_is_resolved_by_reading_and_confirming_again() {
    let mut run = Run::provisional(1);
    run.at(22).event(Event::Verified(sla(true)));
    run.answer("confirm", unknown()).answer("read", Ok(new())).answer("confirm", Ok(none_pending(new())));
    assert_eq!(run.ended(), ("confirmed", None));
}

#[test]
fn a_confirm_that_came_after_the_device_reverted_is_no_confirm() {
    let mut run = Run::provisional(1);
    run.at(22).event(Event::Verified(sla(true))).answer("confirm", Ok(none_pending(old())));
    assert_eq!(run.ended(), ("rolled_back", Some(WhyCode::DeviceReverted)));
}

#[test]
fn a_foreign_configuration_after_the_cancel_is_in_doubt_with_words() {
    let mut run = Run::provisional(1);
    run.at(22).event(Event::Verified(sla(false))).answer("cancel", Ok(foreign()));
    assert_eq!(run.ended(), ("in_doubt", Some(WhyCode::ForeignChange)));
    assert!(run.outcome().why().unwrap().detail.contains("somebody else changed it"));
}

#[test]
fn a_change_kept_by_somebody_else_is_in_doubt() {
    let mut run = Run::provisional(1);
    run.at(22).event(Event::Verified(sla(false))).answer("cancel", Ok(none_pending(new())));
    assert_eq!(run.ended(), ("in_doubt", Some(WhyCode::KeptUnverified)));
}

#[test]
fn a_device_that_says_ok_to_cancel_and_keeps_it_past_its_timer_is_in_doubt() {
    let mut run = Run::provisional(1);
    run.at(22).event(Event::Verified(sla(false))).answer("cancel", Ok(new()));
    assert_eq!(run.saga.next_deadline(), Some(at(70)));
    run.at(70).event(Event::Tick).answer("read", Ok(new())).answer("cancel", Ok(new()));
    assert_eq!(run.ended(), ("in_doubt", Some(WhyCode::KeptUnverified)));
}

#[test]
fn an_unreachable_device_is_asked_until_its_timer_is_over_and_then_in_doubt() {
    let mut run = Run::provisional(1);
    run.at(22).event(Event::Verified(sla(false)));
    let mut asked = 0;
    while run.saga.outcome().is_none() {
        if run.on_wire().is_some() {
            let expected = run.on_wire().unwrap().2;
            run.answer(expected, unknown());
            asked += 1;
        } else {
            run.now = run.saga.next_deadline().unwrap().nanos() / 1_000_000_000;
            run.event(Event::Tick);
        }
    }
    assert_eq!(run.ended(), ("in_doubt", Some(WhyCode::Unreachable)));
    assert!(run.now >= 70 && (8..20).contains(&asked), "{asked} times until {} s", run.now);
}

#[test]
fn a_silent_executor_is_doubt_and_its_late_answer_is_ignored() {
    let mut run = Run::begin(1);
    let (device, step, _) = run.on_wire().unwrap();
    assert_eq!(run.saga.next_deadline(), Some(at(90)));
    run.at(90).event(Event::Tick);
    assert_eq!(run.on_wire().unwrap().2, "read");
    let read = run.last.clone();
    run.event(Event::Reply { device, step, reply: Ok(new()) });
    assert!(run.last.is_empty());
    run.last = read;
    run.answer("read", Ok(old()));
    assert_eq!(run.ended(), ("rolled_back", Some(WhyCode::CommitUnanswered)));
}

#[test]
fn the_kill_switch_cancels_what_is_pending_and_begins_nothing() {
    let mut run = Run { saga: Saga::new(plan(1)).unwrap(), now: 0, last: Vec::new(), journal: Vec::new() };
    run.event(Event::KillSwitch);
    assert_eq!((run.ended(), run.journal.len()), (("failed", Some(WhyCode::KillSwitch)), 0));

    let mut run = Run::provisional(1);
    run.event(Event::KillSwitch).answer("cancel", Ok(old()));
    assert_eq!(run.ended(), ("rolled_back", Some(WhyCode::KillSwitch)));

    let mut run = Run::begin(2);
    let wire = run.last.clone();
    run.event(Event::KillSwitch);
    assert!(run.last.is_empty(), "a step on the wire is waited for");
    run.last = wire;
    run.answer("commit", Ok(new())).answer("cancel", Ok(old()));
    assert_eq!(run.ended(), ("rolled_back", Some(WhyCode::KillSwitch)));
}

#[test]
fn several_devices_are_made_in_order_and_undone_in_reverse() {
    let mut run = Run::begin(3);
    let mut order = Vec::new();
    for reply in [Ok(new()), Ok(new()), unknown(), Ok(new()), Ok(old()), Ok(old()), Ok(old())] {
        let (device, _, op) = run.on_wire().unwrap();
        order.push(format!("{op} {device}"));
        run.answer(op, reply);
    }
    assert_eq!(order, ["commit r0", "commit r1", "commit r2", "read r2", "cancel r2", "cancel r1", "cancel r0"]);
    assert_eq!(run.ended(), ("rolled_back", Some(WhyCode::CommitUnanswered)));
}

#[test]
fn a_second_device_that_refuses_undoes_the_first() {
    let mut run = Run::begin(2);
    let refused = WireFault::Refused { code: "PH-EXEC-002".into(), why: "invalid value".into() };
    run.answer("commit", Ok(new())).answer("commit", Err(refused)).answer("cancel", Ok(old()));
    assert_eq!(run.ended(), ("failed", Some(WhyCode::Refused)));
}

#[test]
fn a_change_kept_on_some_devices_only_is_partial() {
    let mut run = Run::provisional(2);
    run.at(22).event(Event::Verified(sla(true)));
    run.answer("confirm", Ok(new())).answer("confirm", Ok(none_pending(old())));
    match run.outcome() {
        Outcome::Partial { kept, reverted, .. } => assert_eq!((&kept[..], &reverted[..]), (&["r0".into()][..], &["r1".into()][..])),
        other => panic!("{other:?}"),
    }
    assert_eq!(run.journalled().last(), Some(&"partial"));
}

#[test]
fn a_journal_that_cannot_be_written_sends_nothing_and_lets_the_device_revert() {
    let mut run = Run::begin(1);
    run.event(Event::StoreFailed { reason: "disk full".into() });
    assert_eq!(run.ended(), ("failed", Some(WhyCode::JournalFailed)));

    let mut run = Run::provisional(1);
    run.at(22).event(Event::Verified(sla(true))).event(Event::StoreFailed { reason: "disk full".into() });
    assert!(run.last.is_empty());
    assert_eq!(run.saga.next_deadline(), Some(at(70)));
    run.at(70).event(Event::Tick).answer("read", Ok(old()));
    assert_eq!(run.ended(), ("rolled_back", Some(WhyCode::JournalFailed)));
}

#[test]
fn a_confirm_intent_that_was_not_stored_vouches_for_nothing() {
    let mut run = Run::provisional(1);
    run.at(22).event(Event::Verified(sla(true))).event(Event::StoreFailed { reason: "disk full".into() });
    run.at(70).event(Event::Tick).answer("read", Ok(new())).answer("cancel", Ok(none_pending(new())));
    assert_eq!(run.ended(), ("in_doubt", Some(WhyCode::KeptUnverified)));
}

fn recovered(journal: Vec<JournalRecord>, now: i64) -> Run {
    let mut recovery = recover(journal, at(now));
    assert!(recovery.broken.is_empty());
    let (saga, last) = recovery.sagas.remove(0);
    let mut run = Run { saga, now, last: Vec::new(), journal: Vec::new() };
    run.journal.extend(last.iter().filter_map(|s| if let Step::Journal(r) = s { Some(r.clone()) } else { None }));
    run.last = last;
    run
}

#[test]
fn a_crash_after_the_commit_is_cancelled_at_once() {
    let journal = Run::provisional(1).journal;
    let mut run = recovered(journal, 10);
    assert_eq!(run.journal[0].index, 2, "the journal goes on where it ended");
    run.answer("cancel", Ok(old()));
    assert_eq!(run.ended(), ("rolled_back", Some(WhyCode::Restarted)));
}

#[test]
fn a_crash_before_the_commits_answer_reads_first() {
    let mut run = recovered(Run::begin(1).journal, 10);
    run.answer("read", Ok(new())).answer("cancel", Ok(old()));
    assert_eq!(run.ended(), ("rolled_back", Some(WhyCode::Restarted)));
}

#[test]
fn a_crash_after_the_confirm_was_sent_asks_the_device_and_commits_nothing() {
    let mut before = Run::provisional(1);
    before.at(22).event(Event::Verified(sla(true)));
    let mut run = recovered(before.journal.clone(), 30);
    run.answer("read", Ok(new())).answer("cancel", Ok(none_pending(new())));
    assert_eq!(run.ended(), ("confirmed", None));
    let mut run = recovered(before.journal, 30);
    run.answer("read", Ok(new())).answer("cancel", Ok(old()));
    assert_eq!(run.ended(), ("rolled_back", Some(WhyCode::Restarted)));
}

#[test]
fn a_crash_while_abandoning_keeps_the_first_reason() {
    let mut before = Run::provisional(1);
    before.at(22).event(Event::Verified(sla(false)));
    let mut run = recovered(before.journal, 30);
    run.answer("cancel", Ok(none_pending(old())));
    assert_eq!(run.ended(), ("rolled_back", Some(WhyCode::VerifyFailed)));
}

/// Found by the model: a full disk, then a crash.
#[test]
fn a_record_that_could_not_be_stored_leaves_a_gap_that_recovery_accepts() {
    let mut before = Run::provisional(1);
    before.at(22).event(Event::Verified(sla(false)));
    before.journal.pop();
    before.event(Event::StoreFailed { reason: "disk full".into() }).at(70).event(Event::Tick).answer("read", Ok(new()));
    assert!(before.journal.iter().map(|r| r.index).eq([0, 1]));
    before.answer("cancel", Ok(old()));
    assert_eq!(before.journal.last().unwrap().index, 3);
    before.journal.pop();
    let mut run = recovered(before.journal, 99);
    run.answer("cancel", Ok(none_pending(old())));
    assert_eq!(run.ended().0, "rolled_back");
}

#[test]
fn finished_changes_stay_finished_and_broken_journals_are_named() {
    let mut done = Run::provisional(1);
    done.at(22).event(Event::Verified(sla(false))).answer("cancel", Ok(old()));
    assert!(recover(done.journal.clone(), at(99)).sagas.is_empty());
    let broken = |records: Vec<JournalRecord>| recover(records, at(99)).broken;
    assert_eq!(broken(done.journal[1..2].to_vec()), [RecoverError::NoIntent { change: ChangeId(7) }]);
    let twice = vec![done.journal[0].clone(), done.journal[1].clone(), done.journal[1].clone()];
    assert_eq!(broken(twice), [RecoverError::OutOfOrder { change: ChangeId(7), after: 1, found: 1 }]);
}

#[test]
fn unsound_plans_are_refused_before_anything_is_sent() {
    let refused = |edit: fn(&mut Plan)| {
        let mut plan = plan(2);
        edit(&mut plan);
        Saga::new(plan).unwrap_err()
    };
    assert!(matches!(refused(|p| p.devices.clear()), PlanError::DeviceCount { count: 0, .. }));
    assert!(matches!(refused(|p| p.devices[1].device = "r0".into()), PlanError::DeviceTwice { .. }));
    assert!(matches!(refused(|p| p.devices[1].payload.push(' ')), PlanError::PayloadHash { .. }));
    assert!(matches!(refused(|p| p.devices[0].inverse_payload.clear()), PlanError::NoInverse { .. }));
    let short = refused(|p| p.confirm_timeout = Duration::from_secs(37));
    assert_eq!(
        short,
        PlanError::TimerTooShort { change: ChangeId(7), given: Duration::from_secs(37), least: Duration::from_millis(37_500) }
    );
}

#[test]
fn the_machine_and_its_records_survive_json() {
    let mut run = Run::provisional(2);
    run.at(22).event(Event::Verified(sla(true)));
    let text = serde_json::to_string(&run.saga).unwrap();
    assert_eq!(serde_json::from_str::<Saga>(&text).unwrap(), run.saga);
    let steps = serde_json::to_string(&run.last).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Step>>(&steps).unwrap(), run.last);
    let journal = serde_json::to_string(&run.journal).unwrap();
    assert_eq!(serde_json::from_str::<Vec<JournalRecord>>(&journal).unwrap(), run.journal);
}
