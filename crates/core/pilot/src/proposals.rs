//! From a finding to a granted permit: when to decide, what the guardrails say, what waits, who agrees.

use crate::pilot::Turn;
use crate::simulate::{Decided, JobId, JobKind, SimulationAnswer, SimulationJob};
use crate::{Command, Effect, Happening, ProposalRecord, ProposalState, changes, doubt, perceive};
use action::{Action, ActionType, ChangeId, DeviceId, FindingId, OperatorId, ProposalId};
use approval::{Approval, BoundDevice, PlanBinding, RejectReason, Status, Submission};
use change::{DevicePlan, Plan};
use config::{edit, openconfig};
use core::time::Duration;
use guardrail::{Confidence, Decision as Ruling, Execution, Mode, Predicted, Request, TwinCheck};
use perception::{Features, Finding};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use units::{Ratio, Timestamp};

/// A finding is not decided again for this long after a change that came of it ended.
pub(crate) const HOLD_DOWN: Duration = Duration::from_secs(120);
/// Nor this long after an answer that wanted more measurements, or that there is nothing better.
const DECIDE_AGAIN: Duration = Duration::from_secs(5);
/// And this long after a proposal was rejected, expired or blocked.
const ASK_AGAIN: Duration = Duration::from_secs(60);
/// FRR acts on a changed route-map after its delay timer (measured 5.03 s; `bgp route-map delay-timer`).
const POLICY_DELAY: Duration = Duration::from_secs(5);

/// Time passed: expiry, and findings that wait for an answer.
pub(crate) fn tick(turn: &mut Turn<'_>) {
    let now = turn.s.now;
    for proposal in turn.s.queue.expire(now) {
        end(turn, proposal, "expired");
    }
    let due: Vec<FindingId> = turn.s.decide_after.iter().filter(|(_, at)| **at <= now).map(|(id, _)| *id).collect();
    for finding in due {
        if !is_being_answered(turn, finding) && perceive::picture_is_whole(turn) {
            start_job(turn, JobKind::Decide { finding });
        }
    }
}

fn is_being_answered(turn: &Turn<'_>, finding: FindingId) -> bool {
    let deciding = turn.s.jobs.values().any(|j| matches!(j, JobKind::Decide { finding: f } if *f == finding));
    let waiting = turn
        .s
        .proposals
        .values()
        .any(|p| p.finding == Some(finding) && matches!(p.state, ProposalState::Waiting | ProposalState::Rechecking { .. }));
    deciding || waiting || turn.s.changes.values().any(|c| c.outcome.is_none())
}

/// Sends a question to the twin.
pub(crate) fn start_job(turn: &mut Turn<'_>, kind: JobKind) {
    turn.s.last_job += 1;
    let id = JobId(turn.s.last_job);
    let finding = match &kind {
        JobKind::Decide { finding } => turn.s.perception.findings().find(|f| f.id == *finding).cloned(),
        _ => None,
    };
    let action = match &kind {
        JobKind::Recheck { proposal } => turn.s.proposals.get(proposal).map(|p| p.proposal.action.clone()),
        _ => None,
    };
    if matches!(kind, JobKind::Agreement) {
        turn.s.agreement_seq = turn.s.seq;
    }
    turn.s.jobs.insert(id, kind.clone());
    if matches!(kind, JobKind::Decide { .. }) {
        turn.s.asked.insert(id, Features::of(&turn.s.perception, &turn.s.network, turn.s.now));
    }
    let (network, perception) = (turn.s.network.clone(), turn.s.perception.clone());
    let job =
        SimulationJob { id, kind, seq: turn.s.seq, now: turn.s.now, network, perception, finding, action, memory: Arc::clone(turn.memory) };
    turn.out.push(Effect::Simulate(Box::new(job)));
}

/// An answer of the twin.
pub(crate) fn simulated(turn: &mut Turn<'_>, job: JobId, answer: SimulationAnswer) {
    let Some(kind) = turn.s.jobs.remove(&job) else { return };
    let features = turn.s.asked.remove(&job);
    match (kind, answer) {
        (_, SimulationAnswer::Agreement { rows }) => take_agreement(turn, rows),
        (JobKind::Decide { finding }, SimulationAnswer::Decided { rows, decided }) => {
            take_agreement(turn, rows);
            answered(turn, finding, *decided, features);
        }
        (JobKind::Recheck { proposal }, SimulationAnswer::Rechecked { checks, blast, moved }) => {
            rechecked(turn, proposal, &checks, blast, moved);
        }
        (kind, SimulationAnswer::Failed { why }) => failed(turn, &kind, why),
        (kind, _) => failed(turn, &kind, "the answer does not fit the question".to_owned()),
    }
}

fn failed(turn: &mut Turn<'_>, kind: &JobKind, why: String) {
    match kind {
        JobKind::Agreement => {}
        JobKind::Decide { finding } => {
            blocked(turn, Some(*finding), &format!("finding {finding}"), vec![why]);
        }
        JobKind::Recheck { proposal } => void(turn, *proposal, &format!("it cannot be simulated any more: {why}")),
    }
}

fn take_agreement(turn: &mut Turn<'_>, rows: BTreeMap<DeviceId, crate::AgreementRow>) {
    let counts = |rows: &BTreeMap<DeviceId, crate::AgreementRow>| -> Vec<(DeviceId, u64, u64)> {
        rows.iter().map(|(d, r)| (d.clone(), r.compared, r.equal)).collect()
    };
    if counts(&rows) != counts(&turn.s.agreement) {
        let differences = rows.values().flat_map(|r| r.differences.iter().cloned()).take(12).collect();
        turn.tell(Happening::Agreement { devices: counts(&rows), differences });
    }
    turn.s.agreement = doubt::remembered(turn.s, rows);
    turn.s.agreement_at = Some(turn.s.now);
}

/// The twin and the measurements answered a finding.
fn answered(turn: &mut Turn<'_>, finding: FindingId, decided: Decided, features: Option<Features>) {
    let now = turn.s.now;
    let decision = &decided.decision;
    if !decision.wanted.is_empty() {
        perceive::ask(turn, "the alternatives are measured", &decision.wanted.clone());
    }
    let kind = decision.chosen.action.kind;
    let again = if kind == ActionType::NoAction { DECIDE_AGAIN } else { ASK_AGAIN };
    if let Some(after) = turn.s.decide_after.get_mut(&finding) {
        *after = now.plus(again);
    }
    let waits_for_measurements = kind == ActionType::NoAction && !decision.wanted.is_empty();
    if waits_for_measurements {
        return;
    }
    let happening = Happening::Decided {
        finding: Some(finding),
        chosen: kind,
        rationale: decision.rationale.clone(),
        alternatives: decision.alternatives.iter().map(|a| (a.name.clone(), a.lost_because.clone())).collect(),
        features,
    };
    let said = format!("{kind:?} {}", alternatives_named(decision));
    if kind != ActionType::NoAction || turn.s.told_blocked.get(&finding) != Some(&said) {
        turn.record(None, happening);
    }
    if kind == ActionType::NoAction {
        turn.s.told_blocked.insert(finding, said);
        return;
    }
    propose(turn, Some(finding), decided);
}

/// Names of what lost, without their numbers: the same answer is told once, although the numbers move.
fn alternatives_named(decision: &decision::Decision) -> String {
    decision.alternatives.iter().map(|a| a.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn propose(turn: &mut Turn<'_>, finding: Option<FindingId>, decided: Decided) {
    let now = turn.s.now;
    let proposal = decided.decision.chosen.clone();
    // a difference that has just come may be a route on its way: it is waited for
    let mut refusals = doubt::young(turn.s);
    let verdict = judge(turn, &proposal, &decided.checks);
    if verdict.decision == Ruling::Blocked {
        refusals.extend(verdict.blocks());
    }
    let devices = match plan_devices(turn, &proposal.action) {
        Ok(devices) => devices,
        Err(why) => {
            refusals.push(why);
            Vec::new()
        }
    };
    if !refusals.is_empty() {
        blocked(turn, finding, &proposal.summary, refusals);
        return;
    }
    turn.s.last_proposal += 1;
    let id = ProposalId(turn.s.last_proposal);
    let bound = |d: &DevicePlan| BoundDevice {
        device: d.device.clone(),
        payload_sha256: d.payload_sha256.clone(),
        base_digest: d.base_digest.clone(),
    };
    let binding =
        PlanBinding { devices: devices.iter().map(bound).collect(), policy_version: verdict.policy_version, twin_seq: turn.s.seq };
    let submission = Submission {
        proposal: id,
        action: proposal.action.kind,
        tier: verdict.final_tier,
        target: target_of(&proposal.action),
        binding: binding.clone(),
    };
    let (plan_hash, expires) = match turn.s.queue.submit(submission, turn.s.policy.approval_ttl, now) {
        Ok(item) => (item.plan_hash.clone(), item.expires),
        Err(refusal) => {
            turn.refuse(refusal.code(), refusal.to_string());
            return;
        }
    };
    let told = Happening::Proposed {
        proposal: id,
        finding,
        summary: proposal.summary.clone(),
        action: proposal.action.kind,
        tier: verdict.final_tier,
        plan_hash,
        expires,
        predicted_delay_ms: means(proposal.prediction.delay_before_ms.as_ref(), proposal.prediction.delay_after_ms.as_ref()),
        predicted_loss: means(proposal.prediction.loss_before.as_ref(), proposal.prediction.loss_after.as_ref()),
        prefixes_moved: proposal.prediction.moves.len(),
    };
    let alternatives = decided.decision.alternatives.iter().map(|a| (a.name.clone(), a.lost_because.clone())).collect();
    let record = ProposalRecord {
        finding,
        at: now,
        proposal,
        alternatives,
        checks: decided.checks,
        unmodelled: decided.unmodelled,
        explanation: decided.explanation,
        forecast: decided.forecast,
        unmovable: decided.decision.unmovable.clone(),
        verdict,
        devices,
        binding,
        state: ProposalState::Waiting,
    };
    turn.s.proposals.insert(id, record);
    turn.record(None, told);
}

fn means(before: Option<&perception::Estimate>, after: Option<&perception::Estimate>) -> Option<(f64, f64)> {
    Some((before?.mean, after?.mean))
}

/// What a Tier 3 approver types.
fn target_of(action: &Action) -> String {
    action.exits.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn judge(turn: &Turn<'_>, proposal: &decision::Proposal, checks: &[TwinCheck]) -> guardrail::Verdict {
    let s = &*turn.s;
    let ratios = |pair: Option<(f64, f64)>| pair.and_then(|(a, b)| Some((Ratio::new(a).ok()?, Ratio::new(b).ok()?)));
    let p = &proposal.prediction;
    let configs = proposal.action.edits.iter().filter_map(|e| {
        let config = s.network.devices.get(&e.device)?.config.as_ref()?;
        Some((&e.device, &config.model))
    });
    let request = Request {
        action: &proposal.action,
        tier: s.policy.tier_of(proposal.action.kind),
        blast: p.blast,
        confidence: match proposal.confidence {
            decision::Confidence::Unknown => Confidence::Unknown,
            decision::Confidence::Calibrated { share, .. } => Confidence::Calibrated(share),
        },
        checks,
        predicted: Predicted {
            delay_ms: means(p.delay_before_ms.as_ref(), p.delay_after_ms.as_ref()),
            loss: ratios(means(p.loss_before.as_ref(), p.loss_after.as_ref())),
        },
        volume_known: p.volume_bps.is_some(),
        mode: s.mode,
        killed: s.killed,
        lab_only: s.network.inventory.lab.is_some(),
        configs: configs.collect(),
    };
    s.policy.evaluate(&request, &s.counters, s.now)
}

/// Renders the exact payload, its inverse and the digest it is made for, per device.
fn plan_devices(turn: &Turn<'_>, action: &Action) -> Result<Vec<DevicePlan>, String> {
    action
        .edits
        .iter()
        .map(|e| {
            let config = turn.s.network.devices.get(&e.device).and_then(|d| d.config.as_ref());
            let config = config.ok_or_else(|| format!("the configuration of {} was not read", e.device))?;
            let undo = edit::inverse(&config.model, &e.edits).map_err(|error| error.to_string())?;
            let payload = openconfig::render_edits(&e.edits);
            Ok(DevicePlan {
                device: e.device.clone(),
                payload_sha256: hex::encode(Sha256::digest(&payload)),
                payload,
                inverse_payload: openconfig::render_edits(&undo),
                base_digest: config.digest.clone(),
                policy_delay: POLICY_DELAY,
            })
        })
        .collect()
}

fn blocked(turn: &mut Turn<'_>, finding: Option<FindingId>, summary: &str, reasons: Vec<String>) {
    let now = turn.s.now;
    if let Some(finding) = finding {
        if let Some(after) = turn.s.decide_after.get_mut(&finding) {
            *after = now.plus(DECIDE_AGAIN);
        }
        let said = reasons.join("; ");
        if turn.s.told_blocked.insert(finding, said.clone()) == Some(said) {
            return;
        }
    }
    turn.record(None, Happening::Blocked { summary: summary.to_owned(), reasons });
}

/// An operator acted.
pub(crate) fn command(turn: &mut Turn<'_>, operator: OperatorId, command: Command) {
    match command {
        Command::Approve { proposal, shown_hash, typed_target, automatic, override_reason } => {
            approve(turn, Agreed { by: operator, shown_hash, typed_target, automatic, override_reason }, proposal);
        }
        Command::Reject { proposal, reason } => reject(turn, operator, proposal, reason.as_deref()),
        Command::Kill => {
            turn.s.killed = true;
            turn.record(Some(&operator), Happening::Killed { stopped: true, by: operator.clone() });
            changes::kill(turn);
        }
        Command::Resume => {
            turn.s.killed = false;
            turn.record(Some(&operator), Happening::Killed { stopped: false, by: operator.clone() });
        }
    }
}

/// What somebody said who agreed.
struct Agreed {
    by: OperatorId,
    shown_hash: String,
    typed_target: Option<String>,
    automatic: bool,
    override_reason: Option<String>,
}

impl Agreed {
    /// Why they agree although the twin may not judge; a program cannot say so, and neither does an empty reason.
    fn overrides(&self) -> Option<&str> {
        self.override_reason.as_deref().map(str::trim).filter(|r| !r.is_empty() && !self.automatic)
    }

    fn approval(&self, change: ChangeId) -> Approval {
        let (by, shown_hash, typed_target) = (self.by.clone(), self.shown_hash.clone(), self.typed_target.clone());
        Approval { by, shown_hash, typed_target, automatic: self.automatic, change }
    }
}

/// Refuses an agreement while the twin may not judge, unless it says why nevertheless; that is an act of its own.
fn stands_against_doubt(turn: &mut Turn<'_>, agreed: &Agreed, proposal: ProposalId) -> bool {
    let doubts = crate::doubts(turn.s);
    if doubts.is_empty() {
        return true;
    }
    let Some(reason) = agreed.overrides().map(str::to_owned) else {
        let next = "wait until they agree, or approve with a reason of your own (`pilotctl queue approve --override REASON`)";
        turn.refuse("PH-APPR-024", format!("the twin may not judge {proposal} now: {}; {next}", doubts.join("; ")));
        return false;
    };
    let by = agreed.by.clone();
    turn.record(Some(&by), Happening::Overridden { proposal, by: by.clone(), reason, doubts });
    true
}

fn approve(turn: &mut Turn<'_>, agreed: Agreed, proposal: ProposalId) {
    let now = turn.s.now;
    if agreed.automatic && turn.s.mode != Mode::Lab {
        turn.refuse("PH-APPR-020", "automatic approval exists in LAB mode only; a person must approve this");
        return;
    }
    let Some(item) = turn.s.queue.get(proposal) else {
        turn.refuse("PH-APPR-021", format!("there is no proposal {proposal}; see `pilotctl queue list`"));
        return;
    };
    let open = item.status == Status::Pending && now < item.expires;
    let Some(record) = turn.s.proposals.get(&proposal) else { return };
    if let ProposalState::Rechecking { by, .. } = &record.state {
        let why = format!("{proposal} is being re-checked for {by}");
        turn.refuse("PH-APPR-022", why);
        return;
    }
    if open && !stands_against_doubt(turn, &agreed, proposal) {
        return;
    }
    if !open || !turn.s.mode.executes() {
        // the queue gives the exact refusal, or records the consent without a change to carry out
        consent(turn, proposal, &agreed);
        return;
    }
    let Agreed { by, shown_hash, typed_target, automatic, override_reason } = agreed;
    if let Some(record) = turn.s.proposals.get_mut(&proposal) {
        record.state = ProposalState::Rechecking { by, shown_hash, typed_target, automatic, override_reason };
    }
    start_job(turn, JobKind::Recheck { proposal });
}

/// Approval in a mode that sends nothing: consent is recorded, the payload can be exported. Or the refusal of a closed proposal.
fn consent(turn: &mut Turn<'_>, proposal: ProposalId, agreed: &Agreed) {
    let (by, automatic) = (agreed.by.clone(), agreed.automatic);
    match turn.s.queue.approve(proposal, agreed.approval(ChangeId(0)), turn.s.now) {
        Ok(permit) => {
            // nothing is sent in this mode: the permit ends here
            drop(permit);
            turn.record(Some(&by), Happening::Approved { proposal, by: by.clone(), automatic });
            end(turn, proposal, "approved; this mode sends nothing, export the payload with `pilotctl queue show`");
        }
        Err(refusal) => turn.refuse(refusal.code(), refusal.to_string()),
    }
}

/// The newest picture was asked again: grant and go, or withdraw.
fn rechecked(turn: &mut Turn<'_>, proposal: ProposalId, checks: &[TwinCheck], blast: Ratio, moved: u64) {
    let now = turn.s.now;
    let Some(record) = turn.s.proposals.get(&proposal) else { return };
    let ProposalState::Rechecking { by, shown_hash, typed_target, automatic, override_reason } = record.state.clone() else { return };
    let agreed = Agreed { by, shown_hash, typed_target, automatic, override_reason };
    if let Some(why) = changed_since(turn, record, checks, blast, moved) {
        void(turn, proposal, &why);
        return;
    }
    let execution = Execution {
        mode: turn.s.mode,
        killed: turn.s.killed,
        lab_only: turn.s.network.inventory.lab.is_some(),
        tier: record.verdict.final_tier,
        policy_version: record.verdict.policy_version,
    };
    if let Err(violation) = turn.s.policy.may_execute(&execution, &turn.s.counters, now) {
        void(turn, proposal, &violation.detail);
        return;
    }
    let (devices, plan_hash) = (record.devices.clone(), record.binding.hash());
    let busy = |d: &DevicePlan| turn.s.changes.values().any(|c| c.saga.holds(&d.device));
    if let Some(device) = devices.iter().find(|d| busy(d)).map(|d| d.device.clone()) {
        void(turn, proposal, &format!("{device} is taken by another change"));
        return;
    }
    let change = ChangeId(turn.s.last_change + 1);
    let (by, automatic) = (agreed.by.clone(), agreed.automatic);
    let permit = match turn.s.queue.approve(proposal, agreed.approval(change), now) {
        Ok(permit) => permit,
        Err(refusal) => {
            let waits = turn.s.queue.get(proposal).is_some_and(|i| i.status == Status::Pending);
            if let Some(record) = turn.s.proposals.get_mut(&proposal).filter(|_| waits) {
                record.state = ProposalState::Waiting;
            }
            turn.refuse(refusal.code(), refusal.to_string());
            return;
        }
    };
    turn.s.last_change = change.0;
    turn.record(Some(&by), Happening::Approved { proposal, by: by.clone(), automatic });
    if let Some(record) = turn.s.proposals.get_mut(&proposal) {
        record.state = ProposalState::Taken { change };
    }
    let plan = Plan {
        change,
        proposal,
        permit: permit.id(),
        plan_hash,
        devices,
        confirm_timeout: changes::CONFIRM_TIMEOUT,
        verify_for: changes::VERIFY_FOR,
    };
    changes::start(turn, permit, plan);
}

/// What differs between the picture that was approved and the newest one, in words.
fn changed_since(turn: &Turn<'_>, record: &ProposalRecord, checks: &[TwinCheck], blast: Ratio, moved: u64) -> Option<String> {
    for device in &record.devices {
        let digest = turn.s.network.devices.get(&device.device).and_then(|d| d.config.as_ref()).map(|c| &c.digest);
        if digest != Some(&device.base_digest) {
            return Some(format!("the configuration of {} changed since the proposal was made", device.device));
        }
    }
    if let Some(why) = turn.s.perception.findings().find_map(|f| leads_into(record, f)) {
        return Some(why);
    }
    if let Some(failed) = checks.iter().find(|c| !c.passed) {
        return Some(format!("check {} fails now: {}", failed.id, failed.detail));
    }
    if let Some(asked) = checks.iter().filter(|c| c.tier > Some(record.verdict.final_tier)).max_by_key(|c| c.tier) {
        let tier = asked.tier.map_or(0, action::AutonomyTier::number);
        return Some(format!("check {} asks for Tier {tier} now: {}", asked.id, asked.detail));
    }
    let was = record.proposal.prediction.blast.get();
    // a tenth of the blast radius is routing noise; more is another change than the one approved
    let more = blast.get() - was > 0.1 * was.max(0.01);
    more.then(|| {
        format!("it would move {moved} prefixes now, more than was approved (blast {blast}, was {})", record.proposal.prediction.blast)
    })
}

fn reject(turn: &mut Turn<'_>, by: OperatorId, proposal: ProposalId, reason: Option<&str>) {
    let reason = match RejectReason::from_code(reason) {
        Ok(reason) => reason,
        Err(error) => {
            turn.refuse("PH-APPR-023", error.to_string());
            return;
        }
    };
    match turn.s.queue.reject(proposal, by.clone(), reason, turn.s.now) {
        Ok(()) => {
            turn.record(Some(&by), Happening::Rejected { proposal, by: by.clone(), reason: reason.code().to_owned() });
            end(turn, proposal, "rejected");
        }
        Err(refusal) => turn.refuse(refusal.code(), refusal.to_string()),
    }
}

/// Withdraws what waits for a finding.
pub(crate) fn supersede_for(turn: &mut Turn<'_>, finding: FindingId, why: &str) {
    let waiting: Vec<ProposalId> = turn
        .s
        .proposals
        .iter()
        .filter(|(_, p)| p.finding == Some(finding) && matches!(p.state, ProposalState::Waiting | ProposalState::Rechecking { .. }))
        .map(|(id, _)| *id)
        .collect();
    for proposal in waiting {
        void(turn, proposal, why);
    }
}

/// Withdraws what waits and leads to where it is bad now; what it answered is decided again at once.
pub(crate) fn supersede_into(turn: &mut Turn<'_>, finding: &Finding) {
    let open = |p: &ProposalRecord| matches!(p.state, ProposalState::Waiting | ProposalState::Rechecking { .. });
    let waiting: Vec<(ProposalId, Option<FindingId>, String)> =
        turn.s.proposals.iter().filter(|(_, p)| open(p)).filter_map(|(id, p)| Some((*id, p.finding, leads_into(p, finding)?))).collect();
    for (proposal, answered, why) in waiting {
        void(turn, proposal, &why);
        if let Some(after) = answered.and_then(|f| turn.s.decide_after.get_mut(&f)) {
            *after = turn.s.now;
        }
    }
}

/// Says that a proposal moves prefixes to an exit that a finding is about.
fn leads_into(record: &ProposalRecord, finding: &Finding) -> Option<String> {
    let mut targets = record.proposal.prediction.moves.iter().flat_map(|m| m.to.iter());
    let exit = targets.find(|to| finding.exits.contains(to))?;
    Some(format!("it leads to {exit}, which is degraded itself now ({})", finding.id))
}

fn void(turn: &mut Turn<'_>, proposal: ProposalId, why: &str) {
    turn.s.queue.supersede(proposal, why, turn.s.now);
    end(turn, proposal, why);
}

/// A proposal ends without a change.
fn end(turn: &mut Turn<'_>, proposal: ProposalId, why: &str) {
    let now: Timestamp = turn.s.now;
    let Some(record) = turn.s.proposals.get_mut(&proposal) else { return };
    record.state = ProposalState::Over { why: why.to_owned() };
    let finding = record.finding;
    if let Some(after) = finding.and_then(|f| turn.s.decide_after.get_mut(&f)) {
        *after = now.plus(ASK_AGAIN);
    }
    turn.record(None, Happening::Withdrawn { proposal, why: why.to_owned() });
}
