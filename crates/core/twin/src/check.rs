//! The checks that a change must pass before anybody is asked about it.

mod shape;

use crate::prediction::{AnnouncedChange, ExitLoad, PrefixChange};
use crate::session::Peer;
use crate::what_if::{Outcome, Question, edited, export_differs};
use crate::{ForwardingResult, Twin, TwinError};
use action::{DeviceEdits, Direction};
use bgp::Prefix;
use config::edit;
use core::fmt;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How many prefixes a detail names; the count goes on.
const NAMED: usize = 5;

/// Which check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CheckId {
    /// Scope.
    K01,
    /// Reachability.
    K02,
    /// Loops and stability.
    K03,
    /// What neighbours are told.
    K05,
    /// Capacity.
    K07,
    /// Shape of the policy.
    K09,
    /// The way back.
    K15,
}

impl CheckId {
    /// Returns what the check is about.
    #[must_use]
    pub const fn subject(self) -> &'static str {
        match self {
            Self::K01 => "scope",
            Self::K02 => "reachability",
            Self::K03 => "loops and convergence",
            Self::K05 => "announcements",
            Self::K07 => "capacity",
            Self::K09 => "policy shape",
            Self::K15 => "inverse",
        }
    }
}

impl fmt::Display for CheckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// One check with the numbers behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Which.
    pub id: CheckId,
    /// What it is about (`scope`).
    pub name: String,
    /// Whether it passed.
    pub passed: bool,
    /// The numbers, and the first things that failed.
    pub detail: String,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.id, self.name, self.detail)
    }
}

/// Everything that the checks look at.
pub struct Evidence<'a> {
    pub twin: &'a Twin,
    pub question: &'a Question<'a>,
    pub after: &'a Outcome,
    pub changed: &'a [PrefixChange],
    pub announced: &'a [AnnouncedChange],
    pub loads: &'a [ExitLoad],
}

/// Runs all checks, in order of their ids.
pub fn all(evidence: &Evidence<'_>) -> Result<Vec<Check>, TwinError> {
    Ok(vec![
        scope(evidence),
        reachability(evidence),
        stability(evidence),
        announcements(evidence),
        capacity(evidence),
        shape::check(evidence),
        inverse(evidence)?,
    ])
}

fn verdict(id: CheckId, failures: &[String], fine: String) -> Check {
    let detail = if failures.is_empty() { fine } else { first_few(failures) };
    Check { id, name: id.subject().to_owned(), passed: failures.is_empty(), detail }
}

/// Names the first few of a list and counts the rest.
fn first_few(list: &[String]) -> String {
    let named = list.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ");
    if list.len() > NAMED { format!("{named}; and {} more", list.len() - NAMED) } else { named }
}

/// K01: only the declared prefixes change their path.
fn scope(e: &Evidence<'_>) -> Check {
    let intended: BTreeSet<&Prefix> = e.question.intended.iter().collect();
    let stray = e.changed.iter().filter(|c| !intended.contains(&c.prefix));
    let failures: Vec<String> = stray.map(|c| format!("{} changes its path and is not meant to", c.prefix)).collect();
    verdict(CheckId::K01, &failures, format!("{} of {} intended prefixes change their path, no other", e.changed.len(), intended.len()))
}

/// K02: no device loses a working path.
fn reachability(e: &Evidence<'_>) -> Check {
    let lost = e.changed.iter().flat_map(|c| c.devices.iter().map(move |d| (c.prefix, d)));
    // a circle is told by K03
    let lost = lost.filter(|(_, d)| {
        d.before.forwarding.works() && matches!(d.after.forwarding, ForwardingResult::BlackHole { .. } | ForwardingResult::Unreachable)
    });
    let failures: Vec<String> =
        lost.map(|(p, d)| format!("{} loses {p}: {} before, {} after", d.device, d.before.forwarding, d.after.forwarding)).collect();
    verdict(CheckId::K02, &failures, format!("every path that worked still works ({} prefixes compared)", e.after.computed.len()))
}

/// K03: no new circle of packets, and a stable state exists.
fn stability(e: &Evidence<'_>) -> Check {
    let mut failures = Vec::new();
    for change in e.changed {
        let new = change.devices.iter().filter(|d| {
            matches!(d.after.forwarding, ForwardingResult::Loop { .. }) && !matches!(d.before.forwarding, ForwardingResult::Loop { .. })
        });
        failures.extend(new.map(|d| format!("{} from {}: {}", change.prefix, d.device, d.after.forwarding)));
    }
    for prefix in &e.after.computed {
        let Some(solution) = e.after.tables.solution(prefix).filter(|s| !s.unstable.is_empty()) else { continue };
        let names = solution.unstable.iter().filter_map(|i| e.after.tables.devices().get(*i)).map(ToString::to_string);
        failures.push(format!("{prefix} finds no stable state between {}", names.collect::<Vec<_>>().join(", ")));
    }
    verdict(CheckId::K03, &failures, format!("no forwarding loop; all {} computed prefixes are stable", e.after.computed.len()))
}

/// K05: outbound actions change nothing that neighbours are told; others only attributes, or what they shut down or bring up themselves.
fn announcements(e: &Evidence<'_>) -> Check {
    let outbound = e.question.direction.map_or_else(|| !touches_export(e), |d| d == Direction::Outbound);
    let own = |p: &Prefix| e.twin.inventory.own_prefixes.iter().any(|o| o.covers(p));
    let mut failures = Vec::new();
    for change in e.announced {
        let to = format!("{} to {}", change.device, change.neighbor);
        let toggled = session_toggled(e, change);
        failures.extend(change.added.iter().filter(|p| !own(p)).map(|p| format!("{to}: {p} would be announced and is not ours")));
        if !toggled {
            failures.extend(change.withdrawn.iter().map(|p| format!("{to}: {p} would be withdrawn")));
        }
        if outbound {
            failures.extend(change.added.iter().filter(|p| own(p)).map(|p| format!("{to}: {p} would be announced")));
            failures.extend(change.modified.iter().map(|p| format!("{to}: {p} would be announced with other attributes")));
        }
    }
    let modified: usize = e.announced.iter().map(|c| c.modified.len()).sum();
    let fine = if modified == 0 {
        "announcements to external neighbours stay as they are".to_owned()
    } else {
        format!("no prefix is added or withdrawn; {modified} announcements change attributes")
    };
    verdict(CheckId::K05, &failures, fine)
}

fn touches_export(e: &Evidence<'_>) -> bool {
    let pairs = e.twin.model.routers.iter().zip(&e.after.model.routers);
    let mut sessions = pairs.flat_map(|(old, new)| (0..old.sessions.len()).map(move |s| (old, new, s)));
    sessions.any(|(old, new, s)| {
        let external = matches!(old.sessions[s].peer, Peer::External { .. });
        external && (old.sessions[s].enabled() != new.sessions[s].enabled() || export_differs(old, new, s))
    })
}

fn session_toggled(e: &Evidence<'_>, change: &AnnouncedChange) -> bool {
    let Some(index) = e.twin.model.index(&change.device) else { return false };
    let (old, new) = (&e.twin.model.routers[index], &e.after.model.routers[index]);
    old.session(change.neighbor).is_some_and(|s| old.sessions[s].enabled() != new.sessions[s].enabled())
}

/// K07: no exit that gains traffic carries more than its share of capacity afterwards. Where volumes are unknown the worst case counts: that
/// the prefixes take along all that their exit carries.
fn capacity(e: &Evidence<'_>) -> Check {
    let mut failures = Vec::new();
    let mut notes = Vec::new();
    for load in e.loads {
        let gains = gains(e.changed, load);
        let (Some(before), Some(after)) = (load.before_bps, load.after_bps) else {
            if gains {
                notes.push(format!("load of {} is not known", load.exit));
            }
            continue;
        };
        #[allow(clippy::cast_precision_loss, reason = "capacities are far below 2^52 bit/s")]
        let share = |bps: f64| if load.capacity_bps == 0 { f64::INFINITY } else { bps / load.capacity_bps as f64 };
        let after = load.worst_bps.unwrap_or(after);
        let case = if load.worst_bps.is_some() { ", at worst: the volume that moves is unknown" } else { "" };
        let share = share(after);
        let words = format!("{} {:.1} → {:.1} Mbit/s ({:.0} % of capacity{case})", load.exit, before / 1e6, after / 1e6, share * 100.0);
        if after > before && share > e.question.utilisation_max {
            failures.push(format!("{words}, above {:.0} %", e.question.utilisation_max * 100.0));
        } else if gains || (after - before).abs() > f64::EPSILON {
            notes.push(words);
        }
        if gains && load.unknown_volume > 0 {
            notes.push(format!("{} prefixes of unknown volume at {}", load.unknown_volume, load.exit));
        }
    }
    let fine = if notes.is_empty() { "no exit gains traffic".to_owned() } else { notes.join("; ") };
    verdict(CheckId::K07, &failures, fine)
}

fn gains(changed: &[PrefixChange], load: &ExitLoad) -> bool {
    let here = |f: &ForwardingResult| f.exit() == Some(&load.exit);
    changed.iter().flat_map(|c| &c.devices).any(|d| here(&d.after.forwarding) && !here(&d.before.forwarding))
}

/// K15: the inverse edits bring the same configuration and the same tables back.
fn inverse(e: &Evidence<'_>) -> Result<Check, TwinError> {
    let mut undo = Vec::new();
    let mut current = e.twin.model.clone();
    for device in e.question.edits {
        let Some(index) = current.index(&device.device) else { continue };
        let failed = |source| TwinError::Edit { device: device.device.clone(), source };
        let edits = edit::inverse(&current.routers[index].config, &device.edits).map_err(failed)?;
        current = edited(&current, core::slice::from_ref(device))?;
        undo.push(DeviceEdits { device: device.device.clone(), edits });
    }
    undo.reverse();
    let restored = match edited(&e.after.model, &undo) {
        Ok(model) => model,
        Err(error) => return Ok(verdict(CheckId::K15, &[format!("the inverse does not apply: {error}")], String::new())),
    };
    let mut failures = Vec::new();
    for (old, _) in e.twin.model.routers.iter().zip(&restored.routers).filter(|(o, n)| o.config != n.config) {
        failures.push(format!("{}: the inverse does not restore its configuration", old.id));
    }
    let back = e.twin.solve_again(&e.after.model, &e.after.tables, restored);
    for prefix in e.after.computed.union(&back.computed) {
        for (index, router) in e.twin.model.routers.iter().enumerate() {
            let best =
                |t: &crate::Tables| t.entry_at(index, prefix).and_then(|x| x.best_path()).map(|p| (p.source.clone(), p.attributes.clone()));
            if best(&e.twin.tables) != best(&back.tables) {
                failures.push(format!(
                    "{}: {prefix} does not return to its path (the choice between equal paths keeps the newer one)",
                    router.id
                ));
            }
        }
    }
    Ok(verdict(CheckId::K15, &failures, format!("undoing restores the configuration and all {} computed prefixes", e.after.computed.len())))
}
