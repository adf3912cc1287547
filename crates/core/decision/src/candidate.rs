//! The actions that could answer an outbound finding.

use crate::edits::EditPlan;
use crate::{ExitRoute, Settings, View, WhatIf};
use action::{Action, ActionType, Direction, ExitId, Parameters, ProviderId};
use bgp::Prefix;
use std::collections::{BTreeMap, BTreeSet};

/// Which prefixes get a new LOCAL_PREF at which exit.
pub type Targets = BTreeMap<ExitId, BTreeSet<Prefix>>;

/// What a candidate does, before it is turned into edits.
#[derive(Clone, Debug)]
pub enum Plan {
    /// Raises the listed prefixes at the listed exits above every other route.
    Raise(Targets),
    /// Lowers the listed prefixes at the listed exits below the best other route.
    Lower(Targets),
    /// Drains a provider.
    Drain(ProviderId),
}

impl Plan {
    /// Returns the plan for the prefixes that `keep` wants; `None` for a plan that cannot be split or when nothing is left.
    pub fn restricted(&self, keep: impl Fn(&Prefix) -> bool) -> Option<Self> {
        let cut = |targets: &Targets| -> Option<Targets> {
            let kept = targets.iter().map(|(e, p)| (e.clone(), p.iter().copied().filter(&keep).collect::<BTreeSet<_>>()));
            let kept: Targets = kept.filter(|(_, p)| !p.is_empty()).collect();
            (!kept.is_empty()).then_some(kept)
        };
        match self {
            Self::Raise(t) => cut(t).map(Self::Raise),
            Self::Lower(t) => cut(t).map(Self::Lower),
            Self::Drain(_) => None,
        }
    }

    /// Returns a short name.
    pub fn name(&self) -> String {
        let exits = |t: &Targets| t.keys().map(ExitId::as_str).collect::<Vec<_>>().join(" + ");
        match self {
            Self::Raise(t) => format!("raise {}", exits(t)),
            Self::Lower(t) => format!("lower {}", exits(t)),
            Self::Drain(p) => format!("drain {p}"),
        }
    }

    /// Returns the action without edits, for a plan that cannot be built.
    pub fn bare(&self) -> Action {
        let (kind, direction, targets) = match self {
            Self::Raise(t) | Self::Lower(t) => (ActionType::LocalPrefAdjust, Direction::Outbound, Some(t)),
            Self::Drain(_) => (ActionType::IspFailover, Direction::Both, None),
        };
        Action {
            kind,
            direction,
            prefixes: targets.map(prefixes_of).unwrap_or_default(),
            exits: targets.map(|t| t.keys().cloned().collect()).unwrap_or_default(),
            parameters: Parameters::None,
            edits: Vec::new(),
        }
    }
}

fn prefixes_of(targets: &Targets) -> Vec<Prefix> {
    targets.values().flatten().copied().collect::<BTreeSet<_>>().into_iter().collect()
}

/// Turns plans into actions with edits.
pub struct Builder<'a> {
    pub view: &'a View<'a>,
    pub twin: &'a dyn WhatIf,
    pub settings: &'a Settings,
}

impl Builder<'_> {
    /// Returns the action of a plan, or why it cannot be built.
    pub fn build(&self, plan: &Plan) -> Result<Action, String> {
        match plan {
            Plan::Raise(targets) => {
                let value = self.winning(targets)?;
                self.local_pref(plan, targets, value)
            }
            Plan::Lower(targets) => {
                let value = self.yielding(targets)?;
                self.local_pref(plan, targets, value)
            }
            Plan::Drain(provider) => self.drain(plan, provider),
        }
    }

    /// Returns the smallest LOCAL_PREF that is above every route to the prefixes at other exits, so that no later step of the decision
    /// process matters.
    fn winning(&self, targets: &Targets) -> Result<u32, String> {
        let mut value = 0;
        for prefix in prefixes_of(targets) {
            let raised = |r: &ExitRoute| targets.get(&r.exit).is_some_and(|p| p.contains(&prefix));
            let best_other = self.twin.alternatives(&prefix).iter().filter(|r| !raised(r)).map(|r| r.local_pref).max();
            value = value.max(best_other.map_or(0, |v| v.saturating_add(1)));
        }
        if value > self.settings.local_pref_max {
            return Err(format!("it would need LOCAL_PREF {value}; {} is the highest allowed", self.settings.local_pref_max));
        }
        Ok(value)
    }

    /// Returns the largest LOCAL_PREF that is below the best route to each of the prefixes at other exits.
    fn yielding(&self, targets: &Targets) -> Result<u32, String> {
        let mut value = self.settings.local_pref_max;
        for prefix in prefixes_of(targets) {
            let lowered = |r: &ExitRoute| targets.get(&r.exit).is_some_and(|p| p.contains(&prefix));
            let best_other = self.twin.alternatives(&prefix).iter().filter(|r| !lowered(r)).map(|r| r.local_pref).max();
            let below = best_other.and_then(|v| v.checked_sub(1));
            value = value.min(below.ok_or_else(|| format!("{prefix} has no other route above LOCAL_PREF 0"))?);
        }
        Ok(value)
    }

    fn local_pref(&self, plan: &Plan, targets: &Targets, value: u32) -> Result<Action, String> {
        let mut edits = EditPlan::new(self.twin, self.view.network);
        let mut before: Option<(u32, u32)> = None;
        for (exit, prefixes) in targets {
            edits.local_pref(exit, prefixes, value)?;
            for route in prefixes.iter().flat_map(|p| self.twin.alternatives(p)).filter(|r| &r.exit == exit) {
                let (low, high) = before.unwrap_or((route.local_pref, route.local_pref));
                before = Some((low.min(route.local_pref), high.max(route.local_pref)));
            }
        }
        let before = before.ok_or("the prefixes have no route there")?;
        Ok(Action { parameters: Parameters::LocalPref { local_pref: value, before }, edits: edits.finish(), ..plan.bare() })
    }

    fn drain(&self, plan: &Plan, provider: &ProviderId) -> Result<Action, String> {
        let inventory = &self.view.network.inventory;
        let exits: BTreeSet<ExitId> = inventory.exits.iter().filter(|e| &e.provider == provider).map(|e| e.id.clone()).collect();
        let mut edits = EditPlan::new(self.twin, self.view.network);
        let mut prefixes = BTreeSet::new();
        for exit in &exits {
            edits.drain(exit, &exits)?;
            prefixes.extend(self.twin.prefixes_via(exit));
        }
        Ok(Action {
            prefixes: prefixes.into_iter().collect(),
            exits: exits.into_iter().collect(),
            parameters: Parameters::Failover { from: provider.clone(), to: Vec::new() },
            edits: edits.finish(),
            ..plan.bare()
        })
    }
}
