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
        // what can be switched off changes what is read; the others are names of what is odd
        Happening::Repaired { device, repair } if repair.parse::<bmp::Repair>().is_ok() => {
            format!("{device} shows a known fault that is corrected from here on: {repair}")
        }
        Happening::Repaired { device, repair } => format!("{device} shows something odd, which is noted from here on: {repair}"),
        Happening::Unreadable { device, why } => format!("{device}: {why}"),
        Happening::Reported { report, findings } => {
            let on: Vec<String> = findings.iter().map(ToString::to_string).collect();
            format!("{}{}", reported(report), if on.is_empty() { String::new() } else { format!(" (on the path of {})", on.join(", ")) })
        }
        Happening::Agreement { devices, differences } => {
            let list: Vec<String> = devices.iter().map(|(d, c, e)| format!("{d} {e}/{c}")).collect();
            let first = differences.first().map(|d| format!("; {d}")).unwrap_or_default();
            format!("twin agrees with the routers on {}{first}", list.join(", "))
        }
        Happening::OriginValidation { what, .. } => what.clone(),
        Happening::Evidence { why, probes, rate_hz, seconds } => format!("{why}: {probes} probes at {rate_hz}/s for {seconds} s"),
        Happening::Watched { alert } => alert.to_string(),
        Happening::FindingOpened { finding, summary } => format!("{finding} {summary}"),
        Happening::ChangedBefore { finding, reports } => {
            let all: Vec<String> = reports.iter().map(|r| format!("{} {}", r.at, reported(r))).collect();
            format!("shortly before {finding}, on its path: {}", all.join("; "))
        }
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
        Happening::Overridden { proposal, by, reason, doubts } => {
            format!("{by} approves {proposal} although the twin may not judge ({}): {reason:?}", doubts.join("; "))
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
        Happening::Learned { change, delay_error_ms, exits, paths_within, .. } => {
            let exits = exits.map(|(did, all)| format!(", {did} of {all} prefixes took the predicted exit")).unwrap_or_default();
            let within =
                paths_within.map(|(did, all)| format!(", {did} of {all} paths within their predicted interval")).unwrap_or_default();
            match delay_error_ms {
                Some(e) => format!("{change}: predicted delay was off by {e:.1} ms{within}{exits}"),
                None => format!("{change}: outcome recorded{within}{exits}"),
            }
        }
        Happening::Killed { stopped, by } => format!("{by} {}", if *stopped { "stopped every change" } else { "allows changes again" }),
    }
}

/// What a device says of itself. Its words are quoted, and control characters in them shown: they steer neither window nor terminal.
pub(crate) fn reported(report: &network::Report) -> String {
    let what = match report.kind {
        syslog::Kind::ConfigCommitted => "the configuration was committed",
        syslog::Kind::ConfigEntered => "somebody began to configure it",
        syslog::Kind::NeighborUp => "a BGP session came up",
        syslog::Kind::NeighborDown => "a BGP session went down",
        syslog::Kind::LinkUp => "a link came up",
        syslog::Kind::LinkDown => "a link went down",
        syslog::Kind::OpticsAlarm => "an optic is out of its limits",
    };
    let mut out = format!("{} says by syslog: {what}", report.device);
    let mut quoted = |before: &str, words: &Option<String>| {
        if let Some(words) = words {
            out.push_str(&format!(" {before} {words:?}"));
        }
    };
    quoted("by", &report.user);
    quoted("from", &report.from);
    quoted("at neighbour", &report.neighbor.map(|n| n.to_string()));
    quoted("on", &report.interface);
    quoted("because", &report.reason);
    quoted("with", &report.what);
    out.push_str(&format!("; {:?}", report.text));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use units::Timestamp;

    #[test]
    fn what_is_only_odd_is_noted_and_not_called_corrected() {
        let said = |repair: &str| {
            let what = Happening::Repaired { device: "r1".into(), repair: repair.to_owned() };
            sentence(&Event { seq: 1, at: Timestamp::EPOCH, what })
        };
        for note in ["peer_down_repeated", "routes_without_peer_up", "ipv6_flag_missing", "unknown_statistic_65531"] {
            assert!(said(note).contains("noted") && !said(note).contains("corrected"), "{}", said(note));
        }
        assert!(said("frr_own_as_in_front").contains("corrected"), "{}", said("frr_own_as_in_front"));
    }

    #[test]
    fn what_a_device_says_is_quoted_and_steers_nothing() {
        let mut network = network::Network::new(network::Inventory::empty("x"));
        network.devices.insert("r1".into(), network::Device::default());
        let text = "<190>Mar  5 14:47:45 mx1 mgd[91373]: UI_COMMIT: User 'lab' requested 'commit' operation (comment: \"\x1b[31m<b>x\")";
        let said = network::Observation::Syslog { device: "r1".into(), bytes: text.as_bytes().to_vec() };
        network.observe(&said, Timestamp::from_millis(1_800_000_000_000));
        let report = network.reports.recent.back().unwrap().clone();
        let line = sentence(&Event {
            seq: 1,
            at: report.at,
            what: Happening::Reported { report: Box::new(report.clone()), findings: Vec::new() },
        });
        assert!(line.starts_with("r1 says by syslog: the configuration was committed by \"lab\""), "{line}");
        assert!(!line.contains('\x1b'), "{line}");
        let near = Happening::ChangedBefore { finding: action::FindingId(3), reports: vec![report] };
        let line = sentence(&Event { seq: 2, at: Timestamp::from_millis(1_800_000_060_000), what: near });
        assert!(line.starts_with("shortly before ") && line.contains("committed by \"lab\"") && !line.contains('\x1b'), "{line}");
    }
}
