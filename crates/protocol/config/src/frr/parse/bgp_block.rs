//! `router bgp`: read line by line, resolved at the end, because peer groups may come after the neighbours that use them.

use super::Read;
use crate::{BestPath, BgpConfig, BgpNetwork, Neighbor, NeighborFamily, RouterConfig};
use bgp::{Asn, Family, Prefix};
use core::net::{IpAddr, Ipv4Addr};
use std::collections::BTreeMap;

/// A `router bgp` block under construction.
pub(super) struct BgpDraft {
    asn: Asn,
    router_id: Option<Ipv4Addr>,
    cluster_id: Option<Ipv4Addr>,
    networks: Vec<BgpNetwork>,
    best_path: BestPath,
    default_local_pref: u32,
    requires_policy: bool,
    /// `no bgp default ipv4-unicast` was not given: every neighbour speaks IPv4.
    default_v4: bool,
    peers: BTreeMap<String, PeerDraft>,
    nested: Option<Nested>,
}

enum Nested {
    Family(Family),
    /// A block inside that does not concern us (`bmp targets`) or is not modelled (`address-family l2vpn evpn`).
    Other {
        harmless: bool,
    },
}

/// A neighbour or a peer group.
#[derive(Clone, Default)]
struct PeerDraft {
    is_group: bool,
    remote_as: Option<Asn>,
    description: Option<String>,
    group: Option<String>,
    update_source: Option<String>,
    shutdown: Option<bool>,
    families: BTreeMap<Family, FamilyDraft>,
}

#[derive(Clone, Default)]
struct FamilyDraft {
    activate: Option<bool>,
    import: Option<String>,
    export: Option<String>,
    next_hop_self: Option<bool>,
    force: Option<bool>,
    client: Option<bool>,
    soft: Option<bool>,
    max_prefix: Option<u32>,
    send_community: Option<bool>,
}

impl BgpDraft {
    pub(super) fn new(asn: u32) -> Self {
        Self {
            asn: Asn(asn),
            router_id: None,
            cluster_id: None,
            networks: Vec::new(),
            best_path: BestPath::default(),
            default_local_pref: 100,
            requires_policy: true,
            default_v4: true,
            peers: BTreeMap::new(),
            nested: None,
        }
    }

    pub(super) const fn in_nested(&self) -> bool {
        self.nested.is_some()
    }

    pub(super) fn leave_nested(&mut self) {
        self.nested = None;
    }

    pub(super) fn context(&self) -> String {
        match self.nested {
            Some(Nested::Family(f)) => format!("router bgp {} / address-family {f}", self.asn),
            _ => format!("router bgp {}", self.asn),
        }
    }

    pub(super) fn line(&mut self, words: &[&str]) -> Read {
        match words {
            ["address-family", "ipv4", "unicast"] | ["address-family", "ipv4"] => self.nested = Some(Nested::Family(Family::Ipv4Unicast)),
            ["address-family", "ipv6", "unicast"] | ["address-family", "ipv6"] => self.nested = Some(Nested::Family(Family::Ipv6Unicast)),
            ["address-family", ..] => {
                self.nested = Some(Nested::Other { harmless: false });
                return Read::Unmodelled;
            }
            ["bmp", "targets", ..] => {
                self.nested = Some(Nested::Other { harmless: true });
                return Read::Harmless;
            }
            _ => {
                return match self.nested {
                    Some(Nested::Family(family)) => self.family_line(family, words),
                    Some(Nested::Other { harmless: true }) => Read::Harmless,
                    Some(Nested::Other { harmless: false }) => Read::Unmodelled,
                    None => self.main_line(words),
                };
            }
        }
        Read::Taken
    }

    fn main_line(&mut self, words: &[&str]) -> Read {
        match words {
            ["bgp", "router-id", id] => self.router_id = id.parse().ok(),
            ["bgp", "cluster-id", id] => match id.parse::<Ipv4Addr>().or_else(|e| id.parse::<u32>().map(Ipv4Addr::from).map_err(|_| e)) {
                Ok(id) => self.cluster_id = Some(id),
                Err(_) => return Read::Unmodelled,
            },
            ["no", "bgp", "default", "ipv4-unicast"] => self.default_v4 = false,
            ["no", "bgp", "ebgp-requires-policy"] => self.requires_policy = false,
            ["bgp", "ebgp-requires-policy"] => self.requires_policy = true,
            ["bgp", "default", "local-preference", v] => match v.parse() {
                Ok(v) => self.default_local_pref = v,
                Err(_) => return Read::Unmodelled,
            },
            ["bgp", "always-compare-med"] => self.best_path.always_compare_med = true,
            ["bgp", "deterministic-med"] => self.best_path.deterministic_med = true,
            ["bgp", "bestpath", "as-path", "ignore"] => self.best_path.as_path_ignore = true,
            ["bgp", "bestpath", "as-path", "multipath-relax", ..] => self.best_path.multipath_relax = true,
            ["bgp", "bestpath", "compare-routerid"] => self.best_path.compare_router_id = true,
            ["bgp", "bestpath", "med", "missing-as-worst"] => self.best_path.med_missing_as_worst = true,
            ["bgp", "log-neighbor-changes" | "graceful-restart" | "graceful-restart-disable" | "update-delay", ..]
            | ["no", "bgp", "network" | "suppress-duplicates" | "default" | "hard-administrative-reset" | "graceful-restart", ..]
            | ["bgp", "network", "import-check"]
            | ["timers" | "bmp" | "coalesce-time" | "read-quanta" | "write-quanta", ..] => return Read::Harmless,
            ["neighbor", peer, rest @ ..] => return self.neighbor_line(peer, rest),
            ["no", "neighbor", peer, "shutdown"] => self.peer(peer).shutdown = Some(false),
            _ => return Read::Unmodelled,
        }
        Read::Taken
    }

    fn peer(&mut self, name: &str) -> &mut PeerDraft {
        self.peers.entry(name.to_owned()).or_default()
    }

    fn neighbor_line(&mut self, name: &str, words: &[&str]) -> Read {
        let own = self.asn;
        let peer = self.peer(name);
        match words {
            ["peer-group"] => peer.is_group = true,
            ["peer-group", group] => peer.group = Some((*group).to_owned()),
            ["remote-as", "internal"] => peer.remote_as = Some(own),
            ["remote-as", "external"] => peer.remote_as = Some(Neighbor::ANY_EXTERNAL),
            ["remote-as", asn] => match asn.parse() {
                Ok(asn) => peer.remote_as = Some(Asn(asn)),
                Err(_) => return Read::Unmodelled,
            },
            ["description", text @ ..] => peer.description = Some(text.join(" ")),
            ["update-source", source] => peer.update_source = Some((*source).to_owned()),
            ["shutdown", ..] => peer.shutdown = Some(true),
            ["timers" | "password" | "advertisement-interval" | "bfd" | "capability" | "port" | "ebgp-multihop" | "ttl-security", ..]
            | ["disable-connected-check" | "passive" | "dont-capability-negotiate", ..] => return Read::Harmless,
            _ => return Read::Unmodelled,
        }
        Read::Taken
    }

    fn family_line(&mut self, family: Family, words: &[&str]) -> Read {
        match words {
            ["network", prefix, rest @ ..] => {
                let Ok(prefix) = prefix.parse::<Prefix>() else { return Read::Unmodelled };
                let policy = match rest {
                    [] => None,
                    ["route-map", name] => Some((*name).to_owned()),
                    _ => return Read::Unmodelled,
                };
                self.networks.push(BgpNetwork { prefix, policy });
                Read::Taken
            }
            ["neighbor", peer, rest @ ..] => peer_family_line(self.peer(peer).families.entry(family).or_default(), rest, true),
            ["no", "neighbor", peer, rest @ ..] => peer_family_line(self.peer(peer).families.entry(family).or_default(), rest, false),
            ["maximum-paths", "1"] => Read::Harmless,
            ["maximum-paths", "ibgp", "1"] => Read::Harmless,
            _ => Read::Unmodelled,
        }
    }

    /// Merges groups into neighbours and puts the result into the configuration.
    pub(super) fn finish(self, config: &mut RouterConfig) {
        let mut neighbors = BTreeMap::new();
        for (name, peer) in &self.peers {
            let Ok(address) = name.parse::<IpAddr>() else { continue };
            let group = peer.group.as_ref().and_then(|g| self.peers.get(g));
            let remote_as = peer.remote_as.or_else(|| group.and_then(|g| g.remote_as));
            // a neighbour without an AS never comes up
            let Some(remote_as) = remote_as else { continue };
            let families = [Family::Ipv4Unicast, Family::Ipv6Unicast]
                .into_iter()
                .filter_map(|f| self.family(peer, group, f).map(|settings| (f, settings)))
                .collect();
            let neighbor = Neighbor {
                remote_as,
                description: peer.description.clone(),
                peer_group: peer.group.clone(),
                update_source: peer.update_source.clone().or_else(|| group.and_then(|g| g.update_source.clone())),
                shutdown: peer.shutdown.or_else(|| group.and_then(|g| g.shutdown)).unwrap_or(false),
                families,
            };
            neighbors.insert(address, neighbor);
        }
        config.bgp = Some(BgpConfig {
            asn: self.asn,
            router_id: self.router_id,
            cluster_id: self.cluster_id,
            neighbors,
            networks: self.networks,
            best_path: self.best_path,
            default_local_pref: self.default_local_pref,
            ebgp_requires_policy: self.requires_policy,
        });
    }

    fn family(&self, peer: &PeerDraft, group: Option<&PeerDraft>, family: Family) -> Option<NeighborFamily> {
        let empty = FamilyDraft::default();
        let own = peer.families.get(&family).unwrap_or(&empty);
        let shared = group.and_then(|g| g.families.get(&family)).unwrap_or(&empty);
        let by_default = family == Family::Ipv4Unicast && self.default_v4;
        if !own.activate.or(shared.activate).unwrap_or(by_default) {
            return None;
        }
        let flag = |pick: fn(&FamilyDraft) -> Option<bool>| pick(own).or_else(|| pick(shared)).unwrap_or(false);
        Some(NeighborFamily {
            import: own.import.clone().or_else(|| shared.import.clone()),
            export: own.export.clone().or_else(|| shared.export.clone()),
            next_hop_self: flag(|f| f.next_hop_self),
            next_hop_self_force: flag(|f| f.force),
            route_reflector_client: flag(|f| f.client),
            soft_reconfiguration: flag(|f| f.soft),
            max_prefix: own.max_prefix.or(shared.max_prefix),
            send_community: own.send_community.or(shared.send_community).unwrap_or(true),
        })
    }
}

fn peer_family_line(family: &mut FamilyDraft, words: &[&str], on: bool) -> Read {
    match words {
        ["activate"] => family.activate = Some(on),
        ["route-map", name, "in"] => family.import = on.then(|| (*name).to_owned()),
        ["route-map", name, "out"] => family.export = on.then(|| (*name).to_owned()),
        ["next-hop-self"] => family.next_hop_self = Some(on),
        ["next-hop-self", "force"] => (family.next_hop_self, family.force) = (Some(on), Some(on)),
        ["route-reflector-client"] => family.client = Some(on),
        ["soft-reconfiguration", "inbound"] => family.soft = Some(on),
        ["maximum-prefix", max, ..] => family.max_prefix = max.parse().ok().filter(|_| on),
        ["send-community"] | ["send-community", "both" | "all" | "standard"] => family.send_community = Some(on),
        ["send-community", "extended" | "large"] | ["advertisement-interval", ..] => return Read::Harmless,
        _ => return Read::Unmodelled,
    }
    Read::Taken
}
