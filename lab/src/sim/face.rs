//! The face of one simulated router: the gNMI and NETCONF servers of the other lab's faces in front of it, and its BMP session.

use super::bmp;
use super::clock::Clock;
use super::effort::Effort;
use super::plug;
use super::show;
use crate::RunResult;
use crate::face::frr::{self, Daemon};
use crate::face::netconf::{self, FaultSwitch, NetconfOptions, Router, RouterError};
use crate::face::probes::Rates;
use crate::face::{Tree, gnmi as gnmi_server};
use gnmi::{Path, Value};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{broadcast, watch};

/// A router that has no station tries again after this long (as `bmp connect … min-retry 500` does).
const RETRY: Duration = Duration::from_millis(500);
/// Between two Statistics Reports (as `bmp stats interval 5000`).
const STATISTICS_EVERY: Duration = Duration::from_secs(5);
/// A station that takes nothing for this long is gone.
const WRITE_WITHIN: Duration = Duration::from_secs(10);

/// What a face is told at its start.
#[derive(Debug)]
pub struct Face {
    /// The router, by node index.
    pub index: usize,
    /// Its id.
    pub router: String,
    /// gNMI listens here.
    pub gnmi: TcpListener,
    /// NETCONF listens here.
    pub netconf: TcpListener,
    /// Certificate chain and key; `None`: plaintext.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// SSH host key.
    pub host_key: PathBuf,
    /// Users and passwords.
    pub users: Vec<(String, String)>,
    /// Its folder: pending commit and fault file.
    pub dir: PathBuf,
    /// What gNMI serves.
    pub tree: Tree,
    /// Handles to the rates of its probes.
    pub rates: Rates,
    /// It sends BMP.
    pub monitored: bool,
}

impl Face {
    /// Serves until a server fails.
    ///
    /// # Errors
    /// What failed.
    pub async fn run(self, clock: Clock, engine: watch::Receiver<Option<SocketAddr>>, power: watch::Receiver<bool>) -> RunResult {
        let inner = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let (gnmi, netconf) = (inner().await?, inner().await?);
        let plugs =
            [plug::serve(self.gnmi, gnmi.local_addr()?, power.clone()), plug::serve(self.netconf, netconf.local_addr()?, power.clone())];
        let [telemetry_plug, netconf_plug] = plugs;
        let router = SimRouter { clock: clock.clone(), index: self.index, effort: Effort::default() };
        let options = NetconfOptions {
            host_key: self.host_key,
            users: self.users.clone(),
            router: Arc::new(router.clone()),
            state_file: self.dir.join("pending-commit.json"),
            faults: FaultSwitch::new(self.dir.join("face-fault")),
        };
        let (_stop, stopped) = watch::channel(false);
        let telemetry = gnmi_server::serve(gnmi, self.tree.clone(), self.rates, self.tls, self.users);
        tokio::select! {
            ended = telemetry => ended,
            ended = netconf::serve(netconf, options, stopped) => ended,
            () = frr::watch(self.tree, self.router, router) => Ok(()),
            () = monitor(clock, self.index, engine, power), if self.monitored => Ok(()),
            () = telemetry_plug => Ok(()),
            () = netconf_plug => Ok(()),
        }
    }
}

/// A simulated router as its servers see it.
#[derive(Clone, Debug)]
struct SimRouter {
    clock: Clock,
    index: usize,
    effort: Effort,
}

impl Router for SimRouter {
    async fn running(&self) -> Result<String, RouterError> {
        Ok(self.clock.look(|w| w.routers[self.index].settings.text()))
    }

    async fn configure(&self, lines: &[String]) -> Result<(), RouterError> {
        self.clock.touch(|w| w.configure(self.index, lines)).map_err(|e| RouterError::Refused(e.to_string()))
    }
}

impl Daemon for SimRouter {
    async fn show(&mut self, command: &str) -> io::Result<String> {
        let unknown = || io::Error::other(format!("% Unknown command: {command}"));
        self.clock.look(|w| show::answer(&w.routers[self.index], command)).ok_or_else(unknown)
    }

    fn system(&mut self) -> Vec<(Path, Value)> {
        let look = self.clock.look(|w| {
            let work = w.work(self.index);
            (work, w.interfaces(self.index))
        });
        let mut out = self.effort.since(look.0);
        out.extend(look.1);
        out
    }
}

/// Keeps a BMP session with the engine while there is one.
async fn monitor(clock: Clock, index: usize, mut engine: watch::Receiver<Option<SocketAddr>>, mut power: watch::Receiver<bool>) {
    loop {
        let on = *power.borrow_and_update();
        let to = engine.borrow_and_update().filter(|_| on);
        let session = async {
            match to {
                Some(to) => match dial(index, to).await {
                    Ok(stream) => {
                        if let Err(error) = report(&clock, index, stream).await {
                            tracing::info!(router = index, %error, "BMP session ended");
                        }
                    }
                    Err(error) => tracing::debug!(router = index, %error, "no BMP station"),
                },
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = session => tokio::time::sleep(RETRY).await,
            changed = engine.changed() => if changed.is_err() { return },
            changed = power.changed() => if changed.is_err() { return },
        }
    }
}

async fn dial(index: usize, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::new(IpAddr::V4(bmp::source(index)), 0))?;
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Sends tables, then every change. A session that fell behind ends: a new one begins with whole tables.
async fn report(clock: &Clock, index: usize, mut stream: TcpStream) -> io::Result<()> {
    // in one look, so that no change falls between tables and changes
    let (opening, mut changes) = clock.look(|w| (bmp::opening(&w.routers[index]), w.feeds[index].subscribe()));
    send(&mut stream, &opening.concat()).await?;
    let mut statistics = tokio::time::interval(STATISTICS_EVERY);
    loop {
        tokio::select! {
            change = changes.recv() => match change {
                Ok(message) => send(&mut stream, &message).await?,
                Err(broadcast::error::RecvError::Lagged(n)) => return Err(io::Error::other(format!("{n} messages behind"))),
                Err(broadcast::error::RecvError::Closed) => return Ok(()),
            },
            _ = statistics.tick() => {
                let messages = clock.look(|w| bmp::statistics(&w.routers[index]));
                send(&mut stream, &messages.concat()).await?;
            }
        }
    }
}

async fn send(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    tokio::time::timeout(WRITE_WITHIN, stream.write_all(bytes)).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}
