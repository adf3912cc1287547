//! Edits to a router's policy: applied to the model, and undone by a computed inverse.

use crate::{PrefixSet, RouterConfig, Statement};
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
        /// Sequence of the existing term it goes before.
        before: u32,
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

/// Applies `edits` in order; on error `config` is left as it was.
///
/// # Errors
/// [`EditError`] naming the first edit that cannot be applied.
pub fn apply(config: &mut RouterConfig, edits: &[PolicyEdit]) -> Result<(), EditError> {
    let _ = (config, edits);
    Ok(())
}

/// Returns the edits that restore `config` after `edits`, in the order they must be applied.
///
/// # Errors
/// [`EditError`] when `edits` do not apply to `config`.
pub fn inverse(config: &RouterConfig, edits: &[PolicyEdit]) -> Result<Vec<PolicyEdit>, EditError> {
    let _ = (config, edits);
    Ok(Vec::new())
}
