//! Labs: real routing daemons in network namespaces, or simulated routers inside one process, with links that can be made slow, lossy, full or
//! dead, and the faces that make them look like OpenConfig routers.
//!
//! A lab is described by one topology file ([`topology`]), booted by [`netns`] or [`sim`], disturbed by [`scenario`], which sees no difference. It touches nothing outside the
//! namespaces, processes and directory it made, and removes exactly those. Its processes are subcommands of `pilothouse-lab`.

pub mod face;
pub mod impair;
pub mod namespace;
pub mod netns;
pub mod reflector;
pub mod relay;
pub mod scenario;
pub mod sim;
pub mod topology;
pub mod traffic;

/// What a subcommand of `pilothouse-lab` answers; the binary prints the chain of an error and exits with 1.
pub type RunResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// A subcommand: takes the arguments after its name.
pub type Run = fn(&[String]) -> RunResult;

/// Returns the error and its causes in one line, outermost first.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(c) = cause {
        text.push_str(": ");
        text.push_str(&c.to_string());
        cause = c.source();
    }
    text
}

/// Returns the value of `--config` (every subcommand takes exactly that).
///
/// # Errors
/// When it is missing.
pub fn config_argument(args: &[String]) -> Result<std::path::PathBuf, UsageError> {
    match args {
        [flag, path] if flag == "--config" => Ok(path.into()),
        _ => Err(UsageError),
    }
}

/// The arguments of a subcommand are not `--config FILE`.
#[derive(Debug, thiserror::Error)]
#[error("usage: pilothouse-lab <subcommand> --config FILE")]
pub struct UsageError;
