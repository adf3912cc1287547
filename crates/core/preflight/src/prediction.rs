//! What a change would do to delay, loss and cost, how long it takes to settle, and how stable the new ways are: from measurements alone.
//!
//! A figure without a measurement is absent. Intervals come from sample variances; there is no constant for a kind of action and no noise.

use crate::difference::{Volumes, senders};
use crate::facts::Metrics;
use crate::{Evidence, Exit, Sample};
use bgp::Prefix;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Two-sided 95 % quantile of the normal distribution.
const Z_95: f64 = 1.959_963_985;
/// Seconds that FRR waits after a policy changes before it acts (`bgp route-map delay-timer`, default).
const POLICY_DELAY_S: f64 = 5.0;
/// Hold time where none is configured, seconds (FRR: 180).
const HOLD_S: f64 = 180.0;

/// A predicted change of a quantity.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Mean of the change over what moves and is measured on both sides.
    pub value: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Moves with a measurement on both sides.
    pub known: usize,
    /// Moves without.
    pub unknown: usize,
    /// What moves are weighted by: `volume`, or `prefix` where no volume is measured.
    pub weighted_by: &'static str,
}

/// How long it takes until the tables stand.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Convergence {
    /// Seconds at least.
    pub least_s: f64,
    /// Seconds at most, as far as timers bound it.
    pub most_s: f64,
    /// What it is made of.
    pub parts: Vec<String>,
}

/// How often the exits flapped that gain and lose prefixes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stability {
    /// Transitions per hour of the exits that gain, weighted by prefixes.
    pub after_per_hour: f64,
    /// Of those that lose.
    pub before_per_hour: f64,
    /// Moves whose exits have no history.
    pub unknown: usize,
}

/// Everything predicted. Absent: not known.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Prediction {
    /// Change of delay, ms.
    pub delay_ms: Option<Figure>,
    /// Change of loss, ratio.
    pub loss: Option<Figure>,
    /// Change of cost per month.
    pub cost_per_month: Option<Figure>,
    /// Time to settle; absent: nothing changes.
    pub convergence: Option<Convergence>,
    /// Stability of the new ways.
    pub stability: Option<Stability>,
    /// Moves that no figure speaks of, in words.
    pub unknown: Vec<String>,
}

/// Asks for the measurement of a way: its place among all, and its value.
type Measured<'m> = &'m dyn Fn(&Exit, &Prefix) -> Option<(usize, Sample)>;

/// One move of traffic from an exit to another.
struct Move {
    from: Exit,
    to: Exit,
    prefix: Prefix,
    /// Measured, bit/s.
    bps: Option<f64>,
    /// Share of it that this router sends.
    share: f64,
}

/// Predicts from the measurements in the facts.
#[must_use]
pub fn prediction(e: &Evidence<'_>) -> Prediction {
    let moves = moves(e);
    let metrics = Metrics::new(e.context.facts);
    let mut out = Prediction { convergence: convergence(e), stability: stability(e, &moves), ..Prediction::default() };
    let mut figure = |name: &str, of: Measured<'_>| {
        let figure = weighted(&moves, of);
        let missing = figure.as_ref().map_or(moves.len(), |f| f.unknown);
        if missing > 0 {
            out.unknown.push(format!("{name}: {missing} of {} moves have no measurement on both sides", moves.len()));
        }
        figure
    };
    let delay = figure("delay", &|exit, prefix| metrics.of(exit, prefix).and_then(|(at, m)| Some((at, m.delay_ms?))));
    let loss = figure("loss", &|exit, prefix| metrics.of(exit, prefix).and_then(|(at, m)| Some((at, m.loss?))));
    let cost = cost(e, &moves);
    if cost.is_none() && !moves.is_empty() {
        out.unknown.push("cost: prices or volumes are not known".to_owned());
    }
    (out.delay_ms, out.loss, out.cost_per_month) = (delay, loss, cost);
    out
}

fn moves(e: &Evidence<'_>) -> Vec<Move> {
    let volumes = Volumes::new(e.context.facts);
    let mut out = Vec::new();
    for g in e.difference.groups.iter().filter(|g| g.own) {
        let (Some(before), Some(after)) = (&g.before, &g.after) else { continue };
        let (Some(from), Some(to)) = (&before.exit, &after.exit) else { continue };
        if from == to {
            continue;
        }
        for prefix in &g.prefixes {
            let all = senders(e.before, from, prefix).len().max(1);
            #[allow(clippy::cast_precision_loss, reason = "routers of a network")]
            let share = 1.0 / all as f64;
            out.push(Move { from: from.clone(), to: to.clone(), prefix: *prefix, bps: volumes.at(from, prefix), share });
        }
    }
    out
}

/// The weighted mean of differences. Moves that share a measurement share its error, so coefficients are summed per measurement first.
fn weighted(moves: &[Move], of: Measured<'_>) -> Option<Figure> {
    let by_volume = moves.iter().any(|m| m.bps.is_some_and(|b| b > 0.0));
    let mut coefficients: BTreeMap<usize, (f64, Sample)> = BTreeMap::new();
    let (mut total, mut known) = (0.0, 0);
    for m in moves {
        let weight = if by_volume { m.bps.unwrap_or(0.0) * m.share } else { m.share };
        let (Some((from, before)), Some((to, after))) = (of(&m.from, &m.prefix), of(&m.to, &m.prefix)) else { continue };
        if by_volume && m.bps.is_none() {
            continue;
        }
        known += 1;
        total += weight;
        coefficients.entry(from).or_insert((0.0, before)).0 -= weight;
        coefficients.entry(to).or_insert((0.0, after)).0 += weight;
    }
    if known == 0 || total <= 0.0 {
        return None;
    }
    let (mut value, mut variance) = (0.0, 0.0);
    for (weight, sample) in coefficients.values() {
        let c = weight / total;
        value += c * sample.mean;
        variance += c * c * sample.variance / f64::from(sample.n.max(1));
    }
    let margin = Z_95 * libm::sqrt(variance);
    let weighted_by = if by_volume { "volume" } else { "prefix" };
    Some(Figure { value, low: value - margin, high: value + margin, known, unknown: moves.len() - known, weighted_by })
}

fn cost(e: &Evidence<'_>, moves: &[Move]) -> Option<Figure> {
    let price = |exit: &Exit| e.context.facts.exit(exit).and_then(|x| x.cost_per_mbps);
    let (mut value, mut known) = (0.0, 0);
    for m in moves {
        let (Some(from), Some(to), Some(bps)) = (price(&m.from), price(&m.to), m.bps) else { continue };
        value += bps * m.share / 1e6 * (to - from);
        known += 1;
    }
    (known > 0).then_some(Figure { value, low: value, high: value, known, unknown: moves.len() - known, weighted_by: "volume" })
}

fn stability(e: &Evidence<'_>, moves: &[Move]) -> Option<Stability> {
    let rate = |exit: &Exit| {
        let seen = e.context.facts.flaps.iter().find(|f| f.router == exit.router && f.neighbor == exit.neighbor)?;
        (seen.hours > 0.0).then(|| f64::from(seen.count) / seen.hours)
    };
    let known: Vec<(f64, f64)> = moves.iter().filter_map(|m| Some((rate(&m.from)?, rate(&m.to)?))).collect();
    #[allow(clippy::cast_precision_loss, reason = "a count")]
    let n = known.len() as f64;
    (!known.is_empty()).then(|| Stability {
        before_per_hour: known.iter().map(|k| k.0).sum::<f64>() / n,
        after_per_hour: known.iter().map(|k| k.1).sum::<f64>() / n,
        unknown: moves.len() - known.len(),
    })
}

/// Estimates from timers: detection, the delay of policies, and one advertisement interval a session on the way to the farthest router that
/// changes. An interval that is not configured is the router's default (FRR: 0).
fn convergence(e: &Evidence<'_>) -> Option<Convergence> {
    let name = |r: &str| e.before.network.routers.iter().position(|x| x.name == r);
    let moved: BTreeSet<usize> = e.difference.groups.iter().filter_map(|g| name(&g.router)).collect();
    if moved.is_empty() {
        return None;
    }
    let mut parts = Vec::new();
    let (mut least, mut most) = (0.0, 0.0);
    if e.intent.failure {
        let hold = e.before.network.routers.iter().filter_map(|r| r.config.bgp.as_ref()).flat_map(|b| b.neighbors.values());
        let hold = hold.map(|n| n.wider.timers_s.map_or(HOLD_S, |(_, h)| f64::from(h))).fold(0.0, f64::max);
        most += hold;
        parts.push(format!("detection 0 s (interface goes down) to {hold:.0} s (hold time)"));
    }
    let policies = e.before.network.routers.iter().zip(&e.after.network.routers).any(|(a, b)| a.config.policy != b.config.policy);
    if policies {
        least += POLICY_DELAY_S;
        most += POLICY_DELAY_S;
        parts.push(format!("policy delay {POLICY_DELAY_S:.0} s"));
    }
    let (depth, interval) = farthest(e, &moved);
    let spread = f64::from(depth) * interval;
    most += spread;
    parts.push(format!("{depth} sessions to the farthest router that changes, advertisement interval at most {interval:.0} s each"));
    Some(Convergence { least_s: least, most_s: most, parts })
}

/// Sessions to the farthest router that changes, from where the change is; and the largest advertisement interval.
fn farthest(e: &Evidence<'_>, moved: &BTreeSet<usize>) -> (u32, f64) {
    let routers = &e.before.network.routers;
    let mut start: BTreeSet<usize> =
        routers.iter().enumerate().filter(|(_, r)| e.intent.routers.contains(&r.name)).map(|(i, _)| i).collect();
    let failures = &e.after.network.failures;
    start.extend(failures.routers.iter().copied().chain(failures.sessions.iter().map(|(r, _)| *r)));
    for link in &failures.links {
        start.extend(e.after.network.links.iter().filter_map(|l| l.get(link)).flatten().map(|(r, _)| *r));
    }
    if start.is_empty() {
        start = moved.clone();
    }
    let edges: BTreeSet<(usize, usize)> =
        [e.before, e.after].iter().flat_map(|w| &w.families).flat_map(|s| &s.directions).filter_map(|d| Some((d.from?, d.to?))).collect();
    let mut seen = start.clone();
    let (mut edge, mut depth) = (start, 0);
    while !moved.is_subset(&seen) && !edge.is_empty() {
        edge = edges.iter().filter(|(f, t)| edge.contains(f) && !seen.contains(t)).map(|(_, t)| *t).collect();
        seen.extend(edge.iter().copied());
        depth += u32::from(!edge.is_empty());
    }
    let neighbors = routers.iter().filter_map(|r| r.config.bgp.as_ref()).flat_map(|b| b.neighbors.values());
    let interval = neighbors.filter_map(|n| n.wider.advertisement_interval_s).max().unwrap_or(0);
    (depth, f64::from(interval))
}
