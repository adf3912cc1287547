//! Loc-RIB of a device as openconfig-rib-bgp tells it: routes point at attribute sets and communities, which are joined here.

use crate::{Device, LocRoute};
use bgp::{AsPath, Asn, Community, Family, Origin, PathAttributes, Prefix, Segment};
use core::net::IpAddr;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Best routes kept per device: a full table of both families and room to grow.
const MAX_ROUTES: usize = 2_000_000;

/// Which lists of openconfig-rib-bgp routes point at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SetKind {
    /// `attr-sets`.
    Attributes,
    /// `communities`.
    Communities,
}

/// Attribute sets, communities and which route uses which.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LocRib {
    #[serde(deserialize_with = "units::numbered")]
    attr_sets: BTreeMap<u64, PathAttributes>,
    #[serde(deserialize_with = "units::numbered")]
    communities: BTreeMap<u64, Vec<Community>>,
    /// Both joined, so that routes with the same attributes share them.
    #[serde(with = "crate::picture::as_pairs")]
    joined: BTreeMap<(u64, Option<u64>), Arc<PathAttributes>>,
    routes: BTreeMap<Prefix, (u64, Option<u64>)>,
}

impl LocRib {
    fn join(&mut self, key: (u64, Option<u64>)) -> Option<Arc<PathAttributes>> {
        if let Some(known) = self.joined.get(&key) {
            return Some(Arc::clone(known));
        }
        let mut attributes = self.attr_sets.get(&key.0)?.clone();
        if let Some(index) = key.1 {
            attributes.communities.clone_from(self.communities.get(&index)?);
        }
        let shared = Arc::new(attributes);
        self.joined.insert(key, Arc::clone(&shared));
        Some(shared)
    }
}

impl Device {
    /// Takes an attribute set; `false` when it is none.
    pub(crate) fn attr_set(&mut self, index: u64, json: &Value) -> bool {
        let Some(set) = attributes(json) else { return false };
        let rib = &mut self.gnmi_session.loc_rib;
        if rib.attr_sets.get(&index) != Some(&set) {
            rib.attr_sets.insert(index, set);
            self.rejoin(|(a, _)| a == index);
        }
        true
    }

    /// Takes a set of communities; `false` when it is none.
    pub(crate) fn community_set(&mut self, index: u64, json: &Value) -> bool {
        let Some(list) = state(json).get("community").and_then(Value::as_array) else { return false };
        let mut set: Vec<Community> = list.iter().filter_map(community).collect();
        set.sort_unstable();
        set.dedup();
        let rib = &mut self.gnmi_session.loc_rib;
        if rib.communities.get(&index) != Some(&set) {
            rib.communities.insert(index, set);
            self.rejoin(|(_, c)| c == Some(index));
        }
        true
    }

    /// Takes a route; `false` when it is none.
    pub(crate) fn loc_route(&mut self, prefix: Prefix, json: &Value) -> bool {
        let fields = state(json);
        let Some(index) = fields.get("attr-index").and_then(number) else { return false };
        let best = fields.get("best-path").and_then(Value::as_bool) != Some(false);
        let rib = &mut self.gnmi_session.loc_rib;
        if !best || (rib.routes.len() >= MAX_ROUTES && !rib.routes.contains_key(&prefix)) {
            self.loc_withdraw(&prefix);
            return true;
        }
        let key = (index, fields.get("community-index").and_then(number));
        rib.routes.insert(prefix, key);
        self.gnmi_session.unconfirmed.remove(&prefix);
        // without its sets the route waits: they may come behind it
        if let Some(attributes) = rib.join(key) {
            self.install(prefix, attributes);
        }
        true
    }

    pub(crate) fn loc_withdraw(&mut self, prefix: &Prefix) {
        self.gnmi_session.unconfirmed.remove(prefix);
        self.gnmi_session.loc_rib.routes.remove(prefix);
        if self.loc_rib.contains_key(prefix) {
            Arc::make_mut(&mut self.loc_rib).remove(prefix);
        }
    }

    /// Withdraws a whole family, or everything.
    pub(crate) fn loc_withdraw_all(&mut self, family: Option<Family>) {
        let gone: Vec<Prefix> = self.loc_rib.keys().filter(|p| family.is_none_or(|f| p.family() == f)).copied().collect();
        for prefix in &gone {
            self.loc_withdraw(prefix);
        }
    }

    /// Forgets sets of a kind (both where it is not named), one or all. Routes that use them keep what they had until they are told anew.
    pub(crate) fn forget_sets(&mut self, kind: Option<SetKind>, index: Option<u64>) {
        let rib = &mut self.gnmi_session.loc_rib;
        if kind != Some(SetKind::Communities) {
            rib.attr_sets.retain(|i, _| index.is_some_and(|gone| gone != *i));
            rib.joined.retain(|(a, _), _| index.is_some_and(|gone| gone != *a));
        }
        if kind != Some(SetKind::Attributes) {
            rib.communities.retain(|i, _| index.is_some_and(|gone| gone != *i));
            rib.joined.retain(|(_, c), _| c.is_none() || index.is_some_and(|gone| Some(gone) != *c));
        }
    }

    /// One attribute of a set is gone; those that every set has cannot go alone.
    pub(crate) fn attribute_lost(&mut self, index: u64, leaf: &str) {
        let Some(set) = self.gnmi_session.loc_rib.attr_sets.get_mut(&index) else { return };
        match leaf {
            "med" => set.med = None,
            "local-pref" => set.local_pref = None,
            "next-hop" => set.next_hop = None,
            "originator-id" => set.originator_id = None,
            "cluster-list" => set.cluster_list.clear(),
            "atomic-aggregate" => set.atomic_aggregate = false,
            _ => return,
        }
        self.rejoin(|(a, _)| a == index);
    }

    /// Joins the routes again that use a set which is new or has changed.
    fn rejoin(&mut self, concerned: impl Fn((u64, Option<u64>)) -> bool) {
        let rib = &mut self.gnmi_session.loc_rib;
        rib.joined.retain(|key, _| !concerned(*key));
        let users: Vec<(Prefix, (u64, Option<u64>))> = rib.routes.iter().filter(|(_, k)| concerned(**k)).map(|(p, k)| (*p, *k)).collect();
        for (prefix, key) in users {
            if let Some(attributes) = self.gnmi_session.loc_rib.join(key) {
                self.install(prefix, attributes);
            }
        }
    }

    fn install(&mut self, prefix: Prefix, attributes: Arc<PathAttributes>) {
        self.loc_rib_told = true;
        if self.loc_rib.get(&prefix).is_none_or(|r| r.attributes != attributes) {
            Arc::make_mut(&mut self.loc_rib).insert(prefix, LocRoute { attributes });
        }
    }
}

/// The `state` container, or the value itself where the sender gave only that.
fn state(json: &Value) -> &Value {
    json.get("state").unwrap_or(json)
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn small(value: Option<&Value>) -> Option<u32> {
    value.and_then(number).and_then(|n| u32::try_from(n).ok())
}

fn attributes(json: &Value) -> Option<PathAttributes> {
    let fields = state(json).as_object()?;
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    Some(PathAttributes {
        origin: match text("origin").and_then(|o| o.rsplit(':').next()) {
            Some("EGP") => Origin::Egp,
            Some("INCOMPLETE") => Origin::Incomplete,
            _ => Origin::Igp,
        },
        as_path: as_path(json.get("as-path")),
        next_hop: text("next-hop").and_then(|h| h.parse::<IpAddr>().ok()),
        med: small(fields.get("med")),
        local_pref: small(fields.get("local-pref")),
        originator_id: text("originator-id").and_then(|i| i.parse().ok()),
        cluster_list: fields
            .get("cluster-list")
            .and_then(Value::as_array)
            .map(|list| list.iter().filter_map(|i| i.as_str()?.parse().ok()).collect())
            .unwrap_or_default(),
        atomic_aggregate: fields.get("atomic-aggregate").and_then(Value::as_bool) == Some(true),
        ..PathAttributes::default()
    })
}

/// Segments in the order of their index.
fn as_path(json: Option<&Value>) -> AsPath {
    let Some(list) = json.and_then(|j| j.get("as-segment")).and_then(Value::as_array) else { return AsPath::default() };
    let mut segments: Vec<(u64, Segment)> = list.iter().zip(0..).filter_map(|(s, position)| segment(s, position)).collect();
    segments.sort_by_key(|(index, _)| *index);
    AsPath::new(segments.into_iter().map(|(_, s)| s).collect())
}

fn segment(json: &Value, position: u64) -> Option<(u64, Segment)> {
    let fields = state(json);
    let index = fields.get("index").or_else(|| json.get("index")).and_then(number).unwrap_or(position);
    let members = fields.get("member")?.as_array()?.iter().filter_map(|m| small(Some(m)).map(Asn)).collect();
    let kind = fields.get("type").and_then(Value::as_str).unwrap_or("AS_SEQ");
    Some((
        index,
        match kind.rsplit(':').next() {
            Some("AS_SET") => Segment::Set(members),
            Some("AS_CONFED_SEQUENCE") => Segment::ConfedSequence(members),
            Some("AS_CONFED_SET") => Segment::ConfedSet(members),
            _ => Segment::Sequence(members),
        },
    ))
}

/// A community as text (`65001:100`, `openconfig-bgp-types:NO_EXPORT`) or number.
fn community(json: &Value) -> Option<Community> {
    if let Some(n) = json.as_u64() {
        return u32::try_from(n).ok().map(Community);
    }
    let text = json.as_str()?;
    text.parse().ok().or_else(|| text.rsplit(':').next()?.parse().ok())
}
