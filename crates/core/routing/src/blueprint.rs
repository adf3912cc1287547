//! What a network is made of, as it is told to the computation.

use crate::compare::TieBreak;
use bgp::{PathAttributes, Prefix};
use config::RouterConfig;
use core::net::{IpAddr, Ipv4Addr};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a router's software does where vendors differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Weight is a step of the decision process.
    pub weight: bool,
    /// Order of the last steps.
    pub tie_break: TieBreak,
    /// MEDs are always compared within neighbour-AS groups.
    pub deterministic_med: bool,
    /// Paths used side by side unless the configuration says otherwise: external, internal.
    pub multipath: (u16, u16),
    /// An eBGP session without policy exchanges nothing (RFC 8212).
    pub requires_policy: bool,
    /// A path is announced to the neighbour that it came from too. FRR does (its `advertisedTo` names the sender); the neighbour finds its AS
    /// in the path and drops it, unless it allows that.
    pub sends_back: bool,
}

impl Profile {
    /// FRR 8.4, profile traditional, as Debian builds it (`--enable-multipath=256`; bgpd/bgp_vty.c).
    pub const FRR: Self = Self {
        weight: true,
        tie_break: TieBreak::RouterIdFirst,
        deterministic_med: false,
        multipath: (256, 256),
        requires_policy: true,
        sends_back: true,
    };
    /// Arista EOS: MEDs are compared deterministically, one path by default (EOS user manual, "BGP Best-Path Selection").
    pub const EOS: Self = Self {
        weight: true,
        tie_break: TieBreak::RouterIdFirst,
        deterministic_med: true,
        multipath: (1, 1),
        requires_policy: false,
        sends_back: false,
    };
    /// Junos: no weight, MEDs grouped by neighbour AS, cluster list before router id ("Understanding BGP Path Selection").
    pub const JUNOS: Self = Self {
        weight: false,
        tie_break: TieBreak::ClusterListFirst,
        deterministic_med: true,
        multipath: (1, 1),
        requires_policy: false,
        sends_back: false,
    };
    /// Cisco IOS-XR: deterministic MED, RFC 8212 ("BGP Best Path Selection Algorithm").
    pub const IOS_XR: Self = Self {
        weight: true,
        tie_break: TieBreak::RouterIdFirst,
        deterministic_med: true,
        multipath: (1, 1),
        requires_policy: true,
        sends_back: false,
    };
    /// Cisco IOS and IOS XE: MEDs compared in order of arrival unless told otherwise.
    pub const IOS: Self = Self {
        weight: true,
        tie_break: TieBreak::RouterIdFirst,
        deterministic_med: false,
        multipath: (1, 1),
        requires_policy: false,
        sends_back: false,
    };
    /// Nokia SR OS: no weight (7210 SAS routing guide, "BGP decision process").
    pub const NOKIA: Self = Self {
        weight: false,
        tie_break: TieBreak::RouterIdFirst,
        deterministic_med: true,
        multipath: (1, 1),
        requires_policy: true,
        sends_back: false,
    };
}

/// A router.
#[derive(Clone, Debug)]
pub struct Router {
    /// Name, unique.
    pub name: String,
    /// Configuration; a copy of the network shares it until it changes.
    pub config: Arc<RouterConfig>,
    /// Software.
    pub profile: Profile,
}

/// What a neighbour outside the network announces.
#[derive(Clone, Debug)]
pub struct Feed {
    /// Router it speaks with, by position.
    pub router: usize,
    /// Its address, as the router's configuration names it.
    pub neighbor: IpAddr,
    /// Its router id.
    pub router_id: Ipv4Addr,
    /// Attributes, each once.
    pub attributes: Arc<Vec<PathAttributes>>,
    /// What it announces, as the router receives it, before policy: prefix and place in `attributes`.
    pub routes: Arc<Vec<(Prefix, u32)>>,
}

/// Segments: which interfaces are connected with each other.
pub type Links = BTreeMap<String, Vec<(usize, String)>>;

/// What routes did before, by router, neighbour and prefix; a route that is not in it never flapped.
pub type Flaps = BTreeMap<(usize, IpAddr, Prefix), Vec<crate::Flap>>;

/// What is out of order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// Links, by name.
    pub links: BTreeSet<String>,
    /// Routers, by position.
    pub routers: BTreeSet<usize>,
    /// Sessions, by router and address of the neighbour; either side.
    pub sessions: BTreeSet<(usize, IpAddr)>,
}

/// A network.
#[derive(Clone, Debug, Default)]
pub struct Blueprint {
    /// Routers.
    pub routers: Vec<Router>,
    /// Segments; `None`: interfaces whose addresses lie in one subnet are connected.
    pub links: Option<Arc<Links>>,
    /// What comes from outside.
    pub feeds: Vec<Feed>,
    /// What is out of order.
    pub failures: Failures,
    /// Routers have just come up: `max-med on-startup` is in force.
    pub starting: bool,
    /// What routes did before, for routers with dampening; `None`: not known.
    pub flaps: Option<Arc<Flaps>>,
}
