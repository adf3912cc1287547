//! Answers, for both ends.

use crate::{BASE_NS, Element, XmlError};
use core::fmt;

/// Text of a server that is shown, characters.
const MESSAGE_CHARS: usize = 400;

/// One `<rpc-error>` (RFC 6241 §4.3), in the server's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RpcError {
    /// `error-type`.
    pub kind: String,
    /// `error-tag`.
    pub tag: String,
    /// `error-severity` is `warning`.
    pub warning: bool,
    /// `error-app-tag`.
    pub app_tag: Option<String>,
    /// `error-path`.
    pub path: Option<String>,
    /// `error-message`.
    pub message: Option<String>,
    /// `session-id` of the holder, for `lock-denied`.
    pub session_id: Option<String>,
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.tag)?;
        if let Some(message) = &self.message {
            write!(f, ": {:?}", message.chars().take(MESSAGE_CHARS).collect::<String>())?;
        }
        if let Some(path) = &self.path {
            write!(f, " at {path}")?;
        }
        if let Some(id) = &self.session_id {
            write!(f, " (held by session {id})")?;
        }
        Ok(())
    }
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `<ok/>`, warnings beside it.
    Ok(Vec<RpcError>),
    /// `<data>`: its children as XML that stands alone.
    Data(String),
    /// Errors. An answer with errors and `<ok/>` is an error.
    Errors(Vec<RpcError>),
}

impl Reply {
    /// Reads an answer; returns its message id too.
    ///
    /// # Errors
    /// [`XmlError`] when it is no `<rpc-reply>`.
    pub fn parse(text: &str) -> Result<(Option<u64>, Self), XmlError> {
        let root = Element::parse(text)?;
        if root.name != "rpc-reply" {
            return Err(XmlError { offset: 0, why: format!("<{}> where <rpc-reply> should be", root.name) });
        }
        let id = root.attributes.get("message-id").and_then(|id| id.parse().ok());
        let errors: Vec<RpcError> = root.children.iter().filter(|c| c.name == "rpc-error").map(rpc_error).collect();
        if errors.iter().any(|e| !e.warning) {
            return Ok((id, Self::Errors(errors)));
        }
        if let Some(data) = root.child("data") {
            return Ok((id, Self::Data(data.inner_xml(text))));
        }
        if root.child("ok").is_some() {
            return Ok((id, Self::Ok(errors)));
        }
        Err(XmlError { offset: 0, why: "<rpc-reply> without ok, data or rpc-error".to_owned() })
    }
}

fn rpc_error(e: &Element) -> RpcError {
    let leaf = |name: &str| e.leaf(name).map(str::to_owned);
    RpcError {
        kind: leaf("error-type").unwrap_or_default(),
        tag: leaf("error-tag").unwrap_or_default(),
        warning: e.leaf("error-severity") == Some("warning"),
        app_tag: leaf("error-app-tag"),
        path: leaf("error-path"),
        message: leaf("error-message"),
        session_id: e.child("error-info").and_then(|i| i.leaf("session-id")).map(str::to_owned),
    }
}

/// Wraps an answer. `message_id` is the attribute as the client gave it.
fn rpc_reply(message_id: &str, body: &str) -> String {
    let id = quick_xml::escape::escape(message_id);
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><rpc-reply xmlns=\"{BASE_NS}\" message-id=\"{id}\">{body}</rpc-reply>")
}

/// Makes `<ok/>`.
#[must_use]
pub fn ok(message_id: &str) -> String {
    rpc_reply(message_id, "<ok/>")
}

/// Makes `<data>`.
#[must_use]
pub fn data(message_id: &str, xml: &str) -> String {
    rpc_reply(message_id, &format!("<data>{xml}</data>"))
}

/// Makes one `<rpc-error>`.
#[must_use]
pub fn error(message_id: &str, error: &RpcError) -> String {
    let leaf = |name: &str, value: Option<&String>| {
        value.map(|v| format!("<{name}>{}</{name}>", quick_xml::escape::escape(v))).unwrap_or_default()
    };
    let severity = if error.warning { "warning" } else { "error" };
    let info = leaf("session-id", error.session_id.as_ref());
    let info = if info.is_empty() { info } else { format!("<error-info>{info}</error-info>") };
    rpc_reply(
        message_id,
        &format!(
            "<rpc-error>{}{}<error-severity>{severity}</error-severity>{}{}{}{info}</rpc-error>",
            leaf("error-type", Some(&error.kind)),
            leaf("error-tag", Some(&error.tag)),
            leaf("error-app-tag", error.app_tag.as_ref()),
            leaf("error-path", error.path.as_ref()),
            leaf("error-message", error.message.as_ref()),
        ),
    )
}
