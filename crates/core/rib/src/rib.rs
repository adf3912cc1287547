//! The routes of every peer and view of every router, and what happens to them.

use crate::attributes::{self, Attributes};
use crate::blocks::Blocks;
use crate::keep::{Hold, NO_LLGR, Restart};
use crate::routes::{Announcement, Store, Withdrawal};
use crate::source::Sources;
use crate::table::{Counted, FAMILIES, FamilyStatus, FamilyTable, INITIAL_MAX, INITIAL_QUIET, PeerKey, RouterId, Table, TableId, TableKey};
use crate::table::{TableState, place};
use bgp::{Family, PathAttributes, Prefix};
use bmp::{AfiSafi, Bits, Codec, Message, MonitoredExtra, Nlri, Peer, PeerDown, PeerUp, Repair, RouteMonitoring, View};
use core::net::{IpAddr, Ipv4Addr};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use units::Timestamp;

/// Routers that one RIB takes; more than one program can listen to.
const MAX_ROUTERS: usize = 65_536;
/// Tables that one RIB takes, those that are gone included: 200 routers with 1,300 each. What comes above is refused and counted.
const MAX_TABLES: u32 = 1 << 18;
/// Last epoch before the epochs of a table are numbered anew.
const LAST_EPOCH: u8 = u8::MAX - 1;
/// Paths kept when nothing else is asked for: forty full feeds, 2 GB.
pub const DEFAULT_MAX_PATHS: u64 = 50_000_000;

/// What came from one router.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterCounts {
    /// Messages, bad ones included.
    pub messages: u64,
    /// Route Monitoring messages that were taken.
    pub route_monitoring: u64,
    /// Messages that could not be decoded.
    pub malformed: u64,
    /// Corrections by name.
    pub repairs: BTreeMap<Repair, u64>,
}

/// One router.
#[derive(Clone, Debug)]
pub(crate) struct Router {
    pub name: String,
    pub sys_name: Option<String>,
    pub codec: Codec,
    pub connected: bool,
    pub connected_at: Timestamp,
    /// When the last Peer Up, or route of a table that is not complete, came: changes of one that is do not make a dump longer.
    pub last_route: Timestamp,
    pub counts: RouterCounts,
    pub sources: Sources,
    /// What the last Peer Up said of each peer.
    pub restarts: BTreeMap<PeerKey, Restart>,
    pub instances: BTreeMap<PeerKey, String>,
}

impl Router {
    pub fn new(name: String) -> Self {
        Self {
            name,
            sys_name: None,
            codec: Codec::default(),
            connected: false,
            connected_at: Timestamp::EPOCH,
            last_route: Timestamp::EPOCH,
            counts: RouterCounts::default(),
            sources: Sources::default(),
            restarts: BTreeMap::new(),
            instances: BTreeMap::new(),
        }
    }

    /// Returns until when more may come of a dump in which nothing else comes.
    fn told_until(&self) -> Timestamp {
        self.last_route.max(self.connected_at).plus(INITIAL_QUIET)
    }
}

/// The table of tables. A copy shares its pages with the original until one of them is written to.
#[derive(Clone)]
pub struct Rib {
    pub(crate) routers: Vec<Router>,
    /// Routers by name.
    pub(crate) by_name: Arc<BTreeMap<String, u32>>,
    pub(crate) tables: Vec<Table>,
    pub(crate) by_key: Arc<BTreeMap<TableKey, u32>>,
    pub(crate) store: Store,
    pub(crate) blocks: Blocks,
    pub(crate) max_paths: u64,
    spelling: Vec<u8>,
    /// Before this nothing is due; what is due first may be later.
    pub(crate) quiet_until: Timestamp,
}

impl core::fmt::Debug for Rib {
    /// Says how much there is; all of it would be gigabytes.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (routers, tables, routes) = (self.routers.len(), self.tables.len(), self.store.live);
        f.debug_struct("Rib").field("routers", &routers).field("tables", &tables).field("routes", &routes).finish_non_exhaustive()
    }
}

impl Default for Rib {
    fn default() -> Self {
        Self::new(DEFAULT_MAX_PATHS)
    }
}

impl Rib {
    /// Makes an empty RIB that keeps at most `max_paths` paths; what comes above is counted by [`Rib::refused`].
    #[must_use]
    pub fn new(max_paths: u64) -> Self {
        Self {
            routers: Vec::new(),
            by_name: Arc::default(),
            tables: Vec::new(),
            by_key: Arc::default(),
            store: Store::new(),
            blocks: Blocks::new(),
            max_paths,
            spelling: Vec::new(),
            quiet_until: Timestamp::EPOCH,
        }
    }

    /// Returns the router of a name, new or known; `None` when there are too many.
    pub fn router(&mut self, name: &str) -> Option<RouterId> {
        if let Some(known) = self.router_named(name) {
            return Some(known);
        }
        let number = u32::try_from(self.routers.len()).ok().filter(|_| self.routers.len() < MAX_ROUTERS)?;
        self.routers.push(Router::new(name.to_owned()));
        Arc::make_mut(&mut self.by_name).insert(name.to_owned(), number);
        Some(RouterId(number))
    }

    /// Begins a BMP session. `codec` is that of its start; routes of an earlier session stay stale until they are announced again.
    pub fn connected(&mut self, router: RouterId, codec: Codec, now: Timestamp) {
        self.lost(router, now);
        let Some(router) = self.routers.get_mut(router.0 as usize) else { return };
        router.codec = codec;
        router.connected = true;
        router.connected_at = now;
        router.last_route = now;
        router.sources.clear();
        self.wake(now.plus(INITIAL_QUIET));
    }

    /// Returns since when a router's BMP session lasts; `None`: there is none.
    #[must_use]
    pub fn connected_since(&self, router: RouterId) -> Option<Timestamp> {
        self.routers.get(router.0 as usize).filter(|r| r.connected).map(|r| r.connected_at)
    }

    /// Ends a BMP session: everything of the router is stale, nothing is withdrawn.
    pub fn lost(&mut self, router: RouterId, now: Timestamp) {
        let Some(state) = self.routers.get_mut(router.0 as usize) else { return };
        state.connected = false;
        state.sources.clear();
        for number in self.tables_of(router, |_| true) {
            for family in FAMILIES {
                if self.family(number, family).is_some_and(|f| matches!(f.state, TableState::Initial | TableState::Synced)) {
                    self.mark(number, family);
                    self.with(number, family, |f| f.enter(TableState::Stale, now));
                }
            }
        }
    }

    /// Takes a decoded message of a router.
    pub fn apply(&mut self, router: RouterId, message: &Message, now: Timestamp) {
        let Some(state) = self.routers.get_mut(router.0 as usize) else { return };
        if !state.connected {
            // a recording may begin in the middle of a session
            (state.connected, state.connected_at) = (true, now);
            self.wake(now.plus(INITIAL_QUIET));
        }
        let Some(state) = self.routers.get_mut(router.0 as usize) else { return };
        for repair in message.repairs() {
            *state.counts.repairs.entry(*repair).or_default() += 1;
        }
        match message {
            Message::RouteMonitoring(m) => self.update(router, m, now),
            Message::PeerUp(m) => self.peer_up(router, m, now),
            Message::PeerDown(m) => self.peer_down(router, m, now),
            Message::Initiation(m) => {
                state.sys_name = m.tlvs.iter().find(|t| t.name == "sys_name").map(|t| t.value.clone());
            }
            Message::Statistics(_) | Message::Termination(_) | Message::RouteMirroring(_) => {}
        }
        if self.store.wants_cleaning() {
            self.clean();
        }
    }

    fn peer_up(&mut self, router: RouterId, up: &PeerUp, now: Timestamp) {
        let who = PeerKey::of(&up.peer);
        let restart = Restart::of(up);
        let instance = up.tlvs.iter().find(|t| t.name == "vrf_table_name").map(|t| t.value.clone());
        let Some(state) = self.routers.get_mut(router.0 as usize) else { return };
        state.last_route = now;
        state.sources.clear();
        match &instance {
            Some(name) => drop(state.instances.insert(who, name.clone())),
            None => drop(state.instances.remove(&who)),
        }
        for number in self.tables_of_peer(router, &up.peer) {
            let same = self.table(number).is_some_and(|t| t.key.peer == who && t.key.instance == instance);
            for family in FAMILIES {
                // another BGP identifier or instance at the same address: the session of the former is over
                if same {
                    self.come_back(number, family, restart.forwarded(family.into()), now);
                } else {
                    self.drop_family(number, family, now);
                }
            }
        }
        if let Some(state) = self.routers.get_mut(router.0 as usize) {
            state.restarts.insert(who, restart);
        }
    }

    /// A peer is up again: what stands is to be announced again.
    fn come_back(&mut self, number: u32, family: Family, forwarded: bool, now: Timestamp) {
        let Some(state) = self.family(number, family) else { return };
        if state.state == TableState::Gone || (state.hold.is_some() && !forwarded) {
            self.drop_family(number, family, now);
        } else if state.hold.is_none() {
            self.mark(number, family);
        }
        self.with(number, family, |f| {
            f.hold = None;
            f.state = TableState::Initial;
            f.since = now;
            f.last_route = now;
        });
        self.wake(now.plus(INITIAL_QUIET));
    }

    fn peer_down(&mut self, router: RouterId, down: &PeerDown, now: Timestamp) {
        let who = PeerKey::of(&down.peer);
        let Some(state) = self.routers.get_mut(router.0 as usize) else { return };
        state.sources.clear();
        let restart = state.restarts.get(&who).cloned().unwrap_or_default();
        for number in self.tables_of_peer(router, &down.peer) {
            let Some(view) = self.table(number).map(|t| t.key.view) else { continue };
            for family in FAMILIES {
                let hold = restart.hold(family.into(), &down.reason, now).filter(|_| view.is_adj_rib_in());
                match (hold, self.family(number, family)) {
                    (Some(hold), Some(f)) if f.state != TableState::Gone && f.hold.is_none() => self.hold(number, family, hold, now),
                    // a second Peer Down changes nothing about what is kept
                    (Some(_), Some(f)) if f.hold.is_some() => {}
                    _ => self.drop_family(number, family, now),
                }
            }
        }
    }

    fn hold(&mut self, number: u32, family: Family, hold: Hold, now: Timestamp) {
        self.mark(number, family);
        self.wake(hold.until());
        self.with(number, family, |f| {
            f.hold = Some(hold);
            f.enter(TableState::Stale, now);
        });
        if matches!(hold, Hold::LongLived { .. }) {
            self.drop_no_llgr(number, family, now);
        }
    }

    /// Lets go of routes that must not be kept long (RFC 9494 §4.2).
    fn drop_no_llgr(&mut self, number: u32, family: Family, now: Timestamp) {
        let Some(state) = self.family(number, family) else { return };
        let store = &self.store;
        let mut verdicts: BTreeMap<u32, bool> = BTreeMap::new();
        let (mut doomed, sets) = (Vec::new(), &store.sets);
        let mut look = |path: &crate::paths::Path| {
            let no = || attributes::has_community(sets.get(path.attributes), NO_LLGR);
            path.table() == number && state.is_alive(path.epoch()) && *verdicts.entry(path.attributes).or_insert_with(no)
        };
        match family {
            Family::Ipv4Unicast => {
                for node in store.v4.all() {
                    let ids = store.lists.get(node.paths).iter().filter(|p| look(p)).map(crate::paths::Path::path_id);
                    doomed.extend(ids.map(|path_id| Bits { address: u128::from(node.key) << 96, length: node.length, path_id }));
                }
            }
            Family::Ipv6Unicast => {
                for node in store.v6.all() {
                    let ids = store.lists.get(node.paths).iter().filter(|p| look(p)).map(crate::paths::Path::path_id);
                    doomed.extend(ids.map(|path_id| Bits { address: node.key, length: node.length, path_id }));
                }
            }
        }
        let Some(table) = self.tables.get_mut(number as usize) else { return };
        for bits in doomed {
            self.store.withdraw(table, family, Withdrawal { table: number, bits, now_s: seconds(now) });
        }
    }

    fn update(&mut self, router: RouterId, m: &RouteMonitoring, now: Timestamp) {
        let Some(state) = self.routers.get_mut(router.0 as usize) else { return };
        state.counts.route_monitoring += 1;
        let Some(number) = self.table_of(router, &m.peer) else {
            self.store.refused += m.announce.len() as u64;
            return;
        };
        for nlri in &m.withdraw {
            self.heard(number, nlri.prefix.family(), now);
            let Some(table) = self.tables.get_mut(number as usize) else { return };
            let what = Withdrawal { table: number, bits: bits_of(nlri), now_s: seconds(now) };
            self.store.withdraw(table, nlri.prefix.family(), what);
        }
        self.announce(number, m, now);
        self.count(number, m);
        if let Some(family) = m.end_of_rib.and_then(AfiSafi::family) {
            self.heard(number, family, now);
            self.with(number, family, FamilyTable::ended);
            self.complete(number, family, now);
        }
    }

    fn announce(&mut self, number: u32, m: &RouteMonitoring, now: Timestamp) {
        let Some(path) = &m.attributes else { return };
        let mut set: Option<(Option<IpAddr>, u32)> = None;
        for nlri in &m.announce {
            let family = nlri.prefix.family();
            self.heard(number, family, now);
            let attributes = match set {
                Some((hop, place)) if hop == nlri.next_hop => place,
                _ => {
                    attributes::write(&mut self.spelling, path, &m.extra, nlri.next_hop);
                    let place = self.store.sets.intern(&self.spelling);
                    if let Some((_, old)) = set.replace((nlri.next_hop, place)) {
                        self.store.sets.release(old);
                    }
                    place
                }
            };
            self.place(number, family, bits_of(nlri), attributes, now);
        }
        if let Some((_, place)) = set {
            self.store.sets.release(place);
        }
    }

    /// Puts one path into a table that was opened.
    pub(crate) fn place(&mut self, number: u32, family: Family, bits: Bits, attributes: u32, now: Timestamp) {
        // the dead do not count: when they are taken out is nobody's business
        let room = self.store.live < self.max_paths;
        let Some(table) = self.tables.get_mut(number as usize) else { return };
        self.store.announce(table, family, bits, Announcement { table: number, attributes, now_s: seconds(now), room });
    }

    /// Counts what is not kept.
    fn count(&mut self, number: u32, m: &RouteMonitoring) {
        let Some(table) = self.tables.get_mut(number as usize) else { return };
        for route in &m.labelled.announce {
            table.counted.entry(route.afi_safi).or_default().announced += 1;
        }
        for route in &m.labelled.withdraw {
            table.counted.entry(route.afi_safi).or_default().withdrawn += 1;
        }
        if !m.evpn.is_empty() {
            let evpn = table.counted.entry(AfiSafi::EVPN).or_default();
            evpn.announced += m.evpn.announce.len() as u64;
            evpn.withdrawn += m.evpn.withdraw.len() as u64;
        }
        for family in &m.unread {
            table.counted.entry(*family).or_default().unread_updates += 1;
        }
    }

    pub(crate) fn heard(&mut self, number: u32, family: Family, now: Timestamp) {
        let Some(table) = self.tables.get_mut(number as usize) else { return };
        let router = table.key.router;
        let family = table.open(family, now);
        let begins = family.heard(now);
        if family.state == TableState::Initial
            && let Some(state) = self.routers.get_mut(router.0 as usize)
        {
            state.last_route = now;
        }
        if begins {
            self.wake(now.plus(INITIAL_QUIET));
        }
    }

    /// Something may be due at `at`.
    fn wake(&mut self, at: Timestamp) {
        self.quiet_until = self.quiet_until.min(at);
    }

    fn complete(&mut self, number: u32, family: Family, now: Timestamp) {
        let died = self.with(number, family, |f| {
            f.enter(TableState::Synced, now);
            let died = f.sweep();
            f.churn.withdrawn(seconds(now), died);
            f.churn.watch(seconds(now));
            died
        });
        self.store.died(died.unwrap_or(0));
    }

    fn drop_family(&mut self, number: u32, family: Family, now: Timestamp) {
        if self.family(number, family).is_none() {
            return;
        }
        self.spare_epoch(number, family);
        let died = self.with(number, family, |f| {
            f.enter(TableState::Gone, now);
            let died = f.drop_all();
            f.churn.withdrawn(seconds(now), died);
            died
        });
        self.store.died(died.unwrap_or(0));
    }

    fn mark(&mut self, number: u32, family: Family) {
        self.spare_epoch(number, family);
        self.with(number, family, FamilyTable::mark);
    }

    /// Numbers the epochs of a table anew when they are used up.
    fn spare_epoch(&mut self, number: u32, family: Family) {
        if self.family(number, family).is_none_or(|f| f.epoch < LAST_EPOCH) {
            return;
        }
        self.clean();
        let Some(epoch) = self.family(number, family).map(|f| f.epoch) else { return };
        self.store.retain(&[family], |_, path| {
            if path.table() == number {
                path.set_epoch(u8::from(path.epoch() == epoch));
            }
            true
        });
        self.with(number, family, |f| (f.floor, f.epoch) = (0, 1));
    }

    /// Takes dead paths out.
    fn clean(&mut self) {
        let tables = &self.tables;
        self.store.retain(&FAMILIES, |family, path| {
            tables.get(path.table() as usize).and_then(|t| t.family(family)).is_some_and(|f| f.is_alive(path.epoch()))
        });
        self.store.dead = 0;
    }

    /// Says whether [`Rib::tick`] has nothing to do at `now`.
    #[must_use]
    pub fn is_quiet(&self, now: Timestamp) -> bool {
        now < self.quiet_until
    }

    /// Says whether a router is still telling what it has: a table has neither its End-of-RIB nor fallen quiet, or a peer came up a moment
    /// ago. That ends after [`INITIAL_MAX`], as for one table. [`Rib::tick`] is to be called first.
    #[must_use]
    pub fn is_dumping(&self, router: RouterId, now: Timestamp) -> bool {
        let Some(state) = self.routers.get(router.0 as usize).filter(|r| r.connected) else { return false };
        if now >= state.connected_at.plus(INITIAL_MAX) {
            return false;
        }
        let initial = |n: u32| FAMILIES.iter().any(|f| self.family(n, *f).is_some_and(|f| f.state == TableState::Initial));
        now < state.told_until() || self.tables_of(router, |_| true).into_iter().any(initial)
    }

    /// Says whether a peer of a router is of its global instance, by its header and what its Peer Up said.
    #[must_use]
    pub fn is_global(&self, router: RouterId, peer: &Peer) -> bool {
        let who = PeerKey::of(peer);
        let instance = self.routers.get(router.0 as usize).and_then(|r| r.instances.get(&who).cloned());
        TableKey { router, peer: who, instance, view: peer.view }.is_global()
    }

    /// Puts routes in place of all that a peer of the global instance announced in one view; complete at once. For tables that no BMP
    /// session told.
    pub fn set(&mut self, router: RouterId, peer: IpAddr, view: View, routes: &BTreeMap<Prefix, Arc<PathAttributes>>, now: Timestamp) {
        let who = PeerKey { address: peer, ..lowest_peer() };
        let Some(number) = self.table_at(TableKey { router, peer: who, instance: None, view }) else { return };
        for family in FAMILIES {
            self.heard(number, family, now);
            self.mark(number, family);
        }
        for (prefix, attributes) in routes {
            attributes::write(&mut self.spelling, attributes, &MonitoredExtra::default(), attributes.next_hop);
            let set = self.store.sets.intern(&self.spelling);
            let bits = Bits { address: aligned(prefix), length: prefix.length(), path_id: None };
            self.place(number, prefix.family(), bits, set, now);
            self.store.sets.release(set);
        }
        for family in FAMILIES {
            self.complete(number, family, now);
        }
    }

    /// Does what time brings: dumps without End-of-RIB end, kept routes run out, tables that a router told nothing of since it came back go.
    pub fn tick(&mut self, now: Timestamp) {
        if self.is_quiet(now) {
            return;
        }
        for number in 0..u32::try_from(self.tables.len()).unwrap_or(MAX_TABLES) {
            for family in FAMILIES {
                self.tick_family(number, family, now);
            }
        }
        if self.store.wants_cleaning() {
            self.clean();
        }
        self.quiet_until = self.next_deadline().unwrap_or(Timestamp::from_nanos(i64::MAX));
    }

    fn tick_family(&mut self, number: u32, family: Family, now: Timestamp) {
        let Some(at) = self.due(number, family).filter(|at| *at <= now) else { return };
        let Some(state) = self.family(number, family) else { return };
        match (state.state, state.hold) {
            (TableState::Initial, _) => self.complete(number, family, at),
            (_, Some(Hold::GracefulRestart { then: Some(stale), until })) => {
                self.with(number, family, |f| f.hold = Some(Hold::LongLived { until: until.plus(stale) }));
                self.drop_no_llgr(number, family, at);
                self.tick_family(number, family, now);
            }
            _ => self.drop_family(number, family, at),
        }
    }

    /// Returns when a family next changes by itself.
    fn due(&self, number: u32, family: Family) -> Option<Timestamp> {
        let table = self.table(number)?;
        let state = table.family(family)?;
        let router = self.routers.get(table.key.router.0 as usize)?;
        match (state.state, state.hold) {
            // a dump does not end because nobody can see it
            (TableState::Initial, _) if router.connected => state.dump_over_at(),
            (TableState::Stale, Some(hold)) => Some(hold.until()),
            (TableState::Stale, None) if router.connected => Some(router.told_until().min(router.connected_at.plus(INITIAL_MAX))),
            _ => None,
        }
    }

    /// Returns when [`Rib::tick`] has something to do next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let numbers = 0..u32::try_from(self.tables.len()).unwrap_or(MAX_TABLES);
        numbers.flat_map(|n| FAMILIES.map(|f| (n, f))).filter_map(|(n, f)| self.due(n, f)).min()
    }

    /// Returns the table of a peer header, made where it is new; `None` when there are too many.
    pub(crate) fn table_of(&mut self, router: RouterId, peer: &Peer) -> Option<u32> {
        let who = PeerKey::of(peer);
        let instance = self.routers.get(router.0 as usize)?.instances.get(&who).cloned();
        self.table_at(TableKey { router, peer: who, instance, view: peer.view })
    }

    fn table_at(&mut self, key: TableKey) -> Option<u32> {
        if let Some(known) = self.by_key.get(&key) {
            return Some(*known);
        }
        let number = u32::try_from(self.tables.len()).ok().filter(|n| *n < MAX_TABLES)?;
        Arc::make_mut(&mut self.by_key).insert(key.clone(), number);
        self.tables.push(Table::new(key));
        Some(number)
    }

    fn table(&self, number: u32) -> Option<&Table> {
        self.tables.get(number as usize)
    }

    fn family(&self, number: u32, family: Family) -> Option<&FamilyTable> {
        self.table(number)?.family(family)
    }

    fn with<T>(&mut self, number: u32, family: Family, act: impl FnOnce(&mut FamilyTable) -> T) -> Option<T> {
        self.tables.get_mut(number as usize)?.families[place(family)].as_mut().map(act)
    }

    /// Returns the tables of a router that `wanted` wants.
    pub(crate) fn tables_of(&self, router: RouterId, wanted: impl Fn(&TableKey) -> bool) -> Vec<u32> {
        let first = first_key(router, None);
        self.by_key.range(first..).take_while(|(k, _)| k.router == router).filter(|(k, _)| wanted(k)).map(|(_, n)| *n).collect()
    }

    /// Returns the tables that Peer Up and Peer Down of a peer speak of: all of its views, under whatever BGP identifier (a router has one
    /// session at an address, and a Peer Down of a peer that never was up carries none).
    fn tables_of_peer(&self, router: RouterId, peer: &Peer) -> Vec<u32> {
        let who = PeerKey::of(peer);
        let same = |k: &PeerKey| (k.kind, k.distinguisher, k.address) == (who.kind, who.distinguisher, who.address);
        let first = first_key(router, Some(PeerKey { bgp_id: Ipv4Addr::UNSPECIFIED, ..who }));
        let of_peer = self.by_key.range(first..).take_while(|(k, _)| k.router == router && same(&k.peer));
        // a Loc-RIB is a peer by itself (RFC 9069 §4.1), and its identifier tells it from another of the same router
        let loc_rib = peer.view == View::LocRib;
        of_peer.filter(|(k, _)| !loc_rib || k.peer.bgp_id == who.bgp_id).map(|(_, n)| *n).collect()
    }

    /// Returns the state of a family of a table, `None` before anything of it came.
    #[must_use]
    pub fn status(&self, table: TableId, family: Family) -> Option<FamilyStatus> {
        self.family(table.0, family).map(FamilyTable::status)
    }

    /// Returns what was counted and not kept, by family.
    #[must_use]
    pub fn counted(&self, table: TableId) -> Option<&BTreeMap<AfiSafi, Counted>> {
        self.table(table.0).map(|t| &t.counted)
    }

    /// Returns announcements that found no room: more paths or tables than the bounds.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.store.refused
    }

    /// Returns the attributes of a place.
    pub(crate) fn attributes_at(&self, place: u32) -> Attributes {
        attributes::read(self.store.sets.get(place))
    }
}

fn first_key(router: RouterId, peer: Option<PeerKey>) -> TableKey {
    TableKey { router, peer: peer.unwrap_or_else(lowest_peer), instance: None, view: View::AdjRibInPre }
}

const fn lowest_peer() -> PeerKey {
    PeerKey {
        kind: bmp::PeerKind::Global,
        distinguisher: bmp::Distinguisher::GLOBAL,
        address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        bgp_id: Ipv4Addr::UNSPECIFIED,
    }
}

/// Seconds since the Unix epoch, as far as 32 bits go (until 2106).
pub(crate) fn seconds(at: Timestamp) -> u32 {
    u32::try_from(at.nanos().max(0) / 1_000_000_000).unwrap_or(u32::MAX)
}

pub(crate) fn aligned(prefix: &Prefix) -> u128 {
    match prefix.address() {
        IpAddr::V4(four) => u128::from(u32::from(four)) << 96,
        IpAddr::V6(six) => u128::from(six),
    }
}

fn bits_of(nlri: &Nlri) -> Bits {
    Bits { address: aligned(&nlri.prefix), length: nlri.prefix.length(), path_id: nlri.path_id }
}
