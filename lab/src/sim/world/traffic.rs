//! Traffic through the world: what it loads, and what leaves by each exit.

use super::{Event, MS, SECOND, World};
use crate::face::volume_state;
use crate::sim::wire::PACKET_BYTES;
use crate::topology::{Exit, Topology};
use crate::traffic::{Flow, background, share};
use bgp::{Family, Prefix};
use network::DeviceRole;
use std::collections::BTreeMap;
use std::time::Duration;

/// Loads are computed this often.
const STEP: u64 = 200 * MS;
/// Volumes are told this often, as pmacct does in the other lab.
const VOLUME_EVERY: u64 = 5 * SECOND;
/// Octets of a packet that flow accounting sees: without the Ethernet header.
const COUNTED: f64 = (PACKET_BYTES - 14) as f64 / PACKET_BYTES as f64;

/// One flow with where it starts.
#[derive(Clone, Debug)]
struct Stream {
    from: usize,
    flow: Flow,
    /// The prefix that its volume counts for.
    prefix: Option<Prefix>,
    /// Exit whose `fill` it is part of.
    fill: Option<String>,
}

/// All traffic.
#[derive(Clone, Debug, Default)]
pub struct Load {
    streams: Vec<Stream>,
    /// Octets by exit and prefix since they were last told.
    volumes: BTreeMap<(String, Prefix), f64>,
    prefixes: Vec<Prefix>,
    /// Where each stream goes, and the state of routing that it was found by.
    tracks: Option<(u64, Vec<Track>)>,
}

/// The hops of a stream, from node to node.
type Track = Vec<(usize, usize)>;

impl Load {
    /// Makes the background: the spines share its flows, as in the other lab.
    pub(super) fn new(t: &Topology, on: bool) -> Self {
        let mut load = Self { prefixes: t.expected_prefixes(), ..Self::default() };
        let spines: Vec<usize> = places(t, DeviceRole::Spine);
        for (i, flow) in background(t).into_iter().enumerate().filter(|_| on && !spines.is_empty()) {
            load.add(spines[i % spines.len()], flow, None);
        }
        load
    }

    fn add(&mut self, from: usize, flow: Flow, fill: Option<String>) {
        let prefix = self.prefixes.iter().filter(|p| p.contains(flow.to)).max_by_key(|p| p.length()).copied();
        self.tracks = None;
        self.streams.push(Stream { from, flow, prefix, fill });
    }
}

fn places(t: &Topology, role: DeviceRole) -> Vec<usize> {
    t.nodes.iter().enumerate().filter(|(_, n)| n.role.ours() == Some(role)).map(|(i, _)| i).collect()
}

impl World {
    /// Sends extra traffic toward the groups an exit's provider is preferred for, from the spine beside it; replaces an earlier one.
    pub fn fill(&mut self, exit: &Exit, rate_bps: u64) {
        self.stop_filling(exit);
        let t = &self.topology;
        let groups = t.groups.iter().filter(|g| g.preferred == exit.provider);
        let prefixes: Vec<_> = groups.flat_map(|g| g.prefixes.iter()).filter(|p| p.family() == Family::Ipv4Unicast).collect();
        let near =
            |i: &usize| t.ports(&t.nodes[*i].id).iter().filter(|p| p.peer == exit.device).find_map(|p| p.igp_cost).unwrap_or(u16::MAX);
        let Some(spine) = places(t, DeviceRole::Spine).into_iter().min_by_key(near) else { return };
        for flow in share(&prefixes, rate_bps) {
            self.load.add(spine, flow, Some(exit.id.to_string()));
        }
    }

    /// Ends the extra traffic of an exit.
    pub fn stop_filling(&mut self, exit: &Exit) {
        self.load.tracks = None;
        self.load.streams.retain(|s| s.fill.as_deref() != Some(exit.id.as_str()));
    }

    /// Lets traffic flow for a step: loads of every wire by where routing sends each flow now.
    pub(super) fn flow(&mut self) {
        let mut loads: BTreeMap<(usize, usize), f64> = BTreeMap::new();
        let exits: BTreeMap<(usize, usize), String> = self.exit_wires();
        let tracks = self.tracks();
        for (stream, wires) in self.load.streams.iter().zip(&tracks) {
            let mut rate = stream.flow.rate_bps as f64;
            for wire in wires {
                *loads.entry(*wire).or_default() += rate;
                if let (Some(exit), Some(prefix)) = (exits.get(wire), stream.prefix) {
                    // counted where it leaves the router, in front of what the link loses
                    *self.load.volumes.entry((exit.clone(), prefix)).or_default() += rate / 8.0 * COUNTED * STEP as f64 / SECOND as f64;
                }
                rate *= self.links[wire.0].wires[wire.1].passing();
            }
        }
        self.load.tracks = Some((self.routing, tracks));
        for (l, link) in self.links.iter_mut().enumerate() {
            for (w, wire) in link.wires.iter_mut().enumerate() {
                wire.load_bps = loads.get(&(l, w)).copied().unwrap_or(0.0) as u64;
                wire.flow(STEP);
            }
        }
        self.after(STEP, Event::Flow);
    }

    /// Returns where every stream goes now.
    fn tracks(&mut self) -> Vec<Vec<(usize, usize)>> {
        match self.load.tracks.take().filter(|(found_by, _)| *found_by == self.routing) {
            Some((_, tracks)) => tracks,
            None => {
                let streams = self.load.streams.iter().enumerate();
                streams.map(|(i, s)| self.track(s.from, s.flow.to, None, i as u64).wires).collect()
            }
        }
    }

    /// Returns the wires that leave by an exit.
    fn exit_wires(&self) -> BTreeMap<(usize, usize), String> {
        let t = &self.topology;
        let wire = |e: &Exit| {
            let id = t.link_of(e)?.id();
            let link = self.links.iter().position(|l| l.id == id)?;
            Some(((link, self.links[link].wire_from(self.index(&e.device)?)), e.id.to_string()))
        };
        t.exits.iter().filter_map(wire).collect()
    }

    pub(super) fn tell_volumes(&mut self) {
        let mut volumes: BTreeMap<String, BTreeMap<Prefix, u64>> = BTreeMap::new();
        for ((exit, prefix), octets) in &mut self.load.volumes {
            if *octets >= 1.0 {
                volumes.entry(exit.clone()).or_default().insert(*prefix, *octets as u64);
                *octets = octets.fract();
            }
        }
        for exit in &self.topology.exits {
            let Some(tree) = self.index(&exit.device).and_then(|i| self.trees[i].as_ref()) else { continue };
            let sums = volumes.remove(exit.id.as_str()).unwrap_or_default();
            tree.put_at(
                self.device_time(),
                vec![volume_state(exit.id.as_str(), &sums, 0, Duration::from_nanos(VOLUME_EVERY))],
                Vec::new(),
                true,
            );
        }
        self.after(VOLUME_EVERY, Event::Volumes);
    }
}
