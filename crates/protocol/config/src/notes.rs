//! What a reader could not take, and what contradicts itself: kept with line, block and effect.

use crate::{RouterConfig, Unmodelled};
use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

/// Entries kept in each list; the rest is counted by the last entry. A configuration of a hundred thousand foreign lines must not fill
/// memory twice.
const NOTES_MAX: usize = 10_000;
/// Characters of a line kept.
const TEXT_MAX: usize = 400;

/// Something that is named in one place and defined in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Object {
    Prefixes,
    Communities,
    LargeCommunities,
    AsPaths,
    Policy,
    Group,
}

impl Object {
    const fn noun(self) -> &'static str {
        match self {
            Self::Prefixes => "prefix list",
            Self::Communities => "community list",
            Self::LargeCommunities => "large community list",
            Self::AsPaths => "AS-path list",
            Self::Policy => "policy",
            Self::Group => "group",
        }
    }
}

/// Collects while a configuration is read.
#[derive(Default)]
pub(crate) struct Notes {
    unmodelled: Vec<Unmodelled>,
    problems: Vec<Unmodelled>,
    dropped: (usize, usize),
    uses: Vec<(Object, String, u32)>,
    defined: BTreeSet<(Object, String)>,
    addresses: BTreeMap<IpAddr, (String, u32)>,
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_MAX).collect()
}

impl Notes {
    /// Notes a line that is not modelled.
    pub fn unmodelled(&mut self, line: u32, text: &str, context: &str, effect: &str) {
        let note = Unmodelled { line, text: cut(text), context: cut(context), effect: effect.to_owned() };
        keep(&mut self.unmodelled, &mut self.dropped.0, note);
    }

    /// Notes a contradiction; `effect` says what was kept.
    pub fn problem(&mut self, line: u32, text: &str, context: &str, effect: &str) {
        let note = Unmodelled { line, text: cut(text), context: cut(context), effect: effect.to_owned() };
        keep(&mut self.problems, &mut self.dropped.1, note);
    }

    /// Remembers that something is named here.
    pub fn uses(&mut self, object: Object, name: &str, line: u32) {
        self.uses.push((object, name.to_owned(), line));
    }

    /// Remembers that something is defined.
    pub fn defines(&mut self, object: Object, name: &str) {
        self.defined.insert((object, name.to_owned()));
    }

    /// Says whether something has been defined so far.
    pub fn is_defined(&self, object: Object, name: &str) -> bool {
        self.defined.contains(&(object, name.to_owned()))
    }

    /// Remembers an interface's address; the same on another interface is a problem.
    pub fn address(&mut self, address: IpAddr, interface: &str, line: u32, link_local: bool) {
        if link_local {
            return;
        }
        if let Some((other, first)) = self.addresses.get(&address).filter(|(other, _)| other != interface) {
            let effect = format!("{address} is on {other} too (line {first}); both are kept, and sessions may end at either");
            self.problem(line, &address.to_string(), &format!("interface {interface}"), &effect);
            return;
        }
        self.addresses.insert(address, (interface.to_owned(), line));
    }

    /// Puts everything into the configuration. `undefined` says what the router does with a name without a definition.
    pub fn finish(mut self, config: &mut RouterConfig, undefined: impl Fn(Object) -> &'static str) {
        let uses = core::mem::take(&mut self.uses);
        for (object, name, line) in uses {
            if !self.is_defined(object, &name) {
                let text = format!("{} {name}", object.noun());
                let effect = format!("used but not defined: {}", undefined(object));
                self.problem(line, &text, "", &effect);
            }
        }
        for (list, dropped) in [(&mut self.unmodelled, self.dropped.0), (&mut self.problems, self.dropped.1)] {
            if dropped > 0
                && let Some(last) = list.last_mut()
            {
                last.effect = format!("{}; and {dropped} more such lines", last.effect);
            }
        }
        self.problems.sort_by_key(|p| p.line);
        config.unmodelled.append(&mut self.unmodelled);
        config.problems.append(&mut self.problems);
    }
}

fn keep(list: &mut Vec<Unmodelled>, dropped: &mut usize, note: Unmodelled) {
    if list.len() < NOTES_MAX {
        list.push(note);
    } else {
        *dropped += 1;
    }
}
