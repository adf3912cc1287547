//! One end of a BGP session (RFC 4271 §8), and what goes over it.

use super::router::{Accepted, Routes};
use bgp::{Asn, PathAttributes, Prefix};
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// State of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Nothing is tried: shut down.
    #[default]
    Idle,
    /// Waiting for the next attempt.
    Active,
    /// Our OPEN is under way.
    OpenSent,
    /// Theirs came.
    OpenConfirm,
    /// Routes are exchanged.
    Established,
}

impl State {
    /// Returns the name that FRR shows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "Idle",
            Self::Active => "Active",
            Self::OpenSent => "OpenSent",
            Self::OpenConfirm => "OpenConfirm",
            Self::Established => "Established",
        }
    }
}

/// Why a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Nothing was heard for the hold time.
    HoldTimer,
    /// The interface toward the neighbour is down.
    Interface,
    /// Shut down by configuration (RFC 4486, 6/2).
    Shutdown,
    /// Reset by the administrator (6/4).
    Reset,
    /// More prefixes than allowed (6/1).
    MaximumPrefix,
    /// The OPEN named another AS (2/2).
    BadPeerAs,
    /// The neighbour sent a NOTIFICATION.
    Told,
}

impl Ending {
    /// Returns what FRR shows as the reason of the last reset.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::HoldTimer => "Hold Timer Expired",
            Self::Interface => "Interface down",
            Self::Shutdown => "Admin. shutdown",
            Self::Reset => "User reset",
            Self::MaximumPrefix => "Maximum prefix reached",
            Self::BadPeerAs => "Bad peer AS",
            Self::Told => "BGP Notification received",
        }
    }

    /// Returns code and subcode of the NOTIFICATION (RFC 4271 §4.5, RFC 4486).
    #[must_use]
    pub const fn code(self) -> (u8, u8) {
        match self {
            Self::HoldTimer => (4, 0),
            Self::Interface => (6, 6),
            Self::Shutdown => (6, 2),
            Self::Reset | Self::Told => (6, 4),
            Self::MaximumPrefix => (6, 1),
            Self::BadPeerAs => (2, 2),
        }
    }
}

/// A BGP message.
#[derive(Clone, Debug)]
pub enum Message {
    /// OPEN.
    Open {
        /// Sender's AS on this session.
        asn: Asn,
        /// Sender's identifier.
        id: Ipv4Addr,
    },
    /// KEEPALIVE.
    Keepalive,
    /// UPDATEs: all changes of one moment.
    Update(Routes),
    /// NOTIFICATION.
    Notification,
}

/// One end.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Own address.
    pub local: IpAddr,
    /// Own AS on this session.
    pub local_as: Asn,
    /// The neighbour's node, by index.
    pub node: usize,
    /// AS that the neighbour must name.
    pub remote_as: Asn,
    /// What it is called.
    pub description: String,
    /// Same AS.
    pub internal: bool,
    /// Link of a session with a connected neighbour.
    pub link: Option<usize>,
    /// Keepalive and hold time, seconds.
    pub timers: (u64, u64),
    /// The neighbour's identifier, as its OPEN said.
    pub remote_id: Ipv4Addr,
    /// State.
    pub state: State,
    /// Connection that messages belong to; what comes from an older one is nobody's.
    pub connection: u64,
    /// When something was last heard, nanoseconds.
    pub heard: u64,
    /// How often it was established.
    pub established: u64,
    /// Why it last ended.
    pub ended: Option<Ending>,
    /// Adj-RIB-In before policy.
    pub received: BTreeMap<Prefix, Arc<PathAttributes>>,
    /// Adj-RIB-In after policy.
    pub accepted: BTreeMap<Prefix, Accepted>,
    /// Adj-RIB-Out.
    pub announced: BTreeMap<Prefix, Arc<PathAttributes>>,
    /// Messages that the transport could not carry yet.
    pub outbox: VecDeque<Message>,
    /// When the last message sent arrives: order is kept.
    pub last_arrival: u64,
    /// The transport tries again by itself.
    pub retrying: bool,
}
