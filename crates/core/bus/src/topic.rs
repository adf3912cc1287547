//! One topic.

use core::num::NonZeroUsize;
use core::ops::Range;
use serde::Serialize;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::Arc;
use units::Timestamp;

/// Messages that a topic holds (S1-060).
pub const TOPIC_MESSAGES_MAX: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// What becomes of a message that a full topic holds no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// It is lost, and counted as dropped.
    Newest,
    /// It is a record of the audit chain, where it is read further on; it is counted as spilled, never dropped.
    Ledger,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Message {
    /// Its number in the topic.
    pub offset: u64,
    /// When what it tells was received.
    pub at: Timestamp,
    /// What it tells.
    pub value: Arc<Value>,
}

/// What a reader gets.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// Offsets that were asked for and are no longer in memory.
    pub gap: Option<Range<u64>>,
    /// Messages, oldest first.
    pub messages: Vec<Message>,
    /// Where the reader goes on: behind the last message of `messages`, or of the gap.
    pub next: u64,
}

impl Read {
    pub(crate) const fn nothing(from: u64) -> Self {
        Self { gap: None, messages: Vec::new(), next: from }
    }
}

/// Counts of a topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TopicStats {
    /// Its name.
    pub topic: String,
    /// Messages published since this bus was made.
    pub published: u64,
    /// Messages in memory.
    pub held: u64,
    /// Messages lost because the topic was full.
    pub dropped: u64,
    /// Messages that are out of memory and in the ledger.
    pub spilled: u64,
    /// Messages that came too fast to be taken up.
    pub missed: u64,
    /// Offset of the oldest message in memory; that of the next one when there is none.
    pub oldest: u64,
    /// Offset of the next message.
    pub next: u64,
    /// When the newest message was received.
    pub newest_at: Option<Timestamp>,
    /// What becomes of what does not fit.
    pub keep: Keep,
}

#[derive(Clone, Debug)]
pub(crate) struct Topic {
    keep: Keep,
    held: VecDeque<Message>,
    /// Offset of the next message.
    next: u64,
    published: u64,
    pushed_out: u64,
    missed: u64,
}

impl Topic {
    pub(crate) const fn new(keep: Keep) -> Self {
        Self { keep, held: VecDeque::new(), next: 0, published: 0, pushed_out: 0, missed: 0 }
    }

    pub(crate) fn publish(&mut self, at: Timestamp, value: Arc<Value>, bound: NonZeroUsize) -> u64 {
        let offset = self.next;
        self.next = self.next.saturating_add(1);
        self.published = self.published.saturating_add(1);
        while self.held.len() >= bound.get() {
            self.held.pop_front();
            self.pushed_out = self.pushed_out.saturating_add(1);
        }
        self.held.push_back(Message { offset, at, value });
        offset
    }

    pub(crate) const fn missed(&mut self, messages: u64) {
        self.missed = self.missed.saturating_add(messages);
    }

    /// Offsets stay without holes: only a topic that holds nothing yet can begin elsewhere.
    pub(crate) fn continue_at(&mut self, next: u64) {
        if self.held.is_empty() {
            self.next = self.next.max(next);
        }
    }

    pub(crate) const fn next(&self) -> u64 {
        self.next
    }

    pub(crate) fn oldest(&self) -> u64 {
        self.held.front().map_or(self.next, |m| m.offset)
    }

    pub(crate) fn newest(&self, n: usize) -> Vec<Message> {
        self.held.iter().skip(self.held.len().saturating_sub(n)).cloned().collect()
    }

    pub(crate) fn read(&self, from: u64, n: usize) -> Read {
        let oldest = self.oldest();
        let gap = (from < oldest).then_some(from..oldest);
        let skip = usize::try_from(from.saturating_sub(oldest)).unwrap_or(usize::MAX);
        let messages: Vec<Message> = self.held.iter().skip(skip).take(n).cloned().collect();
        let next = messages.last().map_or_else(|| from.max(oldest), |m| m.offset.saturating_add(1));
        Read { gap, messages, next }
    }

    pub(crate) fn stats(&self, name: &str) -> TopicStats {
        let (dropped, spilled) = match self.keep {
            Keep::Newest => (self.pushed_out, 0),
            Keep::Ledger => (0, self.pushed_out),
        };
        TopicStats {
            topic: name.to_owned(),
            published: self.published,
            held: u64::try_from(self.held.len()).unwrap_or(u64::MAX),
            dropped,
            spilled,
            missed: self.missed,
            oldest: self.oldest(),
            next: self.next,
            newest_at: self.held.back().map(|m| m.at),
            keep: self.keep,
        }
    }
}
