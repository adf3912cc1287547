//! Time series.

use crate::StoreError;
use core::ops::Range;
use rusqlite::Connection;
use units::Timestamp;

/// One point of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Measurement (`bgp_latency_ms`).
    pub measurement: String,
    /// Tags, `key=value` joined by commas, sorted by key.
    pub tags: String,
    /// When.
    pub at: Timestamp,
    /// Value in the unit that the measurement's name says.
    pub value: f64,
}

fn fail(doing: &'static str) -> impl Fn(rusqlite::Error) -> StoreError {
    move |source| StoreError::Database { doing, database: "telemetry.db", source }
}

/// Writes points; one that is there already is replaced.
pub fn write(db: &mut Connection, points: &[Point]) -> Result<(), StoreError> {
    let transaction = db.transaction().map_err(fail("writing points"))?;
    {
        let mut series = transaction
            .prepare_cached("INSERT INTO series (measurement, tags) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET tags = tags RETURNING id")
            .map_err(fail("writing points"))?;
        let mut point = transaction
            .prepare_cached("INSERT OR REPLACE INTO point (series, at_ns, value) VALUES (?1, ?2, ?3)")
            .map_err(fail("writing points"))?;
        for p in points.iter().filter(|p| p.value.is_finite()) {
            let id: i64 = series.query_row((&p.measurement, &p.tags), |r| r.get(0)).map_err(fail("writing points"))?;
            point.execute((id, p.at.nanos(), p.value)).map_err(fail("writing points"))?;
        }
    }
    transaction.commit().map_err(fail("writing points"))
}

/// Reads points of one series, oldest first.
pub fn read(db: &Connection, measurement: &str, tags: &str, time: Range<Timestamp>, limit: u32) -> Result<Vec<Point>, StoreError> {
    let doing = fail("reading points");
    let sql = "SELECT p.at_ns, p.value FROM point p JOIN series s ON s.id = p.series \
               WHERE s.measurement = ?1 AND s.tags = ?2 AND p.at_ns >= ?3 AND p.at_ns < ?4 ORDER BY p.at_ns LIMIT ?5";
    let mut statement = db.prepare_cached(sql).map_err(&doing)?;
    let rows = statement.query_map((measurement, tags, time.start.nanos(), time.end.nanos(), limit), |row| {
        let at = Timestamp::from_nanos(row.get(0)?);
        Ok(Point { measurement: measurement.to_owned(), tags: tags.to_owned(), at, value: row.get(1)? })
    });
    rows.map_err(&doing)?.collect::<Result<_, _>>().map_err(&doing)
}

/// Deletes points older than `before`.
pub fn forget(db: &Connection, before: Timestamp) -> Result<u64, StoreError> {
    let deleted = db.execute("DELETE FROM point WHERE at_ns < ?1", [before.nanos()]).map_err(fail("forgetting points"))?;
    Ok(deleted as u64)
}
