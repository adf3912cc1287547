//! The numbers that perception judges by; every one is a setting.

use core::time::Duration;
use serde::{Deserialize, Serialize};

/// Thresholds of path perception with their defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Thresholds {
    /// Clean samples whose median becomes the baseline.
    pub baseline_samples: usize,
    /// Weight of one clean sample in the baseline's moving average, 0–1.
    pub baseline_weight: f64,
    /// Rise over the baseline that is never suspicious, milliseconds.
    pub delay_rise_ms: f64,
    /// Rise over the baseline that is never suspicious, share of the baseline. The larger of the two counts.
    pub delay_rise_share: f64,
    /// Share of the allowed rise below which a degraded path counts as recovered, 0–1.
    pub recovery_share: f64,
    /// Window of the delay trigger.
    pub delay_window: Duration,
    /// Packets that the delay trigger needs in its window.
    pub delay_packets_min: u64,
    /// Window of the pooled loss trigger.
    pub loss_window: Duration,
    /// Window of the plain count trigger.
    pub loss_count_window: Duration,
    /// Lost packets in that window that are suspicious whatever was sent.
    pub loss_count: u64,
    /// A single lost packet asks for a closer look, but not again within this time.
    pub closer_look_every: Duration,
    /// Shortest time of evidence before a path is called degraded.
    pub evidence_min: Duration,
    /// Longest time; a suspicion that is not proven by then is dropped.
    pub evidence_max: Duration,
    /// Packets received that a delay decision needs.
    pub evidence_delay_packets: u64,
    /// Packets sent that a loss decision needs, pooled over the exit.
    pub evidence_loss_packets: u64,
    /// Lost packets below which no loss is ever called significant.
    pub evidence_lost_min: u64,
    /// Probe rate while evidence is gathered, packets per second per probe.
    pub evidence_hz: u32,
    /// For how long that rate is asked for, seconds.
    pub evidence_seconds: u32,
    /// Lost packets in a row, with no reply between, that make a path silent.
    pub silent_packets: u64,
    /// Window in which a degraded path must look good before it is recovering.
    pub recovery_window: Duration,
    /// How long it must stay good before the finding is cleared.
    pub recovery_hold: Duration,
    /// How long a finding waits for the provider's other suspect paths, so that one finding names them all.
    pub settle_max: Duration,
    /// Without a new sample for this long a path is stale.
    pub stale_after: Duration,
    /// A sample older than this on arrival (device time against ours) moves no state: it is history.
    pub sample_age_max: Duration,
    /// Window of the numbers shown as "before".
    pub before_window: Duration,
    /// Window of the numbers shown as "now".
    pub now_window: Duration,
    /// An open finding's numbers are renewed this often.
    pub refresh_every: Duration,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            baseline_samples: 20,
            baseline_weight: 0.01,
            delay_rise_ms: 5.0,
            delay_rise_share: 0.25,
            recovery_share: 0.5,
            delay_window: Duration::from_secs(5),
            delay_packets_min: 3,
            loss_window: Duration::from_secs(20),
            loss_count_window: Duration::from_secs(10),
            loss_count: 3,
            closer_look_every: Duration::from_secs(60),
            evidence_min: Duration::from_secs(5),
            evidence_max: Duration::from_secs(20),
            evidence_delay_packets: 10,
            evidence_loss_packets: 100,
            evidence_lost_min: 3,
            evidence_hz: 10,
            evidence_seconds: 30,
            silent_packets: 5,
            recovery_window: Duration::from_secs(10),
            recovery_hold: Duration::from_secs(30),
            settle_max: Duration::from_secs(5),
            stale_after: Duration::from_secs(5),
            sample_age_max: Duration::from_secs(30),
            before_window: Duration::from_secs(60),
            now_window: Duration::from_secs(10),
            refresh_every: Duration::from_secs(10),
        }
    }
}
