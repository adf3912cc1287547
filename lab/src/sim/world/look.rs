//! What is seen of the world from outside: interfaces, and packets sent by hand.

use super::World;
use super::forward::Arrival;
use crate::face::frr::system::interface_path;
use crate::sim::effort::Work;
use gnmi::{Path, Value};
use std::net::IpAddr;

impl World {
    /// Returns what a router has done and holds.
    #[must_use]
    pub fn work(&self, router: usize) -> Work {
        let r = &self.routers[router];
        let held = |p: &crate::sim::session::Peer| p.received.len() + p.accepted.len() + p.announced.len();
        let out = self.links.iter().filter(|l| l.a == router || l.b == router);
        Work {
            at: self.now,
            routes_handled: r.handled,
            routes_held: (r.table.len() + r.peers.values().map(held).sum::<usize>()) as u64,
            octets: out.map(|l| l.wires[l.wire_from(router)].sent.octets).sum(),
        }
    }

    /// Returns the interfaces of a router with their counters, as the other lab's kernel counts them.
    #[must_use]
    pub fn interfaces(&self, router: usize) -> Vec<(Path, Value)> {
        let mut out = Vec::new();
        for link in self.links.iter().filter(|l| l.a == router || l.b == router) {
            let name = &self.topology.nodes[link.other(router)].id;
            let (sent, got) = (&link.wires[link.wire_from(router)], &link.wires[1 - link.wire_from(router)]);
            let state = if link.carrier { "UP" } else { "DOWN" };
            out.push((interface_path(name, &["oper-status"]), Value::String(state.to_owned())));
            out.push((interface_path(name, &["admin-status"]), Value::String("UP".to_owned())));
            let counters = [
                ("in-octets", got.sent.octets),
                ("out-octets", sent.sent.octets),
                ("in-errors", 0),
                ("out-errors", 0),
                ("in-discards", 0),
                ("out-discards", sent.sent.dropped),
            ];
            out.extend(counters.map(|(counter, n)| (interface_path(name, &["counters", counter]), Value::Uint(n))));
        }
        out
    }

    /// Sends packets there and back and tells it as `ping` does.
    pub fn ping(&mut self, from: usize, source: IpAddr, target: IpAddr, count: u32) -> String {
        let mut times = Vec::new();
        for _ in 0..count {
            let there = self.track(from, target, None, 0);
            let Arrival::There(reached) = there.arrival else { continue };
            let back = self.track(reached, source, None, 0);
            let both: Vec<_> = there.wires.iter().chain(&back.wires).copied().collect();
            times.extend(self.travel(&both).filter(|_| back.arrival == Arrival::There(from)));
        }
        let mut out = format!("{count} packets transmitted, {} received\n", times.len());
        let ms = |ns: u64| ns as f64 / 1e6;
        if let (Some(min), Some(max)) = (times.iter().min(), times.iter().max()) {
            let mean = ms(times.iter().sum::<u64>()) / times.len() as f64;
            out.push_str(&format!("rtt min/avg/max/mdev = {:.3}/{mean:.3}/{:.3}/0.000 ms\n", ms(*min), ms(*max)));
        }
        out
    }
}
