//! The control plane of a whole network: what its routers make of their configurations and of what they are told.
//!
//! A [`Blueprint`] names routers with their configurations, the wires between them, what neighbours outside announce, and what is out of
//! order. A [`Plane`] works out interfaces, IGP costs and sessions of one family; [`Plane::solve_all`] carries announcements along the
//! sessions until nothing changes, one message at a time as routers do, so that choices that depend on the order of arrival come out as
//! with that order, and are found out by another ([`Schedule`]). Prefixes that are announced and treated alike are computed once.

mod advertised;
mod alike;
mod anomaly;
mod arrival;
mod blueprint;
mod compare;
mod dampening;
mod diff;
mod explain;
mod fabric;
mod origin;
mod overlay;
mod plane;
mod policy;
mod profile;
mod queue;
mod resume;
mod route;
mod session;
mod shared;
mod solution;
mod solve;
mod table;
mod tables;
mod threads;
mod transfer;
mod view;
mod wheel;

pub use anomaly::{Anomaly, Outcome, Repair, Searched, StableState};
pub use arrival::Arrival;
pub use blueprint::{Blueprint, Failures, Feed, Flaps, Links, Older, Router};
pub use compare::{Sort, Step};
pub use dampening::{Figure, Flap, FlapKind, figure};
pub use diff::{Choice, Move, Moved};
pub use explain::{Explanation, Hop, Loser, Made, Passage, Stopped};
pub use fabric::{Hops, is_loopback};
pub use plane::Plane;
pub use policy::{NextHop, Passed, Policies, Question, Verdict};
pub use profile::{Beside, LastStep, LocalOrigin, MissingMed, Oldest, Profile, TieBreak};
pub use queue::Schedule;
pub use route::{Kind, Route};
pub use session::Absent;
pub use shared::Shared;
pub use solution::{Solution, Solved};
pub use solve::{Class, State};
pub use tables::{OrderDependent, PathRow, Tables};
pub use threads::side_by_side;
pub use transfer::{Side, Stop};
pub use view::{Direction, Held};
pub use wheel::{Spoke, Wheel};
