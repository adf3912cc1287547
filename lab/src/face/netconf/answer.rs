//! What a request is answered with.

use netconf::RpcError;

/// `error-app-tag` of a confirm or cancel that finds nothing pending.
pub const NOTHING_PENDING: &str = "pilothouse:nothing-pending";

/// The answer to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `<ok/>`.
    Ok,
    /// `<data>` with these children.
    Data(String),
    /// `<rpc-error>`.
    Error(RpcError),
    /// `<ok/>`, then the session ends.
    Goodbye,
    /// Nothing at all ([`super::fault::Fault::NoReplyToCommit`]).
    Silence,
    /// The session ends without an answer ([`super::fault::Fault::HangUpAfterCommit`]).
    HangUp,
}

/// Makes an error with a tag of RFC 6241 appendix A and plain words.
#[must_use]
pub fn error(kind: &str, tag: &str, message: impl Into<String>) -> RpcError {
    RpcError { kind: kind.to_owned(), tag: tag.to_owned(), message: Some(message.into()), ..RpcError::default() }
}

/// The router or its configuration does not allow it.
#[must_use]
pub fn failed(message: impl Into<String>) -> RpcError {
    error("application", "operation-failed", message)
}

/// A parameter of the request is wrong.
#[must_use]
pub fn invalid(message: impl Into<String>) -> RpcError {
    error("protocol", "invalid-value", message)
}

/// There is no pending commit, or none of this name: told apart from a wrong value by its app-tag.
#[must_use]
pub fn nothing_pending(message: impl Into<String>) -> RpcError {
    RpcError { app_tag: Some(NOTHING_PENDING.to_owned()), ..invalid(message) }
}

/// Not offered.
#[must_use]
pub fn unsupported(message: impl Into<String>) -> RpcError {
    error("protocol", "operation-not-supported", message)
}

/// Another session holds it. `lock-denied` for a lock, `in-use` for the rest (RFC 6241 §7.5, appendix A).
#[must_use]
pub fn held(tag: &str, by: u32, message: impl Into<String>) -> RpcError {
    RpcError { session_id: Some(by.to_string()), ..error("protocol", tag, message) }
}
