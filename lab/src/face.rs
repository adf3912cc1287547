//! The node face: makes an FRR router look like one that speaks OpenConfig gNMI and NETCONF.
//!
//! One process per router, inside its namespace, so that the confirm timer of a pending commit lives when the engine dies. It promises
//! to serve what the daemons really say, and to answer `<ok/>` only for what the router then really runs. Its input is a [`FaceConfig`].

mod config;
mod frr;
mod gnmi;
pub mod netconf;
mod probes;
mod tree;
mod volumes;
mod vty;

pub use config::{FaceConfig, ProbeConfig, VolumeConfig};
pub use probes::Stamp;
pub use tree::{Change, Tree};

use crate::RunResult;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Runs a face until it is terminated: `pilothouse-lab face --config FILE`.
///
/// # Errors
/// When the configuration cannot be read or an address cannot be bound.
pub fn run(args: &[String]) -> RunResult {
    let path = crate::config_argument(args)?;
    let text = std::fs::read_to_string(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    let config: FaceConfig = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(config))
}

async fn serve(config: FaceConfig) -> RunResult {
    let tree = Tree::default();
    let bind = |address| async move { TcpListener::bind(address).await.map_err(|e| format!("cannot listen on {address}: {e}")) };
    let gnmi_listener = bind(config.gnmi).await?;
    let netconf_listener = bind(config.netconf).await?;
    let (stop, stopped) = watch::channel(false);
    let rates = probes::start(&tree, &config.probes);
    tokio::spawn(volumes::watch(tree.clone(), config.volumes.clone()));
    tokio::spawn(frr::watch(tree.clone(), config.clone()));
    let options = netconf::NetconfOptions {
        host_key: config.host_key.clone(),
        users: config.users.clone(),
        router: Arc::new(netconf::FrrRouter::new(config.vty_dir.clone())),
        state_file: config.state_dir.join("pending-commit.json"),
        faults: netconf::FaultSwitch::new(config.fault_file.clone()),
    };
    let edits = tokio::spawn(netconf::serve(netconf_listener, options, stopped));
    let telemetry = gnmi::serve(gnmi_listener, tree, rates, config.tls.clone(), config.users.clone());
    tokio::select! {
        ended = telemetry => ended?,
        ended = edits => ended.map_err(|e| e.to_string())??,
        _ = terminated() => {}
    }
    // servers that are gone need no telling
    let _ = stop.send(true);
    Ok(())
}

async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut signal) => drop(signal.recv().await),
        Err(_) => std::future::pending().await,
    }
}
