//! Sets: of prefixes, communities and AS paths, named or written in place.

use super::rpl::Token;
use crate::eos::policy::put;
use crate::notes::Notes;
use crate::program::Test;
use crate::{Condition, ListEntry, PrefixEntry, RouterConfig, WiderCondition, expression, outline};
use bgp::{Community, Family, LargeCommunity, Prefix};

/// A community set's elements.
#[derive(Clone, Debug, Default)]
pub(super) struct Communities {
    pub plain: Vec<Community>,
    pub large: Vec<LargeCommunity>,
    /// Expressions over the text of all communities.
    pub patterns: Vec<String>,
    /// An element that is not modelled.
    pub unread: bool,
}

/// Splits at commas outside of brackets.
pub(super) fn elements<'k, 't>(tokens: &'k [Token<'t>]) -> impl Iterator<Item = &'k [Token<'t>]> {
    tokens.split(|t| t.text == ",").filter(|e| !e.is_empty())
}

/// Reads a set of prefixes; entries that are not understood are noted.
pub(super) fn prefixes(name: &str, tokens: &[Token<'_>], config: &mut RouterConfig, notes: &mut Notes) {
    let mut sequence = 0;
    put(config, name, false, None);
    for element in elements(tokens) {
        sequence += 5;
        match prefix(element, sequence) {
            Some(entry) => put(config, name, entry.prefix.family() == Family::Ipv6Unicast, Some(entry)),
            None => {
                let text = element.iter().map(|t| t.text).collect::<Vec<_>>().join(" ");
                notes.unmodelled(element[0].line, &text, &format!("prefix-set {name}"), "the set is without this entry");
            }
        }
    }
    let empty = config.policy.prefix_sets.get(name).is_some_and(|s| s.entries.is_empty());
    if empty && let Some(six) = config.policy.wider.prefix_sets_v6.remove(name) {
        config.policy.prefix_sets.insert(name.to_owned(), six);
    }
}

fn prefix(element: &[Token<'_>], sequence: u32) -> Option<PrefixEntry> {
    let (first, bounds) = element.split_first()?;
    let prefix: Prefix = outline::prefix(first.text)?;
    let (mut ge, mut le) = (None, None);
    let mut bounds = bounds.iter();
    while let Some(word) = bounds.next() {
        let value: u8 = bounds.next()?.text.parse().ok()?;
        match word.text {
            "eq" => (ge, le) = (Some(value), Some(value)),
            "ge" => ge = Some(value),
            "le" => le = Some(value),
            _ => return None,
        }
    }
    Some(PrefixEntry { sequence, permit: true, prefix, ge, le })
}

/// Reads a set of communities.
pub(super) fn communities(tokens: &[Token<'_>], large: bool) -> (Communities, Vec<u32>) {
    let mut out = Communities::default();
    let mut unread = Vec::new();
    for element in elements(tokens) {
        let words: Vec<&str> = element.iter().map(|t| t.text).collect();
        match words[..] {
            ["ios-regex", regex] => out.patterns.push(regex.to_owned()),
            [one] => {
                let well_known = match one {
                    "local-AS" | "local-as" => Some(Community::NO_EXPORT_SUBCONFED),
                    // 0:0 is the name's value
                    "internet" => Some(Community::new(0, 0)),
                    _ => None,
                };
                let number = || one.parse::<u32>().ok().map(|n| Community::new((n >> 16) as u16, n as u16));
                if large {
                    match one.parse() {
                        Ok(one) => out.large.push(one),
                        Err(_) => unread.push(element[0].line),
                    }
                } else if let Some(one) = well_known.or_else(|| one.parse().ok()).or_else(number) {
                    out.plain.push(one);
                } else if let Some(pattern) = expression::community(one) {
                    out.patterns.push(pattern);
                } else {
                    unread.push(element[0].line);
                }
            }
            _ => unread.push(element[0].line),
        }
    }
    out.unread = !unread.is_empty();
    (out, unread)
}

impl Communities {
    /// Says whether the set can be written, added or taken away: only numbers.
    pub fn plain_only(&self) -> bool {
        self.patterns.is_empty() && !self.unread
    }

    /// A route has one of them, or all; the lists that are needed get names of their own.
    pub fn test(&self, name: &str, every: bool, config: &mut RouterConfig) -> Test {
        if self.unread {
            return Test::unmodelled(format!("community matches-… {name}"));
        }
        let policy = &mut config.policy;
        let mut tests = Vec::new();
        if every {
            if !self.plain.is_empty() {
                let own = format!("{name} (every)");
                policy.community_sets.entry(own.clone()).or_default().entries = vec![(true, self.plain.clone())];
                tests.push(Test::Is(Condition::CommunitySet(own)));
            }
            if !self.large.is_empty() {
                let own = format!("{name} (every)");
                let entry = ListEntry { sequence: 5, permit: true, what: self.large.clone() };
                policy.wider.large_community_sets.insert(own.clone(), vec![entry]);
                tests.push(Test::wider(WiderCondition::LargeCommunitySet(own), format!("large-community matches-every {name}")));
            }
        } else {
            if !self.plain.is_empty() {
                policy.community_sets.entry(name.to_owned()).or_default().entries = self.plain.iter().map(|c| (true, vec![*c])).collect();
                tests.push(Test::Is(Condition::CommunitySet(name.to_owned())));
            }
            if !self.large.is_empty() {
                let list = self.large.iter().zip(1..).map(|(c, n)| ListEntry { sequence: n * 5, permit: true, what: vec![*c] });
                policy.wider.large_community_sets.insert(name.to_owned(), list.collect());
                let line = format!("large-community matches-any {name}");
                tests.push(Test::wider(WiderCondition::LargeCommunitySet(name.to_owned()), line));
            }
        }
        for (n, pattern) in self.patterns.iter().enumerate() {
            let own = format!("{name} (pattern {})", n + 1);
            let entry = ListEntry { sequence: 5, permit: true, what: pattern.clone() };
            policy.wider.expanded_community_sets.insert(own.clone(), vec![entry]);
            tests.push(Test::Is(Condition::CommunitySet(own)));
        }
        if every { Test::All(tests) } else { Test::Any(tests) }
    }
}

/// Reads a set of AS paths as expressions; `None`: an element that is not modelled, with its line.
pub(super) fn as_paths(tokens: &[Token<'_>]) -> Result<Vec<ListEntry<String>>, u32> {
    let mut out = Vec::new();
    for element in elements(tokens) {
        let words: Vec<&str> = element.iter().map(|t| t.text).collect();
        let line = element[0].line;
        let what = match words[..] {
            ["ios-regex", regex] => regex.to_owned(),
            ["length", relation, n] => length(relation, n).ok_or(line)?,
            [kind @ ("passes-through" | "originates-from" | "neighbor-is"), path]
            | [kind @ ("passes-through" | "originates-from" | "neighbor-is"), path, "exact"] => through(kind, path).ok_or(line)?,
            _ => return Err(line),
        };
        out.push(ListEntry { sequence: out.len() as u32 * 5 + 5, permit: true, what });
    }
    Ok(out)
}

/// `passes-through '1 2'`, `originates-from '2'`, `neighbor-is '1'` as an expression; each number may be repeated in the path.
pub(super) fn through(kind: &str, path: &str) -> Option<String> {
    let asns: Vec<&str> = path.split_whitespace().collect();
    let known = asns.iter().all(|a| outline::asn(a).is_some() && !a.contains('.'));
    if asns.is_empty() || !known {
        return None;
    }
    let each: Vec<String> = asns.iter().map(|a| format!("{a}( {a})*")).collect();
    let path = each.join(" ");
    Some(match kind {
        "passes-through" => format!("_{path}_"),
        "originates-from" => format!("_{path}$"),
        _ => format!("^{path}_"),
    })
}

/// `eq|is|ge|le N` of a path's length.
pub(super) fn length(relation: &str, n: &str) -> Option<String> {
    let n: u32 = n.parse().ok()?;
    match relation {
        "eq" | "is" => Some(expression::length(n, Some(n))),
        "ge" => Some(expression::length(n, None)),
        "le" => Some(expression::length(0, Some(n))),
        _ => None,
    }
}
