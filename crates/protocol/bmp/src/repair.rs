//! Known sender faults that are corrected, each with a stable name.

use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A correction, always shown with what it corrected; or, where it says "a note", only the name of what was odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repair {
    /// The router's own AS stood in front of the AS_PATH of an eBGP peer's route and was taken off (FRR 8.4.4, seen).
    FrrOwnAsInFront,
    /// AS_PATH with 2-octet AS numbers under a header that says 4.
    TwoOctetAsPath,
    /// AS_PATH with 4-octet AS numbers under a header that says 2.
    FourOctetAsPath,
    /// A Peer Down for a peer that never was up in this session (FRR 8.4.4 sends one for each peer that is not up yet when it connects,
    /// seen): it ends no session, and the state of the peer stays as others told it.
    PeerDownBeforePeerUp,
    /// A Peer Up with a bare BGP header where an OPEN belongs (RFC 7854 §4.10; FRR 8.4.4 that did not keep the OPEN of a session whose
    /// connections collided, seen): what it would tell stays absent, and the peer is up.
    OpenMissing,
    /// A second Peer Down without a Peer Up between (FRR 8.4.4, seen). A note.
    PeerDownRepeated,
    /// Routes of a peer without its Peer Up (FRR 8.4.4 sends local routes under peer 0.0.0.0, seen). A note.
    RoutesWithoutPeerUp,
    /// NLRI read with path identifiers although no OPEN was seen that agreed on them (RFC 7911 §4): nothing else made sense.
    AddPathGuessed,
    /// The same in a Loc-RIB whose Peer Up does not say that paths are numbered (GoBGP before 4.4, osrg/gobgp#3499).
    LocRibAddPath,
    /// NLRI without path identifiers although both OPENs agreed on them (RFC 7911 §4): FRR 8.4.4 in every view, GoBGP 3.10 after policy
    /// (both seen). Of several paths to a prefix the last one told is known.
    AddPathMissing,
    /// A route after policy without next hop; it is kept, its next hop stays absent.
    NextHopMissing,
    /// An IPv6 address under a header without the V flag (RFC 7854 §4.2). A note: it cannot be an IPv4 address.
    Ipv6FlagMissing,
    /// A statistic that no registry knows (FRR 8.4.4 sends 65531, seen); kept as a number. A note.
    UnknownStatistic(u16),
    /// A statistic whose length is none of a counter (RFC 7854 §4.8); kept raw. A note.
    StatisticLength(u16),
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FrrOwnAsInFront => "frr_own_as_in_front",
            Self::TwoOctetAsPath => "two_octet_as_path",
            Self::FourOctetAsPath => "four_octet_as_path",
            Self::PeerDownBeforePeerUp => "peer_down_before_peer_up",
            Self::OpenMissing => "open_missing",
            Self::PeerDownRepeated => "peer_down_repeated",
            Self::RoutesWithoutPeerUp => "routes_without_peer_up",
            Self::AddPathGuessed => "add_path_guessed",
            Self::LocRibAddPath => "loc_rib_add_path",
            Self::AddPathMissing => "add_path_missing",
            Self::NextHopMissing => "next_hop_missing",
            Self::Ipv6FlagMissing => "ipv6_flag_missing",
            Self::UnknownStatistic(number) => return write!(f, "unknown_statistic_{number}"),
            Self::StatisticLength(number) => return write!(f, "statistic_length_{number}"),
        })
    }
}

/// Corrections that change what is read or kept, and can be switched off; the others are notes of what was odd.
const SWITCHABLE: [Repair; 9] = [
    Repair::FrrOwnAsInFront,
    Repair::TwoOctetAsPath,
    Repair::FourOctetAsPath,
    Repair::PeerDownBeforePeerUp,
    Repair::OpenMissing,
    Repair::AddPathGuessed,
    Repair::LocRibAddPath,
    Repair::AddPathMissing,
    Repair::NextHopMissing,
];

/// A name that is no switchable correction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no correction that can be switched off; there are frr_own_as_in_front, two_octet_as_path, four_octet_as_path, peer_down_before_peer_up, open_missing, add_path_guessed, loc_rib_add_path, add_path_missing, next_hop_missing"
)]
pub struct NoRepair(pub String);

impl FromStr for Repair {
    type Err = NoRepair;

    fn from_str(text: &str) -> Result<Self, NoRepair> {
        SWITCHABLE.into_iter().find(|r| r.to_string() == text).ok_or_else(|| NoRepair(text.to_owned()))
    }
}

/// Which corrections are made. What is switched off is read as the standard says: the odd message costs what it costs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Switched {
    off: BTreeSet<Repair>,
}

impl Switched {
    /// Switches these corrections off.
    #[must_use]
    pub fn off(repairs: impl IntoIterator<Item = Repair>) -> Self {
        Self { off: repairs.into_iter().collect() }
    }

    /// Says whether a correction is made.
    #[must_use]
    pub fn makes(&self, repair: Repair) -> bool {
        !self.off.contains(&repair)
    }

    /// Says whether all corrections are made.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.off.is_empty()
    }
}

impl TryFrom<Vec<String>> for Switched {
    type Error = NoRepair;

    fn try_from(names: Vec<String>) -> Result<Self, NoRepair> {
        let off: Result<Vec<Repair>, NoRepair> = names.iter().map(|n| n.parse()).collect();
        off.map(Self::off)
    }
}

impl From<Switched> for Vec<String> {
    fn from(switched: Switched) -> Self {
        switched.off.iter().map(ToString::to_string).collect()
    }
}
