//! The right to carry out one change once.

use action::{ChangeId, DeviceId, OperatorId, ProposalId};
use core::fmt;
use core::time::Duration;
use serde::{Deserialize, Serialize};
use units::Timestamp;

use crate::PlanBinding;

/// How long after the approval a change may begin. Longer means that something held it up (a laptop asleep, a stuck queue) and the
/// operator agreed to another moment.
pub const PERMIT_VALID: Duration = Duration::from_secs(60);

/// The number of a permit; it is burnt in the ledger before the first byte goes out and never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PermitId(pub u64);

impl fmt::Display for PermitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "permit-{}", self.0)
    }
}

/// The right to carry out one change once: taken by value by the executor, bound to the change and to its exact payloads.
///
/// Only [`crate::Queue::approve`] makes one. It can be read:
///
/// ```
/// fn id(permit: &approval::Permit) -> approval::PermitId {
///     permit.id()
/// }
/// ```
///
/// It cannot be constructed elsewhere:
///
/// ```compile_fail
/// fn forge(id: approval::PermitId, change: action::ChangeId) -> approval::Permit {
///     approval::Permit { id, change }
/// }
/// ```
///
/// nor through any constructor or default:
///
/// ```compile_fail
/// fn forge() -> approval::Permit {
///     approval::Permit::default()
/// }
/// ```
///
/// nor copied:
///
/// ```compile_fail
/// fn twice(permit: &approval::Permit) -> approval::Permit {
///     permit.clone()
/// }
/// ```
///
/// nor used after it was handed over:
///
/// ```compile_fail
/// fn spend(_: approval::Permit) {}
/// fn twice(permit: approval::Permit) {
///     spend(permit);
///     spend(permit);
/// }
/// ```
///
/// nor stored and brought back:
///
/// ```compile_fail
/// fn thaw(text: &str) -> approval::Permit {
///     serde_json::from_str(text).unwrap()
/// }
/// ```
///
/// ```compile_fail
/// fn freeze(permit: &approval::Permit) -> String {
///     serde_json::to_string(permit).unwrap()
/// }
/// ```
#[derive(Debug)]
#[must_use = "a permit that is dropped permits nothing"]
pub struct Permit {
    id: PermitId,
    change: ChangeId,
    proposal: ProposalId,
    plan_hash: String,
    payloads: Vec<(DeviceId, String)>,
    by: OperatorId,
    at: Timestamp,
}

impl Permit {
    pub(crate) fn grant(
        id: PermitId,
        change: ChangeId,
        proposal: ProposalId,
        binding: &PlanBinding,
        by: OperatorId,
        at: Timestamp,
    ) -> Self {
        let payloads = binding.devices.iter().map(|d| (d.device.clone(), d.payload_sha256.clone())).collect();
        Self { id, change, proposal, plan_hash: binding.hash(), payloads, by, at }
    }

    /// Returns its one-use number.
    #[must_use]
    pub const fn id(&self) -> PermitId {
        self.id
    }

    /// Returns the change it permits.
    #[must_use]
    pub const fn change(&self) -> ChangeId {
        self.change
    }

    /// Returns the proposal that was approved.
    #[must_use]
    pub const fn proposal(&self) -> ProposalId {
        self.proposal
    }

    /// Returns the hash of the plan that was shown and approved.
    #[must_use]
    pub fn plan_hash(&self) -> &str {
        &self.plan_hash
    }

    /// Returns who approved.
    #[must_use]
    pub const fn by(&self) -> &OperatorId {
        &self.by
    }

    /// Says whether a payload with this hex SHA-256 was approved, for whichever device of the plan.
    #[must_use]
    pub fn describes(&self, payload_sha256: &str) -> bool {
        self.payloads.iter().any(|(_, p)| p == payload_sha256)
    }

    /// Says whether a payload with this hex SHA-256 was approved for `device`.
    #[must_use]
    pub fn covers(&self, device: &DeviceId, payload_sha256: &str) -> bool {
        self.payloads.iter().any(|(d, p)| d == device && p == payload_sha256)
    }

    /// Says whether a change may still begin at `now`: within [`PERMIT_VALID`] of the approval, and not before it.
    #[must_use]
    pub fn valid_at(&self, now: Timestamp) -> bool {
        now >= self.at && now.since(self.at) <= PERMIT_VALID
    }
}
