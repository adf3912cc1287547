//! One BMP session: messages become Adj-RIBs, sessions and repairs.

use crate::picture::{REPAIR_HISTORY, as_pairs};
use crate::{AdjRib, Device, DeviceSpec, Freshness, INITIAL_MAX, INITIAL_QUIET, Opened, RouteRepair, SessionState};
use bgp::{Asn, Family, PathAttributes, Prefix};
use bmp::{AfiSafi, Codec, DownReason, Message, Nlri, Peer, PeerDown, PeerKind, PeerUp, Repair, RouteMonitoring, View};
use core::net::IpAddr;
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use units::Timestamp;

/// How long a Peer Up or Peer Down is newer than any sample: the node polls twice a second, and the way takes its time.
const SETTLE: Duration = Duration::from_secs(2);

/// What is needed to read the next message, and what was counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BmpSession {
    /// Capabilities learned from Peer Up.
    pub codec: Codec,
    /// The transport is up.
    pub connected: bool,
    /// The router's own words on itself (`sys_name`, tainted).
    pub sys_name: Option<String>,
    /// Counters over all sessions of the device.
    pub counts: BmpCounts,
    /// Observed interval between two reports of one peer; `None` until two came.
    pub statistics_every: Option<Duration>,
    statistics_from: Option<(IpAddr, View, Timestamp)>,
    last_route: Option<Timestamp>,
    /// When each peer last came up or went down by this feed.
    told: BTreeMap<IpAddr, (Timestamp, SessionState)>,
    /// Routes from before the present session or Peer Up that were not announced again yet.
    #[serde(with = "as_pairs")]
    unconfirmed: BTreeMap<(IpAddr, View), BTreeSet<Prefix>>,
    /// Paths of neighbours that send several per prefix (RFC 7911); the table holds the one with the lowest identifier.
    #[serde(with = "as_pairs")]
    paths: BTreeMap<(IpAddr, View, Prefix), BTreeMap<u32, Arc<PathAttributes>>>,
}

/// What came by BMP since the beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BmpCounts {
    /// Messages, malformed ones included.
    pub messages: u64,
    /// Route Monitoring messages.
    pub route_updates: u64,
    /// Peer Up and Peer Down, nothing else.
    pub peer_events: u64,
    /// UPDATEs of families that we do not read, by family.
    pub unread: BTreeMap<String, u64>,
    /// Messages about other than the global table.
    pub other_tables: u64,
}

impl BmpSession {
    /// Says whether a dump has ended without End-of-RIB.
    pub(crate) fn dump_is_over(&self, freshness: Freshness, now: Timestamp) -> bool {
        let quiet = |from: Timestamp| now.since(self.last_route.unwrap_or(from).max(from)) >= INITIAL_QUIET;
        match freshness {
            Freshness::Initial { since, .. } => quiet(since) || now.since(since) >= INITIAL_MAX,
            Freshness::Synced { .. } => !self.unconfirmed.is_empty() && self.last_route.is_some_and(quiet),
            Freshness::Unknown | Freshness::Stale { .. } => false,
        }
    }

    /// Says whether a state that gNMI reports was overtaken: BMP is pushed, gNMI is polled on the node, so a sample that contradicts a
    /// fresh Peer Up or Peer Down was taken before it.
    pub(crate) fn overtakes(&self, neighbor: IpAddr, state: SessionState, now: Timestamp) -> bool {
        let up = |s: SessionState| s == SessionState::Established;
        let told = self.told.get(&neighbor).filter(|(at, _)| self.connected && now.since(*at) < SETTLE);
        told.is_some_and(|(_, s)| up(*s) != up(state))
    }

    fn confirm(&mut self, key: (IpAddr, View), prefix: &Prefix) {
        if let Some(rest) = self.unconfirmed.get_mut(&key) {
            rest.remove(prefix);
            if rest.is_empty() {
                self.unconfirmed.remove(&key);
            }
        }
    }
}

impl Device {
    pub(crate) fn bmp_connected(&mut self, spec: Option<&DeviceSpec>, own_asn: Asn, now: Timestamp) {
        let repairs = spec.and_then(|d| d.bmp.as_ref()).map(|s| s.repairs_off.clone()).unwrap_or_default();
        self.bmp = Freshness::Initial { since: now, last: now };
        let session = &mut self.bmp_session;
        session.codec = Codec::new(Some(own_asn)).with_repairs(repairs);
        session.connected = true;
        session.last_route = None;
        session.statistics_from = None;
        session.paths.clear();
        session.told.clear();
        session.unconfirmed = self.adj_ribs.iter().map(|(key, rib)| (*key, rib.keys().copied().collect())).collect();
    }

    pub(crate) fn bmp_message(&mut self, bytes: &[u8], spec: Option<&DeviceSpec>, own_asn: Asn, now: Timestamp) {
        if matches!(self.bmp, Freshness::Unknown) {
            // a capture may begin in the middle of a session
            self.bmp_connected(spec, own_asn, now);
        }
        self.bmp.heard(self.bmp_session.connected, now);
        self.bmp_session.connected = true;
        self.bmp_session.counts.messages += 1;
        match bmp::decode(bytes, &mut self.bmp_session.codec) {
            Ok(message) => self.monitored(message, now),
            Err(error) => {
                self.malformed += 1;
                self.last_malformed = Some(error.to_string());
                if let Some(salvage) = error.salvage {
                    self.routes(*salvage, now);
                }
            }
        }
    }

    fn monitored(&mut self, message: Message, now: Timestamp) {
        for repair in message.repairs() {
            self.repaired(*repair, now);
        }
        if message.peer().is_some_and(|p| !of_global_table(p)) {
            self.bmp_session.counts.other_tables += 1;
            return;
        }
        match message {
            Message::RouteMonitoring(m) => self.routes(*m, now),
            Message::PeerUp(m) => {
                self.bmp_session.counts.peer_events += 1;
                self.peer_up(&m, now);
            }
            Message::PeerDown(m) => {
                self.bmp_session.counts.peer_events += 1;
                self.peer_down(&m, now);
            }
            Message::Statistics(m) => self.statistics(&m.peer, now),
            Message::Initiation(m) => {
                self.bmp_session.sys_name = m.tlvs.into_iter().find(|t| t.name == "sys_name").map(|t| t.value);
            }
            Message::Termination(_) | Message::RouteMirroring(_) => {}
        }
    }

    fn repaired(&mut self, repair: Repair, now: Timestamp) {
        let name = repair.to_string();
        if let Some(known) = self.repairs.get_mut(&name) {
            known.count += 1;
        } else if self.repairs.len() < REPAIR_HISTORY {
            self.repairs.insert(name, RouteRepair { count: 1, first: now });
        }
    }

    fn peer_up(&mut self, up: &PeerUp, now: Timestamp) {
        let peer = &up.peer;
        let key = (peer.address, peer.view);
        // a table that is announced anew: what does not come again is gone
        if let Some(rib) = self.adj_ribs.get(&key) {
            self.bmp_session.unconfirmed.insert(key, rib.keys().copied().collect());
            self.bmp_session.last_route = Some(now);
        }
        if peer.view != View::LocRib {
            let session = self.sessions.entry(peer.address).or_default();
            session.remote_as = Some(peer.asn);
            session.opened = Some(Opened::of(up));
            session.enter(SessionState::Established, now);
            self.bmp_session.told.insert(peer.address, (now, SessionState::Established));
        }
    }

    /// Withdraws everything of the peer (RFC 7854 §4.9): the router said so, it is no loss of sight.
    fn peer_down(&mut self, down: &PeerDown, now: Timestamp) {
        let address = down.peer.address;
        let of_peer = |view: View| (view == View::LocRib) == (down.peer.view == View::LocRib);
        self.adj_ribs.retain(|(a, view), _| *a != address || !of_peer(*view));
        self.bmp_session.paths.retain(|(a, view, _), _| *a != address || !of_peer(*view));
        self.bmp_session.unconfirmed.retain(|(a, view), _| *a != address || !of_peer(*view));
        if down.repairs.contains(&Repair::PeerDownBeforePeerUp) || down.peer.view == View::LocRib {
            // FRR reports every peer that is not up yet this way when it connects; gNMI knows their state
            return;
        }
        let session = self.sessions.entry(address).or_default();
        session.remote_as = Some(down.peer.asn);
        session.last_down = Some(words(&down.reason));
        session.enter(SessionState::Idle, now);
        self.bmp_session.told.insert(address, (now, SessionState::Idle));
    }

    fn statistics(&mut self, peer: &Peer, now: Timestamp) {
        let session = &mut self.bmp_session;
        match session.statistics_from {
            Some((address, view, before)) if (address, view) == (peer.address, peer.view) => {
                session.statistics_every = Some(now.since(before));
                session.statistics_from = Some((address, view, now));
            }
            Some((_, _, before)) if now.since(before) <= INITIAL_MAX => {}
            _ => session.statistics_from = Some((peer.address, peer.view, now)),
        }
    }

    fn routes(&mut self, m: RouteMonitoring, now: Timestamp) {
        let counts = &mut self.bmp_session.counts;
        counts.route_updates += 1;
        for family in &m.unread {
            *counts.unread.entry(family.to_string()).or_default() += 1;
        }
        self.bmp_session.last_route = Some(now);
        let key = (m.peer.address, m.peer.view);
        let rib = Arc::make_mut(self.adj_ribs.entry(key).or_default());
        for nlri in &m.withdraw {
            self.bmp_session.confirm(key, &nlri.prefix);
            withdraw(rib, &mut self.bmp_session.paths, key, nlri);
        }
        if let Some(attributes) = m.attributes {
            let shared = Arc::new(attributes);
            for nlri in &m.announce {
                self.bmp_session.confirm(key, &nlri.prefix);
                announce(rib, &mut self.bmp_session.paths, key, nlri, &shared);
            }
        }
        if let Some(family) = m.end_of_rib.and_then(AfiSafi::family) {
            self.sweep(key, Some(family));
        }
        if self.adj_ribs.get(&key).is_some_and(|rib| rib.is_empty()) {
            self.adj_ribs.remove(&key);
        }
    }

    /// Removes what was not announced again.
    pub(crate) fn sweep_adj_ribs(&mut self) {
        let keys: Vec<(IpAddr, View)> = self.bmp_session.unconfirmed.keys().copied().collect();
        for key in keys {
            self.sweep(key, None);
            if self.adj_ribs.get(&key).is_some_and(|rib| rib.is_empty()) {
                self.adj_ribs.remove(&key);
            }
        }
    }

    fn sweep(&mut self, key: (IpAddr, View), family: Option<Family>) {
        let Some(gone) = self.bmp_session.unconfirmed.remove(&key) else { return };
        let (gone, rest): (BTreeSet<Prefix>, BTreeSet<Prefix>) = gone.into_iter().partition(|p| family.is_none_or(|f| p.family() == f));
        if let Some(rib) = self.adj_ribs.get_mut(&key).filter(|_| !gone.is_empty()) {
            Arc::make_mut(rib).retain(|prefix, _| !gone.contains(prefix));
        }
        if !rest.is_empty() {
            self.bmp_session.unconfirmed.insert(key, rest);
        }
    }
}

type Paths = BTreeMap<(IpAddr, View, Prefix), BTreeMap<u32, Arc<PathAttributes>>>;

fn announce(rib: &mut AdjRib, paths: &mut Paths, (address, view): (IpAddr, View), nlri: &Nlri, shared: &Arc<PathAttributes>) {
    let attributes = if nlri.next_hop == shared.next_hop {
        Arc::clone(shared)
    } else {
        Arc::new(PathAttributes { next_hop: nlri.next_hop, ..PathAttributes::clone(shared) })
    };
    let best = match nlri.path_id {
        None => attributes,
        Some(id) => {
            let all = paths.entry((address, view, nlri.prefix)).or_default();
            all.insert(id, attributes);
            let Some(lowest) = all.values().next() else { return };
            Arc::clone(lowest)
        }
    };
    rib.insert(nlri.prefix, best);
}

fn withdraw(rib: &mut AdjRib, paths: &mut Paths, (address, view): (IpAddr, View), nlri: &Nlri) {
    let key = (address, view, nlri.prefix);
    if let (Some(id), Some(all)) = (nlri.path_id, paths.get_mut(&key)) {
        all.remove(&id);
        if let Some(lowest) = all.values().next() {
            rib.insert(nlri.prefix, Arc::clone(lowest));
            return;
        }
    }
    paths.remove(&key);
    rib.remove(&nlri.prefix);
}

fn of_global_table(peer: &Peer) -> bool {
    matches!(peer.kind, PeerKind::Global | PeerKind::LocRib) && peer.distinguisher == "0:0"
}

/// A reason as an operator reads it; codes by RFC 4271 §4.5.
fn words(reason: &DownReason) -> String {
    match reason {
        DownReason::LocalNotification(n) => format!("we sent NOTIFICATION {}/{}", n.code, n.subcode),
        DownReason::RemoteNotification(n) => format!("the peer sent NOTIFICATION {}/{}", n.code, n.subcode),
        DownReason::LocalFsmEvent(event) => format!("closed by us, FSM event {event}"),
        DownReason::RemoteNoNotification => "the peer closed without a NOTIFICATION".to_owned(),
        DownReason::Deconfigured => "no longer configured".to_owned(),
        DownReason::LocalTlv(_) => "closed by us".to_owned(),
        DownReason::Unknown(code) => format!("reason {code}"),
    }
}
