//! The measurements that a proposal rests on.

use perception::PathEvidence;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// One measured path, before the trouble and at the time of the proposal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct EvidenceView {
    /// Probe name.
    pub probe: String,
    /// Mean forward delay before, milliseconds.
    pub before_ms: Option<f64>,
    /// Mean forward delay when it was proposed, milliseconds.
    pub now_ms: Option<f64>,
    /// Loss before, 0–1.
    pub before_loss: Option<f64>,
    /// Loss when it was proposed, 0–1.
    pub now_loss: Option<f64>,
    /// Packets behind the newer numbers.
    #[ts(type = "number")]
    pub packets: u64,
    /// Learned normal delay, milliseconds.
    pub baseline_ms: Option<f64>,
    /// Where the numbers come from.
    pub source: String,
}

impl From<&PathEvidence> for EvidenceView {
    fn from(e: &PathEvidence) -> Self {
        Self {
            probe: e.probe.name(),
            before_ms: e.before.delay_ms(),
            now_ms: e.now.delay_ms(),
            before_loss: e.before.loss().map(units::Ratio::get),
            now_loss: e.now.loss().map(units::Ratio::get),
            packets: e.now.sent,
            baseline_ms: e.baseline_ms,
            source: e.source.clone(),
        }
    }
}
