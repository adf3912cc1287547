//! Why a router chose what it chose.

use crate::compare::{History, Rules};
use crate::{ForwardingResult, Path, Reason, Rejection, Source, Twin};
use action::DeviceId;
use bgp::Prefix;
use core::fmt;
use serde::{Deserialize, Serialize};

/// One router's choice for one prefix, explained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The router.
    pub device: DeviceId,
    /// The prefix.
    pub prefix: Prefix,
    /// The best path, with the import term that accepted it; `None`: no usable path.
    pub best: Option<Path>,
    /// What becomes of packets.
    pub forwarding: ForwardingResult,
    /// The step that told the best path from the one that came closest; `None` when there was no other.
    pub deciding: Option<Deciding>,
    /// All other paths and why each lost, the closest first.
    pub losers: Vec<Loser>,
    /// Another order of arrival could choose otherwise.
    pub order_dependent: bool,
}

/// A step with the values that it compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deciding {
    /// The step.
    pub reason: Reason,
    /// Value of the best path.
    pub best: String,
    /// Value of the other.
    pub other: String,
}

impl fmt::Display for Deciding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} against {}", self.reason, self.best, self.other)
    }
}

/// A path that was not chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loser {
    /// The path.
    pub path: Path,
    /// Why.
    pub verdict: Verdict,
}

/// Why a path was not chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It took no part.
    Rejected(Rejection),
    /// It lost at this step.
    Lost(Deciding),
}

impl Twin {
    /// Explains the choice of `device` for `prefix`; `None` when it has no path to it at all.
    #[must_use]
    pub fn explain(&self, device: &DeviceId, prefix: &Prefix) -> Option<Explanation> {
        let index = self.model.index(device)?;
        let entry = self.tables.entry_at(index, prefix).filter(|e| !e.paths.is_empty())?;
        let rules = self.model.routers[index].rules();
        let history = self.selected(&self.tables, prefix).into_iter().nth(index).unwrap_or(History::Unknown);
        let best = entry.best_path();
        let mut losers: Vec<Loser> = Vec::new();
        for (_, path) in entry.paths.iter().enumerate().filter(|(i, _)| Some(*i) != entry.best) {
            let verdict = match (&path.rejected, best) {
                (Some(why), _) => Verdict::Rejected(why.clone()),
                (None, Some(best)) => Verdict::Lost(deciding(&rules, best, path, &history)),
                (None, None) => continue,
            };
            losers.push(Loser { path: path.clone(), verdict });
        }
        losers.sort_by_key(|l| match &l.verdict {
            Verdict::Lost(d) => (0, core::cmp::Reverse(Some(d.reason))),
            Verdict::Rejected(_) => (1, core::cmp::Reverse(None)),
        });
        let closest = losers.iter().find_map(|l| if let Verdict::Lost(d) = &l.verdict { Some(d.clone()) } else { None });
        Some(Explanation {
            device: device.clone(),
            prefix: *prefix,
            best: best.cloned(),
            forwarding: self.exit_of(&self.tables, device, prefix),
            deciding: closest,
            losers,
            order_dependent: entry.order_dependent,
        })
    }
}

fn deciding(rules: &Rules<'_>, best: &Path, other: &Path, history: &History) -> Deciding {
    let reason = rules.compare(best, other, history).reason;
    Deciding { reason, best: value(rules, best, reason), other: value(rules, other, reason) }
}

fn value(rules: &Rules<'_>, path: &Path, reason: Reason) -> String {
    let attributes = &path.attributes;
    match reason {
        Reason::OnlyPath => String::new(),
        Reason::Weight => path.weight.to_string(),
        Reason::LocalPref => rules.local_pref(path).to_string(),
        Reason::LocalOrigin | Reason::EbgpOverIbgp => match path.source {
            Source::Local => "local".to_owned(),
            Source::External { .. } => "external".to_owned(),
            Source::Internal { .. } => "internal".to_owned(),
        },
        Reason::AsPathLength => format!("{} ({})", attributes.as_path.length(), attributes.as_path),
        Reason::Origin => format!("{:?}", attributes.origin).to_lowercase(),
        Reason::Med => rules.med(path).to_string(),
        Reason::IgpMetric => path.igp_metric.to_string(),
        Reason::Oldest => path.source.to_string(),
        Reason::RouterId => attributes.originator_id.or(path.remote_id).map_or_else(|| "unknown".to_owned(), |id| id.to_string()),
        Reason::ClusterLength => attributes.cluster_list.len().to_string(),
        Reason::NeighbourAddress => path.source.neighbor().map_or_else(|| "local".to_owned(), |a| a.to_string()),
    }
}

#[cfg(test)]
mod tests;
