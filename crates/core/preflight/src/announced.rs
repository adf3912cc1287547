//! What neighbours outside are told, before and after.

use crate::World;
use bgp::{AsPath, Asn, Prefix, Segment};
use core::net::IpAddr;
use routing::{Direction, Route};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A session with a neighbour AS, as our router sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Session {
    /// Our router.
    pub router: String,
    /// The neighbour.
    pub neighbor: IpAddr,
    /// Its AS.
    pub asn: Asn,
}

impl core::fmt::Display for Session {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} to {} (AS {})", self.router, self.neighbor, self.asn)
    }
}

/// What is announced of a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// As the wire carries it.
    pub route: Route,
    /// The neighbour AS that we have it from; `None`: it is made by us.
    pub learned: Option<Asn>,
    /// Origin AS, ours where the path is empty before we put our AS in front.
    pub origin: Option<Asn>,
    /// The path that the sender chose, and the direction it came by.
    pub over: Option<usize>,
}

/// Announcements of all sessions of a world: by session, by destination of its family.
pub struct Announced {
    /// By family (0: IPv4, 1: IPv6) and session: destinations and what is told of them.
    pub sessions: BTreeMap<(usize, Session), BTreeMap<usize, Announcement>>,
}

/// One session's announcements before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AnnouncedChange {
    /// Session.
    pub session: Session,
    /// It is up before, after.
    pub up: (bool, bool),
    /// Prefixes announced before.
    pub before: usize,
    /// After.
    pub after: usize,
    /// Newly announced.
    pub added: Vec<Prefix>,
    /// No longer announced.
    pub withdrawn: Vec<Prefix>,
    /// Announced with other attributes.
    pub modified: Vec<Prefix>,
}

/// Returns the origin AS of a path.
#[must_use]
pub fn origin_of(path: &AsPath) -> Option<Asn> {
    match path.segments().last()? {
        Segment::Sequence(v) => v.last().copied(),
        _ => None,
    }
}

/// Returns the router of ours and its neighbour where a direction goes from us to another AS.
pub(crate) fn outward(world: &World<'_>, d: &Direction) -> Option<Session> {
    let from = d.from.filter(|f| d.external && world.own.contains(f))?;
    if d.to.is_some_and(|t| world.own.contains(&t)) {
        return None;
    }
    Some(Session { router: world.name(from).to_owned(), neighbor: d.to_address, asn: d.to_asn })
}

impl Announced {
    /// Works out what every neighbour outside is told.
    #[must_use]
    pub fn of(world: &World<'_>) -> Self {
        let mut sessions = BTreeMap::new();
        for (f, solved) in world.families.iter().enumerate() {
            for (h, d) in solved.directions.iter().enumerate() {
                let Some(session) = outward(world, d) else { continue };
                let told: &mut BTreeMap<usize, Announcement> = sessions.entry((f, session)).or_default();
                for class in 0..solved.solution.classes.len() {
                    let Ok(route) = solved.plane.told(&solved.solution, h, class) else { continue };
                    let held = d.from.and_then(|r| solved.plane.best(&solved.solution, r, class));
                    let path = held.map(|b| &b.route().attributes.as_path);
                    let learned = path.and_then(AsPath::neighbour);
                    let origin = path.and_then(origin_of).or(Some(d.from_asn));
                    told.insert(class, Announcement { route, learned, origin, over: held.and_then(|b| b.over) });
                }
            }
        }
        Self { sessions }
    }

    /// Counts the prefixes told over a session.
    #[must_use]
    pub fn count(&self, world: &World<'_>, key: &(usize, Session)) -> usize {
        let classes = &world.families[key.0].solution.classes;
        self.sessions.get(key).map_or(0, |told| told.keys().map(|c| classes[*c].prefixes.len()).sum())
    }

    /// Returns what is told of a prefix over a session.
    #[must_use]
    pub fn told(&self, world: &World<'_>, key: &(usize, Session), prefix: &Prefix) -> Option<&Announcement> {
        let class = world.families[key.0].solution.place_of(prefix)?;
        self.sessions.get(key)?.get(&class)
    }

    /// Returns the sessions over which a prefix is told.
    pub fn tellers(&self, world: &World<'_>, prefix: &Prefix) -> Vec<&Session> {
        let f = usize::from(!prefix.address().is_ipv4());
        let Some(class) = world.families[f].solution.place_of(prefix) else { return Vec::new() };
        self.sessions.iter().filter(|((of, _), told)| *of == f && told.contains_key(&class)).map(|((_, s), _)| s).collect()
    }
}

/// Compares what neighbours are told; sessions without a difference are left out. A session stands once per family.
#[must_use]
pub fn changes(before: (&World<'_>, &Announced), after: (&World<'_>, &Announced)) -> Vec<AnnouncedChange> {
    let keys: BTreeSet<&(usize, Session)> = before.1.sessions.keys().chain(after.1.sessions.keys()).collect();
    let mut out = Vec::new();
    for key in keys {
        let (was, is) = (before.1.sessions.get(key), after.1.sessions.get(key));
        let mut change = AnnouncedChange {
            session: key.1.clone(),
            up: (was.is_some(), is.is_some()),
            before: before.1.count(before.0, key),
            after: after.1.count(after.0, key),
            added: Vec::new(),
            withdrawn: Vec::new(),
            modified: Vec::new(),
        };
        for ((old, new), prefixes) in pairs(before.0, after.0, key.0) {
            let old = old.and_then(|c| was?.get(&c));
            let new = new.and_then(|c| is?.get(&c));
            match (old, new) {
                (None, Some(_)) => change.added.extend(prefixes),
                (Some(_), None) => change.withdrawn.extend(prefixes),
                (Some(a), Some(b)) if a.route.attributes != b.route.attributes => change.modified.extend(prefixes),
                _ => {}
            }
        }
        for list in [&mut change.added, &mut change.withdrawn, &mut change.modified] {
            list.sort_unstable();
        }
        if change.up.0 != change.up.1 || !(change.added.is_empty() && change.withdrawn.is_empty() && change.modified.is_empty()) {
            out.push(change);
        }
    }
    out
}

/// Groups the prefixes of a family by the destinations they belong to before and after.
#[must_use]
pub fn pairs(before: &World<'_>, after: &World<'_>, family: usize) -> BTreeMap<(Option<usize>, Option<usize>), Vec<Prefix>> {
    let (old, new) = (&before.families[family].solution, &after.families[family].solution);
    let mut out: BTreeMap<_, Vec<Prefix>> = BTreeMap::new();
    let prefixes: BTreeSet<Prefix> = old.prefixes().chain(new.prefixes()).collect();
    for prefix in prefixes {
        out.entry((old.place_of(&prefix), new.place_of(&prefix))).or_default().push(prefix);
    }
    out
}
