//! Measurements pooled over a window, with what they do not tell: standard error and Wilson bounds.

use network::ProbeSample;
use serde::{Deserialize, Serialize};
use units::{Ratio, Timestamp};

/// Normal quantile of a one-sided 95 % bound.
const Z_ONE_SIDED: f64 = 1.644_853_626_951_472_2;
/// Normal quantile of a two-sided 95 % interval.
const Z_TWO_SIDED: f64 = 1.959_963_984_540_054;
/// Smallest standard error of a mean delay, milliseconds: user-space time stamps are not better than this.
pub(crate) const DELAY_RESOLUTION_MS: f64 = 0.05;

/// A closed interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Makes an interval; the ends may come in either order.
    #[must_use]
    pub fn new(a: f64, b: f64) -> Self {
        Self { low: a.min(b), high: a.max(b) }
    }

    /// Returns the middle.
    #[must_use]
    pub fn mid(&self) -> f64 {
        (self.low + self.high) / 2.0
    }

    /// Says whether `value` lies inside, ends included.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// Says whether all of this lies below all of `other`.
    #[must_use]
    pub fn below(&self, other: &Self) -> bool {
        self.high < other.low
    }
}

/// A mean with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Most likely value.
    pub mean: f64,
    /// 95 % interval around it.
    pub interval: Interval,
}

impl Estimate {
    /// Says whether this is really less than `other`: the 95 % interval of the difference lies above zero (Newcombe 1998, method 10,
    /// square-and-add of the two intervals' arms).
    #[must_use]
    pub fn surely_below(&self, other: &Self) -> bool {
        let (up, down) = (self.interval.high - self.mean, other.mean - other.interval.low);
        other.mean - self.mean > libm::sqrt(up * up + down * down)
    }
}

/// What a probe, or several pooled, measured in one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Start of the window, exclusive.
    pub from: Timestamp,
    /// End of the window, inclusive.
    pub to: Timestamp,
    /// Packets whose fate is known.
    pub sent: u64,
    /// Packets that arrived.
    pub received: u64,
    /// Measuring intervals that carried at least one packet.
    pub intervals: u64,
    /// Intervals with a delay.
    delayed: u64,
    /// Packets behind those delays.
    weight: f64,
    /// Mean forward delay, milliseconds.
    mean: f64,
    /// Weighted sum of squared deviations from the mean (between intervals).
    spread: f64,
}

impl Measured {
    /// Makes a window without packets.
    #[must_use]
    pub fn empty(from: Timestamp, to: Timestamp) -> Self {
        Self { from, to, ..Self::default() }
    }

    /// Pools the samples with `from` < time ≤ `to`.
    pub fn over<'a>(samples: impl DoubleEndedIterator<Item = &'a ProbeSample>, from: Timestamp, to: Timestamp) -> Self {
        let mut pooled = Self::empty(from, to);
        for sample in samples.rev().skip_while(|s| s.at > to).take_while(|s| s.at > from) {
            pooled.add(sample);
        }
        pooled
    }

    /// Adds one interval. Weighted running mean and squared deviation (West 1979), stable for any number of samples.
    fn add(&mut self, sample: &ProbeSample) {
        if sample.sent == 0 {
            return;
        }
        self.sent += u64::from(sample.sent);
        self.received += u64::from(sample.received.min(sample.sent));
        self.intervals += 1;
        if let Some(delay) = sample.delay_ms.filter(|d| d.is_finite()) {
            self.join(f64::from(sample.received.max(1)), delay, 0.0, 1);
        }
    }

    fn join(&mut self, weight: f64, mean: f64, spread: f64, delayed: u64) {
        let total = self.weight + weight;
        if total <= 0.0 {
            return;
        }
        let step = mean - self.mean;
        self.spread += spread + step * step * self.weight * weight / total;
        self.mean += step * weight / total;
        self.weight = total;
        self.delayed += delayed;
    }

    /// Returns both pooled, packet by packet.
    #[must_use]
    pub fn merged(mut self, other: &Self) -> Self {
        match (self.sent, other.sent) {
            (_, 0) => return self,
            (0, _) => return *other,
            _ => {}
        }
        self.from = self.from.min(other.from);
        self.to = self.to.max(other.to);
        self.sent += other.sent;
        self.received += other.received;
        self.intervals += other.intervals;
        self.join(other.weight, other.mean, other.spread, other.delayed);
        self
    }

    /// Returns the mean forward delay in milliseconds; `None` when nothing arrived.
    #[must_use]
    pub fn delay_ms(&self) -> Option<f64> {
        (self.delayed > 0).then_some(self.mean)
    }

    /// Returns the standard error of the mean delay, milliseconds, from the spread between intervals; `None` below two intervals.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "interval counts are far below 2^52")]
    pub fn delay_stderr_ms(&self) -> Option<f64> {
        (self.delayed > 1).then(|| {
            let variance = self.spread / self.weight / (self.delayed - 1) as f64;
            libm::sqrt(variance).max(DELAY_RESOLUTION_MS)
        })
    }

    /// Returns mean ± 2 standard errors, milliseconds; not below zero.
    #[must_use]
    pub fn delay_interval_ms(&self) -> Option<Interval> {
        let (mean, stderr) = (self.delay_ms()?, self.delay_stderr_ms()?);
        Some(Interval::new((mean - 2.0 * stderr).max(0.0), mean + 2.0 * stderr))
    }

    /// Returns the packets that did not arrive.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.received)
    }

    /// Returns the loss; `None` when nothing was sent.
    #[must_use]
    pub fn loss(&self) -> Option<Ratio> {
        (self.sent > 0).then(|| Ratio::of(self.lost(), self.sent))
    }

    /// Returns the two-sided 95 % Wilson interval of the loss, 0–1.
    #[must_use]
    pub fn loss_interval(&self) -> Option<Interval> {
        (self.sent > 0).then(|| wilson(self.lost(), self.sent))
    }

    /// Returns the delay with its interval, milliseconds; `None` below two intervals with a reply.
    #[must_use]
    pub fn delay_estimate_ms(&self) -> Option<Estimate> {
        Some(Estimate { mean: self.delay_ms()?, interval: self.delay_interval_ms()? })
    }

    /// Returns the loss with its interval, 0–1.
    #[must_use]
    pub fn loss_estimate(&self) -> Option<Estimate> {
        Some(Estimate { mean: self.loss()?.get(), interval: self.loss_interval()? })
    }

    /// Says whether everything was lost and at least `packets` were sent.
    #[must_use]
    pub const fn silent(&self, packets: u64) -> bool {
        self.received == 0 && self.sent > 0 && self.sent >= packets
    }
}

/// Returns the two-sided 95 % Wilson score interval of `hits` in `trials` (Wilson 1927); 0–1 without trials.
#[must_use]
pub fn wilson(hits: u64, trials: u64) -> Interval {
    Interval::new(score(hits, trials, -Z_TWO_SIDED), score(hits, trials, Z_TWO_SIDED))
}

/// Returns the lower one-sided 95 % Wilson bound; 0 without trials.
#[must_use]
pub fn wilson_lower(hits: u64, trials: u64) -> f64 {
    score(hits, trials, -Z_ONE_SIDED)
}

/// Returns the upper one-sided 95 % Wilson bound; 1 without trials.
#[must_use]
pub fn wilson_upper(hits: u64, trials: u64) -> f64 {
    score(hits, trials, Z_ONE_SIDED)
}

#[allow(clippy::cast_precision_loss, reason = "packet counts are far below 2^52")]
fn score(hits: u64, trials: u64, z: f64) -> f64 {
    if trials == 0 {
        return if z < 0.0 { 0.0 } else { 1.0 };
    }
    // the ends are exact; computed, they miss by a rounding that depends on z
    if hits == 0 && z < 0.0 {
        return 0.0;
    }
    if hits >= trials && z > 0.0 {
        return 1.0;
    }
    let (n, z2) = (trials as f64, z * z);
    let p = hits.min(trials) as f64 / n;
    let half = z * libm::sqrt(p * (1.0 - p) / n + z2 / (4.0 * n * n));
    ((p + z2 / (2.0 * n) + half) / (1.0 + z2 / n)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(second: i64, sent: u32, received: u32, delay: f64) -> ProbeSample {
        ProbeSample {
            at: Timestamp::from_millis(second * 1000),
            sent,
            received,
            delay_ms: (received > 0).then_some(delay),
            delay_ms_min_max: None,
            rtt_ms: None,
        }
    }

    #[test]
    fn wilson_bounds_match_published_values() {
        // statsmodels proportion_confint(1, 60, method="wilson") = (0.00295, 0.08860)
        let i = wilson(1, 60);
        assert!((i.low - 0.002_95).abs() < 5e-5 && (i.high - 0.088_60).abs() < 5e-5, "{i:?}");
        assert!(wilson_lower(1, 60) < 0.005, "one packet of sixty proves nothing");
        assert!(wilson_lower(6, 300) > 0.005, "six of three hundred do");
        assert!(wilson_lower(0, 100) < 1e-12);
        assert_eq!(wilson_upper(0, 0), 1.0);
    }

    #[test]
    fn a_difference_is_judged_by_its_own_interval() {
        let loss = |lost, sent| Estimate { mean: Ratio::of(lost, sent).get(), interval: wilson(lost, sent) };
        // The two intervals overlap (0–1.06 % and 0.92–4.3 %), the difference is still significant.
        assert!(loss(0, 360).surely_below(&loss(6, 300)));
        assert!(!loss(0, 60).surely_below(&loss(1, 60)));
        assert!(!loss(3, 300).surely_below(&loss(3, 300)));
    }

    #[test]
    fn means_are_weighted_by_packets_and_windows_are_half_open() {
        let samples = [sample(1, 1, 1, 100.0), sample(2, 1, 1, 10.0), sample(3, 3, 3, 20.0), sample(4, 1, 1, 99.0)];
        let m = Measured::over(samples.iter(), Timestamp::from_millis(1000), Timestamp::from_millis(3000));
        assert_eq!((m.sent, m.received, m.intervals), (4, 4, 2));
        assert!((m.delay_ms().unwrap() - 17.5).abs() < 1e-12);
        let interval = m.delay_interval_ms().unwrap();
        assert!(interval.low < 17.5 && interval.high > 17.5);
    }

    #[test]
    fn merging_equals_measuring_together() {
        let samples: Vec<_> = (1..=20).map(|i| sample(i, 10, 9 + u32::from(i % 2 == 0), 5.0 + f64::from(i as i32 % 7))).collect();
        let t = |s: i64| Timestamp::from_millis(s * 1000);
        let whole = Measured::over(samples.iter(), t(0), t(20));
        let halves = Measured::over(samples.iter(), t(0), t(7)).merged(&Measured::over(samples.iter(), t(7), t(20)));
        assert_eq!((whole.sent, whole.received), (halves.sent, halves.received));
        assert!((whole.delay_ms().unwrap() - halves.delay_ms().unwrap()).abs() < 1e-9);
        assert!((whole.delay_stderr_ms().unwrap() - halves.delay_stderr_ms().unwrap()).abs() < 1e-9);
    }

    #[test]
    fn nothing_sent_is_unknown_and_not_lossless() {
        let m = Measured::over([].iter(), Timestamp::EPOCH, Timestamp::from_millis(1));
        assert_eq!((m.loss(), m.delay_ms(), m.silent(0)), (None, None, false));
        let lost = Measured::over([sample(1, 5, 0, 0.0)].iter(), Timestamp::EPOCH, Timestamp::from_millis(1000));
        assert!(lost.silent(5) && !lost.silent(6));
    }

    #[test]
    fn wilson_bounds_end_at_0_and_1() {
        for trials in 1..5000 {
            assert_eq!((wilson(0, trials).low, wilson_lower(0, trials)), (0.0, 0.0), "{trials}");
            assert_eq!((wilson(trials, trials).high, wilson_upper(trials, trials)), (1.0, 1.0), "{trials}");
        }
    }

    proptest::proptest! {
        #[test]
        fn wilson_bounds_hold_the_share_and_rise_with_the_hits(trials in 1..5000_u64, part in 0.0..1.0_f64) {
            let hits = (part * trials as f64) as u64;
            let (i, share) = (wilson(hits, trials), Ratio::of(hits, trials).get());
            assert!((0.0..=1.0).contains(&i.low) && (0.0..=1.0).contains(&i.high));
            assert!(i.low <= share + 1e-12 && share <= i.high + 1e-12);
            assert!(wilson_lower(hits, trials) <= wilson_lower(hits + 1, trials + 1));
            assert!(i.low <= wilson_lower(hits, trials) && wilson_upper(hits, trials) <= i.high);
        }
    }
}
