//! What perception reports: requests for evidence, and one finding per provider with the numbers behind it.

use crate::{Interval, Measured};
use action::{Direction, ExitId, FindingId, GroupId, ProviderId};
use bgp::Family;
use network::ProbeKey;
use serde::{Deserialize, Serialize};
use units::Timestamp;

/// What kind of trouble; a finding carries the gravest that any of its paths shows, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// Forward delay above the limit.
    DelayRise,
    /// Loss above the limit.
    Loss,
    /// A BGP session went down.
    SessionDown,
    /// Nothing arrives.
    Silent,
}

/// One path's numbers before and now, with where they come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PathEvidence {
    /// Which probe.
    pub probe: ProbeKey,
    /// The window before the trouble began.
    pub before: Measured,
    /// The newest window.
    pub now: Measured,
    /// Learned delay of this path, milliseconds.
    pub baseline_ms: Option<f64>,
    /// Delay above which it is suspicious, milliseconds.
    pub limit_ms: f64,
    /// Where the numbers come from (`gNMI r1 /probes, probe r1-ispa:east:ipv4`).
    pub source: String,
}

impl PathEvidence {
    /// Returns the interval of the delay now, milliseconds.
    #[must_use]
    pub fn delay_now_ms(&self) -> Option<Interval> {
        self.now.delay_interval_ms()
    }
}

/// A provider's paths are degraded: one value for all its exits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Id.
    pub id: FindingId,
    /// Whose paths.
    pub provider: ProviderId,
    /// The gravest trouble.
    pub kind: FindingKind,
    /// Direction of the traffic concerned.
    pub direction: Direction,
    /// Exits that are degraded, sorted.
    pub exits: Vec<ExitId>,
    /// Groups concerned, sorted.
    pub groups: Vec<GroupId>,
    /// Families concerned, sorted.
    pub families: Vec<Family>,
    /// The exact paths concerned, sorted; empty for a session that is down on an exit without probes.
    pub paths: Vec<ProbeKey>,
    /// First unusual sample.
    pub since: Timestamp,
    /// When the finding was opened.
    pub opened: Timestamp,
    /// Numbers per degraded path.
    pub evidence: Vec<PathEvidence>,
    /// What the routers' own choice feels in the groups concerned (probes that follow the routing).
    pub felt: Vec<PathEvidence>,
}

impl Finding {
    /// Says whether the path (`exit`, `group`, `family`) is concerned.
    #[must_use]
    pub fn concerns(&self, exit: &ExitId, group: &GroupId, family: Family) -> bool {
        self.paths.iter().any(|p| p.exit.as_ref() == Some(exit) && &p.group == group && p.family == family)
    }

    /// Returns the loss now, pooled over the degraded paths.
    #[must_use]
    pub fn pooled_now(&self) -> Measured {
        self.evidence.iter().fold(Measured::default(), |sum, e| sum.merged(&e.now))
    }

    /// Returns the numbers before the trouble, pooled over the degraded paths.
    #[must_use]
    pub fn pooled_before(&self) -> Measured {
        self.evidence.iter().fold(Measured::default(), |sum, e| sum.merged(&e.before))
    }
}

/// Something perception asks of the outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "request")]
pub enum Request {
    /// A higher probe rate for a while (gNMI Set of `/probes/probe/tests/test/config/rate-hz`).
    ProbeRate {
        /// Which probe.
        probe: ProbeKey,
        /// Packets per second.
        hz: u32,
        /// For how long, seconds.
        seconds: u32,
    },
}

/// What changed in the judgement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// Something is suspicious and needs more samples.
    EvidenceNeeded {
        /// What is asked, sorted by probe.
        requests: Vec<Request>,
    },
    /// A provider's paths are proven degraded.
    FindingOpened {
        /// The finding.
        finding: Finding,
    },
    /// An open finding concerns other paths now, or its numbers were renewed.
    FindingUpdated {
        /// The finding as it is now.
        finding: Finding,
        /// The paths, exits or kind changed, not only the numbers.
        scope_changed: bool,
    },
    /// The trouble is over.
    FindingCleared {
        /// Which finding.
        id: FindingId,
        /// Whose.
        provider: ProviderId,
        /// When.
        at: Timestamp,
    },
}
