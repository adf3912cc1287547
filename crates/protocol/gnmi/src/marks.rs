//! Which leaves a target has told and not taken back, without their values: for a reader that keeps values in a shape of its own.
//!
//! ```text
//! connected() ── mark(), remove() ──► synced(): the paths that were not marked again since connected() are gone
//! ```

use crate::trie::Trie;
use crate::{DEPTH_MAX, Path, PathElem};
use serde::{Deserialize, Serialize};

/// Marked paths, each with the stream that told it last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Saved", into = "Saved")]
pub struct Marks {
    told: Trie<u64>,
    len: usize,
    stream: u64,
}

/// As it is written: the paths in their order.
#[derive(Serialize, Deserialize)]
struct Saved {
    stream: u64,
    told: Vec<(Path, u64)>,
}

impl Marks {
    /// Marks a path as told by the present stream; `false` when `max` are marked already, or when it is too deep.
    pub fn mark(&mut self, path: &[PathElem], max: usize) -> bool {
        if path.len() > DEPTH_MAX || (self.len >= max && self.told.get(path).is_none()) {
            return false;
        }
        self.len += usize::from(self.told.insert(path, self.stream).is_none());
        true
    }

    /// Takes the marks at and below a path away, wildcards as in [`crate::Tree::remove`]. Returns what they were on.
    pub fn remove(&mut self, pattern: &Path) -> Vec<Path> {
        let mut gone = Vec::new();
        self.told.remove(&pattern.elems, &mut Path::default(), &mut |path, _| gone.push(path.clone()));
        self.len -= gone.len();
        gone
    }

    /// Says whether anything is marked at or below a path.
    #[must_use]
    pub fn holds(&self, pattern: &[PathElem]) -> bool {
        self.told.holds(pattern)
    }

    /// Begins a stream: what is marked must be marked again by [`Self::synced`].
    pub const fn connected(&mut self) {
        self.stream += 1;
    }

    /// Ends a stream's first dump. Returns the paths that were not told again; they are marked no more.
    pub fn synced(&mut self) -> Vec<Path> {
        let stream = self.stream;
        let mut gone = Vec::new();
        self.told.retain(&mut Path::default(), &|told| *told == stream, &mut |path, _| gone.push(path.clone()));
        self.len -= gone.len();
        gone
    }

    /// Returns how many paths are marked.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Says whether none is.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl From<Saved> for Marks {
    fn from(saved: Saved) -> Self {
        let mut marks = Self { stream: saved.stream, ..Self::default() };
        for (path, stream) in saved.told {
            marks.len += usize::from(marks.told.insert(&path.elems, stream).is_none());
        }
        marks
    }
}

impl From<Marks> for Saved {
    fn from(marks: Marks) -> Self {
        let mut told = Vec::with_capacity(marks.len);
        marks.told.visit(&mut Path::default(), &mut |path, stream| told.push((path.clone(), *stream)));
        Self { stream: marks.stream, told }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        text.parse().unwrap()
    }

    fn texts(paths: &[Path]) -> Vec<String> {
        paths.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn wildcards_and_prefixes_take_what_is_below_and_nothing_else() {
        let mut marks = Marks::default();
        let all = ["/i/if[name=a]/state/up", "/i/if[name=a]/state/mtu", "/i/if[name=b]/state/up", "/s/host"];
        assert!(all.iter().all(|p| marks.mark(&path(p).elems, 9)));
        assert!(marks.mark(&path(all[0]).elems, 4) && !marks.mark(&path("/x").elems, 4), "bounded");
        assert_eq!(texts(&marks.remove(&path("/i/if[name=*]/state/up"))), ["/i/if[name=a]/state/up", "/i/if[name=b]/state/up"]);
        assert!(marks.holds(&path("/i/if[name=a]").elems) && !marks.holds(&path("/i/if[name=b]").elems));
        assert_eq!(marks.remove(&path("/i/if[name=c]")), []);
        assert_eq!(texts(&marks.remove(&path("/*"))), ["/i/if[name=a]/state/mtu", "/s/host"]);
        assert!(marks.is_empty());
    }

    #[test]
    fn what_a_stream_does_not_tell_again_is_named_and_all_is_saved() {
        let mut marks = Marks::default();
        for p in ["/a/b", "/a/c[k=1]"] {
            marks.mark(&path(p).elems, 9);
        }
        marks.connected();
        marks.mark(&path("/a/b").elems, 9);
        let saved = serde_json::to_string(&marks).unwrap();
        assert_eq!(serde_json::from_str::<Marks>(&saved).unwrap(), marks);
        assert_eq!(texts(&marks.synced()), ["/a/c[k=1]"]);
        assert_eq!((marks.len(), marks.synced().len()), (1, 0));
    }
}
