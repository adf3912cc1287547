//! What came in so far and what it says, on one page: the report of the collector (S1-080).

use crate::call::count;
use core::fmt;
use perception::Features;
use pilot::PilotState;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The collector's report. Delays in milliseconds, ratios 0–1; what was not measured is absent, not 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct IntakeView {
    /// Time of the last input, RFC 3339.
    pub time: String,
    /// Routers of the inventory.
    pub routers: u32,
    /// Routers that told anything so far.
    pub routers_heard: u32,
    /// Best routes over all routers.
    #[ts(type = "number")]
    pub rib_entries: u64,
    /// Different prefixes among everything known.
    pub unique_prefixes: u32,
    /// Version of the numbers below.
    pub features_version: u32,
    /// Mean delay of the paths pinned to exits.
    pub avg_latency_ms: Option<f64>,
    /// Largest delay of a path.
    pub max_latency_ms: Option<f64>,
    /// Mean loss.
    pub avg_packet_loss: Option<f64>,
    /// Largest loss of a path.
    pub max_packet_loss: Option<f64>,
    /// Sessions that are neither Established nor shut down.
    pub peers_down: u32,
    /// The classic score on its fixed scale.
    pub anomaly_score: Option<f64>,
    /// The score by each path's own routine.
    pub relative_anomaly: Option<f64>,
    /// Paths that appeared or went in the last whole minute, over the peers of all routers.
    #[ts(type = "number | null")]
    pub prefix_churn: Option<u64>,
    /// BMP, over all routers.
    pub bmp: BmpIntake,
    /// Messages published by topic, since the engine started; empty in a replay.
    #[ts(type = "[string, number][]")]
    pub topics: Vec<(String, u64)>,
}

/// What came by BMP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct BmpIntake {
    /// Messages, malformed ones included.
    #[ts(type = "number")]
    pub total_messages: u64,
    /// Route Monitoring messages.
    #[ts(type = "number")]
    pub route_updates: u64,
    /// Peer Up and Peer Down, nothing else.
    #[ts(type = "number")]
    pub peer_events: u64,
    /// Messages that could not be decoded.
    #[ts(type = "number")]
    pub malformed: u64,
    /// Corrections of known sender faults.
    #[ts(type = "number")]
    pub repairs: u64,
}

/// Makes the report, without the topics, which stand beside the pilot.
pub fn intake(s: &PilotState) -> IntakeView {
    let features = Features::of(&s.perception, &s.network, s.now);
    let heard = s.network.devices.values().filter(|d| !d.bmp_is_stale(s.now) || !d.gnmi_is_stale(s.now)).count();
    let bmp = s.network.devices.values().fold(BmpIntake::default(), |sum, d| {
        let counts = &d.bmp_session.counts;
        BmpIntake {
            total_messages: sum.total_messages + counts.messages,
            route_updates: sum.route_updates + counts.route_updates,
            peer_events: sum.peer_events + counts.peer_events,
            malformed: sum.malformed + d.malformed,
            repairs: sum.repairs + d.repairs.values().map(|r| r.count).sum::<u64>(),
        }
    });
    IntakeView {
        time: s.now.to_string(),
        routers: count(s.network.inventory.devices.len()),
        routers_heard: count(heard),
        rib_entries: features.total_rib_entries,
        unique_prefixes: count(s.network.prefixes_known()),
        features_version: features.version,
        avg_latency_ms: features.avg_latency_ms,
        max_latency_ms: features.max_latency_ms,
        avg_packet_loss: features.avg_packet_loss.map(units::Ratio::get),
        max_packet_loss: features.max_packet_loss.map(units::Ratio::get),
        peers_down: features.peer_down_count,
        anomaly_score: features.anomaly_score,
        relative_anomaly: features.relative_anomaly,
        prefix_churn: features.prefix_churn,
        bmp,
        topics: Vec::new(),
    }
}

impl fmt::Display for IntakeView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |v: Option<f64>, digits: usize| v.map_or_else(|| "not measured".to_owned(), |v| format!("{v:.digits$}"));
        let share = |v: Option<f64>| v.map_or_else(|| "not measured".to_owned(), |v| format!("{:.3} %", v * 100.0));
        let delay = |v: Option<f64>| v.map_or_else(|| "not measured".to_owned(), |v| format!("{v:.1} ms"));
        writeln!(f, "routers monitored   {} of {}", self.routers_heard, self.routers)?;
        writeln!(f, "RIB entries         {} ({} different prefixes)", self.rib_entries, self.unique_prefixes)?;
        writeln!(f, "delay               mean {}, largest {}", delay(self.avg_latency_ms), delay(self.max_latency_ms))?;
        writeln!(f, "loss                mean {}, largest {}", share(self.avg_packet_loss), share(self.max_packet_loss))?;
        writeln!(f, "peers down          {}", self.peers_down)?;
        writeln!(
            f,
            "anomaly score       {} on the fixed scale, {} by each path's own routine",
            number(self.anomaly_score, 3),
            number(self.relative_anomaly, 3)
        )?;
        let churn = self.prefix_churn.map_or_else(|| "not known yet".to_owned(), |n| format!("{n} paths came or went in the last minute"));
        writeln!(f, "prefix churn        {churn}")?;
        let b = &self.bmp;
        writeln!(
            f,
            "BMP                 {} messages: {} route updates, {} peer events, {} malformed; {} repairs",
            b.total_messages, b.route_updates, b.peer_events, b.malformed, b.repairs
        )?;
        for (topic, published) in self.topics.iter().filter(|(_, n)| *n > 0) {
            writeln!(f, "{topic:19} {published} messages")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded::Recorded;

    #[test]
    fn the_report_counts_what_the_laboratory_s_routers_sent_and_invents_nothing() {
        let recorded = Recorded::seed();
        let view = intake(&recorded.state);
        assert_eq!((view.routers, view.routers_heard), (4, 3));
        let counts = (view.bmp.total_messages, view.bmp.route_updates, view.bmp.peer_events);
        assert_eq!(counts, (recorded.messages, recorded.routes, recorded.peers));
        assert!(recorded.routes > 100 && recorded.peers > 4 && view.unique_prefixes > 200, "{view:?}");
        assert_eq!((view.avg_latency_ms, view.anomaly_score, view.relative_anomaly), (None, None, None), "no probe, no number");
        let text = view.to_string();
        assert!(text.contains("routers monitored   3 of 4") && text.contains("mean not measured"), "{text}");
    }
}
