//! How long to wait before the next attempt.

use core::time::Duration;

/// First wait.
const FIRST: Duration = Duration::from_secs(1);
/// Longest wait.
const LONGEST: Duration = Duration::from_secs(60);
/// The wait is shortened by up to this share, in percent, so that many diallers do not come back together.
const JITTER_PERCENT: u64 = 25;

/// Doubles from one second to sixty, with jitter from a seed: the same seed gives the same waits.
#[derive(Clone, Debug)]
pub struct Backoff {
    next: Duration,
    state: u64,
}

impl Backoff {
    /// Makes one at its first wait.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { next: FIRST, state: seed }
    }

    /// Returns how long to wait now.
    pub fn wait(&mut self) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(LONGEST);
        let millis = u64::try_from(whole.as_millis()).unwrap_or(u64::MAX);
        let percent = self.random() % (JITTER_PERCENT + 1);
        Duration::from_millis(millis - millis * percent / 100)
    }

    /// Starts over after a success.
    pub const fn reset(&mut self) {
        self.next = FIRST;
    }

    /// `splitmix64`.
    const fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_minute_and_a_seed_repeats_them() {
        let waits = |seed| {
            let mut b = Backoff::new(seed);
            (0..10).map(|_| b.wait()).collect::<Vec<_>>()
        };
        assert_eq!(waits(7), waits(7));
        assert_ne!(waits(7), waits(8));
        for (i, wait) in waits(7).into_iter().enumerate() {
            let whole = LONGEST.min(FIRST * 2_u32.pow(u32::try_from(i).unwrap()));
            assert!(wait <= whole && wait >= whole * 3 / 4, "{i}: {wait:?} of {whole:?}");
        }
        let mut b = Backoff::new(1);
        b.wait();
        b.wait();
        b.reset();
        assert!(b.wait() <= FIRST);
    }
}
