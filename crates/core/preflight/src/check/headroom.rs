//! K06: prefix limits, forwarding tables and BGP tables have room, on the way that is used and on the one that takes over.

use crate::failures::with_each;
use crate::verdict::Found;
use crate::{Check, CheckId, Evidence, Facts, Row, World};
use core::net::IpAddr;
use std::collections::BTreeMap;

/// A session as its receiver knows it, per family.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Heard {
    /// Receiver.
    pub router: String,
    /// Sender.
    pub neighbor: IpAddr,
    /// Between two ASes.
    pub external: bool,
    /// 0: IPv4, 1: IPv6.
    pub family: usize,
}

/// Counts the prefixes that each router of ours is told over each session, as the wire carries them.
#[must_use]
pub fn received(world: &World<'_>) -> BTreeMap<Heard, usize> {
    counts(world, |router| world.own.contains(&router))
}

fn counts(world: &World<'_>, wanted: impl Fn(usize) -> bool) -> BTreeMap<Heard, usize> {
    let mut out = BTreeMap::new();
    for (family, solved) in world.families.iter().enumerate() {
        for (h, d) in solved.directions.iter().enumerate() {
            let Some(to) = d.to.filter(|t| wanted(*t)) else { continue };
            let (plane, solution) = (&solved.plane, &solved.solution);
            let heard = |class: usize| match d.from {
                // what has the receiver's AS in its path is dropped before it counts
                Some(_) => plane.told(solution, h, class).is_ok_and(|r| !d.external || !r.attributes.as_path.contains(d.to_asn)),
                None => plane.paths(solution, to, class).any(|held| held.over == Some(h)),
            };
            let classes = solution.classes.iter().enumerate().filter(|(c, _)| heard(*c));
            let count = classes.map(|(_, s)| s.prefixes.len()).sum();
            let key = Heard { router: world.name(to).to_owned(), neighbor: d.from_address, external: d.external, family };
            out.insert(key, count);
        }
    }
    out
}

/// The limit that a receiver sets for a session.
fn limit(world: &World<'_>, key: &Heard) -> Option<u32> {
    let family = if key.family == 0 { bgp::Family::Ipv4Unicast } else { bgp::Family::Ipv6Unicast };
    let router = world.network.routers.iter().find(|r| r.name == key.router)?;
    router.config.bgp.as_ref()?.neighbors.get(&key.neighbor)?.families.get(&family)?.max_prefix
}

/// Compares predicted counts with `maximum-prefix` of every router, with what neighbours outside take, and with table sizes; after the change
/// and with any one session to a neighbour AS down besides.
#[must_use]
pub fn headroom(e: &Evidence<'_>) -> Check {
    let mut found = Found::default();
    let before = pressure(e.before, e.context.facts);
    let over = |p: &Pressure, key: &String| p.get(key).is_some_and(|(share, _)| *share > 1.0);
    // by limit: share, numbers, over it without the change as well
    let now = pressure(e.after, e.context.facts).into_iter();
    let mut worst: BTreeMap<String, (f64, String, bool)> =
        now.map(|(key, (share, told))| (key.clone(), (share, told, over(&before, &key)))).collect();
    // a limit that nobody has cannot be met
    let alternates = if worst.is_empty() { Vec::new() } else { crate::failures::sessions(e.after) };
    let facts = e.context.facts;
    let there = with_each(e.after, &alternates, |tried| tried.pressure(|w| pressure(w, facts)));
    for (failing, there) in alternates.iter().zip(there) {
        let mut without: Option<Pressure> = None;
        for (key, (share, told)) in there {
            let old =
                share > 1.0 && over(without.get_or_insert_with(|| e.before_failure(failing, |t| t.pressure(|w| pressure(w, facts)))), &key);
            let entry = worst.entry(key).or_insert((0.0, String::new(), old));
            // what only the change brings counts more than what was so before
            if share > entry.0 && (!old || entry.0 <= 1.0) || (entry.2 && share > 1.0 && !old) {
                *entry = (share, format!("{told} when {} is down", failing.name), old);
            }
        }
    }
    for (key, (share, told, old)) in worst {
        let (router, _) = key.split_once(' ').unwrap_or((&key, ""));
        if share > 1.0 && !old {
            found.block(Row::of(router, told));
        } else if share > e.context.facts.limits.headroom_warn {
            found.warn(Row::of(router, told));
        }
    }
    let fine = "every prefix limit and table that is known has room, with any one external session down too";
    found.check(CheckId::K06, fine, "no room")
}

/// By limit: share of it that is used, with the numbers.
pub(crate) type Pressure = BTreeMap<String, (f64, String)>;

/// Share of each limit that is used, with the numbers.
fn pressure(world: &World<'_>, facts: &Facts) -> Pressure {
    let mut out = BTreeMap::new();
    let mut put = |key: String, used: u64, max: u64, what: String| {
        #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let share = used as f64 / (max.max(1)) as f64;
        out.insert(key, (share, format!("{what}: {used} of {max}")));
    };
    for (key, count) in counts(world, |_| true) {
        if let Some(max) = limit(world, &key) {
            let word = ["IPv4", "IPv6"][key.family];
            let what = format!("{word} prefixes from {} against maximum-prefix", key.neighbor);
            put(format!("{} session {} {word}", key.router, key.neighbor), count as u64, u64::from(max), what);
        }
    }
    let told = (!facts.accepts.is_empty()).then(|| world.announced());
    for (accepts, told) in facts.accepts.iter().zip(told.iter().cycle()) {
        let keys = told.sessions.keys().filter(|(_, s)| s.router == accepts.router && s.neighbor == accepts.neighbor);
        let count: usize = keys.map(|k| told.count(world, k)).sum();
        let what = format!("prefixes announced to {} against what it takes", accepts.neighbor);
        put(format!("{} takes {}", accepts.router, accepts.neighbor), count as u64, u64::from(accepts.max_prefix), what);
    }
    for (name, router) in &facts.routers {
        let Some(at) = world.network.routers.iter().position(|r| r.name == *name) else { continue };
        let (mut fib, mut rib) = (0_u64, 0_u64);
        for solved in &world.families {
            for (number, class) in solved.solution.classes.iter().enumerate() {
                let n = class.prefixes.len() as u64;
                fib += n * u64::from(solved.plane.best(&solved.solution, at, number).is_some());
                rib += n * solved.plane.paths(&solved.solution, at, number).count() as u64;
            }
        }
        if let Some(max) = router.fib_max {
            put(format!("{name} fib"), fib, max, "prefixes in the forwarding table".to_owned());
        }
        if let Some(max) = router.rib_max {
            put(format!("{name} rib"), rib, max, "paths in the BGP table".to_owned());
        }
    }
    out
}
