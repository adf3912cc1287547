//! What the picture means: device health, the state of every measured path, findings per provider, and whether a change really helped.
//!
//! Input is [`network::Network`] and the time; output are values ([`Event`], [`HealthScore`], [`Verdict`]). It judges measurements and
//! nothing else: it proposes no action, and silence of a feed is staleness here, never loss.
//! Windows are cut by the time stamps of the samples, so a replay judges the same way as the live run.

mod classic;
mod condition;
mod features;
mod finding;
mod foresight;
mod health;
mod loss;
mod measured;
mod monitor;
mod pairs;
mod path;
mod recent_changes;
#[cfg(test)]
mod scene;
mod settings;
mod verification;

pub use classic::{AnomalyLevel, ClassicScore, classic};
pub use condition::{Condition, Judgement, Reading};
pub use features::{FEATURES_VERSION, Features};
pub use finding::{Event, Finding, FindingKind, PathEvidence, Request};
pub use foresight::coming_delay_ms;
pub use health::{HealthRules, HealthScore, Penalty, PenaltyCause, PortRule, health};
pub use loss::ExitLoss;
pub use measured::{Estimate, Interval, Measured, wilson, wilson_lower, wilson_upper};
pub use monitor::Perception;
pub use path::{Baseline, Path, PathState, delay_limit, recovery_limit};
pub use recent_changes::{CHANGES_BEFORE, CHANGES_MAX, recent_changes};
pub use settings::Thresholds;
pub use verification::{Expectation, ExpectedPath, Goal, Verdict, Verification, VerificationLimits};
