//! The numbers that decisions weigh by; every one is a setting.

use core::time::Duration;
use serde::{Deserialize, Serialize};

/// Weights and limits with their defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Cost of one millisecond of forward delay.
    pub delay_weight: f64,
    /// Cost of total loss; 1 % of loss weighs as much as a hundredth of it. With 1000, 1 % of loss equals 10 ms.
    pub loss_weight: f64,
    /// Smallest gain in delay that is worth a change, milliseconds.
    pub delay_gain_ms_min: f64,
    /// Smallest gain in loss that is worth a change, 0–1.
    pub loss_gain_min: f64,
    /// Difference of cost below which two candidates are equal; the smaller blast radius decides.
    pub equal_cost: f64,
    /// Load of a link after the move above which it is no target, share of its capacity.
    pub load_max: f64,
    /// Share of the known prefixes that one change may move; a larger remedy is split by target group.
    pub blast_max: f64,
    /// Highest LOCAL_PREF that is ever set.
    pub local_pref_max: u32,
    /// Packets that a path must have carried recently to be chosen.
    pub target_packets_min: u64,
    /// Volumes older than this are unknown.
    pub volume_age_max: Duration,
    /// Probe rate asked for on paths that must be measured before they can be chosen, packets per second.
    pub evidence_hz: u32,
    /// For how long, seconds.
    pub evidence_seconds: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            delay_weight: 1.0,
            loss_weight: 1000.0,
            delay_gain_ms_min: 2.0,
            loss_gain_min: 0.002,
            equal_cost: 0.5,
            load_max: 0.85,
            blast_max: 0.65,
            local_pref_max: 300,
            target_packets_min: 8,
            volume_age_max: Duration::from_secs(30),
            evidence_hz: 10,
            evidence_seconds: 30,
        }
    }
}
