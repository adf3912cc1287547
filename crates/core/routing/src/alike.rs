//! Destinations that differ in nothing but AS numbers that no router looks at: one is computed, the others are said after it.
//!
//! Paths of one length with one first AS, that name no AS of the network, are the same to routers whose policies do not look into paths. So
//! where two destinations are announced at the same places by routes that differ in such paths alone, every router holds of the second what it
//! holds of the first, with the end of each path replaced: what routers put in front of a path does not depend on it. The network of a
//! provider has many prefixes and few shapes of announcements, even where no two paths are the same.
//!
//! It holds through changes as well: destinations that were alike stay so as long as a change treats them alike, and the first that is worked
//! out again tells the others.

use crate::plane::{NONE, Plane};
use crate::route::Route;
use crate::solve::{Class, Shared, State};
use crate::table::Interner;
use bgp::{AsPath, Asn, Segment};
use config::{Condition, RouteAction, RouterConfig, WiderAction, WiderCondition};
use std::collections::{BTreeMap, BTreeSet};

/// Which destinations are alike: those with one number. [`ALONE`]: none is known to be like it.
pub(crate) type Likeness = u64;
/// Like no other.
pub(crate) const ALONE: Likeness = u64::MAX;

/// Returns a number that no other destinations have: the destination that tells the others, in a round that is counted.
pub(crate) const fn likeness(round: u32, destination: u32) -> Likeness {
    (round as u64) << 32 | destination as u64
}

/// Says whether a router's policies and sessions look at nothing of a path but its length, its first AS and the ASes of the network.
pub(crate) fn is_blind(config: &RouterConfig) -> bool {
    let policy = &config.policy;
    let mut terms = policy.definitions.values().flat_map(|d| &d.statements);
    let looks = |c: &Condition| matches!(c, Condition::Wider { what: WiderCondition::AsPathSet(_) | WiderCondition::Rpki(_), .. });
    let changes = |a: &RouteAction| matches!(a, RouteAction::Wider { what: WiderAction::ExcludeAs(_) | WiderAction::ReplaceAs(_), .. });
    if terms.any(|t| t.conditions.iter().any(looks) || t.actions.iter().any(changes)) || !policy.wider.as_path_sets.is_empty() {
        return false;
    }
    let sessions = config.bgp.iter().flat_map(|b| b.neighbors.values().chain(b.wider.groups.values()));
    !sessions.flat_map(|n| n.families.values()).any(|f| {
        let w = &f.wider;
        w.remove_private.is_some() || w.as_override || w.allowas_in_origin || w.filter_list_in.is_some() || w.filter_list_out.is_some()
    })
}

/// Returns the ASes that a router takes for its own, or uses toward others.
pub(crate) fn ases(config: &RouterConfig) -> BTreeSet<Asn> {
    let Some(bgp) = &config.bgp else { return BTreeSet::new() };
    let local = bgp.neighbors.values().chain(bgp.wider.groups.values()).filter_map(|n| Some(n.wider.local_as?.asn));
    local.chain([bgp.asn]).chain(bgp.wider.confederation.as_ref().map(|c| c.identifier)).collect()
}

/// What destinations have in common that are alike.
#[derive(PartialEq, Eq, Hash)]
struct Shape {
    /// Places, with the routes as routers see them, and which of them have the same path.
    origins: Vec<(u32, u32, u32)>,
    marks: Vec<u64>,
    suppressed: BTreeSet<usize>,
    granted: BTreeSet<u32>,
    withheld: BTreeSet<u32>,
}

/// Shapes that were met, each with the first destination of it.
#[derive(Default)]
pub(crate) struct Shapes {
    routes: Interner<Route>,
    shapes: Interner<Shape>,
    /// The announcements' routes as routers see them, by number of the route; [`NONE`]: not known yet, and `NONE - 1`: it has none.
    seen: Vec<u32>,
}

/// A route that cannot be like another.
const OWN_KIND: u32 = NONE - 1;

impl Shapes {
    /// Numbers the shape of a destination; `None`: it is like no other.
    pub fn number(&mut self, plane: &Plane<'_>, class: &Class, ases: &BTreeSet<Asn>, shared: &mut Shared) -> Option<u32> {
        // a host route may be its own next hop
        if class.origins.is_empty() || Plane::self_hop(class, shared) != NONE {
            return None;
        }
        let mut origins = Vec::with_capacity(class.origins.len());
        for (place, route) in &class.origins {
            let path = shared.routes.key(*route).path;
            let first = class.origins.iter().position(|(_, r)| shared.routes.key(*r).path == path)?;
            origins.push((*place, self.seen_as(*route, ases, shared)?, first as u32));
        }
        let (suppressed, granted, withheld) = (class.suppressed.clone(), class.granted.clone(), class.withheld.clone());
        let shape = Shape { origins, marks: plane.marks(&class.prefix), suppressed, granted, withheld };
        Some(self.shapes.number(shape))
    }

    fn seen_as(&mut self, route: u32, ases: &BTreeSet<Asn>, shared: &Shared) -> Option<u32> {
        let at = route as usize;
        if self.seen.len() <= at {
            self.seen.resize(at + 1, NONE);
        }
        let known = self.seen.get_mut(at)?;
        if *known == NONE {
            let route = shared.routes.get(route);
            *known = match route.attributes.as_path.segments() {
                [Segment::Sequence(path)] if !path.iter().any(|a| ases.contains(a)) => {
                    let blank = path.iter().enumerate().map(|(n, a)| if n == 0 { a.0 } else { 0 });
                    let as_path = AsPath::sequence(blank);
                    let mut seen = route.clone();
                    seen.attributes.as_path = as_path;
                    self.routes.number(seen)
                }
                _ => OWN_KIND,
            };
        }
        Some(*known).filter(|n| *n != OWN_KIND)
    }
}

/// How routes of one destination are said of another.
#[derive(Default)]
pub(crate) struct Sayings {
    /// By number of the route: in which saying it was said, and as what.
    said: Vec<(u32, u32)>,
    count: u32,
}

impl Sayings {
    /// Returns what routers hold of `other`, which is like `told`: `state` is what they hold of that one now. `before`: what they held of both
    /// before, where that is known. `None`: it cannot be told.
    pub fn say(
        &mut self,
        told: &Class,
        state: &State,
        other: &Class,
        before: Option<(&State, &State)>,
        shared: &mut Shared,
    ) -> Option<State> {
        if state.is_restless() || told.origins.len() != other.origins.len() {
            return None;
        }
        self.count += 1;
        let mut out = before.map_or_else(|| state.clone(), |(_, theirs)| theirs.clone());
        let ends = ends(told, other, shared)?;
        for (at, slot) in state.slots.iter().enumerate() {
            let mine = out.slots.get_mut(at)?;
            let same = before.is_some_and(|(was, _)| was.slots.get(at).is_some_and(|w| w.route == slot.route));
            if !same {
                mine.route = if slot.route == NONE { NONE } else { self.route(slot.route, &ends, shared)? };
            }
            mine.seq = slot.seq;
        }
        out.chosen_as(state);
        Some(out)
    }

    fn route(&mut self, route: u32, ends: &[(u32, u32)], shared: &mut Shared) -> Option<u32> {
        let at = route as usize;
        if self.said.len() <= at {
            self.said.resize(at + 1, (0, NONE));
        }
        let known = self.said.get_mut(at)?;
        if known.0 != self.count {
            *known = (self.count, said(route, ends, shared)?);
        }
        Some(known.1)
    }
}

/// The path of an announcement that can be like another: one sequence.
fn sequence(route: u32, shared: &Shared) -> Option<&[Asn]> {
    match shared.routes.get(route).attributes.as_path.segments() {
        [Segment::Sequence(path)] => Some(path),
        _ => None,
    }
}

/// Announcements of one destination beside those of the other, by numbers of routes: how paths end, and how they end instead. Each pair of
/// paths once.
fn ends(told: &Class, other: &Class, shared: &Shared) -> Option<Vec<(u32, u32)>> {
    let paths = |(a, b): (u32, u32)| (shared.routes.key(a).path, shared.routes.key(b).path);
    let mut out: Vec<(u32, u32)> = Vec::new();
    for ((place, a), (there, b)) in told.origins.iter().zip(&other.origins) {
        let pair = (*a, *b);
        sequence(pair.0, shared).and(sequence(pair.1, shared)).filter(|_| place == there)?;
        if !out.iter().any(|known| paths(*known) == paths(pair)) {
            out.push(pair);
        }
    }
    Some(out)
}

/// Numbers a route with the end of its path replaced; `None`: it ends like none of the announcements, or like two of them.
fn said(route: u32, ends: &[(u32, u32)], shared: &mut Shared) -> Option<u32> {
    let known = shared.routes.get(route);
    let (Segment::Sequence(last), front) = known.attributes.as_path.segments().split_last()? else { return None };
    let pairs = ends.iter().filter_map(|(end, instead)| Some((sequence(*end, shared)?, sequence(*instead, shared)?)));
    let mut fitting = pairs.filter(|(end, _)| last.ends_with(end));
    let ((end, instead), None) = (fitting.next()?, fitting.next()) else { return None };
    if end == instead {
        return Some(route);
    }
    let kept = last.get(..last.len() - end.len())?;
    let path = front.iter().cloned().chain([Segment::Sequence([kept, instead].concat())]);
    let mut made = known.clone();
    made.attributes.as_path = AsPath::new(path.collect());
    Some(shared.routes.number(made))
}

impl Plane<'_> {
    /// Returns the ASes of the network, where no router looks further into a path than [`is_blind`] says.
    pub(crate) fn blind(&self) -> Option<BTreeSet<Asn>> {
        let all = self.nodes.iter().all(|n| n.blind);
        all.then(|| self.nodes.iter().flat_map(|n| n.ases.iter().copied()).collect())
    }
}

/// The first destination of each kind that was worked out again, and where the result stands; `None`: nothing changed.
pub(crate) type Told = BTreeMap<(Likeness, Vec<u64>), (u32, Option<usize>)>;
