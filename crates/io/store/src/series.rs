//! Time series.

use crate::StoreError;
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

/// Deletes points older than `before`.
pub fn forget(db: &Connection, before: Timestamp) -> Result<u64, StoreError> {
    let deleted = db.execute("DELETE FROM point WHERE at_ns < ?1", [before.nanos()]).map_err(fail("forgetting points"))?;
    Ok(deleted as u64)
}
