//! Requests, as a client sends them.

use crate::{BASE_NS, Datastore};

/// Wraps an operation.
#[must_use]
pub fn rpc(message_id: u64, operation: &str) -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><rpc xmlns=\"{BASE_NS}\" message-id=\"{message_id}\">{operation}</rpc>")
}

/// `<get-config>`, with a subtree filter when given.
#[must_use]
pub fn get_config(source: Datastore, filter: Option<&str>) -> String {
    let filter = filter.map(|f| format!("<filter type=\"subtree\">{f}</filter>")).unwrap_or_default();
    format!("<get-config><source><{}/></source>{filter}</get-config>", source.name())
}

/// `<edit-config>` with rollback on error. `config` are the children of `<config>`.
#[must_use]
pub fn edit_config(target: Datastore, config: &str) -> String {
    format!(
        "<edit-config><target><{}/></target><default-operation>merge</default-operation><error-option>rollback-on-error</error-option><config>{config}</config></edit-config>",
        target.name()
    )
}

/// `<lock>`.
#[must_use]
pub fn lock(target: Datastore) -> String {
    format!("<lock><target><{}/></target></lock>", target.name())
}

/// `<unlock>`.
#[must_use]
pub fn unlock(target: Datastore) -> String {
    format!("<unlock><target><{}/></target></unlock>", target.name())
}

/// `<validate>`. Never between an edit and a commit: netconfd 2.13 turns that commit into a silent no-op.
#[must_use]
pub fn validate(source: Datastore) -> String {
    format!("<validate><source><{}/></source></validate>", source.name())
}

/// `<discard-changes>`.
#[must_use]
pub fn discard_changes() -> String {
    "<discard-changes/>".to_owned()
}

/// `<commit>` that stays for good.
#[must_use]
pub fn commit() -> String {
    "<commit/>".to_owned()
}

/// `<commit><confirmed/>` with a timeout in seconds and a persist token (RFC 6241 §8.4.5.1).
#[must_use]
pub fn commit_confirmed(timeout_s: u64, persist: &str) -> String {
    let persist = quick_xml::escape::escape(persist);
    format!("<commit><confirmed/><confirm-timeout>{timeout_s}</confirm-timeout><persist>{persist}</persist></commit>")
}

/// `<commit><persist-id>`: makes a pending commit permanent.
#[must_use]
pub fn confirm(persist_id: &str) -> String {
    format!("<commit><persist-id>{}</persist-id></commit>", quick_xml::escape::escape(persist_id))
}

/// `<cancel-commit><persist-id>`: undoes a pending commit now (RFC 6241 §8.4.4.1).
#[must_use]
pub fn cancel_commit(persist_id: &str) -> String {
    format!("<cancel-commit><persist-id>{}</persist-id></cancel-commit>", quick_xml::escape::escape(persist_id))
}

/// `<close-session>`.
#[must_use]
pub fn close_session() -> String {
    "<close-session/>".to_owned()
}
