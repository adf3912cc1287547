//! The latest lessons and what they amount to.

use change::DecisionOutcome;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

use crate::Lesson;

/// Lessons kept here (the window of S1-212); the ledger keeps all.
pub const LESSONS_MAX: usize = 500;

/// How often each end was reached.
pub type OutcomeCounts = BTreeMap<DecisionOutcome, u64>;

/// The latest lessons, oldest first, and counts over all of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lessons {
    latest: VecDeque<Lesson>,
    counts: OutcomeCounts,
}

/// A mean absolute error.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeanError {
    /// The mean, in the unit of what was predicted.
    pub mean: f64,
    /// Over how many lessons.
    pub count: u64,
}

impl Lessons {
    /// Takes a lesson; the oldest is forgotten beyond [`LESSONS_MAX`].
    pub fn add(&mut self, lesson: Lesson) {
        let count = self.counts.entry(lesson.outcome).or_default();
        *count = count.saturating_add(1);
        if self.latest.len() >= LESSONS_MAX {
            self.latest.pop_front();
        }
        self.latest.push_back(lesson);
    }

    /// Returns the latest lessons, oldest first.
    pub fn latest(&self) -> impl DoubleEndedIterator<Item = &Lesson> {
        self.latest.iter()
    }

    /// Returns how often each end was reached, over all time.
    #[must_use]
    pub const fn counts(&self) -> &OutcomeCounts {
        &self.counts
    }

    /// Returns the mean absolute error of predicted delay over the latest lessons, milliseconds; `None` without any.
    #[must_use]
    pub fn delay_error_ms(&self) -> Option<MeanError> {
        mean(self.latest.iter().filter_map(|l| l.error.delay_ms).map(f64::abs))
    }

    /// Returns the mean absolute error of predicted loss over the latest lessons, 0–1; `None` without any.
    #[must_use]
    pub fn loss_error(&self) -> Option<MeanError> {
        mean(self.latest.iter().filter_map(|l| l.error.loss).map(f64::abs))
    }

    /// Returns the mean reward over the latest lessons that have one.
    #[must_use]
    pub fn mean_reward(&self) -> Option<MeanError> {
        mean(self.latest.iter().filter_map(|l| l.reward))
    }
}

/// Sums in order of arrival, so that a replay gives the same bits.
#[allow(clippy::cast_precision_loss, reason = "at most LESSONS_MAX")]
fn mean(values: impl Iterator<Item = f64>) -> Option<MeanError> {
    let (sum, count) = values.fold((0.0, 0_u64), |(sum, n), v| (sum + v, n + 1));
    (count > 0).then(|| MeanError { mean: sum / count as f64, count })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Effect;
    use action::{ActionType, AutonomyTier, ChangeId};
    use change::{Outcome, Why, WhyCode};
    use units::Ratio;

    fn effect(before: f64, after: f64) -> Effect {
        Effect { delay_ms: Some((before, after)), loss: Some((Ratio::ZERO, Ratio::ZERO)) }
    }

    fn lesson(n: u64, measured: Effect, outcome: &Outcome) -> Lesson {
        let (action, tier) = (ActionType::LocalPrefAdjust, AutonomyTier::Tier2Approve);
        Lesson::new(ChangeId(n), action, tier, effect(40.0, 12.0), measured, Some((9, 10)), true, outcome)
    }

    fn why() -> Why {
        Why::new(WhyCode::VerifyFailed, "worse")
    }

    #[test]
    fn errors_and_rewards_are_averaged_over_what_took_effect() {
        let mut e = Lessons::default();
        e.add(lesson(1, effect(40.0, 10.0), &Outcome::Confirmed));
        e.add(lesson(2, effect(40.0, 18.0), &Outcome::RolledBack { why: why() }));
        e.add(lesson(3, effect(40.0, 40.0), &Outcome::Failed { why: why() }));
        assert_eq!(e.delay_error_ms(), Some(MeanError { mean: 4.0, count: 2 }));
        assert_eq!(e.loss_error(), Some(MeanError { mean: 0.0, count: 2 }));
        assert_eq!(e.mean_reward(), Some(MeanError { mean: (0.5 - 2.0) / 2.0, count: 2 }));
        assert_eq!(e.counts()[&DecisionOutcome::Failed], 1);
    }

    #[test]
    fn no_lessons_give_no_mean_and_old_ones_are_forgotten_but_counted() {
        let mut e = Lessons::default();
        assert_eq!(e.delay_error_ms(), None);
        for n in 0..LESSONS_MAX as u64 + 3 {
            e.add(lesson(n, effect(40.0, 10.0), &Outcome::Confirmed));
        }
        assert_eq!(e.latest().count(), LESSONS_MAX);
        assert_eq!(e.latest().next().unwrap().change, ChangeId(3));
        assert_eq!(e.counts()[&DecisionOutcome::Approved], LESSONS_MAX as u64 + 3);
    }

    #[test]
    fn lessons_survive_json() {
        let mut e = Lessons::default();
        e.add(lesson(1, Effect::default(), &Outcome::Confirmed));
        assert_eq!(e.latest().next().unwrap().reward, None);
        let text = serde_json::to_string(&e).unwrap();
        assert_eq!(serde_json::from_str::<Lessons>(&text).unwrap(), e);
    }
}
