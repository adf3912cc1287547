//! K23: prepending within its limit, on some upstreams and not all, of own space only; and what it exposes.

use crate::announced::Announcement;
use crate::check::reach::is_ours;
use crate::verdict::Found;
use crate::{Check, CheckId, Evidence, Row, Session, World};
use bgp::{Asn, Prefix};
use config::BgpNetwork;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Networks that a bogus origin is tried at.
const BOGUS_MAX: usize = 64;

/// Counts prepends of what is announced otherwise: above the limit, on all upstreams alike (no shift, only weakness), of others' prefixes.
/// Legal prepends pass, with the number of networks in the twin that would prefer a bogus origin then.
#[must_use]
pub fn prepending(e: &Evidence<'_>) -> Check {
    let mut found = Found::default();
    let limit = e.context.facts.limits.prepend_max;
    let mut touched: BTreeMap<Prefix, BTreeMap<Session, (usize, usize)>> = BTreeMap::new();
    for change in &e.difference.announced {
        let session = &change.session;
        for prefix in &change.modified {
            let key = (usize::from(!prefix.address().is_ipv4()), session.clone());
            let (Some(was), Some(is)) = (e.told_before.told(e.before, &key, prefix), e.told_after.told(e.after, &key, prefix)) else {
                continue;
            };
            let (before, after) = (prepends(was), prepends(is));
            if after <= before {
                continue;
            }
            touched.entry(*prefix).or_default().insert(session.clone(), (before, after));
            if after > limit {
                found.block(Row::at(&session.router, *prefix, format!("{after} prepends to {session}, limit {limit}")));
            }
            if !is_ours(e, prefix) || is.learned.is_some() {
                found.block(Row::at(&session.router, *prefix, format!("prepended to {session} and is not ours")));
            }
        }
    }
    let mut notes = BTreeSet::new();
    for (prefix, sessions) in &touched {
        let all: BTreeSet<&Session> = e.told_after.tellers(e.after, prefix).into_iter().collect();
        let alike: BTreeSet<usize> = sessions.values().map(|(before, after)| after - before).collect();
        if all.len() > 1 && all.iter().all(|s| sessions.contains_key(*s)) && alike.len() == 1 {
            let what = format!("prepended on all {} upstreams alike: no effect, raises exposure", all.len());
            found.block(Row::at("", *prefix, what));
            continue;
        }
        if all.len() == 1 {
            found.warn(Row::at("", *prefix, "prepended on the only upstream that announces it: no shift to expect".to_owned()));
        }
    }
    if let Some((prefix, _)) = touched.first_key_value() {
        notes.insert(exposure(e, prefix));
        notes.insert(shift(e, prefix));
    }
    let own_space = touched.len();
    let told: BTreeSet<Prefix> = own_announced(e);
    if own_space > 1 && told.len() == own_space {
        found.warn(Row::all(format!("every one of {own_space} own prefixes is prepended")));
    }
    let fine = if touched.is_empty() {
        "nothing is prepended".to_owned()
    } else {
        format!("{own_space} prefixes are prepended, at most {limit} times; {}", notes.into_iter().collect::<Vec<_>>().join("; "))
    };
    found.check(CheckId::K23, fine, "")
}

fn own_announced(e: &Evidence<'_>) -> BTreeSet<Prefix> {
    let mut out = BTreeSet::new();
    for ((family, _), told) in &e.told_after.sessions {
        let classes = &e.after.families[*family].solution.classes;
        out.extend(told.iter().filter(|(_, a)| a.learned.is_none()).flat_map(|(c, _)| classes[*c].prefixes.iter().copied()));
    }
    out
}

/// How often the first AS stands in front beyond once.
fn prepends(a: &Announcement) -> usize {
    let path = &a.route.attributes.as_path;
    let Some(first) = path.neighbour() else { return 0 };
    let mut path = path.clone();
    let mut count: usize = 0;
    while let Some(rest) = path.without_first(first) {
        path = rest;
        count += 1;
    }
    count.saturating_sub(1)
}

/// Networks outside, by position: one router of each AS that is not ours.
fn foreign(world: &World<'_>) -> BTreeMap<Asn, usize> {
    let routers = world.network.routers.iter().enumerate().filter(|(r, _)| !world.own.contains(r) && world.works(*r));
    let mut out = BTreeMap::new();
    for (at, router) in routers {
        if let Some(bgp) = &router.config.bgp {
            out.entry(bgp.asn).or_insert(at);
        }
    }
    out
}

/// Lets every network of the twin announce the prefix falsely in turn, and counts who would believe it, before and after.
fn exposure(e: &Evidence<'_>, prefix: &Prefix) -> String {
    let networks = foreign(e.after);
    if networks.len() < 2 {
        return "exposure to bogus origins: external, not modelled".to_owned();
    }
    let count = |world: &World<'_>| -> usize {
        networks
            .values()
            .take(BOGUS_MAX)
            .map(|at| {
                let mut bogus = world.network.clone();
                let router = &mut bogus.routers[*at];
                let mut config = (*router.config).clone();
                if let Some(bgp) = &mut config.bgp {
                    bgp.networks.push(BgpNetwork { prefix: *prefix, policy: None });
                    bgp.wider.no_import_check = true;
                }
                router.config = Arc::new(config);
                let asn = router.config.bgp.as_ref().map(|b| b.asn);
                let family = usize::from(!prefix.address().is_ipv4());
                let solved = &World::solved(&bogus)[family];
                let believes = |n: &&usize| {
                    let best = solved.best(**n, prefix);
                    best.and_then(|h| crate::announced::origin_of(&h.route().attributes.as_path)) == asn
                };
                networks.values().filter(|n| *n != at).filter(believes).count()
            })
            .sum()
    };
    let (before, after) = (count(e.before), count(e.after));
    format!(
        "exposure: a bogus origin would be believed in {before} → {after} of {} cases among the networks of the twin",
        networks.len() * (networks.len() - 1)
    )
}

/// Which networks outside would come in by another neighbour of ours.
fn shift(e: &Evidence<'_>, prefix: &Prefix) -> String {
    let networks = foreign(e.after);
    let comes = |world: &World<'_>, at: usize| {
        let walk = world.fate(at, prefix)?;
        let inside = walk.routers.iter().position(|r| world.own.contains(r))?;
        Some((inside.checked_sub(1).and_then(|i| walk.routers.get(i)).copied(), walk.routers[inside]))
    };
    let moved = networks.values().filter(|at| comes(e.before, **at) != comes(e.after, **at)).count();
    format!("inbound: {moved} of {} networks of the twin come in elsewhere; beyond them external, not modelled", networks.len())
}
