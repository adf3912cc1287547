//! Shapes that people and the window see. Times are RFC 3339 in UTC, ratios 0–1, units stand in the names.

use crate::churn::ChurnView;
use crate::evidence::EvidenceView;
use crate::gnmi_feed::{CertificateView, SubscriptionView};
use crate::twin::{ForecastView, OutcomeView, TwinView, ValidationView};
use action::{ActionType, ProposalId};
use core::fmt;
use guardrail::CheckStanding;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Why a use case did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct ApiError {
    /// Stable code, `PH-…`.
    pub code: String,
    /// In words, with the next step.
    pub why: String,
}

impl ApiError {
    /// Makes an error.
    #[must_use]
    pub fn new(code: &str, why: impl Into<String>) -> Self {
        Self { code: code.to_owned(), why: why.into() }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.why)
    }
}

/// What `approve` is told.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct ApproveArguments {
    /// Which proposal.
    #[ts(type = "string")]
    pub id: ProposalId,
    /// Hash of the plan that was shown.
    pub plan_hash: String,
    /// Tier 3: the target as typed.
    pub typed_target: Option<String>,
    /// Why it is agreed to although the twin may not judge; recorded.
    #[serde(default)]
    pub override_reason: Option<String>,
}

/// What `reject` is told.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct RejectArguments {
    /// Which proposal.
    #[ts(type = "string")]
    pub id: ProposalId,
    /// Reason code; without one `unspecified`.
    pub reason: Option<String>,
}

/// The engine at a glance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct StatusView {
    /// `SHADOW`, `LAB`, `LIVE` or `REPLAY`.
    pub mode: String,
    /// Changes when what was told before is void: another engine, or a replay that began again.
    pub epoch: String,
    /// Site or lab.
    pub site: String,
    /// Time of the last input.
    pub time: String,
    /// Number of the last input.
    #[ts(type = "number")]
    pub seq: u64,
    /// Devices.
    pub devices: Vec<DeviceView>,
    /// Open findings.
    pub findings: Vec<FindingView>,
    /// Proposals that wait.
    pub waiting: u32,
    /// Changes under way.
    pub changing: u32,
    /// Known prefixes.
    pub prefixes: u32,
    /// Routes on eBGP sessions that should not be there: session and prefix.
    pub bogons: Vec<String>,
    /// Every change is stopped.
    pub killed: bool,
    /// How the twin stands.
    #[serde(default)]
    pub twin: TwinView,
    /// What origin validation goes by; `None`: no source of VRPs is named, and it is not known.
    #[serde(default)]
    pub validation: Option<ValidationView>,
}

/// One router.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct DeviceView {
    /// Id.
    pub id: String,
    /// Host name.
    pub hostname: String,
    /// BMP feed: `none`, `initial`, `synced` or `stale`.
    pub bmp: String,
    /// gNMI feed.
    pub gnmi: String,
    /// Its gNMI subscriptions, in the order asked for; empty before the first stream.
    #[serde(default)]
    pub subscriptions: Vec<SubscriptionView>,
    /// What the gNMI stream had to put up with, with codes.
    #[serde(default)]
    pub gnmi_warnings: Vec<String>,
    /// The certificates of the gNMI connection, the target's first.
    #[serde(default)]
    pub certificates: Vec<CertificateView>,
    /// The configuration was read.
    pub configured: bool,
    /// Sessions established, of all.
    pub sessions: (u32, u32),
    /// Health score 0–1, with what it lost.
    pub health: Option<f64>,
    /// Agreement of the twin.
    pub agreement: Option<AgreementView>,
    /// Sender faults corrected: name and count.
    #[ts(type = "[string, number][]")]
    pub repairs: Vec<(String, u64)>,
    /// Messages that could not be decoded.
    #[ts(type = "number")]
    pub malformed: u64,
    /// How what its peers announced to it changed; absent before a table was complete; from BMP.
    #[serde(default)]
    pub churn: Option<ChurnView>,
}

/// Agreement of the twin with one router.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct AgreementView {
    /// Routes equal.
    #[ts(type = "number")]
    pub equal: u64,
    /// Routes compared.
    #[ts(type = "number")]
    pub compared: u64,
    /// The first differences.
    pub differences: Vec<String>,
    /// No feed of the router lives: the comparison is with what it told until then.
    #[serde(default)]
    pub as_of: Option<String>,
}

/// One open finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct FindingView {
    /// Id.
    pub id: String,
    /// Provider.
    pub provider: String,
    /// Kind of trouble.
    pub kind: String,
    /// Since when.
    pub since: String,
    /// One sentence.
    pub summary: String,
    /// What the devices on its paths reported by syslog from a quarter of an hour before the trouble on, the newest first. Near in time, no
    /// proof of a cause.
    #[serde(default)]
    pub changes: Vec<ReportView>,
}

/// What a device reported by syslog. Its words are shown as text only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct ReportView {
    /// Who.
    pub device: String,
    /// When it came, by our clock.
    pub time: String,
    /// Seconds after the first unusual sample; negative: before it.
    #[ts(type = "number")]
    pub after_s: i64,
    /// What: `config_committed`, `neighbor_down`, `optics_alarm` and so on.
    pub kind: String,
    /// Who changed a configuration, where it is told.
    pub user: Option<String>,
    /// The whole in one sentence, the device's words quoted in it.
    pub text: String,
}

impl ReportView {
    /// Shows a report beside a trouble that began at `since`.
    pub(crate) fn of(report: &network::Report, since: units::Timestamp) -> Self {
        Self {
            device: report.device.to_string(),
            time: report.at.to_string(),
            after_s: report.at.nanos().saturating_sub(since.nanos()) / 1_000_000_000,
            kind: serde_json::json!(report.kind).as_str().unwrap_or_default().to_owned(),
            user: report.user.clone(),
            text: crate::sentence::reported(report),
        }
    }
}

impl fmt::Display for ReportView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, side) = (self.after_s.unsigned_abs(), if self.after_s < 0 { "before" } else { "after" });
        write!(f, "{} min {:02} s {side}: {}", seconds / 60, seconds % 60, self.text)
    }
}

/// One probe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct ProbeView {
    /// Name.
    pub name: String,
    /// State as perception sees it.
    pub state: String,
    /// Mean forward delay of the last ten seconds, milliseconds.
    pub delay_ms: Option<f64>,
    /// Loss of the last ten seconds, 0–1.
    pub loss: Option<f64>,
    /// Packets behind the two.
    #[ts(type = "number")]
    pub packets: u64,
}

/// What a check of the twin came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub enum CheckVerdict {
    /// Judged, and nothing stands against the change.
    Passed,
    /// Nothing forbids it; it is to be looked at.
    Warning,
    /// What it judges by is not known.
    NotJudged,
    /// It stands against the change.
    Failed,
}

/// One check of the twin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct CheckView {
    /// Id.
    pub id: String,
    /// What it came to.
    pub verdict: CheckVerdict,
    /// The numbers.
    pub detail: String,
}

impl CheckView {
    pub(crate) fn of(check: &guardrail::TwinCheck) -> Self {
        let verdict = match (check.passed, check.standing) {
            (false, _) => CheckVerdict::Failed,
            (true, CheckStanding::Judged) => CheckVerdict::Passed,
            (true, CheckStanding::Warning) => CheckVerdict::Warning,
            (true, CheckStanding::NotJudged) => CheckVerdict::NotJudged,
        };
        Self { id: check.id.clone(), verdict, detail: check.detail.clone() }
    }

    /// The sign before it: only what was judged has a tick.
    fn sign(&self) -> &'static str {
        match self.verdict {
            CheckVerdict::Passed => "✓",
            CheckVerdict::Warning => "!",
            CheckVerdict::NotJudged => "–",
            CheckVerdict::Failed => "✗",
        }
    }
}

/// What goes to one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct PayloadView {
    /// Device.
    pub device: String,
    /// Exactly the bytes.
    pub payload: String,
    /// Hex SHA-256.
    pub sha256: String,
    /// What undoes it.
    pub inverse: String,
}

/// One proposal, as the card shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct ProposalView {
    /// Id.
    #[ts(type = "string")]
    pub id: ProposalId,
    /// Where it stands.
    pub status: String,
    /// Why it was withdrawn; `None` while it was not.
    pub withdrawn: Option<String>,
    /// Which of the twelve.
    #[ts(type = "string")]
    pub action: ActionType,
    /// 1, 2 or 3.
    pub tier: u8,
    /// One sentence.
    pub summary: String,
    /// Hash that an approval names.
    pub plan_hash: String,
    /// When it expires.
    pub expires: String,
    /// Finding that it answers.
    pub finding: Option<String>,
    /// When it was made.
    pub proposed: String,
    /// The measurements it rests on.
    pub evidence: Vec<EvidenceView>,
    /// Delay before and after, milliseconds.
    pub predicted_delay_ms: Option<(f64, f64)>,
    /// Loss before and after, 0–1.
    pub predicted_loss: Option<(f64, f64)>,
    /// What the twin expects of all that moves, whatever the finding was about.
    #[serde(default)]
    pub forecast: ForecastView,
    /// Changed prefixes ÷ known prefixes, 0–1.
    pub blast: f64,
    /// Confidence; `unknown` until calibrated.
    pub confidence: String,
    /// Prefixes with exit before and exits after.
    pub moves: Vec<(String, String, String)>,
    /// The twin's checks.
    pub checks: Vec<CheckView>,
    /// What the guardrails said.
    pub guard: Vec<String>,
    /// Load per exit: id, bit/s now, bit/s after, capacity.
    #[ts(type = "[string, number | null, number | null, number][]")]
    pub loads: Vec<(String, Option<f64>, Option<f64>, u64)>,
    /// The others, and why they lost.
    pub alternatives: Vec<(String, String)>,
    /// Prefixes that no other exit has.
    pub unmovable: Vec<String>,
    /// What is not modelled or not known.
    pub unknown: Vec<String>,
    /// Why the devices choose as they do, now and after: the lines that command line and chat show too.
    #[serde(default)]
    pub explanation: Vec<String>,
    /// Why the twin may not judge now: approving then takes a reason of the operator's own.
    #[serde(default)]
    pub doubts: Vec<String>,
    /// What goes out, and what undoes it.
    pub payloads: Vec<PayloadView>,
    /// The change, once there is one.
    pub change: Option<ChangeView>,
}

/// One proposal in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct ProposalRow {
    /// Id.
    #[ts(type = "string")]
    pub id: ProposalId,
    /// When it was made.
    pub time: String,
    /// `waiting`, `approved`, `rejected`, `expired` or `withdrawn`.
    pub status: String,
    /// One sentence.
    pub summary: String,
    /// When it expires.
    pub expires: String,
    /// How its change ended.
    pub outcome: Option<String>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct ChangeView {
    /// Id.
    pub id: String,
    /// `ready`, `committing`, `verifying`, `confirming`, `reverting` or `finished`.
    pub stage: String,
    /// When the devices revert by themselves, if still pending.
    pub reverts_at: Option<String>,
    /// How it ended.
    pub outcome: Option<String>,
    /// Why, where there is one to give.
    pub why: Option<String>,
    /// What it brought, beside what was predicted; once it is over.
    #[serde(default)]
    pub measured: Option<OutcomeView>,
}

impl fmt::Display for StatusView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} {} · input {} at {}{}",
            self.mode,
            self.site,
            self.seq,
            self.time,
            if self.killed { " · CHANGES STOPPED" } else { "" }
        )?;
        writeln!(f, "{} prefixes · {} proposals wait · {} changes under way", self.prefixes, self.waiting, self.changing)?;
        writeln!(f, "{}", self.twin)?;
        match &self.validation {
            Some(validation) => writeln!(f, "{validation}")?,
            None => writeln!(f, "origin validation is not known: no source of VRPs is named (--vrps, --rtr)")?,
        }
        writeln!(f, "{:5} {:17} {:8} {:8} {:9} {:7} {:12}", "id", "host", "bmp", "gnmi", "sessions", "health", "twin agrees")?;
        for d in &self.devices {
            let health = d.health.map_or_else(|| "unknown".to_owned(), |h| format!("{h:.2}"));
            let twin = d.agreement.as_ref().map_or_else(
                || "unknown".to_owned(),
                |a| {
                    let old = a.as_of.as_ref().map_or_else(String::new, |t| format!(" as of {t}"));
                    format!("{} of {}{old}", a.equal, a.compared)
                },
            );
            let sessions = format!("{}/{}", d.sessions.0, d.sessions.1);
            writeln!(f, "{:5} {:17} {:8} {:8} {sessions:9} {health:7} {twin:12}", d.id, d.hostname, d.bmp, d.gnmi)?;
            if !d.subscriptions.is_empty() {
                writeln!(f, "      {}", SubscriptionView::summary(&d.subscriptions))?;
            }
            if !d.certificates.is_empty() {
                writeln!(f, "      {}", d.certificates.iter().map(ToString::to_string).collect::<Vec<_>>().join(" · "))?;
            }
            for s in d.subscriptions.iter().filter(|s| matches!(s.state.as_str(), "silent" | "absent")) {
                writeln!(f, "      gNMI {s}")?;
            }
            for warning in &d.gnmi_warnings {
                writeln!(f, "      {warning}")?;
            }
            for (name, count) in &d.repairs {
                writeln!(f, "      repaired {name} × {count}")?;
            }
        }
        for finding in &self.findings {
            writeln!(f, "{} {} since {}: {}", finding.id, finding.kind, finding.since, finding.summary)?;
            for change in &finding.changes {
                writeln!(f, "      {change}")?;
            }
        }
        for bogon in &self.bogons {
            writeln!(f, "bogon {bogon}")?;
        }
        Ok(())
    }
}

impl ProposalView {
    /// Returns the card as text, in reading order.
    #[must_use]
    pub fn card(&self) -> String {
        let mut out = String::new();
        let mut line = |text: String| {
            out.push_str(&text);
            out.push('\n');
        };
        line(self.summary.clone());
        line(format!(
            "{} {} · {} · tier {} · expires {} · confidence {}",
            self.id,
            self.status,
            self.action.name(),
            self.tier,
            self.expires,
            self.confidence
        ));
        if let Some((a, b)) = self.predicted_delay_ms {
            line(format!("delay {a:.1} → {b:.1} ms"));
        }
        if let Some((a, b)) = self.predicted_loss {
            line(format!("loss {:.2} → {:.2} %", a * 100.0, b * 100.0));
        }
        self.forecast.lines.iter().chain(&self.forecast.consequences).cloned().for_each(&mut line);
        line(format!("{} prefixes move, {:.1} % of those known", self.moves.len(), self.blast * 100.0));
        for c in &self.checks {
            line(format!("{} {} {}", c.sign(), c.id, c.detail));
        }
        for g in &self.guard {
            line(format!("guard: {g}"));
        }
        for (exit, now, after, capacity) in &self.loads {
            let mbit = |v: &Option<f64>| v.map_or_else(|| "unknown".to_owned(), |v| format!("{:.2}", v / 1e6));
            #[allow(clippy::cast_precision_loss, reason = "display")]
            let capacity = *capacity as f64 / 1e6;
            line(format!("load {exit}: {} → {} of {capacity:.0} Mbit/s", mbit(now), mbit(after)));
        }
        for (name, why) in &self.alternatives {
            line(format!("not {name}: {why}"));
        }
        for u in &self.unknown {
            line(format!("unknown: {u}"));
        }
        for why in &self.explanation {
            line(why.clone());
        }
        for doubt in &self.doubts {
            line(format!("the twin may not judge: {doubt}"));
        }
        for p in &self.payloads {
            line(format!(
                "to {} (SHA-256 {}):\n  {}\nundone by:\n  {}",
                p.device,
                &p.sha256.get(..16).unwrap_or_default(),
                p.payload,
                p.inverse
            ));
        }
        if let Some(c) = &self.change {
            line(format!("{} {}", c.id, c.outcome.clone().unwrap_or_else(|| "under way".to_owned())));
            if let Some(measured) = &c.measured {
                line(format!("{}: {}", c.id, measured.what));
            }
        }
        out
    }
}
