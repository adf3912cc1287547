//! What to do about a finding: candidates, what each would bring, the choice, and why the others lost.
//!
//! Input is a [`perception::Finding`], the picture, perception's memory and something that answers "what if" ([`WhatIf`], the twin).
//! It weighs measured numbers only: a path that was not measured recently is never chosen, it is asked for. It executes nothing and
//! forbids nothing (that is the guardrail's), and the same input in any order gives the same decision.

mod candidate;
mod choice;
mod edits;
mod metrics;
mod prediction;
mod proposal;
mod quality;
#[cfg(test)]
mod scene;
mod settings;
mod text;
mod traffic;
mod twin_answers;
mod what_if;

pub use choice::decide;
pub use metrics::path_metrics;
pub use prediction::{ExitLoad, Prediction, PrefixMove};
pub use proposal::{Alternative, Confidence, Decision, Proposal};
pub use quality::{PathQuality, QualityTable};
pub use settings::Settings;
pub use text::trouble;
pub use traffic::Class;
pub use what_if::{Effect, ExitRoute, Move, View, WhatIf, WhatIfError};
