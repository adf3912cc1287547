//! `telemetry.db`: series of points, and where the topics of the bus stand. It may be thinned, and may lose its last second.

use crate::retention::{self, Kept, Retention};
use crate::series::{self, Point, Written, fail};
use crate::{StoreError, folder, migrate, signed, unsigned};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
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
    pub(crate) db: Connection,
    folder: PathBuf,
    /// The folder is ours as long as somebody writes into it.
    _lock: Arc<folder::Lock>,
}

impl Telemetry {
    pub(crate) fn open(folder: &Path, lock: Arc<folder::Lock>) -> Result<Self, StoreError> {
        let db = migrate::open(folder, "telemetry.db", "NORMAL", migrate::TELEMETRY)?;
        retention::prepare(&db).map_err(fail("preparing"))?;
        Ok(Self { db, folder: folder.to_owned(), _lock: lock })
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

    /// Writes points of time series in one transaction.
    ///
    /// # Errors
    /// [`StoreError`]; then none was written.
    pub fn write_points(&mut self, points: &[Point]) -> Result<Written, StoreError> {
        series::write(&mut self.db, points)
    }

    /// Makes the buckets that are complete, forgets what is too old, and then what there is no room for on a disk that has
    /// `free_bytes` left.
    ///
    /// # Errors
    /// [`StoreError`]; what was forgotten by then is in the level above.
    pub fn keep(&mut self, now: Timestamp, retention: &Retention, free_bytes: u64) -> Result<Kept, StoreError> {
        retention::keep(&mut self.db, now, retention, free_bytes)
    }

    /// Returns the bytes that the series take.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn used_bytes(&self) -> Result<u64, StoreError> {
        retention::used(&self.db).map_err(fail("measuring"))
    }

    /// Returns the bytes that are free on the disk, for us.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn free_bytes(&self) -> Result<u64, StoreError> {
        let found = rustix::fs::statvfs(&self.folder);
        let stat = found.map_err(|e| StoreError::Io { doing: "measuring the disk of", path: self.folder.clone(), source: e.into() })?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}
