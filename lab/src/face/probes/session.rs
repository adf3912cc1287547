//! One probe: sends at its rate, matches answers, tells results each interval.

use super::packet::Stamp;
use super::{FATE_AFTER, INTERVAL, Rate, result_path};
use crate::face::ProbeConfig;
use crate::face::tree::{Tree, now_ns};
use gnmi::Value;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

/// Packets under way; at the highest rate a second's worth is 20.
const UNDER_WAY_MAX: usize = 256;
/// Pause before a socket is made again.
const RETRY: Duration = Duration::from_secs(2);

/// What happened to packets whose fate became known since the last result.
#[derive(Default)]
pub struct Tally {
    /// Packets.
    pub sent: u32,
    /// Answers.
    pub received: u32,
    /// Forward delays.
    pub forward_ns: Vec<i64>,
    /// Round trips.
    pub round_trip_ns: Vec<i64>,
}

/// Runs one probe for ever; `share` is the highest rate its link leaves it.
pub async fn run(tree: Tree, probe: ProbeConfig, mut rate: watch::Receiver<Rate>, share: u64) {
    let mut sequence = 0;
    loop {
        match open(&probe).await {
            Ok(socket) => {
                if measure(&tree, &probe, &socket, &mut rate, share, &mut sequence).await.is_none() {
                    return;
                }
            }
            Err(error) => {
                tracing::warn!(probe = %probe.name, %error, "probe cannot start");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

async fn open(probe: &ProbeConfig) -> std::io::Result<UdpSocket> {
    // not connected: an unreachable network must be a lost packet, not a broken socket
    UdpSocket::bind(SocketAddr::new(probe.source, 0)).await
}

/// Measures until the handle to the rate is gone (`None`).
async fn measure(
    tree: &Tree,
    probe: &ProbeConfig,
    socket: &UdpSocket,
    rate: &mut watch::Receiver<Rate>,
    share: u64,
    sequence: &mut u32,
) -> Option<()> {
    let target = SocketAddr::new(probe.target, probe.port);
    let mut results = interval(INTERVAL);
    results.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut under_way: BTreeMap<u32, (Instant, i64)> = BTreeMap::new();
    let mut tally = Tally::default();
    let mut next = Instant::now();
    let mut buffer = [0; 256];
    loop {
        tokio::select! {
            () = sleep_until(next) => {
                let hz = current(*rate.borrow(), share);
                next = (next + Duration::from_secs(1) / u32::try_from(hz).unwrap_or(1)).max(Instant::now());
                if under_way.len() < UNDER_WAY_MAX {
                    *sequence = sequence.wrapping_add(1);
                    let t1 = now_ns();
                    // a packet that cannot be sent is lost like one that is dropped on the way
                    let _ = socket.send_to(&Stamp::request(*sequence, t1), target).await;
                    under_way.insert(*sequence, (Instant::now(), t1));
                }
            }
            received = socket.recv_from(&mut buffer) => {
                let t4 = now_ns();
                if let Ok((n, from)) = received
                    && from.ip() == probe.target
                    && let Some(stamp) = Stamp::parse(&buffer[..n])
                    && let Some((_, t1)) = under_way.remove(&stamp.sequence)
                {
                    tally.sent += 1;
                    tally.received += 1;
                    tally.forward_ns.push(stamp.t2 - t1);
                    tally.round_trip_ns.push(t4 - t1 - (stamp.t3 - stamp.t2));
                }
            }
            _ = results.tick() => {
                let now = Instant::now();
                let lost: Vec<u32> = under_way.iter().filter(|(_, (at, _))| now - *at >= FATE_AFTER).map(|(s, _)| *s).collect();
                for s in lost {
                    under_way.remove(&s);
                    tally.sent += 1;
                }
                let hz = current(*rate.borrow(), share);
                tree.put(vec![(result_path(&probe.name), report(&std::mem::take(&mut tally), hz, INTERVAL))], Vec::new(), true);
            }
            changed = rate.changed() => {
                changed.ok()?;
                next = Instant::now();
            }
        }
    }
}

pub(super) fn current(rate: Rate, share: u64) -> u64 {
    if Instant::now() < rate.until { rate.hz.min(share) } else { 1 }
}

#[allow(clippy::cast_precision_loss, reason = "nanoseconds of a delay are far below 2^52")]
pub(super) fn report(tally: &Tally, hz: u64, interval: Duration) -> Value {
    let ms = |ns: i64| (ns as f64 / 1e6 * 1000.0).round() / 1000.0;
    let mean = |v: &[i64]| (!v.is_empty()).then(|| ms(v.iter().sum::<i64>() / i64::try_from(v.len()).unwrap_or(1)));
    let mut body = json!({
        "sent": tally.sent,
        "received": tally.received,
        "interval-ms": interval.as_millis() as u64,
        "rate-hz": hz,
    });
    if let (Some(mean), Some(min), Some(max)) = (mean(&tally.forward_ns), tally.forward_ns.iter().min(), tally.forward_ns.iter().max()) {
        body["forward-delay-ms"] = json!(mean);
        body["forward-delay-min-ms"] = json!(ms(*min));
        body["forward-delay-max-ms"] = json!(ms(*max));
    }
    if let Some(rtt) = mean(&tally.round_trip_ns) {
        body["rtt-ms"] = json!(rtt);
    }
    Value::Json(body)
}
