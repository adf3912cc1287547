//! One gNMI subscription: its life, and what must be remembered between two notifications.

use crate::counters::Counters;
use crate::loc_rib::LocRib;
use crate::{Device, Freshness, SubscriptionHealth};
use bgp::Prefix;
use core::net::IpAddr;
use gnmi::{Marks, Path};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use units::Timestamp;

/// Leaves of one device whose deletion can be followed: a router with a few thousand interfaces has a tenth of that.
pub(crate) const LEAVES_MAX: usize = 1 << 20;
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
    /// Neighbours in the default instance whose session's state the picture holds from this feed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) neighbors: BTreeSet<IpAddr>,
    pub(crate) loc_rib: LocRib,
    pub(crate) counters: BTreeMap<String, Counters>,
    /// The certificates of the TLS connection, as far as they could be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<CertificateEnd>,
    /// Values that the device left out because newer ones came before they were sent ("device coalesced N", `Update.duplicates`).
    #[serde(default)]
    pub coalesced: u64,
    /// Notifications without content: the target lives and has nothing to say.
    #[serde(default)]
    pub empty: u64,
    /// Leaves beyond the bound: their deletion cannot be followed.
    #[serde(default)]
    pub unmarked: u64,
    /// Which leaves the picture holds from this feed, routes apart.
    #[serde(default)]
    pub(crate) told: Marks,
    /// Where the device's RIB stands in its tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rib_at: Option<Path>,
    /// Best routes from before this stream that were not told again yet.
    pub(crate) unconfirmed: BTreeSet<Prefix>,
}

/// Until when a certificate is valid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateEnd {
    /// `server`, `client` or `ca`.
    pub role: String,
    /// `notAfter` (RFC 5280 §4.1.2.5).
    pub not_after: Timestamp,
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
        session.told.connected();
        session.unconfirmed = self.loc_rib.keys().copied().collect();
    }

    /// Takes the verdicts on the subscriptions. A rate is made by us of two reads: where reads stopped coming, there is none.
    pub(crate) fn gnmi_judged(&mut self, subscriptions: &[SubscriptionHealth]) {
        self.gnmi_session.subscriptions = subscriptions.to_vec();
        if !self.gnmi_session.delivers("counters") {
            self.interfaces.values_mut().for_each(|i| i.rate_bps = None);
        }
    }

    /// Ends the first dump. Returns what was told before it and not again.
    pub(crate) fn gnmi_synced(&mut self, now: Timestamp) -> Vec<Path> {
        let gone = core::mem::take(&mut self.gnmi_session.unconfirmed);
        if !gone.is_empty() {
            Arc::make_mut(&mut self.loc_rib).retain(|prefix, _| !gone.contains(prefix));
        }
        self.gnmi = Freshness::Synced { last: self.gnmi.last().unwrap_or(now) };
        self.gnmi_session.told.synced()
    }
}
