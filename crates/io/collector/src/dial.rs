//! One gNMI subscription, kept alive.

use crate::backoff::Backoff;
use crate::error::CollectError;
use crate::subscription::{self, Choice};
use crate::target::Target;
use core::time::Duration;
use gnmi_wire::wire::g_nmi_client::GNmiClient;
use gnmi_wire::wire::{self, Encoding, subscribe_response::Response};
use network::{GnmiEvent, Observation};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};
use tracing::{debug, info, warn};

/// Longest wait for Capabilities and for the first answer to Subscribe (a Go server sends no headers before the first message).
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// Characters of a server's message that are shown.
const WORDS_MAX: usize = 300;

/// Keeps a subscription open until the receiver of `tx` is gone: connects, asks, hands on, waits and begins again.
///
/// `seed` makes the jitter of the waits repeatable.
pub async fn dial(target: Target, seed: u64, tx: mpsc::Sender<Observation>) {
    let mut dialler = Dialler { target, tx, choice: Choice { encoding: Encoding::JsonIetf, target_defined: false }, open: false };
    let mut backoff = Backoff::new(seed);
    let mut told = String::new();
    loop {
        let mut synced = false;
        let Err(cause) = dialler.session(&mut synced).await else { return };
        if synced {
            backoff.reset();
        }
        dialler.learn(&cause);
        let reason = cause.chain();
        // an unreachable target is told once, not at every attempt
        if dialler.open || reason != told {
            warn!(device = %dialler.target.device, reason, "gNMI subscription closed");
            if dialler.say(GnmiEvent::Closed { reason: reason.clone() }).await.is_none() {
                return;
            }
        }
        told = reason;
        dialler.open = false;
        let wait = backoff.wait();
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = dialler.tx.closed() => return,
        }
    }
}

struct Dialler {
    target: Target,
    tx: mpsc::Sender<Observation>,
    choice: Choice,
    open: bool,
}

impl Dialler {
    /// Runs one session. `Ok` only when nobody listens any more.
    async fn session(&mut self, synced: &mut bool) -> Result<(), CollectError> {
        let mut client = self.target.connect().await?;
        self.choice.encoding = self.capabilities(&mut client).await?;
        let mut stream = self.subscribe(&mut client).await?;
        self.open = true;
        info!(device = %self.target.device, encoding = ?self.choice.encoding, "gNMI subscription opened");
        if self.say(GnmiEvent::Connected).await.is_none() {
            return Ok(());
        }
        loop {
            let next = tokio::select! {
                next = stream.message() => next,
                () = self.tx.closed() => return Ok(()),
            };
            let response = next.map_err(|s| self.refused("Subscribe", &s))?;
            let Some(response) = response else { return Err(CollectError::Ended { device: self.target.device.clone() }) };
            let Some(event) = self.event(response) else { continue };
            *synced |= event == GnmiEvent::Synced;
            if self.say(event).await.is_none() {
                return Ok(());
            }
        }
    }

    fn event(&self, response: wire::SubscribeResponse) -> Option<GnmiEvent> {
        match response.response? {
            Response::Update(wire) => {
                let (notification, errors) = gnmi_wire::notification_from_wire(&wire);
                for error in errors {
                    debug!(device = %self.target.device, %error, "an update was left out");
                }
                Some(GnmiEvent::Notification { notification })
            }
            Response::SyncResponse(true) => Some(GnmiEvent::Synced),
            // deprecated in gNMI 0.7 and of no use since; the stream's status tells
            _ => None,
        }
    }

    /// Asks what the target can do. Some cannot even say so; they get the default.
    async fn capabilities(&self, client: &mut GNmiClient<Channel>) -> Result<Encoding, CollectError> {
        let request = self.target.request(wire::CapabilityRequest::default())?;
        match self.in_time("Capabilities", client.capabilities(request)).await? {
            Ok(answer) => subscription::encoding(&answer.into_inner().supported_encodings)
                .ok_or_else(|| CollectError::Encoding { device: self.target.device.clone() }),
            Err(status) if status.code() == Code::Unimplemented => Ok(self.choice.encoding),
            Err(status) => Err(self.refused("Capabilities", &status)),
        }
    }

    async fn subscribe(&self, client: &mut GNmiClient<Channel>) -> Result<Streaming<wire::SubscribeResponse>, CollectError> {
        // the request side stays open: a target may end the stream when it closes
        let requests = tokio_stream::once(subscription::request(self.choice)).chain(tokio_stream::pending());
        let request = self.target.request(requests)?;
        match self.in_time("Subscribe", client.subscribe(request)).await? {
            Ok(answer) => Ok(answer.into_inner()),
            Err(status) => Err(self.refused("Subscribe", &status)),
        }
    }

    async fn in_time<T>(&self, operation: &'static str, answer: impl Future<Output = T>) -> Result<T, CollectError> {
        let late = |_| CollectError::Unanswered { device: self.target.device.clone(), operation, waited: ANSWER_MAX };
        tokio::time::timeout(ANSWER_MAX, answer).await.map_err(late)
    }

    fn refused(&self, operation: &'static str, status: &Status) -> CollectError {
        refused(&self.target, operation, status)
    }

    /// A target that refuses our modes is asked with its own the next time.
    fn learn(&mut self, cause: &CollectError) {
        if let CollectError::Refused { operation: "Subscribe", code: Code::InvalidArgument | Code::Unimplemented, .. } = cause {
            self.choice.target_defined = !self.choice.target_defined;
        }
    }

    async fn say(&self, event: GnmiEvent) -> Option<()> {
        self.tx.send(Observation::Gnmi { device: self.target.device.clone(), event }).await.ok()
    }
}

/// Wraps a status with the server's own words, cut.
pub(crate) fn refused(target: &Target, operation: &'static str, status: &Status) -> CollectError {
    CollectError::Refused {
        device: target.device.clone(),
        operation,
        code: status.code(),
        message: status.message().chars().take(WORDS_MAX).collect(),
    }
}
