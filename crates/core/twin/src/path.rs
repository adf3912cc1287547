//! One route to a prefix as one router holds it.

use action::{DeviceId, ExitId};
use bgp::PathAttributes;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Where a router has a path from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Source {
    /// Its own `network` statement.
    Local,
    /// An eBGP neighbour.
    External {
        /// Neighbour address.
        neighbor: IpAddr,
        /// The exit of the inventory that the session belongs to.
        exit: Option<ExitId>,
    },
    /// Another router of ours.
    Internal {
        /// Neighbour address.
        neighbor: IpAddr,
        /// The router.
        device: DeviceId,
    },
}

impl Source {
    /// Returns the address of the neighbour that sent it; `None` for local.
    #[must_use]
    pub const fn neighbor(&self) -> Option<IpAddr> {
        match self {
            Self::Local => None,
            Self::External { neighbor, .. } | Self::Internal { neighbor, .. } => Some(*neighbor),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("local"),
            Self::External { neighbor, exit: Some(exit) } => write!(f, "{neighbor} ({exit})"),
            Self::External { neighbor, exit: None } => write!(f, "{neighbor}"),
            Self::Internal { neighbor, device } => write!(f, "{neighbor} ({device})"),
        }
    }
}

/// Why a path takes no part in the choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum Rejection {
    /// The own AS is in the AS_PATH (RFC 4271 §9.1.2).
    OwnAs,
    /// ORIGINATOR_ID is the router's own id (RFC 4456 §8).
    OwnOriginator,
    /// CLUSTER_LIST holds the router's own cluster (RFC 4456 §8).
    OwnCluster,
    /// An eBGP session without import policy accepts nothing (RFC 8212 §2).
    NoPolicy,
    /// The import policy rejects it.
    Policy {
        /// Term that matched; `None`: no term did.
        sequence: Option<u32>,
    },
    /// The import policy asks for something that is not modelled, so its result is not known; the path is left out.
    NotModelled {
        /// Term.
        sequence: u32,
        /// What it asks for.
        what: String,
    },
    /// The next hop is one of the router's own addresses.
    OwnNextHop,
    /// The next hop is not reachable (RFC 4271 §9.1.2.1).
    NextHopUnreachable,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnAs => f.write_str("own AS in the path"),
            Self::OwnOriginator => f.write_str("own originator id"),
            Self::OwnCluster => f.write_str("own cluster in the cluster list"),
            Self::NoPolicy => f.write_str("external session without import policy (RFC 8212)"),
            Self::Policy { sequence: Some(s) } => write!(f, "rejected by import term {s}"),
            Self::Policy { sequence: None } => f.write_str("no import term accepts it"),
            Self::NotModelled { sequence, what } => write!(f, "import term {sequence} asks for {what}, which is not modelled"),
            Self::OwnNextHop => f.write_str("next hop is the router itself"),
            Self::NextHopUnreachable => f.write_str("next hop unreachable"),
        }
    }
}

/// One path of a router to a prefix, after its import policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Path {
    /// Where it is from.
    pub source: Source,
    /// Attributes after import; LOCAL_PREF absent means the router's default.
    pub attributes: Arc<PathAttributes>,
    /// Weight: 32768 for local paths, else 0 unless policy sets it.
    pub weight: u32,
    /// BGP identifier of the neighbour, where known.
    pub remote_id: Option<Ipv4Addr>,
    /// IGP cost to the next hop; 0 when directly connected or local.
    pub igp_metric: u32,
    /// Import term that accepted it; `None`: no policy.
    pub term: Option<u32>,
    /// Why it takes no part; `None`: usable.
    pub rejected: Option<Rejection>,
    /// Used beside the best path (same cost in every step up to the IGP metric).
    pub multipath: bool,
}

impl Path {
    /// Says whether it takes part in the choice.
    #[must_use]
    pub const fn usable(&self) -> bool {
        self.rejected.is_none()
    }
}
