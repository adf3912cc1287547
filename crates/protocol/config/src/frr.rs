//! FRR's configuration text (8.4): reading `show running-config`, writing the lines that carry out edits.

use crate::{PolicyEdit, RouterConfig};

/// Reads a running configuration. Never fails: what is not understood is listed in [`RouterConfig::unmodelled`] with its line.
#[must_use]
pub fn parse(text: &str) -> RouterConfig {
    let _ = text;
    RouterConfig::default()
}

/// Returns the `configure terminal` lines that carry out `edits` on a router that runs `config`.
///
/// # Errors
/// [`crate::edit::EditError`] when they do not apply.
pub fn lines(config: &RouterConfig, edits: &[PolicyEdit]) -> Result<Vec<String>, crate::edit::EditError> {
    let _ = (config, edits);
    Ok(Vec::new())
}
