//! `pilotctl twin what-if` and `twin check`: a change tried out, with its checks.

use crate::exit::{Context, Ended, Failure, Outcome};
use case::Case;
use case::beside::Beside;
use case::change::{Change, ChangeError, Effect};
use preflight::{Figure, Group, Limits, Structure, Way};
use serde_json::Value;
use std::path::PathBuf;

/// What the optional fields of `case.json` and the change file may say.
pub const HELP: &str = "\
case.json may name another case as its base (\"base\":\"../base\"): fields and configurations that it does not have are taken from there.
profiles ({\"r1\":\"ios\"}) names the decision process of a router: frr, eos, junos, iosxr, ios, nokia, openconfig; else its configuration's.
Besides routers, links and config_files, it may tell what configurations do not (all optional; absent is unknown, never zero):
  context.own_as, own_prefixes, customer_prefixes   ours
  context.relations                                 {\"1234\":\"provider\"|\"peer\"|\"customer\"} by AS
  context.providers                                 {\"ISP-A\":[1234]} names with all their ASes
  context.exits                                     [{router, neighbor, members_bps:[…], load_bps, load_age_s?, cost_per_mbps, relation?}]
  context.links                                     {\"s1\":{members_bps:[…], load_bps}}
  context.volumes                                   [{router, neighbor, prefix, bps, age_s?}] measured, by exit and prefix; too old (limits.volume_age_s_max) is unknown
  context.metrics                                   [{router, neighbor, prefix?, delay_ms:{mean,variance,n}, loss:{…}}]; loss is a ratio
  context.vital, domains, classes, communities, protected_communities, flaps, accepts, routers, intended, limits
  vrps, vrps_before                                 [{prefix, asn, max_length}]; absent: origin validation is unknown
  generated                                         [{router, within, length, count}] prefixes that a router announces besides
--vrps FILE, --rtr ADDRESS and --slurm FILE take the place of vrps.

Change files: one of the twelve actions
  {\"action\":\"LOCAL_PREF_ADJUST\",\"router\":\"r1\",\"neighbor\":\"10.0.0.2\",\"prefixes\":[\"203.0.113.0/24\"],\"parameters\":{\"local_pref\":200}}
  MED_ADJUST {med}, COMMUNITY_TAG {community}, AS_PATH_PREPEND {count}, NEXT_HOP_CHANGE {next_hop}, PREFIX_FILTER, PEER_ACTIVATE,
  PEER_DEACTIVATE, DEPEER, ISP_FAILOVER {from, to} (no router), FULL_REROUTE {steps:[…]}, NO_ACTION
lines {\"router\":\"r1\",\"config\":[…],\"undo\":[…]?}, failures {\"fail\":{\"link\":\"s1\"}} or {\"fail\":[{\"router\":\"r2\"},{\"session\":[\"r1\",\"10.0.0.2\"]}]},
what a neighbour announces besides {\"announce\":{\"router\":\"isp-b\",\"within\":\"32.0.0.0/5\",\"length\":24,\"count\":30000}}, a FlowSpec rule {\"router\":\"r1\",\"flowspec\":{destination, source, protocol, port:[a,b], packet_length:[a,b], then}}; several in a list.";

/// Arguments of both verbs.
#[derive(Debug, clap::Args)]
pub struct ChangeArguments {
    /// The network.
    case: PathBuf,
    /// The change.
    #[arg(long, value_name = "FILE")]
    change: PathBuf,
    /// Limits, as `context.limits` in case.json has them.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    #[command(flatten)]
    validation: super::validation::Validation,
}

/// What `what-if --json` prints.
#[derive(serde::Serialize)]
struct Answer<'e> {
    #[serde(flatten)]
    effect: &'e Effect,
    result: preflight::SimulationResult,
}

/// Runs `what-if`.
pub fn what_if(context: &Context, arguments: &ChangeArguments) -> Ended {
    let Tried { effect, .. } = tried(arguments)?;
    if context.json {
        crate::engine::print_json(&Answer { effect: &effect, result: effect.summary().result() });
    } else {
        print_difference(&effect);
        print_checks(&effect);
        println!("preflight {}", effect.summary());
    }
    Ok(if effect.unmodelled.is_empty() { Outcome::Done } else { Outcome::Partly })
}

/// Runs `check`.
pub fn check(context: &Context, arguments: &ChangeArguments) -> Ended {
    let Tried { effect, change, structure, named } = tried(arguments)?;
    if context.json {
        crate::engine::print_json(&with_unmodelled(&effect));
    } else {
        print_checks(&effect);
        println!("{}", structure.size());
        for router in named {
            let nodes = structure.reachable(&router).unwrap_or_default();
            println!("structural reach of {router} {} ({nodes} other nodes; decides nothing)", structure.reach(&router));
        }
        println!("preflight {}", effect.summary());
        let tier = effect.tier.map(|t| format!(", tier {t}")).unwrap_or_default();
        println!("{}: {}{tier}, blast radius {}", change.in_words(), effect.verdict().word(), effect.difference.blast);
    }
    // a line that nothing here knows is no part of what was checked; neither is what was asked for and could not be had
    Ok(match (effect.passes(), effect.unmodelled.is_empty()) {
        (false, _) => Outcome::No,
        (true, true) => Outcome::Done,
        (true, false) => Outcome::Partly,
    })
}

/// A change that was tried out.
struct Tried {
    effect: Effect,
    change: Change,
    /// The graph of sessions before it.
    structure: Structure,
    /// Routers that the change file names.
    named: Vec<String>,
}

fn tried(arguments: &ChangeArguments) -> Result<Tried, Failure> {
    let unread = |e: case::CaseError| Failure::new("PH-CLI-060", e.to_string());
    let case = Case::load(&arguments.case).map_err(unread)?;
    let mut beside = Beside::load(&arguments.case).map_err(unread)?;
    if let Some(path) = &arguments.policy {
        let wrong = |e: &dyn std::fmt::Display| Failure::new("PH-CLI-066", format!("{}: {e}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|e| wrong(&e))?;
        beside.context.limits = serde_json::from_str::<Limits>(&text).map_err(|e| wrong(&e))?;
    }
    let unavailable = arguments.validation.put(&mut beside)?;
    let file = arguments.change.display();
    let text = std::fs::read_to_string(&arguments.change).map_err(|e| Failure::new("PH-CLI-063", format!("{file}: {e}")))?;
    let wrong = |e: ChangeError| Failure::new("PH-CLI-063", format!("{file}: {}", placed(&text, &e)));
    let change: Change = serde_json::from_str(&text).map_err(|e| wrong(e.into()))?;
    let mut effect = case.effect_with(&change, &beside).map_err(wrong)?;
    if let Some(Err(why)) = &unavailable {
        effect.unmodelled.push(why.clone());
    }
    super::told(unavailable);
    let named = case.routers.iter().map(|(name, _)| name.clone()).filter(|name| text.contains(&format!("\"{name}\""))).collect();
    Ok(Tried { structure: case.structure(&beside), effect, change, named })
}

/// Says an error of a change file with its line: the reader's own, else that of the first word that the error quotes.
fn placed(text: &str, error: &ChangeError) -> String {
    let said = error.to_string();
    if let ChangeError::Json(e) = error
        && e.line() > 0
    {
        return said;
    }
    let quoted = said.split(['"', '`']).skip(1).step_by(2);
    let names = said.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|w| w.contains('_') || w.parse::<u32>().is_ok());
    let stands = |word: &str| {
        // as a text or a key before any part of another
        let at = text.find(&format!("\"{word}\"")).or_else(|| text.find(word)).filter(|_| !word.is_empty())?;
        text.get(..at).map(|before| before.matches('\n').count() + 1)
    };
    match quoted.chain(names).find_map(stands) {
        Some(line) => format!("line {line}: {said}"),
        None => said,
    }
}

/// The checks, and behind them one that stands for the lines that nothing here models.
fn with_unmodelled(effect: &Effect) -> Vec<Value> {
    let mut out: Vec<Value> = effect.checks.iter().map(|c| serde_json::json!(c)).collect();
    if !effect.unmodelled.is_empty() {
        let rows: Vec<Value> = effect.unmodelled.iter().map(|line| serde_json::json!({"what": line})).collect();
        out.push(serde_json::json!({
            "id": "UNMODELLED", "name": "not modelled", "verdict": preflight::Verdict::NotJudged, "sentence": effect.unmodelled.join("; "),
            "found": rows.len(), "rows": rows,
        }));
    }
    out
}

fn print_difference(effect: &Effect) {
    let d = &effect.difference;
    for g in &d.groups {
        println!("{} {}: {} -> {}{}", g.router, prefixes(g), way(g.before.as_ref()), way(g.after.as_ref()), volume(g));
    }
    println!("{} of {} prefixes unchanged, {} not meant to move", d.unchanged, d.prefixes, d.unexpected.len());
    for c in &d.announced {
        let (a, w, m) = (c.added.len(), c.withdrawn.len(), c.modified.len());
        println!("told by {}: {} -> {} prefixes, {a} new, {w} withdrawn, {m} otherwise", c.session, c.before, c.after);
    }
    let p = &effect.prediction;
    figure("delay", "ms", 1.0, p.delay_ms.as_ref());
    figure("loss", "%", 100.0, p.loss.as_ref());
    figure("cost", "per month", 1.0, p.cost_per_month.as_ref());
    if let Some(c) = &p.convergence {
        println!("settles in {:.0} to {:.0} s: {}", c.least_s, c.most_s, c.parts.join("; "));
    }
    if let Some(s) = &p.stability {
        println!("flaps per hour of the exits: {:.2} -> {:.2}", s.before_per_hour, s.after_per_hour);
    }
    for unknown in &p.unknown {
        println!("unknown: {unknown}");
    }
    for back in &effect.inverse {
        println!("way back at {}: {}", back.router, back.lines.join(" / "));
    }
}

fn prefixes(g: &Group) -> String {
    const NAMED: usize = 6;
    let mut out = g.prefixes.iter().take(NAMED).map(ToString::to_string).collect::<Vec<_>>().join(" ");
    if g.prefixes.len() > NAMED {
        out.push_str(&format!(" and {} more", g.prefixes.len() - NAMED));
    }
    out
}

fn way(way: Option<&Way>) -> String {
    let Some(way) = way else { return "no path".to_owned() };
    let from = way.from.map_or_else(|| "local".to_owned(), |f| f.to_string());
    let exit = way.exit.as_ref().map(|e| format!(", exit {e}")).unwrap_or_default();
    let end = if way.end.works() { String::new() } else { format!(", {}", way.end.word()) };
    format!("{from} [{}]{exit}{end}", way.as_path)
}

fn volume(g: &Group) -> String {
    match (g.bps, g.unknown_volume) {
        (None, _) => String::new(),
        (Some(bps), 0) => format!(" ({:.1} Mbit/s)", bps / 1e6),
        (Some(bps), n) => format!(" ({:.1} Mbit/s, {n} prefixes of unknown volume)", bps / 1e6),
    }
}

fn figure(name: &str, unit: &str, scale: f64, figure: Option<&Figure>) {
    if let Some(f) = figure {
        let (value, low, high) = (f.value * scale, f.low * scale, f.high * scale);
        println!("{name}: {value:+.2} {unit} (95 %: {low:+.2} to {high:+.2}), over {} moves by {}", f.known, f.weighted_by);
    }
}

fn print_checks(effect: &Effect) {
    for check in &effect.checks {
        println!("{check}");
    }
    for line in &effect.unmodelled {
        println!("not modelled: {line}");
    }
}
