//! What every file of ours has in common: size, and text that belongs to no single machine.

use crate::{Outcome, Workspace, verdict};
use anyhow::Context;
use std::process::Command;

/// Longest source file, in lines: beyond this nobody reads it in one go (CONVENTIONS.md §8).
const LINES_MAX: usize = 900;

const SOURCE: [&str; 5] = ["rs", "ts", "svelte", "sh", "py"];

/// Written by tools, as long as they come.
const GENERATED: [&str; 4] = ["Cargo.lock", "package-lock.json", "go.sum", "ui/src/bindings/"];

/// Text that ties the project to one machine or was left over, in two parts so that this file does not find itself.
const LEFT_OVER: [(&str, &str, &str); 7] = [
    ("/wo", "rk/", "the path of one machine"),
    ("/ro", "ot/", "the path of one machine"),
    ("/ho", "me/", "the path of one machine"),
    ("<<<<", "<<< ", "a merge that was not finished"),
    (">>>>", ">>> ", "a merge that was not finished"),
    ("db", "g!(", "a debugging aid"),
    ("FIX", "ME", "name what is wrong in an issue, or mend it"),
];

/// Checks every file that git knows or would add.
pub fn check(workspace: &Workspace) -> Outcome {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(&workspace.root)
        .output()
        .context("asking git for the files")?;
    let listed = String::from_utf8(listed.stdout)?;
    let (mut findings, mut count) = (Vec::new(), 0);
    for name in listed.lines().filter(|n| !GENERATED.iter().any(|g| n.ends_with(g) || n.starts_with(g))) {
        // what is no text (icons), or was deleted and not yet committed, has nothing to say
        let Ok(text) = std::fs::read_to_string(workspace.root.join(name)) else { continue };
        count += 1;
        let lines = text.lines().count();
        if lines > LINES_MAX && name.rsplit('.').next().is_some_and(|extension| SOURCE.contains(&extension)) {
            findings.push(format!("{name}: {lines} lines, at most {LINES_MAX}"));
        }
        for (number, line) in (1..).zip(text.lines()) {
            for (first, rest, why) in LEFT_OVER {
                if line.contains(&format!("{first}{rest}")) {
                    findings.push(format!("{name}:{number}: {first}{rest} is {why}"));
                }
            }
        }
    }
    Ok(verdict(format!("{count} text files"), findings))
}
