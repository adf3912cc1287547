//! Opening a database and bringing its schema forward.

use crate::{BUSY, StoreError};
use rusqlite::Connection;
use std::path::Path;

/// Migrations of `ledger.db`, in order.
pub const LEDGER: &[&str] = &[include_str!("../../../../migrations/ledger/0001_first.sql")];
/// Migrations of `state.db`, in order.
pub const STATE: &[&str] =
    &[include_str!("../../../../migrations/state/0001_first.sql"), include_str!("../../../../migrations/state/0002_setting_origin.sql")];
/// Migrations of `telemetry.db`, in order.
pub const TELEMETRY: &[&str] = &[
    include_str!("../../../../migrations/telemetry/0001_first.sql"),
    include_str!("../../../../migrations/telemetry/0002_topics.sql"),
    include_str!("../../../../migrations/telemetry/0003_levels.sql"),
];

/// Opens a database in WAL mode and applies the migrations it lacks, all or none.
pub fn open(folder: &Path, name: &'static str, synchronous: &str, migrations: &[&str]) -> Result<Connection, StoreError> {
    let fail = |doing| move |source| StoreError::Database { doing, database: name, source };
    let mut db = Connection::open(folder.join(name)).map_err(fail("opening"))?;
    db.busy_timeout(BUSY).map_err(fail("opening"))?;
    db.pragma_update(None, "journal_mode", "WAL").map_err(fail("opening"))?;
    db.pragma_update(None, "synchronous", synchronous).map_err(fail("opening"))?;
    db.pragma_update(None, "foreign_keys", true).map_err(fail("opening"))?;
    let found: u32 = db.pragma_query_value(None, "user_version", |r| r.get(0)).map_err(fail("reading the schema"))?;
    let known = u32::try_from(migrations.len()).unwrap_or(u32::MAX);
    if found > known {
        return Err(StoreError::Newer { database: name, found, known });
    }
    let transaction = db.transaction().map_err(fail("migrating"))?;
    for sql in migrations.iter().skip(found as usize) {
        transaction.execute_batch(sql).map_err(fail("migrating"))?;
    }
    transaction.pragma_update(None, "user_version", known).map_err(fail("migrating"))?;
    transaction.commit().map_err(fail("migrating"))?;
    Ok(db)
}
