//! How far the twin and the routers' own tables agree.

use crate::picture::is_link_local;
use crate::{Best, Source, Twin};
use action::DeviceId;
use bgp::{PathAttributes, Prefix};
use core::fmt;
use network::{LocRoute, Network};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use units::Ratio;

/// Differences named per device; the counts go on.
const DIFFERENCES: usize = 64;

/// Agreement with one router's best routes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// Prefixes that either side has.
    pub compared: u64,
    /// Prefixes with the same best route.
    pub equal: u64,
    /// Equal ÷ compared; 1 when there is nothing to compare.
    pub ratio: Ratio,
    /// The first differences in order of prefix, at most 64.
    pub differences: Vec<Difference>,
}

/// What differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// One side has no route.
    Presence,
    /// Next hop.
    NextHop,
    /// AS_PATH.
    AsPath,
    /// LOCAL_PREF.
    LocalPref,
    /// MULTI_EXIT_DISC.
    Med,
    /// Communities.
    Communities,
}

/// One prefix on which twin and router differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The prefix.
    pub prefix: Prefix,
    /// The first field that differs.
    pub field: Field,
    /// What the twin computes; empty when it has no route.
    pub twin: String,
    /// What the router reports; empty when it has no route.
    pub router: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |s: &str| if s.is_empty() { "none".to_owned() } else { s.to_owned() };
        write!(f, "{}: {:?} is {} in the twin, {} on the router", self.prefix, self.field, shown(&self.twin), shown(&self.router))
    }
}

impl Twin<'_> {
    /// Compares the solved tables with what every router of `network` reports as best. A router that never reported a best route is left
    /// out; one that did and reports none now agrees on nothing.
    #[must_use]
    pub fn agreement(&self, network: &Network) -> BTreeMap<DeviceId, Agreement> {
        let reported = |d: &DeviceId| network.devices.get(d).filter(|d| d.loc_rib_told || !d.loc_rib.is_empty()).map(|d| &d.loc_rib);
        let rows = self.picture.devices.iter().enumerate().filter_map(|(i, d)| Some((d.clone(), self.compare(i, reported(d)?))));
        rows.collect()
    }

    fn compare(&self, router: usize, reported: &BTreeMap<Prefix, LocRoute>) -> Agreement {
        let mut agreement = Agreement::default();
        let computed = self.prefixes().filter(|p| self.world.of(p.family()).best(router, p).is_some());
        let union: BTreeSet<Prefix> = computed.chain(reported.keys().copied()).collect();
        for prefix in union {
            agreement.compared += 1;
            let best = self.best_at(&self.world, router, &prefix);
            match self.difference(router, best.as_ref(), reported.get(&prefix).map(|r| r.attributes.as_ref())) {
                None => agreement.equal += 1,
                Some((field, twin, router)) if agreement.differences.len() < DIFFERENCES => {
                    agreement.differences.push(Difference { prefix, field, twin, router });
                }
                Some(_) => {}
            }
        }
        agreement.ratio = if agreement.compared == 0 { Ratio::ONE } else { Ratio::of(agreement.equal, agreement.compared) };
        agreement
    }

    fn difference(&self, router: usize, best: Option<&Best<'_>>, reported: Option<&PathAttributes>) -> Option<(Field, String, String)> {
        let (best, other) = match (best, reported) {
            (Some(best), Some(other)) => (best, other),
            (None, None) => return None,
            (Some(best), None) => return Some((Field::Presence, best.source.to_string(), String::new())),
            (None, Some(other)) => return Some((Field::Presence, String::new(), words(other.next_hop.as_ref()))),
        };
        let own = best.attributes;
        if next_hops_differ(best, other) {
            return Some((Field::NextHop, words(own.next_hop.as_ref()), words(other.next_hop.as_ref())));
        }
        if own.as_path != other.as_path {
            return Some((Field::AsPath, own.as_path.to_string(), other.as_path.to_string()));
        }
        let local_pref = self.local_pref(router, own);
        if let Some(theirs) = other.local_pref.filter(|theirs| *theirs != local_pref) {
            return Some((Field::LocalPref, local_pref.to_string(), theirs.to_string()));
        }
        // routers show an absent MED as 0
        if own.med.unwrap_or(0) != other.med.unwrap_or(0) {
            return Some((Field::Med, words(own.med.as_ref()), words(other.med.as_ref())));
        }
        if own.communities != other.communities {
            return Some((Field::Communities, list(&own.communities), list(&other.communities)));
        }
        None
    }
}

/// A local route has no next hop or the unspecified one; a router may show a link-local address where we know the global one.
fn next_hops_differ(best: &Best<'_>, other: &PathAttributes) -> bool {
    match (best.attributes.next_hop.filter(|_| best.source != Source::Local), other.next_hop) {
        (None, theirs) => theirs.is_some_and(|a| !a.is_unspecified()),
        (Some(_), Some(theirs)) if is_link_local(theirs) => false,
        (ours, theirs) => ours != theirs,
    }
}

fn words<T: ToString>(value: Option<&T>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

fn list(communities: &[bgp::Community]) -> String {
    communities.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
