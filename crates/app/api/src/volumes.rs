//! How much goes where: bytes per exit, direction and prefix from flow export or the routers' own accounts, against interface counters.

use bgp::Prefix;
use core::time::Duration;
use network::{Reconciled, Toward, VolumeSource};
use pilot::PilotState;
use runtime::OpenDoors;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use ts_rs::TS;

/// Prefixes listed for each exit and direction, the largest first.
const PREFIXES_MAX: usize = 50;

/// A volume that was not told again for this long is not shown as one.
const FRESH: Duration = Duration::from_secs(60);

/// Volumes, and the doors that they come by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct VolumesView {
    /// Every exit, both directions.
    pub exits: Vec<ExitVolume>,
    /// Open doors: flow export and syslog.
    pub doors: Vec<DoorView>,
    /// Bytes of flow export that belong to no exit or prefix, by reason, since the engine started.
    #[ts(type = "[string, number][]")]
    pub unplaced_bytes: Vec<(String, u64)>,
}

/// One exit in one direction. What is not known is absent, never 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct ExitVolume {
    /// Exit.
    pub exit: String,
    /// `out` or `in`.
    pub direction: String,
    /// `flow`, `router` or `unknown`: who accounts it. With `unknown`, capacity is judged by the worst case and nothing goes by itself.
    pub source: String,
    /// Attributed to prefixes, bit/s.
    pub attributed_bps: Option<f64>,
    /// What flow export alone attributes, bit/s, over the newest minute that is complete.
    pub flow_bps: Option<f64>,
    /// By the interface's counters, bit/s.
    pub counted_bps: Option<f64>,
    /// What the counters saw and nobody accounts for, 0–1; negative: more was accounted than the interface carried.
    pub unattributed: Option<f64>,
    /// Prefixes and their bit/s, the largest first; at most fifty.
    pub prefixes: Vec<(String, f64)>,
    /// Prefixes that are not listed.
    pub more: u32,
}

/// One door.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct DoorView {
    /// `flow` or `syslog`.
    pub name: String,
    /// Where it listens.
    pub address: String,
    /// Flow records or messages taken.
    #[ts(type = "number")]
    pub taken: u64,
    /// Dropped for want of room.
    #[ts(type = "number")]
    pub dropped: u64,
    /// Never came, as the senders' numbers tell.
    #[ts(type = "number")]
    pub lost: u64,
    /// Of senders that no device is.
    #[ts(type = "number")]
    pub refused: u64,
    /// Not readable, or not wholly.
    #[ts(type = "number")]
    pub faults: u64,
}

/// Returns the open doors.
pub fn doors(open: Option<&OpenDoors>) -> Vec<DoorView> {
    let counts = open.map(OpenDoors::counts).unwrap_or_default();
    let view = |c: runtime::DoorCounts| DoorView {
        name: c.name.to_owned(),
        address: c.address.to_string(),
        taken: c.taken,
        dropped: c.dropped,
        lost: c.lost,
        refused: c.refused,
        faults: c.faults,
    };
    counts.into_iter().map(view).collect()
}

/// Returns the volumes; the doors stand beside the pilot.
pub fn volumes(s: &PilotState) -> VolumesView {
    let (rates, reconciled) = (s.network.flows.rates(s.now), s.network.flows.reconcile_all(&s.network, s.now));
    let mut exits = Vec::new();
    for exit in &s.network.inventory.exits {
        for (toward, direction) in [(Toward::Outside, "out"), (Toward::Inside, "in")] {
            let interface = s.network.devices.get(&exit.device).and_then(|d| d.interfaces.get(&exit.interface));
            let counted = interface.and_then(|i| i.rate_bps).map(|(input, output)| if toward == Toward::Outside { output } else { input });
            let told = s.network.volumes.iter().filter(|((e, _), v)| e == &exit.id && s.now.since(v.at) <= FRESH);
            let mut by_prefix: BTreeMap<Prefix, f64> = BTreeMap::new();
            let mut source = "unknown";
            if toward == Toward::Outside {
                for ((_, prefix), volume) in told {
                    source = if volume.source == VolumeSource::Flow { "flow" } else { "router" };
                    by_prefix.insert(*prefix, volume.bps);
                }
            }
            if source == "unknown" {
                for ((_, _, prefix), bps) in rates.iter().filter(|((e, t, _), _)| e == &exit.id && *t == toward) {
                    source = "flow";
                    #[allow(clippy::cast_precision_loss, reason = "a rate, for display")]
                    by_prefix.insert(*prefix, *bps as f64);
                }
            }
            let flow = reconciled.get(&(exit.id.clone(), toward)).copied().unwrap_or(Reconciled::Unknown);
            #[allow(clippy::cast_precision_loss, reason = "a rate, for display")]
            let flow_bps = match flow {
                Reconciled::Unknown => None,
                Reconciled::NoCounters { attributed_bps }
                | Reconciled::Gap { attributed_bps, .. }
                | Reconciled::OverAttributed { attributed_bps, .. } => Some(attributed_bps as f64),
            };
            // flows are of a minute that is past: so is what they are held against
            let counted = match (source, flow) {
                #[allow(clippy::cast_precision_loss, reason = "a rate, for display")]
                ("flow", Reconciled::Gap { counted_bps, .. } | Reconciled::OverAttributed { counted_bps, .. }) => Some(counted_bps as f64),
                _ => counted,
            };
            let attributed = (source != "unknown").then(|| by_prefix.values().sum::<f64>());
            #[allow(clippy::cast_precision_loss, reason = "a rate, for display")]
            let unattributed = match (source, flow) {
                ("flow", Reconciled::Gap { unattributed_permille, .. }) => Some(f64::from(unattributed_permille) / 1000.0),
                ("flow", Reconciled::OverAttributed { attributed_bps, counted_bps }) => {
                    Some(1.0 - attributed_bps as f64 / counted_bps.max(1) as f64)
                }
                ("router", _) => attributed.zip(counted.filter(|c| *c > 0.0)).map(|(a, c)| 1.0 - a / c),
                _ => None,
            };
            let mut prefixes: Vec<(String, f64)> =
                by_prefix.iter().map(|(p, bps)| (p.to_string(), *bps)).filter(|(_, bps)| *bps > 0.0).collect();
            prefixes.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            let more = u32::try_from(prefixes.len().saturating_sub(PREFIXES_MAX)).unwrap_or(u32::MAX);
            prefixes.truncate(PREFIXES_MAX);
            exits.push(ExitVolume {
                exit: exit.id.to_string(),
                direction: direction.to_owned(),
                source: source.to_owned(),
                attributed_bps: attributed,
                flow_bps,
                counted_bps: counted,
                unattributed,
                prefixes,
                more,
            });
        }
    }
    let u = s.network.flows.unplaced();
    let reasons = [
        ("internal", u.internal),
        ("no address", u.no_address),
        ("no exit", u.no_exit),
        ("no route", u.no_route),
        ("no room", u.not_kept),
        ("too late", u.too_late),
    ];
    let unplaced_bytes = reasons.into_iter().filter(|(_, n)| *n > 0).map(|(r, n)| (r.to_owned(), n)).collect();
    VolumesView { exits, doors: Vec::new(), unplaced_bytes }
}
