//! K09: the shape of policies: terms that lost their match, wider matches, order over a reject, lists that are empty or gone, sessions
//! without policy. IPv4 and IPv6 are looked at apart.

use crate::verdict::Found;
use crate::{Check, CheckId, Evidence, Row};
use bgp::{Family, Prefix};
use config::{Condition, NeighborFamily, PolicyDefinition, PolicyResult, PrefixEntry, PrefixSet, RouterConfig, RoutingPolicy, Statement};
use std::collections::{BTreeMap, BTreeSet};

const FAMILIES: [(Family, &str); 2] = [(Family::Ipv4Unicast, "IPv4"), (Family::Ipv6Unicast, "IPv6")];

/// Compares the policies of our routers before and after.
#[must_use]
pub fn shape(e: &Evidence<'_>) -> Check {
    let mut found = Found::default();
    for router in &e.after.own {
        let (Some(old), Some(new)) = (e.before.network.routers.get(*router), e.after.network.routers.get(*router)) else { continue };
        if old.config == new.config {
            continue;
        }
        let mut look = Look { name: &new.name, old: &old.config, new: &new.config, e, found: &mut found };
        look.sessions();
        look.policies();
        look.lists();
    }
    found.check(CheckId::K09, "policies keep their shape", "")
}

struct Look<'l, 'e> {
    name: &'l str,
    old: &'l RouterConfig,
    new: &'l RouterConfig,
    e: &'l Evidence<'e>,
    found: &'l mut Found,
}

/// Everything that filters on one side of a session.
fn filters(settings: &NeighborFamily, inbound: bool) -> Vec<String> {
    let w = &settings.wider;
    let (map, prefix, path, access) = if inbound {
        (&settings.import, &w.prefix_list_in, &w.filter_list_in, &w.distribute_list_in)
    } else {
        (&settings.export, &w.prefix_list_out, &w.filter_list_out, &w.distribute_list_out)
    };
    [map, prefix, path, access].into_iter().flatten().cloned().collect()
}

impl Look<'_, '_> {
    fn sessions(&mut self) {
        let (Some(old), Some(new)) = (&self.old.bgp, &self.new.bgp) else { return };
        for (address, neighbor) in new.neighbors.iter().filter(|(_, n)| n.remote_as != new.asn && !n.shutdown) {
            for (family, word) in FAMILIES {
                let Some(after) = neighbor.families.get(&family) else { continue };
                let before = old.neighbors.get(address).and_then(|n| n.families.get(&family));
                for (inbound, way) in [(true, "import"), (false, "export")] {
                    let had = before.map_or_else(Vec::new, |b| filters(b, inbound));
                    let has = filters(after, inbound);
                    let gone: Vec<&String> = had.iter().filter(|f| !has.contains(f)).collect();
                    if has.is_empty() && (before.is_none() || !had.is_empty()) {
                        let open = if new.ebgp_requires_policy { "nothing passes" } else { "everything passes" };
                        let what = format!("{word} session with {address} would have no {way} policy (RFC 8212): {open}");
                        self.found.block(Row::of(self.name, what));
                    } else if !gone.is_empty() && !has.iter().any(|h| self.calls(h, &gone)) {
                        let names = gone.into_iter().cloned().collect::<Vec<_>>().join(", ");
                        self.found.warn(Row::of(self.name, format!("{word} {way} of {address} would no longer pass {names}")));
                    }
                }
            }
        }
    }

    /// Says whether a policy calls one of others: what is wrapped is not lost.
    fn calls(&self, policy: &str, others: &[&String]) -> bool {
        let definition = self.new.policy.definitions.get(policy);
        let actions = definition.iter().flat_map(|d| &d.statements).flat_map(|s| &s.actions);
        actions
            .into_iter()
            .any(|a| matches!(a, config::RouteAction::Wider { what: config::WiderAction::Call(c), .. } if others.contains(&c)))
    }

    fn used(config: &RouterConfig) -> BTreeSet<String> {
        let mut out = BTreeSet::new();
        for neighbor in config.bgp.iter().flat_map(|b| b.neighbors.values()) {
            for settings in neighbor.families.values() {
                out.extend(filters(settings, true).into_iter().chain(filters(settings, false)));
            }
        }
        let mut waiting: Vec<String> = out.iter().cloned().collect();
        while let Some(name) = waiting.pop() {
            let definition = config.policy.definitions.get(&name);
            for action in definition.iter().flat_map(|d| &d.statements).flat_map(|s| &s.actions) {
                if let config::RouteAction::Wider { what: config::WiderAction::Call(called), .. } = action
                    && out.insert(called.clone())
                {
                    waiting.push(called.clone());
                }
            }
        }
        out
    }

    fn policies(&mut self) {
        for name in Self::used(self.new) {
            let (old, new) = (self.old.policy.definitions.get(&name), self.new.policy.definitions.get(&name));
            match (old, new) {
                (Some(_), None) => self.found.block(Row::of(self.name, format!("policy {name} is used and would no longer be there"))),
                (Some(old), Some(new)) if old != new => self.policy(&name, old, new),
                _ => {}
            }
            if let Some(new) = new {
                self.unmatched(&name, old, new);
            }
        }
    }

    fn policy(&mut self, name: &str, old: &PolicyDefinition, new: &PolicyDefinition) {
        for term in &new.statements {
            let Some(was) = old.statements.iter().find(|s| s.sequence == term.sequence) else { continue };
            let lost: Vec<String> = was.conditions.iter().filter(|c| !term.conditions.contains(c)).map(written).collect();
            if !lost.is_empty() && term.conditions.len() < was.conditions.len() {
                let what = format!("policy {name} term {} would lose its match ({})", term.sequence, lost.join(", "));
                let row = Row::of(self.name, what);
                // a term that accepts lets more pass; one that rejects stops more
                if term.result == PolicyResult::Accept || term.conditions.is_empty() { self.found.block(row) } else { self.found.warn(row) }
            }
            if was.result != term.result {
                let word = |r: PolicyResult| if r == PolicyResult::Accept { "permit" } else { "deny" };
                let what = format!("policy {name} term {} would turn from {} to {}", term.sequence, word(was.result), word(term.result));
                self.found.warn(Row::of(self.name, what));
            }
        }
        for was in old.statements.iter().filter(|s| s.result == PolicyResult::Reject) {
            if !new.statements.iter().any(|s| same(s, was)) && !new.statements.iter().any(|s| s.sequence == was.sequence) {
                self.found.block(Row::of(self.name, format!("policy {name} would lose the reject of term {}", was.sequence)));
            }
        }
        self.order(name, old, new);
    }

    /// Terms that are in both, in another order around a reject.
    fn order(&mut self, name: &str, old: &PolicyDefinition, new: &PolicyDefinition) {
        let place = |d: &PolicyDefinition, t: &Statement| d.statements.iter().position(|s| same(s, t));
        for accept in new.statements.iter().filter(|s| s.result == PolicyResult::Accept) {
            for reject in new.statements.iter().filter(|s| s.result == PolicyResult::Reject) {
                let (Some(a), Some(b)) = (place(old, accept), place(old, reject)) else { continue };
                let (Some(c), Some(d)) = (place(new, accept), place(new, reject)) else { continue };
                if (a < b) == (c < d) {
                    continue;
                }
                let (word, effect) =
                    if c > d { ("below", "what it accepted is rejected") } else { ("over", "what was rejected is accepted") };
                for (family, afi) in FAMILIES {
                    let both = self.overlap(accept, reject, family);
                    if !both.is_empty() {
                        let some = both.iter().take(3).map(ToString::to_string).collect::<Vec<_>>().join(" ");
                        let what = format!(
                            "policy {name}: the accept of term {} would stand {word} the reject of term {}: {effect} ({} {afi} prefixes: {some})",
                            accept.sequence,
                            reject.sequence,
                            both.len()
                        );
                        self.found.block(Row::of(self.name, what));
                    }
                }
            }
        }
    }

    /// Known prefixes that the prefix matches of both terms let in; other matches are taken to hold.
    fn overlap(&self, a: &Statement, b: &Statement, family: Family) -> Vec<Prefix> {
        let hits = |s: &Statement, p: &Prefix| {
            s.conditions.iter().all(|c| match c {
                Condition::PrefixSet(name) => set(&self.new.policy, name, family).is_some_and(|set| set.matches(p)),
                _ => true,
            })
        };
        self.e.before.of(family).solution.prefixes().filter(|p| hits(a, p) && hits(b, p)).collect()
    }

    /// Terms that match on a list which has nothing in it, or is not there.
    fn unmatched(&mut self, name: &str, old: Option<&PolicyDefinition>, new: &PolicyDefinition) {
        for term in &new.statements {
            for condition in &term.conditions {
                let Some((list, kind)) = named(condition) else { continue };
                let (was, is) = (entries(&self.old.policy, list, kind), entries(&self.new.policy, list, kind));
                let before =
                    old.is_some_and(|o| o.statements.iter().any(|s| s.sequence == term.sequence && s.conditions.contains(condition)));
                if is == 0 && (was > 0 || !before) {
                    let word =
                        if term.result == PolicyResult::Reject { "it would no longer reject anything" } else { "it would match nothing" };
                    let what = format!("policy {name} term {}: {kind} {list} would be empty: {word}", term.sequence);
                    self.found.block(Row::of(self.name, what));
                }
            }
        }
    }

    /// Prefix lists that would match more.
    fn lists(&mut self) {
        for (family, word) in FAMILIES {
            let (old, new) = (sets(&self.old.policy, family), sets(&self.new.policy, family));
            for (name, set) in &new {
                let Some(was) = old.get(name).filter(|o| o != &set) else { continue };
                let wider: Vec<String> = set.entries.iter().filter(|e| e.permit && is_wider(e, was)).map(entry).collect();
                let known: Vec<Prefix> =
                    self.e.after.of(family).solution.prefixes().filter(|p| set.matches(p) && !was.matches(p)).collect();
                if wider.is_empty() && known.is_empty() {
                    continue;
                }
                let lead = if wider.is_empty() { String::new() } else { format!(" by {}", wider.join(", ")) };
                let what = format!("{word} prefix list {name} would match more{lead}: {} known prefixes besides", known.len());
                // more than the change declares is not meant
                let meant = known.iter().all(|p| self.e.intent.prefixes.contains(p) || self.e.context.facts.ours(p));
                let all = set.entries.iter().any(|e| e.permit && is_wider(e, was) && e.prefix.length() == 0 && e.le.is_some());
                if all || !meant { self.found.block(Row::of(self.name, what)) } else { self.found.warn(Row::of(self.name, what)) }
            }
        }
    }
}

fn same(a: &Statement, b: &Statement) -> bool {
    (a.result, &a.conditions, &a.actions) == (b.result, &b.conditions, &b.actions)
}

fn written(condition: &Condition) -> String {
    match condition {
        Condition::PrefixSet(name) => format!("prefix list {name}"),
        Condition::CommunitySet(name) => format!("community list {name}"),
        Condition::Wider { line, .. } | Condition::Unmodelled(line) => line.clone(),
    }
}

/// The list that a condition looks at.
fn named(condition: &Condition) -> Option<(&str, &'static str)> {
    use config::WiderCondition as W;
    match condition {
        Condition::PrefixSet(name) => Some((name, "prefix list")),
        Condition::CommunitySet(name) => Some((name, "community list")),
        Condition::Wider { what, .. } => match what {
            W::AsPathSet(name) => Some((name, "AS-path list")),
            W::AccessList(name) => Some((name, "access list")),
            W::LargeCommunitySet(name) => Some((name, "large-community list")),
            _ => None,
        },
        Condition::Unmodelled(_) => None,
    }
}

fn entries(policy: &RoutingPolicy, list: &str, kind: &str) -> usize {
    match kind {
        "prefix list" => FAMILIES.iter().filter_map(|(f, _)| set(policy, list, *f)).map(|s| s.entries.len()).sum(),
        "community list" => {
            let expanded = policy.wider.expanded_community_sets.get(list).map_or(0, Vec::len);
            policy.community_sets.get(list).map_or(0, |s| s.entries.len()) + expanded
        }
        "AS-path list" => policy.wider.as_path_sets.get(list).map_or(0, Vec::len),
        "access list" => policy.wider.access_lists.get(list).map_or(0, Vec::len),
        _ => policy.wider.large_community_sets.get(list).map_or(0, Vec::len),
    }
}

fn set<'p>(policy: &'p RoutingPolicy, name: &str, family: Family) -> Option<&'p PrefixSet> {
    let both = [policy.prefix_sets.get(name), policy.wider.prefix_sets_v6.get(name)];
    both.into_iter().flatten().find(|s| s.family == family)
}

fn sets(policy: &RoutingPolicy, family: Family) -> BTreeMap<&String, &PrefixSet> {
    policy.prefix_sets.iter().chain(&policy.wider.prefix_sets_v6).filter(|(_, s)| s.family == family).collect()
}

/// Says whether an entry lets in what no permitting entry of another set does.
fn is_wider(entry: &PrefixEntry, was: &PrefixSet) -> bool {
    let range = |e: &PrefixEntry| {
        let longest = if e.prefix.address().is_ipv4() { 32 } else { 128 };
        let low = e.ge.unwrap_or_else(|| e.prefix.length());
        let high = e.le.unwrap_or(if e.ge.is_some() { longest } else { e.prefix.length() });
        (low, high)
    };
    let (low, high) = range(entry);
    let holds = |e: &PrefixEntry| e.permit && e.prefix.covers(&entry.prefix) && range(e).0 <= low && range(e).1 >= high;
    !was.entries.iter().any(holds)
}

fn entry(e: &PrefixEntry) -> String {
    let bound = |word: &str, v: Option<u8>| v.map(|v| format!(" {word} {v}")).unwrap_or_default();
    format!("permit {}{}{}", e.prefix, bound("ge", e.ge), bound("le", e.le))
}
