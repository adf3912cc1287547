//! What the loop lets the topics see: a look beside it. It never waits, and nothing comes back.

use crate::topics::Topics;
use action::DeviceId;
use bus::{EVENTS_PEER, EVENTS_PREFIX, TELEMETRY_BMP, TELEMETRY_GNMI};
use core::net::IpAddr;
use network::{BmpEvent, GnmiEvent, Observation, SessionState};
use pilot::{Event, Input, PilotState};
use std::collections::BTreeMap;
use tokio::sync::mpsc;
use units::Timestamp;

/// BMP message types that tell of a session (RFC 7854 §4.1), and of routes.
const ROUTE_MONITORING: u8 = 0;
const PEER_DOWN: u8 = 2;
const PEER_UP: u8 = 3;

/// Something for the courier.
#[derive(Debug)]
pub struct Tapped {
    /// Number of the input.
    pub seq: u64,
    /// When it was received.
    pub at: Timestamp,
    /// From whom.
    pub device: DeviceId,
    /// What.
    pub what: Seen,
}

/// What was seen.
#[derive(Debug)]
pub enum Seen {
    /// A BMP session began: what was learned from the one before is void.
    BmpConnected,
    /// One BMP message.
    Bmp(Vec<u8>),
    /// One gNMI notification.
    Gnmi(GnmiSeen),
}

/// One gNMI notification, and how much was known of the router after it.
#[derive(Debug)]
pub struct GnmiSeen {
    /// Host name of the inventory.
    pub hostname: String,
    /// Device time, nanoseconds since the Unix epoch; 0: it gave none.
    pub timestamp: i64,
    /// BGP sessions known.
    pub peers: usize,
    /// Best routes known.
    pub routes: usize,
}

/// What is kept of an input while the pilot handles it.
pub struct Glance {
    device: DeviceId,
    kind: Kind,
    /// Sessions may be others afterwards.
    sessions: bool,
}

enum Kind {
    BmpConnected,
    Bmp(Vec<u8>),
    Gnmi(i64),
}

/// The tap of one engine.
#[derive(Debug)]
pub struct Tap {
    topics: Topics,
    courier: mpsc::Sender<Tapped>,
    sessions: BTreeMap<DeviceId, BTreeMap<IpAddr, SessionState>>,
}

impl Tap {
    pub const fn new(topics: Topics, courier: mpsc::Sender<Tapped>) -> Self {
        Self { topics, courier, sessions: BTreeMap::new() }
    }

    /// Looks at an input before it is handled.
    pub fn look(input: &Input) -> Option<Glance> {
        let Input::Observed { observation } = input else { return None };
        match observation {
            Observation::Bmp { device, event } => {
                let (kind, sessions) = match event {
                    BmpEvent::Connected => (Kind::BmpConnected, false),
                    BmpEvent::Message { bytes } => (Kind::Bmp(bytes.clone()), matches!(bytes.get(5), Some(&(PEER_DOWN | PEER_UP)))),
                    BmpEvent::Closed { .. } => return None,
                };
                Some(Glance { device: device.clone(), kind, sessions })
            }
            Observation::Gnmi { device, event: GnmiEvent::Notification { notification } } => {
                let concerns = |p: &gnmi::Path| p.names().any(|n| n == "bgp") && p.names().all(|n| n != "rib");
                let sessions = notification.updates.iter().any(|u| concerns(&u.path)) || notification.deletes.iter().any(concerns);
                Some(Glance { device: device.clone(), kind: Kind::Gnmi(notification.timestamp), sessions })
            }
            Observation::Gnmi { .. } | Observation::Config { .. } | Observation::Flow { .. } | Observation::Syslog { .. } => None,
        }
    }

    /// Publishes what an input and the pilot's answer to it mean for the topics.
    pub fn follow(&mut self, glance: Option<Glance>, state: &PilotState, told: &[Event]) {
        told.iter().for_each(|event| self.topics.happened(event));
        let Some(glance) = glance else { return };
        if glance.sessions {
            self.sessions_of(&glance.device, state);
        }
        let what = match glance.kind {
            Kind::BmpConnected => Seen::BmpConnected,
            Kind::Bmp(bytes) => Seen::Bmp(bytes),
            Kind::Gnmi(timestamp) => {
                let known = state.network.devices.get(&glance.device);
                let hostname = state.network.inventory.device(&glance.device).map(|d| d.hostname.clone()).unwrap_or_default();
                let (peers, routes) = known.map_or((0, 0), |d| (d.sessions.len(), d.loc_rib.len()));
                Seen::Gnmi(GnmiSeen { hostname, timestamp, peers, routes })
            }
        };
        let tapped = Tapped { seq: state.seq, at: state.now, device: glance.device, what };
        if let Err(mpsc::error::TrySendError::Full(tapped)) = self.courier.try_send(tapped) {
            self.missed(&tapped.what);
        }
    }

    fn missed(&self, what: &Seen) {
        match what {
            Seen::Gnmi(_) => self.topics.missed(TELEMETRY_GNMI, 1),
            Seen::Bmp(bytes) => {
                self.topics.missed(TELEMETRY_BMP, 1);
                if bytes.get(5) == Some(&ROUTE_MONITORING) {
                    // at least one prefix; how many is known only to who decodes it
                    self.topics.missed(EVENTS_PREFIX, 1);
                }
            }
            Seen::BmpConnected => {}
        }
    }

    /// Publishes the sessions of a router whose state is another than before, whichever feed told it.
    fn sessions_of(&mut self, device: &DeviceId, state: &PilotState) {
        let Some(now) = state.network.devices.get(device) else { return };
        let before = self.sessions.entry(device.clone()).or_default();
        let event = |peer: &IpAddr, kind: &str, from: Option<SessionState>, to: Option<SessionState>| {
            let session = now.sessions.get(peer);
            serde_json::json!({
                "type": kind, "router": device, "peer": peer, "peer_asn": session.and_then(|s| s.remote_as).map(|a| a.0),
                "from": from, "to": to, "reason": session.filter(|_| kind == "peer_down").and_then(|s| s.last_down.as_deref()),
                "seq": state.seq,
            })
        };
        for (peer, session) in now.sessions.iter().filter(|(p, s)| before.get(*p) != Some(&s.state)) {
            let from = before.get(peer).copied();
            let kind = match (from, session.state) {
                (_, SessionState::Established) => "peer_up",
                (Some(SessionState::Established), _) => "peer_down",
                _ => "peer_state",
            };
            self.topics.publish(EVENTS_PEER, state.now, event(peer, kind, from, Some(session.state)));
        }
        for (peer, from) in before.iter().filter(|(p, _)| !now.sessions.contains_key(*p)) {
            self.topics.publish(EVENTS_PEER, state.now, event(peer, "peer_removed", Some(*from), None));
        }
        *before = now.sessions.iter().map(|(peer, session)| (*peer, session.state)).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use network::{Inventory, Network};
    use pilot::{Mode, Resume};

    #[test]
    fn a_courier_that_stands_still_holds_nothing_up_and_what_it_misses_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let telemetry = store::Store::open(folder.path()).unwrap().telemetry().unwrap();
        let topics = Topics::resume(folder.path().to_owned(), &telemetry).unwrap();
        let (courier, _never_read) = mpsc::channel(2);
        let mut tap = Tap::new(topics.clone(), courier);
        let state = PilotState::new(Mode::Shadow, Network::new(Inventory::empty("x")), &Resume::default(), Timestamp::EPOCH);
        let bmp = |kind: u8| BmpEvent::Message { bytes: vec![3, 0, 0, 0, 6, kind] };
        for kind in [4, 3, ROUTE_MONITORING, ROUTE_MONITORING, 1] {
            let input = Input::Observed { observation: Observation::Bmp { device: "r1".into(), event: bmp(kind) } };
            tap.follow(Tap::look(&input), &state, &[]);
        }
        let missed = |topic: &str| topics.stats().into_iter().find(|t| t.topic == topic).unwrap().missed;
        assert_eq!((missed(TELEMETRY_BMP), missed(EVENTS_PREFIX), missed(TELEMETRY_GNMI)), (3, 2, 0));
    }
}
