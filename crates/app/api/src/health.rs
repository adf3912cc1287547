//! Measured paths, loads and health scores over time, as charts need them: one row a second, kept since the engine's doors opened.
//!
//! The engine keeps what it judges by (a minute at the fastest probing); the quarter of an hour that people look at is kept here. It is
//! for display only and decides nothing.

use crate::call::{health_of, path_state};
use crate::replay::ms;
use crate::topology::rates;
use pilot::PilotState;
use runtime::Handle;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use ts_rs::TS;
use units::Timestamp;

/// Rows kept: a quarter of an hour.
const ROWS_MAX: usize = 900;
/// Time between rows.
const ROW_EVERY: Duration = Duration::from_secs(1);
/// A row is the mean of the last two seconds: probes report once a second, not at the same moment.
const WINDOW_S: u32 = 2;

/// What was measured after a moment, oldest first. All columns are as long as `at_ms`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct HealthView {
    /// Times of the rows, milliseconds since 1970.
    pub at_ms: Vec<f64>,
    /// Measured paths.
    pub paths: Vec<PathSeries>,
    /// Exits and their load.
    pub exits: Vec<ExitSeries>,
    /// Routers and their health score.
    pub devices: Vec<DeviceSeries>,
}

/// One measured path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct PathSeries {
    /// Probe name.
    pub name: String,
    /// Exit it is pinned to; `None`: as the routers route.
    pub exit: Option<String>,
    /// Target group.
    pub group: String,
    /// `ipv4` or `ipv6`.
    pub family: String,
    /// `learning`, `normal`, `suspect`, `degraded`, `down`: as perception judges it.
    pub state: String,
    /// Learned normal delay, milliseconds; `None` while learning.
    pub baseline_ms: Option<f64>,
    /// Delay from which on the path counts as unusual, milliseconds; `None`: no limit is known yet.
    pub limit_ms: Option<f64>,
    /// Mean forward delay, milliseconds; `None`: nothing arrived.
    pub delay_ms: Vec<Option<f64>>,
    /// Loss 0–1; `None`: nothing was sent.
    pub loss: Vec<Option<f64>>,
}

/// One exit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct ExitSeries {
    /// Exit.
    pub exit: String,
    /// Its provider.
    pub provider: String,
    /// Capacity, bit/s.
    #[ts(type = "number")]
    pub capacity_bps: u64,
    /// Bit/s towards the provider; `None`: not measured.
    pub out_bps: Vec<Option<f64>>,
    /// Bit/s from the provider.
    pub in_bps: Vec<Option<f64>>,
}

/// One router.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct DeviceSeries {
    /// Router.
    pub device: String,
    /// Health score 0–1; `None`: not known.
    pub health: Vec<Option<f64>>,
}

/// The rows of one engine. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct HealthRows(Arc<Mutex<Rows>>);

#[derive(Debug, Default)]
struct Rows {
    at_ms: VecDeque<f64>,
    columns: Vec<Column>,
    /// The newest look: names, states and limits.
    newest: HealthView,
}

/// The values of one name.
#[derive(Debug)]
struct Column {
    key: (Kind, String),
    values: VecDeque<Option<f64>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Delay,
    Loss,
    Out,
    In,
    Health,
}

impl HealthRows {
    /// Adds a row a second until the engine stops.
    pub async fn follow(self, engine: Handle) {
        let mut ticks = tokio::time::interval(ROW_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let Ok(row) = engine.read(look).await else { return };
            self.push(row);
        }
    }

    /// Adds the row of a state.
    pub(crate) fn add(&self, s: &PilotState) {
        self.push(look(s));
    }

    /// Drops the rows of this time and later.
    pub(crate) fn cut(&self, from: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).cut(ms(from));
    }

    /// Nothing is known of the time before this one: no line joins what stands on both sides.
    pub(crate) fn gap(&self, before: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).gap(ms(before) - 1.0);
    }

    fn push(&self, row: HealthView) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(row);
    }

    /// Returns the rows after `since_ms`, milliseconds since 1970.
    #[must_use]
    pub fn since(&self, since_ms: f64) -> HealthView {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).since(since_ms)
    }
}

impl Rows {
    fn cut(&mut self, from_ms: f64) {
        let keep = self.at_ms.iter().take_while(|at| **at < from_ms).count();
        if keep == 0 {
            *self = Self::default();
            return;
        }
        self.at_ms.truncate(keep);
        self.columns.iter_mut().for_each(|c| c.values.truncate(keep));
    }

    fn push(&mut self, row: HealthView) {
        let Some(at) = row.at_ms.first() else { return };
        // the time of an engine at rest stands still
        if self.at_ms.back().is_some_and(|last| last >= at) {
            return;
        }
        let before = self.at_ms.len();
        self.at_ms.push_back(*at);
        for p in &row.paths {
            self.put(Kind::Delay, &p.name, before, p.delay_ms.first());
            self.put(Kind::Loss, &p.name, before, p.loss.first());
        }
        for e in &row.exits {
            self.put(Kind::Out, &e.exit, before, e.out_bps.first());
            self.put(Kind::In, &e.exit, before, e.in_bps.first());
        }
        for d in &row.devices {
            self.put(Kind::Health, &d.device, before, d.health.first());
        }
        let rows = self.at_ms.len();
        // what was not seen this time has a gap
        self.columns.iter_mut().filter(|c| c.values.len() < rows).for_each(|c| c.values.push_back(None));
        while self.at_ms.len() > ROWS_MAX {
            self.at_ms.pop_front();
            for column in &mut self.columns {
                column.values.pop_front();
            }
        }
        self.newest = row;
    }

    fn gap(&mut self, at_ms: f64) {
        if self.at_ms.back().is_some_and(|last| *last < at_ms) {
            self.at_ms.push_back(at_ms);
            self.columns.iter_mut().for_each(|c| c.values.push_back(None));
        }
    }

    fn put(&mut self, kind: Kind, name: &str, before: usize, value: Option<&Option<f64>>) {
        let value = value.copied().flatten();
        if let Some(column) = self.columns.iter_mut().find(|c| c.key.0 == kind && c.key.1 == name) {
            column.values.push_back(value);
        } else {
            let mut values: VecDeque<_> = std::iter::repeat_n(None, before).collect();
            values.push_back(value);
            self.columns.push(Column { key: (kind, name.to_owned()), values });
        }
    }

    fn since(&self, since_ms: f64) -> HealthView {
        let from = self.at_ms.partition_point(|at| *at <= since_ms);
        let column = |kind: Kind, name: &str| -> Vec<Option<f64>> {
            let found = self.columns.iter().find(|c| c.key.0 == kind && c.key.1 == name);
            found.into_iter().flat_map(|c| c.values.iter().skip(from).copied()).collect()
        };
        let mut view = self.newest.clone();
        view.at_ms = self.at_ms.iter().skip(from).copied().collect();
        for p in &mut view.paths {
            p.delay_ms = column(Kind::Delay, &p.name);
            p.loss = column(Kind::Loss, &p.name);
        }
        for e in &mut view.exits {
            e.out_bps = column(Kind::Out, &e.exit);
            e.in_bps = column(Kind::In, &e.exit);
        }
        for d in &mut view.devices {
            d.health = column(Kind::Health, &d.device);
        }
        view
    }
}

/// Reads one row.
fn look(s: &PilotState) -> HealthView {
    let (n, inventory) = (&s.network, &s.network.inventory);
    let path = |key: &network::ProbeKey| {
        let window = n.probe_window(key, s.now, WINDOW_S);
        let baseline = s.perception.path(key).and_then(perception::Path::baseline);
        let provider = key.exit.as_ref().and_then(|e| inventory.exit(e)).and_then(|e| inventory.provider(&e.provider));
        let sla = provider.map_or(f64::INFINITY, |p| p.sla.delay_ms_max);
        let limit = perception::delay_limit(baseline, sla, s.perception.thresholds());
        PathSeries {
            name: key.name(),
            exit: key.exit.as_ref().map(ToString::to_string),
            group: key.group.to_string(),
            family: match key.family {
                bgp::Family::Ipv4Unicast => "ipv4",
                bgp::Family::Ipv6Unicast => "ipv6",
            }
            .to_owned(),
            state: path_state(s, key),
            baseline_ms: baseline.map(|b| b.delay_ms),
            limit_ms: Some(limit).filter(|l| l.is_finite()),
            delay_ms: vec![window.delay_ms],
            loss: vec![window.loss],
        }
    };
    let exit = |e: &network::ExitSpec| {
        let (inward, outward) = rates(n, &e.device, &e.interface);
        ExitSeries {
            exit: e.id.to_string(),
            provider: e.provider.to_string(),
            capacity_bps: e.capacity_bps,
            out_bps: vec![outward],
            in_bps: vec![inward],
        }
    };
    let device =
        |d: &network::DeviceSpec| DeviceSeries { device: d.id.to_string(), health: vec![health_of(s, &d.id).map(|h| h.score.get())] };
    #[allow(clippy::cast_precision_loss, reason = "milliseconds fit a double for 285,000 years")]
    let at = (s.now.nanos() / 1_000_000) as f64;
    HealthView {
        at_ms: vec![at],
        paths: n.probes.keys().map(path).collect(),
        exits: inventory.exits.iter().map(exit).collect(),
        devices: inventory.devices.iter().map(device).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(at: f64, devices: &[(&str, f64)]) -> HealthView {
        let devices = devices.iter().map(|(d, h)| DeviceSeries { device: (*d).into(), health: vec![Some(*h)] }).collect();
        HealthView { at_ms: vec![at], devices, ..HealthView::default() }
    }

    #[test]
    fn columns_stay_as_long_as_the_axis_when_names_come_late_or_stay_away() {
        let mut rows = Rows::default();
        rows.push(row(1.0, &[("r1", 1.0)]));
        rows.push(row(2.0, &[("r1", 0.9), ("r2", 0.5)]));
        rows.push(row(3.0, &[("r2", 0.4)]));
        rows.push(row(4.0, &[("r1", 0.8), ("r2", 0.3)]));
        let all = rows.since(0.0);
        assert_eq!(all.at_ms, [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(all.devices[0].health, [Some(1.0), Some(0.9), None, Some(0.8)]);
        assert_eq!(all.devices[1].health, [None, Some(0.5), Some(0.4), Some(0.3)]);
        rows.gap(4.5);
        rows.gap(4.0);
        rows.push(row(9.0, &[("r1", 0.7)]));
        let late = rows.since(4.0);
        assert_eq!((late.at_ms.as_slice(), late.devices[0].health.as_slice()), (&[4.5, 9.0][..], &[None, Some(0.7)][..]));
        rows.cut(4.5);
        rows.push(row(4.1, &[("r1", 0.8), ("r2", 0.3)]));
        rows.cut(4.1);
        let news = rows.since(3.0);
        assert_eq!((news.at_ms.as_slice(), news.devices[1].health.as_slice()), (&[4.0][..], &[Some(0.3)][..]));
    }

    #[test]
    fn a_clock_that_stands_still_adds_nothing_and_the_oldest_row_goes() {
        let mut rows = Rows::default();
        (0..1000).for_each(|i| rows.push(row(f64::from(i), &[("r1", 1.0)])));
        rows.push(row(999.0, &[("r1", 0.0)]));
        let all = rows.since(-1.0);
        assert_eq!((all.at_ms.len(), all.at_ms[0], all.devices[0].health.len()), (ROWS_MAX, 100.0, ROWS_MAX));
        assert_eq!(all.devices[0].health[899], Some(1.0));
    }
}
