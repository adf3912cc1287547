//! One gNMI subscription, kept alive.

use crate::backoff::Backoff;
use crate::capabilities::{self, Capabilities};
use crate::clock::now_ns;
use crate::encoding::{self, Encodings};
use crate::error::CollectError;
use crate::fit::{fit, is_about_the_request};
use crate::health_watch::HealthWatch;
use crate::repair_news::RepairNews;
use crate::rows::Rows;
use crate::subscription;
use crate::target::{Connection, PING_EVERY, Target};
use core::time::Duration;
use gnmi::{Model, Profile, ProfileError};
use gnmi_wire::wire::g_nmi_client::GNmiClient;
use gnmi_wire::wire::{self, subscribe_response::Response};
use network::{GnmiEvent, Observation};
use std::collections::BTreeSet;
use std::time::Instant;
use tokio::sync::mpsc;
use tokio_stream::{StreamExt, StreamMap};
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};
use tracing::{debug, info, warn};

/// Longest wait for the first answer to Subscribe (a Go server sends no headers before the first message).
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// Characters of a server's message that are shown.
const WORDS_MAX: usize = 300;
/// Slowest pings: servers written in Go end connections that ping more often than every five minutes while they have nothing to say.
const PING_SLOWEST: Duration = Duration::from_secs(320);

/// Keeps a subscription open until the receiver of `tx` is gone: connects, asks, hands on, waits and begins again.
///
/// `seed` makes the jitter of the waits repeatable.
pub async fn dial(target: Target, seed: u64, tx: mpsc::Sender<Observation>) {
    let mut dialler = Dialler {
        target,
        tx,
        rows: None,
        suspect: None,
        ping_every: PING_EVERY,
        silence: Duration::ZERO,
        open: false,
        warnings: Vec::new(),
    };
    let mut backoff = Backoff::new(seed);
    let mut told = String::new();
    loop {
        let mut synced = false;
        let Err(cause) = dialler.session(&mut synced).await else { return };
        if synced {
            backoff.reset();
        }
        dialler.learn(&cause, synced);
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
    /// How the rows are asked for; what a target refused once is remembered as long as its profile stays.
    rows: Option<Rows>,
    /// The last stream was refused after it was opened, like this.
    suspect: Option<(Code, String)>,
    ping_every: Duration,
    /// How long the target had said nothing when its last stream ended.
    silence: Duration,
    open: bool,
    /// What the next open stream is told about first.
    warnings: Vec<String>,
}

/// Rows of one encoding, and the stream that tells of them.
type Opened = (Vec<usize>, Streaming<wire::SubscribeResponse>);

/// What a session is about, once the target has said what it can.
struct Session {
    client: GNmiClient<Channel>,
    rows: Rows,
    encodings: Encodings,
    /// The rows of each stream: one an encoding, or one an encoding and origin.
    parts: Vec<Vec<usize>>,
    /// Streams that have not told everything yet.
    unsynced: BTreeSet<usize>,
    watch: HealthWatch,
    repairs: RepairNews,
    heard: Instant,
}

impl Dialler {
    /// Runs one session. `Ok` only when nobody listens any more.
    async fn session(&mut self, synced: &mut bool) -> Result<(), CollectError> {
        self.warnings.clear();
        let Connection { mut client, certificates } = self.target.open(self.ping_every).await?;
        self.warnings.extend(self.target.found_port());
        if self.ping_every > PING_EVERY {
            let (asked, now) = (PING_EVERY.as_secs(), self.ping_every.as_secs());
            let text = format!(
                "PH-COLL-048: the target ends connections that ping every {asked} s; pings every {now} s, a dead one is noticed later"
            );
            self.warnings.push(text);
        }
        let Capabilities { models, offered } = capabilities::ask(&self.target, &mut client).await?;
        let profile = self.take_profile(&models)?;
        let proven = encoding::prove(&self.target, &mut client, &profile, &encoding::candidates(&profile, &offered)).await?;
        self.warnings.extend(proven.warning);
        let encodings = Encodings::new(proven.encoding, offered);
        self.warnings.extend(encodings.warning(&profile));
        let mut rows = self.rows.take().filter(|r| *r.profile() == profile).unwrap_or_else(|| Rows::new(profile));
        let (parts, streams) = self.streams(&mut client, &mut rows, &encodings).await?.into_iter().unzip::<_, _, Vec<_>, Vec<_>>();
        self.rows = Some(rows.clone());
        self.warnings.extend(rows.warnings());
        self.open = true;
        info!(device = %self.target.device, encoding = proven.encoding.name(), profile = %rows.profile().name, "gNMI subscription opened");
        let watch = HealthWatch::new(&self.target, &client, &rows, &encodings, now_ns());
        let repairs = RepairNews::new(&rows.profile().repairs, proven.encoding);
        let unsynced = (0..parts.len()).collect();
        let mut session = Session { client, rows, encodings, parts, unsynced, watch, repairs, heard: Instant::now() };
        let certificates = Some(GnmiEvent::Certificates { certificates }).filter(|_| self.target.has_tls());
        let mut opening: Vec<GnmiEvent> = certificates.into_iter().chain([GnmiEvent::Connected]).collect();
        for text in core::mem::take(&mut self.warnings) {
            warn!(device = %self.target.device, text, "gNMI subscription is not as wished for");
            opening.push(GnmiEvent::Warning { text });
        }
        for event in opening {
            if self.say(event).await.is_none() {
                return Ok(());
            }
        }
        if session.rows.profile().updates_only && self.initial(&mut session, synced).await?.is_none() {
            return Ok(());
        }
        let end = self.follow(streams, &mut session, synced).await;
        self.silence = session.heard.elapsed();
        if let Some(rest) = session.repairs.rest() {
            self.say(rest).await;
        }
        end
    }

    /// Hands on what the streams say, and judges it.
    async fn follow(
        &self,
        streams: Vec<Streaming<wire::SubscribeResponse>>,
        session: &mut Session,
        synced: &mut bool,
    ) -> Result<(), CollectError> {
        let mut all = StreamMap::new();
        for (number, stream) in streams.into_iter().enumerate() {
            // the end of one is the end of the session
            all.insert(number, stream.map(Some).chain(tokio_stream::once(None)));
        }
        loop {
            // what has arrived is read before anything is called late
            let next = tokio::select! {
                biased;
                () = self.tx.closed() => return Ok(()),
                next = all.next() => Some(next),
                () = session.watch.due() => None,
            };
            if let Some(next) = next {
                let ended = || CollectError::Ended { device: self.target.device.clone() };
                let Some((number, Some(response))) = next else { return Err(ended()) };
                let response = response.map_err(|s| self.refused("Subscribe", &s))?;
                if self.hand_on(number, response, session, synced).await.is_none() {
                    return Ok(());
                }
                if !session.watch.overdue() {
                    continue;
                }
            }
            session.watch.judge();
            if let Some(news) = session.watch.news()
                && self.say(news).await.is_none()
            {
                return Ok(());
            }
        }
    }

    /// Reads the initial values by ONCE beside a stream that tells updates only. What changes meanwhile waits in the stream and comes after.
    async fn initial(&self, session: &mut Session, synced: &mut bool) -> Result<Option<()>, CollectError> {
        const WHAT: &str = "Subscribe ONCE";
        for number in 0..session.parts.len() {
            let rows = session.parts.get(number).map(|part| session.rows.asked(part)).unwrap_or_default();
            let Some(encoding) = rows.first().map(|row| session.encodings.on_wire(row)) else { continue };
            let request = subscription::once(session.rows.profile(), &rows, encoding);
            let request = self.target.request(tokio_stream::once(request).chain(tokio_stream::pending()))?;
            let answer = self.in_time(WHAT, session.client.subscribe(request)).await?;
            let mut stream = answer.map_err(|s| self.refused(WHAT, &s))?.into_inner();
            while let Some(response) = self.in_time(WHAT, stream.message()).await?.map_err(|s| self.refused(WHAT, &s))? {
                let is_last = response.response == Some(Response::SyncResponse(true));
                if self.hand_on(number, response, session, synced).await.is_none() {
                    return Ok(None);
                }
                if is_last {
                    break;
                }
            }
        }
        Ok(Some(()))
    }

    /// Hands on what the stream with this number said.
    async fn hand_on(&self, number: usize, response: wire::SubscribeResponse, session: &mut Session, synced: &mut bool) -> Option<()> {
        session.heard = Instant::now();
        match response.response? {
            Response::Update(wire) => {
                let (notification, errors) = gnmi_wire::notification_from_wire(&wire);
                for error in errors {
                    debug!(device = %self.target.device, %error, "an update was left out");
                }
                let mut notification = session.rows.profile().canonical(notification);
                session.repairs.repair(&mut notification, now_ns());
                session.watch.heard(&notification);
                self.say(GnmiEvent::Notification { notification }).await?;
                match session.repairs.news() {
                    Some(news) => self.say(news).await,
                    None => Some(()),
                }
            }
            Response::SyncResponse(true) => {
                session.watch.synced(session.parts.get(number).map(Vec::as_slice).unwrap_or_default());
                session.unsynced.remove(&number);
                // what stood before is swept when all of them have told what there is
                if !session.unsynced.is_empty() {
                    return Some(());
                }
                *synced = true;
                self.say(GnmiEvent::Synced).await
            }
            // deprecated in gNMI 0.7 and of no use since; the stream's status tells
            _ => Some(()),
        }
    }

    /// The operator's profile, or the one that the models point to.
    fn take_profile(&mut self, models: &[Model]) -> Result<Profile, CollectError> {
        let all = self.target.profiles()?;
        let chosen = match Profile::choose(&all, models, self.target.profile.as_deref()) {
            Err(missing @ ProfileError::Unknown { .. }) if self.target.profile.is_some() => {
                let instead = Profile::choose(&all, models, None).cloned();
                if let Ok(profile) = &instead {
                    let text = format!("PH-COLL-040: {missing}; {:?} is used instead; correct the inventory", profile.name);
                    self.warnings.push(text);
                }
                instead
            }
            other => other.cloned(),
        };
        chosen.map_err(|source| CollectError::Profile { device: self.target.device.clone(), source })
    }

    /// Opens the streams; what the target refuses of them is found and asked for in another way, and the rest stays as it is.
    async fn streams(
        &mut self,
        client: &mut GNmiClient<Channel>,
        rows: &mut Rows,
        encodings: &Encodings,
    ) -> Result<Vec<Opened>, CollectError> {
        let device = self.target.device.clone();
        let (code, message) = match self.suspect.take() {
            Some(refusal) => refusal,
            None => match self.subscribe(client, rows, encodings).await {
                Err(CollectError::Refused { code, message, .. }) if is_about_the_request(code) => (code, message),
                other => return other,
            },
        };
        if !fit(&self.target, client, rows, encodings).await? {
            // each is taken alone: it is the mixture that it dislikes
            if rows.set_apart(&message) {
                let apart = self.subscribe(client, rows, encodings).await;
                let Err(CollectError::Refused { code, message, .. }) = &apart else { return apart };
                if !is_about_the_request(*code) {
                    return apart;
                }
                rows.target_defined(message);
            } else {
                rows.target_defined(&message);
            }
        }
        if rows.taken().is_empty() {
            return Err(CollectError::Refused { device, operation: "Subscribe", code, message });
        }
        self.subscribe(client, rows, encodings).await
    }

    async fn subscribe(&self, client: &mut GNmiClient<Channel>, rows: &Rows, encodings: &Encodings) -> Result<Vec<Opened>, CollectError> {
        let mut opened = Vec::new();
        for (encoding, part) in rows.groups(encodings) {
            let request = subscription::stream(rows.profile(), &rows.asked(&part), encoding);
            // the request side stays open: a target may end the stream when it closes
            let request = self.target.request(tokio_stream::once(request).chain(tokio_stream::pending()))?;
            match self.in_time("Subscribe", client.subscribe(request)).await? {
                Ok(answer) => opened.push((part, answer.into_inner())),
                Err(status) => return Err(self.refused("Subscribe", &status)),
            }
        }
        Ok(opened)
    }

    async fn in_time<T>(&self, operation: &'static str, answer: impl Future<Output = T>) -> Result<T, CollectError> {
        let late = |_| CollectError::Unanswered { device: self.target.device.clone(), operation, waited: ANSWER_MAX };
        tokio::time::timeout(ANSWER_MAX, answer).await.map_err(late)
    }

    fn refused(&self, operation: &'static str, status: &Status) -> CollectError {
        refused(&self.target, operation, status)
    }

    /// What the end of a session says about the next one.
    fn learn(&mut self, cause: &CollectError, synced: bool) {
        let CollectError::Refused { operation, code, message, .. } = cause else { return };
        if self.open && is_calming(message, self.silence, self.ping_every) {
            self.ping_every = PING_SLOWEST.min(self.ping_every.saturating_mul(2));
        }
        if *operation == "Subscribe" && is_about_the_request(*code) {
            if !self.open {
                // refused although each row was taken: from the beginning the next time
                self.rows = None;
            } else if !synced {
                self.suspect = Some((*code, message.clone()));
            }
        }
    }

    async fn say(&self, event: GnmiEvent) -> Option<()> {
        self.tx.send(Observation::Gnmi { device: self.target.device.clone(), event }).await.ok()
    }
}

/// Says whether a server probably ended the connection because of our pings. grpc-go does so at the fourth ping after its last word (seen of
/// openconfig's fake_server); its GOAWAY (ENHANCE_YOUR_CALM, too_many_pings) mostly drowns in the closed connection.
fn is_calming(words: &str, silence: Duration, ping_every: Duration) -> bool {
    let told = words.contains("too_many_pings") || words.contains("detected excessive load generating behavior");
    let at_the_fourth = (ping_every * 3..ping_every * 5).contains(&silence);
    told || (at_the_fourth && words.contains("h2 protocol error"))
}

/// Wraps a status with the server's own words, or those of what ended the connection; cut.
pub(crate) fn refused(target: &Target, operation: &'static str, status: &Status) -> CollectError {
    let mut words = status.message().to_owned();
    let mut cause = core::error::Error::source(status);
    while let Some(next) = cause {
        let text = next.to_string();
        if !words.contains(&text) {
            words = format!("{words}: {text}");
        }
        cause = next.source();
    }
    CollectError::Refused {
        device: target.device.clone(),
        operation,
        code: status.code(),
        message: words.chars().take(WORDS_MAX).collect(),
    }
}
