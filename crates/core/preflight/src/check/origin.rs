//! K17: origins stay valid (RFC 6811).

use crate::announced::origin_of;
use crate::verdict::Found;
use crate::{Check, CheckId, Evidence, Row, Validity};
use bgp::{Asn, Prefix};
use config::RpkiState;
use std::collections::BTreeSet;

/// Asks for the validity of every path that is chosen newly and every announcement of ours that is new or changes its origin; and compares the
/// validity of all that we announce before and after the last change of the data: a mass flip to invalid freezes automation. No data, or
/// expired data, is unknown: neither valid nor not found.
#[must_use]
pub fn origins(e: &Evidence<'_>) -> Check {
    let mut found = Found::default();
    let Some(validity) = e.context.validity else {
        return found.unjudged(CheckId::K17, "origin validation data is not known");
    };
    let mut unknown = 0;
    for g in e.difference.groups.iter().filter(|g| g.own && g.after.is_some()) {
        let Some(at) = e.after.network.routers.iter().position(|r| r.name == g.router) else { continue };
        for prefix in &g.prefixes {
            let origin =
                |w: &crate::World<'_>| w.of(prefix.family()).best(at, prefix).and_then(|h| origin_of(&h.route().attributes.as_path));
            let (was, is) = (origin(e.before), origin(e.after));
            let Some(is) = is.filter(|_| was != is) else { continue };
            judge(
                validity(prefix, is),
                Row::at(&g.router, *prefix, format!("the path chosen then has origin AS {is}")),
                &mut unknown,
                &mut found,
            );
        }
    }
    for change in &e.difference.announced {
        for prefix in change.added.iter().chain(&change.modified) {
            let key = (usize::from(!prefix.address().is_ipv4()), change.session.clone());
            let origin = |t: &crate::announced::Announced, w: &crate::World<'_>| t.told(w, &key, prefix).and_then(|a| a.origin);
            let (was, is) = (origin(e.told_before, e.before), origin(e.told_after, e.after));
            let Some(is) = is.filter(|_| was != is) else { continue };
            let row = Row::at(&change.session.router, *prefix, format!("would be told to {} with origin AS {is}", change.session));
            judge(validity(prefix, is), row, &mut unknown, &mut found);
        }
    }
    flip(e, validity, &mut found);
    if unknown > 0 {
        return found.unjudged(CheckId::K17, format!("the validity of {unknown} new paths is not known"));
    }
    found.check(CheckId::K17, "no origin is invalid", "")
}

fn judge(state: Option<RpkiState>, row: Row, unknown: &mut usize, found: &mut Found) {
    match state {
        Some(RpkiState::Invalid) => found.block(Row { what: format!("{}: invalid", row.what), ..row }),
        Some(RpkiState::Valid | RpkiState::NotFound) => {}
        None => *unknown += 1,
    }
}

fn flip(e: &Evidence<'_>, now: Validity<'_>, found: &mut Found) {
    let Some(before) = e.context.validity_before else { return };
    let mut announced: BTreeSet<(Prefix, Asn)> = BTreeSet::new();
    for ((family, _), told) in &e.told_before.sessions {
        let classes = &e.before.families[*family].solution.classes;
        for (class, a) in told.iter().filter(|(_, a)| a.learned.is_none()) {
            announced.extend(classes[*class].prefixes.iter().filter_map(|p| Some((*p, a.origin?))));
        }
    }
    let invalid = |v: Validity<'_>, (p, a): &&(Prefix, Asn)| v(p, *a) == Some(RpkiState::Invalid);
    let turned: Vec<_> = announced.iter().filter(|x| invalid(now, x) && !invalid(before, x)).collect();
    let share = units::Ratio::of(turned.len() as u64, announced.len() as u64);
    if turned.is_empty() {
        return;
    }
    let limit = e.context.facts.limits.rpki_flip_share;
    if share.get() > limit {
        let what = format!(
            "critical alarm: {} of {} own prefixes turn invalid ({share}, limit {:.0} %); automation is frozen",
            turned.len(),
            announced.len(),
            limit * 100.0
        );
        found.block(Row::all(what));
    }
    for (prefix, asn) in turned {
        found.warn(Row::at("", *prefix, format!("turns invalid with origin AS {asn}")));
    }
}
