//! Loss of one exit, pooled over its groups and families, and which of its paths the loss concerns.

use crate::{Condition, Judgement, Measured, Reading, Thresholds, wilson_lower, wilson_upper};
use action::GroupId;
use bgp::Family;
use network::ProbeSample;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, VecDeque};
use units::Timestamp;

/// One path of the exit: which group and family, and its samples.
pub(crate) struct Lane<'a> {
    pub group: &'a GroupId,
    pub family: Family,
    pub samples: &'a VecDeque<ProbeSample>,
}

impl Lane<'_> {
    fn over(&self, from: Timestamp, to: Timestamp) -> Measured {
        Measured::over(self.samples.iter(), from, to)
    }
}

/// Memory of one exit's loss.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExitLoss {
    /// Time of the newest sample judged, device time.
    cursor: Timestamp,
    condition: Condition,
    /// When a single lost packet last asked for a closer look.
    looked: Option<Timestamp>,
    /// Paths that the proven loss concerns. Grows while the trouble lasts, never shrinks: no flip-flop.
    affected: BTreeSet<(GroupId, Family)>,
}

impl ExitLoss {
    /// Returns the condition.
    #[must_use]
    pub const fn condition(&self) -> Condition {
        self.condition
    }

    /// Says whether a proven loss concerns this path.
    #[must_use]
    pub fn concerns(&self, group: &GroupId, family: Family) -> bool {
        self.condition.trouble_since().is_some() && self.affected.contains(&(group.clone(), family))
    }

    /// Judges the exit's paths up to their newest sample. `lanes`: paths that are not silent altogether (silence is judged by itself; when
    /// nothing else is left, a suspicion ends).
    pub(crate) fn judge(&mut self, lanes: &[Lane<'_>], loss_max: f64, thresholds: &Thresholds) {
        if lanes.is_empty() && self.condition.suspect_since().is_some() {
            self.condition = Condition::Normal;
        }
        let Some(at) = lanes.iter().filter_map(|l| l.samples.back()).map(|s| s.at).max().filter(|at| *at > self.cursor) else { return };
        self.cursor = at;
        let reading = self.reading(lanes, at, loss_max, thresholds);
        let before = self.condition;
        self.condition = before.step(&reading, thresholds.recovery_hold);
        match self.condition {
            Condition::Degraded { since, .. } => {
                let from = since.max(at.minus(thresholds.evidence_max));
                self.affected.extend(concerned(lanes, from, at, loss_max, thresholds));
            }
            Condition::Normal => self.affected.clear(),
            Condition::Suspect { .. } | Condition::Recovering { .. } => {}
        }
        if before == Condition::Normal && self.condition != Condition::Normal {
            self.looked = Some(at);
        }
    }

    fn reading(&self, lanes: &[Lane<'_>], at: Timestamp, loss_max: f64, thresholds: &Thresholds) -> Reading {
        let pool = |from: Timestamp| pooled(lanes, from, at);
        let evidence = match self.condition.suspect_since() {
            Some(since) => judge(lanes, since, at, loss_max, thresholds),
            None => Judgement::Open,
        };
        let recovery = pool(at.minus(thresholds.recovery_window.max(thresholds.loss_window)));
        let good = recovery.sent >= thresholds.evidence_loss_packets && recovery.loss().is_some_and(|l| l.get() <= loss_max / 2.0);
        Reading { at, suspicious: self.suspicious(lanes, at, loss_max, thresholds), evidence, good }
    }

    /// Returns the first lost packet's sample when the loss is worth a closer look.
    fn suspicious(&self, lanes: &[Lane<'_>], at: Timestamp, loss_max: f64, thresholds: &Thresholds) -> Option<Timestamp> {
        let counted = pooled(lanes, at.minus(thresholds.loss_count_window), at);
        let wide = pooled(lanes, at.minus(thresholds.loss_window), at);
        let many = counted.lost() >= thresholds.loss_count;
        let frequent = wide.lost() > 1 && wilson_lower(wide.lost(), wide.sent) > loss_max;
        let rested = self.looked.is_none_or(|l| at.since(l) >= thresholds.closer_look_every);
        let single = self.condition == Condition::Normal && counted.lost() > 0 && rested;
        (many || frequent || single).then(|| first_lost(lanes, at.minus(thresholds.loss_window)).unwrap_or(at))
    }
}

fn pooled(lanes: &[Lane<'_>], from: Timestamp, to: Timestamp) -> Measured {
    lanes.iter().fold(Measured::empty(from, to), |sum, lane| sum.merged(&lane.over(from, to)))
}

fn first_lost(lanes: &[Lane<'_>], from: Timestamp) -> Option<Timestamp> {
    let lost = |s: &&ProbeSample| s.received < s.sent;
    lanes.iter().filter_map(|l| l.samples.iter().rev().take_while(|s| s.at > from).filter(lost).map(|s| s.at).last()).min()
}

/// Judges the loss since the suspicion began, for the exit as a whole and for each of its groups.
fn judge(lanes: &[Lane<'_>], since: Timestamp, at: Timestamp, loss_max: f64, thresholds: &Thresholds) -> Judgement {
    let elapsed = at.since(since);
    let pool = pooled(lanes, since, at);
    let timed_out = elapsed >= thresholds.evidence_max;
    if elapsed < thresholds.evidence_min || (pool.sent < thresholds.evidence_loss_packets && !timed_out) {
        return Judgement::Open;
    }
    let groups: BTreeSet<&GroupId> = lanes.iter().map(|l| l.group).collect();
    let over_groups = groups.iter().any(|g| proven(&margin(lanes, since, at, |l| l.group == *g), loss_max, thresholds));
    if over_groups || proven(&pool, loss_max, thresholds) {
        Judgement::Bad
    } else if timed_out || pool.lost() == 0 {
        Judgement::Good
    } else {
        Judgement::Open
    }
}

fn proven(m: &Measured, loss_max: f64, thresholds: &Thresholds) -> bool {
    m.lost() >= thresholds.evidence_lost_min && wilson_lower(m.lost(), m.sent) > loss_max
}

fn margin(lanes: &[Lane<'_>], from: Timestamp, to: Timestamp, pick: impl Fn(&Lane<'_>) -> bool) -> Measured {
    lanes.iter().filter(|l| pick(l)).fold(Measured::empty(from, to), |sum, l| sum.merged(&l.over(from, to)))
}

/// Returns the paths that a proven loss concerns: all, except those whose group or family is shown to lose less than the whole.
fn concerned(lanes: &[Lane<'_>], from: Timestamp, to: Timestamp, loss_max: f64, thresholds: &Thresholds) -> Vec<(GroupId, Family)> {
    let pool = pooled(lanes, from, to);
    let Some(whole) = pool.loss().map(units::Ratio::get).filter(|_| pool.lost() > 0) else { return Vec::new() };
    let cleaner = |m: &Measured| m.sent > 0 && wilson_upper(m.lost(), m.sent) < whole && !proven(m, loss_max, thresholds);
    lanes
        .iter()
        .filter(|l| !cleaner(&margin(lanes, from, to, |o| o.group == l.group)))
        .filter(|l| !cleaner(&margin(lanes, from, to, |o| o.family == l.family)))
        .map(|l| (l.group.clone(), l.family))
        .collect()
}
