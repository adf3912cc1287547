//! The pilot over a log, offline: the same decisions and the same state, on any machine and at any optimisation level.

use crate::{CaptureError, Entry, Reader};
use pilot::{Effect, Event, Input, JobId, Pilot, PilotState, SimulationAnswer};
use std::collections::BTreeMap;
use std::path::Path;
use units::Timestamp;

/// The pilot over a log. Nothing is carried out; simulations are computed again and compared with what the log says.
#[derive(Clone, Default)]
pub struct Replay {
    pilot: Pilot,
    inputs: u64,
    answers: BTreeMap<JobId, SimulationAnswer>,
    diverged: Vec<String>,
    lost_tail: u64,
}

impl Replay {
    /// Replays a capture up to, and without, the first input at or after `until`; `each` is told every event.
    ///
    /// # Errors
    /// [`CaptureError`] naming the byte where the capture cannot be read; what was told before it stands.
    pub fn run(file: &Path, until: Option<Timestamp>, each: impl FnMut(&Event)) -> Result<Self, CaptureError> {
        Self::run_paced(file, until, |_| {}, each)
    }

    /// The same; `wait` is called with the time of each input before it is handled, for who wants to see it slowly.
    ///
    /// # Errors
    /// As [`Replay::run`].
    pub fn run_paced(
        file: &Path,
        until: Option<Timestamp>,
        mut wait: impl FnMut(Timestamp),
        mut each: impl FnMut(&Event),
    ) -> Result<Self, CaptureError> {
        let mut reader = Reader::<Input>::open(file)?;
        let mut replay = Self::default();
        for entry in &mut reader {
            let entry = entry?;
            if until.is_some_and(|until| entry.at >= until) {
                break;
            }
            wait(entry.at);
            replay.step(entry).iter().for_each(&mut each);
        }
        replay.lost_tail = reader.lost_tail();
        Ok(replay)
    }

    /// Handles one input; returns the events for people. Inputs must come in the order of the log.
    pub fn step(&mut self, entry: Entry<Input>) -> Vec<Event> {
        self.inputs += 1;
        if let Input::Simulated { job, answer } = &entry.body {
            match self.answers.remove(job) {
                Some(again) if again == **answer => {}
                Some(_) => self.diverged.push(format!("input {}: simulation {} gives another answer than it gave then", entry.seq, job.0)),
                None => self.diverged.push(format!("input {}: simulation {} was not asked for", entry.seq, job.0)),
            }
        }
        let mut events = Vec::new();
        for effect in self.pilot.handle(entry.seq, entry.at, entry.body) {
            match effect {
                Effect::Publish(event) => events.push(event),
                Effect::Simulate(job) => drop(self.answers.insert(job.id, pilot::simulate(&job))),
                _ => {}
            }
        }
        events
    }

    /// Returns how many inputs were handled.
    #[must_use]
    pub const fn inputs(&self) -> u64 {
        self.inputs
    }

    /// Returns what came out differently than when the capture was made, in words; empty: nothing.
    #[must_use]
    pub fn diverged(&self) -> &[String] {
        &self.diverged
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
