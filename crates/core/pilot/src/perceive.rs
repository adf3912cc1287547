//! Observations in, findings and requests out.

use crate::pilot::Turn;
use crate::{Effect, Happening, JobKind, proposals};
use core::time::Duration;
use network::{BmpEvent, ConfigEvent, Freshness, GnmiEvent, Observation, OriginEvent, OriginStanding};
use perception::{Event, Request};

/// A configuration is read again after this long, so that drift shows.
const CONFIG_EVERY: Duration = Duration::from_secs(60);
/// And after this long when reading failed.
const CONFIG_RETRY: Duration = Duration::from_secs(5);

/// Changes that are told when a finding is opened; the finding's own view has more.
const CHANGES_TOLD: usize = 5;

/// Takes one observation into the picture.
pub(crate) fn observed(turn: &mut Turn<'_>, observation: &Observation) {
    let now = turn.s.now;
    let peers_before = peer_events(turn, observation);
    let reports_before = turn.s.network.reports.taken;
    turn.s.network.observe(observation, now);
    match observation {
        Observation::Bmp { device, event } => {
            let reason = match event {
                BmpEvent::Closed { reason } => Some(reason.clone()),
                BmpEvent::Message { .. } | BmpEvent::Connected => None,
            };
            turn.s.routing_seq = turn.s.seq;
            tell_feed(turn, device, "bmp", reason);
        }
        Observation::Gnmi { device, event } => {
            let reason = match event {
                GnmiEvent::Closed { reason } => Some(reason.clone()),
                GnmiEvent::Notification { notification } => {
                    // probes, counters and volumes do not move routes
                    let routing = |p: &gnmi::Path| p.names().any(|n| n == "bgp");
                    if notification.updates.iter().any(|u| routing(&u.path)) || notification.deletes.iter().any(routing) {
                        turn.s.routing_seq = turn.s.seq;
                    }
                    None
                }
                GnmiEvent::Connected
                | GnmiEvent::Synced
                | GnmiEvent::Health { .. }
                | GnmiEvent::Warning { .. }
                | GnmiEvent::Repaired { .. }
                | GnmiEvent::Certificates { .. } => None,
            };
            tell_feed(turn, device, "gnmi", reason);
        }
        Observation::Config { device, event } => {
            let next = match event {
                ConfigEvent::Read { .. } => {
                    turn.s.routing_seq = turn.s.seq;
                    CONFIG_EVERY
                }
                ConfigEvent::Failed { reason } => {
                    let why = format!("configuration cannot be read: {reason}");
                    turn.tell(Happening::Unreadable { device: device.clone(), why });
                    CONFIG_RETRY
                }
            };
            turn.s.config_due.insert(device.clone(), now.plus(next));
        }
        // volumes move no routes
        Observation::Flow { .. } => {}
        Observation::Syslog { device, .. } => {
            let report = turn.s.network.reports.recent.back().filter(|_| turn.s.network.reports.taken > reports_before).cloned();
            if let Some(report) = report {
                if report.kind == syslog::Kind::ConfigCommitted {
                    // what was committed is read soon, not at the next round
                    turn.s.config_due.entry(device.clone()).and_modify(|due| *due = (*due).min(now.plus(CONFIG_RETRY)));
                }
                let findings = turn.s.perception.findings().filter(|f| f.devices(&turn.s.network).contains(device)).map(|f| f.id).collect();
                turn.tell(Happening::Reported { report: Box::new(report), findings });
            }
        }
    }
    tell_repairs(turn, observation);
    match observation {
        // routes concern no rule, and come by the thousand
        Observation::Bmp { event: BmpEvent::Message { .. }, .. } if peer_events(turn, observation) == peers_before => {}
        Observation::Bmp { device, .. } | Observation::Gnmi { device, .. } => watch(turn, device),
        Observation::Config { .. } | Observation::Flow { .. } | Observation::Syslog { .. } => {}
    }
}

/// Takes what a source of VRPs told.
pub(crate) fn origins(turn: &mut Turn<'_>, event: &OriginEvent) {
    turn.s.network.take_origins(event, turn.s.now);
    if matches!(event, OriginEvent::Told { added, removed, .. } if !added.is_empty() || !removed.is_empty()) {
        // policies that ask for validity may choose otherwise
        turn.s.routing_seq = turn.s.seq;
    }
    tell_origins(turn);
}

/// Tells once how origin validation stands, and again when that changes: by what was told, or because it expired.
fn tell_origins(turn: &mut Turn<'_>) {
    let origins = &turn.s.network.origins;
    let what = origins.in_words();
    if origins.is_unasked() || turn.s.told_origins.as_ref() == Some(&what) {
        return;
    }
    let known = matches!(origins.standing(), OriginStanding::InForce { .. });
    turn.s.told_origins = Some(what.clone());
    turn.s.routing_seq = turn.s.seq;
    turn.tell(Happening::OriginValidation { known, what });
}

/// Returns how many Peer Up and Peer Down came by the BMP session that the observation is from.
fn peer_events(turn: &Turn<'_>, observation: &Observation) -> Option<u64> {
    let Observation::Bmp { device, .. } = observation else { return None };
    turn.s.network.devices.get(device).map(|d| d.bmp_session.counts.peer_events)
}

/// Lets the watch rules of a device look.
fn watch(turn: &mut Turn<'_>, device: &action::DeviceId) {
    let s = &mut *turn.s;
    let alerts = s.watch.update(&s.network, device, s.now);
    s.watch.remember(&s.network, &s.perception, device, s.now);
    for alert in alerts {
        turn.tell(Happening::Watched { alert: Box::new(alert) });
    }
}

/// Time passed: judge, ask for evidence, look after the configurations and the twin's agreement.
pub(crate) fn tick(turn: &mut Turn<'_>) {
    let now = turn.s.now;
    turn.s.network.tick(now);
    tell_origins(turn);
    let devices: Vec<_> = turn.s.network.devices.keys().cloned().collect();
    for device in &devices {
        tell_feed(turn, device, "bmp", Some("silent".to_owned()));
        tell_feed(turn, device, "gnmi", Some("silent".to_owned()));
        watch(turn, device);
    }
    read_configs(turn);
    let events = turn.s.perception.observe(&turn.s.network, now);
    for event in events {
        match event {
            Event::EvidenceNeeded { requests } => ask(turn, "a path looks degraded", &requests),
            Event::FindingOpened { finding } => {
                turn.record(None, Happening::FindingOpened { finding: finding.id, summary: decision::trouble(&turn.s.network, &finding) });
                let near = perception::recent_changes(&finding, &turn.s.network, now).into_iter().take(CHANGES_TOLD);
                let reports: Vec<network::Report> = near.cloned().collect();
                if !reports.is_empty() {
                    turn.tell(Happening::ChangedBefore { finding: finding.id, reports });
                }
                turn.s.decide_after.insert(finding.id, now);
                proposals::supersede_into(turn, &finding);
            }
            Event::FindingUpdated { finding, scope_changed } => {
                if scope_changed {
                    proposals::supersede_into(turn, &finding);
                    proposals::supersede_for(turn, finding.id, "the finding concerns other paths now");
                    turn.s.decide_after.insert(finding.id, now);
                }
            }
            Event::FindingCleared { id, .. } => {
                turn.s.decide_after.remove(&id);
                turn.s.told_blocked.remove(&id);
                proposals::supersede_for(turn, id, "the path is as it was");
                turn.record(None, Happening::FindingCleared { finding: id });
            }
        }
    }
    if turn.s.routing_seq > turn.s.agreement_seq && !turn.s.jobs.values().any(|j| matches!(j, JobKind::Agreement)) && picture_is_whole(turn)
    {
        proposals::start_job(turn, JobKind::Agreement);
    }
}

/// Asks for faster probes.
pub(crate) fn ask(turn: &mut Turn<'_>, why: &str, requests: &[Request]) {
    let mut fastest = (0, 0);
    for Request::ProbeRate { probe, hz, seconds } in requests {
        fastest = fastest.max((*hz, *seconds));
        turn.out.push(Effect::ProbeRate { probe: probe.clone(), rate_hz: *hz, seconds: *seconds });
    }
    if !requests.is_empty() {
        turn.tell(Happening::Evidence { why: why.to_owned(), probes: requests.len(), rate_hz: fastest.0, seconds: fastest.1 });
    }
}

/// Says whether every feed that the inventory promises is synced and every configuration was read.
pub(crate) fn picture_is_whole(turn: &Turn<'_>) -> bool {
    turn.s.network.inventory.devices.iter().all(|spec| {
        turn.s.network.devices.get(&spec.id).is_some_and(|d| {
            let fresh = |f: &Freshness| matches!(f, Freshness::Synced { .. });
            (spec.bmp.is_none() || fresh(&d.bmp))
                && (spec.gnmi.is_none() || fresh(&d.gnmi))
                && (spec.netconf.is_none() || d.config.is_some())
        })
    })
}

fn read_configs(turn: &mut Turn<'_>) {
    let now = turn.s.now;
    for spec in turn.s.network.inventory.clone().devices.iter().filter(|d| d.netconf.is_some()) {
        if turn.s.config_due.get(&spec.id).is_some_and(|due| *due <= now) {
            // due again only after an answer, or after the retry time if none comes
            turn.s.config_due.insert(spec.id.clone(), now.plus(CONFIG_EVERY));
            turn.out.push(Effect::ReadConfig { device: spec.id.clone() });
        }
    }
}

fn tell_feed(turn: &mut Turn<'_>, device: &action::DeviceId, feed: &str, reason: Option<String>) {
    let Some(d) = turn.s.network.devices.get(device) else { return };
    let freshness = if feed == "bmp" { d.bmp } else { d.gnmi };
    let state = match freshness {
        Freshness::Unknown => return,
        Freshness::Initial { .. } => "initial",
        Freshness::Synced { .. } => "synced",
        Freshness::Stale { .. } => "stale",
    };
    let told = turn.s.told_feeds.entry(device.clone()).or_default();
    let slot = if feed == "bmp" { &mut told.0 } else { &mut told.1 };
    if slot != state {
        state.clone_into(slot);
        let reason = reason.filter(|_| state == "stale");
        turn.tell(Happening::Feed { device: device.clone(), feed: feed.to_owned(), state: state.to_owned(), reason });
    }
}

fn tell_repairs(turn: &mut Turn<'_>, observation: &Observation) {
    let Observation::Bmp { device: id, .. } = observation else { return };
    let Some(device) = turn.s.network.devices.get(id) else { return };
    let known = device.bmp_session.counts.repair_events;
    if known <= turn.s.told_repairs.get(id).copied().unwrap_or(0) {
        return;
    }
    // one event a session: it is new when its first use in this one is now
    let news: Vec<String> = device.repairs.iter().filter(|(_, r)| r.session == turn.s.now).map(|(name, _)| name.clone()).collect();
    turn.s.told_repairs.insert(id.clone(), known);
    for repair in news {
        turn.tell(Happening::Repaired { device: id.clone(), repair });
    }
}
