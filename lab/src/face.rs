//! The node face: makes an FRR router look like one that speaks OpenConfig gNMI and NETCONF.
//!
//! One process per router, inside its namespace, so that the confirm timer of a pending commit lives when the engine dies. It promises
//! to serve what the daemons really say, and to answer `<ok/>` only for what the router then really runs. Its input is a [`FaceConfig`].

pub mod config;
pub(crate) mod frr;
pub(crate) mod gnmi;
pub mod netconf;
pub(crate) mod probes;
mod secret;
mod tree;
mod volumes;
mod vty;

pub use config::{FaceConfig, ProbeConfig, VolumeConfig};
pub use probes::Stamp;
pub(crate) use tree::now_ns;
pub use tree::{Change, Tree};
pub(crate) use volumes::volume_state;

use crate::RunResult;
use std::net::SocketAddr;
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
    // only the first subscriber of a process counts; logs go where the driver put standard error
    let _ = tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stderr).with_env_filter(log_filter()).try_init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let face = Face::bind(config).await?;
        tokio::select! {
            ended = face.run() => ended,
            () = terminated() => Ok(()),
        }
    })
}

/// A face whose addresses are bound.
#[derive(Debug)]
pub struct Face {
    config: FaceConfig,
    gnmi: TcpListener,
    netconf: TcpListener,
}

impl Face {
    /// Binds the addresses; port 0 takes any.
    ///
    /// # Errors
    /// When one is taken or not ours.
    pub async fn bind(config: FaceConfig) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let bind = |address| async move { TcpListener::bind(address).await.map_err(|e| format!("cannot listen on {address}: {e}")) };
        let (gnmi, netconf) = (bind(config.gnmi).await?, bind(config.netconf).await?);
        Ok(Self { config, gnmi, netconf })
    }

    /// Returns the bound addresses, gNMI then NETCONF.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn addresses(&self) -> std::io::Result<(SocketAddr, SocketAddr)> {
        Ok((self.gnmi.local_addr()?, self.netconf.local_addr()?))
    }

    /// Serves until a server fails.
    ///
    /// # Errors
    /// What failed, usually a key or certificate that cannot be read.
    pub async fn run(self) -> RunResult {
        let Self { config, gnmi, netconf } = self;
        let tree = Tree::default();
        let (_stop, stopped) = watch::channel(false);
        let rates = probes::start(&tree, &config.probes);
        let options = netconf::NetconfOptions {
            host_key: config.host_key.clone(),
            users: config.users.clone(),
            router: Arc::new(netconf::FrrRouter::new(config.vty_dir.clone())),
            state_file: config.state_dir.join("pending-commit.json"),
            faults: netconf::FaultSwitch::new(config.fault_file.clone()),
        };
        let telemetry = gnmi::serve(gnmi, tree.clone(), rates, config.tls.clone(), config.users.clone());
        tokio::select! {
            ended = telemetry => ended,
            ended = netconf::serve(netconf, options, stopped) => ended,
            () = volumes::watch(tree.clone(), config.volumes.clone()) => Ok(()),
            () = frr::watch(tree, config.router.clone(), frr::Bgpd::new(&config)) => Ok(()),
        }
    }
}

/// `RUST_LOG`, else what an operator of a lab wants to know.
fn log_filter() -> tracing_subscriber::EnvFilter {
    tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("lab=info,warn"))
}

async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut signal) => drop(signal.recv().await),
        Err(_) => std::future::pending().await,
    }
}
