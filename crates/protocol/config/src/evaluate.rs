//! Policy evaluation as FRR's route-maps do it (bgpd/bgp_routemap.c, lib/plist.c; 8.4).

use crate::{CommunitySet, Condition, PolicyResult, PrefixEntry, PrefixSet, RouteAction, RoutingPolicy, Statement};
use bgp::{Community, PathAttributes, Prefix};

/// What a policy made of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyOutcome {
    /// Accepted, with the attributes it has now.
    Accepted {
        /// Attributes after the term's actions.
        attributes: PathAttributes,
        /// Weight, when a term set one (local to the router).
        weight: Option<u32>,
        /// Sequence of the term that matched.
        sequence: u32,
    },
    /// Rejected by a term, or by the implicit end (`None`).
    Rejected {
        /// Sequence of the term.
        sequence: Option<u32>,
    },
    /// A condition or action is not modelled: the outcome is not known.
    Unknown {
        /// Sequence of the term.
        sequence: u32,
        /// What is not modelled.
        what: String,
    },
}

impl RoutingPolicy {
    /// Evaluates the policy called `definition` on a route. A name that does not exist permits nothing (FRR: a route-map that is
    /// referenced but not defined denies all).
    #[must_use]
    pub fn evaluate(&self, definition: &str, prefix: &Prefix, attributes: &PathAttributes) -> PolicyOutcome {
        match self.first_match(definition, prefix, attributes) {
            Ok(None) => PolicyOutcome::Rejected { sequence: None },
            Ok(Some(term)) if term.result == PolicyResult::Reject => PolicyOutcome::Rejected { sequence: Some(term.sequence) },
            Ok(Some(term)) => self.carry_out(term, attributes),
            Err((sequence, what)) => PolicyOutcome::Unknown { sequence, what },
        }
    }

    /// Returns the first term whose conditions all hold.
    ///
    /// # Errors
    /// The sequence of the term and the condition that is not modelled, when one stands before a decision.
    pub fn first_match(&self, definition: &str, prefix: &Prefix, attributes: &PathAttributes) -> Result<Option<&Statement>, (u32, String)> {
        let Some(definition) = self.definitions.get(definition) else { return Ok(None) };
        for term in &definition.statements {
            let mut holds = true;
            for condition in &term.conditions {
                match self.holds(condition, prefix, &attributes.communities) {
                    Some(true) => {}
                    Some(false) => {
                        holds = false;
                        break;
                    }
                    None => return Err((term.sequence, format!("{condition:?}"))),
                }
            }
            if holds {
                return Ok(Some(term));
            }
        }
        Ok(None)
    }

    /// Says whether a condition holds; `None`: not modelled.
    fn holds(&self, condition: &Condition, prefix: &Prefix, communities: &[Community]) -> Option<bool> {
        match condition {
            // a list that does not exist matches nothing (FRR: RMAP_NOMATCH)
            Condition::PrefixSet(name) if self.wider.prefix_sets_v6.contains_key(name) => None,
            Condition::CommunitySet(name) if self.wider.expanded_community_sets.contains_key(name) => None,
            Condition::PrefixSet(name) => Some(self.prefix_sets.get(name).is_some_and(|s| s.matches(prefix))),
            Condition::CommunitySet(name) => Some(self.community_sets.get(name).is_some_and(|s| s.matches(communities))),
            Condition::Unmodelled(_) | Condition::Wider { .. } => None,
        }
    }

    fn carry_out(&self, term: &Statement, attributes: &PathAttributes) -> PolicyOutcome {
        let mut out = attributes.clone();
        let mut weight = None;
        for action in &term.actions {
            match action {
                RouteAction::SetLocalPref(v) => out.local_pref = Some(*v),
                RouteAction::SetMed(v) => out.med = Some(*v),
                RouteAction::SetWeight(v) => weight = Some(*v),
                RouteAction::SetOrigin(v) => out.origin = *v,
                RouteAction::AddCommunities(add) => out.communities.extend_from_slice(add),
                RouteAction::SetCommunities(set) => out.communities.clone_from(set),
                RouteAction::DeleteCommunities(name) if self.wider.expanded_community_sets.contains_key(name) => {
                    return PolicyOutcome::Unknown { sequence: term.sequence, what: format!("set comm-list {name} delete") };
                }
                RouteAction::DeleteCommunities(name) => {
                    if let Some(set) = self.community_sets.get(name) {
                        out.communities.retain(|c| !set.deletes(*c));
                    }
                }
                RouteAction::Prepend(path) => {
                    let mut segments = path.segments().to_vec();
                    segments.extend_from_slice(out.as_path.segments());
                    out.as_path = bgp::AsPath::new(join_sequences(segments));
                }
                RouteAction::SetNextHop(address) => out.next_hop = Some(*address),
                RouteAction::Unmodelled(what) | RouteAction::Wider { line: what, .. } => {
                    return PolicyOutcome::Unknown { sequence: term.sequence, what: what.clone() };
                }
            }
        }
        out.communities.sort_unstable();
        out.communities.dedup();
        PolicyOutcome::Accepted { attributes: out, weight, sequence: term.sequence }
    }
}

/// Joins neighbouring plain sequences, as a router writes them.
fn join_sequences(segments: Vec<bgp::Segment>) -> Vec<bgp::Segment> {
    let mut joined: Vec<bgp::Segment> = Vec::with_capacity(segments.len());
    for segment in segments {
        match (joined.last_mut(), segment) {
            (Some(bgp::Segment::Sequence(a)), bgp::Segment::Sequence(b)) => a.extend(b),
            (_, segment) => joined.push(segment),
        }
    }
    joined
}

impl PrefixSet {
    /// Says whether the prefix is in the set: the first entry that matches decides, none means no.
    #[must_use]
    pub fn matches(&self, prefix: &Prefix) -> bool {
        self.family == prefix.family() && self.entries.iter().find(|e| e.matches(prefix)).is_some_and(|e| e.permit)
    }
}

impl PrefixEntry {
    /// Says whether the entry speaks of this prefix: covered, and its length within bounds. Without `ge` and `le` only the exact length.
    #[must_use]
    pub fn matches(&self, prefix: &Prefix) -> bool {
        let length = prefix.length();
        let longest = if prefix.family() == bgp::Family::Ipv4Unicast { 32 } else { 128 };
        let bounds = match (self.ge, self.le) {
            (None, None) => self.prefix.length()..=self.prefix.length(),
            (Some(ge), None) => ge..=longest,
            (ge, Some(le)) => ge.unwrap_or_else(|| self.prefix.length())..=le,
        };
        self.prefix.covers(prefix) && bounds.contains(&length)
    }
}

impl CommunitySet {
    /// Says whether `set comm-list … delete` takes this community off: the first entry that names it decides (FRR 8.4,
    /// `community_list_match_delete`).
    #[must_use]
    pub fn deletes(&self, community: Community) -> bool {
        self.entries.iter().find(|(_, named)| named.contains(&community)).is_some_and(|(permit, _)| *permit)
    }

    /// Says whether a route with these communities matches.
    #[must_use]
    pub fn matches(&self, communities: &[Community]) -> bool {
        self.entries.iter().find(|(_, wanted)| wanted.iter().all(|w| communities.contains(w))).is_some_and(|(permit, _)| *permit)
    }
}
