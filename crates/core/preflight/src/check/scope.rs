//! K01: only what was declared moves.

use crate::difference::Declared;
use crate::verdict::Found;
use crate::{Check, CheckId, Evidence, Row};

/// Lists prefixes that move and were not meant to; above the limit it blocks. A failure declares nothing and is not judged. Prefixes that are
/// named and that nobody has are told.
#[must_use]
pub fn scope(e: &Evidence<'_>) -> Check {
    let (facts, d) = (e.context.facts, &e.difference);
    let mut found = Found::default();
    let declared = e.intent.declared(facts);
    let limit = facts.limits.collateral_max;
    for prefix in &d.unexpected {
        let router = d.groups.iter().find(|g| g.own && g.prefixes.contains(prefix)).map(|g| g.router.clone()).unwrap_or_default();
        let row = Row::at(&router, *prefix, "moves and was not meant to".to_owned());
        // lines that name no prefix declare nothing; that alone forbids nothing
        if d.unexpected.len() > limit && declared != Declared::Nothing {
            found.block(row);
        } else {
            found.warn(row);
        }
    }
    // a slip more often than a plan
    for prefix in e.intent.prefixes.iter().filter(|p| ![e.before, e.after].iter().any(|world| world.knows(p))) {
        found.warn(Row::at("", *prefix, "is named, and no router has it before or after".to_owned()));
    }
    let fine = match declared {
        Declared::These(list) => format!("{} of {} declared prefixes move, no other of {}", d.moved.len(), list.len(), d.prefixes),
        Declared::OfSessions => format!("{} prefixes of the named sessions move, no other of {}", d.moved.len(), d.prefixes),
        Declared::All => format!("{} of {} prefixes move", d.moved.len(), d.prefixes),
        Declared::Nothing => format!("nothing moves ({} prefixes)", d.prefixes),
    };
    let what = match d.unexpected.len() {
        0 => String::new(),
        undeclared => format!("{undeclared} of {} moving prefixes were not declared (limit {limit})", d.moved.len()),
    };
    found.check(CheckId::K01, fine, &what)
}
