//! The simulated network as a whole: what happens, in order of time.
//!
//! ```text
//! advance(to) ── next event ──► session ── message ──► router ── changes ──► other routers' events
//!                          └──► interior routes, traffic, probes
//! ```
//! Time is an argument: a driver lets it run with the clock, a test as fast as it computes. One seed decides every random number.

mod forward;
mod interior;
mod look;
mod make;
mod probe;
mod speak;
#[cfg(test)]
mod tests;
mod traffic;

pub use make::{Own, Telemetry};
pub use probe::ProbeSession;
pub use traffic::Load;

use super::router::Router;
use super::session::Message;
use super::underlay::{Links, Underlay};
use crate::face::Tree;
use crate::impair::Rng;
use crate::topology::Topology;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::broadcast;

/// Nanoseconds of a second and of a millisecond.
pub const SECOND: u64 = 1_000_000_000;
pub const MS: u64 = 1_000_000;

/// One end of a session: router by index, neighbour.
pub type End = (usize, IpAddr);

/// What will happen.
#[derive(Debug)]
enum Event {
    /// A session is tried.
    Connect(End),
    /// A message arrives.
    Deliver { to: End, connection: u64, message: Message },
    /// A keepalive is due.
    Keepalive { end: End, connection: u64 },
    /// Somebody may have been silent for too long.
    Hold { end: End, connection: u64 },
    /// The transport tries what it could not send.
    Retry { end: End, connection: u64 },
    /// Changed route-maps take effect.
    Policy(usize),
    /// The IGP looks at a link.
    Adjacency(usize),
    /// The IGP computes.
    ShortestPaths,
    /// Traffic flows on.
    Flow,
    /// Volumes are told.
    Volumes,
    /// A probe sends.
    Probe(usize),
    /// A probe tells its results.
    Report(usize),
}

struct Due {
    at: u64,
    serial: u64,
    event: Event,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.serial).cmp(&(other.at, other.serial))
    }
}

/// The network.
pub struct World {
    now: u64,
    serial: u64,
    connections: u64,
    due: BinaryHeap<Reverse<Due>>,
    rng: Rng,
    /// Device time at the beginning, nanoseconds since the Unix epoch.
    epoch: i64,
    pub(super) topology: Topology,
    pub(super) routers: Vec<Router>,
    pub(super) links: Links,
    pub(super) underlay: Underlay,
    /// What each of our routers sends its monitoring station, encoded.
    pub(super) feeds: Vec<broadcast::Sender<Arc<Vec<u8>>>>,
    /// What gNMI serves, of our routers.
    trees: Vec<Option<Tree>>,
    load: Load,
    probes: Vec<ProbeSession>,
    /// Route-maps changed and not in effect yet, per router.
    policy_due: Vec<bool>,
    computing: bool,
    /// Changes of routes and links so far: while it stays, packets go where they went.
    routing: u64,
}

impl World {
    /// Returns the time, nanoseconds since the beginning.
    #[must_use]
    pub const fn now(&self) -> u64 {
        self.now
    }

    /// Says what time it is now on the devices.
    pub fn set_device_time(&mut self, ns: i64) {
        self.epoch = ns - i64::try_from(self.now).unwrap_or(i64::MAX);
    }

    /// Returns the devices' time: that of the event under way, however late the machine comes to it.
    fn device_time(&self) -> i64 {
        self.epoch + i64::try_from(self.now).unwrap_or(i64::MAX)
    }

    /// Returns when the next thing happens.
    #[must_use]
    pub fn next_at(&self) -> Option<u64> {
        self.due.peek().map(|Reverse(d)| d.at)
    }

    /// Lets time pass until `to`.
    pub fn advance(&mut self, to: u64) {
        while let Some(Reverse(due)) = self.due.peek().is_some_and(|Reverse(d)| d.at <= to).then(|| self.due.pop()).flatten() {
            self.now = self.now.max(due.at);
            self.happen(due.event);
        }
        self.now = self.now.max(to);
    }

    /// Returns a router by node id.
    #[cfg(test)]
    #[must_use]
    pub fn router(&self, id: &str) -> Option<&Router> {
        self.index(id).map(|i| &self.routers[i])
    }

    /// Returns a router's place.
    #[must_use]
    pub fn index(&self, id: &str) -> Option<usize> {
        self.routers.iter().position(|r| r.id == id)
    }

    fn after(&mut self, ns: u64, event: Event) {
        self.serial += 1;
        self.due.push(Reverse(Due { at: self.now + ns, serial: self.serial, event }));
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Connect(end) => self.connect(end),
            Event::Deliver { to, connection, message } => self.deliver(to, connection, message),
            Event::Keepalive { end, connection } => self.keepalive(end, connection),
            Event::Hold { end, connection } => self.hold(end, connection),
            Event::Retry { end, connection } => self.retry(end, connection),
            Event::Policy(router) => self.policy_in_effect(router),
            Event::Adjacency(link) => self.adjacency(link),
            Event::ShortestPaths => self.shortest_paths(),
            Event::Flow => self.flow(),
            Event::Volumes => self.tell_volumes(),
            Event::Probe(probe) => self.send_probe(probe),
            Event::Report(probe) => self.report_probe(probe),
        }
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("now", &self.now).field("topology", &self.topology.name).finish_non_exhaustive()
    }
}
