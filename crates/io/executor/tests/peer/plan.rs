//! Payloads, permits and an executor for one device.

#![allow(dead_code, reason = "each test program needs a part of it")]

use action::{ActionType, AutonomyTier, ChangeId, DeviceId, OperatorId, ProposalId};
use approval::{Approval, BoundDevice, Permit, PlanBinding, Queue, Submission};
use change::WireOp;
use config::{PolicyEdit, PolicyResult, RouteAction, Statement};
use executor::{Execution, Executor};
use network::{DeviceRole, DeviceSpec, Inventory, NetconfEndpoint};
use sha2::{Digest, Sha256};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use units::Timestamp;
use vault::Vault;

pub const POLICY: &str = "PH-STEER";
pub const WITHIN: Duration = Duration::from_secs(30);

pub fn device() -> DeviceId {
    DeviceId::new("r1")
}

pub fn now() -> Timestamp {
    Timestamp::from_millis(1_000_000)
}

fn statement(local_pref: u32) -> Statement {
    let actions = vec![RouteAction::SetLocalPref(local_pref)];
    Statement { sequence: 10, result: PolicyResult::Accept, conditions: Vec::new(), actions }
}

/// The edit that makes the term, or (`replace`) changes it.
pub fn payload(local_pref: u32, replace: bool) -> String {
    let (policy, statement) = (POLICY.to_owned(), statement(local_pref));
    let edit = if replace {
        PolicyEdit::ReplaceStatement { policy, statement }
    } else {
        PolicyEdit::InsertStatement { policy, statement, before: None }
    };
    config::openconfig::render_edits(&[edit])
}

pub fn inventory(endpoint: &NetconfEndpoint) -> Inventory {
    Inventory {
        name: "test".into(),
        lab: Some("lab-1".into()),
        own_asn: bgp::Asn(65001),
        own_prefixes: Vec::new(),
        devices: vec![DeviceSpec {
            id: device(),
            hostname: "edge-router-01".into(),
            role: DeviceRole::Edge,
            router_id: [10, 0, 0, 1].into(),
            bmp: None,
            gnmi: None,
            netconf: Some(endpoint.clone()),
        }],
        public_space: Vec::new(),
        providers: Vec::new(),
        exits: Vec::new(),
        groups: Vec::new(),
        ..Inventory::empty("")
    }
}

pub fn executor(endpoint: &NetconfEndpoint, password: &str) -> Executor {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secrets.json");
    std::fs::write(&path, serde_json::json!({ "netconf": password }).to_string()).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    Executor::for_lab(&inventory(endpoint), &Vault::open(&path).unwrap(), "lab-1").unwrap()
}

/// Approves `payload` for the device.
pub fn permit(payload: &str, base_digest: &str) -> Permit {
    let bound = BoundDevice { device: device(), payload_sha256: hex::encode(Sha256::digest(payload)), base_digest: base_digest.to_owned() };
    let binding = PlanBinding { devices: vec![bound], policy_version: 1, twin_seq: 1 };
    let shown_hash = binding.hash();
    let submission = Submission {
        proposal: ProposalId(1),
        action: ActionType::LocalPrefAdjust,
        tier: AutonomyTier::Tier2Approve,
        target: "r1".into(),
        binding,
    };
    let mut queue = Queue::default();
    queue.submit(submission, Duration::from_secs(60), now()).unwrap();
    let by = OperatorId::new("uid:0 root");
    let approval = Approval { by, shown_hash, typed_target: None, automatic: false, change: ChangeId(1) };
    queue.approve(ProposalId(1), approval, now()).unwrap()
}

pub fn commit(payload: &str, token: &str, base_digest: &str, timeout: Duration) -> WireOp {
    WireOp::CommitConfirmed {
        payload: payload.to_owned(),
        token: token.to_owned(),
        confirm_timeout: timeout,
        base_digest: base_digest.to_owned(),
    }
}

pub fn read(payload: &str) -> WireOp {
    WireOp::Read { payload: payload.to_owned() }
}

/// Begins a change with a fresh permit for `payload`.
pub fn begin(executor: &Executor, payload: &str, base_digest: &str) -> Execution {
    executor.begin(permit(payload, base_digest), now()).unwrap()
}
