//! How much tables change: paths that appeared, changed and were withdrawn, by windows of a minute.
//!
//! Windows lie on whole minutes of the receive time, so that the same messages at the same times give the same windows wherever a recording
//! begins. The first dump of a table is no change: before it nothing was known. What a router tells again after its transport was lost
//! counts where it differs from what was known.

use crate::rib::{Rib, seconds};
use crate::table::{RouterId, TableId};
use bgp::Family;
use bmp::PeerKind;
use core::ops::AddAssign;
use core::time::Duration;
use serde::Serialize;
use std::collections::VecDeque;
use units::Timestamp;

/// Length of a window.
pub const CHURN_WINDOW: Duration = Duration::from_secs(WINDOW_S as u64);
/// Whole windows that are remembered, beside the one that runs.
pub const CHURN_HISTORY: u32 = 10;
const WINDOW_S: u32 = 60;

/// What happened to paths. One that comes and goes within a window counts as both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// Paths that were not there before.
    pub appeared: u64,
    /// Paths that were announced with other attributes.
    pub changed: u64,
    /// Paths that went: withdrawn, with their session, or not told again by a router that came back.
    pub withdrawn: u64,
}

impl AddAssign for Changes {
    fn add_assign(&mut self, other: Self) {
        self.appeared += other.appeared;
        self.changed += other.changed;
        self.withdrawn += other.withdrawn;
    }
}

/// The changes of one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ChurnWindow {
    /// Its beginning.
    pub from: Timestamp,
    /// What happened in it.
    #[serde(flatten)]
    pub changes: Changes,
}

/// The changes of a table, or of several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Churn {
    /// The window that runs.
    pub running: ChurnWindow,
    /// Whole windows before it, the newest first; at most [`CHURN_HISTORY`], and none from before the table was complete for the first time.
    pub history: Vec<ChurnWindow>,
}

impl Churn {
    /// Adds another, of the same moment.
    pub fn add(&mut self, other: &Self) {
        self.running.changes += other.running.changes;
        let known = self.history.len();
        for (ours, theirs) in self.history.iter_mut().zip(&other.history) {
            ours.changes += theirs.changes;
        }
        self.history.extend(other.history.iter().skip(known));
    }
}

/// What is remembered of one family of a table: windows in which anything happened, the newest last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChangeLog {
    /// Number of the window in which the table was complete first.
    watched_from: Option<u32>,
    windows: VecDeque<(u32, Changes)>,
}

impl ChangeLog {
    /// Puts together what was written. Windows out of order, or too many, are none of ours.
    pub fn open(watched_from: Option<u32>, windows: Vec<(u32, Changes)>) -> Option<Self> {
        let ordered = windows.windows(2).all(|pair| matches!(pair, [(a, _), (b, _)] if a < b));
        let few = windows.len() as u64 <= u64::from(CHURN_HISTORY) + 1;
        (ordered && few).then(|| Self { watched_from, windows: windows.into() })
    }

    pub const fn watched_from(&self) -> Option<u32> {
        self.watched_from
    }

    pub fn windows(&self) -> impl Iterator<Item = (u32, Changes)> {
        self.windows.iter().copied()
    }

    /// Returns the number of the window of a moment, seconds since the epoch.
    pub const fn number(now_s: u32) -> u32 {
        now_s / WINDOW_S
    }

    /// The table is complete: from now on changes are changes.
    pub fn watch(&mut self, now_s: u32) {
        self.watched_from.get_or_insert(Self::number(now_s));
    }

    pub fn appeared(&mut self, now_s: u32) {
        self.note(now_s, Changes { appeared: 1, ..Changes::default() });
    }

    pub fn changed(&mut self, now_s: u32) {
        self.note(now_s, Changes { changed: 1, ..Changes::default() });
    }

    pub fn withdrawn(&mut self, now_s: u32, paths: u64) {
        self.note(now_s, Changes { withdrawn: paths, ..Changes::default() });
    }

    fn note(&mut self, now_s: u32, what: Changes) {
        if self.watched_from.is_none() || what == Changes::default() {
            return;
        }
        let number = Self::number(now_s);
        match self.windows.back_mut() {
            // a clock that was set back fills no old window
            Some((newest, changes)) if *newest >= number => *changes += what,
            _ => {
                self.windows.push_back((number, what));
                while self.windows.front().is_some_and(|(oldest, _)| oldest.saturating_add(CHURN_HISTORY) < number) {
                    self.windows.pop_front();
                }
            }
        }
    }

    fn at(&self, now_s: u32) -> Option<Churn> {
        let first = self.watched_from?;
        let now = self.windows.back().map_or(0, |(newest, _)| *newest).max(Self::number(now_s));
        let window = |number: u32| {
            let changes = self.windows.iter().find(|(n, _)| *n == number).map(|(_, c)| *c).unwrap_or_default();
            ChurnWindow { from: Timestamp::from_millis(i64::from(number) * i64::from(WINDOW_S) * 1000), changes }
        };
        let history = (first.max(now.saturating_sub(CHURN_HISTORY))..now).rev().map(window).collect();
        Some(Churn { running: window(now), history })
    }
}

impl Rib {
    /// Returns how a table changed, both families together; `None` before any was complete.
    #[must_use]
    pub fn churn(&self, table: TableId, now: Timestamp) -> Option<Churn> {
        let table = self.tables.get(table.0 as usize)?;
        let families = [Family::Ipv4Unicast, Family::Ipv6Unicast].into_iter().filter_map(|f| table.family(f));
        sum(families.filter_map(|f| f.churn.at(seconds(now))))
    }

    /// Returns how the tables of a router changed: of each peer what it announced, in one view, so that nothing counts twice; of a router
    /// that tells only of its Loc-RIB, that.
    #[must_use]
    pub fn router_churn(&self, router: RouterId, now: Timestamp) -> Option<Churn> {
        let mut last = None;
        let peers = self.tables_of(router, |k| k.view.is_adj_rib_in()).into_iter().filter(|number| {
            let key = self.tables.get(*number as usize).map(|t| (t.key.peer, t.key.instance.as_deref()));
            last.replace(key) != Some(key)
        });
        let churn = sum(peers.filter_map(|number| self.churn(TableId(number), now)));
        let own = || self.tables_of(router, |k| k.peer.kind == PeerKind::LocRib);
        churn.or_else(|| sum(own().into_iter().filter_map(|number| self.churn(TableId(number), now))))
    }
}

fn sum(mut parts: impl Iterator<Item = Churn>) -> Option<Churn> {
    let mut all = parts.next()?;
    parts.for_each(|part| all.add(&part));
    Some(all)
}
