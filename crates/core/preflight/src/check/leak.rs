//! K04: what is learned is passed on valley-free (RFC 7908).

use crate::announced::Announcement;
use crate::verdict::Found;
use crate::{Check, CheckId, Evidence, Relation, Row, Session};
use bgp::{Asn, Prefix};

/// Names the type of a leak (RFC 7908 §3) of what was learned from one neighbour and is told to another; `None`: it is none.
#[must_use]
pub const fn kind(from: Relation, to: Relation) -> Option<&'static str> {
    match (from, to) {
        (Relation::Provider, Relation::Provider) => Some("type 1, hairpin turn between providers"),
        (Relation::Peer, Relation::Peer) => Some("type 2, lateral between peers"),
        (Relation::Provider, Relation::Peer) => Some("type 3, a provider's prefixes to a peer"),
        (Relation::Peer, Relation::Provider) => Some("type 4, a peer's prefixes to a provider"),
        (Relation::Customer, _) | (_, Relation::Customer) => None,
    }
}

/// Looks at every announcement that is new, or comes from another neighbour than before. Types 1 to 4 follow from the relationships (the
/// session's, else the neighbour AS's, else the roles of RFC 9234); type 5 is a learned prefix with our AS as its origin; type 6 a part of ours that was not announced.
///
/// Where a relationship is not known it blocks when the change itself opens the way: the export policy as it was would have kept the route
/// back. Otherwise it is told.
#[must_use]
pub fn leaks(e: &Evidence<'_>) -> Check {
    let mut found = Found::default();
    for change in &e.difference.announced {
        let (session, family) = (&change.session, |p: &Prefix| usize::from(!p.address().is_ipv4()));
        for prefix in change.added.iter().chain(&change.modified) {
            let key = (family(prefix), session.clone());
            let Some(now) = e.told_after.told(e.after, &key, prefix) else { continue };
            let was = e.told_before.told(e.before, &key, prefix);
            if was.is_some_and(|w| w.learned == now.learned) {
                continue;
            }
            match now.learned {
                Some(from) if from == session.asn => {}
                Some(from) => transit(e, session, prefix, now, from, &mut found),
                None => originated(e, session, prefix, was, &mut found),
            }
        }
    }
    let mut fine = "no transit that was not there".to_owned();
    if e.context.facts.relations.is_empty() {
        fine.push_str("; relationships of neighbours are not told");
    }
    fine.push_str(&e.context.facts.assumption());
    found.check(CheckId::K04, fine, "leak (RFC 7908)")
}

fn transit(e: &Evidence<'_>, session: &Session, prefix: &Prefix, now: &Announcement, from: Asn, found: &mut Found) {
    let (learned, to) = (source(e, prefix, now, from), target(e, session));
    let told = format!("learned from AS {from} would be told to {session}");
    match (learned, to) {
        (Some(learned), Some(to)) => {
            if let Some(kind) = kind(learned, to) {
                found.block(Row::at(&session.router, *prefix, format!("{told}: {kind}")));
            }
        }
        // one customer side is enough to be no leak
        (Some(Relation::Customer), None) | (None, Some(Relation::Customer)) => {}
        (learned, _) => {
            let unknown = if learned.is_none() { from } else { session.asn };
            let row = Row::at(&session.router, *prefix, format!("{told}; what AS {unknown} is to us is not known"));
            if opened(e, session, prefix, now) { found.block(row) } else { found.warn(row) }
        }
    }
}

/// Says whether the configuration before would have kept this route back: the change opens the way.
fn opened(e: &Evidence<'_>, session: &Session, prefix: &Prefix, now: &Announcement) -> bool {
    let (old, new) = (e.before.of(prefix.family()), e.after.of(prefix.family()));
    let at = |w: &crate::World<'_>, s: &crate::Solved<'_>| {
        let same = |d: &routing::Direction| crate::announced::outward(w, d).as_ref() == Some(session);
        s.directions.iter().position(same)
    };
    let (Some(before), Some(class)) = (at(e.before, old), new.solution.class_of(prefix)) else {
        // no session before: bringing it up opens it
        return true;
    };
    // the same way in, as the plane before numbers it
    let over = now.over.and_then(|h| {
        let d = &new.directions[h];
        old.directions.iter().position(|o| (o.from, o.to, o.from_address, o.to_address) == (d.from, d.to, d.from_address, d.to_address))
    });
    let sender = new.directions.iter().find(|d| crate::announced::outward(e.after, d).as_ref() == Some(session)).and_then(|d| d.from);
    let Some(held) = sender.and_then(|r| new.best(r, prefix)) else { return false };
    (now.over.is_some() && over.is_none()) || old.plane.would_tell(&class.class, before, held.route(), over).is_err()
}

fn originated(e: &Evidence<'_>, session: &Session, prefix: &Prefix, was: Option<&Announcement>, found: &mut Found) {
    let before = e.before.of(prefix.family());
    let ours = e.context.facts.ours(prefix);
    let heard = e
        .before
        .own
        .iter()
        .any(|r| before.best(*r, prefix).is_some_and(|h| h.over.is_some() && !h.route().attributes.as_path.segments().is_empty()));
    if heard && !ours && was.is_none_or(|w| w.learned.is_some()) {
        let what = format!("learned from others, would be told to {session} as ours: type 5, re-origination");
        found.block(Row::at(&session.router, *prefix, what));
    } else if ours && was.is_none() && e.context.facts.own_prefixes.iter().any(|p| p.covers(prefix) && p != prefix) {
        let told = e.told_before.tellers(e.before, prefix);
        // what is announced elsewhere already is no accident
        if told.is_empty() {
            let what = format!("a part of our space, not announced until now, would be told to {session}: type 6, internal more-specific");
            found.block(Row::at(&session.router, *prefix, what));
        }
    }
}

/// Returns what the neighbour is to us that a route was learned from: by the session where the sender has it from outside, which is all that
/// is known of a route server's (RFC 7947 §2.2.2: its AS is not in the path); else by the AS in front.
fn source(e: &Evidence<'_>, prefix: &Prefix, now: &Announcement, from: Asn) -> Option<Relation> {
    let came = now.over.and_then(|h| e.after.of(prefix.family()).directions.get(h)).filter(|d| d.external);
    let exit = came.and_then(|d| Some(e.after.exit_of(d.to?, d.from_address)));
    exit.and_then(|x| e.context.facts.exit(&x)?.relation).or_else(|| relation(e, from))
}

/// Returns what the neighbour at the other end of a session is to us.
fn target(e: &Evidence<'_>, session: &Session) -> Option<Relation> {
    let router = e.after.network.routers.iter().position(|r| r.name == session.router);
    let exit = router.map(|r| e.after.exit_of(r, session.neighbor));
    exit.and_then(|x| e.context.facts.exit(&x)?.relation).or_else(|| relation(e, session.asn))
}

/// Returns what an AS is to us: the facts', else from the roles of its sessions (RFC 9234).
fn relation(e: &Evidence<'_>, asn: Asn) -> Option<Relation> {
    if let Some(known) = e.context.facts.relation(asn) {
        return Some(known);
    }
    let own = e.after.own.iter().filter_map(|r| e.after.network.routers[*r].config.bgp.as_ref());
    let roles = own.flat_map(|b| b.neighbors.values()).filter(|n| n.remote_as == asn).filter_map(|n| n.wider.role);
    roles.map(Relation::of_role).next()
}
