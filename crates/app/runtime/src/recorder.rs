//! What of the telemetry outlives the process: written beside the loop, so that a slow or full disk holds up no decision.

use crate::effects::chain;
use crate::engine::Handle;
use crate::measurements;
use crate::topics::Topics;
use std::time::Duration;
use store::{Point, Retention, StoreError, Telemetry, TopicPlaces};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior};
use units::Timestamp;

/// Time between two looks at the places of the topics.
const KEEP_EVERY: Duration = Duration::from_secs(1);
/// Offsets promised beyond those used: more than any topic takes between two writes, so that a crash never lets one be used twice.
const OFFSETS_PROMISED: u64 = 1_000_000;
/// Time between two thinnings: a minute is a bucket.
const THIN_EVERY: Duration = Duration::from_secs(60);

/// How the series stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeriesState {
    /// Points written since the engine started.
    pub written: u64,
    /// Points that were no numbers, or older than what is held.
    pub refused: u64,
    /// Points that could not be written, or were not because the disk's reserve is touched.
    pub unwritten: u64,
    /// Points of series beyond the bounds: of one look, of one router in it, or of all that are held.
    pub crowded: u64,
    /// Points, minutes and quarters of an hour forgotten by age.
    pub aged: [u64; 3],
    /// Points, minutes and quarters of an hour forgotten because there was no room.
    pub thinned: [u64; 3],
    /// Bytes that the series take.
    pub used_bytes: u64,
    /// Bytes that they may take.
    pub bytes_max: u64,
    /// Bytes free on the disk.
    pub free_bytes: u64,
    /// Bytes of the disk that are left to the ledger.
    pub disk_reserve: u64,
    /// Why the last write failed, if it did.
    pub fault: Option<String>,
}

/// What the writing half needs, moved to a thread that may block and back.
struct Desk {
    telemetry: Telemetry,
    retention: Retention,
    state: SeriesState,
    places: TopicPlaces,
}

/// One turn's work.
#[derive(Default)]
struct Work {
    places: Option<TopicPlaces>,
    points: Vec<Point>,
    /// Points that were not taken: there are too many series.
    left_out: u64,
    thin: Option<Timestamp>,
}

/// Keeps the places of the topics, writes points and thins them until it is told to end; then keeps the places once more, exactly.
pub async fn run(
    topics: Topics,
    engine: Handle,
    telemetry: Telemetry,
    retention: Retention,
    told: watch::Sender<SeriesState>,
    mut end: oneshot::Receiver<()>,
) {
    let state = SeriesState { bytes_max: retention.bytes_max, disk_reserve: retention.disk_reserve, ..SeriesState::default() };
    let mut desk = Desk { telemetry, retention, state, places: TopicPlaces::default() };
    let mut ticks = tokio::time::interval(KEEP_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut points_due, mut thin_due) = (Instant::now(), Instant::now());
    let mut looked = None;
    loop {
        let ended = tokio::select! {
            _ = ticks.tick() => false,
            _ = &mut end => true,
        };
        let now = Instant::now();
        let mut work = Work { places: Some(topics.kept(if ended { 0 } else { OFFSETS_PROMISED })), ..Work::default() };
        if !ended && now >= points_due {
            points_due = now + measurements::EVERY;
            // an engine that has stopped has no more points
            if let Ok(look) = engine.read(move |s| measurements::points_since(s, looked)).await {
                looked = Some(look.at);
                (work.points, work.left_out) = (look.points, look.left_out);
            }
        }
        if !ended && now >= thin_due {
            thin_due = now + THIN_EVERY;
            work.thin = Some(crate::engine::now());
        }
        work.places = work.places.filter(|p| *p != desk.places);
        if work.places.is_some() || !work.points.is_empty() || work.thin.is_some() {
            match tokio::task::spawn_blocking(move || desk.work(work)).await {
                Ok(back) => desk = back,
                Err(error) => return tracing::error!(%error, "the writer of the series died; they end here"),
            }
            // nobody looking is fine
            let _ = told.send(desk.state.clone());
        }
        if ended {
            return;
        }
    }
}

impl Desk {
    fn work(mut self, work: Work) -> Self {
        let done = self.try_work(work);
        let fault = done.err().map(|error| chain(&error));
        if let Some(fault) = fault.as_ref().filter(|f| self.state.fault.as_ref() != Some(f)) {
            tracing::warn!(fault, "the series cannot be written; they have a gap, the engine goes on");
        }
        self.state.fault = fault;
        self
    }

    fn try_work(&mut self, work: Work) -> Result<(), StoreError> {
        if let Some(places) = work.places {
            self.telemetry.keep_topic_places(&places)?;
            self.places = places;
        }
        let points = u64::try_from(work.points.len()).unwrap_or(u64::MAX);
        if points > 0 {
            self.state.free_bytes = self.telemetry.free_bytes()?;
        }
        self.crowded(work.left_out);
        let mut full = false;
        if points > 0 && self.state.free_bytes < self.retention.disk_reserve {
            self.state.unwritten += points;
            full = true;
        } else if points > 0 {
            match self.telemetry.write_points(&work.points) {
                Ok(written) => {
                    self.state.written += written.points;
                    self.state.refused += written.refused;
                    self.crowded(written.crowded);
                }
                Err(error) => {
                    self.state.unwritten += points;
                    return Err(error);
                }
            }
        }
        // a full disk does not wait for its minute
        if let Some(now) = work.thin.or_else(|| full.then(crate::engine::now)) {
            self.state.free_bytes = self.telemetry.free_bytes()?;
            let kept = self.telemetry.keep(now, &self.retention, self.state.free_bytes)?;
            self.state.used_bytes = kept.used_bytes;
            for (sum, n) in self.state.aged.iter_mut().zip(kept.aged).chain(self.state.thinned.iter_mut().zip(kept.thinned)) {
                *sum += n;
            }
        }
        Ok(())
    }
    /// Counts points of series beyond the bounds; the log is told the first time.
    fn crowded(&mut self, points: u64) {
        if points > 0 && self.state.crowded == 0 {
            tracing::warn!(points, "there are more series than the bounds allow; those beyond are counted and not written");
        }
        self.state.crowded += points;
    }
}
