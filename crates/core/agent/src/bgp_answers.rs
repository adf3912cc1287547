//! Answers that the twin computes: why a path is the best, and what another LOCAL_PREF would do. Nothing is sent.

use crate::answer::{Draft, Look};
use crate::question::{LocalPrefQuestion, Target};
use crate::sample::Sample;
use crate::words::{clock, prefixes};
use action::{ActionType, DeviceEdits, DeviceId};
use bgp::{Family, PathAttributes, Prefix};
use bmp::View;
use config::edit::local_pref_terms;
use core::net::IpAddr;
use network::Device;
use std::sync::Arc;
use twin::{Picture, Question, Twin, Verdict};

/// Prefixes or paths named in one answer; the counts go on.
const NAMED: usize = 12;
/// Lines of one explanation.
const EXPLANATION_MAX: usize = 64;
/// Prefixes of one what-if.
const WHAT_IF_MAX: usize = 4096;

fn picture(look: &Look<'_>) -> Result<Picture, Draft> {
    Picture::of(look.network).map_err(|e| Draft::say(format!("The twin cannot be built, so I cannot say: {e}.")))
}

fn found(twin: &Twin<'_>, target: Target) -> Option<Prefix> {
    let longest = |fits: &dyn Fn(&Prefix) -> bool| twin.prefixes().filter(|p| fits(p)).max_by_key(Prefix::length);
    match target {
        Target::Prefix(prefix) => longest(&|p| p.covers(&prefix)),
        Target::Address(address) => longest(&|p| p.contains(address)),
    }
}

/// Why the best path to `target` is the best.
pub fn why(look: &Look<'_>, id: &DeviceId, state: &Device, target: Target) -> Draft {
    let picture = match picture(look) {
        Ok(picture) => picture,
        Err(draft) => return draft,
    };
    let twin = Twin::new(&picture);
    let Some(prefix) = found(&twin, target) else { return Draft::say("No table of ours has a route to that.") };
    let Some(why) = twin.explain(id, &prefix) else { return Draft::say(format!("I have no path to {prefix}.")) };
    let best = twin.best(id, &prefix);
    let mut draft = Draft::default();
    // the words of `pilotctl twin solve --explain` and of the approval card
    for line in why.lines().into_iter().take(EXPLANATION_MAX) {
        draft.line(line);
    }
    if let Some(best) = &best {
        draft.sample(Sample::word("best_path_as_path", best.attributes.as_path.to_string(), Some(look.now), "twin"));
        if let Some(local_pref) = best.attributes.local_pref {
            draft.sample(Sample::number("best_path_local_pref", f64::from(local_pref), Some(look.now), "twin"));
        }
    }
    inputs(look, id, state, &prefix, &mut draft);
    reported(state, &prefix, best.map(|b| b.attributes), &mut draft);
    draft
}

/// Samples that the twin computed from.
fn inputs(look: &Look<'_>, id: &DeviceId, state: &Device, prefix: &Prefix, draft: &mut Draft) {
    for (neighbor, view, rib) in look.network.adj_ribs(id).filter(|(_, view, _)| *view == View::AdjRibInPre) {
        if let Some(route) = rib.get(prefix) {
            let source = format!("BMP {view:?} of {neighbor}, route {prefix}");
            draft.sample(Sample::word("received_as_path", route.as_path.to_string(), state.bmp.last(), source));
        }
    }
    config_sample(state, draft);
}

fn config_sample(state: &Device, draft: &mut Draft) {
    if let Some(config) = &state.config {
        let digest = config.digest.get(..12).unwrap_or(&config.digest);
        draft.sample(Sample::word("running_configuration", format!("SHA-256 {digest}"), Some(config.at), "NETCONF running configuration"));
    }
}

/// Says whether the router's own table shows what the twin computed.
fn reported(state: &Device, prefix: &Prefix, best: Option<&PathAttributes>, draft: &mut Draft) {
    let source = format!("/…/bgp/rib/afi-safis/afi-safi/loc-rib/routes/route[prefix={prefix}]");
    match (state.loc_rib.get(prefix), best) {
        (Some(route), Some(best)) => {
            let same = route.attributes.as_path == best.as_path && route.attributes.next_hop == best.next_hop;
            draft.line(if same {
                "My own table shows the same path."
            } else {
                "My own table shows another path than the twin computes; do not rely on this."
            });
            draft.sample(Sample::word("loc_rib_as_path", route.attributes.as_path.to_string(), state.gnmi.last(), source));
        }
        (None, Some(_)) => draft.line("My own table has not reported this prefix, so I cannot compare."),
        (Some(route), None) => {
            draft.line("My own table has a route that the twin does not compute; do not rely on this.");
            draft.sample(Sample::word("loc_rib_as_path", route.attributes.as_path.to_string(), state.gnmi.last(), source));
        }
        (None, None) => {}
    }
}

/// The deciding step of every prefix, counted.
pub fn steps(look: &Look<'_>, id: &DeviceId) -> Draft {
    let picture = match picture(look) {
        Ok(picture) => picture,
        Err(draft) => return draft,
    };
    let by_step = Twin::new(&picture).steps(id);
    let mut draft = Draft::default();
    for (step, decided) in &by_step {
        let step = step.name();
        let named = decided.iter().take(NAMED).map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let more = decided.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        draft.line(format!("{step} decides {}: {named}{more}", prefixes(decided.len())));
        #[allow(clippy::cast_precision_loss, reason = "display of a count")]
        draft.sample(Sample::number(&format!("prefixes_decided_by_{step}"), decided.len() as f64, Some(look.now), "twin"));
    }
    if by_step.is_empty() {
        return Draft::say("I have no path to anything.");
    }
    if let Some(state) = look.network.devices.get(id) {
        config_sample(state, &mut draft);
    }
    draft
}

/// What another LOCAL_PREF on one session would do.
pub fn what_if(look: &Look<'_>, id: &DeviceId, state: &Device, question: &LocalPrefQuestion) -> Draft {
    match computed(look, id, state, question) {
        Ok(draft) => draft,
        Err(why) => Draft::say(format!("I cannot compute that: {why}.")),
    }
}

fn sessions(look: &Look<'_>, id: &DeviceId, named: &str) -> Result<Vec<IpAddr>, String> {
    let exits = &look.network.inventory.exits;
    if let Some(exit) = exits.iter().find(|e| &e.device == id && e.id.as_str() == named) {
        return Ok(exit.neighbors.clone());
    }
    let address: IpAddr = named.parse().map_err(|_| format!("{named} is no exit of mine and no address"))?;
    let known = look.network.devices.get(id).is_some_and(|d| d.sessions.contains_key(&address));
    known.then(|| vec![address]).ok_or_else(|| format!("I have no BGP session with {address}"))
}

fn computed(look: &Look<'_>, id: &DeviceId, state: &Device, question: &LocalPrefQuestion) -> Result<Draft, String> {
    let picture = Picture::of(look.network).map_err(|e| format!("the twin cannot be built: {e}"))?;
    let twin = Twin::new(&picture);
    let config = twin.config(id).ok_or("my configuration was not read")?;
    let (mut edits, mut intended, mut skipped) = (Vec::new(), Vec::new(), 0_usize);
    let mut draft = Draft::default();
    for neighbor in sessions(look, id, &question.session)? {
        let family = Family::of(neighbor);
        let rib = look.network.adj_rib_in(id, neighbor);
        if rib.is_empty() {
            continue;
        }
        let bgp = config.bgp.as_ref().and_then(|b| b.neighbors.get(&neighbor)).and_then(|n| n.families.get(&family));
        let import = bgp.and_then(|f| f.import.as_deref()).ok_or_else(|| format!("the session with {neighbor} has no import policy"))?;
        let asked = |p: &Prefix| question.prefixes.is_empty() || question.prefixes.iter().any(|q| q.covers(p));
        let mut routes: Vec<(Prefix, Arc<PathAttributes>)> = Vec::new();
        for (prefix, attributes) in rib.routes().filter(|(p, _)| asked(p)) {
            // what the policy rejects stays rejected whatever its LOCAL_PREF
            match config.policy.first_match(import, &prefix, &attributes) {
                Ok(Some(term)) if term.result == config::PolicyResult::Accept => routes.push((prefix, attributes)),
                _ => skipped += 1,
            }
        }
        if intended.len() + routes.len() > WHAT_IF_MAX {
            return Err(format!("that are more than {WHAT_IF_MAX} prefixes; name some"));
        }
        #[allow(clippy::cast_precision_loss, reason = "display of a count")]
        draft.sample(Sample::number("prefixes_received", rib.len() as f64, state.bmp.last(), format!("BMP AdjRibInPre of {neighbor}")));
        intended.extend(routes.iter().map(|(p, _)| *p));
        if !routes.is_empty() {
            let routes: Vec<(Prefix, &PathAttributes)> = routes.iter().map(|(p, a)| (*p, a.as_ref())).collect();
            edits.extend(local_pref_terms(&config.policy, import, &routes, question.local_pref, "what-if").map_err(|e| e.to_string())?);
        }
    }
    if edits.is_empty() {
        return Err(format!("the session {} announces nothing of that which its import policy accepts", question.session));
    }
    config_sample(state, &mut draft);
    let edits = [DeviceEdits { device: id.clone(), edits }];
    let trial = Question { kind: Some(ActionType::LocalPrefAdjust), ..Question::new(&edits, &intended) };
    let prediction = twin.ask(&trial).map_err(|e| e.to_string())?;
    draft.line(format!(
        "If LOCAL_PREF were {} for {} from {}, {} would change {} path ({} of all known). Computed by the twin at {}; nothing was sent.",
        question.local_pref,
        prefixes(intended.len()),
        question.session,
        prefixes(prediction.changed.len()),
        if prediction.changed.len() == 1 { "its" } else { "their" },
        prediction.blast,
        clock(look.now)
    ));
    if skipped > 0 {
        draft.line(format!("{} stay out: the import policy does not accept them.", prefixes(skipped)));
    }
    tell(&prediction, &mut draft, look);
    Ok(draft)
}

fn tell(prediction: &twin::Prediction, draft: &mut Draft, look: &Look<'_>) {
    let at = Some(look.now);
    for change in prediction.changed.iter().take(NAMED) {
        for device in change.devices.iter().take(NAMED) {
            let step = device.after.step.map_or_else(String::new, |s| format!(", decided by {}", s.name()));
            draft.line(format!("{} at {}: {} → {}{step}", change.prefix, device.device, device.before.forwarding, device.after.forwarding));
        }
    }
    if prediction.changed.len() > NAMED {
        draft.line(format!("and {} more", prefixes(prediction.changed.len() - NAMED)));
    }
    for load in &prediction.loads {
        let (Some(before), Some(after)) = (load.before_bps, load.after_bps) else { continue };
        draft.sample(Sample::number("exit_out_bps", before, at, format!("interface counters and volumes of {}", load.exit)));
        if before != after {
            draft.line(format!("load of {}: {:.2} → {:.2} Mbit/s", load.exit, before / 1e6, after / 1e6));
        }
    }
    if prediction.unknown_volume > 0 {
        draft.line(format!("volume unknown for {} of the moved prefixes", prediction.unknown_volume));
    }
    for check in &prediction.checks {
        let word = match check.verdict {
            Verdict::NotJudged => "not judged",
            Verdict::Pass => "passed",
            Verdict::Warn => "warns",
            Verdict::Block => "FAILED",
        };
        draft.sample(Sample::word("check", format!("{} {word}", check.id), at, "twin"));
        match check.verdict {
            Verdict::Pass => {}
            Verdict::NotJudged => draft.line(format!("check {} is not judged: {}", check.id, check.sentence)),
            Verdict::Warn => draft.line(format!("check {} warns: {}", check.id, check.sentence)),
            Verdict::Block => draft.line(format!("check {} fails: {}", check.id, check.sentence)),
        }
    }
    for line in prediction.explanation.iter().take(EXPLANATION_MAX) {
        draft.line(line.clone());
    }
    for unmodelled in prediction.unmodelled.iter().take(NAMED) {
        draft.line(format!("not modelled: {}", crate::words::quoted(unmodelled)));
    }
    draft.sample(Sample::number("blast_percent", prediction.blast.get() * 100.0, at, "twin"));
}
