//! The flow door: one UDP socket for NetFlow v5 and v9, IPFIX and sFlow v5, told apart by content.

use crate::clock::now_ns;
use crate::error::CollectError;
use action::DeviceId;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use flow::{Exporter, FlowRecord};
use network::Inventory;
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};
use tracing::{error, warn};

/// Port of IPFIX (RFC 7011 §10.3.1) plus 13000, so that no root is needed.
pub const FLOW_DEFAULT_PORT: u16 = 17739;
/// Asked of the kernel; it grants at most `net.core.rmem_max` (twice, on Linux). A burst of 3,000 full datagrams fits.
const RECEIVE_BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// Largest UDP payload.
const DATAGRAM_BYTES_MAX: usize = 65_535;
/// How often the kernel is asked what it dropped.
const KERNEL_EVERY: Duration = Duration::from_secs(2);
/// Pause after a failed read, so that the loop does not spin.
const READ_PAUSE: Duration = Duration::from_millis(200);
/// Exporting processes that are followed. A process is an address and a port (the transport session of RFC 7011 §2): two of them on one
/// router number their templates and samplers apart. The one that was silent for longest makes room.
const EXPORTERS_MAX: usize = 4096;
/// Unknown senders that are named in the log once each; beyond it they are only counted.
const NAMED_SENDERS_MAX: usize = 64;

/// Returns the address to listen on unless told otherwise: loopback only.
#[must_use]
pub const fn flow_default_address() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), FLOW_DEFAULT_PORT)
}

/// Returns who may send flow export: each device from the address its BMP comes from, and from its router id.
#[must_use]
pub fn flow_exporters(inventory: &Inventory) -> BTreeMap<IpAddr, DeviceId> {
    let loopbacks = inventory.devices.iter().filter(|d| !d.router_id.is_unspecified()).map(|d| (IpAddr::V4(d.router_id), d.id.clone()));
    let sessions = inventory.devices.iter().filter_map(|d| Some((d.bmp.as_ref()?.address, d.id.clone())));
    loopbacks.chain(sessions).collect()
}

/// Counts of the listener, readable while it runs.
#[derive(Debug, Default)]
pub struct FlowCounters {
    /// Datagrams of unknown senders.
    pub refused: AtomicU64,
    /// Datagrams of known ones.
    pub datagrams: AtomicU64,
    /// Flow records handed on.
    pub records: AtomicU64,
    /// Flow records dropped because the engine was slower than the exporters.
    pub dropped_records: AtomicU64,
    /// Faults found in datagrams.
    pub faults: AtomicU64,
    /// Datagrams that never came, by sequence number (NetFlow v9, sFlow).
    pub lost_datagrams: AtomicU64,
    /// Flow records that never came, by sequence number (NetFlow v5, IPFIX).
    pub lost_records: AtomicU64,
    /// Datagrams that the kernel dropped because its buffer was full, where it tells.
    pub kernel_drops: AtomicU64,
    /// What the kernel granted as receive buffer, bytes.
    pub receive_buffer_bytes: AtomicU64,
}

/// The flow records of one datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowBatch {
    /// Who sent it.
    pub device: DeviceId,
    /// In the order of the datagram.
    pub records: Vec<FlowRecord>,
}

/// A bound socket.
#[derive(Debug)]
pub struct FlowListener {
    socket: UdpSocket,
    allowed: BTreeMap<IpAddr, DeviceId>,
    counters: Arc<FlowCounters>,
}

fn open(address: SocketAddr) -> std::io::Result<(UdpSocket, usize)> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    // less than asked is still a receiver; what was granted is counted
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
    let granted = socket.recv_buffer_size()?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok((UdpSocket::from_std(socket.into())?, granted))
}

impl FlowListener {
    /// Takes the port. Only the senders in `allowed` are read, each as its device.
    ///
    /// # Errors
    /// [`CollectError::FlowBind`].
    pub fn bind(address: SocketAddr, allowed: BTreeMap<IpAddr, DeviceId>) -> Result<Self, CollectError> {
        let (socket, granted) = open(address).map_err(|source| CollectError::FlowBind { address, source })?;
        let counters = FlowCounters { receive_buffer_bytes: AtomicU64::new(granted as u64), ..FlowCounters::default() };
        Ok(Self { socket, allowed, counters: Arc::new(counters) })
    }

    /// Returns where it listens (the port that was given for port 0).
    ///
    /// # Errors
    /// The socket's own.
    pub fn local_address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Returns the counters.
    #[must_use]
    pub fn counters(&self) -> Arc<FlowCounters> {
        Arc::clone(&self.counters)
    }

    /// Reads until the receiver of `tx` is gone. Nothing that a sender does ends it, and a full queue never makes it wait: what finds no
    /// room is dropped and counted.
    pub async fn run(self, tx: mpsc::Sender<FlowBatch>) {
        let mut exporters: BTreeMap<(IpAddr, u16), (Exporter, Instant)> = BTreeMap::new();
        let mut named = BTreeSet::new();
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        let mut ask_kernel = tokio::time::interval_at(Instant::now() + KERNEL_EVERY, KERNEL_EVERY);
        ask_kernel.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let received = tokio::select! {
                received = self.socket.recv_from(&mut buffer) => received,
                _ = ask_kernel.tick() => {
                    self.ask_kernel().await;
                    continue;
                }
                () = tx.closed() => return,
            };
            match received {
                Ok((length, from)) => {
                    let process = (from.ip().to_canonical(), from.port());
                    let Some(device) = self.allowed.get(&process.0) else {
                        self.refuse(process.0, &mut named);
                        continue;
                    };
                    if exporters.len() >= EXPORTERS_MAX
                        && !exporters.contains_key(&process)
                        && let Some(silent) = exporters.iter().min_by_key(|(_, (_, heard))| *heard).map(|(p, _)| *p)
                    {
                        exporters.remove(&silent);
                    }
                    let (exporter, heard) = exporters.entry(process).or_insert_with(|| (Exporter::new(process.0), Instant::now()));
                    *heard = Instant::now();
                    self.take(device, exporter, buffer.get(..length).unwrap_or_default(), &tx);
                }
                Err(cause) => {
                    warn!(%cause, "reading flow export failed");
                    tokio::time::sleep(READ_PAUSE).await;
                }
            }
        }
    }

    fn refuse(&self, address: IpAddr, named: &mut BTreeSet<IpAddr>) {
        self.counters.refused.fetch_add(1, Ordering::Relaxed);
        if named.len() < NAMED_SENDERS_MAX && named.insert(address) {
            error!("{}", CollectError::UnknownExporter { address });
        }
    }

    fn take(&self, device: &DeviceId, exporter: &mut Exporter, bytes: &[u8], tx: &mpsc::Sender<FlowBatch>) {
        let c = &self.counters;
        let before = *exporter.counters();
        let decoded = exporter.datagram(bytes, now_ns());
        let after = exporter.counters();
        c.datagrams.fetch_add(1, Ordering::Relaxed);
        c.faults.fetch_add(after.faults - before.faults, Ordering::Relaxed);
        c.lost_datagrams.fetch_add(after.lost_datagrams - before.lost_datagrams, Ordering::Relaxed);
        c.lost_records.fetch_add(after.lost_records - before.lost_records, Ordering::Relaxed);
        if let Some(fault) = decoded.errors.first()
            && before.faults == 0
        {
            warn!(%device, %fault, "flow export cannot be read whole; further faults are counted");
        }
        let count = decoded.records.len() as u64;
        if count == 0 {
            return;
        }
        let sent = tx.try_send(FlowBatch { device: device.clone(), records: decoded.records });
        let counter = if sent.is_ok() { &c.records } else { &c.dropped_records };
        counter.fetch_add(count, Ordering::Relaxed);
    }

    async fn ask_kernel(&self) {
        let Ok(address) = self.socket.local_addr() else { return };
        let table = if address.is_ipv4() { "/proc/net/udp" } else { "/proc/net/udp6" };
        if let Ok(text) = tokio::fs::read_to_string(table).await
            && let Some(drops) = kernel_drops(&text, address.port())
        {
            self.counters.kernel_drops.store(drops, Ordering::Relaxed);
        }
    }
}

/// Reads the drops of the socket on `port` out of `/proc/net/udp`: `sl local_address … drops`, the port in hex behind the colon.
fn kernel_drops(table: &str, port: u16) -> Option<u64> {
    let ours = format!(":{port:04X}");
    let lines = table.lines().skip(1).filter(|l| l.split_whitespace().nth(1).is_some_and(|local| local.ends_with(&ours)));
    lines.filter_map(|l| l.split_whitespace().last()?.parse::<u64>().ok()).reduce(u64::saturating_add)
}
