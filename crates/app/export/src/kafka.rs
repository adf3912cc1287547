//! The topics to and from a Kafka broker: each message at least once and in order, one partition a topic, under the topic's own name.
//!
//! A broker that dies between keeping a batch and saying so may get that batch twice: there is no idempotent producer here. Every record
//! carries the number and time of its message in headers, and [`import`] leaves repeats out. Topics that others compressed are not read.

use crate::ExportError;
use crate::report::Report;
use bus::TOPICS;
use rskafka::client::partition::{Compression, OffsetAt, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::{Record, RecordAndOffset};
use runtime::Topics;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use units::Timestamp;

/// The name under which this reader's places are kept.
const READER: &str = "kafka";
/// Time between two looks at the topics.
const EVERY: Duration = Duration::from_millis(500);
/// Messages of one request, and their bytes: a broker takes 1 MB unless told otherwise.
const BATCH: usize = 500;
const BATCH_BYTES: usize = 512 << 10;
/// Longest wait for the broker.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Pause after a failure: doubled up to the longest.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Header that carries the message's number in its topic.
const OFFSET: &str = "pilothouse-offset";
/// Header that carries when the message was received, nanoseconds since 1970.
const TIME: &str = "pilothouse-time-ns";
/// Bytes that an import asks for at once.
const FETCH_BYTES: i32 = 4 << 20;

/// Which broker.
#[derive(Clone, Debug)]
pub struct Kafka {
    /// `HOST:PORT` of any broker of the cluster.
    pub broker: String,
}

/// Sends the topics until it is ended.
pub(crate) async fn run(topics: Topics, kafka: Kafka, report: Arc<Report>) {
    let mut pause = PAUSE;
    loop {
        let Err(why) = session(&topics, &kafka, &report, &mut pause).await else { return };
        report.failed(&why);
        // what waits meanwhile is shown as it grows
        let mut left = pause;
        while !left.is_zero() {
            report.queued.store(waiting(&topics), Ordering::Relaxed);
            let step = left.min(EVERY);
            tokio::time::sleep(step).await;
            left -= step;
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

async fn session(topics: &Topics, kafka: &Kafka, report: &Report, pause: &mut Duration) -> Result<(), String> {
    let client = in_time(ClientBuilder::new(vec![kafka.broker.clone()]).build()).await?;
    let mut ways = BTreeMap::new();
    for topic in TOPICS {
        let way = open(&client, topic).await?;
        // what the broker has of an earlier connection whose answer never came is not sent again
        if let Some(last) = last_offset(&way).await? {
            // a data folder that is younger than the broker's records numbers from 0 again
            let next = next(topics, topic);
            if last >= topics.place(READER, topic) && last < next {
                stand(topics, topic, last + 1)?;
            }
        }
        ways.insert(topic, way);
    }
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for (topic, way) in &ways {
            loop {
                let read = topics.read_on(READER, topic, BATCH).await.map_err(|e| runtime::chain(&e))?;
                if let Some(gap) = &read.gap {
                    // counted once: the place is behind it from here on. Numbers that an engine which died left out were never messages
                    let published = topics.stats().iter().find(|t| t.topic == *topic).map_or(0, |t| t.published);
                    report.dropped((gap.end - gap.start).min(published));
                    stand(topics, topic, gap.end)?;
                }
                let (mut records, mut bytes, mut behind) = (Vec::new(), 0, None);
                for m in &read.messages {
                    let record = record(m.offset, m.at.nanos(), &m.value);
                    let length = record.value.as_ref().map_or(0, Vec::len);
                    if length > BATCH_BYTES {
                        if records.is_empty() {
                            report.dropped(1);
                            behind = Some(m.offset + 1);
                            continue;
                        }
                        break;
                    }
                    bytes += length;
                    if bytes > BATCH_BYTES {
                        break;
                    }
                    behind = Some(m.offset + 1);
                    records.push(record);
                }
                let Some(behind) = behind else { break };
                let count = records.len();
                if count > 0 {
                    in_time(way.produce(records, Compression::NoCompression)).await?;
                }
                stand(topics, topic, behind)?;
                report.sent(count);
                *pause = PAUSE;
            }
        }
        report.queued.store(waiting(topics), Ordering::Relaxed);
        report.sent(0);
    }
}

/// Messages that are not at the broker yet.
fn waiting(topics: &Topics) -> u64 {
    TOPICS.iter().map(|topic| next(topics, topic).saturating_sub(topics.place(READER, topic))).sum()
}

/// The number that a topic's next message gets.
fn next(topics: &Topics, topic: &str) -> u64 {
    topics.stats().iter().find(|t| t.topic == topic).map_or(0, |t| t.next)
}

fn stand(topics: &Topics, topic: &str, next: u64) -> Result<(), String> {
    topics.stand(READER, topic, next).map_err(|e| e.to_string())
}

async fn in_time<T>(answer: impl Future<Output = Result<T, rskafka::client::error::Error>>) -> Result<T, String> {
    match tokio::time::timeout(ANSWER_MAX, answer).await {
        Ok(answer) => answer.map_err(|e| e.to_string()),
        Err(_) => Err(format!("no answer within {} s", ANSWER_MAX.as_secs())),
    }
}

/// Opens a topic's only partition; a topic that is not there is made.
async fn open(client: &Client, topic: &str) -> Result<PartitionClient, String> {
    let known = in_time(client.list_topics()).await?;
    if !known.iter().any(|t| t.name == topic) {
        let controller = client.controller_client().map_err(|e| e.to_string())?;
        in_time(controller.create_topic(topic, 1, 1, i32::try_from(ANSWER_MAX.as_millis()).unwrap_or(i32::MAX))).await?;
    }
    in_time(client.partition_client(topic, 0, UnknownTopicHandling::Retry)).await
}

/// The number that the newest record of a partition carries.
async fn last_offset(way: &PartitionClient) -> Result<Option<u64>, String> {
    let end = in_time(way.get_offset(OffsetAt::Latest)).await?;
    let first = in_time(way.get_offset(OffsetAt::Earliest)).await?;
    if end <= first {
        return Ok(None);
    }
    let (records, _) = in_time(way.fetch_records(end - 1, 1..FETCH_BYTES, 1000)).await?;
    let header = records.last().and_then(|r| r.record.headers.get(OFFSET).cloned());
    Ok(header.and_then(|h| String::from_utf8(h).ok()).and_then(|h| h.parse().ok()))
}

/// One message: its router as key, where it has one, so that a cluster may spread by it.
fn record(offset: u64, at_ns: i64, value: &Value) -> Record {
    let key = value.get("router").or_else(|| value.get("router_id")).and_then(Value::as_str).map(|r| r.as_bytes().to_vec());
    let headers = [(OFFSET.to_owned(), offset.to_string().into_bytes()), (TIME.to_owned(), at_ns.to_string().into_bytes())];
    Record { key, value: Some(value.to_string().into_bytes()), headers: headers.into(), timestamp: time(at_ns) }
}

fn time(at_ns: i64) -> rskafka::chrono::DateTime<rskafka::chrono::Utc> {
    rskafka::chrono::DateTime::from_timestamp_nanos(at_ns)
}

/// One record of a broker.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// Topic.
    pub topic: String,
    /// Place in the broker's partition.
    pub place: i64,
    /// The number that the sender gave it; `None`: not ours.
    pub offset: Option<u64>,
    /// When the sender received what it tells; `None`: not ours.
    pub at: Option<Timestamp>,
    /// What it holds; text that is no JSON is a JSON string.
    pub value: Value,
}

impl Imported {
    /// Returns it as one JSON object, as `events --kafka` prints it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({"place": self.place, "offset": self.offset, "value": self.value})
    }

    fn of(topic: &str, r: RecordAndOffset) -> Self {
        let header = |name: &str| r.record.headers.get(name).and_then(|h| std::str::from_utf8(h).ok());
        let offset = header(OFFSET).and_then(|h| h.parse().ok());
        let at = header(TIME).and_then(|h| h.parse().ok()).map(Timestamp::from_nanos);
        let bytes = r.record.value.as_deref().unwrap_or_default();
        let value = serde_json::from_slice(bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned()));
        Self { topic: topic.to_owned(), place: r.offset, offset, at, value }
    }

    /// Says whether it came before: a batch that was kept and sent again has numbers and times of before. One that began anew numbers from 0
    /// again, at a later time.
    fn repeats(&self, newest: &mut Option<(u64, Timestamp)>) -> bool {
        let Some(own) = self.offset.zip(self.at) else { return false };
        let before = newest.is_some_and(|(offset, at)| own.0 <= offset && own.1 <= at);
        if !before {
            *newest = Some(own);
        }
        before
    }
}

/// Reads topics of a broker back, each from its beginning to what is its end now, together in the order of their times; each record goes to
/// `each`, once. Returns how many there were.
///
/// # Errors
/// [`ExportError::Broker`], [`ExportError::NoTopic`], [`ExportError::Unwritten`] with what `each` said.
pub async fn import(broker: &str, topics: &[&str], mut each: impl FnMut(Imported) -> std::io::Result<()>) -> Result<u64, ExportError> {
    let failed = |why: String| ExportError::Broker { broker: broker.to_owned(), why };
    let mut ways = Vec::new();
    for topic in topics {
        // the other name of a topic is an alias on the bus only
        let topic = bus::canonical(topic);
        let (client, _) = found(broker, topic).await?;
        ways.push((topic, Partition::open(&client, topic, 0).await.map_err(failed)?, None));
    }
    let mut count = 0;
    loop {
        for (_, partition, _) in &mut ways {
            partition.fill().await.map_err(failed)?;
        }
        // of equal times the first topic's first, so that the same records come in the same order
        let waiting = ways.iter_mut().filter(|(_, p, _)| !p.held.is_empty());
        let Some((topic, partition, newest)) = waiting.min_by_key(|(_, p, _)| p.held.front().map(|r| r.record.timestamp)) else { break };
        let Some(record) = partition.held.pop_front() else { break };
        let record = Imported::of(topic, record);
        if !record.repeats(newest) {
            each(record).map_err(|source| ExportError::Unwritten { source })?;
            count += 1;
        }
    }
    Ok(count)
}

/// Returns which of our own topics a broker has.
///
/// # Errors
/// [`ExportError::Broker`].
pub async fn topics_at(broker: &str) -> Result<Vec<&'static str>, ExportError> {
    let failed = |why: String| ExportError::Broker { broker: broker.to_owned(), why };
    let client = in_time(ClientBuilder::new(vec![broker.to_owned()]).build()).await.map_err(failed)?;
    let known = in_time(client.list_topics()).await.map_err(failed)?;
    Ok(TOPICS.into_iter().filter(|topic| known.iter().any(|t| t.name == *topic)).collect())
}

/// Finds a topic and its partitions.
async fn found(broker: &str, topic: &str) -> Result<(Client, Vec<i32>), ExportError> {
    let failed = |why: String| ExportError::Broker { broker: broker.to_owned(), why };
    // the client itself tries for ever; who imports waits at a terminal
    let client = in_time(ClientBuilder::new(vec![broker.to_owned()]).build()).await.map_err(failed)?;
    let known = in_time(client.list_topics()).await.map_err(failed)?;
    let none = || ExportError::NoTopic { broker: broker.to_owned(), topic: topic.to_owned() };
    let partitions = known.into_iter().find(|t| t.name == topic).ok_or_else(none)?.partitions;
    Ok((client, partitions.into_iter().collect()))
}

/// One partition while it is read.
struct Partition {
    way: PartitionClient,
    place: i64,
    end: i64,
    held: VecDeque<RecordAndOffset>,
}

impl Partition {
    /// Stands at the beginning; the end is what it is now.
    async fn open(client: &Client, topic: &str, number: i32) -> Result<Self, String> {
        let way = in_time(client.partition_client(topic, number, UnknownTopicHandling::Error)).await?;
        let place = in_time(way.get_offset(OffsetAt::Earliest)).await?;
        let end = in_time(way.get_offset(OffsetAt::Latest)).await?;
        Ok(Self { way, place, end, held: VecDeque::new() })
    }

    /// Fetches when nothing is at hand and more is there.
    async fn fill(&mut self) -> Result<(), String> {
        while self.held.is_empty() && self.place < self.end {
            let (records, _) = in_time(self.way.fetch_records(self.place, 1..FETCH_BYTES, 1000)).await?;
            let (place, end) = (self.place, self.end);
            let last = records.last().ok_or_else(|| format!("nothing comes from place {place} on, before {end}"))?;
            self.place = last.offset + 1;
            self.held.extend(records.into_iter().filter(|r| r.offset >= place && r.offset < end));
        }
        Ok(())
    }
}

/// Reads the values of a topic as they are, all its partitions from their beginnings to what is their end now, merged by the records' times.
/// Returns how many there were.
///
/// # Errors
/// [`ExportError::Broker`], [`ExportError::NoTopic`], [`ExportError::Unwritten`] with what `each` said.
pub async fn import_raw(broker: &str, topic: &str, mut each: impl FnMut(&[u8]) -> std::io::Result<()>) -> Result<u64, ExportError> {
    let failed = |why: String| ExportError::Broker { broker: broker.to_owned(), why };
    let (client, numbers) = found(broker, topic).await?;
    let mut partitions = Vec::new();
    for number in numbers {
        partitions.push(Partition::open(&client, topic, number).await.map_err(failed)?);
    }
    let mut count = 0;
    loop {
        for partition in &mut partitions {
            partition.fill().await.map_err(failed)?;
        }
        let next = partitions.iter_mut().filter(|p| !p.held.is_empty()).min_by_key(|p| p.held.front().map(|r| r.record.timestamp));
        let Some(record) = next.and_then(|p| p.held.pop_front()) else { return Ok(count) };
        each(&record.record.value.unwrap_or_default()).map_err(|source| ExportError::Unwritten { source })?;
        count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_carries_its_number_its_time_and_its_router() {
        let r = record(41, 1_800_000_000_123_456_789, &json!({"router": "r1", "type": "peer_up"}));
        assert_eq!((r.key.as_deref(), r.headers[OFFSET].as_slice()), (Some(&b"r1"[..]), &b"41"[..]));
        assert_eq!(r.headers["pilothouse-time-ns"], b"1800000000123456789");
        assert_eq!(serde_json::from_slice::<Value>(&r.value.unwrap()).unwrap()["type"], "peer_up");
        assert_eq!(record(0, 0, &json!({"x": 1})).key, None);
    }

    #[test]
    fn a_batch_that_came_twice_counts_once_and_a_sender_that_begins_anew_is_heard() {
        let came = |place: i64, (offset, at): (u64, i64)| {
            let record = record(offset, at, &json!({"n": offset}));
            Imported::of("t", RecordAndOffset { record, offset: place })
        };
        let mut newest = None;
        let all = [(7, 70), (8, 80), (9, 80), (7, 70), (8, 80), (9, 80), (10, 100), (0, 200), (1, 210), (0, 200)];
        let kept: Vec<u64> = (0..).zip(all).map(|(p, r)| came(p, r)).filter(|r| !r.repeats(&mut newest)).filter_map(|r| r.offset).collect();
        assert_eq!(kept, [7, 8, 9, 10, 0, 1]);
        // what others put there has no number, and is never left out
        let other = Record { key: None, value: Some(b"hello".to_vec()), headers: BTreeMap::new(), timestamp: time(0) };
        let other = Imported::of("t", RecordAndOffset { record: other, offset: 3 });
        assert!(!other.repeats(&mut newest) && !other.repeats(&mut newest));
        assert_eq!((other.offset, other.at, &other.value), (None, None, &Value::from("hello")));
        assert_eq!(came(0, (7, 70)).at, Some(Timestamp::from_nanos(70)));
    }
}
