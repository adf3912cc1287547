//! The pilot's whole state: what a capture segment starts with and what the state hash covers.

use crate::{Forecast, JobId, JobKind, Shift};
use action::{ChangeId, DeviceId, FindingId, OperatorId, ProposalId};
use approval::{PermitId, PlanBinding, Queue};
use bgp::Prefix;
use change::{DevicePlan, JournalRecord, Outcome, Saga};
use guardrail::{Counters, GuardPolicy, Mode, TwinCheck};
use network::Network;
use perception::{Perception, Verification};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use units::Timestamp;

/// Finished proposals and changes that are remembered; the ledger keeps all.
pub const HISTORY: usize = 256;

/// What survives a restart, read from the data folder.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resume {
    /// First sequence number to use: after everything that a capture or the ledger knows.
    pub next_seq: u64,
    /// Head of the audit chain.
    pub audit: audit::Chain,
    /// Highest permit number ever burnt.
    pub permits_made: u64,
    /// Highest proposal number ever used.
    pub proposals: u64,
    /// Highest change number ever used.
    pub changes: u64,
    /// Highest finding number ever used.
    pub findings: u64,
    /// Journal records of changes that have no end yet, in the order they were written.
    pub open_changes: Vec<JournalRecord>,
}

/// The pilot's state. Serialises to the same bytes for the same state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PilotState {
    /// Number of the last input handled.
    pub seq: u64,
    /// Receive time of the last input handled.
    pub now: Timestamp,
    /// Mode.
    pub mode: Mode,
    /// The live picture.
    pub network: Network,
    /// Judgements and findings.
    pub perception: Perception,
    /// Limits.
    pub policy: GuardPolicy,
    /// Rates so far.
    pub counters: Counters,
    /// The approval queue.
    pub queue: Queue,
    /// Head of the audit chain.
    pub audit: audit::Chain,
    /// Outcomes and counts.
    pub lessons: learning::Lessons,
    /// Proposals by id.
    pub proposals: BTreeMap<ProposalId, ProposalRecord>,
    /// Changes by id.
    pub changes: BTreeMap<ChangeId, ChangeRecord>,
    /// Simulations that have not answered.
    #[serde(deserialize_with = "units::numbered")]
    pub jobs: BTreeMap<JobId, JobKind>,
    /// The network in numbers at the moment of each question that is to be decided.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "units::numbered")]
    pub asked: BTreeMap<JobId, perception::Features>,
    /// How far the twin agreed, per device, when last computed.
    pub agreement: BTreeMap<DeviceId, crate::AgreementRow>,
    /// When `agreement` was computed; `None`: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement_at: Option<Timestamp>,
    /// Sequence number of the picture that `agreement` was computed from.
    pub agreement_seq: u64,
    /// Last input that could change a routing table.
    pub routing_seq: u64,
    /// When each finding may be decided next.
    pub decide_after: BTreeMap<FindingId, Timestamp>,
    /// When each device's configuration is read next.
    pub config_due: BTreeMap<DeviceId, Timestamp>,
    /// Feed states as last told.
    pub told_feeds: BTreeMap<DeviceId, (String, String)>,
    /// Repairs as last told.
    pub told_repairs: BTreeMap<DeviceId, u64>,
    /// The last refusal that was told, so that it is told once.
    pub told_blocked: BTreeMap<FindingId, String>,
    /// How origin validation stood as last told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_origins: Option<String>,
    /// Where the watch rules stand, and what the agents remember. No decision reads it.
    #[serde(default)]
    pub watch: agent::Watch,
    /// Every change is stopped.
    pub killed: bool,
    /// Last numbers used.
    pub last_job: u64,
    /// Last proposal number.
    pub last_proposal: u64,
    /// Last change number.
    pub last_change: u64,
}

impl PilotState {
    /// Makes the state an engine starts with.
    #[must_use]
    pub fn new(mode: Mode, network: Network, resume: &Resume, now: Timestamp) -> Self {
        let config_due = network.devices.keys().map(|d| (d.clone(), now)).collect();
        Self {
            seq: resume.next_seq,
            now,
            mode,
            network,
            perception: Perception::default().numbered_after(resume.findings),
            policy: GuardPolicy::default(),
            counters: Counters::default(),
            queue: Queue::new(resume.permits_made),
            audit: resume.audit.clone(),
            lessons: learning::Lessons::default(),
            proposals: BTreeMap::new(),
            changes: BTreeMap::new(),
            jobs: BTreeMap::new(),
            asked: BTreeMap::new(),
            agreement: BTreeMap::new(),
            agreement_at: None,
            agreement_seq: 0,
            routing_seq: 0,
            decide_after: BTreeMap::new(),
            config_due,
            told_feeds: BTreeMap::new(),
            told_repairs: BTreeMap::new(),
            told_blocked: BTreeMap::new(),
            told_origins: None,
            watch: agent::Watch::default(),
            killed: false,
            last_job: 0,
            last_proposal: resume.proposals,
            last_change: resume.changes,
        }
    }
}

/// Where a proposal stands beside the queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum ProposalState {
    /// Waits on the queue.
    Waiting,
    /// Somebody agreed; the twin judges once more on the newest picture before anything is granted.
    Rechecking {
        /// Who.
        by: OperatorId,
        /// The plan hash they saw.
        shown_hash: String,
        /// Tier 3: the target as typed.
        typed_target: Option<String>,
        /// A program agreed on the operator's order.
        automatic: bool,
        /// Why they agree although the twin may not judge.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        override_reason: Option<String>,
    },
    /// Being carried out, or over.
    Taken {
        /// The change.
        change: ChangeId,
    },
    /// Over without a change.
    Over {
        /// Why.
        why: String,
    },
}

/// Everything about one proposal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProposalRecord {
    /// Finding behind it; `None` for an operator's own.
    pub finding: Option<FindingId>,
    /// When it was made.
    pub at: Timestamp,
    /// The action, its prediction, the measurement that must confirm it.
    pub proposal: decision::Proposal,
    /// The others, and why they lost.
    pub alternatives: Vec<(String, String)>,
    /// The twin's checks.
    pub checks: Vec<TwinCheck>,
    /// What the twin does not model.
    pub unmodelled: Vec<String>,
    /// Why the devices choose as they do, before and after, line by line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub explanation: Vec<String>,
    /// What the twin expects of all that moves.
    #[serde(default)]
    pub forecast: Forecast,
    /// Concerned prefixes without another way out.
    pub unmovable: Vec<Prefix>,
    /// What the guardrails said.
    pub verdict: guardrail::Verdict,
    /// Exact payload, inverse and base digest per device.
    pub devices: Vec<DevicePlan>,
    /// What an approval is bound to.
    pub binding: PlanBinding,
    /// Where it stands.
    pub state: ProposalState,
}

impl ProposalRecord {
    /// Returns the line about its preflight that goes to a log (S1-106): size, delay and loss, and the checks that speak. No word of a device.
    #[must_use]
    pub fn preflight(&self) -> String {
        let ids = |speaks: &dyn Fn(&TwinCheck) -> bool| {
            let ids: Vec<&str> = self.checks.iter().filter(|c| speaks(c)).map(|c| c.id.as_str()).collect();
            if ids.is_empty() { "none".to_owned() } else { ids.join(" ") }
        };
        let shift = |s: &Option<Shift>, scale: f64, unit: &str| {
            s.as_ref().map_or_else(|| "unknown".to_owned(), |s| format!("{:+.2} {unit}", s.mean * scale))
        };
        let passed = self.checks.iter().all(|c| c.passed);
        format!(
            "{}: blast radius {}, delay {}, loss {}; blocks {}; warnings {}; not judged {}",
            if passed { "pass" } else { "block" },
            self.proposal.prediction.blast,
            shift(&self.forecast.delay_ms, 1.0, "ms"),
            shift(&self.forecast.loss, 100.0, "%"),
            ids(&|c| !c.passed),
            ids(&|c| c.passed && c.standing == guardrail::CheckStanding::Warning),
            ids(&|c| c.passed && c.standing == guardrail::CheckStanding::NotJudged)
        )
    }
}

/// One path after a change, beside what was predicted of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PathOutcome {
    /// Its probe.
    pub probe: network::ProbeKey,
    /// Delay as predicted, milliseconds; `None`: it was not known.
    pub predicted_ms: Option<perception::Interval>,
    /// Delay as measured, milliseconds; `None`: nothing arrived.
    pub measured_ms: Option<f64>,
}

impl PathOutcome {
    /// Says whether the measurement lies in what was predicted; `None`: one of them is not known.
    #[must_use]
    pub fn is_within(&self) -> Option<bool> {
        self.predicted_ms.zip(self.measured_ms).map(|(p, m)| p.contains(m))
    }
}

impl ChangeRecord {
    /// Counts the paths whose delay came out within its predicted interval, of those where both are known; `None`: there are none.
    #[must_use]
    pub fn paths_within(&self) -> Option<(u64, u64)> {
        let known: Vec<bool> = self.paths.iter().filter_map(PathOutcome::is_within).collect();
        let within = known.iter().filter(|w| **w).count();
        (!known.is_empty()).then_some((within as u64, known.len() as u64))
    }
}

/// Everything about one change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeRecord {
    /// Its proposal.
    pub proposal: ProposalId,
    /// When it began.
    pub started: Timestamp,
    /// The machine.
    pub saga: Saga,
    /// The permit it spends.
    pub permit: PermitId,
    /// The measurement under way.
    pub verification: Option<Verification>,
    /// What was measured.
    pub measured: Option<(perception::Measured, bool, String)>,
    /// The same path by path, beside what was predicted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<PathOutcome>,
    /// How it ended.
    pub outcome: Option<Outcome>,
}

impl PilotState {
    /// Names what is still missing before the engine can judge: feeds, configurations, baselines, agreement. Empty: ready.
    #[must_use]
    pub fn not_ready(&self) -> Vec<String> {
        let mut missing = Vec::new();
        let fresh = |f: &network::Freshness| matches!(f, network::Freshness::Synced { .. });
        for spec in &self.network.inventory.devices {
            let Some(d) = self.network.devices.get(&spec.id) else { continue };
            if spec.bmp.is_some() && !fresh(&d.bmp) {
                missing.push(format!("BMP of {}", spec.id));
            }
            if spec.gnmi.is_some() && !fresh(&d.gnmi) {
                missing.push(format!("gNMI of {}", spec.id));
            }
            if spec.netconf.is_some() && d.config.is_none() {
                missing.push(format!("configuration of {}", spec.id));
            }
            match self.agreement.get(&spec.id) {
                Some(row) if row.compared > 0 && row.equal == row.compared => {}
                Some(row) => missing.push(format!("twin agrees with {} on {} of {}", spec.id, row.equal, row.compared)),
                None => missing.push(format!("tables of {}", spec.id)),
            }
        }
        let learned = |k: &network::ProbeKey| self.perception.path_state(k) == perception::PathState::Normal;
        let unlearned = self.network.probes.keys().filter(|k| k.exit.is_some() && !learned(k)).count();
        let expected = self.network.inventory.exits.len() * self.network.inventory.groups.len();
        if unlearned > 0 || self.network.probes.len() < expected {
            missing.push(format!("baseline of {unlearned} of {} paths", self.network.probes.len()));
        }
        missing
    }
}
