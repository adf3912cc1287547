//! K08: no exit draws what it should not.

use crate::verdict::Found;
use crate::{Check, CheckId, Evidence, Exit, Group, Relation, Row, Way};
use bgp::AsPath;
use std::collections::BTreeMap;
use units::Ratio;

/// Finds exits that become best for more than their share of all prefixes, and routes that are preferred over a customer's or an own one.
#[must_use]
pub fn magnet(e: &Evidence<'_>) -> Check {
    let mut found = Found::default();
    let limit = e.context.facts.limits.magnet_share;
    let mut gains: BTreeMap<&Exit, usize> = BTreeMap::new();
    let exit = |w: &'_ Option<Way>| w.as_ref().and_then(|w| w.exit.clone());
    // the router whose packets change most speaks for an exit
    let mut by_router: BTreeMap<(&Exit, &str), usize> = BTreeMap::new();
    for g in e.difference.groups.iter().filter(|g| g.own && exit(&g.before) != exit(&g.after)) {
        if let Some(to) = g.after.as_ref().and_then(|w| w.exit.as_ref()) {
            let n = by_router.entry((to, g.router.as_str())).or_default();
            *n += g.prefixes.len();
            let gain = gains.entry(to).or_default();
            *gain = (*gain).max(*n);
        }
    }
    for (to, n) in gains {
        let share = Ratio::of(n as u64, e.difference.prefixes as u64);
        // a failure moves what it moves; a handful of prefixes is no magnet
        if share.get() > limit && n >= e.context.facts.limits.jump_count {
            let row = Row::of(
                &to.router,
                format!("exit {to} becomes best for {n} of {} prefixes ({share}, limit {:.0} %)", e.difference.prefixes, limit * 100.0),
            );
            if e.intent.failure { found.warn(row) } else { found.block(row) }
        }
    }
    for g in e.difference.groups.iter().filter(|g| g.own) {
        above(e, g, &mut found);
    }
    found.check(CheckId::K08, "no exit draws more than its share, no customer or own route is passed over", "")
}

/// A route of a peer or provider that takes the place of an own or a customer's one, while that is still there.
fn above(e: &Evidence<'_>, g: &Group, found: &mut Found) {
    let (Some(before), Some(after)) = (&g.before, &g.after) else { return };
    let rank = |w: &Way| {
        let path: AsPath = w.as_path.parse().ok()?;
        match path.neighbour() {
            None => Some(None),
            Some(asn) => w.exit.as_ref().map_or_else(|| e.context.facts.relation(asn), |x| e.context.facts.relation_at(x, asn)).map(Some),
        }
    };
    let (Some(was), Some(is)) = (rank(before), rank(after)) else { return };
    let lower = matches!(is, Some(Relation::Peer | Relation::Provider));
    let higher = matches!(was, None | Some(Relation::Customer));
    if !(lower && higher) {
        return;
    }
    let Some(at) = e.after.network.routers.iter().position(|r| r.name == g.router) else { return };
    for prefix in &g.prefixes {
        let solved = e.after.of(prefix.family());
        let Some(class) = solved.solution.place_of(prefix) else { continue };
        let mut paths = solved.plane.paths(&solved.solution, at, class);
        let still = paths.find(|h| h.route().attributes.as_path.to_string() == before.as_path);
        if let Some(still) = still {
            let what = format!(
                "a {}'s route is preferred over {}",
                is.map_or("own", Relation::word),
                was.map_or("an own one".to_owned(), |r| format!("a {}'s", r.word()))
            );
            // a drain asks for just that (LOCAL_PREF 0, RFC 8326 §4)
            if still.route().attributes.local_pref == Some(0) {
                found.warn(Row::at(&g.router, *prefix, format!("{what}, which is drained")));
            } else {
                found.block(Row::at(&g.router, *prefix, what));
            }
        }
    }
}
