//! The same network with edits.

use crate::alike;
use crate::forward::worst;
use crate::memory::locked;
use crate::prediction::{AnnouncedChange, DeviceChange, ExitLoad, LinkLoad, Prediction, PrefixChange, RouteView};
use crate::unmodelled::Relevance;
use crate::{Twin, TwinError};
use action::{ActionType, DeviceEdits, DeviceId};
use bgp::{Community, Prefix};
use config::{PolicyEdit, RouteAction, RouterConfig, Statement, edit};
use core::net::IpAddr;
use preflight::load::{Carrier, Traffic};
use preflight::order::{Order, safe_order};
use preflight::{Check, CheckId, Context, Evidence, Facts, Group, Intent, Limits, Verdict, Way, World};
use routing::Blueprint;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

/// Share of an exit's capacity that it may carry after a change, unless the question says otherwise.
pub const UTILISATION_MAX: f64 = 0.85;
/// Ways that change whose choices are explained.
const EXPLAINED: usize = 3;

/// Answers that are remembered: a decision has about as many candidates.
const REMEMBERED: usize = 16;

/// A question with its answer.
pub(crate) struct Asked {
    edits: Vec<DeviceEdits>,
    intended: Vec<Prefix>,
    kind: Option<ActionType>,
    utilisation_max: f64,
    answer: Prediction,
}

impl Asked {
    fn is(&self, q: &Question<'_>) -> bool {
        self.edits == q.edits
            && self.intended == q.intended
            && self.kind == q.kind
            && self.utilisation_max.to_bits() == q.utilisation_max.to_bits()
    }
}

/// A question to the twin.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Edits per device, in order.
    pub edits: &'a [DeviceEdits],
    /// Prefixes that are meant to move; anything else that moves fails the scope check.
    pub intended: &'a [Prefix],
    /// Which action it is; `None`: edits alone.
    pub kind: Option<ActionType>,
    /// Share of its capacity that an exit may carry afterwards, 0–1.
    pub utilisation_max: f64,
}

impl<'a> Question<'a> {
    /// Asks what `edits` would do that are meant to move `intended`.
    #[must_use]
    pub const fn new(edits: &'a [DeviceEdits], intended: &'a [Prefix]) -> Self {
        Self { edits, intended, kind: None, utilisation_max: UTILISATION_MAX }
    }
}

impl Twin<'_> {
    /// Returns what `edits` would change that are meant to move `intended`.
    ///
    /// # Errors
    /// [`TwinError`] when they name an unknown device or do not apply to its configuration.
    pub fn what_if(&self, edits: &[DeviceEdits], intended: &[Prefix]) -> Result<Prediction, TwinError> {
        self.ask(&Question::new(edits, intended))
    }

    /// Answers one question. The last answers are remembered: who chose among several asks for the chosen one again.
    ///
    /// # Errors
    /// [`TwinError`] when the edits name an unknown device or do not apply to its configuration.
    pub fn ask(&self, question: &Question<'_>) -> Result<Prediction, TwinError> {
        let memory = || locked(&self.asked);
        if let Some(asked) = memory().iter().find(|a| a.is(question)) {
            return Ok(asked.answer.clone());
        }
        let asking = self.asking.fetch_add(1, Ordering::Relaxed) + 1;
        let answer = self.answer(question, (self.threads() / asking).max(1));
        self.asking.fetch_sub(1, Ordering::Relaxed);
        let answer = answer?;
        let mut asked = memory();
        if asked.len() >= REMEMBERED {
            asked.remove(0);
        }
        asked.push(Asked {
            edits: question.edits.to_vec(),
            intended: question.intended.to_vec(),
            kind: question.kind,
            utilisation_max: question.utilisation_max,
            answer: answer.clone(),
        });
        Ok(answer)
    }

    fn answer(&self, question: &Question<'_>, threads: usize) -> Result<Prediction, TwinError> {
        let network = self.picture.edited(&self.picture.blueprint, question.edits)?;
        let mut after = self.world.changed(&network).on_threads(threads);
        if let Some(recall) = &self.recall {
            after = after.remembering(recall.after(question.edits));
        }
        let intent = self.intent(question);
        let facts = Facts {
            intended: Some(question.intended.to_vec()),
            limits: Limits {
                utilisation_max: question.utilisation_max,
                // a failure allows more than the ordinary case, never less
                utilisation_n1_max: self.picture.facts.limits.utilisation_n1_max.max(question.utilisation_max),
                ..self.picture.facts.limits.clone()
            },
            ..self.picture.facts.clone()
        };
        let vrps = self.picture.blueprint.vrps.as_deref();
        let valid = |prefix: &Prefix, origin| vrps?.state(prefix, Some(origin));
        let validity = vrps.is_some().then_some(&valid as preflight::Validity<'_>);
        // what was before is remembered of our own space; the rest stands as it is
        let past = self.picture.vrps_before.as_deref();
        let was_valid = |prefix: &Prefix, origin| {
            let own = self.picture.facts.own_prefixes.iter().any(|p| p.covers(prefix));
            if own { past?.state(prefix, Some(origin)) } else { valid(prefix, origin) }
        };
        let validity_before = (vrps.is_some() && past.is_some()).then_some(&was_valid as preflight::Validity<'_>);
        let context = Context { validity, validity_before, ..Context::of(&facts) };
        let evidence = Evidence::new(&self.world, &after, &intent, context);
        let mut checks = evidence.checks();
        alike::join(&mut checks, alike::differences(&evidence, question));
        checks.push(self.inverse(&evidence, &network, question)?);
        let steps: Vec<&DeviceEdits> = question.edits.iter().filter(|d| !d.edits.is_empty()).collect();
        let order = self.order(&steps, &intent, &context)?;
        let names: Vec<String> = steps.iter().map(|d| d.device.to_string()).collect();
        checks.extend(order.as_ref().map(|order| preflight::check::passage::passage(order, &names)));
        checks.sort_by_key(|c| c.id);
        let changed = self.changes(&after, &evidence.difference.groups);
        let (moved_bps, unknown_volume) = Self::traffic(&evidence.traffic, &evidence.difference.groups);
        let (loads, links) = self.loads(&evidence);
        let expected = preflight::prediction(&evidence);
        Ok(Prediction {
            known_prefixes: evidence.difference.prefixes as u64,
            blast: evidence.difference.blast,
            loads,
            links,
            moved_bps,
            unknown_volume,
            announced: self.announced(&evidence),
            delay_ms: expected.delay_ms,
            loss: expected.loss,
            convergence: expected.convergence,
            order: match order {
                Some(Order::Found { order, .. }) => order.into_iter().map(|s| steps[s].device.clone()).collect(),
                _ => Vec::new(),
            },
            checks,
            order_dependent: self.turned(&after, &changed),
            unmodelled: self.relevant(&after),
            explanation: self.explanation(&after, &evidence.difference.groups),
            changed,
        })
    }

    /// Searches an order of devices in which the network is sound between any two of them; `None`: there are not two, or one stands twice.
    fn order(&self, steps: &[&DeviceEdits], intent: &Intent, context: &Context<'_>) -> Result<Option<Order>, TwinError> {
        let devices: BTreeSet<&DeviceId> = steps.iter().map(|d| &d.device).collect();
        if steps.len() < 2 || devices.len() < steps.len() {
            return Ok(None);
        }
        let order = safe_order(steps.len(), |done| {
            // the end is what the other checks judge
            if done.len() == steps.len() {
                return Ok(None);
            }
            let part: Vec<DeviceEdits> = done.iter().map(|s| steps[*s].clone()).collect();
            let network = self.picture.edited(&self.picture.blueprint, &part)?;
            let between = self.world.changed(&network);
            Ok(preflight::check::passage::wrong(&Evidence::new(&self.world, &between, intent, *context)))
        })?;
        Ok(Some(order))
    }

    /// What the change is, as far as the checks ask.
    fn intent(&self, question: &Question<'_>) -> Intent {
        let mut intent = Intent {
            actions: question.kind.iter().map(|k| k.name().to_owned()).collect(),
            prefixes: question.intended.to_vec(),
            ..Intent::default()
        };
        for device in question.edits.iter().filter(|d| !d.edits.is_empty()) {
            let router = device.device.to_string();
            let Some((index, config)) = self.picture.index(&device.device).zip(self.config(&device.device)) else { continue };
            for neighbor in concerned(config, &device.edits) {
                let port = self.picture.ports.get(&(index, neighbor)).copied();
                intent.sessions.extend([Some(neighbor), port].into_iter().flatten().map(|n| (router.clone(), n)));
            }
            for (neighbor, community) in tagged(config, &device.edits) {
                intent.communities.push((router.clone(), neighbor, community));
            }
            intent.routers.push(router);
        }
        intent.routers.dedup();
        intent.sessions.sort();
        intent.sessions.dedup();
        intent
    }

    /// Lists by prefix and device what the groups say.
    fn changes(&self, after: &World<'_>, groups: &[Group]) -> Vec<PrefixChange> {
        let mut by_prefix: BTreeMap<Prefix, BTreeMap<usize, DeviceChange>> = BTreeMap::new();
        for group in groups {
            let device = DeviceId::from(group.router.as_str());
            let Some(router) = self.picture.index(&device) else { continue };
            for prefix in &group.prefixes {
                let (before, after) = (self.view(&self.world, router, prefix), self.view(after, router, prefix));
                by_prefix.entry(*prefix).or_default().insert(router, DeviceChange { device: device.clone(), before, after });
            }
        }
        by_prefix.into_iter().map(|(prefix, devices)| PrefixChange { prefix, devices: devices.into_values().collect() }).collect()
    }

    fn view(&self, world: &World<'_>, router: usize, prefix: &Prefix) -> RouteView {
        let best = self.best_at(world, router, prefix);
        let ways = self.ways(world, router, prefix);
        RouteView {
            forwarding: worst(&ways),
            ways: ways.into_iter().collect(),
            next_hop: best.as_ref().and_then(|b| b.attributes.next_hop),
            as_path: best.as_ref().map(|b| b.attributes.as_path.clone()),
            local_pref: best.as_ref().map(|b| self.local_pref(router, b.attributes)),
            med: best.as_ref().and_then(|b| b.attributes.med),
            step: best.map(|b| b.step),
        }
    }

    /// Sums the measured volume of what changes its exit, and counts the prefixes without one.
    fn traffic(traffic: &Traffic<'_>, groups: &[Group]) -> (f64, u64) {
        let mut leaving: BTreeSet<(&preflight::Exit, Prefix)> = BTreeSet::new();
        for group in groups {
            let (from, to) = (exit_of(&group.before), exit_of(&group.after));
            if let Some(from) = from.filter(|f| Some(*f) != to) {
                leaving.extend(group.prefixes.iter().map(|p| (from, *p)));
            }
        }
        let volumes = leaving.iter().map(|(exit, prefix)| traffic.volume(exit, prefix));
        volumes.fold((0.0, 0), |(bps, unknown), v| (bps + v.unwrap_or(0.0), unknown + u64::from(v.is_none())))
    }

    fn loads(&self, e: &Evidence<'_>) -> (Vec<ExitLoad>, Vec<LinkLoad>) {
        let (mut exits, mut links) = (Vec::new(), Vec::new());
        for load in &e.loads {
            match &load.carrier {
                Carrier::Exit(exit) => exits.push(ExitLoad {
                    exit: self.picture.exit_id(exit),
                    before_bps: load.before_bps,
                    after_bps: load.after_bps,
                    worst_bps: load.worst_bps,
                    capacity_bps: load.capacity_bps,
                    unknown_volume: load.unknown,
                }),
                Carrier::Link(link) => {
                    links.push(LinkLoad { link: link.clone(), before_bps: load.before_bps, after_bps: load.after_bps });
                }
            }
        }
        exits.sort_by(|a, b| a.exit.cmp(&b.exit));
        (exits, links)
    }

    fn announced(&self, e: &Evidence<'_>) -> Vec<AnnouncedChange> {
        let change = |c: &preflight::AnnouncedChange| AnnouncedChange {
            device: DeviceId::from(c.session.router.as_str()),
            neighbor: c.session.neighbor,
            added: c.added.clone(),
            withdrawn: c.withdrawn.clone(),
            modified: c.modified.clone(),
        };
        e.difference.announced.iter().map(change).collect()
    }

    fn turned(&self, after: &World<'_>, changed: &[PrefixChange]) -> Vec<(DeviceId, Prefix)> {
        let prefixes: BTreeSet<&Prefix> = changed.iter().map(|c| &c.prefix).collect();
        if prefixes.is_empty() {
            return Vec::new();
        }
        let open = self.open(after).into_iter().filter(|(_, p)| prefixes.contains(p));
        open.filter_map(|(router, p)| Some((self.picture.devices.get(router)?.clone(), p))).collect()
    }

    /// What could make this answer wrong: missing pieces that touch routes, and sessions that the edits wake and whose routes nobody knows.
    fn relevant(&self, after: &World<'_>) -> Vec<String> {
        let mut all: Vec<String> =
            self.unmodelled().iter().filter(|u| u.relevance == Relevance::Routing).map(ToString::to_string).collect();
        let mut woken = BTreeSet::new();
        for (was, is) in self.world.families.iter().zip(&after.families) {
            let known: BTreeSet<_> = was.directions.iter().map(|d| (d.to, d.from_address)).collect();
            let fresh = is.directions.iter().filter(|d| d.from.is_none() && d.to.is_some() && !known.contains(&(d.to, d.from_address)));
            woken.extend(fresh.filter_map(|d| Some((d.to?, d.from_address))));
        }
        let empty = |(router, neighbor): &(usize, IpAddr)| {
            let mut feeds = after.network.feeds.iter().filter(|f| (f.router, f.neighbor) == (*router, *neighbor));
            feeds.all(|f| f.routes.is_empty())
        };
        for (router, neighbor) in woken.into_iter().filter(empty) {
            let device = self.picture.devices.get(router).map(ToString::to_string).unwrap_or_default();
            all.push(format!("{device}: routes of {neighbor} are not known while its session is down"));
        }
        all
    }

    /// Explains, for one prefix of each of the first ways that change, the choice before and after.
    fn explanation(&self, after: &World<'_>, groups: &[Group]) -> Vec<String> {
        let exit = |way: &Option<Way>| way.as_ref().and_then(|w| w.exit.clone());
        let mut told: BTreeSet<(Option<preflight::Exit>, Option<preflight::Exit>)> = BTreeSet::new();
        let mut out = Vec::new();
        // who sends packets out himself explains more than who follows him
        let own = |g: &Group| exit(&g.before).is_some_and(|e| e.router == g.router);
        let (edges, others): (Vec<&Group>, Vec<&Group>) = groups.iter().filter(|g| exit(&g.before) != exit(&g.after)).partition(|g| own(g));
        for group in edges.into_iter().chain(others) {
            if told.len() >= EXPLAINED || !told.insert((exit(&group.before), exit(&group.after))) {
                continue;
            }
            let router = self.picture.index(&DeviceId::from(group.router.as_str()));
            let Some((router, prefix)) = router.zip(group.prefixes.first()) else { continue };
            for (word, world) in [("now", &self.world), ("after", after)] {
                if let Some(why) = self.explained(world, router, prefix) {
                    out.push(format!("{word}: {}", why.lines().join("\n")));
                }
            }
        }
        out.iter().flat_map(|block| block.lines().map(str::to_owned)).collect()
    }

    /// K15: the inverse edits, as they are sent to the device, bring configurations and tables back.
    fn inverse(&self, e: &Evidence<'_>, network: &Blueprint, question: &Question<'_>) -> Result<Check, TwinError> {
        let mut undo = Vec::new();
        let mut current = self.picture.blueprint.clone();
        for device in question.edits {
            let config = self.picture.index(&device.device).and_then(|i| current.routers.get(i)).map(|r| &r.config);
            let config = config.ok_or_else(|| TwinError::UnknownDevice { device: device.device.clone() })?;
            let failed = |source| TwinError::Edit { device: device.device.clone(), source };
            let edits = edit::inverse(config, &device.edits).map_err(failed)?;
            current = self.picture.edited(&current, core::slice::from_ref(device))?;
            undo.push(DeviceEdits { device: device.device.clone(), edits });
        }
        undo.reverse();
        match self.picture.edited(network, &undo) {
            Ok(restored) => Ok(preflight::check::inverse::inverse(e, &e.after.changed(&restored))),
            Err(error) => {
                let sentence = format!("the inverse does not apply: {error}");
                let id = CheckId::K15;
                Ok(Check { id, name: id.subject(), verdict: Verdict::Block, tier: None, sentence, found: 1, rows: Vec::new() })
            }
        }
    }
}

/// Where packets leave.
fn exit_of(way: &Option<Way>) -> Option<&preflight::Exit> {
    way.as_ref().and_then(|w| w.exit.as_ref())
}

/// Communities that edits newly add to what neighbours outside are told. What a term of the same policy adds already is a copy, and the mark of
/// a drain (RFC 8326) has its own rules.
fn tagged(config: &RouterConfig, edits: &[PolicyEdit]) -> BTreeSet<(IpAddr, Community)> {
    let adds = |statement: &Statement| -> BTreeSet<Community> {
        let lists = statement.actions.iter().filter_map(|a| match a {
            RouteAction::AddCommunities(list) | RouteAction::SetCommunities(list) => Some(list),
            _ => None,
        });
        lists.flatten().copied().filter(|c| *c != Community::GRACEFUL_SHUTDOWN).collect()
    };
    let mut out = BTreeSet::new();
    for edit in edits {
        let (PolicyEdit::InsertStatement { policy, statement, .. } | PolicyEdit::ReplaceStatement { policy, statement }) = edit else {
            continue;
        };
        let known: BTreeSet<Community> =
            config.policy.definitions.get(policy).into_iter().flat_map(|d| &d.statements).flat_map(adds).collect();
        let fresh: BTreeSet<Community> = adds(statement).difference(&known).copied().collect();
        let Some(bgp) = config.bgp.as_ref().filter(|_| !fresh.is_empty()) else { continue };
        let exports = |n: &config::Neighbor| n.families.values().any(|f| f.export.as_ref() == Some(policy));
        for (neighbor, _) in bgp.neighbors.iter().filter(|(_, n)| n.remote_as != bgp.asn && exports(n)) {
            out.extend(fresh.iter().map(|c| (*neighbor, *c)));
        }
    }
    out
}

/// Neighbours whose sessions or policies edits touch.
fn concerned(config: &RouterConfig, edits: &[PolicyEdit]) -> BTreeSet<IpAddr> {
    let mut policies: BTreeSet<&str> = BTreeSet::new();
    let mut out = BTreeSet::new();
    for edit in edits {
        match edit {
            PolicyEdit::InsertStatement { policy, .. }
            | PolicyEdit::ReplaceStatement { policy, .. }
            | PolicyEdit::DeleteStatement { policy, .. } => {
                policies.insert(policy);
            }
            PolicyEdit::SetNeighborEnabled { neighbor, .. } => {
                out.insert(*neighbor);
            }
            PolicyEdit::PutPrefixSet { .. } | PolicyEdit::DeletePrefixSet { .. } => {}
        }
    }
    let uses = |n: &config::Neighbor| {
        let named = n.families.values().flat_map(|f| [&f.import, &f.export]).flatten();
        named.into_iter().any(|name| policies.contains(name.as_str()))
    };
    out.extend(config.bgp.iter().flat_map(|b| &b.neighbors).filter(|(_, n)| uses(n)).map(|(address, _)| *address));
    out
}

#[cfg(test)]
mod tests;
