//! Our tables against those that FRR showed.

use crate::answer::Answer;
use crate::frr::{Shown, ShownPrefix};
use bgp::Prefix;
use routing::PathRow;
use std::collections::{BTreeMap, BTreeSet};

/// Says what differs between a row and what FRR showed; empty: equal.
#[must_use]
pub fn differences(row: &[PathRow], shown: &ShownPrefix) -> Vec<String> {
    let mut out = Vec::new();
    let froms = |f: Option<core::net::IpAddr>| f.map_or_else(|| "local".to_owned(), |f| f.to_string());
    for path in &shown.paths {
        let (from, as_path) = (path.from(), path.as_path());
        let name = format!("{} [{as_path}]", froms(from));
        let Some(ours) = row.iter().find(|r| {
            r.from == from && (shown.paths.iter().filter(|p| p.from() == from).count() == 1 || r.as_path.replace(['{', '}'], "") == as_path)
        }) else {
            out.push(format!("{name}: missing"));
            continue;
        };
        let mut check = |what: &str, a: String, b: String| {
            if a != b {
                out.push(format!("{name}: {what} {a}, FRR {b}"));
            }
        };
        check("as_path", ours.as_path.clone(), as_path.replace(',', " "));
        check("valid", ours.valid.to_string(), path.valid.to_string());
        check("best", ours.best.to_string(), path.is_best().to_string());
        check("multipath", ours.multipath.to_string(), path.multipath.to_string());
        check("med", format!("{:?}", ours.med), format!("{:?}", path.metric));
        check("local_pref", format!("{:?}", ours.local_pref), format!("{:?}", path.local_pref));
        check("origin", format!("{:?}", ours.origin).to_lowercase(), path.origin.to_lowercase());
        // FRR shows an aggregate's next hop as `::` and a network's as 0.0.0.0
        let hop = path.nexthops.first().map(|n| if n.ip.is_unspecified() { core::net::Ipv4Addr::UNSPECIFIED.into() } else { n.ip });
        // a link-local address follows from hardware; ours stands for it
        let link_local = |a: core::net::IpAddr| matches!(a, core::net::IpAddr::V6(a) if a.segments()[0] & 0xFFC0 == 0xFE80);
        let hop = if hop.is_some_and(link_local) && ours.next_hops.first().copied().is_some_and(link_local) {
            ours.next_hops.first().copied()
        } else {
            hop
        };
        check("next hop", format!("{:?}", ours.next_hops.first().copied()), format!("{hop:?}"));
        let communities = ours.communities.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let theirs = path.community.as_ref().map(|c| {
            let known = c.string.split(' ').map(|w| w.parse::<bgp::Community>().map_or_else(|_| w.to_owned(), |c| c.to_string()));
            known.collect::<Vec<_>>().join(" ")
        });
        check("communities", communities, theirs.unwrap_or_default());
        let large = ours.large_communities.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        check("large communities", large, path.large_community.as_ref().map(|c| c.string.clone()).unwrap_or_default());
        // FRR keeps them in the order they were added until they go over a wire
        let sorted = |text: &str| {
            let words = text.split(' ').filter(|w| w.contains(':'));
            words.map(str::to_owned).collect::<std::collections::BTreeSet<_>>()
        };
        let extended = ours.extended_communities.iter().map(ToString::to_string).collect::<std::collections::BTreeSet<_>>();
        let theirs = path.extended_community.as_ref().map(|c| sorted(&c.string)).unwrap_or_default();
        check("extended communities", format!("{extended:?}"), format!("{theirs:?}"));
        if path.is_best() {
            let reason = path.bestpath.as_ref().and_then(|b| b.reason.clone()).unwrap_or_default();
            check("reason", ours.native_reason.unwrap_or_default().to_owned(), reason);
        }
    }
    for ours in row {
        if !shown.paths.iter().any(|p| p.from() == ours.from) {
            out.push(format!("{} [{}]: FRR has no such path", froms(ours.from), ours.as_path));
        }
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
}

impl Different {
    /// Says whether more than the last comparison's name differs, and it was not told.
    #[must_use]
    pub fn is_untold(&self) -> bool {
        !self.told && self.what.iter().any(|w| !w.contains(": reason "))
    }
}

/// Compares all tables of IPv4; returns the number of rows, and those that differ.
#[must_use]
pub fn tables(answer: &Answer, shown: &BTreeMap<String, Shown>) -> (usize, Vec<Different>) {
    let (mut rows, mut out) = (0, Vec::new());
    let none = BTreeMap::new();
    for (router, shown) in shown {
        let ours = answer.routers.get(router).and_then(|t| t.get("ipv4_unicast")).unwrap_or(&none);
        let theirs: BTreeMap<Prefix, &ShownPrefix> =
            shown.detail.iter().filter(|(_, s)| !s.paths.is_empty()).filter_map(|(p, s)| Some((p.parse().ok()?, s))).collect();
        let prefixes: BTreeSet<Prefix> = ours.keys().chain(theirs.keys()).copied().collect();
        for prefix in prefixes {
            rows += 1;
            let what = match (ours.get(&prefix), theirs.get(&prefix)) {
                (Some(row), Some(there)) => differences(&row.paths, there),
                (None, _) => vec!["we have no such prefix".to_owned()],
                (_, None) => vec!["FRR has no such prefix".to_owned()],
            };
            if !what.is_empty() {
                let told = answer.order_dependent.iter().any(|o| &o.router == router && o.prefix == prefix);
                out.push(Different { router: router.clone(), prefix, what, told });
            }
        }
    }
    (rows, out)
}
