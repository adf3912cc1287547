//! Questions to the tables of the routers' neighbours.

use crate::{AdjRib, Network};
use action::DeviceId;
use bgp::{PathAttributes, Prefix};
use bmp::View;
use core::net::IpAddr;
use std::sync::Arc;

/// What one neighbour announced, in one view of the router's global instance: one path a prefix.
#[derive(Clone, Copy, Debug)]
pub struct PeerTable<'a> {
    rib: Option<&'a Arc<AdjRib>>,
}

impl<'a> PeerTable<'a> {
    /// Returns how many prefixes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rib.map_or(0, |r| r.len())
    }

    /// Says whether it has none: nothing was announced, or nothing is known of the neighbour.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Says whether it has a path to exactly this prefix.
    #[must_use]
    pub fn contains(&self, prefix: &Prefix) -> bool {
        self.rib.is_some_and(|r| r.contains_key(prefix))
    }

    /// Returns the attributes of the path to a prefix; of several (RFC 7911) those of the lowest identifier.
    #[must_use]
    pub fn get(&self, prefix: &Prefix) -> Option<Arc<PathAttributes>> {
        self.rib?.get(prefix).cloned()
    }

    /// Returns the prefixes in order.
    pub fn prefixes(&self) -> impl Iterator<Item = Prefix> + use<'a> {
        self.rib.into_iter().flat_map(|r| r.keys().copied())
    }

    /// Returns one path a prefix, in order; of several (RFC 7911) that with the lowest identifier.
    pub fn routes(&self) -> impl Iterator<Item = (Prefix, Arc<PathAttributes>)> + use<'a> {
        self.rib.into_iter().flat_map(|r| r.iter().map(|(p, a)| (*p, Arc::clone(a))))
    }

    /// Returns the same as a map of its own.
    #[must_use]
    pub fn to_map(&self) -> Arc<AdjRib> {
        self.rib.cloned().unwrap_or_default()
    }
}

impl Network {
    /// Returns what `neighbor` announced to `device`, in the router's global instance; empty where nothing is known.
    #[must_use]
    pub fn adj_rib(&self, device: &DeviceId, neighbor: IpAddr, view: View) -> PeerTable<'_> {
        PeerTable { rib: self.devices.get(device).and_then(|d| d.adj_ribs.get(&(neighbor, view))) }
    }

    /// Returns what `neighbor` announced to `device` before its policy.
    #[must_use]
    pub fn adj_rib_in(&self, device: &DeviceId, neighbor: IpAddr) -> PeerTable<'_> {
        self.adj_rib(device, neighbor, View::AdjRibInPre)
    }

    /// Returns the tables of a device's global instance, by neighbour and view. A Loc-RIB stands under the unspecified address.
    pub fn adj_ribs(&self, device: &DeviceId) -> impl Iterator<Item = (IpAddr, View, PeerTable<'_>)> {
        let tables = self.devices.get(device).into_iter().flat_map(|d| d.adj_ribs.iter());
        tables.map(|((neighbor, view), rib)| (*neighbor, *view, PeerTable { rib: Some(rib) }))
    }

    /// Puts routes in place of all that `neighbor` announced to `device`: for pictures that no feed made.
    pub fn set_adj_rib(&mut self, device: &DeviceId, neighbor: IpAddr, view: View, routes: AdjRib) {
        if let Some(device) = self.devices.get_mut(device) {
            device.adj_ribs.insert((neighbor, view), Arc::new(routes));
        }
    }
}
