//! The way back: cancel, read, and only then say what happened.

use super::{Fate, Op, RESOLVE_TRIES, Running, Saga, Stage, Step, Waiting};
use crate::{DeviceState, JournalEntry, Outcome, Why, WhyCode, WireFault, WireReply};
use action::DeviceId;
use units::Timestamp;

impl Saga {
    /// Gives the change up; the first reason given is the one that is told.
    pub(super) fn abandon(&mut self, why: Why, now: Timestamp) -> Vec<Step> {
        let why = self.cause.get_or_insert(why).clone();
        self.waiting = Waiting::Nothing;
        let mut steps = Vec::new();
        if self.last_open().is_some() {
            steps.push(self.journal(JournalEntry::Abandoned { why }, now));
        }
        steps.extend(self.revert_next(now));
        steps
    }

    /// Undo goes in reverse order of the plan.
    fn last_open(&self) -> Option<usize> {
        self.devices.iter().rposition(|d| d.fate == Fate::Open)
    }

    /// Brings the next device back, or ends.
    pub(super) fn revert_next(&mut self, now: Timestamp) -> Vec<Step> {
        let Some(index) = self.last_open() else { return self.finish(now) };
        self.stage = Stage::Reverting { index };
        self.devices[index].tries = 0;
        let op = if self.devices[index].doubtful { Op::Read } else { Op::Cancel };
        vec![self.send(index, op, now)]
    }

    pub(super) fn resolved(&mut self, index: usize, op: Op, reply: WireReply, now: Timestamp) -> Vec<Step> {
        let state = match reply {
            Ok(state) => state,
            Err(fault) => return self.unresolved(index, &fault, now),
        };
        match (op, self.running(index, &state)) {
            (Op::Cancel, Running::New) => self.still_there(index, &state, now),
            (Op::Cancel, Running::Neither) => {
                let detail = format!(
                    "{}: the change is gone, but the configuration is not the one from before (digest {}); somebody else changed it",
                    self.name(index),
                    state.digest
                );
                self.settle(index, Fate::Doubt { why: Why::new(WhyCode::ForeignChange, detail) }, now)
            }
            (_, Running::Old) => self.back(index, op, &state, now),
            (_, Running::New) => {
                self.devices[index].arrived = true;
                self.cancel_again(index, now)
            }
            (_, Running::Neither) => self.cancel_again(index, now),
        }
    }

    /// The device runs its old configuration. If the commit may still be on its way there, it is read once more after the timer.
    fn back(&mut self, index: usize, op: Op, state: &DeviceState, now: Timestamp) -> Vec<Step> {
        let progress = &mut self.devices[index];
        if op == Op::Cancel && !state.nothing_pending {
            progress.arrived = true;
        }
        let arrived = progress.arrived;
        match self.settled_by(index) {
            Some(at) if !arrived && now < at => {
                self.waiting = Waiting::Until { at, then: Op::Read };
                Vec::new()
            }
            _ => self.settle(index, Fate::Old, now),
        }
    }

    /// A cancel was answered, and the change still runs.
    fn still_there(&mut self, index: usize, state: &DeviceState, now: Timestamp) -> Vec<Step> {
        self.devices[index].arrived = true;
        if state.nothing_pending {
            return self.kept(index, now);
        }
        let past_timer = self.settled_by(index).is_none_or(|at| now >= at);
        if past_timer && self.devices[index].tries > 0 {
            let detail = format!("{} answers ok to the cancel and keeps the change, past its own timer", self.name(index));
            return self.settle(index, Fate::Doubt { why: Why::new(WhyCode::KeptUnverified, detail) }, now);
        }
        self.devices[index].tries = self.devices[index].tries.saturating_add(1);
        let at = self.settled_by(index).unwrap_or(now).max(now);
        self.waiting = Waiting::Until { at, then: Op::Read };
        Vec::new()
    }

    /// The change runs and nothing is pending: it is there to stay. That is ours only if we had decided to confirm.
    fn kept(&mut self, index: usize, now: Timestamp) -> Vec<Step> {
        if self.confirm_intent {
            return self.settle(index, Fate::Kept, now);
        }
        let detail = format!("{} keeps the change for good, though it was never confirmed by us", self.name(index));
        self.settle(index, Fate::Doubt { why: Why::new(WhyCode::KeptUnverified, detail) }, now)
    }

    fn cancel_again(&mut self, index: usize, now: Timestamp) -> Vec<Step> {
        vec![self.send(index, Op::Cancel, now)]
    }

    /// No clean answer: read, with growing pauses, until the device has had time to revert by itself; then give up, in doubt.
    fn unresolved(&mut self, index: usize, fault: &WireFault, now: Timestamp) -> Vec<Step> {
        self.devices[index].tries = self.devices[index].tries.saturating_add(1);
        let past_timer = self.settled_by(index).is_none_or(|at| now >= at);
        if past_timer && self.devices[index].tries >= RESOLVE_TRIES {
            let detail = format!("{} could not be asked what it runs ({fault}); it should have reverted by itself", self.name(index));
            return self.settle(index, Fate::Doubt { why: Why::new(WhyCode::Unreachable, detail) }, now);
        }
        self.again(index, Op::Read, now)
    }

    fn settle(&mut self, index: usize, fate: Fate, now: Timestamp) -> Vec<Step> {
        self.devices[index].fate = fate;
        self.revert_next(now)
    }

    /// A record could not be made durable, so nothing after it was sent. Nothing more is done until the devices' own timers have run
    /// out; then they are read.
    pub(super) fn store_failed(&mut self, reason: &str, now: Timestamp) -> Vec<Step> {
        let why = Why::new(WhyCode::JournalFailed, format!("the journal could not be written: {reason}"));
        match self.stage {
            Stage::Committing { index } => {
                self.devices[index].fate = Fate::Untouched;
                self.devices[index].sent = None;
            }
            Stage::Confirming { index: 0 } => self.confirm_intent = false,
            Stage::Confirming { .. } => return Vec::new(),
            Stage::Ready | Stage::Verifying { .. } | Stage::Reverting { .. } | Stage::Finished { .. } => {}
        }
        self.cause.get_or_insert(why);
        let Some(index) = self.last_open() else { return self.finish(now) };
        self.stage = Stage::Reverting { index };
        self.devices[index].tries = 0;
        let latest = (0..self.devices.len()).filter_map(|i| self.settled_by(i)).max();
        self.waiting = Waiting::Until { at: latest.unwrap_or(now).max(now), then: Op::Read };
        for progress in self.devices.iter_mut().filter(|d| d.fate == Fate::Open) {
            progress.doubtful = true;
        }
        Vec::new()
    }

    pub(super) fn finish(&mut self, now: Timestamp) -> Vec<Step> {
        let outcome = self.sum_up();
        self.waiting = Waiting::Nothing;
        let mut steps = Vec::new();
        if self.records > 0 {
            steps.push(self.journal(JournalEntry::Finished { outcome: outcome.clone() }, now));
        }
        self.stage = Stage::Finished { outcome: outcome.clone() };
        steps.push(Step::Finished(outcome));
        steps
    }

    fn sum_up(&self) -> Outcome {
        let named = |wanted: fn(&Fate) -> bool| -> Vec<DeviceId> {
            let pairs = self.plan.devices.iter().zip(&self.devices);
            pairs.filter(|(_, p)| wanted(&p.fate)).map(|(d, _)| d.device.clone()).collect()
        };
        let kept = named(|f| *f == Fate::Kept);
        let doubted: Vec<&Why> =
            self.devices.iter().filter_map(|d| if let Fate::Doubt { why } = &d.fate { Some(why) } else { None }).collect();
        if let Some(first) = doubted.first() {
            let detail = doubted.iter().map(|w| w.detail.as_str()).collect::<Vec<_>>().join("; ");
            let devices = named(|f| matches!(f, Fate::Doubt { .. }));
            return Outcome::InDoubt { devices, kept, why: Why::new(first.code, detail) };
        }
        if kept.len() == self.devices.len() {
            return Outcome::Confirmed;
        }
        let why = self.cause.clone().unwrap_or_else(|| Why::new(WhyCode::Restarted, "no reason was recorded"));
        if !kept.is_empty() {
            return Outcome::Partial { kept, reverted: named(|f| matches!(f, Fate::Old | Fate::Untouched)), why };
        }
        let untouched = self.devices.iter().all(|d| d.fate == Fate::Untouched);
        match why.code {
            WhyCode::NotSent | WhyCode::Refused | WhyCode::NoEffectOnDevice => Outcome::Failed { why },
            _ if untouched => Outcome::Failed { why },
            _ => Outcome::RolledBack { why },
        }
    }
}
