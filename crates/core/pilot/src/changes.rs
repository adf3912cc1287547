//! Changes under way: the saga's steps become effects, measurements become its events, its end becomes an outcome and a lesson.

use crate::pilot::Turn;
use crate::{ChangeRecord, Effect, Happening, PathOutcome, ProposalState, perceive};
use action::{AutonomyTier, ChangeId, DeviceId, ProposalId};
use approval::Permit;
use change::{Event, JournalRecord, Outcome, Plan, Saga, SlaResult, Step, WireOp, WireReply};
use core::time::Duration;
use learning::Lesson;
use perception::{Measured, Verdict, Verification, VerificationLimits};
use units::Ratio;

/// The device reverts by itself after this long without a confirm. Room for policy delay, measurement and the reserve.
pub(crate) const CONFIRM_TIMEOUT: Duration = Duration::from_secs(120);
/// How long the path may be measured before the verdict falls.
pub(crate) const VERIFY_FOR: Duration = Duration::from_secs(40);
/// Packets below which nothing is called a success.
const PACKETS_NEEDED: u64 = 60;

/// Starts an approved change. The permit leaves with the first effect.
pub(crate) fn start(turn: &mut Turn<'_>, permit: Permit, plan: Plan) {
    let (change, proposal, now) = (plan.change, plan.proposal, turn.s.now);
    let id = permit.id();
    let mut saga = match Saga::new(plan) {
        Ok(saga) => saga,
        Err(error) => {
            turn.refuse("PH-CHG-010", format!("{change} cannot start: {error}"));
            return;
        }
    };
    let tier = turn.s.proposals.get(&proposal).map_or(AutonomyTier::Tier3Manual, |p| p.verdict.final_tier);
    turn.s.counters.applied(now, tier);
    turn.out.push(Effect::Burn { permit, change });
    turn.record(None, Happening::ChangeStarted { change, proposal });
    let steps = saga.handle(Event::Start, now);
    let record =
        ChangeRecord { proposal, started: now, saga, permit: id, verification: None, measured: None, paths: Vec::new(), outcome: None };
    turn.s.changes.insert(change, record);
    carry(turn, change, steps);
}

/// An answer came back.
pub(crate) fn replied(turn: &mut Turn<'_>, change: ChangeId, device: DeviceId, step: u32, reply: WireReply) {
    let said = match &reply {
        Ok(state) => format!("{device} answered: change {}", if state.in_effect { "in effect" } else { "not in effect" }),
        Err(fault) => fault.to_string(),
    };
    turn.record(None, Happening::ChangeStep { change, device: Some(device.clone()), step: said });
    drive(turn, change, Event::Reply { device, step, reply });
}

/// Time passed: timers of the machines, measurements.
pub(crate) fn tick(turn: &mut Turn<'_>) {
    let now = turn.s.now;
    let open: Vec<ChangeId> = turn.s.changes.iter().filter(|(_, c)| c.outcome.is_none()).map(|(id, _)| *id).collect();
    for change in open {
        judge(turn, change);
        let due = turn.s.changes.get(&change).and_then(|c| c.saga.next_deadline()).is_some_and(|at| at <= now);
        if due {
            drive(turn, change, Event::Tick);
        }
    }
}

/// Stops every change.
pub(crate) fn kill(turn: &mut Turn<'_>) {
    let open: Vec<ChangeId> = turn.s.changes.iter().filter(|(_, c)| c.outcome.is_none()).map(|(id, _)| *id).collect();
    for change in open {
        drive(turn, change, Event::KillSwitch);
    }
}

/// Takes up what was under way when the engine last stopped.
pub(crate) fn recovered(turn: &mut Turn<'_>, records: Vec<JournalRecord>) {
    let now = turn.s.now;
    let recovery = change::recover(records, now);
    for error in recovery.broken {
        turn.record(None, Happening::Refused { code: "PH-CHG-011".to_owned(), why: error.to_string() });
    }
    for (saga, steps) in recovery.sagas {
        let plan = saga.plan();
        let (change, proposal, permit) = (plan.change, plan.proposal, plan.permit);
        let what = "taken up after a restart: the device is asked what it runs".to_owned();
        turn.record(None, Happening::ChangeStep { change, device: None, step: what });
        let record =
            ChangeRecord { proposal, started: now, saga, permit, verification: None, measured: None, paths: Vec::new(), outcome: None };
        turn.s.changes.insert(change, record);
        carry(turn, change, steps);
    }
}

/// A record could not be made durable.
pub(crate) fn store_failed(turn: &mut Turn<'_>, change: Option<ChangeId>, reason: &str) {
    turn.tell(Happening::Refused {
        code: "PH-STO-001".to_owned(),
        why: format!("a record could not be written: {reason}; nothing that depended on it was sent"),
    });
    if let Some(change) = change {
        drive(turn, change, Event::StoreFailed { reason: reason.to_owned() });
    }
}

fn drive(turn: &mut Turn<'_>, change: ChangeId, event: Event) {
    let now = turn.s.now;
    let Some(record) = turn.s.changes.get_mut(&change) else { return };
    let steps = record.saga.handle(event, now);
    carry(turn, change, steps);
}

fn carry(turn: &mut Turn<'_>, change: ChangeId, steps: Vec<Step>) {
    for step in steps {
        match step {
            Step::Journal(record) => turn.out.push(Effect::Journal(record)),
            Step::Wire { device, step, op } => {
                let what = match &op {
                    WireOp::Read { .. } => "read",
                    WireOp::CommitConfirmed { .. } => "commit confirmed",
                    WireOp::Confirm { .. } => "confirm",
                    WireOp::Cancel { .. } => "cancel",
                };
                turn.record(None, Happening::ChangeStep { change, device: Some(device.clone()), step: format!("sent: {what}") });
                turn.out.push(Effect::Wire { change, device, step, op });
            }
            Step::Measure { from, until } => measure(turn, change, from, until),
            Step::Finished(outcome) => finish(turn, change, outcome),
        }
    }
}

fn measure(turn: &mut Turn<'_>, change: ChangeId, from: units::Timestamp, until: units::Timestamp) {
    let now = turn.s.now;
    let expectation =
        turn.s.changes.get(&change).and_then(|c| turn.s.proposals.get(&c.proposal)).and_then(|p| p.proposal.expectation.clone());
    let (Some(record), Some(expectation)) = (turn.s.changes.get_mut(&change), expectation) else { return };
    let verification = Verification::new(expectation, from, until, PACKETS_NEEDED, VerificationLimits::default());
    let requests = verification.requests(now);
    record.verification = Some(verification);
    perceive::ask(turn, &format!("{change} is measured"), &requests);
}

fn judge(turn: &mut Turn<'_>, change: ChangeId) {
    let now = turn.s.now;
    let Some(record) = turn.s.changes.get(&change) else { return };
    let Some(verification) = &record.verification else { return };
    let (passed, measured, why) = match verification.judge(&turn.s.network, now) {
        Verdict::Pending { .. } => return,
        Verdict::Pass { measured, why } => (true, measured, why),
        Verdict::Fail { measured, why } => (false, measured, why),
    };
    let path = |(p, m): (&perception::ExpectedPath, Measured)| PathOutcome {
        probe: p.probe.clone(),
        predicted_ms: p.delay_ms,
        measured_ms: m.delay_ms(),
    };
    let outcomes = verification.by_path(&turn.s.network).into_iter().map(path).collect();
    let paths = &verification.expectation().paths;
    let before = paths.iter().fold(Measured::default(), |sum, p| sum.merged(&p.before));
    let sla =
        SlaResult { passed, delay_ms: (before.delay_ms(), measured.delay_ms()), loss: (before.loss(), measured.loss()), why: why.clone() };
    if let Some(record) = turn.s.changes.get_mut(&change) {
        record.verification = None;
        record.measured = Some((measured, passed, why.clone()));
        record.paths = outcomes;
    }
    let loss = (sla.loss.0.map(units::Ratio::get), sla.loss.1.map(units::Ratio::get));
    turn.record(None, Happening::Measured { change, passed, delay_ms: sla.delay_ms, loss, why });
    drive(turn, change, Event::Verified(sla));
}

fn finish(turn: &mut Turn<'_>, change: ChangeId, outcome: Outcome) {
    let now = turn.s.now;
    let Some(record) = turn.s.changes.get_mut(&change) else { return };
    record.outcome = Some(outcome.clone());
    record.verification = None;
    let (proposal, plan) = (record.proposal, record.saga.plan().clone());
    let why = outcome.why().map_or_else(|| "measured, good, confirmed".to_owned(), ToString::to_string);
    turn.record(None, Happening::ChangeFinished { change, proposal, outcome: outcome.name().to_owned(), why });
    for device in &plan.devices {
        turn.s.config_due.insert(device.device.clone(), now);
    }
    learn(turn, change, proposal, &outcome);
    turn.out.push(Effect::Release { change });
    let finding = turn.s.proposals.get(&proposal).and_then(|p| p.finding);
    if let Some(finding) = finding
        && let Some(after) = turn.s.decide_after.get_mut(&finding)
    {
        // what was just tried is not tried again at once, whatever came of it
        *after = now.plus(crate::proposals::HOLD_DOWN);
    }
    forget_oldest(turn);
}

fn learn(turn: &mut Turn<'_>, change: ChangeId, proposal: ProposalId, outcome: &Outcome) {
    let Some(record) = turn.s.proposals.get(&proposal) else { return };
    let measured = turn.s.changes.get(&change).and_then(|c| c.measured.as_ref()).map(|(m, ..)| *m);
    let before = record.proposal.expectation.as_ref().map(|e| e.paths.iter().fold(Measured::default(), |sum, p| sum.merged(&p.before)));
    let p = &record.proposal.prediction;
    let predicted = learning::Effect {
        delay_ms: p.delay_before_ms.as_ref().zip(p.delay_after_ms.as_ref()).map(|(a, b)| (a.mean, b.mean)),
        loss: p
            .loss_before
            .as_ref()
            .zip(p.loss_after.as_ref())
            .and_then(|(a, b)| Some((Ratio::new(a.mean).ok()?, Ratio::new(b.mean).ok()?))),
    };
    let measured = learning::Effect {
        delay_ms: before.and_then(|b| b.delay_ms()).zip(measured.and_then(|m| m.delay_ms())),
        loss: before.and_then(|b| b.loss()).zip(measured.and_then(|m| m.loss())),
    };
    let limits_met = limits_met(turn, record, &measured);
    // what was taken back leaves nothing to compare
    let exits =
        (*outcome == Outcome::Confirmed).then(|| turn.s.network.moves_in_use(p.moves.iter().map(|m| (&m.prefix, &m.to[..])))).flatten();
    let (action, tier) = (record.proposal.action.kind, record.verdict.final_tier);
    let lesson = Lesson::new(change, action, tier, predicted, measured, exits, limits_met, outcome);
    let (reward, delay_error_ms) = (lesson.reward, lesson.delay_error_ms());
    turn.s.lessons.add(lesson.clone());
    let paths_within = turn.s.changes.get(&change).and_then(ChangeRecord::paths_within);
    turn.record(None, Happening::Learned { change, reward, delay_error_ms, exits, paths_within });
    turn.out.push(Effect::Learned { proposal, lesson });
}

/// Says whether the measurement is within the strictest limits of the providers.
fn limits_met(turn: &Turn<'_>, record: &crate::ProposalRecord, measured: &learning::Effect) -> bool {
    let exits = record.proposal.prediction.moves.iter().flat_map(|m| &m.to);
    let inventory = &turn.s.network.inventory;
    let mut slas = exits.filter_map(|e| inventory.exit(e)).filter_map(|e| inventory.provider(&e.provider)).map(|p| p.sla);
    slas.all(|sla| {
        measured.delay_ms.is_some_and(|(_, after)| after <= sla.delay_ms_max)
            && measured.loss.is_some_and(|(_, after)| after.get() <= sla.loss_max)
    })
}

fn forget_oldest(turn: &mut Turn<'_>) {
    while turn.s.changes.len() > crate::state::HISTORY {
        let Some(oldest) = turn.s.changes.iter().find(|(_, c)| c.outcome.is_some()).map(|(id, _)| *id) else { return };
        turn.s.changes.remove(&oldest);
    }
    while turn.s.proposals.len() > crate::state::HISTORY {
        let over = |p: &crate::ProposalRecord| matches!(p.state, ProposalState::Over { .. } | ProposalState::Taken { .. });
        let Some(oldest) = turn.s.proposals.iter().find(|(_, p)| over(p)).map(|(id, _)| *id) else { return };
        turn.s.proposals.remove(&oldest);
    }
}
