//! What one twin after another remembers: while the network stays the same, only what is measured in it changes.

use crate::Picture;
use action::DeviceEdits;
use bgp::Asn;
use preflight::{Accepts, Ports, Remembered, RouterFacts};
use routing::Blueprint;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Changes whose failures are remembered: a decision has about as many candidates.
const CHANGES_MAX: usize = 16;
/// Routes from outside above which nothing is remembered: to keep so many, and to compare them, costs more than it saves.
const ROUTES_MAX: usize = 100_000;

/// Remembers of one network, and of what changes made of it, what single failures do. For the next twin ([`crate::Twin::with_memory`]) of the
/// same network, which is asked much the same a few seconds later; of another network it remembers nothing. No answer depends on it.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Option<Arc<Recall>>>);

/// What is remembered of one network.
#[derive(Debug)]
pub(crate) struct Recall {
    blueprint: Blueprint,
    own_as: BTreeSet<Asn>,
    ports: Ports,
    accepts: Vec<Accepts>,
    routers: BTreeMap<String, RouterFacts>,
    unchanged: Arc<Remembered>,
    /// In the order in which they were asked last.
    changed: Mutex<Vec<(Vec<DeviceEdits>, Arc<Remembered>)>>,
}

impl Memory {
    /// Returns what is remembered of the network of a picture, and forgets any other; `None`: it is too large.
    pub(crate) fn of(&self, picture: &Picture) -> Option<Arc<Recall>> {
        let mut held = locked(&self.0);
        if picture.blueprint.feeds.iter().map(|f| f.routes.len()).sum::<usize>() > ROUTES_MAX {
            *held = None;
            return None;
        }
        let facts = &picture.facts;
        let same = |r: &&Arc<Recall>| {
            (&r.own_as, &r.accepts, &r.routers) == (&facts.own_as, &facts.accepts, &facts.routers)
                && r.ports == picture.ports
                && r.blueprint == picture.blueprint
        };
        if let Some(recall) = held.as_ref().filter(same) {
            return Some(Arc::clone(recall));
        }
        let recall = Arc::new(Recall {
            blueprint: picture.blueprint.clone(),
            own_as: facts.own_as.clone(),
            ports: picture.ports.clone(),
            accepts: facts.accepts.clone(),
            routers: facts.routers.clone(),
            unchanged: Arc::default(),
            changed: Mutex::default(),
        });
        *held = Some(Arc::clone(&recall));
        Some(recall)
    }
}

impl Recall {
    /// What is remembered of the network as it is.
    pub(crate) fn unchanged(&self) -> Arc<Remembered> {
        Arc::clone(&self.unchanged)
    }

    /// What is remembered of the network after these edits.
    pub(crate) fn after(&self, edits: &[DeviceEdits]) -> Arc<Remembered> {
        let mut changed = locked(&self.changed);
        let known = changed.iter().position(|(e, _)| e == edits).map(|at| changed.remove(at));
        let known = known.unwrap_or_else(|| (edits.to_vec(), Arc::default()));
        let remembered = Arc::clone(&known.1);
        if changed.len() >= CHANGES_MAX {
            changed.remove(0);
        }
        changed.push(known);
        remembered
    }
}

/// What is remembered stays true whatever became of who held it last.
pub(crate) fn locked<T>(memory: &Mutex<T>) -> MutexGuard<'_, T> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}
