//! `pilotctl twin`: networks from their configurations, solved, changed, checked.

use crate::exit::{Context, Ended, Failure, Outcome};
use bgp::{Family, Prefix};
use case::change::{Change, ChangeError, Effect};
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
    ///
    /// The change file holds an action, configuration lines or a failure:
    /// {"action":"LOCAL_PREF_ADJUST","router":"r1","neighbor":"10.0.0.2","prefixes":["203.0.113.0/24"],"parameters":{"local_pref":200}},
    /// {"router":"r1","config":["router bgp 65001","…"]}, {"fail":{"link":"s1"}}.
    #[command(name = "what-if")]
    WhatIf(ChangeArguments),
    /// Whether a change may be made: exit status 0 pass, 1 blocked, with each check's reason.
    Check(ChangeArguments),
}

#[derive(Debug, clap::Args)]
struct ChangeArguments {
    /// The network.
    case: PathBuf,
    /// The change.
    #[arg(long, value_name = "FILE")]
    change: PathBuf,
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
        Verb::WhatIf(arguments) => {
            let effect = effect(arguments)?;
            if context.json {
                crate::engine::print_json(&effect);
            } else {
                for m in &effect.moved {
                    let prefixes = m.prefixes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
                    println!("{} {prefixes}: {} -> {}", m.router, choice(m.before.as_ref()), choice(m.after.as_ref()));
                }
                print_checks(&effect);
            }
            Ok(if effect.unmodelled.is_empty() { Outcome::Done } else { Outcome::Partly })
        }
        Verb::Check(arguments) => {
            let effect = effect(arguments)?;
            if context.json {
                crate::engine::print_json(&effect.checks);
            } else {
                print_checks(&effect);
            }
            Ok(if effect.passes() { Outcome::Done } else { Outcome::No })
        }
    }
}

fn effect(arguments: &ChangeArguments) -> Result<Effect, Failure> {
    let case = load(&arguments.case)?;
    let wrong = |e: &dyn std::fmt::Display| Failure::new("PH-CLI-063", format!("{}: {e}", arguments.change.display()));
    let text = std::fs::read_to_string(&arguments.change).map_err(|e| wrong(&e))?;
    let change: Change = serde_json::from_str(&text).map_err(|e| wrong(&ChangeError::from(e)))?;
    case.effect(&change).map_err(|e| wrong(&e))
}

fn choice(choice: Option<&routing::Choice>) -> String {
    choice.map_or_else(
        || "no path".to_owned(),
        |c| format!("{} [{}]", c.from.map_or_else(|| "local".to_owned(), |f| f.to_string()), c.as_path),
    )
}

fn print_checks(effect: &Effect) {
    for check in &effect.checks {
        println!("{:5} {}: {}", check.verdict, check.name, check.reason);
    }
    for line in &effect.unmodelled {
        println!("not modelled: {line}");
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
