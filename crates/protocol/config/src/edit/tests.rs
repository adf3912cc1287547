use super::*;
use crate::generate::{attributes, config, edit, fitting, policy, prefix};
use crate::{PolicyOutcome, PolicyResult, PrefixEntry, RoutingPolicy, frr};
use bgp::{Community, Family, PathAttributes, Prefix};
use proptest::prelude::*;

/// The import policy of a laboratory edge: denies first, then two classes.
pub(crate) const EDGE: &str = "\
hostname edge-router-01
ip prefix-list BOGONS seq 5 permit 10.0.0.0/8 le 32
ip prefix-list TOO-LONG seq 5 permit 0.0.0.0/0 ge 25
bgp community-list standard EAST seq 5 permit 64500:1
route-map ISPA-IN deny 10
 match ip address prefix-list BOGONS
exit
route-map ISPA-IN deny 20
 match ip address prefix-list TOO-LONG
exit
route-map ISPA-IN permit 100
 match community EAST
 set community 65001:100 additive
 set local-preference 200
exit
route-map ISPA-IN permit 200
 set community 65001:1234 additive
 set local-preference 150
exit
";

fn p(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn tagged(text: &str) -> PathAttributes {
    PathAttributes { communities: text.split_whitespace().map(|c| c.parse().unwrap()).collect(), ..PathAttributes::default() }
}

#[test]
fn a_local_pref_term_keeps_denies_and_communities() {
    let config = frr::parse(EDGE);
    let (east, other) = (tagged("64500:1"), tagged(""));
    let routes = [(p("203.0.113.0/24"), &east), (p("198.18.1.0/24"), &other), (p("198.18.0.0/24"), &east)];
    let edits = local_pref_terms(&config.policy, "ISPA-IN", &routes, 210, "ISPA-IN").unwrap();
    let mut after = config.clone();
    apply(&mut after, &edits).unwrap();
    let order: Vec<_> = after.policy.definitions["ISPA-IN"].statements.iter().map(|s| (s.sequence, s.result)).collect();
    use PolicyResult::{Accept, Reject};
    assert_eq!(order, [(10, Reject), (20, Reject), (30, Accept), (100, Accept), (110, Accept), (200, Accept)]);
    let outcome = after.policy.evaluate("ISPA-IN", &p("203.0.113.0/24"), &east);
    let PolicyOutcome::Accepted { attributes, sequence, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!((attributes.local_pref, sequence), (Some(210), 30));
    assert!(attributes.communities.contains(&Community::new(65001, 100)), "what the later term would have done is kept");
    assert_eq!(after.policy.evaluate("ISPA-IN", &p("10.1.0.0/16"), &east), PolicyOutcome::Rejected { sequence: Some(10) });
}

#[test]
fn a_second_change_leaves_the_sets_of_the_first_alone() {
    let mut config = frr::parse(EDGE);
    let east = tagged("64500:1");
    for (n, prefix) in ["198.18.0.0/24", "198.18.1.0/24", "198.18.2.0/24", "198.18.3.0/24"].iter().enumerate() {
        let edits = local_pref_terms(&config.policy, "ISPA-IN", &[(p(prefix), &east)], 210 + n as u32, "same").unwrap();
        apply(&mut config, &edits).unwrap();
    }
    assert_eq!(config.policy.prefix_sets.len(), 2 + 4);
    let outcome = config.policy.evaluate("ISPA-IN", &p("198.18.0.0/24"), &east);
    assert!(matches!(outcome, PolicyOutcome::Accepted { attributes, .. } if attributes.local_pref == Some(210)));
}

#[test]
fn a_term_that_already_matches_a_set_is_narrowed_not_joined() {
    let text = EDGE.replace(" match community EAST\n", " match ip address prefix-list OWN\n")
        + "ip prefix-list OWN seq 5 permit 198.18.0.0/15 le 24\n";
    let config = frr::parse(&text);
    let edits = local_pref_terms(&config.policy, "ISPA-IN", &[(p("198.18.0.0/24"), &tagged(""))], 300, "t").unwrap();
    let Some(PolicyEdit::InsertStatement { statement, .. }) = edits.last() else { panic!("{edits:?}") };
    assert_eq!(statement.conditions, [Condition::PrefixSet("PH-t-30".to_owned())], "a router's term holds one prefix list");
}

#[test]
fn rejected_routes_and_missing_room_are_named() {
    let config = frr::parse(EDGE);
    let error = local_pref_terms(&config.policy, "ISPA-IN", &[(p("10.0.0.0/16"), &tagged(""))], 1, "t").unwrap_err();
    assert_eq!(error.to_string(), "policy ISPA-IN does not accept 10.0.0.0/16");
    let tight = frr::parse(&EDGE.replace("deny 20", "deny 99"));
    let error = local_pref_terms(&tight.policy, "ISPA-IN", &[(p("198.18.0.0/24"), &tagged("64500:1"))], 1, "t").unwrap_err();
    assert_eq!(error.to_string(), "policy ISPA-IN has no free sequence number before 100; renumber it by hand");
}

#[test]
fn a_drain_of_both_directions_keeps_every_other_action() {
    let config = frr::parse(EDGE);
    let mut after = config.clone();
    apply(&mut after, &drain_import(&config.policy, "ISPA-IN").unwrap()).unwrap();
    let export = drain_export(&after.policy, "ISPA-IN").unwrap();
    apply(&mut after, &export).unwrap();
    let outcome = after.policy.evaluate("ISPA-IN", &p("198.18.0.0/24"), &tagged("64500:1"));
    let PolicyOutcome::Accepted { attributes, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(attributes.local_pref, Some(0));
    for community in [Community::GRACEFUL_SHUTDOWN, Community::new(65001, 100), Community::new(64500, 1)] {
        assert!(attributes.communities.contains(&community), "{community}");
    }
}

#[test]
fn a_bad_edit_leaves_the_configuration_as_it_was() {
    let config = frr::parse(EDGE);
    let good = PolicyEdit::DeletePrefixSet { name: "BOGONS".to_owned() };
    let cases = [
        (
            PolicyEdit::DeleteStatement { policy: "ISPA-IN".to_owned(), sequence: 11 },
            "statement 11 of ISPA-IN does not exist on edge-router-01",
        ),
        (PolicyEdit::SetNeighborEnabled { neighbor: "192.0.2.1".parse().unwrap(), enabled: false }, "neighbor 192.0.2.1 does not exist"),
        (PolicyEdit::DeletePrefixSet { name: "BOGONS".to_owned() }, "prefix set BOGONS does not exist"),
    ];
    for (bad, message) in cases {
        let mut after = config.clone();
        let error = apply(&mut after, &[good.clone(), bad]).unwrap_err();
        assert!(error.to_string().starts_with("edit 1: ") && error.to_string().contains(message), "{error}");
        assert_eq!(after, config);
    }
}

#[test]
fn a_sequence_outside_its_neighbours_is_a_conflict() {
    let config = frr::parse(EDGE);
    let insert = |sequence, before| {
        let statement = Statement { sequence, result: PolicyResult::Accept, conditions: Vec::new(), actions: Vec::new() };
        apply(&mut config.clone(), &[PolicyEdit::InsertStatement { policy: "ISPA-IN".to_owned(), statement, before }])
    };
    assert_eq!(insert(99, Some(100)), Ok(()));
    assert_eq!(insert(201, None), Ok(()));
    for (sequence, before) in [(20, Some(100)), (100, Some(100)), (101, Some(100)), (200, None), (0, Some(10))] {
        assert!(matches!(insert(sequence, before), Err(EditError::Conflict { .. })), "{sequence} before {before:?}");
    }
    assert!(matches!(insert(5, Some(11)), Err(EditError::Missing { .. })));
}

#[test]
fn texts_that_could_leave_their_line_are_refused() {
    let config = frr::parse(EDGE);
    let set = PrefixSet {
        family: Family::Ipv4Unicast,
        entries: vec![PrefixEntry { sequence: 5, permit: true, prefix: p("192.0.2.0/24"), ge: None, le: None }],
    };
    for name in ["", "A B", "A\nrouter bgp 1", "A!", &"A".repeat(200)] {
        let edit = PolicyEdit::PutPrefixSet { name: name.to_owned(), set: set.clone() };
        assert!(matches!(apply(&mut config.clone(), &[edit]), Err(EditError::Conflict { .. })), "{name:?}");
    }
    for line in ["exit", "set metric +5\nexit", "router bgp 65001", "neighbor 1.1.1.1 shutdown", ""] {
        let actions = vec![RouteAction::Unmodelled(line.to_owned())];
        let statement = Statement { sequence: 100, result: PolicyResult::Accept, conditions: Vec::new(), actions };
        let edit = PolicyEdit::ReplaceStatement { policy: "ISPA-IN".to_owned(), statement };
        assert!(matches!(apply(&mut config.clone(), &[edit]), Err(EditError::Conflict { .. })), "{line:?}");
    }
    let empty = PrefixSet { entries: Vec::new(), ..set };
    let error = apply(&mut config.clone(), &[PolicyEdit::PutPrefixSet { name: "E".to_owned(), set: empty }]).unwrap_err();
    assert!(error.to_string().contains("has no entries"), "FRR reads an empty list as permit all");
}

/// Everything that evaluation makes of a route, as one comparable value.
fn outcome(policy: &RoutingPolicy, definition: &str, route: &(Prefix, PathAttributes)) -> PolicyOutcome {
    policy.evaluate(definition, &route.0, &route.1)
}

proptest! {
    #[test]
    fn the_inverse_restores_the_configuration(config in config(), wishes in prop::collection::vec(edit(), 0..10)) {
        let edits = fitting(&config, wishes);
        let undo = inverse(&config, &edits).unwrap();
        let mut after = config.clone();
        apply(&mut after, &edits).unwrap();
        prop_assert!(in_effect(&after, &edits));
        apply(&mut after, &undo).unwrap();
        prop_assert_eq!(after, config);
    }

    #[test]
    fn a_refused_list_changes_nothing(config in config(), edits in prop::collection::vec(edit(), 1..6)) {
        let mut after = config.clone();
        if apply(&mut after, &edits).is_err() {
            prop_assert_eq!(&after, &config);
            prop_assert!(inverse(&config, &edits).is_err());
            prop_assert!(frr::lines(&config, &edits).is_err());
        }
    }

    /// Only LOCAL_PREF of only the chosen prefixes changes, whatever the policy.
    #[test]
    fn local_pref_terms_touch_nothing_else(
        policy in policy(false),
        routes in prop::collection::btree_map(prefix(), attributes(), 1..6),
        chosen in prop::collection::vec(any::<bool>(), 6),
        value in 0u32..1000,
    ) {
        let routes: Vec<(Prefix, PathAttributes)> = routes.into_iter().collect();
        for definition in policy.definitions.keys() {
            let family = routes[0].0.family();
            let accepted = |route: &(Prefix, PathAttributes)| matches!(outcome(&policy, definition, route), PolicyOutcome::Accepted { .. });
            let candidates = routes.iter().zip(&chosen).filter(|(r, c)| **c && r.0.family() == family && accepted(r));
            let wanted: Vec<_> = candidates.map(|(r, _)| (r.0, &r.1)).collect();
            let Ok(edits) = local_pref_terms(&policy, definition, &wanted, value, "t") else { continue };
            let mut config = RouterConfig { policy: policy.clone(), ..RouterConfig::default() };
            apply(&mut config, &edits).unwrap();
            for route in &routes {
                let (before, after) = (outcome(&policy, definition, route), outcome(&config.policy, definition, route));
                if wanted.iter().any(|(p, _)| *p == route.0) {
                    let PolicyOutcome::Accepted { attributes: mut expected, weight, .. } = before else { panic!("{before:?}") };
                    expected.local_pref = Some(value);
                    let PolicyOutcome::Accepted { attributes, weight: now, .. } = after else { panic!("{after:?}") };
                    prop_assert_eq!((attributes, now), (expected, weight));
                } else {
                    prop_assert_eq!(before, after);
                }
            }
        }
    }
}
