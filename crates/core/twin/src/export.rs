//! From a router's best path to what a neighbour is told (FRR: `subgroup_announce_check`, `bgp_packet_attribute`; RFC 4456 §6–8).

use crate::model::{Model, Router};
use crate::session::{Peer, Session};
use crate::{Entry, Path, Source};
use bgp::{Community, PathAttributes, Prefix};
use config::{NeighborFamily, PolicyOutcome};
use std::sync::Arc;

/// Returns what `router` announces of its best path over an internal session; `None`: nothing.
pub fn to_internal(model: &Model, index: usize, session: &Session, prefix: &Prefix, best: &Path) -> Option<Arc<PathAttributes>> {
    let router = &model.routers[index];
    let settings = session.families.get(&prefix.family())?;
    let Peer::Internal { router: peer, session: Some(_) } = &session.peer else { return None };
    if !model.is_up(session) || best.source.neighbor() == Some(session.neighbor) {
        return None;
    }
    let reflected = matches!(best.source, Source::Internal { .. });
    let from = best.source.neighbor().and_then(|n| router.session(n)).map(|s| &router.sessions[s]);
    if reflected {
        let from_client = from.and_then(|s| s.families.get(&prefix.family())).is_some_and(|f| f.route_reflector_client);
        if !from_client && !settings.route_reflector_client {
            return None;
        }
        if best.attributes.originator_id == Some(model.routers[*peer].router_id) {
            return None;
        }
    }
    if best.attributes.communities.contains(&Community::NO_ADVERTISE) {
        return None;
    }
    let mut out = PathAttributes::clone(&best.attributes);
    out.local_pref = Some(out.local_pref.unwrap_or(router.rules().default_local_pref));
    let own = session.local.get(prefix.family());
    let to_self = settings.next_hop_self_force || (settings.next_hop_self && !reflected);
    if to_self || out.next_hop.is_none() {
        out.next_hop = own;
    }
    let out = apply_export(router, settings, prefix, out, reflected)?;
    Some(Arc::new(if reflected { reflect(router, best, out) } else { out }))
}

/// Adds ORIGINATOR_ID and CLUSTER_LIST (RFC 4456 §8).
fn reflect(router: &Router, best: &Path, mut out: PathAttributes) -> PathAttributes {
    out.originator_id = out.originator_id.or(best.remote_id);
    out.cluster_list.insert(0, router.cluster_id);
    out
}

/// Applies the export policy. A reflected route may be rejected by it but not changed (FRR: `bgp route-reflector
/// allow-outbound-policy`, off by default).
fn apply_export(
    router: &Router,
    settings: &NeighborFamily,
    prefix: &Prefix,
    attributes: PathAttributes,
    reflected: bool,
) -> Option<PathAttributes> {
    let mut out = match settings.export.as_deref().map(|name| router.config.policy.evaluate(name, prefix, &attributes)) {
        None => attributes,
        Some(PolicyOutcome::Accepted { .. }) if reflected => attributes,
        Some(PolicyOutcome::Accepted { attributes, .. }) => attributes,
        Some(PolicyOutcome::Rejected { .. } | PolicyOutcome::Unknown { .. }) => return None,
    };
    if !settings.send_community {
        out.communities.clear();
        out.large_communities.clear();
    }
    Some(out)
}

/// Returns what `router` announces over an external session: attributes as the neighbour receives them, without next hop (it is the
/// session's own address).
pub fn to_external(model: &Model, index: usize, session: &Session, prefix: &Prefix, entry: &Entry) -> Option<PathAttributes> {
    let router = &model.routers[index];
    let settings = session.families.get(&prefix.family())?;
    let best = entry.best_path()?;
    let silent = [Community::NO_EXPORT, Community::NO_ADVERTISE, Community::NO_EXPORT_SUBCONFED];
    let back = best.source.neighbor() == Some(session.neighbor);
    let kept_in = best.attributes.communities.iter().any(|c| silent.contains(c));
    let unfiltered = settings.export.is_none() && router.requires_policy();
    if !model.is_up(session) || back || kept_in || unfiltered {
        return None;
    }
    let mut out = PathAttributes::clone(&best.attributes);
    if best.source != Source::Local {
        out.med = None;
    }
    out.local_pref = None;
    out.originator_id = None;
    out.cluster_list.clear();
    out.next_hop = None;
    let mut out = apply_export(router, settings, prefix, out, false)?;
    out.local_pref = None;
    out.as_path = out.as_path.prepend(router.asn, 1);
    Some(out)
}
