//! The twin: one picture, computed.

use crate::compare::History;
use crate::forward::Forwarding;
use crate::model::{self, Model, RemoteIds};
use crate::unmodelled::Unmodelled;
use crate::{ForwardingResult, Solution, Source, Tables, TwinError, solve};
use action::{DeviceId, ExitId};
use bgp::{PathAttributes, Prefix};
use config::RouterConfig;
use core::net::{IpAddr, Ipv4Addr};
use network::{Inventory, Network, Volume};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

/// Prefixes by exit, and by the device whose packets leave there.
type ByExit = BTreeMap<ExitId, BTreeMap<DeviceId, Vec<Prefix>>>;

/// The own AS at one moment, solved.
#[derive(Clone, Debug)]
pub struct Twin {
    pub(crate) model: Model,
    pub(crate) inventory: Arc<Inventory>,
    pub(crate) tables: Tables,
    pub(crate) volumes: BTreeMap<(ExitId, Prefix), Volume>,
    /// Outbound rate of each exit's interface, bit/s.
    pub(crate) rates: BTreeMap<ExitId, f64>,
    unmodelled: Vec<Unmodelled>,
    by_exit: OnceLock<ByExit>,
}

impl Twin {
    /// Builds and solves the twin of a picture.
    ///
    /// # Errors
    /// [`TwinError`] when a configuration is missing or contradicts the inventory.
    pub fn build(network: &Network) -> Result<Self, TwinError> {
        Self::with_router_ids(network, &BTreeMap::new())
    }

    /// Builds the twin with the BGP identifiers of external neighbours (RFC 4271 §4.2), which decide between external paths that are
    /// equal in every earlier step. Without them such a choice is marked as dependent on the order of arrival.
    ///
    /// # Errors
    /// [`TwinError`] as [`Twin::build`].
    pub fn with_router_ids(network: &Network, ids: &BTreeMap<(DeviceId, IpAddr), Ipv4Addr>) -> Result<Self, TwinError> {
        let remote_ids: &RemoteIds = ids;
        let (model, unmodelled) = model::build(network, remote_ids)?;
        let devices: Vec<DeviceId> = model.routers.iter().map(|r| r.id.clone()).collect();
        let solve = |p: &Prefix| solve::solve(&model, p, &model.reported_history(p));
        let base = model.prefixes().into_iter().map(|p| (p, Arc::new(solve(&p)))).collect();
        let tables = Tables { devices: Arc::new(devices), base: Arc::new(base), overlay: BTreeMap::new() };
        let rates = network.inventory.exits.iter().filter_map(|e| {
            let interface = network.devices.get(&e.device)?.interfaces.get(&e.interface)?;
            Some((e.id.clone(), interface.rate_bps?.1))
        });
        let rates = rates.collect();
        let inventory = network.inventory.clone();
        Ok(Self { model, inventory, tables, volumes: network.volumes.clone(), rates, unmodelled, by_exit: OnceLock::new() })
    }

    /// Returns the solved tables.
    #[must_use]
    pub fn solve(&self) -> Tables {
        self.tables.clone()
    }

    /// Returns the solved tables without copying.
    #[must_use]
    pub const fn tables(&self) -> &Tables {
        &self.tables
    }

    /// Returns the configuration that edits for `device` start from.
    #[must_use]
    pub fn config(&self, device: &DeviceId) -> Option<&RouterConfig> {
        self.model.index(device).map(|i| self.model.routers[i].config.as_ref())
    }

    /// Returns everything that the configurations ask for and the twin does not compute, harmless lines included.
    #[must_use]
    pub fn unmodelled(&self) -> &[Unmodelled] {
        &self.unmodelled
    }

    /// Returns what becomes of packets from `device` to `prefix` under `tables`; [`ForwardingResult::Unreachable`] for a device that
    /// the twin does not hold.
    #[must_use]
    pub fn exit_of(&self, tables: &Tables, device: &DeviceId, prefix: &Prefix) -> ForwardingResult {
        let forwarding = self.forwarding(&self.model, tables);
        self.model.index(device).map_or(ForwardingResult::Unreachable, |i| forwarding.from(i, prefix))
    }

    /// Returns every result that packets from `device` to `prefix` may have under `tables`, where equal-cost ways part; sorted.
    #[must_use]
    pub fn exits_of(&self, tables: &Tables, device: &DeviceId, prefix: &Prefix) -> Vec<ForwardingResult> {
        let forwarding = self.forwarding(&self.model, tables);
        self.model.index(device).map_or_else(Vec::new, |i| forwarding.ways(i, prefix).into_iter().collect())
    }

    pub(crate) fn forwarding<'a>(&'a self, model: &'a Model, tables: &'a Tables) -> Forwarding<'a> {
        Forwarding { model, tables, inventory: &self.inventory }
    }

    /// Returns the prefixes that leave by `exit` from any device, on any of its equal-cost ways, sorted.
    #[must_use]
    pub fn prefixes_via(&self, exit: &ExitId) -> Vec<Prefix> {
        let from_any = self.exits().get(exit).into_iter().flat_map(|d| d.values().flatten().copied());
        from_any.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Returns the prefixes that leave by `exit`, per device whose packets do, sorted.
    #[must_use]
    pub fn prefixes_via_per_device(&self, exit: &ExitId) -> BTreeMap<DeviceId, Vec<Prefix>> {
        self.exits().get(exit).cloned().unwrap_or_default()
    }

    /// Returns the devices whose packets to `prefix` leave by `exit` now.
    pub(crate) fn senders(&self, exit: &ExitId, prefix: &Prefix) -> Vec<DeviceId> {
        let devices = self.exits().get(exit).into_iter().flatten();
        devices.filter(|(_, prefixes)| prefixes.binary_search(prefix).is_ok()).map(|(d, _)| d.clone()).collect()
    }

    fn exits(&self) -> &ByExit {
        self.by_exit.get_or_init(|| {
            let forwarding = self.forwarding(&self.model, &self.tables);
            let mut map = ByExit::new();
            for prefix in self.tables.prefixes() {
                for (index, router) in self.model.routers.iter().enumerate() {
                    for way in forwarding.ways(index, prefix) {
                        if let ForwardingResult::Exit { exit } = way {
                            map.entry(exit).or_default().entry(router.id.clone()).or_default().push(*prefix);
                        }
                    }
                }
            }
            map
        })
    }

    /// Returns every exit with a usable route to `prefix`, with its attributes after import; LOCAL_PREF is always present (the router's
    /// default where policy sets none). Sorted by exit.
    #[must_use]
    pub fn alternatives(&self, prefix: &Prefix) -> Vec<(ExitId, PathAttributes)> {
        let Some(solution) = self.tables.solution(prefix) else { return Vec::new() };
        let mut found = Vec::new();
        for (router, entry) in self.model.routers.iter().zip(&solution.entries) {
            for path in entry.paths.iter().filter(|p| p.usable()) {
                if let Source::External { exit: Some(exit), .. } = &path.source {
                    let local_pref = Some(router.rules().local_pref(path));
                    found.push((exit.clone(), PathAttributes { local_pref, ..PathAttributes::clone(&path.attributes) }));
                }
            }
        }
        found.sort();
        found
    }

    /// Returns what each router has selected for `prefix` in the solved tables.
    pub(crate) fn selected(&self, tables: &Tables, prefix: &Prefix) -> Vec<History> {
        let none = Solution::default();
        let solution = tables.solution(prefix).unwrap_or(&none);
        let known = |i: usize| match solution.entries.get(i) {
            Some(entry) if entry.order_dependent => History::Unknown,
            Some(entry) => History::Selected(entry.best_path().map(|p| p.source.clone())),
            None => History::Selected(None),
        };
        (0..self.model.routers.len()).map(known).collect()
    }
}

#[cfg(test)]
mod tests;
