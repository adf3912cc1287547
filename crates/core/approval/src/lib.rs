//! Who agreed: the queue of proposals, their time to live, agreement counts, and the one-use [`Permit`].
//!
//! Promises: an approval names the hash of the plan that was shown; silence approves nothing; of two decisions one wins; and only this
//! crate can make a permit, which is bound to one change and its exact payloads. It decides nothing about the network, knows no clock
//! (time is an argument) and writes nothing. Its input is what operators do, brought by `pilot`.

mod agreement;
mod binding;
mod permit;
mod queue;
mod refusal;

pub use agreement::{Agreement, Counts, Feedback, Interval};
pub use binding::{BoundDevice, PlanBinding};
pub use permit::{PERMIT_VALID, Permit, PermitId};
pub use queue::{Approval, Item, MAX_DECIDED, MAX_PENDING, Queue, Status, Submission};
pub use refusal::{Refusal, RejectReason, UnknownReason};
