//! The twin, asked in decision's words.

use crate::{Effect, ExitRoute, Move, WhatIf, WhatIfError};
use action::{Action, DeviceId, ExitId};
use bgp::Prefix;
use config::RouterConfig;
use std::error::Error;
use twin::{Prediction, Question, Twin, Verdict};

impl WhatIf for Twin<'_> {
    fn threads(&self) -> usize {
        Twin::threads(self)
    }

    fn prefixes_via(&self, exit: &ExitId) -> Vec<Prefix> {
        Twin::prefixes_via(self, exit)
    }

    fn alternatives(&self, prefix: &Prefix) -> Vec<ExitRoute> {
        let routes = Twin::alternatives(self, prefix).into_iter();
        routes.filter_map(|(exit, attributes)| Some(ExitRoute { exit, local_pref: attributes.local_pref? })).collect()
    }

    fn config(&self, device: &DeviceId) -> Option<&RouterConfig> {
        Twin::config(self, device)
    }

    fn what_if(&self, action: &Action) -> Result<Effect, WhatIfError> {
        let question = Question { kind: Some(action.kind), ..Question::new(&action.edits, &action.prefixes) };
        self.ask(&question).map(|p| effect(&p)).map_err(|e| {
            let cause = e.source().map_or(String::new(), |s| format!(": {s}"));
            WhatIfError { why: format!("{e}{cause}") }
        })
    }
}

/// Returns the part of a twin's prediction that a decision weighs.
fn effect(prediction: &Prediction) -> Effect {
    let mut moves = Vec::new();
    for change in &prediction.changed {
        for device in &change.devices {
            let (from, to) = (device.before.forwarding.exit(), device.after.forwarding.exit());
            if from != to {
                moves.push(Move { prefix: change.prefix, device: device.device.clone(), from: from.cloned(), to: to.cloned() });
            }
        }
    }
    let mut unknown = prediction.unmodelled.clone();
    if !prediction.order_dependent.is_empty() {
        unknown.push(format!("{} choices depend on the order in which routes arrive", prediction.order_dependent.len()));
    }
    let failed = prediction.checks.iter().filter(|c| c.verdict == Verdict::Block);
    Effect {
        moves,
        failed_checks: failed.map(|c| format!("{} {}: {}", c.id, c.name, c.sentence)).collect(),
        blast: prediction.blast,
        unknown,
    }
}

#[cfg(test)]
mod tests;
