//! `policy-options`: lists, policies, and the chains that are in use.

use super::tree::{Id, ROOT, Tree};
use crate::eos::policy::put;
use crate::notes::{Notes, Object};
use crate::program::{End, Program, Test, wider};
use crate::{
    Condition, ListEntry, PrefixEntry, Protocol, RouteAction, RouterConfig, RpkiState, WiderAction, WiderCondition, expression, outline,
};
use bgp::{AsPath, Asn, Community, Family, LargeCommunity, Origin, Prefix};
use std::collections::{BTreeMap, BTreeSet};

/// Direction of a chain: what its end does, and what it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    Import,
    Export,
}

/// The policy that takes routes of other protocols into BGP: what some export chain lets out.
pub(super) const INTO_BGP: &str = "(announced by some export policy)";

/// What stands behind a community's name.
#[derive(Default, Clone)]
struct Members {
    plain: Vec<Community>,
    large: Vec<LargeCommunity>,
    /// Conditions that all must hold; `None`: a member that is not modelled.
    test: Option<Vec<Test>>,
    /// Members are all plain numbers.
    numbers: bool,
}

/// Policies of a configuration; chains are made when they are asked for.
pub(super) struct Policies<'t> {
    tree: &'t Tree,
    statements: BTreeMap<&'t str, Id>,
    communities: BTreeMap<String, Members>,
    as_paths: BTreeSet<String>,
    prefix_lists: BTreeMap<String, Vec<Prefix>>,
    made: BTreeSet<String>,
    exports: Vec<Vec<(String, u32)>>,
    noted: BTreeSet<Id>,
}

impl<'t> Policies<'t> {
    pub fn read(tree: &'t Tree, config: &mut RouterConfig, notes: &mut Notes) -> Self {
        let mut out = Self {
            tree,
            statements: BTreeMap::new(),
            communities: BTreeMap::new(),
            as_paths: BTreeSet::new(),
            prefix_lists: BTreeMap::new(),
            made: BTreeSet::new(),
            exports: Vec::new(),
            noted: BTreeSet::new(),
        };
        let Some(options) = tree.child(ROOT, "policy-options") else { return out };
        let under = |key: &str| tree.child(options, key).into_iter().flat_map(|k| tree.children(k)).collect::<Vec<_>>();
        for (at, name) in under("policy-statement") {
            out.statements.insert(name, at);
        }
        for (at, name) in under("prefix-list") {
            out.prefix_list(at, name, config, notes);
        }
        for (at, name) in under("community") {
            out.community(at, name, config, notes);
        }
        for (at, name) in under("as-path") {
            let line = tree.line(at);
            let text = tree.last(at).map(|(t, _)| t).unwrap_or_default();
            out.as_path(name, &[(text, line)], config, notes);
        }
        for (at, name) in under("as-path-group") {
            let list = tree.child(at, "as-path").into_iter().flat_map(|l| tree.children(l));
            let list: Vec<_> = list.filter_map(|(i, _)| tree.last(i)).collect();
            out.as_path(name, &list, config, notes);
        }
        out
    }

    fn prefix_list(&mut self, at: Id, name: &str, config: &mut RouterConfig, notes: &mut Notes) {
        let mut prefixes = Vec::new();
        for (entry, text) in self.tree.children(at) {
            match outline::prefix(text) {
                Some(prefix) => prefixes.push(prefix),
                None if text == "apply-path" => {
                    let effect = format!("the list {name} is without the prefixes that this names");
                    notes.unmodelled(self.tree.line(entry), &self.tree.written(entry), "policy-options", &effect);
                    notes.problem(self.tree.line(entry), &self.tree.written(entry), "policy-options", &effect);
                }
                None => notes.unmodelled(self.tree.line(entry), text, &format!("prefix-list {name}"), "the list is without this entry"),
            }
        }
        put_all(config, name, prefixes.iter().map(|p| (true, *p, None, None)));
        self.prefix_lists.insert(name.to_owned(), prefixes);
    }

    fn community(&mut self, at: Id, name: &str, config: &mut RouterConfig, notes: &mut Notes) {
        let mut out = Members { numbers: true, ..Members::default() };
        let mut regexes = Vec::new();
        let mut unread = None;
        let members = self.tree.child(at, "members");
        for (id, text) in members.into_iter().flat_map(|m| self.tree.children(m)) {
            if let Ok(one) = text.parse() {
                out.plain.push(one);
            } else if let Some(one) = text.strip_prefix("large:").and_then(|l| l.parse().ok()) {
                out.large.push(one);
            } else if let Some(regex) = text.strip_prefix('^').map_or(Some(text), |t| t.strip_suffix('$')).and_then(expression::community) {
                regexes.push(regex);
                out.numbers = false;
            } else {
                unread = Some((self.tree.line(id), text.to_owned()));
            }
        }
        if self.tree.child(at, "invert-match").is_some() {
            unread = Some((self.tree.line(at), "invert-match".to_owned()));
        }
        let mut tests = Vec::new();
        if !out.plain.is_empty() {
            config.policy.community_sets.entry(name.to_owned()).or_default().entries.push((true, out.plain.clone()));
            tests.push(Test::Is(Condition::CommunitySet(name.to_owned())));
        }
        if !out.large.is_empty() {
            let entry = ListEntry { sequence: 5, permit: true, what: out.large.clone() };
            config.policy.wider.large_community_sets.insert(name.to_owned(), vec![entry]);
            tests.push(Test::wider(WiderCondition::LargeCommunitySet(name.to_owned()), format!("from community {name}")));
        }
        for (n, regex) in regexes.into_iter().enumerate() {
            // a community's members must all be there, each by its own expression
            let list = if n == 0 && out.plain.is_empty() { name.to_owned() } else { format!("{name} (expression {})", n + 1) };
            config.policy.wider.expanded_community_sets.insert(list.clone(), vec![ListEntry { sequence: 5, permit: true, what: regex }]);
            tests.push(Test::Is(Condition::CommunitySet(list)));
        }
        notes.defines(Object::Communities, name);
        match unread {
            Some((line, text)) => {
                out.numbers = false;
                let effect = "whether a route has it is not known, and said where a term asks; nothing is added or taken away by it";
                notes.unmodelled(line, &text, &format!("community {name}"), effect);
            }
            None => out.test = Some(tests),
        }
        self.communities.insert(name.to_owned(), out);
    }

    fn as_path(&mut self, name: &str, list: &[(&str, u32)], config: &mut RouterConfig, notes: &mut Notes) {
        notes.defines(Object::AsPaths, name);
        let mut entries = Vec::new();
        for (text, line) in list {
            match expression::junos_as_path(text) {
                Some(what) => entries.push(ListEntry { sequence: entries.len() as u32 * 5 + 5, permit: true, what }),
                None => {
                    let effect = "whether a path matches is not known, and said where a term asks";
                    notes.unmodelled(*line, text, &format!("as-path {name}"), effect);
                    return;
                }
            }
        }
        self.as_paths.insert(name.to_owned());
        config.policy.wider.as_path_sets.insert(name.to_owned(), entries);
    }

    /// Returns the definition of a chain, made once. `start`: what a route gets before the first policy.
    pub fn chain(
        &mut self,
        chain: &[(String, u32)],
        way: Way,
        start: Option<RouteAction>,
        config: &mut RouterConfig,
        notes: &mut Notes,
    ) -> String {
        let names =
            if chain.is_empty() { "(default)".to_owned() } else { chain.iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>().join(" ") };
        let direction = if way == Way::Import { "import" } else { "export" };
        let first = start.as_ref().map(|a| format!(" {a:?}")).unwrap_or_default();
        let name = format!("{names} ({direction}{first})");
        if self.made.insert(name.clone()) {
            let mut program = Program::default();
            start.into_iter().for_each(|action| program.set(action));
            for (policy, line) in chain {
                Walk { policies: self, config, notes, program: &mut program, dry: None }.policy(policy, *line);
            }
            if way == Way::Export {
                only_bgp(&mut program);
            }
            program.accept();
            config.policy.definitions.insert(name.clone(), program.finish(End::Accept, false));
            if way == Way::Export && !chain.is_empty() {
                self.exports.push(chain.to_vec());
            }
        }
        name
    }

    /// Makes the policy by which routes of other protocols come into BGP; `false`: no export policy stands anywhere.
    pub fn put_into_bgp(&mut self, config: &mut RouterConfig, notes: &mut Notes) -> bool {
        let exports = core::mem::take(&mut self.exports);
        let mut program = Program::default();
        let (yes, end) = (program.label(), program.label());
        for chain in &exports {
            let no = program.label();
            for (policy, line) in chain {
                Walk { policies: self, config, notes, program: &mut program, dry: Some((yes, no)) }.policy(policy, *line);
            }
            program.place(no);
        }
        program.reject();
        program.place(yes);
        // Junos announces routes of other protocols with origin IGP
        program.set(RouteAction::SetOrigin(Origin::Igp));
        program.accept();
        program.place(end);
        config.policy.definitions.insert(INTO_BGP.to_owned(), program.finish(End::Reject, false));
        !exports.is_empty()
    }
}

/// The end of an export chain: routes of BGP go on, others stay.
fn only_bgp(program: &mut Program) {
    let (yes, no) = (program.label(), program.label());
    let test = Test::wider(WiderCondition::SourceProtocol(Protocol::Bgp), "from protocol bgp");
    program.test(&test, yes, no);
    program.place(no);
    program.reject();
    program.place(yes);
}

fn put_all(config: &mut RouterConfig, name: &str, entries: impl Iterator<Item = (bool, Prefix, Option<u8>, Option<u8>)>) {
    put(config, name, false, None);
    let mut sequence = 0;
    for (permit, prefix, ge, le) in entries {
        sequence += 5;
        put(config, name, prefix.family() == Family::Ipv6Unicast, Some(PrefixEntry { sequence, permit, prefix, ge, le }));
    }
    // a list of one family only stands where that family is looked for first
    let empty = config.policy.prefix_sets.get(name).is_some_and(|s| s.entries.is_empty());
    if empty && let Some(six) = config.policy.wider.prefix_sets_v6.remove(name) {
        config.policy.prefix_sets.insert(name.to_owned(), six);
    }
}

fn longest(prefix: &Prefix) -> u8 {
    if matches!(prefix.family(), Family::Ipv4Unicast) { 32 } else { 128 }
}

/// Writes one policy into a program.
struct Walk<'w, 't> {
    policies: &'w mut Policies<'t>,
    config: &'w mut RouterConfig,
    notes: &'w mut Notes,
    program: &'w mut Program,
    /// Where to go instead of accepting and rejecting: nothing is changed then.
    dry: Option<(crate::program::Label, crate::program::Label)>,
}

impl Walk<'_, '_> {
    fn policy(&mut self, name: &str, line: u32) {
        let tree = self.policies.tree;
        let Some(at) = self.policies.statements.get(name).copied() else {
            if self.dry.is_none() {
                self.notes.uses(Object::Policy, name, line);
            }
            let unknown = Test::unmodelled(format!("policy-statement {name}, which is not there"));
            let (yes, no) = (self.program.label(), self.program.label());
            self.program.test(&unknown, yes, no);
            self.program.place(yes);
            self.program.place(no);
            return;
        };
        self.notes.defines(Object::Policy, name);
        let next_policy = self.program.label();
        for (term, term_name) in tree.child(at, "term").into_iter().flat_map(|t| tree.children(t)) {
            self.term(term, &format!("policy-statement {name} / term {term_name}"), next_policy);
        }
        self.term(at, &format!("policy-statement {name}"), next_policy);
        for (child, word) in tree.children(at) {
            if !matches!(word, "term" | "from" | "then" | "to" | "defaults") {
                self.note(child, &format!("policy-statement {name}"), "ignored: the policy is taken as without it");
            }
        }
        self.program.place(next_policy);
    }

    /// Notes once, however many chains a policy stands in.
    fn note(&mut self, at: Id, context: &str, effect: &str) {
        if self.policies.noted.insert(at) {
            let tree = self.policies.tree;
            self.notes.unmodelled(tree.line(at), &tree.written(at), context, effect);
        }
    }

    fn term(&mut self, at: Id, context: &str, next_policy: crate::program::Label) {
        let tree = self.policies.tree;
        let then = tree.child(at, "then");
        if then.is_none() && tree.child(at, "from").is_none() {
            return;
        }
        let mut tests = Vec::new();
        if let Some(from) = tree.child(at, "from") {
            self.from(from, context, &mut tests);
        }
        if let Some(to) = tree.child(at, "to") {
            self.note(to, context, "whether this term applies is not known, and said where a route reaches it");
            tests.push(Test::unmodelled(tree.written(to)));
        }
        let (yes, no) = (self.program.label(), self.program.label());
        self.program.test(&Test::All(tests), yes, no);
        self.program.place(yes);
        for (action, word) in then.into_iter().flat_map(|t| tree.children(t)) {
            self.action(action, word, context);
        }
        let says = |word: &str| then.is_some_and(|t| tree.child(t, word).is_some());
        let next = then.and_then(|t| tree.value(t, "next")).map(|(n, _)| n);
        match (self.dry, says("accept"), says("reject"), next) {
            (Some((_, no)), _, true, _) => self.program.jump(no),
            (None, _, true, _) => self.program.reject(),
            (Some((yes, _)), true, ..) => self.program.jump(yes),
            (None, true, ..) => self.program.accept(),
            (.., Some("policy")) => self.program.jump(next_policy),
            _ => {}
        }
        self.program.place(no);
    }

    fn from(&mut self, at: Id, context: &str, tests: &mut Vec<Test>) {
        let tree = self.policies.tree;
        let mut prefix_kinds = Vec::new();
        for (key, word) in tree.children(at) {
            let values: Vec<(Id, &str)> = tree.children(key).collect();
            let line = tree.written(key);
            let wide = |make: &dyn Fn(&str) -> Option<WiderCondition>| -> Option<Vec<Test>> {
                values.iter().map(|(_, v)| make(v).map(|w| Test::wider(w, format!("from {word} {v}")))).collect()
            };
            let number = |v: &str| v.parse::<u32>().ok();
            let any = match word {
                "protocol" => wide(&|v| protocol(v).map(WiderCondition::SourceProtocol)),
                "local-preference" => wide(&|v| number(v).map(WiderCondition::LocalPref)),
                "metric" => wide(&|v| number(v).map(WiderCondition::Med)),
                "tag" => wide(&|v| number(v).map(WiderCondition::Tag)),
                "origin" => wide(&|v| origin(v).map(WiderCondition::Origin)),
                "neighbor" => wide(&|v| v.parse().ok().map(WiderCondition::Peer)),
                "next-hop" => wide(&|v| v.parse().ok().map(WiderCondition::NextHop)),
                "validation-database" => wide(&|v| match v {
                    "valid" => Some(WiderCondition::Rpki(RpkiState::Valid)),
                    "invalid" => Some(WiderCondition::Rpki(RpkiState::Invalid)),
                    "unknown" => Some(WiderCondition::Rpki(RpkiState::NotFound)),
                    _ => None,
                }),
                "as-path" | "as-path-group" => {
                    values.iter().for_each(|(i, v)| self.notes.uses(Object::AsPaths, v, tree.line(*i)));
                    let known = &self.policies.as_paths;
                    let one = |v: &str| {
                        if known.contains(v) {
                            Test::wider(WiderCondition::AsPathSet(v.to_owned()), format!("from {word} {v}"))
                        } else {
                            Test::unmodelled(format!("from {word} {v}"))
                        }
                    };
                    Some(values.iter().map(|(_, v)| one(v)).collect())
                }
                "as-path-calc-length" => {
                    let kind = values.first().and_then(|(i, _)| tree.last(*i)).map(|(k, _)| k);
                    let n = values.first().and_then(|(_, v)| number(v));
                    let bounds = match (n, kind) {
                        (Some(n), Some("equal")) => Some((n, Some(n))),
                        (Some(n), Some("orhigher")) => Some((n, None)),
                        (Some(n), Some("orlower")) => Some((0, Some(n))),
                        _ => None,
                    };
                    bounds.map(|(low, high)| vec![length_test(self.config, low, high, &line)])
                }
                "community" => {
                    values.iter().for_each(|(i, v)| self.notes.uses(Object::Communities, v, tree.line(*i)));
                    let known = &self.policies.communities;
                    let one = |v: &str| match known.get(v).and_then(|m| m.test.clone()) {
                        Some(tests) => Test::All(tests),
                        None => Test::unmodelled(format!("from community {v}")),
                    };
                    Some(values.iter().map(|(_, v)| one(v)).collect())
                }
                "family" => values.iter().map(|(_, v)| family_test(self.config, v)).collect(),
                "rib" | "instance" if values.iter().all(|(_, v)| matches!(*v, "inet.0" | "inet6.0" | "master")) => Some(vec![Test::ALWAYS]),
                "prefix-list" | "prefix-list-filter" | "route-filter" => {
                    prefix_kinds.push((word, key));
                    continue;
                }
                _ => None,
            };
            match any {
                Some(mut any) if any.len() == 1 => tests.extend(any.pop()),
                Some(any) => tests.push(Test::Any(any)),
                None => {
                    // no route here comes from an aggregate or a protocol that is not modelled
                    let others = word == "protocol" && values.iter().all(|(_, v)| !matches!(*v, "bgp"));
                    if others {
                        let known = values.iter().filter_map(|(_, v)| protocol(v).map(|p| (p, v)));
                        tests.push(Test::Any(
                            known.map(|(p, v)| Test::wider(WiderCondition::SourceProtocol(p), format!("from protocol {v}"))).collect(),
                        ));
                        self.note(key, context, "ignored: there are no routes of the protocols that are not modelled");
                    } else {
                        self.note(key, context, "whether this term applies is not known, and said where a route reaches it");
                        tests.push(Test::unmodelled(format!("from {line}")));
                    }
                }
            }
        }
        match prefix_kinds[..] {
            [] => {}
            [(word, key)] => {
                let test = self.prefixes(word, key, context);
                tests.push(test);
            }
            _ => {
                self.note(
                    at,
                    context,
                    "prefix lists and route filters in one term: how they are joined is not modelled; the outcome is not known",
                );
                tests.push(Test::unmodelled(format!("from {}", tree.written(at))));
            }
        }
    }

    fn prefixes(&mut self, word: &str, key: Id, context: &str) -> Test {
        let tree = self.policies.tree;
        let list = |n: &str| Test::Is(Condition::PrefixSet(n.to_owned()));
        match word {
            "prefix-list" => {
                let mut any = Vec::new();
                for (at, name) in tree.children(key) {
                    self.notes.uses(Object::Prefixes, name, tree.line(at));
                    if self.policies.prefix_lists.contains_key(name) {
                        self.notes.defines(Object::Prefixes, name);
                        any.push(list(name));
                    } else {
                        any.push(Test::unmodelled(format!("from prefix-list {name}, which is not there")));
                    }
                }
                Test::Any(any)
            }
            "prefix-list-filter" => {
                let mut any = Vec::new();
                for (at, name) in tree.children(key) {
                    self.notes.uses(Object::Prefixes, name, tree.line(at));
                    let kind = tree.children(at).next().map_or("exact", |(_, k)| k);
                    let Some(prefixes) = self.policies.prefix_lists.get(name) else {
                        any.push(Test::unmodelled(format!("from prefix-list-filter {name}, which is not there")));
                        continue;
                    };
                    self.notes.defines(Object::Prefixes, name);
                    let own = format!("{name} {kind}");
                    if kind == "exact" {
                        any.push(list(name));
                        continue;
                    }
                    let entries: Vec<_> = prefixes.iter().filter_map(|p| range(p, kind, None).map(|(ge, le)| (true, *p, ge, le))).collect();
                    if !self.config.policy.prefix_sets.contains_key(&own) {
                        put_all(self.config, &own, entries.into_iter());
                    }
                    any.push(list(&own));
                }
                Test::Any(any)
            }
            _ => self.route_filters(key, context),
        }
    }

    /// The filter with the longest prefix that covers a route decides alone, also by not matching ("How Route Filters Are Evaluated").
    fn route_filters(&mut self, key: Id, context: &str) -> Test {
        let tree = self.policies.tree;
        let mut filters: Vec<(Prefix, Vec<Lengths>)> = Vec::new();
        let mut places: BTreeMap<Prefix, usize> = BTreeMap::new();
        for (at, text) in tree.children(key) {
            let Some(prefix) = outline::prefix(text) else {
                self.note(at, context, "whether this term applies is not known, and said where a route reaches it");
                return Test::unmodelled(format!("from route-filter {text}"));
            };
            for (kind_at, kind) in tree.children(at) {
                let value = tree.children(kind_at).next();
                let takes = matches!(kind, "upto" | "prefix-length-range" | "through" | "address-mask");
                let action = if takes { value.and_then(|(v, _)| tree.children(v).next()) } else { value };
                let bounds = range(&prefix, kind, value.map(|(_, v)| v));
                let known = !matches!(kind, "through" | "address-mask") && action.is_none();
                let same = matches!(kind, "longer") && prefix.length() == longest(&prefix);
                match bounds.filter(|_| known) {
                    Some(bounds) => match places.get(&prefix) {
                        Some(place) => filters[*place].1.push(bounds),
                        None => {
                            places.insert(prefix, filters.len());
                            filters.push((prefix, vec![bounds]));
                        }
                    },
                    // nothing is longer than a host
                    None if same => {}
                    None => {
                        self.note(at, context, "whether this term applies is not known, and said where a route reaches it");
                        return Test::unmodelled(format!("from route-filter {}", tree.written(at)));
                    }
                }
            }
        }
        filters.sort_by_key(|(p, _)| core::cmp::Reverse(p.length()));
        let alone = filters.len() < 2;
        let mut entries = Vec::new();
        for (prefix, all) in filters {
            entries.extend(all.into_iter().map(|(ge, le)| (true, prefix, ge, le)));
            if !alone {
                entries.push((false, prefix, None, Some(longest(&prefix))));
            }
        }
        let name = format!("{context} / route-filter");
        if !self.config.policy.prefix_sets.contains_key(&name) {
            put_all(self.config, &name, entries.into_iter());
        }
        Test::Is(Condition::PrefixSet(name))
    }

    fn action(&mut self, at: Id, word: &str, context: &str) {
        let tree = self.policies.tree;
        if self.dry.is_some() || matches!(word, "accept" | "reject" | "next") {
            return;
        }
        let line = format!("then {}", tree.written(at));
        let values: Vec<(Id, &str)> = tree.children(at).collect();
        let one = values.first().copied();
        let below = |id: Id| tree.last(id).map(|(t, _)| t);
        let number = |t: &str| t.parse::<u32>().ok();
        let signed = |by: Option<&str>, sign: i64| by.and_then(number).map(|n| i64::from(n) * sign);
        let action = match (word, one) {
            ("local-preference", Some((id, "add"))) => signed(below(id), 1).map(|n| wider(WiderAction::AddLocalPref(n), &line)),
            ("local-preference", Some((id, "subtract"))) => signed(below(id), -1).map(|n| wider(WiderAction::AddLocalPref(n), &line)),
            ("local-preference", Some((_, v))) => number(v).map(RouteAction::SetLocalPref),
            ("metric", Some((id, "add"))) => signed(below(id), 1).map(|n| wider(WiderAction::AddMed(n), &line)),
            ("metric", Some((id, "subtract"))) => signed(below(id), -1).map(|n| wider(WiderAction::AddMed(n), &line)),
            ("metric", Some((_, v))) => number(v).map(RouteAction::SetMed),
            ("origin", Some((_, v))) => origin(v).map(RouteAction::SetOrigin),
            ("tag", Some((_, v))) => number(v).map(|t| wider(WiderAction::SetTag(t), &line)),
            ("next-hop", Some((_, "self"))) => Some(wider(WiderAction::SetNextHopSelf, &line)),
            ("next-hop", Some((_, "peer-address"))) => Some(wider(WiderAction::SetNextHopSelf, &line)),
            ("next-hop", Some((_, v))) => v.parse().ok().map(RouteAction::SetNextHop),
            ("as-path-prepend", Some((_, v))) => asns(v).map(RouteAction::Prepend),
            ("as-path-expand", Some((id, "last-as"))) => {
                let count = tree.value(id, "count").map_or(Some(1), |(n, _)| n.parse().ok());
                count.map(|n| wider(WiderAction::PrependLastAs(n), &line))
            }
            ("as-path-expand", Some((_, v))) => asns(v).map(RouteAction::Prepend),
            ("community", Some(_)) => {
                for (how_at, how) in values {
                    for (name_at, name) in tree.children(how_at) {
                        self.community_action(how, name, name_at, context);
                    }
                }
                return;
            }
            ("preference" | "preference2" | "color" | "color2", _) => {
                self.note(at, context, "ignored: routes keep their preference against other protocols' routes");
                return;
            }
            (
                "load-balance"
                | "install-nexthop"
                | "forwarding-class"
                | "trace"
                | "priority"
                | "damping"
                | "class"
                | "source-class"
                | "destination-class"
                | "cos-next-hop-map"
                | "external"
                | "ssm-source"
                | "validation-state"
                | "bgp-output-queue-priority",
                _,
            ) => {
                let effect = "ignored: routes keep their attributes; how they are installed or held back stays as without it";
                self.note(at, context, effect);
                return;
            }
            _ => None,
        };
        match action {
            Some(action) => self.program.set(action),
            None => {
                self.note(at, context, "what this term makes of a route is not known, and said where a route reaches it");
                self.program.set(RouteAction::Unmodelled(line));
            }
        }
    }

    fn community_action(&mut self, how: &str, name: &str, at: Id, context: &str) {
        let tree = self.policies.tree;
        self.notes.uses(Object::Communities, name, tree.line(at));
        let line = format!("then community {how} {name}");
        let members = self.policies.communities.get(name).cloned().unwrap_or_default();
        let readable = members.test.is_some();
        let (plain, large) = (!members.plain.is_empty(), !members.large.is_empty());
        let mut actions = Vec::new();
        match how {
            "add" | "+" if members.numbers && readable => {
                if plain {
                    actions.push(RouteAction::AddCommunities(members.plain));
                }
                if large {
                    actions.push(wider(WiderAction::AddLargeCommunities(members.large), &line));
                }
            }
            // the whole attribute is replaced, of either size
            "set" | "=" if members.numbers && readable => {
                actions.push(RouteAction::SetCommunities(members.plain));
                actions.push(wider(WiderAction::SetLargeCommunities(members.large), &line));
            }
            "delete" | "-" if readable => {
                if plain || !members.numbers {
                    actions.push(RouteAction::DeleteCommunities(name.to_owned()));
                }
                if large {
                    actions.push(wider(WiderAction::DeleteLargeCommunities(name.to_owned()), &line));
                }
            }
            _ => {}
        }
        if actions.is_empty() {
            self.note(at, context, "what this term makes of a route's communities is not known, and said where a route reaches it");
            actions.push(RouteAction::Unmodelled(line));
        }
        actions.into_iter().for_each(|a| self.program.set(a));
    }
}

/// Shortest and longest length.
type Lengths = (Option<u8>, Option<u8>);

/// Lengths that a match type takes; `None`: none, or not modelled.
fn range(prefix: &Prefix, kind: &str, value: Option<&str>) -> Option<(Option<u8>, Option<u8>)> {
    let most = longest(prefix);
    let length = |t: &str| t.trim_start_matches('/').parse::<u8>().ok().filter(|n| *n <= most);
    match kind {
        "exact" => Some((None, None)),
        "orlonger" => Some((None, Some(most))),
        "longer" => (prefix.length() < most).then(|| (Some(prefix.length() + 1), Some(most))),
        "upto" => Some((None, Some(length(value?)?))),
        "prefix-length-range" => {
            let (low, high) = value?.split_once('-')?;
            Some((Some(length(low)?), Some(length(high)?)))
        }
        _ => None,
    }
}

/// A test of the number of AS numbers, with the list that it needs.
pub(crate) fn length_test(config: &mut RouterConfig, low: u32, high: Option<u32>, line: &str) -> Test {
    let name = format!("(length {low}..{})", high.map(|h| h.to_string()).unwrap_or_default());
    let entry = ListEntry { sequence: 5, permit: true, what: expression::length(low, high) };
    config.policy.wider.as_path_sets.entry(name.clone()).or_insert_with(|| vec![entry]);
    Test::wider(WiderCondition::AsPathSet(name), line)
}

fn family_test(config: &mut RouterConfig, family: &str) -> Option<Test> {
    let (name, all): (_, Prefix) = match family {
        "inet" => ("(IPv4)", "0.0.0.0/0".parse().ok()?),
        "inet6" => ("(IPv6)", "::/0".parse().ok()?),
        _ => return None,
    };
    if !config.policy.prefix_sets.contains_key(name) {
        put_all(config, name, core::iter::once((true, all, None, Some(longest(&all)))));
    }
    Some(Test::Is(Condition::PrefixSet(name.to_owned())))
}

fn protocol(word: &str) -> Option<Protocol> {
    Some(match word {
        "bgp" => Protocol::Bgp,
        "static" => Protocol::Static,
        "direct" | "local" => Protocol::Connected,
        "ospf" | "ospf2" | "ospf3" => Protocol::Ospf,
        "isis" => Protocol::Isis,
        _ => return None,
    })
}

fn origin(word: &str) -> Option<Origin> {
    match word {
        "igp" => Some(Origin::Igp),
        "egp" => Some(Origin::Egp),
        "incomplete" => Some(Origin::Incomplete),
        _ => None,
    }
}

fn asns(text: &str) -> Option<AsPath> {
    let list: Option<Vec<Asn>> = text.split_whitespace().map(outline::asn).collect();
    list.filter(|l| !l.is_empty()).map(|l| AsPath::sequence(l.into_iter().map(|a| a.0)))
}
