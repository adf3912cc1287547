//! Service levels, per class and path (S1-098).

use crate::facts::Metrics;
use crate::verdict::Found;
use crate::{Check, CheckId, Evidence, Row, Sample};

/// Compares the measured quality of the way each moved prefix takes then with the level of its class. A way that is not measured is told as
/// unknown.
#[must_use]
pub fn levels(e: &Evidence<'_>) -> Check {
    let mut found = Found::default();
    let facts = e.context.facts;
    let metrics = Metrics::new(facts);
    let mut unknown = 0_usize;
    for g in e.difference.groups.iter().filter(|g| g.own) {
        let Some(exit) = g.after.as_ref().and_then(|w| w.exit.as_ref()) else { continue };
        if g.before.as_ref().and_then(|w| w.exit.as_ref()) == Some(exit) {
            continue;
        }
        for prefix in &g.prefixes {
            for class in facts.classes.iter().filter(|c| c.holds(exit, prefix)) {
                let metric = metrics.of(exit, prefix).map(|(_, m)| m);
                let delay = metric.and_then(|m| m.delay_ms);
                let loss = metric.and_then(|m| m.loss);
                let over = |s: Option<Sample>, max: Option<f64>| s.zip(max).filter(|(s, max)| s.mean > *max);
                if let Some((s, max)) = over(delay, class.delay_ms_max) {
                    found.warn(Row::at(&g.router, *prefix, format!("class {}: {:.1} ms by {exit}, limit {max:.1} ms", class.name, s.mean)));
                }
                if let Some((s, max)) = over(loss, class.loss_max) {
                    let row = Row::at(
                        &g.router,
                        *prefix,
                        format!("class {}: loss {:.2} % by {exit}, limit {:.2} %", class.name, s.mean * 100.0, max * 100.0),
                    );
                    if s.mean > facts.limits.loss_block { found.block(row) } else { found.warn(row) }
                }
                let missing = (class.delay_ms_max.is_some() && delay.is_none()) || (class.loss_max.is_some() && loss.is_none());
                unknown += usize::from(missing);
            }
        }
    }
    let fine = match (facts.classes.is_empty(), unknown) {
        (true, _) => return found.unjudged(CheckId::SLA, "no service level is named"),
        (false, 0) => "every class keeps its level".to_owned(),
        (false, n) => {
            found.warn(Row::all(format!("the quality of {n} new ways is not measured: unknown")));
            String::new()
        }
    };
    found.check(CheckId::SLA, fine, "")
}
