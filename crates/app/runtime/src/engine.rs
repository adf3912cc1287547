//! The engine task and the handle to it.

use crate::courier::{self, COURIER_QUEUE};
use crate::doors::{self, Doors, OpenDoors};
use crate::effects::{Refresh, Shell, chain, proposed};
use crate::recorder::SeriesState;
use crate::tap::Tap;
use crate::topics::Topics;
use crate::{origins, recorder, settings, supervise};
use action::OperatorId;
use capture::About;
use collector::BmpListener;
use core::net::SocketAddr;
use executor::Executor;
use network::{Inventory, Network, Observation};
use pilot::{Command, Event, Input, Mode, Pilot, PilotState, Resume};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use units::Timestamp;

/// Inputs that may wait; the collector feels back-pressure beyond it.
const INPUT_QUEUE: usize = 8192;
/// Events that a slow listener may lag behind.
const EVENT_QUEUE: usize = 4096;
/// Time between ticks: hysteresis windows are whole seconds, so half a second never misses one.
const TICK: Duration = Duration::from_millis(500);

/// What an engine is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Data folder: databases, captures, sockets.
    pub data: PathBuf,
    /// Devices, providers, exits, groups.
    pub inventory: Inventory,
    /// File with the secrets that the inventory names.
    pub secrets: PathBuf,
    /// Ask the key store of this session first, where it has one.
    pub key_store: bool,
    /// Mode, fixed while the engine runs.
    pub mode: Mode,
    /// Where routers send BMP.
    pub bmp: SocketAddr,
    /// Flow export and syslog; closed unless asked for.
    pub doors: Doors,
    /// How long a proposal may wait for an answer; `None`: as the policy says.
    pub approval_ttl: Option<Duration>,
}

/// Why an engine could not start or stop cleanly.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The data folder.
    #[error("cannot use the data folder {path}")]
    Store {
        /// Folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: store::StoreError,
    },
    /// The capture.
    #[error("cannot write the capture {path}")]
    Capture {
        /// File.
        path: PathBuf,
        /// Why.
        #[source]
        source: capture::CaptureError,
    },
    /// The secrets.
    #[error("cannot use the secrets of {path}")]
    Secrets {
        /// File.
        path: PathBuf,
        /// Why.
        #[source]
        source: vault::VaultError,
    },
    /// The BMP port.
    #[error("cannot listen for BMP on {address}; is another engine running?")]
    Bmp {
        /// Address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: collector::CollectError,
    },
    /// The port for flow export.
    #[error("flow export cannot be taken")]
    Flow(#[source] collector::CollectError),
    /// The operator's own gNMI profiles.
    #[error("the gNMI profiles cannot be used")]
    Profiles(#[source] collector::CollectError),
    /// The ports or files for syslog.
    #[error("syslog cannot be taken")]
    Syslog(#[source] collector::SyslogError),
    /// LAB mode on something that is no lab.
    #[error("LAB mode writes to labs only")]
    NotALab(#[from] executor::NotThisLab),
    /// The engine task died.
    #[error("the engine task ended unexpectedly; restart, and send the capture of {0}")]
    Died(PathBuf),
}

/// The engine is not running any more.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the engine has stopped")]
pub struct Stopped;

/// What reaches the engine task.
pub(crate) enum Message {
    /// An input for the log.
    Input(Input),
    /// An operator's command; the events it caused go back.
    Command(OperatorId, Command, oneshot::Sender<Vec<Event>>),
    /// A look at the state between two inputs.
    Read(Box<dyn FnOnce(&PilotState) + Send>),
    /// End of work; the state hash goes back.
    Stop(oneshot::Sender<String>),
}

/// A way to speak to a running engine; cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    messages: mpsc::Sender<Message>,
    events: broadcast::Sender<Event>,
    beside: Option<Beside>,
}

/// What stands beside the loop of an engine that watches devices.
#[derive(Clone, Debug)]
struct Beside {
    topics: Topics,
    series: watch::Receiver<SeriesState>,
    folder: PathBuf,
    doors: OpenDoors,
    refreshes: watch::Receiver<Option<Refresh>>,
}

impl Handle {
    pub(crate) const fn new(messages: mpsc::Sender<Message>, events: broadcast::Sender<Event>) -> Self {
        Self { messages, events, beside: None }
    }

    /// Carries an operator's command into the log; returns the events it caused at once.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn submit(&self, operator: OperatorId, command: Command) -> Result<Vec<Event>, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.messages.send(Message::Command(operator, command, reply)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// Reads the state between two inputs.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn read<T: Send + 'static>(&self, look: impl FnOnce(&PilotState) -> T + Send + 'static) -> Result<T, Stopped> {
        let (reply, answer) = oneshot::channel();
        let look = Box::new(move |state: &PilotState| {
            // a reader that has gone away needs no answer
            let _ = reply.send(look(state));
        });
        self.messages.send(Message::Read(look)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// Subscribes to events from now on.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Returns the topics; a capture that is played has none.
    #[must_use]
    pub fn topics(&self) -> Option<&Topics> {
        self.beside.as_ref().map(|b| &b.topics)
    }

    /// Returns the open doors and what came through them; a capture that is played has none.
    #[must_use]
    pub fn doors(&self) -> Option<&OpenDoors> {
        self.beside.as_ref().map(|b| &b.doors)
    }

    /// Returns how long a refresh of the twin took the last time and at most; a capture that is played refreshes none.
    #[must_use]
    pub fn twin_refresh(&self) -> Option<(Duration, Duration)> {
        let refresh = *self.beside.as_ref()?.refreshes.borrow();
        refresh.map(|r| (r.last, r.most))
    }

    /// Returns the data folder; a capture that is played has none.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        self.beside.as_ref().map(|b| b.folder.as_path())
    }

    /// Returns how the series stand, and the folder they are in; a capture that is played writes none.
    #[must_use]
    pub fn series(&self) -> Option<(SeriesState, &Path)> {
        self.beside.as_ref().map(|b| (b.series.borrow().clone(), b.folder.as_path()))
    }
}

/// A running engine.
#[derive(Debug)]
pub struct Engine {
    handle: Handle,
    folder: PathBuf,
    bmp: SocketAddr,
    capture: PathBuf,
    task: JoinHandle<()>,
    feeds: Vec<JoinHandle<()>>,
    courier: JoinHandle<()>,
    recorder: (oneshot::Sender<()>, JoinHandle<()>),
}

impl Engine {
    /// Starts everything on one data folder.
    ///
    /// # Errors
    /// [`EngineError`] naming the part that could not start; nothing is left running.
    pub async fn start(options: Options) -> Result<Self, EngineError> {
        let store_error = |source| EngineError::Store { path: options.data.clone(), source };
        let store = store::Store::open(&options.data).map_err(store_error)?;
        let mut secrets =
            vault::Vault::open(&options.secrets).map_err(|source| EngineError::Secrets { path: options.secrets.clone(), source })?;
        if options.key_store {
            let inventory = options.inventory.clone();
            // its user may have to unlock it
            let asked = tokio::task::spawn_blocking(move || {
                ask_key_store(&mut secrets, &inventory);
                secrets
            });
            secrets = asked.await.map_err(|_| EngineError::Died(options.secrets.clone()))?;
        }
        let resume = resume(&store).map_err(store_error)?;
        let telemetry = store.telemetry().map_err(store_error)?;
        let retention = settings::retention(&store).map_err(store_error)?;
        let changes_max = settings::CHANGES_MAX.of(&store).map_err(store_error)?;
        let ttl = settings::APPROVAL_TTL.of(&store).map(Duration::from_secs).map_err(store_error)?;
        let topics = Topics::resume(options.data.clone(), &telemetry).map_err(store_error)?;
        let (messages, inbox) = mpsc::channel(INPUT_QUEUE);
        let (events, _) = broadcast::channel(EVENT_QUEUE);
        let (observations, observed) = mpsc::channel(INPUT_QUEUE);

        let started = now();
        let capture = options.data.join("captures").join(format!("{}.capture", started.nanos()));
        let about = About { site: Some(options.inventory.name.clone()), begun: Some(started), ..About::default() };
        let writer =
            capture::Writer::create_with(&capture, &about).map_err(|source| EngineError::Capture { path: capture.clone(), source })?;
        let profiles = supervise::profiles(&options.data)?;
        let bmp_error = |source| EngineError::Bmp { address: options.bmp, source };
        let listener = BmpListener::bind(options.bmp, &options.inventory).await.map_err(bmp_error)?;
        let bmp = listener.local_address().unwrap_or(options.bmp);
        tracing::info!(mode = %options.mode, devices = options.inventory.devices.len(), %bmp, "engine starts");

        let network = Network::new(options.inventory.clone());
        let inventory = Arc::clone(&network.inventory);
        let mut state = PilotState::new(options.mode, network, &resume, started);
        state.policy.approval_ttl = options.approval_ttl.unwrap_or(ttl);
        state.policy.rate.overall = u32::try_from(changes_max).unwrap_or(u32::MAX).min(state.policy.rate.overall);
        // in LAB mode an inventory that no lab made is refused before anything is dialled
        let executor = match options.mode {
            Mode::Lab => Executor::for_lab(&inventory, &secrets, inventory.lab.as_deref().unwrap_or_default())?,
            _ => Executor::new(&inventory, &secrets),
        };
        let targets = supervise::targets(&inventory, &secrets, &profiles);
        let (doors, mut feeds) = doors::open(&options.doors, &inventory, &observations).await?;
        feeds.extend(supervise::dial_all(&targets, &observations));
        feeds.push(tokio::spawn(listener.run(observations)));
        feeds.push(tokio::spawn(forward(observed, messages.clone())));
        feeds.push(tokio::spawn(tick(messages.clone())));
        if let Some(source) = options.doors.vrps.clone() {
            feeds.push(tokio::spawn(origins::follow(source, messages.clone())));
        }

        let (refreshed, refreshes) = watch::channel(None);
        let shell = Shell::new(store, writer, executor, targets, messages.clone(), events.clone(), refreshed);
        let (tapped, tap) = mpsc::channel(COURIER_QUEUE);
        let courier = tokio::spawn(courier::run(topics.clone(), inventory.own_asn, tap));
        let (end, ended) = oneshot::channel();
        let (told, series) = watch::channel(SeriesState::default());
        let plain = Handle::new(messages.clone(), events.clone());
        let recorder = (end, tokio::spawn(recorder::run(topics.clone(), plain.clone(), telemetry, retention, told, ended)));
        let work = Work { pilot: Pilot::default(), shell, tap: Tap::new(topics.clone(), tapped), seq: resume.next_seq };
        let first = Input::State { state: Box::new(state) };
        let recovered = Input::Recovered { records: resume.open_changes };
        let task = tokio::spawn(work.run(inbox, vec![first, recovered]));
        let handle = Handle { beside: Some(Beside { topics, series, folder: options.data.clone(), doors, refreshes }), ..plain };
        Ok(Self { handle, folder: options.data, bmp, capture, task, feeds, courier, recorder })
    }

    /// Returns a way to speak to the engine.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Returns the data folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns where BMP is listened for.
    #[must_use]
    pub const fn bmp_address(&self) -> SocketAddr {
        self.bmp
    }

    /// Returns the doors that were asked for.
    #[must_use]
    pub fn doors(&self) -> OpenDoors {
        self.handle.doors().cloned().unwrap_or_default()
    }

    /// Returns the capture being written.
    #[must_use]
    pub fn capture(&self) -> &Path {
        &self.capture
    }

    /// Stops: no new input, everything written; returns the state hash that a replay must reach.
    ///
    /// # Errors
    /// [`EngineError::Died`] when the engine task was not there to stop.
    pub async fn stop(self) -> Result<String, EngineError> {
        for feed in &self.feeds {
            feed.abort();
        }
        let (reply, answer) = oneshot::channel();
        let folder = self.folder.clone();
        let died = || EngineError::Died(folder.clone());
        self.handle.messages.send(Message::Stop(reply)).await.map_err(|_| died())?;
        let digest = answer.await.map_err(|_| died())?;
        self.task.await.map_err(|_| died())?;
        // the tap went with the task: the courier ends when it has carried what is left, and only then the recorder
        self.courier.await.map_err(|_| died())?;
        let (end, recorder) = self.recorder;
        // one that has ended already has nothing to keep
        let _ = end.send(());
        recorder.await.map_err(|_| died())?;
        Ok(digest)
    }
}

/// Takes what the key store of this session holds of the secrets that an inventory names. Where it holds none of them, or cannot be asked,
/// the file's are used, and the log says so.
fn ask_key_store(secrets: &mut vault::Vault, inventory: &Inventory) {
    let named = inventory.devices.iter().flat_map(|d| {
        let gnmi = d.gnmi.as_ref().and_then(|g| g.credential.as_ref());
        gnmi.into_iter().chain(d.netconf.as_ref().map(|n| &n.credential)).map(|c| c.secret.as_str())
    });
    let names: std::collections::BTreeSet<&str> = named.collect();
    if names.is_empty() {
        return;
    }
    match vault::KeyStore::find().map(|store| secrets.prefer(&store, names.iter().copied())) {
        Ok(Ok(found)) => {
            tracing::info!(found = found.len(), wanted = names.len(), "secrets are taken from the key store, the rest from the file")
        }
        Ok(Err(error)) => tracing::warn!(error = %chain(&error), "the key store cannot be used; secrets are taken from the file"),
        Err(why) => tracing::info!(why, "secrets are taken from the file"),
    }
}

/// Wall-clock time. The only clock the engine's log knows; everything after it is an argument.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

async fn forward(mut observed: mpsc::Receiver<Observation>, messages: mpsc::Sender<Message>) {
    while let Some(observation) = observed.recv().await {
        if messages.send(Message::Input(Input::Observed { observation })).await.is_err() {
            return;
        }
    }
}

async fn tick(messages: mpsc::Sender<Message>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if messages.send(Message::Input(Input::Tick)).await.is_err() {
            return;
        }
    }
}

/// The engine task's own state.
struct Work {
    pilot: Pilot,
    shell: Shell,
    tap: Tap,
    seq: u64,
}

impl Work {
    async fn run(mut self, mut inbox: mpsc::Receiver<Message>, first: Vec<Input>) {
        for input in first {
            self.take(input);
        }
        while let Some(message) = inbox.recv().await {
            match message {
                Message::Input(input) => drop(self.take(input)),
                Message::Command(operator, command, reply) => {
                    let events = self.take(Input::Operator { operator, command });
                    // a caller that has gone away needs no answer
                    let _ = reply.send(events);
                }
                Message::Read(look) => look(self.pilot.state()),
                Message::Stop(reply) => {
                    let digest = self.pilot.state_hash();
                    self.shell.close();
                    let _ = reply.send(digest);
                    return;
                }
            }
        }
    }

    /// Logs one input, handles it, carries out what follows; returns the events for people.
    fn take(&mut self, mut input: Input) -> Vec<Event> {
        if let Input::Observed { observation } = &mut input {
            observation.hide_secrets();
        }
        // the log's clock never runs backwards, even if the wall clock is set back
        let at = now().max(self.pilot.state().now);
        let seq = self.seq;
        self.seq += 1;
        if let Err(error) = self.shell.log(seq, at, &input) {
            // an input that is not in the log may not decide anything
            tracing::error!(%error, seq, "capture cannot be written; input dropped, changes are stopped");
            return Vec::new();
        }
        let glance = Tap::look(&input);
        let effects = self.pilot.handle(seq, at, input);
        let told = self.shell.carry_out(effects);
        for id in told.iter().filter_map(proposed) {
            if let Some(record) = self.pilot.state().proposals.get(&action::ProposalId(id)) {
                tracing::info!(proposal = %action::ProposalId(id), preflight = record.preflight(), "a change was tried out");
            }
        }
        self.shell.keep_state(seq, at, self.pilot.state());
        self.tap.follow(glance, self.pilot.state(), &told);
        told
    }
}

/// Reads what a restart continues from, in the pilot's words.
fn resume(store: &store::Store) -> Result<Resume, store::StoreError> {
    let found = store.resume()?;
    Ok(Resume {
        next_seq: found.next_seq,
        audit: found.audit,
        permits_made: found.permits,
        proposals: found.proposals,
        changes: found.changes,
        findings: found.findings,
        open_changes: found.open_changes,
    })
}
