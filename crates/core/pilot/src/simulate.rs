//! Long work over an immutable picture: agreement, decisions, re-checks. Pure, so that replay computes it again.

use crate::consequences::consequences;
use action::{Action, AutonomyTier, DeviceId, FindingId, ProposalId};
use bgp::Prefix;
use config::edit;
use decision::{Decision, Settings, View};
use guardrail::{CheckStanding, TwinCheck};
use network::Network;
use perception::{Finding, Interval, Perception};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use twin::{Field, Memory, Picture, Question, Twin, Verdict};
use units::{Ratio, Timestamp};

/// Differences named per device; the count goes on.
const DIFFERENCES_TOLD: usize = 8;

/// Which simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub u64);

impl core::str::FromStr for JobId {
    type Err = core::num::ParseIntError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        s.parse().map(Self)
    }
}

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
    /// What earlier jobs worked out; no answer depends on it.
    pub memory: Arc<Memory>,
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
    /// The same, with their history.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<Drift>,
}

/// One object on which twin and router differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// The prefix.
    pub prefix: Prefix,
    /// What differs.
    pub field: Field,
    /// Both values, in words.
    pub what: String,
    /// Seen since; a difference that goes and comes back is new.
    pub since: Timestamp,
    /// The known action that explains it; `None`: none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explained: Option<String>,
}

impl core::fmt::Display for Drift {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let explained = self.explained.as_deref().unwrap_or("no known action explains it");
        write!(f, "{}, since {} ({explained})", self.what, self.since)
    }
}

impl AgreementRow {
    /// Returns the share that is equal; 1 for a router without routes.
    #[must_use]
    pub fn ratio(&self) -> Ratio {
        if self.compared == 0 { Ratio::ONE } else { Ratio::of(self.equal, self.compared) }
    }
}

/// How a quantity of what moves changes, as the twin expects it from measured paths.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shift {
    /// Mean of the change.
    pub mean: f64,
    /// 95 % interval around it.
    pub interval: Interval,
    /// Moves with a measurement on both sides.
    pub known: u64,
    /// Moves without: nothing is said of them.
    pub unknown: u64,
    /// Moves weigh what their measured volume is; otherwise every prefix counts the same.
    pub by_volume: bool,
}

impl From<&twin::Figure> for Shift {
    fn from(f: &twin::Figure) -> Self {
        let interval = Interval::new(f.low, f.high);
        Self { mean: f.value, interval, known: f.known as u64, unknown: f.unknown as u64, by_volume: f.weighted_by == "volume" }
    }
}

/// What the twin expects of all that moves, whatever the finding was about. Absent: not known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// Delay, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<Shift>,
    /// Loss, −1…1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<Shift>,
    /// What else comes of it, a line each: ways, what neighbours are told, how long it takes, what is judged by its worst case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consequences: Vec<String>,
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
    /// Why the devices choose as they do, before and after, line by line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub explanation: Vec<String>,
    /// What the twin expects of all that moves.
    #[serde(default)]
    pub forecast: Forecast,
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

/// Answers a question on a number of threads, which the caller chooses. Deterministic: the same job gives the same answer with any.
#[must_use]
pub fn simulate(job: &SimulationJob, threads: usize) -> SimulationAnswer {
    let picture = match Picture::of(&job.network) {
        Ok(picture) => picture.measured(decision::path_metrics(&view(job))),
        Err(error) => return SimulationAnswer::Failed { why: error.to_string() },
    };
    let twin = Twin::new(&picture).on_threads(threads);
    let result = match &job.kind {
        // asks what is, not what would be
        JobKind::Agreement => Ok(SimulationAnswer::Agreement { rows: agreement(&twin, job) }),
        JobKind::Decide { .. } => decide(job, &twin.with_memory(&job.memory)),
        JobKind::Recheck { .. } => recheck(job, &twin.with_memory(&job.memory)),
    };
    result.unwrap_or_else(|why| SimulationAnswer::Failed { why })
}

fn view(job: &SimulationJob) -> View<'_> {
    View { network: &job.network, perception: &job.perception, now: job.now }
}

fn decide(job: &SimulationJob, twin: &Twin<'_>) -> Result<SimulationAnswer, String> {
    let finding = job.finding.as_ref().ok_or("the finding is gone")?;
    let decision = decision::decide(finding, &view(job), twin, &Settings::default());
    decided(job, twin, decision)
}

fn decided(job: &SimulationJob, twin: &Twin<'_>, mut decision: Decision) -> Result<SimulationAnswer, String> {
    let action = &mut decision.chosen.action;
    let (checks, unmodelled, explanation, forecast) = if action.edits.is_empty() {
        (Vec::new(), Vec::new(), Vec::new(), Forecast::default())
    } else {
        let p = ask(twin, action)?;
        // the devices are written in an order in which the network is sound after each
        action.edits.sort_by_key(|e| p.order.iter().position(|d| *d == e.device));
        let forecast = Forecast {
            delay_ms: p.delay_ms.as_ref().map(Into::into),
            loss: p.loss.as_ref().map(Into::into),
            consequences: consequences(&p),
        };
        (checks_of(&p), p.unmodelled, p.explanation, forecast)
    };
    let rows = agreement(twin, job);
    Ok(SimulationAnswer::Decided { rows, decided: Box::new(Decided { decision, checks, unmodelled, explanation, forecast }) })
}

fn recheck(job: &SimulationJob, twin: &Twin<'_>) -> Result<SimulationAnswer, String> {
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

fn ask(twin: &Twin<'_>, action: &Action) -> Result<twin::Prediction, String> {
    let question = Question { kind: Some(action.kind), ..Question::new(&action.edits, &action.prefixes) };
    twin.ask(&question).map_err(|e| e.to_string())
}

fn checks_of(prediction: &twin::Prediction) -> Vec<TwinCheck> {
    let check = |c: &twin::Check| {
        let detail = match c.verdict {
            Verdict::NotJudged => format!("not judged: {}", c.sentence),
            Verdict::Warn => format!("warning: {}", c.sentence),
            Verdict::Pass | Verdict::Block => c.sentence.clone(),
        };
        let tier = c.tier.map(|tier| match tier {
            1 => AutonomyTier::Tier1Auto,
            2 => AutonomyTier::Tier2Approve,
            _ => AutonomyTier::Tier3Manual,
        });
        let standing = match c.verdict {
            Verdict::NotJudged => CheckStanding::NotJudged,
            Verdict::Warn => CheckStanding::Warning,
            Verdict::Pass | Verdict::Block => CheckStanding::Judged,
        };
        TwinCheck { id: c.id.to_string(), passed: c.verdict != Verdict::Block, standing, detail, tier }
    };
    prediction.checks.iter().map(check).collect()
}

fn agreement(twin: &Twin<'_>, job: &SimulationJob) -> BTreeMap<DeviceId, AgreementRow> {
    let rows = twin.agreement(&job.network);
    rows.into_iter()
        .map(|(device, a)| {
            let differences = a.differences.iter().take(DIFFERENCES_TOLD).map(ToString::to_string).collect();
            let drift =
                |d: &twin::Difference| Drift { prefix: d.prefix, field: d.field, what: d.to_string(), since: job.now, explained: None };
            let drift = a.differences.iter().map(drift).collect();
            (device, AgreementRow { compared: a.compared, equal: a.equal, differences, drift })
        })
        .collect()
}
