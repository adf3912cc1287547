//! What the pilot did or decided, for people and for replay. Two runs over one capture give the same events, byte for byte.

use action::{ActionType, AutonomyTier, ChangeId, DeviceId, FindingId, OperatorId, ProposalId};
use serde::{Deserialize, Serialize};
use units::Timestamp;

/// One event with its place in the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Sequence number of the input that caused it.
    pub seq: u64,
    /// Receive time of that input.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub what: Happening,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Happening {
    /// A feed of a device changed state.
    Feed {
        /// Device.
        device: DeviceId,
        /// `bmp` or `gnmi`.
        feed: String,
        /// `initial`, `synced` or `stale`.
        state: String,
        /// The words of whoever ended it, quoted.
        reason: Option<String>,
    },
    /// A known sender fault was corrected for the first time on a device.
    Repaired {
        /// Device.
        device: DeviceId,
        /// Its name.
        repair: String,
    },
    /// A message or reading could not be used.
    Unreadable {
        /// Device.
        device: DeviceId,
        /// What and where.
        why: String,
    },
    /// A device says by syslog that something changed.
    Reported {
        /// What, in its words: tainted.
        report: Box<network::Report>,
        /// Open findings on whose paths the device is.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        findings: Vec<FindingId>,
    },
    /// How far the twin agrees with the routers' own tables.
    Agreement {
        /// Per device: (routes compared, routes equal).
        devices: Vec<(DeviceId, u64, u64)>,
        /// The first differences, in words.
        differences: Vec<String>,
    },
    /// What origin validation goes by changed, expired, or could not be had.
    OriginValidation {
        /// Whether it is known now.
        known: bool,
        /// In words.
        what: String,
    },
    /// Faster probes were asked for.
    Evidence {
        /// Why.
        why: String,
        /// How many probes.
        probes: usize,
        /// Packets per second.
        rate_hz: u32,
        /// For how long.
        seconds: u32,
    },
    /// A watch rule spoke, or is quiet again.
    Watched {
        /// What it said, with the readings it rests on.
        alert: Box<agent::Alert>,
    },
    /// A path is degraded.
    FindingOpened {
        /// Id.
        finding: FindingId,
        /// One sentence with the numbers.
        summary: String,
    },
    /// What devices on the paths of a finding that was just opened had reported shortly before. Near in time, no proof of a cause.
    ChangedBefore {
        /// Id.
        finding: FindingId,
        /// In their words, the newest first: tainted.
        reports: Vec<network::Report>,
    },
    /// A path is as it was.
    FindingCleared {
        /// Id.
        finding: FindingId,
    },
    /// The candidates of a finding were compared.
    Decided {
        /// Finding; `None` for an operator's own proposal.
        finding: Option<FindingId>,
        /// What was chosen.
        chosen: ActionType,
        /// Why, with the numbers.
        rationale: String,
        /// The others: what, and why they lost.
        alternatives: Vec<(String, String)>,
        /// The network in numbers when the question was put; `None` in records from before they were kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        features: Option<perception::Features>,
    },
    /// The guardrails refused.
    Blocked {
        /// What was refused.
        summary: String,
        /// Each reason.
        reasons: Vec<String>,
    },
    /// A proposal waits for an operator.
    Proposed {
        /// Id.
        proposal: ProposalId,
        /// Finding behind it.
        finding: Option<FindingId>,
        /// The card's first sentence.
        summary: String,
        /// Which of the twelve.
        action: ActionType,
        /// Who must agree.
        tier: AutonomyTier,
        /// Hash of the plan; approving names it.
        plan_hash: String,
        /// When it expires.
        expires: Timestamp,
        /// Predicted delay before → after, milliseconds; `None` unknown.
        predicted_delay_ms: Option<(f64, f64)>,
        /// Predicted loss before → after, 0–1.
        predicted_loss: Option<(f64, f64)>,
        /// Prefixes that change exit.
        prefixes_moved: usize,
    },
    /// An operator agreed.
    Approved {
        /// Id.
        proposal: ProposalId,
        /// Who.
        by: OperatorId,
        /// A program agreed on the operator's order.
        automatic: bool,
    },
    /// An operator agreed although the twin may not judge.
    Overridden {
        /// Id.
        proposal: ProposalId,
        /// Who.
        by: OperatorId,
        /// Why, in the operator's words.
        reason: String,
        /// What the twin was doubted for.
        doubts: Vec<String>,
    },
    /// An operator refused.
    Rejected {
        /// Id.
        proposal: ProposalId,
        /// Who.
        by: OperatorId,
        /// Reason code or `unspecified`.
        reason: String,
    },
    /// Nobody answered in time, or the network moved on. Nothing was applied.
    Withdrawn {
        /// Id.
        proposal: ProposalId,
        /// `expired`, `superseded` or why a re-check failed.
        why: String,
    },
    /// A command was refused.
    Refused {
        /// Stable code, `PH-…`.
        code: String,
        /// In words, with the next step.
        why: String,
    },
    /// A change began.
    ChangeStarted {
        /// Id.
        change: ChangeId,
        /// Its proposal.
        proposal: ProposalId,
    },
    /// A step of a change.
    ChangeStep {
        /// Id.
        change: ChangeId,
        /// Device, where the step is on one.
        device: Option<DeviceId>,
        /// What was sent or answered.
        step: String,
    },
    /// The path was measured after a change.
    Measured {
        /// Id.
        change: ChangeId,
        /// Whether the change helped.
        passed: bool,
        /// Delay before → after, milliseconds.
        delay_ms: (Option<f64>, Option<f64>),
        /// Loss before → after, 0–1.
        loss: (Option<f64>, Option<f64>),
        /// In words.
        why: String,
    },
    /// A change ended.
    ChangeFinished {
        /// Id.
        change: ChangeId,
        /// Its proposal.
        proposal: ProposalId,
        /// `confirmed`, `rolled_back`, `failed`, `in_doubt` or `partial`.
        outcome: String,
        /// In words.
        why: String,
    },
    /// What was learned: predicted against measured.
    Learned {
        /// Change.
        change: ChangeId,
        /// Reward, −3…3; `None` when the outcome says nothing about the choice.
        reward: Option<f64>,
        /// Predicted minus measured delay after, milliseconds, where both are known.
        delay_error_ms: Option<f64>,
        /// Prefixes that took the predicted exit: (did, predicted).
        exits: Option<(u64, u64)>,
        /// Paths whose delay came out within its predicted interval: (did, predicted and measured).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        paths_within: Option<(u64, u64)>,
    },
    /// Every change is stopped, or allowed again.
    Killed {
        /// True: stopped.
        stopped: bool,
        /// Who.
        by: OperatorId,
    },
}
