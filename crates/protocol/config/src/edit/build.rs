//! Edits that actions are made of: terms that keep everything later terms would have done to a route.

use super::PolicyEdit;
use crate::{Condition, PolicyResult, PrefixEntry, PrefixSet, RouteAction, RoutingPolicy, Statement};
use bgp::{Community, Family, PathAttributes, Prefix};
use std::collections::BTreeMap;

/// Why a term cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TermError {
    /// The policy does not exist.
    #[error("policy {policy} does not exist")]
    NoPolicy {
        /// Its name.
        policy: String,
    },
    /// The route is not accepted by the policy, so there is nothing to adjust.
    #[error("policy {policy} does not accept {prefix}")]
    NotAccepted {
        /// Policy.
        policy: String,
        /// Prefix.
        prefix: Prefix,
    },
    /// A condition before the decision is not modelled.
    #[error("policy {policy}, statement {sequence}: {what} is not modelled, so what it does to {prefix} is not known")]
    NotModelled {
        /// Policy.
        policy: String,
        /// Statement.
        sequence: u32,
        /// Condition.
        what: String,
        /// Prefix.
        prefix: Prefix,
    },
    /// No free sequence number before the term.
    #[error("policy {policy} has no free sequence number before {before}; renumber it by hand")]
    NoRoom {
        /// Policy.
        policy: String,
        /// Statement.
        before: u32,
    },
}

/// Builds the edits that give `routes` (prefix and attributes as they arrive at the policy) `local_pref` on import, and change nothing else.
///
/// For every accept-term that matches some of the routes today, a copy goes in front of it: the same conditions and a prefix set of exactly
/// these prefixes, the same actions with only LOCAL_PREF replaced. So what the later term would have done (a `set community`) is kept, and
/// denies in front of it stay in front. A prefix-set condition of the term is replaced by the new set, not joined with it: a term has one
/// such condition (FRR, OpenConfig), and each of the prefixes fulfils it. Prefix sets are called `PH-<tag>-<new sequence>`, with a
/// counter where that name is taken. Prefixes of one family only; a prefix belongs to one term.
///
/// # Errors
/// [`TermError`] naming the policy and the prefix.
pub fn local_pref_terms(
    policy: &RoutingPolicy,
    definition: &str,
    routes: &[(Prefix, &PathAttributes)],
    local_pref: u32,
    tag: &str,
) -> Result<Vec<PolicyEdit>, TermError> {
    let named = definition.to_owned();
    let statements = &policy.definitions.get(definition).ok_or(TermError::NoPolicy { policy: named.clone() })?.statements;
    let mut by_term: BTreeMap<u32, Vec<Prefix>> = BTreeMap::new();
    for (prefix, attributes) in routes {
        let term = policy.first_match(definition, prefix, attributes).map_err(|(sequence, what)| TermError::NotModelled {
            policy: named.clone(),
            sequence,
            what,
            prefix: *prefix,
        })?;
        let accepting = term.filter(|t| t.result == PolicyResult::Accept);
        let term = accepting.ok_or_else(|| TermError::NotAccepted { policy: named.clone(), prefix: *prefix })?;
        by_term.entry(term.sequence).or_default().push(*prefix);
    }
    let mut edits = Vec::new();
    for (before, mut prefixes) in by_term {
        prefixes.sort_unstable();
        prefixes.dedup();
        let Some(at) = statements.iter().position(|s| s.sequence == before) else { continue };
        let low = at.checked_sub(1).and_then(|i| statements.get(i)).map_or(0, |s| s.sequence);
        let sequence = free_sequence(low, before).ok_or_else(|| TermError::NoRoom { policy: named.clone(), before })?;
        let set = free_name(policy, &format!("PH-{tag}-{sequence}"));
        edits.push(PolicyEdit::PutPrefixSet { name: set.clone(), set: exact(&prefixes) });
        let original = &statements[at];
        let mut conditions = vec![Condition::PrefixSet(set)];
        conditions.extend(original.conditions.iter().filter(|c| !matches!(c, Condition::PrefixSet(_))).cloned());
        let mut actions = vec![RouteAction::SetLocalPref(local_pref)];
        actions.extend(original.actions.iter().filter(|a| !matches!(a, RouteAction::SetLocalPref(_))).cloned());
        let statement = Statement { sequence, result: PolicyResult::Accept, conditions, actions };
        edits.push(PolicyEdit::InsertStatement { policy: named.clone(), statement: statement.canonical(), before: Some(before) });
    }
    Ok(edits)
}

/// Steps between terms while there is room: leaves places before and after each.
const TERM_STEP: u32 = 10;

/// Returns a sequence number strictly between two terms. It leaves room on both sides, because the next change may go before this term
/// as well as after it.
fn free_sequence(low: u32, before: u32) -> Option<u32> {
    let gap = before.checked_sub(low)?;
    let sequence = if gap > 2 * TERM_STEP { low + TERM_STEP } else { low + gap / 2 };
    (sequence > low && sequence < before).then_some(sequence)
}

/// Returns `wanted`, or the first numbered variant that no set has: replacing a set would change what another term does.
fn free_name(policy: &RoutingPolicy, wanted: &str) -> String {
    let free = |name: &String| !policy.prefix_sets.contains_key(name);
    core::iter::once(wanted.to_owned()).chain((2u32..).map(|n| format!("{wanted}-{n}"))).find(free).unwrap_or_else(|| wanted.to_owned())
}

/// A prefix set of exactly these prefixes.
fn exact(prefixes: &[Prefix]) -> PrefixSet {
    let family = prefixes.first().map_or(Family::Ipv4Unicast, Prefix::family);
    let entries =
        (1..).zip(prefixes).map(|(n, prefix)| PrefixEntry { sequence: n * 5, permit: true, prefix: *prefix, ge: None, le: None }).collect();
    PrefixSet { family, entries }
}

/// Builds the edits that give every accepted route the lowest LOCAL_PREF, 0 (the import half of a drain, RFC 8326 §4).
///
/// # Errors
/// [`TermError::NoPolicy`].
pub fn drain_import(policy: &RoutingPolicy, definition: &str) -> Result<Vec<PolicyEdit>, TermError> {
    replace_accepts(policy, definition, |actions| {
        actions.retain(|a| !matches!(a, RouteAction::SetLocalPref(_)));
        actions.insert(0, RouteAction::SetLocalPref(0));
    })
}

/// Builds the edits that add GRACEFUL_SHUTDOWN to every announced route (the export half of a drain, RFC 8326 §4).
///
/// # Errors
/// [`TermError::NoPolicy`].
pub fn drain_export(policy: &RoutingPolicy, definition: &str) -> Result<Vec<PolicyEdit>, TermError> {
    replace_accepts(policy, definition, |actions| {
        // a term has one `set community` only: join what is there, or the second would replace the first
        let present = actions.iter_mut().find_map(|a| match a {
            RouteAction::AddCommunities(list) | RouteAction::SetCommunities(list) => Some(list),
            _ => None,
        });
        match present {
            Some(list) => list.push(Community::GRACEFUL_SHUTDOWN),
            None => actions.push(RouteAction::AddCommunities(vec![Community::GRACEFUL_SHUTDOWN])),
        }
    })
}

fn replace_accepts(policy: &RoutingPolicy, definition: &str, change: impl Fn(&mut Vec<RouteAction>)) -> Result<Vec<PolicyEdit>, TermError> {
    let found = policy.definitions.get(definition).ok_or_else(|| TermError::NoPolicy { policy: definition.to_owned() })?;
    let accepts = found.statements.iter().filter(|s| s.result == PolicyResult::Accept);
    Ok(accepts
        .map(|s| {
            let mut statement = s.clone();
            change(&mut statement.actions);
            PolicyEdit::ReplaceStatement { policy: definition.to_owned(), statement: statement.canonical() }
        })
        .collect())
}
