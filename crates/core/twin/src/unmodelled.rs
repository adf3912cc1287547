//! What a configuration asks for and the twin does not compute.

use action::DeviceId;
use config::RouterConfig;
use core::fmt;
use serde::{Deserialize, Serialize};

/// Whether a missing piece can make the twin's answer wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relevance {
    /// It touches neither routes nor forwarding (logging, timers, descriptions, management).
    None,
    /// It may change which routes exist or how they are chosen.
    Routing,
}

/// Something that is not modelled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmodelled {
    /// Device.
    pub device: DeviceId,
    /// Line of its configuration, from 1, where there is one.
    pub line: Option<u32>,
    /// The line, or what is missing, in words.
    pub what: String,
    /// Whether it matters.
    pub relevance: Relevance,
}

impl fmt::Display for Unmodelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}: line {line}: {}", self.device, self.what),
            None => write!(f, "{}: {}", self.device, self.what),
        }
    }
}

/// Blocks whose lines can change routes.
const ROUTING_BLOCKS: [&str; 7] = ["router ", "route-map", "interface", "address-family", "vrf", "key chain", "bfd"];
/// First words, at top level, of lines that can change routes.
const ROUTING_LINES: [&str; 6] = ["ip ", "ipv6 ", "bgp ", "route-map ", "router ", "vrf "];
/// Words of lines inside those blocks that change no route in steady state.
const HARMLESS: [&str; 24] = [
    "timers",
    "description",
    "password",
    "log-neighbor-changes",
    "bmp ",
    "bfd",
    "ebgp-multihop",
    "ttl-security",
    "hello-interval",
    "dead-interval",
    "message-digest",
    "authentication",
    "ip forwarding",
    "ipv6 forwarding",
    "ip nht",
    "update-delay",
    "coalesce-time",
    "advertisement-interval",
    "capability",
    "network point-to-point",
    "network broadcast",
    "exit-address-family",
    "router-info",
    "ospf6 router-id",
];

/// Lists the lines of a configuration that are not modelled.
pub fn of_config<'a>(device: &'a DeviceId, config: &'a RouterConfig) -> impl Iterator<Item = Unmodelled> + 'a {
    config.unmodelled.iter().chain(&config.problems).map(move |u| Unmodelled {
        device: device.clone(),
        line: (u.line > 0).then_some(u.line),
        what: if u.context.is_empty() {
            format!("{}: {}", u.text, u.effect())
        } else {
            format!("{} / {}: {}", u.context, u.text, u.effect())
        },
        // the readers of other dialects name an effect on routes, and pass over what has none
        relevance: if u.effect.is_empty() { relevance(&u.context, &u.text) } else { Relevance::Routing },
    })
}

fn relevance(context: &str, text: &str) -> Relevance {
    let routing = if context.is_empty() {
        ROUTING_LINES.iter().any(|w| text.starts_with(w))
    } else {
        ROUTING_BLOCKS.iter().any(|w| context.starts_with(w))
    };
    if routing && !HARMLESS.iter().any(|w| text.contains(w)) { Relevance::Routing } else { Relevance::None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_do_not_matter_and_aggregates_do() {
        assert_eq!(relevance("router bgp 65001", "neighbor 10.0.0.1 timers 3 9"), Relevance::None);
        assert_eq!(relevance("router bgp 65001", "bgp dampening"), Relevance::Routing);
        assert_eq!(relevance("", "log syslog informational"), Relevance::None);
        assert_eq!(relevance("", "ip route 0.0.0.0/0 10.0.0.1 vrf x"), Relevance::Routing);
    }
}
