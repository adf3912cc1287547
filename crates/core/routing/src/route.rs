//! Routes as routers hold them, each once.

use crate::table::{Interner, Stack};
use bgp::{Asn, ExtendedCommunity, PathAttributes, Segment};
use config::Protocol;
use core::net::IpAddr;

/// How a route came into a router's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// From a neighbour.
    Learned,
    /// By a `network` statement.
    Network,
    /// As an aggregate.
    Aggregate,
    /// Redistributed.
    Redistributed(Protocol),
}

impl Kind {
    /// Says whether the router made the route itself.
    #[must_use]
    pub const fn is_local(self) -> bool {
        !matches!(self, Self::Learned)
    }
}

/// A route after import policy: attributes and what only this router knows of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    /// Attributes; the next hop is the one that the route was taken with.
    pub attributes: PathAttributes,
    /// Weight.
    pub weight: u32,
    /// How it came.
    pub kind: Kind,
    /// ONLY_TO_CUSTOMER (RFC 9234).
    pub otc: Option<Asn>,
    /// Tag.
    pub tag: u32,
    /// Extended communities, sorted, without repeats.
    pub extended: Vec<ExtendedCommunity>,
    /// AIGP metric (RFC 7311), as it was received.
    pub aigp: Option<u64>,
    /// What import policy said of the next hop; export heeds it where no export policy stands (FRR: `rmap_change_flags`).
    pub next_hop: crate::NextHop,
}

/// What the decision process looks at, side by side in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub weight: u32,
    pub local_pref: Option<u32>,
    pub med: Option<u32>,
    pub hops: u16,
    pub confeds: u16,
    pub origin: u8,
    pub local: bool,
    pub clusters: u16,
    /// Leftmost AS of the first segment that is no confederation segment, when that is a sequence.
    pub first_as: u32,
    /// Leftmost AS of the first segment when it is a confederation sequence.
    pub first_confed: u32,
    pub originator: Option<u32>,
    /// AIGP metric.
    pub aigp: Option<u64>,
    /// Next hop as a number.
    pub next_hop_address: u128,
    /// AS_PATH by number.
    pub path: u32,
    /// Next hop by number.
    pub next_hop: u32,
}

/// Number of a next hop that says "ourselves".
pub(crate) const OWN: u32 = 0;

/// All routes of a computation.
#[derive(Clone, Debug)]
pub(crate) struct Routes {
    routes: Interner<Route>,
    keys: Stack<Key>,
    paths: Interner<bgp::AsPath>,
    next_hops: Interner<Option<IpAddr>>,
}

impl Default for Routes {
    fn default() -> Self {
        let mut next_hops = Interner::default();
        next_hops.number(None);
        Self { routes: Interner::default(), keys: Stack::default(), paths: Interner::default(), next_hops }
    }
}

impl Routes {
    /// Returns the number of a route.
    pub fn number(&mut self, route: Route) -> u32 {
        let before = self.routes.len();
        let key = |s: &mut Self, route: &Route| {
            let a = &route.attributes;
            let confeds =
                |s: &Segment| if let Segment::ConfedSequence(v) = s { v.len() } else { usize::from(matches!(s, Segment::ConfedSet(_))) };
            let segments = a.as_path.segments();
            let first = segments.iter().find(|s| !matches!(s, Segment::ConfedSequence(_) | Segment::ConfedSet(_)));
            let short = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
            Key {
                weight: route.weight,
                local_pref: a.local_pref,
                med: a.med,
                hops: short(a.as_path.length()),
                confeds: short(segments.iter().map(confeds).sum()),
                origin: a.origin as u8,
                local: route.kind.is_local(),
                clusters: short(a.cluster_list.len()),
                first_as: if let Some(Segment::Sequence(v)) = first { v.first().map_or(0, |a| a.0) } else { 0 },
                first_confed: if let Some(Segment::ConfedSequence(v)) = segments.first() { v.first().map_or(0, |a| a.0) } else { 0 },
                originator: a.originator_id.map(u32::from),
                aigp: route.aigp,
                next_hop_address: a.next_hop.map_or(0, |hop| match hop {
                    IpAddr::V4(a) => u128::from(u32::from(a)),
                    IpAddr::V6(a) => u128::from(a),
                }),
                path: s.paths.number(a.as_path.clone()),
                next_hop: s.next_hops.number(if route.kind.is_local() { None } else { a.next_hop }),
            }
        };
        let made = key(self, &route);
        let n = self.routes.number(route);
        if self.routes.len() > before {
            self.keys.push(made);
        }
        n
    }

    #[inline]
    pub fn get(&self, number: u32) -> &Route {
        self.routes.get(number)
    }

    #[inline]
    pub fn key(&self, number: u32) -> &Key {
        self.keys.get(number)
    }

    pub fn hop_number(&mut self, address: IpAddr) -> u32 {
        self.next_hops.number(Some(address))
    }

    pub fn next_hop(&self, number: u32) -> Option<IpAddr> {
        *self.next_hops.get(number)
    }

    pub const fn len(&self) -> usize {
        self.routes.len()
    }

    /// Returns how many next hops there are.
    pub const fn hops(&self) -> usize {
        self.next_hops.len()
    }

    /// Puts what is known below; copies share it from now on.
    pub fn freeze(&mut self) {
        self.routes.freeze();
        self.keys.freeze();
        self.paths.freeze();
        self.next_hops.freeze();
    }

    /// Says whether a number means the same route here and in a copy that was made from this.
    pub fn is_below(&self, copy: &Self, number: u32) -> bool {
        self.routes.is_below(&copy.routes, number)
    }

    /// Takes what another, copied from this one when it was frozen, knows more. Returns how its numbers are said here.
    pub fn absorb(&mut self, mut other: Self) -> Renumbered {
        let (hops, routes) = (other.next_hops.take_own(), other.routes.take_own());
        Renumbered {
            routes_from: other.routes.len() as u32,
            hops_from: other.next_hops.len() as u32,
            hops: hops.into_iter().map(|h| self.next_hops.number(h)).collect(),
            routes: routes.into_iter().map(|r| self.number(r)).collect(),
        }
    }
}

/// How numbers of a copy are said where it was absorbed; lower ones are the same.
pub(crate) struct Renumbered {
    routes_from: u32,
    routes: Vec<u32>,
    hops_from: u32,
    hops: Vec<u32>,
}

impl Renumbered {
    /// Says the number of a route.
    pub fn route(&self, number: u32) -> u32 {
        number.checked_sub(self.routes_from).and_then(|n| self.routes.get(n as usize)).copied().unwrap_or(number)
    }

    /// Says the number of a next hop.
    pub fn hop(&self, number: u32) -> u32 {
        number.checked_sub(self.hops_from).and_then(|n| self.hops.get(n as usize)).copied().unwrap_or(number)
    }
}
