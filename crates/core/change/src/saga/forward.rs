//! The way forward: commit, measure, confirm.

use super::{CONFIRM_TRIES, Fate, Op, Running, Saga, SlaResult, Stage, Step};
use crate::{JournalEntry, Why, WhyCode, WireFault, WireReply};
use units::Timestamp;

impl Saga {
    pub(super) fn start(&mut self, now: Timestamp) -> Vec<Step> {
        if self.stage != Stage::Ready {
            return Vec::new();
        }
        let tokens = (0..self.devices.len()).map(|i| self.plan.token(i)).collect();
        let intent = self.journal(JournalEntry::Intent { plan: Box::new(self.plan.clone()), tokens }, now);
        vec![intent, self.commit(0, now)]
    }

    fn commit(&mut self, index: usize, now: Timestamp) -> Step {
        self.stage = Stage::Committing { index };
        self.devices[index].fate = Fate::Open;
        self.devices[index].sent = Some(now);
        self.send(index, Op::Commit, now)
    }

    pub(super) fn committed(&mut self, index: usize, reply: WireReply, now: Timestamp) -> Vec<Step> {
        let device = self.name(index).clone();
        let state = match reply {
            Ok(state) => state,
            Err(fault) => return self.uncommitted(index, &fault, now),
        };
        self.devices[index].arrived = true;
        match self.running(index, &state) {
            Running::New => {
                let mut steps = vec![self.journal(JournalEntry::Provisional { device, digest: state.digest }, now)];
                steps.extend(self.onward(index, now));
                steps
            }
            Running::Old => {
                let detail = format!("{device} answered ok and did nothing: its running configuration is what it was");
                self.abandon(Why::new(WhyCode::NoEffectOnDevice, detail), now)
            }
            Running::Neither => {
                let detail = format!("{device} answered ok, but runs neither its old configuration nor the change");
                self.abandon(Why::new(WhyCode::ForeignChange, detail), now)
            }
        }
    }

    fn uncommitted(&mut self, index: usize, fault: &WireFault, now: Timestamp) -> Vec<Step> {
        let device = self.name(index).clone();
        let progress = &mut self.devices[index];
        let code = match fault {
            WireFault::NotSent { .. } => WhyCode::NotSent,
            WireFault::Refused { .. } => WhyCode::Refused,
            WireFault::Unknown { .. } => WhyCode::CommitUnanswered,
        };
        if code == WhyCode::CommitUnanswered {
            progress.doubtful = true;
        } else {
            progress.fate = Fate::Untouched;
            progress.sent = None;
        }
        self.abandon(Why::new(code, format!("commit on {device}: {fault}")), now)
    }

    /// After a device took the change: the next device, or the measurement.
    fn onward(&mut self, index: usize, now: Timestamp) -> Vec<Step> {
        if let Some(why) = self.cause.clone() {
            return self.abandon(why, now);
        }
        if index + 1 < self.devices.len() {
            return vec![self.commit(index + 1, now)];
        }
        let from = now.plus(self.plan.policy_delay());
        let until = from.plus(self.plan.verify_for);
        self.stage = Stage::Verifying { from, until };
        vec![Step::Measure { from, until }]
    }

    /// A bad verdict counts at any time; a good one only once the policy acts.
    pub(super) fn verified(&mut self, sla: SlaResult, now: Timestamp) -> Vec<Step> {
        let Stage::Verifying { from, .. } = self.stage else { return Vec::new() };
        if !sla.passed {
            return self.abandon(Why::new(WhyCode::VerifyFailed, sla.why), now);
        }
        if now < from {
            return Vec::new();
        }
        if !(0..self.devices.len()).all(|i| self.reserve_left(i, now)) {
            return self.abandon(self.too_late(), now);
        }
        let intent = self.journal(JournalEntry::ConfirmIntent { sla }, now);
        self.confirm_intent = true;
        self.stage = Stage::Confirming { index: 0 };
        vec![intent, self.send(0, Op::Confirm, now)]
    }

    fn too_late(&self) -> Why {
        let timer = self.plan.confirm_timeout.as_secs();
        let detail = format!("less than {} % of the confirm timer of {timer} s was left", super::CONFIRM_RESERVE_PERCENT);
        Why::new(WhyCode::ConfirmTooLate, detail)
    }

    pub(super) fn confirmed(&mut self, index: usize, op: Op, reply: WireReply, now: Timestamp) -> Vec<Step> {
        let device = self.name(index).clone();
        let state = match reply {
            Ok(state) => state,
            Err(fault) => return self.unconfirmed(index, &fault, now),
        };
        match (op, self.running(index, &state)) {
            (Op::Confirm, Running::New) => {
                self.devices[index].fate = Fate::Kept;
                self.confirm_next(index, now)
            }
            (_, Running::New) => self.confirm_again(index, now),
            (_, Running::Old) => {
                self.devices[index].fate = Fate::Old;
                let detail = format!("{device} had reverted before it was confirmed");
                self.abandon(Why::new(WhyCode::DeviceReverted, detail), now)
            }
            (_, Running::Neither) => {
                let detail = format!("{device} runs neither its old configuration nor the change: somebody else changed it");
                self.abandon(Why::new(WhyCode::ForeignChange, detail), now)
            }
        }
    }

    /// The record that a device has confirmed is for readers, so it goes out after the next confirm and cannot hold it up.
    fn confirm_next(&mut self, index: usize, now: Timestamp) -> Vec<Step> {
        let device = self.name(index).clone();
        let next = index + 1;
        if next == self.devices.len() {
            return self.finish(now);
        }
        let stop = self.cause.clone().or_else(|| (!self.reserve_left(next, now)).then(|| self.too_late()));
        if let Some(why) = stop {
            let record = self.journal(JournalEntry::DeviceConfirmed { device }, now);
            return core::iter::once(record).chain(self.abandon(why, now)).collect();
        }
        self.stage = Stage::Confirming { index: next };
        let confirm = self.send(next, Op::Confirm, now);
        vec![confirm, self.journal(JournalEntry::DeviceConfirmed { device }, now)]
    }

    /// The confirm is repeated only where the change still runs, time is left, and nobody stopped it.
    fn confirm_again(&mut self, index: usize, now: Timestamp) -> Vec<Step> {
        if let Some(why) = self.cause.clone() {
            return self.abandon(why, now);
        }
        if self.devices[index].tries < CONFIRM_TRIES && self.reserve_left(index, now) {
            return vec![self.send(index, Op::Confirm, now)];
        }
        let detail = format!("{} gave no clean answer to the confirm in time", self.name(index));
        self.abandon(Why::new(WhyCode::ConfirmUnanswered, detail), now)
    }

    fn unconfirmed(&mut self, index: usize, fault: &WireFault, now: Timestamp) -> Vec<Step> {
        self.devices[index].tries = self.devices[index].tries.saturating_add(1);
        self.devices[index].doubtful = true;
        if self.cause.is_none() && self.reserve_left(index, now) {
            return self.again(index, Op::Read, now);
        }
        let detail = format!("confirm on {}: {fault}", self.name(index));
        self.abandon(Why::new(WhyCode::ConfirmUnanswered, detail), now)
    }
}
