//! What edits would change.

use crate::ForwardingResult;
use action::{DeviceId, ExitId};
use bgp::{AsPath, Prefix};
use core::net::IpAddr;
use preflight::{Check, Convergence, Figure, Verdict};
use routing::Step;
use units::Ratio;

/// What edits would change, with the checks over it.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Prefixes whose path changes at some device, sorted.
    pub changed: Vec<PrefixChange>,
    /// Prefixes that the network knows.
    pub known_prefixes: u64,
    /// Changed prefixes ÷ known prefixes.
    pub blast: Ratio,
    /// Load of every exit.
    pub loads: Vec<ExitLoad>,
    /// Load of links inside, as far as it is made of measured volumes.
    pub links: Vec<LinkLoad>,
    /// Traffic that changes its exit, bit/s, as far as its volume is known.
    pub moved_bps: f64,
    /// Prefixes that change exit and whose volume is not measured.
    pub unknown_volume: u64,
    /// What external neighbours are told otherwise.
    pub announced: Vec<AnnouncedChange>,
    /// How the delay of what moves changes, ms, from measured paths; `None`: none of it is measured on both sides.
    pub delay_ms: Option<Figure>,
    /// How its loss changes, ratio; `None` as before.
    pub loss: Option<Figure>,
    /// How long the tables take to stand, from timers; `None`: nothing changes.
    pub convergence: Option<Convergence>,
    /// The devices in an order in which the network is sound after each; empty: only one is edited, or there is no such order.
    pub order: Vec<DeviceId>,
    /// The checks, in order of their ids.
    pub checks: Vec<Check>,
    /// Choices among the changed prefixes that another order of events could turn.
    pub order_dependent: Vec<(DeviceId, Prefix)>,
    /// What the configurations ask for, could matter here and is not modelled.
    pub unmodelled: Vec<String>,
    /// Why the devices choose as they do, before and after, for one prefix of each way that changes; the same lines everywhere.
    pub explanation: Vec<String>,
}

impl Prediction {
    /// Says whether no check blocks.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|c| c.verdict != Verdict::Block)
    }
}

/// One prefix before and after, at the devices where its path changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixChange {
    /// The prefix.
    pub prefix: Prefix,
    /// In order of device.
    pub devices: Vec<DeviceChange>,
}

/// One device's path to a prefix, before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceChange {
    /// Where the packets start.
    pub device: DeviceId,
    /// Now.
    pub before: RouteView,
    /// With the edits.
    pub after: RouteView,
}

/// How one device reaches a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteView {
    /// What becomes of its packets; of several equal-cost ways the worst, else the first.
    pub forwarding: ForwardingResult,
    /// All results where equal-cost ways part, sorted; else just the one.
    pub ways: Vec<ForwardingResult>,
    /// BGP next hop of the best path.
    pub next_hop: Option<IpAddr>,
    /// AS_PATH of the best path.
    pub as_path: Option<AsPath>,
    /// LOCAL_PREF that counted.
    pub local_pref: Option<u32>,
    /// MED as received.
    pub med: Option<u32>,
    /// The step that chose the best path.
    pub step: Option<Step>,
}

/// Outbound load of one exit.
#[derive(Clone, Debug, PartialEq)]
pub struct ExitLoad {
    /// The exit.
    pub exit: ExitId,
    /// Now, bit/s: the interface's rate or the sum of measured volumes, whichever is higher; `None` when neither is known.
    pub before_bps: Option<f64>,
    /// After, bit/s; `None` when the load now is not known.
    pub after_bps: Option<f64>,
    /// After, bit/s, if prefixes of unknown volume brought all that their exits carry; `None` when that has no known bound.
    pub worst_bps: Option<f64>,
    /// Capacity, bit/s; `None`: not known.
    pub capacity_bps: Option<f64>,
    /// Prefixes of unknown volume that come here.
    pub unknown_volume: usize,
}

/// Load of a link inside the network, from measured volumes alone.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkLoad {
    /// Its subnet.
    pub link: String,
    /// Now, bit/s.
    pub before_bps: Option<f64>,
    /// After, bit/s.
    pub after_bps: Option<f64>,
}

/// What one external neighbour is told otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnouncedChange {
    /// Our router.
    pub device: DeviceId,
    /// The neighbour.
    pub neighbor: IpAddr,
    /// Newly announced.
    pub added: Vec<Prefix>,
    /// No longer announced.
    pub withdrawn: Vec<Prefix>,
    /// Announced with other attributes.
    pub modified: Vec<Prefix>,
}
