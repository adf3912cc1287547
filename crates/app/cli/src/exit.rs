//! Exit status, and the one way in which a verb fails.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What every verb is told.
pub struct Context {
    /// Data folder as given.
    pub data: Option<PathBuf>,
    /// JSON instead of text.
    pub json: bool,
}

impl Context {
    /// Returns the data folder: the argument, `$PILOTHOUSE_DATA`, or the platform's data directory.
    pub fn data_folder(&self) -> PathBuf {
        self.data.clone().unwrap_or_else(runtime::data_folder)
    }
}

/// How a verb ended (spec: exit status).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 0.
    Done,
    /// 1: the answer is "no".
    No,
    /// 2: wrong usage or unreadable input.
    Unusable,
    /// 3: done, but part of the input was bad and is listed.
    Partly,
    /// 130.
    Cancelled,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Done => 0,
            Outcome::No => 1,
            Outcome::Unusable => 2,
            Outcome::Partly => 3,
            Outcome::Cancelled => 130,
        })
    }
}

/// A failure with its stable code, what and where, and the next step.
#[derive(Debug)]
pub struct Failure {
    code: &'static str,
    text: String,
}

impl Failure {
    /// Makes a failure; `text` says what failed, on what, and what to do.
    pub fn new(code: &'static str, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    /// Adapts any error chain.
    pub fn from_error(code: &'static str, error: &dyn std::error::Error) -> Self {
        Self { code, text: runtime::chain(error) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // some errors carry their code in their own words
        if self.code.is_empty() { f.write_str(&self.text) } else { write!(f, "{} {}", self.code, self.text) }
    }
}

/// Says whether a file may be made there: its folder must be, as for any program; a slip in a path makes no folders.
///
/// # Errors
/// `PH-CLI-076`, naming the folder.
pub fn folder_of(file: &Path) -> Result<(), Failure> {
    match file.parent().filter(|f| !f.as_os_str().is_empty()) {
        Some(folder) if !folder.is_dir() => {
            Err(Failure::new("PH-CLI-076", format!("{} cannot be made: there is no folder {}", file.display(), folder.display())))
        }
        _ => Ok(()),
    }
}

/// What a verb returns.
pub type Ended = Result<Outcome, Failure>;
