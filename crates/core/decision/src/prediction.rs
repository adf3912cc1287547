//! What a candidate would bring: the twin's moves joined with the measured quality of the paths.

use crate::quality::QualityTable;
use crate::traffic::{Flow, Traffic};
use crate::{Effect, Settings, View};
use action::ExitId;
use bgp::Prefix;
use perception::{Estimate, Interval};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use units::Ratio;

/// Bits per gigabyte, the unit that providers charge by (10⁹ bytes).
const BITS_PER_GB: f64 = 8e9;
const SECONDS_PER_HOUR: f64 = 3600.0;
/// Load, as a share of the capacity, from which the delay under it differs notably from that of a link at rest: a queue with random arrivals
/// (M/M/1) waits 1/(1 − load) times the time of one packet, at 0.7 more than thrice.
const QUEUEING_FROM: f64 = 0.7;

/// One prefix that leaves elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PrefixMove {
    /// The prefix.
    pub prefix: Prefix,
    /// Exit before.
    pub from: ExitId,
    /// Exits after, sorted; several when devices choose differently; empty: unreachable.
    pub to: Vec<ExitId>,
}

/// Load of one exit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExitLoad {
    /// The exit.
    pub exit: ExitId,
    /// Outbound bit/s now; `None` unknown.
    pub now_bps: Option<f64>,
    /// Outbound bit/s after the move; `None` unknown.
    pub after_bps: Option<f64>,
    /// Capacity, bit/s.
    pub capacity_bps: u64,
}

impl ExitLoad {
    /// Says that a delay measured at the load of now does not speak for a much higher one; `None` where it does.
    #[allow(clippy::cast_precision_loss, reason = "bit/s of a link are far below 2^52")]
    fn queueing(&self) -> Option<String> {
        let share = |bps: f64| bps / self.capacity_bps.max(1) as f64;
        let (now, after) = (share(self.now_bps?), share(self.after_bps?));
        (after >= QUEUEING_FROM && after > now).then(|| {
            let (exit, now, after) = (&self.exit, now * 100.0, after * 100.0);
            format!("delay over {exit} at {after:.0} % load: it is measured at {now:.0} %, and queues grow with load")
        })
    }
}

/// Predicted effect of a candidate, on the traffic that the finding concerns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// Prefixes that leave elsewhere, sorted.
    pub moves: Vec<PrefixMove>,
    /// Their volume, bit/s; `None` unknown.
    pub volume_bps: Option<f64>,
    /// Forward delay of the concerned traffic now, milliseconds; `None` when nothing arrives or it is not measured.
    pub delay_before_ms: Option<Estimate>,
    /// Forward delay after, milliseconds.
    pub delay_after_ms: Option<Estimate>,
    /// Loss of the concerned traffic now, 0–1.
    pub loss_before: Option<Estimate>,
    /// Loss after, 0–1.
    pub loss_after: Option<Estimate>,
    /// Means are weighted by measured volume; otherwise every prefix counts the same.
    pub by_volume: bool,
    /// Cost J = delay in ms × weight + loss × weight, over all traffic that any candidate touches; lower is better.
    pub cost: f64,
    /// Load of the exits whose load changes.
    pub loads: Vec<ExitLoad>,
    /// Change of transit cost per hour in the site's currency; `None` unknown.
    pub money_per_hour: Option<f64>,
    /// Changed prefixes ÷ known prefixes.
    pub blast: Ratio,
    /// What is not known or not modelled.
    pub unknown: Vec<String>,
}

/// Where each flow goes under an effect; a flow that is absent stays.
pub fn destinations(effect: &Effect) -> BTreeMap<Flow, BTreeSet<ExitId>> {
    let mut map: BTreeMap<Flow, BTreeSet<ExitId>> = BTreeMap::new();
    for m in &effect.moves {
        if let Some(from) = m.from.as_ref().filter(|_| m.from != m.to) {
            map.entry((from.clone(), m.prefix)).or_default().extend(m.to.clone());
        }
    }
    map
}

/// Everything that a prediction is computed from, for all candidates alike.
pub struct Predictor<'a> {
    pub view: &'a View<'a>,
    pub settings: &'a Settings,
    pub traffic: &'a Traffic<'a>,
    pub quality: &'a QualityTable,
    /// What the finding concerns.
    pub affected: &'a BTreeSet<Flow>,
    /// All flows that any candidate touches.
    pub universe: &'a BTreeSet<Flow>,
}

/// Weighted means over flows, before or after.
struct Averages {
    delay_ms: Option<Estimate>,
    loss: Option<Estimate>,
    cost: f64,
}

impl Predictor<'_> {
    /// Predicts `effect`.
    pub fn predict(&self, effect: &Effect) -> Prediction {
        let to = destinations(effect);
        let still = BTreeMap::new();
        let (before, after) = (self.averages(self.affected, &still), self.averages(self.affected, &to));
        let (weights, by_volume) = self.traffic.weights(self.affected);
        let mut unknown = effect.unknown.clone();
        if !by_volume && !weights.is_empty() {
            unknown.push("volume per prefix is not known or zero: every prefix counts the same".to_owned());
        }
        let unmeasured = to.keys().filter(|(_, p)| self.traffic.class(p).is_none()).count();
        if unmeasured > 0 {
            unknown.push(format!("{unmeasured} moved prefixes belong to no measured group: their quality after the move is not known"));
        }
        let loads = self.loads(&to);
        unknown.extend(loads.iter().filter(|l| l.after_bps.is_none()).map(|l| format!("load of {} after the move is not known", l.exit)));
        unknown.extend(loads.iter().filter_map(ExitLoad::queueing));
        Prediction {
            volume_bps: self.traffic.total_bps(to.keys()),
            delay_before_ms: before.delay_ms,
            delay_after_ms: after.delay_ms,
            loss_before: before.loss,
            loss_after: after.loss,
            by_volume,
            cost: self.averages(self.universe, &to).cost,
            loads,
            money_per_hour: self.money(&to),
            blast: effect.blast,
            unknown,
            moves: to.into_iter().map(|((from, prefix), to)| PrefixMove { prefix, from, to: to.into_iter().collect() }).collect(),
        }
    }

    /// Weighted means over `flows` when each leaves by `to` (or stays). Unmeasured flows are left out.
    fn averages(&self, flows: &BTreeSet<Flow>, to: &BTreeMap<Flow, BTreeSet<ExitId>>) -> Averages {
        let (weights, _) = self.traffic.weights(flows);
        let (mut delay, mut loss, mut cost) = (Mean::default(), Mean::default(), Mean::default());
        for (flow, weight) in &weights {
            let Some(class) = self.traffic.class(&flow.1) else { continue };
            let stays = BTreeSet::from([flow.0.clone()]);
            let exits = to.get(flow).unwrap_or(&stays);
            let share = weight / f64::from(u32::try_from(exits.len().max(1)).unwrap_or(u32::MAX));
            for exit in exits {
                let quality = self.quality.get(exit, &class);
                delay.add(share, quality.and_then(|q| q.delay_ms));
                loss.add(share, quality.and_then(|q| q.loss));
                let own = quality.and_then(|q| q.cost(self.settings));
                cost.add(share, own.map(|c| Estimate { mean: c, interval: Interval { low: c, high: c } }));
            }
            if exits.is_empty() {
                let all = Estimate { mean: 1.0, interval: Interval { low: 1.0, high: 1.0 } };
                loss.add(*weight, Some(all));
                delay.add(*weight, None);
                let c = self.settings.loss_weight;
                cost.add(*weight, Some(Estimate { mean: c, interval: Interval { low: c, high: c } }));
            }
        }
        Averages { delay_ms: delay.whole(), loss: loss.whole(), cost: cost.known().map_or(0.0, |e| e.mean) }
    }

    fn loads(&self, to: &BTreeMap<Flow, BTreeSet<ExitId>>) -> Vec<ExitLoad> {
        let touched: BTreeSet<&ExitId> = to.iter().flat_map(|(f, t)| t.iter().chain([&f.0])).collect();
        let mut loads = Vec::new();
        for id in touched {
            let Some(spec) = self.view.network.inventory.exit(id) else { continue };
            let device = self.view.network.devices.get(&spec.device);
            let now_bps = device.and_then(|d| d.interfaces.get(&spec.interface)).and_then(|i| i.rate_bps).map(|r| r.1);
            let mut after_bps = now_bps;
            for (flow, exits) in to {
                let bps = self.traffic.bps(flow);
                if exits.contains(id) {
                    let share = f64::from(u32::try_from(exits.len()).unwrap_or(u32::MAX));
                    after_bps = after_bps.zip(bps).map(|(a, b)| a + b / share);
                }
                if &flow.0 == id {
                    after_bps = after_bps.zip(bps).map(|(a, b)| (a - b).max(0.0));
                }
            }
            loads.push(ExitLoad { exit: id.clone(), now_bps, after_bps, capacity_bps: spec.capacity_bps });
        }
        loads
    }

    fn money(&self, to: &BTreeMap<Flow, BTreeSet<ExitId>>) -> Option<f64> {
        let price = |e: &ExitId| {
            let inventory = &self.view.network.inventory;
            inventory.provider(&inventory.exit(e)?.provider)?.cost_per_gb
        };
        let mut sum = 0.0;
        for (flow, exits) in to {
            let gb_per_hour = self.traffic.bps(flow)? / BITS_PER_GB * SECONDS_PER_HOUR;
            let share = f64::from(u32::try_from(exits.len().max(1)).unwrap_or(u32::MAX));
            for exit in exits {
                sum += gb_per_hour / share * (price(exit)? - price(&flow.0)?);
            }
        }
        Some(sum)
    }
}

/// A weighted mean of estimates that remembers whether any was missing.
#[derive(Default)]
struct Mean {
    weight: f64,
    missing: f64,
    mean: f64,
    low: f64,
    high: f64,
}

impl Mean {
    fn add(&mut self, weight: f64, estimate: Option<Estimate>) {
        match estimate {
            Some(e) => {
                self.weight += weight;
                self.mean += weight * e.mean;
                self.low += weight * e.interval.low;
                self.high += weight * e.interval.high;
            }
            None => self.missing += weight,
        }
    }

    /// Returns the mean over what is known.
    fn known(&self) -> Option<Estimate> {
        let w = self.weight;
        (w > 0.0).then(|| Estimate { mean: self.mean / w, interval: Interval::new(self.low / w, self.high / w) })
    }

    /// Returns the mean; `None` when any part is missing: unknown stays unknown.
    fn whole(&self) -> Option<Estimate> {
        self.known().filter(|_| self.missing <= 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_measured_at_rest_does_not_speak_for_a_full_exit() {
        let load = |now: f64, after: f64| {
            ExitLoad { exit: "r2-ispc".into(), now_bps: Some(now), after_bps: Some(after), capacity_bps: 100_000_000 }.queueing()
        };
        assert_eq!(load(1e7, 3e7), None);
        assert_eq!(load(9e7, 8e7), None, "it is measured at a higher load");
        assert!(load(1e7, 7.5e7).unwrap().contains("at 75 % load: it is measured at 10 %"), "{:?}", load(1e7, 7.5e7));
    }
}
