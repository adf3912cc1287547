//! What devices say of themselves by syslog: the changes among it, for "what changed last". Every word is theirs: tainted.

use crate::Network;
use action::DeviceId;
use core::net::IpAddr;
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use units::Timestamp;

/// Reports kept.
pub const REPORTS_MAX: usize = 500;
/// Reports of one device that are told in one window; the rest is counted. A link that flaps says so hundreds of times a minute.
pub const REPORTS_PER_WINDOW: u32 = 20;
/// That window.
pub const REPORT_WINDOW: Duration = Duration::from_secs(10);
/// Characters of a word or a text that are kept.
const WORDS_MAX: usize = 300;

/// One change as a device tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Who.
    pub device: DeviceId,
    /// When it came, by our clock.
    pub at: Timestamp,
    /// What.
    pub kind: syslog::Kind,
    /// Who changed a configuration, where it is told.
    pub user: Option<String>,
    /// From where.
    pub from: Option<String>,
    /// BGP neighbour.
    pub neighbor: Option<IpAddr>,
    /// Interface or port.
    pub interface: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// What was entered.
    pub what: Option<String>,
    /// The whole text, control characters visible, cut to 300 characters.
    pub text: String,
}

/// The reports of all devices, and how much came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reports {
    /// The newest last; at most [`REPORTS_MAX`].
    pub recent: VecDeque<Report>,
    /// Reports taken since the beginning.
    pub taken: u64,
    /// Per device.
    pub counts: BTreeMap<DeviceId, ReportCounts>,
}

/// What came by syslog from one device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportCounts {
    /// Messages.
    pub messages: u64,
    /// Changes among them.
    pub changes: u64,
    /// Changes that were counted only, because too many came at once.
    pub crowded: u64,
    window: (Timestamp, u32),
}

impl Reports {
    /// Returns the reports of a device from `from` to `to`, oldest first.
    pub fn of<'a>(&'a self, device: &'a DeviceId, from: Timestamp, to: Timestamp) -> impl Iterator<Item = &'a Report> {
        self.recent.iter().filter(move |r| &r.device == device && r.at >= from && r.at <= to)
    }
}

impl Network {
    /// Takes one syslog message.
    pub(crate) fn reported(&mut self, device: &DeviceId, bytes: &[u8], now: Timestamp) {
        if !self.devices.contains_key(device) {
            return;
        }
        let counts = self.reports.counts.entry(device.clone()).or_default();
        counts.messages += 1;
        let message = syslog::parse(bytes, now.nanos());
        let Some(event) = syslog::classify(&message) else { return };
        counts.changes += 1;
        if now.since(counts.window.0) >= REPORT_WINDOW {
            counts.window = (now, 0);
        }
        counts.window.1 += 1;
        if counts.window.1 > REPORTS_PER_WINDOW {
            counts.crowded += 1;
            return;
        }
        let cut = |text: String| if text.chars().count() > WORDS_MAX { text.chars().take(WORDS_MAX).collect() } else { text };
        self.reports.taken += 1;
        self.reports.recent.push_back(Report {
            device: device.clone(),
            at: now,
            kind: event.kind,
            user: event.user.map(cut),
            from: event.from.map(cut),
            neighbor: event.neighbor,
            interface: event.interface.map(cut),
            reason: event.reason.map(cut),
            what: event.what.map(cut),
            text: cut(message.text),
        });
        while self.reports.recent.len() > REPORTS_MAX {
            self.reports.recent.pop_front();
        }
    }
}
