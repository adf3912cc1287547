//! Lookup by key without an order that depends on a hash seed: open addressing, no iteration, no removal.

/// Spreads the bits of a key (the multiplier of Fibonacci hashing, Knuth 6.4).
const fn spread(key: u64) -> u64 {
    let h = key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    h ^ (h >> 29)
}

/// A number for each key.
#[derive(Clone, Debug, Default)]
pub(crate) struct NumberTable {
    /// (key, value + 1); 0: free.
    slots: Vec<((u64, u64), u32)>,
    used: usize,
}

impl NumberTable {
    /// Returns the number of a key.
    #[inline]
    pub fn get(&self, key: (u64, u64)) -> Option<u32> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = spread(key.0 ^ spread(key.1)) as usize & mask;
        loop {
            match self.slots.get(at) {
                Some((_, 0)) | None => return None,
                Some((k, value)) if *k == key => return Some(value - 1),
                _ => at = (at + 1) & mask,
            }
        }
    }

    /// Remembers the number of a key; `u32::MAX` cannot be one.
    pub fn put(&mut self, key: (u64, u64), value: u32) {
        if (self.used + 1) * 2 > self.slots.len() {
            let old = core::mem::take(&mut self.slots);
            self.slots = vec![((0, 0), 0); (old.len() * 2).max(64)];
            self.used = 0;
            for (k, v) in old.into_iter().filter(|(_, v)| *v > 0) {
                self.put(k, v - 1);
            }
        }
        let mask = self.slots.len() - 1;
        let mut at = spread(key.0 ^ spread(key.1)) as usize & mask;
        while self.slots[at].1 != 0 && self.slots[at].0 != key {
            at = (at + 1) & mask;
        }
        if self.slots[at].1 == 0 {
            self.used += 1;
        }
        self.slots[at] = (key, value.wrapping_add(1));
    }

    /// Returns the bytes it takes.
    pub const fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<((u64, u64), u32)>()
    }
}

/// A hasher with one fixed key, so that equal values have equal numbers in every run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FixedHasher(u64);

impl core::hash::Hasher for FixedHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x517C_C1B7_2722_0A95);
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }
}

/// Returns the fixed hash of a value.
pub(crate) fn hash_of<T: core::hash::Hash>(value: &T) -> u64 {
    use core::hash::Hasher as _;
    let mut hasher = FixedHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Each value once, by number.
#[derive(Clone, Debug)]
pub(crate) struct Interner<T> {
    values: Vec<T>,
    /// Number + 1; 0: free.
    slots: Vec<u32>,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self { values: Vec::new(), slots: Vec::new() }
    }
}

impl<T: core::hash::Hash + Eq> Interner<T> {
    /// Returns the number of a value, a new one where it was not there yet.
    pub fn number(&mut self, value: T) -> u32 {
        if (self.values.len() + 1) * 2 > self.slots.len() {
            self.slots = vec![0; (self.slots.len() * 2).max(64)];
            for (n, v) in (1..).zip(&self.values) {
                let mut at = spread(hash_of(v)) as usize & (self.slots.len() - 1);
                while self.slots[at] != 0 {
                    at = (at + 1) & (self.slots.len() - 1);
                }
                self.slots[at] = n;
            }
        }
        let mask = self.slots.len() - 1;
        let mut at = spread(hash_of(&value)) as usize & mask;
        while let Some(n) = self.slots[at].checked_sub(1) {
            if self.values[n as usize] == value {
                return n;
            }
            at = (at + 1) & mask;
        }
        let n = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        self.slots[at] = n + 1;
        self.values.push(value);
        n
    }

    /// Returns a value by its number.
    #[inline]
    pub fn get(&self, number: u32) -> &T {
        &self.values[number as usize]
    }

    /// Returns how many there are.
    pub const fn len(&self) -> usize {
        self.values.len()
    }
}
