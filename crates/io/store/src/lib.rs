//! SQLite in one data folder: `ledger.db` (audit chain, journal, permits), `state.db` (settings, lessons), `telemetry.db` (series).
//!
//! Two owners: [`Store`] is held by the engine task and blocks until what it writes is as durable as its database promises; [`Telemetry`]
//! writes the series beside it. A folder is
//! locked while a store is open; readers ([`read_audit`]) need no lock. Backups are made by `VACUUM INTO`, never by copying files.

mod folder;
mod ledger;
mod migrate;
mod retention;
mod series;
mod state;
mod telemetry;

pub use folder::lock_holder;
pub use ledger::{count_audit, read_audit, read_audit_of};
pub use retention::{BYTES_MAX, DISK_RESERVE, KEEP_MINUTE, KEEP_QUARTER, KEEP_RAW, Kept, Retention};
pub use series::{Bucket, Level, Point, SERIES_MAX, SeriesReader, Written};
pub use state::{StoredSetting, read_settings};
pub use telemetry::{Telemetry, TopicPlaces};

use audit::Record;
use change::JournalRecord;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long another process may hold a database before a write is given up.
const BUSY: Duration = Duration::from_secs(5);

/// Why the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another engine has it.
    #[error("PH-STO-010 an engine is already running on {folder} ({holder}); use it, or give another --data folder")]
    Locked {
        /// Folder.
        folder: PathBuf,
        /// Who, as written in the lock file.
        holder: String,
    },
    /// The file system.
    #[error("PH-STO-011 {doing} {path} failed")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// File or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// SQLite.
    #[error("PH-STO-012 {doing} in {database} failed")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// Which database.
        database: &'static str,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// Made by another version of the program.
    #[error("PH-STO-013 {database} has schema {found}, this version has {known}; use the newest version, nothing was changed")]
    Newer {
        /// Which database.
        database: &'static str,
        /// Its schema version.
        found: u32,
        /// The newest known.
        known: u32,
    },
    /// A stored row does not read.
    #[error("PH-STO-014 row {row} of {table} cannot be read: {why}")]
    BadRow {
        /// Table.
        table: &'static str,
        /// Row.
        row: i64,
        /// What is wrong.
        why: String,
    },
    /// A permit was used before.
    #[error("PH-STO-015 permit {permit} was used before; nothing was sent")]
    Burnt {
        /// Its number.
        permit: u64,
    },
}

/// What a restart continues from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resume {
    /// First free sequence number.
    pub next_seq: u64,
    /// Head of the audit chain.
    pub audit: audit::Chain,
    /// Highest permit number burnt.
    pub permits: u64,
    /// Highest proposal number used.
    pub proposals: u64,
    /// Highest change number used.
    pub changes: u64,
    /// Highest finding number used.
    pub findings: u64,
    /// Records of changes without an end, in the order they were written.
    pub open_changes: Vec<JournalRecord>,
}

/// The open data folder.
#[derive(Debug)]
pub struct Store {
    ledger: Connection,
    state: Connection,
    /// For backups only: [`Telemetry`] writes.
    telemetry: Connection,
    folder: PathBuf,
    /// Held for the life of the store: the lock dies with the process.
    lock: Arc<folder::Lock>,
}

impl Store {
    /// Opens a data folder, making it when it is not there.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was changed when a database is newer than this program.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let lock = folder::lock(folder)?;
        let open = |name: &'static str, synchronous: &str, migrations| migrate::open(folder, name, synchronous, migrations);
        Ok(Self {
            ledger: open("ledger.db", "FULL", migrate::LEDGER)?,
            state: open("state.db", "FULL", migrate::STATE)?,
            telemetry: open("telemetry.db", "NORMAL", migrate::TELEMETRY)?,
            folder: folder.to_owned(),
            lock: Arc::new(lock),
        })
    }

    /// Returns the folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Opens the writer of `telemetry.db`; there is to be one. The folder stays locked until both are gone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn telemetry(&self) -> Result<Telemetry, StoreError> {
        Telemetry::open(&self.folder, Arc::clone(&self.lock))
    }

    /// Reads what a restart continues from.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn resume(&self) -> Result<Resume, StoreError> {
        ledger::resume(&self.ledger)
    }

    /// Writes an audit record; durable when this returns.
    ///
    /// # Errors
    /// [`StoreError`]; the record is then not in the chain.
    pub fn append_audit(&self, record: &Record) -> Result<(), StoreError> {
        ledger::append_audit(&self.ledger, record)
    }

    /// Writes a journal record; durable when this returns.
    ///
    /// # Errors
    /// [`StoreError`]; nothing that depends on the record may then be sent.
    pub fn journal(&self, record: &JournalRecord) -> Result<(), StoreError> {
        ledger::journal(&self.ledger, record)
    }

    /// Burns a permit's number; durable when this returns.
    ///
    /// # Errors
    /// [`StoreError::Burnt`] when it was used before.
    pub fn burn(&self, permit: &approval::Permit) -> Result<(), StoreError> {
        ledger::burn(&self.ledger, permit)
    }

    /// Remembers a number that must never be used again, if it is the highest so far (`seq`, `proposal`, `change`).
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn mark(&self, name: &str, value: u64) -> Result<(), StoreError> {
        ledger::mark(&self.ledger, name, value)
    }

    /// Keeps a lesson.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn keep_lesson(&self, proposal: action::ProposalId, lesson: &learning::Lesson) -> Result<(), StoreError> {
        state::keep_lesson(&self.state, proposal, lesson)
    }

    /// Returns every lesson, by change.
    ///
    /// # Errors
    /// [`StoreError`]; a row that does not read is named.
    pub fn lessons(&self) -> Result<Vec<(action::ProposalId, learning::Lesson)>, StoreError> {
        state::lessons(&self.state)
    }

    /// Returns a setting.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        state::setting(&self.state, name)
    }

    /// Writes a setting; durable when this returns.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn set_setting(&self, setting: &StoredSetting) -> Result<(), StoreError> {
        state::set_setting(&self.state, setting)
    }

    /// Forgets a setting, so that the usual value holds; says whether it was set.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn unset_setting(&self, name: &str) -> Result<bool, StoreError> {
        state::unset_setting(&self.state, name)
    }

    /// Returns every setting, by name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn settings(&self) -> Result<Vec<StoredSetting>, StoreError> {
        state::settings(&self.state)
    }

    /// Copies the three databases into `folder`, which must be empty or new. The store may go on being used.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn backup(&self, folder: &Path) -> Result<(), StoreError> {
        folder::make(folder)?;
        for (db, name) in [(&self.ledger, "ledger.db"), (&self.state, "state.db"), (&self.telemetry, "telemetry.db")] {
            let path = folder.join(name);
            let text = path.to_str().ok_or_else(|| {
                let source = std::io::Error::new(std::io::ErrorKind::InvalidFilename, "the name is not UTF-8");
                StoreError::Io { doing: "writing the backup", path: path.clone(), source }
            })?;
            // never by copying files: the copy would lack what is still in the write-ahead log
            db.execute("VACUUM INTO ?1", [text]).map_err(|source| StoreError::Database { doing: "backing up", database: name, source })?;
        }
        Ok(())
    }
}

/// SQLite has signed integers only; ours never reach the sign bit.
fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

#[cfg(test)]
mod tests;
