//! The traffic that a finding or a candidate is about: which prefix leaves by which exit, in which class, with which volume.

use crate::{Settings, View, WhatIf};
use action::{ExitId, GroupId};
use bgp::{Family, Prefix};
use core::fmt;
use perception::Finding;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Prefixes that are measured together: a target group in one family.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Class {
    /// Group.
    pub group: GroupId,
    /// Family.
    pub family: Family,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = match self.family {
            Family::Ipv4Unicast => "IPv4",
            Family::Ipv6Unicast => "IPv6",
        };
        write!(f, "{} {family}", self.group)
    }
}

/// A prefix leaving by an exit.
pub type Flow = (ExitId, Prefix);

/// Knows classes and volumes.
pub struct Traffic<'a> {
    view: &'a View<'a>,
    settings: &'a Settings,
    /// Exits that reported volumes recently: what they do not list carried nothing.
    accounted: BTreeSet<ExitId>,
}

impl<'a> Traffic<'a> {
    pub fn new(view: &'a View<'a>, settings: &'a Settings) -> Self {
        let fresh = |at| view.now.since(at) <= settings.volume_age_max;
        let accounted = view.network.volumes.iter().filter(|(_, v)| fresh(v.at)).map(|((e, _), _)| e.clone()).collect();
        Self { view, settings, accounted }
    }

    /// Returns the class of a prefix; `None` outside every group: it is not measured.
    pub fn class(&self, prefix: &Prefix) -> Option<Class> {
        let group = self.view.network.inventory.group_of(prefix)?;
        Some(Class { group: group.id.clone(), family: prefix.family() })
    }

    /// Returns the volume in bit/s; `None` when the exit reports none.
    pub fn bps(&self, flow: &Flow) -> Option<f64> {
        let fresh = |v: &&network::Volume| self.view.now.since(v.at) <= self.settings.volume_age_max;
        match self.view.network.volumes.get(flow).filter(fresh) {
            Some(volume) => Some(volume.bps),
            None => self.accounted.contains(&flow.0).then_some(0.0),
        }
    }

    /// Returns the sum of the volumes; `None` when any is unknown.
    pub fn total_bps<'f>(&self, flows: impl IntoIterator<Item = &'f Flow>) -> Option<f64> {
        flows.into_iter().try_fold(0.0, |sum, f| Some(sum + self.bps(f)?))
    }

    /// Returns weights: the volumes, or 1 each when a volume is unknown or nothing flows. The flag says whether they are volumes.
    pub fn weights(&self, flows: &BTreeSet<Flow>) -> (BTreeMap<Flow, f64>, bool) {
        let by_volume = self.total_bps(flows).is_some_and(|sum| sum > 0.0);
        let weight = |f: &Flow| if by_volume { self.bps(f).unwrap_or(0.0) } else { 1.0 };
        (flows.iter().map(|f| (f.clone(), weight(f))).collect(), by_volume)
    }

    /// Returns what the finding concerns: the prefixes that leave by its degraded paths; those of no group too when every measured path
    /// of the exit is degraded.
    pub fn affected(&self, finding: &Finding, twin: &dyn WhatIf) -> BTreeSet<Flow> {
        let mut flows = BTreeSet::new();
        for exit in &finding.exits {
            let mut probes = self.view.network.probes.keys().filter(|k| k.exit.as_ref() == Some(exit)).peekable();
            let whole = probes.peek().is_some() && probes.all(|k| finding.paths.contains(k));
            for prefix in twin.prefixes_via(exit) {
                let concerned = match self.class(&prefix) {
                    Some(class) => finding.concerns(exit, &class.group, class.family),
                    None => whole,
                };
                if concerned {
                    flows.insert((exit.clone(), prefix));
                }
            }
        }
        flows
    }
}
