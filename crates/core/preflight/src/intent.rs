//! What a change is, as far as checks ask: kind, targets, values.

use bgp::{Community, Prefix};
use core::net::IpAddr;
use serde::{Deserialize, Serialize};

/// What a change is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intent {
    /// Names of the actions in it (`LOCAL_PREF_ADJUST`); empty for lines and failures.
    pub actions: Vec<String>,
    /// Routers whose configuration it edits.
    pub routers: Vec<String>,
    /// Sessions that it names.
    pub sessions: Vec<(String, IpAddr)>,
    /// Prefixes that it names.
    pub prefixes: Vec<Prefix>,
    /// Something fails; nobody wants it.
    pub failure: bool,
    /// Communities that it adds: router, neighbour, community.
    pub communities: Vec<(String, IpAddr, Community)>,
    /// FlowSpec rules that it adds.
    pub flow_rules: Vec<FlowRule>,
    /// What the change means for tables is not computed: why.
    pub not_computed: Vec<String>,
}

impl Intent {
    /// Says whether one of the actions is among the change's.
    #[must_use]
    pub fn is_any(&self, names: &[&str]) -> bool {
        self.actions.iter().any(|a| names.contains(&a.as_str()))
    }
}

/// A FlowSpec rule (RFC 8955), as far as it is told. Absent matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FlowRule {
    /// Destination.
    pub destination: Option<Prefix>,
    /// Source.
    pub source: Option<Prefix>,
    /// IP protocol, 0 to 255.
    pub protocol: Option<u8>,
    /// Ports, source or destination; first and last.
    pub port: Option<(u16, u16)>,
    /// Packet lengths, bytes; first and last.
    pub packet_length: Option<(u32, u32)>,
    /// What becomes of matching packets, in words (`discard`, `rate-limit 0`).
    pub then: String,
}
