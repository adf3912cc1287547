//! Prefix lists, community lists and route-maps.

use super::{Read, lists};
use crate::{Condition, PolicyResult, PrefixEntry, PrefixSet, RouteAction, RouterConfig, RoutingPolicy, Statement, WiderAction};
use bgp::{Community, Family, Prefix};
use std::collections::{BTreeMap, BTreeSet};

/// Puts terms and prefix entries into evaluation order and canonical form.
pub(super) fn sort(policy: &mut RoutingPolicy) {
    for set in policy.prefix_sets.values_mut() {
        // of two entries with one number the later was typed over the earlier
        set.entries.reverse();
        set.entries.sort_by_key(|e| e.sequence);
        set.entries.dedup_by_key(|e| e.sequence);
    }
    for definition in policy.definitions.values_mut() {
        definition.statements.sort_by_key(|s| s.sequence);
        for statement in &mut definition.statements {
            *statement = statement.clone().canonical();
        }
    }
}

/// `NAME [seq N] permit|deny PREFIX|any [ge N] [le N]`.
pub(super) fn prefix_list(policy: &mut RoutingPolicy, six: bool, words: &[&str]) -> Read {
    let [name, rest @ ..] = words else { return Read::Unmodelled };
    let (sequence, rest) = match rest {
        ["seq", n, rest @ ..] => (n.parse().ok(), rest),
        ["description", ..] => return Read::Harmless,
        rest => (None, rest),
    };
    let [result @ ("permit" | "deny"), prefix, bounds @ ..] = rest else { return Read::Unmodelled };
    let any = *prefix == "any";
    let (all, longest) = if six { ("::/0", 128) } else { ("0.0.0.0/0", 32) };
    let Ok(prefix) = (if any { all } else { prefix }).parse::<Prefix>() else { return Read::Unmodelled };
    let (mut ge, mut le) = (None, any.then_some(longest));
    let mut bounds = bounds.iter();
    while let (Some(word), Some(value)) = (bounds.next(), bounds.next()) {
        let Ok(value) = value.parse::<u8>() else { return Read::Unmodelled };
        match *word {
            "ge" => ge = Some(value),
            "le" => le = Some(value),
            _ => return Read::Unmodelled,
        }
    }
    let family = prefix.family();
    let clash = six && policy.prefix_sets.get(*name).is_some_and(|s| s.family != family);
    let sets = if clash { &mut policy.wider.prefix_sets_v6 } else { &mut policy.prefix_sets };
    let set = sets.entry((*name).to_owned()).or_insert_with(|| PrefixSet { family, entries: Vec::new() });
    if set.family != family {
        return Read::Unmodelled;
    }
    let next = set.entries.last().map_or(0, |e| e.sequence).saturating_add(5);
    let entry = PrefixEntry { sequence: sequence.unwrap_or(next), permit: *result == "permit", prefix, ge, le };
    set.entries.push(entry);
    if clash { Read::Wider } else { Read::Taken }
}

/// `standard NAME [seq N] permit|deny COMMUNITY…`.
pub(super) fn community_list(policy: &mut RoutingPolicy, words: &[&str]) -> Read {
    let rest = match words {
        ["standard", rest @ ..] => rest,
        ["expanded", rest @ ..] => return lists::expressions(&mut policy.wider.expanded_community_sets, rest),
        rest => rest,
    };
    let [name, rest @ ..] = rest else { return Read::Unmodelled };
    let rest = if let ["seq", _, rest @ ..] = rest { rest } else { rest };
    let [result @ ("permit" | "deny"), communities @ ..] = rest else { return Read::Unmodelled };
    let Ok(communities) = communities.iter().map(|c| c.parse()).collect::<Result<Vec<Community>, _>>() else {
        return Read::Unmodelled;
    };
    let set = policy.community_sets.entry((*name).to_owned()).or_default();
    set.entries.push((*result == "permit", communities));
    Read::Taken
}

/// Opens a route-map term.
pub(super) fn open_term(policy: &mut RoutingPolicy, name: &str, permit: bool, sequence: u32) {
    let definition = policy.definitions.entry(name.to_owned()).or_default();
    let result = if permit { PolicyResult::Accept } else { PolicyResult::Reject };
    // in order from the first on: a route-map of a hundred thousand lines is not searched for each of them
    match definition.statements.binary_search_by_key(&sequence, |s| s.sequence) {
        Ok(at) => definition.statements[at].result = result,
        Err(at) => definition.statements.insert(at, Statement::new(sequence, result)),
    }
}

/// A line inside a route-map term. What is not modelled stays in the term, so that evaluation stops there as unknown.
pub(super) fn term_line(policy: &mut RoutingPolicy, name: &str, sequence: u32, words: &[&str]) -> Read {
    let definition = policy.definitions.get_mut(name);
    let term = definition.and_then(|d| {
        let at = d.statements.binary_search_by_key(&sequence, |s| s.sequence).ok()?;
        d.statements.get_mut(at)
    });
    let Some(term) = term else { return Read::Unmodelled };
    match words {
        ["match", family, "address", "prefix-list", list] if !fits(&policy.prefix_sets, family, list) => {
            term.conditions.push(Condition::Unmodelled(words.join(" ")));
            Read::Unmodelled
        }
        ["match", ..] => {
            let condition = Condition::native(&words.join(" "));
            let read = match &condition {
                Condition::Unmodelled(_) => Read::Unmodelled,
                Condition::Wider { .. } => Read::Wider,
                _ => Read::Taken,
            };
            // a term holds one condition of a kind: typed twice, the later holds (FRR 8.4, `route_map_add_match`)
            let family = |name: &String| policy.prefix_sets.get(name).map(|s| s.family);
            let other = |old: &Condition| match (old, &condition) {
                (Condition::PrefixSet(a), Condition::PrefixSet(b)) => family(a).zip(family(b)).is_some_and(|(a, b)| a != b),
                _ => false,
            };
            term.conditions.retain(|old| other(old) || !old.replaced_by(&condition));
            term.conditions.push(condition);
            read
        }
        ["description", ..] => Read::Harmless,
        ["set" | "on-match" | "continue" | "call", ..] => {
            let action = RouteAction::native(&words.join(" "));
            let read = match &action {
                RouteAction::Unmodelled(_) | RouteAction::Wider { what: WiderAction::OutsideBgp, .. } => Read::Unmodelled,
                RouteAction::Wider { .. } => Read::Wider,
                _ => Read::Taken,
            };
            // typed twice, the later holds
            term.actions.retain(|old| !old.replaced_by(&action));
            term.actions.push(action);
            read
        }
        _ => Read::NotMine,
    }
}

/// Says whether a list may be matched as this family: `match ip` looks among the IPv4 lists only.
fn fits(sets: &BTreeMap<String, PrefixSet>, family: &str, list: &str) -> bool {
    let wanted = match family {
        "ip" => Family::Ipv4Unicast,
        "ipv6" => Family::Ipv6Unicast,
        _ => return false,
    };
    sets.get(list).is_none_or(|s| s.family == wanted)
}

/// Makes every condition and action on a list that could not be read "not modelled": it must not look like a list that matches nothing.
pub(super) fn distrust(config: &mut RouterConfig) {
    let mut prefix_lists = BTreeSet::new();
    let mut community_lists = BTreeSet::new();
    for unread in &config.unmodelled {
        let words: Vec<&str> = unread.text.split_whitespace().collect();
        match words[..] {
            ["ip" | "ipv6", "prefix-list", name, ..] => prefix_lists.insert(name.to_owned()),
            ["bgp" | "ip", "community-list", "standard" | "expanded", name, ..] | ["bgp" | "ip", "community-list", name, ..] => {
                community_lists.insert(name.to_owned())
            }
            _ => continue,
        };
    }
    if prefix_lists.is_empty() && community_lists.is_empty() {
        return;
    }
    for term in config.policy.definitions.values_mut().flat_map(|d| &mut d.statements) {
        for condition in &mut term.conditions {
            let line = match condition {
                Condition::PrefixSet(name) if prefix_lists.contains(name) => {
                    let set = config.policy.prefix_sets.get(name);
                    let six = set.is_some_and(|s| s.family == Family::Ipv6Unicast);
                    format!("match {} address prefix-list {name}", if six { "ipv6" } else { "ip" })
                }
                Condition::CommunitySet(name) if community_lists.contains(name) => format!("match community {name}"),
                _ => continue,
            };
            *condition = Condition::Unmodelled(line);
        }
        for action in &mut term.actions {
            if let RouteAction::DeleteCommunities(name) = action
                && community_lists.contains(name)
            {
                *action = RouteAction::Unmodelled(format!("set comm-list {name} delete"));
            }
        }
    }
}
