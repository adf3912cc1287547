//! What is being done: the life of a change, from permit to outcome.
//!
//! The wire vocabulary between the saga machine (here, pure) and the executor (io): one [`WireOp`] at a time per device, each
//! journalled before it is sent, each answered by one [`WireReply`] or by silence that counts as doubt.

mod wire;

pub use wire::{DeviceState, WireFault, WireOp, WireReply};
