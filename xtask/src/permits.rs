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

/// Who may write to a device by gNMI: the call itself asks for no permit.
const MAY_SET: &[&str] = &["crates/io/collector", "crates/io/executor", "xtask"];

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
                if !MAY_SET.iter().any(|m| name.starts_with(m)) && sets_by_gnmi(text) {
                    findings.push(format!("{name} writes by gNMI; only {} may", MAY_SET.join(", ")));
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

/// Says whether code calls the collector's gNMI Set, or names what such a call takes.
fn sets_by_gnmi(text: &str) -> bool {
    let code: String = text.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let words: Vec<&str> = code.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let calls = ["collector::set(", "collector::confirm(", "collector::cancel("];
    words.contains(&"collector") && (words.contains(&"ConfirmedCommit") || calls.iter().any(|c| code.contains(c)))
}

#[cfg(test)]
mod tests {
    use super::{names_permit, sets_by_gnmi};

    #[test]
    fn a_gnmi_set_is_seen_and_the_rate_of_a_probe_is_not_one() {
        assert!(sets_by_gnmi("let done = collector::set(&target, &edit, None).await;"));
        assert!(sets_by_gnmi("use collector::{ConfirmedCommit, dial};"));
        assert!(!sets_by_gnmi("collector::set_probe_rate(target, &probe, 5, 60).await"));
        assert!(!sets_by_gnmi("// collector::set(target)"));
    }

    #[test]
    fn comments_and_other_words_do_not_count() {
        assert!(names_permit("use approval::Permit;"));
        assert!(names_permit("use approval::{\n    Permit,\n};"));
        assert!(!names_permit("// approval::Permit"));
        assert!(!names_permit("use approval::Permitted;"));
        assert!(!names_permit("enum Action { Permit, Deny }"));
    }
}
