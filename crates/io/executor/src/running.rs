//! A running configuration, its digest, and whether an edit is in it.

use config::openconfig::{parse_edits, parse_policy, render_policy};
use config::{PolicyEdit, RouterConfig};
use netconf::Element;
use sha2::{Digest, Sha256};

/// Namespace of the native text that a node face serves beside OpenConfig.
const NATIVE_NS: &str = "urn:pilothouse:native:1.0";
const POLICY_NS: &str = "http://openconfig.net/yang/routing-policy";

/// What a device runs, as far as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    policy_xml: String,
    native: Option<String>,
    digest: String,
}

impl Running {
    /// Reads the children of `<data>`.
    pub(crate) fn read(data: String) -> Result<Self, String> {
        let whole = format!("<data>{data}</data>");
        drop(data);
        let root = Element::parse(&whole).map_err(|e| e.to_string())?;
        let is = |e: &&Element, name: &str, namespace: &str| e.name == name && e.namespace == namespace;
        let native = root.children.iter().find(|e| is(e, "configuration-text", NATIVE_NS)).map(|e| e.text.clone());
        let policy_xml: String = root.children.iter().filter(|e| is(e, "routing-policy", POLICY_NS)).map(|e| e.outer_xml(&whole)).collect();
        let digest = match &native {
            Some(text) => sha256(text),
            None => sha256(&render_policy(&parse_policy(&policy_xml).map_err(|e| format!("its routing-policy cannot be read: {e}"))?)),
        };
        Ok(Self { policy_xml, native, digest })
    }

    /// Returns the hex SHA-256 of the native text, or of the canonical routing-policy where the device serves no text.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Returns the configuration in the device's own language, where it serves one.
    #[must_use]
    pub fn native(&self) -> Option<&str> {
        self.native.as_deref()
    }

    /// Returns the `routing-policy` subtree; empty when there is none.
    #[must_use]
    pub fn policy_xml(&self) -> &str {
        &self.policy_xml
    }

    /// Says whether every edit of `payload` (children of `<config>`) is found here. An empty payload is.
    ///
    /// # Errors
    /// What cannot be read, with its path and byte offset.
    pub fn shows(&self, payload: &str) -> Result<bool, String> {
        let edits = parse_edits(payload).map_err(|e| format!("the payload cannot be read: {e}"))?;
        let policy = parse_policy(&self.policy_xml).map_err(|e| format!("its routing-policy cannot be read: {e}"))?;
        let needs_neighbors = edits.iter().any(|e| matches!(e, PolicyEdit::SetNeighborEnabled { .. }));
        let bgp = self.native.as_deref().filter(|_| needs_neighbors).and_then(|text| config::frr::parse(text).bgp);
        Ok(config::edit::in_effect(&RouterConfig { policy, bgp, ..RouterConfig::default() }, &edits))
    }
}

pub(crate) fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}
