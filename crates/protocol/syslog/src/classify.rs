//! What changed, as a message says it.

use crate::message::Message;
use crate::patterns::{PATTERNS, Pattern};
use core::net::IpAddr;
use serde::{Deserialize, Serialize};

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The running configuration is another.
    ConfigCommitted,
    /// Somebody is about to change it.
    ConfigEntered,
    /// A BGP session came up.
    NeighborUp,
    /// A BGP session went down.
    NeighborDown,
    /// A link came up.
    LinkUp,
    /// A link went down.
    LinkDown,
    /// An optic is out of its limits.
    OpticsAlarm,
}

/// What a message says that changed. The words are the device's: tainted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// What.
    pub kind: Kind,
    /// System that says it in these words.
    pub system: &'static str,
    /// Who changed a configuration, where it is told.
    pub user: Option<String>,
    /// From where: a line, a terminal, an address.
    pub from: Option<String>,
    /// BGP neighbour; one without an address goes by its interface.
    pub neighbor: Option<IpAddr>,
    /// Interface or port.
    pub interface: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// What was entered.
    pub what: Option<String>,
}

/// Returns what a message says that changed; `None`: nothing that is known.
#[must_use]
pub fn classify(message: &Message) -> Option<Event> {
    // RFC 5424 puts what was the beginning of the text into MSGID (Junos `structured-data`)
    let text = match &message.message_id {
        Some(id) => format!(" {id}: {}", message.text),
        None => format!(" {}", message.text),
    };
    PATTERNS.iter().find_map(|pattern| fits(pattern, &text))
}

/// Matches a template: its first words anywhere, each further part at its next place behind. What varies takes no line of its own, is
/// never empty, and the last of them takes the rest.
fn fits(pattern: &Pattern, text: &str) -> Option<Event> {
    let (first, mut template) = pattern.template.split_once('{').unwrap_or((pattern.template, ""));
    let (_, mut rest) = text.split_once(first)?;
    let mut event = Event {
        kind: pattern.kind,
        system: pattern.system,
        user: None,
        from: None,
        neighbor: None,
        interface: None,
        reason: None,
        what: None,
    };
    while !template.is_empty() {
        let (name, after) = template.split_once('}')?;
        let (literal, next) = after.split_once('{').unwrap_or((after, ""));
        let (value, behind) = if literal.is_empty() { (rest, "") } else { rest.split_once(literal)? };
        // an empty context (`(config)`) is fine where nobody keeps it
        if value.is_empty() && !name.is_empty() {
            return None;
        }
        keep(&mut event, name, value.trim())?;
        (rest, template) = (behind, next);
    }
    Some(event)
}

/// Keeps one value. Who did it, and whom it is about, are single words: where there are more, the pattern only looks alike.
fn keep(event: &mut Event, name: &str, value: &str) -> Option<()> {
    let word = || (!value.contains(' ')).then(|| value.to_owned());
    match name {
        "user" => event.user = Some(word()?),
        "neighbor" => match value.split(['%', '+']).next().and_then(|a| a.parse().ok()) {
            Some(address) => event.neighbor = Some(address),
            // unnumbered: the neighbour goes by the name of the interface
            None => event.interface = Some(word()?),
        },
        // a description may stand behind the name in brackets (EOS)
        "interface" => event.interface = value.split(' ').next().map(str::to_owned),
        "from" => event.from = Some(value.to_owned()),
        "reason" => event.reason = Some(value.to_owned()),
        "what" => event.what = Some(value.to_owned()),
        _ => {}
    }
    Some(())
}
