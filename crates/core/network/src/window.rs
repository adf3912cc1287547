//! What the probes say over a stretch of time.

use crate::{Network, ProbeKey};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use units::Timestamp;

/// Results of one probe over a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProbeWindow {
    /// Packets whose fate is known.
    pub sent: u64,
    /// Packets that arrived.
    pub received: u64,
    /// Share lost, 0–1; `None` when nothing was sent.
    pub loss: Option<f64>,
    /// Forward delay, milliseconds, mean over packets that arrived; `None` when none did.
    pub delay_ms: Option<f64>,
    /// Smallest forward delay, milliseconds.
    pub delay_ms_min: Option<f64>,
    /// Largest forward delay, milliseconds.
    pub delay_ms_max: Option<f64>,
    /// Median of the intervals' mean delays, milliseconds.
    pub delay_ms_p50: Option<f64>,
    /// Intervals in the window.
    pub samples: usize,
}

impl Network {
    /// Returns what `key` measured in the last `seconds` before `now`; empty when there is no such probe.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "packets of a window are far below 2^52")]
    pub fn probe_window(&self, key: &ProbeKey, now: Timestamp, seconds: u32) -> ProbeWindow {
        let from = now.minus(Duration::from_secs(u64::from(seconds)));
        let mut out = ProbeWindow::default();
        let mut means = Vec::new();
        let mut weighted = 0.0;
        let mut weight = 0.0;
        for s in self.probes.get(key).into_iter().flat_map(|p| &p.samples).filter(|s| s.at > from && s.at <= now) {
            out.samples += 1;
            out.sent += u64::from(s.sent);
            out.received += u64::from(s.received);
            if let Some(mean) = s.delay_ms {
                means.push(mean);
                weighted += mean * f64::from(s.received);
                weight += f64::from(s.received);
                let (low, high) = s.delay_ms_min_max.unwrap_or((mean, mean));
                out.delay_ms_min = Some(out.delay_ms_min.map_or(low, |m| m.min(low)));
                out.delay_ms_max = Some(out.delay_ms_max.map_or(high, |m| m.max(high)));
            }
        }
        out.loss = (out.sent > 0).then(|| 1.0 - out.received as f64 / out.sent as f64);
        out.delay_ms = (weight > 0.0).then(|| weighted / weight);
        means.sort_by(f64::total_cmp);
        out.delay_ms_p50 = means.get(means.len() / 2).copied();
        out
    }
}
