//! One direction of a link: what it does to packets, and how full it is.
//!
//! Traffic is a fluid that comes in bursts, as the lab's senders make it: every 20 ms as much as was due. Below the rate a packet finds the
//! rest of a burst in front of it or nothing; above it the queue grows to its limit and what is too much is lost.

use crate::impair::{Impairment, Rng};

/// Between two bursts of a sender, nanoseconds (as `traffic` sends).
const BURST_NS: u64 = 20_000_000;
/// A router takes up to this long to forward a packet, nanoseconds: what software forwarding on a busy machine shows.
const FORWARDING_NS: u64 = 150_000;
/// Bytes of a full-sized packet on the wire.
pub const PACKET_BYTES: u64 = 1242;

/// What happened to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives after so many nanoseconds.
    Arrives(u64),
    /// It is lost.
    Lost,
}

/// Counters of what went out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Bytes, Ethernet headers included.
    pub octets: u64,
    /// Packets that the queue had no room for.
    pub dropped: u64,
}

/// One direction of a link.
#[derive(Clone, Debug)]
pub struct Wire {
    /// Its settings.
    pub impairment: Impairment,
    /// Load offered, bit/s.
    pub load_bps: u64,
    /// Bytes that wait beyond what the next burst drains.
    backlog: f64,
    /// What went out.
    pub sent: Sent,
    /// Parts of a byte and of a packet that were not counted yet.
    rest: (f64, f64),
    burst_left: u32,
    rng: Rng,
}

impl Wire {
    /// Makes a wire; `seed` decides its losses and waits.
    #[must_use]
    pub fn new(impairment: Impairment, seed: u64) -> Self {
        Self { impairment, load_bps: 0, backlog: 0.0, sent: Sent::default(), rest: (0.0, 0.0), burst_left: 0, rng: Rng::new(seed) }
    }

    /// Returns the part of the offered load that passes, 0–1.
    #[must_use]
    pub fn passing(&self) -> f64 {
        if self.impairment.blackhole {
            return 0.0;
        }
        (1.0 - f64::from(self.impairment.loss_ppm) / 1e6) * (1.0 - self.overflow())
    }

    /// Returns the part of what is offered that a full queue drops.
    fn overflow(&self) -> f64 {
        let (load, rate) = (self.load_bps as f64, self.impairment.rate_bps as f64);
        let full = self.backlog + PACKET_BYTES as f64 > self.impairment.limit_bytes as f64;
        if self.impairment.rate_bps > 0 && load > rate && full { 1.0 - rate / load } else { 0.0 }
    }

    /// Lets `ns` pass with the present load.
    pub fn flow(&mut self, ns: u64) {
        let (load, rate, seconds) = (self.load_bps as f64, self.impairment.rate_bps as f64, ns as f64 / 1e9);
        let (passing, overflow) = (self.passing(), self.overflow());
        if self.impairment.rate_bps > 0 {
            self.backlog = (self.backlog + (load - rate) / 8.0 * seconds).clamp(0.0, self.impairment.limit_bytes as f64);
        } else {
            self.backlog = 0.0;
        }
        let bytes = load * passing / 8.0 * seconds + self.rest.0;
        let drops = load * overflow / 8.0 / PACKET_BYTES as f64 * seconds + self.rest.1;
        self.rest = (bytes.fract(), drops.fract());
        self.sent.octets += bytes as u64;
        self.sent.dropped += drops as u64;
    }

    /// Decides what happens to a packet that is offered now.
    pub fn offer(&mut self, bytes: u64) -> Fate {
        if self.impairment.blackhole || self.loses() || self.chance(self.overflow()) {
            return Fate::Lost;
        }
        self.sent.octets += bytes;
        let deviation = self.rng.below(2 * self.impairment.jitter_us * 1000 + 1);
        let fixed = (self.impairment.delay_us * 1000 + deviation).saturating_sub(self.impairment.jitter_us * 1000);
        Fate::Arrives(fixed + self.wait(bytes) + self.rng.below(FORWARDING_NS))
    }

    /// Time in the queue and on the wire, nanoseconds.
    fn wait(&mut self, bytes: u64) -> u64 {
        let rate = self.impairment.rate_bps;
        if rate == 0 {
            return 0;
        }
        let ahead = (self.backlog * 8e9 / rate as f64) as u64;
        let share = (self.load_bps as f64 / rate as f64).min(1.0);
        // a burst of share × 20 ms drains for as long; whoever comes in that time waits for what is left of it
        let burst = if ahead == 0 && self.chance(share) { self.rng.below((share * BURST_NS as f64) as u64 + 1) } else { 0 };
        ahead + burst + bytes * 8_000_000_000 / rate
    }

    fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && (self.rng.below(1 << 30) as f64) < probability * f64::from(1 << 30)
    }

    fn loses(&mut self) -> bool {
        if self.burst_left > 0 {
            self.burst_left -= 1;
            return true;
        }
        let burst = self.impairment.burst.max(1);
        let hit = self.impairment.loss_ppm > 0 && self.rng.below(1_000_000 * u64::from(burst)) < u64::from(self.impairment.loss_ppm);
        self.burst_left = if hit { burst - 1 } else { 0 };
        hit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(what: Impairment) -> Wire {
        Wire::new(what, 11)
    }

    fn mean_ms(wire: &mut Wire) -> (f64, f64) {
        let fates: Vec<Fate> = (0..20_000).map(|_| wire.offer(100)).collect();
        let delays: Vec<u64> = fates.iter().filter_map(|f| if let Fate::Arrives(ns) = f { Some(*ns) } else { None }).collect();
        (delays.iter().sum::<u64>() as f64 / delays.len().max(1) as f64 / 1e6, 1.0 - delays.len() as f64 / fates.len() as f64)
    }

    #[test]
    fn an_idle_wire_adds_its_delay_and_loses_what_it_was_told_to() {
        let (delay, loss) =
            mean_ms(&mut wire(Impairment { delay_us: 4000, loss_ppm: 50_000, rate_bps: 100_000_000, ..Impairment::default() }));
        assert!((4.0..4.3).contains(&delay), "{delay}");
        assert!((0.045..0.055).contains(&loss), "{loss}");
    }

    #[test]
    fn delay_and_loss_rise_with_the_load() {
        let full = Impairment { delay_us: 4000, rate_bps: 100_000_000, ..Impairment::default() };
        let mut means = Vec::new();
        for load in [5, 50, 99, 150] {
            let mut w = wire(full);
            w.load_bps = load * 1_000_000;
            (0..20).for_each(|_| w.flow(100_000_000));
            means.push(mean_ms(&mut w));
        }
        assert!(means.is_sorted_by(|a, b| a.0 < b.0), "{means:?}");
        assert!(means[2].1 < 0.001 && (0.30..0.37).contains(&means[3].1), "{means:?}");
        // 256 KiB at 100 Mbit/s are 21 ms
        assert!((24.0..27.0).contains(&means[3].0), "{means:?}");
    }

    #[test]
    fn the_same_seed_gives_the_same_fates() {
        let what = Impairment { delay_us: 1000, jitter_us: 300, loss_ppm: 100_000, ..Impairment::default() };
        let fates = |seed| {
            let mut w = Wire::new(what, seed);
            (0..500).map(|_| w.offer(100)).collect::<Vec<_>>()
        };
        assert_eq!(fates(3), fates(3));
        assert_ne!(fates(3), fates(5));
    }

    #[test]
    fn what_passes_is_counted_to_the_byte() {
        let mut w = wire(Impairment { rate_bps: 10_000_000, ..Impairment::default() });
        w.load_bps = 8_000_001;
        (0..100).for_each(|_| w.flow(10_000_000));
        assert_eq!(w.sent, Sent { octets: 1_000_000, dropped: 0 });
    }
}
