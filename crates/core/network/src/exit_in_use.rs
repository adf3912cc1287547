//! Where the routers' own tables send a prefix: the truth that a prediction is compared with.

use crate::{DeviceRole, ExitSpec, Freshness, Network};
use action::{DeviceId, ExitId};
use bgp::Prefix;
use core::net::IpAddr;

impl Network {
    /// Returns the exit by which `device` sends `prefix`, followed through its own best route and, where that leads to another router of
    /// ours, through that router's. `None`: a table or address is not known, or the way ends elsewhere.
    #[must_use]
    pub fn exit_in_use(&self, device: &DeviceId, prefix: &Prefix) -> Option<&ExitSpec> {
        let mut at = device;
        // as many routers as there are may stand in a row; one more is a circle
        for _ in 0..=self.devices.len() {
            let next_hop = self.devices.get(at)?.loc_rib.get(prefix)?.attributes.next_hop?;
            if let Some(exit) = self.inventory.exits.iter().find(|e| e.neighbors.contains(&next_hop)) {
                return Some(exit);
            }
            at = self.device_with(next_hop)?;
        }
        None
    }

    /// Counts the moves that came true: every inner router's own tables send the prefix by one of the exits that were named for it.
    /// Returns (came true, moves); `None` when the tables of an inner router are not fresh, or there is none.
    #[must_use]
    pub fn moves_in_use<'m>(&self, moves: impl IntoIterator<Item = (&'m Prefix, &'m [ExitId])>) -> Option<(u64, u64)> {
        let inner: Vec<&DeviceId> = self.inventory.devices.iter().filter(|d| d.role == DeviceRole::Spine).map(|d| &d.id).collect();
        let fresh = |id: &&DeviceId| self.devices.get(*id).is_some_and(|d| matches!(d.gnmi, Freshness::Synced { .. }));
        if inner.is_empty() || !inner.iter().all(fresh) {
            return None;
        }
        let came_true =
            |prefix: &Prefix, to: &[ExitId]| inner.iter().all(|d| self.exit_in_use(d, prefix).is_some_and(|e| to.contains(&e.id)));
        Some(moves.into_iter().fold((0, 0), |(did, all), (prefix, to)| (did + u64::from(came_true(prefix, to)), all + 1)))
    }

    fn device_with(&self, address: IpAddr) -> Option<&DeviceId> {
        let has = |id: &&DeviceId| {
            let config = self.devices.get(*id).and_then(|d| d.config.as_ref());
            config.is_some_and(|c| c.model.interfaces.values().any(|i| i.addresses.iter().any(|(a, _)| *a == address)))
        };
        self.devices.keys().find(has)
    }
}
