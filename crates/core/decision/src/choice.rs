//! The choice: what is asked of the twin, which candidates fall and why, which one is left.

use crate::candidate::{Builder, Plan, Targets};
use crate::prediction::{Predictor, destinations};
use crate::proposal::{Alternative, Confidence, Decision, Proposal};
use crate::quality::QualityTable;
use crate::traffic::{Flow, Traffic};
use crate::{Class, Effect, ExitRoute, Prediction, Settings, View, WhatIf, WhatIfError, text};
use action::{Action, ActionType, DeviceId, Direction, ExitId, GroupId, Parameters, ProviderId};
use bgp::Prefix;
use config::RouterConfig;
use network::ProbeKey;
use perception::{Estimate, Expectation, ExpectedPath, Finding, FindingKind, Goal, Interval, Measured, Request};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use units::Ratio;

/// A path that follows the routing may differ from the pinned one by this much more than the twin and the statistics know, milliseconds.
const PREDICTION_SLACK_MS: f64 = 0.5;

/// Answers a finding.
#[must_use]
pub fn decide(finding: &Finding, view: &View<'_>, twin: &dyn WhatIf, settings: &Settings) -> Decision {
    let traffic = Traffic::new(view, settings);
    let affected = traffic.affected(finding, twin);
    let twin = &Remembered::new(twin, affected.iter().map(|(_, p)| *p));
    Deliberation { finding, view, twin, settings, quality: QualityTable::new(view, settings), traffic: &traffic, affected: &affected }.run()
}

/// A twin whose routes to the prefixes in question were asked once and sorted: they are needed again for every candidate.
struct Remembered<'a> {
    twin: &'a dyn WhatIf,
    routes: BTreeMap<Prefix, Vec<ExitRoute>>,
}

impl<'a> Remembered<'a> {
    fn new(twin: &'a dyn WhatIf, prefixes: impl Iterator<Item = Prefix>) -> Self {
        let sorted = |p: Prefix| {
            let mut routes = twin.alternatives(&p);
            routes.sort();
            (p, routes)
        };
        Self { twin, routes: prefixes.collect::<BTreeSet<_>>().into_iter().map(sorted).collect() }
    }
}

impl WhatIf for Remembered<'_> {
    fn threads(&self) -> usize {
        self.twin.threads()
    }

    fn prefixes_via(&self, exit: &ExitId) -> Vec<Prefix> {
        self.twin.prefixes_via(exit)
    }

    fn alternatives(&self, prefix: &Prefix) -> Vec<ExitRoute> {
        self.routes.get(prefix).cloned().unwrap_or_else(|| self.twin.alternatives(prefix))
    }

    fn config(&self, device: &DeviceId) -> Option<&RouterConfig> {
        self.twin.config(device)
    }

    fn what_if(&self, action: &Action) -> Result<Effect, WhatIfError> {
        self.twin.what_if(action)
    }
}

struct Deliberation<'a> {
    finding: &'a Finding,
    view: &'a View<'a>,
    twin: &'a dyn WhatIf,
    settings: &'a Settings,
    quality: QualityTable,
    traffic: &'a Traffic<'a>,
    affected: &'a BTreeSet<Flow>,
}

/// A candidate on its way through the filters.
struct Entry {
    name: String,
    action: Action,
    effect: Option<Effect>,
    /// Set when it is out.
    lost: Option<String>,
    /// Prefixes that a split left for later.
    later: BTreeSet<Prefix>,
}

/// Why an improvement is not accepted.
enum NoGain {
    /// It looks like one, but not for sure.
    Unsure(String),
    /// It is none.
    None(String),
}

impl Deliberation<'_> {
    fn run(&self) -> Decision {
        if self.finding.direction != Direction::Outbound {
            return self.nothing(Vec::new(), "the finding is not about outbound traffic; actions for other directions are not available");
        }
        if self.affected.is_empty() {
            return self.nothing(Vec::new(), "no prefix leaves by the degraded paths now: the routers already chose other ways");
        }
        let mut entries = self.entries();
        let universe: BTreeSet<Flow> = self
            .affected
            .iter()
            .cloned()
            .chain(entries.iter().filter_map(|e| e.effect.as_ref()).flat_map(|e| destinations(e).into_keys()))
            .collect();
        let predictor = Predictor {
            view: self.view,
            settings: self.settings,
            traffic: self.traffic,
            quality: &self.quality,
            affected: self.affected,
            universe: &universe,
        };
        let idle = predictor.predict(&no_effect());
        let mut unsure = false;
        let mut judged: Vec<(Entry, Option<Prediction>, Option<Goal>)> = Vec::new();
        for mut entry in entries.drain(..) {
            let prediction = entry.effect.as_ref().map(|e| predictor.predict(e));
            let mut goal = None;
            if let (None, Some(effect), Some(p)) = (&entry.lost, &entry.effect, &prediction) {
                entry.lost = self.objection(effect, p);
                if entry.lost.is_none() {
                    match self.gain(&idle, p) {
                        Ok(g) => goal = Some(g),
                        Err(NoGain::Unsure(why)) => {
                            unsure = true;
                            entry.lost = Some(why);
                        }
                        Err(NoGain::None(why)) => entry.lost = Some(why),
                    }
                }
            }
            judged.push((entry, prediction, goal));
        }
        self.conclude(judged, idle, unsure)
    }

    /// Enters every plan, as many at once as the twin takes questions; the entries are in the order of the plans.
    fn entries(&self) -> Vec<Entry> {
        let plans = self.plans();
        let threads = self.twin.threads().clamp(1, plans.len().max(1));
        // plans take different times: each thread takes every so manieth
        let part = |first: usize| {
            let own = plans.iter().enumerate().skip(first).step_by(threads);
            own.map(|(at, (plan, lost))| (at, self.enter(plan, lost.clone()))).collect::<Vec<_>>()
        };
        let mut entries: Vec<(usize, Entry)> = twin::side_by_side(threads, part).into_iter().flatten().collect();
        entries.sort_by_key(|(at, _)| *at);
        entries.into_iter().map(|(_, entry)| entry).collect()
    }

    /// Returns the plans, each with the reason why it is out from the start.
    fn plans(&self) -> Vec<(Plan, Option<String>)> {
        let mut plans = Vec::new();
        let mut usable: BTreeMap<ExitId, BTreeSet<Prefix>> = BTreeMap::new();
        let mut refused: BTreeMap<ExitId, (BTreeSet<Prefix>, BTreeSet<String>)> = BTreeMap::new();
        for prefix in self.affected_prefixes() {
            let Some(class) = self.traffic.class(&prefix) else { continue };
            for exit in self.other_exits(&prefix) {
                match self.refusal(&exit, &class) {
                    None => drop(usable.entry(exit).or_default().insert(prefix)),
                    Some(why) => {
                        let entry = refused.entry(exit).or_default();
                        entry.0.insert(prefix);
                        entry.1.insert(why);
                    }
                }
            }
        }
        for (exit, prefixes) in &usable {
            plans.push((Plan::Raise(Targets::from([(exit.clone(), prefixes.clone())])), None));
        }
        plans.extend(self.joint(&usable).into_iter().map(|t| (Plan::Raise(t), None)));
        for (exit, (prefixes, why)) in refused.into_iter().filter(|(e, _)| !usable.contains_key(e)) {
            plans.push((Plan::Raise(Targets::from([(exit, prefixes)])), Some(why.into_iter().collect::<Vec<_>>().join("; "))));
        }
        let lower = self.lowered();
        if !lower.is_empty() {
            plans.push((Plan::Lower(lower), None));
        }
        plans.push((Plan::Drain(self.finding.provider.clone()), None));
        plans
    }

    /// Returns combinations of exits: all of one provider, and every class at its own best exit.
    fn joint(&self, usable: &BTreeMap<ExitId, BTreeSet<Prefix>>) -> BTreeSet<Targets> {
        let mut joint = BTreeSet::new();
        let mut by_provider: BTreeMap<ProviderId, Targets> = BTreeMap::new();
        for (exit, prefixes) in usable {
            if let Some(spec) = self.view.network.inventory.exit(exit) {
                by_provider.entry(spec.provider.clone()).or_default().insert(exit.clone(), prefixes.clone());
            }
        }
        joint.extend(by_provider.into_values());
        let mut best = Targets::new();
        for prefix in self.affected_prefixes() {
            let Some(class) = self.traffic.class(&prefix) else { continue };
            let exits = usable.iter().filter(|(_, p)| p.contains(&prefix)).map(|(e, _)| e);
            let costed = exits.filter_map(|e| Some((self.quality.get(e, &class)?.cost(self.settings)?, e)));
            if let Some((_, exit)) = costed.min_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(b.1))) {
                best.entry(exit.clone()).or_default().insert(prefix);
            }
        }
        joint.insert(best);
        joint.retain(|t| t.len() > 1);
        joint
    }

    /// Returns the concerned prefixes, at the exits they leave by, that have a usable other way.
    fn lowered(&self) -> Targets {
        let mut targets = Targets::new();
        for (exit, prefix) in self.affected {
            let class = self.traffic.class(prefix);
            let movable = class.is_some_and(|c| self.other_exits(prefix).iter().any(|e| self.refusal(e, &c).is_none()));
            if movable {
                targets.entry(exit.clone()).or_default().insert(*prefix);
            }
        }
        targets
    }

    fn affected_prefixes(&self) -> BTreeSet<Prefix> {
        self.affected.iter().map(|(_, p)| *p).collect()
    }

    /// Returns the exits with a route to `prefix` that are not part of the finding for its class, sorted.
    fn other_exits(&self, prefix: &Prefix) -> BTreeSet<ExitId> {
        let class = self.traffic.class(prefix);
        let concerned = |e: &ExitId| match &class {
            Some(c) => self.finding.concerns(e, &c.group, c.family),
            None => self.finding.exits.contains(e),
        };
        self.twin.alternatives(prefix).into_iter().map(|r| r.exit).filter(|e| !concerned(e)).collect()
    }

    /// Returns why no traffic of `class` may be sent to `exit`.
    fn refusal(&self, exit: &ExitId, class: &Class) -> Option<String> {
        match self.quality.get(exit, class) {
            None => Some(format!("{exit} is not measured for {class}")),
            Some(q) if q.is_bad() => Some(format!("{exit} is itself degraded for {class}")),
            Some(q) if q.is_suspect() => Some(format!("{exit} is itself suspect for {class}, and not judged yet")),
            Some(q) if !q.is_usable() => Some(format!("{exit} was not measured recently for {class}")),
            Some(_) => None,
        }
    }

    /// Builds and simulates a plan, split by target group when it would move too much at once.
    fn enter(&self, plan: &Plan, lost: Option<String>) -> Entry {
        let mut entry = Entry { name: plan.name(), action: plan.bare(), effect: None, lost, later: BTreeSet::new() };
        if entry.lost.is_some() {
            return entry;
        }
        match self.simulate(plan) {
            Err(why) => entry.lost = Some(why),
            Ok((action, effect)) if effect.blast.get() <= self.settings.blast_max => (entry.action, entry.effect) = (action, Some(effect)),
            Ok((action, effect)) => match self.split(plan) {
                Some((part, part_effect, later)) => (entry.action, entry.effect, entry.later) = (part, Some(part_effect), later),
                None => {
                    let limit = Ratio::new(self.settings.blast_max).unwrap_or(Ratio::ONE);
                    entry.lost = Some(format!("it would change {} of the known prefixes, above the limit of {limit}", effect.blast));
                    (entry.action, entry.effect) = (action, Some(effect));
                }
            },
        }
        entry
    }

    fn simulate(&self, plan: &Plan) -> Result<(Action, Effect), String> {
        let mut action = Builder { view: self.view, twin: self.twin, settings: self.settings }.build(plan)?;
        if action.edits.is_empty() {
            return Err("it would change nothing in any configuration".to_owned());
        }
        let mut effect = self.twin.what_if(&action).map_err(|e| e.to_string())?;
        effect.moves.sort();
        if let Parameters::Failover { to, .. } = &mut action.parameters {
            *to = self.receivers(&effect);
        }
        Ok((action, effect))
    }

    /// Returns the providers that take the traffic, most prefixes first.
    fn receivers(&self, effect: &Effect) -> Vec<ProviderId> {
        let mut counts: BTreeMap<ProviderId, usize> = BTreeMap::new();
        for exit in destinations(effect).into_values().flatten() {
            if let Some(spec) = self.view.network.inventory.exit(&exit) {
                *counts.entry(spec.provider.clone()).or_default() += 1;
            }
        }
        let mut order: Vec<(usize, ProviderId)> = counts.into_iter().map(|(p, n)| (n, p)).collect();
        order.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        order.into_iter().map(|(_, p)| p).collect()
    }

    /// Returns the largest part of a plan, group by group in the order of their weight, that stays under the blast limit.
    fn split(&self, plan: &Plan) -> Option<(Action, Effect, BTreeSet<Prefix>)> {
        let mut taken: BTreeSet<GroupId> = BTreeSet::new();
        let mut best: Option<(Action, Effect)> = None;
        for group in self.groups_by_weight() {
            let mut wanted = taken.clone();
            wanted.insert(group);
            let part = plan.restricted(|p| self.traffic.class(p).is_some_and(|c| wanted.contains(&c.group)))?;
            if let Ok((action, effect)) = self.simulate(&part)
                && effect.blast.get() <= self.settings.blast_max
            {
                taken = wanted;
                best = Some((action, effect));
            }
        }
        let (action, effect) = best?;
        let now: BTreeSet<Prefix> = action.prefixes.iter().copied().collect();
        let later = plan.bare().prefixes.into_iter().filter(|p| !now.contains(p)).collect();
        Some((action, effect, later))
    }

    /// Returns the concerned groups, the one with most traffic (or most prefixes) first.
    fn groups_by_weight(&self) -> Vec<GroupId> {
        let (weights, _) = self.traffic.weights(self.affected);
        let mut sums: BTreeMap<GroupId, f64> = BTreeMap::new();
        for ((_, prefix), weight) in &weights {
            if let Some(class) = self.traffic.class(prefix) {
                *sums.entry(class.group).or_default() += weight;
            }
        }
        let mut order: Vec<(f64, GroupId)> = sums.into_iter().map(|(g, w)| (w, g)).collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        order.into_iter().map(|(_, g)| g).collect()
    }

    /// Returns the hard reason against an effect, whatever it gains.
    fn objection(&self, effect: &Effect, prediction: &Prediction) -> Option<String> {
        if let Some(check) = effect.failed_checks.iter().min() {
            return Some(format!("a check of the simulation failed: {check}"));
        }
        if prediction.moves.is_empty() {
            return Some("no prefix would leave elsewhere".to_owned());
        }
        for m in &prediction.moves {
            if m.to.is_empty() {
                return Some(format!("{} would lose its last way out", m.prefix));
            }
            let Some(class) = self.traffic.class(&m.prefix) else { continue };
            if let Some(why) = m.to.iter().find_map(|to| self.refusal(to, &class)) {
                return Some(format!("{} would move there, but {why}", m.prefix));
            }
        }
        if self.expectation(effect, Goal::Delay).paths.is_empty() {
            return Some("no probe that follows the routing would move, so its success could not be measured".to_owned());
        }
        prediction.loads.iter().find_map(|l| self.overload(l))
    }

    #[allow(clippy::cast_precision_loss, reason = "link capacities are far below 2^52")]
    fn overload(&self, load: &crate::ExitLoad) -> Option<String> {
        let (after, limit) = (load.after_bps?, load.capacity_bps as f64 * self.settings.load_max);
        let rises = load.now_bps.is_some_and(|now| after > now);
        (rises && after > limit).then(|| {
            let capacity = text::rate(load.capacity_bps as f64);
            format!("{} would carry {} of {capacity}, above {:.0} %", load.exit, text::rate(after), self.settings.load_max * 100.0)
        })
    }

    /// Returns which quantity improves for sure and by enough, compared with doing nothing.
    fn gain(&self, idle: &Prediction, p: &Prediction) -> Result<Goal, NoGain> {
        let numbers = text::effect(p);
        if p.cost >= idle.cost {
            return Err(NoGain::None(format!("{numbers}: not better than doing nothing (cost {:.1} against {:.1})", p.cost, idle.cost)));
        }
        let delay = step(idle.delay_before_ms, p.delay_after_ms, self.settings.delay_gain_ms_min);
        let loss = step(idle.loss_before, p.loss_after, self.settings.loss_gain_min);
        let order = match self.finding.kind {
            FindingKind::DelayRise => [(delay, Goal::Delay), (loss, Goal::Loss)],
            FindingKind::Loss | FindingKind::Silent | FindingKind::SessionDown => [(loss, Goal::Loss), (delay, Goal::Delay)],
        };
        if let Some((_, goal)) = order.iter().find(|(s, _)| *s == Step::Sure) {
            return Ok(*goal);
        }
        if order.iter().any(|(s, _)| *s == Step::Unsure) {
            return Err(NoGain::Unsure(format!("{numbers}: the gain is not certain yet, more samples are needed")));
        }
        Err(NoGain::None(format!("{numbers}: too little gain")))
    }

    fn conclude(&self, judged: Vec<(Entry, Option<Prediction>, Option<Goal>)>, idle: Prediction, unsure: bool) -> Decision {
        let best = self.best(&judged);
        let mut alternatives = Vec::new();
        let mut chosen = None;
        for (index, (entry, prediction, goal)) in judged.into_iter().enumerate() {
            match (prediction, goal) {
                (Some(prediction), Some(goal)) if Some(index) == best => chosen = Some((entry, prediction, goal)),
                (prediction, _) => alternatives.push((entry, prediction)),
            }
        }
        let wanted = self.wanted(chosen.is_some(), unsure);
        let winner = chosen.as_ref().map(|(e, p, _)| (e.name.clone(), p.cost, p.blast));
        let mut rows: Vec<Alternative> = alternatives
            .into_iter()
            .map(|(entry, prediction)| Alternative {
                lost_because: entry.lost.unwrap_or_else(|| lost_to(winner.as_ref(), prediction.as_ref(), self.settings)),
                name: entry.name,
                action: entry.action,
                prediction,
            })
            .collect();
        let Some((entry, prediction, goal)) = chosen else {
            return self.nothing_with(rows, idle, wanted, "no alternative is better");
        };
        rows.push(Alternative {
            name: "do nothing".to_owned(),
            action: no_action(),
            lost_because: format!(
                "delay stays {}, loss stays {} (cost {:.1} against {:.1})",
                text::delay(idle.delay_before_ms.as_ref()),
                text::loss(idle.loss_before.as_ref()),
                idle.cost,
                prediction.cost
            ),
            prediction: Some(idle),
        });
        let summary = self.summary(&entry.action, &prediction);
        let rationale = self.rationale(&summary, &prediction, &rows);
        let expectation = entry.effect.as_ref().map(|e| self.expectation(e, goal));
        let proposal = Proposal {
            finding: self.finding.id,
            action: entry.action,
            summary,
            prediction,
            expectation,
            confidence: Confidence::Unknown,
            evidence: self.finding.evidence.clone(),
        };
        let (unmovable, unmeasured) = self.left_over();
        Decision {
            chosen: proposal,
            alternatives: rows,
            unmovable,
            unmeasured,
            later: entry.later.into_iter().collect(),
            wanted,
            rationale,
        }
    }

    /// Returns the index of the best candidate that is not out: lowest cost; among equals the smaller blast radius, then what names its
    /// prefixes before a drain (which moves inbound traffic too), fewer devices, fewer edits, the name.
    fn best(&self, judged: &[(Entry, Option<Prediction>, Option<Goal>)]) -> Option<usize> {
        let alive = || judged.iter().enumerate().filter_map(|(i, (e, p, g))| Some((i, e, p.as_ref()?, g.as_ref()?)));
        let lowest = alive().map(|(_, _, p, _)| p.cost).min_by(f64::total_cmp)?;
        let equals = alive().filter(|(_, _, p, _)| p.cost <= lowest + self.settings.equal_cost);
        let drains = |e: &Entry| e.action.kind == ActionType::IspFailover;
        let size = |e: &Entry| (drains(e), e.action.edits.len(), e.action.edits.iter().map(|d| d.edits.len()).sum::<usize>());
        let order = |a: &(usize, &Entry, &Prediction, &Goal), b: &(usize, &Entry, &Prediction, &Goal)| -> Ordering {
            let by_blast = a.2.blast.get().total_cmp(&b.2.blast.get());
            by_blast.then_with(|| size(a.1).cmp(&size(b.1))).then_with(|| a.1.name.cmp(&b.1.name))
        };
        equals.min_by(order).map(|(i, ..)| i)
    }

    /// Returns the probes that a better answer needs: those of the concerned classes on exits that are not judged, or all when the
    /// gain is not certain.
    fn wanted(&self, decided: bool, unsure: bool) -> Vec<Request> {
        let classes: BTreeSet<Class> = self.affected.iter().filter_map(|(_, p)| self.traffic.class(p)).collect();
        let mut probes: BTreeSet<&ProbeKey> = BTreeSet::new();
        for key in self.view.network.probes.keys() {
            let class = Class { group: key.group.clone(), family: key.family };
            if !classes.contains(&class) {
                continue;
            }
            let quality = key.exit.as_ref().and_then(|e| self.quality.get(e, &class));
            let open = quality.is_some_and(|q| q.is_suspect() || (!q.measured && !q.is_bad()));
            if !decided && (unsure || open) {
                probes.insert(key);
            }
        }
        let (hz, seconds) = (self.settings.evidence_hz, self.settings.evidence_seconds);
        probes.into_iter().map(|probe| Request::ProbeRate { probe: probe.clone(), hz, seconds }).collect()
    }

    /// Returns the concerned prefixes that have no other exit, and those of no measured group.
    fn left_over(&self) -> (Vec<Prefix>, Vec<Prefix>) {
        let all = self.affected_prefixes();
        let unmovable = all.iter().copied().filter(|p| self.other_exits(p).is_empty()).collect();
        let unmeasured = all.iter().copied().filter(|p| self.traffic.class(p).is_none()).collect();
        (unmovable, unmeasured)
    }

    fn nothing(&self, alternatives: Vec<Alternative>, why: &str) -> Decision {
        let empty = BTreeSet::new();
        let predictor = Predictor {
            view: self.view,
            settings: self.settings,
            traffic: self.traffic,
            quality: &self.quality,
            affected: self.affected,
            universe: &empty,
        };
        self.nothing_with(alternatives, predictor.predict(&no_effect()), Vec::new(), why)
    }

    fn nothing_with(&self, alternatives: Vec<Alternative>, idle: Prediction, wanted: Vec<Request>, why: &str) -> Decision {
        let trouble = text::trouble(self.view.network, self.finding);
        let lines: Vec<String> = alternatives.iter().map(|a| format!("{}: {}", a.name, a.lost_because)).collect();
        let (unmovable, unmeasured) = self.left_over();
        Decision {
            rationale: [vec![format!("{trouble}. No action: {why}.")], lines].concat().join("\n"),
            chosen: Proposal {
                finding: self.finding.id,
                action: no_action(),
                summary: format!("No action: {trouble}; {why}."),
                prediction: idle,
                expectation: None,
                confidence: Confidence::Unknown,
                evidence: self.finding.evidence.clone(),
            },
            alternatives,
            unmovable,
            unmeasured,
            later: Vec::new(),
            wanted,
        }
    }

    /// Returns the first line of the approval card.
    fn summary(&self, action: &Action, p: &Prediction) -> String {
        let network = self.view.network;
        let prefixes: BTreeSet<Prefix> = p.moves.iter().map(|m| m.prefix).collect();
        let volume = p.volume_bps.map_or_else(|| "volume unknown".to_owned(), text::rate);
        let from = text::joined(p.moves.iter().map(|m| text::provider_of(network, &m.from)));
        let to = text::joined(p.moves.iter().flat_map(|m| &m.to).map(|e| text::provider_of(network, e)));
        let devices = text::joined(action.edits.iter().map(|d| d.device.as_str().to_uppercase()));
        let noun = if prefixes.len() == 1 { "prefix" } else { "prefixes" };
        let trouble = text::trouble(network, self.finding);
        format!("Move {} {noun} ({volume}, outbound) from {from} to {to} on {devices}; {trouble}.", prefixes.len())
    }

    fn rationale(&self, summary: &str, p: &Prediction, alternatives: &[Alternative]) -> String {
        let mut lines = vec![
            summary.to_owned(),
            format!("Predicted: {} for the traffic concerned; {} of the known prefixes change.", text::effect(p), p.blast),
        ];
        if let Some(money) = p.money_per_hour {
            lines.push(format!("Transit cost changes by {money:+.4} per hour."));
        }
        lines.extend(p.unknown.iter().map(|u| format!("Not known: {u}.")));
        lines.extend(alternatives.iter().map(|a| format!("{}: {}", a.name, a.lost_because)));
        lines.join("\n")
    }

    /// Returns how success is measured: on the probes that follow the routing toward prefixes that move.
    fn expectation(&self, effect: &Effect, goal: Goal) -> Expectation {
        let mut paths = Vec::new();
        let mut loss_before = self.finding.evidence.iter().fold(Measured::default(), |sum, e| sum.merged(&e.now));
        for felt in &self.finding.felt {
            let Some((from, to)) = self.destination(&felt.probe, effect) else { continue };
            let class = Class { group: felt.probe.group.clone(), family: felt.probe.family };
            let (left, taken) = (self.quality.get(&from, &class), self.quality.get(&to, &class));
            let shift = predicted_delay(felt.now.delay_estimate_ms(), left.and_then(|q| q.delay_ms), taken.and_then(|q| q.coming_ms));
            loss_before = loss_before.merged(&felt.now);
            paths.push(ExpectedPath {
                probe: felt.probe.clone(),
                before: felt.now,
                delay_ms: shift,
                loss: taken.and_then(|q| q.loss).map(|l| l.interval),
            });
        }
        paths.sort_by(|a, b| a.probe.cmp(&b.probe));
        Expectation { goal, paths, loss_before }
    }

    /// Returns where the target of a probe leaves before and after, when that changes: as its own device sees it, else as any does.
    fn destination(&self, probe: &ProbeKey, effect: &Effect) -> Option<(ExitId, ExitId)> {
        let group = self.view.network.inventory.groups.iter().find(|g| g.id == probe.group)?;
        let target = group.target(probe.family)?;
        let covering = effect.moves.iter().filter(|m| m.prefix.contains(target) && m.from != m.to && m.to.is_some());
        let longest = covering.clone().map(|m| m.prefix.length()).max()?;
        let mut of_target: Vec<_> = covering.filter(|m| m.prefix.length() == longest).collect();
        of_target.sort_by_key(|m| (m.device != probe.device, m.device.clone()));
        let first = of_target.first()?;
        Some((first.from.clone()?, first.to.clone()?))
    }
}

/// How a quantity changes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Sure,
    Unsure,
    None,
}

fn step(before: Option<Estimate>, after: Option<Estimate>, least: f64) -> Step {
    match (before, after) {
        (Some(b), Some(a)) if b.mean - a.mean >= least => {
            if a.surely_below(&b) {
                Step::Sure
            } else {
                Step::Unsure
            }
        }
        _ => Step::None,
    }
}

/// The routed path keeps its inner part and swaps the outer one. `felt` and `left` are measured now, `taken` is what is expected to come.
fn predicted_delay(felt: Option<Estimate>, left: Option<Estimate>, taken: Option<Estimate>) -> Option<Interval> {
    let taken = taken?;
    let arm = |e: &Estimate| (e.interval.high - e.interval.low) / 2.0;
    let (mean, spread) = match (felt, left) {
        (Some(f), Some(l)) => (f.mean - l.mean + taken.mean, libm::sqrt(arm(&f) * arm(&f) + arm(&l) * arm(&l) + arm(&taken) * arm(&taken))),
        _ => (taken.mean, arm(&taken)),
    };
    let mean = mean.max(0.0);
    Some(Interval::new((mean - spread - PREDICTION_SLACK_MS).max(0.0), mean + spread + PREDICTION_SLACK_MS))
}

fn lost_to(winner: Option<&(String, f64, Ratio)>, own: Option<&Prediction>, settings: &Settings) -> String {
    match (winner, own) {
        (Some((name, cost, _)), Some(p)) if p.cost > cost + settings.equal_cost => {
            format!("{}: cost {:.1}, {name} has {cost:.1}", text::effect(p), p.cost)
        }
        (Some((name, _, blast)), Some(p)) => {
            format!(
                "{}: as good as {name}, but wider ({} of the known prefixes against {blast}, or more devices and lines)",
                text::effect(p),
                p.blast
            )
        }
        _ => "not simulated".to_owned(),
    }
}

fn no_effect() -> Effect {
    Effect { moves: Vec::new(), failed_checks: Vec::new(), blast: Ratio::ZERO, unknown: Vec::new() }
}

fn no_action() -> Action {
    Action {
        kind: ActionType::NoAction,
        direction: Direction::Outbound,
        prefixes: Vec::new(),
        exits: Vec::new(),
        parameters: Parameters::None,
        edits: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
