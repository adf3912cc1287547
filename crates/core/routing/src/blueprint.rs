//! What a network is made of, as it is told to the computation.

use crate::profile::Profile;
use bgp::{PathAttributes, Prefix};
use config::RouterConfig;
use core::net::{IpAddr, Ipv4Addr};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A router.
#[derive(Clone, Debug, PartialEq)]
pub struct Router {
    /// Name, unique.
    pub name: String,
    /// Configuration; a copy of the network shares it until it changes.
    pub config: Arc<RouterConfig>,
    /// Software.
    pub profile: Profile,
}

/// What a neighbour outside the network announces.
#[derive(Clone, Debug, PartialEq)]
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

/// Paths from outside that routers have in use, by prefix: router and neighbour. Of paths that are equal but for their age these are the older.
pub type Older = BTreeMap<Prefix, BTreeSet<(usize, IpAddr)>>;

/// What is out of order.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failures {
    /// Links, by name.
    pub links: BTreeSet<String>,
    /// Routers, by position.
    pub routers: BTreeSet<usize>,
    /// Sessions, by router and address of the neighbour; either side.
    pub sessions: BTreeSet<(usize, IpAddr)>,
}

/// A network.
#[derive(Clone, Debug, Default, PartialEq)]
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
    /// What origin validation goes by, at every router alike; `None`: not known, which is neither "not found" nor "valid".
    pub vrps: Option<Arc<rtr::Vrps>>,
    /// Which paths from outside are the older ones; `None`: those of the neighbour that is told first.
    pub older: Option<Arc<Older>>,
}
