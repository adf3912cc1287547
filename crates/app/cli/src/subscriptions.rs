//! `pilotctl status --subscriptions`: what is subscribed to on a router, and whether it comes.

use crate::client::Client;
use crate::engine::{blocking, print_json};
use crate::exit::{Context, Ended, Failure, Outcome};
use api::{StatusView, SubscriptionView};
use std::time::Duration;

/// How often the collector reports where no state changes, seconds: a capture holds every report.
const REPORTED_S: u64 = 30;

/// One subscription in a line.
fn line(s: &SubscriptionView) -> String {
    let due = s.expected_ms.map_or_else(|| "on change".to_owned(), |ms| format!("every {:.1} s", Duration::from_millis(ms).as_secs_f64()));
    let last = s.last.as_deref().unwrap_or("never");
    let synced = if s.synced { "synced" } else { "-" };
    format!("{:8} {:12} {due:14} {last:30} {synced:7} {:>9} {:>6}  {}", s.state, s.set, s.coalesced, s.empty, s.path)
}

/// Prints them.
pub fn print(context: &Context, client: &Client, device: &str) -> Ended {
    let status: StatusView = blocking(client.call("status", &()))?;
    let known = || status.devices.iter().map(|d| d.id.as_str()).collect::<Vec<_>>().join(", ");
    let found = status.devices.iter().find(|d| d.id == device);
    let router = found.ok_or_else(|| Failure::new("PH-CLI-043", format!("there is no router {device:?}; there are {}", known())))?;
    if context.json {
        print_json(&router.subscriptions);
        return Ok(Outcome::Done);
    }
    println!("{:8} {:12} {:14} {:30} {:7} {:>9} {:>6}  path", "state", "set", "due", "last message", "sync", "coalesced", "empty");
    for s in &router.subscriptions {
        println!("{}", line(s));
        if let Some(instead) = &s.instead {
            println!("{:8} not as asked: {instead}", "");
        }
        if let Some(reason) = &s.reason {
            let since = s.since.as_ref().map(|t| format!(", since {t}")).unwrap_or_default();
            println!("{:8} {reason:?}{since}", "");
        }
    }
    println!("times and counts are those of the last report, which comes with every change of state and else every {REPORTED_S} s");
    Ok(Outcome::Done)
}
