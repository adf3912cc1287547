//! Our tables against those that FRR showed.

use crate::Case;
use crate::answer::{self, Answer};
use crate::frr::{Shown, ShownPath, ShownPrefix};
use bgp::Prefix;
use routing::PathRow;
use std::collections::{BTreeMap, BTreeSet};

/// Says what differs between a row and what FRR showed; empty: equal.
#[must_use]
pub fn differences(row: &[PathRow], shown: &ShownPrefix) -> Vec<String> {
    let mut out = Vec::new();
    let mut left: Vec<&PathRow> = row.iter().collect();
    for path in &shown.paths {
        // a neighbour may send several paths: the most alike are compared
        let alike = left.iter().enumerate().filter(|(_, r)| r.from == path.from()).min_by_key(|(_, r)| of_path(r, path).len());
        match alike.map(|(at, _)| at) {
            Some(at) => out.extend(of_path(left.remove(at), path)),
            None => out.push(format!("{} [{}]: missing", name(path.from()), path.as_path())),
        }
    }
    out.extend(left.iter().map(|ours| format!("{} [{}]: FRR has no such path", name(ours.from), ours.as_path)));
    out
}

fn name(from: Option<core::net::IpAddr>) -> String {
    from.map_or_else(|| "local".to_owned(), |f| f.to_string())
}

fn of_path(ours: &PathRow, path: &ShownPath) -> Vec<String> {
    let mut out = Vec::new();
    let mut check = |what: &str, a: String, b: String| {
        if a != b {
            out.push(format!("{} [{}]: {what} {a}, FRR {b}", name(path.from()), path.as_path()));
        }
    };
    check("as_path", ours.as_path.clone(), path.as_path().replace(',', " "));
    check("valid", ours.valid.to_string(), path.valid.to_string());
    check("best", ours.best.to_string(), path.is_best().to_string());
    check("multipath", ours.multipath.to_string(), path.multipath.to_string());
    check("med", format!("{:?}", ours.med), format!("{:?}", path.metric));
    check("local_pref", format!("{:?}", ours.local_pref), format!("{:?}", path.local_pref));
    check("origin", format!("{:?}", ours.origin).to_lowercase(), path.origin.to_lowercase());
    // FRR shows an aggregate's next hop as `::` and a network's as 0.0.0.0, in IPv4
    let said = |n: core::net::IpAddr| if n.is_unspecified() { "none".to_owned() } else { n.to_string() };
    // a link-local address follows from hardware; ours stands for it
    let link_local = |a: core::net::IpAddr| matches!(a, core::net::IpAddr::V6(a) if a.segments()[0] & 0xFFC0 == 0xFE80);
    let (mine, theirs) = (ours.next_hops.first().copied(), path.nexthops.first().map(|n| n.ip));
    let theirs = if theirs.is_some_and(link_local) && mine.is_some_and(link_local) { mine } else { theirs };
    check("next hop", mine.map(said).unwrap_or_default(), theirs.map(said).unwrap_or_default());
    let communities = ours.communities.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let theirs = path.community.as_ref().map(|c| {
        let known = c.string.split(' ').map(|w| w.parse::<bgp::Community>().map_or_else(|_| w.to_owned(), |c| c.to_string()));
        known.collect::<Vec<_>>().join(" ")
    });
    check("communities", communities, theirs.unwrap_or_default());
    check("weight", ours.weight.to_string(), path.weight.unwrap_or(0).to_string());
    let large = ours.large_communities.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    check("large communities", large, path.large_community.as_ref().map(|c| c.string.clone()).unwrap_or_default());
    // FRR keeps them in the order they were added until they go over a wire
    let sorted = |text: &str| text.split(' ').filter(|w| w.contains(':')).map(str::to_owned).collect::<BTreeSet<_>>();
    let extended = ours.extended_communities.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    let theirs = path.extended_community.as_ref().map(|c| sorted(&c.string)).unwrap_or_default();
    check("extended communities", format!("{extended:?}"), format!("{theirs:?}"));
    if path.is_best() {
        let reason = path.bestpath.as_ref().and_then(|b| b.reason.clone()).unwrap_or_default();
        check("reason", ours.native_reason.unwrap_or_default().to_owned(), reason);
    }
    out
}

/// One row that is not equal.
#[derive(Clone, Debug)]
pub struct Different {
    /// Router.
    pub router: String,
    /// Prefix.
    pub prefix: Prefix,
    /// What differs.
    pub what: Vec<String>,
    /// We said that it depends on the order of arrival.
    pub told: bool,
    /// It equals our row in another order of arrival; found by [`meet`].
    pub met: bool,
}

impl Different {
    /// Says whether more than the last comparison's name differs, and it was not told.
    #[must_use]
    pub fn is_untold(&self) -> bool {
        !self.told && self.what.iter().any(|w| !w.contains(": reason "))
    }
}

/// Compares all tables; returns the number of rows, and those that differ.
#[must_use]
pub fn tables(answer: &Answer, shown: &BTreeMap<String, Shown>) -> (usize, Vec<Different>) {
    let (mut rows, mut out) = (0, Vec::new());
    for (router, shown) in shown {
        for (family, detail) in [("ipv4_unicast", &shown.detail), ("ipv6_unicast", &shown.detail_v6)] {
            rows += table(answer, router, family, detail, &mut out);
        }
    }
    (rows, out)
}

/// Marks the rows that were told as dependent on order and are, path by path, ours in another order of arrival.
pub fn meet(case: &Case, shown: &BTreeMap<String, Shown>, different: &mut [Different]) {
    if !different.iter().any(|d| d.told) {
        return;
    }
    let orders = answer::in_other_orders(case);
    for d in different.iter_mut().filter(|d| d.told) {
        let there = shown.get(&d.router).and_then(|s| row_of(s, &d.prefix)).filter(|s| !s.paths.is_empty());
        let mut ours =
            orders.iter().filter(|(family, _)| *family == d.prefix.family()).map(|(_, tables)| tables.get(&d.router)?.get(&d.prefix));
        d.met = ours.any(|row| match (row, there) {
            (Some(row), Some(there)) => differences(row, there).is_empty(),
            (row, there) => row.is_none() && there.is_none(),
        });
    }
}

fn table(answer: &Answer, router: &str, family: &str, detail: &BTreeMap<String, ShownPrefix>, out: &mut Vec<Different>) -> usize {
    let none = BTreeMap::new();
    let ours = answer.routers.get(router).and_then(|t| t.get(family)).unwrap_or(&none);
    let theirs: BTreeMap<Prefix, &ShownPrefix> =
        detail.iter().filter(|(_, s)| !s.paths.is_empty()).filter_map(|(p, s)| Some((p.parse().ok()?, s))).collect();
    let prefixes: BTreeSet<Prefix> = ours.keys().chain(theirs.keys()).copied().collect();
    for prefix in &prefixes {
        let what = match (ours.get(prefix), theirs.get(prefix)) {
            (Some(row), Some(there)) => differences(&row.paths, there),
            (None, _) => vec!["we have no such prefix".to_owned()],
            (_, None) => vec!["FRR has no such prefix".to_owned()],
        };
        if !what.is_empty() {
            let told = answer.order_dependent.iter().any(|o| o.router == router && o.prefix == *prefix);
            out.push(Different { router: router.to_owned(), prefix: *prefix, what, told, met: false });
        }
    }
    prefixes.len()
}

/// Returns what a router showed of a prefix.
pub(crate) fn row_of<'s>(shown: &'s Shown, prefix: &Prefix) -> Option<&'s ShownPrefix> {
    let text = prefix.to_string();
    shown.detail.get(&text).or_else(|| shown.detail_v6.get(&text))
}
