//! Route-maps and lists.

use crate::notes::{Notes, Object};
use crate::outline::{self, Node};
use crate::program::wider;
use crate::{
    Condition, Flow, ListEntry, PolicyResult, PrefixEntry, PrefixSet, Protocol, RouteAction, RouterConfig, Statement, WiderAction,
};
use crate::{WiderCondition, expression};
use ::bgp::{AsPath, Community, Family, LargeCommunity, Origin, Prefix};
use std::collections::BTreeMap;

/// One route-map term.
pub(super) fn route_map(config: &mut RouterConfig, notes: &mut Notes, node: &Node<'_>, (name, result, sequence): (&str, &str, &str)) {
    let Ok(sequence) = sequence.parse() else {
        notes.unmodelled(node.line, &node.text(), "", "ignored: the route-map is without this term");
        return;
    };
    notes.defines(Object::Policy, name);
    let result = if result == "permit" { PolicyResult::Accept } else { PolicyResult::Reject };
    let mut term = Statement::new(sequence, result);
    let context = format!("route-map {name} {sequence}");
    for child in &node.children {
        match child.words[..] {
            ["match", ref rest @ ..] => {
                let read = condition(rest, child, notes);
                if read.is_empty() {
                    let effect = "what this term does with a route is not known, and said where a route reaches it";
                    notes.unmodelled(child.line, &child.text(), &context, effect);
                    term.conditions.push(Condition::Unmodelled(child.text()));
                }
                term.conditions.extend(read);
            }
            ["set" | "continue" | "sub-route-map", ..] => match action(child, notes) {
                Action::Taken(new) => {
                    term.actions.retain(|old| !old.replaced_by(&new));
                    term.actions.push(new);
                }
                Action::Effectless(effect) => notes.unmodelled(child.line, &child.text(), &context, effect),
                Action::Unmodelled => {
                    let effect = "what this term makes of a route is not known, and said where a route reaches it";
                    notes.unmodelled(child.line, &child.text(), &context, effect);
                    term.actions.push(RouteAction::Unmodelled(child.text()));
                }
            },
            _ => {}
        }
    }
    // of two terms with one number the later was typed over the earlier; `finish` sees to it
    config.policy.definitions.entry(name.to_owned()).or_default().statements.push(term);
}

/// Puts terms and entries in order; of two with one number the later holds.
pub(crate) fn finish(config: &mut RouterConfig) {
    for definition in config.policy.definitions.values_mut() {
        definition.statements.reverse();
        definition.statements.sort_by_key(|s| s.sequence);
        definition.statements.dedup_by_key(|s| s.sequence);
    }
    for set in config.policy.prefix_sets.values_mut().chain(config.policy.wider.prefix_sets_v6.values_mut()) {
        set.entries.reverse();
        set.entries.sort_by_key(|e| e.sequence);
        set.entries.dedup_by_key(|e| e.sequence);
    }
}

/// Conditions of a `match` line; several lists must all match. Empty: not modelled.
fn condition(words: &[&str], node: &Node<'_>, notes: &mut Notes) -> Vec<Condition> {
    let line = node.text();
    let one = |what| vec![Condition::Wider { what, line: line.clone() }];
    let mut all = |object: Object, lists: &[&str], make: fn(&str, &str) -> Condition| -> Vec<Condition> {
        if lists.contains(&"or-results") || lists.is_empty() {
            return Vec::new();
        }
        lists.iter().for_each(|l| notes.uses(object, l, node.line));
        lists.iter().map(|l| make(l, &line)).collect()
    };
    match words {
        ["ip" | "ipv6", "address", "prefix-list", list] => all(Object::Prefixes, &[list], |l, _| Condition::PrefixSet(l.to_owned())),
        ["ip" | "ipv6", "next-hop", "prefix-list", list] => {
            all(Object::Prefixes, &[list], |l, line| wide(WiderCondition::NextHopPrefixSet(l.to_owned()), line))
        }
        ["community", list, "exact-match"] => {
            all(Object::Communities, &[list], |l, line| wide(WiderCondition::CommunitySetExact(l.to_owned()), line))
        }
        ["community", lists @ ..] => all(Object::Communities, lists, |l, _| Condition::CommunitySet(l.to_owned())),
        ["large-community", lists @ ..] => {
            all(Object::LargeCommunities, lists, |l, line| wide(WiderCondition::LargeCommunitySet(l.to_owned()), line))
        }
        ["as-path", "length", relation, n] => match (*relation, n.parse()) {
            ("=", Ok(n)) => as_path_length(n, Some(n), &line),
            (">=", Ok(n)) => as_path_length(n, None, &line),
            ("<=", Ok(n)) => as_path_length(0, Some(n), &line),
            _ => Vec::new(),
        },
        ["as-path", list] => all(Object::AsPaths, &[list], |l, line| wide(WiderCondition::AsPathSet(l.to_owned()), line)),
        ["metric", v] => v.parse().map(|v| one(WiderCondition::Med(v))).unwrap_or_default(),
        ["local-preference", v] => v.parse().map(|v| one(WiderCondition::LocalPref(v))).unwrap_or_default(),
        ["tag", v] => v.parse().map(|v| one(WiderCondition::Tag(v))).unwrap_or_default(),
        ["source-protocol", p] => protocol(p).map(|p| one(WiderCondition::SourceProtocol(p))).unwrap_or_default(),
        ["origin-as", "validity", state] => match *state {
            "valid" => one(WiderCondition::Rpki(crate::RpkiState::Valid)),
            "invalid" => one(WiderCondition::Rpki(crate::RpkiState::Invalid)),
            "not-found" => one(WiderCondition::Rpki(crate::RpkiState::NotFound)),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn wide(what: WiderCondition, line: &str) -> Condition {
    Condition::Wider { what, line: line.to_owned() }
}

/// The length is a list of its own, named as written.
fn as_path_length(low: u32, high: Option<u32>, line: &str) -> Vec<Condition> {
    vec![wide(WiderCondition::AsPathSet(length_list(low, high)), line)]
}

/// Name of the list that [`lengths`] makes.
fn length_list(low: u32, high: Option<u32>) -> String {
    format!("(length {low}..{})", high.map(|h| h.to_string()).unwrap_or_default())
}

/// Makes the lists that lengths are asked with.
pub(crate) fn lengths(config: &mut RouterConfig) {
    let mut wanted = BTreeMap::new();
    let conditions = config.policy.definitions.values().flat_map(|d| &d.statements).flat_map(|s| &s.conditions);
    for condition in conditions {
        if let Condition::Wider { what: WiderCondition::AsPathSet(name), .. } = condition
            && let Some((low, high)) = name.strip_prefix("(length ").and_then(|n| n.strip_suffix(')')).and_then(|n| n.split_once(".."))
            && let Ok(low) = low.parse()
        {
            wanted.insert(name.clone(), expression::length(low, high.parse().ok()));
        }
    }
    for (name, what) in wanted {
        config.policy.wider.as_path_sets.entry(name).or_insert_with(|| vec![ListEntry { sequence: 5, permit: true, what }]);
    }
}

pub(super) fn protocol(word: &str) -> Option<Protocol> {
    Some(match word {
        "connected" | "attached-host" => Protocol::Connected,
        "static" => Protocol::Static,
        "ospf" | "ospfv3" | "ospf3" => Protocol::Ospf,
        "isis" => Protocol::Isis,
        "bgp" => Protocol::Bgp,
        _ => return None,
    })
}

enum Action {
    Taken(RouteAction),
    /// Changes nothing that the model compares; with what is left as it was.
    Effectless(&'static str),
    Unmodelled,
}

fn action(node: &Node<'_>, notes: &mut Notes) -> Action {
    let line = node.text();
    let wide = |what| Action::Taken(wider(what, line.clone()));
    let words = match node.words[..] {
        ["continue"] => return wide(WiderAction::Flow(Flow::Next)),
        ["continue", n] => return n.parse().map_or(Action::Unmodelled, |n| wide(WiderAction::Flow(Flow::Goto(n)))),
        ["sub-route-map", name] => {
            notes.uses(Object::Policy, name, node.line);
            return wide(WiderAction::Call(name.to_owned()));
        }
        ["set", ref words @ ..] => words,
        _ => return Action::Unmodelled,
    };
    let taken = |action: Option<RouteAction>| action.map_or(Action::Unmodelled, Action::Taken);
    match words {
        ["local-preference", v] => taken(v.parse().ok().map(RouteAction::SetLocalPref)),
        ["metric", v] if v.starts_with(['+', '-']) => v.parse().map_or(Action::Unmodelled, |v| wide(WiderAction::AddMed(v))),
        ["metric", v] => taken(v.parse().ok().map(RouteAction::SetMed)),
        ["weight", v] => taken(v.parse().ok().map(RouteAction::SetWeight)),
        ["origin", o] => taken(origin(o).map(RouteAction::SetOrigin)),
        ["tag", v] => v.parse().map_or(Action::Unmodelled, |v| wide(WiderAction::SetTag(v))),
        ["community", "none"] => Action::Taken(RouteAction::SetCommunities(Vec::new())),
        ["community", "community-list", name, "delete"] => {
            notes.uses(Object::Communities, name, node.line);
            Action::Taken(RouteAction::DeleteCommunities((*name).to_owned()))
        }
        ["community", "community-list", ..] | ["community", .., "delete"] => Action::Unmodelled,
        ["community", list @ .., "additive"] => taken(communities(list).map(RouteAction::AddCommunities)),
        ["community", list @ ..] if !list.is_empty() => taken(communities(list).map(RouteAction::SetCommunities)),
        ["large-community", "none"] => wide(WiderAction::SetLargeCommunities(Vec::new())),
        ["large-community", "large-community-list", name, "delete"] => {
            notes.uses(Object::LargeCommunities, name, node.line);
            wide(WiderAction::DeleteLargeCommunities((*name).to_owned()))
        }
        ["large-community", list @ .., "additive"] => match large(list) {
            Some(list) => wide(WiderAction::AddLargeCommunities(list)),
            None => Action::Unmodelled,
        },
        ["large-community", list @ ..] => match large(list) {
            Some(list) => wide(WiderAction::SetLargeCommunities(list)),
            None => Action::Unmodelled,
        },
        ["as-path", "prepend", "last-as", n] => n.parse().map_or(Action::Unmodelled, |n| wide(WiderAction::PrependLastAs(n))),
        // `auto` is the own AS out and the neighbour's in: not known here
        ["as-path", "prepend", path @ ..] if !path.contains(&"auto") => {
            let (path, times) = match path {
                [path @ .., "repeat", n] => (path, n.parse().unwrap_or(0usize)),
                path => (path, 1),
            };
            let asns: Option<Vec<u32>> = path.iter().map(|a| outline::asn(a).map(|a| a.0)).collect();
            match asns.filter(|a| !a.is_empty() && (1..=64).contains(&times)) {
                Some(asns) => Action::Taken(RouteAction::Prepend(AsPath::sequence(asns.repeat(times)))),
                None => Action::Unmodelled,
            }
        }
        ["ip" | "ipv6", "next-hop", "peer-address"] => wide(WiderAction::SetNextHopSelf),
        ["ip" | "ipv6", "next-hop", "unchanged"] => wide(WiderAction::SetNextHopUnchanged),
        ["ip" | "ipv6", "next-hop", address] => taken(address.parse().ok().map(RouteAction::SetNextHop)),
        ["extcommunity", ..] => Action::Effectless("ignored: routes keep their extended communities, which choose no path here"),
        ["distance", ..] => Action::Effectless("ignored: routes keep the distance of their protocol, against other protocols' routes"),
        ["metric-type" | "isis", ..] => Action::Effectless("ignored: routes of the IGP keep their type"),
        ["bgp" | "nexthop" | "segment-index", ..] => Action::Effectless("ignored: how traffic is spread over equal paths stays as it is"),
        _ => Action::Unmodelled,
    }
}

pub(super) fn origin(word: &str) -> Option<Origin> {
    match word {
        "igp" => Some(Origin::Igp),
        "egp" => Some(Origin::Egp),
        "incomplete" => Some(Origin::Incomplete),
        _ => None,
    }
}

/// Communities as EOS writes them: `65001:100`, names, `GSHUT`, one number.
fn community(word: &str) -> Option<Community> {
    match word {
        "GSHUT" | "gshut" => Some(Community::GRACEFUL_SHUTDOWN),
        "local-as" => Some(Community::NO_EXPORT_SUBCONFED),
        _ => word.parse().ok().or_else(|| word.parse::<u32>().ok().map(|n| Community::new((n >> 16) as u16, n as u16))),
    }
}

fn communities(words: &[&str]) -> Option<Vec<Community>> {
    words.iter().map(|w| community(w)).collect()
}

fn large(words: &[&str]) -> Option<Vec<LargeCommunity>> {
    words.iter().map(|w| w.parse().ok()).collect()
}

/// `ip prefix-list NAME seq N permit …`, or a block of entries.
pub(super) fn prefix_list(config: &mut RouterConfig, notes: &mut Notes, node: &Node<'_>) {
    let [version, _, name, rest @ ..] = &node.words[..] else {
        notes.unmodelled(node.line, &node.text(), "", "ignored: a prefix list without a name");
        return;
    };
    let six = *version == "ipv6";
    notes.defines(Object::Prefixes, name);
    let mut entries: Vec<(u32, &[&str])> = Vec::new();
    if !rest.is_empty() {
        entries.push((node.line, rest));
    }
    entries.extend(node.children.iter().map(|c| (c.line, &c.words[..])));
    // a list of this name without entries is there too, and matches nothing
    put(config, name, six, None);
    for (line, words) in entries {
        if matches!(words, ["remark" | "description", ..]) {
            continue;
        }
        match prefix_entry(words, six) {
            Some(entry) => put(config, name, six, Some(entry)),
            None => {
                let effect = format!("the list {name} is without this entry");
                notes.unmodelled(line, &words.join(" "), &format!("{version} prefix-list {name}"), &effect);
            }
        }
    }
}

/// Puts an entry into the list of its family; the other family may have a list of the same name.
pub(crate) fn put(config: &mut RouterConfig, name: &str, six: bool, entry: Option<PrefixEntry>) {
    let family = if six { Family::Ipv6Unicast } else { Family::Ipv4Unicast };
    let policy = &mut config.policy;
    let clash = policy.prefix_sets.get(name).is_some_and(|s| s.family != family);
    if clash && !six {
        // IPv6 came first: it makes room
        if let Some(set) = policy.prefix_sets.remove(name) {
            policy.wider.prefix_sets_v6.insert(name.to_owned(), set);
        }
    }
    let sets = if clash && six { &mut policy.wider.prefix_sets_v6 } else { &mut policy.prefix_sets };
    let set = sets.entry(name.to_owned()).or_insert_with(|| PrefixSet { family, entries: Vec::new() });
    if let Some(mut entry) = entry {
        if entry.sequence == 0 {
            entry.sequence = set.entries.last().map_or(0, |e| e.sequence).saturating_add(10);
        }
        set.entries.push(entry);
    }
}

/// `[seq N] permit|deny PREFIX [eq N] [ge N] [le N]`; sequence 0: none given.
fn prefix_entry(words: &[&str], six: bool) -> Option<PrefixEntry> {
    let (sequence, rest) = match words {
        ["seq", n, rest @ ..] => (n.parse().ok()?, rest),
        rest => (0, rest),
    };
    let [result @ ("permit" | "deny"), prefix, bounds @ ..] = rest else { return None };
    let prefix: Prefix = if *prefix == "any" { if six { "::/0" } else { "0.0.0.0/0" } } else { prefix }.parse().ok()?;
    if (prefix.family() == Family::Ipv6Unicast) != six {
        return None;
    }
    let (mut ge, mut le) = (None, (rest[1] == "any").then_some(if six { 128 } else { 32 }));
    let mut bounds = bounds.iter();
    while let Some(word) = bounds.next() {
        let value: u8 = bounds.next()?.parse().ok()?;
        match *word {
            "eq" => (ge, le) = (Some(value), Some(value)),
            "ge" => ge = Some(value),
            "le" => le = Some(value),
            _ => return None,
        }
    }
    Some(PrefixEntry { sequence, permit: *result == "permit", prefix, ge, le })
}

/// `[standard|expanded|regexp] NAME [seq N] permit|deny …`.
pub(super) fn community_list(config: &mut RouterConfig, notes: &mut Notes, node: &Node<'_>, words: &[&str]) {
    let (regex, rest) = match words {
        ["standard", rest @ ..] => (false, rest),
        ["expanded" | "regexp", rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let Some((name, permit, what)) = list_line(rest) else {
        notes.unmodelled(node.line, &node.text(), "", "ignored: the list is without this entry");
        return;
    };
    notes.defines(Object::Communities, name);
    if regex {
        let list = config.policy.wider.expanded_community_sets.entry(name.to_owned()).or_default();
        append(list, permit, what.join(" "));
        return;
    }
    // GSHUT as a list's entry, and names
    match communities(what) {
        Some(all) => config.policy.community_sets.entry(name.to_owned()).or_default().entries.push((permit, all)),
        None => {
            let effect = format!("the list {name} is without this entry");
            notes.unmodelled(node.line, &node.text(), "", &effect);
        }
    }
}

fn list_line<'w>(words: &'w [&'w str]) -> Option<(&'w str, bool, &'w [&'w str])> {
    let [name, rest @ ..] = words else { return None };
    let rest = if let ["seq", _, rest @ ..] = rest { rest } else { rest };
    match rest {
        ["permit", rest @ ..] => Some((name, true, rest)),
        ["deny", rest @ ..] => Some((name, false, rest)),
        _ => None,
    }
}

fn append<T>(list: &mut Vec<ListEntry<T>>, permit: bool, what: T) {
    let sequence = list.last().map_or(0, |e| e.sequence).saturating_add(10);
    list.push(ListEntry { sequence, permit, what });
}

/// `NAME [seq N] permit|deny COMMUNITY…`.
pub(super) fn large_community_list(config: &mut RouterConfig, notes: &mut Notes, node: &Node<'_>, words: &[&str]) {
    match list_line(words).and_then(|(name, permit, what)| Some((name, permit, large(what)?))) {
        Some((name, permit, what)) => {
            notes.defines(Object::LargeCommunities, name);
            append(config.policy.wider.large_community_sets.entry(name.to_owned()).or_default(), permit, what);
        }
        None => notes.unmodelled(node.line, &node.text(), "", "ignored: the list is without this entry"),
    }
}

/// `NAME permit|deny REGEX [any|igp|egp|incomplete]`.
pub(super) fn as_path_list(config: &mut RouterConfig, notes: &mut Notes, node: &Node<'_>, words: &[&str]) {
    let Some((name, permit, what)) = list_line(words) else {
        notes.unmodelled(node.line, &node.text(), "", "ignored: the list is without this entry");
        return;
    };
    notes.defines(Object::AsPaths, name);
    let what = match what {
        [regex @ .., "any"] => regex,
        [_, "igp" | "egp" | "incomplete"] => {
            notes.unmodelled(node.line, &node.text(), "", "the list is without this entry, which looks at the origin too");
            return;
        }
        regex => regex,
    };
    append(config.policy.wider.as_path_sets.entry(name.to_owned()).or_default(), permit, what.join(" "));
}
