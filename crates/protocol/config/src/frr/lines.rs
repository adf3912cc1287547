//! The `configure terminal` lines that carry out edits.

use crate::edit::{EditError, apply};
use crate::{Condition, PolicyEdit, PolicyResult, PrefixEntry, PrefixSet, RouteAction, RouterConfig, Statement};
use bgp::{Community, Family, Origin};
use core::net::IpAddr;

/// Returns the `configure terminal` lines that carry out `edits` on a router that runs `config`.
///
/// Order keeps every intermediate state harmless: a prefix set is there before the term that names it, and goes after it.
///
/// # Errors
/// [`EditError`] when they do not apply.
pub fn lines(config: &RouterConfig, edits: &[PolicyEdit]) -> Result<Vec<String>, EditError> {
    let mut now = config.clone();
    let mut out = Vec::new();
    for (index, edit) in edits.iter().enumerate() {
        let mut after = now.clone();
        apply(&mut after, core::slice::from_ref(edit)).map_err(|e| e.at(index))?;
        write(&now, edit, &mut out);
        now = after;
    }
    Ok(out)
}

fn write(config: &RouterConfig, edit: &PolicyEdit, out: &mut Vec<String>) {
    match edit {
        PolicyEdit::PutPrefixSet { name, set } => put_prefix_set(config.policy.prefix_sets.get(name), name, set, out),
        PolicyEdit::DeletePrefixSet { name } => {
            if let Some(old) = config.policy.prefix_sets.get(name) {
                out.push(format!("no {} prefix-list {name}", ip(old.family)));
            }
        }
        PolicyEdit::InsertStatement { policy, statement, .. } => insert_statement(config, policy, statement, out),
        PolicyEdit::ReplaceStatement { policy, statement } => replace_statement(config, policy, statement, out),
        PolicyEdit::DeleteStatement { policy, sequence } => remove_statement(config, policy, *sequence, out),
        PolicyEdit::SetNeighborEnabled { neighbor, enabled } => {
            if let Some(bgp) = &config.bgp {
                out.push(format!("router bgp {}", bgp.asn));
                out.push(format!(" {}neighbor {neighbor} shutdown", if *enabled { "no " } else { "" }));
                out.push("exit".to_owned());
            }
        }
    }
}

/// Writes only what differs, new entries before old ones go: a list that is empty for a moment would not exist, and a deny term that
/// matches it would let everything through. An entry that only moves goes first, because FRR refuses the same entry twice.
fn put_prefix_set(old: Option<&PrefixSet>, name: &str, set: &PrefixSet, out: &mut Vec<String>) {
    let line = |e: &PrefixEntry| {
        let bounds = [("ge", e.ge), ("le", e.le)].iter().filter_map(|(w, v)| v.map(|v| format!(" {w} {v}"))).collect::<String>();
        format!("{} prefix-list {name} seq {} {} {}{bounds}", ip(set.family), e.sequence, permit(e.permit), e.prefix)
    };
    if let Some(other) = old.filter(|o| o.family != set.family) {
        out.push(format!("no {} prefix-list {name}", ip(other.family)));
    }
    let had = old.filter(|o| o.family == set.family).map_or(&[][..], |o| &o.entries);
    let moves =
        |e: &PrefixEntry| set.entries.iter().any(|n| n.sequence != e.sequence && PrefixEntry { sequence: e.sequence, ..n.clone() } == *e);
    let gone = |e: &PrefixEntry| !set.entries.iter().any(|n| n.sequence == e.sequence);
    out.extend(had.iter().filter(|e| moves(e)).map(|e| format!("no {}", line(e))));
    out.extend(set.entries.iter().filter(|e| !had.contains(e)).map(line));
    out.extend(had.iter().filter(|e| gone(e) && !moves(e)).map(|e| format!("no {}", line(e))));
}

fn term<'a>(config: &'a RouterConfig, policy: &str, sequence: u32) -> Option<&'a Statement> {
    config.policy.definitions.get(policy).and_then(|d| d.statements.iter().find(|s| s.sequence == sequence))
}

fn heading(policy: &str, statement: &Statement) -> String {
    format!("route-map {policy} {} {}", permit(statement.result == PolicyResult::Accept), statement.sequence)
}

fn remove_statement(config: &RouterConfig, policy: &str, sequence: u32, out: &mut Vec<String>) {
    out.extend(term(config, policy, sequence).map(|term| format!("no {}", heading(policy, term))));
}

fn insert_statement(config: &RouterConfig, policy: &str, statement: &Statement, out: &mut Vec<String>) {
    out.push(heading(policy, statement));
    out.extend(clauses(config, statement).into_iter().map(|c| format!(" {}", c.line)));
    out.push("exit".to_owned());
}

/// Writes only what differs: a term that is taken away and built anew would let routes through without its actions in between, and would
/// lose its description. Permit and deny cannot be exchanged in place: FRR drops the content.
fn replace_statement(config: &RouterConfig, policy: &str, new: &Statement, out: &mut Vec<String>) {
    let Some(old) = term(config, policy, new.sequence).filter(|old| old.result == new.result) else {
        remove_statement(config, policy, new.sequence, out);
        return insert_statement(config, policy, new, out);
    };
    let (had, wants) = (clauses(config, old), clauses(config, new));
    out.push(heading(policy, new));
    for clause in had.iter().filter(|c| !wants.iter().any(|w| w.slot == c.slot)) {
        out.push(format!(" no {}", clause.slot));
    }
    out.extend(wants.iter().filter(|w| !had.contains(w)).map(|w| format!(" {}", w.line)));
    out.push("exit".to_owned());
}

impl RouteAction {
    /// Returns the line that FRR has for it.
    #[must_use]
    pub fn line(&self) -> String {
        action(self).line
    }
}

/// One line of a term.
#[derive(PartialEq, Eq)]
struct Clause {
    line: String,
    /// What takes the line away after `no`; a line of the same slot replaces it.
    slot: String,
}

fn clauses(config: &RouterConfig, statement: &Statement) -> Vec<Clause> {
    let conditions = statement.conditions.iter().map(|c| condition(config, c));
    conditions.chain(statement.actions.iter().map(action)).collect()
}

fn condition(config: &RouterConfig, condition: &Condition) -> Clause {
    let clause = |slot: &str, name: &str| Clause { line: format!("{slot} {name}"), slot: slot.to_owned() };
    match condition {
        Condition::PrefixSet(name) => {
            let family = config.policy.prefix_sets.get(name).map_or(Family::Ipv4Unicast, |s| s.family);
            clause(&format!("match {} address prefix-list", ip(family)), name)
        }
        Condition::CommunitySet(name) => clause("match community", name),
        Condition::Unmodelled(line) | Condition::Wider { line, .. } => Clause { line: line.clone(), slot: line.clone() },
    }
}

fn action(action: &RouteAction) -> Clause {
    let list = |c: &[Community]| c.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let (slot, rest) = match action {
        RouteAction::SetLocalPref(v) => ("set local-preference", v.to_string()),
        RouteAction::SetMed(v) => ("set metric", v.to_string()),
        RouteAction::SetWeight(v) => ("set weight", v.to_string()),
        RouteAction::SetOrigin(o) => ("set origin", origin(*o).to_owned()),
        RouteAction::AddCommunities(c) => ("set community", format!("{} additive", list(c))),
        RouteAction::SetCommunities(c) if c.is_empty() => ("set community", "none".to_owned()),
        RouteAction::SetCommunities(c) => ("set community", list(c)),
        RouteAction::DeleteCommunities(name) => return delete_communities(name),
        RouteAction::Prepend(path) => ("set as-path prepend", path.to_string()),
        RouteAction::SetNextHop(IpAddr::V4(a)) => ("set ip next-hop", a.to_string()),
        RouteAction::SetNextHop(IpAddr::V6(a)) => ("set ipv6 next-hop global", a.to_string()),
        RouteAction::Unmodelled(line) | RouteAction::Wider { line, .. } => return Clause { line: line.clone(), slot: line.clone() },
    };
    Clause { line: format!("{slot} {rest}"), slot: slot.to_owned() }
}

fn delete_communities(name: &str) -> Clause {
    let line = format!("set comm-list {name} delete");
    Clause { slot: line.clone(), line }
}

const fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Igp => "igp",
        Origin::Egp => "egp",
        Origin::Incomplete => "incomplete",
    }
}

const fn ip(family: Family) -> &'static str {
    match family {
        Family::Ipv4Unicast => "ip",
        Family::Ipv6Unicast => "ipv6",
    }
}

const fn permit(yes: bool) -> &'static str {
    if yes { "permit" } else { "deny" }
}
