//! The pilot over a log, offline: the same decisions and the same state, on any machine and at any optimisation level.

use crate::info::NO_INDEX;
use crate::simulations::Simulations;
use crate::{CaptureError, Entry, Moment, Place, Reader, index};
use pilot::{Effect, Event, Input, JobId, Pilot, PilotState};
use std::collections::BTreeSet;
use std::path::Path;
use units::Timestamp;

/// The pilot over a log. Nothing is carried out; simulations are computed again, beside the play, and compared with what the log says, and so
/// are the states that were kept on the way.
#[derive(Clone, Default)]
pub struct Replay {
    pilot: Pilot,
    inputs: u64,
    skipped: u64,
    simulations: Simulations,
    /// Asked for by inputs that were not played: their answers are taken as they stand in the log.
    asked_before: BTreeSet<JobId>,
    /// By input, in words.
    diverged: BTreeSet<(u64, String)>,
    lost_tail: u64,
    read_bytes: u64,
    remark: Option<String>,
}

/// A replay that stands in the log, and the reader of what comes next.
#[derive(Clone, Debug)]
pub struct Begun<R> {
    /// The replay.
    pub replay: Replay,
    /// What comes next.
    pub reader: R,
}

impl core::fmt::Debug for Replay {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Replay").field("inputs", &self.inputs).field("skipped", &self.skipped).finish_non_exhaustive()
    }
}

impl Replay {
    /// Replays a capture up to, and without, what is not before `until`; `each` is told every event.
    ///
    /// # Errors
    /// [`CaptureError`] naming the byte where the capture cannot be read; what was told before it stands.
    pub fn run(file: &Path, until: Option<Moment>, each: impl FnMut(&Event)) -> Result<Self, CaptureError> {
        Self::run_paced(file, None, until, |_| {}, each)
    }

    /// The same from `from` on; `wait` is called with the time of each input before it is handled, for who wants to see it slowly. It
    /// begins with the last state kept before `from`, and tells nothing of what is before.
    ///
    /// # Errors
    /// As [`Replay::run`].
    pub fn run_paced(
        file: &Path,
        from: Option<Moment>,
        until: Option<Moment>,
        mut wait: impl FnMut(Timestamp),
        mut each: impl FnMut(&Event),
    ) -> Result<Self, CaptureError> {
        let Begun { mut replay, mut reader } = Self::begin(file, from)?;
        for entry in &mut reader {
            let entry = entry?;
            let behind = |moment: Moment| moment.is_behind(entry.seq, entry.at);
            if !entry.kept && until.is_some_and(|until| !behind(until)) {
                break;
            }
            if from.is_some_and(behind) {
                replay.step(entry);
            } else {
                wait(entry.at);
                replay.step(entry).iter().for_each(&mut each);
            }
        }
        replay.settle();
        replay.lost_tail = reader.lost_tail();
        replay.read_bytes = reader.read_bytes();
        Ok(replay)
    }

    /// Stands at the last state kept before `moment`, or before the first input: where none is wanted or kept, and where the index or that
    /// state cannot be read ([`Replay::remark`] then says so).
    ///
    /// # Errors
    /// [`CaptureError`] when the file is no capture.
    pub fn begin(file: &Path, moment: Option<Moment>) -> Result<Begun<Reader<Input>>, CaptureError> {
        let mut remark = None;
        if let Some(moment) = moment {
            let found = index(file).map(|frames| frames.map(|f| f.last_state(moment).copied()));
            remark = match found {
                Ok(Some(Some(place))) => match Self::begin_at(file, &place) {
                    Ok(begun) => return Ok(begun),
                    Err(error) => Some(error.to_string()),
                },
                Ok(Some(None)) => Some("no state was kept before it".to_owned()),
                Ok(None) => Some(NO_INDEX.to_owned()),
                Err(error @ CaptureError::Damaged { .. }) => Some(error.to_string()),
                Err(error) => return Err(error),
            };
        }
        Ok(Begun { replay: Self { remark, ..Self::default() }, reader: Reader::open(file)?.with_states() })
    }

    /// Stands at a state that the index names.
    ///
    /// # Errors
    /// [`CaptureError`] when it cannot be read, or is none.
    pub fn begin_at(file: &Path, place: &Place) -> Result<Begun<Reader<Input>>, CaptureError> {
        let mut reader = Reader::<Input>::open_place(file, place)?.with_states();
        let none = || CaptureError::Damaged {
            path: file.to_owned(),
            offset: place.offset,
            why: "the index names a state, and there is none".to_owned(),
            records: place.inputs_before,
        };
        let Entry { seq, at, body, kept: true } = reader.next().ok_or_else(none)?? else { return Err(none()) };
        if !matches!(body, Input::State { .. }) {
            return Err(none());
        }
        let mut replay = Self { inputs: place.inputs_before, skipped: place.inputs_before, ..Self::default() };
        replay.pilot.handle(seq, at, body);
        replay.asked_before = replay.pilot.state().jobs.keys().copied().collect();
        Ok(Begun { replay, reader })
    }

    /// Handles one input; returns the events for people. Inputs must come in the order of the log. A kept state is compared.
    pub fn step(&mut self, entry: Entry<Input>) -> Vec<Event> {
        if entry.kept {
            self.compare(entry);
            return Vec::new();
        }
        self.inputs += 1;
        if let Input::Simulated { job, answer } = &entry.body
            && !self.simulations.answered(entry.seq, *job, answer)
            && !self.asked_before.remove(job)
        {
            self.differs(entry.seq, &format!("simulation {} was not asked for", job.0));
        }
        let mut events = Vec::new();
        for effect in self.pilot.handle(entry.seq, entry.at, entry.body) {
            match effect {
                Effect::Publish(event) => events.push(event),
                Effect::Simulate(job) => self.simulations.begin(job),
                _ => {}
            }
        }
        self.weigh(false);
        events
    }

    /// Waits for the simulations that the log has answered, and compares them. Who plays by [`Replay::step`] calls it at the end.
    pub fn settle(&mut self) {
        self.weigh(true);
    }

    fn weigh(&mut self, all: bool) {
        for due in self.simulations.comparable(all) {
            if !due.agrees() {
                self.differs(due.seq, &format!("simulation {} gives another answer than it gave then", due.job.0));
            }
        }
    }

    fn differs(&mut self, seq: u64, what: &str) {
        self.diverged.insert((seq, format!("input {seq}: {what}")));
    }

    /// The state that the engine kept must be the one that its inputs lead to here.
    fn compare(&mut self, entry: Entry<Input>) {
        let seq = entry.seq;
        let same = match &entry.body {
            Input::State { state } => {
                **state == *self.pilot.state() || {
                    // equal states are written equally, however they are held
                    let mut other = Pilot::default();
                    other.handle(seq, entry.at, entry.body);
                    other.state_hash() == self.pilot.state_hash()
                }
            }
            _ => false,
        };
        if !same {
            self.differs(seq, "the state behind it is another than the one kept then");
        }
    }

    /// Returns how many inputs of the log stand before the next one.
    #[must_use]
    pub const fn inputs(&self) -> u64 {
        self.inputs
    }

    /// Returns how many of them were not played, because a kept state stands for them.
    #[must_use]
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Returns why the replay began with the first input although a later beginning was wanted.
    #[must_use]
    pub fn remark(&self) -> Option<&str> {
        self.remark.as_deref()
    }

    /// Returns how many bytes of the capture's content were read; the index is not counted.
    #[must_use]
    pub const fn read_bytes(&self) -> u64 {
        self.read_bytes
    }

    /// Returns what came out differently than when the capture was made, in words and in the order of the inputs; empty: nothing. What a
    /// simulation gives may be told some inputs later, or at the end ([`Replay::settle`]).
    #[must_use]
    pub fn diverged(&self) -> Vec<&str> {
        self.diverged.iter().map(|(_, what)| what.as_str()).collect()
    }

    /// Returns how it ended, as `pilotctl replay` prints it behind the decisions: inputs played, inputs a kept state stood for, hash of the
    /// state, what came out differently.
    #[must_use]
    pub fn ending(&self) -> serde_json::Value {
        let (played, skipped) = (self.inputs - self.skipped, self.skipped);
        serde_json::json!({"inputs": played, "skipped_inputs": skipped, "state": self.state_hash(), "diverged": self.diverged()})
    }

    /// Returns the bytes at the end that are no whole frame: of a program that was stopped while it wrote, or of a copy that is not complete.
    #[must_use]
    pub const fn lost_tail(&self) -> u64 {
        self.lost_tail
    }

    /// Returns the state at the end.
    #[must_use]
    pub const fn state(&self) -> &PilotState {
        self.pilot.state()
    }

    /// Returns the hash of the state at the end.
    #[must_use]
    pub fn state_hash(&self) -> String {
        self.pilot.state_hash()
    }
}
