//! The composition: one input at a time in, effects out.
//!
//! [`Pilot::handle`] is the whole loop. It knows no socket, file, clock or random source, so a capture of its inputs replays to the same
//! events and the same [`Pilot::state_hash`]. Long work ([`SimulationJob`]) leaves as an effect over an immutable picture and comes back
//! as an input; replay computes it again and compares.

mod changes;
mod consequences;
mod doubt;
mod effect;
mod event;
mod input;
mod perceive;
mod pilot;
mod proposals;
mod simulate;
mod state;

pub use doubt::doubts;
pub use effect::Effect;
pub use event::{Event, Happening};
pub use guardrail::Mode;
pub use input::{Command, INPUT_SCHEMA, Input};
pub use pilot::Pilot;
pub use simulate::{AgreementRow, Decided, Drift, Forecast, JobId, JobKind, Shift, SimulationAnswer, SimulationJob, simulate};
pub use state::{ChangeRecord, PathOutcome, PilotState, ProposalRecord, ProposalState, Resume};
