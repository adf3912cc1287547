//! K24: what shares a fate counts as one change. And the blast radius of session actions (S1-086, S1-096).

use crate::verdict::Found;
use crate::{Check, CheckId, Evidence, Row};
use std::collections::{BTreeMap, BTreeSet};

/// Actions whose blast radius has limits.
const SESSION_ACTIONS: [&str; 4] = ["PEER_DEACTIVATE", "DEPEER", "ISP_FAILOVER", "FULL_REROUTE"];

/// Finds changes that touch several routers or several domains at once: together they count as one big change, whatever each alone would be.
#[must_use]
pub fn domains(e: &Evidence<'_>) -> Check {
    let mut found = Found::default();
    let touched: BTreeSet<&str> = e.intent.routers.iter().map(String::as_str).collect();
    let mut by_domain: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (domain, routers) in &e.context.facts.domains {
        let here: Vec<&str> = routers.iter().map(String::as_str).filter(|r| touched.contains(r)).collect();
        if !here.is_empty() {
            by_domain.insert(domain, here);
        }
    }
    let routers = touched.iter().copied().collect::<Vec<_>>().join(", ");
    if by_domain.len() > 1 {
        let named = by_domain.keys().copied().collect::<Vec<_>>().join(", ");
        found.tier(3);
        found.warn(Row::all(format!(
            "touches {} failure domains at once ({named}: {routers}): counts as one big change, tier 3",
            by_domain.len()
        )));
    } else if touched.len() > 1 {
        found.tier(3);
        found.warn(Row::all(format!(
            "touches {} routers at once ({routers}), one failure domain for all that is known: counts as one big change, tier 3",
            touched.len()
        )));
    }
    // every edge at once
    let edges: BTreeSet<&str> = e.told_before.sessions.keys().map(|(_, s)| s.router.as_str()).collect();
    let dark = edges.iter().filter(|r| !e.told_after.sessions.keys().any(|(_, s)| s.router == **r)).count();
    if dark > 1 && !e.intent.failure {
        found.block(Row::all(format!("{dark} of {} edges lose their last session at once", edges.len())));
    }
    found.check(CheckId::K24, "one failure domain", "")
}

/// Compares the share of prefixes (and of traffic, where it is measured) that a session action moves with the limits.
#[must_use]
pub fn blast(e: &Evidence<'_>) -> Check {
    let mut found = Found::default();
    let (limits, d) = (&e.context.facts.limits, &e.difference);
    let share = d.blast.get().max(d.blast_traffic.map_or(0.0, |t| t.get()));
    let traffic = d.blast_traffic.map_or_else(|| "traffic not measured".to_owned(), |t| format!("{t} of the measured traffic"));
    let told = format!("{} of {} prefixes change their path ({}), {traffic}", d.moved.len(), d.prefixes, d.blast);
    if e.intent.is_any(&SESSION_ACTIONS) {
        if share > limits.blast_block {
            found.block(Row::all(format!("blast radius too large: {told}; limit {:.0} %", limits.blast_block * 100.0)));
        } else if share > limits.blast_warn {
            found.warn(Row::all(format!("large blast radius: {told}")));
        }
    }
    if e.intent.is_any(&["DEPEER", "FULL_REROUTE"]) {
        found.tier(3);
    }
    found.check(CheckId::BLAST, told, "")
}
