//! Who may send what: with a permit a change, without one only its end.

use crate::{Executor, fault};
use action::{ChangeId, DeviceId};
use approval::Permit;
use change::{WireFault, WireOp, WireReply};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use units::Timestamp;

/// The inventory is not the one of the lab that is running.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("PH-EXEC-002 the inventory is of {}, the lab that runs is {expected:?}; nothing outside of it is touched", found.as_deref().unwrap_or("no lab"))]
pub struct NotThisLab {
    /// The lab that runs.
    pub expected: String,
    /// What the inventory says.
    pub found: Option<String>,
}

/// One permitted change being carried out. It owns the permit until the change is over.
#[derive(Debug)]
pub struct Execution {
    executor: Executor,
    permit: Permit,
    /// Devices that were sent their commit; never held over an await.
    sent: Mutex<BTreeSet<DeviceId>>,
}

impl Execution {
    pub(crate) fn new(executor: Executor, permit: Permit, now: Timestamp) -> Result<Self, WireFault> {
        if permit.valid_at(now) {
            return Ok(Self { executor, permit, sent: Mutex::default() });
        }
        let why = format!("{} of {} is not valid any more at {now}; approve again", permit.id(), permit.change());
        Err(fault::not_sent(fault::NOT_PERMITTED, why))
    }

    /// Returns the change.
    #[must_use]
    pub const fn change(&self) -> ChangeId {
        self.permit.change()
    }

    /// Carries out one step. A commit must be what was approved for the device, and goes out once.
    pub async fn carry_out(&self, device: &DeviceId, op: &WireOp, within: Duration) -> WireReply {
        if let WireOp::CommitConfirmed { payload, .. } = op {
            self.claim(device, payload)?;
        }
        self.executor.carry_out(device, op, within).await
    }

    fn claim(&self, device: &DeviceId, payload: &str) -> Result<(), WireFault> {
        if !self.permit.covers(device, &crate::running::sha256(payload)) {
            let why = format!("{} does not cover this payload for {device}; propose it again", self.permit.id());
            return Err(fault::not_sent(fault::NOT_PERMITTED, why));
        }
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        if sent.insert(device.clone()) {
            return Ok(());
        }
        Err(fault::not_sent(
            fault::SENT_BEFORE,
            format!("{} was sent to {device} before; a commit is never repeated", self.permit.change()),
        ))
    }
}

/// Finishes what an earlier run of the program began: reads, confirms, cancels.
#[derive(Clone, Debug)]
pub struct Recovery {
    executor: Executor,
}

impl Recovery {
    pub(crate) const fn new(executor: Executor) -> Self {
        Self { executor }
    }

    /// Carries out one step; a commit is refused.
    pub async fn carry_out(&self, device: &DeviceId, op: &WireOp, within: Duration) -> WireReply {
        if matches!(op, WireOp::CommitConfirmed { .. }) {
            let why = format!("a commit on {device} needs a permit, and a permit does not survive a restart; approve again");
            return Err(fault::not_sent(fault::NOT_PERMITTED, why));
        }
        self.executor.carry_out(device, op, within).await
    }
}
