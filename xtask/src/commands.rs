//! What cargo itself checks: format and lints.

use crate::{Outcome, Workspace};
use anyhow::Context;
use std::process::Command;

/// The fuzz targets are a workspace of their own: their lock file has to follow what our crates depend on.
pub fn locks(workspace: &Workspace) -> Outcome {
    let found = cargo(
        workspace,
        &["metadata", "--quiet", "--locked", "--format-version", "1", "--manifest-path", "fuzz/Cargo.toml"],
        "as the manifests say",
    );
    Ok(found?.map_err(|mut lines| {
        lines.push("run: cargo update --workspace --manifest-path fuzz/Cargo.toml".to_owned());
        lines
    }))
}

/// Most lines of a tool's output that are repeated.
const LINES_MAX: usize = 60;

/// `cargo fmt`.
pub fn format(workspace: &Workspace) -> Outcome {
    cargo(workspace, &["fmt", "--all", "--check"], "formatted")
}

/// `cargo clippy` without warnings on what is shipped; the bans of `crates/core` and `crates/protocol` are among its lints.
pub fn lints(workspace: &Workspace) -> Outcome {
    let mut arguments = vec!["clippy", "--quiet", "--lib", "--bins", "--examples"];
    if workspace.desktop {
        arguments.push("--workspace");
    }
    arguments.extend(["--", "-D", "warnings"]);
    cargo(workspace, &arguments, if workspace.desktop { "no warnings, desktop included" } else { "no warnings (desktop left out)" })
}

/// The same on tests. They may read captures and settings, so the bans of the pure crates do not hold there.
pub fn lints_of_tests(workspace: &Workspace) -> Outcome {
    // clippy takes `unwrap` for granted in `#[test]` functions only; the functions they call are tests as well
    let unwraps = ["-A", "clippy::unwrap_used", "-A", "clippy::expect_used", "-A", "clippy::panic"];
    let bans = ["-A", "clippy::disallowed_methods", "-A", "clippy::disallowed_types"];
    let mut arguments = vec!["clippy", "--quiet", "--tests", "--", "-D", "warnings"];
    arguments.extend(bans);
    arguments.extend(unwraps);
    cargo(workspace, &arguments, "no warnings")
}

fn cargo(workspace: &Workspace, arguments: &[&str], remark: &str) -> Outcome {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(arguments)
        .current_dir(&workspace.root)
        .output()
        .with_context(|| format!("running cargo {}", arguments.join(" ")))?;
    if output.status.success() {
        return Ok(Ok(remark.to_owned()));
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let mut lines: Vec<String> = text.lines().filter(|l| !l.trim().is_empty()).map(str::to_owned).collect();
    let more = lines.len().saturating_sub(LINES_MAX);
    lines.truncate(LINES_MAX);
    if more > 0 {
        lines.push(format!("({more} lines more: cargo {})", arguments.join(" ")));
    }
    Ok(Err(lines))
}
