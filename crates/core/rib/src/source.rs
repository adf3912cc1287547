//! What is known of the sender of a message, found by the bytes of its per-peer header.

use crate::hash::hash;
use bmp::{Peer, PeerContext};

/// Per-peer header without time.
pub(crate) const HEADER: usize = 34;
/// Places: peers that alternate on one session. More of them only cost time.
const PLACES: usize = 256;

/// A peer in one view, with what its session agreed on. Peer Up and Peer Down make it void.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    header: [u8; HEADER],
    pub table: u32,
    pub peer: Peer,
    pub context: PeerContext,
}

/// The sources of one BMP session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources(Vec<Option<Box<Source>>>);

impl Sources {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn get(&self, header: &[u8; HEADER]) -> Option<&Source> {
        self.0.get(at(header))?.as_deref().filter(|s| s.header == *header)
    }

    pub fn insert(&mut self, header: &[u8; HEADER], table: u32, peer: Peer, context: PeerContext) {
        if self.0.is_empty() {
            self.0.resize_with(PLACES, || None);
        }
        self.0[at(header)] = Some(Box::new(Source { header: *header, table, peer, context }));
    }
}

fn at(header: &[u8; HEADER]) -> usize {
    hash(0, header) as usize % PLACES
}
