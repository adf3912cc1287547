//! Path lists of all prefixes, packed by length: a list of three takes the room of three.
//!
//! Memory comes in chunks of [`CHUNK`] paths. A chunk holds lists of one capacity; when all of them have moved on (a second feed makes
//! every list of one a list of two) it is used for another capacity.

use std::sync::Arc;

/// Paths in a chunk (64 KiB, shared with copies until one is written to), and so the longest list (64 KiB; eight full feeds before and after policy from 200 routers are 3,200 paths a prefix).
pub(crate) const CHUNK: usize = 4096;
/// Bits of a list's place that count inside the chunk.
const PLACE_BITS: u32 = CHUNK.trailing_zeros();
/// Capacities: every length up to 8, then four steps a doubling, so that at most a fifth of a list is empty.
const CAPACITIES: [u16; 44] = [
    1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640,
    768, 896, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 3584, 4096,
];
/// No chunk, or no slot.
const NONE: u32 = u32::MAX;

/// One path: 16 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Path {
    /// Table (22 bits), whether there is a path identifier (1), a spare bit, epoch (8).
    tag: u32,
    /// Path identifier, 0 where there is none.
    path_id: u32,
    /// Place of the attribute set.
    pub attributes: u32,
    /// When it took these attributes, seconds since the Unix epoch.
    pub since_s: u32,
}

/// What tells a path from the others of its prefix, ordered by table and identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PathKey(u64);

impl PathKey {
    pub fn new(table: u32, path_id: Option<u32>) -> Self {
        Self(u64::from(table) << 33 | u64::from(path_id.is_some()) << 32 | u64::from(path_id.unwrap_or(0)))
    }
}

impl Path {
    pub fn new(key: PathKey, epoch: u8, attributes: u32, since_s: u32) -> Self {
        Self { tag: ((key.0 >> 32) as u32) << 9 | u32::from(epoch), path_id: key.0 as u32, attributes, since_s }
    }

    pub fn key(&self) -> PathKey {
        PathKey(u64::from(self.tag >> 9) << 32 | u64::from(self.path_id))
    }

    pub const fn table(&self) -> u32 {
        self.tag >> 10
    }

    pub fn path_id(&self) -> Option<u32> {
        (self.tag >> 9 & 1 != 0).then_some(self.path_id)
    }

    pub const fn epoch(&self) -> u8 {
        self.tag as u8
    }

    pub fn set_epoch(&mut self, epoch: u8) {
        self.tag = self.tag & !0xFF | u32::from(epoch);
    }
}

/// Where the paths of a prefix are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct List {
    /// Chunk and place in it.
    place: [u16; 2],
    length: u16,
}

impl List {
    pub const fn is_empty(self) -> bool {
        self.length == 0
    }

    pub const fn len(self) -> usize {
        self.length as usize
    }

    const fn at(self) -> u32 {
        let [high, low] = self.place;
        (high as u32) << 16 | low as u32
    }

    const fn set(&mut self, at: u32) {
        self.place = [(at >> 16) as u16, at as u16];
    }
}

#[derive(Clone, Debug)]
struct Chunk {
    paths: Arc<[Path]>,
    class: u8,
    lists: u16,
    /// Paths that were given out once; behind them nothing was used yet.
    carved: u16,
    /// First of the freed slots, chained by `attributes`.
    free: u32,
    /// Neighbours among the chunks of the class that have room.
    roomy: [u32; 2],
}

/// All path lists.
#[derive(Clone, Debug)]
pub(crate) struct Lists {
    chunks: Vec<Chunk>,
    empty: Vec<u32>,
    /// First chunk with room, by class.
    first: [u32; CAPACITIES.len()],
}

fn class_of(length: usize) -> usize {
    if length <= 8 { length.saturating_sub(1) } else { CAPACITIES.partition_point(|c| usize::from(*c) < length) }
}

impl Lists {
    pub const fn new() -> Self {
        Self { chunks: Vec::new(), empty: Vec::new(), first: [NONE; CAPACITIES.len()] }
    }

    /// Returns the bytes of all chunks.
    pub const fn bytes(&self) -> usize {
        self.chunks.len() * (CHUNK * size_of::<Path>() + size_of::<Chunk>())
    }

    pub fn get(&self, list: List) -> &[Path] {
        if list.is_empty() {
            return &[];
        }
        let from = list.at() as usize % CHUNK;
        &self.chunks[(list.at() >> PLACE_BITS) as usize].paths[from..from + list.len()]
    }

    pub fn get_mut(&mut self, list: List) -> &mut [Path] {
        if list.is_empty() {
            return &mut [];
        }
        let from = list.at() as usize % CHUNK;
        let chunk = &mut self.chunks[(list.at() >> PLACE_BITS) as usize];
        &mut Arc::make_mut(&mut chunk.paths)[from..from + list.len()]
    }

    /// Returns the place of `key` in the list, or where it belongs.
    pub fn search(&self, list: List, key: PathKey) -> Result<usize, usize> {
        let paths = self.get(list);
        if paths.len() > 8 {
            return paths.binary_search_by_key(&key, Path::key);
        }
        for (i, path) in paths.iter().enumerate() {
            if path.key() >= key {
                return if path.key() == key { Ok(i) } else { Err(i) };
            }
        }
        Err(paths.len())
    }

    /// Puts a path in; false when the list is as long as lists get.
    pub fn insert(&mut self, list: &mut List, at: usize, path: Path) -> bool {
        let length = list.len();
        if length == CHUNK {
            return false;
        }
        if length == 0 || class_of(length) != class_of(length + 1) {
            let old = *list;
            list.set(self.slot(class_of(length + 1)));
            self.copy(old, *list);
            self.release(old);
        }
        list.length += 1;
        let paths = self.get_mut(*list);
        paths.copy_within(at..length, at + 1);
        paths[at] = path;
        true
    }

    /// Takes a path out.
    pub fn remove(&mut self, list: &mut List, at: usize) {
        let length = list.len();
        self.get_mut(*list).copy_within(at + 1..length, at);
        let old = *list;
        list.length -= 1;
        if length == 1 {
            self.release(old);
        } else if class_of(length) != class_of(length - 1) {
            let kept = *list;
            list.set(self.slot(class_of(length - 1)));
            self.copy(kept, *list);
            self.release(old);
        }
    }

    /// Copies the paths of `from` to the place of `to`.
    fn copy(&mut self, from: List, to: List) {
        if from.is_empty() {
            return;
        }
        // lists of other capacities are in other chunks
        let source = Arc::clone(&self.chunks[(from.at() >> PLACE_BITS) as usize].paths);
        let (at, place) = (from.at() as usize % CHUNK, to.at() as usize % CHUNK);
        let target = Arc::make_mut(&mut self.chunks[(to.at() >> PLACE_BITS) as usize].paths);
        target[place..place + from.len()].copy_from_slice(&source[at..at + from.len()]);
    }

    /// Finds room for a list of a class.
    fn slot(&mut self, class: usize) -> u32 {
        if self.first[class] == NONE {
            let chunk = self.chunk(class);
            self.link(chunk);
        }
        let at = self.first[class];
        let capacity = CAPACITIES[class];
        let chunk = &mut self.chunks[at as usize];
        chunk.lists += 1;
        let place = if chunk.free == NONE {
            chunk.carved += capacity;
            u32::from(chunk.carved - capacity)
        } else {
            let place = chunk.free;
            chunk.free = chunk.paths[place as usize].attributes;
            place
        };
        if !chunk.has_room() {
            self.unlink(at);
        }
        at << PLACE_BITS | place
    }

    fn chunk(&mut self, class: usize) -> u32 {
        let at = self.empty.pop().unwrap_or_else(|| {
            let paths = vec![Path::default(); CHUNK].into();
            self.chunks.push(Chunk { paths, class: 0, lists: 0, carved: 0, free: NONE, roomy: [NONE; 2] });
            (self.chunks.len() - 1) as u32
        });
        let chunk = &mut self.chunks[at as usize];
        (chunk.class, chunk.lists, chunk.carved, chunk.free) = (class as u8, 0, 0, NONE);
        at
    }

    /// Gives the room of a list back.
    fn release(&mut self, list: List) {
        if list.is_empty() {
            return;
        }
        let (at, place) = (list.at() >> PLACE_BITS, list.at() % CHUNK as u32);
        let chunk = &mut self.chunks[at as usize];
        let had_room = chunk.has_room();
        Arc::make_mut(&mut chunk.paths)[place as usize].attributes = chunk.free;
        chunk.free = place;
        chunk.lists -= 1;
        let unused = chunk.lists == 0;
        match (had_room, unused) {
            (true, true) => self.unlink(at),
            (false, false) => self.link(at),
            _ => {}
        }
        if unused {
            self.empty.push(at);
        }
    }

    fn link(&mut self, at: u32) {
        let class = usize::from(self.chunks[at as usize].class);
        let next = self.first[class];
        self.chunks[at as usize].roomy = [NONE, next];
        if let Some(chunk) = self.chunks.get_mut(next as usize) {
            chunk.roomy[0] = at;
        }
        self.first[class] = at;
    }

    fn unlink(&mut self, at: u32) {
        let Chunk { class, roomy: [before, after], .. } = self.chunks[at as usize];
        match self.chunks.get_mut(before as usize) {
            Some(chunk) => chunk.roomy[1] = after,
            None => self.first[usize::from(class)] = after,
        }
        if let Some(chunk) = self.chunks.get_mut(after as usize) {
            chunk.roomy[0] = before;
        }
    }
}

impl Chunk {
    fn has_room(&self) -> bool {
        self.free != NONE || usize::from(self.carved + CAPACITIES[usize::from(self.class)]) <= CHUNK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_whose_lists_grew_is_used_again() {
        let mut lists = Lists::new();
        let mut all = vec![List::default(); 20_000];
        for feed in 0..12 {
            for (i, list) in all.iter_mut().enumerate() {
                assert!(lists.insert(list, feed as usize, Path::new(PathKey::new(feed, None), 1, i as u32, 0)));
            }
        }
        for (i, list) in all.iter().enumerate() {
            let found: Vec<(u32, u32)> = lists.get(*list).iter().map(|p| (p.table(), p.attributes)).collect();
            assert_eq!(found, (0..12).map(|feed| (feed, i as u32)).collect::<Vec<_>>());
        }
        let needed = 20_000 * 12 * size_of::<Path>();
        assert!(lists.bytes() < needed * 115 / 100, "{} for {needed}", lists.bytes());
        for list in &mut all {
            while !list.is_empty() {
                lists.remove(list, 0);
            }
        }
        assert_eq!(lists.empty.len(), lists.chunks.len());
        assert!(lists.first.iter().all(|f| *f == NONE));
    }

    #[test]
    fn a_list_ends_at_its_bound() {
        let (mut lists, mut list) = (Lists::new(), List::default());
        for i in 0..CHUNK as u32 {
            assert!(lists.insert(&mut list, i as usize, Path::new(PathKey::new(i, Some(i)), 0, 0, 0)));
        }
        assert!(!lists.insert(&mut list, 0, Path::default()));
        assert_eq!(lists.search(list, PathKey::new(77, Some(77))), Ok(77));
        assert_eq!(lists.search(list, PathKey::new(77, None)), Err(77));
    }
}
