//! When the twin may not judge: it disagrees with the routers, was never held against them, or is too old (S1-099). And what it disagrees on:
//! drift, with since when and which known action explains it (S1-105).

use crate::{AgreementRow, Drift, PilotState};
use action::DeviceId;
use core::time::Duration;
use network::Freshness;
use std::collections::BTreeMap;

/// Below this share of equal routes on any router the twin may not judge.
const AGREEMENT_MIN: f64 = 0.99;
/// Routes moved, and this long the twin was not held against the tables: it is too old to judge.
const AGE_MAX: Duration = Duration::from_secs(60);
/// A difference younger than this may be a route on its way.
const YOUNG: Duration = Duration::from_secs(30);
/// What an action brings about shows within this time; routers act on a changed policy after seconds, a change is measured for a minute.
const EXPLAINS_FOR: Duration = Duration::from_secs(180);
/// A commit may be told by syslog this long after what it does is told by gNMI.
const TOLD_LATE: Duration = Duration::from_secs(3);

/// Says why the twin may not judge now, in words; empty: it may.
#[must_use]
pub fn doubts(s: &PilotState) -> Vec<String> {
    let mut out: Vec<String> = stale(s).collect();
    match s.agreement_at {
        None => out.push("the twin was not held against the routers' tables yet".to_owned()),
        Some(at) if s.routing_seq > s.agreement_seq && s.now.since(at) > AGE_MAX => {
            let age = s.now.since(at).as_secs();
            out.push(format!(
                "routes moved, and the twin was last held against the routers' tables {age} s ago (limit {} s)",
                AGE_MAX.as_secs()
            ));
        }
        Some(_) => {}
    }
    out.extend(low(s).map(|(device, row)| disagreement(device, row)));
    out.extend(unheld(s).map(|device| format!("the twin was never held against the table of {device}: it reported none")));
    out
}

/// Routers with BGP that were left out when the twin was held against the others.
fn unheld(s: &PilotState) -> impl Iterator<Item = &DeviceId> {
    let speaks = |d: &network::Device| d.config.as_ref().is_some_and(|c| c.model.bgp.is_some());
    let compared = s.agreement_at.is_some();
    s.network.devices.iter().filter(move |(id, d)| compared && speaks(d) && !s.agreement.contains_key(*id)).map(|(id, _)| id)
}

/// Disagreements that have just begun: what is decided on them is decided again when they are over, or have stayed.
pub(crate) fn young(s: &PilotState) -> Vec<String> {
    let is_young = |row: &AgreementRow| row.drift.iter().all(|d| s.now.since(d.since) < YOUNG);
    low(s).filter(|(_, row)| is_young(row)).map(|(device, row)| disagreement(device, row)).collect()
}

fn low(s: &PilotState) -> impl Iterator<Item = (&DeviceId, &AgreementRow)> {
    s.agreement.iter().filter(|(_, r)| r.ratio().get() < AGREEMENT_MIN)
}

fn disagreement(device: &DeviceId, row: &AgreementRow) -> String {
    let first = row.differences.first().map(String::as_str).unwrap_or_default();
    format!("the twin agrees with {device} on {} of {} routes only, too few to judge by ({first})", row.equal, row.compared)
}

/// Feeds that the picture rests on and that are lost.
fn stale(s: &PilotState) -> impl Iterator<Item = String> {
    let lost = |f: &Freshness| matches!(f, Freshness::Stale { .. });
    s.network.devices.iter().flat_map(move |(id, d)| {
        let feeds = [("BMP", lost(&d.bmp)), ("gNMI", lost(&d.gnmi))];
        feeds.into_iter().filter(|(_, lost)| *lost).map(move |(feed, _)| format!("{feed} of {id} is stale"))
    })
}

/// Joins new rows with what is known of their differences from before.
pub(crate) fn remembered(s: &PilotState, mut rows: BTreeMap<DeviceId, AgreementRow>) -> BTreeMap<DeviceId, AgreementRow> {
    for (device, row) in &mut rows {
        let before = s.agreement.get(device).map_or(&[][..], |r| &r.drift);
        for drift in &mut row.drift {
            match before.iter().find(|b| (b.prefix, b.field) == (drift.prefix, drift.field)) {
                // what explains it may be told later than it shows
                Some(known) => {
                    drift.since = known.since;
                    drift.explained = known.explained.clone().or_else(|| explanation(s, device, drift));
                }
                None => drift.explained = explanation(s, device, drift),
            }
        }
    }
    rows
}

/// The known action that explains a new difference: a change of ours that moves the prefix, else what was committed on the device.
fn explanation(s: &PilotState, device: &DeviceId, drift: &Drift) -> Option<String> {
    let recent = |at: units::Timestamp| drift.since.since(at) <= EXPLAINS_FOR;
    let moves = |c: &crate::ChangeRecord| {
        let proposal = s.proposals.get(&c.proposal)?;
        let action = &proposal.proposal.action;
        let moved = proposal.proposal.prediction.moves.iter().any(|m| m.prefix == drift.prefix) || action.prefixes.contains(&drift.prefix);
        moved.then(|| action.kind.name())
    };
    let changes = s.changes.iter().rev().filter(|(_, c)| c.outcome.is_none() || recent(c.started));
    if let Some((id, kind)) = changes.filter_map(|(id, c)| Some((id, moves(c)?))).next() {
        return Some(format!("explained by {id}, {kind}"));
    }
    let committed = s
        .network
        .reports
        .of(device, drift.since.minus(EXPLAINS_FOR), drift.since.plus(TOLD_LATE))
        .filter(|r| r.kind == syslog::Kind::ConfigCommitted)
        .last()?;
    Some(format!("explained by a configuration committed on {device} at {}", committed.at))
}
