//! Did a change help? Judged on what the routers' own choice feels, against what it felt before and what was predicted.
//!
//! Success must be shown. Silence, too few packets and "no difference" are failures when the deadline comes.

use crate::{Estimate, Interval, Measured, Request, wilson_lower};
use core::time::Duration;
use network::{Network, Probe, ProbeKey};
use serde::{Deserialize, Serialize};
use units::Timestamp;

/// A sample tells of packets up to this much older than itself: one measuring interval plus the time after which a packet counts as lost.
const SAMPLE_LAG: Duration = Duration::from_secs(2);

/// Which quantity must improve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Forward delay.
    Delay,
    /// Loss, total loss included.
    Loss,
}

/// One path that follows the routing and is expected to move.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExpectedPath {
    /// The probe that follows the routing (`exit` is `None`).
    pub probe: ProbeKey,
    /// What it measured before the change.
    pub before: Measured,
    /// Predicted forward delay after it, milliseconds.
    pub delay_ms: Option<Interval>,
    /// Predicted loss after it, 0–1.
    pub loss: Option<Interval>,
}

/// What a change is expected to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expectation {
    /// What must improve.
    pub goal: Goal,
    /// Paths that are expected to move.
    pub paths: Vec<ExpectedPath>,
    /// Loss before the change on the way that is left, pooled over all probes that went that way. More packets than the paths alone have.
    pub loss_before: Measured,
}

/// Limits of verification with their defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VerificationLimits {
    /// Share of the predicted improvement that must be measured, 0–1; landing inside the predicted interval also counts.
    pub share_of_predicted: f64,
    /// Improvement of delay below which nothing counts as one, milliseconds.
    pub delay_gain_ms_min: f64,
    /// Improvement of loss below which nothing counts as one, 0–1.
    pub loss_gain_min: f64,
    /// Delay above which the change is undone at once when it was lower before, milliseconds.
    pub abort_delay_ms: f64,
    /// Loss above which the change is undone at once when it was lower before, 0–1.
    pub abort_loss: f64,
    /// For how long total silence must last before it aborts; a moment of it is convergence.
    pub abort_silence: Duration,
    /// Packets in that silence.
    pub abort_packets: u64,
    /// Window of the delay comparison.
    pub delay_window: Duration,
    /// Window of the loss comparison.
    pub loss_window: Duration,
    /// Probe rate of the burst, packets per second per probe.
    pub hz: u32,
}

impl Default for VerificationLimits {
    fn default() -> Self {
        Self {
            share_of_predicted: 0.5,
            delay_gain_ms_min: 1.0,
            loss_gain_min: 0.002,
            abort_delay_ms: 80.0,
            abort_loss: 0.02,
            abort_silence: Duration::from_secs(3),
            abort_packets: 5,
            delay_window: Duration::from_secs(5),
            loss_window: Duration::from_secs(20),
            hz: 20,
        }
    }
}

/// The judgement of a change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// Not shown yet.
    Pending {
        /// Without proof by then it fails.
        until: Timestamp,
    },
    /// It really improved.
    Pass {
        /// What was measured, pooled over the paths.
        measured: Measured,
        /// The comparison in numbers.
        why: String,
    },
    /// It did not, or it became worse.
    Fail {
        /// The comparison in numbers.
        why: String,
        /// What was measured, pooled over the paths.
        measured: Measured,
    },
}

/// A change under measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    expectation: Expectation,
    from: Timestamp,
    deadline: Timestamp,
    needed: u64,
    limits: VerificationLimits,
}

impl Verification {
    /// Starts a verification. `from`: when the platform's policy delay is over; `deadline`: when proof must be there; `needed`: packets,
    /// pooled over the paths, below which nothing is judged a success.
    #[must_use]
    pub const fn new(expectation: Expectation, from: Timestamp, deadline: Timestamp, needed: u64, limits: VerificationLimits) -> Self {
        Self { expectation, from, deadline, needed, limits }
    }

    /// Returns the expectation.
    #[must_use]
    pub const fn expectation(&self) -> &Expectation {
        &self.expectation
    }

    /// Returns when proof must be there.
    #[must_use]
    pub const fn deadline(&self) -> Timestamp {
        self.deadline
    }

    /// Returns the probe rates to ask for, from now until the deadline.
    #[must_use]
    pub fn requests(&self, now: Timestamp) -> Vec<Request> {
        let seconds = u32::try_from(self.deadline.since(now).as_secs()).unwrap_or(u32::MAX).saturating_add(1);
        let paths = self.expectation.paths.iter();
        paths.map(|p| Request::ProbeRate { probe: p.probe.clone(), hz: self.limits.hz, seconds }).collect()
    }

    /// Returns what each path measured since the change, over the window of the delay comparison, beside what was expected of it.
    #[must_use]
    pub fn by_path(&self, network: &Network) -> Vec<(&ExpectedPath, Measured)> {
        let lanes: Vec<Lane<'_>> = self.expectation.paths.iter().map(|p| Lane { probe: network.probes.get(&p.probe) }).collect();
        let start = self.from.plus(SAMPLE_LAG);
        let newest = lanes.iter().filter_map(Lane::newest).max().unwrap_or(start);
        let from = newest.minus(self.limits.delay_window).max(start);
        self.expectation.paths.iter().zip(lanes.iter().map(|l| l.over(from, newest))).collect()
    }

    /// Judges by the picture at `now`.
    #[must_use]
    pub fn judge(&self, network: &Network, now: Timestamp) -> Verdict {
        let lanes: Vec<Lane<'_>> = self.expectation.paths.iter().map(|p| Lane { probe: network.probes.get(&p.probe) }).collect();
        let start = self.from.plus(SAMPLE_LAG);
        let newest = lanes.iter().filter_map(Lane::newest).max().unwrap_or(start);
        let window = |length: Duration| newest.minus(length).max(start);
        let delay: Vec<Measured> = lanes.iter().map(|l| l.over(window(self.limits.delay_window), newest)).collect();
        let loss: Vec<Measured> = lanes.iter().map(|l| l.over(window(self.limits.loss_window), newest)).collect();
        let last: Vec<Measured> = lanes.iter().map(|l| l.over(window(self.limits.abort_silence), newest)).collect();
        let measured = pool(&loss);
        if let Some(why) = self.abort(&last, newest.since(start)) {
            return Verdict::Fail { why, measured };
        }
        let judged = match self.expectation.goal {
            Goal::Delay => self.delay_improved(&delay, &loss),
            Goal::Loss => self.loss_improved(&delay, &loss, now >= self.deadline),
        };
        match judged {
            Ok(why) => Verdict::Pass { measured, why },
            Err(why) if now >= self.deadline => Verdict::Fail { why, measured },
            Err(_) => Verdict::Pending { until: self.deadline },
        }
    }

    /// Returns the reason to undo at once.
    fn abort(&self, last: &[Measured], observed: Duration) -> Option<String> {
        let limits = &self.limits;
        let long_enough = observed >= limits.abort_silence;
        for (path, now) in self.expectation.paths.iter().zip(last) {
            if long_enough && now.silent(limits.abort_packets) && path.before.received > 0 {
                return Some(format!("{} lost all of {} packets; before the change they arrived", name(&path.probe), now.sent));
            }
        }
        let (before, now) = (pool_before(&self.expectation.paths), pool(last));
        if let (Some(was), Some(is)) = (before.delay_ms(), now.delay_ms())
            && long_enough
            && is > limits.abort_delay_ms
            && is > was
        {
            return Some(format!("delay {is:.1} ms is above {:.1} ms; it was {was:.1} ms", limits.abort_delay_ms));
        }
        let (was, is) = (self.expectation.loss_before.loss().or(before.loss())?, now.loss()?);
        let proven = now.lost() >= 3 && wilson_lower(now.lost(), now.sent) > limits.abort_loss;
        (long_enough && proven && is > was).then(|| format!("loss {is} ({} of {}) is above the limit; it was {was}", now.lost(), now.sent))
    }

    fn enough(&self, windows: &[Measured]) -> Result<(), String> {
        let pooled = pool(windows);
        if let Some((path, _)) = self.expectation.paths.iter().zip(windows).find(|(_, m)| m.sent == 0) {
            return Err(format!("no sample from {} since the change: silence is no success", name(&path.probe)));
        }
        if self.expectation.paths.is_empty() {
            return Err("no path is measured that the change should have moved".to_owned());
        }
        if pooled.sent < self.needed {
            return Err(format!("only {} of {} packets measured since the change", pooled.sent, self.needed));
        }
        Ok(())
    }

    fn delay_improved(&self, delay: &[Measured], loss: &[Measured]) -> Result<String, String> {
        self.enough(delay)?;
        let pairs = self.expectation.paths.iter().zip(delay);
        let rows: Option<Vec<(Estimate, Estimate, Option<Interval>)>> =
            pairs.map(|(p, m)| Some((around(&p.before)?, around(m)?, p.delay_ms))).collect();
        let rows = rows.ok_or("a path has no delay before or after the change")?;
        let (was, is) = (average(rows.iter().map(|r| r.0)), average(rows.iter().map(|r| r.1)));
        let gain = was.mean - is.mean;
        let predicted: Option<Vec<Estimate>> = rows.iter().map(|r| r.2.map(exactly)).collect();
        let predicted = predicted.map(|p| average(p.into_iter()).interval);
        let text = format!("delay {:.1} ms before, {:.1} ms now{}", was.mean, is.mean, said(predicted.as_ref(), 1.0, "ms"));
        if gain < self.limits.delay_gain_ms_min || !is.surely_below(&was) {
            return Err(format!("{text}: no real improvement"));
        }
        if !self.close_enough(gain, was.mean, is.mean, predicted.as_ref()) {
            return Err(format!("{text}: less than promised"));
        }
        let floor = self.limits.delay_gain_ms_min;
        for ((path, m), (was, is, predicted)) in self.expectation.paths.iter().zip(delay).zip(&rows) {
            if self.left_behind(was.mean, is.interval.low, predicted.as_ref(), floor) {
                return Err(format!("{text}; {} still has {:.1} ms", name(&path.probe), m.delay_ms().unwrap_or(is.mean)));
            }
        }
        self.loss_not_worse(loss)?;
        Ok(text)
    }

    /// `last_word`: the deadline has come. Before it the promise itself is waited for; at it a share of the promise is enough.
    fn loss_improved(&self, delay: &[Measured], loss: &[Measured], last_word: bool) -> Result<String, String> {
        self.enough(loss)?;
        let before = self.loss_before();
        let now = pool(loss);
        let (Some(was), Some(is)) = (before.loss_estimate(), now.loss_estimate()) else {
            return Err("loss before the change is not known".to_owned());
        };
        let predicted: Option<Vec<Estimate>> = self.expectation.paths.iter().map(|p| p.loss.map(exactly)).collect();
        let predicted = predicted.map(|p| average(p.into_iter()).interval);
        let text = format!(
            "loss {:.2} % ({} of {}) before, {:.2} % ({} of {}) now{}",
            was.mean * 100.0,
            before.lost(),
            before.sent,
            is.mean * 100.0,
            now.lost(),
            now.sent,
            said(predicted.as_ref(), 100.0, "%")
        );
        if was.mean - is.mean < self.limits.loss_gain_min || !is.surely_below(&was) {
            return Err(format!("{text}: no real improvement"));
        }
        if !self.close_enough(was.mean - is.mean, was.mean, is.mean, predicted.as_ref()) {
            return Err(format!("{text}: less than promised"));
        }
        // packets that were lost while routers still converged leave the window: there is time until the deadline
        if !last_word && predicted.is_some_and(|p| is.mean > p.high + self.limits.loss_gain_min) {
            return Err(format!("{text}: not yet as promised"));
        }
        for (path, m) in self.expectation.paths.iter().zip(loss) {
            if self.left_behind(was.mean, wilson_lower(m.lost(), m.sent), path.loss.as_ref(), self.limits.loss_gain_min) {
                return Err(format!("{text}; {} still loses {} of {}", name(&path.probe), m.lost(), m.sent));
            }
        }
        self.delay_not_absurd(delay)?;
        Ok(text)
    }

    /// One path that surely (`is_low`: lower end of what it measures) kept more than what was promised to it. The average of all would hide
    /// a path that never moved behind one that did. `floor`: what counts as nothing.
    fn left_behind(&self, was: f64, is_low: f64, predicted: Option<&Interval>, floor: f64) -> bool {
        let share = self.limits.share_of_predicted;
        predicted.is_some_and(|p| is_low > p.high.max(was - share * (was - p.mid())) + floor)
    }

    /// At least the wanted share of the predicted improvement, or not worse than the predicted interval's end.
    fn close_enough(&self, gain: f64, was: f64, is: f64, predicted: Option<&Interval>) -> bool {
        predicted.is_none_or(|p| is <= p.high || gain >= self.limits.share_of_predicted * (was - p.mid()))
    }

    fn loss_before(&self) -> Measured {
        let own = pool_before(&self.expectation.paths);
        if self.expectation.loss_before.sent > own.sent { self.expectation.loss_before } else { own }
    }

    /// A gain in delay may not be paid with loss: significant and above the floor.
    fn loss_not_worse(&self, loss: &[Measured]) -> Result<(), String> {
        let (before, now) = (self.loss_before(), pool(loss));
        let (Some(was), Some(is)) = (before.loss_estimate(), now.loss_estimate()) else { return Ok(()) };
        if was.surely_below(&is) && is.mean - was.mean >= self.limits.loss_gain_min {
            return Err(format!("loss rose from {:.2} % to {:.2} %", was.mean * 100.0, is.mean * 100.0));
        }
        Ok(())
    }

    /// A gain in loss may not be paid with a delay above the abort limit.
    fn delay_not_absurd(&self, delay: &[Measured]) -> Result<(), String> {
        match pool(delay).delay_ms() {
            Some(is) if is > self.limits.abort_delay_ms => Err(format!("delay is {is:.1} ms")),
            Some(_) => Ok(()),
            None => Err("no delay measured".to_owned()),
        }
    }
}

struct Lane<'a> {
    probe: Option<&'a Probe>,
}

impl Lane<'_> {
    fn newest(&self) -> Option<Timestamp> {
        self.probe?.samples.back().map(|s| s.at)
    }

    fn over(&self, from: Timestamp, to: Timestamp) -> Measured {
        self.probe.map_or(Measured::empty(from, to), |p| Measured::over(p.samples.iter(), from, to))
    }
}

fn name(key: &ProbeKey) -> String {
    format!("the path from {} to {} ({})", key.device, key.group, key.family)
}

fn pool(windows: &[Measured]) -> Measured {
    windows.iter().fold(Measured::default(), |sum, m| sum.merged(m))
}

fn pool_before(paths: &[ExpectedPath]) -> Measured {
    paths.iter().fold(Measured::default(), |sum, p| sum.merged(&p.before))
}

/// Returns mean ± 2 standard errors, or the bare mean when one interval is all there is.
fn around(m: &Measured) -> Option<Estimate> {
    m.delay_estimate_ms().or_else(|| m.delay_ms().map(|d| exactly(Interval::new(d, d))))
}

fn exactly(interval: Interval) -> Estimate {
    Estimate { mean: interval.mid(), interval }
}

/// Returns the mean of estimates, end by end: every path counts the same, whatever its packets.
fn average(estimates: impl Iterator<Item = Estimate>) -> Estimate {
    let (mut mean, mut low, mut high, mut count) = (0.0, 0.0, 0.0, 0_u32);
    for e in estimates {
        mean += e.mean;
        low += e.interval.low;
        high += e.interval.high;
        count += 1;
    }
    let n = f64::from(count.max(1));
    Estimate { mean: mean / n, interval: Interval::new(low / n, high / n) }
}

fn said(predicted: Option<&Interval>, scale: f64, unit: &str) -> String {
    predicted.map_or(String::new(), |p| format!(" (predicted {:.1}–{:.1} {unit})", p.low * scale, p.high * scale))
}

#[cfg(test)]
mod tests;
