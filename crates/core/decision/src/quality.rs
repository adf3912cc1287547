//! How good every measured path is now, per exit and class.

use crate::{Class, Settings, View};
use action::ExitId;
use core::time::Duration;
use network::ProbeKey;
use perception::{Estimate, Interval, Measured, PathState, coming_delay_ms};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use units::Timestamp;

/// Window of the loss numbers. Longer than that of delay: loss is rare.
const LOSS_WINDOW: Duration = Duration::from_secs(20);

/// One path's numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PathQuality {
    /// Its probe.
    pub probe: ProbeKey,
    /// Perception's judgement.
    pub state: PathState,
    /// Samples keep coming and enough packets were sent.
    pub measured: bool,
    /// Forward delay, milliseconds; the interval is that of the mean.
    pub delay_ms: Option<Estimate>,
    /// The same with the interval in which the next window's mean is expected ([`perception::coming_delay_ms`]).
    pub coming_ms: Option<Estimate>,
    /// Loss, 0–1; pooled over the exit's paths of the same judgement.
    pub loss: Option<Estimate>,
}

impl PathQuality {
    /// Says whether traffic may be sent here: measured, and neither known nor suspected to be bad.
    #[must_use]
    pub const fn is_usable(&self) -> bool {
        self.measured && self.delay_ms.is_some() && self.loss.is_some() && !self.is_bad() && !self.is_suspect()
    }

    /// Says whether something unusual began that is not judged yet. Its numbers still hold good time and look better than they will be.
    #[must_use]
    pub const fn is_suspect(&self) -> bool {
        matches!(self.state, PathState::Suspect { .. })
    }

    /// Says whether perception holds the path for bad or not yet recovered.
    #[must_use]
    pub const fn is_bad(&self) -> bool {
        matches!(self.state, PathState::Degraded { .. } | PathState::Down { .. } | PathState::Recovering { .. })
    }

    /// Returns the cost of one packet's way, in milliseconds of delay; a silent path costs its loss alone.
    #[must_use]
    pub fn cost(&self, settings: &Settings) -> Option<f64> {
        Some(self.delay_ms.map_or(0.0, |d| settings.delay_weight * d.mean) + settings.loss_weight * self.loss?.mean)
    }
}

/// All measured paths.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QualityTable {
    paths: BTreeMap<(ExitId, Class), PathQuality>,
}

impl QualityTable {
    /// Reads the table from the picture. Windows end at each path's newest sample.
    #[must_use]
    pub fn new(view: &View<'_>, settings: &Settings) -> Self {
        let mut pools: BTreeMap<(ExitId, bool), Measured> = BTreeMap::new();
        let mut rows: Vec<(ExitId, Class, PathQuality, bool)> = Vec::new();
        for (probe, samples) in &view.network.probes {
            let Some(exit) = probe.exit.clone() else { continue };
            let state = view.perception.path_state(probe);
            let now = view.perception.measured_now(view.network, probe, view.now);
            let now =
                now.map(|m| Measured::over(samples.samples.iter(), m.from.max(trouble_start(&m, state)), m.to)).filter(|m| m.sent > 0);
            let loss = now.map(|m| Measured::over(samples.samples.iter(), m.to.minus(LOSS_WINDOW).max(trouble_start(&m, state)), m.to));
            let silent = matches!(state, PathState::Down { .. });
            let bad = matches!(state, PathState::Degraded { .. } | PathState::Recovering { .. });
            if let Some(loss) = loss.filter(|_| !silent) {
                let pool = pools.entry((exit.clone(), bad)).or_default();
                *pool = pool.merged(&loss);
            }
            let quality = PathQuality {
                probe: probe.clone(),
                state,
                measured: now.is_some_and(|m| m.sent >= settings.target_packets_min),
                delay_ms: now.filter(|_| !silent).and_then(|m| m.delay_estimate_ms()),
                coming_ms: now.filter(|_| !silent).and_then(|m| {
                    let start = trouble_start(&m, state);
                    coming_delay_ms(samples.samples.iter().filter(|s| s.at > start), &m)
                }),
                loss: silent.then_some(Estimate { mean: 1.0, interval: Interval { low: 1.0, high: 1.0 } }),
            };
            let class = Class { group: probe.group.clone(), family: probe.family };
            rows.push((exit, class, quality, bad));
        }
        let mut paths = BTreeMap::new();
        for (exit, class, mut quality, bad) in rows {
            if quality.loss.is_none() && quality.delay_ms.is_some() {
                quality.loss = pools.get(&(exit.clone(), bad)).and_then(Measured::loss_estimate);
            }
            paths.insert((exit, class), quality);
        }
        Self { paths }
    }

    /// Returns the numbers of one path.
    #[must_use]
    pub fn get(&self, exit: &ExitId, class: &Class) -> Option<&PathQuality> {
        self.paths.get(&(exit.clone(), class.clone()))
    }
}

/// The windows of a troubled path start with the trouble, so that the good time before does not thin it out.
fn trouble_start(now: &Measured, state: PathState) -> Timestamp {
    match state {
        PathState::Degraded { since } => Timestamp::from_nanos(since.nanos().saturating_sub(1)).min(now.to),
        _ => Timestamp::from_nanos(i64::MIN),
    }
}
