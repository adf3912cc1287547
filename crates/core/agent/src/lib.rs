//! One agent per device: what its state is in words, what its watch rules say, and answers to questions about it.
//!
//! Everything here is a view over [`network::Network`] and [`perception::Perception`]; the only memory of its own is [`Watch`]: where the
//! rules stand, what they said, and a bounded history of readings. An agent reads and computes; it proposes nothing, sends nothing and
//! reaches no credential. No language model is asked: [`answer`] finds the reading tool that fits a question and fills a template with
//! [`Sample`]s, each with its time and the path that it came by. Words of a device are quoted, cut and never followed.

mod alert;
mod answer;
mod bgp_answers;
mod edge;
mod errors;
mod history;
mod latch;
mod question;
mod rule;
mod sample;
#[cfg(test)]
#[path = "../../twin/src/scene.rs"]
#[allow(dead_code, reason = "the twin's scene; it has more than these tests need")]
mod scene;
mod state_answers;
mod summary;
#[cfg(test)]
mod tests;
mod watch;
mod words;

pub use alert::{Alert, AlertChange, Subject};
pub use answer::{Answer, Look, Tool, answer};
pub use history::Snapshot;
pub use question::{Asked, LocalPrefQuestion, QUESTIONS, Target, read};
pub use rule::{Metric, Rule, RuleTest, StateKind, bootstrap_rules};
pub use sample::{Sample, Value};
pub use state_answers::cause as penalty;
pub use summary::{HIGH_UTIL, role, summary};
pub use watch::Watch;

#[cfg(test)]
use twin::{Picture, Twin};
