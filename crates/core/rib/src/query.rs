//! Questions to the tables.

use crate::attributes::Attributes;
use crate::keep::Hold;
use crate::paths::{List, Path, PathKey};
use crate::rib::{Rib, RouterCounts, aligned};
use crate::table::{FAMILIES, FamilyStatus, PeerKey, RouterId, TableId, TableKey};
use crate::trie::{Key, Node, Trie};
use bgp::{Family, Prefix};
use bmp::{AfiSafi, View};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use serde::Serialize;
use std::collections::BTreeMap;
use units::Timestamp;

/// How sure a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// Announced in the present session.
    Confirmed,
    /// From before the session or its transport was lost, and not announced again.
    Stale,
    /// Kept by long-lived graceful restart (RFC 9494): least preferred.
    LongLivedStale,
}

/// One path to a prefix.
#[derive(Clone, Copy, Debug)]
pub struct Route<'a> {
    rib: &'a Rib,
    prefix: Prefix,
    path: Path,
}

impl Route<'_> {
    /// Returns the prefix.
    #[must_use]
    pub const fn prefix(&self) -> Prefix {
        self.prefix
    }

    /// Returns the table that it is in.
    #[must_use]
    pub const fn table(&self) -> TableId {
        TableId(self.path.table())
    }

    /// Returns the path identifier (RFC 7911), where the sender uses them.
    #[must_use]
    pub fn path_id(&self) -> Option<u32> {
        self.path.path_id()
    }

    /// Returns since when it has these attributes, to the second.
    #[must_use]
    pub fn since(&self) -> Timestamp {
        Timestamp::from_millis(i64::from(self.path.since_s) * 1000)
    }

    /// Returns its attributes.
    #[must_use]
    pub fn attributes(&self) -> Attributes {
        self.rib.attributes_at(self.path.attributes)
    }

    pub(crate) const fn set(&self) -> u32 {
        self.path.attributes
    }

    /// Returns a number that tells whether two paths of one [`Rib`] have equal attributes.
    #[must_use]
    pub const fn attributes_number(&self) -> u32 {
        self.path.attributes
    }

    pub(crate) const fn since_s(&self) -> u32 {
        self.path.since_s
    }

    pub(crate) const fn epoch(&self) -> u8 {
        self.path.epoch()
    }

    /// Says how sure it is.
    #[must_use]
    pub fn mark(&self) -> Mark {
        let state = self.rib.tables.get(self.path.table() as usize).and_then(|t| t.family(self.prefix.family()));
        match state {
            Some(f) if f.epoch == self.path.epoch() => Mark::Confirmed,
            Some(f) if matches!(f.hold, Some(Hold::LongLived { .. })) => Mark::LongLivedStale,
            _ => Mark::Stale,
        }
    }
}

/// Bytes by what they are for, as the structures count them; capacity, not use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Prefixes.
    pub prefixes_bytes: usize,
    /// Paths.
    pub paths_bytes: usize,
    /// Attribute sets.
    pub attributes_bytes: usize,
    /// Remembered attribute blocks (bounded).
    pub blocks_bytes: usize,
}

impl Memory {
    /// Returns the sum.
    #[must_use]
    pub const fn total_bytes(&self) -> usize {
        self.prefixes_bytes + self.paths_bytes + self.attributes_bytes + self.blocks_bytes
    }
}

/// One table in a summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSummary<'a> {
    /// Which.
    pub id: TableId,
    /// What makes it that table.
    pub key: &'a TableKey,
    /// Name of its router.
    pub router: &'a str,
    /// States and counts of its families.
    pub families: Vec<(Family, FamilyStatus)>,
    /// What is counted and not kept.
    pub counted: &'a BTreeMap<AfiSafi, crate::table::Counted>,
}

impl Rib {
    /// Returns all tables, by router in the order of their first message, then by peer and view.
    pub fn tables(&self) -> impl Iterator<Item = TableSummary<'_>> {
        self.by_key.values().filter_map(|number| self.summary(*number))
    }

    /// Returns the number of a router that is known.
    #[must_use]
    pub fn router_named(&self, name: &str) -> Option<RouterId> {
        self.by_name.get(name).copied().map(RouterId)
    }

    /// Returns the tables of one router, by peer, instance and view.
    pub fn tables_of_router(&self, router: RouterId) -> impl Iterator<Item = TableSummary<'_>> {
        self.tables_of(router, |_| true).into_iter().filter_map(|number| self.summary(number))
    }

    /// Returns one table with its states.
    fn summary(&self, number: u32) -> Option<TableSummary<'_>> {
        let table = self.tables.get(number as usize)?;
        let families = FAMILIES.iter().filter_map(|f| Some((*f, table.family(*f)?.status()))).collect();
        Some(TableSummary { id: TableId(number), key: &table.key, router: self.name(table.key.router), families, counted: &table.counted })
    }

    /// Returns how many paths a table has.
    #[must_use]
    pub fn routes_of(&self, table: TableId) -> u64 {
        FAMILIES.iter().filter_map(|f| self.status(table, *f)).map(|s| s.routes).sum()
    }

    /// Returns the paths of one table in one family, in the order of address and length, and of one prefix by path identifier.
    pub fn of_table(&self, table: TableId, family: Family) -> impl Iterator<Item = Route<'_>> {
        let any = self.status(table, family).filter(|s| s.routes > 0).and_then(|_| whole(family));
        let (four, six) = match family {
            Family::Ipv4Unicast => (any.map(|_| self.store.v4.all()), None),
            Family::Ipv6Unicast => (None, any.map(|_| self.store.v6.all())),
        };
        let four = four.into_iter().flatten().map(|n| (n.paths, n.key.aligned(), n.length));
        let six = six.into_iter().flatten().map(|n| (n.paths, n.key.aligned(), n.length));
        four.chain(six).flat_map(move |(list, bits, length)| self.of_list(table, family, list, bits, length))
    }

    /// Returns the paths of a prefix in one table, by path identifier.
    pub fn exact_in<'a>(&'a self, table: TableId, prefix: &Prefix) -> impl Iterator<Item = Route<'a>> + use<'a> {
        let (family, bits, length) = (prefix.family(), aligned(prefix), prefix.length());
        let list = match family {
            Family::Ipv4Unicast => find(&self.store.v4, bits, length),
            Family::Ipv6Unicast => find(&self.store.v6, bits, length),
        };
        self.of_list(table, family, list.unwrap_or_default(), bits, length)
    }

    fn of_list(&self, table: TableId, family: Family, list: List, bits: u128, length: u8) -> impl Iterator<Item = Route<'_>> + use<'_> {
        let first = self.store.lists.search(list, PathKey::new(table.0, None)).unwrap_or_else(|at| at);
        let paths = self.store.lists.get(list).get(first..).unwrap_or_default();
        let state = self.tables.get(table.0 as usize).and_then(|t| t.family(family));
        paths.iter().take_while(move |p| p.table() == table.0).filter_map(move |path| {
            let prefix = spelled(family, bits, length).filter(|_| state.is_some_and(|s| s.is_alive(path.epoch())))?;
            Some(Route { rib: self, prefix, path: *path })
        })
    }

    /// Returns what makes a table that table.
    #[must_use]
    pub fn key(&self, table: TableId) -> Option<&TableKey> {
        self.tables.get(table.0 as usize).map(|t| &t.key)
    }

    /// Returns the number of a table.
    #[must_use]
    pub fn find(&self, router: RouterId, peer: PeerKey, instance: Option<&str>, view: View) -> Option<TableId> {
        let key = TableKey { router, peer, instance: instance.map(str::to_owned), view };
        self.by_key.get(&key).copied().map(TableId)
    }

    /// Returns the name that a router was given.
    #[must_use]
    pub fn name(&self, router: RouterId) -> &str {
        self.routers.get(router.0 as usize).map_or("", |r| &r.name)
    }

    /// Returns the router's own words on itself (tainted).
    #[must_use]
    pub fn sys_name(&self, router: RouterId) -> Option<&str> {
        self.routers.get(router.0 as usize)?.sys_name.as_deref()
    }

    /// Returns what came from a router.
    #[must_use]
    pub fn counts(&self, router: RouterId) -> Option<&RouterCounts> {
        self.routers.get(router.0 as usize).map(|r| &r.counts)
    }

    /// Returns how many prefixes of a family have at least one path. Walks them all while there are paths that their table let go of.
    #[must_use]
    pub fn prefixes(&self, family: Family) -> usize {
        if self.store.dead > 0 {
            let mut last = None;
            return self.iter(family).filter(|r| last.replace(r.prefix()) != Some(r.prefix())).count();
        }
        match family {
            Family::Ipv4Unicast => self.store.v4.len(),
            Family::Ipv6Unicast => self.store.v6.len(),
        }
    }

    /// Returns how many routes there are in all tables.
    #[must_use]
    pub const fn routes(&self) -> u64 {
        self.store.live
    }

    /// Returns how many different attribute sets paths have. Sets that are only remembered (see [`Memory::blocks_bytes`]) do not count.
    #[must_use]
    pub fn attribute_sets(&self) -> usize {
        let mut held: BTreeMap<u32, u32> = BTreeMap::new();
        self.blocks.sets().for_each(|set| *held.entry(set).or_default() += 1);
        let idle = held.iter().filter(|(set, blocks)| self.store.sets.references(**set) == **blocks).count();
        self.store.sets.len() - idle
    }

    /// Returns an estimate of the memory in use.
    #[must_use]
    pub const fn memory(&self) -> Memory {
        Memory {
            prefixes_bytes: self.store.v4.bytes() + self.store.v6.bytes(),
            paths_bytes: self.store.lists.bytes(),
            attributes_bytes: self.store.sets.bytes(),
            blocks_bytes: self.blocks.bytes(),
        }
    }

    /// Returns the paths of a prefix.
    #[must_use]
    pub fn exact(&self, prefix: &Prefix) -> Vec<Route<'_>> {
        let bits = aligned(prefix);
        let list = match prefix.family() {
            Family::Ipv4Unicast => find(&self.store.v4, bits, prefix.length()),
            Family::Ipv6Unicast => find(&self.store.v6, bits, prefix.length()),
        };
        list.map(|list| self.alive(*prefix, list).collect()).unwrap_or_default()
    }

    /// Returns the paths of the longest prefix that holds `address` and has a path in a table that `wanted` wants.
    pub fn longest_match(&self, address: IpAddr, wanted: impl Fn(TableId) -> bool) -> Option<(Prefix, Vec<Route<'_>>)> {
        let mut best = None;
        let mut look = |prefix: Option<Prefix>, list: List| {
            if let Some(prefix) = prefix
                && self.alive(prefix, list).any(|r| wanted(r.table()))
            {
                best = Some((prefix, list));
            }
        };
        match address {
            IpAddr::V4(four) => self.store.v4.holding(u32::from(four), |n| look(prefix_of(n), n.paths)),
            IpAddr::V6(six) => self.store.v6.holding(u128::from(six), |n| look(prefix_of(n), n.paths)),
        }
        best.map(|(prefix, list)| (prefix, self.alive(prefix, list).filter(|r| wanted(r.table())).collect()))
    }

    /// Returns the paths of a prefix and of all prefixes inside it, in the order of address and length.
    pub fn covered(&self, prefix: Prefix) -> impl Iterator<Item = Route<'_>> {
        let (bits, length) = (aligned(&prefix), prefix.length());
        let four = (prefix.family() == Family::Ipv4Unicast).then(|| self.store.v4.covered(u32::of_aligned(bits), length));
        let six = (prefix.family() == Family::Ipv6Unicast).then(|| self.store.v6.covered(u128::of_aligned(bits), length));
        let four = four.into_iter().flatten().filter_map(|n| Some((prefix_of(n)?, n.paths)));
        let six = six.into_iter().flatten().filter_map(|n| Some((prefix_of(n)?, n.paths)));
        four.chain(six).flat_map(|(prefix, list)| self.alive(prefix, list))
    }

    /// Returns all paths of a family, in the order of address and length, and of one prefix in the order of their tables' numbers.
    pub fn iter(&self, family: Family) -> impl Iterator<Item = Route<'_>> {
        whole(family).into_iter().flat_map(|all| self.covered(all))
    }

    fn alive(&self, prefix: Prefix, list: List) -> impl Iterator<Item = Route<'_>> {
        let family = prefix.family();
        self.store.lists.get(list).iter().filter_map(move |path| {
            let state = self.tables.get(path.table() as usize)?.family(family)?;
            state.is_alive(path.epoch()).then_some(Route { rib: self, prefix, path: *path })
        })
    }
}

fn find<K: Key>(trie: &Trie<K>, bits: u128, length: u8) -> Option<List> {
    trie.find(K::of_aligned(bits), length).map(|at| trie.node(at).paths)
}

fn prefix_of<K: Key>(node: &Node<K>) -> Option<Prefix> {
    spelled(if K::BITS == 32 { Family::Ipv4Unicast } else { Family::Ipv6Unicast }, node.key.aligned(), node.length)
}

fn spelled(family: Family, bits: u128, length: u8) -> Option<Prefix> {
    let address: IpAddr = match family {
        Family::Ipv4Unicast => Ipv4Addr::from((bits >> 96) as u32).into(),
        Family::Ipv6Unicast => Ipv6Addr::from(bits).into(),
    };
    Prefix::new(address, length)
}

/// The prefix of everything.
fn whole(family: Family) -> Option<Prefix> {
    spelled(family, 0, 0)
}
