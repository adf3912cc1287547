//! The tables as values: written in an order of their own, with attribute sets once, and read again.
//!
//! A RIB that was read goes on as the one that was written: the same messages give the same tables, states and counts. Only what is
//! remembered for speed (senders, attribute blocks, room of paths that died) is not written, and numbers of tables and sets are new.

use crate::attributes;
use crate::churn::{ChangeLog, Changes};
use crate::keep::{Hold, Restart};
use crate::rib::{Rib, Router, RouterCounts, aligned, seconds};
use crate::routes::Announcement;
use crate::table::{Counted, FAMILIES, FamilyTable, PeerKey, RouterId, Table, TableId, TableKey, TableState, place};
use bgp::{Family, Prefix};
use bmp::{AfiSafi, Bits, Codec, Repair, View};
use core::time::Duration;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::sync::Arc;
use units::Timestamp;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Saved {
    max_paths: u64,
    refused: u64,
    routers: Vec<SavedRouter>,
    /// Canonical spellings, hex.
    attributes: Vec<String>,
    tables: Vec<SavedTable>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct SavedRouter {
    name: String,
    sys_name: Option<String>,
    codec: Codec,
    connected: bool,
    connected_at: Timestamp,
    last_route: Timestamp,
    messages: u64,
    route_monitoring: u64,
    malformed: u64,
    repairs: Vec<(Repair, u64)>,
    restarts: Vec<(PeerKey, Restart)>,
    instances: Vec<(PeerKey, String)>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct SavedTable {
    /// Position of its router.
    router: u32,
    peer: PeerKey,
    instance: Option<String>,
    view: View,
    counted: Vec<(AfiSafi, Counted)>,
    families: Vec<SavedFamily>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct SavedFamily {
    family: Family,
    state: TableState,
    since: Timestamp,
    last_route: Timestamp,
    kept: Option<SavedHold>,
    marks_end: bool,
    /// Number of the window in which it was complete first, and windows with changes: number, appeared, changed, withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    watched_from: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    churn: Vec<(u32, u64, u64, u64)>,
    routes: Vec<SavedRoute>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SavedHold {
    GracefulRestart { until: Timestamp, then: Option<Duration> },
    LongLived { until: Timestamp },
}

/// Prefix, path identifier, position of its attributes, seconds since the epoch, announced in the present session.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct SavedRoute(Prefix, Option<u32>, u32, u32, bool);

impl Saved {
    fn of(rib: &Rib) -> Self {
        let mut sets = Sets { rib, numbers: BTreeMap::new(), spelled: Vec::new() };
        let tables = rib.by_key.iter().filter_map(|(key, number)| sets.table(key, *number)).collect();
        Self {
            max_paths: rib.max_paths,
            refused: rib.store.refused,
            routers: rib.routers.iter().map(SavedRouter::of).collect(),
            attributes: sets.spelled,
            tables,
        }
    }

    fn open(self) -> Result<Rib, &'static str> {
        let mut rib = Rib::new(self.max_paths);
        rib.routers = self.routers.into_iter().map(SavedRouter::open).collect();
        let names = (0_u32..).zip(&rib.routers).map(|(number, r)| (r.name.clone(), number)).collect();
        rib.by_name = Arc::new(names);
        let mut sets = Vec::with_capacity(self.attributes.len());
        let mut spelling = Vec::new();
        for text in &self.attributes {
            // written once more: what is no spelling of ours does not stay one
            let set = attributes::read(&bytes(text).ok_or("attributes are hex")?);
            attributes::write(&mut spelling, &set.path, &set.extra, set.path.next_hop);
            sets.push(rib.store.sets.intern(&spelling));
        }
        for table in self.tables {
            table.open(&mut rib, &sets)?;
        }
        sets.into_iter().for_each(|set| rib.store.sets.release(set));
        rib.store.refused = self.refused;
        Ok(rib)
    }
}

/// Gives attribute sets numbers in the order in which they are met.
struct Sets<'a> {
    rib: &'a Rib,
    numbers: BTreeMap<u32, u32>,
    spelled: Vec<String>,
}

impl Sets<'_> {
    fn number(&mut self, set: u32) -> u32 {
        let next = self.spelled.len() as u32;
        let number = *self.numbers.entry(set).or_insert(next);
        if number == next {
            self.spelled.push(hex(self.rib.store.sets.get(set)));
        }
        number
    }

    fn table(&mut self, key: &TableKey, number: u32) -> Option<SavedTable> {
        let table = self.rib.tables.get(number as usize)?;
        let families = FAMILIES.iter().filter_map(|f| Some(self.family(number, *f, table.family(*f)?))).collect();
        Some(SavedTable {
            router: key.router.0,
            peer: key.peer,
            instance: key.instance.clone(),
            view: key.view,
            counted: table.counted.iter().map(|(f, c)| (*f, *c)).collect(),
            families,
        })
    }

    fn family(&mut self, number: u32, family: Family, table: &FamilyTable) -> SavedFamily {
        let routes = self.rib.of_table(TableId(number), family);
        let routes = routes.map(|r| SavedRoute(r.prefix(), r.path_id(), self.number(r.set()), r.since_s(), r.epoch() == table.epoch));
        let routes = routes.collect();
        SavedFamily {
            family,
            state: table.state,
            since: table.since,
            last_route: table.last_route,
            kept: table.hold.map(SavedHold::of),
            marks_end: table.marks_end,
            watched_from: table.churn.watched_from(),
            churn: table.churn.windows().map(|(n, c)| (n, c.appeared, c.changed, c.withdrawn)).collect(),
            routes,
        }
    }
}

impl SavedRouter {
    fn of(router: &Router) -> Self {
        let counts = &router.counts;
        Self {
            name: router.name.clone(),
            sys_name: router.sys_name.clone(),
            codec: router.codec.clone(),
            connected: router.connected,
            connected_at: router.connected_at,
            last_route: router.last_route,
            messages: counts.messages,
            route_monitoring: counts.route_monitoring,
            malformed: counts.malformed,
            repairs: counts.repairs.iter().map(|(r, n)| (*r, *n)).collect(),
            restarts: router.restarts.iter().map(|(k, r)| (*k, r.clone())).collect(),
            instances: router.instances.iter().map(|(k, i)| (*k, i.clone())).collect(),
        }
    }

    fn open(self) -> Router {
        let repairs = self.repairs.into_iter().collect();
        Router {
            sys_name: self.sys_name,
            codec: self.codec,
            connected: self.connected,
            connected_at: self.connected_at,
            last_route: self.last_route,
            counts: RouterCounts { messages: self.messages, route_monitoring: self.route_monitoring, malformed: self.malformed, repairs },
            restarts: self.restarts.into_iter().collect(),
            instances: self.instances.into_iter().collect(),
            ..Router::new(self.name)
        }
    }
}

impl SavedTable {
    fn open(self, rib: &mut Rib, sets: &[u32]) -> Result<(), &'static str> {
        if self.router as usize >= rib.routers.len() {
            return Err("a table is of a router that is not there");
        }
        let key = TableKey { router: RouterId(self.router), peer: self.peer, instance: self.instance, view: self.view };
        let number = rib.tables.len() as u32;
        if Arc::make_mut(&mut rib.by_key).insert(key.clone(), number).is_some() {
            return Err("a table stands twice");
        }
        let mut table = Table::new(key);
        table.counted = self.counted.into_iter().collect();
        for family in self.families {
            family.open(&mut rib.store, &mut table, number, sets)?;
        }
        rib.tables.push(table);
        Ok(())
    }
}

impl SavedFamily {
    fn open(self, store: &mut crate::routes::Store, table: &mut Table, number: u32, sets: &[u32]) -> Result<(), &'static str> {
        let family = self.family;
        table.families[place(family)] = Some(FamilyTable {
            state: self.state,
            last_route: self.last_route,
            hold: self.kept.map(SavedHold::open),
            marks_end: self.marks_end,
            ..FamilyTable::new(self.since)
        });
        for confirmed in [false, true] {
            if confirmed && let Some(state) = &mut table.families[place(family)] {
                state.mark();
            }
            for SavedRoute(prefix, path_id, set, since_s, _) in self.routes.iter().filter(|r| r.4 == confirmed) {
                let attributes = *sets.get(*set as usize).ok_or("a route has attributes that are not there")?;
                if prefix.family() != family {
                    return Err("a route is of another family than its table");
                }
                let bits = Bits { address: aligned(prefix), length: prefix.length(), path_id: *path_id };
                store.announce(table, family, bits, Announcement { table: number, attributes, now_s: *since_s, room: true });
            }
        }
        // states of older builds do not say it
        let synced = || (self.state == TableState::Synced).then(|| ChangeLog::number(seconds(self.since)));
        let windows = self.churn.iter().map(|(n, appeared, changed, withdrawn)| {
            let changes = Changes { appeared: *appeared, changed: *changed, withdrawn: *withdrawn };
            (*n, changes)
        });
        let churn = ChangeLog::open(self.watched_from.or_else(synced), windows.collect()).ok_or("windows of changes are out of order")?;
        if let Some(state) = &mut table.families[place(family)] {
            state.churn = churn;
        }
        Ok(())
    }
}

impl SavedHold {
    const fn of(hold: Hold) -> Self {
        match hold {
            Hold::GracefulRestart { until, then } => Self::GracefulRestart { until, then },
            Hold::LongLived { until } => Self::LongLived { until },
        }
    }

    const fn open(self) -> Hold {
        match self {
            Self::GracefulRestart { until, then } => Hold::GracefulRestart { until, then },
            Self::LongLived { until } => Hold::LongLived { until },
        }
    }
}

impl Serialize for Rib {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Saved::of(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Rib {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Saved::deserialize(deserializer)?.open().map_err(D::Error::custom)
    }
}

/// Equal are two that write the same.
impl PartialEq for Rib {
    fn eq(&self, other: &Self) -> bool {
        Saved::of(self) == Saved::of(other)
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| char::from(b).to_digit(16);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let each = |[high, low]: &[u8; 2]| Some((digit(*high)? * 16 + digit(*low)?) as u8);
    if rest.is_empty() { pairs.iter().map(each).collect() } else { None }
}
