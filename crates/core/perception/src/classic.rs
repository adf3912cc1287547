//! The classic score of the first design (S1 4): absolute scales, kept for comparison. Decisions rest on findings, never on this.

use crate::Perception;
use action::ProviderId;
use network::{Network, SessionState};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use units::Timestamp;

/// From here on the score is high.
const HIGH: f64 = 0.6;
/// From here on it is critical.
const CRITICAL: f64 = 0.85;

/// How bad the classic score is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnomalyLevel {
    /// Below 0.6.
    Normal,
    /// From 0.6.
    High,
    /// From 0.85.
    Critical,
}

/// The classic score of the whole network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassicScore {
    /// min(0.4, delay ÷ 75 ms) + min(0.3, loss × 60) + min(0.3, 0.15 × peers down), at most 1, three digits (S1-111).
    pub anomaly: f64,
    /// Its level.
    pub level: AnomalyLevel,
    /// Quality per provider, the mean of max(0, 1 − delay ÷ 100 ms − loss × 20) over its paths, three digits (S1-110); `None`: not
    /// measured, which is not a default.
    pub quality: BTreeMap<ProviderId, Option<f64>>,
    /// eBGP sessions at exits that are not Established and not shut.
    pub peers_down: u32,
    /// Paths behind the means.
    pub paths: u32,
}

/// Returns the classic score at `now`, from paths that are fresh.
#[must_use]
pub fn classic(perception: &Perception, network: &Network, now: Timestamp) -> ClassicScore {
    let mut all = Mean::default();
    let mut own: BTreeMap<ProviderId, Mean> = network.inventory.providers.iter().map(|p| (p.id.clone(), Mean::default())).collect();
    for key in network.probes.keys() {
        let Some(exit) = key.exit.as_ref().and_then(|e| network.inventory.exit(e)) else { continue };
        let Some(measured) = perception.measured_now(network, key, now) else { continue };
        let (delay, loss) = (measured.delay_ms().unwrap_or(f64::INFINITY), measured.loss().map_or(0.0, units::Ratio::get));
        all.add(delay.min(75.0), loss, 0.0);
        if let Some(mean) = own.get_mut(&exit.provider) {
            mean.add(0.0, 0.0, (1.0 - delay / 100.0 - loss * 20.0).max(0.0));
        }
    }
    let peers_down = peers_down(network);
    let (delay, loss, _) = all.values().unwrap_or_default();
    let anomaly = rounded(((delay / 75.0).min(0.4) + (loss * 60.0).min(0.3) + (f64::from(peers_down) * 0.15).min(0.3)).min(1.0));
    let level = match anomaly {
        a if a >= CRITICAL => AnomalyLevel::Critical,
        a if a >= HIGH => AnomalyLevel::High,
        _ => AnomalyLevel::Normal,
    };
    let quality = own.into_iter().map(|(p, m)| (p, m.values().map(|(_, _, q)| rounded(q)))).collect();
    ClassicScore { anomaly, level, quality, peers_down, paths: all.count }
}

fn peers_down(network: &Network) -> u32 {
    let sessions = network.inventory.exits.iter().flat_map(|e| e.neighbors.iter().map(move |n| (&e.device, n)));
    let known = sessions.filter_map(|(device, neighbor)| network.devices.get(device)?.sessions.get(neighbor));
    known.filter(|s| s.state != SessionState::Established && !s.admin_down).map(|_| 1).sum()
}

fn rounded(value: f64) -> f64 {
    libm::round(value * 1000.0) / 1000.0
}

#[derive(Default)]
struct Mean {
    delay: f64,
    loss: f64,
    quality: f64,
    count: u32,
}

impl Mean {
    fn add(&mut self, delay: f64, loss: f64, quality: f64) {
        self.delay += delay;
        self.loss += loss;
        self.quality += quality;
        self.count += 1;
    }

    fn values(&self) -> Option<(f64, f64, f64)> {
        let n = f64::from(self.count);
        (self.count > 0).then(|| (self.delay / n, self.loss / n, self.quality / n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{Scene, Weather, t};

    #[test]
    fn a_healthy_9_ms_network_scores_0_12_and_knows_its_qualities() {
        let mut scene = Scene::new();
        scene.seconds(30, |_, n, _| Some(Weather { lost: 0, delay_ms: if n % 2 == 0 { 9.1 } else { 8.9 } }));
        let score = classic(&scene.perception, &scene.network, t(30));
        assert!((score.anomaly - 0.12).abs() < 0.002, "{score:?}");
        assert_eq!((score.level, score.peers_down, score.paths), (AnomalyLevel::Normal, 0, 24));
        assert!(score.quality.values().all(|q| (q.unwrap() - 0.91).abs() < 0.002));
    }

    #[test]
    fn a_dead_network_is_critical_and_an_unmeasured_provider_unknown() {
        let mut scene = Scene::new();
        scene.calm(30);
        scene.seconds(30, |k, _, sent| {
            let measured = k.exit.as_ref().is_none_or(|e| e.as_str() != "r2-ispc");
            measured.then_some(Weather { lost: sent, delay_ms: 0.0 })
        });
        for exit in scene.network.inventory.exits.clone().iter().take(2) {
            let device = scene.network.devices.get_mut(&exit.device).unwrap();
            device.sessions.insert(exit.neighbors[0], network::Session::default());
        }
        let score = classic(&scene.perception, &scene.network, t(60));
        assert_eq!((score.anomaly, score.level, score.peers_down), (1.0, AnomalyLevel::Critical, 2));
        assert_eq!(score.quality[&"isp-c".into()], None);
        assert_eq!(score.quality[&"isp-a".into()], Some(0.0));
    }
}
