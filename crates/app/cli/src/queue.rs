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

#[derive(Debug, Subcommand)]
enum Verb {
    /// What waits for an operator.
    List,
    /// One proposal with its prediction, checks and exact payload.
    Show {
        /// Proposal id.
        id: action::ProposalId,
    },
    /// Agrees to a proposal; what was shown is what runs.
    Approve {
        /// Proposal id.
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
