//! What a change would do, and whether it may be made.

use super::{Change, ChangeError, undo};
use crate::Case;
use crate::beside::Beside;
use bgp::Prefix;
use config::RpkiState;
use preflight::order::{Order, safe_order};
use preflight::{Check, Context, Difference, Evidence, Facts, Intent, Prediction, Summary, Verdict, World};
use routing::{Blueprint, Moved};
use serde::Serialize;
use std::collections::BTreeSet;

/// The way back at one router.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Inverse {
    /// Router.
    pub router: String,
    /// Lines to type.
    pub lines: Vec<String>,
}

/// What a change does.
#[derive(Clone, Debug, Serialize)]
pub struct Effect {
    /// Before and after, by router and prefixes that change alike.
    pub moved: Vec<Moved>,
    /// What differs: exits, traffic, announcements, what stays, what was not meant to move.
    pub difference: Difference,
    /// Loads of exits and links after.
    pub loads: Vec<preflight::load::Load>,
    /// Predicted delay, loss, cost, time to settle.
    pub prediction: Prediction,
    /// Checks.
    pub checks: Vec<Check>,
    /// Lowest autonomy tier that may decide, where a check has a say in it.
    pub tier: Option<u8>,
    /// The way back.
    pub inverse: Vec<Inverse>,
    /// Order of the steps, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// What is not modelled, before or after.
    pub unmodelled: Vec<String>,
}

impl Effect {
    /// Says whether no check blocks.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.checks.iter().all(|c| c.verdict != Verdict::Block)
    }

    /// Returns the worst verdict.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.checks.iter().map(|c| c.verdict).max().unwrap_or(Verdict::Pass)
    }

    /// Returns the line about it that goes to a log.
    #[must_use]
    pub fn summary(&self) -> Summary<'_> {
        Summary { checks: &self.checks, blast: self.difference.blast, prediction: &self.prediction }
    }
}

impl Case {
    /// Says what a change would do.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn effect(&self, change: &Change) -> Result<Effect, ChangeError> {
        self.effect_with(change, &Beside::default())
    }

    /// Says what a change would do, with what is told beside the network.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn effect_with(&self, change: &Change, beside: &Beside) -> Result<Effect, ChangeError> {
        let before = self.blueprint_with(beside);
        let intent = self.intent(change, beside)?;
        let facts = beside.facts(&before, &intent.routers.iter().cloned().collect());
        let changed = self.changed(change, beside)?;
        let after = changed.blueprint(beside);
        let case = &changed.case;
        let mut trial = Trial { beside, facts: &facts, before: World::solve(&before, &facts.own_as), intent: &intent };
        let world = World::solve(&after, &facts.own_as);
        let inverse = self.way_back(change, case);
        let order = self.order(change, &mut trial)?;
        let names = steps_of(change).iter().map(|s| s.in_words()).collect::<Vec<_>>();

        let (now, then) = (beside.vrps.as_deref(), beside.vrps_before.as_deref());
        let valid = |p: &Prefix, asn| now?.state(p, Some(asn));
        let valid_before = |p: &Prefix, asn| then?.state(p, Some(asn));
        let context = Context {
            facts: &facts,
            validity: now.is_some().then_some(&valid as preflight::Validity<'_>),
            validity_before: then.is_some().then_some(&valid_before as &dyn Fn(&Prefix, bgp::Asn) -> Option<RpkiState>),
        };
        let evidence = Evidence::new(&trial.before, &world, &intent, context);
        let mut checks = evidence.checks();
        checks.push(case.restores(&inverse, beside, &evidence, intent.failure)?);
        checks.extend(order.as_ref().map(|o| preflight::check::passage::passage(o, &names)));
        checks.sort_by_key(|c| c.id);
        let prediction = preflight::prediction(&evidence);
        let moved = trial.before.families.iter().zip(&world.families);
        let moved = moved.flat_map(|(a, b)| a.plane.moved(&a.solution, &b.plane, &b.solution)).collect();
        let mut unmodelled = case.unmodelled(&after);
        unmodelled.extend(intent.not_computed.iter().cloned());
        Ok(Effect {
            moved,
            loads: evidence.loads.clone(),
            prediction,
            tier: checks.iter().filter_map(|c| c.tier).max(),
            difference: evidence.difference,
            checks,
            inverse,
            order,
            unmodelled,
        })
    }

    /// Works out the lines that take a change back, per router; lines that the change brings itself are taken as they are.
    fn way_back(&self, change: &Change, after: &Self) -> Vec<Inverse> {
        if let Change::Config { router, undo: Some(lines), .. } = change {
            return vec![Inverse { router: router.clone(), lines: lines.clone() }];
        }
        let pairs = self.routers.iter().zip(&after.routers).filter(|((_, old), (_, new))| old.files != new.files);
        pairs.map(|((name, old), (_, new))| Inverse { router: name.clone(), lines: undo::inverse(&old.joined(), &new.joined()) }).collect()
    }

    /// Types the way back and compares with what was before (K15).
    fn restores(&self, inverse: &[Inverse], beside: &Beside, evidence: &Evidence<'_>, failure: bool) -> Result<Check, ChangeError> {
        let mut case = self.clone();
        for back in inverse {
            case.types(&back.router, &back.lines)?;
        }
        let mut restored = case.blueprint_with(beside);
        if !failure {
            restored.failures.clone_from(&evidence.after.network.failures);
        }
        let world = World::solve(&restored, &evidence.context.facts.own_as);
        Ok(preflight::check::inverse::inverse(evidence, &world))
    }

    /// Searches an order for a change of several steps on several routers; `None`: it has one step.
    fn order(&self, change: &Change, trial: &mut Trial<'_, '_>) -> Result<Option<Order>, ChangeError> {
        let steps = steps_of(change);
        if steps.len() < 2 || steps.iter().any(|s| matches!(s, Change::Fail(_) | Change::Announce(_) | Change::Flow { .. })) {
            return Ok(None);
        }
        let order = safe_order(steps.len(), |done| {
            let part = Change::Several(done.iter().map(|s| steps[*s].clone()).collect());
            Ok::<_, ChangeError>(trial.wrong(&self.changed(&part, trial.beside)?.blueprint(trial.beside)))
        })?;
        Ok(Some(order))
    }
}

/// What the states between steps are held against.
struct Trial<'t, 'n> {
    beside: &'t Beside,
    facts: &'t Facts,
    before: World<'n>,
    intent: &'t Intent,
}

impl Trial<'_, '_> {
    fn wrong(&mut self, state: &Blueprint) -> Option<String> {
        let world = World::solve(state, &self.facts.own_as);
        preflight::check::passage::wrong(&Evidence::new(&self.before, &world, self.intent, Context::of(self.facts)))
    }
}

/// The steps of a change.
fn steps_of(change: &Change) -> Vec<Change> {
    match change {
        Change::Several(all) => all.iter().flat_map(steps_of).collect(),
        Change::Action(a) if a.name == "FULL_REROUTE" => a.parameters.steps.iter().flat_map(steps_of).collect(),
        other => vec![other.clone()],
    }
}

impl Change {
    /// Says a change in a few words.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Self::Action(a) => {
                let neighbor = a.neighbor.map(|n| format!(" to {n}")).unwrap_or_default();
                let value = match (&a.parameters.from, &a.parameters.to) {
                    (Some(from), Some(to)) => format!(" from {from} to {to}"),
                    _ => String::new(),
                };
                let router = if a.router.is_empty() { String::new() } else { format!(" {}", a.router) };
                format!("{}{router}{neighbor}{value}", a.name)
            }
            Self::Config { router, config, .. } => format!("{} lines at {router}", config.len()),
            Self::Fail(all) => {
                let name = |f: &super::Failure| match f {
                    super::Failure::Link(l) => format!("link {l}"),
                    super::Failure::Router(r) => format!("router {r}"),
                    super::Failure::Session(r, n) => format!("session {r} to {n}"),
                };
                format!("failure of {}", all.iter().map(name).collect::<Vec<_>>().join(" and "))
            }
            Self::Announce(g) => format!("{} more prefixes from {}", g.count, g.router),
            Self::Flow { router, .. } => format!("FlowSpec rule at {router}"),
            Self::Several(all) => {
                let names: BTreeSet<String> = all.iter().map(Self::in_words).collect();
                names.into_iter().collect::<Vec<_>>().join(", ")
            }
        }
    }
}
