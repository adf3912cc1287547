//! Known sender faults that are corrected, each with a stable name.

use core::fmt;
use serde::{Deserialize, Serialize};

/// A correction, always shown with what it corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repair {
    /// The router's own AS stood in front of the AS_PATH of an eBGP peer's route and was taken off (FRR 8.4.4, seen).
    FrrOwnAsInFront,
    /// AS_PATH with 2-octet AS numbers under a header that says 4.
    TwoOctetAsPath,
    /// AS_PATH with 4-octet AS numbers under a header that says 2.
    FourOctetAsPath,
    /// A Peer Down for a peer that never was up in this session (FRR 8.4.4, seen).
    PeerDownBeforePeerUp,
    /// A second Peer Down without a Peer Up between (FRR 8.4.4, seen).
    PeerDownRepeated,
    /// Routes of a peer without its Peer Up (FRR 8.4.4 sends local routes under peer 0.0.0.0, seen).
    RoutesWithoutPeerUp,
    /// NLRI read with path identifiers although no OPEN was seen that agreed on them (RFC 7911 §4): nothing else made sense.
    AddPathGuessed,
    /// A route after policy without next hop; it is kept, its next hop stays absent.
    NextHopMissing,
    /// An IPv6 address under a header without the V flag (RFC 7854 §4.2).
    Ipv6FlagMissing,
    /// A statistic that no registry knows (FRR 8.4.4 sends 65531, seen); kept as a number.
    UnknownStatistic(u16),
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FrrOwnAsInFront => "frr_own_as_in_front",
            Self::TwoOctetAsPath => "two_octet_as_path",
            Self::FourOctetAsPath => "four_octet_as_path",
            Self::PeerDownBeforePeerUp => "peer_down_before_peer_up",
            Self::PeerDownRepeated => "peer_down_repeated",
            Self::RoutesWithoutPeerUp => "routes_without_peer_up",
            Self::AddPathGuessed => "add_path_guessed",
            Self::NextHopMissing => "next_hop_missing",
            Self::Ipv6FlagMissing => "ipv6_flag_missing",
            Self::UnknownStatistic(number) => return write!(f, "unknown_statistic_{number}"),
        })
    }
}
