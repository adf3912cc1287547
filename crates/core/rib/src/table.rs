//! The table of one peer in one view, and the states of its families.
//!
//! ```text
//!                    route, Peer Up                     End-of-RIB, or quiet
//!          (nothing) ───────────────► INITIAL ────────────────────────────► SYNCED
//!                                     ▲  │ ▲                                  │
//!              transport back, then   │  │ └──────────── Peer Up ─────────────┤
//!              Peer Up or a route     │  ▼                                    │
//!                                    STALE ◄── transport lost; Peer Down that │
//!                                     │        leaves the routes (RFC 4724) ──┤
//!                                     ▼                                       ▼
//!                                    GONE ◄── Peer Down; time of kept routes ran out; not announced again
//! ```

use crate::churn::ChangeLog;
use crate::keep::Hold;
use bgp::Family;
use bmp::{AfiSafi, Distinguisher, Peer, PeerKind, View};
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use units::Timestamp;

/// A table that heard nothing for this long has all its routes; senders without End-of-RIB (RFC 4724 §2) end their dump so.
pub const INITIAL_QUIET: Duration = Duration::from_secs(2);
/// After this long a table counts as complete even if changes never pause.
pub const INITIAL_MAX: Duration = Duration::from_secs(600);

/// A router that sends BMP: a dense number within one [`crate::Rib`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct RouterId(pub(crate) u32);

/// A table: a dense number within one [`crate::Rib`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct TableId(pub(crate) u32);

/// What makes a peer that peer on its router (RFC 7854 §4.2). `0:0` is the global instance because the router wrote so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PeerKey {
    /// Type: global, RD, local or Loc-RIB instance.
    pub kind: PeerKind,
    /// Route distinguisher of its instance.
    pub distinguisher: Distinguisher,
    /// Address; unspecified for a Loc-RIB.
    pub address: IpAddr,
    /// BGP identifier.
    pub bgp_id: Ipv4Addr,
}

/// What makes a table that table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct TableKey {
    /// The router that told.
    pub router: RouterId,
    /// Whose routes.
    #[serde(flatten)]
    pub peer: PeerKey,
    /// Network instance by the router's own name (TLV `vrf_table_name`, RFC 9069 §4.4), where it gave one.
    pub instance: Option<String>,
    /// Which of the peer's tables.
    pub view: View,
}

impl PeerKey {
    /// Returns the key of a peer header.
    #[must_use]
    pub const fn of(peer: &Peer) -> Self {
        Self { kind: peer.kind, distinguisher: peer.distinguisher, address: peer.address, bgp_id: peer.bgp_id }
    }
}

impl TableKey {
    /// Says whether it is a table of the router's global instance: the header says so, and no name says otherwise (RFC 9069 §5.2.1: the
    /// Loc-RIB of the global instance is called `global`; FRR and others write `default`).
    #[must_use]
    pub fn is_global(&self) -> bool {
        matches!(self.peer.kind, PeerKind::Global | PeerKind::LocRib)
            && self.peer.distinguisher == Distinguisher::GLOBAL
            && self.instance.as_deref().is_none_or(|name| matches!(name, "global" | "default"))
    }
}

/// State of one family of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableState {
    /// Routes come in; some are still missing.
    Initial,
    /// Complete and current.
    Synced,
    /// What was known when sight or session was lost.
    Stale,
    /// The routes are withdrawn.
    Gone,
}

impl TableState {
    /// Returns the stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Synced => "synced",
            Self::Stale => "stale",
            Self::Gone => "gone",
        }
    }
}

/// One family of a table, as an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FamilyStatus {
    /// State.
    pub state: TableState,
    /// Since when.
    pub since: Timestamp,
    /// Routes, unconfirmed ones included.
    pub routes: u64,
    /// Routes from before the transport or the session was lost that were not announced again.
    pub unconfirmed: u64,
    /// Why and until when routes of a peer that is down are kept.
    pub kept: Option<Hold>,
}

/// Routes that are counted and not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Announcements.
    pub announced: u64,
    /// Withdrawals.
    pub withdrawn: u64,
    /// UPDATEs whose NLRI are not read.
    pub unread_updates: u64,
}

/// One family of a table. A path is alive when its epoch is not below `floor`, and confirmed when it is `epoch`.
#[derive(Clone, Debug)]
pub(crate) struct FamilyTable {
    pub state: TableState,
    pub since: Timestamp,
    pub last_route: Timestamp,
    pub hold: Option<Hold>,
    /// The sender has ended a dump with End-of-RIB before: quiet is no end for this one.
    pub marks_end: bool,
    pub epoch: u8,
    pub floor: u8,
    pub routes: u64,
    pub unconfirmed: u64,
    pub churn: ChangeLog,
}

impl FamilyTable {
    pub fn new(now: Timestamp) -> Self {
        Self {
            state: TableState::Initial,
            since: now,
            last_route: now,
            hold: None,
            marks_end: false,
            epoch: 0,
            floor: 0,
            routes: 0,
            unconfirmed: 0,
            churn: ChangeLog::default(),
        }
    }

    pub fn enter(&mut self, state: TableState, now: Timestamp) {
        if self.state != state {
            self.state = state;
            self.since = now;
        }
    }

    /// Notes that routes come; returns whether that begins a dump.
    pub fn heard(&mut self, now: Timestamp) -> bool {
        self.last_route = now;
        if matches!(self.state, TableState::Stale | TableState::Gone) {
            self.hold = None;
            self.enter(TableState::Initial, now);
            return true;
        }
        // a new one, too
        self.state == TableState::Initial && self.since == now
    }

    /// Begins a dump: what stands is to be announced again. The caller has made sure that there is an epoch left.
    pub fn mark(&mut self) {
        self.epoch += 1;
        self.unconfirmed = self.routes;
    }

    /// Lets go of what was not announced again; returns how many paths died.
    pub fn sweep(&mut self) -> u64 {
        self.floor = self.epoch;
        self.routes -= self.unconfirmed;
        core::mem::take(&mut self.unconfirmed)
    }

    /// Lets go of everything; returns how many paths died.
    pub fn drop_all(&mut self) -> u64 {
        self.epoch += 1;
        self.floor = self.epoch;
        self.unconfirmed = 0;
        self.hold = None;
        core::mem::take(&mut self.routes)
    }

    pub fn ended(&mut self) {
        self.marks_end = true;
    }

    pub const fn is_alive(&self, epoch: u8) -> bool {
        epoch >= self.floor
    }

    /// Returns when a dump counts as over without End-of-RIB.
    pub fn dump_over_at(&self) -> Option<Timestamp> {
        if self.state != TableState::Initial {
            return None;
        }
        let latest = self.since.plus(INITIAL_MAX);
        Some(if self.marks_end { latest } else { self.last_route.max(self.since).plus(INITIAL_QUIET).min(latest) })
    }

    pub const fn status(&self) -> FamilyStatus {
        FamilyStatus { state: self.state, since: self.since, routes: self.routes, unconfirmed: self.unconfirmed, kept: self.hold }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub key: TableKey,
    pub families: [Option<FamilyTable>; 2],
    pub counted: BTreeMap<AfiSafi, Counted>,
}

/// Families with prefixes of their own kind.
pub(crate) const FAMILIES: [Family; 2] = [Family::Ipv4Unicast, Family::Ipv6Unicast];

pub(crate) const fn place(family: Family) -> usize {
    match family {
        Family::Ipv4Unicast => 0,
        Family::Ipv6Unicast => 1,
    }
}

impl Table {
    pub const fn new(key: TableKey) -> Self {
        Self { key, families: [None, None], counted: BTreeMap::new() }
    }

    pub fn family(&self, family: Family) -> Option<&FamilyTable> {
        self.families[place(family)].as_ref()
    }

    pub fn open(&mut self, family: Family, now: Timestamp) -> &mut FamilyTable {
        self.families[place(family)].get_or_insert_with(|| FamilyTable::new(now))
    }
}
