//! What is measured, as points of series. What is stale or was not measured gives no point: a gap.
//!
//! A point that the device dates is of that time; one written twice is one. The time of all others is the moment of the look, or the end of
//! the minute that they are the count or the mean of.

mod table;

pub use table::{Every, Kind, Measurement, measurement, measurements};

use action::DeviceId;
use bmp::{AfiSafi, View};
use core::fmt::Write;
use network::{Device, ProbeKey, Session, SessionState};
use pilot::PilotState;
use std::collections::BTreeMap;
use std::time::Duration;
use store::Point;
use units::Timestamp;

/// Time between two points of a series, and the window that a point is the mean of.
pub const EVERY: Duration = Duration::from_secs(5);
const WINDOW_S: u32 = 5;
/// A reading that the device dates longer ago is not the present one any more; the slowest profile reads every minute.
const READING_MAX_AGE: Duration = Duration::from_secs(15 * 60);
/// Points of one look: as many series as the store holds.
const POINTS_MAX: usize = store::SERIES_MAX as usize;
/// Points of one look that one router gets beside those of [`Every::Turn`], so that one with very many parts leaves room for the others.
pub const ROUTER_POINTS_MAX: usize = 4000;
/// Longest value of a tag, bytes: names come from devices.
const TAG_BYTES_MAX: usize = 200;

/// What one look at the measurements found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Look {
    /// When, by the time of the last input.
    pub at: Timestamp,
    /// At most one point of a series; those of the most important measurements come first.
    pub points: Vec<Point>,
    /// Points beyond the bounds: too many series, or names that are too long.
    pub left_out: u64,
}

/// Returns the newest point of everything that is measured.
#[must_use]
pub fn points(s: &PilotState) -> Look {
    points_since(s, None)
}

/// Returns the points that are due after a look at `last`: a measurement by the minute gets one in each minute.
#[must_use]
pub fn points_since(s: &PilotState, last: Option<Timestamp>) -> Look {
    let mut taker = Taker { now: s.now, last, look: Look { at: s.now, ..Look::default() }, routers: BTreeMap::new() };
    taker.paths(s);
    taker.exits(s);
    taker.devices(s);
    taker.load(s);
    if taker.is_due(Every::Minute) {
        taker.sessions(s);
        taker.prefixes(s);
        taker.path_changes(s);
        taker.messages(s);
        taker.interfaces(s);
    }
    if taker.is_due(Every::FiveMinutes) {
        taker.readings(s);
    }
    taker.look
}

/// Takes points as long as there is room.
struct Taker<'a> {
    now: Timestamp,
    last: Option<Timestamp>,
    look: Look,
    /// How many each router got, where that is bounded.
    routers: BTreeMap<&'a DeviceId, usize>,
}

impl<'a> Taker<'a> {
    /// Says whether this is the first look in its minute, or five minutes.
    fn is_due(&self, every: Every) -> bool {
        let number = |at: Timestamp| at.nanos().div_euclid(every.seconds().saturating_mul(1_000_000_000).max(1));
        every == Every::Turn || self.last.is_none_or(|last| number(last) != number(self.now))
    }

    /// Takes the values of tags in the order of the measurement's keys.
    fn add(&mut self, what: &Measurement, device: &'a DeviceId, at: Timestamp, value: Option<f64>, tags: &[&str]) {
        let Some(value) = value else { return };
        let taken = self.routers.entry(device).or_default();
        let has_room = self.look.points.len() < POINTS_MAX && (what.every == Every::Turn || *taken < ROUTER_POINTS_MAX);
        if !has_room || tags.iter().any(|t| t.len() > TAG_BYTES_MAX) {
            self.look.left_out += 1;
            return;
        }
        *taken += usize::from(what.every != Every::Turn);
        self.look.points.push(Point { measurement: what.name.to_owned(), tags: joined(what.tags, tags), at, value });
    }

    fn paths(&mut self, s: &'a PilotState) {
        for key in s.network.probes.keys().filter(|k| fresh(s, &k.device).is_some()) {
            let family = family(key.family.into());
            let window = s.network.probe_window(key, s.now, WINDOW_S);
            let (exit, provider) = exit_of(s, key);
            let tags = [exit, &family, key.group.as_str(), provider, key.device.as_str()];
            self.add(&table::LATENCY, &key.device, s.now, window.delay_ms, &tags);
            self.add(&table::LOSS, &key.device, s.now, window.loss, &tags);
        }
    }

    fn exits(&mut self, s: &'a PilotState) {
        for exit in &s.network.inventory.exits {
            let interface = fresh(s, &exit.device).and_then(|d| d.interfaces.get(&exit.interface));
            let rates = interface.and_then(|i| i.rate_bps).filter(|_| exit.capacity_bps > 0);
            let share = |bps: f64| bps / number(exit.capacity_bps);
            for (direction, bps) in [("in", rates.map(|r| r.0)), ("out", rates.map(|r| r.1))] {
                let tags = [direction, &exit.interface, exit.device.as_str()];
                self.add(&table::UTILISATION, &exit.device, s.now, bps.map(share), &tags);
            }
        }
    }

    fn devices(&mut self, s: &'a PilotState) {
        for (id, device) in s.network.devices.iter().filter(|(_, d)| !d.gnmi_is_stale(s.now) || !d.bmp_is_stale(s.now)) {
            let down = device.sessions.values().filter(|x| x.state != SessionState::Established).count();
            for (field, count) in [("total", device.sessions.len()), ("down", down)] {
                self.add(&table::PEERS, id, s.now, Some(number(count as u64)), &[field, id.as_str()]);
            }
            let score = fresh(s, id).and_then(|_| s.perception.health(&s.network, id)).map(|h| h.score.get());
            self.add(&table::HEALTH, id, s.now, score, &[id.as_str()]);
        }
    }

    fn load(&mut self, s: &'a PilotState) {
        for (id, device) in s.network.devices.iter().filter(|(_, d)| !d.gnmi_is_stale(s.now)) {
            if let Some(reading) = device.hardware.cpu().filter(|r| is_recent(r.at, s.now)) {
                self.add(&table::CPU, id, reading.at, Some(reading.value), &[id.as_str()]);
            }
            if let Some(memory) = device.hardware.memory().filter(|m| is_recent(m.at, s.now)) {
                self.add(&table::MEMORY, id, memory.at, device.hardware.memory_share(), &[id.as_str()]);
            }
        }
    }

    fn sessions(&mut self, s: &'a PilotState) {
        for (id, device) in &s.network.devices {
            let mut add = |instance: &str, peer: &std::net::IpAddr, session: &Session| {
                let peer = peer.to_string();
                let tags = [instance, &peer, id.as_str()];
                let up = f64::from(u8::from(session.state == SessionState::Established));
                self.add(&table::SESSION_UP, id, s.now, Some(up), &tags);
                self.add(&table::FLAPS, id, s.now, Some(number(session.flaps)), &tags);
            };
            device.sessions.iter().filter(|(peer, _)| device.session_is_fresh(**peer, s.now)).for_each(|(peer, x)| add("", peer, x));
            if tells(device, s.now, &["bgp"]) {
                device.instance_sessions.iter().for_each(|((instance, peer), x)| add(instance, peer, x));
            }
        }
    }

    fn prefixes(&mut self, s: &'a PilotState) {
        for (id, device) in &s.network.devices {
            for count in s.network.prefixes_received(id, s.now) {
                let (family, peer) = (count.family.map(family).unwrap_or_default(), count.peer.to_string());
                let tags = [family.as_str(), &count.instance, &peer, id.as_str(), count.source.name()];
                self.add(&table::RECEIVED, id, count.at, Some(number(count.count)), &tags);
            }
            if !tells(device, s.now, &["bgp", "bgp_prefixes"]) {
                continue;
            }
            let others = device.instance_sessions.iter().map(|((instance, peer), x)| (instance.as_str(), peer, x));
            for (instance, peer, session) in device.sessions.iter().map(|(peer, x)| ("", peer, x)).chain(others) {
                for (told, count) in &session.sent {
                    let (family, peer) = (family((*told).into()), peer.to_string());
                    let tags = [family.as_str(), instance, &peer, id.as_str()];
                    self.add(&table::SENT, id, s.now, Some(number(*count)), &tags);
                }
            }
        }
    }

    fn path_changes(&mut self, s: &'a PilotState) {
        for id in s.network.devices.keys() {
            for found in s.network.path_changes(id, s.now) {
                let peer = found.peer.to_string();
                let fields =
                    [("appeared", found.changes.appeared), ("changed", found.changes.changed), ("withdrawn", found.changes.withdrawn)];
                for (field, count) in fields {
                    let tags = [field, &found.instance, &peer, id.as_str(), view(found.view)];
                    self.add(&table::PATH_CHANGES, id, found.until, Some(number(count)), &tags);
                }
            }
        }
    }

    fn messages(&mut self, s: &'a PilotState) {
        for (id, device) in &s.network.devices {
            let counts = Some(&device.bmp_session.counts).filter(|_| !device.bmp_is_stale(s.now));
            let fields = counts.map(|c| {
                [
                    ("malformed", device.malformed),
                    ("messages", c.messages),
                    ("peer_events", c.peer_events),
                    ("route_updates", c.route_updates),
                ]
            });
            for (field, count) in fields.into_iter().flatten() {
                self.add(&table::BMP_MESSAGES, id, s.now, Some(number(count)), &[field, id.as_str()]);
            }
            let notifications = Some(device.gnmi_session.notifications).filter(|_| !device.gnmi_is_stale(s.now));
            self.add(&table::NOTIFICATIONS, id, s.now, notifications.map(number), &[id.as_str()]);
        }
    }

    fn interfaces(&mut self, s: &'a PilotState) {
        for (id, device) in s.network.devices.iter().filter(|(_, d)| !d.gnmi_is_stale(s.now)) {
            let told = device.gnmi_session.delivers("interfaces");
            for (name, port) in &device.interfaces {
                let up = port.oper_up.filter(|_| told).map(|up| f64::from(u8::from(up)));
                self.add(&table::INTERFACE_UP, id, s.now, up, &[name, id.as_str()]);
                if let Some((until, input, output)) = port.minutes.newest(s.now) {
                    for (direction, bps) in [("in", input), ("out", output)] {
                        self.add(&table::RATE, id, until, Some(number(bps)), &[direction, name, id.as_str()]);
                    }
                }
                for (direction, read) in [("in", port.errors.input), ("out", port.errors.output)] {
                    if let Some((at, count)) = read.filter(|(at, _)| is_recent(*at, s.now)) {
                        self.add(&table::ERRORS, id, at, Some(number(count)), &[direction, name, id.as_str()]);
                    }
                }
            }
        }
    }

    fn readings(&mut self, s: &'a PilotState) {
        for (gauge, what) in &table::READINGS {
            for (id, device) in s.network.devices.iter().filter(|(_, d)| !d.gnmi_is_stale(s.now)) {
                for (component, channel, reading) in device.hardware.of(*gauge).filter(|(_, _, r)| is_recent(r.at, s.now)) {
                    self.add(what, id, reading.at, Some(reading.value), &[channel, component, id.as_str()]);
                }
            }
        }
    }
}

fn fresh<'a>(s: &'a PilotState, device: &DeviceId) -> Option<&'a Device> {
    s.network.devices.get(device).filter(|d| !d.gnmi_is_stale(s.now))
}

/// Says whether what these sets of subscriptions tell may be taken as it stands.
fn tells(device: &Device, now: Timestamp, sets: &[&str]) -> bool {
    !device.gnmi_is_stale(now) && sets.iter().all(|set| device.gnmi_session.delivers(set))
}

fn is_recent(at: Timestamp, now: Timestamp) -> bool {
    now.since(at) <= READING_MAX_AGE
}

#[allow(clippy::cast_precision_loss, reason = "counts and rates; a counter beyond 2^53 loses its last digits")]
const fn number(n: u64) -> f64 {
    n as f64
}

/// A path that follows the routing has no exit and no provider.
fn exit_of<'a>(s: &'a PilotState, key: &'a ProbeKey) -> (&'a str, &'a str) {
    let provider = key.exit.as_ref().and_then(|e| s.network.inventory.exit(e)).map_or("", |e| e.provider.as_str());
    (key.exit.as_ref().map_or("", |e| e.as_str()), provider)
}

fn family(family: AfiSafi) -> String {
    match family {
        AfiSafi::IPV4_UNICAST => "ipv4".to_owned(),
        AfiSafi::IPV6_UNICAST => "ipv6".to_owned(),
        other => other.to_string(),
    }
}

const fn view(view: View) -> &'static str {
    match view {
        View::AdjRibInPre => "adj_rib_in_pre",
        View::AdjRibInPost => "adj_rib_in_post",
        View::AdjRibOutPre => "adj_rib_out_pre",
        View::AdjRibOutPost => "adj_rib_out_post",
        View::LocRib => "loc_rib",
    }
}

/// Joins keys and values. What would end a tag, or would not be seen, is written as `%` and two hex digits a byte.
fn joined(keys: &[&str], values: &[&str]) -> String {
    let mut out = String::new();
    for (key, value) in keys.iter().zip(values) {
        if !out.is_empty() {
            out.push(',');
        }
        out.push_str(key);
        out.push('=');
        for c in value.chars() {
            if matches!(c, ',' | '%') || c.is_control() || !(c.is_ascii() || c.is_alphanumeric()) {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    // writing to a text does not fail
                    let _ = write!(out, "%{byte:02X}");
                }
            } else {
                out.push(c);
            }
        }
    }
    out
}
