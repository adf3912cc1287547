//! Every schedule of the real machine against a simulated device: crashes at any point, lost requests and replies, a commit that arrives
//! late, a confirm timer that fires early, on time or not before it is looked at, measurements that are good, bad or silent, and the kill
//! switch at any time. Breadth first over distinct states, so the first trace that breaks a promise is a shortest one.

use super::*;
use crate::DevicePlan;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, VecDeque};

const OLD: &str = "digest-old";
const NEW: &str = "digest-new";
/// More states than any configuration below has; beyond it the machine does not settle.
const STATES_MAX: usize = 3_000_000;

/// What may go wrong, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Budget {
    crashes: u8,
    losses: u8,
    kills: u8,
    store_failures: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Device {
    new: bool,
    pending: bool,
    /// A commit that is still on its way.
    queued: bool,
    commits: u8,
}

/// The world between two events.
#[derive(Clone, Debug)]
struct World {
    now: Timestamp,
    saga: Option<Saga>,
    /// The step on the wire: device, number, operation.
    wire: Option<(usize, u32, Op)>,
    devices: Vec<Device>,
    journal: Vec<JournalRecord>,
    budget: Budget,
    verified: bool,
    outcome: Option<Outcome>,
}

fn plan(devices: usize) -> Plan {
    let device = |i: usize| {
        let payload = format!("<edit {i}/>");
        DevicePlan {
            device: format!("r{i}").as_str().into(),
            payload_sha256: hex::encode(Sha256::digest(&payload)),
            payload,
            inverse_payload: "<undo/>".into(),
            base_digest: OLD.into(),
            policy_delay: Duration::from_secs(5),
        }
    };
    Plan {
        change: ChangeId(1),
        proposal: action::ProposalId(1),
        permit: approval::PermitId(1),
        plan_hash: "0123456789abcdef".into(),
        devices: (0..devices).map(device).collect(),
        confirm_timeout: Duration::from_secs(60),
        verify_for: Duration::from_secs(15),
    }
}

impl World {
    fn new(devices: usize, budget: Budget) -> Self {
        let device = Device { new: false, pending: false, queued: false, commits: 0 };
        let saga = Saga::new(plan(devices)).unwrap();
        let now = Timestamp::from_millis(0);
        Self {
            now,
            saga: Some(saga),
            wire: None,
            devices: vec![device; devices],
            journal: Vec::new(),
            budget,
            verified: false,
            outcome: None,
        }
    }

    /// Carries out steps; from the record at which the store fails on, nothing of the batch happens.
    fn carry_out(&mut self, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Journal(record) => self.journal.push(record),
                Step::Wire { device, step, op } => {
                    let index = self.devices.iter().enumerate().map(|(i, _)| i).find(|i| device.as_str() == format!("r{i}")).unwrap();
                    let op = match op {
                        WireOp::Read { .. } => Op::Read,
                        WireOp::CommitConfirmed { .. } => Op::Commit,
                        WireOp::Confirm { .. } => Op::Confirm,
                        WireOp::Cancel { .. } => Op::Cancel,
                    };
                    self.wire = Some((index, step, op));
                }
                Step::Measure { .. } => {}
                Step::Finished(outcome) => self.outcome = Some(outcome),
            }
        }
    }

    fn event(mut self, event: Event) -> Self {
        let steps = self.saga.as_mut().map(|s| s.handle(event, self.now)).unwrap_or_default();
        self.carry_out(steps);
        self
    }

    /// As [`Self::event`], but the first record of the batch cannot be stored.
    fn event_store_failed(mut self, event: Event) -> Option<Self> {
        let steps = self.saga.as_mut()?.handle(event, self.now);
        let at = steps.iter().position(|s| matches!(s, Step::Journal(_)))?;
        self.budget.store_failures -= 1;
        let before: Vec<Step> = steps.into_iter().take(at).collect();
        self.carry_out(before);
        let finished = self.saga.as_ref().is_some_and(|s| s.outcome().is_some());
        if finished {
            // The shell knows the end even though it is not on disk.
            self.outcome = self.saga.as_ref().and_then(|s| s.outcome().cloned());
            return Some(self);
        }
        Some(self.event(Event::StoreFailed { reason: "disk full".into() }))
    }

    /// As [`Self::event`], and also every way in which the process dies, or the store fails, before the batch is through.
    fn both(self, event: Event, out: &mut Vec<(String, Self)>, label: String) {
        if self.budget.crashes > 0 {
            let steps = self.clone().saga.map(|mut s| s.handle(event.clone(), self.now)).unwrap_or_default();
            for done in 0..steps.len() {
                let mut world = self.clone();
                world.carry_out(steps.iter().take(done).cloned().collect());
                world.killed(&format!("{label}, kill -9 after {done} steps of it"), out);
            }
        }
        if self.budget.store_failures > 0
            && let Some(world) = self.clone().event_store_failed(event.clone())
        {
            out.push((format!("{label}, record not stored"), world));
        }
        out.push((label, self.event(event)));
    }

    /// Applies the step on the wire to the device and returns its answer.
    fn apply(&mut self, index: usize, op: Op) -> DeviceState {
        let device = &mut self.devices[index];
        let mut nothing_pending = false;
        match op {
            Op::Read => {}
            Op::Commit => {
                device.new = true;
                device.pending = true;
                device.commits += 1;
            }
            Op::Confirm => nothing_pending = !std::mem::take(&mut device.pending),
            Op::Cancel => {
                nothing_pending = !device.pending;
                if std::mem::take(&mut device.pending) {
                    device.new = false;
                }
            }
        }
        DeviceState { digest: if device.new { NEW } else { OLD }.into(), in_effect: device.new, nothing_pending }
    }

    fn successors(&self) -> Vec<(String, Self)> {
        let mut out = Vec::new();
        for i in 0..self.devices.len() {
            self.device_moves(i, &mut out);
        }
        if self.outcome.is_some() {
            return out;
        }
        let Some(saga) = &self.saga else {
            let mut world = self.clone();
            let recovery = recover(self.journal.clone(), self.now);
            assert!(recovery.broken.is_empty(), "{:?}", recovery.broken);
            match recovery.sagas.into_iter().next() {
                Some((saga, steps)) => {
                    world.saga = Some(saga);
                    world.carry_out(steps);
                    out.push(("restart".into(), world));
                }
                None if self.journal.is_empty() => world.outcome = None,
                None => {}
            }
            return out;
        };
        if self.budget.crashes > 0 {
            self.killed("kill -9", &mut out);
        }
        if self.budget.kills > 0 {
            let mut world = self.clone();
            world.budget.kills -= 1;
            world.both(Event::KillSwitch, &mut out, "kill switch".into());
        }
        if *saga.stage() == Stage::Ready {
            self.clone().both(Event::Start, &mut out, "start".into());
        }
        if let Some((index, step, op)) = self.wire {
            self.wire_moves(index, step, op, &mut out);
        } else if matches!(saga.stage(), Stage::Verifying { .. }) {
            self.verdicts(&mut out);
        } else if let Some(at) = saga.next_deadline() {
            let mut world = self.clone();
            world.now = world.now.max(at);
            world.both(Event::Tick, &mut out, format!("time goes to {at}"));
        }
        out
    }

    /// The process dies. What was on the wire may already be applied; a commit may also still arrive after we are gone.
    fn killed(&self, label: &str, out: &mut Vec<(String, Self)>) {
        let mut world = self.clone();
        world.budget.crashes -= 1;
        world.saga = None;
        world.outcome = None;
        world.wire = None;
        if let Some((i, _, op)) = self.wire {
            let mut applied = world.clone();
            let _ = applied.apply(i, op);
            out.push((format!("{label}, {op:?} at r{i} applied"), applied));
            world.devices[i].queued |= op == Op::Commit;
        }
        out.push((label.to_owned(), world));
    }

    /// What a device does by itself.
    fn device_moves(&self, i: usize, out: &mut Vec<(String, Self)>) {
        if self.devices[i].pending {
            let mut world = self.clone();
            world.devices[i].pending = false;
            world.devices[i].new = false;
            out.push((format!("r{i} reverts by its timer or reboots"), world));
        }
        // A queued commit arrives, if at all, before our last look: LATE_MARGIN says so.
        let in_time = self.saga.as_ref().is_none_or(|s| s.settled_by(i).is_none_or(|at| self.now < at));
        if self.devices[i].queued && in_time && self.outcome.is_none() {
            let mut world = self.clone();
            world.devices[i].queued = false;
            let _ = world.apply(i, Op::Commit);
            out.push((format!("the queued commit arrives at r{i}"), world));
        }
    }

    fn wire_moves(&self, index: usize, step: u32, op: Op, out: &mut Vec<(String, Self)>) {
        let device = plan(self.devices.len()).devices[index].device.clone();
        let mut world = self.clone();
        world.wire = None;
        let answer = |reply| Event::Reply { device: device.clone(), step, reply };
        let mut done = world.clone();
        let state = done.apply(index, op);
        done.clone().both(answer(Ok(state)), out, format!("{op:?} at r{index} answered"));
        if op == Op::Commit {
            for fault in [
                WireFault::NotSent { code: "PH-EXEC-001".into(), why: "no connection".into() },
                WireFault::Refused { code: "PH-EXEC-002".into(), why: "invalid value".into() },
            ] {
                out.push((format!("commit at r{index}: {fault}"), world.clone().event(answer(Err(fault)))));
            }
            let mut ignored = world.clone();
            ignored.devices[index].commits += 1;
            let old = DeviceState { digest: OLD.into(), in_effect: false, nothing_pending: false };
            out.push((format!("r{index} says ok and does nothing"), ignored.event(answer(Ok(old)))));
        }
        if self.budget.losses == 0 {
            return;
        }
        let unknown = || WireFault::Unknown { code: "PH-EXEC-003".into(), why: "connection lost".into() };
        world.budget.losses -= 1;
        done.budget.losses -= 1;
        done.both(answer(Err(unknown())), out, format!("{op:?} at r{index} applied, reply lost"));
        let mut lost = world.clone();
        lost.devices[index].queued |= op == Op::Commit;
        out.push((format!("{op:?} at r{index} lost"), lost.event(answer(Err(unknown())))));
        if op != Op::Commit {
            let not_sent = WireFault::NotSent { code: "PH-EXEC-001".into(), why: "no connection".into() };
            out.push((format!("{op:?} at r{index} not sent"), world.event(answer(Err(not_sent)))));
        }
    }

    fn verdicts(&self, out: &mut Vec<(String, Self)>) {
        let Some(Stage::Verifying { until, .. }) = self.saga.as_ref().map(Saga::stage) else { return };
        let sla = |passed| SlaResult { passed, delay_ms: (None, None), loss: (None, None), why: "measured".into() };
        let at = |t: Timestamp| {
            let mut world = self.clone();
            world.now = world.now.max(t);
            world
        };
        let mut good = at(*until);
        good.verified = true;
        good.both(Event::Verified(sla(true)), out, "measured good".into());
        at(*until).both(Event::Verified(sla(false)), out, "measured bad".into());
        at(until.plus(VERIFY_SILENCE)).both(Event::Tick, out, "no measurement".into());
        let mut asleep = at(until.plus(Duration::from_secs(3600)));
        asleep.verified = true;
        asleep.both(Event::Verified(sla(true)), out, "measured good, after an hour asleep".into());
    }

    /// What tells two states apart.
    fn key(&self) -> String {
        let saga = self.saga.as_ref().map(|s| serde_json::to_string(s).unwrap());
        let journal = serde_json::to_string(&self.journal).unwrap();
        let rest = (self.wire, &self.devices, self.budget, self.verified, &self.outcome, self.now);
        format!("{saga:?}|{journal}|{rest:?}")
    }

    /// The promises. Returns the one that is broken.
    fn broken(&self) -> Option<String> {
        if let Some(i) = self.devices.iter().position(|d| d.commits > 1) {
            return Some(format!("r{i} was sent two commits for one permit"));
        }
        let begun = self.journal.iter().any(|r| matches!(r.entry, JournalEntry::Intent { .. }));
        if !begun && self.devices.iter().any(|d| d.commits > 0 || d.queued) {
            return Some("a commit went out before its intent was durable".into());
        }
        let confirmed = self.journal.iter().any(|r| matches!(&r.entry, JournalEntry::Finished { outcome: Outcome::Confirmed }));
        if confirmed && self.devices.iter().any(|d| !d.new || d.pending) {
            return Some("the journal says confirmed, a device does not keep the change".into());
        }
        if self.devices.iter().any(|d| d.new && !d.pending) && !self.verified {
            return Some("a device keeps a change that nobody measured".into());
        }
        let intent = self.journal.iter().any(|r| matches!(r.entry, JournalEntry::ConfirmIntent { .. }));
        if self.devices.iter().any(|d| d.new && !d.pending) && !intent {
            return Some("a device keeps a change without a durable ConfirmIntent".into());
        }
        match self.outcome.as_ref()? {
            Outcome::InDoubt { why, .. } => Some(format!("in doubt without cause: {why}")),
            Outcome::Confirmed => {
                let all = self.devices.iter().all(|d| d.new && !d.pending);
                (!all).then(|| "told confirmed, but a device does not keep the change".into())
            }
            Outcome::RolledBack { .. } | Outcome::Failed { .. } => {
                let any = self.devices.iter().any(|d| d.new);
                any.then(|| "told undone, but a device has the change".into())
            }
            Outcome::Partial { kept, reverted, .. } => {
                let has = |names: &[DeviceId], new: bool| {
                    names.iter().all(|n| self.devices.iter().enumerate().all(|(i, d)| n.as_str() != format!("r{i}") || d.new == new))
                };
                (!has(kept, true) || !has(reverted, false)).then(|| "told partial, but the devices are otherwise".into())
            }
        }
    }
}

/// What a full exploration saw.
#[derive(Debug, Default)]
struct Seen {
    states: usize,
    outcomes: BTreeMap<&'static str, usize>,
}

fn explore(devices: usize, budget: Budget) -> Seen {
    let first = World::new(devices, budget);
    let mut trail: Vec<(usize, String)> = vec![(0, "begin".into())];
    let mut known = std::collections::BTreeSet::new();
    let mut queue = VecDeque::new();
    known.insert(Sha256::digest(first.key()));
    queue.push_back((0, first));
    let mut seen = Seen::default();
    while let Some((id, world)) = queue.pop_front() {
        seen.states += 1;
        assert!(seen.states < STATES_MAX, "the machine does not settle");
        if let Some(why) = world.broken() {
            panic!("{why}\n{}\n{:#?}", path(&trail, id), world.devices);
        }
        if let Some(outcome) = &world.outcome {
            *seen.outcomes.entry(outcome.name()).or_default() += 1;
        }
        let next = world.successors();
        let idle = next.is_empty() && world.outcome.is_none() && !world.journal.is_empty();
        let ended = world.journal.iter().any(|r| matches!(r.entry, JournalEntry::Finished { .. }));
        assert!(!idle || ended, "stuck\n{}\n{world:#?}", path(&trail, id));
        for (label, next) in next {
            if known.insert(Sha256::digest(next.key())) {
                trail.push((id, label));
                queue.push_back((trail.len() - 1, next));
            }
        }
    }
    seen
}

fn path(trail: &[(usize, String)], mut id: usize) -> String {
    let mut labels = Vec::new();
    while id != 0 {
        labels.push(trail[id].1.clone());
        id = trail[id].0;
    }
    labels.reverse();
    labels.join("\n  > ")
}

fn names(seen: &Seen) -> Vec<&'static str> {
    seen.outcomes.keys().copied().collect()
}

#[test]
fn no_schedule_of_three_crashes_and_three_losses_breaks_a_promise_on_one_device() {
    let seen = explore(1, Budget { crashes: 3, losses: 3, kills: 0, store_failures: 0 });
    println!("{seen:?}");
    assert_eq!(names(&seen), ["confirmed", "failed", "rolled_back"]);
}

#[test]
fn no_schedule_with_the_kill_switch_and_a_full_disk_breaks_a_promise() {
    let seen = explore(1, Budget { crashes: 2, losses: 2, kills: 1, store_failures: 1 });
    println!("{seen:?}");
    assert_eq!(names(&seen), ["confirmed", "failed", "rolled_back"]);
}

#[test]
fn no_schedule_of_two_crashes_and_two_losses_and_a_kill_breaks_a_promise_on_two_devices() {
    let seen = explore(2, Budget { crashes: 2, losses: 2, kills: 1, store_failures: 0 });
    println!("{seen:?}");
    assert_eq!(names(&seen), ["confirmed", "failed", "partial", "rolled_back"]);
}
