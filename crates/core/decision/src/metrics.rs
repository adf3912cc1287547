//! Measured paths in the twin's words.

use crate::{Class, QualityTable, Settings, View};
use bgp::Family;
use perception::Estimate;
use twin::{PathMetric, Sample};

/// Normal quantile of the two-sided 95 % intervals of estimates.
const Z_95: f64 = 1.959_963_985;

/// Returns what is measured now of the way over each exit to each target group, for every prefix that the group names. What was not measured
/// recently, or with too few packets, is left out: it is not known. The variance of a delay is that of what comes, not of the mean alone.
#[must_use]
pub fn path_metrics(view: &View<'_>) -> Vec<PathMetric> {
    let quality = QualityTable::new(view, &Settings::default());
    let inventory = &view.network.inventory;
    let mut out = Vec::new();
    for exit in &inventory.exits {
        let Some(neighbor) = exit.neighbors.first().copied() else { continue };
        for group in &inventory.groups {
            for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
                let class = Class { group: group.id.clone(), family };
                let Some(path) = quality.get(&exit.id, &class).filter(|q| q.measured) else { continue };
                let (delay_ms, loss) = (path.coming_ms.as_ref().map(sample), path.loss.as_ref().map(sample));
                let members = group.members.iter().filter(|m| m.family() == family);
                out.extend(members.map(|m| PathMetric { router: exit.device.to_string(), neighbor, prefix: Some(*m), delay_ms, loss }));
            }
        }
    }
    out
}

/// One draw of the mean: its variance is that of the mean, whatever number of packets stands behind it.
fn sample(estimate: &Estimate) -> Sample {
    let arm = (estimate.interval.high - estimate.interval.low) / 2.0 / Z_95;
    Sample { mean: estimate.mean, variance: arm * arm, n: 1 }
}
