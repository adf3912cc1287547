//! A capture played as if it happened now: the same pilot over the log, with a clock that can be stopped, hurried and set.
//!
//! No executor, no feed, no ledger is constructed: there is nothing here that could write. Commands of operators are refused.

use crate::effects::chain;
use crate::engine::{Handle, Message};
use capture::{CaptureError, Entry, Mark, Reader, Replay};
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
/// Slowest and fastest clock, times the real one.
pub const SPEEDS: (f64, f64) = (0.1, 1000.0);

/// Who is told what the player does. Called between two inputs, so it must be quick.
pub trait Audience: Send {
    /// The play goes back: what was told of this time and later is void.
    fn rewound(&mut self, to: Timestamp);
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
    pub seeking: Option<Timestamp>,
    /// Inputs handled, of all readable ones.
    pub inputs: (u64, u64),
    /// Counts how often the play went back.
    pub run: u64,
    /// What came out differently than when the capture was made.
    pub diverged: Vec<String>,
    /// State hash, once everything was played.
    pub state_hash: Option<String>,
    /// Why the end of the file cannot be read; everything before it is played.
    pub damaged: Option<String>,
}

/// What the clock shall do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Order {
    /// Run or stop.
    Play(bool),
    /// Run at this many times the real clock, held within [`SPEEDS`].
    Speed(f64),
    /// Stand at the last input before this time.
    Seek(Timestamp),
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
        let scanned = tokio::task::spawn_blocking(move || scan(&path)).await;
        let scan = scanned.map_err(|e| CaptureError::Io {
            doing: "reading",
            path: file.to_owned(),
            source: std::io::Error::other(e.to_string()),
        })??;
        let position = Arc::new(Mutex::new(Position {
            first: scan.first,
            last: scan.last,
            at: scan.first,
            playing: false,
            speed: 1.0,
            seeking: None,
            inputs: (0, scan.inputs),
            run: 0,
            diverged: Vec::new(),
            state_hash: None,
            damaged: scan.damaged,
        }));
        let (messages, inbox) = mpsc::channel(QUEUE);
        let (events, _) = broadcast::channel(QUEUE);
        let (orders, ordered) = mpsc::channel(QUEUE);
        let play = Play {
            file: file.to_owned(),
            reader: Reader::open(file)?,
            replay: Replay::default(),
            next: None,
            position: Arc::clone(&position),
            events: events.clone(),
            audience: Box::new(audience),
            anchor: (Instant::now(), scan.first),
            told: scan.first,
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

struct Scan {
    first: Timestamp,
    last: Timestamp,
    inputs: u64,
    damaged: Option<String>,
}

/// Reads the file once: how far it reaches, and where it ends too early.
fn scan(file: &Path) -> Result<Scan, CaptureError> {
    let mut reader = Reader::<IgnoredAny>::open(file)?;
    let mut found: Option<Scan> = None;
    let mut damaged = None;
    for entry in &mut reader {
        match entry {
            Ok(entry) => {
                let scan = found.get_or_insert(Scan { first: entry.at, last: entry.at, inputs: 0, damaged: None });
                scan.last = scan.last.max(entry.at);
                scan.inputs += 1;
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
    let scan = found.ok_or_else(|| CaptureError::NotACapture { path: file.to_owned() })?;
    Ok(Scan { damaged, ..scan })
}

struct Play {
    file: PathBuf,
    reader: Reader<Input>,
    replay: Replay,
    next: Option<Entry<Input>>,
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

    /// Makes sure that the next input is at hand, if there is one.
    fn fetch(&mut self) {
        if self.next.is_none() {
            // what cannot be read was told when the file was opened
            self.next = self.reader.next().and_then(Result::ok);
            if self.next.is_none() {
                let hash = self.replay.state_hash();
                self.at(|p| {
                    p.playing = false;
                    p.seeking = None;
                    p.state_hash = Some(hash);
                });
            }
        }
    }

    fn due(&self, at: Timestamp) -> Instant {
        let (moment, time) = self.anchor;
        let speed = self.at(|p| p.speed);
        moment + Duration::from_secs_f64(at.since(time).as_secs_f64() / speed)
    }

    fn hurry(&mut self, target: Timestamp) {
        for _ in 0..BATCH {
            self.keep();
            self.fetch();
            if self.next.as_ref().is_none_or(|entry| entry.at >= target) {
                self.at(|p| {
                    p.seeking = None;
                    p.at = target.min(p.last).max(p.at);
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
        let at = entry.at;
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
        let (inputs, diverged) = (self.replay.inputs(), self.replay.diverged());
        self.at(|p| {
            p.at = at;
            p.inputs.0 = inputs;
            if p.diverged.len() != diverged.len() {
                p.diverged = diverged.to_vec();
            }
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
                self.at(|p| p.playing = playing && p.state_hash.is_none());
                self.hold();
            }
            Order::Speed(speed) => {
                self.hold();
                let speed = if speed.is_finite() { speed.clamp(SPEEDS.0, SPEEDS.1) } else { 1.0 };
                self.at(|p| p.speed = speed);
            }
            Order::Seek(target) => {
                if target < self.at(|p| p.at) {
                    self.back(target);
                }
                self.to_event = false;
                self.at(|p| p.seeking = Some(target));
            }
            Order::Step => {
                self.at(|p| p.playing = false);
                self.keep();
                self.fetch();
                self.step();
                self.hold();
            }
            Order::StepToEvent => {
                self.to_event = true;
                self.at(|p| {
                    p.playing = false;
                    p.seeking = Some(p.last.plus(Duration::from_nanos(1)));
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

    /// Goes back to the newest state kept before `target`: a state can be gone on from, never back.
    fn back(&mut self, target: Timestamp) {
        self.kept.retain(|k| k.at < target);
        let opened = match self.kept.last() {
            Some(kept) => Reader::open_at(&self.file, &kept.mark).map(|r| (r, kept.replay.clone(), Some(kept.at))),
            None => Reader::open(&self.file).map(|r| (r, Replay::default(), None)),
        };
        let Ok((reader, replay, from)) = opened else {
            self.at(|p| p.damaged = Some("the file cannot be opened any more".to_owned()));
            return;
        };
        let (inputs, diverged) = (replay.inputs(), replay.diverged().to_vec());
        (self.reader, self.replay, self.next) = (reader, replay, None);
        let from = self.at(|p| {
            p.at = from.unwrap_or(p.first);
            p.inputs.0 = inputs;
            p.run += 1;
            p.diverged = diverged;
            p.state_hash = None;
            p.at
        });
        self.told = from;
        // of the second that the kept state stands in, some was told and some not: the next whole one goes on
        self.audience.rewound(if inputs == 0 { from } else { from.plus(Duration::from_nanos(1)) });
        if inputs == 0 {
            self.begin();
        }
        self.hold();
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
