//! What a change will do, fixed before it is approved.

use action::{ChangeId, DeviceId, ProposalId};
use approval::PermitId;
use core::time::Duration;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

use crate::saga::{CONFIRM_RESERVE_PERCENT, VERIFY_SILENCE};

/// Most devices in one change. More is several changes: every device adds to the time the first one waits unconfirmed.
pub const MAX_DEVICES: usize = 16;

/// One change, ready to be carried out. Immutable from here on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The change.
    pub change: ChangeId,
    /// The proposal it came from.
    pub proposal: ProposalId,
    /// The permit that is spent on it.
    pub permit: PermitId,
    /// Hash of the plan that was approved (`approval::PlanBinding::hash`).
    pub plan_hash: String,
    /// Devices in order of execution (make before break); undone in reverse.
    pub devices: Vec<DevicePlan>,
    /// Time after which a device reverts by itself; always sent, never the device's default.
    pub confirm_timeout: Duration,
    /// How long the path is measured before it is judged, after the longest policy delay.
    pub verify_for: Duration,
}

/// What is done on one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DevicePlan {
    /// Device.
    pub device: DeviceId,
    /// Children of `<config>`, exactly the bytes that were approved.
    pub payload: String,
    /// Hex SHA-256 of `payload`.
    pub payload_sha256: String,
    /// The payload that undoes it, for a person; the machine undoes by letting the commit lapse.
    pub inverse_payload: String,
    /// Digest that the running configuration has before the change.
    pub base_digest: String,
    /// How long the device takes until new policy acts on its routes (FRR: route-map delay timer, 5 s).
    pub policy_delay: Duration,
}

/// Why a plan cannot be carried out. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// No device, or too many.
    #[error("{change} touches {count} devices; a change touches 1 to {MAX_DEVICES}, split it")]
    DeviceCount {
        /// The change.
        change: ChangeId,
        /// How many.
        count: usize,
    },
    /// A device appears twice.
    #[error("{change} names {device} twice; join its edits into one payload")]
    DeviceTwice {
        /// The change.
        change: ChangeId,
        /// The device.
        device: DeviceId,
    },
    /// The payload is not the one that was approved.
    #[error("the payload of {change} for {device} does not have the approved hash; propose it again")]
    PayloadHash {
        /// The change.
        change: ChangeId,
        /// The device.
        device: DeviceId,
    },
    /// There is no way back.
    #[error("{change} has no inverse for {device}; a change without a way back is not started")]
    NoInverse {
        /// The change.
        change: ChangeId,
        /// The device.
        device: DeviceId,
    },
    /// The device would revert before the change could be judged.
    #[error("{change}: the confirm timer of {given:?} is too short to measure and confirm; set at least {least:?}")]
    TimerTooShort {
        /// The change.
        change: ChangeId,
        /// The timer in the plan.
        given: Duration,
        /// The shortest that works.
        least: Duration,
    },
}

impl Plan {
    /// Checks what must hold before anything is sent.
    ///
    /// # Errors
    /// The first [`PlanError`].
    pub fn check(&self) -> Result<(), PlanError> {
        let change = self.change;
        if self.devices.is_empty() || self.devices.len() > MAX_DEVICES {
            return Err(PlanError::DeviceCount { change, count: self.devices.len() });
        }
        let mut seen = BTreeSet::new();
        for d in &self.devices {
            let device = d.device.clone();
            if !seen.insert(&d.device) {
                return Err(PlanError::DeviceTwice { change, device });
            }
            if hex::encode(Sha256::digest(&d.payload)) != d.payload_sha256 {
                return Err(PlanError::PayloadHash { change, device });
            }
            if d.inverse_payload.is_empty() {
                return Err(PlanError::NoInverse { change, device });
            }
        }
        let least = Self::least_confirm_timeout(self.policy_delay(), self.verify_for);
        if self.confirm_timeout < least {
            return Err(PlanError::TimerTooShort { change, given: self.confirm_timeout, least });
        }
        Ok(())
    }

    /// Returns the shortest confirm timer that leaves room to wait for the policy, measure, and confirm with the reserve left.
    ///
    /// The time that the commits themselves take comes on top; two seconds a device is plenty on FRR.
    #[must_use]
    pub fn least_confirm_timeout(policy_delay: Duration, verify_for: Duration) -> Duration {
        (policy_delay + verify_for + VERIFY_SILENCE) * 100 / (100 - CONFIRM_RESERVE_PERCENT)
    }

    /// Returns the longest policy delay among the devices.
    #[must_use]
    pub fn policy_delay(&self) -> Duration {
        self.devices.iter().map(|d| d.policy_delay).max().unwrap_or_default()
    }

    /// Returns the persist token for the device at `index`: ours by change and plan, so that it is recognised after a restart.
    #[must_use]
    pub fn token(&self, index: usize) -> String {
        let short: String = self.plan_hash.chars().take(12).collect();
        format!("pilothouse-{}-{short}-{index}", self.change)
    }
}
