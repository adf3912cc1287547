//! A vector in pages that copies share until one of them writes: a copy of the tables costs one count a page, and what is written after it
//! costs the pages that are touched.

use core::ops::{Index, IndexMut, Range};
use std::sync::Arc;

/// Values by their number, `N` to a page.
#[derive(Debug)]
pub(crate) struct Pages<T, const N: usize> {
    pages: Vec<Arc<[T]>>,
    length: usize,
}

impl<T, const N: usize> Clone for Pages<T, N> {
    fn clone(&self) -> Self {
        Self { pages: self.pages.clone(), length: self.length }
    }
}

impl<T, const N: usize> Pages<T, N> {
    pub const fn new() -> Self {
        Self { pages: Vec::new(), length: 0 }
    }

    pub const fn len(&self) -> usize {
        self.length
    }

    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Returns the bytes of all pages, those that a copy shares included.
    pub const fn bytes(&self) -> usize {
        self.pages.len() * N * size_of::<T>() + self.pages.capacity() * size_of::<Arc<[T]>>()
    }

    /// Returns a value; `None` for a number that no value has.
    pub fn get(&self, at: usize) -> Option<&T> {
        self.pages.get(at / N)?.get(at % N)
    }

    /// Returns the first number in `range` whose value is wanted.
    pub fn position(&self, mut range: Range<usize>, wanted: impl Fn(&T) -> bool) -> Option<usize> {
        while range.start < range.end {
            let (page, from) = (self.pages.get(range.start / N)?, range.start % N);
            let to = N.min(from + range.len());
            if let Some(found) = page.get(from..to)?.iter().position(&wanted) {
                return Some(range.start + found);
            }
            range.start += to - from;
        }
        None
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flat_map(|p| p.iter()).take(self.length)
    }
}

impl<T: Clone + Default, const N: usize> Pages<T, N> {
    /// Makes `length` times the same value; all in one page, until they are written to.
    pub fn filled(length: usize, value: &T) -> Self {
        let page: Arc<[T]> = (0..N).map(|_| value.clone()).collect();
        Self { pages: vec![page; length.div_ceil(N)], length }
    }

    /// Returns a value to write to; its page is this copy's own from here on.
    pub fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        Arc::make_mut(self.pages.get_mut(at / N)?).get_mut(at % N)
    }

    /// Appends a value.
    pub fn push(&mut self, value: T) {
        if self.length == self.pages.len() * N {
            self.pages.push((0..N).map(|_| T::default()).collect());
        }
        self.length += 1;
        let last = self.length - 1;
        self[last] = value;
    }
}

impl<T, const N: usize> Index<usize> for Pages<T, N> {
    type Output = T;

    fn index(&self, at: usize) -> &T {
        &self.pages[at / N][at % N]
    }
}

impl<T: Clone, const N: usize> IndexMut<usize> for Pages<T, N> {
    fn index_mut(&mut self, at: usize) -> &mut T {
        &mut Arc::make_mut(&mut self.pages[at / N])[at % N]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_keeps_what_it_saw_and_shares_the_rest() {
        let mut pages: Pages<u32, 4> = Pages::new();
        for i in 0..10 {
            pages.push(i);
        }
        let copy = pages.clone();
        *pages.get_mut(5).unwrap() = 50;
        pages.push(10);
        assert_eq!(copy.iter().copied().collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
        assert_eq!(pages.iter().copied().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 50, 6, 7, 8, 9, 10]);
        assert_eq!(pages.position(2..11, |v| *v > 5), Some(5));
        assert_eq!((pages.position(6..11, |v| *v > 9), pages.position(0..5, |v| *v > 9)), (Some(10), None));
        let shared: Vec<bool> = pages.pages.iter().zip(&copy.pages).map(|(a, b)| Arc::ptr_eq(a, b)).collect();
        assert_eq!(shared, [true, false, false]);
        assert_eq!((pages.get(u32::MAX as usize), Pages::<u8, 4>::filled(5, &7).iter().count()), (None, 5));
    }
}
