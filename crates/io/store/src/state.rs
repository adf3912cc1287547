//! Settings and lessons.

use crate::{StoreError, signed, unsigned};
use action::ProposalId;
use learning::Lesson;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row};
use std::path::Path;
use units::Timestamp;

fn fail(doing: &'static str) -> impl Fn(rusqlite::Error) -> StoreError {
    move |source| StoreError::Database { doing, database: "state.db", source }
}

pub fn keep_lesson(db: &Connection, proposal: ProposalId, lesson: &Lesson) -> Result<(), StoreError> {
    let row = signed(lesson.change.0);
    let text = serde_json::to_string(lesson).map_err(|e| StoreError::BadRow { table: "lesson", row, why: e.to_string() })?;
    let sql = "INSERT OR REPLACE INTO lesson (change, proposal, lesson) VALUES (?1, ?2, ?3)";
    db.execute(sql, (row, signed(proposal.0), text)).map(drop).map_err(fail("keeping a lesson"))
}

pub fn lessons(db: &Connection) -> Result<Vec<(ProposalId, Lesson)>, StoreError> {
    let read = fail("reading lessons");
    let mut statement = db.prepare("SELECT change, proposal, lesson FROM lesson ORDER BY change").map_err(&read)?;
    let rows = statement.query_map([], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?, r.get::<_, String>(2)?))).map_err(&read)?;
    rows.map(|row| {
        let (change, proposal, text) = row.map_err(&read)?;
        let lesson = serde_json::from_str(&text).map_err(|e| StoreError::BadRow { table: "lesson", row: change, why: e.to_string() })?;
        Ok((ProposalId(unsigned(proposal)), lesson))
    })
    .collect()
}

pub fn setting(db: &Connection, name: &str) -> Result<Option<String>, StoreError> {
    db.query_row("SELECT value FROM setting WHERE name = ?1", [name], |r| r.get(0)).optional().map_err(fail("reading a setting"))
}

/// A setting as somebody set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSetting {
    /// Name.
    pub name: String,
    /// Value.
    pub value: String,
    /// When it was set; `None`: by a build that did not note it.
    pub at: Option<Timestamp>,
    /// Who set it.
    pub by: Option<String>,
}

pub fn set_setting(db: &Connection, setting: &StoredSetting) -> Result<(), StoreError> {
    let sql = "INSERT INTO setting (name, value, set_at, set_by) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (name) DO UPDATE SET value = excluded.value, set_at = excluded.set_at, set_by = excluded.set_by";
    let values = (&setting.name, &setting.value, setting.at.map(Timestamp::nanos), &setting.by);
    db.execute(sql, values).map(drop).map_err(fail("writing a setting"))
}

pub fn unset_setting(db: &Connection, name: &str) -> Result<bool, StoreError> {
    db.execute("DELETE FROM setting WHERE name = ?1", [name]).map(|n| n > 0).map_err(fail("removing a setting"))
}

pub fn settings(db: &Connection) -> Result<Vec<StoredSetting>, StoreError> {
    let read = fail("reading the settings");
    let mut statement = db.prepare("SELECT name, value, set_at, set_by FROM setting ORDER BY name").map_err(&read)?;
    let one = |r: &Row<'_>| {
        let at = r.get::<_, Option<i64>>(2)?.map(Timestamp::from_nanos);
        Ok(StoredSetting { name: r.get(0)?, value: r.get(1)?, at, by: r.get(3)? })
    };
    let rows = statement.query_map([], one).map_err(&read)?;
    rows.map(|row| row.map_err(&read)).collect()
}

/// Reads the settings of a data folder, without locking it; a folder that holds no engine's data yet has none.
///
/// # Errors
/// [`StoreError`], also where an engine of an earlier version made the database: it is brought forward when the next one starts.
pub fn read_settings(folder: &Path) -> Result<Vec<StoredSetting>, StoreError> {
    let path = folder.join("state.db");
    if !path.exists() {
        return Ok(Vec::new());
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(&path, flags).map_err(fail("opening"))?;
    settings(&db)
}
