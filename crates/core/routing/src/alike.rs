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
use crate::shared::Shared;
use crate::solution::Solved;
use crate::solve::{Class, State};
use crate::table::Interner;
use bgp::{AsPath, Asn, Prefix, Segment};
use config::{Condition, RouteAction, RouterConfig, WiderAction, WiderCondition};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

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

/// A destination's routes, by the numbers that the state of another has for its own.
pub(crate) type Said = Vec<(u32, Route)>;

impl Solved {
    /// A destination that was worked out.
    pub(crate) fn own(class: Arc<Class>, prefixes: Arc<Vec<Prefix>>, state: State, like: Likeness) -> Self {
        Self { class, prefixes, state: Arc::new(state), told_by: None, said: OnceLock::new(), like }
    }

    /// A destination that holds what this one holds, with its own paths: [`Self::can_tell`] has to be true of this one, and both alike.
    pub(crate) fn tell(&self, class: Arc<Class>, prefixes: Arc<Vec<Prefix>>) -> Self {
        let told_by = Some(Arc::clone(self.named()));
        debug_assert!(self.named().origins.len() == class.origins.len(), "announced at the same places");
        Self { class, prefixes, state: Arc::clone(&self.state), told_by, said: OnceLock::new(), like: self.like }
    }

    /// The destination whose routes the numbers of the state are.
    pub(crate) fn named(&self) -> &Arc<Class> {
        self.told_by.as_ref().unwrap_or(&self.class)
    }

    /// Says whether every route that routers hold here can be said of a destination that is like this one.
    pub(crate) fn can_tell(&self, shared: &Shared) -> bool {
        let ends = ends(self.named(), self.named(), shared);
        let all = |ends: Vec<(u32, u32)>| self.held().into_iter().all(|route| said(route, &ends, shared).is_some());
        self.told_by.is_none() && !self.state.is_restless() && ends.is_some_and(all)
    }

    /// Returns a route that the state has this number for.
    pub(crate) fn route<'s>(&'s self, number: u32, shared: &'s Shared) -> &'s Route {
        let known = shared.routes.get(number);
        let Some(told_by) = &self.told_by else { return known };
        let all = self.said.get_or_init(|| {
            let ends = ends(told_by, &self.class, shared).unwrap_or_default();
            self.held().into_iter().filter_map(|n| Some((n, said(n, &ends, shared)?.into_owned()))).collect()
        });
        all.binary_search_by_key(&number, |(n, _)| *n).ok().and_then(|at| all.get(at)).map_or(known, |(_, route)| route)
    }

    /// Returns what routers hold in numbers of the destination's own routes.
    pub(crate) fn own_state(&self, shared: &mut Shared) -> Cow<'_, State> {
        if self.told_by.is_none() {
            return Cow::Borrowed(&self.state);
        }
        let numbers: BTreeMap<u32, u32> = self
            .held()
            .into_iter()
            .map(|n| {
                let own = self.route(n, shared).clone();
                (n, shared.routes.number(own))
            })
            .collect();
        let mut state = State::clone(&self.state);
        state.slots.iter_mut().for_each(|slot| slot.route = numbers.get(&slot.route).copied().unwrap_or(NONE));
        Cow::Owned(state)
    }

    /// The numbers of all routes that the state has, each once, in order.
    fn held(&self) -> Vec<u32> {
        let mut out: Vec<u32> = Vec::new();
        // a reflector's clients hold one route side by side
        for slot in self.state.slots.iter().filter(|s| s.route != NONE) {
            if out.last() != Some(&slot.route) {
                out.push(slot.route);
            }
        }
        out.sort_unstable();
        out.dedup();
        out
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

/// Says a route with the end of its path replaced; `None`: it ends like none of the announcements, or like two of them.
fn said<'s>(route: u32, ends: &[(u32, u32)], shared: &'s Shared) -> Option<Cow<'s, Route>> {
    let known = shared.routes.get(route);
    let (Segment::Sequence(last), front) = known.attributes.as_path.segments().split_last()? else { return None };
    let pairs = ends.iter().filter_map(|(end, instead)| Some((sequence(*end, shared)?, sequence(*instead, shared)?)));
    let mut fitting = pairs.filter(|(end, _)| last.ends_with(end));
    let ((end, instead), None) = (fitting.next()?, fitting.next()) else { return None };
    if end == instead {
        return Some(Cow::Borrowed(known));
    }
    let kept = last.get(..last.len() - end.len())?;
    let path = front.iter().cloned().chain([Segment::Sequence([kept, instead].concat())]);
    let mut made = known.clone();
    made.attributes.as_path = AsPath::new(path.collect());
    Some(Cow::Owned(made))
}

impl Plane<'_> {
    /// Returns the ASes of the network, where no router looks further into a path than [`is_blind`] says.
    pub(crate) fn blind(&self) -> Option<BTreeSet<Asn>> {
        let all = self.nodes.iter().all(|n| n.blind);
        all.then(|| self.nodes.iter().flat_map(|n| n.ases.iter().copied()).collect())
    }

    /// Says whether no router looks further into a path than that, and the network has no other ASes than these.
    pub(crate) fn is_blind_within(&self, ases: &BTreeSet<Asn>) -> bool {
        self.nodes.iter().all(|n| n.blind && n.ases.is_subset(ases))
    }
}
