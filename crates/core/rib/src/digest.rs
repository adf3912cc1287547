//! A digest of everything that the tables say, the same for the same routes in whatever order they came.

use crate::rib::Rib;
use crate::table::{FAMILIES, TableId};
use bgp::Family;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

impl Rib {
    /// Returns the SHA-256 of all tables: who, which view, which state, and every route with its attributes and mark, in the order of
    /// prefix, table and path identifier. Times are no part of it, nor what is only counted.
    #[must_use]
    pub fn state_hash(&self) -> [u8; 32] {
        let mut out = Sha256::new();
        // routers by name, so that the order of their first messages does not count
        let mut order: Vec<_> = self.tables().collect();
        order.sort_by(|a, b| {
            (a.router, &a.key.peer, &a.key.instance, a.key.view).cmp(&(b.router, &b.key.peer, &b.key.instance, b.key.view))
        });
        let mut ranks: BTreeMap<TableId, u32> = BTreeMap::new();
        for (rank, table) in (0_u32..).zip(&order) {
            ranks.insert(table.id, rank);
            let key = table.key;
            text(&mut out, table.router);
            text(
                &mut out,
                &format!("{:?} {} {} {} {:?}", key.peer.kind, key.peer.distinguisher, key.peer.address, key.peer.bgp_id, key.view),
            );
            text(&mut out, key.instance.as_deref().unwrap_or_default());
            for (family, status) in &table.families {
                text(&mut out, &family.to_string());
                text(&mut out, status.state.name());
                out.update(status.routes.to_be_bytes());
            }
        }
        let mut sets: BTreeMap<u32, [u8; 32]> = BTreeMap::new();
        for family in FAMILIES {
            self.add_routes(&mut out, family, &ranks, &mut sets);
        }
        out.finalize().into()
    }

    fn add_routes(&self, out: &mut Sha256, family: Family, ranks: &BTreeMap<TableId, u32>, sets: &mut BTreeMap<u32, [u8; 32]>) {
        let mut group = Vec::new();
        let mut routes = self.iter(family).peekable();
        while let Some(route) = routes.next() {
            group.push((ranks.get(&route.table()).copied(), route.path_id(), route.set(), route.mark()));
            if routes.peek().is_some_and(|next| next.prefix() == route.prefix()) {
                continue;
            }
            text(out, &route.prefix().to_string());
            group.sort_unstable();
            for (rank, path_id, set, mark) in group.drain(..) {
                out.update(rank.unwrap_or(u32::MAX).to_be_bytes());
                out.update([u8::from(path_id.is_some()), mark as u8]);
                out.update(path_id.unwrap_or(0).to_be_bytes());
                // a set is digested once, however many routes have it
                out.update(sets.entry(set).or_insert_with(|| Sha256::digest(self.store.sets.get(set)).into()));
            }
        }
    }
}

/// Adds a text behind its length.
fn text(out: &mut Sha256, text: &str) {
    out.update((text.len() as u64).to_be_bytes());
    out.update(text);
}
