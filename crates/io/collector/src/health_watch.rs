//! Drives [`gnmi::health`] for one open stream: the clock, the reading of quiet paths, and when to tell.

use crate::error::CollectError;
use crate::target::Target;
use crate::{get, subscription};
use core::time::Duration;
use gnmi::health::{Answer, Health, State, Told};
use gnmi::{Notification, Profile};
use gnmi_wire::wire::g_nmi_client::GNmiClient;
use gnmi_wire::wire::{self, Encoding};
use network::{GnmiEvent, SubscriptionHealth, SubscriptionState};
use std::time::Instant;
use tokio::task::JoinSet;
use tonic::Code;
use tonic::transport::Channel;
use units::Timestamp;

/// A change that alarms nobody is told at most this often, nanoseconds.
const TELL_EVERY_NS: i64 = 1_000_000_000;
/// A stream that never pauses may put off a judgement this long, nanoseconds.
const PUT_OFF_MAX_NS: i64 = 1_000_000_000;
/// Longest sleep when nothing is due.
const SLEEP_MAX: Duration = Duration::from_secs(3600);

type Read = (usize, Result<Vec<Notification>, Answer>);

/// The health of one open stream.
pub(crate) struct HealthWatch {
    target: Target,
    client: GNmiClient<Channel>,
    profile: Profile,
    encoding: Encoding,
    health: Health,
    told: Told,
    reads: JoinSet<Read>,
    began: Instant,
    began_ns: i64,
    said: Vec<SubscriptionState>,
    said_at: i64,
}

impl HealthWatch {
    pub(crate) fn new(target: &Target, client: &GNmiClient<Channel>, profile: &Profile, encoding: Encoding, now_ns: i64) -> Self {
        Self {
            target: target.clone(),
            client: client.clone(),
            profile: profile.clone(),
            encoding,
            health: Health::new(&profile.subscriptions, now_ns),
            told: Told::default(),
            reads: JoinSet::new(),
            began: Instant::now(),
            began_ns: now_ns,
            said: Vec::new(),
            said_at: 0,
        }
    }

    /// Wall clock at the beginning, monotonic since: a clock that is set makes nobody silent.
    fn now(&self) -> i64 {
        self.began_ns.saturating_add(i64::try_from(self.began.elapsed().as_nanos()).unwrap_or(i64::MAX))
    }

    pub(crate) fn heard(&mut self, notification: &Notification) {
        let now = self.now();
        self.health.heard(notification, now);
        self.told.apply(notification);
    }

    /// Returns when something is due, or an answer came.
    pub(crate) async fn due(&mut self) {
        let deadline = [self.health.next_deadline(), self.news_at()].into_iter().flatten().min();
        let wait = deadline.map_or(SLEEP_MAX, |d| Duration::from_nanos(u64::try_from(d.saturating_sub(self.now())).unwrap_or(0)));
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            Some(done) = self.reads.join_next(), if !self.reads.is_empty() => if let Ok((row, read)) = done { self.take(row, read); },
        }
    }

    /// The stream was drained: what is late now is late.
    pub(crate) fn judge(&mut self) {
        let now = self.now();
        for row in self.health.tick(now) {
            let Some(asked) = self.profile.subscriptions.get(row) else { continue };
            if asked.canonical.as_ref().unwrap_or(&asked.path).names().any(|n| n == "rib") {
                // a table of a million routes is not read every half minute; what kills its stream kills the others of this target too
                self.health.answered(row, Answer::Same, now);
                continue;
            }
            let request = wire::GetRequest {
                path: vec![gnmi_wire::path_to_wire(&asked.path, &asked.origin)],
                prefix: subscription::prefix(&self.profile),
                encoding: self.encoding.into(),
                ..wire::GetRequest::default()
            };
            let once = subscription::once(&self.profile, asked, self.encoding);
            let (target, client, profile) = (self.target.clone(), self.client.clone(), self.profile.clone());
            self.reads.spawn(async move { (row, read(&target, client, &profile, request, once).await) });
        }
    }

    /// Is a judgement put off for too long by a stream that never pauses?
    pub(crate) fn overdue(&self) -> bool {
        self.health.next_deadline().is_some_and(|d| d.saturating_add(PUT_OFF_MAX_NS) < self.now())
    }

    fn take(&mut self, row: usize, read: Result<Vec<Notification>, Answer>) {
        let Some(asked) = self.profile.subscriptions.get(row) else { return };
        let path = asked.canonical.as_ref().unwrap_or(&asked.path);
        let answer = read.map_or_else(|answer| answer, |read| self.told.compare(path, &read));
        let now = self.now();
        self.health.answered(row, answer, now);
    }

    fn states(&self) -> impl Iterator<Item = SubscriptionState> {
        self.health.rows().iter().map(|row| match &row.state {
            State::Waiting => SubscriptionState::Waiting,
            State::Alive => SubscriptionState::Alive,
            State::Quiet => SubscriptionState::Quiet,
            State::Silent { since, reason } => {
                SubscriptionState::Silent { since: Timestamp::from_nanos(*since), reason: reason.to_string() }
            }
        })
    }

    /// When a change must be told: at once (a time that has passed) if it is about silence.
    fn news_at(&self) -> Option<i64> {
        if self.states().eq(self.said.iter().cloned()) {
            return None;
        }
        let silent = |s: &SubscriptionState| matches!(s, SubscriptionState::Silent { .. });
        let alarming = self.said.len() == self.health.rows().len() && self.states().zip(&self.said).any(|(a, b)| silent(&a) != silent(b));
        Some(if alarming { self.said_at } else { self.said_at.saturating_add(TELL_EVERY_NS) })
    }

    /// What there is to tell now.
    pub(crate) fn news(&mut self) -> Option<GnmiEvent> {
        let now = self.now();
        self.news_at().filter(|at| *at <= now)?;
        self.said = self.states().collect();
        self.said_at = now;
        let row = |(row, state): (&gnmi::health::Row, &SubscriptionState)| SubscriptionHealth {
            set: row.set.clone(),
            path: row.path.to_string(),
            expected_ms: row.expected_ms(),
            last: row.last.map(Timestamp::from_nanos),
            state: state.clone(),
            instead: None,
            synced: row.synced,
            coalesced: row.coalesced,
            empty: row.empty,
        };
        Some(GnmiEvent::Health { subscriptions: self.health.rows().iter().zip(&self.said).map(row).collect() })
    }
}

/// Reads a path by Get; from a target that has none, by Subscribe ONCE.
async fn read(
    target: &Target,
    mut client: GNmiClient<Channel>,
    profile: &Profile,
    request: wire::GetRequest,
    once: wire::SubscribeRequest,
) -> Result<Vec<Notification>, Answer> {
    let found = match get::get_with(target, &mut client, request).await {
        Err(CollectError::Refused { code: Code::Unimplemented, .. }) => get::once_with(target, &mut client, once).await,
        other => other,
    };
    match found {
        Ok(notifications) => Ok(notifications.into_iter().map(|n| profile.canonical(n)).collect()),
        Err(CollectError::Refused { code: Code::NotFound, .. }) => Err(Answer::Nothing),
        // more than a message may hold: it lives, and nothing can be compared
        Err(CollectError::Refused { code: Code::OutOfRange, .. }) => Err(Answer::Same),
        Err(error) => Err(Answer::Failed(error.chain())),
    }
}
