//! Who may name the one-use permit: it is made by `approval` and spent by `executor`; those between them only carry it.

use crate::{Outcome, Workspace, verdict};
use anyhow::Context;
use std::path::Path;

const MAY_NAME_IT: &[&str] = &[
    "crates/core/approval",
    "crates/core/change",
    "crates/core/pilot",
    "crates/io/executor",
    // burns its number in the ledger
    "crates/io/store",
    "crates/app/runtime",
    // proves from outside that nobody else can make one
    "lab/tests",
    "tests",
];

/// Checks every Rust file of ours.
pub fn check(workspace: &Workspace) -> Outcome {
    let mut findings = Vec::new();
    let mut count = 0;
    for top in ["crates", "lab", "src-tauri", "tests"] {
        let folder = workspace.root.join(top);
        if folder.is_dir() {
            visit(workspace, &folder, &mut |name, text| {
                count += 1;
                if !MAY_NAME_IT.iter().any(|m| name.starts_with(m)) && names_permit(text) {
                    findings.push(format!("{name} names approval's Permit; only {} may", MAY_NAME_IT.join(", ")));
                }
            })?;
        }
    }
    Ok(verdict(format!("{count} files, the permit stays between approval and executor"), findings))
}

fn visit(workspace: &Workspace, folder: &Path, found: &mut dyn FnMut(&str, &str)) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            visit(workspace, &path, found)?;
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            let name = path.strip_prefix(&workspace.root).unwrap_or(&path).to_string_lossy().into_owned();
            found(&name, &text);
        }
    }
    Ok(())
}

/// Says whether code names `Permit` where `approval` is in scope.
fn names_permit(text: &str) -> bool {
    let code = text.lines().filter(|l| !l.trim_start().starts_with("//"));
    let words: Vec<&str> = code.flat_map(|l| l.split(|c: char| !c.is_alphanumeric() && c != '_')).collect();
    words.contains(&"approval") && words.contains(&"Permit")
}

#[cfg(test)]
mod tests {
    use super::names_permit;

    #[test]
    fn comments_and_other_words_do_not_count() {
        assert!(names_permit("use approval::Permit;"));
        assert!(names_permit("use approval::{\n    Permit,\n};"));
        assert!(!names_permit("// approval::Permit"));
        assert!(!names_permit("use approval::Permitted;"));
        assert!(!names_permit("enum Action { Permit, Deny }"));
    }
}
