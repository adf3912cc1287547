//! Numbers as an operator reads them.

use crate::Prediction;
use action::ExitId;
use network::Network;
use perception::{Estimate, Finding, FindingKind};
use std::collections::BTreeSet;
use units::Timestamp;

/// Returns `3.1 Gbit/s`.
pub fn rate(bps: f64) -> String {
    match bps {
        b if b >= 1e9 => format!("{:.1} Gbit/s", b / 1e9),
        b if b >= 1e6 => format!("{:.1} Mbit/s", b / 1e6),
        b => format!("{:.0} kbit/s", b / 1e3),
    }
}

/// Returns `44.0 ms`, or `unknown`.
pub fn delay(estimate: Option<&Estimate>) -> String {
    estimate.map_or_else(|| "unknown".to_owned(), |e| format!("{:.1} ms", e.mean))
}

/// Returns `2.40 %`, or `unknown`.
pub fn loss(estimate: Option<&Estimate>) -> String {
    estimate.map_or_else(|| "unknown".to_owned(), |e| format!("{:.2} %", e.mean * 100.0))
}

/// Returns `delay 44.0 ms → 6.1 ms, loss 0.00 % → 0.00 %`.
pub fn effect(p: &Prediction) -> String {
    format!(
        "delay {} → {}, loss {} → {}",
        delay(p.delay_before_ms.as_ref()),
        delay(p.delay_after_ms.as_ref()),
        loss(p.loss_before.as_ref()),
        loss(p.loss_after.as_ref())
    )
}

/// Returns `14:12:03Z`.
pub fn clock(at: Timestamp) -> String {
    let text = at.to_string();
    format!("{}Z", text.get(11..19).unwrap_or(&text))
}

/// Returns a provider's shown name for an exit.
pub fn provider_of(network: &Network, exit: &ExitId) -> String {
    let inventory = &network.inventory;
    let provider = inventory.exit(exit).and_then(|e| inventory.provider(&e.provider));
    provider.map_or_else(|| exit.to_string(), |p| p.name.clone())
}

/// Returns `ISP-B loses 2.4 % since 14:12:03Z`.
pub fn trouble(network: &Network, finding: &Finding) -> String {
    let name = network.inventory.provider(&finding.provider).map_or_else(|| finding.provider.to_string(), |p| p.name.clone());
    let (before, now) = (finding.pooled_before(), finding.pooled_now());
    let since = clock(finding.since);
    match finding.kind {
        FindingKind::Loss => {
            let share = now.loss().map_or(0.0, units::Ratio::get) * 100.0;
            format!("{name} loses {share:.1} % ({} of {} packets) since {since}", now.lost(), now.sent)
        }
        FindingKind::DelayRise => {
            let ms = |m: Option<f64>| m.map_or_else(|| "unknown".to_owned(), |d| format!("{d:.1} ms"));
            format!("{name} takes {} (before: {}) since {since}", ms(now.delay_ms()), ms(before.delay_ms()))
        }
        FindingKind::Silent => format!("{name} is silent since {since}"),
        FindingKind::SessionDown => format!("a BGP session of {name} is down since {since}"),
    }
}

/// Returns names joined, each once, in order.
pub fn joined(names: impl IntoIterator<Item = String>) -> String {
    names.into_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ")
}
