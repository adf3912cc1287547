//! Where a router has a path from.

use action::{DeviceId, ExitId};
use core::fmt;
use core::net::IpAddr;

/// Where a router has a path from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// It made it itself.
    Local,
    /// A neighbour that is not managed: of another AS, or a router of ours that is not in the inventory.
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
