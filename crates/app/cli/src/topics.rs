//! `pilotctl status --topics`, `events --topic`: the topics of the live engine; and a file of them that came from Kafka.
//!
//! Each line of such a file is one message: `{"topic", "offset", "time", "value"}`, as `events --topic` prints them and with the topic's name.

use crate::client::Client;
use crate::engine::{blocking, print_json};
use crate::exit::{Context, Ended, Failure, Outcome};
use api::{TopicArguments, TopicMessage, TopicMessages, TopicView};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io::{BufRead, Write};
use std::path::Path;
use units::Timestamp;

/// Longest line of a file, bytes; the longest record that a broker takes is 1 MB unless told otherwise.
const LINE_MAX: u64 = 16 << 20;

/// Prints the counts of every topic.
pub fn all(context: &Context, client: &Client) -> Ended {
    let views: Vec<TopicView> = blocking(client.call("topics", &()))?;
    if context.json {
        print_json(&views);
        return Ok(Outcome::Done);
    }
    println!("{:20} {:>10} {:>6} {:>10} {:>8} {:>8} {:>10}  newest", "topic", "published", "held", "dropped", "spilled", "missed", "next");
    for t in views {
        let newest = t.newest_at.unwrap_or_else(|| "-".to_owned());
        println!(
            "{:20} {:>10} {:>6} {:>10} {:>8} {:>8} {:>10}  {newest}",
            t.topic, t.published, t.held, t.dropped, t.spilled, t.missed, t.next
        );
    }
    Ok(Outcome::Done)
}

/// Prints messages of one topic.
pub fn one(client: &Client, topic: &str, last: u32, from: Option<u64>) -> Ended {
    let wanted = TopicArguments { topic: topic.to_owned(), n: Some(last), from };
    let read: TopicMessages = blocking(client.call("topic", &wanted))?;
    if let Some((first, last)) = read.lost {
        eprintln!("messages {first} to {last} of {} are no longer held", read.topic);
    }
    for message in &read.messages {
        println!("{}", serde_json::to_string(message).unwrap_or_default());
    }
    Ok(if read.lost.is_some() { Outcome::Partly } else { Outcome::Done })
}

/// One line of a file of topics.
#[derive(Debug, Deserialize, Serialize)]
struct Line {
    topic: String,
    #[serde(flatten)]
    message: TopicMessage,
}

/// What of a file is wanted.
pub struct Wanted<'a> {
    /// What was done and how it ended, in sentences.
    pub past: bool,
    /// Only this topic.
    pub topic: Option<&'a str>,
    /// Of one topic: how many at most.
    pub last: u32,
    /// Of one topic: from this offset on.
    pub from: Option<u64>,
}

/// Writes one message of a broker as a line; `false`: it is none of ours.
pub fn keep(record: &export::Imported, out: &mut impl Write) -> std::io::Result<bool> {
    let (Some(offset), Some(at)) = (record.offset, record.at) else { return Ok(false) };
    let message = TopicMessage { offset, time: at.to_string(), value: record.value.clone() };
    serde_json::to_writer(&mut *out, &Line { topic: record.topic.clone(), message })?;
    out.write_all(b"\n")?;
    Ok(true)
}

/// Prints messages of a file.
pub fn of_file(context: &Context, file: &Path, wanted: &Wanted<'_>) -> Ended {
    let bad = |why: String| Failure::new("PH-CLI-077", format!("{}: {why}", file.display()));
    let mut input = std::io::BufReader::new(archive::open::open(file).map_err(|e| Failure::from_error("PH-CLI-020", &e))?);
    let topic = wanted.topic.map(bus::canonical);
    let mut newest: VecDeque<Line> = VecDeque::new();
    let mut text = String::new();
    for number in 1_u64.. {
        text.clear();
        let length = std::io::Read::take(&mut input, LINE_MAX).read_line(&mut text).map_err(|e| bad(format!("line {number}: {e}")))?;
        if length == 0 {
            break;
        }
        let line: Line = serde_json::from_str(&text).map_err(|e| bad(format!("line {number} is no message of a topic: {e}")))?;
        if topic.is_some_and(|t| t != line.topic) || wanted.from.is_some_and(|from| line.message.offset < from) {
            continue;
        }
        match (wanted.past, topic) {
            (true, _) => told(context, &line),
            (false, None) => println!("{}", serde_json::to_string(&line).unwrap_or_default()),
            // the first ones from an offset on, else the newest
            (false, Some(_)) if wanted.from.is_some() && newest.len() == wanted.last as usize => break,
            (false, Some(_)) => {
                newest.push_back(line);
                if newest.len() > wanted.last as usize {
                    newest.pop_front();
                }
            }
        }
    }
    newest.iter().for_each(|line| println!("{}", serde_json::to_string(&line.message).unwrap_or_default()));
    Ok(Outcome::Done)
}

/// Prints what was done, or how it ended, as a sentence; other messages are none.
fn told(context: &Context, line: &Line) {
    if ![bus::AGENT_ACTIONS, bus::AGENT_OUTCOMES].contains(&line.topic.as_str()) {
        return;
    }
    let Ok(what) = serde_json::from_value::<pilot::Happening>(line.message.value.clone()) else { return };
    let at = Timestamp::parse(&line.message.time).unwrap_or_default();
    let text = api::sentence(&pilot::Event { seq: line.message.offset, at, what });
    if context.json {
        println!("{}", serde_json::json!({"time": line.message.time, "text": text}));
    } else {
        println!("{} {text}", line.message.time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_becomes_the_line_that_is_read_again_and_one_of_others_none() {
        let record = export::Imported {
            topic: bus::EVENTS_PEER.to_owned(),
            place: 5,
            offset: Some(41),
            at: Some(Timestamp::from_nanos(1_800_000_000_000_000_001)),
            value: serde_json::json!({"type": "peer_up", "router": "r1"}),
        };
        let mut out = Vec::new();
        assert!(keep(&record, &mut out).unwrap());
        let line: Line = serde_json::from_slice(&out).unwrap();
        assert_eq!((line.topic.as_str(), line.message.offset, &line.message.value), (bus::EVENTS_PEER, 41, &record.value));
        assert_eq!(Timestamp::parse(&line.message.time), record.at);
        let length = out.len();
        assert!(!keep(&export::Imported { offset: None, ..record }, &mut out).unwrap() && out.len() == length);
    }
}
