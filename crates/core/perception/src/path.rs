//! One measured path: its own baseline, its delay condition, its silence.

use crate::{Condition, Judgement, Measured, Reading, Thresholds};
use network::{Probe, ProbeSample};
use serde::{Deserialize, Serialize};
use units::Timestamp;

/// What a path normally takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Forward delay, milliseconds.
    pub delay_ms: f64,
    /// Clean samples behind it.
    pub samples: u64,
}

/// The state of a path as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum PathState {
    /// Never a reply.
    Unknown,
    /// The baseline is being learned.
    Learning,
    /// As usual.
    Normal,
    /// Unusual; evidence is being gathered.
    Suspect {
        /// First unusual sample.
        since: Timestamp,
    },
    /// Proven bad.
    Degraded {
        /// First unusual sample.
        since: Timestamp,
    },
    /// Was bad, looks good again.
    Recovering {
        /// Good since.
        since: Timestamp,
    },
    /// Nothing arrives.
    Down {
        /// First lost packet.
        since: Timestamp,
    },
}

/// Packets lost in a row, with no reply between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Silence {
    since: Timestamp,
    packets: u64,
}

/// Memory of one path.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Path {
    /// Time of the last sample taken in, device time.
    cursor: Timestamp,
    /// When a sample last arrived, our time.
    heard: Option<Timestamp>,
    /// A reply was seen at some time.
    answered: bool,
    learning: Vec<f64>,
    baseline: Option<Baseline>,
    delay: Condition,
    silence: Option<Silence>,
    /// Proven silent since.
    down: Option<Timestamp>,
}

/// Returns the delay above which a path is suspicious, milliseconds: baseline plus the allowed rise, or the provider's limit, whichever is lower.
#[must_use]
pub fn delay_limit(baseline: Option<Baseline>, sla_ms: f64, thresholds: &Thresholds) -> f64 {
    baseline.map_or(sla_ms, |b| (b.delay_ms + allowed_rise(b, thresholds)).min(sla_ms))
}

/// Returns the delay below which a degraded path looks good again, milliseconds.
#[must_use]
pub fn recovery_limit(baseline: Option<Baseline>, sla_ms: f64, thresholds: &Thresholds) -> f64 {
    baseline.map_or(sla_ms, |b| (b.delay_ms + thresholds.recovery_share * allowed_rise(b, thresholds)).min(sla_ms))
}

fn allowed_rise(baseline: Baseline, thresholds: &Thresholds) -> f64 {
    thresholds.delay_rise_ms.max(thresholds.delay_rise_share * baseline.delay_ms)
}

impl Path {
    /// Returns the baseline, once learned.
    #[must_use]
    pub const fn baseline(&self) -> Option<Baseline> {
        self.baseline
    }

    /// Returns the condition of the delay.
    #[must_use]
    pub const fn delay(&self) -> Condition {
        self.delay
    }

    /// Returns since when nothing arrives, once proven.
    #[must_use]
    pub const fn down(&self) -> Option<Timestamp> {
        self.down
    }

    /// Returns the time of the newest sample taken in, device time.
    #[must_use]
    pub const fn newest(&self) -> Timestamp {
        self.cursor
    }

    /// Says whether samples keep coming. A lossy path is fresh; a silent feed is not.
    #[must_use]
    pub fn is_fresh(&self, now: Timestamp, thresholds: &Thresholds) -> bool {
        self.heard.is_some_and(|heard| now.since(heard) <= thresholds.stale_after)
    }

    /// Returns the first unusual sample of a proven trouble of this path alone (delay or silence).
    #[must_use]
    pub fn trouble_since(&self) -> Option<Timestamp> {
        match (self.down, self.delay.trouble_since()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Says whether the path may soon be judged: suspect, or silent for too few packets.
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        self.delay.suspect_since().is_some() || (self.silence.is_some() && self.down.is_none() && self.answered)
    }

    /// Returns the state as far as this path alone tells.
    #[must_use]
    pub const fn state(&self) -> PathState {
        match (self.down, self.delay) {
            (Some(since), _) => PathState::Down { since },
            (None, Condition::Suspect { onset, .. }) => PathState::Suspect { since: onset },
            (None, Condition::Degraded { onset, .. }) => PathState::Degraded { since: onset },
            (None, Condition::Recovering { since, .. }) => PathState::Recovering { since },
            (None, Condition::Normal) if !self.answered => PathState::Unknown,
            (None, Condition::Normal) if self.baseline.is_none() => PathState::Learning,
            (None, Condition::Normal) => PathState::Normal,
        }
    }

    /// Takes the samples that came since the last call. `steady`: nothing else is suspicious on this path's exit, so the baseline may
    /// follow. Returns false when there was none.
    pub(crate) fn take(&mut self, probe: &Probe, sla_ms: f64, steady: bool, now: Timestamp, thresholds: &Thresholds) -> bool {
        let fresh = probe.samples.iter().rev().take_while(|s| s.at > self.cursor).count();
        if fresh == 0 {
            return false;
        }
        let start = probe.samples.len() - fresh;
        for (index, sample) in probe.samples.iter().enumerate().skip(start) {
            self.cursor = sample.at;
            if now.since(sample.at) > thresholds.sample_age_max {
                continue;
            }
            self.heard = Some(now);
            self.hear(sample, thresholds);
            if self.down.is_none() {
                let reading = self.reading(probe, index, sla_ms, thresholds);
                self.delay = self.delay.step(&reading, thresholds.recovery_hold);
            }
            if steady && self.delay == Condition::Normal && self.silence.is_none() {
                self.learn(sample, thresholds);
            }
        }
        true
    }

    /// Follows silence: enough packets lost in a row, and none arriving between, is proof.
    fn hear(&mut self, sample: &ProbeSample, thresholds: &Thresholds) {
        if sample.received > 0 {
            self.answered = true;
            self.silence = None;
            if let Some(onset) = self.down.take() {
                self.delay = Condition::Recovering { onset, since: sample.at };
            }
        } else if sample.sent > 0 {
            let silence = self.silence.get_or_insert(Silence { since: sample.at, packets: 0 });
            silence.packets += u64::from(sample.sent);
            if self.answered && self.down.is_none() && silence.packets >= thresholds.silent_packets {
                self.down = Some(silence.since);
            }
        }
    }

    fn reading(&self, probe: &Probe, index: usize, sla_ms: f64, thresholds: &Thresholds) -> Reading {
        let at = self.cursor;
        let limit = delay_limit(self.baseline, sla_ms, thresholds);
        let over = |from| Measured::over(probe.samples.range(..=index), from, at);
        let recent = over(at.minus(thresholds.delay_window));
        let high = recent.received >= thresholds.delay_packets_min && recent.delay_ms().is_some_and(|d| d > limit);
        let suspicious = high.then(|| {
            let window = probe.samples.range(..=index).rev().take_while(|s| s.at > recent.from);
            window.filter(|s| s.delay_ms.is_some_and(|d| d > limit)).map(|s| s.at).last().unwrap_or(at)
        });
        let evidence = match self.delay.suspect_since() {
            Some(since) => self.judge(&over(since), high, limit, thresholds),
            None => Judgement::Open,
        };
        let recovery = over(at.minus(thresholds.recovery_window));
        let good = recovery.received >= thresholds.delay_packets_min
            && recovery.delay_ms().is_some_and(|d| d <= recovery_limit(self.baseline, sla_ms, thresholds));
        Reading { at, suspicious, evidence, good }
    }

    /// Judges the delay since the suspicion began: bad needs the mean above the limit and a rise that is more than scatter.
    fn judge(&self, evidence: &Measured, high: bool, limit: f64, thresholds: &Thresholds) -> Judgement {
        let elapsed = evidence.to.since(evidence.from);
        let timed_out = elapsed >= thresholds.evidence_max;
        if elapsed < thresholds.evidence_min || (evidence.received < thresholds.evidence_delay_packets && !timed_out) {
            return Judgement::Open;
        }
        let above = evidence.delay_ms().is_some_and(|d| d > limit);
        let floor = self.baseline.map_or(0.0, |b| b.delay_ms);
        let significant = evidence.delay_interval_ms().is_some_and(|i| i.low > floor);
        match (above && significant, high) {
            (true, true) if evidence.received >= thresholds.evidence_delay_packets => Judgement::Bad,
            (_, true) if !timed_out => Judgement::Open,
            _ => Judgement::Good,
        }
    }

    fn learn(&mut self, sample: &ProbeSample, thresholds: &Thresholds) {
        let Some(delay) = sample.delay_ms.filter(|d| d.is_finite() && sample.sent > 0 && sample.received == sample.sent) else { return };
        match &mut self.baseline {
            Some(b) => {
                b.delay_ms += thresholds.baseline_weight * (delay - b.delay_ms);
                b.samples += 1;
            }
            None => {
                self.learning.push(delay);
                if self.learning.len() >= thresholds.baseline_samples.max(1) {
                    let samples = self.learning.len() as u64;
                    self.baseline = Some(Baseline { delay_ms: median(core::mem::take(&mut self.learning)), samples });
                }
            }
        }
    }
}

/// Returns the median; the mean of the middle two when the count is even.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle.wrapping_sub(1)), values.get(middle)) {
        (Some(low), Some(high)) if values.len().is_multiple_of(2) => (low + high) / 2.0,
        (_, Some(high)) => *high,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests;
