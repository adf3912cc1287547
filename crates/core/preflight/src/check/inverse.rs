//! K15: the way back leads back.

use crate::verdict::Found;
use crate::{Check, CheckId, Evidence, Row, World};
use std::collections::BTreeSet;

/// Compares the network before the change with the one after the change and its inverse: every configuration and every table. Choices that
/// depend on the order of arrival may stay where the change put them, and are told.
#[must_use]
pub fn inverse(e: &Evidence<'_>, restored: &World<'_>) -> Check {
    let mut found = Found::default();
    for (old, new) in e.before.network.routers.iter().zip(&restored.network.routers) {
        let (was, is) = (settled(&old.config), settled(&new.config));
        if was != is {
            let what = leftovers(&was, &is);
            found.block(Row::of(&old.name, format!("the inverse does not restore the configuration: {what}")));
        }
    }
    if e.before.network.failures != restored.network.failures {
        found.block(Row::all("the inverse leaves something out of order".to_owned()));
    }
    let mut compared = 0;
    for (was, is) in e.before.families.iter().zip(&restored.families) {
        for moved in was.plane.moved(&was.solution, &is.plane, &is.solution) {
            for prefix in moved.prefixes {
                found.block(Row::at(&moved.router, prefix, "does not return to its path".to_owned()));
            }
        }
        compared += was.solution.prefixes().count();
        if e.difference.moved.is_empty() {
            continue;
        }
        let open = was.order_dependent().iter().filter(|o| o.what == "choice" && e.difference.moved.contains(&o.prefix));
        for o in open {
            found.warn(Row::at(
                &o.router,
                o.prefix,
                "may stay where the change puts it: the choice depends on the order of arrival".to_owned(),
            ));
        }
    }
    found.check(CheckId::K15, format!("undoing restores every configuration and the tables of all {compared} prefixes"), "")
}

/// A configuration without the numbers of its lines and the order of what has none: they say nothing about what it does.
fn settled(config: &config::RouterConfig) -> config::RouterConfig {
    let mut out = config.clone();
    for list in [&mut out.unmodelled, &mut out.wider] {
        list.iter_mut().for_each(|u| u.line = 0);
        list.sort_by(|a, b| (&a.context, &a.text).cmp(&(&b.context, &b.text)));
    }
    out.static_routes.sort_by_key(|s| (s.prefix, s.next_hop, s.distance));
    if let Some(bgp) = &mut out.bgp {
        bgp.networks.sort_by(|a, b| (a.prefix, &a.policy).cmp(&(b.prefix, &b.policy)));
    }
    out
}

/// Names what is left over, or missing, after the inverse.
fn leftovers(old: &config::RouterConfig, new: &config::RouterConfig) -> String {
    let mut out = Vec::new();
    let names: BTreeSet<&String> = old.policy.definitions.keys().chain(new.policy.definitions.keys()).collect();
    for name in names {
        let (was, is) = (old.policy.definitions.get(name), new.policy.definitions.get(name));
        if was != is {
            let terms = |d: Option<&config::PolicyDefinition>| d.map_or(0, |d| d.statements.len());
            out.push(format!("policy {name} has {} terms instead of {}", terms(is), terms(was)));
        }
    }
    if old.policy.prefix_sets != new.policy.prefix_sets || old.policy.wider != new.policy.wider {
        out.push("lists differ".to_owned());
    }
    if old.bgp != new.bgp {
        out.push("BGP settings differ".to_owned());
    }
    if old.static_routes != new.static_routes {
        out.push("static routes differ".to_owned());
    }
    if out.is_empty() { "something differs".to_owned() } else { out.join(", ") }
}
