//! What happened, in sentences, newest last: kept since the engine's doors opened.

use crate::sentence;
use pilot::{Event, Happening};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use ts_rs::TS;
use units::Timestamp;

/// Entries kept; the audit chain and the capture keep all.
const ENTRIES_MAX: usize = 1000;

/// One event for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct TimelineEntry {
    /// Place in the timeline; grows by one.
    #[ts(type = "number")]
    pub id: u64,
    /// When, RFC 3339.
    pub time: String,
    /// `feed`, `device`, `twin`, `agent`, `finding`, `decision`, `approval`, `change`, `guard` or `engine`.
    pub kind: String,
    /// 1 critical, 2 major, 3 minor, 4 notice, 0 nothing abnormal.
    pub severity: u8,
    /// One or more sentences.
    pub text: String,
    /// Proposal that it is about.
    pub proposal: Option<String>,
    /// Finding that it is about, or on whose paths it happened.
    #[serde(default)]
    pub finding: Option<String>,
}

/// The timeline of one engine. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    entries: Arc<Mutex<(u64, VecDeque<TimelineEntry>)>>,
}

impl Timeline {
    /// Takes up events until their engine stops.
    pub async fn follow(self, mut events: Receiver<Event>) {
        loop {
            match events.recv().await {
                Ok(event) => self.add(&event),
                Err(RecvError::Lagged(missed)) => {
                    self.put("engine", 4, format!("{missed} events came too fast to be shown"), None, (None, None))
                }
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Drops the entries of this time and later; the numbers go on.
    pub(crate) fn cut(&self, from: Timestamp) {
        let from = from.to_string();
        // all in one form, so that the text sorts as the time does
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).1.retain(|e| e.time < from);
    }

    /// Returns the entries behind `after`, oldest first.
    #[must_use]
    pub fn since(&self, after: u64) -> Vec<TimelineEntry> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.1.iter().filter(|e| e.id > after).cloned().collect()
    }

    pub(crate) fn add(&self, event: &Event) {
        let (kind, severity, proposal) = classify(&event.what);
        self.put(kind, severity, sentence(event), Some(event.at.to_string()), (proposal, finding(&event.what)));
    }

    /// Says that what so many inputs told, up to this time, is not here.
    pub(crate) fn jumped(&self, to: Timestamp, inputs: u64) {
        let text = format!("{inputs} inputs were jumped over to get here; what they told is not listed");
        self.put("engine", 4, text, Some(to.to_string()), (None, None));
    }

    fn put(&self, kind: &str, severity: u8, text: String, time: Option<String>, about: (Option<String>, Option<String>)) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.0 += 1;
        let time = time.or_else(|| entries.1.back().map(|e| e.time.clone())).unwrap_or_default();
        let (proposal, finding) = about;
        let entry = TimelineEntry { id: entries.0, time, kind: kind.to_owned(), severity, text, proposal, finding };
        entries.1.push_back(entry);
        if entries.1.len() > ENTRIES_MAX {
            entries.1.pop_front();
        }
    }
}

/// Returns the finding that an event is about; of several on whose paths a device is, the oldest.
fn finding(what: &Happening) -> Option<String> {
    match what {
        Happening::FindingOpened { finding, .. } | Happening::ChangedBefore { finding, .. } | Happening::FindingCleared { finding } => {
            Some(finding.to_string())
        }
        Happening::Reported { findings, .. } => findings.first().map(ToString::to_string),
        Happening::Decided { finding, .. } | Happening::Proposed { finding, .. } => finding.map(|f| f.to_string()),
        _ => None,
    }
}

/// Sorts an event for the eye. Severities follow the design language: P1 broken, P2 major, P3 minor, P4 notice.
fn classify(what: &Happening) -> (&'static str, u8, Option<String>) {
    match what {
        Happening::Feed { state, .. } => ("feed", if state == "stale" { 4 } else { 0 }, None),
        Happening::Repaired { .. } => ("feed", 0, None),
        Happening::Unreadable { .. } => ("feed", 3, None),
        Happening::Reported { report, .. } => {
            let severity = match report.kind {
                syslog::Kind::NeighborDown | syslog::Kind::LinkDown | syslog::Kind::OpticsAlarm => 3,
                syslog::Kind::ConfigCommitted => 4,
                syslog::Kind::ConfigEntered | syslog::Kind::NeighborUp | syslog::Kind::LinkUp => 0,
            };
            ("device", severity, None)
        }
        Happening::Agreement { devices, .. } => ("twin", if devices.iter().any(|(_, all, equal)| all != equal) { 4 } else { 0 }, None),
        Happening::Evidence { .. } => ("finding", 0, None),
        Happening::OriginValidation { known, .. } => ("feed", if *known { 0 } else { 3 }, None),
        Happening::Watched { alert } => ("agent", if alert.change == agent::AlertChange::Raised { 3 } else { 0 }, None),
        Happening::FindingOpened { .. } => ("finding", 2, None),
        Happening::ChangedBefore { .. } => ("finding", 4, None),
        Happening::FindingCleared { .. } => ("finding", 0, None),
        Happening::Decided { .. } => ("decision", 0, None),
        Happening::Blocked { .. } => ("guard", 4, None),
        Happening::Proposed { proposal, .. } | Happening::Withdrawn { proposal, .. } => ("approval", 0, Some(proposal.to_string())),
        Happening::Approved { proposal, .. } | Happening::Rejected { proposal, .. } => ("approval", 0, Some(proposal.to_string())),
        Happening::Overridden { proposal, .. } => ("approval", 3, Some(proposal.to_string())),
        Happening::Refused { .. } => ("engine", 4, None),
        Happening::ChangeStarted { proposal, .. } => ("change", 0, Some(proposal.to_string())),
        Happening::ChangeStep { .. } | Happening::Learned { .. } => ("change", 0, None),
        Happening::Measured { passed, .. } => ("change", if *passed { 0 } else { 2 }, None),
        Happening::ChangeFinished { outcome, proposal, .. } => {
            let severity = match outcome.as_str() {
                "confirmed" => 0,
                "rolled_back" => 2,
                _ => 1,
            };
            ("change", severity, Some(proposal.to_string()))
        }
        Happening::Killed { stopped, .. } => ("engine", if *stopped { 2 } else { 0 }, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use units::Timestamp;

    fn killed(seq: u64) -> Event {
        Event { seq, at: Timestamp::from_millis(1000), what: Happening::Killed { stopped: true, by: "uid:0 root".into() } }
    }

    #[test]
    fn the_newest_thousand_stay_and_their_numbers_go_on() {
        let timeline = Timeline::default();
        (0..1010).for_each(|i| timeline.add(&killed(i)));
        let all = timeline.since(0);
        assert_eq!((all.len(), all[0].id, all[999].id), (ENTRIES_MAX, 11, 1010));
        assert_eq!(timeline.since(1009).len(), 1);
        assert_eq!((all[0].severity, all[0].kind.as_str()), (2, "engine"));
    }
}
