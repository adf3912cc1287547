use super::*;
use crate::PolicyOutcome;
use bgp::{Community, PathAttributes, Prefix};

fn list(name: &str) -> Test {
    Test::Is(Condition::PrefixSet(name.to_owned()))
}

/// A set for each name: 10.N.0.0/16, so that a route is in exactly the sets its number has.
fn policy(program: &Program, end: End, original: bool) -> crate::RoutingPolicy {
    let mut policy = crate::RoutingPolicy::default();
    for (name, prefix) in [("A", "10.1.0.0/16"), ("B", "10.2.0.0/16"), ("C", "10.3.0.0/16")] {
        let entry = crate::PrefixEntry { sequence: 5, permit: true, prefix: prefix.parse().unwrap(), ge: None, le: None };
        let set = crate::PrefixSet { family: bgp::Family::Ipv4Unicast, entries: vec![entry] };
        policy.prefix_sets.insert(name.to_owned(), set);
    }
    policy.definitions.insert("P".to_owned(), program.finish(end, original));
    policy
}

/// Walks as a router of the model does, with forward jumps (the crate's own evaluation knows only the narrow part).
fn walk(policy: &crate::RoutingPolicy, prefix: &str) -> Option<PathAttributes> {
    let (prefix, mut route): (Prefix, _) = (prefix.parse().unwrap(), PathAttributes::default());
    let mut from = 0;
    for term in &policy.definitions["P"].statements {
        let hit = |c: &Condition| match c {
            Condition::PrefixSet(name) => policy.prefix_sets[name].matches(&prefix),
            Condition::Wider { what: WiderCondition::Med(v), .. } => route.med.unwrap_or(0) == *v,
            other => panic!("{other:?}"),
        };
        if term.sequence < from || !term.conditions.iter().all(hit) {
            continue;
        }
        if term.result == PolicyResult::Reject {
            return None;
        }
        let mut flow = Flow::Exit;
        for action in &term.actions {
            match action {
                RouteAction::Wider { what: WiderAction::Flow(f), .. } => flow = *f,
                RouteAction::SetLocalPref(v) => route.local_pref = Some(*v),
                RouteAction::SetMed(v) => route.med = Some(*v),
                RouteAction::AddCommunities(c) => route.communities.extend_from_slice(c),
                other => panic!("{other:?}"),
            }
        }
        match flow {
            Flow::Exit => return Some(route),
            Flow::Next => {}
            Flow::Goto(to) => {
                assert!(to > term.sequence, "only forward");
                from = to;
            }
        }
    }
    panic!("the end of a policy is always told");
}

fn branch(p: &mut Program, test: &Test, then: impl FnOnce(&mut Program), otherwise: impl FnOnce(&mut Program)) {
    let (yes, no, end) = (p.label(), p.label(), p.label());
    p.test(test, yes, no);
    p.place(yes);
    then(p);
    p.jump(end);
    p.place(no);
    otherwise(p);
    p.place(end);
}

#[test]
fn not_or_and_nested_branches_decide_as_written() {
    let test = Test::All(vec![Test::Not(Box::new(list("A"))), Test::Any(vec![list("B"), Test::All(vec![list("C")])])]);
    let mut p = Program::default();
    branch(&mut p, &test, |p| p.set(RouteAction::SetLocalPref(200)), |p| p.set(RouteAction::SetMed(7)));
    p.set(RouteAction::AddCommunities(vec![Community::new(1, 1)]));
    let policy = policy(&p, End::Accept, false);
    for (prefix, chosen) in [("10.1.0.0/16", false), ("10.2.0.0/16", true), ("10.3.0.0/16", true), ("10.9.0.0/16", false)] {
        let route = walk(&policy, prefix).unwrap();
        assert_eq!((route.local_pref.is_some(), route.med.is_some(), route.communities.len()), (chosen, !chosen, 1), "{prefix}");
    }
}

#[test]
fn the_end_accepts_what_was_passed_or_changed() {
    let mut p = Program::default();
    branch(&mut p, &list("A"), Program::pass, |_| {});
    branch(&mut p, &list("B"), |p| p.set(RouteAction::SetMed(1)), |_| {});
    branch(&mut p, &list("C"), Program::reject, |_| {});
    let policy = policy(&p, End::IfPassed, true);
    assert!(walk(&policy, "10.1.0.0/16").is_some());
    assert_eq!(walk(&policy, "10.2.0.0/16").unwrap().med, Some(1));
    assert!(walk(&policy, "10.3.0.0/16").is_none());
    assert!(walk(&policy, "10.9.0.0/16").is_none(), "neither passed nor changed");
}

#[test]
fn conditions_look_at_the_route_as_it_came_where_the_dialect_says_so() {
    let mut p = Program::default();
    p.set(RouteAction::SetMed(12));
    branch(&mut p, &Test::wider(WiderCondition::Med(12), "med eq 12"), Program::reject, |_| {});
    assert_eq!(walk(&policy(&p, End::IfPassed, true), "10.1.0.0/16").unwrap().med, Some(12));
    assert!(walk(&policy(&p, End::IfPassed, false), "10.1.0.0/16").is_none());
}

#[test]
fn if_this_then_that_and_accept_is_one_term() {
    let mut p = Program::default();
    branch(
        &mut p,
        &list("A"),
        |p| {
            p.set(RouteAction::SetLocalPref(200));
            p.accept();
        },
        |_| {},
    );
    let definition = p.finish(End::Reject, false);
    assert_eq!(definition.statements.len(), 2, "{definition:?}");
    let PolicyOutcome::Accepted { attributes, sequence: 1, .. } =
        policy(&p, End::Reject, false).evaluate("P", &"10.1.0.0/16".parse().unwrap(), &PathAttributes::default())
    else {
        panic!("a plain term is in the narrow part of the model");
    };
    assert_eq!(attributes.local_pref, Some(200));
}

#[test]
fn a_hundred_thousand_branches_become_as_many_terms() {
    let mut p = Program::default();
    for _ in 0..100_000 {
        branch(&mut p, &list("A"), |p| p.set(RouteAction::SetMed(1)), |_| {});
    }
    let definition = p.finish(End::Accept, false);
    assert!((100_000..=TERMS_MAX + 1).contains(&definition.statements.len()));
}
