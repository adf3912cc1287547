//! One gNMI subscription: its life, and what must be remembered between two notifications.

use crate::counters::Counters;
use crate::loc_rib::LocRib;
use crate::{Device, Freshness, SubscriptionHealth};
use bgp::Prefix;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use units::Timestamp;

/// Warnings kept of one stream.
const WARNINGS_MAX: usize = 16;

/// State of a subscription.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GnmiSession {
    /// The stream is open.
    pub connected: bool,
    /// Host name the device reports (tainted).
    pub hostname: Option<String>,
    /// Notifications since the beginning.
    pub notifications: u64,
    /// Updates whose value had another type than their path says; they changed nothing.
    pub wrong_type: u64,
    /// Updates at paths that we do not read.
    pub unread: u64,
    /// Whether each subscription of the stream delivers; the last word where the stream is closed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subscriptions: Vec<SubscriptionHealth>,
    /// What this stream had to put up with, with codes, for the operator.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    pub(crate) loc_rib: LocRib,
    pub(crate) counters: BTreeMap<String, Counters>,
    /// Physical and used memory, bytes.
    pub(crate) memory: (Option<u64>, Option<u64>),
    /// Best routes from before this stream that were not told again yet.
    pub(crate) unconfirmed: BTreeSet<Prefix>,
}

impl GnmiSession {
    pub(crate) fn warned(&mut self, text: &str) {
        if self.warnings.len() < WARNINGS_MAX && !self.warnings.iter().any(|w| w == text) {
            self.warnings.push(text.to_owned());
        }
    }
}

impl Device {
    pub(crate) fn gnmi_connected(&mut self, now: Timestamp) {
        self.gnmi = Freshness::Initial { since: now, last: now };
        let session = &mut self.gnmi_session;
        session.connected = true;
        session.loc_rib = LocRib::default();
        session.counters.clear();
        session.subscriptions.clear();
        session.warnings.clear();
        session.unconfirmed = self.loc_rib.keys().copied().collect();
    }

    pub(crate) fn gnmi_synced(&mut self, now: Timestamp) {
        let gone = core::mem::take(&mut self.gnmi_session.unconfirmed);
        if !gone.is_empty() {
            Arc::make_mut(&mut self.loc_rib).retain(|prefix, _| !gone.contains(prefix));
        }
        self.gnmi = Freshness::Synced { last: self.gnmi.last().unwrap_or(now) };
    }
}
