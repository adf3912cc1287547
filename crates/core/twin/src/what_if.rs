//! The same network with edits.

use crate::check::{self, Evidence};
use crate::forward::{Forwarding, worst};
use crate::import;
use crate::model::{Model, Router};
use crate::prediction::{AnnouncedChange, DeviceChange, Prediction, PrefixChange, RouteView};
use crate::session::Peer;
use crate::unmodelled::Relevance;
use crate::{Entry, Source, Tables, Twin, TwinError, export, load, solve};
use action::{DeviceEdits, Direction};
use bgp::{Family, Prefix};
use config::{Condition, RouterConfig, edit};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use units::Ratio;

/// Share of an exit's capacity that it may carry after a change, unless the question says otherwise.
pub const UTILISATION_MAX: f64 = 0.85;

/// A question to the twin.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Edits per device, in order.
    pub edits: &'a [DeviceEdits],
    /// Prefixes that are meant to move; anything else that moves fails the scope check.
    pub intended: &'a [Prefix],
    /// Direction of the action; `None`: taken from what the edits touch.
    pub direction: Option<Direction>,
    /// Share of its capacity that an exit may carry afterwards, 0–1.
    pub utilisation_max: f64,
}

impl<'a> Question<'a> {
    /// Asks what `edits` would do that are meant to move `intended`.
    #[must_use]
    pub const fn new(edits: &'a [DeviceEdits], intended: &'a [Prefix]) -> Self {
        Self { edits, intended, direction: None, utilisation_max: UTILISATION_MAX }
    }
}

/// Both sides of a what-if.
pub struct Outcome {
    pub model: Model,
    pub tables: Tables,
    /// Prefixes that were computed again.
    pub computed: BTreeSet<Prefix>,
}

impl Twin {
    /// Returns what `edits` would change that are meant to move `intended`.
    ///
    /// # Errors
    /// [`TwinError`] when they name an unknown device or do not apply to its configuration.
    pub fn what_if(&self, edits: &[DeviceEdits], intended: &[Prefix]) -> Result<Prediction, TwinError> {
        self.ask(&Question::new(edits, intended))
    }

    /// Answers several questions against the same tables.
    #[must_use]
    pub fn ask_all(&self, questions: &[Question<'_>]) -> Vec<Result<Prediction, TwinError>> {
        questions.iter().map(|q| self.ask(q)).collect()
    }

    /// Answers one question.
    ///
    /// # Errors
    /// [`TwinError`] when the edits name an unknown device or do not apply to its configuration.
    pub fn ask(&self, question: &Question<'_>) -> Result<Prediction, TwinError> {
        let model = edited(&self.model, question.edits)?;
        let after = self.solve_again(&self.model, &self.tables, model);
        let (changed, attributes_only) = self.changes(&after);
        let announced = self.announced(&after);
        let known_prefixes = self.tables.known();
        let blast = Ratio::of(changed.len() as u64, known_prefixes);
        let traffic = load::moved(self, &changed);
        let evidence = Evidence { twin: self, question, after: &after, changed: &changed, announced: &announced, loads: &traffic.loads };
        let checks = check::all(&evidence)?;
        Ok(Prediction {
            order_dependent: self.order_dependent(&after, &changed),
            unmodelled: self.relevant(&after),
            changed,
            attributes_only,
            known_prefixes,
            blast,
            loads: traffic.loads,
            moved_bps: traffic.moved_bps,
            unknown_volume: traffic.unknown,
            announced,
            checks,
        })
    }

    /// Computes again what differs between two models, over `tables` of the first.
    pub(crate) fn solve_again(&self, before: &Model, tables: &Tables, model: Model) -> Outcome {
        let computed = reached(before, tables, &model);
        let mut overlay = tables.overlay.clone();
        for prefix in &computed {
            let history = self.selected(tables, prefix);
            overlay.insert(*prefix, Arc::new(solve::solve(&model, prefix, &history)));
        }
        Outcome { model, tables: Tables { overlay, ..tables.clone() }, computed }
    }

    fn changes(&self, after: &Outcome) -> (Vec<PrefixChange>, Vec<Prefix>) {
        let old = self.forwarding(&self.model, &self.tables);
        let new = self.forwarding(&after.model, &after.tables);
        let (mut changed, mut attributes_only) = (Vec::new(), Vec::new());
        for prefix in self.affected(after) {
            let mut devices = Vec::new();
            let mut touched = false;
            for (index, router) in self.model.routers.iter().enumerate() {
                let (b, a) = (self.tables.entry_at(index, &prefix), after.tables.entry_at(index, &prefix));
                touched |= best_attributes(b) != best_attributes(a);
                let (before, after) = (view(&old, index, &prefix, b), view(&new, index, &prefix, a));
                if moved(&before, &after) {
                    devices.push(DeviceChange { device: router.id.clone(), before, after });
                }
            }
            if !devices.is_empty() {
                changed.push(PrefixChange { prefix, devices });
            } else if touched {
                attributes_only.push(prefix);
            }
        }
        (changed, attributes_only)
    }

    /// Prefixes computed again, and more specific ones that may fall back on them.
    fn affected(&self, after: &Outcome) -> BTreeSet<Prefix> {
        let mut all = after.computed.clone();
        for prefix in &after.computed {
            all.extend(self.tables.base.range(prefix..).map(|(p, _)| *p).take_while(|p| prefix.covers(p)));
        }
        all
    }

    /// Compares what every external neighbour is told of the computed prefixes, and of all where its export policy changes.
    fn announced(&self, after: &Outcome) -> Vec<AnnouncedChange> {
        let mut changes = Vec::new();
        for (index, (old, new)) in self.model.routers.iter().zip(&after.model.routers).enumerate() {
            for (position, session) in old.sessions.iter().enumerate() {
                if matches!(session.peer, Peer::Internal { .. }) {
                    continue;
                }
                let far = &new.sessions[position];
                let whole = export_differs(old, new, position) || session.enabled() != far.enabled();
                let empty = Entry::default();
                let mut change = AnnouncedChange {
                    device: old.id.clone(),
                    neighbor: session.neighbor,
                    added: Vec::new(),
                    withdrawn: Vec::new(),
                    modified: Vec::new(),
                };
                let prefixes: Vec<Prefix> =
                    if whole { self.tables.prefixes().copied().collect() } else { after.computed.iter().copied().collect() };
                for prefix in prefixes {
                    let (b, a) = (self.tables.entry_at(index, &prefix), after.tables.entry_at(index, &prefix));
                    let was = export::to_external(&self.model, index, session, &prefix, b.unwrap_or(&empty));
                    let is = export::to_external(&after.model, index, far, &prefix, a.unwrap_or(&empty));
                    match (was, is) {
                        (None, Some(_)) => change.added.push(prefix),
                        (Some(_), None) => change.withdrawn.push(prefix),
                        (Some(x), Some(y)) if x != y => change.modified.push(prefix),
                        _ => {}
                    }
                }
                if !(change.added.is_empty() && change.withdrawn.is_empty() && change.modified.is_empty()) {
                    changes.push(change);
                }
            }
        }
        changes
    }

    fn order_dependent(&self, after: &Outcome, changed: &[PrefixChange]) -> Vec<(action::DeviceId, Prefix)> {
        let mut found = Vec::new();
        for change in changed {
            for (index, router) in self.model.routers.iter().enumerate() {
                if after.tables.entry_at(index, &change.prefix).is_some_and(|e| e.order_dependent) {
                    found.push((router.id.clone(), change.prefix));
                }
            }
        }
        found
    }

    /// What could make this answer wrong: missing pieces that touch routes, and policies whose result is not known.
    fn relevant(&self, after: &Outcome) -> Vec<String> {
        let mut all: Vec<String> =
            self.unmodelled().iter().filter(|u| u.relevance == Relevance::Routing).map(ToString::to_string).collect();
        let mut unknown: BTreeMap<String, u64> = BTreeMap::new();
        for prefix in &after.computed {
            for (index, router) in self.model.routers.iter().enumerate() {
                let paths = after.tables.entry_at(index, prefix).map_or(&[][..], |e| &e.paths);
                for path in paths {
                    if let Some(why @ crate::Rejection::NotModelled { .. }) = &path.rejected {
                        *unknown.entry(format!("{}: from {}: {why}", router.id, path.source)).or_default() += 1;
                    }
                }
            }
        }
        all.extend(unknown.into_iter().map(|(what, count)| format!("{what} ({count} prefixes left out)")));
        for router in &after.model.routers {
            for session in router.sessions.iter().filter(|s| after.model.is_up(s)) {
                let woken = self.model.index(&router.id).is_some_and(|i| {
                    self.model.routers[i].session(session.neighbor).is_some_and(|s| !self.model.routers[i].sessions[s].enabled())
                });
                if let (true, Peer::External { feed, .. }) = (woken, &session.peer)
                    && feed.is_empty()
                {
                    all.push(format!("{}: routes of {} are not known while its session is down", router.id, session.neighbor));
                }
            }
        }
        all
    }
}

fn best_attributes(entry: Option<&Entry>) -> Option<&bgp::PathAttributes> {
    entry.and_then(Entry::best_path).map(|p| p.attributes.as_ref())
}

fn moved(before: &RouteView, after: &RouteView) -> bool {
    before.ways != after.ways || before.next_hop != after.next_hop || before.as_path != after.as_path
}

fn view(forwarding: &Forwarding<'_>, index: usize, prefix: &Prefix, entry: Option<&Entry>) -> RouteView {
    let best = entry.and_then(Entry::best_path);
    let ways = forwarding.ways(index, prefix);
    RouteView {
        forwarding: worst(&ways),
        ways: ways.into_iter().collect(),
        next_hop: best.and_then(|p| p.attributes.next_hop),
        as_path: best.map(|p| p.attributes.as_path.clone()),
        local_pref: best.map(|p| forwarding.model.routers[index].rules().local_pref(p)),
        med: best.and_then(|p| p.attributes.med),
        reason: entry.and_then(|e| e.reason),
    }
}

/// Applies edits to the routers they name; all others stay shared.
pub fn edited(model: &Model, edits: &[DeviceEdits]) -> Result<Model, TwinError> {
    let mut model = model.clone();
    for device in edits {
        let index = model.index(&device.device).ok_or_else(|| TwinError::UnknownDevice { device: device.device.clone() })?;
        let mut config = RouterConfig::clone(&model.routers[index].config);
        edit::apply(&mut config, &device.edits).map_err(|source| TwinError::Edit { device: device.device.clone(), source })?;
        model.routers[index] = Arc::new(model.routers[index].with_config(config));
    }
    Ok(model)
}

/// Prefixes whose paths may differ between two models: those with another import result at an edited router, and all where a session
/// with one of ours or its policy changes.
fn reached(before: &Model, tables: &Tables, after: &Model) -> BTreeSet<Prefix> {
    let mut reached = BTreeSet::new();
    for (index, (old, new)) in before.routers.iter().zip(&after.routers).enumerate() {
        if Arc::ptr_eq(old, new) {
            continue;
        }
        for (prefix, policy) in &old.networks {
            if policy.as_deref().is_some_and(|name| policy_differs(&old.config, &new.config, name)) {
                reached.insert(*prefix);
            }
        }
        for (position, session) in old.sessions.iter().enumerate() {
            let far = &new.sessions[position];
            let toggled = session.enabled() != far.enabled();
            match &session.peer {
                Peer::Internal { .. } if toggled || internal_policy_differs(old, new, position) => {
                    reached.extend(tables.prefixes().copied())
                }
                Peer::Internal { .. } => {}
                Peer::External { feed, .. } if toggled => reached.extend(feed.keys().copied()),
                Peer::External { exit, feed, .. } => {
                    for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
                        if !import_differs(old, new, position, family) {
                            continue;
                        }
                        let source = Source::External { neighbor: session.neighbor, exit: exit.clone() };
                        for (prefix, announced) in feed.iter().filter(|(p, _)| p.family() == family) {
                            let was = import::external(before, index, session, source.clone(), prefix, announced);
                            let is = import::external(after, index, far, source.clone(), prefix, announced);
                            // the number of the term changes nothing
                            if (was.attributes, was.weight, was.rejected) != (is.attributes, is.weight, is.rejected) {
                                reached.insert(*prefix);
                            }
                        }
                    }
                }
            }
        }
    }
    reached
}

fn import_differs(old: &Router, new: &Router, position: usize, family: Family) -> bool {
    let name = |r: &Router| r.sessions[position].families.get(&family).and_then(|f| f.import.clone());
    differs(old, new, name(old), name(new))
}

/// Says whether what a session announces may differ because its export policy does.
pub fn export_differs(old: &Router, new: &Router, position: usize) -> bool {
    [Family::Ipv4Unicast, Family::Ipv6Unicast].into_iter().any(|family| {
        let name = |r: &Router| r.sessions[position].families.get(&family).and_then(|f| f.export.clone());
        differs(old, new, name(old), name(new))
    })
}

fn internal_policy_differs(old: &Router, new: &Router, position: usize) -> bool {
    let import = [Family::Ipv4Unicast, Family::Ipv6Unicast].into_iter().any(|f| import_differs(old, new, position, f));
    import || export_differs(old, new, position)
}

fn differs(old: &Router, new: &Router, before: Option<String>, after: Option<String>) -> bool {
    before != after || before.is_some_and(|name| policy_differs(&old.config, &new.config, &name))
}

/// Says whether a policy or a set that it names differs between two configurations.
pub fn policy_differs(old: &RouterConfig, new: &RouterConfig, name: &str) -> bool {
    let (a, b) = (old.policy.definitions.get(name), new.policy.definitions.get(name));
    if a != b {
        return true;
    }
    let conditions = a.into_iter().flat_map(|d| d.statements.iter()).flat_map(|s| s.conditions.iter());
    let named_set = |c: &Condition| match c {
        Condition::PrefixSet(set) => old.policy.prefix_sets.get(set) != new.policy.prefix_sets.get(set),
        Condition::CommunitySet(set) => old.policy.community_sets.get(set) != new.policy.community_sets.get(set),
        Condition::Unmodelled(_) | Condition::Wider { .. } => false,
    };
    conditions.into_iter().any(named_set)
}

#[cfg(test)]
mod tests;
