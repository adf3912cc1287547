//! The dispatch: which input concerns whom.

use crate::{Effect, Event, Happening, Input, Mode, PilotState, changes, perceive, proposals};
use network::{Inventory, Network};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use units::Timestamp;

/// The engine's mind. Holds a [`PilotState`], and what its twins remember, on which no answer depends.
#[derive(Clone, Debug)]
pub struct Pilot {
    state: PilotState,
    memory: Arc<twin::Memory>,
}

impl Default for Pilot {
    /// Makes a pilot that knows nothing; the first input of every log is a state.
    fn default() -> Self {
        let inventory = Inventory {
            name: String::new(),
            lab: None,
            own_asn: bgp::Asn(0),
            own_prefixes: Vec::new(),
            public_space: Vec::new(),
            devices: Vec::new(),
            providers: Vec::new(),
            exits: Vec::new(),
            groups: Vec::new(),
            ..Inventory::empty("")
        };
        let resume = crate::Resume::default();
        Self { state: PilotState::new(Mode::Replay, Network::new(inventory), &resume, Timestamp::EPOCH), memory: Arc::default() }
    }
}

impl Pilot {
    /// Handles one input. Effects are to be carried out in order.
    pub fn handle(&mut self, seq: u64, now: Timestamp, input: Input) -> Vec<Effect> {
        if let Input::State { state } = input {
            self.state = *state;
            self.state.seq = seq;
            self.state.now = now;
            return Vec::new();
        }
        self.state.seq = seq;
        self.state.now = now;
        let mut turn = Turn { s: &mut self.state, memory: &self.memory, out: Vec::new() };
        match input {
            Input::State { .. } => {}
            Input::Observed { observation } => perceive::observed(&mut turn, &observation),
            Input::Origins { event } => perceive::origins(&mut turn, &event),
            Input::Tick => {
                perceive::tick(&mut turn);
                changes::tick(&mut turn);
                proposals::tick(&mut turn);
            }
            Input::Operator { operator, command } => proposals::command(&mut turn, operator, command),
            Input::Simulated { job, answer } => proposals::simulated(&mut turn, job, *answer),
            Input::Wire { change, device, step, reply } => changes::replied(&mut turn, change, device, step, reply),
            Input::Recovered { records } => changes::recovered(&mut turn, records),
            Input::StoreFailed { change, reason } => changes::store_failed(&mut turn, change, &reason),
        }
        turn.out
    }

    /// Returns the state.
    #[must_use]
    pub const fn state(&self) -> &PilotState {
        &self.state
    }

    /// Returns the hex SHA-256 of the state's serialisation: equal states, equal hashes, on every machine.
    #[must_use]
    pub fn state_hash(&self) -> String {
        match serde_json::to_vec(&self.state) {
            Ok(bytes) => hex::encode(Sha256::digest(&bytes)),
            // a state that cannot be written has no hash to compare; the words make that visible in any comparison
            Err(error) => format!("state cannot be serialised: {error}"),
        }
    }
}

/// One call of [`Pilot::handle`] under way.
pub(crate) struct Turn<'a> {
    pub(crate) s: &'a mut PilotState,
    pub(crate) memory: &'a Arc<twin::Memory>,
    pub(crate) out: Vec<Effect>,
}

impl Turn<'_> {
    /// Tells people.
    pub(crate) fn tell(&mut self, what: Happening) {
        self.out.push(Effect::Publish(Event { seq: self.s.seq, at: self.s.now, what }));
    }

    /// Adds to the audit chain, then tells people. For what compliance must be able to read later.
    pub(crate) fn record(&mut self, operator: Option<&action::OperatorId>, what: Happening) {
        let body = match serde_json::to_value(&what) {
            Ok(body) => body,
            Err(error) => serde_json::Value::String(format!("not serialisable: {error}")),
        };
        let kind = body.get("event").and_then(serde_json::Value::as_str).unwrap_or("event").to_owned();
        let entry =
            audit::Entry { at: self.s.now, operator: operator.cloned(), signature: None, mode: self.s.mode.to_string(), kind, body };
        let record = self.s.audit.append(entry);
        self.out.push(Effect::Audit(record));
        self.tell(what);
    }

    /// Refuses a command, once, in words.
    pub(crate) fn refuse(&mut self, code: &str, why: impl Into<String>) {
        self.tell(Happening::Refused { code: code.to_owned(), why: why.into() });
    }
}
