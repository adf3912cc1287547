//! NETCONF (RFC 6241) over SSH (RFC 6242): framing, hello, operations and their answers, for both ends. Pure: bytes in, values out.
//!
//! A client makes requests with [`request`] and reads answers with [`Reply::parse`]; a server reads requests with [`Rpc::parse`] and makes
//! answers with [`reply`]. Everything that comes from the other side is bounded: message size, nesting, no document types, no entities
//! beyond the five of XML.

mod document;
mod framing;
mod hello;
pub mod reply;
pub mod request;
mod rpc;

pub use document::{Element, MESSAGE_MAX, XmlError};
pub use framing::{Decoder, Framing, FramingError};
pub use hello::{Capabilities, Hello};
pub use reply::{Reply, RpcError};
pub use rpc::{Datastore, Rpc, RpcRequest};

/// Namespace of NETCONF base (RFC 6241).
pub const BASE_NS: &str = "urn:ietf:params:xml:ns:netconf:base:1.0";
/// Capability `:base:1.0`.
pub const BASE_10: &str = "urn:ietf:params:netconf:base:1.0";
/// Capability `:base:1.1`.
pub const BASE_11: &str = "urn:ietf:params:netconf:base:1.1";
/// Capability `:candidate:1.0`.
pub const CANDIDATE: &str = "urn:ietf:params:netconf:capability:candidate:1.0";
/// Capability `:confirmed-commit:1.1`.
pub const CONFIRMED_COMMIT: &str = "urn:ietf:params:netconf:capability:confirmed-commit:1.1";
/// Capability `:rollback-on-error:1.0`.
pub const ROLLBACK_ON_ERROR: &str = "urn:ietf:params:netconf:capability:rollback-on-error:1.0";
/// Capability `:validate:1.1`.
pub const VALIDATE: &str = "urn:ietf:params:netconf:capability:validate:1.1";

#[cfg(test)]
mod tests;
