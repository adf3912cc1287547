//! Settings and lessons.

use crate::{StoreError, signed, unsigned};
use action::ProposalId;
use learning::Lesson;
use rusqlite::{Connection, OptionalExtension};

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

pub fn set_setting(db: &Connection, name: &str, value: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    db.execute(sql, (name, value)).map(drop).map_err(fail("writing a setting"))
}
