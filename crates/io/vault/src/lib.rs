//! Secrets by name. They are kept in a file that only its owner can read, and never enter a log, a capture or a `Debug` output.
//!
//! Where the user's session has a key store ([`KeyStore`]), what it holds goes before the file; labs and hosts without one use the file.

mod key_store;

pub use key_store::KeyStore;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Largest secrets file, bytes.
const FILE_MAX: u64 = 1 << 20;

/// A secret. Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text, for the one call that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why secrets cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The file cannot be read.
    #[error("PH-VLT-001 cannot read {path}")]
    Unreadable {
        /// File.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Others can read the file.
    #[error("PH-VLT-002 {path} has mode {mode:04o}: others can read it; run `chmod 600 {path}`")]
    TooOpen {
        /// File.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key store cannot be used.
    #[error("PH-VLT-004 the key store gives no secret {name:?}: {why}")]
    KeyStore {
        /// Name of the secret.
        name: String,
        /// Its words, or ours.
        why: String,
    },
    /// The file is too long or no JSON object of texts.
    #[error("PH-VLT-003 {path} is no JSON object of names and secrets: {why}")]
    Malformed {
        /// File.
        path: PathBuf,
        /// Where and what; never the content.
        why: String,
    },
}

/// The secrets of one data folder or lab.
#[derive(Debug, Default)]
pub struct Vault {
    secrets: BTreeMap<String, Secret>,
}

impl Vault {
    /// Opens a secrets file; one that does not exist is an empty vault.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn open(path: &Path) -> Result<Self, VaultError> {
        let unreadable = |source| VaultError::Unreadable { path: path.to_owned(), source };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(unreadable(e)),
        };
        // of the open file, so that it cannot be exchanged between the look and the reading
        let meta = file.metadata().map_err(unreadable)?;
        let mode = meta.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(VaultError::TooOpen { path: path.to_owned(), mode });
        }
        let malformed = |why: String| VaultError::Malformed { path: path.to_owned(), why };
        if meta.len() > FILE_MAX {
            return Err(malformed(format!("it is {} bytes long, at most {FILE_MAX} are read", meta.len())));
        }
        let mut text = String::new();
        file.take(FILE_MAX).read_to_string(&mut text).map_err(unreadable)?;
        let map: BTreeMap<String, String> =
            serde_json::from_str(&text).map_err(|e| malformed(format!("line {}, column {}", e.line(), e.column())))?;
        Ok(Self { secrets: map.into_iter().map(|(k, v)| (k, Secret(v))).collect() })
    }

    /// Puts what the key store holds under these names before what the file holds; returns those names.
    ///
    /// # Errors
    /// [`VaultError::KeyStore`]; the secrets of the file are then unchanged.
    pub fn prefer<'a>(&mut self, store: &KeyStore, names: impl Iterator<Item = &'a str>) -> Result<Vec<String>, VaultError> {
        let mut found = BTreeMap::new();
        for name in names {
            if let Some(secret) = store.get(name)? {
                found.insert(name.to_owned(), secret);
            }
        }
        let from_store = found.keys().cloned().collect();
        self.secrets.extend(found);
        Ok(from_store)
    }

    /// Returns a secret.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Secret> {
        self.secrets.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(mode: u32, text: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secrets.json");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (dir, path)
    }

    #[test]
    fn secrets_are_read_and_never_shown() {
        let (_dir, path) = file(0o600, r#"{"r1":"hunter2"}"#);
        let vault = Vault::open(&path).unwrap();
        assert_eq!(vault.get("r1").unwrap().expose(), "hunter2");
        assert!(!format!("{vault:?}").contains("hunter2"));
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let (_dir, path) = file(0o644, "{}");
        assert!(matches!(Vault::open(&path), Err(VaultError::TooOpen { mode: 0o644, .. })));
    }

    #[test]
    fn a_broken_file_names_the_place_and_not_the_content() {
        let (_dir, path) = file(0o600, "{\"r1\": hunter2}");
        let error = Vault::open(&path).unwrap_err().to_string();
        assert!(error.contains("line 1") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn what_is_no_file_or_too_long_is_refused_in_words() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        assert!(matches!(Vault::open(dir.path()), Err(VaultError::Unreadable { .. })));
        let (_dir, path) = file(0o600, "");
        File::options().write(true).open(&path).unwrap().set_len(FILE_MAX + 1).unwrap();
        let error = Vault::open(&path).unwrap_err().to_string();
        assert!(error.contains("at most 1048576"), "{error}");
    }

    #[test]
    fn no_file_is_an_empty_vault() {
        assert!(Vault::open(Path::new("/nonexistent/secrets.json")).unwrap().get("x").is_none());
    }
}
