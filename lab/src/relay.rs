//! Makes a lab's management network reachable from the host's loopback, without a bridge or route on the host.
//!
//! ```text
//!  management namespace                     pilothouse-lab relay                    host loopback
//!  10.99.0.N  ─ BMP ─► 10.99.0.254:17442 ── accept, connect from 127.99.0.N ─────►  engine's BMP address
//!  10.99.0.N  ─ flow ─► 10.99.0.254:17739 ─ UDP from 127.99.0.N ───────────────►  engine's flow address
//!  10.99.0.N  ─ syslog► 10.99.0.254:17514 ─ UDP from 127.99.0.N ───────────────►  engine's syslog address
//!  10.99.0.N:57400 ◄── connect ──────────────────── accept ── 127.0.0.1:<port> ◄──  engine's gNMI client
//!  10.99.0.N:830   ◄── connect ──────────────────── accept ── 127.0.0.1:<port> ◄──  engine's NETCONF client
//! ```
//! A BMP session is taken only when the engine takes it too, so every session the engine sees starts with a full table; routers try again
//! within two seconds. The source address tells the engine which router speaks.

mod control;
mod stream;

pub use control::{EngineDoors, RelayError, attach};

use crate::namespace::inside;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;

/// Port in the management namespace that routers send flow export to.
pub const FLOW_PORT: u16 = 17739;
/// Port in the management namespace that routers send syslog to, UDP.
pub const SYSLOG_PORT: u16 = 17514;

/// Configuration of the subcommand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Control socket.
    pub control: PathBuf,
    /// Written when everything listens: name of each forward and its host address.
    pub ports: PathBuf,
    /// Management namespace.
    pub namespace: String,
    /// Where routers send BMP to, in that namespace.
    pub bmp_listen: SocketAddr,
    /// Where the engine sees each router's BMP session come from, by the router's management address.
    pub bmp_sources: BTreeMap<Ipv4Addr, Ipv4Addr>,
    /// Services of the routers to offer on the host.
    pub forwards: Vec<Forward>,
}

/// One service of a router.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    /// Name in the ports file (`r1/gnmi`).
    pub name: String,
    /// Its address in the management namespace.
    pub to: SocketAddr,
}

/// What the ports file holds.
pub type Ports = BTreeMap<String, SocketAddr>;

/// Runs the subcommand until it is ended.
///
/// # Errors
/// When the configuration cannot be read or an address cannot be listened on.
pub fn run(args: &[String]) -> crate::RunResult {
    let config: Config = serde_json::from_slice(&std::fs::read(crate::config_argument(args)?)?)?;
    let listen = config.bmp_listen;
    let bmp = inside(&config.namespace, || std::net::TcpListener::bind(listen))??;
    let udp = |port| inside(&config.namespace, || std::net::UdpSocket::bind(SocketAddr::new(listen.ip(), port)));
    let (flow, syslog) = (udp(FLOW_PORT)??, udp(SYSLOG_PORT)??);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(config, bmp, flow, syslog))
}

async fn serve(config: Config, bmp: std::net::TcpListener, flow: std::net::UdpSocket, syslog: std::net::UdpSocket) -> crate::RunResult {
    let (engine, address) = tokio::sync::watch::channel(EngineDoors::default());
    let inner = |socket: std::net::UdpSocket| {
        socket.set_nonblocking(true)?;
        tokio::net::UdpSocket::from_std(socket)
    };
    tokio::spawn(stream::datagrams(inner(flow)?, config.bmp_sources.clone(), address.clone(), |doors| doors.flow));
    tokio::spawn(stream::datagrams(inner(syslog)?, config.bmp_sources.clone(), address.clone(), |doors| doors.syslog));
    let mut ports = Ports::new();
    for forward in &config.forwards {
        let listener = tokio::net::TcpListener::bind(SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))).await?;
        ports.insert(forward.name.clone(), listener.local_addr()?);
        tokio::spawn(stream::forward(listener, config.namespace.clone(), forward.to));
    }
    bmp.set_nonblocking(true)?;
    tokio::spawn(stream::bmp(tokio::net::TcpListener::from_std(bmp)?, config.bmp_sources, address));
    let new = config.ports.with_extension("new");
    std::fs::write(&new, serde_json::to_vec_pretty(&ports)?)?;
    std::fs::rename(&new, &config.ports)?;
    control::serve(&config.control, &engine).await
}
