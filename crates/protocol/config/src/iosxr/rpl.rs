//! The routing policy language: sets and policies cut out of the configuration, and policies as programs.

use super::sets::{self, Communities};
use crate::notes::{Notes, Object};
use crate::program::{End, Program, Test, wider};
use crate::{Condition, ListEntry, Protocol, RouteAction, RouterConfig, RpkiState, WiderAction, WiderCondition, outline};
use bgp::{AsPath, Asn, Origin};
use std::collections::{BTreeMap, BTreeSet};

/// Branches and brackets inside each other, and policies that apply each other.
const DEPTH_MAX: usize = 64;
/// Steps of one policy with everything it applies.
const STEPS_MAX: usize = 1_000_000;
/// Policies applied by one policy, each as often as it is.
const APPLIED_MAX: usize = 100_000;

/// A word of a policy or set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'t> {
    pub text: &'t str,
    pub line: u32,
    quoted: bool,
}

/// A block that is not written by indentation.
pub(super) struct Block<'t> {
    kind: &'t str,
    name: &'t str,
    parameters: Vec<&'t str>,
    line: u32,
    tokens: Vec<Token<'t>>,
}

/// Cuts policies and sets out of a text; the rest keeps its line numbers.
pub(super) fn cut_out<'t>(text: &'t str, notes: &mut Notes) -> (String, Vec<Block<'t>>) {
    let mut rest = String::with_capacity(text.len() / 2);
    let mut blocks: Vec<Block<'t>> = Vec::new();
    let mut open: Option<Block<'t>> = None;
    let cut_off = |block: &Block<'_>, notes: &mut Notes| {
        let effect = "it does not end: the configuration is cut off here; what was read of it is kept";
        notes.problem(block.line, &format!("{} {}", block.kind, block.name), "", effect);
    };
    for (line, raw) in (1..).zip(text.lines()) {
        let words: Vec<&str> = raw.split_whitespace().take(3).collect();
        let heading = |kind: &str| kind == "route-policy" || (kind.ends_with("-set") && kind != "end-set");
        // inside a policy everything is indented, but for its remarks
        let starts = !raw.starts_with(char::is_whitespace) && words.len() > 1 && heading(words[0]);
        let foreign = !raw.starts_with(char::is_whitespace) && matches!(words[..], ["router" | "interface" | "hostname" | "end", ..]);
        if (starts || (foreign && open.as_ref().is_some_and(|b| b.kind == "route-policy")))
            && let Some(block) = open.take()
        {
            cut_off(&block, notes);
            blocks.push(block);
        }
        if starts {
            let after = raw.trim_start()[words[0].len()..].trim();
            let (name, parameters) = match after.split_once('(') {
                Some((name, list)) => (name.trim(), list.trim_end_matches(')').split(',').map(str::trim).collect()),
                None => (after.split_whitespace().next().unwrap_or_default(), Vec::new()),
            };
            open = Some(Block { kind: words[0], name, parameters, line, tokens: Vec::new() });
        } else if let Some(mut block) = open.take() {
            if matches!(words[..], ["end-policy" | "end-set"]) {
                blocks.push(block);
            } else {
                tokenise(raw, line, &mut block.tokens, notes);
                open = Some(block);
            }
        } else {
            rest.push_str(raw);
        }
        rest.push('\n');
    }
    if let Some(block) = open {
        cut_off(&block, notes);
        blocks.push(block);
    }
    (rest, blocks)
}

fn tokenise<'t>(raw: &'t str, line: u32, out: &mut Vec<Token<'t>>, notes: &mut Notes) {
    let mut rest = raw.trim();
    if rest.starts_with(['#', '!']) {
        return;
    }
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            let inside = &rest[1..];
            let end = inside.find('\'');
            if end.is_none() {
                notes.problem(line, rest, "", "a quotation that does not end: the line's rest is taken");
            }
            let text = &inside[..end.unwrap_or(inside.len())];
            rest = end.map_or("", |e| &inside[e + 1..]);
            out.push(Token { text, line, quoted: true });
        } else {
            let length =
                if "(),".contains(first) { 1 } else { rest.find(|c: char| c.is_whitespace() || "(),'".contains(c)).unwrap_or(rest.len()) };
            out.push(Token { text: &rest[..length], line, quoted: false });
            rest = &rest[length..];
        }
        rest = rest.trim_start();
    }
}

/// Sets and policies; a policy becomes a definition when it is attached somewhere.
pub(super) struct Policies<'t> {
    policies: BTreeMap<&'t str, Block<'t>>,
    communities: BTreeMap<(bool, &'t str), Communities>,
    as_paths: BTreeSet<&'t str>,
    noted: BTreeSet<(u32, String)>,
    pub own: Asn,
}

impl<'t> Policies<'t> {
    pub fn new(blocks: Vec<Block<'t>>, config: &mut RouterConfig, notes: &mut Notes) -> Self {
        let mut out = Self {
            policies: BTreeMap::new(),
            communities: BTreeMap::new(),
            as_paths: BTreeSet::new(),
            noted: BTreeSet::new(),
            own: Asn(0),
        };
        for block in blocks {
            let context = format!("{} {}", block.kind, block.name);
            match block.kind {
                "route-policy" => {
                    notes.defines(Object::Policy, block.name);
                    if let Some(old) = out.policies.insert(block.name, block) {
                        notes.problem(old.line, &context, "", "defined again further down; the later is kept");
                    }
                }
                "prefix-set" => {
                    notes.defines(Object::Prefixes, block.name);
                    sets::prefixes(block.name, &block.tokens, config, notes);
                }
                "community-set" | "large-community-set" => {
                    let large = block.kind == "large-community-set";
                    notes.defines(if large { Object::LargeCommunities } else { Object::Communities }, block.name);
                    let (set, unread) = sets::communities(&block.tokens, large);
                    for line in unread {
                        let effect = "whether a route has it is not known, and said where a policy asks";
                        notes.unmodelled(line, "", &context, effect);
                    }
                    out.communities.insert((large, block.name), set);
                }
                "as-path-set" => {
                    notes.defines(Object::AsPaths, block.name);
                    match sets::as_paths(&block.tokens) {
                        Ok(entries) => {
                            config.policy.wider.as_path_sets.insert(block.name.to_owned(), entries);
                            out.as_paths.insert(block.name);
                        }
                        Err(line) => {
                            let effect = "whether a path matches is not known, and said where a policy asks";
                            notes.unmodelled(line, "", &context, effect);
                        }
                    }
                }
                _ => notes.unmodelled(block.line, &context, "", "whether a route is in it is not known, and said where a policy asks"),
            }
        }
        out
    }

    /// Makes the definition of an attached policy, `NAME` or `NAME(argument, …)`, and returns its name.
    pub fn attach(&mut self, written: &str, line: u32, config: &mut RouterConfig, notes: &mut Notes) -> String {
        if config.policy.definitions.contains_key(written) {
            return written.to_owned();
        }
        let (name, arguments) = match written.split_once('(') {
            Some((name, list)) => (name.trim(), list.trim_end_matches(')').split(',').map(str::trim).collect()),
            None => (written, Vec::new()),
        };
        let mut program = Program::default();
        let mut writer = Writer { policies: self, config, notes, program: &mut program, stack: Vec::new(), left: APPLIED_MAX };
        writer.apply(name, &arguments, line, 0);
        let definition = program.finish(End::IfPassed, true);
        config.policy.definitions.insert(written.to_owned(), definition);
        written.to_owned()
    }
}

/// Writes policies into a program.
struct Writer<'w, 't> {
    policies: &'w mut Policies<'t>,
    config: &'w mut RouterConfig,
    notes: &'w mut Notes,
    program: &'w mut Program,
    /// Policies that are being written, outermost first.
    stack: Vec<String>,
    /// Policies that may still be applied.
    left: usize,
}

/// The words of a policy, with arguments in place of parameters.
struct Words {
    list: Vec<(String, u32, bool)>,
    at: usize,
    /// Lines begin at these places.
    context: String,
}

impl Words {
    fn peek(&self) -> Option<&str> {
        self.list.get(self.at).filter(|(_, _, quoted)| !quoted).map(|(t, ..)| t.as_str())
    }

    fn line(&self) -> u32 {
        self.list.get(self.at).or_else(|| self.list.last()).map_or(0, |(_, l, _)| *l)
    }

    fn take(&mut self) -> Option<String> {
        let word = self.list.get(self.at).map(|(t, ..)| t.clone());
        self.at += 1;
        word
    }

    /// The rest of the line, and of an open bracket.
    fn rest_of_line(&mut self) -> Vec<String> {
        let line = self.line();
        let (mut out, mut depth) = (Vec::new(), 0usize);
        while let Some((text, at, _)) = self.list.get(self.at) {
            if *at != line && depth == 0 {
                break;
            }
            match text.as_str() {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                _ => {}
            }
            out.push(text.clone());
            self.at += 1;
        }
        out
    }
}

impl Writer<'_, '_> {
    fn unknown(&mut self, line: u32, text: &str, context: &str, effect: &str) {
        if self.policies.noted.insert((line, text.to_owned())) {
            self.notes.unmodelled(line, text, context, effect);
        }
    }

    /// A step at which the outcome is not known.
    fn stop(&mut self, what: &str) {
        let (yes, no) = (self.program.label(), self.program.label());
        self.program.test(&Test::unmodelled(what), yes, no);
        self.program.place(yes);
        self.program.place(no);
    }

    fn apply(&mut self, name: &str, arguments: &[&str], line: u32, depth: usize) {
        let Some(block) = self.policies.policies.get(name) else {
            self.notes.uses(Object::Policy, name, line);
            self.stop(&format!("route-policy {name}, which is not there"));
            return;
        };
        if self.stack.iter().any(|s| s == name) || self.stack.len() >= DEPTH_MAX {
            let way = self.stack.iter().chain([&name.to_owned()]).cloned().collect::<Vec<_>>().join(" → ");
            if self.policies.noted.insert((line, way.clone())) {
                let effect = "policies apply each other in a circle: IOS XR would not commit this; the outcome is not known from here on";
                self.notes.problem(line, &format!("apply {name}"), &way, effect);
            }
            self.stop(&format!("apply {name}: policies apply each other in a circle"));
            return;
        }
        self.left = self.left.saturating_sub(1);
        if self.program.len() >= STEPS_MAX || self.left == 0 {
            self.stop("a policy of more than a million steps");
            return;
        }
        if block.parameters.len() != arguments.len() {
            let effect = format!("{} arguments for {} parameters: the outcome is not known", arguments.len(), block.parameters.len());
            let context = format!("route-policy {name}");
            self.notes.problem(line, &format!("apply {name}({})", arguments.join(", ")), &context, &effect);
            self.stop(&format!("apply {name} with other arguments than it takes"));
            return;
        }
        let argument = |t: &Token<'_>| {
            let known = block
                .parameters
                .iter()
                .position(|p| p.trim_start_matches('$') == t.text.trim_start_matches('$') && t.text.starts_with('$'));
            known.map_or(t.text, |at| arguments[at]).to_owned()
        };
        let list = block.tokens.iter().map(|t| (argument(t), t.line, t.quoted)).collect();
        let mut words = Words { list, at: 0, context: format!("route-policy {name}") };
        self.stack.push(name.to_owned());
        while words.at < words.list.len() {
            let before = words.at;
            self.statements(&mut words, depth);
            if words.at < words.list.len() {
                // an `endif` or `else` that belongs to nothing
                let text = words.take().unwrap_or_default();
                let context = words.context.clone();
                self.notes.problem(words.line(), &text, &context, "belongs to no if: passed over");
            }
            if words.at == before {
                break;
            }
        }
        self.stack.pop();
    }

    fn statements(&mut self, words: &mut Words, depth: usize) {
        while let Some(word) = words.peek().map(str::to_owned) {
            if self.program.len() >= STEPS_MAX {
                self.stop("a policy of more than a million steps");
                words.at = words.list.len();
                return;
            }
            let line = words.line();
            match word.as_str() {
                "else" | "elseif" | "endif" => return,
                "if" => {
                    if depth >= DEPTH_MAX {
                        let context = words.context.clone();
                        self.notes.problem(
                            line,
                            "if",
                            &context,
                            "nested deeper than 64 levels: the rest of the policy is not read, its outcome not known",
                        );
                        self.stop("an if deeper than 64 levels");
                        words.at = words.list.len();
                        return;
                    }
                    self.branch(words, depth);
                }
                "pass" => {
                    words.take();
                    self.program.pass();
                }
                "drop" => {
                    words.take();
                    self.program.reject();
                }
                "done" => {
                    words.take();
                    self.program.accept();
                }
                "apply" => {
                    words.take();
                    let rest = words.rest_of_line();
                    let name = rest.first().cloned().unwrap_or_default();
                    let list = rest.get(1..).unwrap_or_default();
                    let arguments: Vec<&str> = list.iter().map(String::as_str).filter(|w| !matches!(*w, "(" | ")" | ",")).collect();
                    self.apply(&name, &arguments, line, depth + 1);
                }
                _ => {
                    let rest = words.rest_of_line();
                    if rest.is_empty() {
                        words.take();
                    }
                    let context = words.context.clone();
                    self.change(&rest, line, &context);
                }
            }
        }
        // a quoted word where a statement should be
        if words.at < words.list.len() {
            let line = words.line();
            let rest = words.rest_of_line();
            let context = words.context.clone();
            self.change(&rest, line, &context);
        }
    }

    fn branch(&mut self, words: &mut Words, depth: usize) {
        let end = self.program.label();
        let opened = words.line();
        loop {
            // `if` or `elseif`
            words.take();
            let test = self.any(words, depth);
            if words.peek() == Some("then") {
                words.take();
            }
            let (yes, no) = (self.program.label(), self.program.label());
            self.program.test(&test, yes, no);
            self.program.place(yes);
            self.statements(words, depth + 1);
            self.program.jump(end);
            self.program.place(no);
            match words.peek() {
                Some("elseif") => {}
                Some("else") => {
                    words.take();
                    self.statements(words, depth + 1);
                    if words.peek() == Some("endif") {
                        words.take();
                    }
                    break;
                }
                Some("endif") => {
                    words.take();
                    break;
                }
                _ => {
                    let context = words.context.clone();
                    self.notes.problem(opened, "if", &context, "has no endif: everything up to the policy's end is taken as in it");
                    break;
                }
            }
        }
        self.program.place(end);
    }

    fn any(&mut self, words: &mut Words, depth: usize) -> Test {
        let mut list = vec![self.all(words, depth)];
        while words.peek() == Some("or") {
            words.take();
            list.push(self.all(words, depth));
        }
        if list.len() == 1 { list.swap_remove(0) } else { Test::Any(list) }
    }

    fn all(&mut self, words: &mut Words, depth: usize) -> Test {
        let mut list = vec![self.not(words, depth)];
        while words.peek() == Some("and") {
            words.take();
            list.push(self.not(words, depth));
        }
        if list.len() == 1 { list.swap_remove(0) } else { Test::All(list) }
    }

    fn not(&mut self, words: &mut Words, depth: usize) -> Test {
        if depth >= DEPTH_MAX {
            words.at = words.list.len();
            return Test::unmodelled("a condition deeper than 64 levels");
        }
        match words.peek() {
            Some("not") => {
                words.take();
                Test::Not(Box::new(self.not(words, depth + 1)))
            }
            Some("(") => {
                words.take();
                let inner = self.any(words, depth + 1);
                if words.peek() == Some(")") {
                    words.take();
                }
                inner
            }
            _ => self.primary(words),
        }
    }

    /// The words of one comparison, up to `and`, `or`, `then` or a closing bracket.
    fn primary(&mut self, words: &mut Words) -> Test {
        let line = words.line();
        let start = words.at;
        let mut depth = 0usize;
        while let Some((text, _, quoted)) = words.list.get(words.at) {
            match text.as_str() {
                "and" | "or" | "then" if depth == 0 && !quoted => break,
                ")" if depth == 0 && !quoted => break,
                "(" if !quoted => depth += 1,
                ")" if !quoted => depth -= 1,
                _ => {}
            }
            words.at += 1;
        }
        let all: Vec<(String, bool)> = words.list[start..words.at].iter().map(|(t, _, q)| (t.clone(), *q)).collect();
        let written = all.iter().map(|(t, q)| if *q { format!("'{t}'") } else { t.clone() }).collect::<Vec<_>>().join(" ");
        let tokens: Vec<Token<'_>> = all.iter().map(|(t, q)| Token { text: t, line, quoted: *q }).collect();
        self.comparison(&tokens, &written, line).unwrap_or_else(|| {
            let context = words.context.clone();
            self.unknown(line, &written, &context, "whether it holds is not known, and said where a route reaches it");
            Test::unmodelled(written)
        })
    }

    fn comparison(&mut self, tokens: &[Token<'_>], written: &str, line: u32) -> Option<Test> {
        let texts: Vec<&str> = tokens.iter().map(|t| t.text).collect();
        let one = |what| Some(Test::wider(what, written));
        let number = |t: &str| t.parse::<u32>().ok();
        match texts[..] {
            ["destination", "in", ..] => {
                let name = self.prefixes(&tokens[2..], written, line)?;
                Some(Test::Is(Condition::PrefixSet(name)))
            }
            ["next-hop", "in", ..] => {
                let name = self.prefixes(&tokens[2..], written, line)?;
                one(WiderCondition::NextHopPrefixSet(name))
            }
            ["community", "is-empty"] => {
                let own = "(no community)".to_owned();
                let entry = ListEntry { sequence: 5, permit: true, what: "^$".to_owned() };
                self.config.policy.wider.expanded_community_sets.insert(own.clone(), vec![entry]);
                Some(Test::Is(Condition::CommunitySet(own)))
            }
            [kind @ ("community" | "large-community"), how @ ("matches-any" | "matches-every"), ..] => {
                let (set, name) = self.communities(&tokens[2..], kind == "large-community", written, line)?;
                Some(set.test(&name, how == "matches-every", self.config))
            }
            ["as-path", "in", "(", .., ")"] => {
                let entries = sets::as_paths(&tokens[3..tokens.len() - 1]).ok()?;
                self.config.policy.wider.as_path_sets.insert(written.to_owned(), entries);
                one(WiderCondition::AsPathSet(written.to_owned()))
            }
            ["as-path", "in", name] => {
                self.notes.uses(Object::AsPaths, name, line);
                self.policies.as_paths.contains(name).then(|| Test::wider(WiderCondition::AsPathSet(name.to_owned()), written))
            }
            ["as-path", "is-local"] => self.expression(written, Some("^$".to_owned())),
            ["as-path", "length", relation, n] => self.expression(written, sets::length(relation, n)),
            ["as-path", kind @ ("passes-through" | "originates-from" | "neighbor-is"), path]
            | ["as-path", kind @ ("passes-through" | "originates-from" | "neighbor-is"), path, "exact"] => {
                self.expression(written, sets::through(kind, path))
            }
            ["med", "eq" | "is", v] => one(WiderCondition::Med(number(v)?)),
            ["local-preference", "eq" | "is", v] => one(WiderCondition::LocalPref(number(v)?)),
            ["tag", "eq" | "is", v] => one(WiderCondition::Tag(number(v)?)),
            ["origin", "is", o] => one(WiderCondition::Origin(origin(o)?)),
            ["validation-state", "is", state] => one(WiderCondition::Rpki(match state {
                "valid" => RpkiState::Valid,
                "invalid" => RpkiState::Invalid,
                "not-found" => RpkiState::NotFound,
                _ => return None,
            })),
            ["protocol", "is", p, ..] => one(WiderCondition::SourceProtocol(protocol(p)?)),
            ["protocol", "in", "(", .., ")"] => {
                let each = sets::elements(&tokens[3..tokens.len() - 1]).map(|e| protocol(e[0].text));
                let each = each.map(|p| p.map(|p| Test::wider(WiderCondition::SourceProtocol(p), written))).collect::<Option<_>>()?;
                Some(Test::Any(each))
            }
            _ => None,
        }
    }

    fn expression(&mut self, written: &str, what: Option<String>) -> Option<Test> {
        let entry = ListEntry { sequence: 5, permit: true, what: what? };
        self.config.policy.wider.as_path_sets.insert(written.to_owned(), vec![entry]);
        Some(Test::wider(WiderCondition::AsPathSet(written.to_owned()), written))
    }

    /// A named set of prefixes, or one in place, which is named after what is written.
    fn prefixes(&mut self, tokens: &[Token<'_>], written: &str, line: u32) -> Option<String> {
        if let [open, inside @ .., close] = tokens
            && open.text == "("
            && close.text == ")"
        {
            if !self.config.policy.prefix_sets.contains_key(written) {
                sets::prefixes(written, inside, self.config, self.notes);
            }
            return Some(written.to_owned());
        }
        let [name] = tokens else { return None };
        self.notes.uses(Object::Prefixes, name.text, line);
        self.notes.is_defined(Object::Prefixes, name.text).then(|| name.text.to_owned())
    }

    fn communities(&mut self, tokens: &[Token<'_>], large: bool, written: &str, line: u32) -> Option<(Communities, String)> {
        if let [open, inside @ .., close] = tokens
            && open.text == "("
            && close.text == ")"
        {
            let (set, _) = sets::communities(inside, large);
            return (!set.unread).then(|| (set, written.to_owned()));
        }
        let [name] = tokens else { return None };
        self.notes.uses(if large { Object::LargeCommunities } else { Object::Communities }, name.text, line);
        self.policies.communities.get(&(large, name.text)).map(|set| (set.clone(), name.text.to_owned()))
    }

    fn change(&mut self, words: &[String], line: u32, context: &str) {
        let texts: Vec<&str> = words.iter().map(String::as_str).collect();
        let written = texts.join(" ");
        let tokens: Vec<Token<'_>> = texts.iter().map(|t| Token { text: t, line, quoted: false }).collect();
        let effectless = match texts[..] {
            ["set", "extcommunity", ..] | ["delete", "extcommunity", ..] => {
                "ignored: routes keep their extended communities, which choose no path here"
            }
            [
                "set",
                "administrative-distance" | "rib-metric" | "traffic-index" | "qos-group" | "label" | "label-index" | "load-balance",
                ..,
            ] => "ignored: how routes are installed stays as without it",
            ["set", "isis-metric" | "ospf-metric" | "metric-type" | "rip-metric" | "eigrp-metric" | "level", ..] => {
                "ignored: metrics of the IGP stay"
            }
            ["set", "dampening", ..] => "ignored: no route is held back",
            _ => "",
        };
        if !effectless.is_empty() {
            self.unknown(line, &written, context, effectless);
            // a change all the same: the route is passed
            self.program.pass();
            return;
        }
        match self.action(&texts, &tokens, &written, line) {
            Some(actions) => actions.into_iter().for_each(|a| self.program.set(a)),
            None => {
                self.unknown(line, &written, context, "what the policy makes of a route here is not known, and said where one reaches it");
                self.program.set(RouteAction::Unmodelled(written));
            }
        }
    }

    fn action(&mut self, texts: &[&str], tokens: &[Token<'_>], written: &str, line: u32) -> Option<Vec<RouteAction>> {
        let number = |t: &str| t.parse::<u32>().ok();
        let signed = |t: &str| t.parse::<i64>().ok().filter(|_| t.starts_with(['+', '-']));
        let wide = |what| Some(vec![wider(what, written)]);
        match texts {
            ["set", "local-preference", v] => match signed(v) {
                Some(by) => wide(WiderAction::AddLocalPref(by)),
                None => Some(vec![RouteAction::SetLocalPref(number(v)?)]),
            },
            ["set", "med", "max-reachable"] => Some(vec![RouteAction::SetMed(u32::MAX - 1)]),
            ["set", "med", v] => match signed(v) {
                Some(by) => wide(WiderAction::AddMed(by)),
                None => Some(vec![RouteAction::SetMed(number(v)?)]),
            },
            ["set", "weight", v] => Some(vec![RouteAction::SetWeight(number(v)?)]),
            ["set", "origin", o] => Some(vec![RouteAction::SetOrigin(origin(o)?)]),
            ["set", "tag", v] => wide(WiderAction::SetTag(number(v)?)),
            ["set", kind @ ("community" | "large-community"), rest @ ..] if !rest.is_empty() => {
                let additive = rest.last() == Some(&"additive");
                let inner = &tokens[2..tokens.len() - usize::from(additive)];
                let (set, _) = self.communities(inner, *kind == "large-community", written, line)?;
                if !set.plain_only() {
                    return None;
                }
                match (*kind, additive) {
                    ("community", true) => Some(vec![RouteAction::AddCommunities(set.plain)]),
                    ("community", false) => Some(vec![RouteAction::SetCommunities(set.plain)]),
                    (_, true) => wide(WiderAction::AddLargeCommunities(set.large)),
                    (_, false) => wide(WiderAction::SetLargeCommunities(set.large)),
                }
            }
            ["delete", kind @ ("community" | "large-community"), "in", ..] => {
                let large = *kind == "large-community";
                let (set, name) = self.communities(&tokens[3..], large, written, line)?;
                if set.unread {
                    return None;
                }
                // makes the lists that it is done with
                let _ = set.test(&name, false, self.config);
                let mut out = Vec::new();
                if !set.plain.is_empty() {
                    out.push(RouteAction::DeleteCommunities(name.clone()));
                }
                if !set.large.is_empty() {
                    out.push(wider(WiderAction::DeleteLargeCommunities(name.clone()), written));
                }
                out.extend((1..=set.patterns.len()).map(|n| RouteAction::DeleteCommunities(format!("{name} (pattern {n})"))));
                Some(out)
            }
            ["prepend", "as-path", "most-recent", n] => wide(WiderAction::PrependLastAs(n.parse().ok()?)),
            ["prepend", "as-path", asn, rest @ ..] => {
                let asn = if *asn == "own-as" { self.policies.own } else { outline::asn(asn)? };
                let times = match rest {
                    [] => 1,
                    [n] => n.parse::<usize>().ok().filter(|n| (1..=63).contains(n))?,
                    _ => return None,
                };
                Some(vec![RouteAction::Prepend(AsPath::sequence(core::iter::repeat_n(asn.0, times)))])
            }
            ["set", "next-hop", "self"] | ["set", "next-hop", "peer-address"] => wide(WiderAction::SetNextHopSelf),
            ["set", "next-hop", "unchanged"] => wide(WiderAction::SetNextHopUnchanged),
            ["set", "next-hop", address] => Some(vec![RouteAction::SetNextHop(address.parse().ok()?)]),
            _ => None,
        }
    }
}

fn origin(word: &str) -> Option<Origin> {
    match word {
        "igp" => Some(Origin::Igp),
        "egp" => Some(Origin::Egp),
        "incomplete" => Some(Origin::Incomplete),
        _ => None,
    }
}

/// A protocol as RPL and `redistribute` name it.
pub(super) fn protocol(word: &str) -> Option<Protocol> {
    Some(match word {
        "connected" | "local" => Protocol::Connected,
        "static" => Protocol::Static,
        "ospf" | "ospfv3" => Protocol::Ospf,
        "isis" => Protocol::Isis,
        "bgp" => Protocol::Bgp,
        _ => return None,
    })
}
