//! Random policies, edits and routes for property tests.

use crate::{
    CommunitySet, Condition, Neighbor, PolicyDefinition, PolicyEdit, PolicyResult, PrefixEntry, PrefixSet, RouteAction, RouterConfig,
    RoutingPolicy, Statement,
};
use bgp::{AsPath, Asn, Community, Family, Origin, PathAttributes, Prefix};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Few names, so that references meet.
const SETS: [&str; 4] = ["BOGONS", "OWN", "TOO-LONG", "PH-x_1.y"];
const COMMUNITY_SETS: [&str; 3] = ["EAST", "WEST", "ANY"];
const POLICIES: [&str; 2] = ["ISPA-IN", "ISPA-OUT"];

pub fn prefix() -> impl Strategy<Value = Prefix> {
    let four =
        (0u8..6, 0u8..4, 8u8..=32).prop_map(|(a, b, n)| Prefix::new(IpAddr::V4(Ipv4Addr::new(10 + a % 2, a, b * 64, b)), n).unwrap());
    let six = (0u16..4, 16u8..=64).prop_map(|(a, n)| Prefix::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, a, a, 0, 0, 0, 1)), n).unwrap());
    prop_oneof![3 => four, 1 => six]
}

pub fn community() -> impl Strategy<Value = Community> {
    prop_oneof![4 => (0u16..4).prop_map(|v| Community::new(65001, v)), 1 => Just(Community::GRACEFUL_SHUTDOWN), 1 => Just(Community::NO_EXPORT)]
}

pub fn attributes() -> impl Strategy<Value = PathAttributes> {
    (vec(1u32..5, 0..3), option::of(0u32..300), option::of(0u32..50), proptest::collection::btree_set(community(), 0..4)).prop_map(
        |(path, local_pref, med, communities)| PathAttributes {
            as_path: AsPath::sequence(path),
            local_pref,
            med,
            communities: communities.into_iter().collect(),
            ..PathAttributes::default()
        },
    )
}

/// Entries as a router would accept them: length ≤ ge ≤ le.
fn entry(family: Family) -> impl Strategy<Value = (bool, Prefix, Option<u8>, Option<u8>)> {
    let max = if family == Family::Ipv4Unicast { 32u8 } else { 128 };
    (prop::bool::weighted(0.7), prefix(), option::of(0u8..=128), option::of(0u8..=128)).prop_map(move |(permit, p, ge, le)| {
        let p = if p.family() == family { p } else { other_family(family, p.length()) };
        let ge = ge.map(|g| g.clamp(p.length(), max));
        let le = le.map(|l| l.clamp(ge.unwrap_or_else(|| p.length()), max));
        (permit, p, ge, le)
    })
}

fn other_family(family: Family, length: u8) -> Prefix {
    match family {
        Family::Ipv4Unicast => Prefix::new(IpAddr::V4(Ipv4Addr::new(10, length, 0, 0)), length.min(24)).unwrap(),
        Family::Ipv6Unicast => {
            Prefix::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, u16::from(length), 0, 0, 0, 0, 0)), length.min(48)).unwrap()
        }
    }
}

pub fn prefix_set() -> impl Strategy<Value = PrefixSet> {
    prop_oneof![3 => Just(Family::Ipv4Unicast), 1 => Just(Family::Ipv6Unicast)].prop_flat_map(|family| {
        (vec(entry(family), 1..5), 1u32..8).prop_map(move |(entries, step)| PrefixSet {
            family,
            entries: (1..)
                .zip(entries)
                .map(|(n, (permit, prefix, ge, le)): (u32, _)| PrefixEntry { sequence: n * step, permit, prefix, ge, le })
                .collect(),
        })
    })
}

fn community_set() -> impl Strategy<Value = CommunitySet> {
    vec((prop::bool::weighted(0.8), vec(community(), 1..3)), 1..3).prop_map(|entries| CommunitySet { entries })
}

fn set_name() -> impl Strategy<Value = String> {
    prop::sample::select(&SETS[..]).prop_map(str::to_owned)
}

fn community_set_name() -> impl Strategy<Value = String> {
    prop::sample::select(&COMMUNITY_SETS[..]).prop_map(str::to_owned)
}

/// At most one condition of a kind, as a route-map holds them.
fn conditions(unmodelled: bool) -> impl Strategy<Value = Vec<Condition>> {
    let native =
        option::weighted(0.2, Just(Condition::native("match as-path LONG & <odd>"))).prop_map(move |native| native.filter(|_| unmodelled));
    (option::of(set_name()), option::of(community_set_name()), native)
        .prop_map(|(p, c, native)| p.map(Condition::PrefixSet).into_iter().chain(c.map(Condition::CommunitySet)).chain(native).collect())
}

/// At most one action of a kind, as a route-map holds them.
fn actions(unmodelled: bool) -> impl Strategy<Value = Vec<RouteAction>> {
    let communities = || vec(community(), 1..3);
    let set = prop_oneof![
        3 => communities().prop_map(RouteAction::AddCommunities),
        1 => communities().prop_map(RouteAction::SetCommunities),
        1 => Just(RouteAction::SetCommunities(Vec::new())),
    ];
    let next_hop =
        prop_oneof![Just(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))), Just(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9)))];
    let origin = prop::sample::select(vec![Origin::Igp, Origin::Egp, Origin::Incomplete]);
    let native = option::weighted(0.2, Just(RouteAction::native("set metric +5"))).prop_map(move |native| native.filter(|_| unmodelled));
    (
        option::of((0u32..400).prop_map(RouteAction::SetLocalPref)),
        option::of(any::<u32>().prop_map(RouteAction::SetMed)),
        option::weighted(0.2, (0u32..100).prop_map(RouteAction::SetWeight)),
        option::weighted(0.2, origin.prop_map(RouteAction::SetOrigin)),
        option::weighted(0.2, community_set_name().prop_map(RouteAction::DeleteCommunities)),
        option::of(set),
        option::weighted(0.3, vec(1u32..4, 1..4).prop_map(|p| RouteAction::Prepend(AsPath::sequence(p)))),
        option::weighted(0.2, next_hop.prop_map(RouteAction::SetNextHop)),
        native,
    )
        .prop_map(|(a, b, c, d, e, f, g, h, i)| [a, b, c, d, e, f, g, h, i].into_iter().flatten().collect())
}

/// A term without a sequence number.
fn term(unmodelled: bool) -> impl Strategy<Value = Statement> {
    (prop::bool::weighted(0.7), conditions(unmodelled), actions(unmodelled)).prop_map(|(accept, conditions, actions)| {
        let result = if accept { PolicyResult::Accept } else { PolicyResult::Reject };
        Statement { sequence: 0, result, conditions, actions }.canonical()
    })
}

fn definition(unmodelled: bool) -> impl Strategy<Value = PolicyDefinition> {
    (vec(term(unmodelled), 0..5), 1u32..40).prop_map(|(terms, step)| PolicyDefinition {
        statements: (1..).zip(terms).map(|(n, t): (u32, _)| Statement { sequence: n * step, ..t }).collect(),
    })
}

/// A policy; with `unmodelled`, some terms hold clauses that are not understood.
pub fn policy(unmodelled: bool) -> impl Strategy<Value = RoutingPolicy> {
    (
        btree_map(set_name(), prefix_set(), 0..4),
        btree_map(community_set_name(), community_set(), 0..3),
        btree_map(prop::sample::select(&POLICIES[..]).prop_map(str::to_owned), definition(unmodelled), 0..3),
    )
        .prop_map(|(prefix_sets, community_sets, definitions)| RoutingPolicy {
            prefix_sets,
            community_sets,
            definitions,
            ..RoutingPolicy::default()
        })
}

/// A router with two neighbours and a random policy.
pub fn config() -> impl Strategy<Value = RouterConfig> {
    (policy(true), any::<bool>()).prop_map(|(policy, shutdown)| {
        let mut config =
            crate::frr::parse("hostname r1\nrouter bgp 65001\n neighbor 172.31.1.1 remote-as 1234\n neighbor 2001:db8::1 remote-as 1234\n");
        let neighbors: &mut BTreeMap<IpAddr, Neighbor> = &mut config.bgp.as_mut().unwrap().neighbors;
        assert_eq!(neighbors.values().map(|n| n.remote_as).collect::<Vec<_>>(), [Asn(1234), Asn(1234)]);
        neighbors.values_mut().for_each(|n| n.shutdown = shutdown);
        config.policy = policy;
        config
    })
}

/// An edit that may or may not fit a [`config`].
pub fn edit() -> impl Strategy<Value = PolicyEdit> {
    let policy = || prop::sample::select(&POLICIES[..]).prop_map(str::to_owned);
    let numbered = || (term(true), 0u32..60).prop_map(|(t, sequence)| Statement { sequence, ..t });
    let neighbor = prop::sample::select(vec!["172.31.1.1", "2001:db8::1", "9.9.9.9"]);
    prop_oneof![
        2 => (set_name(), prefix_set()).prop_map(|(name, set)| PolicyEdit::PutPrefixSet { name, set }),
        1 => set_name().prop_map(|name| PolicyEdit::DeletePrefixSet { name }),
        3 => (policy(), numbered(), option::of(0u32..60))
            .prop_map(|(policy, statement, before)| PolicyEdit::InsertStatement { policy, statement, before }),
        2 => (policy(), numbered()).prop_map(|(policy, statement)| PolicyEdit::ReplaceStatement { policy, statement }),
        2 => (policy(), 0u32..60).prop_map(|(policy, sequence)| PolicyEdit::DeleteStatement { policy, sequence }),
        1 => (neighbor, any::<bool>()).prop_map(|(n, enabled)| PolicyEdit::SetNeighborEnabled { neighbor: n.parse().unwrap(), enabled }),
    ]
}

/// Edits that fit `config`: those of a random list that apply one after the other.
pub fn fitting(config: &RouterConfig, wishes: Vec<PolicyEdit>) -> Vec<PolicyEdit> {
    let mut now = config.clone();
    wishes.into_iter().filter(|wish| crate::edit::apply(&mut now, core::slice::from_ref(wish)).is_ok()).collect()
}
