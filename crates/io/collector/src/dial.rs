//! One gNMI subscription, kept alive.

use crate::backoff::Backoff;
use crate::clock::now_ns;
use crate::error::CollectError;
use crate::health_watch::HealthWatch;
use crate::subscription::{self, Choice};
use crate::target::Target;
use core::time::Duration;
use gnmi::{Model, Profile, ProfileError, Repairs};
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
/// Models of a target that are looked at: EOS names 120.
const MODELS_MAX: usize = 4096;
/// Characters of a server's message that are shown.
const WORDS_MAX: usize = 300;

/// Keeps a subscription open until the receiver of `tx` is gone: connects, asks, hands on, waits and begins again.
///
/// `seed` makes the jitter of the waits repeatable.
pub async fn dial(target: Target, seed: u64, tx: mpsc::Sender<Observation>) {
    let choice = Choice { encoding: Encoding::JsonIetf, target_defined: false };
    let mut dialler = Dialler { target, tx, choice, open: false, repairs: Repairs::only([]), warnings: Vec::new() };
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
            warn!(device = %dialler.target.device, reason, repairs = ?dialler.repairs.counts(), "gNMI subscription closed");
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
    repairs: Repairs,
    /// What the next open stream is told about first.
    warnings: Vec<String>,
}

impl Dialler {
    /// Runs one session. `Ok` only when nobody listens any more.
    async fn session(&mut self, synced: &mut bool) -> Result<(), CollectError> {
        let mut client = self.target.connect().await?;
        let profile = self.capabilities(&mut client).await?;
        self.repairs = Repairs::only(profile.repairs.iter().copied());
        let mut stream = self.subscribe(&mut client, &profile).await?;
        self.open = true;
        info!(device = %self.target.device, encoding = ?self.choice.encoding, profile = %profile.name, "gNMI subscription opened");
        if self.say(GnmiEvent::Connected).await.is_none() {
            return Ok(());
        }
        for text in core::mem::take(&mut self.warnings) {
            warn!(device = %self.target.device, text, "gNMI subscription is not as wished for");
            if self.say(GnmiEvent::Warning { text }).await.is_none() {
                return Ok(());
            }
        }
        let mut watch = HealthWatch::new(&self.target, &client, &profile, self.choice.encoding, now_ns());
        loop {
            // what has arrived is read before anything is called late
            let next = tokio::select! {
                biased;
                () = self.tx.closed() => return Ok(()),
                next = stream.message() => Some(next),
                () = watch.due() => None,
            };
            if let Some(next) = next {
                let response = next.map_err(|s| self.refused("Subscribe", &s))?;
                let Some(response) = response else { return Err(CollectError::Ended { device: self.target.device.clone() }) };
                if let Some(event) = self.event(response, &profile) {
                    *synced |= event == GnmiEvent::Synced;
                    if let GnmiEvent::Notification { notification } = &event {
                        watch.heard(notification);
                    }
                    if self.say(event).await.is_none() {
                        return Ok(());
                    }
                }
                if !watch.overdue() {
                    continue;
                }
            }
            watch.judge();
            if let Some(news) = watch.news()
                && self.say(news).await.is_none()
            {
                return Ok(());
            }
        }
    }

    fn event(&mut self, response: wire::SubscribeResponse, profile: &Profile) -> Option<GnmiEvent> {
        match response.response? {
            Response::Update(wire) => {
                let (notification, errors) = gnmi_wire::notification_from_wire(&wire);
                for error in errors {
                    debug!(device = %self.target.device, %error, "an update was left out");
                }
                let mut notification = profile.canonical(notification);
                if !profile.repairs.is_empty() {
                    self.repairs.notification(&mut notification, now_ns());
                }
                Some(GnmiEvent::Notification { notification })
            }
            Response::SyncResponse(true) => Some(GnmiEvent::Synced),
            // deprecated in gNMI 0.7 and of no use since; the stream's status tells
            _ => None,
        }
    }

    /// Asks what the target can do. Some cannot even say so; they get the default.
    async fn capabilities(&mut self, client: &mut GNmiClient<Channel>) -> Result<Profile, CollectError> {
        let request = self.target.request(wire::CapabilityRequest::default())?;
        match self.in_time("Capabilities", client.capabilities(request)).await? {
            Ok(answer) => {
                let answer = answer.into_inner();
                let model = |m: wire::ModelData| Model { name: m.name, organisation: m.organization };
                let models: Vec<Model> = answer.supported_models.into_iter().take(MODELS_MAX).map(model).collect();
                self.take_profile(&models, &answer.supported_encodings)
            }
            Err(status) if status.code() == Code::Unimplemented => self.take_profile(&[], &[]),
            Err(status) => Err(self.refused("Capabilities", &status)),
        }
    }

    /// The operator's profile, or the one that the models point to, and the encoding that it prefers.
    fn take_profile(&mut self, models: &[Model], encodings: &[i32]) -> Result<Profile, CollectError> {
        let device = &self.target.device;
        self.warnings.clear();
        let chosen = Profile::all().and_then(|all| match Profile::choose(&all, models, self.target.profile.as_deref()) {
            Err(missing @ ProfileError::Unknown { .. }) if self.target.profile.is_some() => {
                let instead = Profile::choose(&all, models, None)?.clone();
                self.warnings.push(format!("PH-COLL-040: {missing}; {:?} is used instead; correct the inventory", instead.name));
                Ok(instead)
            }
            other => other.cloned(),
        });
        let profile = chosen.map_err(|source| CollectError::Profile { device: device.clone(), source })?;
        self.choice.encoding =
            subscription::encoding(&profile, encodings).ok_or_else(|| CollectError::Encoding { device: device.clone() })?;
        Ok(profile)
    }

    async fn subscribe(
        &self,
        client: &mut GNmiClient<Channel>,
        profile: &Profile,
    ) -> Result<Streaming<wire::SubscribeResponse>, CollectError> {
        // the request side stays open: a target may end the stream when it closes
        let requests = tokio_stream::once(subscription::request(profile, self.choice)).chain(tokio_stream::pending());
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
