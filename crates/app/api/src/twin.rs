//! The live twin: how old, how fast, what origin validation goes by, and what its predictions were worth.

use core::fmt;
use network::OriginStanding;
use perception::Interval;
use pilot::{ChangeRecord, Forecast, PilotState, Shift};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// How the live twin stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct TwinView {
    /// Seconds since it was last held against the routers' tables; `None`: never.
    pub age_s: Option<f64>,
    /// Routes moved since then.
    pub behind: bool,
    /// How long it took the last time to draw and solve the network and to compare it, milliseconds; `None`: not measured, as in a replay.
    #[serde(default)]
    pub refresh_ms: Option<f64>,
    /// The longest of this engine.
    #[serde(default)]
    pub refresh_ms_max: Option<f64>,
}

/// What origin validation goes by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct ValidationView {
    /// `waiting`, `in_force` or `not_known`.
    pub state: String,
    /// File or cache.
    pub source: String,
    /// VRPs in force.
    pub vrps: u32,
    /// Others that have expired.
    pub expired: u32,
    /// Seconds since the source last told its data, changed or not.
    pub told_age_s: Option<f64>,
    /// Seconds since the data were made, where it says so.
    pub made_age_s: Option<f64>,
    /// Until when they hold at most.
    pub until: Option<String>,
    /// In one sentence.
    pub what: String,
}

impl ValidationView {
    /// Shows it; `None`: no source is named.
    pub(crate) fn of(s: &PilotState) -> Option<Self> {
        let origins = &s.network.origins;
        let (state, vrps, expired) = match origins.standing() {
            OriginStanding::Unasked => return None,
            OriginStanding::Waiting => ("waiting", 0, 0),
            OriginStanding::InForce { vrps, expired } => ("in_force", *vrps, *expired),
            OriginStanding::NotKnown { .. } => ("not_known", 0, 0),
        };
        let age = |at: units::Timestamp| s.now.since(at).as_secs_f64();
        Some(Self {
            state: state.to_owned(),
            source: origins.source().unwrap_or_default().to_owned(),
            vrps: crate::call::count(vrps),
            expired: crate::call::count(expired),
            told_age_s: origins.told().map(age),
            made_age_s: origins.made().map(age),
            until: origins.until().map(|t| t.to_string()),
            what: origins.in_words(),
        })
    }
}

impl fmt::Display for ValidationView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        for (word, age) in [("told", self.told_age_s), ("made", self.made_age_s)] {
            if let Some(age) = age {
                write!(f, " · {word} {age:.0} s ago")?;
            }
        }
        self.until.as_ref().map_or(Ok(()), |until| write!(f, " · at most until {until}"))
    }
}

impl TwinView {
    pub(crate) fn of(s: &PilotState) -> Self {
        let age_s = s.agreement_at.map(|at| s.now.since(at).as_secs_f64());
        Self { age_s, behind: s.routing_seq > s.agreement_seq, ..Self::default() }
    }
}

impl fmt::Display for TwinView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.age_s {
            None => f.write_str("twin not held against the routers yet")?,
            Some(age) => {
                write!(f, "twin held against the routers {age:.1} s ago{}", if self.behind { ", routes moved since" } else { "" })?
            }
        }
        if let Some((last, most)) = self.refresh_ms.zip(self.refresh_ms_max) {
            write!(f, " · a refresh takes {last:.1} ms, {most:.1} ms at most")?;
        }
        Ok(())
    }
}

/// How a quantity of all that moves is expected to change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct ShiftView {
    /// Mean of the change: milliseconds, or a ratio.
    pub mean: f64,
    /// Lower and upper end of its 95 % interval.
    pub interval: (f64, f64),
    /// Moves that are measured on both sides.
    pub known: u32,
    /// Moves that are not: nothing is said of them.
    pub unknown: u32,
    /// `volume` or `prefix`.
    pub weighted_by: String,
}

impl From<&Shift> for ShiftView {
    fn from(s: &Shift) -> Self {
        let count = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let weighted_by = if s.by_volume { "volume" } else { "prefix" }.to_owned();
        Self { mean: s.mean, interval: ends(&s.interval), known: count(s.known), unknown: count(s.unknown), weighted_by }
    }
}

const fn ends(interval: &Interval) -> (f64, f64) {
    (interval.low, interval.high)
}

/// What the twin expects of all that moves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct ForecastView {
    /// Delay, milliseconds; `None`: not known.
    pub delay_ms: Option<ShiftView>,
    /// Loss, −1…1; `None`: not known.
    pub loss: Option<ShiftView>,
    /// Both in words, a line each.
    pub lines: Vec<String>,
    /// What else comes of it, a line each: ways, what neighbours are told, how long it takes.
    pub consequences: Vec<String>,
}

impl From<&Forecast> for ForecastView {
    fn from(f: &Forecast) -> Self {
        let (delay_ms, loss): (Option<ShiftView>, Option<ShiftView>) =
            (f.delay_ms.as_ref().map(Into::into), f.loss.as_ref().map(Into::into));
        let lines = vec![line("delay", "ms", 1.0, delay_ms.as_ref()), line("loss", "%", 100.0, loss.as_ref())];
        Self { delay_ms, loss, lines, consequences: f.consequences.clone() }
    }
}

fn line(name: &str, unit: &str, scale: f64, shift: Option<&ShiftView>) -> String {
    let Some(s) = shift else { return format!("{name} of all that moves: not known") };
    let (mean, low, high) = (s.mean * scale, s.interval.0 * scale, s.interval.1 * scale);
    let rest = if s.unknown > 0 { format!(", {} not measured", s.unknown) } else { String::new() };
    let over = format!("over {} moves by {}{rest}", s.known, s.weighted_by);
    format!("{name} of all that moves {mean:+.2} {unit} (95 %: {low:+.2} to {high:+.2}), {over}")
}

/// One path after a change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct PathOutcomeView {
    /// Its probe.
    pub probe: String,
    /// Lower and upper end of the predicted delay, milliseconds.
    pub predicted_ms: Option<(f64, f64)>,
    /// As measured.
    pub measured_ms: Option<f64>,
    /// Whether it lies within.
    pub within: Option<bool>,
}

/// What a change brought, beside what was predicted of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct OutcomeView {
    /// Delay after it: predicted and measured, milliseconds, each as far as it is known.
    pub delay_ms: (Option<f64>, Option<f64>),
    /// Loss after it, 0–1.
    pub loss: (Option<f64>, Option<f64>),
    /// Predicted minus measured delay, milliseconds.
    pub delay_error_ms: Option<f64>,
    /// Path by path.
    pub paths: Vec<PathOutcomeView>,
    /// Paths within their predicted interval, of those predicted and measured.
    pub paths_within: Option<(u32, u32)>,
    /// Prefixes that took the predicted exit, of those predicted to move; known of what was confirmed.
    pub exits: Option<(u32, u32)>,
    /// In one sentence.
    pub what: String,
}

impl OutcomeView {
    /// Shows it; `None`: it is not over, or its lesson is forgotten.
    pub(crate) fn of(s: &PilotState, id: action::ChangeId, change: &ChangeRecord) -> Option<Self> {
        let lesson = s.lessons.latest().rev().find(|l| l.change == id)?;
        let count = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let counts = |pair: Option<(u64, u64)>| pair.map(|(a, b)| (count(a), count(b)));
        let after = |pair: Option<(units::Ratio, units::Ratio)>| pair.map(|(_, a)| a.get());
        let path = |p: &pilot::PathOutcome| PathOutcomeView {
            probe: p.probe.name(),
            predicted_ms: p.predicted_ms.as_ref().map(ends),
            measured_ms: p.measured_ms,
            within: p.is_within(),
        };
        let mut out = Self {
            what: String::new(),
            delay_ms: (lesson.predicted.delay_ms.map(|(_, a)| a), lesson.measured.delay_ms.map(|(_, a)| a)),
            loss: (after(lesson.predicted.loss), after(lesson.measured.loss)),
            delay_error_ms: lesson.delay_error_ms(),
            paths: change.paths.iter().map(path).collect(),
            paths_within: counts(change.paths_within()),
            exits: counts(lesson.exits),
        };
        out.what = out.to_string();
        Some(out)
    }
}

impl fmt::Display for OutcomeView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |v: Option<f64>, scale: f64, unit: &str| v.map_or_else(|| "unknown".to_owned(), |v| format!("{:.2} {unit}", v * scale));
        let (delay, loss) = (self.delay_ms, self.loss);
        write!(f, "delay predicted {}, measured {}", shown(delay.0, 1.0, "ms"), shown(delay.1, 1.0, "ms"))?;
        write!(f, " · loss predicted {}, measured {}", shown(loss.0, 100.0, "%"), shown(loss.1, 100.0, "%"))?;
        if let Some((within, all)) = self.paths_within {
            write!(f, " · {within} of {all} paths within their predicted interval")?;
        }
        if let Some((did, all)) = self.exits {
            write!(f, " · {did} of {all} prefixes took the predicted exit")?;
        }
        Ok(())
    }
}
