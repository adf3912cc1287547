//! AS-path, large-community and access lists.

use super::Read;
use crate::{ListEntry, PolicyWider};
use bgp::{ExtendedCommunity, LargeCommunity, Prefix};
use std::collections::BTreeMap;

/// Splits `[seq N] permit|deny REST`; without a number the entry goes to the end.
fn entry<'w, T>(list: &[ListEntry<T>], words: &'w [&'w str]) -> Option<(u32, bool, &'w [&'w str])> {
    let (sequence, rest) = match words {
        ["seq", n, rest @ ..] => (n.parse().ok()?, rest),
        rest => (list.last().map_or(0, |e| e.sequence).saturating_add(5), rest),
    };
    match rest {
        ["permit", rest @ ..] => Some((sequence, true, rest)),
        ["deny", rest @ ..] => Some((sequence, false, rest)),
        _ => None,
    }
}

/// Puts an entry in its place; one with the same number is typed over.
fn put<T>(list: &mut Vec<ListEntry<T>>, entry: ListEntry<T>) {
    match list.binary_search_by_key(&entry.sequence, |e| e.sequence) {
        Ok(at) => list[at] = entry,
        Err(at) => list.insert(at, entry),
    }
}

/// `NAME [seq N] permit|deny REGEX`, of AS paths or of the text of all communities.
pub(super) fn expressions(lists: &mut BTreeMap<String, Vec<ListEntry<String>>>, words: &[&str]) -> Read {
    let [name, rest @ ..] = words else { return Read::Unmodelled };
    let list = lists.entry((*name).to_owned()).or_default();
    let Some((sequence, permit, regex)) = entry(list, rest) else { return Read::Unmodelled };
    put(list, ListEntry { sequence, permit, what: regex.join(" ") });
    Read::Wider
}

/// `standard NAME [seq N] permit|deny COMMUNITY…`.
pub(super) fn large(wider: &mut PolicyWider, words: &[&str]) -> Read {
    let rest = match words {
        ["standard", rest @ ..] => rest,
        ["expanded", rest @ ..] => return expressions(&mut wider.expanded_large_sets, rest),
        rest => rest,
    };
    let [name, rest @ ..] = rest else { return Read::Unmodelled };
    let list = wider.large_community_sets.entry((*name).to_owned()).or_default();
    let Some((sequence, permit, communities)) = entry(list, rest) else { return Read::Unmodelled };
    let Some(what) = communities.iter().map(|c| c.parse::<LargeCommunity>().ok()).collect() else { return Read::Unmodelled };
    put(list, ListEntry { sequence, permit, what });
    Read::Wider
}

/// `standard NAME [seq N] permit|deny rt|soo VALUE…`.
pub(super) fn extended(wider: &mut PolicyWider, words: &[&str]) -> Read {
    let rest = match words {
        ["standard", rest @ ..] => rest,
        ["expanded", rest @ ..] => return expressions(&mut wider.expanded_extended_sets, rest),
        rest => rest,
    };
    let [name, rest @ ..] = rest else { return Read::Unmodelled };
    let list = wider.extended_sets.entry((*name).to_owned()).or_default();
    let Some((sequence, permit, communities)) = entry(list, rest) else { return Read::Unmodelled };
    let mut what = Vec::new();
    let mut read: fn(&str) -> Result<ExtendedCommunity, bgp::ParseError> = ExtendedCommunity::route_target;
    for word in communities {
        match *word {
            "rt" => read = ExtendedCommunity::route_target,
            "soo" => read = ExtendedCommunity::site_of_origin,
            value => match read(value) {
                Ok(one) => what.push(one),
                Err(_) => return Read::Unmodelled,
            },
        }
    }
    put(list, ListEntry { sequence, permit, what });
    Read::Wider
}

/// `NAME [seq N] permit|deny PREFIX|any [exact-match]`.
pub(super) fn access(wider: &mut PolicyWider, six: bool, words: &[&str]) -> Read {
    let [name, rest @ ..] = words else { return Read::Unmodelled };
    let list = wider.access_lists.entry((*name).to_owned()).or_default();
    let Some((sequence, permit, what)) = entry(list, rest) else { return Read::Unmodelled };
    let (prefix, exact) = match what {
        ["any"] => (if six { "::/0" } else { "0.0.0.0/0" }, false),
        [prefix] => (*prefix, false),
        [prefix, "exact-match"] => (*prefix, true),
        _ => return Read::Unmodelled,
    };
    let Ok(prefix) = prefix.parse::<Prefix>() else { return Read::Unmodelled };
    put(list, ListEntry { sequence, permit, what: (prefix, exact) });
    Read::Wider
}
