//! What would happen: the own AS computed from what its routers are configured to do and what their neighbours told them.
//!
//! [`Twin::build`] takes one picture of the network: the parsed configuration of every device, the Adj-RIB-In before policy of every
//! external session, and which sessions and interfaces are up. It runs import policy, route reflection (RFC 4456) and FRR 8.4's
//! decision process (bgpd/bgp_route.c, `bgp_path_info_cmp`) per router and prefix to a fixed point, and follows packets hop by hop.
//! [`Twin::what_if`] does the same with edits applied to the touched routers and computes again only the prefixes that they can reach.
//!
//! Promises: the same picture gives the same answer; a network without a stable state is named, never looped on; what depends on the
//! order of arrival is said to; what a configuration asks for and the twin does not model is listed. It never sees a credential and
//! never changes anything.

mod agreement;
mod check;
mod compare;
mod error;
mod explain;
mod export;
mod forward;
mod import;
mod load;
mod model;
mod path;
mod prediction;
#[cfg(test)]
mod scene;
mod session;
mod solve;
mod tables;
mod twin;
mod underlay;
mod unmodelled;
mod what_if;

pub use agreement::{Agreement, Difference, Field};
pub use check::{Check, CheckId};
pub use compare::Reason;
pub use error::TwinError;
pub use explain::{Deciding, Explanation, Loser, Verdict};
pub use forward::ForwardingResult;
pub use path::{Path, Rejection, Source};
pub use prediction::{AnnouncedChange, DeviceChange, ExitLoad, Prediction, PrefixChange, RouteView};
pub use solve::MAX_ACTIVATIONS_PER_ROUTER;
pub use tables::{Entry, Solution, Tables};
pub use twin::Twin;
pub use unmodelled::{Relevance, Unmodelled};
pub use what_if::Question;
