//! BGP sessions of one router as the twin sees them.

use action::ExitId;
use bgp::{Asn, Family};
use config::NeighborFamily;
use core::net::{IpAddr, Ipv4Addr};
use network::AdjRib;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One session of one router.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// Neighbour address.
    pub neighbor: IpAddr,
    /// Administrative shutdown in the configuration.
    pub shutdown: bool,
    /// What the router reports.
    pub observed: Observed,
    /// The interface that reaches the neighbour is down.
    pub link_down: bool,
    /// BGP identifier of the neighbour, where known.
    pub remote_id: Option<Ipv4Addr>,
    /// Own addresses on the session, announced as next hop.
    pub local: LocalAddresses,
    /// Settings per activated family.
    pub families: BTreeMap<Family, NeighborFamily>,
    /// Who is at the other end.
    pub peer: Peer,
}

/// Session state as last reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observed {
    /// Established.
    Up,
    /// Not established, and not because it is shut down.
    Down,
    /// Not established because it is shut down: enabling it is taken to bring it up.
    ShutDown,
    /// Not reported: taken to be up.
    Unknown,
}

/// Own address per family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LocalAddresses {
    /// IPv4.
    pub v4: Option<IpAddr>,
    /// IPv6.
    pub v6: Option<IpAddr>,
}

impl LocalAddresses {
    /// Returns the address of the family.
    pub const fn get(&self, family: Family) -> Option<IpAddr> {
        match family {
            Family::Ipv4Unicast => self.v4,
            Family::Ipv6Unicast => self.v6,
        }
    }
}

/// The other end of a session.
#[derive(Clone, Debug, PartialEq)]
pub enum Peer {
    /// A router of another AS.
    External {
        /// Its AS.
        remote_as: Asn,
        /// The exit that the session belongs to.
        exit: Option<ExitId>,
        /// What it announces, before policy.
        feed: Arc<AdjRib>,
    },
    /// A router of ours.
    Internal {
        /// Its index.
        router: usize,
        /// Index of its session with us; `None`: it has none.
        session: Option<usize>,
    },
}

impl Session {
    /// Says whether this end lets the session be up.
    pub const fn enabled(&self) -> bool {
        !self.shutdown && !self.link_down && !matches!(self.observed, Observed::Down)
    }
}
