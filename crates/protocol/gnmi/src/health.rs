//! Whether each subscription still delivers: a silent one is told with its reason, a quiet one is asked before it is blamed.
//!
//! ```text
//! sample:     Waiting/Alive ── 1.5 × interval without a message ──► Silent
//! on change:  30 s without a message ──► asked ── same value ──► Quiet ── 30 s ──► asked …
//!                                          ├── nothing there, nothing ever told ──► Absent ── 30 s ──► asked …
//!                                          └── changed, nothing there, failed, 10 s without an answer ──► Silent ── 30 s ──► asked …
//! any message ──► Alive
//! ```
//! Time is an argument, nanoseconds on any clock that does not go back. It asks nobody: [`Health::tick`] says which paths to read (Get, or
//! Subscribe ONCE), the caller reads and tells [`Health::answered`].

mod compare;

pub use compare::{Extent, TOLD_LEAVES_MAX, Told};

use crate::profile::{Mode, Subscription};
use crate::{Notification, Path};

const NS_IN_MS: i64 = 1_000_000;
/// A subscription that tells changes is asked about after this silence.
const ASK_AFTER_NS: i64 = 30_000 * NS_IN_MS;
/// Longest wait for the answer: with [`ASK_AFTER_NS`] a dead path is known after 40 s, 45 s are promised.
const ANSWER_NS: i64 = 10_000 * NS_IN_MS;

/// What is known of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The stream is open, nothing came yet.
    Waiting,
    /// A message came in time.
    Alive,
    /// Nothing came, and nothing had to: what the target holds is what it told.
    Quiet,
    /// Nothing ever came, and there is nothing at the path: the device has no such thing, or the path or an instance in it does not fit it.
    Absent,
    /// It should have told something and did not.
    Silent {
        /// Since when that is known, nanoseconds.
        since: i64,
        /// Why we think so.
        reason: Reason,
    },
}

/// Why a subscription counts as silent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// A sample did not come.
    #[error("no sample for {age_ms} ms; one is due every {interval_ms} ms")]
    Missed {
        /// Age of the last message, milliseconds.
        age_ms: i64,
        /// Interval, milliseconds.
        interval_ms: u64,
    },
    /// The target holds another value than it told.
    #[error("the value changed and was not told")]
    Changed,
    /// The path is not there.
    #[error("the target has nothing at this path")]
    Nothing,
    /// The path could not be read.
    #[error("reading the path failed: {0}")]
    Failed(String),
    /// The target did not answer.
    #[error("reading the path got no answer within 10 s")]
    Unanswered,
    /// The target takes the path in no mode, in its words; it is not subscribed to.
    #[error("the target refuses it: {0:?}")]
    Refused(String),
}

/// What reading a path gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// What was told last.
    Same,
    /// Nothing, and nothing is missed: none was told, or all of it was taken back.
    Empty,
    /// Something else.
    Changed,
    /// Nothing.
    Nothing,
    /// An error, in the target's words.
    Failed(String),
}

/// How a subscription is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cadence {
    /// A message is due every so many milliseconds.
    Every(u64),
    /// Messages come when something changes.
    Changes,
}

/// One subscription's health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is for.
    pub set: String,
    /// What it asks for.
    pub path: Path,
    /// Where its answers stand in OpenConfig's words.
    told_at: Vec<Path>,
    cadence: Cadence,
    /// When the last message came, nanoseconds.
    pub last: Option<i64>,
    /// When it was last known to be well.
    proven: i64,
    /// The path is being read; until when an answer is waited for, nanoseconds.
    asked_until: Option<i64>,
    /// What is known.
    pub state: State,
    /// The target has told all that there is (`sync_response`).
    pub synced: bool,
    /// Values that the device left out because newer ones came (`Update.duplicates`).
    pub coalesced: u64,
    /// Notifications without content at its path.
    pub empty: u64,
}

impl Row {
    /// Returns the age of the last message in milliseconds.
    #[must_use]
    pub fn age_ms(&self, now: i64) -> Option<i64> {
        self.last.map(|last| now.saturating_sub(last) / NS_IN_MS)
    }

    /// Returns how often a message is due, milliseconds; `None` for those that come on a change.
    #[must_use]
    pub const fn expected_ms(&self) -> Option<u64> {
        match self.cadence {
            Cadence::Every(ms) if !self.is_refused() => Some(ms),
            _ => None,
        }
    }

    /// When something must be done, if nothing comes.
    fn deadline(&self) -> Option<i64> {
        if self.is_refused() {
            return None;
        }
        match self.cadence {
            Cadence::Every(_) if matches!(self.state, State::Silent { .. }) => None,
            Cadence::Every(ms) => Some(self.proven.saturating_add(patience_ns(ms))),
            Cadence::Changes => Some(self.asked_until.unwrap_or_else(|| self.proven.saturating_add(ASK_AFTER_NS))),
        }
    }

    const fn is_refused(&self) -> bool {
        matches!(self.state, State::Silent { reason: Reason::Refused(_), .. })
    }

    /// One that was silent already stays so since then.
    fn silent(&mut self, reason: Reason, now: i64) {
        let since = if let State::Silent { since, .. } = self.state { since } else { now };
        (self.proven, self.state) = (now, State::Silent { since, reason });
    }

    fn concerns(&self, path: &Path) -> bool {
        core::iter::once(&self.path).chain(&self.told_at).any(|own| own.covers(path) || path.covers(own))
    }
}

/// One and a half intervals: late by a half is jitter, and what is silent is known before two are over.
fn patience_ns(interval_ms: u64) -> i64 {
    i64::try_from(interval_ms).unwrap_or(i64::MAX).saturating_mul(NS_IN_MS + NS_IN_MS / 2)
}

/// The health of one stream's subscriptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    rows: Vec<Row>,
}

impl Health {
    /// Begins with a stream that was opened at `now`.
    #[must_use]
    pub fn new(subscriptions: &[Subscription], now: i64) -> Self {
        let row = |s: &Subscription| Row {
            set: s.set.clone(),
            path: s.path.clone(),
            told_at: s.told_at(),
            cadence: cadence(s),
            last: None,
            proven: now,
            asked_until: None,
            state: State::Waiting,
            synced: false,
            coalesced: 0,
            empty: 0,
        };
        Self { rows: subscriptions.iter().map(row).collect() }
    }

    /// Returns the subscriptions in the profile's order.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Notes a notification.
    pub fn heard(&mut self, notification: &Notification, now: i64) {
        let Notification { updates, deletes, atomic, prefix, duplicates, .. } = notification;
        let is_empty = updates.is_empty() && deletes.is_empty() && !atomic;
        for row in self.rows.iter_mut().filter(|r| !r.is_refused()) {
            // one without content and without a path says that the target lives, of no subscription in particular
            if is_empty && !prefix.elems.is_empty() && row.concerns(prefix) {
                row.empty += 1;
                (row.last, row.proven, row.asked_until, row.state) = (Some(now), now, None, State::Alive);
                continue;
            }
            let mut paths = updates.iter().map(|u| &u.path).chain(deletes).chain(atomic.then_some(prefix));
            if paths.any(|path| row.concerns(path)) {
                row.coalesced = row.coalesced.saturating_add(*duplicates);
                (row.last, row.proven, row.asked_until, row.state) = (Some(now), now, None, State::Alive);
            }
        }
    }

    /// Notes that the target has told everything of these rows.
    pub fn synced(&mut self, rows: impl IntoIterator<Item = usize>) {
        for row in rows {
            if let Some(row) = self.rows.get_mut(row).filter(|r| !r.is_refused()) {
                row.synced = true;
            }
        }
    }

    /// Notes that the target takes a row in no mode: it is not subscribed to, and nothing is due.
    pub fn refused(&mut self, row: usize, words: &str, now: i64) {
        if let Some(row) = self.rows.get_mut(row) {
            row.asked_until = None;
            row.silent(Reason::Refused(words.to_owned()), now);
        }
    }

    /// Lets time pass. Returns the rows whose paths must be read now.
    pub fn tick(&mut self, now: i64) -> Vec<usize> {
        let mut ask = Vec::new();
        for (i, row) in self.rows.iter_mut().enumerate() {
            if row.deadline().is_none_or(|d| d > now) {
                continue;
            }
            match row.cadence {
                Cadence::Every(interval_ms) => {
                    let age_ms = now.saturating_sub(row.proven) / NS_IN_MS;
                    row.silent(Reason::Missed { age_ms, interval_ms }, now);
                }
                Cadence::Changes if row.asked_until.take().is_some() => row.silent(Reason::Unanswered, now),
                Cadence::Changes => {
                    row.asked_until = Some(now.saturating_add(ANSWER_NS));
                    ask.push(i);
                }
            }
        }
        ask
    }

    /// Notes what reading the path of a row gave. An answer that nobody waits for any more (a message came first) changes nothing.
    pub fn answered(&mut self, row: usize, answer: Answer, now: i64) {
        let Some(row) = self.rows.get_mut(row).filter(|r| r.asked_until.is_some()) else { return };
        row.asked_until = None;
        match answer {
            // nobody can tell a device without such a thing from a path that does not fit the device: that is said, and is no fault
            Answer::Empty | Answer::Nothing if row.last.is_none() => (row.proven, row.state) = (now, State::Absent),
            Answer::Same | Answer::Empty => (row.proven, row.state) = (now, State::Quiet),
            Answer::Changed => row.silent(Reason::Changed, now),
            Answer::Nothing => row.silent(Reason::Nothing, now),
            Answer::Failed(words) => row.silent(Reason::Failed(words), now),
        }
    }

    /// Returns when [`Self::tick`] must be called at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Option<i64> {
        self.rows.iter().filter_map(Row::deadline).min()
    }
}

/// Samples come at their interval; where unchanged ones are left out, at the heartbeat, if there is one.
const fn cadence(s: &Subscription) -> Cadence {
    match (s.mode, s.suppress_redundant, s.heartbeat_interval_ms) {
        (Mode::Sample, false, _) => Cadence::Every(s.interval_ms),
        (Mode::Sample | Mode::OnChange, _, beat @ 1..=30_000) => Cadence::Every(beat),
        _ => Cadence::Changes,
    }
}

#[cfg(test)]
mod tests;
