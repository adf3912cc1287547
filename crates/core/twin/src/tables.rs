//! The result of a computation: per prefix and router all paths, the best one and why.

use crate::{Path, Reason};
use action::DeviceId;
use bgp::{Family, Prefix};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One router's view of one prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// All paths: local, external by neighbour address, internal by neighbour address. Rejected ones say why.
    pub paths: Vec<Path>,
    /// Position of the best path in `paths`; `None`: no usable path.
    pub best: Option<usize>,
    /// The step that chose it.
    pub reason: Option<Reason>,
    /// Another order of arrival could choose otherwise.
    pub order_dependent: bool,
}

impl Entry {
    /// Returns the best path.
    #[must_use]
    pub fn best_path(&self) -> Option<&Path> {
        self.paths.get(self.best?)
    }
}

/// All routers' views of one prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Solution {
    /// Per router, in order of device id.
    pub entries: Vec<Entry>,
    /// Routers that never settled; not empty means that there is no stable state or none was found within the bound.
    pub unstable: Vec<usize>,
}

/// All prefixes. Cloning is cheap; a what-if lays its changes over the tables it started from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    pub(crate) devices: Arc<Vec<DeviceId>>,
    pub(crate) base: Arc<BTreeMap<Prefix, Arc<Solution>>>,
    pub(crate) overlay: BTreeMap<Prefix, Arc<Solution>>,
}

impl Tables {
    /// Returns the devices in the order of [`Solution::entries`].
    #[must_use]
    pub fn devices(&self) -> &[DeviceId] {
        &self.devices
    }

    /// Returns the solution of a prefix.
    #[must_use]
    pub fn solution(&self, prefix: &Prefix) -> Option<&Solution> {
        self.overlay.get(prefix).or_else(|| self.base.get(prefix)).map(AsRef::as_ref)
    }

    /// Returns one router's view of a prefix.
    #[must_use]
    pub fn entry(&self, device: &DeviceId, prefix: &Prefix) -> Option<&Entry> {
        let index = self.devices.binary_search(device).ok()?;
        self.entry_at(index, prefix)
    }

    pub(crate) fn entry_at(&self, index: usize, prefix: &Prefix) -> Option<&Entry> {
        self.solution(prefix)?.entries.get(index)
    }

    /// Returns all prefixes in order. A prefix without any usable path stays listed.
    pub fn prefixes(&self) -> impl Iterator<Item = &Prefix> {
        self.base.keys()
    }

    /// Returns one router's table of a family: every prefix that it has a path for.
    pub fn device<'a>(&'a self, device: &DeviceId, family: Family) -> impl Iterator<Item = (&'a Prefix, &'a Entry)> + use<'a> {
        let index = self.devices.binary_search(device).ok();
        self.base.keys().filter(move |p| p.family() == family).filter_map(move |p| {
            let entry = self.entry_at(index?, p)?;
            (!entry.paths.is_empty()).then_some((p, entry))
        })
    }

    /// Returns how many prefixes at least one router has a usable path for.
    #[must_use]
    pub fn known(&self) -> u64 {
        let known = |p: &&Prefix| self.solution(p).is_some_and(|s| s.entries.iter().any(|e| e.best.is_some()));
        self.base.keys().filter(known).count() as u64
    }

    /// Returns every choice that another order of arrival could turn.
    #[must_use]
    pub fn order_dependent(&self) -> Vec<(DeviceId, Prefix)> {
        let mut found = Vec::new();
        for prefix in self.base.keys() {
            let Some(solution) = self.solution(prefix) else { continue };
            let routers = solution.entries.iter().enumerate().filter(|(_, e)| e.order_dependent);
            found.extend(routers.filter_map(|(i, _)| Some((self.devices.get(i)?.clone(), *prefix))));
        }
        found
    }

    /// Returns the prefixes that found no stable state, with the routers that kept changing.
    #[must_use]
    pub fn oscillations(&self) -> BTreeMap<Prefix, Vec<DeviceId>> {
        let unstable = self.base.keys().filter_map(|p| Some((*p, self.solution(p)?))).filter(|(_, s)| !s.unstable.is_empty());
        unstable.map(|(p, s)| (p, s.unstable.iter().filter_map(|i| self.devices.get(*i).cloned()).collect())).collect()
    }
}
