//! One finished change, predicted against measured.

use action::{ActionType, AutonomyTier, ChangeId};
use change::{DecisionOutcome, Outcome};
use serde::{Deserialize, Serialize};
use units::Ratio;

use crate::{REWARD_ROLLED_BACK, reward};

/// What happens, or happened, on the paths concerned: before → after. `None` where it is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// Delay, milliseconds.
    pub delay_ms: Option<(f64, f64)>,
    /// Loss.
    pub loss: Option<(Ratio, Ratio)>,
}

/// Predicted minus measured, after the change; `None` unless both are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PredictionError {
    /// Delay, milliseconds.
    pub delay_ms: Option<f64>,
    /// Loss, −1…1.
    pub loss: Option<f64>,
}

impl PredictionError {
    /// Compares a prediction with the measurement.
    #[must_use]
    pub fn between(predicted: &Effect, measured: &Effect) -> Self {
        let delay_ms = predicted.delay_ms.zip(measured.delay_ms).map(|((_, p), (_, m))| p - m);
        let loss = predicted.loss.zip(measured.loss).map(|((_, p), (_, m))| p.get() - m.get());
        Self { delay_ms: delay_ms.filter(|e| e.is_finite()), loss }
    }
}

/// What one change taught.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lesson {
    /// The change.
    pub change: ChangeId,
    /// Which of the twelve.
    pub action: ActionType,
    /// Who agreed.
    pub tier: AutonomyTier,
    /// What the twin expected.
    pub predicted: Effect,
    /// What was measured.
    pub measured: Effect,
    /// Prefixes that took the predicted exit: (did, predicted).
    pub exits: Option<(u64, u64)>,
    /// How it ended.
    pub outcome: DecisionOutcome,
    /// The provider's limits were met afterwards.
    pub limits_met: bool,
    /// Predicted minus measured.
    pub error: PredictionError,
    /// −3…3; `None` when the outcome says nothing about the choice (it could not be made, or is not known).
    pub reward: Option<f64>,
}

impl Lesson {
    /// Makes the lesson of a finished change.
    #[must_use]
    #[allow(clippy::too_many_arguments, reason = "one value per column of the record")]
    pub fn new(
        change: ChangeId,
        action: ActionType,
        tier: AutonomyTier,
        predicted: Effect,
        measured: Effect,
        exits: Option<(u64, u64)>,
        limits_met: bool,
        outcome: &Outcome,
    ) -> Self {
        let (error, reward) = grade(&predicted, &measured, limits_met, outcome);
        Self { change, action, tier, predicted, measured, exits, outcome: outcome.decision(), limits_met, error, reward }
    }

    /// Returns predicted minus measured delay after the change, milliseconds, where both are known.
    #[must_use]
    pub const fn delay_error_ms(&self) -> Option<f64> {
        self.error.delay_ms
    }
}

/// A change that never took effect teaches neither a reward nor how good the prediction was.
fn grade(predicted: &Effect, measured: &Effect, limits_met: bool, outcome: &Outcome) -> (PredictionError, Option<f64>) {
    let error = PredictionError::between(predicted, measured);
    match outcome {
        Outcome::Confirmed => (error, reward(measured, limits_met)),
        Outcome::RolledBack { .. } => (error, Some(REWARD_ROLLED_BACK)),
        Outcome::Failed { .. } | Outcome::Partial { .. } | Outcome::InDoubt { .. } => (PredictionError::default(), None),
    }
}
