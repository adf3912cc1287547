//! `router bgp`.

use super::{BgpWider, FamilyWider, NeighborWider};
use bgp::{Asn, Family, Prefix};
use core::net::{IpAddr, Ipv4Addr};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `router bgp`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BgpConfig {
    /// Own AS.
    pub asn: Asn,
    /// `bgp router-id`, when given.
    pub router_id: Option<Ipv4Addr>,
    /// `bgp cluster-id`, when given.
    pub cluster_id: Option<Ipv4Addr>,
    /// Neighbours with peer-group settings already merged in.
    pub neighbors: BTreeMap<IpAddr, Neighbor>,
    /// `network` statements.
    pub networks: Vec<BgpNetwork>,
    /// Knobs of the decision process.
    pub best_path: BestPath,
    /// `bgp default local-preference`; 100 unless set.
    pub default_local_pref: u32,
    /// eBGP sessions without policy exchange nothing (RFC 8212); true in FRR's traditional profile.
    pub ebgp_requires_policy: bool,
    /// The wider part.
    #[serde(default)]
    pub wider: BgpWider,
}

impl BgpConfig {
    /// Returns an instance without neighbours, with the defaults of FRR 8.4, profile traditional.
    #[must_use]
    pub fn new(asn: Asn) -> Self {
        Self {
            asn,
            router_id: None,
            cluster_id: None,
            neighbors: BTreeMap::new(),
            networks: Vec::new(),
            best_path: BestPath::default(),
            default_local_pref: 100,
            ebgp_requires_policy: true,
            wider: BgpWider::default(),
        }
    }
}

/// A `network` statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BgpNetwork {
    /// What is originated.
    pub prefix: Prefix,
    /// Policy applied on origination.
    pub policy: Option<String>,
}

/// Knobs of the decision process (FRR's names; all off by default).
#[allow(clippy::struct_excessive_bools, reason = "independent switches of the router, each may be on with any other")]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BestPath {
    /// `bgp always-compare-med`.
    pub always_compare_med: bool,
    /// `bgp deterministic-med`.
    pub deterministic_med: bool,
    /// `bgp bestpath as-path ignore`.
    pub as_path_ignore: bool,
    /// `bgp bestpath as-path multipath-relax`.
    pub multipath_relax: bool,
    /// `bgp bestpath compare-routerid`.
    pub compare_router_id: bool,
    /// `bgp bestpath med missing-as-worst`.
    pub med_missing_as_worst: bool,
    /// `bgp bestpath as-path confed`: confederation segments count.
    #[serde(default)]
    pub as_path_confed: bool,
    /// `bgp bestpath med confed`: MEDs of paths inside the confederation are compared.
    #[serde(default)]
    pub med_confed: bool,
    /// `bgp bestpath peer-type multipath-relax`.
    #[serde(default)]
    pub peer_type_relax: bool,
    /// `bgp bestpath aigp` (FRR from 8.5; RFC 7311 §4).
    #[serde(default)]
    pub aigp: bool,
    /// Junos `path-selection med-plus-igp`: the IGP metric to the next hop is added to the MED.
    #[serde(default)]
    pub med_plus_igp: bool,
    /// Junos `path-selection cisco-non-deterministic`, EOS `no bgp bestpath deterministic-med`: MEDs are compared in order of arrival where the
    /// vendor groups them by neighbour AS otherwise.
    #[serde(default)]
    pub med_non_deterministic: bool,
}

/// One BGP neighbour.
#[allow(clippy::struct_excessive_bools, reason = "independent switches of the router")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbor {
    /// Remote AS; equal to the own AS for iBGP, [`Neighbor::ANY_EXTERNAL`] when any other AS is accepted.
    pub remote_as: Asn,
    /// Description as written.
    pub description: Option<String>,
    /// Peer group it takes settings from.
    pub peer_group: Option<String>,
    /// Interface or address that sessions start from.
    pub update_source: Option<String>,
    /// Administrative shutdown.
    pub shutdown: bool,
    /// Settings per activated family.
    pub families: BTreeMap<Family, NeighborFamily>,
    /// The wider part.
    #[serde(default)]
    pub wider: NeighborWider,
}

impl Neighbor {
    /// `remote-as external`: the session takes any AS but its own. AS 0 never occurs on a session (RFC 7607).
    pub const ANY_EXTERNAL: Asn = Asn(0);

    /// Returns the address under which the neighbour on an interface is held ([`NeighborWider::interface`]). What its link-local address really is
    /// follows from hardware; this one is in fe80::/64 and follows from the interface's name.
    #[must_use]
    pub fn on_interface(interface: &str) -> IpAddr {
        // FNV-1a, 64 bits
        let hash = interface.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01B3));
        IpAddr::V6(core::net::Ipv6Addr::from(0xFE80_u128 << 112 | u128::from(hash)))
    }

    /// Returns a neighbour without activated families.
    #[must_use]
    pub fn new(remote_as: Asn) -> Self {
        Self {
            remote_as,
            description: None,
            peer_group: None,
            update_source: None,
            shutdown: false,
            families: BTreeMap::new(),
            wider: NeighborWider::default(),
        }
    }
}

/// Settings of a neighbour in one address family. Present means activated.
#[allow(clippy::struct_excessive_bools, reason = "independent switches of the router")]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeighborFamily {
    /// Import policy name.
    pub import: Option<String>,
    /// Export policy name.
    pub export: Option<String>,
    /// `next-hop-self`.
    pub next_hop_self: bool,
    /// `next-hop-self force`.
    pub next_hop_self_force: bool,
    /// `route-reflector-client`.
    pub route_reflector_client: bool,
    /// `soft-reconfiguration inbound`.
    pub soft_reconfiguration: bool,
    /// `maximum-prefix`.
    pub max_prefix: Option<u32>,
    /// Communities are sent (FRR: on by default).
    pub send_community: bool,
    /// The wider part.
    #[serde(default)]
    pub wider: FamilyWider,
}
