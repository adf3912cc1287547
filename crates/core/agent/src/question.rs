//! What a question asks for.

use bgp::Prefix;
use core::net::IpAddr;
use serde::{Deserialize, Serialize};

/// Longest question that is read, characters.
const QUESTION_MAX: usize = 500;
/// Prefixes read from one question.
const PREFIXES_MAX: usize = 64;

/// What can be asked, one example each.
pub const QUESTIONS: [&str; 11] = [
    "How are you?",
    "Show the whole state.",
    "Which alerts are open?",
    "Which rules do you watch?",
    "How are your interfaces?",
    "How are your BGP peers?",
    "What is the delay and loss of your paths?",
    "What happened in the last minutes?",
    "Why is 203.0.113.0/24 routed that way?",
    "Which step decides your best paths?",
    "What if LOCAL_PREF 50 on <exit or neighbour address> for 203.0.113.0/24?",
];

/// A question, understood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "asked")]
pub enum Asked {
    /// Health in a line, everything when it is bad.
    Health,
    /// The whole summary.
    State,
    /// CPU and memory.
    System,
    /// Interfaces.
    Interfaces,
    /// BGP sessions.
    Peers,
    /// Open alerts and findings.
    Alerts,
    /// The watch rules.
    Rules,
    /// Readings and alerts of the last minutes.
    History,
    /// Measured paths.
    Paths,
    /// Why a route is the best; without a target: the deciding step of every prefix.
    WhyBest {
        /// Prefix, or address inside it.
        target: Option<Target>,
    },
    /// What another LOCAL_PREF on one session would do.
    WhatIf(LocalPrefQuestion),
    /// A what-if of which something is missing.
    WhatIfUnclear {
        /// What.
        missing: String,
    },
    /// What can be asked.
    Help,
}

/// A prefix or an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Exactly this prefix.
    Prefix(Prefix),
    /// The longest prefix around this address.
    Address(IpAddr),
}

/// A LOCAL_PREF to try on one session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalPrefQuestion {
    /// Exit id or neighbour address, as written.
    pub session: String,
    /// The value.
    pub local_pref: u32,
    /// Prefixes; none: everything that the session announces.
    pub prefixes: Vec<Prefix>,
}

/// Reads a question; `None` when nothing in it is known. `exits` are the exits of the device that is asked.
#[must_use]
pub fn read(question: &str, exits: &[&str]) -> Option<Asked> {
    let text: String = question.chars().take(QUESTION_MAX).collect::<String>().to_lowercase().replace("local_pref", "local-pref");
    let text = text.replace("local preference", "local-pref").replace("local pref", "local-pref").replace("localpref", "local-pref");
    let trim = |w: &str| w.trim_matches(|c: char| "?!,;\"'()".contains(c)).trim_end_matches(['.', ':']).to_owned();
    let words: Vec<String> = text.split_whitespace().map(trim).filter(|w| !w.is_empty()).collect();
    let prefixes: Vec<Prefix> =
        words.iter().filter_map(|w| w.parse::<Prefix>().ok().filter(|_| w.contains('/'))).take(PREFIXES_MAX).collect();
    let addresses: Vec<IpAddr> = words.iter().filter_map(|w| w.parse().ok()).collect();
    let has = |stems: &[&str]| words.iter().any(|w| stems.iter().any(|s| w.starts_with(s)));
    let phrase = |p: &str| text.contains(p);

    if phrase("what if") || phrase("what-if") || phrase("what would") || has(&["whatif", "suppose", "simulate"]) {
        return Some(what_if(&words, &prefixes, &addresses, exits));
    }
    let target = prefixes.first().map(|p| Target::Prefix(*p)).or_else(|| addresses.first().map(|a| Target::Address(*a)));
    if has(&["help"]) || phrase("what can") {
        return Some(Asked::Help);
    }
    if has(&["rule", "watch"]) {
        return Some(Asked::Rules);
    }
    if has(&["alert", "alarm", "anomal", "problem", "wrong", "trouble", "finding"]) {
        return Some(Asked::Alerts);
    }
    if has(&["histor", "trend", "earlier", "happened", "changed", "minutes", "hour", "recent"]) {
        return Some(Asked::History);
    }
    if has(&["health", "score"]) || (phrase("how are you") && words.iter().any(|w| w == "you")) {
        return Some(Asked::Health);
    }
    let route = phrase("best path") || phrase("best route") || has(&["best", "route", "decid", "prefix"]);
    if route || (has(&["why", "which", "where", "how", "explain"]) && target.is_some() && !has(&["peer", "session", "neighb"])) {
        return Some(Asked::WhyBest { target });
    }
    if has(&["peer", "session", "bgp", "neighb"]) {
        return Some(Asked::Peers);
    }
    if has(&["delay", "latency", "loss", "path", "probe", "slow", "jitter"]) {
        return Some(Asked::Paths);
    }
    if has(&["interface", "link", "port", "utilis", "utiliz", "load", "bandwidth", "traffic", "error"]) {
        return Some(Asked::Interfaces);
    }
    if has(&["cpu", "memory", "ram", "temperature"]) {
        return Some(Asked::System);
    }
    if has(&["state", "status", "summary", "overview", "everything", "detail"]) {
        return Some(Asked::State);
    }
    target.map(|target| Asked::WhyBest { target: Some(target) })
}

fn what_if(words: &[String], prefixes: &[Prefix], addresses: &[IpAddr], exits: &[&str]) -> Asked {
    let unclear = |missing: &str| Asked::WhatIfUnclear { missing: missing.to_owned() };
    let Some(at) = words.iter().position(|w| w.starts_with("local-pref") || w == "lp") else {
        return unclear("the only what-if that I can compute is another LOCAL_PREF on one session");
    };
    // the number after the word, else any number
    let number = |w: &String| w.strip_prefix("local-pref=").unwrap_or(w).parse::<u32>().ok();
    let Some(local_pref) = words[at..].iter().chain(&words[..at]).find_map(number) else {
        return unclear("a LOCAL_PREF value is missing, for example 50");
    };
    let exit = exits.iter().find(|e| words.iter().any(|w| *w == e.to_lowercase())).map(|e| (*e).to_owned());
    let Some(session) = exit.or_else(|| addresses.first().map(ToString::to_string)) else {
        let known = if exits.is_empty() { "this router has none".to_owned() } else { exits.join(", ") };
        return Asked::WhatIfUnclear { missing: format!("the session is missing: name an exit ({known}) or a neighbour address") };
    };
    Asked::WhatIf(LocalPrefQuestion { session, local_pref, prefixes: prefixes.to_vec() })
}
