//! How often operators agree with what was proposed (S1-175, S1-184).

use action::{ActionType, AutonomyTier};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use units::Ratio;

use crate::RejectReason;

/// The two-sided 95 % quantile of the normal distribution.
const Z_95: f64 = 1.959_963_984_540_054;

/// What an operator made of a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Feedback {
    /// As proposed.
    Agree,
    /// Not at all.
    Disagree,
    /// Right direction, other values.
    Partial,
}

/// Feedback counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Agreed.
    pub agree: u64,
    /// Disagreed.
    pub disagree: u64,
    /// Agreed in direction only.
    pub partial: u64,
    /// Given by a program on an operator's order; says nothing about people and enters no rate.
    pub automatic: u64,
}

/// A 95 % confidence interval of a share.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower bound.
    pub low: Ratio,
    /// Upper bound.
    pub high: Ratio,
}

impl Counts {
    /// Returns how many decisions of people are in it.
    #[must_use]
    pub const fn reviewed(&self) -> u64 {
        self.agree.saturating_add(self.disagree).saturating_add(self.partial)
    }

    /// Returns the share of AGREE among people's decisions, rounded to 4 places (S1-184); `None` without any.
    #[must_use]
    pub fn rate(&self) -> Option<Ratio> {
        if self.reviewed() == 0 {
            return None;
        }
        let share = Ratio::of(self.agree, self.reviewed()).get();
        Some(clamped(libm::round(share * 10_000.0) / 10_000.0))
    }

    /// Returns the 95 % Wilson score interval of that share; `None` without any decision.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub fn interval(&self) -> Option<Interval> {
        if self.reviewed() == 0 {
            return None;
        }
        let n = self.reviewed() as f64;
        let p = self.agree as f64 / n;
        let z2 = Z_95 * Z_95;
        let scale = 1.0 / (1.0 + z2 / n);
        let centre = (p + z2 / (2.0 * n)) * scale;
        let half = Z_95 * libm::sqrt(p * (1.0 - p) / n + z2 / (4.0 * n * n)) * scale;
        Some(Interval { low: clamped(centre - half), high: clamped(centre + half) })
    }

    fn add(&mut self, other: &Self) {
        self.agree = self.agree.saturating_add(other.agree);
        self.disagree = self.disagree.saturating_add(other.disagree);
        self.partial = self.partial.saturating_add(other.partial);
        self.automatic = self.automatic.saturating_add(other.automatic);
    }
}

fn clamped(share: f64) -> Ratio {
    Ratio::new(share.clamp(0.0, 1.0)).unwrap_or(Ratio::ZERO)
}

/// Agreement per action type and tier, and the reasons for saying no.
///
/// A rejection without a reason still counts as disagreement (leaving it out would make the machine look more trusted than it is);
/// what it does not do is teach: see [`Agreement::teachable_rejections`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    cells: BTreeMap<ActionType, BTreeMap<AutonomyTier, Counts>>,
    reasons: BTreeMap<RejectReason, u64>,
}

impl Agreement {
    /// Counts a person's feedback.
    pub fn record(&mut self, action: ActionType, tier: AutonomyTier, feedback: Feedback) {
        let cell = self.cell(action, tier);
        let count = match feedback {
            Feedback::Agree => &mut cell.agree,
            Feedback::Disagree => &mut cell.disagree,
            Feedback::Partial => &mut cell.partial,
        };
        *count = count.saturating_add(1);
    }

    /// Counts a decision that a program gave; it enters no rate (S1-182).
    pub fn record_automatic(&mut self, action: ActionType, tier: AutonomyTier) {
        let cell = self.cell(action, tier);
        cell.automatic = cell.automatic.saturating_add(1);
    }

    /// Counts the reason of a rejection.
    pub fn record_reason(&mut self, reason: RejectReason) {
        let count = self.reasons.entry(reason).or_default();
        *count = count.saturating_add(1);
    }

    /// Returns the counts over everything.
    #[must_use]
    pub fn overall(&self) -> Counts {
        self.sum(|_, _| true)
    }

    /// Returns the counts of one tier.
    #[must_use]
    pub fn of_tier(&self, tier: AutonomyTier) -> Counts {
        self.sum(|_, t| t == tier)
    }

    /// Returns the counts of one action type.
    #[must_use]
    pub fn of_action(&self, action: ActionType) -> Counts {
        self.sum(|a, _| a == action)
    }

    /// Returns how often each reason was given, `unspecified` included.
    #[must_use]
    pub const fn reasons(&self) -> &BTreeMap<RejectReason, u64> {
        &self.reasons
    }

    /// Returns how many rejections carry a reason that learning may use.
    #[must_use]
    pub fn teachable_rejections(&self) -> u64 {
        self.reasons.iter().filter(|(r, _)| **r != RejectReason::Unspecified).map(|(_, n)| n).sum()
    }

    fn cell(&mut self, action: ActionType, tier: AutonomyTier) -> &mut Counts {
        self.cells.entry(action).or_default().entry(tier).or_default()
    }

    fn sum(&self, wanted: impl Fn(ActionType, AutonomyTier) -> bool) -> Counts {
        let mut total = Counts::default();
        for (action, tiers) in &self.cells {
            for (tier, counts) in tiers {
                if wanted(*action, *tier) {
                    total.add(counts);
                }
            }
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ActionType::{Depeer, LocalPrefAdjust};
    use AutonomyTier::{Tier2Approve, Tier3Manual};

    #[test]
    fn twenty_seven_of_thirty_has_a_lower_bound_of_74_percent() {
        let counts = Counts { agree: 27, disagree: 3, ..Counts::default() };
        let i = counts.interval().unwrap();
        assert_eq!(counts.rate().unwrap().get(), 0.9);
        assert!((i.low.get() - 0.7438).abs() < 5e-4, "{i:?}");
        assert!((i.high.get() - 0.9654).abs() < 5e-4, "{i:?}");
    }

    #[test]
    fn all_agreeing_once_proves_little() {
        let i = Counts { agree: 1, ..Counts::default() }.interval().unwrap();
        assert!(i.low.get() < 0.21 && i.high.get() == 1.0, "{i:?}");
    }

    #[test]
    fn rates_are_rounded_to_four_places_and_absent_without_people() {
        let mut a = Agreement::default();
        a.record_automatic(LocalPrefAdjust, Tier2Approve);
        assert_eq!(a.overall().rate(), None);
        assert_eq!(a.overall().automatic, 1);
        a.record(LocalPrefAdjust, Tier2Approve, Feedback::Agree);
        a.record(LocalPrefAdjust, Tier2Approve, Feedback::Agree);
        a.record(Depeer, Tier3Manual, Feedback::Partial);
        assert_eq!(a.overall().rate().unwrap().get(), 0.6667);
        assert_eq!(a.of_tier(Tier2Approve).rate().unwrap().get(), 1.0);
        assert_eq!(a.of_action(Depeer).rate().unwrap().get(), 0.0);
    }

    #[test]
    fn a_rejection_without_reason_is_counted_and_teaches_nothing() {
        let mut a = Agreement::default();
        a.record(Depeer, Tier3Manual, Feedback::Disagree);
        a.record_reason(RejectReason::Unspecified);
        a.record_reason(RejectReason::TooRisky);
        assert_eq!(a.reasons()[&RejectReason::Unspecified], 1);
        assert_eq!(a.teachable_rejections(), 1);
    }

    #[test]
    fn agreement_survives_json() {
        let mut a = Agreement::default();
        a.record(Depeer, Tier3Manual, Feedback::Disagree);
        a.record_reason(RejectReason::TooRisky);
        let text = serde_json::to_string(&a).unwrap();
        assert_eq!(serde_json::from_str::<Agreement>(&text).unwrap(), a);
    }
}
