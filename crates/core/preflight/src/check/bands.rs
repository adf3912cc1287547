//! S1-097: LOCAL_PREF keeps its bands: a customer's route over a peer's, a peer's over a provider's (Gao and Rexford, "Stable Internet Routing
//! Without Global Coordination", 2001: where all networks keep them, they come to rest).

use crate::verdict::Found;
use crate::{Check, CheckId, Evidence, Exit, Relation, Row, World};
use std::collections::{BTreeMap, BTreeSet};

const NAME: &str = "preference bands (customer, peer, provider)";

/// A route from outside that a router of ours may use: LOCAL_PREF, and what its neighbour is to us.
type Bands = BTreeMap<Exit, (u32, Relation)>;

/// Finds prefixes for which the change lifts a route over one of a better relationship: its LOCAL_PREF is higher then, and was not before. It
/// is told whether or not a router chooses otherwise now; what passes over a customer's route at once is K08's to block.
#[must_use]
pub fn bands(e: &Evidence<'_>) -> Check {
    let mut found = Found::default();
    let facts = e.context.facts;
    let told: BTreeSet<Relation> = facts.exits.iter().filter_map(|x| x.relation).chain(facts.relations.values().copied()).collect();
    if told.len() < 2 {
        let all = told.first().map_or_else(
            || "relationships of neighbours are not told".to_owned(),
            |r| format!("every neighbour is a {}: there is one band{}", r.word(), facts.assumption()),
        );
        // where somebody said so of every one of them, it is judged
        let known = told.len() == 1 && facts.taken_for_providers.is_empty();
        return if known { found.check(CheckId::BANDS, all, NAME) } else { found.unjudged(CheckId::BANDS, all) };
    }
    // a change of policy is where configurations differ; most destinations have the same paths there as before
    let both = e.before.network.routers.iter().zip(&e.after.network.routers).enumerate();
    let edited: BTreeSet<usize> = both.filter(|(r, (a, b))| e.after.own.contains(r) && a.config != b.config).map(|(r, _)| r).collect();
    let all = &e.after.own;
    for family in 0..2 {
        for ((old, new), prefixes) in crate::announced::pairs(e.before, e.after, family) {
            let (Some(new), Some(first)) = (new, prefixes.first()) else { continue };
            let before = |of: &BTreeSet<usize>| old.map(|class| candidates(e, e.before, of, family, class)).unwrap_or_default();
            if candidates(e, e.after, &edited, family, new) == before(&edited) {
                continue;
            }
            let (was, now) = (before(all), candidates(e, e.after, all, family, new));
            let old = inverted(&was);
            for (upper, lower) in inverted(&now).difference(&old) {
                if let (Some((a, better)), Some((b, worse))) = (now.get(upper), now.get(lower)) {
                    let more = if prefixes.len() > 1 { format!(" (and {} prefixes alike)", prefixes.len() - 1) } else { String::new() };
                    let what = format!("LOCAL_PREF {b} of {} {lower} over {a} of {} {upper}{more}", worse.word(), better.word());
                    found.warn(Row::at(&lower.router, *first, what));
                }
            }
        }
    }
    found.check(CheckId::BANDS, format!("no route is lifted over one of a better relationship{}", facts.assumption()), NAME)
}

/// What some routers of ours hold from outside for a destination, usable paths only, where the relationship is known.
fn candidates(e: &Evidence<'_>, world: &World<'_>, routers: &BTreeSet<usize>, family: usize, class: usize) -> Bands {
    let mut out = Bands::new();
    let Some(solved) = world.families.get(family) else { return out };
    for router in routers.iter().copied().filter(|r| world.works(*r)) {
        let default = world.network.routers.get(router).and_then(|r| r.config.bgp.as_ref()).map_or(100, |b| b.default_local_pref);
        for held in solved.plane.paths(&solved.solution, router, class).filter(|h| h.usable) {
            let came = held.over.and_then(|h| solved.directions.get(h)).filter(|d| d.external);
            let Some(came) = came.filter(|d| d.from.is_none_or(|f| !world.own.contains(&f))) else { continue };
            let exit = world.exit_of(router, came.from_address);
            let Some(relation) = e.context.facts.relation_at(&exit, came.from_asn) else { continue };
            let local_pref = held.route().attributes.local_pref.unwrap_or(default);
            // of several paths over one exit the best counts
            let entry = out.entry(exit).or_insert((local_pref, relation));
            entry.0 = entry.0.max(local_pref);
        }
    }
    out
}

/// Pairs of exits where the second has the worse relationship and the higher LOCAL_PREF. What is drained (LOCAL_PREF 0, RFC 8326 §4) is in no
/// band.
fn inverted(all: &Bands) -> BTreeSet<(Exit, Exit)> {
    let mut out = BTreeSet::new();
    for (upper, (a, better)) in all {
        for (lower, (b, worse)) in all {
            if better < worse && b > a && *a > 0 {
                out.insert((upper.clone(), lower.clone()));
            }
        }
    }
    out
}
