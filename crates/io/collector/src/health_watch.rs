//! Drives [`gnmi::health`] for one open stream: the clock, the reading of quiet paths, and when to tell.

use crate::encoding::Encodings;
use crate::error::CollectError;
use crate::rows::Rows;
use crate::target::Target;
use crate::{get, subscription};
use core::time::Duration;
use gnmi::health::{Answer, Extent, Health, State, Told};
use gnmi::{Notification, Profile};
use gnmi_wire::wire;
use gnmi_wire::wire::g_nmi_client::GNmiClient;
use network::{GnmiEvent, SubscriptionHealth, SubscriptionState};
use std::time::Instant;
use tokio::task::JoinSet;
use tonic::Code;
use tonic::transport::Channel;
use units::Timestamp;

/// A change that alarms nobody is told at most this often, nanoseconds.
const TELL_EVERY_NS: i64 = 1_000_000_000;
/// What changed without a change of state (the last message, counts) is told at most this often, nanoseconds: a capture holds it.
const REFRESH_EVERY_NS: i64 = 30_000_000_000;
/// A stream that never pauses may put off a judgement this long, nanoseconds.
const PUT_OFF_MAX_NS: i64 = 1_000_000_000;
/// Longest sleep when nothing is due.
const SLEEP_MAX: Duration = Duration::from_secs(3600);

/// Updates of a table of routes that are compared: a table of a million is not read every half minute, its beginning is.
const TABLE_UPDATES_MAX: usize = 4096;

/// A difference is looked at again after this: the message that tells it may be on its way.
const LOOK_AGAIN: Duration = Duration::from_millis(900);

/// A row, what reading its path gave, and how often that was compared.
type Read = (usize, Result<(Vec<Notification>, Extent), Answer>, Looks);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Looks {
    First,
    Second,
}

/// The health of one open stream.
pub(crate) struct HealthWatch {
    target: Target,
    client: GNmiClient<Channel>,
    profile: Profile,
    encodings: Encodings,
    /// How each row is asked for, where that is not what the profile says.
    instead: Vec<Option<String>>,
    health: Health,
    told: Told,
    reads: JoinSet<Read>,
    began: Instant,
    began_ns: i64,
    /// State and `synced` of each row, as told last.
    said: Vec<(SubscriptionState, bool)>,
    said_at: i64,
    /// A message came since then.
    heard: bool,
}

impl HealthWatch {
    pub(crate) fn new(target: &Target, client: &GNmiClient<Channel>, rows: &Rows, encodings: &Encodings, now_ns: i64) -> Self {
        let profile = rows.effective();
        let mut health = Health::new(&profile.subscriptions, now_ns);
        rows.left_out().for_each(|(row, words)| health.refused(row, words, now_ns));
        Self {
            target: target.clone(),
            client: client.clone(),
            instead: (0..profile.subscriptions.len()).map(|row| rows.instead(row)).collect(),
            profile,
            encodings: encodings.clone(),
            health,
            told: Told::default(),
            reads: JoinSet::new(),
            began: Instant::now(),
            began_ns: now_ns,
            said: Vec::new(),
            said_at: 0,
            heard: false,
        }
    }

    /// Wall clock at the beginning, monotonic since: a clock that is set makes nobody silent.
    fn now(&self) -> i64 {
        self.began_ns.saturating_add(i64::try_from(self.began.elapsed().as_nanos()).unwrap_or(i64::MAX))
    }

    pub(crate) fn heard(&mut self, notification: &Notification) {
        let now = self.now();
        self.health.heard(notification, now);
        self.heard = true;
        self.told.apply(notification);
    }

    /// The target has told all that there is of these rows.
    pub(crate) fn synced(&mut self, rows: &[usize]) {
        self.health.synced(rows.iter().copied());
    }

    /// Returns when something is due, or an answer came.
    pub(crate) async fn due(&mut self) {
        let deadline = [self.health.next_deadline(), self.news_at()].into_iter().flatten().min();
        let wait = deadline.map_or(SLEEP_MAX, |d| Duration::from_nanos(u64::try_from(d.saturating_sub(self.now())).unwrap_or(0)));
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            Some(done) = self.reads.join_next(), if !self.reads.is_empty() => if let Ok(read) = done { self.take(read); },
        }
    }

    /// The stream was drained: what is late now is late.
    pub(crate) fn judge(&mut self) {
        let now = self.now();
        for row in self.health.tick(now) {
            let Some(asked) = self.profile.subscriptions.get(row) else { continue };
            let encoding = self.encodings.on_wire(asked);
            let once = subscription::once(&self.profile, [asked], encoding);
            let request = (!asked.is_rib()).then(|| subscription::get(&self.profile, asked, encoding));
            let (target, client, profile) = (self.target.clone(), self.client.clone(), self.profile.clone());
            self.reads.spawn(async move { (row, read(&target, client, &profile, request, once).await, Looks::First) });
        }
    }

    /// Is a judgement put off for too long by a stream that never pauses?
    pub(crate) fn overdue(&self) -> bool {
        self.health.next_deadline().is_some_and(|d| d.saturating_add(PUT_OFF_MAX_NS) < self.now())
    }

    fn take(&mut self, (row, read, looks): Read) {
        let Some(asked) = self.profile.subscriptions.get(row) else { return };
        let paths = asked.told_at();
        let answer = match &read {
            Ok((found, extent)) => self.told.compare(&paths, found, *extent),
            // nothing there is what it told, if it took back what it had told
            Err(Answer::Nothing) => self.told.compare(&paths, &[], Extent::Whole),
            Err(answer) => answer.clone(),
        };
        if looks == Looks::First && matches!(answer, Answer::Changed | Answer::Nothing) {
            self.reads.spawn(async move {
                tokio::time::sleep(LOOK_AGAIN).await;
                (row, read, Looks::Second)
            });
            return;
        }
        let now = self.now();
        self.health.answered(row, answer, now);
    }

    fn states(&self) -> impl Iterator<Item = (SubscriptionState, bool)> {
        self.health.rows().iter().map(|row| {
            let state = match &row.state {
                State::Waiting => SubscriptionState::Waiting,
                State::Alive => SubscriptionState::Alive,
                State::Quiet => SubscriptionState::Quiet,
                State::Absent => SubscriptionState::Absent,
                State::Silent { since, reason } => {
                    SubscriptionState::Silent { since: Timestamp::from_nanos(*since), reason: reason.to_string() }
                }
            };
            (state, row.synced)
        })
    }

    /// When a change must be told: at once (a time that has passed) if it is about silence.
    fn news_at(&self) -> Option<i64> {
        if self.states().eq(self.said.iter().cloned()) {
            return self.heard.then(|| self.said_at.saturating_add(REFRESH_EVERY_NS));
        }
        let mut both = self.states().zip(&self.said);
        let alarming = self.said.len() == self.health.rows().len() && both.any(|((a, _), (b, _))| a.is_silent() != b.is_silent());
        Some(if alarming { self.said_at } else { self.said_at.saturating_add(TELL_EVERY_NS) })
    }

    /// What there is to tell now.
    pub(crate) fn news(&mut self) -> Option<GnmiEvent> {
        let now = self.now();
        self.news_at().filter(|at| *at <= now)?;
        self.said = self.states().collect();
        self.said_at = now;
        self.heard = false;
        let row = |((row, (state, _)), instead): ((&gnmi::health::Row, &(SubscriptionState, bool)), &Option<String>)| SubscriptionHealth {
            set: row.set.clone(),
            path: row.path.to_string(),
            expected_ms: row.expected_ms(),
            last: row.last.map(Timestamp::from_nanos),
            state: state.clone(),
            instead: instead.clone(),
            synced: row.synced,
            coalesced: row.coalesced,
            empty: row.empty,
        };
        Some(GnmiEvent::Health { subscriptions: self.health.rows().iter().zip(&self.said).zip(&self.instead).map(row).collect() })
    }
}

/// Reads a path by Get; from a target that has none, and without a request for one, by Subscribe ONCE.
async fn read(
    target: &Target,
    mut client: GNmiClient<Channel>,
    profile: &Profile,
    request: Option<wire::GetRequest>,
    once: wire::SubscribeRequest,
) -> Result<(Vec<Notification>, Extent), Answer> {
    let found = match request {
        Some(request) => match get::get_with(target, &mut client, request).await {
            Err(CollectError::Refused { code: Code::Unimplemented, .. }) => {
                get::once_with(target, &mut client, once, get::UPDATES_MAX).await
            }
            other => other.map(|found| (found, Extent::Whole)),
        },
        // a table's entry may lose leaves without a word about each of them
        None => get::once_with(target, &mut client, once, TABLE_UPDATES_MAX).await.map(|(found, _)| (found, Extent::Beginning)),
    };
    match found {
        Ok((notifications, extent)) => Ok((notifications.into_iter().map(|n| profile.canonical(n)).collect(), extent)),
        Err(CollectError::Refused { code: Code::NotFound, .. }) => Err(Answer::Nothing),
        // more than a message may hold: it lives, and nothing can be compared
        Err(CollectError::Refused { code: Code::OutOfRange, .. }) => Err(Answer::Same),
        Err(error) => Err(Answer::Failed(error.chain())),
    }
}
