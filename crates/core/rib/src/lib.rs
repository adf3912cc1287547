//! Routes by prefix, of many peers and views, with shared attributes.
//!
//! A [`Rib`] takes BMP messages of any number of routers, as bytes ([`Rib::ingest`]) or decoded ([`Rib::apply`]), and holds every IPv4 and
//! IPv6 unicast path with its table (router, peer, network instance, view), path identifier, attributes and time. Labelled, VPN and other
//! families are counted by table. What is lost from sight goes stale and is not withdrawn; what a router withdraws goes at once, except
//! what graceful restart keeps, and that is marked. The same messages at the same times give the same tables and the same
//! [`Rib::state_hash`], whichever way they came in. It reads no clock: [`Rib::tick`] is told the time. A copy shares what neither of both has
//! written to since; what a RIB writes by serde and reads again goes on as if nothing had happened.
//!
//! ```text
//! trie of prefixes ──► list of paths (16 bytes each) ──► attribute sets, each kept once
//!  20 bytes a node      table, epoch, path id, since       canonical spelling, counted references
//! ```
//! A table never walks its routes to mark or drop them: each path carries the epoch in which it was announced, and a table says which of
//! its epochs are alive. Dead paths are taken out when they are a third of all.

mod attributes;
mod blocks;
mod churn;
mod digest;
mod hash;
mod intake;
mod intern;
mod keep;
mod pages;
mod paths;
mod query;
mod rib;
mod routes;
mod saved;
mod source;
mod table;
mod trie;

pub use attributes::Attributes;
pub use churn::{CHURN_HISTORY, CHURN_WINDOW, Changes, Churn, ChurnWindow};
pub use intake::Taken;
pub use keep::{Hold, LLGR_STALE, NO_LLGR};
pub use query::{Mark, Memory, Route, TableSummary};
pub use rib::{DEFAULT_MAX_PATHS, Rib, RouterCounts};
pub use table::{Counted, FamilyStatus, INITIAL_MAX, INITIAL_QUIET, PeerKey, RouterId, TableId, TableKey, TableState};
