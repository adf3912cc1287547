//! The checks of a change over two solved networks, with evidence.
//!
//! A [`World`] is a network with its tables; [`Evidence`] holds two of them, what differs, and the [`Facts`] that configurations do not tell
//! (relationships, capacities, measured volumes and paths, limits). Each check is a function of that evidence and says pass, warn or block,
//! with a sentence for the card and the rows behind it. What is not known is said, and never replaced by a number. Nothing here reads a
//! clock, a file or a random source: the same inputs give the same verdicts.

pub mod announced;
mod carriage;
pub mod check;
mod difference;
mod evidence;
mod facts;
pub mod failures;
mod intent;
pub mod load;
pub mod order;
mod prediction;
mod structure;
mod summary;
mod tried;
mod verdict;
mod world;

pub use announced::{AnnouncedChange, Session};
pub use carriage::{Carriage, Shape};
pub use difference::{Declared, Difference, Group, Way, difference, way};
pub use evidence::{Evidence, Report};
pub use facts::{
    Accepts, Class, Context, Exit, ExitFacts, Facts, Flaps, Limits, LinkFacts, Meaning, PathMetric, Relation, RouterFacts, Sample,
    VOLUME_AGE_S_MAX, Validity, Vital, Volume, Word,
};
pub use intent::{FlowRule, Intent};
pub use prediction::{Convergence, Figure, Prediction, Stability, prediction};
pub use structure::{Node, Size, Structure};
pub use summary::{SimulationResult, Summary};
pub use tried::{Ground, Remembered, Tried};
pub use verdict::{Check, CheckId, Row, Verdict};
pub use world::{End, Ports, Solved, Walk, World};
