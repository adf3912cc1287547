//! Protected communities: no change adds, removes or replaces one, directly or through a policy term.
//!
//! An action that a term of the same policy carries already is a copy (an inserted term must keep what later terms would have done) and is
//! let through. The one community of the protected ones that we add ourselves is GRACEFUL_SHUTDOWN on export, when draining (RFC 8326 §4).

use action::{ActionType, DeviceId};
use bgp::{Community, LargeCommunity};
use config::{Condition, PolicyDefinition, PolicyEdit, PolicyResult, RouteAction, RouterConfig, Statement};
use std::collections::BTreeSet;

use crate::verdict::new_actions;
use crate::{GuardPolicy, Request, Rule, Violation};

pub fn check(policy: &GuardPolicy, request: &Request<'_>, out: &mut Vec<Violation>) {
    for device in request.action.edits.iter().filter(|d| !d.edits.is_empty()) {
        let Some(config) = request.configs.get(&device.device) else {
            let detail = format!("the configuration of {} is not known, so the edit cannot be judged", device.device);
            out.push(Violation::block(Rule::Unmodelled, detail));
            continue;
        };
        let judge = Judge { policy, kind: request.action.kind, device: &device.device, config };
        for edit in &device.edits {
            judge.edit(edit, out);
        }
    }
}

struct Judge<'a> {
    policy: &'a GuardPolicy,
    kind: ActionType,
    device: &'a DeviceId,
    config: &'a RouterConfig,
}

impl Judge<'_> {
    fn edit(&self, edit: &PolicyEdit, out: &mut Vec<Violation>) {
        match edit {
            PolicyEdit::InsertStatement { policy, statement, .. } => {
                self.written(policy, statement, edit, out);
                self.shadowed(policy, statement, out);
            }
            PolicyEdit::ReplaceStatement { policy, statement } => {
                self.written(policy, statement, edit, out);
                self.removed(policy, statement.sequence, &statement.actions, out);
            }
            PolicyEdit::DeleteStatement { policy, sequence } => self.removed(policy, *sequence, &[], out),
            PolicyEdit::PutPrefixSet { .. } | PolicyEdit::DeletePrefixSet { .. } | PolicyEdit::SetNeighborEnabled { .. } => {}
        }
    }

    /// What a new term says.
    fn written(&self, policy: &str, statement: &Statement, edit: &PolicyEdit, out: &mut Vec<Violation>) {
        let existing = self.existing(policy);
        let present: Vec<RouteAction> = existing
            .into_iter()
            .flat_map(|p| &p.statements)
            .flat_map(|s| &s.actions)
            .filter_map(|a| self.without_drain(policy, a))
            .collect();
        for action in new_actions(edit) {
            let Some(bare) = self.without_drain(policy, action) else { continue };
            if !present.contains(&bare) {
                out.extend(self.new_action(policy, &bare));
            }
        }
        let known = |c: &Condition| existing.is_some_and(|p| p.statements.iter().any(|s| s.conditions.contains(c)));
        for condition in statement.conditions.iter().filter(|c| !known(c)) {
            if let Condition::Unmodelled(text) | Condition::Wider { line: text, .. } = condition {
                out.push(self.unmodelled(policy, text));
            }
        }
    }

    /// Takes our own drain out of an action, so that what is left can be compared; `None` when nothing is left.
    fn without_drain(&self, policy: &str, action: &RouteAction) -> Option<RouteAction> {
        let strip = |list: &[Community]| {
            let rest: BTreeSet<Community> = list.iter().copied().filter(|c| !self.is_drain(policy, *c)).collect();
            rest.into_iter().collect::<Vec<_>>()
        };
        match action {
            RouteAction::AddCommunities(list) => Some(strip(list)).filter(|rest| !rest.is_empty()).map(RouteAction::AddCommunities),
            RouteAction::SetCommunities(list) => Some(RouteAction::SetCommunities(strip(list))),
            other => Some(other.clone()),
        }
    }

    fn new_action(&self, policy: &str, action: &RouteAction) -> Option<Violation> {
        let place = format!("on {} in {policy}", self.device);
        match action {
            RouteAction::AddCommunities(list) => {
                let community = list.iter().find(|c| self.policy.protected.contains(c))?;
                Some(protected(format!("{place}: adds the protected community {community}")))
            }
            RouteAction::SetCommunities(list) => {
                let listed = list.iter().map(Community::to_string).collect::<Vec<_>>().join(" ");
                Some(protected(format!("{place}: replaces all communities by {listed:?}, which removes protected ones; add instead")))
            }
            RouteAction::DeleteCommunities(name) => {
                let named = self.config.policy.community_sets.get(name)?;
                let hit = named.entries.iter().flat_map(|(_, list)| list).find(|c| self.policy.protected.contains(c))?;
                Some(protected(format!("{place}: deletes the communities of {name}, among them the protected {hit}")))
            }
            RouteAction::Unmodelled(text) | RouteAction::Wider { line: text, .. } => {
                let large = text.split_whitespace().filter_map(|w| w.parse::<LargeCommunity>().ok());
                match large.into_iter().find(|c| self.policy.protected_large.contains(c)) {
                    Some(c) => Some(protected(format!("{place}: touches the protected large community {c}"))),
                    None => Some(self.unmodelled(policy, text)),
                }
            }
            RouteAction::SetLocalPref(_)
            | RouteAction::SetMed(_)
            | RouteAction::SetWeight(_)
            | RouteAction::SetOrigin(_)
            | RouteAction::Prepend(_)
            | RouteAction::SetNextHop(_) => None,
        }
    }

    /// What the term that goes away said.
    fn removed(&self, policy: &str, sequence: u32, kept: &[RouteAction], out: &mut Vec<Violation>) {
        let old = self.existing(policy).and_then(|p| p.statements.iter().find(|s| s.sequence == sequence));
        let Some(old) = old else { return };
        let kept = self.protected_in(kept);
        for community in self.protected_in(&old.actions).difference(&kept) {
            if !self.is_drain(policy, *community) {
                let place = format!("on {} in {policy}", self.device);
                out.push(protected(format!("{place}: takes away term {sequence}, which adds the protected community {community}")));
            }
        }
    }

    /// A new accepting term ends the evaluation, so what later terms add is lost to the routes it matches. Whether it matches any of them is
    /// the twin's to prove.
    fn shadowed(&self, policy: &str, statement: &Statement, out: &mut Vec<Violation>) {
        let Some(existing) = self.existing(policy).filter(|_| statement.result == PolicyResult::Accept) else { return };
        let kept = self.protected_in(&statement.actions);
        for later in existing.statements.iter().filter(|s| s.sequence > statement.sequence) {
            if let Some(community) = self.protected_in(&later.actions).difference(&kept).next() {
                let place = format!("on {} in {policy}", self.device);
                let detail = format!("{place}: goes before term {}, which adds the protected community {community}", later.sequence);
                out.push(Violation::warn(Rule::ProtectedCommunity, detail));
            }
        }
    }

    fn protected_in(&self, actions: &[RouteAction]) -> BTreeSet<Community> {
        let listed = actions.iter().flat_map(|a| match a {
            RouteAction::AddCommunities(list) | RouteAction::SetCommunities(list) => list.as_slice(),
            _ => &[],
        });
        listed.copied().filter(|c| self.policy.protected.contains(c)).collect()
    }

    /// Our own drain: GRACEFUL_SHUTDOWN in a policy that is used on export only.
    fn is_drain(&self, policy: &str, community: Community) -> bool {
        let draining = matches!(self.kind, ActionType::IspFailover | ActionType::PeerDeactivate | ActionType::Depeer);
        draining && community == Community::GRACEFUL_SHUTDOWN && self.export_only(policy)
    }

    fn export_only(&self, policy: &str) -> bool {
        let Some(bgp) = &self.config.bgp else { return false };
        let families = || bgp.neighbors.values().flat_map(|n| n.families.values());
        let is = |name: &Option<String>| name.as_deref() == Some(policy);
        families().any(|f| is(&f.export)) && !families().any(|f| is(&f.import))
    }

    fn existing(&self, policy: &str) -> Option<&PolicyDefinition> {
        self.config.policy.definitions.get(policy)
    }

    fn unmodelled(&self, policy: &str, text: &str) -> Violation {
        let cut: String = text.chars().take(80).collect();
        Violation::block(Rule::Unmodelled, format!("on {} in {policy}: {cut:?} is not modelled and cannot be judged", self.device))
    }
}

const fn protected(detail: String) -> Violation {
    Violation::block(Rule::ProtectedCommunity, detail)
}
