//! What may fail besides: every single link, router and session, and the network after each.

use crate::announced::outward;
use crate::{Evidence, Tried, World};
use routing::{Blueprint, Failures};
use std::collections::BTreeSet;

/// One thing that may fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// In words (`link s1`).
    pub name: String,
    /// What is out of order then.
    pub failures: Failures,
}

/// Lets `look` see a network with more out of order. Every failure that is tried out goes through here.
pub fn with_failures<T>(world: &World<'_>, more: &Failures, look: impl FnOnce(&Tried<'_>) -> T) -> T {
    let failed = failed(world.network, more);
    look(&Tried::new(world, &failed, more))
}

/// Looks at a network with each of these failures besides, on as many threads as the world has; the results are in the order of the failures.
pub fn with_each<T: Send>(world: &World<'_>, failing: &[Failing], look: impl Fn(&Tried<'_>) -> T + Sync) -> Vec<T> {
    let look = |part: &[Failing]| part.iter().map(|f| with_failures(world, &f.failures, &look)).collect::<Vec<T>>();
    let parts: Vec<&[Failing]> = failing.chunks(failing.len().div_ceil(world.threads().max(1)).max(1)).collect();
    routing::side_by_side(parts.len(), |part| look(parts[part])).into_iter().flatten().collect()
}

fn failed(network: &Blueprint, more: &Failures) -> Blueprint {
    let mut out = network.clone();
    out.failures.links.extend(more.links.iter().cloned());
    out.failures.routers.extend(more.routers.iter().copied());
    out.failures.sessions.extend(more.sessions.iter().copied());
    out
}

/// Returns every single failure that our network may see: its links, its routers, its sessions with other ASes.
#[must_use]
pub fn singles(world: &World<'_>) -> Vec<Failing> {
    let mut out = Vec::new();
    let ours = |r: &usize| world.own.contains(r) && world.works(*r);
    for (link, ends) in world.network.links.iter().flat_map(|l| l.iter()) {
        if ends.iter().any(|(r, _)| ours(r)) && !world.network.failures.links.contains(link) {
            let failures = Failures { links: BTreeSet::from([link.clone()]), ..Failures::default() };
            out.push(Failing { name: format!("link {link}"), failures });
        }
    }
    for router in world.own.iter().copied().filter(|r| ours(r)) {
        let failures = Failures { routers: BTreeSet::from([router]), ..Failures::default() };
        out.push(Failing { name: format!("router {}", world.name(router)), failures });
    }
    out.extend(sessions(world));
    out
}

/// Returns the failure of every session with another AS; both families go down together.
#[must_use]
pub fn sessions(world: &World<'_>) -> Vec<Failing> {
    let outward = world.families.iter().flat_map(|s| &s.directions).filter_map(|d| Some((d.from?, outward(world, d)?)));
    let all: BTreeSet<(usize, core::net::IpAddr)> = outward.map(|(r, s)| (r, s.neighbor)).collect();
    let failing = |(router, neighbor)| Failing {
        name: format!("session {} to {neighbor}", world.name(router)),
        failures: Failures { sessions: BTreeSet::from([(router, neighbor)]), ..Failures::default() },
    };
    all.into_iter().map(failing).collect()
}

impl Evidence<'_> {
    /// Returns every single failure after the change.
    #[must_use]
    pub fn failures(&self) -> Vec<Failing> {
        singles(self.after)
    }

    /// Looks at the network without the change and with a failure.
    pub fn before_failure<T>(&self, failing: &Failing, look: impl FnOnce(&Tried<'_>) -> T) -> T {
        with_failures(self.before, &failing.failures, look)
    }
}
