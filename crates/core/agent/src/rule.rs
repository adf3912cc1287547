//! Watch rules: three kinds of test, and the five that every agent begins with.

use core::time::Duration;
use serde::{Deserialize, Serialize};

/// Who made the rules that an agent begins with.
pub const BOOTSTRAP: &str = "bootstrap";

/// A rule; names are unique per agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Name, as it is shown.
    pub name: String,
    /// Who made it.
    pub created_by: String,
    /// What it looks at.
    pub test: RuleTest,
}

/// What a rule looks at, when it speaks and when it is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum RuleTest {
    /// A reading stays above a limit.
    Threshold {
        /// Which reading.
        metric: Metric,
        /// Strictly above this it counts, 0–1.
        above: f64,
        /// Above for this long without a break before the rule speaks.
        hold: Duration,
        /// At or below this it counts as over, 0–1.
        clear_at: f64,
        /// At or below for this long before the rule is quiet again.
        clear_hold: Duration,
    },
    /// Something that was up leaves that state. A dip shorter than `hold` speaks too, when it ends.
    StateTransition {
        /// What.
        of: StateKind,
        /// Waited before the rule speaks, so that the reason, or an operator's shut, arrives with it.
        hold: Duration,
        /// Back for this long without a break before the rule is quiet again: a flap speaks once.
        clear_hold: Duration,
    },
    /// The rate of errors of an interface is a multiple of what it was.
    RateChange {
        /// How many times the earlier rate.
        multiplier: f64,
        /// Length of the earlier stretch that the recent one is compared with.
        window: Duration,
        /// Length of the recent stretch.
        recent: Duration,
        /// Below this many per second no growth counts: from none to one is infinite.
        min_per_s: f64,
        /// Below half of the limit for this long before the rule is quiet again.
        clear_hold: Duration,
    },
}

/// A reading of the device itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// CPU use.
    Cpu,
    /// Memory use.
    Memory,
}

impl Metric {
    /// Returns the name of the reading in percent.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu_percent",
            Self::Memory => "memory_percent",
        }
    }
}

/// Things with an up and a down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateKind {
    /// An interface that is not shut by an operator.
    InterfaceStatus,
    /// A BGP peer that is not shut by an operator; any exit from Established counts (RFC 4271 §8.2.2).
    BgpPeerStatus,
}

/// Returns the five rules that an agent begins with.
#[must_use]
pub fn bootstrap_rules() -> Vec<Rule> {
    let rule = |name: &str, test| Rule { name: name.to_owned(), created_by: BOOTSTRAP.to_owned(), test };
    let s = Duration::from_secs;
    let threshold = |metric, above, clear_at| RuleTest::Threshold { metric, above, hold: s(10), clear_at, clear_hold: s(30) };
    let transition = |of| RuleTest::StateTransition { of, hold: s(2), clear_hold: s(30) };
    vec![
        rule("CPU Over 80%", threshold(Metric::Cpu, 0.80, 0.75)),
        rule("Memory Over 90%", threshold(Metric::Memory, 0.90, 0.88)),
        rule("Interface Down", transition(StateKind::InterfaceStatus)),
        rule("BGP Peer Down", transition(StateKind::BgpPeerStatus)),
        rule(
            "Error Rate 5x Increase",
            RuleTest::RateChange { multiplier: 5.0, window: s(300), recent: s(60), min_per_s: 0.1, clear_hold: s(60) },
        ),
    ]
}
