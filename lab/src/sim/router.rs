//! One simulated BGP speaker: its sessions, tables and policies. It knows no clock and no link; [`super::world`] moves its messages.

use super::select::{Path, Rules, Source};
use super::session::{Ending, Peer, State};
use super::settings::Settings;
use bgp::{Asn, Community, Family, Origin, PathAttributes, Prefix};
use config::{BgpConfig, NeighborFamily, PolicyOutcome, RouterConfig};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// Weight of what the router originates (FRR).
const LOCAL_WEIGHT: u32 = 32768;
/// Communities that keep a route inside the AS (RFC 1997).
const KEPT_IN: [Community; 3] = [Community::NO_EXPORT, Community::NO_ADVERTISE, Community::NO_EXPORT_SUBCONFED];

/// Routes as one message carries them: `None` withdraws.
pub type Routes = Vec<(Prefix, Option<Arc<PathAttributes>>)>;

/// What import policy made of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Attributes after policy.
    pub attributes: Arc<PathAttributes>,
    /// Weight.
    pub weight: u32,
}

/// What a monitoring station is told.
#[derive(Clone, Debug)]
pub enum Told {
    /// A session is established.
    Up(IpAddr),
    /// A session ended.
    Down(IpAddr, Ending),
    /// Routes of a neighbour, before or after import policy.
    Routes {
        /// The neighbour.
        neighbor: IpAddr,
        /// After policy.
        post: bool,
        /// The changes.
        routes: Routes,
    },
}

/// One router.
#[derive(Clone, Debug)]
pub struct Router {
    /// Node id.
    pub id: String,
    /// Host name.
    pub hostname: String,
    /// AS.
    pub asn: Asn,
    /// BGP identifier.
    pub router_id: Ipv4Addr,
    /// A provider does not send back to a customer what came from it (as BIRD and GoBGP are configured in the other lab).
    pub spares_origin: bool,
    /// Sends BMP.
    pub monitored: bool,
    /// Configuration as text.
    pub settings: Settings,
    /// Configuration as a model.
    pub config: Arc<RouterConfig>,
    /// Sessions by neighbour.
    pub peers: BTreeMap<IpAddr, Peer>,
    /// Best paths.
    pub table: BTreeMap<Prefix, Path>,
    /// Lengths of prefixes in the table, longest first.
    pub lengths: BTreeMap<Family, Vec<u8>>,
    /// Changes of the table so far, per family.
    pub versions: BTreeMap<Family, u64>,
    /// Routes handled so far.
    pub handled: u64,
    /// What a monitoring station has not been told yet; stays empty unless `monitored`.
    pub told: Vec<Told>,
}

impl Router {
    /// Returns `router bgp`.
    fn bgp(&self) -> Option<&BgpConfig> {
        self.config.bgp.as_ref()
    }

    fn family(&self, neighbor: IpAddr, family: Family) -> Option<&NeighborFamily> {
        self.bgp()?.neighbors.get(&neighbor)?.families.get(&family)
    }

    fn tell(&mut self, neighbor: IpAddr, post: bool, routes: Routes) {
        if self.monitored && !routes.is_empty() {
            self.told.push(Told::Routes { neighbor, post, routes });
        }
    }

    /// Says whether a neighbour is shut down by configuration, or not configured at all.
    #[must_use]
    pub fn refuses(&self, neighbor: IpAddr) -> bool {
        self.bgp().and_then(|b| b.neighbors.get(&neighbor)).is_none_or(|n| n.shutdown)
    }

    /// Returns every prefix that it originates.
    #[must_use]
    pub fn originated(&self) -> BTreeSet<Prefix> {
        self.bgp().into_iter().flat_map(|b| b.networks.iter().map(|n| n.prefix)).collect()
    }

    /// Takes an UPDATE; returns the prefixes to decide anew.
    pub fn receive(&mut self, from: IpAddr, routes: &Routes) -> BTreeSet<Prefix> {
        let imported: Vec<_> = routes.iter().map(|(p, r)| (*p, r.as_ref().and_then(|r| self.import(from, p, r)))).collect();
        let Some(peer) = self.peers.get_mut(&from) else { return BTreeSet::new() };
        for (prefix, route) in routes {
            match route {
                Some(attributes) => drop(peer.received.insert(*prefix, attributes.clone())),
                None => drop(peer.received.remove(prefix)),
            }
        }
        let post = take(&mut peer.accepted, imported);
        self.handled += routes.len() as u64;
        self.tell(from, false, routes.clone());
        self.tell(from, true, post);
        routes.iter().map(|(p, _)| *p).collect()
    }

    /// Evaluates the import policies of every neighbour again; returns the prefixes to decide anew.
    pub fn import_again(&mut self) -> BTreeSet<Prefix> {
        let mut dirty = BTreeSet::new();
        for neighbor in self.peers.keys().copied().collect::<Vec<_>>() {
            let Some(peer) = self.peers.get(&neighbor) else { continue };
            let imported: Vec<_> = peer.received.iter().map(|(p, r)| (*p, self.import(neighbor, p, r))).collect();
            let Some(peer) = self.peers.get_mut(&neighbor) else { continue };
            let changed = take(&mut peer.accepted, imported);
            dirty.extend(changed.iter().map(|(p, _)| *p));
            self.tell(neighbor, true, changed);
        }
        dirty
    }

    /// Loop checks and import policy (RFC 4271 §9, RFC 4456 §8).
    fn import(&self, from: IpAddr, prefix: &Prefix, route: &Arc<PathAttributes>) -> Option<Accepted> {
        let (peer, bgp) = (self.peers.get(&from)?, self.bgp()?);
        let settings = self.family(from, prefix.family())?;
        let own_cluster = bgp.cluster_id.unwrap_or(self.router_id);
        let looped = route.originator_id == Some(self.router_id) || route.cluster_list.contains(&own_cluster);
        if route.as_path.contains(peer.local_as) || (peer.internal && looped) {
            return None;
        }
        let mut accepted = match &settings.import {
            None if !peer.internal && bgp.ebgp_requires_policy => return None,
            None => Accepted { attributes: route.clone(), weight: 0 },
            Some(name) => match self.config.policy.evaluate(name, prefix, route) {
                PolicyOutcome::Accepted { attributes, weight, .. } => {
                    Accepted { attributes: Arc::new(attributes), weight: weight.unwrap_or(0) }
                }
                PolicyOutcome::Rejected { .. } | PolicyOutcome::Unknown { .. } => return None,
            },
        };
        if !peer.internal && accepted.attributes.communities.contains(&Community::GRACEFUL_SHUTDOWN) {
            // RFC 8326 §4.2, after policy as FRR does it
            Arc::make_mut(&mut accepted.attributes).local_pref = Some(0);
        }
        Some(accepted)
    }

    /// Ends what a session brought and sent; returns the prefixes to decide anew.
    pub fn forget(&mut self, neighbor: IpAddr) -> BTreeSet<Prefix> {
        let Some(peer) = self.peers.get_mut(&neighbor) else { return BTreeSet::new() };
        peer.accepted.clear();
        peer.announced.clear();
        std::mem::take(&mut peer.received).into_keys().collect()
    }

    /// Chooses the best path of each prefix; `metric` is the cost to a next hop, `None` when it cannot be reached or is the router itself.
    /// Returns the prefixes whose choice changed.
    pub fn decide(&mut self, prefixes: &BTreeSet<Prefix>, metric: impl Fn(IpAddr) -> Option<u32>) -> BTreeSet<Prefix> {
        let mut changed = BTreeSet::new();
        self.handled += prefixes.len() as u64;
        for prefix in prefixes {
            let paths = self.paths(prefix, &metric);
            let selected = self.table.get(prefix).map(|p| p.source);
            let best = self.rules().and_then(|r| r.best(&paths, selected)).and_then(|i| paths.into_iter().nth(i));
            if self.table.get(prefix) == best.as_ref() {
                continue;
            }
            match best {
                Some(best) => drop(self.table.insert(*prefix, best)),
                None => drop(self.table.remove(prefix)),
            }
            *self.versions.entry(prefix.family()).or_default() += 1;
            changed.insert(*prefix);
        }
        if !changed.is_empty() {
            self.lengths = lengths(&self.table);
        }
        changed
    }

    fn rules(&self) -> Option<Rules<'_>> {
        self.bgp().map(|b| Rules { knobs: &b.best_path, local_pref: b.default_local_pref })
    }

    /// Returns the usable paths of a prefix.
    fn paths(&self, prefix: &Prefix, metric: impl Fn(IpAddr) -> Option<u32>) -> Vec<Path> {
        let mut paths: Vec<Path> = self.local(prefix).into_iter().collect();
        for (neighbor, peer) in self.peers.iter().filter(|(_, p)| p.state == State::Established) {
            let Some(accepted) = peer.accepted.get(prefix) else { continue };
            let Some(metric) = accepted.attributes.next_hop.and_then(&metric) else { continue };
            let source = if peer.internal { Source::Internal(*neighbor) } else { Source::External(*neighbor) };
            let Accepted { attributes, weight } = accepted.clone();
            paths.push(Path { source, attributes, weight, router_id: peer.remote_id, metric });
        }
        paths
    }

    fn local(&self, prefix: &Prefix) -> Option<Path> {
        let network = self.bgp()?.networks.iter().find(|n| n.prefix == *prefix)?;
        // FRR originates with MED 0
        let plain = PathAttributes { origin: Origin::Igp, med: Some(0), ..PathAttributes::default() };
        let attributes = match network.policy.as_ref().map(|name| self.config.policy.evaluate(name, prefix, &plain)) {
            None => plain,
            Some(PolicyOutcome::Accepted { attributes, .. }) => attributes,
            Some(PolicyOutcome::Rejected { .. } | PolicyOutcome::Unknown { .. }) => return None,
        };
        let attributes = Arc::new(attributes);
        Some(Path { source: Source::Local, attributes, weight: LOCAL_WEIGHT, router_id: self.router_id, metric: 0 })
    }

    /// Returns what has to be told to a neighbour about these prefixes, and takes note of it.
    pub fn announce(&mut self, neighbor: IpAddr, prefixes: &BTreeSet<Prefix>) -> Routes {
        let exported: Vec<_> = prefixes.iter().map(|p| (*p, self.export(neighbor, p))).collect();
        let Some(peer) = self.peers.get_mut(&neighbor) else { return Routes::new() };
        let mut changes = Routes::new();
        for (prefix, route) in exported {
            if peer.announced.get(&prefix) == route.as_ref() {
                continue;
            }
            match &route {
                Some(attributes) => drop(peer.announced.insert(prefix, attributes.clone())),
                None => drop(peer.announced.remove(&prefix)),
            }
            changes.push((prefix, route));
        }
        changes
    }

    /// What a neighbour is told of a best path (RFC 4271 §9.1.3, RFC 4456 §6).
    fn export(&self, neighbor: IpAddr, prefix: &Prefix) -> Option<Arc<PathAttributes>> {
        let (peer, best) = (self.peers.get(&neighbor)?, self.table.get(prefix)?);
        let settings = self.family(neighbor, prefix.family())?;
        let told = &best.attributes;
        if best.source.neighbor() == Some(neighbor) || told.communities.contains(&Community::NO_ADVERTISE) {
            return None;
        }
        let out = if peer.internal { self.inward(peer, settings, best)? } else { self.outward(peer, settings, best)? };
        let reflected = peer.internal && matches!(best.source, Source::Internal(_));
        let mut out = match settings.export.as_ref().map(|name| self.config.policy.evaluate(name, prefix, &out)) {
            None => out,
            // a reflected route may be stopped but not changed (FRR: no `bgp route-reflector allow-outbound-policy`)
            Some(PolicyOutcome::Accepted { .. }) if reflected => out,
            Some(PolicyOutcome::Accepted { attributes, .. }) => attributes,
            Some(PolicyOutcome::Rejected { .. } | PolicyOutcome::Unknown { .. }) => return None,
        };
        if !settings.send_community {
            out.communities.clear();
        }
        if !peer.internal {
            out.local_pref = None;
            out.as_path = out.as_path.prepend(peer.local_as, 1);
        }
        Some(Arc::new(out))
    }

    fn inward(&self, peer: &Peer, settings: &NeighborFamily, best: &Path) -> Option<PathAttributes> {
        let mut out = PathAttributes::clone(&best.attributes);
        out.local_pref = Some(out.local_pref.unwrap_or_else(|| self.bgp().map_or(100, |b| b.default_local_pref)));
        let reflected = match best.source {
            Source::Internal(from) => {
                let client = self.family(from, Family::of(from)).is_some_and(|f| f.route_reflector_client);
                if !(client || settings.route_reflector_client) || out.originator_id == Some(peer.remote_id) {
                    return None;
                }
                out.originator_id = out.originator_id.or(Some(best.router_id));
                out.cluster_list.insert(0, self.bgp().and_then(|b| b.cluster_id).unwrap_or(self.router_id));
                true
            }
            Source::Local | Source::External(_) => false,
        };
        if out.next_hop.is_none() || settings.next_hop_self_force || (settings.next_hop_self && !reflected) {
            out.next_hop = Some(peer.local);
        }
        Some(out)
    }

    fn outward(&self, peer: &Peer, settings: &NeighborFamily, best: &Path) -> Option<PathAttributes> {
        let unfiltered = settings.export.is_none() && self.bgp().is_some_and(|b| b.ebgp_requires_policy);
        let kept = best.attributes.communities.iter().any(|c| KEPT_IN.contains(c));
        let came_from = self.spares_origin && best.attributes.as_path.contains(peer.remote_as);
        if unfiltered || kept || came_from {
            return None;
        }
        let mut out = PathAttributes::clone(&best.attributes);
        if best.source != Source::Local {
            out.med = None;
        }
        out.originator_id = None;
        out.cluster_list.clear();
        out.next_hop = Some(peer.local);
        out.local_pref = None;
        Some(out)
    }
}

/// Puts what was imported in the place of what was there; returns what changed.
fn take(accepted: &mut BTreeMap<Prefix, Accepted>, imported: Vec<(Prefix, Option<Accepted>)>) -> Routes {
    let mut changed = Routes::new();
    for (prefix, route) in imported {
        if accepted.get(&prefix) == route.as_ref() {
            continue;
        }
        changed.push((prefix, route.as_ref().map(|r| r.attributes.clone())));
        match route {
            Some(route) => drop(accepted.insert(prefix, route)),
            None => drop(accepted.remove(&prefix)),
        }
    }
    changed
}

fn lengths(table: &BTreeMap<Prefix, Path>) -> BTreeMap<Family, Vec<u8>> {
    let mut sets: BTreeMap<Family, BTreeSet<u8>> = BTreeMap::new();
    for prefix in table.keys() {
        sets.entry(prefix.family()).or_default().insert(prefix.length());
    }
    sets.into_iter().map(|(f, s)| (f, s.into_iter().rev().collect())).collect()
}
