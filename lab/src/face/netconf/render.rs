//! The data of answers: configuration as OpenConfig and as native text, and the state of commits.

use super::commit::{Outcome, Rollback};
use super::difference::lines_between;
use super::pending::Pending;
use config::RouterConfig;
use config::openconfig::render_policy;
use netconf::BASE_NS;
use units::Timestamp;

/// Namespace of the native text.
pub const NATIVE_NS: &str = "urn:pilothouse:native:1.0";
/// Namespace of the node's own state.
pub const NODE_NS: &str = "urn:pilothouse:node:1.0";
const POLICY_NS: &str = "http://openconfig.net/yang/routing-policy";

type Filter<'a> = Option<&'a [(String, String)]>;

/// Says whether a subtree filter selects a top-level element. A name without namespace of its own stands in NETCONF's and means any.
fn wanted(filter: Filter<'_>, name: &str, namespace: &str) -> bool {
    filter.is_none_or(|f| f.iter().any(|(n, ns)| n == name && (ns == namespace || ns.is_empty() || ns == BASE_NS)))
}

/// Writes the configuration; `text` when the device has one for this datastore.
#[must_use]
pub fn configuration(model: &RouterConfig, text: Option<&str>, filter: Filter<'_>) -> String {
    let mut out = String::new();
    if wanted(filter, "routing-policy", POLICY_NS) {
        out.push_str(&render_policy(&model.policy));
    }
    if let Some(text) = text.filter(|_| wanted(filter, "configuration-text", NATIVE_NS)) {
        out.push_str(&format!("<configuration-text xmlns=\"{NATIVE_NS}\">{}</configuration-text>", escape(text)));
    }
    out
}

/// Writes the pending commit and the last undo; nothing when there were none.
#[must_use]
pub fn state(pending: Option<&Pending>, last: Option<&Rollback>, running: &str, now: Timestamp, filter: Filter<'_>) -> String {
    let mut out = String::new();
    if let Some(p) = pending.filter(|_| wanted(filter, "confirmed-commit", NODE_NS)) {
        let foreign = if p.committed.is_empty() { Vec::new() } else { lines_between(&p.committed, running) };
        out.push_str(&format!(
            "<confirmed-commit xmlns=\"{NODE_NS}\">{}<seconds-left>{}</seconds-left>{}</confirmed-commit>",
            p.owner.token().map(|t| leaf("persist-id", t)).unwrap_or_default(),
            p.left(now).as_secs(),
            foreign.iter().map(|l| leaf("foreign-change", l)).collect::<String>()
        ));
    }
    if let Some(r) = last.filter(|_| wanted(filter, "last-rollback", NODE_NS)) {
        let (outcome, lines) = match &r.outcome {
            Outcome::Exact => ("exact", Vec::new()),
            Outcome::ForeignKept(lines) => ("foreign-change-kept", lines.clone()),
            Outcome::Different(lines) => ("different", lines.clone()),
            Outcome::Failed(why) => ("failed", vec![why.clone()]),
        };
        out.push_str(&format!(
            "<last-rollback xmlns=\"{NODE_NS}\">{}{}<seconds-ago>{}</seconds-ago>{}{}</last-rollback>",
            r.token.as_deref().map(|t| leaf("persist-id", t)).unwrap_or_default(),
            leaf("reason", &r.reason),
            now.since(r.at).as_secs(),
            leaf("outcome", outcome),
            lines.iter().map(|l| leaf("difference", l)).collect::<String>()
        ));
    }
    out
}

fn leaf(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

/// Escapes; what XML 1.0 §2.2 cannot carry becomes U+FFFD.
fn escape(text: &str) -> String {
    let legal = |c: char| {
        if matches!(c, '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}') { '\u{fffd}' } else { c }
    };
    let clean: String = text.chars().map(legal).collect();
    quick_xml::escape::escape(clean.as_str()).replace('\r', "&#13;")
}
