//! How old a feed is, and when its first dump counts as complete.

use crate::{Device, Freshness, GnmiSession, Network};
use action::DeviceId;
use core::net::IpAddr;
use core::time::Duration;
use std::sync::Arc;
use units::Timestamp;

/// A connected feed that says nothing for this long is stale, unless its own subscriptions speak more rarely. The nodes send counters every
/// 2 s; seven missed reports are no jitter.
pub const SILENCE_MAX: Duration = Duration::from_secs(15);
/// A BMP dump without End-of-RIB is complete when no route came for this long (FRR 8.4 sends none, seen); how the tables have it.
pub const INITIAL_QUIET: Duration = rib::INITIAL_QUIET;
/// A gNMI dump without `sync_response` counts as complete after this long. The tables have their own for BMP ([`rib::INITIAL_MAX`]).
pub const INITIAL_MAX: Duration = Duration::from_secs(60);
/// While BMP messages come, devices that they are not from are looked at so often.
const TICK_EVERY: Duration = Duration::from_millis(100);
/// A BMP feed that sends statistics is stale after this many missed reports; one that sends none may be quiet, and its transport tells.
const STATISTICS_MISSED: u32 = 3;

impl Freshness {
    /// Returns for how long a connected feed has said nothing; `None`: never connected, or transport lost.
    fn silence(self, now: Timestamp) -> Option<Duration> {
        match self {
            Self::Unknown | Self::Stale { .. } => None,
            Self::Initial { last, .. } | Self::Synced { last } => Some(now.since(last)),
        }
    }

    /// Returns when the last message came, or when the feed became stale.
    #[must_use]
    pub const fn last(self) -> Option<Timestamp> {
        match self {
            Self::Unknown => None,
            Self::Initial { last, .. } | Self::Synced { last } | Self::Stale { since: last } => Some(last),
        }
    }

    /// Notes a message. A feed that was silent and still connected is alive again.
    pub(crate) const fn heard(&mut self, connected: bool, now: Timestamp) {
        *self = match *self {
            Self::Initial { since, .. } => Self::Initial { since, last: now },
            Self::Synced { .. } => Self::Synced { last: now },
            Self::Stale { .. } if connected => Self::Synced { last: now },
            Self::Unknown | Self::Stale { .. } => Self::Initial { since: now, last: now },
        };
    }
}

impl Device {
    /// Says whether BMP data must not be decided upon. A session without statistics may be silent as long as its transport lives.
    #[must_use]
    pub fn bmp_is_stale(&self, now: Timestamp) -> bool {
        match self.bmp {
            Freshness::Unknown | Freshness::Stale { .. } => true,
            Freshness::Initial { last, .. } | Freshness::Synced { last } => self
                .bmp_session
                .statistics_every
                .is_some_and(|every| now.since(last) > SILENCE_MAX.max(every.saturating_mul(STATISTICS_MISSED))),
        }
    }

    /// Says whether gNMI data must not be decided upon: never connected, transport lost, or silent for longer than its subscriptions allow.
    #[must_use]
    pub fn gnmi_is_stale(&self, now: Timestamp) -> bool {
        let Some(silence) = self.gnmi.silence(now) else { return true };
        match self.gnmi_session.patience() {
            Some(patience) => silence > patience,
            // nothing is due by the clock: the paths are asked, and the transport's keepalive tells of a dead one
            None => self.gnmi_session.subscriptions.iter().all(|s| s.state.is_silent()),
        }
    }

    /// Says whether the state of the session with a neighbour in the default instance is told by a feed that is not stale.
    #[must_use]
    pub fn session_is_fresh(&self, neighbor: IpAddr, now: Timestamp) -> bool {
        let by_gnmi = || !self.gnmi_is_stale(now) && self.gnmi_session.delivers("bgp") && self.gnmi_tells(neighbor);
        (!self.bmp_is_stale(now) && self.bmp_session.tells(neighbor)) || by_gnmi()
    }

    /// Returns what a first dump that counts as complete by now did not tell again.
    pub(crate) fn age(&mut self, now: Timestamp) -> Vec<gnmi::Path> {
        if self.bmp_is_stale(now) {
            stale(&mut self.bmp);
        }
        if self.gnmi_is_stale(now) {
            stale(&mut self.gnmi);
        }
        // some targets never send sync_response
        let endless = matches!(self.gnmi, Freshness::Initial { since, .. } if now.since(since) >= INITIAL_MAX);
        if endless { self.gnmi_synced(now) } else { Vec::new() }
    }

    /// Says whether what the device tells by gNMI includes the state of the session with a neighbour.
    pub(crate) fn gnmi_tells(&self, neighbor: IpAddr) -> bool {
        matches!(self.gnmi, Freshness::Initial { .. } | Freshness::Synced { .. }) && self.gnmi_session.neighbors.contains(&neighbor)
    }
}

impl GnmiSession {
    /// Returns how long the stream as a whole may be silent: twice the shortest interval at which a subscription must speak, at least
    /// [`SILENCE_MAX`]. `None` when none of them is due by the clock.
    #[must_use]
    pub fn patience(&self) -> Option<Duration> {
        if self.subscriptions.is_empty() {
            return Some(SILENCE_MAX);
        }
        let shortest = self.subscriptions.iter().filter_map(|s| s.expected_ms).min()?;
        Some(SILENCE_MAX.max(Duration::from_millis(shortest.saturating_mul(2))))
    }

    /// Says whether what a set of subscriptions tells may be taken as it stands: none of them is silent.
    #[must_use]
    pub fn delivers(&self, set: &str) -> bool {
        self.connected && !self.subscriptions.iter().any(|s| s.set == set && s.state.is_silent())
    }
}

/// Stale since the last message; an older staleness stays as it is.
const fn stale(freshness: &mut Freshness) {
    if let Freshness::Initial { last, .. } | Freshness::Synced { last } = *freshness {
        *freshness = Freshness::Stale { since: last };
    }
}

impl Network {
    /// Lets time pass: ends dumps that fell quiet, marks silent feeds stale. [`Network::observe`] does it too.
    pub fn tick(&mut self, now: Timestamp) {
        self.ticked = now;
        self.origins.tick(now);
        let mut gone = Vec::new();
        for (id, device) in &mut self.devices {
            let paths = device.age(now);
            if !paths.is_empty() {
                gone.push((id.clone(), paths));
            }
        }
        for (id, paths) in gone {
            self.untold(&id, &paths);
        }
        self.tick_tables(now);
        self.end_dumps(now);
        self.fill_volumes(now);
    }

    /// Ends the BMP dumps of routers that have told all their tables.
    fn end_dumps(&mut self, now: Timestamp) {
        for (id, device) in &mut self.devices {
            let Freshness::Initial { since, last } = device.bmp else { continue };
            let dumping = self.tables.router_named(id.as_str()).is_some_and(|router| self.tables.is_dumping(router, now));
            if !dumping && now.since(since) >= INITIAL_QUIET {
                device.bmp = Freshness::Synced { last };
                device.bmp_dumped(now);
            }
        }
    }

    /// Lets time pass before a message of one device, of which there may be a million a second: the others are looked at now and then.
    pub(crate) fn pass(&mut self, id: &DeviceId, now: Timestamp) {
        if now.since(self.ticked) >= TICK_EVERY {
            return self.tick(now);
        }
        let gone = self.devices.get_mut(id).map(|device| device.age(now)).unwrap_or_default();
        self.untold(id, &gone);
        self.tick_tables(now);
    }

    fn tick_tables(&mut self, now: Timestamp) {
        if !self.tables.is_quiet(now) {
            Arc::make_mut(&mut self.tables).tick(now);
        }
    }
}
