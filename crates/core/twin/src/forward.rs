//! Where packets go: hop by hop, each router by its own table.

use crate::model::Model;
use crate::tables::Tables;
use crate::underlay::{Hop, OSPF_DISTANCE, UnderlayRoute};
use crate::{Entry, Path, Source};
use action::{DeviceId, ExitId};
use bgp::Prefix;
use core::fmt;
use core::net::IpAddr;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Administrative distance of external and internal BGP routes (FRR's defaults).
const EBGP_DISTANCE: u8 = 20;
const IBGP_DISTANCE: u8 = 200;

/// What becomes of a packet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "to")]
pub enum ForwardingResult {
    /// It leaves by this exit.
    Exit {
        /// The exit.
        exit: ExitId,
    },
    /// It stays inside: the prefix is ours.
    Local,
    /// A router on the way drops it.
    BlackHole {
        /// Where and why.
        why: String,
    },
    /// It returns to a router that it passed.
    Loop {
        /// The routers of the circle.
        devices: Vec<DeviceId>,
    },
    /// The first router has no route.
    Unreachable,
}

impl ForwardingResult {
    /// Says whether packets arrive somewhere.
    #[must_use]
    pub const fn works(&self) -> bool {
        matches!(self, Self::Exit { .. } | Self::Local)
    }

    /// Returns the exit, when it leaves.
    #[must_use]
    pub const fn exit(&self) -> Option<&ExitId> {
        match self {
            Self::Exit { exit } => Some(exit),
            _ => None,
        }
    }

    /// Worse results first, so that of several equal-cost ways the worst is told.
    const fn badness(&self) -> u8 {
        match self {
            Self::Loop { .. } => 4,
            Self::BlackHole { .. } => 3,
            Self::Unreachable => 2,
            Self::Local => 1,
            Self::Exit { .. } => 0,
        }
    }
}

impl fmt::Display for ForwardingResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit { exit } => write!(f, "{exit}"),
            Self::Local => f.write_str("local"),
            Self::BlackHole { why } => write!(f, "black hole: {why}"),
            Self::Loop { devices } => {
                f.write_str("loop:")?;
                devices.iter().try_for_each(|d| write!(f, " {d}"))
            }
            Self::Unreachable => f.write_str("unreachable"),
        }
    }
}

/// Follows packets through one set of tables.
pub struct Forwarding<'a> {
    pub model: &'a Model,
    pub tables: &'a Tables,
    pub inventory: &'a network::Inventory,
}

/// The route that a router uses for a prefix.
enum Route<'a> {
    Bgp(&'a Entry),
    Underlay(&'a UnderlayRoute),
}

impl Forwarding<'_> {
    /// Returns what becomes of packets from `device` to `prefix`. Of several equal-cost ways the worst is told, else the first exit.
    pub fn from(&self, device: usize, prefix: &Prefix) -> ForwardingResult {
        worst(&self.ways(device, prefix))
    }

    /// Returns what may become of packets from `device` to `prefix`: one result, or several where equal-cost ways part.
    pub fn ways(&self, device: usize, prefix: &Prefix) -> Ways {
        self.walk(device, prefix, &mut Vec::new())
    }

    fn walk(&self, device: usize, prefix: &Prefix, passed: &mut Vec<usize>) -> Ways {
        let id = |d: usize| self.model.routers[d].id.clone();
        if let Some(at) = passed.iter().position(|d| *d == device) {
            return one(ForwardingResult::Loop { devices: passed[at..].iter().map(|d| id(*d)).collect() });
        }
        let Some(route) = self.lookup(device, prefix) else {
            return one(if passed.is_empty() {
                ForwardingResult::Unreachable
            } else {
                ForwardingResult::BlackHole { why: format!("{} has no route to {prefix}", id(device)) }
            });
        };
        passed.push(device);
        let result = match route {
            Route::Bgp(entry) => {
                let used = entry.paths.iter().enumerate().filter(|(i, p)| Some(*i) == entry.best || p.multipath);
                used.flat_map(|(_, path)| self.follow(device, path, prefix, passed)).collect()
            }
            Route::Underlay(route) => one(self.underlay(device, route, prefix)),
        };
        passed.pop();
        result
    }

    fn underlay(&self, device: usize, route: &UnderlayRoute, prefix: &Prefix) -> ForwardingResult {
        let id = &self.model.routers[device].id;
        match &route.hop {
            Hop::Connected(_) | Hop::Own | Hop::Igp(_) => ForwardingResult::Local,
            Hop::Null => ForwardingResult::BlackHole { why: format!("null route on {id} for {prefix}") },
            Hop::Static(next) => match self.inventory.exit_of(id, *next) {
                Some(exit) => ForwardingResult::Exit { exit: exit.id.clone() },
                None => ForwardingResult::Local,
            },
        }
    }

    fn follow(&self, device: usize, best: &Path, prefix: &Prefix, passed: &mut Vec<usize>) -> Ways {
        let id = &self.model.routers[device].id;
        let Some(next_hop) = best.attributes.next_hop.filter(|_| best.source != Source::Local) else {
            return one(ForwardingResult::Local);
        };
        let hop = self.model.underlay.resolve(device, next_hop).map(|r| &r.hop);
        match (&best.source, hop) {
            (Source::External { neighbor, exit }, Some(Hop::Connected(_)) | None) => {
                one(self.leave(id, next_hop, *neighbor, exit.as_ref()))
            }
            (_, Some(Hop::Connected(_))) => match self.model.underlay.owner(next_hop) {
                Some(next) => self.walk(next, prefix, passed),
                None => one(self.leave(id, next_hop, next_hop, None)),
            },
            (_, Some(Hop::Igp(next))) => next.iter().flat_map(|d| self.walk(*d, prefix, passed)).collect(),
            _ => one(ForwardingResult::BlackHole { why: format!("{id} cannot reach next hop {next_hop}") }),
        }
    }

    /// A next hop set by policy may belong to another exit than the session that the route came from.
    fn leave(&self, device: &DeviceId, next_hop: IpAddr, neighbor: IpAddr, session: Option<&ExitId>) -> ForwardingResult {
        let by_next_hop = self.inventory.exit_of(device, next_hop).map(|e| &e.id);
        let exit = by_next_hop.or(session).cloned().unwrap_or_else(|| ExitId::new(format!("{device}-{neighbor}")));
        ForwardingResult::Exit { exit }
    }

    /// Longest match over BGP and the underlay; at equal length the lower administrative distance.
    fn lookup(&self, device: usize, prefix: &Prefix) -> Option<Route<'_>> {
        let bgp = self.bgp_route(device, prefix);
        let underlay = self.model.underlay.covering(device, prefix);
        match (bgp, underlay) {
            (Some((b, entry, path)), Some((u, route))) => {
                let bgp_first = b.length() > u.length() || (b.length() == u.length() && distance(path) < route.distance);
                // a null route behind a `network` statement only carries the announcement
                let own = path.source == Source::Local && b == u;
                Some(if bgp_first || own { Route::Bgp(entry) } else { Route::Underlay(route) })
            }
            (Some((_, entry, _)), None) => Some(Route::Bgp(entry)),
            (None, Some((_, route))) => Some(Route::Underlay(route)),
            (None, None) => None,
        }
    }

    fn bgp_route(&self, device: usize, prefix: &Prefix) -> Option<(Prefix, &Entry, &Path)> {
        (0..=prefix.length()).rev().find_map(|length| {
            let key = Prefix::new(prefix.address(), length)?;
            let entry = self.tables.entry_at(device, &key)?;
            Some((key, entry, entry.best_path()?))
        })
    }
}

/// Results of all equal-cost ways.
pub type Ways = BTreeSet<ForwardingResult>;

fn one(result: ForwardingResult) -> Ways {
    BTreeSet::from([result])
}

/// Of several ways the worst counts; of equally good ones the first.
pub fn worst(ways: &Ways) -> ForwardingResult {
    let worst = ways.iter().min_by_key(|r| (core::cmp::Reverse(r.badness()), *r));
    worst.cloned().unwrap_or_else(|| ForwardingResult::BlackHole { why: "no way to the next hop".to_owned() })
}

const fn distance(path: &Path) -> u8 {
    match path.source {
        Source::Local => OSPF_DISTANCE,
        Source::External { .. } => EBGP_DISTANCE,
        Source::Internal { .. } => IBGP_DISTANCE,
    }
}
