//! Probes: each packet is sent through the simulated network, there and back, and counted when its fate is known.

use super::forward::Arrival;
use super::{Event, SECOND, World};
use crate::face::probes::{FATE_AFTER, Pace, RATE_MAX, Tally, result};
use crate::face::{ProbeConfig, Tree};
use crate::sim::wire::Fate;
use std::collections::VecDeque;
use std::time::Duration;

/// STAMP over UDP over IPv4 over Ethernet.
const PROBE_BYTES: u64 = 44 + 8 + 20 + 14;
/// Packets under way.
const UNDER_WAY_MAX: usize = 256;

/// A packet whose fate is not told yet: when it is known, and forward delay with round trip.
type Sent = (u64, Option<(i64, i64)>);

/// One probe.
#[derive(Debug)]
pub struct ProbeSession {
    name: String,
    node: usize,
    config: ProbeConfig,
    /// The link it is pinned to.
    pinned: Option<usize>,
    pace: Pace,
    /// Packets a second that it sends when nobody asks for more; results are told as often.
    usual_hz: u64,
    tree: Tree,
    under_way: VecDeque<Sent>,
    flow: u64,
}

impl ProbeSession {
    /// Prepares a probe of a node; `pinned` is the link that its packets leave by.
    #[must_use]
    pub fn new(node: usize, config: ProbeConfig, pinned: Option<usize>, (pace, usual_hz): (Pace, u64), tree: Tree, flow: u64) -> Self {
        let usual_hz = usual_hz.clamp(1, RATE_MAX);
        Self { name: config.name.clone(), node, config, pinned, pace, usual_hz, tree, under_way: VecDeque::new(), flow }
    }

    fn hz(&self) -> u64 {
        self.pace.hz().max(self.usual_hz)
    }
}

impl World {
    /// Starts a probe.
    pub fn start_probe(&mut self, session: ProbeSession) {
        let index = self.probes.len();
        self.probes.push(session);
        // not all in the same instant
        let first = self.rng.below(SECOND);
        self.after(first, Event::Probe(index));
        let report = self.rng.below(SECOND);
        self.after(SECOND + report, Event::Report(index));
    }

    pub(super) fn send_probe(&mut self, index: usize) {
        let (hz, room) = (self.probes[index].hz(), self.probes[index].under_way.len() < UNDER_WAY_MAX);
        if room {
            let times = self.there_and_back(index);
            let known = times.map_or(FATE_AFTER.as_nanos() as u64, |(_, round_trip)| round_trip as u64);
            let lost = known >= FATE_AFTER.as_nanos() as u64;
            let at = self.now + known.min(FATE_AFTER.as_nanos() as u64);
            self.probes[index].under_way.push_back((at, times.filter(|_| !lost)));
        }
        self.after(SECOND / hz.max(1), Event::Probe(index));
    }

    /// Returns forward delay and round trip in nanoseconds; `None`: lost.
    fn there_and_back(&mut self, index: usize) -> Option<(i64, i64)> {
        let probe = &self.probes[index];
        let (node, source, target, flow) = (probe.node, probe.config.source, probe.config.target, probe.flow);
        let there = self.track(node, target, probe.pinned, flow);
        let Arrival::There(reflector) = there.arrival else { return None };
        let forward = self.travel(&there.wires)?;
        let back = self.track(reflector, source, None, flow);
        (back.arrival == Arrival::There(node)).then_some(())?;
        let round_trip = forward + self.travel(&back.wires)?;
        Some((i64::try_from(forward).ok()?, i64::try_from(round_trip).ok()?))
    }

    pub(super) fn travel(&mut self, wires: &[(usize, usize)]) -> Option<u64> {
        let mut total = 0;
        for (link, wire) in wires {
            match self.links[*link].wires[*wire].offer(PROBE_BYTES) {
                Fate::Arrives(ns) => total += ns,
                Fate::Lost => return None,
            }
        }
        Some(total)
    }

    pub(super) fn report_probe(&mut self, index: usize) {
        let (now, time) = (self.now, self.device_time());
        let probe = &mut self.probes[index];
        let mut tally = Tally::default();
        probe.under_way.retain(|(at, times)| {
            if *at > now {
                return true;
            }
            tally.sent += 1;
            if let Some((forward, round_trip)) = times {
                tally.received += 1;
                tally.forward_ns.push(*forward);
                tally.round_trip_ns.push(*round_trip);
            }
            false
        });
        let interval = Duration::from_secs(1) / u32::try_from(probe.usual_hz).unwrap_or(1);
        probe.tree.put_at(time, vec![result(&probe.name, &tally, probe.hz(), interval)], Vec::new(), true);
        self.after(interval.as_nanos() as u64, Event::Report(index));
    }
}
