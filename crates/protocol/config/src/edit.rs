//! Edits to a router's policy: applied to the model, and undone by a computed inverse.

mod build;

pub use build::{TermError, drain_export, drain_import, local_pref_terms};

use crate::{Condition, PolicyDefinition, PrefixSet, RouteAction, RouterConfig, Statement};
use core::net::IpAddr;
use serde::{Deserialize, Serialize};

/// One edit. A list of edits is applied in order, all or nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyEdit {
    /// Creates or replaces a prefix set.
    PutPrefixSet {
        /// Its name.
        name: String,
        /// Its whole content.
        set: PrefixSet,
    },
    /// Removes a prefix set.
    DeletePrefixSet {
        /// Its name.
        name: String,
    },
    /// Inserts a new term before an existing one (`insert="before"`, RFC 7950 §7.8.6). Its sequence lies between its neighbours'.
    InsertStatement {
        /// Policy definition.
        policy: String,
        /// The new term.
        statement: Statement,
        /// Sequence of the existing term it goes before; `None`: at the end.
        before: Option<u32>,
    },
    /// Replaces a term that exists, conditions and actions whole.
    ReplaceStatement {
        /// Policy definition.
        policy: String,
        /// The term as it shall be; its sequence names the one replaced.
        statement: Statement,
    },
    /// Removes a term.
    DeleteStatement {
        /// Policy definition.
        policy: String,
        /// Its sequence.
        sequence: u32,
    },
    /// Sets or clears a neighbour's administrative shutdown.
    SetNeighborEnabled {
        /// Neighbour address.
        neighbor: IpAddr,
        /// False shuts down.
        enabled: bool,
    },
}

/// Why edits cannot be applied to a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The named object does not exist.
    #[error("edit {index}: {what} does not exist on {hostname}")]
    Missing {
        /// Position in the list, from 0.
        index: usize,
        /// What was looked for.
        what: String,
        /// Router.
        hostname: String,
    },
    /// The edit contradicts what is there.
    #[error("edit {index} conflicts on {hostname}: {why}")]
    Conflict {
        /// Position in the list, from 0.
        index: usize,
        /// The contradiction.
        why: String,
        /// Router.
        hostname: String,
    },
}

impl EditError {
    /// Returns the error as one of edit number `position`.
    pub(crate) fn at(mut self, position: usize) -> Self {
        match &mut self {
            Self::Missing { index, .. } | Self::Conflict { index, .. } => *index = position,
        }
        self
    }
}

/// Longest name that is written to a router, in bytes; FRR cuts names at 128 or more.
const NAME_BYTES_MAX: usize = 120;
/// Longest native line that is written to a router, in bytes.
const LINE_BYTES_MAX: usize = 400;

/// Says why a name may not be written: one word, and nothing that a command line reads otherwise.
fn refused_name(name: &str) -> Option<String> {
    let odd = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '"' | '\'' | '?' | '!' | '#' | '|');
    let wrong = name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(odd);
    wrong.then(|| format!("{name:?} is not a name that a router takes"))
}

/// Says why a native line may not be written: it must be a clause of a term, so that it cannot leave the term and configure something else.
fn refused_line(line: &str, starts: &[&str]) -> Option<String> {
    let clause = line.split_whitespace().next().is_some_and(|word| starts.contains(&word));
    let wrong = !clause || line.len() > LINE_BYTES_MAX || line.chars().any(char::is_control);
    wrong.then(|| format!("{line:?} is not a clause of a term"))
}

/// Says what of a term cannot be written.
fn refused_term(statement: &Statement) -> Option<String> {
    let conditions = statement.conditions.iter().find_map(|c| match c {
        Condition::PrefixSet(name) | Condition::CommunitySet(name) => refused_name(name),
        Condition::Unmodelled(line) | Condition::Wider { line, .. } => refused_line(line, &["match"]),
    });
    conditions.or_else(|| {
        statement.actions.iter().find_map(|a| match a {
            RouteAction::DeleteCommunities(name) => refused_name(name),
            RouteAction::Unmodelled(line) | RouteAction::Wider { line, .. } => refused_line(line, &["set", "on-match", "continue", "call"]),
            _ => None,
        })
    })
}

/// Applies `edits` in order; on error `config` is left as it was.
///
/// # Errors
/// [`EditError`] naming the first edit that cannot be applied.
pub fn apply(config: &mut RouterConfig, edits: &[PolicyEdit]) -> Result<(), EditError> {
    inverse_and_apply(config, edits).map(drop)
}

/// Returns the edits that restore `config` after `edits`, in the order they must be applied.
///
/// # Errors
/// [`EditError`] when `edits` do not apply to `config`.
pub fn inverse(config: &RouterConfig, edits: &[PolicyEdit]) -> Result<Vec<PolicyEdit>, EditError> {
    inverse_and_apply(&mut config.clone(), edits)
}

/// Says whether every edit of the list is found in `config`: what it puts is there, what it deletes is not.
#[must_use]
pub fn in_effect(config: &RouterConfig, edits: &[PolicyEdit]) -> bool {
    // a later edit of the list may overwrite an earlier one: only the last word on each object counts
    edits.iter().enumerate().all(|(i, edit)| edits[i + 1..].iter().any(|later| same_object(edit, later)) || holds(config, edit))
}

fn holds(config: &RouterConfig, edit: &PolicyEdit) -> bool {
    let term = |policy: &str, sequence: u32| {
        config.policy.definitions.get(policy).and_then(|d| d.statements.iter().find(|s| s.sequence == sequence))
    };
    match edit {
        PolicyEdit::PutPrefixSet { name, set } => config.policy.prefix_sets.get(name) == Some(set),
        PolicyEdit::DeletePrefixSet { name } => !config.policy.prefix_sets.contains_key(name),
        PolicyEdit::InsertStatement { policy, statement, .. } | PolicyEdit::ReplaceStatement { policy, statement } => {
            term(policy, statement.sequence).is_some_and(|t| t.clone().canonical() == statement.clone().canonical())
        }
        PolicyEdit::DeleteStatement { policy, sequence } => term(policy, *sequence).is_none(),
        PolicyEdit::SetNeighborEnabled { neighbor, enabled } => {
            config.bgp.as_ref().and_then(|b| b.neighbors.get(neighbor)).is_some_and(|n| n.shutdown != *enabled)
        }
    }
}

fn same_object(a: &PolicyEdit, b: &PolicyEdit) -> bool {
    use PolicyEdit as E;
    let set = |e: &E| match e {
        E::PutPrefixSet { name, .. } | E::DeletePrefixSet { name } => Some(name.clone()),
        _ => None,
    };
    let term = |e: &E| match e {
        E::InsertStatement { policy, statement, .. } | E::ReplaceStatement { policy, statement } => {
            Some((policy.clone(), statement.sequence))
        }
        E::DeleteStatement { policy, sequence } => Some((policy.clone(), *sequence)),
        _ => None,
    };
    let peer = |e: &E| match e {
        E::SetNeighborEnabled { neighbor, .. } => Some(*neighbor),
        _ => None,
    };
    (set(a).is_some() && set(a) == set(b)) || (term(a).is_some() && term(a) == term(b)) || (peer(a).is_some() && peer(a) == peer(b))
}

fn inverse_and_apply(config: &mut RouterConfig, edits: &[PolicyEdit]) -> Result<Vec<PolicyEdit>, EditError> {
    let mut scratch = config.clone();
    let mut undo = Vec::with_capacity(edits.len());
    for (index, edit) in edits.iter().enumerate() {
        undo.push(apply_one(&mut scratch, index, edit)?);
    }
    undo.reverse();
    *config = scratch;
    Ok(undo)
}

/// Applies one edit and returns the one that undoes it.
fn apply_one(config: &mut RouterConfig, index: usize, edit: &PolicyEdit) -> Result<PolicyEdit, EditError> {
    let hostname = config.hostname.clone();
    let missing = |what: String| EditError::Missing { index, what, hostname: hostname.clone() };
    let conflict = |why: String| EditError::Conflict { index, why, hostname: hostname.clone() };
    match edit {
        PolicyEdit::PutPrefixSet { name, set } => {
            if let Some(why) = refused_name(name) {
                return Err(conflict(why));
            }
            if set.entries.iter().any(|e| e.prefix.family() != set.family) {
                return Err(conflict(format!("prefix set {name} mixes families")));
            }
            if set.entries.is_empty() {
                // FRR: a list without entries permits everything
                return Err(conflict(format!("prefix set {name} has no entries")));
            }
            if set.entries.windows(2).any(|pair| pair[0].sequence >= pair[1].sequence) {
                return Err(conflict(format!("prefix set {name} is not in order of its sequence numbers")));
            }
            Ok(match config.policy.prefix_sets.insert(name.clone(), set.clone()) {
                Some(old) => PolicyEdit::PutPrefixSet { name: name.clone(), set: old },
                None => PolicyEdit::DeletePrefixSet { name: name.clone() },
            })
        }
        PolicyEdit::DeletePrefixSet { name } => {
            let old = config.policy.prefix_sets.remove(name).ok_or_else(|| missing(format!("prefix set {name}")))?;
            Ok(PolicyEdit::PutPrefixSet { name: name.clone(), set: old })
        }
        PolicyEdit::InsertStatement { policy, statement, before } => {
            if let Some(why) = refused_term(statement) {
                return Err(conflict(format!("{policy} {}: {why}", statement.sequence)));
            }
            let definition = definition(config, policy).ok_or_else(|| missing(format!("policy {policy}")))?;
            insert(definition, statement, *before).map_err(|e| match e {
                InsertError::NoAnchor(s) => missing(format!("statement {s} of {policy}")),
                InsertError::Order(why) => conflict(format!("{policy}: {why}")),
            })?;
            Ok(PolicyEdit::DeleteStatement { policy: policy.clone(), sequence: statement.sequence })
        }
        PolicyEdit::ReplaceStatement { policy, statement } => {
            if let Some(why) = refused_term(statement) {
                return Err(conflict(format!("{policy} {}: {why}", statement.sequence)));
            }
            let definition = definition(config, policy).ok_or_else(|| missing(format!("policy {policy}")))?;
            let slot = definition.statements.iter_mut().find(|s| s.sequence == statement.sequence);
            let slot = slot.ok_or_else(|| missing(format!("statement {} of {policy}", statement.sequence)))?;
            let old = core::mem::replace(slot, statement.clone());
            Ok(PolicyEdit::ReplaceStatement { policy: policy.clone(), statement: old })
        }
        PolicyEdit::DeleteStatement { policy, sequence } => {
            let definition = definition(config, policy).ok_or_else(|| missing(format!("policy {policy}")))?;
            let at = definition.statements.iter().position(|s| s.sequence == *sequence);
            let at = at.ok_or_else(|| missing(format!("statement {sequence} of {policy}")))?;
            let statement = definition.statements.remove(at);
            let before = definition.statements.get(at).map(|s| s.sequence);
            Ok(PolicyEdit::InsertStatement { policy: policy.clone(), statement, before })
        }
        PolicyEdit::SetNeighborEnabled { neighbor, enabled } => {
            let peer = config.bgp.as_mut().and_then(|b| b.neighbors.get_mut(neighbor));
            let peer = peer.ok_or_else(|| missing(format!("neighbor {neighbor}")))?;
            let was = !core::mem::replace(&mut peer.shutdown, !*enabled);
            Ok(PolicyEdit::SetNeighborEnabled { neighbor: *neighbor, enabled: was })
        }
    }
}

fn definition<'a>(config: &'a mut RouterConfig, policy: &str) -> Option<&'a mut PolicyDefinition> {
    config.policy.definitions.get_mut(policy)
}

enum InsertError {
    NoAnchor(u32),
    Order(String),
}

fn insert(definition: &mut PolicyDefinition, statement: &Statement, before: Option<u32>) -> Result<(), InsertError> {
    let at = match before {
        Some(anchor) => definition.statements.iter().position(|s| s.sequence == anchor).ok_or(InsertError::NoAnchor(anchor))?,
        None => definition.statements.len(),
    };
    let low = at.checked_sub(1).and_then(|i| definition.statements.get(i)).map(|s| s.sequence);
    let high = definition.statements.get(at).map(|s| s.sequence);
    let sequence = statement.sequence;
    if low.is_some_and(|l| sequence <= l) || high.is_some_and(|h| sequence >= h) || sequence == 0 {
        let bound = |b: Option<u32>| b.map_or_else(|| "the end".to_owned(), |b| b.to_string());
        return Err(InsertError::Order(format!("statement {sequence} does not lie between {} and {}", bound(low), bound(high))));
    }
    definition.statements.insert(at, statement.clone());
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
