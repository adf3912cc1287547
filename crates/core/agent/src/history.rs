//! Readings of a device over the last minutes.

use core::time::Duration;
use network::{Device, SessionState};
use serde::{Deserialize, Serialize};
use units::Timestamp;

/// Time between two snapshots.
pub const EVERY: Duration = Duration::from_secs(5);
/// Snapshots kept per device: twenty minutes.
pub const KEPT: usize = 240;

/// A device at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// When.
    pub at: Timestamp,
    /// CPU use, 0–1.
    pub cpu: Option<f64>,
    /// Memory use, 0–1.
    pub memory: Option<f64>,
    /// Health score, 0–1.
    pub health: Option<f64>,
    /// Interfaces down and not shut.
    pub interfaces_down: u32,
    /// Sessions established.
    pub peers_up: u32,
    /// Sessions configured and not shut.
    pub peers: u32,
    /// Best routes.
    pub routes: u32,
}

impl Snapshot {
    /// Takes one.
    #[must_use]
    pub fn of(device: &Device, health: Option<f64>, at: Timestamp) -> Self {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let down = |i: &&network::Interface| i.oper_up == Some(false) && i.admin_up != Some(false);
        let open = || device.sessions.values().filter(|s| !s.admin_down);
        Self {
            at,
            cpu: device.cpu,
            memory: device.memory,
            health,
            interfaces_down: count(device.interfaces.values().filter(down).count()),
            peers_up: count(open().filter(|s| s.state == SessionState::Established).count()),
            peers: count(open().count()),
            routes: count(device.loc_rib.len()),
        }
    }
}
