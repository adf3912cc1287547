//! A commit that waits to be confirmed (RFC 6241 §8.4), and the file that lets it outlive the process.

use config::PolicyEdit;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use units::Timestamp;

/// Longest confirm timeout, seconds: a day.
pub const CONFIRM_TIMEOUT_MAX_S: u64 = 86_400;

/// A commit that is undone at `deadline` unless it is confirmed before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Who may confirm or cancel.
    pub owner: Owner,
    /// When it is undone. Wall clock, because it must mean something to the next process too.
    pub deadline: Timestamp,
    /// The running text to return to.
    pub snapshot: String,
    /// The running text after the commit; empty while the router is being changed.
    pub committed: String,
    /// The edits that undo it, in order.
    pub undo: Vec<PolicyEdit>,
    /// Somebody else had changed the running configuration before this commit went on over an earlier pending one.
    #[serde(default)]
    pub foreign: bool,
    /// Its undo has begun and is tried until it works: it can no more be confirmed.
    #[serde(default)]
    pub undoing: bool,
}

/// Who may confirm or cancel a pending commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// The session that made it; its end undoes the commit.
    Session(u32),
    /// Whoever names this token (`<persist>`).
    Token(String),
}

impl Owner {
    /// Says whether a request from `session` that names `persist_id` comes from the owner.
    #[must_use]
    pub fn is(&self, session: u32, persist_id: Option<&str>) -> bool {
        match self {
            Self::Session(s) => *s == session && persist_id.is_none(),
            Self::Token(token) => persist_id == Some(token),
        }
    }

    /// Returns the token.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        match self {
            Self::Token(token) => Some(token),
            Self::Session(_) => None,
        }
    }
}

impl Pending {
    /// Returns the time left.
    #[must_use]
    pub fn left(&self, now: Timestamp) -> Duration {
        self.deadline.since(now)
    }
}

/// Where a pending commit is written down before the router is touched.
#[derive(Clone, Debug)]
pub struct StateFile(PathBuf);

impl StateFile {
    /// Prepares to use `path`.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Writes or removes the file, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written: the commit must not begin.
    pub fn save(&self, pending: Option<&Pending>) -> io::Result<()> {
        let Some(pending) = pending else {
            return match std::fs::remove_file(&self.0) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
                _ => Ok(()),
            };
        };
        if let Some(dir) = self.0.parent() {
            std::fs::create_dir_all(dir)?;
        }
        let new = self.0.with_extension("new");
        std::fs::write(&new, serde_json::to_vec(pending)?)?;
        std::fs::File::open(&new)?.sync_all()?;
        std::fs::rename(&new, &self.0)
    }

    /// Reads what a former process left.
    ///
    /// # Errors
    /// When there is a file that cannot be read: somebody must look at the router.
    pub fn load(&self) -> io::Result<Option<Pending>> {
        match std::fs::read(&self.0) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::from),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }
}
