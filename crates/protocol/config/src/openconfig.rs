//! openconfig-routing-policy, -bgp-policy and -network-instance as NETCONF XML, both directions (modules of 2020-05).
//!
//! A whole router (interfaces, static routes, IGP costs, BGP, policies) is read from the same XML, or from JSON as RFC 7951 and gNMI's
//! `JSON_IETF` write it.
//!
//! What OpenConfig cannot say (a sequence number, a deny entry of a prefix list, a weight) stands in elements of the namespace
//! `urn:pilothouse:policy:1.0` beside it; edits that need none of these are plain OpenConfig. The same values give the same bytes.
//!
//! ```text
//! routing-policy
//!   defined-sets/prefix-sets/prefix-set[name]         nc:operation="replace" | "delete"
//!   defined-sets/bgp-defined-sets/community-sets
//!   policy-definitions/policy-definition[name]/statements/statement[name=<sequence>]
//!                                                     nc:operation="create" yang:insert="before" yang:key="…" | "replace" | "delete"
//! network-instances/…/bgp/neighbors/neighbor[neighbor-address]/config/enabled
//! ```

mod chain;
mod edits;
mod instance;
mod json;
mod policy;
mod router;
mod tree;
mod xml;

pub use edits::{parse_edits, render_edits, transmission_order};
pub use policy::{parse_policy, render_policy};
pub(crate) use router::{is_document, parse_router};

/// Longest document that is read, in bytes: a full policy of a large edge router has some hundred kilobytes.
pub const DOCUMENT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Deepest nesting that is read; OpenConfig's policy tree has 14 levels.
pub const DEPTH_MAX: usize = 64;
/// Most elements that are read: a document of small elements must not take many times its own size in memory.
pub const ELEMENTS_MAX: usize = 1_000_000;
/// Most attributes that an element may have; ours have four, with namespaces eight.
pub const ATTRIBUTES_MAX: usize = 32;

/// XML that is not the OpenConfig we read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {why} (byte {offset})")]
pub struct XmlError {
    /// Element path.
    pub path: String,
    /// What is wrong.
    pub why: String,
    /// Byte offset in the document: where the element starts, or where reading stopped.
    pub offset: u64,
}

#[cfg(test)]
mod tests;
