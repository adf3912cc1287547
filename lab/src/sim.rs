//! The simulated lab: the network of a topology file inside one process, without root.
//!
//! ```text
//!  topology ─► world: routers, links, traffic, probes ─► faces (gNMI, NETCONF, BMP on loopback) ─► the engine, as with real routers
//! ```
//! Its routers run a BGP of their own over the very FRR text that the other lab's routers run. What it promises is the product's whole wire
//! path and a network that answers to changes; fidelity is claimed only from FRR, BIRD and GoBGP. It never reads the twin.

mod bmp;
mod clock;
mod control;
mod effort;
mod face;
mod plug;
mod router;
mod select;
mod session;
mod settings;
mod show;
mod start;
mod underlay;
mod update;
mod wire;
mod world;

pub(crate) use control::answers;
pub use control::{Request, SimError, ask};
pub use start::{Config, Sim, Tuning, run, start};
pub(crate) use start::{detached, run_dir};
