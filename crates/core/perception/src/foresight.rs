//! How well "it stays as it is" foretells the delay of a path: the same forecast is made for the minutes before and held against what came.

use crate::measured::DELAY_RESOLUTION_MS;
use crate::{Estimate, Interval, Measured};
use network::ProbeSample;
use units::Timestamp;

/// Length of a block, seconds: the window that a change is judged over.
const BLOCK_S: i64 = 5;
/// Blocks that a forecast rests on: the window of "now".
const BASIS: usize = 2;
/// Blocks between a forecast and what it foretells: writing, the delay of policies, convergence.
const GAP: usize = 2;
/// Blocks that are looked back, five minutes.
const BLOCKS_MAX: usize = 60;
/// Forecasts that must have been checked before their errors count.
const CHECKED_MIN: usize = 6;
/// Two-sided 95 % quantiles of Student's t from 1 degree of freedom on; beyond, the last is taken (2.042 at 30, 1.960 without end).
const T_95: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093,
    2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/// Returns the mean forward delay of `now` with the interval, milliseconds, in which the mean of the window that a change is judged over lies in
/// 95 of 100 cases when the path stays as it is. Half its width is the larger of two: the sampling error of both means, and what the same
/// forecast missed by over the five minutes before (root mean square, times Student's t; windows overlap, so each three count as one). `None`
/// below two measuring intervals with a reply.
#[must_use]
pub fn coming_delay_ms<'a>(samples: impl DoubleEndedIterator<Item = &'a ProbeSample>, now: &Measured) -> Option<Estimate> {
    let (mean, stderr) = (now.delay_ms()?, now.delay_stderr_ms()?);
    let sampling = 2.0 * core::f64::consts::SQRT_2 * stderr;
    let half = missed(&blocks(samples, now.to)).map_or(sampling, |m| m.max(sampling));
    Some(Estimate { mean, interval: Interval::new((mean - half).max(0.0), mean + half) })
}

/// Packets and the sum of their delays in each block before `to`, the newest first.
fn blocks<'a>(samples: impl DoubleEndedIterator<Item = &'a ProbeSample>, to: Timestamp) -> Vec<(f64, f64)> {
    let mut out = Vec::new();
    let length = BLOCK_S * 1_000_000_000;
    for sample in samples.rev().skip_while(|s| s.at > to) {
        let Ok(block) = usize::try_from((to.nanos() - sample.at.nanos()) / length) else { continue };
        if block >= BLOCKS_MAX {
            break;
        }
        if out.len() <= block {
            out.resize(block + 1, (0.0, 0.0));
        }
        if let Some(delay) = sample.delay_ms.filter(|d| d.is_finite() && sample.sent > 0) {
            let weight = f64::from(sample.received.max(1));
            out[block].0 += weight;
            out[block].1 += weight * delay;
        }
    }
    out
}

/// Half the width that would have held 95 of 100 forecasts, milliseconds; `None` when too few can be checked.
#[allow(clippy::cast_precision_loss, reason = "at most as many as there are blocks")]
fn missed(blocks: &[(f64, f64)]) -> Option<f64> {
    let mean = |some: &[(f64, f64)]| {
        let (weight, sum) = some.iter().fold((0.0, 0.0), |(w, s), b| (w + b.0, s + b.1));
        (weight > 0.0 && some.iter().all(|b| b.0 > 0.0)).then(|| sum / weight)
    };
    let errors: Vec<f64> = blocks.windows(1 + GAP + BASIS).filter_map(|w| Some(mean(w.get(..1)?)? - mean(w.get(1 + GAP..)?)?)).collect();
    if errors.len() < CHECKED_MIN {
        return None;
    }
    let square = errors.iter().map(|e| e * e).sum::<f64>() / errors.len() as f64;
    let freedom = (errors.len() / 3).clamp(1, T_95.len());
    Some(T_95[freedom - 1] * libm::sqrt(square).max(DELAY_RESOLUTION_MS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn series(delays: &[f64]) -> Vec<ProbeSample> {
        let sample = |(second, delay): (i64, &f64)| ProbeSample {
            at: Timestamp::from_millis(second * 1000),
            sent: 5,
            received: 5,
            delay_ms: Some(*delay),
            delay_ms_min_max: None,
            rtt_ms: None,
        };
        (1..).zip(delays).map(sample).collect()
    }

    fn coming(delays: &[f64]) -> Estimate {
        let all = series(delays);
        let to = all.last().unwrap().at;
        let from = Timestamp::from_nanos(to.nanos() - 10_000_000_000);
        coming_delay_ms(all.iter(), &Measured::over(all.iter(), from, to)).unwrap()
    }

    #[test]
    fn a_still_path_is_foretold_to_the_clock_and_one_that_drifts_is_not() {
        let still = coming(&[6.0; 200]);
        assert!(still.interval.contains(6.0) && still.interval.high - 6.0 < 0.2, "{still:?}");
        // half a minute each at 5 and at 9 ms: what is measured now says little about the next window
        let waves: Vec<f64> = (0..200).map(|s| if s / 30 % 2 == 0 { 5.0 } else { 9.0 }).collect();
        let waves = coming(&waves);
        assert!(waves.interval.contains(5.0) && waves.interval.contains(9.0), "{waves:?}");
    }

    #[test]
    fn without_a_past_the_error_of_both_means_stands() {
        let short = coming(&[5.0, 7.0, 5.0, 7.0, 5.0, 7.0, 5.0, 7.0, 5.0, 7.0]);
        let own = Measured::over(
            series(&[5.0, 7.0, 5.0, 7.0, 5.0, 7.0, 5.0, 7.0, 5.0, 7.0]).iter(),
            Timestamp::EPOCH,
            Timestamp::from_millis(10_000),
        );
        let half = (short.interval.high - short.interval.low) / 2.0;
        assert!((half - 2.0 * core::f64::consts::SQRT_2 * own.delay_stderr_ms().unwrap()).abs() < 1e-9, "{short:?}");
        assert!(coming_delay_ms([].iter(), &Measured::default()).is_none());
    }

    /// Numbers of a walk that leans back to its middle (AR(1) by the second), from a generator of our own: a path with memory.
    fn walk(seed: u64, memory: f64, seconds: usize) -> Vec<f64> {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut uniform = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let (mut at, mut out) = (0.0, Vec::new());
        for _ in 0..seconds {
            let kick: f64 = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
            at = memory * at + kick;
            out.push(20.0 + at);
        }
        out
    }

    #[test]
    fn of_a_hundred_forecasts_about_ninety_five_hold_whatever_the_memory_of_the_path() {
        for memory in [0.0, 0.5, 0.9, 0.98] {
            let (mut held, mut by_sampling_alone) = (0, 0);
            for seed in 1..=400 {
                let all = series(&walk(seed, memory, 315));
                let (to, end) = (Timestamp::from_millis(300_000), Timestamp::from_millis(315_000));
                let now = Measured::over(all.iter(), Timestamp::from_millis(290_000), to);
                let came = Measured::over(all.iter(), Timestamp::from_millis(310_000), end).delay_ms().unwrap();
                held += u32::from(coming_delay_ms(all.iter(), &now).unwrap().interval.contains(came));
                by_sampling_alone += u32::from(now.delay_interval_ms().unwrap().contains(came));
            }
            println!("memory {memory}: {held} of 400 held, {by_sampling_alone} by the sampling error of the mean alone");
            assert!((364..=398).contains(&held), "memory {memory}: {held} of 400");
            assert!(by_sampling_alone < held, "memory {memory}");
        }
    }

    proptest! {
        #[test]
        fn any_series_is_taken(delays in proptest::collection::vec(prop_oneof![Just(f64::NAN), Just(f64::MAX), -1e3..1e9], 0..400)) {
            let all = series(&delays);
            let to = all.last().map_or(Timestamp::EPOCH, |s| s.at);
            let now = Measured::over(all.iter(), Timestamp::EPOCH, to);
            if let Some(e) = coming_delay_ms(all.iter(), &now) {
                prop_assert!(e.interval.low <= e.interval.high || e.interval.high.is_nan());
            }
        }
    }
}
