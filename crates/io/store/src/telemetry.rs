//! `telemetry.db`: series of points, and where the topics of the bus stand. It may be thinned, and may lose its last second.

use crate::series::{self, Point};
use crate::{StoreError, folder, migrate, signed, unsigned};
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;
use units::Timestamp;

/// Where the topics of the bus stand. Names and offsets mean what `bus` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicPlaces {
    /// Topic and the first offset that was never used.
    pub topics: Vec<(String, u64)>,
    /// Reader, topic, and the first offset that it has not taken.
    pub readers: Vec<(String, String, u64)>,
}

/// The one writer of `telemetry.db`, apart from the ledger's: what blocks here holds up no decision.
#[derive(Debug)]
pub struct Telemetry {
    db: Connection,
    /// The folder is ours as long as somebody writes into it.
    _lock: Arc<folder::Lock>,
}

fn fail(doing: &'static str) -> impl Fn(rusqlite::Error) -> StoreError {
    move |source| StoreError::Database { doing, database: "telemetry.db", source }
}

impl Telemetry {
    pub(crate) fn open(folder: &Path, lock: Arc<folder::Lock>) -> Result<Self, StoreError> {
        Ok(Self { db: migrate::open(folder, "telemetry.db", "NORMAL", migrate::TELEMETRY)?, _lock: lock })
    }

    /// Returns where the topics stood when they were kept last.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn topic_places(&self) -> Result<TopicPlaces, StoreError> {
        let read = fail("reading the places of topics");
        let mut statement = self.db.prepare_cached("SELECT name, next FROM topic ORDER BY name").map_err(&read)?;
        let rows = statement.query_map([], |r| Ok((r.get(0)?, unsigned(r.get(1)?)))).map_err(&read)?;
        let topics = rows.collect::<Result<_, _>>().map_err(&read)?;
        let mut statement = self.db.prepare_cached("SELECT reader, topic, next FROM place ORDER BY reader, topic").map_err(&read)?;
        let rows = statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?, unsigned(r.get(2)?)))).map_err(&read)?;
        Ok(TopicPlaces { topics, readers: rows.collect::<Result<_, _>>().map_err(&read)? })
    }

    /// Keeps where the topics stand, all or nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn keep_topic_places(&mut self, places: &TopicPlaces) -> Result<(), StoreError> {
        let write = fail("keeping the places of topics");
        let transaction = self.db.transaction().map_err(&write)?;
        for (name, next) in &places.topics {
            let sql = "INSERT INTO topic (name, next) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET next = excluded.next";
            transaction.execute(sql, (name, signed(*next))).map_err(&write)?;
        }
        for (reader, topic, next) in &places.readers {
            let sql = "INSERT INTO place (reader, topic, next) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET next = excluded.next";
            transaction.execute(sql, (reader, topic, signed(*next))).map_err(&write)?;
        }
        transaction.commit().map_err(&write)
    }

    /// Returns the points of one series from `from` up to but not including `until`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn points(&self, measurement: &str, tags: &str, from: Timestamp, until: Timestamp, limit: u32) -> Result<Vec<Point>, StoreError> {
        series::read(&self.db, measurement, tags, from..until, limit)
    }

    /// Writes points of time series in one transaction.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn write_points(&mut self, points: &[Point]) -> Result<(), StoreError> {
        series::write(&mut self.db, points)
    }

    /// Deletes points older than `before`; returns how many.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn forget_points(&self, before: Timestamp) -> Result<u64, StoreError> {
        series::forget(&self.db, before)
    }
}
