//! K05: what neighbours outside are told changes only as the change means it.

use crate::check::reach::is_ours;
use crate::verdict::Found;
use crate::{AnnouncedChange, Check, CheckId, Evidence, Row};
use bgp::Prefix;
use config::RouterConfig;
use std::collections::BTreeSet;

/// Actions that change nothing of what neighbours are told about us.
const OUTBOUND: [&str; 3] = ["LOCAL_PREF_ADJUST", "NEXT_HOP_CHANGE", "PREFIX_FILTER"];

/// Compares the sets announced per neighbour: nothing new is originated, nothing of ours is cut up, own prefixes are not withdrawn unless the
/// session itself goes, and no count jumps.
#[must_use]
pub fn announcements(e: &Evidence<'_>) -> Check {
    let mut found = Found::default();
    originations(e, &mut found);
    for change in &e.difference.announced {
        jump(e, change, &mut found);
        withdrawals(e, change, &mut found);
        let inbound = !OUTBOUND.iter().any(|a| e.intent.is_any(&[a]));
        let session = &change.session;
        for prefix in change.modified.iter().filter(|p| !inbound && is_ours(e, p)) {
            found.block(Row::at(
                &session.router,
                *prefix,
                format!("would be told to {session} with other attributes; the action is outbound"),
            ));
        }
    }
    received(e, &mut found);
    let changes: usize = e.difference.announced.iter().map(|c| c.added.len() + c.withdrawn.len() + c.modified.len()).sum();
    let fine = if changes == 0 {
        "neighbours are told what they were told".to_owned()
    } else {
        format!("neighbours are told {changes} prefixes otherwise, nothing new is originated and nothing of ours is withdrawn")
    };
    found.check(CheckId::K05, fine, "")
}

/// What a configuration originates by itself, in words that compare.
fn made(config: &RouterConfig) -> BTreeSet<(Option<Prefix>, String)> {
    let mut out = BTreeSet::new();
    let Some(bgp) = &config.bgp else { return out };
    out.extend(bgp.networks.iter().map(|n| (Some(n.prefix), "network".to_owned())));
    out.extend(bgp.wider.aggregates.iter().map(|a| (Some(a.prefix), "aggregate".to_owned())));
    let redistributed = bgp.wider.redistribute.values().flatten();
    out.extend(redistributed.map(|r| (None, format!("redistribution of {:?} routes", r.protocol).to_lowercase())));
    for (address, neighbor) in &bgp.neighbors {
        let defaults = neighbor.families.values().filter(|f| f.wider.default_originate.is_some());
        out.extend(defaults.map(|_| (None, format!("a default route to {address}"))));
        let unsuppressed = neighbor.families.values().filter_map(|f| f.wider.unsuppress_map.as_ref());
        out.extend(unsuppressed.map(|m| (None, format!("parts of an aggregate to {address} ({m})"))));
    }
    out
}

fn originations(e: &Evidence<'_>, found: &mut Found) {
    let facts = e.context.facts;
    for router in &e.after.own {
        let (Some(old), Some(new)) = (e.before.network.routers.get(*router), e.after.network.routers.get(*router)) else { continue };
        let before = made(&old.config);
        for (prefix, how) in made(&new.config).difference(&before) {
            let Some(prefix) = prefix else {
                found.block(Row::of(&new.name, format!("{how} would be originated anew")));
                continue;
            };
            let elsewhere = || e.before.own.iter().any(|r| e.before.of(prefix.family()).best(*r, prefix).is_some_and(|h| h.over.is_none()));
            let part = facts.own_prefixes.iter().any(|o| o.covers(prefix) && o != prefix);
            if elsewhere() {
                found.warn(Row::at(&new.name, *prefix, format!("would be originated here too ({how})")));
            } else if part {
                found.block(Row::at(&new.name, *prefix, format!("de-aggregation: a part of our space would be originated anew ({how})")));
            } else if facts.ours(prefix) {
                found.warn(Row::at(&new.name, *prefix, format!("would be originated anew ({how}); it is ours")));
            } else {
                found.block(Row::at(&new.name, *prefix, format!("would be originated anew ({how}) and is not known to be ours")));
            }
        }
    }
}

fn jump(e: &Evidence<'_>, change: &AnnouncedChange, found: &mut Found) {
    if jumps(e, change.before, change.after) && change.up.0 {
        let what = format!("announced prefixes to {} jump: {} → {}", change.session, change.before, change.after);
        found.block(Row::of(&change.session.router, what));
    }
}

fn jumps(e: &Evidence<'_>, before: usize, after: usize) -> bool {
    let limits = &e.context.facts.limits;
    #[allow(clippy::cast_precision_loss, reason = "prefix counts are far below 2^52")]
    let factor = after as f64 > before as f64 * limits.jump_factor;
    factor && after.saturating_sub(before) >= limits.jump_count
}

fn withdrawals(e: &Evidence<'_>, change: &AnnouncedChange, found: &mut Found) {
    let session = &change.session;
    // lines name no session; what they take down they take down on purpose
    let meant = e.intent.actions.is_empty() || e.intent.touches(&session.router, session.neighbor);
    for prefix in change.withdrawn.iter().filter(|p| is_ours(e, p)) {
        let left = e.told_after.tellers(e.after, prefix).len();
        let gone = !change.up.1;
        let what = format!("would be withdrawn from {session}; {left} sessions still announce it");
        let row = Row::at(&session.router, *prefix, what);
        if !(e.intent.failure || left != 0 && gone && meant) {
            found.block(row);
        } else {
            found.warn(row);
        }
    }
}

/// What neighbours outside tell us, per session: a jump is an alarm (somebody leaks to us).
fn received(e: &Evidence<'_>, found: &mut Found) {
    let (before, after) = (crate::check::headroom::received(e.before), crate::check::headroom::received(e.after));
    for (key, now) in &after {
        let was = before.get(key).copied().unwrap_or(0);
        if key.external && before.contains_key(key) && jumps(e, was, *now) {
            let what = format!("alarm: received prefixes from {} jump: {was} → {now}; filter them, prefer none of them", key.neighbor);
            found.block(Row::of(&key.router, what));
        }
    }
}
