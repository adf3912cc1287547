//! Policies of a router as they are applied: chains with a default, statements of any name.

use super::policy::{Reading, read_statement};
use super::router::Lines;
use super::tree::{At, Element, shorten};
use crate::eos::policy::put;
use crate::notes::{Notes, Object};
use crate::program::{End, Label, Program, Test, wider};
use crate::{
    Condition, ListEntry, PolicyDefinition, PrefixEntry, PrefixSet, Protocol, RouteAction, RouterConfig, WiderAction, WiderCondition,
    expression,
};
use bgp::{AsPath, Community, Family, Origin, Prefix};
use std::collections::{BTreeMap, BTreeSet};

/// Policies that call each other deeper than this.
const DEPTH_MAX: usize = 16;
/// Steps of one chain with everything it calls.
const STEPS_MAX: usize = 1_000_000;

#[derive(Default)]
struct Communities {
    plain: Vec<Community>,
    patterns: Vec<String>,
    unread: bool,
    /// `match-set-options` of the set itself (models since 2022).
    options: Option<String>,
}

/// Policies of a router; a chain becomes a definition when it is applied.
#[derive(Default)]
pub(super) struct Policies<'e> {
    definitions: BTreeMap<&'e str, (&'e Element, &'e Lines)>,
    /// Those that are of the narrow form that edits speak of.
    plain: BTreeSet<&'e str>,
    communities: BTreeMap<&'e str, Communities>,
    noted: BTreeSet<(u32, String)>,
}

impl<'e> Policies<'e> {
    pub fn read(&mut self, root: &'e Element, lines: &'e Lines, config: &mut RouterConfig, notes: &mut Notes) {
        for sets in root.many("defined-sets") {
            for set in sets.list("prefix-sets", "prefix-set") {
                prefix_set(set, lines, config, notes);
            }
            for sets in sets.many("bgp-defined-sets") {
                for set in sets.list("community-sets", "community-set") {
                    self.community_set(set, lines, config, notes);
                }
                for set in sets.list("as-path-sets", "as-path-set") {
                    let Some(name) = set.leaf("as-path-set-name") else { continue };
                    notes.defines(Object::AsPaths, name);
                    let entries = set.values("as-path-set-member").zip(1..).map(|(what, n)| ListEntry {
                        sequence: n * 5,
                        permit: true,
                        what: what.to_owned(),
                    });
                    config.policy.wider.as_path_sets.insert(name.to_owned(), entries.collect());
                }
            }
        }
        for definition in root.list("policy-definitions", "policy-definition") {
            let Some(name) = definition.leaf("name") else {
                notes.problem(lines.of(definition), "policy-definition", "routing-policy", "it has no name: not kept");
                continue;
            };
            notes.defines(Object::Policy, name);
            self.definitions.insert(name, (definition, lines));
            let mut statements = Vec::new();
            let plain = definition.list("statements", "statement").all(|s| match read_statement(&At::root(s), Reading::Edit) {
                Ok(read) => {
                    statements.push(read);
                    true
                }
                Err(_) => false,
            });
            if plain {
                self.plain.insert(name);
                config.policy.definitions.insert(name.to_owned(), PolicyDefinition { statements });
            }
        }
    }

    fn community_set(&mut self, set: &'e Element, lines: &Lines, config: &mut RouterConfig, notes: &mut Notes) {
        let Some(name) = set.leaf("community-set-name") else { return };
        notes.defines(Object::Communities, name);
        let mut out = Communities { options: set.identity("match-set-options").map(str::to_owned), ..Communities::default() };
        for member in set.values("community-member") {
            let bare = member.rsplit(':').next().filter(|_| member.contains("bgp-types:")).unwrap_or(member);
            let inside = bare.strip_prefix('^').and_then(|m| m.strip_suffix('$')).unwrap_or(bare);
            let number = || bare.parse::<u32>().ok().map(|n| Community::new((n >> 16) as u16, n as u16));
            if let Some(one) = bare.parse().ok().or_else(number) {
                out.plain.push(one);
            } else if let Some(pattern) = expression::community(inside) {
                out.patterns.push(pattern);
            } else {
                out.unread = true;
                let effect = "whether a route has it is not known, and said where a statement asks";
                notes.unmodelled(lines.of(set), &shorten(member), &format!("community-set {name}"), effect);
            }
        }
        if !out.plain.is_empty() {
            let all = out.options.as_deref() == Some("ALL");
            let entries = if all { vec![(true, out.plain.clone())] } else { out.plain.iter().map(|c| (true, vec![*c])).collect() };
            config.policy.community_sets.entry(name.to_owned()).or_default().entries = entries;
        }
        self.communities.insert(name, out);
    }

    /// Returns the definition of a chain with its default.
    pub fn chain(&mut self, chain: &[&str], accept: bool, line: u32, config: &mut RouterConfig, notes: &mut Notes) -> String {
        if let [only] = chain
            && !accept
            && self.plain.contains(only)
        {
            return (*only).to_owned();
        }
        let name = format!("{} (else {})", chain.join(" "), if accept { "accept" } else { "reject" });
        if !config.policy.definitions.contains_key(&name) {
            let mut program = Program::default();
            for policy in chain {
                let next = program.label();
                let mut walk = Walk { policies: self, config, notes, program: &mut program, depth: 0 };
                walk.policy(policy, line, next, None);
                program.place(next);
            }
            let end = if accept { End::Accept } else { End::Reject };
            config.policy.definitions.insert(name.clone(), program.finish(end, false));
        }
        name
    }
}

fn prefix_set(set: &Element, lines: &Lines, config: &mut RouterConfig, notes: &mut Notes) {
    let Some(name) = set.leaf("name") else { return };
    notes.defines(Object::Prefixes, name);
    let six = set.identity("mode") == Some("IPV6");
    put(config, name, six, None);
    let mut sequence = 0;
    for entry in set.list("prefixes", "prefix") {
        sequence += 5;
        match prefix(entry, sequence) {
            Some(entry) => put(config, name, entry.prefix.family() == Family::Ipv6Unicast, Some(entry)),
            None => {
                let text =
                    format!("{} {}", entry.leaf("ip-prefix").unwrap_or_default(), entry.leaf("masklength-range").unwrap_or_default());
                notes.unmodelled(lines.of(entry), &text, &format!("prefix-set {name}"), "the set is without this entry");
            }
        }
    }
    let empty = |s: &PrefixSet| s.entries.is_empty();
    if config.policy.prefix_sets.get(name).is_some_and(empty)
        && let Some(other) = config.policy.wider.prefix_sets_v6.remove(name)
    {
        config.policy.prefix_sets.insert(name.to_owned(), other);
    }
}

fn prefix(entry: &Element, sequence: u32) -> Option<PrefixEntry> {
    let prefix: Prefix = entry.leaf("ip-prefix")?.parse().ok()?;
    let most = if prefix.family() == Family::Ipv4Unicast { 32 } else { 128 };
    let (ge, le) = match entry.leaf("masklength-range").unwrap_or("exact") {
        "exact" => (None, None),
        range => {
            let (low, high) = range.split_once("..").unwrap_or((range, range));
            (Some(low.parse().ok()?), Some(high.parse::<u8>().ok().filter(|h| *h <= most)?))
        }
    };
    let own = |name: &str| entry.one("config").and_then(|c| c.one(name)).map(Element::text);
    let sequence = own("sequence").and_then(|s| s.parse().ok()).unwrap_or(sequence);
    Some(PrefixEntry { sequence, permit: own("permit") != Some("false"), prefix, ge, le })
}

/// Writes policies into a program.
struct Walk<'w, 'e> {
    policies: &'w mut Policies<'e>,
    config: &'w mut RouterConfig,
    notes: &'w mut Notes,
    program: &'w mut Program,
    depth: usize,
}

impl Walk<'_, '_> {
    /// Writes a policy; a route that no statement decides goes to `next`. `called`: where accept and reject go instead.
    fn policy(&mut self, name: &str, line: u32, next: Label, called: Option<(Label, Label)>) {
        let Some((definition, lines)) = self.policies.definitions.get(name).copied() else {
            self.notes.uses(Object::Policy, name, line);
            self.stop(&format!("policy {name}, which is not there"));
            return;
        };
        if self.depth > DEPTH_MAX || self.program.len() > STEPS_MAX {
            let effect = "policies call each other in a circle: the outcome is not known from here on";
            if self.policies.noted.insert((line, name.to_owned())) {
                self.notes.problem(line, &format!("call-policy {name}"), "routing-policy", effect);
            }
            self.stop(&format!("call-policy {name}: policies call each other in a circle"));
            return;
        }
        for statement in definition.list("statements", "statement") {
            self.statement(statement, lines, name, next, called);
        }
    }

    fn stop(&mut self, what: &str) {
        let (yes, no) = (self.program.label(), self.program.label());
        self.program.test(&Test::unmodelled(what), yes, no);
        self.program.place(yes);
        self.program.place(no);
    }

    fn note(&mut self, element: &Element, lines: &Lines, context: &str, effect: &str) {
        let line = lines.of(element);
        if self.policies.noted.insert((line, format!("{context} {}", element.name))) {
            self.notes.unmodelled(line, &format!("{} {}", element.name, shorten(element.text())), context, effect);
        }
    }

    fn statement(&mut self, statement: &Element, lines: &Lines, policy: &str, next_policy: Label, called: Option<(Label, Label)>) {
        let context = format!("policy {policy} / statement {}", statement.leaf("name").unwrap_or_default());
        let mut tests = Vec::new();
        let mut calls = Vec::new();
        for child in statement.one("conditions").map(Element::children).unwrap_or_default() {
            match child.name.as_str() {
                "config" => {
                    for leaf in child.children() {
                        match (leaf.name.as_str(), leaf.text()) {
                            ("call-policy", name) => calls.push((name.to_owned(), lines.of(leaf))),
                            ("install-protocol-eq", name) => match protocol(name) {
                                Some(p) => {
                                    tests.push(Test::wider(WiderCondition::SourceProtocol(p), format!("install-protocol-eq {name}")))
                                }
                                None => tests.push(self.unknown(leaf, lines, &context)),
                            },
                            _ => tests.push(self.unknown(leaf, lines, &context)),
                        }
                    }
                }
                "match-prefix-set" => {
                    let test = self.set(child, lines, "prefix-set", &context);
                    tests.push(test);
                }
                "bgp-conditions" => self.bgp_conditions(child, lines, &context, &mut tests),
                "state" => {}
                _ if child.children().is_empty() => {}
                _ => tests.push(self.unknown(child, lines, &context)),
            }
        }
        let (yes, no) = (self.program.label(), self.program.label());
        self.program.test(&Test::All(tests), yes, no);
        self.program.place(yes);
        for (name, line) in calls {
            // the called policy must accept; what it changes stays
            let (accepted, rejected, fallen) = (self.program.label(), self.program.label(), self.program.label());
            self.depth += 1;
            self.policy(&name, line, fallen, Some((accepted, rejected)));
            self.depth -= 1;
            self.program.place(rejected);
            self.program.place(fallen);
            self.program.jump(no);
            self.program.place(accepted);
        }
        let actions = statement.one("actions");
        for child in actions.map(Element::children).unwrap_or_default() {
            match child.name.as_str() {
                "config" | "state" => {}
                "bgp-actions" => self.bgp_actions(child, lines, &context),
                _ if child.children().is_empty() => {}
                _ => {
                    self.note(
                        child,
                        lines,
                        &context,
                        "what this statement makes of a route is not known, and said where a route reaches it",
                    );
                    self.program.set(RouteAction::Unmodelled(child.name.clone()));
                }
            }
        }
        match (actions.and_then(|a| a.identity("policy-result")), called) {
            (Some("ACCEPT_ROUTE"), None) => self.program.accept(),
            (Some("ACCEPT_ROUTE"), Some((accepted, _))) => self.program.jump(accepted),
            (Some("REJECT_ROUTE"), None) => self.program.reject(),
            (Some("REJECT_ROUTE"), Some((_, rejected))) => self.program.jump(rejected),
            (Some("NEXT_POLICY"), _) => self.program.jump(next_policy),
            // NEXT_STATEMENT, which is the default
            _ => {}
        }
        self.program.place(no);
    }

    fn unknown(&mut self, element: &Element, lines: &Lines, context: &str) -> Test {
        self.note(element, lines, context, "whether this statement applies is not known, and said where a route reaches it");
        Test::unmodelled(format!("{} {}", element.name, shorten(element.text())).trim_end().to_owned())
    }

    /// `match-…-set`: the set's name and `match-set-options`.
    fn set(&mut self, element: &Element, lines: &Lines, leaf: &str, context: &str) -> Test {
        let Some(name) = element.leaf(leaf) else { return self.unknown(element, lines, context) };
        let line = lines.of(element);
        let mut options = element.identity("match-set-options").unwrap_or("ANY").to_owned();
        let object = match leaf {
            "prefix-set" => Object::Prefixes,
            "community-set" => Object::Communities,
            _ => Object::AsPaths,
        };
        self.notes.uses(object, name, line);
        if !self.notes.is_defined(object, name) {
            return Test::unmodelled(format!("{leaf} {name}, which is not there"));
        }
        let any = match object {
            Object::Prefixes => Test::Is(Condition::PrefixSet(name.to_owned())),
            Object::AsPaths => Test::wider(WiderCondition::AsPathSet(name.to_owned()), format!("match-as-path-set {name}")),
            _ => {
                let Some(set) = self.policies.communities.get(name).filter(|s| !s.unread) else {
                    return self.unknown(element, lines, context);
                };
                if let Some(own) = &set.options {
                    options.clone_from(own);
                }
                let policy = &mut self.config.policy;
                let every = options == "ALL";
                let mut tests = Vec::new();
                if !set.plain.is_empty() {
                    let own = if every && set.options.is_none() { format!("{name} (all)") } else { name.to_owned() };
                    if own != name {
                        policy.community_sets.entry(own.clone()).or_default().entries = vec![(true, set.plain.clone())];
                    }
                    tests.push(Test::Is(Condition::CommunitySet(own)));
                }
                for (pattern, n) in set.patterns.iter().zip(1..) {
                    let own = format!("{name} (pattern {n})");
                    let entry = ListEntry { sequence: 5, permit: true, what: pattern.clone() };
                    policy.wider.expanded_community_sets.insert(own.clone(), vec![entry]);
                    tests.push(Test::Is(Condition::CommunitySet(own)));
                }
                if every { Test::All(tests) } else { Test::Any(tests) }
            }
        };
        match options.as_str() {
            "ANY" => any,
            "ALL" if object == Object::Communities => any,
            "INVERT" => Test::Not(Box::new(any)),
            _ => self.unknown(element, lines, context),
        }
    }

    fn bgp_conditions(&mut self, conditions: &Element, lines: &Lines, context: &str, tests: &mut Vec<Test>) {
        for child in conditions.children() {
            let test = match child.name.as_str() {
                "match-community-set" => self.set(child, lines, "community-set", context),
                "match-as-path-set" => self.set(child, lines, "as-path-set", context),
                "as-path-length" if child.leaf("value").is_some() => {
                    let n: Option<u32> = child.number("value");
                    let bounds = match (n, child.identity("operator")) {
                        (Some(n), Some("ATTRIBUTE_EQ")) => Some((n, Some(n))),
                        (Some(n), Some("ATTRIBUTE_GE")) => Some((n, None)),
                        (Some(n), Some("ATTRIBUTE_LE")) => Some((0, Some(n))),
                        _ => None,
                    };
                    match bounds {
                        Some((low, high)) => crate::junos::policy::length_test(self.config, low, high, "as-path-length"),
                        None => self.unknown(child, lines, context),
                    }
                }
                "config" => {
                    for leaf in child.children() {
                        let (name, text) = (leaf.name.as_str(), leaf.text());
                        let value = text.parse::<u32>().ok();
                        let what = match (name, value) {
                            ("med-eq", Some(v)) => Some(WiderCondition::Med(v)),
                            ("local-pref-eq", Some(v)) => Some(WiderCondition::LocalPref(v)),
                            ("origin-eq", _) => origin(text).map(WiderCondition::Origin),
                            ("next-hop-in" | "next-hop-in-set", _) => text.parse().ok().map(WiderCondition::NextHop),
                            _ => None,
                        };
                        tests.push(match what {
                            Some(what) => Test::wider(what, format!("{name} {text}")),
                            None => self.unknown(leaf, lines, context),
                        });
                    }
                    continue;
                }
                _ if child.name == "state" || child.children().is_empty() => continue,
                _ => self.unknown(child, lines, context),
            };
            tests.push(test);
        }
    }

    fn bgp_actions(&mut self, actions: &Element, lines: &Lines, context: &str) {
        for child in actions.children() {
            let read = match child.name.as_str() {
                "config" => {
                    for leaf in child.children() {
                        match leaf_action(&leaf.name, leaf.text()) {
                            Some(action) => self.program.set(action),
                            None => self.not_done(leaf, lines, context),
                        }
                    }
                    continue;
                }
                "set-as-path-prepend" => child.number::<u32>("asn").map(|asn| {
                    let times = usize::from(child.number::<u8>("repeat-n").unwrap_or(1));
                    RouteAction::Prepend(AsPath::sequence(core::iter::repeat_n(asn, times)))
                }),
                "set-community" => self.set_community(child, lines),
                _ if child.name == "state" || child.children().is_empty() => continue,
                "set-ext-community" => {
                    self.note(child, lines, context, "ignored: routes keep their extended communities, which choose no path here");
                    continue;
                }
                _ => None,
            };
            match read {
                Some(action) => self.program.set(action),
                None => self.not_done(child, lines, context),
            }
        }
    }

    fn not_done(&mut self, element: &Element, lines: &Lines, context: &str) {
        self.note(element, lines, context, "what this statement makes of a route is not known, and said where a route reaches it");
        self.program.set(RouteAction::Unmodelled(format!("{} {}", element.name, shorten(element.text()))));
    }

    fn set_community(&mut self, element: &Element, lines: &Lines) -> Option<RouteAction> {
        let options = element.identity("options").unwrap_or("ADD");
        if element.identity("method") == Some("REFERENCE") {
            let name = element.one("reference").and_then(|r| r.leaf("community-set-ref").or_else(|| r.leaf("community-set-refs")))?;
            self.notes.uses(Object::Communities, name, lines.of(element));
            let set = self.policies.communities.get(name).filter(|s| !s.unread)?;
            return match options {
                "ADD" if set.patterns.is_empty() => Some(RouteAction::AddCommunities(set.plain.clone())),
                "REPLACE" if set.patterns.is_empty() => Some(RouteAction::SetCommunities(set.plain.clone())),
                "REMOVE" if set.patterns.is_empty() => Some(RouteAction::DeleteCommunities(name.to_owned())),
                _ => None,
            };
        }
        let list: Vec<&str> = element.one("inline").map(|i| i.values("communities").collect()).unwrap_or_default();
        let bare = |t: &str| t.rsplit(':').next().filter(|_| t.contains("bgp-types:")).unwrap_or(t).parse::<Community>().ok();
        let list = list.into_iter().map(bare).collect::<Option<Vec<_>>>()?;
        match options {
            "ADD" => Some(RouteAction::AddCommunities(list)),
            "REPLACE" => Some(RouteAction::SetCommunities(list)),
            "REMOVE" => {
                let name = format!("(remove {})", list.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
                self.config.policy.community_sets.entry(name.clone()).or_default().entries =
                    list.into_iter().map(|c| (true, vec![c])).collect();
                Some(RouteAction::DeleteCommunities(name))
            }
            _ => None,
        }
    }
}

fn leaf_action(name: &str, text: &str) -> Option<RouteAction> {
    let line = format!("{name} {text}");
    let bare = text.rsplit(':').next().unwrap_or(text);
    Some(match (name, text.parse::<u32>()) {
        ("set-route-origin", _) => RouteAction::SetOrigin(origin(text)?),
        ("set-local-pref", Ok(v)) => RouteAction::SetLocalPref(v),
        ("set-med", _) if text.starts_with(['+', '-']) => wider(WiderAction::AddMed(text.parse().ok()?), line),
        ("set-med", Ok(v)) => RouteAction::SetMed(v),
        ("set-next-hop", _) if bare == "SELF" => wider(WiderAction::SetNextHopSelf, line),
        ("set-next-hop", _) => RouteAction::SetNextHop(text.parse().ok()?),
        _ => return None,
    })
}

fn origin(text: &str) -> Option<Origin> {
    match text.rsplit(':').next().unwrap_or(text) {
        "IGP" => Some(Origin::Igp),
        "EGP" => Some(Origin::Egp),
        "INCOMPLETE" => Some(Origin::Incomplete),
        _ => None,
    }
}

/// A protocol as openconfig-policy-types names it.
pub(super) fn protocol(text: &str) -> Option<Protocol> {
    Some(match text.rsplit(':').next().unwrap_or(text) {
        "BGP" => Protocol::Bgp,
        "STATIC" => Protocol::Static,
        "DIRECTLY_CONNECTED" => Protocol::Connected,
        "OSPF" | "OSPF3" => Protocol::Ospf,
        "ISIS" => Protocol::Isis,
        _ => return None,
    })
}
