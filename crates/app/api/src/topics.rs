//! The topics of the engine, to look at: their counts, and messages of one.

use crate::view::ApiError;
use runtime::{Topics, chain};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Counts of one topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct TopicView {
    /// Name.
    pub topic: String,
    /// Messages since the engine started.
    #[ts(type = "number")]
    pub published: u64,
    /// Messages in memory.
    #[ts(type = "number")]
    pub held: u64,
    /// Messages lost because the topic was full.
    #[ts(type = "number")]
    pub dropped: u64,
    /// Messages out of memory that the ledger holds.
    #[ts(type = "number")]
    pub spilled: u64,
    /// Messages that came too fast to be taken up.
    #[ts(type = "number")]
    pub missed: u64,
    /// Offset of the oldest message in memory.
    #[ts(type = "number")]
    pub oldest: u64,
    /// Offset of the next message.
    #[ts(type = "number")]
    pub next: u64,
    /// When the newest message in memory was received, RFC 3339.
    pub newest_at: Option<String>,
}

/// Which messages of a topic are wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct TopicArguments {
    /// Name.
    pub topic: String,
    /// How many at most; unless told 20 of BMP messages and 10 of others, 1000 at most.
    #[serde(default)]
    pub n: Option<u32>,
    /// From this offset on; without it the newest.
    #[serde(default)]
    #[ts(type = "number | null")]
    pub from: Option<u64>,
}

/// Messages of a topic, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct TopicMessages {
    /// Name.
    pub topic: String,
    /// First and last offset that were wanted and cannot be got any more.
    #[ts(type = "[number, number] | null")]
    pub lost: Option<(u64, u64)>,
    /// The messages.
    pub messages: Vec<TopicMessage>,
    /// Where to read on.
    #[ts(type = "number")]
    pub next: u64,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct TopicMessage {
    /// Its number in the topic.
    #[ts(type = "number")]
    pub offset: u64,
    /// When it was received, RFC 3339.
    pub time: String,
    /// What it tells; its keys are those of the topic.
    #[ts(type = "unknown")]
    pub value: serde_json::Value,
}

/// Returns the counts of every topic, by name.
pub(crate) fn topics(topics: &Topics) -> Vec<TopicView> {
    let view = |t: bus::TopicStats| TopicView {
        topic: t.topic,
        published: t.published,
        held: t.held,
        dropped: t.dropped,
        spilled: t.spilled,
        missed: t.missed,
        oldest: t.oldest,
        next: t.next,
        newest_at: t.newest_at.map(|at| at.to_string()),
    };
    topics.stats().into_iter().map(view).collect()
}

/// Returns messages of one topic. Reading makes no topic.
pub(crate) async fn messages(topics: &Topics, a: TopicArguments) -> Result<TopicMessages, ApiError> {
    let name = bus::canonical(&a.topic).to_owned();
    if !topics.stats().iter().any(|t| t.topic == name) {
        return Err(ApiError::new("PH-API-404", format!("there is no topic {name:?}; see `pilotctl status --topics`")));
    }
    let n = a.n.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    let read = match a.from {
        Some(from) => topics.read(&name, from, n.unwrap_or_else(|| bus::recent_default(&name))).await,
        None => topics.recent(&name, n).await,
    };
    let read = read.map_err(|e| ApiError::new("PH-API-500", chain(&e)))?;
    let message = |m: bus::Message| TopicMessage { offset: m.offset, time: m.at.to_string(), value: (*m.value).clone() };
    Ok(TopicMessages {
        topic: name,
        lost: read.gap.map(|g| (g.start, g.end.saturating_sub(1))),
        messages: read.messages.into_iter().map(message).collect(),
        next: read.next,
    })
}
