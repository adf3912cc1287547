//! What origin validation goes by (RFC 6811): what a relying party's file or cache told, and until when it holds.
//!
//! ```text
//! unasked ─named─► waiting ─told─► in force ─time─► expired ─told─► in force
//! ```
//! Nothing but `in force` answers anything: what was not told, or has expired, is not known, and never "not found" or "valid".

use bgp::Prefix;
use rtr::{File, Slurm, Vrp, Vrps};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use units::Timestamp;

const NANOS_PER_S: i64 = 1_000_000_000;
/// VRPs about our own space that are remembered from before they changed. More than this for one network are not remembered at all: how it
/// stood before is not known then.
const OWN_VRPS_MAX: usize = 20_000;

/// What reached us from a source of VRPs, local exceptions (RFC 8416) already applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum OriginEvent {
    /// It is asked from now on.
    Named {
        /// File, or address of the cache.
        source: String,
    },
    /// It told its payloads: what differs from those that it told before.
    Told {
        /// When they were made, seconds since 1970; `None`: it does not say.
        made_s: Option<i64>,
        /// Until when they hold.
        until_s: Option<i64>,
        /// New ones, and those whose end is another now: each with the time at which it expires.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        added: Vec<(Vrp, Option<i64>)>,
        /// Those that are gone.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        removed: Vec<Vrp>,
        /// How many there are then: what does not fit was told in part, and counts for nothing.
        payloads: usize,
    },
    /// It could not be asked or read. What is held holds until it expires.
    Failed {
        /// Why, for the operator.
        reason: String,
    },
}

/// How it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "standing")]
pub enum OriginStanding {
    /// No source is named.
    #[default]
    Unasked,
    /// The source has not told anything yet.
    Waiting,
    /// It is gone by.
    InForce {
        /// Payloads in force.
        vrps: usize,
        /// Others that have expired; where one of them would matter the answer is not known.
        expired: usize,
    },
    /// Nothing of it holds.
    NotKnown {
        /// Why.
        why: String,
    },
}

/// The table, made when it is first asked for. It follows from the rest of the state and is no part of it.
#[derive(Clone, Debug, Default)]
struct Table(Arc<OnceLock<Option<Arc<Vrps>>>>);

impl PartialEq for Table {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// What origin validation goes by.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Origins {
    source: Option<String>,
    told: Option<Timestamp>,
    failure: Option<String>,
    file: Arc<File>,
    /// Seconds since 1970 at which `standing` was found, and at which it must be found anew.
    found_s: i64,
    turns_s: Option<i64>,
    standing: OriginStanding,
    /// What was told of our own space before that changed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<BeforeChange>,
    #[serde(skip)]
    table: Table,
}

/// VRPs about our own space as they were before they changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeforeChange {
    /// When they changed.
    pub at: Timestamp,
    /// What was in force until then.
    pub vrps: Vec<Vrp>,
}

impl Origins {
    /// Says whether no source was ever named: then nothing of it stands in a state.
    #[must_use]
    pub fn is_unasked(&self) -> bool {
        self.source.is_none()
    }

    /// Returns the file, or the address of the cache, that is asked.
    #[must_use]
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// Returns when it last told its payloads, changed or not.
    #[must_use]
    pub const fn told(&self) -> Option<Timestamp> {
        self.told
    }

    /// Returns when what it told was made, as far as it says so.
    #[must_use]
    pub fn made(&self) -> Option<Timestamp> {
        self.file.made_s.map(at)
    }

    /// Returns until when all of it holds at most, as far as that is known.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        let too_old = self.file.made_s.map(|made| made.saturating_add(rtr::AGE_S_MAX));
        self.file.until_s.into_iter().chain(too_old).min().map(at)
    }

    /// Returns why it could not be asked since it last told something.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Returns how many payloads are held, in force or not.
    #[must_use]
    pub fn payloads(&self) -> usize {
        self.file.vrps.len()
    }

    /// Returns how it stands.
    #[must_use]
    pub const fn standing(&self) -> &OriginStanding {
        &self.standing
    }

    /// Returns the table while it is in force; `None`: not known.
    #[must_use]
    pub fn vrps(&self) -> Option<Arc<Vrps>> {
        let OriginStanding::InForce { .. } = self.standing else { return None };
        self.table.0.get_or_init(|| self.file.at(self.found_s, &Slurm::default()).ok().map(Arc::new)).clone()
    }

    /// Returns what was in force for our own space before it changed last, and when that was; `None`: it did not change since the source was
    /// named, or was not in force then. It answers for own space only.
    #[must_use]
    pub const fn before_change(&self) -> Option<&BeforeChange> {
        self.before.as_ref()
    }

    /// Says in words how it stands, without ages.
    #[must_use]
    pub fn in_words(&self) -> String {
        let from = self.source.as_deref().unwrap_or_default();
        let failure = self.failure.as_ref().map(|why| format!("; not refreshed: {why}")).unwrap_or_default();
        match &self.standing {
            OriginStanding::Unasked => "origin validation is not known: no source of VRPs is named".to_owned(),
            OriginStanding::Waiting => format!("origin validation is not known: {from} has told nothing yet{failure}"),
            OriginStanding::InForce { vrps, expired: 0 } => format!("origin validation by {vrps} VRPs of {from}{failure}"),
            OriginStanding::InForce { vrps, expired } => {
                format!("origin validation by {vrps} VRPs of {from}, {expired} more have expired{failure}")
            }
            OriginStanding::NotKnown { why } => format!("origin validation is not known: {from}: {why}{failure}"),
        }
    }

    /// Takes what came from the source, and remembers nothing of before.
    pub fn take(&mut self, event: &OriginEvent, now: Timestamp) {
        self.take_with(event, &[], now);
    }

    /// Takes what came from the source. Where it changes what is said of our `own` space, what was in force until then is remembered.
    pub fn take_with(&mut self, event: &OriginEvent, own: &[Prefix], now: Timestamp) {
        let is_own = |v: &Vrp| own.iter().any(|o| v.prefix().covers(o) || o.covers(&v.prefix()));
        // most changes are about others
        let about_us = matches!(event, OriginEvent::Told { added, removed, .. } if added.iter().map(|(v, _)| v).chain(removed).any(is_own));
        let in_force = |origins: &Self| -> Option<Vec<Vrp>> {
            let OriginStanding::InForce { .. } = origins.standing else { return None };
            let lives = |until: Option<i64>| until.is_none_or(|u| u > seconds(now));
            let all: Vec<Vrp> = origins.file.vrps.iter().filter(|(v, u)| lives(*u) && is_own(v)).map(|(v, _)| *v).collect();
            (all.len() <= OWN_VRPS_MAX).then_some(all)
        };
        let was = if about_us { in_force(self) } else { None };
        self.apply(event, now);
        // between two sources that hold, one that does not is no state to compare with
        if let Some(vrps) = was.filter(|was| in_force(self).as_ref() != Some(was)) {
            self.before = Some(BeforeChange { at: now, vrps });
        }
    }

    fn apply(&mut self, event: &OriginEvent, now: Timestamp) {
        match event {
            OriginEvent::Named { source } => {
                *self = Self { source: Some(source.clone()), standing: OriginStanding::Waiting, ..Self::default() };
            }
            OriginEvent::Told { made_s, until_s, added, removed, payloads } => {
                self.failure = None;
                self.told = Some(now);
                let file = Arc::make_mut(&mut self.file);
                (file.made_s, file.until_s) = (*made_s, *until_s);
                if !added.is_empty() || !removed.is_empty() {
                    self.table = Table::default();
                    let gone: BTreeSet<&Vrp> = removed.iter().chain(added.iter().map(|(v, _)| v)).collect();
                    file.vrps.retain(|(v, _)| !gone.contains(v));
                    file.vrps.extend(added.iter().copied());
                    file.vrps.sort();
                }
                if file.vrps.len() == *payloads {
                    self.find(seconds(now));
                } else {
                    let held = core::mem::take(&mut file.vrps).len();
                    let why = format!("{held} VRPs came together where the source has {payloads}; restart the engine to ask for all");
                    (self.standing, self.turns_s) = (OriginStanding::NotKnown { why }, None);
                }
            }
            OriginEvent::Failed { reason } => self.failure = Some(reason.clone()),
        }
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Timestamp) {
        if self.turns_s.is_some_and(|at| at <= seconds(now)) {
            self.find(seconds(now));
        }
    }

    fn find(&mut self, now_s: i64) {
        let standing = match self.file.counts(now_s) {
            Ok((vrps, expired)) => OriginStanding::InForce { vrps, expired },
            Err(why) => OriginStanding::NotKnown { why },
        };
        if standing != self.standing {
            // of the same payloads as many hold as before: then they are the same
            (self.standing, self.table) = (standing, Table::default());
        }
        (self.found_s, self.turns_s) = (now_s, self.file.turns_after(now_s));
    }
}

const fn seconds(at: Timestamp) -> i64 {
    at.nanos().div_euclid(NANOS_PER_S)
}

const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_nanos(seconds.saturating_mul(NANOS_PER_S))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test says no by panicking")]
    use super::*;
    use bgp::{Asn, Prefix, RpkiState};

    const NOW: i64 = 1_800_000_000;

    fn prefix() -> Prefix {
        "192.0.2.0/24".parse().unwrap()
    }

    fn vrp(asn: u32) -> Vrp {
        Vrp::new(prefix(), 24, Asn(asn)).unwrap()
    }

    fn told(until_s: Option<i64>, added: &[(Vrp, Option<i64>)], removed: &[Vrp], payloads: usize) -> OriginEvent {
        OriginEvent::Told { made_s: None, until_s, added: added.to_vec(), removed: removed.to_vec(), payloads }
    }

    fn state(origins: &Origins, asn: u32) -> Option<RpkiState> {
        origins.vrps()?.state(&prefix(), Some(Asn(asn)))
    }

    fn named() -> Origins {
        let mut origins = Origins::default();
        origins.take(&OriginEvent::Named { source: "127.0.0.1:323".to_owned() }, at(NOW));
        origins
    }

    #[test]
    fn nothing_is_known_before_it_is_told_and_after_it_has_expired() {
        assert!(Origins::default().vrps().is_none() && Origins::default().is_unasked());
        let mut origins = named();
        assert_eq!((origins.vrps(), origins.standing()), (None, &OriginStanding::Waiting));
        origins.take(&OriginEvent::Failed { reason: "refused".to_owned() }, at(NOW));
        assert!(origins.in_words().ends_with("has told nothing yet; not refreshed: refused"), "{}", origins.in_words());
        origins.take(&told(Some(NOW + 60), &[(vrp(65001), None)], &[], 1), at(NOW));
        assert_eq!((state(&origins, 65001), state(&origins, 65002)), (Some(RpkiState::Valid), Some(RpkiState::Invalid)));
        assert_eq!(origins.in_words(), "origin validation by 1 VRPs of 127.0.0.1:323");
        origins.tick(at(NOW + 59));
        assert_eq!(state(&origins, 65001), Some(RpkiState::Valid));
        origins.tick(at(NOW + 60));
        assert_eq!(state(&origins, 65001), None);
        assert!(matches!(origins.standing(), OriginStanding::NotKnown { .. }));
        // the cache is back with what it had
        origins.take(&told(Some(NOW + 160), &[], &[], 1), at(NOW + 100));
        assert_eq!(state(&origins, 65001), Some(RpkiState::Valid));
    }

    #[test]
    fn differences_add_up_and_what_does_not_counts_for_nothing() {
        let mut origins = named();
        origins.take(&told(None, &[(vrp(1), None), (vrp(2), Some(NOW + 10))], &[], 2), at(NOW));
        origins.take(&told(None, &[(vrp(3), None), (vrp(2), Some(NOW + 20))], &[vrp(1)], 2), at(NOW));
        assert_eq!((state(&origins, 1), state(&origins, 2)), (Some(RpkiState::Invalid), Some(RpkiState::Valid)));
        origins.tick(at(NOW + 15));
        assert_eq!(state(&origins, 2), Some(RpkiState::Valid), "its end was put off");
        origins.tick(at(NOW + 20));
        assert_eq!((state(&origins, 2), state(&origins, 3)), (None, Some(RpkiState::Valid)), "what expired decides nothing");
        origins.take(&told(None, &[], &[vrp(9)], 1), at(NOW + 30));
        assert_eq!(state(&origins, 3), None);
        assert!(origins.in_words().contains("2 VRPs came together where the source has 1"), "{}", origins.in_words());
        origins.tick(at(NOW + 40));
        assert_eq!(state(&origins, 3), None);
    }

    #[test]
    fn a_state_that_is_read_back_answers_the_same() {
        let mut origins = named();
        origins.take(&told(Some(NOW + 60), &[(vrp(65001), Some(NOW + 50)), (vrp(65002), None)], &[], 2), at(NOW));
        let text = serde_json::to_string(&origins).unwrap();
        assert!(text.contains("192.0.2.0/24-24 AS65001"), "{text}");
        let mut back: Origins = serde_json::from_str(&text).unwrap();
        assert_eq!(back, origins);
        for second in [0, 49, 50, 59, 60] {
            origins.tick(at(NOW + second));
            back.tick(at(NOW + second));
            assert_eq!((state(&back, 65001), state(&back, 65002)), (state(&origins, 65001), state(&origins, 65002)));
            assert_eq!(back, origins);
        }
    }

    /// What own space was validated by before it changed is kept with the state; a state of an older build has no such field and is read.
    #[test]
    fn the_vrps_of_own_space_before_they_changed_are_part_of_the_state() {
        let own = [prefix()];
        let mut origins = named();
        origins.take_with(&told(None, &[(vrp(65001), None)], &[], 1), &own, at(NOW));
        let older = serde_json::to_string(&origins).unwrap();
        assert!(!older.contains("before"), "{older}");
        origins = serde_json::from_str(&older).unwrap();
        // the same payload with another end is no change
        origins.take_with(&told(None, &[(vrp(65001), Some(NOW + 50))], &[], 1), &own, at(NOW + 1));
        assert_eq!(origins.before_change(), None);
        origins.take_with(&told(None, &[(vrp(64666), None)], &[vrp(65001)], 1), &own, at(NOW + 2));
        assert_eq!(origins.before_change(), Some(&BeforeChange { at: at(NOW + 2), vrps: vec![vrp(65001)] }));
        let back: Origins = serde_json::from_str(&serde_json::to_string(&origins).unwrap()).unwrap();
        assert_eq!(back, origins);
        // a source that does not hold in between is nothing to compare with
        origins.take_with(&told(None, &[(vrp(64666), None)], &[], 9), &own, at(NOW + 3));
        origins.take_with(&told(None, &[(vrp(64667), None)], &[], 1), &own, at(NOW + 4));
        assert_eq!(origins.before_change().map(|b| b.at), Some(at(NOW + 3)), "what was in force until it did not hold");
        let mut others = named();
        others.take_with(&told(None, &[(vrp(1), None)], &[], 1), &["198.51.100.0/24".parse().unwrap()], at(NOW));
        others.take_with(&told(None, &[(vrp(2), None)], &[vrp(1)], 1), &["198.51.100.0/24".parse().unwrap()], at(NOW));
        assert_eq!(others.before_change(), None, "not our space");
    }
}
