//! The engine behind the window: one that runs already, one of our own, or the demo lab's.

use api::{Api, ApiError, CaptureFile, LabControl, Laboratory};
use lab::netns::{Driver, Options as LabOptions};
use lab::relay::EngineDoors;
use lab::sim::{Sim, Tuning};
use network::Inventory;
use pilot::Mode;
use runtime::{Engine, Options};
use serde_json::Value;
use server::{Client, Server};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tauri::State;
use tokio::sync::RwLock;

/// What the window speaks to.
enum Voice {
    /// An engine in another process.
    Remote(Client),
    /// An engine of our own; what it lives on is kept with it.
    Own { api: Api, engine: Engine, server: Server, demo: Option<Sim> },
    /// A capture that is played.
    Replay(Api),
    /// None, and why.
    Silent(ApiError),
}

/// The engine of this window; it may be exchanged for the demo lab's at the first start.
pub struct Desk {
    voice: RwLock<Voice>,
    /// The demo lab is what this window watches when it replays nothing.
    demo: AtomicBool,
    closed: AtomicBool,
}

fn failed(code: &str, error: &dyn std::error::Error) -> ApiError {
    ApiError::new(code, runtime::chain(error))
}

/// What the window is told until its engine answers; it shows that as a wait, not as a fault.
fn starting() -> ApiError {
    ApiError::new("PH-DESK-017", "the engine is starting")
}

impl Desk {
    /// Makes the desk of a window that opens: its engine comes with [`Self::open`].
    pub fn opening() -> Self {
        Self { voice: RwLock::new(Voice::Silent(starting())), demo: AtomicBool::new(false), closed: AtomicBool::new(false) }
    }

    /// Finds the engine that this window belongs to: the demo lab's, the running one of the data folder, or a new one on it.
    ///
    /// # Errors
    /// [`ApiError`] when there is none; the window then shows it.
    pub async fn open(&self, demo: bool) -> Result<(), ApiError> {
        self.demo.store(demo, Ordering::SeqCst);
        let opened = if demo { own_demo().await } else { on_folder(&runtime::data_folder()).await };
        self.take(opened).await
    }

    /// Plays a capture in place of what is watched. What is watched stays when the file cannot be played, and while a change is under way.
    ///
    /// # Errors
    /// [`ApiError`] of the capture, or that a change is under way.
    pub async fn replay(&self, file: &Path) -> Result<(), ApiError> {
        let busy = matches!(&*self.voice.read().await, Voice::Own { .. })
            && self.call("status", "null").await.is_ok_and(|status| status["changing"].as_u64().is_some_and(|n| n > 0));
        if busy {
            return Err(ApiError::new("PH-DESK-018", "a change is under way; wait until it has ended"));
        }
        let api = player_of(file).await?;
        self.leave(starting()).await;
        self.take(Ok(Voice::Replay(api))).await
    }

    /// Opens with a capture.
    ///
    /// # Errors
    /// [`ApiError`] when it cannot be played; the window then shows it.
    pub async fn start_with(&self, file: &Path) -> Result<(), ApiError> {
        self.take(player_of(file).await.map(Voice::Replay)).await
    }

    /// Speaks with `opened` from now on, or says why there is none.
    async fn take(&self, opened: Result<Voice, ApiError>) -> Result<(), ApiError> {
        let told = opened.as_ref().map(|_| ()).map_err(Clone::clone);
        if self.closed.load(Ordering::SeqCst) {
            // the window was faster
            if let Ok(late) = opened {
                late.end().await;
            }
        } else {
            *self.voice.write().await = opened.unwrap_or_else(Voice::Silent);
        }
        told
    }

    /// Stops what is ours, in order: doors, engine, lab.
    pub async fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.leave(ApiError::new("PH-DESK-013", "the window closes")).await;
    }

    /// Stops what is ours and says `why` from then on.
    async fn leave(&self, why: ApiError) {
        let voice = std::mem::replace(&mut *self.voice.write().await, Voice::Silent(why));
        voice.end().await;
    }

    async fn call(&self, command: &str, arguments: &str) -> Result<Value, ApiError> {
        match &*self.voice.read().await {
            Voice::Remote(client) => client.call(command, arguments.as_bytes().to_vec()).await,
            Voice::Own { api, .. } | Voice::Replay(api) => {
                api.call(&runtime::operator_of_uid(runtime::own_uid()), command, arguments.as_bytes()).await
            }
            Voice::Silent(why) => Err(why.clone()),
        }
    }
}

impl Voice {
    async fn end(self) {
        if let Self::Own { engine, server, demo, .. } = self {
            server.stop().await;
            if let Err(error) = engine.stop().await {
                tracing::error!(error = %runtime::chain(&error), "the engine did not stop cleanly");
            }
            drop(demo);
        }
    }
}

/// Opens a capture; what is imported while it plays goes to the captures of this machine.
async fn player_of(file: &Path) -> Result<Api, ApiError> {
    let api = Api::replaying(file).await.map_err(|e| failed("PH-DESK-019", &e))?;
    Ok(api.with_captures(runtime::data_folder().join("captures")))
}

async fn on_folder(folder: &Path) -> Result<Voice, ApiError> {
    if let Ok(client) = Client::open(folder)
        && client.call("status", b"null".to_vec()).await.is_ok()
    {
        return Ok(Voice::Remote(client));
    }
    let inventory = read_inventory(&folder.join("inventory.json"))?;
    let options = Options {
        data: folder.to_owned(),
        inventory,
        secrets: folder.join("secrets.json"),
        key_store: true,
        mode: Mode::Shadow,
        bmp: SocketAddr::from((Ipv4Addr::LOCALHOST, BMP_PORT)),
        doors: runtime::Doors::default(),
        approval_ttl: None,
    };
    start(options, None, None).await
}

/// Where routers send BMP unless told otherwise.
const BMP_PORT: u16 = 17_442;

/// Reads the inventory of a folder; without one there are no devices yet.
fn read_inventory(file: &Path) -> Result<Inventory, ApiError> {
    match std::fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|e| ApiError::new("PH-DESK-014", format!("{}: {e}; mend it and start again", file.display()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Inventory::empty("no site yet")),
        Err(error) => Err(ApiError::new("PH-DESK-014", format!("cannot read {}: {error}", file.display()))),
    }
}

/// The demo lab, its engine in LAB mode, on a data folder of their own.
async fn own_demo() -> Result<Voice, ApiError> {
    let folder = runtime::data_folder().join("demo");
    let labs: PathBuf = folder.join("labs");
    let booted = tokio::task::spawn_blocking(move || {
        let options = LabOptions { driver: Driver::Sim, ..LabOptions::under(&labs)? };
        lab::sim::start(&options, Tuning::default(), &mut |step| tracing::info!(what = %step.what, "demo lab"))
    });
    let sim = booted.await.map_err(|e| failed("PH-DESK-015", &e))?.map_err(|e| failed("PH-DESK-015", &e))?;
    let instance = sim.instance().clone();
    let options = Options {
        data: folder,
        inventory: instance.inventory.clone(),
        secrets: instance.dir.join("secrets.json"),
        key_store: false,
        mode: Mode::Lab,
        bmp: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        doors: runtime::Doors::default(),
        approval_ttl: None,
    };
    let laboratory: Arc<dyn LabControl> = Arc::new(Laboratory::new(instance.clone(), true));
    let voice = start(options, Some(laboratory), Some(sim)).await?;
    if let Voice::Own { engine, .. } = &voice {
        instance
            .attach_engine(EngineDoors { bmp: Some(engine.bmp_address()), ..EngineDoors::default() })
            .map_err(|e| failed("PH-DESK-015", &e))?;
    }
    Ok(voice)
}

async fn start(options: Options, laboratory: Option<Arc<dyn LabControl>>, demo: Option<Sim>) -> Result<Voice, ApiError> {
    let engine = Engine::start(options).await.map_err(|e| failed("PH-DESK-016", &e))?;
    let api = Api::new(engine.handle()).with_lab(laboratory);
    // so that `pilotctl` speaks to the same engine
    match Server::start(api.clone(), engine.folder(), None).await {
        Ok(server) => Ok(Voice::Own { api, engine, server, demo }),
        Err(error) => {
            let error = failed("PH-DESK-016", &error);
            let _ = engine.stop().await;
            Err(error)
        }
    }
}

/// Carries out one command of the engine; arguments and answer are JSON.
///
/// # Errors
/// [`ApiError`] of the engine, or that none runs.
#[tauri::command]
pub async fn rpc(desk: State<'_, Desk>, command: String, arguments: String) -> Result<Value, ApiError> {
    desk.call(&command, &arguments).await
}

/// Exchanges the engine for the demo lab's.
///
/// # Errors
/// [`ApiError`] when the lab or its engine does not start; there is then no engine.
#[tauri::command]
pub async fn start_demo(desk: State<'_, Desk>) -> Result<(), ApiError> {
    desk.leave(starting()).await;
    desk.open(true).await
}

/// Lists the captures of this machine, newest first.
#[tauri::command]
pub async fn captures() -> Vec<CaptureFile> {
    api::captures(&runtime::data_folder())
}

/// Plays a capture in place of what is watched.
///
/// # Errors
/// [`ApiError`] when it cannot be played; what was watched is then still there.
#[tauri::command]
pub async fn open_capture(desk: State<'_, Desk>, file: PathBuf) -> Result<(), ApiError> {
    desk.replay(&file).await
}

/// Goes back to what was watched before.
///
/// # Errors
/// [`ApiError`] when it does not start again.
#[tauri::command]
pub async fn leave_capture(desk: State<'_, Desk>) -> Result<(), ApiError> {
    desk.leave(starting()).await;
    desk.open(desk.demo.load(Ordering::SeqCst)).await
}
