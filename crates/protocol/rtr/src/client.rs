//! The router's side of RPKI-to-Router as a machine: PDUs in, PDUs and complete sets of data out (RFC 8210 §8).
//!
//! ```text
//!                     connected (no data)                connected (data of a session)
//!                            │ reset query                          │ serial query
//!                            ▼                                      ▼
//!   cache reset ───────► asked ◄──────────────── notify, or refresh time ── idle
//!                            │ cache response                       ▲
//!                            ▼                                      │
//!                        receiving ──── end of data: one new set ───┘
//! ```

use crate::vrp::VRPS_MAX;
use crate::{Message, Pdu, Timers, Version, Vrp};
use std::collections::BTreeSet;

/// Bounds of the timers (RFC 8210 §6): a cache that says otherwise is taken at the nearest value.
const REFRESH_S: core::ops::RangeInclusive<u32> = 1..=86_400;
const RETRY_S: core::ops::RangeInclusive<u32> = 1..=7_200;
const EXPIRE_S: core::ops::RangeInclusive<u32> = 600..=172_800;
/// Characters of a cache's text that are kept.
const TEXT_CHARS_MAX: usize = 300;

/// What came of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing to do.
    Wait,
    /// These bytes go to the cache.
    Send(Vec<u8>),
    /// The data are complete and new.
    Complete,
    /// The cache speaks version 0 only: connect again.
    Downgraded,
}

/// Why a session cannot go on. The connection has to be closed; what was complete before stays until it expires.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The cache reports an error.
    #[error("the cache reports error {code} ({}): {text:?}", error_name(*.code))]
    Reported {
        /// Code (RFC 8210 §12).
        code: u16,
        /// What it says.
        text: String,
    },
    /// A PDU out of turn.
    #[error("the cache sent {what} out of turn (RFC 8210 §8)")]
    OutOfTurn {
        /// Which.
        what: &'static str,
    },
    /// Data of another session than asked for; all data have to be asked for anew.
    #[error("the cache answers for session {is}, asked for was {asked}: it has begun anew (RFC 8210 §5.5)")]
    Session {
        /// Asked for.
        asked: u16,
        /// Answered.
        is: u16,
    },
    /// A withdrawal of what was not there.
    #[error("withdrawal of {0}, which was not announced (RFC 8210 §12, code 6)")]
    Unknown(Vrp),
    /// An announcement of what was there.
    #[error("{0} announced twice (RFC 8210 §12, code 7)")]
    Twice(Vrp),
    /// The version changed after it was agreed on.
    #[error("the cache changed the version of the protocol in a session (RFC 8210 §7)")]
    Version,
    /// More payloads than there can be.
    #[error("more than {VRPS_MAX} VRPs")]
    TooMany,
}

impl ClientError {
    /// Returns the code that tells the cache of it; `None`: an error report is never answered (RFC 8210 §5.10).
    #[must_use]
    pub const fn code(&self) -> Option<u16> {
        match self {
            Self::Reported { .. } => None,
            Self::OutOfTurn { .. } => Some(3),
            Self::Session { .. } => Some(0),
            Self::Unknown(_) => Some(6),
            Self::Twice(_) => Some(7),
            Self::Version => Some(8),
            Self::TooMany => Some(1),
        }
    }
}

const fn error_name(code: u16) -> &'static str {
    match code {
        0 => "corrupt data",
        1 => "internal error",
        2 => "no data available",
        3 => "invalid request",
        4 => "unsupported protocol version",
        5 => "unsupported PDU type",
        6 => "withdrawal of unknown record",
        7 => "duplicate announcement received",
        8 => "unexpected protocol version",
        _ => "not a code of RFC 8210",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    /// A query is out; `true`: for everything.
    Asked(bool),
    Receiving(bool),
}

/// The router's side of a session with a cache. It outlives connections.
#[derive(Clone, Debug)]
pub struct Client {
    version: Version,
    /// The cache has answered on this connection: the version is agreed on.
    agreed: bool,
    session: Option<u16>,
    serial: u32,
    phase: Phase,
    timers: Timers,
    held: BTreeSet<Vrp>,
    changes: Vec<(bool, Vrp)>,
    complete_s: Option<i64>,
}

impl Default for Client {
    fn default() -> Self {
        Self::new(Version::V1)
    }
}

impl Client {
    /// A client that has nothing and begins with a version.
    #[must_use]
    pub const fn new(version: Version) -> Self {
        Self {
            version,
            agreed: false,
            session: None,
            serial: 0,
            phase: Phase::Idle,
            timers: Timers { refresh_s: 3600, retry_s: 600, expire_s: 7200 },
            held: BTreeSet::new(),
            changes: Vec::new(),
            complete_s: None,
        }
    }

    /// Returns the version that is spoken.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Returns the serial number of the data.
    #[must_use]
    pub const fn serial(&self) -> u32 {
        self.serial
    }

    /// Returns the timers of the cache, within the bounds of the standard.
    #[must_use]
    pub const fn timers(&self) -> Timers {
        self.timers
    }

    /// Says whether a question is out.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.phase != Phase::Idle
    }

    /// Begins on a new connection; returns what to send.
    #[must_use]
    pub fn connected(&mut self) -> Vec<u8> {
        self.agreed = false;
        self.ask()
    }

    /// Asks for what is new, which is due when the refresh time is over; `None`: a question is out already.
    #[must_use]
    pub fn refresh(&mut self) -> Option<Vec<u8>> {
        (self.phase == Phase::Idle).then(|| self.ask())
    }

    fn ask(&mut self) -> Vec<u8> {
        self.changes.clear();
        self.phase = Phase::Asked(self.session.is_none());
        let serial = self.serial;
        self.say(self.session.map_or(Pdu::ResetQuery, |session| Pdu::SerialQuery { session, serial }))
    }

    fn say(&self, pdu: Pdu) -> Vec<u8> {
        Message { version: self.version, pdu }.encode()
    }

    /// Returns the data while they hold: they are complete, and younger than the cache's expire time. `None` is "unavailable".
    #[must_use]
    pub fn data(&self, now_s: i64) -> Option<&BTreeSet<Vrp>> {
        let age = now_s.saturating_sub(self.complete_s?);
        (age < i64::from(self.timers.expire_s)).then_some(&self.held)
    }

    /// Returns the report of an error for the cache.
    #[must_use]
    pub fn report(&self, code: u16, about: &[u8], text: &str) -> Vec<u8> {
        self.say(Pdu::ErrorReport { code, about: about.to_vec(), text: text.to_owned() })
    }

    /// Takes a message.
    ///
    /// # Errors
    /// [`ClientError`]; the connection has to be closed.
    pub fn handle(&mut self, message: Message, now_s: i64) -> Result<Step, ClientError> {
        let out = self.take(message, now_s);
        if let Err(error) = &out {
            self.phase = Phase::Idle;
            self.changes.clear();
            // a reported error says nothing against the data; what contradicts itself is asked for anew, all of it
            if !matches!(error, ClientError::Reported { .. }) {
                self.session = None;
            }
        }
        out
    }

    fn take(&mut self, message: Message, now_s: i64) -> Result<Step, ClientError> {
        let unsupported = matches!(message.pdu, Pdu::ErrorReport { code: 4, .. });
        if message.version < self.version && !self.agreed {
            // RFC 8210 §7: an older cache answers in its version, or refuses in it
            self.version = message.version;
            if unsupported {
                (self.phase, self.session) = (Phase::Idle, None);
                return Ok(Step::Downgraded);
            }
        } else if message.version != self.version && !matches!(message.pdu, Pdu::ErrorReport { .. }) {
            return Err(ClientError::Version);
        } else if unsupported && !self.agreed && self.version == Version::V1 {
            (self.version, self.phase, self.session) = (Version::V0, Phase::Idle, None);
            return Ok(Step::Downgraded);
        }
        self.agreed |= !matches!(message.pdu, Pdu::ErrorReport { .. });
        match (message.pdu, self.phase) {
            (Pdu::SerialNotify { session, serial }, Phase::Idle) => {
                if self.session == Some(session) && self.serial == serial && self.complete_s.is_some() {
                    return Ok(Step::Wait);
                }
                Ok(Step::Send(self.ask()))
            }
            // a question is out already; its answer is as new
            (Pdu::SerialNotify { .. }, _) => Ok(Step::Wait),
            (Pdu::CacheResponse { session }, Phase::Asked(all)) => {
                if let (false, Some(asked)) = (all, self.session.filter(|s| *s != session)) {
                    return Err(ClientError::Session { asked, is: session });
                }
                self.session = Some(session);
                self.phase = Phase::Receiving(all);
                Ok(Step::Wait)
            }
            (Pdu::Prefix { announce, vrp }, Phase::Receiving(_)) => {
                if self.changes.len() >= VRPS_MAX {
                    return Err(ClientError::TooMany);
                }
                self.changes.push((announce, vrp));
                Ok(Step::Wait)
            }
            (Pdu::RouterKey { .. }, Phase::Receiving(_)) => Ok(Step::Wait),
            (Pdu::EndOfData { session, serial, timers }, Phase::Receiving(all)) => {
                if let Some(asked) = self.session.filter(|s| *s != session) {
                    return Err(ClientError::Session { asked, is: session });
                }
                self.commit(all)?;
                self.timers = within_bounds(timers.unwrap_or_default());
                (self.serial, self.phase, self.complete_s) = (serial, Phase::Idle, Some(now_s));
                Ok(Step::Complete)
            }
            (Pdu::CacheReset, Phase::Asked(false)) => {
                self.session = None;
                Ok(Step::Send(self.ask()))
            }
            (Pdu::ErrorReport { code, text, .. }, _) => {
                Err(ClientError::Reported { code, text: text.chars().filter(|c| !c.is_control()).take(TEXT_CHARS_MAX).collect() })
            }
            (pdu, _) => Err(ClientError::OutOfTurn { what: pdu.name() }),
        }
    }

    /// Puts what was received into force, all or nothing.
    fn commit(&mut self, all: bool) -> Result<(), ClientError> {
        let changes = core::mem::take(&mut self.changes);
        if all {
            let mut fresh = BTreeSet::new();
            for (announce, vrp) in changes {
                apply(&mut fresh, announce, vrp)?;
            }
            self.held = fresh;
            return Ok(());
        }
        for (at, (announce, vrp)) in changes.iter().enumerate() {
            if let Err(error) = apply(&mut self.held, *announce, *vrp) {
                for (announce, vrp) in changes.iter().take(at).rev() {
                    let _ = apply(&mut self.held, !announce, *vrp);
                }
                return Err(error);
            }
        }
        if self.held.len() > VRPS_MAX { Err(ClientError::TooMany) } else { Ok(()) }
    }
}

fn apply(held: &mut BTreeSet<Vrp>, announce: bool, vrp: Vrp) -> Result<(), ClientError> {
    match announce {
        true => held.insert(vrp).then_some(()).ok_or(ClientError::Twice(vrp)),
        false => held.remove(&vrp).then_some(()).ok_or(ClientError::Unknown(vrp)),
    }
}

fn within_bounds(t: Timers) -> Timers {
    let bound = |value: u32, range: core::ops::RangeInclusive<u32>| value.clamp(*range.start(), *range.end());
    let (refresh_s, retry_s) = (bound(t.refresh_s, REFRESH_S), bound(t.retry_s, RETRY_S));
    // data must outlive the next question (§6: expire is larger than either)
    let expire_s = bound(t.expire_s, EXPIRE_S).max(bound(refresh_s.max(retry_s).saturating_add(1), EXPIRE_S));
    Timers { refresh_s, retry_s, expire_s }
}

impl Pdu {
    /// Returns its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::SerialNotify { .. } => "a serial notify",
            Self::SerialQuery { .. } => "a serial query",
            Self::ResetQuery => "a reset query",
            Self::CacheResponse { .. } => "a cache response",
            Self::Prefix { .. } => "a prefix",
            Self::EndOfData { .. } => "an end of data",
            Self::CacheReset => "a cache reset",
            Self::RouterKey { .. } => "a router key",
            Self::ErrorReport { .. } => "an error report",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bgp::Asn;
    use proptest::prelude::*;

    fn vrp(n: u8) -> Vrp {
        Vrp::new(format!("10.{n}.0.0/16").parse().unwrap(), 24, Asn(65000 + u32::from(n))).unwrap()
    }

    fn v1(pdu: Pdu) -> Message {
        Message { version: Version::V1, pdu }
    }

    const TIMERS: Timers = Timers { refresh_s: 60, retry_s: 30, expire_s: 600 };

    fn end(session: u16, serial: u32) -> Message {
        v1(Pdu::EndOfData { session, serial, timers: Some(TIMERS) })
    }

    fn prefix(announce: bool, n: u8) -> Message {
        v1(Pdu::Prefix { announce, vrp: vrp(n) })
    }

    /// A client that holds 1 and 2 of session 7, serial 1.
    fn filled() -> Client {
        let mut c = Client::default();
        assert_eq!(c.connected(), v1(Pdu::ResetQuery).encode());
        for m in [v1(Pdu::CacheResponse { session: 7 }), prefix(true, 1), prefix(true, 2)] {
            assert_eq!(c.handle(m, 100), Ok(Step::Wait));
            assert_eq!(c.data(100), None, "half a table is no data");
        }
        assert_eq!(c.handle(end(7, 1), 100), Ok(Step::Complete));
        c
    }

    #[test]
    fn a_table_comes_whole_and_then_by_what_is_new() {
        let mut c = filled();
        assert_eq!(c.data(100).unwrap().len(), 2);
        assert_eq!(c.handle(v1(Pdu::SerialNotify { session: 7, serial: 1 }), 110), Ok(Step::Wait), "nothing new");
        let asked = c.handle(v1(Pdu::SerialNotify { session: 7, serial: 2 }), 110).unwrap();
        assert_eq!(asked, Step::Send(v1(Pdu::SerialQuery { session: 7, serial: 1 }).encode()));
        assert_eq!(c.refresh(), None, "a question is out");
        for m in [v1(Pdu::CacheResponse { session: 7 }), prefix(false, 1), prefix(true, 3)] {
            c.handle(m, 110).unwrap();
            assert!(c.data(110).unwrap().contains(&vrp(1)), "until the end, the old table holds");
        }
        assert_eq!(c.handle(end(7, 2), 120), Ok(Step::Complete));
        assert_eq!(c.data(120).unwrap().iter().copied().collect::<Vec<_>>(), [vrp(2), vrp(3)]);
        assert_eq!(c.connected(), v1(Pdu::SerialQuery { session: 7, serial: 2 }).encode(), "a new connection goes on");
    }

    #[test]
    fn data_expire_when_the_cache_is_silent() {
        let c = filled();
        assert!(c.data(100 + 599).is_some());
        assert_eq!(c.data(100 + 600), None);
    }

    #[test]
    fn a_cache_that_begins_anew_is_asked_for_everything() {
        let mut c = filled();
        assert!(c.refresh().is_some());
        assert_eq!(c.handle(v1(Pdu::CacheReset), 110), Ok(Step::Send(v1(Pdu::ResetQuery).encode())));
        let mut c = filled();
        assert!(c.refresh().is_some());
        assert_eq!(c.handle(v1(Pdu::CacheResponse { session: 8 }), 110), Err(ClientError::Session { asked: 7, is: 8 }));
        assert_eq!(c.connected(), v1(Pdu::ResetQuery).encode());
    }

    #[test]
    fn what_contradicts_itself_changes_nothing() {
        for (bad, error) in [(prefix(true, 2), ClientError::Twice(vrp(2))), (prefix(false, 9), ClientError::Unknown(vrp(9)))] {
            let mut c = filled();
            assert!(c.refresh().is_some());
            c.handle(v1(Pdu::CacheResponse { session: 7 }), 110).unwrap();
            c.handle(prefix(false, 1), 110).unwrap();
            c.handle(bad, 110).unwrap();
            assert_eq!(c.handle(end(7, 2), 110), Err(error));
            assert_eq!(c.data(110).unwrap().iter().copied().collect::<Vec<_>>(), [vrp(1), vrp(2)]);
        }
        let mut c = filled();
        assert_eq!(c.handle(prefix(true, 3), 110), Err(ClientError::OutOfTurn { what: "a prefix" }));
    }

    #[test]
    fn an_old_cache_is_spoken_to_in_its_version() {
        let v0 = |pdu| Message { version: Version::V0, pdu };
        let refusal = Pdu::ErrorReport { code: 4, about: Vec::new(), text: "no".to_owned() };
        for refusing in [v0(refusal.clone()), v1(refusal)] {
            let mut c = Client::default();
            let _ = c.connected();
            assert_eq!(c.handle(refusing, 0), Ok(Step::Downgraded));
            assert_eq!(c.connected(), v0(Pdu::ResetQuery).encode());
        }
        let mut c = Client::default();
        let _ = c.connected();
        assert_eq!(c.handle(v0(Pdu::CacheResponse { session: 1 }), 0), Ok(Step::Wait), "or it answers in it at once");
        assert_eq!(c.handle(v0(Pdu::EndOfData { session: 1, serial: 1, timers: None }), 0), Ok(Step::Complete));
        assert_eq!(c.timers(), Timers::default());
        assert_eq!(c.handle(v1(Pdu::SerialNotify { session: 1, serial: 2 }), 0), Err(ClientError::Version));
    }

    #[test]
    fn a_reported_error_keeps_the_data_and_is_not_answered() {
        let mut c = filled();
        let error = c.handle(v1(Pdu::ErrorReport { code: 2, about: Vec::new(), text: "later\n".to_owned() }), 110).unwrap_err();
        assert_eq!(error.to_string(), "the cache reports error 2 (no data available): \"later\"");
        assert_eq!(error.code(), None);
        assert!(c.data(110).is_some());
    }

    #[test]
    fn timers_stay_within_the_standard() {
        let of = |refresh_s, retry_s, expire_s| within_bounds(Timers { refresh_s, retry_s, expire_s });
        assert_eq!(of(0, 0, 0), Timers { refresh_s: 1, retry_s: 1, expire_s: 600 });
        assert_eq!(of(u32::MAX, u32::MAX, u32::MAX), Timers { refresh_s: 86_400, retry_s: 7_200, expire_s: 172_800 });
        assert_eq!(of(3600, 600, 1200), Timers { refresh_s: 3600, retry_s: 600, expire_s: 3601 });
    }

    proptest! {
        /// Whatever a cache sends, and in whatever order: no panic, and data only between an end of data and the next one.
        #[test]
        fn no_order_of_messages_breaks_the_client(kinds in proptest::collection::vec((0_u8..9, any::<bool>(), 0_u8..3), 0..60)) {
            let mut c = Client::default();
            let _ = c.connected();
            for (now, (kind, flag, n)) in (0..).zip(kinds) {
                let pdu = match kind {
                    0 => Pdu::SerialNotify { session: 1, serial: u32::from(n) },
                    1 | 2 => Pdu::CacheResponse { session: 1 + u16::from(n == 2) },
                    3..=5 => Pdu::Prefix { announce: flag, vrp: vrp(n) },
                    6 => Pdu::EndOfData { session: 1, serial: u32::from(n), timers: Some(TIMERS) },
                    7 => Pdu::CacheReset,
                    _ => Pdu::ErrorReport { code: u16::from(n) * 2, about: Vec::new(), text: String::new() },
                };
                let before = c.data(now).cloned();
                let version = if n == 2 && flag { Version::V0 } else { c.version() };
                match c.handle(Message { version, pdu }, now) {
                    Ok(Step::Complete) => prop_assert!(c.data(now).is_some()),
                    Ok(_) => prop_assert_eq!(c.data(now), before.as_ref()),
                    Err(_) => {
                        prop_assert_eq!(c.data(now), before.as_ref());
                        let _ = c.connected();
                    }
                }
            }
        }
    }
}
