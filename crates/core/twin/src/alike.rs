//! K09, second half: what passes the edited policies is treated as before, but for the one attribute that the change is about. The first
//! half, the shape of terms and lists, is [`preflight`]'s.

use crate::Question;
use bgp::Prefix;
use config::PolicyEdit;
use preflight::{Check, CheckId, Evidence, Row, Solved, Verdict};
use routing::{Direction, Route};
use std::collections::BTreeSet;

/// Rows that a sentence names; the count goes on.
const NAMED: usize = 5;

/// What a policy may change of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Attribute {
    LocalPref,
    Med,
    Communities,
    AsPath,
    NextHop,
    Origin,
    Weight,
    Acceptance,
}

/// One direction of a session of an edited router, before and after.
struct Passage<'w, 'e> {
    router: &'w str,
    /// For people: `from 10.0.0.1`, `to 10.0.0.1`.
    way: String,
    old: &'w Solved<'e>,
    new: &'w Solved<'e>,
    before: usize,
    after: usize,
    inbound: bool,
    /// Terms are replaced or removed on purpose: what they matched may change whether intended or not.
    rewritten: bool,
}

/// Puts what was found into the check of the policy's shape.
pub fn join(checks: &mut [Check], mut rows: Vec<Row>) {
    let Some(check) = checks.iter_mut().find(|c| c.id == CheckId::K09) else { return };
    if rows.is_empty() {
        return;
    }
    rows.sort();
    rows.dedup();
    let named = rows.iter().take(NAMED).map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let more = if rows.len() > NAMED { format!("; and {} more", rows.len() - NAMED) } else { String::new() };
    check.sentence = if check.verdict == Verdict::Pass { format!("{named}{more}") } else { format!("{}; {named}{more}", check.sentence) };
    check.verdict = Verdict::Block;
    check.found += rows.len();
    check.rows.append(&mut rows);
}

/// Compares what comes in and goes out over every session with a neighbour outside of the edited routers.
pub fn differences(e: &Evidence<'_>, question: &Question<'_>) -> Vec<Row> {
    let intended: BTreeSet<Prefix> = question.intended.iter().copied().collect();
    let mut out = Vec::new();
    for device in question.edits {
        let name = device.device.as_str();
        let rewritten = device.edits.iter().any(|x| matches!(x, PolicyEdit::ReplaceStatement { .. } | PolicyEdit::DeleteStatement { .. }));
        let Some(router) = e.before.network.routers.iter().position(|r| r.name == name) else { continue };
        for (old, new) in e.before.families.iter().zip(&e.after.families) {
            for (before, d) in old.directions.iter().enumerate() {
                let inbound = d.to == Some(router) && d.from.is_none();
                let outbound = d.from == Some(router) && d.to.is_none();
                let Some(after) = new.directions.iter().position(|n| is_same(n, d)).filter(|_| inbound || outbound) else { continue };
                let way = if inbound { format!("from {}", d.from_address) } else { format!("to {}", d.to_address) };
                let passage = Passage { router: name, way, old, new, before, after, inbound, rewritten };
                passage.compare(router, &intended, &mut out);
            }
        }
    }
    out
}

fn is_same(a: &Direction, b: &Direction) -> bool {
    (a.from, a.to, a.from_address, a.to_address) == (b.from, b.to, b.from_address, b.to_address)
}

impl Passage<'_, '_> {
    fn compare(&self, router: usize, intended: &BTreeSet<Prefix>, out: &mut Vec<Row>) {
        let mut touched: BTreeSet<Attribute> = BTreeSet::new();
        for (was, solved) in self.new.solution.classes.iter().enumerate().filter_map(|(n, s)| Some((n, s.prefixes.first().map(|_| s)?))) {
            // prefixes that are alike after the change may have been several before
            let olds: BTreeSet<Option<usize>> = solved.prefixes.iter().map(|p| self.old.solution.place_of(p)).collect();
            for old in olds {
                let differing = self.differing(router, old, was);
                if differing.is_empty() {
                    continue;
                }
                touched.extend(&differing);
                for prefix in solved.prefixes.iter().filter(|p| self.old.solution.place_of(p) == old) {
                    self.judge(prefix, &differing, intended, out);
                }
            }
        }
        if touched.len() > 1 {
            out.push(Row::of(self.router, format!("{}: more than one attribute changes: {}", self.way, named(&touched))));
        }
    }

    fn judge(&self, prefix: &Prefix, differing: &BTreeSet<Attribute>, intended: &BTreeSet<Prefix>, out: &mut Vec<Row>) {
        let meant = intended.contains(prefix);
        if !meant && !self.rewritten {
            let what = format!("is not meant and changes {} {}", named(differing), self.way);
            out.push(Row::at(self.router, *prefix, what));
        } else if !meant && differing.contains(&Attribute::Acceptance) {
            let what = format!("is no longer treated alike {} (accepted or rejected)", self.way);
            out.push(Row::at(self.router, *prefix, what));
        }
    }

    /// What differs between a destination of before and one of after. Out of the router goes the same path through both policies.
    fn differing(&self, router: usize, old: Option<usize>, new: usize) -> BTreeSet<Attribute> {
        let (a, b) = if self.inbound {
            (old.and_then(|c| held(self.old, router, c, self.before)), held(self.new, router, new, self.after))
        } else {
            let Some(best) = old.and_then(|c| self.old.plane.best(&self.old.solution, router, c)) else { return BTreeSet::new() };
            let over = best.over.and_then(|h| self.old.directions.get(h));
            let there = over.and_then(|d| self.new.directions.iter().position(|n| is_same(n, d)));
            if best.over.is_some() && there.is_none() {
                return BTreeSet::new();
            }
            let (Some(was), Some(is)) = (old.and_then(|c| self.old.solution.classes.get(c)), self.new.solution.classes.get(new)) else {
                return BTreeSet::new();
            };
            let before = self.old.plane.would_tell(&was.class, self.before, best.route(), best.over).ok();
            (before, self.new.plane.would_tell(&is.class, self.after, best.route(), there).ok())
        };
        differences_of(a.as_ref(), b.as_ref())
    }
}

/// The path that a router holds by a direction.
fn held(solved: &Solved<'_>, router: usize, class: usize, direction: usize) -> Option<Route> {
    solved.plane.paths(&solved.solution, router, class).find(|h| h.over == Some(direction)).map(|h| h.route().clone())
}

fn named(list: &BTreeSet<Attribute>) -> String {
    list.iter().map(|a| format!("{a:?}")).collect::<Vec<_>>().join(", ")
}

fn differences_of(was: Option<&Route>, is: Option<&Route>) -> BTreeSet<Attribute> {
    let (a, b) = match (was, is) {
        (Some(a), Some(b)) => (a, b),
        (None, None) => return BTreeSet::new(),
        _ => return BTreeSet::from([Attribute::Acceptance]),
    };
    let (x, y) = (&a.attributes, &b.attributes);
    let all = [
        (x.local_pref != y.local_pref, Attribute::LocalPref),
        (x.med != y.med, Attribute::Med),
        (x.communities != y.communities || x.large_communities != y.large_communities || a.extended != b.extended, Attribute::Communities),
        (x.as_path != y.as_path, Attribute::AsPath),
        (x.next_hop != y.next_hop, Attribute::NextHop),
        (x.origin != y.origin, Attribute::Origin),
        (a.weight != b.weight, Attribute::Weight),
    ];
    all.into_iter().filter(|(differs, _)| *differs).map(|(_, attribute)| attribute).collect()
}
