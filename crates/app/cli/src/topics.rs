//! `pilotctl status --topics`, `events --topic`: the topics of the live engine.

use crate::client::Client;
use crate::engine::{blocking, print_json};
use crate::exit::{Context, Ended, Outcome};
use api::{TopicArguments, TopicMessages, TopicView};

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
