//! Interface counters and the rates between them.

use crate::{Interface, Toward};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use units::Timestamp;

/// In and out octets that come in separate notifications belong together when they are at most this far apart.
const TOGETHER: Duration = Duration::from_secs(1);
/// Two reads closer than this give no rate: the clock's grain would be part of it.
const RATE_OVER_MIN: Duration = Duration::from_millis(200);

/// Minutes of octets kept: as far back as flow accounts reach.
const MINUTES_MAX: usize = 12;
const MINUTE_NS: i64 = 60_000_000_000;
/// How many minutes back the newest one is looked for: counters may be read every other minute.
const NEWEST_WITHIN: i64 = 3;
/// A minute counts when this much of it lies between reads; the rest is taken to be like it.
const COVERED_MIN_NS: u64 = 54_000_000_000;

/// What an interface carried minute by minute, by its octet counters; what lies between two reads is spread evenly.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountedMinutes(#[serde(deserialize_with = "units::numbered")] BTreeMap<i64, CountedMinute>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct CountedMinute {
    input: u64,
    output: u64,
    covered_ns: u64,
}

impl CountedMinutes {
    fn add(&mut self, from: Timestamp, to: Timestamp, input: u64, output: u64) {
        let whole = to.nanos().saturating_sub(from.nanos());
        let last = to.nanos().div_euclid(MINUTE_NS);
        let first = from.nanos().div_euclid(MINUTE_NS).max(last.saturating_sub(MINUTES_MAX as i64));
        for minute in first..=last {
            let begin = minute.saturating_mul(MINUTE_NS).max(from.nanos());
            let end = minute.saturating_add(1).saturating_mul(MINUTE_NS).min(to.nanos());
            let Some(part) = u64::try_from(end.saturating_sub(begin)).ok().filter(|p| *p > 0) else { continue };
            let share =
                |octets: u64| u64::try_from(u128::from(octets) * u128::from(part) / whole.max(1).unsigned_abs() as u128).unwrap_or(octets);
            let sum = self.0.entry(minute).or_default();
            sum.input = sum.input.saturating_add(share(input));
            sum.output = sum.output.saturating_add(share(output));
            sum.covered_ns = sum.covered_ns.saturating_add(part);
        }
        while self.0.len() > MINUTES_MAX {
            self.0.pop_first();
        }
    }

    /// Returns the mean rate of a minute (numbered since 1970) in bit/s; `None` when the counters were not read over nine tenths of it.
    #[must_use]
    pub fn bps(&self, minute: i64, toward: Toward) -> Option<u64> {
        let sum = self.0.get(&minute).filter(|m| m.covered_ns >= COVERED_MIN_NS)?;
        let octets = if toward == Toward::Outside { sum.output } else { sum.input };
        u64::try_from(u128::from(octets) * 8_000_000_000 / u128::from(sum.covered_ns)).ok()
    }

    /// Returns the newest whole minute that is known and ended in the last three minutes before `now`: its end, and its mean
    /// rates in bit/s, (in, out). The one that ended last may still lack the read that completes it.
    #[must_use]
    pub fn newest(&self, now: Timestamp) -> Option<(Timestamp, u64, u64)> {
        let running = now.nanos().div_euclid(MINUTE_NS);
        (running.saturating_sub(NEWEST_WITHIN)..running).rev().find_map(|minute| {
            let rates = self.bps(minute, Toward::Inside).zip(self.bps(minute, Toward::Outside));
            rates.map(|(input, output)| (Timestamp::from_nanos(minute.saturating_add(1).saturating_mul(MINUTE_NS)), input, output))
        })
    }
}

/// The halves of a counter read, until both are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counters {
    input: Option<(Timestamp, u64)>,
    output: Option<(Timestamp, u64)>,
}

impl Counters {
    pub fn set_input(&mut self, at: Timestamp, octets: u64) {
        self.input = Some((at, octets));
    }

    pub fn set_output(&mut self, at: Timestamp, octets: u64) {
        self.output = Some((at, octets));
    }

    pub const fn forget_input(&mut self) {
        self.input = None;
    }

    pub const fn forget_output(&mut self) {
        self.output = None;
    }

    /// Returns a complete read.
    fn pair(&self) -> Option<(Timestamp, u64, u64)> {
        let ((a, input), (b, output)) = (self.input?, self.output?);
        (a.since(b).max(b.since(a)) <= TOGETHER).then(|| (a.max(b), input, output))
    }
}

impl Interface {
    /// Takes a counter read. Reads that are not newer than the last change nothing; counters that fell (a reset) give no rate.
    pub(crate) fn count(&mut self, counters: &Counters) {
        let Some((at, input, output)) = counters.pair() else { return };
        let Some((before, old_input, old_output)) = self.octets else {
            self.octets = Some((at, input, output));
            return;
        };
        let over = at.since(before);
        if over < RATE_OVER_MIN {
            return;
        }
        if let Some((input, output)) = input.checked_sub(old_input).zip(output.checked_sub(old_output)) {
            self.minutes.add(before, at, input, output);
        }
        self.rate_bps = bps(input.checked_sub(old_input), over).zip(bps(output.checked_sub(old_output), over));
        self.octets = Some((at, input, output));
    }
}

#[allow(clippy::cast_precision_loss, reason = "a rate; octets of one interval are far below 2^52")]
fn bps(octets: Option<u64>, over: Duration) -> Option<f64> {
    octets.map(|o| o as f64 * 8.0 / over.as_secs_f64())
}
