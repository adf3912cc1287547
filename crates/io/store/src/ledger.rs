//! Audit chain, saga journal, permits, numbers that are never used twice.

use crate::{Resume, StoreError, signed, unsigned};
use approval::Permit;
use audit::{Chain, Checkpoint, Record};
use change::{JournalEntry, JournalRecord};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row};
use std::path::Path;
use units::Timestamp;

const DB: &str = "ledger.db";

fn fail(doing: &'static str) -> impl Fn(rusqlite::Error) -> StoreError {
    move |source| StoreError::Database { doing, database: DB, source }
}

fn bad(table: &'static str, row: i64) -> impl Fn(serde_json::Error) -> StoreError {
    move |e| StoreError::BadRow { table, row, why: e.to_string() }
}

pub fn append_audit(db: &Connection, r: &Record) -> Result<(), StoreError> {
    let sql = "INSERT INTO audit (seq, at_ns, operator, signature, mode, kind, body, prev_hash, hash) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9)";
    let operator = r.operator.as_ref().map(|o| o.as_str());
    let row = (
        signed(r.seq),
        r.at.nanos(),
        operator,
        &r.signature,
        &r.mode,
        &r.kind,
        r.body.to_string(),
        r.prev_hash.to_string(),
        r.hash.to_string(),
    );
    db.execute(sql, row).map(drop).map_err(fail("writing an audit record"))
}

pub fn journal(db: &Connection, record: &JournalRecord) -> Result<(), StoreError> {
    let text = serde_json::to_string(record).map_err(bad("journal", i64::from(record.index)))?;
    let finished = matches!(record.entry, JournalEntry::Finished { .. });
    let sql = "INSERT INTO journal (change, idx, finished, record) VALUES (?1, ?2, ?3, ?4)";
    db.execute(sql, (signed(record.change.0), record.index, finished, text)).map(drop).map_err(fail("writing a journal record"))
}

pub fn burn(db: &Connection, permit: &Permit) -> Result<(), StoreError> {
    let sql = "INSERT INTO permit (id, change, proposal, operator, plan) VALUES (?1, ?2, ?3, ?4, ?5)";
    let row = (signed(permit.id().0), signed(permit.change().0), signed(permit.proposal().0), permit.by().as_str(), permit.plan_hash());
    match db.execute(sql, row) {
        Ok(_) => Ok(()),
        Err(e) if e.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => Err(StoreError::Burnt { permit: permit.id().0 }),
        Err(e) => Err(fail("burning a permit")(e)),
    }
}

pub fn mark(db: &Connection, name: &str, value: u64) -> Result<(), StoreError> {
    let sql = "INSERT INTO mark (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)";
    db.execute(sql, (name, signed(value))).map(drop).map_err(fail("writing a mark"))
}

pub fn resume(db: &Connection) -> Result<Resume, StoreError> {
    let read = fail("reading what to continue from");
    let marked = |name: &str| -> Result<u64, StoreError> {
        let found = db.query_row("SELECT value FROM mark WHERE name = ?1", [name], |r| r.get::<_, i64>(0)).optional();
        Ok(found.map_err(fail("reading a mark"))?.map_or(0, unsigned))
    };
    let last = db.query_row("SELECT * FROM audit ORDER BY seq DESC LIMIT 1", [], |r| Ok(record(r))).optional().map_err(&read)?;
    let audit = match last {
        Some(record) => {
            let record = record?;
            Chain::after(Checkpoint { count: record.seq, head: record.hash })
        }
        None => Chain::default(),
    };
    let permits = db.query_row("SELECT coalesce(max(id), 0) FROM permit", [], |r| r.get(0)).map_err(&read)?;
    let changes: i64 = db.query_row("SELECT coalesce(max(change), 0) FROM journal", [], |r| r.get(0)).map_err(&read)?;
    Ok(Resume {
        next_seq: marked("seq")?.saturating_add(1),
        audit,
        permits: unsigned(permits),
        proposals: marked("proposal")?,
        changes: marked("change")?.max(unsigned(changes)),
        findings: marked("finding")?,
        open_changes: open_changes(db)?,
    })
}

fn open_changes(db: &Connection) -> Result<Vec<JournalRecord>, StoreError> {
    let read = fail("reading the journal");
    let sql = "SELECT idx, record FROM journal WHERE change NOT IN (SELECT change FROM journal WHERE finished) ORDER BY change, idx";
    let mut statement = db.prepare(sql).map_err(&read)?;
    let rows = statement.query_map([], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, String>(1)?))).map_err(&read)?;
    rows.map(|row| {
        let (index, text) = row.map_err(&read)?;
        serde_json::from_str(&text).map_err(bad("journal", index))
    })
    .collect()
}

fn record(row: &Row<'_>) -> Result<Record, StoreError> {
    let at = |i: usize| format!("column {i}");
    let seq: i64 = row.get(0).unwrap_or_default();
    let wrong = |why: String| StoreError::BadRow { table: "audit", row: seq, why };
    let text = |i: usize| row.get::<_, String>(i).map_err(|e| wrong(format!("{}: {e}", at(i))));
    let optional = |i: usize| row.get::<_, Option<String>>(i).map_err(|e| wrong(format!("{}: {e}", at(i))));
    let digest = |i: usize| text(i)?.parse().map_err(|e: audit::BadDigest| wrong(format!("{}: {e}", at(i))));
    Ok(Record {
        seq: unsigned(seq),
        at: Timestamp::from_nanos(row.get(1).map_err(|e| wrong(format!("column 1: {e}")))?),
        operator: optional(2)?.map(action::OperatorId::new),
        signature: optional(3)?,
        mode: text(4)?,
        kind: text(5)?,
        body: serde_json::from_str(&text(6)?).map_err(bad("audit", seq))?,
        prev_hash: digest(7)?,
        hash: digest(8)?,
    })
}

fn connect(folder: &Path) -> Result<Connection, StoreError> {
    let path = folder.join(DB);
    let meta = std::fs::metadata(&path);
    meta.map_err(|source| StoreError::Io { doing: "opening", path: path.clone(), source })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(&path, flags).map_err(fail("opening"))
}

/// Reads the whole audit chain of a data folder, without locking it.
///
/// # Errors
/// [`StoreError`]; a row that does not read is named.
pub fn read_audit(folder: &Path) -> Result<Vec<Record>, StoreError> {
    let db = connect(folder)?;
    let read = fail("reading the audit chain");
    let mut statement = db.prepare("SELECT * FROM audit ORDER BY seq").map_err(&read)?;
    let rows = statement.query_map([], |r| Ok(record(r))).map_err(&read)?;
    rows.map(|row| row.map_err(&read)?).collect()
}

/// The kinds as a JSON list, which SQLite takes as one parameter.
fn list(kinds: &[&str]) -> String {
    serde_json::Value::from(kinds).to_string()
}

/// Counts the audit records of these kinds, without locking the folder.
///
/// # Errors
/// [`StoreError`].
pub fn count_audit(folder: &Path, kinds: &[&str]) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM audit WHERE kind IN (SELECT value FROM json_each(?1))";
    let counted = connect(folder)?.query_row(sql, [list(kinds)], |r| r.get(0));
    counted.map(unsigned).map_err(fail("counting audit records"))
}

/// Reads the audit records of these kinds in the order of the chain: after the first `skip` of them, at most `limit`.
///
/// # Errors
/// [`StoreError`]; a row that does not read is named.
pub fn read_audit_of(folder: &Path, kinds: &[&str], skip: u64, limit: u32) -> Result<Vec<Record>, StoreError> {
    let db = connect(folder)?;
    let read = fail("reading the audit chain");
    let sql = "SELECT * FROM audit WHERE kind IN (SELECT value FROM json_each(?1)) ORDER BY seq LIMIT ?2 OFFSET ?3";
    let mut statement = db.prepare(sql).map_err(&read)?;
    let rows = statement.query_map((list(kinds), limit, signed(skip)), |r| Ok(record(r))).map_err(&read)?;
    rows.map(|row| row.map_err(&read)?).collect()
}
