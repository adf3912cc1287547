//! Attribute sets, each kept once however many paths have it, and released with the last of them.

use crate::hash::hash;
use crate::pages::Pages;

/// An empty place of the index.
const NONE: u32 = u32::MAX;
/// First size of the index, and places of one page of it.
const INDEX: usize = 1024;
/// Sets of a page: so many are copied when a copy is written to.
const SETS: usize = 128;

#[derive(Clone, Debug, Default)]
struct Set {
    bytes: Box<[u8]>,
    references: u32,
    /// Part of the hash; while the place is unused, the next unused place.
    hash: u32,
}

/// The table of attribute sets in their canonical spelling.
#[derive(Clone, Debug)]
pub(crate) struct Interner {
    sets: Pages<Set, SETS>,
    free: u32,
    /// Places by hash, open addressing with linear steps; a power of two long.
    index: Pages<u32, INDEX>,
    live: usize,
    bytes: usize,
}

impl Interner {
    pub const fn new() -> Self {
        Self { sets: Pages::new(), free: NONE, index: Pages::new(), live: 0, bytes: 0 }
    }

    /// Returns how many sets there are.
    pub const fn len(&self) -> usize {
        self.live
    }

    /// Returns the bytes of the sets, as the allocator rounds them, and of the table.
    pub const fn bytes(&self) -> usize {
        self.bytes + self.sets.bytes() + self.index.bytes()
    }

    /// Returns how often a set is referred to.
    pub fn references(&self, place: u32) -> u32 {
        self.sets.get(place as usize).map_or(0, |s| s.references)
    }

    pub fn get(&self, place: u32) -> &[u8] {
        self.sets.get(place as usize).map_or(&[], |s| &s.bytes)
    }

    /// Returns the place of a set, making it where it is new. It counts one reference, which the caller gives back.
    pub fn intern(&mut self, bytes: &[u8]) -> u32 {
        if self.live * 4 >= self.index.len() * 3 {
            self.grow();
        }
        let hash = hash(0, bytes) as u32;
        let mask = self.index.len() - 1;
        let mut at = hash as usize & mask;
        while let Some(set) = self.sets.get(self.index[at] as usize) {
            if set.hash == hash && *set.bytes == *bytes {
                let place = self.index[at];
                self.retain(place);
                return place;
            }
            at = (at + 1) & mask;
        }
        let place = self.place(bytes, hash);
        self.index[at] = place;
        self.live += 1;
        self.bytes += heap_bytes(bytes.len());
        place
    }

    fn place(&mut self, bytes: &[u8], hash: u32) -> u32 {
        let set = Set { bytes: bytes.into(), references: 1, hash };
        let at = self.free;
        if let Some(unused) = self.sets.get_mut(at as usize) {
            self.free = unused.hash;
            *unused = set;
            return at;
        }
        self.sets.push(set);
        (self.sets.len() - 1) as u32
    }

    /// Counts one more reference.
    pub fn retain(&mut self, place: u32) {
        self.sets[place as usize].references += 1;
    }

    /// Gives a reference back; the set goes with the last.
    pub fn release(&mut self, place: u32) {
        let set = &mut self.sets[place as usize];
        set.references -= 1;
        if set.references == 0 {
            self.forget(place);
        }
    }

    fn forget(&mut self, place: u32) {
        let mask = self.index.len() - 1;
        let mut hole = self.sets[place as usize].hash as usize & mask;
        while self.index[hole] != place {
            hole = (hole + 1) & mask;
        }
        // what stood behind it because of it moves up
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let Some(other) = self.sets.get(self.index[at] as usize) else { break };
            let home = other.hash as usize & mask;
            if (at.wrapping_sub(home) & mask) >= (at.wrapping_sub(hole) & mask) {
                self.index[hole] = self.index[at];
                hole = at;
            }
        }
        self.index[hole] = NONE;
        let set = &mut self.sets[place as usize];
        self.bytes -= heap_bytes(set.bytes.len());
        *set = Set { bytes: Box::default(), references: 0, hash: self.free };
        self.free = place;
        self.live -= 1;
    }

    fn grow(&mut self) {
        let size = (self.index.len() * 2).max(INDEX);
        self.index = Pages::filled(size, &NONE);
        for (place, set) in (0_u32..).zip(self.sets.iter()) {
            if set.references == 0 {
                continue;
            }
            let mut at = set.hash as usize & (size - 1);
            while self.index[at] != NONE {
                at = (at + 1) & (size - 1);
            }
            self.index[at] = place;
        }
    }
}

/// What a general allocator takes for `length` bytes: eight for itself, in steps of sixteen.
pub(crate) const fn heap_bytes(length: usize) -> usize {
    if length == 0 { 0 } else { (length + 8).next_multiple_of(16) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn a_set_is_kept_once_and_only_while_somebody_has_it(steps in prop::collection::vec((0_u16..400, prop::bool::ANY), 1..3000)) {
            let mut interner = Interner::new();
            let mut model: BTreeMap<Vec<u8>, (u32, u32)> = BTreeMap::new();
            for (value, add) in steps {
                let bytes = vec![value as u8; usize::from(value % 70)];
                if add {
                    let place = interner.intern(&bytes);
                    let entry = model.entry(bytes.clone()).or_insert((place, 0));
                    prop_assert_eq!(entry.0, place);
                    entry.1 += 1;
                } else if let Some((place, count)) = model.get_mut(&bytes) {
                    interner.release(*place);
                    *count -= 1;
                }
                model.retain(|_, (_, count)| *count > 0);
                prop_assert_eq!(interner.len(), model.len());
            }
            for (bytes, (place, count)) in model {
                prop_assert_eq!(interner.get(place), &bytes[..]);
                (0..count).for_each(|_| interner.release(place));
            }
            prop_assert_eq!((interner.len(), interner.bytes), (0, 0));
        }
    }
}
