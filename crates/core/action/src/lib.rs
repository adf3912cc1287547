//! The twelve typed actions: what is touched, with which parameters, in which direction; and the identifiers everything else names.
//!
//! Lowest crate of the core: values only, no judgement.

mod id;

pub use id::{ChangeId, DeviceId, ExitId, FindingId, GroupId, OperatorId, ProposalId, ProviderId};

use bgp::Prefix;
use config::PolicyEdit;
use serde::{Deserialize, Serialize};

/// The twelve things Pilothouse can propose (S1-027).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ActionType {
    /// A prefix-scoped term in an import policy that sets LOCAL_PREF.
    LocalPrefAdjust,
    /// A term in an export policy that sets MED.
    MedAdjust,
    /// A term in an export policy that adds a community of the provider's dictionary.
    CommunityTag,
    /// The own AS prepended in an export policy.
    AsPathPrepend,
    /// Another next hop in an import policy.
    NextHopChange,
    /// Removes an administrative shutdown.
    PeerActivate,
    /// Drains a session, then shuts it down.
    PeerDeactivate,
    /// Denies listed prefixes on import of one session.
    PrefixFilter,
    /// Drains all sessions of a provider.
    IspFailover,
    /// An ordered set of the others.
    FullReroute,
    /// Drains and shuts down for good, configuration kept.
    Depeer,
    /// Nothing.
    NoAction,
}

impl ActionType {
    /// All twelve, in the order of the checklist.
    pub const ALL: [Self; 12] = [
        Self::LocalPrefAdjust,
        Self::MedAdjust,
        Self::CommunityTag,
        Self::AsPathPrepend,
        Self::NextHopChange,
        Self::PeerActivate,
        Self::PeerDeactivate,
        Self::PrefixFilter,
        Self::IspFailover,
        Self::FullReroute,
        Self::Depeer,
        Self::NoAction,
    ];

    /// Returns the name used on the wire and in records (`LOCAL_PREF_ADJUST`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LocalPrefAdjust => "LOCAL_PREF_ADJUST",
            Self::MedAdjust => "MED_ADJUST",
            Self::CommunityTag => "COMMUNITY_TAG",
            Self::AsPathPrepend => "AS_PATH_PREPEND",
            Self::NextHopChange => "NEXT_HOP_CHANGE",
            Self::PeerActivate => "PEER_ACTIVATE",
            Self::PeerDeactivate => "PEER_DEACTIVATE",
            Self::PrefixFilter => "PREFIX_FILTER",
            Self::IspFailover => "ISP_FAILOVER",
            Self::FullReroute => "FULL_REROUTE",
            Self::Depeer => "DEPEER",
            Self::NoAction => "NO_ACTION",
        }
    }
}

/// Which way the traffic flows that a finding or an action is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To prefixes learned from outside.
    Outbound,
    /// To our own announced prefixes.
    Inbound,
    /// Both (session actions).
    Both,
}

/// Who must agree (S1-028). Higher is stricter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AutonomyTier {
    /// Acts by itself, once graduated.
    Tier1Auto,
    /// One click of an operator.
    Tier2Approve,
    /// An operator types the target.
    Tier3Manual,
}

impl AutonomyTier {
    /// Returns 1, 2 or 3.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Tier1Auto => 1,
            Self::Tier2Approve => 2,
            Self::Tier3Manual => 3,
        }
    }
}

/// What an action sets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Parameters {
    /// Nothing to set.
    None,
    /// LOCAL_PREF of the listed prefixes on import from one exit.
    LocalPref {
        /// The new value, 0…300 by policy.
        local_pref: u32,
        /// Values that the prefixes have there now, lowest and highest.
        before: (u32, u32),
    },
    /// Drain of one provider.
    Failover {
        /// The provider that is drained, under all its ASNs.
        from: ProviderId,
        /// Where the twin sees the traffic go, most prefixes first.
        to: Vec<ProviderId>,
    },
}

/// One typed action with everything it touches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// Which of the twelve.
    pub kind: ActionType,
    /// Direction of the traffic it moves.
    pub direction: Direction,
    /// Prefixes it is meant to move; sorted. Anything else that moves is collateral.
    pub prefixes: Vec<Prefix>,
    /// The exits whose policy it edits.
    pub exits: Vec<ExitId>,
    /// Values.
    pub parameters: Parameters,
    /// The edits per device in execution order; empty for NO_ACTION.
    pub edits: Vec<DeviceEdits>,
}

/// Edits for one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceEdits {
    /// Device.
    pub device: DeviceId,
    /// Applied in order, all or nothing.
    pub edits: Vec<PolicyEdit>,
}
