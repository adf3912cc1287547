//! K02: nothing that was reached is lost.

use crate::verdict::Found;
use crate::{Check, CheckId, End, Evidence, Relation, Row};
use bgp::Prefix;
use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

/// Compares where packets end, per prefix and router: no route, next hop not reached, null route. Forwarding loops are told by K03.
///
/// Where a router has paths and none can be used, the next hops that it does not reach are told before all rows: they are the reason.
///
/// A loss at a router of ours blocks. A neighbour outside that loses a prefix of ours or of a customer, or is a customer, blocks too; other
/// neighbours' losses are told. What fails itself loses nothing.
#[must_use]
pub fn reachability(e: &Evidence<'_>) -> Check {
    let mut found = Found::default();
    // next hop and whether it blocks, to the routers that do not reach it
    let mut unreached: BTreeMap<(IpAddr, bool), BTreeSet<&str>> = BTreeMap::new();
    for g in &e.difference.groups {
        let Some(before) = g.before.as_ref().filter(|w| w.end.works()) else { continue };
        let Some(at) = e.before.network.routers.iter().position(|r| r.name == g.router).filter(|r| e.after.works(*r)) else { continue };
        for prefix in &g.prefixes {
            let Some(walk) = e.after.fate(at, prefix).filter(|w| !w.end.works() && w.end != End::Loop) else { continue };
            let by = before.exit.as_ref().map_or_else(|| before.as_path.clone(), ToString::to_string);
            let place = walk.routers.last().map(|r| e.after.name(*r)).unwrap_or_default();
            let there = if place == g.router { String::new() } else { format!(" at {place}") };
            let what =
                format!("{}{there}; it went {}", walk.end.word(), if by.is_empty() { "inside".to_owned() } else { format!("by {by}") });
            let row = Row::at(&g.router, *prefix, what);
            let blocks = g.own || is_ours(e, prefix) || is_customer(e, at);
            for hop in walk.routers.last().map(|r| e.after.unreached(*r, prefix)).unwrap_or_default() {
                unreached.entry((hop, blocks)).or_default().insert(place);
            }
            if blocks { found.block(row) } else { found.warn(row) }
        }
    }
    for ((hop, blocks), routers) in unreached {
        let row = Row::all(format!("next hop {hop} is not reached at {}", routers.into_iter().collect::<Vec<_>>().join(", ")));
        if blocks { found.block(row) } else { found.warn(row) }
    }
    let fine = format!("every prefix that was reached is reached ({} prefixes)", e.difference.prefixes);
    found.check(CheckId::K02, fine, "no path is left")
}

fn is_customer(e: &Evidence<'_>, router: usize) -> bool {
    let asn = e.before.network.routers[router].config.bgp.as_ref().map(|b| b.asn);
    asn.and_then(|a| e.context.facts.relation(a)) == Some(Relation::Customer)
}

/// Says whether a prefix is ours or a customer's, by the facts or because a router of ours made it.
pub(crate) fn is_ours(e: &Evidence<'_>, prefix: &Prefix) -> bool {
    let made = || {
        let solved = e.before.of(prefix.family());
        e.before.own.iter().any(|r| solved.best(*r, prefix).is_some_and(|h| h.over.is_none()))
    };
    e.context.facts.ours(prefix) || made()
}
