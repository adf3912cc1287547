//! K10: vital prefixes stay announced and reached. K14: nothing that slept wakes by accident.

use crate::verdict::Found;
use crate::{Check, CheckId, Evidence, Row};
use config::{Condition, RouteAction, RouterConfig, WiderAction};
use std::collections::BTreeSet;

/// Counts the places that announce each vital prefix, and the routers of ours that reach it.
#[must_use]
pub fn vital(e: &Evidence<'_>) -> Check {
    let mut found = Found::default();
    let places = e.context.facts.limits.vital_places;
    for vital in &e.context.facts.vital {
        let name = if vital.name.is_empty() { String::new() } else { format!(" ({})", vital.name) };
        let routers = |sessions: Vec<&crate::Session>| sessions.into_iter().map(|s| s.router.clone()).collect::<BTreeSet<_>>();
        let was = routers(e.told_before.tellers(e.before, &vital.prefix));
        let is = routers(e.told_after.tellers(e.after, &vital.prefix));
        if is.len() >= was.len() && is.len() >= places.min(was.len()) {
            continue;
        }
        let gone = was.difference(&is).cloned().collect::<Vec<_>>().join(", ");
        let row = |what: String| Row::at(&gone, vital.prefix, what);
        if is.is_empty() {
            found.block(row(format!("last announcement of vital prefix{name} would go")));
        } else if is.len() < places && !e.intent.failure {
            found.block(row(format!("vital prefix{name} would be announced from {} place, fewer than {places}", is.len())));
        } else {
            found.warn(row(format!("vital prefix{name} would be announced from {} places instead of {}", is.len(), was.len())));
        }
    }
    let count = e.context.facts.vital.len();
    if count == 0 {
        return found.unjudged(CheckId::K10, "no vital prefix is named");
    }
    found.check(CheckId::K10, format!("{count} vital prefixes stay announced as they are"), "")
}

/// Objects of a configuration that others may refer to.
fn defined(config: &RouterConfig) -> BTreeSet<(&'static str, String)> {
    let policy = &config.policy;
    let mut out = BTreeSet::new();
    out.extend(policy.definitions.keys().map(|n| ("policy", n.clone())));
    out.extend(policy.prefix_sets.keys().chain(policy.wider.prefix_sets_v6.keys()).map(|n| ("prefix list", n.clone())));
    out.extend(policy.community_sets.keys().map(|n| ("community list", n.clone())));
    out.extend(policy.wider.as_path_sets.keys().map(|n| ("AS-path list", n.clone())));
    out
}

/// Objects that something in force refers to: from sessions, origination and aggregates on.
fn in_force(config: &RouterConfig) -> BTreeSet<(&'static str, String)> {
    let mut out: BTreeSet<(&'static str, String)> = BTreeSet::new();
    let mut waiting: Vec<String> = Vec::new();
    let Some(bgp) = &config.bgp else { return out };
    for neighbor in bgp.neighbors.values().filter(|n| !n.shutdown) {
        for f in neighbor.families.values() {
            let w = &f.wider;
            waiting.extend([&f.import, &f.export, &w.unsuppress_map].into_iter().flatten().cloned());
            waiting.extend(w.default_originate.iter().flatten().cloned());
            waiting.extend(w.conditional.iter().flat_map(|c| [c.advertise_map.clone(), c.condition_map.clone()]));
            out.extend([&w.prefix_list_in, &w.prefix_list_out].into_iter().flatten().map(|n| ("prefix list", n.clone())));
            out.extend([&w.filter_list_in, &w.filter_list_out].into_iter().flatten().map(|n| ("AS-path list", n.clone())));
        }
    }
    waiting.extend(bgp.networks.iter().filter_map(|n| n.policy.clone()));
    waiting.extend(bgp.wider.aggregates.iter().flat_map(|a| a.policy.iter().chain(&a.suppress_map)).cloned());
    waiting.extend(bgp.wider.redistribute.values().flatten().filter_map(|r| r.policy.clone()));
    while let Some(name) = waiting.pop() {
        if !out.insert(("policy", name.clone())) {
            continue;
        }
        let Some(definition) = config.policy.definitions.get(&name) else { continue };
        for term in &definition.statements {
            for condition in &term.conditions {
                match condition {
                    Condition::PrefixSet(n) => drop(out.insert(("prefix list", n.clone()))),
                    Condition::CommunitySet(n) => drop(out.insert(("community list", n.clone()))),
                    Condition::Wider { what: config::WiderCondition::AsPathSet(n), .. } => drop(out.insert(("AS-path list", n.clone()))),
                    Condition::Wider { .. } | Condition::Unmodelled(_) => {}
                }
            }
            for action in &term.actions {
                match action {
                    RouteAction::Wider { what: WiderAction::Call(called), .. } => waiting.push(called.clone()),
                    RouteAction::DeleteCommunities(n) => drop(out.insert(("community list", n.clone()))),
                    _ => {}
                }
            }
        }
    }
    out
}

/// Lists objects that stood in the configuration unused and that the change puts in force.
#[must_use]
pub fn dormant(e: &Evidence<'_>) -> Check {
    let mut found = Found::default();
    for (old, new) in e.before.network.routers.iter().zip(&e.after.network.routers) {
        if old.config == new.config {
            continue;
        }
        let slept: BTreeSet<_> = defined(&old.config).difference(&in_force(&old.config)).cloned().collect();
        for (kind, name) in in_force(&new.config).intersection(&slept) {
            found.warn(Row::of(&new.name, format!("wakes dormant object {kind} {name}")));
        }
    }
    found.check(CheckId::K14, "nothing dormant is put in force", "")
}
