//! Many targets at once: servers on loopback sockets, each watched by a dialler of its own as the engine does it.

use crate::exit::Failure;
use collector::{Target, dial};
use core::fmt;
use core::pin::Pin;
use gnmi_wire::wire::g_nmi_server::{GNmi, GNmiServer};
use gnmi_wire::wire::{self, subscribe_response::Response};
use network::{DeviceSpec, GnmiEndpoint, GnmiEvent, Inventory, Network, Observation, TlsPolicy};
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response as Answer, Status, Streaming};
use units::Timestamp;

/// Interfaces that each target streams.
const INTERFACES: usize = 24;
/// Between two rounds of one target: a tenth of what is usual.
const EVERY: Duration = Duration::from_secs(1);
/// Observations that wait between the diallers and the picture; then reading stops.
const QUEUE: usize = 1024;
/// Longest wait until every target has said its first word.
const READY_MAX: Duration = Duration::from_secs(60);

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Watched {
    targets: u32,
    /// Until every one was synced.
    synced_s: f64,
    measured_s: f64,
    notifications_sent: u64,
    notifications_taken: u64,
    /// Sent and not taken, once the senders stopped.
    lost: u64,
    leaves_per_s: f64,
    /// Processor time of this process (senders included) against the time measured; 1 is one core.
    cores_used: f64,
    rss_mb: f64,
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} targets at once: all synced after {:.1} s, {:.0} k leaves/s for {:.0} s, {} of {} notifications taken, {} lost; {:.2} cores with the senders, {:.0} MB",
            self.targets,
            self.synced_s,
            self.leaves_per_s / 1e3,
            self.measured_s,
            self.notifications_taken,
            self.notifications_sent,
            self.lost,
            self.cores_used,
            self.rss_mb
        )
    }
}

/// A target that streams its counters once a second until told to stop.
struct Sender {
    sent: Arc<AtomicU64>,
    stop: tokio::sync::watch::Receiver<bool>,
}

type Answers = Pin<Box<dyn Stream<Item = Result<wire::SubscribeResponse, Status>> + Send>>;

#[tonic::async_trait]
impl GNmi for Sender {
    type SubscribeStream = Answers;

    async fn capabilities(&self, _: Request<wire::CapabilityRequest>) -> Result<Answer<wire::CapabilityResponse>, Status> {
        let supported_encodings = vec![i32::from(wire::Encoding::Proto), i32::from(wire::Encoding::JsonIetf)];
        Ok(Answer::new(wire::CapabilityResponse { supported_encodings, ..wire::CapabilityResponse::default() }))
    }

    async fn get(&self, _: Request<wire::GetRequest>) -> Result<Answer<wire::GetResponse>, Status> {
        Err(Status::unimplemented("only what is measured is answered"))
    }

    async fn set(&self, _: Request<wire::SetRequest>) -> Result<Answer<wire::SetResponse>, Status> {
        Err(Status::unimplemented("only what is measured is answered"))
    }

    async fn subscribe(&self, request: Request<Streaming<wire::SubscribeRequest>>) -> Result<Answer<Answers>, Status> {
        let mut asked = request.into_inner();
        let first = asked.message().await?.and_then(|r| r.request);
        let once = matches!(&first, Some(wire::subscribe_request::Request::Subscribe(l)) if l.mode == i32::from(wire::subscription_list::Mode::Once));
        let (tx, rx) = mpsc::channel(INTERFACES);
        let (sent, mut stop) = (Arc::clone(&self.sent), self.stop.clone());
        tokio::spawn(async move {
            let mut clock = tokio::time::interval(EVERY);
            let mut synced = false;
            loop {
                tokio::select! {
                    _ = clock.tick() => {}
                    _ = stop.wait_for(|s| *s) => break,
                }
                for n in 0..INTERFACES {
                    if tx.send(Ok(super::response(n, false, 0))).await.is_err() {
                        return;
                    }
                    if !once {
                        sent.fetch_add(1, Ordering::Relaxed);
                    }
                }
                if !synced {
                    synced = true;
                    let sync =
                        wire::SubscribeResponse { response: Some(Response::SyncResponse(true)), ..wire::SubscribeResponse::default() };
                    if tx.send(Ok(sync)).await.is_err() || once {
                        return;
                    }
                }
            }
            // the stream stays open: its end would be a loss of the transport
            tx.closed().await;
            drop(asked);
        });
        Ok(Answer::new(Box::pin(tokio_stream::wrappers::ReceiverStream::new(rx).chain(tokio_stream::pending()))))
    }
}

/// Watches `targets` of them for `length`.
pub fn watch(targets: u32, length: Duration) -> Result<Watched, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|e| Failure::from_error("PH-CLI-071", &e))?.block_on(watched(targets, length))
}

async fn watched(targets: u32, length: Duration) -> Result<Watched, Failure> {
    let failed = |e: std::io::Error| Failure::from_error("PH-CLI-071", &e);
    let sent = Arc::new(AtomicU64::new(0));
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut inventory = Inventory::empty("bench");
    for n in 0..targets {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?.to_string();
        let sender = GNmiServer::new(Sender { sent: Arc::clone(&sent), stop: stopped.clone() });
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        tokio::spawn(tonic::transport::Server::builder().add_service(sender).serve_with_incoming(incoming));
        inventory.devices.push(DeviceSpec {
            gnmi: Some(GnmiEndpoint { address, tls: TlsPolicy::Plaintext, credential: None, profile: None }),
            ..crate::collect::bare_device(&format!("r{n}").as_str().into(), None, None)
        });
    }
    let mut network = Network::new(inventory.clone());
    let (tx, mut rx) = mpsc::channel(QUEUE);
    let begun = Instant::now();
    for device in &inventory.devices {
        let target = Target::new(&inventory, &device.id, None).map_err(|e| Failure::from_error("PH-CLI-071", &e))?;
        tokio::spawn(dial(target, 7, tx.clone()));
    }
    let (mut synced, mut taken) = (0, 0);
    let mut take = |o: Observation, synced: &mut u32, taken: &mut u64| {
        match &o {
            Observation::Gnmi { event: GnmiEvent::Synced, .. } => *synced += 1,
            Observation::Gnmi { event: GnmiEvent::Notification { .. }, .. } => *taken += 1,
            _ => {}
        }
        network.observe(&o, Timestamp::from_nanos(i64::try_from(begun.elapsed().as_nanos()).unwrap_or(i64::MAX)));
    };
    while synced < targets {
        let Ok(Some(o)) = tokio::time::timeout(READY_MAX, rx.recv()).await else {
            return Err(Failure::new("PH-CLI-071", format!("{synced} of {targets} targets were ready after {} s", READY_MAX.as_secs())));
        };
        take(o, &mut synced, &mut taken);
    }
    let synced_s = begun.elapsed().as_secs_f64();
    let (measuring, cpu, before) = (Instant::now(), cpu_s(), taken);
    while measuring.elapsed() < length {
        if let Ok(Some(o)) = tokio::time::timeout(length.saturating_sub(measuring.elapsed()), rx.recv()).await {
            take(o, &mut synced, &mut taken);
        }
    }
    let measured_s = measuring.elapsed().as_secs_f64();
    let (cores_used, measured) = ((cpu_s() - cpu) / measured_s, taken - before);
    stop.send_replace(true);
    // what is on its way arrives; nothing more comes after two quiet seconds
    while let Ok(Some(o)) = tokio::time::timeout(2 * EVERY, rx.recv()).await {
        take(o, &mut synced, &mut taken);
    }
    let sent = sent.load(Ordering::Relaxed);
    Ok(Watched {
        targets,
        synced_s,
        measured_s,
        notifications_sent: sent,
        notifications_taken: taken,
        lost: sent.saturating_sub(taken),
        leaves_per_s: measured as f64 * super::COUNTERS.len() as f64 / measured_s,
        cores_used,
        rss_mb: super::super::resident() as f64 / 1e6,
    })
}

/// Processor time of this process, seconds.
fn cpu_s() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // after the program's name in parentheses: the fields from the third on; user and system time are the 14th and 15th, in 1/100 s
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |n: usize| fields.get(n).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}
