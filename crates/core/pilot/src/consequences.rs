//! What a change does beside delay and loss, in the twin's words for the approval card.

use action::DeviceId;
use bgp::{AsPath, Prefix};
use core::net::IpAddr;
use std::collections::BTreeMap;
use twin::{AnnouncedChange, Prediction};

/// Ways, and neighbours, that are named; the rest is counted.
const NAMED: usize = 3;

/// Who sends where, before and after.
type Way<'p> = (&'p DeviceId, Option<IpAddr>, Option<IpAddr>);

/// Returns a line each: ways that change with next hop and AS path, what external neighbours are told, how long the tables take to stand,
/// and what is judged by its worst case or may turn.
pub(crate) fn consequences(p: &Prediction) -> Vec<String> {
    let mut out = ways(p);
    out.extend(announced(&p.announced));
    if let Some(c) = &p.convergence {
        let least = format!("{:.0}", c.least_s);
        let most = format!("{:.0}", c.most_s);
        let range = if least == most { least } else { format!("{least} to {most}") };
        out.push(format!("the tables stand {range} s after the commit, by timers"));
    }
    if p.unknown_volume > 0 {
        out.push(format!(
            "the volume of {} prefixes that change exit is not measured: loads are judged by their worst case",
            p.unknown_volume
        ));
    }
    if !p.order_dependent.is_empty() {
        out.push(format!("{} of the new choices another order of events could turn", p.order_dependent.len()));
    }
    out
}

/// Prefixes of one way: how many, and the first with its AS paths.
struct Prefixes<'p> {
    count: usize,
    first: Prefix,
    before: Option<&'p AsPath>,
    after: Option<&'p AsPath>,
}

fn ways(p: &Prediction) -> Vec<String> {
    let mut all: BTreeMap<Way<'_>, Prefixes<'_>> = BTreeMap::new();
    for change in &p.changed {
        for d in &change.devices {
            let (before, after) = (d.before.as_path.as_ref(), d.after.as_path.as_ref());
            let first = Prefixes { count: 0, first: change.prefix, before, after };
            all.entry((&d.device, d.before.next_hop, d.after.next_hop)).or_insert(first).count += 1;
        }
    }
    let mut all: Vec<_> = all.into_iter().collect();
    // the widest first, in a fixed order among equals
    all.sort_by_key(|(_, prefixes)| core::cmp::Reverse(prefixes.count));
    let hop = |h: Option<IpAddr>| h.map_or_else(|| "no way".to_owned(), |h| h.to_string());
    let path = |a: Option<&AsPath>| a.map_or_else(|| "none".to_owned(), |a| format!("[{a}]"));
    let line = |((device, before, after), prefixes): &(Way<'_>, Prefixes<'_>)| {
        let Prefixes { count, first, before: old, after: new } = prefixes;
        let noun = if *count == 1 { "prefix" } else { "prefixes" };
        format!("{device}: {count} {noun} by {} → {} ({first}: {} → {})", hop(*before), hop(*after), path(*old), path(*new))
    };
    let mut out: Vec<String> = all.iter().take(NAMED).map(line).collect();
    out.extend((all.len() > NAMED).then(|| format!("and {} further ways", all.len() - NAMED)));
    out
}

fn announced(changes: &[AnnouncedChange]) -> Vec<String> {
    if changes.is_empty() {
        return vec!["external neighbours are told nothing otherwise".to_owned()];
    }
    let line = |a: &AnnouncedChange| {
        let (added, gone, other) = (a.added.len(), a.withdrawn.len(), a.modified.len());
        format!("{} of {} is told otherwise: {added} newly, {gone} no longer, {other} with other attributes", a.neighbor, a.device)
    };
    let mut out: Vec<String> = changes.iter().take(NAMED).map(line).collect();
    out.extend((changes.len() > NAMED).then(|| format!("and {} further neighbours", changes.len() - NAMED)));
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test says no by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_outside_is_said_even_where_it_is_nothing() {
        assert_eq!(announced(&[]), ["external neighbours are told nothing otherwise"]);
        let one = |n: u8| AnnouncedChange {
            device: DeviceId::from("r1"),
            neighbor: IpAddr::from([192, 0, 2, n]),
            added: Vec::new(),
            withdrawn: vec!["203.0.113.0/24".parse().unwrap()],
            modified: Vec::new(),
        };
        let six: Vec<AnnouncedChange> = (1..=6).map(one).collect();
        let lines = announced(&six);
        assert_eq!(lines[0], "192.0.2.1 of r1 is told otherwise: 0 newly, 1 no longer, 0 with other attributes");
        assert_eq!(lines[NAMED..], [format!("and {} further neighbours", 6 - NAMED)]);
    }
}
