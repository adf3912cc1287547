//! Requests, as a server reads them.

use crate::{Element, XmlError};

/// A configuration datastore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Datastore {
    /// What the device runs.
    Running,
    /// What the next commit will make it run.
    Candidate,
    /// What it starts with.
    Startup,
}

impl Datastore {
    /// Returns the element name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Candidate => "candidate",
            Self::Startup => "startup",
        }
    }

    fn of(holder: Option<&Element>) -> Option<Self> {
        match holder?.children.first()?.name.as_str() {
            "running" => Some(Self::Running),
            "candidate" => Some(Self::Candidate),
            "startup" => Some(Self::Startup),
            _ => None,
        }
    }
}

/// An operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rpc {
    /// `<get-config>`.
    GetConfig {
        /// From where.
        source: Datastore,
        /// Names and namespaces of the top-level elements wanted; `None`: all.
        filter: Option<Vec<(String, String)>>,
    },
    /// `<get>`.
    Get {
        /// As in `GetConfig`.
        filter: Option<Vec<(String, String)>>,
    },
    /// `<edit-config>`.
    EditConfig {
        /// Into what.
        target: Datastore,
        /// `default-operation`, `merge` unless given.
        default_operation: String,
        /// `error-option`, `stop-on-error` unless given.
        error_option: String,
        /// Children of `<config>` as XML that stands alone.
        config: String,
    },
    /// `<lock>`.
    Lock(Datastore),
    /// `<unlock>`.
    Unlock(Datastore),
    /// `<validate>`.
    Validate(Datastore),
    /// `<discard-changes>`.
    DiscardChanges,
    /// `<commit>`.
    Commit {
        /// `<confirmed/>` is there.
        confirmed: bool,
        /// `confirm-timeout`, seconds; 600 unless given (RFC 6241 §8.4.1).
        timeout_s: u64,
        /// `persist`.
        persist: Option<String>,
        /// `persist-id`.
        persist_id: Option<String>,
    },
    /// `<cancel-commit>`.
    CancelCommit {
        /// `persist-id`.
        persist_id: Option<String>,
    },
    /// `<close-session>`.
    CloseSession,
    /// `<kill-session>`.
    KillSession {
        /// Which.
        session_id: u32,
    },
    /// Anything else, by name.
    Unknown(String),
}

/// A request with its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpcRequest {
    /// `message-id` as given; echoed in the answer.
    pub message_id: String,
    /// The operation; `Err` names the element that is missing or wrong (answer `invalid-value`).
    pub rpc: Result<Rpc, String>,
}

impl Rpc {
    /// Reads a request.
    ///
    /// # Errors
    /// [`XmlError`] when it is no `<rpc>`: the session must be closed.
    pub fn parse(text: &str) -> Result<RpcRequest, XmlError> {
        let root = Element::parse(text)?;
        if root.name != "rpc" {
            return Err(XmlError { offset: 0, why: format!("<{}> where <rpc> should be", root.name) });
        }
        let message_id = root.attributes.get("message-id").cloned().unwrap_or_default();
        let rpc = root.children.first().ok_or_else(|| "an rpc holds no operation".to_owned()).and_then(|op| operation(op, text));
        Ok(RpcRequest { message_id, rpc })
    }
}

fn operation(op: &Element, text: &str) -> Result<Rpc, String> {
    let store = |holder: &str| Datastore::of(op.child(holder)).ok_or_else(|| format!("<{holder}> names no known datastore"));
    let own = |name: &str| op.leaf(name).map(str::to_owned);
    Ok(match op.name.as_str() {
        "get-config" => Rpc::GetConfig { source: store("source")?, filter: filter(op)? },
        "get" => Rpc::Get { filter: filter(op)? },
        "edit-config" => Rpc::EditConfig {
            target: store("target")?,
            default_operation: own("default-operation").unwrap_or_else(|| "merge".to_owned()),
            error_option: own("error-option").unwrap_or_else(|| "stop-on-error".to_owned()),
            config: op.child("config").ok_or("<config> is missing")?.inner_xml(text),
        },
        "lock" => Rpc::Lock(store("target")?),
        "unlock" => Rpc::Unlock(store("target")?),
        "validate" => Rpc::Validate(store("source")?),
        "discard-changes" => Rpc::DiscardChanges,
        "commit" => Rpc::Commit {
            confirmed: op.child("confirmed").is_some(),
            timeout_s: match op.leaf("confirm-timeout") {
                None => 600,
                Some(t) => t.parse().ok().filter(|t| *t > 0).ok_or("<confirm-timeout> is no positive number of seconds")?,
            },
            persist: own("persist"),
            persist_id: own("persist-id"),
        },
        "cancel-commit" => Rpc::CancelCommit { persist_id: own("persist-id") },
        "close-session" => Rpc::CloseSession,
        "kill-session" => Rpc::KillSession {
            session_id: op.leaf("session-id").and_then(|id| id.parse().ok()).ok_or("<session-id> is missing or no number")?,
        },
        other => Rpc::Unknown(other.to_owned()),
    })
}

fn filter(op: &Element) -> Result<Option<Vec<(String, String)>>, String> {
    let Some(filter) = op.child("filter") else { return Ok(None) };
    match filter.attributes.get("type").map(String::as_str) {
        None | Some("subtree") => Ok(Some(filter.children.iter().map(|c| (c.name.clone(), c.namespace.clone())).collect())),
        Some(other) => Err(format!("filter type {other:?} is not supported, only subtree")),
    }
}
