//! Values by path: elements share their beginnings, patterns find what is below.

use crate::{Path, PathElem};
use std::collections::BTreeMap;

/// A node: what stands at its path, and what stands below.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Trie<T> {
    value: Option<T>,
    children: BTreeMap<PathElem, Self>,
}

impl<T> Default for Trie<T> {
    fn default() -> Self {
        Self { value: None, children: BTreeMap::new() }
    }
}

impl<T> Trie<T> {
    pub fn is_empty(&self) -> bool {
        self.value.is_none() && self.children.is_empty()
    }

    pub fn get(&self, elems: &[PathElem]) -> Option<&T> {
        elems.iter().try_fold(self, |node, elem| node.children.get(elem))?.value.as_ref()
    }

    /// Puts a value and returns the one that stood there.
    pub fn insert(&mut self, elems: &[PathElem], value: T) -> Option<T> {
        let mut node = self;
        for elem in elems {
            // most paths are there already: they are found without a copy of their elements
            if !node.children.contains_key(elem) {
                node.children.insert(elem.clone(), Self::default());
            }
            node = node.children.get_mut(elem)?;
        }
        node.value.replace(value)
    }

    /// Removes what is at and below `pattern` (`*` as a name or as a key's value fits any; an absent key too); tells `gone` of each.
    pub fn remove(&mut self, pattern: &[PathElem], at: &mut Path, gone: &mut dyn FnMut(&Path, T)) {
        let Some((first, rest)) = pattern.split_first() else {
            core::mem::take(self).drain(at, gone);
            return;
        };
        let mut below = |elem: &PathElem, child: &mut Self| {
            if fits(first, elem) {
                at.elems.push(elem.clone());
                child.remove(rest, at, gone);
                at.elems.pop();
            }
            !child.is_empty()
        };
        if first.name == "*" {
            self.children.retain(|elem, child| below(elem, child));
            return;
        }
        // elements of one name stand together, the one without keys first
        let start = PathElem { name: first.name.clone(), ..PathElem::default() };
        let same = self.children.range_mut(start..).take_while(|(elem, _)| elem.name == first.name);
        let empty: Vec<PathElem> = same.filter_map(|(elem, child)| (!below(elem, child)).then(|| elem.clone())).collect();
        for elem in empty {
            self.children.remove(&elem);
        }
    }

    fn drain(self, at: &mut Path, gone: &mut dyn FnMut(&Path, T)) {
        if let Some(value) = self.value {
            gone(at, value);
        }
        for (elem, child) in self.children {
            at.elems.push(elem);
            child.drain(at, gone);
            at.elems.pop();
        }
    }

    /// Keeps the values that `keep` says yes to; tells `gone` of the others.
    pub fn retain(&mut self, at: &mut Path, keep: &dyn Fn(&T) -> bool, gone: &mut dyn FnMut(&Path, T)) {
        if let Some(value) = self.value.take_if(|v| !keep(v)) {
            gone(at, value);
        }
        self.children.retain(|elem, child| {
            at.elems.push(elem.clone());
            child.retain(at, keep, gone);
            at.elems.pop();
            !child.is_empty()
        });
    }

    /// Says whether anything stands at or below `pattern`.
    pub fn holds(&self, pattern: &[PathElem]) -> bool {
        let Some((first, rest)) = pattern.split_first() else { return !self.is_empty() };
        self.children.iter().any(|(elem, child)| fits(first, elem) && child.holds(rest))
    }

    pub fn visit<'a>(&'a self, path: &mut Path, each: &mut dyn FnMut(&Path, &'a T)) {
        if let Some(value) = &self.value {
            each(path, value);
        }
        for (elem, child) in &self.children {
            path.elems.push(elem.clone());
            child.visit(path, each);
            path.elems.pop();
        }
    }
}

/// Says whether an element of a pattern fits an element.
pub(crate) fn fits(pattern: &PathElem, elem: &PathElem) -> bool {
    (pattern.name == "*" || pattern.name == elem.name) && pattern.keys.iter().all(|(k, v)| v == "*" || elem.keys.get(k) == Some(v))
}
