//! When a rule speaks and when it is quiet again.
//!
//! ```text
//!          bad            bad for `hold`            good
//!  Quiet ───────► Pending ──────────────► Raised ─────────► Settling
//!    ▲   not bad     │                      ▲    not good      │
//!    │◄──────────────┘ (a dip that speaks:  └──────────────────┤
//!    │                  straight to Settling)                  │ good for `clear_hold`
//!    └─────────────────────────────────────────────────────────┘
//! ```

use core::time::Duration;
use serde::{Deserialize, Serialize};
use units::Timestamp;

/// What the newest reading says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// The rule's condition holds.
    Bad,
    /// Neither: between the limit and where it is over.
    Between,
    /// It is over.
    Good,
}

/// Where one rule stands about one thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Latch {
    /// Nothing.
    #[default]
    Quiet,
    /// Bad, not yet for long enough.
    Pending {
        /// Since.
        since: Timestamp,
    },
    /// Has spoken.
    Raised {
        /// Bad since.
        since: Timestamp,
    },
    /// Has spoken, looks good again.
    Settling {
        /// Bad since.
        since: Timestamp,
        /// Good since.
        good: Timestamp,
    },
}

/// What a step changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// The rule speaks; bad since.
    Raised(Timestamp),
    /// The rule is quiet again; was bad since.
    Cleared(Timestamp),
}

/// How long is long enough.
#[derive(Clone, Copy, Debug)]
pub struct Holds {
    /// Bad for this long.
    pub raise: Duration,
    /// Good for this long.
    pub clear: Duration,
    /// A bad stretch shorter than `raise` speaks too.
    pub dips_speak: bool,
}

impl Latch {
    /// Takes one reading.
    pub fn step(&mut self, sign: Sign, now: Timestamp, holds: Holds) -> Option<Turned> {
        let (next, turned) = match (*self, sign) {
            (Self::Quiet, Sign::Bad) if holds.raise.is_zero() => (Self::Raised { since: now }, Some(Turned::Raised(now))),
            (Self::Quiet, Sign::Bad) => (Self::Pending { since: now }, None),
            (Self::Pending { since }, Sign::Bad) if now.since(since) >= holds.raise => {
                (Self::Raised { since }, Some(Turned::Raised(since)))
            }
            (Self::Pending { since }, Sign::Good) if holds.dips_speak => (Self::Settling { since, good: now }, Some(Turned::Raised(since))),
            (Self::Pending { .. }, Sign::Good | Sign::Between) => (Self::Quiet, None),
            (Self::Raised { since }, Sign::Good) => (Self::Settling { since, good: now }, None),
            (Self::Settling { since, .. }, Sign::Bad | Sign::Between) => (Self::Raised { since }, None),
            (Self::Settling { since, good }, Sign::Good) if now.since(good) >= holds.clear => (Self::Quiet, Some(Turned::Cleared(since))),
            (same, _) => (same, None),
        };
        *self = next;
        turned
    }

    /// Ends it at once: what it was about is gone or shut.
    pub fn end(&mut self) -> Option<Turned> {
        let since = self.since();
        *self = Self::Quiet;
        since.map(Turned::Cleared)
    }

    /// Nothing is read for a while: stretches under way begin again.
    pub const fn pause(&mut self) {
        *self = match *self {
            Self::Quiet | Self::Pending { .. } => Self::Quiet,
            Self::Raised { since } | Self::Settling { since, .. } => Self::Raised { since },
        };
    }

    /// Returns since when it is bad, once it has spoken.
    pub const fn since(self) -> Option<Timestamp> {
        match self {
            Self::Quiet | Self::Pending { .. } => None,
            Self::Raised { since } | Self::Settling { since, .. } => Some(since),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLDS: Holds = Holds { raise: Duration::from_secs(10), clear: Duration::from_secs(30), dips_speak: false };

    fn run(holds: Holds, signs: &[(i64, Sign)]) -> Vec<(i64, Turned)> {
        let mut latch = Latch::default();
        signs.iter().filter_map(|(at, sign)| latch.step(*sign, Timestamp::from_millis(at * 1000), holds).map(|t| (*at, t))).collect()
    }

    #[test]
    fn it_speaks_once_and_ends_after_a_whole_good_stretch() {
        use Sign::{Bad, Between, Good};
        let t = |s: i64| Timestamp::from_millis(s * 1000);
        let signs = [
            (0, Good),
            (1, Bad),
            (5, Between),
            (6, Bad),
            (15, Bad),
            (16, Bad),
            (20, Bad),
            (21, Good),
            (40, Between),
            (41, Good),
            (70, Good),
            (71, Good),
        ];
        assert_eq!(run(HOLDS, &signs), [(16, Turned::Raised(t(6))), (71, Turned::Cleared(t(6)))]);
        let dip = [(1, Bad), (2, Good), (3, Bad), (4, Good), (33, Good), (34, Good)];
        assert_eq!(run(Holds { dips_speak: true, ..HOLDS }, &dip), [(2, Turned::Raised(t(1))), (34, Turned::Cleared(t(1)))]);
        assert_eq!(run(HOLDS, &dip), []);
    }
}
