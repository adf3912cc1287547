//! K09: the edited policies do to every route what they did before, but for the one attribute that the change is about.

use super::{CheckId, Evidence, verdict};
use crate::check::Check;
use crate::model::Router;
use crate::session::Peer;
use crate::what_if::policy_differs;
use bgp::{Family, PathAttributes, Prefix};
use config::{PolicyEdit, PolicyOutcome};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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

/// Runs the check over every policy that differs, on every route that passes it.
pub fn check(e: &Evidence<'_>) -> Check {
    let intended: BTreeSet<Prefix> = e.question.intended.iter().copied().collect();
    let mut failures = Vec::new();
    let mut routes = 0;
    for (index, (old, new)) in e.twin.model.routers.iter().zip(&e.after.model.routers).enumerate() {
        if Arc::ptr_eq(old, new) {
            continue;
        }
        let edits = e.question.edits.iter().filter(|d| d.device == old.id).flat_map(|d| d.edits.iter());
        let rewritten = Rewritten::of(edits);
        for (policy, passing) in policies(e, index, old, new) {
            routes += passing.len();
            failures.extend(compare(old, new, &policy, &passing, &intended, &rewritten));
        }
    }
    verdict(CheckId::K09, &failures, format!("{routes} routes pass the edited policies as before, but for the named attribute"))
}

/// Terms that the edits replace or remove on purpose: routes that they matched may change whether intended or not.
struct Rewritten(BTreeSet<(String, u32)>);

impl Rewritten {
    fn of<'a>(edits: impl Iterator<Item = &'a PolicyEdit>) -> Self {
        Self(
            edits
                .filter_map(|edit| match edit {
                    PolicyEdit::ReplaceStatement { policy, statement } => Some((policy.clone(), statement.sequence)),
                    PolicyEdit::DeleteStatement { policy, sequence } => Some((policy.clone(), *sequence)),
                    _ => None,
                })
                .collect(),
        )
    }

    fn holds(&self, policy: &str, sequence: Option<u32>) -> bool {
        sequence.is_some_and(|s| self.0.contains(&(policy.to_owned(), s)))
    }
}

/// Routes by prefix as they arrive at a policy.
type Passing = Vec<(Prefix, Arc<PathAttributes>)>;

/// Returns the policies that differ, with the routes that pass them today.
fn policies(e: &Evidence<'_>, index: usize, old: &Router, new: &Router) -> BTreeMap<String, Passing> {
    let mut found: BTreeMap<String, Passing> = BTreeMap::new();
    for session in &old.sessions {
        for (family, settings) in &session.families {
            let differing = |name: &Option<String>| name.clone().filter(|n| policy_differs(&old.config, &new.config, n));
            if let (Some(name), Peer::External { feed, .. }) = (differing(&settings.import), &session.peer) {
                let of_family = feed.iter().filter(|(p, _)| p.family() == *family).map(|(p, a)| (*p, a.clone()));
                found.entry(name).or_default().extend(of_family);
            }
            if let Some(name) = differing(&settings.export) {
                found.entry(name).or_default().extend(best_routes(e, index, *family));
            }
        }
    }
    found
}

fn best_routes(e: &Evidence<'_>, index: usize, family: Family) -> Passing {
    let of_family = e.twin.tables.prefixes().filter(|p| p.family() == family);
    of_family.filter_map(|p| Some((*p, e.twin.tables.entry_at(index, p)?.best_path()?.attributes.clone()))).collect()
}

fn compare(old: &Router, new: &Router, policy: &str, passing: &Passing, intended: &BTreeSet<Prefix>, rewritten: &Rewritten) -> Vec<String> {
    let mut failures = Vec::new();
    let mut touched: BTreeSet<Attribute> = BTreeSet::new();
    for (prefix, attributes) in passing {
        let was = old.config.policy.evaluate(policy, prefix, attributes);
        let is = new.config.policy.evaluate(policy, prefix, attributes);
        let differences = differences(&was, &is);
        if differences.is_empty() {
            continue;
        }
        touched.extend(&differences);
        let meant = intended.contains(prefix) || rewritten.holds(policy, sequence(&was));
        if !meant {
            let what = differences.iter().map(|d| format!("{d:?}")).collect::<Vec<_>>().join(", ");
            failures.push(format!("{} {policy}: {prefix} is not meant and changes {what}", old.id));
        } else if differences.contains(&Attribute::Acceptance) && !intended.contains(prefix) {
            failures.push(format!("{} {policy}: {prefix} is no longer treated alike (accepted or rejected)", old.id));
        }
    }
    if touched.len() > 1 {
        let names = touched.iter().map(|d| format!("{d:?}")).collect::<Vec<_>>().join(", ");
        failures.push(format!("{} {policy}: more than one attribute changes: {names}", old.id));
    }
    failures
}

const fn sequence(outcome: &PolicyOutcome) -> Option<u32> {
    match outcome {
        PolicyOutcome::Accepted { sequence, .. } | PolicyOutcome::Unknown { sequence, .. } => Some(*sequence),
        PolicyOutcome::Rejected { sequence } => *sequence,
    }
}

fn differences(was: &PolicyOutcome, is: &PolicyOutcome) -> BTreeSet<Attribute> {
    let mut found = BTreeSet::new();
    let (a, wa, b, wb) = match (was, is) {
        (PolicyOutcome::Accepted { attributes: a, weight: wa, .. }, PolicyOutcome::Accepted { attributes: b, weight: wb, .. }) => {
            (a, wa, b, wb)
        }
        (PolicyOutcome::Rejected { .. }, PolicyOutcome::Rejected { .. }) => return found,
        (PolicyOutcome::Unknown { what: x, .. }, PolicyOutcome::Unknown { what: y, .. }) if x == y => return found,
        _ => return BTreeSet::from([Attribute::Acceptance]),
    };
    let mut note = |differs: bool, attribute: Attribute| {
        if differs {
            found.insert(attribute);
        }
    };
    note(a.local_pref != b.local_pref, Attribute::LocalPref);
    note(a.med != b.med, Attribute::Med);
    note(a.communities != b.communities || a.large_communities != b.large_communities, Attribute::Communities);
    note(a.as_path != b.as_path, Attribute::AsPath);
    note(a.next_hop != b.next_hop, Attribute::NextHop);
    note(a.origin != b.origin, Attribute::Origin);
    note(wa != wb, Attribute::Weight);
    found
}
