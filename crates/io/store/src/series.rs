//! Time series: writing points, and reading them or what is left of them.

use crate::{StoreError, unsigned};
use core::ops::Range;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use std::path::Path;
use std::time::Duration;
use units::Timestamp;

/// Series held at once, those included that get no points any more: a name takes room as long as anything is held of it.
pub const SERIES_MAX: u32 = 20_000;

/// One point of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Measurement (`bgp_latency_ms`).
    pub measurement: String,
    /// Tags, `key=value` joined by commas, sorted by key.
    pub tags: String,
    /// When; not before 1970.
    pub at: Timestamp,
    /// Value in the unit that the measurement's name says, as measured: rounding is for display.
    pub value: f64,
}

/// How finely a series is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The points themselves.
    Raw,
    /// Buckets of one minute.
    Minute,
    /// Buckets of a quarter of an hour.
    Quarter,
}

impl Level {
    /// Every level, the finest first.
    pub const ALL: [Self; 3] = [Self::Raw, Self::Minute, Self::Quarter];

    /// Returns the length of a bucket, seconds; 0: points are not in buckets.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        match self {
            Self::Raw => 0,
            Self::Minute => 60,
            Self::Quarter => 900,
        }
    }

    pub(crate) const fn nanos(self) -> i64 {
        self.seconds() * 1_000_000_000
    }

    /// Returns the finest level that shows a span in at most `rows` buckets, or the coarsest.
    #[must_use]
    pub fn for_span(span: Duration, rows: u64) -> Self {
        let minutes = span.as_secs() / 60;
        if minutes <= rows { Self::Minute } else { Self::Quarter }
    }
}

/// Points that fell into the same stretch of time. Where none fell, there is no bucket: a gap stays a gap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// Where the stretch begins; the level says how long it is.
    pub at: Timestamp,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Mean of the values.
    pub mean: f64,
    /// How many points.
    pub count: u64,
}

/// What became of points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Points written.
    pub points: u64,
    /// Points refused: not a number, before 1970, or older than what is still held point by point.
    pub refused: u64,
    /// Points of new series that found no room: [`SERIES_MAX`] are held already.
    pub crowded: u64,
}

pub(crate) fn fail(doing: &'static str) -> impl Fn(rusqlite::Error) -> StoreError {
    move |source| StoreError::Database { doing, database: "telemetry.db", source }
}

/// Returns the moment before which a level holds nothing any more.
pub(crate) fn horizon(db: &Connection, level: Level) -> rusqlite::Result<i64> {
    let found = db.query_row("SELECT at_ns FROM horizon WHERE level_s = ?1", [level.seconds()], |r| r.get(0)).optional()?;
    Ok(found.unwrap_or(0))
}

/// Writes points; one that is there already is replaced.
pub fn write(db: &mut Connection, points: &[Point]) -> Result<Written, StoreError> {
    write_all(db, points).map_err(fail("writing points"))
}

fn write_all(db: &mut Connection, points: &[Point]) -> rusqlite::Result<Written> {
    let transaction = db.transaction()?;
    let oldest = horizon(&transaction, Level::Raw)?;
    let mut written = Written::default();
    {
        let mut held: u32 = transaction.query_row("SELECT count(*) FROM series", [], |r| r.get(0))?;
        let mut known = transaction.prepare_cached("SELECT id FROM series WHERE measurement = ?1 AND tags = ?2")?;
        let mut series = transaction.prepare_cached("INSERT INTO series (measurement, tags) VALUES (?1, ?2) RETURNING id")?;
        let mut point = transaction.prepare_cached("INSERT OR REPLACE INTO point (series, at_ns, value) VALUES (?1, ?2, ?3)")?;
        let mut dirty = transaction.prepare_cached("INSERT OR IGNORE INTO dirty (level_s, at_ns, series) VALUES (?1, ?2, ?3)")?;
        for p in points {
            if !p.value.is_finite() || p.at.nanos() < oldest {
                written.refused += 1;
                continue;
            }
            let id: i64 = match known.query_row((&p.measurement, &p.tags), |r| r.get(0)).optional()? {
                Some(id) => id,
                None if held >= SERIES_MAX => {
                    written.crowded += 1;
                    continue;
                }
                None => {
                    held += 1;
                    series.query_row((&p.measurement, &p.tags), |r| r.get(0))?
                }
            };
            point.execute((id, p.at.nanos(), p.value))?;
            dirty.execute((Level::Minute.seconds(), start(p.at.nanos(), Level::Minute), id))?;
            written.points += 1;
        }
    }
    transaction.commit()?;
    Ok(written)
}

/// Returns where the bucket of a moment begins.
pub(crate) const fn start(at_ns: i64, level: Level) -> i64 {
    match level.nanos() {
        0 => at_ns,
        nanos => at_ns.div_euclid(nanos) * nanos,
    }
}

/// The series of a data folder, to read: beside a running engine, or without one.
#[derive(Debug)]
pub struct SeriesReader {
    db: Connection,
}

impl SeriesReader {
    /// Opens the series of a data folder. Nothing is made or changed.
    ///
    /// # Errors
    /// [`StoreError`] when there are none, or they were made by another version.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join("telemetry.db");
        let meta = std::fs::metadata(&path);
        meta.map_err(|source| StoreError::Io { doing: "opening", path: path.clone(), source })?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(&path, flags).map_err(fail("opening"))?;
        db.busy_timeout(crate::BUSY).map_err(fail("opening"))?;
        let found: u32 = db.pragma_query_value(None, "user_version", |r| r.get(0)).map_err(fail("reading the schema"))?;
        let known = u32::try_from(crate::migrate::TELEMETRY.len()).unwrap_or(u32::MAX);
        if found != known {
            return Err(StoreError::Newer { database: "telemetry.db", found, known });
        }
        Ok(Self { db })
    }

    /// Returns every series: measurement and tags, sorted.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn series(&self) -> Result<Vec<(String, String)>, StoreError> {
        let doing = fail("reading the series");
        let mut statement = self.db.prepare("SELECT measurement, tags FROM series ORDER BY measurement, tags").map_err(&doing)?;
        let rows = statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).map_err(&doing)?;
        rows.collect::<Result<_, _>>().map_err(&doing)
    }

    /// Returns the points of one series within a time, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn points(&self, measurement: &str, tags: &str, time: Range<Timestamp>, limit: u32) -> Result<Vec<Point>, StoreError> {
        let sql = "SELECT p.at_ns, p.value FROM point p JOIN series s ON s.id = p.series \
                   WHERE s.measurement = ?1 AND s.tags = ?2 AND p.at_ns >= ?3 AND p.at_ns < ?4 ORDER BY p.at_ns LIMIT ?5";
        self.read(sql, measurement, tags, (time.start.nanos(), time.end.nanos()), limit)
    }

    /// Returns the newest `n` points of one series, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn last(&self, measurement: &str, tags: &str, n: u32) -> Result<Vec<Point>, StoreError> {
        let sql = "SELECT * FROM (SELECT p.at_ns, p.value FROM point p JOIN series s ON s.id = p.series \
                   WHERE s.measurement = ?1 AND s.tags = ?2 AND p.at_ns >= ?3 AND p.at_ns < ?4 ORDER BY p.at_ns DESC LIMIT ?5) ORDER BY 1";
        self.read(sql, measurement, tags, (0, i64::MAX), n)
    }

    fn read(&self, sql: &str, measurement: &str, tags: &str, time: (i64, i64), limit: u32) -> Result<Vec<Point>, StoreError> {
        let doing = fail("reading points");
        let mut statement = self.db.prepare_cached(sql).map_err(&doing)?;
        let rows = statement.query_map((measurement, tags, time.0, time.1, limit), |row| {
            let at = Timestamp::from_nanos(row.get(0)?);
            Ok(Point { measurement: measurement.to_owned(), tags: tags.to_owned(), at, value: row.get(1)? })
        });
        rows.map_err(&doing)?.collect::<Result<_, _>>().map_err(&doing)
    }

    /// Returns the buckets of one series that begin within a time, oldest first, at most `limit`. Where the points are still held they
    /// are counted; before that, the buckets made of them are read. At [`Level::Raw`] every point is a bucket of its own.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn buckets(
        &self,
        measurement: &str,
        tags: &str,
        time: Range<Timestamp>,
        level: Level,
        limit: u32,
    ) -> Result<Vec<Bucket>, StoreError> {
        let doing = fail("reading buckets");
        // one picture of both tables, although a writer may move points to buckets meanwhile
        let snapshot = self.db.unchecked_transaction().map_err(&doing)?;
        let fine = horizon(&snapshot, Level::Raw).map_err(&doing)?;
        let sql = "SELECT at, low, high, total, count FROM (\
                     SELECT p.at_ns / ?5 * ?5 AS at, min(p.value) AS low, max(p.value) AS high, sum(p.value) AS total, count(*) AS count \
                     FROM point p JOIN series s ON s.id = p.series WHERE s.measurement = ?1 AND s.tags = ?2 AND p.at_ns >= max(?3, ?6) AND p.at_ns < ?4 + ?5 \
                     GROUP BY 1 \
                   UNION ALL \
                     SELECT b.at_ns, b.low, b.high, b.total, b.count FROM bucket b JOIN series s ON s.id = b.series \
                     WHERE s.measurement = ?1 AND s.tags = ?2 AND b.level_s = ?7 AND b.at_ns < ?6) \
                   WHERE at >= ?3 AND at < ?4 ORDER BY at LIMIT ?8";
        let from = time.start.nanos();
        let parameters = (measurement, tags, from, time.end.nanos(), level.nanos().max(1), fine, level.seconds(), limit);
        let mut statement = snapshot.prepare_cached(sql).map_err(&doing)?;
        let rows = statement.query_map(parameters, |r| {
            let (total, count): (f64, i64) = (r.get(3)?, r.get(4)?);
            #[allow(clippy::cast_precision_loss, reason = "points of a bucket are far below 2^52")]
            let mean = total / count as f64;
            Ok(Bucket { at: Timestamp::from_nanos(r.get(0)?), min: r.get(1)?, max: r.get(2)?, mean, count: unsigned(count) })
        });
        rows.map_err(&doing)?.collect::<Result<_, _>>().map_err(&doing)
    }
}
