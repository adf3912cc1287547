//! A capture played as if it happened now: the same pilot over the log, with a clock that can be stopped, hurried and set.
//!
//! No executor, no feed, no ledger is constructed: there is nothing here that could write. Commands of operators are refused.

use crate::effects::chain;
use crate::engine::{Handle, Message};
use capture::{Begun, CaptureError, Entry, Frames, Mark, Moment, Place, Reader, Replay};
use pilot::{Event, Happening, Input, PilotState};
use serde::de::IgnoredAny;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use units::Timestamp;

/// Readers and orders that may wait.
const QUEUE: usize = 256;
/// Inputs taken between two looks at the queue while the clock is being set.
const BATCH: u32 = 64;
/// Inputs between two states that are kept to go back to, at first; doubled whenever [`KEPT_MAX`] are kept.
const KEEP_EVERY: u64 = 1000;
/// States kept to go back to: what a seek replays again is at most a sixteenth of the capture, for the memory of 32 states.
const KEPT_MAX: usize = 32;
/// Inputs that a seek plays rather than jumps over: what they tell is then on the timeline. A state kept in the file stands for more.
pub const PLAYED_MAX: u64 = 20_000;
/// Slowest and fastest clock, times the real one.
pub const SPEEDS: (f64, f64) = (0.1, 1000.0);

/// Who is told what the player does. Called between two inputs, so it must be quick.
pub trait Audience: Send {
    /// The play goes back: what was told of this time and later is void.
    fn rewound(&mut self, to: Timestamp);
    /// The play jumps over so many inputs, to this time; what they told is not told.
    fn jumped(&mut self, to: Timestamp, inputs: u64);
    /// Something happened in the capture.
    fn event(&mut self, event: &Event);
    /// A second of the capture is over.
    fn second(&mut self, state: &PilotState);
}

/// Where the play stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Position {
    /// Time of the first input.
    pub first: Timestamp,
    /// Time of the last readable input.
    pub last: Timestamp,
    /// Time that the play has reached.
    pub at: Timestamp,
    /// The clock runs.
    pub playing: bool,
    /// Times the real clock.
    pub speed: f64,
    /// Where the clock is being set to, while it is.
    pub seeking: Option<Moment>,
    /// Inputs that stand before the next one, of all.
    pub inputs: (u64, u64),
    /// Number of the last input handled.
    pub seq: u64,
    /// Of the inputs before the next one, those that a kept state stands for: they were not played.
    pub skipped: u64,
    /// Counts how often the play went back.
    pub run: u64,
    /// What came out differently than when the capture was made.
    pub diverged: Vec<String>,
    /// State hash, once everything was played.
    pub state_hash: Option<String>,
    /// Why the end of the file cannot be read; everything before it is played.
    pub damaged: Option<String>,
    /// Why the file was read through when it was opened: it has no index that can be used, and a seek plays all that lies between.
    pub no_index: Option<String>,
}

/// What the clock shall do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Order {
    /// Run or stop.
    Play(bool),
    /// Run at this many times the real clock, held within [`SPEEDS`].
    Speed(f64),
    /// Stand at the last input before this moment.
    Seek(Moment),
    /// Stop, and handle one more input.
    Step,
    /// Stop at the next input that makes an event.
    StepToEvent,
}

/// A capture that is being played.
#[derive(Debug)]
pub struct Player {
    handle: Handle,
    file: PathBuf,
    orders: mpsc::Sender<(Order, oneshot::Sender<()>)>,
    position: Arc<Mutex<Position>>,
    task: JoinHandle<()>,
}

impl Player {
    /// Opens a capture and stands before its first input, the clock stopped.
    ///
    /// # Errors
    /// [`CaptureError`] when the file is no capture or holds no whole input.
    pub async fn open(file: &Path, audience: impl Audience + 'static) -> Result<Self, CaptureError> {
        let path = file.to_owned();
        let looked = tokio::task::spawn_blocking(move || look(&path)).await;
        let extent = looked.map_err(|e| CaptureError::Io {
            doing: "reading",
            path: file.to_owned(),
            source: std::io::Error::other(e.to_string()),
        })??;
        let mut reader = Reader::open(file)?.with_states();
        // the state that the capture begins with: without it there is nothing to look at
        let first = reader.next().ok_or_else(|| CaptureError::NotACapture { path: file.to_owned() })??;
        let position = Arc::new(Mutex::new(Position {
            first: extent.first,
            last: extent.last,
            at: extent.first,
            playing: false,
            speed: 1.0,
            seeking: None,
            inputs: (0, extent.inputs),
            seq: first.seq,
            skipped: 0,
            run: 0,
            diverged: Vec::new(),
            state_hash: None,
            damaged: extent.damaged,
            no_index: extent.no_index,
        }));
        let (messages, inbox) = mpsc::channel(QUEUE);
        let (events, _) = broadcast::channel(QUEUE);
        let (orders, ordered) = mpsc::channel(QUEUE);
        let play = Play {
            file: file.to_owned(),
            reader,
            replay: Replay::default(),
            next: Some(first),
            frames: extent.frames,
            position: Arc::clone(&position),
            events: events.clone(),
            audience: Box::new(audience),
            anchor: (Instant::now(), extent.first),
            told: extent.first,
            kept: Vec::new(),
            keep_every: KEEP_EVERY,
            to_event: false,
        };
        let task = tokio::spawn(play.run(inbox, ordered));
        Ok(Self { handle: Handle::new(messages, events), file: file.to_owned(), orders, position, task })
    }

    /// Returns a way to look at the state. Commands are refused.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Returns the capture.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Returns where the play stands.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives an order and returns when it is taken up, between two inputs; a long way to seek is then still under way.
    pub async fn order(&self, order: Order) {
        let (taken, answer) = oneshot::channel();
        // a play that has ended obeys no more, and says so when it is read
        let _ = self.orders.send((order, taken)).await;
        let _ = answer.await;
    }

    /// Ends the play.
    pub fn close(&self) {
        self.task.abort();
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.close();
    }
}

/// How far a capture reaches.
struct Extent {
    first: Timestamp,
    last: Timestamp,
    inputs: u64,
    damaged: Option<String>,
    no_index: Option<String>,
    frames: Option<Frames>,
}

/// Asks the index how far the file reaches. Where there is none that can be used, the file is read through.
fn look(file: &Path) -> Result<Extent, CaptureError> {
    let no_index = match capture::index(file) {
        Ok(Some(frames)) => {
            let (first, last) = frames.time().ok_or_else(|| CaptureError::NotACapture { path: file.to_owned() })?;
            let damaged = (frames.lost_tail > 0).then(|| capture::cut_short(frames.lost_tail));
            return Ok(Extent { first, last, inputs: frames.inputs(), damaged, no_index: None, frames: Some(frames) });
        }
        Ok(None) => capture::NO_INDEX.to_owned(),
        Err(error @ CaptureError::Damaged { .. }) => chain(&error),
        Err(error) => return Err(error),
    };
    Ok(Extent { no_index: Some(no_index), ..scan(file)? })
}

/// Reads the file once: how far it reaches, and where it ends too early.
fn scan(file: &Path) -> Result<Extent, CaptureError> {
    let mut reader = Reader::<IgnoredAny>::open(file)?;
    let mut found: Option<Extent> = None;
    let mut damaged = None;
    for entry in &mut reader {
        match entry {
            Ok(entry) => {
                let nothing = Extent { first: entry.at, last: entry.at, inputs: 0, damaged: None, no_index: None, frames: None };
                let extent = found.get_or_insert(nothing);
                extent.last = extent.last.max(entry.at);
                extent.inputs += 1;
            }
            Err(error) if found.is_none() => return Err(error),
            Err(error) => {
                damaged = Some(chain(&error));
                break;
            }
        }
    }
    let lost = reader.lost_tail();
    if lost > 0 {
        damaged = Some(capture::cut_short(lost));
    }
    let extent = found.ok_or_else(|| CaptureError::NotACapture { path: file.to_owned() })?;
    Ok(Extent { damaged, ..extent })
}

struct Play {
    file: PathBuf,
    reader: Reader<Input>,
    replay: Replay,
    next: Option<Entry<Input>>,
    /// The index, where there is one.
    frames: Option<Frames>,
    position: Arc<Mutex<Position>>,
    events: broadcast::Sender<Event>,
    audience: Box<dyn Audience>,
    /// A moment of the real clock and the capture's time at it.
    anchor: (Instant, Timestamp),
    /// The second that the audience was told last.
    told: Timestamp,
    /// States to go back to, oldest first.
    kept: Vec<Kept>,
    keep_every: u64,
    /// The clock is hurried to the next event.
    to_event: bool,
}

/// A state on the way, and where in the file it stands.
struct Kept {
    at: Timestamp,
    mark: Mark,
    replay: Replay,
}

impl Play {
    async fn run(mut self, mut inbox: mpsc::Receiver<Message>, mut orders: mpsc::Receiver<(Order, oneshot::Sender<()>)>) {
        self.begin();
        loop {
            self.keep();
            self.fetch();
            let (playing, seeking) = self.at(|p| (p.playing, p.seeking));
            let due = match (&self.next, seeking) {
                (_, Some(_)) => Some(Instant::now()),
                (Some(entry), None) if playing => Some(self.due(entry.at)),
                _ => None,
            };
            tokio::select! {
                biased;
                message = inbox.recv() => match message {
                    Some(message) => self.answer(message),
                    None => return,
                },
                Some((order, taken)) = orders.recv() => {
                    self.obey(order);
                    // who gave it may be gone
                    let _ = taken.send(());
                }
                () = wait(due) => match seeking {
                    Some(target) => self.hurry(target),
                    None => drop(self.step()),
                },
            }
            // a long way is played without starving those who look at it
            tokio::task::yield_now().await;
        }
    }

    fn at<T>(&self, look: impl FnOnce(&mut Position) -> T) -> T {
        look(&mut self.position.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes sure that the next input is at hand, if there is one. A state kept on the way is compared and is none.
    fn fetch(&mut self) {
        while self.next.is_none() && self.at(|p| p.state_hash.is_none()) {
            match self.reader.next() {
                Some(Ok(entry)) if entry.kept => drop(self.replay.step(entry)),
                Some(Ok(entry)) => self.next = Some(entry),
                Some(Err(error)) => {
                    let why = chain(&error);
                    self.at(|p| p.damaged = Some(why));
                    return self.end();
                }
                None => return self.end(),
            }
        }
    }

    /// Everything that can be read was played.
    fn end(&mut self) {
        self.replay.settle();
        let (hash, diverged) = (self.replay.state_hash(), self.diverged());
        self.at(|p| {
            p.playing = false;
            p.seeking = None;
            p.diverged = diverged;
            p.state_hash = Some(hash);
        });
    }

    fn diverged(&self) -> Vec<String> {
        self.replay.diverged().into_iter().map(str::to_owned).collect()
    }

    fn due(&self, at: Timestamp) -> Instant {
        let (moment, time) = self.anchor;
        let speed = self.at(|p| p.speed);
        moment + Duration::from_secs_f64(at.since(time).as_secs_f64() / speed)
    }

    fn hurry(&mut self, target: Moment) {
        for _ in 0..BATCH {
            self.keep();
            self.fetch();
            if self.next.as_ref().is_none_or(|entry| !target.is_behind(entry.seq, entry.at)) {
                let now = self.replay.state().now;
                self.at(|p| {
                    p.seeking = None;
                    if let Moment::Time(time) = target {
                        p.at = time.min(p.last).max(now);
                    }
                });
                self.hold();
                return;
            }
            if self.step() && self.to_event {
                self.at(|p| p.seeking = None);
                self.hold();
                return;
            }
        }
    }

    /// Keeps the state when it is time to; the next input must not be taken from the reader yet.
    fn keep(&mut self) {
        let inputs = self.replay.inputs();
        if self.next.is_some()
            || inputs == 0
            || !inputs.is_multiple_of(self.keep_every)
            || self.kept.last().is_some_and(|k| k.replay.inputs() >= inputs)
        {
            return;
        }
        self.kept.push(Kept { at: self.at(|p| p.at), mark: self.reader.mark(), replay: self.replay.clone() });
        if self.kept.len() >= KEPT_MAX {
            self.keep_every *= 2;
            let every = self.keep_every;
            self.kept.retain(|k| k.replay.inputs().is_multiple_of(every));
        }
    }

    /// Handles the next input; says whether that made events.
    fn step(&mut self) -> bool {
        let Some(entry) = self.next.take() else { return false };
        let (seq, at) = (entry.seq, entry.at);
        let events = self.replay.step(entry);
        let told = !events.is_empty();
        for event in events {
            self.audience.event(&event);
            // nobody listening is fine
            let _ = self.events.send(event);
        }
        if at.since(self.told) >= Duration::from_secs(1) {
            self.told = at;
            self.audience.second(self.replay.state());
        }
        let (inputs, diverged) = (self.replay.inputs(), self.diverged());
        self.at(|p| {
            p.at = at;
            p.seq = seq;
            p.inputs.0 = inputs;
            p.diverged = diverged;
        });
        told
    }

    /// The clock goes on from where the play stands now.
    fn hold(&mut self) {
        self.anchor = (Instant::now(), self.at(|p| p.at));
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Play(playing) => {
                let stop_seeking = std::mem::take(&mut self.to_event);
                self.at(|p| {
                    p.playing = playing && p.state_hash.is_none();
                    p.seeking = p.seeking.filter(|_| !stop_seeking);
                });
                self.hold();
            }
            Order::Speed(speed) => {
                self.hold();
                let speed = if speed.is_finite() { speed.clamp(SPEEDS.0, SPEEDS.1) } else { 1.0 };
                self.at(|p| p.speed = speed);
            }
            Order::Seek(target) => {
                let state = self.replay.state();
                if !target.is_behind(state.seq, state.now) {
                    self.back(target);
                }
                self.forward(target);
                self.to_event = false;
                self.at(|p| p.seeking = Some(target));
            }
            Order::Step => {
                self.at(|p| (p.playing, p.seeking) = (false, None));
                self.keep();
                self.fetch();
                self.step();
                self.hold();
            }
            Order::StepToEvent => {
                self.to_event = true;
                self.at(|p| {
                    p.playing = false;
                    p.seeking = Some(Moment::Time(p.last.plus(Duration::from_nanos(1))));
                });
            }
        }
    }

    /// Takes the first input, which is the state that the capture begins with: without it there is nothing to look at.
    fn begin(&mut self) {
        self.fetch();
        self.step();
        self.audience.second(self.replay.state());
        self.hold();
    }

    /// Goes back to the newest state kept before `target`, here or in the file: a state can be gone on from, never back.
    fn back(&mut self, target: Moment) {
        self.kept.retain(|k| target.is_behind(k.replay.state().seq, k.at));
        let here = self.kept.last().map_or(0, |k| k.replay.inputs());
        // what lies between is told again; a state of the file serves only where too much does
        let far = self.place_before(target).filter(|p| p.inputs_before > here + PLAYED_MAX);
        let far = far.and_then(|place| Some((self.begin_at(&place)?, place)));
        let untold = far.as_ref().filter(|_| self.replay.skipped() > 0).map(|(_, place)| place.inputs_before - here);
        let opened = match (far, self.kept.last()) {
            (Some((begun, place)), _) => Ok((begun, Some(place.at))),
            (None, Some(kept)) => Reader::open_at(&self.file, &kept.mark)
                .map(|reader| (Begun { replay: kept.replay.clone(), reader: reader.with_states() }, Some(kept.at))),
            (None, None) => {
                Reader::open(&self.file).map(|reader| (Begun { replay: Replay::default(), reader: reader.with_states() }, None))
            }
        };
        let Ok((Begun { replay, reader }, from)) = opened else {
            self.at(|p| p.damaged = Some("the file cannot be opened any more".to_owned()));
            return;
        };
        (self.reader, self.replay, self.next) = (reader, replay, None);
        self.at(|p| p.run += 1);
        let from = self.stand(from);
        let begins = self.replay.inputs() == 0;
        // of the second that the kept state stands in, some was told and some not: the next whole one goes on
        self.audience.rewound(if begins { from } else { from.plus(Duration::from_nanos(1)) });
        if let Some(inputs) = untold {
            self.audience.jumped(from, inputs);
        }
        if begins {
            self.begin();
        } else {
            // what the audience shows as the newest is that of a later time
            self.audience.second(self.replay.state());
            self.hold();
        }
    }

    /// Tells where the replay stands after it was exchanged; returns that time.
    fn stand(&mut self, at: Option<Timestamp>) -> Timestamp {
        let (inputs, skipped, seq) = (self.replay.inputs(), self.replay.skipped(), self.replay.state().seq);
        let diverged = self.diverged();
        let at = self.at(|p| {
            p.at = at.unwrap_or(p.first);
            p.inputs.0 = inputs;
            (p.skipped, p.seq) = (skipped, seq);
            p.diverged = diverged;
            p.state_hash = None;
            p.at
        });
        self.told = at;
        at
    }

    /// The newest state before `target` that the file keeps.
    fn place_before(&self, target: Moment) -> Option<Place> {
        self.frames.as_ref().and_then(|f| f.last_state(target)).copied()
    }

    /// Jumps to the last state that the file keeps before `target`, when more lies between than is soon played.
    fn forward(&mut self, target: Moment) {
        let here = self.replay.inputs();
        let Some(place) = self.place_before(target).filter(|p| p.inputs_before > here + PLAYED_MAX) else { return };
        let Some(Begun { replay, reader }) = self.begin_at(&place) else { return };
        (self.reader, self.replay, self.next) = (reader, replay, None);
        let at = self.stand(Some(place.at));
        self.audience.jumped(at, place.inputs_before - here);
        self.audience.second(self.replay.state());
    }

    /// Stands at a state of the file. One that cannot be read is told, and what lies between is played instead.
    fn begin_at(&self, place: &Place) -> Option<Begun<Reader<Input>>> {
        match Replay::begin_at(&self.file, place) {
            Ok(begun) => Some(begun),
            Err(error) => {
                let why = chain(&error);
                self.at(|p| p.no_index = Some(why));
                None
            }
        }
    }

    fn answer(&self, message: Message) {
        match message {
            Message::Read(look) => look(self.replay.state()),
            Message::Command(_, _, reply) => {
                let why = "this is a replay: nothing is decided and nothing is sent".to_owned();
                let what = Happening::Refused { code: "PH-RUN-010".to_owned(), why };
                // a caller that has gone away needs no answer
                let _ = reply.send(vec![Event { seq: self.replay.inputs(), at: self.at(|p| p.at), what }]);
            }
            Message::Input(_) => {}
            Message::Stop(reply) => drop(reply.send(self.replay.state_hash())),
        }
    }
}

async fn wait(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
