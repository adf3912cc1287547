//! After a restart: the journal says what may have been sent, the device says what became of it.

use super::{Fate, Progress, Saga, Stage, Step, Waiting};
use crate::{JournalEntry, JournalRecord, Plan, Why, WhyCode};
use action::ChangeId;
use std::collections::BTreeMap;
use units::Timestamp;

/// What a journal leads to.
#[derive(Debug, Default)]
pub struct Recovery {
    /// The changes that were under way, each with its first steps.
    pub sagas: Vec<(Saga, Vec<Step>)>,
    /// Changes whose records make no sense; a person must look.
    pub broken: Vec<RecoverError>,
}

/// Records from which a change cannot be taken up again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecoverError {
    /// The first record is missing.
    #[error("the journal of {change} does not begin with its intent; read its devices by hand and compare with the audit records")]
    NoIntent {
        /// The change.
        change: ChangeId,
    },
    /// Records are twice or in the wrong order. (A record that could not be stored leaves a gap; that is no fault.)
    #[error("the journal of {change} has record {found} after record {after}; read its devices by hand")]
    OutOfOrder {
        /// The change.
        change: ChangeId,
        /// The position before.
        after: u32,
        /// The position found.
        found: u32,
    },
    /// The plan in the intent is not sound.
    #[error("the journal of {change} holds a plan that cannot be carried out; read its devices by hand")]
    BadPlan {
        /// The change.
        change: ChangeId,
    },
}

/// Takes up every change in the journal that has no end yet. `records` may mix changes; those of one change are in order.
///
/// A restarted change is never confirmed anew and never committed again: without a durable `ConfirmIntent` it is cancelled, with one
/// the device is asked whether the confirm arrived.
#[must_use]
pub fn recover(records: Vec<JournalRecord>, now: Timestamp) -> Recovery {
    let mut changes: BTreeMap<ChangeId, Vec<JournalRecord>> = BTreeMap::new();
    for record in records {
        changes.entry(record.change).or_default().push(record);
    }
    let mut recovery = Recovery::default();
    for (change, records) in changes {
        match take_up(change, records, now) {
            Ok(Some(found)) => recovery.sagas.push(found),
            Ok(None) => {}
            Err(error) => recovery.broken.push(error),
        }
    }
    recovery
}

fn take_up(change: ChangeId, records: Vec<JournalRecord>, now: Timestamp) -> Result<Option<(Saga, Vec<Step>)>, RecoverError> {
    for pair in records.windows(2) {
        if let [before, record] = pair
            && record.index <= before.index
        {
            return Err(RecoverError::OutOfOrder { change, after: before.index, found: record.index });
        }
    }
    if records.iter().any(|r| matches!(r.entry, JournalEntry::Finished { .. })) {
        return Ok(None);
    }
    let mut records = records.into_iter();
    let Some(JournalRecord { at, entry: JournalEntry::Intent { plan, .. }, .. }) = records.next() else {
        return Err(RecoverError::NoIntent { change });
    };
    if plan.check().is_err() {
        return Err(RecoverError::BadPlan { change });
    }
    let mut saga = resting(*plan, at);
    let mut abandoned = false;
    for record in records {
        abandoned |= saga.recall(record);
    }
    let why = saga.cause.clone().unwrap_or_else(|| Why::new(WhyCode::Restarted, "the program was restarted in the middle of the change"));
    saga.mark_doubtful();
    let steps = if abandoned || saga.confirm_intent {
        saga.cause = Some(why);
        saga.revert_next(now)
    } else {
        saga.abandon(why, now)
    };
    Ok(Some((saga, steps)))
}

/// The machine as the intent alone describes it: the first commit may have been sent.
fn resting(plan: Plan, intent_at: Timestamp) -> Saga {
    let mut devices = vec![Progress::default(); plan.devices.len()];
    if let Some(first) = devices.first_mut() {
        *first = Progress { fate: Fate::Open, sent: Some(intent_at), ..Progress::default() };
    }
    Saga {
        plan,
        devices,
        stage: Stage::Reverting { index: 0 },
        waiting: Waiting::Nothing,
        records: 1,
        steps: 0,
        cause: None,
        confirm_intent: false,
    }
}

impl Saga {
    /// Takes one record into account; says whether it was the one that gave the change up.
    fn recall(&mut self, record: JournalRecord) -> bool {
        self.records = record.index.saturating_add(1);
        let position = |saga: &Self, device| saga.plan.devices.iter().position(|d| d.device == device);
        match record.entry {
            JournalEntry::Provisional { device, .. } => {
                let Some(index) = position(self, device) else { return false };
                self.devices[index].arrived = true;
                // The record of one device is the intent for the next.
                if let Some(next) = self.devices.get_mut(index + 1) {
                    *next = Progress { fate: Fate::Open, sent: Some(record.at), ..Progress::default() };
                }
            }
            JournalEntry::ConfirmIntent { .. } => self.confirm_intent = true,
            JournalEntry::DeviceConfirmed { device } => {
                if let Some(index) = position(self, device) {
                    self.devices[index].fate = Fate::Kept;
                }
            }
            JournalEntry::Abandoned { why } => {
                self.cause = Some(why);
                return true;
            }
            JournalEntry::Intent { .. } | JournalEntry::Finished { .. } => {}
        }
        false
    }

    /// What the journal does not settle is read before it is touched.
    fn mark_doubtful(&mut self) {
        let confirm_intent = self.confirm_intent;
        for progress in &mut self.devices {
            progress.doubtful = confirm_intent || !progress.arrived;
        }
    }
}
