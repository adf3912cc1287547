//! From what a neighbour announced to a path of the router (FRR: `bgp_update`).

use crate::model::{Model, Router};
use crate::session::Session;
use crate::underlay::{Hop, is_link_local};
use crate::{Path, Rejection, Source};
use bgp::{Community, Family, Origin, PathAttributes, Prefix};
use config::PolicyOutcome;
use std::sync::Arc;

/// Weight of a path that the router originates (FRR: `BGP_ATTR_DEFAULT_WEIGHT`).
pub const LOCAL_WEIGHT: u32 = 32768;
/// LOCAL_PREF of an external path with GRACEFUL_SHUTDOWN, whatever policy set (RFC 8326 §4.2; FRR applies it after the route-map).
const GRACEFUL_SHUTDOWN_LOCAL_PREF: u32 = 0;

/// What policy made of a route.
enum Filtered {
    Kept { attributes: Arc<PathAttributes>, weight: u32, term: Option<u32> },
    Dropped(Rejection),
}

/// Returns the path of a router's own `network` statement; `None` when it has none for the prefix.
pub fn local(router: &Router, prefix: &Prefix) -> Option<Path> {
    let policy = router.networks.get(prefix)?;
    // FRR originates with MED 0
    let attributes = Arc::new(PathAttributes { origin: Origin::Igp, med: Some(0), ..PathAttributes::default() });
    let filtered = match policy {
        Some(name) => filter(router, name, prefix, &attributes),
        None => Filtered::Kept { attributes: attributes.clone(), weight: 0, term: None },
    };
    let (attributes, weight, term, rejected) = spread(filtered, &attributes);
    Some(Path {
        source: Source::Local,
        attributes,
        weight: if weight == 0 { LOCAL_WEIGHT } else { weight },
        remote_id: Some(router.router_id),
        igp_metric: 0,
        term,
        rejected,
        multipath: false,
    })
}

/// Returns the path that an external neighbour's announcement gives.
pub fn external(model: &Model, index: usize, session: &Session, source: Source, prefix: &Prefix, announced: &Arc<PathAttributes>) -> Path {
    let router = &model.routers[index];
    let settings = session.families.get(&prefix.family());
    let filtered = if announced.as_path.contains(router.asn) {
        Filtered::Dropped(Rejection::OwnAs)
    } else {
        match settings.and_then(|s| s.import.as_deref()) {
            Some(policy) => filter(router, policy, prefix, announced),
            None if router.requires_policy() => Filtered::Dropped(Rejection::NoPolicy),
            None => Filtered::Kept { attributes: announced.clone(), weight: 0, term: None },
        }
    };
    let mut path = finish(source, session, filtered, announced);
    if path.attributes.communities.contains(&Community::GRACEFUL_SHUTDOWN) {
        Arc::make_mut(&mut path.attributes).local_pref = Some(GRACEFUL_SHUTDOWN_LOCAL_PREF);
    }
    if path.attributes.next_hop.is_none() {
        Arc::make_mut(&mut path.attributes).next_hop = Some(session.neighbor);
    }
    check_next_hop(model, index, &mut path);
    path
}

/// Returns the path that an internal neighbour's announcement gives (loop checks of RFC 4456 §8).
pub fn internal(model: &Model, index: usize, session: &Session, source: Source, prefix: &Prefix, announced: &Arc<PathAttributes>) -> Path {
    let router = &model.routers[index];
    let policy = session.families.get(&prefix.family()).and_then(|s| s.import.as_deref());
    let filtered = if announced.as_path.contains(router.asn) {
        Filtered::Dropped(Rejection::OwnAs)
    } else if announced.originator_id == Some(router.router_id) {
        Filtered::Dropped(Rejection::OwnOriginator)
    } else if announced.cluster_list.contains(&router.cluster_id) {
        Filtered::Dropped(Rejection::OwnCluster)
    } else {
        match policy {
            Some(name) => filter(router, name, prefix, announced),
            None => Filtered::Kept { attributes: announced.clone(), weight: 0, term: None },
        }
    };
    let mut path = finish(source, session, filtered, announced);
    check_next_hop(model, index, &mut path);
    path
}

fn filter(router: &Router, policy: &str, prefix: &Prefix, attributes: &Arc<PathAttributes>) -> Filtered {
    match router.config.policy.evaluate(policy, prefix, attributes) {
        PolicyOutcome::Accepted { attributes: set, weight, sequence } => {
            // most terms of most routes set something, but unchanged attributes stay shared
            let attributes = if set == **attributes { attributes.clone() } else { Arc::new(set) };
            Filtered::Kept { attributes, weight: weight.unwrap_or(0), term: Some(sequence) }
        }
        PolicyOutcome::Rejected { sequence } => Filtered::Dropped(Rejection::Policy { sequence }),
        PolicyOutcome::Unknown { sequence, what } => Filtered::Dropped(Rejection::NotModelled { sequence, what }),
    }
}

fn spread(filtered: Filtered, announced: &Arc<PathAttributes>) -> (Arc<PathAttributes>, u32, Option<u32>, Option<Rejection>) {
    match filtered {
        Filtered::Kept { attributes, weight, term } => (attributes, weight, term, None),
        Filtered::Dropped(why) => (announced.clone(), 0, None, Some(why)),
    }
}

fn finish(source: Source, session: &Session, filtered: Filtered, announced: &Arc<PathAttributes>) -> Path {
    let (attributes, weight, term, rejected) = spread(filtered, announced);
    Path { source, attributes, weight, remote_id: session.remote_id, igp_metric: 0, term, rejected, multipath: false }
}

fn check_next_hop(model: &Model, index: usize, path: &mut Path) {
    let Some(next_hop) = path.attributes.next_hop else { return };
    if path.rejected.is_some() || is_link_local(next_hop) {
        return;
    }
    match model.underlay.resolve(index, next_hop) {
        Some(route) if route.hop == Hop::Own => path.rejected = Some(Rejection::OwnNextHop),
        Some(route) => path.igp_metric = route.metric,
        None => path.rejected = Some(Rejection::NextHopUnreachable),
    }
}

/// Says whether a family runs on a session.
pub fn carries(session: &Session, family: Family) -> bool {
    session.families.contains_key(&family)
}
