//! What would happen: the own AS computed from what its routers are configured to do and what their neighbours told them.
//!
//! A [`Picture`] is drawn from the live network: the configuration of every device, the Adj-RIB-In of every session with somebody who is not
//! managed, which sessions and interfaces are up. [`Twin::new`] solves it with [`routing`], the simulator that is held against real FRR.
//! [`Twin::ask`] applies edits to the configurations that they touch, as the device would, and goes on from the tables that stand: what comes
//! out is judged by the checks of [`preflight`], the way back included.
//!
//! Promises: the same picture gives the same answer; a network without a stable state is named, never looped on; what depends on the
//! order of arrival is said to; what a configuration asks for and the twin does not model is listed. It never sees a credential and
//! never changes anything.

mod agreement;
mod alike;
mod error;
mod explain;
mod facts;
mod forward;
mod memory;
mod picture;
mod prediction;
#[cfg(test)]
mod scene;
mod source;
mod twin;
mod unmodelled;
mod what_if;
mod wires;

pub use agreement::{Agreement, Difference, Field};
pub use error::TwinError;
pub use explain::Explanation;
pub use forward::ForwardingResult;
pub use memory::Memory;
pub use picture::Picture;
pub use prediction::{AnnouncedChange, DeviceChange, ExitLoad, LinkLoad, Prediction, PrefixChange, RouteView};
pub use preflight::{Check, CheckId, Figure, PathMetric, Sample, Verdict};
pub use routing::{Step, side_by_side};
pub use source::Source;
pub use twin::{Best, Twin};
pub use unmodelled::{Relevance, Unmodelled};
pub use what_if::Question;
