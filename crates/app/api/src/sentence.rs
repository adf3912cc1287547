//! One event in one sentence.

use pilot::{Event, Happening};

/// Returns what happened in plain words.
#[must_use]
pub fn sentence(event: &Event) -> String {
    match &event.what {
        Happening::Feed { device, feed, state, reason } => match reason {
            Some(reason) => format!("{feed} of {device} is {state}: {reason:?}"),
            None => format!("{feed} of {device} is {state}"),
        },
        Happening::Repaired { device, repair } => format!("{device} shows a known fault that is corrected from here on: {repair}"),
        Happening::Unreadable { device, why } => format!("{device}: {why}"),
        Happening::Agreement { devices, differences } => {
            let list: Vec<String> = devices.iter().map(|(d, c, e)| format!("{d} {e}/{c}")).collect();
            let first = differences.first().map(|d| format!("; {d}")).unwrap_or_default();
            format!("twin agrees with the routers on {}{first}", list.join(", "))
        }
        Happening::Evidence { why, probes, rate_hz, seconds } => format!("{why}: {probes} probes at {rate_hz}/s for {seconds} s"),
        Happening::Watched { alert } => alert.to_string(),
        Happening::FindingOpened { finding, summary } => format!("{finding} {summary}"),
        Happening::FindingCleared { finding } => format!("{finding} is over"),
        Happening::Decided { chosen, rationale, alternatives, .. } => {
            let lost: Vec<String> = alternatives.iter().map(|(n, w)| format!("not {n}: {w}")).collect();
            format!("decided {}: {rationale}{}{}", chosen.name(), if lost.is_empty() { "" } else { "; " }, lost.join("; "))
        }
        Happening::Blocked { summary, reasons } => format!("blocked: {summary} – {}", reasons.join("; ")),
        Happening::Proposed { proposal, tier, summary, expires, .. } => {
            let at = expires.to_string();
            format!("{proposal} (tier {}) waits until {}Z: {summary}", tier.number(), at.get(11..19).unwrap_or(&at))
        }
        Happening::Approved { proposal, by, automatic } => {
            format!("{proposal} approved by {by}{}", if *automatic { ", automatically" } else { "" })
        }
        Happening::Rejected { proposal, by, reason } => format!("{proposal} rejected by {by}: {reason}"),
        Happening::Withdrawn { proposal, why } => format!("{proposal} is off the queue: {why}"),
        Happening::Refused { code, why } => format!("{code} {why}"),
        Happening::ChangeStarted { change, proposal } => format!("{change} starts ({proposal})"),
        Happening::ChangeStep { change, device, step } => match device {
            Some(device) => format!("{change} on {device}: {step}"),
            None => format!("{change}: {step}"),
        },
        Happening::Measured { change, passed, why, .. } => {
            format!("{change} measured, {}: {why}", if *passed { "it helped" } else { "it did not help" })
        }
        Happening::ChangeFinished { change, outcome, why, .. } => format!("{change} {outcome}: {why}"),
        Happening::Learned { change, delay_error_ms, exits, .. } => {
            let exits = exits.map(|(did, all)| format!(", {did} of {all} prefixes took the predicted exit")).unwrap_or_default();
            match delay_error_ms {
                Some(e) => format!("{change}: predicted delay was off by {e:.1} ms{exits}"),
                None => format!("{change}: outcome recorded{exits}"),
            }
        }
        Happening::Killed { stopped, by } => format!("{by} {}", if *stopped { "stopped every change" } else { "allows changes again" }),
    }
}
