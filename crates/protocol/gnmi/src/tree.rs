//! What a target has told and not taken back: the leaves of its notifications by origin and path.
//!
//! ```text
//! connected() ── updates, deletes, atomics ──► synced(): what was not told again since connected() is gone
//! ```

use crate::trie::Trie;
use crate::{DEPTH_MAX, Notification, Path, Value, leaves};
use std::collections::BTreeMap;

/// Leaves kept for one target: a router with a few thousand interfaces has half of that.
pub const TREE_LEAVES_MAX: usize = 1 << 20;

/// A leaf's last value.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    /// The value.
    pub value: Value,
    /// Device time of its notification, nanoseconds since the Unix epoch.
    pub timestamp: i64,
    generation: u64,
}

/// What a notification did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Leaves that were set, new or not.
    pub set: usize,
    /// Leaves that were there before and are gone now.
    pub removed: usize,
    /// Leaves that were not taken: too many, or too deep.
    pub refused: usize,
}

/// The leaves of one target.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    origins: BTreeMap<String, Trie<Leaf>>,
    len: usize,
    leaves_max: usize,
    generation: u64,
    /// Notifications without content: the target lives and has nothing to say.
    pub keep_alives: u64,
    /// Values that the device left out because newer ones came ("device coalesced N").
    pub coalesced: u64,
    /// Leaves that were not taken: too many, or too deep.
    pub refused: u64,
    /// Atomic notifications without a prefix. They would replace the whole tree; their updates count as plain ones.
    pub atomic_at_root: u64,
}

impl Default for Tree {
    fn default() -> Self {
        Self::new(TREE_LEAVES_MAX)
    }
}

impl Tree {
    /// Makes an empty tree that takes at most `leaves_max` leaves.
    #[must_use]
    pub const fn new(leaves_max: usize) -> Self {
        let origins = BTreeMap::new();
        Self { origins, len: 0, leaves_max, generation: 0, keep_alives: 0, coalesced: 0, refused: 0, atomic_at_root: 0 }
    }

    /// Applies a notification: what it replaces goes, then what it deletes, then come its updates (gNMI specification §2.1, §3.5.2.3).
    pub fn apply(&mut self, notification: &Notification) -> Applied {
        let Notification { timestamp, origin, deletes, updates, atomic, prefix, duplicates } = notification;
        let mut done = Applied::default();
        self.coalesced = self.coalesced.saturating_add(*duplicates);
        if *atomic && prefix.elems.is_empty() {
            self.atomic_at_root += 1;
        } else if *atomic {
            done.removed += self.remove(origin, prefix);
        } else if deletes.is_empty() && updates.is_empty() {
            self.keep_alives += 1;
        }
        for path in deletes {
            done.removed += self.remove(origin, path);
        }
        for update in updates {
            match &update.value {
                Value::Json(json @ (serde_json::Value::Object(_) | serde_json::Value::Array(_))) => {
                    let leaves = leaves(&update.path, json);
                    done.refused += usize::try_from(leaves.cut).unwrap_or(usize::MAX);
                    leaves.updates.into_iter().for_each(|u| self.set(origin, &u.path, u.value, *timestamp, &mut done));
                }
                value => self.set(origin, &update.path, value.clone(), *timestamp, &mut done),
            }
        }
        self.refused = self.refused.saturating_add(done.refused as u64);
        done
    }

    fn set(&mut self, origin: &str, path: &Path, value: Value, timestamp: i64, done: &mut Applied) {
        if path.elems.len() > DEPTH_MAX || (self.len >= self.leaves_max && self.get(origin, path).is_none()) {
            done.refused += 1;
            return;
        }
        let leaf = Leaf { value, timestamp, generation: self.generation };
        let before = self.origins.entry(origin.to_owned()).or_default().insert(&path.elems, leaf);
        self.len += usize::from(before.is_none());
        done.set += 1;
    }

    /// Removes what is at and below `path` (`*` as a name or as a key's value fits any; an absent key too). Returns how many leaves went.
    pub fn remove(&mut self, origin: &str, path: &Path) -> usize {
        let Some(root) = self.origins.get_mut(origin) else { return 0 };
        let mut removed = 0;
        root.remove(&path.elems, &mut Path::default(), &mut |_, _| removed += 1);
        if root.is_empty() {
            self.origins.remove(origin);
        }
        self.len -= removed;
        removed
    }

    /// Begins a new stream: what is there stays until [`Self::synced`] and must be told again by then.
    pub const fn connected(&mut self) {
        self.generation += 1;
    }

    /// Ends a stream's first dump. Returns how many leaves went because they were not told again.
    pub fn synced(&mut self) -> usize {
        let generation = self.generation;
        let mut removed = 0;
        self.origins.retain(|_, root| {
            root.retain(&mut Path::default(), &|leaf| leaf.generation == generation, &mut |_, _| removed += 1);
            !root.is_empty()
        });
        self.len -= removed;
        removed
    }

    /// Returns the leaf at a path.
    #[must_use]
    pub fn get(&self, origin: &str, path: &Path) -> Option<&Leaf> {
        self.origins.get(origin)?.get(&path.elems)
    }

    /// Calls `each` with origin, path and leaf of every leaf, sorted by origin and path.
    pub fn for_each<'a>(&'a self, mut each: impl FnMut(&'a str, &Path, &'a Leaf)) {
        for (origin, root) in &self.origins {
            root.visit(&mut Path::default(), &mut |path, leaf| each(origin, path, leaf));
        }
    }

    /// Returns the number of leaves.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Says whether nothing is known.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests;
