//! Growth of an interface's error counters, with resets and gaps taken out.

use core::time::Duration;
use network::ErrorCounters;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use units::Timestamp;

/// Two reads further apart than this say nothing about when the errors came; sampling every 30 s is usual.
const GAP_MAX: Duration = Duration::from_secs(90);
/// Points kept per interface; one is added only when errors came, so this is far more than a window holds at one read a second.
const POINTS_MAX: usize = 512;
/// Stretch before the recent one that must have been seen before anything is compared.
const BEFORE_MIN: Duration = Duration::from_secs(60);

/// Errors counted since we look.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    input: Option<(Timestamp, u64)>,
    output: Option<(Timestamp, u64)>,
    /// Begin of the unbroken stretch of reads.
    first: Option<Timestamp>,
    /// Newest read.
    last: Option<Timestamp>,
    total: u64,
    /// Total before the first of `points`.
    base: u64,
    /// (time, total from then on), where it grew; the oldest first.
    points: VecDeque<(Timestamp, u64)>,
    /// The earlier rate as it was when the rule spoke: trouble that lasts must not become its own measure.
    pub frozen: Option<f64>,
}

/// Two rates, errors per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    pub at: Timestamp,
    pub before: f64,
    pub recent: f64,
}

impl Growth {
    /// Takes the counters as they are.
    pub fn take(&mut self, counters: &ErrorCounters, keep: Duration) {
        let newest = counters.input.map(|c| c.0).max(counters.output.map(|c| c.0));
        let Some(at) = newest.filter(|at| self.last.is_none_or(|last| *at > last)) else { return };
        if self.last.is_none_or(|last| at.since(last) > GAP_MAX) {
            let frozen = self.frozen;
            *self = Self { first: Some(at), total: self.total, base: self.total, frozen, ..Self::default() };
        }
        let grown = grew(&mut self.input, counters.input) + grew(&mut self.output, counters.output);
        self.last = Some(at);
        if grown > 0 {
            self.total += grown;
            self.points.push_back((at, self.total));
        }
        // the newest point before the window says what the total was when the window began
        while self.points.len() > POINTS_MAX || self.points.get(1).is_some_and(|p| p.0 < at.minus(keep)) {
            self.base = self.points.pop_front().map_or(self.base, |p| p.1);
        }
    }

    fn total_at(&self, at: Timestamp) -> u64 {
        self.points.iter().rev().find(|p| p.0 <= at).map_or(self.base, |p| p.1)
    }

    /// Returns the rates over `recent` and over `window` before it; `None` until enough was seen.
    #[allow(clippy::cast_precision_loss, reason = "errors of minutes are far below 2^52")]
    pub fn rates(&self, recent: Duration, window: Duration) -> Option<Rates> {
        let (first, at) = (self.first?, self.last?);
        let middle = at.minus(recent);
        let from = middle.minus(window).max(first);
        let over = middle.since(from);
        if over < BEFORE_MIN || recent.is_zero() {
            return None;
        }
        let rate = |a: Timestamp, b: Timestamp, over: Duration| (self.total_at(b) - self.total_at(a)) as f64 / over.as_secs_f64();
        Some(Rates { at, before: self.frozen.unwrap_or_else(|| rate(from, middle, over)), recent: rate(middle, at, recent) })
    }
}

/// Returns how much a counter grew; a counter that fell (a reset) says nothing.
fn grew(known: &mut Option<(Timestamp, u64)>, read: Option<(Timestamp, u64)>) -> u64 {
    let Some(read) = read else { return 0 };
    let before = known.replace(read);
    before.and_then(|b| read.1.checked_sub(b.1)).unwrap_or(0)
}
