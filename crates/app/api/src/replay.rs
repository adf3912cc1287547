//! A capture that is played: where it stands, and its clock.

use crate::health::HealthRows;
use crate::timeline::Timeline;
use capture::Moment;
use pilot::{Event, PilotState};
use runtime::{Audience, Order, Player};
use serde::{Deserialize, Serialize};
use std::path::Path;
use ts_rs::TS;
use units::Timestamp;

/// Mode word of a replay; the capture's own mode is what its engine ran in.
pub const REPLAY: &str = "REPLAY";

/// Where the play stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct ReplayView {
    /// The capture.
    pub file: String,
    /// Time of the first input, milliseconds since 1970.
    pub first_ms: f64,
    /// Time of the last input.
    pub last_ms: f64,
    /// Time that the play has reached.
    pub at_ms: f64,
    /// The clock runs.
    pub playing: bool,
    /// Times the real clock.
    pub speed: f64,
    /// Where the clock is being set to, while it is: by number, the time reached so far.
    pub seeking_ms: Option<f64>,
    /// Inputs handled.
    #[ts(type = "number")]
    pub inputs: u64,
    /// Inputs that the capture holds.
    #[ts(type = "number")]
    pub inputs_total: u64,
    /// Number of the last input handled, as events carry it.
    #[ts(type = "number")]
    pub seq: u64,
    /// Inputs before it that were not played: a state that the engine kept stands for them.
    #[ts(type = "number")]
    pub skipped: u64,
    /// What came out differently than when the capture was made; empty: nothing.
    pub diverged: Vec<String>,
    /// State hash at the end, once it is reached.
    pub state_hash: Option<String>,
    /// Why the end of the file cannot be read.
    pub damaged: Option<String>,
    /// Why it has no index that can be used: every seek plays all that lies between.
    pub no_index: Option<String>,
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds fit a double for 285,000 years")]
pub(crate) const fn ms(at: Timestamp) -> f64 {
    (at.nanos() / 1_000_000) as f64
}

impl ReplayView {
    /// Reads a player.
    pub fn of(player: &Player) -> Self {
        let p = player.position();
        Self {
            file: player.file().display().to_string(),
            first_ms: ms(p.first),
            last_ms: ms(p.last),
            at_ms: ms(p.at),
            playing: p.playing,
            speed: p.speed,
            seeking_ms: p.seeking.map(|moment| match moment {
                Moment::Time(time) => ms(time),
                Moment::Input(_) => ms(p.at),
            }),
            inputs: p.inputs.0,
            inputs_total: p.inputs.1,
            seq: p.seq,
            skipped: p.skipped,
            diverged: p.diverged,
            state_hash: p.state_hash,
            damaged: p.damaged,
            no_index: p.no_index,
        }
    }
}

/// What the clock shall do; what is left out stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(default, deny_unknown_fields)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct ReplayArguments {
    /// Run or stop.
    #[ts(optional)]
    pub play: Option<bool>,
    /// Times the real clock, 0.1–1000.
    #[ts(optional)]
    pub speed: Option<f64>,
    /// Stand at the last input before this time, milliseconds since 1970.
    #[ts(optional)]
    pub to_ms: Option<f64>,
    /// Stand before the input with this number.
    #[ts(optional, type = "number")]
    pub to_input: Option<u64>,
    /// Stop, and go on by one input or to the next event.
    #[ts(optional)]
    pub step: Option<ReplayStep>,
}

/// How far a step goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub enum ReplayStep {
    /// One input.
    Input,
    /// To the next input that makes an event.
    Event,
}

impl ReplayArguments {
    /// Gives the orders: set the clock, step, its speed, then run or stop.
    pub async fn carry_out(self, player: &Player) {
        if let Some(to) = self.to_ms {
            #[allow(clippy::cast_possible_truncation, reason = "saturates; the player stays within the capture")]
            player.order(Order::Seek(Moment::Time(Timestamp::from_millis(to as i64)))).await;
        }
        if let Some(number) = self.to_input {
            player.order(Order::Seek(Moment::Input(number))).await;
        }
        match self.step {
            Some(ReplayStep::Input) => player.order(Order::Step).await,
            Some(ReplayStep::Event) => player.order(Order::StepToEvent).await,
            None => {}
        }
        if let Some(speed) = self.speed {
            player.order(Order::Speed(speed)).await;
        }
        if let Some(play) = self.play {
            player.order(Order::Play(play)).await;
        }
    }
}

/// A capture on this machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, export_to = "../../../../ui/src/bindings/")]
pub struct CaptureFile {
    /// Path.
    pub file: String,
    /// Length, bytes.
    #[ts(type = "number")]
    pub bytes: u64,
    /// When it was begun, milliseconds since 1970.
    pub begun_ms: f64,
}

/// Captures listed at most; the newest.
const LISTED_MAX: usize = 50;

/// Finds the captures of a data folder and of the demo lab in it, newest first.
#[must_use]
pub fn captures(data: &Path) -> Vec<CaptureFile> {
    let folders = [data.join("captures"), data.join("demo/captures")];
    let entries = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let mut found: Vec<CaptureFile> = entries
        .filter_map(|entry| {
            let path = entry.path();
            // a capture is named after the moment it was begun
            let begun: i64 = path.file_name()?.to_str()?.strip_suffix(".capture")?.parse().ok()?;
            let bytes = entry.metadata().ok()?.len();
            Some(CaptureFile { file: path.display().to_string(), bytes, begun_ms: ms(Timestamp::from_nanos(begun)) })
        })
        .collect();
    found.sort_by(|a, b| b.begun_ms.total_cmp(&a.begun_ms));
    found.truncate(LISTED_MAX);
    found
}

/// Timeline and charts of a replay.
pub struct Told {
    /// What happened.
    pub timeline: Timeline,
    /// What was measured.
    pub health: HealthRows,
}

impl Audience for Told {
    fn rewound(&mut self, to: Timestamp) {
        self.timeline.cut(to);
        self.health.cut(to);
    }

    fn jumped(&mut self, to: Timestamp, inputs: u64) {
        self.timeline.jumped(to, inputs);
        self.health.gap(to);
    }

    fn event(&mut self, event: &Event) {
        self.timeline.add(event);
    }

    fn second(&mut self, state: &PilotState) {
        self.health.add(state);
    }
}
