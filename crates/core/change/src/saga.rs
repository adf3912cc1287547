//! The saga machine.
//!
//! ```text
//! Ready ─Start─► [Intent] Committing ─ok─► [Provisional] … Verifying ─good─► [ConfirmIntent] Confirming ─ok─► [Confirmed]
//!                            │                    │                               │
//!                            └── no answer ───────┴─ bad, silent, kill ───────────┴─► [Abandoned] Reverting ─► [RolledBack | Failed | …]
//! ```
//! `[…]` is a journal record, durable before what follows it. Reverting ends only by what a device says of itself:
//!
//! | running configuration | pending commit | then |
//! |---|---|---|
//! | has the base digest | – | old: settled, unless an unanswered commit may still arrive; then read again after its timer |
//! | has the change | ours | cancel |
//! | has the change | none (said by the answer to a cancel or confirm) | kept: settled if `ConfirmIntent` is durable, else in doubt |
//! | neither | none, after a cancel | somebody else was there: in doubt |

mod forward;
mod recovery;
mod revert;

pub use recovery::{RecoverError, Recovery, recover};

use action::{ChangeId, DeviceId};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use units::{Ratio, Timestamp};

use crate::{DeviceState, JournalEntry, JournalRecord, Outcome, Plan, PlanError, Why, WhyCode, WireFault, WireOp, WireReply};

/// Share of the confirm timer, in percent, that must be left when a confirm is sent; less and it may arrive after the device reverted.
pub const CONFIRM_RESERVE_PERCENT: u32 = 20;
/// How long after the end of the measurement its verdict is awaited. Silence counts as failure.
pub const VERIFY_SILENCE: Duration = Duration::from_secs(10);
/// How long the executor may be silent about a step before that counts as no answer. Longer than all of its own timeouts together.
pub const WIRE_SILENCE: Duration = Duration::from_secs(90);
/// Added to the confirm timer before a device is read for the last time: room for a commit that was still queued there, and for its clock.
pub const LATE_MARGIN: Duration = Duration::from_secs(10);
/// Tries per device before an unreachable one is given up as in doubt; and never before its timer has run out.
const RESOLVE_TRIES: u32 = 8;
/// Confirms per device: the first, and two more after lost answers.
const CONFIRM_TRIES: u32 = 3;
/// Longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// What happened to a change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// The permit is burnt; begin.
    Start,
    /// The executor answered a step.
    Reply {
        /// The device.
        device: DeviceId,
        /// The number that [`Step::Wire`] carried. An answer to an older step is ignored: its step already counts as unanswered.
        step: u32,
        /// The answer.
        reply: WireReply,
    },
    /// The path was measured.
    Verified(SlaResult),
    /// Time passed.
    Tick,
    /// An operator stopped every change.
    KillSwitch,
    /// A record of this change could not be made durable; nothing that followed it in its batch was sent.
    StoreFailed {
        /// Why.
        reason: String,
    },
}

/// What the measurement says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlaResult {
    /// The change helped, and nothing else got worse.
    pub passed: bool,
    /// Delay before and after, milliseconds; `None` when no packet arrived.
    pub delay_ms: (Option<f64>, Option<f64>),
    /// Loss before and after.
    pub loss: (Option<Ratio>, Option<Ratio>),
    /// In words, with the numbers.
    pub why: String,
}

/// What the shell must do, in this order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Step {
    /// Make this durable before anything that follows.
    Journal(JournalRecord),
    /// Send this; answer with [`Event::Reply`] carrying the same number.
    Wire {
        /// The device.
        device: DeviceId,
        /// Number of the step within the change, from 1.
        step: u32,
        /// What to send.
        op: WireOp,
    },
    /// Measure the path between these times and answer with [`Event::Verified`]; a hard failure may be told before `until`.
    Measure {
        /// New policy acts from here on.
        from: Timestamp,
        /// The verdict is due.
        until: Timestamp,
    },
    /// The change is over.
    Finished(Outcome),
}

/// Where a change stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "stage")]
pub enum Stage {
    /// Not begun.
    Ready,
    /// The commit to this device is under way.
    Committing {
        /// Position in the plan.
        index: usize,
    },
    /// Every device holds it provisionally; the path is measured.
    Verifying {
        /// New policy acts from here on.
        from: Timestamp,
        /// The verdict is due.
        until: Timestamp,
    },
    /// The confirm to this device is under way.
    Confirming {
        /// Position in the plan.
        index: usize,
    },
    /// This device is being brought back, or found out about.
    Reverting {
        /// Position in the plan.
        index: usize,
    },
    /// Over.
    Finished {
        /// How.
        outcome: Outcome,
    },
}

/// One change being carried out. See the module's diagram.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saga {
    plan: Plan,
    devices: Vec<Progress>,
    stage: Stage,
    waiting: Waiting,
    /// Records made so far.
    records: u32,
    /// Wire steps made so far.
    steps: u32,
    /// Why it is not kept, once that is so.
    cause: Option<Why>,
    /// `ConfirmIntent` is durable.
    confirm_intent: bool,
}

/// What is known about one device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Progress {
    fate: Fate,
    /// When its commit was sent, at the earliest; the device's timer began no sooner.
    sent: Option<Timestamp>,
    /// The commit is known to have arrived, so it cannot arrive late.
    arrived: bool,
    /// The last step got no clean answer: read before anything else.
    doubtful: bool,
    /// Steps since the last clean answer that moved us on.
    tries: u32,
}

/// What a device runs, as far as it has told us.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "fate")]
enum Fate {
    /// Nothing was sent to it that can have changed it.
    #[default]
    Untouched,
    /// A commit was sent.
    Open,
    /// It runs what it ran before.
    Old,
    /// It keeps the change.
    Kept,
    /// Not known, or neither.
    Doubt {
        /// The cause.
        why: Why,
    },
}

/// What the machine waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "waiting")]
enum Waiting {
    /// For nothing, or for a measurement.
    Nothing,
    /// For the answer to a step.
    Reply {
        /// Which kind.
        op: Op,
        /// When it was sent.
        since: Timestamp,
    },
    /// For a time, to send a step then.
    Until {
        /// When.
        at: Timestamp,
        /// What then.
        then: Op,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Op {
    Read,
    Commit,
    Confirm,
    Cancel,
}

/// What a device's answer says about it.
enum Running {
    Old,
    New,
    Neither,
}

impl Saga {
    /// Makes the machine for a plan; nothing is sent until [`Event::Start`].
    ///
    /// # Errors
    /// [`PlanError`] when the plan cannot be carried out safely.
    pub fn new(plan: Plan) -> Result<Self, PlanError> {
        plan.check()?;
        let devices = vec![Progress::default(); plan.devices.len()];
        let (stage, waiting) = (Stage::Ready, Waiting::Nothing);
        Ok(Self { plan, devices, stage, waiting, records: 0, steps: 0, cause: None, confirm_intent: false })
    }

    /// Takes one event and returns what must be done, in order.
    #[must_use]
    pub fn handle(&mut self, event: Event, now: Timestamp) -> Vec<Step> {
        if self.outcome().is_some() {
            return Vec::new();
        }
        match event {
            Event::Start => self.start(now),
            Event::Reply { device, step, reply } => self.reply(&device, step, reply, now),
            Event::Verified(sla) => self.verified(sla, now),
            Event::Tick => self.tick(now),
            Event::KillSwitch => self.kill(now),
            Event::StoreFailed { reason } => self.store_failed(&reason, now),
        }
    }

    /// Returns when the machine wants an [`Event::Tick`].
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        match (&self.stage, self.waiting) {
            (Stage::Finished { .. } | Stage::Ready, _) => None,
            (Stage::Verifying { until, .. }, _) => Some(until.plus(VERIFY_SILENCE)),
            (_, Waiting::Reply { since, .. }) => Some(since.plus(WIRE_SILENCE)),
            (_, Waiting::Until { at, .. }) => Some(at),
            (_, Waiting::Nothing) => None,
        }
    }

    /// Returns the change.
    #[must_use]
    pub const fn change(&self) -> ChangeId {
        self.plan.change
    }

    /// Returns the plan.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Returns where it stands.
    #[must_use]
    pub const fn stage(&self) -> &Stage {
        &self.stage
    }

    /// Returns how it ended, once it has.
    #[must_use]
    pub const fn outcome(&self) -> Option<&Outcome> {
        match &self.stage {
            Stage::Finished { outcome } => Some(outcome),
            _ => None,
        }
    }

    /// Says whether `device` is taken by this change: one change per device in flight.
    #[must_use]
    pub fn holds(&self, device: &DeviceId) -> bool {
        self.outcome().is_none() && self.plan.devices.iter().any(|d| d.device == *device)
    }

    /// Returns when the first device that holds the change reverts by itself; for the countdown on the screen.
    #[must_use]
    pub fn reverts_at(&self) -> Option<Timestamp> {
        let open = self.devices.iter().filter(|d| d.fate == Fate::Open);
        open.filter_map(|d| d.sent).min().map(|sent| sent.plus(self.plan.confirm_timeout))
    }

    fn tick(&mut self, now: Timestamp) -> Vec<Step> {
        match (&self.stage, self.waiting) {
            (Stage::Verifying { until, .. }, _) if now >= until.plus(VERIFY_SILENCE) => {
                let detail = format!("no measurement by {now}; silence counts as failure");
                self.abandon(Why::new(WhyCode::VerifySilent, detail), now)
            }
            (_, Waiting::Reply { since, .. }) if now >= since.plus(WIRE_SILENCE) => {
                let why = format!("the executor was silent for {} s", WIRE_SILENCE.as_secs());
                self.answered(Err(WireFault::Unknown { code: "PH-CHG-001".into(), why }), now)
            }
            (Stage::Confirming { index } | Stage::Reverting { index }, Waiting::Until { at, then }) if now >= at => {
                vec![self.send(*index, then, now)]
            }
            _ => Vec::new(),
        }
    }

    fn reply(&mut self, device: &DeviceId, step: u32, reply: WireReply, now: Timestamp) -> Vec<Step> {
        let current = self.index().and_then(|i| self.plan.devices.get(i)).is_some_and(|d| d.device == *device);
        let awaited = matches!(self.waiting, Waiting::Reply { .. });
        if current && awaited && step == self.steps { self.answered(reply, now) } else { Vec::new() }
    }

    fn answered(&mut self, reply: WireReply, now: Timestamp) -> Vec<Step> {
        let Waiting::Reply { op, .. } = self.waiting else { return Vec::new() };
        self.waiting = Waiting::Nothing;
        match self.stage {
            Stage::Committing { index } => self.committed(index, reply, now),
            Stage::Confirming { index } => self.confirmed(index, op, reply, now),
            Stage::Reverting { index } => self.resolved(index, op, reply, now),
            Stage::Ready | Stage::Verifying { .. } | Stage::Finished { .. } => Vec::new(),
        }
    }

    /// An operator stopped every change. A step under way is waited for (it is on the wire); nothing new is begun but the way back.
    fn kill(&mut self, now: Timestamp) -> Vec<Step> {
        let why = Why::new(WhyCode::KillSwitch, "an operator stopped every change");
        match (&self.stage, self.waiting) {
            (Stage::Reverting { .. } | Stage::Finished { .. }, _) => Vec::new(),
            (Stage::Committing { .. } | Stage::Confirming { .. }, Waiting::Reply { .. }) => {
                self.cause.get_or_insert(why);
                Vec::new()
            }
            _ => self.abandon(why, now),
        }
    }

    /// Position of the device that the current stage is about.
    fn index(&self) -> Option<usize> {
        match self.stage {
            Stage::Committing { index } | Stage::Confirming { index } | Stage::Reverting { index } => Some(index),
            Stage::Ready | Stage::Verifying { .. } | Stage::Finished { .. } => None,
        }
    }

    fn journal(&mut self, entry: JournalEntry, now: Timestamp) -> Step {
        let index = self.records;
        self.records = self.records.saturating_add(1);
        Step::Journal(JournalRecord { change: self.plan.change, index, at: now, entry })
    }

    fn send(&mut self, index: usize, op: Op, now: Timestamp) -> Step {
        self.steps = self.steps.saturating_add(1);
        self.waiting = Waiting::Reply { op, since: now };
        let token = self.plan.token(index);
        let device = &self.plan.devices[index];
        let payload = device.payload.clone();
        let (base_digest, confirm_timeout) = (device.base_digest.clone(), self.plan.confirm_timeout);
        let wire = match op {
            Op::Read => WireOp::Read { payload },
            Op::Commit => WireOp::CommitConfirmed { payload, token, confirm_timeout, base_digest },
            Op::Confirm => WireOp::Confirm { token, payload },
            Op::Cancel => WireOp::Cancel { token, payload },
        };
        Step::Wire { device: device.device.clone(), step: self.steps, op: wire }
    }

    /// Tries `then` again after a pause that doubles from zero to [`PAUSE_MAX`].
    fn again(&mut self, index: usize, then: Op, now: Timestamp) -> Vec<Step> {
        let tries = self.devices[index].tries;
        let pause = match tries {
            0 | 1 => return vec![self.send(index, then, now)],
            n => Duration::from_secs(1 << (n - 2).min(5)).min(PAUSE_MAX),
        };
        self.waiting = Waiting::Until { at: now.plus(pause), then };
        Vec::new()
    }

    fn running(&self, index: usize, state: &DeviceState) -> Running {
        if state.digest == self.plan.devices[index].base_digest {
            Running::Old
        } else if state.in_effect {
            Running::New
        } else {
            Running::Neither
        }
    }

    /// Names a device in a sentence.
    fn name(&self, index: usize) -> &DeviceId {
        &self.plan.devices[index].device
    }

    /// From this time on the device has reverted by itself, and no commit of ours can still arrive.
    fn settled_by(&self, index: usize) -> Option<Timestamp> {
        self.devices[index].sent.map(|sent| sent.plus(self.plan.confirm_timeout).plus(LATE_MARGIN))
    }

    /// Says whether the reserve of the confirm timer is still there.
    fn reserve_left(&self, index: usize, now: Timestamp) -> bool {
        let usable = self.plan.confirm_timeout * (100 - CONFIRM_RESERVE_PERCENT) / 100;
        self.devices[index].sent.is_some_and(|sent| now >= sent && now <= sent.plus(usable))
    }
}

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;
