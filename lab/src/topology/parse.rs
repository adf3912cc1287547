//! Reading a topology file: every error names the file, the line and the key.

use super::{MAX_FILE_BYTES, SEED, SEED_PLUS, Topology, validate};
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// The session of the seed that `seed-plus` gives a MED, and which: lower than that of the second one.
const SEED_PLUS_FIRST: (&str, u32) = ("r1-ispa", 10);

/// Why a topology was refused.
#[derive(Debug, thiserror::Error)]
pub enum TopologyError {
    /// The file could not be read.
    #[error("cannot read the topology {}; check the path", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is too long to be a topology.
    #[error("{file} has {bytes} bytes; a topology has at most {MAX_FILE_BYTES}")]
    TooLong {
        /// The file.
        file: String,
        /// Its size.
        bytes: usize,
    },
    /// Not TOML, or a value of the wrong type, or an unknown key.
    #[error("{file}:{line}: {message}")]
    Syntax {
        /// The file.
        file: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// A value that cannot be.
    #[error("{file}:{line}: {key}: {message}")]
    Invalid {
        /// The file.
        file: String,
        /// Line, from 1.
        line: usize,
        /// The key (`link[2].b`), elements counted from 0.
        key: String,
        /// What is wrong and what would be right.
        message: String,
    },
}

/// Where in the file a value stands: a list, the element, its key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key<'k>(pub &'k str, pub Option<usize>, pub &'k str);

impl std::fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)?;
        if let Some(index) = self.1 {
            write!(f, "[{index}]")?;
        }
        if !self.2.is_empty() {
            write!(f, ".{}", self.2)?;
        }
        Ok(())
    }
}

impl Topology {
    /// Reads and checks a topology file.
    ///
    /// # Errors
    /// When it cannot be read, is not TOML of this shape, or contradicts itself.
    pub fn read(path: &Path) -> Result<Self, TopologyError> {
        let text = std::fs::read_to_string(path).map_err(|source| TopologyError::Read { path: path.to_owned(), source })?;
        Self::parse(&path.display().to_string(), &text)
    }

    /// Returns the seed topology.
    ///
    /// # Errors
    /// Never for the file as shipped; a test holds that.
    pub fn seed() -> Result<Self, TopologyError> {
        Self::parse("seed.toml", SEED)
    }

    /// Returns the variant of the seed topology with a second session to one provider AS. Its exit of the seed gets a MED too.
    ///
    /// # Errors
    /// Never for the files as shipped; a test holds that.
    pub fn seed_plus() -> Result<Self, TopologyError> {
        let mut out = Self::parse("seed-plus.toml", &format!("{SEED}{SEED_PLUS}"))?;
        "seed-plus".clone_into(&mut out.name);
        for exit in out.exits.iter_mut().filter(|e| e.id.as_str() == SEED_PLUS_FIRST.0) {
            exit.med = Some(SEED_PLUS_FIRST.1);
        }
        Ok(out)
    }

    /// Parses and checks the text of a topology; `file` is used in errors.
    ///
    /// # Errors
    /// When it is not TOML of this shape, or contradicts itself.
    pub fn parse(file: &str, text: &str) -> Result<Self, TopologyError> {
        if text.len() > MAX_FILE_BYTES {
            return Err(TopologyError::TooLong { file: file.to_owned(), bytes: text.len() });
        }
        let topology: Self = toml::from_str(text).map_err(|e| TopologyError::Syntax {
            file: file.to_owned(),
            line: line_at(text, e.span().unwrap_or(0..0).start),
            message: e.message().to_owned(),
        })?;
        validate::check(&topology).map_err(|(key, message)| TopologyError::Invalid {
            file: file.to_owned(),
            line: line_at(text, span(text, key).start),
            key: key.to_string(),
            message,
        })?;
        Ok(topology)
    }
}

fn line_at(text: &str, byte: usize) -> usize {
    text.as_bytes().iter().take(byte).filter(|b| **b == b'\n').count() + 1
}

/// Finds where a key stands; falls back to its element, then to its list, when it is written nowhere.
fn span(text: &str, key: Key<'_>) -> Range<usize> {
    let find = || {
        let root = DeTable::parse(text).ok()?.into_inner();
        let list = root.get(key.0)?;
        let element = match (list.get_ref(), key.1) {
            (DeValue::Array(a), Some(index)) => a.get(index)?,
            _ => list,
        };
        match element.get_ref() {
            DeValue::Table(t) => Some(t.get(key.2).map_or_else(|| element.span(), |v| v.span())),
            _ => Some(element.span()),
        }
    };
    find().unwrap_or(0..0)
}
