//! Doing something inside another network namespace, on a thread of its own, so that the caller's threads never leave theirs.

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::os::fd::AsFd;
use std::path::PathBuf;

/// Why something could not be done inside a namespace.
#[derive(Debug, thiserror::Error)]
pub enum NamespaceError {
    /// There is no such namespace.
    #[error("cannot open network namespace {name} (/run/netns/{name}); is the lab up?")]
    Open {
        /// The namespace.
        name: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The kernel refused.
    #[error("cannot enter network namespace {name}; entering needs CAP_SYS_ADMIN, run as root")]
    Enter {
        /// The namespace.
        name: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The thread inside could not be started or died.
    #[error("the thread inside network namespace {name} did not finish")]
    Thread {
        /// The namespace.
        name: String,
    },
}

/// Runs `work` inside the named namespace and returns what it returns. Sockets made there stay there.
///
/// # Errors
/// When the namespace is not there or may not be entered.
pub fn inside<T: Send>(name: &str, work: impl FnOnce() -> T + Send) -> Result<T, NamespaceError> {
    let path = PathBuf::from("/run/netns").join(name);
    let file = std::fs::File::open(path).map_err(|source| NamespaceError::Open { name: name.to_owned(), source })?;
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
                .map_err(|e| NamespaceError::Enter { name: name.to_owned(), source: e.into() })?;
            Ok(work())
        });
        thread.join().unwrap_or_else(|_| Err(NamespaceError::Thread { name: name.to_owned() }))
    })
}
