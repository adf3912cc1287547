//! Long work over an immutable picture: agreement, decisions, re-checks. Pure, so that replay computes it again.

use action::{Action, DeviceId, FindingId, ProposalId};
use config::edit;
use decision::{Decision, Settings, View};
use guardrail::TwinCheck;
use network::Network;
use perception::{Finding, Perception};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use twin::{Question, Twin};
use units::{Ratio, Timestamp};

/// Differences named per device; the count goes on.
const DIFFERENCES_TOLD: usize = 8;

/// Which simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub u64);

/// What is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum JobKind {
    /// How far the twin agrees with the routers.
    Agreement,
    /// What to do about a finding.
    Decide {
        /// The finding.
        finding: FindingId,
    },
    /// Whether an approved proposal still does what was approved.
    Recheck {
        /// The proposal.
        proposal: ProposalId,
    },
}

/// A question with everything needed to answer it.
#[derive(Clone, Debug)]
pub struct SimulationJob {
    /// Its number; the answer carries it back.
    pub id: JobId,
    /// The question.
    pub kind: JobKind,
    /// Sequence number of the picture.
    pub seq: u64,
    /// Time of the picture.
    pub now: Timestamp,
    /// The picture.
    pub network: Network,
    /// The judgement.
    pub perception: Perception,
    /// The finding, for a decision.
    pub finding: Option<Finding>,
    /// The action, for a re-check.
    pub action: Option<Action>,
}

/// Agreement of the twin with one router.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AgreementRow {
    /// Routes compared.
    pub compared: u64,
    /// Routes equal.
    pub equal: u64,
    /// The first differences, in words.
    pub differences: Vec<String>,
}

impl AgreementRow {
    /// Returns the share that is equal; 1 for a router without routes.
    #[must_use]
    pub fn ratio(&self) -> Ratio {
        if self.compared == 0 { Ratio::ONE } else { Ratio::of(self.equal, self.compared) }
    }
}

/// A choice with what the guardrails need to judge it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    /// The choice.
    pub decision: Decision,
    /// The twin's checks of the chosen action.
    pub checks: Vec<TwinCheck>,
    /// What the twin does not model and the choice may rest on.
    pub unmodelled: Vec<String>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "answer")]
pub enum SimulationAnswer {
    /// To [`JobKind::Agreement`].
    Agreement {
        /// Per device.
        rows: BTreeMap<DeviceId, AgreementRow>,
    },
    /// To [`JobKind::Decide`].
    Decided {
        /// Agreement of the same twin.
        rows: BTreeMap<DeviceId, AgreementRow>,
        /// The choice.
        decided: Box<Decided>,
    },
    /// To [`JobKind::Recheck`].
    Rechecked {
        /// The twin's checks now.
        checks: Vec<TwinCheck>,
        /// Blast radius now.
        blast: Ratio,
        /// Prefixes that would change exit now.
        moved: u64,
    },
    /// No answer.
    Failed {
        /// Why.
        why: String,
    },
}

/// Answers a question. Deterministic: the same job gives the same answer.
#[must_use]
pub fn simulate(job: &SimulationJob) -> SimulationAnswer {
    let twin = match Twin::build(&job.network) {
        Ok(twin) => twin,
        Err(error) => return SimulationAnswer::Failed { why: error.to_string() },
    };
    let result = match &job.kind {
        JobKind::Agreement => Ok(SimulationAnswer::Agreement { rows: agreement(&twin, &job.network) }),
        JobKind::Decide { .. } => decide(job, &twin),
        JobKind::Recheck { .. } => recheck(job, &twin),
    };
    result.unwrap_or_else(|why| SimulationAnswer::Failed { why })
}

fn view(job: &SimulationJob) -> View<'_> {
    View { network: &job.network, perception: &job.perception, now: job.now }
}

fn decide(job: &SimulationJob, twin: &Twin) -> Result<SimulationAnswer, String> {
    let finding = job.finding.as_ref().ok_or("the finding is gone")?;
    let decision = decision::decide(finding, &view(job), twin, &Settings::default());
    decided(job, twin, decision)
}

fn decided(job: &SimulationJob, twin: &Twin, decision: Decision) -> Result<SimulationAnswer, String> {
    let action = &decision.chosen.action;
    let (checks, unmodelled) = if action.edits.is_empty() {
        (Vec::new(), Vec::new())
    } else {
        let prediction = ask(twin, action)?;
        (checks_of(&prediction), prediction.unmodelled)
    };
    let rows = agreement(twin, &job.network);
    Ok(SimulationAnswer::Decided { rows, decided: Box::new(Decided { decision, checks, unmodelled }) })
}

fn recheck(job: &SimulationJob, twin: &Twin) -> Result<SimulationAnswer, String> {
    let action = job.action.as_ref().ok_or("the action is gone")?;
    for edits in &action.edits {
        let model = job.network.devices.get(&edits.device).and_then(|d| d.config.as_ref()).map(|c| &c.model);
        let model = model.ok_or_else(|| format!("the configuration of {} is not known", edits.device))?;
        edit::inverse(model, &edits.edits).map_err(|e| e.to_string())?;
    }
    let prediction = ask(twin, action)?;
    let moved = prediction.changed.len() as u64;
    Ok(SimulationAnswer::Rechecked { checks: checks_of(&prediction), blast: prediction.blast, moved })
}

fn ask(twin: &Twin, action: &Action) -> Result<twin::Prediction, String> {
    let question = Question { direction: Some(action.direction), ..Question::new(&action.edits, &action.prefixes) };
    twin.ask(&question).map_err(|e| e.to_string())
}

fn checks_of(prediction: &twin::Prediction) -> Vec<TwinCheck> {
    prediction.checks.iter().map(|c| TwinCheck { id: c.id.to_string(), passed: c.passed, detail: c.detail.clone() }).collect()
}

fn agreement(twin: &Twin, network: &Network) -> BTreeMap<DeviceId, AgreementRow> {
    let rows = twin.agreement(network);
    rows.into_iter()
        .map(|(device, a)| {
            let differences = a.differences.iter().take(DIFFERENCES_TOLD).map(ToString::to_string).collect();
            (device, AgreementRow { compared: a.compared, equal: a.equal, differences })
        })
        .collect()
}
