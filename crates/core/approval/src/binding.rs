//! What exactly an approval is bound to.

use action::DeviceId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Everything an approval rests on. When any of it changes, the approval is void.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanBinding {
    /// Payload and base configuration per device, in execution order.
    pub devices: Vec<BoundDevice>,
    /// Version of the guard policy that allowed it.
    pub policy_version: u32,
    /// Sequence number of the snapshot that the twin judged.
    pub twin_seq: u64,
}

/// What is bound on one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundDevice {
    /// Device.
    pub device: DeviceId,
    /// Hex SHA-256 of the payload, byte for byte as it goes out.
    pub payload_sha256: String,
    /// Digest of the running configuration that the payload was made for.
    pub base_digest: String,
}

impl PlanBinding {
    /// Returns the plan hash: hex SHA-256 over a length-framed encoding, so that no two bindings share one.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut h = Sha256::new();
        h.update(b"pilothouse.plan.v1\0");
        h.update(self.policy_version.to_be_bytes());
        h.update(self.twin_seq.to_be_bytes());
        h.update((self.devices.len() as u64).to_be_bytes());
        for d in &self.devices {
            for field in [d.device.as_str(), &d.payload_sha256, &d.base_digest] {
                h.update((field.len() as u64).to_be_bytes());
                h.update(field.as_bytes());
            }
        }
        hex::encode(h.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding() -> PlanBinding {
        let device = |d: &str| BoundDevice { device: d.into(), payload_sha256: "aa".into(), base_digest: "bb".into() };
        PlanBinding { devices: vec![device("r1"), device("r2")], policy_version: 1, twin_seq: 7 }
    }

    #[test]
    fn every_bound_field_changes_the_plan_hash() {
        let base = binding();
        let mut variants = vec![base.clone(); 6];
        variants[0].policy_version = 2;
        variants[1].twin_seq = 8;
        variants[2].devices[0].payload_sha256 = "ab".into();
        variants[3].devices[1].base_digest = "bc".into();
        variants[4].devices.reverse();
        variants[5].devices.pop();
        for v in variants {
            assert_ne!(v.hash(), base.hash(), "{v:?}");
        }
    }

    #[test]
    fn moving_a_byte_between_fields_changes_the_plan_hash() {
        let mut a = binding();
        a.devices[0].payload_sha256 = "aab".into();
        a.devices[0].base_digest = "b".into();
        assert_ne!(a.hash(), binding().hash());
    }
}
