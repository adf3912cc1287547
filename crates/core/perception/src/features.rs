//! The network in some numbers, as models and people compare moments: versioned, unrounded, and kept with every decision (S1-073).

use crate::Perception;
use crate::path::delay_limit;
use network::{Freshness, Network, ProbeKey, SessionState};
use serde::{Deserialize, Serialize};
use units::{Ratio, Timestamp};

/// Version of [`Features`]: another meaning of any number is another version.
pub const FEATURES_VERSION: u32 = 2;

/// Eight numbers of one moment, the share of the routine that it leaves, and how much the tables change. What was not measured is `None`, never 0.
///
/// Delay and loss are those of the paths pinned to exits over the last ten seconds, forward direction, from probes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Features {
    /// [`FEATURES_VERSION`] when these were made.
    pub version: u32,
    /// Mean delay over the paths, milliseconds.
    pub avg_latency_ms: Option<f64>,
    /// Largest delay of a path, milliseconds.
    pub max_latency_ms: Option<f64>,
    /// Mean loss over the paths, 0–1.
    pub avg_packet_loss: Option<Ratio>,
    /// Largest loss of a path, 0–1.
    pub max_packet_loss: Option<Ratio>,
    /// BGP sessions that are not Established and not shut down, over all routers.
    pub peer_down_count: u32,
    /// Best routes over all routers.
    pub total_rib_entries: u64,
    /// Routers that told anything so far.
    pub router_count: u32,
    /// min(1, 10 × largest loss + 0.2 × peers down + largest delay ÷ 100 ms): the fixed scale of the first design (S1-076). A healthy
    /// satellite path is an anomaly by it.
    pub anomaly_score: Option<f64>,
    /// The same question asked of each path's own routine: 0 as usual, 1 some path is at or over its own limit of delay or its provider's limit of loss.
    pub relative_anomaly: Option<f64>,
    /// Paths that appeared or went in the last whole minute, over the peers of all routers (S1-074); `None` before any table was complete
    /// for a minute, and in records of version 1.
    #[serde(default)]
    pub prefix_churn: Option<u64>,
}

impl Features {
    /// Reads them off the picture at `now`.
    #[must_use]
    pub fn of(perception: &Perception, network: &Network, now: Timestamp) -> Self {
        let mut delays = Summary::default();
        let mut losses = Summary::default();
        let mut relative: Option<f64> = None;
        for key in network.probes.keys().filter(|k| k.exit.is_some()) {
            let Some(measured) = perception.measured_now(network, key, now) else { continue };
            let (delay, loss) = (measured.delay_ms(), measured.loss().map(Ratio::get));
            delay.into_iter().for_each(|d| delays.add(d));
            loss.into_iter().for_each(|l| losses.add(l));
            let unusual = unusual(perception, network, key, delay, loss);
            relative = relative.into_iter().chain(unusual).reduce(f64::max);
        }
        let peer_down_count = peers_down(network);
        let score = |max_loss: f64, max_delay: f64| (max_loss * 10.0 + f64::from(peer_down_count) * 0.2 + max_delay / 100.0).min(1.0);
        Self {
            version: FEATURES_VERSION,
            avg_latency_ms: delays.mean(),
            max_latency_ms: delays.max,
            avg_packet_loss: losses.mean().and_then(ratio),
            max_packet_loss: losses.max.and_then(ratio),
            peer_down_count,
            total_rib_entries: network.devices.values().map(|d| d.loc_rib.len() as u64).sum(),
            router_count: count(network.devices.values().filter(|d| d.bmp != Freshness::Unknown || d.gnmi != Freshness::Unknown).count()),
            // a path that answers nothing has no delay, and a loss of 1 says it all
            anomaly_score: losses.max.map(|loss| score(loss, delays.max.unwrap_or(0.0))),
            relative_anomaly: relative,
            prefix_churn: churn(network, now),
        }
    }
}

/// How far a path is from its own routine, 0–1; `None`: not measured, or nothing is known of its routine yet.
fn unusual(perception: &Perception, network: &Network, key: &ProbeKey, delay: Option<f64>, loss: Option<f64>) -> Option<f64> {
    let baseline = perception.path(key)?.baseline()?;
    let exit = key.exit.as_ref().and_then(|e| network.inventory.exit(e))?;
    let sla = network.inventory.provider(&exit.provider)?.sla;
    let limit = delay_limit(Some(baseline), sla.delay_ms_max, perception.thresholds());
    let by_delay = delay.map(|d| ((d - baseline.delay_ms) / (limit - baseline.delay_ms).max(f64::MIN_POSITIVE)).clamp(0.0, 1.0));
    let by_loss = loss.map(|l| (l / sla.loss_max.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0));
    by_delay.into_iter().chain(by_loss).reduce(f64::max)
}

fn churn(network: &Network, now: Timestamp) -> Option<u64> {
    let routers = network.devices.keys().filter_map(|id| network.churn(id, now));
    routers.filter_map(|c| c.history.first().map(|w| w.changes.appeared + w.changes.withdrawn)).reduce(|sum, one| sum + one)
}

fn peers_down(network: &Network) -> u32 {
    let sessions = network.devices.values().flat_map(|d| d.sessions.values());
    count(sessions.filter(|s| s.state != SessionState::Established && !s.admin_down).count())
}

/// A mean of ratios may leave the range by a rounding.
fn ratio(value: f64) -> Option<Ratio> {
    Ratio::new(value.clamp(0.0, 1.0)).ok()
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[derive(Default)]
struct Summary {
    sum: f64,
    count: u32,
    max: Option<f64>,
}

impl Summary {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
        self.max = Some(self.max.map_or(value, |m| m.max(value)));
    }

    fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / f64::from(self.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{Scene, Weather, key, t};
    use bgp::Family;

    #[test]
    fn nothing_measured_is_unknown_and_not_zero() {
        let scene = Scene::new();
        let f = Features::of(&scene.perception, &scene.network, t(1));
        assert_eq!((f.avg_latency_ms, f.max_packet_loss, f.anomaly_score, f.relative_anomaly), (None, None, None, None));
        assert_eq!((f.version, f.router_count, f.peer_down_count, f.prefix_churn), (FEATURES_VERSION, 3, 0, None));
    }

    #[test]
    fn a_far_but_steady_path_is_an_anomaly_by_the_fixed_scale_only() {
        let mut scene = Scene::new();
        scene.seconds(60, |k, n, _| {
            let far = k.exit.as_ref().is_some_and(|e| e.as_str() == "r2-ispc");
            Some(Weather { lost: 0, delay_ms: if far { 55.0 } else { 8.0 } + if n % 2 == 0 { 0.1 } else { -0.1 } })
        });
        let f = Features::of(&scene.perception, &scene.network, t(60));
        assert!(f.anomaly_score.unwrap() > 0.5 && f.relative_anomaly.unwrap() < 0.1, "{f:?}");
        assert!(f.max_latency_ms.unwrap() > 50.0 && f.avg_latency_ms.unwrap() < 30.0, "{f:?}");
    }

    #[test]
    fn the_formula_rules_and_not_the_sample_printed_beside_it() {
        // S1-076: 0.31 % loss, two peers down, 14.224 ms give 0.573
        let mut scene = Scene::new();
        scene.seconds(60, |_, _, _| Some(Weather { lost: 0, delay_ms: 14.224 }));
        let of_peers = |scene: &mut Scene, down: usize| {
            for n in 0..down {
                let address = format!("192.0.2.{n}").parse().unwrap();
                scene.network.devices.get_mut(&"r1".into()).unwrap().sessions.insert(address, network::Session::default());
            }
            Features::of(&scene.perception, &scene.network, t(60))
        };
        let calm = of_peers(&mut scene, 0);
        let two = of_peers(&mut scene, 2);
        assert_eq!((calm.max_packet_loss, two.peer_down_count), (Some(Ratio::ZERO), 2));
        let expected = 0.4 + calm.max_latency_ms.unwrap() / 100.0;
        assert!((two.anomaly_score.unwrap() - expected).abs() < 1e-12, "{two:?}");
    }

    #[test]
    fn they_are_read_back_bit_for_bit() {
        let mut scene = Scene::new();
        scene.seconds(40, |k, n, sent| {
            let hit = *k == key("r1-ispa", "east", Family::Ipv4Unicast);
            Some(Weather { lost: u32::from(hit && n % 3 == 0).min(sent), delay_ms: 1.0 / 3.0 })
        });
        let f = Features::of(&scene.perception, &scene.network, t(40));
        assert!(f.max_packet_loss.unwrap().get() > 0.0);
        assert_eq!(serde_json::from_str::<Features>(&serde_json::to_string(&f).unwrap()).unwrap(), f);
    }
}
