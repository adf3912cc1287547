//! The BMP door: who may come in, one session per router.

use crate::bmp_session;
use crate::error::CollectError;
use action::DeviceId;
use bmp::Framer;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use network::{DeviceSpec, Inventory, Observation};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tracing::{error, warn};

/// BMP has no assigned port (RFC 7854 §3.2); this one is ours.
pub const DEFAULT_PORT: u16 = 17442;
/// Unknown senders that are named in the log once each; beyond it they are only counted.
const NAMED_SENDERS_MAX: usize = 64;
/// Pause after a failed accept (out of file descriptors, mostly), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Returns the address to listen on unless told otherwise: loopback only.
#[must_use]
pub const fn default_address() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), DEFAULT_PORT)
}

/// Counts of the listener, readable while it runs.
#[derive(Debug, Default)]
pub struct BmpCounters {
    /// Connections of unknown senders.
    pub refused: AtomicU64,
    /// Sessions opened.
    pub sessions: AtomicU64,
    /// Streams that were not BMP, or ceased to be.
    pub not_bmp: AtomicU64,
    /// Whole messages handed on.
    pub messages: AtomicU64,
}

/// A bound listener.
#[derive(Debug)]
pub struct BmpListener {
    listener: TcpListener,
    allowed: BTreeMap<IpAddr, Sender>,
    counters: Arc<BmpCounters>,
}

/// A router that may come in.
#[derive(Clone, Debug)]
struct Sender {
    device: DeviceId,
    /// Longest message, bytes.
    message_max: usize,
}

struct Open {
    cancel: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl BmpListener {
    /// Takes the port. Only the senders that the inventory names are let in, each as its device.
    ///
    /// # Errors
    /// [`CollectError::Bind`].
    pub async fn bind(address: SocketAddr, inventory: &Inventory) -> Result<Self, CollectError> {
        let listener = TcpListener::bind(address).await.map_err(|source| CollectError::Bind { address, source })?;
        let sender = |d: &DeviceSpec| {
            let source = d.bmp.as_ref()?;
            let message_max = source.message_max_bytes.and_then(|n| usize::try_from(n).ok()).unwrap_or(bmp::MAX_MESSAGE_BYTES);
            Some((source.address, Sender { device: d.id.clone(), message_max }))
        };
        let allowed = inventory.devices.iter().filter_map(sender).collect();
        Ok(Self { listener, allowed, counters: Arc::default() })
    }

    /// Returns where it listens (the port that was given for port 0).
    ///
    /// # Errors
    /// The socket's own.
    pub fn local_address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Returns the counters.
    #[must_use]
    pub fn counters(&self) -> Arc<BmpCounters> {
        Arc::clone(&self.counters)
    }

    /// Accepts until the receiver of `tx` is gone. Nothing that a sender does ends it.
    pub async fn run(self, tx: mpsc::Sender<Observation>) {
        let mut open: BTreeMap<DeviceId, Open> = BTreeMap::new();
        let mut named = BTreeSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = tx.closed() => return,
            };
            match accepted {
                Ok((stream, from)) => match self.allowed.get(&from.ip().to_canonical()) {
                    Some(sender) => {
                        let before = open.remove(&sender.device);
                        open.insert(sender.device.clone(), self.admit(sender.clone(), stream, before, tx.clone()));
                    }
                    None => self.refuse(from.ip(), &mut named),
                },
                Err(cause) => {
                    warn!(%cause, "accepting a BMP connection failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn refuse(&self, address: IpAddr, named: &mut BTreeSet<IpAddr>) {
        self.counters.refused.fetch_add(1, Ordering::Relaxed);
        if named.len() < NAMED_SENDERS_MAX && named.insert(address) {
            error!("{}", CollectError::UnknownSender { address });
        }
    }

    /// Starts a session. A router that connects again has lost the old connection, whether we know it or not: the newer one counts, and
    /// the old one's `Closed` comes before the new one's `Connected`.
    fn admit(&self, sender: Sender, stream: TcpStream, before: Option<Open>, tx: mpsc::Sender<Observation>) -> Open {
        self.counters.sessions.fetch_add(1, Ordering::Relaxed);
        let (cancel, cancelled) = oneshot::channel();
        let counters = Arc::clone(&self.counters);
        let task = tokio::spawn(async move {
            if let Some(old) = before {
                // gone already is as good
                let _ = old.cancel.send(());
                let _ = old.task.await;
            }
            let framer = Framer::with_limit(sender.message_max);
            bmp_session::run(sender.device, stream, framer, cancelled, tx, &counters).await;
        });
        Open { cancel, task }
    }
}
