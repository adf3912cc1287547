//! The state that gNMI serves: paths and values, with every change told to whoever listens.

use gnmi::{Path, Value};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::broadcast;

/// Changes that a slow subscriber may lag behind before it is cut off.
const LAG_MAX: usize = 4096;

/// One change, applied as a whole.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Device time, nanoseconds since the Unix epoch.
    pub timestamp: i64,
    /// New values.
    pub updates: Vec<(Path, Value)>,
    /// Paths that are gone.
    pub deletes: Vec<Path>,
}

/// The tree. Cheap to clone; a lock is held for moments and never across an await.
#[derive(Clone, Debug)]
pub struct Tree {
    values: Arc<Mutex<BTreeMap<Path, Value>>>,
    changes: broadcast::Sender<Arc<Change>>,
}

impl Default for Tree {
    fn default() -> Self {
        Self { values: Arc::default(), changes: broadcast::channel(LAG_MAX).0 }
    }
}

impl Tree {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Path, Value>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts values; those that are as they were are not told. `always` tells them anyway (results of a measuring interval).
    pub fn put(&self, updates: Vec<(Path, Value)>, deletes: Vec<Path>, always: bool) {
        self.put_at(now_ns(), updates, deletes, always);
    }

    /// Puts values that were true at `timestamp`.
    pub fn put_at(&self, timestamp: i64, updates: Vec<(Path, Value)>, deletes: Vec<Path>, always: bool) {
        let mut values = self.lock();
        let deletes: Vec<Path> = deletes.into_iter().filter(|d| remove(&mut values, d)).collect();
        let updates: Vec<(Path, Value)> =
            updates.into_iter().filter(|(p, v)| values.insert(p.clone(), v.clone()).as_ref() != Some(v) || always).collect();
        if !(updates.is_empty() && deletes.is_empty()) {
            // nobody listening is fine; sent under the lock, so that a snapshot and the stream after it fit together
            let _ = self.changes.send(Arc::new(Change { timestamp, updates, deletes }));
        }
    }

    /// Returns everything that `matches`, and all changes after it.
    pub fn snapshot(&self, matches: impl Fn(&Path) -> bool) -> (Vec<(Path, Value)>, broadcast::Receiver<Arc<Change>>) {
        let values = self.lock();
        let found = values.iter().filter(|(p, _)| matches(p)).map(|(p, v)| (p.clone(), v.clone())).collect();
        (found, self.changes.subscribe())
    }
}

fn remove(values: &mut BTreeMap<Path, Value>, path: &Path) -> bool {
    let gone: Vec<Path> = values.range(path.clone()..).take_while(|(p, _)| path.covers(p)).map(|(p, _)| p.clone()).collect();
    gone.iter().for_each(|p| drop(values.remove(p)));
    !gone.is_empty()
}

/// Returns the device's time. Nodes of one machine share one clock.
pub fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
