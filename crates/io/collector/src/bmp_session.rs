//! One BMP connection: bytes to whole messages, with bounds on time and size.

use crate::bmp_listener::BmpCounters;
use crate::error::CollectError;
use action::DeviceId;
use bmp::Framer;
use core::time::Duration;
use network::{BmpEvent, Observation};
use socket2::{SockRef, TcpKeepalive};
use std::sync::atomic::Ordering;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};

/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;
/// A router that connects sends its Initiation at once (RFC 7854 §4.3); a begun message is finished in this time, or the sender is broken.
const MESSAGE_MAX: Duration = Duration::from_secs(30);
/// Keepalive probes start after this silence.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(10);
/// Time between two of them.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(5);
/// Unanswered ones before the connection is dead: 10 s + 3 × 5 s < 30 s.
const KEEPALIVE_RETRIES: u32 = 3;
/// Sent data unanswered for this long is a dead connection.
const USER_TIMEOUT: Duration = Duration::from_secs(30);

/// How a session ended.
enum End {
    /// The router closed in order.
    Finished,
    /// A newer connection of the same router.
    Replaced,
    /// The engine takes nothing any more.
    Deaf,
    Failed(CollectError),
}

/// Reads one connection to its end.
pub(crate) async fn run(
    device: DeviceId,
    stream: TcpStream,
    framer: Framer,
    cancelled: oneshot::Receiver<()>,
    tx: mpsc::Sender<Observation>,
    counters: &BmpCounters,
) {
    watch_transport(&device, &stream);
    let say = |event| tx.send(Observation::Bmp { device: device.clone(), event });
    if say(BmpEvent::Connected).await.is_err() {
        return;
    }
    info!(%device, "BMP session opened");
    let end = tokio::select! {
        end = read(&device, stream, framer, &tx, counters) => end,
        cancelled = cancelled => if cancelled.is_ok() { End::Replaced } else { End::Deaf },
    };
    let reason = match end {
        End::Deaf => return,
        End::Finished => "the router closed the BMP session".to_owned(),
        End::Replaced => "the router opened a newer BMP session".to_owned(),
        End::Failed(cause) => {
            if matches!(cause, CollectError::NotBmp { .. }) {
                counters.not_bmp.fetch_add(1, Ordering::Relaxed);
            }
            cause.chain()
        }
    };
    warn!(%device, reason, "BMP session closed");
    // nobody listens: nobody misses it
    let _ = say(BmpEvent::Closed { reason }).await;
}

async fn read(device: &DeviceId, mut stream: TcpStream, mut framer: Framer, tx: &mpsc::Sender<Observation>, counters: &BmpCounters) -> End {
    let mut buffer = vec![0; READ_BYTES];
    let mut deadline = Some(Instant::now() + MESSAGE_MAX);
    loop {
        let read = match deadline {
            Some(at) => match timeout_at(at, stream.read(&mut buffer)).await {
                Ok(read) => read,
                Err(_) => return End::Failed(CollectError::Stalled { device: device.clone(), waited: MESSAGE_MAX }),
            },
            None => stream.read(&mut buffer).await,
        };
        let bytes = match read {
            Ok(0) if framer.pending() == 0 => return End::Finished,
            Ok(0) => return End::Failed(CollectError::CutShort { device: device.clone(), pending: framer.pending() }),
            Ok(n) => buffer.get(..n).unwrap_or_default(),
            Err(source) => return End::Failed(CollectError::Read { device: device.clone(), source }),
        };
        framer.push(bytes);
        let mut whole = 0_u64;
        while let Some(frame) = framer.next() {
            let bytes = match frame {
                Ok(frame) => frame.bytes,
                Err(source) => return End::Failed(CollectError::NotBmp { device: device.clone(), source }),
            };
            whole += 1;
            let observation = Observation::Bmp { device: device.clone(), event: BmpEvent::Message { bytes } };
            if tx.send(observation).await.is_err() {
                return End::Deaf;
            }
        }
        counters.messages.fetch_add(whole, Ordering::Relaxed);
        deadline = match (framer.pending(), whole, deadline) {
            (0, _, None) => None,
            (0, 1.., _) => None,
            (_, 1.., _) | (_, _, None) => Some(Instant::now() + MESSAGE_MAX),
            (_, 0, running) => running,
        };
    }
}

/// Makes a silent death of the router's host visible within half a minute; without it the session would look alive for hours.
pub(crate) fn watch_transport(device: &DeviceId, stream: &TcpStream) {
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_EVERY).with_retries(KEEPALIVE_RETRIES);
    let set = socket.set_tcp_keepalive(&keepalive);
    #[cfg(target_os = "linux")]
    let set = set.and_then(|()| socket.set_tcp_user_timeout(Some(USER_TIMEOUT)));
    #[cfg(not(target_os = "linux"))]
    let _ = USER_TIMEOUT;
    if let Err(cause) = set {
        warn!(%device, %cause, "TCP keepalive could not be set; a dead router will be noticed late");
    }
}
