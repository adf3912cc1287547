//! The topics of a running engine, for readers outside the loop.

use bus::{AGENT_ACTIONS, AGENT_OUTCOMES, Bus, BusError, Keep, Message, Read, TopicStats};
use pilot::{Event, Happening};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::StoreError;
use units::Timestamp;

/// Messages that one reading returns at most.
pub const READ_MAX: usize = 1000;

/// Audit records that are messages of [`AGENT_ACTIONS`].
const ACTIONS: [&str; 10] =
    ["decided", "blocked", "proposed", "approved", "overridden", "rejected", "withdrawn", "change_started", "change_step", "killed"];
/// Audit records that are messages of [`AGENT_OUTCOMES`].
const OUTCOMES: [&str; 3] = ["measured", "change_finished", "learned"];

/// The topics. Cheap to clone; a lock is held for one message or one reading, never over a wait.
///
/// Actions and outcomes are records of the audit chain: the n-th record of these kinds is the message with offset n, in memory or out of
/// it, so none is ever lost and their numbers hold over restarts. The others live in memory; after a restart their numbers go on behind
/// those used before, and a reader is told what it can no longer get.
#[derive(Clone, Debug)]
pub struct Topics {
    bus: Arc<Mutex<Bus>>,
    folder: PathBuf,
}

/// Returns the records of the audit chain that a topic consists of; none for topics of telemetry.
fn kinds(topic: &str) -> &'static [&'static str] {
    match topic {
        AGENT_ACTIONS => &ACTIONS,
        AGENT_OUTCOMES => &OUTCOMES,
        _ => &[],
    }
}

/// Returns the topic that an event belongs to.
const fn topic_of(what: &Happening) -> Option<&'static str> {
    match what {
        Happening::Decided { .. }
        | Happening::Blocked { .. }
        | Happening::Proposed { .. }
        | Happening::Approved { .. }
        | Happening::Overridden { .. }
        | Happening::Rejected { .. }
        | Happening::Withdrawn { .. }
        | Happening::ChangeStarted { .. }
        | Happening::ChangeStep { .. }
        | Happening::Killed { .. } => Some(AGENT_ACTIONS),
        Happening::Measured { .. } | Happening::ChangeFinished { .. } | Happening::Learned { .. } => Some(AGENT_OUTCOMES),
        Happening::Feed { .. }
        | Happening::Repaired { .. }
        | Happening::Unreadable { .. }
        | Happening::Reported { .. }
        | Happening::Agreement { .. }
        | Happening::Evidence { .. }
        | Happening::OriginValidation { .. }
        | Happening::Watched { .. }
        | Happening::FindingOpened { .. }
        | Happening::ChangedBefore { .. }
        | Happening::FindingCleared { .. }
        | Happening::Refused { .. } => None,
    }
}

impl Topics {
    /// Goes on where the topics of a data folder stood.
    pub(crate) fn resume(folder: PathBuf, telemetry: &store::Telemetry) -> Result<Self, StoreError> {
        let mut bus = Bus::default();
        let kept = telemetry.topic_places()?;
        for (topic, next) in &kept.topics {
            tell_refusal(bus.continue_at(topic, *next));
        }
        for topic in [AGENT_ACTIONS, AGENT_OUTCOMES] {
            let next = store::count_audit(&folder, kinds(topic))?;
            tell_refusal(bus.continue_at(topic, next));
        }
        for (reader, topic, next) in &kept.readers {
            tell_refusal(bus.stand(reader, topic, *next));
        }
        Ok(Self { bus: Arc::new(Mutex::new(bus)), folder })
    }

    fn bus(&self) -> MutexGuard<'_, Bus> {
        self.bus.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes; what the bus refuses is told to the log.
    pub(crate) fn publish(&self, topic: &str, at: Timestamp, value: Value) {
        tell_refusal(self.bus().publish(topic, at, Arc::new(value)).map(drop));
    }

    /// Counts messages that could not be taken up.
    pub(crate) fn missed(&self, topic: &str, messages: u64) {
        tell_refusal(self.bus().missed(topic, messages));
    }

    /// Publishes what belongs to a topic of the agent.
    pub(crate) fn happened(&self, event: &Event) {
        let Some(topic) = topic_of(&event.what) else { return };
        match serde_json::to_value(&event.what) {
            Ok(value) => self.publish(topic, event.at, value),
            Err(error) => tracing::error!(%error, seq = event.seq, "event cannot be published"),
        }
    }

    /// Returns what a restart needs: where the next run's numbers begin, `promised` behind the present ones, and the readers' places.
    pub(crate) fn kept(&self, promised: u64) -> store::TopicPlaces {
        let bus = self.bus();
        let telemetry = bus.topic_stats().into_iter().filter(|t| t.keep == Keep::Newest);
        let topics = telemetry.map(|t| (t.topic, t.next.saturating_add(promised))).collect();
        let readers = bus.places().into_iter().map(|p| (p.reader, p.topic, p.next)).collect();
        store::TopicPlaces { topics, readers }
    }

    /// Returns the counts of every topic, by name.
    #[must_use]
    pub fn stats(&self) -> Vec<TopicStats> {
        self.bus().topic_stats()
    }

    /// Returns the newest `n` messages of a topic, oldest first, at most [`READ_MAX`].
    ///
    /// # Errors
    /// [`StoreError`] when part of them is in the ledger, and it cannot be read.
    pub async fn newest(&self, topic: &str, n: usize) -> Result<Read, StoreError> {
        let n = n.min(READ_MAX);
        let name = bus::canonical(topic);
        let Some(stats) = self.stats().into_iter().find(|t| t.topic == name) else { return self.read(topic, 0, n).await };
        let from = stats.next.saturating_sub(u64::try_from(n).unwrap_or(u64::MAX));
        let from = if stats.keep == Keep::Ledger { from } else { from.max(stats.oldest) };
        self.read(topic, from, n).await
    }

    /// Returns the newest messages of a topic, oldest first: `n`, at most [`READ_MAX`], or as many as [`bus::recent_default`] says (S1-056).
    ///
    /// # Errors
    /// As [`Self::newest`].
    pub async fn recent(&self, topic: &str, n: Option<usize>) -> Result<Read, StoreError> {
        self.newest(topic, n.unwrap_or_else(|| bus::recent_default(topic))).await
    }

    /// Returns at most `n` messages of a topic from an offset on, at most [`READ_MAX`]; what cannot be got any more is told as a gap.
    ///
    /// # Errors
    /// As [`Self::newest`].
    pub async fn read(&self, topic: &str, from: u64, n: usize) -> Result<Read, StoreError> {
        let n = n.min(READ_MAX);
        let read = self.bus().read(topic, from, n);
        self.complete(topic, read, n).await
    }

    /// Returns at most `n` messages from a reader's place on, at most [`READ_MAX`]. [`Self::stand`] moves the place.
    ///
    /// # Errors
    /// As [`Self::newest`].
    pub async fn read_on(&self, reader: &str, topic: &str, n: usize) -> Result<Read, StoreError> {
        let n = n.min(READ_MAX);
        let read = self.bus().read_on(reader, topic, n);
        self.complete(topic, read, n).await
    }

    /// Returns where a reader goes on; 0 before it stood anywhere.
    #[must_use]
    pub fn place(&self, reader: &str, topic: &str) -> u64 {
        let topic = bus::canonical(topic);
        self.bus().places().into_iter().find(|p| p.reader == reader && p.topic == topic).map_or(0, |p| p.next)
    }

    /// Puts a reader in front of the message `next`; it stands there after a restart too.
    ///
    /// # Errors
    /// [`BusError`].
    pub fn stand(&self, reader: &str, topic: &str, next: u64) -> Result<(), BusError> {
        self.bus().stand(reader, topic, next)
    }

    /// Fills a gap from the ledger, where the topic is kept there.
    async fn complete(&self, topic: &str, read: Read, n: usize) -> Result<Read, StoreError> {
        let kinds = kinds(bus::canonical(topic));
        let Some(gap) = read.gap.clone().filter(|_| !kinds.is_empty()) else { return Ok(read) };
        let wanted = u64::try_from(n).unwrap_or(u64::MAX).min(gap.end - gap.start);
        let (folder, limit) = (self.folder.clone(), u32::try_from(wanted).unwrap_or(u32::MAX));
        let found = tokio::task::spawn_blocking(move || store::read_audit_of(&folder, kinds, gap.start, limit)).await;
        let records = found.map_err(|e| StoreError::Io {
            doing: "reading the audit chain of",
            path: self.folder.clone(),
            source: std::io::Error::other(e.to_string()),
        })??;
        let old = (gap.start..).zip(records).map(|(offset, r)| Message { offset, at: r.at, value: Arc::new(r.body) });
        let mut messages: Vec<Message> = old.collect();
        let reached = messages.last().map_or(gap.start, |m| m.offset + 1);
        if reached < gap.end && messages.len() < n {
            // the chain holds less than was published: a ledger that could not be written for long
            let left = n - messages.len();
            messages.extend(read.messages.into_iter().take(left));
            let next = messages.last().map_or(gap.end, |m| m.offset + 1);
            return Ok(Read { gap: Some(reached..gap.end), messages, next });
        }
        let left = n - messages.len();
        messages.extend(read.messages.into_iter().take(left));
        let next = messages.last().map_or(gap.start, |m| m.offset + 1);
        Ok(Read { gap: None, messages, next })
    }
}

fn tell_refusal(done: Result<(), BusError>) {
    if let Err(error) = done {
        tracing::warn!(%error, "the bus refused");
    }
}
