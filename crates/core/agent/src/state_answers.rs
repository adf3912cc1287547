//! Answers from what the device reports and reported.

use crate::answer::{Draft, Look};
use crate::rule::RuleTest;
use crate::sample::{self, Sample};
use crate::summary::{self, utilisation};
use crate::watch::state_name;
use crate::words::{clock, name, percent, quoted};
use action::DeviceId;
use network::{Device, Interface, SessionState};
use perception::PathState;

/// Window of the path numbers, seconds.
const PATH_WINDOW_S: u32 = 60;
/// Lines of history.
const HISTORY_LINES: usize = 8;

/// One line when healthy (at least 0.8), else everything.
pub fn health(look: &Look<'_>, id: &DeviceId, state: &Device) -> Draft {
    let Some(health) = look.perception.health(look.network, id) else { return Draft::say("My health is not known yet.") };
    let mut draft = Draft::default();
    if state.gnmi_is_stale(look.now) {
        // what was reported once is no health
        let heard = state.gnmi.last().map_or_else(|| "never".to_owned(), |t| t.to_string());
        draft.line(format!("My health is not known: nothing is heard from me (last {heard}). It was {:.2} then.", health.score.get()));
        draft.sample(Sample::number("health_score", health.score.get(), state.gnmi.last(), "computed from the last readings"));
        return draft;
    }
    let lost = |hundredths: u32| format!("-{}.{:02}", hundredths / 100, hundredths % 100);
    let parts: Vec<String> = health.parts.iter().map(|p| format!("{} {}", cause(&p.cause), lost(p.hundredths))).collect();
    let because = if parts.is_empty() { "nothing was subtracted".to_owned() } else { parts.join(", ") };
    let unknown = if health.unknown.is_empty() {
        String::new()
    } else {
        format!("; not reported: {}", health.unknown.iter().map(|u| name(u)).collect::<Vec<_>>().join(", "))
    };
    let word = if health.is_healthy() { "healthy" } else { "not healthy" };
    draft.line(format!("I am {word}: score {:.2} ({because}{unknown}).", health.score.get()));
    draft.sample(Sample::number("health_score", health.score.get(), Some(look.now), "computed from the readings below"));
    system_samples(state, &mut draft);
    if !health.is_healthy() {
        draft.line(summary::summary(look.network, id, look.now).unwrap_or_default().trim_end());
        bad_things(state, &mut draft);
        open_alerts(look, id, &mut draft);
    }
    draft
}

/// Returns why the health score fell, in words.
#[must_use]
pub fn cause(cause: &perception::PenaltyCause) -> String {
    use perception::PenaltyCause::{Cpu, InterfaceDown, Memory, PeerDown};
    match cause {
        Cpu { percent } => format!("CPU {percent}%"),
        Memory { percent } => format!("memory {percent}%"),
        InterfaceDown { name: interface } => format!("interface {} down", name(interface)),
        PeerDown { neighbor } => format!("peer {neighbor} down"),
    }
}

/// The summary and what it rests on.
pub fn state(look: &Look<'_>, id: &DeviceId, state: &Device) -> Draft {
    let mut draft = Draft::say(summary::summary(look.network, id, look.now).unwrap_or_default().trim_end());
    system_samples(state, &mut draft);
    bad_things(state, &mut draft);
    open_alerts(look, id, &mut draft);
    if let Some(reported) = &state.gnmi_session.hostname {
        draft.sample(Sample::device_text("hostname", reported, state.gnmi.last(), "/system/state/hostname"));
    }
    draft
}

fn bad_things(state: &Device, draft: &mut Draft) {
    for (interface, port) in state.interfaces.iter().filter(|(_, p)| p.oper_up != Some(true)) {
        interface_sample(interface, port, state, draft);
    }
    for (address, session) in state.sessions.iter().filter(|(_, s)| s.state != SessionState::Established) {
        draft.sample(Sample::word("session_state", state_name(session), Some(session.since), sample::neighbor(*address, "session-state")));
    }
}

fn interface_sample(interface: &str, port: &Interface, state: &Device, draft: &mut Draft) {
    let word = port.oper_up.map_or("UNKNOWN", |up| if up { "UP" } else { "DOWN" });
    draft.sample(Sample::word("oper_status", word, state.gnmi.last(), sample::interface(interface, "oper-status")));
}

fn system_samples(state: &Device, draft: &mut Draft) {
    if let Some(cpu) = state.cpu {
        draft.sample(Sample::number("cpu_percent", cpu * 100.0, state.system_at.cpu, sample::CPU));
    }
    if let Some(memory) = state.memory {
        draft.sample(Sample::number("memory_percent", memory * 100.0, state.system_at.memory, sample::MEMORY));
    }
}

/// CPU and memory.
pub fn system(state: &Device) -> Draft {
    let mut draft = Draft::say(summary::system(state));
    system_samples(state, &mut draft);
    draft
}

/// Every interface in a line.
pub fn interfaces(look: &Look<'_>, id: &DeviceId, state: &Device) -> Draft {
    let mut draft = Draft::default();
    if state.interfaces.is_empty() {
        return Draft::say("No interface was reported yet.");
    }
    for (interface, port) in &state.interfaces {
        let status = match (port.admin_up, port.oper_up) {
            (Some(false), _) => "shut",
            (_, Some(true)) => "up",
            (_, Some(false)) => "DOWN",
            (_, None) => "unknown",
        };
        let rate = port
            .rate_bps
            .map_or_else(|| "load unknown".to_owned(), |(i, o)| format!("{:.2} Mbit/s in, {:.2} Mbit/s out", i / 1e6, o / 1e6));
        let share = utilisation(look.network, id, interface);
        let share = share.map_or_else(String::new, |(i, o)| format!(" ({} in, {} out of capacity)", percent(i), percent(o)));
        draft.line(format!("{} is {status}, {rate}{share}", name(interface)));
        interface_sample(interface, port, state, &mut draft);
        if let (Some((input, output)), Some((at, ..))) = (port.rate_bps, port.octets) {
            draft.sample(Sample::number("in_bps", input, Some(at), sample::interface(interface, "counters/in-octets")));
            draft.sample(Sample::number("out_bps", output, Some(at), sample::interface(interface, "counters/out-octets")));
        }
    }
    draft
}

/// Every BGP session in a line.
pub fn peers(state: &Device) -> Draft {
    let mut draft = Draft::default();
    if state.sessions.is_empty() {
        return Draft::say("No BGP session was reported yet.");
    }
    for (address, session) in &state.sessions {
        let asn = session.remote_as.map_or_else(|| "AS unknown".to_owned(), |asn| format!("AS{}", asn.0));
        let received = match session.received.values().sum::<u64>() {
            _ if session.received.is_empty() => "prefixes unknown".to_owned(),
            1 => "1 prefix received".to_owned(),
            n => format!("{n} prefixes received"),
        };
        let shut = if session.admin_down { ", shut by an operator" } else { "" };
        let last =
            session.last_down.as_deref().map_or_else(String::new, |r| format!("; last went down, in the device's words: {}", quoted(r)));
        draft.line(format!("{address} ({asn}) is {} since {}{shut}, {received}{last}", state_name(session), clock(session.since)));
        draft.sample(Sample::word("session_state", state_name(session), Some(session.since), sample::neighbor(*address, "session-state")));
        if let Some(reason) = &session.last_down {
            draft.sample(Sample::device_text(
                "last_down_reason",
                reason,
                state.bmp.last().max(state.gnmi.last()),
                sample::neighbor(*address, "last-down-reason"),
            ));
        }
    }
    draft
}

fn open_alerts(look: &Look<'_>, id: &DeviceId, draft: &mut Draft) {
    for alert in look.watch.open(id) {
        draft.line(format!("ALERT {alert}"));
        alert.samples.iter().cloned().for_each(|s| draft.sample(s));
    }
}

/// Open alerts of the rules, and findings about paths that begin here.
pub fn alerts(look: &Look<'_>, id: &DeviceId) -> Draft {
    let mut draft = Draft::default();
    open_alerts(look, id, &mut draft);
    for finding in look.perception.findings() {
        let here = finding.paths.iter().any(|p| &p.device == id)
            || finding.exits.iter().any(|e| look.network.inventory.exit(e).is_some_and(|e| &e.device == id));
        if here {
            draft.line(format!("FINDING {} {}", finding.id, decision::trouble(look.network, finding)));
            for evidence in &finding.evidence {
                let at = Some(look.now);
                if let Some(delay) = evidence.now.delay_ms() {
                    draft.sample(Sample::number("delay_ms", delay, at, &evidence.source));
                }
                if let Some(loss) = evidence.now.loss() {
                    draft.sample(Sample::number("loss_percent", loss.get() * 100.0, at, &evidence.source));
                }
            }
        }
    }
    if draft.text.is_empty() {
        draft.line(format!("Nothing is open: none of my {} rules speaks, and no path from here is degraded.", look.watch.rules().len()));
    }
    draft
}

/// The rules with their limits.
pub fn rules(look: &Look<'_>) -> Draft {
    let mut draft = Draft::default();
    for rule in look.watch.rules() {
        let limits = match &rule.test {
            RuleTest::Threshold { metric, above, hold, clear_at, clear_hold } => format!(
                "{} above {} for {} s; over at {} for {} s",
                metric.name(),
                percent(*above),
                hold.as_secs(),
                percent(*clear_at),
                clear_hold.as_secs()
            ),
            RuleTest::StateTransition { hold, clear_hold, .. } => {
                format!(
                    "speaks {} s after it went down, or when a shorter dip ends; over after {} s up; shut ones do not count",
                    hold.as_secs(),
                    clear_hold.as_secs()
                )
            }
            RuleTest::RateChange { multiplier, window, recent, min_per_s, clear_hold } => format!(
                "errors of the last {} s at least {multiplier} times the rate of the {} s before, and at least {min_per_s} a second; over after {} s below half of it",
                recent.as_secs(),
                window.as_secs(),
                clear_hold.as_secs()
            ),
        };
        draft.line(format!("{} ({}): {limits}", rule.name, rule.created_by));
    }
    draft
}

/// Measured paths that begin at the device.
pub fn paths(look: &Look<'_>, id: &DeviceId) -> Draft {
    let mut draft = Draft::default();
    for (key, probe) in look.network.probes.iter().filter(|(k, _)| &k.device == id) {
        let w = look.network.probe_window(key, look.now, PATH_WINDOW_S);
        let source = format!("/probes/probe[name={}]/tests/test/state", key.name());
        let state = match look.perception.path_state(key) {
            PathState::Unknown => "not known yet",
            PathState::Learning => "being learned",
            PathState::Normal => "as usual",
            PathState::Suspect { .. } => "unusual",
            PathState::Degraded { .. } => "degraded",
            PathState::Recovering { .. } => "recovering",
            PathState::Down { .. } => "silent",
        };
        let at = probe.samples.back().map(|s| s.at);
        let number = |v: Option<f64>, unit: &str| v.map_or_else(|| "unknown".to_owned(), |v| format!("{v:.2} {unit}"));
        draft.line(format!(
            "{} is {state}: delay {}, loss {} over {} packets of the last {PATH_WINDOW_S} s",
            key.name(),
            number(w.delay_ms, "ms"),
            number(w.loss.map(|l| l * 100.0), "%"),
            w.sent
        ));
        if let Some(delay) = w.delay_ms {
            draft.sample(Sample::number("delay_ms", delay, at, source.clone()));
        }
        if let Some(loss) = w.loss {
            draft.sample(Sample::number("loss_percent", loss * 100.0, at, source));
        }
    }
    if draft.text.is_empty() {
        draft.line("No path is measured from here.");
    }
    draft
}

/// Readings over the kept stretch, then what the rules said in it.
pub fn history(look: &Look<'_>, id: &DeviceId) -> Draft {
    let mut draft = Draft::default();
    let snapshots: Vec<_> = look.watch.snapshots(id).collect();
    let (Some(first), Some(last)) = (snapshots.first(), snapshots.last()) else { return Draft::say("I remember nothing yet.") };
    draft.line(format!("From {} to {}, {} readings:", clock(first.at), clock(last.at), snapshots.len()));
    let share = |v: Option<f64>| v.map_or_else(|| "unknown".to_owned(), percent);
    let step = snapshots.len().div_ceil(HISTORY_LINES).max(1);
    // the newest is always among them
    for s in snapshots.iter().rev().step_by(step).collect::<Vec<_>>().into_iter().rev() {
        let health = s.health.map_or_else(|| "unknown".to_owned(), |h| format!("{h:.2}"));
        draft.line(format!(
            "{} health {health}, CPU {}, memory {}, {} interfaces down, {}/{} peers, {} routes",
            clock(s.at),
            share(s.cpu),
            share(s.memory),
            s.interfaces_down,
            s.peers_up,
            s.peers,
            s.routes
        ));
        if let Some(health) = s.health {
            draft.sample(Sample::number("health_score", health, Some(s.at), "snapshot of the agent"));
        }
        if let Some(cpu) = s.cpu {
            draft.sample(Sample::number("cpu_percent", cpu * 100.0, Some(s.at), sample::CPU));
        }
    }
    let said: Vec<_> = look.watch.log(id).rev().take(HISTORY_LINES).collect();
    for alert in said.iter().rev() {
        draft.line(format!("{} {alert}", clock(alert.at)));
        alert.samples.iter().cloned().for_each(|s| draft.sample(s));
    }
    if said.is_empty() {
        draft.line("No rule spoke.");
    }
    draft
}
