//! From a wish about an exit to the policy edits of its device.

use crate::WhatIf;
use action::{DeviceEdits, DeviceId, ExitId};
use bgp::{Family, PathAttributes, Prefix};
use config::edit::{drain_export, drain_import, local_pref_terms};
use config::{NeighborFamily, PolicyEdit, RouterConfig};
use core::net::IpAddr;
use network::Network;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Collects edits device by device; each is made against the configuration as the edits before it leave it.
pub struct EditPlan<'a> {
    twin: &'a dyn WhatIf,
    network: &'a Network,
    devices: BTreeMap<DeviceId, (RouterConfig, Vec<PolicyEdit>)>,
}

impl<'a> EditPlan<'a> {
    pub fn new(twin: &'a dyn WhatIf, network: &'a Network) -> Self {
        Self { twin, network, devices: BTreeMap::new() }
    }

    /// Sets LOCAL_PREF of `prefixes` on import from `exit`, one term per family.
    pub fn local_pref(&mut self, exit: &ExitId, prefixes: &BTreeSet<Prefix>, value: u32) -> Result<(), String> {
        let families: BTreeSet<Family> = prefixes.iter().map(Prefix::family).collect();
        for family in families {
            let neighbor = self.neighbor(exit, family)?;
            let routes = self.arriving(exit, neighbor, prefixes.iter().copied().filter(|p| p.family() == family))?;
            self.add(exit, neighbor, family, |config, session| {
                let policy = session.import.as_deref().ok_or("the session has no import policy")?;
                let routes: Vec<(Prefix, &PathAttributes)> = routes.iter().map(|(p, a)| (*p, a.as_ref())).collect();
                local_pref_terms(&config.policy, policy, &routes, value, policy).map_err(|e| e.to_string())
            })?;
        }
        Ok(())
    }

    /// Drains every session of `exit`: lowest LOCAL_PREF on import, GRACEFUL_SHUTDOWN on export (RFC 8326). Refused where a policy also
    /// serves a session of an exit that is not `drained`: it would be drained unseen, the export even without a trace in our tables.
    pub fn drain(&mut self, exit: &ExitId, drained: &BTreeSet<ExitId>) -> Result<(), String> {
        let spec = self.network.inventory.exit(exit).ok_or_else(|| format!("{exit} is not in the inventory"))?;
        for neighbor in spec.neighbors.clone() {
            let family = Family::of(neighbor);
            let inventory = &self.network.inventory;
            let spared = |n: &IpAddr| !inventory.exit_of(&spec.device, *n).is_some_and(|e| drained.contains(&e.id));
            self.add(exit, neighbor, family, |config, session| {
                let import = session.import.as_deref().ok_or("the session has no import policy")?;
                only_used_by(config, import, |f| f.import.as_deref(), spared)?;
                drain_import(&config.policy, import).map_err(|e| e.to_string())
            })?;
            self.add(exit, neighbor, family, |config, session| {
                let export = session.export.as_deref().ok_or("the session has no export policy")?;
                only_used_by(config, export, |f| f.export.as_deref(), spared)?;
                drain_export(&config.policy, export).map_err(|e| e.to_string())
            })?;
        }
        Ok(())
    }

    /// Returns the edits, devices in name order.
    pub fn finish(self) -> Vec<DeviceEdits> {
        let edits = self.devices.into_iter().filter(|(_, (_, e))| !e.is_empty());
        edits.map(|(device, (_, edits))| DeviceEdits { device, edits }).collect()
    }

    /// Returns the routes as they arrive at the import policy (Adj-RIB-In before policy).
    fn arriving(
        &self,
        exit: &ExitId,
        neighbor: IpAddr,
        prefixes: impl Iterator<Item = Prefix>,
    ) -> Result<Vec<(Prefix, Arc<PathAttributes>)>, String> {
        let spec = self.network.inventory.exit(exit).ok_or_else(|| format!("{exit} is not in the inventory"))?;
        let rib = self.network.adj_rib_in(&spec.device, neighbor);
        if rib.is_empty() {
            return Err(format!("the routes that {} receives from {neighbor} are not known", spec.device));
        }
        let route = |p: Prefix| rib.get(&p).map(|a| (p, a)).ok_or_else(|| format!("{neighbor} does not announce {p}"));
        prefixes.map(route).collect()
    }

    fn neighbor(&self, exit: &ExitId, family: Family) -> Result<IpAddr, String> {
        let spec = self.network.inventory.exit(exit).ok_or_else(|| format!("{exit} is not in the inventory"))?;
        let found = spec.neighbors.iter().copied().find(|n| Family::of(*n) == family);
        found.ok_or_else(|| format!("{exit} has no {family} session"))
    }

    fn add(
        &mut self,
        exit: &ExitId,
        neighbor: IpAddr,
        family: Family,
        make: impl FnOnce(&RouterConfig, &NeighborFamily) -> Result<Vec<PolicyEdit>, String>,
    ) -> Result<(), String> {
        let spec = self.network.inventory.exit(exit).ok_or_else(|| format!("{exit} is not in the inventory"))?;
        if !self.devices.contains_key(&spec.device) {
            let config = self.twin.config(&spec.device).ok_or_else(|| format!("the configuration of {} is not known", spec.device))?;
            self.devices.insert(spec.device.clone(), (config.clone(), Vec::new()));
        }
        let Some((config, edits)) = self.devices.get_mut(&spec.device) else { return Err("no configuration".to_owned()) };
        let session = config.bgp.as_ref().and_then(|b| b.neighbors.get(&neighbor)).and_then(|n| n.families.get(&family));
        let session = session.ok_or_else(|| format!("{} has no {family} session with {neighbor}", spec.device))?;
        let new = make(config, session).map_err(|why| format!("{} {neighbor}: {why}", spec.device))?;
        config::edit::apply(config, &new).map_err(|e| e.to_string())?;
        edits.extend(new);
        Ok(())
    }
}

/// Refuses a policy that a session which must be `spared` uses too.
fn only_used_by(
    config: &RouterConfig,
    policy: &str,
    side: impl Fn(&NeighborFamily) -> Option<&str>,
    spared: impl Fn(&IpAddr) -> bool,
) -> Result<(), String> {
    let neighbors = config.bgp.iter().flat_map(|b| &b.neighbors);
    let uses = |n: &config::Neighbor| n.families.values().any(|f| side(f) == Some(policy));
    match neighbors.filter(|(_, n)| uses(n)).map(|(address, _)| address).find(|a| spared(a)) {
        Some(other) => Err(format!("policy {policy} also serves the session with {other}, which would be drained too")),
        None => Ok(()),
    }
}
