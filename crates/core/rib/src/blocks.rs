//! Attribute blocks as they stood on the wire, and the set that each was decoded to, so that equal bytes are not decoded twice.
//!
//! A block is remembered only when it decoded without a fault and without a repair that depends on more than its bytes. It keeps its set:
//! what a peer announces, withdraws and announces again is known all the time. The memory is bounded, and a new block lets an old one go.

use crate::hash::hash;
use crate::intern::{Interner, heap_bytes};
use crate::pages::Pages;
use bgp::Asn;

/// Blocks remembered: enough for what a router repeats within seconds. A new one takes the place of an old one.
const BLOCKS: usize = 1 << 16;
/// Blocks of a page: so many are copied when a copy is written to.
const BLOCKS_OF_PAGE: usize = 128;
/// Longest block remembered; those of the default-free zone are shorter by far.
const BLOCK_BYTES: usize = 512;

/// What besides the bytes decides how a block reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Manner {
    /// AS numbers take two octets.
    pub two_octet: bool,
    /// The view before policy of the router's peer, where a missing next hop is a fault.
    pub pre_policy: bool,
    /// From a neighbour of another AS, whose LOCAL_PREF and the like are discarded.
    pub external: bool,
    /// The routes stand behind the attributes and not among them.
    pub plain: bool,
}

impl Manner {
    const fn code(self) -> u64 {
        self.two_octet as u64 | (self.pre_policy as u64) << 1 | (self.plain as u64) << 2 | (self.external as u64) << 3
    }
}

#[derive(Clone, Debug)]
struct Block {
    hash: u64,
    /// The pieces, one after the other.
    bytes: Box<[u8]>,
    /// Where the second and the third begin.
    cuts: [u16; 2],
    manner: Manner,
    set: u32,
    front: Option<[Asn; 2]>,
}

/// What is known of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// Place of its set.
    pub set: u32,
    /// First two AS numbers of the path.
    pub front: Option<[Asn; 2]>,
}

/// The memory of blocks.
#[derive(Clone, Debug)]
pub(crate) struct Blocks {
    blocks: Pages<Option<Block>, BLOCKS_OF_PAGE>,
    bytes: usize,
}

fn hash_of(manner: Manner, pieces: &[&[u8]; 3]) -> u64 {
    let seed = manner.code() ^ (pieces[0].len() as u64) << 8 ^ (pieces[1].len() as u64) << 32;
    let first = hash(seed, pieces[0]);
    if pieces[1].is_empty() { first } else { hash(hash(first, pieces[1]), pieces[2]) }
}

impl Block {
    fn is(&self, manner: Manner, [a, b, c]: &[&[u8]; 3]) -> bool {
        let [first, second] = self.cuts.map(usize::from);
        self.manner == manner
            && self.bytes.len() == a.len() + b.len() + c.len()
            && first == a.len()
            && second == a.len() + b.len()
            && self.bytes.get(..first) == Some(a)
            && self.bytes.get(first..second) == Some(b)
            && self.bytes.get(second..) == Some(c)
    }
}

impl Blocks {
    pub const fn new() -> Self {
        Self { blocks: Pages::new(), bytes: 0 }
    }

    pub const fn bytes(&self) -> usize {
        self.bytes + self.blocks.bytes()
    }

    /// Returns the set of each block.
    pub fn sets(&self) -> impl Iterator<Item = u32> {
        self.blocks.iter().flatten().map(|b| b.set)
    }

    /// Looks a block up.
    pub fn get(&self, manner: Manner, pieces: &[&[u8]; 3]) -> Option<Known> {
        let hash = hash_of(manner, pieces);
        let block = self.blocks.get(hash as usize % BLOCKS)?.as_ref()?;
        (block.hash == hash && block.is(manner, pieces)).then_some(Known { set: block.set, front: block.front })
    }

    /// Remembers a block and holds its set.
    pub fn insert(&mut self, manner: Manner, pieces: &[&[u8]; 3], known: Known, sets: &mut Interner) {
        let [a, b, c] = pieces;
        if a.len() + b.len() + c.len() > BLOCK_BYTES {
            return;
        }
        if self.blocks.is_empty() {
            self.blocks = Pages::filled(BLOCKS, &None);
        }
        let hash = hash_of(manner, pieces);
        // at most BLOCK_BYTES
        let cuts = [a.len() as u16, (a.len() + b.len()) as u16];
        let block = Block { hash, bytes: pieces.concat().into(), cuts, manner, set: known.set, front: known.front };
        self.bytes += heap_bytes(block.bytes.len());
        sets.retain(known.set);
        if let Some(old) = self.blocks[hash as usize % BLOCKS].replace(block) {
            self.bytes -= heap_bytes(old.bytes.len());
            sets.release(old.set);
        }
    }
}
