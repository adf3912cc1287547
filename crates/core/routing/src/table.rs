//! Lookup by key without an order that depends on a hash seed: open addressing, no iteration, no removal.

use std::sync::Arc;

/// Spreads the bits of a key (the multiplier of Fibonacci hashing, Knuth 6.4).
const fn spread(key: u64) -> u64 {
    let h = key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    h ^ (h >> 29)
}

/// A number for each key. What was known when it was frozen lies below, shared with every copy.
#[derive(Clone, Debug, Default)]
pub(crate) struct NumberTable {
    below: Option<Arc<Self>>,
    /// (key, value + 1); 0: free.
    slots: Vec<((u64, u64), u32)>,
    used: usize,
}

impl NumberTable {
    /// Returns the number of a key.
    #[inline]
    pub fn get(&self, key: (u64, u64)) -> Option<u32> {
        self.own(key).or_else(|| self.below.as_ref()?.get(key))
    }

    #[inline]
    fn own(&self, key: (u64, u64)) -> Option<u32> {
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

    /// Puts what is known below; copies share it from now on.
    pub fn freeze(&mut self) {
        if self.used > 0 {
            let below = core::mem::take(self);
            self.below = Some(Arc::new(below));
        }
    }

    /// Returns the bytes it takes.
    pub fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<((u64, u64), u32)>() + self.below.as_ref().map_or(0, |b| b.bytes())
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

/// Each value once, by number. What was known when it was frozen lies below, shared with every copy.
#[derive(Clone, Debug)]
pub(crate) struct Interner<T> {
    below: Option<Arc<Self>>,
    /// Numbers below this one stand below.
    first: u32,
    values: Vec<T>,
    /// Place in `values` + 1; 0: free.
    slots: Vec<u32>,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self { below: None, first: 0, values: Vec::new(), slots: Vec::new() }
    }
}

impl<T: core::hash::Hash + Eq> Interner<T> {
    /// Returns the number of a value, a new one where it was not there yet.
    pub fn number(&mut self, value: T) -> u32 {
        let hash = hash_of(&value);
        if let Some(known) = self.find(&value, hash) {
            return known;
        }
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
        let mut at = spread(hash) as usize & mask;
        while self.slots[at] != 0 {
            at = (at + 1) & mask;
        }
        let n = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        self.slots[at] = n + 1;
        self.values.push(value);
        self.first + n
    }

    fn find(&self, value: &T, hash: u64) -> Option<u32> {
        if let Some(known) = self.below.as_ref().and_then(|b| b.find(value, hash)) {
            return Some(known);
        }
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = spread(hash) as usize & mask;
        while let Some(n) = self.slots[at].checked_sub(1) {
            if self.values[n as usize] == *value {
                return Some(self.first + n);
            }
            at = (at + 1) & mask;
        }
        None
    }

    /// Returns a value by its number.
    #[inline]
    pub fn get(&self, number: u32) -> &T {
        match (number.checked_sub(self.first), &self.below) {
            (None, Some(below)) => below.get(number),
            (at, _) => &self.values[at.unwrap_or(number) as usize],
        }
    }

    /// Returns how many there are.
    pub const fn len(&self) -> usize {
        self.first as usize + self.values.len()
    }

    /// Puts what is known below; copies share it from now on.
    pub fn freeze(&mut self) {
        if !self.values.is_empty() {
            self.values.shrink_to_fit();
            let first = self.len() as u32;
            let below = core::mem::take(self);
            *self = Self { below: Some(Arc::new(below)), first, ..Self::default() };
        }
    }

    /// Says whether a number means the same value here and in a copy: both have it from the same place below.
    pub fn is_below(&self, copy: &Self, number: u32) -> bool {
        let (Some(a), Some(b)) = (self.layer_below(number), copy.layer_below(number)) else { return false };
        core::ptr::eq(a, b) && (number as usize) < a.len()
    }

    /// The frozen values that a number would stand among.
    fn layer_below(&self, number: u32) -> Option<&Self> {
        let mut at = self.below.as_deref()?;
        while number < at.first {
            at = at.below.as_deref()?;
        }
        Some(at)
    }

    /// Takes out what stands above the last freeze, in order of numbers.
    pub fn take_own(&mut self) -> Vec<T> {
        self.slots.clear();
        core::mem::take(&mut self.values)
    }
}

/// Values by number, as [`Interner`] keeps them, without a search by value.
#[derive(Clone, Debug)]
pub(crate) struct Stack<T> {
    below: Option<Arc<Self>>,
    first: u32,
    values: Vec<T>,
}

impl<T> Default for Stack<T> {
    fn default() -> Self {
        Self { below: None, first: 0, values: Vec::new() }
    }
}

impl<T> Stack<T> {
    /// Returns a value by its number.
    #[inline]
    pub fn get(&self, number: u32) -> &T {
        match (number.checked_sub(self.first), &self.below) {
            (None, Some(below)) => below.get(number),
            (at, _) => &self.values[at.unwrap_or(number) as usize],
        }
    }

    /// Adds a value with the next number.
    pub fn push(&mut self, value: T) {
        self.values.push(value);
    }

    /// Puts what is known below; copies share it from now on.
    pub fn freeze(&mut self) {
        if !self.values.is_empty() {
            self.values.shrink_to_fit();
            let first = self.first + self.values.len() as u32;
            let below = core::mem::take(self);
            *self = Self { below: Some(Arc::new(below)), first, values: Vec::new() };
        }
    }
}
