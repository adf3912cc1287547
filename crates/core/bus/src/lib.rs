//! Topics inside the process: what was seen and done, numbered per topic, for readers outside the loop.
//!
//! A [`Bus`] is a value: whoever owns it publishes and reads; time is an argument. Every topic is bounded. What falls out of a topic of
//! telemetry is lost and counted; what falls out of a topic that the ledger holds ([`Keep::Ledger`]) is only out of memory: its messages
//! are records of the audit chain, and whoever owns the bus reads them there. Nothing here decides anything, and nothing waits for a reader.
//!
//! ```text
//! offset   0 … 4711        4712 … 14711          14712
//!          └ out of memory └ held, at most       └ next
//!            (counted)       TOPIC_MESSAGES_MAX
//! ```

mod topic;

pub use topic::{Keep, Message, Read, TOPIC_MESSAGES_MAX, TopicStats};

use core::num::NonZeroUsize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use topic::Topic;
use units::Timestamp;

/// gNMI notifications as they came: device, host name, time, counts of sessions and routes.
pub const TELEMETRY_GNMI: &str = "bgp.telemetry.gnmi";
/// BMP messages as they came, one each.
pub const TELEMETRY_BMP: &str = "bgp.telemetry.bmp";
/// Another name of [`TELEMETRY_BMP`].
pub const TELEMETRY_BMP_ALIAS: &str = "bgp.bmp.updates";
/// BGP sessions that changed their state.
pub const EVENTS_PEER: &str = "bgp.events.peer";
/// Prefixes announced and withdrawn, one message each.
pub const EVENTS_PREFIX: &str = "bgp.events.prefix";
/// What was decided, proposed, agreed to and begun.
pub const AGENT_ACTIONS: &str = "bgp.agent.actions";
/// How it ended, what was measured, what was learned.
pub const AGENT_OUTCOMES: &str = "bgp.agent.outcomes";

/// The six topics that are always there.
pub const TOPICS: [&str; 6] = [TELEMETRY_GNMI, TELEMETRY_BMP, EVENTS_PEER, EVENTS_PREFIX, AGENT_ACTIONS, AGENT_OUTCOMES];

/// Messages that [`Bus::consume`] returns unless told otherwise (S1-062).
pub const CONSUME_DEFAULT: usize = 10;
/// Messages of [`TELEMETRY_BMP`] that are returned unless told otherwise (S1-056).
pub const RECENT_BMP_DEFAULT: usize = 20;
/// Topics at once; a name costs memory for ever, and names may come from outside.
pub const TOPICS_MAX: usize = 64;
/// Places of readers at once, counted per reader and topic.
pub const PLACES_MAX: usize = 256;
/// Bytes of the name of a topic or reader.
pub const NAME_BYTES_MAX: usize = 128;

/// What the bus refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// One topic more than the bus holds.
    #[error("topic {topic:?} cannot be made: there are {TOPICS_MAX} topics already")]
    TooManyTopics {
        /// Its name.
        topic: String,
    },
    /// One place more than the bus holds.
    #[error("reader {reader:?} gets no place in topic {topic:?}: {PLACES_MAX} places are taken already")]
    TooManyPlaces {
        /// The reader.
        reader: String,
        /// The topic.
        topic: String,
    },
    /// A name that is empty, too long, or holds other than graphic ASCII.
    #[error("{name:?} is no name of a topic or reader: write 1 to {NAME_BYTES_MAX} graphic ASCII characters")]
    BadName {
        /// The name.
        name: String,
    },
    /// A place that no message will ever have had.
    #[error("reader {reader:?} cannot stand at {place} of topic {topic:?}, whose next message is {next}")]
    NoSuchPlace {
        /// The reader.
        reader: String,
        /// The topic.
        topic: String,
        /// Wanted.
        place: u64,
        /// Next offset of the topic.
        next: u64,
    },
}

/// Where a reader goes on in a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The reader's name.
    pub reader: String,
    /// The topic.
    pub topic: String,
    /// Offset of the first message that it has not taken.
    pub next: u64,
}

/// The topics, and where their readers stand.
#[derive(Clone, Debug)]
pub struct Bus {
    topics: BTreeMap<String, Topic>,
    places: BTreeMap<(String, String), u64>,
    bound: NonZeroUsize,
}

impl Default for Bus {
    fn default() -> Self {
        Self::bounded(TOPIC_MESSAGES_MAX)
    }
}

impl Bus {
    /// Makes a bus with the six topics, each of which holds `bound` messages.
    #[must_use]
    pub fn bounded(bound: NonZeroUsize) -> Self {
        let keep = |name: &str| if [AGENT_ACTIONS, AGENT_OUTCOMES].contains(&name) { Keep::Ledger } else { Keep::Newest };
        Self { topics: TOPICS.map(|name| (name.to_owned(), Topic::new(keep(name)))).into(), places: BTreeMap::new(), bound }
    }

    /// Adds a message behind the others; returns its offset. A topic that is not there yet is made.
    ///
    /// # Errors
    /// [`BusError::BadName`], [`BusError::TooManyTopics`].
    pub fn publish(&mut self, topic: &str, at: Timestamp, value: Arc<Value>) -> Result<u64, BusError> {
        let bound = self.bound;
        Ok(self.topic(topic)?.publish(at, value, bound))
    }

    /// Counts messages that could not be taken up because they came too fast. They have no offsets.
    ///
    /// # Errors
    /// As [`Self::publish`].
    pub fn missed(&mut self, topic: &str, messages: u64) -> Result<(), BusError> {
        self.topic(topic)?.missed(messages);
        Ok(())
    }

    /// Lets the next message of a topic have this offset, if it is not beyond it already: a restart goes on behind what was used before.
    ///
    /// # Errors
    /// As [`Self::publish`].
    pub fn continue_at(&mut self, topic: &str, next: u64) -> Result<(), BusError> {
        self.topic(topic)?.continue_at(next);
        Ok(())
    }

    /// Returns the newest `n` messages of a topic, oldest first; a topic that is not there has none.
    #[must_use]
    pub fn consume(&self, topic: &str, n: usize) -> Vec<Message> {
        self.topics.get(canonical(topic)).map(|t| t.newest(n)).unwrap_or_default()
    }

    /// Returns at most `n` messages from an offset on, and which of those wanted are no longer held.
    #[must_use]
    pub fn read(&self, topic: &str, from: u64, n: usize) -> Read {
        self.topics.get(canonical(topic)).map_or_else(|| Read::nothing(from), |t| t.read(from, n))
    }

    /// Returns at most `n` messages from the reader's place on. A reader without a place begins with the oldest message that is held.
    /// Its place moves by [`Self::stand`] only, so what it did not get to handle comes again.
    #[must_use]
    pub fn read_on(&self, reader: &str, topic: &str, n: usize) -> Read {
        let name = canonical(topic);
        let Some(t) = self.topics.get(name) else { return Read::nothing(0) };
        let place = self.places.get(&(reader.to_owned(), name.to_owned())).copied();
        t.read(place.unwrap_or_else(|| t.oldest()), n)
    }

    /// Puts a reader in front of the message `next`; going back replays.
    ///
    /// # Errors
    /// [`BusError`]; the reader stays where it was.
    pub fn stand(&mut self, reader: &str, topic: &str, next: u64) -> Result<(), BusError> {
        check(reader)?;
        let name = canonical(topic).to_owned();
        let end = self.topic(&name)?.next();
        if next > end {
            return Err(BusError::NoSuchPlace { reader: reader.to_owned(), topic: name, place: next, next: end });
        }
        let key = (reader.to_owned(), name);
        if self.places.len() >= PLACES_MAX && !self.places.contains_key(&key) {
            return Err(BusError::TooManyPlaces { reader: key.0, topic: key.1 });
        }
        self.places.insert(key, next);
        Ok(())
    }

    /// Returns where every reader stands, by reader and topic.
    #[must_use]
    pub fn places(&self) -> Vec<Place> {
        self.places.iter().map(|((reader, topic), next)| Place { reader: reader.clone(), topic: topic.clone(), next: *next }).collect()
    }

    /// Returns the counts of every topic, by name.
    #[must_use]
    pub fn topic_stats(&self) -> Vec<TopicStats> {
        self.topics.iter().map(|(name, topic)| topic.stats(name)).collect()
    }

    fn topic(&mut self, name: &str) -> Result<&mut Topic, BusError> {
        let name = canonical(name);
        if !self.topics.contains_key(name) {
            check(name)?;
            if self.topics.len() >= TOPICS_MAX {
                return Err(BusError::TooManyTopics { topic: name.to_owned() });
            }
        }
        Ok(self.topics.entry(name.to_owned()).or_insert_with(|| Topic::new(Keep::Newest)))
    }
}

/// Returns the name under which a topic is kept.
#[must_use]
pub fn canonical(topic: &str) -> &str {
    if topic == TELEMETRY_BMP_ALIAS { TELEMETRY_BMP } else { topic }
}

/// Returns how many of the newest messages of a topic are meant where nobody says.
#[must_use]
pub fn recent_default(topic: &str) -> usize {
    if canonical(topic) == TELEMETRY_BMP { RECENT_BMP_DEFAULT } else { CONSUME_DEFAULT }
}

fn check(name: &str) -> Result<(), BusError> {
    let fits = !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.bytes().all(|b| b.is_ascii_graphic());
    if fits { Ok(()) } else { Err(BusError::BadName { name: name.chars().take(NAME_BYTES_MAX).collect() }) }
}

#[cfg(test)]
mod tests;
