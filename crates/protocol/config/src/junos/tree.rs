//! A Junos configuration as a tree of words: `set protocols bgp group X type internal` and the same in braces give the same tree.

use crate::notes::Notes;
use std::collections::{BTreeMap, BTreeSet};

/// Deepest word; real ones have some twenty.
const DEPTH_MAX: usize = 64;
/// Words in all; copies out of groups count.
const WORDS_MAX: usize = 8_000_000;
/// Words whose values add up where a group brings more; of all others the value nearest to the place holds.
const ADDING: [&str; 14] = [
    "import",
    "export",
    "members",
    "protocol",
    "community",
    "as-path",
    "prefix-list",
    "prefix-list-filter",
    "route-filter",
    "neighbor",
    "address",
    "next-hop",
    "then",
    "family",
];

/// Number of a word in the tree.
pub(super) type Id = u32;
pub(super) const ROOT: Id = 0;

#[derive(Debug, Default)]
struct Word {
    text: String,
    line: u32,
    children: Vec<Id>,
    parent: Id,
}

/// The tree.
#[derive(Debug)]
pub(super) struct Tree {
    words: Vec<Word>,
    index: BTreeMap<(Id, String), Id>,
    full: bool,
}

impl Tree {
    fn new() -> Self {
        Self { words: vec![Word::default()], index: BTreeMap::new(), full: false }
    }

    /// Reads either form. What is cut off or stands too deep is a problem; the rest is kept.
    pub fn read(text: &str, notes: &mut Notes) -> Self {
        let mut tree = Self::new();
        let first = text.lines().map(str::trim).find(|l| !l.is_empty() && !l.starts_with(['#', '/', '*']) && *l != "end");
        let flat = |l: &str| ["set ", "deactivate ", "delete ", "activate ", "protect "].iter().any(|w| l.starts_with(w));
        if first.is_some_and(flat) {
            tree.read_set(text, notes);
        } else {
            tree.read_braces(text, notes);
        }
        tree.inherit(notes);
        if tree.full {
            notes.problem(0, "", "", "more than eight million words: the rest of the configuration is not kept");
        }
        tree
    }

    pub fn text(&self, id: Id) -> &str {
        &self.words[id as usize].text
    }

    pub fn line(&self, id: Id) -> u32 {
        self.words[id as usize].line
    }

    pub fn children(&self, id: Id) -> impl Iterator<Item = (Id, &str)> {
        self.words[id as usize].children.iter().map(|c| (*c, self.text(*c)))
    }

    pub fn child(&self, id: Id, text: &str) -> Option<Id> {
        self.index.get(&(id, text.to_owned())).copied()
    }

    pub fn path(&self, from: Id, path: &[&str]) -> Option<Id> {
        path.iter().try_fold(from, |at, word| self.child(at, word))
    }

    /// The value below a word; of several the last, which Junos keeps.
    pub fn value(&self, id: Id, key: &str) -> Option<(&str, u32)> {
        self.last(self.child(id, key)?)
    }

    /// The last word below.
    pub fn last(&self, id: Id) -> Option<(&str, u32)> {
        self.words[id as usize].children.last().map(|c| (self.text(*c), self.line(*c)))
    }

    /// The words from here down, along the first of each, as a line.
    pub fn written(&self, id: Id) -> String {
        let (mut out, mut at) = (self.text(id).to_owned(), id);
        for _ in 0..DEPTH_MAX {
            let children = &self.words[at as usize].children;
            match children[..] {
                [one] => at = one,
                [] => break,
                _ => {
                    out.push_str(" …");
                    break;
                }
            }
            out.push(' ');
            out.push_str(self.text(at));
        }
        out
    }

    fn insert(&mut self, parent: Id, text: &str, line: u32) -> Id {
        let key = (parent, text.to_owned());
        if let Some(known) = self.index.get(&key) {
            return *known;
        }
        if self.words.len() >= WORDS_MAX {
            self.full = true;
            return parent;
        }
        let id = self.words.len() as Id;
        self.words.push(Word { text: text.to_owned(), line, children: Vec::new(), parent });
        self.words[parent as usize].children.push(id);
        self.index.insert(key, id);
        id
    }

    fn insert_path(&mut self, from: Id, depth: usize, words: &[Token<'_>], line: u32) -> Option<Id> {
        (depth + words.len() <= DEPTH_MAX).then(|| words.iter().fold(from, |at, word| self.insert(at, word.text, line)))
    }

    fn remove(&mut self, gone: &BTreeSet<Id>) {
        let parents: BTreeSet<Id> = gone.iter().map(|id| self.words[*id as usize].parent).collect();
        for id in gone {
            let word = &self.words[*id as usize];
            self.index.remove(&(word.parent, word.text.clone()));
        }
        for parent in parents {
            self.words[parent as usize].children.retain(|c| !gone.contains(c));
        }
    }

    /// The words from the top down to a place.
    fn way(&self, id: Id) -> Vec<String> {
        let mut out = Vec::new();
        let mut at = id;
        while at != ROOT {
            out.push(self.text(at).to_owned());
            at = self.words[at as usize].parent;
        }
        out.reverse();
        out
    }

    fn read_set(&mut self, text: &str, notes: &mut Notes) {
        let mut gone: BTreeSet<Id> = BTreeSet::new();
        for (line, raw) in (1..).zip(text.lines()) {
            let tokens: Vec<Token<'_>> = Tokens { rest: raw, line, quote_open: false }.collect();
            let Some((verb, path)) = tokens.split_first() else { continue };
            match verb.text {
                "set" => {
                    if path.len() > DEPTH_MAX {
                        notes.problem(line, raw.trim(), "", "deeper than 64 words: not kept");
                    } else if raw.matches('"').count() % 2 == 1 {
                        notes.problem(line, raw.trim(), "", "a quotation that does not end: not kept");
                    } else {
                        self.insert_list(ROOT, 0, path, line);
                    }
                }
                "deactivate" | "delete" => {
                    let found = path.iter().try_fold(ROOT, |at, word| self.child(at, word.text));
                    gone.extend(found.filter(|id| *id != ROOT));
                }
                "activate" => {
                    let found = path.iter().try_fold(ROOT, |at, word| self.child(at, word.text));
                    if let Some(id) = found {
                        gone.remove(&id);
                    }
                }
                "end" | "protect" | "unprotect" | "annotate" | "top" | "exit" | "commit" => {}
                _ => notes.problem(line, raw.trim(), "", "neither set nor deactivate: not kept"),
            }
        }
        // a deactivated part is there, and as if it were not
        self.remove(&gone);
    }

    /// Words, of which `[ a b ]` stands for several values.
    fn insert_list(&mut self, from: Id, depth: usize, words: &[Token<'_>], line: u32) -> bool {
        let bracket = words.iter().position(|t| t.kind == Kind::Open && t.text == "[");
        let Some(at) = bracket else { return self.insert_path(from, depth, words, line).is_some() };
        let Some(parent) = self.insert_path(from, depth, &words[..at], line) else { return false };
        for value in words[at + 1..].iter().filter(|t| t.kind == Kind::Word) {
            self.insert(parent, value.text, line);
        }
        true
    }

    fn read_braces(&mut self, text: &str, notes: &mut Notes) {
        let mut open: Vec<(Id, usize, bool)> = vec![(ROOT, 0, false)];
        let mut said: Vec<Token<'_>> = Vec::new();
        let mut comment = false;
        let mut quote: Option<u32> = None;
        let (mut last_line, mut stray) = (0, 0u32);
        for (line, raw) in (1..).zip(text.lines()) {
            last_line = line;
            let mut tokens = Tokens { rest: raw, line, quote_open: false };
            while let Some(token) = tokens.next_or_comment(&mut comment) {
                let (at, depth, dead) = open.last().copied().unwrap_or((ROOT, 0, false));
                let inactive = said.first().is_some_and(|t| t.text == "inactive:");
                let words: &[Token<'_>] = if said.first().is_some_and(|t| t.text.ends_with(':')) { &said[1..] } else { &said };
                match (token.kind, token.text) {
                    (Kind::Open, "{") => {
                        if words.is_empty() {
                            notes.problem(token.line, "{", "", "a block without a name; what is in it is not kept");
                            open.push((at, depth, true));
                        } else if dead || inactive {
                            open.push((at, depth, true));
                        } else {
                            match self.insert_path(at, depth, words, token.line) {
                                Some(id) => open.push((id, depth + words.len(), false)),
                                None => {
                                    notes.problem(
                                        token.line,
                                        &joined(words),
                                        "",
                                        "deeper than 64 words: what is in this block is not kept",
                                    );
                                    open.push((at, depth, true));
                                }
                            }
                        }
                        // braces are counted, however deep; their content past the bound is not kept
                        said.clear();
                    }
                    (Kind::Open, "}") => {
                        if !words.is_empty() {
                            notes.problem(token.line, &joined(words), "", "a statement without `;` before `}`: not kept");
                        }
                        said.clear();
                        if open.len() > 1 {
                            open.pop();
                        } else {
                            stray += 1;
                            if stray <= 10 {
                                notes.problem(token.line, "}", "", "closes nothing; reading goes on at the top");
                            }
                        }
                    }
                    (Kind::Open, ";") => {
                        if !dead && !inactive && !words.is_empty() && !self.insert_list(at, depth, words, token.line) {
                            notes.problem(token.line, &joined(words), "", "deeper than 64 words: not kept");
                        }
                        said.clear();
                    }
                    _ => said.push(token),
                }
            }
            if tokens.quote_open {
                quote.get_or_insert(line);
            }
            if matches!(&said[..], [only] if only.text == "end") {
                said.clear();
            }
        }
        if let Some(line) = quote {
            notes.problem(line, "\"", "", "a quotation that does not end on its line: the line's rest is taken as the value");
        }
        if !said.is_empty() {
            let effect = "the configuration ends inside a statement: it is not kept";
            notes.problem(said.first().map_or(last_line, |t| t.line), &joined(&said), "", effect);
        }
        if open.len() > 1 {
            let effect = format!("the configuration ends inside {} blocks: it is cut off; what was read is kept", open.len() - 1);
            notes.problem(last_line, "", "", &effect);
        }
    }

    /// Carries out `apply-groups` (Junos CLI guide, "Configuration Groups"): what stands at the place holds, wildcards meet what is there.
    fn inherit(&mut self, notes: &mut Notes) {
        let Some(groups) = self.child(ROOT, "groups") else { return };
        let mut todo: Vec<Id> = vec![ROOT];
        while let Some(at) = todo.pop() {
            let names: Vec<(String, u32)> = self
                .child(at, "apply-groups")
                .map(|a| self.children(a).map(|(i, t)| (t.to_owned(), self.line(i))).collect())
                .unwrap_or_default();
            let way = if names.is_empty() { Vec::new() } else { self.way(at) };
            for (name, line) in names {
                let Some(group) = self.child(groups, &name) else {
                    notes.problem(line, &format!("apply-groups {name}"), "", "there is no such group: nothing is inherited from it");
                    continue;
                };
                let mut sources = vec![group];
                for word in &way {
                    sources = sources.iter().flat_map(|s| self.children(*s)).filter(|(_, t)| meets(t, word)).map(|(i, _)| i).collect();
                }
                for source in sources {
                    self.merge(at, source, &name, 0);
                }
            }
            // only blocks can have the statement
            let block = |c: &Id| *c != groups && !self.words[*c as usize].children.is_empty();
            todo.extend(self.words[at as usize].children.iter().copied().filter(block));
        }
    }

    fn merge(&mut self, at: Id, source: Id, group: &str, depth: usize) {
        let except = self.child(at, "apply-groups-except").is_some_and(|e| self.child(e, group).is_some());
        if except || depth > DEPTH_MAX || self.full {
            return;
        }
        for from in self.words[source as usize].children.clone() {
            let (text, line) = (self.text(from).to_owned(), self.line(from));
            if text.starts_with('<') && text.ends_with('>') {
                let met: Vec<Id> = self.children(at).filter(|(_, t)| meets(&text, t)).map(|(i, _)| i).collect();
                met.into_iter().for_each(|to| self.merge(to, from, group, depth + 1));
                continue;
            }
            let bare = |s: &Self, id: Id| {
                let word = &s.words[id as usize];
                !word.children.is_empty() && word.children.iter().all(|c| s.words[*c as usize].children.is_empty())
            };
            if let Some(there) = self.child(at, &text)
                && bare(self, there)
                && bare(self, from)
                && !ADDING.contains(&text.as_str())
            {
                continue;
            }
            let to = self.insert(at, &text, line);
            if to != at {
                self.merge(to, from, group, depth + 1);
            }
        }
    }
}

/// Says whether a group's word meets a word: `<*>`, `<ge-*>`, or the same.
fn meets(pattern: &str, word: &str) -> bool {
    let Some(glob) = pattern.strip_prefix('<').and_then(|p| p.strip_suffix('>')) else { return pattern == word };
    let mut parts = glob.split('*');
    let Some(mut rest) = parts.next().and_then(|head| word.strip_prefix(head)) else { return false };
    let tail: Vec<&str> = parts.collect();
    let Some((last, middle)) = tail.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(found) => rest = &rest[found + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

fn joined(words: &[Token<'_>]) -> String {
    words.iter().take(20).map(|t| t.text).collect::<Vec<_>>().join(" ")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Word,
    /// `{`, `}`, `;`, `[`, `]`.
    Open,
}

#[derive(Clone, Copy, Debug)]
struct Token<'t> {
    kind: Kind,
    text: &'t str,
    line: u32,
}

struct Tokens<'t> {
    rest: &'t str,
    line: u32,
    quote_open: bool,
}

impl<'t> Tokens<'t> {
    /// The next word or sign; comments go, also over several lines.
    fn next_or_comment(&mut self, comment: &mut bool) -> Option<Token<'t>> {
        loop {
            if *comment {
                match self.rest.find("*/") {
                    Some(end) => self.rest = &self.rest[end + 2..],
                    None => return None,
                }
                *comment = false;
            }
            self.rest = self.rest.trim_start();
            if let Some(rest) = self.rest.strip_prefix("/*") {
                (self.rest, *comment) = (rest, true);
                continue;
            }
            return self.next();
        }
    }
}

impl<'t> Iterator for Tokens<'t> {
    type Item = Token<'t>;

    fn next(&mut self) -> Option<Token<'t>> {
        self.rest = self.rest.trim_start();
        let first = self.rest.chars().next()?;
        if first == '#' {
            return None;
        }
        let cut = |s: &mut Self, length: usize, kind| {
            let (text, rest) = s.rest.split_at(length);
            s.rest = rest;
            Some(Token { kind, text, line: s.line })
        };
        if "{};[]".contains(first) {
            return cut(self, 1, Kind::Open);
        }
        if first == '"' {
            let inside = &self.rest[1..];
            let end = inside.char_indices().scan(false, |escaped, (i, c)| {
                let ends = c == '"' && !*escaped;
                *escaped = c == '\\' && !*escaped;
                Some((i, ends))
            });
            let end = end.into_iter().find(|(_, ends)| *ends).map(|(i, _)| i);
            self.quote_open = end.is_none();
            let text = &inside[..end.unwrap_or(inside.len())];
            self.rest = end.map_or("", |e| &inside[e + 1..]);
            return Some(Token { kind: Kind::Word, text, line: self.line });
        }
        let end = self.rest.find(|c: char| c.is_whitespace() || "{};".contains(c)).unwrap_or(self.rest.len());
        // a list's end may stand close to its last word
        let end = self.rest[..end].find(']').filter(|e| *e > 0 && !self.rest[..*e].contains('[')).unwrap_or(end);
        cut(self, end, Kind::Word)
    }
}
