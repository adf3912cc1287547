//! The commands.

use crate::exports::ExportView;
use crate::gnmi_feed::{CertificateView, SubscriptionView};
use crate::health::HealthRows;
use crate::import::Imports;
use crate::lab::{LabControl, StrikeArguments};
use crate::replay::{REPLAY, ReplayArguments, ReplayView, Told};
use crate::timeline::Timeline;
use crate::twin::{OutcomeView, TwinView, ValidationView};
use crate::view::{
    AgreementView, ApiError, ApproveArguments, ChangeView, CheckView, DeviceView, FindingView, PayloadView, ProbeView, ProposalRow,
    ProposalView, RejectArguments, ReportView, StatusView,
};
use crate::{agents, intake, peers, routes, saved, sentence, series, topics, topology, volumes, why};
use action::{DeviceId, OperatorId, ProposalId};
use approval::Status;
use network::{Freshness, SessionState};
use perception::HealthScore;
use pilot::{Command, Event, Happening, PilotState, ProposalState};
use runtime::{Handle, Player, Stopped, Topics};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::{Stream, StreamExt};
use ts_rs::TS;

/// How long an approval's re-check on the twin is waited for.
const RECHECK_WITHIN: Duration = Duration::from_secs(8);
/// Window of the numbers in [`ProbeView`], seconds.
const PROBE_WINDOW_S: u32 = 10;

/// Every command, in snake case on every door. The window's list is made from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub enum CommandName {
    /// The engine at a glance.
    Status,
    /// What came in so far, and the network in numbers.
    Intake,
    /// The BGP sessions of one router.
    Peers,
    /// Routes of one router, by view and peer.
    Routes,
    /// Why a router chose the path that it has.
    Explain,
    /// How much goes where, and the doors for flow export and syslog.
    Volumes,
    /// How the exports to programs of others stand.
    Exports,
    /// Every probe, the last ten seconds.
    Probes,
    /// The network as a drawing.
    Topology,
    /// One prefix or address in every router's table.
    Prefix,
    /// Paths, loads and health scores over time, after a moment.
    Health,
    /// Events in sentences after a number.
    Timeline,
    /// Proposals that wait.
    Proposals,
    /// Every proposal that is remembered.
    History,
    /// One proposal as the card shows it.
    Proposal,
    /// Agrees to one.
    Approve,
    /// Refuses one.
    Reject,
    /// Stops every change.
    Kill,
    /// Allows changes again.
    Resume,
    /// Every device's agent.
    Agents,
    /// One of them.
    Agent,
    /// Asks one a question.
    Chat,
    /// The laboratory, if there is one.
    Lab,
    /// Lets a fault happen in it.
    LabStrike,
    /// Undoes every fault.
    LabRestore,
    /// Where the replay stands, if this is one.
    Replay,
    /// Runs, stops, hurries or sets its clock.
    ReplayControl,
    /// Counts of the topics.
    Topics,
    /// Messages of one topic.
    Topic,
    /// How the stored series stand.
    Series,
    /// Points or buckets of one measurement.
    Measurement,
    /// The file of others at hand, if there is one.
    Import,
    /// Begins to look at a file.
    ImportLook,
    /// Begins to make the BMP of a file a capture.
    ImportCapture,
    /// Ends what is under way with a file.
    ImportCancel,
    /// The network as a case of `pilotctl twin`.
    TwinCase,
}

/// The use cases over one engine.
#[derive(Clone)]
pub struct Api {
    engine: Handle,
    timeline: Timeline,
    health: HealthRows,
    lab: Option<Arc<dyn LabControl>>,
    player: Option<Arc<Player>>,
    exports: Option<Arc<dyn Fn() -> Vec<ExportView> + Send + Sync>>,
    imports: Imports,
    /// When these use cases were made: tells engines apart.
    made: u128,
}

/// Does what takes a while beside the runtime's threads.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T, ApiError> + Send + 'static) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(|e| ApiError::new("PH-API-500", e.to_string()))?
}

impl From<Stopped> for ApiError {
    fn from(stopped: Stopped) -> Self {
        Self::new("PH-API-503", stopped.to_string())
    }
}

impl Api {
    /// Makes the use cases of an engine. Must be called inside a runtime: the timeline and the charts listen from now on.
    #[must_use]
    pub fn new(engine: Handle) -> Self {
        let timeline = Timeline::default();
        tokio::spawn(timeline.clone().follow(engine.events()));
        let health = HealthRows::default();
        tokio::spawn(health.clone().follow(engine.clone()));
        let captures = engine.folder().map(|f| f.join("captures"));
        let imports = Imports::to(captures);
        Self { engine, timeline, health, lab: None, player: None, exports: None, imports, made: made() }
    }

    /// Makes the use cases of a capture that is played. Must be called inside a runtime.
    ///
    /// # Errors
    /// [`capture::CaptureError`] when the file cannot be played.
    pub async fn replaying(file: &Path) -> Result<Self, capture::CaptureError> {
        let (timeline, health) = (Timeline::default(), HealthRows::default());
        let told = Told { timeline: timeline.clone(), health: health.clone() };
        let player = Arc::new(Player::open(file, told).await?);
        let (engine, imports) = (player.handle(), Imports::default());
        Ok(Self { engine, timeline, health, lab: None, player: Some(player), exports: None, imports, made: made() })
    }

    /// Gives the folder that imported captures are written to; an engine that watches devices has its own.
    #[must_use]
    pub fn with_captures(self, folder: PathBuf) -> Self {
        Self { imports: Imports::to(Some(folder)), ..self }
    }

    /// Gives the laboratory that the engine watches.
    #[must_use]
    pub fn with_lab(self, lab: Option<Arc<dyn LabControl>>) -> Self {
        Self { lab, ..self }
    }

    /// Gives a look at the exports.
    #[must_use]
    pub fn with_exports(self, look: Arc<dyn Fn() -> Vec<ExportView> + Send + Sync>) -> Self {
        Self { exports: Some(look), ..self }
    }

    /// Carries out one command by name; arguments and answer are JSON.
    ///
    /// # Errors
    /// [`ApiError`] with its code and the next step.
    pub async fn call(&self, operator: &str, command: &str, arguments: &[u8]) -> Result<Value, ApiError> {
        let name = serde_json::from_value(Value::String(command.to_owned()));
        match name.map_err(|_| ApiError::new("PH-API-400", format!("there is no command {command:?}")))? {
            CommandName::Status => {
                let mut view = self.engine.read(status).await?;
                view.epoch = format!("{}", self.made);
                if let Some((last, most)) = self.engine.twin_refresh() {
                    (view.twin.refresh_ms, view.twin.refresh_ms_max) = (Some(last.as_secs_f64() * 1e3), Some(most.as_secs_f64() * 1e3));
                }
                if let Some(player) = &self.player {
                    view.mode = REPLAY.to_owned();
                    view.epoch = format!("{}.{}", self.made, player.position().run);
                }
                answer(&view)
            }
            CommandName::Intake => {
                let mut view = self.engine.read(intake::intake).await?;
                let topics = self.engine.topics().map(Topics::stats).unwrap_or_default();
                view.topics = topics.into_iter().map(|t| (t.topic, t.published)).collect();
                answer(&view)
            }
            CommandName::Peers => {
                let asked: String = parse(arguments)?;
                answer(&self.engine.read(move |s| peers::peers(s, &asked)).await??)
            }
            CommandName::Routes => {
                let wanted: routes::RoutesArguments = parse(arguments)?;
                // a copy costs little, going over a full table does not
                let (network, now) = self.engine.read(|s| (s.network.clone(), s.now)).await?;
                answer(&aside(move || routes::routes(&network, now, &wanted)).await?)
            }
            CommandName::Explain => {
                let wanted: why::ExplainArguments = parse(arguments)?;
                let network = self.engine.read(|s| s.network.clone()).await?;
                answer(&aside(move || why::explain(&network, &wanted)).await?)
            }
            CommandName::Volumes => {
                let mut view = self.engine.read(volumes::volumes).await?;
                view.doors = volumes::doors(self.engine.doors());
                answer(&view)
            }
            CommandName::Exports => answer(&self.exports.as_ref().map(|look| look()).unwrap_or_default()),
            CommandName::Probes => answer(&self.engine.read(probes).await?),
            CommandName::Topology => answer(&self.engine.read(topology::topology).await?),
            CommandName::Prefix => {
                let asked: String = parse(arguments)?;
                let none = ApiError::new("PH-API-404", format!("no table has a route to {asked:?}; give a prefix or an address"));
                let found = self.engine.read(move |s| topology::prefix(s, &asked)).await?;
                answer(&found.ok_or(none)?)
            }
            CommandName::Health => answer(&self.health.since(parse(arguments)?)),
            CommandName::Timeline => answer(&self.timeline.since(parse(arguments)?)),
            CommandName::History => answer(&self.engine.read(history).await?),
            CommandName::Agents => answer(&self.engine.read(agents::agents).await?),
            CommandName::Agent => {
                let asked: String = parse(arguments)?;
                answer(&self.engine.read(move |s| agents::agent(s, &asked)).await??)
            }
            CommandName::Chat => {
                let a: agents::ChatArguments = parse(arguments)?;
                let asked = self.engine.read(move |s| agents::ask(s, a)).await??;
                answer(&aside(move || asked.answer()).await?)
            }
            CommandName::Replay => answer(&self.player.as_deref().map(ReplayView::of)),
            CommandName::ReplayControl => {
                let wanted: ReplayArguments = parse(arguments)?;
                let none = || ApiError::new("PH-API-404", "this engine replays no capture; see `pilotctl serve --replay`");
                let player = self.player.as_ref().ok_or_else(none)?;
                wanted.carry_out(player).await;
                answer(&ReplayView::of(player))
            }
            CommandName::Topics => answer(&topics::topics(self.topics()?)),
            CommandName::Topic => answer(&topics::messages(self.topics()?, parse(arguments)?).await?),
            CommandName::Series => answer(&series::series(&self.engine).await?),
            CommandName::Measurement => answer(&series::measurement(&self.engine, parse(arguments)?).await?),
            CommandName::Import => answer(&self.imports.view()),
            CommandName::ImportLook => answer(&self.imports.look(&parse(arguments)?)?),
            CommandName::ImportCapture => answer(&self.imports.import(&parse(arguments)?)?),
            CommandName::ImportCancel => answer(&self.imports.cancel()),
            CommandName::TwinCase => {
                let look = |s: &PilotState| saved::Drawn { network: s.network.clone(), perception: s.perception.clone(), now: s.now };
                let drawn = self.engine.read(look).await?;
                answer(&aside(move || drawn.saved()).await?)
            }
            CommandName::Lab => answer(&self.lab.as_ref().map(|lab| lab.view())),
            CommandName::LabStrike => {
                let a: StrikeArguments = parse(arguments)?;
                answer(&self.disturb(move |lab| lab.strike(&a.name, &a.parameters)).await?)
            }
            CommandName::LabRestore => answer(&self.disturb(|lab| lab.restore()).await?),
            CommandName::Proposals => answer(&self.engine.read(waiting).await?),
            CommandName::Proposal => {
                let id: ProposalId = parse(arguments)?;
                let found = self.engine.read(move |s| proposal(s, id)).await?;
                answer(&found.ok_or_else(|| ApiError::new("PH-API-404", format!("there is no proposal {id}; see `pilotctl queue list`")))?)
            }
            CommandName::Approve => {
                let a: ApproveArguments = parse(arguments)?;
                answer(&self.approve(operator, a, false).await?)
            }
            CommandName::Reject => {
                let a: RejectArguments = parse(arguments)?;
                let command = Command::Reject { proposal: a.id, reason: a.reason };
                answer(&told(self.engine.submit(OperatorId::new(operator), command).await?)?)
            }
            CommandName::Kill => answer(&told(self.engine.submit(OperatorId::new(operator), Command::Kill).await?)?),
            CommandName::Resume => answer(&told(self.engine.submit(OperatorId::new(operator), Command::Resume).await?)?),
        }
    }

    fn topics(&self) -> Result<&Topics, ApiError> {
        self.engine.topics().ok_or_else(|| ApiError::new("PH-API-404", "a capture that is played has no topics; see its events"))
    }

    async fn disturb<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn LabControl) -> Result<T, String> + Send + 'static,
    ) -> Result<T, ApiError> {
        let lab = self.lab.clone().ok_or_else(|| ApiError::new("PH-API-404", "this engine watches no laboratory"))?;
        let done = tokio::task::spawn_blocking(move || work(lab.as_ref())).await;
        done.map_err(|e| ApiError::new("PH-API-500", e.to_string()))?.map_err(|why| ApiError::new("PH-LAB-008", why))
    }

    /// Agrees to a proposal and waits until the twin has looked at it once more; returns what happened, in sentences.
    ///
    /// # Errors
    /// [`ApiError`] when it was refused or withdrawn.
    pub async fn approve(&self, operator: &str, a: ApproveArguments, automatic: bool) -> Result<Vec<String>, ApiError> {
        let mut events = self.engine.events();
        let command = Command::Approve {
            proposal: a.id,
            shown_hash: a.plan_hash,
            typed_target: a.typed_target,
            automatic,
            override_reason: a.override_reason,
        };
        let mut said = told(self.engine.submit(OperatorId::new(operator), command).await?)?;
        if !said.is_empty() {
            return Ok(said);
        }
        let decided = async {
            while let Ok(event) = events.recv().await {
                match &event.what {
                    Happening::Approved { proposal, .. } if *proposal == a.id => return Ok(sentence(&event)),
                    Happening::Withdrawn { proposal, .. } if *proposal == a.id => {
                        return Err(ApiError::new("PH-API-409", sentence(&event)));
                    }
                    Happening::Refused { code, why } => return Err(ApiError::new(code, why.clone())),
                    _ => {}
                }
            }
            Err(ApiError::from(Stopped))
        };
        match tokio::time::timeout(RECHECK_WITHIN, decided).await {
            Ok(result) => said.push(result?),
            Err(_) => {
                return Err(ApiError::new(
                    "PH-API-504",
                    format!("the re-check of {} takes longer than usual; follow it with `pilotctl events`", a.id),
                ));
            }
        }
        Ok(said)
    }

    /// Returns the events from now on, one JSON object a line. A listener that lags is told how many it missed.
    pub fn event_lines(&self) -> impl Stream<Item = Result<String, std::convert::Infallible>> + Send + use<> {
        BroadcastStream::new(self.engine.events()).map(|event| {
            let line = match event {
                Ok(event) => serde_json::to_string(&event).unwrap_or_else(|e| format!("{{\"event\":\"error\",\"why\":\"{e}\"}}")),
                Err(lag) => format!("{{\"event\":\"lagged\",\"why\":\"{lag}\"}}"),
            };
            Ok(line + "\n")
        })
    }
}

fn parse<T: DeserializeOwned>(arguments: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(arguments).map_err(|e| ApiError::new("PH-API-422", format!("the arguments do not fit: {e}")))
}

fn answer<T: Serialize>(value: &T) -> Result<Value, ApiError> {
    serde_json::to_value(value).map_err(|e| ApiError::new("PH-API-500", format!("the answer cannot be written: {e}")))
}

/// Turns what a command caused into sentences, or into the refusal among it.
fn told(events: Vec<Event>) -> Result<Vec<String>, ApiError> {
    for event in &events {
        if let Happening::Refused { code, why } = &event.what {
            return Err(ApiError::new(code, why.clone()));
        }
    }
    Ok(events.iter().map(sentence).collect())
}

pub(crate) fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn feed(f: Freshness) -> String {
    match f {
        Freshness::Unknown => "none",
        Freshness::Initial { .. } => "initial",
        Freshness::Synced { .. } => "synced",
        Freshness::Stale { .. } => "stale",
    }
    .to_owned()
}

/// Returns the health score of a device that reports. What one reported that is silent now, or never did, is no score.
pub fn health_of(s: &PilotState, device: &DeviceId) -> Option<HealthScore> {
    let state = s.network.devices.get(device)?;
    (!state.gnmi_is_stale(s.now)).then(|| s.perception.health(&s.network, device)).flatten()
}

fn made() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()
}

/// What twin and router differ on, with since when and what explains it; as it was recorded where that is not known.
fn drift(row: &pilot::AgreementRow) -> Vec<String> {
    if row.drift.is_empty() { row.differences.clone() } else { row.drift.iter().map(ToString::to_string).collect() }
}

pub(crate) fn status(s: &PilotState) -> StatusView {
    let devices = s.network.inventory.devices.iter().filter_map(|spec| {
        let d = s.network.devices.get(&spec.id)?;
        let up = d.sessions.values().filter(|x| x.state == SessionState::Established).count();
        Some(DeviceView {
            id: spec.id.to_string(),
            hostname: spec.hostname.clone(),
            bmp: feed(d.bmp),
            gnmi: feed(d.gnmi),
            subscriptions: SubscriptionView::of(&d.gnmi_session),
            gnmi_warnings: d.gnmi_session.warnings.clone(),
            certificates: CertificateView::of(&d.gnmi_session, s.now),
            configured: d.config.is_some(),
            sessions: (count(up), count(d.sessions.len())),
            health: health_of(s, &spec.id).map(|h| h.score.get()),
            agreement: s.agreement.get(&spec.id).map(|a| AgreementView {
                equal: a.equal,
                compared: a.compared,
                differences: drift(a),
                as_of: crate::peers::as_of(d, s.now).map(|t| t.to_string()),
            }),
            repairs: d.repairs.iter().map(|(n, r)| (n.clone(), r.count)).collect(),
            malformed: d.malformed,
            churn: s.network.churn(&spec.id, s.now).map(Into::into),
        })
    });
    let findings = s.perception.findings().map(|f| FindingView {
        id: f.id.to_string(),
        provider: f.provider.to_string(),
        kind: format!("{:?}", f.kind),
        since: f.since.to_string(),
        summary: decision::trouble(&s.network, f),
        changes: perception::recent_changes(f, &s.network, s.now).into_iter().map(|r| ReportView::of(r, f.since)).collect(),
    });
    StatusView {
        mode: s.mode.to_string(),
        epoch: String::new(),
        site: s.network.inventory.name.clone(),
        time: s.now.to_string(),
        seq: s.seq,
        devices: devices.collect(),
        findings: findings.collect(),
        waiting: count(s.queue.pending().count()),
        changing: count(s.changes.values().filter(|c| c.outcome.is_none()).count()),
        prefixes: count(s.network.prefixes_known()),
        bogons: s.network.bogons().iter().map(|(k, p)| format!("{p} from {} on {}", k.neighbor, k.device)).collect(),
        killed: s.killed,
        twin: TwinView::of(s),
        validation: ValidationView::of(s),
    }
}

/// Names the state of a path (`normal`).
pub(crate) fn path_state(s: &PilotState, key: &network::ProbeKey) -> String {
    format!("{:?}", s.perception.path_state(key)).split([' ', '{']).next().unwrap_or_default().to_lowercase()
}

fn probes(s: &PilotState) -> Vec<ProbeView> {
    s.network
        .probes
        .keys()
        .map(|key| {
            let w = s.network.probe_window(key, s.now, PROBE_WINDOW_S);
            ProbeView { name: key.name(), state: path_state(s, key), delay_ms: w.delay_ms, loss: w.loss, packets: w.sent }
        })
        .collect()
}

/// Every proposal that is remembered, newest first.
fn history(s: &PilotState) -> Vec<ProposalRow> {
    let row = |id: &ProposalId| {
        let view = proposal(s, *id)?;
        let time = s.proposals.get(id)?.at.to_string();
        let outcome = view.change.as_ref().and_then(|c| c.outcome.clone());
        Some(ProposalRow { id: *id, time, status: view.status, summary: view.summary, expires: view.expires, outcome })
    };
    s.proposals.keys().rev().filter_map(row).collect()
}

fn waiting(s: &PilotState) -> Vec<ProposalView> {
    s.queue.pending().filter_map(|i| proposal(s, i.submission.proposal)).collect()
}

const fn stage(stage: &change::Stage) -> &'static str {
    match stage {
        change::Stage::Ready => "ready",
        change::Stage::Committing { .. } => "committing",
        change::Stage::Verifying { .. } => "verifying",
        change::Stage::Confirming { .. } => "confirming",
        change::Stage::Reverting { .. } => "reverting",
        change::Stage::Finished { .. } => "finished",
    }
}

fn proposal(s: &PilotState, id: ProposalId) -> Option<ProposalView> {
    let (record, item) = (s.proposals.get(&id)?, s.queue.get(id)?);
    let p = &record.proposal.prediction;
    let means = |a: Option<&perception::Estimate>, b: Option<&perception::Estimate>| Some((a?.mean, b?.mean));
    let change = match &record.state {
        ProposalState::Taken { change } => s.changes.get(change).map(|c| ChangeView {
            id: change.to_string(),
            stage: stage(c.saga.stage()).to_owned(),
            reverts_at: c.saga.reverts_at().map(|t| t.to_string()),
            outcome: c.outcome.as_ref().map(|o| o.name().to_owned()),
            why: c.outcome.as_ref().and_then(|o| o.why()).map(ToString::to_string),
            measured: OutcomeView::of(s, *change, c),
        }),
        _ => None,
    };
    Some(ProposalView {
        id,
        status: match &item.status {
            Status::Pending => "waiting",
            Status::Granted { .. } => "approved",
            Status::Rejected { .. } => "rejected",
            Status::Expired { .. } => "expired",
            Status::Superseded { .. } => "withdrawn",
        }
        .to_owned(),
        withdrawn: match &item.status {
            Status::Superseded { why, .. } => Some(why.clone()),
            _ => None,
        },
        action: record.proposal.action.kind,
        tier: record.verdict.final_tier.number(),
        summary: record.proposal.summary.clone(),
        plan_hash: item.plan_hash.clone(),
        expires: item.expires.to_string(),
        finding: record.finding.map(|f| f.to_string()),
        proposed: record.at.to_string(),
        evidence: record.proposal.evidence.iter().map(Into::into).collect(),
        predicted_delay_ms: means(p.delay_before_ms.as_ref(), p.delay_after_ms.as_ref()),
        predicted_loss: means(p.loss_before.as_ref(), p.loss_after.as_ref()),
        forecast: (&record.forecast).into(),
        blast: p.blast.get(),
        confidence: match record.proposal.confidence {
            decision::Confidence::Unknown => "unknown".to_owned(),
            decision::Confidence::Calibrated { share, outcomes } => format!("{share} of {outcomes}"),
        },
        moves: p
            .moves
            .iter()
            .map(|m| (m.prefix.to_string(), m.from.to_string(), m.to.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")))
            .collect(),
        checks: record.checks.iter().map(CheckView::of).collect(),
        guard: record.verdict.violations.iter().map(ToString::to_string).collect(),
        loads: p.loads.iter().map(|l| (l.exit.to_string(), l.now_bps, l.after_bps, l.capacity_bps)).collect(),
        alternatives: record.alternatives.clone(),
        unmovable: record.unmovable.iter().map(ToString::to_string).collect(),
        unknown: p.unknown.iter().chain(record.unmodelled.iter().filter(|u| !p.unknown.contains(u))).cloned().collect(),
        explanation: record.explanation.clone(),
        doubts: if item.status == Status::Pending { pilot::doubts(s) } else { Vec::new() },
        payloads: record
            .devices
            .iter()
            .map(|d| PayloadView {
                device: d.device.to_string(),
                payload: d.payload.clone(),
                sha256: d.payload_sha256.clone(),
                inverse: d.inverse_payload.clone(),
            })
            .collect(),
        change,
    })
}
