//! Carrying out what the pilot wants, in order.

use crate::engine::{EngineError, Message};
use action::{ChangeId, DeviceId};
use approval::Permit;
use change::WireOp;
use collector::Target;
use executor::{Execution, Executor, Recovery};
use network::{ConfigEvent, Observation};
use pilot::{Effect, Event, Input, PilotState, SimulationAnswer, SimulationJob};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{broadcast, mpsc, watch};
use units::Timestamp;

/// Sequence numbers are promised to the ledger in blocks of this size, so that it is not written for every input.
const SEQ_BLOCK: u64 = 10_000;

/// Audit records that wait for a disk that refuses them.
const UNWRITTEN_MAX: usize = 10_000;

/// How long one step on a device may take; the saga counts silence after a longer time (`change::WIRE_SILENCE`).
const STEP_WITHIN: Duration = Duration::from_secs(60);
/// Inputs wait in memory for this long at most: what a killed engine loses of its capture.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// Paths of a picture that is kept in the capture, at most: a state of so many is written in some tens of milliseconds, for which the loop
/// waits. A replay of a larger network has no state on the way to begin with.
const STATE_PATHS_MAX: u64 = 50_000;
/// How long reading a configuration may take.
const READ_WITHIN: Duration = Duration::from_secs(20);

/// How a change is carried out: with its permit, or without one after a restart.
#[derive(Clone)]
enum Way {
    Permitted(Arc<Execution>),
    Recovered(Recovery),
}

/// How long drawing and solving the network and comparing it with the routers' tables took, by the wall clock: it is shown, and decides
/// nothing.
#[derive(Clone, Copy, Debug)]
pub struct Refresh {
    /// The last time.
    pub last: Duration,
    /// The longest of this engine.
    pub most: Duration,
}

/// The hands of the engine: log, ledger, executor, probes.
pub struct Shell {
    store: store::Store,
    writer: capture::Writer,
    executor: Executor,
    targets: BTreeMap<DeviceId, Target>,
    ways: BTreeMap<ChangeId, Way>,
    messages: mpsc::Sender<Message>,
    events: broadcast::Sender<Event>,
    /// Sequence numbers below this are promised.
    promised: u64,
    /// Audit records that could not be written yet, oldest first: the chain has no gaps, so those after them wait too.
    unwritten: VecDeque<audit::Record>,
    /// How long simulations of the agreement took.
    refreshes: watch::Sender<Option<Refresh>>,
    /// When inputs were last handed to the system.
    flushed: Timestamp,
    /// Why that failed the last time, if it did.
    flush_fault: Option<String>,
}

impl Shell {
    /// Puts the hands together.
    pub fn new(
        store: store::Store,
        writer: capture::Writer,
        executor: Executor,
        targets: BTreeMap<DeviceId, Target>,
        messages: mpsc::Sender<Message>,
        events: broadcast::Sender<Event>,
        refreshes: watch::Sender<Option<Refresh>>,
    ) -> Self {
        Self {
            store,
            writer,
            executor,
            targets,
            ways: BTreeMap::new(),
            messages,
            events,
            promised: 0,
            unwritten: VecDeque::new(),
            refreshes,
            flushed: Timestamp::EPOCH,
            flush_fault: None,
        }
    }

    /// Writes one input to the log.
    ///
    /// # Errors
    /// [`EngineError`]; the input may then not be handled.
    pub fn log(&mut self, seq: u64, at: Timestamp, input: &Input) -> Result<(), EngineError> {
        if seq >= self.promised {
            self.promised = seq + SEQ_BLOCK;
            let folder = self.store.folder().to_owned();
            self.store.mark("seq", self.promised).map_err(|source| EngineError::Store { path: folder, source })?;
        }
        let path = self.writer.path().to_owned();
        self.writer.append(seq, at, input).map_err(|source| EngineError::Capture { path, source })?;
        self.flush_in_time(at);
        Ok(())
    }

    /// Keeps the state behind the input `seq` in the capture, when enough inputs came since the last one: a replay may begin there.
    pub fn keep_state(&mut self, seq: u64, at: Timestamp, state: &PilotState) {
        if !self.writer.wants_state() {
            return;
        }
        let tables = state.network.tables();
        let paths: u64 = state.network.devices.keys().flat_map(|d| state.network.tables_of(d)).map(|t| tables.routes_of(t.id)).sum();
        // payloads of origin validation are written like paths
        if paths + state.network.origins.payloads() as u64 > STATE_PATHS_MAX {
            return;
        }
        // without it a replay has a longer way; what waits to be written is told by the flush
        if let Err(error) = self.writer.keep_state(seq, at, state) {
            tracing::warn!(error = %chain(&error), seq, "a state could not be kept in the capture");
        }
    }

    /// Hands what waits to the system once a second. A disk that refuses it is tried again: nothing is lost while the engine lives, and
    /// what must be on the disk is flushed on its own account.
    fn flush_in_time(&mut self, at: Timestamp) {
        if at.since(self.flushed) < FLUSH_EVERY && self.flushed <= at {
            return;
        }
        self.flushed = at;
        let fault = self.writer.flush().err().map(|error| chain(&error));
        if let Some(fault) = fault.as_ref().filter(|_| self.flush_fault.is_none()) {
            tracing::error!(fault, "the capture cannot be written; its inputs wait in memory");
        }
        self.flush_fault = fault;
    }

    /// Carries out a batch. When a record cannot be made durable, nothing after it that concerns the same change is done.
    pub fn carry_out(&mut self, effects: Vec<Effect>) -> Vec<Event> {
        let mut told = Vec::new();
        let mut broken: BTreeSet<ChangeId> = BTreeSet::new();
        for effect in effects {
            match effect {
                Effect::Publish(event) => {
                    // nobody listening is fine
                    let _ = self.events.send(event.clone());
                    told.push(event);
                }
                Effect::Audit(record) => {
                    self.unwritten.push_back(record);
                    if let Err(error) = self.write_audit() {
                        self.store_failed(None, &error);
                    }
                }
                Effect::Journal(record) => {
                    let change = record.change;
                    let marked = self.store.mark("change", change.0);
                    if let Err(error) = marked.and_then(|()| self.store.journal(&record)) {
                        broken.insert(change);
                        self.store_failed(Some(change), &error);
                    }
                }
                Effect::Burn { permit, change } => {
                    // nothing begins that is not in the audit chain
                    if let Err(reason) = self.write_audit().map_err(|e| chain(&e)).and_then(|()| self.burn(permit, change)) {
                        broken.insert(change);
                        self.input(Input::StoreFailed { change: Some(change), reason });
                    }
                }
                Effect::Wire { change, device, step, op } if !broken.contains(&change) => self.send(change, device, step, op),
                Effect::Wire { .. } => {}
                Effect::Release { change } => drop(self.ways.remove(&change)),
                Effect::ReadConfig { device } => self.read_config(device),
                Effect::ProbeRate { probe, rate_hz, seconds } => self.probe_rate(probe, rate_hz, seconds),
                Effect::Simulate(job) => self.simulate(job),
                Effect::Learned { proposal, lesson } => {
                    let marked = self.store.mark("proposal", proposal.0);
                    if let Err(error) = marked.and_then(|()| self.store.keep_lesson(proposal, &lesson)) {
                        self.store_failed(None, &error);
                    }
                }
            }
        }
        for (name, number) in [("proposal", proposed as fn(&Event) -> _), ("finding", found)] {
            if let Some(highest) = told.iter().filter_map(number).max()
                && let Err(error) = self.store.mark(name, highest)
            {
                self.store_failed(None, &error);
            }
        }
        told
    }

    /// Writes the audit records that wait. What the disk refuses stays and is tried again before the next record; when more wait than
    /// are kept, the rest is told to the log only, and no change begins until a restart takes the chain up from the disk.
    fn write_audit(&mut self) -> Result<(), store::StoreError> {
        while let Some(record) = self.unwritten.front() {
            if let Err(error) = self.store.append_audit(record) {
                if self.unwritten.len() > UNWRITTEN_MAX
                    && let Some(lost) = self.unwritten.pop_back()
                {
                    tracing::error!(seq = lost.seq, kind = %lost.kind, body = %lost.body, "audit record lost: the ledger cannot be written");
                }
                return Err(error);
            }
            self.unwritten.pop_front();
        }
        Ok(())
    }

    /// Burns the permit's number for ever, then hands the permit to the executor.
    fn burn(&mut self, permit: Permit, change: ChangeId) -> Result<(), String> {
        self.store.burn(&permit).map_err(|e| chain(&e))?;
        let execution = self.executor.begin(permit, crate::engine::now()).map_err(|fault| fault.to_string())?;
        self.ways.insert(change, Way::Permitted(Arc::new(execution)));
        Ok(())
    }

    /// Sends one step. The inputs that led to it are durable before the first byte.
    fn send(&mut self, change: ChangeId, device: DeviceId, step: u32, op: WireOp) {
        if let Err(error) = self.writer.flush_durable() {
            tracing::error!(%error, %change, "capture cannot be made durable; nothing is sent");
            let reason = error.to_string();
            self.input(Input::StoreFailed { change: Some(change), reason });
            return;
        }
        let way = self.ways.entry(change).or_insert_with(|| Way::Recovered(self.executor.recover())).clone();
        let messages = self.messages.clone();
        tokio::spawn(async move {
            let reply = match way {
                Way::Permitted(execution) => execution.carry_out(&device, &op, STEP_WITHIN).await,
                Way::Recovered(recovery) => recovery.carry_out(&device, &op, STEP_WITHIN).await,
            };
            // an engine that has stopped takes the change up again from its journal
            let _ = messages.send(Message::Input(Input::Wire { change, device, step, reply })).await;
        });
    }

    fn read_config(&self, device: DeviceId) {
        let (executor, messages) = (self.executor.clone(), self.messages.clone());
        tokio::spawn(async move {
            let event = match executor.read(&device, READ_WITHIN).await {
                Ok(running) => {
                    // the digest is of what the device runs; what is shown, kept and recorded is without its secrets
                    let (text, _) = config::secret::hide(running.native().unwrap_or_default());
                    ConfigEvent::Read { text: text.into_owned(), digest: running.digest().to_owned() }
                }
                Err(error) => ConfigEvent::Failed { reason: error.to_string() },
            };
            let observation = Observation::Config { device, event };
            let _ = messages.send(Message::Input(Input::Observed { observation })).await;
        });
    }

    fn probe_rate(&self, probe: network::ProbeKey, rate_hz: u32, seconds: u32) {
        let Some(target) = self.targets.get(&probe.device).cloned() else { return };
        tokio::spawn(async move {
            if let Err(error) = collector::set_probe_rate(&target, &probe, rate_hz, seconds).await {
                // the evidence then comes more slowly; the verdict waits for it or falls without it
                tracing::warn!(probe = %probe.name(), error = %error.chain(), "probe rate cannot be raised");
            }
        });
    }

    fn simulate(&self, job: Box<SimulationJob>) {
        let (messages, refreshes) = (self.messages.clone(), self.refreshes.clone());
        tokio::task::spawn_blocking(move || {
            let begun = Instant::now();
            let threads = std::thread::available_parallelism().map_or(1, usize::from);
            let answer = Box::new(pilot::simulate(&job, threads));
            if matches!(*answer, SimulationAnswer::Agreement { .. }) {
                let took = begun.elapsed();
                refreshes.send_modify(|r| *r = Some(Refresh { last: took, most: r.map_or(took, |r| r.most.max(took)) }));
            }
            let _ = messages.blocking_send(Message::Input(Input::Simulated { job: job.id, answer }));
        });
    }

    fn store_failed(&self, change: Option<ChangeId>, error: &store::StoreError) {
        tracing::error!(error = %chain(error), "the ledger cannot be written");
        self.input(Input::StoreFailed { change, reason: chain(error) });
    }

    /// Puts an input behind those that wait. The engine task calls this itself, so it must not wait for its own queue.
    fn input(&self, input: Input) {
        let messages = self.messages.clone();
        tokio::spawn(async move { messages.send(Message::Input(input)).await });
    }

    /// Writes what is pending; nothing follows.
    pub fn close(&mut self) {
        if let Err(error) = self.writer.finish() {
            tracing::error!(error = %chain(&error), "the end of the capture could not be written");
        }
    }
}

/// Returns the proposal that an event tells of.
pub fn proposed(event: &Event) -> Option<u64> {
    match &event.what {
        pilot::Happening::Proposed { proposal, .. } => Some(proposal.0),
        _ => None,
    }
}

/// Returns the finding that an event tells of.
fn found(event: &Event) -> Option<u64> {
    match &event.what {
        pilot::Happening::FindingOpened { finding, .. } => Some(finding.0),
        _ => None,
    }
}

/// Returns an error with its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(c) = cause {
        text.push_str(": ");
        text.push_str(&c.to_string());
        cause = c.source();
    }
    text
}
