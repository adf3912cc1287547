//! One subscription: initial state, sync, then changes and samples.

use super::notification;
use crate::face::tree::{Change, Tree, now_ns};
use gnmi::{Path, Value};
use gnmi_wire::{path_from_wire, wire};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc};
use tokio::time::{Instant, sleep_until};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Response, Status, Streaming};
use wire::subscribe_response::Response as Body;
use wire::subscription_list::Mode as ListMode;

/// Messages that may wait for a slow subscriber.
const QUEUE: usize = 256;
/// Updates in one message.
const BATCH: usize = 500;
/// Most subscriptions in one request.
const SUBSCRIPTIONS_MAX: usize = 256;
/// Shortest sample interval offered.
const SAMPLE_MIN: Duration = Duration::from_millis(500);

type Out = mpsc::Sender<Result<wire::SubscribeResponse, Status>>;

struct Sampled {
    paths: Vec<Path>,
    every: Duration,
    due: Instant,
}

/// Starts serving a subscription list.
pub fn start(
    tree: &Tree,
    list: &wire::SubscriptionList,
    requests: Streaming<wire::SubscribeRequest>,
) -> Result<Response<ReceiverStream<Result<wire::SubscribeResponse, Status>>>, Status> {
    if list.subscription.len() > SUBSCRIPTIONS_MAX {
        return Err(Status::resource_exhausted(format!("more than {SUBSCRIPTIONS_MAX} subscriptions")));
    }
    let mode = ListMode::try_from(list.mode).map_err(|_| Status::invalid_argument("unknown mode"))?;
    if mode == ListMode::Poll {
        return Err(Status::unimplemented("POLL is not offered, use ONCE or STREAM"));
    }
    let (mut on_change, mut sampled) = (Vec::new(), Vec::new());
    for s in &list.subscription {
        let path = path_from_wire(list.prefix.as_ref(), s.path.as_ref());
        if s.mode == i32::from(wire::SubscriptionMode::Sample as i16) {
            let every = Duration::from_nanos(s.sample_interval).max(SAMPLE_MIN);
            sampled.push(Sampled { paths: vec![path], every, due: Instant::now() + every });
        } else {
            on_change.push(path);
        }
    }
    let all: Vec<Path> = on_change.iter().chain(sampled.iter().flat_map(|s| &s.paths)).cloned().collect();
    let (initial, changes) = tree.snapshot(|p| all.iter().any(|w| w.covers(p)));
    let (out, receiver) = mpsc::channel(QUEUE);
    let tree = tree.clone();
    let updates_only = list.updates_only;
    tokio::spawn(async move {
        let work = async {
            if !updates_only {
                send(&out, now_ns(), initial, Vec::new()).await?;
            }
            out.send(Ok(wire::SubscribeResponse { response: Some(Body::SyncResponse(true)), ..Default::default() })).await.ok()?;
            if mode == ListMode::Stream { follow(&tree, &out, changes, &on_change, sampled, requests).await } else { Some(()) }
        };
        // a subscriber that has gone away ends the work
        let _ = work.await;
    });
    Ok(Response::new(ReceiverStream::new(receiver)))
}

async fn follow(
    tree: &Tree,
    out: &Out,
    mut changes: broadcast::Receiver<Arc<Change>>,
    on_change: &[Path],
    mut sampled: Vec<Sampled>,
    mut requests: Streaming<wire::SubscribeRequest>,
) -> Option<()> {
    loop {
        let due = sampled.iter().map(|s| s.due).min();
        let wake = async {
            match due {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            change = changes.recv() => match change {
                Ok(change) => {
                    let wanted = |p: &Path| on_change.iter().any(|w| w.covers(p) || p.covers(w));
                    let updates: Vec<_> = change.updates.iter().filter(|(p, _)| on_change.iter().any(|w| w.covers(p))).cloned().collect();
                    let deletes = change.deletes.iter().filter(|p| wanted(p)).cloned().collect();
                    send(out, change.timestamp, updates, deletes).await?;
                }
                Err(broadcast::error::RecvError::Lagged(n)) => {
                    let _ = out.send(Err(Status::resource_exhausted(format!("subscriber is too slow: {n} changes lost, subscribe again")))).await;
                    return None;
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            },
            () = wake => {
                let now = Instant::now();
                for s in sampled.iter_mut().filter(|s| s.due <= now) {
                    s.due = now + s.every;
                    let (values, _) = tree.snapshot(|p| s.paths.iter().any(|w| w.covers(p)));
                    send(out, now_ns(), values, Vec::new()).await?;
                }
            }
            message = requests.message() => match message {
                Ok(None) | Err(_) => return None,
                Ok(Some(_)) => {
                    let _ = out.send(Err(Status::invalid_argument("a subscription cannot be changed; open another stream"))).await;
                    return None;
                }
            },
        }
    }
}

/// Sends values in bounded messages; `None` when the subscriber is gone.
async fn send(out: &Out, timestamp: i64, updates: Vec<(Path, Value)>, deletes: Vec<Path>) -> Option<()> {
    let message = |n| Ok(wire::SubscribeResponse { response: Some(Body::Update(n)), ..Default::default() });
    if !deletes.is_empty() {
        out.send(message(notification(timestamp, &[], &deletes))).await.ok()?;
    }
    for batch in updates.chunks(BATCH) {
        out.send(message(notification(timestamp, batch, &[]))).await.ok()?;
    }
    Some(())
}
