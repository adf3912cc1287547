//! What of the series is held for how long: points become minutes, minutes become quarters of an hour, and the oldest goes.
//!
//! ```text
//! points ──settle──► 1 min ──settle──► 15 min        minima, maxima, sums and counts are carried over
//!   │ keep_raw         │ keep_minute     │ keep_quarter
//!   ▼                  ▼                 ▼             by age first; by size when the quota or the disk's reserve is touched
//! ```
//!
//! Nothing is forgotten that is not in the level above. Work is done in short transactions, so that no reader or writer waits long.

use crate::StoreError;
use crate::series::{Level, fail, horizon, start};
use rusqlite::{Connection, ErrorCode};
use std::time::Duration;
use units::Timestamp;

/// Points are held for two days: what is looked into is mostly of today or of last night.
pub const KEEP_RAW: Duration = Duration::from_secs(48 * 3600);
/// Minutes are held for thirty days.
pub const KEEP_MINUTE: Duration = Duration::from_secs(30 * 86_400);
/// Quarters of an hour are held for 400 days: a year, and the month to compare it with.
pub const KEEP_QUARTER: Duration = Duration::from_secs(400 * 86_400);
/// Bytes that the series may take.
pub const BYTES_MAX: u64 = 2 << 30;
/// Bytes of the disk that are left to the ledger: below it the series give back what they can.
pub const DISK_RESERVE: u64 = 256 << 20;

/// Buckets made in one transaction.
const SETTLE_STEP: u32 = 1000;
/// Pages given back to the disk in one step.
const VACUUM_PAGES: u32 = 2000;
/// Steps that one call takes at most; the rest waits for the next.
const STEPS_MAX: u32 = 64;
/// When there is no room, each step forgets this part of what a level holds.
const THIN_PART: i64 = 8;
/// What the levels keep of the newest as long as another level can give way, nanoseconds.
const KEEP_LEAST: [(Level, i64); 3] =
    [(Level::Raw, 3600 * 1_000_000_000), (Level::Minute, 86_400 * 1_000_000_000), (Level::Quarter, 30 * 86_400 * 1_000_000_000)];

/// For how long and in how much room the series are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Points.
    pub keep_raw: Duration,
    /// Minutes.
    pub keep_minute: Duration,
    /// Quarters of an hour.
    pub keep_quarter: Duration,
    /// Bytes at most.
    pub bytes_max: u64,
    /// Bytes of the disk that stay free.
    pub disk_reserve: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self { keep_raw: KEEP_RAW, keep_minute: KEEP_MINUTE, keep_quarter: KEEP_QUARTER, bytes_max: BYTES_MAX, disk_reserve: DISK_RESERVE }
    }
}

impl Retention {
    const fn age(&self, level: Level) -> Duration {
        match level {
            Level::Raw => self.keep_raw,
            Level::Minute => self.keep_minute,
            Level::Quarter => self.keep_quarter,
        }
    }

    /// Returns how many bytes the series may take when they take `used` and the disk has `free` left.
    fn room(&self, used: u64, free: u64) -> u64 {
        self.bytes_max.min(used.saturating_sub(self.disk_reserve.saturating_sub(free)))
    }
}

/// What one call did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Buckets made.
    pub settled: u64,
    /// Points, minutes and quarters forgotten because of their age.
    pub aged: [u64; 3],
    /// Points, minutes and quarters forgotten because there was no room.
    pub thinned: [u64; 3],
    /// Bytes taken afterwards.
    pub used_bytes: u64,
}

/// Makes the buckets that are complete, forgets what is too old, and then what there is no room for.
pub fn keep(db: &mut Connection, now: Timestamp, retention: &Retention, free: u64) -> Result<Kept, StoreError> {
    all(db, now, retention, free).map_err(fail("keeping the series in bounds"))
}

fn all(db: &mut Connection, now: Timestamp, retention: &Retention, free: u64) -> rusqlite::Result<Kept> {
    let settled = match settle(db, now.nanos(), STEPS_MAX) {
        // there is no room for new buckets: those of the oldest points are made already, so these can go first
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => 0,
        settled => settled?,
    };
    let mut kept = Kept { settled, ..Kept::default() };
    for (index, level) in Level::ALL.into_iter().enumerate() {
        let before = now.minus(retention.age(level)).nanos();
        let forgotten = forget(db, level, before, &mut kept.settled)?;
        add(&mut kept.aged, index, forgotten);
    }
    let room = retention.room(used(db)?, free);
    let mut steps = 0;
    while used(db)? > room && steps < STEPS_MAX {
        steps += 1;
        let Some((level, before)) = victim(db, now.nanos())? else { break };
        let forgotten = forget(db, level, before, &mut kept.settled)?;
        add(&mut kept.thinned, Level::ALL.iter().position(|l| *l == level).unwrap_or(0), forgotten);
    }
    if kept.aged.iter().chain(&kept.thinned).any(|n| *n > 0) {
        forget_names(db)?;
    }
    give_back(db)?;
    kept.used_bytes = used(db)?;
    Ok(kept)
}

fn add(counts: &mut [u64; 3], index: usize, n: u64) {
    if let Some(count) = counts.get_mut(index) {
        *count += n;
    }
}

/// Makes the changed buckets that end by `until`; returns how many.
fn settle(db: &mut Connection, until: i64, steps: u32) -> rusqlite::Result<u64> {
    let mut made = 0;
    for level in [Level::Minute, Level::Quarter] {
        for _ in 0..steps {
            let n = settle_step(db, level, until)?;
            made += n;
            if n < u64::from(SETTLE_STEP) {
                break;
            }
        }
    }
    Ok(made)
}

fn settle_step(db: &mut Connection, level: Level, until: i64) -> rusqlite::Result<u64> {
    let transaction = db.transaction()?;
    let (seconds, nanos) = (level.seconds(), level.nanos());
    let changed: Vec<(i64, i64)> = {
        let mut find = transaction.prepare_cached("SELECT at_ns, series FROM dirty WHERE level_s = ?1 AND at_ns <= ?2 LIMIT ?3")?;
        let rows = find.query_map((seconds, until.saturating_sub(nanos), SETTLE_STEP), |r| Ok((r.get(0)?, r.get(1)?)))?;
        rows.collect::<Result<_, _>>()?
    };
    {
        let below = match level {
            Level::Quarter => "SELECT min(low), max(high), sum(total), sum(count) FROM bucket WHERE series = ?1 AND level_s = 60 AND",
            Level::Raw | Level::Minute => "SELECT min(value), max(value), sum(value), count(*) FROM point WHERE series = ?1 AND",
        };
        let sql = format!(
            "INSERT OR REPLACE INTO bucket (series, level_s, at_ns, low, high, total, count) \
             SELECT ?1, ?4, ?2, * FROM ({below} at_ns >= ?2 AND at_ns < ?3 HAVING count(*) > 0)"
        );
        let mut make = transaction.prepare_cached(&sql)?;
        let mut clean = transaction.prepare_cached("DELETE FROM dirty WHERE level_s = ?1 AND at_ns = ?2 AND series = ?3")?;
        let mut above = transaction.prepare_cached("INSERT OR IGNORE INTO dirty (level_s, at_ns, series) VALUES (?1, ?2, ?3)")?;
        for (at, series) in &changed {
            make.execute((series, at, at.saturating_add(nanos), seconds))?;
            clean.execute((seconds, at, series))?;
            if level == Level::Minute {
                above.execute((Level::Quarter.seconds(), start(*at, Level::Quarter), series))?;
            }
        }
    }
    transaction.commit()?;
    Ok(u64::try_from(changed.len()).unwrap_or(u64::MAX))
}

/// Forgets what a level, and those finer than it, hold from before a moment, rounded down to a whole quarter of an hour. What has a level
/// above went there first. The finer go with it: made anew from late points, a bucket would lack what is gone below it.
fn forget(db: &mut Connection, level: Level, before: i64, settled: &mut u64) -> rusqlite::Result<u64> {
    let before = start(before.max(0), Level::Quarter);
    if before <= horizon(db, level)? {
        return Ok(0);
    }
    match level {
        Level::Raw => {}
        Level::Minute => drop(forget(db, Level::Raw, before, settled)?),
        Level::Quarter => drop(forget(db, Level::Minute, before, settled)?),
    }
    *settled += settle(db, before, u32::MAX)?;
    let series: Vec<i64> = db.prepare_cached("SELECT id FROM series")?.query_map([], |r| r.get(0))?.collect::<Result<_, _>>()?;
    // first the horizon: a point that comes now must not fall behind what is being forgotten
    let sql = "INSERT INTO horizon (level_s, at_ns) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET at_ns = max(at_ns, excluded.at_ns)";
    let transaction = db.transaction()?;
    transaction.execute(sql, (level.seconds(), before))?;
    let mut forgotten = 0;
    for id in series {
        forgotten += match level {
            Level::Raw => transaction.prepare_cached("DELETE FROM point WHERE series = ?1 AND at_ns < ?2")?.execute((id, before))?,
            Level::Minute | Level::Quarter => {
                let sql = "DELETE FROM bucket WHERE series = ?1 AND level_s = ?2 AND at_ns < ?3";
                transaction.prepare_cached(sql)?.execute((id, level.seconds(), before))?
            }
        };
    }
    transaction.commit()?;
    Ok(u64::try_from(forgotten).unwrap_or(u64::MAX))
}

/// Forgets series of which nothing is held at any level any more: their places are for new ones ([`crate::SERIES_MAX`]).
fn forget_names(db: &Connection) -> rusqlite::Result<usize> {
    let sql = "DELETE FROM series WHERE id NOT IN (SELECT series FROM dirty) \
               AND NOT EXISTS (SELECT 1 FROM point p WHERE p.series = series.id) \
               AND NOT EXISTS (SELECT 1 FROM bucket b WHERE b.series = series.id)";
    db.prepare_cached(sql)?.execute([])
}

/// Returns which level gives way, and up to when: the finest that holds more than the least, else the finest that holds anything.
fn victim(db: &Connection, now: i64) -> rusqlite::Result<Option<(Level, i64)>> {
    for least in [true, false] {
        for (level, least_ns) in KEEP_LEAST {
            let oldest: Option<i64> = match level {
                Level::Raw => db.query_row(
                    "SELECT min(m) FROM (SELECT (SELECT min(at_ns) FROM point WHERE series = s.id) AS m FROM series s)",
                    [],
                    |r| r.get(0),
                )?,
                Level::Minute | Level::Quarter => {
                    let sql = "SELECT min(m) FROM (SELECT (SELECT min(at_ns) FROM bucket WHERE series = s.id AND level_s = ?1) AS m FROM series s)";
                    db.query_row(sql, [level.seconds()], |r| r.get(0))?
                }
            };
            let Some(oldest) = oldest else { continue };
            let oldest = start(oldest, Level::Quarter);
            let newest = start(now, Level::Quarter).saturating_sub(if least { least_ns } else { 0 });
            let part = newest.saturating_sub(oldest) / THIN_PART;
            let before = start(oldest.saturating_add(part), Level::Quarter).max(oldest.saturating_add(Level::Quarter.nanos()));
            if before <= newest {
                return Ok(Some((level, before)));
            }
        }
    }
    Ok(None)
}

/// Returns the bytes of the pages in use.
pub fn used(db: &Connection) -> rusqlite::Result<u64> {
    let pragma = |name: &str| db.pragma_query_value(None, name, |r| r.get::<_, i64>(0));
    let pages = pragma("page_count")?.saturating_sub(pragma("freelist_count")?);
    Ok(crate::unsigned(pages.saturating_mul(pragma("page_size")?)))
}

/// Lets free pages go back to the disk, a bounded number at a time.
fn give_back(db: &Connection) -> rusqlite::Result<()> {
    let free = |db: &Connection| db.pragma_query_value(None, "freelist_count", |r| r.get::<_, i64>(0));
    for _ in 0..STEPS_MAX {
        if free(db)? == 0 {
            break;
        }
        // the pragma frees one page a step of its statement
        let mut statement = db.prepare(&format!("PRAGMA incremental_vacuum({VACUUM_PAGES})"))?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
    }
    // what was freed leaves the file with a checkpoint, which a reader in the way only delays; the log keeps its own room, so that a
    // disk that has become full since does not stop the next thinning
    db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}

/// Makes a database able to give pages back. One that was made without it is written anew, once.
pub fn prepare(db: &Connection) -> rusqlite::Result<()> {
    const INCREMENTAL: i64 = 2;
    let mode: i64 = db.pragma_query_value(None, "auto_vacuum", |r| r.get(0))?;
    if mode != INCREMENTAL {
        db.pragma_update(None, "auto_vacuum", INCREMENTAL)?;
        db.execute_batch("VACUUM")?;
    }
    Ok(())
}
