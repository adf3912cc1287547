//! `pilotctl agents` and `pilotctl chat`: one agent per device, read only.

use crate::client::Client;
use crate::engine::{blocking, print_json};
use crate::exit::{Context, Ended, Outcome};
use api::{AgentView, ChatArguments as Question, ChatView, SampleView};

/// Arguments of `agents`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: pilotctl agents r1")]
pub struct Arguments {
    /// Device id or host name; without it all agents in a line each.
    id: Option<String>,
}

/// Arguments of `chat`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: pilotctl chat r1 \"Why is 203.0.113.0/24 routed that way?\"")]
pub struct ChatArguments {
    /// Device id or host name.
    agent: String,
    /// The question.
    question: String,
}

/// Runs `agents`.
pub fn run(context: &Context, arguments: &Arguments) -> Ended {
    let client = Client::new(context)?;
    blocking(async {
        if let Some(id) = &arguments.id {
            let view: AgentView = client.call("agent", id).await?;
            if context.json {
                print_json(&view)
            } else {
                print_agent(&view)
            }
            return Ok(Outcome::Done);
        }
        let views: Vec<AgentView> = client.call("agents", &()).await?;
        if context.json {
            print_json(&views);
        } else {
            println!("{:8} {:20} {:10} {:8} {:7} alerts", "id", "host", "role", "feeds", "health");
            for v in &views {
                let feeds = if v.fresh { "fresh" } else { "stale" };
                println!("{:8} {:20} {:10} {feeds:8} {:7} {}", v.id, v.hostname, v.role, health(v), v.alerts.len());
            }
        }
        Ok(Outcome::Done)
    })
}

/// Runs `chat`. The answer is "no" when the question was not understood.
pub fn chat(context: &Context, arguments: ChatArguments) -> Ended {
    let client = Client::new(context)?;
    blocking(async {
        let said: ChatView = client.call("chat", &Question { agent: arguments.agent, question: arguments.question }).await?;
        if context.json {
            print_json(&said);
        } else {
            println!("{}", said.text);
            print_samples(&said.samples);
            if !said.can_ask.is_empty() {
                println!("You can ask:");
                said.can_ask.iter().for_each(|q| println!("  {q}"));
            }
        }
        Ok(if said.understood { Outcome::Done } else { Outcome::No })
    })
}

fn health(view: &AgentView) -> String {
    view.health.map_or_else(|| "unknown".to_owned(), |h| format!("{h:.2}"))
}

fn print_agent(view: &AgentView) {
    print!("{}", view.summary);
    println!("\nHealth {}", health(view));
    for (cause, lost) in &view.penalties {
        println!("  -{lost:.2} {cause}");
    }
    if !view.subscriptions.is_empty() {
        println!("gNMI subscriptions: {}", view.subscriptions.len());
        view.subscriptions.iter().for_each(|s| println!("  {s}"));
    }
    println!("Alerts open: {}", view.alerts.len());
    for alert in &view.alerts {
        println!("  {}", alert.text);
        print_samples(&alert.samples);
    }
}

fn print_samples(samples: &[SampleView]) {
    for s in samples {
        println!("  [{} = {} at {} from {}]", s.metric, s.value, s.at.as_deref().unwrap_or("unknown time"), s.source);
    }
}
