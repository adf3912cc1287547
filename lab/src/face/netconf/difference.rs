//! What must be edited to come from one configuration to another, within what edits can touch.

use config::{PolicyDefinition, PolicyEdit, RouterConfig};

/// Most lines of a difference that are told.
const LINES_MAX: usize = 40;

/// Returns the edits that lead from `from` to `to`. Whole policy definitions cannot be made or removed by edits and are left out.
#[must_use]
pub fn edits_between(from: &RouterConfig, to: &RouterConfig) -> Vec<PolicyEdit> {
    let mut edits = Vec::new();
    for (name, set) in &to.policy.prefix_sets {
        if from.policy.prefix_sets.get(name) != Some(set) {
            edits.push(PolicyEdit::PutPrefixSet { name: name.clone(), set: set.clone() });
        }
    }
    for (policy, wanted) in &to.policy.definitions {
        if let Some(there) = from.policy.definitions.get(policy) {
            terms(policy, there, wanted, &mut edits);
        }
    }
    for name in from.policy.prefix_sets.keys().filter(|n| !to.policy.prefix_sets.contains_key(*n)) {
        edits.push(PolicyEdit::DeletePrefixSet { name: name.clone() });
    }
    let peers = |c: &RouterConfig| c.bgp.as_ref().map(|b| b.neighbors.clone()).unwrap_or_default();
    let there = peers(from);
    for (address, wanted) in peers(to) {
        if there.get(&address).is_some_and(|n| n.shutdown != wanted.shutdown) {
            edits.push(PolicyEdit::SetNeighborEnabled { neighbor: address, enabled: !wanted.shutdown });
        }
    }
    edits
}

fn terms(policy: &str, there: &PolicyDefinition, wanted: &PolicyDefinition, edits: &mut Vec<PolicyEdit>) {
    let policy = || policy.to_owned();
    let gone = there.statements.iter().filter(|s| !wanted.statements.iter().any(|w| w.sequence == s.sequence));
    edits.extend(gone.map(|s| PolicyEdit::DeleteStatement { policy: policy(), sequence: s.sequence }));
    for statement in &wanted.statements {
        match there.statements.iter().find(|s| s.sequence == statement.sequence) {
            Some(same) if same == statement => {}
            Some(_) => edits.push(PolicyEdit::ReplaceStatement { policy: policy(), statement: statement.clone() }),
            None => {
                // the next term that is there already: those in between are inserted after this one
                let after = there.statements.iter().filter(|s| wanted.statements.iter().any(|w| w.sequence == s.sequence));
                let before = after.map(|s| s.sequence).find(|s| *s > statement.sequence);
                edits.push(PolicyEdit::InsertStatement { policy: policy(), statement: statement.clone(), before });
            }
        }
    }
}

/// Returns the lines that only one of two texts has, `-` for the first, `+` for the second; bounded.
#[must_use]
pub fn lines_between(first: &str, second: &str) -> Vec<String> {
    let only = |a: &str, b: &str, sign: char| {
        let mut left: Vec<&str> = b.lines().collect();
        let mut out = Vec::new();
        for line in a.lines() {
            match left.iter().position(|l| *l == line) {
                Some(at) => drop(left.swap_remove(at)),
                None => out.push(format!("{sign}{line}")),
            }
        }
        out
    };
    let mut lines = only(first, second, '-');
    lines.extend(only(second, first, '+'));
    if lines.is_empty() && first != second {
        lines.push("the same lines in another order".to_owned());
    }
    let total = lines.len();
    if total > LINES_MAX {
        lines.truncate(LINES_MAX);
        lines.push(format!("and {} more", total - LINES_MAX));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(terms: &[(u32, u32)]) -> RouterConfig {
        let text: String = terms.iter().map(|(s, lp)| format!("route-map IN permit {s}\n set local-preference {lp}\nexit\n!\n")).collect();
        config::frr::parse(&text)
    }

    #[test]
    fn the_edits_lead_from_one_to_the_other() {
        let cases: [&[(u32, u32)]; 5] =
            [&[(10, 1)], &[(10, 2)], &[(5, 7), (10, 1), (20, 3)], &[(5, 1), (6, 1), (7, 1), (10, 1)], &[(6, 1), (10, 9), (30, 1)]];
        for from in cases {
            for to in cases {
                let (mut now, then) = (policy(from), policy(to));
                let edits = edits_between(&now, &then);
                config::edit::apply(&mut now, &edits).unwrap();
                assert_eq!(now.policy, then.policy, "{from:?} to {to:?} by {edits:?}");
            }
        }
    }

    #[test]
    fn lines_name_what_differs() {
        assert_eq!(lines_between("a\nb\nb\n", "b\na\nc\n"), ["-b", "+c"]);
        assert_eq!(lines_between("a\nb\n", "b\na\n"), ["the same lines in another order"]);
        assert!(lines_between("a\n", "a\n").is_empty());
    }
}
