//! Prefix, community and AS-path sets, and policy definitions.

use super::{PolicyWider, WiderAction, WiderCondition};
use bgp::{AsPath, Community, Family, Origin, Prefix};
use core::net::IpAddr;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Sets and policies, as openconfig-routing-policy holds them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutingPolicy {
    /// Prefix sets by name. FRR keeps IPv4 and IPv6 lists apart: a name may exist once per family.
    pub prefix_sets: BTreeMap<String, PrefixSet>,
    /// Community sets by name.
    pub community_sets: BTreeMap<String, CommunitySet>,
    /// Policy definitions by name.
    pub definitions: BTreeMap<String, PolicyDefinition>,
    /// The wider part.
    #[serde(default)]
    pub wider: PolicyWider,
}

/// A prefix set. No entry matches: the prefix is not in the set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefixSet {
    /// Family of every entry.
    pub family: Family,
    /// Entries in order; the first that matches decides.
    pub entries: Vec<PrefixEntry>,
}

/// One entry of a prefix set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefixEntry {
    /// Sequence number.
    pub sequence: u32,
    /// Permit, or deny (deny: not in the set, stop).
    pub permit: bool,
    /// Covering prefix.
    pub prefix: Prefix,
    /// Shortest length that matches; `None` with `le` given means the prefix's own length.
    pub ge: Option<u8>,
    /// Longest length that matches.
    pub le: Option<u8>,
}

/// A standard community list: a route is in the set when one entry's communities are all on the route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommunitySet {
    /// (permit, communities that must all be present) in order; the first match decides.
    pub entries: Vec<(bool, Vec<Community>)>,
}

/// A policy definition (a route-map).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyDefinition {
    /// Statements in evaluation order, by sequence number. A route that no statement matches is rejected.
    pub statements: Vec<Statement>,
}

/// One term.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Sequence number; its decimal form is the OpenConfig statement name.
    pub sequence: u32,
    /// Accept or reject when all conditions hold.
    pub result: PolicyResult,
    /// All must hold; none means every route.
    pub conditions: Vec<Condition>,
    /// What an accepted route gets, in order.
    pub actions: Vec<RouteAction>,
}

impl Statement {
    /// Returns a term without conditions and actions.
    #[must_use]
    pub const fn new(sequence: u32, result: PolicyResult) -> Self {
        Self { sequence, result, conditions: Vec::new(), actions: Vec::new() }
    }

    /// Returns the term with conditions and actions in one fixed order (the order does not matter: each kind occurs once) and sorted
    /// community lists, so that what was written compares equal to what a router shows.
    #[must_use]
    pub fn canonical(mut self) -> Self {
        for action in &mut self.actions {
            if let RouteAction::AddCommunities(list) | RouteAction::SetCommunities(list) = action {
                list.sort_unstable();
                list.dedup();
            }
        }
        self.actions.sort_by_key(RouteAction::rank);
        self.conditions.sort_by_key(Condition::rank);
        self
    }
}

impl Condition {
    const fn rank(&self) -> u8 {
        match self {
            Self::PrefixSet(_) => 0,
            Self::CommunitySet(_) => 1,
            Self::Wider { .. } => 2,
            Self::Unmodelled(_) => 3,
        }
    }

    /// Says whether FRR, which has this condition in a term and reads `new`, keeps only the latter; of prefix sets, where both are of one
    /// family.
    #[must_use]
    pub fn replaced_by(&self, new: &Self) -> bool {
        use core::mem::discriminant as kind;
        let communities =
            |c: &Self| matches!(c, Self::CommunitySet(_)) || matches!(c, Self::Wider { what: WiderCondition::CommunitySetExact(_), .. });
        let large = |c: &Self| {
            let Self::Wider { what, .. } = c else { return false };
            matches!(what, WiderCondition::LargeCommunitySet(_) | WiderCondition::LargeCommunitySetExact(_))
        };
        let peer = |c: &Self| {
            let Self::Wider { what, .. } = c else { return false };
            matches!(what, WiderCondition::Peer(_) | WiderCondition::PeerLocal)
        };
        // `match ip` and `match ipv6` stand beside each other
        let six = |line: &str| line.starts_with("match ipv6 ");
        match (self, new) {
            (Self::PrefixSet(_), Self::PrefixSet(_)) => true,
            (Self::Wider { what: a, line: old }, Self::Wider { what: b, line }) if kind(a) == kind(b) => six(old) == six(line),
            (a, b) => [communities, large, peer].iter().any(|same| same(a) && same(b)),
        }
    }
}

impl RouteAction {
    /// Says whether a router that has this action and gets `new` keeps only the latter.
    #[must_use]
    pub fn replaced_by(&self, new: &Self) -> bool {
        use core::mem::discriminant as kind;
        let communities = |a: &Self| matches!(a, Self::AddCommunities(_) | Self::SetCommunities(_));
        let med = |a: &Self| matches!(a, Self::SetMed(_) | Self::Wider { what: WiderAction::AddMed(_), .. });
        let preference = |a: &Self| matches!(a, Self::SetLocalPref(_) | Self::Wider { what: WiderAction::AddLocalPref(_), .. });
        match (self, new) {
            (Self::Unmodelled(_), _) | (_, Self::Unmodelled(_)) => false,
            (Self::Wider { what: a, .. }, Self::Wider { what: b, .. }) => kind(a) == kind(b),
            (a, b) => kind(a) == kind(b) || [communities, med, preference].iter().any(|same| same(a) && same(b)),
        }
    }

    const fn rank(&self) -> u8 {
        match self {
            Self::SetLocalPref(_) => 0,
            Self::SetMed(_) => 1,
            Self::SetWeight(_) => 2,
            Self::SetOrigin(_) => 3,
            Self::DeleteCommunities(_) => 4,
            Self::AddCommunities(_) => 5,
            Self::SetCommunities(_) => 6,
            Self::Prepend(_) => 7,
            Self::SetNextHop(_) => 8,
            Self::Wider { .. } => 9,
            Self::Unmodelled(_) => 10,
        }
    }
}

/// What a matching term does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyResult {
    /// `permit`, ACCEPT_ROUTE.
    Accept,
    /// `deny`, REJECT_ROUTE.
    Reject,
}

/// A condition of a term.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// The prefix is in the set. A set of the other family never matches.
    PrefixSet(String),
    /// The route's communities match the set.
    CommunitySet(String),
    /// A condition of the wider part.
    Wider {
        /// What it asks.
        what: WiderCondition,
        /// As written.
        line: String,
    },
    /// A condition that is not modelled: evaluation stops as "unknown" and the route is reported.
    Unmodelled(String),
}

/// A change that a term makes to an accepted route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteAction {
    /// `set local-preference`.
    SetLocalPref(u32),
    /// `set metric`.
    SetMed(u32),
    /// `set weight` (FRR, Cisco; local to the router).
    SetWeight(u32),
    /// `set origin`.
    SetOrigin(Origin),
    /// `set community … additive`.
    AddCommunities(Vec<Community>),
    /// `set community …`, replacing all.
    SetCommunities(Vec<Community>),
    /// `set comm-list NAME delete`.
    DeleteCommunities(String),
    /// `set as-path prepend …`.
    Prepend(AsPath),
    /// `set ip next-hop`, `set ipv6 next-hop global`.
    SetNextHop(IpAddr),
    /// An action of the wider part.
    Wider {
        /// What it does.
        what: WiderAction,
        /// As written.
        line: String,
    },
    /// An action that is not modelled.
    Unmodelled(String),
}
