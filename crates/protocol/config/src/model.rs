//! The vendor-neutral model of what a router's configuration says about BGP, policy and the IGP.

use bgp::{AsPath, Asn, Community, Family, Origin, Prefix};
use core::net::{IpAddr, Ipv4Addr};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What one router is configured to do, as far as it is modelled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterConfig {
    /// Host name.
    pub hostname: String,
    /// Interfaces with addresses and IGP costs, by name.
    pub interfaces: BTreeMap<String, InterfaceConfig>,
    /// The BGP instance of the default network instance, when there is one.
    pub bgp: Option<BgpConfig>,
    /// Static routes.
    pub static_routes: Vec<StaticRoute>,
    /// Prefix sets, community sets and policy definitions.
    pub policy: RoutingPolicy,
    /// Every line that asks for something this model does not hold.
    pub unmodelled: Vec<Unmodelled>,
}

/// A configuration line that is not modelled; shown, never ignored in silence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmodelled {
    /// Line number, from 1.
    pub line: u32,
    /// The line as written, trimmed.
    pub text: String,
    /// The block it stands in (`router bgp 65001 / address-family ipv4 unicast`), empty at top level.
    pub context: String,
}

/// One interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceConfig {
    /// Addresses with prefix length.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Administrative shutdown.
    pub shutdown: bool,
    /// OSPFv2 on this interface.
    pub igp_v4: Option<IgpInterface>,
    /// OSPFv3 on this interface.
    pub igp_v6: Option<IgpInterface>,
}

/// IGP settings of an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IgpInterface {
    /// Area as written.
    pub area: String,
    /// Cost; `None` leaves the router's default (FRR: reference bandwidth 100 Gbit/s over interface speed, 10 where speed is unknown).
    pub cost: Option<u32>,
    /// Announced but without adjacencies.
    pub passive: bool,
}

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
}

impl Neighbor {
    /// `remote-as external`: the session takes any AS but its own. AS 0 never occurs on a session (RFC 7607).
    pub const ANY_EXTERNAL: Asn = Asn(0);
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
}

/// A static route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaticRoute {
    /// Destination.
    pub prefix: Prefix,
    /// Next hop; `None` is a null route.
    pub next_hop: Option<IpAddr>,
    /// Administrative distance; 1 unless set.
    pub distance: u8,
}

/// Sets and policies, as openconfig-routing-policy holds them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutingPolicy {
    /// Prefix sets by name. FRR keeps IPv4 and IPv6 lists apart: a name may exist once per family.
    pub prefix_sets: BTreeMap<String, PrefixSet>,
    /// Community sets by name.
    pub community_sets: BTreeMap<String, CommunitySet>,
    /// Policy definitions by name.
    pub definitions: BTreeMap<String, PolicyDefinition>,
}

/// A prefix set. No entry matches: the prefix is not in the set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefixSet {
    /// Family of every entry.
    pub family: Family,
    /// Entries in order; the first that matches decides.
    pub entries: Vec<PrefixEntry>,
}

/// One entry of a prefix set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefixEntry {
    /// Sequence number.
    pub sequence: u32,
    /// Permit, or deny (deny: not in the set, stop).
    pub permit: bool,
    /// Covering prefix.
    pub prefix: Prefix,
    /// Shortest length that matches; `None` with `le` given means the prefix's own length.
    pub ge: Option<u8>,
    /// Longest length that matches.
    pub le: Option<u8>,
}

/// A standard community list: a route is in the set when one entry's communities are all on the route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommunitySet {
    /// (permit, communities that must all be present) in order; the first match decides.
    pub entries: Vec<(bool, Vec<Community>)>,
}

/// A policy definition (a route-map).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyDefinition {
    /// Statements in evaluation order, by sequence number. A route that no statement matches is rejected.
    pub statements: Vec<Statement>,
}

/// One term.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Sequence number; its decimal form is the OpenConfig statement name.
    pub sequence: u32,
    /// Accept or reject when all conditions hold.
    pub result: PolicyResult,
    /// All must hold; none means every route.
    pub conditions: Vec<Condition>,
    /// What an accepted route gets, in order.
    pub actions: Vec<RouteAction>,
}

impl Statement {
    /// Returns the term with conditions and actions in one fixed order (the order does not matter: each kind occurs once) and sorted
    /// community lists, so that what was written compares equal to what a router shows.
    #[must_use]
    pub fn canonical(mut self) -> Self {
        for action in &mut self.actions {
            if let RouteAction::AddCommunities(list) | RouteAction::SetCommunities(list) = action {
                list.sort_unstable();
                list.dedup();
            }
        }
        self.actions.sort_by_key(RouteAction::rank);
        self.conditions.sort_by_key(Condition::rank);
        self
    }
}

impl Condition {
    const fn rank(&self) -> u8 {
        match self {
            Self::PrefixSet(_) => 0,
            Self::CommunitySet(_) => 1,
            Self::Unmodelled(_) => 2,
        }
    }
}

impl RouteAction {
    const fn rank(&self) -> u8 {
        match self {
            Self::SetLocalPref(_) => 0,
            Self::SetMed(_) => 1,
            Self::SetWeight(_) => 2,
            Self::SetOrigin(_) => 3,
            Self::DeleteCommunities(_) => 4,
            Self::AddCommunities(_) => 5,
            Self::SetCommunities(_) => 6,
            Self::Prepend(_) => 7,
            Self::SetNextHop(_) => 8,
            Self::Unmodelled(_) => 9,
        }
    }
}

/// What a matching term does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyResult {
    /// `permit`, ACCEPT_ROUTE.
    Accept,
    /// `deny`, REJECT_ROUTE.
    Reject,
}

/// A condition of a term.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// The prefix is in the set. A set of the other family never matches.
    PrefixSet(String),
    /// The route's communities match the set.
    CommunitySet(String),
    /// A condition that is not modelled: evaluation stops as "unknown" and the route is reported.
    Unmodelled(String),
}

/// A change that a term makes to an accepted route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteAction {
    /// `set local-preference`.
    SetLocalPref(u32),
    /// `set metric`.
    SetMed(u32),
    /// `set weight` (FRR, Cisco; local to the router).
    SetWeight(u32),
    /// `set origin`.
    SetOrigin(Origin),
    /// `set community … additive`.
    AddCommunities(Vec<Community>),
    /// `set community …`, replacing all.
    SetCommunities(Vec<Community>),
    /// `set comm-list NAME delete`.
    DeleteCommunities(String),
    /// `set as-path prepend …`.
    Prepend(AsPath),
    /// `set ip next-hop`, `set ipv6 next-hop global`.
    SetNextHop(IpAddr),
    /// An action that is not modelled.
    Unmodelled(String),
}
