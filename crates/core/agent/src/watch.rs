//! The watch rules of every device, evaluated on every update.

use crate::edge::{self, Memory, State};
use crate::errors::{Growth, Rates};
use crate::history::{self, Snapshot};
use crate::latch::{Holds, Latch, Sign, Turned};
use crate::sample::{self, Sample};
use crate::words::{name, percent, quoted};
use crate::{Alert, AlertChange, Metric, Rule, RuleTest, StateKind, Subject, bootstrap_rules};
use action::DeviceId;
use core::net::IpAddr;
use network::{Device, Interface, Network, Session};
use perception::Perception;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use units::Timestamp;

/// Alerts remembered per device, raised and cleared.
const ALERTS_KEPT: usize = 64;

/// Where the rules of all devices stand. One value in, alerts out; knows no clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    rules: Vec<Rule>,
    devices: BTreeMap<DeviceId, DeviceWatch>,
}

impl Default for Watch {
    fn default() -> Self {
        Self::new(bootstrap_rules())
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct DeviceWatch {
    /// By rule, then by subject as it is shown.
    tracks: BTreeMap<String, BTreeMap<String, Track>>,
    log: VecDeque<Alert>,
    snapshots: VecDeque<Snapshot>,
}

/// One rule about one thing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Track {
    subject: Subject,
    latch: Latch,
    memory: Memory,
    growth: Growth,
    /// The alert as it was raised, while it is open.
    open: Option<Alert>,
}

impl Track {
    fn new(subject: Subject) -> Self {
        Self { subject, latch: Latch::default(), memory: Memory::default(), growth: Growth::default(), open: None }
    }
}

/// What one reading of one rule came to.
struct Reading {
    turned: Turned,
    what: String,
    samples: Vec<Sample>,
}

impl Watch {
    /// Makes a watch with these rules for every device.
    #[must_use]
    pub const fn new(rules: Vec<Rule>) -> Self {
        Self { rules, devices: BTreeMap::new() }
    }

    /// Returns the rules.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Looks at one device as it is at `now` and returns what the rules newly say. To be called after every update of the device and on
    /// every tick. A feed that is stale says nothing: it raises no alert and ends none.
    pub fn update(&mut self, network: &Network, device: &DeviceId, now: Timestamp) -> Vec<Alert> {
        let Some(state) = network.devices.get(device) else { return Vec::new() };
        let watch = self.devices.entry(device.clone()).or_default();
        let mut said = Vec::new();
        for rule in &self.rules {
            let tracks = watch.tracks.entry(rule.name.clone()).or_default();
            said.extend(evaluate(rule, tracks, device, state, now));
        }
        for alert in &said {
            if watch.log.len() >= ALERTS_KEPT {
                watch.log.pop_front();
            }
            watch.log.push_back(alert.clone());
        }
        said
    }

    /// Keeps a snapshot of the device, at most one every five seconds.
    pub fn remember(&mut self, network: &Network, perception: &Perception, device: &DeviceId, now: Timestamp) {
        let Some(state) = network.devices.get(device) else { return };
        let snapshots = &mut self.devices.entry(device.clone()).or_default().snapshots;
        if snapshots.back().is_some_and(|last| now.since(last.at) < history::EVERY) {
            return;
        }
        if snapshots.len() >= history::KEPT {
            snapshots.pop_front();
        }
        snapshots.push_back(Snapshot::of(state, perception.health(network, device).map(|h| h.score.get()), now));
    }

    /// Returns the alerts of a device that are not over, as they were raised.
    pub fn open(&self, device: &DeviceId) -> impl Iterator<Item = &Alert> {
        self.devices.get(device).into_iter().flat_map(|d| d.tracks.values()).flat_map(|t| t.values()).filter_map(|t| t.open.as_ref())
    }

    /// Returns what the rules of a device said, the oldest first.
    pub fn log(&self, device: &DeviceId) -> impl DoubleEndedIterator<Item = &Alert> {
        self.devices.get(device).into_iter().flat_map(|d| &d.log)
    }

    /// Returns the snapshots of a device, the oldest first.
    pub fn snapshots(&self, device: &DeviceId) -> impl DoubleEndedIterator<Item = &Snapshot> {
        self.devices.get(device).into_iter().flat_map(|d| &d.snapshots)
    }
}

fn evaluate(rule: &Rule, tracks: &mut BTreeMap<String, Track>, device: &DeviceId, state: &Device, now: Timestamp) -> Vec<Alert> {
    let gnmi = !state.gnmi_is_stale(now);
    let readable = match &rule.test {
        RuleTest::StateTransition { of: StateKind::BgpPeerStatus, .. } => gnmi || !state.bmp_is_stale(now),
        _ => gnmi,
    };
    if !readable {
        tracks.values_mut().for_each(|t| t.latch.pause());
        return Vec::new();
    }
    let subjects = subjects(&rule.test, state);
    let mut said = Vec::new();
    let mut present = BTreeSet::new();
    for subject in subjects {
        let key = subject.to_string();
        present.insert(key.clone());
        let track = tracks.entry(key).or_insert_with(|| Track::new(subject));
        if let Some(reading) = read(&rule.test, track, state, now) {
            said.push(speak(rule, track, device, reading, now));
        }
    }
    // what is not reported any more cannot be watched
    for track in tracks.iter_mut().filter(|(k, _)| !present.contains(*k)).map(|(_, t)| t) {
        if let Some(turned) = track.latch.end() {
            let reading = Reading { turned, what: "it is not reported any more".to_owned(), samples: Vec::new() };
            said.push(speak(rule, track, device, reading, now));
        }
    }
    tracks.retain(|k, _| present.contains(k));
    said
}

fn subjects(test: &RuleTest, state: &Device) -> Vec<Subject> {
    let interfaces = || state.interfaces.keys().map(|name| Subject::Interface { name: name.clone() }).collect();
    match test {
        RuleTest::Threshold { .. } => vec![Subject::System],
        RuleTest::StateTransition { of: StateKind::InterfaceStatus, .. } | RuleTest::RateChange { .. } => interfaces(),
        RuleTest::StateTransition { of: StateKind::BgpPeerStatus, .. } => {
            state.sessions.keys().map(|neighbor| Subject::Peer { neighbor: *neighbor }).collect()
        }
    }
}

fn speak(rule: &Rule, track: &mut Track, device: &DeviceId, reading: Reading, now: Timestamp) -> Alert {
    let (change, since) = match reading.turned {
        Turned::Raised(since) => (AlertChange::Raised, since),
        Turned::Cleared(since) => (AlertChange::Cleared, since),
    };
    let alert = Alert {
        rule: rule.name.clone(),
        device: device.clone(),
        subject: track.subject.clone(),
        change,
        since,
        at: now,
        what: reading.what,
        samples: reading.samples,
    };
    track.open = (change == AlertChange::Raised).then(|| alert.clone());
    alert
}

fn read(test: &RuleTest, track: &mut Track, state: &Device, now: Timestamp) -> Option<Reading> {
    match (test, track.subject.clone()) {
        (RuleTest::Threshold { metric, above, hold, clear_at, clear_hold }, Subject::System) => {
            let holds = Holds { raise: *hold, clear: *clear_hold, dips_speak: false };
            threshold(*metric, (*above, *clear_at), holds, track, state, now)
        }
        (RuleTest::StateTransition { hold, clear_hold, .. }, subject) => {
            let holds = Holds { raise: *hold, clear: *clear_hold, dips_speak: true };
            match subject {
                Subject::Interface { name } => interface(&name, state.interfaces.get(&name)?, holds, track, state, now),
                Subject::Peer { neighbor } => peer(neighbor, state.sessions.get(&neighbor)?, holds, track, state, now),
                Subject::System => None,
            }
        }
        (RuleTest::RateChange { multiplier, window, recent, min_per_s, clear_hold }, Subject::Interface { name }) => {
            let port = state.interfaces.get(&name)?;
            track.growth.take(&port.errors, *window + *recent);
            let rates = track.growth.rates(*recent, *window)?;
            let holds = Holds { raise: core::time::Duration::ZERO, clear: *clear_hold, dips_speak: false };
            error_rate(&name, port, rates, (*multiplier, *min_per_s), holds, track, now)
        }
        _ => None,
    }
}

fn threshold(
    metric: Metric,
    (above, clear_at): (f64, f64),
    holds: Holds,
    track: &mut Track,
    state: &Device,
    now: Timestamp,
) -> Option<Reading> {
    let (used, at, source) = match metric {
        Metric::Cpu => (state.cpu?, state.system_at.cpu, sample::CPU),
        Metric::Memory => (state.memory?, state.system_at.memory, sample::MEMORY),
    };
    let sign = match used {
        u if u > above => Sign::Bad,
        u if u <= clear_at => Sign::Good,
        _ => Sign::Between,
    };
    let turned = track.latch.step(sign, now, holds)?;
    let what = match (metric, turned) {
        (Metric::Cpu, Turned::Cleared(_)) => format!("CPU use is {}", percent(used)),
        (Metric::Memory, Turned::Cleared(_)) => format!("memory use is {}", percent(used)),
        (Metric::Cpu, _) => format!("CPU use is {}, above {}", percent(used), percent(above)),
        (Metric::Memory, _) => format!("memory use is {}, above {}", percent(used), percent(above)),
    };
    Some(Reading { turned, what, samples: vec![Sample::number(metric.name(), used * 100.0, at, source)] })
}

fn interface(id: &str, port: &Interface, holds: Holds, track: &mut Track, state: &Device, now: Timestamp) -> Option<Reading> {
    let read = State::from(port);
    let turned = edge::step(&mut track.latch, &mut track.memory, read, now, holds)?;
    let id_shown = name(id);
    let what = match (turned, read.up) {
        (Turned::Raised(since), Some(true)) => format!("{id_shown} was down for {}", lasted(since, now)),
        (Turned::Raised(_), _) => format!("{id_shown} went down"),
        _ if read.shut => format!("{id_shown} is shut by an operator"),
        _ => format!("{id_shown} is up again"),
    };
    let word = |up: Option<bool>| up.map_or("UNKNOWN", |up| if up { "UP" } else { "DOWN" });
    let at = state.gnmi.last();
    let mut samples = vec![
        Sample::word("oper_status", word(port.oper_up), at, sample::interface(id, "oper-status")),
        Sample::word("admin_status", word(port.admin_up), at, sample::interface(id, "admin-status")),
    ];
    samples.extend(port.last_change.map(|t| Sample::word("last_change", t.to_string(), at, sample::interface(id, "last-change"))));
    Some(Reading { turned, what, samples })
}

fn peer(address: IpAddr, session: &Session, holds: Holds, track: &mut Track, state: &Device, now: Timestamp) -> Option<Reading> {
    let read = State::from(session);
    let turned = edge::step(&mut track.latch, &mut track.memory, read, now, holds)?;
    let who = session.remote_as.map_or_else(|| format!("{address} (AS unknown)"), |asn| format!("{address} (AS{})", asn.0));
    let why = session.last_down.as_deref().map_or_else(|| "no reason was given".to_owned(), |r| format!("reason given: {}", quoted(r)));
    let what = match (turned, read.up) {
        (Turned::Raised(since), Some(true)) => format!("{who} was not Established for {}; {why}", lasted(since, now)),
        (Turned::Raised(_), _) => format!("{who} left Established and is {}; {why}", state_name(session)),
        _ if read.shut => format!("{who} is shut by an operator"),
        _ => format!("{who} is Established again"),
    };
    let mut samples =
        vec![Sample::word("session_state", state_name(session), Some(session.since), sample::neighbor(address, "session-state"))];
    if let Some(reason) = session.last_down.as_deref().filter(|_| matches!(turned, Turned::Raised(_))) {
        let at = state.bmp.last().max(state.gnmi.last());
        samples.push(Sample::device_text("last_down_reason", reason, at, "BMP Peer Down, or gNMI last-down-reason"));
    }
    Some(Reading { turned, what, samples })
}

fn error_rate(
    id: &str,
    port: &Interface,
    rates: Rates,
    (multiplier, min_per_s): (f64, f64),
    holds: Holds,
    track: &mut Track,
    now: Timestamp,
) -> Option<Reading> {
    let limit = (rates.before * multiplier).max(min_per_s);
    let sign = match rates.recent {
        r if r >= limit => Sign::Bad,
        r if r < limit / 2.0 => Sign::Good,
        _ => Sign::Between,
    };
    let turned = track.latch.step(sign, now, holds)?;
    match turned {
        Turned::Raised(_) => track.growth.frozen = Some(rates.before),
        Turned::Cleared(_) => track.growth.frozen = None,
    }
    let id_shown = name(id);
    let what = match turned {
        Turned::Cleared(_) => format!("{id_shown} has {:.2} errors a second", rates.recent),
        _ => format!("{id_shown} has {:.2} errors a second, {:.2} before", rates.recent, rates.before),
    };
    let mut samples = vec![
        Sample::number("errors_per_s_recent", rates.recent, Some(rates.at), sample::interface(id, "counters")),
        Sample::number("errors_per_s_before", rates.before, Some(rates.at), sample::interface(id, "counters")),
    ];
    #[allow(clippy::cast_precision_loss, reason = "display of a counter")]
    for (leaf, read) in [("in-errors", port.errors.input), ("out-errors", port.errors.output)] {
        if let Some((at, count)) = read {
            samples.push(Sample::number(
                &leaf.replace('-', "_"),
                count as f64,
                Some(at),
                sample::interface(id, &format!("counters/{leaf}")),
            ));
        }
    }
    Some(Reading { turned, what, samples })
}

fn lasted(since: Timestamp, now: Timestamp) -> String {
    match now.since(since) {
        d if d.is_zero() => "a moment".to_owned(),
        d => format!("{:.1} s", d.as_secs_f64()),
    }
}

/// Returns the state's name as RFC 4271 §8.2.2 spells it.
pub(crate) fn state_name(session: &Session) -> &'static str {
    use network::SessionState::{Active, Connect, Established, Idle, OpenConfirm, OpenSent};
    match session.state {
        Idle => "Idle",
        Connect => "Connect",
        Active => "Active",
        OpenSent => "OpenSent",
        OpenConfirm => "OpenConfirm",
        Established => "Established",
    }
}
