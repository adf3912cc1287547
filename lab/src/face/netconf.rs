//! NETCONF over SSH (RFC 6241, RFC 6242): base 1.0 and 1.1, candidate, confirmed-commit 1.1, validate, rollback-on-error.
//!
//! Every commit is read back: `<ok/>` means that the router shows the edits. A confirmed commit is undone by its inverse when it is not
//! confirmed in time, and the text is compared with the one before, byte by byte; what somebody else changed meanwhile is kept and named.

mod answer;
mod commit;
mod device;
mod difference;
mod fault;
mod owner;
mod pending;
mod render;
mod router;
mod session;
mod ssh;

#[cfg(test)]
mod tests;

pub use fault::{Fault, FaultSwitch, UnknownFault};
pub use render::{NATIVE_NS, NODE_NS};
pub use router::{FrrRouter, Router, RouterError};

use crate::RunResult;
use crate::face::tree::now_ns;
use device::Device;
use pending::StateFile;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use units::Timestamp;

/// What a server is told at its start.
#[derive(Debug)]
pub struct NetconfOptions<R> {
    /// SSH host key, OpenSSH format.
    pub host_key: PathBuf,
    /// Users and passwords.
    pub users: Vec<(String, String)>,
    /// The router behind it.
    pub router: Arc<R>,
    /// Where a pending commit is written down.
    pub state_file: PathBuf,
    /// Switch to misbehave.
    pub faults: FaultSwitch,
}

/// Serves until `stop` becomes true.
///
/// # Errors
/// When the host key or the file of a pending commit cannot be read.
pub async fn serve<R: Router>(listener: TcpListener, options: NetconfOptions<R>, stop: watch::Receiver<bool>) -> RunResult {
    let NetconfOptions { host_key, users, router, state_file, faults } = options;
    let key = russh::keys::load_secret_key(&host_key, None).map_err(|e| format!("host key {}: {e}", host_key.display()))?;
    let now = Timestamp::from_nanos(now_ns());
    let device = Device::new(router, faults, StateFile::new(state_file.clone()), now).map_err(|e| {
        format!("pending commit in {}: {e}; compare the router with its snapshot, then remove the file", state_file.display())
    })?;
    let (calls, queue) = mpsc::channel(owner::QUEUE);
    tokio::select! {
        () = owner::run(device, queue, stop) => {}
        () = ssh::accept(listener, key, users, calls) => {}
    }
    Ok(())
}
