//! A network that differs, made smaller as long as it still does.

use super::{Compared, compared};
use crate::generate::{Feature, network};
use crate::{Case, Text};
use bgp::Prefix;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;

/// Runs on FRR, a few seconds each, after which the smallest so far is taken.
const TRIES_MAX: usize = 80;
/// Runs at once, beside those of other networks.
const AT_ONCE: usize = 2;

/// What is to be seen in a smaller network: rows that differ.
pub(super) type Rows = BTreeSet<(String, Prefix)>;

/// The rows that differ and were not told.
pub(super) fn rows(compared: &Compared) -> Rows {
    compared.different.iter().filter(|d| d.is_untold()).map(|d| (d.router.clone(), d.prefix)).collect()
}

/// Leaves out features, and then lines, as long as one of the rows still differs: what leaving out breaks is no smaller form of it.
pub(super) fn smaller(seed: u64, wanted: &Rows, stop: &AtomicBool) -> Case {
    let mut without = Vec::new();
    for feature in Feature::ALL {
        let mut tried = without.clone();
        tried.push(feature);
        if differs(&network(seed, &tried), &seed.to_string(), wanted, stop) {
            without = tried;
        }
    }
    fewer_lines(network(seed, &without), seed, wanted, stop)
}

fn differs(case: &Case, name: &str, wanted: &Rows, stop: &AtomicBool) -> bool {
    compared(case, name, stop).is_ok_and(|c| c.unfinished.is_none() && !rows(&c).is_disjoint(wanted))
}

/// A line of a router's configuration.
type Line = (usize, usize);

fn fewer_lines(mut case: Case, seed: u64, wanted: &Rows, stop: &AtomicBool) -> Case {
    let mut tries = 0;
    let mut size = units(&case).len().div_ceil(4);
    while size > 0 && tries < TRIES_MAX {
        let mut at = 0;
        loop {
            let all = units(&case);
            let chunks: Vec<Vec<Line>> = all.get(at..).unwrap_or_default().chunks(size).take(AT_ONCE).map(<[_]>::concat).collect();
            if chunks.is_empty() || tries >= TRIES_MAX {
                break;
            }
            tries += chunks.len();
            let still = std::thread::scope(|scope| {
                let run = |(n, lines): (usize, &Vec<Line>)| {
                    let tried = without(&case, lines);
                    scope.spawn(move || differs(&tried, &format!("{seed}-s{n}"), wanted, stop).then_some(tried))
                };
                let running: Vec<_> = chunks.iter().enumerate().map(run).collect();
                running.into_iter().map(|r| r.join().ok().flatten()).collect::<Vec<_>>()
            });
            match still.into_iter().enumerate().find_map(|(n, tried)| Some((n, tried?))) {
                // what was left out has gone from the list, and the next stands in its place
                Some((n, tried)) => (case, at) = (tried, at + n * size),
                None => at += chunks.len() * size,
            }
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    case
}

/// What goes together: the lines of a session at both ends, a term of a policy, any other line of a policy, list or BGP instance.
fn units(case: &Case) -> Vec<Vec<Line>> {
    let mut out: Vec<Vec<Line>> = Vec::new();
    let mut sessions: BTreeMap<String, Vec<Line>> = BTreeMap::new();
    let owners = owners(case);
    for (r, (name, text)) in case.routers.iter().enumerate() {
        let text = text.joined_for_frr();
        let mut in_term = false;
        for (n, line) in text.lines().enumerate() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let begins_term = words.first() == Some(&"route-map");
            if begins_term || (in_term && line.starts_with(' ')) {
                match out.last_mut() {
                    Some(term) if in_term && !begins_term => term.push((r, n)),
                    _ => out.push(vec![(r, n)]),
                }
                in_term = true;
                continue;
            }
            in_term = false;
            if let ["neighbor", address, ..] | ["no", "neighbor", address, ..] = words[..] {
                sessions.entry(session(&owners, name, address)).or_default().push((r, n));
            }
            match words[..] {
                ["neighbor", _, "remote-as" | "timers" | "update-source" | "ebgp-multihop" | "activate", ..] => {}
                ["no", "neighbor", _, "activate"] => {}
                ["neighbor" | "network" | "redistribute" | "aggregate-address" | "maximum-paths" | "access-list", ..]
                | ["no", "neighbor", ..]
                | ["ip" | "ipv6", "prefix-list" | "route", ..] => out.push(vec![(r, n)]),
                ["bgp", what, ..] if what != "router-id" => out.push(vec![(r, n)]),
                _ => {}
            }
        }
    }
    // a session goes with everything that is said of it
    out.into_iter().chain(sessions.into_values()).collect()
}

/// Which router has an address.
fn owners(case: &Case) -> BTreeMap<String, String> {
    let address = |line: &str| {
        let ["ip" | "ipv6", "address", address] = line.split_whitespace().collect::<Vec<_>>()[..] else { return None };
        address.split_once('/').map(|(a, _)| a.to_owned())
    };
    let of =
        |(name, text): &(String, Text)| text.joined_for_frr().lines().filter_map(address).map(|a| (a, name.clone())).collect::<Vec<_>>();
    case.routers.iter().flat_map(of).collect()
}

/// Names a session the same at both ends: routers, and what their addresses begin with.
fn session(owners: &BTreeMap<String, String>, router: &str, address: &str) -> String {
    let other = owners.get(address).map_or("", String::as_str);
    let (a, b) = if router < other { (router, other) } else { (other, router) };
    let subnet = address.rsplit_once(['.', ':']).map_or(address, |(subnet, _)| subnet);
    format!("{a} {b} {subnet}")
}

fn without(case: &Case, lines: &[Line]) -> Case {
    let keep = |r: usize, text: &Text| {
        let text = text.joined_for_frr();
        let kept: Vec<&str> = text.lines().enumerate().filter(|(n, _)| !lines.contains(&(r, *n))).map(|(_, l)| l).collect();
        Text { files: vec![("frr.conf".to_owned(), kept.join("\n") + "\n")] }
    };
    let routers = case.routers.iter().enumerate().map(|(r, (name, text))| (name.clone(), keep(r, text))).collect();
    Case { routers, links: case.links.clone(), steps: Vec::new(), profiles: case.profiles.clone() }
}
