//! The wider part of the model: settings that fewer networks use.

use super::{Neighbor, PrefixSet};
use bgp::{Asn, ExtendedCommunity, Family, LargeCommunity, Origin, Prefix, RpkiState};
use core::net::{IpAddr, Ipv4Addr};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What a BGP instance may be told beyond the common.
#[allow(clippy::struct_excessive_bools, reason = "independent switches of the router")]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BgpWider {
    /// The confederation the AS is a member of (RFC 5065).
    pub confederation: Option<Confederation>,
    /// `aggregate-address`.
    pub aggregates: Vec<Aggregate>,
    /// Routes of other protocols, per family.
    pub redistribute: BTreeMap<Family, Vec<Redistribution>>,
    /// `maximum-paths` for eBGP, per family; absent: the router's default.
    pub maximum_paths: BTreeMap<Family, u16>,
    /// `maximum-paths ibgp`, per family.
    pub maximum_paths_ibgp: BTreeMap<Family, u16>,
    /// `maximum-paths ibgp … equal-cluster-length`, per family.
    pub equal_cluster_length: BTreeSet<Family>,
    /// `no bgp network import-check`: `network` needs no route.
    pub no_import_check: bool,
    /// `table-map` per family; changes what goes to the RIB, not what is announced.
    pub table_map: BTreeMap<Family, String>,
    /// `bgp max-med administrative`: every route is announced with this MED.
    pub max_med: Option<u32>,
    /// `bgp max-med on-startup`: seconds and MED; over once the seconds are gone.
    pub max_med_on_startup: Option<(u32, u32)>,
    /// `bgp graceful-shutdown`: everything announced carries GRACEFUL_SHUTDOWN (RFC 8326).
    pub graceful_shutdown: bool,
    /// `distance bgp E I L` per family; absent: 20, 200, 200.
    pub distance: BTreeMap<Family, (u8, u8, u8)>,
    /// `bgp listen range`: neighbours of a peer group, by source address.
    pub listen_ranges: Vec<(Prefix, String)>,
    /// Settings of the peer groups that listen ranges name.
    pub groups: BTreeMap<String, Neighbor>,
    /// `no bgp client-to-client reflection`.
    pub no_client_to_client: bool,
    /// `bgp route-reflector allow-outbound-policy`.
    pub allow_outbound_policy: bool,
    /// `bgp reject-as-sets`.
    pub reject_as_sets: bool,
    /// `bgp disable-ebgp-connected-route-check`.
    pub no_connected_check: bool,
    /// `bgp enforce-first-as` for all neighbours.
    pub enforce_first_as: bool,
    /// Route flap dampening is on: a route that flapped may be held back.
    pub dampening: bool,
    /// Its settings per family, where given or defaulted.
    #[serde(default)]
    pub dampening_of: BTreeMap<Family, Dampening>,
    /// `network … backdoor`: not announced; the routes of neighbours for it get the distance of local ones.
    #[serde(default)]
    pub backdoors: BTreeSet<Prefix>,
}

/// Settings of route flap dampening (RFC 2439; FRR's defaults).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dampening {
    /// Minutes after which half of the penalty is left.
    pub half_life_min: u16,
    /// Below this penalty a suppressed route is used again.
    pub reuse: u32,
    /// From this penalty on a route is suppressed.
    pub suppress: u32,
    /// Minutes that a stable route is suppressed at most.
    pub max_suppress_min: u16,
}

impl Default for Dampening {
    fn default() -> Self {
        Self { half_life_min: 15, reuse: 750, suppress: 2000, max_suppress_min: 60 }
    }
}

/// Membership of a confederation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confederation {
    /// `bgp confederation identifier`: the AS as others see it.
    pub identifier: Asn,
    /// `bgp confederation peers`: the other member ASes.
    pub peers: BTreeSet<Asn>,
}

/// `aggregate-address`.
#[allow(clippy::struct_excessive_bools, reason = "independent switches of the router")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aggregate {
    /// What is originated while a more specific route is there.
    pub prefix: Prefix,
    /// The more specific routes are not announced.
    pub summary_only: bool,
    /// The AS numbers of the contributors go into an AS_SET.
    pub as_set: bool,
    /// Only contributors with one MED are taken together.
    pub matching_med_only: bool,
    /// ORIGIN of the aggregate, when set.
    pub origin: Option<bgp::Origin>,
    /// Policy that sets attributes of the aggregate.
    pub policy: Option<String>,
    /// `suppress-map`: which contributors are not announced.
    pub suppress_map: Option<String>,
}

/// Which private AS numbers are taken off on export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovePrivate {
    /// Also where other AS numbers are in the path.
    pub all: bool,
    /// The own AS takes their place.
    pub replace: bool,
}

/// `local-as`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalAs {
    /// What the neighbour takes us for.
    pub asn: Asn,
    /// Not put in front of what comes in.
    pub no_prepend: bool,
    /// The own AS is not put in front of what goes out.
    pub replace_as: bool,
}

/// BGP role (RFC 9234).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// We are the provider.
    Provider,
    /// We are the customer.
    Customer,
    /// Peers without transit.
    Peer,
    /// We are a route server.
    RouteServer,
    /// We are its client.
    RouteServerClient,
}

/// `advertise-map` (conditional advertisement).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionalAdvertisement {
    /// Which routes depend on the condition.
    pub advertise_map: String,
    /// The map that some route of the table must (or must not) match.
    pub condition_map: String,
    /// `exist-map`; false: `non-exist-map`.
    pub exist: bool,
}

/// Attributes that go out as they came in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unchanged {
    /// The own AS is not put in front.
    pub as_path: bool,
    /// NEXT_HOP.
    pub next_hop: bool,
    /// MULTI_EXIT_DISC.
    pub med: bool,
}

/// Further paths of a prefix (RFC 7911).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AddPathSend {
    /// Only the best.
    #[default]
    No,
    /// `addpath-tx-all-paths`.
    All,
    /// `addpath-tx-bestpath-per-AS`.
    BestPerAs,
}

/// What a neighbour may be told beyond the common.
#[allow(clippy::struct_excessive_bools, reason = "independent switches of the router")]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeighborWider {
    /// `local-as`.
    pub local_as: Option<LocalAs>,
    /// `ebgp-multihop`: hops allowed; `None`: directly connected only.
    pub ebgp_multihop: Option<u8>,
    /// `disable-connected-check`.
    pub no_connected_check: bool,
    /// `local-role`.
    pub role: Option<Role>,
    /// `local-role … strict-mode`: a neighbour without a role is refused.
    pub strict_role: bool,
    /// `sender-as-path-loop-detection`: routes with the neighbour's AS are not sent to it.
    pub sender_loop_detection: bool,
    /// `enforce-first-as`.
    pub enforce_first_as: bool,
    /// `passive`.
    pub passive: bool,
    /// `advertisement-interval`, seconds (MRAI); absent: FRR's 0.
    pub advertisement_interval_s: Option<u16>,
    /// `timers`: keepalive and hold time, seconds.
    pub timers_s: Option<(u16, u16)>,
    /// `neighbor IFACE interface`: whoever is at the other end of this interface, by its link-local address.
    #[serde(default)]
    pub interface: Option<String>,
    /// `capability extended-nexthop`: IPv4 routes may have IPv6 next hops (RFC 8950). An interface neighbour has it by itself.
    #[serde(default)]
    pub extended_next_hop: bool,
    /// `aigp`: AIGP is exchanged with this external neighbour (RFC 7311).
    #[serde(default)]
    pub aigp: bool,
}

/// What a neighbour's family may be told beyond the common.
#[allow(clippy::struct_excessive_bools, reason = "independent switches of the router")]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FamilyWider {
    /// `allowas-in`: how often the own AS may occur in what comes in.
    pub allowas_in: Option<u8>,
    /// `allowas-in origin`: only as the origin.
    pub allowas_in_origin: bool,
    /// `as-override`.
    pub as_override: bool,
    /// `remove-private-AS`.
    pub remove_private: Option<RemovePrivate>,
    /// `default-originate`, with its policy.
    pub default_originate: Option<Option<String>>,
    /// `advertise-map`.
    pub conditional: Option<ConditionalAdvertisement>,
    /// `attribute-unchanged`.
    pub unchanged: Unchanged,
    /// `prefix-list … in`.
    pub prefix_list_in: Option<String>,
    /// `prefix-list … out`.
    pub prefix_list_out: Option<String>,
    /// `filter-list … in` (AS paths).
    pub filter_list_in: Option<String>,
    /// `filter-list … out`.
    pub filter_list_out: Option<String>,
    /// `distribute-list … in` (access list).
    pub distribute_list_in: Option<String>,
    /// `distribute-list … out`.
    pub distribute_list_out: Option<String>,
    /// `unsuppress-map`.
    pub unsuppress_map: Option<String>,
    /// `maximum-prefix … warning-only`.
    pub max_prefix_warning_only: bool,
    /// `maximum-prefix-out`.
    pub max_prefix_out: Option<u32>,
    /// `addpath-tx-…`.
    pub add_path_send: AddPathSend,
    /// `weight`.
    pub weight: Option<u32>,
    /// Large communities are not sent.
    pub no_send_large: bool,
    /// `route-server-client`: nothing is put in front, next hop unchanged.
    pub route_server_client: bool,
    /// Extended communities are not sent.
    #[serde(default)]
    pub no_send_extended: bool,
    /// `soo`: put on what comes in; what has it is not sent there.
    #[serde(default)]
    pub soo: Option<ExtendedCommunity>,
    /// `disable-addpath-rx`: the neighbour sends its best path only.
    #[serde(default)]
    pub no_add_path_receive: bool,
}

/// Further sets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyWider {
    /// IPv6 prefix lists whose name an IPv4 list has too.
    pub prefix_sets_v6: BTreeMap<String, PrefixSet>,
    /// AS-path access lists: regular expressions as written, in order; the first match decides, none denies.
    pub as_path_sets: BTreeMap<String, Vec<ListEntry<String>>>,
    /// Expanded community lists: regular expressions over the text of all communities.
    pub expanded_community_sets: BTreeMap<String, Vec<ListEntry<String>>>,
    /// Large community lists: communities that must all be there.
    pub large_community_sets: BTreeMap<String, Vec<ListEntry<Vec<LargeCommunity>>>>,
    /// Access lists: a prefix, and whether only exactly that one is meant.
    pub access_lists: BTreeMap<String, Vec<ListEntry<(Prefix, bool)>>>,
    /// Expanded large community lists: regular expressions over the text of all large communities.
    #[serde(default)]
    pub expanded_large_sets: BTreeMap<String, Vec<ListEntry<String>>>,
    /// Extended community lists: communities that must all be there.
    #[serde(default)]
    pub extended_sets: BTreeMap<String, Vec<ListEntry<Vec<ExtendedCommunity>>>>,
    /// Expanded extended community lists: regular expressions over the text of all extended communities.
    #[serde(default)]
    pub expanded_extended_sets: BTreeMap<String, Vec<ListEntry<String>>>,
}

/// One entry of an ordered list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListEntry<T> {
    /// Sequence number.
    pub sequence: u32,
    /// Permit or deny.
    pub permit: bool,
    /// What it speaks of.
    pub what: T,
}

/// What follows a term that matched and accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flow {
    /// The route is accepted.
    #[default]
    Exit,
    /// `on-match next`, `continue`: the next term is tried too.
    Next,
    /// `on-match goto N`, `continue N`: the first term from N on is tried.
    Goto(u32),
}

/// Where a route comes from, for redistribution and `match source-protocol`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// Addresses of interfaces.
    Connected,
    /// Static routes.
    Static,
    /// Routes of the kernel that no protocol put there.
    Kernel,
    /// OSPF.
    Ospf,
    /// IS-IS.
    Isis,
    /// BGP.
    Bgp,
}

/// `redistribute`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redistribution {
    /// Which routes.
    pub protocol: Protocol,
    /// Policy over them.
    pub policy: Option<String>,
    /// Metric (MED) they get.
    pub metric: Option<u32>,
}

/// A condition that fewer policies use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WiderCondition {
    /// `match community NAME exact-match`.
    CommunitySetExact(String),
    /// `match as-path`.
    AsPathSet(String),
    /// `match ip address NAME`: an access list.
    AccessList(String),
    /// `match large-community`.
    LargeCommunitySet(String),
    /// `match ip next-hop prefix-list`.
    NextHopPrefixSet(String),
    /// `match ip next-hop NAME`: an access list.
    NextHopAccessList(String),
    /// `match ip next-hop address`.
    NextHop(IpAddr),
    /// `match metric`.
    Med(u32),
    /// `match local-preference`.
    LocalPref(u32),
    /// `match origin`.
    Origin(Origin),
    /// `match peer`: the session the route came by (in) or goes to (out).
    Peer(IpAddr),
    /// `match peer local`: originated here.
    PeerLocal,
    /// `match tag`.
    Tag(u32),
    /// `match source-protocol`.
    SourceProtocol(Protocol),
    /// `match rpki`.
    Rpki(RpkiState),
    /// `match ip address prefix-len`.
    PrefixLength(u8),
    /// `match large-community NAME exact-match`.
    LargeCommunitySetExact(String),
    /// `match extcommunity`.
    ExtendedCommunitySet(String),
    /// `match ip route-source prefix-list`: address of the neighbour.
    SourcePrefixSet(String),
    /// `match ip route-source NAME`: the same by an access list.
    SourceAccessList(String),
}

/// An action that fewer policies use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WiderAction {
    /// `on-match`, `continue`: what follows the term when it accepts.
    Flow(Flow),
    /// `call`: a policy that must accept the route too, and may change it, before this term's own actions.
    Call(String),
    /// `set metric +N`, `-N`.
    AddMed(i64),
    /// `set local-preference +N`, `-N`.
    AddLocalPref(i64),
    /// `set as-path prepend last-as N`.
    PrependLastAs(u8),
    /// `set as-path exclude`.
    ExcludeAs(Vec<Asn>),
    /// `set large-community`, replacing all; empty: none.
    SetLargeCommunities(Vec<LargeCommunity>),
    /// `set large-community … additive`.
    AddLargeCommunities(Vec<LargeCommunity>),
    /// `set large-comm-list NAME delete`.
    DeleteLargeCommunities(String),
    /// `set ip next-hop peer-address`: in: the neighbour; out: ourselves.
    SetNextHopSelf,
    /// `set ip next-hop unchanged`.
    SetNextHopUnchanged,
    /// `set originator-id`.
    SetOriginator(Ipv4Addr),
    /// `set atomic-aggregate`.
    SetAtomicAggregate,
    /// `set aggregator as N A.B.C.D`.
    SetAggregator(Asn, Ipv4Addr),
    /// `set tag`.
    SetTag(u32),
    /// `set as-path replace`: one AS (or `None`: every) becomes the own.
    ReplaceAs(Option<Asn>),
    /// `set extcommunity rt`, `soo`: added to what is there.
    AddExtended(Vec<ExtendedCommunity>),
    /// `set extcommunity none`.
    ClearExtended,
    /// `set extcommunity bandwidth N`: Mbit/s, and whether it goes to other ASes.
    SetBandwidth {
        /// Megabits per second.
        mbit_s: u32,
        /// Goes to other ASes.
        transitive: bool,
    },
    /// `set aigp-metric`: a number, or `None`: the metric of the IGP (FRR from 8.5).
    SetAigp(Option<u32>),
    /// Has no effect on any BGP table: `set distance`, `set table`, `set label-index`, shares of load. Listed, and passed over.
    OutsideBgp,
}
