//! K07: exits and links carry what comes, after the change and after one more failure.

use crate::failures::with_each;
use crate::load::{Carrier, Load};
use crate::verdict::Found;
use crate::{Check, CheckId, Evidence, Ground, Row};
use std::collections::{BTreeMap, BTreeSet};

/// Compares loads with the real capacity of the member links: after the change, and after the change with any one link, router, session or
/// bundle member lost. What was over its limit before as well is told; what the change pushes over it blocks. Unknown volume counts as its
/// worst case: everything at the old exit that no measured volume explains; where not even the load of that exit is measured the bound is its
/// capacity, and that is told and not blocked. A volume or load that was measured too long ago is unknown, and told to be.
#[must_use]
pub fn capacity(e: &Evidence<'_>) -> Check {
    let limits = &e.context.facts.limits;
    let mut found = Found::default();
    let before = by_carrier(e.traffic.loads(e.before, None));
    let (mut notes, mut unjudged) = (Vec::new(), 0_usize);
    let moves = e.difference.groups.iter().any(|g| g.own);
    for load in &e.loads {
        let was = before.get(&load.carrier).and_then(|l| share(l.after_bps, l));
        judge(load, was, limits.utilisation_max, "", moves, &mut found);
        if load.unknown > 0 {
            found.tier(3);
        }
        if let (Some(b), Some(a)) = (load.before_bps, load.after_bps)
            && (a - b).abs() > 1.0
        {
            if load.capacity_bps.is_some() {
                notes.push(words(load, load.after_bps));
            } else {
                unjudged += 1;
            }
        }
    }
    if moves {
        too_old(e, &mut found);
        after_failures(e, &mut found);
    }
    let unknown: usize = e.difference.groups.iter().filter(|g| g.own).map(|g| g.unknown_volume).max().unwrap_or(0);
    let told = e.context.facts.exits.iter().any(|x| !x.members_bps.is_empty());
    let fine = match (moves, told) {
        (false, _) => "no traffic moves".to_owned(),
        (true, false) => {
            found.warn(Row::all("no capacity of any exit is known: what moves is not judged".to_owned()));
            String::new()
        }
        (true, true) => {
            if unjudged > 0 {
                notes.push(format!("{unjudged} links of unknown capacity change and are not judged"));
            }
            let lead = if notes.is_empty() { "no measured traffic moves".to_owned() } else { notes.join("; ") };
            let unknown =
                if unknown > 0 { format!("; the volume of {unknown} prefixes is unknown, taken as the worst case") } else { String::new() };
            format!("{lead}; with any one failure too{unknown}")
        }
    };
    found.check(CheckId::K07, fine, "")
}

/// Tells of measurements at the exits that lose or gain traffic which are too old to be used.
fn too_old(e: &Evidence<'_>, found: &mut Found) {
    let facts = e.context.facts;
    let exit = |w: &'_ Option<crate::Way>| w.as_ref().and_then(|w| w.exit.clone());
    let moved = e.difference.groups.iter().filter(|g| g.own).map(|g| (exit(&g.before), exit(&g.after))).filter(|(was, is)| was != is);
    let (mut left, mut gained) = (BTreeSet::new(), BTreeSet::new());
    for (was, is) in moved {
        left.extend(was);
        gained.extend(is);
    }
    let limit = facts.limits.volume_age_s_max;
    for exit in &left {
        if let Some(age) = e.traffic.too_old(exit) {
            let what = format!(
                "volumes at exit {exit} were measured {age} s ago, limit {limit} s: unknown, what leaves it is taken as its worst case"
            );
            found.tier(3);
            found.warn(Row::of(&exit.router, what));
        }
    }
    for exit in left.union(&gained) {
        let stale = facts.exit(exit).and_then(|x| x.load_age_s.filter(|_| x.load_bps.is_some() && x.load(&facts.limits).is_none()));
        if let Some(age) = stale {
            found.tier(3);
            found.warn(Row::of(&exit.router, format!("the load of exit {exit} was measured {age} s ago, limit {limit} s: unknown")));
        }
    }
}

/// Loads by carrier.
fn by_carrier(loads: Vec<Load>) -> BTreeMap<Carrier, Load> {
    loads.into_iter().map(|l| (l.carrier.clone(), l)).collect()
}

fn after_failures(e: &Evidence<'_>, found: &mut Found) {
    let limit = e.context.facts.limits.utilisation_n1_max;
    // with no capacity there is nothing to compare, and where everything fits everywhere no failure changes that
    if e.loads.iter().all(|l| l.capacity_bps.is_none()) || e.traffic.always_fits(e.after, limit) {
        return;
    }
    let over = |l: &Load| share(l.after_bps, l).is_some_and(|s| s > limit) || share(l.worst_bps, l).is_some_and(|s| s > limit);
    let traffic = &e.traffic;
    let overloads = |ground: &dyn Ground, member| traffic.loads(ground, member).into_iter().filter(over).collect::<Vec<Load>>();
    let mut judge_all = |name: &str, after: &[Load], before: &dyn Fn() -> Vec<Load>| {
        if after.is_empty() {
            return;
        }
        let before = by_carrier(before());
        for load in after {
            let old = before.get(&load.carrier);
            let was = old.and_then(|l| share(l.after_bps, l).max_of(share(l.worst_bps, l)));
            judge(load, was, limit, &format!(" when {name}"), true, found);
        }
    };
    let failures = e.failures();
    for (failure, after) in failures.iter().zip(with_each(e.after, &failures, |t| overloads(t, None))) {
        judge_all(&format!("{} fails", failure.name), &after, &|| e.before_failure(failure, |t| traffic.loads(t, None)));
    }
    for load in &e.loads {
        if traffic.member_count(&load.carrier) > 1 {
            let name = format!("a member of {} fails", load.carrier);
            judge_all(&name, &overloads(e.after, Some(&load.carrier)), &|| traffic.loads(e.before, Some(&load.carrier)));
        }
    }
}

trait MaxOf {
    fn max_of(self, other: Self) -> Self;
}

impl MaxOf for Option<f64> {
    fn max_of(self, other: Self) -> Self {
        match (self, other) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        }
    }
}

fn share(bps: Option<f64>, load: &Load) -> Option<f64> {
    let capacity = load.capacity_bps?;
    if capacity > 0.0 { Some(bps? / capacity) } else { Some(if bps? > 0.0 { f64::INFINITY } else { 0.0 }) }
}

fn words(load: &Load, bps: Option<f64>) -> String {
    let mega = |v: Option<f64>| v.map_or_else(|| "?".to_owned(), |v| format!("{:.0}", v / 1e6));
    format!("{} {} → {} of {} Mbit/s", load.carrier, mega(load.before_bps), mega(bps), mega(load.capacity_bps))
}

fn judge(load: &Load, was: Option<f64>, limit: f64, when: &str, moves: bool, found: &mut Found) {
    let router = match &load.carrier {
        Carrier::Exit(exit) => exit.router.clone(),
        Carrier::Link(_) => String::new(),
    };
    let percent = |s: f64| format!("{:.0} %, limit {:.0} %", s * 100.0, limit * 100.0);
    // the same load as before is not this change's doing
    let worse = |s: f64| was.is_none_or(|w| s > w + 1e-9);
    if let Some(now) = share(load.after_bps, load).filter(|s| *s > limit) {
        let row = Row::of(&router, format!("{}{when}: {}", words(load, load.after_bps), percent(now)));
        if worse(now) && moves { found.block(row) } else { found.warn(row) }
    } else if let Some(worst) = share(load.worst_bps, load).filter(|s| *s > limit && worse(*s)) {
        let lead = format!("{}{when}: {}", words(load, load.worst_bps), percent(worst));
        let why = format!("{} prefixes of unknown volume taken as the worst case", load.unknown);
        if load.worst_is_measured {
            found.block(Row::of(&router, format!("{lead}; {why}")));
        } else {
            found.warn(Row::of(&router, format!("{lead}; {why}, no load of the old exit is measured")));
        }
    } else if load.unknown > 0 && load.worst_bps.is_none() && load.capacity_bps.is_some() && when.is_empty() {
        found.warn(Row::of(&router, format!("{}: {} prefixes of unknown volume come here, no bound is known", load.carrier, load.unknown)));
    }
}
