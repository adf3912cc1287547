//! K03: packets do not go round, and every destination comes to rest.

use crate::verdict::Found;
use crate::{Check, CheckId, End, Evidence, Row, Verdict, World};
use bgp::{AsPath, Asn, Prefix, Segment};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a loop in an AS path is (S1-084): the own AS in what an eBGP neighbour sent, or an AS that comes back after others. Consecutive
/// repeats of one AS are prepends and never a loop.
#[must_use]
pub fn path_loop(path: &AsPath, own: &BTreeSet<Asn>) -> Option<String> {
    let sequence = |s: &Segment| if let Segment::Sequence(v) = s { v.clone() } else { Vec::new() };
    let mut asns: Vec<Asn> = path.segments().iter().flat_map(sequence).collect();
    asns.dedup();
    if let Some(asn) = asns.iter().find(|a| own.contains(a)) {
        return Some(format!("own AS {asn} in the path {path} of a neighbour"));
    }
    let mut seen = BTreeSet::new();
    asns.into_iter().find(|a| !seen.insert(*a)).map(|a| format!("AS {a} comes back in the path {path}"))
}

/// Finds forwarding loops that were not there, choices that find no rest, chosen paths with a loop in them, and choices that now depend on
/// the order of arrival; of what has not one state of rest any more, the kind and the dispute wheel.
#[must_use]
pub fn stability(e: &Evidence<'_>) -> Check {
    let mut found = Found::default();
    for g in e.difference.groups.iter().filter(|g| g.after.as_ref().is_some_and(|w| w.end == End::Loop)) {
        if g.before.as_ref().is_some_and(|w| w.end == End::Loop) {
            continue;
        }
        let Some(at) = e.after.network.routers.iter().position(|r| r.name == g.router) else { continue };
        for prefix in &g.prefixes {
            let way = e.after.fate(at, prefix).map(|w| w.routers).unwrap_or_default();
            let way = way.iter().map(|r| e.after.name(*r)).collect::<Vec<_>>().join(" → ");
            found.block(Row::at(&g.router, *prefix, format!("packets go round: {way}")));
        }
    }
    // a way that loops without an own path to it has no group of its own
    let mut unsettled: BTreeMap<Prefix, Verdict> = BTreeMap::new();
    for (prefix, routers) in circles(e.after).difference(&circles(e.before)) {
        unsettled.insert(*prefix, Verdict::Block);
        found.block(Row::at(&routers.join(", "), *prefix, "their choices go round in a circle; no stable state is found".to_owned()));
    }
    for (router, prefix, what) in looped(e.after).difference(&looped(e.before)) {
        found.block(Row::at(router, *prefix, what.clone()));
    }
    for solved in &e.after.families {
        if solved.solution.restless {
            found.block(Row::all("aggregates, default routes and conditions do not come to rest".to_owned()));
        }
    }
    if e.difference.groups.iter().any(|g| g.own) {
        for (was, is) in e.before.families.iter().zip(&e.after.families) {
            let key = |o: &routing::OrderDependent| (o.router.clone(), o.prefix);
            let old: BTreeSet<_> = was.order_dependent().iter().map(key).collect();
            for o in is.order_dependent().iter().filter(|o| o.what == "choice" && !old.contains(&key(o))) {
                let between = o.candidates.iter().cloned().collect::<Vec<_>>().join(" or ");
                unsettled.entry(o.prefix).or_insert(Verdict::Warn);
                found.warn(Row::at(&o.router, o.prefix, format!("the choice depends on the order of arrival: {between}")));
            }
        }
    } else if other_lines(e) {
        // every choice stays where it is, and yet may not be the only one any more
        for (was, is) in e.before.families.iter().zip(&e.after.families) {
            for anomaly in is.anomalies(is.plane.unlike(&is.solution)).anomalies {
                let there = anomaly.prefixes.first().map(|p| was.anomalies([*p]).anomalies).unwrap_or_default();
                let fresh = !there.iter().any(|a| a.outcome.name() == anomaly.outcome.name());
                if let Some(prefix) = anomaly.prefixes.first().filter(|_| fresh) {
                    unsettled.entry(*prefix).or_insert(Verdict::Warn);
                }
            }
        }
    }
    name(e.after, &unsettled, &mut found);
    found.check(CheckId::K03, "no packets go round, every destination comes to rest", "")
}

/// Says whether a router has other lines than before.
fn other_lines(e: &Evidence<'_>) -> bool {
    let mut both = e.before.network.routers.iter().zip(&e.after.network.routers);
    both.any(|(was, is)| !Arc::ptr_eq(&was.config, &is.config) && was.config != is.config)
}

/// Names what kind of anomaly keeps destinations from one state of rest, with the dispute wheel.
fn name(world: &World<'_>, unsettled: &BTreeMap<Prefix, Verdict>, found: &mut Found) {
    for solved in &world.families {
        let told = solved.anomalies(unsettled.keys().copied());
        for anomaly in &told.anomalies {
            let Some((first, verdict)) = anomaly.prefixes.iter().find_map(|p| unsettled.get_key_value(p)) else { continue };
            let more = anomaly.prefixes.len() - 1;
            let others = if more > 0 { format!(" ({more} more prefixes alike)") } else { String::new() };
            // no one router's: it stands before the rows of routers
            let row = Row { router: String::new(), prefix: Some(*first), what: anomaly.in_words() + &others };
            if *verdict == Verdict::Block { found.block(row) } else { found.warn(row) }
        }
        if told.searched < told.of {
            found.warn(Row::all(format!("{} destinations were not searched for anomalies", told.of - told.searched)));
        }
    }
}

fn circles(world: &World<'_>) -> BTreeSet<(Prefix, Vec<String>)> {
    world.families.iter().flat_map(|s| s.plane.circles(&s.solution)).collect()
}

/// Chosen paths of our routers that have a loop in them: router, prefix, what.
fn looped(world: &World<'_>) -> BTreeSet<(String, Prefix, String)> {
    let mut out = BTreeSet::new();
    for solved in &world.families {
        for (number, class) in solved.solution.classes.iter().enumerate() {
            for router in &world.own {
                let Some(best) = solved.plane.best(&solved.solution, *router, number) else { continue };
                let Some(over) = best.over.map(|h| &solved.directions[h]).filter(|d| d.external) else { continue };
                let own = BTreeSet::from([over.to_asn]);
                if let Some(what) = path_loop(&best.route().attributes.as_path, &own) {
                    out.extend(class.prefixes.first().map(|p| (world.name(*router).to_owned(), *p, what)));
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prepend_is_no_loop_and_a_return_is_one() {
        let own = BTreeSet::from([Asn(65_001)]);
        let of = |asns: &[u32]| path_loop(&AsPath::sequence(asns.iter().copied()), &own);
        assert_eq!(of(&[1234, 1234, 1234, 64_500]), None);
        assert_eq!(of(&[1234, 64_500, 64_500, 64_501]), None);
        assert!(of(&[1234, 64_500, 1234]).is_some_and(|w| w.contains("AS 1234 comes back")));
        assert!(of(&[1234, 65_001]).is_some_and(|w| w.contains("own AS 65001")));
        assert_eq!(of(&[]), None);
    }
}
