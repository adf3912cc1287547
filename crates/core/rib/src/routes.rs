//! Where the routes of all tables lie: both tries, the path lists, the attribute sets, and the counts that go with them.

use crate::intern::Interner;
use crate::paths::{Lists, Path, PathKey};
use crate::table::{Table, place};
use crate::trie::{Key, Trie};
use bgp::Family;
use bmp::Bits;

/// Paths that died and are not yet taken out, above which it is worth a walk when they are also a third of all.
const DEAD_MAX: u64 = 4096;

/// Tries, paths and sets.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pub v4: Trie<u32>,
    pub v6: Trie<u128>,
    pub lists: Lists,
    pub sets: Interner,
    /// Paths that are counted in their tables.
    pub live: u64,
    /// Paths that nobody sees any more: their table let go of them.
    pub dead: u64,
    /// Announcements that found no room.
    pub refused: u64,
}

/// A change of one path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Announcement {
    pub table: u32,
    pub attributes: u32,
    pub now_s: u32,
    /// Another path may be kept.
    pub room: bool,
}

/// The end of one path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Withdrawal {
    pub table: u32,
    pub bits: Bits,
    pub now_s: u32,
}

impl Store {
    pub const fn new() -> Self {
        Self { v4: Trie::new(), v6: Trie::new(), lists: Lists::new(), sets: Interner::new(), live: 0, dead: 0, refused: 0 }
    }

    /// Announces a prefix; `sets` of the caller's handle is not given back.
    pub fn announce(&mut self, table: &mut Table, family: Family, bits: Bits, what: Announcement) {
        match family {
            Family::Ipv4Unicast => announce(&mut self.v4, &mut self.lists, table, family, bits, what, &mut self.sets),
            Family::Ipv6Unicast => announce(&mut self.v6, &mut self.lists, table, family, bits, what, &mut self.sets),
        }
        .tell(&mut self.live, &mut self.dead, &mut self.refused);
    }

    /// Withdraws a prefix.
    pub fn withdraw(&mut self, table: &mut Table, family: Family, what: Withdrawal) {
        match family {
            Family::Ipv4Unicast => withdraw(&mut self.v4, &mut self.lists, table, family, what, &mut self.sets),
            Family::Ipv6Unicast => withdraw(&mut self.v6, &mut self.lists, table, family, what, &mut self.sets),
        }
        .tell(&mut self.live, &mut self.dead, &mut self.refused);
    }

    /// Notes that a table let go of paths.
    pub const fn died(&mut self, paths: u64) {
        self.live -= paths;
        self.dead += paths;
    }

    /// Says whether it is time to take the dead out.
    pub const fn wants_cleaning(&self) -> bool {
        self.dead > DEAD_MAX && self.dead * 2 > self.live
    }

    /// Takes the dead out of one or both tries, and whatever else `keep` does not want; `keep` may change a path.
    pub fn retain(&mut self, families: &[Family], mut keep: impl FnMut(Family, &mut Path) -> bool) {
        for family in families {
            match family {
                Family::Ipv4Unicast => retain(&mut self.v4, &mut self.lists, &mut self.sets, |p| keep(*family, p)),
                Family::Ipv6Unicast => retain(&mut self.v6, &mut self.lists, &mut self.sets, |p| keep(*family, p)),
            }
        }
    }
}

/// What a change did to the counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Nothing,
    Born,
    Risen,
    Gone,
    Buried,
    Refused,
}

impl Effect {
    const fn tell(self, live: &mut u64, dead: &mut u64, refused: &mut u64) {
        match self {
            Self::Nothing => {}
            Self::Born => *live += 1,
            Self::Risen => {
                *live += 1;
                *dead -= 1;
            }
            Self::Gone => *live -= 1,
            Self::Buried => *dead -= 1,
            Self::Refused => *refused += 1,
        }
    }
}

fn announce<K: Key>(
    trie: &mut Trie<K>,
    lists: &mut Lists,
    table: &mut Table,
    family: Family,
    bits: Bits,
    what: Announcement,
    sets: &mut Interner,
) -> Effect {
    let Some(state) = table.families[place(family)].as_mut() else { return Effect::Nothing };
    let path_key = PathKey::new(what.table, bits.path_id);
    let key = K::of_aligned(bits.address);
    let node = trie.entry(key, bits.length);
    let new = Path::new(path_key, state.epoch, what.attributes, what.now_s);
    match lists.search(node.paths, path_key) {
        Ok(at) => {
            let path = &mut lists.get_mut(node.paths)[at];
            let (alive, epoch, old) = (state.is_alive(path.epoch()), path.epoch(), path.attributes);
            if alive && old == what.attributes {
                path.set_epoch(state.epoch);
            } else {
                *path = new;
                sets.retain(what.attributes);
                sets.release(old);
            }
            if !alive {
                state.routes += 1;
                state.churn.appeared(what.now_s);
                return Effect::Risen;
            }
            if old != what.attributes {
                state.churn.changed(what.now_s);
            }
            if epoch != state.epoch {
                state.unconfirmed -= 1;
            }
            Effect::Nothing
        }
        Err(at) => {
            if !what.room || !lists.insert(&mut node.paths, at, new) {
                if node.paths.is_empty() {
                    trie.remove(key, bits.length);
                }
                return Effect::Refused;
            }
            sets.retain(what.attributes);
            state.routes += 1;
            state.churn.appeared(what.now_s);
            Effect::Born
        }
    }
}

fn withdraw<K: Key>(
    trie: &mut Trie<K>,
    lists: &mut Lists,
    table: &mut Table,
    family: Family,
    what: Withdrawal,
    sets: &mut Interner,
) -> Effect {
    let Withdrawal { table: number, bits, now_s } = what;
    let Some(state) = table.families[place(family)].as_mut() else { return Effect::Nothing };
    let key = K::of_aligned(bits.address);
    let Some(node) = trie.find(key, bits.length) else { return Effect::Nothing };
    let list = trie.paths_mut(node);
    let Ok(at) = lists.search(*list, PathKey::new(number, bits.path_id)) else { return Effect::Nothing };
    let path = lists.get(*list)[at];
    lists.remove(list, at);
    sets.release(path.attributes);
    if list.is_empty() {
        trie.remove(key, bits.length);
    }
    if !state.is_alive(path.epoch()) {
        return Effect::Buried;
    }
    state.routes -= 1;
    state.churn.withdrawn(now_s, 1);
    if path.epoch() != state.epoch {
        state.unconfirmed -= 1;
    }
    Effect::Gone
}

fn retain<K: Key>(trie: &mut Trie<K>, lists: &mut Lists, sets: &mut Interner, mut keep: impl FnMut(&mut Path) -> bool) {
    let mut emptied = Vec::new();
    for at in trie.places() {
        let list = trie.paths_mut(at);
        let mut i = 0;
        while let Some(path) = lists.get_mut(*list).get_mut(i) {
            if keep(path) {
                i += 1;
                continue;
            }
            let attributes = path.attributes;
            lists.remove(list, i);
            sets.release(attributes);
        }
        if list.is_empty() {
            let node = trie.node(at);
            emptied.push((node.key, node.length));
        }
    }
    for (key, length) in emptied {
        trie.remove(key, length);
    }
}
