//! `pilotctl twin`: networks from their configurations, solved, changed, checked.

mod trial;
pub mod validation;

use crate::client::Client;
use crate::engine::{blocking, print_json};
use crate::exit::{Context, Ended, Failure, Outcome};
use api::{ExplainArguments, ExplainView};
use bgp::{Family, Prefix};
use case::beside::Beside;
use case::saved::Saved;
use case::steps::{self, Verdict};
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
    /// CASE is a directory with `case.json` (routers, links, config_files) and `configs/<router>/*.conf`. A router decides as the software does
    /// that its configuration is written for, unless `profiles` names another decision process: {"r1": "ios"} (frr, eos, junos, iosxr, ios, nokia,
    /// openconfig).
    #[command(after_help = "Example: pilotctl twin solve tests/cases/incidents/base --router r1 --prefix 203.0.113.0/24 --explain")]
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
        /// After the first N steps of the case; 0: as its files say.
        #[arg(long, value_name = "N")]
        step: Option<usize>,
        /// Types the steps of the case in order and judges what it expects in between: exit status 0 met, 1 not met, 3 partly not known.
        #[arg(long, conflicts_with_all = ["step", "explain", "prefix", "router"])]
        steps: bool,
        #[command(flatten)]
        validation: validation::Validation,
    },
    /// What a change would move, by router and prefixes, with the checks.
    #[command(name = "what-if", after_help = trial::HELP)]
    WhatIf(trial::ChangeArguments),
    /// Saves the network of the engine as a case: configurations, wires, what neighbours announce, what is measured.
    #[command(after_help = "Example: pilotctl twin save /tmp/now && pilotctl twin what-if /tmp/now --change change.json")]
    Save {
        /// A directory that is not there yet, or is empty.
        dir: PathBuf,
    },
    /// Why a router of the running engine has the path that it has: the text of `solve --explain`.
    #[command(after_help = "Example: pilotctl twin explain 203.0.113.0/24 --router r1")]
    Explain {
        /// The prefix, as a table has it.
        prefix: Prefix,
        /// The router.
        #[arg(long, value_name = "ID")]
        router: String,
    },
    /// Whether a change may be made: exit status 0 pass, 1 blocked, with each check's reason.
    #[command(after_help = trial::HELP)]
    Check(trial::ChangeArguments),
}

/// Runs `twin`.
pub fn run(context: &Context, arguments: &Arguments) -> Ended {
    match &arguments.verb {
        Verb::Solve { case, steps: true, .. } => judged(context, &load(case)?),
        Verb::Solve { case, prefix, router, explain, step, steps: _, validation } => {
            let mut loaded = load(case)?;
            if let Some(step) = step {
                let all = loaded.steps.len();
                if *step > all {
                    return Err(Failure::new("PH-CLI-065", format!("{}: no step {step}; it has {all}", case.display())));
                }
                loaded = loaded.after(*step);
            }
            let mut beside = Beside::load(case).map_err(|e| Failure::new("PH-CLI-060", e.to_string()))?;
            let unavailable = told(validation.put(&mut beside)?);
            if let Some(name) = router.as_ref().filter(|r| !loaded.routers.iter().any(|(n, _)| n == *r)) {
                let names = loaded.routers.iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>().join(", ");
                return Err(Failure::new("PH-CLI-061", format!("{}: no router {name:?}; there are {names}", case.display())));
            }
            let network = (&loaded, &beside);
            let ended = if *explain {
                explained(context, network, *prefix, router.as_deref())
            } else {
                solved(context, network, *prefix, router.as_deref())
            };
            ended.map(|outcome| if unavailable && outcome == Outcome::Done { Outcome::Partly } else { outcome })
        }
        Verb::Save { dir } => save(context, dir),
        Verb::Explain { prefix, router } => {
            let wanted = ExplainArguments { device: router.clone(), prefix: prefix.to_string() };
            let why: ExplainView = blocking(Client::new(context)?.call("explain", &wanted))?;
            if context.json {
                print_json(&why);
            } else {
                why.lines.iter().for_each(|line| println!("{line}"));
            }
            Ok(Outcome::Done)
        }
        Verb::WhatIf(arguments) => trial::what_if(context, arguments),
        Verb::Check(arguments) => trial::check(context, arguments),
    }
}

fn load(dir: &Path) -> Result<Case, Failure> {
    Case::load(dir).map_err(|e| Failure::new("PH-CLI-060", e.to_string()))
}

/// Writes the engine's network as a case.
fn save(context: &Context, dir: &Path) -> Ended {
    let saved: Saved = blocking(Client::new(context)?.call("twin_case", &()))?;
    saved.store(dir).map_err(|e| Failure::new("PH-CLI-080", format!("cannot save to {}: {e}", dir.display())))?;
    let (routers, feeds) = (saved.routers.len(), saved.outside.feeds.len());
    let routes: usize = saved.outside.feeds.iter().map(|f| f.routes.len()).sum();
    if context.json {
        print_json(&serde_json::json!({"dir": dir, "routers": routers, "feeds": feeds, "routes": routes}));
    } else {
        println!("saved {routers} routers and {routes} routes of {feeds} sessions outside to {}", dir.display());
        println!("VRPs are not part of it: name them again with --vrps or --rtr");
    }
    Ok(Outcome::Done)
}

/// Says on what origin validation rests; returns whether it is unavailable.
fn told(said: Option<Result<String, String>>) -> bool {
    let Some(said) = said else { return false };
    let unavailable = said.is_err();
    // beside the answer, which may be JSON
    eprintln!("{}", said.unwrap_or_else(|why| why));
    unavailable
}

/// Judges the expectations that a case has between its steps.
fn judged(context: &Context, case: &Case) -> Ended {
    let all = steps::judge(case);
    if all.is_empty() {
        return Err(Failure::new("PH-CLI-069", "the case has no steps that expect anything"));
    }
    let met = all.iter().filter(|j| j.verdict == Verdict::Met).count();
    if context.json {
        crate::engine::print_json(&all);
    } else {
        for j in &all {
            let verdict = match &j.verdict {
                Verdict::Met => "met".to_owned(),
                Verdict::NotMet(why) => format!("not met: {why}"),
                Verdict::NotKnown(why) => format!("not known: {why}"),
            };
            println!("step {} {} {}: {verdict}", j.step, j.router, j.command);
        }
        println!("{met} of {} expectations met", all.len());
    }
    Ok(if all.iter().any(|j| matches!(j.verdict, Verdict::NotMet(_))) {
        Outcome::No
    } else if met < all.len() {
        Outcome::Partly
    } else {
        Outcome::Done
    })
}

fn solved(context: &Context, (case, beside): (&Case, &Beside), prefix: Option<Prefix>, router: Option<&str>) -> Ended {
    let mut told = answer::solve_with(case, beside);
    let mut elsewhere = false;
    if let Some(prefix) = prefix {
        let holders = told.holders(&prefix);
        if holders.is_empty() {
            return Err(no_prefix(&prefix, &told));
        }
        if let Some(name) = router.filter(|r| !holders.contains(r)) {
            eprintln!("{name} has no path to {prefix}; there is one at {}", holders.join(", "));
            elsewhere = true;
        }
    }
    told.keep(prefix, router);
    let rested = told.converged && !elsewhere;
    if context.json {
        crate::engine::print_json(&told);
    } else {
        let mut out = std::io::stdout().lock();
        told.write(&mut out).and_then(|()| out.flush()).map_err(|e| crate::decode::unwritten(&e))?;
    }
    Ok(if !rested {
        Outcome::No
    } else if told.unmodelled.is_empty() {
        Outcome::Done
    } else {
        Outcome::Partly
    })
}

fn no_prefix(prefix: &Prefix, told: &answer::Answer) -> Failure {
    let near = told.near(prefix).iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let near = if near.is_empty() { "no table has a prefix of its family".to_owned() } else { format!("near it are {near}") };
    Failure::new("PH-CLI-079", format!("no router has a path to {prefix}; {near}"))
}

fn explained(context: &Context, (case, beside): (&Case, &Beside), prefix: Option<Prefix>, router: Option<&str>) -> Ended {
    let blueprint = case.blueprint_with(beside);
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
    if let Some(prefix) = prefix.filter(|_| all.is_empty()) {
        let told = answer::solve_with(case, beside);
        let holders = told.holders(&prefix);
        if holders.is_empty() {
            return Err(no_prefix(&prefix, &told));
        }
        eprintln!("{} has no path to {prefix}; there is one at {}", router.unwrap_or_default(), holders.join(", "));
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
