//! The routes that routers told by BMP, and questions to them.
//!
//! One [`rib::Rib`] holds the tables of all devices: keys are router, peer type, distinguisher, address, BGP identifier, instance and view,
//! attribute sets are kept once, and a copy of the picture shares its pages until one of both is written to.

use crate::Network;
use action::DeviceId;
use bgp::{Family, PathAttributes, Prefix};
use bmp::View;
use core::net::IpAddr;
use rib::{Churn, Rib, Route, TableId, TableKey, TableSummary};
use std::collections::BTreeMap;
use std::sync::Arc;
use units::Timestamp;

/// An Adj-RIB of a peer as a map, one path a prefix.
pub type AdjRib = BTreeMap<Prefix, Arc<PathAttributes>>;

/// Families with tables, in order.
const FAMILIES: [Family; 2] = [Family::Ipv4Unicast, Family::Ipv6Unicast];

/// What one peer announced, in one view.
#[derive(Clone, Copy, Debug)]
pub struct PeerTable<'a> {
    rib: &'a Rib,
    table: Option<TableId>,
}

impl<'a> PeerTable<'a> {
    /// Returns which table of [`Network::tables`] it is; `None` where nothing is known.
    #[must_use]
    pub const fn table(&self) -> Option<TableId> {
        self.table
    }

    /// Returns how many paths it has; with path identifiers (RFC 7911) a prefix may have several.
    #[must_use]
    pub fn paths_known(&self) -> u64 {
        self.table.map_or(0, |t| self.rib.routes_of(t))
    }

    /// Returns how many prefixes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.prefixes().count()
    }

    /// Says whether it has none: nothing was announced, or nothing is known of the neighbour.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.paths_known() == 0
    }

    /// Says whether it has a path to exactly this prefix.
    #[must_use]
    pub fn contains(&self, prefix: &Prefix) -> bool {
        self.paths(prefix).next().is_some()
    }

    /// Returns all paths to exactly this prefix, by path identifier.
    pub fn paths(&self, prefix: &Prefix) -> impl Iterator<Item = Route<'a>> + use<'a> {
        let rib = self.rib;
        let prefix = *prefix;
        self.table.into_iter().flat_map(move |t| rib.exact_in(t, &prefix))
    }

    /// Returns all paths, in the order of family, prefix and path identifier.
    pub fn all_paths(&self) -> impl Iterator<Item = Route<'a>> + use<'a> {
        let rib = self.rib;
        self.table.into_iter().flat_map(move |t| FAMILIES.into_iter().flat_map(move |f| rib.of_table(t, f)))
    }

    /// Returns the attributes of the path to a prefix; of several (RFC 7911) those of the lowest identifier.
    #[must_use]
    pub fn get(&self, prefix: &Prefix) -> Option<Arc<PathAttributes>> {
        self.paths(prefix).next().map(|r| Arc::new(r.attributes().path))
    }

    fn first_paths(&self) -> impl Iterator<Item = Route<'a>> + use<'a> {
        let mut last = None;
        self.all_paths().filter(move |r| last.replace(r.prefix()) != Some(r.prefix()))
    }

    /// Returns the prefixes in order.
    pub fn prefixes(&self) -> impl Iterator<Item = Prefix> + use<'a> {
        self.first_paths().map(|r| r.prefix())
    }

    /// Returns one path a prefix, in order; of several (RFC 7911) that with the lowest identifier. Equal attributes are one value.
    pub fn routes(&self) -> impl Iterator<Item = (Prefix, Arc<PathAttributes>)> + use<'a> {
        let mut known: BTreeMap<u32, Arc<PathAttributes>> = BTreeMap::new();
        self.first_paths().map(move |r| {
            let attributes = known.entry(r.attributes_number()).or_insert_with(|| Arc::new(r.attributes().path));
            (r.prefix(), Arc::clone(attributes))
        })
    }

    /// Returns the same as a map of its own.
    #[must_use]
    pub fn to_map(&self) -> Arc<AdjRib> {
        Arc::new(self.routes().collect())
    }
}

impl Network {
    /// Returns the tables of all devices, every instance, view and path.
    #[must_use]
    pub fn tables(&self) -> &Rib {
        &self.tables
    }

    /// Returns the tables that a device told of, of all its instances, with their states.
    pub fn tables_of(&self, device: &DeviceId) -> impl Iterator<Item = TableSummary<'_>> {
        let router = self.tables.router_named(device.as_str());
        router.into_iter().flat_map(|r| self.tables.tables_of_router(r))
    }

    /// Returns how what the peers of a device announced to it changed; `None` before a table of theirs was complete.
    #[must_use]
    pub fn churn(&self, device: &DeviceId, now: Timestamp) -> Option<Churn> {
        self.tables.router_churn(self.tables.router_named(device.as_str())?, now)
    }

    /// Returns one table.
    #[must_use]
    pub fn table(&self, table: TableId) -> PeerTable<'_> {
        PeerTable { rib: &self.tables, table: Some(table) }
    }

    /// Returns what `neighbor` announced to `device`, in the router's global instance; empty where nothing is known.
    #[must_use]
    pub fn adj_rib(&self, device: &DeviceId, neighbor: IpAddr, view: View) -> PeerTable<'_> {
        let fits = |key: &TableKey| key.is_global() && key.peer.address == neighbor && key.view == view;
        // under an earlier BGP identifier there may be one that is empty
        let found = self.tables_of(device).filter(|t| fits(t.key)).max_by_key(|t| (self.tables.routes_of(t.id) > 0, t.id));
        PeerTable { rib: &self.tables, table: found.map(|t| t.id) }
    }

    /// Returns what `neighbor` announced to `device` before its policy.
    #[must_use]
    pub fn adj_rib_in(&self, device: &DeviceId, neighbor: IpAddr) -> PeerTable<'_> {
        self.adj_rib(device, neighbor, View::AdjRibInPre)
    }

    /// Returns the tables of a device's global instance that have routes, by neighbour and view. A Loc-RIB stands under the unspecified
    /// address.
    pub fn adj_ribs(&self, device: &DeviceId) -> impl Iterator<Item = (IpAddr, View, PeerTable<'_>)> {
        let tables = self.tables_of(device).filter(|t| t.key.is_global() && self.tables.routes_of(t.id) > 0);
        tables.map(|t| (t.key.peer.address, t.key.view, self.table(t.id)))
    }

    /// Puts routes in place of all that `neighbor` announced to `device`: for pictures that no feed made.
    pub fn set_adj_rib(&mut self, device: &DeviceId, neighbor: IpAddr, view: View, routes: AdjRib) {
        if !self.devices.contains_key(device) {
            return;
        }
        let rib = Arc::make_mut(&mut self.tables);
        let Some(router) = rib.router(device.as_str()) else { return };
        rib.set(router, neighbor, view, &routes, Timestamp::EPOCH);
    }

    /// Returns how many different prefixes any device has in a table.
    #[must_use]
    pub fn prefixes_known(&self) -> usize {
        let told: usize = FAMILIES.into_iter().map(|f| self.tables.prefixes(f)).sum();
        let best = self.devices.values().flat_map(|d| d.loc_rib.keys()).filter(|p| self.tables.exact(p).is_empty());
        told + best.collect::<std::collections::BTreeSet<&Prefix>>().len()
    }
}
