//! How much traffic moves, from measured volumes.

use crate::prediction::{ExitLoad, PrefixChange};
use crate::{ForwardingResult, Twin};
use action::{DeviceId, ExitId};
use bgp::Prefix;
use network::DeviceRole;
use std::collections::{BTreeMap, BTreeSet};

/// Traffic effects of a change.
pub struct Moved {
    pub loads: Vec<ExitLoad>,
    pub moved_bps: f64,
    /// Prefixes that move with a volume that is not measured.
    pub unknown: u64,
}

/// Returns the loads after `changed`. The volume of a prefix at an exit is split evenly over the devices whose packets leave there: inside
/// routers when there are any, since they are where traffic starts.
pub fn moved(twin: &Twin, changed: &[PrefixChange]) -> Moved {
    let mut delta: BTreeMap<ExitId, f64> = BTreeMap::new();
    let mut unknown_at: BTreeMap<ExitId, u64> = BTreeMap::new();
    // what could come to an exit, by the exit it would come from
    let mut could_come: BTreeMap<ExitId, BTreeMap<ExitId, f64>> = BTreeMap::new();
    let (mut moved_bps, mut unknown) = (0.0, 0);
    for change in changed {
        for exit in exits_before(change) {
            let parts = leaving(twin, exit, change);
            let Some(bps) = volume(twin, exit, &change.prefix) else {
                unknown += u64::from(!parts.is_empty());
                for to in parts.iter().filter_map(|(to, _)| to.exit()) {
                    could_come.entry(to.clone()).or_default().insert(exit.clone(), everything(twin, exit));
                }
                for touched in parts.iter().filter_map(|(to, _)| to.exit()).chain([exit]).collect::<BTreeSet<_>>() {
                    *unknown_at.entry(touched.clone()).or_default() += 1;
                }
                continue;
            };
            for (to, share) in parts {
                moved_bps += bps * share;
                *delta.entry(exit.clone()).or_default() -= bps * share;
                if let Some(to) = to.exit() {
                    *delta.entry(to.clone()).or_default() += bps * share;
                }
            }
        }
    }
    let load = |e: &network::ExitSpec| {
        let before_bps = load_now(twin, &e.id);
        let after_bps = before_bps.map(|b| (b + delta.get(&e.id).copied().unwrap_or(0.0)).max(0.0));
        let unknown_volume = unknown_at.get(&e.id).copied().unwrap_or(0);
        let more = could_come.get(&e.id).map(|from| from.values().sum::<f64>());
        let worst_bps = after_bps.zip(more).map(|(after, more)| after + more);
        ExitLoad { exit: e.id.clone(), before_bps, after_bps, worst_bps, capacity_bps: e.capacity_bps, unknown_volume }
    };
    let mut loads: Vec<ExitLoad> = twin.inventory.exits.iter().map(load).collect();
    loads.sort_by(|a, b| a.exit.cmp(&b.exit));
    Moved { loads, moved_bps, unknown }
}

/// The most that prefixes of unknown volume can take with them from an exit that accounts none: all that its interface carries; where that is
/// not known either, all that it can.
#[allow(clippy::cast_precision_loss, reason = "capacities are far below 2^52 bit/s")]
fn everything(twin: &Twin, exit: &ExitId) -> f64 {
    let can = twin.inventory.exit(exit).map_or(0.0, |e| e.capacity_bps as f64);
    load_now(twin, exit).unwrap_or(can)
}

/// Exits that some device of the change used until now.
fn exits_before(change: &PrefixChange) -> BTreeSet<&ExitId> {
    change.devices.iter().flat_map(|d| d.before.ways.iter().filter_map(ForwardingResult::exit)).collect()
}

/// Returns where the traffic that leaves `exit` goes, with the share of the exit's traffic to the prefix that does.
fn leaving<'a>(twin: &Twin, exit: &ExitId, change: &'a PrefixChange) -> Vec<(&'a ForwardingResult, f64)> {
    let inside = |d: &DeviceId| twin.inventory.device(d).is_some_and(|s| s.role == DeviceRole::Spine);
    let mut senders = twin.senders(exit, &change.prefix);
    if senders.iter().any(inside) {
        senders.retain(inside);
    }
    let share = fraction(senders.len());
    let mut parts = Vec::new();
    for device in change.devices.iter().filter(|d| senders.contains(&d.device)) {
        // traffic of a way that stays open stays on it
        let stays = device.after.ways.iter().any(|w| w.exit() == Some(exit));
        if !stays {
            let each = share * fraction(device.after.ways.len());
            parts.extend(device.after.ways.iter().map(|to| (to, each)));
        }
    }
    parts
}

fn fraction(n: usize) -> f64 {
    1.0 / f64::from(u32::try_from(n.max(1)).unwrap_or(u32::MAX))
}

/// Returns the measured volume; an exit that reports volumes and does not list the prefix carries none of it.
fn volume(twin: &Twin, exit: &ExitId, prefix: &Prefix) -> Option<f64> {
    match twin.volumes.get(&(exit.clone(), *prefix)) {
        Some(volume) => Some(volume.bps),
        None => twin.volumes.keys().any(|(e, _)| e == exit).then_some(0.0),
    }
}

fn load_now(twin: &Twin, exit: &ExitId) -> Option<f64> {
    let measured = twin.volumes.iter().filter(|((e, _), _)| e == exit).map(|(_, v)| v.bps);
    let sum = measured.fold(None, |sum: Option<f64>, bps| Some(sum.unwrap_or(0.0) + bps));
    match (sum, twin.rates.get(exit).copied()) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    }
}
