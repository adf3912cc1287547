//! Judging a proposal.

use action::{Action, ActionType, AutonomyTier, DeviceId, Parameters};
use config::{PolicyEdit, RouteAction, RouterConfig};
use core::fmt;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use units::{Ratio, Timestamp};

use crate::{Counters, GuardPolicy, Mode, community, mode, platform};

/// What is known about the chance of success.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "confidence", content = "value")]
pub enum Confidence {
    /// Too few outcomes to say. It forbids Tier 1 and raises nothing further.
    Unknown,
    /// Predicted against observed success.
    Calibrated(Ratio),
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("unknown"),
            Self::Calibrated(c) => write!(f, "{c}"),
        }
    }
}

/// How far a check that blocks nothing went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStanding {
    /// It was judged.
    #[default]
    Judged,
    /// It was judged, and there is something to look at.
    Warning,
    /// What it judges by is not known: no pass.
    NotJudged,
}

impl CheckStanding {
    /// Says whether it was judged without a remark.
    #[must_use]
    pub const fn is_judged(&self) -> bool {
        matches!(self, Self::Judged)
    }
}

/// One check of the twin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TwinCheck {
    /// Its name.
    pub id: String,
    /// Whether nothing in it speaks against the change.
    pub passed: bool,
    /// How far it went.
    #[serde(default, skip_serializing_if = "CheckStanding::is_judged")]
    pub standing: CheckStanding,
    /// The numbers behind it.
    pub detail: String,
    /// The least strict tier that may decide, by this check; `None`: it has no say in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<AutonomyTier>,
}

/// What the twin expects on the paths concerned, before and after; `None` where it cannot say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Predicted {
    /// Delay, milliseconds.
    pub delay_ms: Option<(f64, f64)>,
    /// Loss.
    pub loss: Option<(Ratio, Ratio)>,
}

/// A proposal to judge.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// What is proposed.
    pub action: &'a Action,
    /// The tier it starts from ([`GuardPolicy::tier_of`]).
    pub tier: AutonomyTier,
    /// Changed prefixes ÷ known prefixes, from the twin.
    pub blast: Ratio,
    /// Chance of success.
    pub confidence: Confidence,
    /// The twin's checks; none means that it was not simulated.
    pub checks: &'a [TwinCheck],
    /// The twin's numbers.
    pub predicted: Predicted,
    /// How much traffic moves is measured. Where it is not, capacity was judged by the worst case, and nothing goes by itself.
    pub volume_known: bool,
    /// The mode.
    pub mode: Mode,
    /// The kill switch is pressed.
    pub killed: bool,
    /// Every device of the action belongs to a lab.
    pub lab_only: bool,
    /// The running configuration of each device that is edited.
    pub configs: BTreeMap<&'a DeviceId, &'a RouterConfig>,
}

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Severity {
    /// Worth knowing.
    Warn,
    /// A stricter tier must agree.
    Escalate,
    /// It may not be done.
    Block,
}

/// Which rule spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The kill switch.
    KillSwitch,
    /// The mode of the program.
    Mode,
    /// The policy changed since it was allowed.
    PolicyChanged,
    /// The edits do not fit the kind of action.
    Shape,
    /// LOCAL_PREF out of bounds.
    LocalPref,
    /// MED out of bounds, or at its maximum.
    Med,
    /// A protected community.
    ProtectedCommunity,
    /// Software that changes are not qualified on.
    Platform,
    /// Something in a term that cannot be judged.
    Unmodelled,
    /// The twin did not simulate it.
    NotSimulated,
    /// A check of the twin failed.
    TwinCheck,
    /// A check of the twin asks for a stricter tier.
    CheckTier,
    /// The predicted result is beyond the rollback limits.
    Prediction,
    /// FULL_REROUTE and DEPEER are always Tier 3.
    MandatoryTier3,
    /// The action type may not act by itself yet.
    NotGraduated,
    /// Confidence unknown or too low.
    Confidence,
    /// How much traffic moves is not measured.
    VolumeUnknown,
    /// Blast radius above the tier's limit.
    Blast,
    /// Too many changes lately.
    Rate,
}

/// One thing that a rule has to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Its weight. Only `BLOCK` blocks (S1-164).
    pub severity: Severity,
    /// The rule.
    pub rule: Rule,
    /// In words, with the numbers.
    pub detail: String,
}

impl Violation {
    pub(crate) const fn block(rule: Rule, detail: String) -> Self {
        Self { severity: Severity::Block, rule, detail }
    }

    pub(crate) const fn escalate(rule: Rule, detail: String) -> Self {
        Self { severity: Severity::Escalate, rule, detail }
    }

    pub(crate) const fn warn(rule: Rule, detail: String) -> Self {
        Self { severity: Severity::Warn, rule, detail }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warn => "WARN",
            Severity::Escalate => "ESCALATE",
            Severity::Block => "BLOCK",
        };
        write!(f, "{severity} {}", self.detail)
    }
}

/// What became of a proposal here (S1-158).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Decision {
    /// As proposed, to whoever its tier asks.
    Allowed,
    /// It may not be done.
    Blocked,
    /// Allowed, but a stricter tier must agree.
    Modified,
}

/// The judgement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// What became of it.
    pub decision: Decision,
    /// The tier it came with.
    pub original_tier: AutonomyTier,
    /// Who must agree.
    pub final_tier: AutonomyTier,
    /// What the rules said, in the order they were asked.
    pub violations: Vec<Violation>,
    /// Version of the policy that judged.
    pub policy_version: u32,
}

impl Verdict {
    /// Returns the sentences of the findings that block.
    #[must_use]
    pub fn blocks(&self) -> Vec<String> {
        self.violations.iter().filter(|v| v.severity == Severity::Block).map(|v| v.detail.clone()).collect()
    }
}

impl GuardPolicy {
    /// Judges a proposal: hard policy, tiers that the action or a check of the twin asks for, tier floor, blast radius, confidence, rate, in
    /// this order.
    ///
    /// The tier floor comes before the blast check: an action that may not act by itself anyway is measured by the limit of Tier 2.
    #[must_use]
    pub fn evaluate(&self, request: &Request<'_>, counters: &Counters, now: Timestamp) -> Verdict {
        let mut violations = Vec::new();
        let mut tier = request.tier;
        self.hard_policy(request, &mut violations);
        if request.action.kind != ActionType::NoAction {
            tier = self.mandatory(request, tier, &mut violations);
            tier = asked_by_checks(request, tier, &mut violations);
            tier = self.floor(request, tier, &mut violations);
            tier = self.blast(request, tier, &mut violations);
            tier = self.confidence(request, tier, &mut violations);
            violations.extend(self.rate_exceeded(tier, counters, now));
        }
        let decision = if violations.iter().any(|v| v.severity == Severity::Block) {
            Decision::Blocked
        } else if tier == request.tier {
            Decision::Allowed
        } else {
            Decision::Modified
        };
        Verdict { decision, original_tier: request.tier, final_tier: tier, violations, policy_version: self.version }
    }

    fn hard_policy(&self, request: &Request<'_>, out: &mut Vec<Violation>) {
        if request.killed {
            out.push(mode::killed());
        }
        // A proposal may be shown in any mode; what the mode forbids is its execution, and that is said at once.
        if let Some(v) = mode::forbidden_by_mode(request.mode, request.lab_only)
            && request.action.kind != ActionType::NoAction
        {
            out.push(Violation::warn(v.rule, v.detail));
        }
        out.extend(shape(request.action));
        self.values(request.action, out);
        community::check(self, request, out);
        platform::check(request, out);
        self.simulated(request, out);
    }

    fn values(&self, action: &Action, out: &mut Vec<Violation>) {
        let mut local_prefs = Vec::new();
        let mut meds = Vec::new();
        if let Parameters::LocalPref { local_pref, .. } = action.parameters {
            local_prefs.push(local_pref);
        }
        for new in action.edits.iter().flat_map(|d| &d.edits).flat_map(new_actions) {
            match new {
                RouteAction::SetLocalPref(v) => local_prefs.push(*v),
                RouteAction::SetMed(v) => meds.push(*v),
                _ => {}
            }
        }
        local_prefs.sort_unstable();
        local_prefs.dedup();
        let outside = |v: u32, (low, high): (u32, u32)| v < low || v > high;
        for v in local_prefs.into_iter().filter(|v| outside(*v, self.local_pref)) {
            let (low, high) = self.local_pref;
            out.push(Violation::block(Rule::LocalPref, format!("LOCAL_PREF {v} is outside {low}–{high}")));
        }
        for v in meds {
            if outside(v, self.med) {
                let (low, high) = self.med;
                out.push(Violation::block(Rule::Med, format!("MED {v} is outside {low}–{high}")));
            } else if v == u32::MAX {
                let detail = format!("MED {v} is the maximum: some routers treat a missing MED as this value");
                out.push(Violation::warn(Rule::Med, detail));
            }
        }
    }

    fn simulated(&self, request: &Request<'_>, out: &mut Vec<Violation>) {
        if request.action.kind == ActionType::NoAction {
            return;
        }
        if request.checks.is_empty() {
            out.push(Violation::block(Rule::NotSimulated, "the twin has not simulated it".to_owned()));
        }
        for check in request.checks.iter().filter(|c| !c.passed) {
            out.push(Violation::block(Rule::TwinCheck, format!("twin check {} failed: {}", check.id, check.detail)));
        }
        if let Some((before, after)) = request.predicted.delay_ms {
            let limit = self.rollback.delay_ms_max;
            let words = format!("the twin expects {after:.1} ms after {before:.1} ms; above {limit:.0} ms a change is rolled back");
            out.extend(beyond(after > limit, after < before, !after.is_finite(), words));
        }
        if let Some((before, after)) = request.predicted.loss {
            let limit = self.rollback.loss_max;
            let words = format!("the twin expects {after} loss after {before}; above {limit} a change is rolled back");
            out.extend(beyond(after > limit, after < before, false, words));
        }
    }

    fn mandatory(&self, request: &Request<'_>, tier: AutonomyTier, out: &mut Vec<Violation>) -> AutonomyTier {
        let kind = request.action.kind;
        if !matches!(kind, ActionType::FullReroute | ActionType::Depeer) {
            return tier;
        }
        let detail = format!("{} always needs a person who types the target", kind.name());
        let raised = tier < AutonomyTier::Tier3Manual;
        out.push(if raised { Violation::escalate(Rule::MandatoryTier3, detail) } else { Violation::warn(Rule::MandatoryTier3, detail) });
        AutonomyTier::Tier3Manual
    }

    fn floor(&self, request: &Request<'_>, tier: AutonomyTier, out: &mut Vec<Violation>) -> AutonomyTier {
        let mut floor = tier;
        if tier == AutonomyTier::Tier1Auto && !self.graduated.contains(&request.action.kind) {
            let detail = format!("{} has not graduated: an operator must agree", request.action.kind.name());
            out.push(Violation::escalate(Rule::NotGraduated, detail));
            floor = AutonomyTier::Tier2Approve;
        }
        if !request.volume_known && floor == AutonomyTier::Tier1Auto {
            let detail = "how much traffic moves is not measured: it cannot act by itself".to_owned();
            out.push(Violation::escalate(Rule::VolumeUnknown, detail));
            floor = AutonomyTier::Tier2Approve;
        }
        if request.confidence == Confidence::Unknown {
            let detail = "confidence is unknown (too few outcomes): it cannot act by itself".to_owned();
            let raises = floor == AutonomyTier::Tier1Auto;
            out.push(if raises { Violation::escalate(Rule::Confidence, detail) } else { Violation::warn(Rule::Confidence, detail) });
            floor = floor.max(AutonomyTier::Tier2Approve);
        }
        floor
    }

    fn blast(&self, request: &Request<'_>, tier: AutonomyTier, out: &mut Vec<Violation>) -> AutonomyTier {
        let limit = self.blast_max.of(tier);
        if request.blast <= limit || tier == AutonomyTier::Tier3Manual {
            return tier;
        }
        let detail = format!("it moves {} of the known prefixes, the limit of Tier {} is {limit}", request.blast, tier.number());
        out.push(Violation::escalate(Rule::Blast, detail));
        AutonomyTier::Tier3Manual
    }

    fn confidence(&self, request: &Request<'_>, tier: AutonomyTier, out: &mut Vec<Violation>) -> AutonomyTier {
        let Confidence::Calibrated(confidence) = request.confidence else { return tier };
        let least = self.confidence_min.of(tier);
        if confidence >= least {
            return tier;
        }
        let detail = format!("confidence {confidence} is below the {least} that Tier {} asks for", tier.number());
        out.push(Violation::escalate(Rule::Confidence, detail));
        match tier {
            AutonomyTier::Tier1Auto => AutonomyTier::Tier2Approve,
            AutonomyTier::Tier2Approve | AutonomyTier::Tier3Manual => AutonomyTier::Tier3Manual,
        }
    }
}

/// Raises the tier to the strictest that a check of the twin asks for.
fn asked_by_checks(request: &Request<'_>, tier: AutonomyTier, out: &mut Vec<Violation>) -> AutonomyTier {
    let mut raised = tier;
    for check in request.checks {
        if let Some(asked) = check.tier.filter(|asked| *asked > tier) {
            out.push(Violation::escalate(
                Rule::CheckTier,
                format!("twin check {} asks for Tier {}: {}", check.id, asked.number(), check.detail),
            ));
            raised = raised.max(asked);
        }
    }
    raised
}

/// Blocks what would be rolled back; only warns when it is still better than now.
fn beyond(above: bool, better: bool, unusable: bool, words: String) -> Option<Violation> {
    if unusable || (above && !better) {
        return Some(Violation::block(Rule::Prediction, words));
    }
    above.then(|| Violation::warn(Rule::Prediction, words))
}

/// Returns the actions of the terms that an edit writes.
pub(crate) fn new_actions(edit: &PolicyEdit) -> &[RouteAction] {
    match edit {
        PolicyEdit::InsertStatement { statement, .. } | PolicyEdit::ReplaceStatement { statement, .. } => &statement.actions,
        PolicyEdit::PutPrefixSet { .. }
        | PolicyEdit::DeletePrefixSet { .. }
        | PolicyEdit::DeleteStatement { .. }
        | PolicyEdit::SetNeighborEnabled { .. } => &[],
    }
}

/// The edits must be of the kind that the action's name promises.
fn shape(action: &Action) -> Vec<Violation> {
    let mut out = Vec::new();
    let mut block = |detail: String| out.push(Violation::block(Rule::Shape, detail));
    let edits = || action.edits.iter().flat_map(|d| &d.edits);
    let kind = action.kind;
    if kind == ActionType::NoAction {
        if edits().next().is_some() {
            block("NO_ACTION carries edits".to_owned());
        }
        return out;
    }
    if edits().next().is_none() {
        block(format!("{} carries no edits", kind.name()));
    }
    if kind == ActionType::LocalPrefAdjust {
        if !matches!(action.parameters, Parameters::LocalPref { .. }) {
            block("LOCAL_PREF_ADJUST names no LOCAL_PREF".to_owned());
        }
        if action.prefixes.is_empty() {
            block("LOCAL_PREF_ADJUST names no prefixes".to_owned());
        }
    }
    if kind == ActionType::IspFailover && !matches!(action.parameters, Parameters::Failover { .. }) {
        block("ISP_FAILOVER names no provider to drain".to_owned());
    }
    for edit in edits() {
        if let PolicyEdit::SetNeighborEnabled { neighbor, enabled } = edit {
            let fits = match kind {
                ActionType::PeerActivate => *enabled,
                ActionType::PeerDeactivate | ActionType::Depeer => !*enabled,
                _ => false,
            };
            if !fits {
                let verb = if *enabled { "starts" } else { "shuts down" };
                block(format!("{} {verb} the session to {neighbor}, which is not its business", kind.name()));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests;
