//! A preflight in one line, for a log.

use crate::{Check, CheckId, Figure, Prediction, Verdict};
use core::fmt;
use serde::Serialize;
use units::Ratio;

/// A preflight in the fields that programs ask for (S1-087). Absent is not known, never zero.
#[derive(Clone, Debug, Serialize)]
pub struct SimulationResult {
    /// No check blocks.
    pub passed: bool,
    /// K03 blocks: own AS, a repeat that no prepending makes, a forwarding cycle, no stable state.
    pub loop_detected: bool,
    /// K02 blocks: somebody loses a destination.
    pub blackhole_detected: bool,
    /// K09 blocks or warns: a term without a match, a wider match, an order that lets a reject be passed by.
    pub policy_conflict: bool,
    /// SLA blocks or warns; absent where nothing was judged.
    pub sla_breach_predicted: Option<bool>,
    /// Share of the known prefixes that move.
    pub blast_radius: Ratio,
    /// Mean change of delay over what moves, ms.
    pub predicted_latency_delta_ms: Option<f64>,
    /// Mean change of loss, a ratio.
    pub predicted_loss_delta: Option<f64>,
    /// Change of cost per month.
    pub predicted_cost_delta_per_month: Option<f64>,
    /// Sentences of the checks that warn.
    pub warnings: Vec<String>,
    /// Sentences of the checks that block.
    pub errors: Vec<String>,
    /// Sentences of the checks that could not be judged.
    pub not_judged: Vec<String>,
}

/// What a preflight came to (S1-106); its text is one line without words of a device.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'s> {
    /// The checks.
    pub checks: &'s [Check],
    /// Share of the known prefixes that the change moves.
    pub blast: Ratio,
    /// Predicted delay and loss.
    pub prediction: &'s Prediction,
}

impl Summary<'_> {
    /// Returns the worst verdict; [`Verdict::NotJudged`] without a check.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.checks.iter().map(|c| c.verdict).max().unwrap_or(Verdict::NotJudged)
    }

    /// Returns the same in fields.
    #[must_use]
    pub fn result(&self) -> SimulationResult {
        let verdict = |id: CheckId| self.checks.iter().filter(|c| c.id == id).map(|c| c.verdict).max();
        let speaks = |id| matches!(verdict(id), Some(Verdict::Block | Verdict::Warn));
        let judged = |id| verdict(id).filter(|v| *v != Verdict::NotJudged);
        let sentences = |verdict| self.checks.iter().filter(|c| c.verdict == verdict).map(|c| format!("{} {}", c.id, c.sentence)).collect();
        let value = |figure: &Option<Figure>| figure.as_ref().map(|f| f.value);
        SimulationResult {
            passed: self.checks.iter().all(|c| c.verdict != Verdict::Block),
            loop_detected: verdict(CheckId::K03) == Some(Verdict::Block),
            blackhole_detected: verdict(CheckId::K02) == Some(Verdict::Block),
            policy_conflict: speaks(CheckId::K09),
            sla_breach_predicted: judged(CheckId::SLA).map(|_| speaks(CheckId::SLA)),
            blast_radius: self.blast,
            predicted_latency_delta_ms: value(&self.prediction.delay_ms),
            predicted_loss_delta: value(&self.prediction.loss),
            predicted_cost_delta_per_month: value(&self.prediction.cost_per_month),
            warnings: sentences(Verdict::Warn),
            errors: sentences(Verdict::Block),
            not_judged: sentences(Verdict::NotJudged),
        }
    }

    fn ids(&self, verdict: Verdict) -> String {
        let ids: Vec<String> = self.checks.iter().filter(|c| c.verdict == verdict).map(|c| c.id.to_string()).collect();
        if ids.is_empty() { "none".to_owned() } else { ids.join(" ") }
    }
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let change = |figure: &Option<Figure>, scale: f64, unit: &str| {
            figure.as_ref().map_or_else(|| "unknown".to_owned(), |f| format!("{:+.2} {unit}", f.value * scale))
        };
        write!(
            f,
            "{}: blast radius {}, delay {}, loss {}; blocks {}; warnings {}; not judged {}",
            self.verdict().word(),
            self.blast,
            change(&self.prediction.delay_ms, 1.0, "ms"),
            change(&self.prediction.loss, 100.0, "%"),
            self.ids(Verdict::Block),
            self.ids(Verdict::Warn),
            self.ids(Verdict::NotJudged)
        )
    }
}
