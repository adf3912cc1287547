//! Which policies say something else than before: those that differ, those that name a list that differs, those that call such a one.

use config::{Condition, NeighborFamily, PolicyDefinition, RouteAction, RoutingPolicy, WiderAction, WiderCondition};
use std::collections::{BTreeMap, BTreeSet};

/// Returns the names of policies and lists that differ, in themselves or in what they name.
pub(super) fn differing(before: &RoutingPolicy, after: &RoutingPolicy) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    differ(&before.prefix_sets, &after.prefix_sets, &mut out);
    differ(&before.community_sets, &after.community_sets, &mut out);
    differ(&before.definitions, &after.definitions, &mut out);
    let (old, new) = (&before.wider, &after.wider);
    differ(&old.prefix_sets_v6, &new.prefix_sets_v6, &mut out);
    differ(&old.as_path_sets, &new.as_path_sets, &mut out);
    differ(&old.expanded_community_sets, &new.expanded_community_sets, &mut out);
    differ(&old.large_community_sets, &new.large_community_sets, &mut out);
    differ(&old.access_lists, &new.access_lists, &mut out);
    differ(&old.expanded_large_sets, &new.expanded_large_sets, &mut out);
    differ(&old.extended_sets, &new.extended_sets, &mut out);
    differ(&old.expanded_extended_sets, &new.expanded_extended_sets, &mut out);
    loop {
        let known = |n: &&str| out.contains(*n);
        let more = |(name, d): (&String, &PolicyDefinition)| (!out.contains(name) && of_policy(d).iter().any(known)).then(|| name.clone());
        let more: Vec<String> = after.definitions.iter().filter_map(more).collect();
        if more.is_empty() {
            return out;
        }
        out.extend(more);
    }
}

fn differ<T: PartialEq>(before: &BTreeMap<String, T>, after: &BTreeMap<String, T>, out: &mut BTreeSet<String>) {
    let others = |(name, value): &(&String, &T)| before.get(*name) != Some(*value);
    out.extend(after.iter().filter(others).map(|(name, _)| name.clone()));
    out.extend(before.keys().filter(|name| !after.contains_key(*name)).cloned());
}

/// The policies and lists that a session uses.
pub(super) fn of_session(settings: &NeighborFamily) -> Vec<&str> {
    let wider = &settings.wider;
    let named = [&settings.import, &settings.export, &wider.unsuppress_map, &wider.prefix_list_in, &wider.prefix_list_out];
    let more = [&wider.filter_list_in, &wider.filter_list_out, &wider.distribute_list_in, &wider.distribute_list_out];
    named.into_iter().chain(more).flatten().map(String::as_str).collect()
}

/// The lists that a policy asks and the policies that it calls.
fn of_policy(definition: &PolicyDefinition) -> Vec<&str> {
    let statements = definition.statements.iter();
    let conditions = statements.clone().flat_map(|s| &s.conditions).filter_map(of_condition);
    conditions.chain(statements.flat_map(|s| &s.actions).filter_map(of_action)).collect()
}

fn of_condition(condition: &Condition) -> Option<&str> {
    match condition {
        Condition::PrefixSet(name) | Condition::CommunitySet(name) => Some(name),
        Condition::Unmodelled(_) => None,
        Condition::Wider { what, .. } => match what {
            WiderCondition::CommunitySetExact(name)
            | WiderCondition::AsPathSet(name)
            | WiderCondition::AccessList(name)
            | WiderCondition::LargeCommunitySet(name)
            | WiderCondition::NextHopPrefixSet(name)
            | WiderCondition::NextHopAccessList(name)
            | WiderCondition::LargeCommunitySetExact(name)
            | WiderCondition::ExtendedCommunitySet(name)
            | WiderCondition::SourcePrefixSet(name)
            | WiderCondition::SourceAccessList(name) => Some(name),
            WiderCondition::NextHop(_)
            | WiderCondition::Med(_)
            | WiderCondition::LocalPref(_)
            | WiderCondition::Origin(_)
            | WiderCondition::Peer(_)
            | WiderCondition::PeerLocal
            | WiderCondition::Tag(_)
            | WiderCondition::SourceProtocol(_)
            | WiderCondition::Rpki(_)
            | WiderCondition::PrefixLength(_) => None,
        },
    }
}

fn of_action(action: &RouteAction) -> Option<&str> {
    match action {
        RouteAction::DeleteCommunities(name) => Some(name),
        RouteAction::Wider { what: WiderAction::Call(name) | WiderAction::DeleteLargeCommunities(name), .. } => Some(name),
        _ => None,
    }
}
