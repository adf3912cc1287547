//! Measured paths over time, as charts need them.

use perception::Baseline;
use pilot::PilotState;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// One measured path: the samples that the engine keeps, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct SeriesView {
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
    /// Delay from which on the path counts as unusual, milliseconds.
    pub limit_ms: f64,
    /// Ends of the intervals, milliseconds since 1970.
    pub at_ms: Vec<f64>,
    /// Mean forward delay, milliseconds; `None`: nothing arrived.
    pub delay_ms: Vec<Option<f64>>,
    /// Loss 0–1; `None`: nothing was sent.
    pub loss: Vec<Option<f64>>,
}

/// Returns every path's samples after `since_ms`, milliseconds since 1970.
pub fn series(s: &PilotState, since_ms: f64) -> Vec<SeriesView> {
    let inventory = &s.network.inventory;
    let view = |(key, probe): (&network::ProbeKey, &network::Probe)| {
        #[allow(clippy::cast_precision_loss, reason = "milliseconds fit a double for 285,000 years")]
        let at = |sample: &network::ProbeSample| (sample.at.nanos() / 1_000_000) as f64;
        let samples: Vec<_> = probe.samples.iter().filter(|x| at(x) > since_ms).collect();
        let lost = |x: &network::ProbeSample| (x.sent > 0).then(|| 1.0 - f64::from(x.received) / f64::from(x.sent));
        let baseline = s.perception.path(key).and_then(perception::Path::baseline);
        let provider = key.exit.as_ref().and_then(|e| inventory.exit(e)).and_then(|e| inventory.provider(&e.provider));
        let sla = provider.map_or(f64::INFINITY, |p| p.sla.delay_ms_max);
        SeriesView {
            name: key.name(),
            exit: key.exit.as_ref().map(ToString::to_string),
            group: key.group.to_string(),
            family: match key.family {
                bgp::Family::Ipv4Unicast => "ipv4",
                bgp::Family::Ipv6Unicast => "ipv6",
            }
            .to_owned(),
            state: crate::call::path_state(s, key),
            baseline_ms: baseline.map(|b: Baseline| b.delay_ms),
            limit_ms: perception::delay_limit(baseline, sla, s.perception.thresholds()),
            at_ms: samples.iter().map(|x| at(x)).collect(),
            delay_ms: samples.iter().map(|x| x.delay_ms).collect(),
            loss: samples.iter().map(|x| lost(x)).collect(),
        }
    };
    s.network.probes.iter().map(view).collect()
}
