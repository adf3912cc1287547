//! A preflight in one line, for a log.

use crate::{Check, Figure, Prediction, Verdict};
use core::fmt;
use units::Ratio;

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
