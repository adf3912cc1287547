//! Migrations: `migrations/{state,ledger,telemetry}/NNNN_name.sql`, from 0001 without gaps.

use crate::{Outcome, Workspace, verdict};
use anyhow::Context;

const DATABASES: [&str; 3] = ["state", "ledger", "telemetry"];

/// Checks names and numbers.
pub fn check(workspace: &Workspace) -> Outcome {
    let (mut findings, mut count) = (Vec::new(), 0);
    let folder = workspace.root.join("migrations");
    for entry in std::fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !DATABASES.contains(&name.as_str()) {
            findings.push(format!("migrations/{name} belongs to no database"));
        }
    }
    for database in DATABASES {
        let folder = folder.join(database);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        count += names.len();
        for (expected, name) in (1u32..).zip(&names) {
            let number =
                name.strip_suffix(".sql").and_then(|n| n.split_once('_')).filter(|(number, rest)| number.len() == 4 && !rest.is_empty());
            if number.and_then(|(n, _)| n.parse().ok()) != Some(expected) {
                findings.push(format!("migrations/{database}/{name}: expected {expected:04}_<name>.sql here"));
            }
        }
    }
    Ok(verdict(format!("{count} numbered without gaps"), findings))
}
