//! Where traffic starts and what carries it, whatever its volume is: that much follows from the network alone.

use crate::difference::senders;
use crate::{Exit, Walk, World};
use bgp::{Family, Prefix};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Something that carries traffic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Carrier {
    /// An exit.
    Exit(Exit),
    /// A link inside the network.
    Link(String),
}

impl core::fmt::Display for Carrier {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Exit(exit) => write!(f, "exit {exit}"),
            Self::Link(link) => write!(f, "link {link}"),
        }
    }
}

/// Packets that leave by one exit to prefixes of one destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stream {
    /// Never empty.
    pub prefixes: Vec<Prefix>,
    /// Where they start: routers of ours, each with the same share. Never empty.
    pub sources: Vec<usize>,
}

/// The traffic of a network without its volumes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The exits that are looked at.
    pub(crate) exits: Vec<Exit>,
    /// By exit.
    pub(crate) streams: Vec<Vec<Stream>>,
    /// Destinations by family.
    places: [Places; 2],
}

/// Destinations of a family: each prefix with its place ([`routing::Solution::places`]).
type Places = Arc<Vec<(Prefix, u32)>>;

fn places(world: &World<'_>) -> [Places; 2] {
    world.families.each_ref().map(|s| Arc::clone(s.solution.places()))
}

impl Shape {
    /// Finds where the traffic of every exit starts: at routers of ours whose packets leave there; those without sessions to other ASes when
    /// there are any.
    pub(crate) fn new(world: &World<'_>, exits: &[Exit]) -> Self {
        let edges: BTreeSet<usize> = world
            .families
            .iter()
            .flat_map(|s| &s.directions)
            .filter(|d| crate::announced::outward(world, d).is_some())
            .filter_map(|d| d.from)
            .collect();
        let streams = exits.iter().map(|exit| Self::streams(world, exit, &edges)).collect();
        Self { exits: exits.to_vec(), streams, places: places(world) }
    }

    fn streams(world: &World<'_>, exit: &Exit, edges: &BTreeSet<usize>) -> Vec<Stream> {
        let mut out = Vec::new();
        for solved in &world.families {
            for class in &solved.solution.classes {
                // prefixes of one destination part only where a shorter prefix takes over
                let whole = class.prefixes.first().is_some_and(|p| world.own.iter().all(|r| solved.best(*r, p).is_some()));
                let size = if whole { class.prefixes.len() } else { 1 };
                for prefixes in class.prefixes.chunks(size.max(1)) {
                    let mut sources = prefixes.first().map(|p| senders(world, exit, p)).unwrap_or_default();
                    if sources.is_empty() {
                        continue;
                    }
                    if sources.iter().any(|s| !edges.contains(s)) {
                        sources.retain(|s| !edges.contains(s));
                    }
                    out.push(Stream { prefixes: prefixes.to_vec(), sources });
                }
            }
        }
        out
    }
}

/// Prefixes of a stream that are one destination in the network that carries them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portion {
    /// Position in the shape.
    pub exit: u32,
    /// Position at the exit.
    pub stream: u32,
    /// Position among the splits; `None`: the whole stream.
    split: Option<u32>,
    /// Its ways among all: from here, so many.
    ways: (u32, u32),
}

/// What carries each part of the traffic in a network.
#[derive(Debug, Default)]
pub struct Carriage {
    /// Carriers, in no order.
    pub(crate) carriers: Vec<Carrier>,
    pub(crate) portions: Vec<Portion>,
    /// Positions of prefixes in their stream.
    splits: Vec<Vec<u32>>,
    /// Of every source that works, which of the lists.
    ways: Vec<u32>,
    /// What carries the packets of one router, with the share of each.
    lists: Vec<Vec<(u32, f64)>>,
}

impl Carriage {
    /// Follows every stream through a network.
    pub(crate) fn new(shape: &Shape, world: &World<'_>) -> Self {
        let places = places(world);
        let others = [0, 1].map(|f| (places[f] != shape.places[f]).then_some(&places[f]));
        let (mut out, mut known) = (Self::default(), Known::default());
        for (exit, streams) in (0..).zip(&shape.streams) {
            for (number, stream) in (0..).zip(streams) {
                for (first, split) in portions(&stream.prefixes, others) {
                    let start = out.ways.len() as u32;
                    for source in stream.sources.iter().filter(|s| world.works(**s)) {
                        let list = known.list(&mut out, world.walks(*source, &first));
                        out.ways.push(list);
                    }
                    let split = split.map(|s| {
                        out.splits.push(s);
                        out.splits.len() as u32 - 1
                    });
                    let ways = (start, out.ways.len() as u32 - start);
                    out.portions.push(Portion { exit, stream: number, split, ways });
                }
            }
        }
        out
    }

    /// Returns how large it is.
    pub(crate) fn len(&self) -> usize {
        let lists = self.lists.iter().map(Vec::len).sum::<usize>();
        self.ways.len() + self.portions.len() + lists + self.splits.iter().map(Vec::len).sum::<usize>()
    }

    /// Returns the prefixes of a portion by their positions in the stream; `None`: all.
    pub(crate) fn split(&self, portion: &Portion) -> Option<&[u32]> {
        portion.split.map(|s| &*self.splits[s as usize])
    }

    /// Returns what carries the packets of each source of a portion, with the share of each carrier.
    pub(crate) fn shares(&self, portion: &Portion) -> impl Iterator<Item = &(u32, f64)> {
        let (start, count) = (portion.ways.0 as usize, portion.ways.1 as usize);
        self.ways[start..start + count].iter().flat_map(|list| &self.lists[*list as usize])
    }
}

/// Prefixes that were one destination may be several in another network. `others`: its destinations by family, where they are not those before.
/// Returns of each the first prefix, and the positions of all where they are not the whole.
fn portions(prefixes: &[Prefix], others: [Option<&Places>; 2]) -> Vec<(Prefix, Option<Vec<u32>>)> {
    let Some(first) = prefixes.first() else { return Vec::new() };
    let Some(places) = others[usize::from(first.family() == Family::Ipv6Unicast)].filter(|_| prefixes.len() > 1) else {
        return vec![(*first, None)];
    };
    let place = |prefix: &Prefix| places.binary_search_by_key(prefix, |(p, _)| *p).ok().map(|at| places[at].1);
    let mut out: BTreeMap<Option<u32>, (Prefix, Vec<u32>)> = BTreeMap::new();
    for (position, prefix) in (0..).zip(prefixes) {
        out.entry(place(prefix)).or_insert((*prefix, Vec::new())).1.push(position);
    }
    out.into_values().map(|(prefix, positions)| (prefix, Some(positions))).collect()
}

/// Numbers that were given.
#[derive(Default)]
struct Known {
    exits: BTreeMap<Exit, u32>,
    links: BTreeMap<String, u32>,
    /// By the ways' own address; they are kept, so that no other ones have it.
    lists: BTreeMap<usize, (Arc<Vec<Walk>>, u32)>,
}

impl Known {
    /// Returns the list of what carries these ways, as far as packets arrive.
    fn list(&mut self, out: &mut Carriage, walks: Arc<Vec<Walk>>) -> u32 {
        if let Some((_, list)) = self.lists.get(&Arc::as_ptr(&walks).addr()) {
            return *list;
        }
        let mut list = Vec::new();
        for walk in walks.iter().filter(|w| w.end.works()) {
            let exit = walk.exit.iter().map(|exit| numbered(&mut self.exits, &mut out.carriers, exit, Carrier::Exit));
            list.extend(exit.map(|number| (number, walk.share)));
            let links = walk.links.iter().map(|link| numbered(&mut self.links, &mut out.carriers, link, Carrier::Link));
            list.extend(links.map(|number| (number, walk.share)));
        }
        out.lists.push(list);
        let number = out.lists.len() as u32 - 1;
        self.lists.insert(Arc::as_ptr(&walks).addr(), (walks, number));
        number
    }
}

/// Returns the number of a carrier, a new one where it has none.
fn numbered<K: Ord + Clone>(known: &mut BTreeMap<K, u32>, carriers: &mut Vec<Carrier>, key: &K, carrier: fn(K) -> Carrier) -> u32 {
    if let Some(number) = known.get(key) {
        return *number;
    }
    carriers.push(carrier(key.clone()));
    let number = carriers.len() as u32 - 1;
    known.insert(key.clone(), number);
    number
}
