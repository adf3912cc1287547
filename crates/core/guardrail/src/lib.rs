//! What may be done: limits, tiers, rates, protected communities, modes and the kill switch.
//!
//! [`GuardPolicy::evaluate`] judges a proposal and says who must agree; [`GuardPolicy::may_execute`] is asked again when a change is about
//! to be sent. Both are functions of their arguments; the only state is [`Counters`], what was applied lately. It proposes nothing, and a
//! rule that may forbid lives here and nowhere else. What the twin found comes in as plain values.

mod community;
mod counters;
mod mode;
mod platform;
mod policy;
mod verdict;

pub use counters::{Applied, Counters, MAX_APPLIED};
pub use mode::{Execution, Mode};
pub use policy::{GuardPolicy, PerTier, Profile, RateLimits, RollbackLimits};
pub use verdict::{CheckStanding, Confidence, Decision, Predicted, Request, Rule, Severity, TwinCheck, Verdict, Violation};
