//! Paths in their canonical spelling: `/interfaces/interface[name=Ethernet1]/state/oper-status`.

use crate::module;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An absolute path; prefix already joined, module prefixes stripped, keys sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Path {
    /// Elements from the root.
    pub elems: Vec<PathElem>,
}

/// One element with its keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathElem {
    /// Name without module prefix; `*` and `...` are wildcards in subscriptions.
    pub name: String,
    /// Keys.
    pub keys: BTreeMap<String, String>,
}

/// A text that is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no gNMI path at byte {offset}: {why}")]
pub struct PathError {
    /// The text, cut to 200 characters.
    pub text: String,
    /// Byte offset.
    pub offset: usize,
    /// What is wrong.
    pub why: &'static str,
}

impl Path {
    /// Returns the element names, without keys.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.elems.iter().map(|e| e.name.as_str())
    }

    /// Returns the value of `key` on the first element called `name`.
    #[must_use]
    pub fn key(&self, name: &str, key: &str) -> Option<&str> {
        self.elems.iter().find(|e| e.name == name)?.keys.get(key).map(String::as_str)
    }

    /// Says whether `self` is `other` or an ancestor of it (keys absent here match any).
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.elems.len() <= other.elems.len()
            && self
                .elems
                .iter()
                .zip(&other.elems)
                .all(|(a, b)| (a.name == b.name || a.name == "*") && a.keys.iter().all(|(k, v)| v == "*" || b.keys.get(k) == Some(v)))
    }
}

impl PathElem {
    /// Returns the element without module prefixes, on its name, its keys' names and keys that are identities.
    #[must_use]
    pub fn canonical(self) -> Self {
        let key =
            |(k, v): (String, String)| (module::bare_name(&k).to_owned(), module::bare_key_value(module::bare_name(&k), &v).to_owned());
        Self { name: module::bare_name(&self.name).to_owned(), keys: self.keys.into_iter().map(key).collect() }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.elems.is_empty() {
            return f.write_str("/");
        }
        for e in &self.elems {
            f.write_str("/")?;
            escaped(f, &e.name, &['\\', '/', '['])?;
            for (k, v) in &e.keys {
                write!(f, "[{k}=")?;
                escaped(f, v, &['\\', ']'])?;
                f.write_str("]")?;
            }
        }
        Ok(())
    }
}

/// Writes `text` with a backslash before each of `special` (gNMI path conventions).
fn escaped(f: &mut fmt::Formatter<'_>, text: &str, special: &[char]) -> fmt::Result {
    for c in text.chars() {
        if special.contains(&c) {
            f.write_str("\\")?;
        }
        write!(f, "{c}")?;
    }
    Ok(())
}

impl FromStr for Path {
    type Err = PathError;
    fn from_str(s: &str) -> Result<Self, PathError> {
        let err = |offset: usize, why| PathError { text: s.chars().take(200).collect(), offset, why };
        let mut elems: Vec<PathElem> = Vec::new();
        let mut chars = s.char_indices().peekable();
        if s.is_empty() || s == "/" {
            return Ok(Self::default());
        }
        if s.starts_with('/') {
            chars.next();
        }
        let mut elem = PathElem::default();
        while let Some((i, c)) = chars.next() {
            match c {
                '/' => {
                    if elem.name.is_empty() {
                        return Err(err(i, "empty element"));
                    }
                    elems.push(core::mem::take(&mut elem).canonical());
                }
                '[' => {
                    let (mut key, mut value, mut in_value, mut closed) = (String::new(), String::new(), false, false);
                    while let Some((_, c)) = chars.next() {
                        match c {
                            ']' if in_value => {
                                closed = true;
                                break;
                            }
                            '=' if !in_value => in_value = true,
                            '\\' if in_value => value.extend(chars.next().map(|(_, c)| c)),
                            c if in_value => value.push(c),
                            c => key.push(c),
                        }
                    }
                    if !closed || key.is_empty() {
                        return Err(err(i, "a key wants the form [name=value]"));
                    }
                    elem.keys.insert(key, value);
                }
                c => {
                    if !elem.keys.is_empty() {
                        return Err(err(i, "text after a key"));
                    }
                    // in an element's name `/`, `[` and `\\` are escaped
                    elem.name.extend(if c == '\\' { chars.next().map(|(_, c)| c) } else { Some(c) });
                }
            }
        }
        if elem.name.is_empty() {
            return Err(err(s.len(), "empty element"));
        }
        elems.push(elem.canonical());
        Ok(Self { elems })
    }
}

impl TryFrom<String> for Path {
    type Error = PathError;
    fn try_from(s: String) -> Result<Self, PathError> {
        s.parse()
    }
}

impl From<Path> for String {
    fn from(p: Path) -> Self {
        p.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_one_spelling() {
        let p: Path = "/oc-if:interfaces/interface[name=Eth1/1]/state".parse().unwrap();
        assert_eq!(p.to_string(), "/interfaces/interface[name=Eth1/1]/state");
        assert_eq!(p.key("interface", "name"), Some("Eth1/1"));
        let odd: Path = r"/a[k=x\]y]".parse().unwrap();
        assert_eq!(odd.key("a", "k"), Some("x]y"));
        assert_eq!(odd.to_string().parse::<Path>().unwrap(), odd);
        let slashed = Path { elems: vec![PathElem { name: r"Eth1/1[\x".into(), ..PathElem::default() }] };
        assert_eq!(slashed.to_string().parse::<Path>().unwrap(), slashed);
        assert_eq!("/a//b".parse::<Path>().unwrap_err().offset, 3);
        assert!("/a[k".parse::<Path>().is_err());
    }

    #[test]
    fn covering_ignores_keys_that_are_not_given() {
        let a: Path = "/interfaces/interface/state".parse().unwrap();
        let b: Path = "/interfaces/interface[name=x]/state/counters".parse().unwrap();
        assert!(a.covers(&b) && !b.covers(&a));
    }
}
