//! The syslog door: UDP (RFC 5426), TCP (RFC 6587) and TLS (RFC 5425), in one queue.
//!
//! UDP cannot be held back: a datagram that finds the queue full is dropped and counted. TCP and TLS are held back by not reading.

use crate::error::chain;
use action::DeviceId;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use network::Inventory;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use syslog::{FRAME_BYTES_MAX, Framer};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tracing::{error, warn};
use units::Timestamp;

/// A UDP datagram has at most so many bytes.
const DATAGRAM_BYTES: usize = 65_535;
/// Bytes read at once from a stream.
const READ_BYTES: usize = 16 * 1024;
/// Streams open at once; a router has one or two.
const STREAMS_MAX: usize = 256;
/// Streams open at once from one address.
const STREAMS_PER_SENDER_MAX: usize = 8;
/// A TLS handshake takes two turns; what takes longer is none.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// Unknown senders that are named in the log once each; beyond it they are only counted.
const NAMED_SENDERS_MAX: usize = 64;
/// Pause after a failed accept, so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// Attempts to find one free port for UDP and TCP when none was asked for.
const PORT_TRIES: usize = 16;

/// Why syslog cannot be listened for, or a sender not be followed. The text starts with its code.
#[derive(Debug, thiserror::Error)]
pub enum SyslogError {
    /// The port cannot be taken.
    #[error(
        "PH-COLL-030: listening for syslog on {address} ({transport}) failed; ports below 1024 need rights, and another collector may run"
    )]
    Bind {
        /// Where.
        address: SocketAddr,
        /// `UDP`, `TCP` or `TLS`.
        transport: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A certificate or key file cannot be used.
    #[error("PH-COLL-031: {file} cannot be used for syslog over TLS ({why}); check the path, its rights and that it is PEM")]
    TlsFile {
        /// Which.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// Certificate and key are no pair, or the CA is none.
    #[error("PH-COLL-032: certificate, key and CA for syslog over TLS do not fit together")]
    TlsConfig {
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A sender that no device of the inventory is.
    #[error("PH-COLL-033: syslog from {address} refused: no device of the inventory has this address; add it, or stop the sender")]
    UnknownSender {
        /// Who.
        address: IpAddr,
    },
}

/// Files of the TLS door.
#[derive(Clone, Debug)]
pub struct SyslogTls {
    /// Where.
    pub address: SocketAddr,
    /// Certificate chain, PEM.
    pub cert: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
    /// CA of the senders' certificates, PEM; without it the address alone tells who sends.
    pub client_ca: Option<PathBuf>,
}

/// How a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A datagram.
    Udp,
    /// A stream.
    Tcp,
    /// A stream under TLS.
    Tls,
}

/// One message as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The device that the address belongs to.
    pub device: DeviceId,
    /// From where.
    pub from: SocketAddr,
    /// How.
    pub transport: Transport,
    /// When, by our clock.
    pub received: Timestamp,
    /// Offset in its stream; 0 for a datagram.
    pub offset: u64,
    /// Its bytes, at most [`FRAME_BYTES_MAX`].
    pub bytes: Vec<u8>,
    /// Bytes that were left out.
    pub cut: u64,
}

/// Counts of the doors, readable while they are open.
#[derive(Debug, Default)]
pub struct SyslogCounters {
    /// Messages handed on.
    pub messages: AtomicU64,
    /// Datagrams dropped because the queue was full.
    pub dropped: AtomicU64,
    /// Messages that were cut.
    pub cut: AtomicU64,
    /// Datagrams and streams of unknown senders.
    pub refused: AtomicU64,
    /// Streams that were refused because too many were open.
    pub crowded: AtomicU64,
    /// Streams that ended with an error: no syslog, no TLS, a broken connection.
    pub broken: AtomicU64,
}

/// The open doors.
#[derive(Debug)]
pub struct SyslogListener {
    udp: UdpSocket,
    tcp: TcpListener,
    tls: Option<(TcpListener, Tls)>,
    senders: BTreeMap<IpAddr, DeviceId>,
    counters: Arc<SyslogCounters>,
}

#[derive(Clone)]
struct Tls(TlsAcceptor);

impl core::fmt::Debug for Tls {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Tls")
    }
}

/// Returns who may send: every address that the inventory has of a device.
#[must_use]
pub fn syslog_senders(inventory: &Inventory) -> BTreeMap<IpAddr, DeviceId> {
    let mut senders = BTreeMap::new();
    for device in &inventory.devices {
        let host = |address: &String| address.rsplit_once(':').and_then(|(h, _)| h.trim_matches(['[', ']']).parse().ok());
        let addresses = [
            device.bmp.as_ref().map(|b| b.address),
            Some(device.router_id.into()).filter(|_| !device.router_id.is_unspecified()),
            device.gnmi.as_ref().and_then(|g| host(&g.address)),
            device.netconf.as_ref().and_then(|n| host(&n.address)),
        ];
        for address in addresses.into_iter().flatten() {
            senders.entry(address).or_insert_with(|| device.id.clone());
        }
    }
    senders
}

impl SyslogListener {
    /// Opens UDP and TCP at one address, and TLS where asked for. Only `senders` are let in, each as its device.
    ///
    /// # Errors
    /// [`SyslogError`].
    pub async fn bind(address: SocketAddr, tls: Option<&SyslogTls>, senders: BTreeMap<IpAddr, DeviceId>) -> Result<Self, SyslogError> {
        let (udp, tcp) = pair(address).await?;
        let tls = match tls {
            Some(tls) => {
                let acceptor = acceptor(tls)?;
                let bound = TcpListener::bind(tls.address).await;
                let listener = bound.map_err(|source| SyslogError::Bind { address: tls.address, transport: "TLS", source })?;
                Some((listener, Tls(acceptor)))
            }
            None => None,
        };
        Ok(Self { udp, tcp, tls, senders, counters: Arc::default() })
    }

    /// Returns where UDP and TCP are listened for.
    ///
    /// # Errors
    /// The socket's own.
    pub fn local_address(&self) -> std::io::Result<SocketAddr> {
        self.udp.local_addr()
    }

    /// Returns where TLS is listened for.
    #[must_use]
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.tls.as_ref().and_then(|(l, _)| l.local_addr().ok())
    }

    /// Returns the counters.
    #[must_use]
    pub fn counters(&self) -> Arc<SyslogCounters> {
        Arc::clone(&self.counters)
    }

    /// Listens until the receiver of `tx` is gone. Nothing that a sender does ends it.
    pub async fn run(self, tx: mpsc::Sender<Heard>) {
        let door = Door { senders: self.senders, counters: self.counters, named: BTreeSet::new() };
        let mut tasks = JoinSet::new();
        let streams = Door { senders: door.senders.clone(), counters: Arc::clone(&door.counters), named: BTreeSet::new() };
        if let Some((listener, tls)) = self.tls {
            let tls_door = Door { senders: door.senders.clone(), counters: Arc::clone(&door.counters), named: BTreeSet::new() };
            tasks.spawn(tls_door.streams(listener, Some(tls), tx.clone()));
        }
        tasks.spawn(streams.streams(self.tcp, None, tx.clone()));
        tasks.spawn(door.datagrams(self.udp, tx.clone()));
        tx.closed().await;
    }
}

/// UDP and TCP at one address; where no port was asked for, both at the same.
async fn pair(address: SocketAddr) -> Result<(UdpSocket, TcpListener), SyslogError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let tcp = TcpListener::bind(address).await.map_err(|source| SyslogError::Bind { address, transport: "TCP", source })?;
        let at = tcp.local_addr().unwrap_or(address);
        match UdpSocket::bind(at).await {
            Ok(udp) => return Ok((udp, tcp)),
            Err(_) if address.port() == 0 && tries < PORT_TRIES => {}
            Err(source) => return Err(SyslogError::Bind { address: at, transport: "UDP", source }),
        }
    }
}

fn acceptor(tls: &SyslogTls) -> Result<TlsAcceptor, SyslogError> {
    let file = |path: &Path, why: &dyn std::error::Error| SyslogError::TlsFile { file: path.to_owned(), why: chain(why) };
    let certificates = |path: &Path| -> Result<Vec<CertificateDer<'static>>, SyslogError> {
        let read = CertificateDer::pem_file_iter(path).map_err(|e| file(path, &e))?;
        read.collect::<Result<_, _>>().map_err(|e| file(path, &e))
    };
    let config = |source| SyslogError::TlsConfig { source };
    let builder = ServerConfig::builder_with_provider(Arc::new(tokio_rustls::rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| config(e.into()))?;
    let builder = match &tls.client_ca {
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|e| config(e.into()))?;
            }
            let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|e| config(e.into()))?)
        }
        None => builder.with_no_client_auth(),
    };
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|e| file(&tls.key, &e))?;
    let made = builder.with_single_cert(certificates(&tls.cert)?, key).map_err(|e| config(e.into()))?;
    Ok(TlsAcceptor::from(Arc::new(made)))
}

/// Who may come in by one door.
struct Door {
    senders: BTreeMap<IpAddr, DeviceId>,
    counters: Arc<SyslogCounters>,
    named: BTreeSet<IpAddr>,
}

impl Door {
    fn admit(&mut self, address: IpAddr) -> Option<DeviceId> {
        let address = address.to_canonical();
        let found = self.senders.get(&address).cloned();
        if found.is_none() {
            self.counters.refused.fetch_add(1, Ordering::Relaxed);
            if self.named.len() < NAMED_SENDERS_MAX && self.named.insert(address) {
                error!("{}", SyslogError::UnknownSender { address });
            }
        }
        found
    }

    async fn datagrams(mut self, socket: UdpSocket, tx: mpsc::Sender<Heard>) {
        let mut buffer = vec![0; DATAGRAM_BYTES];
        loop {
            let (length, from) = match socket.recv_from(&mut buffer).await {
                Ok(read) => read,
                Err(cause) => {
                    // an ICMP answer to something else; the socket goes on
                    warn!(%cause, "reading syslog datagrams failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Some(device) = self.admit(from.ip()) else { continue };
            let kept = length.min(FRAME_BYTES_MAX);
            let bytes = buffer.get(..kept).unwrap_or_default().to_vec();
            let cut = u64::try_from(length - kept).unwrap_or(u64::MAX);
            let heard = Heard { device, from, transport: Transport::Udp, received: now(), offset: 0, bytes, cut };
            match tx.try_send(heard) {
                Ok(()) => self.counters.took(cut),
                Err(mpsc::error::TrySendError::Full(_)) => drop(self.counters.dropped.fetch_add(1, Ordering::Relaxed)),
                Err(mpsc::error::TrySendError::Closed(_)) => return,
            }
        }
    }

    async fn streams(mut self, listener: TcpListener, tls: Option<Tls>, tx: mpsc::Sender<Heard>) {
        let mut open = JoinSet::new();
        let mut senders: BTreeMap<IpAddr, Arc<AtomicUsize>> = BTreeMap::new();
        loop {
            while open.try_join_next().is_some() {}
            let (stream, from) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(cause) => {
                    warn!(%cause, "accepting a syslog connection failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Some(device) = self.admit(from.ip()) else { continue };
            let of_sender = Arc::clone(senders.entry(from.ip()).or_default());
            if open.len() >= STREAMS_MAX || of_sender.load(Ordering::Relaxed) >= STREAMS_PER_SENDER_MAX {
                self.counters.crowded.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            of_sender.fetch_add(1, Ordering::Relaxed);
            let (tls, tx, counters) = (tls.clone(), tx.clone(), Arc::clone(&self.counters));
            open.spawn(async move {
                if let Err(cause) = follow(&device, from, stream, tls, &tx, &counters).await {
                    counters.broken.fetch_add(1, Ordering::Relaxed);
                    warn!(%device, %from, cause, "syslog stream ended");
                }
                of_sender.fetch_sub(1, Ordering::Relaxed);
            });
        }
    }
}

impl SyslogCounters {
    fn took(&self, cut: u64) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        if cut > 0 {
            self.cut.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn follow(
    device: &DeviceId,
    from: SocketAddr,
    stream: TcpStream,
    tls: Option<Tls>,
    tx: &mpsc::Sender<Heard>,
    counters: &SyslogCounters,
) -> Result<(), String> {
    crate::bmp_session::watch_transport(device, &stream);
    match tls {
        None => read(device, from, Transport::Tcp, stream, tx, counters).await,
        Some(Tls(acceptor)) => match tokio::time::timeout(HANDSHAKE_WITHIN, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => read(device, from, Transport::Tls, stream, tx, counters).await,
            Ok(Err(cause)) => Err(format!("TLS handshake failed: {}", chain(&cause))),
            Err(_) => Err(format!("no TLS handshake within {HANDSHAKE_WITHIN:?}")),
        },
    }
}

async fn read(
    device: &DeviceId,
    from: SocketAddr,
    transport: Transport,
    mut stream: impl AsyncRead + Unpin,
    tx: &mpsc::Sender<Heard>,
    counters: &SyslogCounters,
) -> Result<(), String> {
    let mut framer = Framer::default();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let n = stream.read(&mut buffer).await.map_err(|e| chain(&e))?;
        framer.push(buffer.get(..n).unwrap_or_default());
        loop {
            let frame = match framer.next() {
                Some(frame) => frame.map_err(|e| e.to_string())?,
                None if n == 0 => match (framer.pending(), framer.finish()) {
                    (_, Some(last)) => last,
                    (0, None) => return Ok(()),
                    (pending, None) => return Err(format!("it ended {pending} bytes into a message")),
                },
                None => break,
            };
            counters.took(frame.cut);
            let (offset, bytes, cut) = (frame.offset, frame.bytes, frame.cut);
            let heard = Heard { device: device.clone(), from, transport, received: now(), offset, bytes, cut };
            if tx.send(heard).await.is_err() {
                return Ok(());
            }
        }
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
