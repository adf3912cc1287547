//! The hysteresis that delay and loss share.
//!
//! ```text
//!            suspicious            evidence: bad
//!  Normal ───────────────► Suspect ─────────────► Degraded ◄───────────┐
//!    ▲  ▲   evidence: good    │                      │ good            │ suspicious
//!    │  └─────────────────────┘                      ▼                 │
//!    └────────────────────────────────────────── Recovering ───────────┘
//!                       good for the hold time
//! ```

use core::time::Duration;
use serde::{Deserialize, Serialize};
use units::Timestamp;

/// Where one quantity of one path stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Condition {
    /// Nothing unusual.
    #[default]
    Normal,
    /// Unusual; evidence is being gathered.
    Suspect {
        /// First unusual sample.
        onset: Timestamp,
        /// Evidence counts from here.
        since: Timestamp,
    },
    /// Proven bad.
    Degraded {
        /// First unusual sample.
        onset: Timestamp,
        /// Evidence counted from here.
        since: Timestamp,
    },
    /// Was bad, looks good again, not yet trusted.
    Recovering {
        /// First unusual sample of the trouble.
        onset: Timestamp,
        /// Good since.
        since: Timestamp,
    },
}

/// What the evidence says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// Proven bad.
    Bad,
    /// Not bad, or not provable in time.
    Good,
    /// More samples needed.
    Open,
}

/// What the samples up to one moment say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Time of the newest sample.
    pub at: Timestamp,
    /// The trigger fires; the time is the first unusual sample.
    pub suspicious: Option<Timestamp>,
    /// Judgement of the evidence since the suspicion began.
    pub evidence: Judgement,
    /// The recovery window looks good.
    pub good: bool,
}

impl Condition {
    /// Returns the next state.
    #[must_use]
    pub fn step(self, reading: &Reading, recovery_hold: Duration) -> Self {
        match self {
            Self::Normal => match reading.suspicious {
                Some(onset) => Self::Suspect { onset, since: reading.at },
                None => Self::Normal,
            },
            Self::Suspect { onset, since } => match reading.evidence {
                Judgement::Bad => Self::Degraded { onset, since },
                Judgement::Good => Self::Normal,
                Judgement::Open => self,
            },
            Self::Degraded { onset, .. } if reading.good => Self::Recovering { onset, since: reading.at },
            Self::Degraded { .. } => self,
            Self::Recovering { onset, since } => {
                if reading.suspicious.is_some() {
                    Self::Degraded { onset, since: reading.at }
                } else if reading.at.since(since) >= recovery_hold {
                    Self::Normal
                } else {
                    self
                }
            }
        }
    }

    /// Returns when evidence began to count, in `Suspect`.
    #[must_use]
    pub const fn suspect_since(&self) -> Option<Timestamp> {
        match self {
            Self::Suspect { since, .. } => Some(*since),
            _ => None,
        }
    }

    /// Returns the first unusual sample of a trouble that is proven and not yet over.
    #[must_use]
    pub const fn trouble_since(&self) -> Option<Timestamp> {
        match self {
            Self::Degraded { onset, .. } | Self::Recovering { onset, .. } => Some(*onset),
            Self::Normal | Self::Suspect { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLD: Duration = Duration::from_secs(30);

    fn t(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1000)
    }

    fn reading(at: i64, suspicious: bool, evidence: Judgement, good: bool) -> Reading {
        Reading { at: t(at), suspicious: suspicious.then_some(t(at - 1)), evidence, good }
    }

    #[test]
    fn the_table_of_transitions() {
        use Judgement::{Bad, Good, Open};
        let suspect = Condition::Suspect { onset: t(9), since: t(10) };
        let degraded = Condition::Degraded { onset: t(9), since: t(10) };
        let recovering = Condition::Recovering { onset: t(9), since: t(40) };
        let table = [
            (Condition::Normal, reading(10, false, Bad, true), Condition::Normal),
            (Condition::Normal, reading(10, true, Bad, false), suspect),
            (suspect, reading(12, true, Open, false), suspect),
            (suspect, reading(15, true, Bad, false), degraded),
            (suspect, reading(15, true, Good, false), Condition::Normal),
            (degraded, reading(20, false, Good, false), degraded),
            (degraded, reading(40, false, Good, true), recovering),
            (recovering, reading(69, false, Good, true), recovering),
            (recovering, reading(70, false, Good, true), Condition::Normal),
            (recovering, reading(50, true, Good, true), Condition::Degraded { onset: t(9), since: t(50) }),
        ];
        for (before, reading, after) in table {
            assert_eq!(before.step(&reading, HOLD), after, "{before:?} {reading:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn trouble_always_begins_with_evidence_and_ends_with_the_hold_time(
            steps in proptest::collection::vec((proptest::bool::ANY, 0..3_u8, proptest::bool::ANY), 1..200),
        ) {
            let (mut condition, mut suspect, mut good_since) = (Condition::Normal, false, None);
            for (second, (suspicious, evidence, good)) in (0_i64..).zip(steps) {
                let evidence = [Judgement::Bad, Judgement::Good, Judgement::Open][usize::from(evidence)];
                let next = condition.step(&reading(second, suspicious, evidence, good), HOLD);
                match (condition, next) {
                    (Condition::Normal, n) => assert!(n.trouble_since().is_none()),
                    (Condition::Suspect { .. }, Condition::Degraded { .. }) => assert!(suspect && evidence == Judgement::Bad),
                    (Condition::Degraded { .. }, Condition::Normal) => panic!("cleared without recovering"),
                    (Condition::Recovering { .. }, Condition::Normal) => assert!(t(second).since(good_since.unwrap()) >= HOLD),
                    _ => {}
                }
                if !matches!(condition, Condition::Recovering { .. }) && matches!(next, Condition::Recovering { .. }) {
                    good_since = Some(t(second));
                }
                suspect = matches!(next, Condition::Suspect { .. });
                condition = next;
            }
        }
    }
}
