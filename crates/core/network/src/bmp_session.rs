//! One BMP session: messages go into the tables, and what they say of sessions, senders and themselves is kept here.

use crate::peers::PEERS_MAX;
use crate::picture::{REPAIR_HISTORY, as_pairs};
use crate::{BmpPeer, Device, Freshness, INITIAL_MAX, Network, RouteRepair, Session, SessionState};
use action::DeviceId;
use bmp::{AfiSafi, Codec, Distinguisher, Message, Peer, PeerDown, PeerKind, PeerUp, Repair, RouteMonitoring, Statistics, View};
use core::net::IpAddr;
use core::time::Duration;
use rib::{PeerKey, Rib, RouterId, Taken};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use units::Timestamp;

/// How long a Peer Up or Peer Down is newer than any sample: the node polls twice a second, and the way takes its time.
const SETTLE: Duration = Duration::from_secs(2);

/// State of the sessions of one device, and what was counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BmpSession {
    /// The transport is up.
    pub connected: bool,
    /// The router's own words on itself (`sys_name`, tainted).
    pub sys_name: Option<String>,
    /// Counters over all sessions of the device.
    pub counts: BmpCounts,
    /// Peers of all instances, and what was told of them beside routes.
    #[serde(default, with = "as_pairs")]
    pub peers: BTreeMap<PeerKey, BmpPeer>,
    /// Observed interval between two reports of one peer; `None` until two came.
    pub statistics_every: Option<Duration>,
    statistics_from: Option<(IpAddr, View, Timestamp)>,
    /// When each peer last came up or went down by this feed.
    told: BTreeMap<IpAddr, (Timestamp, SessionState)>,
    /// Peers that were up when this transport began, and of which it has told nothing yet.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    unnamed: BTreeSet<PeerKey>,
    /// Corrections that were made in the present session.
    #[serde(default)]
    repaired: BTreeSet<Repair>,
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
    /// Messages about other instances than the global one; their routes are in tables of their own.
    pub other_tables: u64,
    /// Statistics Reports.
    #[serde(default)]
    pub statistics: u64,
    /// Route Mirroring messages.
    #[serde(default)]
    pub mirrored: u64,
    /// Kinds of corrections, one a session.
    #[serde(default)]
    pub repair_events: u64,
    /// Messages about peers of which nothing but routes is kept: there are too many.
    #[serde(default)]
    pub peers_refused: u64,
}

impl BmpSession {
    /// Says whether a state that gNMI reports was overtaken: BMP is pushed, gNMI is polled on the node, so a sample that contradicts a
    /// fresh Peer Up or Peer Down was taken before it.
    pub(crate) fn overtakes(&self, neighbor: IpAddr, state: SessionState, now: Timestamp) -> bool {
        let up = |s: SessionState| s == SessionState::Established;
        let told = self.told.get(&neighbor).filter(|(at, _)| self.connected && now.since(*at) < SETTLE);
        told.is_some_and(|(_, s)| up(*s) != up(state))
    }

    /// Says whether BMP holds the session with a neighbour to be up.
    pub(crate) fn knows(&self, neighbor: IpAddr) -> bool {
        self.connected && self.told.get(&neighbor).is_some_and(|(_, state)| *state == SessionState::Established)
    }

    /// Says whether the present transport told of the session with a neighbour, up or down.
    pub(crate) fn tells(&self, neighbor: IpAddr) -> bool {
        self.connected && self.told.contains_key(&neighbor)
    }

    /// Notes that the present transport tells of a peer.
    fn name(&mut self, peer: &PeerKey) {
        if !self.unnamed.is_empty() {
            self.unnamed.remove(peer);
        }
    }

    /// Returns what is kept of a peer.
    fn peer(&mut self, peer: &Peer) -> Option<&mut BmpPeer> {
        let key = PeerKey::of(peer);
        if self.peers.len() >= PEERS_MAX && !self.peers.contains_key(&key) {
            self.counts.peers_refused += 1;
            return None;
        }
        Some(self.peers.entry(key).or_default())
    }

    /// Forgets the same peer under other BGP identifiers: a router has one session at an address.
    fn forget_others(&mut self, peer: &Peer) {
        let this = PeerKey::of(peer);
        if peer.view != View::LocRib {
            self.peers.retain(|k, _| *k == this || !same_session(k, &this));
        }
    }

    fn statistics(&mut self, report: &Statistics, now: Timestamp) {
        self.counts.statistics += 1;
        let peer = &report.peer;
        self.name(&PeerKey::of(peer));
        match self.statistics_from {
            Some((address, view, before)) if (address, view) == (peer.address, peer.view) => {
                self.statistics_every = Some(now.since(before));
                self.statistics_from = Some((address, view, now));
            }
            Some((_, _, before)) if now.since(before) <= INITIAL_MAX => {}
            _ => self.statistics_from = Some((peer.address, peer.view, now)),
        }
        if let Some(known) = self.peer(peer) {
            known.counted(report, now);
        }
    }
}

/// Says whether a peer's session is one of the global instance, as [`rib::TableKey::is_global`] says of its tables.
pub(crate) fn key_is_global(key: &PeerKey, peer: &BmpPeer) -> bool {
    let named = peer.instance.as_deref().is_none_or(|name| matches!(name, "global" | "default"));
    key.kind == PeerKind::Global && key.distinguisher == Distinguisher::GLOBAL && named
}

/// Says whether two peers are one session: a router has one at an address, and a Peer Down of a peer that never was up carries no
/// identifier.
fn same_session(a: &PeerKey, b: &PeerKey) -> bool {
    (a.kind, a.distinguisher, a.address) == (b.kind, b.distinguisher, b.address)
}

impl Network {
    /// A router connected.
    pub(crate) fn bmp_connected(&mut self, id: &DeviceId, now: Timestamp) {
        let Some(device) = self.devices.get_mut(id) else { return };
        device.bmp_connected(now);
        let source = self.inventory.device(id).and_then(|d| d.bmp.as_ref());
        let repairs = source.map(|s| s.repairs_off.clone()).unwrap_or_default();
        let codec = Codec::new(Some(self.inventory.own_asn)).with_repairs(repairs);
        let tables = Arc::make_mut(&mut self.tables);
        if let Some(router) = tables.router(id.as_str()) {
            tables.connected(router, codec, now);
        }
    }

    /// The transport ended: everything of the router is stale, nothing is withdrawn.
    pub(crate) fn bmp_closed(&mut self, id: &DeviceId, now: Timestamp) {
        let Some(device) = self.devices.get_mut(id) else { return };
        device.bmp_session.connected = false;
        device.bmp = Freshness::Stale { since: now };
        let tables = Arc::make_mut(&mut self.tables);
        if let Some(router) = tables.router(id.as_str()) {
            tables.lost(router, now);
        }
    }

    /// Takes one whole message.
    pub(crate) fn bmp_message(&mut self, id: &DeviceId, bytes: &[u8], now: Timestamp) {
        if self.devices.get(id).is_some_and(|d| matches!(d.bmp, Freshness::Unknown)) {
            // a capture may begin in the middle of a session
            self.bmp_connected(id, now);
        }
        let Some(device) = self.devices.get_mut(id) else { return };
        let was_silent = matches!(device.bmp, Freshness::Stale { .. }) && device.bmp_session.connected;
        device.bmp.heard(device.bmp_session.connected, now);
        device.bmp_session.connected = true;
        device.bmp_session.counts.messages += 1;
        let tables = Arc::make_mut(&mut self.tables);
        let Some(router) = tables.router(id.as_str()) else { return };
        if was_silent && tables.is_dumping(router, now) {
            // a pause within the dump is not its end
            device.bmp = Freshness::Initial { since: now, last: now };
        } else if was_silent {
            device.bmp_dumped(now);
        }
        match tables.take(router, bytes, now) {
            Ok(Taken::Plain { table, repairs }) => {
                repairs.into_iter().flatten().for_each(|r| device.repaired(r, now));
                let key = tables.key(table);
                if let Some(key) = key {
                    device.bmp_session.name(&key.peer);
                }
                device.routes_came(key.is_some_and(rib::TableKey::is_global), &[]);
            }
            Ok(Taken::Message(message)) => device.monitored(*message, tables, router, now),
            Ok(Taken::Nothing) => {}
            Err(error) => {
                device.malformed += 1;
                device.last_malformed = Some(error.to_string());
                if let Some(salvage) = error.salvage {
                    device.routes(&salvage, tables, router);
                }
            }
        }
    }
}

impl Device {
    fn bmp_connected(&mut self, now: Timestamp) {
        self.bmp = Freshness::Initial { since: now, last: now };
        let session = &mut self.bmp_session;
        session.connected = true;
        session.statistics_from = None;
        session.told.clear();
        session.repaired.clear();
        let up = session.peers.iter().filter(|(_, p)| p.session.state == SessionState::Established);
        session.unnamed = up.map(|(key, _)| *key).collect();
    }

    /// The router has told all that it has: a peer of which it told nothing is not up, whatever it was on the transport before.
    pub(crate) fn bmp_dumped(&mut self, now: Timestamp) {
        for key in core::mem::take(&mut self.bmp_session.unnamed) {
            let Some(peer) = self.bmp_session.peers.get_mut(&key) else { continue };
            peer.session.went_untold(now);
            let named = self.bmp_session.told.contains_key(&key.address);
            if !key_is_global(&key, peer) || named || self.gnmi_tells(key.address) {
                continue;
            }
            if let Some(session) = self.sessions.get_mut(&key.address) {
                session.went_untold(now);
            }
        }
    }

    /// Takes what a message says beside routes; those are in the tables already.
    fn monitored(&mut self, message: Message, tables: &Rib, router: RouterId, now: Timestamp) {
        for repair in message.repairs() {
            self.repaired(*repair, now);
        }
        let global = message.peer().is_none_or(|p| tables.is_global(router, p));
        let session = &mut self.bmp_session;
        match message {
            Message::RouteMonitoring(m) => return self.routes(&m, tables, router),
            Message::PeerUp(m) => self.peer_up(&m, global, now),
            Message::PeerDown(m) => self.peer_down(&m, global, now),
            Message::Statistics(m) => session.statistics(&m, now),
            Message::Initiation(m) => {
                session.sys_name = m.tlvs.into_iter().find(|t| t.name == "sys_name").map(|t| t.value);
            }
            Message::RouteMirroring(m) => {
                session.counts.mirrored += 1;
                if let Some(peer) = session.peer(&m.peer) {
                    peer.mirrored(&m);
                }
            }
            Message::Termination(_) => {}
        }
        self.bmp_session.counts.other_tables += u64::from(!global);
    }

    /// Counts a correction of the gNMI feed by its name.
    pub(crate) fn gnmi_repaired(&mut self, name: &str, count: u64, now: Timestamp) {
        if !self.repairs.contains_key(name) && self.repairs.len() >= REPAIR_HISTORY {
            return;
        }
        let known = self.repairs.entry(name.to_owned()).or_insert(RouteRepair { count: 0, first: now, session: now });
        known.count = known.count.saturating_add(count);
    }

    /// Notes a correction: counted for ever, an event once a session.
    fn repaired(&mut self, repair: Repair, now: Timestamp) {
        let name = repair.to_string();
        if !self.repairs.contains_key(&name) && self.repairs.len() >= REPAIR_HISTORY {
            return;
        }
        let known = self.repairs.entry(name).or_insert(RouteRepair { count: 0, first: now, session: now });
        known.count += 1;
        if self.bmp_session.repaired.insert(repair) {
            known.session = now;
            self.bmp_session.counts.repair_events += 1;
        }
    }

    fn peer_up(&mut self, up: &PeerUp, global: bool, now: Timestamp) {
        let address = up.peer.address;
        let session = &mut self.bmp_session;
        session.counts.peer_events += 1;
        session.name(&PeerKey::of(&up.peer));
        session.forget_others(&up.peer);
        if let Some(peer) = session.peer(&up.peer) {
            peer.up(up, now);
        }
        if global && up.peer.view != View::LocRib {
            session.told.insert(address, (now, SessionState::Established));
            self.sessions.entry(address).or_default().came_up(up, now);
        }
    }

    /// Notes the end of a session; the tables have withdrawn what it announced (RFC 7854 §4.9), except what a restart keeps.
    fn peer_down(&mut self, down: &PeerDown, global: bool, now: Timestamp) {
        let session = &mut self.bmp_session;
        session.counts.peer_events += 1;
        if down.repairs.contains(&Repair::PeerDownBeforePeerUp) {
            return self.not_up(down, global, now);
        }
        session.name(&PeerKey::of(&down.peer));
        if let Some(peer) = session.peer(&down.peer) {
            peer.down(down, now);
        }
        if global && down.peer.view != View::LocRib {
            session.told.insert(down.peer.address, (now, SessionState::Idle));
            self.sessions.entry(down.peer.address).or_default().went_down(down, now);
        }
    }

    /// Takes a Peer Down of a peer that did not come up on this transport: FRR reports every peer that is not up this way when it connects.
    /// Where gNMI tells the session it knows more; else what was up on the transport before is up no more.
    fn not_up(&mut self, down: &PeerDown, global: bool, now: Timestamp) {
        let this = PeerKey::of(&down.peer);
        let session = &mut self.bmp_session;
        for (_, peer) in session.peers.iter_mut().filter(|(key, _)| same_session(key, &this)) {
            if peer.session.state == SessionState::Established {
                peer.down(down, now);
            }
        }
        session.unnamed.retain(|key| !same_session(key, &this));
        let address = down.peer.address;
        if !global || down.peer.view == View::LocRib || address.is_unspecified() || self.gnmi_tells(address) {
            return;
        }
        // a session may have come up since the list was made: this is never newer than a sample
        self.bmp_session.told.insert(address, (Timestamp::EPOCH, SessionState::Idle));
        let remote_as = Some(down.peer.asn);
        let known = self.sessions.entry(address).or_insert_with(|| Session { remote_as, since: now, ..Session::default() });
        if known.state == SessionState::Established {
            known.went_down(down, now);
        }
    }

    fn routes(&mut self, m: &RouteMonitoring, tables: &Rib, router: RouterId) {
        self.bmp_session.name(&PeerKey::of(&m.peer));
        self.routes_came(tables.is_global(router, &m.peer), &m.unread);
    }

    fn routes_came(&mut self, global: bool, unread: &[AfiSafi]) {
        let session = &mut self.bmp_session;
        session.counts.route_updates += 1;
        session.counts.other_tables += u64::from(!global);
        for family in unread {
            *session.counts.unread.entry(family.to_string()).or_default() += 1;
        }
    }
}
