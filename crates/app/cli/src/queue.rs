//! `pilotctl queue`: the approval queue of the live engine.

use crate::client::Client;
use crate::exit::{Context, Ended, Outcome};
use api::{ApproveArguments, ProposalView, RejectArguments};
use clap::Subcommand;

/// Arguments of `queue`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: pilotctl queue approve P-1")]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

/// Reads `P-1`, `p-1` or `1`: there is one kind of thing on the queue.
fn id(text: &str) -> Result<action::ProposalId, String> {
    let number = text.strip_prefix(['P', 'p']).map_or(text, |rest| rest.strip_prefix('-').unwrap_or(rest));
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let parsed = number.parse().ok().filter(|_| digits).map(action::ProposalId);
    parsed.ok_or_else(|| format!("{text:?} is no proposal as P-1; see `pilotctl queue list`"))
}

/// What was given and has no effect.
fn needless(p: &ProposalView, target: bool, reason: bool) -> Vec<String> {
    let mut out = Vec::new();
    if target && p.tier < 3 {
        out.push(format!("--target has no effect: {} is of tier {}, for which no target is typed", p.id, p.tier));
    }
    if reason && p.doubts.is_empty() {
        out.push(format!("--override has no effect: the twin may judge {}, so the reason is not recorded", p.id));
    }
    out
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// What waits for an operator.
    List,
    /// One proposal with its prediction, checks and exact payload.
    Show {
        /// Proposal id.
        #[arg(value_parser = id)]
        id: action::ProposalId,
    },
    /// Agrees to a proposal; what was shown is what runs.
    Approve {
        /// Proposal id.
        #[arg(value_parser = id)]
        id: action::ProposalId,
        /// Tier 3: the target, typed.
        #[arg(long, value_name = "TARGET")]
        target: Option<String>,
        /// Approves although the twin may not judge (it disagrees with a router, or is too old); the reason is recorded.
        #[arg(long = "override", value_name = "REASON")]
        override_reason: Option<String>,
    },
    /// Refuses a proposal.
    Reject {
        /// Proposal id.
        #[arg(value_parser = id)]
        id: action::ProposalId,
        /// Reason code.
        #[arg(long)]
        reason: Option<String>,
    },
}

/// Runs `queue`.
pub fn run(context: &Context, arguments: &Arguments) -> Ended {
    let client = Client::new(context)?;
    crate::engine::blocking(async {
        match &arguments.verb {
            Verb::List => {
                let list: Vec<ProposalView> = client.call("proposals", &()).await?;
                if context.json {
                    crate::engine::print_json(&list);
                } else if list.is_empty() {
                    println!("nothing waits");
                } else {
                    for p in &list {
                        println!("{:8} {:10} tier {} until {}  {}", p.id.to_string(), p.status, p.tier, p.expires, p.summary);
                    }
                }
                Ok(Outcome::Done)
            }
            Verb::Show { id } => {
                let p: ProposalView = client.call("proposal", id).await?;
                if context.json {
                    crate::engine::print_json(&p)
                } else {
                    print!("{}", p.card())
                }
                Ok(Outcome::Done)
            }
            Verb::Approve { id, target, override_reason } => {
                // the hash of what this command just read is what gets approved: a plan that changes in between is refused
                let p: ProposalView = client.call("proposal", id).await?;
                needless(&p, target.is_some(), override_reason.is_some()).iter().for_each(|line| eprintln!("{line}"));
                let (typed_target, override_reason) = (target.clone(), override_reason.clone());
                let arguments = ApproveArguments { id: *id, plan_hash: p.plan_hash, typed_target, override_reason };
                let said: Vec<String> = client.call("approve", &arguments).await?;
                said.iter().for_each(|line| println!("{line}"));
                Ok(Outcome::Done)
            }
            Verb::Reject { id, reason } => {
                let said: Vec<String> = client.call("reject", &RejectArguments { id: *id, reason: reason.clone() }).await?;
                said.iter().for_each(|line| println!("{line}"));
                Ok(Outcome::Done)
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_as_it_is_said() {
        for text in ["P-17", "p-17", "17", "P17"] {
            assert_eq!(id(text), Ok(action::ProposalId(17)), "{text}");
        }
        for text in ["", "P-", "C-1", "I-1", "-1", "+1", "P--1", "P-1x", "99999999999999999999"] {
            assert!(id(text).unwrap_err().contains("queue list"), "{text}");
        }
    }
}
