//! One subscription: initial state, sync, then changes and samples.

use super::notification;
use crate::face::tree::{Change, Tree, now_ns};
use gnmi::{Path, Value};
use gnmi_wire::{path_from_wire, wire};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_stream::Stream;
use tonic::{Response, Status, Streaming};
use wire::subscribe_response::Response as Body;
use wire::subscription_list::Mode as ListMode;

/// Messages that may wait for a slow subscriber.
const QUEUE: usize = 256;
/// A subscriber whose queue stays full for this long is cut off.
const SLOW_MAX: Duration = Duration::from_secs(10);
/// Updates in one message.
const BATCH: usize = 500;
/// Most subscriptions in one request.
const SUBSCRIPTIONS_MAX: usize = 256;
/// Shortest sample interval offered.
const SAMPLE_MIN: Duration = Duration::from_millis(500);

type Message = Result<wire::SubscribeResponse, Status>;

/// Where a subscription's messages go.
struct Out {
    queue: mpsc::Sender<Message>,
    /// Patience with a full queue.
    patience: Duration,
}

/// Why a subscription ends: `None` when the subscriber is gone, else what it is told.
type End = Option<Status>;

/// What a subscriber receives: the queue, then the reason for its end. The reason has a way of its own, because a slow subscriber is cut off
/// when its queue is full.
pub struct Messages {
    queue: mpsc::Receiver<Message>,
    end: Option<oneshot::Receiver<Status>>,
}

impl Stream for Messages {
    type Item = Message;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Message>> {
        if let Some(message) = ready!(self.queue.poll_recv(context)) {
            return Poll::Ready(Some(message));
        }
        let Some(end) = &mut self.end else { return Poll::Ready(None) };
        let status = ready!(Pin::new(end).poll(context));
        self.end = None;
        Poll::Ready(status.ok().map(Err))
    }
}

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
) -> Result<Response<Messages>, Status> {
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
    let initial = sets_first(initial);
    let (sender, queue) = mpsc::channel(QUEUE);
    let out = Out { queue: sender, patience: SLOW_MAX };
    let (end, ended) = oneshot::channel();
    let tree = tree.clone();
    let updates_only = list.updates_only;
    tokio::spawn(async move {
        let work = async {
            if !updates_only {
                send(&out, now_ns(), initial, Vec::new()).await?;
            }
            put(&out, Body::SyncResponse(true)).await?;
            if mode == ListMode::Stream { follow(&tree, &out, changes, &on_change, sampled, requests).await } else { Ok(()) }
        };
        if let Err(Some(status)) = work.await {
            // a subscriber that has gone away needs no reason
            let _ = end.send(status);
        }
    });
    Ok(Response::new(Messages { queue, end: Some(ended) }))
}

/// Puts routes behind the attribute sets and communities that they refer to.
fn sets_first(values: Vec<(Path, Value)>) -> Vec<(Path, Value)> {
    let (routes, mut others): (Vec<_>, Vec<_>) = values.into_iter().partition(|(p, _)| p.names().any(|n| n == "loc-rib"));
    others.extend(routes);
    others
}

async fn follow(
    tree: &Tree,
    out: &Out,
    mut changes: broadcast::Receiver<Arc<Change>>,
    on_change: &[Path],
    mut sampled: Vec<Sampled>,
    mut requests: Streaming<wire::SubscribeRequest>,
) -> Result<(), End> {
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
                    return Err(Some(Status::resource_exhausted(format!("subscriber is too slow: {n} changes lost, subscribe again"))));
                }
                Err(broadcast::error::RecvError::Closed) => return Err(Some(Status::unavailable("the node is stopping"))),
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
                Ok(None) | Err(_) => return Err(None),
                Ok(Some(_)) => return Err(Some(Status::invalid_argument("a subscription cannot be changed; open another stream"))),
            },
        }
    }
}

/// Sends values in bounded messages.
async fn send(out: &Out, timestamp: i64, updates: Vec<(Path, Value)>, deletes: Vec<Path>) -> Result<(), End> {
    for batch in deletes.chunks(BATCH) {
        put(out, Body::Update(notification(timestamp, &[], batch))).await?;
    }
    for batch in updates.chunks(BATCH) {
        put(out, Body::Update(notification(timestamp, batch, &[]))).await?;
    }
    Ok(())
}

/// Queues one message; waits a while for a slow subscriber.
async fn put(out: &Out, body: Body) -> Result<(), End> {
    let message = Ok(wire::SubscribeResponse { response: Some(body), ..Default::default() });
    match out.queue.send_timeout(message, out.patience).await {
        Ok(()) => Ok(()),
        Err(SendTimeoutError::Closed(_)) => Err(None),
        Err(SendTimeoutError::Timeout(_)) => {
            Err(Some(Status::resource_exhausted(format!("subscriber took nothing for {:?}, subscribe again", out.patience))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_stream::StreamExt;

    #[tokio::test]
    async fn a_subscriber_that_takes_nothing_is_cut_off_and_told_why() {
        let (sender, queue) = mpsc::channel(1);
        let out = Out { queue: sender, patience: Duration::ZERO };
        let (end, ended) = oneshot::channel();
        let mut messages = Messages { queue, end: Some(ended) };
        assert!(put(&out, Body::SyncResponse(true)).await.is_ok());
        let Err(Some(status)) = put(&out, Body::SyncResponse(true)).await else { panic!("not cut off") };
        end.send(status).unwrap();
        drop(out);
        assert!(messages.next().await.unwrap().is_ok());
        assert_eq!(messages.next().await.unwrap().unwrap_err().code(), tonic::Code::ResourceExhausted);
        assert!(messages.next().await.is_none());
    }

    #[test]
    fn routes_come_behind_what_they_refer_to() {
        let value = |p: &str| (p.parse().unwrap(), Value::Bool(true));
        let sorted = sets_first(vec![value("/bgp/rib/afi-safis/x/loc-rib/route"), value("/bgp/rib/attr-sets/attr-set[index=1]")]);
        assert_eq!(sorted[0].0.elems[2].name, "attr-sets");
    }
}
