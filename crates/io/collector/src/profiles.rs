//! The operator's own profiles, from files, beside the embedded ones.

use crate::error::CollectError;
use gnmi::Profile;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tracing::info;

/// Files of one directory that are read: far more than there are platforms.
const FILES_MAX: usize = 256;

/// Reads the embedded profiles and those of `paths`, each a TOML file or a directory of such; an own one replaces an embedded one of its
/// name, which is the file's without `.toml`.
///
/// # Errors
/// [`CollectError::ProfileFile`]; [`CollectError::OwnProfile`] with file, line and field.
pub fn profiles(paths: &[PathBuf]) -> Result<Arc<[Profile]>, CollectError> {
    let mut all = Profile::all().map_err(CollectError::OwnProfile)?;
    for path in paths {
        let files = if path.is_dir() { within(path)? } else { vec![path.clone()] };
        for file in files {
            let own = read(&file)?;
            info!(file = %file.display(), name = %own.name, "gNMI profile read");
            match all.iter_mut().find(|p| p.name == own.name) {
                Some(embedded) => *embedded = own,
                None => all.push(own),
            }
        }
    }
    Ok(all.into())
}

fn within(directory: &Path) -> Result<Vec<PathBuf>, CollectError> {
    let failed = |source| CollectError::ProfileFile { path: directory.to_owned(), what: "the directory cannot be read", source };
    let entries = std::fs::read_dir(directory).map_err(failed)?;
    let mut files = entries.map(|e| e.map(|e| e.path())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    files.retain(|f| f.extension().is_some_and(|e| e == "toml"));
    if files.len() > FILES_MAX {
        return Err(failed(std::io::Error::other(format!("it holds {} profiles, at most {FILES_MAX} are read", files.len()))));
    }
    files.sort();
    Ok(files)
}

fn read(file: &Path) -> Result<Profile, CollectError> {
    let failed = |source| CollectError::ProfileFile { path: file.to_owned(), what: "the gNMI profile cannot be read", source };
    let text = std::fs::read_to_string(file).map_err(failed)?;
    let name = file.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let named = |error| match error {
        // the whole path: two directories may hold the same name
        gnmi::ProfileError::Text { what, .. } => gnmi::ProfileError::Text { file: file.display().to_string(), what },
        gnmi::ProfileError::Field { line, field, what, .. } => {
            gnmi::ProfileError::Field { file: file.display().to_string(), line, field, what }
        }
        gnmi::ProfileError::Row { line, row, field, what, .. } => {
            gnmi::ProfileError::Row { file: file.display().to_string(), line, row, field, what }
        }
        other @ gnmi::ProfileError::Unknown { .. } => other,
    };
    Profile::parse(&name, &text).map_err(|error| CollectError::OwnProfile(named(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "title = \"ours\"\nmodels = [\"m\"]\nencodings = [\"json\"]\nports = [1]\n\
                       [[subscription]]\nset = \"s\"\npath = \"/a\"\nmode = \"on_change\"\n";

    #[test]
    fn own_profiles_stand_beside_the_embedded_ones_and_replace_those_of_their_name() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["sonic.toml", "rack.toml", "notes.txt"] {
            std::fs::write(dir.path().join(name), OWN).unwrap();
        }
        let all = profiles(&[dir.path().to_owned()]).unwrap();
        let titled = |name: &str| all.iter().find(|p| p.name == name).map(|p| p.title.clone());
        assert_eq!((titled("sonic").as_deref(), titled("rack").as_deref(), titled("notes")), (Some("ours"), Some("ours"), None));
        assert_eq!(all.len(), Profile::all().unwrap().len() + 1);
    }

    #[test]
    fn a_mistake_is_told_with_the_file_the_line_and_the_key() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("rack.toml");
        let said = |text: &str| {
            std::fs::write(&file, text).unwrap();
            profiles(core::slice::from_ref(&file)).unwrap_err().chain()
        };
        let shown = file.display();
        let interval = said(&format!("{OWN}interval_ms = 5\n"));
        assert!(interval.contains(&format!("profile {shown}, line 9, subscription 1: interval_ms: ")), "{interval}");
        let unknown = said(&format!("{OWN}colour = 1\n"));
        assert!(unknown.starts_with("PH-COLL-027") && unknown.contains("line 9") && unknown.contains("colour"), "{unknown}");
        let missing = profiles(&[dir.path().join("none.toml")]).unwrap_err().chain();
        assert!(missing.starts_with("PH-COLL-026") && missing.contains("none.toml"), "{missing}");
    }
}
