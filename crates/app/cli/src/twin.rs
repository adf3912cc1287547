//! `pilotctl twin`: networks from their configurations, solved, changed, checked.

mod trial;

use crate::exit::{Context, Ended, Failure, Outcome};
use bgp::{Family, Prefix};
use case::{Case, answer};
use clap::Subcommand;
use routing::{Plane, Schedule};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Arguments of `twin`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// What the routers of a network make of their configurations.
    ///
    /// CASE is a directory with `case.json` (routers, links, config_files) and `configs/<router>/*.conf`.
    #[command(after_help = "Example: pilotctl twin solve examples/seed --router r1 --prefix 203.0.113.0/24 --explain")]
    Solve {
        /// The network.
        case: PathBuf,
        /// Only this prefix.
        #[arg(long)]
        prefix: Option<Prefix>,
        /// Only this router.
        #[arg(long)]
        router: Option<String>,
        /// Why each choice was made: the deciding step, what others lost by, the policies on the way.
        #[arg(long)]
        explain: bool,
    },
    /// What a change would move, by router and prefixes, with the checks.
    #[command(name = "what-if", after_help = trial::HELP)]
    WhatIf(trial::ChangeArguments),
    /// Whether a change may be made: exit status 0 pass, 1 blocked, with each check's reason.
    #[command(after_help = trial::HELP)]
    Check(trial::ChangeArguments),
}

/// Runs `twin`.
pub fn run(context: &Context, arguments: &Arguments) -> Ended {
    match &arguments.verb {
        Verb::Solve { case, prefix, router, explain } => {
            let loaded = load(case)?;
            if let Some(name) = router.as_ref().filter(|r| !loaded.routers.iter().any(|(n, _)| n == *r)) {
                let names = loaded.routers.iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>().join(", ");
                return Err(Failure::new("PH-CLI-061", format!("{}: no router {name:?}; there are {names}", case.display())));
            }
            if *explain {
                explained(context, &loaded, *prefix, router.as_deref())
            } else {
                solved(context, &loaded, *prefix, router.as_deref())
            }
        }
        Verb::WhatIf(arguments) => trial::what_if(context, arguments),
        Verb::Check(arguments) => trial::check(context, arguments),
    }
}

fn load(dir: &Path) -> Result<Case, Failure> {
    Case::load(dir).map_err(|e| Failure::new("PH-CLI-060", e.to_string()))
}

fn solved(context: &Context, case: &Case, prefix: Option<Prefix>, router: Option<&str>) -> Ended {
    let mut told = answer::solve(case);
    told.routers.retain(|name, _| router.is_none_or(|r| r == name));
    for tables in told.routers.values_mut().flat_map(|t| t.values_mut()) {
        tables.retain(|p, _| prefix.is_none_or(|wanted| wanted == *p));
    }
    let rested = told.converged;
    if context.json {
        crate::engine::print_json(&told);
    } else {
        let mut out = std::io::stdout().lock();
        let _ = told.write(&mut out);
        let _ = out.flush();
    }
    Ok(if !rested {
        Outcome::No
    } else if told.unmodelled.is_empty() {
        Outcome::Done
    } else {
        Outcome::Partly
    })
}

fn explained(context: &Context, case: &Case, prefix: Option<Prefix>, router: Option<&str>) -> Ended {
    let blueprint = case.blueprint();
    let mut all = Vec::new();
    for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
        let plane = Plane::new(&blueprint, family);
        let mut solution = plane.solve_all(Schedule::First);
        let prefixes: Vec<Prefix> = solution.prefixes().filter(|p| prefix.is_none_or(|wanted| wanted == *p)).collect();
        for (at, node) in blueprint.routers.iter().enumerate().filter(|(_, n)| router.is_none_or(|r| r == n.name)) {
            all.extend(prefixes.iter().filter_map(|p| plane.explain_choice(&mut solution, at, p)));
            let _ = node;
        }
    }
    if context.json {
        crate::engine::print_json(&all);
    } else {
        for one in &all {
            println!("{one}");
        }
    }
    Ok(if all.is_empty() { Outcome::No } else { Outcome::Done })
}
