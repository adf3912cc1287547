//! What is being done: the life of a change, from permit to outcome.
//!
//! [`Saga`] is a pure machine: it takes an [`Event`] and the time, and returns [`Step`]s for the shell. The wire vocabulary between it
//! and the executor is one [`WireOp`] at a time, each journalled before it is sent, each answered by one [`WireReply`] or by silence
//! that counts as doubt.
//!
//! Promises, for any number of crashes and lost replies: a commit is never sent twice; a change is confirmed only after it was measured
//! and after that fact is durable; after any doubt the device is read, never assumed; what cannot be known ends as
//! [`Outcome::InDoubt`] and is never guessed. The device's own confirm timer is the watchdog (RFC 6241 §8.4): if we die, it undoes.

mod journal;
mod outcome;
mod plan;
mod saga;
mod wire;

pub use journal::{JournalEntry, JournalRecord};
pub use outcome::{DecisionOutcome, Outcome, Why, WhyCode};
pub use plan::{DevicePlan, MAX_DEVICES, Plan, PlanError};
pub use saga::{
    CONFIRM_RESERVE_PERCENT, Event, LATE_MARGIN, RecoverError, Recovery, Saga, SlaResult, Stage, Step, VERIFY_SILENCE, WIRE_SILENCE,
    recover,
};
pub use wire::{DeviceState, WireFault, WireOp, WireReply};
