//! `pilotctl bench twin`: a network of a size solved, changed and solved again.

use crate::exit::{Context, Ended, Failure, Outcome};
use bgp::Family;
use case::scale::Scenario;
use config::{PolicyDefinition, PolicyResult, PrefixEntry, PrefixSet, RouteAction, Statement};
use routing::{Blueprint, Plane, Schedule, Solution};
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// Runs of each measurement; the best counts, as in the figures it is held against.
const ROUNDS: usize = 3;
/// Single link failures of the sweep.
const SWEEP: usize = 40;

/// Arguments of `bench twin`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: pilotctl bench twin --scenario ba_100.json --prefixes 1000 --distinct --json")]
pub struct Arguments {
    /// Wires, sessions and classes of announcements.
    #[arg(long, value_name = "FILE")]
    scenario: PathBuf,
    /// Prefixes.
    #[arg(long, default_value_t = 1000)]
    prefixes: u32,
    /// Every prefix has an announcement of its own, so that none is computed for another.
    #[arg(long)]
    distinct: bool,
}

#[derive(Debug, Serialize)]
struct WhatIf {
    name: &'static str,
    /// Fork, new tables and what changed, milliseconds.
    ms: f64,
    /// The fork alone.
    fork_ms: f64,
    /// Choices (router and prefix) that are others.
    changed: usize,
}

#[derive(Debug, Serialize)]
struct Figures {
    scenario: String,
    machine: String,
    routers: usize,
    sessions: usize,
    prefixes: u32,
    distinct: bool,
    destinations: usize,
    messages: usize,
    converge_ms: f64,
    peak_mb: f64,
    what_ifs: Vec<WhatIf>,
}

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// Runs `bench twin`.
pub fn run(context: &Context, arguments: &Arguments) -> Ended {
    if cfg!(debug_assertions) {
        eprintln!("this is a build without optimisation; its figures say little: cargo build --release --package cli");
    }
    let path = &arguments.scenario;
    let text = std::fs::read_to_string(path).map_err(|e| Failure::new("PH-CLI-062", format!("{}: {e}", path.display())))?;
    let scenario = Scenario::read(&text).map_err(|e| Failure::new("PH-CLI-062", format!("{}: {e}", path.display())))?;
    let blueprint = scenario.blueprint(arguments.prefixes, arguments.distinct);
    let mut converge_ms = f64::INFINITY;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let plane = Plane::new(&blueprint, Family::Ipv4Unicast);
        drop(plane.solve_all(Schedule::First));
        converge_ms = converge_ms.min(ms(begun));
    }
    let plane = Plane::new(&blueprint, Family::Ipv4Unicast);
    let base = plane.solve_all(Schedule::First);
    let what_ifs = what_ifs(&blueprint, &plane, &base);
    let (routers, _, ibgp, ebgp) = scenario.size();
    let figures = Figures {
        scenario: scenario.name.clone(),
        machine: super::machine(),
        routers,
        sessions: ibgp + ebgp,
        prefixes: arguments.prefixes,
        distinct: arguments.distinct,
        destinations: base.classes.len(),
        messages: plane.messages(&base),
        converge_ms,
        peak_mb: peak_mb(),
        what_ifs,
    };
    if context.json {
        crate::engine::print_json(&figures);
        return Ok(Outcome::Done);
    }
    println!("{}", figures.machine);
    println!(
        "{}: {} routers, {} sessions, {} prefixes in {} destinations: {:.1} ms, {} messages, {:.0} MB at most",
        figures.scenario, routers, figures.sessions, figures.prefixes, figures.destinations, converge_ms, figures.messages, figures.peak_mb
    );
    for w in &figures.what_ifs {
        println!("  {}: {:.2} ms, of it the fork {:.3} ms; {} choices change", w.name, w.ms, w.fork_ms, w.changed);
    }
    Ok(Outcome::Done)
}

fn what_ifs(network: &Blueprint, plane: &Plane<'_>, base: &Solution) -> Vec<WhatIf> {
    let Some(feed) = network.feeds.first() else { return Vec::new() };
    let (router, neighbor) = (feed.router, feed.neighbor);
    let one = feed.routes.first().map(|(p, _)| *p);
    let import = |fork: &mut Blueprint, prefix: Option<bgp::Prefix>, actions: Vec<RouteAction>| {
        let config = Arc::make_mut(&mut fork.routers[router].config);
        let mut statements = vec![Statement { actions, ..Statement::new(10, PolicyResult::Accept) }];
        if let Some(prefix) = prefix {
            let entry = PrefixEntry { sequence: 5, permit: true, prefix, ge: None, le: None };
            config.policy.prefix_sets.insert("BENCH".to_owned(), PrefixSet { family: prefix.family(), entries: vec![entry] });
            statements[0].conditions.push(config::Condition::PrefixSet("BENCH".to_owned()));
            statements.push(Statement::new(20, PolicyResult::Accept));
        }
        config.policy.definitions.insert("BENCH".to_owned(), PolicyDefinition { statements });
        let family =
            config.bgp.as_mut().and_then(|b| b.neighbors.get_mut(&neighbor)).and_then(|n| n.families.get_mut(&Family::Ipv4Unicast));
        if let Some(family) = family {
            family.import = Some("BENCH".to_owned());
        }
    };
    let mut out = Vec::new();
    let mut measure = |name, change: &dyn Fn(&mut Blueprint)| out.push(measured(name, network, plane, base, change));
    measure("lp200_all_prefixes_one_session", &|f| import(f, None, vec![RouteAction::SetLocalPref(200)]));
    measure("lp200_one_prefix", &|f| import(f, one, vec![RouteAction::SetLocalPref(200)]));
    let prepended = vec![RouteAction::Prepend(bgp::AsPath::sequence([64_496; 3])), RouteAction::SetMed(50)];
    measure("prepend3", &|f| import(f, None, prepended.clone()));
    measure("ebgp_session_down", &|f| f.failures.sessions.extend([(router, neighbor)]));
    measure("withdraw_one_prefix", &|f| Arc::make_mut(&mut f.feeds[0].routes).retain(|(p, _)| Some(*p) != one));
    let inner: Vec<&String> =
        network.links.iter().flat_map(|l| l.iter()).filter(|(_, ends)| ends.len() == 2).map(|(name, _)| name).collect();
    let failures: Vec<WhatIf> = inner
        .iter()
        .step_by((inner.len() / SWEEP).max(1))
        .take(SWEEP)
        .map(|link| measured("link_down", network, plane, base, &|f| f.failures.links.extend([(*link).clone()])))
        .collect();
    let mean = |value: fn(&WhatIf) -> f64| failures.iter().map(value).sum::<f64>() / failures.len().max(1) as f64;
    let (all_ms, all_fork) = (mean(|w| w.ms), mean(|w| w.fork_ms));
    let changed = failures.iter().map(|w| w.changed).sum::<usize>() / failures.len().max(1);
    // the link whose loss moves most
    if let Some(busiest) = failures.into_iter().max_by_key(|w| w.changed) {
        out.push(WhatIf { name: "busiest_link_down", ..busiest });
    }
    out.push(WhatIf { name: "mean_of_single_link_failures", ms: all_ms, fork_ms: all_fork, changed });
    out
}

fn measured(name: &'static str, network: &Blueprint, plane: &Plane<'_>, base: &Solution, change: &dyn Fn(&mut Blueprint)) -> WhatIf {
    let mut best = WhatIf { name, ms: f64::INFINITY, fork_ms: f64::INFINITY, changed: 0 };
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let mut fork = network.clone();
        change(&mut fork);
        let fork_ms = ms(begun);
        let after = Plane::new(&fork, Family::Ipv4Unicast);
        let solution = after.solve_all(Schedule::First);
        let moved = plane.moved(base, &after, &solution);
        let all = ms(begun);
        if all < best.ms {
            best = WhatIf { name, ms: all, fork_ms, changed: moved.iter().map(|m| m.prefixes.len()).sum() };
        }
    }
    best
}

/// The most memory that this process had, MB.
fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<f64>().ok()).map_or(0.0, |kb| kb / 1024.0)
}
