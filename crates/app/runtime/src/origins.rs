//! VRPs for the engine: a file that a relying party writes, or a cache over RPKI-to-Router, with local exceptions. What comes is told to the
//! loop as inputs, so that a capture holds everything that origin validation rested on: all of it once, then only what differs.

use crate::effects::chain;
use crate::engine::Message;
use collector::RtrCache;
use network::OriginEvent;
use pilot::Input;
use rtr::{File, FileError, Slurm, SlurmError, Vrp};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Bytes of a file of VRPs; that of all RIRs has 80 MB as JSON (2026).
const FILE_BYTES_MAX: u64 = 1 << 30;
/// Time between two looks at a file. One that changed is read when it did not change again in between: it may be half written.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Bounds of a cache's retry time, seconds (RFC 8210 §6).
const RETRY_S: (u32, u32) = (1, 7200);

/// Where VRPs come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VrpSource {
    /// File or cache.
    pub from: VrpsFrom,
    /// File with local exceptions (RFC 8416).
    pub slurm: Option<PathBuf>,
}

/// A file or a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VrpsFrom {
    /// JSON or CSV of a relying party. One that does not say when it was made counts from when it was written.
    File(PathBuf),
    /// `host:port` of a cache that speaks RPKI-to-Router (RFC 8210, RFC 6810).
    Cache(String),
}

/// Why a file of VRPs or of local exceptions cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VrpsError {
    /// The file system.
    #[error("{}", path.display())]
    Unread {
        /// File.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Larger than any real one.
    #[error("{}: {bytes} bytes; at most {FILE_BYTES_MAX} are read", path.display())]
    TooLarge {
        /// File.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// No VRPs.
    #[error("{}", path.display())]
    NotVrps {
        /// File.
        path: PathBuf,
        /// What and where.
        #[source]
        source: FileError,
    },
    /// No local exceptions.
    #[error("{}", path.display())]
    NotSlurm {
        /// File.
        path: PathBuf,
        /// What and where.
        #[source]
        source: SlurmError,
    },
}

/// Reads a file of VRPs.
///
/// # Errors
/// [`VrpsError`]; nothing of such a file counts.
pub fn read_vrps(path: &Path) -> Result<File, VrpsError> {
    File::read(&read(path)?).map_err(|source| VrpsError::NotVrps { path: path.to_owned(), source })
}

/// Reads local exceptions; without a file there are none.
///
/// # Errors
/// [`VrpsError`]; nothing of such a file counts.
pub fn read_slurm(path: Option<&Path>) -> Result<Slurm, VrpsError> {
    let Some(path) = path else { return Ok(Slurm::default()) };
    Slurm::read(&read(path)?).map_err(|source| VrpsError::NotSlurm { path: path.to_owned(), source })
}

fn read(path: &Path) -> Result<String, VrpsError> {
    let unread = |source| VrpsError::Unread { path: path.to_owned(), source };
    let bytes = std::fs::metadata(path).map_err(unread)?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(VrpsError::TooLarge { path: path.to_owned(), bytes });
    }
    std::fs::read_to_string(path).map_err(unread)
}

impl VrpSource {
    /// Reads its files once, so that a wrong name or a broken file is told before an engine starts. A cache is not asked.
    ///
    /// # Errors
    /// [`VrpsError`].
    pub fn check(&self) -> Result<(), VrpsError> {
        read_slurm(self.slurm.as_deref())?;
        if let VrpsFrom::File(path) = &self.from {
            read_vrps(path)?;
        }
        Ok(())
    }

    fn name(&self) -> String {
        match &self.from {
            VrpsFrom::File(path) => path.display().to_string(),
            VrpsFrom::Cache(address) => address.clone(),
        }
    }
}

/// Payloads with the times at which they expire, seconds since 1970.
type Payloads = BTreeMap<Vrp, Option<i64>>;

/// Follows a source until the engine stops.
pub(crate) async fn follow(source: VrpSource, messages: mpsc::Sender<Message>) {
    let teller = Teller { messages, told: Payloads::new(), failure: None };
    let named = OriginEvent::Named { source: source.name() };
    if !teller.send(named).await {
        return;
    }
    match source.from {
        VrpsFrom::File(path) => follow_file(path, source.slurm, teller).await,
        VrpsFrom::Cache(address) => follow_cache(address, source.slurm, teller).await,
    }
}

/// Tells the loop what differs from what it was told before.
struct Teller {
    messages: mpsc::Sender<Message>,
    told: Payloads,
    failure: Option<String>,
}

impl Teller {
    /// `false`: the engine has stopped.
    async fn send(&self, event: OriginEvent) -> bool {
        self.messages.send(Message::Input(Input::Origins { event })).await.is_ok()
    }

    async fn tell(&mut self, made_s: Option<i64>, until_s: Option<i64>, payloads: Payloads) -> bool {
        let added = payloads.iter().filter(|(v, end)| self.told.get(v) != Some(*end)).map(|(v, end)| (*v, *end)).collect();
        let removed = self.told.keys().filter(|v| !payloads.contains_key(v)).copied().collect();
        let event = OriginEvent::Told { made_s, until_s, added, removed, payloads: payloads.len() };
        (self.told, self.failure) = (payloads, None);
        self.send(event).await
    }

    /// The same reason is told once.
    async fn failed(&mut self, reason: String) -> bool {
        if self.failure.as_ref() == Some(&reason) {
            return !self.messages.is_closed();
        }
        tracing::warn!(reason, "VRPs cannot be refreshed; what is held holds until it expires");
        self.failure = Some(reason.clone());
        self.send(OriginEvent::Failed { reason }).await
    }
}

/// What tells one version of a file from another.
type Stamp = (SystemTime, u64);

async fn stamp(path: &Path) -> Result<Stamp, VrpsError> {
    let unread = |source| VrpsError::Unread { path: path.to_owned(), source };
    let meta = tokio::fs::metadata(path).await.map_err(unread)?;
    Ok((meta.modified().map_err(unread)?, meta.len()))
}

async fn stamp_of(path: Option<&PathBuf>) -> Result<Option<Stamp>, VrpsError> {
    match path {
        Some(path) => stamp(path).await.map(Some),
        None => Ok(None),
    }
}

async fn follow_file(path: PathBuf, slurm: Option<PathBuf>, mut teller: Teller) {
    let (mut read, mut last) = (None, None);
    loop {
        let found = async { Ok::<_, VrpsError>((stamp(&path).await?, stamp_of(slurm.as_ref()).await?)) }.await;
        let goes_on = match found {
            Err(error) => teller.failed(chain(&error)).await,
            Ok(now) => {
                let settled = read.is_none() || last == Some(now);
                let fresh = read != Some(now) && settled;
                last = Some(now);
                if fresh {
                    read = Some(now);
                    let (path, slurm) = (path.clone(), slurm.clone());
                    let loaded = tokio::task::spawn_blocking(move || load(&path, slurm.as_deref(), now.0.0)).await;
                    match loaded {
                        Ok(Ok((made_s, until_s, payloads))) => teller.tell(made_s, until_s, payloads).await,
                        Ok(Err(error)) => teller.failed(chain(&error)).await,
                        Err(error) => teller.failed(error.to_string()).await,
                    }
                } else {
                    !teller.messages.is_closed()
                }
            }
        };
        if !goes_on {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// When it was made, until when it holds, and its payloads.
type Loaded = (Option<i64>, Option<i64>, Payloads);

fn load(path: &Path, slurm: Option<&Path>, written: SystemTime) -> Result<Loaded, VrpsError> {
    let (file, slurm) = (read_vrps(path)?.or_made(seconds(written)), read_slurm(slurm)?);
    let mut payloads = Payloads::new();
    for (vrp, end) in file.vrps.iter().filter(|(v, _)| slurm.keeps(v)) {
        // of two that say the same the one that holds longer counts
        let held = payloads.entry(*vrp).or_insert(*end);
        *held = held.zip(*end).map(|(a, b)| a.max(b));
    }
    payloads.extend(slurm.added().iter().map(|v| (*v, None)));
    Ok((file.made_s, file.until_s, payloads))
}

fn seconds(at: SystemTime) -> Option<i64> {
    at.duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_secs()).ok())
}

/// A whole table and until when it holds, or why there is none.
type News = Result<(BTreeSet<Vrp>, i64), String>;

async fn follow_cache(address: String, slurm: Option<PathBuf>, mut teller: Teller) {
    let (told, mut news) = mpsc::channel(1);
    // it ends with this one
    let mut asking = JoinSet::new();
    asking.spawn(ask(address, told));
    let (mut exceptions, mut read) = (Slurm::default(), None);
    let mut held: Option<(BTreeSet<Vrp>, i64)> = None;
    let mut looks = tokio::time::interval(LOOK_EVERY);
    loop {
        let (fresh, failed) = tokio::select! {
            got = news.recv() => match got {
                None => return,
                Some(Ok(table)) => {
                    held = Some(table);
                    (true, None)
                }
                Some(Err(reason)) => (false, Some(reason)),
            },
            _ = looks.tick(), if slurm.is_some() => match stamp_of(slurm.as_ref()).await {
                Ok(now) if Some(now) == read => (false, None),
                Ok(now) => {
                    read = Some(now);
                    match read_slurm(slurm.as_deref()) {
                        Ok(new) => {
                            exceptions = new;
                            (true, None)
                        }
                        Err(error) => (false, Some(chain(&error))),
                    }
                }
                Err(error) => (false, Some(chain(&error))),
            },
        };
        let goes_on = match (failed, &held) {
            (Some(reason), _) => teller.failed(reason).await,
            // exceptions that were not read yet may not be passed over
            (None, Some((table, until_s))) if fresh && (slurm.is_none() || read.is_some()) => {
                let kept = table.iter().filter(|v| exceptions.keeps(v)).chain(exceptions.added());
                let payloads = kept.map(|v| (*v, None)).collect();
                teller.tell(None, Some(*until_s), payloads).await
            }
            (None, _) => !teller.messages.is_closed(),
        };
        if !goes_on {
            return;
        }
    }
}

/// Speaks with the cache, again and again.
async fn ask(address: String, told: mpsc::Sender<News>) {
    let mut cache = RtrCache::new(address);
    loop {
        let news = match cache.next().await {
            Ok(()) => match cache.vrps() {
                Some(vrps) => {
                    Ok((vrps.clone(), crate::engine::now().nanos() / 1_000_000_000 + i64::from(cache.client().timers().expire_s)))
                }
                None => continue,
            },
            Err(error) => Err(chain(&error)),
        };
        let failed = news.is_err();
        if told.send(news).await.is_err() {
            return;
        }
        if failed {
            let wait = cache.client().timers().retry_s.clamp(RETRY_S.0, RETRY_S.1);
            tokio::time::sleep(Duration::from_secs(u64::from(wait))).await;
        }
    }
}
