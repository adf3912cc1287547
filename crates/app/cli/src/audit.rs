//! `pilotctl audit`: the hash chain, read offline.

use crate::exit::{Context, Ended, Failure, Outcome};
use clap::Subcommand;
use std::path::PathBuf;

/// Arguments of `audit`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: pilotctl audit verify --anchor /media/usb/anchor.json")]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Verifies the chain; names the first bad row.
    Verify {
        /// A checkpoint kept elsewhere: finds a cut tail and a recomputed chain.
        #[arg(long, value_name = "FILE")]
        anchor: Option<PathBuf>,
        /// Writes the checkpoint of the verified chain here.
        #[arg(long, value_name = "FILE")]
        write_anchor: Option<PathBuf>,
    },
    /// Prints the records, oldest first.
    Show {
        /// Only the last N.
        #[arg(long, value_name = "N")]
        last: Option<usize>,
    },
    /// Writes all records as JSON Lines.
    Export,
}

/// Runs `audit`.
pub fn run(context: &Context, arguments: &Arguments) -> Ended {
    let folder = context.data_folder();
    let records = store::read_audit(&folder).map_err(|e| Failure::from_error("PH-AUD-001", &e))?;
    match &arguments.verb {
        Verb::Verify { anchor, write_anchor } => verify(context, &records, anchor.as_deref(), write_anchor.as_deref()),
        Verb::Show { last } => {
            let from = last.map_or(0, |n| records.len().saturating_sub(n));
            for r in &records[from..] {
                if context.json {
                    println!("{}", serde_json::to_string(r).unwrap_or_default());
                } else {
                    let who = r.operator.as_ref().map_or("engine", |o| o.as_str());
                    println!("{:5} {} {:12} {:24} {}", r.seq, r.at, who, r.kind, r.body);
                }
            }
            Ok(Outcome::Done)
        }
        Verb::Export => {
            for r in &records {
                println!("{}", serde_json::to_string(r).map_err(|e| Failure::from_error("PH-AUD-002", &e))?);
            }
            Ok(Outcome::Done)
        }
    }
}

fn verify(context: &Context, records: &[::audit::Record], anchor: Option<&std::path::Path>, write: Option<&std::path::Path>) -> Ended {
    let anchor = anchor.map(read_anchor).transpose()?;
    match ::audit::verify(records.iter(), anchor.as_ref()) {
        Ok(verified) => {
            if let Some(path) = write {
                let text = serde_json::to_string(&verified.checkpoint()).map_err(|e| Failure::from_error("PH-AUD-003", &e))?;
                std::fs::write(path, text).map_err(|e| Failure::new("PH-AUD-003", format!("cannot write {}: {e}", path.display())))?;
            }
            if context.json {
                crate::engine::print_json(&serde_json::json!({"ok": true, "records": verified.count, "head": verified.head}));
            } else {
                println!("audit chain is intact: {} records, head {}", verified.count, verified.head);
            }
            Ok(Outcome::Done)
        }
        Err(broken) => {
            if context.json {
                crate::engine::print_json(&serde_json::json!({"ok": false, "why": broken.to_string()}));
            } else {
                println!("audit chain is broken: {broken}");
            }
            Ok(Outcome::No)
        }
    }
}

fn read_anchor(path: &std::path::Path) -> Result<::audit::Checkpoint, Failure> {
    let text =
        std::fs::read_to_string(path).map_err(|e| Failure::new("PH-AUD-004", format!("cannot read anchor {}: {e}", path.display())))?;
    serde_json::from_str(&text).map_err(|e| Failure::new("PH-AUD-005", format!("{} is no anchor: {e}", path.display())))
}
