//! What is counted per BGP peer: prefixes received, and paths that changed.

use crate::bmp_session::key_is_global;
use crate::{BmpPeer, Device, Network};
use action::DeviceId;
use bgp::Family;
use bmp::{AfiSafi, View};
use core::net::IpAddr;
use core::time::Duration;
use rib::{CHURN_WINDOW, Changes, TableState};
use std::collections::{BTreeMap, BTreeSet};
use units::Timestamp;

/// A BMP statistic older than this counts for nothing: routers report every minute to every few minutes.
const STATISTIC_MAX_AGE: Duration = Duration::from_secs(15 * 60);
/// Statistics of the routes in the Adj-RIB-In by family, the best first (RFC 7854 §4.8; 19: draft-ietf-grow-bmp-bgp-rib-stats).
const PER_FAMILY: [u16; 2] = [9, 19];
/// The same of all families together.
const TOGETHER: [u16; 2] = [7, 18];

/// Who counts prefixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CountSource {
    /// The router, by gNMI: `…/neighbor/afi-safis/afi-safi/state/prefixes/received`.
    Gnmi,
    /// The router, by a BMP Statistics Report (RFC 7854 §4.8, types 7 and 9).
    BmpStatistics,
    /// We, by the routes that the router told by BMP; with ADD-PATH (RFC 7911) these are paths.
    BmpTable,
}

impl CountSource {
    /// Returns the stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gnmi => "gnmi",
            Self::BmpStatistics => "bmp_statistics",
            Self::BmpTable => "bmp_table",
        }
    }
}

/// How many prefixes a peer announced to a router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixCount {
    /// Network instance by the router's own name (tainted); empty: the default one.
    pub instance: String,
    /// Neighbour address.
    pub peer: IpAddr,
    /// Family; `None`: all together.
    pub family: Option<AfiSafi>,
    /// Who counts.
    pub source: CountSource,
    /// When it was so.
    pub at: Timestamp,
    /// How many.
    pub count: u64,
}

/// How the paths of a peer changed in the last whole minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathChanges {
    /// Network instance by the router's own name (tainted), else its distinguisher; empty: the global one.
    pub instance: String,
    /// Neighbour address; unspecified for a Loc-RIB.
    pub peer: IpAddr,
    /// Which of its tables.
    pub view: View,
    /// End of the minute.
    pub until: Timestamp,
    /// What happened in it.
    pub changes: Changes,
}

impl Network {
    /// Returns what each peer of a device announced, in numbers: by the router's own count where gNMI tells it, else by its BMP statistics,
    /// else by its BMP table once that is complete. What is stale counts for nothing.
    #[must_use]
    pub fn prefixes_received(&self, id: &DeviceId, now: Timestamp) -> Vec<PrefixCount> {
        let Some(device) = self.devices.get(id) else { return Vec::new() };
        let mut out = if counts_by_gnmi(device, now) { by_gnmi(device, now) } else { Vec::new() };
        if device.bmp_is_stale(now) {
            return out;
        }
        let mut told: BTreeSet<IpAddr> = out.iter().filter(|c| c.instance.is_empty()).map(|c| c.peer).collect();
        for (key, peer) in device.bmp_session.peers.iter().filter(|(key, peer)| key_is_global(key, peer)) {
            if told.contains(&key.address) || !device.sessions.contains_key(&key.address) {
                continue;
            }
            let counts = statistics(key.address, peer, now);
            if !counts.is_empty() {
                told.insert(key.address);
            }
            out.extend(counts);
        }
        out.extend(self.by_table(id, now).into_iter().filter(|c| !told.contains(&c.peer) && device.sessions.contains_key(&c.peer)));
        out
    }

    /// Counts the routes of tables that are complete; of the same peer under several BGP identifiers, the one that has most.
    fn by_table(&self, id: &DeviceId, now: Timestamp) -> Vec<PrefixCount> {
        let mut counts: BTreeMap<(IpAddr, Family), u64> = BTreeMap::new();
        for table in self.tables_of(id).filter(|t| t.key.is_global() && t.key.view == View::AdjRibInPre) {
            for (family, status) in table.families.iter().filter(|(_, status)| status.state == TableState::Synced) {
                let count = counts.entry((table.key.peer.address, *family)).or_default();
                *count = status.routes.max(*count);
            }
        }
        let count = |((peer, family), count): ((IpAddr, Family), u64)| PrefixCount {
            instance: String::new(),
            peer,
            family: Some(family.into()),
            source: CountSource::BmpTable,
            at: now,
            count,
        };
        counts.into_iter().map(count).collect()
    }

    /// Returns how the paths of each peer of a device changed in the last whole minute: of what it announced in one view, before policy
    /// where that is told, and of Loc-RIBs. Nothing where BMP was not connected for all of that minute: what nobody saw is not "no change".
    #[must_use]
    pub fn path_changes(&self, id: &DeviceId, now: Timestamp) -> Vec<PathChanges> {
        let Some(device) = self.devices.get(id).filter(|d| !d.bmp_is_stale(now)) else { return Vec::new() };
        let router = self.tables.router_named(id.as_str()).filter(|_| device.bmp_session.connected);
        let Some(since) = router.and_then(|r| self.tables.connected_since(r)) else { return Vec::new() };
        let mut found: BTreeMap<(String, IpAddr, View), (Timestamp, Changes)> = BTreeMap::new();
        for table in self.tables_of(id).filter(|t| t.key.view.is_adj_rib_in() || t.key.view == View::LocRib) {
            // the first window is the one in which the table became complete: only a part of it was watched
            let history = self.tables.churn(table.id, now).map(|c| c.history).filter(|history| history.len() > 1);
            let Some(window) = history.and_then(|h| h.first().copied()) else { continue };
            let gone = table.families.iter().all(|(_, status)| status.state == TableState::Gone);
            if window.from < since || (gone && window.changes == Changes::default()) {
                continue;
            }
            let instance = match &table.key.instance {
                _ if table.key.is_global() => String::new(),
                Some(name) => name.clone(),
                None => table.key.peer.distinguisher.to_string(),
            };
            let key = (instance, table.key.peer.address, table.key.view);
            // the same peer under another BGP identifier
            let (until, changes) = found.entry(key).or_default();
            *until = window.from.plus(CHURN_WINDOW);
            *changes += window.changes;
        }
        let before_policy: BTreeSet<(String, IpAddr)> =
            found.keys().filter(|(_, _, view)| *view == View::AdjRibInPre).map(|(instance, peer, _)| (instance.clone(), *peer)).collect();
        let twice = |instance: &str, peer, view| view == View::AdjRibInPost && before_policy.contains(&(instance.to_owned(), peer));
        let rows = found.into_iter().filter(|((instance, peer, view), _)| !twice(instance, *peer, *view));
        rows.map(|((instance, peer, view), (until, changes))| PathChanges { instance, peer, view, until, changes }).collect()
    }
}

fn counts_by_gnmi(device: &Device, now: Timestamp) -> bool {
    !device.gnmi_is_stale(now) && ["bgp", "bgp_prefixes"].iter().all(|set| device.gnmi_session.delivers(set))
}

fn by_gnmi(device: &Device, now: Timestamp) -> Vec<PrefixCount> {
    let default = device.sessions.iter().map(|(peer, session)| ("", *peer, session));
    let others = device.instance_sessions.iter().map(|((instance, peer), session)| (instance.as_str(), *peer, session));
    let counts = default.chain(others).flat_map(|(instance, peer, session)| {
        session.received.iter().map(move |(family, count)| PrefixCount {
            instance: instance.to_owned(),
            peer,
            family: Some((*family).into()),
            source: CountSource::Gnmi,
            at: now,
            count: *count,
        })
    });
    counts.collect()
}

fn statistics(address: IpAddr, peer: &BmpPeer, now: Timestamp) -> Vec<PrefixCount> {
    let of = |kind: u16| {
        let told = peer.statistics.iter().filter(move |((k, _), s)| *k == kind && now.since(s.at) <= STATISTIC_MAX_AGE);
        told.map(|((_, family), s)| PrefixCount {
            instance: String::new(),
            peer: address,
            family: *family,
            source: CountSource::BmpStatistics,
            at: s.at,
            count: s.value,
        })
    };
    PER_FAMILY.iter().chain(&TOGETHER).map(|kind| of(*kind).collect::<Vec<_>>()).find(|counts| !counts.is_empty()).unwrap_or_default()
}
