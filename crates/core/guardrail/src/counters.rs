//! What was applied lately.

use action::AutonomyTier;
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use units::Timestamp;

/// How many applied changes are remembered; far more than the largest rate limit lets through in a window.
pub const MAX_APPLIED: usize = 1024;

/// One change that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// When.
    pub at: Timestamp,
    /// With whose agreement.
    pub tier: AutonomyTier,
}

/// The changes applied lately, oldest first. It is stored with the pilot's state, so limits survive a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    applied: VecDeque<Applied>,
}

impl Counters {
    /// Counts a change at the moment it is sent.
    pub fn applied(&mut self, now: Timestamp, tier: AutonomyTier) {
        if self.applied.len() >= MAX_APPLIED {
            self.applied.pop_front();
        }
        self.applied.push_back(Applied { at: now, tier });
    }

    /// Returns how many were applied in the `window` that ends now. A change from the future (the clock was set back) counts.
    #[must_use]
    pub fn count(&self, window: Duration, now: Timestamp) -> usize {
        self.within(window, now).count()
    }

    /// Returns how many of one tier.
    #[must_use]
    pub fn count_of(&self, tier: AutonomyTier, window: Duration, now: Timestamp) -> usize {
        self.within(window, now).filter(|a| a.tier == tier).count()
    }

    fn within(&self, window: Duration, now: Timestamp) -> impl Iterator<Item = &Applied> {
        self.applied.iter().filter(move |a| now.since(a.at) < window)
    }
}
